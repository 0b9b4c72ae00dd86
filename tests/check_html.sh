#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Does 'make html' write what it says, and does each link in it lead to something: to a
# file that is there, and to a place in it that has that name?  Needs mandoc and lowdown,
# and no network: links to elsewhere are not followed.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac
LC_ALL=C
export LC_ALL

top=$(cd "${srcdir:-$(dirname "$0")}/.." && pwd) || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
failed=0

fail()
{
	failed=$((failed + 1))
	echo "$*"
}

for tool in "${MANDOC:-mandoc}" "${LOWDOWN:-lowdown}"; do
	if ! command -v "$tool" > /dev/null 2>&1; then
		echo "no $tool: no HTML"
		exit 77
	fi
done
if [ -d ../docs/man/pages ]; then
	pages=$(cd ../docs/man/pages && pwd)
elif [ -d "$top/docs/man/pages" ]; then
	pages=$(cd "$top/docs/man/pages" && pwd)
else
	echo "no manual pages yet: make them first"
	exit 77
fi

# With folders whose names are relative.
ln -s "$pages" "$tmp/pages"
make_html()
{
	(cd "$tmp" && sh "$top/docs/make-html" "$top" pages html) > "$tmp/said"
}

# A program that fails, though the page that it leaves may be good for HTML.
for broken in 'false true' 'true false'; do
	if MANDOC=${broken% *} LOWDOWN=${broken#* } make_html; then
		fail "make-html ends well though a program fails: $broken"
	fi
done
make_html || fail "make-html failed"
[ "$(cat "$tmp/said")" = "$tmp/html/index.html" ] || fail "it says: $(cat "$tmp/said")"

# What has to be there.
for file in index.html docs/tutorial.html docs/design.html docs/choosing.html \
    docs/examples/index.html docs/examples/chain.c.html man/index.html \
    man/evdefer.3.html man/evdefer.7.html man/evlock.1.html
do
	[ -s "$tmp/html/$file" ] || fail "$file: is not there"
done
for page in "$pages"/*.3; do
	name=$(basename "$page")
	grep -q '^\.so ' "$page" || [ -s "$tmp/html/man/$name.html" ] ||
	    fail "man/$name.html: is not there"
done
grep -q 'href="\.\./man/evrwlock\.3\.html"' "$tmp/html/man/evrwlock_with.3.html" ||
    fail "a manual page does not lead to another one"

# "id file name" and "link file target" of all pages.
cd "$tmp/html" || exit 1
find . -name '*.html' | sed 's,^\./,,' | sort > "$tmp/files"
find . -type f | sed 's,^\./,file ,' > "$tmp/facts"
while read -r file; do
	grep -o ' id="[^"]*"' "$file" | sed "s,^ id=\"\(.*\)\"$,id $file \1,"
	grep -o -E ' (href|src)="[^"]*"' "$file" |
	    sed "s,^ [a-z]*=\"\(.*\)\"$,link $file \1,"
done < "$tmp/files" >> "$tmp/facts"

awk '
# The path that a link in a file leads to.
function resolve(file, path,   count, part, i, depth, kept, out) {
	sub(/[^\/]*$/, "", file)
	count = split(file path, part, "/")
	depth = 0
	for (i = 1; i <= count; i++) {
		if (part[i] == "..") {
			if (depth == 0)
				return "outside"
			depth--
		} else if (part[i] != "" && part[i] != ".") {
			kept[++depth] = part[i]
		}
	}
	out = kept[1]
	for (i = 2; i <= depth; i++)
		out = out "/" kept[i]
	return out
}
$1 == "file" { there[$2] = 1 }
$1 == "id" { place[$2 "#" $3] = 1 }
$1 == "link" && $3 !~ /^[a-z]+:/ { from[++links] = $2; to[links] = $3 }
END {
	for (i = 1; i <= links; i++) {
		path = to[i]
		name = ""
		if (match(path, /#/)) {
			name = substr(path, RSTART + 1)
			path = substr(path, 1, RSTART - 1)
		}
		file = path == "" ? from[i] : resolve(from[i], path)
		if (!(file in there))
			print from[i] ": leads to nothing: " to[i]
		else if (name != "" && !((file "#" name) in place))
			print from[i] ": no such place: " to[i]
	}
	print links + 0 > "/dev/stderr"
}' "$tmp/facts" > "$tmp/dead" 2> "$tmp/links"
while read -r line; do
	fail "$line"
done < "$tmp/dead"
[ "$(cat "$tmp/links")" -gt 1000 ] || fail "only $(cat "$tmp/links") links were found"

links=$(cat "$tmp/links")
echo "$((links - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
