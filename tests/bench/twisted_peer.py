#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Twisted's Deferred and DeferredLock, as the contenders in C: WORK N.

DeferredLock has no readers: each is alone inside.
"""
import ctypes
import sys
import time

from twisted.internet.defer import Deferred, DeferredLock

# As in bench.c, in seconds.
SLICE = 0.008
TOTAL = 0.150
MAX_SLICES = 15


def measure(fn, operations):
    count, taken = 1, fn(1)
    while True:
        while taken < SLICE:
            count *= 2
            taken = fn(count)
        taken = fn(count)
        if taken >= SLICE / 2:
            break
    slices = [taken]
    while count > 1 and len(slices) < MAX_SLICES and sum(slices) < TOTAL:
        slices.append(fn(count))
    return sorted(slices)[len(slices) // 2] / count / operations * 1e9


def pass_on(value):
    return value


def chain(n):
    def chains(count):
        begun = time.process_time()
        for _ in range(count):
            d = Deferred()
            for _ in range(n):
                d.addCallback(pass_on)
            d.callback(None)
        return time.process_time() - begun
    return measure(chains, n)


def release(lock):
    lock.release()


def write_fast(n):
    lock = DeferredLock()

    def writers(count):
        begun = time.process_time()
        for _ in range(count):
            lock.acquire().addCallback(release)
        return time.process_time() - begun
    return measure(writers, n)


def waiters(n):
    lock = DeferredLock()

    def round_trips(count):
        begun = time.process_time()
        for _ in range(count):
            lock.acquire()
            for _ in range(n):
                lock.acquire().addCallback(pass_on)
            # Not from inside the callbacks: that would recurse n times.
            for _ in range(n + 1):
                lock.release()
        return time.process_time() - begun
    return measure(round_trips, n)


def memory(n):
    """Under libcount.so, with PYTHONMALLOC=malloc."""
    allocated = ctypes.CDLL(None).count_allocated
    allocated.restype = ctypes.c_size_t
    lock = DeferredLock()
    lock.acquire()
    before = allocated()
    for _ in range(n):
        lock.acquire().addCallback(pass_on)
    return (allocated() - before) / n


WORKS = {
    "chain": chain,
    "write-fast": write_fast,
    "waiters": waiters,
    "memory": memory,
}

print("%.3f" % WORKS[sys.argv[1]](int(sys.argv[2])))
