/*
 * flips - read a topic again and again, each time with another byte flipped
 *
 *	flips [-s STEP] STORE TOPIC FILE
 *
 * FILE is one of the topic's files.  For each byte of it (each STEP-th, and
 * the first 200), flipped by ^0xff and by ^1, the topic is read whole and from
 * several points.  What is read must be what the sound log holds: all of it, or
 * a part and then an error of damage that names a byte; and with damage
 * skipped, all but what was told.  Prints how many readings there were; exits 1
 * at the first that is wrong, with what it was.
 *
 * Uses the public library only, in one process: a process for each reading
 * would take hours.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stream.h>

enum { MOST = 100000, HEAD = 200 };

static struct {
	struct stream_place *place;
	uint64_t sums[MOST]; /* of what each record holds; by offset */
	int64_t times[MOST];
	int64_t end;
	unsigned long readings;
	uint64_t byte; /* that is flipped, and how */
	unsigned mask;
	size_t query; /* of both lists one after another */
} run;

/* What one reading gave. */
struct seen {
	int status;
	struct stream_error err;
	int64_t first, next; /* -1: none */
	int64_t missing;     /* offsets that were told to be */
	int64_t told_next;
};

static void
die(const char *what, const struct stream_error *err)
{
	fprintf(stderr, "byte %llu ^ 0x%x, query %zu: %s%s%s\n",
	    (unsigned long long)run.byte, run.mask, run.query, what,
	    err != NULL ? ": " : "", err != NULL ? err->text : "");
	exit(1);
}

static uint64_t
add(uint64_t sum, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ p[i]) * 0x100000001b3;
	return sum;
}

static uint64_t
sum_of(const struct stream_record *record)
{
	uint64_t sum = 0xcbf29ce484222325;

	sum = add(sum, &record->offset, sizeof(record->offset));
	sum = add(sum, &record->timestamp_ms, sizeof(record->timestamp_ms));
	sum = add(sum, &record->key.size, sizeof(record->key.size));
	sum = add(sum, record->key.data, record->key.size);
	sum = add(sum, &record->value.size, sizeof(record->value.size));
	sum = add(sum, record->value.data, record->value.size);
	return add(sum, record->headers.data, record->headers.size);
}

static void
take_hole(void *context, const struct stream_hole *hole)
{
	struct seen *seen = context;
	int64_t last =
	    hole->last_offset < run.end ? hole->last_offset : run.end - 1;

	if (last >= hole->first_offset)
		seen->missing += last - hole->first_offset + 1;
}

/* Where a reading begins, and the first offset that it should give. */
struct query {
	struct stream_point from;
	int64_t first;
	unsigned flags;
};

static void
see(struct seen *seen, const struct query *query,
    const struct stream_record *record)
{
	bool skips = (query->flags & STREAM_READER_SKIP_CORRUPT) != 0;

	if (record->offset < 0 || record->offset >= run.end)
		die("an offset that there is not", NULL);
	if (run.sums[record->offset] != sum_of(record))
		die("a record that nobody wrote", NULL);
	if (seen->next >= 0 && (skips ? record->offset < seen->next
				      : record->offset != seen->next))
		die("offsets out of order", NULL);
	if (seen->first < 0)
		seen->first = record->offset;
	seen->next = record->offset + 1;
}

static int64_t
read_all(struct seen *seen, const struct query *query)
{
	struct stream_reader_options options = {
	    .range.from = query->from,
	    .flags = query->flags,
	    .hole = take_hole,
	    .hole_context = seen,
	};
	const struct stream_record *records;
	struct stream_reader *reader;
	int64_t total = 0;
	size_t count;

	*seen = (struct seen){.first = -1, .next = -1};
	run.readings++;
	seen->status =
	    stream_reader_open(run.place, &options, &reader, &seen->err);
	if (seen->status != STREAM_OK)
		return 0;
	while ((seen->status = stream_reader_read(
		    reader, &records, &count, &seen->err)) == STREAM_OK) {
		for (size_t i = 0; i < count; i++)
			see(seen, query, &records[i]);
		total += (int64_t)count;
	}
	stream_reader_close(reader);
	return total;
}

