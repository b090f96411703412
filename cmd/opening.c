#include "opening.h"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MOST = 8 };

int64_t
opening_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

unsigned
opening_workers(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > WORKERS_MOST ? WORKERS_MOST : (unsigned)n;
}

void
opening_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int
opening_find(const struct cli_context *context, struct stream_store **store,
    const struct stream_address *address, struct stream_places *places,
    struct stream_error *err)
{
	int status = STREAM_OK;

	if (!address->is_path && *store == NULL)
		status = stream_store_open(
		    context->store, 0, STREAM_LOCK_TIMEOUT_MS, store, err);
	if (status == STREAM_OK)
		status = stream_address_resolve(address, *store, places, err);
	return status;
}

int
opening_resolve(const struct cli_context *context, struct stream_store **store,
    const char *word, struct stream_address *address,
    struct stream_places *places, struct stream_error *err)
{
	int status = stream_address_parse(word, opening_now_ms(), address, err);

	return status == STREAM_OK
		   ? opening_find(context, store, address, places, err)
		   : status;
}
