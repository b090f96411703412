/*
 * cli/context.h - what every tool knows before it looks at its own options
 */
#ifndef CLI_CONTEXT_H
#define CLI_CONTEXT_H

#include <stdbool.h>

struct cli_context {
	const char *store; /* -C, else $STRM_DIR, else "."; never NULL */
	bool quiet;        /* -q: no notes, no progress */
	bool verbose;      /* -v: say what is done */
};

#endif
