#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check_wrap.sh SOURCES EXAMPLES SUBPROJECTS: README's program, built by meson in a project
# that brings the library along, by what 'make wrap' has put into SUBPROJECTS, without
# the network where that can be taken away.
set -eu

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

if ! command -v meson >/dev/null; then
	echo "wrap-check: skipped, there is no meson"
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$1/meson/meson.build" "$2/quickstart.c" "$work"
cp -R "$3" "$work/subprojects"
cd "$work"

offline=
if unshare -rn true 2>/dev/null; then
	offline='unshare -rn'
else
	echo "wrap-check: the network is not taken away, which this system does not allow"
fi
if ! { $offline meson setup --wrap-mode=forcefallback build &&
	$offline meson compile -C build; } >log 2>&1; then
	tail -n 60 log
	exit 1
fi
[ "$(build/quickstart | tail -n 1)" = 'reader after      60 + 40 = 100' ]
# The library is inside.
if ldd build/quickstart | grep libevdefer; then
	exit 1
fi
echo "wrap-check: passed"
