/* Puts the steps of a declared change together: for connectors that compile one. */
#ifndef TRANSHUME_CONNECTORS_COMMON_CHANGE_BUILDER_H
#define TRANSHUME_CONNECTORS_COMMON_CHANGE_BUILDER_H

#include "connectors/contract/change.h"

struct change_builder_list {
    struct change_step *items;
    uint32_t count;
    uint32_t capacity;
};

/* Zeroed but for `arena` and `change`, nothing is in it. All lives in the arena. */
struct change_builder {
    struct arena *arena;
    const struct change *change;
    uint32_t number; /* of the operation that steps are added for */
    struct change_builder_list phases[CHANGE_PHASE_COUNT];
    struct change_way *ways;
    uint32_t way_count;
    uint32_t way_capacity;
};

/* Adds a step behind those of its phase, zeroed but for phase, operation and title; it may be
 * changed until the next one is added. */
struct change_step *change_builder_step(struct change_builder *builder, enum change_phase phase,
                                        const char *title);
/* Says how the operation is carried out. `warning` may be NULL. */
void change_builder_way(struct change_builder *builder, const char *text, const char *warning);
/* All that was added, phase by phase. */
void change_builder_end(const struct change_builder *builder, struct change_plan *plan);

/* ERROR_CHANGE_INVALID or ERROR_CHANGE_REFUSED, with the place in the file. `at` may be NULL: the
 * operation's. */
enum status change_builder_fail(const struct change_builder *builder, enum error_code code,
                                const struct change_value *at, struct error *error,
                                const char *format, ...) PRINTF_LIKE(5, 6);

#endif
