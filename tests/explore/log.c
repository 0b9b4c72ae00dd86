/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "locks.h"

#define EVENTS 1024

enum type { BEGAN, ENDED, CALLED, MISSING };

struct event_of_run {
	enum type type;
	int inside; /* number of the callback that it is in, 0: none */
	struct step step;
	enum site site;
	int result;
	int client;
	int call;	    /* number of this callback */
	struct model model; /* after it */
};

static const struct setting *setting;
static int ending;
static const struct model *model;
static struct event_of_run events[EVENTS];
static int event_count;
static int calls;
static int stack[FRAMES + 1]; /* of the callbacks we are in */
static int depth;

void
log_start(
    const struct setting *new_setting, int new_ending, const struct model *m)
{
	model = m;
	setting = new_setting;
	ending = new_ending;
	event_count = calls = depth = 0;
}

static struct event_of_run *
append(enum type type)
{
	struct event_of_run *event = &events[event_count];

	if (event_count < EVENTS - 1)
		event_count++;
	event->type = type;
	event->inside = stack[depth];
	return event;
}

void
log_begin(struct step step, int result)
{
	struct event_of_run *event = append(BEGAN);

	event->step = step;
	event->result = result;
}

/* The call has just begun. */
void
log_site(enum site site)
{
	events[event_count - 1].site = site;
}

void
log_end(const struct model *m)
{
	append(ENDED)->model = *m;
}

void
log_called(const struct model *m, int client, int code)
{
	struct event_of_run *event = append(CALLED);

	event->client = client;
	event->result = code;
	event->call = ++calls;
	event->model = *m;
	stack[++depth] = calls;
}

void
log_returned(const struct model *m)
{
	(void)m;
	depth--;
}

void
log_missing(int client, int code)
{
	struct event_of_run *event = append(MISSING);

	event->client = client;
	event->result = code;
}

/*
 * Printing.  With write(), for it may come from a signal handler.
 */

static char buffer[1 << 16];
static size_t used;

__attribute__((format(printf, 1, 2))) static void
print(const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(buffer + used, sizeof(buffer) - used, format, args);
	va_end(args);
	if (length > 0 && used + (size_t)length < sizeof(buffer))
		used += (size_t)length;
}

static void
flush(void)
{
	size_t done = 0;
	ssize_t written;

	while (done < used) {
		written = write(STDOUT_FILENO, buffer + done, used - done);
		if (written <= 0)
			break;
		done += (size_t)written;
	}
}

