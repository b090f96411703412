/*
 * xxh128 - XXH128 of standard input, in hexadecimal digits
 *
 * What xxh128sum prints, for tests that make the manifest of an archive right
 * again after a change; nothing of libstream's own.
 */
#include <stdio.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

int
main(void)
{
	static char bytes[1 << 20];
	XXH128_canonical_t digest;
	size_t n = fread(bytes, 1, sizeof(bytes), stdin);

	if (ferror(stdin) || !feof(stdin)) {
		fprintf(stderr, "xxh128: cannot read, or more than 1 MiB\n");
		return 1;
	}
	XXH128_canonicalFromHash(&digest, XXH3_128bits(bytes, n));
	for (size_t i = 0; i < sizeof(digest.digest); i++)
		printf("%02x", digest.digest[i]);
	putchar('\n');
	return 0;
}
