/*
 * printing.h - records to output, in the way that was asked for
 */
#ifndef PRINTING_H
#define PRINTING_H

#include <stdbool.h>

#include <stream/jsonl.h>

#include "cli/options.h"
#include "cli/output.h"

struct printing;

/* Filled by the option tables of all tools that print records. */
struct printing_opts {
	const char *format; /* -f, or NULL */
	bool json;
	struct stream_bytes key_delimiter; /* data NULL: no key */
	struct stream_bytes delimiter;     /* data NULL: a newline */
	bool nul;
	bool raw;
};

/* The rows of the table for struct printing_opts. */
extern const struct cli_option printing_options[];

/* Compile what was asked for; borrows the texts and delimiters for the life
 * of the object.  Gives *printing; printing_free().  STREAM_EUSAGE,
 * STREAM_ENOMEM. */
int printing_new(const struct printing_opts *opts, struct printing **printing,
    struct stream_error *err);

/* The same, and open standard output for it. */
int printing_open(const struct printing_opts *opts, struct cli_out *out,
    struct printing **printing, struct stream_error *err);

/*
 * What was printed is flushed whatever ended the work; status and err say what
 * that was, STREAM_END being well.  A closed pipe is a silent death, as for
 * cat.
 */
enum cli_exit printing_conclude(
    struct cli_out *out, int status, struct stream_error *err);

/* NULL is allowed. */
void printing_free(struct printing *printing);

/* Print records (borrowed).  A failure of the output itself is kept by out.
 * STREAM_EUSAGE when a number does not fit the format. */
int printing_put(struct printing *printing, struct cli_out *out,
    const struct stream_origin *origin, const struct stream_record *records,
    size_t count, struct stream_error *err);

#endif
