#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A taste of 'make explore': few steps, in less than five seconds.
exec ./check_explore --quiet --depth=4 --seconds=20
