/* Undo records: the table that keeps them, and what tells a record from a changed one. */
#include "base/text.h"
#include "connectors/postgres/target.h"
#include <string.h>

/* A value that may be long goes in as a digest of its own: a record's text ends at 1 GB. */
static void append_hashed(struct buffer *sql, const struct postgres_column *column,
                          const char *alias, bool of_image)
{
    bool bytes = column->type.format == POSTGRES_AS_BYTEA;
    bool text = column->type.format == POSTGRES_AS_TEXT ||
                column->type.format == POSTGRES_AS_CAST ||
                column->type.format == POSTGRES_AS_JSON || column->type.format == POSTGRES_AS_JSONB;
    const struct postgres_words words = postgres_cast_to_text(column);
    buffer_append_string(sql, bytes || text ? "pg_catalog.md5(" : "");
    buffer_format(sql, "%s%s.", text ? words.before : "", alias);
    if (of_image) {
        buffer_format(sql, "c%d", column->number);
    } else {
        postgres_append_name(sql, column->name);
    }
    buffer_append_string(sql, text ? words.behind : "");
    buffer_append_string(sql, bytes || text ? ")" : "");
}

void postgres_undo_append_hash(struct buffer *sql, const struct postgres_column *columns,
                               uint32_t count, const char *alias, bool of_image)
{
    bool begun = false;
    buffer_append_string(sql, "pg_catalog.md5(ROW(");
    for (uint32_t i = 0; i < count; i++) {
        if (!columns[i].generated) {
            buffer_append_string(sql, begun ? ", " : "");
            append_hashed(sql, &columns[i], alias, of_image);
            begun = true;
        }
    }
    buffer_append_string(sql, ")::pg_catalog.text)");
}

static void append_key_numbers(struct buffer *sql, const struct target_table *table,
                               const struct postgres_table *facts)
{
    for (uint32_t i = 0; i < table->key.count; i++) {
        int32_t at = postgres_find_column(facts, table->key.names[i]);
        buffer_format(sql, "%sc%d", i > 0 ? ", " : "", at >= 0 ? facts->columns[at].number : 0);
    }
}

static enum status exists(struct postgres_database *self, PGconn *connection, const char *name,
                          bool *found, struct error *error)
{
    struct buffer relation = {0};
    postgres_append_table(&relation, self, name);
    enum status status = postgres_is_there(self, connection, buffer_string(&relation),
                                           ERROR_TARGET_INVALID, found, error);
    buffer_free(&relation);
    return status;
}

enum status postgres_undo_make(struct postgres_database *self, PGconn *connection,
                               const struct target_table *table, const struct postgres_table *facts,
                               struct arena *arena, struct error *error)
{
    struct buffer sql = {0};
    bool found = false;
    const char *name = sql_undo_name(arena, self->sql.run_id, table->name);

    if (exists(self, connection, name, &found, error) != STATUS_OK || found) {
        return found ? STATUS_OK : STATUS_FAILED;
    }
    postgres_append(&sql, "CREATE TABLE %t AS SELECT false AS found, ''::pg_catalog.text AS hash",
                    &self->sql, name);
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        if (!facts->columns[i].generated) {
            postgres_append(&sql, ", t.%n AS c%d", facts->columns[i].name,
                            facts->columns[i].number);
        }
    }
    postgres_append(&sql, " FROM %t AS t WITH NO DATA; ALTER TABLE %t ADD PRIMARY KEY (",
                    &self->sql, table->name, &self->sql, name);
    append_key_numbers(&sql, table, facts);
    buffer_append_byte(&sql, ')');
    return postgres_execute_buffer(self, connection, &sql, SQL_SHORT, ERROR_TARGET_SCHEMA, error);
}
