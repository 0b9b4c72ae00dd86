/* SPDX-License-Identifier: MIT */
/* Operands, values and holds, and the slots with Deferreds. */
#include "calls.h"

struct world w;
struct token tokens[THINGS];
struct link links[THINGS];

_Noreturn void
broken(const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: broken: %s\n", file, line, condition);
	abort();
}

unsigned
next(void)
{
	if (w.left == 0)
		return 0;
	w.left--;
	return *w.data++;
}

/* The owner by its number, and the mode of a hold of a lock. */
struct evowner *
owner_of(int n)
{
	return n == -1 ? NULL : w.owners[n];
}

enum evrwlock_mode
mode_of(enum what what)
{
	return what == READ ? EVRWLOCK_READ : EVRWLOCK_WRITE;
}

/* Things last for the whole program, which is short. */
struct link *
new_link(enum what what, int owner)
{
	struct link *link = &links[w.links % THINGS];

	MUST(w.links++ < THINGS);
	memset(link, 0, sizeof(*link));
	link->what = what;
	link->owner = owner;
	link->life = owner == -1 ? 0 : w.life[owner];
	return link;
}

/*
 * Values and holds.
 */

struct token *
new_token(void)
{
	struct token *token = &tokens[w.tokens % THINGS];

	MUST(w.tokens++ < THINGS);
	memset(token, 0, sizeof(*token));
	return token;
}

/* With and without the mode as a value, where both do. */
static int
release_lock(const struct token *token)
{
	const enum evrwlock_mode mode = mode_of(token->what);

	if (token->owner != -1 || (token - tokens) % 2 == 0)
		return evrwlock_release(
		    token->on, owner_of(token->owner), mode);
	return mode == EVRWLOCK_READ ? evrwlock_reader_release(token->on)
				     : evrwlock_writer_release(token->on);
}

/* Gives back, if that was not done before. */
void
release(struct token *token)
{
	int rc = -1;

	if (!token->held)
		return;
	token->held = false;
	switch (token->what) {
	case VALUE:
		return;
	case READ:
	case WRITE:
		rc = release_lock(token);
		break;
	case SEMAPHORE:
		rc = evsemaphore_release(token->on, owner_of(token->owner));
		break;
	case MUTEX:
		rc = evmutex_release(token->on, owner_of(token->owner));
		break;
	}
	MUST(rc == 0);
}

static void
dispose(void *value)
{
	struct token *token = value;

	MUST(token->out);
	token->out = false;
	release(token);
	calls(next() % 2);
}

/* Hands a token to the library. */
struct evresult
hand_out(struct token *token)
{
	MUST(!token->out);
	token->out = true;
	return evresult_owned(token, dispose);
}

/* The same, as what a failure carries. */
static struct evresult
fail_with(struct token *token)
{
	MUST(!token->out);
	token->out = true;
	return evresult_fail_with(token, dispose, EIO, NULL);
}

/* Who is inside beside the one that enters?  Only a readers-writer lock lets in
 * an owner that is inside. */
void
check_alone(enum what what, const void *on, int owner)
{
	const bool has_modes = what == READ || what == WRITE;
	int tokens_held = 0;
	size_t i;

	for (i = 0; i < w.tokens; i++) {
		const struct token *other = &tokens[i];

		if (!other->held || other->on != on ||
		    (has_modes && owner != -1 && other->owner == owner))
			continue;
		MUST(what == READ || what == SEMAPHORE);
		MUST(other->what == what);
		tokens_held += what == SEMAPHORE;
	}
	MUST(tokens_held < TOKENS);
}

struct token *
hold(enum what what, void *on, int owner)
{
	struct token *token = new_token();

	check_alone(what, on, owner);
	token->held = true;
	token->what = what;
	token->on = on;
	token->owner = owner;
	return token;
}

void
release_one(unsigned which)
{
	size_t i;

	for (i = 0; i < w.tokens; i++) {
		struct token *token = &tokens[(i + which) % w.tokens];

		if (token->held && !token->out) {
			release(token);
			return;
		}
	}
}

/*
 * Slots.
 */

/* The consumer's handle, out of its slot, to be freed or handed over. */
struct evdeferred *
take(struct slot *slot)
{
	struct evdeferred *d = slot->d;
	int pauses = slot->pauses;

	slot->d = NULL;
	slot->pauses = 0;
	while (pauses-- > 0)
		MUST(evdeferred_unpause(d) == 0);
	return d;
}

/* Frees it, and remembers that while its functions run. */
void
free_deferred(struct evdeferred *d)
{
	if (w.gone == GOING) {
		evdeferred_free(d);
		return;
	}
	w.going[w.gone++] = d;
	evdeferred_free(d);
	w.gone--;
}

/* Where it is then; NULL for no Deferred. */
struct slot *
put(struct evdeferred *d, bool raw)
{
	struct slot *slot = &w.slots[next() % SLOTS];
	struct evdeferred *old;

	if (d == NULL)
		return NULL;
	/* To take the old one out may fill the slot again. */
	while (slot->d != NULL) {
		old = take(slot);
		free_deferred(old);
	}
	*slot = (struct slot){.d = d, .raw = raw, .leaf = raw};
	return slot;
}

struct slot *
some_slot(void)
{
	struct slot *slot = &w.slots[next() % SLOTS];

	return slot->d == NULL ? NULL : slot;
}

/* One that a chain may wait for. */
struct slot *
some_result_slot(void)
{
	struct slot *slot = some_slot();

	return slot == NULL || slot->raw || slot->combined ? NULL : slot;
}

int
code(void)
{
	return (int)(next() % 4) - 1;
}

struct evresult
some_result(const struct evdeferred *own)
{
	unsigned kind = w.ending ? 0 : next() % 8;
	struct slot *slot;
	struct evdeferred *d;

	switch (kind) {
	case 1:
	case 2:
	case 3:
		return hand_out(new_token());
	case 4:
		return evresult_fail(code(), next() % 2 ? "why" : NULL);
	case 5:
	case 6:
		slot = some_result_slot();
		if (slot == NULL || (slot->get && own == NULL))
			break;
		if (slot->d == own)
			return evresult_deferred(slot->d); /* stays ours */
		d = take(slot);
		return evresult_deferred(d);
	case 7:
		return fail_with(new_token());
	}
	return evresult_value(NULL);
}
