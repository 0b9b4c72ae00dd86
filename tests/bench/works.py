# SPDX-License-Identifier: MIT
"""What is measured, by whom, and what is to be reached."""

OURS = "libevdefer"

# Contender: the program, or the server, and how it is called in tables.
PROGRAMS = {
    OURS: "evdefer",
    "floor": "floor",
    "pthread_rwlock": "pthread",
    "event_base_once": "libevent",
    "eventfd": "eventfd",
    "tevent_queue": "tevent",
    "Eina": "eina",
    "Twisted": "twisted_peer.py",
    "tokio": "tokio",
}

KVD = "kvd"
KVD_NO_LOCK = "kvd --no-lock"
KVD_TWO = "kvd --threads=2"
REDIS = "redis-server"
SERVERS = [KVD, KVD_NO_LOCK, KVD_TWO, REDIS]


class Work:
    """One work with one number of waiters, links, or requests."""

    def __init__(self, name, n, title, contenders, unit="ns", rounds=None,
                 args=None):
        self.name = name
        self.n = n
        self.key = "%s/%d" % (name, n)
        self.title = title
        self.contenders = contenders
        self.unit = unit
        self.rounds = rounds  # None: as many as are asked for
        self.args = args      # of redis-benchmark
        self.measured_with_another = False
        if args is not None:
            self.of_processor = Work(
                name + "-processor", n, title + ": processor time", contenders)
            self.of_processor.measured_with_another = True


def count(n):
    return "{:,}".format(n)


def all_works(scale):
    """In groups that the table keeps together; scale is the million."""
    alone = [OURS, "floor", "pthread_rwlock", "tokio"]
    works = [
        Work("read-fast", 1, "uncontended read, fast", alone),
        Work("write-fast", 1, "uncontended write, fast", alone + ["Twisted"]),
        Work("owner-read", 1, "the same read, by an owner", [OURS]),
        Work("owner-write", 1, "the same write, by an owner", [OURS]),
        Work("with-reader", 1, "a read by with_reader, fast", [OURS]),
        Work("owner-with", 1, "the same read, by an owner", [OURS]),
        Work("read-loop", 1, "uncontended read, a turn of the loop each",
             [OURS, "event_base_once"]),
        Work("write-loop", 1, "uncontended write, a turn of the loop each",
             [OURS, "tevent_queue"]),
        Work("batch", 1000, "1,000 uncontended reads in a batch of the loop",
             [OURS, "event_base_once"]),
        Work("grant", 1000, "grant of 1,000 waiters in a batch of the loop",
             [OURS, "event_base_once"]),
        Work("chain", 1, "Deferred: new, add_callback, fire, free",
             [OURS, "Eina", "Twisted"]),
        Work("chain", 10, "chain of 10, for a link",
             [OURS, "Eina", "Twisted"]),
        Work("chain", scale, "chain of %s, for a link" % count(scale), [OURS]),
        Work("waits", scale, "%s Deferreds that wait for one another"
             % count(scale), [OURS]),
    ]
    works += [
        Work("group-read", 1, "uncontended read, fast, in a group", [OURS]),
        Work("two-readers", 1, "two threads that read one lock, of both",
             [OURS, "pthread_rwlock", "tokio"]),
        Work("two-locks", 1, "two threads that read a lock of their own each",
             [OURS]),
        Work("two-mixed", 1, "two threads, 1 write in 1,000 reads, of both",
             [OURS, "pthread_rwlock", "tokio"]),
        Work("group-pass", 1, "a write that passes from loop to loop",
             [OURS, "eventfd"]),
    ]
    waiting = [OURS, "tevent_queue", "tokio"]
    works += [
        Work("waiters", 10, "10 waiters, for one",
             waiting + ["Twisted", "event_base_once"]),
        Work("waiters", 1000, "1,000 waiters, for one",
             waiting + ["Twisted"]),
        Work("waiters", scale, "%s waiters, for one" % count(scale), waiting),
        Work("waiters-mixed", scale, "%s waiters, their memory in mixed order"
             % count(scale), [OURS]),
        Work("waiters-fast", 1000, "1,000 waiters, fast, for one", [OURS]),
        Work("waiters-fast", scale, "%s waiters, fast, for one"
             % count(scale), [OURS]),
        Work("waiters-owners", 1000, "1,000 owners that wait, for one",
             [OURS]),
        Work("waiters-owners", scale, "%s owners that wait, for one"
             % count(scale), [OURS]),
        Work("timeouts", 1000, "1,000 waiters with timeouts, for one",
             [OURS]),
        Work("timeouts", scale, "%s waiters with timeouts, for one"
             % count(scale), [OURS]),
        Work("cancel", 1000, "cancel of one of 1,000, at random", [OURS]),
        Work("cancel", scale, "cancel of one of %s, at random" % count(scale),
             [OURS]),
        Work("memory", scale, "memory of one of %s waiters" % count(scale),
             [OURS, "tevent_queue", "Twisted"], unit="bytes", rounds=1),
        Work("gap", scale, "longest time between two polls while %s are "
             "granted" % count(scale), [OURS, "event_base_once"], unit="us"),
    ]
    return works + kvd_works()


