#include "file/pages.h"

#include <sys/mman.h>

#include "base/fail.h"

int
stream_pages_new(size_t size, void **pages, struct stream_error *err)
{
	void *got = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (got == MAP_FAILED)
		return stream_fail_sys(err, "%zu bytes of memory", size);
	/* Most of a lookup's time is else the walk of the page tables. */
	madvise(got, size, MADV_HUGEPAGE);
	*pages = got;
	return STREAM_OK;
}

void
stream_pages_free(void *pages, size_t size)
{
	if (pages)
		munmap(pages, size);
}
