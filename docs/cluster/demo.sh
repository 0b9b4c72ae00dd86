#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# demo.sh PROGRAMS SERVERS_SH: a lock over machines at work, and what becomes of it when a
# machine stops, the leader of the servers dies, and a cable is pulled.  PROGRAMS is where
# keeper and daemon are.  Three servers of ZooKeeper on this machine; three daemons, each
# on a machine of its own where network namespaces may be made.  Ends with 0 if all held,
# with 77 where there is no java.
set -euo pipefail

case ${1-} in
'' | -h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

programs=$(cd "$1" && pwd)
if [ -z "${SERVERS_DIR-}" ]; then
	echo "Starting three servers of ZooKeeper ..."
	exec "$2" -n run 3 bash "$0" "$programs" "$2"
fi

NAMES='ann bob cay'
PATIENCE=60 # seconds for what takes a few
log=$SERVERS_DIR/daemons.log
counter=$SERVERS_DIR/counter
declare -A pids
failed=0

trap 'end $?' EXIT
trap 'exit 143' TERM INT HUP

end() {
	trap - EXIT
	# They may be stopped.
	kill -s KILL "${pids[@]}" 2>/dev/null || :
	exit "$1"
}

say() {
	printf '%5.1f s  %s\n' "$(seconds_since "$begun")" "$*"
}

# With a tenth, by the clock of the log.
now() {
	echo "$EPOCHREALTIME"
}

seconds_since() {
	awk -v a="$1" -v b="${2-$(now)}" 'BEGIN { printf "%.1f", b - a }'
}

# expect WHAT COMMAND...
expect() {
	local what=$1
	shift
	if "$@"; then
		say "  held: $what"
	else
		failed=$((failed + 1))
		say "  DID NOT HOLD: $what"
	fi
}

# The log: each line has the time, the name of a daemon, and what it does.

length() {
	wc -l <"$log"
}

# after LINE PATTERN: the first line after that one which matches, or nothing.
after() {
	tail -n +"$(($1 + 1))" "$log" | grep -m 1 -E "$2" || :
}

# await LINE PATTERN: until there is such a line; then says which.
await() {
	local end=$((SECONDS + PATIENCE))
	until [ -n "$(after "$1" "$2")" ]; do
		if [ "$SECONDS" -ge "$end" ]; then
			say "waited in vain for: $2"
			tail -n 15 "$log"
			return 1
		fi
		sleep 0.1
	done
	after "$1" "$2"
}

count_of() {
	tail -n +"$(($1 + 1))" "$log" | grep -c -E "$2" || :
}

# until_in LINE NAME: what it does from there on until it gets in.
until_in() {
	tail -n +"$(($1 + 1))" "$log" | awk -v who="$2" '$2 == who {
		if ($3 == "in")
			exit
		print
	}'
}

time_of() {
	echo "${1%% *}"
}

name_in() {
	local words
	read -ra words <<<"$1"
	echo "${words[1]}"
}

# Who is inside, if somebody is.
holder() {
	awk '$3 == "in" { who = $2 }
	    ($3 == "out" || $3 == "lost:") && $2 == who { who = "" }
	    END { print who }' "$log"
}

figures() {
	local name text=
	for name in $NAMES; do
		text+="  $name $(grep -c " $name wrote " "$log" || :)"
	done
	say "counter $(sed 's/ by.*//' "$counter" 2>/dev/null || echo 0)," \
		"written by$text, refused $(count_of 0 ' refused: ')"
}

watch() {
	local i
	for ((i = 0; i < $1; i++)); do
		sleep 1
		figures
	done
}

all_get_in() {
	local name
	for name in $NAMES; do
		await "$1" " $name in " >/dev/null || return 1
	done
}

start_all() {
	local name
	"$programs/keeper" "$SERVERS_DIR/keeper" "$counter" &
	pids[keeper]=$!
	until [ -S "$SERVERS_DIR/keeper" ]; do sleep 0.1; done
	for name in $NAMES; do
		"$SERVERS_SH" in "$name" "$programs/daemon" "$name" "$SERVERS" \
			"$SERVERS_DIR/keeper" >>"$log" &
		pids[$name]=$!
	done
}

# stop_holder: whom it has stopped, inside: $stopped.
stop_holder() {
	while :; do
		stopped=$(holder)
		if [ -n "$stopped" ]; then
			kill -s STOP "${pids[$stopped]}"
			[ "$(holder)" != "$stopped" ] || return 0
			kill -s CONT "${pids[$stopped]}"
		fi
		sleep 0.1
	done
}

