/* SPDX-License-Identifier: MIT */
/*
 * Runs programs on Deferreds, one a line of the input, and prints the trace of
 * each in one line.  README describes the language; twisted_run.py does the
 * same with Twisted.
 *
 * What was handed over must not be used any more, so a program may only do to
 * it what its producer may: see is_usable().
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <event2/event.h>
#include <evdefer.h>

#include "../alloc.h"
#include "../clock.h"

#define MAX_SUBJECTS 16
#define MAX_STEPS 256
#define MAX_WORDS 1024
#define MAX_REPORTS 64
#define UNIT 1000 /* seconds */
/* So that no failure has a code with a meaning. */
#define FIRST_CODE 100000

/* A Deferred and what the program may know about it. */
struct subject {
	struct evdeferred *d;
	const char *canceller;
	int serial;   /* of the step that made it */
	bool given;   /* returned by a link, or fired into another one */
	bool started; /* its first link ran */
	bool fired;   /* by a step */
	bool late;    /* cancelled, one result may come */
	bool target;  /* of a chain, ever */
	int running;
	int pauses;
};

struct step {
	struct subject *subject;
	const char *outcome;
	char **action;
	int count; /* words of it */
};

static struct event_base *loop;
static struct evdefer_base *base;
static struct subject subjects[MAX_SUBJECTS];
static int subject_count;
static struct step steps[MAX_STEPS];
/* How often the library has the value of each step: 0 or 1. */
static int held[MAX_STEPS];
static int reports[MAX_REPORTS];
static int report_count;
/* The program is over: nothing is to happen any more but the end of it all. */
static bool ending;
static char trace[1 << 16];
static size_t used;

static void run(char **words, int count, int serial);

static void
put(const char *format, ...)
{
	va_list args;
	int length;

	if (ending)
		return;
	if (used > 0)
		used +=
		    (size_t)snprintf(trace + used, sizeof(trace) - used, ", ");
	va_start(args, format);
	length = vsnprintf(trace + used, sizeof(trace) - used, format, args);
	va_end(args);
	used += (size_t)length;
	if (used >= sizeof(trace) - 256)
		abort();
}

/*
 * Results.
 */

static void
dispose(void *value)
{
	held[(int *)value - held]--;
}

static struct evresult
make_value(int serial)
{
	held[serial]++;
	return evresult_owned(&held[serial], dispose);
}

static struct evresult
make_result(const char *kind, int serial)
{
	if (kind[0] == 'v')
		return make_value(serial);
	return evresult_fail(FIRST_CODE + serial, "f%d", serial);
}

static int
receive(void *value)
{
	if (value == NULL)
		return 0;
	dispose(value);
	return (int)((int *)value - held);
}

static void
name_code(char *text, size_t size, int code)
{
	if (code == ECANCELED)
		snprintf(text, size, "cancelled");
	else if (code == ETIMEDOUT)
		snprintf(text, size, "timedout");
	else
		snprintf(text, size, "f%d", code - FIRST_CODE);
}

/* Takes what a link got, names it, and gives what returns it. */
static struct evresult
receive_result(struct evresult result, char *text, size_t size)
{
	void *value = evresult_get_value(result);

	if (evresult_is_failure(result)) {
		name_code(text, size,
		    evfailure_get_code(evresult_get_failure(result)));
		return result;
	}
	if (value == NULL) {
		snprintf(text, size, "none");
		return result;
	}
	snprintf(text, size, "v%d", receive(value));
	return evresult_owned(value, dispose);
}

/* Returns what receive_result() gave. */
static struct evresult
pass_on(struct evresult result)
{
	void *value = evresult_get_value(result);

	if (value != NULL)
		held[(int *)value - held]++;
	return result;
}

/*
 * Deferreds.
 */

static struct subject *
get(const char *word)
{
	const int index = atoi(word);

	return index < subject_count ? &subjects[index] : NULL;
}

static int
index_of(const struct subject *s)
{
	return (int)(s - subjects);
}

/* Is it its consumer's, or surely not through? */
static bool
is_usable(const struct subject *s)
{
	return !s->given || !s->started || s->pauses > 0;
}

static bool
may_give(const struct subject *other, const struct subject *s)
{
	return other != NULL && !other->given && other->running == 0 &&
	       other > s;
}

/* The first link of each. */
static struct evresult
start(struct evresult result, void *arg)
{
	struct subject *s = arg;
	char text[32];

	s->started = true;
	result = receive_result(result, text, sizeof(text));
	if (strcmp(text, "cancelled") == 0 && !s->fired && !s->target &&
	    strcmp(s->canceller, "none") == 0)
		s->late = true;
	put("S%d %s", index_of(s), text);
	return ending ? evresult_value(NULL) : pass_on(result);
}

