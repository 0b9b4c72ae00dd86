/* SPDX-License-Identifier: MIT */
/* The calls on locks, owners, semaphores, mutexes and queues. */
#include "calls.h"

static struct evrwlock *
some_lock(unsigned n)
{
	struct evrwlock **lock = &w.locks[n % KINDS];

	if (*lock == NULL)
		*lock = evrwlock_new(w.base, n % KINDS);
	return *lock;
}

/* An owner or -1. */
static int
owner_by(unsigned how)
{
	int n = (int)(how % (KINDS + 1)) - 1;

	if (n == -1)
		return -1;
	if (w.owners[n] == NULL) {
		w.owners[n] = evowner_new(w.base, n == 0 ? "first" : NULL);
		w.life[n]++;
	}
	return w.owners[n] == NULL ? -1 : n;
}

static int
some_owner(void)
{
	return owner_by(next());
}

/* How long to wait: NULL is without an end. */
static const struct timeval *
patience_by(unsigned how)
{
	static const struct timeval most[] = {{0, 0}, {0, 300000}, {2, 0}};

	return how % 4 == 0 ? NULL : &most[how % 4 - 1];
}

void
call_acquire(void)
{
	const unsigned how = next();
	const enum what what = how % 2 ? WRITE : READ;
	struct evrwlock *lock = some_lock(how / 2);
	const int n = some_owner();
	struct link *link = new_link(what, n);
	struct evdeferred *d;

	if (lock == NULL)
		return;
	if (n != -1 || how / 32 % 2)
		d = evrwlock_acquire(lock, owner_of(n), mode_of(what));
	else
		d = what == READ ? evrwlock_reader_acquire(lock)
				 : evrwlock_writer_acquire(lock);
	/* Sometimes nobody receives the grant. */
	if (how / 4 % 8 == 0)
		put(d, true);
	else
		put_with(d, granted, link);
}

void
call_try(void)
{
	const unsigned how = next();
	const enum what what = how % 2 ? WRITE : READ;
	struct evrwlock *lock = some_lock(how / 2);
	const int n = some_owner();
	int rc;

	if (lock == NULL)
		return;
	if (n != -1 || how / 4 % 2)
		rc = evrwlock_try(lock, owner_of(n), mode_of(what));
	else
		rc = what == READ ? evrwlock_reader_try(lock)
				  : evrwlock_writer_try(lock);
	if (rc == 0)
		hold(what, lock, n);
}

void
call_with(void)
{
	const unsigned how = next();
	const enum what what = how % 2 ? WRITE : READ;
	struct evrwlock *lock = some_lock(how / 2);
	const int n = some_owner();
	const struct timeval *patience = patience_by(how / 8);
	struct link *link = new_link(what, n);
	struct evdeferred *d;

	if (lock == NULL)
		return;
	link->on = lock;
	if (n != -1 || patience != NULL || how / 4 % 2)
		d = evrwlock_with(
		    lock, owner_of(n), mode_of(what), patience, body, link);
	else
		d = what == READ ? evrwlock_with_reader(lock, body, link)
				 : evrwlock_with_writer(lock, body, link);
	put_body(d, link);
}

void
call_release(void)
{
	release_one(next());
}

/* What is being freed may be freed once more, by what its free calls. */
void
free_lock(unsigned n)
{
	const bool again = w.lock_goes[n];

	w.lock_goes[n] = true;
	evrwlock_free(w.locks[n]);
	w.lock_goes[n] = again;
	if (!again)
		w.locks[n] = NULL;
}

void
call_free_lock(void)
{
	free_lock(next() % KINDS);
}

/* What it holds is given back, with nothing to do for us. */
void
free_owner(int n)
{
	struct evowner *owner = w.owners[n];
	size_t i;

	if (w.owner_goes[n])
		evowner_free(owner);
	if (owner == NULL || w.owner_goes[n])
		return;
	for (i = 0; i < w.tokens; i++)
		if (tokens[i].held && tokens[i].owner == n)
			tokens[i].held = false;
	w.owner_goes[n] = true;
	evowner_free(owner);
	w.owner_goes[n] = false;
	w.owners[n] = NULL;
	w.life[n]++;
}

