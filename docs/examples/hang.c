/* SPDX-License-Identifier: MIT */
/*
 * A daemon that hangs.  The tutorial finds out why, from what this prints.
 *
 * With the name of a file it also draws who waits for whom, for dot.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include <event2/event.h>
#include <evdefer.h>

static struct event_base *loop;
static struct evdefer_base *base;
static struct evrwlock *stock, *accounts;

/* The functions that acquire are not static, so that the report can name them. */
struct evresult sell(void *sale), charge(void *sale);
struct evresult refund(void *arg), put_back(void *arg);

static struct evresult
later(evdeferred_body_fn body, void *arg)
{
	const struct timeval ms = {0, 1000};

	return evresult_deferred(evdeferred_later(base, &ms, body, arg));
}

static struct evresult
done(void *what)
{
	printf("%s\n", (char *)what);
	return evresult_value(NULL);
}

static struct evresult
write_to(struct evrwlock *lock, struct evowner *owner, evdeferred_body_fn body,
    void *arg)
{
	return evresult_deferred(
	    evrwlock_with(lock, owner, EVRWLOCK_WRITE, NULL, body, arg));
}

/* A sale: takes one from the stock, asks the bank, and charges the account. */
static struct evresult
ask_bank(void *sale)
{
	return later(charge, sale);
}

struct evresult
sell(void *sale)
{
	return write_to(stock, sale, ask_bank, sale);
}

struct evresult
charge(void *sale)
{
	return write_to(accounts, sale, done, "sold");
}

/* A refund: pays back, asks the warehouse, and puts one back to the stock. */
static struct evresult
ask_warehouse(void *arg)
{
	return later(put_back, arg);
}

struct evresult
refund(void *arg)
{
	return write_to(accounts, NULL, ask_warehouse, arg);
}

struct evresult
put_back(void *arg)
{
	(void)arg;
	return write_to(stock, NULL, done, "refunded");
}

/* For the operator. */
static int
print(const char *text, size_t length, void *file)
{
	return fwrite(text, 1, length, file) == length ? 0 : -1;
}

static struct evresult
end_report(struct evresult result, void *file)
{
	if (evresult_is_failure(result))
		fputs("the report is not complete\n", stderr);
	if (file != stdout)
		fclose(file);
	return evresult_value(NULL);
}

static struct evdeferred *
report(enum evdefer_report_format format, FILE *file)
{
	struct evdeferred *d = evdefer_base_report(base, format, print, file);

	if (d == NULL || evdeferred_add_both(d, end_report, file) == -1)
		abort();
	return d;
}

static void
on_signal(evutil_socket_t number, short what, void *name)
{
	FILE *file = name != NULL ? fopen(name, "w") : NULL;

	(void)number;
	(void)what;
	evdeferred_detach(report(EVDEFER_REPORT_TEXT, stdout));
	if (file != NULL)
		evdeferred_detach(report(EVDEFER_REPORT_GRAPH, file));
}

static void
on_second(evutil_socket_t number, short what, void *seconds)
{
	(void)number;
	(void)what;
	/* In the first one the operator gets impatient. */
	if (++*(int *)seconds == 1)
		raise(SIGUSR1);
	else
		event_base_loopbreak(loop);
}

int
main(int argc, char **argv)
{
	const struct timeval second = {1, 0};
	struct evdeferred *requests[3];
	struct evowner *sales[2];
	struct event *usr1, *clock;
	int i, seconds = 0;

	loop = event_base_new();
	base = evdefer_base_new(loop);
	evdefer_base_set_debug(base, true);
	stock = evrwlock_new(base, 0);
	accounts = evrwlock_new(base, 0);
	sales[0] = evowner_new(base, "sale 1");
	sales[1] = evowner_new(base, "sale 2");
	if (sales[1] == NULL || evrwlock_set_name(stock, "stock") == -1 ||
	    evrwlock_set_name(accounts, "accounts") == -1)
		return 1;
	usr1 =
	    evsignal_new(loop, SIGUSR1, on_signal, argc > 1 ? argv[1] : NULL);
	clock = event_new(loop, -1, EV_PERSIST, on_second, &seconds);
	event_add(usr1, NULL);
	event_add(clock, &second);

	requests[0] = evdeferred_maybe(base, sell, sales[0]);
	requests[1] = evdeferred_maybe(base, refund, NULL);
	requests[2] = evdeferred_maybe(base, sell, sales[1]);
	event_base_dispatch(loop);

	for (i = 0; i < 3; i++)
		evdeferred_free(requests[i]);
	evowner_free(sales[0]);
	evowner_free(sales[1]);
	event_free(clock);
	event_free(usr1);
	evrwlock_free(stock);
	evrwlock_free(accounts);
	evdefer_base_free(base);
	event_base_free(loop);
	return 0;
}
