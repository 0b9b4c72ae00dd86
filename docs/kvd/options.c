/* SPDX-License-Identifier: MIT */
/*
 * What the command line says.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

/* The record format counts in 32 bits, and half of that leaves room. */
#define MAX_BYTES ((size_t)1 << 30)
#define MAX_CLIENTS 1000000
#define MAX_LOCKS 1000000
#define MAX_THREADS 256
#define MAX_SECONDS 1e6
#define MAX_BUFFERED (SIZE_MAX / 2)
/* What the kernel takes. */
#define MAX_KEEPALIVE 32767

static const char help[] =
    "usage: kvd [OPTION]...\n"
    "A durable in-memory key-value daemon that speaks RESP2 (redis-cli).\n"
    "\n"
    "  --port=N                TCP port, 0 for any free one (6380)\n"
    "  --bind=ADDRESS          numeric address to listen on (127.0.0.1)\n"
    "  --threads=N             event loops that share the clients, each in a\n"
    "                          thread (1).  With more than one, clients that\n"
    "                          LOCK in a cycle may wait for ever: bound that\n"
    "                          with the milliseconds of LOCK, or with\n"
    "                          --lock-timeout\n"
    "  --dir=DIR               directory of kvd.journal and kvd.snapshot (.)\n"
    "  --sync=always|never     whether a write is on the disk when it is\n"
    "                          answered (always)\n"
    "  --lock-timeout=SECONDS  answer -BUSY to a request that waited so long\n"
    "                          for the lock; 0: never (0)\n"
    "  --max-value=BYTES       longest argument of a request (8388608)\n"
    "  --max-request=BYTES     longest request, and MGET reply (33554432)\n"
    "  --max-buffered=BYTES    most that is buffered for all clients; beyond\n"
    "                          it the one that has most is closed (268435456)\n"
    "  --send-timeout=SECONDS  close a client that takes no replies for so\n"
    "                          long; 0: never (60)\n"
    "  --stop-timeout=SECONDS  what a client has for its last replies when\n"
    "                          kvd stops (5)\n"
    "  --keepalive=SECONDS     ask after so long whether a silent client is\n"
    "                          still there; 0: never (60)\n"
    "  --max-clients=N         most connections at a time (10000)\n"
    "  --max-locks=N           most locks that a client may LOCK (1000)\n"
    "  --debug                 note since when and from where in the program\n"
    "                          locks are held, for DEBUG LOCKS and SIGUSR1\n"
    "  --trace=FILE            write what the locks do to a file that "
    "Perfetto\n"
    "                          (ui.perfetto.dev) and chrome://tracing open\n"
    "  --no-lock               let readers in without the lock, to see why;\n"
    "                          for one thread\n"
    "  -h, --help              show this\n";

enum {
	OPTION_PORT = 256,
	OPTION_BIND,
	OPTION_THREADS,
	OPTION_DIR,
	OPTION_SYNC,
	OPTION_LOCK_TIMEOUT,
	OPTION_MAX_VALUE,
	OPTION_MAX_REQUEST,
	OPTION_MAX_BUFFERED,
	OPTION_SEND_TIMEOUT,
	OPTION_STOP_TIMEOUT,
	OPTION_KEEPALIVE,
	OPTION_MAX_CLIENTS,
	OPTION_MAX_LOCKS,
	OPTION_DEBUG,
	OPTION_TRACE,
	OPTION_NO_LOCK,
	OPTION_HELP,
};

static const struct option long_options[] = {
    {"port", required_argument, NULL, OPTION_PORT},
    {"bind", required_argument, NULL, OPTION_BIND},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"dir", required_argument, NULL, OPTION_DIR},
    {"sync", required_argument, NULL, OPTION_SYNC},
    {"lock-timeout", required_argument, NULL, OPTION_LOCK_TIMEOUT},
    {"max-value", required_argument, NULL, OPTION_MAX_VALUE},
    {"max-request", required_argument, NULL, OPTION_MAX_REQUEST},
    {"max-buffered", required_argument, NULL, OPTION_MAX_BUFFERED},
    {"send-timeout", required_argument, NULL, OPTION_SEND_TIMEOUT},
    {"stop-timeout", required_argument, NULL, OPTION_STOP_TIMEOUT},
    {"keepalive", required_argument, NULL, OPTION_KEEPALIVE},
    {"max-clients", required_argument, NULL, OPTION_MAX_CLIENTS},
    {"max-locks", required_argument, NULL, OPTION_MAX_LOCKS},
    {"debug", no_argument, NULL, OPTION_DEBUG},
    {"trace", required_argument, NULL, OPTION_TRACE},
    {"no-lock", no_argument, NULL, OPTION_NO_LOCK},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static int
