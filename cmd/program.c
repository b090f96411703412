#include "program.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
program_find(const char *name, char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	if (n > 0) {
		path[n] = '\0';
		slash = strrchr(path, '/');
		n = slash != NULL ? slash + 1 - path : 0;
	}
	if (n > 0 && (size_t)n + strlen(name) < size) {
		strcpy(path + n, name);
		if (access(path, X_OK) == 0)
			return;
	}
	snprintf(path, size, "%s", name);
}

void
program_become(const char *name, char *argv[])
{
	char path[4096];

	program_find(name, path, sizeof(path));
	execvp(path, argv);
}
