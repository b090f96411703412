/*
 * faults.h - system calls that fail when a test says so
 *
 * The functions stand here in place of libc's; a test includes this in its one
 * file.  Nothing fails until fault_plan is called.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum fault_call {
	FAULT_PWRITE,
	FAULT_FTRUNCATE,
	FAULT_FDATASYNC,
	FAULT_FSYNC,
	FAULT_FADVISE,
	FAULT_CALLS
};

struct fault {
	const char *suffix; /* of the file's name; NULL: any file */
	int after;          /* calls that still go through */
	int times;          /* calls that then fail; 0: none */
	int error;
	size_t most; /* bytes that a write takes before it fails */
	/* Called first when it is not NULL; then nothing fails if error is 0.
	 */
	void (*hook)(void *context, int fd);
	void *context;
	int calls; /* on files of that name, counted all the time */
};

static struct fault faults[FAULT_CALLS];

/* Added to what the clock says. */
static int64_t fault_clock_ms;

/* Where the last posix_fadvise began. */
static off_t fault_advised_from;

/* Called once, before the next listing of a directory. */
static void (*fault_before_list)(void *context);
static void *fault_list_context;

static inline void
fault_clear(void)
{
	fault_before_list = NULL;
	memset(faults, 0, sizeof(faults));
	fault_clock_ms = 0;
}

static inline void
fault_plan(enum fault_call call, struct fault fault)
{
	faults[call] = fault;
}

static inline bool
fault_is_of(const struct fault *fault, int fd)
{
	char link[64], path[4096];
	ssize_t n;
	size_t suffix;

	if (fault->suffix == NULL)
		return true;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	suffix = strlen(fault->suffix);
	return n >= (ssize_t)suffix &&
	       memcmp(path + n - suffix, fault->suffix, suffix) == 0;
}

/* Does this call fail?  errno is set if so. */
static inline bool
fault_hits(enum fault_call call, int fd)
{
	struct fault *fault = &faults[call];

	if (!fault_is_of(fault, fd))
		return false;
	fault->calls++;
	if (fault->times == 0 || fault->after-- > 0)
		return false;
	fault->after = 0;
	fault->times--;
	if (fault->hook != NULL)
		fault->hook(fault->context, fd);
	errno = fault->error;
	return fault->error != 0;
}

ssize_t
pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	if (fault_hits(FAULT_PWRITE, fd)) {
		size_t some = faults[FAULT_PWRITE].most;
		ssize_t put;

		if (some == 0)
			return -1;
		/* A short count now, and the failure with the next call. */
		put = (ssize_t)syscall(
		    SYS_pwrite64, fd, bytes, some < n ? some : n, at);
		faults[FAULT_PWRITE].most = 0;
		faults[FAULT_PWRITE].times++;
		return put;
	}
	return (ssize_t)syscall(SYS_pwrite64, fd, bytes, n, at);
}

int
ftruncate(int fd, off_t size)
{
	if (fault_hits(FAULT_FTRUNCATE, fd))
		return -1;
	return (int)syscall(SYS_ftruncate, fd, size);
}

int
fdatasync(int fd)
{
	if (fault_hits(FAULT_FDATASYNC, fd))
		return -1;
	return 0; /* no test loses power, and disks take their time */
}

int
fsync(int fd)
{
	if (fault_hits(FAULT_FSYNC, fd))
		return -1;
	return 0;
}

int
posix_fadvise(int fd, off_t from, off_t length, int advice)
{
	fault_advised_from = from;
	if (fault_hits(FAULT_FADVISE, fd))
		return errno;
	return (int)syscall(SYS_fadvise64, fd, from, length, advice);
}

DIR *
fdopendir(int fd)
{
	union {
		void *symbol;
		DIR *(*call)(int);
	} next = {.symbol = dlsym(RTLD_NEXT, "fdopendir")};
	void (*before)(void *) = fault_before_list;

	fault_before_list = NULL;
	if (before != NULL)
		before(fault_list_context);
	return next.call(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int r = (int)syscall(SYS_clock_gettime, clock, now);

	if (clock == CLOCK_REALTIME) {
		now->tv_sec += (time_t)(fault_clock_ms / 1000);
		now->tv_nsec += (long)(fault_clock_ms % 1000) * 1000000;
		if (now->tv_nsec >= 1000000000) {
			now->tv_sec++;
			now->tv_nsec -= 1000000000;
		} else if (now->tv_nsec < 0) {
			now->tv_sec--;
			now->tv_nsec += 1000000000;
		}
	}
	return r;
}

#endif
