#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# strangers.sh BENCH OUT: kazoo's and Curator's locks beside ours on the same server, at
# the same time, two processes of each.  Each kind counts in a file of its own under its
# lock; no count is lost, no reader sees a writer, and nobody disturbs the others.
#
# BENCH is the program, OUT for what is compiled.  Ends with 77 where there is no java.
set -euo pipefail

case ${1-} in
'' | -h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

here=$(cd "$(dirname "$0")" && pwd)
TIMES=60

if [ -z "${SERVERS_DIR-}" ]; then
	mkdir -p "$2"
	exec "$here/servers.sh" run 1 bash "$0" "$(realpath "$1")" "$(realpath "$2")"
fi

failed=0
kinds=
pids=

# kind NAME PATH COMMAND...: two of them.
kind() {
	local name=$1 path=$2
	shift 2
	kinds="$kinds $name"
	echo 0 >"$SERVERS_DIR/$name.count"
	for _ in 1 2; do
		COUNT_FILE=$SERVERS_DIR/$name.count timeout 120 "$@" "$SERVERS" count "$path" \
			$TIMES </dev/null &
		pids="$pids $!"
	done
}

kind ours strangers "$1"
for python in python3 /usr/bin/python3; do
	"$python" -c 'import kazoo' 2>/dev/null || continue
	kind kazoo /strangers/kazoo "$python" "$here/peers/kazoo_peer.py"
	break
done
[[ $kinds == *kazoo* ]] || echo "skipped: kazoo (python3-kazoo)"
if curator=$("$here/peers/curator.sh" "$2"); then
	read -ra command <<<"$curator"
	kind Curator /strangers/curator "${command[@]}"
else
	echo "skipped: Curator ($curator)"
fi
for pid in $pids; do
	wait "$pid" || failed=$((failed + 1))
done
for name in $kinds; do
	count=$(<"$SERVERS_DIR/$name.count")
	echo "$name: counted $count of $TIMES"
	[ "$count" = "$TIMES" ] || failed=$((failed + 1))
done
[ "$failed" = 0 ]
