#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A taste of 'make cluster-explore': some seconds.
case ${1-} in
-h | --help)
	sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
	exit
	;;
esac
./check_cluster_explore --quiet --seconds=15
