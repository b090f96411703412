/*
 * generate - the benchmark corpus: lines of key, TAB, JSON
 *
 *	generate [-n LINES] [-s SEED]
 *
 * The same arguments always give the same bytes.  About 125 bytes a line;
 * 5,000,000 lines (the default) hold exactly 922,822 distinct keys, another
 * number of lines the same share.  Keys are skewed as in a log of clicks: the
 * nth most frequent is about 1/n as frequent as the first.  Timestamps rise.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 5000000, KEYS = 922822, LINE_MAX_SIZE = 256 };

struct generator {
	uint64_t random; /* state */
	uint64_t ts_ms;
	uint64_t keys; /* introduced so far */
};

/* splitmix64: small, seedable, and good enough for made-up clicks. */
static uint64_t
next_random(struct generator *g)
{
	uint64_t z = g->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/*
 * Density 1/x over the keys there are: a uniform power of two, then uniform
 * within it.
 */
static uint64_t
skewed_key(struct generator *g)
{
	uint64_t r = next_random(g);
	unsigned bits = 64 - (unsigned)__builtin_clzll(g->keys);
	uint64_t low = (uint64_t)1 << (r >> 32) % bits;
	uint64_t rank = low + (uint32_t)r % low;

	return rank > g->keys ? rank - low : rank - 1;
}

/* The keys come in at an even pace, so that each is there at least once. */
static uint64_t
next_key(struct generator *g, uint64_t line)
{
	uint64_t due = line * KEYS / LINES + 1;

	return due > g->keys ? g->keys++ : skewed_key(g);
}

static char *
put(char *to, const char *text, size_t size)
{
	memcpy(to, text, size);
	return to + size;
}

#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

static char *
put_number(char *to, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	return put(to, digits + i, sizeof(digits) - i);
}

/* Keys neither rise nor share a prefix: an odd factor permutes 32 bits. */
static char *
put_key(char *to, uint64_t key)
{
	uint32_t mixed = (uint32_t)key * 0x9e3779b1;

	*to++ = 'u';
	for (int shift = 28; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[mixed >> shift & 15];
	return to;
}

static char *
put_line(char *to, struct generator *g, uint64_t key)
{
	static const char actions[4][8] = {"view", "search", "cart", "buy"};
	uint64_t r = next_random(g);
	const char *action = actions[(r & 15) % 7 % 4];

	g->ts_ms += (r >> 4) % 5;
	to = put_key(to, key);
	to = PUT(to, "\t{\"ts\":");
	to = put_number(to, g->ts_ms);
	to = PUT(to, ",\"user\":\"");
	to = put_key(to, key);
	to = PUT(to, "\",\"action\":\"");
	to = put(to, action, strlen(action));
	to = PUT(to, "\",\"page\":\"/shop/item/");
	to = put_number(to, (r >> 8) % 100000);
	to = PUT(to, "\",\"ms\":");
	to = put_number(to, (r >> 32) % 2000);
	to = PUT(to, ",\"status\":");
	to = put(to, (r >> 44) % 50 == 0 ? "404" : "200", 3);
	to = PUT(to, ",\"ok\":true}\n");
	return to;
}

static void
write_all(const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			perror("generate");
			exit(1);
		}
		bytes += n;
		size -= (size_t)n;
	}
}

static void
generate(struct generator *g, uint64_t lines)
{
	static char buffer[1 << 18];
	char *to = buffer;

	for (uint64_t line = 0; line < lines; line++) {
		if (buffer + sizeof(buffer) - to < LINE_MAX_SIZE) {
			write_all(buffer, (size_t)(to - buffer));
			to = buffer;
		}
		to = put_line(to, g, next_key(g, line));
	}
	write_all(buffer, (size_t)(to - buffer));
}

int
main(int argc, char *argv[])
{
	struct generator g = {.ts_ms = 1767225600000};
	uint64_t lines = LINES;

	for (int c; (c = getopt(argc, argv, "n:s:")) != -1;) {
		if (c == 'n') {
			lines = strtoull(optarg, NULL, 10);
		} else if (c == 's') {
			g.random = strtoull(optarg, NULL, 10);
		} else {
			fputs("usage: generate [-n LINES] [-s SEED]\n", stderr);
			return 2;
		}
	}
	generate(&g, lines);
	return 0;
}