static const char preamble[] =
    "/* SPDX-License-Identifier: MIT */\n"
    "/* Belongs into tests/, and needs explore/site.c. */\n"
    "#include \"support.h\"\n"
    "\n"
    "#include <errno.h>\n"
    "#include <stdio.h>\n"
    "#include <string.h>\n"
    "\n"
    "#include \"explore/site.h\"\n"
    "\n"
    "static struct %s *locks[3];\n"
    "static struct evdefer_base *bases[3]; /* of each lock */\n"
    "static struct evowner *owners[5];\n"
    "static struct evdeferred *deferreds[4]; /* by client */\n"
    "static int clients[] = {0, 1, 2, 3};\n"
    "static enum site sites[4];\n"
    "static int places[4]; /* the locks */\n"
    "static int told_codes[4];\n"
    "static int calls;\n"
    "\n"
    "static void inside(int call);\n"
    "\n"
    "static void\n"
    "told(void *arg)\n"
    "{\n"
    "	const int client = *(int *)arg;\n"
    "	char text[32];\n"
    "\n"
    "	deferreds[client] = NULL;\n"
    "	snprintf(text, sizeof(text), \"%%d:%%d \", client,\n"
    "	    told_codes[client]);\n"
    "	trace_add(text);\n"
    "	inside(++calls);\n"
    "}\n"
    "\n"
    "static struct evresult\n"
    "tell(int *client, int code)\n"
    "{\n"
    "	told_codes[*client] = code;\n"
    "	return site_run(sites[*client], bases[places[*client]],\n"
    "	    deferreds[*client], told, client);\n"
    "}\n"
    "\n"
    "static struct evresult\n"
    "on_grant(void *value, void *client)\n"
    "{\n"
    "	(void)value;\n"
    "	return tell(client, 0);\n"
    "}\n"
    "\n"
    "static struct evresult\n"
    "on_loss(struct evfailure *failure, void *client)\n"
    "{\n"
    "	return tell(client, evfailure_get_code(failure));\n"
    "}\n"
    "\n"
    "static void\n"
    "on_report(const struct evfailure *failure, void *arg)\n"
    "{\n"
    "	(void)arg;\n"
    "	if (!site_report(failure))\n"
    "		report.count++;\n"
    "}\n"
    "\n"
    "static void\n"
    "request(int client, enum site site, bool timed, int place,\n"
    "    struct evdeferred *d)\n"
    "{\n"
    "	static const struct timeval second = {1, 0};\n"
    "\n"
    "	ck_assert_ptr_nonnull(d);\n"
    "	deferreds[client] = d;\n"
    "	sites[client] = site;\n"
    "	places[client] = place;\n"
    "	if (timed)\n"
    "		ck_assert_int_eq(evdeferred_add_timeout(d, &second), 0);\n"
    "	ck_assert_int_eq(evdeferred_add_callbacks(d, on_grant, on_loss,\n"
    "	    &clients[client]), 0);\n"
    "}\n"
    "\n"
    "static void\n"
    "gives(int result, int code)\n"
    "{\n"
    "	ck_assert_int_eq(result == 0 ? 0 : errno, code);\n"
    "}\n"
    "\n"
    "static void\n"
    "drop(int client)\n"
    "{\n"
    "	struct evdeferred *d = deferreds[client];\n"
    "\n"
    "	deferreds[client] = NULL;\n"
    "	evdeferred_free(d);\n"
    "}\n"
    "\n"
    "/* Each client that was told since, with the code or 0 for a grant. */\n"
    "static void\n"
    "was_told(const char *who)\n"
    "{\n"
    "	ck_assert_str_eq(trace, who);\n"
    "	trace[0] = '\\0';\n"
    "}\n"
    "\n"
    "static void\n"
    "leave(int owner, int place)\n"
    "{\n"
    "	struct evowner *next = evowner_new(bases[place], NULL);\n"
    "\n"
    "	evowner_free(owners[owner]);\n"
    "	owners[owner] = next;\n"
    "}\n"
    "\n";

/* What is printed after that for readers-writer locks; */
static const char rwlock_part[] =
    "static void\n"
    "counts(int lock, size_t reading, size_t writing, size_t readers_waiting,\n"
    "    size_t writers_waiting)\n"
    "{\n"
    "	struct evrwlock_stats stats;\n"
    "\n"
    "	evrwlock_get_stats(locks[lock], &stats);\n"
    "	ck_assert_uint_eq(stats.readers_inside, reading);\n"
    "	ck_assert_uint_eq(stats.writers_inside, writing);\n"
    "	ck_assert_uint_eq(stats.readers_waiting, readers_waiting);\n"
    "	ck_assert_uint_eq(stats.writers_waiting, writers_waiting);\n"
    "}\n"
    "\n"
    "static void\n"
    "totals(int lock, size_t readers, size_t writers, size_t longest_queue)\n"
    "{\n"
    "	struct evrwlock_stats stats;\n"
    "\n"
    "	evrwlock_get_stats(locks[lock], &stats);\n"
    "	ck_assert_uint_eq(stats.readers_granted, readers);\n"
    "	ck_assert_uint_eq(stats.writers_granted, writers);\n"
    "	ck_assert_uint_eq(stats.longest_queue, longest_queue);\n"
    "}\n"
    "\n"
    "static void\n"
    "upgradables(int lock, size_t inside, size_t waiting, size_t upgrades)\n"
    "{\n"
    "	struct evrwlock_stats stats;\n"
    "\n"
    "	evrwlock_get_stats(locks[lock], &stats);\n"
    "	ck_assert_uint_eq(stats.upgradables_inside, inside);\n"
    "	ck_assert_uint_eq(stats.upgradables_waiting, waiting);\n"
    "	ck_assert_uint_eq(stats.upgrades_waiting, upgrades);\n"
    "}\n"
    "\n"
    "/* Ends a lock that is open. */\n"
    "static void\n"
    "tidy(int lock)\n"
    "{\n"
    "	while (evrwlock_release(locks[lock], NULL,\n"
    "		   EVRWLOCK_UPGRADABLE) == 0)\n"
    "		continue;\n"
    "	while (evrwlock_reader_release(locks[lock]) == 0)\n"
    "		continue;\n"
    "	while (evrwlock_writer_release(locks[lock]) == 0)\n"
    "		continue;\n"
    "	evrwlock_free(locks[lock]);\n"
    "}\n"
    "\n";

