/* Foreign keys whose partners come later: what is PostgreSQL's own of it. */
#include "connectors/postgres/copy/later.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/store.h"
#include <string.h>

static struct postgres_database *server_of(const struct sql_filling *filling)
{
    return postgres_database_of(&filling->self->base);
}

static const char *values_name(const struct sql_database *self, const char *table,
                               struct arena *arena)
{
    char name[SQL_OWN_NAME_BYTES];
    postgres_own_name(self, POSTGRES_OWN_LATER, table, name);
    return arena_copy_string(arena, name);
}

void postgres_append_later_table(struct buffer *sql, const struct postgres_database *self,
                                 const char *table)
{
    postgres_append_own_table(sql, self, POSTGRES_OWN_LATER, table);
}

void postgres_append_reference(struct buffer *sql, const struct target_later *later)
{
    struct buffer text = {0};
    sql_later_append_columns(&text, later);
    postgres_append(sql, "%q", buffer_string(&text));
    buffer_free(&text);
}

/* ---------------------------------------------------------------- statements */

static enum status query_run(struct sql_filling *filling, struct buffer *sql, PGresult **result,
                             struct error *error)
{
    return postgres_query_buffer(server_of(filling), server_of(filling)->control, sql, NULL, 0,
                                 SQL_BUILD, ERROR_TARGET_WRITE, result, error);
}

static enum status statement_run(struct sql_filling *filling, struct buffer *sql, uint64_t *changed)
{
    PGresult *result = NULL;
    enum status status = query_run(filling, sql, &result, filling->error);
    if (status == STATUS_OK && changed != NULL) {
        status = postgres_rows_changed(result, changed);
    }
    PQclear(result);
    return status;
}

static enum status text_run(struct sql_filling *filling, const char *statement)
{
    struct buffer sql = {0};
    sql_later_append(filling, &sql, statement);
    return sql_later_run(filling, &sql, NULL);
}

static enum status row_ask(struct sql_filling *filling, struct buffer *sql, const char **texts,
                           uint32_t count)
{
    PGresult *result = NULL;
    enum status status = query_run(filling, sql, &result, filling->error);
    for (int i = 0; status == STATUS_OK && PQntuples(result) > 0 && i < (int)count; i++) {
        texts[i] = PQgetisnull(result, 0, i) != 0
                       ? NULL
                       : arena_copy_string(filling->arena, PQgetvalue(result, 0, i));
    }
    PQclear(result);
    return status;
}

static void append_equal(const struct sql_filling *filling, struct buffer *sql, const char *column,
                         const char *left, const char *right)
{
    const struct postgres_table *facts = postgres_facts_of(&filling->facts);
    int32_t at = postgres_find_column(facts, column);
    const struct postgres_column *found = at >= 0 ? &facts->columns[at] : NULL;
    const char *labels = found != NULL ? postgres_labels(found) : "";
    buffer_format(sql, "%s%s", left, labels);
    postgres_append_operator(sql, found, "=");
    buffer_format(sql, "%s%s", right, labels);
}

static void append_image(const struct sql_filling *filling, struct buffer *sql, const char *column)
{
    const struct postgres_table *facts = postgres_facts_of(&filling->facts);
    int32_t at = postgres_find_column(facts, column);
    buffer_format(sql, "c%d", at >= 0 ? facts->columns[at].number : 0);
}

static void append_hash(const struct sql_filling *filling, struct buffer *sql)
{
    const struct postgres_table *facts = postgres_facts_of(&filling->facts);
    postgres_undo_append_hash(sql, facts->columns, facts->schema->column_count, "t", false);
}

/* ---------------------------------------------------------------- preparing */

static enum status values_make(struct sql_filling *filling)
{
    struct buffer name = {0};
    struct buffer sql = {0};
    bool found = false;
    postgres_append(&name, "%t", filling->self, filling->values);
    enum status status =
        postgres_is_there(server_of(filling), server_of(filling)->control, buffer_string(&name),
                          ERROR_TARGET_INVALID, &found, filling->error);
    if (status == STATUS_OK && !found) {
        postgres_append(&sql, "CREATE TABLE %b AS SELECT ", &name);
        postgres_append_names(&sql, NULL, filling->table->key);
        sql_later_append_emptied(filling, &sql, "");
        postgres_append(&sql,
                        ", ''::pg_catalog.text AS " SQL_LATER_REFERENCE
                        ", NULL::pg_catalog.text AS " SQL_LATER_REFUSED " FROM %t WITH NO DATA",
                        filling->self, filling->table->name);
        status = postgres_execute_buffer(server_of(filling), server_of(filling)->control, &sql,
                                         SQL_LONG, ERROR_TARGET_SCHEMA, filling->error);
    }
    buffer_free(&name);
    return status;
}

/* ---------------------------------------------------------------- filling */

/* The condition on a row l of the values and a record t: it is written, the partner is there, and
 * nothing is known to refuse it. */
