# SPDX-License-Identifier: MIT
"""check.py FILE...: do these traces hold what they promise?

Each is JSON.  Each bar that begins ends, with its own name, and not before; a wait and
a hold stand one after the other in that of their acquire, and nothing else does.  With
the right to write of a lock nobody else holds it (unless both are an owner's).  Prints
how much was looked at; status 1 with the first thing that is not so.
"""

import json
import sys


def fail(event, what):
    sys.exit(f"{what}: {json.dumps(event)}")


def bars_of(events):
    """Yields (name, args, parts) for each acquire, parts being (name, begin, end)."""
    stacks = {}
    for event in events:
        phase = event["ph"]
        if phase in "Mi":
            continue
        key = event["cat"], event["id"]
        stack = stacks.setdefault(key, [])
        if phase == "b":
            if len(stack) > 1:
                fail(event, "a third bar within two")
            if len(stack) == 1 and event["cat"] != "lock":
                fail(event, "a bar within that of a Deferred")
            stack.append((event, []))
        elif phase == "e":
            if not stack:
                fail(event, "an end without a begin")
            begin, parts = stack.pop()
            if begin["name"] != event["name"]:
                fail(event, f"the end of {begin['name']}")
            if begin["ts"] > event["ts"]:
                fail(event, "an end before its begin")
            if stack:
                stack[-1][1].append(
                    (begin["name"], begin["ts"], event["ts"]))
            elif begin["cat"] == "lock":
                yield begin["name"], begin["args"], parts
        elif phase == "n":
            if not stack:
                fail(event, "an instant beside its bar")
        else:
            fail(event, "an unknown phase")
    for stack in stacks.values():
        if stack:
            fail(stack[-1][0], "a begin without an end")


def check_parts(name, args, parts):
    waits = [part for part in parts if part[0].startswith("waits to ")]
    holds = [part for part in parts if not part[0].startswith("waits to ")]
    if len(waits) > 1 or len(holds) > 1:
        fail(args, f"{name}: {parts}")
    if waits and holds and waits[0][2] > holds[0][1]:
        fail(args, f"{name}: a hold during its wait")
    return waits, holds


def check_alone(name, holds):
    """A writer is alone; who has the same owner is the same party."""
    latest = None
    for begin, end, mode, owner in sorted(
            holds, key=lambda hold: (hold[0], hold[1])):
        if latest is not None:
            last_end, last_mode, last_owner = latest
            if begin < last_end and "write" in (mode, last_mode) and (
                    owner is None or owner != last_owner):
                sys.exit(f"{name}: {mode} by {owner} at {begin} during "
                         f"{last_mode} by {last_owner} until {last_end}")
        if latest is None or end > latest[0]:
            latest = end, mode, owner


def main():
    total_waits = total_holds = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            events = json.load(file)
        locks = {}
        for name, args, parts in bars_of(events):
            waits, holds = check_parts(name, args, parts)
            total_waits += len(waits)
            total_holds += len(holds)
            if args["kind"] == "lock":
                # Members of one group have one name, and one lock.
                locks.setdefault(name, []).extend(
                    (hold[1], hold[2], args["mode"], args["owner"])
                    for hold in holds)
        for name, holds in locks.items():
            check_alone(name, holds)
    print(f"{total_waits} waits and {total_holds} holds")
    if total_waits == 0 or total_holds == 0:
        sys.exit("nothing to look at")


main()
