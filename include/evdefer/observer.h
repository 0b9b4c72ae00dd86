/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/observer.h
 * @page evobserver
 *
 * What locks and Deferreds of a base do, told to functions of the program's as it happens.
 *
 * evdefer/trace.h has an observer that writes a file for Perfetto and chrome://tracing.
 *
 * @par Acquires
 * Readers-writer locks, semaphores and mutexes have acquires, and queues have gets.  Each
 * is told of when it is made, and from then on either of a grant and then a delivery, or
 * of a cancel, at the latest when its Deferred goes.  A cancel may come between the two: a
 * grant on its way is given back then, and needs no release.  Any other grant ends with a
 * release, but those of queues, whose objects are not released.  One whose right is lost
 * before it was delivered (evrwlock_lost()) is a cancel with ESTALE, and then another
 * acquire with the same Deferred, which waits.  An acquire that returned NULL, and a try
 * with EINVAL or ENOMEM, is not told of.
 *
 * A try is an acquire without a Deferred: it is told of in one go.  An upgrade is the
 * acquire of a hold to write, and a downgrade is a try in the one mode and then a
 * release in the other.
 *
 * What had begun before the observer was set is told of as far as it is left: releases,
 * mostly.  Nothing is told of what a Deferred does that was made before.
 *
 * @par What an observer may do
 * Inside its functions an observer calls nothing of the library for the same base,
 * or of what belongs to the base: it is in the middle of a change.  A library built with
 * `--enable-debug` aborts.  Allowed are evdefer_base_call(), which does it later, and
 * what needs no base at all (evowner_get_name() and the like).  What it does with errno
 * does not matter.
 *
 * @par What it costs
 * While no observer is set, locks and Deferreds cost what they cost without this
 * header.  While one is, the short ways are not taken: a lock that is free makes a
 * Deferred that fires, and letting in many readers at once takes a call for each.
 *
 * @thread The thread of the base.
 */
#ifndef EVDEFER_OBSERVER_H
#define EVDEFER_OBSERVER_H

#include <evdefer/rwlock.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What an acquire is of. */
enum evobserver_kind {
	EVOBSERVER_RWLOCK,    /**< a struct evrwlock */
	EVOBSERVER_SEMAPHORE, /**< a struct evsemaphore */
	EVOBSERVER_MUTEX,     /**< a struct evmutex */
	EVOBSERVER_QUEUE /**< a struct evqueue; an acquire is a get, and the
			       * object that it is delivered is never released */
};

/** A step of an acquire.  It is there for the length of the call, and so are the
 * strings. */
struct evobserver_event {
	enum evobserver_kind kind;
	/** The mode; EVRWLOCK_WRITE where there are none. */
	enum evrwlock_mode mode;
	/** The lock or queue, by which it can be told from others as long as it is
	 * there, and its name; NULL if it has none. */
	const void *lock;
	const char *lock_name;
	/** Whose it is, and its name; NULL for nobody in particular. */
	const struct evowner *owner;
	const char *owner_name;
	/** The Deferred of the acquire, by which it can be told from others until it
	 * was delivered or cancelled; NULL of a try and in a release. */
	const struct evdeferred *deferred;
	/** Of an acquire: it has to wait.  Otherwise a grant or a cancel follows at
	 * once. */
	bool waits;
	/** Of a cancel, why: ECANCELED (it was cancelled, timed out or freed, or its
	 * owner was), ESHUTDOWN, EDEADLK, EPERM (an upgrade), EBUSY (a try), ESTALE (its
	 * right is lost), or what made the lock's source fail.  Otherwise 0. */
	int error;
};

/** Is told of a step of an acquire, with the argument of evdefer_base_set_observer(). */
typedef void (*evobserver_event_fn)(
    const struct evobserver_event *event, void *arg);

/** The functions; each may be NULL. */
struct evobserver {
	/** Somebody asks. */
	evobserver_event_fn acquire;
	/** It is let in: it counts as inside from now on. */
	evobserver_event_fn grant;
	/** It is told so: its Deferred fires next. */
	evobserver_event_fn deliver;
	/** It has left, and others may be let in next. */
	evobserver_event_fn release;
	/** It leaves without having been delivered. */
	evobserver_event_fn cancel;

	/** A Deferred was made, by the user or by the library. */
	void (*made)(const struct evdeferred *d, void *arg);
	/** It fires: with a value or with a Deferred to wait for if the code is 0, and
	 * otherwise with a failure that has this code. */
	void (*fired)(const struct evdeferred *d, int code, void *arg);
	/** Its memory goes, and may be used for another one. */
	void (*gone)(const struct evdeferred *d, void *arg);
};

/**
 * Has an observer called for all that happens from now on.
 *
 * It takes the place of the one that was set before.  What it is told, and what it may
 * do, is in evdefer/observer.h.
 *
 * @param observer which has to be there until another one or none is set, or until the
 *   base and all that belongs to it are gone; NULL for none.
 * @param arg handed to its functions; it stays the caller's.
 * @return 0, or -1 with errno set.
 * @errno EINVAL No base.
 * @cost A step for each lock of the base.
 */
int evdefer_base_set_observer(
    struct evdefer_base *base, const struct evobserver *observer, void *arg);

#ifdef __cplusplus
}
#endif

#endif
