/* Facts of a stream that are known before it is read. */
#include "connectors/sql/stream.h"
#include "connectors/sql/request.h"
#include "connectors/sql/span.h"

enum status sql_row_count_of(struct sql_database *self, const struct sql_table *table,
                             int64_t *rows, struct error *error)
{
    *rows = table->row_estimate;
    if (table->schema->size_bytes > (*rows >= 0 ? SQL_EXACT_BYTES_MAX : 4 * SQL_EXACT_BYTES_MAX)) {
        return STATUS_OK;
    }
    enum status status = self->dialect->count(self, table, false, rows, error);
    if (status != STATUS_OK && error->code == ERROR_PERMISSION && !self->snapshot_taken) {
        error_clear(error); /* what may not be read, tell_lacking says */
        *rows = table->row_estimate;
        return STATUS_OK;
    }
    return status;
}

enum status sql_describe_stream(struct database *database, const struct read_request *request,
                                struct arena *arena, struct stream_facts *facts,
                                struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    struct sql_table table;
    bool numbers = false;
    (void)arena;
    *facts = (struct stream_facts){.row_count = -1};
    if (sql_request_root(self, request, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (table.facts == NULL) {
        facts->key = request->root_key;
        return STATUS_OK;
    }
    facts->key_unique = table.key.count > 0;
    enum status status =
        self->dialect->look_at_stream(self, request, &table, facts, &numbers, error);
    return status == STATUS_OK && table.schema->kind == SCHEMA_TABLE
               ? sql_row_count_of(self, &table, &facts->row_count, error)
               : status;
}

enum status sql_count_rows(struct database *database, const struct read_request *request,
                           int64_t *rows, struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    struct sql_table table;
    *rows = -1;
    if (sql_request_root(self, request, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return table.facts != NULL && table.schema->kind == SCHEMA_TABLE
               ? self->dialect->count(self, &table, true, rows, error)
               : STATUS_OK;
}

const char *sql_append_groups(struct database *database, const char *table,
                              const struct column_list *columns, uint32_t count_max,
                              struct buffer *query)
{
    static const char rows[] = "_transhume_rows";
    const struct sql_database *self = sql_database_of(database);
    buffer_append_string(query, "SELECT ");
    sql_append_names(query, self->dialect->quoting, NULL, *columns);
    buffer_format(query, "%scount(*) AS %s FROM ", columns->count > 0 ? ", " : "", rows);
    self->dialect->quoting->append_table(query, self, table);
    if (columns->count > 0) {
        buffer_append_string(query, " GROUP BY ");
        sql_append_names(query, self->dialect->quoting, NULL, *columns);
    }
    buffer_format(query, " ORDER BY count(*) DESC LIMIT %u", count_max);
    return rows;
}

const char *sql_number_spans_of(struct database *database, const struct read_request *request,
                                const char **column)
{
    struct sql_database *self = sql_database_of(database);
    struct sql_table table;
    struct stream_facts facts = {0};
    struct error ignored = {0};
    bool numbers = false;
    if (sql_request_root(self, request, &table, &ignored) != STATUS_OK || table.facts == NULL ||
        self->dialect->look_at_stream(self, request, &table, &facts, &numbers, &ignored) !=
            STATUS_OK ||
        !numbers) {
        return NULL;
    }
    *column = table.key.names[0];
    return sql_number_spans;
}

struct digest_type sql_digest_type(struct database *database, const struct read_request *request,
                                   const char *column)
{
    struct sql_database *self = sql_database_of(database);
    struct sql_table table;
    struct error ignored = {0};
    if (request->table == NULL ||
        sql_find_table(self, request->table, &table, &ignored) != STATUS_OK) {
        return (struct digest_type){.form = DIGEST_NONE};
    }
    for (uint32_t i = 0; i < table.schema->column_count; i++) {
        if (self->dialect->compare_names(table.schema->columns[i].name, column) == 0) {
            return self->dialect->digest_type(self, &table, i);
        }
    }
    return (struct digest_type){.form = DIGEST_NONE};
}

/* ---------------------------------------------------------------- what is held */

enum status sql_hold(struct database *database, const struct read_request *const *requests,
                     uint32_t request_count, struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < request_count; i++) {
        const struct read_request *request = requests[i];
        if (request->table != NULL) {
            status = self->dialect->hold_table(self, request->table, error);
        } else if (request->query != NULL) {
            status = self->dialect->hold_query(self, request, error);
        }
        for (uint32_t j = 0; status == STATUS_OK && j < request->join_count; j++) {
            status = self->dialect->hold_table(self, request->joins[j].table, error);
        }
    }
    return status;
}

enum status sql_refuse_changed(const struct sql_database *self, const char *name, const char *what,
                               struct error *error)
{
    error_set(error, ERROR_SOURCE_CHANGED, self->shown,
              "%s was %s while the run began, after the catalogue was read", name, what);
    error_hint(error, "start the command again, once nobody alters the source's tables");
    return STATUS_FAILED;
}
