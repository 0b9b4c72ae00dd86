#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mutants.sh: does the explorer find bugs?  Builds copies of the library, each
# with one of the bugs of mutants/*.patch, and explores each until a difference
# is found.  The test that is printed then has to fail with the bug, and to pass
# without it.
#
# From the environment: srcdir (of tests), CC, CPPFLAGS, CFLAGS, LDFLAGS,
# EVDEFER_CFLAGS, EVDEFER_LIBS (of libevent, and what the library needs);
# CHECK_CFLAGS and CHECK_LIBS, empty without Check: the tests are not tried
# then; EXPLORE_SECONDS, the most for one.
set -u

: "${srcdir:?}"
explore=$srcdir/explore
seconds=${EXPLORE_SECONDS:-60}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
number=0
failed=0

complain()
{
	echo "mutants: $1"
	failed=$((failed + 1))
}

# build PROGRAM LIB SOURCE...
build()
{
	program=$1
	lib=$2
	shift 2
	# The flags are lists of words.
	# shellcheck disable=SC2086
	$CC -D_GNU_SOURCE -I"$srcdir" -I"$srcdir/../include" -I"$lib" \
	    $CPPFLAGS $EVDEFER_CFLAGS $CHECK_CFLAGS $CFLAGS -o "$program" \
	    "$@" "$lib"/*.c $LDFLAGS $EVDEFER_LIBS $CHECK_LIBS \
	    >"$work/log" 2>&1 && return 0
	cat "$work/log"
	return 1
}

# try_test NAME: what the explorer printed is a test of this bug.
try_test()
{
	sed '1,/^explore: as a test:$/d' "$work/$1.out" >"$work/$1.c"
	set -- "$1" "$work/$1.c" "$srcdir/support.c" "$srcdir/clock.c" \
	    "$srcdir/alloc.c"
	name=$1
	shift
	if ! build "$work/with" "$work/lib" "$@" ||
	    ! build "$work/without" "$work/sound" "$@"; then
		complain "$name: the test that was printed does not build"
		return
	fi
	if (cd "$work" && timeout 60 ./with) >/dev/null 2>&1; then
		complain "$name: the test that was printed does not fail"
	elif ! (cd "$work" && timeout 60 ./without) >"$work/log" 2>&1; then
		cat "$work/log"
		complain "$name: the test that was printed fails without it"
	fi
}

# explore NAME
explore()
{
	name=$1
	timeout $((seconds + 60)) "$work/explore" --seconds="$seconds" \
	    >"$work/$name.out" 2>&1
	difference=$(sed -n 's/^explore: found a difference, //p' \
	    "$work/$name.out")
	if [ -z "$difference" ]; then
		tail -n 3 "$work/$name.out"
		complain "$name: not found in $seconds s"
		return
	fi
	echo "$name: found: $difference"
	[ -z "$CHECK_LIBS" ] || try_test "$name"
}

mkdir "$work/sound"
cp "$srcdir"/../lib/*.[ch] "$work/sound"

for patch in "$explore"/mutants/*.patch; do
	name=$(basename "$patch" .patch)
	number=$((number + 1))
	rm -rf "${work:?}/lib"
	cp -R "$work/sound" "$work/lib"
	if ! (cd "$work" && patch -s -f -p0) <"$patch"; then
		complain "$name: the patch no longer applies; change $patch"
	elif ! build "$work/explore" "$work/lib" "$srcdir/alloc.c" \
	    "$explore"/*.c; then
		complain "$name: does not build"
	else
		explore "$name"
	fi
done

echo "explore-mutants: $number bugs, $((number - failed)) found, and the" \
    "tests printed for them tried"
[ "$failed" -eq 0 ]
