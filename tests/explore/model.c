/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <errno.h>
#include <string.h>

#include "deadlock.h"

void
model_init(struct model *m, const struct setting *setting)
{
	int c;

	memset(m, 0, sizeof(*m));
	m->client_count = (uint8_t)setting->clients;
	m->fast = setting->fast;
	m->fair = setting->fair;
	memset(m->limits, setting->limit, sizeof(m->limits));
	m->tokens = setting->tokens;
	m->grouped = setting->members > 0;
	m->lock_count = m->grouped	    ? setting->members
			: setting->upgrades ? setting->upgrades
					    : 2;
	m->party_count = 1;
	for (c = 0; c < setting->clients; c++) {
		m->clients[c].party = setting->parties[c];
		if (setting->parties[c] >= m->party_count)
			m->party_count = (uint8_t)(setting->parties[c] + 1);
	}
}

int
model_lock_of(const struct model *m, int party)
{
	return (party - 1) % m->lock_count;
}

int
model_base_of(const struct model *m, int lock)
{
	return m->grouped ? lock : 0;
}

bool
model_is_in(const struct model *m, enum kind kind, int object)
{
	const struct step *step;
	int i;

	for (i = 0; i < m->depth; i++) {
		step = &m->frames[i].step;
		if (step->kind == kind &&
		    (kind == END_OWNER ? step->who : step->lock) == object)
			return true;
	}
	return false;
}

bool
model_is_ending(const struct model *m)
{
	int party;

	for (party = 1; party < m->party_count; party++)
		if (m->ending[party])
			return true;
	return false;
}

static bool
is_ending_base_of(const struct model *m, int lock)
{
	return m->grouped && model_is_in(m, END_BASE, lock);
}

bool
model_is_failing(const struct model *m, int lock)
{
	const struct client *client;
	int c;

	if (!model_is_in(m, CLOSE, lock) && !is_ending_base_of(m, lock))
		return false;
	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (client->phase == FAILED && client->lock == lock &&
		    (client->codes & CODE_SHUTDOWN) && client->due != SETTLED)
			return true;
	}
	return false;
}

bool
model_is_unsure(const struct model *m)
{
	const struct step *step = &m->frames[0].step;

	return m->grouped && m->depth > 0 && step->kind == TURN &&
	       m->group.members[step->lock].called;
}

static struct frame *
innermost(struct model *m)
{
	return &m->frames[m->depth - 1];
}

/* Grants are delivered inside the call that makes them. */
static bool
is_fast(const struct model *m, int lock)
{
	return m->fast || m->base_closed[model_base_of(m, lock)];
}

/*
 * The lock.
 */

/* Whoever is told late is told so by the end of the call under way, or of the
 * acquire that has not returned its Deferred yet. */
static void
set_due(struct model *m, struct client *client)
{
	if (!client->requesting)
		client->due = (uint8_t)(m->depth - 1);
}

static void
grant(struct model *m, struct client *client)
{
	client->phase = GRANTED;
	client->mode = (uint8_t)model_mode_inside((int)client->mode);
	client->serial = ++m->serial;
	client->late = m->catching_up;
	client->at_end = m->fair && model_is_ending(m);
	set_due(m, client);
	m->totals[client->lock].granted[client->mode]++;
}

static void
fail(struct model *m, struct client *client, int codes)
{
	client->phase = FAILED;
	client->codes = (uint8_t)codes;
	set_due(m, client);
}

/* The one who waits longest. */
static struct client *
first_waiting(struct model *m, int lock, int mode)
{
	struct client *first = NULL;
	int c;

	for (c = 0; c < m->client_count; c++)
		if (model_is_waiting(&m->clients[c], lock, mode) &&
		    (first == NULL || m->clients[c].serial < first->serial))
			first = &m->clients[c];
	return first;
}

static void
admit(struct model *m, int lock)
{
	struct client *next;
	const bool leaves =
	    m->status[lock] == CLOSED && model_all_inside(m, lock) == 0;

	if (leaves)
		m->status[lock] = GONE;
	if (m->grouped && leaves)
		group_leave(m, lock);
	else if (m->grouped && !group_ask(m, lock, NOBODY))
		return;
	if (m->status[lock] != OPEN)
		return;
	while ((next = model_next_to_enter(m, lock)) != NULL)
		grant(m, next);
}

static int
all_waiting(const struct model *m, int lock)
{
	int mode, count = 0;

	for (mode = READ; mode <= UPGRADE; mode++)
		count += model_waiting(m, lock, (enum mode)mode);
	return count;
}