void
call_free_owner(void)
{
	free_owner((int)(next() % KINDS));
}

void
call_semaphore(void)
{
	const unsigned how = next();
	struct evsemaphore **semaphore = &w.semaphores[how % KINDS];
	const int n = owner_by(how / 8 % 4);
	struct link *link = new_link(SEMAPHORE, n);

	if (*semaphore == NULL)
		*semaphore = evsemaphore_new(w.base, TOKENS, how % KINDS);
	if (*semaphore == NULL)
		return;
	switch (how / 2 % 4) {
	case 0:
		put_with(evsemaphore_acquire(*semaphore, owner_of(n)), granted,
		    link);
		break;
	case 1:
		put(evsemaphore_acquire(*semaphore, owner_of(n)), true);
		break;
	case 2:
		if (evsemaphore_try(*semaphore, owner_of(n)) == 0)
			hold(SEMAPHORE, *semaphore, n);
		break;
	case 3:
		link->on = *semaphore;
		put_body(evsemaphore_with(*semaphore, owner_of(n),
			     patience_by(how / 32), body, link),
		    link);
		break;
	}
}

void
call_mutex(void)
{
	const unsigned how = next();
	struct evmutex **mutex = &w.mutexes[how % KINDS];
	const int n = owner_by(how / 8 % 4);
	struct link *link = new_link(MUTEX, n);

	if (*mutex == NULL)
		*mutex = evmutex_new(w.base, how % KINDS);
	if (*mutex == NULL)
		return;
	switch (how / 2 % 4) {
	case 0:
		put_with(evmutex_acquire(*mutex, owner_of(n)), granted, link);
		break;
	case 1:
		put(evmutex_acquire(*mutex, owner_of(n)), true);
		break;
	case 2:
		if (evmutex_try(*mutex, owner_of(n)) == 0)
			hold(MUTEX, *mutex, n);
		break;
	case 3:
		link->on = *mutex;
		put_body(evmutex_with(*mutex, owner_of(n),
			     patience_by(how / 32), body, link),
		    link);
		break;
	}
}

static void
put_get(struct evdeferred *d)
{
	struct slot *slot = put(d, false);

	if (slot != NULL)
		slot->get = true;
}

void
call_queue(void)
{
	const unsigned how = next();
	struct evqueue **queue = &w.queues[how % KINDS];
	struct evresult object;

	if (*queue == NULL)
		*queue = evqueue_new(w.base, how / 2 % 3, 3, how % KINDS);
	if (*queue == NULL)
		return;
	if (how / 8 % 2) {
		put_get(evqueue_get(*queue));
		return;
	}
	object = some_result(NULL);
	/* If the queue went meanwhile nobody has taken the object. */
	if (*queue == NULL || evqueue_put(*queue, object) == -1)
		evresult_dispose(object);
}

void
free_semaphore(unsigned n)
{
	const bool again = w.semaphore_goes[n];

	w.semaphore_goes[n] = true;
	evsemaphore_free(w.semaphores[n]);
	w.semaphore_goes[n] = again;
	if (!again)
		w.semaphores[n] = NULL;
}

void
free_mutex(unsigned n)
{
	const bool again = w.mutex_goes[n];

	w.mutex_goes[n] = true;
	evmutex_free(w.mutexes[n]);
	w.mutex_goes[n] = again;
	if (!again)
		w.mutexes[n] = NULL;
}

void
free_queue(unsigned n)
{
	const bool again = w.queue_goes[n];

	w.queue_goes[n] = true;
	evqueue_free(w.queues[n]);
	w.queue_goes[n] = again;
	if (!again)
		w.queues[n] = NULL;
}

void
call_free_other(void)
{
	static void (*const frees[])(unsigned n) = {
	    free_semaphore, free_mutex, free_queue};
	const unsigned how = next();

	frees[how / 2 % 3](how % KINDS);
}
