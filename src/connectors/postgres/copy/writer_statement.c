/* Statements of a chunk on its stage: run, or undone; and the words that they share. */
#include "connectors/postgres/copy/writer_internal.h"

static const char from_stage[] = "s";

enum status writer_try(struct writer *writer, struct buffer *sql, PGresult **result,
                       PGresult **failure, struct error *error)
{
    struct postgres_database *self = writer->database;
    PGresult *rest = NULL;
    enum error_code code = ERROR_NONE;
    if (postgres_send_buffer(self, writer->connection, sql, error) != STATUS_OK ||
        postgres_next_result(self, writer->connection, SQL_LONG, result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (postgres_next_result(self, writer->connection, SQL_LONG, &rest, error) == STATUS_OK &&
           rest != NULL) {
        PQclear(rest);
    }
    if (PQresultStatus(*result) != PGRES_FATAL_ERROR) {
        return STATUS_OK;
    }
    const char *state = PQresultErrorField(*result, PG_DIAG_SQLSTATE);
    if (state != NULL && !postgres_is_lost(writer->connection, state) &&
        postgres_is_of_record(*result, &code)) {
        *failure = *result;
        *result = NULL;
        return STATUS_AGAIN;
    }
    postgres_failure(self, writer->connection, *result, ERROR_TARGET_WRITE, error);
    PQclear(*result);
    *result = NULL;
    return STATUS_FAILED;
}

enum status writer_ask(struct writer *writer, struct buffer *sql, PGresult **result,
                       PGresult **failure, struct error *error)
{
    enum status status = writer_try(writer, sql, result, failure, error);
    return writer_undo_refused(writer, status, error);
}

/* A column of the temporary table as the type that it has in the table. */
void writer_stage_append_value(struct buffer *sql, const struct writer_plan *plan, const char *name,
                               const char *alias)
{
    int32_t at = postgres_find_column(plan->facts, name);
    postgres_append(sql, "%s%n", alias, name);
    if (at >= 0 && plan->facts->columns[at].type.format == POSTGRES_AS_CAST) {
        buffer_format(sql, "::%s", plan->facts->columns[at].type.type.native);
    }
}

void writer_stage_append_key(struct buffer *sql, const struct writer_plan *plan,
                             struct column_list key)
{
    for (uint32_t i = 0; i < key.count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        writer_stage_append_value(sql, plan, key.names[i], "");
    }
}

void writer_stage_append_match(struct buffer *sql, const struct writer_plan *plan,
                               struct column_list key, const char *alias)
{
    for (uint32_t i = 0; i < key.count; i++) {
        int32_t at = postgres_find_column(plan->facts, key.names[i]);
        const char *labels = at >= 0 ? postgres_labels(&plan->facts->columns[at]) : "";
        postgres_append(sql, "%s%s.%n%s", i > 0 ? " AND " : "", alias, key.names[i], labels);
        postgres_append_operator(sql, at >= 0 ? &plan->facts->columns[at] : NULL, "=");
        writer_stage_append_value(sql, plan, key.names[i], "s.");
        buffer_append_string(sql, labels);
    }
}

void writer_stage_append_present(struct buffer *sql, const struct stage_pass *pass)
{
    postgres_append(sql, "EXISTS (SELECT 1 FROM %t AS t WHERE ", &pass->writer->database->sql,
                    pass->plan->relation);
    writer_stage_append_match(sql, pass->plan, pass->key, "t");
}

void writer_stage_append_later(struct buffer *sql, const struct writer_plan *plan,
                               struct column_list key)
{
    buffer_append_string(sql, "_transhume_row IN (SELECT n FROM (SELECT _transhume_row AS n, "
                              "pg_catalog.row_number() OVER (PARTITION BY ");
    writer_stage_append_key(sql, plan, key);
    buffer_format(sql, " ORDER BY _transhume_row) AS place FROM %s) AS d WHERE place > 1)",
                  plan->stage_name);
}

enum status writer_stage_take_out(struct stage_pass *pass, const char *from,
                                  const struct buffer *with, const struct buffer *condition,
                                  struct sql_taken one)
{
    struct buffer sql = {0};
    PGresult *listed = NULL;
    if (with != NULL) {
        buffer_append_buffer(&sql, with);
    }
    postgres_append(&sql, " DELETE FROM %s AS %s WHERE %b RETURNING _transhume_row", from,
                    from_stage, condition);
    enum status status = writer_ask(pass->writer, &sql, &listed, pass->failure, pass->error);
    for (int i = 0; status == STATUS_OK && i < PQntuples(listed); i++) {
        status = sql_taken_add(&pass->writer->sql.taken, PQgetvalue(listed, i, 0), pass->first,
                               pass->count, one, pass->plan->relation, pass->error);
    }
    PQclear(listed);
    return status;
}
