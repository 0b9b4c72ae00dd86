/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/group.h
 * @page evgroup
 *
 * One readers-writer lock for several event loops, each in a thread of its own.
 *
 * Each loop has a member of the group, a struct evrwlock that is used as any other
 * (evdefer/rwlock.h), in the thread of its loop: acquires, owners, timeouts,
 * evrwlock_with(), both ways of delivery.  No loop is ever blocked: who has to wait is
 * told by its own loop.
 *
 * @par Who enters, and when
 * What holds for one lock holds for all members together:
 *
 * - A writer is alone in the whole group, and readers of all members share.
 * - A writer that waits for any member holds back the readers that ask any other after
 *   its acquire has returned.
 * - When a writer leaves, the next waiting writer enters, and if none waits, all readers
 *   that wait do.
 * - Members whose writers wait take turns in the order of asking.  A member may pass
 *   the lock on among its own writers EVGROUP_PASSES times while another member's wait.
 * - One at most in the whole group has an upgradable hold, and members where one waits
 *   for that take turns, too.  Its upgrade waits for the readers of all members and comes
 *   before the writers of all; it holds back the readers that ask any member after
 *   evrwlock_upgrade() has returned.
 * - There is no fairness between readers and writers (EVRWLOCK_FAIR), and no limit of
 *   readers (evrwlock_set_reader_limit()).
 * - A waiter that is cancelled, freed, or runs into a timeout leaves at once, and whoever
 *   it has kept out enters.
 *
 * evrwlock_writer_try() of one thread is seen by the others, even if it is about to be
 * refused.  While it lasts, a try of theirs may be refused as well.
 *
 * @par What it costs
 * To read costs what it costs without a group: no atomic read-modify-write, and
 * nothing is written that other loops look at.  A writer locks a mutex; a write, or one
 * that is tried and refused, costs a membarrier(2), some microseconds, unless another
 * writer is inside or waits.  (Where the kernel does not offer membarrier(2), each read
 * costs a memory fence.)  An upgradable hold, its upgrade and its release lock the mutex,
 * and an upgrade costs what a write does, and nothing that others do.
 *
 * A loop is woken, by one write(2), only when something in it that waits may go on.
 * Where there are several processors, who finds another member in its way looks again for
 * some microseconds before waiting, as it often takes no longer.  In the steady state no
 * memory is needed.
 *
 * @par What is not there
 * Owners belong to one base, and so does all that they hold.  A cycle of owners that
 * wait for each other over several members is not found, nor is an owner that waits for
 * one member and holds another: such waits end with a timeout, or the patience of
 * evrwlock_with().  What evrwlock_is_reading(), evrwlock_get_stats() and others say of
 * a member is about that member alone.
 *
 * @par Loops and processes
 * A loop does not end (event_base_dispatch()) while something in it waits for another
 * member.  A thread that ends while something of it is inside keeps all others out.
 * evthread_use_pthreads() is not needed.  After fork(2) a child must leave all groups
 * alone, and does not even free them: a daemon makes them once it is in the background.
 *
 * @thread The thread of the member's base.
 * @origin None: neither Twisted, txrwlock nor aiorwlock has such a lock.
 */
#ifndef EVDEFER_GROUP_H
#define EVDEFER_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include <evdefer/rwlock.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evgroup;

/** How often a member may pass the lock on among its own writers while a writer of
 * another member waits. */
#define EVGROUP_PASSES 64

/**
 * Makes a group without members.
 *
 * @return the group, to be freed with evgroup_free(); NULL with errno set.
 * @errno ENOMEM
 * @thread Any thread.
 * @cost One allocation, and a few calls of membarrier(2), which register the process.
 */
struct evgroup *evgroup_new(void);

/**
 * Frees the group, once its last member has left.
 *
 * Until then all go on as before; only nobody may join any more.
 *
 * @param group NULL is allowed and does nothing.
 * @thread Any thread.
 */
void evgroup_free(struct evgroup *group);

/**
 * Makes a lock that is a member of a group.
 *
 * It is used as any other (evdefer/rwlock.h), and excludes the members of other loops as
 * evdefer/group.h says.  A base may have several members, which exclude each other as
 * those of different bases do.  What can fail fails here: no later call needs memory that
 * one of a lock without a group does not.
 *
 * evrwlock_free() leaves the group: waiters fail with ESHUTDOWN, and holders
 * release as before, and are counted until they have.  evdefer_base_free() has those
 * fail that wait, as nobody could tell them any more; who is inside stays until he
 * releases.
 *
 * @param flags 0 or EVRWLOCK_FAST.
 * @return the lock, which the caller closes with evrwlock_free(); NULL with errno set, and
 *   nothing has joined.
 * @errno EINVAL No group, no base, or an unknown flag.
 * @errno ENOMEM
 * @errno ENOTSUP EVRWLOCK_FAIR: who is served next is not the member's to say.
 * @errno ESHUTDOWN
 * @cost Two allocations, one more for the first of a base, and a mutex.
 */
struct evrwlock *evrwlock_new_in_group(
    struct evgroup *group, struct evdefer_base *base, unsigned flags);

/** Counts of a group: first those of now, then totals since evgroup_new().
 *
 * Who waits is counted by members, not one by one: a loop asks the others once for all
 * that wait in it. */
struct evgroup_stats {
	size_t members; /**< that have not left */
	size_t writing; /**< 1 if a member has the right to write, or 0 */
	size_t readers_waiting; /**< members whose readers wait for others */
	size_t writers_waiting; /**< members whose writers wait for others */
	size_t upgradable; /**< 1 if one reads upgradably in a member, or 0 */
	size_t
	    upgradables_waiting; /**< members in which one waits to do that */
	uint64_t rights; /**< how often a member was given the right to write */
	uint64_t recalls; /**< how often the right to read was taken from all */
	uint64_t wake_ups; /**< how often a loop was told that it may go on */
};

/**
 * Writes the counts of a group.
 *
 * @param stats must not be NULL; all 0 for a NULL group.
 * @thread Any thread.
 * @cost A mutex, and O(n) for n members that wait.
 */
void evgroup_get_stats(struct evgroup *group, struct evgroup_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
