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

complain()
{
	echo "mutants: $1"
	failed=$((failed + 1))
}

# What the programs of their own are built with, beside.
more=

# compile DIRECTORY SOURCE...: to objects there, with the headers of the copy.
compile()
{
	objects=$1
	shift
	mkdir -p "$objects"
	for source; do
		# The flags are lists of words.
		# shellcheck disable=SC2086
		$CC -D_GNU_SOURCE -DEVPOOL_ONE_BY_ONE=1 -I"$work/lib" \
		    -I"$srcdir/../include" -I"$srcdir" $CPPFLAGS \
		    $EVDEFER_CFLAGS $CHECK_CFLAGS $CFLAGS $more -c \
		    -o "$objects/$(basename "$source" .c).o" "$source" \
		    >"$work/log" 2>&1 && continue
		cat "$work/log"
		return 1
	done
}

# link PROGRAM OBJECT...
link()
{
	program=$1
	shift
	# shellcheck disable=SC2086
	$CC $CFLAGS -o "$program" "$@" $LDFLAGS $EVDEFER_LIBS $CHECK_LIBS \
	    >"$work/log" 2>&1 && return 0
	cat "$work/log"
	return 1
}

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
cp -R "$work/sound" "$work/lib"
rm -f "$work"/sound/cluster/zookeeper.c
compile "$work/core" "$work"/sound/*.c || exit 1
compile "$work/sound.o" "$work"/sound/cluster/*.c || exit 1
for source in $fake; do
	compile "$work/fake" "$srcdir/cluster/$source.c" || exit 1
done
more=-DFAKE_IS_SMALL=1
for source in $fake explore world scenarios judge fingerprint image; do
	compile "$work/explorer" "$srcdir/cluster/$source.c" || exit 1
done
compile "$work/explorer" "$srcdir/explore/states.c" "$srcdir/clock.c" || exit 1
more=
if [ -n "$CHECK_LIBS" ]; then
	for source in alloc clock support waiters cluster/clusters; do
		compile "$work/support" "$srcdir/$source.c" || exit 1
	done
	compile "$work" "$srcdir/cluster/check_cluster.c" \
	    "$srcdir/cluster/check_cluster_loss.c" \
	    "$srcdir/cluster/check_cluster_end.c" || exit 1
fi

# A pattern of names.
# shellcheck disable=SC2231
for patch in "$srcdir"/cluster/mutants/${MUTANTS:-*}.patch; do
	name=$(basename "$patch" .patch)
	number=$((number + 1))
	rm -rf "${work:?}/lib" "$work/mutant"
	cp -R "$work/sound" "$work/lib"
	cp -R "$work/sound.o" "$work/mutant"
	if ! (cd "$work" && patch -s -f -p0) <"$patch"; then
		complain "$name: the patch no longer applies; change $patch"
		continue
	fi
	for source in "$work"/lib/cluster/*.c; do
		cmp -s "$source" "$work/sound/cluster/${source##*/}" ||
		    compile "$work/mutant" "$source" || break
	done
	if ! link_all; then
		complain "$name: does not build"
	else
		try_mutant "$name"
	fi
done

echo "cluster-mutants: $number bugs, $((number - failed)) found"
[ "$failed" -eq 0 ]
