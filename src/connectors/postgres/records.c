/* Records of the target by key: reading them back, and taking them out. */
#include "base/failpoint.h"
#include "connectors/postgres/source.h"
#include "connectors/postgres/target.h"
#include <string.h>

enum { FINDING_COLUMNS_MAX = 1600 };

/* One table's records found by some of its columns. */
struct finding {
    struct postgres_database *self;
    PGconn *connection;
    const struct target_table *table;
    struct postgres_table facts;
    struct arena *arena;
    struct arena *scratch; /* of one record */
    uint32_t width;        /* cells that name a record */
    struct error *error;
};

static const char *column_name(const struct finding *finding, uint32_t position)
{
    const struct target_table *table = finding->table;
    return table->key.count > 0 ? table->key.names[position] : table->columns[position].name;
}

/* json has no equality, and what has no encoder none that we could send a value for. */
static bool is_by_text(const struct postgres_column *column)
{
    return column->type.format == POSTGRES_AS_CAST || column->type.format == POSTGRES_AS_JSON;
}

struct values {
    const char *values[FINDING_COLUMNS_MAX];
    int lengths[FINDING_COLUMNS_MAX];
    int formats[FINDING_COLUMNS_MAX];
    int count;
};

/* " WHERE" the record's cells; NULLs in the text, others as binary parameters. */
static enum status append_condition(struct finding *finding, const struct cell *cells,
                                    struct values *values, struct buffer *sql)
{
    for (uint32_t i = 0; i < finding->width; i++) {
        int32_t position = postgres_find_column(&finding->facts, column_name(finding, i));
        struct buffer encoded = {0};
        if (position < 0 || values->count >= FINDING_COLUMNS_MAX) {
            return error_set(finding->error, ERROR_TARGET_SCHEMA, finding->table->name,
                             "the table has no column %s", column_name(finding, i));
        }
        const struct postgres_column *column = &finding->facts.columns[position];
        buffer_append_string(sql, i == 0 ? " WHERE " : " AND ");
        postgres_append_name(sql, column->name);
        if (cells[i].kind == VALUE_NULL || cells[i].kind == VALUE_MISSING) {
            buffer_append_string(sql, " IS NULL");
            continue;
        }
        struct postgres_column as = *column;
        if (is_by_text(column)) {
            as.type.format = POSTGRES_AS_TEXT;
            buffer_append_string(sql, "::pg_catalog.text");
        }
        if (postgres_encode(&as, &cells[i], finding->scratch, &encoded, finding->error) !=
            STATUS_OK) {
            buffer_free(&encoded);
            return STATUS_FAILED;
        }
        /* without the length before it */
        char *copy = encoded.failed
                         ? NULL
                         : arena_copy(finding->scratch, encoded.data + 4, encoded.length - 4);
        values->values[values->count] = copy;
        values->lengths[values->count] = (int)encoded.length - 4;
        values->formats[values->count] = 1;
        values->count++;
        buffer_free(&encoded);
        if (copy == NULL) {
            return error_set(finding->error, ERROR_MEMORY, finding->table->name, "no memory");
        }
        buffer_format(sql, " = $%d", values->count);
        if (is_by_text(column)) {
            buffer_append_string(sql, "::pg_catalog.text");
        }
    }
    return STATUS_OK;
}

