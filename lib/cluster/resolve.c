/* SPDX-License-Identifier: MIT */
#include "resolve-internal.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>

#include <sys/socket.h>

#include "../refuse-internal.h"

#define DEFAULT_PORT "2181"

/* As DNS has it. */
#define HOST_SIZE 256
#define PORT_SIZE 6

/* An address as text, with brackets and port. */
#define ADDRESS_SIZE 80

/* One search for all names.  It is its own as long as any of them is under way. */
struct search {
	struct evresolver *resolver; /* NULL: nobody is interested any more */
	size_t left;
	char *addresses;
	size_t length;
	bool no_memory;
	char failure[HOST_SIZE + 128]; /* the last */
};

struct evresolver {
	struct event_base *event_base;
	struct evdns_base *dns; /* NULL until it is needed */
	struct event *done;
	struct search *search;
	evresolver_fn fn;
	void *arg;
	char servers[];
};

/*
 * The list.
 */

struct server {
	char host[HOST_SIZE];
	char port[PORT_SIZE];
};

static bool
is_port(const char *port)
{
	const size_t length = strlen(port);
	char *end;
	const long number = strtol(port, &end, 10);

	return length > 0 && length < PORT_SIZE && *end == '\0' &&
	       isdigit((unsigned char)port[0]) && number > 0 && number < 65536;
}

/* Where the port begins, after its colon; NULL if there is none. */
static char *
find_port(char *server, size_t *host_length)
{
	char *colon;

	if (server[0] == '[') {
		char *end = strchr(server, ']');

		if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
			*host_length = 0;
			return NULL;
		}
		*host_length = (size_t)(end - server) - 1;
		return end[1] == ':' ? end + 2 : NULL;
	}
	colon = strchr(server, ':');
	*host_length =
	    colon != NULL ? (size_t)(colon - server) : strlen(server);
	return colon != NULL ? colon + 1 : NULL;
}

/* "host", "host:port", "[address]:port". */
static bool
read_server(char *text, struct server *server)
{
	const char *host = text[0] == '[' ? text + 1 : text;
	size_t length;
	const char *port = find_port(text, &length);

	if (length == 0 || length >= HOST_SIZE ||
	    strcspn(host, " \t/,") < length || (port != NULL && !is_port(port)))
		return false;
	memcpy(server->host, host, length);
	server->host[length] = '\0';
	strcpy(server->port, port != NULL ? port : DEFAULT_PORT);
	return true;
}

/* Takes the next server off the list.  False at its end; what can't be read has no
 * host. */
static bool
next_server(const char **list, struct server *server)
{
	char text[HOST_SIZE + PORT_SIZE + 4];
	const size_t length = strcspn(*list, ",");

	if (**list == '\0')
		return false;
	server->host[0] = '\0';
	if (length < sizeof(text)) {
		memcpy(text, *list, length);
		text[length] = '\0';
		if (!read_server(text, server))
			server->host[0] = '\0';
	}
	*list += length;
	/* A comma at the end has an empty server behind it. */
	if (**list == ',')
		*list += (*list)[1] != '\0' ? 1 : 0;
	return true;
}

int
evresolver_check_(const char *servers)
{
	struct server server;
	size_t length;

	if (servers == NULL || servers[0] == '\0')
		return evdefer_refuse_(EINVAL);
	length = strlen(servers);
	if (servers[length - 1] == ',')
		return evdefer_refuse_(EINVAL);
	while (next_server(&servers, &server)) {
		if (server.host[0] == '\0')
			return evdefer_refuse_(EINVAL);
	}
	return 0;
}

/*
 * The search.
 */

static void
free_search(struct search *search)
{
	free(search->addresses);
	free(search);
}

static void
add_address(struct search *search, const char *address)
{
	const size_t length = strlen(address);
	char *longer = realloc(search->addresses, search->length + length + 2);

	if (longer == NULL) {
		search->no_memory = true;
		return;
	}
	search->addresses = longer;
	if (search->length > 0)
		longer[search->length++] = ',';
	memcpy(longer + search->length, address, length + 1);
	search->length += length;
}

static void
write_address(char *text, size_t size, const char *host, const char *port)
{
	snprintf(text, size, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s",
	    host, port);
}

