/* Foreign keys whose partners come later: the table that keeps the values, and filling them in. */
#include "connectors/postgres/later.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/store.h"
#include "connectors/sql/later.h"
#include <stdio.h>
#include <string.h>

struct filling {
    struct postgres_database *self;
    PGconn *connection;
    const struct target_table *table;
    const struct postgres_table *facts;
    const struct target_later *later; /* the one in hand */
    struct arena *arena;
    struct error *error;
};

void postgres_append_later_table(struct buffer *sql, const struct postgres_database *self,
                                 const char *table)
{
    postgres_append_own_table(sql, self, POSTGRES_OWN_LATER, table);
}

void postgres_append_reference(struct buffer *sql, const struct target_later *later)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < later->columns.count; i++) {
        buffer_format(&text, "%s%s", i > 0 ? "," : "", later->columns.names[i]);
    }
    postgres_append(sql, "%q", buffer_string(&text));
    buffer_free(&text);
}

/* ---------------------------------------------------------------- preparing */

static void append_emptied(struct buffer *sql, const struct target_table *table)
{
    for (uint32_t i = 0; i < table->later_count; i++) {
        const struct column_list emptied = table->later[i].emptied;
        for (uint32_t j = 0; j < emptied.count; j++) {
            if (!sql_later_is_listed(table, i, emptied.names[j])) {
                postgres_append(sql, ", %n", emptied.names[j]);
            }
        }
    }
}

static enum status is_kept(struct postgres_database *self, PGconn *connection, const char *table,
                           bool *found, struct error *error)
{
    struct buffer name = {0};
    postgres_append_later_table(&name, self, table);
    enum status status = postgres_is_there(self, connection, buffer_string(&name),
                                           ERROR_TARGET_INVALID, found, error);
    buffer_free(&name);
    return status;
}

static enum status postgres_later_make(struct postgres_database *self, PGconn *connection,
                                       const struct target_table *table, struct error *error)
{
    struct buffer sql = {0};
    bool found = false;
    if (is_kept(self, connection, table->name, &found, error) != STATUS_OK || found) {
        return found ? STATUS_OK : STATUS_FAILED;
    }
    buffer_append_string(&sql, "CREATE TABLE ");
    postgres_append_later_table(&sql, self, table->name);
    buffer_append_string(&sql, " AS SELECT ");
    postgres_append_names(&sql, NULL, table->key);
    append_emptied(&sql, table);
    postgres_append(&sql,
                    ", ''::pg_catalog.text AS " POSTGRES_REFERENCE
                    ", NULL::pg_catalog.text AS " POSTGRES_REFUSED " FROM %t WITH NO DATA",
                    &self->sql, table->name);
    return postgres_execute_buffer(self, connection, &sql, SQL_LONG, ERROR_TARGET_SCHEMA, error);
}

static enum status prepare_within(struct postgres_database *self, PGconn *connection,
                                  const struct target_table *tables, uint32_t table_count,
                                  struct error *error)
{
    enum status status = postgres_check_claim(self, connection, error);
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        status = target_table_later_count(&tables[i]) > 0
                     ? postgres_later_make(self, connection, &tables[i], error)
                     : STATUS_OK;
    }
    return status;
}

static bool any_later(const struct target_table *tables, uint32_t table_count)
{
    bool any = false;
    for (uint32_t i = 0; i < table_count; i++) {
        any = any || target_table_later_count(&tables[i]) > 0;
    }
    return any;
}

enum status postgres_later_prepare(struct database *database, const struct target_table *tables,
                                   uint32_t table_count, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    if (!any_later(tables, table_count)) {
        return STATUS_OK;
    }
    return postgres_begin(self, &connection, error) == STATUS_OK
               ? postgres_end(self, connection,
                              prepare_within(self, connection, tables, table_count, error), error)
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- filling */

static enum status postgres_later_ask(const struct filling *filling, struct buffer *sql,
                                      PGresult **result)
{
    enum status status =
        postgres_query_buffer(filling->self, filling->connection, sql, NULL, 0, SQL_BUILD,
                              ERROR_TARGET_WRITE, result, filling->error);
    if (status != STATUS_OK) {
        error_context(filling->error,
                      "%s: filling in what refers to later records: ", filling->table->name);
    }
    return status;
}

static enum status later_run(const struct filling *filling, const char *statement)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, statement);
    return postgres_later_ask(filling, &sql, NULL);
}

