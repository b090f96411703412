/* main.c - which target runs, and what surrounds it */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

static const struct fuzz_target *const targets[] = {
    &fuzz_target_batch,
    &fuzz_target_cleaned,
    &fuzz_target_records,
    &fuzz_target_codec,
    &fuzz_target_log,
    &fuzz_target_index,
    &fuzz_target_checkpoint,
    &fuzz_target_snapshot,
    &fuzz_target_txnindex,
    &fuzz_target_state,
    &fuzz_target_settings,
    &fuzz_target_jsonl,
    &fuzz_target_format,
    &fuzz_target_text,
    &fuzz_target_archive,
    &fuzz_target_manifest,
    &fuzz_target_apply,
};

static const struct fuzz_target *target;
static char directory[64];
static int directory_fd = -1;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(
    uint8_t *data, size_t size, size_t most, unsigned seed);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *slash = strrchr((*argv)[0], '/');
	const char *name = slash != NULL ? slash + 1 : (*argv)[0];

	(void)argc;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		if (strncmp(name, "fuzz-", 5) == 0 &&
		    strcmp(name + 5, targets[i]->name) == 0)
			target = targets[i];
	if (target != NULL)
		return 0;
	fprintf(stderr, "run it as fuzz-TARGET, where TARGET is:\n");
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		fprintf(stderr, "%s\n", targets[i]->name);
	exit(2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	target->run(data, size);
	return 0;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
	/* A fifth stays libFuzzer's own, which knows no format. */
	if (target->mutate == NULL || seed % 5 == 0)
		return LLVMFuzzerMutate(data, size, most);
	return target->mutate(data, size, most, seed);
}

/* A reader waits before it calls bytes bad, for a writer that is not there. */
int
nanosleep(const struct timespec *pause, struct timespec *left)
{
	(void)pause;
	(void)left;
	return 0;
}

void
fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

uint32_t
fuzz_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void
remove_directory(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	if (system(command) != 0)
		fprintf(stderr, "%s stays\n", directory);
}

int
fuzz_directory(void)
{
	const char *base = "/dev/shm";

	if (directory_fd >= 0)
		return directory_fd;
	if (access(base, W_OK) != 0)
		base = "/tmp";
	snprintf(directory, sizeof(directory), "%s/strm-fuzz-XXXXXX", base);
	FUZZ_CHECK(mkdtemp(directory) != NULL);
	atexit(remove_directory);
	directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(directory_fd >= 0);
	return directory_fd;
}

void
fuzz_put_file(const char *name, const uint8_t *data, size_t size)
{
	int fd = openat(fuzz_directory(), name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(size == 0 || write(fd, data, size) == (ssize_t)size);
	close(fd);
}

char *
fuzz_text(const uint8_t *data, size_t size)
{
	char *text;

	if (size > 0 && memchr(data, 0, size) != NULL)
		return NULL;
	text = malloc(size + 1);
	FUZZ_CHECK(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = 0;
	return text;
}
