/*
 * DynamoDB as a source: tables cut into the segments of a parallel Scan.
 *
 * DynamoDB deals items to segments by a hash of their partition key: for one number of segments an
 * item is always in the same one, so that the segments tile the table. It knows no snapshot.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "connectors/contract/defaults.h"
#include "connectors/dynamodb/network/source.h"

#include "connectors/dynamodb/network/body.h"
#include "connectors/dynamodb/network/estimate.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEGMENTS_UNKNOWN = 64 /* of a table that says of itself that it is empty, and is not */
};

/* The table that is read. A Query is never cut: `*one_span`. */
static enum status find_table(struct database *self, const struct read_request *request,
                              const struct dynamodb_description **table, bool *one_span,
                              struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct dynamodb_query query;
    *one_span = false;
    if (request->join_count > 0 || request->ordered) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, request->name,
                         "DynamoDB has no joins and no order over tables");
    }
    if (request->query == NULL) {
        enum status status = dynamodb_source_find(network, request->table, table, error);
        if (status == STATUS_OK) { /* its cost is worth telling */
            atomic_store(&network->source_own->asked[*table - network->source_own->tables], true);
        }
        return status;
    }
    if (dynamodb_query_read(network, request->query, &query, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *table = query.table;
    *one_span = strcmp(query.operation, "Query") == 0;
    dynamodb_query_free(&query);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- facts */

static enum status source_describe_stream(struct database *self, const struct read_request *request,
                                          struct arena *arena, struct stream_facts *facts,
                                          struct error *error)
{
    const struct dynamodb_description *table = NULL;
    bool one_span = false;
    (void)arena;
    if (find_table(self, request, &table, &one_span, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *facts =
        (struct stream_facts){.keyed = true,
                              .key_unique = true,
                              .row_count = table->item_count > 0 ? (int64_t)table->item_count : -1,
                              .key = table->key};
    return STATUS_OK;
}

/* ---------------------------------------------------------------- split */

/*
 * DynamoDB counts a table's items every six hours or so: one that was filled since says 0. One page
 * of a counting Scan tells whether it is small (`*more` false).
 */
static enum status reader_probe(struct dynamodb_network *network, const char *name, uint64_t *items,
                                bool *more, struct error *error)
{
    struct buffer body = {0};
    struct service_reply *response = NULL;
    dynamodb_body_raw(&body, "{");
    dynamodb_body_text(&body, "TableName", name);
    dynamodb_body_text(&body, "Select", "COUNT");
    dynamodb_body_raw(&body, "}");
    enum status status = dynamodb_network_call(network, "Scan", name, &body, &response, error);
    buffer_free(&body);
    if (status == STATUS_OK && response->fault != DYNAMODB_FAULT_NONE) {
        error_copy(error, &response->error);
        status = STATUS_FAILED;
    }
    json_t *root = status == STATUS_OK ? dynamodb_reply_parse(response, name, error) : NULL;
    if (root != NULL) {
        *items = dynamodb_reply_number(root, "Count");
        *more = json_object_get(root, "LastEvaluatedKey") != NULL;
    }
    status = root != NULL ? STATUS_OK : STATUS_FAILED;
    json_decref(root);
    service_reply_destroy(response);
    return status;
}

static enum status count_segments(struct dynamodb_network *network,
                                  const struct dynamodb_description *table, uint64_t rows_wanted,
                                  uint64_t *items, uint32_t *segments, struct error *error)
{
    bool more = false;
    *items = table->item_count;
    if (*items == 0 && reader_probe(network, table->name, items, &more, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t rows = rows_wanted > 0 ? rows_wanted : 1;
    uint64_t wanted = more ? SEGMENTS_UNKNOWN : *items / rows + (*items % rows > 0);
    wanted = wanted < 1 ? 1 : wanted;
    *segments = wanted > DYNAMODB_SEGMENTS_MAX ? DYNAMODB_SEGMENTS_MAX : (uint32_t)wanted;
    *items = more ? 0 : *items;
    return STATUS_OK;
}

static enum status source_split(struct database *self, const struct read_request *request,
                                uint64_t rows_wanted, struct arena *arena, struct span **spans,
                                uint32_t *span_count, struct error *error)
{
    const struct dynamodb_description *table = NULL;
    uint64_t items = 0;
    uint32_t segments = 1;
    bool one_span = false;
    if (find_table(self, request, &table, &one_span, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!one_span && count_segments(dynamodb_network_of(self), table, rows_wanted, &items,
                                    &segments, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    items = request->query == NULL ? items : 0;
    struct span *made = arena_allocate_zeroed(arena, segments, sizeof(*made));
    for (uint32_t at = 0; at < segments; at++) {
        uint8_t *bounds = arena_allocate(arena, DYNAMODB_SPAN_BYTES);
        const char *printable =
            segments == 1
                ? "all items"
                : arena_format(arena, "segment %" PRIu32 " of %" PRIu32, at + 1, segments);
        bytes_put_le(bounds, at, 4);
        bytes_put_le(bounds + 4, segments, 4);
        made[at] = (struct span){.printable = printable,
                                 .bounds = bounds,
                                 .bounds_length = DYNAMODB_SPAN_BYTES,
                                 .row_estimate = items > 0 ? (int64_t)(items / segments) : -1};
    }
    *spans = made;
    *span_count = segments;
    return STATUS_OK;
}

static enum status source_prepare(struct database *self, const struct read_request *const *requests,
                                  uint32_t request_count, void (*progress)(const char *what),
                                  struct error *error)
{
    const struct dynamodb_description *table = NULL;
    bool one_span = false;
    (void)progress;
    for (uint32_t at = 0; at < request_count; at++) {
        if (find_table(self, requests[at], &table, &one_span, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- readers */

static enum status source_reader_open(struct database *self, struct reader **reader,
                                      struct error *error)
{
    struct dynamodb_source *source = NULL;
    struct dynamodb_network *network = dynamodb_network_of(self);
    *reader = NULL;
    if (dynamodb_source_get(network, &source, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct reader *made = memory_allocate_zeroed(1, sizeof(*made));
    made->network = network;
    if (dynamodb_scanner_create(network, &made->scanner, error) != STATUS_OK) {
        free(made);
        return STATUS_FAILED;
    }
    *reader = made;
    return STATUS_OK;
}

static void source_reader_close(struct reader *reader)
{
    if (reader != NULL) {
        dynamodb_scanner_destroy(reader->scanner);
        free(reader);
    }
}

const struct source_functions dynamodb_network_source = {
    .snapshot = source_has_no_snapshot,
    .describe_stream = source_describe_stream,
    .split = source_split,
    .prepare = source_prepare,
    .reader_open = source_reader_open,
    .reader_close = source_reader_close,
    .cursor_open = dynamodb_network_cursor_open,
    .cursor_next = dynamodb_network_cursor_next,
    .cursor_close = dynamodb_network_cursor_close,
    .caveats = dynamodb_estimate_read,
};
