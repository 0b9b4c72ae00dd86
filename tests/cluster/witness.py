# SPDX-License-Identifier: MIT
"""Looks at what members say, in the order of time, and knows what must not be."""
import heapq
import os
import socketserver
import threading
import time


class Keeper:
    """What the locks are for: takes what comes with a token that is not lower than
    the highest one so far of those whom it excludes: for a reader, of the writers.
    Those of readers that share are not in any order."""

    def __init__(self, path):
        self.tokens = {"read": {}, "write": {}}
        self.values = {}
        self.guard = threading.Lock()
        keeper = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    for line in self.rfile:
                        self.wfile.write(keeper.answer(*line.decode().split()))
                except OSError:
                    return  # a member was killed

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

        self.server = Server(path, Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, what, lock, token, value):
        with self.guard:
            token, value = int(token), int(value)
            own = "read" if what == "read" else "write"
            highest = self.tokens["write"].get(lock, 0)
            if own == "write":
                # One who was stopped as he wrote, and those who read since.
                highest = max(highest, self.tokens["read"].get(lock, 0))
            if token < highest:
                return b"old %d\n" % highest
            tokens = self.tokens[own]
            tokens[lock] = max(tokens.get(lock, 0), token)
            now = self.values.get(lock, 1)
            if what == "put":
                # Somebody has come between this and the put or look before.
                if value != now + 1:
                    return b"torn %d\n" % now
                now = self.values[lock] = value
            return b"ok %d\n" % now


class Hold:
    def __init__(self, member, number, lock, mode, token, careful, since):
        self.member = member
        self.number = number
        self.lock = lock
        self.writes = mode == "w"
        self.token = token
        self.since = since
        self.told = False      # that it is lost
        self.refused = False   # by the keeper
        self.overtaken = None  # when somebody came in beside it, unproved
        self.careful = careful == "c"
        self.away_until = None  # did not run when somebody came in
        self.values = set()

    def __str__(self):
        return "%s, which %s %s with token %d since %.3f" % (
            self.member, "writes" if self.writes else "reads", self.lock,
            self.token, self.since)


