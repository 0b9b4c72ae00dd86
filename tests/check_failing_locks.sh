#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Random sequences of calls of the lock, with allocations that fail: for five
# seconds, others each day.
exec ./check_failing_locks --seconds=5 --seed="$(date +%Y%j)"
