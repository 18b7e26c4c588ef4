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

static enum status read_rows(struct duckdb_database *self, struct duckdb_handle *connection,
                             struct buffer *sql, const struct duckdb_table *table,
                             struct batch *batch, struct error *error)
{
    struct duckdb_rows rows;
    enum status status = duckdb_rows_open(&rows, self, connection, buffer_string(sql), NULL,
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
        read_rows(duckdb_database_of(&self->base), duckdb_database_of(&self->base)->control, &sql,
                  duckdb_facts_of(table), batch, error);
    buffer_free(&sql);
    return status;
}

static enum status fetch_all(struct sql_finding *finding, struct duckdb_handle *connection,
                             const struct cell *keys, uint32_t key_count)
{
    const struct duckdb_table *table = duckdb_facts_of(&finding->facts);
    enum status status = STATUS_OK;
    for (uint32_t first = 0; status == STATUS_OK && first < key_count; first += READ_KEYS_MAX) {
        uint32_t count = key_count - first < READ_KEYS_MAX ? key_count - first : READ_KEYS_MAX;
        struct buffer sql = {0};
        append_select(&sql, table);
        duckdb_append(&sql, "%t", finding->database, finding->table->name);
        status = append_where(finding, &sql, keys + (size_t)first * finding->columns.count, count);
        status = status == STATUS_OK ? read_rows(database_of(finding), connection, &sql, table,
                                                 finding->batch, finding->error)
                                     : status;
        buffer_free(&sql);
    }
    return status;
}

/* Over a connection of its own, since a writer's thread asks, too. */
enum status duckdb_fetch(struct database *database, const struct target_table *table,
                         const struct cell *keys, uint32_t key_count, struct batch **made,
                         struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    struct duckdb_handle *connection = NULL;
    struct duckdb_table facts;
    struct sql_finding finding;
    if (duckdb_connect(self, &connection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = sql_finding_begin(&finding, table, error);
    finding.database = &self->sql;
    status = status == STATUS_OK ? duckdb_target_describe(self, connection, table->name,
                                                          finding.arena, &facts, error)
                                 : status;
    status = status == STATUS_END ? sql_finding_no_table(&finding) : status;
    if (status == STATUS_OK) {
        finding.facts = duckdb_table_of(&facts);
        finding.batch = batch_create(NULL, 1, key_count + 1);
        status = fetch_all(&finding, connection, keys, key_count);
        if (status == STATUS_OK) {
            *made = finding.batch;
        } else {
            batch_destroy(finding.batch);
        }
    }
    sql_finding_free(&finding);
    duckdb_disconnect(self, &connection);
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
    return duckdb_run_buffer(
        self, self->control,
        duckdb_sql(made ? "DROP TABLE %t" : "DELETE FROM %t", database, table->schema->name),
        ERROR_TARGET_WRITE, NULL, error);
}

/* ---------------------------------------------------------------- putting back */

/* The record as a batch of its own: of a document its fields are a shape. */
static struct batch *copy_record(const struct batch *batch, uint32_t row, struct arena *arena,
                                 struct error *error)
{
    const struct shape *shape = batch->shape;
    const struct cell *cells = batch_row(batch, row);
    uint32_t step = 1;
    if (shape == NULL) {
        const struct cell *items = cells->items;
        uint32_t count = cells->length;
        struct shape *made = arena_allocate_zeroed(arena, 1, sizeof *made);
        struct shape_field *fields =
            arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *fields);
        for (uint32_t i = 0; i < count; i++) {
            const struct cell *name = &items[2 * (size_t)i];
            fields[i].name = arena_copy(arena, name->text, name->length);
            fields[i].name_length = name->length;
        }
        *made = (struct shape){.name = "record", .fields = fields, .field_count = count};
        shape = made;
        cells = items + 1;
        step = 2;
    }
    struct batch *one = batch_create(shape, shape->field_count, 1);
    struct cell *copies = batch_append(one);
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (value_copy(&cells[(size_t)i * step], one->arena, &copies[i]) != STATUS_OK) {
            batch_destroy(one);
            error_set(error, ERROR_MEMORY, NULL, "no memory for a record");
            return NULL;
        }
    }
    return one;
}

static enum status write_one(struct writer *writer, struct batch *one, struct error *error)
{
    const struct done_mark mark = {.chunk = 1};
    struct batch_result result = {0};
    struct error why = {0};
    enum status status = duckdb_writer_chunk_begin(writer, 1, 1, error);
    if (status != STATUS_OK) {
        batch_destroy(one);
        return STATUS_FAILED;
    }
    status = duckdb_writer_submit(writer, 1, 0, one, error);
    status = status == STATUS_OK ? duckdb_writer_poll(writer, TARGET_FEEDING_MS, &result, error)
                                 : status;
    if (status != STATUS_OK) {
        return status;
    }
    if (result.outcome_count > 0) {
        status = error_set(&why, result.outcomes[0].code, NULL, "a record can't be put back: %s",
                           result.outcomes[0].reason);
        error_copy(error, &why);
    }
    batch_destroy(result.batch);
    arena_destroy(result.arena);
    return status == STATUS_OK ? duckdb_writer_commit(writer, 1, &mark, error) : status;
}

enum status duckdb_restore(struct database *database, const struct target_table *table,
                           const struct batch *batch, uint32_t row, struct error *error)
{
    struct arena *arena = arena_create(4096);
    struct writer *writer = NULL;
    struct target_table whole = *table;
    whole.existing = EXISTING_REPLACE;
    whole.created = false;
    whole.may_repeat = true;
    whole.distinct = false;
    struct batch *one = copy_record(batch, row, arena, error);
    enum status status = one != NULL ? STATUS_OK : STATUS_FAILED;
    if (status == STATUS_OK) {
        status = duckdb_writer_open(database, &whole, 1, 0, &writer, error);
        if (status == STATUS_OK) {
            status = write_one(writer, one, error);
        } else {
            batch_destroy(one);
        }
    }
    duckdb_writer_close(writer);
    arena_destroy(arena);
    return status;
}