/* "l.key = t.key AND …" */
static void append_match(struct buffer *sql, const struct filling *filling)
{
    struct column_list key = filling->table->key;
    for (uint32_t i = 0; i < key.count; i++) {
        int32_t at = postgres_find_column(filling->facts, key.names[i]);
        const char *labels = at >= 0 ? postgres_labels(&filling->facts->columns[at]) : "";
        postgres_append(sql, "%sl.%n%s", i > 0 ? " AND " : "", key.names[i], labels);
        postgres_append_operator(sql, at >= 0 ? &filling->facts->columns[at] : NULL, "=");
        postgres_append(sql, "t.%n%s", key.names[i], labels);
    }
}

/* "u.c1 = ALIAS.key AND …" */
static void append_undo_key(struct buffer *sql, const struct filling *filling, const char *alias)
{
    struct column_list key = filling->table->key;
    for (uint32_t i = 0; i < key.count; i++) {
        int32_t at = postgres_find_column(filling->facts, key.names[i]);
        const struct postgres_column *column = at >= 0 ? &filling->facts->columns[at] : NULL;
        const char *labels = column != NULL ? postgres_labels(column) : "";
        buffer_format(sql, "%su.c%d%s", i > 0 ? " AND " : "", column != NULL ? column->number : 0,
                      labels);
        postgres_append_operator(sql, column, "=");
        postgres_append(sql, "%s.%n%s", alias, key.names[i], labels);
    }
}

/* Of a row l of the values and a record t: it is written, the partner is there, and nothing is
 * known to refuse it. */
static void append_condition(struct buffer *sql, const struct filling *filling)
{
    const struct target_later *later = filling->later;
    append_match(sql, filling);
    buffer_append_string(sql,
                         " AND l." POSTGRES_REFUSED " IS NULL AND l." POSTGRES_REFERENCE " = ");
    postgres_append_reference(sql, later);
    postgres_append(sql, " AND EXISTS (SELECT 1 FROM %t AS p WHERE ", &filling->self->sql,
                    later->table);
    for (uint32_t i = 0; i < later->columns.count; i++) {
        const char *name = later->columns.names[i];
        int32_t at = postgres_find_column(filling->facts, name);
        const char *labels = at >= 0 ? postgres_labels(&filling->facts->columns[at]) : "";
        postgres_append(sql, "%sp.%n%s", i > 0 ? " AND " : "", later->referenced_columns.names[i],
                        labels);
        postgres_append_operator(sql, at >= 0 ? &filling->facts->columns[at] : NULL, "=");
        postgres_append(sql, "%s.%n%s", column_list_holds(later->emptied, name) ? "l" : "t", name,
                        labels);
    }
    buffer_append_byte(sql, ')');
}

/* "UPDATE table AS t SET … FROM values AS l WHERE " */
static void append_update(struct buffer *sql, const struct filling *filling)
{
    const struct target_later *later = filling->later;
    postgres_append(sql, "UPDATE %t AS t SET ", &filling->self->sql, filling->table->name);
    for (uint32_t i = 0; i < later->emptied.count; i++) {
        const char *name = later->emptied.names[i];
        postgres_append(sql, "%s%n = l.%n", i > 0 ? ", " : "", name, name);
    }
    buffer_append_string(sql, " FROM ");
    postgres_append_later_table(sql, filling->self, filling->table->name);
    buffer_append_string(sql, " AS l WHERE ");
}

/* STATUS_AGAIN: the table does not take all of them, and nothing was done. */
static enum status update_all(const struct filling *filling)
{
    static const char back[] = "ROLLBACK TO SAVEPOINT transhume_fill";
    struct error problem = {0};
    struct filling asking = *filling;
    struct buffer sql = {0};
    enum error_code code;
    asking.error = &problem;
    if (later_run(filling, "SAVEPOINT transhume_fill") != STATUS_OK) {
        return STATUS_FAILED;
    }
    append_update(&sql, filling);
    append_condition(&sql, filling);
    if (postgres_later_ask(&asking, &sql, NULL) == STATUS_OK) {
        return later_run(filling, "RELEASE SAVEPOINT transhume_fill");
    }
    if (!postgres_is_state_of_record(problem.native_state, &code)) {
        return error_copy(filling->error, &problem);
    }
    return later_run(filling, back) == STATUS_OK ? STATUS_AGAIN : STATUS_FAILED;
}

