#include "file/bell.h"

#include <linux/futex.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"

enum {
	/* The word lies in the first page, whatever the size of one. */
	MAPPED = 4096,
	/* A sync takes 150 microseconds and more: who cannot be woken looks
	 * often enough to lose little. */
	DOZE_NS = 40000
};

void
stream_bell_init(struct stream_bell *bell)
{
	bell->page = NULL;
}

void
stream_bell_release(struct stream_bell *bell)
{
	if (bell->page != NULL)
		munmap(bell->page, MAPPED);
	bell->page = NULL;
}

static uint32_t *
word(struct stream_bell *bell, int fd)
{
	void *page = bell->page;

	if (page == NULL)
		page = mmap(NULL, MAPPED, PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return NULL;
	bell->page = page;
	return (uint32_t *)((uint8_t *)page + STREAM_BELL_AT);
}

void
stream_bell_ring(struct stream_bell *bell, int fd)
{
	uint32_t *at = word(bell, fd);

	/* 1 << 30: as many as there are. */
	if (at != NULL)
		syscall(SYS_futex, at, FUTEX_WAKE, 1 << 30, NULL, NULL, 0);
}

void
stream_bell_wait(
    struct stream_bell *bell, int fd, uint32_t seen, long timeout_ns)
{
	const struct timespec most = {.tv_nsec = timeout_ns};
	const struct timespec doze = {.tv_nsec = DOZE_NS};
	uint32_t *at = word(bell, fd);
	uint8_t bytes[sizeof(*at)];
	uint32_t expected;

	/* As it stands in the file, in whatever order this machine has. */
	stream_store32(bytes, seen);
	memcpy(&expected, bytes, sizeof(expected));
	if (at == NULL ||
	    syscall(SYS_futex, at, FUTEX_WAIT, expected, &most, NULL, 0) != 0)
		nanosleep(&doze, NULL);
}
