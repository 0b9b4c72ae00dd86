/* SPDX-License-Identifier: MIT */
/*
 * One member has the right to write, or all have the right to read.
 *
 * As long as no writer wants in, the group is open: readers of any member enter
 * without asking.  The first that wants to write closes it, and is given the right to
 * write when nobody reads any more; then the next that waits, in the order of asking.
 * When none waits the group opens, and lets in the readers that wait.
 *
 * Nobody reads unseen.  A member that is let in counts as reading until it has come to
 * look.  One that reads on its own publishes that before it looks whether the group is
 * closed; see evsource_publish_().  close_group() sets that byte, then has all threads
 * pass a barrier, and only then somebody_reads() looks.  So a reader that entered
 * without seeing the byte is seen; it sees the byte when it leaves, and asks, which
 * has somebody_reads() look again.  A reader that sees the byte has published too
 * much, and takes that back when it asks.
 *
 * One member at most has one that reads upgradably: it has claimed that under the mutex,
 * and keeps it until it says that it is not needed.  As long as it does, no writer gets the
 * right, but for its own upgrade, which comes before all writers.  So its reading need not
 * be published, and plain readers do not see it.
 *
 * No wake-up is lost: all that decides who is given a right is under the mutex, and
 * whoever changes any of it calls settle_group() before he lets go.
 */
#include <evdefer/group.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "barrier-internal.h"
#include "call-internal.h"
#include "rwlock-internal.h"

/* What one thread writes again and again does not share a line of the cache with what
 * others read. */
#define LINE 64

/* How often a thread looks again before it goes to sleep, or has itself told: some
 * microseconds. */
#ifndef EVGROUP_MOMENT
#define EVGROUP_MOMENT 500
#endif

static inline void
relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

struct evgroup {
	char apart_before[LINE];
	atomic_uchar closed; /* written under the mutex */
	char apart_after[LINE];
	bool fenced; /* there is no barrier for all threads */
	int moment;  /* 0 where there is one processor */

	pthread_mutex_t mutex; /* over the rest */
	struct evlist members;
	struct evlist writers; /* wait for the right, in the order of asking */
	struct evlist readers; /* wait until it is open */
	struct member *writer; /* has the right */
	struct evlist
	    claims; /* want to read upgradably, in the order of asking */
	struct member *upgradable;  /* reads so */
	struct evgroup_stats stats; /* the totals, and how many members */
	size_t
	    users; /* members, those whose memory is left too, and who made it */
};

struct member {
	struct evgroup *group;

	/* Under the mutex. */
	struct evlist node;	  /* in group->members */
	struct evlist wait_node;  /* in group->writers or group->readers */
	struct evlist claim_node; /* in group->claims */
	bool upgrading;		  /* wants the right before all writers */
	bool to_write;		  /* in the first, or has the right */
	bool let_in;		  /* may read, and does not know that yet */
	bool called;		  /* its loop is to look */
	bool gone;		  /* and to free this then */
	unsigned entries;	  /* of its own writers while others wait */
	struct evcall call;

	char apart_before[LINE];
	struct evsource source;
	char apart_after[LINE];
};

static void
lock_group(struct evgroup *group)
{
	int i;

	/* It is held for about a microsecond, and to sleep takes much longer. */
	for (i = 0; i < group->moment; i++) {
		if (pthread_mutex_trylock(&group->mutex) == 0)
			return;
		relax();
	}
	pthread_mutex_lock(&group->mutex);
}

static void
unlock_group(struct evgroup *group)
{
	pthread_mutex_unlock(&group->mutex);
}

/* The group is locked, and unlocked or gone afterwards. */
static void
leave_group(struct evgroup *group)
{
	const bool last = --group->users == 0;

	unlock_group(group);
	if (!last)
		return;
	pthread_mutex_destroy(&group->mutex);
	free(group);
}

/*
 * Under the mutex.
 */

static void
wake(struct member *member)
{
	if (member->called)
		return;
	member->called = true;
	member->group->stats.wake_ups++;
	/* It is open: nobody waits on a base that is closed. */
	evcall_post_(member->source.queue->base, &member->call);
}