# stay: somebody who is inside, and stays there: $stayed.
stay() {
	local end=$((SECONDS + PATIENCE))
	while stayed=$(holder) && [ -z "$stayed" ]; do sleep 0.05; done
	kill -s USR1 "${pids[$stayed]}"
	# It may have left just then, and comes again.
	until [ "$(holder)" = "$stayed" ]; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

#
# What is shown
#

stopped_holder() {
	local from since next

	echo
	echo "A daemon that holds the lock stops, as under a debugger, or in a machine"
	echo "that is being moved.  When its session has run out, the next one gets in."
	stop_holder
	from=$(length)
	since=$(now)
	say "$stopped is stopped, inside"
	next=$(await "$from" ' in with token') || exit 1
	say "$(name_in "$next") gets in, after $(seconds_since "$since" \
		"$(time_of "$next")") s"
	await "$from" " $(name_in "$next") wrote " >/dev/null || exit 1
	from=$(length)
	say "$stopped goes on, in the middle of a write"
	kill -s CONT "${pids[$stopped]}"
	await "$from" " $stopped refused:" | cut -d ' ' -f 2- | show || exit 1
	await "$from" " $stopped lost:" | cut -d ' ' -f 2- | show || exit 1
	all_get_in "$from" || exit 1
	expect "it was told, and wrote nothing until it was in again" \
		[ -z "$(until_in "$from" "$stopped" | grep ' wrote ')" ]
}

show() {
	while read -r line; do
		say "  $line"
	done
}

dead_leader() {
	local from leader since

	echo
	echo "The leader of the servers is killed.  The others choose a new one."
	from=$(length)
	leader=$("$SERVERS_SH" leader)
	stay || exit 1
	since=$(now)
	"$SERVERS_SH" kill "$leader"
	say "server $leader, the leader, is killed while $stayed is inside, and stays"
	until [ -n "$("$SERVERS_SH" leader)" ]; do sleep 0.2; done
	say "server $("$SERVERS_SH" leader) leads, after $(seconds_since "$since") s"
	# For longer than somebody whom no server hears would take it that he has it.
	watch 5
	kill -s USR1 "${pids[$stayed]}"
	all_get_in "$(length)" || exit 1
	say "$stayed has left, and all have been inside again"
	expect "nobody lost anything" [ "$(count_of "$from" ' (lost|refused):')" = 0 ]
	"$SERVERS_SH" start "$leader"
	"$SERVERS_SH" wait "$leader"
	say "server $leader is back"
}

cut_daemon() {
	local from since lost next

	echo
	if [ "$SERVERS_CUT" != yes ]; then
		echo "A daemon that is cut off: not shown, as no network namespaces may be" \
			"made here."
		return
	fi
	echo "The cable of a daemon that holds the lock is pulled.  It runs on, and knows"
	echo "by its own clock when to give up: before the servers let in the next one."
	stay || exit 1
	"$SERVERS_SH" cut "$stayed"
	from=$(length)
	since=$(now)
	say "$stayed is cut off, inside"
	lost=$(await "$from" " $stayed lost:") || exit 1
	say "it is told that it has lost the lock, after $(seconds_since "$since" \
		"$(time_of "$lost")") s"
	next=$(await "$from" ' in with token') || exit 1
	say "$(name_in "$next") gets in, after $(seconds_since "$since" \
		"$(time_of "$next")") s"
	expect "the loss was told before the next one got in" told_before "$lost" "$next"
	"$SERVERS_SH" mend "$stayed"
	from=$(length)
	all_get_in "$from" || exit 1
	expect "$stayed is back in the line" true
}

told_before() {
	awk -v a="$(time_of "$1")" -v b="$(time_of "$2")" \
		'BEGIN { exit !(a <= b) }'
}

close_all() {
	local name status
	echo
	for name in $NAMES; do
		kill -s TERM "${pids[$name]}"
	done
	for name in $NAMES; do
		status=0
		wait "${pids[$name]}" || status=$?
		expect "$name has ended well" [ "$status" = 0 ]
	done
	figures
	expect "the counter is the number of writes that were accepted" \
		[ "$(sed 's/ by.*//' "$counter")" = "$(count_of 0 ' wrote ')" ]
	expect "no token was lower than the one before" tokens_rise
}

tokens_rise() {
	awk '$3 == "wrote" { print $4, $7 }' "$log" | sort -n |
		awk '$2 < last { exit 1 } { last = $2 }'
}

begun=$(now)
: >"$log"
start_all
echo "Three daemons, $NAMES, share a counter.  Who writes holds the lock \"counter\","
echo "which the servers at $SERVERS know of."
echo
all_get_in 0 || exit 1
watch 4
stopped_holder
dead_leader
watch 2
cut_daemon
watch 2
close_all
echo
if [ "$failed" -gt 0 ]; then
	echo "$failed of these did not hold; what the daemons said:"
	cat "$log"
	exit 1
fi
echo "All held."
