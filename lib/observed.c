/* SPDX-License-Identifier: MIT */
#include "observed-internal.h"

#include "owner-internal.h"

static struct evobserver_event
event_of(const struct evlock *lock, const struct evowner *owner,
    enum evmode mode, int error)
{
	const struct evobserver_event event = {.kind = lock->kind,
	    .mode = (enum evrwlock_mode)evmode_inside_(mode),
	    .lock = lock,
	    .lock_name = lock->name,
	    .owner = owner,
	    .owner_name = owner != NULL ? owner->name : NULL,
	    .error = error};

	return event;
}

void
evlock_tell_(struct evlock *lock, enum evstep step, const struct evowner *owner,
    enum evmode mode, int error)
{
	const struct evobserver_event event =
	    event_of(lock, owner, mode, error);

	evobserver_tell_(lock->queue.base, step, &event);
}

void
evlock_tell_try_(struct evlock *lock, const struct evowner *owner,
    enum evmode mode, int error)
{
	evlock_tell_(lock, EVSTEP_ACQUIRE, owner, mode, 0);
	if (error != 0) {
		evlock_tell_(lock, EVSTEP_CANCEL, owner, mode, error);
		return;
	}
	evlock_tell_(lock, EVSTEP_GRANT, owner, mode, 0);
	evlock_tell_(lock, EVSTEP_DELIVER, owner, mode, 0);
}

/* Of its owner if it has one by then. */
static struct evobserver_event
event_of_deferred(const struct evlock *lock, const struct evdeferred *d,
    enum evmode mode, int error)
{
	const struct evrequest *request = evrequest_of_(d);
	struct evobserver_event event = event_of(
	    lock, request != NULL ? request->hold->owner : NULL, mode, error);

	event.deferred = d;
	return event;
}

void
evlock_tell_of_(struct evlock *lock, enum evstep step,
    const struct evdeferred *d, enum evmode mode, int error)
{
	const struct evobserver_event event =
	    event_of_deferred(lock, d, mode, error);

	evobserver_tell_(lock->queue.base, step, &event);
}

void
evlock_tell_wait_(
    struct evlock *lock, const struct evdeferred *d, enum evmode mode)
{
	struct evobserver_event event = event_of_deferred(lock, d, mode, 0);

	event.waits = true;
	evobserver_tell_(lock->queue.base, EVSTEP_ACQUIRE, &event);
}

void
evlock_tell_entry_(
    struct evlock *lock, const struct evdeferred *d, enum evmode mode)
{
	evlock_tell_of_(lock, EVSTEP_ACQUIRE, d, mode, 0);
	evlock_tell_of_(lock, EVSTEP_GRANT, d, mode, 0);
}

void
evlock_tell_refusal_(struct evlock *lock, const struct evowner *owner,
    enum evmode mode, const struct evdeferred *d, int error)
{
	struct evobserver_event event = event_of(lock, owner, mode, 0);

	if (d == NULL || !(d->flags & EVDEFERRED_WATCHED))
		return;
	event.deferred = d;
	evobserver_tell_(lock->queue.base, EVSTEP_ACQUIRE, &event);
	event.error = error;
	evobserver_tell_(lock->queue.base, EVSTEP_CANCEL, &event);
}
