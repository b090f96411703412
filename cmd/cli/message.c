#include "cli/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>

#include "cli/escape.h"

/* A message is cut to this; a path of PATH_MAX is longer than what helps. */
enum { LINE = 2048 };

enum cli_exit
cli_status(int status)
{
	switch (status) {
	case STREAM_EUSAGE:
	case STREAM_ETOOBIG:
		return CLI_USAGE;
	case STREAM_ECORRUPT:
	case STREAM_ENEWER:
		return CLI_DAMAGED;
	case STREAM_ENOENT:
	case STREAM_EOFFSET:
		return CLI_NOT_FOUND;
	case STREAM_EBUSY:
	case STREAM_EFENCED:
		return CLI_BUSY;
	case STREAM_EEXIST:
		return CLI_NO;
	case STREAM_END:
	case STREAM_OK:
	case STREAM_ETORN:
		return CLI_DONE;
	default: /* EIO, ENOMEM, ELOST, EINTR, and what is not known */
		return CLI_SYSTEM;
	}
}

enum cli_exit
cli_first(enum cli_exit so_far, enum cli_exit next)
{
	return so_far != CLI_DONE ? so_far : next;
}

/* Escape and write one line at once.  A failure is not told: where? */
static void
write_line(const char *line, size_t size)
{
	uint8_t safe[LINE * CLI_ESCAPE_GROWTH + 1];
	size_t n = cli_escape(safe, (const uint8_t *)line, size, false);
	ssize_t took;

	safe[n++] = '\n';
	do
		took = write(STDERR_FILENO, safe, n);
	while (took < 0 && errno == EINTR);
}

__attribute__((format(printf, 2, 0))) static void
say(const char *subject, const char *format, va_list args)
{
	char line[LINE];
	int head, tail;
	size_t size;

	head = snprintf(line, sizeof(line), "strm: %s%s",
	    subject != NULL ? subject : "", subject != NULL ? ": " : "");
	size = head < LINE ? (size_t)head : LINE - 1;
	tail = vsnprintf(line + size, sizeof(line) - size, format, args);
	size += tail > 0 ? (size_t)tail : 0;
	if (size >= LINE) {
		size = LINE - 1;
		memcpy(line + size - 3, "...", 3);
	}
	write_line(line, size);
}

enum cli_exit
cli_report(const char *subject, const struct stream_error *err)
{
	if (err->status == STREAM_EINTR)
		return cli_status(err->status);
	return cli_complain(cli_status(err->status), subject, "%s", err->text);
}

enum cli_exit
cli_complain(enum cli_exit code, const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(subject, format, args);
	va_end(args);
	return code;
}

void
cli_note(const struct cli_context *context, const char *subject,
    const char *format, ...)
{
	va_list args;

	if (context->quiet)
		return;
	va_start(args, format);
	say(subject, format, args);
	va_end(args);
}

__attribute__((format(printf, 4, 0))) static void
fill(struct stream_error *err, enum stream_status status, int sys,
    const char *format, va_list args)
{
	err->status = status;
	err->sys = sys;
	err->pos = STREAM_POS_NONE;
	vsnprintf(err->text, sizeof(err->text), format, args);
}

int
cli_fail(struct stream_error *err, enum stream_status status,
    const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return status;
	va_start(args, format);
	fill(err, status, 0, format, args);
	va_end(args);
	return status;
}

static enum stream_status
status_of(int sys)
{
	switch (sys) {
	case ENOENT:
	case ENOTDIR:
		return STREAM_ENOENT;
	case ENOMEM:
		return STREAM_ENOMEM;
	case EINTR:
		return STREAM_EINTR;
	default:
		return STREAM_EIO;
	}
}

static const char *
text_of(int sys)
{
	const char *text = strerrordesc_np(sys);

	return text != NULL ? text : "unknown error";
}

int
cli_fail_sys(struct stream_error *err, const char *format, ...)
{
	int sys = errno;
	enum stream_status status = status_of(sys);
	size_t used;
	va_list args;

	if (err == NULL)
		return status;
	va_start(args, format);
	fill(err, status, status == STREAM_EIO ? sys : 0, format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(
	    err->text + used, sizeof(err->text) - used, ": %s", text_of(sys));
	return status;
}

/*
 * A file that was closed from the start is no loss when nothing was written
 * to it; fclose() cannot tell the two apart, so look before.  Closing counts:
 * some file systems tell of a full disk only then.
 */
enum cli_exit
cli_finish(enum cli_exit status)
{
	bool failed = ferror(stdout) != 0;
	bool pending = __fpending(stdout) != 0;

	errno = 0;
	if (fclose(stdout) != 0 && (pending || errno != EBADF))
		failed = true;
	if (!failed)
		return status;
	return cli_first(
	    status, cli_complain(CLI_SYSTEM, "standard output", "%s",
			errno != 0 ? text_of(errno) : "a write failed"));
}