bool
model_tells_others(const struct model *m, struct step step)
{
	const struct client *client;
	int c;

	if (!m->grouped || step.kind > TRY)
		return false;
	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (client->lock == step.lock && client->phase == GRANTED)
			return true;
	}
	return all_waiting(m, step.lock) > 0 &&
	       m->group.members[step.lock].called;
}

/* Those whom the group has let in come before newcomers.  The loop tells them. */
static void
catch_up(struct model *m, int party, int lock)
{
	if (!m->grouped || m->status[lock] != OPEN || m->base_closed[lock] ||
	    m->ending[party] || all_waiting(m, lock) == 0)
		return;
	m->catching_up = true;
	admit(m, lock);
	m->catching_up = false;
}

static void
note_queue(struct model *m, int lock)
{
	const int length = all_waiting(m, lock);

	if ((uint32_t)length > m->totals[lock].longest)
		m->totals[lock].longest = (uint32_t)length;
}

/*
 * The calls.
 */

/* Whether it waits: for others at the lock, or at those of other members. */
static bool
enters_group(struct model *m, struct client *client)
{
	client->phase = WAITING;
	client->serial = ++m->serial;
	admit(m, client->lock);
	if (client->phase != WAITING)
		return true;
	client->phase = IDLE;
	return false;
}

static int
begin_acquire(struct model *m, struct step step)
{
	struct client *client = &m->clients[step.who];
	const int lock = step.lock;
	int error;

	catch_up(m, client->party, lock);
	client->lock = step.lock;
	client->mode = (uint8_t)model_mode_asked(m, client->party, step);
	error = model_answer(m, client->party, lock, client->mode);
	client->paused = client->expired = false;
	client->timed = step.kind == ACQUIRE_TIMED;
	client->due = (uint8_t)(m->depth - 1);
	client->requesting = true;
	client->late = false;
	if (error == EBUSY && m->grouped && enters_group(m, client))
		return 0;
	if (error == EBUSY && deadlock_closes(m, client)) {
		error = EDEADLK;
		if (m->grouped)
			admit(m, lock);
	}
	switch (error) {
	case 0:
		grant(m, client);
		break;
	case EBUSY:
		client->phase = WAITING;
		client->serial = ++m->serial;
		note_queue(m, lock);
		break;
	case EDEADLK:
		fail(m, client, CODE_DEADLK);
		break;
	case EPERM:
		fail(m, client, CODE_PERM);
		break;
	default:
		fail(m, client, CODE_SHUTDOWN);
	}
	return 0;
}

/* Who may not enter takes back what was asked for it. */
static int
try_group(struct model *m, struct step step)
{
	if (group_ask(m, step.lock, step.mode) &&
	    model_may_enter(m, step.lock, step.mode))
		return 0;
	admit(m, step.lock);
	return EBUSY;
}

static int
begin_try(struct model *m, struct step step)
{
	const int mode = model_mode_asked(m, step.who, step);
	const enum mode inside = model_mode_inside(mode);
	int error;

	catch_up(m, step.who, step.lock);
	error = model_answer(m, step.who, step.lock, mode);
	if (error == EBUSY && m->grouped)
		error = try_group(m, step);
	if (error != 0)
		return error;
	m->received[step.who][step.lock][inside]++;
	m->totals[step.lock].granted[inside]++;
	return 0;
}

/* A reader that leaves an open group has nothing to ask, even if a message is due to
 * others of its member. */
static bool
leaves_open_group(const struct model *m, struct step step)
{
	return m->grouped && step.mode == READ &&
	       m->status[step.lock] == OPEN && !m->base_closed[step.lock] &&
	       !m->group.closed;
}

static int
begin_release(struct model *m, struct step step)
{
	uint8_t *received = &m->received[step.who][step.lock][step.mode];

	if (*received == 0)
		return EPERM;
	--*received;
	if (!leaves_open_group(m, step))
		admit(m, step.lock);
	return 0;
}

/* No writer enters in between. */
static int
begin_downgrade(struct model *m, struct step step)
{
	const int to = step.kind == READ_ON ? READ : step.mode - 1;
	uint8_t *received = m->received[step.who][step.lock];

	if (received[step.mode] == 0)
		return EPERM;
	received[to]++;
	received[step.mode]--;
	m->totals[step.lock].granted[to]++;
	admit(m, step.lock);
	return 0;
}

