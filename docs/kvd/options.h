/* SPDX-License-Identifier: MIT */
/*
 * What the command line says.
 */
#ifndef KVD_OPTIONS_H
#define KVD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/time.h>

struct options {
	const char *bind;  /* numeric address to listen on */
	const char *port;  /* "0" stands for any free one */
	size_t threads;	   /* each with a loop */
	const char *dir;   /* where the journal and the snapshot are */
	bool sync;	   /* fdatasync before a write is answered */
	const char *trace; /* file of what the locks do; NULL: none */
	bool lock;	   /* false: show what locks are for */
	bool debug;	   /* since when and from where they are held */
	struct timeval lock_timeout; /* 0: wait for ever */
	size_t max_value;	     /* bytes of one argument */
	size_t max_request;	     /* bytes of one request, and of a reply */
	size_t max_buffered; /* bytes of what is buffered for all clients */
	size_t max_clients;
	size_t max_locks;	     /* named ones, of a client */
	struct timeval send_timeout; /* for taking some of the replies; 0: none
				      */
	struct timeval stop_timeout; /* for taking the last ones at the end */
	size_t keepalive;	     /* seconds; 0: none */
};

enum options_verdict {
	OPTIONS_RUN,
	OPTIONS_HELP, /* was asked for and given: exit with 0 */
	OPTIONS_BAD,  /* the reason was reported: exit with 2 */
};

enum options_verdict options_parse(
    struct options *options, int argc, char **argv);

#endif