/* Each by itself; the errors are those of postgres_is_state_of_record. */
static enum status update_one_by_one(const struct filling *filling)
{
    struct buffer body = {0};
    struct buffer sql = {0};
    struct buffer values = {0};
    postgres_append_later_table(&values, filling->self, filling->table->name);
    postgres_append(
        &body,
        "#variable_conflict use_column\n"
        "DECLARE _transhume_row pg_catalog.record;\n"
        "BEGIN FOR _transhume_row IN SELECT l.ctid AS place FROM %s AS l, %t AS t WHERE ",
        buffer_string(&values), &filling->self->sql, filling->table->name);
    append_condition(&body, filling);
    buffer_append_string(&body, " LOOP BEGIN ");
    append_update(&body, filling);
    append_match(&body, filling);
    postgres_append(&body,
                    " AND l.ctid OPERATOR(pg_catalog.=) _transhume_row.place; "
                    "EXCEPTION WHEN OTHERS THEN "
                    "IF SQLSTATE !~ '^(22|23|44|P0001|54000|42622)' THEN RAISE; END IF; "
                    "UPDATE %s SET " POSTGRES_REFUSED
                    " = SQLERRM WHERE ctid OPERATOR(pg_catalog.=) _transhume_row.place; "
                    "END; END LOOP; END",
                    buffer_string(&values));
    postgres_append(&sql, "DO %q", buffer_string(&body));
    buffer_free(&body);
    buffer_free(&values);
    return postgres_later_ask(filling, &sql, NULL);
}

static enum status postgres_later_update(const struct filling *filling)
{
    enum status status = update_all(filling);
    return status == STATUS_AGAIN ? update_one_by_one(filling) : status;
}

/* The record as the run leaves it is another one now. */
static enum status note_undo(const struct filling *filling)
{
    const struct postgres_table *facts = filling->facts;
    struct buffer sql = {0};
    if (!filling->table->keeps_undo) {
        return STATUS_OK;
    }
    postgres_append(&sql, "UPDATE %t AS u SET hash = ", &filling->self->sql,
                    sql_undo_name(filling->arena, filling->self->sql.run_id, filling->table->name));
    postgres_undo_append_hash(&sql, facts->columns, facts->schema->column_count, "t", false);
    postgres_append(&sql, " FROM %t AS t, ", &filling->self->sql, filling->table->name);
    postgres_append_later_table(&sql, filling->self, filling->table->name);
    buffer_append_string(&sql, " AS l WHERE ");
    append_condition(&sql, filling);
    buffer_append_string(&sql, " AND ");
    append_undo_key(&sql, filling, "t");
    return postgres_later_ask(filling, &sql, NULL);
}

static enum status forget_filled(const struct filling *filling, uint64_t *filled)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    uint64_t count = 0;
    buffer_append_string(&sql, "DELETE FROM ");
    postgres_append_later_table(&sql, filling->self, filling->table->name);
    postgres_append(&sql, " AS l USING %t AS t WHERE ", &filling->self->sql, filling->table->name);
    append_condition(&sql, filling);
    enum status status = postgres_later_ask(filling, &sql, &result);
    status = status == STATUS_OK ? postgres_rows_changed(result, &count) : status;
    PQclear(result);
    *filled += count;
    return status;
}

/* Records that others took out have nothing to fill in. */
static enum status forget_gone(const struct filling *filling)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "DELETE FROM ");
    postgres_append_later_table(&sql, filling->self, filling->table->name);
    postgres_append(&sql, " AS l WHERE NOT EXISTS (SELECT 1 FROM %t AS t WHERE ",
                    &filling->self->sql, filling->table->name);
    append_match(&sql, filling);
    buffer_append_byte(&sql, ')');
    return postgres_later_ask(filling, &sql, NULL);
}

/* "id 7: owner 99" */
static void append_words(struct buffer *sql, const struct filling *filling)
{
    const struct target_table *table = filling->table;
    buffer_append_string(sql, "pg_catalog.left(pg_catalog.concat(");
    for (uint32_t i = 0; i < table->key.count; i++) {
        struct buffer name = {0};
        buffer_format(&name, "%s%s ", i > 0 ? ", " : "", table->key.names[i]);
        postgres_append(sql, "%q, l.%n, ", buffer_string(&name), table->key.names[i]);
        buffer_free(&name);
    }
    buffer_append_string(sql,
                         "': ', l." POSTGRES_REFERENCE ", ' ', pg_catalog.concat_ws(', ', NULL");
    append_emptied(sql, table);
    buffer_append_string(sql, ")), 150)");
}

