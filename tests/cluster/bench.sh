#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench.sh BENCH OUT: measures locks of a cluster beside kazoo's and Curator's, with three
# servers of ZooKeeper on loopback that all share.  A round does each work once with each
# contender; ratios are taken in each round, and the targets compared with their medians.
# docs/performance.md says more.
#
# BENCH is the program; the figures go to OUT/cluster.json.  Ends with 77 where there is
# no java or python3.
#
# From the environment: BENCH_ROUNDS (5); with BENCH_SAVE=1 the figures go to
# docs/performance.md.
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
bench=$(cd "$(dirname "$1")" && pwd)/${1##*/}
exec "$here/servers.sh" run 3 python3 "$here/bench.py" "$bench" \
	"$(cd "$2" && pwd)" "${BENCH_ROUNDS:-5}"
