#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Is what kvd --trace=FILE writes JSON, and do waits and holds nest in it?  With one
# loop, with three that have their locks in a group; and a disk
# that is full stops the trace and not kvd.  KVD in the environment is the daemon.
set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

tools=$(cd "${srcdir:-$(dirname "$0")}/trace" && pwd) || exit 1
KVD=${KVD:-../docs/kvd/kvd}
if ! command -v python3 >/dev/null; then
	echo 'skipped: there is no python3'
	exit 77
fi
if [ ! -x "$KVD" ]; then
	echo 'skipped: there is no kvd'
	exit 77
fi
tmp=$(mktemp -d) || exit 1
pid=
trap '[ -z "$pid" ] || kill -9 "$pid"; rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=/dev/null
. "${srcdir:-$(dirname "$0")}/expect.sh"

show_more()
{
	cat "$tmp/log"
}

# start OPTION...: until it listens, and says where.
start()
{
	rm -rf "$tmp/data"
	mkdir "$tmp/data"
	mkfifo "$tmp/said"
	"$KVD" --port=0 --dir="$tmp/data" --sync=never "$@" \
		>"$tmp/said" 2>"$tmp/log" &
	pid=$!
	IFS= read -r line <"$tmp/said"
	rm "$tmp/said"
	port=${line##*:}
}

# stop SIGNAL
stop()
{
	kill "-$1" "$pid"
	wait "$pid"
	status=$?
	pid=
}

for threads in 1 3; do
	start --threads="$threads" --trace="$tmp/trace.json"
	expect "clients of $threads loops" \
		python3 "$tools/clients.py" "$port" 8
	stop TERM
	expect "stopping $threads loops" test "$status" -eq 0
	expect "the trace of $threads loops" \
		python3 "$tools/check.py" "$tmp/trace.json"
	expect "the names of $threads loops" \
		grep -q "\"loop $((threads - 1))\"" "$tmp/trace.json"
done

start --trace=/dev/full
expect 'clients with a full disk' python3 "$tools/clients.py" "$port" 4
stop TERM
expect 'stopping with a full disk' test "$status" -eq 0
expect 'that it is said, once' \
	test "$(grep -c 'the trace has stopped' "$tmp/log")" -eq 1

"$KVD" --port=0 --dir="$tmp/data" --trace="$tmp/no/file" 2>"$tmp/log"
expect 'that a file cannot be opened' grep -q 'no/file: can.t open' "$tmp/log"

finish
