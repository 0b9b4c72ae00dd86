#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check_wire.sh [FIRST LAST]: do the servers of the tests answer as real ones do?  The same calls
# (cluster/wire.c) have been answered by ZooKeeper 3.8 with what is in cluster/wire.txt.
# With SERVERS in the environment the same is asked of those, and beside, on both, calls by
# chance, of the seeds from FIRST to LAST.
#
# From the environment: srcdir.
case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

: "${srcdir:=$(dirname "$0")}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0
failed=0

# compare WHAT FILE FILE
compare()
{
	checks=$((checks + 1))
	diff "$2" "$3" >"$work/diff" && return
	failed=$((failed + 1))
	echo "check_wire.sh: $1: where they differ:"
	head -n 20 "$work/diff"
}

# of PROGRAM [SEED]: what it prints.
of()
{
	"$@" || echo "$* has failed"
}

{ of ./check_wire && of ./check_wire 1; } >"$work/fake"
compare "the fake and ZooKeeper 3.8" "$srcdir/cluster/wire.txt" "$work/fake"
if [ -n "${SERVERS-}" ]; then
	{ of cluster/wire && of cluster/wire 1; } >"$work/real"
	compare "ZooKeeper 3.8 and these servers" "$srcdir/cluster/wire.txt" \
		"$work/real"
	seed=${1:-2}
	while [ "$seed" -le "${2:-60}" ]; do
		of ./check_wire "$seed" >"$work/fake"
		of cluster/wire "$seed" >"$work/real"
		compare "the fake and these servers, seed $seed" "$work/fake" \
			"$work/real"
		seed=$((seed + 1))
	done
fi
echo "$(((checks - failed) * 100 / checks))%: Checks: $checks," \
	"Failures: $failed, Errors: 0"
[ "$failed" -eq 0 ]