/* ... for groups of them, besides; */
static const char group_part[] =
    "static struct evgroup *group;\n"
    "static struct event_base *loops[3];\n"
    "static bool ended[3];\n"
    "\n"
    "static void\n"
    "join(int lock, unsigned flags)\n"
    "{\n"
    "	locks[lock] = evrwlock_new_in_group(group, bases[lock], flags);\n"
    "	ck_assert_ptr_nonnull(locks[lock]);\n"
    "}\n"
    "\n"
    "static void\n"
    "make_member(int lock, unsigned flags)\n"
    "{\n"
    "	loops[lock] = support_new_loop();\n"
    "	bases[lock] = evdefer_base_new(loops[lock]);\n"
    "	evdefer_base_set_unhandled(bases[lock], on_report, NULL);\n"
    "	join(lock, flags);\n"
    "}\n"
    "\n"
    "static void\n"
    "look(int lock)\n"
    "{\n"
    "	int turn;\n"
    "\n"
    "	for (turn = 0; turn < 8; turn++)\n"
    "		event_base_loop(loops[lock], EVLOOP_ONCE |\n"
    "		    EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY);\n"
    "}\n"
    "\n"
    "static void\n"
    "end_base(int lock)\n"
    "{\n"
    "	if (!ended[lock]) {\n"
    "		ended[lock] = true;\n"
    "		evdefer_base_free(bases[lock]);\n"
    "	}\n"
    "}\n"
    "\n"
    "static void\n"
    "in_group(size_t writing, size_t readers_waiting, size_t writers_waiting,\n"
    "    uint64_t wake_ups)\n"
    "{\n"
    "	struct evgroup_stats stats;\n"
    "\n"
    "	evgroup_get_stats(group, &stats);\n"
    "	ck_assert_uint_eq(stats.writing, writing);\n"
    "	ck_assert_uint_eq(stats.readers_waiting, readers_waiting);\n"
    "	ck_assert_uint_eq(stats.writers_waiting, writers_waiting);\n"
    "	ck_assert_uint_eq(stats.wake_ups, wake_ups);\n"
    "}\n"
    "\n"
    "static void\n"
    "group_totals(uint64_t rights, uint64_t recalls, size_t members)\n"
    "{\n"
    "	struct evgroup_stats stats;\n"
    "\n"
    "	evgroup_get_stats(group, &stats);\n"
    "	ck_assert_uint_eq(stats.rights, rights);\n"
    "	ck_assert_uint_eq(stats.recalls, recalls);\n"
    "	ck_assert_uint_eq(stats.members, members);\n"
    "}\n"
    "\n"
    "/* Does the loop have events to wait for? */\n"
    "static void\n"
    "stays(int lock, bool stays)\n"
    "{\n"
    "	ck_assert_int_eq(event_base_get_num_events(loops[lock],\n"
    "	    EVENT_BASE_COUNT_ADDED) > 0, stays);\n"
    "}\n"
    "\n";

