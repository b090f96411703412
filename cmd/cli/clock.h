/*
 * cli/clock.h - time that only goes forward
 */
#ifndef CLI_CLOCK_H
#define CLI_CLOCK_H

#include <stdint.h>

/* Milliseconds since some moment: for waiting and for rates.  May be called in
 * a signal handler. */
int64_t cli_clock_ms(void);

#endif
