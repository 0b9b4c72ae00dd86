/* SPDX-License-Identifier: MIT */
/*
 * The addresses of a list of servers.  The client library would ask for them by
 * getaddrinfo(), and the loop would wait; evdns does not.
 */
#ifndef EVDEFER_CLUSTER_RESOLVE_INTERNAL_H
#define EVDEFER_CLUSTER_RESOLVE_INTERNAL_H

struct event_base;
struct evresolver;

/* What it has found: "10.0.0.1:2181,[::1]:2181", valid during the call; NULL if none of
 * the names is known, with a sentence, or with the error ENOMEM. */
typedef void (*evresolver_fn)(
    void *arg, const char *addresses, int error, const char *sentence);

/* 0, or -1 with EINVAL: not "host:port,host:port,...". */
int evresolver_check_(const char *servers);

/* For one list.  NULL with ENOMEM. */
struct evresolver *evresolver_new_(
    struct event_base *event_base, const char *servers);

/* Calls fn, once, from the loop.  0, or -1 with ENOMEM. */
int evresolver_start_(struct evresolver *resolver, evresolver_fn fn, void *arg);

/* Nothing is called any more. */
void evresolver_free_(struct evresolver *resolver);

#endif
