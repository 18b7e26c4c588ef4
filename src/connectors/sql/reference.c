/* Foreign keys that are to be made after a load. */
#include "connectors/sql/reference.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

uint32_t sql_foreign_key_count(const struct target_table *table)
{
    return table->same_engine != NULL ? table->same_engine->foreign_key_count
                                      : table->reference_count;
}

struct sql_foreign_key sql_foreign_key_of(const struct target_table *table, uint32_t number)
{
    const struct schema_table *same = table->same_engine;
    if (same == NULL) {
        const struct target_reference *from = &table->references[number];
        return (struct sql_foreign_key){.columns = from->columns,
                                        .table = from->table,
                                        .referenced = from->referenced_columns,
                                        .on_delete = from->on_delete,
                                        .on_update = from->on_update};
    }
    const struct schema_foreign_key *key = &same->foreign_keys[number];
    return (struct sql_foreign_key){.name = key->name,
                                    .columns = key->columns,
                                    .schema = key->references_schema,
                                    .table = key->references,
                                    .referenced = key->referenced_columns,
                                    .on_delete = key->on_delete,
                                    .on_update = key->on_update,
                                    .native_sql = key->native_sql};
}

void sql_name_foreign_key(const struct target_table *table, const struct sql_foreign_key *key,
                          uint32_t number, const char *suffix, size_t clip_bytes, char *name,
                          size_t capacity)
{
    char whole[512];
    if (key->name != NULL) {
        snprintf(name, capacity, "%s", key->name);
        return;
    }
    snprintf(whole, sizeof whole, "%s_%s", table->name, key->columns.names[0]);
    size_t length = text_clip(whole, strlen(whole), clip_bytes);
    snprintf(name, capacity, "%.*s%s%u", (int)length, whole, suffix, number + 1);
}

static void append_action(struct buffer *out, const char *event, const char *action)
{
    static const char *const actions[] = {"CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT",
                                          "NO ACTION"};
    for (size_t i = 0; action != NULL && i < sizeof actions / sizeof actions[0]; i++) {
        if (strcasecmp(actions[i], action) == 0) {
            buffer_format(out, " ON %s %s", event, actions[i]);
        }
    }
}

void sql_append_actions(struct buffer *out, const char *on_delete, const char *on_update)
{
    append_action(out, "DELETE", on_delete);
    append_action(out, "UPDATE", on_update);
}
