/* Undo records of what a COPY brought, in the transaction of its chunk: images before it goes into
 * the table, keys and hashes after. */
#include "connectors/postgres/copy/writer_internal.h"

/* "c1, c2" or "t."a", t."b"": the key in the undo table, or in the table itself. */
static void append_key(struct buffer *sql, const struct writer_table *table, bool of_undo)
{
    struct column_list key = table->plan->key;
    for (uint32_t i = 0; i < key.count; i++) {
        int32_t at = postgres_find_column(&table->facts, key.names[i]);
        buffer_append_string(sql, i > 0 ? ", " : "");
        if (of_undo) {
            buffer_format(sql, "c%d", at >= 0 ? table->facts.columns[at].number : 0);
        } else {
            postgres_append(sql, "t.%n", key.names[i]);
        }
    }
}

/* " FROM stage AS s JOIN table AS t ON …" */
static void append_records(struct buffer *sql, const struct writer *writer,
                           const struct writer_plan *plan)
{
    const struct writer_table *table = &writer->tables[plan->table];
    postgres_append(sql, " FROM %s AS s JOIN %t AS t ON ", plan->stage_name, &writer->database->sql,
                    plan->relation);
    writer_stage_append_match(sql, plan, table->plan->key, "t");
}

static void append_undo_table(struct buffer *sql, struct writer *writer,
                              const struct writer_plan *plan)
{
    const char *name = sql_undo_name(writer->sql.scratch, writer->sql.run_id, plan->relation);
    postgres_append(sql, "INSERT INTO %t", &writer->database->sql, name);
}

static enum status writer_undo_ask(struct writer *writer, struct buffer *sql, PGresult **failure,
                                   struct error *error)
{
    PGresult *result = NULL;
    enum status status = writer_ask(writer, sql, &result, failure, error);
    PQclear(result);
    return status;
}

enum status writer_undo_before(struct writer *writer, const struct writer_plan *plan,
                               PGresult **failure, struct error *error)
{
    const struct postgres_table *facts = plan->facts;
    struct buffer sql = {0};

    append_undo_table(&sql, writer, plan);
    buffer_append_string(&sql, " (found");
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (!facts->columns[i].generated) {
            buffer_format(&sql, ", c%d", facts->columns[i].number);
        }
    }
    buffer_append_string(&sql, ") SELECT true");
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (!facts->columns[i].generated) {
            postgres_append(&sql, ", t.%n", facts->columns[i].name);
        }
    }
    append_records(&sql, writer, plan);
    buffer_append_string(&sql, " ON CONFLICT DO NOTHING");
    return writer_undo_ask(writer, &sql, failure, error);
}

enum status writer_undo_after(struct writer *writer, const struct writer_plan *plan,
                              PGresult **failure, struct error *error)
{
    const struct writer_table *table = &writer->tables[plan->table];
    struct buffer sql = {0};

    append_undo_table(&sql, writer, plan);
    buffer_append_string(&sql, " (found, hash, ");
    append_key(&sql, table, true);
    buffer_append_string(&sql, ") SELECT false, ");
    postgres_undo_append_hash(&sql, plan->facts->columns, plan->facts->schema->column_count, "t",
                              false);
    buffer_append_string(&sql, ", ");
    append_key(&sql, table, false);
    append_records(&sql, writer, plan);
    buffer_append_string(&sql, " ON CONFLICT (");
    append_key(&sql, table, true);
    buffer_append_string(&sql, ") DO UPDATE SET hash = excluded.hash");
    return writer_undo_ask(writer, &sql, failure, error);
}
