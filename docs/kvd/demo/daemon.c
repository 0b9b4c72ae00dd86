/* SPDX-License-Identifier: MIT */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"
#include "supervise.h"

#define START_TIMEOUT_MS 20000
#define PATH 528 /* that of the directory, and a name in it */

static void
become_daemon(const char *program, const char *option, const int ends[2])
{
	char dir[PATH];
	char log[PATH];
	int fd;

	/* It must not outlive the demo, however that ends. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(dir, sizeof(dir), "--dir=%s", supervise_directory());
	snprintf(log, sizeof(log), "%s/kvd.log", supervise_directory());
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (dup2(ends[1], STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(127);
	close(fd);
	close(ends[0]);
	close(ends[1]);
	execl(program, program, "--port=0", dir, option, (char *)NULL);
	fprintf(stderr, "demo: %s: %s\n", program, strerror(errno));
	_exit(127);
}

/* The demo's own output is not to be mixed with what kvd has to say, unless
 * something went wrong. */
static void
print_log(void)
{
	char path[PATH];
	char line[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/kvd.log", supervise_directory());
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		fputs(line, stderr);
	if (file != NULL)
		fclose(file);
}

/* Reads the line in which kvd says that it is ready, and where. */
static void
read_port(struct daemon *daemon)
{
	static const char ready[] = "kvd: ready on 127.0.0.1:";
	char line[128] = "";
	size_t length = 0;

	while (length == 0 || line[length - 1] != '\n') {
		struct pollfd output = {daemon->output, POLLIN, 0};

		if (poll(&output, 1, START_TIMEOUT_MS) != 1)
			die("kvd does not become ready");
		if (length + 1 == sizeof(line) ||
		    read(daemon->output, line + length, 1) != 1) {
			print_log();
			die("kvd did not start");
		}
		length++;
	}
	line[length] = '\0';
	if (strncmp(line, ready, strlen(ready)) != 0)
		die("kvd said: %s", line);
	daemon->port = (int)strtol(line + strlen(ready), NULL, 10);
}

void
daemon_start(struct daemon *daemon, const char *option)
{
	int ends[2];

	if (pipe(ends) != 0)
		die("pipe: %s", strerror(errno));
	fflush(stdout);
	daemon->pid = fork();
	if (daemon->pid < 0)
		die("fork: %s", strerror(errno));
	if (daemon->pid == 0)
		become_daemon(daemon->program, option, ends);
	close(ends[1]);
	daemon->output = ends[0];
	read_port(daemon);
}

void
daemon_end(struct daemon *daemon, int sig)
{
	kill(daemon->pid, sig);
	waitpid(daemon->pid, NULL, 0);
	close(daemon->output);
	daemon->pid = 0;
}

redisContext *
daemon_connect(const struct daemon *daemon)
{
	const struct timeval timeout = {20, 0};
	redisContext *connection =
	    redisConnectWithTimeout("127.0.0.1", daemon->port, timeout);

	if (connection == NULL || connection->err != 0)
		die("no connection to kvd");
	redisSetTimeout(connection, timeout);
	return connection;
}

redisReply *
daemon_reply(redisContext *connection)
{
	void *reply;

	if (redisGetReply(connection, &reply) != REDIS_OK)
		die("kvd: %s", connection->errstr);
	return reply;
}
