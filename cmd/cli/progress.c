#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/clock.h"

enum {
	/* Work that is done at once needs no display. */
	FIRST_MS = 500,
	EVERY_MS = 100
};

/* A failure is not told: where? */
static void
draw(const char *text)
{
	ssize_t took = write(STDERR_FILENO, text, strlen(text));

	(void)took;
}

bool
cli_progress_is_seen(const struct cli_context *context)
{
	return !context->quiet && isatty(STDERR_FILENO);
}

void
cli_progress_begin(struct cli_progress *progress,
    const struct cli_context *context, uint64_t total)
{
	*progress = (struct cli_progress){
	    .shown = cli_progress_is_seen(context),
	    .total = total,
	    .start_ms = cli_clock_ms(),
	};
}

/* "1.2 GiB": three digits at most before the unit. */
static void
put_size(double bytes, char *text, size_t size)
{
	static const char *const units[] = {
	    "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	size_t i = 0;

	for (; bytes >= 999.5 && i < 6; i++)
		bytes /= 1024;
	snprintf(text, size, bytes < 9.95 && i > 0 ? "%.1f %s" : "%.0f %s",
	    bytes, units[i]);
}

/* "0:07", "12:40", "3:05:00". */
static void
put_time(double seconds, char *text, size_t size)
{
	int64_t s = seconds > 1e9 ? 1000000000 : (int64_t)(seconds + 0.5);

	if (s < 3600)
		snprintf(text, size, "%d:%02d", (int)(s / 60), (int)(s % 60));
	else
		snprintf(text, size, "%d:%02d:%02d", (int)(s / 3600),
		    (int)(s / 60 % 60), (int)(s % 60));
}

void
cli_progress_line(uint64_t done, uint64_t total, int64_t elapsed_ms, char *text)
{
	double rate =
	    (double)done * 1000 / (double)(elapsed_ms > 0 ? elapsed_ms : 1);
	char is[16], of[16], speed[16], left[16];

	/* A log may grow while it is read. */
	if (total != 0 && done > total)
		done = total;
	put_size((double)done, is, sizeof(is));
	put_size(rate, speed, sizeof(speed));
	if (total == 0) {
		snprintf(text, CLI_PROGRESS_LINE, "%s  %s/s", is, speed);
		return;
	}
	put_size((double)total, of, sizeof(of));
	put_time(
	    rate > 0 ? (double)(total - done) / rate : 0, left, sizeof(left));
	snprintf(text, CLI_PROGRESS_LINE, "%3d%%  %s of %s  %s/s  %s left",
	    (int)((double)done * 100 / (double)total), is, of, speed, left);
}

void
cli_progress_update(struct cli_progress *progress, uint64_t done)
{
	char line[CLI_PROGRESS_LINE], text[CLI_PROGRESS_LINE + 8];
	int64_t now = progress->shown ? cli_clock_ms() : 0;

	if (!progress->shown || now - progress->start_ms < FIRST_MS ||
	    now - progress->drawn_ms < EVERY_MS)
		return;
	cli_progress_line(
	    done, progress->total, now - progress->start_ms, line);
	snprintf(text, sizeof(text), "\r%s\033[K", line);
	draw(text);
	progress->drawn = true;
	progress->drawn_ms = now;
}

void
cli_progress_clear(struct cli_progress *progress)
{
	if (progress->drawn)
		draw("\r\033[K");
	progress->drawn = false;
}
