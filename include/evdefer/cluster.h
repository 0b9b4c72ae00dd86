/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/cluster.h
 * @page evcluster
 *
 * One readers-writer lock for processes on several machines, by ZooKeeper.
 *
 * It is in a library of its own, libevdefer-cluster (pkg-config evdefer-cluster), beside
 * libevdefer.
 *
 * A lock is a struct evrwlock that is used as any other (evdefer/rwlock.h): acquires,
 * owners, timeouts, evrwlock_with(), both ways of delivery.  What holds for one lock holds
 * for all of one name together, on whatever machine: a writer is alone, and readers share;
 * a writer that waits anywhere holds back the readers that ask after the servers know of
 * it.  Processes take turns in the order in which the servers heard of them.  A process
 * keeps the right to read until somebody wants to write: a read under a right that is
 * kept costs what it costs without a cluster, and nothing is sent.  evlock(1) does it for
 * commands.
 *
 * @par What it does not promise
 * What no such lock can promise: that whoever holds it still does when what it has sent
 * arrives.  A process may be stopped, or cut off, for longer than its session lasts; then
 * the servers let in the next one.  evrwlock_lost() tells of that as soon as this process
 * can know it, evrwlock_check() looks before an effect, and a body under evrwlock_with()
 * is cancelled.  That narrows the window.  What closes it is evrwlock_get_token(): a number
 * that is higher for each later holder.  Send it along with what is written, and have the
 * resource refuse what comes with a lower one than it has seen.
 *
 * A right is good for two thirds of the session timeout after the last word of the leader
 * of the servers, by a clock that goes on while the machine sleeps.  After that it is lost
 * for good, also if the session turns out to have lived on.  Holds that were lost stay
 * inside, for this process alone, until they are released, with ESTALE: two of one process
 * never run into each other.
 *
 * @par The client
 * No call waits.  The loop does not end while the cluster is open.  Reports
 * (evdefer_base_report()) say of each lock which right it has.
 *
 * Debian's client library, libzookeeper_st, has no TLS: where the way to the servers is
 * not your own, put stunnel or WireGuard around it.  It is not proof against allocations
 * that fail within itself; the rest of this library is.
 *
 * It numbers the requests of the whole process in one variable, from the time of day on,
 * and takes three of the numbers for its own: after some 2,500 million requests, a thousand
 * each second for a month, the connection is lost once or twice, as it may be at any time,
 * but it may also take an answer for a refusal of the credentials (EACCES), or end the
 * process if none were given.  A process that sends as many is to be started anew before.
 *
 * A node of a lock that an operator removes or writes to is noticed, and the right is lost.
 *
 * Each right that is asked for takes a number of its lock.  There are 2,147 million; then
 * acquires fail with EPROTO until all processes have freed the lock.
 *
 * Servers from release 3.6.0 on without the fix of ZOOKEEPER-4537 (Debian 12 has them) now
 * and then leave a request or a change lying until another request comes, where few use
 * them.  A request of a lock is seen 100 ms later then; a change, which lets in who waits for
 * it, and a request of evcluster_list() at the next probe of a session: after a sixth of its
 * timeout at most.
 *
 * @thread The thread of the cluster's base.
 */
#ifndef EVDEFER_CLUSTER_H
#define EVDEFER_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <evdefer/rwlock.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evcluster;

/** In what state a connection with the servers is. */
enum evcluster_state {
	EVCLUSTER_CLOSED,     /**< not connected yet, or no more */
	EVCLUSTER_CONNECTING, /**< looks for a server, with a new session */
	EVCLUSTER_CONNECTED,  /**< a server has the session */
	EVCLUSTER_SUSPENDED, /**< looks for a server that goes on with the session */
	EVCLUSTER_EXPIRED /**< the servers have ended the session; what it held is
				   lost, and a new one is begun at once */
};

/** Is told of each change of state.
 *
 * @p sentence is for the log: which server, and why; it is valid during the call.
 * It may call anything, also evcluster_free(). */
typedef void (*evcluster_state_fn)(struct evcluster *cluster,
    enum evcluster_state state, const char *sentence, void *arg);

/** How to connect.  All zero is a good choice; make it so before setting any. */
struct evcluster_options {
	/** For how long the servers keep what a process holds that they do not hear of, in
	 * milliseconds; 0 for 15,000.  The servers have bounds of their own (2 to 20 of
	 * their ticks).  Two thirds after it was last heard of, a process takes its rights
	 * for lost. */
	int session_timeout_ms;
	/** Below which node the locks are; NULL for "/evdefer". */
	const char *root;
	/** What the servers are to know this process by: "digest" and "user:password", say.
	 * Both, or none. */
	const char *auth_scheme;
	const char *auth_credentials;
	/** Nodes may be read and changed by those who have the same credentials alone;
	 * needs these.  Otherwise whoever reaches the servers may. */
	bool creator_only;
	/** Is told of changes of state; may be NULL. */
	evcluster_state_fn state_fn;
	void *state_arg;
};

/**
 * Makes a connection with a cluster, not connected yet.
 *
 * Locks may be made on it at once; they wait.
 *
 * @param servers "host:port,host:port,...": names, or addresses ([::1]:2181); the port may
 *   be missing: 2181.  All that run, for a client goes from one to the other.
 * @param options copied; NULL for all zero.
 * @return the cluster, to be freed with evcluster_free(), before the base; NULL with
 *   errno.
 * @errno EINVAL No base; no servers, or what is not written like that; options that
 *   contradict each other.
 * @errno ENOMEM
 * @errno ESHUTDOWN
 */
