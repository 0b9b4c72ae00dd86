/* SPDX-License-Identifier: MIT */
/*
 * The settings that are explored, and what can be done in each.
 */
#ifndef EXPLORE_STEPS_H
#define EXPLORE_STEPS_H

#include "driver.h"

#define SETTINGS 30
extern const struct setting settings[SETTINGS];

/* Steps are numbered in each setting. */
#define STEPS 128

/* Fills in the steps of a setting, and returns how many there are. */
int steps_make(const struct setting *setting, struct step *steps);

#endif
