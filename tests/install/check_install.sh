#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check_install.sh SOURCES: builds and runs programs outside the tree against
# the installed library, found by nothing but 'pkg-config evdefer'.  CC, CXX,
# PKG_CONFIG, libdir, docdir, bindir and mandir (where the library, its pages and its
# programs were installed) come from make.
set -eu

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

: "${libdir:?}" "${docdir:?}" "${bindir:?}" "${mandir:?}" "${CC:?}" "${CXX:?}" "${PKG_CONFIG:?}"
sources=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"

PKG_CONFIG_PATH=$libdir/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export CC PKG_CONFIG PKG_CONFIG_PATH LD_LIBRARY_PATH

flags() {
	$PKG_CONFIG --cflags --libs "$@" evdefer
}

# The flags are lists of words.
# shellcheck disable=SC2046
c_shared() {
	$CC "$sources/program.c" -o c_shared $(flags) && ./c_shared
}

# shellcheck disable=SC2046
c_static() {
	$CC -static "$sources/program.c" -o c_static $(flags --static) &&
		./c_static
}

# shellcheck disable=SC2046
cplusplus() {
	cp "$sources/program.c" program.cc &&
		$CXX -Wall -Wextra -Werror program.cc -o cplusplus $(flags) &&
		./cplusplus
}

# shellcheck disable=SC2046
coroutines() {
	$CXX -std=c++20 -Wall -Wextra -Werror \
		"$docdir/docs/examples/quickstart_cxx.cc" -o coroutines \
		$(flags) && ./coroutines
}

autotools_project() {
	cp -R "$sources/project" project && chmod -R u+w project &&
		cp "$sources/program.c" project/ && cd project &&
		autoreconf --install && ./configure && make check
}

# Built where the client of the servers is.
# shellcheck disable=SC2046
cluster() {
	$CC -Wall -Wextra -Werror "$sources/cluster.c" -o cluster \
		$($PKG_CONFIG --cflags --libs evdefer-cluster) &&
		./cluster &&
		[ -f "$mandir/man3/evrwlock_new_in_cluster.3" ]
}

# list_links PAGE: those to other files.
list_links() {
	sed 's/](/\n](/g' "$1" | sed -n 's/^](\([^)#:]*\)[^):]*).*/\1/p'
}

# Each link from an installed page to another file leads somewhere.
links() {
	for page in "$docdir"/README.md "$docdir"/docs/*.md "$docdir"/docs/*/*.md; do
		list_links "$page" | while read -r link; do
			[ -z "$link" ] || [ -e "${page%/*}/$link" ] ||
				echo "$page: $link is not there"
		done
	done >broken-links
	cat broken-links
	[ ! -s broken-links ]
}

# It runs, and the page of what it is built on is beside its own.
evlock() {
	[ "$("$bindir/evlock" -t 1 --file lock -- echo locked)" = locked ] &&
		[ -f "$mandir/man1/evlock.1" ] &&
		[ -f "$mandir/man3/evrwlock_new_on_file.3" ]
}

passed=0
failed=0
try() {
	if ("$1") >log 2>&1 </dev/null; then
		echo "installcheck: $1: passed"
		passed=$((passed + 1))
	else
		cat log
		echo "installcheck: $1: FAILED"
		failed=$((failed + 1))
	fi
}

try c_shared
if [ -f "$libdir/libevdefer.a" ]; then
	try c_static
else
	echo "installcheck: c_static: left out, no static library was installed"
fi
try cplusplus
if echo '#include <coroutine>' | $CXX -std=c++20 -fsyntax-only -x c++ - \
	2>/dev/null; then
	try coroutines
else
	echo "installcheck: coroutines: left out, the compiler has none"
fi
try autotools_project
try evlock
if [ -f "$libdir/pkgconfig/evdefer-cluster.pc" ]; then
	try cluster
else
	echo "installcheck: cluster: left out, libevdefer-cluster was not installed"
fi
try links
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
