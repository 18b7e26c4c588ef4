/* Records of the target by key: reading them back, and taking them out. */
#include "connectors/postgres/source.h"
#include "connectors/postgres/target.h"
#include "connectors/sql/finding.h"
#include "connectors/sql/normal.h"
#include <string.h>

enum { FINDING_COLUMNS_MAX = 1600 };

static struct postgres_database *server_of(const struct sql_finding *finding)
{
    return postgres_database_of(&finding->database->base);
}

static const struct postgres_table *facts_of(const struct sql_finding *finding)
{
    return postgres_facts_of(&finding->facts);
}

static void append_name(struct buffer *sql, const struct postgres_column *column, bool as_text)
{
    struct postgres_words text = postgres_as_text(column);
    postgres_append(sql, "%s%n%s", as_text ? text.before : "", column->name,
                    as_text ? text.behind : "");
}

struct values {
    const char *values[FINDING_COLUMNS_MAX];
    int lengths[FINDING_COLUMNS_MAX];
    int formats[FINDING_COLUMNS_MAX];
    int count;
};

/* Does an index of the table's key find it by the type's own equality? */
static bool is_enforced(const struct sql_finding *finding, const char *name)
{
    return finding->batch != NULL && column_list_holds(facts_of(finding)->key, name);
}

/* "column = $n", as the table compares it or by the bytes. */
static void append_equal(const struct sql_finding *finding, const struct postgres_column *column,
                         int parameter, struct buffer *sql)
{
    bool cast = column->type.format == POSTGRES_AS_CAST;
    bool own = is_enforced(finding, column->name) && (cast || !postgres_is_by_text(column));
    bool text = postgres_is_by_text(column);
    append_name(sql, column, text && !own);
    buffer_format(sql, "%s%s", postgres_labels(column),
                  column->loose && !own ? " COLLATE pg_catalog.\"C\"" : "");
    postgres_append_operator(sql, text && !own ? NULL : column, "=");
    buffer_format(sql, "$%d%s", parameter, text ? "::pg_catalog.text" : "");
    if (own && cast) {
        buffer_format(sql, "::%s", column->type.type.native);
    }
}

/* " WHERE" the record's cells; NULLs in the text, others as binary parameters. */
static enum status append_condition(struct sql_finding *finding, const struct cell *cells,
                                    struct values *values, struct buffer *sql)
{
    for (uint32_t i = 0; i < finding->columns.count; i++) {
        const char *name = finding->columns.names[i];
        int32_t position = postgres_find_column(facts_of(finding), name);
        struct buffer encoded = {0};
        if (position < 0 || values->count >= FINDING_COLUMNS_MAX) {
            return sql_finding_no_column(finding, name);
        }
        const struct postgres_column *column = &facts_of(finding)->columns[position];
        buffer_append_string(sql, i == 0 ? " WHERE " : " AND ");
        bool null = cells[i].kind == VALUE_NULL || cells[i].kind == VALUE_MISSING;
        if (null) {
            postgres_append(sql, "%n IS NOT DISTINCT FROM NULL", column->name);
            continue;
        }
        struct postgres_column as = *column;
        if (postgres_is_by_text(column)) {
            as.type.format = POSTGRES_AS_TEXT;
        }
        struct cell kept = cells[i];
        bool json = column->type.format == POSTGRES_AS_JSONB;
        if ((json &&
             sql_json_of_normal(&cells[i], finding->scratch, &kept, finding->error) != STATUS_OK) ||
            postgres_encode(&as, &kept, finding->scratch, &encoded, finding->error) != STATUS_OK) {
            buffer_free(&encoded);
            return STATUS_FAILED;
        }
        /* without the length before it */
        char *copy = arena_try_copy(finding->scratch, encoded.data + 4, encoded.length - 4);
        values->values[values->count] = copy;
        values->lengths[values->count] = (int)encoded.length - 4;
        values->formats[values->count] = 1;
        values->count++;
        buffer_free(&encoded);
        if (copy == NULL) {
            return sql_finding_no_memory(finding);
        }
        append_equal(finding, column, values->count, sql);
    }
    return STATUS_OK;
}

