/* SPDX-License-Identifier: MIT */
/*
 * A get that is granted is promised an object, but none in particular: when it
 * fires it takes the first one.  So a get that leaves before takes none away
 * from the others, and what comes first stays first.
 */
#include <evdefer/queue.h>

#include <stdlib.h>

#include "statement-internal.h"
#include "waitqueue-internal.h"

_Static_assert(EVQUEUE_FAST == EVWAITQUEUE_FAST, "flags are handed on");

struct evqueue {
	struct evwaitqueue waiters;
	struct evlist gets; /* that wait */
	size_t waiting;	    /* how many these are */
	size_t longest;	    /* so far */
	struct evlist objects;
	size_t count; /* of objects, those promised too */
	size_t size;
	size_t backlog;
	uint64_t put;
	uint64_t got;
	uint64_t cancelled;
	size_t most_queued;
};

static struct evqueue *
queue_of(struct evwaitqueue *waiters)
{
	return EVLIST_ELEMENT(waiters, struct evqueue, waiters);
}

/* How many objects are not promised.  If there are any, no get waits. */
static size_t
queued(const struct evqueue *queue)
{
	return queue->count - queue->waiters.undelivered;
}

static struct evresult_node *
pop_first(struct evqueue *queue)
{
	queue->count--;
	return EVLIST_ELEMENT(
	    evlist_pop_(&queue->objects), struct evresult_node, node);
}

/* Frees the node of an object. */
static struct evresult
unwrap(struct evdefer_base *base, struct evresult_node *object)
{
	struct evresult result = object->result;

	evpool_put_(&base->results, object);
	return result;
}

static void
drop_first(struct evqueue *queue)
{
	struct evresult_node *object = pop_first(queue);

	if (evunhandled_is_news_(object->result))
		evunhandled_report_node_(queue->waiters.base, object);
	else
		evresult_dispose(unwrap(queue->waiters.base, object));
}

/* Before the Deferred of a get is fired. */
static void
observe(const struct evqueue *queue, enum evstep step,
    const struct evdeferred *d, int error)
{
	const struct evobserver_event event = {.kind = EVOBSERVER_QUEUE,
	    .mode = EVRWLOCK_WRITE,
	    .lock = queue,
	    .deferred = d,
	    .waits = step == EVSTEP_ACQUIRE &&
		     queue->count == queue->waiters.undelivered &&
		     evwaitqueue_is_open_(&queue->waiters),
	    .error = error};

	if (d->flags & EVDEFERRED_WATCHED)
		evobserver_tell_(queue->waiters.base, step, &event);
}

/*
 * For the wait queue.
 */

static void
deliver_object(struct evwaitqueue *waiters, struct evdeferred *d)
{
	struct evqueue *queue = queue_of(waiters);

	queue->got++;
	observe(queue, EVSTEP_DELIVER, d, 0);
	evdeferred_produce_(d, unwrap(waiters->base, pop_first(queue)));
}

/* Marks a get as one that an object is promised to. */
static void
promise(struct evqueue *queue, struct evdeferred *d)
{
	evdeferred_set_(d, EVDEFERRED_MARKED);
	evwaitqueue_grant_(&queue->waiters, d);
	observe(queue, EVSTEP_GRANT, d, 0);
}

static void
admit_to_objects(struct evwaitqueue *waiters)
{
	struct evqueue *queue = queue_of(waiters);

	while (!waiters->closed && queue->waiting > 0 && queued(queue) > 0) {
		queue->waiting--;
		promise(queue, EVLIST_ELEMENT(evlist_pop_(&queue->gets),
				   struct evdeferred, node));
	}
	if (queued(queue) > queue->most_queued)
		queue->most_queued = queued(queue);
}

static void
fail_gets(struct evqueue *queue, struct evlist *list, size_t *count)
{
	struct evdeferred *d;

	while (!evlist_empty_(list)) {
		--*count;
		d = EVLIST_ELEMENT(evlist_pop_(list), struct evdeferred, node);
		observe(queue, EVSTEP_CANCEL, d, ESHUTDOWN);
		evdeferred_produce_(d, evresult_fixed_(EVFAILURE_SHUT_DOWN));
	}
}

static void
fail_all_gets(struct evwaitqueue *waiters)
{
	struct evqueue *queue = queue_of(waiters);

	/* Before the errbacks, one of which may free the base. */
	evlist_remove_(&waiters->ready.node);
	fail_gets(queue, &waiters->granted, &waiters->undelivered);
	fail_gets(queue, &queue->gets, &queue->waiting);
	while (queue->count > 0)
		drop_first(queue);
}

static void
destroy_queue(struct evwaitqueue *waiters)
{
	free(queue_of(waiters));
}

/* Says of the first in a list what they wait for, and of the others how many there
 * are. */
static void
describe_gets(struct evstatement *statement, enum evrelation relation,
    const struct evlist *list, size_t count)
{
	const struct evlist *node = list->next;
	struct evparty party = {
	    .relation = relation, .mode = "get", .count = 1};
	size_t left = count;

	while (node != list && count - left < EVSTATEMENT_NAMES) {
		party.creation = evstatement_creation_(
		    EVLIST_ELEMENT(node, const struct evdeferred, node));
		evstatement_add_(statement, &party);
		node = node->next;
		left--;
	}
	evstatement_add_rest_(statement, relation, "get", left);
}