static bool
is_closed(const struct evgroup *group)
{
	return atomic_load_explicit(&group->closed, memory_order_relaxed) != 0;
}

static void
close_group(struct evgroup *group)
{
	group->stats.recalls++;
	atomic_store(&group->closed, 1);
	if (!group->fenced)
		evbarrier_in_all_threads_();
}

static void
open_group(struct evgroup *group)
{
	struct member *member;

	atomic_store_explicit(&group->closed, 0, memory_order_release);
	while (!evlist_empty_(&group->readers)) {
		member = EVLIST_ELEMENT(
		    evlist_pop_(&group->readers), struct member, wait_node);
		member->let_in = true;
		wake(member);
	}
}

static bool
somebody_reads(const struct evgroup *group)
{
	const struct member *member;
	const struct evlist *node;

	for (node = group->members.next; node != &group->members;
	     node = node->next) {
		member = EVLIST_ELEMENT(node, struct member, node);
		if (member->let_in || atomic_load(&member->source.reading) > 0)
			return true;
	}
	return false;
}

/* One that upgrades does not wait for itself. */
static bool
keeps_out(const struct evgroup *group, const struct member *writer)
{
	const struct member *upgradable = group->upgradable;

	return upgradable != NULL &&
	       (upgradable != writer || !upgradable->upgrading);
}

/* Most readers elsewhere are about to leave when the group has just been closed. */
static void
wait_for_readers(const struct evgroup *group, const struct member *self)
{
	int i;

	if (atomic_load(&self->source.reading) > 0)
		return;
	for (i = 0; i < group->moment && somebody_reads(group); i++)
		relax();
}

/* Who is to write next, or NULL. */
static struct member *
next_writer(const struct evgroup *group)
{
	if (group->upgradable != NULL && group->upgradable->upgrading)
		return group->upgradable;
	if (evlist_empty_(&group->writers))
		return NULL;
	return EVLIST_ELEMENT(group->writers.next, struct member, wait_node);
}

/* Gives the right to whoever is to have it next. */
static void
settle_group(struct evgroup *group, const struct member *self)
{
	struct member *writer;

	if (group->writer != NULL)
		return;
	writer = next_writer(group);
	if (writer == NULL) {
		if (is_closed(group))
			open_group(group);
		return;
	}
	if (!is_closed(group)) {
		close_group(group);
		wait_for_readers(group, self);
	}
	if (somebody_reads(group) || keeps_out(group, writer))
		return;
	evlist_remove_(&writer->wait_node);
	group->writer = writer;
	group->stats.rights++;
	/* Who asks lets one in without asking again. */
	writer->entries = writer == self ? 1 : 0;
	if (writer != self)
		wake(writer);
}

/*
 * To read upgradably.  Who wants that stands in a list, and gets it when nobody else
 * has it and it may read; who has it reads, unseen by others.
 */

static void
wake_first_claim(struct evgroup *group)
{
	if (group->upgradable == NULL && !evlist_empty_(&group->claims))
		wake(EVLIST_ELEMENT(
		    group->claims.next, struct member, claim_node));
}

/* It does not want it, or not any more. */
static void
drop_claim(struct member *member)
{
	struct evgroup *group = member->group;
	const bool first = group->claims.next == &member->claim_node;

	evlist_remove_(&member->claim_node);
	if (group->upgradable == member)
		group->upgradable = NULL;
	else if (!first)
		return;
	wake_first_claim(group);
}

/* One that was writing has it at once: nobody else was inside. */
static void
update_claim(struct member *member, const struct evneed *need)
{
	struct evgroup *group = member->group;

	member->upgrading = need->upgrading;
	if (need->claim == EVCLAIM_NONE) {
		drop_claim(member);
	} else if (need->claim == EVCLAIM_HELD) {
		evlist_remove_(&member->claim_node);
		group->upgradable = member;
	} else if (evlist_empty_(&member->claim_node)) {
		/* If another one of its own has left, it is the turn of others. */
		evlist_append_(&group->claims, &member->claim_node);
		if (group->upgradable != member)
			return;
		group->upgradable = NULL;
		if (group->claims.next != &member->claim_node)
			wake_first_claim(group);
	}
}

