#include "file/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/fail.h"

/* Up to 256 bytes come at once, unless a signal falls into the wait for the
 * first randomness after boot. */
int
stream_random(uint8_t *to, size_t size, struct stream_error *err)
{
	ssize_t got;

	do
		got = getrandom(to, size, 0);
	while (got < 0 && errno == EINTR);
	if (got == (ssize_t)size)
		return STREAM_OK;
	return stream_fail_sys(err, "no random bytes");
}
