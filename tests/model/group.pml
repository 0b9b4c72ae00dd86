/* SPDX-License-Identifier: MIT */
/*
 * The protocol of a group (lib/group.c, lib/source-internal.h) and of the locks that are
 * its members (lib/rwlock.c with a source, lib/lock.c), for spin.
 *
 * Each loop is a process with one member and some tasks.  A task asks for the lock,
 * waits, is told, is inside and leaves, over and over.  It gives up a wait, or what it
 * was granted, at any time; its acquire may be a try, or fail for want of memory.  At
 * some time all stop asking, and then everything has to come to an end.
 *
 * What a reader publishes is a plain store.  It stands in a buffer of its thread and
 * reaches the others at some time later, in order.  The barrier has the buffers of
 * the other threads emptied, one by one; a mutex has that of its own thread emptied.
 * That is the order of x86.  Where a load may also come before an earlier store of its
 * thread, one cannot tell which of the two was delayed.
 *
 * One step of the model is what others can see at once.  Under the mutex that is
 * everything up to the next load or store of what is used without it.  To look once more
 * before going to sleep (EVGROUP_MOMENT) is to look later, and is not in here.
 *
 * "run" gives, with -D: LOOPS; LOOP_0 to LOOP_4, which loop each of 5 tasks belongs to,
 * LOOPS if there is no such task; FIRST_WRITER, as readers have the lower numbers;
 * READING, the number of loops that have readers, which come first.  And, if wanted:
 * FAST, told at once; FENCED, without a barrier; TURNS, members take turns;
 * MUTANT_..., a fault that has to be found.
 */

#define TASKS	     5
#define LOOP_OF(t)                                                        \
	((t) == 0 -> LOOP_0 : ((t) == 1 -> LOOP_1 : ((t) == 2 -> LOOP_2 : \
	    ((t) == 3 -> LOOP_3 : LOOP_4))))
#define IS_WRITER(t) ((t) >= FIRST_WRITER)

#define NOBODY LOOPS
#define BIT(n) (1 << (n))

/* Stores of one thread that are under way. */
#define DEPTH 2

/* It stands for EVGROUP_PASSES. */
#define PASSES 1

#ifndef FAST
#define FAST 0
#endif
#ifndef FENCED
#define FENCED 0
#endif

/* enum evright */
#define NONE  0
#define READ  1
#define WRITE 2

/* Of a task.  One that is granted is inside already, and has to be told. */
#define IDLE	0
#define WAITING 1
#define GRANTED 2
#define INSIDE	3

/* Of a loop: what comes next. */
#define RESTING	  0
#define STORE	  1 /* a reader publishes that it is there */
#define LOAD	  2 /* and looks whether the group is closed */
#define ASK	  3
#define BARRIER	  4
#define COUNT	  5 /* what readers have published */
#define MUST_WAIT 6
#define MAY_ENTER 7
#define LATE	  8 /* a mutant's */

/* Why it asks. */
#define CHANGED	 0 /* evwaitqueue_changed_() */
#define CATCH_UP 1 /* evlock_catch_up_() */
#define NEWCOMER 2 /* must_wait_for_right() */
#define AT_ONCE	 3 /* it would rather not: evlock_read_specially_() */

/*
 * What mutants do, where it takes a value.
 */

#ifdef MUTANT_LOOKS_FIRST /* then publishes */
#define FIRST_OF_READER	 LOAD
#define SECOND_OF_READER STORE
#else
#define FIRST_OF_READER	 STORE
#define SECOND_OF_READER LOAD
#endif
#ifdef MUTANT_NO_RECALL
#define RECALLS false
#else
#define RECALLS true
#endif
#ifdef MUTANT_LET_IN_UNCOUNTED
#define LET_IN_COUNTS false
#else
#define LET_IN_COUNTS true
#endif
#ifdef MUTANT_NO_CATCH_UP
#define CATCHES_UP false
#else
#define CATCHES_UP true
#endif
#ifdef MUTANT_WRITER_OVERTAKES /* others of its loop, if the right comes just now */
#define WRITERS_QUEUE false
#else
#define WRITERS_QUEUE true
#endif
#ifdef MUTANT_INSIDE_WAITS /* readers that are inside have the member let in later */
#define READERS_THAT_NEED (READERS.inside + READERS.waiting)
#define HAS_TO_WAIT	  (NEED == READ)
#else
#define READERS_THAT_NEED READERS.waiting
#define HAS_TO_WAIT	  (READERS_THEN > READERS.inside)
#endif
#ifdef MUTANT_LONG_TURN
#define MOST_PASSES (PASSES + 1)
#else
#define MOST_PASSES PASSES
#endif
#ifdef MUTANT_LOOKS_LATE
#define AFTERWARDS (looking -> LATE : RESTING)
#else
#define AFTERWARDS RESTING
#endif

