#include "port/archive_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "file/io.h"

enum {
	ENTRY = 8,

	ZSTD_SKIPPABLE = 0x184D2A5E,
	ZSTD_HEADER = 8,
	ZSTD_FOOTER = 9,

	/* An empty gzip member with one subfield in its extra field. */
	GZIP_HEAD = 16, /* with the subfield's name and size */
	GZIP_TAIL = 10, /* an empty deflate block, CRC, size */
	GZIP_END = 16,  /* bytes of the subfield SE */
	GZIP_LAST = GZIP_HEAD + GZIP_END + GZIP_TAIL,
	GZIP_CHUNK = 65528 / ENTRY * ENTRY /* the most of a subfield ST */
};

static const uint32_t zstd_seekable = 0x8F92EAB1;

void
stream_table_release(struct stream_table *table)
{
	free(table->entries);
	*table = (struct stream_table){.entries = NULL};
}

uint64_t
stream_table_packed_end(const struct stream_table *table)
{
	const struct stream_table_entry *last;

	if (table->count == 0)
		return 0;
	last = &table->entries[table->count - 1];
	return last->packed_at + last->packed;
}

uint64_t
stream_table_end(const struct stream_table *table)
{
	const struct stream_table_entry *last;

	if (table->count == 0)
		return 0;
	last = &table->entries[table->count - 1];
	return last->at + last->size;
}

int
stream_table_add(struct stream_table *table, uint32_t packed, uint32_t size,
    struct stream_error *err)
{
	if (table->count == table->capacity) {
		size_t capacity = table->capacity * 2 + 64;
		void *grown = reallocarray(
		    table->entries, capacity, sizeof(*table->entries));

		if (grown == NULL)
			return stream_fail_memory(err);
		table->entries = grown;
		table->capacity = capacity;
	}
	table->entries[table->count] = (struct stream_table_entry){
	    .packed_at = stream_table_packed_end(table),
	    .at = stream_table_end(table),
	    .packed = packed,
	    .size = size,
	};
	table->count++;
	return STREAM_OK;
}

