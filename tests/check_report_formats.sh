#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Do others understand what a report says?  Python reads one as JSON, which has to have
# all that was held, and dot draws one.  report_world makes both, with names that have
# everything in them.  What is not there here is left out, and said to be.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

passed=0
failed=0
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# check WHAT COMMAND...
check() {
	what=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$what:"
		cat "$tmp/out"
	fi
}

if [ ! -x ./report_world ]; then
	echo "skipped: there is no report_world"
	exit 77
fi
for format in 0 1 2; do
	./report_world $format >"$tmp/$format" || {
		echo "report_world $format ends with $?"
		exit 1
	}
done

has_no_control_characters() {
	! LC_ALL=C grep -n "$(printf '[\001-\010\013-\037\177]')" "$1"
}
check "the text has control characters" has_no_control_characters "$tmp/0"

cat >"$tmp/read.py" <<'END'
import json
import sys

report = json.load(open(sys.argv[1], encoding='utf-8'))
locks = report['locks']
kinds = [lock['kind'] for lock in locks]
assert report['count'] == len(locks), 'count'
assert kinds == ['lock'] * 10 + ['mutex', 'semaphore', 'queue'], kinds
assert [lock['number'] for lock in locks] == list(range(1, 14)), 'numbers'
names = [lock['name'] for lock in locks]
assert names[:2] == ['plain', ''], names
assert names[2] == 'quote " backslash \\ slash / apostrophe \'', names
assert names[3].startswith('line\nfeed, tab\t, bell\a, escape \x1b[2J'), names
assert names[4] == 'caf\u00e9 \u20ac \U0001f512', names
assert names[5] == 'cut off \ufffd\ufffd', names
assert names[8] == '<b>&amp;</b> \\N \\G {a|b} //', names
assert names[9:] == [None] * 4, names
for i, lock in enumerate(locks[:9]):
    inside = {(who['owner'], who['mode']): who for who in lock['inside']}
    # Its own one, that of the one before, and one without an owner.
    assert len(inside) == lock['inside_count'] == 3, lock
    for owner in (names[i], names[(i + 8) % 9], None):
        assert inside[owner, 'read']['count'] == 1, lock
    waiting = [(who['owner'], who['mode']) for who in lock['waiting']]
    assert waiting == ([(names[i - 2], 'write')] if i >= 2 else []), lock
    assert lock['waiting_count'] == len(waiting), lock
    if report['debug']:
        for who in lock['inside'] + lock['waiting']:
            assert 0 <= who['seconds'] < 3600 and who['from'], who
assert (locks[9]['reach'], locks[9]['right']) == ('group', 'write'), locks[9]
assert locks[10]['inside'][0]['owner'] == 'plain', locks[10]
assert locks[11]['limit'] == 3, locks[11]
assert locks[12]['objects'] == 0 and locks[12]['waiting_count'] == 1, locks[12]
END
if command -v python3 >/dev/null; then
	check "what Python has read" python3 "$tmp/read.py" "$tmp/1"
else
	echo "skipped: there is no python3 to read JSON"
fi

# Each lock is a node, and each hold and wait an arrow.
draw() {
	dot -Tsvg "$1" >"$tmp/svg" 2>"$tmp/warnings" || return 1
	if [ -s "$tmp/warnings" ]; then
		cat "$tmp/warnings"
		return 1
	fi
	nodes=$(grep -c 'class="node"' "$tmp/svg")
	edges=$(grep -c 'class="edge"' "$tmp/svg")
	# 9 owners, 13 locks; without an owner: 9 readers and one at each of three
	# others.  Of the edges 27 are from the locks, 7 to them, 4 of the others.
	[ "$nodes" -eq 34 ] && [ "$edges" -eq 38 ] && return
	echo "$nodes nodes and $edges edges"
	return 1
}
if command -v dot >/dev/null; then
	check "what dot has drawn" draw "$tmp/2"
else
	echo "skipped: there is no dot to draw a graph"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
