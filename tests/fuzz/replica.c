/* replica.c - what the other side of a replication sends: manifests, and files
 * of which a manifest may lie */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "file/dir.h"
#include "fuzz.h"
#include "log/install.h"
#include "store/manifest.h"
#include "store/replica_diverge.h"

#define ID "0123456789abcdef"

static const char settings[] =
    "{\"version\": 1, \"topic\": \"t\", \"topic_id\": "
    "\"TkB0k2C_TpOxQ0dJq1sYyw\", \"partitions\": 1, \"gaps\": true, "
    "\"config\": {}}";

/* ---- manifests ---------------------------------------------------------- */

/* Names that rsync is told to move stay below two directories. */
static void
check_names(const struct stream_manifest *manifest)
{
	char *names;
	size_t size;
	uint64_t bytes;

	FUZZ_CHECK(stream_manifest_files(
		       manifest, &names, &size, &bytes, NULL) == STREAM_OK);
	for (const char *name = names; name < names + size;
	     name += strlen(name) + 1) {
		size_t slashes = 0;

		for (const char *c = name; *c != '\0'; c++)
			slashes += *c == '/';
		FUZZ_CHECK(
		    strstr(name, "..") == NULL || strstr(name, "/../") == NULL);
		FUZZ_CHECK(strncmp(name, "./", 2) == 0
			       ? slashes == 3
			       : strncmp(name, ".strm/replicate/", 16) == 0 &&
				     slashes == 5);
		FUZZ_CHECK(strchr(name, '\n') == NULL);
	}
	free(names);
}

static void
check_parts(const struct stream_manifest *manifest)
{
	for (size_t i = 0; i < manifest->part_count; i++) {
		const struct stream_manifest_part *part = &manifest->parts[i];

		for (size_t k = 1; k < part->segment_count; k++)
			FUZZ_CHECK(part->segments[k].base_offset >
				   part->segments[k - 1].base_offset);
		FUZZ_CHECK(stream_manifest_find(
			       manifest, part->topic, part->partition) == part);
		/* Whatever the other one is. */
		if (part->failed == STREAM_OK && part->segment_count > 0 &&
		    manifest->parts[0].failed == STREAM_OK)
			stream_replica_divergence(part, &manifest->parts[0]);
	}
}

static void
check_manifest(const char *text)
{
	struct stream_manifest *manifest, *again;
	struct stream_error err = {.text = ""};
	char *first, *second;
	int status = stream_manifest_parse(text, &manifest, &err);

	FUZZ_CHECK(status == STREAM_OK || status == STREAM_ECORRUPT ||
		   status == STREAM_ENEWER);
	FUZZ_CHECK(status == STREAM_OK || err.text[0] != '\0');
	if (status != STREAM_OK)
		return;
	check_names(manifest);
	check_parts(manifest);
	FUZZ_CHECK(stream_manifest_print(manifest, &first, NULL) == STREAM_OK);
	FUZZ_CHECK(stream_manifest_parse(first, &again, NULL) == STREAM_OK);
	FUZZ_CHECK(stream_manifest_print(again, &second, NULL) == STREAM_OK);
	FUZZ_CHECK(strcmp(first, second) == 0);
	stream_manifest_free(manifest);
	stream_manifest_free(again);
	free(first);
	free(second);
}

/* The first byte says whether the last line is made right. */
static void
run_manifest(const uint8_t *data, size_t size)
{
	char *text = size > 0 ? fuzz_text(data + 1, size - 1) : NULL;
	struct stream_chain digest = {0, 0};
	char *whole;

	if (text == NULL)
		return;
	check_manifest(text);
	whole = malloc(size + 64);
	FUZZ_CHECK(whole != NULL);
	stream_chain_add(&digest, text, size - 1);
	snprintf(whole, size + 64, "%send %016llx%016llx\n", text,
	    (unsigned long long)digest.high, (unsigned long long)digest.low);
	if (data[0] % 8 != 0)
		check_manifest(whole);
	free(whole);
	free(text);
}

const struct fuzz_target fuzz_target_manifest = {
    "manifest", run_manifest, NULL};

/* ---- what came ---------------------------------------------------------- */

enum { SEGMENTS = 3, BATCHES = 64, LIE = 10 };

/* A log as it is sent: its batches, some left out as by compaction, in as many
 * files as there are segments. */
struct sending {
	const uint8_t *log;
	size_t ends[BATCHES];
	int64_t bases[BATCHES];
	size_t count;
	struct stream_buf files[SEGMENTS];
	struct stream_manifest_segment segments[SEGMENTS];
	size_t segment_count;
};

static int
note_batch(void *context, const struct stream_batch *batch,
    const uint8_t *bytes, struct stream_error *err)
{
	struct sending *s = context;

	(void)bytes;
	(void)err;
	if (s->count == BATCHES)
		return STREAM_END;
	s->bases[s->count] = batch->info.base_offset;
	s->ends[s->count++] = (size_t)(batch->info.position + batch->info.size);
	return STREAM_OK;
}

