/* SPDX-License-Identifier: MIT */
/*
 * At most eight requests to a server are under way at once; the others wait for
 * their turn:
 */
#include <evdefer.h>

struct request;
struct evdeferred *request_send(struct request *request);

static struct evsemaphore *slots;

int
start(struct evdefer_base *base)
{
	slots = evsemaphore_new(base, 8, 0);
	return slots != NULL ? 0 : -1;
}

static struct evresult
send_now(void *arg)
{
	return evresult_deferred(request_send(arg));
}

struct evdeferred *
request_send_in_turn(struct request *request)
{
	return evsemaphore_with(slots, NULL, NULL, send_now, request);
}