static void
check(const struct query *query)
{
	bool skips = (query->flags & STREAM_READER_SKIP_CORRUPT) != 0;
	struct seen seen;
	int64_t count = read_all(&seen, query);

	if (seen.status == STREAM_END) {
		if (skips && query->from.kind != STREAM_POINT_TIME &&
		    query->from.kind != STREAM_POINT_LAST &&
		    count + seen.missing != run.end - query->first)
			die("records missing, and nothing told", NULL);
		if (!skips &&
		    (seen.first != query->first || seen.next != run.end))
			die("not all records, and no failure", NULL);
		return;
	}
	if (skips ||
	    (seen.status != STREAM_ECORRUPT && seen.status != STREAM_ENEWER))
		die("another failure than damage", &seen.err);
	if (strstr(seen.err.text, "byte ") == NULL)
		die("no position", &seen.err);
}

/* Learn what the sound log holds. */
static void
learn(void)
{
	struct stream_reader_options options = {0};
	const struct stream_record *records;
	struct stream_reader *reader;
	struct stream_error err;
	size_t count;

	if (stream_reader_open(run.place, &options, &reader, &err) != STREAM_OK)
		die("the sound log", &err);
	while (stream_reader_read(reader, &records, &count, &err) == STREAM_OK)
		for (size_t i = 0; i < count; i++) {
			if (records[i].offset != run.end || run.end == MOST)
				die("the sound log has gaps, or is too long",
				    NULL);
			run.sums[run.end] = sum_of(&records[i]);
			run.times[run.end++] = records[i].timestamp_ms;
		}
	stream_reader_close(reader);
	if (run.end < 10)
		die("the sound log is too short", NULL);
}

static void
check_all(void)
{
	static const unsigned flags[] = {0, STREAM_READER_SKIP_CORRUPT};
	int64_t middle = run.end / 2;

	for (size_t i = 0; i < 2; i++) {
		struct query queries[] = {
		    {{STREAM_POINT_START, 0}, 0, flags[i]},
		    {{STREAM_POINT_OFFSET, middle}, middle, flags[i]},
		    {{STREAM_POINT_OFFSET, run.end - 1}, run.end - 1, flags[i]},
		    {{STREAM_POINT_LAST, 7}, run.end - 7, flags[i]},
		    {{STREAM_POINT_TIME, run.times[middle]}, middle, flags[i]},
		};

		for (size_t q = 0; q < 5; q++) {
			run.query = 5 * i + q;
			check(&queries[q]);
		}
	}
}

static void
flip_all(int fd, uint64_t size, uint64_t step)
{
	static const uint8_t masks[] = {0xff, 0x01};

	for (uint64_t at = 0; at < size; at += at < HEAD ? 1 : step)
		for (size_t i = 0; i < 2; i++) {
			uint8_t was, is;

			run.byte = at;
			run.mask = masks[i];
			if (pread(fd, &was, 1, (off_t)at) != 1)
				die("cannot read the file", NULL);
			is = was ^ masks[i];
			if (pwrite(fd, &is, 1, (off_t)at) != 1)
				die("cannot write the file", NULL);
			check_all();
			if (pwrite(fd, &was, 1, (off_t)at) != 1)
				die("cannot write the file", NULL);
		}
}

int
main(int argc, char *argv[])
{
	struct stream_address address = {0};
	struct stream_places places = {0};
	struct stream_store *store;
	struct stream_error err;
	struct stat st;
	uint64_t step = 1;
	int fd;

	for (int c; (c = getopt(argc, argv, "s:")) != -1;)
		if (c != 's' || (step = strtoull(optarg, NULL, 10)) == 0)
			return 2;
	if (argc - optind != 3)
		return 2;
	argv += optind;
	if (stream_store_open(argv[0], 0, STREAM_LOCK_TIMEOUT_MS, &store,
		&err) != STREAM_OK ||
	    stream_address_parse(argv[1], 0, &address, &err) != STREAM_OK ||
	    stream_address_resolve(&address, store, &places, &err) != STREAM_OK)
		die("cannot open", &err);
	run.place = &places.items[0];
	learn();
	fd = open(argv[2], O_RDWR);
	if (fd < 0 || fstat(fd, &st) != 0)
		die("cannot open the file", NULL);
	check_all(); /* what is sound is read */
	flip_all(fd, (uint64_t)st.st_size, step);
	printf("%lu readings\n", run.readings);
	close(fd);
	stream_places_release(&places);
	stream_address_release(&address);
	stream_store_close(store);
	return 0;
}
