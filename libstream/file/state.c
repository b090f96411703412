#include "file/state.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fail.h"
#include "codec/crc32c.h"
#include "file/bell.h"
#include "file/io.h"

/* SPEC section 7.1. */
enum {
	VERSION = 1,
	SLOT_USED = 148,
	SLOT_STRIDE = STREAM_STATE_STRIDE,
	CHECKSUM_AT = 144,
	BELL_SIZE = 4,
	/* A slot is half written for well under a microsecond. */
	READ_TRIES = 100
};

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The kernel gives a UUID in text, such as 7c0f...-...: its 32 digits. */
static void
read_boot_id(uint8_t id[static 16])
{
	char text[64] = {0};
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	size_t digits = 0;

	memset(id, 0, 16);
	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0)
		for (const char *p = text; *p != '\0' && digits < 32; p++)
			if (hex_digit(*p) >= 0) {
				id[digits / 2] = (uint8_t)(id[digits / 2] << 4 |
							   hex_digit(*p));
				digits++;
			}
	close(fd);
}

int
stream_state_identify(
    int fd, struct stream_state_identity *identity, struct stream_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return stream_fail_sys(
		    err, "%s: cannot stat", STREAM_STATE_NAME);
	read_boot_id(identity->boot_id);
	identity->device = st.st_dev;
	identity->inode = st.st_ino;
	return STREAM_OK;
}

static bool
is_slot(const uint8_t *slot)
{
	return memcmp(slot, "STRM", 4) == 0 &&
	       stream_load16(slot + 4) == VERSION &&
	       stream_load32(slot + CHECKSUM_AT) ==
		   stream_crc32c(slot, CHECKSUM_AT);
}

/* A slot of another file counts no more than a torn one: in a copy it would
 * otherwise hide what is written here, until its sequence is reached. */
static bool
is_whole(const uint8_t *slot, const struct stream_state_identity *identity)
{
	return is_slot(slot) && stream_load64(slot + 32) == identity->device &&
	       stream_load64(slot + 40) == identity->inode;
}

static void
load(const uint8_t *p, struct stream_state *state)
{
	*state = (struct stream_state){
	    .marks = stream_load16(p + 6),
	    .sequence = stream_load64(p + 8),
	    .device = stream_load64(p + 32),
	    .inode = stream_load64(p + 40),
	    .active_base = (int64_t)stream_load64(p + 48),
	    .end = stream_load64(p + 56),
	    .last_position = (int64_t)stream_load64(p + 64),
	    .next_offset = (int64_t)stream_load64(p + 72),
	    .durable_end = stream_load64(p + 80),
	    .leader_epoch = (int32_t)stream_load32(p + 88),
	    .max_timestamp_ms = (int64_t)stream_load64(p + 96),
	    .max_timestamp_offset = (int64_t)stream_load64(p + 104),
	    .takebacks = stream_load64(p + 112),
	    .takeback_base = (int64_t)stream_load64(p + 120),
	    .takeback_end = stream_load64(p + 128),
	    .structure = stream_load64(p + 136),
	};
	memcpy(state->boot_id, p + 16, 16);
}

static void
store(const struct stream_state *state, uint8_t *p)
{
	memset(p, 0, SLOT_USED);
	memcpy(p, "STRM", 4);
	stream_store16(p + 4, VERSION);
	stream_store16(p + 6, state->marks);
	stream_store64(p + 8, state->sequence);
	memcpy(p + 16, state->boot_id, 16);
	stream_store64(p + 32, state->device);
	stream_store64(p + 40, state->inode);
	stream_store64(p + 48, (uint64_t)state->active_base);
	stream_store64(p + 56, state->end);
	stream_store64(p + 64, (uint64_t)state->last_position);
	stream_store64(p + 72, (uint64_t)state->next_offset);
	stream_store64(p + 80, state->durable_end);
	stream_store32(p + 88, (uint32_t)state->leader_epoch);
	stream_store64(p + 96, (uint64_t)state->max_timestamp_ms);
	stream_store64(p + 104, (uint64_t)state->max_timestamp_offset);
	stream_store64(p + 112, state->takebacks);
	stream_store64(p + 120, (uint64_t)state->takeback_base);
	stream_store64(p + 128, state->takeback_end);
	stream_store64(p + 136, state->structure);
	stream_store32(p + CHECKSUM_AT, stream_crc32c(p, CHECKSUM_AT));
}

bool
stream_state_take_slot(
    const uint8_t *slot, size_t size, struct stream_state *state)
{
	if (size < SLOT_USED || !is_slot(slot))
		return false;
	load(slot, state);
	return true;
}