/*
 * The state.
 */

typedef Side {
	byte waiting;
	byte inside;
}

typedef Member {
	/* The loop's alone. */
	Side side[2]; /* by IS_WRITER() */
	bool told;    /* the loop will tell those that were granted */
	bool awaiting;

	/* Under the mutex. */
	bool to_write;
	bool writes_later; /* in group->writers */
	bool reads_later;  /* in group->readers */
	bool let_in;
	bool called;
	byte entries;
}

byte state[TASKS];
Member member[LOOPS];
chan queue[LOOPS] = [TASKS] of { byte }; /* its writers that wait */

/* The group. */
bool closed;
bool locked;
byte writer = NOBODY;
chan writers = [LOOPS] of { byte };

/* source.reading of each member, and the stores of it that are under way. */
byte reading[LOOPS];
chan stores[LOOPS] = [DEPTH] of { byte };

bool stopping; /* nobody asks or gives up any more */

/* In a loop: */
#define MINE	member[m]
#define READERS member[m].side[0]
#define WRITERS member[m].side[1]
#define MY_SIDE member[m].side[IS_WRITER(t)]
#define WAITERS (READERS.waiting + WRITERS.waiting)

/*
 * What has to hold of a task that goes inside.
 */

/* Tasks whose acquire had returned before that of this one began, and which come
 * before it, if they do not give up. */
byte behind[TASKS];

/* Readers stay behind all writers, writers behind those of their own loop. */
#define IS_BEHIND(t, other)                                           \
	((state[other] == WAITING && IS_WRITER(other) && t != other && \
	    (!IS_WRITER(t) || LOOP_OF(t) == LOOP_OF(other)))           \
		-> BIT(other) : 0)

inline note_who_is_before()
{
	behind[t] = IS_BEHIND(t, 0) | IS_BEHIND(t, 1) | IS_BEHIND(t, 2) |
	    IS_BEHIND(t, 3) | IS_BEHIND(t, 4)
}

/* How many of other loops have come before a writer since its acquire returned.  With
 * two loops that have writers, the other one has had its turn by then. */
#ifdef TURNS
byte overtaken[TASKS];

inline count_turns(who)
{
	for (i : FIRST_WRITER .. TASKS - 1) {
		if
		:: IS_WRITER(who) && state[i] == WAITING &&
		    LOOP_OF(i) != LOOP_OF(who) ->
			overtaken[i]++;
			assert(overtaken[i] <= PASSES + 1)
		:: else
		fi
	}
	i = 0
}

inline forget_turns(who)
{
	overtaken[who] = 0
}
#else
#define count_turns(who)
#define forget_turns(who)
#endif

/* It is inside, or has given up. */
inline let_others_pass(who)
{
	for (i : 0 .. TASKS - 1) {
		behind[i] = behind[i] & ~BIT(who)
	}
	i = 0;
	behind[who] = 0;
	forget_turns(who)
}

inline check_alone(who)
{
	for (i : 0 .. LOOPS - 1) {
		assert(member[i].side[1].inside == 0);
		assert(!IS_WRITER(who) || member[i].side[0].inside == 0)
	}
	i = 0
}

inline enter(who)
{
	printf("loop %d: task %d is inside\n", m, who);
	assert(behind[who] == 0);
	check_alone(who);
	count_turns(who);
	let_others_pass(who);
	member[m].side[IS_WRITER(who)].inside++
}

