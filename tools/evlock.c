/* SPDX-License-Identifier: MIT */
/*
 * evlock: runs a command under a readers-writer lock on a file, or of a cluster.
 *
 * The body of evrwlock_with() starts the command, and its Deferred fires when that has
 * ended.  Signals are handed on from their handlers, by kill(), which may be called
 * there.
 */
#include "evlock.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

/* How long a command has to end when the lock was lost. */
#define GRACE_SECONDS 5

/* Longer than anybody waits, and a time_t of 32 bits has room for it. */
#define MOST_SECONDS 1e9

/* A day: no servers allow as much. */
#define MOST_SESSION 86400

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

extern char **environ;

/* For the handlers; 0 when there is none. */
static volatile pid_t command;

static const char usage_text[] =
    "usage: evlock [-r | -w] [-t SECONDS] -f FILE -- COMMAND [ARGUMENT...]\n"
    "       evlock [-r | -w] [-t SECONDS] -c SERVERS NAME -- COMMAND "
    "[ARGUMENT...]\n"
    "       evlock [-t SECONDS] -c SERVERS --list\n"
    "Run a command under a readers-writer lock on a file, or of a cluster.\n"
    "\n"
    "  -r, --read             share the lock with others that read\n"
    "  -w, --write            have it alone (the default)\n"
    "  -t, --timeout=SECONDS  wait no longer than that; 0 does not wait\n"
    "  -f, --file=FILE        the lock file, which is made if it is not there\n"
    "  -i, --inherit          keep the file locked for what the command "
    "leaves\n"
    "                         running, and if evlock is killed\n"
    "  -c, --cluster=SERVERS  the servers of ZooKeeper, HOST:PORT,..., which "
    "have\n"
    "                         the lock NAME; the command finds its token in\n"
    "                         EVLOCK_TOKEN\n"
    "  -s, --session=SECONDS  for how long they keep what is held by one that "
    "they\n"
    "                         do not hear of (15)\n"
    "  -l, --list             show who holds a lock, and who waits to write\n"
    "  -h, --help             show this\n"
    "  -V, --version          show the version\n"
    "\n"
    "Writers that wait come before readers that come after them.  The exit\n"
    "status is that of the command, or 128 and the signal that ended it; 123 "
    "when\n"
    "the lock was lost meanwhile; 124 when the time is over; 125 if evlock "
    "failed, 126 if the command cannot "
    "be\n"
    "run, 127 if it is not found.\n";

void
complain(const char *what, int error)
{
	fprintf(stderr, "evlock: %s: %s\n", what, strerror(error));
}

/*
 * Signals.
 */

/* Those from the terminal and others of the kernel's go to the command as well, which
 * is in the same process group.  Those that somebody sends are for both. */
static void
hand_on(int number, siginfo_t *info, void *context)
{
	const int error = errno;

	(void)context;
	if (command > 0 && info->si_code <= 0)
		kill(command, number);
	errno = error;
}

static void
stop_too(int number, siginfo_t *info, void *context)
{
	struct sigaction before, stop = {.sa_handler = SIG_DFL};
	const int error = errno;
	sigset_t set, mask;

	hand_on(number, info, context);
	/* By its own action, that it may be ignored as the command ignores it. */
	sigaction(number, &stop, &before);
	raise(number);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, &mask);
	/* It goes on. */
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(number, &before, NULL);
	errno = error;
}

/* What was ignored stays so, here and in the command. */
static void
handle(int number, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART}, before;

	sigfillset(&action.sa_mask);
	action.sa_sigaction = handler;
	if (sigaction(number, NULL, &before) == 0 &&
	    before.sa_handler != SIG_IGN)
		sigaction(number, &action, NULL);
}

static void
handle_all(void)
{
	static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1,
	    SIGUSR2, SIGALRM, SIGWINCH, SIGCONT};
	size_t i;
	int number;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		handle(numbers[i], hand_on);
	for (number = SIGRTMIN; number <= SIGRTMAX; number++)
		handle(number, hand_on);
	handle(SIGTSTP, stop_too);
}

/*
 * The command.
 */

/* The descriptor of the lock, which nobody else has a reason to know: the one on that
 * file that is closed by exec(). */
static void
let_inherit(const char *path)
{
	const long most = sysconf(_SC_OPEN_MAX);
	struct stat file, status;
	int fd, flags;

	if (stat(path, &file) == -1)
		return;
	for (fd = 0; fd < most; fd++) {
		flags = fcntl(fd, F_GETFD);
		if (flags != -1 && (flags & FD_CLOEXEC) != 0 &&
		    fstat(fd, &status) == 0 && status.st_dev == file.st_dev &&
		    status.st_ino == file.st_ino)
			fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
	}
}

