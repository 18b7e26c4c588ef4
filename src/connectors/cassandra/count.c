/*
 * Rows of a table, counted by the server: a range of tokens at a time, several under way. One that
 * takes too long is cut in halves; one that cannot be cut any more is read page by page.
 */
#include "connectors/cassandra/calls.h"
#include "connectors/cassandra/estimate.h"
#include "connectors/cassandra/key.h"
#include "connectors/cassandra/scan.h"
#include "connectors/cassandra/schema.h"
#include "connectors/cassandra/select.h"
#include "connectors/cassandra/split.h"
#include "connectors/contract/report.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/signals.h"
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 8, WAIT_MS = 100, PIECE_ROWS = 50000, TOKENS_MIN = 1 << 20 };

struct counting;

/* A range to be counted. */
struct piece {
    struct cql_range range;
    enum cql_consistency consistency;
};

struct slot {
    struct cassandra_call call; /* first */
    struct counting *counting;
    struct piece piece;
    bool under_way;
};

struct counting {
    struct cassandra *self;
    const struct cassandra_table *table;
    struct cassandra_scans scans;
    const struct cql_prepared *prepared;
    struct buffer pieces; /* struct piece: still to be counted */
    struct buffer hard;   /* likewise: to be read */
    struct slot slots[WINDOW];
    uint32_t under_way;
    struct cassandra_patience patience;
    uint64_t rows;
    bool partitions; /* those of static values alone count for a row */
    struct arena *arena;
    enum status status;
    struct error *error;
};

static void count_push(struct buffer *pieces, struct piece piece)
{
    buffer_append(pieces, &piece, sizeof(piece));
}

static bool count_pop(struct buffer *pieces, struct piece *piece)
{
    if (pieces->length == 0) {
        return false;
    }
    pieces->length -= sizeof(*piece);
    memcpy(piece, pieces->data + pieces->length, sizeof(*piece));
    return true;
}

/* ---------------------------------------------------------------- answers */

static void take_count(struct counting *counting, const struct cql_response *response)
{
    struct cql_rows rows = response->rows;
    struct cql_value value = {0};
    bool good = response->opcode == CQL_RESULT && response->kind == CQL_RESULT_ROWS &&
                rows.columns.count == 1 && cql_rows_next(&rows, &value) == STATUS_OK &&
                value.length == 8;
    if (good) {
        counting->rows += bytes_get_be(value.data, 8);
    } else {
        counting->status = error_set(counting->error, ERROR_NETWORK_ANSWER, counting->table->name,
                                     "SELECT count was answered with something else");
    }
}

static void take_slow(struct counting *counting, const struct piece *piece)
{
    if (cql_range_width(&piece->range) < TOKENS_MIN) {
        count_push(&counting->hard, *piece);
        return;
    }
    for (uint64_t half = 2; half > 0; half--) {
        count_push(&counting->pieces,
                   (struct piece){cql_range_piece(&piece->range, half - 1, 2), piece->consistency});
    }
}

static void take_failure(struct counting *counting, struct piece *piece,
                         const struct cql_reply *reply, const struct error *error)
{
    struct error again;
    error_copy(&again, error);
    if (cassandra_call_is_slow(reply->failure)) {
        report_retried(&counting->self->keyed.base, NULL);
        take_slow(counting, piece);
    } else if (cassandra_patience_falls_back(&counting->patience, reply->failure, &again,
                                             &piece->consistency) ||
               cassandra_patience_plan(&counting->patience, &again)) {
        count_push(&counting->pieces, *piece);
    } else {
        counting->status = error_copy(counting->error, &again);
    }
}

static void answered(struct cassandra_call *call, enum status status, const struct cql_reply *reply,
                     const struct error *error)
{
    struct slot *slot = (struct slot *)call;
    struct counting *counting = slot->counting;
    slot->under_way = false;
    counting->under_way--;
    if (counting->status != STATUS_OK) {
        return;
    }
    if (status == STATUS_OK) {
        cassandra_patience_renew(&counting->patience);
        take_count(counting, &reply->response);
    } else {
        take_failure(counting, &slot->piece, reply, error);
    }
}

