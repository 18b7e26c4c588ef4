/* Undo records of a batch, in the transaction of its chunk: images before it is written, keys and
 * hashes after. */
#include "connectors/sqlite/writer_internal.h"

/* " FROM view AS v CROSS JOIN main.table AS t WHERE t.key = v.c…": the table's records whose keys
 * are in the batch, found from the batch. */
static enum status append_records(const struct writer_table *table,
                                  const struct writer_insert *insert, const char *view_name,
                                  struct buffer *sql, struct error *error)
{
    sqlite_append(sql, " FROM %n AS v CROSS JOIN main.%n AS t WHERE true", view_name,
                  table->facts.name);
    for (uint32_t i = 0; i < table->plan->key.count; i++) {
        uint32_t position;
        const struct writer_column *key =
            writer_filled_column(insert, table->plan->key.names[i], &position);
        if (key == NULL) {
            return error_set(error, ERROR_TARGET_SCHEMA, table->plan->name,
                             "the key column %s is not filled", table->plan->key.names[i]);
        }
        sqlite_append(sql, " AND t.%n = v.c%u", key->column->name, position);
    }
    return STATUS_OK;
}

/* Its own keys, as columns of the undo table, or as those of the table. */
static void append_keys(const struct writer_table *table, bool of_undo, struct buffer *sql)
{
    for (uint32_t i = 0; i < table->plan->key.count; i++) {
        const struct sqlite_target_column *key =
            sqlite_target_find_column(&table->facts, table->plan->key.names[i]);
        buffer_append_string(sql, i == 0 ? "" : ", ");
        if (of_undo) {
            sqlite_undo_append_column(sql, '+', key->name);
        } else {
            sqlite_append(sql, "t.%n", key->name);
        }
    }
}

static enum status prepare_before(struct writer *writer, struct writer_insert *insert,
                                  const char *name, const char *view_name, struct error *error)
{
    const struct writer_table *table = &writer->tables[insert->table];
    struct buffer sql = {0};

    sqlite_undo_append_keeping(&table->facts, table->plan, name, 1, "t.", &sql);
    enum status status = append_records(table, insert, view_name, &sql, error);
    if (status == STATUS_OK) {
        status = sqlite_target_prepare_buffer(writer->database, writer->connection, &sql,
                                              &insert->undo_before, error);
    }
    buffer_free(&sql);
    return status;
}

static enum status prepare_after(struct writer *writer, struct writer_insert *insert,
                                 const char *name, const char *view_name, struct error *error)
{
    const struct writer_table *table = &writer->tables[insert->table];
    struct buffer sql = {0};

    sqlite_append(&sql, "INSERT INTO main.%n (", name);
    append_keys(table, true, &sql);
    buffer_append_string(&sql, ", found, hash) SELECT ");
    append_keys(table, false, &sql);
    buffer_append_string(&sql, ", 0, ");
    sqlite_undo_append_hash(&table->facts, "t", false, &sql);
    enum status status = append_records(table, insert, view_name, &sql, error);
    buffer_append_string(&sql, " ON CONFLICT (");
    append_keys(table, true, &sql);
    buffer_append_string(&sql, ") DO UPDATE SET hash = excluded.hash");
    if (status == STATUS_OK) {
        status = sqlite_target_prepare_buffer(writer->database, writer->connection, &sql,
                                              &insert->undo_after, error);
    }
    buffer_free(&sql);
    return status;
}

enum status writer_undo_prepare(struct writer *writer, struct writer_insert *insert,
                                const char *view_name, struct error *error)
{
    const struct writer_table *table = &writer->tables[insert->table];
    bool overwrites = table->existing == EXISTING_UPSERT || table->existing == EXISTING_REPLACE;
    const char *name =
        sqlite_undo_name(writer->arena, writer->database->sql.run_id, table->facts.name);
    enum status status = sqlite_undo_make(writer->database, writer->connection, name, &table->facts,
                                          table->plan, error);
    if (status == STATUS_OK && overwrites) {
        status = prepare_before(writer, insert, name, view_name, error);
    }
    return status == STATUS_OK ? prepare_after(writer, insert, name, view_name, error) : status;
}
