#include "log/clean.h"

static void
add_amount(struct stream_clean_amount *to, const struct stream_clean_amount *of)
{
	to->bytes += of->bytes;
	to->batches += of->batches;
	to->records += of->records;
	to->tombstones += of->tombstones;
	to->markers += of->markers;
}

void
stream_clean_stats_add(
    struct stream_clean_stats *to, const struct stream_clean_stats *of)
{
	add_amount(&to->in, &of->in);
	add_amount(&to->out, &of->out);
	to->aborted += of->aborted;
	to->no_key += of->no_key;
	to->superseded += of->superseded;
	to->expired += of->expired;
	to->copied += of->copied;
	to->remade += of->remade;
	to->emptied += of->emptied;
	to->gone += of->gone;
	to->horizons += of->horizons;
}
