/* Records of the target by key: reading them back, and taking them out. */
#include "base/failpoint.h"
#include "connectors/postgres/source.h"
#include "connectors/postgres/target.h"
#include "connectors/sql/finding.h"
#include "connectors/sql/normal_column.h"
#include <string.h>

enum { FINDING_COLUMNS_MAX = 1600 };

/* One table's records found by some of its columns. */
struct finding {
    struct sql_finding base;
    struct postgres_database *self;
    PGconn *connection;
    struct postgres_table facts;
    struct batch *batch;   /* what is fetched, by the table's own equality; NULL: by bytes */
    const char *undo_name; /* where images of what is deleted are kept; NULL: they are not */
    uint64_t deleted;
};

static struct finding *finding_of(struct sql_finding *base)
{
    return (struct finding *)base;
}

static void append_name(struct buffer *sql, const struct postgres_column *column, bool as_text)
{
    struct postgres_words text = postgres_as_text(column);
    buffer_append_string(sql, as_text ? text.before : "");
    postgres_append_name(sql, column->name);
    buffer_append_string(sql, as_text ? text.behind : "");
}

struct values {
    const char *values[FINDING_COLUMNS_MAX];
    int lengths[FINDING_COLUMNS_MAX];
    int formats[FINDING_COLUMNS_MAX];
    int count;
};

/* Does an index of the table's key find it by the type's own equality? */
static bool is_enforced(const struct finding *finding, const char *name)
{
    return finding->batch != NULL && column_list_holds(finding->facts.key, name);
}

/* "column = $n", as the table compares it or by the bytes. */
static void append_equal(const struct finding *finding, const struct postgres_column *column,
                         int parameter, struct buffer *sql)
{
    bool cast = column->type.format == POSTGRES_AS_CAST;
    bool own = is_enforced(finding, column->name) && (cast || !postgres_is_by_text(column));
    bool text = postgres_is_by_text(column);
    append_name(sql, column, text && !own);
    buffer_append_string(sql, postgres_labels(column));
    buffer_append_string(sql, column->loose && !own ? " COLLATE pg_catalog.\"C\"" : "");
    buffer_format(sql, " = $%d", parameter);
    buffer_append_string(sql, text ? "::pg_catalog.text" : "");
    if (own && cast) {
        buffer_format(sql, "::%s", column->type.type.native);
    }
}

/* " WHERE" the record's cells; NULLs in the text, others as binary parameters. */
static enum status append_condition(struct finding *finding, const struct cell *cells,
                                    struct values *values, struct buffer *sql)
{
    for (uint32_t i = 0; i < finding->base.columns.count; i++) {
        const char *name = finding->base.columns.names[i];
        int32_t position = postgres_find_column(&finding->facts, name);
        struct buffer encoded = {0};
        if (position < 0 || values->count >= FINDING_COLUMNS_MAX) {
            return sql_finding_no_column(&finding->base, name);
        }
        const struct postgres_column *column = &finding->facts.columns[position];
        buffer_append_string(sql, i == 0 ? " WHERE " : " AND ");
        bool null = cells[i].kind == VALUE_NULL || cells[i].kind == VALUE_MISSING;
        if (null) {
            postgres_append_name(sql, column->name);
            buffer_append_string(sql, " IS NOT DISTINCT FROM NULL");
            continue;
        }
        struct postgres_column as = *column;
        if (postgres_is_by_text(column)) {
            as.type.format = POSTGRES_AS_TEXT;
        }
        struct cell kept = cells[i];
        bool json = column->type.format == POSTGRES_AS_JSONB;
        if ((json && sql_json_of_normal(&cells[i], finding->base.scratch, &kept,
                                        finding->base.error) != STATUS_OK) ||
            postgres_encode(&as, &kept, finding->base.scratch, &encoded, finding->base.error) !=
                STATUS_OK) {
            buffer_free(&encoded);
            return STATUS_FAILED;
        }
        /* without the length before it */
        char *copy = arena_try_copy(finding->base.scratch, encoded.data + 4, encoded.length - 4);
        values->values[values->count] = copy;
        values->lengths[values->count] = (int)encoded.length - 4;
        values->formats[values->count] = 1;
        values->count++;
        buffer_free(&encoded);
        if (copy == NULL) {
            return sql_finding_no_memory(&finding->base);
        }
        append_equal(finding, column, values->count, sql);
    }
    return STATUS_OK;
}

