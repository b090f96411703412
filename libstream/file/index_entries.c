#include "file/index_entries.h"

#include <fcntl.h>
#include <unistd.h>

#include "file/io.h"

/* Bytes that are read at once. */
enum { BLOCK = 64 << 10 };

void
stream_entries_init(struct stream_entries *walk)
{
	*walk = (struct stream_entries){.fd = -1};
	stream_buf_init(&walk->block);
}

void
stream_entries_close(struct stream_entries *walk)
{
	if (walk->fd >= 0)
		close(walk->fd);
	stream_buf_release(&walk->block);
	stream_entries_init(walk);
}

/* Read up to n bytes at a byte to the block. */
static int
read_block(struct stream_entries *walk, uint64_t at, size_t n,
    struct stream_error *err)
{
	int status;

	walk->block.size = 0;
	status = stream_buf_reserve(&walk->block, BLOCK, err);
	if (status != STREAM_OK)
		return status;
	return stream_io_read_at(
	    walk->fd, walk->block.data, n, at, &walk->block.size, err);
}

/* A broker makes its indexes 10 MiB long at once.  The entries in use end with
 * the last byte that is not zero: no entry in use is all zeros. */
static int
count_used(struct stream_entries *walk, struct stream_error *err)
{
	uint64_t end = walk->size - walk->size % walk->entry;

	walk->count = 0;
	while (end > 0) {
		size_t n = end < BLOCK ? (size_t)end : BLOCK;
		int status = read_block(walk, end - n, n, err);

		if (status != STREAM_OK)
			return status;
		for (size_t i = walk->block.size; i > 0; i--)
			if (walk->block.data[i - 1] != 0) {
				walk->count =
				    (end - n + i - 1) / walk->entry + 1;
				return STREAM_OK;
			}
		end -= n;
	}
	return STREAM_OK;
}

int
stream_entries_refresh(struct stream_entries *walk, struct stream_error *err)
{
	int status = stream_io_size(walk->fd, &walk->size, err);

	if (status == STREAM_OK)
		status = count_used(walk, err);
	walk->block.size = 0;
	return status;
}

int
stream_entries_open(struct stream_entries *walk, int dirfd, const char *name,
    size_t entry, struct stream_error *err)
{
	int status;

	stream_entries_close(walk);
	status = stream_io_open(dirfd, name, O_RDONLY, &walk->fd, err);
	if (status != STREAM_OK)
		return status;
	walk->entry = entry;
	status = stream_entries_refresh(walk, err);
	if (status != STREAM_OK)
		stream_entries_close(walk);
	return status;
}

int
stream_entries_peek(struct stream_entries *walk, const uint8_t **entry,
    struct stream_error *err)
{
	uint64_t in_memory = walk->block.size / walk->entry;

	if (walk->next >= walk->count)
		return STREAM_END;
	if (walk->next < walk->first || walk->next >= walk->first + in_memory) {
		uint64_t left = (walk->count - walk->next) * walk->entry;
		size_t most = BLOCK - BLOCK % walk->entry;
		int status = read_block(walk, walk->next * walk->entry,
		    left < most ? (size_t)left : most, err);

		if (status != STREAM_OK)
			return status;
		walk->first = walk->next;
		if (walk->block.size < walk->entry)
			return STREAM_END; /* cut since it was opened */
	}
	*entry = walk->block.data + (walk->next - walk->first) * walk->entry;
	return STREAM_OK;
}
