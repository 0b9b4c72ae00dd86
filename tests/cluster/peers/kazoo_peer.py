# SPDX-License-Identifier: MIT
"""kazoo's WriteLock and ReadLock, for bench.py and strangers.py:
kazoo_peer.py SERVERS WORK PATH NUMBER; what the works are, ../bench.c says."""
import os
import sys
import time

from kazoo.client import KazooClient


def ready():
    print("ready", flush=True)
    sys.stdin.readline()


def once(lock):
    lock.acquire()
    lock.release()


def alone(lock, count):
    """The median of the times of so many, in microseconds."""
    for _ in range(50):
        once(lock)
    ready()
    times = []
    for _ in range(count):
        begun = time.perf_counter_ns()
        once(lock)
        times.append(time.perf_counter_ns() - begun)
    print(sorted(times)[count // 2] / 1000)


def read(path):
    with open(path) as f:
        return int(f.read())


def count(lock, times):
    """Counts in a file, while it writes.  It does not read in turns with that: two
    processes that do wait for each other for ever, in kazoo 2.8 alone."""
    file = os.environ["COUNT_FILE"]
    for _ in range((times + 1) // 2):
        with lock:
            before = read(file)
            time.sleep(0.001)
            with open(file, "w") as f:
                f.write("%d\n" % (before + 1))


def main():
    servers, work, path, number = sys.argv[1:]
    client = KazooClient(hosts=servers, timeout=15)
    client.start()
    if work == "count":
        count(client.WriteLock(path), int(number))
        return client.stop()
    alone(client.WriteLock(path) if work == "write" else client.ReadLock(path),
          int(number))
    client.stop()


main()
