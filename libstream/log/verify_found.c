/*
 * verify_found.c - findings, and which of them count
 *
 * Directories change while they are read: an index may be seen ahead of the log
 * or in place after it, a log may be cut by a writer that recovers.  What is
 * found in a segment is kept, and given out only if a second walk finds it too.
 * A file that was replaced under its name is no evidence of anything.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "log/verify_private.h"

/* So many false findings no writer can cause: from here on they are given out
 * at once. */
enum { KEPT_MOST = 1024 };

static const struct {
	const char *name;
	const char *meaning;
} kinds[STREAM_FINDING_KINDS] = {
    [STREAM_FINDING_CRC] = {"crc",
	"readers stop before it; what is in it cannot be trusted"},
    [STREAM_FINDING_BATCH] = {"batch",
	"readers stop before it; what is in it cannot be read"},
    [STREAM_FINDING_UNSUPPORTED] = {"unsupported",
	"readers stop before it; another version may read it"},
    [STREAM_FINDING_RECORDS] = {"records",
	"readers stop in this batch; its checksum is right, so it was "
	"written so"},
    [STREAM_FINDING_OFFSET_ORDER] = {"offset-order",
	"readers stop here or see records under wrong offsets"},
    [STREAM_FINDING_OFFSET_GAP] = {"offset-gap",
	"records are missing, or have wrong offsets; readers stop here"},
    [STREAM_FINDING_OFFSET_RANGE] = {"offset-range",
	"indexes cannot hold these offsets, and a broker refuses the segment"},
    [STREAM_FINDING_LEADER_EPOCH] = {"leader-epoch",
	"no record changes; replicas may truncate at a wrong offset"},
    [STREAM_FINDING_TORN_TAIL] = {"torn-tail",
	"an append did not finish; readers stop before it and the next writer "
	"cuts it off"},
    [STREAM_FINDING_ZERO_TAIL] = {"zero-tail",
	"space that was never written; readers stop before it and the next "
	"writer cuts it off"},
    [STREAM_FINDING_BAD_LAST_BATCH] = {"bad-last-batch",
	"readers stop before it; the next writer sets it aside"},
    [STREAM_FINDING_LOST_TAIL] = {"lost-tail",
	"records that were acknowledged as durable are gone; writers refuse "
	"to go on"},
    [STREAM_FINDING_MISSING_SEGMENT] = {"missing-segment",
	"records are missing; our writers refuse to go on, and a broker goes "
	"on without them"},
    [STREAM_FINDING_LOG_END] = {"log-end",
	"records at the end are lost, the last batch has a wrong base offset, "
	"or this file is wrong"},
    [STREAM_FINDING_SIZE] = {"size",
	"positions do not fit the indexes, and a broker refuses the file"},
    [STREAM_FINDING_MISSING_INDEX] = {"missing-index",
	"strm reads more slowly; a broker may find no offset or time in this "
	"segment"},
    [STREAM_FINDING_INDEX_SIZE] = {"index-size",
	"strm leaves the part out; a broker refuses the index"},
    [STREAM_FINDING_INDEX_ORDER] = {"index-order",
	"lookups by strm get slower; a broker may begin at a wrong place"},
    [STREAM_FINDING_INDEX_ENTRY] = {"index-entry",
	"lookups by strm get slower; a broker may begin at a wrong place"},
    [STREAM_FINDING_INDEX_SHORT] = {"index-short",
	"lookups get slower; a broker may take records for older than they "
	"are"},
    [STREAM_FINDING_ZERO_SLOTS] = {"zero-slots",
	"strm leaves them out; a broker cuts them off when it closes the "
	"segment"},
    [STREAM_FINDING_TXNINDEX] = {"txnindex",
	"strm does not rely on it; consumers of a broker may see aborted "
	"records, or miss committed ones"},
    [STREAM_FINDING_SNAPSHOT] = {"snapshot",
	"strm takes an older one; a broker may not know its producers"},
    [STREAM_FINDING_EPOCHS] = {"epochs",
	"no record changes; replicas may truncate at a wrong offset"},
    [STREAM_FINDING_METADATA] = {"metadata",
	"a broker may take the partition for another topic's"},
    [STREAM_FINDING_CHECKPOINT] = {"checkpoint",
	"a broker takes what it says, or nothing of it, for where logs begin "
	"or need recovery"},
    [STREAM_FINDING_LEFTOVER] = {"leftover",
	"it is of something that is under way or was cut off; readers do not "
	"see "
	"it"},
    [STREAM_FINDING_SWAP] = {"swap",
	"readers take it for what it replaces; a broker puts it in place when "
	"it starts"},
    [STREAM_FINDING_ORPHAN] = {"orphan", "readers do not look at it"},
    [STREAM_FINDING_NAME] = {"name", "readers do not look at it"},
};

const char *
stream_verify_kind_name(enum stream_verify_kind kind)
{
	return kinds[kind].name;
}

