/*
 * log.c - a partition directory with one log file of any bytes
 *
 * What a reader gives out is what refdec finds up to the first batch that is
 * not good; an end that is torn is no failure, anything else is one.  What
 * lies behind it may make torn bytes damage (SPEC 10).
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "compare.h"
#include "file/tail.h"
#include "log/reader.h"
#include "log/view.h"

#define LOG "00000000000000000000.log"

/* Bits of the first byte. */
enum { DENSE = 1, WORKERS = 2, COMMITTED = 4, SEEK = 8, FRONT = 2 };

/* What refdec finds. */
struct found {
	struct stream_buf records;
	enum refdec_verdict verdict; /* of the batch where it stopped */
	int64_t next;                /* the offset after the last good batch */
	size_t end;                  /* where that ends */
	int64_t from;                /* no records below this offset */
	bool whole; /* it stopped at a batch whose header is good */
};

static void
put_from(void *arg, const struct refdec_record *record)
{
	struct found *found = arg;

	if (record->offset >= found->from)
		fuzz_put_refdec(&found->records, record);
}

/* SPEC 4.2, in a file whose name says 0. */
static bool
breaks_chain(
    const struct found *found, const struct refdec_batch *batch, bool dense)
{
	if (batch->base + batch->last_delta > INT32_MAX)
		return true;
	if (dense)
		return batch->base != found->next ||
		       batch->last_delta != batch->count - 1;
	return batch->base < found->next;
}

static void
find(const uint8_t *data, size_t size, bool dense, struct found *found)
{
	static struct refdec_buf buf = {.limit = FUZZ_LIMIT};
	struct refdec_batch batch;

	while (found->end < size && found->verdict == REFDEC_GOOD) {
		const uint8_t *at = data + found->end;
		int verdict =
		    refdec_batch(at, size - found->end, FUZZ_LIMIT, &batch);

		found->whole = verdict == REFDEC_GOOD;
		if (verdict == REFDEC_GOOD &&
		    breaks_chain(found, &batch, dense))
			verdict = REFDEC_CORRUPT;
		/* Nobody asks what a control batch holds. */
		if (verdict == REFDEC_GOOD && !(batch.attributes & 32)) {
			struct refdec_cursor section =
			    refdec_section(&batch, at, &buf);
			verdict = refdec_records(&batch, section, NULL, NULL);
			if (verdict == REFDEC_GOOD)
				refdec_records(
				    &batch, section, put_from, found);
		}
		found->verdict = (enum refdec_verdict)verdict;
		if (verdict != REFDEC_GOOD)
			break;
		found->end += batch.size;
		found->next = batch.base + batch.last_delta + 1;
	}
}

static int
read_all(unsigned flags, int64_t from, struct stream_buf *out)
{
	struct stream_reader_source source = {
	    .dirfd = dup(fuzz_directory()),
	    .name = "fuzz-0",
	    .is_ours = (flags & DENSE) != 0,
	    .has_transactions = (flags & DENSE) == 0,
	    .dense = (flags & DENSE) != 0,
	};
	struct stream_reader_options options = {
	    .flags = STREAM_READER_CLAMP |
		     (flags & COMMITTED ? 0 : STREAM_READER_UNCOMMITTED),
	    .max_batch_bytes = FUZZ_LIMIT,
	    .workers = flags & WORKERS ? 2 : 0,
	};
	const struct stream_record *records;
	struct stream_reader *reader;
	struct stream_error err = {0};
	int64_t last = -1;
	size_t count;
	int status;

	if (flags & SEEK)
		options.range.from =
		    (struct stream_point){STREAM_POINT_OFFSET, from};
	status = stream_reader_open_source(&source, &options, &reader, &err);
	if (status != STREAM_OK)
		return status;
	while ((status = stream_reader_read(reader, &records, &count, &err)) ==
	       STREAM_OK) {
		FUZZ_CHECK(count > 0);
		for (size_t i = 0; i < count; i++) {
			FUZZ_CHECK(records[i].offset > last);
			last = records[i].offset;
			fuzz_put_record(out, &records[i]);
		}
	}
	FUZZ_CHECK(status == STREAM_END || err.text[0] != 0);
	stream_reader_close(reader);
	return status;
}

