#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mutants.sh: does the explorer find bugs?  Builds copies of the library, each
# with one of the bugs of mutants/*.patch, and explores each until a difference
# is found, in groups or with upgrades or policies where the name of the patch says so.
# The test that is printed then has to fail with the bug, and to pass without it.
#
# From the environment: srcdir (of tests), CC, CPPFLAGS, CFLAGS, LDFLAGS,
# EVDEFER_CFLAGS, EVDEFER_LIBS (of libevent, and what the library needs);
# CHECK_CFLAGS and CHECK_LIBS, empty without Check: the tests are not tried
# then; EXPLORE_SECONDS, the most for one; MUTANTS, only those whose names are like that.
set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

: "${srcdir:?}"
explore=$srcdir/explore
seconds=${EXPLORE_SECONDS:-60}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
number=0
failed=0
# The library is the small one, with what configure finds.
# shellcheck disable=SC2034 # build_mutants.sh reads it
more=$(grep -o -e '-DEV[A-Z_]*=[0-9]*' "$srcdir/../lib/Makefile.am")
if echo '#include <linux/membarrier.h>' | $CC -E - >/dev/null 2>&1; then
	more="$more -DHAVE_LINUX_MEMBARRIER_H=1"
fi
# shellcheck source=/dev/null
. "$srcdir/build_mutants.sh"

# The library with the bug: only what the patch changed is compiled again, or
# all of it after a change in a header.
compile_mutant()
{
	for source in "$work"/lib/*.h; do
		cmp -s "$source" "$work/sound/${source##*/}" && continue
		compile "$work/lib" "$work/mutant" "$work"/lib/*.c
		return
	done
	cp -R "$work/sound.o" "$work/mutant"
	for source in "$work"/lib/*.c; do
		cmp -s "$source" "$work/sound/${source##*/}" && continue
		compile "$work/lib" "$work/mutant" "$source" || return 1
	done
}

# try_test NAME: what the explorer printed is a test of this bug.
try_test()
{
	sed '1,/^explore: as a test:$/d' "$work/$1.out" >"$work/$1.c"
	name=$1
	if ! compile "$work/sound" "$work/test" "$work/$name.c" ||
	    ! link "$work/with" "$work/test/$name.o" "$work"/support/*.o \
		"$work"/mutant/*.o ||
	    ! link "$work/without" "$work/test/$name.o" "$work"/support/*.o \
		"$work"/sound.o/*.o; then
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
	case $name in
	group-*) set -- --groups ;;
	upgrade-*) set -- --upgrades ;;
	policy-*) set -- --policies ;;
	*) set -- ;;
	esac
	timeout $((seconds + 60)) "$work/explore" --seconds="$seconds" "$@" \
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
compile "$work/sound" "$work/sound.o" "$work"/sound/*.c || exit 1
compile "$work/sound" "$work/explorer" "$srcdir/alloc.c" "$srcdir/clock.c" \
    "$explore"/*.c || exit 1
# The main function of another program.
rm "$work/explorer/failing.o"
[ -z "$CHECK_LIBS" ] || compile "$work/sound" "$work/support" \
    "$srcdir/support.c" "$srcdir/clock.c" "$srcdir/alloc.c" \
    "$explore/site.c" || exit 1

# A pattern of names.
# shellcheck disable=SC2231
for patch in "$explore"/mutants/${MUTANTS:-*}.patch; do
	name=$(basename "$patch" .patch)
	mutant "$patch" || continue
	if ! compile_mutant || ! link "$work/explore" "$work"/explorer/*.o \
	    "$work"/mutant/*.o; then
		complain "$name: does not build"
	else
		explore "$name"
	fi
done

echo "explore-mutants: $number bugs, $((number - failed)) found, and the" \
    "tests printed for them tried"
[ "$failed" -eq 0 ]