static enum status ask(struct finding *finding, struct buffer *sql, const struct values *values,
                       PGresult **result)
{
    PGresult *rest = NULL;
    enum status status =
        PQsendQueryParams(finding->connection, buffer_string(sql), values->count, NULL,
                          values->values, values->lengths, values->formats, 1) == 0
            ? postgres_failure(finding->self, finding->connection, NULL, ERROR_NETWORK,
                               finding->base.error)
            : postgres_next_result(finding->self, finding->connection, POSTGRES_LONG, result,
                                   finding->base.error);
    buffer_free(sql);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (postgres_next_result(finding->self, finding->connection, POSTGRES_SHORT, &rest,
                                finding->base.error) == STATUS_OK &&
           rest != NULL) {
        PQclear(rest);
    }
    if (PQresultStatus(*result) != PGRES_COMMAND_OK && PQresultStatus(*result) != PGRES_TUPLES_OK) {
        postgres_failure(finding->self, finding->connection, *result, ERROR_TARGET_WRITE,
                         finding->base.error);
        PQclear(*result);
        *result = NULL;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status begin(struct finding *finding, struct database *database,
                         const struct target_table *table, struct error *error)
{
    *finding = (struct finding){.self = postgres_database_of(database)};
    if (sql_finding_begin(&finding->base, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (postgres_begin(finding->self, &finding->connection, error) != STATUS_OK) {
        finding->connection = NULL;
        return STATUS_FAILED;
    }
    enum status status = postgres_target_describe(finding->self, finding->connection, table->name,
                                                  finding->base.arena, &finding->facts, error);
    return status == STATUS_END ? sql_finding_no_table(&finding->base) : status;
}

static enum status end(struct finding *finding, enum status status)
{
    if (finding->connection != NULL) {
        status = postgres_end(finding->self, finding->connection, status, finding->base.error);
    }
    sql_finding_free(&finding->base);
    return status;
}

/* ---------------------------------------------------------------- delete */

/* "INSERT INTO undo (…) SELECT … FROM gone" */
static void append_keeping(struct finding *finding, struct buffer *sql)
{
    const struct postgres_table *facts = &finding->facts;
    buffer_append_string(sql, "INSERT INTO ");
    postgres_append_table(sql, finding->self, finding->undo_name);
    buffer_append_string(sql, " (found, hash");
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (!facts->columns[i].generated) {
            buffer_format(sql, ", c%d", facts->columns[i].number);
        }
    }
    buffer_append_string(sql, ") SELECT true, ''");
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (!facts->columns[i].generated) {
            buffer_append_string(sql, ", gone.");
            postgres_append_name(sql, facts->columns[i].name);
        }
    }
    buffer_append_string(sql, " FROM gone");
}

/* " AND NOT EXISTS (…)": the run has no undo record of its key. */
static void append_unknown(struct finding *finding, struct buffer *sql)
{
    buffer_append_string(sql, " AND NOT EXISTS (SELECT 1 FROM ");
    postgres_append_table(sql, finding->self, finding->undo_name);
    buffer_append_string(sql, " AS u");
    for (uint32_t i = 0; i < finding->base.columns.count; i++) {
        const char *name = finding->base.columns.names[i];
        int32_t at = postgres_find_column(&finding->facts, name);
        buffer_append_string(sql, i > 0 ? " AND t." : " WHERE t.");
        postgres_append_name(sql, name);
        const char *labels = at >= 0 ? postgres_labels(&finding->facts.columns[at]) : "";
        buffer_format(sql, "%s = u.c%d%s", labels, at >= 0 ? finding->facts.columns[at].number : 0,
                      labels);
    }
    buffer_append_byte(sql, ')');
}

/* Without a key one of the records that are equal goes. */
static enum status delete_one(struct sql_finding *base, const struct cell *cells)
{
    struct finding *finding = finding_of(base);
    struct values *values = arena_allocate_zeroed(finding->base.scratch, 1, sizeof *values);
    struct buffer sql = {0};
    PGresult *result = NULL;
    uint64_t count = 0;
    bool keyless = finding->base.table->key.count == 0;

    buffer_append_string(&sql, finding->undo_name != NULL ? "WITH gone AS (" : "");
    buffer_append_string(&sql, "DELETE FROM ");
    postgres_append_table(&sql, finding->self, finding->base.table->name);
    buffer_append_string(&sql, " AS t");
    if (keyless) {
        buffer_append_string(&sql, " WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM ");
        postgres_append_table(&sql, finding->self, finding->base.table->name);
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
    enum status status = ask(finding, &sql, values, &result);
    if (status == STATUS_OK) {
        status = postgres_rows_changed(result, &count);
        finding->deleted += count;
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

    if (status == STATUS_OK && table->keeps_undo && table->key.count > 0) {
        finding.undo_name = sql_undo_name(finding.base.arena, finding.self->run_id, table->name);
    }
    if (status == STATUS_OK && table->triggers_off) {
        status = postgres_silence_triggers(finding.self, finding.connection, true, error);
    }
    if (status == STATUS_OK) {
        status = sql_finding_each(&finding.base, keys, key_count, delete_one);
    }
    if (status == STATUS_OK) {
        status = postgres_check_claim(finding.self, finding.connection, error);
    }
    if (status == STATUS_OK && table->triggers_off) {
        status = postgres_silence_triggers(finding.self, finding.connection, false, error);
    }
    status = status == STATUS_OK ? failpoint_hit("postgres.before_delete", error) : status;
    status = end(&finding, status);
    status = status == STATUS_OK ? failpoint_hit("postgres.after_delete", error) : status;
    *deleted = status == STATUS_OK ? finding.deleted : 0;
    return status;
}

/* ---------------------------------------------------------------- fetch */

static enum status add_record(struct finding *finding, const PGresult *result, int row)
{
    struct batch *batch = finding->batch;
    uint32_t count = finding->facts.schema->column_count;
    struct cell *cell = batch_append(batch);
    struct cell *items = arena_allocate_zeroed(batch->arena, 2 * (size_t)count + 1, sizeof *items);
    for (uint32_t i = 0; i < count; i++) {
        const struct postgres_column *column = &finding->facts.columns[i];
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
        append_name(sql, column, column->type.format == POSTGRES_AS_CAST);
    }
    buffer_append_string(sql, " FROM ");
}

static enum status add_records(struct finding *finding, const PGresult *result)
{
    enum status status = STATUS_OK;
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        if (add_record(finding, result, row) != STATUS_OK) {
            status = sql_finding_no_memory(&finding->base);
        }
    }
    return status;
}

static enum status fetch_one(struct sql_finding *base, const struct cell *cells)
{
    struct finding *finding = finding_of(base);
    struct values *values = arena_allocate_zeroed(finding->base.scratch, 1, sizeof *values);
    struct buffer sql = {0};
    PGresult *result = NULL;

    append_columns(finding, &sql);
    postgres_append_table(&sql, finding->self, finding->base.table->name);
    if (append_condition(finding, cells, values, &sql) != STATUS_OK) {
        buffer_free(&sql);
        return STATUS_FAILED;
    }
    enum status status = ask(finding, &sql, values, &result);
    status = status == STATUS_OK ? add_records(finding, result) : status;
    PQclear(result);
    return status;
}

enum status postgres_read_records(struct postgres_database *self, PGconn *connection,
                                  const struct postgres_table *facts, const char *from,
                                  struct batch *batch, struct error *error)
{
    const struct target_table table = {.name = facts->schema->name};
    const struct values none = {0};
    struct finding finding = {.base = {.table = &table, .error = error},
                              .self = self,
                              .connection = connection,
                              .facts = *facts,
                              .batch = batch};
    struct buffer sql = {0};
    PGresult *result = NULL;
    append_columns(&finding, &sql);
    buffer_append_string(&sql, from);
    enum status status = ask(&finding, &sql, &none, &result);
    status = status == STATUS_OK ? add_records(&finding, result) : status;
    PQclear(result);
    return status;
}

enum status postgres_fetch(struct database *database, const struct target_table *table,
                           const struct cell *keys, uint32_t key_count, struct batch **made,
                           struct error *error)
{
    struct finding finding;
    enum status status = begin(&finding, database, table, error);

    finding.batch = batch_create(NULL, 1, key_count + 1);
    if (status == STATUS_OK) {
        status = sql_finding_each(&finding.base, keys, key_count, fetch_one);
    }
    status = end(&finding, status);
    if (status == STATUS_OK) {
        *made = finding.batch;
    } else {
        batch_destroy(finding.batch);
    }
    return status;
}