class Witness:
    """feed() takes lines of members in any order; look() judges those that are
    older than DELAY, in the order of time."""
    DELAY = 1.0

    def __init__(self, say):
        self.say = say
        self.lines = []
        self.guard = threading.Lock()
        self.inside = {}     # lock: holds
        self.holds = {}      # (member, number): hold, until its release
        self.newest = {}     # (lock, writes): (token, member), the highest so far
        self.granted = {}    # member: grants
        self.count = 0
        self.grants = {"r": 0, "w": 0}
        self.losses = self.refused = self.overtaken = self.stale = 0
        self.unaware = 0
        self.failures = {}
        self.violations = []

    def feed(self, member, line):
        at, what, *words = line.split(" ", 2)
        with self.guard:
            self.count += 1
            if what == "grant":
                self.granted[member] = self.granted.get(member, 0) + 1
            heapq.heappush(self.lines, (float(at), self.count, member, what,
                                        words[0] if words else ""))

    def look(self, before=None):
        before = time.monotonic() - self.DELAY if before is None else before
        while True:
            with self.guard:
                if not self.lines or self.lines[0][0] > before:
                    return
                at, _, member, what, words = heapq.heappop(self.lines)
            self.judge(at, member, what, words)

    def violation(self, at, sentence):
        self.violations.append("%.3f: %s" % (at, sentence))
        self.say("VIOLATION at %s" % self.violations[-1])

    def holds_of(self, member):
        return [h for h in self.holds.values() if h.member == member]

    def judge(self, at, member, what, words):
        for hold in self.holds_of(member):
            # What it had on its tongue when it was stopped says nothing of later.
            if hold.overtaken is not None and at >= hold.overtaken:
                self.explain(at, hold, what, words)
        handler = getattr(self, "on_" + what, None)
        if handler:
            handler(at, member, *words.split(" "))

    def explain(self, at, hold, what, words):
        """Why did it not know that somebody else came in?  It did not run."""
        then, hold.overtaken = hold.overtaken, None
        if what == "killed":
            return
        if what == "gap" and float(words) <= then:
            hold.away_until = at
            self.overtaken += 1
            return
        self.violation(at, "%s ran when another one came in at %.3f, "
                       "and was not told" % (hold, then))

    def leave(self, hold):
        if hold in self.inside.get(hold.lock, []):
            self.inside[hold.lock].remove(hold)

    def lose(self, hold):
        if not hold.told:
            hold.told = True
            self.losses += 1
        self.leave(hold)

    def on_grant(self, at, member, number, lock, mode, token, careful):
        new = Hold(member, number, lock, mode, int(token), careful, at)
        inside = self.inside.setdefault(lock, [])
        self.grants[mode] += 1
        for old in inside:
            if not (old.writes or new.writes):
                continue
            if old.member == member:
                self.violation(at, "%s; %s is inside" % (new, old))
            elif old.overtaken is None and old.away_until is None:
                old.overtaken = at
        self.check_token(at, new)
        inside.append(new)
        self.holds[member, number] = new

    def check_token(self, at, new):
        """Of those that exclude each other the later one has the higher one."""
        if new.token == 0:
            new.away_until = at  # lost before it could ask
            return
        for writes in (True, False) if new.writes else (True,):
            token, member = self.newest.get((new.lock, writes), (0, ""))
            if new.token < token or (
                    new.token == token and member != new.member):
                self.violation(at, "%s; %s had %d before" % (new, member, token))
        self.newest[new.lock, new.writes] = max(
            self.newest.get((new.lock, new.writes), (0, "")),
            (new.token, new.member))

    def on_look(self, at, member, number, answer, value):
        hold = self.holds[member, number]
        if hold.careful and hold.away_until not in (None, at):
            self.violation(at, "%s: lost, but its check has let it pass" % hold)
        if answer == "ok":
            hold.values.add(int(value))
        elif answer == "torn":
            self.violation(at, "%s: the value is %s" % (hold, value))
        else:
            hold.refused = True
            self.refused += 1

    on_put = on_read = on_look

    def on_stale(self, at, member, number):
        self.stale += 1
        self.lose(self.holds[member, number])

    def on_cancelled(self, at, member, number):
        hold = self.holds[member, number]
        self.lose(hold)

    def on_lost(self, at, member, lock):
        for hold in self.holds_of(member):
            if hold.lock == lock:
                self.lose(hold)

    def on_done(self, at, member, number):
        self.leave(self.holds[member, number])

    def on_end(self, at, member, number, error):
        hold = self.holds.pop((member, number))
        if int(error) != 0:
            self.lose(hold)
            if int(error) != 116:  # ESTALE
                self.violation(at, "%s: released with errno %s" % (hold, error))
            return
        self.leave(hold)
        if hold.told:
            self.violation(at, "%s: lost, and released without a word" % hold)
        elif hold.away_until is not None:
            self.unaware += 1
        elif hold.refused:
            self.violation(at, "%s: refused, but not lost" % hold)
        elif not hold.writes and len(hold.values) > 1:
            self.violation(at, "%s: saw %s" % (hold, sorted(hold.values)))

    def on_fail(self, at, member, error, *message):
        text = "%s %s" % (error, " ".join(message))
        self.failures[text] = self.failures.get(text, 0) + 1

    def on_killed(self, at, member, *_):
        for hold in self.holds_of(member):
            self.leave(hold)
            del self.holds[member, hold.number]

    def modes_inside(self, member):
        """How it holds something, by what it has said so far, judged or not."""
        with self.guard:
            late = sorted(self.lines)
        inside = {h.number: "w" if h.writes else "r"
                  for h in self.holds_of(member)}
        for _, _, who, what, words in late:
            number, *rest = words.split(" ")
            if who == member and what == "grant":
                inside[number] = rest[1]
            elif who == member and what in ("done", "end", "cancelled"):
                inside.pop(number, None)
        return set(inside.values())

    def is_inside(self, member):
        return bool(self.modes_inside(member))