static void
measure(const char *name, int64_t base, size_t size,
    struct stream_measuring *how, struct stream_measure *found)
{
	how->fd = openat(fuzz_directory(), name, O_RDONLY | O_CLOEXEC);
	FUZZ_CHECK(how->fd >= 0);
	how->limit = size;
	how->mark_at = UINT64_MAX;
	stream_measure_init(found, base);
	stream_measure_log(how, found, NULL);
	close(how->fd);
}

static void
find_batches(struct sending *s, const uint8_t *log, size_t size)
{
	struct stream_measuring how = {.batch = note_batch, .context = s};
	struct stream_measure found;

	*s = (struct sending){.log = log};
	fuzz_put_file("log", log, size);
	measure("log", 0, size, &how, &found);
}

static void
add_batch(struct sending *s, size_t i, size_t segment)
{
	size_t from = i == 0 ? 0 : s->ends[i - 1];

	FUZZ_CHECK(stream_buf_add(&s->files[segment], s->log + from,
		       s->ends[i] - from, NULL) == STREAM_OK);
}

/* Each every-th batch goes; 0: none. */
static void
cut(struct sending *s, size_t segments, size_t every)
{
	if (s->count < segments)
		segments = s->count;
	s->segment_count = segments;
	for (size_t k = 0; k < segments; k++) {
		struct stream_measuring how = {.batch = NULL};
		struct stream_manifest_segment *segment = &s->segments[k];
		size_t from = s->count * k / segments;
		size_t to = s->count * (k + 1) / segments;

		stream_buf_init(&s->files[k]);
		for (size_t i = from; i < to; i++)
			if (every == 0 || i % every != 0)
				add_batch(s, i, k);
		*segment = (struct stream_manifest_segment){
		    .base_offset = s->bases[from], .how = STREAM_HOW_LINK};
		fuzz_put_file("log", s->files[k].data, s->files[k].size);
		measure("log", segment->base_offset, s->files[k].size, &how,
		    &segment->measure);
		if (segment->measure.bytes == 0)
			segment->how = STREAM_HOW_HAVE;
	}
}

static void
release(struct sending *s)
{
	for (size_t k = 0; k < s->segment_count; k++)
		stream_buf_release(&s->files[k]);
}

static void
put_incoming(const struct sending *s)
{
	char name[128];

	for (const char *const *d = (const char *const[]){"r", "r/.strm",
		 "r/.strm/incoming", "r/.strm/incoming/" ID,
		 "r/.strm/incoming/" ID "/t-0", NULL};
	     *d != NULL; d++)
		mkdirat(fuzz_directory(), *d, 0700);
	for (size_t k = 0; k < s->segment_count; k++) {
		snprintf(name, sizeof(name),
		    "r/.strm/incoming/" ID "/t-0/%020lld.log",
		    (long long)s->segments[k].base_offset);
		fuzz_put_file(name, s->files[k].data, s->files[k].size);
	}
}

/* ---- what is said of it ------------------------------------------------- */

/* False: of what cannot be known from the bytes that came. */
static bool
lie(struct sending *s, uint8_t where, uint8_t what, uint64_t value)
{
	const struct stream_measure before =
	    s->segments[where % s->segment_count].measure;

	struct stream_manifest_segment *segment =
	    &s->segments[where % s->segment_count];
	struct stream_measure *m = &segment->measure;

	switch (what % 10) {
	case 0:
		segment->base_offset ^= (int64_t)value;
		break;
	case 1:
		m->bytes ^= value;
		break;
	case 2:
		m->digest.low ^= value;
		break;
	case 3:
		m->next_offset ^= (int64_t)value;
		break;
	case 4:
		m->records ^= (int64_t)value;
		break;
	case 5:
		m->max_timestamp_ms ^= (int64_t)value;
		break;
	case 6:
		m->last_position ^= (int64_t)value;
		break;
	case 7:
		m->leader_epoch ^= (int32_t)value;
		break;
	case 8:
		segment->how = (enum stream_manifest_how)(value % 4);
		segment->from = value / 4;
		break;
	default:
		segment->with = (unsigned)(value % 4);
		break;
	}
	return !stream_measure_bears_out(&before, m) &&
	       m->next_offset == before.next_offset;
}