/* 0, or an error code. */
static int
spawn(const struct run *run)
{
	posix_spawnattr_t attributes;
	pid_t pid;
	int error = posix_spawnattr_init(&attributes);

	if (error != 0)
		return error;
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &run->mask);
	error = posix_spawnp(&pid, run->options->command[0], NULL, &attributes,
	    run->options->command, environ);
	posix_spawnattr_destroy(&attributes);
	if (error == 0)
		command = pid;
	return error;
}

/* With all signals blocked, so that none is lost on the way to the command. */
static int
start(const struct run *run)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	error = spawn(run);
	if (error == 0)
		handle_all();
	sigprocmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* What it writes can be refused by whoever has seen a higher one. */
static int
set_token(const struct run *run)
{
	const uint64_t token = evrwlock_get_token(run->lock);
	char text[24];

	if (token == 0)
		return unsetenv("EVLOCK_TOKEN");
	snprintf(text, sizeof(text), "%llu", (unsigned long long)token);
	return setenv("EVLOCK_TOKEN", text, 1);
}

void
signal_command(int number)
{
	sigset_t all, before;

	/* A handler may not find the number of another process either. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if (command > 0)
		kill(command, number);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Under the lock. */
static struct evresult
run_command(void *arg)
{
	struct run *run = arg;
	int error;

	run->ended = evdeferred_new(run->base, NULL, NULL);
	if (run->ended == NULL || set_token(run) == -1) {
		error = errno;
		evdeferred_free(run->ended);
		run->ended = NULL;
		return evresult_fail(error, NULL);
	}
	error = start(run);
	if (error != 0) {
		complain(run->options->command[0], error);
		run->status =
		    error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN;
		evdeferred_callback(run->ended, NULL);
	}
	return evresult_deferred(run->ended);
}

/* A handler may run at any time, and must not find the number of another process. */
static bool
reap(int *status)
{
	siginfo_t info = {0};
	const pid_t pid = command;

	if (pid == 0 ||
	    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
		-1 ||
	    info.si_pid == 0)
		return false;
	command = 0;
	return waitpid(pid, status, 0) == pid;
}

static void
on_child(evutil_socket_t number, short what, void *arg)
{
	struct run *run = arg;
	int status;

	(void)number;
	(void)what;
	if (!reap(&status))
		return;
	run->status = WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status)
					  : WEXITSTATUS(status);
	/* Others may have the lock now, and are not to lose it. */
	if (run->options->inherit)
		_exit(run->status);
	if (run->ended != NULL) {
		evdeferred_callback(run->ended, NULL);
		return;
	}
	/* It had lost the lock before. */
	run->status = STATUS_LOST;
	event_base_loopbreak(run->loop);
}

/*
 * The lock.
 */

static void
on_grace_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	signal_command(SIGKILL);
}

/* Others may have the lock by now: the command is to end. */
static void
end_command(struct run *run)
{
	const struct timeval grace = {GRACE_SECONDS, 0};

	run->ended = NULL;
	signal_command(SIGTERM);
	/* It may be stopped. */
	signal_command(SIGCONT);
	event_base_once(run->loop, -1, EV_TIMEOUT, on_grace_over, NULL, &grace);
}

static struct evresult
on_end(void *value, void *arg)
{
	struct run *run = arg;

	(void)value;
	event_base_loopbreak(run->loop);
	return evresult_value(NULL);
}

static struct evresult
on_failure(struct evfailure *failure, void *arg)
{
	struct run *run = arg;

	run->status = STATUS_TIMED_OUT;
	if (evfailure_get_code(failure) != ETIMEDOUT) {
		fprintf(stderr, "evlock: %s\n", evfailure_get_message(failure));
		run->status = STATUS_FAILED;
	}
	if (command > 0)
		end_command(run);
	else
		event_base_loopbreak(run->loop);
	return evresult_value(NULL);
}

void
run_with(struct run *run, struct evrwlock *lock)
{
	struct evdeferred *d;

	run->lock = lock;
	d = evrwlock_with(lock, NULL, run->options->mode,
	    run->options->patience, run_command, run);

	if (d != NULL &&
	    evdeferred_add_callbacks(d, on_end, on_failure, run) == 0)
		event_base_dispatch(run->loop);
	else
		complain("cannot wait", errno);
	evdeferred_free(d);
}

/* If the signal was ignored or blocked, nobody would tell how the command ended. */
static struct event *
watch_children(struct run *run)
{
	struct event *event = evsignal_new(run->loop, SIGCHLD, on_child, run);
	sigset_t set;

	if (event == NULL || event_add(event, NULL) == -1)
		return event;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return event;
}

static void
run_on_file(struct run *run)
{
	struct evrwlock *lock =
	    evrwlock_new_on_file(run->base, run->options->path, 0);

	if (lock == NULL) {
		complain(run->options->path, errno);
		return;
	}
	if (run->options->inherit)
		let_inherit(run->options->path);
	run_with(run, lock);
	evrwlock_free(lock);
}

#ifndef HAVE_CLUSTER
static void
run_nowhere(struct run *run)
{
	(void)run;
	fputs("evlock: --cluster: built without libevdefer-cluster\n", stderr);
}
#define run_in_cluster run_nowhere
#define list_cluster run_nowhere
#endif

