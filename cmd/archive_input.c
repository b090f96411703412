#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive_commands.h"
#include "cli/signals.h"

int
archive_timeout(int64_t ms)
{
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static bool
go_on(void *context, uint64_t bytes)
{
	struct archive_input *input = context;

	input->read += bytes;
	if (!input->is_quiet)
		cli_progress_update(&input->progress, input->read);
	return cli_signals_pending() == 0;
}

static void
note(void *context, const char *text)
{
	struct archive_input *input = context;

	cli_progress_clear(&input->progress);
	cli_note(input->context, input->name, "%s", text);
}

int
archive_input_open(struct archive_input *input,
    const struct cli_context *context, const char *path, uint64_t max_bytes,
    struct stream_error *err)
{
	bool standard = strcmp(path, "-") == 0;
	struct stat st;

	*input = (struct archive_input){
	    .context = context,
	    .name = standard ? "standard input" : path,
	    .fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC),
	    .options = {.max_bytes = max_bytes,
		.go_on = go_on,
		.note = note,
		.context = input},
	};
	if (input->fd < 0 || fstat(input->fd, &st) != 0)
		return cli_fail_sys(err, "%s", path);
	if (S_ISDIR(st.st_mode))
		return cli_fail(err, STREAM_EUSAGE,
		    "%s: is a directory, not an archive", path);
	cli_progress_begin(&input->progress, context,
	    S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0);
	return STREAM_OK;
}

void
archive_input_close(struct archive_input *input)
{
	cli_progress_clear(&input->progress);
	if (input->fd > STDERR_FILENO)
		close(input->fd);
	input->fd = -1;
}
