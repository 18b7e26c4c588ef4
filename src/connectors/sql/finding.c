/* Records of a target's table, found by what names them. */
#include "connectors/sql/finding.h"
#include "connectors/sql/undo.h"

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

/* ---------------------------------------------------------------- what the engine calls */

static enum status finding_begin(struct sql_finding *finding, struct database *database,
                                 const struct target_table *table, enum sql_access access,
                                 struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    if (self->dialect->begin(self, access, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = sql_finding_begin(finding, table, error);
    finding->database = self;
    status = status == STATUS_OK ? self->dialect->describe(self, table->name, finding->arena,
                                                           &finding->facts, error)
                                 : status;
    status = status == STATUS_END ? sql_finding_no_table(finding) : status;
    if (status != STATUS_OK) {
        sql_finding_free(finding);
        return self->dialect->end(self, status, error);
    }
    return STATUS_OK;
}

static enum status delete_within(struct sql_finding *finding, const struct cell *keys,
                                 uint32_t key_count)
{
    struct sql_database *self = finding->database;
    const struct sql_dialect *dialect = self->dialect;
    bool silent = self->base.triggers_off;
    struct error ignored = {0};
    if (silent && dialect->silence(self, true, finding->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = dialect->delete_all(finding, keys, key_count);
    status = status == STATUS_OK ? dialect->check_claim(self, finding->error) : status;
    if (silent) {
        bool good = status == STATUS_OK;
        enum status back = dialect->silence(self, false, good ? finding->error : &ignored);
        status = good ? back : status;
    }
    return status;
}

enum status sql_delete_records(struct database *database, const struct target_table *table,
                               const struct cell *keys, uint32_t key_count, uint64_t *deleted,
                               struct error *error)
{
    struct sql_finding finding;
    *deleted = 0;
    if (finding_begin(&finding, database, table, SQL_WRITES, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (table->keeps_undo && table->key.count > 0) {
        finding.undo_name = sql_undo_name(finding.arena, finding.database->run_id, table->name);
    }
    enum status status = sql_end_between(finding.database, "before_delete", "after_delete",
                                         delete_within(&finding, keys, key_count), error);
    *deleted = status == STATUS_OK ? finding.deleted : 0;
    sql_finding_free(&finding);
    return status;
}

enum status sql_fetch(struct database *database, const struct target_table *table,
                      const struct cell *keys, uint32_t key_count, struct batch **made,
                      struct error *error)
{
    struct sql_finding finding;
    if (finding_begin(&finding, database, table, SQL_LOOKS, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct sql_dialect *dialect = finding.database->dialect;
    finding.batch = batch_create(NULL, 1, key_count + 1);
    enum status status = dialect->fetch_all(&finding, keys, key_count);
    status = dialect->end(finding.database, status, error);
    if (status == STATUS_OK) {
        *made = finding.batch;
    } else {
        batch_destroy(finding.batch);
    }
    sql_finding_free(&finding);
    return status;
}
