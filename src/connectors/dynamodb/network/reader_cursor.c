/* One segment of a Scan as batches: each item a document, or the attributes that are asked for. */
#include "connectors/dynamodb/network/source.h"
#include "connectors/keyed/reading.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIFE_SIGN_MS = 1000,       /* a batch without records tells the engine that we still wait */
    RAW_BYTES_MAX = 4 << 20,   /* of an item that can't be read, kept for its reject */
    PAGE_BYTES = 1024 * 1024,  /* DynamoDB ends a page there */
    READ_UNIT_BYTES = 4 * 1024 /* a unit reads that much, twice that if not consistent */
};

struct cursor {
    struct reader *reader;
    const struct read_request *request;
    const struct dynamodb_description *table;
    struct dynamodb_wanted *wanted; /* NULL: all items */
    struct dynamodb_scan *scan;
    struct dynamodb_scan_page page;
    bool has_page;
};

/* ---------------------------------------------------------------- opening */

static enum status read_bounds(const struct span *span, uint32_t *segment, uint32_t *segments,
                               struct error *error)
{
    *segment = 0;
    *segments = 1;
    if (span == NULL) {
        return STATUS_OK;
    }
    if (span->bounds_length == DYNAMODB_SPAN_BYTES) {
        *segment = (uint32_t)bytes_get_le(span->bounds, 4);
        *segments = (uint32_t)bytes_get_le(span->bounds + 4, 4);
    }
    if (span->bounds_length != DYNAMODB_SPAN_BYTES || *segments == 0 ||
        *segments > DYNAMODB_SEGMENTS_MAX || *segment >= *segments) {
        return error_set(error, ERROR_LEDGER_INVALID, span->printable, "the span has no bounds");
    }
    return STATUS_OK;
}

/* Pages small enough that one does not take more than a second's worth of a cap. 0: any size. */
static uint64_t items_a_page(const struct dynamodb_network *network,
                             const struct dynamodb_description *table)
{
    uint64_t cap = network->read_units;
    uint64_t unit_bytes = network->consistent ? READ_UNIT_BYTES : 2 * READ_UNIT_BYTES;
    if (cap == 0 || cap * unit_bytes >= PAGE_BYTES || table->item_count == 0) {
        return 0;
    }
    uint64_t item_bytes = table->size_bytes / table->item_count + 1;
    uint64_t items = cap * unit_bytes / item_bytes;
    return items > 0 ? items : 1;
}

static void write_table(const struct dynamodb_network *network,
                        const struct dynamodb_description *table, struct buffer *members)
{
    buffer_append_string(members, "\"ReturnConsumedCapacity\":\"TOTAL\",\"TableName\":");
    json_append_string(members, table->name, strlen(table->name));
    if (network->consistent) {
        buffer_append_string(members, ",\"ConsistentRead\":true");
    }
}

