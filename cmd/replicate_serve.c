/*
 * replicate_serve.c - the other side of a step
 *
 * Reads a request as replicate_side.c writes it and does the step here.  Who
 * asks has a login on this machine and can do as much by himself; still a line
 * that is not understood ends it, since it may ask for care.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stream/parse.h>

#include "cli/signals.h"
#include "replicate.h"

enum { READ = 1 << 16, REQUEST_LIMIT = 1 << 30 };

struct serving {
	struct replicate_opts opts;
	struct side_request request;
	char *store; /* lent by the text */
	char *have;  /* owned */
	int64_t have_size;
	bool has_step;
};

static int
read_all(char **text, struct stream_error *err)
{
	size_t size = 0, room = READ;
	char *read_so_far = malloc(room + 1);

	while (read_so_far != NULL) {
		ssize_t n = read(STDIN_FILENO, read_so_far + size, room - size);

		if (n < 0 && errno == EINTR && cli_signals_pending() == 0)
			continue;
		if (n < 0 || size > REQUEST_LIMIT) {
			free(read_so_far);
			return n < 0 ? cli_fail_sys(err, "cannot read")
				     : cli_fail(err, STREAM_EUSAGE,
					   "the request is too long");
		}
		if (n == 0)
			break;
		size += (size_t)n;
		if (size == room) {
			char *bigger = realloc(read_so_far, room * 2 + 1);

			if (bigger == NULL)
				free(read_so_far);
			read_so_far = bigger;
			room *= 2;
		}
	}
	if (read_so_far == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	read_so_far[size] = '\0';
	*text = read_so_far;
	return STREAM_OK;
}

static int
digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* In place; false: no such text can have been written. */
static bool
unescape(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++) {
		if (*text != '%') {
			*to++ = *text;
			continue;
		}
		if (digit(text[1]) < 0 || digit(text[2]) < 0 ||
		    (text[1] == '0' && text[2] == '0'))
			return false;
		*to++ = (char)(digit(text[1]) * 16 + digit(text[2]));
		text += 2;
	}
	*to = '\0';
	return true;
}