static enum status records_ask(struct sql_finding *finding, struct buffer *sql,
                               const struct values *values, PGresult **result)
{
    PGresult *rest = NULL;
    enum status status =
        PQsendQueryParams(server_of(finding)->control, buffer_string(sql), values->count, NULL,
                          values->values, values->lengths, values->formats, 1) == 0
            ? postgres_failure(server_of(finding), server_of(finding)->control, NULL, ERROR_NETWORK,
                               finding->error)
            : postgres_next_result(server_of(finding), server_of(finding)->control, SQL_LONG,
                                   result, finding->error);
    buffer_free(sql);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (postgres_next_result(server_of(finding), server_of(finding)->control, SQL_SHORT, &rest,
                                finding->error) == STATUS_OK &&
           rest != NULL) {
        PQclear(rest);
    }
    if (PQresultStatus(*result) != PGRES_COMMAND_OK && PQresultStatus(*result) != PGRES_TUPLES_OK) {
        postgres_failure(server_of(finding), server_of(finding)->control, *result,
                         ERROR_TARGET_WRITE, finding->error);
        PQclear(*result);
        *result = NULL;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- delete */

/* "INSERT INTO undo (…) SELECT … FROM gone" */
static void append_keeping(struct sql_finding *finding, struct buffer *sql)
{
    const struct postgres_table *facts = facts_of(finding);
    postgres_append(sql, "INSERT INTO %t (found, hash", &server_of(finding)->sql,
                    finding->undo_name);
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (!facts->columns[i].generated) {
            buffer_format(sql, ", c%d", facts->columns[i].number);
        }
    }
    buffer_append_string(sql, ") SELECT true, ''");
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (!facts->columns[i].generated) {
            postgres_append(sql, ", gone.%n", facts->columns[i].name);
        }
    }
    buffer_append_string(sql, " FROM gone");
}

/* " AND NOT EXISTS (…)": the run has no undo record of its key. */
static void append_unknown(struct sql_finding *finding, struct buffer *sql)
{
    postgres_append(sql, " AND NOT EXISTS (SELECT 1 FROM %t AS u", &server_of(finding)->sql,
                    finding->undo_name);
    for (uint32_t i = 0; i < finding->columns.count; i++) {
        const char *name = finding->columns.names[i];
        int32_t at = postgres_find_column(facts_of(finding), name);
        postgres_append(sql, "%s%n", i > 0 ? " AND t." : " WHERE t.", name);
        const struct postgres_column *column = at >= 0 ? &facts_of(finding)->columns[at] : NULL;
        const char *labels = column != NULL ? postgres_labels(column) : "";
        buffer_append_string(sql, labels);
        postgres_append_operator(sql, column, "=");
        buffer_format(sql, "u.c%d%s", column != NULL ? column->number : 0, labels);
    }
    buffer_append_byte(sql, ')');
}

/* Without a key one of the records that are equal goes. */
static enum status delete_one(struct sql_finding *finding, const struct cell *cells)
{
    struct values *values = arena_allocate_zeroed(finding->scratch, 1, sizeof *values);
    struct buffer sql = {0};
    PGresult *result = NULL;
    uint64_t count = 0;
    bool keyless = finding->table->key.count == 0;

    postgres_append(&sql, "%sDELETE FROM %t AS t",
                    finding->undo_name != NULL ? "WITH gone AS (" : "", &server_of(finding)->sql,
                    finding->table->name);
    if (keyless) {
        postgres_append(&sql, " WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM %t",
                        &server_of(finding)->sql, finding->table->name);
    }
    if (append_condition(finding, cells, values, &sql) != STATUS_OK) {
        buffer_free(&sql);
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, keyless ? " LIMIT 1)" : "");
    if (finding->undo_name != NULL) {
        append_unknown(finding, &sql);
        buffer_append_string(&sql, " RETURNING t.*) ");
        append_keeping(finding, &sql);
    }
    enum status status = records_ask(finding, &sql, values, &result);
    if (status == STATUS_OK) {
        status = postgres_rows_changed(result, &count);
        finding->deleted += count;
    }
    PQclear(result);
    return status;
}

