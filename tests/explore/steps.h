/* SPDX-License-Identifier: MIT */
/*
 * The settings that are explored, and what can be done in each.
 */
#ifndef EXPLORE_STEPS_H
#define EXPLORE_STEPS_H

#include "driver.h"

#define SETTINGS 58
extern const struct setting settings[SETTINGS];

/* Are its locks fair, or are their readers limited? */
bool setting_has_policy(const struct setting *setting);

/* Steps are numbered in each setting. */
#define STEPS 128

/* Fills in the steps of a setting, and returns how many there are. */
int steps_make(const struct setting *setting, struct step *steps);

#endif
