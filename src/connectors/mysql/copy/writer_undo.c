/* Undo records of what a load brought, in the transaction of its chunk: images before it goes into
 * the table, keys and hashes after. */
#include "connectors/mysql/copy/writer_internal.h"

/* " FROM stage AS s JOIN table AS t ON …" */
static void append_records(struct buffer *sql, const struct writer *writer,
                           const struct writer_plan *plan)
{
    mysql_append(sql, " FROM %t AS s JOIN %t AS t ON ", &writer->database->sql, plan->stage_name,
                 &writer->database->sql, plan->facts->schema->name);
    mysql_append_match(sql, writer->tables[plan->table].plan->key, "s", "t");
}

static void append_insert(struct buffer *sql, const struct writer *writer,
                          const struct writer_plan *plan)
{
    mysql_append(
        sql, "INSERT INTO %t", &writer->database->sql,
        sql_undo_name(writer->load_scratch, writer->sql.run_id, writer_plan_name(writer, plan)));
}

/* The records stay locked, so that what is kept is what is overwritten: by a statement of its own,
 * since INSERT … SELECT … FOR UPDATE is nothing that every server knows. */
static enum status lock_records(struct writer *writer, const struct writer_plan *plan,
                                struct refusal *refusal, struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "SELECT count(*)");
    append_records(&sql, writer, plan);
    buffer_append_string(&sql, " FOR UPDATE");
    return writer_run_statement(writer, &sql, NULL, refusal, error);
}

enum status writer_undo_before(struct writer *writer, const struct writer_plan *plan,
                               struct refusal *refusal, struct error *error)
{
    struct buffer sql = {0};
    enum status status = lock_records(writer, plan, refusal, error);
    if (status != STATUS_OK) {
        return status;
    }
    append_insert(&sql, writer, plan);
    buffer_append_string(&sql, " (_transhume_found");
    mysql_undo_append_columns(&sql, plan->facts, "");
    buffer_append_string(&sql, ") SELECT 1");
    mysql_undo_append_columns(&sql, plan->facts, "t.");
    append_records(&sql, writer, plan);
    buffer_append_string(&sql, " ON DUPLICATE KEY UPDATE _transhume_found = _transhume_found");
    return writer_run_statement(writer, &sql, NULL, refusal, error);
}

enum status writer_undo_after(struct writer *writer, const struct writer_plan *plan,
                              struct refusal *refusal, struct error *error)
{
    const struct mysql_table *facts = plan->facts;
    struct column_list key = writer->tables[plan->table].plan->key;
    struct buffer sql = {0};
    append_insert(&sql, writer, plan);
    buffer_append_string(&sql, " (_transhume_found, _transhume_hash, ");
    mysql_append_names(&sql, NULL, key);
    buffer_append_string(&sql, ") SELECT 0, ");
    mysql_undo_append_hash(&sql, writer->database, facts->columns, facts->schema->column_count,
                           "t");
    buffer_append_string(&sql, ", ");
    mysql_append_names(&sql, "t", key);
    append_records(&sql, writer, plan);
    buffer_append_string(&sql,
                         " ON DUPLICATE KEY UPDATE _transhume_hash = VALUES(_transhume_hash)");
    return writer_run_statement(writer, &sql, NULL, refusal, error);
}
