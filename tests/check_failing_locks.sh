#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Random sequences of calls of the lock, with allocations that fail: for five
# seconds, others each day.
case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac
exec ./check_failing_locks --seconds=5 --seed="$(date +%Y%j)"
