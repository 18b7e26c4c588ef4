/* Sequences past what a run loaded, and never back. */
#include "base/log.h"
#include "base/text.h"
#include "connectors/postgres/schema/keys.h"
#include "postgres_sql.h"
#include <string.h>

/* The columns of sequences.sql. */
enum {
    SEQUENCE_TABLE,
    SEQUENCE_COLUMN,
    SEQUENCE_NAME,
    SEQUENCE_ASCENDS,
    SEQUENCE_LAST,
    SEQUENCE_BEFORE_FIRST,
    SEQUENCE_MAY_SET,
    SEQUENCE_MAY_READ,
    SEQUENCE_MAY_ASK,
    SEQUENCE_REACHES_ALL
};

struct sequences {
    struct postgres_database *self;
    PGconn *connection;
    PGresult *list;
    struct error *error;
};

static const char *cell(const struct sequences *sequences, int row, int column)
{
    return PQgetvalue(sequences->list, row, column);
}

static bool is_true(const struct sequences *sequences, int row, int column)
{
    return cell(sequences, row, column)[0] == 't';
}

static void append_sequence(struct buffer *sql, const struct sequences *sequences, int row)
{
    const char *name = cell(sequences, row, SEQUENCE_NAME);
    postgres_append_text(sql, name, strlen(name));
}

/* " FROM table WHERE column <comparison> the last number": those that the sequence reaches, or
 * not. */
static void append_numbers(struct buffer *sql, const struct sequences *sequences, int row,
                           const char *comparison)
{
    postgres_append(sql, " FROM %t WHERE %n %s (%s)", &sequences->self->sql,
                    cell(sequences, row, SEQUENCE_TABLE), cell(sequences, row, SEQUENCE_COLUMN),
                    comparison, cell(sequences, row, SEQUENCE_LAST));
}

static enum status sequences_ask(struct sequences *sequences, int row, struct buffer *sql,
                                 PGresult **result)
{
    const char *name = cell(sequences, row, SEQUENCE_NAME);
    enum status status =
        postgres_query_buffer(sequences->self, sequences->connection, sql, NULL, 0, SQL_BUILD,
                              ERROR_TARGET_SCHEMA, result, sequences->error);
    if (status != STATUS_OK) {
        error_context(sequences->error, "%s: ", name);
    }
    return status;
}

static void warn_of_right(const struct sequences *sequences, int row, const char *number)
{
    struct buffer name = {0};
    append_sequence(&name, sequences, row);
    log_write(LOG_WARNING,
              "%s: the role may not set the sequence %s past what %s holds, so that it may give "
              "numbers that are taken; let its owner run: SELECT setval(%s, %s);",
              cell(sequences, row, SEQUENCE_TABLE), cell(sequences, row, SEQUENCE_NAME),
              cell(sequences, row, SEQUENCE_COLUMN), buffer_string(&name), number);
    buffer_free(&name);
}

/* The comparison of the largest number m.m with where the sequence stands; without a right to see
 * it, none. Who may only ask for its last number isn't told of one at which it was restarted. */
static void append_comparison(struct buffer *sql, const struct sequences *sequences, int row)
{
    const char *beyond = is_true(sequences, row, SEQUENCE_ASCENDS) ? ">" : "<";
    if (is_true(sequences, row, SEQUENCE_MAY_READ)) {
        buffer_format(sql,
                      " AND EXISTS (SELECT 1 FROM %s q WHERE m.m %s q.last_value OR (m.m = "
                      "q.last_value AND NOT q.is_called))",
                      cell(sequences, row, SEQUENCE_NAME), beyond);
    } else if (is_true(sequences, row, SEQUENCE_MAY_ASK)) {
        buffer_format(sql, " AND m.m %s coalesce(pg_catalog.pg_sequence_last_value(", beyond);
        append_sequence(sql, sequences, row);
        buffer_format(sql, "), %s)", cell(sequences, row, SEQUENCE_BEFORE_FIRST));
    }
}

static enum status sequences_set(struct sequences *sequences, int row)
{
    bool ascends = is_true(sequences, row, SEQUENCE_ASCENDS);
    bool may =
        is_true(sequences, row, SEQUENCE_MAY_READ) && is_true(sequences, row, SEQUENCE_MAY_SET);
    struct buffer sql = {0};
    PGresult *result = NULL;

    buffer_append_string(&sql, "SELECT m.m");
    if (may) {
        buffer_append_string(&sql, ", pg_catalog.setval(");
        append_sequence(&sql, sequences, row);
        buffer_append_string(&sql, ", m.m)");
    }
    postgres_append(&sql, " FROM (SELECT pg_catalog.%s(pg_catalog.%s(%n)::numeric)::bigint AS m",
                    ascends ? "ceil" : "floor", ascends ? "max" : "min",
                    cell(sequences, row, SEQUENCE_COLUMN));
    append_numbers(&sql, sequences, row, ascends ? "<=" : ">=");
    buffer_append_string(&sql, ") m WHERE m.m IS NOT NULL");
    append_comparison(&sql, sequences, row);
    enum status status = sequences_ask(sequences, row, &sql, &result);
    if (status == STATUS_OK && !may && PQntuples(result) > 0) {
        warn_of_right(sequences, row, PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return status;
}

static enum status warn_of_others(struct sequences *sequences, int row)
{
    bool ascends = is_true(sequences, row, SEQUENCE_ASCENDS);
    const char *name = cell(sequences, row, SEQUENCE_NAME);
    struct buffer sql = {0};
    PGresult *result = NULL;
    if (is_true(sequences, row, SEQUENCE_REACHES_ALL)) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT 1");
    append_numbers(&sql, sequences, row, ascends ? ">" : "<");
    buffer_append_string(&sql, " LIMIT 1");
    enum status status = sequences_ask(sequences, row, &sql, &result);
    if (status == STATUS_OK && PQntuples(result) > 0) {
        log_write(LOG_WARNING,
                  "%s.%s holds numbers beyond %s, which its sequence %s can't reach; if it is to "
                  "go on behind them: ALTER SEQUENCE %s AS bigint NO %s, then setval",
                  cell(sequences, row, SEQUENCE_TABLE), cell(sequences, row, SEQUENCE_COLUMN),
                  cell(sequences, row, SEQUENCE_LAST), name, name,
                  ascends ? "MAXVALUE" : "MINVALUE");
    }
    PQclear(result);
    return status;
}

enum status postgres_set_sequences(struct postgres_database *self, PGconn *connection,
                                   const struct target_table *tables, uint32_t table_count,
                                   struct error *error)
{
    struct sequences sequences = {.self = self, .connection = connection, .error = error};
    const struct postgres_parameter spaces = {.text = self->spaces};
    enum status status =
        postgres_catalog_query(self, connection, sql_sequences, &spaces, 1, SQL_SHORT,
                               ERROR_TARGET_INVALID, &sequences.list, error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(sequences.list); row++) {
        bool found = false;
        for (uint32_t i = 0; !found && i < table_count; i++) {
            found = strcmp(tables[i].name, cell(&sequences, row, SEQUENCE_TABLE)) == 0;
        }
        status = found ? sequences_set(&sequences, row) : STATUS_OK;
        status = found && status == STATUS_OK ? warn_of_others(&sequences, row) : status;
    }
    PQclear(sequences.list);
    return status;
}
