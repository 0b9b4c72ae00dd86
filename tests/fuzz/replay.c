/* SPDX-License-Identifier: MIT */
/*
 * Gives a fuzzer's corpus to its function once, without a fuzzer.
 *
 * The directory is $srcdir/fuzz/corpus/CORPUS; files may be named instead.
 * Each has a process of its own, so that one that crashes is counted.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FILE 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int passed, failed;

static void
feed(const char *path)
{
	static uint8_t data[MAX_FILE];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (file == NULL) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	exit(EXIT_SUCCESS);
}

static void
replay(const char *path)
{
	pid_t child;
	int status = -1;

	fflush(stdout);
	child = fork();
	if (child == 0)
		feed(path);
	if (child != -1 && waitpid(child, &status, 0) == child && status == 0) {
		passed++;
		return;
	}
	failed++;
	printf("%s: failed\n", path);
}

static void
replay_all(const char *directory)
{
	char path[8192];
	struct dirent *entry;
	DIR *dir = opendir(directory);

	if (dir == NULL) {
		perror(directory);
		exit(EXIT_FAILURE);
	}
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(
		    path, sizeof(path), "%.4095s/%s", directory, entry->d_name);
		replay(path);
	}
	if (errno != 0) {
		perror(directory);
		exit(EXIT_FAILURE);
	}
	closedir(dir);
}

int
main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];
	int i;

	if (argc == 2 &&
	    (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
		printf("usage: check_corpus [FILE]...\n");
		return EXIT_SUCCESS;
	}
	for (i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc == 1) {
		snprintf(path, sizeof(path), "%s/fuzz/corpus/%s",
		    srcdir == NULL ? "." : srcdir, CORPUS);
		replay_all(path);
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
