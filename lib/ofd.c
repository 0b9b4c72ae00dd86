/* SPDX-License-Identifier: MIT */
/*
 * How is a thread called off that waits in the kernel?  By a signal, and the trouble
 * with signals is that they are the program's.  So
 *
 * - it is SIGURG, whose action by default is none, which programs do not use (it says
 *   that urgent data has come, and may say so at any time), and which nobody but that
 *   thread ever gets;
 * - an action of the program's stays.  If it has one, that is called once more than it
 *   would be, in this thread.  If it has none, so that the thread would not get the
 *   signal, there is one that does nothing, for just that moment;
 * - it does not matter what that action does, nor whether it has the wait go on
 *   afterwards (SA_RESTART).  Before the signal, what is asked for is turned into what
 *   the kernel refuses.  So a wait that goes on ends, and so does one that had not
 *   begun when the signal came: there is no moment in which it comes to nothing.
 *
 * The loop waits for the thread to end, which takes as long as a wake-up.  The other
 * ways are worse.  A thread that is cancelled unwinds its stack, for which libc loads
 * a library, and ends the program if it can't; and it is not known what the thread has
 * got.  Closing the file ends no wait.  And if a wait that nobody needs were to go on
 * until it has the lock, it would keep others out for a moment some day, and its thread
 * would outlive the base, and maybe the library's code.
 */
#include "ofd-internal.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "thread-internal.h"

/* Where there are none, the system says so when the first is asked for. */
#ifndef F_OFD_SETLK
#define F_OFD_GETLK -1
#define F_OFD_SETLK -1
#define F_OFD_SETLKW -1
#endif

/* Of no lock: the kernel refuses it. */
#define NO_TYPE -1

/* A byte for nobody, to find out whether there can be locks. */
#define SPARE_BYTE 255

static struct flock
range_of(short type, off_t byte, off_t count)
{
	return (struct flock){.l_type = type,
	    .l_whence = SEEK_SET,
	    .l_start = byte,
	    .l_len = count};
}

int
evofd_set_(struct evofd *ofd, short type, off_t byte, off_t count)
{
	struct flock range = range_of(type, byte, count);

	return fcntl(ofd->fd, F_OFD_SETLK, &range);
}

short
evofd_find_(struct evofd *ofd, off_t byte)
{
	struct flock range = range_of(F_WRLCK, byte, 1);

	/* If it fails, so does what is tried next. */
	if (fcntl(ofd->fd, F_OFD_GETLK, &range) == -1)
		return F_UNLCK;
	return range.l_type;
}

/* Without O_CREAT first: in /tmp, say, the kernel may refuse that for a file that is
 * somebody else's, even if anybody may write to it. */
static int
open_or_create(const char *path)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	const int fd = open(path, flags);

	if (fd != -1 || errno != ENOENT)
		return fd;
	return open(path, flags | O_CREAT, 0666);
}

static int
try_spare_byte(struct evofd *ofd)
{
	if (evofd_set_(ofd, F_RDLCK, SPARE_BYTE, 1) == 0)
		return evofd_set_(ofd, F_UNLCK, SPARE_BYTE, 1);
	/* Somebody has locked the whole file, so that it works.  SMB says EACCES. */
	if (errno == EAGAIN || errno == EACCES)
		return 0;
	if (errno == EINVAL)
		errno = ENOSYS;
	return -1;
}

int
evofd_open_(struct evofd *ofd, const char *path)
{
	int error;

	ofd->fd = open_or_create(path);
	if (ofd->fd == -1)
		return -1;
	if (try_spare_byte(ofd) == -1) {
		error = errno;
		close(ofd->fd);
		errno = error;
		return -1;
	}
	ofd->started = false;
	ofd->working = false;
	pthread_mutex_init(&ofd->mutex, NULL);
	pthread_cond_init(&ofd->over, NULL);
	return 0;
}

void
evofd_close_(struct evofd *ofd)
{
	close(ofd->fd);
	pthread_cond_destroy(&ofd->over);
	pthread_mutex_destroy(&ofd->mutex);
}

/*
 * In the thread.
 */

int
evofd_wait_(struct evofd *ofd, short type, off_t byte)
{
	bool called_off;
	int result;

	pthread_mutex_lock(&ofd->mutex);
	called_off = ofd->called_off;
	if (!called_off)
		ofd->request = range_of(type, byte, 1);
	pthread_mutex_unlock(&ofd->mutex);
	if (called_off)
		return ECANCELED;
	/* After a signal the request tells whether it was called off. */
	do
		result = fcntl(ofd->fd, F_OFD_SETLKW, &ofd->request);
	while (result == -1 && errno == EINTR);
	return result == 0 ? 0 : errno;
}

static void
unblock_signal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void *
work_on_file(void *arg)
{
	struct evofd *ofd = arg;
	int error;

	unblock_signal();
	error = ofd->work(ofd);
	pthread_mutex_lock(&ofd->mutex);
	ofd->error = error;
	ofd->working = false;
	ofd->tell(ofd);
	pthread_cond_signal(&ofd->over);
	pthread_mutex_unlock(&ofd->mutex);
	return NULL;
}

/*
 * In the loop.
 */

int
evofd_start_(struct evofd *ofd, int (*work)(struct evofd *ofd),
    void (*tell)(struct evofd *ofd))
{
	int error;

	ofd->work = work;
	ofd->tell = tell;
	ofd->working = true;
	ofd->called_off = false;
	ofd->error = 0;
	error = evthread_start_(&ofd->thread, work_on_file, ofd);
	ofd->started = error == 0;
	if (!ofd->started)
		ofd->working = false;
	return error;
}

/* The mutex is held. */
static void
wait_until_over(struct evofd *ofd)
{
	const long second = 1000 * 1000 * 1000, moment = second / 1000;
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_nsec += moment;
	end.tv_sec += end.tv_nsec / second;
	end.tv_nsec %= second;
	pthread_cond_timedwait(&ofd->over, &ofd->mutex, &end);
}

static void
do_nothing(int number)
{
	(void)number;
}

/* Once is enough, unless the action is taken away in that very moment, by the program or
 * by another loop that does the same.  The mutex is held; a thread that has not been
 * joined is there. */
static void
interrupt(struct evofd *ofd)
{
	const struct sigaction nothing = {.sa_handler = do_nothing};
	struct sigaction before, now;
	bool ignored;

	sigaction(SIGURG, NULL, &before);
	ignored = before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN;
	if (ignored)
		sigaction(SIGURG, &nothing, NULL);
	pthread_kill(ofd->thread, SIGURG);
	wait_until_over(ofd);
	if (!ignored)
		return;
	sigaction(SIGURG, &before, &now);
	/* The program has got one meanwhile. */
	if (now.sa_handler != do_nothing)
		sigaction(SIGURG, &now, NULL);
}

int
evofd_stop_(struct evofd *ofd)
{
	pthread_mutex_lock(&ofd->mutex);
	ofd->called_off = true;
	ofd->request.l_type = NO_TYPE;
	while (ofd->working)
		interrupt(ofd);
	pthread_mutex_unlock(&ofd->mutex);
	pthread_join(ofd->thread, NULL);
	ofd->started = false;
	return ofd->error;
}