/* Those that are left, or those that are refused; `first` is the first of them, with the reason. */
static enum status count_kept(const struct filling *filling, bool refused, uint64_t *count,
                              char *first, size_t capacity)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    buffer_append_string(&sql, "SELECT pg_catalog.count(*) OVER (), ");
    append_words(&sql, filling);
    buffer_append_string(&sql, ", ': ' || l." POSTGRES_REFUSED " FROM ");
    postgres_append_later_table(&sql, filling->self, filling->table->name);
    buffer_format(&sql, " AS l WHERE l." POSTGRES_REFUSED " IS %s NULL ORDER BY ",
                  refused ? "NOT" : "");
    postgres_append_names(&sql, "l", filling->table->key);
    buffer_append_string(&sql, " LIMIT 1");
    enum status status = postgres_later_ask(filling, &sql, &result);
    if (status == STATUS_OK && PQntuples(result) > 0) {
        const char *digits = PQgetvalue(result, 0, 0);
        status = text_to_uint64(digits, strlen(digits), count);
        snprintf(first, capacity, "%s%s", PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2));
        text_clean_line(first);
    }
    PQclear(result);
    return status;
}

/* Nothing left: nothing is kept. */
static enum status count_left(const struct filling *filling, struct target_filled *filled)
{
    struct buffer sql = {0};
    enum status status =
        count_kept(filling, false, &filled->left, filled->first, sizeof filled->first);
    if (status == STATUS_OK) {
        status = count_kept(filling, true, &filled->refused, filled->first_refused,
                            sizeof filled->first_refused);
    }
    if (status != STATUS_OK || filled->left > 0 || filled->refused > 0) {
        return status;
    }
    buffer_append_string(&sql, "DROP TABLE ");
    postgres_append_later_table(&sql, filling->self, filling->table->name);
    return postgres_later_ask(filling, &sql, NULL);
}

/* What an earlier call found refused may be taken by now; what a constraint refuses is to be known
 * with the statement. */
static enum status begin_anew(const struct filling *filling)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "UPDATE ");
    postgres_append_later_table(&sql, filling->self, filling->table->name);
    buffer_append_string(&sql,
                         " SET " POSTGRES_REFUSED " = NULL WHERE " POSTGRES_REFUSED " IS NOT NULL");
    enum status status = postgres_later_ask(filling, &sql, NULL);
    status = status == STATUS_OK ? later_run(filling, "SET CONSTRAINTS ALL IMMEDIATE") : status;
    buffer_append_string(&sql, "ANALYZE ");
    postgres_append_later_table(&sql, filling->self, filling->table->name);
    return status == STATUS_OK ? postgres_later_ask(filling, &sql, NULL) : status;
}

static enum status fill_within(struct filling *filling, struct target_filled *filled)
{
    enum status status = postgres_check_claim(filling->self, filling->connection, filling->error);
    status = status == STATUS_OK ? begin_anew(filling) : status;
    for (uint32_t i = 0; status == STATUS_OK && i < filling->table->later_count; i++) {
        filling->later = &filling->table->later[i];
        status = postgres_later_update(filling);
        status = status == STATUS_OK ? note_undo(filling) : status;
        status = status == STATUS_OK ? forget_filled(filling, &filled->filled) : status;
    }
    status = status == STATUS_OK ? forget_gone(filling) : status;
    status = status == STATUS_OK ? count_left(filling, filled) : status;
    return status == STATUS_OK ? failpoint_hit("postgres.before_fill", filling->error) : status;
}

/* A table a transaction. */
static enum status references_fill(struct filling *filling, struct target_filled *filled)
{
    struct postgres_database *self = filling->self;
    struct postgres_table facts;
    bool found = false;
    enum status status = postgres_begin(self, &filling->connection, filling->error);
    if (status != STATUS_OK) {
        return status;
    }
    status = is_kept(self, filling->connection, filling->table->name, &found, filling->error);
    if (status == STATUS_OK && found) {
        status = postgres_target_describe(self, filling->connection, filling->table->name,
                                          filling->arena, &facts, filling->error);
        filling->facts = &facts;
        status = status == STATUS_END
                     ? error_set(filling->error, ERROR_TARGET_WRITE, filling->table->name,
                                 "the table is gone from the target")
                     : status;
        status = status == STATUS_OK ? fill_within(filling, filled) : status;
    }
    status = postgres_end(self, filling->connection, status, filling->error);
    return status == STATUS_OK ? failpoint_hit("postgres.after_fill", filling->error) : status;
}

