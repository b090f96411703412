#include "base/decimal.h"

#include <string.h>

/* Two digits at a time: half the divisions. */
static const char pairs[] =
    "00010203040506070809101112131415161718192021222324"
    "25262728293031323334353637383940414243444546474849"
    "50515253545556575859606162636465666768697071727374"
    "75767778798081828384858687888990919293949596979899";

/* The number of digits is known first, so that they are written in place. */
static unsigned
count_digits(uint64_t value)
{
	unsigned n = 1;

	for (; value >= 10000; value /= 10000)
		n += 4;
	return n + (value >= 10) + (value >= 100) + (value >= 1000);
}

uint8_t *
stream_decimal_put_unsigned(uint64_t value, uint8_t *to)
{
	uint8_t *end = to + count_digits(value);
	uint8_t *p = end;

	for (; value >= 100; value /= 100) {
		p -= 2;
		memcpy(p, pairs + 2 * (value % 100), 2);
	}
	if (value >= 10)
		memcpy(p - 2, pairs + 2 * value, 2);
	else
		p[-1] = (uint8_t)('0' + value);
	return end;
}

uint8_t *
stream_decimal_put(int64_t value, uint8_t *to)
{
	if (value >= 0)
		return stream_decimal_put_unsigned((uint64_t)value, to);
	*to = '-';
	return stream_decimal_put_unsigned(0 - (uint64_t)value, to + 1);
}
