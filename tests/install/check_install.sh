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

# prints EXPECTED PROGRAM: it runs, and that is what it prints.
prints() {
	[ "$("$2")" = "$1" ]
}

# README's program, built by each of the ways in which others find the library.
quickstart='reader before    100 +  0 = 100
without the lock  60 +  0 = 60
reader after      60 + 40 = 100'

cmake_project() {
	cmake -S "$sources/cmake" -B cmake -DSOURCES="$sources" \
		-DEXAMPLES="$docdir/docs/examples" -DCOROUTINES="$coroutines" \
		-Devdefer_DIR="$libdir/cmake/evdefer" &&
		cmake --build cmake && prints "$quickstart" cmake/quickstart &&
		for program in inside quickstart_cxx; do
			[ ! -x "cmake/$program" ] ||
				prints "$quickstart" "cmake/$program" || exit 1
		done &&
		for program in cluster cluster_inside; do
			[ ! -x "cmake/$program" ] || "cmake/$program" || exit 1
		done
}

# By pkg-config; check_wrap.sh has the other way.
meson_project() {
	mkdir meson && cp "$sources/meson/meson.build" \
		"$docdir/docs/examples/quickstart.c" meson &&
		meson setup meson meson/build && meson compile -C meson/build &&
		prints "$quickstart" meson/build/quickstart
}

# cmake_refuses DIR MESSAGE ARGUMENTS: find_package(evdefer ARGUMENTS) says why not.
cmake_refuses() {
	rm -rf refused && mkdir refused && cat >refused/CMakeLists.txt <<-END
	cmake_minimum_required(VERSION 3.13)
	project(refused C)
	find_package(evdefer $3 REQUIRED)
	END
	! cmake -S refused -B refused/build -Devdefer_DIR="$1" >refused.log 2>&1 ||
		return 1
	cat refused.log
	tr -s ' \n' ' ' <refused.log | grep -q "$2"
}

cmake_refusals() {
	# As where the locks of machines were not built.
	mkdir -p "without/$(basename "$libdir")/cmake" &&
		cp -R "$libdir/cmake/evdefer" "$libdir"/libevdefer.* \
			"without/$(basename "$libdir")/cmake" &&
		mv without/*/cmake/libevdefer.* without/* &&
		rm -f without/*/cmake/evdefer/evdefer-cluster.cmake || return 1
	without=$(cd without/*/cmake/evdefer && pwd)
	cmake_refuses "$libdir/cmake/evdefer" 'version: 0' 999 &&
		cmake_refuses "$libdir/cmake/evdefer" 'version: 0' 0.1 &&
		cmake_refuses "$libdir/cmake/evdefer" 'no component orchard' \
			'COMPONENTS orchard' &&
		cmake_refuses "$without" 'libevdefer-cluster is not installed' \
			'0.2 COMPONENTS cluster'
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
	coroutines=yes
	try coroutines
else
	coroutines=no
	echo "installcheck: coroutines: left out, the compiler has none"
fi
try autotools_project
if command -v cmake >/dev/null; then
	try cmake_project
	try cmake_refusals
else
	echo "installcheck: cmake_project: left out, there is no cmake"
fi
if command -v meson >/dev/null; then
	try meson_project
else
	echo "installcheck: meson_project: left out, there is no meson"
fi
try evlock
if [ -f "$libdir/pkgconfig/evdefer-cluster.pc" ]; then
	try cluster
else
	echo "installcheck: cluster: left out, libevdefer-cluster was not installed"
fi
try links
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
