#include "base/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
put(struct stream_error *err, enum stream_status status, int sys, uint64_t pos,
    const char *format, va_list args)
{
	err->status = status;
	err->sys = sys;
	err->pos = pos;
	vsnprintf(err->text, sizeof(err->text), format, args);
}

int
stream_fail(struct stream_error *err, enum stream_status status, uint64_t pos,
    const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return status;
	va_start(args, format);
	put(err, status, 0, pos, format, args);
	va_end(args);
	return status;
}

static enum stream_status
status_of(int sys)
{
	if (sys == ENOENT || sys == ENOTDIR)
		return STREAM_ENOENT;
	return sys == ENOMEM ? STREAM_ENOMEM : STREAM_EIO;
}

int
stream_fail_sys(struct stream_error *err, const char *format, ...)
{
	int sys = errno;
	enum stream_status status = status_of(sys);
	size_t used;
	va_list args;

	if (err == NULL)
		return status;
	va_start(args, format);
	put(err, status, status == STREAM_EIO ? sys : 0, STREAM_POS_NONE,
	    format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s",
	    strerrordesc_np(sys) != NULL ? strerrordesc_np(sys)
					 : "unknown error");
	return status;
}

int
stream_fail_in(struct stream_error *err, int status, const char *format, ...)
{
	char inner[sizeof(err->text)];
	size_t used;
	va_list args;

	if (err == NULL)
		return status;
	memcpy(inner, err->text, sizeof(inner));
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
	return err->status;
}

int
stream_fail_memory(struct stream_error *err)
{
	return stream_fail(
	    err, STREAM_ENOMEM, STREAM_POS_NONE, "out of memory");
}
