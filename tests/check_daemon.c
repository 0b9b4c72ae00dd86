/* SPDX-License-Identifier: MIT */
/*
 * The daemon of the tutorial does what the tutorial tells of it.  It runs in this
 * process, with the clock of the test: where it would run its loop, the script of
 * the test runs, with clients that have sockets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>
#include <event2/event.h>

#include "alloc.h"
#include "clock.h"

static int run_script(struct event_base *daemon_loop);

#define main daemon_main
#define event_base_dispatch(loop) run_script(loop)
#include "../docs/examples/daemon.c"
#undef event_base_dispatch
#undef main

/* As the tutorial says. */
#define BANK_MS 5000
#define LIMIT_MS 8000

/* What the clients do, and those who do it. */
static void (*script)(void);
static int first, second, third;

static int
dial(void)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(getsockname(evconnlistener_get_fd(listener),
			     (struct sockaddr *)&address, &length),
	    0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, length), 0);
	return fd;
}

static void
type(int fd, const char *text)
{
	ck_assert_int_eq(
	    send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

/* The next line that the client gets; the daemon runs until it is there. */
static const char *
next_line(int fd)
{
	static char line[256];
	size_t length = 0;

	while (length == 0 || line[length - 1] != '\n') {
		ck_assert(length < sizeof(line) - 1);
		if (recv(fd, line + length, 1, MSG_DONTWAIT) == 1) {
			length++;
			continue;
		}
		ck_assert_int_eq(errno, EAGAIN);
		event_base_loop(loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	line[length - 1] = '\0';
	return line;
}

static void
reads(int fd, const char *expected)
{
	ck_assert_str_eq(next_line(fd), expected);
}

/* The daemon runs until the stats are these: requests come in when they do. */
static void
until(int fd, const char *expected)
{
	do
		type(fd, "stats\n");
	while (strcmp(next_line(fd), expected) != 0);
}

#define IDLE "inside: 0 reading, 0 writing; waiting: 0 to read, 0 to write"
#define BOOKING "inside: 0 reading, 1 writing; waiting: 0 to read, 0 to write"
#define BOOKING_AND_READER                                                     \
	"inside: 0 reading, 1 writing; waiting: 1 to read, 0 to write"
#define BOOKING_AND_WRITER                                                     \
	"inside: 0 reading, 1 writing; waiting: 0 to read, 1 to write"
#define BOOKING_AND_WRITERS                                                    \
	"inside: 0 reading, 1 writing; waiting: 0 to read, 2 to write"

static void
reads_nothing(int fd)
{
	char byte;

	ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

static int
run_script(struct event_base *daemon_loop)
{
	(void)daemon_loop;
	first = dial();
	second = dial();
	third = dial();
	script();
	close(first);
	close(second);
	close(third);
	return 0;
}

/* From the start of the daemon to its end, which gives all memory back. */
static void
run_daemon(void (*clients_do)(void))
{
	char name[] = "daemon", port[] = "0";
	char *arguments[] = {name, port, NULL};
	long live = alloc_live();
	int status;

	script = clients_do;
	status = daemon_main(2, arguments);
	libevent_global_shutdown();
	ck_assert_int_eq(alloc_live(), live);
	ck_assert_int_eq(status, 0);
}

static void
book_and_read(void)
{
	type(first, "book Ann\n");
	until(third, BOOKING);
	type(second, "free\n");
	until(third, BOOKING_AND_READER);
	reads_nothing(first);
	reads_nothing(second);

	clock_advance(BANK_MS);
	reads(first, "booked for Ann");
	reads(second, "2 free, the last one to book was Ann");
	until(third, IDLE);
}

START_TEST(a_reader_waits_for_a_booking)
{
	run_daemon(book_and_read);
}
END_TEST

static void
go_half_way(void)
{
	type(first, "book Ann\n");
	until(third, BOOKING);
	type(second, "free\n");
	until(third, BOOKING_AND_READER);

	shutdown(first, SHUT_WR);
	reads(second, "3 free, the last one to book was nobody");
	until(third, IDLE);
}

START_TEST(a_client_that_goes_takes_its_booking_with_it)
{
	run_daemon(go_half_way);
}
END_TEST

static void
go_from_the_queue(void)
{
	type(first, "book Ann\n");
	until(third, BOOKING);
	type(second, "book Bob\n");
	until(third, BOOKING_AND_WRITER);

	shutdown(second, SHUT_WR);
	until(third, BOOKING);
	clock_advance(BANK_MS);
	reads(first, "booked for Ann");
	type(third, "free\n");
	reads(third, "2 free, the last one to book was Ann");
}

START_TEST(a_client_that_goes_leaves_the_queue)
{
	run_daemon(go_from_the_queue);
}
END_TEST

static void
book_three(void)
{
	static int *const callers[] = {&first, &second, &third};
	static const char *const said[] = {
	    BOOKING, BOOKING_AND_WRITER, BOOKING_AND_WRITERS};
	int fourth = dial();
	char line[32];
	int i;

	for (i = 0; i < 3; i++) {
		snprintf(line, sizeof(line), "book %c\n", 'A' + i);
		type(*callers[i], line);
		until(fourth, said[i]);
	}
	clock_advance(BANK_MS);
	reads(first, "booked for A");
	clock_advance(LIMIT_MS - BANK_MS - 1);
	until(fourth, BOOKING_AND_WRITER);
	reads_nothing(second);
	reads_nothing(third);
	clock_advance(1);
	reads(second, "sorry: timed out");
	reads(third, "sorry: timed out");
	type(fourth, "free\n");
	reads(fourth, "2 free, the last one to book was A");
	close(fourth);
}

START_TEST(time_runs_out)
{
	run_daemon(book_three);
}
END_TEST

static void
send_all_at_once(void)
{
	type(first, "what\nbook A\r\nfree\nbook B\nfree\n");
	reads(first, "free, book NAME or stats?");
	until(third, BOOKING);
	reads_nothing(first);
	clock_advance(BANK_MS);
	reads(first, "booked for A");
	reads(first, "2 free, the last one to book was A");
	until(third, BOOKING);
	clock_advance(BANK_MS);
	reads(first, "booked for B");
	reads(first, "1 free, the last one to book was B");

	type(second, "book C\nbook D\n");
	until(third, BOOKING);
	clock_advance(BANK_MS);
	reads(second, "booked for C");
	reads(second, "sorry: sold out");
}

START_TEST(requests_of_a_client_follow_one_another)
{
	run_daemon(send_all_at_once);
}
END_TEST

/* With a booking inside, one in the queue, and a client that does nothing. */
static void
interrupt_it(void)
{
	type(first, "book Ann\n");
	until(third, BOOKING);
	type(second, "book Bob\n");
	until(third, BOOKING_AND_WRITER);
	raise(SIGINT);
	ck_assert_int_eq(event_base_dispatch(loop), 0);
	ck_assert(event_base_got_exit(loop));
}

START_TEST(the_end_calls_off_what_is_under_way)
{
	run_daemon(interrupt_it);
	ck_assert_int_eq(free_seats, 3);
}
END_TEST

static void
start_another(void)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	char name[] = "daemon", port[8];
	char *arguments[] = {name, port, NULL};
	pid_t child;
	int status;

	ck_assert_int_eq(getsockname(evconnlistener_get_fd(listener),
			     (struct sockaddr *)&address, &length),
	    0);
	snprintf(port, sizeof(port), "%d", ntohs(address.sin_port));
	fflush(NULL);
	child = fork();
	if (child == 0) {
		close(STDERR_FILENO);
		_exit(daemon_main(2, arguments));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
}

START_TEST(a_port_that_is_taken)
{
	run_daemon(start_another);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("daemon");
	TCase *tcase = tcase_create("tutorial");
	SRunner *runner = srunner_create(suite);
	int failed;

	/* Each begins with the seats of a new process. */
	srunner_set_fork_status(runner, CK_FORK);
	tcase_add_test(tcase, a_reader_waits_for_a_booking);
	tcase_add_test(tcase, a_client_that_goes_takes_its_booking_with_it);
	tcase_add_test(tcase, a_client_that_goes_leaves_the_queue);
	tcase_add_test(tcase, time_runs_out);
	tcase_add_test(tcase, requests_of_a_client_follow_one_another);
	tcase_add_test(tcase, the_end_calls_off_what_is_under_way);
	tcase_add_test(tcase, a_port_that_is_taken);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