/* ... and for mutexes and semaphores, whose functions begin with their name. */
static const char token_part[] =
    "static void\n"
    "counts(int lock, size_t inside, size_t waiting)\n"
    "{\n"
    "	struct evsemaphore_stats stats;\n"
    "\n"
    "	%s_get_stats(locks[lock], &stats);\n"
    "	ck_assert_uint_eq(stats.inside, inside);\n"
    "	ck_assert_uint_eq(stats.waiting, waiting);\n"
    "}\n"
    "\n"
    "static void\n"
    "totals(int lock, size_t granted, size_t longest_queue)\n"
    "{\n"
    "	struct evsemaphore_stats stats;\n"
    "\n"
    "	%s_get_stats(locks[lock], &stats);\n"
    "	ck_assert_uint_eq(stats.granted, granted);\n"
    "	ck_assert_uint_eq(stats.longest_queue, longest_queue);\n"
    "}\n"
    "\n"
    "/* Ends one that is open. */\n"
    "static void\n"
    "tidy(int lock)\n"
    "{\n"
    "	while (%s_release(locks[lock], NULL) == 0)\n"
    "		continue;\n"
    "	%s_free(locks[lock]);\n"
    "}\n"
    "\n";

static const char *const site_names[] = {"SITE_CALLBACK", "SITE_CALLBACK_2",
    "SITE_FREE", "SITE_CANCELLER", "SITE_BODY", "SITE_CLEANUP", "SITE_HANDLER"};

static const char *
code_name(int code)
{
	switch (code) {
	case 0:
		return "0";
	case EBUSY:
		return "EBUSY";
	case EPERM:
		return "EPERM";
	case EDEADLK:
		return "EDEADLK";
	case ESHUTDOWN:
		return "ESHUTDOWN";
	default:
		return "?";
	}
}

/* Before the names of the functions. */
static const char *
kind_name(void)
{
	return lock_kind(setting->tokens)->name;
}

static const char *
flags_name(void)
{
	if (setting->fair)
		return setting->fast ? "EVRWLOCK_FAIR | EVRWLOCK_FAST"
				     : "EVRWLOCK_FAIR";
	/* That of all kinds. */
	return setting->fast ? "EVRWLOCK_FAST" : "0";
}

static const char *const mode_names[] = {
    "EVRWLOCK_READ", "EVRWLOCK_UPGRADABLE", "EVRWLOCK_WRITE"};

static void
print_owner(int party)
{
	if (party > 0)
		print("owners[%d]", party);
	else
		print("NULL");
}

static void
print_downgrade(const struct event_of_run *event)
{
	const struct step step = event->step;
	const int to = step.kind == READ_ON ? READ : step.mode - 1;

	print("gives(evrwlock_downgrade(locks[%d], ", step.lock);
	print_owner(step.who);
	print(", %s, %s), %s);\n", mode_names[step.mode], mode_names[to],
	    code_name(event->result));
}

static void
print_held(const char *verb, struct step step, int party)
{
	const bool has_modes = setting->tokens == 0;

	if (step.mode == UPGRADE) {
		print("evrwlock_%s(locks[%d], ",
		    strcmp(verb, "try") == 0 ? "try_upgrade" : "upgrade",
		    step.lock);
		print_owner(party);
		print(")");
		return;
	}
	if (has_modes && party == 0 && step.mode != UPGRADABLE) {
		print("evrwlock_%s_%s(locks[%d])",
		    step.mode == READ ? "reader" : "writer", verb, step.lock);
		return;
	}
	print("%s_%s(locks[%d], ", kind_name(), verb, step.lock);
	print_owner(party);
	if (has_modes)
		print(", %s", mode_names[step.mode]);
	print(")");
}

