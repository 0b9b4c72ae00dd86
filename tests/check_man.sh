#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Are the manual pages complete?  Each function, macro, type of a callback and
# other name that a public header declares has to be in the NAME section of a
# page, have its prototype in the SYNOPSIS of the same page, and the other way
# round.  Needs no build.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac
LC_ALL=C
export LC_ALL

top=${srcdir:-$(dirname "$0")}/..
map=$top/lib/libevdefer.map
passed=0
failed=0

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

pass()
{
	passed=$((passed + 1))
}

fail()
{
	failed=$((failed + 1))
	echo "$*"
}

# Prints "kind name" for each public name that a header declares: kind is
# function, macro, type or struct.  A name with a _ at its end is private.
list_declared()
{
	awk '
	function emit(kind, name) {
		if (name !~ /_$/)
			print kind, name
	}
	# One declaration, without the bodies of its braces.
	function declaration(text,   name) {
		gsub(/__attribute__ *\(\(.*\)\)/, "", text)
		gsub(/[A-Z_]+_ *\([^()]*\)/, "", text)
		if (text ~ /^ *typedef/) {
			if (match(text, /\( *\* *[A-Za-z0-9_]+ *\)/)) {
				name = substr(text, RSTART, RLENGTH)
				gsub(/[^A-Za-z0-9_]/, "", name)
			} else {
				name = text
				gsub(/^.*[ *]/, "", name)
			}
			emit("type", name)
		} else if (match(text, /^ *(struct|union|enum) +[A-Za-z0-9_]+ *\{/)) {
			split(text, word, /[ {]+/)
			emit("struct", word[1] == "" ? word[3] : word[2])
		} else if (match(text, /[A-Za-z0-9_]+ *\(/)) {
			name = substr(text, RSTART, RLENGTH)
			gsub(/[^A-Za-z0-9_]/, "", name)
			emit("function", name)
		}
	}
	FNR == 1 { depth = 0; text = ""; hidden = 0; guard = "" }
	{
		line = $0
		while (continued || match(line, /\/\*/)) {
			start = continued ? 1 : RSTART
			rest = substr(line, continued ? 1 : RSTART + 2)
			if (!match(rest, /\*\//)) {
				line = substr(line, 1, start - 1)
				continued = 1
				break
			}
			line = substr(line, 1, start - 1) " " \
			    substr(rest, RSTART + 2)
			continued = 0
		}
	}
	# What only C++ sees declares nothing new.
	line ~ /^ *# *ifdef +__cplusplus/ { hidden = 1; next }
	hidden { if (line ~ /^ *# *endif/) hidden = 0; next }
	preprocessor || line ~ /^ *#/ {
		if (!preprocessor && line ~ /^ *# *define/) {
			sub(/^ *# *define +/, "", line)
			name = line
			sub(/[^A-Za-z0-9_].*/, "", name)
			if (name !~ /_H$/)
				emit("macro", name)
		}
		preprocessor = line ~ /\\$/
		next
	}
	{
		count = length(line)
		for (i = 1; i <= count; i++) {
			c = substr(line, i, 1)
			if (c == "{") {
				if (depth++ == 0)
					text = text c
			} else if (c == "}") {
				if (--depth == 0 && text !~ /^ *(struct|union|enum|typedef)/) {
					declaration(text)
					text = ""
				}
			} else if (depth > 0) {
				continue
			} else if (c == ";") {
				declaration(text)
				text = ""
			} else {
				text = text c
			}
		}
		text = text " "
	}
	' "$@" | sort -u
}

# Prints "name page" for each name in the NAME section of a page.
list_named()
{
	awk '
	FNR == 1 {
		page = FILENAME
		sub(/.*\//, "", page)
		section = ""
	}
	$1 == ".Sh" { section = $2 }
	section == "NAME" && $1 == ".Nm" { print $2, page }
	' "$@"
}

# Prints "name page" for each function and type with a prototype.
list_prototypes()
{
	awk '
	FNR == 1 {
		page = FILENAME
		sub(/.*\//, "", page)
		section = ""
	}
	$1 == ".Sh" { section = $2 }
	section == "SYNOPSIS" && ($1 == ".Fo" || $1 == ".Fn") {
		name = $2
		gsub(/[^A-Za-z0-9_]/, "", name)
		print name, page
	}
	' "$@"
}

has_line()
{
	grep -q -x -e "$1" "$2"
}

list_declared "$top"/include/evdefer.h "$top"/include/evdefer/*.h \
    > "$tmp/declared"
list_named "$top"/docs/man/*.3 > "$tmp/named"
list_prototypes "$top"/docs/man/*.3 > "$tmp/prototypes"

if [ ! -s "$tmp/declared" ] || [ ! -s "$tmp/named" ]; then
	echo "no headers or no pages in $top"
	exit 1
fi

# From the headers to the pages.
while read -r kind name; do
	page=$(awk -v name="$name" '$1 == name { print $2; exit }' \
	    "$tmp/named")
	if [ -z "$page" ]; then
		fail "$kind $name: in no NAME section"
	elif { [ "$kind" = function ] || [ "$kind" = type ]; } &&
	    ! has_line "$name $page" "$tmp/prototypes"; then
		fail "$kind $name: no prototype in $page"
	else
		pass
	fi
done < "$tmp/declared"

# From the pages to the headers.  The name of a page may be that of a type that
# is not declared further, or of the library.
while read -r name page; do
	if [ "$name.3" = "$page" ] || has_line "[a-z]* $name" "$tmp/declared"
	then
		pass
	else
		fail "$page: $name is declared in no header"
	fi
done < "$tmp/named"

cut -d ' ' -f 1 "$tmp/named" | sort | uniq -d > "$tmp/twice"
while read -r name; do
	fail "$name: in more than one NAME section"
done < "$tmp/twice"

# What the library exports.  A name with a _ at its end is for its own other libraries.
sed -n 's/^[[:space:]]*\([a-z0-9_]*[a-z0-9]\);.*/\1/p' "$map" > "$tmp/exported"
while read -r name; do
	if grep -q "^$name " "$tmp/named"; then
		pass
	else
		fail "$map: $name is in no NAME section"
	fi
done < "$tmp/exported"

# The pages themselves.
if command -v "${MANDOC:-mandoc}" > /dev/null 2>&1; then
	for page in "$top"/docs/man/*.3; do
		if "${MANDOC:-mandoc}" -Tlint -W warning "$page"; then
			pass
		else
			fail "$page: mandoc complains"
		fi
	done
	skipped=no
else
	echo "no mandoc: the pages were not checked with it"
	skipped=yes
fi

echo "$passed passed, $failed failed"
if [ "$failed" -gt 0 ]; then
	exit 1
fi
if [ "$skipped" = yes ]; then
	exit 77
fi
exit 0