/* ---------------------------------------------------------------- asking */

static struct slot *free_slot(struct counting *counting)
{
    for (uint32_t at = 0; at < WINDOW; at++) {
        if (!counting->slots[at].under_way) {
            return &counting->slots[at];
        }
    }
    return NULL;
}

static enum status count_ask(struct counting *counting, struct slot *slot,
                             const struct piece *piece)
{
    struct cassandra *self = counting->self;
    struct buffer values = {0};
    cassandra_select_write_range(&piece->range, &values);
    const struct cql_statement statement = {.prepared = counting->prepared,
                                            .values = values.data,
                                            .values_length = values.length,
                                            .value_count = 2};
    const struct cql_call call = {.statements = &statement,
                                  .statement_count = 1,
                                  .consistency = piece->consistency,
                                  .timestamp_us = CQL_NO_TIMESTAMP,
                                  .page_size = (int32_t)self->settings.page_rows,
                                  .token = &piece->range.to,
                                  .keyspace = self->keyspace,
                                  .deadline_ms = clock_boottime_ms() + self->keyed.room.timeout_ms,
                                  .tag = &slot->call};
    enum status status = cql_session_send(counting->scans.session, &call, counting->error);
    buffer_free(&values);
    if (status == STATUS_OK) {
        *slot = (struct slot){
            .call = {answered}, .counting = counting, .piece = *piece, .under_way = true};
        counting->under_way++;
    }
    return status;
}

static void fill_window(struct counting *counting)
{
    struct piece piece;
    if (signals_stop_level() > 0) {
        counting->status = error_set(counting->error, ERROR_INTERRUPTED, counting->table->name,
                                     "counting was stopped");
    }
    while (counting->status == STATUS_OK && counting->under_way < WINDOW &&
           !cassandra_patience_waits(&counting->patience) && count_pop(&counting->pieces, &piece)) {
        enum status status = count_ask(counting, free_slot(counting), &piece);
        if (status != STATUS_OK) {
            count_push(&counting->pieces, piece);
        }
        if (status == STATUS_FAILED) {
            counting->status = STATUS_FAILED;
        }
        if (status == STATUS_AGAIN) {
            break;
        }
    }
}

static enum status count_ranges(struct counting *counting)
{
    do {
        fill_window(counting);
        (void)!cassandra_calls_poll(counting->scans.session, WAIT_MS);
    } while (counting->under_way > 0 ||
             (counting->status == STATUS_OK && counting->pieces.length > 0));
    return counting->status;
}

/* ---------------------------------------------------------------- reading the rest */

static void count_page(struct counting *counting, const struct cassandra_select *select,
                       struct cassandra_page *page, struct cassandra_scan *scan)
{
    const struct cassandra_table *table = counting->table;
    struct cql_value *values =
        memory_allocate_zeroed((size_t)select->field_count + 1, sizeof(*values));
    struct cql_value *key =
        memory_allocate_zeroed((size_t)table->partition_count + 1, sizeof(*key));
    bool any = false;
    while (cql_rows_next(&page->rows, values) == STATUS_OK) {
        bool row = table->clustering_count == 0 || counting->partitions ||
                   values[select->key[table->partition_count]].length >= 0;
        counting->rows += row;
        any = true;
    }
    for (uint32_t at = 0; at < table->partition_count; at++) {
        key[at] = values[select->key[at]];
    }
    if (any) {
        cassandra_scan_passed(scan, cassandra_key_token(key, table->partition_count));
    }
    free(values);
    free(key);
}

static enum status read_range(struct counting *counting, const struct cql_range *range)
{
    const struct read_column first = {.name = counting->table->columns[0].name};
    const struct read_request keys_only = {.columns = &first, .column_count = 1};
    struct cassandra_select select =
        cassandra_select_of(counting->self, counting->table, &keys_only, false, counting->arena);
    struct cassandra_scan *scan = NULL;
    struct cassandra_page page = {0};
    enum status status =
        cassandra_scan_open(&counting->scans, counting->table->name,
                            cassandra_select_range(&select, counting->self, counting->arena), range,
                            select.field_count, &scan, counting->error);
    while (status == STATUS_OK || status == STATUS_AGAIN) {
        status = cassandra_scan_next(scan, WAIT_MS, &page, counting->error);
        if (status == STATUS_OK) {
            count_page(counting, &select, &page, scan);
            cassandra_page_free(&page);
        }
    }
    cassandra_scan_close(scan);
    return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
}

