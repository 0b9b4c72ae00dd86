/* SPDX-License-Identifier: MIT */
/* For programs that are linked with the library whose pools hold one object each,
 * which is slow with many. */
#include "support.h"

size_t support_most = 2000;
