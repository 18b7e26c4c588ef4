/*
 * Cassandra as a source: tables and materialised views, cut into ranges of tokens. A partition's
 * token never changes, so that the spans of a table tile it at any time; there is no snapshot.
 */
#include "connectors/cassandra/reader.h"

#include "base/memory.h"
#include "connectors/cassandra/estimate.h"
#include "connectors/cassandra/query.h"
#include "connectors/cassandra/schema.h"
#include "connectors/cassandra/split.h"
#include "connectors/contract/defaults.h"
#include <stdlib.h>
#include <string.h>

static enum status refuse_joins(const struct read_request *request, struct error *error)
{
    return request->join_count > 0 || request->ordered
               ? error_set(error, ERROR_NOT_IMPLEMENTED, request->name,
                           "Cassandra has no joins and no order over tables")
               : STATUS_OK;
}

/* ---------------------------------------------------------------- facts */

/* Asked once of each table. */
static double rows_of(struct cassandra *self, const struct cassandra_table *table)
{
    _Atomic int64_t *known = &self->schema->row_estimates[table - self->schema->tables];
    int64_t rows = atomic_load(known);
    if (rows == CASSANDRA_ROWS_NOT_ASKED) {
        rows = (int64_t)cassandra_estimate_rows(self, table);
        atomic_store(known, rows);
    }
    return (double)rows;
}

