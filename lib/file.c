/* SPDX-License-Identifier: MIT */
/*
 * The right comes from locks of the kernel on three bytes of a file.
 *
 * LOCK is held by those inside: shared by readers, alone by a writer.  WRITERS is
 * shared by all that wait to write or do, and TURN is held alone by the writer that is
 * next.
 *
 * A writer takes WRITERS, then TURN, then LOCK, and gives back TURN; when it leaves it
 * gives back the others.  So a process that passes the lock on finds TURN taken by
 * whoever is next, and does not overtake it.
 *
 * A reader that comes looks whether there is anybody at WRITERS, which takes no lock,
 * and if not it takes LOCK.  One that has to wait asks for WRITERS alone: it gets that
 * when no writer is left, takes LOCK, which nobody can have but readers, and gives
 * WRITERS back.
 *
 * UPGRADABLE is held alone by whoever reads upgradably, beside LOCK, which it shares.  To
 * upgrade it takes WRITERS, and then LOCK alone, with no TURN: it has LOCK to share all
 * the time, so that nobody can have it alone before.  As it keeps both, nobody waits for
 * UPGRADABLE with LOCK held, and nobody keeps UPGRADABLE without it: a thread that has
 * got it leaves it to the loop to take both or none.
 *
 * All that is tried first in the loop, without waiting.  What is not to be had that way
 * a thread waits for, which starts in a turn of the loop, so that a try or a cancel
 * that comes before costs none.  While it waits, the bytes that it waits for are its
 * own, except that the loop gives back LOCK when its last reader leaves; whose LOCK is
 * then says "passed".
 *
 * The last to leave gives back all of them, so that the kernel has no lock of a process
 * that does not use it.  The kernel also does that for a process that has ended.
 */
#include <evdefer/file.h>

#include <stdlib.h>

#include <evdefer/group.h>

#include "call-internal.h"
#include "ofd-internal.h"
#include "rwlock-internal.h"

enum { LOCK, TURN, WRITERS, UPGRADABLE };

/* The bytes that all have to do with, from LOCK on. */
#define BYTES 3

/* What a thread waits for. */
enum wait { NO_WAIT, TO_READ, TO_WRITE, TO_UPGRADE, TO_CLAIM };

struct file {
	struct evsource source;
	struct evofd ofd;
	struct evcall call;

	/* Under the mutex of ofd. */
	bool called; /* its loop is to look */
	bool gone;   /* and to free this then */
	bool passed; /* no writer was left: LOCK is the thread's, to read */

	/* The loop's; what the thread has got is there once it is stopped. */
	enum evright right;
	bool announced;	  /* WRITERS is held */
	bool claimed;	  /* UPGRADABLE is held */
	enum wait wanted; /* to be waited for by a thread */
	bool alone; /* no reader is in the way: a thread may wait to enter */
	unsigned turns; /* of its own writers, one after the other */
};

static struct file *
file_of(struct evofd *ofd)
{
	return EVLIST_ELEMENT(ofd, struct file, ofd);
}

static int
unlock_bytes(struct file *file, off_t byte, off_t count)
{
	return evofd_set_(&file->ofd, F_UNLCK, byte, count);
}

/*
 * In the thread.
 */

static int
wait_to_read(struct file *file)
{
	int error = evofd_wait_(&file->ofd, F_WRLCK, WRITERS);

	if (error != 0)
		return error;
	pthread_mutex_lock(&file->ofd.mutex);
	file->passed = true;
	pthread_mutex_unlock(&file->ofd.mutex);
	error = evofd_wait_(&file->ofd, F_RDLCK, LOCK);
	unlock_bytes(file, WRITERS, 1);
	return error;
}

static int
wait_to_write(struct file *file)
{
	int error = evofd_wait_(&file->ofd, F_RDLCK, WRITERS);

	if (error != 0 || !file->alone)
		return error;
	error = evofd_wait_(&file->ofd, F_WRLCK, TURN);
	if (error != 0)
		return error;
	error = evofd_wait_(&file->ofd, F_WRLCK, LOCK);
	unlock_bytes(file, TURN, 1);
	return error;
}

/* It has LOCK to share, and keeps it meanwhile: whoever waits for LOCK alone waits for
 * it as well, also the one that has TURN. */
static int
wait_to_upgrade(struct file *file)
{
	const int error = evofd_wait_(&file->ofd, F_RDLCK, WRITERS);

	if (error != 0 || !file->alone)
		return error;
	return evofd_wait_(&file->ofd, F_WRLCK, LOCK);
}

