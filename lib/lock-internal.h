/* SPDX-License-Identifier: MIT */
/*
 * What the locks have in common: a wait queue that counts who is inside and who
 * waits, by mode, for an owner or without one.  The type of a lock says who has to
 * wait.  A lock begins with a struct evlock, so that both have the same address.
 */
#ifndef EVDEFER_LOCK_INTERNAL_H
#define EVDEFER_LOCK_INTERNAL_H

#include "source-internal.h"
#include "waitqueue-internal.h"
#include "with-internal.h"

struct evhold;
struct evlock;
struct evowner;
struct evsubject;
struct evtrail;

enum evmode {
	EVMODE_READ,
	EVMODE_UPGRADABLE,
	EVMODE_WRITE,
	/* Waits to write, and has an upgradable hold meanwhile.  Once it is granted it
	 * is one that writes: see evmode_inside_(). */
	EVMODE_UPGRADE
};

/* In how many one may be inside, and in how many one may wait. */
#define EVMODES (EVMODE_WRITE + 1)
#define EVMODES_WAITING (EVMODE_UPGRADE + 1)

/* In which mode one is inside that has waited in this one. */
static inline enum evmode
evmode_inside_(enum evmode mode)
{
	return mode == EVMODE_UPGRADE ? EVMODE_WRITE : mode;
}

/* Several modes, as bits. */
#define EVMODE_BIT(mode) (1u << (mode))
#define EVMODE_ANY (EVMODE_BIT(EVMODES) - 1)

enum evanswer {
	EVANSWER_ENTER,
	EVANSWER_WAIT,
	EVANSWER_UPGRADE, /* enter, or wait as one that upgrades */
	/* Neither. */
	EVANSWER_DEADLOCK,
	EVANSWER_LOST
};

struct evlock_type {
	/* Would one that is not inside have to wait?  If there is a source, this
	 * asks it; who then neither enters nor waits has to say so with
	 * evlock_forgo_(). */
	bool (*must_wait)(struct evlock *lock, enum evmode mode);
	/* What an owner gets that is inside in these modes.  NULL where that makes
	 * no difference. */
	enum evanswer (*answer_holder)(unsigned inside, enum evmode mode);
	const char *name;	  /* of those that have none of their own */
	const char *const *waits; /* what one does that waits for it, by mode */
	/* For whom one waits that waits in this mode, by what they are inside in.
	 * NULL: for all. */
	unsigned (*waits_for)(
	    const struct evlock *lock, enum evmode mode, uint32_t ticket);
	/* Does one that waits hold back another one that waits, and is it older?
	 * NULL: if it is older. */
	bool (*comes_before)(enum evmode mode, enum evmode other, bool older);
	/* Is whoever has come before in front, maybe only because of another between
	 * them? */
	bool in_order;
	/* Would the upgradable holder have to wait before it writes?  NULL where
	 * nobody is that. */
	bool (*must_wait_to_upgrade)(
	    struct evlock *lock, const struct evhold *hold);
};

/* Those of one mode.  A waiter that is granted is inside from then on.  Nobody is
 * inside in EVMODE_UPGRADE. */
struct evlock_side {
	struct evlist waiters;
	size_t waiting; /* how many these are */
	size_t inside;
	size_t anonymous;	 /* of these, delivered, and without an owner */
	uint64_t granted;	 /* so far */
	uint32_t granted_ticket; /* that of each waiter is higher */
	/* For the search of cycle.c: how many of those inside are not known to leave,
	 * and the first waiter that is not let in. */
	size_t stuck;
	const struct evlist *next;
};

struct evlock {
	struct evwaitqueue queue;
	const struct evlock_type *type;
	enum evobserver_kind kind;
	struct evsource *source; /* NULL: it always has all rights */
	struct evlock_side sides[EVMODES_WAITING]; /* by evmode */
	size_t waiting;				   /* on all sides */
	uint32_t first_ticket; /* of those that are compared */
	uint32_t last_ticket;
	uint64_t cancelled;	/* so far */
	size_t longest_queue;	/* so far */
	struct evlist holders;	/* holds of owners that are, or were, inside */
	struct evlist blockers; /* requests by ticket, see cycle.c */
	struct evtrail *trails; /* of those without an owner */
	uint64_t seen;		/* by the search in cycle.c, */
	unsigned seen_modes;	/* which has looked for these */
	char *name;		/* or NULL */
	size_t limit;		/* tokens, or readers; of a lock 0 for none */
	/* The first blocker that the search has not passed, by evmode. */
	const struct evlist *next_blocker[EVMODES_WAITING];
};