/*
 * The lock: lib/lock.c, lib/rwlock.c, lib/waitqueue.c.
 */

/* Is any of its tasks granted, and has to be told? */
#define IS_UNDELIVERED(t) (LOOP_OF(t) == m && state[t] == GRANTED)
#define ANY_UNDELIVERED                                                   \
	(IS_UNDELIVERED(0) || IS_UNDELIVERED(1) || IS_UNDELIVERED(2) ||   \
	    IS_UNDELIVERED(3) || IS_UNDELIVERED(4))

inline tell_all()
{
	for (i : 0 .. TASKS - 1) {
		if
		:: IS_UNDELIVERED(i) -> state[i] = INSIDE
		:: else
		fi
	}
	i = 0;
	MINE.told = false
}

inline hand_out()
{
#if FAST
	tell_all()
#else
	MINE.told = ANY_UNDELIVERED
#endif
}

inline admit()
{
	if
	:: WRITERS.inside > 0
	:: WRITERS.inside == 0 && WRITERS.waiting > 0 ->
		if
		:: READERS.inside == 0 ->
			queue[m] ? other;
			WRITERS.waiting--;
			enter(other);
			state[other] = GRANTED
		:: else
		fi
	:: WRITERS.inside == 0 && WRITERS.waiting == 0 ->
		for (other : 0 .. TASKS - 1) {
			if
			:: LOOP_OF(other) == m && state[other] == WAITING ->
				READERS.waiting--;
				enter(other);
				state[other] = GRANTED
			:: else
			fi
		}
	fi;
	other = 0
}

inline withdraw()
{
	printf("loop %d: task %d gives up\n", m, t);
	if
	:: state[t] == GRANTED -> MY_SIDE.inside--
	:: else ->
		MY_SIDE.waiting--;
		if
		:: IS_WRITER(t) -> queue[m] ?? eval(t)
		:: else
		fi
	fi;
	state[t] = IDLE;
	MINE.told = MINE.told && ANY_UNDELIVERED;
	let_others_pass(t)
}

/*
 * The loop is through with what it did, or has to ask for it.
 */

inline rest()
{
	stage = AFTERWARDS;
	why = CHANGED;
	right = NONE;
	t = 0;
	/* What others will do keeps the loop running. */
	assert(WAITERS == 0 || READERS.inside + WRITERS.inside > 0 ||
	    MINE.awaiting)
}

inline ask_for_what_is_left()
{
	stage = ASK;
	why = CHANGED;
	right = NONE;
	t = 0
}

/*
 * The reader's way: lib/source-internal.h.
 */

inline publish_without_mutex(number)
{
#if FENCED && !defined(MUTANT_NO_FENCE)
	reading[m] = number
#else
	/* One more is like one that has arrived just now. */
	if
	:: len(stores[m]) == DEPTH -> stores[m] ? reading[m]
	:: else
	fi;
	stores[m] ! number
#endif
}

inline flush(n)
{
	do
	:: len(stores[n]) > 0 -> stores[n] ? reading[n]
	:: else -> break
	od
}

/*
 * An acquire.
 */

/* Others of its loop have asked. */
#define NEED_NOT_ASK                                         \
	(IS_WRITER(t) -> WRITERS_QUEUE && WRITERS.waiting > 0 : \
	    WAITERS > 0 || WRITERS.inside > 0)

/* must_wait_for_lock() */
#define MUST_WAIT_IN_LOCK      \
	(WRITERS.inside > 0 || \
	    (IS_WRITER(t) -> READERS.inside : WRITERS.waiting) > 0)

inline come()
{
	if
	:: NEED_NOT_ASK -> stage = MUST_WAIT
	:: else ->
		why = NEWCOMER;
		stage = (IS_WRITER(t) -> ASK : FIRST_OF_READER)
	fi
}

inline come_slowly()
{
	if
	:: CATCHES_UP && WAITERS > 0 ->
		why = CATCH_UP;
		stage = ASK
	:: else -> come()
	fi
}

