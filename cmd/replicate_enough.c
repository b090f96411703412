/*
 * replicate_enough.c - is all there that rsync was to bring?
 *
 * When the last file has its name, rsync has nothing left to do, but its
 * processes sleep 20 ms each before they see that the next one has ended: as
 * long as it takes to bring 10 MB.  So files are looked for instead, in a place
 * where none of them was before.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replicate.h"

/* What stands behind "/./" is the name at the replica. */
static bool
is_there(const struct replicate_enough *enough, const char *name)
{
	const char *below = strstr(name, "/./");
	struct stat st;

	return fstatat(enough->dirfd, below != NULL ? below + 3 : name, &st,
		   AT_SYMLINK_NOFOLLOW) == 0;
}

bool
replicate_enough_begin(struct replicate_enough *enough, const char *incoming,
    const char *names, size_t size)
{
	*enough = (struct replicate_enough){
	    .dirfd = open(incoming, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    .next = names,
	    .end = names + size,
	};
	if (enough->dirfd < 0)
		return false;
	for (const char *n = names; n < enough->end; n += strlen(n) + 1)
		if (is_there(enough, n))
			return false;
	return true;
}

void
replicate_enough_end(struct replicate_enough *enough)
{
	if (enough->dirfd >= 0)
		close(enough->dirfd);
}

bool
replicate_enough(void *context)
{
	struct replicate_enough *enough = context;

	while (enough->next < enough->end && is_there(enough, enough->next))
		enough->next += strlen(enough->next) + 1;
	return enough->next == enough->end;
}