parse_number(
    const char *name, const char *text, size_t min, size_t max, size_t *number)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	/* strtoull() takes signs and white space as well. */
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    value < min || value > max) {
		report("--%s=%s: give a number from %zu to %zu", name, text,
		    min, max);
		return -1;
	}
	*number = (size_t)value;
	return 0;
}

static int
parse_seconds(const char *name, const char *text, struct timeval *duration)
{
	double seconds;
	char *end;

	seconds = strtod(text, &end);
	if (end == text || *end != '\0' ||
	    !(seconds >= 0 && seconds <= MAX_SECONDS)) {
		report("--%s=%s: give seconds, from 0 (none) to %.0f", name,
		    text, MAX_SECONDS);
		return -1;
	}
	duration->tv_sec = (time_t)seconds;
	duration->tv_usec =
	    (suseconds_t)((seconds - (double)duration->tv_sec) * 1e6);
	return 0;
}

static int
parse_sync(const char *text, bool *sync)
{
	*sync = strcmp(text, "always") == 0;
	if (*sync || strcmp(text, "never") == 0)
		return 0;
	report("--sync=%s: give always or never", text);
	return -1;
}

static int
parse_port(struct options *options, const char *text)
{
	size_t number;

	if (parse_number("port", text, 0, UINT16_MAX, &number) == -1)
		return -1;
	options->port = text;
	return 0;
}

static int
parse_one(struct options *options, int option, const char *text)
{
	switch (option) {
	case OPTION_PORT:
		return parse_port(options, text);
	case OPTION_BIND:
		options->bind = text;
		return 0;
	case OPTION_THREADS:
		return parse_number(
		    "threads", text, 1, MAX_THREADS, &options->threads);
	case OPTION_DIR:
		options->dir = text;
		return 0;
	case OPTION_SYNC:
		return parse_sync(text, &options->sync);
	case OPTION_LOCK_TIMEOUT:
		return parse_seconds(
		    "lock-timeout", text, &options->lock_timeout);
	case OPTION_MAX_VALUE:
		return parse_number(
		    "max-value", text, 1, MAX_BYTES, &options->max_value);
	case OPTION_MAX_REQUEST:
		return parse_number(
		    "max-request", text, 64, MAX_BYTES, &options->max_request);
	case OPTION_MAX_BUFFERED:
		return parse_number("max-buffered", text, 1, MAX_BUFFERED,
		    &options->max_buffered);
	case OPTION_SEND_TIMEOUT:
		return parse_seconds(
		    "send-timeout", text, &options->send_timeout);
	case OPTION_STOP_TIMEOUT:
		return parse_seconds(
		    "stop-timeout", text, &options->stop_timeout);
	case OPTION_KEEPALIVE:
		return parse_number(
		    "keepalive", text, 0, MAX_KEEPALIVE, &options->keepalive);
	case OPTION_MAX_CLIENTS:
		return parse_number(
		    "max-clients", text, 1, MAX_CLIENTS, &options->max_clients);
	case OPTION_MAX_LOCKS:
		return parse_number(
		    "max-locks", text, 0, MAX_LOCKS, &options->max_locks);
	case OPTION_DEBUG:
		options->debug = true;
		return 0;
	case OPTION_TRACE:
		options->trace = text;
		return 0;
	case OPTION_NO_LOCK:
		options->lock = false;
		return 0;
	default:
		return -1;
	}
}

static void
report_bad(const char *option, bool is_known)
{
	report("%s: %s; try --help", option,
	    is_known ? "its value is missing" : "unknown option");
}

enum options_verdict
options_parse(struct options *options, int argc, char **argv)
{
	static const struct options defaults = {
	    .bind = "127.0.0.1",
	    .port = "6380",
	    .threads = 1,
	    .dir = ".",
	    .sync = true,
	    .lock = true,
	    .max_value = 8 << 20,
	    .max_request = 32 << 20,
	    .max_buffered = 256 << 20,
	    .send_timeout = {60, 0},
	    .stop_timeout = {5, 0},
	    .keepalive = 60,
	    .max_clients = 10000,
	    .max_locks = 1000,
	};
	int option;

	*options = defaults;
	opterr = 0; /* the messages are ours */
	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) !=
	       -1) {
		if (option == OPTION_HELP || option == 'h') {
			fputs(help, stdout);
			return OPTIONS_HELP;
		}
		if (option == '?' || option == ':') {
			report_bad(argv[optind - 1], option == ':');
			return OPTIONS_BAD;
		}
		if (parse_one(options, option, optarg) == -1)
			return OPTIONS_BAD;
	}
	if (optind < argc) {
		report("%s: not an option; try --help", argv[optind]);
		return OPTIONS_BAD;
	}
	/* One loop never looks in the middle of what it changes. */
	if (!options->lock && options->threads > 1) {
		report("--no-lock: with --threads=%zu readers would crash; "
		       "leave out one of the two",
		    options->threads);
		return OPTIONS_BAD;
	}
	return OPTIONS_RUN;
}