/* The memory is zeroed. */
void evlock_init_(struct evlock *lock, const struct evlock_type *type,
    const struct evwaitqueue_type *queue_type, struct evdefer_base *base,
    unsigned flags);

static inline struct evlock *
evlock_of_(const struct evwaitqueue *queue)
{
	return EVLIST_ELEMENT(queue, struct evlock, queue);
}

/* A copy of the name; NULL takes it away.  0, or -1 with ENOMEM. */
int evlock_set_name_(struct evlock *lock, const char *name);

static inline const char *
evlock_get_name_(const struct evlock *lock)
{
	return lock->name != NULL ? lock->name : lock->type->name;
}

/*
 * Counting.
 */

static inline size_t
evlock_waiting_(const struct evlock *lock)
{
	return lock->waiting;
}

static inline void
evlock_enter_(struct evlock *lock, enum evmode mode)
{
	lock->sides[mode].inside++;
	lock->sides[mode].granted++;
}

/* Has the right of those inside been lost? */
static inline bool
evlock_is_lost_(const struct evlock *lock)
{
	return lock->source != NULL && lock->source->lost;
}

/* What follows when one has left, whose owner may be NULL: a reader that is not plain,
 * or anybody.  0, or -1 with ESTALE if its right was lost. */
int evlock_end_read_specially_(
    struct evlock *lock, const struct evowner *owner);
int evlock_end_slowly_(
    struct evlock *lock, const struct evowner *owner, enum evmode mode);

/* One has left; evwaitqueue_changed_() is to follow, */
static inline void
evlock_exit_(struct evlock *lock, enum evmode mode)
{
	lock->sides[mode].inside--;
}

/* ... and does here.  0, or -1 with ESTALE if its right was lost, as a release returns:
 * so its usual way needs no frame. */
static inline int
evlock_leave_(
    struct evlock *lock, const struct evowner *owner, enum evmode mode)
{
	evlock_exit_(lock, mode);
	if (evwaitqueue_is_plain_(&lock->queue))
		return evwaitqueue_left_(
		    &lock->queue, evlock_waiting_(lock) > 0);
	if (mode == EVMODE_READ)
		return evlock_end_read_specially_(lock, owner);
	return evlock_end_slowly_(lock, owner, mode);
}

/* Has a Deferred that was put into the queue been granted since?  Many are granted at
 * once, without a look at each, so only its ticket tells. */
static inline bool
evlock_is_granted_(
    const struct evlock *lock, const struct evdeferred *d, enum evmode mode)
{
	return (int32_t)(d->ticket - lock->sides[mode].granted_ticket) <= 0;
}

/* Goes through those that wait, in all modes, in the order of asking.  nodes is where it
 * is; NULL at the end. */
void evlock_start_walk_(
    const struct evlock *lock, const struct evlist *nodes[EVMODES_WAITING]);
struct evdeferred *evlock_next_waiting_(const struct evlock *lock,
    const struct evlist *nodes[EVMODES_WAITING], enum evmode *mode_found);

/* Tests take less. */
#ifndef EVLOCK_TICKETS
#define EVLOCK_TICKETS (INT32_MAX / 2)
#endif

/* Tickets are compared by their difference, which must not overflow however many
 * come and leave while nobody is granted: numbers those that wait anew. */
void evlock_renumber_(struct evlock *lock);

/* The place of one in the queue, before it is put there; */
static inline uint32_t
evlock_draw_ticket_(struct evlock *lock)
{
	if (lock->last_ticket - lock->first_ticket > EVLOCK_TICKETS)
		evlock_renumber_(lock);
	return ++lock->last_ticket;
}