struct evcluster *evcluster_new(struct evdefer_base *base, const char *servers,
    const struct evcluster_options *options);

/**
 * Connects with the servers.
 *
 * Names are resolved by the event loop (evdns), and a server that is away or hangs is
 * left for another one, again and again; to have it end otherwise add a timeout.  A cancel
 * ends the wait, not the connection.
 *
 * @return a Deferred that is the caller's and fires with NULL once a server has the
 *   session; at once if one has.  NULL with errno set.
 * @errno EINVAL No cluster.
 * @errno ENOMEM
 * @errno ESHUTDOWN
 * @fails EACCES The servers refuse the credentials; the message says which server.
 * @fails ECANCELED
 * @fails ENOENT None of the names is known.
 * @fails ENOMEM Out of memory; or what else the client says that cannot begin.
 * @fails ESHUTDOWN The cluster was closed meanwhile.
 * @fails ETIMEDOUT
 */
struct evdeferred *evcluster_connect(struct evcluster *cluster);

/**
 * Gives back all rights, and ends the session.
 *
 * Those that wait for locks of the cluster fail with ENOTCONN, and who is inside has
 * lost his right (evrwlock_lost()).  The locks remain, for evrwlock_free(), and work again
 * after another evcluster_connect().
 *
 * @return a Deferred that is the caller's and fires with NULL when the servers know, or
 *   after a second.  NULL with errno set, and nothing has changed.
 * @errno EINVAL No cluster.
 * @errno ENOMEM
 * @fails ECANCELED The wait was called off; the rights are given back all the same.
 * @fails ETIMEDOUT
 */
struct evdeferred *evcluster_close(struct evcluster *cluster);

/**
 * Frees the cluster, and never waits.
 *
 * Locks that are left are as after evcluster_close(), for good.  What is still to be given
 * back is in the background, for at most a second in which the loop does not end; if the
 * base is freed before, the servers free it when the session ends by itself.  It may be
 * called from any callback, before or after the locks are freed, but before the base is.
 *
 * @param cluster NULL is allowed and does nothing.
 */
void evcluster_free(struct evcluster *cluster);

/**
 * Tells in what state the connection is.
 *
 * @return the state; EVCLUSTER_CLOSED for NULL.
 */
enum evcluster_state evcluster_get_state(const struct evcluster *cluster);

/**
 * Makes a lock of a name in a cluster.
 *
 * With the same name in the same cluster and below the same root it is one lock, also
 * within a process.  It is used as any other; besides what is said in evdefer/rwlock.h,
 *
 * - acquires wait while no server is reached; bound them with a timeout.  They fail with
 *   EACCES (the servers do not let this process at the node), EPROTO (what is there is
 *   none of our locks, or the servers have no number left for a place in line),
 *   ENOTCONN (the cluster was closed or freed) or ENOMEM, each with a sentence that names
 *   the node, and the server where one has said so.  A try fails with EBUSY if the right
 *   is not there.
 * - releases fail with ESTALE if the right was lost; the hold is gone nevertheless.
 * - EVRWLOCK_UPGRADABLE, upgrades and evrwlock_set_reader_limit() fail with ENOTSUP.
 * - a cycle of owners that wait for each other in several processes is not found: such
 *   waits end with a timeout, or the patience of evrwlock_with().
 *
 * @param name of 1 to 200 bytes, no slash, no control characters, neither "." nor ".."; UTF-8.
 * @param flags 0 or EVRWLOCK_FAST.
 * @return the lock, which the caller closes with evrwlock_free(), before or after the
 *   cluster; NULL with errno set.
 * @errno EINVAL No cluster, a name that can't be, or an unknown flag.
 * @errno ENOMEM
 * @errno ENOTSUP EVRWLOCK_FAIR.
 * @errno ESHUTDOWN
 * @cost A write costs two changes by a quorum of the servers, a read without a right
 *   one, and a write after a read or the other way round one.  As long as others wait, EVGROUP_PASSES (evdefer/group.h) writers of one process
 *   come one after the other at most.
 */
struct evrwlock *evrwlock_new_in_cluster(
    struct evcluster *cluster, const char *name, unsigned flags);

/** One that holds a lock or waits for it, as the servers know it. */
struct evcluster_entry {
	const char *lock; /**< its name */
	const char *who;  /**< "host pid", as the process has given it */
	bool writer;	  /**< or reader */
	bool holding;	  /**< or waiting */
	int64_t since_ms; /**< when, by the clock of the servers, since 1970 */
};

/** What evcluster_list() fires with. */
struct evcluster_listing {
	size_t count;
	struct evcluster_entry *entries; /**< by lock, then in the order of
					    entering; in the same memory */
};

/**
 * Lists who holds and who waits: all locks below the root, for people to look at.  A
 * process that keeps the right to read is one that holds.
 *
 * @return a Deferred that is the caller's and fires with a struct evcluster_listing, to
 *   be freed with free(3).  NULL with errno set.
 * @errno EINVAL No cluster.
 * @errno ENOMEM
 * @errno ENOTCONN No server is reached.
 * @fails EACCES The servers do not let this process at a node.
 * @fails ECANCELED
 * @fails ENOMEM
 * @fails ENOTCONN No server is reached any more.
 * @fails ETIMEDOUT
 * @cost A request for each lock and one for each entry; locks change meanwhile.
 */
struct evdeferred *evcluster_list(struct evcluster *cluster);

#ifdef __cplusplus
}
#endif

#endif
