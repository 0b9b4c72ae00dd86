#!/bin/sh
# SPDX-License-Identifier: MIT
#
# evlock: who runs when, its exit statuses, and signals.  And does its manual page have
# the options that it has?  From the environment: srcdir, EVLOCK and MANDOC.
#
# Nothing sleeps: a command says over a pipe of its own that it runs, and ends when there
# is a line in another; that somebody waits for the lock is seen in /proc/locks.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

top=$(cd "${srcdir:-$(dirname "$0")}/.." && pwd) || exit 1
evlock=${EVLOCK:-$top/build/tools/evlock}
page=$top/docs/man/evlock.1
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

if ! "$evlock" --file lock -- true 2>err; then
	if grep -q 'not implemented\|No locks' err; then
		echo "skipped: there are no open file description locks here"
		exit 77
	fi
	cat err
fi

# run ARGUMENT...: evlock, its status to $status.
run()
{
	"$evlock" "$@" >out 2>err </dev/null
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

# What a command does that says that it runs, and ends when it is told to: its name
# is $0.
# shellcheck disable=SC2016
stay='echo "$$" >"runs-$0"; read -r line <"go-$0"'

# begin NAME ARGUMENT...: evlock in the background, its number to $begun.
begin()
{
	rm -f "runs-$1" "go-$1"
	mkfifo "runs-$1" "go-$1"
	shift
	"$evlock" "$@" </dev/null &
	begun=$!
}

# await_run NAME: until it says that it runs; its number to $running.
await_run()
{
	read -r running <"runs-$1"
}

# let_go NAME: it is told to end.
let_go()
{
	echo go >"go-$1"
}

# await_waiting COUNT: until so many wait in the kernel.
inode=$(find lock -printf %i)
await_waiting()
{
	while [ "$(grep -- '->' /proc/locks | grep -c ":$inode ")" -ne "$1" ]; do
		:
	done
}

# await_state NUMBER LETTERS: until the state of a process, as ps shows it, is one of
# these.
await_state()
{
	while ! sed 's/.*) //' "/proc/$1/stat" | grep -q "^[$2]"; do
		:
	done
}

#
# Options and statuses
#

ends_with 0 --help
expect '--help: says how it is called' grep -q '^usage: evlock ' out
ends_with 0 -h
ends_with 0 --version
expect '--version: says it' grep -q '^evlock (evdefer) [0-9]' out
ends_with 0 -V
ends_with 0 -f lock -- true
ends_with 7 -w --file lock -- sh -c 'exit 7'
# shellcheck disable=SC2016
ends_with 137 -r --file=lock sh -c 'kill -KILL $$'
ends_with 127 -f lock -- ./not-there
expect 'no such command: it is named' grep -q '^evlock: ./not-there: ' err
ends_with 126 -f lock -- ./lock
ends_with 125
expect 'no file: says what to do' grep -q 'evlock --help' err
ends_with 125 -f lock
ends_with 125 -f lock --
ends_with 125 -f not-there/lock -- true
expect 'a file that cannot be: it is named' grep -q '^evlock: not-there/lock: ' err
ends_with 125 -z -f lock -- true
for seconds in '' x 1x -1 nan; do
	ends_with 125 -t "$seconds" -f lock -- true
done
for seconds in 0 1e-9 0.5 3 1e300 inf; do
	ends_with 0 -t "$seconds" -f lock -- true
done
ends_with 0 -f lock -- sh -c 'test -e lock'
# The options after the command are its own.
run -f lock echo -r
expect 'options of the command: stay there' is "$(cat out)" -r

# Its descriptor is the command's with --inherit only.
# shellcheck disable=SC2016
list='ls -l "/proc/$$/fd" | grep -c "/lock$"'
run -f lock -- sh -c "$list"
expect 'the descriptor is closed' is "$(cat out)" 0
run -i -f lock -- sh -c "$list"
expect '--inherit: the descriptor is there' is "$(cat out)" 1

#
# Who runs when
#

begin first -w --file lock -- sh -c "$stay" first
first=$begun
await_run first
ends_with 124 -w -t 0 -f lock -- true
ends_with 124 -r -t 0 -f lock -- true
ends_with 124 -t 0.01 -f lock -- true
expect 'time is over: it is no error' is "$(cat out err)" ''
begin second -w --file lock -- sh -c "$stay" second
await_waiting 1
let_go first
wait "$first"
expect 'writers: the first ends' is $? 0
await_run second
let_go second
wait "$begun"
expect 'writers: the second ends' is $? 0

begin first -r --file lock -- sh -c "$stay" first
first=$begun
await_run first
begin second --read --file lock -- sh -c "$stay" second
second=$begun
await_run second
begin writer -f lock -- sh -c "$stay" writer
await_waiting 1
ends_with 124 -r -t 0 -f lock -- true
let_go first
let_go second
wait "$first"
wait "$second"
await_run writer
let_go writer
wait "$begun"
expect 'a writer: comes after the readers' is $? 0
ends_with 0 -t 0 -f lock -- true

# Killed: the lock is free at once; and with --inherit when the command has ended.
for option in '' -i; do
	# shellcheck disable=SC2086 # none, or one
	begin command $option -f lock -- sh -c "$stay" command
	await_run command
	kill -KILL "$begun"
	wait "$begun" 2>err
	if [ -z "$option" ]; then
		ends_with 0 -t 0 -f lock -- true
	else
		ends_with 124 -t 0 -f lock -- true
	fi
	let_go command
	ends_with 0 -f lock -- true
done

# What the command leaves running keeps the lock with --inherit only.
for option in '' -i; do
	# shellcheck disable=SC2016,SC2086 # none, or one
	begin left $option -f lock -- sh -c 'sh -c "$0" left & exit 3' "$stay"
	wait "$begun"
	expect 'a command that leaves another: its status' is $? 3
	await_run left
	if [ -z "$option" ]; then
		ends_with 0 -t 0 -f lock -- true
	else
		ends_with 124 -t 0 -f lock -- true
	fi
	let_go left
	ends_with 0 -f lock -- true
done

#
# Signals
#

# A command that does as the signal says, unless it is ignored from the start, as HUP is
# under nohup: a command would wait for ever.
for signal in 1:HUP 15:TERM 10:USR1 12:USR2 14:ALRM; do
	# shellcheck disable=SC2016
	if { sh -c 'kill -"$0" "$$"' "${signal#*:}"; } 2>err; then
		echo "not checked: $signal, which is ignored here"
		continue
	fi
	begin command -f lock -- sh -c 'echo >runs-command; exec cat go-command'
	await_run command
	kill -"${signal#*:}" "$begun"
	wait "$begun" 2>err
	expect "$signal: it is handed on" is $? $((128 + ${signal%:*}))
done
# The shell has commands in the background ignore it.
begin command -f lock -- sh -c "$stay; exit 4" command
await_run command
kill -INT "$begun"
let_go command
wait "$begun"
expect 'INT that was ignored: stays so' is $? 4

# Nothing stops in a group of processes that no shell looks after, as in a gate.
sh -c 'kill -TSTP "$$"; : >goes-on' &
until [ -e goes-on ] ||
	sed 's/.*) //' "/proc/$!/stat" 2>/dev/null | grep -q '^T'; do
	:
done
kill -KILL $! 2>/dev/null
wait $! 2>/dev/null

if [ ! -e goes-on ]; then
	begin command -f lock -- sh -c "$stay" command
	await_run command
	for round in 1 2; do
		kill -TSTP "$begun"
		await_state "$begun" T
		await_state "$running" T
		ends_with 124 -t 0 -f lock -- true
		kill -CONT "$begun"
		await_state "$begun" SR
		await_state "$running" SR
	done
	let_go command
	wait "$begun"
	expect "TSTP and CONT, $round times: it ends" is $? 0
fi

# One that waits ends by itself, and nobody is held back.
begin reader -r -f lock -- sh -c "$stay" reader
reader=$begun
await_run reader
begin writer -w -f lock -- true
await_waiting 1
kill -TERM "$begun"
wait "$begun" 2>err
expect 'TERM while it waits: ends by it' is $? 143
ends_with 0 -r -t 0 -f lock -- true
let_go reader
wait "$reader"

#
# The page
#

"$evlock" --help | sed -n 's/^  \(-.\), \(--[a-z]*\).*/\1 \2/p' >options
expect 'the help has options' is "$(wc -l <options | tr -d ' ')" 10
while read -r short long; do
	expect "$page: has $short and $long" grep -q \
		"^\.It Fl ${short#-} .*Fl .-${long#--}" "$page"
done <options
expect "$page: has no others" is "$(grep -c '^\.It Fl' "$page")" 10
if command -v "${MANDOC:-mandoc}" >/dev/null 2>&1; then
	expect "$page: mandoc complains" "${MANDOC:-mandoc}" -Tlint -W warning \
		"$page"
else
	echo "no mandoc: the page was not checked with it"
fi

finish
