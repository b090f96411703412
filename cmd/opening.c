#include "opening.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <stream/files.h>
#include <stream/topic.h>

#include "cli/message.h"

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
opening_say_limit(size_t partitions, struct stream_error *err)
{
	struct rlimit limit = {0};

	getrlimit(RLIMIT_NOFILE, &limit);
	return cli_fail(err, STREAM_EIO,
	    "no more than %zu partitions can be open at once: the limit is "
	    "%llu files (ulimit -Hn); raise it, or name fewer partitions, as "
	    "in TOPIC:0-%zu",
	    partitions, (unsigned long long)limit.rlim_cur,
	    partitions > 0 ? partitions - 1 : 0);
}

/* The one thing that strm-archive adds to the commands. */
static opening_archive *archive_opener;

static const char *written_in = ".";

void
opening_set_archives(opening_archive *opener, const char *from)
{
	archive_opener = opener;
	written_in = from;
}

/* What zstd, gzip and tar files begin with. */
static bool
begins_as_archive(int fd)
{
	static const unsigned char zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
	static const unsigned char skippable[] = {0x2a, 0x4d, 0x18};
	static const unsigned char gzip[] = {0x1f, 0x8b, 0x08};
	unsigned char head[262] = {0};

	if (pread(fd, head, sizeof(head), 0) < 18)
		return false;
	return memcmp(head, zstd, sizeof(zstd)) == 0 ||
	       ((head[0] & 0xf0) == 0x50 &&
		   memcmp(head + 1, skippable, sizeof(skippable)) == 0) ||
	       memcmp(head, gzip, sizeof(gzip)) == 0 ||
	       memcmp(head + 257, "ustar", 5) == 0;
}

/* What is called an archive and is none is to be refused as such. */
static bool
is_named_archive(const char *name)
{
	static const char *const ends[] = {
	    ".tar", ".tar.zst", ".tar.gz", ".tgz", ".tzst"};
	size_t size = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		size_t n = strlen(ends[i]);

		if (size > n && strcmp(name + size - n, ends[i]) == 0)
			return true;
	}
	return false;
}

bool
opening_is_archive(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stream_file file;
	struct stat st;
	bool is;
	int fd;

	if (slash == NULL || stat(path, &st) != 0)
		return false;
	/* Nothing else is read from a pipe that is named. */
	if (S_ISFIFO(st.st_mode))
		return true;
	stream_file_name(slash + 1, &file);
	if (!S_ISREG(st.st_mode) || file.kind != STREAM_FILE_OTHER)
		return false;
	if (is_named_archive(slash + 1))
		return true;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return false;
	is = begins_as_archive(fd);
	close(fd);
	return is;
}

bool
opening_names_archive(const char *word)
{
	const char *slash = strrchr(word, '/');
	char *path;
	bool is;

	if (slash == NULL)
		return false;
	path = strndup(
	    word, (size_t)(slash - word) + 1 + strcspn(slash + 1, ":@"));
	is = path != NULL && opening_is_archive(path);
	free(path);
	return is;
}

/* Settings tell of all partitions of a topic, and an archive may hold some. */
static int
keep_present(struct stream_places *places, struct stream_error *err)
{
	struct stream_places gone = {
	    .items = calloc(places->count + 1, sizeof(*gone.items))};
	size_t kept = 0;

	if (gone.items == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	for (size_t i = 0; i < places->count; i++) {
		struct stat st;

		if (stat(places->items[i].path, &st) != 0 && errno == ENOENT)
			gone.items[gone.count++] = places->items[i];
		else
			places->items[kept++] = places->items[i];
	}
	places->count = kept;
	stream_places_release(&gone);
	return STREAM_OK;
}

static bool
has_topic(struct stream_store *store, const char *name)
{
	struct stream_topic *topic;

	if (stream_topic_open(store, name, &topic, NULL) != STREAM_OK)
		return false;
	stream_topic_free(topic);
	return true;
}

/* Is it an archive, a log file, or a directory with partitions? */
static bool
holds_records(char *path)
{
	struct stream_address address = {.is_path = true, .name = path};
	struct stream_places places = {0};
	bool holds;

	if (opening_is_archive(path))
		return true;
	holds = stream_address_resolve(&address, NULL, &places, NULL) ==
		    STREAM_OK &&
		places.count > 0;
	stream_places_release(&places);
	return holds;
}

/* Who left out what makes a word a path is told, by the failure that *err
 * holds. */
static void
hint_at_path(
    struct stream_store *store, const char *name, struct stream_error *err)
{
	struct stream_error why = *err;
	struct stat st;
	char *path;

	if (asprintf(&path, "%s/%s", written_in, name) < 0)
		return;
	if (stat(path, &st) == 0 && !has_topic(store, name) &&
	    holds_records(path))
		cli_fail(err, why.status,
		    "%.110s; if the %s of that name is meant, write ./%.60s",
		    why.text, S_ISDIR(st.st_mode) ? "directory" : "file", name);
	free(path);
}

int
opening_find(const struct cli_context *context, struct stream_store **store,
    const struct stream_address *address, struct stream_places *places,
    struct stream_error *err)
{
	struct stream_supply supply = {NULL, NULL};
	int status = STREAM_OK;

	if (!address->is_path && *store == NULL)
		status = stream_store_open(
		    context->store, 0, STREAM_LOCK_TIMEOUT_MS, store, err);
	if (status == STREAM_OK && archive_opener != NULL && address->is_path)
		status = archive_opener(context, address, &supply, err);
	if (status == STREAM_OK)
		status = stream_address_resolve(address, *store, places, err);
	if (status == STREAM_ENOENT && !address->is_path && *store != NULL &&
	    err != NULL)
		hint_at_path(*store, address->name, err);
	if (status != STREAM_OK || supply.fetch == NULL)
		return status;
	for (size_t i = 0; i < places->count; i++)
		places->items[i].supply = supply;
	return keep_present(places, err);
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