inline begin()
{
	note_who_is_before();
	if
	:: FAST && !IS_WRITER(t) && READERS.waiting == 0 && !ANY_UNDELIVERED ->
		why = AT_ONCE;
		stage = FIRST_OF_READER
	:: else -> come_slowly()
	fi
}

inline store()
{
	printf("loop %d: a reader publishes\n", m);
	publish_without_mutex(READERS.inside + 1);
	stage = (SECOND_OF_READER == STORE -> MAY_ENTER : LOAD)
}

inline load()
{
	printf("loop %d: a reader finds the group %d\n", m, closed);
	if
	:: !closed && why == CHANGED -> rest()
	:: !closed && why != CHANGED ->
		stage = (SECOND_OF_READER == STORE -> STORE : MAY_ENTER)
	:: closed && why == CHANGED -> ask_for_what_is_left()
	:: closed && why == NEWCOMER -> stage = ASK
	:: closed && why == AT_ONCE -> come_slowly()
	fi
}

inline wait()
{
	d_step {
		printf("loop %d: task %d waits\n", m, t);
		MY_SIDE.waiting++;
		state[t] = WAITING;
		if
		:: IS_WRITER(t) -> queue[m] ! t
		:: else
		fi;
		rest()
	}
}

inline enter_in_turn()
{
	d_step {
		enter(t);
		state[t] = GRANTED;
		hand_out();
		rest()
	}
}

inline enter_by_try()
{
	d_step {
		enter(t);
		state[t] = INSIDE;
		rest()
	}
}

/* It neither enters nor waits: a try, or no memory. */
inline forgo()
{
	d_step {
		printf("loop %d: task %d gets nothing\n", m, t);
		behind[t] = 0;
		ask_for_what_is_left()
	}
}

/* How an acquire ends, if it does now. */
inline end_of_acquire()
{
	if
	:: stage == MUST_WAIT -> wait()
	:: stage == MUST_WAIT -> forgo()
	:: stage == MAY_ENTER -> enter_in_turn()
	:: stage == MAY_ENTER -> enter_by_try()
	:: stage == MAY_ENTER -> forgo()
	:: else
	fi
}

/*
 * Under the mutex: lib/group.c.
 */

/* What the lock needs, and how many readers it has once there is the right to read.  A
 * reader that comes does so only if none waits. */
#define NEED_OF_ALL                                       \
	(WRITERS.inside + WRITERS.waiting > 0 -> WRITE : \
	    (READERS_THAT_NEED > 0 -> READ : NONE))
#define NEED \
	(why == NEWCOMER -> (IS_WRITER(t) -> WRITE : READ) : NEED_OF_ALL)
#define READERS_THEN (READERS.inside + READERS.waiting + (why == NEWCOMER))

inline publish(number)
{
	flush(m);
	reading[m] = number
}

inline wake(who)
{
	printf("loop %d: wakes %d\n", m, who);
	member[who].called = true
}

/* Is the right to write given back, or passed on within the loop? */
inline pass_on()
{
	if
#ifdef MUTANT_RIGHT_KEPT
	:: !MINE.to_write
#else
	:: !MINE.to_write -> writer = NOBODY
#endif
	:: MINE.to_write && WRITERS.inside == 0 && len(writers) == 0 ->
		MINE.entries = 1
	:: MINE.to_write && WRITERS.inside == 0 && len(writers) > 0 ->
		if
		:: MINE.entries > MOST_PASSES -> writer = NOBODY
		:: else
		fi;
		MINE.entries++
	:: else
	fi
}

inline leave_queues()
{
	MINE.reads_later = false;
	if
	:: MINE.writes_later -> writers ?? eval(m)
	:: else
	fi;
	MINE.writes_later = false
}

inline update_needs()
{
	if
	:: NEED < WRITE || !MINE.to_write -> leave_queues()
	:: else
	fi;
	MINE.to_write = NEED == WRITE;
	if
	:: writer == m -> pass_on()
	:: else
	fi;
	if
	:: MINE.to_write && writer != m && !MINE.writes_later ->
		MINE.writes_later = true;
		writers ! m
	:: else
	fi
}

