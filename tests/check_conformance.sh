#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Does docs/conformance.md name tests that there are?  A name in backquotes with
# a _ in it, all in small letters, is that of a test of ours, unless it begins
# with test_; one that ends in _ stands for all that begin so.  The file is the
# last one named before it in the same paragraph, item or row, as in
# "check_later: `some_test`", or else the one that the section says:
# "without a file ... `tests/check_combine.c`".  Needs no build.

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
page=$top/docs/conformance.md

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# Prints "line file test" for each test that the page names; a - is no file.
list_named()
{
	awk '
	/^## / { section = "-" }
	# A sentence may go on in the next line, a row of a table does not.
	/^$/ || /^[|]/ || /^[-#]/ || /^[0-9]+[.]/ { file = ""; sentence = "" }
	{
		sentence = sentence " " $0
		if (match(sentence, /without a file.*`tests\/check_[a-z0-9_]+[.]c`/)) {
			section = substr(sentence, RSTART, RLENGTH)
			gsub(/.*`tests\/|[.]c`/, "", section)
			sentence = ""
		}
		rest = $0
		while (match(rest, /check_[a-z0-9_]+:( |$)|`[^`]+`/)) {
			word = substr(rest, RSTART, RLENGTH)
			rest = substr(rest, RSTART + RLENGTH)
			if (word ~ /^check_/) {
				file = word
				sub(/:.*/, "", file)
			} else if (word ~ /^`[a-z0-9]+(_[a-z0-9]*)+`$/ &&
			    word !~ /^`test_/) {
				gsub(/`/, "", word)
				print NR, file == "" ? section : file, word
			}
		}
	}' "$page"
}

# Prints "file test" for each test of Check.
list_tests()
{
	for file in "$top"/tests/check_*.c; do
		sed -n 's/^START_TEST(\([a-z0-9_]*\)).*/\1/p' "$file" |
			sed "s/^/$(basename "$file" .c) /"
	done
}

# Prints the files in tests/ that the page names.
list_files()
{
	tr '`' '\n' < "$page" | grep '^tests/' | sort -u
}

list_named > "$tmp/named"
list_tests > "$tmp/tests"
list_files > "$tmp/files"
if [ ! -s "$tmp/named" ] || [ ! -s "$tmp/tests" ]; then
	echo "no names in $page, or no tests in $top/tests"
	exit 1
fi

passed=0
failed=0
while read -r line file name; do
	case $name in
	*_) pattern="^$file $name" ;;
	*) pattern="^$file $name\$" ;;
	esac
	if grep -q "$pattern" "$tmp/tests"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "docs/conformance.md:$line: no test $name in $file"
	fi
done < "$tmp/named"

while read -r file; do
	if [ -e "$top/$file" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "docs/conformance.md: there is no $file"
	fi
done < "$tmp/files"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
