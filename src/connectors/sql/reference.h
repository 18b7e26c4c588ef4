/* Foreign keys that are to be made after a load, wherever they are told of. */
#ifndef TRANSHUME_CONNECTORS_SQL_REFERENCE_H
#define TRANSHUME_CONNECTORS_SQL_REFERENCE_H

#include "base/buffer.h"
#include "connectors/contract/target.h"

/* All borrowed of the target_table. */
struct sql_foreign_key {
    const char *name; /* NULL: one is made */
    struct column_list columns;
    const char *schema; /* where that is another one, and `table` "schema.table"; NULL */
    const char *table;
    struct column_list referenced; /* empty: the other table's key */
    const char *on_delete;         /* NULL: nothing is done */
    const char *on_update;
    const char *native_sql; /* all behind the name, as the source words it; NULL: none */
};

/* How many the table is to have: those of its source, if that is of the same engine, else those of
 * the plan. */
uint32_t sql_foreign_key_count(const struct target_table *table);
struct sql_foreign_key sql_foreign_key_of(const struct target_table *table, uint32_t number);
/* Its own name, or table_column, of at most `clip_bytes`, with the suffix and the number from 1. */
void sql_name_foreign_key(const struct target_table *table, const struct sql_foreign_key *key,
                          uint32_t number, const char *suffix, size_t clip_bytes, char *name,
                          size_t capacity);
/* " ON DELETE action ON UPDATE action": of those that SQL knows, whatever their case. */
void sql_append_actions(struct buffer *out, const char *on_delete, const char *on_update);

#endif