static void
print_step(const struct event_of_run *event, const char *indent)
{
	const struct step step = event->step;

	print("%s", indent);
	switch ((enum kind)step.kind) {
	case ACQUIRE:
	case ACQUIRE_TIMED:
		print("request(%d, %s, %s, %d, ", step.who,
		    site_names[event->site],
		    step.kind == ACQUIRE_TIMED ? "true" : "false", step.lock);
		print_held("acquire", step, setting->parties[step.who]);
		print(");\n");
		break;
	case TRY:
	case RELEASE:
		print("gives(");
		print_held(
		    step.kind == TRY ? "try" : "release", step, step.who);
		print(", %s);\n", code_name(event->result));
		break;
	case STEP_DOWN:
	case READ_ON:
		print_downgrade(event);
		break;
	case CANCEL:
		print("evdeferred_cancel(deferreds[%d]);\n", step.who);
		break;
	case FREE:
		print("drop(%d);\n", step.who);
		break;
	case PAUSE:
		print("evdeferred_pause(deferreds[%d]);\n", step.who);
		break;
	case UNPAUSE:
		print("evdeferred_unpause(deferreds[%d]);\n", step.who);
		break;
	case SET_LIMIT:
		print("gives(evrwlock_set_reader_limit(locks[%d], %d), %s);\n",
		    step.lock, step.mode, code_name(event->result));
		break;
	case CLOSE:
		print("%s_free(locks[%d]);\n", kind_name(), step.lock);
		break;
	case JOIN:
		print("join(%d, %s);\n", step.lock, flags_name());
		break;
	case END_OWNER:
		print("leave(%d, %d);\n", step.who,
		    model_lock_of(model, step.who));
		break;
	case TURN:
		if (model->grouped)
			print("look(%d);\n", step.lock);
		else
			print("turns(4);\n");
		break;
	case PASS_TIME:
		print("clock_advance(2000);\n");
		break;
	case END_BASE:
		if (model->grouped)
			print("end_base(%d);\n", step.lock);
		else
			print("support_free_base();\n");
		break;
	case RETURN:
		break;
	}
}

/* Is what the locks count foreseeable? */
static bool
is_sure(const struct model *m)
{
	int i;

	for (i = 0; i < m->depth; i++)
		if (m->frames[i].step.kind == END_OWNER ||
		    m->frames[i].step.kind == CLOSE ||
		    (m->grouped && m->frames[i].step.kind == END_BASE))
			return false;
	return !model_is_unsure(m);
}

static void
print_counts(const struct event_of_run *event, const char *indent)
{
	const struct model *m = &event->model;
	int lock;

	for (lock = 0; lock < m->lock_count && is_sure(m); lock++) {
		if (m->status[lock] == GONE)
			continue;
		print("%scounts(%d, ", indent, lock);
		if (m->tokens == 0)
			print("%d, ", model_inside(m, lock, READ));
		print("%d, ", model_inside(m, lock, WRITE));
		if (m->tokens == 0)
			print("%d, ", model_waiting(m, lock, READ));
		print("%d);\n", model_waiting(m, lock, WRITE) +
				    model_waiting(m, lock, UPGRADE));
		if (setting->upgrades > 0)
			print("%supgradables(%d, %d, %d, %d);\n", indent, lock,
			    model_inside(m, lock, UPGRADABLE),
			    model_waiting(m, lock, UPGRADABLE),
			    model_waiting(m, lock, UPGRADE));
	}
	if (m->grouped && is_sure(m))
		print("%sin_group(%d, %zu, %zu, %u);\n", indent,
		    m->group.writer != 0, group_readers_waiting(m),
		    group_writers_waiting(m), m->group.wake_ups);
}

