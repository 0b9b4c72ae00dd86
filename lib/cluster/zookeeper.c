/* SPDX-License-Identifier: MIT */
/*
 * The wire of libzookeeper_st, the client of ZooKeeper without threads.
 *
 * The client says which socket it wants to be told about, and until when, and is told.  That
 * socket changes, and its number is used again by another one: so its event is taken out
 * before each call that may close it, and put back after.
 *
 * zookeeper_close() would wait for a server that hangs: the socket is shut down before.
 * It must not be called from one of the client's own calls either.
 *
 * The client has states of its own, which its calls bring in any order with the answers.
 * The handler hears of them when all of these are through.
 */
#include "cluster-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/util.h>

#include <sys/socket.h>
#include <zookeeper/zookeeper.h>

#include <evdefer/base.h>

#include "../refuse-internal.h"
#include "names-internal.h"

/* What was told, and the handler has not heard of. */
enum news { NO_NEWS, CONNECTED, SUSPENDED, EXPIRED, REFUSED };

struct zookeeper {
	struct evwire wire;
	struct evwire_setting setting;
	zhandle_t *handle;
	struct event *socket; /* the one that the client wants to hear of */
	struct event *again;  /* the client is to be asked what it wants */
	evutil_socket_t fd;   /* -1 while it is not known */
	unsigned inside;      /* calls of the client */
	bool closed;
	bool connected;
	bool dropping; /* as soon as the socket is known again */
	enum news news;
	char why[128];
};

/* Until it connects to the next server, when one has refused at once. */
#define RETRY_US 20000

/* One request. */
struct pending {
	struct zookeeper *zookeeper;
	struct evwire_request *request;
	zoo_op_result_t results[3];
	struct Stat stat;
	char created[EVNAMES_PATH];
};

static struct zookeeper *
zookeeper_of(struct evwire *wire)
{
	return (struct zookeeper *)(void *)wire;
}

/*
 * Answers.
 */

static enum evwire_error
error_of(int code)
{
	switch (code) {
	case ZOK:
		return EVWIRE_OK;
	case ZCONNECTIONLOSS:
	case ZOPERATIONTIMEOUT:
	case ZSESSIONMOVED:
		return EVWIRE_LOST;
	case ZSESSIONEXPIRED:
	case ZINVALIDSTATE:
	case ZCLOSING:
	case ZAUTHFAILED:
		return EVWIRE_EXPIRED;
	case ZNONODE:
		return EVWIRE_NO_NODE;
	case ZNODEEXISTS:
		return EVWIRE_EXISTS;
	case ZNOTEMPTY:
		return EVWIRE_NOT_EMPTY;
	case ZNOAUTH:
	case ZINVALIDACL:
		return EVWIRE_NO_AUTH;
	case ZMARSHALLINGERROR:
		return EVWIRE_BAD;
	default:
		return EVWIRE_OTHER;
	}
}

static void
give(const void *data, int code, struct evwire_answer *answer)
{
	struct pending *pending = (struct pending *)data;

	answer->error = error_of(code);
	answer->sentence = zerror(code);
	if (!pending->zookeeper->closed)
		pending->request->answered(pending->request, answer);
	free(pending);
}

static void
take_stat(struct evwire_answer *answer, const struct Stat *stat)
{
	if (stat == NULL)
		return;
	answer->zxid = (uint64_t)stat->czxid;
	answer->created_ms = stat->ctime;
}

static void
answer_plain(int code, const void *data)
{
	struct evwire_answer answer = {.error = EVWIRE_OK};

	give(data, code, &answer);
}

static void
answer_string(int code, const char *value, const void *data)
{
	(void)value;
	answer_plain(code, data);
}

static void
answer_stat(int code, const struct Stat *stat, const void *data)
{
	struct evwire_answer answer = {.error = EVWIRE_OK};

	take_stat(&answer, stat);
	give(data, code, &answer);
}

static void
answer_data(int code, const char *value, int length, const struct Stat *stat,
    const void *data)
{
	struct evwire_answer answer = {.data = value};

	answer.length = length > 0 ? (size_t)length : 0;
	take_stat(&answer, stat);
	give(data, code, &answer);
}

static void
answer_names(int code, const struct String_vector *names, const void *data)
{
	struct evwire_answer answer = {.error = EVWIRE_OK};

	if (names != NULL && names->count > 0) {
		answer.names = (const char *const *)names->data;
		answer.count = (size_t)names->count;
	}
	give(data, code, &answer);
}