static struct evresult
link_both(struct evresult result, void *arg)
{
	const struct step *step = arg;
	const int serial = (int)(step - steps);
	struct subject *other;
	char text[32];

	result = receive_result(result, text, sizeof(text));
	if (ending)
		return evresult_value(NULL);
	put("L%d %s", serial, text);
	step->subject->running++;
	if (step->count > 0)
		run(step->action, step->count, serial + 1);
	step->subject->running--;

	if (step->outcome[0] == '=')
		return pass_on(result);
	if (step->outcome[0] != 'd')
		return make_result(step->outcome, serial);
	other = get(step->outcome + 1);
	if (!may_give(other, step->subject)) {
		put("kept");
		return make_value(serial);
	}
	other->given = true;
	return evresult_deferred(other->d);
}

static struct evresult
link_callback(void *value, void *arg)
{
	return link_both(evresult_value(value), arg);
}

static struct evresult
link_errback(struct evfailure *failure, void *arg)
{
	return link_both(evresult_from_failure(failure), arg);
}

static void
canceller(struct evdeferred *d, void *arg)
{
	const struct subject *s = arg;

	if (ending)
		return;
	put("C%d", index_of(s));
	if (strcmp(s->canceller, "quiet") != 0)
		evdeferred_fire(d, make_result(s->canceller, s->serial));
}

/*
 * Steps.
 */

static struct subject *
add_subject(const char *how, int serial)
{
	struct subject *s = &subjects[subject_count++];

	memset(s, 0, sizeof(*s));
	s->canceller = how;
	s->serial = serial;
	return s;
}

static void
do_new(const char *how, int serial)
{
	struct subject *s = add_subject(how, serial);
	const bool has_none = strcmp(how, "none") == 0;

	s->d = evdeferred_new(base, has_none ? NULL : canceller, s);
	evdeferred_add_both(s->d, start, s);
}

static void
do_fired(const char *kind, int serial)
{
	struct subject *s = add_subject("fired", serial);

	s->d = evdeferred_new_fired(base, make_result(kind, serial));
	evdeferred_add_both(s->d, start, s);
}

static void
do_add(char **words, int count, int serial)
{
	struct subject *s = get(words[1]);
	struct step *step = &steps[serial];

	if (s == NULL || s->given) {
		put("skip");
		return;
	}
	step->subject = s;
	step->outcome = words[3];
	step->action = words + 4;
	step->count = count - 4;
	switch (words[2][0]) {
	case 'c':
		evdeferred_add_callback(s->d, link_callback, step);
		break;
	case 'e':
		evdeferred_add_errback(s->d, link_errback, step);
		break;
	case 'p':
		evdeferred_add_callbacks(
		    s->d, link_callback, link_errback, step);
		break;
	default:
		evdeferred_add_both(s->d, link_both, step);
		break;
	}
}

static void
fire(struct subject *s, struct evresult result)
{
	const bool had_started = s->started, was_fired = s->fired;

	put("fire");
	s->fired = true;
	if (evdeferred_fire(s->d, result) == 0) {
		if (had_started)
			s->late = false;
		return;
	}
	s->fired = was_fired;
	put("%s", errno == EALREADY ? "EALREADY" : strerror(errno));
	evresult_dispose(result);
}

static void
fire_with(struct subject *s, struct subject *other)
{
	if (s->pauses > 0 || !may_give(other, s) || s->late) {
		put("skip");
		return;
	}
	put("fire");
	other->given = true;
	s->fired = true;
	if (evdeferred_fire(s->d, evresult_deferred(other->d)) == 0)
		return;
	other->given = false;
	put("%s", errno == EALREADY ? "EALREADY" : strerror(errno));
}

static void
do_fire(char **words, int serial)
{
	struct subject *s = get(words[1]);

	if (s == NULL || !(is_usable(s) || s->late))
		put("skip");
	else if (words[2][0] == 'd')
		fire_with(s, get(words[2] + 1));
	else
		fire(s, make_result(words[2], serial));
}

static struct evresult
enter(struct evresult result, void *arg)
{
	((struct subject *)arg)->running++;
	return result;
}

static struct evresult
leave(struct evresult result, void *arg)
{
	((struct subject *)arg)->running--;
	return result;
}

static void
do_chain(struct subject *s, struct subject *other)
{
	bool was_target;

	if (s == NULL || other == NULL || s->given || s == other ||
	    !is_usable(other)) {
		put("skip");
		return;
	}
	was_target = other->target;
	evdeferred_add_both(s->d, enter, s);
	other->target = true;
	if (evdeferred_chain(s->d, other->d) == -1) {
		other->target = was_target;
		put("%s", errno == EALREADY ? "EALREADY"
			  : errno == EBUSY  ? "EBUSY"
					    : strerror(errno));
	}
	evdeferred_add_both(s->d, leave, s);
}

static void
do_pause(struct subject *s)
{
	if (s == NULL || !is_usable(s) || s->running > 0) {
		put("skip");
		return;
	}
	s->pauses++;
	evdeferred_pause(s->d);
}

