/*
 * syncloop - the bare loop that a durable append is measured against
 *
 *	syncloop COUNT SIZE FILE
 *
 * Appends COUNT blocks of SIZE bytes to a new FILE with pwrite, each followed
 * by fdatasync.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char *argv[])
{
	static char block[1 << 20];
	long count = argc == 4 ? atol(argv[1]) : 0;
	size_t size = argc == 4 ? (size_t)atol(argv[2]) : 0;
	int fd;

	if (count < 1 || size < 1 || size > sizeof(block)) {
		fputs("usage: syncloop COUNT SIZE FILE\n", stderr);
		return 2;
	}
	memset(block, 'x', sizeof(block));
	fd = open(argv[3], O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
	for (long i = 0; fd >= 0 && i < count; i++) {
		if (pwrite(fd, block, size, i * (off_t)size) != (ssize_t)size ||
		    fdatasync(fd) < 0)
			break;
		if (i + 1 == count)
			return 0;
	}
	perror(argv[3]);
	return 1;
}
