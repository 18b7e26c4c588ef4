/* Reading a span: a find in the order of _id, or by keys. */
#include "connectors/keyed/reading.h"
#include "connectors/mongodb/find.h"
#include "connectors/mongodb/source.h"

#include "base/memory.h"
#include "base/text.h"
#include <stdlib.h>

struct cursor {
    struct reader *reader;
    const struct read_request *request;
    struct arena *arena;
    struct mongodb_collection collection;
    struct mongodb_find find;
    bool ended; /* it may not be asked again */
};

/* ---------------------------------------------------------------- filters */

/* A text may stand for the ObjectId that was read as it. */
static bool may_be_oid(const struct mongodb_collection *collection, const struct cell *key)
{
    return collection->key.count == 1 && key->kind == VALUE_TEXT && key->length == 24 &&
           key->aux != BSON_TYPE_OID;
}

/* The element _id. */
static enum status append_key(const void *context, const struct cell *key,
                              struct keyed_wanted *wanted, struct error *error)
{
    const struct mongodb_collection *collection = context;
    enum status status = mongodb_key_append(collection->key, key, &wanted->bytes, error);
    if (status == STATUS_OK && may_be_oid(collection, key)) {
        struct cell oid = *key;
        oid.aux = BSON_TYPE_OID;
        keyed_wanted_close(wanted);
        status = mongodb_key_append(collection->key, &oid, &wanted->bytes, error);
    }
    return status;
}

static void append_id(struct text id, uint32_t at, struct buffer *filter)
{
    char digits[12];
    size_t named = 1 + strlen(MONGODB_ID) + 1; /* type and name of the element _id */
    size_t width = mongodb_write_index(at, digits);
    mongodb_write_head(filter, (uint8_t)id.data[0], digits, width);
    buffer_append(filter, id.data + named, id.length - named);
}

static enum status filter_keys(const struct cursor *cursor, struct buffer *filter,
                               struct error *error)
{
    const struct keyed_wanting wanting = {
        .key = cursor->collection.key,
        .name = cursor->collection.name,
        .refusal = "MongoDB finds records by the whole key of their collection only",
        .encode = append_key,
        .context = &cursor->collection};
    struct keyed_wanted wanted = {0};
    enum status status = keyed_wanted_read(cursor->request, &wanting, &wanted, error);
    size_t whole = mongodb_write_begin(filter);
    size_t field = mongodb_write_open(filter, MONGODB_ID, BSON_TYPE_DOCUMENT);
    size_t list = mongodb_write_open(filter, "$in", BSON_TYPE_ARRAY);
    for (uint32_t at = 0; at < wanted.count; at++) {
        append_id(wanted.keys[at].bytes, at, filter);
    }
    mongodb_write_end(filter, list);
    mongodb_write_end(filter, field);
    mongodb_write_end(filter, whole);
    keyed_wanted_free(&wanted);
    return status;
}

static enum status filter_span(const struct cursor *cursor, const struct span *span,
                               struct buffer *filter, struct error *error)
{
    struct mongodb_element low;
    struct mongodb_element high;
    bool has_low = false;
    bool has_high = false;
    if (span != NULL && !mongodb_span_read(span, &low, &has_low, &high, &has_high)) {
        return error_set(error, ERROR_LEDGER_INVALID, cursor->collection.name,
                         "a span's bounds are damaged");
    }
    return mongodb_span_filter(has_low ? &low : NULL, has_high ? &high : NULL, filter, error);
}

/* ---------------------------------------------------------------- open and close */

void mongodb_collection_write_options(const struct mongodb_collection *collection,
                                      uint32_t page_documents, struct buffer *options)
{
    size_t whole = mongodb_write_begin(options);
    if (mongodb_collection_is_cut(collection) || collection->facts.capped) {
        size_t sort = mongodb_write_open(options, "sort", BSON_TYPE_DOCUMENT);
        mongodb_write_int32(options, collection->facts.capped ? "$natural" : MONGODB_ID, 1);
        mongodb_write_end(options, sort);
    }
    if (page_documents > 0) {
        mongodb_write_int32(options, "batchSize", (int32_t)page_documents);
    }
    mongodb_write_end(options, whole);
}