static void
do_unpause(struct subject *s)
{
	if (s == NULL || !is_usable(s)) {
		put("skip");
		return;
	}
	if (s->pauses > 0)
		s->pauses--;
	if (evdeferred_unpause(s->d) == -1)
		put("%s", errno == EPERM ? "EPERM" : strerror(errno));
}

static void
do_cancel(struct subject *s)
{
	if (s == NULL || !is_usable(s))
		put("skip");
	else
		evdeferred_cancel(s->d);
}

static void
do_timeout(struct subject *s, int units, int serial)
{
	/* No two ever come at the same time. */
	const struct timeval after = {units * UNIT + serial, 0};

	if (s == NULL || s->given)
		put("skip");
	else
		evdeferred_add_timeout(s->d, &after);
}

static void
run(char **words, int count, int serial)
{
	const char *verb = words[0];

	if (strcmp(verb, "new") == 0)
		do_new(words[1], serial);
	else if (strcmp(verb, "fired") == 0)
		do_fired(words[1], serial);
	else if (strcmp(verb, "add") == 0)
		do_add(words, count, serial);
	else if (strcmp(verb, "fire") == 0)
		do_fire(words, serial);
	else if (strcmp(verb, "cancel") == 0)
		do_cancel(get(words[1]));
	else if (strcmp(verb, "pause") == 0)
		do_pause(get(words[1]));
	else if (strcmp(verb, "unpause") == 0)
		do_unpause(get(words[1]));
	else if (strcmp(verb, "chain") == 0)
		do_chain(get(words[1]), get(words[2]));
	else if (strcmp(verb, "timeout") == 0)
		do_timeout(get(words[1]), atoi(words[2]), serial);
	else if (strcmp(verb, "tick") == 0) {
		clock_advance(atol(words[1]) * UNIT * 1000);
		event_base_loop(loop, EVLOOP_NONBLOCK);
	} else {
		fprintf(stderr, "unknown step: %s\n", verb);
		exit(EXIT_FAILURE);
	}
}

/*
 * Programs.
 */

static void
note(const struct evfailure *failure, void *arg)
{
	(void)arg;
	if (report_count < MAX_REPORTS)
		reports[report_count++] = evfailure_get_code(failure);
}

/* Their names in the order of their names, as the other side sorts them. */
static int
compare(const void *a, const void *b)
{
	char left[32], right[32];

	name_code(left, sizeof(left), *(const int *)a);
	name_code(right, sizeof(right), *(const int *)b);
	return strcmp(left, right);
}

static void
put_reports(void)
{
	char text[32];
	int i;

	qsort(reports, (size_t)report_count, sizeof(*reports), compare);
	put("unhandled:");
	for (i = 0; i < report_count; i++) {
		name_code(text, sizeof(text), reports[i]);
		used += (size_t)snprintf(
		    trace + used, sizeof(trace) - used, " %s", text);
	}
}

/* Whoever did not fire yet does it now, so that no memory waits for that. */
static void
settle_debts(void)
{
	struct subject *s;

	for (s = subjects; s < subjects + subject_count; s++) {
		if (strcmp(s->canceller, "none") == 0 && !s->target &&
		    (!s->started || s->late))
			evdeferred_fire(s->d, evresult_value(NULL));
	}
}

static void
run_program(char *line)
{
	const long live = alloc_live();
	char *words[MAX_WORDS], *step, *rest, *word, *next = line;
	int count, serial = 1, total = 0, i;

	loop = event_base_new();
	base = evdefer_base_new(loop);
	evdefer_base_set_unhandled(base, note, NULL);
	ending = false;
	subject_count = report_count = 0;
	memset(held, 0, sizeof(held));
	used = 0;
	trace[0] = '\0';

	while ((step = strtok_r(next, ";\n", &next)) != NULL) {
		char **first = words + total;
		int adds = 0;

		count = 0;
		rest = step;
		while ((word = strtok_r(rest, " ", &rest)) != NULL) {
			first[count++] = word;
			adds += strcmp(word, "add") == 0;
		}
		total += count;
		run(first, count, serial);
		serial += 1 + adds;
	}

	ending = true;
	settle_debts();
	for (i = 0; i < subject_count; i++) {
		if (!subjects[i].given)
			evdeferred_free(subjects[i].d);
	}
	evdefer_base_free(base);
	event_base_free(loop);
	ending = false;

	put_reports();
	for (i = 0; i < MAX_STEPS; i++) {
		if (held[i] != 0)
			put("LEAK value %d", held[i]);
	}
	if (alloc_works() && alloc_live() != live)
		put("LEAK memory");
}

int
main(void)
{
	static char line[1 << 14];

	setvbuf(stdout, NULL, _IOLBF, 1 << 16);
	/* What stdio allocates is not to count. */
	printf("replay\n");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		run_program(line);
		puts(trace);
	}
	return EXIT_SUCCESS;
}
