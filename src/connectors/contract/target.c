/* Questions about target tables that both sides of the contract ask. */
#include "connectors/contract/target.h"
#include <string.h>
#include <strings.h>

static bool begins_with(struct column_list columns, const char *name)
{
    return columns.count > 0 && strcasecmp(columns.names[0], name) == 0;
}

bool target_table_is_keyed(const struct target_table *table, const char *name)
{
    bool keyed = begins_with(table->key, name);
    for (uint32_t i = 0; !keyed && i < table->index_count; i++) {
        keyed = table->indexes[i].unique && begins_with(table->indexes[i].columns, name);
    }
    return keyed;
}

bool target_table_clears(const struct target_table *table, const char *column,
                         int (*compare)(const char *, const char *))
{
    bool found = false;
    for (uint32_t i = 0; table->clears_others && i < table->column_count && !found; i++) {
        found = compare(table->columns[i].name, column) == 0;
    }
    return found;
}

struct schema_column target_table_column(const struct target_table *table, const char *name)
{
    const struct schema_table *same = table->same_engine;
    const struct schema_column *columns = same != NULL ? same->columns : table->columns;
    uint32_t count = same != NULL ? same->column_count : table->column_count;
    struct schema_column found = {.name = name};
    for (uint32_t i = 0; i < count; i++) {
        found = strcmp(columns[i].name, name) == 0 ? columns[i] : found;
    }
    return found;
}

struct schema_column target_table_added_column(const struct target_table *table, const char *name)
{
    struct schema_column found = target_table_column(table, name);
    bool has_default =
        found.default_text != NULL || found.default_kind != SCHEMA_DEFAULT_NONE || found.identity;
    found.not_null = found.not_null && has_default;
    return found;
}

enum existing_policy target_table_policy(const struct target_table *table)
{
    return !table->created     ? table->existing
           : table->may_repeat ? EXISTING_REPLACE
                               : EXISTING_APPEND;
}

bool target_table_tracks(const struct target_table *table)
{
    enum existing_policy policy = target_table_policy(table);
    return !table->may_repeat && !table->keys_differ && policy != EXISTING_REFUSE &&
           policy != EXISTING_APPEND;
}

uint64_t after_load_records_written(const struct after_load_request *request,
                                    const struct target_table *table)
{
    return request->records_written == NULL ? UINT64_MAX
                                            : request->records_written[table - request->tables];
}
