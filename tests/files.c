/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

char path[64];
static char directory[32];

static int threads_before;

static int
count_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	int count = 0;

	if (tasks == NULL)
		ck_abort_msg("no /proc/self/task");
	while ((entry = readdir(tasks)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(tasks);
	return count;
}

static void
set_up_files(void)
{
	support_setup();
	strcpy(directory, "/tmp/check_file.XXXXXX");
	if (mkdtemp(directory) == NULL)
		ck_abort_msg("no directory for the test");
	snprintf(path, sizeof(path), "%s/lock", directory);
	threads_before = count_threads();
}

static void
tear_down_files(void)
{
	unlink(path);
	rmdir(directory);
	support_teardown();
}

static int objects; /* of threads, before there were any files */

void
make_files(int i)
{
	int k;

	objects = thread_objects();
	for (k = 0; k < MEMBERS; k++) {
		sites[k].loop = support_new_loop();
		sites[k].base = evdefer_base_new(sites[k].loop);
		ck_assert_ptr_nonnull(sites[k].base);
		sites[k].lock = evrwlock_new_on_file(
		    sites[k].base, path, i % 2 == 1 ? EVRWLOCK_FAST : 0);
		ck_assert_ptr_nonnull(sites[k].lock);
	}
}

/* Nobody has left anything behind. */
void
free_files(void)
{
	free_group();
	ck_assert_int_eq(locks_held(), 0);
	ck_assert_int_eq(locks_waited_for(), 0);
	await_threads(0);
	ck_assert_int_eq(thread_objects(), objects);
}

void
look_until_blocked(int count)
{
	look_all();
	await_blocked(count);
}

void
await_end(int site, const struct waiter *waiter)
{
	while (waiter->ended == 0)
		event_base_loop(
		    sites[site].loop, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
	look(site);
}

/*
 * What the kernel knows.
 */

/* A line is "1: OFDLCK ADVISORY WRITE -1 fe:00:4711 0 0"; for a request that waits
 * there is "->" after the first word. */
static int
count_once(bool waiting)
{
	FILE *file = fopen("/proc/locks", "r");
	char line[256], inode[32];
	struct stat status;
	int count = 0;

	if (file == NULL)
		ck_abort_msg("no /proc/locks");
	if (stat(path, &status) == 0) {
		snprintf(inode, sizeof(inode), ":%llu ",
		    (unsigned long long)status.st_ino);
		while (fgets(line, sizeof(line), file) != NULL)
			count += strstr(line, inode) != NULL &&
				 (strstr(line, "->") != NULL) == waiting;
	}
	fclose(file);
	return count;
}

/* It is read by pieces, between which locks of other processes come and go: a line may
 * be in two of them, or in none. */
static int
count_locks(bool waiting)
{
	int count, again = count_once(waiting);

	do {
		count = again;
		again = count_once(waiting);
	} while (again != count);
	return count;
}

int
locks_held(void)
{
	return count_locks(false);
}

int
locks_waited_for(void)
{
	return count_locks(true);
}

/* So many looks are enough: a test that could not get memory would look for ever. */
#define LOOKS 20000

void
await_blocked(int count)
{
	int left = LOOKS;

	while (locks_waited_for() != count) {
		if (left-- == 0)
			ck_abort_msg("not %d wait in the kernel", count);
		sched_yield();
	}
}

void
await_threads(int count)
{
	while (count_threads() != threads_before + count)
		sched_yield();
}

int
hold_byte(short type, off_t byte, off_t count)
{
	struct flock range = {.l_type = type,
	    .l_whence = SEEK_SET,
	    .l_start = byte,
	    .l_len = count};
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	ck_assert_int_ne(fd, -1);
	if (fcntl(fd, F_OFD_SETLK, &range) == 0)
		return fd;
	close(fd);
	return -1;
}

bool
is_free(short type, off_t byte)
{
	const int fd = hold_byte(type, byte, 1);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

/*
 * Another process.
 */

struct peer_loop {
	struct event_base *loop;
	struct evrwlock *lock;
	int from, to;
	char what;
};

static void
answer(const struct peer_loop *self, char what)
{
	if (write(self->to, &what, 1) != 1)
		_exit(1);
}

static struct evresult
has_entered(void *value, void *arg)
{
	(void)value;
	answer(arg, evrwlock_is_writing(value) ? 'w' : 'r');
	return evresult_value(NULL);
}

static void
enter(struct peer_loop *self, enum evrwlock_mode mode)
{
	struct evdeferred *d = acquire_by_name(self->lock, mode);

	if (d == NULL || evdeferred_add_callback(d, has_entered, self) == -1)
		_exit(1);
	evdeferred_detach(d);
}

static void
obey(evutil_socket_t fd, short events_seen, void *arg)
{
	struct peer_loop *self = arg;
	int result = 0;
	char what;

	(void)events_seen;
	if (read(fd, &what, 1) != 1)
		_exit(0);
	switch (what) {
	case 'r':
	case 'w':
		enter(self, what == 'r' ? EVRWLOCK_READ : EVRWLOCK_WRITE);
		return;
	case 'R':
		result = evrwlock_reader_release(self->lock);
		break;
	case 'W':
		result = evrwlock_writer_release(self->lock);
		break;
	case 't':
		result = evrwlock_reader_try(self->lock);
		break;
	case 'T':
		result = evrwlock_writer_try(self->lock);
		break;
	}
	answer(self, result == 0 ? what : '-');
}

static void
run_peer(int from, int to)
{
	struct peer_loop self = {.from = from, .to = to};
	struct evdefer_base *own;

	self.loop = support_new_loop();
	own = evdefer_base_new(self.loop);
	self.lock = evrwlock_new_on_file(own, path, EVRWLOCK_FAST);
	if (self.lock == NULL ||
	    event_add(
		event_new(self.loop, from, EV_READ | EV_PERSIST, obey, &self),
		NULL) == -1)
		_exit(1);
	answer(&self, 's');
	event_base_dispatch(self.loop);
	_exit(1);
}

void
start_peer(struct peer *peer)
{
	int down[2], up[2];

	ck_assert_int_eq(pipe(down), 0);
	ck_assert_int_eq(pipe(up), 0);
	peer->pid = fork();
	ck_assert_int_ne(peer->pid, -1);
	if (peer->pid == 0) {
		close(down[1]);
		close(up[0]);
		run_peer(down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	peer->to = down[1];
	peer->from = up[0];
	ck_assert_int_eq(hear_peer(peer), 's');
}

void
tell_peer(const struct peer *peer, char what)
{
	ck_assert_int_eq(write(peer->to, &what, 1), 1);
}

char
hear_peer(const struct peer *peer)
{
	char what = '\0';

	ck_assert_int_eq(read(peer->from, &what, 1), 1);
	return what;
}

char
ask_peer(const struct peer *peer, char what)
{
	tell_peer(peer, what);
	return hear_peer(peer);
}

void
kill_peer(struct peer *peer)
{
	kill(peer->pid, SIGKILL);
	ck_assert_int_eq(waitpid(peer->pid, NULL, 0), peer->pid);
	close(peer->to);
	close(peer->from);
}

/*
 * What stands before that of libc.
 */

struct gate *_Atomic volatile wait_gate;
static volatile atomic_int failing_command, fcntl_error;

void
fail_fcntl(int command, int code)
{
	failing_command = command;
	fcntl_error = code;
}

int
fcntl(int fd, int command, ...)
{
	int (*next)(int, int, ...);
	void *found = dlsym(RTLD_NEXT, "fcntl64");
	struct gate *const gate = command == F_OFD_SETLKW ? wait_gate : NULL;
	va_list args;
	int result;
	void *arg;

	if (found == NULL)
		found = dlsym(RTLD_NEXT, "fcntl");
	memcpy(&next, &found, sizeof(found));
	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	if (fcntl_error != 0 && command == failing_command) {
		errno = fcntl_error;
		return -1;
	}
	result = next(fd, command, arg);
	if (gate != NULL)
		gate_pass(gate);
	return result;
}

void (*instead_of_kill)(void);
void (*before_kill)(void);

int
pthread_kill(pthread_t thread, int number)
{
	void (*const instead)(void) = instead_of_kill;
	int (*next)(pthread_t, int);
	void *found = dlsym(RTLD_NEXT, "pthread_kill");

	memcpy(&next, &found, sizeof(found));
	instead_of_kill = NULL;
	if (instead != NULL) {
		instead();
		return 0;
	}
	if (before_kill != NULL)
		before_kill();
	return next(thread, number);
}

TCase *
add_files_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, set_up_files, tear_down_files);
	suite_add_tcase(suite, tc);
	return tc;
}
