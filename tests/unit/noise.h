/*
 * noise.h - what can happen to the bytes of files that are only hints
 */
#ifndef NOISE_H
#define NOISE_H

#include "fixture.h"

/* Change *size bytes of entries of so many bytes each. */
typedef void noise_function(
    uint8_t *bytes, size_t *size, size_t entry, uint32_t *seed);

static inline void
flip_bit(uint8_t *bytes, size_t *size, size_t entry, uint32_t *seed)
{
	(void)entry;
	if (*size > 0)
		bytes[fx_random(seed) % *size] ^=
		    (uint8_t)(1 << fx_random(seed) % 8);
}

static inline void
flip_byte(uint8_t *bytes, size_t *size, size_t entry, uint32_t *seed)
{
	(void)entry;
	if (*size > 0)
		bytes[fx_random(seed) % *size] ^= 0xff;
}

static inline void
fill_all(uint8_t *bytes, size_t *size, size_t entry, uint32_t *seed)
{
	(void)entry;
	for (size_t i = 0; i < *size; i++)
		bytes[i] = (uint8_t)fx_random(seed);
}

static inline void
fill_small(uint8_t *bytes, size_t *size, size_t entry, uint32_t *seed)
{
	(void)entry;
	for (size_t i = 0; i < *size; i++)
		bytes[i] = i % 4 == 3 ? (uint8_t)fx_random(seed) : 0;
}

static inline void
reverse(uint8_t *bytes, size_t *size, size_t entry, uint32_t *seed)
{
	(void)seed;
	for (size_t i = 0, j = *size / entry; i + 1 < j; i++) {
		uint8_t kept[16];

		j--;
		memcpy(kept, bytes + i * entry, entry);
		memcpy(bytes + i * entry, bytes + j * entry, entry);
		memcpy(bytes + j * entry, kept, entry);
	}
}

static inline void
swap_two(uint8_t *bytes, size_t *size, size_t entry, uint32_t *seed)
{
	size_t n = *size / entry;
	uint8_t *a = bytes + fx_random(seed) % (n + !n) * entry;
	uint8_t *b = bytes + fx_random(seed) % (n + !n) * entry;
	uint8_t kept[16];

	if (n == 0)
		return;
	memcpy(kept, a, entry);
	memmove(a, b, entry);
	memcpy(b, kept, entry);
}

/* The position, or the relative offset of a time, of another entry. */
static inline void
swap_last_fields(uint8_t *bytes, size_t *size, size_t entry, uint32_t *seed)
{
	size_t n = *size / entry;
	uint8_t *a = bytes + fx_random(seed) % (n + !n) * entry + entry - 4;
	uint8_t *b = bytes + fx_random(seed) % (n + !n) * entry + entry - 4;
	uint8_t kept[4];

	if (n == 0)
		return;
	memcpy(kept, a, 4);
	memmove(a, b, 4);
	memcpy(b, kept, 4);
}

static inline void
cut(uint8_t *bytes, size_t *size, size_t entry, uint32_t *seed)
{
	(void)bytes;
	(void)entry;
	*size = *size > 0 ? fx_random(seed) % *size : 0;
}

static inline void
zero_rest(uint8_t *bytes, size_t *size, size_t entry, uint32_t *seed)
{
	size_t from = *size > 0 ? fx_random(seed) % *size : 0;

	(void)entry;
	memset(bytes + from, 0, *size - from);
}

static inline void
repeat_first(uint8_t *bytes, size_t *size, size_t entry, uint32_t *seed)
{
	(void)seed;
	for (size_t i = entry; i + entry <= *size; i += entry)
		memcpy(bytes + i, bytes, entry);
}

static noise_function *const noises[] = {flip_bit, flip_byte, fill_all,
    fill_small, reverse, swap_two, swap_last_fields, cut, zero_rest,
    repeat_first};

/* Change the file of entries in the way of that number; it may be missing. */
static inline void
disturb(const struct temp_dir *dir, const char *name, size_t entry,
    size_t noise, uint32_t *seed)
{
	struct stream_buf file;
	size_t size;

	if (fx_get(dir, name, &file) < 0)
		return;
	size = file.size;
	noises[noise](file.data, &size, entry, seed);
	fx_put(dir, name, file.data, size);
	stream_buf_release(&file);
}

#endif