size_t
stream_table_find(const struct stream_table *table, uint64_t at)
{
	size_t low = 0, high = table->count;

	if (at >= stream_table_end(table))
		return table->count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (table->entries[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* ---- written ------------------------------------------------------------ */

/* zstd and gzip are little-endian. */
static void
store(uint8_t *to, uint64_t value, int n)
{
	for (int i = 0; i < n; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t
load(const uint8_t *from, int n)
{
	uint64_t value = 0;

	for (int i = n; i-- > 0;)
		value = value << 8 | from[i];
	return value;
}

static void
put_entries(
    const struct stream_table *table, size_t first, size_t count, uint8_t *to)
{
	for (size_t i = 0; i < count; i++) {
		const struct stream_table_entry *entry =
		    &table->entries[first + i];

		store(to + i * ENTRY, entry->packed, 4);
		store(to + i * ENTRY + 4, entry->size, 4);
	}
}

static void
put_zstd(const struct stream_table *table, uint8_t *to)
{
	size_t entries = table->count * ENTRY;
	uint8_t *footer = to + ZSTD_HEADER + entries;

	store(to, ZSTD_SKIPPABLE, 4);
	store(to + 4, entries + ZSTD_FOOTER, 4);
	put_entries(table, 0, table->count, to + ZSTD_HEADER);
	store(footer, table->count, 4);
	footer[4] = 0; /* no checksums */
	store(footer + 5, zstd_seekable, 4);
}

/* A gzip member with nothing in it but a subfield of n bytes, which are
 * returned to be filled. */
static uint8_t *
put_member(uint8_t *to, char name, size_t n)
{
	static const uint8_t head[10] = {0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff};
	uint8_t *tail = to + GZIP_HEAD + n;

	memcpy(to, head, sizeof(head));
	store(to + 10, n + 4, 2);
	to[12] = 'S';
	to[13] = (uint8_t)name;
	store(to + 14, n, 2);
	memset(tail, 0, GZIP_TAIL);
	tail[0] = 3;
	return to + GZIP_HEAD;
}

static size_t
gzip_members(size_t count)
{
	return (count * ENTRY + GZIP_CHUNK - 1) / GZIP_CHUNK;
}

static size_t
gzip_size(size_t count)
{
	return gzip_members(count) * (GZIP_HEAD + GZIP_TAIL) + count * ENTRY +
	       GZIP_LAST;
}

static void
put_gzip(const struct stream_table *table, uint8_t *to)
{
	enum { MOST = GZIP_CHUNK / ENTRY };
	uint8_t *last;

	for (size_t at = 0; at < table->count; at += MOST) {
		size_t left = table->count - at;
		size_t count = left < MOST ? left : MOST;

		put_entries(
		    table, at, count, put_member(to, 'T', count * ENTRY));
		to += GZIP_HEAD + count * ENTRY + GZIP_TAIL;
	}
	last = put_member(to, 'E', GZIP_END);
	store(last, stream_table_packed_end(table), 8);
	store(last + 8, table->count, 4);
	store(last + 12, gzip_members(table->count), 4);
}

int
stream_table_put(const struct stream_table *table, enum stream_codec codec,
    struct stream_buf *out, struct stream_error *err)
{
	bool gzip = codec == STREAM_CODEC_GZIP;
	size_t size = gzip ? gzip_size(table->count)
			   : ZSTD_HEADER + table->count * ENTRY + ZSTD_FOOTER;
	int status = stream_buf_reserve(out, size, err);

	if (status != STREAM_OK)
		return status;
	if (gzip)
		put_gzip(table, out->data + out->size);
	else
		put_zstd(table, out->data + out->size);
	out->size += size;
	return STREAM_OK;
}

/* ---- read --------------------------------------------------------------- */

static int
none(struct stream_error *err)
{
	return stream_fail(
	    err, STREAM_ENOENT, STREAM_POS_NONE, "no seek table that fits");
}

static int
read_all(int fd, uint64_t at, size_t n, struct stream_buf *out,
    struct stream_error *err)
{
	size_t got;
	int status = stream_buf_reserve(out, n, err);

	if (status == STREAM_OK)
		status = stream_io_read_at(
		    fd, out->data + out->size, n, at, &got, err);
	if (status != STREAM_OK)
		return status;
	if (got != n)
		return none(err);
	out->size += n;
	return STREAM_OK;
}

static int
take_entries(struct stream_table *table, const uint8_t *from, size_t count,
    struct stream_error *err)
{
	int status = STREAM_OK;

	for (size_t i = 0; i < count && status == STREAM_OK; i++) {
		uint32_t packed = (uint32_t)load(from + i * ENTRY, 4);
		uint32_t size = (uint32_t)load(from + i * ENTRY + 4, 4);

		if (packed == 0 || packed > STREAM_PIECE_MOST ||
		    size > STREAM_PIECE_MOST)
			return none(err);
		status = stream_table_add(table, packed, size, err);
	}
	return status;
}

/* The number of entries is believed as far as the file has room for them. */
static int
load_zstd(int fd, uint64_t size, const uint8_t *footer,
    struct stream_table *table, struct stream_error *err)
{
	uint64_t count = load(footer, 4);
	uint64_t whole = ZSTD_HEADER + count * ENTRY + ZSTD_FOOTER;
	struct stream_buf bytes;
	int status;

	if (footer[4] != 0 || whole > size)
		return none(err);
	stream_buf_init(&bytes);
	status = read_all(fd, size - whole, (size_t)whole, &bytes, err);
	if (status == STREAM_OK &&
	    (load(bytes.data, 4) != ZSTD_SKIPPABLE ||
		load(bytes.data + 4, 4) != whole - ZSTD_HEADER))
		status = none(err);
	if (status == STREAM_OK)
		status = take_entries(
		    table, bytes.data + ZSTD_HEADER, (size_t)count, err);
	if (status == STREAM_OK &&
	    stream_table_packed_end(table) != size - whole)
		status = none(err);
	stream_buf_release(&bytes);
	return status;
}

/* The subfield NAME of n bytes that a member begins with? */
static bool
is_member(const uint8_t *at, char name, size_t n)
{
	return at[0] == 0x1f && at[1] == 0x8b && at[2] == 8 && at[3] == 4 &&
	       load(at + 10, 2) == n + 4 && at[12] == 'S' && at[13] == name &&
	       load(at + 14, 2) == n;
}

static int
take_gzip(struct stream_table *table, const struct stream_buf *bytes,
    size_t count, struct stream_error *err)
{
	const uint8_t *at = bytes->data;
	int status = STREAM_OK;

	while (count > 0 && status == STREAM_OK) {
		size_t n =
		    count < GZIP_CHUNK / ENTRY ? count : GZIP_CHUNK / ENTRY;

		if (!is_member(at, 'T', n * ENTRY))
			return none(err);
		status = take_entries(table, at + GZIP_HEAD, n, err);
		at += GZIP_HEAD + n * ENTRY + GZIP_TAIL;
		count -= n;
	}
	return status;
}

static int
load_gzip(int fd, uint64_t size, const uint8_t *last,
    struct stream_table *table, struct stream_error *err)
{
	const uint8_t *end = last + GZIP_HEAD;
	uint64_t at = load(end, 8);
	size_t count = (size_t)load(end + 8, 4);
	size_t whole = gzip_size(count);
	struct stream_buf bytes;
	int status;

	if (load(end + 12, 4) != gzip_members(count) || whole > size ||
	    at != size - whole)
		return none(err);
	stream_buf_init(&bytes);
	status = read_all(fd, at, whole, &bytes, err);
	if (status == STREAM_OK)
		status = take_gzip(table, &bytes, count, err);
	if (status == STREAM_OK && stream_table_packed_end(table) != at)
		status = none(err);
	stream_buf_release(&bytes);
	return status;
}

int
stream_table_load(int fd, uint64_t size, struct stream_table *table,
    enum stream_codec *codec, struct stream_error *err)
{
	struct stream_table loaded = {.entries = NULL};
	uint8_t last[GZIP_LAST];
	size_t got;
	int status;

	if (size < sizeof(last))
		return none(err);
	status = stream_io_read_at(
	    fd, last, sizeof(last), size - sizeof(last), &got, err);
	if (status != STREAM_OK)
		return status;
	if (got == sizeof(last) &&
	    load(last + sizeof(last) - 4, 4) == zstd_seekable) {
		status = load_zstd(
		    fd, size, last + sizeof(last) - ZSTD_FOOTER, &loaded, err);
		*codec = STREAM_CODEC_ZSTD;
	} else if (got == sizeof(last) && is_member(last, 'E', GZIP_END)) {
		status = load_gzip(fd, size, last, &loaded, err);
		*codec = STREAM_CODEC_GZIP;
	} else {
		status = none(err);
	}
	if (status == STREAM_OK)
		*table = loaded;
	else
		stream_table_release(&loaded);
	return status;
}