def kvd_works():
    """Requests and their number; each kind of sync has servers of its own."""
    works = [
        Work("kvd-get-P1", 100000, "GET, 50 clients", SERVERS, "requests/s",
             args=("never", "get", 1)),
        Work("kvd-get-P16", 400000, "GET, 50 clients, pipelines of 16",
             SERVERS, "requests/s", args=("never", "get", 16)),
        Work("kvd-set-P1", 50000, "SET, left to the system to write",
             SERVERS, "requests/s", args=("never", "set", 1)),
        Work("kvd-set-P16", 200000, "SET, pipelines of 16", SERVERS,
             "requests/s", args=("never", "set", 16)),
        Work("kvd-sync-P1", 10000, "SET, on the disk before the answer",
             SERVERS, "requests/s", args=("always", "set", 1)),
        Work("kvd-sync-P16", 100000, "the same in pipelines of 16",
             SERVERS, "requests/s", args=("always", "set", 16)),
    ]
    return works + [w.of_processor for w in works]


class Target:
    """A figure or the ratio of two, and the bound that it should keep."""

    def __init__(self, title, work, contender, bound, at_least=False,
                 to=None):
        self.title = title
        self.of = (work, contender)
        self.to = to  # (work, contender), or None for the figure itself
        self.bound = bound
        self.at_least = at_least


def all_targets(scale):
    million = count(scale)
    waiters = "waiters/%d" % scale
    read, link, two = "read-fast/1", "chain/1", "two-readers/1"
    return [
        Target("uncontended read, fast, to tokio's", read, OURS, 0.4,
               to=(read, "tokio")),
        Target("uncontended read, fast, in floors", read, OURS, 4,
               to=(read, "floor")),
        Target("the same by an owner, to that without one", "owner-read/1",
               OURS, 1.3, to=(read, OURS)),
        Target("a read by with_reader, fast, to one that is acquired",
               "with-reader/1", OURS, 1.1, to=(read, OURS)),
        Target("the same by an owner, to one that is acquired without",
               "owner-with/1", OURS, 1.6, to=(read, OURS)),
        Target("Deferred new, add_callback, fire, free, to Eina's",
               link, OURS, 1 / 20, to=(link, "Eina")),
        Target("Deferred new, add_callback, fire, free, to Twisted's",
               link, OURS, 1 / 100, to=(link, "Twisted")),
        Target("Deferred new, add_callback, fire, free, in floors",
               link, OURS, 3.7, to=(read, "floor")),
        Target("10 waiters through the loop, each, to an event_base_once",
               "waiters/10", OURS, 1, to=("waiters/10", "event_base_once")),
        Target("one of %s waiters to one of 1,000" % million,
               waiters, OURS, 2, to=("waiters/1000", OURS)),
        Target("one of %s waiters to one of tevent_queue's" % million,
               waiters, OURS, 1 / 20, to=(waiters, "tevent_queue")),
        Target("one of %s owners that wait to one of %s without"
               % (million, million), "waiters-owners/%d" % scale, OURS, 3,
               to=(waiters, OURS)),
        Target("memory of one waiter, bytes", "memory/%d" % scale, OURS, 128),
        Target("one grant through the loop, in a batch, to event_base_once",
               "grant/1000", OURS, 1 / 5, to=("grant/1000",
                                              "event_base_once")),
        Target("one of %s waiters with random timeouts to one without"
               % million, "timeouts/%d" % scale, OURS, 3.5, to=(waiters, OURS)),
        Target("cancel of one of %s to one of 1,000" % million,
               "cancel/%d" % scale, OURS, 12, to=("cancel/1000", OURS)),
        Target("uncontended read, fast, in a group, to that outside of one",
               "group-read/1", OURS, 1.1, to=(read, OURS)),
        Target("two threads that read one lock, in time of one read, to two "
               "that read a lock each", two, OURS, 1 / 0.95,
               to=("two-locks/1", OURS)),
        Target("the same, to pthread_rwlock", two, OURS, 1 / 3,
               to=(two, "pthread_rwlock")),
        Target("the same, to tokio's", two, OURS, 1 / 3, to=(two, "tokio")),
        Target("1 write in 1,000 reads, two threads, to pthread_rwlock",
               "two-mixed/1", OURS, 1 / 1.5,
               to=("two-mixed/1", "pthread_rwlock")),
        Target("a write that passes from loop to loop, to the round trip of "
               "an eventfd", "group-pass/1", OURS, 1.5,
               to=("group-pass/1", "eventfd")),
        Target("kvd GET with its lock to --no-lock", "kvd-get-P1/100000", KVD,
               0.97, True, to=("kvd-get-P1/100000", KVD_NO_LOCK)),
        Target("processor time of the same in pipelines of 16",
               "kvd-get-P16-processor/400000", KVD, 1.05,
               to=("kvd-get-P16-processor/400000", KVD_NO_LOCK)),
        Target("processor time of the same with 2 threads, to 1",
               "kvd-get-P16-processor/400000", KVD_TWO, 1.1,
               to=("kvd-get-P16-processor/400000", KVD)),
        Target("kvd GET to redis-server's", "kvd-get-P1/100000", KVD, 0.9,
               True, to=("kvd-get-P1/100000", REDIS)),
        Target("the same in pipelines of 16", "kvd-get-P16/400000", KVD, 0.9,
               True, to=("kvd-get-P16/400000", REDIS)),
        Target("kvd SET to redis-server's, pipelines of 16",
               "kvd-set-P16/200000", KVD, 0.9, True,
               to=("kvd-set-P16/200000", REDIS)),
        Target("kvd SET on the disk to redis-server's", "kvd-sync-P1/10000",
               KVD, 0.8, True, to=("kvd-sync-P1/10000", REDIS)),
        Target("the same in pipelines of 16", "kvd-sync-P16/100000", KVD, 0.9,
               True, to=("kvd-sync-P16/100000", REDIS)),
    ]