void evlock_enqueue_(
    struct evlock *lock, struct evdeferred *d, enum evmode mode);

/* ... and takes it out, or takes back what it was granted. */
void evlock_withdraw_(
    struct evlock *lock, struct evdeferred *d, enum evmode mode, bool granted);

/* Has all wait again that were granted and not told yet, each where it was. */
void evlock_put_back_grants_(struct evlock *lock);

/* Fails one that waits, for an observer with that error. */
void evlock_fail_waiter_(struct evlock *lock, struct evdeferred *d,
    enum evmode mode, int error, struct evresult failure);

/* Grants to the first, or to all that wait. */
void evlock_grant_first_(struct evlock *lock, enum evmode mode);
void evlock_grant_all_(struct evlock *lock, enum evmode mode);
void evlock_grant_upgrades_(struct evlock *lock);

/* Before the source is asked for a newcomer: those come first that it lets in by
 * now, and maybe sends no message for. */
static inline void
evlock_catch_up_(struct evlock *lock)
{
	if (lock->source != NULL && evlock_waiting_(lock) > 0)
		evwaitqueue_catch_up_(&lock->queue);
}

/* A newcomer for which the source was asked neither enters nor waits. */
void evlock_forgo_(struct evlock *lock);

/*
 * Without an owner.
 */

/* A Deferred that has failed, for an acquire that was refused; NULL with ENOMEM. */
struct evdeferred *evlock_refuse_(struct evlock *lock,
    const struct evowner *owner, enum evmode mode, enum evfailure_fixed why,
    int error);

/* For one that is not plain. */
struct evdeferred *evlock_acquire_specially_(
    struct evlock *lock, enum evmode mode);
struct evdeferred *evlock_read_specially_(struct evlock *lock);
int evlock_try_specially_(struct evlock *lock, enum evmode mode);

struct evdeferred *evlock_wait_(struct evlock *lock, enum evmode mode);
struct evdeferred *evlock_enter_in_turn_(struct evlock *lock, enum evmode mode);
void evlock_deliver_anonymous_(struct evlock *lock, struct evdeferred *d);
void evlock_deliver_watched_(struct evlock *lock, struct evdeferred *d);

/* For which mode one was made that has not fired. */
enum evmode evlock_mode_of_anonymous_(const struct evdeferred *d);
void evlock_dispose_read_(void *lock);
void evlock_dispose_upgradable_(void *lock);
void evlock_dispose_write_(void *lock);

static inline struct evresult
evlock_anonymous_grant_(struct evlock *lock, enum evmode mode)
{
	lock->sides[mode].anonymous++;
	if (mode == EVMODE_UPGRADABLE)
		return evresult_owned(lock, evlock_dispose_upgradable_);
	return evresult_owned(lock,
	    mode == EVMODE_READ ? evlock_dispose_read_ : evlock_dispose_write_);
}

/* Nothing keeps it out, and evwaitqueue_delivers_now_(). */
static inline struct evdeferred *
evlock_enter_now_(struct evlock *lock, enum evmode mode)
{
	struct evdeferred *d;

	/* No callback is there yet that could tell the difference. */
	d = evdeferred_make_(lock->queue.base, EVDEFERRED_FIRED);
	d->u.result = evlock_anonymous_grant_(lock, mode);
	evlock_enter_(lock, mode);
	return d;
}

/* The next two take the must_wait() of a plain lock, to be inlined with it. */
static inline struct evdeferred *
evlock_acquire_anonymous_(struct evlock *lock, enum evmode mode,
    bool (*must_wait)(struct evlock *lock, enum evmode mode))
{
	evdefer_base_check_(lock->queue.base);
	if (!evwaitqueue_is_plain_(&lock->queue))
		return mode == EVMODE_READ
			   ? evlock_read_specially_(lock)
			   : evlock_acquire_specially_(lock, mode);
	if (must_wait(lock, mode))
		return evlock_wait_(lock, mode);
	if (!evwaitqueue_plain_delivers_now_(&lock->queue))
		return evlock_enter_in_turn_(lock, mode);
	return evlock_enter_now_(lock, mode);
}

