/*
 * remote.h - HOST:DIR, and a command there over ssh
 *
 * No shell of this machine sees a word of it.  The other side's does, as ssh
 * has it: each word is quoted for that one.
 */
#ifndef REMOTE_H
#define REMOTE_H

#include <stdbool.h>
#include <stddef.h>

#include <stream/error.h>

enum { REMOTE_HOST_SIZE = 256 };

struct remote_place {
	bool is_remote;
	char host[REMOTE_HOST_SIZE]; /* [USER@]HOST */
	const char *path;            /* lent by the word */
};

/*
 * Take a word (borrowed, kept) apart.  It is HOST:DIR when a colon comes before
 * any slash.  STREAM_EUSAGE for a host with other characters than letters,
 * digits, '.', '_' and '-', or that begins with '-' or '.', and for a directory
 * there that is no absolute path.
 */
int remote_parse(
    const char *word, struct remote_place *place, struct stream_error *err);

/* How ssh is called; NULL is its own. */
struct remote_ssh {
	const char *config;  /* its configuration file */
	const char *program; /* what strm is called there; NULL: strm */
};

/*
 * The words "ssh OPTIONS -- HOST" in front of a command, as an array that NULL
 * ends; quote each word that follows.  Given: free the array alone.
 */
char **remote_ssh_words(const struct remote_ssh *ssh, const char *host);

/* A word as the other side's shell reads it back; free it.  NULL: no memory. */
char *remote_quote(const char *word);

/*
 * Run "strm WORD..." (words end with NULL) on host, with this process's
 * standard output and error and nothing to read.  *code is how it exited.  A
 * signal that asks to stop is passed on.
 *
 * STREAM_EIO     ssh could not be run, or could not reach the host, or a signal
 *                ended it
 * STREAM_ENOMEM
 */
int remote_run(const struct remote_ssh *ssh, const char *host,
    const char *const *words, int *code, struct stream_error *err);

#endif