inline close_group()
{
#ifndef MUTANT_BARRIER_FIRST
	printf("loop %d: closes the group\n", m);
	closed = RECALLS;
#endif
#if FENCED || defined(MUTANT_NO_BARRIER)
	skip
#else
	pending = (BIT(READING) - 1) & ~BIT(m);
	if
	:: pending != 0 -> stage = BARRIER
	:: else
	fi
#endif
}

inline open_group()
{
	printf("loop %d: opens the group\n", m);
	closed = false;
	for (i : 0 .. LOOPS - 1) {
		if
		:: member[i].reads_later ->
			member[i].reads_later = false;
			member[i].let_in = true;
			wake(i)
		:: else
		fi
	}
	i = 0
}

/* Nobody reads. */
inline give_right()
{
	writers ? writer;
	member[writer].writes_later = false;
	if
	:: writer == m -> MINE.entries = 1
	:: else ->
		member[writer].entries = 0;
		wake(writer)
	fi
}

inline answer()
{
	right = NONE;
	if
	:: writer == m -> right = WRITE
	:: writer != m && NEED == WRITE
	:: writer != m && NEED < WRITE ->
		if
		:: !let_in && closed && HAS_TO_WAIT -> MINE.reads_later = true
		:: else ->
			right = READ;
			publish(READERS_THEN)
		fi
	fi;
#ifdef MUTANT_ASKS_AGAIN
	if
	:: right < NEED -> wake(m)
	:: else
	fi;
#endif
	let_in = false;
	locked = false;
	MINE.awaiting = right < NEED
}

/* The answer, and what the lock does with it. */
inline end_of_ask()
{
	answer();
	next = 0;
	stage = RESTING;
	if
	:: why == NEWCOMER ->
		if
		:: right < NEED || MUST_WAIT_IN_LOCK -> stage = MUST_WAIT
		:: else -> stage = MAY_ENTER
		fi
	:: else ->
		if
		:: right >= NEED -> admit()
		:: else
		fi;
		if
		:: why == CATCH_UP ->
#ifndef MUTANT_CATCH_UP_UNTOLD
			MINE.told = ANY_UNDELIVERED;
#endif
			come()
		:: else ->
			hand_out();
			rest()
		fi
	fi
}

/* To the first look at what readers have published. */
inline update()
{
	printf("loop %d: asks for %d\n", m, NEED);
	let_in = MINE.let_in && NEED == READ;
	MINE.let_in = false;
	publish(READERS.inside);
#ifndef MUTANT_COUNTS_LATE
	if
	:: let_in -> publish(READERS_THEN)
	:: else
	fi;
#endif
	update_needs();
	if
	:: writer == NOBODY && len(writers) > 0 ->
		locked = true;
		stage = COUNT;
		if
		:: !closed -> close_group()
		:: else
		fi
	:: else ->
		if
#ifndef MUTANT_STAYS_CLOSED
		:: writer == NOBODY && len(writers) == 0 && closed ->
			open_group()
#endif
		:: else
		fi;
		end_of_ask()
	fi
}

inline reach(n)
{
	flush(n);
	pending = pending & ~BIT(n);
	stage = (pending == 0 -> COUNT : BARRIER)
}

inline count_next()
{
	if
	:: (LET_IN_COUNTS && member[next].let_in) || reading[next] > 0 ->
		end_of_ask()
	:: else ->
		next++;
		if
		:: next == READING ->
			give_right();
			end_of_ask()
		:: else
		fi
	fi
}

/*
 * What a task does next.
 */

inline leave()
{
	printf("loop %d: task %d leaves\n", m, t);
	MY_SIDE.inside--;
	state[t] = IDLE;
	if
	:: IS_WRITER(t) || (FAST && ANY_UNDELIVERED) -> ask_for_what_is_left()
	:: else ->
		publish_without_mutex(READERS.inside);
#ifdef MUTANT_LEAVES_SILENTLY
		rest()
#else
		stage = LOAD
#endif
	fi
}

