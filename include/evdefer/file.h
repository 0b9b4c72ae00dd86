/* SPDX-License-Identifier: MIT */
/**
 * @file evdefer/file.h
 *
 * One readers-writer lock for several processes: whoever opens the same lock file.
 *
 * It is a struct evrwlock that is used as any other (evdefer/rwlock.h): acquires,
 * owners, timeouts, evrwlock_with(), both ways of delivery.  What holds for one lock
 * holds for all that are on one file together, in whatever process and loop: a writer
 * is alone, and readers share; a writer that waits anywhere holds back the readers
 * that ask after its acquire has returned; when it leaves, the next writer enters, and
 * if none waits, all readers that wait do.  Several locks of one process on one file
 * exclude each other in the same way.  evlock(1) does it for commands.
 *
 * One at most has an upgradable hold, of all that are on the file.  Its upgrade waits for
 * the readers of all and comes before the writers of all.  Who of those that wait to be
 * upgradable is next is up to the kernel; each needs one more byte, and system call.
 *
 * No loop is blocked.  Where another process has the lock, a thread of the library
 * waits in the kernel, as long as somebody here waits, and the loop is told; nothing is
 * polled.  The kernel knows the order of asking, more or less: writers of different
 * processes take turns, and one process may pass the lock on among its own writers
 * EVGROUP_PASSES times (evdefer/group.h) while another one's wait.
 *
 * When nobody of a process is inside or waits any more, the process has no lock of the
 * kernel.  One that ends has none either, however it ends: what it held is free at once.
 * An acquire of a lock that is free costs three system calls, and its release one.
 *
 * The locks are open file description locks of Linux (fcntl(2), F_OFD_SETLK), on the
 * first bytes of the file.  They are advisory; a process that writes to the file, or
 * opens and closes it, does them no harm.  The file is made if it is not there, as the
 * umask allows (0666), and never removed: whoever wants the lock has to be allowed to
 * read and write it, also to read under the lock.  Do not remove or replace it while
 * anybody may use it: those that have the old file open and those that open the new one
 * would not know of each other.
 *
 * On network file systems it is as good as their locks.  With NFS these are the
 * server's: they exclude each other over all clients, if the lock is not asked to be
 * local (mount option local_lock, nolock).  What a process held that was killed is
 * free at once, too; what was held by a machine that vanished is free when its lease
 * ends (NFSv4, a minute or so), or when it comes back (NFSv3).  And after a server was
 * away for longer than that, two may hold the lock.  With SMB the server decides
 * likewise, unless the mount says nobrl.  What the loop tries first asks the server, and
 * takes that long.  FUSE file systems may have locks, or none, or their own.
 *
 * The thread that waits is called off by the signal SIGURG, which is sent to it alone.
 * If the program has an action for SIGURG (urgent data on a socket), that is called;
 * otherwise there is one that does nothing, for just that moment, a fraction of a
 * millisecond.  All other signals are blocked in the thread.
 *
 * After fork() a child must leave the locks alone that its parent has made, and make its
 * own.  As it has the parent's descriptors, too, what a parent holds that is then
 * killed is not free before the child has ended, or called exec(): the descriptors are
 * closed there.  What the parent releases is free in any case.
 *
 * A cycle of owners that wait for each other in different processes is not found: such
 * waits end with a timeout, or the patience of evrwlock_with().  What
 * evrwlock_is_reading(), evrwlock_get_stats() and others say is about one lock of one
 * process alone.
 */
#ifndef EVDEFER_FILE_H
#define EVDEFER_FILE_H

#include <evdefer/rwlock.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a lock on a file.  From the thread of the base.
 *
 * The lock has the name of the file (evrwlock_set_name()).  Besides what is said in
 * evdefer/rwlock.h, its acquires fail with what the system says if it has no thread for
 * the wait (EAGAIN), or no lock (ENOLCK, EIO, ...); a try fails with EBUSY then, too.
 *
 * evrwlock_free() has waiters fail with ESHUTDOWN; holders release as before.
 * evdefer_base_free() has those fail that wait, too; who is inside stays until he
 * releases.  The loop does not end while something waits for another process.
 *
 * @param path of the file; it is opened once, here.
 * @param flags 0 or EVRWLOCK_FAST.
 * @return the lock, to be freed with evrwlock_free(); NULL with errno EINVAL (no base,
 *   no path, unknown flag), ENOTSUP (EVRWLOCK_FAIR: who is served next is up to the
 *   kernel), ENOMEM, ESHUTDOWN (evdefer_base_free() was called), ENOSYS (the system has no open file description locks), ENOLCK or what else it says if
 *   this file can't be locked, or what open(2) says: EACCES, ENOENT, EMFILE, ...
 */
struct evrwlock *evrwlock_new_on_file(
    struct evdefer_base *base, const char *path, unsigned flags);

#ifdef __cplusplus
}
#endif

#endif