/* One who is to be failed by the close of its lock, in a moment. */
static bool
is_being_closed(const struct model *m, const struct client *client)
{
	return client->phase == FAILED && (client->codes & CODE_SHUTDOWN) &&
	       model_is_in(m, CLOSE, client->lock);
}

static void
cancel(struct model *m, struct client *client, int code)
{
	if (client->phase == WAITING || client->phase == GRANTED) {
		m->totals[client->lock].cancelled++;
		fail(m, client, code);
		admit(m, client->lock);
	} else if (is_being_closed(m, client)) {
		client->codes |= CODE_CANCELED;
		m->totals[client->lock].cancelled_slack++;
	} else if (client->phase == FAILED && client->due != SETTLED &&
		   (client->codes & CODE_TIMEDOUT)) {
		/* Its time is over, and it was not told so yet. */
		client->codes |= CODE_CANCELED;
	}
}

static void
begin_free(struct model *m, struct client *client)
{
	const int phase = client->phase;

	if (is_being_closed(m, client))
		m->totals[client->lock].cancelled_slack++;
	client->phase = IDLE;
	client->timed = client->expired = false;
	if (phase == FAILED) {
		if (client->codes == CODE_CANCELED)
			return;
		if (client->due == SETTLED && !(client->codes & CODE_CANCELED))
			m->reports++;
		else
			m->reports_slack++;
		return;
	}
	if (phase != FIRED)
		m->totals[client->lock].cancelled++;
	admit(m, client->lock);
}

static void
fail_waiters(struct model *m, int lock)
{
	struct client *client;
	int mode;

	for (mode = READ; mode <= UPGRADE; mode++)
		while ((client = first_waiting(m, lock, mode)) != NULL)
			fail(m, client, CODE_SHUTDOWN);
}

/* Nobody has to leave for that. */
static int
begin_set_limit(struct model *m, struct step step)
{
	if (m->status[step.lock] != OPEN)
		return ESHUTDOWN;
	m->limits[step.lock] = step.mode;
	admit(m, step.lock);
	return 0;
}

static void
begin_close(struct model *m, int lock)
{
	m->status[lock] = CLOSED;
	fail_waiters(m, lock);
	/* The others of a group learn of it when all have failed. */
	if (!m->grouped)
		admit(m, lock);
}

static void
begin_join(struct model *m, int lock)
{
	m->status[lock] = OPEN;
	m->totals[lock] = (struct totals){0};
	m->group.members[lock] = (struct member){0};
}

/* Gives back all of a party's on one lock. */
static void
give_back(struct model *m, int party, int lock)
{
	struct client *client;
	int c;

	memset(m->received[party][lock], 0, sizeof(m->received[party][lock]));
	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (client->party != party || client->lock != lock)
			continue;
		if (is_being_closed(m, client)) {
			cancel(m, client, CODE_CANCELED);
			continue;
		}
		if (client->phase == GRANTED && m->depth > 1 &&
		    (client->paused || client->requesting))
			/* Its Deferred may have fired in the call under way. */
			m->totals[lock].cancelled_slack++;
		else if (client->phase == WAITING || client->phase == GRANTED)
			m->totals[lock].cancelled++;
		/* Another of its own may leave before, and let it in. */
		if (client->phase == WAITING)
			m->totals[lock]
			    .granted_slack[model_mode_inside(client->mode)]++;
		if (client->phase != IDLE && client->phase != FAILED)
			fail(m, client, CODE_CANCELED);
	}
	admit(m, lock);
}

static void
begin_end_owner(struct model *m, int party)
{
	int lock;

	m->ending[party] = true;
	for (lock = 0; lock < m->lock_count; lock++)
		if (!m->grouped || lock == model_lock_of(m, party))
			give_back(m, party, lock);
}

static void
pass_time(struct model *m)
{
	int c;

	for (c = 0; c < m->client_count; c++)
		if (m->clients[c].timed && (m->clients[c].phase == WAITING ||
					       m->clients[c].phase == GRANTED))
			m->clients[c].expired = true;
}

static void
begin_end_base(struct model *m, int base)
{
	struct client *client;
	int c;

	m->base_closed[base] = true;
	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (model_base_of(m, client->lock) != base)
			continue;
		client->timed = client->expired = client->late = false;
		client->due = 0;
	}
	/* No right would reach them. */
	if (m->grouped)
		fail_waiters(m, base);
}