static enum status source_describe_stream(struct database *self, const struct read_request *request,
                                          struct arena *arena, struct stream_facts *facts,
                                          struct error *error)
{
    struct cassandra *cassandra = cassandra_of(self);
    const struct cassandra_table *table = NULL;
    *facts = (struct stream_facts){.row_count = -1};
    if (refuse_joins(request, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (request->query != NULL) {
        enum status status =
            cassandra_query_key(cassandra, request->query, arena, &facts->key, error);
        facts->keyed = facts->key.count > 0;
        facts->key_unique = facts->keyed;
        return status;
    }
    if (cassandra_schema_find(cassandra, request->table, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *facts = (struct stream_facts){.keyed = true,
                                   .key_unique = true,
                                   .row_count = (int64_t)rows_of(cassandra, table),
                                   .key = table->key};
    return STATUS_OK;
}

/* ---------------------------------------------------------------- split */

static enum status split_table(struct cassandra *self, const struct cassandra_table *table,
                               uint64_t rows_wanted, struct arena *arena, struct span **spans,
                               uint32_t *span_count)
{
    size_t range_count = 0;
    size_t piece_count = 0;
    double rows = rows_of(self, table);
    double wanted = rows_wanted > 0 ? (double)rows_wanted : 1;
    pthread_mutex_lock(&self->keyed.control_mutex);
    const struct cql_range *ranges = cql_session_ranges(self->control, arena, &range_count);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    const struct cql_range *pieces =
        cassandra_split(ranges, range_count, rows >= 0 ? rows : wanted * CASSANDRA_PIECES_UNKNOWN,
                        wanted, arena, &piece_count);
    struct span *made = arena_allocate_zeroed(arena, piece_count + 1, sizeof(*made));
    for (size_t at = 0; at < piece_count; at++) {
        made[at] = cassandra_span_of(&pieces[at], rows, arena);
    }
    *spans = made;
    *span_count = (uint32_t)piece_count;
    return STATUS_OK;
}

static enum status source_split(struct database *self, const struct read_request *request,
                                uint64_t rows_wanted, struct arena *arena, struct span **spans,
                                uint32_t *span_count, struct error *error)
{
    static const struct cql_range ring = {CQL_TOKEN_MIN, CQL_TOKEN_MAX};
    const struct cassandra_table *table = NULL;
    if (refuse_joins(request, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (request->query == NULL) {
        return cassandra_schema_find(cassandra_of(self), request->table, &table, error) == STATUS_OK
                   ? split_table(cassandra_of(self), table, rows_wanted, arena, spans, span_count)
                   : STATUS_FAILED;
    }
    *spans = arena_allocate_zeroed(arena, 1, sizeof(**spans));
    (*spans)[0] = cassandra_span_of(&ring, -1, arena);
    (*spans)[0].printable = "the query's rows";
    *span_count = 1;
    return STATUS_OK;
}

static enum status source_prepare(struct database *self, const struct read_request *const *requests,
                                  uint32_t request_count, void (*progress)(const char *what),
                                  struct error *error)
{
    (void)progress;
    for (uint32_t at = 0; at < request_count; at++) {
        const struct cassandra_table *table = NULL;
        if (refuse_joins(requests[at], error) != STATUS_OK ||
            (requests[at]->query == NULL &&
             cassandra_schema_find(cassandra_of(self), requests[at]->table, &table, error) !=
                 STATUS_OK)) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- readers */

static enum status source_reader_open(struct database *self, struct reader **reader,
                                      struct error *error)
{
    struct cassandra *cassandra = cassandra_of(self);
    struct reader *made = memory_allocate_zeroed(1, sizeof(*made));
    *reader = NULL;
    made->cassandra = cassandra;
    made->scans.cassandra = cassandra;
    if (cassandra_connect(cassandra, &made->scans.session, error) != STATUS_OK) {
        free(made);
        return STATUS_FAILED;
    }
    *reader = made;
    return STATUS_OK;
}

static void source_reader_close(struct reader *reader)
{
    if (reader != NULL) {
        cassandra_scans_close(&reader->scans);
        free(reader);
    }
}

/* ---------------------------------------------------------------- caveats */

static bool is_weak(enum cql_consistency consistency)
{
    return consistency == CQL_ONE || consistency == CQL_LOCAL_ONE;
}

static enum status source_caveats(struct database *self, struct buffer *out, struct error *error)
{
    struct cassandra *cassandra = cassandra_of(self);
    (void)error;
    pthread_mutex_lock(&cassandra->keyed.control_mutex);
    size_t nodes = cql_session_cluster(cassandra->control).node_count;
    pthread_mutex_unlock(&cassandra->keyed.control_mutex);
    buffer_append_string(out, "numbers of rows are estimated from how close together tokens are; "
                              "only small tables are counted\n");
    if (nodes > 1 && is_weak(cassandra->settings.read_consistency)) {
        buffer_format(out,
                      "each row is read from one replica (%s): what that one missed is not "
                      "copied; ?consistency=LOCAL_QUORUM reads from more of them\n",
                      cql_consistency_name(cassandra->settings.read_consistency));
    }
    if (!cassandra->settings.keeps_times) {
        buffer_append_string(out, "when cells were written and when they expire is not read: what "
                                  "has a TTL is copied as if it stayed; ?times=true keeps both\n");
    }
    return STATUS_OK;
}

enum { TTL_ROWS = 1000 };

/* Columns that have one TTL each: no part of the key, no counter, no collection of cells. */
static bool has_ttl(const struct cassandra_table *table, uint32_t at)
{
    const struct cql_type *type = table->columns[at].type;
    bool cells = !type->frozen && (type->kind == CQL_TYPE_LIST || type->kind == CQL_TYPE_SET ||
                                   type->kind == CQL_TYPE_MAP || type->kind == CQL_TYPE_UDT);
    return at >= table->key.count && !cells && !table->counter;
}

/* Which of the columns hold cells that expire, in the first rows? */
static enum status find_expiring(struct cassandra *self, const struct cassandra_table *table,
                                 struct arena *arena, const char **name, struct error *error)
{
    struct buffer text = {0};
    struct cql_reply reply = {0};
    uint32_t *places = arena_allocate_zeroed(arena, table->column_count + 1u, sizeof(*places));
    struct cql_value *values =
        arena_allocate_zeroed(arena, table->column_count + 1u, sizeof(*values));
    uint32_t count = 0;
    enum status status = STATUS_OK;
    *name = NULL;
    buffer_append_string(&text, "SELECT ");
    for (uint32_t at = 0; at < table->column_count; at++) {
        if (has_ttl(table, at)) {
            const char *column = table->columns[at].name;
            buffer_append_string(&text, count > 0 ? ", TTL(" : "TTL(");
            cql_name_append((struct text){column, strlen(column)}, &text);
            buffer_append_byte(&text, ')');
            places[count++] = at;
        }
    }
    buffer_append_string(&text, " FROM ");
    cassandra_append_table(self, table->name, &text);
    buffer_format(&text, " LIMIT %d", (int)TTL_ROWS);
    if (count > 0) {
        status = cassandra_run(self, buffer_string(&text), self->settings.read_consistency, true,
                               arena, &reply, error);
    }
    while (status == STATUS_OK && count > 0 && *name == NULL &&
           cql_rows_next(&reply.response.rows, values) == STATUS_OK) {
        for (uint32_t at = 0; at < count && *name == NULL; at++) {
            *name = values[at].length > 0 ? table->columns[places[at]].name : NULL;
        }
    }
    buffer_free(&text);
    return status;
}

static enum status tell_losses(struct database *database,
                               const struct read_request *const *requests, uint32_t request_count,
                               bool keeps_times, struct buffer *out, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    enum status status = STATUS_OK;
    if (self->settings.keeps_times && keeps_times) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    for (uint32_t i = 0; i < request_count && status == STATUS_OK; i++) {
        const struct cassandra_table *table = NULL;
        const char *name = NULL;
        if (requests[i]->table == NULL ||
            cassandra_schema_find(self, requests[i]->table, &table, error) != STATUS_OK) {
            error_clear(error);
            continue;
        }
        status = find_expiring(self, table, arena, &name, error);
        if (status == STATUS_OK && name != NULL) {
            buffer_format(out, "%s: rows expire (TTL of %s), which %s: what is copied stays%s\n",
                          table->name, name,
                          keeps_times ? "is not read" : "the target does not keep",
                          keeps_times ? "; ?times=true keeps it" : "");
        }
    }
    arena_destroy(arena);
    return status;
}

const struct source_functions cassandra_source = {
    .snapshot = source_has_no_snapshot,
    .describe_stream = source_describe_stream,
    .split = source_split,
    .prepare = source_prepare,
    .reader_open = source_reader_open,
    .reader_close = source_reader_close,
    .cursor_open = cassandra_cursor_open,
    .cursor_next = cassandra_cursor_next,
    .cursor_close = cassandra_cursor_close,
    .tell_losses = tell_losses,
    .caveats = source_caveats,
};