static char *
print(const struct sending *s, bool ours, int64_t start, int32_t epoch)
{
	struct stream_manifest *m = calloc(1, sizeof(*m));
	struct stream_manifest_topic *topic;
	struct stream_manifest_part *part;
	char *text;

	FUZZ_CHECK(m != NULL);
	memcpy(m->id, ID, sizeof(ID));
	FUZZ_CHECK(
	    stream_manifest_add_topic(m, "t", &topic, NULL) == STREAM_OK);
	topic->is_ours = ours;
	topic->json = ours ? strdup(settings) : NULL;
	FUZZ_CHECK(stream_manifest_add_part(m, 0, &part, NULL) == STREAM_OK);
	part->clean_point = -1;
	part->log_start_offset = start;
	if (epoch >= 0) {
		part->epochs = calloc(1, sizeof(*part->epochs));
		FUZZ_CHECK(part->epochs != NULL);
		part->epochs[0] = (struct stream_epoch){epoch, start};
		part->epoch_count = 1;
	}
	for (size_t k = 0; k < s->segment_count; k++)
		FUZZ_CHECK(stream_manifest_add_segment(
			       part, &s->segments[k], NULL) == STREAM_OK);
	FUZZ_CHECK(stream_manifest_print(m, &text, NULL) == STREAM_OK);
	stream_manifest_free(m);
	return text;
}

/* True when all of it is in place. */
static bool
apply(const char *text, bool truncate)
{
	struct stream_replica_options options = {
	    .of = "x", .verify = true, .truncate = truncate};
	struct stream_error err = {.text = ""};
	char path[64];
	char *report;
	bool done;
	int status;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/r", fuzz_directory());
	status = stream_replica_apply(path, text, &options, &report, &err);
	FUZZ_CHECK(status == STREAM_OK || status == STREAM_ECORRUPT ||
		   status == STREAM_ENEWER || status == STREAM_EFENCED ||
		   status == STREAM_EBUSY);
	FUZZ_CHECK(status == STREAM_OK || err.text[0] != '\0');
	if (status != STREAM_OK)
		return false;
	done = strncmp(report, "done ", 5) == 0;
	free(report);
	return done;
}

/* Of what was said to be done and no lie, each byte is there. */
static void
expect_there(const struct sending *s)
{
	for (size_t k = 0; k < s->segment_count; k++) {
		size_t size = s->files[k].size;
		uint8_t *bytes = malloc(size + 1);
		char name[64];
		int fd;

		snprintf(name, sizeof(name), "r/t-0/%020lld.log",
		    (long long)s->segments[k].base_offset);
		fd = openat(fuzz_directory(), name, O_RDONLY | O_CLOEXEC);
		FUZZ_CHECK(fd >= 0 && bytes != NULL);
		FUZZ_CHECK(read(fd, bytes, size + 1) == (ssize_t)size);
		FUZZ_CHECK(
		    size == 0 || memcmp(bytes, s->files[k].data, size) == 0);
		close(fd);
		free(bytes);
	}
}

static bool
send(const uint8_t *log, size_t size, size_t segments, size_t every,
    const uint8_t *lies, size_t lie_count, uint8_t flags)
{
	struct sending s;
	char *text;
	bool done, lied = false;

	find_batches(&s, log, size);
	if (s.count == 0)
		return false;
	cut(&s, segments, every);
	put_incoming(&s);
	for (size_t i = 0; i < lie_count; i++)
		lied |= lie(&s, lies[i * LIE], lies[i * LIE + 1],
		    stream_load64(lies + i * LIE + 2));
	text = print(&s, (flags & 1) != 0, s.segments[0].base_offset,
	    (flags & 2) != 0 ? 0 : -1);
	done = apply(text, (flags & 4) != 0);
	free(text);
	if (done && lie_count == 0)
		expect_there(&s);
	FUZZ_CHECK(!(done && lied && lie_count == 1));
	release(&s);
	return done;
}

/* Flags, what the second manifest leaves out, how many lies; the lies; a log.
 * All of the log first, then what compaction would make of it. */
static void
run_apply(const uint8_t *data, size_t size)
{
	size_t lies, head;

	if (size < 3)
		return;
	lies = data[2] % 4;
	head = 3 + lies * LIE;
	if (size < head)
		return;
	stream_dir_remove_all(fuzz_directory(), "r", NULL);
	if ((data[0] & 8) != 0)
		send(data + head, size - head, 1 + data[1] % SEGMENTS, 0, NULL,
		    0, data[0] & 3);
	send(data + head, size - head, 1 + data[1] % SEGMENTS,
	    data[1] / SEGMENTS % 5, data + 3, lies, data[0]);
	/* And once more: whatever is there, no run chokes on it. */
	send(data + head, size - head, 1 + data[1] % SEGMENTS,
	    data[1] / SEGMENTS % 5, NULL, 0, data[0] & 3);
}

/* Mostly the log is what is changed, so that its batches stay whole. */
static size_t
mutate_apply(uint8_t *data, size_t size, size_t most, uint32_t seed)
{
	size_t head = size < 3 ? size : 3 + (size_t)(data[2] % 4) * LIE;

	if (head > size || seed % 3 == 0)
		return LLVMFuzzerMutate(data, size, most);
	return head +
	       fuzz_mutate_log(data + head, size - head, most - head, seed);
}

const struct fuzz_target fuzz_target_apply = {"apply", run_apply, mutate_apply};
