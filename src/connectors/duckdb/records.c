/* Records of the target by key: reading and deleting them, and whole tables of a run's. */
#include "connectors/duckdb/target.h"
#include "connectors/sql/rollback.h"
#include <string.h>

static struct duckdb_database *database_of(const struct sql_finding *finding)
{
    return duckdb_database_of(&finding->database->base);
}

/* ---------------------------------------------------------------- conditions */

struct conditions {
    struct buffer *sql;
};

static enum status append_column(void *context, const char *name)
{
    const struct conditions *conditions = context;
    duckdb_append_name(conditions->sql, name);
    return STATUS_OK;
}

/* " WHERE (…)": one of the keys, each of `finding->columns`. */
static enum status append_where(struct sql_finding *finding, struct buffer *sql,
                                const struct cell *keys, uint32_t count)
{
    const struct sql_by_key_words words = duckdb_by_key_words(finding->database);
    const struct read_request request = {.name = finding->table->name,
                                         .table = finding->table->name,
                                         .root_key = finding->columns,
                                         .keys = keys,
                                         .key_count = count};
    struct conditions conditions = {sql};
    buffer_append_string(sql, " WHERE ");
    return sql_append_by_key(&request, &words, append_column, &conditions, sql, finding->error);
}

/* ---------------------------------------------------------------- reading */

static enum status add_rows(struct duckdb_rows *rows, const struct duckdb_table *table,
                            struct batch *batch, struct error *error)
{
    const struct duckdb_library *library = rows->database->library;
    uint32_t width = table->schema->column_count;
    uint32_t count = (uint32_t)rows->count;
    const char **names = arena_allocate_zeroed(batch->arena, (size_t)width + 1, sizeof *names);
    struct cell *cells =
        arena_allocate_zeroed(batch->arena, (size_t)count * width + 1, sizeof *cells);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < width; i++) {
        names[i] = table->schema->columns[i].name;
        status =
            duckdb_read(library, &table->forms[i], library->data_chunk_get_vector(rows->chunk, i),
                        0, count, batch->arena, cells + i, width, error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        batch_make_document(batch, names, cells + (size_t)i * width, width, batch_append(batch));
    }
    return status;
}

static enum status read_rows(struct duckdb_database *self, struct buffer *sql,
                             const struct duckdb_table *table, struct batch *batch,
                             struct error *error)
{
    struct duckdb_rows rows;
    enum status status = duckdb_rows_open(&rows, self, self->control, buffer_string(sql), NULL,
                                          ERROR_TARGET_INVALID, error);
    while (status == STATUS_OK) {
        status = duckdb_rows_next(&rows, ERROR_TARGET_INVALID, error);
        if (status == STATUS_OK) {
            status = add_rows(&rows, table, batch, error);
        }
    }
    duckdb_rows_close(&rows);
    return status == STATUS_END ? STATUS_OK : status;
}

static void append_select(struct buffer *sql, const struct duckdb_table *table)
{
    buffer_append_string(sql, "SELECT ");
    for (uint32_t i = 0; i < table->schema->column_count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        duckdb_append_selected(sql, &table->forms[i], NULL, table->schema->columns[i].name);
    }
    buffer_append_string(sql, " FROM ");
}

enum status duckdb_read_records(struct sql_database *self, const struct sql_table *table,
                                const char *from, struct batch *batch, struct error *error)
{
    struct buffer sql = {0};
    append_select(&sql, duckdb_facts_of(table));
    buffer_append_string(&sql, from);
    enum status status =
        read_rows(duckdb_database_of(&self->base), &sql, duckdb_facts_of(table), batch, error);
    buffer_free(&sql);
    return status;
}

enum status duckdb_fetch_all(struct sql_finding *finding, const struct cell *keys,
                             uint32_t key_count)
{
    const struct duckdb_table *table = duckdb_facts_of(&finding->facts);
    enum status status = STATUS_OK;
    for (uint32_t first = 0; status == STATUS_OK && first < key_count; first += READ_KEYS_MAX) {
        uint32_t count = key_count - first < READ_KEYS_MAX ? key_count - first : READ_KEYS_MAX;
        struct buffer sql = {0};
        append_select(&sql, table);
        duckdb_append(&sql, "%t", finding->database, finding->table->name);
        status = append_where(finding, &sql, keys + (size_t)first * finding->columns.count, count);
        status = status == STATUS_OK
                     ? read_rows(database_of(finding), &sql, table, finding->batch, finding->error)
                     : status;
        buffer_free(&sql);
    }
    return status;
}

/* ---------------------------------------------------------------- deleting */

static enum status delete_some(struct sql_finding *finding, const struct cell *keys, uint32_t count)
{
    struct buffer sql = {0};
    uint64_t changed = 0;
    bool keyless = finding->table->key.count == 0;
    duckdb_append(&sql, "DELETE FROM %t", finding->database, finding->table->name);
    if (keyless) {
        /* one of the records that are equal */
        duckdb_append(&sql, " WHERE " DUCKDB_ROWID " IN (SELECT min(" DUCKDB_ROWID ") FROM %t",
                      finding->database, finding->table->name);
    }
    enum status status = append_where(finding, &sql, keys, count);
    buffer_append_string(&sql, keyless ? ")" : "");
    if (status == STATUS_OK) {
        status = duckdb_run(database_of(finding), database_of(finding)->control,
                            buffer_string(&sql), ERROR_TARGET_WRITE, &changed, finding->error);
    }
    finding->deleted += changed;
    buffer_free(&sql);
    return status;
}

enum status duckdb_delete_all(struct sql_finding *finding, const struct cell *keys,
                              uint32_t key_count)
{
    uint32_t each = finding->table->key.count == 0 ? 1 : READ_KEYS_MAX;
    enum status status = STATUS_OK;
    for (uint32_t first = 0; status == STATUS_OK && first < key_count; first += each) {
        uint32_t count = key_count - first < each ? key_count - first : each;
        status = delete_some(finding, keys + (size_t)first * finding->columns.count, count);
    }
    return status;
}

enum status duckdb_remove(struct sql_database *database, const struct sql_table *table, bool made,
                          struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(&database->base);
    struct buffer sql = {0};
    duckdb_append(&sql, made ? "DROP TABLE %t" : "DELETE FROM %t", database, table->schema->name);
    return duckdb_run_buffer(self, self->control, &sql, ERROR_TARGET_WRITE, NULL, error);
}
