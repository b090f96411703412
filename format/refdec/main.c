/* main.c - print what refdec reads, as JSON lines: see README.md */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "refdec.h"

struct print {
	const char *topic;
	int partition;
	int64_t base; /* that the file's name says */
};

/* The bytes of the UTF-8 character at p (RFC 3629), or 0. */
static int
character(const uint8_t *p, int64_t left)
{
	static const uint32_t first[] = {0, 0, 0x80, 0x800, 0x10000};
	int n = *p < 0x80   ? 1
		: *p < 0xc0 ? 0
		: *p < 0xe0 ? 2
		: *p < 0xf0 ? 3
			    : 4;
	uint32_t c = *p & (0xffu >> (n + 1));

	if (n < 2)
		return n;
	if (n > left || *p > 0xf7)
		return 0;
	for (int i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 63);
	}
	return c >= first[n] && c < 0x110000 && c >> 11 != 0x1b ? n : 0;
}

static int
is_utf8(struct refdec_bytes b)
{
	int n = 1;

	for (; b.n > 0 && n; b.p += n, b.n -= n)
		n = character(b.p, b.n);
	return n;
}

static void
print_text(struct refdec_bytes b)
{
	putchar('"');
	for (; b.n > 0; b.p++, b.n--)
		if (*b.p < 32 || *b.p == '"' || *b.p == '\\')
			printf("\\u%04x", *b.p);
		else
			putchar(*b.p);
	putchar('"');
}

static void
print_base64(struct refdec_bytes b)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	putchar('"');
	for (; b.n > 0; b.p += 3, b.n -= 3) {
		uint32_t v = (uint32_t)b.p[0] << 16;
		v |= b.n > 1 ? (uint32_t)b.p[1] << 8 : 0;
		v |= b.n > 2 ? b.p[2] : 0;
		putchar(digits[v >> 18]);
		putchar(digits[v >> 12 & 63]);
		putchar(b.n > 1 ? digits[v >> 6 & 63] : '=');
		putchar(b.n > 2 ? digits[v & 63] : '=');
	}
	putchar('"');
}

static void
print_bytes(struct refdec_bytes b, const char *before, const char *before_64,
    const char *after_64)
{
	if (b.n < 0) {
		printf("%snull", before);
	} else if (is_utf8(b)) {
		fputs(before, stdout);
		print_text(b);
	} else {
		fputs(before_64, stdout);
		print_base64(b);
		fputs(after_64, stdout);
	}
}

static void
print_record(void *arg, const struct refdec_record *r)
{
	const struct print *print = arg;
	struct refdec_cursor c = r->at;
	struct refdec_bytes name, value;

	printf("{\"topic\":\"%s\",\"partition\":%d,\"offset\":%lld,\"ts\":%lld",
	    print->topic, print->partition, (long long)r->offset,
	    (long long)r->time);
	print_bytes(r->key, ",\"key\":", ",\"key_b64\":", "");
	print_bytes(r->value, ",\"value\":", ",\"value_b64\":", "");
	printf(",\"headers\":[");
	for (int64_t i = 0; i < r->headers; i++) {
		name = refdec_bytes(&c, 0);
		value = refdec_bytes(&c, -1);
		print_bytes(name, i ? ",[" : "[",
		    i ? ",[{\"b64\":" : "[{\"b64\":", "}");
		print_bytes(value, ",", ",{\"b64\":", "}");
		putchar(']');
	}
	puts("]}");
}

static void
print_batch(const struct refdec_batch *b, size_t at, const char *verdict)
{
	printf("{\"position\":%zu,\"verdict\":\"%s\",\"base_offset\":%lld,"
	       "\"length\":%d,\"leader_epoch\":%d,\"magic\":%d,\"crc\":%u,"
	       "\"attributes\":%d,\"last_offset_delta\":%d,"
	       "\"base_timestamp\":%lld,\"max_timestamp\":%lld,"
	       "\"producer_id\":%lld,\"producer_epoch\":%d,"
	       "\"base_sequence\":%d,\"count\":%d}\n",
	    at, verdict, (long long)b->base, b->length, b->epoch, b->magic,
	    b->crc, b->attributes, b->last_delta, (long long)b->base_time,
	    (long long)b->max_time, (long long)b->producer, b->producer_epoch,
	    b->sequence, b->count);
}

/* The batch at p, with its records, after one that ends with offset last. */
static int
whole_batch(const uint8_t *p, size_t n, int64_t base, int64_t last,
    struct refdec_batch *b, struct refdec_buf *buf,
    struct refdec_cursor *records)
{
	int verdict = refdec_batch(p, n, 64 << 20, b);

	if (verdict)
		return verdict;
	if (b->base < base || b->base <= last ||
	    b->base + b->last_delta - base > INT32_MAX)
		return REFDEC_CORRUPT; /* 4.2 */
	*records = refdec_section(b, p, buf);
	return refdec_records(b, *records, NULL, NULL);
}

