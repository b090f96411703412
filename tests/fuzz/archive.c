/* archive.c - an archive, foreign or with an index that may lie */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "port/archive_check.h"
#include "port/archive_index.h"
#include "port/archive_manifest.h"
#include "port/archive_tar.h"

enum { UNPACKED = 8 << 20 };

static const struct stream_archive_options options = {
    .max_bytes = UNPACKED,
    .max_batch_bytes = FUZZ_LIMIT,
};

static bool
is_verdict(int status)
{
	return status == STREAM_OK || status == STREAM_ECORRUPT ||
	       status == STREAM_ENEWER || status == STREAM_ENOENT;
}

/* Each block has the size that was said, or is damaged. */
static void
read_blocks(struct stream_archive *archive,
    const struct stream_archive_partition *partition)
{
	struct stream_buf bytes;

	stream_buf_init(&bytes);
	for (size_t i = 0; i < partition->segment_count; i++) {
		const struct stream_archive_segment *segment =
		    &partition->segments[i];

		FUZZ_CHECK(segment->next_offset >= segment->base_offset);
		for (size_t j = 0; j < segment->block_count; j++) {
			const struct stream_archive_block *block =
			    &segment->blocks[j];
			int status;

			FUZZ_CHECK(block->base_offset <= block->last_offset);
			bytes.size = 0;
			status = stream_archive_read_block(
			    archive, segment, block, &bytes, NULL);
			FUZZ_CHECK(is_verdict(status));
			FUZZ_CHECK(
			    status != STREAM_OK || bytes.size == block->bytes);
		}
	}
	stream_buf_release(&bytes);
}

static void
run_archive(const uint8_t *data, size_t size)
{
	struct stream_archive_checked checked;
	struct stream_archive *archive;
	size_t segments = 0;
	int fd, checks, opens;

	fuzz_put_file("archive", data, size);
	fd = openat(fuzz_directory(), "archive", O_RDONLY | O_CLOEXEC);
	FUZZ_CHECK(fd >= 0);
	stream_archive_is_one(fd);
	checks = stream_archive_check(fd, "archive", &options, &checked, NULL);
	FUZZ_CHECK(is_verdict(checks));
	opens = stream_archive_open(fd, "archive", &options, &archive, NULL);
	FUZZ_CHECK(is_verdict(opens));
	/* What is whole can be read. */
	FUZZ_CHECK(checks != STREAM_OK || opens == STREAM_OK);
	if (opens == STREAM_OK) {
		for (size_t i = 0; i < stream_archive_partition_count(archive);
		     i++) {
			const struct stream_archive_partition *partition =
			    stream_archive_partition(archive, i);

			segments += partition->segment_count;
			read_blocks(archive, partition);
		}
		FUZZ_CHECK(checks != STREAM_OK || segments == checked.segments);
		stream_archive_close(archive);
	}
	close(fd);
}

/* ---- mutations ---------------------------------------------------------- */

enum { SIZE_AT = 124, SUM_AT = 148, MAGIC_AT = 257 };

static uint64_t
size_of(const uint8_t *block)
{
	uint64_t size = 0;

	for (int i = 0;
	     i < 11 && block[SIZE_AT + i] >= '0' && block[SIZE_AT + i] <= '7';
	     i++)
		size = size * 8 + (uint64_t)(block[SIZE_AT + i] - '0');
	return size;
}

/* Put right the last line of a manifest whose header this is. */
static void
seal_manifest(uint8_t *header, uint64_t content)
{
	struct stream_buf text;
	uint8_t *at = header + STREAM_TAR_BLOCK;

	if (strcmp((char *)header, STREAM_MANIFEST_FILE) != 0 ||
	    content < STREAM_MANIFEST_LAST)
		return;
	content -= STREAM_MANIFEST_LAST;
	stream_buf_init(&text);
	if (stream_buf_add(&text, at, (size_t)content, NULL) == STREAM_OK &&
	    stream_archive_manifest_end(&text, NULL) == STREAM_OK)
		memcpy(at, text.data, text.size);
	stream_buf_release(&text);
}

/* Put right the checksums of headers and the digest of the manifest, so that
 * what they say is looked at. */
static void
seal_headers(uint8_t *data, size_t size)
{
	size_t at = 0;

	while (size - at >= STREAM_TAR_BLOCK) {
		uint8_t *block = data + at;
		uint64_t content = size_of(block);
		unsigned sum = 0;

		if (memcmp(block + MAGIC_AT, "ustar", 5) != 0)
			return;
		memset(block + SUM_AT, ' ', 8);
		for (int i = 0; i < STREAM_TAR_BLOCK; i++)
			sum += block[i];
		for (int i = 5; i >= 0; i--, sum /= 8)
			block[SUM_AT + i] = (uint8_t)('0' + sum % 8);
		block[SUM_AT + 6] = 0;
		if (content > size - at - STREAM_TAR_BLOCK)
			return;
		seal_manifest(block, content);
		at += STREAM_TAR_BLOCK +
		      (size_t)(content + stream_tar_padding(content));
		if (at > size)
			return;
	}
}

static size_t
mutate_archive(uint8_t *data, size_t size, size_t most, uint32_t seed)
{
	size = LLVMFuzzerMutate(data, size, most);
	if (seed % 8 != 0)
		seal_headers(data, size);
	return size;
}

const struct fuzz_target fuzz_target_archive = {
    "archive", run_archive, mutate_archive};
