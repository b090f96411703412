/*
 * printing.h - records to output, in the way that was asked for
 */
#ifndef PRINTING_H
#define PRINTING_H

#include <stdbool.h>

#include <stream/jsonl.h>

#include "cli/output.h"

struct printing;

struct printing_opts {
	const char *format; /* -f, or NULL */
	bool json;
	struct stream_bytes key_delimiter; /* data NULL: no key */
	struct stream_bytes delimiter;     /* data NULL: a newline */
	bool nul;
};

/* Compile what was asked for; borrows the texts and delimiters for the life
 * of the object.  Gives *printing; printing_free().  STREAM_EUSAGE,
 * STREAM_ENOMEM. */
int printing_new(const struct printing_opts *opts, struct printing **printing,
    struct stream_error *err);

/* NULL is allowed. */
void printing_free(struct printing *printing);

/* Print records (borrowed).  A failure of the output itself is kept by out.
 * STREAM_EUSAGE when a number does not fit the format. */
int printing_put(struct printing *printing, struct cli_out *out,
    const struct stream_origin *origin, const struct stream_record *records,
    size_t count, struct stream_error *err);

#endif
