#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs programs on Deferreds, one a line of the input, with the real Twisted,
and prints the trace of each in one line.  replay.c does the same with libevdefer;
'run' compares.  The language of the programs is described in README.

Where the library differs from Twisted on purpose, the differences are taken
out here and nowhere else: see "Deliberate differences" below."""
import gc
import sys

from twisted.internet.defer import AlreadyCalledError, CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.defer import fail, succeed
from twisted.internet.task import Clock
from twisted.python import log
from twisted.python.failure import Failure

UNIT = 1000.0
reported = []


class Error(Exception):
    pass


def observe(event):
    if event.get("isError") and "failure" in event:
        reported.append(event["failure"])


def text(result):
    if result is None:
        return "none"
    if not isinstance(result, Failure):
        return "v%d" % result
    if result.check(CancelledError):
        return "cancelled"
    if result.check(TimedOut):
        return "timedout"
    return "f%d" % result.value.args[0]


class Subject:
    """A Deferred and what the program may know about it."""

    def __init__(self, index, canceller):
        self.index = index
        self.canceller = canceller
        self.deferred = None
        self.given = False  # returned by a link, or fired into another one
        self.started = False  # its first link ran
        self.fired = False  # by a step
        self.late = False  # cancelled, one result may come
        self.target = False  # of a chain, ever
        self.chained = False  # to one that has not got so far
        self.running = 0
        self.pauses = 0

    def is_usable(self):
        """Its consumer's, or surely not through."""
        return not self.given or not self.started or self.pauses > 0


