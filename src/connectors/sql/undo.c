/* Names of tables of ours, and what of a table can be undone. */
#include "connectors/sql/undo.h"
#include "base/text.h"
#include "connectors/sql/check.h"
#include <stdio.h>
#include <string.h>

uint64_t sql_name_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* Two names of 63 bytes may begin alike: so a hash, in 20 digits at most. */
void sql_own_name(const char *prefix, const char *table, char name[SQL_OWN_NAME_BYTES])
{
    size_t length = strlen(prefix);
    memcpy(name, prefix, length);
    length += text_from_uint64(sql_name_hash(table), name + length);
    name[length] = '\0';
}

/* A run's id has 23 bytes. */
void sql_undo_prefix(const char *run_id, char prefix[SQL_OWN_NAME_BYTES])
{
    snprintf(prefix, SQL_OWN_NAME_BYTES, "_transhume_undo_%.26s_", run_id);
}

const char *sql_undo_name(struct arena *arena, const char *run_id, const char *table)
{
    char prefix[SQL_OWN_NAME_BYTES];
    sql_undo_prefix(run_id, prefix);
    return arena_format(arena, "%s%llu", prefix, (unsigned long long)sql_name_hash(table));
}

/* ---------------------------------------------------------------- what can be undone */

static bool is_not_null(const struct schema_table *schema, const char *name,
                        int (*compare_names)(const char *, const char *))
{
    for (uint32_t i = 0; i < schema->column_count; i++) {
        if (compare_names(schema->columns[i].name, name) == 0) {
            return schema->columns[i].not_null;
        }
    }
    return false;
}

const char *sql_undo_why_not(const struct schema_table *schema, const struct target_table *table,
                             uint32_t columns_max, int (*compare_names)(const char *, const char *))
{
    if (!sql_has_key(schema, table->key, compare_names)) {
        return "its key is not unique in the target";
    }
    for (uint32_t i = 0; i < table->key.count; i++) {
        if (!is_not_null(schema, table->key.names[i], compare_names)) {
            return "its key may be NULL in the target";
        }
    }
    return schema->column_count > columns_max
               ? "it has too many columns to keep what is overwritten"
               : NULL;
}
