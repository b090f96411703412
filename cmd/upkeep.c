#include "upkeep.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/signals.h"
#include "opening.h"

const struct cli_option upkeep_options[] = {
    {0, "all", NULL, CLI_FLAG, offsetof(struct upkeep_opts, all),
	"all topics of the store"},
    {'N', "dry-run", NULL, CLI_FLAG, offsetof(struct upkeep_opts, dry_run),
	"only say what would be done"},
    {'J', "json", NULL, CLI_FLAG, offsetof(struct upkeep_opts, json),
	"print JSON lines"},
    {0, NULL, NULL, CLI_FLAG, 0, NULL},
};

/* ---- failures ----------------------------------------------------------- */

void
upkeep_fail(struct upkeep *upkeep, const struct stream_error *err)
{
	if (err->status == STREAM_EINTR)
		return;
	upkeep->failed++;
	upkeep->code = cli_first(upkeep->code, cli_report(NULL, err));
}

/* ---- which partitions --------------------------------------------------- */

static int
keep(struct upkeep *upkeep, struct stream_places *found,
    const struct stream_point *point, struct stream_error *err)
{
	size_t count = upkeep->places.count + found->count;
	void *places = reallocarray(
	    upkeep->places.items, count + 1, sizeof(*upkeep->places.items));
	void *points;

	if (places != NULL)
		upkeep->places.items = places;
	points =
	    reallocarray(upkeep->points, count + 1, sizeof(*upkeep->points));
	if (points != NULL)
		upkeep->points = points;
	if (places == NULL || points == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	for (size_t i = 0; i < found->count; i++) {
		upkeep->points[upkeep->places.count] = *point;
		upkeep->places.items[upkeep->places.count++] = found->items[i];
	}
	found->count = 0;
	return STREAM_OK;
}

static int
check_range(const struct upkeep *upkeep, const struct stream_address *address,
    const char *word, struct stream_error *err)
{
	bool has_from = address->range.from.kind != STREAM_POINT_NONE;
	bool has_to = address->range.to.kind != STREAM_POINT_NONE;

	if (!upkeep->takes_points && (has_from || has_to))
		return cli_fail(err, STREAM_EUSAGE,
		    "\"%s\": whole partitions only, without @", word);
	if (upkeep->takes_points && (!has_from || has_to))
		return cli_fail(err, STREAM_EUSAGE,
		    "\"%s\": give the point at which the log is to start, as "
		    "in TOPIC:0@1200",
		    word);
	return STREAM_OK;
}

static int
add_address(struct upkeep *upkeep, const char *word, struct stream_error *err)
{
	struct stream_address address;
	struct stream_places found = {.items = NULL};
	int status =
	    stream_address_parse(word, opening_now_ms(), &address, err);

	if (status != STREAM_OK)
		return status;
	status = check_range(upkeep, &address, word, err);
	if (status == STREAM_OK)
		status = opening_find(
		    upkeep->context, &upkeep->store, &address, &found, err);
	if (status == STREAM_OK)
		status = keep(upkeep, &found, &address.range.from, err);
	stream_places_release(&found);
	stream_address_release(&address);
	return status;
}

static int
list_all(struct upkeep *upkeep, struct stream_topic_list **list,
    struct stream_error *err)
{
	int status = STREAM_OK;

	if (upkeep->store == NULL)
		status = stream_store_open(upkeep->context->store, 0,
		    STREAM_LOCK_TIMEOUT_MS, &upkeep->store, err);
	return status == STREAM_OK
		   ? stream_topic_list_new(upkeep->store, list, err)
		   : status;
}

/* A topic that cannot be opened keeps no other from its turn. */
static void
add_all(struct upkeep *upkeep)
{
	struct stream_topic_list *list;
	struct stream_error err;

	if (list_all(upkeep, &list, &err) != STREAM_OK) {
		upkeep_fail(upkeep, &err);
		return;
	}
	for (size_t i = 0; i < stream_topic_list_count(list); i++)
		if (add_address(upkeep, stream_topic_list_name(list, i),
			&err) != STREAM_OK)
			upkeep_fail(upkeep, &err);
	stream_topic_list_free(list);
}

/* ---- named more than once ----------------------------------------------- */

struct seen {
	dev_t device;
	ino_t inode; /* 0: like no other */
	size_t i;    /* of the place */
};

static int
by_inode(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->i < y->i ? -1 : x->i > y->i;
}

/* One file of a partition is not the partition. */
static void
see(const struct stream_place *place, struct seen *seen)
{
	struct stat st;

	if (place->segment != NULL || stat(place->path, &st) != 0)
		return;
	seen->device = st.st_dev;
	seen->inode = st.st_ino;
}

static void
take_out(struct upkeep *upkeep, const bool *repeats, struct stream_place *out)
{
	struct stream_places dropped = {.items = out};
	size_t kept = 0;

	for (size_t i = 0; i < upkeep->places.count; i++) {
		if (repeats[i]) {
			out[dropped.count++] = upkeep->places.items[i];
			continue;
		}
		upkeep->points[kept] = upkeep->points[i];
		upkeep->places.items[kept++] = upkeep->places.items[i];
	}
	upkeep->places.count = kept;
	stream_places_release(&dropped);
}

static void
find_repeats(const struct upkeep *upkeep, struct seen *seen, bool *repeats)
{
	size_t count = upkeep->places.count;

	for (size_t i = 0; i < count; i++) {
		seen[i].i = i;
		see(&upkeep->places.items[i], &seen[i]);
	}
	if (count > 0)
		qsort(seen, count, sizeof(*seen), by_inode);
	for (size_t i = 1; i < count; i++)
		repeats[seen[i].i] = seen[i].inode != 0 &&
				     seen[i].inode == seen[i - 1].inode &&
				     seen[i].device == seen[i - 1].device;
}

/* A directory that several words name has one turn.  With points each is
 * something else to do. */
static bool
drop_repeats(struct upkeep *upkeep)
{
	size_t count = upkeep->places.count;
	struct seen *seen = calloc(count + 1, sizeof(*seen));
	bool *repeats = calloc(count + 1, sizeof(*repeats));
	struct stream_place *out = calloc(count + 1, sizeof(*out));
	bool has_room = seen != NULL && repeats != NULL && out != NULL;

	if (has_room && !upkeep->takes_points) {
		find_repeats(upkeep, seen, repeats);
		take_out(upkeep, repeats, out);
	} else {
		free(out);
	}
	free(repeats);
	free(seen);
	if (!has_room)
		upkeep->code = cli_complain(CLI_SYSTEM, NULL, "out of memory");
	return has_room;
}

/* ---- all of them -------------------------------------------------------- */

static bool
refuse_line(struct upkeep *upkeep, const char *why)
{
	upkeep->code = cli_usage(upkeep->command, "%s", why);
	return false;
}

bool
upkeep_find(struct upkeep *upkeep, int count, char *words[])
{
	struct stream_error err;

	if (upkeep->opts->all && count > 0)
		return refuse_line(upkeep, "give addresses or --all");
	if (!upkeep->opts->all && count == 0)
		return refuse_line(upkeep, "give an address, or --all");
	if (upkeep->opts->all)
		add_all(upkeep);
	for (int i = 0; i < count; i++) {
		if (add_address(upkeep, words[i], &err) == STREAM_OK)
			continue;
		upkeep_fail(upkeep, &err);
		if (err.status != STREAM_EUSAGE)
			continue;
		upkeep->code = CLI_USAGE;
		return false;
	}
	return drop_repeats(upkeep);
}

/* ---- working ------------------------------------------------------------ */

/* Places of one store stand together. */
static void
tidy(const struct upkeep *upkeep)
{
	const struct stream_places *places = &upkeep->places;
	unsigned flags = upkeep->network ? STREAM_STORE_NETWORK : 0;

	for (size_t i = 0; i < places->count; i++)
		if (i == 0 || strcmp(places->items[i].store_path,
				  places->items[i - 1].store_path) != 0)
			stream_store_tidy(places->items[i].store_path, flags);
}

bool
upkeep_begin(struct upkeep *upkeep)
{
	struct stream_error err;

	if (!upkeep->opts->dry_run && !upkeep->only_asks)
		tidy(upkeep);
	if (cli_out_open(&upkeep->out, 1, false, &err) == STREAM_OK)
		return true;
	upkeep_fail(upkeep, &err);
	return false;
}

bool
upkeep_goes_on(const struct upkeep *upkeep)
{
	return cli_signals_pending() == 0 && !cli_out_failed(&upkeep->out);
}

void
upkeep_finish(struct upkeep *upkeep, void (*last)(struct upkeep *upkeep))
{
	upkeep->place = NULL;
	if (last != NULL && cli_signals_pending() == 0)
		last(upkeep);
	/* Some that failed do not hide that others did not. */
	if (upkeep->failed > 0 && upkeep->done > 0)
		upkeep->code = CLI_PARTLY;
	upkeep->code = topic_close_out(&upkeep->out, upkeep->code);
}

void
upkeep_run(struct upkeep *upkeep, upkeep_work *work,
    void (*last)(struct upkeep *upkeep))
{
	if (!upkeep_begin(upkeep))
		return;
	for (size_t i = 0; i < upkeep->places.count && upkeep_goes_on(upkeep);
	     i++) {
		upkeep->place = &upkeep->places.items[i];
		work(upkeep, i);
	}
	upkeep_finish(upkeep, last);
}

enum cli_exit
upkeep_end(struct upkeep *upkeep)
{
	stream_places_release(&upkeep->places);
	free(upkeep->points);
	return topic_end(upkeep->store, upkeep->code);
}

/* ---- telling ------------------------------------------------------------ */

const char *
upkeep_name(const struct stream_place *place)
{
	const char *slash = strrchr(place->path, '/');

	return slash == NULL || slash[1] == '\0' ? place->path : slash + 1;
}

bool
upkeep_tells(const struct upkeep *upkeep)
{
	return !upkeep->opts->json &&
	       (!upkeep->context->quiet || upkeep->opts->dry_run);
}

void
upkeep_json(struct upkeep *upkeep, const char *type, struct json_line *json)
{
	*json = (struct json_line){.out = &upkeep->out};
	line_begin(json, type);
	line_text(json, "topic", upkeep->place->topic);
	line_int(json, "partition", upkeep->place->partition);
}

void
upkeep_count(
    struct upkeep *upkeep, uint64_t count, const char *one, const char *many)
{
	cli_out_format(&upkeep->out, "%llu %s", (unsigned long long)count,
	    count == 1 ? one : many);
}

void
upkeep_note(void *context, const char *text)
{
	const struct upkeep *upkeep = context;

	cli_note(upkeep->context, upkeep_name(upkeep->place), "%s", text);
}

bool
upkeep_go_on(void *context, uint64_t bytes)
{
	(void)context;
	(void)bytes;
	return cli_signals_pending() == 0;
}

void
upkeep_complain_clock(struct upkeep *upkeep, const struct stream_retained *sum)
{
	char when[STREAM_TIME_SIZE];
	enum cli_exit code;

	if (!sum->clock_refused)
		return;
	stream_format_time(sum->newest_ms, when);
	code = cli_complain(CLI_NO, upkeep_name(upkeep->place),
	    "by age all closed segments would go, and the newest record is of "
	    "%s: is the clock right?  Then give --force-clock",
	    when);
	upkeep->code = cli_first(upkeep->code, code);
}

struct stream_retain_options
upkeep_retain_options(
    struct upkeep *upkeep, const struct topic_write_opts *write)
{
	int64_t wait_ms = write->lock_timeout_ms;

	upkeep->network = write->network;
	return (struct stream_retain_options){
	    .now_ms = opening_now_ms(),
	    .older_ms = -1,
	    .keep_bytes = -1,
	    .keep_records = -1,
	    .spare_from = -1,
	    .network = write->network,
	    .lock_timeout_ms = wait_ms > INT_MAX ? INT_MAX : (int)wait_ms,
	    .lenient = upkeep->opts->all,
	    .go_on = upkeep_go_on,
	    .note = upkeep_note,
	    .context = upkeep,
	};
}

uint64_t
upkeep_freed(const struct stream_compact_counts *counts)
{
	return counts->bytes_in > counts->bytes_out
		   ? counts->bytes_in - counts->bytes_out
		   : 0;
}