static enum status read_hard_ranges(struct counting *counting)
{
    struct piece piece;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && count_pop(&counting->hard, &piece)) {
        status = read_range(counting, &piece.range);
    }
    return status;
}

/* ---------------------------------------------------------------- all of it */

/* A partition of static values alone is one row to the server, without a clustering key. */
static const char *statement_of(const struct counting *counting)
{
    const struct cassandra_table *table = counting->table;
    struct buffer text = {0};
    if (table->clustering_count == 0 || table->compact || counting->partitions) {
        buffer_append_string(&text, "SELECT count(*) FROM ");
    } else {
        const char *name = table->columns[table->partition_count].name;
        buffer_append_string(&text, "SELECT count(");
        cql_name_append((struct text){name, strlen(name)}, &text);
        buffer_append_string(&text, ") FROM ");
    }
    cassandra_append_table(counting->self, table->name, &text);
    buffer_append_string(&text, " WHERE ");
    cassandra_key_append_token(table, &text);
    buffer_append_string(&text, " > ? AND ");
    cassandra_key_append_token(table, &text);
    buffer_append_string(&text, " <= ?");
    const char *made = arena_copy(counting->arena, text.data, text.length);
    buffer_free(&text);
    return made;
}

static void cut_ring(struct counting *counting)
{
    size_t range_count = 0;
    size_t piece_count = 0;
    double rows = cassandra_estimate_rows(counting->self, counting->table);
    const struct cql_range *ranges =
        cql_session_ranges(counting->scans.session, counting->arena, &range_count);
    const struct cql_range *pieces = cassandra_split(
        ranges, range_count, rows >= 0 ? rows : (double)PIECE_ROWS * CASSANDRA_PIECES_UNKNOWN,
        PIECE_ROWS, counting->arena, &piece_count);
    for (size_t at = 0; at < piece_count; at++) {
        count_push(&counting->pieces,
                   (struct piece){pieces[at], counting->self->settings.read_consistency});
    }
}

static bool has_static(const struct cassandra_table *table)
{
    bool found = false;
    for (uint32_t at = table->key.count; at < table->column_count && !found; at++) {
        found = table->columns[at].part == CASSANDRA_STATIC;
    }
    return found;
}

static enum status count_table(struct counting *counting)
{
    struct cassandra *self = counting->self;
    if (cassandra_connect(self, &counting->scans.session, counting->error) != STATUS_OK) {
        counting->scans.session = NULL;
        return STATUS_FAILED;
    }
    if (cassandra_calls_prepare(self, counting->scans.session, statement_of(counting),
                                &counting->prepared, counting->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    cut_ring(counting);
    return count_ranges(counting) == STATUS_OK ? read_hard_ranges(counting) : STATUS_FAILED;
}

enum status cassandra_count(struct cassandra *self, const char *table, bool partitions,
                            uint64_t *count, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct counting *counting = memory_allocate_zeroed(1, sizeof(*counting));
    *counting = (struct counting){.self = self,
                                  .scans = {.cassandra = self},
                                  .partitions = partitions,
                                  .arena = arena,
                                  .error = error};
    cassandra_patience_begin(&counting->patience, self);
    enum status status = cassandra_table_read(self, table, arena, &counting->table, error);
    if (status == STATUS_OK) {
        counting->partitions = counting->partitions && has_static(counting->table);
        status = count_table(counting);
    } else if (status == STATUS_END) {
        status = error_set(error, ERROR_TARGET_MISSING, table, "there is no table %s", table);
    }
    *count = counting->rows;
    cassandra_scans_close(&counting->scans);
    buffer_free(&counting->pieces);
    buffer_free(&counting->hard);
    free(counting);
    arena_destroy(arena);
    return status == STATUS_OK ? STATUS_OK : error_context(error, "%s: ", table);
}