static inline int
evlock_try_anonymous_(struct evlock *lock, enum evmode mode,
    bool (*must_wait)(struct evlock *lock, enum evmode mode))
{
	evdefer_base_check_(lock->queue.base);
	if (!evwaitqueue_is_plain_(&lock->queue))
		return evlock_try_specially_(lock, mode);
	if (must_wait(lock, mode))
		return evdefer_refuse_(EBUSY);
	evlock_enter_(lock, mode);
	lock->sides[mode].anonymous++;
	return 0;
}

static inline int
evlock_release_anonymous_(struct evlock *lock, enum evmode mode)
{
	evdefer_base_check_(lock->queue.base);
	if (lock->sides[mode].anonymous == 0)
		return evdefer_refuse_(EPERM);
	lock->sides[mode].anonymous--;
	return evlock_leave_(lock, NULL, mode);
}

/* For the one that holds it upgradable. */
struct evdeferred *evlock_upgrade_anonymous_(struct evlock *lock);
int evlock_try_upgrade_anonymous_(struct evlock *lock);
/* A hold in one mode becomes one in another. */
void evlock_change_(struct evlock *lock, const struct evowner *owner,
    enum evmode from, enum evmode to);
int evlock_downgrade_anonymous_(
    struct evlock *lock, enum evmode from, enum evmode to);

/*
 * For owners, as the public functions of each lock say.  The lock is not NULL.
 */

struct evdeferred *evlock_acquire_(
    struct evlock *lock, struct evowner *owner, enum evmode mode);

/* The same for a plain lock where nobody has to wait that is not inside. */
struct evdeferred *evlock_enter_for_(
    struct evlock *lock, struct evowner *owner, enum evmode mode);

static inline struct evdeferred *
evlock_acquire_for_(struct evlock *lock, struct evowner *owner,
    enum evmode mode, bool (*must_wait)(struct evlock *lock, enum evmode mode))
{
	if (evwaitqueue_is_plain_(&lock->queue) && !must_wait(lock, mode))
		return evlock_enter_for_(lock, owner, mode);
	return evlock_acquire_(lock, owner, mode);
}

/* Would a body run at once whose owner, if it has one, is not inside? */
static inline bool
evlock_runs_at_once_(struct evlock *lock, enum evmode mode,
    bool (*must_wait)(struct evlock *lock, enum evmode mode))
{
	return evwaitqueue_is_plain_(&lock->queue) && !must_wait(lock, mode) &&
	       evwaitqueue_plain_delivers_now_(&lock->queue) &&
	       evdeferred_may_run_body_(lock->queue.base);
}

/* Has it do so. */
struct evdeferred *evlock_run_body_for_(struct evlock *lock,
    struct evowner *owner, enum evmode mode, evdeferred_body_fn body,
    void *arg);

static inline struct evdeferred *
evlock_run_body_(struct evlock *lock, struct evowner *owner, enum evmode mode,
    evdeferred_body_fn body, void *arg)
{
	evdefer_base_check_(lock->queue.base);
	if (owner != NULL)
		return evlock_run_body_for_(lock, owner, mode, body, arg);
	return evdeferred_run_body_(evlock_enter_now_(lock, mode), body, arg);
}

int evlock_try_(struct evlock *lock, struct evowner *owner, enum evmode mode);
int evlock_release_(
    struct evlock *lock, struct evowner *owner, enum evmode mode);
struct evdeferred *evlock_upgrade_(struct evlock *lock, struct evowner *owner);
int evlock_try_upgrade_(struct evlock *lock, struct evowner *owner);
int evlock_downgrade_(struct evlock *lock, struct evowner *owner,
    enum evmode from, enum evmode to);

/*
 * For the wait queue's type of each lock.
 */

void evlock_deliver_(struct evwaitqueue *queue, struct evdeferred *d);
bool evlock_is_held_(const struct evwaitqueue *queue);
void evlock_fail_waiters_(struct evwaitqueue *queue);

/* Of the subject there is what the kind of lock has to say; the modes are in words, by
 * evmode. */
void evlock_describe_(const struct evlock *lock, struct evstatement *statement,
    struct evsubject *subject, const char *const modes[]);

#endif
