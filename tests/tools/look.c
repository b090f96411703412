/*
 * look - what do partitions hold, and are they sound?
 *
 *	look <QUERIES >ANSWERS
 *
 * A query is a line "STORE TOPIC:PARTITION".  The answer is lines:
 *	record OFFSET TIMESTAMP KEY VALUE HEADERS	in hex, "-" is null
 *	seek OFFSET GOT		the first record of a reading from OFFSET on,
 *				for a few of those above; -1: none
 *	end STATUS MESSAGE	why reading stopped, by enum stream_status
 *	found SEVERITY KIND FILE: MESSAGE	by verify; 1 is damage
 *	log START END		its offsets, if it could be verified
 *	done
 *
 * One process for many, since fault tests look at ten thousands of stores.
 * Uses the public library only, reads, and writes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stream.h>

enum { MOST = 100000, SEEKS = 5 };

static struct {
	int64_t offsets[MOST];
	size_t count;
} seen;

static void
put_hex(struct stream_bytes bytes)
{
	if (bytes.data == NULL) {
		fputs(" -", stdout);
		return;
	}
	fputc(' ', stdout);
	for (size_t i = 0; i < bytes.size; i++)
		printf("%02x", bytes.data[i]);
}

static void
put_record(const struct stream_record *record)
{
	if (seen.count == MOST) {
		fputs("look: too many records\n", stderr);
		exit(1);
	}
	seen.offsets[seen.count++] = record->offset;
	printf("record %lld %lld", (long long)record->offset,
	    (long long)record->timestamp_ms);
	put_hex(record->key);
	put_hex(record->value);
	put_hex(record->headers);
	fputc('\n', stdout);
}

static void
read_all(const struct stream_place *place)
{
	const struct stream_record *records;
	struct stream_reader *reader;
	struct stream_error err;
	size_t count;
	int status = stream_reader_open(place, NULL, &reader, &err);

	if (status == STREAM_OK) {
		while ((status = stream_reader_read(
			    reader, &records, &count, &err)) == STREAM_OK)
			for (size_t i = 0; i < count; i++)
				put_record(&records[i]);
		stream_reader_close(reader);
	}
	printf("end %d %s\n", status, status == STREAM_END ? "" : err.text);
}

static int64_t
first_from(const struct stream_place *place, int64_t offset)
{
	struct stream_reader_options options = {
	    .range.from = {STREAM_POINT_OFFSET, offset},
	};
	const struct stream_record *records;
	struct stream_reader *reader;
	int64_t first = -1;
	size_t count;

	if (stream_reader_open(place, &options, &reader, NULL) != STREAM_OK)
		return -1;
	if (stream_reader_read(reader, &records, &count, NULL) == STREAM_OK)
		first = records[0].offset;
	stream_reader_close(reader);
	return first;
}

static void
seek_some(const struct stream_place *place)
{
	for (size_t i = 0; i < SEEKS && seen.count > 0; i++) {
		int64_t offset =
		    seen.offsets[i * (seen.count - 1) / (SEEKS - 1)];

		printf("seek %lld %lld\n", (long long)offset,
		    (long long)first_from(place, offset));
	}
}

static void
found(void *context, const struct stream_verify_finding *finding)
{
	(void)context;
	printf("found %d %s %s: %s\n", (int)finding->severity,
	    stream_verify_kind_name(finding->kind),
	    finding->file != NULL ? finding->file : ".", finding->message);
}

static void
verify(const struct stream_place *place)
{
	struct stream_verify_options options = {.found = found};
	struct stream_verify_summary sum;
	struct stream_error err;

	if (stream_verify(place, &options, &sum, &err) == STREAM_OK)
		printf("log %lld %lld\n", (long long)sum.log_start_offset,
		    (long long)sum.log_end_offset);
	else
		printf("found 1 failed .: %s\n", err.text);
}

static void
look(const char *path, const char *name)
{
	struct stream_address address = {0};
	struct stream_places places = {0};
	struct stream_store *store = NULL;
	struct stream_error err;
	int status;

	seen.count = 0;
	status = stream_store_open(path, 0, 0, &store, &err);
	if (status == STREAM_OK)
		status = stream_address_parse(name, 0, &address, &err);
	if (status == STREAM_OK)
		status = stream_address_resolve(&address, store, &places, &err);
	if (status == STREAM_OK) {
		read_all(&places.items[0]);
		seek_some(&places.items[0]);
		verify(&places.items[0]);
	} else {
		printf("end %d %s\n", status, err.text);
	}
	stream_places_release(&places);
	stream_address_release(&address);
	stream_store_close(store);
	puts("done");
	fflush(stdout);
}

int
main(void)
{
	char line[8192];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		const char *path = strtok(line, " \n");
		const char *name = strtok(NULL, " \n");

		if (name == NULL)
			return 2;
		look(path, name);
	}
	return 0;
}
