#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Members of a cluster, and what may happen to them and to its servers: see chaos.sh.
Runs inside of servers.sh."""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True  # the sources may be read-only

import proxy
import witness

MEMBERS = 4
SESSION = 3.0      # seconds
PATIENCE = 90.0    # until all go on
SERVERS = os.environ["SERVERS"]
FOLDER = os.environ["SERVERS_DIR"]
CAN_CUT = os.environ.get("SERVERS_CUT") == "yes"


def servers(*words):
    """Calls servers.sh."""
    run = subprocess.run([os.environ["SERVERS_SH"]] + [str(w) for w in words],
                         stdout=subprocess.PIPE)
    if run.returncode != 0:
        raise SystemExit("chaos: servers.sh %s has failed" % " ".join(
            str(w) for w in words))
    return run.stdout.decode().split()


class Member:
    """A process, on a machine of its own where there is one."""

    def __init__(self, chaos, machine, number):
        self.chaos = chaos
        self.machine = machine
        self.name = "%s.%d" % (machine, number)
        self.killed = False
        self.process = subprocess.Popen(
            [os.environ["SERVERS_SH"], "in", machine, chaos.program,
             chaos.servers_for(machine),
             "%.0f" % (SESSION * 1000), chaos.keeper_path,
             str(chaos.random.randrange(1, 1 << 31))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        with open(os.path.join(self.chaos.out, self.name + ".log"), "wb") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                if line.endswith(b"\n"):
                    self.chaos.witness.feed(self.name, line.decode()[:-1])

    def kill(self):
        self.killed = True
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.chaos.witness.feed(self.name, "%.6f killed" % time.monotonic())

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        self.process.stdin.close()
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = "nothing: it does not end"
            self.process.kill()
        self.reader.join()
        return status


class Chaos:
    def __init__(self, program, out, seconds, seed):
        self.program, self.out, self.seconds = program, out, seconds
        self.random = random.Random(seed)
        self.begun = time.monotonic()
        self.keeper_path = os.path.join(FOLDER, "keeper")
        self.keeper = witness.Keeper(self.keeper_path)
        self.witness = witness.Witness(self.say)
        self.numbers = {}
        self.faults = 0
        self.longest = 0.0
        self.stray = 0
        self.deck = []
        self.log = open(os.path.join(out, "chaos.log"), "w")
        self.members = {"m%d" % (i + 1): None for i in range(MEMBERS)}
        self.proxies = {m: None if CAN_CUT else proxy.Proxy(SERVERS)
                        for m in self.members}

    def say(self, text):
        line = "chaos: %6.1f s: %s" % (time.monotonic() - self.begun, text)
        print(line, flush=True)
        print("%.3f %s" % (time.monotonic(), text), file=self.log, flush=True)

    def servers_for(self, machine):
        return SERVERS if CAN_CUT else self.proxies[machine].addresses

    def start_member(self, machine):
        self.numbers[machine] = self.numbers.get(machine, 0) + 1
        self.members[machine] = Member(self, machine, self.numbers[machine])

    #
    # Faults: each a function that does it, says what it does, and returns how long
    # to wait and what mends it.
    #

    def pick(self, inside):
        """Somebody who is inside, or not, if there is one."""
        members = list(self.members.values())
        self.random.shuffle(members)
        for member in members:
            if self.witness.is_inside(member.name) == inside:
                return member
        return members[0]

    def catch(self, inside):
        """Stops somebody who is inside, to write rather than to read, or who is not."""
        for turn in range(200):
            member = self.pick(inside)
            member.stop()
            time.sleep(0.02)  # for what it has said to be read
            modes = self.witness.modes_inside(member.name)
            if ("w" in modes if inside and turn < 100 else bool(modes) == inside):
                break
            member.go_on()
            time.sleep(0.01)
        return member

    def a_while(self, longest=2.0):
        return self.random.uniform(0.1, longest) * SESSION

    def kill_member(self, inside):
        member = self.catch(inside)
        member.kill()
        return ("%s is killed" % self.who(member, inside),
                self.random.uniform(0, 1),
                lambda: self.start_member(member.machine))

    def who(self, member, inside):
        return "%s, which %s," % (member.name, "holds" if inside else "waits")

    def stop_member(self, inside):
        """For less than it takes to lose what it has, or for more."""
        member = self.catch(inside)
        seconds = SESSION * (self.random.uniform(0.1, 0.6)
                             if self.random.random() < 0.3
                             else self.random.uniform(1.1, 1.8))
        return "%s is stopped" % self.who(member, inside), seconds, member.go_on

    def cut_member(self):
        member = self.pick(True)
        self.let_through(member.machine, False)
        return "%s is cut off" % member.name, self.a_while(), \
            lambda: self.let_through(member.machine, True)

    def let_through(self, machine, lets):
        if CAN_CUT:
            servers("mend" if lets else "cut", machine)
        elif lets:
            self.proxies[machine].lets_through.set()
        else:
            self.proxies[machine].lets_through.clear()

    def server_of(self, member):
        """Which one has its session; anyone if that cannot be told."""
        for number in ("1", "2", "3"):
            try:
                with open(os.path.join(FOLDER, member.machine + ".ip")) as f:
                    ip = f.read().strip()
            except OSError:
                break
            if any("/%s:" % ip in w for w in servers("ask", number, "cons")):
                return number
        return self.random.choice("123")

    def leader(self):
        return (servers("leader") or [self.random.choice("123")])[0]

    def kill_server(self, number, what):
        servers("kill", number)
        return "%s is killed" % what, self.random.uniform(0.2, 2), \
            lambda: servers("start", number)

    def kill_own(self):
        member = self.pick(True)
        number = self.server_of(member)
        return self.kill_server(number, "server %s, that of %s,"
                                % (number, member.name))

    def kill_leader(self):
        number = self.leader()
        return self.kill_server(number, "the leader, server %s," % number)

    def pause_server(self, number, what):
        servers("pause", number)
        return "%s is stopped" % what, self.a_while(), \
            lambda: servers("resume", number)

    def pause_own(self):
        member = self.pick(True)
        number = self.server_of(member)
        return self.pause_server(number, "server %s, that of %s,"
                                 % (number, member.name))

    def pause_leader(self):
        number = self.leader()
        return self.pause_server(number, "the leader, server %s," % number)

    def kill_all(self):
        return self.kill_server("all", "each of the servers")

    def pause_all(self):
        return self.pause_server("all", "each of the servers")

    def part_servers(self):
        leader = self.leader()
        other = self.random.choice([n for n in "123" if n != leader])
        pair = "s" + leader, "s" + other
        servers("part", *pair)
        return "server %s is cut from its leader %s" % (other, leader), \
            self.random.uniform(2, 6), lambda: servers("join", *pair)

    def cut_leader(self):
        number = self.leader()
        servers("cut", "s" + number)
        return "the leader, server %s, is cut off" % number, \
            self.random.uniform(2, 5), lambda: servers("mend", "s" + number)

    def stop_and_kill(self):
        one, wait, mend = self.stop_member(True)
        other, wait_more, mend_other = self.kill_leader()
        return "%s, and %s" % (one, other), wait + wait_more, \
            lambda: (mend(), mend_other())

    def all_kinds(self):
        kinds = [lambda: self.kill_member(True), lambda: self.kill_member(False),
                 lambda: self.stop_member(True), lambda: self.stop_member(True),
                 lambda: self.stop_member(False), self.kill_own,
                 self.kill_leader, self.pause_own, self.pause_leader,
                 self.kill_all, self.pause_all, self.stop_and_kill,
                 self.cut_member, self.cut_member]
        if CAN_CUT:
            kinds += [self.part_servers, self.cut_leader]
        return kinds

    def next_fault(self):
        if not self.deck:
            self.deck = self.all_kinds()
            self.random.shuffle(self.deck)
        return self.deck.pop()()

    #
    # Servers that are not as their leader: those of release 3.8 may come to be so where
    # they are killed while they follow (ZOOKEEPER-4643, 4646).  Then who waits behind a
    # node that only one of them has waits for ever, whatever the lock does.
    #

    def state_of(self, number):
        """Its last change, and how many nodes it has; None if it does not say so."""
        found = re.search(r"Zxid: (\S+).*Node count: (\d+)",
                          " ".join(servers("ask", number, "srvr")))
        return found.groups() if found else None

    def strays(self):
        """Those that have come to the same change as the leader, and to other nodes."""
        for _ in range(40):
            leader = self.leader()
            states = {n: self.state_of(n) for n in "123"}
            if all(states.values()) and len({s[0] for s in states.values()}) == 1:
                return [n for n in "123" if states[n] != states[leader]]
            time.sleep(0.1)
        return []

    def begin_anew(self, strays):
        """What an operator does: it takes all from the leader again."""
        for number in strays:
            data = os.path.join(FOLDER, number, "version-2")
            servers("kill", number)
            shutil.move(data, os.path.join(
                self.out, "stray-%d-%s" % (self.faults, number)))
            servers("start", number)
        self.stray += len(strays)
        self.say("   server %s has other nodes than the leader, at the same change: "
                 "it begins anew" % ", ".join(strays))

    #
    # All of it
    #

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.watch()
            time.sleep(max(0, min(0.2, end - time.monotonic())))

    def watch(self):
        self.witness.look()
        for member in self.members.values():
            status = member.process.poll()
            if status is not None and not member.killed:
                raise SystemExit("chaos: %s has ended, with %s; its log is %s"
                                 % (member.name, status, os.path.join(
                                     self.out, member.name + ".log")))

    def all_go_on(self):
        """Each member is granted something; whoever waits for ever does so though
        nothing is in the way any more."""
        names = [m.name for m in self.members.values()]
        before = {n: self.witness.granted.get(n, 0) for n in names}
        begun = time.monotonic()
        mended = False
        while True:
            self.watch()
            stuck = [n for n in names
                     if self.witness.granted.get(n, 0) < before[n] + 3]
            took = time.monotonic() - begun
            self.longest = max(self.longest, took)
            if not stuck:
                return took
            if took > PATIENCE:
                strays = [] if mended else self.strays()
                if not strays:
                    self.witness.violation(
                        time.monotonic(), "%s waits and waits"
                        % ", ".join(stuck))
                    return took
                self.begin_anew(strays)
                mended = True
                begun = time.monotonic()
            time.sleep(0.05)

    def run(self):
        if not CAN_CUT:
            self.say("no network namespaces here: members are cut off by a proxy, "
                     "and servers left out")
        for machine in self.members:
            self.start_member(machine)
        self.say("all are inside after %.1f s" % self.all_go_on())
        while time.monotonic() - self.begun < self.seconds:
            what, seconds, mend = self.next_fault()
            self.faults += 1
            self.say("%d: %s for %.1f s" % (self.faults, what, seconds))
            self.wait(seconds)
            mend()
            took = self.all_go_on()
            w = self.witness
            self.say("   all go on after %.1f s; %d grants, %d losses told, "
                     "%d late ones refused, %d violations" % (
                         took, sum(w.grants.values()), w.losses, w.refused,
                         len(w.violations)))
            if len(w.violations) > 20:
                break
            self.wait(self.random.uniform(0.1, 1.0))
        return self.close()

    def close(self):
        statuses = {m.name: m.end() for m in self.members.values()}
        w = self.witness
        w.look(time.monotonic() + 1)
        for name, status in statuses.items():
            if status != 0:
                w.violation(time.monotonic(),
                            "%s has ended with %s" % (name, status))
        for hold in w.holds.values():
            w.violation(time.monotonic(), "%s: never released" % hold)
        print("chaos: %d grants to write, %d to read; faults: %d; longest until all "
              "went on: %.1f s" % (w.grants["w"], w.grants["r"], self.faults,
                                   self.longest))
        print("chaos: losses told: %d, of these by a check: %d; late writes and reads "
              "refused by their token: %d" % (w.losses, w.stale, w.refused))
        print("chaos: somebody came in beside one that did not run: %d times; of these "
              "left before they were told: %d" % (w.overtaken, w.unaware))
        print("chaos: servers that were not as their leader, and began anew: %d"
              % self.stray)
        for failure, count in sorted(w.failures.items()):
            print("chaos: acquires that failed: %d times: %s" % (count, failure))
        print("chaos: violations: %d" % len(w.violations))
        return 1 if w.violations or self.faults < self.least() else 0

    def least(self):
        """Faults; where there are fewer, all went on too slowly."""
        return self.seconds // 20


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    program, out, seconds, seed = sys.argv[1:]
    chaos = Chaos(program, out, float(seconds), int(seed))
    try:
        status = chaos.run()
    finally:
        for member in chaos.members.values():
            if member is not None and member.process.poll() is None:
                member.process.kill()
    sys.exit(status)


main()
