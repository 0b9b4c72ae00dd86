#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A taste of 'make explore': few steps, in some seconds.
case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac
./check_explore --quiet --depth=4 --seconds=20 &&
	./check_explore --quiet --depth=4 --seconds=20 --upgrades &&
	./check_explore --quiet --depth=3 --seconds=20 --policies &&
	./check_explore --quiet --depth=3 --seconds=20 --groups