/* It may read.  Is it its turn to do that upgradably? */
static void
take_claim(struct member *member)
{
	struct evgroup *group = member->group;

	if (group->upgradable != NULL ||
	    group->claims.next != &member->claim_node)
		return;
	evlist_remove_(&member->claim_node);
	group->upgradable = member;
}

/* Tests take less. */
#ifndef EVGROUP_MOST_PASSES
#define EVGROUP_MOST_PASSES EVGROUP_PASSES
#endif

/* Has it been its turn for long enough?  Another writer of its own enters otherwise. */
static bool
must_pass_on(struct member *member)
{
	if (evlist_empty_(&member->group->writers)) {
		member->entries = 1;
		return false;
	}
	return member->entries++ > EVGROUP_MOST_PASSES;
}

/* Gives back what it does not need, and has it wait for the right to write. */
static void
update_needs(struct member *member, const struct evneed *need)
{
	struct evgroup *group = member->group;

	/* A writer keeps its place. */
	if (need->right < EVRIGHT_WRITE || !member->to_write)
		evlist_remove_(&member->wait_node);
	member->to_write = need->right == EVRIGHT_WRITE;
	if (group->writer == member &&
	    (!member->to_write || (!need->writing && must_pass_on(member))))
		group->writer = NULL;
	if (member->to_write && group->writer != member &&
	    evlist_empty_(&member->wait_node))
		evlist_append_(&group->writers, &member->wait_node);
}

static void
publish(struct member *member, size_t reading)
{
	atomic_store(&member->source.reading, reading);
}

static enum evright
update(struct member *member, const struct evneed *need)
{
	struct evgroup *group = member->group;
	const bool let_in = member->let_in && need->right == EVRIGHT_READ;

	member->let_in = false;
	publish(member, let_in ? need->readers : need->reading);
	update_needs(member, need);
	update_claim(member, need);
	if (let_in)
		take_claim(member);
	settle_group(group, member);
	if (group->writer == member)
		return EVRIGHT_WRITE;
	if (need->right == EVRIGHT_WRITE)
		return EVRIGHT_NONE;
	/* Those that are inside need no more. */
	if (!let_in && is_closed(group) &&
	    (need->readers > need->reading || need->claim == EVCLAIM_WANTED)) {
		evlist_append_(&group->readers, &member->wait_node);
		return EVRIGHT_NONE;
	}
	take_claim(member);
	publish(member, need->readers);
	return EVRIGHT_READ;
}

/*
 * The source.
 */

static struct member *
member_of(struct evsource *source)
{
	return EVLIST_ELEMENT(source, struct member, source);
}

/* A write is often over before a message would have come, which takes tens of
 * microseconds.  So the first reader that has to wait takes a closer look. */
static void
wait_a_moment(const struct evgroup *group)
{
	int i;

	for (i = 0; i < group->moment && is_closed(group); i++)
		relax();
}

static enum evright
ask_group(struct evsource *source, const struct evneed *need)
{
	struct member *member = member_of(source);
	enum evright right;

	if (need->first && need->right == EVRIGHT_READ) {
		/* A writer that looks meanwhile sees that it is not inside. */
		evsource_publish_(source, need->reading);
		wait_a_moment(member->group);
	}
	lock_group(member->group);
	right = update(member, need);
	source->upgradable = member->group->upgradable == member;
	unlock_group(member->group);
	evsource_await_(
	    source, right < need->right ||
			(need->claim == EVCLAIM_WANTED && !source->upgradable));
	return right;
}

/* The group is locked, and unlocked afterwards. */
static void
free_member(struct member *member)
{
	struct evgroup *group = member->group;

	free(member);
	leave_group(group);
}

