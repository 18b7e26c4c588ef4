/* Making things that may stand on each other, in an order that nobody knows before. */
#ifndef TRANSHUME_CONNECTORS_SQL_ROUNDS_H
#define TRANSHUME_CONNECTORS_SQL_ROUNDS_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * Makes the thing `number`: STATUS_OK: there it is; STATUS_AGAIN: not now, perhaps after others;
 * STATUS_END: it is not wanted. `last`: nothing comes after it that could help, so that what is
 * wrong may be told.
 */
typedef enum status (*sql_attempt)(void *context, uint32_t number, bool last);

/* Tries all of them again and again, until none more is made; then, if `tells`, those that are left
 * once more as the last. */
enum status sql_make_in_rounds(uint32_t count, bool tells, sql_attempt attempt, void *context,
                               struct error *error) MUST_USE;

#endif
