/* SPDX-License-Identifier: MIT */
/*
 * The same by hand, for a hold that ends in another place than where it begins:
 */
#include <evdefer.h>

struct session {
	struct evrwlock *lock;
	struct evdeferred *waiting;
	int reading;
};

static struct evresult
enter(void *value, void *arg)
{
	struct session *session = arg;

	(void)value;
	session->reading = 1;
	return evresult_value(NULL);
}

int
session_begin(struct session *session)
{
	session->waiting = evrwlock_reader_acquire(session->lock);
	if (session->waiting == NULL)
		return -1;
	return evdeferred_add_callback(session->waiting, enter, session);
}

void
session_end(struct session *session)
{
	evdeferred_free(session->waiting);
	if (session->reading)
		evrwlock_reader_release(session->lock);
}
