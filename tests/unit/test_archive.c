/* Archives: what paths mean, the seek table, the index, and reading by it. */
#include "temp_dir.h"

#include <stream/address.h>

#include "codec/compress.h"
#include "file/io.h"
#include "port/archive_check.h"
#include "port/archive_index.h"
#include "port/archive_manifest.h"
#include "port/archive_path.h"
#include "port/archive_table.h"
#include "port/archive_write.h"
#include "port/archive_tar.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ZEROS "00000000000000000000"

/* ---- paths -------------------------------------------------------------- */

static void
a_path_means_what_its_end_says(void **state)
{
	static const struct {
		const char *path;
		enum stream_path_kind kind;
		size_t prefix;
		int32_t partition;
	} rows[] = {
	    {"a-0/" ZEROS ".log", STREAM_PATH_SEGMENT, 0, 0},
	    {"./a-0/" ZEROS ".log", STREAM_PATH_SEGMENT, 2, 0},
	    {"x/y/a-b-12/" ZEROS ".log.swap", STREAM_PATH_SEGMENT, 4, 12},
	    {"a-0/" ZEROS ".snapshot", STREAM_PATH_SEGMENT, 0, 0},
	    {"a-0/leader-epoch-checkpoint", STREAM_PATH_EPOCHS, 0, 0},
	    {"a-0/partition.metadata", STREAM_PATH_METADATA, 0, 0},
	    {"a-0/.strm-state", STREAM_PATH_OTHER, 0, 0},
	    {"a-0/" ZEROS ".lag", STREAM_PATH_OTHER, 0, 0},
	    {"a-0/0.log", STREAM_PATH_OTHER, 0, 0},
	    {"a-0/99999999999999999999.log", STREAM_PATH_OTHER, 0, 0},
	    {"a-00/" ZEROS ".log", STREAM_PATH_OTHER, 0, 0},
	    {"a/" ZEROS ".log", STREAM_PATH_OTHER, 0, 0},
	    {ZEROS ".log", STREAM_PATH_OTHER, 0, 0},
	    {"a-0", STREAM_PATH_OTHER, 0, 0},
	    {"a-0/", STREAM_PATH_OTHER, 0, 0},
	    {".strm/build/a-0/" ZEROS ".log", STREAM_PATH_OTHER, 0, 0},
	    {"x/.strm/replicate/1/a-0/" ZEROS ".log", STREAM_PATH_OTHER, 0, 0},
	    {".strm/topics/a.json", STREAM_PATH_SETTINGS, 0, 0},
	    {"x/.strm/topics/a.json", STREAM_PATH_SETTINGS, 2, 0},
	    {".strm/topics/a/b.json", STREAM_PATH_OTHER, 0, 0},
	    {"topics/a.json", STREAM_PATH_OTHER, 0, 0},
	    {"log-start-offset-checkpoint", STREAM_PATH_STARTS, 0, 0},
	    {"x/log-start-offset-checkpoint", STREAM_PATH_STARTS, 2, 0},
	    {"strm-manifest.txt", STREAM_PATH_MANIFEST, 0, 0},
	    {"strm-archive.txt", STREAM_PATH_MARK, 0, 0},
	    {"a-0/strm-manifest.txt", STREAM_PATH_OTHER, 0, 0},
	    {"", STREAM_PATH_HOSTILE, 0, 0},
	    {"/", STREAM_PATH_HOSTILE, 0, 0},
	    {"/a-0/" ZEROS ".log", STREAM_PATH_HOSTILE, 0, 0},
	    {"../a-0/" ZEROS ".log", STREAM_PATH_HOSTILE, 0, 0},
	    {"a-0/../" ZEROS ".log", STREAM_PATH_HOSTILE, 0, 0},
	    {"a-0//" ZEROS ".log", STREAM_PATH_HOSTILE, 0, 0},
	    {"..", STREAM_PATH_HOSTILE, 0, 0},
	    {"a/..", STREAM_PATH_HOSTILE, 0, 0},
	    {"a..b/..c", STREAM_PATH_OTHER, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_path parsed;
		bool honest = stream_path_parse(rows[i].path, &parsed);

		print_message("%s\n", rows[i].path);
		assert_int_equal(parsed.kind, rows[i].kind);
		assert_int_equal(honest, rows[i].kind != STREAM_PATH_HOSTILE);
		if (rows[i].kind == STREAM_PATH_OTHER || !honest)
			continue;
		assert_int_equal(parsed.prefix, rows[i].prefix);
		assert_int_equal(parsed.partition, rows[i].partition);
	}
}

static void
a_path_that_is_too_long_is_not_honest(void **state)
{
	static char path[STREAM_PATH_SIZE + 1];
	struct stream_path parsed;

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	assert_false(stream_path_parse(path, &parsed));
	path[STREAM_PATH_SIZE - 1] = '\0';
	assert_true(stream_path_parse(path, &parsed));
}

/* ---- the seek table ----------------------------------------------------- */

static int
put_file(const struct temp_dir *dir, const struct stream_buf *bytes)
{
	int fd = openat(
	    dir->fd, "file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(
	    write(fd, bytes->data, bytes->size), (ssize_t)bytes->size);
	return fd;
}

/* Pieces of sizes that follow from their number, with no bytes that matter. */
static void
make_table(size_t count, enum stream_codec codec, struct stream_table *table,
    struct stream_buf *file)
{
	*table = (struct stream_table){.entries = NULL};
	stream_buf_init(file);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(stream_table_add(table, (uint32_t)(i % 7 + 1),
				     (uint32_t)(i % 5), NULL),
		    STREAM_OK);
		assert_int_equal(
		    stream_tar_zeros(file, i % 7 + 1, NULL), STREAM_OK);
	}
	assert_int_equal(stream_table_put(table, codec, file, NULL), STREAM_OK);
}

