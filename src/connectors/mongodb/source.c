/* MongoDB as a source: spans are ranges of _id. */
#include "connectors/mongodb/source.h"
#include "connectors/mongodb/find.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "connectors/contract/defaults.h"
#include <stdlib.h>

enum { SHOWN_BYTES = 80 };

static enum status find_collection(struct database *database, const struct read_request *request,
                                   struct arena *arena, struct mongodb_collection *collection,
                                   struct error *error)
{
    if (request->query != NULL || request->join_count > 0 || request->ordered) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, request->name,
                         "MongoDB is read collection by collection, without queries and joins");
    }
    return mongodb_collection_find(mongodb_of(database), request->table, arena, collection, error);
}

/* ---------------------------------------------------------------- facts */

static enum status snapshot(struct database *database, uint32_t reader_count, struct arena *arena,
                            const char **token, struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    (void)reader_count;
    *token = "none";
    return self->snapshots ? mongodb_moment_take(self, arena, token, error) : STATUS_OK;
}

/* The count that the server remembers; -1: it does not say. */
static int64_t estimate(struct mongodb_database *self, const char *name)
{
    bson_error_t ignored;
    pthread_mutex_lock(&self->keyed.control_mutex);
    mongoc_collection_t *collection = mongoc_client_get_collection(self->control, self->name, name);
    int64_t count =
        mongoc_collection_estimated_document_count(collection, NULL, NULL, NULL, &ignored);
    mongoc_collection_destroy(collection);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    return count;
}

static enum status describe_stream(struct database *database, const struct read_request *request,
                                   struct arena *arena, struct stream_facts *facts,
                                   struct error *error)
{
    struct mongodb_collection collection = {0};
    enum status status = find_collection(database, request, arena, &collection, error);
    if (status == STATUS_OK) {
        *facts = (struct stream_facts){
            .keyed = !collection.facts.view && !collection.facts.time_series,
            .key_unique = !collection.facts.view && !collection.facts.time_series,
            .row_count =
                collection.facts.view ? -1 : estimate(mongodb_of(database), collection.name),
            .key = collection.key};
    }
    return status;
}

/* ---------------------------------------------------------------- spans */

/* A value of _id for people. */
static const char *shown(const struct mongodb_element *bound, struct arena *arena)
{
    struct cell cell;
    struct error ignored;
    struct buffer text = {0};
    if (bound == NULL ||
        mongodb_read_cell(bound, arena, MONGODB_DEPTH_MAX, &cell, &ignored) != STATUS_OK) {
        return "";
    }
    value_print(&cell, SHOWN_BYTES, &text);
    const char *copy = arena_copy_string(arena, buffer_string(&text));
    buffer_free(&text);
    return copy;
}

struct bound {
    struct buffer document; /* with the element _id */
    struct mongodb_element element;
    bool open;
};

static void make_span(struct arena *arena, const struct bound *low, const struct bound *high,
                      uint64_t rows, struct span *span)
{
    struct buffer bounds = {0};
    mongodb_span_write(low->open ? NULL : &low->document, high->open ? NULL : &high->document,
                       &bounds);
    *span = (struct span){.printable =
                              low->open && high->open
                                  ? "all documents"
                                  : arena_format(arena, "%s..%s",
                                                 shown(low->open ? NULL : &low->element, arena),
                                                 shown(high->open ? NULL : &high->element, arena)),
                          .bounds = (const uint8_t *)arena_copy(arena, bounds.data, bounds.length),
                          .bounds_length = (uint32_t)bounds.length,
                          .row_estimate = (int64_t)rows};
    buffer_free(&bounds);
}

static enum status take_bound(const bson_t *document, struct bound *bound, struct error *error)
{
    struct mongodb_element found;
    enum status status =
        mongodb_find(bson_get_data(document), document->len, MONGODB_ID, &found, error);
    if (status != STATUS_OK) {
        return status == STATUS_END
                   ? error_set(error, ERROR_SOURCE_READ, NULL, "a document has no _id")
                   : status;
    }
    size_t begin = mongodb_write_begin(&bound->document);
    buffer_append(&bound->document, found.whole, found.whole_length);
    mongodb_write_end(&bound->document, begin);
    bound->open = false;
    return mongodb_find((const uint8_t *)bound->document.data, bound->document.length, MONGODB_ID,
                        &bound->element, error);
}

/* {projection: {_id: 1}, sort: {_id: 1}, skip: STEP, limit: 1} */
static void write_step(uint64_t step, struct buffer *options)
{
    size_t whole = mongodb_write_begin(options);
    size_t projection = mongodb_write_open(options, "projection", BSON_TYPE_DOCUMENT);
    mongodb_write_int32(options, MONGODB_ID, 1);
    mongodb_write_end(options, projection);
    size_t sort = mongodb_write_open(options, "sort", BSON_TYPE_DOCUMENT);
    mongodb_write_int32(options, MONGODB_ID, 1);
    mongodb_write_end(options, sort);
    mongodb_write_int64(options, "skip", (int64_t)step);
    mongodb_write_int64(options, "limit", 1);
    mongodb_write_end(options, whole);
}