int
model_begin(struct model *m, struct step step)
{
	struct client *client = &m->clients[step.who];
	struct frame *frame = &m->frames[m->depth++];

	*frame = (struct frame){.step = step};
	switch ((enum kind)step.kind) {
	case ACQUIRE:
	case ACQUIRE_TIMED:
		return begin_acquire(m, step);
	case TRY:
		return begin_try(m, step);
	case RELEASE:
		return begin_release(m, step);
	case STEP_DOWN:
	case READ_ON:
		return begin_downgrade(m, step);
	case CANCEL:
		cancel(m, client, CODE_CANCELED);
		break;
	case FREE:
		begin_free(m, client);
		break;
	case PAUSE:
		client->paused = true;
		break;
	case UNPAUSE:
		client->paused = false;
		if (client->phase == FIRED || client->due == SETTLED)
			set_due(m, client);
		break;
	case SET_LIMIT:
		return begin_set_limit(m, step);
	case CLOSE:
		begin_close(m, step.lock);
		break;
	case JOIN:
		begin_join(m, step.lock);
		break;
	case END_OWNER:
		begin_end_owner(m, step.who);
		break;
	case PASS_TIME:
		pass_time(m);
		break;
	case END_BASE:
		begin_end_base(m, step.lock);
		break;
	case TURN:
	case RETURN:
		break;
	}
	return 0;
}

/*
 * The callbacks.
 */

static int
code_bit(int code)
{
	switch (code) {
	case ECANCELED:
		return CODE_CANCELED;
	case ETIMEDOUT:
		return CODE_TIMEDOUT;
	case ESHUTDOWN:
		return CODE_SHUTDOWN;
	case EDEADLK:
		return CODE_DEADLK;
	case EPERM:
		return CODE_PERM;
	default:
		return 0;
	}
}

int
model_code(const struct model *m, int client)
{
	static const int codes[] = {
	    ECANCELED, ETIMEDOUT, ESHUTDOWN, EDEADLK, EPERM, 0};
	int i = 0;

	if (m->clients[client].expired)
		return ETIMEDOUT;
	if (m->clients[client].phase != FAILED)
		return 0;
	while (codes[i] != 0 &&
	       (m->clients[client].codes & code_bit(codes[i])) == 0)
		i++;
	return codes[i];
}

/* May a grant be delivered in the call under way? */
static bool
delivers(struct model *m, const struct client *client)
{
	const struct step *step = &innermost(m)->step;
	const bool unpaused =
	    step->kind == UNPAUSE && &m->clients[step->who] == client;

	if (client->phase == FIRED)
		return unpaused;
	if (is_fast(m, client->lock))
		return true;
	return (unpaused || step->kind == TURN) &&
	       model_is_in(m, TURN, model_base_of(m, client->lock));
}

/* Is the order said?  At a fair lock it is that in which they were let in, but not what an
 * owner that ends gives back first. */
static bool
are_ordered(const struct model *m, const struct client *other,
    const struct client *client)
{
	return other->mode == client->mode ||
	       (m->fair && !(other->at_end && client->at_end));
}

/* Is it an earlier one that was not told yet? */
static bool
is_before(const struct model *m, const struct client *other,
    const struct client *client)
{
	return client->phase == GRANTED && other->phase == GRANTED &&
	       other->lock == client->lock && are_ordered(m, other, client) &&
	       other->serial < client->serial;
}

int
model_next_told(const struct model *m, int client)
{
	int c, first = client;

	for (c = 0; c < m->client_count; c++)
		if (is_before(m, &m->clients[c], &m->clients[first]) &&
		    !m->clients[c].requesting && !m->clients[c].paused)
			first = c;
	return first;
}

static const char *
granted(struct model *m, struct client *client)
{
	struct client *other;
	int c;

	if (!delivers(m, client))
		return "a grant is delivered by a call that is not to do that";
	for (c = 0; c < m->client_count; c++) {
		other = &m->clients[c];
		if (!is_before(m, other, client))
			continue;
		/* It may have fired before it got its callback. */
		if (other->requesting)
			continue;
		if (!other->paused)
			return "an older grant was not delivered first";
		other->phase = FIRED;
	}
	m->received[client->party][client->lock][client->mode]++;
	return NULL;
}

/* Is what is told right as things stand? */
static const char *
judge(struct model *m, struct client *client, int code)
{
	if (client->paused)
		return "a callback is called though its Deferred is paused";
	if (client->phase == IDLE)
		return "a second callback is called";
	if (client->phase == WAITING)
		return code == 0 ? "granted out of turn"
				 : "a waiter fails without a reason";
	if (client->phase == FAILED)
		return client->codes & code_bit(code)
			   ? NULL
			   : "failed is not what it should have";
	return code == 0 ? granted(m, client) : "one inside is failed";
}