static enum status ask(struct finding *finding, struct buffer *sql, const struct values *values,
                       PGresult **result)
{
    PGresult *rest = NULL;
    enum status status =
        sql->failed ? error_set(finding->error, ERROR_MEMORY, finding->table->name, "no memory")
        : PQsendQueryParams(finding->connection, buffer_string(sql), values->count, NULL,
                            values->values, values->lengths, values->formats, 1) == 0
            ? postgres_failure(finding->self, finding->connection, NULL, ERROR_NETWORK,
                               finding->error)
            : postgres_next_result(finding->self, finding->connection, POSTGRES_LONG, result,
                                   finding->error);
    buffer_free(sql);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (postgres_next_result(finding->self, finding->connection, POSTGRES_SHORT, &rest,
                                finding->error) == STATUS_OK &&
           rest != NULL) {
        PQclear(rest);
    }
    if (PQresultStatus(*result) != PGRES_COMMAND_OK && PQresultStatus(*result) != PGRES_TUPLES_OK) {
        postgres_failure(finding->self, finding->connection, *result, ERROR_TARGET_WRITE,
                         finding->error);
        PQclear(*result);
        *result = NULL;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status begin(struct finding *finding, struct database *database,
                         const struct target_table *table, struct error *error)
{
    *finding =
        (struct finding){.self = postgres_database_of(database),
                         .table = table,
                         .arena = arena_create(0),
                         .scratch = arena_create(0),
                         .width = table->key.count > 0 ? table->key.count : table->column_count,
                         .error = error};
    if (finding->arena == NULL || finding->scratch == NULL) {
        return error_set(error, ERROR_MEMORY, table->name, "no memory to find its records");
    }
    if (postgres_begin(finding->self, &finding->connection, error) != STATUS_OK) {
        finding->connection = NULL;
        return STATUS_FAILED;
    }
    enum status status = postgres_target_describe(finding->self, finding->connection, table->name,
                                                  finding->arena, &finding->facts, error);
    if (status == STATUS_END) {
        error_set(error, ERROR_TARGET_SCHEMA, table->name, "the table is not in the target");
        error_hint(error, "it was dropped meanwhile: migrate anew");
        return STATUS_FAILED;
    }
    return status;
}

static enum status end(struct finding *finding, enum status status)
{
    if (finding->connection != NULL) {
        status = postgres_end(finding->self, finding->connection, status, finding->error);
    }
    arena_destroy(finding->arena);
    arena_destroy(finding->scratch);
    return status;
}

/* ---------------------------------------------------------------- delete */

/* Without a key one of the records that are equal goes. */
static enum status delete_one(struct finding *finding, const struct cell *cells, uint64_t *deleted)
{
    struct values *values = arena_allocate_zeroed(finding->scratch, 1, sizeof *values);
    struct buffer sql = {0};
    PGresult *result = NULL;
    uint64_t count = 0;
    bool keyless = finding->table->key.count == 0;

    if (values == NULL) {
        return error_set(finding->error, ERROR_MEMORY, finding->table->name, "no memory");
    }
    buffer_append_string(&sql, "DELETE FROM ");
    postgres_append_table(&sql, finding->self, finding->table->name);
    if (keyless) {
        buffer_append_string(&sql, " WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM ");
        postgres_append_table(&sql, finding->self, finding->table->name);
    }
    if (append_condition(finding, cells, values, &sql) != STATUS_OK) {
        buffer_free(&sql);
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, keyless ? " LIMIT 1)" : "");
    enum status status = ask(finding, &sql, values, &result);
    if (status == STATUS_OK) {
        const char *tuples = PQcmdTuples(result);
        status = text_to_uint64(tuples, strlen(tuples), &count);
        *deleted += count;
    }
    PQclear(result);
    return status;
}

enum status postgres_delete_records(struct database *database, const struct target_table *table,
                                    const struct cell *keys, uint32_t key_count, uint64_t *deleted,
                                    struct error *error)
{
    struct finding finding;
    enum status status = begin(&finding, database, table, error);

    *deleted = 0;
    if (status == STATUS_OK && table->triggers_off) {
        status = postgres_silence_triggers(finding.self, finding.connection, true, error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < key_count; i++) {
        arena_reset(finding.scratch);
        status = delete_one(&finding, &keys[(size_t)i * finding.width], deleted);
    }
    if (status == STATUS_OK) {
        status = postgres_ledger_check_claim(finding.self, finding.connection, error);
    }
    if (status == STATUS_OK && table->triggers_off) {
        status = postgres_silence_triggers(finding.self, finding.connection, false, error);
    }
    status = status == STATUS_OK ? failpoint_hit("postgres.before_delete", error) : status;
    status = end(&finding, status);
    return status == STATUS_OK ? failpoint_hit("postgres.after_delete", error) : status;
}

/* ---------------------------------------------------------------- fetch */

static enum status add_record(struct finding *finding, const PGresult *result, int row,
                              struct batch *batch)
{
    uint32_t count = finding->facts.schema->column_count;
    struct cell *cell = batch_append(batch);
    struct cell *items = arena_allocate_zeroed(batch->arena, 2 * (size_t)count + 1, sizeof *items);
    if (cell == NULL || items == NULL) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct postgres_column *column = &finding->facts.columns[i];
        const char *name = arena_copy_string(batch->arena, column->name);
        size_t length = (size_t)PQgetlength(result, row, (int)i);
        const uint8_t *bytes =
            (const uint8_t *)arena_copy(batch->arena, PQgetvalue(result, row, (int)i), length);
        if (name == NULL || bytes == NULL) {
            return STATUS_FAILED;
        }
        items[2 * (size_t)i] = cell_text(name, strlen(name));
        struct cell *value = &items[2 * (size_t)i + 1];
        *value = cell_null();
        if (PQgetisnull(result, row, (int)i) == 0 &&
            postgres_decode(&column->type, finding->self->utf8, bytes, (uint32_t)length,
                            batch->arena, value) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *cell = cell_items(VALUE_MAP, items, count);
    return STATUS_OK;
}

/* "SELECT … FROM " */
static void append_columns(const struct finding *finding, struct buffer *sql)
{
    buffer_append_string(sql, "SELECT ");
    for (uint32_t i = 0; i < finding->facts.schema->column_count; i++) {
        const struct postgres_column *column = &finding->facts.columns[i];
        buffer_append_string(sql, i > 0 ? ", " : "");
        postgres_append_name(sql, column->name);
        if (column->type.format == POSTGRES_AS_CAST) {
            buffer_append_string(sql, "::pg_catalog.text");
        }
    }
    buffer_append_string(sql, " FROM ");
}

static enum status fetch_one(struct finding *finding, const struct cell *cells, struct batch *batch)
{
    struct values *values = arena_allocate_zeroed(finding->scratch, 1, sizeof *values);
    struct buffer sql = {0};
    PGresult *result = NULL;

    if (values == NULL) {
        return error_set(finding->error, ERROR_MEMORY, finding->table->name, "no memory");
    }
    append_columns(finding, &sql);
    postgres_append_table(&sql, finding->self, finding->table->name);
    if (append_condition(finding, cells, values, &sql) != STATUS_OK) {
        buffer_free(&sql);
        return STATUS_FAILED;
    }
    enum status status = ask(finding, &sql, values, &result);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        if (add_record(finding, result, row, batch) != STATUS_OK) {
            status = error_set(finding->error, ERROR_MEMORY, finding->table->name,
                               "no memory for its records");
        }
    }
    PQclear(result);
    return status;
}

enum status postgres_read_records(struct postgres_database *self, PGconn *connection,
                                  const struct postgres_table *facts, const char *from,
                                  struct batch *batch, struct error *error)
{
    const struct target_table table = {.name = facts->schema->name};
    const struct values none = {0};
    struct finding finding = {
        .self = self, .connection = connection, .table = &table, .facts = *facts, .error = error};
    struct buffer sql = {0};
    PGresult *result = NULL;
    append_columns(&finding, &sql);
    buffer_append_string(&sql, from);
    enum status status = ask(&finding, &sql, &none, &result);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        if (add_record(&finding, result, row, batch) != STATUS_OK) {
            status = error_set(error, ERROR_MEMORY, table.name, "no memory for its records");
        }
    }
    PQclear(result);
    return status;
}

enum status postgres_fetch(struct database *database, const struct target_table *table,
                           const struct cell *keys, uint32_t key_count, struct batch **made,
                           struct error *error)
{
    struct finding finding;
    struct batch *batch = batch_create(NULL, 1, key_count + 1);
    enum status status = begin(&finding, database, table, error);

    if (status == STATUS_OK && batch == NULL) {
        status = error_set(error, ERROR_MEMORY, table->name, "no memory for its records");
    }
    for (uint32_t i = 0; status == STATUS_OK && i < key_count; i++) {
        arena_reset(finding.scratch);
        status = fetch_one(&finding, &keys[(size_t)i * finding.width], batch);
    }
    status = end(&finding, status);
    if (status == STATUS_OK) {
        *made = batch;
    } else {
        batch_destroy(batch);
    }
    return status;
}