/* What happens in one callback, or with 0 outside of all. */
static void
print_inside(int call, const char *indent)
{
	const struct event_of_run *event;
	int i;

	for (i = 0; i < event_count; i++) {
		event = &events[i];
		if (event->type == CALLED && event->call == call && call > 0)
			print_counts(event, indent);
		if (event->inside != call)
			continue;
		if (event->type == BEGAN)
			print_step(event, indent);
		else if (event->type == ENDED)
			print_counts(event, indent);
	}
}

/* Is there anything to do or to check in that callback? */
static bool
is_worth_printing(int call)
{
	int i;

	for (i = 0; i < event_count; i++)
		if (events[i].inside == call && events[i].type == BEGAN)
			return true;
	return false;
}

static void
print_callbacks(void)
{
	int call;

	print("/* What is done in the callbacks, by their number. */\n"
	      "static void\ninside(int call)\n{\n\tswitch (call) {\n");
	for (call = 1; call <= calls; call++) {
		if (!is_worth_printing(call))
			continue;
		print("\tcase %d:\n", call);
		print_inside(call, "\t\t");
		print("\t\tbreak;\n");
	}
	print("\tdefault:\n\t\tbreak;\n\t}\n}\n\n");
}

static void
print_told(int from, int to)
{
	print("\twas_told(\"");
	for (; from < to; from++)
		if (events[from].type == CALLED || events[from].type == MISSING)
			print(
			    "%d:%d ", events[from].client, events[from].result);
	print("\");\n");
}

static void
print_outside(void)
{
	const struct event_of_run *event;
	int i, began = 0;

	for (i = 0; i < event_count; i++) {
		event = &events[i];
		if (event->inside != 0)
			continue;
		if (event->type == BEGAN) {
			print_step(event, "\t");
			began = i;
		} else if (event->type == ENDED) {
			print_told(began, i);
			print_counts(event, "\t");
			began = i;
		}
	}
	print_told(began, event_count);
}

/* Owners are numbered from 1. */
static int
owner_count(void)
{
	int c, count = 0;

	for (c = 0; c < setting->clients; c++)
		if (setting->parties[c] > count)
			count = setting->parties[c];
	return count;
}

/* A timer, or something to tell, keeps a loop, too. */
static bool
is_loop_foreseeable(int lock)
{
	bool turned = false;
	int i;

	for (i = 0; i < event_count; i++) {
		if (events[i].type != BEGAN)
			continue;
		if (events[i].step.kind == ACQUIRE_TIMED)
			return false;
		turned =
		    events[i].step.kind == TURN && events[i].step.lock == lock;
	}
	return turned;
}

static void
print_group_totals(void)
{
	const struct group *group = &model->group;
	int i, members = 0;

	for (i = 0; i < model->lock_count; i++) {
		members += model->status[i] != GONE;
		if (!model->base_closed[i] &&
		    (group->members[i].awaits || is_loop_foreseeable(i)))
			print("\tstays(%d, %s);\n", i,
			    group->members[i].awaits ? "true" : "false");
	}
	print("\tgroup_totals(%u, %u, %d);\n", group->rights, group->recalls,
	    members);
}

/* What the locks count, if nothing is under way that would go on. */
static void
print_totals(void)
{
	const struct totals *totals;
	int lock;

	for (lock = 0; lock < model->lock_count && model->depth == 0; lock++) {
		totals = &model->totals[lock];
		if (model->status[lock] == GONE ||
		    totals->granted_slack[READ] + totals->granted_slack[WRITE] >
			0)
			continue;
		print("\ttotals(%d, ", lock);
		if (model->tokens == 0)
			print("%u, ", totals->granted[READ]);
		print("%u, %u);\n", totals->granted[WRITE], totals->longest);
	}
	if (model->depth == 0 && model->reports_slack == 0)
		print(
		    "\tck_assert_int_eq(report.count, %u);\n", model->reports);
	if (model->depth == 0 && model->grouped)
		print_group_totals();
}