static bool
is_all_zero(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] != 0)
			return false;
	return true;
}

/*
 * SPEC 10: what the end of the newest segment means.  It is never judged by
 * what stands in the records, and says more than refdec does of one batch.
 */
static enum stream_tail
judge(const struct found *found, size_t size, bool zero)
{
	enum stream_tail tail;
	int fd = openat(fuzz_directory(), LOG, O_RDONLY | O_CLOEXEC);

	FUZZ_CHECK(stream_tail_judge(fd, found->end, found->next, FUZZ_LIMIT,
		       &tail, NULL) == STREAM_OK);
	close(fd);
	FUZZ_CHECK((tail == STREAM_TAIL_NONE) == (found->end == size));
	if (zero && found->end < size)
		FUZZ_CHECK(tail == STREAM_TAIL_TORN);
	if (found->verdict == REFDEC_TORN)
		FUZZ_CHECK(
		    tail == STREAM_TAIL_TORN || tail == STREAM_TAIL_DAMAGE);
	if (found->verdict == REFDEC_CORRUPT && !zero)
		FUZZ_CHECK(tail != STREAM_TAIL_TORN);
	if (tail == STREAM_TAIL_NEWER)
		FUZZ_CHECK(found->verdict == REFDEC_NEWER);
	return tail;
}

/* The reader's last word, by the end of the log or by the records. */
static void
check_status(int status, const struct found *found, enum stream_tail tail)
{
	if (found->verdict == REFDEC_GOOD)
		FUZZ_CHECK(status == STREAM_END);
	else if (found->whole)
		FUZZ_CHECK(fuzz_agree_on_stream(status, (int)found->verdict));
	else if (tail == STREAM_TAIL_TORN)
		FUZZ_CHECK(status == STREAM_END);
	else if (tail == STREAM_TAIL_NEWER)
		FUZZ_CHECK(status == STREAM_ENEWER);
	else
		FUZZ_CHECK(status == STREAM_ECORRUPT);
}

static void
run(const uint8_t *data, size_t size)
{
	struct found found = {.verdict = REFDEC_GOOD};
	struct stream_buf out;
	unsigned flags;
	enum stream_tail tail;
	int status;
	bool zero;

	if (size < FRONT)
		return;
	flags = data[0] & (DENSE | WORKERS | COMMITTED | SEEK);
	if (flags & SEEK)
		found.from = data[1];
	data += FRONT;
	size -= FRONT;
	fuzz_put_file(LOG, data, size);
	stream_buf_init(&found.records);
	stream_buf_init(&out);
	find(data, size, (flags & DENSE) != 0, &found);
	zero = is_all_zero(data + found.end, size - found.end);
	tail = judge(&found, size, zero);
	/* An offset past the end means the end, in a log that ends well. */
	if (found.verdict != REFDEC_GOOD)
		flags &= ~(unsigned)SEEK;
	status = read_all(flags, found.from, &out);
	if (!(flags & COMMITTED)) {
		check_status(status, &found, tail);
		if (flags & SEEK || found.from == 0)
			FUZZ_CHECK(fuzz_same(&out, &found.records));
	}
	/* Nothing is more in the committed records; but those of an aborted
	 * transaction are passed over undecoded, good or not. */
	if (!(flags & SEEK) && found.from == 0 &&
	    !(found.whole && found.verdict != REFDEC_GOOD))
		FUZZ_CHECK(out.size <= found.records.size);
	stream_buf_release(&found.records);
	stream_buf_release(&out);
}

static size_t
mutate(uint8_t *data, size_t size, size_t most, uint32_t seed)
{
	if (size < FRONT || most <= FRONT || seed % 16 == 1)
		return LLVMFuzzerMutate(data, size, most);
	return FRONT +
	       fuzz_mutate_log(data + FRONT, size - FRONT, most - FRONT, seed);
}

const struct fuzz_target fuzz_target_log = {"log", run, mutate};