static int
add(struct cli_list *list, const char *word, struct stream_error *err)
{
	void *bigger =
	    reallocarray(list->items, list->count + 1, sizeof(*list->items));

	if (bigger == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	list->items = bigger;
	list->items[list->count++] = word;
	return STREAM_OK;
}

static int
take_line(struct serving *s, char *line, struct stream_error *err)
{
	char *value = strchr(line, ' ');
	int64_t number;

	if (value != NULL)
		*value++ = '\0';
	if (value != NULL && !unescape(value))
		return cli_fail(err, STREAM_EUSAGE, "the request is damaged");
	if (value == NULL) {
		if (strcmp(line, "verify") == 0)
			s->opts.verify = true;
		else if (strcmp(line, "truncate") == 0)
			s->opts.truncate = true;
		else if (strcmp(line, "delete") == 0)
			s->opts.remove = true;
		else if (strcmp(line, "network") == 0)
			s->opts.network = true;
		else if (strcmp(line, "if-unlocked") == 0)
			s->opts.if_unlocked = true;
		else
			return cli_fail(err, STREAM_EUSAGE,
			    "the request is of another version of strm");
		return STREAM_OK;
	}
	if (strcmp(line, "store") == 0)
		s->store = value;
	else if (strcmp(line, "of") == 0)
		s->request.of = value;
	else if (strcmp(line, "id") == 0)
		s->request.id = value;
	else if (strcmp(line, "have") == 0)
		return stream_parse_int(
		    value, 1, REQUEST_LIMIT, &s->have_size, err);
	else if (strcmp(line, "include") == 0)
		return add(&s->opts.include, value, err);
	else if (strcmp(line, "exclude") == 0)
		return add(&s->opts.exclude, value, err);
	else if (strcmp(line, "timeout") == 0)
		return stream_parse_int(
		    value, 0, INT64_MAX, &s->opts.lock_timeout_ms, err);
	else if (strcmp(line, "step") == 0) {
		if (stream_parse_int(value, SIDE_HAVE, SIDE_LAST, &number,
			NULL) != STREAM_OK)
			return cli_fail(err, STREAM_EUSAGE,
			    "the request is of another version of strm");
		s->request.step = (enum side_step)number;
		s->has_step = true;
	} else
		return cli_fail(err, STREAM_EUSAGE,
		    "the request is of another version of strm");
	return STREAM_OK;
}

/* What the replica said stands before the rest. */
static int
take_have(struct serving *s, struct stream_error *err)
{
	size_t size = (size_t)s->have_size;

	if (strlen(s->request.input) < size)
		return cli_fail(err, STREAM_EUSAGE, "the request is cut short");
	s->have = strndup(s->request.input, size);
	if (s->have == NULL)
		return cli_fail(err, STREAM_ENOMEM, "out of memory");
	s->request.have = s->have;
	s->request.input += size;
	return STREAM_OK;
}

static int
take(struct serving *s, char *text, struct stream_error *err)
{
	static const char head[] = "strm-request 1\n";
	int status = STREAM_OK;

	if (strncmp(text, head, sizeof(head) - 1) != 0)
		return cli_fail(
		    err, STREAM_EUSAGE, "no request of this version of strm");
	text += sizeof(head) - 1;
	while (status == STREAM_OK && *text != '\n') {
		char *stop = strchr(text, '\n');

		if (stop == NULL)
			return cli_fail(
			    err, STREAM_EUSAGE, "the request is cut short");
		*stop = '\0';
		status = take_line(s, text, err);
		text = stop + 1;
	}
	s->request.input = text + 1;
	if (status == STREAM_OK && s->have_size > 0)
		status = take_have(s, err);
	if (status == STREAM_OK && (s->store == NULL || !s->has_step))
		status = cli_fail(
		    err, STREAM_EUSAGE, "the request lacks a store or a step");
	return status;
}

static int
answer(const char *text, struct stream_error *err)
{
	struct cli_out out;
	int status = cli_out_open(&out, STDOUT_FILENO, true, err);

	if (status != STREAM_OK)
		return status;
	cli_out_text(&out, text);
	return cli_out_close(&out, err);
}

/* Files will be moved: then rsync is needed here too. */
static int
check_rsync(const struct serving *s, struct stream_error *err)
{
	struct rsync_question question;
	bool bare;
	int status;

	if (s->request.step != SIDE_HAVE && s->request.step != SIDE_PREPARE)
		return STREAM_OK;
	status = rsync_ask(NULL, &question, err);
	return status == STREAM_OK ? rsync_answer(&question, &bare, err)
				   : status;
}

static int
serve(struct serving *s, struct stream_error *err)
{
	char *output = NULL;
	int status;

	if (s->request.step == SIDE_WATCH)
		return side_watch_serve(s->store, &s->opts, err);
	if (s->request.step == SIDE_LOCK)
		return side_lock_serve(s->store, s->request.id, &s->opts, err);
	status = side_do_here(s->store, &s->request, &s->opts, &output, err);
	if (status == STREAM_OK)
		status = answer(output, err);
	free(output);
	return status;
}

enum cli_exit
side_serve(void)
{
	struct serving s = {.has_step = false};
	struct stream_error err, lost;
	char *text = NULL;
	int status = read_all(&text, &err);

	if (status == STREAM_OK) {
		status = take(&s, text, &err);
		/* No fault of the words that someone typed there. */
		if (status == STREAM_EUSAGE)
			err.status = status = STREAM_EIO;
	}
	if (status == STREAM_OK)
		status = check_rsync(&s, &err);
	if (status == STREAM_OK)
		status = serve(&s, &err);
	free(s.have);
	free(s.opts.include.items);
	free(s.opts.exclude.items);
	free(text);
	if (status == STREAM_EINTR)
		cli_signals_raise();
	if (status == STREAM_OK)
		return CLI_DONE;
	if (answer_failed(&err, &lost) != STREAM_OK)
		cli_report(NULL, &lost);
	return cli_status(status);
}