static void
add_found(struct search *search, const struct evutil_addrinfo *found)
{
	char host[64], port[PORT_SIZE + 2], address[ADDRESS_SIZE];

	for (; found != NULL; found = found->ai_next) {
		if (getnameinfo(found->ai_addr, found->ai_addrlen, host,
			sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
			continue;
		write_address(address, sizeof(address), host, port);
		add_address(search, address);
	}
}

static void
count_down(struct search *search)
{
	if (--search->left > 0)
		return;
	if (search->resolver == NULL)
		free_search(search);
	else
		event_active(search->resolver->done, EV_TIMEOUT, 1);
}

static void
found_server(int error, struct evutil_addrinfo *found, void *arg)
{
	struct search *search = arg;

	if (error == 0)
		add_found(search, found);
	else if (error != EVUTIL_EAI_CANCEL)
		snprintf(search->failure, sizeof(search->failure), "%s",
		    evutil_gai_strerror(error));
	if (error == EVUTIL_EAI_MEMORY)
		search->no_memory = true;
	if (found != NULL)
		evutil_freeaddrinfo(found);
	count_down(search);
}

/* Names of /etc/hosts are known also where there is no server to ask. */
static struct evdns_base *
open_dns(struct event_base *event_base)
{
	struct evdns_base *dns =
	    evdns_base_new(event_base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);

	if (dns == NULL)
		return NULL;
	if (evdns_base_resolv_conf_parse(
		dns, DNS_OPTIONS_ALL, "/etc/resolv.conf") != 0)
		evdns_base_load_hosts(dns, "/etc/hosts");
	return dns;
}

/* An address is one without a question, and without memory. */
static bool
add_numeric(struct search *search, const struct server *server)
{
	char text[HOST_SIZE + PORT_SIZE + 4];
	struct sockaddr_storage address;
	int size = sizeof(address);

	write_address(text, sizeof(text), server->host, server->port);
	if (evutil_parse_sockaddr_port(
		text, (struct sockaddr *)&address, &size) != 0)
		return false;
	add_address(search, text);
	return true;
}

static void
look_up(struct evresolver *resolver, struct search *search,
    const struct server *server)
{
	const struct evutil_addrinfo hints = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

	if (add_numeric(search, server))
		return;
	if (resolver->dns == NULL)
		resolver->dns = open_dns(resolver->event_base);
	if (resolver->dns == NULL) {
		search->no_memory = true;
		return;
	}
	search->left++;
	evdns_getaddrinfo(resolver->dns, server->host, server->port, &hints,
	    found_server, search);
}

static void
tell(evutil_socket_t fd, short what, void *arg)
{
	struct evresolver *resolver = arg;
	struct search *search = resolver->search;
	char sentence[sizeof(search->failure) + 256];

	(void)fd;
	(void)what;
	resolver->search = NULL;
	snprintf(sentence, sizeof(sentence),
	    "none of the servers has an address that is known (%.160s): %.300s",
	    resolver->servers, search->failure);
	if (search->addresses != NULL)
		resolver->fn(resolver->arg, search->addresses, 0, "");
	else
		resolver->fn(resolver->arg, NULL,
		    search->no_memory ? ENOMEM : ENOENT,
		    search->no_memory ? strerror(ENOMEM) : sentence);
	/* The resolver may be gone. */
	free_search(search);
}

int
evresolver_start_(struct evresolver *resolver, evresolver_fn fn, void *arg)
{
	struct search *search = calloc(1, sizeof(*search));
	const char *list = resolver->servers;
	struct server server;

	if (search == NULL)
		return evdefer_refuse_(ENOMEM);
	resolver->search = search;
	resolver->fn = fn;
	resolver->arg = arg;
	search->resolver = resolver;
	/* Answers may come at once. */
	search->left = 1;
	while (next_server(&list, &server))
		look_up(resolver, search, &server);
	count_down(search);
	return 0;
}

struct evresolver *
evresolver_new_(struct event_base *event_base, const char *servers)
{
	const size_t size = strlen(servers) + 1;
	struct evresolver *resolver = calloc(1, sizeof(*resolver) + size);

	if (resolver == NULL)
		return evdefer_refuse_new_(ENOMEM);
	memcpy(resolver->servers, servers, size);
	resolver->event_base = event_base;
	resolver->done = event_new(event_base, -1, 0, tell, resolver);
	if (resolver->done == NULL) {
		free(resolver);
		return evdefer_refuse_new_(ENOMEM);
	}
	return resolver;
}

void
evresolver_free_(struct evresolver *resolver)
{
	struct search *search = resolver->search;

	event_free(resolver->done);
	if (search != NULL) {
		search->resolver = NULL;
		if (search->left == 0)
			free_search(search);
	}
	/* What is under way is answered: that frees the search. */
	if (resolver->dns != NULL)
		evdns_base_free(resolver->dns, 1);
	free(resolver);
}
