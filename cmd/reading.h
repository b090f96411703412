/*
 * reading.h - what consume and tail share: options, output, the loop
 */
#ifndef READING_H
#define READING_H

#include <stream/reader.h>

#include "printing.h"

/* Filled by the option tables of all tools that read records. */
struct reader_opts {
	bool durable;
	bool clamp;
	bool skip_corrupt;
	int isolation; /* in the order of the option's words */
	int64_t max_batch_bytes;
	int64_t lock_timeout_ms;
};

/* The rows of the table for struct reader_opts. */
extern const struct cli_option reader_options[];

/* What they mean; range and callbacks are left open. */
struct stream_reader_options reader_options_for(const struct reader_opts *opts);

/* Filled by the option tables of consume and tail. */
struct reading_opts {
	struct printing_opts printing;
	struct reader_opts reader;
	bool follow;
};

/* The row of the table that is not of the two above. */
extern const struct cli_option reading_options[];

/* What a tool asks for beyond the shared options. */
struct reading {
	const struct reading_opts *opts;
	int64_t limit; /* records in all, -1: any number */
	int64_t last;  /* begin at the last N of each partition where the
			  address names no start; -1: at the start */
	const char *partitions; /* -p: as after ':' in an address; or NULL */
	const char *offset;     /* -o: as after '@'; or NULL */
};

/* Print the records of the addresses.  The whole of the tool. */
enum cli_exit reading_run(struct cli_context *context,
    const struct reading *reading, char *const *addresses, int count);

/* Does the range stop somewhere?  Of one that does not, all that there is by
 * the time counts. */
bool reading_has_end(const struct stream_range *range);

/*
 * While a log is read to the end that it had, newer records of a key can be
 * appended and a compaction take away the older ones that were not read yet:
 * then the key was in none of what was read.  So whoever wants the newest of a
 * range without an end reads what was appended meanwhile, and again until
 * nothing was; so often at most.
 */
enum { READING_TIMES = 100 };

/* The range of what was appended since end. */
struct stream_range reading_since(int64_t end);

#endif
