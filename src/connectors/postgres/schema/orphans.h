/* Records that a foreign key finds no partner for, of a run that is to reject them. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_ORPHANS_H
#define TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_ORPHANS_H

#include "connectors/postgres/target.h"
#include "connectors/sql/orphans.h"

/* With the words of PostgreSQL's SQL, and nothing else. */
struct sql_orphans postgres_orphans(const struct postgres_database *self);
/*
 * Moves the records that break `references` (those that are `broken`, and what refers to what goes)
 * out of the tables that they touch, in one transaction of the control connection. None of the keys
 * that refer to these tables may be there, but for others'.
 */
enum status postgres_orphans_take(struct postgres_database *self, struct sql_reference *references,
                                  uint32_t count, struct error *error) MUST_USE;
/* For sql_orphans_append_words: `rows` is a PGresult. */
const char *postgres_orphans_cell(void *rows, uint32_t row, uint32_t column);
/* partnerless.c: sql_target_functions.partnerless */
enum status postgres_tell_partnerless(struct database *database, const struct target_table *table,
                                      struct buffer *out, struct buffer *unasked,
                                      struct error *error);

#endif