#define CONDITION "$M AND $W AND EXISTS (SELECT 1 FROM $P WHERE $N)"

/* "UPDATE table AS t SET … FROM values AS l WHERE " */
static void append_update(const struct sql_filling *filling, struct buffer *sql)
{
    sql_later_append(filling, sql, "UPDATE $T SET ");
    sql_later_append_pairs(filling, sql, "", false);
    sql_later_append(filling, sql, " FROM $L WHERE ");
}

/* STATUS_AGAIN: the table does not take all of them, and nothing was done. */
static enum status update_all(struct sql_filling *filling)
{
    struct sql_filling trying = *filling;
    struct error problem = {0};
    struct buffer sql = {0};
    enum error_code code;
    trying.error = &problem;
    if (text_run(filling, "SAVEPOINT transhume_fill") != STATUS_OK) {
        return STATUS_FAILED;
    }
    append_update(filling, &sql);
    sql_later_append(filling, &sql, CONDITION);
    if (sql_later_run(&trying, &sql, NULL) == STATUS_OK) {
        return text_run(filling, "RELEASE SAVEPOINT transhume_fill");
    }
    if (!postgres_is_state_of_record(problem.native_state, &code)) {
        return error_copy(filling->error, &problem);
    }
    return text_run(filling, "ROLLBACK TO SAVEPOINT transhume_fill") == STATUS_OK ? STATUS_AGAIN
                                                                                  : STATUS_FAILED;
}

/* Each by itself; the errors are those of postgres_is_state_of_record. */
static enum status update_one_by_one(struct sql_filling *filling)
{
    struct buffer body = {0};
    struct buffer sql = {0};
    sql_later_append(
        filling, &body,
        "#variable_conflict use_column\n"
        "DECLARE _transhume_row pg_catalog.record;\n"
        "BEGIN FOR _transhume_row IN SELECT l.ctid AS place FROM $L, $T WHERE " CONDITION
        " LOOP BEGIN ");
    append_update(filling, &body);
    sql_later_append(filling, &body, "$M AND l.ctid");
    postgres_append(&body,
                    " OPERATOR(pg_catalog.=) _transhume_row.place; "
                    "EXCEPTION WHEN OTHERS THEN "
                    "IF SQLSTATE !~ '^(22|23|44|P0001|54000|42622)' THEN RAISE; END IF; "
                    "UPDATE %t SET " SQL_LATER_REFUSED
                    " = SQLERRM WHERE ctid OPERATOR(pg_catalog.=) _transhume_row.place; "
                    "END; END LOOP; END",
                    filling->self, filling->values);
    postgres_append(&sql, "DO %q", buffer_string(&body));
    buffer_free(&body);
    return sql_later_run(filling, &sql, NULL);
}

static enum status values_update(struct sql_filling *filling)
{
    enum status status = update_all(filling);
    return status == STATUS_AGAIN ? update_one_by_one(filling) : status;
}

/* A constraint's refusal is to be known with the statement. */
static enum status filling_begin(struct sql_filling *filling)
{
    struct buffer sql = {0};
    enum status status = text_run(filling, "SET CONSTRAINTS ALL IMMEDIATE");
    postgres_append(&sql, "ANALYZE %t", filling->self, filling->values);
    if (status != STATUS_OK) {
        buffer_free(&sql);
        return status;
    }
    return sql_later_run(filling, &sql, NULL);
}

/* ---------------------------------------------------------------- taking back */

static enum status filling_loosen(struct sql_filling *filling)
{
    struct buffer sql = {0};
    sql_later_append(filling, &sql, "WITH w AS (UPDATE $T SET ");
    sql_later_append_pairs(filling, &sql, "", true);
    sql_later_append(filling, &sql, " FROM $U WHERE NOT u.found AND $V AND u.hash = $H AND ");
    sql_later_append_held(filling, &sql);
    sql_later_append(filling, &sql,
                     " RETURNING u.ctid AS place, $H AS hash) UPDATE $U SET hash = w.hash FROM w "
                     "WHERE u.ctid = w.place");
    return statement_run(filling, &sql, NULL);
}

const struct sql_later_dialect postgres_later = {
    .concat = "pg_catalog.concat(",
    .join = "pg_catalog.concat_ws(', '",
    .left = "pg_catalog.left(",
    .note_undo = "UPDATE $U SET hash = $H FROM $T, $L WHERE " CONDITION " AND $V",
    .forget_filled = "DELETE FROM $L USING $T WHERE " CONDITION,
    .forget_gone = "DELETE FROM $L WHERE NOT EXISTS (SELECT 1 FROM $T WHERE $M)",
    .drops_within = true,
    .values_name = values_name,
    .append_reference = postgres_append_reference,
    .append_equal = append_equal,
    .append_image = append_image,
    .append_hash = append_hash,
    .make = values_make,
    .run = statement_run,
    .ask = row_ask,
    .begin = filling_begin,
    .update = values_update,
    .loosen = filling_loosen,
};