enum status postgres_later_fill(struct database *database, const struct target_table *tables,
                                uint32_t table_count, struct target_filled *filled,
                                struct error *error)
{
    struct filling filling = {
        .self = postgres_database_of(database), .arena = arena_create(0), .error = error};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        filling.table = &tables[i];
        status = target_table_later_count(&tables[i]) > 0 ? references_fill(&filling, &filled[i])
                                                          : STATUS_OK;
    }
    arena_destroy(filling.arena);
    return status;
}

/* ---------------------------------------------------------------- taking back */

static void append_hash(struct buffer *sql, const struct filling *filling)
{
    postgres_undo_append_hash(sql, filling->facts->columns, filling->facts->schema->column_count,
                              "t", false);
}

/* What the records are then is what the run leaves. */
static enum status loosen(const struct filling *filling, const char *undo)
{
    const struct column_list emptied = filling->later->emptied;
    const struct postgres_database *self = filling->self;
    struct buffer sql = {0};
    postgres_append(&sql, "WITH w AS (UPDATE %t AS t SET ", &self->sql, filling->table->name);
    for (uint32_t i = 0; i < emptied.count; i++) {
        postgres_append(&sql, "%s%n = NULL", i > 0 ? ", " : "", emptied.names[i]);
    }
    postgres_append(&sql, " FROM %t AS u WHERE NOT u.found AND ", &self->sql, undo);
    append_undo_key(&sql, filling, "t");
    for (uint32_t i = 0; i < emptied.count; i++) {
        postgres_append(&sql, "%st.%n IS NOT NULL", i > 0 ? " OR " : " AND (", emptied.names[i]);
    }
    buffer_append_string(&sql, ") AND u.hash = ");
    append_hash(&sql, filling);
    buffer_append_string(&sql, " RETURNING ");
    postgres_append_names(&sql, "t", filling->table->key);
    buffer_append_string(&sql, ", ");
    append_hash(&sql, filling);
    postgres_append(
        &sql, " AS _transhume_hash) UPDATE %t AS u SET hash = w._transhume_hash FROM w WHERE ",
        &self->sql, undo);
    append_undo_key(&sql, filling, "w");
    return postgres_query_buffer(filling->self, filling->connection, &sql, NULL, 0, SQL_BUILD,
                                 ERROR_TARGET_WRITE, NULL, filling->error);
}

static enum status loosen_within(struct filling *filling)
{
    struct postgres_database *self = filling->self;
    struct postgres_table facts;
    struct buffer name = {0};
    bool found = false;
    const char *undo = sql_undo_name(filling->arena, self->sql.run_id, filling->table->name);
    postgres_append_table(&name, self, undo);
    enum status status = postgres_check_claim(self, filling->connection, filling->error);
    status = status == STATUS_OK
                 ? postgres_is_there(self, filling->connection, buffer_string(&name),
                                     ERROR_TARGET_INVALID, &found, filling->error)
                 : status;
    buffer_free(&name);
    if (status != STATUS_OK || !found) {
        return status;
    }
    status = postgres_target_describe(self, filling->connection, filling->table->name,
                                      filling->arena, &facts, filling->error);
    filling->facts = &facts;
    for (uint32_t i = 0; status == STATUS_OK && i < filling->table->later_count; i++) {
        filling->later = &filling->table->later[i];
        status = loosen(filling, undo);
    }
    return status == STATUS_END ? STATUS_OK : status; /* the table is gone */
}

enum status postgres_later_loosen(struct database *database, const struct target_table *table,
                                  struct error *error)
{
    struct filling filling = {.self = postgres_database_of(database),
                              .table = table,
                              .arena = arena_create(0),
                              .error = error};
    enum status status = postgres_begin(filling.self, &filling.connection, error);
    status = status == STATUS_OK
                 ? postgres_end(filling.self, filling.connection, loosen_within(&filling), error)
                 : status;
    arena_destroy(filling.arena);
    return status;
}