static enum status cursor_begin(struct cursor *cursor, const struct span *span, struct error *error)
{
    struct buffer filter = {0};
    struct buffer options = {0};
    enum status status = cursor->request->keys != NULL ? filter_keys(cursor, &filter, error)
                                                       : filter_span(cursor, span, &filter, error);
    if (status == STATUS_OK) {
        cursor->find = (struct mongodb_find){.database = cursor->reader->database,
                                             .client = cursor->reader->client,
                                             .name = cursor->collection.name,
                                             .as_of_now = cursor->collection.facts.capped};
        mongodb_collection_write_options(&cursor->collection,
                                         cursor->reader->database->page_documents, &options);
        status = mongodb_find_begin(&cursor->find, &filter, &options, error);
    }
    buffer_free(&filter);
    buffer_free(&options);
    return status;
}

enum status mongodb_cursor_open(struct reader *reader, const struct read_request *request,
                                const struct span *span, struct cursor **cursor,
                                struct error *error)
{
    struct cursor *made = memory_allocate_zeroed(1, sizeof(*made));
    made->reader = reader;
    made->request = request;
    made->arena = arena_create(0);
    enum status status = mongodb_collection_find(reader->database, request->table, made->arena,
                                                 &made->collection, error);
    status = status == STATUS_OK ? cursor_begin(made, span, error) : status;
    if (status != STATUS_OK) {
        mongodb_cursor_close(made);
        return status;
    }
    *cursor = made;
    return STATUS_OK;
}

void mongodb_cursor_close(struct cursor *cursor)
{
    if (cursor != NULL) {
        mongodb_find_end(&cursor->find);
        arena_destroy(cursor->arena);
        free(cursor);
    }
}

/* ---------------------------------------------------------------- records */

static void cursor_refuse(struct batch *batch, const bson_t *document, const struct error *why)
{
    struct mongodb_element element;
    struct error ignored;
    struct cell *key = arena_allocate_zeroed(batch->arena, 1, sizeof(*key));
    const struct cell raw =
        cell_bytes(arena_copy(batch->arena, bson_get_data(document), document->len), document->len);
    bool named =
        mongodb_find(bson_get_data(document), document->len, MONGODB_ID, &element, &ignored) ==
            STATUS_OK &&
        mongodb_read_cell(&element, batch->arena, MONGODB_DEPTH_MAX, key, &ignored) == STATUS_OK;
    batch_refuse(batch, why->code, why->message, key, named ? 1 : 0, &raw);
}

/* A document of somebody else's, whose _id says something of its own, is not read in silence where
 * the collection's _id is left out, since a run made it of other fields. */
static enum status check_id(const struct cursor *cursor, const bson_t *document,
                            struct error *error)
{
    char shown[80];
    if (cursor->collection.left_out == NULL ||
        mongodb_key_is_made_of(cursor->collection.key, bson_get_data(document), document->len)) {
        return STATUS_OK;
    }
    const char *first = cursor->collection.key.names[0];
    text_printable(first, strlen(first), shown, sizeof(shown));
    return error_set(error, ERROR_REJECT_TYPE, NULL,
                     "its _id is not made of its key (%s%s) as that of others is; without the "
                     "collection's document in " MONGODB_NOTES " _id itself is the key",
                     shown, cursor->collection.key.count > 1 ? ", …" : "");
}

/* STATUS_END: there was the last one. */
static enum status add_next(struct cursor *cursor, struct batch *batch, struct error *error)
{
    struct cell record;
    struct error why;
    const bson_t *document = NULL;
    enum status status =
        cursor->ended ? STATUS_END : mongodb_find_next(&cursor->find, &document, error);
    cursor->ended = status == STATUS_END;
    if (status != STATUS_OK) {
        return status;
    }
    error_clear(&why);
    status = check_id(cursor, document, &why);
    status = status == STATUS_OK
                 ? mongodb_read_document(bson_get_data(document), document->len,
                                         cursor->collection.left_out, batch->arena, &record, &why)
                 : status;
    if (status == STATUS_OK) {
        keyed_add_record(cursor->request, cursor->collection.key, &record, batch);
    } else if (why.class == ERROR_CLASS_REJECT) {
        cursor_refuse(batch, document, &why);
    } else {
        return error_copy(error, &why);
    }
    return STATUS_OK;
}

enum status mongodb_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                                struct batch **batch, struct error *error)
{
    const struct keyed_filling filling = {
        .add_next = add_next, .request = cursor->request, .envelopes = true};
    return keyed_cursor_next(cursor, &filling, rows_max, bytes_max, batch, error);
}
