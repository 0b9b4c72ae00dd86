#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Locks of a cluster beside those of kazoo and Curator: see bench.sh.  Runs inside of
servers.sh, with three servers."""
import json
import os
import re
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the sources may be read-only
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "bench"))

import report

OURS, KAZOO, CURATOR = "libevdefer-cluster", "kazoo", "Curator"
WITHOUT = "without a cluster"
PATIENCE = 300
SECONDS = 4          # of passing and of mixing
TIMES = 300          # of one after the other


class Work:
    def __init__(self, key, title, unit, contenders, measure):
        self.key, self.title, self.unit = key, title, unit
        self.contenders, self.measure = contenders, measure


class Target:
    def __init__(self, title, bound, of, to=None, at_least=False):
        self.title, self.bound, self.of, self.to = title, bound, of, to
        self.at_least = at_least


TARGETS = [
    Target("read under a kept right, to the same without a cluster", 1.1,
           ("kept", OURS), ("kept", WITHOUT)),
    Target("requests sent for a million reads under a kept right", 0,
           ("requests", OURS)),
    Target("acquire and release to write, to kazoo's WriteLock", 0.7,
           ("write", OURS), ("write", KAZOO)),
    Target("acquire and release to write, to Curator's", 1.0,
           ("write", OURS), ("write", CURATOR)),
    Target("acquire and release to read, without a kept right, to kazoo's "
           "ReadLock", 0.7, ("read", OURS), ("read", KAZOO)),
    Target("the same to Curator's", 1.0, ("read", OURS), ("read", CURATOR)),
    Target("hand-over of a write between two processes, to Curator's", 1.0,
           ("pass", OURS), ("pass", CURATOR)),
    Target("95% reads, four processes with 6 requests each: grants, to "
           "Curator's", 20, ("mixed", OURS), ("mixed", CURATOR), True),
]


def say(line):
    print("cluster-bench: " + line, flush=True)


def servers(*words):
    return subprocess.run([os.environ["SERVERS_SH"]] + list(words), check=True,
                          stdout=subprocess.PIPE).stdout.decode()


class Process:
    """A contender that is ready."""

    def __init__(self, command, work, path, number):
        self.command = command + [work, path, str(number)]
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise SystemExit("cluster-bench: broken: " + " ".join(self.command))

    def go(self):
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def line(self):
        return self.process.stdout.readline().decode()

    def rest(self):
        said = self.process.communicate(timeout=PATIENCE)[0].decode()
        if self.process.returncode != 0:
            raise SystemExit("cluster-bench: broken: %s ended with %d" % (
                " ".join(self.command), self.process.returncode))
        return said


class Bench:
    def __init__(self, program, out):
        self.out = out
        at = os.environ["SERVERS"]
        self.commands = {OURS: [program, at]}
        self.skipped = []
        self.find_kazoo(at)
        self.find_curator(at)
        self.number = 0
        self.figures = {}
        self.works = [
            Work("kept", "read under a kept right, fast", "ns",
                 [OURS, WITHOUT], self.measure_kept),
            Work("requests", "requests for a million of these", "requests",
                 [OURS], None),
            Work("write", "acquire and release to write", "us",
                 [OURS, KAZOO, CURATOR], self.measure_alone),
            Work("read", "acquire and release to read, without a kept right",
                 "us", [OURS, KAZOO, CURATOR], self.measure_alone),
            Work("pass", "hand-over of a write between two processes", "us",
                 [OURS, CURATOR], self.measure_pass),
            Work("mixed", "95% reads, four processes with 6 requests each",
                 "grants/s", [OURS, CURATOR], self.measure_mixed),
        ]

    def skip(self, name, package):
        say("skipped: %s, for which the package %s is missing" % (name, package))
        self.skipped.append("%s (package %s)" % (name, package))

    def find_kazoo(self, at):
        for python in "python3", "/usr/bin/python3":
            if subprocess.run([python, "-c", "import kazoo"],
                              stderr=subprocess.DEVNULL).returncode == 0:
                self.commands[KAZOO] = [
                    python, os.path.join(HERE, "peers", "kazoo_peer.py"), at]
                return
        self.skip(KAZOO, "python3-kazoo")

    def find_curator(self, at):
        """Compiles it, once for all rounds."""
        run = subprocess.run([os.path.join(HERE, "peers", "curator.sh"),
                              self.out], stdout=subprocess.PIPE)
        said = run.stdout.decode().strip()
        if run.returncode == 77:
            return self.skip(CURATOR, said)
        if run.returncode != 0:
            raise SystemExit("cluster-bench: Curator.java does not compile")
        self.commands[CURATOR] = said.split(" ") + [at]

    def start(self, name, work, path, number):
        return Process(self.commands[name], work, path, number)

    def path(self, name):
        """A lock that nobody has used yet."""
        self.number += 1
        lock = "bench-%d" % self.number
        return lock if name == OURS else "/" + lock

    #
    # Each returns the figure, and may note more.
    #

    def measure_alone(self, work, name):
        process = self.start(name, work.key, self.path(name), TIMES)
        process.go()
        return float(process.rest())

    def requests(self):
        """What the servers have received of all sessions but ours of now."""
        return sum(int(n) for which in "123" for n in re.findall(
            r"recved=(\d+),sent=\d+,sid=", servers("ask", which, "cons")))

    def measure_kept(self, work, name):
        if name == WITHOUT:
            return None  # comes with ours
        process = self.start(name, "kept", self.path(name), 1000000)
        before = self.requests()
        process.go()
        ours, without = (float(x) for x in process.line().split())
        self.note("requests", OURS, self.requests() - before)
        process.go()
        process.rest()
        self.note("kept", WITHOUT, without)
        return ours

    def measure_pass(self, work, name):
        path = self.path(name)
        processes = [self.start(name, "pass", path, SECONDS) for _ in range(2)]
        for process in processes:
            process.go()
        events = []
        for i, process in enumerate(processes):
            events += [(int(line.split()[1]), line.split()[0], i)
                       for line in process.rest().splitlines()]
        events.sort()
        times = [b[0] - a[0] for a, b in zip(events, events[1:])
                 if a[1] == "release" and b[1] == "grant" and a[2] != b[2]]
        if len(times) < 20:
            raise SystemExit("cluster-bench: broken: %s has handed over %d times"
                             % (name, len(times)))
        return statistics.median(times) / 1000

    def measure_mixed(self, work, name):
        path = self.path(name)
        processes = [self.start(name, "mixed", path, SECONDS)
                     for _ in range(4)]
        for process in processes:
            process.go()
        return sum(int(p.rest()) for p in processes) / SECONDS

    def note(self, key, name, figure):
        self.figures.setdefault((key, name), []).append(figure)

    def one_round(self, number):
        for work in self.works:
            if work.measure is None:
                continue
            able = [n for n in work.contenders
                    if n in self.commands or n == WITHOUT]
            turn = number % len(able)
            for name in able[turn:] + able[:turn]:
                figure = work.measure(work, name)
                if figure is not None:
                    self.note(work.key, name, figure)


def main():
    program, out, rounds = sys.argv[1:]
    facts = report.machine()
    begun = time.monotonic()
    bench = Bench(program, out)
    for number in range(1, int(rounds) + 1):
        since = time.monotonic()
        bench.one_round(number)
        say("round %d of %s: %.0f s" % (number, rounds, time.monotonic() - since))
    judged = [report.judge(t, bench.figures) for t in TARGETS]
    verdicts = [j["verdict"] for j in judged]
    covered = ("%s rounds, three servers of ZooKeeper on this machine, %.0f s; of "
               "%d targets %d reached, %d missed, %d not measured; skipped: %s" % (
                   rounds, time.monotonic() - begun, len(judged),
                   verdicts.count("reached"), verdicts.count("missed"),
                   verdicts.count("not measured"),
                   ", ".join(bench.skipped) or "none"))
    print()
    print(report.text(report.work_rows(bench.works, bench.figures)))
    print()
    print(report.text(report.target_rows(judged)))
    print()
    for work in bench.works:
        work.n = 1
        work.name = work.key
    with open(os.path.join(out, "cluster.json"), "w") as f:
        json.dump(report.as_json(judged, bench.works, bench.figures, facts,
                                 int(rounds), bench.skipped), f, indent=1)
    if os.environ.get("BENCH_SAVE", "0") not in ("", "0"):
        page = os.path.join(HERE, "..", "..", "docs", "performance.md")
        report.save(page, judged, bench.works, bench.figures, facts, covered,
                    report.marks("cluster-bench"))
        say("saved in docs/performance.md")
    say(covered)


main()