static void
a_seek_table_reads_back(void **state)
{
	static const size_t counts[] = {5, 6, 8190, 8191, 8192, 20000};
	const enum stream_codec codecs[] = {
	    STREAM_CODEC_ZSTD, STREAM_CODEC_GZIP};

	for (size_t i = 0; i < COUNT(counts) * COUNT(codecs); i++) {
		enum stream_codec codec = codecs[i % 2], found;
		struct stream_table table, read;
		struct stream_buf file;
		int fd;

		make_table(counts[i / 2], codec, &table, &file);
		fd = put_file(*state, &file);
		assert_int_equal(
		    stream_table_load(fd, file.size, &read, &found, NULL),
		    STREAM_OK);
		assert_int_equal(found, codec);
		assert_int_equal(read.count, table.count);
		assert_memory_equal(read.entries, table.entries,
		    table.count * sizeof(*table.entries));
		/* A byte more or less, and it does not fit. */
		assert_int_equal(
		    stream_table_load(fd, file.size - 1, &read, &found, NULL),
		    STREAM_ENOENT);
		stream_table_release(&read);
		stream_table_release(&table);
		stream_buf_release(&file);
		close(fd);
	}
}

static void
a_seek_table_that_lies_is_none(void **state)
{
	const enum stream_codec codecs[] = {
	    STREAM_CODEC_ZSTD, STREAM_CODEC_GZIP};

	for (size_t i = 0; i < COUNT(codecs); i++) {
		struct stream_table table, read;
		struct stream_buf file;
		enum stream_codec found;
		size_t accepted = 0, begin;

		make_table(20, codecs[i], &table, &file);
		begin = (size_t)stream_table_packed_end(&table);
		for (size_t at = begin; at < file.size; at++) {
			int fd;

			file.data[at] ^= 0x55;
			fd = put_file(*state, &file);
			if (stream_table_load(fd, file.size, &read, &found,
				NULL) == STREAM_OK) {
				/* Sizes of content are known by reading it. */
				assert_int_equal(
				    stream_table_packed_end(&read), begin);
				stream_table_release(&read);
				accepted++;
			}
			file.data[at] ^= 0x55;
			close(fd);
		}
		assert_true(accepted < file.size - begin);
		stream_table_release(&table);
		stream_buf_release(&file);
	}
}