/* The newer whole slot of the two, or NULL. */
static const uint8_t *
choose(const uint8_t *file, const struct stream_state_identity *identity)
{
	const uint8_t *a = is_whole(file, identity) ? file : NULL;
	const uint8_t *b =
	    is_whole(file + SLOT_STRIDE, identity) ? file + SLOT_STRIDE : NULL;

	if (a == NULL || b == NULL)
		return a == NULL ? b : a;
	return stream_load64(a + 8) > stream_load64(b + 8) ? a : b;
}

/* Is a slot half written, so that another look may find it whole?  One that
 * was never written, or is another file's, stays as it is. */
static bool
may_become_whole(const uint8_t *file)
{
	static const uint8_t never[SLOT_USED];

	for (size_t at = 0; at <= SLOT_STRIDE; at += SLOT_STRIDE)
		if (!is_slot(file + at) &&
		    memcmp(file + at, never, SLOT_USED) != 0)
			return true;
	return false;
}

int
stream_state_read(int fd, const struct stream_state_identity *identity,
    struct stream_state *state, struct stream_error *err)
{
	/* Just what is used, so that one system call reads it all. */
	uint8_t file[SLOT_STRIDE + SLOT_USED];
	const uint8_t *slot = NULL;

	*state = (struct stream_state){0};
	for (int tries = 0; slot == NULL && tries < READ_TRIES; tries++) {
		size_t got;
		int status =
		    stream_io_read_at(fd, file, sizeof(file), 0, &got, err);

		if (status != STREAM_OK)
			return stream_fail_in(err, status, STREAM_STATE_NAME);
		if (got == 0)
			return STREAM_OK;
		memset(file + got, 0, sizeof(file) - got);
		slot = choose(file, identity);
		if (slot == NULL && !may_become_whole(file))
			break;
	}
	if (slot != NULL)
		load(slot, state);
	return STREAM_OK;
}

int
stream_state_load(
    int dirfd, struct stream_state *state, struct stream_error *err)
{
	struct stream_state_identity identity;
	int fd;
	int status =
	    stream_io_open(dirfd, STREAM_STATE_NAME, O_RDONLY, &fd, err);

	*state = (struct stream_state){0};
	if (status != STREAM_OK)
		return status == STREAM_ENOENT ? STREAM_OK : status;
	status = stream_state_identify(fd, &identity, err);
	if (status == STREAM_OK)
		status = stream_state_read(fd, &identity, state, err);
	close(fd);
	return status;
}

bool
stream_state_is_current(const struct stream_state *state,
    const struct stream_state_identity *identity)
{
	return state->sequence != 0 &&
	       memcmp(state->boot_id, identity->boot_id, 16) == 0;
}

bool
stream_state_is_of_before(const struct stream_state *state,
    const struct stream_state_identity *identity)
{
	static const uint8_t unknown[16];

	return state->sequence != 0 &&
	       memcmp(state->boot_id, unknown, 16) != 0 &&
	       memcmp(identity->boot_id, unknown, 16) != 0 &&
	       !stream_state_is_current(state, identity);
}

uint32_t
stream_state_bell(const struct stream_state *state)
{
	return (uint32_t)((uint64_t)state->active_base + state->durable_end +
			  state->takebacks);
}

/* The slot, and the bell that stands between the two, with one write. */
static int
write_slot(int fd, const struct stream_state *state, struct stream_error *err)
{
	uint8_t bytes[SLOT_STRIDE] = {0};
	bool second = (state->sequence & 1) != 0;
	uint8_t *slot = second ? bytes + BELL_SIZE : bytes;
	uint8_t *bell = second ? bytes : bytes + STREAM_BELL_AT;

	store(state, slot);
	stream_store32(bell, stream_state_bell(state));
	if (second)
		return stream_io_write_at(fd, bytes, BELL_SIZE + SLOT_USED,
		    STREAM_BELL_AT, NULL, err);
	return stream_io_write_at(fd, bytes, SLOT_STRIDE, 0, NULL, err);
}

int
stream_state_write(int fd, const struct stream_state_identity *identity,
    struct stream_state *state, struct stream_error *err)
{
	struct stream_state next = *state;
	int status;

	next.sequence++;
	next.device = identity->device;
	next.inode = identity->inode;
	memcpy(next.boot_id, identity->boot_id, 16);
	status = write_slot(fd, &next, err);
	if (status != STREAM_OK)
		return stream_fail_in(err, status, STREAM_STATE_NAME);
	*state = next;
	return STREAM_OK;
}
