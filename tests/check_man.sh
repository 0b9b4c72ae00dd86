#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Are the manual pages complete?  Each function that a public header declares, or that
# a library exports, has exactly one page, with its prototype and all its errors, and
# each other name leads to a page that has it.  No page is left over, all can be found
# from evdefer(3), all that they point to is there, and their examples compile and have
# no comment's stars.

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

# Prints "name code" for each error that the comment of a function, or the one that it
# leaves that to, tells of; "name ?" if there is errno, and no error.
list_errors()
{
	awk '
	function flush(   i, code, count) {
		count = split(codes, code, " ")
		for (i = 1; i <= count; i++)
			print name, code[i]
		if (count == 0 && tells && as == "")
			print name, "?"
	}
	/^\/\*\*/ { codes = ""; tells = 0; as = ""; comment = 1 }
	comment && /errno set/ { tells = 1 }
	comment && $2 == "@as" { as = $3 }
	comment && ($2 == "@errno" || $2 == "@fails") {
		for (i = 3; i <= NF && $i ~ /^E[A-Z0-9]+,?$/; i++)
			codes = codes " " $i
		gsub(/,/, "", codes)
	}
	comment && $2 == "@fn" { fn = $0 }
	/\*\// { comment = 0; next }
	!comment && /^[a-z#].*[a-z0-9_]\(/ && $0 !~ /^#(if|endif|else)|^typedef|_\(/ {
		name = $0
		if (name ~ /^#define/)
			sub(/^#define +/, "", name)
		sub(/\(.*/, "", name)
		sub(/.*[ *]/, "", name)
		if (name !~ /_$/)
			flush()
		codes = ""; tells = 0; as = ""
	}
	' "$@" | sort -u
}

# Prints a section of a page.
section_of()
{
	awk -v wanted="$1" '$1 == ".SH" {
		on = $0 == ".SH " wanted
		next
	} on' "$2"
}

# What is made from the headers: the build's or the tarball's, or else anew.
if [ -d ../docs/man/pages ]; then
	pages=../docs/man/pages
elif [ -d "$top/docs/man/pages" ]; then
	pages=$top/docs/man/pages
else
	pages=$tmp/pages
	mkdir "$pages"
	perl "$top/docs/man/make-pages" "$pages" "$top/docs/man/examples" \
	    "$top"/include/evdefer/*.h || exit 1
fi

list_declared "$top"/include/evdefer/*.h > "$tmp/declared"
list_errors "$top"/include/evdefer/*.h > "$tmp/errors"
# The names of each page: "name page", and the pages themselves: "page".
for page in "$pages"/*.3; do
	name=$(basename "$page" .3)
	target=$(sed -n '1s,^\.so man3/\(.*\)\.3$,\1,p' "$page")
	echo "$name ${target:-$name}"
	[ -n "$target" ] || echo "$name" >> "$tmp/pages_of_own"
done > "$tmp/named"

if [ ! -s "$tmp/declared" ] || [ ! -s "$tmp/named" ] || [ ! -s "$tmp/errors" ]; then
	echo "no headers or no pages in $top"
	exit 1
fi

check_function()
{
	if ! grep -q -x -e "$1" "$tmp/pages_of_own"; then
		fail "$1: has no page of its own"
	elif ! section_of NAME "$pages/$1.3" | grep -q -e "^$1 "; then
		fail "$1: its page has another name"
	elif ! section_of SYNOPSIS "$pages/$1.3" | grep -q -e "\<$1("; then
		fail "$1: no prototype in its page"
	elif ! section_of SYNOPSIS "$pages/$1.3" | grep -q -e '^#include <evdefer/'; then
		fail "$1: no header in its page"
	else
		pass
	fi
}

# From the headers to the pages.
while read -r kind name; do
	page=$(awk -v name="$name" '$1 == name { print $2 }' "$tmp/named")
	if [ -z "$page" ]; then
		fail "$kind $name: has no page"
	elif [ "$kind" = function ]; then
		check_function "$name"
	elif grep -q -e "\<$name\>" "$pages/$page.3"; then
		pass
	else
		fail "$kind $name: $page does not have it"
	fi
done < "$tmp/declared"

# What the libraries export.  A name with a _ at its end is for their own others.
sed -n 's/^[[:space:]]*\([a-z0-9_]*[a-z0-9]\);.*/\1/p' "$top"/lib/*.map > "$tmp/exported"
while read -r name; do
	check_function "$name"
done < "$tmp/exported"

# The errors.
while read -r name code; do
	if [ "$code" = '?' ]; then
		fail "$name: sets errno, and the header does not say to what"
	elif section_of ERRORS "$pages/$name.3" | grep -q -e "^.fB\(.*, \)*${code}[,\\\\]"; then
		pass
	else
		fail "$name: its page lacks $code"
	fi
done < "$tmp/errors"

# From the pages to the headers: what is of no name there is of a header itself, and
# has functions.
while read -r name page; do
	if grep -q -e " $name$" "$tmp/declared" || [ "$name" != "$page" ] ||
	    grep -q '^\.SH FUNCTIONS' "$pages/$page.3"; then
		pass
	else
		fail "$name: is declared in no header"
	fi
done < "$tmp/named"

# The way there: from the overview to the pages of headers, and from these to all.
while read -r page; do
	if grep -q '^\.SH FUNCTIONS' "$pages/$page.3"; then
		if grep -q -e "^\.Xr $page 3" "$top/docs/man/evdefer.3"; then
			pass
		else
			fail "$page: evdefer(3) does not point to it"
		fi
	elif grep -q -e "^.fB$page(3).fR" "$pages"/*.3; then
		pass
	else
		fail "$page: no page of a header lists it"
	fi
done < "$tmp/pages_of_own"

# What only looks like a call: O(1) is no function.
while read -r page; do
	if grep -q -e '\\fBO\\fR(' "$pages/$page.3"; then
		fail "$page: takes O() for a function"
	else
		pass
	fi
done < "$tmp/pages_of_own"

# What pages point to.
{
	grep -h -o -e '[A-Za-z_0-9]*\\fR([37])' "$pages"/*.3 | sed 's/.fR(/ /; s/)//'
	sed -n 's/^\.Xr \([^ ]*\) \([0-9]\).*/\1 \2/p' "$top"/docs/man/*.[137]
} | sort -u > "$tmp/references"
while read -r name section; do
	case $name in
	[eE][vV]*)
		if [ -f "$pages/$name.$section" ] ||
		    [ -f "$top/docs/man/$name.$section" ]; then
			pass
		else
			fail "$name($section): pages point to it, and it is not there"
		fi
		;;
	esac
done < "$tmp/references"

# Examples.
flags="-D_GNU_SOURCE -I$top/include $(pkg-config --cflags libevent_core)"
for example in "$top"/docs/man/examples/*.c; do
	name=$(basename "$example" .c)
	if ! section_of EXAMPLES "$pages/$name.3" | grep -q '#include'; then
		fail "$example: no page has it"
	elif section_of EXAMPLES "$pages/$name.3" | sed -n 1p | grep -q '^ *\*'; then
		fail "$name: its EXAMPLES begin with the star of a comment"
	else
		pass
	fi
	# shellcheck disable=SC2086 # flags
	if ${CC:-cc} ${CFLAGS-} $flags -Wno-unused-function -fsyntax-only "$example"; then
		pass
	else
		fail "$example: does not compile"
	fi
done

# The pages themselves.
skipped=no
if command -v "${MANDOC:-mandoc}" > /dev/null 2>&1; then
	for page in $(sed "s,.*,$pages/&.3," "$tmp/pages_of_own") "$top"/docs/man/*.[137]; do
		if "${MANDOC:-mandoc}" -Tlint -W warning "$page"; then
			pass
		else
			fail "$page: mandoc complains"
		fi
	done
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
