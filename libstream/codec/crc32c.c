#include "codec/crc32c.h"

#include <isa-l/crc.h>

uint32_t
stream_crc32(const void *bytes, size_t n)
{
	return crc32_gzip_refl(0, bytes, n);
}

uint32_t
stream_crc32c(const void *bytes, size_t n)
{
	return stream_crc32c_more(0, bytes, n);
}

uint32_t
stream_crc32c_more(uint32_t so_far, const void *bytes, size_t n)
{
	/* ISA-L takes and returns the register itself, not its complement,
	 * and its prototype lacks a const. */
	union {
		const void *in;
		unsigned char *out;
	} pointer = {.in = bytes};

	return ~crc32_iscsi(pointer.out, (int)n, ~so_far);
}
