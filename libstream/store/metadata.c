#include "store/metadata.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <stream/topic.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/fail.h"
#include "file/io.h"
#include "file/random.h"

static const char head[] = "version: 0\ntopic_id: ";

/* The real size is 43. */
enum { FILE_LIMIT = 4096, HEAD_SIZE = sizeof(head) - 1 };

enum { ID_LETTERS = STREAM_TOPIC_ID_SIZE - 1 };

static bool
is_id(const char *text, size_t size)
{
	if (size != ID_LETTERS)
		return false;
	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return true;
}

static int
parse(struct stream_buf *file, char *id, struct stream_error *err)
{
	const char *text = (const char *)file->data;
	size_t size = file->size;

	if (size > 0 && text[size - 1] == '\n')
		size--;
	if (size < HEAD_SIZE || memcmp(text, head, HEAD_SIZE) != 0 ||
	    !is_id(text + HEAD_SIZE, size - HEAD_SIZE))
		return stream_fail(err, STREAM_ECORRUPT, STREAM_POS_NONE,
		    "%s: not of the form that Kafka writes",
		    STREAM_METADATA_FILE);
	memcpy(id, text + HEAD_SIZE, ID_LETTERS);
	id[ID_LETTERS] = '\0';
	return STREAM_OK;
}

int
stream_metadata_load(int dirfd, char *id, struct stream_error *err)
{
	struct stream_buf file;
	int status;

	stream_buf_init(&file);
	status =
	    stream_io_load(dirfd, STREAM_METADATA_FILE, FILE_LIMIT, &file, err);
	if (status == STREAM_OK)
		status = parse(&file, id, err);
	stream_buf_release(&file);
	return status;
}

int
stream_metadata_create(int dirfd, const char *id, struct stream_error *err)
{
	char text[HEAD_SIZE + STREAM_TOPIC_ID_SIZE];
	int size = snprintf(text, sizeof(text), "%s%s", head, id);
	int fd;
	int status = stream_io_open(
	    dirfd, STREAM_METADATA_FILE, O_WRONLY | O_CREAT | O_EXCL, &fd, err);

	if (status != STREAM_OK)
		return status;
	status = stream_io_write_at(fd, text, (size_t)size, 0, NULL, err);
	close(fd);
	return status == STREAM_OK
		   ? STREAM_OK
		   : stream_fail_in(err, status, "%s", STREAM_METADATA_FILE);
}

/* base64url: two letters of the alphabet differ, and there is no padding. */
static void
put_id(const uint8_t bytes[static 16], char *id)
{
	uint8_t letters[24];

	stream_base64_put(bytes, 16, letters);
	for (int i = 0; i < ID_LETTERS; i++)
		id[i] = (char)(letters[i] == '+'   ? '-'
			       : letters[i] == '/' ? '_'
						   : letters[i]);
	id[ID_LETTERS] = '\0';
}

int
stream_metadata_new_id(char *id, struct stream_error *err)
{
	uint8_t bytes[16];

	do {
		int status = stream_random(bytes, sizeof(bytes), err);

		if (status != STREAM_OK)
			return status;
		bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
		bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
		put_id(bytes, id);
	} while (id[0] == '-');
	return STREAM_OK;
}
