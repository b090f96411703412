/*
 * nomem - an allocation fails
 *
 *	LD_PRELOAD=nomem.so NOMEM_AT=N [NOMEM_KEEP=1] [NOMEM_OUT=FILE] COMMAND
 *
 * The Nth allocation of the process gives NULL; with NOMEM_KEEP all later ones
 * too; with N 0 none.  How many there were is written to FILE at a normal end.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* glibc's own, by the names under which it exports them. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong seen;

static bool
fails(void)
{
	unsigned long now = atomic_fetch_add(&seen, 1) + 1;
	const char *text = getenv("NOMEM_AT");
	unsigned long at = text == NULL ? 0 : strtoul(text, NULL, 10);

	if (at == 0 || now < at || (now > at && getenv("NOMEM_KEEP") == NULL))
		return false;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __libc_memalign(alignment, size);
}

int
posix_memalign(void **to, size_t alignment, size_t size)
{
	void *new = fails() ? NULL : __libc_memalign(alignment, size);

	if (new == NULL)
		return ENOMEM;
	*to = new;
	return 0;
}

__attribute__((destructor)) static void
report(void)
{
	const char *path = getenv("NOMEM_OUT");
	unsigned long count = atomic_load(&seen);
	FILE *file;

	if (path == NULL)
		return;
	unsetenv("NOMEM_AT");
	file = fopen(path, "we");
	if (file != NULL) {
		fprintf(file, "%lu\n", count);
		fclose(file);
	}
}
