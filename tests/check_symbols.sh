#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Does each library export what its map in lib/ names, in the version node that it
# stands in there, and nothing else?  And does a program's own dependence on a node
# follow from the map: is each node but the private one that of a release?  That a
# symbol beyond the map is seen is shown with a small library.
#
# From the environment: srcdir, LIBRARY (the built libevdefer.so), CC.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac
LC_ALL=C
export LC_ALL

lib=${srcdir:-$(dirname "$0")}/../lib
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=/dev/null
. "${srcdir:-$(dirname "$0")}/expect.sh"

# list_named MAP: "name@@NODE" for each name in it.
list_named()
{
	awk '
	/{$/ { node = $1 }
	/^[ \t]*[a-z0-9_]+;$/ { sub(/;/, "", $1); print $1 "@@" node }
	' "$1" | sort
}

# list_exported LIBRARY: the same; nodes themselves are absolute.
list_exported()
{
	nm -D --defined-only --with-symbol-versions "$1" |
		awk '$2 != "A" { print $3 }' | sort
}

# list_differences LIBRARY MAP
list_differences()
{
	list_named "$2" >"$tmp/named"
	list_exported "$1" >"$tmp/exported"
	comm -23 "$tmp/named" "$tmp/exported" | sed 's/$/: in the map, not exported/'
	comm -13 "$tmp/named" "$tmp/exported" | sed 's/$/: exported, not in the map/'
}

# check_library LIBRARY MAP
check_library()
{
	map=$lib/$2
	expect "$2: as exported" is '' "$(list_differences "$1" "$map")"
	expect "$2: some were compared" is true "$([ -s "$tmp/exported" ] && echo true)"
	expect "$2: names with a _ at the end are in the private node alone" is '' \
	    "$(grep -v '_PRIVATE$' "$tmp/named" | grep '_@')$(grep '[^_]@@.*_PRIVATE$' "$tmp/named")"
	expect "$2: nodes of releases" is '' \
	    "$(sed 's/.*@@//' "$tmp/named" | sort -u | grep -vE '_([0-9]+\.[0-9]+|PRIVATE)$')"
}

nm --help 2>&1 | grep -q with-symbol-versions || {
	echo "skipped: there is no nm that knows versions (package binutils)"
	exit 77
}
[ -f "${LIBRARY-}" ] || {
	echo "skipped: no shared library was built"
	exit 77
}
check_library "$LIBRARY" libevdefer.map
cluster=${LIBRARY%.so}-cluster.so
if [ -f "$cluster" ]; then
	check_library "$cluster" libevdefer-cluster.map
else
	echo "left out: libevdefer-cluster is not built"
fi

# Are these seen?
printf 'SMALL_0.1 {\nglobal:\n\tsmall_new;\n\tsmall_free;\n};\n' >"$tmp/small.map"
echo 'int small_new(void); int small_new(void) { return 0; }
int small_more(void); int small_more(void) { return 0; }' >"$tmp/small.c"
printf 'SMALL_0.1 {\nglobal:\n\tsmall_new;\n};\n' >"$tmp/linked.map"
${CC:-cc} -shared -fPIC -Wl,--version-script="$tmp/linked.map" -o "$tmp/small.so" "$tmp/small.c"
expect 'a symbol beyond the map, without a version, and one that is not there' is \
    "small_free@@SMALL_0.1: in the map, not exported
small_more: exported, not in the map" \
    "$(list_differences "$tmp/small.so" "$tmp/small.map")"

finish