static void
a_byte_is_found_in_its_piece(void **state)
{
	struct stream_table table;
	struct stream_buf file;

	(void)state;
	make_table(1000, STREAM_CODEC_ZSTD, &table, &file);
	for (uint64_t at = 0; at < stream_table_end(&table); at++) {
		const struct stream_table_entry *entry =
		    &table.entries[stream_table_find(&table, at)];

		assert_true(entry->at <= at && at < entry->at + entry->size);
	}
	assert_int_equal(
	    stream_table_find(&table, stream_table_end(&table)), 1000);
	stream_table_release(&table);
	stream_buf_release(&file);
}

/* ---- the manifest ------------------------------------------------------- */

#define DIGEST "0123456789abcdef0123456789abcdef"
#define BEGIN "strm-archive 1\ncreated 5\ntopic a\n"
#define PARTITION BEGIN "partition a 0 0 20\n"
#define LOG PARTITION "file a-0/" ZEROS ".log 512 100 " DIGEST "\n"
#define SEGMENT LOG "segment 0 20 19 7\n"

static int
parse(const char *lines, struct stream_archive_list *list)
{
	struct stream_buf text;
	struct stream_error err;
	int status;

	stream_buf_init(&text);
	stream_list_init(list);
	assert_int_equal(
	    stream_buf_add(&text, lines, strlen(lines), NULL), STREAM_OK);
	assert_int_equal(stream_archive_manifest_end(&text, NULL), STREAM_OK);
	status = stream_archive_manifest_parse(
	    (struct stream_bytes){text.data, text.size}, list, &err);
	stream_buf_release(&text);
	return status;
}

static void
a_manifest_is_believed_as_far_as_it_makes_sense(void **state)
{
	static const struct {
		const char *lines;
		int status;
	} rows[] = {
	    {BEGIN, STREAM_OK}, {PARTITION, STREAM_OK},
	    {SEGMENT "block 60 0 9 5\nblock 40 12 19 7\n", STREAM_OK},
	    {SEGMENT "block 100 0 0 -1\n", STREAM_OK},
	    {"strm-archive 2\n", STREAM_ENEWER},
	    {BEGIN "invented 5\n", STREAM_ENEWER}, {"", STREAM_ECORRUPT},
	    {"created 5\n", STREAM_ECORRUPT},
	    {BEGIN "topic a/b\n", STREAM_ECORRUPT},
	    {BEGIN "topic a b\n", STREAM_ECORRUPT},
	    {BEGIN "partition b 0 0 20\n", STREAM_ECORRUPT},
	    {BEGIN "partition a -1 0 20\n", STREAM_ECORRUPT},
	    {BEGIN "partition a 0 0\n", STREAM_ECORRUPT},
	    {BEGIN "partition a 0 0 99999999999999999999\n", STREAM_ECORRUPT},
	    {PARTITION "partition a 0 0 20\n", STREAM_ECORRUPT},
	    {PARTITION "file ../a-0/x 0 0 " DIGEST "\n", STREAM_ECORRUPT},
	    {PARTITION "file a-1/" ZEROS ".log 0 0 " DIGEST "\n",
		STREAM_ECORRUPT},
	    {PARTITION "file a-0/x 0 0 0123\n", STREAM_ECORRUPT},
	    {BEGIN "file a-0/" ZEROS ".log 0 0 " DIGEST "\n", STREAM_ECORRUPT},
	    {LOG, STREAM_ECORRUPT}, {SEGMENT, STREAM_ECORRUPT},
	    {SEGMENT "block 99 0 9 5\n", STREAM_ECORRUPT},
	    {SEGMENT "block 101 0 9 5\n", STREAM_ECORRUPT},
	    {SEGMENT "block 100 0 20 5\n", STREAM_ECORRUPT},
	    {SEGMENT "block 100 9 8 5\n", STREAM_ECORRUPT},
	    {SEGMENT "block 60 0 9 5\nblock 40 9 19 7\n", STREAM_ECORRUPT},
	    {SEGMENT "block 100 0 9 5 \n", STREAM_ECORRUPT},
	    {SEGMENT "block 18446744073709551615 0 9 5\n", STREAM_ECORRUPT},
	    {LOG "segment 1 20 19 7\nblock 100 1 9 5\n", STREAM_ECORRUPT},
	    {PARTITION "segment 0 20 19 7\n", STREAM_ECORRUPT},
	    {PARTITION "block 100 0 9 5\n", STREAM_ECORRUPT},
	    {SEGMENT "block 100 0 9 5\nfile a-0/x 600 1 " DIGEST "\n",
		STREAM_ECORRUPT}, /* it would begin within the log */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_archive_list list;

		print_message("row %zu\n", i);
		assert_int_equal(parse(rows[i].lines, &list), rows[i].status);
		stream_list_release(&list);
	}
}

