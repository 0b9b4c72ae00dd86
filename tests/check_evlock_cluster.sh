#!/bin/sh
# SPDX-License-Identifier: MIT
#
# evlock --cluster, on a server of ZooKeeper: tokens, who runs when, --list, and what
# becomes of a command whose lock is lost.  From the environment: srcdir and EVLOCK.  Ends
# with 77 where java is missing, or evlock knows no clusters.
#
# Nothing sleeps: a command says over a pipe of its own that it runs, and ends when there
# is a line in another; that somebody waits for the lock is what --list says.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

top=$(cd "${srcdir:-$(dirname "$0")}/.." && pwd) || exit 1
evlock=${EVLOCK:-$top/build/tools/evlock}

if [ -z "${SERVERS-}" ]; then
	if "$evlock" -c 127.0.0.1:1 --list -t 0.1 2>&1 | grep -q 'built without'; then
		echo "skipped: evlock was built without clusters"
		exit 77
	fi
	exec "$top/tests/cluster/servers.sh" run 1 "$0"
fi

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=/dev/null
. "${srcdir:-$(dirname "$0")}/expect.sh"

show_more()
{
	cat out err 2>/dev/null
}
cd "$tmp" || exit 1

# run ARGUMENT...: evlock, its status to $status.
run()
{
	"$evlock" -c "$SERVERS" "$@" >out 2>err </dev/null
	status=$?
}

# ends_with STATUS ARGUMENT...
ends_with()
{
	wanted=$1
	shift
	run "$@"
	expect "evlock $*: ends with $wanted, not $status" is "$status" "$wanted"
}

# What a command does that says that it runs, and ends when it is told to.
# shellcheck disable=SC2016
stay='echo "$EVLOCK_TOKEN" >"runs-$0"; read -r line <"go-$0"'

# begin NAME ARGUMENT...: evlock in the background, its number to $begun.
begin()
{
	name=$1
	rm -f "runs-$name" "go-$name"
	mkfifo "runs-$name" "go-$name"
	shift
	"$evlock" -c "$SERVERS" "$@" </dev/null 2>"err-$name" &
	begun=$!
}

# await_run NAME: until it says that it runs; its token to $token.
await_run()
{
	read -r token <"runs-$1"
}

let_go()
{
	echo go >"go-$1"
}

# await_list COUNT TEXT: until so many lines of the list have that text.
await_list()
{
	left=200
	while "$evlock" -c "$SERVERS" --list >list 2>err &&
		[ "$(grep -c "$2" list)" -ne "$1" ]; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
	done
}

#
# Statuses and what is said
#

ends_with 7 job -- sh -c 'exit 7'
ends_with 0 job true
ends_with 127 job -- /nowhere
ends_with 125 job
expect 'no command: says so' grep -q 'no command' err
ends_with 125
expect 'no name: says so' grep -q 'no name of a lock' err
ends_with 125 a/b -- true
expect 'a name with a slash: says what one is' grep -q 'no slash' err
ends_with 125 -t 0 job -- true
expect 'no time: says why' grep -q 'take some time' err
ends_with 125 -i job -- true
ends_with 125 --list job
"$evlock" -c 'a b' job -- true 2>err
expect 'servers that are none: says so' grep -q 'not HOST:PORT' err
"$evlock" -c 127.0.0.1:1 -t 0.3 job -- true
expect 'no server is there: ends with 124' is $? 124

#
# Who runs when
#

begin one job -- sh -c "$stay" one
await_run one
first=$token
expect "a token ($first)" [ "${first:-0}" -gt 0 ]
ends_with 124 -t 0.3 job -- true
ends_with 0 -t 10 other -- true
begin two -t 60 job -- sh -c "$stay" two
two=$begun
expect 'the list has who waits' await_list 1 '^job .*waits.*write'
expect 'the list has who holds' grep -q '^job .*holds.*write' list
expect 'the list says which process' grep -q " $two\$" list
let_go one
await_run two
expect "a higher token ($first, $token)" [ "$token" -gt "$first" ]
let_go two
wait "$two"
expect 'who waited ends with 0' is $? 0

begin left -r job -- sh -c "$stay" left
left_pid=$begun
await_run left
begin right -r job -- sh -c "$stay" right
right_pid=$begun
await_run right
expect 'both read' await_list 2 '^job .*holds.*read'
let_go left
let_go right
wait "$left_pid" "$right_pid"

# It gives back its place in the line when it is ended.
begin one job -- sh -c "$stay" one
one=$begun
await_run one
begin two job -- sh -c "$stay" two
two=$begun
expect 'one waits' await_list 1 '^job .*waits'
kill "$two"
wait "$two" 2>/dev/null
expect 'a signal ends one that waits' is $? 143
expect 'its place is free' await_list 0 '^job .*waits'
let_go one
wait "$one"

#
# Losing it
#

# shellcheck disable=SC2016
begin lost -s 1 job -- sh -c \
	'trap "exit 3" TERM; echo run >"runs-$0"; while :; do read -r line <"go-$0"; done' lost
lost=$begun
await_run lost
"$SERVERS_SH" pause all
wait "$lost"
expect 'the lock was lost: ends with 123' is $? 123
expect 'the lock was lost: says so' grep -q 'lost' err-lost
"$SERVERS_SH" resume all
ends_with 0 -t 60 job -- true

finish
