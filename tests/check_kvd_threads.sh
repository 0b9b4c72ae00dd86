#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The tests of kvd a second time, with four loops in place of one.

set -u

case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac

if [ ! -x ./check_kvd ]; then
	echo "skipped: there is no check_kvd"
	exit 77
fi
KVD_THREADS=4
export KVD_THREADS
exec ./check_kvd
