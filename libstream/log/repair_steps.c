/*
 * repair_steps.c - the list of steps of a repair
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/fail.h"
#include "log/repair.h"

struct stream_repair {
	struct stream_buf steps; /* of struct stream_repair_step */
};

int
stream_repair_new(struct stream_repair **repair, struct stream_error *err)
{
	struct stream_repair *new = calloc(1, sizeof(*new));

	if (new == NULL)
		return stream_fail_memory(err);
	stream_buf_init(&new->steps);
	*repair = new;
	return STREAM_OK;
}

void
stream_repair_free(struct stream_repair *repair)
{
	if (repair == NULL)
		return;
	stream_buf_release(&repair->steps);
	free(repair);
}

void
stream_repair_clear(struct stream_repair *repair)
{
	repair->steps.size = 0;
}

int
stream_repair_add(struct stream_repair *repair,
    const struct stream_repair_step *step, struct stream_error *err)
{
	return stream_buf_add(&repair->steps, step, sizeof(*step), err);
}

size_t
stream_repair_count(const struct stream_repair *repair)
{
	return repair->steps.size / sizeof(struct stream_repair_step);
}

const struct stream_repair_step *
stream_repair_step(const struct stream_repair *repair, size_t i)
{
	const void *steps = repair->steps.data;

	return (const struct stream_repair_step *)steps + i;
}

const char *
stream_repair_action_name(enum stream_repair_action action)
{
	static const char *const names[] = {
	    [STREAM_REPAIR_FINISH] = "finish",
	    [STREAM_REPAIR_ASIDE] = "set-aside",
	    [STREAM_REPAIR_CUT] = "cut",
	    [STREAM_REPAIR_REBUILD] = "rebuild",
	    [STREAM_REPAIR_STAYS] = "stays",
	    [STREAM_REPAIR_HOLE] = "hole",
	};

	return names[action];
}
