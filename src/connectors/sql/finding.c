/* Records of a target's table, found by what names them. */
#include "connectors/sql/finding.h"

enum status sql_finding_no_memory(const struct sql_finding *finding)
{
    return error_set(finding->error, ERROR_MEMORY, finding->table->name,
                     "no memory for its records");
}

static void name_all_columns(struct sql_finding *finding)
{
    const struct target_table *table = finding->table;
    const char **names =
        arena_allocate_zeroed(finding->arena, (size_t)table->column_count + 1, sizeof *names);
    for (uint32_t i = 0; i < table->column_count; i++) {
        names[i] = table->columns[i].name;
    }
    finding->columns = (struct column_list){names, table->column_count};
}

enum status sql_finding_begin(struct sql_finding *finding, const struct target_table *table,
                              struct error *error)
{
    *finding = (struct sql_finding){.table = table,
                                    .columns = table->key,
                                    .arena = arena_create(0),
                                    .scratch = arena_create(0),
                                    .error = error};
    if (table->key.count == 0) {
        name_all_columns(finding);
    }
    return STATUS_OK;
}

void sql_finding_free(struct sql_finding *finding)
{
    arena_destroy(finding->arena);
    arena_destroy(finding->scratch);
    finding->arena = NULL;
    finding->scratch = NULL;
}

enum status sql_refuse_dropped(const char *table, struct error *error)
{
    error_set(error, ERROR_TARGET_SCHEMA, table, "the table is not in the target");
    error_hint(error, "it was dropped meanwhile: migrate again");
    return STATUS_FAILED;
}

enum status sql_finding_no_table(const struct sql_finding *finding)
{
    return sql_refuse_dropped(finding->table->name, finding->error);
}

enum status sql_finding_no_column(const struct sql_finding *finding, const char *name)
{
    return error_set(finding->error, ERROR_TARGET_SCHEMA, finding->table->name,
                     "the table has no column %s", name);
}

enum status
sql_finding_each(struct sql_finding *finding, const struct cell *keys, uint32_t key_count,
                 enum status (*one)(struct sql_finding *finding, const struct cell *cells))
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < key_count; i++) {
        arena_reset(finding->scratch);
        status = one(finding, &keys[(size_t)i * finding->columns.count]);
    }
    return status;
}