static int
wait_for_file(struct evofd *ofd)
{
	struct file *file = file_of(ofd);

	if (file->wanted == TO_READ)
		return wait_to_read(file);
	if (file->wanted == TO_WRITE)
		return wait_to_write(file);
	if (file->wanted == TO_UPGRADE)
		return wait_to_upgrade(file);
	return evofd_wait_(&file->ofd, F_WRLCK, UPGRADABLE);
}

/* Nobody waits on a base that is closed.  The mutex is held. */
static void
call_loop(struct evofd *ofd)
{
	struct file *file = file_of(ofd);

	if (!file->called)
		file->called =
		    evcall_post_(file->source.queue->base, &file->call) == 0;
}

/*
 * In the loop, without a thread.
 */

/* Does anybody read in here, upgradably or not? */
static bool
is_read(const struct evneed *need)
{
	return need->reading > 0 || need->claim == EVCLAIM_HELD;
}

/* Have some in here to leave before the writer may enter that is next in here? */
static bool
is_blocked(const struct evneed *need)
{
	return need->upgrading ? need->reading > 0 : is_read(need);
}

/* Gives back what those that are inside do not need. */
static void
keep_for_readers(struct file *file, const struct evneed *need)
{
	if (!is_read(need)) {
		unlock_bytes(file, LOCK, BYTES);
		file->right = EVRIGHT_NONE;
	} else {
		if (file->right == EVRIGHT_WRITE)
			evofd_set_(&file->ofd, F_RDLCK, LOCK, 1);
		if (file->announced)
			unlock_bytes(file, WRITERS, 1);
		file->right = EVRIGHT_READ;
	}
	file->announced = false;
}

static bool
somebody_wants_to_write(struct file *file)
{
	/* A reader that has waited has it alone, for the moment that it needs. */
	return evofd_find_(&file->ofd, WRITERS) == F_RDLCK;
}

static enum evright
take_to_read(struct file *file, const struct evneed *need)
{
	if (somebody_wants_to_write(file) ||
	    (file->right != EVRIGHT_READ &&
		evofd_set_(&file->ofd, F_RDLCK, LOCK, 1) == -1)) {
		keep_for_readers(file, need);
		return EVRIGHT_NONE;
	}
	file->right = EVRIGHT_READ;
	if (file->announced)
		unlock_bytes(file, WRITERS, 1);
	file->announced = false;
	return EVRIGHT_READ;
}

/* Has it been its turn for long enough? */
static bool
is_turn_over(struct file *file)
{
	if (evofd_find_(&file->ofd, TURN) == F_UNLCK)
		file->turns = 0;
	return file->turns++ > EVGROUP_PASSES;
}

/* LOCK alone, if nobody has it and nobody is next. */
static bool
take_lock(struct file *file)
{
	if (evofd_set_(&file->ofd, F_WRLCK, LOCK, 2) == -1)
		return false;
	unlock_bytes(file, TURN, 1);
	return true;
}

/* It was its turn for so long that the next one elsewhere gets in. */
static enum evright
pass_on(struct file *file, const struct evneed *need)
{
	const bool reading = is_read(need);

	evofd_set_(&file->ofd, reading ? F_RDLCK : F_UNLCK, LOCK, 1);
	file->right = reading ? EVRIGHT_READ : EVRIGHT_NONE;
	return file->right;
}

static enum evright
take_to_write(struct file *file, const struct evneed *need)
{
	if (file->right == EVRIGHT_WRITE)
		return need->writing || !is_turn_over(file)
			   ? EVRIGHT_WRITE
			   : pass_on(file, need);
	if (!file->announced)
		file->announced =
		    evofd_set_(&file->ofd, F_RDLCK, WRITERS, 1) == 0;
	if (is_blocked(need))
		return EVRIGHT_READ;
	if (file->announced && take_lock(file)) {
		file->right = EVRIGHT_WRITE;
		file->turns = 1;
		return EVRIGHT_WRITE;
	}
	unlock_bytes(file, LOCK, 1);
	file->right = EVRIGHT_NONE;
	return EVRIGHT_NONE;
}

