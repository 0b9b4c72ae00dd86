/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#define DEFAULT_PROGRAM "../docs/kvd/kvd"
#define DEFAULT_ON_TEST_DISK "./kvd_on_test_disk"
#define OPTIONS_MAX 12

static char home[KVD_PATH_MAX];
static const char *program;
static const char *program_on_test_disk;

static int
remove_one(
    const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

void
kvd_home_make(void)
{
	const char *parent = getenv("TMPDIR");

	if (parent == NULL || *parent == '\0')
		parent = "/tmp";
	snprintf(home, sizeof(home), "%s/check_kvd.XXXXXX", parent);
	if (mkdtemp(home) == NULL) {
		perror(home);
		exit(EXIT_FAILURE);
	}
}

void
kvd_home_remove(void)
{
	nftw(home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *
find_program(const char *variable, const char *otherwise)
{
	const char *path = getenv(variable);
	struct stat info;

	if (path == NULL || *path == '\0')
		path = otherwise;
	if (access(path, X_OK) == 0 && stat(path, &info) == 0 &&
	    S_ISREG(info.st_mode))
		return path;
	fprintf(stderr,
	    "check_kvd: no program '%s': build it, or set the environment "
	    "variable %s to its path\n",
	    path, variable);
	return NULL;
}

double
patience(void)
{
	const char *text = getenv("CK_TIMEOUT_MULTIPLIER");
	const double times = text == NULL ? 1 : strtod(text, NULL);

	return times > 0 ? 20 * times : 20;
}

int
patience_ms(void)
{
	return (int)(patience() * 1000);
}

bool
kvd_find_program(void)
{
	program = find_program("KVD", DEFAULT_PROGRAM);
	program_on_test_disk =
	    find_program("KVD_ON_TEST_DISK", DEFAULT_ON_TEST_DISK);
	return program != NULL && program_on_test_disk != NULL;
}

void
kvd_make_dir(char dir[KVD_PATH_MAX])
{
	int length = snprintf(dir, KVD_PATH_MAX, "%s/dir.XXXXXX", home);

	ck_assert_int_lt(length, KVD_PATH_MAX);
	ck_assert_msg(mkdtemp(dir) != NULL, "%s: %s", dir, strerror(errno));
}

/* Runs in the child: nothing but async-signal-safe calls. */
static void
become(
    pid_t parent, char *const argv[], int output, int errors, unsigned closed)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(output, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0)
		_exit(126);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if ((closed >> fd & 1) != 0)
			close(fd);
	execv(argv[0], argv);
	_exit(127);
}

static int
open_log(struct kvd *kvd)
{
	int length =
	    snprintf(kvd->log, sizeof(kvd->log), "%s/log.XXXXXX", home);
	int fd;

	ck_assert_int_lt(length, (int)sizeof(kvd->log));
	fd = mkostemp(kvd->log, O_CLOEXEC | O_APPEND);
	ck_assert_msg(fd >= 0, "%s: %s", kvd->log, strerror(errno));
	return fd;
}

/* A file for the program to find its orders in; see disk.c. */
static void
make_disk(struct kvd *kvd)
{
	int length =
	    snprintf(kvd->disk, sizeof(kvd->disk), "%s/disk.XXXXXX", home);
	int fd;

	ck_assert_int_lt(length, (int)sizeof(kvd->disk));
	fd = mkostemp(kvd->disk, O_CLOEXEC);
	ck_assert_msg(fd >= 0 && write(fd, "", 1) == 1, "%s: %s", kvd->disk,
	    strerror(errno));
	close(fd);
	ck_assert_int_eq(setenv("KVD_TEST_DISK", kvd->disk, 1), 0);
	kvd->disk_is_stopped = false;
}

int
kvd_threads(void)
{
	const char *text = getenv("KVD_THREADS");

	return text == NULL || *text == '\0' ? 1 : atoi(text);
}

static bool
has_option(const char *const *options, const char *option)
{
	for (; options != NULL && *options != NULL; options++)
		if (strcmp(*options, option) == 0)
			return true;
	return false;
}

void
kvd_launch(struct kvd *kvd, const char *dir, const char *const *options)
{
	char dir_option[KVD_PATH_MAX + 8];
	char threads_option[32];
	char port_option[] = "--port=0";
	char *argv[OPTIONS_MAX + 5] = {
	    (char *)(uintptr_t)(kvd->on_test_disk ? program_on_test_disk
						  : program),
	    port_option, dir_option, threads_option, NULL};
	pid_t parent = getpid();
	int ends[2];
	int errors;

	if (dir != kvd->dir)
		snprintf(kvd->dir, sizeof(kvd->dir), "%s", dir);
	snprintf(dir_option, sizeof(dir_option), "--dir=%s", dir);
	snprintf(threads_option, sizeof(threads_option), "--threads=%d",
	    has_option(options, "--no-lock") ? 1 : kvd_threads());
	for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
		ck_assert_uint_lt(i, OPTIONS_MAX);
		argv[i + 4] = (char *)(uintptr_t)options[i];
	}
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	errors = open_log(kvd);
	if (kvd->on_test_disk)
		make_disk(kvd);
	kvd->pid = fork();
	ck_assert_int_ge(kvd->pid, 0);
	if (kvd->pid == 0)
		become(parent, argv, ends[1], errors, kvd->closed);
	close(ends[1]);
	close(errors);
	kvd->output = ends[0];
	kvd->port = 0;
}

bool
kvd_wait_ready(struct kvd *kvd)
{
	static const char ready[] = "kvd: ready on 127.0.0.1:";
	char line[256];
	size_t length = 0;

	while (length == 0 || line[length - 1] != '\n') {
		struct pollfd ready_fd = {kvd->output, POLLIN, 0};

		ck_assert_msg(poll(&ready_fd, 1, patience_ms()) == 1,
		    "kvd printed no ready line within %.0f s", patience());
		ck_assert_uint_lt(length + 1, sizeof(line));
		if (read(kvd->output, line + length, 1) != 1)
			return false;
		length++;
	}
	line[length - 1] = '\0';
	ck_assert_msg(strncmp(line, ready, strlen(ready)) == 0,
	    "not the ready line: '%s'", line);
	kvd->port = (int)strtol(line + strlen(ready), NULL, 10);
	ck_assert_int_gt(kvd->port, 0);
	return true;
}

void
kvd_start(struct kvd *kvd, const char *dir, ...)
{
	const char *options[OPTIONS_MAX + 1] = {NULL};
	char new_dir[KVD_PATH_MAX];
	char text[KVD_TEXT_MAX];
	va_list args;
	size_t count = 0;

	va_start(args, dir);
	while (count < OPTIONS_MAX &&
	       (options[count] = va_arg(args, const char *)) != NULL)
		count++;
	va_end(args);
	if (dir == NULL) {
		kvd_make_dir(new_dir);
		dir = new_dir;
	}
	kvd_launch(kvd, dir, options);
	if (kvd_wait_ready(kvd))
		return;
	kvd_read_log(kvd, text);
	ck_abort_msg("kvd did not start (status %d): %s", kvd_wait(kvd), text);
}

int
kvd_wait(struct kvd *kvd)
{
	int status;
	pid_t pid;

	ck_assert_int_gt(kvd->pid, 0);
	do
		pid = waitpid(kvd->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	ck_assert_int_eq(pid, kvd->pid);
	kvd->pid = 0;
	close(kvd->output);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
kvd_end(struct kvd *kvd, int sig)
{
	ck_assert_int_gt(kvd->pid, 0);
	ck_assert_int_eq(kill(kvd->pid, sig), 0);
	return kvd_wait(kvd);
}

void
kvd_stop(struct kvd *kvd)
{
	int status = kvd_end(kvd, SIGTERM);
	char text[KVD_TEXT_MAX];

	kvd_read_log(kvd, text);
	ck_assert_msg(status == 0, "status %d after SIGTERM: %s", status, text);
}

void
kvd_read_log(const struct kvd *kvd, char text[KVD_TEXT_MAX])
{
	FILE *file = fopen(kvd->log, "r");
	size_t length;

	ck_assert_msg(file != NULL, "%s: %s", kvd->log, strerror(errno));
	length = fread(text, 1, KVD_TEXT_MAX - 1, file);
	text[length] = '\0';
	fclose(file);
}

bool
kvd_log_has(const struct kvd *kvd, const char *text)
{
	char log[KVD_TEXT_MAX];

	kvd_read_log(kvd, log);
	return strstr(log, text) != NULL;
}

void
disk_stop(struct kvd *kvd)
{
	ck_assert(kvd->on_test_disk && !kvd->disk_is_stopped);
	kvd->stopped = open(kvd->disk, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(kvd->stopped, 0);
	ck_assert_int_eq(flock(kvd->stopped, LOCK_EX), 0);
	kvd->disk_is_stopped = true;
}

void
disk_go(struct kvd *kvd)
{
	ck_assert(kvd->disk_is_stopped);
	close(kvd->stopped);
	kvd->disk_is_stopped = false;
}

void
disk_fail(struct kvd *kvd, int error)
{
	const char code = (char)error;
	int fd = open(kvd->disk, O_WRONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, &code, 1, 0), 1);
	close(fd);
}

long
disk_syncs(const struct kvd *kvd)
{
	struct stat info;

	ck_assert_int_eq(stat(kvd->disk, &info), 0);
	return (long)info.st_size - 1;
}

static FILE *
open_file(const char *dir, const char *name, const char *mode)
{
	char path[2 * KVD_PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, mode);
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	return file;
}

size_t
file_size(const char *dir, const char *name)
{
	FILE *file = open_file(dir, name, "rb");
	struct stat info;

	ck_assert_int_eq(fstat(fileno(file), &info), 0);
	fclose(file);
	return (size_t)info.st_size;
}

char *
file_read(const char *dir, const char *name, size_t *size)
{
	FILE *file = open_file(dir, name, "rb");
	char *data;

	*size = file_size(dir, name);
	data = malloc(*size + 1);
	ck_assert_ptr_nonnull(data);
	ck_assert_uint_eq(fread(data, 1, *size, file), *size);
	fclose(file);
	return data;
}

void
file_write(const char *dir, const char *name, const char *data, size_t size)
{
	FILE *file = open_file(dir, name, "wb");

	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}