/* Batches one after another, up to the first that is not good (10). */
static int
log_file(const uint8_t *p, size_t n, int batches, struct print *print)
{
	static const char *const names[] = {"good", "torn", "corrupt", "newer"};
	struct refdec_buf buf = {.limit = 64 << 20};
	struct refdec_cursor records;
	struct refdec_batch b;
	int64_t last = -1;
	int verdict = REFDEC_GOOD;

	for (size_t at = 0; at < n && !verdict; at += b.size) {
		verdict = whole_batch(
		    p + at, n - at, print->base, last, &b, &buf, &records);
		if (p[at] == 0 && !memcmp(p + at, p + at + 1, n - at - 1))
			verdict = REFDEC_TORN; /* all zero */
		last = verdict ? last : b.base + b.last_delta;
		if (batches)
			print_batch(&b, at, names[verdict]);
		else if (!verdict && !(b.attributes & 32))
			refdec_records(&b, records, print_record, print);
	}
	free(buf.p);
	return verdict;
}

/* Entries of fixed fields, given by their sizes in bytes. */
static int
entries(const uint8_t *p, size_t n, const char *sizes)
{
	size_t entry = 0;

	for (const char *s = sizes; *s; s++)
		entry += (size_t)(*s - '0');
	for (; n >= entry; n -= entry) {
		for (const char *s = sizes; *s; p += *s++ - '0') {
			int bits = 64 - 8 * (*s - '0');
			int64_t v = (int64_t)(refdec_be(p, *s - '0') << bits);
			printf("%c%lld", s == sizes ? '[' : ',',
			    (long long)(v >> bits));
		}
		puts("]");
	}
	return n ? REFDEC_TORN : REFDEC_GOOD;
}

static int
snapshot(const uint8_t *p, size_t n)
{
	if (n < 10 || refdec_be(p, 2) != 1 ||
	    refdec_be(p + 2, 4) != refdec_crc32c(p + 6, n - 6) ||
	    refdec_be(p + 6, 4) * 46 != n - 10)
		return REFDEC_CORRUPT;
	return entries(p + 10, n - 10, "82484848");
}

/* leader-epoch-checkpoint (6.2): version 0, the count, EPOCH OFFSET lines. */
static int
checkpoint(char *text)
{
	long long version, count, epoch, offset, last[2] = {-1, -1};
	int used, n = sscanf(text, "%lld\n%lld\n%n", &version, &count, &used);

	if (!*text)
		return REFDEC_GOOD; /* no entries yet */
	if (n != 2 || version != 0)
		return REFDEC_CORRUPT;
	for (text += used; count > 0; count--, text += used) {
		n = sscanf(text, "%lld %lld\n%n", &epoch, &offset, &used);
		if (n != 2 || epoch <= last[0] || offset <= last[1])
			return REFDEC_CORRUPT;
		printf("[%lld,%lld]\n", last[0] = epoch, last[1] = offset);
	}
	return count || *text ? REFDEC_CORRUPT : REFDEC_GOOD;
}

static char *
read_file(const char *name, size_t *n)
{
	FILE *f = fopen(name, "rb");
	long size = -1;
	char *p = NULL;

	if (f && !fseek(f, 0, SEEK_END))
		size = ftell(f);
	if (size >= 0 && !fseek(f, 0, SEEK_SET))
		p = calloc(1, (size_t)size + 1);
	*n = p ? fread(p, 1, (size_t)size, f) : 0;
	if (!p || *n < (size_t)size) {
		perror(name);
		exit(6);
	}
	fclose(f);
	return p;
}

/* TOPIC-P is the directory of the file, if that has such a name. */
static struct print
partition_of(char *path)
{
	char *slash = strrchr(path, '/');
	struct print print = {"", 0, 0};

	print.base = atoll(slash ? slash + 1 : path);
	if (!slash)
		return print;
	*slash = 0;
	slash = strrchr(path, '/');
	print.topic = slash ? slash + 1 : path;
	char *dash = strrchr(path, '-');
	if (dash)
		*dash = 0, print.partition = atoi(dash + 1);
	return print;
}

static int
any_file(char *name, int batches)
{
	size_t n;
	char *text = read_file(name, &n);
	const char *kind = strrchr(name, '.');
	const uint8_t *p = (const uint8_t *)text;
	struct print print;
	int verdict;

	kind = kind ? kind : "";
	if (!strcmp(kind, ".index"))
		verdict = entries(p, n, "44");
	else if (!strcmp(kind, ".timeindex"))
		verdict = entries(p, n, "84");
	else if (!strcmp(kind, ".txnindex"))
		verdict = entries(p, n, "28888");
	else if (!strcmp(kind, ".snapshot"))
		verdict = snapshot(p, n);
	else if (strstr(name, "leader-epoch-checkpoint"))
		verdict = checkpoint(text);
	else
		print = partition_of(name),
		verdict = log_file(p, n, batches, &print);
	free(text);
	return verdict;
}

int
main(int argc, char *argv[])
{
	int batches = argc > 1 && !strcmp(argv[1], "-b");

	if (argc < 2 + batches) {
		fputs("usage: refdec [-b] FILE...\n", stderr);
		return 2;
	}
	for (int i = 1 + batches; i < argc; i++) {
		int verdict = any_file(argv[i], batches);
		if (verdict > REFDEC_TORN)
			return 3;
	}
	return fflush(stdout) || ferror(stdout) ? 6 : 0;
}