/* TURN may be somebody's who waits for LOCK. */
static enum evright
take_to_upgrade(struct file *file, const struct evneed *need)
{
	if (file->right == EVRIGHT_WRITE)
		return EVRIGHT_WRITE;
	if (!file->announced)
		file->announced =
		    evofd_set_(&file->ofd, F_RDLCK, WRITERS, 1) == 0;
	if (is_blocked(need) || !file->announced ||
	    evofd_set_(&file->ofd, F_WRLCK, LOCK, 1) == -1)
		return EVRIGHT_READ;
	file->right = EVRIGHT_WRITE;
	file->turns = 1;
	return EVRIGHT_WRITE;
}

static void
unclaim_byte(struct file *file)
{
	if (file->claimed)
		unlock_bytes(file, UPGRADABLE, 1);
	file->claimed = false;
}

static bool
claim_byte(struct file *file)
{
	if (!file->claimed)
		file->claimed =
		    evofd_set_(&file->ofd, F_WRLCK, UPGRADABLE, 1) == 0;
	return file->claimed;
}

/* A writer that steps down has LOCK alone, and keeps it for as long as somebody else
 * has UPGRADABLE who was about to try LOCK. */
static bool
keeps_all(struct file *file, const struct evneed *need)
{
	return need->claim == EVCLAIM_HELD && !claim_byte(file);
}

static enum evright
take_right(struct file *file, const struct evneed *need)
{
	if (keeps_all(file, need))
		return file->right;
	if (need->upgrading)
		return take_to_upgrade(file, need);
	if (need->right == EVRIGHT_WRITE)
		return take_to_write(file, need);
	if (need->right == EVRIGHT_READ)
		return take_to_read(file, need);
	keep_for_readers(file, need);
	return EVRIGHT_NONE;
}

/* Both are needed to read upgradably.  Without UPGRADABLE it does not keep LOCK, for
 * which whoever has UPGRADABLE might come to wait. */
static enum evright
take_claim_as_well(
    struct file *file, const struct evneed *need, enum evright right)
{
	if (need->claim == EVCLAIM_HELD)
		return right;
	if (need->claim == EVCLAIM_NONE || need->right != EVRIGHT_READ ||
	    right < EVRIGHT_READ) {
		unclaim_byte(file);
		return right;
	}
	if (claim_byte(file) || need->readers > need->reading)
		return right;
	keep_for_readers(file, need);
	return EVRIGHT_NONE;
}

static enum wait
wait_of(const struct evneed *need)
{
	if (need->upgrading)
		return TO_UPGRADE;
	return need->right == EVRIGHT_WRITE ? TO_WRITE : TO_READ;
}

/* What a thread has to wait for, if that is the right that it had before the claim. */
static enum wait
missing(const struct file *file, const struct evneed *need, enum evright right)
{
	if (right >= need->right)
		return need->right == EVRIGHT_READ &&
			       need->claim == EVCLAIM_WANTED && !file->claimed
			   ? TO_CLAIM
			   : NO_WAIT;
	/* Those in here leave first. */
	if (need->right == EVRIGHT_WRITE && file->announced && is_blocked(need))
		return NO_WAIT;
	return wait_of(need);
}

/* A thread is to wait, or need not any more. */
static void
want(struct file *file, enum wait wanted)
{
	file->wanted = wanted;
	evsource_await_(&file->source, wanted != NO_WAIT);
	if (wanted != NO_WAIT)
		call_loop(&file->ofd);
}

/*
 * In the loop, with a thread.
 */

/* Does it wait for just that? */
static bool
goes_on(struct file *file, const struct evneed *need)
{
	bool working;

	if (need->right == EVRIGHT_NONE || wait_of(need) != file->wanted)
		return false;
	pthread_mutex_lock(&file->ofd.mutex);
	working = file->ofd.working;
	if (working && !file->passed && !is_read(need) &&
	    file->right == EVRIGHT_READ) {
		unlock_bytes(file, LOCK, 1);
		file->right = EVRIGHT_NONE;
	}
	pthread_mutex_unlock(&file->ofd.mutex);
	return working;
}

static void
stop_thread(struct file *file, const struct evneed *need)
{
	const bool got = evofd_stop_(&file->ofd) == 0;

	file->passed = false;
	if (file->wanted == TO_CLAIM) {
		file->claimed = got;
	} else if (!got) {
		/* It may have come to that. */
		file->announced = true;
		keep_for_readers(file, need);
	} else if (file->wanted == TO_READ) {
		file->right = EVRIGHT_READ;
	} else {
		file->announced = true;
		if (file->alone)
			file->right = EVRIGHT_WRITE;
		file->turns = 0;
	}
}

