/* SPDX-License-Identifier: MIT */
#include "supervise.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

static char directory[512];

static int
remove_one(
    const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

static void
remove_directory(void)
{
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
make_directory(void)
{
	const char *parent = getenv("TMPDIR");

	if (parent == NULL || *parent == '\0')
		parent = "/tmp";
	snprintf(directory, sizeof(directory), "%s/kvd-demo.XXXXXX", parent);
	if (mkdtemp(directory) == NULL)
		die("%s: %s", directory, strerror(errno));
}

const char *
supervise_directory(void)
{
	return directory;
}

/* Waits for "child" and for all that it leaves behind, a kvd say, and hands
 * signals on to it; returns its status.  *sig is the signal, or 0. */
static int
wait_for_all(pid_t child, const sigset_t *signals, int *sig)
{
	int status = 0;

	*sig = 0;
	for (;;) {
		int one, received = sigwaitinfo(signals, NULL);
		pid_t pid;

		if (received > 0 && received != SIGCHLD) {
			*sig = received;
			kill(child, received);
		}
		while ((pid = waitpid(-1, &one, WNOHANG)) > 0)
			if (pid == child)
				status = one;
		if (pid == -1 && errno == ECHILD)
			return status;
	}
}

/* nohup ignores SIGHUP, and a shell SIGINT for what runs in the background. */
static void
add_unless_ignored(sigset_t *signals, int sig)
{
	struct sigaction action;

	if (sigaction(sig, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
		sigaddset(signals, sig);
}

int
supervise(int (*run)(const char *program), const char *program)
{
	pid_t parent = getpid(), child;
	sigset_t signals, before;
	int status, sig;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	add_unless_ignored(&signals, SIGHUP);
	add_unless_ignored(&signals, SIGINT);
	add_unless_ignored(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	make_directory();
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		exit(getppid() == parent ? run(program) : 2);
	}
	if (child == -1) {
		remove_directory();
		die("fork: %s", strerror(errno));
	}
	status = wait_for_all(child, &signals, &sig);
	remove_directory();
	if (sig == 0 && WIFEXITED(status))
		return WEXITSTATUS(status);
	if (sig == 0)
		die("ended by signal %d", WTERMSIG(status));
	sigprocmask(SIG_SETMASK, &before, NULL);
	raise(sig);
	return 2;
}
