/*
 * maintain_metrics.c - what a run found, in Prometheus' text format
 *
 * For the textfile collector of node_exporter, which reads all files *.prom of
 * a directory: so the file is written under another name and renamed.  Two
 * files that say the same of one series make it refuse both, so each series
 * names its store.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/escape.h"
#include "cli/message.h"
#include "cli/output.h"
#include "maintain.h"

struct writing {
	struct cli_out out;
	const struct maintain_part *parts;
	size_t count;
};

/* ---- the format ---------------------------------------------------------- */

static void
put_head(struct cli_out *out, const char *name, const char *help)
{
	cli_out_format(
	    out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

enum { LABEL_PIECE = 256 };

/* What is no text becomes \xHH, or the file would not be UTF-8. */
static void
put_escaped(struct cli_out *out, const uint8_t *value, size_t size)
{
	uint8_t safe[LABEL_PIECE * CLI_ESCAPE_GROWTH];
	size_t n = cli_escape(safe, value, size, false);

	for (size_t i = 0; i < n; i++) {
		if (safe[i] == '\\' || safe[i] == '"')
			cli_out_byte(out, '\\');
		cli_out_byte(out, safe[i]);
	}
}

static void
put_label(struct cli_out *out, const char *name, const char *value)
{
	const uint8_t *at = (const uint8_t *)value;
	size_t left = strlen(value);

	cli_out_format(out, "%s=\"", name);
	while (left > 0) {
		size_t piece = left;

		if (piece > LABEL_PIECE) {
			piece = LABEL_PIECE;
			piece -= cli_escape_unfinished(at, piece);
		}
		put_escaped(out, at, piece);
		at += piece;
		left -= piece;
	}
	cli_out_byte(out, '"');
}

static void
put_labels(struct cli_out *out, const struct stream_place *place)
{
	cli_out_byte(out, '{');
	put_label(out, "store", place->store_path);
	cli_out_byte(out, ',');
	put_label(out, "topic", place->topic);
	cli_out_format(out, ",partition=\"%d\"} ", (int)place->partition);
}

/* ---- of partitions ------------------------------------------------------- */

static void
put_int(struct cli_out *out, int64_t value)
{
	cli_out_format(out, "%lld\n", (long long)value);
}

static void
put_uint(struct cli_out *out, uint64_t value)
{
	cli_out_format(out, "%llu\n", (unsigned long long)value);
}

static void
put_seconds(struct cli_out *out, int64_t ms)
{
	cli_out_format(out, "%.3f\n", (double)ms / 1000);
}

enum metric {
	BYTES,
	SEGMENTS,
	START,
	END,
	LAST_TIME,
	RECLAIMABLE,
	DIRTY_BYTES,
	DIRTY_RATIO,
	COMPACTION,
	FAILED
};

static const struct {
	const char *name, *help;
} metrics[] = {
    [BYTES] = {"strm_log_size_bytes", "Bytes of the logs of all segments."},
    [SEGMENTS] = {"strm_log_segments", "Segments, with the active one."},
    [START] = {"strm_log_start_offset", "Offset of the first record."},
    [END] = {"strm_log_end_offset", "Offset that the next record gets."},
    [LAST_TIME] = {"strm_log_last_timestamp_seconds",
	"Largest timestamp of the last batch."},
    [RECLAIMABLE] = {"strm_log_reclaimable_bytes",
	"Bytes of logs that retention would take now."},
    [DIRTY_BYTES] = {"strm_log_dirty_bytes",
	"Bytes of logs that compaction has still to clean."},
    [DIRTY_RATIO] = {"strm_log_dirty_ratio",
	"Dirty bytes to all that compaction may clean."},
    [COMPACTION] = {"strm_log_last_compaction_timestamp_seconds",
	"When the partition was compacted last."},
    [FAILED] = {"strm_log_maintenance_failed",
	"1 if the last run failed on the partition."},
};

static bool
has(const struct maintain_part *part, enum metric metric)
{
	if (metric == FAILED)
		return true;
	if (metric == DIRTY_BYTES || metric == DIRTY_RATIO)
		return part->is_compacted;
	if (!part->is_measured)
		return false;
	if (metric == LAST_TIME)
		return part->measures.last_timestamp_ms != STREAM_NO_TIMESTAMP;
	return metric != COMPACTION || part->measures.last_compaction_ms >= 0;
}

static void
put_value(
    struct cli_out *out, const struct maintain_part *part, enum metric metric)
{
	const struct stream_measures *measures = &part->measures;

	switch (metric) {
	case BYTES:
		put_uint(out, measures->bytes);
		return;
	case SEGMENTS:
		put_uint(out, measures->segments);
		return;
	case START:
		put_int(out, measures->log_start_offset);
		return;
	case END:
		put_int(out, measures->log_end_offset);
		return;
	case LAST_TIME:
		put_seconds(out, measures->last_timestamp_ms);
		return;
	case RECLAIMABLE:
		put_uint(out, measures->reclaimable_bytes);
		return;
	case DIRTY_BYTES:
		put_uint(out, part->dirty_bytes);
		return;
	case DIRTY_RATIO:
		cli_out_format(out, "%.6f\n", part->dirty_ratio);
		return;
	case COMPACTION:
		put_seconds(out, measures->last_compaction_ms);
		return;
	case FAILED:
		put_int(out, part->failed);
		return;
	}
}

static void
put_metric(struct writing *w, enum metric metric)
{
	bool begun = false;

	for (size_t i = 0; i < w->count; i++) {
		const struct maintain_part *part = &w->parts[i];

		if (!has(part, metric))
			continue;
		if (!begun)
			put_head(&w->out, metrics[metric].name,
			    metrics[metric].help);
		begun = true;
		cli_out_text(&w->out, metrics[metric].name);
		put_labels(&w->out, part->place);
		put_value(&w->out, part, metric);
	}
}

/* ---- of the run ---------------------------------------------------------- */

static void
begin_run(struct writing *w, const struct maintain_sum *sum, const char *name,
    const char *help)
{
	put_head(&w->out, name, help);
	cli_out_format(&w->out, "%s{", name);
	put_label(&w->out, "store", sum->store);
	cli_out_text(&w->out, "} ");
}

static void
put_run(struct writing *w, const struct maintain_sum *sum)
{
	begin_run(w, sum, "strm_maintain_last_run_timestamp_seconds",
	    "When the last run began.");
	put_seconds(&w->out, sum->now_ms);
	begin_run(w, sum, "strm_maintain_duration_seconds",
	    "How long the last run took.");
	put_seconds(&w->out, sum->elapsed_ms);
	begin_run(w, sum, "strm_maintain_errors",
	    "Partitions and topics on which the last run failed.");
	put_uint(&w->out, sum->errors);
	begin_run(w, sum, "strm_maintain_partitions",
	    "Partitions that the last run looked at.");
	put_uint(&w->out, w->count);
	begin_run(w, sum, "strm_maintain_locked_partitions",
	    "Partitions that the last run left out, as another worked there.");
	put_uint(&w->out, sum->locked);
	begin_run(w, sum, "strm_maintain_rolled_segments",
	    "Segments that the last run closed.");
	put_uint(&w->out, sum->rolled);
	begin_run(w, sum, "strm_maintain_deleted_segments",
	    "Segments that the last run deleted.");
	put_uint(&w->out, sum->segments);
	begin_run(w, sum, "strm_maintain_deleted_bytes",
	    "Bytes of logs that the last run deleted.");
	put_uint(&w->out, sum->bytes);
	begin_run(w, sum, "strm_maintain_compacted_bytes",
	    "Bytes of logs that the last run took by compaction.");
	put_uint(&w->out, sum->compacted_bytes);
}

/* ---- the file ------------------------------------------------------------ */

static int
by_path(const void *a, const void *b)
{
	const struct maintain_part *x = a, *y = b;

	return strcmp(x->place->path, y->place->path);
}

static int
write_all(int fd, const struct maintain_sum *sum, struct maintain_part *parts,
    size_t count, struct stream_error *err)
{
	struct writing w = {.parts = parts, .count = count};
	int status = cli_out_open(&w.out, fd, true, err);

	if (status != STREAM_OK)
		return status;
	if (count > 0)
		qsort(parts, count, sizeof(*parts), by_path);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
		put_metric(&w, (enum metric)i);
	put_run(&w, sum);
	return cli_out_close(&w.out, err);
}

/* Is fd still the file that has this name?  Who held the lock before may have
 * given it another. */
static bool
has_name(int fd, const char *name)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && lstat(name, &named) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static int
check_temporary(int fd, const char *name, struct stream_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return cli_fail_sys(err, "%s: cannot stat", name);
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		return cli_fail(err, STREAM_EIO,
		    "%s: in the way, and no file of a run before; remove it",
		    name);
	return STREAM_OK;
}

/*
 * One name for all runs, so that what a killed one left is used by the next.
 * Who has it locked writes it, and unlocks it when it has its name.
 */
static int
open_temporary(const char *name, int *fd, struct stream_error *err)
{
	int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int status = STREAM_OK;

	for (;;) {
		*fd = open(name, flags, 0644);
		if (*fd < 0)
			return cli_fail_sys(err, "%s: cannot create", name);
		status = check_temporary(*fd, name, err);
		if (status == STREAM_OK && flock(*fd, LOCK_EX) != 0)
			status = cli_fail_sys(err, "%s: cannot lock", name);
		if (status != STREAM_OK || has_name(*fd, name))
			break;
		close(*fd);
	}
	if (status == STREAM_OK && ftruncate(*fd, 0) != 0)
		status = cli_fail_sys(err, "%s: cannot empty", name);
	if (status != STREAM_OK)
		close(*fd);
	return status;
}

static int
replace(const char *path, const char *temporary, const struct maintain_sum *sum,
    struct maintain_part *parts, size_t count, struct stream_error *err)
{
	int fd;
	int status = open_temporary(temporary, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = write_all(fd, sum, parts, count, err);
	if (status == STREAM_OK && fsync(fd) != 0)
		status = cli_fail_sys(err, "%s: cannot sync", temporary);
	if (status == STREAM_OK && rename(temporary, path) != 0)
		status = cli_fail_sys(err, "%s: cannot rename to it", path);
	if (status != STREAM_OK)
		unlink(temporary);
	if (close(fd) != 0 && status == STREAM_OK)
		status = cli_fail_sys(err, "%s: cannot close", path);
	return status;
}

/* A symbolic link stays one: the file that it leads to is replaced. */
static int
find_target(const char *path, char **target, struct stream_error *err)
{
	struct stat st;

	if (lstat(path, &st) != 0 && errno == ENOENT) {
		*target = strdup(path);
		return *target != NULL
			   ? STREAM_OK
			   : cli_fail(err, STREAM_ENOMEM, "out of memory");
	}
	*target = realpath(path, NULL);
	if (*target == NULL)
		return cli_fail_sys(err, "%s: cannot follow", path);
	if (stat(*target, &st) == 0 && S_ISREG(st.st_mode))
		return STREAM_OK;
	free(*target);
	return cli_fail(err, STREAM_EUSAGE,
	    "%s: there, and no regular file, so it is not replaced", path);
}

int
maintain_check_metrics(const char *path, struct stream_error *err)
{
	char *target;
	int status = find_target(path, &target, err);

	if (status == STREAM_OK)
		free(target);
	return status;
}

int
maintain_write_metrics(const char *path, const struct maintain_sum *sum,
    struct maintain_part *parts, size_t count, struct stream_error *err)
{
	char *target, *temporary;
	int status = find_target(path, &target, err);

	if (status != STREAM_OK)
		return status;
	/* Not *.prom, which would be read. */
	if (asprintf(&temporary, "%s.tmp", target) < 0) {
		free(target);
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	}
	status = replace(target, temporary, sum, parts, count, err);
	free(temporary);
	free(target);
	return status;
}