/* What was created, and the number of the change. */
static void
answer_change(int code, const void *data)
{
	const struct pending *pending = data;
	struct evwire_answer answer = {
	    .created = pending->created, .zxid = (uint64_t)pending->stat.mzxid};

	give(data, code, &answer);
}

/*
 * The client and the loop.
 */

static void
watcher(zhandle_t *handle, int type, int state, const char *path, void *context)
{
	struct zookeeper *zookeeper = context;

	(void)handle;
	if (zookeeper->closed)
		return;
	if (type != ZOO_SESSION_EVENT) {
		zookeeper->setting.handler->changed(
		    zookeeper->setting.arg, path);
		return;
	}
	if (state == ZOO_CONNECTED_STATE)
		zookeeper->news = CONNECTED;
	else if (state == ZOO_EXPIRED_SESSION_STATE)
		zookeeper->news = EXPIRED;
	else if (state == ZOO_AUTH_FAILED_STATE)
		zookeeper->news = REFUSED;
	else
		zookeeper->news = SUSPENDED;
	zookeeper->connected = false;
}

/* Where it is connected, it would wait for the server to hear of it. */
static void
close_handle(zhandle_t *handle)
{
	struct timeval timeout;
	int fd = -1, interest;

	if (zoo_state(handle) == ZOO_CONNECTED_STATE &&
	    zookeeper_interest(handle, &fd, &interest, &timeout) == ZOK)
		shutdown(fd, SHUT_RDWR);
	zookeeper_close(handle);
}

static void
destroy(struct zookeeper *zookeeper)
{
	if (zookeeper->handle != NULL)
		close_handle(zookeeper->handle);
	if (zookeeper->socket != NULL)
		event_free(zookeeper->socket);
	if (zookeeper->again != NULL)
		event_free(zookeeper->again);
	free(zookeeper);
}

static void
tell_connected(struct zookeeper *zookeeper)
{
	const struct evwire_setting *setting = &zookeeper->setting;
	const char *server = zoo_get_current_server(zookeeper->handle);

	zookeeper->connected = true;
	strcpy(zookeeper->why, "it has closed the connection");
	setting->handler->connected(setting->arg,
	    server != NULL ? server : "a server",
	    (uint64_t)zoo_client_id(zookeeper->handle)->client_id,
	    zoo_recv_timeout(zookeeper->handle));
}

static void
tell_news(struct zookeeper *zookeeper)
{
	const struct evwire_setting *setting = &zookeeper->setting;
	const enum news news = zookeeper->news;

	zookeeper->news = NO_NEWS;
	if (news == CONNECTED)
		tell_connected(zookeeper);
	else if (news == SUSPENDED)
		setting->handler->suspended(setting->arg, zookeeper->why);
	else if (news == EXPIRED)
		setting->handler->expired(setting->arg);
	else if (news == REFUSED)
		setting->handler->refused(setting->arg);
}

static void
put_back(struct zookeeper *zookeeper, int fd, int interest,
    const struct timeval *timeout)
{
	/* Once: libevent would add a lasting one again by itself, before its call, and the
	 * socket may be closed by then. */
	short what = 0;

	if (interest & ZOOKEEPER_READ)
		what |= EV_READ;
	if (interest & ZOOKEEPER_WRITE)
		what |= EV_WRITE;
	zookeeper->fd = fd;
	if (zookeeper->dropping && fd != -1)
		shutdown(fd, SHUT_RDWR);
	zookeeper->dropping = false;
	if (fd == -1)
		what = EV_TIMEOUT;
	if (event_assign(zookeeper->socket, event_get_base(zookeeper->again),
		fd, what, event_get_callback(zookeeper->socket),
		zookeeper) == 0)
		event_add(zookeeper->socket, timeout);
}

/* No less than a millisecond: a client that is late already must not spin. */
static void
ask_client(struct zookeeper *zookeeper)
{
	struct timeval timeout = {0, 0};
	int fd = -1, interest = 0;

	event_del(zookeeper->socket);
	/* Where it fails it may have closed the socket that it names. */
	if (zookeeper_interest(zookeeper->handle, &fd, &interest, &timeout) !=
	    ZOK) {
		fd = -1;
		if (timeout.tv_sec == 0)
			timeout.tv_usec = RETRY_US;
	}
	if (timeout.tv_sec == 0 && timeout.tv_usec < 1000)
		timeout.tv_usec = 1000;
	put_back(zookeeper, fd, interest, &timeout);
}