/* The _id that is `step` documents behind `low`; open: there is none. */
static enum status find_bound(struct mongodb_database *self, const char *name,
                              const struct bound *low, uint64_t step, struct bound *high,
                              struct error *error)
{
    struct buffer filter = {0};
    struct buffer options = {0};
    bson_t query;
    bson_t view;
    bson_error_t why;
    const bson_t *document = NULL;
    const bson_t *reply = NULL;
    *high = (struct bound){.open = true};
    enum status status =
        mongodb_span_filter(low->open ? NULL : &low->element, NULL, &filter, error);
    if (status != STATUS_OK) {
        buffer_free(&filter);
        return status;
    }
    write_step(step, &options);
    mongodb_write_view(&filter, &query);
    mongodb_write_view(&options, &view);
    pthread_mutex_lock(&self->keyed.control_mutex);
    mongoc_collection_t *collection = mongoc_client_get_collection(self->control, self->name, name);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &query, &view, NULL);
    if (mongoc_cursor_next(cursor, &document)) {
        status = take_bound(document, high, error);
    } else if (mongoc_cursor_error_document(cursor, &why, &reply)) {
        status = mongodb_failure(self, &why, reply, name, error);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    buffer_free(&filter);
    buffer_free(&options);
    return status;
}

/* Nothing compares with NaN; with the lowest and the highest key values of all types do. */
static bool is_bound(const struct bound *bound)
{
    const uint64_t nan_bits = UINT64_C(0x7c00) << 48; /* of the upper half of a Decimal128 */
    double value = 0;
    uint64_t high = 0;
    switch (bound->element.type) {
    case BSON_TYPE_DOUBLE:
        memcpy(&value, bound->element.value, sizeof(value));
        return value == value;
    case BSON_TYPE_DECIMAL128:
        high = bytes_get_le(bound->element.value + 8, 8);
        return (high & nan_bits) != nan_bits;
    default:
        return bound->element.type != BSON_TYPE_MINKEY && bound->element.type != BSON_TYPE_MAXKEY;
    }
}

/* About `step` documents behind `low`. Values that are no bounds are at most two in a row. */
static enum status find_next_bound(struct mongodb_database *self, const char *name,
                                   const struct bound *low, uint64_t step, struct bound *high,
                                   struct error *error)
{
    enum status status = find_bound(self, name, low, step, high, error);
    for (uint64_t more = 1; more <= 2 && status == STATUS_OK && !high->open && !is_bound(high);
         more++) {
        buffer_free(&high->document);
        status = find_bound(self, name, low, step + more, high, error);
    }
    if (status == STATUS_OK && !high->open && !is_bound(high)) {
        buffer_free(&high->document);
        *high = (struct bound){.open = true};
    }
    return status;
}

static enum status source_cut(struct mongodb_database *self, const char *name, uint64_t step,
                              struct arena *arena, struct span **spans, uint32_t *span_count,
                              struct error *error)
{
    struct bound low = {.open = true};
    uint32_t capacity = 0;
    bool last = false;
    enum status status = STATUS_OK;
    *spans = NULL;
    *span_count = 0;
    while (!last && status == STATUS_OK) {
        struct bound high;
        status = find_next_bound(self, name, &low, step, &high, error);
        if (status == STATUS_OK) {
            *spans = arena_make_room(arena, *spans, *span_count, &capacity, sizeof(**spans));
            make_span(arena, &low, &high, step, &(*spans)[(*span_count)++]);
        }
        buffer_free(&low.document);
        low = high;
        last = high.open;
    }
    buffer_free(&low.document);
    return status;
}

static enum status mongodb_source_split(struct database *database,
                                        const struct read_request *request, uint64_t rows_wanted,
                                        struct arena *arena, struct span **spans,
                                        uint32_t *span_count, struct error *error)
{
    struct mongodb_collection collection;
    if (find_collection(database, request, arena, &collection, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!mongodb_collection_is_cut(&collection)) {
        const struct bound open = {.open = true};
        *spans = arena_allocate_zeroed(arena, 1, sizeof(**spans));
        *span_count = 1;
        make_span(arena, &open, &open, 0, *spans);
        (*spans)[0].row_estimate = -1;
        return STATUS_OK;
    }
    return source_cut(mongodb_of(database), collection.name, rows_wanted > 0 ? rows_wanted : 1,
                      arena, spans, span_count, error);
}

/* ---------------------------------------------------------------- readers */

static enum status reader_open(struct database *database, struct reader **reader,
                               struct error *error)
{
    struct reader *made = memory_allocate_zeroed(1, sizeof(*made));
    (void)error;
    made->database = mongodb_of(database);
    made->client = mongodb_client_take(made->database);
    *reader = made;
    return STATUS_OK;
}

static void reader_close(struct reader *reader)
{
    if (reader != NULL) {
        mongodb_client_return(reader->database, reader->client);
        free(reader);
    }
}

const struct source_functions mongodb_source_functions = {
    .snapshot = snapshot,
    .describe_stream = describe_stream,
    .split = mongodb_source_split,
    .prepare = source_prepares_nothing,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .cursor_open = mongodb_cursor_open,
    .cursor_next = mongodb_cursor_next,
    .cursor_close = mongodb_cursor_close,
};