static void (*reach(const struct options *options))(struct run *)
{
	if (options->servers == NULL)
		return run_on_file;
	return options->name != NULL ? run_in_cluster : list_cluster;
}

static int
run_under_lock(const struct options *options)
{
	struct run run = {.options = options, .status = STATUS_FAILED};
	struct event *children;

	sigprocmask(SIG_SETMASK, NULL, &run.mask);
	run.loop = event_base_new();
	run.base = run.loop != NULL ? evdefer_base_new(run.loop) : NULL;
	children = run.base != NULL ? watch_children(&run) : NULL;
	if (children != NULL) {
		reach(options)(&run);
		event_free(children);
	} else {
		complain("cannot start", errno);
	}
	evdefer_base_free(run.base);
	if (run.loop != NULL)
		event_base_free(run.loop);
	return run.status;
}

/*
 * Options.
 */

static int
misused(const char *what, const char *detail)
{
	fprintf(stderr, "evlock: %s%s\nTry 'evlock --help'.\n", what, detail);
	return STATUS_FAILED;
}

static bool
parse_seconds(const char *text, struct timeval *duration)
{
	char *end;
	double seconds;

	errno = 0;
	seconds = strtod(text, &end);
	if (end == text || *end != '\0' || !(seconds >= 0))
		return false;
	if (seconds > MOST_SECONDS)
		seconds = MOST_SECONDS;
	duration->tv_sec = (time_t)seconds;
	duration->tv_usec =
	    (suseconds_t)((seconds - (double)duration->tv_sec) * 1e6);
	/* A little is not nothing. */
	if (seconds > 0 && duration->tv_sec == 0 && duration->tv_usec == 0)
		duration->tv_usec = 1;
	return true;
}

/* What it is called with, beside the options; 0, or a status. */
static int
take_arguments(struct options *options, bool list, int argc, char **argv)
{
	if ((options->path == NULL) == (options->servers == NULL))
		return misused(options->path == NULL
				   ? "no lock file: --file, or --cluster"
				   : "--file and --cluster: one of them",
		    "");
	if (list)
		return options->servers == NULL || argc > 0
			   ? misused("--list is for a --cluster alone", "")
			   : 0;
	if (options->servers != NULL) {
		if (argc == 0)
			return misused("no name of a lock", "");
		if (options->inherit)
			return misused("--inherit is for files", "");
		if (options->patience != NULL && !timerisset(options->patience))
			return misused(
			    "--timeout=0: the servers of a cluster "
			    "take some time to answer; allow a second",
			    "");
		options->name = *argv++;
		/* What is left of "--", as getopt_long() does not look beyond. */
		if (--argc > 0 && strcmp(*argv, "--") == 0) {
			argv++;
			argc--;
		}
	}
	if (argc == 0)
		return misused("no command", "");
	options->command = argv;
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"read", no_argument, NULL, 'r'},
	    {"write", no_argument, NULL, 'w'},
	    {"timeout", required_argument, NULL, 't'},
	    {"file", required_argument, NULL, 'f'},
	    {"inherit", no_argument, NULL, 'i'},
	    {"cluster", required_argument, NULL, 'c'},
	    {"session", required_argument, NULL, 's'},
	    {"list", no_argument, NULL, 'l'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	struct options options = {.mode = EVRWLOCK_WRITE};
	struct timeval duration, session;
	bool list = false;
	int option, status;

	while ((option = getopt_long(
		    argc, argv, "+rwt:f:ic:s:lhV", long_options, NULL)) != -1) {
		switch (option) {
		case 'r':
			options.mode = EVRWLOCK_READ;
			break;
		case 'w':
			options.mode = EVRWLOCK_WRITE;
			break;
		case 't':
			if (!parse_seconds(optarg, &duration))
				return misused(
				    "no number of seconds: ", optarg);
			options.patience = &duration;
			break;
		case 'f':
			options.path = optarg;
			break;
		case 'i':
			options.inherit = true;
			break;
		case 'c':
			options.servers = optarg;
			break;
		case 's':
			if (!parse_seconds(optarg, &session) ||
			    session.tv_sec > MOST_SESSION)
				return misused(
				    "no number of seconds: ", optarg);
			options.session_ms = (int)(session.tv_sec * 1000 +
						   session.tv_usec / 1000);
			break;
		case 'l':
			list = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return fflush(stdout) == 0 ? 0 : STATUS_FAILED;
		case 'V':
			puts("evlock (evdefer) " PACKAGE_VERSION);
			return fflush(stdout) == 0 ? 0 : STATUS_FAILED;
		default:
			fputs("Try 'evlock --help'.\n", stderr);
			return STATUS_FAILED;
		}
	}
	status = take_arguments(&options, list, argc - optind, argv + optind);
	return status != 0 ? status : run_under_lock(&options);
}
