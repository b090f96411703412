/*
 * parse_nearest.c - the name that someone probably meant
 */
#include <stream/parse.h>

#include <string.h>

/* Longer than any name of ours; what is longer is near to none. */
enum { LONGEST = 64 };

static unsigned
least_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool
are_same(char a, char b)
{
	/* ASCII letters differ by this bit between the cases. */
	return a == b ||
	       ((a ^ b) == 0x20 && (a | 0x20) >= 'a' && (a | 0x20) <= 'z');
}

/*
 * How many letters to add, drop, change or swap with their neighbour to get
 * from a to b: the restricted Damerau-Levenshtein distance, of which only the
 * last three rows are kept.
 */
static unsigned
distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	unsigned rows[3][LONGEST + 1];

	for (unsigned j = 0; j <= b_size; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a_size; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i - 1) % 3];
		const unsigned *swapped = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= b_size; j++) {
			unsigned change = !are_same(a[i - 1], b[j - 1]);

			row[j] = least_of(above[j - 1] + change,
			    least_of(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && are_same(a[i - 1], b[j - 2]) &&
			    are_same(a[i - 2], b[j - 1]))
				row[j] = least_of(row[j], swapped[j - 2] + 1);
		}
	}
	return rows[a_size % 3][b_size];
}

const char *
stream_parse_nearest(const char *text, const char *const *names, size_t count)
{
	size_t size = strlen(text);
	const char *best = NULL;
	unsigned best_distance = LONGEST + 1;

	if (size > LONGEST)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t name_size = strlen(names[i]);
		size_t longer = size > name_size ? size : name_size;
		unsigned d;

		if (name_size > LONGEST)
			continue;
		d = distance(text, size, names[i], name_size);
		if (d * 3 <= longer && d < best_distance) {
			best = names[i];
			best_distance = d;
		}
	}
	return best;
}