static void
a_manifest_that_changed_is_damaged_whatever_it_says(void **state)
{
	static const char lines[] =
	    SEGMENT "block 60 0 9 5\nblock 40 12 19 7\n";
	struct stream_archive_list list;
	struct stream_error err;
	struct stream_buf text;

	(void)state;
	stream_buf_init(&text);
	stream_list_init(&list);
	assert_int_equal(
	    stream_buf_add(&text, lines, sizeof(lines) - 1, NULL), STREAM_OK);
	assert_int_equal(stream_archive_manifest_end(&text, NULL), STREAM_OK);
	assert_int_equal(text.size, sizeof(lines) - 1 + STREAM_MANIFEST_LAST);
	for (size_t bit = 0; bit < 8 * text.size; bit++) {
		text.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		/* Nothing of it was taken. */
		assert_int_equal(
		    stream_archive_manifest_parse(
			(struct stream_bytes){text.data, text.size}, &list,
			&err),
		    STREAM_ECORRUPT);
		assert_int_equal(list.file_count + list.named_count, 0);
		assert_non_null(strstr(err.text, "strm-archive(1)"));
		text.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t size = 0; size < text.size; size++)
		assert_int_equal(
		    stream_archive_manifest_parse(
			(struct stream_bytes){text.data, size}, &list, NULL),
		    STREAM_ECORRUPT);
	assert_int_equal(
	    stream_archive_manifest_parse(
		(struct stream_bytes){text.data, text.size}, &list, NULL),
	    STREAM_OK);
	stream_list_release(&list);
	stream_buf_release(&text);
}

static void
a_manifest_lists_what_stands_in_it(void **state)
{
	const struct stream_archive_partition *partition;
	struct stream_archive_list list;

	(void)state;
	assert_int_equal(
	    parse(SEGMENT "block 60 0 9 5\nblock 40 12 19 7\n", &list),
	    STREAM_OK);
	assert_int_equal(stream_list_seal(&list, NULL), STREAM_OK);
	assert_int_equal(list.created_ms, 5);
	assert_int_equal(list.partition_count, 1);
	partition = &list.partitions[0];
	assert_string_equal(partition->topic, "a");
	assert_int_equal(partition->next_offset, 20);
	assert_int_equal(partition->segment_count, 1);
	assert_int_equal(partition->segments[0].records, 19);
	assert_int_equal(partition->segments[0].block_count, 2);
	assert_int_equal(partition->segments[0].blocks[1].position, 60);
	assert_int_equal(partition->segments[0].blocks[1].base_offset, 12);
	stream_list_release(&list);
}

/* ---- the view rule ------------------------------------------------------ */

static void
add_log(struct stream_archive_list *list, int64_t base,
    enum stream_name_state kind, int64_t last)
{
	struct stream_list_log log = {.topic = "a",
	    .state = kind,
	    .segment = {.base_offset = base, .next_offset = -1, .bytes = 1}};
	struct stream_archive_block block = {
	    .bytes = 1, .base_offset = base, .last_offset = last};

