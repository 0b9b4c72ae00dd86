#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# chaos.sh MEMBER OUT: three servers of ZooKeeper, four members that hold locks at
# random, and in random order whatever may happen: members killed, stopped, continued and
# cut off; the server that one talks to, the leader, all servers killed or stopped, and
# going on; a follower cut from its leader.  A witness looks on: never two writers, never
# a writer beside a reader, unless the one inside did not run and was told, or refused
# by its token, before it could do anything; tokens rise; after each fault all go on.
#
# MEMBER is the program; what each has said is in OUT.  Ends with 0 if all held, 77 where
# there is no java or python3.
#
# From the environment: CHAOS_SECONDS (60), CHAOS_SEED; CHAOS_NAMESPACES=no does without
# network namespaces.
set -euo pipefail

case ${1-} in
'' | -h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

here=$(cd "$(dirname "$0")" && pwd)
if ! command -v python3 >/dev/null; then
	echo "skipped: there is no python3"
	exit 77
fi
mkdir -p "$2"
rm -f "$2"/*.log
member=$(cd "$(dirname "$1")" && pwd)/${1##*/}
out=$(cd "$2" && pwd)
seed=${CHAOS_SEED:-$RANDOM}
echo "chaos: ${CHAOS_SECONDS:-60} s, CHAOS_SEED=$seed, logs in $out"
namespaces=-n
[ "${CHAOS_NAMESPACES-}" != no ] || namespaces=
# shellcheck disable=SC2086 # none, or one
SERVERS_CONTAINERS=2000 exec "$here/servers.sh" $namespaces run 3 \
	python3 "$here/chaos.py" "$member" "$out" "${CHAOS_SECONDS:-60}" "$seed"
