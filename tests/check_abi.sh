#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Does build-aux/abi/interface see each kind of change, and ask for the libtool version
# that belongs to it?  With a small library in a tree of its own.  Needs abigail-tools
# and gcc; srcdir comes from make.  Needs no build.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac
top=$(cd "${srcdir:-$(dirname "$0")}/.." && pwd) || exit 1

for tool in abidw abidiff gcc; do
	command -v $tool >/dev/null || {
		echo "skipped: there is no $tool (packages abigail-tools, gcc)"
		exit 77
	}
done

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=/dev/null
. "${srcdir:-$(dirname "$0")}/expect.sh"
cd "$tmp" || exit 1

show_more()
{
	cat "$tmp/out"
}

interface()
{
	"$top/build-aux/abi/interface" "$1" . lib "$2" >out 2>&1
}

# refuses COMMAND VERSION PATTERN: and says so.
refuses()
{
	! interface "$1" "$2" && grep -q "$3" out
}

# skips COMMAND VERSION PATTERN: says what it did not look at, and that not all is well.
skips()
{
	status=0
	interface "$1" "$2" || status=$?
	is "$status" 77 && grep -q "$3" out && ! grep -q 'none since' out
}

# accepted WHAT COMMAND VERSION
accepted()
{
	what=$1
	shift
	expect "$what" interface "$@"
}

# refused WHAT COMMAND VERSION PATTERN
refused()
{
	what=$1
	shift
	expect "$what" refuses "$@"
}

# The small library, as it is before each change.
begin()
{
	cat >include/evdefer.h <<'END'
enum thing_mode { THING_READ, THING_WRITE };
struct thing_stats { int readers; };
struct thing;
struct thing *thing_new(enum thing_mode mode);
void thing_get_stats(struct thing *thing, struct thing_stats *stats);
END
	cat >thing.c <<'END'
#include "evdefer.h"
#include <stddef.h>
struct thing { struct thing_stats stats; };
void thing_change_(struct thing *thing);
struct thing *thing_new(enum thing_mode mode) { (void)mode; return NULL; }
void thing_get_stats(struct thing *t, struct thing_stats *stats) { *stats = t->stats; }
void thing_change_(struct thing *thing) { thing->stats.readers++; }
END
	printf 'EVDEFER_0.2 { global: thing_new; thing_get_stats; local: *; };
EVDEFER_PRIVATE { global: thing_change_; };\n' >thing.map
}

# change FILE SCRIPT: of sed's.
change()
{
	sed "$2" "$1" >changed && mv changed "$1"
}

build()
{
	for name in libevdefer libevdefer-cluster; do
		gcc "${1--g}" -O"${2-2}" -shared -fPIC -Iinclude -Wl,-soname,$name.so.0 \
			-Wl,--version-script=thing.map -o lib/$name.so thing.c ||
			exit 1
	done
}

release()
{
	printf 'What changed.\n\n%s\n  o Better.\n' "$1" >ChangeLog
}

mkdir include lib
begin
build
release '1.0.0 (unreleased)'
refused 'nothing to compare with: that is said' compare 0:0:0 'abi-update'
accepted 'a first interface' update 0:0:0
accepted 'the same' compare 0:0:0
build -g 0
accepted 'the same without optimization' compare 0:0:0
build -g0
refused 'without debugging information' compare 0:0:0 'build it with -g'

# Before the first release.
change include/evdefer.h 's/int readers/long readers/'
build
refused 'unreleased: a change is seen' compare 0:0:0 'is not released yet'
accepted 'unreleased: it may be any' update 0:0:0
accepted 'unreleased: then it is the one in the tree' compare 0:0:0
begin
build
accepted 'unreleased: the first again' update 0:0:0

# It is released.
release '1.0.0 (2001-02-03)'
accepted 'released: the same' compare 0:0:0
accepted 'released: the same with the next revision' compare 0:1:0
refused 'released: a revision too far' compare 0:2:0 'has to be 0:1:0'
refused 'released: a new current for nothing' compare 1:0:0 'has to be 0:1:0'
refused 'released: it is fixed' update 0:1:0 'is fixed'
accepted 'released: it is in the tree already' update 0:0:0
expect 'released: nothing is written then' is "$(cat build-aux/abi/version)" '1.0.0 0:0:0'