static void
describe_queue(const struct evwaitqueue *waiters, struct evstatement *statement)
{
	const struct evqueue *queue =
	    EVLIST_ELEMENT(waiters, const struct evqueue, waiters);
	struct evsubject subject = {.kind = "queue",
	    .closed = waiters->closed,
	    .inside = waiters->undelivered,
	    .waiting = queue->waiting};

	evsubject_add_(&subject,
	    (struct evfact){.name = "objects", .number = queued(queue)});
	evstatement_begin_(statement, &subject);
	describe_gets(statement, EVRELATION_GRANTED, &waiters->granted,
	    waiters->undelivered);
	describe_gets(
	    statement, EVRELATION_WAITING, &queue->gets, queue->waiting);
}

static const struct evwaitqueue_type waiters_type = {
    .deliver = deliver_object,
    .admit = admit_to_objects,
    .fail_waiters = fail_all_gets,
    .destroy = destroy_queue,
    .describe = describe_queue,
};

static void
cancel_get(struct evdeferred *d, void *arg)
{
	struct evqueue *queue = arg;

	queue->cancelled++;
	observe(queue, EVSTEP_CANCEL, d, ECANCELED);
	if (d->flags & EVDEFERRED_MARKED) {
		evwaitqueue_withdraw_(&queue->waiters, d);
	} else {
		evlist_remove_(&d->node);
		queue->waiting--;
	}
	evwaitqueue_changed_(&queue->waiters);
}

/*
 * What it is for.
 */

/* Why it takes no object, or 0. */
static int
refusal(const struct evqueue *queue)
{
	if (queue == NULL)
		return EINVAL;
	evdefer_base_check_(queue->waiters.base);
	if (!evwaitqueue_is_open_(&queue->waiters))
		return ESHUTDOWN;
	if (queue->waiting == 0 && queued(queue) >= queue->size)
		return ENOBUFS;
	return 0;
}

int
evqueue_put(struct evqueue *queue, struct evresult object)
{
	struct evresult_node *last;
	const int error = refusal(queue);

	if (error != 0)
		return evdefer_refuse_(error);
	last = evpool_get_(&queue->waiters.base->results);
	if (last == NULL)
		return -1;
	last->result = evresult_take_(object);
	evlist_append_(&queue->objects, &last->node);
	queue->count++;
	queue->put++;
	evwaitqueue_changed_(&queue->waiters);
	return 0;
}

static struct evdeferred *
refuse_get(struct evqueue *queue)
{
	struct evdeferred *d = evwaitqueue_refuse_(&queue->waiters);

	if (d == NULL)
		return NULL;
	observe(queue, EVSTEP_ACQUIRE, d, 0);
	observe(queue, EVSTEP_CANCEL, d, ESHUTDOWN);
	return d;
}

struct evdeferred *
evqueue_get(struct evqueue *queue)
{
	struct evdeferred *d;

	if (queue == NULL)
		return evdefer_refuse_new_(EINVAL);
	if (!evwaitqueue_is_open_(&queue->waiters))
		return refuse_get(queue);
	if (queued(queue) == 0 && queue->waiting >= queue->backlog)
		return evdefer_refuse_new_(EAGAIN);
	d = evdeferred_new_private_(queue->waiters.base, cancel_get, queue);
	if (d == NULL)
		return NULL;
	observe(queue, EVSTEP_ACQUIRE, d, 0);
	if (queued(queue) > 0) {
		promise(queue, d);
		evwaitqueue_hand_out_(&queue->waiters);
		return d;
	}
	evlist_append_(&queue->gets, &d->node);
	if (++queue->waiting > queue->longest)
		queue->longest = queue->waiting;
	return d;
}

/*
 * Making, ending, looking.
 */

struct evqueue *
evqueue_new(
    struct evdefer_base *base, size_t size, size_t backlog, unsigned flags)
{
	struct evqueue *queue;

	if (evwaitqueue_check_new_(base, flags) == -1)
		return NULL;
	queue = calloc(1, sizeof(*queue));
	if (queue == NULL)
		return evdefer_refuse_new_(ENOMEM);
	evwaitqueue_init_(&queue->waiters, &waiters_type, base, flags);
	evlist_init_(&queue->gets);
	evlist_init_(&queue->objects);
	queue->size = size;
	queue->backlog = backlog;
	return queue;
}

void
evqueue_free(struct evqueue *queue)
{
	if (queue != NULL)
		evwaitqueue_close_(&queue->waiters);
}

void
evqueue_get_stats(const struct evqueue *queue, struct evqueue_stats *stats)
{
	*stats = (struct evqueue_stats){0};
	if (queue == NULL)
		return;
	stats->queued = queued(queue);
	stats->waiting = queue->waiting;
	stats->put = queue->put;
	stats->got = queue->got;
	stats->cancelled = queue->cancelled;
	stats->most_queued = queue->most_queued;
	stats->longest_queue = queue->longest;
}