/* The request, of the table or the plan's query, without its braces. */
static enum status write_members(struct cursor *cursor, const struct span *span,
                                 const char **operation, struct buffer *members,
                                 struct error *error)
{
    struct dynamodb_network *network = cursor->reader->network;
    struct dynamodb_query query = {.operation = "Scan"};
    uint32_t segment = 0;
    uint32_t segments = 0;
    const char *text = cursor->request->query;
    if (read_bounds(span, &segment, &segments, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        text != NULL ? dynamodb_query_read(network, text, &query, error)
                     : dynamodb_source_find(network, cursor->request->table, &query.table, error);
    if (status != STATUS_OK) {
        return status;
    }
    cursor->table = query.table;
    *operation = query.operation;
    if (text != NULL) {
        buffer_append(members, query.members.data, query.members.length);
    } else {
        write_table(network, query.table, members);
    }
    uint64_t limit = items_a_page(network, query.table);
    if (limit > 0) {
        buffer_format(members, ",\"Limit\":%" PRIu64, limit);
    }
    if (segments > 1) {
        buffer_format(members, ",\"Segment\":%" PRIu32 ",\"TotalSegments\":%" PRIu32, segment,
                      segments);
    }
    dynamodb_query_free(&query);
    return STATUS_OK;
}

void dynamodb_network_cursor_close(struct cursor *cursor)
{
    if (cursor != NULL) {
        dynamodb_scan_destroy(cursor->scan);
        dynamodb_wanted_destroy(cursor->wanted);
        if (cursor->has_page) {
            buffer_free(&cursor->page.body);
        }
        free(cursor);
    }
}

static enum status open_scan(struct cursor *cursor, const struct span *span, struct error *error)
{
    const char *operation = NULL;
    struct buffer members = {0};
    struct reader *reader = cursor->reader;
    enum status status = write_members(cursor, span, &operation, &members, error);
    if (status == STATUS_OK) {
        cursor->scan =
            dynamodb_scan_create(reader->scanner, operation, cursor->table->name, &members,
                                 dynamodb_page_milliunits(reader->network->consistent));
    }
    buffer_free(&members);
    return status;
}

static enum status open_by_key(struct cursor *cursor, struct error *error)
{
    const struct read_request *request = cursor->request;
    if (request->query != NULL) { /* only the server knows what it brings: it is read whole */
        return open_scan(cursor, NULL, error) == STATUS_OK
                   ? dynamodb_wanted_create(request, cursor->table, &cursor->wanted, error)
                   : STATUS_FAILED;
    }
    if (dynamodb_source_find(cursor->reader->network, request->table, &cursor->table, error) !=
            STATUS_OK ||
        dynamodb_wanted_create(request, cursor->table, &cursor->wanted, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    cursor->scan =
        dynamodb_scan_create_by_key(cursor->reader->scanner, cursor->table->name, cursor->wanted);
    return STATUS_OK;
}

enum status dynamodb_network_cursor_open(struct reader *reader, const struct read_request *request,
                                         const struct span *span, struct cursor **cursor,
                                         struct error *error)
{
    struct cursor *made = memory_allocate_zeroed(1, sizeof(*made));
    *cursor = NULL;
    made->reader = reader;
    made->request = request;
    enum status status =
        request->keys != NULL ? open_by_key(made, error) : open_scan(made, span, error);
    if (status != STATUS_OK) {
        dynamodb_network_cursor_close(made);
        return status;
    }
    dynamodb_scan_count_in(made->scan, request->counts);
    *cursor = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- items */

/* All that a query brings is read, and an item that nobody asked for is left out. */
static bool is_wanted(const struct cursor *cursor, const struct cell *key)
{
    return cursor->wanted == NULL || cursor->request->query == NULL ||
           dynamodb_wanted_has(cursor->wanted, key);
}

static void add_row(const struct cursor *cursor, struct batch *batch, const struct cell *item)
{
    struct column_list key = cursor->table->key;
    bool sifted = cursor->wanted != NULL && cursor->request->query != NULL;
    if (!sifted || is_wanted(cursor, keyed_key_of_record(key, item, batch->arena))) {
        keyed_add_record(cursor->request, key, item, batch);
    }
}

/* The key of an item that can't be read as a whole; its parts perhaps can. */
static void read_key_alone(const struct cursor *cursor, struct text item, struct arena *arena,
                           struct cell *key)
{
    for (uint32_t at = 0; at < cursor->table->key.count; at++) {
        struct text value;
        struct json_reader reader;
        struct error ignored;
        key[at] = cell_missing();
        if (dynamodb_page_member(item, cursor->table->key.names[at], &value)) {
            json_reader_init(&reader, value.data, value.length, DYNAMODB_JSON_DEPTH_MAX, arena);
            if (dynamodb_item_read_value(&reader, arena, &key[at], &ignored) != STATUS_OK) {
                key[at] = cell_missing();
            }
        }
    }
}

/* An item that can't be read is rejected as it stands. */
static void refuse_item(const struct cursor *cursor, struct batch *batch, struct text item,
                        const struct error *reason)
{
    uint32_t count = cursor->table->key.count;
    struct cell *key = arena_allocate_zeroed(batch->arena, (size_t)count + 1, sizeof(*key));
    read_key_alone(cursor, item, batch->arena, key);
    if (!is_wanted(cursor, key)) {
        return;
    }
    size_t length = item.length > RAW_BYTES_MAX ? text_clip(item.data, item.length, RAW_BYTES_MAX)
                                                : item.length;
    struct cell raw = text_is_utf8(item.data, length) ? cell_text(item.data, length)
                                                      : cell_bytes(item.data, length);
    batch_refuse(batch, reason->code, reason->message, key, count, &raw);
}

/* The texts of the record's cells point into a copy of the item, which the batch owns. */
static enum status add_item(const struct cursor *cursor, struct batch *batch, struct text item,
                            struct error *error)
{
    struct cell map;
    struct error reason;
    struct json_reader reader;
    struct arena *arena = batch->arena;
    const char *copy = arena_try_copy(arena, item.data, item.length);
    if (copy == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory to read items");
    }
    error_clear(&reason);
    json_reader_init(&reader, copy, item.length, DYNAMODB_JSON_DEPTH_MAX, arena);
    if (dynamodb_item_read(&reader, false, arena, &map, &reason) == STATUS_OK) {
        add_row(cursor, batch, &map);
        return STATUS_OK;
    }
    if (reason.class != ERROR_CLASS_REJECT) {
        return error_copy(error, &reason);
    }
    refuse_item(cursor, batch, (struct text){copy, item.length}, &reason);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- batches */

static enum status add_next(struct cursor *cursor, struct batch *batch, struct error *error)
{
    struct text item;
    if (!cursor->has_page) {
        enum status status = dynamodb_scan_next(
            cursor->scan, keyed_batch_is_empty(batch) ? LIFE_SIGN_MS : 0, &cursor->page, error);
        cursor->has_page = status == STATUS_OK;
        return status;
    }
    enum status status = dynamodb_page_next(&cursor->page.page, &item, error);
    if (status == STATUS_OK) {
        return add_item(cursor, batch, item, error);
    }
    if (status == STATUS_FAILED) {
        error_recode(error, ERROR_SOURCE_READ);
        return error_context(error, "%s: ", cursor->table->name);
    }
    buffer_free(&cursor->page.body);
    cursor->has_page = false;
    return STATUS_OK;
}

enum status dynamodb_network_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                                         struct batch **batch, struct error *error)
{
    const struct keyed_filling filling = {.add_next = add_next,
                                          .request = cursor->request,
                                          .envelopes = cursor->request->column_count == 0};
    return keyed_cursor_next(cursor, &filling, rows_max, bytes_max, batch, error);
}
