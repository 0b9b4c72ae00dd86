/* SPDX-License-Identifier: MIT */
/*
 * A process of those that chaos.py watches: acquires, holds and releases locks of a
 * cluster at random, asks a keeper to look at and to put what the locks are for, each
 * time with its token, and says on standard output what it does:
 *
 *	TIME grant HOLD LOCK r|w TOKEN c|-	c: checks before each use
 *	TIME read|look|put HOLD ok VALUE | old TOKEN | torn VALUE	what the keeper
 *				answers: to a reader, to a writer, to one that has looked
 *	TIME stale HOLD		evrwlock_check() has said so
 *	TIME done HOLD		does not rely on it from now on
 *	TIME end HOLD ERRNO	what the release has said, or 0
 *	TIME lost LOCK		evrwlock_lost()
 *	TIME cancelled HOLD	the body under evrwlock_with() was
 *	TIME gap FROM		it did not run since then; before all else that it says
 *	TIME state NUMBER SENTENCE
 *	TIME fail ERRNO MESSAGE	an acquire, other than by a timeout or cancel of ours
 *
 * in seconds of CLOCK_MONOTONIC.  It ends when standard input does.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <evdefer.h>
#include <evdefer/cluster.h>

#include "../dice.h"

#define SLOTS 4
#define LOCKS 2
/* A loop that was away for longer says so. */
#define GAP 0.15

enum slot_state { IDLE, WAITING, INSIDE, ENDED };

struct lock {
	struct evrwlock *lock;
	struct evdeferred *lost;
	char name[16];
};

/* One that acquires again and again. */
struct slot {
	enum slot_state state;
	struct lock *lock;
	enum evrwlock_mode mode;
	struct event *timer;
	struct evdeferred *d;	 /* of the acquire, or of evrwlock_with() */
	struct evdeferred *body; /* under evrwlock_with(), until it ends */
	bool is_with, careful;
	unsigned hold, steps;
	uint64_t token, value;
};

static struct event_base *loop;
static struct evdefer_base *base;
static struct evcluster *cluster;
static struct lock locks[LOCKS];
static struct slot slots[SLOTS];
static struct event *heart, *input;
static FILE *keeper;
static double alive_at;
static unsigned holds;
static bool is_ending;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
live(void)
{
	double t = now();

	if (alive_at != 0 && t - alive_at > GAP)
		printf("%.6f gap %.6f\n", t, alive_at);
	alive_at = t;
}

__attribute__((format(printf, 1, 2))) static void
say(const char *format, ...)
{
	va_list args;

	live();
	printf("%.6f ", alive_at);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void
die(const char *what)
{
	fprintf(stderr, "member: %s: %s\n", what, strerror(errno));
	exit(1);
}

/*
 * The keeper.
 */

static void
connect_to_keeper(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd == -1 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1)
		die(path);
	keeper = fdopen(fd, "r");
	if (keeper == NULL)
		die("fdopen");
}

static void
ask_keeper(struct slot *s, const char *what, uint64_t value)
{
	char answer[80], word[8];
	uint64_t number;

	dprintf(fileno(keeper), "%s %s %" PRIu64 " %" PRIu64 "\n", what,
	    s->lock->name, s->token, value);
	if (fgets(answer, sizeof(answer), keeper) == NULL)
		exit(1); /* chaos.py has ended */
	say("%s %u %.60s", what, s->hold, strtok(answer, "\n"));
	if (sscanf(answer, "%7s %" SCNu64, word, &number) == 2 &&
	    strcmp(word, "ok") == 0)
		s->value = number;
}

/* Those who are not careful are what tokens are for.  The check may tell of the loss, and
 * that ends bodies: the slot may be another one after that. */
static void
use(struct slot *s)
{
	if (s->careful && evrwlock_check(s->lock->lock) == -1) {
		if (s->state == INSIDE)
			say("stale %u", s->hold);
		return;
	}
	if (s->mode == EVRWLOCK_READ)
		ask_keeper(s, "read", 0);
	else if (s->value == 0)
		ask_keeper(s, "look", 0);
	else
		ask_keeper(s, "put", s->value + 1);
}

/*
 * Slots.
 */

