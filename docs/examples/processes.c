/* SPDX-License-Identifier: MIT */
/* Three processes, one file with a number in it, and one lock for all of them. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <evdefer.h>

#define PROCESSES 3
#define ROUNDS 20

static char number_path[] = "/tmp/processes.XXXXXX";
static char lock_path[sizeof(number_path) + 5]; /* with ".lock" */

/* What each process has. */
struct worker {
	struct evcoro co;
	struct evdefer_base *base;
	struct evrwlock *lock;
	long number; /* as it was read */
	int rounds;
};

static long
read_number(void)
{
	FILE *file = fopen(number_path, "r");
	long number = 0;

	if (file != NULL) {
		if (fscanf(file, "%ld", &number) != 1)
			number = 0;
		fclose(file);
	}
	return number;
}

static struct evresult
write_number(void *arg)
{
	struct worker *w = arg;
	FILE *file = fopen(number_path, "w");

	if (file == NULL)
		return evresult_fail(errno, "cannot write %s", number_path);
	fprintf(file, "%ld\n", w->number + 1);
	fclose(file);
	return evresult_value(NULL);
}

/* A writer.  Between its two steps this loop serves others, and so do the others. */
static struct evresult
count_up(void *arg)
{
	static const struct timeval a_while = {0, 1000};
	struct worker *w = arg;

	w->number = read_number();
	return evresult_deferred(
	    evdeferred_later(w->base, &a_while, write_number, w));
}

static struct evresult
work(struct evcoro *co, void *arg)
{
	struct worker *w = arg;

	EVCORO_BEGIN(co);
	for (w->rounds = 0; w->rounds < ROUNDS; w->rounds++)
		EVCORO_AWAIT(co, evrwlock_with_writer(w->lock, count_up, w));
	EVCORO_END(co);
}

static int
run(void)
{
	struct event_base *loop = event_base_new();
	struct worker w = {.base = evdefer_base_new(loop)};

	w.lock = evrwlock_new_on_file(w.base, lock_path, 0);
	if (w.lock == NULL) {
		perror(lock_path);
		return 1;
	}
	evdeferred_detach(evcoro_start(w.base, &w.co, work, &w, NULL));
	event_base_dispatch(loop);

	evrwlock_free(w.lock);
	evdefer_base_free(w.base);
	event_base_free(loop);
	return w.rounds == ROUNDS ? 0 : 1;
}

int
main(void)
{
	int i, status, fd = mkstemp(number_path);

	if (fd == -1)
		return 1;
	close(fd);
	snprintf(lock_path, sizeof(lock_path), "%s.lock", number_path);
	for (i = 0; i < PROCESSES; i++) {
		if (fork() == 0)
			return run();
	}
	while (wait(&status) != -1)
		printf("a process has ended, with %d\n", WEXITSTATUS(status));
	printf("the number is %ld\n", read_number());
	unlink(lock_path); /* nobody uses it any more */
	unlink(number_path);
	return 0;
}
