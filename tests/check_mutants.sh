#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Does 'make mutants' tell what a test sees from what none sees?  With a library
# of one function and a test of it that leaves something to be wished for.
set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

tools=$(cd "${srcdir:-$(dirname "$0")}/mutants" && pwd) || exit 1
CC=${CC:-cc}
export CC
if ! command -v python3 >/dev/null; then
	echo 'skipped: there is no python3'
	exit 77
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=/dev/null
. "${srcdir:-$(dirname "$0")}/expect.sh"

show_more()
{
	cat "$out"
}

out=$tmp/out

says()
{
	grep -q -F -e "$1" "$out"
}

# mutants STATUS: all changes, with what is in $tmp/reasons.
mutants()
{
	(cd "$tmp/a tree/tests" && env LIBS= CPPFLAGS= CFLAGS=-O1 MUTANTS=100 \
	    MUTANTS_JOBS=1 python3 "$tools/run" --source=.. --library=../lib \
	    --out="$tmp/mutants" --tests="check_sum check_explore" --reasons="$tmp/reasons") \
	    > "$out" 2>&1
	status=$?
	expect "ends with $1" [ "$status" -eq "$1" ]
}

mkdir -p "$tmp/a tree/lib" "$tmp/a tree/tests/.libs" "$tmp/a tree/include"
cd "$tmp/a tree" || exit 1
echo 'X_1 { global: *; };' > lib/libevdefer.map
echo 'CPPFLAGS = -DEVSMALL=1' > lib/Makefile.am
cat > lib/sum.c << 'EOT'
#include <assert.h>
#include "sum-internal.h"
int sum_most = 1 + 1;
/* (a > 0) */
int
sum(int a, int b)
{
	int sum = 0;

	assert(a != b);
	if (a && is_small(b))
		sum = a +
		    b;
	return sum;
}
EOT
cat > lib/sum-internal.h << 'EOT'
static inline int
is_small(int number)
{
	return number == 2;
}
EOT
cat > tests/check_sum.c << 'EOT'
#include <stdio.h>
int sum(int a, int b);
int main(void)
{
	if (sum(1, 2) == 3)
		return 0;
	printf("not ok 1 - check_sum.c:sums:small:one and two\n");
	return 1;
}
EOT
echo 'exit 0' > tests/.libs/check_explore
chmod +x tests/.libs/check_explore
(cd lib && $CC -shared -fPIC -o libsum.so.0 sum.c &&
    $CC -o ../tests/.libs/check_sum ../tests/check_sum.c libsum.so.0) || exit 1
cp -R lib "$tmp/before"

: > "$tmp/reasons"
mutants 1
expect 'what is seen, and by which test' says 'sum.c:12: sum(): sum = a +  ->  sum = a -
     check_sum: small:one and two'
expect 'a statement that is dropped' says 'sum(): sum = a + b;  ->  ;'
expect 'a condition' \
    says 'sum(): if (a && is_small(b))  ->  if (!(a && is_small(b)))'
expect 'a header' says 'sum-internal.h:4: is_small(): return number == 2;  ->  return number != 2;'
expect 'what survives' \
    says 'sum.c:11: sum | if (a && is_small(b)) | if (a || is_small(b)) | '
expect 'and what else does' says 'sum | int sum = 0; | int sum = 1; | '
expect 'how many' \
    says 'mutants: 6 changes, 4 seen by a test, 0 that make no difference, 2 not seen'
expect 'the library is as before' diff -r "$tmp/before" lib

cat > "$tmp/reasons" << 'EOT'
# why
sum | if (a && is_small(b)) | if (a || is_small(b)) | a test | of this.
sum | int sum = 0; | int sum = 1; | Another.
EOT
mutants 0
expect 'those listed' says 'no difference: a test | of this.'
expect 'how many of them' \
    says 'mutants: 6 changes, 4 seen by a test, 2 that make no difference, 0 not seen'

echo 'sum | int sum = 2; | int sum = 1; | It was 2 once.' >> "$tmp/reasons"
mutants 1
expect 'what is listed and no longer there' says 'sum | int sum = 2;'

echo 'exit 3' > tests/.libs/check_sum
mutants 1
expect 'tests that fail by themselves' says 'check_sum fails without a change'

finish