/* Gives back what nobody in particular has of a lock that is closed. */
static void
print_releases(int lock)
{
	struct step step = {.kind = RELEASE, .lock = (uint8_t)lock};
	int count;

	for (; step.mode <= WRITE; step.mode++) {
		count = model->received[0][lock][step.mode];
		while (count-- > 0) {
			print("\t");
			print_held("release", step, 0);
			print(";\n");
		}
	}
}

/* The run may have been cut short anywhere. */
static void
print_end(void)
{
	int i;

	print("\n\t/* The end, wherever that was. */\n");
	for (i = 0; i < setting->clients; i++)
		print("\tdrop(%d);\n", i);
	for (i = 1; i <= owner_count(); i++)
		print("\tevowner_free(owners[%d]);\n", i);
	for (i = 0; i < model->lock_count; i++) {
		if (model->status[i] == OPEN)
			print("\ttidy(%d);\n", i);
		else if (model->status[i] == CLOSED)
			print_releases(i);
	}
	for (i = 0; model->grouped && i < model->lock_count; i++)
		print("\tend_base(%d);\n\tevent_base_free(loops[%d]);\n", i, i);
	if (model->grouped)
		print("\tevgroup_free(group);\n");
	print("\treport.count = 0;\n");
}

static void
print_start(void)
{
	int i;

	print("\tevdefer_base_set_unhandled(base, on_report, NULL);\n");
	if (model->grouped)
		print("\tgroup = evgroup_new();\n");
	for (i = 0; i < model->lock_count; i++) {
		if (model->grouped)
			print("\tmake_member(%d, ", i);
		else
			print(
			    "\tbases[%d] = base;\n\tlocks[%d] = %s_new(base, ",
			    i, i, kind_name());
		if (setting->tokens > 1)
			print("%d, ", setting->tokens);
		print("%s);\n", flags_name());
		if (setting->limit > 0)
			print("\tevrwlock_set_reader_limit(locks[%d], %d);\n",
			    i, setting->limit);
	}
	for (i = 0; i < model->lock_count; i++)
		if (driver_reserved(ending) > 0 && (i == 0 || model->grouped))
			print("\tevdefer_base_reserve(bases[%d], %zu, 0);\n", i,
			    driver_reserved(ending));
	for (i = 1; i <= owner_count(); i++)
		print("\towners[%d] = evowner_new(bases[%d], NULL);\n", i,
		    model->grouped ? model_lock_of(model, i) : 0);
}

static void
print_test(void)
{
	print(preamble, kind_name());
	if (setting->tokens == 0)
		print("%s%s", rwlock_part, model->grouped ? group_part : "");
	else
		print(token_part, kind_name(), kind_name(), kind_name(),
		    kind_name());
	print_callbacks();
	print("START_TEST(explored)\n{\n");
	print_start();
	print_outside();
	print_totals();
	print_end();
	print("}\nEND_TEST\n\n"
	      "int\nmain(void)\n{\n"
	      "\tSuite *suite = suite_create(\"explored\");\n"
	      "\tTCase *tcase = tcase_create(\"explored\");\n\n"
	      "\tsuite_add_tcase(suite, tcase);\n"
	      "\ttcase_add_checked_fixture(\n"
	      "\t    tcase, support_setup, support_teardown);\n"
	      "\ttcase_add_test(tcase, explored);\n"
	      "\treturn support_main(suite);\n}\n");
}

_Noreturn void
log_fail(const char *wrong)
{
	print("explore: found a difference, %s, ending %d: %s\n"
	      "explore: as a test:\n",
	    setting->name, ending, wrong);
	print_test();
	flush();
	_exit(1);
}

static void
on_signal(int number)
{
	char text[64];

	snprintf(text, sizeof(text), "%s (signal %d)",
	    number == SIGALRM ? "it does not return" : "a crash", number);
	log_fail(text);
}

void
log_catch_signals(void)
{
	static const int numbers[] = {
	    SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		signal(numbers[i], on_signal);
}