	assert_int_equal(stream_list_add_log(list, &log, NULL), STREAM_OK);
	if (last >= 0)
		assert_int_equal(
		    stream_list_add_block(list, &block, NULL), STREAM_OK);
}

static void
logs_count_by_the_view_rule(void **state)
{
	enum { P = STREAM_NAME_PLAIN, S = STREAM_NAME_SWAP };
	static const struct {
		int64_t cleaned; /* base of a .cleaned file; -1: none */
		struct {
			int64_t base;
			int kind;
			int64_t last;
		} logs[5];
		size_t count;
		const char *bases; /* that count; "s" is a swap file */
	} rows[] = {
	    {-1, {{10, P, 19}, {0, P, 9}}, 2, "0 10 "},
	    {-1, {{0, P, 9}, {10, P, 19}, {0, S, 15}, {20, P, 25}}, 4,
		"0s 20 "},
	    {-1, {{0, S, 9}, {10, S, 19}, {10, P, 19}, {20, P, 20}}, 4,
		"0s 10s 20 "},
	    {0, {{0, P, 9}, {0, S, 9}, {10, P, 12}}, 3, "0 10 "},
	    {10, {{0, S, 5}, {0, P, 5}, {10, S, 15}, {10, P, 12}}, 4, "0s 10 "},
	    {-1, {{0, S, -1}, {0, P, 9}, {10, P, 12}}, 3, "0s 10 "},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stream_archive_list list;
		struct stream_list_partition *named;
		char found[64] = "";

		stream_list_init(&list);
		for (size_t j = 0; j < rows[i].count; j++)
			add_log(&list, rows[i].logs[j].base,
			    (enum stream_name_state)rows[i].logs[j].kind,
			    rows[i].logs[j].last);
		assert_int_equal(
		    stream_list_name(&list, "a", 0, &named, NULL), STREAM_OK);
		named->cleaned_base = rows[i].cleaned;
		assert_int_equal(stream_list_seal(&list, NULL), STREAM_OK);
		for (size_t j = 0; j < list.log_count; j++)
			if (list.logs[j].counts)
				snprintf(found + strlen(found), 20, "%lld%s ",
				    (long long)list.logs[j].segment.base_offset,
				    (int)list.logs[j].state == S ? "s" : "");
		print_message("row %zu: %s\n", i, found);
		assert_string_equal(found, rows[i].bases);
		stream_list_release(&list);
	}
}

static void
logs_that_overlap_are_damage(void **state)
{
	struct stream_archive_list list;

	(void)state;
	stream_list_init(&list);
	add_log(&list, 0, STREAM_NAME_PLAIN, 12);
	add_log(&list, 10, STREAM_NAME_PLAIN, 19);
	assert_int_equal(stream_list_seal(&list, NULL), STREAM_ECORRUPT);
	stream_list_release(&list);
}

/* ---- reading by the index ----------------------------------------------- */

/* A partition that Kafka wrote, with three segments, as a place. */
static struct stream_place
golden(char *path, size_t size)
{
	snprintf(path, size, "%s/plain/topic-0", getenv("STRM_GOLDEN"));
	return (struct stream_place){.topic = (char *)"topic",
	    .store_path = path,
	    .path = path,
	    .has_gaps = true};
}

