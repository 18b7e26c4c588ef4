/* Which value of an option stands: the command's, the plan's, or the default. */
#ifndef TRANSHUME_ENGINE_SESSION_OPTIONS_H
#define TRANSHUME_ENGINE_SESSION_OPTIONS_H

#include "engine/run/run.h"
#include <jansson.h>

/*
 * Fills what `options` leaves unset (0, NULL, -1) from the plan's `options:` (document NULL: none)
 * and then from the defaults, and notes rejects.is_said and rejects.planned. Texts are borrowed.
 * ERROR_BAD_VALUE names option and range.
 */
enum status options_resolve(struct run_options *options, const struct plan_document *document,
                            struct error *error) MUST_USE;

/* The most records that a run may reject, by either of the two options; -1: no bound. */
int64_t options_reject_bound(const struct run_options *options);
bool options_allow_rejects(const struct run_options *options, uint64_t rejected);

/* All of them by name, as they stand:
 * {"jobs":4,"memory":33554432,"time_zone":null,…,"include":[…]}. */
json_t *options_describe(const struct run_options *options);

/* Bytes that the rings may hold together, and that each side's caches may. */
uint64_t options_ring_bytes(const struct run_options *options);
uint64_t options_cache_bytes(const struct run_options *options);
/* Is there any mark to keep to? */
bool options_give_way(const struct run_options *options);

#endif