enum status postgres_delete_all(struct sql_finding *finding, const struct cell *keys,
                                uint32_t key_count)
{
    return sql_finding_each(finding, keys, key_count, delete_one);
}

/* ---------------------------------------------------------------- fetch */

static enum status add_record(struct sql_finding *finding, const PGresult *result, int row)
{
    struct batch *batch = finding->batch;
    uint32_t count = finding->facts.schema->column_count;
    struct cell *cell = batch_append(batch);
    struct cell *items = arena_allocate_zeroed(batch->arena, 2 * (size_t)count + 1, sizeof *items);
    for (uint32_t i = 0; i < count; i++) {
        const struct postgres_column *column = &facts_of(finding)->columns[i];
        const char *name = arena_copy_string(batch->arena, column->name);
        size_t length = (size_t)PQgetlength(result, row, (int)i);
        const uint8_t *bytes =
            (const uint8_t *)arena_try_copy(batch->arena, PQgetvalue(result, row, (int)i), length);
        if (bytes == NULL) {
            return STATUS_FAILED;
        }
        items[2 * (size_t)i] = cell_text(name, strlen(name));
        struct cell *value = &items[2 * (size_t)i + 1];
        *value = cell_null();
        if (PQgetisnull(result, row, (int)i) == 0 &&
            postgres_decode(&column->type, server_of(finding)->utf8, bytes, (uint32_t)length,
                            batch->arena, value) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *cell = cell_items(VALUE_MAP, items, count);
    return STATUS_OK;
}

/* "SELECT … FROM " */
static void append_columns(const struct sql_finding *finding, struct buffer *sql)
{
    buffer_append_string(sql, "SELECT ");
    for (uint32_t i = 0; i < finding->facts.schema->column_count; i++) {
        const struct postgres_column *column = &facts_of(finding)->columns[i];
        buffer_append_string(sql, i > 0 ? ", " : "");
        append_name(sql, column, column->type.format == POSTGRES_AS_CAST);
    }
    buffer_append_string(sql, " FROM ");
}

static enum status add_records(struct sql_finding *finding, const PGresult *result)
{
    enum status status = STATUS_OK;
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        if (add_record(finding, result, row) != STATUS_OK) {
            status = sql_finding_no_memory(finding);
        }
    }
    return status;
}

static enum status fetch_one(struct sql_finding *finding, const struct cell *cells)
{
    struct values *values = arena_allocate_zeroed(finding->scratch, 1, sizeof *values);
    struct buffer sql = {0};
    PGresult *result = NULL;

    append_columns(finding, &sql);
    postgres_append_table(&sql, server_of(finding), finding->table->name);
    if (append_condition(finding, cells, values, &sql) != STATUS_OK) {
        buffer_free(&sql);
        return STATUS_FAILED;
    }
    enum status status = records_ask(finding, &sql, values, &result);
    status = status == STATUS_OK ? add_records(finding, result) : status;
    PQclear(result);
    return status;
}

enum status postgres_fetch_all(struct sql_finding *finding, const struct cell *keys,
                               uint32_t key_count)
{
    return sql_finding_each(finding, keys, key_count, fetch_one);
}

enum status postgres_read_records(struct sql_database *database, const struct sql_table *table,
                                  const char *from, struct batch *batch, struct error *error)
{
    const struct target_table named = {.name = table->schema->name};
    const struct values none = {0};
    struct sql_finding finding = {
        .database = database, .table = &named, .facts = *table, .batch = batch, .error = error};
    struct buffer sql = {0};
    PGresult *result = NULL;
    append_columns(&finding, &sql);
    buffer_append_string(&sql, from);
    enum status status = records_ask(&finding, &sql, &none, &result);
    status = status == STATUS_OK ? add_records(&finding, result) : status;
    PQclear(result);
    return status;
}