inline give_up()
{
	withdraw();
#ifdef MUTANT_GIVES_UP_SILENTLY
	rest()
#else
	ask_for_what_is_left()
#endif
}

inline be_told()
{
	state[t] = INSIDE;
	MINE.told = MINE.told && ANY_UNDELIVERED;
	rest()
}

inline act()
{
	if
	:: state[t] == IDLE -> begin()
	:: state[t] == INSIDE -> leave()
	:: (state[t] == WAITING || state[t] == GRANTED) && !telling ->
		give_up()
	:: state[t] == GRANTED && telling -> be_told()
	fi;
	telling = false
}

#define MAY_ACT(t)                                \
	(stage == RESTING && LOOP_OF(t) == m && \
	    (state[t] == INSIDE || !stopping))
#define MAY_BE_TOLD(t) (stage == RESTING && MINE.told && IS_UNDELIVERED(t))

inline choose_task()
{
	if
	:: MAY_ACT(0) -> t = 0
	:: MAY_ACT(1) -> t = 1
	:: MAY_ACT(2) -> t = 2
	:: MAY_ACT(3) -> t = 3
	:: MAY_ACT(4) -> t = 4
	:: MAY_BE_TOLD(0) -> t = 0; telling = true
	:: MAY_BE_TOLD(1) -> t = 1; telling = true
	:: MAY_BE_TOLD(2) -> t = 2; telling = true
	:: MAY_BE_TOLD(3) -> t = 3; telling = true
	:: MAY_BE_TOLD(4) -> t = 4; telling = true
	fi
}

/*
 * The processes.
 */

proctype loop(byte m)
{
	byte t, i, other; /* tasks */
	bool telling;
	byte stage, why;
	byte right;   /* that was given */
	bool let_in;  /* of update() */
	byte pending; /* threads that the barrier has to reach */
	byte next;    /* member that is looked at */
#ifdef MUTANT_LOOKS_LATE
	bool looking;
#endif

end:
	do
	:: atomic { choose_task(); d_step { act() }; end_of_acquire() }
	:: atomic { stage == STORE -> d_step { store() }; end_of_acquire() }
	:: atomic { stage == LOAD -> d_step { load() }; end_of_acquire() }
	:: atomic {
		stage == ASK && !locked -> d_step { update() };
		end_of_acquire()
	   }
	:: d_step { stage == BARRIER && (pending & BIT(0)) -> reach(0) }
#if READING > 1
	:: d_step { stage == BARRIER && (pending & BIT(1)) -> reach(1) }
#endif
#ifdef MUTANT_BARRIER_FIRST
	:: d_step { stage == COUNT && !closed -> closed = true }
#endif
	:: atomic {
		stage == COUNT && (closed || !RECALLS) ->
		d_step { count_next() };
		end_of_acquire()
	   }
	/* The message has come. */
	:: d_step {
		stage == RESTING && MINE.called && !locked ->
#ifdef MUTANT_LOOKS_LATE
		looking = true;
#else
		MINE.called = false;
#endif
		stage = ASK
	   }
#ifdef MUTANT_LOOKS_LATE
	:: d_step {
		stage == LATE && !locked ->
		looking = false;
		MINE.called = false;
		stage = RESTING
	   }
#endif
	od
}

/* Stores arrive. */
active proctype memory()
{
end:
	do
	:: stores[0] ? reading[0]
#if READING > 1
	:: stores[1] ? reading[1]
#endif
	od
}

init {
	byte i;

	atomic {
		for (i : 0 .. LOOPS - 1) {
			run loop(i)
		}
		i = 0
	}
	printf("all stop asking\n");
	stopping = true;
	/* What follows has an end: there is no cycle that comes by here. */
accept:
	timeout ->
	d_step {
		for (i : 0 .. TASKS - 1) {
			assert(state[i] == IDLE)
		}
		for (i : 0 .. LOOPS - 1) {
			assert(reading[i] == 0);
			assert(!member[i].to_write && !member[i].let_in);
			assert(!member[i].reads_later && !member[i].called);
			assert(!member[i].awaiting)
		}
		assert(!closed && !locked && writer == NOBODY)
	}
}
