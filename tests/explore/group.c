/* SPDX-License-Identifier: MIT */
/*
 * The reference of groups.  One member has the right to write, or all may read.
 *
 * From the first writer that wants in at any member, the group is closed: no reader
 * enters that was not inside.  The members that have writers are given the right to
 * write in the order of asking, when nobody reads.  Who has it keeps it while a
 * writer of its own is inside or waits, and passes it on after MOST_PASSES more
 * writers if another waits.  When none is left, the group opens, and all that wait
 * to read are let in: those at other members count as reading from then on, though
 * they learn of it by a message to their loop.  No other message is ever sent.
 */
#include "model.h"

enum need { NEED_NOTHING, NEED_READ, NEED_WRITE };

static int
anybody(const struct model *m, int lock, enum mode mode, int newcomer)
{
	return model_inside(m, lock, mode) + model_waiting(m, lock, mode) +
	       (newcomer == (int)mode);
}

static enum need
need_of(const struct model *m, int lock, int newcomer)
{
	if (anybody(m, lock, WRITE, newcomer) > 0)
		return NEED_WRITE;
	return anybody(m, lock, READ, newcomer) > 0 ? NEED_READ : NEED_NOTHING;
}

static void
call(struct model *m, int lock)
{
	struct member *member = &m->group.members[lock];

	if (member->called)
		return;
	member->called = true;
	m->group.wake_ups++;
}

/* For all but who asks, and is told so at once. */
static void
open_group(struct model *m)
{
	struct member *member;
	int i;

	m->group.closed = false;
	for (i = 0; i < m->lock_count; i++) {
		member = &m->group.members[i];
		if (!member->readers_wait)
			continue;
		member->readers_wait = false;
		member->let_in = true;
		call(m, i);
	}
}

static bool
somebody_reads(const struct model *m)
{
	int i;

	for (i = 0; i < m->lock_count; i++)
		if (m->group.members[i].let_in || model_inside(m, i, READ) > 0)
			return true;
	return false;
}

/* The member that waits to write for the longest time, or NOBODY. */
static int
first_to_write(const struct model *m)
{
	const struct member *members = m->group.members;
	int i, first = NOBODY;

	for (i = 0; i < m->lock_count; i++)
		if (members[i].asked != 0 &&
		    (first == NOBODY ||
			members[i].asked < members[first].asked))
			first = i;
	return first;
}

static void
give_right(struct model *m, int lock, int asks)
{
	struct member *member = &m->group.members[lock];

	m->group.writer = (uint8_t)(lock + 1);
	m->group.rights++;
	member->asked = 0;
	member->entries = lock == asks;
	if (lock != asks)
		call(m, lock);
}

static void
settle(struct model *m, int asks)
{
	const int first = first_to_write(m);

	if (m->group.writer != 0)
		return;
	if (first == NOBODY) {
		if (m->group.closed)
			open_group(m);
		return;
	}
	if (!m->group.closed)
		m->group.recalls++;
	m->group.closed = true;
	if (!somebody_reads(m))
		give_right(m, first, asks);
}

/* Another of its own writers is to enter: is it the turn of another member? */
static bool
must_pass_on(struct model *m, struct member *member)
{
	if (first_to_write(m) == NOBODY) {
		member->entries = 1;
		return false;
	}
	return member->entries++ > MOST_PASSES;
}

static void
give_back(struct model *m, int lock, enum need need)
{
	if (m->group.writer != lock + 1)
		return;
	if (need != NEED_WRITE || (model_inside(m, lock, WRITE) == 0 &&
				      must_pass_on(m, &m->group.members[lock])))
		m->group.writer = 0;
}

bool
group_ask(struct model *m, int lock, int newcomer)
{
	struct group *group = &m->group;
	struct member *member = &group->members[lock];
	const enum need need = need_of(m, lock, newcomer);
	bool has;

	member->readers_wait = false;
	if (need != NEED_READ)
		member->let_in = false;
	if (need != NEED_WRITE)
		member->asked = 0;
	give_back(m, lock, need);
	if (need == NEED_WRITE && group->writer != lock + 1 &&
	    member->asked == 0)
		member->asked = ++group->serial;
	settle(m, lock);
	if (need == NEED_WRITE)
		has = group->writer == lock + 1;
	else
		has = need == NEED_NOTHING || !group->closed || member->let_in;
	member->let_in = false;
	member->readers_wait =
	    !has && need == NEED_READ &&
	    model_waiting(m, lock, READ) + (newcomer == READ) > 0;
	member->awaits = member->asked != 0 || member->readers_wait;
	return has;
}

void
group_leave(struct model *m, int lock)
{
	group_ask(m, lock, NOBODY);
	m->group.members[lock] = (struct member){0};
}

size_t
group_readers_waiting(const struct model *m)
{
	size_t count = 0;
	int i;

	for (i = 0; i < m->lock_count; i++)
		count += m->group.members[i].readers_wait;
	return count;
}

size_t
group_writers_waiting(const struct model *m)
{
	size_t count = 0;
	int i;

	for (i = 0; i < m->lock_count; i++)
		count += m->group.members[i].asked != 0;
	return count;
}
