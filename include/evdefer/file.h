/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/file.h
 * @page evfile
 *
 * One readers-writer lock for several processes: whoever opens the same lock file.
 *
 * It is a struct evrwlock that is used as any other (evdefer/rwlock.h): acquires,
 * owners, timeouts, evrwlock_with(), both ways of delivery.  evlock(1) does it for
 * commands.  For several loops of one process a group is faster (evdefer/group.h).
 *
 * @par Who enters, and when
 * What holds for one lock holds for all that are on one file together, in whatever
 * process and loop, and so do several locks of one process on one file:
 *
 * - A writer is alone, and readers share.
 * - A writer that waits anywhere holds back the readers that ask after its acquire has
 *   returned.
 * - When a writer leaves, the next waiting writer enters, and if none waits, all readers
 *   that wait do.
 * - Processes whose writers wait take turns, in about the order of asking, as the kernel
 *   knows it.  One process may pass the lock on among its own writers EVGROUP_PASSES
 *   times (evdefer/group.h) while another one's wait.
 * - One at most has an upgradable hold, of all that are on the file.  Its upgrade waits
 *   for the readers of all and comes before the writers of all.  Who of those that wait
 *   to be upgradable is next is up to the kernel; each needs one more byte, and system
 *   call.
 * - There is no fairness between readers and writers (EVRWLOCK_FAIR), and no limit of
 *   readers (evrwlock_set_reader_limit()).
 * - A waiter that is cancelled, freed, or runs into a timeout leaves at once, and whoever
 *   it has kept out enters.
 *
 * A process that ends has no lock, however it ends: what it held is free at once.
 *
 * A cycle of owners that wait for each other in different processes, or over several
 * locks on files, is not found: such waits end with a timeout, or the patience of
 * evrwlock_with().  What evrwlock_is_reading(), evrwlock_get_stats() and others say is
 * about one lock of one process alone.
 *
 * @par The file
 * The locks are open file description locks of Linux (fcntl(2), F_OFD_SETLK), on single
 * bytes at the beginning of the file.  They are advisory; a process that writes to the
 * file, or opens and closes it, does them no harm.  Who locks the whole file with
 * lockf(3) keeps all others out; flock(2) knows nothing of them.
 *
 * The file is made if it is not there, as the umask allows (0666), and never removed:
 * whoever wants the lock has to be allowed to read and write it, also to read under the
 * lock.  Nothing is written to it, and what is in it does not matter.  Do not remove or
 * replace it while anybody may use it: those that have the old file open and those that
 * open the new one would not know of each other.
 *
 * @par Waiting
 * No loop is blocked, and nothing is polled.  Where another process has the lock, a
 * thread of the library waits in the kernel, as long as somebody here waits, and the loop
 * is told.  The loop does not end (event_base_dispatch()) while something in it waits for
 * others.
 *
 * The thread that waits is called off by the signal SIGURG, which is sent to it alone.
 * If the program has an action for SIGURG (urgent data on a socket), that is called;
 * otherwise there is one that does nothing, for just that moment, a fraction of a
 * millisecond.  All other signals are blocked in the thread.  A program that takes SIGURG
 * by sigwait(3) or signalfd(2) may miss some while a thread waits.
 *
 * @par What it costs
 * An acquire of a lock that is free takes two or three system calls more than without
 * a file, and the release by the last one inside takes one.  When nobody of a process is
 * inside or waits any more, the process has no lock of the kernel.  A wait takes a thread.
 * In the steady state no memory is needed.
 *
 * @par Network file systems
 * On these it is as good as their locks.  What the loop tries first asks the server, and
 * takes that long.
 *
 * - NFS: the locks are the server's, and exclude each other over all clients, if the
 *   lock is not asked to be local (mount option local_lock, nolock).  What a process held
 *   that was killed is free at once, too; what was held by a machine that vanished is
 *   free when its lease ends (NFSv4, a minute or so), or when it comes back (NFSv3).  And
 *   a client that cannot reach the server for longer than a lease still counts itself
 *   inside, while another one may have got the lock.
 * - SMB: the server decides likewise, unless the mount says nobrl.
 * - FUSE: it depends on the server, which may know such locks, leave them to the kernel
 *   of each machine, so that machines do not exclude each other, or refuse them.
 *
 * A lock that has to hold over machines that fail needs more than a file
 * (evdefer/cluster.h).
 *
 * @par Processes
 * After fork(2) the child leaves the locks of its parent alone, and does not even free
 * them; it makes its own.  It has their descriptors until it calls execve(2), where they
 * are closed: what the parent holds when it ends without a release is not free before
 * such a child has ended, too.  What the parent releases is free in any case.
 *
 * @thread The thread of the lock's base.
 * @origin None.  Twisted's DeferredFilesystemLock polls, and has no readers.
 */
#ifndef EVDEFER_FILE_H
#define EVDEFER_FILE_H

#include <evdefer/rwlock.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a lock on a file, for several processes.
 *
 * It is shared with all who open the same lock file, in whatever process and loop.  The
 * lock has the name of the file (evrwlock_set_name()), and is used as any other
 * (evdefer/rwlock.h); what is different is said in evdefer/file.h.
 *
 * Besides, its acquires fail with what the system says if it has no thread for the wait
 * (EAGAIN), or no lock (ENOLCK, EIO, ...); a try fails with EBUSY then, too.
 *
 * evrwlock_free() has waiters fail with ESHUTDOWN; holders release as before, and keep
 * others out until they have.  evdefer_base_free() has those fail that wait, too; who is
 * inside stays until he releases.
 *
 * @param path of the file; it is opened once, here, and made if it is not there.
 * @param flags 0 or EVRWLOCK_FAST.
 * @return the lock, which the caller closes with evrwlock_free(); NULL with errno set, and
 *   nothing is left open, though the file may have been made.
 * @errno EACCES, ENOENT, EISDIR, EMFILE What open(2) says, and whatever else it may say.
 * @errno EINVAL No base, no path, or an unknown flag.
 * @errno ENOLCK The file cannot be locked; or what else fcntl(2) says.
 * @errno ENOMEM
 * @errno ENOSYS The system has no open file description locks: it is not Linux, or one
 *   before 3.15.
 * @errno ENOTSUP EVRWLOCK_FAIR: who is served next is up to the kernel.
 * @errno ESHUTDOWN
 * @cost Three allocations, one more for the first of a base, and a descriptor.
 */
struct evrwlock *evrwlock_new_on_file(
    struct evdefer_base *base, const char *path, unsigned flags);

#ifdef __cplusplus
}
#endif

#endif
