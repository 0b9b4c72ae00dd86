#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mutants.sh: do the tests of the recipe find bugs?  Builds copies of lib/cluster, each
# with one of the bugs of mutants/*.patch.  The explorer has to find each, or, where it
# takes more than it comes to in that time, one of the unit tests.
#
# From the environment: srcdir (of tests), CC, CPPFLAGS, CFLAGS, LDFLAGS,
# EVDEFER_CFLAGS, EVDEFER_LIBS (of libevent, and what the library needs);
# CHECK_CFLAGS and CHECK_LIBS, empty without Check: there is the explorer alone;
# EXPLORE_SECONDS, the most for one; MUTANTS, only those whose names are like that.
set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

: "${srcdir:?}"
seconds=${EXPLORE_SECONDS:-30}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
number=0
failed=0
fake="fake fake_server fake_wire tree"
small=-DEVPOOL_ONE_BY_ONE=1
more=$small
# shellcheck source=/dev/null
. "$srcdir/build_mutants.sh"

link_all()
{
	link "$work/explore" "$work"/explorer/*.o "$work"/core/*.o \
	    "$work"/mutant/*.o || return 1
	[ -n "$CHECK_LIBS" ] || return 0
	for test in check_cluster check_cluster_loss check_cluster_end; do
		link "$work/$test" "$work/$test.o" "$work"/support/*.o \
		    "$work"/fake/*.o "$work"/core/*.o "$work"/mutant/*.o ||
		    return 1
	done
}

try_tests()
{
	[ -n "$CHECK_LIBS" ] || return 1
	for test in check_cluster check_cluster_loss check_cluster_end; do
		timeout 120 "$work/$test" >"$work/log" 2>&1 && continue
		echo "$1: found by $test:" \
		    "$(sed -n 's/.*:[FES]:[^:]*:\([a-z_]*\):.*/\1/p' \
			"$work/log" | head -n 1)"
		return 0
	done
	return 1
}

try_mutant()
{
	name=$1
	timeout $((seconds + 120)) "$work/explore" --seconds="$seconds" \
	    --quiet >"$work/out" 2>&1
	found=$(sed -n 's/^explore: found, //p' "$work/out")
	if [ -n "$found" ]; then
		echo "$name: found, $found"
	elif ! try_tests "$name"; then
		complain "$name: not found in $seconds s, nor by unit tests"
	fi
}

cp -R "$srcdir/../lib" "$work/sound"
rm -f "$work"/sound/cluster/zookeeper.c
compile "$work/sound" "$work/core" "$work"/sound/*.c || exit 1
compile "$work/sound" "$work/sound.o" "$work"/sound/cluster/*.c || exit 1
for source in $fake; do
	compile "$work/sound" "$work/fake" "$srcdir/cluster/$source.c" || exit 1
done
more="$small -DFAKE_IS_SMALL=1"
for source in $fake explore world scenarios judge fingerprint image; do
	compile "$work/sound" "$work/explorer" "$srcdir/cluster/$source.c" ||
	    exit 1
done
compile "$work/sound" "$work/explorer" "$srcdir/explore/states.c" \
    "$srcdir/clock.c" || exit 1
# shellcheck disable=SC2034
more=$small
if [ -n "$CHECK_LIBS" ]; then
	for source in alloc clock support waiters cluster/clusters; do
		compile "$work/sound" "$work/support" "$srcdir/$source.c" || exit 1
	done
	compile "$work/sound" "$work" "$srcdir/cluster/check_cluster.c" \
	    "$srcdir/cluster/check_cluster_loss.c" \
	    "$srcdir/cluster/check_cluster_end.c" || exit 1
fi

# A pattern of names.
# shellcheck disable=SC2231
for patch in "$srcdir"/cluster/mutants/${MUTANTS:-*}.patch; do
	name=$(basename "$patch" .patch)
	mutant "$patch" || continue
	cp -R "$work/sound.o" "$work/mutant"
	for source in "$work"/lib/cluster/*.c; do
		cmp -s "$source" "$work/sound/cluster/${source##*/}" ||
		    compile "$work/lib" "$work/mutant" "$source" || break
	done
	if ! link_all; then
		complain "$name: does not build"
	else
		try_mutant "$name"
	fi
done

echo "cluster-mutants: $number bugs, $((number - failed)) found"
[ "$failed" -eq 0 ]