# Not all is built: what is there is compared, and nobody takes that for all.
rm lib/libevdefer-cluster.so
expect 'one library is not built' skips compare 0:0:0 'lack of libevdefer-cluster.so$'
expect 'it may be the one that has changed' skips compare 1:0:1 'libevdefer-cluster.so$'
refused 'an update without it' update 0:1:0 'part of the interface: libevdefer-cluster.so$'
rm lib/libevdefer.so
expect 'no library is built' skips compare 0:0:0 'libevdefer.so libevdefer-cluster.so$'
change include/evdefer.h 's/int readers/long readers/'
build
rm lib/libevdefer-cluster.so
refused 'the library that is built has changed' compare 0:0:0 'has to be 1:0:0'
begin
build
release '1.1.0 (unreleased)'
refused 'the next one, without a date: no update' update 0:1:0 'has a date for 1.1.0'

# What it keeps to itself may change.
begin
change thing.c 's/struct thing { /&long padding; /'
change thing.c 's/\(thing_change_(struct thing \*thing\))/\1, int by)/'
build
accepted 'private functions and structs' compare 0:0:0

# Additions.
begin
echo 'int thing_check(const struct thing *thing);' >>include/evdefer.h
echo 'int thing_check(const struct thing *thing) { return thing == NULL; }' >>thing.c
cp thing.c with-check.c
change thing.map 's/thing_new;/& thing_check;/'
build
refused 'an addition: the function is named' compare 0:0:0 thing_check
refused 'an addition: the version that it needs' compare 0:0:0 'has to be 1:0:1'
refused 'an addition: not as an incompatible change' compare 1:0:0 'has to be 1:0:1'
refused 'an addition to a node that was released' compare 1:0:1 'thing_check in EVDEFER_0.2'
change thing.map 's/thing_check;//'
echo 'EVDEFER_0.3 { global: thing_check; } EVDEFER_0.2;' >>thing.map
build
accepted 'an addition with a new age and a node of its own' compare 1:0:1
refused 'an addition, unreleased: no update' update 1:0:1 'has a date for 1.1.0'
begin
change include/evdefer.h 's/THING_WRITE/&, THING_UPGRADABLE/'
build
refused 'a new value of an enum' compare 0:0:0 'has to be 1:0:1'
accepted 'a new value of an enum with a new age' compare 1:0:1

# What breaks programs.  incompatible WHAT PATTERN
incompatible()
{
	build
	refused "$1: it is named" compare 0:0:0 "$2"
	refused "$1: the version that it needs" compare 0:0:0 'has to be 1:0:0'
	refused "$1: it is no addition" compare 1:0:1 'has to be 1:0:0'
	accepted "$1, with a new soname" compare 1:0:0
}

begin
change thing.c '/^void thing_get_stats/d'
change thing.map 's/thing_get_stats;//'
incompatible 'a function that is gone' 'thing_get_stats'
begin
change include/evdefer.h 's/thing_new(enum thing_mode mode)/thing_new(long mode)/'
change thing.c 's/thing_new(enum thing_mode mode)/thing_new(long mode)/'
incompatible 'a parameter of another type' 'thing_new'
begin
change include/evdefer.h 's/int readers;/& int writers;/'
incompatible 'a struct that grows' 'thing_stats'
begin
change include/evdefer.h 's/THING_READ, THING_WRITE/THING_WRITE, THING_READ/'
incompatible 'values of an enum that change places' 'THING_WRITE'
begin
change thing.map 's/EVDEFER_0.2/EVDEFER_0.3/'
incompatible 'another version node' 'EVDEFER_0.2'

# The next release.
begin
change include/evdefer.h 's/THING_WRITE/&, THING_UPGRADABLE/'
build
release '1.1.0 (2002-03-04)'
refused 'a release without a new version' update 0:0:0 'has to be 1:0:1'
accepted 'a release with a new version' update 1:0:1
accepted 'it is what later ones are compared with' compare 1:0:1
expect 'it is written down' is "$(cat build-aux/abi/version)" '1.1.0 1:0:1'
begin
build
refused 'what 1.1.0 added may not go' compare 1:0:1 'has to be 2:0:0'

finish