/* Calls the client with what has happened. */
static void
process(struct zookeeper *zookeeper, int events)
{
	zookeeper->inside++;
	event_del(zookeeper->socket);
	/* It may be closed in there, and its number be somebody else's. */
	zookeeper->fd = -1;
	zookeeper_process(zookeeper->handle, events);
	while (zookeeper->news != NO_NEWS && !zookeeper->closed)
		tell_news(zookeeper);
	zookeeper->inside--;
	if (zookeeper->closed)
		destroy(zookeeper);
	else
		ask_client(zookeeper);
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	int events = 0;

	(void)fd;
	if (what & EV_READ)
		events |= ZOOKEEPER_READ;
	if (what & EV_WRITE)
		events |= ZOOKEEPER_WRITE;
	process(arg, events);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ask_client(arg);
}

static void
ask_client_soon(struct zookeeper *zookeeper)
{
	if (zookeeper->inside == 0)
		event_active(zookeeper->again, EV_TIMEOUT, 1);
}

/*
 * Requests.
 */

/* NULL with errno. */
static struct pending *
new_pending(struct evwire *wire, struct evwire_request *request)
{
	struct zookeeper *zookeeper = zookeeper_of(wire);
	struct pending *pending;

	if (zookeeper->closed || !zookeeper->connected ||
	    zookeeper->news != NO_NEWS)
		return evdefer_refuse_new_(ENOTCONN);
	pending = calloc(1, sizeof(*pending));
	if (pending == NULL)
		return evdefer_refuse_new_(ENOMEM);
	pending->zookeeper = zookeeper;
	pending->request = request;
	return pending;
}

static int
sent(struct pending *pending, int code)
{
	if (code == ZOK) {
		ask_client_soon(pending->zookeeper);
		return 0;
	}
	free(pending);
	return evdefer_refuse_(code == ZSYSTEMERROR    ? ENOMEM
			       : code == ZINVALIDSTATE ? ENOTCONN
			       : code == ZBADARGUMENTS ? EINVAL
						       : EIO);
}

static zhandle_t *
handle_of(const struct pending *pending)
{
	return pending->zookeeper->handle;
}

static const struct ACL_vector *
acl_of(const struct pending *pending)
{
	return pending->zookeeper->setting.creator_only ? &ZOO_CREATOR_ALL_ACL
							: &ZOO_OPEN_ACL_UNSAFE;
}

static int
send_sync(struct evwire *wire, struct evwire_request *request)
{
	struct pending *pending = new_pending(wire, request);

	if (pending == NULL)
		return -1;
	return sent(pending,
	    zoo_async(handle_of(pending), "/", answer_string, pending));
}

static int
send_list(struct evwire *wire, const char *path, struct evwire_request *request)
{
	struct pending *pending = new_pending(wire, request);

	if (pending == NULL)
		return -1;
	return sent(pending, zoo_aget_children(handle_of(pending), path, 0,
				 answer_names, pending));
}

static int
send_exists(struct evwire *wire, const char *path, bool watch,
    struct evwire_request *request)
{
	struct pending *pending = new_pending(wire, request);

	if (pending == NULL)
		return -1;
	return sent(pending,
	    zoo_aexists(handle_of(pending), path, watch, answer_stat, pending));
}

static int
send_get(struct evwire *wire, const char *path, bool watch,
    struct evwire_request *request)
{
	struct pending *pending = new_pending(wire, request);

	if (pending == NULL)
		return -1;
	return sent(pending,
	    zoo_aget(handle_of(pending), path, watch, answer_data, pending));
}

static int
send_create(struct evwire *wire, const char *path, enum evwire_kind kind,
    const char *data, struct evwire_request *request)
{
	const int modes[] = {[EVWIRE_PERSISTENT] = ZOO_PERSISTENT,
	    [EVWIRE_CONTAINER] = ZOO_CONTAINER,
	    [EVWIRE_EPHEMERAL] = ZOO_EPHEMERAL};
	struct pending *pending = new_pending(wire, request);

	if (pending == NULL)
		return -1;
	return sent(pending,
	    zoo_acreate(handle_of(pending), path, data, (int)strlen(data),
		acl_of(pending), modes[kind], answer_string, pending));
}