static void
leave(struct evsource *source)
{
	const struct evneed nothing = {.right = EVRIGHT_NONE};
	struct member *member = member_of(source);

	lock_group(member->group);
	update(member, &nothing);
	evlist_remove_(&member->node);
	member->group->stats.members--;
	member->gone = true;
	if (member->called)
		unlock_group(member->group);
	else
		free_member(member);
}

/* Those that are let in have the right, though they do not know it yet. */
static enum evright
get_right_in_group(struct evsource *source)
{
	const struct member *member = member_of(source);
	const struct evgroup *group = member->group;
	enum evright right = EVRIGHT_NONE;

	lock_group(member->group);
	if (group->writer == member)
		right = EVRIGHT_WRITE;
	else if (!is_closed(group) || member->let_in ||
		 atomic_load(&source->reading) > 0 ||
		 group->upgradable == member)
		right = EVRIGHT_READ;
	unlock_group(member->group);
	return right;
}

static const struct evsource_type group_type = {.ask = ask_group,
    .leave = leave,
    .get_right = get_right_in_group,
    .reach = "group"};

/* In its loop, after wake(). */
static void
look(void *arg)
{
	struct member *member = arg;

	lock_group(member->group);
	member->called = false;
	if (member->gone) {
		free_member(member);
		return;
	}
	unlock_group(member->group);
	evwaitqueue_changed_(member->source.queue);
}

/*
 * Making, joining.
 */

struct evgroup *
evgroup_new(void)
{
	struct evgroup *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return evdefer_refuse_new_(ENOMEM);
	pthread_mutex_init(&group->mutex, NULL);
	evlist_init_(&group->members);
	evlist_init_(&group->writers);
	evlist_init_(&group->readers);
	evlist_init_(&group->claims);
	group->fenced = !evbarrier_register_();
	group->moment = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? EVGROUP_MOMENT : 0;
	group->users = 1;
	return group;
}

void
evgroup_free(struct evgroup *group)
{
	if (group == NULL)
		return;
	lock_group(group);
	leave_group(group);
}

static void
join(struct member *member, struct evgroup *group)
{
	member->group = group;
	lock_group(group);
	evlist_append_(&group->members, &member->node);
	group->stats.members++;
	group->users++;
	unlock_group(group);
}

struct evrwlock *
evrwlock_new_in_group(
    struct evgroup *group, struct evdefer_base *base, unsigned flags)
{
	struct evrwlock *lock;
	struct member *member;

	if (group == NULL)
		return evdefer_refuse_new_(EINVAL);
	if (flags & EVRWLOCK_FAIR)
		return evdefer_refuse_new_(ENOTSUP);
	lock = evrwlock_new(base, flags);
	if (lock == NULL)
		return NULL;
	member = calloc(1, sizeof(*member));
	if (member == NULL)
		goto no_memory;
	member->source.type = &group_type;
	member->source.ask_first = &group->closed;
	member->source.fenced = group->fenced;
	member->call.fn = look;
	member->call.arg = member;
	evlist_init_(&member->wait_node);
	evlist_init_(&member->claim_node);
	if (evrwlock_set_source_(lock, &member->source) == -1)
		goto no_memory;
	join(member, group);
	return lock;

no_memory:
	free(member);
	evrwlock_free(lock);
	return evdefer_refuse_new_(ENOMEM);
}

static size_t
count(const struct evlist *list)
{
	const struct evlist *node;
	size_t number = 0;

	for (node = list->next; node != list; node = node->next)
		number++;
	return number;
}

void
evgroup_get_stats(struct evgroup *group, struct evgroup_stats *stats)
{
	*stats = (struct evgroup_stats){0};
	if (group == NULL)
		return;
	lock_group(group);
	*stats = group->stats;
	stats->writing = group->writer != NULL;
	stats->readers_waiting = count(&group->readers);
	stats->writers_waiting = count(&group->writers);
	stats->upgradable = group->upgradable != NULL;
	stats->upgradables_waiting = count(&group->claims);
	unlock_group(group);
}
