/*
 * clock.h - the two clocks
 */
#ifndef STREAM_BASE_CLOCK_H
#define STREAM_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970 UTC: what records are stamped with. */
int64_t stream_clock_now_ms(void);

/* Milliseconds that only go forward: what waiting is measured by. */
int64_t stream_clock_steady_ms(void);

/* The same in nanoseconds. */
int64_t stream_clock_steady_ns(void);

#endif