static void
set_timer(struct slot *s, unsigned ms)
{
	struct timeval t = {
	    (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	event_add(s->timer, &t);
}

static void
rest(struct slot *s)
{
	s->state = is_ending ? ENDED : IDLE;
	if (s->state == IDLE)
		set_timer(s, dice(60));
}

static void
enter(struct slot *s)
{
	s->state = INSIDE;
	s->hold = ++holds;
	s->value = 0;
	s->token = evrwlock_get_token(s->lock->lock);
	s->careful = dice(2) == 0;
	s->steps = 1 + dice(3);
	say("grant %u %s %c %" PRIu64 " %c", s->hold, s->lock->name,
	    s->mode == EVRWLOCK_WRITE ? 'w' : 'r', s->token,
	    s->careful ? 'c' : '-');
	use(s);
	if (s->state == INSIDE)
		set_timer(s, dice(25) == 0 ? 300 + dice(1000) : dice(15));
}

static void
leave(struct slot *s)
{
	int error;

	say("done %u", s->hold);
	if (s->is_with) {
		struct evdeferred *body = s->body;

		s->body = NULL;
		evdeferred_callback(body, NULL); /* goes on in with_ended() */
		return;
	}
	error = evrwlock_release(s->lock->lock, NULL, s->mode) == 0 ? 0 : errno;
	say("end %u %d", s->hold, error);
	rest(s);
}

static struct evresult
granted(void *value, void *arg)
{
	(void)value;
	enter(arg);
	return evresult_value(NULL);
}

static void
say_failure(const struct evfailure *failure)
{
	int code = evfailure_get_code(failure);

	if (code != ECANCELED && code != ETIMEDOUT)
		say("fail %d %s", code, evfailure_get_message(failure));
}

static struct evresult
not_granted(struct evfailure *failure, void *arg)
{
	say_failure(failure);
	rest(arg);
	return evresult_value(NULL);
}

static void
cancel_body(struct evdeferred *d, void *arg)
{
	struct slot *s = arg;

	(void)d;
	s->body = NULL;
	event_del(s->timer);
	say("cancelled %u", s->hold);
}

static struct evresult
body(void *arg)
{
	struct slot *s = arg;

	struct evdeferred *d = evdeferred_new(base, cancel_body, s);

	if (d == NULL)
		die("evdeferred_new");
	s->body = d;
	enter(s);
	return evresult_deferred(d);
}

static struct evresult
with_ended(struct evresult result, void *arg)
{
	struct slot *s = arg;
	const struct evfailure *failure =
	    evresult_is_failure(result) ? evresult_get_failure(result) : NULL;

	if (s->state == INSIDE)
		say("end %u %d", s->hold,
		    failure != NULL ? evfailure_get_code(failure) : 0);
	else if (failure != NULL)
		say_failure(failure);
	rest(s);
	return evresult_value(NULL);
}

static void
ask_to_enter(struct slot *s)
{
	struct timeval patience = {0, (suseconds_t)(1 + dice(300) * 1000)};
	bool is_patient = dice(8) != 0;

	s->lock = &locks[dice(LOCKS)];
	s->mode = dice(10) < 3 ? EVRWLOCK_WRITE : EVRWLOCK_READ;
	s->is_with = dice(3) == 0;
	s->state = WAITING;
	evdeferred_free(s->d);
	if (s->is_with) {
		s->d = evrwlock_with(s->lock->lock, NULL, s->mode,
		    is_patient ? NULL : &patience, body, s);
		evdeferred_add_both(s->d, with_ended, s);
	} else {
		s->d = evrwlock_acquire(s->lock->lock, NULL, s->mode);
		if (!is_patient)
			evdeferred_add_timeout(s->d, &patience);
		evdeferred_add_callbacks(s->d, granted, not_granted, s);
	}
	if (s->d == NULL)
		die("acquire");
	/* Somebody who changes his mind. */
	if (s->state == WAITING && dice(10) == 0)
		set_timer(s, dice(100));
}

static void
timer_ran(evutil_socket_t fd, short what, void *arg)
{
	struct slot *s = arg;

	(void)fd;
	(void)what;
	live();
	switch (s->state) {
	case IDLE:
		if (is_ending)
			s->state = ENDED;
		else
			ask_to_enter(s);
		return;
	case WAITING:
		evdeferred_cancel(s->d);
		return;
	case INSIDE:
		use(s);
		if (s->state != INSIDE)
			return;
		if (--s->steps > 0)
			set_timer(s, dice(15));
		else
			leave(s);
		return;
	case ENDED:
		return;
	}
}

/*
 * Losses, states, and the end.
 */

static void watch(struct lock *lock);

static struct evresult
was_lost(void *value, void *arg)
{
	struct lock *lock = arg;

	(void)value;
	say("lost %s", lock->name);
	evdeferred_detach(lock->lost);
	watch(lock);
	return evresult_value(NULL);
}

static struct evresult
not_watched(struct evfailure *failure, void *arg)
{
	(void)failure;
	(void)arg;
	return evresult_value(NULL);
}

static void
watch(struct lock *lock)
{
	lock->lost = evrwlock_lost(lock->lock);
	if (lock->lost == NULL)
		die("evrwlock_lost");
	evdeferred_add_callbacks(lock->lost, was_lost, not_watched, lock);
}

static void
state_changed(struct evcluster *c, enum evcluster_state state,
    const char *sentence, void *arg)
{
	(void)c;
	(void)arg;
	say("state %d %s", (int)state, sentence);
}

static struct evresult
closed(struct evresult result, void *arg)
{
	(void)result;
	(void)arg;
	say("closed");
	event_base_loopbreak(loop);
	return evresult_value(NULL);
}

static bool
all_ended(void)
{
	int i;

	for (i = 0; i < SLOTS; i++) {
		if (slots[i].state == WAITING)
			evdeferred_cancel(slots[i].d);
		if (slots[i].state != ENDED)
			return false;
	}
	return true;
}

static void
heart_beats(evutil_socket_t fd, short what, void *arg)
{
	struct evdeferred *d;

	(void)fd;
	(void)what;
	(void)arg;
	live();
	if (!is_ending || !all_ended())
		return;
	event_del(heart);
	d = evcluster_close(cluster);
	evdeferred_add_both(d, closed, NULL);
	evdeferred_detach(d);
}

static void
input_ended(evutil_socket_t fd, short what, void *arg)
{
	char what_it_says[64];

	(void)what;
	(void)arg;
	if (read(fd, what_it_says, sizeof(what_it_says)) > 0)
		return;
	event_del(input);
	is_ending = true;
}

static void
begin(const char *servers, int timeout_ms)
{
	const struct timeval beat = {0, 50000};
	const struct evcluster_options options = {
	    .session_timeout_ms = timeout_ms, .state_fn = state_changed};
	int i;

	loop = event_base_new();
	base = evdefer_base_new(loop);
	cluster = evcluster_new(base, servers, &options);
	if (cluster == NULL)
		die("evcluster_new");
	evdeferred_detach(evcluster_connect(cluster));
	for (i = 0; i < LOCKS; i++) {
		snprintf(locks[i].name, sizeof(locks[i].name), "lock-%d", i);
		locks[i].lock =
		    evrwlock_new_in_cluster(cluster, locks[i].name, 0);
		if (locks[i].lock == NULL)
			die("evrwlock_new_in_cluster");
		watch(&locks[i]);
	}
	for (i = 0; i < SLOTS; i++) {
		slots[i].timer = event_new(loop, -1, 0, timer_ran, &slots[i]);
		rest(&slots[i]);
	}
	heart = event_new(loop, -1, EV_PERSIST, heart_beats, NULL);
	event_add(heart, &beat);
	input = event_new(loop, 0, EV_READ | EV_PERSIST, input_ended, NULL);
	event_add(input, NULL);
}

static void
end(void)
{
	int i;

	for (i = 0; i < SLOTS; i++) {
		evdeferred_free(slots[i].d);
		event_free(slots[i].timer);
	}
	for (i = 0; i < LOCKS; i++) {
		evdeferred_free(locks[i].lost);
		evrwlock_free(locks[i].lock);
	}
	evcluster_free(cluster);
	event_free(heart);
	event_free(input);
	evdefer_base_free(base);
	event_base_free(loop);
	fclose(keeper);
}

int
main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: member SERVERS MS KEEPER SEED\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	dice_seed(strtoull(argv[4], NULL, 10) * 2 + 1);
	connect_to_keeper(argv[3]);
	begin(argv[1], atoi(argv[2]));
	event_base_dispatch(loop);
	end();
	return 0;
}