static int
send_line_up(struct evwire *wire, const struct evwire_line_up *line_up,
    struct evwire_request *request)
{
	struct pending *pending = new_pending(wire, request);
	zoo_op_t ops[3];
	int count = 0;

	if (pending == NULL)
		return -1;
	if (line_up->left != NULL)
		zoo_delete_op_init(&ops[count++], line_up->left, -1);
	zoo_create_op_init(&ops[count++], line_up->path, line_up->data,
	    (int)strlen(line_up->data), acl_of(pending),
	    line_up->numbered ? ZOO_EPHEMERAL_SEQUENTIAL : ZOO_EPHEMERAL,
	    pending->created, sizeof(pending->created));
	zoo_set_op_init(
	    &ops[count++], line_up->touched, "", 0, -1, &pending->stat);
	return sent(pending, zoo_amulti(handle_of(pending), count, ops,
				 pending->results, answer_change, pending));
}

static int
send_remove(
    struct evwire *wire, const char *path, struct evwire_request *request)
{
	struct pending *pending = new_pending(wire, request);

	if (pending == NULL)
		return -1;
	return sent(pending,
	    zoo_adelete(handle_of(pending), path, -1, answer_plain, pending));
}

static int
authenticate(struct evwire *wire, const char *scheme, const char *credentials)
{
	const int code = zoo_add_auth(zookeeper_of(wire)->handle, scheme,
	    credentials, (int)strlen(credentials), NULL, NULL);

	return code == ZOK ? 0 : evdefer_refuse_(ENOMEM);
}

static void
drop(struct evwire *wire, const char *why)
{
	struct zookeeper *zookeeper = zookeeper_of(wire);

	snprintf(zookeeper->why, sizeof(zookeeper->why), "%s", why);
	if (zookeeper->fd != -1)
		shutdown(zookeeper->fd, SHUT_RDWR);
	else
		zookeeper->dropping = true;
}

static void
close_wire(struct evwire *wire)
{
	struct zookeeper *zookeeper = zookeeper_of(wire);

	zookeeper->closed = true;
	if (zookeeper->inside == 0)
		destroy(zookeeper);
}

static const struct evwire_type zookeeper_type = {.sync = send_sync,
    .list = send_list,
    .exists = send_exists,
    .get = send_get,
    .create = send_create,
    .line_up = send_line_up,
    .remove = send_remove,
    .authenticate = authenticate,
    .drop = drop,
    .close = close_wire};

/*
 * Making.
 */

/* What the client has to say in its log is nothing that the answers do not. */
static void
be_silent(const char *message)
{
	(void)message;
}

static zhandle_t *
open_handle(struct zookeeper *zookeeper)
{
	zhandle_t *handle = zookeeper_init2(zookeeper->setting.servers, watcher,
	    zookeeper->setting.timeout_ms, NULL, zookeeper,
	    ZOO_NO_LOG_CLIENTENV, be_silent);

	/* Only addresses were given. */
	if (handle != NULL)
		zoo_set_servers_resolution_delay(handle, -1);
	return handle;
}

struct evwire *
evwire_open_zookeeper_(const struct evwire_setting *setting)
{
	struct event_base *event_base =
	    evdefer_base_get_event_base(setting->base);
	struct zookeeper *zookeeper = calloc(1, sizeof(*zookeeper));

	if (zookeeper == NULL)
		return evdefer_refuse_new_(ENOMEM);
	zookeeper->wire.type = &zookeeper_type;
	zookeeper->setting = *setting;
	zookeeper->fd = -1;
	strcpy(zookeeper->why, "it does not answer");
	zookeeper->socket =
	    event_new(event_base, -1, EV_TIMEOUT, on_socket, zookeeper);
	zookeeper->again = event_new(event_base, -1, 0, on_again, zookeeper);
	if (zookeeper->socket != NULL && zookeeper->again != NULL)
		zookeeper->handle = open_handle(zookeeper);
	if (zookeeper->handle == NULL) {
		destroy(zookeeper);
		return evdefer_refuse_new_(ENOMEM);
	}
	zookeeper->setting.servers = NULL;
	event_active(zookeeper->again, EV_TIMEOUT, 1);
	return &zookeeper->wire;
}

struct evcluster *
evcluster_new(struct evdefer_base *base, const char *servers,
    const struct evcluster_options *options)
{
	return evcluster_new_on_(
	    base, servers, options, evwire_open_zookeeper_);
}