static int
write_archive(const struct temp_dir *dir, const struct stream_place *place,
    enum stream_codec codec)
{
	struct stream_archive_part part = {.place = place, .to = INT64_MAX};
	struct stream_archive_write_options how = {.codec = codec,
	    .level = codec == STREAM_CODEC_NONE ? 0 : 3,
	    .threads = 2,
	    .now_ms = 5};
	struct stream_error err;
	uint64_t bytes;
	int fd = openat(
	    dir->fd, "archive", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int status = stream_archive_write(&part, 1, &how, fd, &bytes, &err);

	if (status != STREAM_OK)
		fail_msg("%s", err.text);
	assert_int_equal(part.segments, 2);
	assert_int_equal(bytes, lseek(fd, 0, SEEK_END));
	stream_archive_part_release(&part);
	return fd;
}

/* Every block of every segment is what stands in the log. */
static void
check_blocks(struct stream_archive *archive, const char *path, bool backwards)
{
	const struct stream_archive_partition *partition =
	    stream_archive_partition(archive, 0);
	struct stream_buf block, log;
	struct stream_error err;
	int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	stream_buf_init(&block);
	stream_buf_init(&log);
	assert_int_equal(stream_archive_partition_count(archive), 1);
	for (size_t n = 0; n < partition->segment_count; n++) {
		const struct stream_archive_segment *segment =
		    &partition
			 ->segments[backwards ? partition->segment_count - 1 - n
					      : n];
		char name[STREAM_NAME_SIZE];
		uint64_t total = 0;

		stream_name_put_plain(
		    segment->base_offset, STREAM_NAME_LOG, name);
		log.size = 0;
		assert_int_equal(
		    stream_io_load(dirfd, name, 1 << 30, &log, NULL),
		    STREAM_OK);
		for (size_t i = 0; i < segment->block_count; i++) {
			block.size = 0;
			if (stream_archive_read_block(archive, segment,
				&segment->blocks[i], &block, &err) != STREAM_OK)
				fail_msg("%s", err.text);
			assert_int_equal(block.size, segment->blocks[i].bytes);
			assert_memory_equal(block.data,
			    log.data + segment->blocks[i].position, block.size);
			total += block.size;
		}
		assert_int_equal(total, log.size);
	}
	block.size = 0;
	assert_int_equal(
	    stream_archive_read_file(
		archive, "topic-0/leader-epoch-checkpoint", 1000, &block, NULL),
	    STREAM_OK);
	assert_memory_equal(block.data, "0\n", 2);
	assert_int_equal(stream_archive_read_file(
			     archive, "topic-0/nothing", 9, &block, NULL),
	    STREAM_ENOENT);
	close(dirfd);
	stream_buf_release(&block);
	stream_buf_release(&log);
}

static void
blocks_are_read_by_the_index(void **state)
{
	const enum stream_codec codecs[] = {
	    STREAM_CODEC_NONE, STREAM_CODEC_ZSTD, STREAM_CODEC_GZIP};
	char path[512];
	struct stream_place place = golden(path, sizeof(path));

	for (size_t i = 0; i < COUNT(codecs); i++) {
		int fd = write_archive(*state, &place, codecs[i]);
		struct stream_archive *archive;
		struct stream_error err;

		assert_true(stream_archive_is_one(fd));
		if (stream_archive_open(fd, "archive", NULL, &archive, &err) !=
		    STREAM_OK)
			fail_msg("%s", err.text);
		assert_false(stream_archive_is_foreign(archive));
		assert_int_equal(stream_archive_created_ms(archive), 5);
		check_blocks(archive, path, false);
		check_blocks(archive, path, true);
		stream_archive_close(archive);
		close(fd);
	}
}

/* As one compressed piece, without a table. */
static int
pack_anew(const struct temp_dir *dir, int fd)
{
	struct stream_buf plain, packed;
	struct stream_compressor *compressor;
	int made;

	stream_buf_init(&plain);
	stream_buf_init(&packed);
	assert_int_equal(
	    stream_io_load(dir->fd, "archive", 1 << 30, &plain, NULL),
	    STREAM_OK);
	assert_int_equal(
	    stream_compressor_new(STREAM_CODEC_GZIP, 1, &compressor, NULL),
	    STREAM_OK);
	assert_int_equal(
	    stream_compress(compressor,
		(struct stream_bytes){plain.data, plain.size}, &packed, NULL),
	    STREAM_OK);
	made = put_file(dir, &packed);
	stream_compressor_free(compressor);
	stream_buf_release(&plain);
	stream_buf_release(&packed);
	close(fd);
	return made;
}

static void
without_a_table_it_is_read_from_the_front(void **state)
{
	char path[512];
	struct stream_place place = golden(path, sizeof(path));
	int fd =
	    pack_anew(*state, write_archive(*state, &place, STREAM_CODEC_NONE));
	struct stream_archive *archive;
	struct stream_error err;

	if (stream_archive_open(fd, "archive", NULL, &archive, &err) !=
	    STREAM_OK)
		fail_msg("%s", err.text);
	assert_true(stream_archive_is_foreign(archive));
	check_blocks(archive, path, false);
	check_blocks(archive, path, true);
	stream_archive_close(archive);
	close(fd);
}

static bool
stop(void *context, uint64_t bytes)
{
	uint64_t *read = context;

	*read += bytes;
	return false;
}

static void
reading_stops_when_it_is_told_to(void **state)
{
	uint64_t read = 0;
	struct stream_archive_options how = {.go_on = stop, .context = &read};
	char path[512];
	struct stream_place place = golden(path, sizeof(path));
	struct stream_archive_checked checked;
	struct stream_error err;
	int fd = write_archive(*state, &place, STREAM_CODEC_ZSTD);

	lseek(fd, 0, SEEK_SET);
	assert_int_equal(
	    stream_archive_check(fd, "archive", &how, &checked, &err),
	    STREAM_EINTR);
	assert_true(read > 0);
	close(fd);
}

/* Each bit of every hundredth byte, and every cut: never a crash, and what is
 * taken has the digests of what was written. */
static void
damage_is_told_or_harmless(void **state)
{
	char path[512];
	struct stream_place place = golden(path, sizeof(path));
	const struct temp_dir *dir = *state;
	struct stream_archive_checked checked;
	struct stream_buf bytes;
	int fd = write_archive(dir, &place, STREAM_CODEC_ZSTD);

	stream_buf_init(&bytes);
	assert_int_equal(
	    stream_io_load(dir->fd, "archive", 1 << 30, &bytes, NULL),
	    STREAM_OK);
	close(fd);
	for (size_t at = 0; at < bytes.size; at += 997) {
		size_t whole = bytes.size;

		bytes.data[at] ^= (uint8_t)(1 << at % 8);
		fd = put_file(dir, &bytes);
		lseek(fd, 0, SEEK_SET);
		if (stream_archive_check(fd, "archive", NULL, &checked, NULL) ==
		    STREAM_OK)
			assert_int_equal(checked.records, 8160);
		close(fd);
		bytes.data[at] ^= (uint8_t)(1 << at % 8);
		bytes.size = at;
		fd = put_file(dir, &bytes);
		lseek(fd, 0, SEEK_SET);
		assert_int_not_equal(
		    stream_archive_check(fd, "archive", NULL, &checked, NULL),
		    STREAM_OK);
		close(fd);
		bytes.size = whole;
	}
	stream_buf_release(&bytes);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, temp_dir_set_up, temp_dir_tear_down)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_path_means_what_its_end_says),
	    cmocka_unit_test(a_path_that_is_too_long_is_not_honest),
	    TEST(a_seek_table_reads_back),
	    TEST(a_seek_table_that_lies_is_none),
	    cmocka_unit_test(a_byte_is_found_in_its_piece),
	    cmocka_unit_test(a_manifest_is_believed_as_far_as_it_makes_sense),
	    cmocka_unit_test(
		a_manifest_that_changed_is_damaged_whatever_it_says),
	    cmocka_unit_test(a_manifest_lists_what_stands_in_it),
	    cmocka_unit_test(logs_count_by_the_view_rule),
	    cmocka_unit_test(logs_that_overlap_are_damage),
	    TEST(blocks_are_read_by_the_index),
	    TEST(without_a_table_it_is_read_from_the_front),
	    TEST(reading_stops_when_it_is_told_to),
	    TEST(damage_is_told_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