class Program:
    def __init__(self):
        self.clock = Clock()
        self.trace = []
        self.subjects = []
        self.serial = 0

    def put(self, *words):
        self.trace.append(" ".join(str(w) for w in words))

    def get(self, word):
        index = int(word)
        if index < len(self.subjects):
            return self.subjects[index]
        return None

    def make_result(self, kind, serial):
        if kind == "v":
            return serial
        return Failure(Error(serial))

    # Each step is a list of words.  The number of a step, which names its
    # link and its results, is its place in the text of the program.

    def run(self, step, serial):
        getattr(self, "do_" + step[0])(serial, *step[1:])

    # Links.

    def start(self, result, s):
        """The first link of each Deferred."""
        s.started = True
        if (text(result) == "cancelled" and not s.fired and not s.target
                and s.canceller == "none"):
            s.late = True
        self.put("S%d" % s.index, text(result))
        return result

    def link(self, result, s, serial, outcome, action):
        self.put("L%d" % serial, text(result))
        s.running += 1
        if action:
            self.run(action, serial + 1)
        s.running -= 1
        if outcome == "=":
            return result
        if outcome in "vf":
            return self.make_result(outcome, serial)
        other = self.get(outcome[1:])
        if not self.may_give(other, s):
            self.put("kept")
            return serial
        other.given = True
        return other.deferred

    def may_give(self, other, s):
        return (other is not None and not other.given and not other.running
                and other.index > s.index)

    # Steps.

    def create(self, canceller, deferred):
        s = Subject(len(self.subjects), canceller)
        s.deferred = deferred
        self.subjects.append(s)
        s.deferred.addBoth(self.start, s)

    def do_new(self, serial, canceller):
        index = len(self.subjects)

        def cancel(d):
            self.put("C%d" % index)
            if canceller == "value":
                d.callback(serial)
            elif canceller == "failure":
                d.errback(Error(serial))

        self.create(canceller,
                    Deferred(None if canceller == "none" else cancel))

    def do_fired(self, serial, kind):
        if kind == "v":
            self.create("fired", succeed(serial))
        else:
            self.create("fired", fail(Error(serial)))

    def do_add(self, serial, d, kind, outcome, *action):
        s = self.get(d)
        if s is None or s.given:
            self.put("skip")
            return
        args = (s, serial, outcome, action)
        if kind == "c":
            s.deferred.addCallback(self.link, *args)
        elif kind == "e":
            s.deferred.addErrback(self.link, *args)
        elif kind == "p":
            s.deferred.addCallbacks(self.link, self.link, args, {}, args, {})
        else:
            s.deferred.addBoth(self.link, *args)

    def do_fire(self, serial, d, kind):
        s = self.get(d)
        if s is None or not (s.is_usable() or s.late):
            self.put("skip")
            return
        if kind[0] == "d":
            self.fire_with(s, self.get(kind[1:]))
            return
        self.fire(s, self.make_result(kind, serial))

    def fire(self, s, result):
        had_started = s.started
        if s.target and s.deferred.called:
            self.put("fire, EALREADY")  # difference: chain
            return
        self.put("fire")
        was_fired = s.fired
        s.fired = True
        try:
            s.deferred.callback(result)
        except AlreadyCalledError:
            s.fired = was_fired
            self.put("EALREADY")
            return
        if had_started:
            s.late = False

    def do_cancel(self, serial, d):
        s = self.get(d)
        if s is None or not s.is_usable():
            self.put("skip")
            return
        s.deferred.cancel()

    def do_unpause(self, serial, d):
        s = self.get(d)
        if s is None or not s.is_usable():
            self.put("skip")
            return
        if s.pauses == 0:
            self.put("EPERM")  # difference: unpause
            return
        s.pauses -= 1
        s.deferred.unpause()

    def do_timeout(self, serial, d, units):
        s = self.get(d)
        if s is None or s.given:
            self.put("skip")
            return
        # No two ever come at the same time.
        s.deferred.addTimeout(int(units) * UNIT + serial, self.clock)

    def do_tick(self, serial, units):
        self.clock.advance(int(units) * UNIT)

    # Deliberate differences, each with its reason.

    def do_pause(self, serial, d):
        """A pause by a link of the same Deferred: holds the next link back
        here, while Twisted runs on.  Left out of the comparison."""
        s = self.get(d)
        if s is None or not s.is_usable() or s.running:
            self.put("skip")
            return
        s.pauses += 1
        s.deferred.pause()

    # difference: unpause.  One without a pause is refused with EPERM; Twisted
    # counts below 0, and an unpause even ends a wait for another Deferred.

    def fire_with(self, s, other):
        """To fire with a Deferred is to wait for it; Twisted forbids that by
        an assertion.  Written here as a link before all others.  A paused
        one is left out: there the link would not run."""
        if s.pauses or not self.may_give(other, s) or s.late:
            self.put("skip")
            return
        if s.deferred.called:
            self.put("fire, EALREADY")
            return
        other.given = True
        give = (lambda ignored: other.deferred, (), {})
        s.deferred.callbacks.insert(0, (give, give))
        self.fire(s, None)

    def do_chain(self, serial, d, target):
        """chain() refuses what has fired or is chained already, where Twisted
        would raise in the chain much later.  A result for a Deferred that
        somebody else has fired meanwhile is disposed of, not raised into the
        chain it came from.  And one that is chained is not owed a result by
        anybody but its chain, so that a cancel swallows that one and no
        other."""
        s, other = self.get(d), self.get(target)
        if (s is None or other is None or s.given or s is other
                or not other.is_usable()):
            self.put("skip")
            return

        def enter(result):
            s.running += 1
            return result

        def leave(result):
            s.running -= 1
            return result

        def pass_on(result):
            other.chained = False
            try:
                other.deferred.callback(result)
            except AlreadyCalledError:
                pass

        s.deferred.addBoth(enter)
        if other.deferred.called:
            self.put("EALREADY")
        elif other.chained:
            self.put("EBUSY")
        else:
            other.target = other.chained = True
            s.deferred.addBoth(pass_on)
        s.deferred.addBoth(leave)

    def unhandled(self):
        """Of a failure that is left in a paused Deferred Twisted says nothing
        if it came after the pause; it is lost all the same.  A cancel that
        nobody handles is no news here."""
        lost = []
        for s in self.subjects:
            d = s.deferred
            result = getattr(d, "result", None)
            if s.pauses and isinstance(result, Failure):
                debug = d._debugInfo
                if debug is None or debug.failResult is None:
                    lost.append(result)
        names = [text(f) for f in lost]
        del lost
        self.subjects.clear()
        self.clock = None
        d = s = result = debug = None
        gc.collect()
        names += [text(f) for f in reported]
        reported.clear()
        return sorted(n for n in names if n != "cancelled")


def run(line):
    program = Program()
    serial = 1
    for step in line.split(";"):
        words = step.split()
        program.run(words, serial)
        serial += 1 + words.count("add") # their actions
    program.put("unhandled:", *program.unhandled())
    return ", ".join(program.trace)


def main():
    log.startLoggingWithObserver(observe, setStdout=False)
    gc.disable()
    gc.freeze()
    for line in sys.stdin:
        print(run(line))


main()
