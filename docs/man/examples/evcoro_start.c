/* SPDX-License-Identifier: MIT */
/*
 * A writer that changes something in two steps, with a wait between them, so that no
 * reader can ever see it half changed:
 */
#include <stdbool.h>
#include <stdlib.h>
#include <evdefer.h>

struct account {
	struct evrwlock *lock;
	long balance;
};

struct evdeferred *ask_bank(struct account *account, long amount);

struct deposit {
	struct evcoro co;
	struct account *account;
	long amount;
	bool locked;
};

static struct evresult
deposit(struct evcoro *co, void *arg)
{
	struct deposit *d = arg;

	EVCORO_BEGIN(co);
	EVCORO_AWAIT(co, evrwlock_writer_acquire(d->account->lock));
	d->locked = true;
	EVCORO_AWAIT(co, ask_bank(d->account, d->amount));
	d->account->balance += d->amount;

	EVCORO_FINALLY(co);
	if (d->locked)
		evrwlock_writer_release(d->account->lock);
	EVCORO_END(co);
}

struct evdeferred *
account_deposit(struct evdefer_base *base, struct account *account, long amount)
{
	struct deposit *d = calloc(1, sizeof(*d));
	struct evdeferred *result;

	if (d == NULL)
		return NULL;
	d->account = account;
	d->amount = amount;
	result = evcoro_start(base, &d->co, deposit, d, free);
	if (result == NULL)
		free(d);
	return result;
}
