/*
 * archive_main.c - strm-archive, the one program that is linked with libarchive
 *
 * Under the name strm-restore it restores, and as strm-in-place it runs a
 * command of strm that was given an archive.
 */
#include <locale.h>
#include <string.h>

#include "archive_commands.h"
#include "cli/command.h"
#include "program.h"

static const char *
own_name(const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;

	return slash != NULL ? slash + 1 : path != NULL ? path : "";
}

int
main(int argc, char *argv[])
{
	/* libarchive turns names into the locale's letters. */
	setlocale(LC_CTYPE, "C.UTF-8");
	if (strcmp(own_name(argv[0]), "strm-restore") == 0)
		return cli_main(&restore_command, argc, argv);
	if (strcmp(own_name(argv[0]), IN_PLACE_NAME) == 0 && argc > 1)
		return archive_in_place(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "ls") == 0)
		return cli_main(&archive_ls_command, argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "verify") == 0)
		return cli_main(&archive_verify_command, argc - 1, argv + 1);
	return cli_main(&archive_command, argc, argv);
}