/* Time limits run out in the midst of a turn of the loop, in an order that
 * shows only in what comes of it. */
static const char *
judge_after_expiry(struct model *m, struct client *client, int code)
{
	struct model copy = *m;
	const char *wrong = judge(m, client, code);
	int c;

	for (c = 0; wrong != NULL && c < m->client_count; c++) {
		if (!copy.clients[c].expired)
			continue;
		*m = copy;
		m->clients[c].expired = false;
		cancel(m, &m->clients[c], CODE_TIMEDOUT);
		if (judge(m, client, code) == NULL)
			return NULL;
		*m = copy;
	}
	return wrong;
}

/* The message of the group. */
static void
look(struct model *m, int lock)
{
	m->group.members[lock].called = false;
	admit(m, lock);
}

/* It may come at any time in a turn of the loop, which shows only in what comes of
 * it. */
static const char *
judge_after_message(struct model *m, struct client *client, int code)
{
	const struct model copy = *m;
	const char *wrong = judge_after_expiry(m, client, code);

	if (wrong == NULL || !model_is_unsure(m))
		return wrong;
	look(m, innermost(m)->step.lock);
	if (judge_after_expiry(m, client, code) == NULL)
		return NULL;
	*m = copy;
	return wrong;
}

const char *
model_called(struct model *m, int c, int code)
{
	struct client *client = &m->clients[c];
	const char *wrong;

	if (innermost(m)->step.kind == TURN)
		wrong = judge_after_message(m, client, code);
	else
		wrong = judge(m, client, code);
	if (wrong != NULL)
		return wrong;
	client->phase = IDLE;
	client->requesting = client->timed = client->expired = false;
	innermost(m)->in_callback = true;
	innermost(m)->callback_mode = client->mode;
	return NULL;
}

void
model_returned(struct model *m)
{
	innermost(m)->in_callback = false;
}

/* Does a turn of a loop concern the client? */
static bool
is_at_base(const struct model *m, const struct client *client, int base)
{
	return model_base_of(m, client->lock) == base;
}

bool
model_turn_is_due(const struct model *m)
{
	const int base = m->frames[0].step.lock;
	const struct client *client;
	int c;

	for (c = 0; c < m->client_count; c++) {
		client = &m->clients[c];
		if (is_at_base(m, client, base) &&
		    (client->expired || client->phase == GRANTED))
			return true;
	}
	return model_is_unsure(m);
}

/* What the call should have told a client. */
static const char *
check_told(const struct model *m, struct client *client, bool delivers_all)
{
	const int depth = m->depth - 1;

	if (client->phase == FAILED && client->due >= depth) {
		if (!client->paused)
			return "an errback was not called";
		client->due = SETTLED;
	}
	if (client->phase == FIRED && !client->paused && client->due >= depth)
		return "unpaused, but its callback was not called";
	if (client->phase != GRANTED)
		return NULL;
	if (!delivers_all &&
	    (client->late || client->due < depth || !is_fast(m, client->lock)))
		return NULL;
	if (!client->paused)
		return "a grant was not delivered";
	client->phase = FIRED;
	return NULL;
}

/* What other members learn of a call when it has done all else, and what one has
 * learned by then. */
static void
end_in_group(struct model *m, struct step step)
{
	if (step.kind == CLOSE || step.kind == END_BASE)
		admit(m, step.lock);
	if (step.kind == END_BASE ||
	    (step.kind == TURN && m->group.members[step.lock].called))
		look(m, step.lock);
}

const char *
model_end(struct model *m, int *who)
{
	const struct step step = innermost(m)->step;
	const char *wrong;
	bool delivers_all;
	int c;

	if (step.kind == ACQUIRE || step.kind == ACQUIRE_TIMED)
		m->clients[step.who].requesting = false;
	if (step.kind == END_OWNER)
		m->ending[step.who] = false;
	if (m->grouped)
		end_in_group(m, step);
	for (c = 0; c < m->client_count; c++) {
		*who = c;
		delivers_all = step.kind == TURN &&
			       is_at_base(m, &m->clients[c], step.lock);
		if (delivers_all && m->clients[c].expired)
			return "its time is over, and it was not told";
		wrong = check_told(m, &m->clients[c], delivers_all);
		if (wrong != NULL)
			return wrong;
	}
	m->depth--;
	return NULL;
}