/*
 * The source.
 */

static bool
is_working(struct file *file)
{
	bool working;

	pthread_mutex_lock(&file->ofd.mutex);
	working = file->ofd.working;
	pthread_mutex_unlock(&file->ofd.mutex);
	return working;
}

/* Readers need not wait for the thread that waits for UPGRADABLE alone. */
static bool
reads_meanwhile(struct file *file, const struct evneed *need)
{
	if (file->wanted != TO_CLAIM || need->claim != EVCLAIM_WANTED ||
	    need->right != EVRIGHT_READ || !is_working(file))
		return false;
	if (need->readers > need->reading)
		return take_to_read(file, need) == EVRIGHT_READ;
	keep_for_readers(file, need);
	return true;
}

static enum evright
ask_without_thread(struct file *file, const struct evneed *need)
{
	const enum evright right = take_right(file, need);
	const enum evright left = take_claim_as_well(file, need, right);

	file->source.upgradable = file->claimed;
	file->alone = !is_blocked(need);
	want(file, missing(file, need, right));
	return left;
}

static enum evright
ask_file(struct evsource *source, const struct evneed *need)
{
	struct file *file = EVLIST_ELEMENT(source, struct file, source);

	if (file->ofd.started) {
		if (reads_meanwhile(file, need))
			return file->right;
		if (goes_on(file, need))
			return EVRIGHT_NONE;
		stop_thread(file, need);
	}
	return ask_without_thread(file, need);
}

/* It was asked for nothing before, so that there is no thread, and no lock. */
static void
leave_file(struct evsource *source)
{
	struct file *file = EVLIST_ELEMENT(source, struct file, source);

	evofd_close_(&file->ofd);
	if (file->called)
		file->gone = true;
	else
		free(file);
}

static enum evright
get_right_of_file(struct evsource *source)
{
	return EVLIST_ELEMENT(source, struct file, source)->right;
}

static const struct evsource_type file_type = {.ask = ask_file,
    .leave = leave_file,
    .get_right = get_right_of_file,
    .reach = "file"};

/* With what the thread has ended, if it has. */
static int
error_of_thread(struct file *file)
{
	int error;

	pthread_mutex_lock(&file->ofd.mutex);
	file->called = false;
	error = file->ofd.error;
	pthread_mutex_unlock(&file->ofd.mutex);
	return error;
}

/* A thread is to start, or is over. */
static void
look_at_file(void *arg)
{
	struct file *file = arg;
	int error;

	if (file->gone) {
		free(file);
		return;
	}
	error = error_of_thread(file);
	if (!file->ofd.started) {
		if (file->wanted == NO_WAIT)
			return;
		error = evofd_start_(&file->ofd, wait_for_file, call_loop);
		if (error == 0)
			return;
	}
	file->source.error = error;
	if (error != 0)
		evwaitqueue_fail_(file->source.queue);
	else
		evwaitqueue_changed_(file->source.queue);
}

/*
 * Making.
 */

/* NULL with errno. */
static struct file *
open_file(const char *path)
{
	struct file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return evdefer_refuse_new_(ENOMEM);
	if (evofd_open_(&file->ofd, path) == -1) {
		free(file);
		return NULL;
	}
	file->source.type = &file_type;
	/* Another process may want in at any time. */
	evsource_ask_always_(&file->source);
	file->call.fn = look_at_file;
	file->call.arg = file;
	return file;
}

/* 0, or -1 with errno. */
static int
put_on_file(struct evrwlock *lock, const char *path)
{
	struct file *file = open_file(path);

	if (file == NULL)
		return -1;
	if (evrwlock_set_name(lock, path) == 0 &&
	    evrwlock_set_source_(lock, &file->source) == 0)
		return 0;
	evofd_close_(&file->ofd);
	free(file);
	return evdefer_refuse_(ENOMEM);
}

struct evrwlock *
evrwlock_new_on_file(
    struct evdefer_base *base, const char *path, unsigned flags)
{
	struct evrwlock *lock;
	int error;

	if (path == NULL)
		return evdefer_refuse_new_(EINVAL);
	if (flags & EVRWLOCK_FAIR)
		return evdefer_refuse_new_(ENOTSUP);
	lock = evrwlock_new(base, flags);
	if (lock == NULL || put_on_file(lock, path) == 0)
		return lock;
	error = errno;
	evrwlock_free(lock);
	return evdefer_refuse_new_(error);
}
