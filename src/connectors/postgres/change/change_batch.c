/*
 * Batches: rows in the order of a key, or in that of the table's pages where it has none.
 *
 * A position is a JSON list: the key's values as texts, or the number of the next page and that of
 * the page behind the last one. A batch writes a row's new value from its old one as it is then,
 * under the row's lock: who wrote it meanwhile went through the trigger, and is not undone by it.
 */
#include "connectors/postgres/change/change.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LOCK_MS = 200, ROWS_PER_PAGE_MIN = 1 };

/* A step's text, read. */
struct work {
    struct postgres_alter *session;
    json_t *tree;
    json_t *position; /* NULL: from the beginning */
    const char *schema;
    const char *table;
    const json_t *keys;
    uint64_t rows;
    const char *last; /* of the batch's rows, for people */
    struct arena *arena;
};

static const char *item(const json_t *list, size_t number)
{
    const char *text = json_string_value(json_array_get(list, number));
    return text != NULL ? text : "";
}

static void work_end(struct work *work)
{
    json_decref(work->tree);
    json_decref(work->position);
}

static enum status work_begin(struct alter_session *base, const struct change_step *step,
                              const char *position, struct work *work, struct error *error)
{
    *work = (struct work){.session = postgres_alter_of(base), .last = "a row"};
    if (json_tree_parse(step->text, strlen(step->text), 0, "a step of batches",
                        ERROR_LEDGER_INVALID, &work->tree, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (position != NULL &&
        json_tree_parse(position, strlen(position), 0, "the position of batches",
                        ERROR_LEDGER_INVALID, &work->position, error) != STATUS_OK) {
        work_end(work);
        return STATUS_FAILED;
    }
    const json_t *table = json_object_get(work->tree, "table");
    work->schema = item(table, 0);
    work->table = item(table, 1);
    work->keys = json_object_get(work->tree, "keys");
    return STATUS_OK;
}

static enum status query(struct work *work, struct buffer *sql, PGresult **result,
                         struct error *error)
{
    struct postgres_alter *session = work->session;
    enum status status = postgres_query_buffer(session->database, session->connection, sql, NULL, 0,
                                               SQL_LONG, ERROR_TARGET_WRITE, result, error);
    return postgres_alter_lost(session, status, error);
}

/* ---------------------------------------------------------------- ranges */

static void append_keys(const struct work *work, struct buffer *sql)
{
    for (size_t i = 0; i < json_array_size(work->keys); i++) {
        postgres_append(sql, "%s%n", i > 0 ? ", " : "", item(json_array_get(work->keys, i), 0));
    }
}

/* By what their types write: a cast may be a function of the type's owner. */
static void append_key_texts(const struct work *work, struct buffer *sql)
{
    for (size_t i = 0; i < json_array_size(work->keys); i++) {
        postgres_append(sql, "%spg_catalog.format('%%s', %n)", i > 0 ? ", " : "",
                        item(json_array_get(work->keys, i), 0));
    }
}

/* "('12'::integer, …)" */
static void append_values(const struct work *work, const json_t *values, struct buffer *sql)
{
    buffer_append_byte(sql, '(');
    for (size_t i = 0; i < json_array_size(work->keys); i++) {
        postgres_append(sql, "%sCAST(%q AS %s)", i > 0 ? ", " : "", item(values, i),
                        item(json_array_get(work->keys, i), 1));
    }
    buffer_append_byte(sql, ')');
}

/* The key's own, whatever the search_path has; where its parts' are in several schemas, and in
 * steps of earlier versions, it is left to that. */
static void append_operator(const struct work *work, const char *operation, struct buffer *sql)
{
    const char *space = NULL;
    bool one = true;
    for (size_t i = 0; i < json_array_size(work->keys); i++) {
        const char *next = item(json_array_get(work->keys, i), 2);
        one = one && next[0] != '\0' && (space == NULL || strcmp(space, next) == 0);
        space = next;
    }
    if (one && space != NULL) {
        buffer_format(sql, " OPERATOR(%s.%s) ", space, operation);
    } else {
        buffer_format(sql, " %s ", operation);
    }
}

static void append_behind(const struct work *work, struct buffer *sql)
{
    if (work->position == NULL) {
        buffer_append_string(sql, "true");
        return;
    }
    buffer_append_byte(sql, '(');
    append_keys(work, sql);
    buffer_append_byte(sql, ')');
    append_operator(work, ">", sql);
    append_values(work, work->position, sql);
}

/* The key of the batch's last row; NULL: there are not so many any more. */
static enum status find_end(struct work *work, json_t **end, struct error *error)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    *end = NULL;
    buffer_append_string(&sql, "SELECT ");
    append_key_texts(work, &sql);
    buffer_append_string(&sql, " FROM (SELECT ");
    append_keys(work, &sql);
    postgres_append(&sql, " FROM %n.%n WHERE ", work->schema, work->table);
    append_behind(work, &sql);
    buffer_append_string(&sql, " ORDER BY ");
    append_keys(work, &sql);
    buffer_format(&sql, " OFFSET %" PRIu64 " LIMIT 1) last", work->rows - 1);
    if (query(work, &sql, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (PQntuples(result) > 0) {
        *end = json_array();
        for (int i = 0; i < PQnfields(result); i++) {
            json_array_append_new(*end, json_string(PQgetvalue(result, 0, i)));
        }
    }
    PQclear(result);
    return STATUS_OK;
}

/* How many are left behind the last whole batch. */
static enum status count_left(struct work *work, uint64_t *rows, struct error *error)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    postgres_append(&sql, "SELECT count(*) FROM %n.%n WHERE ", work->schema, work->table);
    append_behind(work, &sql);
    if (query(work, &sql, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *rows = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return STATUS_OK;
}

static const char *write_position(const struct work *work, const json_t *list)
{
    struct buffer text = {0};
    (void)json_tree_append(list, JSON_COMPACT, &text);
    return sql_text(work->arena, &text);
}

static const char *show_key(const struct work *work, const json_t *key)
{
    struct buffer text = {0};
    for (size_t i = 0; i < json_array_size(key); i++) {
        buffer_format(&text, "%s%s", i > 0 ? ", " : "", item(key, i));
    }
    const char *shown =
        arena_format(work->arena, "the row with the key (%.200s)", buffer_string(&text));
    buffer_free(&text);
    return shown;
}

/* The condition of the batch's rows in `where`, and what stands behind it. */
static enum status range_by_key(struct work *work, struct buffer *where, struct change_batch *batch,
                                struct error *error)
{
    json_t *end;
    if (find_end(work, &end, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    append_behind(work, where);
    if (end == NULL) {
        return count_left(work, &batch->rows, error);
    }
    batch->rows = work->rows;
    buffer_append_string(where, " AND (");
    append_keys(work, where);
    buffer_append_byte(where, ')');
    append_operator(work, "<=", where);
    append_values(work, end, where);
    batch->position = write_position(work, end);
    work->last = show_key(work, end);
    json_decref(end);
    return STATUS_OK;
}

/* The same of the catalogue. */
static enum status catalog_query(struct work *work, struct buffer *sql, PGresult **result,
                                 struct error *error)
{
    struct postgres_alter *session = work->session;
    enum status status =
        postgres_catalog_query_buffer(session->database, session->connection, sql, NULL, 0,
                                      SQL_LONG, ERROR_TARGET_WRITE, result, error);
    return postgres_alter_lost(session, status, error);
}

static enum status count_pages(struct work *work, uint64_t *pages, double *rows_per_page,
                               struct error *error)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    postgres_append(&sql,
                    "SELECT pg_catalog.pg_relation_size(c.oid) / "
                    "pg_catalog.current_setting('block_size')::bigint, CASE WHEN c.relpages > 0 "
                    "AND c.reltuples > 0 THEN c.reltuples / c.relpages ELSE 50 END FROM "
                    "pg_catalog.pg_class c WHERE c.oid = "
                    "pg_catalog.to_regclass(pg_catalog.quote_ident(%q) || '.' || "
                    "pg_catalog.quote_ident(%q))",
                    work->schema, work->table);
    if (catalog_query(work, &sql, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *pages = PQntuples(result) > 0 ? strtoull(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    *rows_per_page = PQntuples(result) > 0 ? strtod(PQgetvalue(result, 0, 1), NULL) : 1;
    PQclear(result);
    return STATUS_OK;
}

/* Rows that are written move to other pages, and may be seen twice: they are equal by then. */
static enum status range_by_page(struct work *work, struct buffer *where,
                                 struct change_batch *batch, struct error *error)
{
    uint64_t end = 0;
    double rows_per_page;
    if (count_pages(work, &end, &rows_per_page, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t from = strtoull(item(work->position, 0), NULL, 10);
    end = work->position != NULL ? strtoull(item(work->position, 1), NULL, 10) : end;
    double pages = (double)work->rows / (rows_per_page < 1 ? 1 : rows_per_page);
    uint64_t next = from + (pages < 1 ? 1 : (uint64_t)pages);
    buffer_format(where, "ctid >= '(%" PRIu64 ",0)'::tid AND ctid < '(%" PRIu64 ",0)'::tid", from,
                  next);
    work->last = arena_format(work->arena, "a row of page %" PRIu64, from);
    batch->rows = (uint64_t)((double)(next - from) * rows_per_page);
    batch->position =
        next >= end ? NULL
                    : arena_format(work->arena, "[\"%" PRIu64 "\",\"%" PRIu64 "\"]", next, end);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- filling, proving */

static const char *text_of(const struct work *work, const char *key)
{
    const char *text = json_string_value(json_object_get(work->tree, key));
    return text != NULL ? text : "";
}

static enum status run_counted(struct work *work, struct buffer *sql, uint64_t *changed,
                               struct error *error)
{
    PGresult *result = NULL;
    if (query(work, sql, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_rows_changed(result, changed);
    PQclear(result);
    return status == STATUS_OK ? STATUS_OK
                               : error_set(error, ERROR_INTERNAL, work->table, "no count of rows");
}

static enum status change_batch_fill(struct work *work, const struct buffer *where,
                                     struct change_batch *batch, struct error *error)
{
    const json_t *set = json_object_get(work->tree, "set");
    const char *pending = json_string_value(json_object_get(work->tree, "where"));
    struct buffer sql = {0};
    postgres_append(&sql, "UPDATE %n.%n SET ", work->schema, work->table);
    for (size_t i = 0; i < json_array_size(set); i++) {
        const json_t *pair = json_array_get(set, i);
        postgres_append(&sql, "%s%n = %s", i > 0 ? ", " : "", item(pair, 0), item(pair, 1));
    }
    postgres_append(&sql, " WHERE %b AND (%s)", where, pending != NULL ? pending : "true");
    return run_counted(work, &sql, &batch->changed, error);
}

/* Rows as rows of another table, under their lock: who writes one waits, and its trigger comes
 * behind. A row that is there already was put by a trigger, and is as new or newer. */
static enum status change_batch_insert(struct work *work, const struct buffer *where,
                                       struct change_batch *batch, struct error *error)
{
    const json_t *into = json_object_get(work->tree, "into");
    struct buffer sql = {0};
    postgres_append(&sql,
                    "WITH batch AS MATERIALIZED (SELECT * FROM %n.%n WHERE %b AND (%s) ORDER BY ",
                    work->schema, work->table, where, text_of(work, "if"));
    append_keys(work, &sql);
    postgres_append(&sql,
                    " FOR NO KEY UPDATE) INSERT INTO %n.%n (%s) OVERRIDING SYSTEM VALUE SELECT %s "
                    "FROM batch AS %n ON CONFLICT (%s) DO NOTHING",
                    item(into, 0), item(into, 1), text_of(work, "columns"), text_of(work, "values"),
                    work->table, text_of(work, "conflict"));
    return run_counted(work, &sql, &batch->changed, error);
}

/* Rows that get what rows of another table have. Those are locked first, by a statement of its own,
 * so that the next one sees what became of them; a row that comes meanwhile is not among them, and
 * its trigger does it. */
static enum status change_batch_join(struct work *work, const struct buffer *where,
                                     struct change_batch *batch, struct error *error)
{
    const json_t *from = json_object_get(work->tree, "from");
    /* steps of earlier versions have none */
    const char *by = json_object_get(work->tree, "by") != NULL ? text_of(work, "by") : "=";
    struct buffer range = {0};
    struct buffer sql = {0};
    uint64_t locked;
    postgres_append(&range, "(SELECT %n FROM %n.%n WHERE %b)", text_of(work, "key"), work->schema,
                    work->table, where);
    postgres_append(&sql,
                    "SELECT 1 FROM %n.%n AS f WHERE f.%n %s ANY %b ORDER BY f.%n FOR NO KEY "
                    "UPDATE",
                    item(from, 0), item(from, 1), text_of(work, "on"), by, &range,
                    text_of(work, "on"));
    enum status status = run_counted(work, &sql, &locked, error);
    if (status == STATUS_OK) {
        postgres_append(&sql,
                        "UPDATE %n.%n AS t SET %s FROM %n.%n AS f WHERE f.%n %s t.%n AND t.%n %s "
                        "ANY %b AND NOT (%s)",
                        work->schema, work->table, text_of(work, "set"), item(from, 0),
                        item(from, 1), text_of(work, "on"), by, text_of(work, "key"),
                        text_of(work, "key"), by, &range, text_of(work, "equal"));
        status = run_counted(work, &sql, &batch->changed, error);
    }
    buffer_free(&range);
    return status;
}

static enum status postgres_change_batch_prove(struct work *work, const struct buffer *where,
                                               struct change_batch *batch, struct error *error)
{
    const char *holds = json_string_value(json_object_get(work->tree, "holds"));
    bool keyed = json_array_size(work->keys) > 0;
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_string(&sql, "SELECT count(*), (pg_catalog.array_agg(");
    if (keyed) {
        buffer_append_string(&sql, "pg_catalog.concat_ws(', ', ");
        append_keys(work, &sql);
        buffer_append_string(&sql, ")))[1]");
    } else {
        buffer_append_string(&sql, "ctid::text))[1]");
    }
    postgres_append(&sql, " FROM %n.%n WHERE %b AND (%s) IS NOT TRUE", work->schema, work->table,
                    where, holds != NULL ? holds : "false");
    if (query(work, &sql, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    batch->wrong = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    if (PQgetisnull(result, 0, 1) == 0) {
        batch->first_wrong =
            arena_format(work->arena, "%s %s", work->table, PQgetvalue(result, 0, 1));
    }
    PQclear(result);
    return STATUS_OK;
}

typedef enum status run_range(struct work *work, const struct buffer *where,
                              struct change_batch *batch, struct error *error);

static run_range *change_batch_choose(const struct work *work)
{
    return json_object_get(work->tree, "holds") != NULL  ? postgres_change_batch_prove
           : json_object_get(work->tree, "into") != NULL ? change_batch_insert
           : json_object_get(work->tree, "from") != NULL ? change_batch_join
                                                         : change_batch_fill;
}

/* Where a value made the batch fail: its row is named once the batch has no other one. */
static void name_row(const struct work *work, struct change_batch *batch, struct error *error)
{
    const struct error inner = *error;
    enum error_code of_record;
    if (!postgres_is_state_of_record(inner.native_state, &of_record)) {
        return;
    }
    batch->one_failed = work->rows > 1;
    if (!batch->one_failed) {
        error_set(error, inner.code, work->table, "%s does not fit the new schema: %.500s",
                  work->last, inner.message);
        error_hint(error, "correct the row and run the command again, or abort the change");
    }
}

/* Who holds a row's lock for long holds up the batch, and it those whose rows it has locked: it
 * gives up soon, and is tried again. */
static enum status set_up(struct work *work, struct error *error)
{
    struct postgres_alter *session = work->session;
    const char *version = json_string_value(json_object_get(work->tree, "fill"));
    struct buffer *sql = &session->first; /* goes along with BEGIN */
    buffer_format(sql, "SET LOCAL lock_timeout = %d; SET LOCAL row_security = off; ", (int)LOCK_MS);
    if (version != NULL) {
        postgres_append(sql, "SET LOCAL transhume.fill = %q; SET LOCAL transhume.sync = %q; ",
                        version, version);
    }
    if (session->within) {
        return postgres_alter_catch_up(session, error);
    }
    buffer_clear(sql); /* a proof that is not noted has no transaction, and waits for nobody */
    return STATUS_OK;
}

enum status postgres_change_batch(struct alter_session *base, const struct change_step *step,
                                  const char *position, uint64_t rows, struct arena *arena,
                                  struct change_batch *batch, struct error *error)
{
    struct work work;
    struct buffer where = {0};
    if (work_begin(base, step, position, &work, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    work.rows = rows;
    work.arena = arena;
    enum status status = set_up(&work, error);
    if (status == STATUS_OK) {
        status = json_array_size(work.keys) > 0 ? range_by_key(&work, &where, batch, error)
                                                : range_by_page(&work, &where, batch, error);
    }
    if (status == STATUS_OK) {
        status = change_batch_choose(&work)(&work, &where, batch, error);
        if (status != STATUS_OK) {
            name_row(&work, batch, error);
        }
    }
    buffer_free(&where);
    work_end(&work);
    return status;
}

enum status postgres_change_estimate(struct alter_session *base, const struct change_step *step,
                                     uint64_t *rows, struct error *error)
{
    struct work work;
    struct buffer sql = {0};
    PGresult *result = NULL;
    *rows = 0;
    if (work_begin(base, step, NULL, &work, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    postgres_append(&sql,
                    "SELECT (CASE WHEN c.reltuples < 0 THEN 0 ELSE c.reltuples END)::bigint FROM "
                    "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
                    "c.relnamespace WHERE n.nspname = %q AND c.relname = %q",
                    work.schema, work.table);
    enum status status = catalog_query(&work, &sql, &result, error);
    if (status == STATUS_OK && PQntuples(result) > 0) {
        *rows = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    }
    PQclear(result);
    work_end(&work);
    return status;
}