const char *
stream_verify_kind_meaning(enum stream_verify_kind kind)
{
	return kinds[kind].meaning;
}

void
stream_verify_give(const struct stream_verify_options *options,
    struct stream_verify_summary *sum,
    const struct stream_verify_finding *finding)
{
	if (finding->severity == STREAM_SEVERITY_DAMAGE)
		sum->damage++;
	else
		sum->notes++;
	if (options->found != NULL)
		options->found(options->context, finding);
}

static void
give(struct stream_verify *verify, const struct stream_verify_kept *kept,
    const char *file)
{
	struct stream_verify_finding finding = {
	    .severity = kept->severity,
	    .kind = kept->kind,
	    .file = file,
	    .position = kept->position,
	    .first_offset = kept->first_offset,
	    .last_offset = kept->last_offset,
	    .message = kept->message,
	    .meaning = stream_verify_kind_meaning(kept->kind),
	};

	stream_verify_give(&verify->options, verify->sum, &finding);
}

static void
give_kept(struct stream_verify *verify, bool all)
{
	for (size_t i = 0; i < verify->kept_count; i++)
		if (all || verify->kept[i].again)
			give(verify, &verify->kept[i], verify->kept[i].file);
	verify->kept_count = 0;
	verify->mode = STREAM_VERIFY_GIVE;
}

static bool
is_same(const struct stream_verify_kept *a, const struct stream_verify_kept *b)
{
	return a->kind == b->kind && a->position == b->position &&
	       a->first_offset == b->first_offset &&
	       strcmp(a->file, b->file) == 0;
}

static void
mark_again(struct stream_verify *verify, const struct stream_verify_kept *new)
{
	for (size_t i = 0; i < verify->kept_count; i++)
		if (is_same(&verify->kept[i], new))
			verify->kept[i].again = true;
}

/* file is NULL or longer than a segment's names only when nothing is kept. */
static void
take(struct stream_verify *verify, struct stream_verify_kept *new,
    const char *file)
{
	/* What a replaced file holds is no evidence of anything. */
	if (verify->fd >= 0 && !stream_verify_is_there(verify))
		return;
	if (verify->mode == STREAM_VERIFY_GIVE) {
		give(verify, new, file);
		return;
	}
	snprintf(new->file, sizeof(new->file), "%s", file);
	if (verify->mode == STREAM_VERIFY_CONFIRM) {
		mark_again(verify, new);
		return;
	}
	if (verify->kept_count == KEPT_MOST)
		give_kept(verify, true);
	if (verify->mode == STREAM_VERIFY_GIVE)
		give(verify, new, file);
	else
		verify->kept[verify->kept_count++] = *new;
}

__attribute__((format(printf, 5, 0))) static void
take_text(struct stream_verify *verify, enum stream_severity severity,
    enum stream_verify_kind kind, struct stream_verify_where where,
    const char *format, va_list args)
{
	struct stream_verify_kept new = {
	    .severity = severity,
	    .kind = kind,
	    .position = where.position,
	    .first_offset = where.first_offset,
	    .last_offset = where.last_offset,
	};

	vsnprintf(new.message, sizeof(new.message), format, args);
	take(verify, &new, where.file);
}

/* What the log start hides hurts no reader.  It is raised before there is a
 * hole that it hides, and may have been since it was asked last. */
static bool
is_hidden(struct stream_verify *verify, struct stream_verify_where where)
{
	if (where.last_offset >= verify->log_start)
		stream_facts_ask_log_start(&verify->facts,
		    verify->source->dirfd, &verify->log_start, NULL);
	return where.last_offset >= 0 && where.last_offset < verify->log_start;
}

void
stream_verify_damage(struct stream_verify *verify, enum stream_verify_kind kind,
    struct stream_verify_where where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_text(verify,
	    is_hidden(verify, where) ? STREAM_SEVERITY_NOTE
				     : STREAM_SEVERITY_DAMAGE,
	    kind, where, format, args);
	va_end(args);
}

void
stream_verify_note(struct stream_verify *verify, enum stream_verify_kind kind,
    struct stream_verify_where where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_text(verify, STREAM_SEVERITY_NOTE, kind, where, format, args);
	va_end(args);
}

int
stream_verify_collect(struct stream_verify *verify, struct stream_error *err)
{
	if (verify->kept == NULL)
		verify->kept = calloc(KEPT_MOST, sizeof(*verify->kept));
	if (verify->kept == NULL)
		return stream_fail_memory(err);
	verify->kept_count = 0;
	verify->mode = STREAM_VERIFY_COLLECT;
	return STREAM_OK;
}

void
stream_verify_confirm(struct stream_verify *verify)
{
	verify->mode = STREAM_VERIFY_CONFIRM;
}

void
stream_verify_settle(struct stream_verify *verify)
{
	give_kept(verify, false);
}
