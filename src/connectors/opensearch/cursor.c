/*
 * Reading a span, page by page. With OpenSearch's points in time, a page is a search in one of the
 * span's shard, that goes on after the last document (search_after); else it is the next part of a
 * scroll. What was written since the first page is not seen.
 *
 * Elasticsearch is read by scrolls: it cuts slices of a point by the numbers that documents have in
 * one copy of the shard, so that two points have different ones. Slices of a scroll are made of
 * ids. (Elasticsearch: "Paginate search results", "Slicing".)
 */
#include "connectors/keyed/reading.h"
#include "connectors/opensearch/page.h"
#include "connectors/opensearch/source.h"

#include "base/memory.h"
#include "base/retry.h"
#include "base/text.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdlib.h>

#define KEEP_ALIVE "5m"

enum {
    PAGE_FIRST = 20, /* documents */
    PAGE_MIN = 1,
    PAGE_MAX = 2000,
    PAGE_BYTES = 2 << 20, /* that a page should have */
    IDS_MAX = 200
};

struct cursor {
    struct reader *reader;
    const struct read_request *request;
    struct opensearch_index *index;
    struct opensearch_slice slice;
    bool all_shards;
    bool scrolls;
    bool begun;    /* a point or a scroll is open in this shard */
    bool measured; /* a scroll's pages have the size that suits its documents */
    bool ended;    /* nothing is left of the span */
    bool lost;     /* a scroll's answer did not come: the span has to be read anew */
    uint32_t page_size;
    struct buffer context;   /* the id of the point or the scroll */
    struct buffer after;     /* the last document's sort values, as JSON */
    struct keyed_wanted ids; /* the request's keys */
    uint32_t page_id;        /* the first one of the page */
    uint32_t ids_max;        /* of a page */
    /* the page */
    struct buffer body;
    struct arena *arena;
    struct opensearch_page page;
    uint32_t next_hit;
};

/* ---------------------------------------------------------------- requests */

/* Sends once, and again while the server refuses requests before it looks at them. A scroll that
 * lost an answer can't go on. */
static enum status ask_once(struct cursor *cursor, const struct opensearch_request *request,
                            struct service_reply **reply, struct error *error)
{
    struct opensearch_database *self = cursor->reader->database;
    struct database *database = &self->keyed.base;
    struct retry retry;
    enum status status = STATUS_OK;
    bool again = true;
    bool closes = strcmp(request->method, "DELETE") == 0;
    retry_init(&retry, closes ? 0 : RETRY_PATIENCE_TIMEOUTS * self->keyed.room.timeout_ms);
    retry.cancelled = &database->hurried;
    retry.counter = &database->report.counts.retries;
    while (status == STATUS_OK && again) {
        service_reply_destroy(*reply);
        *reply = NULL;
        status = opensearch_client_submit(cursor->reader->client, request, error);
        while (status == STATUS_OK && *reply == NULL) {
            status = opensearch_client_poll(cursor->reader->client, self->keyed.room.timeout_ms,
                                            reply, error);
            status = status == STATUS_AGAIN ? STATUS_OK : status;
        }
        again = status == STATUS_OK && opensearch_reply_unheard(*reply) &&
                retry_wait(&retry, &(*reply)->error);
    }
    if (status == STATUS_OK && (*reply)->error.code != ERROR_NONE) {
        bool forgotten = (*reply)->fault == OPENSEARCH_FAULT_MISSING;
        status = error_copy(error, &(*reply)->error);
        error->class = forgotten ? ERROR_CLASS_RETRY : error->class;
    }
    return status;
}

/* Takes path and body over. */
static enum status cursor_ask(struct cursor *cursor, const char *method, struct buffer *path,
                              struct buffer *body, bool once, struct service_reply **reply,
                              struct error *error)
{
    const struct opensearch_request request = {.operation = "_search",
                                               .object = cursor->index->table,
                                               .method = method,
                                               .path = buffer_string(path),
                                               .body = body->data,
                                               .body_length = body->length,
                                               .repeatable = !once};
    *reply = NULL;
    enum status status =
        once ? ask_once(cursor, &request, reply, error)
             : opensearch_client_call(cursor->reader->client, &request, reply, error);
    buffer_free(path);
    buffer_free(body);
    return status;
}

static void append_index(const struct cursor *cursor, struct buffer *path)
{
    buffer_append_byte(path, '/');
    opensearch_append_encoded(path, cursor->index->name, strlen(cursor->index->name));
}

static void append_slice(const struct cursor *cursor, struct buffer *body)
{
    if (cursor->slice.slices > 1) {
        buffer_format(body, ",\"slice\":{\"id\":%" PRIu32 ",\"max\":%" PRIu32 "}",
                      cursor->slice.slice, cursor->slice.slices);
    }
}

/* STATUS_END: the server has no points in time. */
static enum status open_point(struct cursor *cursor, struct error *error)
{
    struct buffer path = {0};
    struct buffer body = {0};
    struct service_reply *reply = NULL;
    append_index(cursor, &path);
    buffer_format(&path,
                  "/_search/point_in_time?keep_alive=" KEEP_ALIVE "&preference=_shards%%3A%" PRIu32,
                  cursor->slice.shard);
    enum status status = cursor_ask(cursor, "POST", &path, &body, false, &reply, error);
    if (status == STATUS_OK && reply->fault != OPENSEARCH_FAULT_NONE) {
        status = reply->fault == OPENSEARCH_FAULT_INVALID ? STATUS_END
                                                          : error_copy(error, &reply->error);
    }
    json_t *root =
        status == STATUS_OK ? opensearch_reply_parse(reply, cursor->index->table, error) : NULL;
    const char *id = json_string_value(json_object_get(root, "pit_id"));
    if (status == STATUS_OK && id == NULL) {
        status = root == NULL ? STATUS_FAILED
                              : error_set(error, ERROR_NETWORK_ANSWER, cursor->index->table,
                                          "the answer has no point in time");
    } else if (status == STATUS_OK) {
        buffer_clear(&cursor->context);
        buffer_append_string(&cursor->context, id);
        cursor->begun = true;
    }
    json_decref(root);
    service_reply_destroy(reply);
    return status;
}

static void append_context(const struct cursor *cursor, const char *name, struct buffer *body)
{
    buffer_format(body, "\"%s\":", name);
    json_append_string(body, cursor->context.data, cursor->context.length);
}

static void search_point(const struct cursor *cursor, struct buffer *path, struct buffer *body)
{
    buffer_append_string(path, "/_search?allow_partial_search_results=false");
    buffer_format(body, "{\"size\":%" PRIu32 ",\"track_total_hits\":false,\"pit\":{",
                  cursor->page_size);
    append_context(cursor, "id", body);
    buffer_append_string(body, ",\"keep_alive\":\"" KEEP_ALIVE "\"},\"sort\":[{\"_doc\":\"asc\"}]");
    append_slice(cursor, body);
    if (cursor->after.length > 0) {
        buffer_append_string(body, ",\"search_after\":");
        buffer_append_buffer(body, &cursor->after);
    }
    buffer_append_byte(body, '}');
}

static void search_scroll(const struct cursor *cursor, struct buffer *path, struct buffer *body)
{
    if (cursor->begun) {
        buffer_append_string(path, "/_search/scroll");
        buffer_append_string(body, "{\"scroll\":\"" KEEP_ALIVE "\",");
        append_context(cursor, "scroll_id", body);
        buffer_append_byte(body, '}');
        return;
    }
    append_index(cursor, path);
    buffer_format(path,
                  "/_search?allow_partial_search_results=false&preference=_shards%%3A%" PRIu32
                  "&scroll=" KEEP_ALIVE,
                  cursor->slice.shard);
    buffer_format(body, "{\"size\":%" PRIu32 ",\"sort\":[\"_doc\"]", cursor->page_size);
    append_slice(cursor, body);
    buffer_append_byte(body, '}');
}

/* Best effort: the server forgets it by itself in some minutes. */
static void close_context(struct cursor *cursor)
{
    struct error ignored;
    struct buffer path = {0};
    struct buffer body = {0};
    struct service_reply *reply = NULL;
    if (!cursor->begun) {
        return;
    }
    buffer_append_string(&path, cursor->scrolls ? "/_search/scroll" : "/_search/point_in_time");
    buffer_format(&body, "{\"%s\":[", cursor->scrolls ? "scroll_id" : "pit_id");
    json_append_string(&body, cursor->context.data, cursor->context.length);
    buffer_append_string(&body, "]}");
    (void)!cursor_ask(cursor, "DELETE", &path, &body, true, &reply, &ignored);
    service_reply_destroy(reply);
    cursor->begun = false;
}

/* ---------------------------------------------------------------- the request's keys */

static enum status append_id(const void *context, const struct cell *key,
                             struct keyed_wanted *wanted, struct error *error)
{
    const struct opensearch_index *index = context;
    const struct target_table as_target = {.name = index->table, .key = index->key};
    size_t begin = wanted->bytes.length;
    enum status status = opensearch_id_append(&as_target, key, &wanted->bytes, error);
    return status == STATUS_OK && wanted->bytes.length == begin ? STATUS_END : status;
}

static enum status list_ids(struct cursor *cursor, struct error *error)
{
    const struct keyed_wanting wanting = {
        .key = cursor->index->key,
        .name = cursor->index->table,
        .refusal = "documents are found by the whole key of their table only",
        .encode = append_id,
        .context = cursor->index};
    return keyed_wanted_read(cursor->request, &wanting, &cursor->ids, error);
}

static void search_ids(struct cursor *cursor, struct buffer *path, struct buffer *body)
{
    append_index(cursor, path);
    buffer_append_string(path, "/_mget");
    buffer_append_string(body, "{\"ids\":[");
    cursor->page_id = cursor->ids.next;
    for (uint32_t at = 0; at < cursor->ids_max && cursor->ids.next < cursor->ids.count; at++) {
        const struct text *id = &cursor->ids.keys[cursor->ids.next++].bytes;
        if (at > 0) {
            buffer_append_byte(body, ',');
        }
        json_append_string(body, id->data, id->length);
    }
    buffer_append_string(body, "]}");
    cursor->ended = cursor->ids.next == cursor->ids.count;
}

/* ---------------------------------------------------------------- open and close */

enum status opensearch_cursor_open(struct reader *reader, const struct read_request *request,
                                   const struct span *span, struct cursor **cursor,
                                   struct error *error)
{
    struct cursor *made = memory_allocate_zeroed(1, sizeof(*made));
    made->reader = reader;
    made->request = request;
    made->page_size = PAGE_FIRST;
    made->ids_max = IDS_MAX;
    made->arena = arena_create(0);
    made->scrolls = !reader->database->facts.points;
    made->all_shards = span == NULL;
    made->slice = (struct opensearch_slice){0, 0, 1};
    enum status status =
        opensearch_source_find(reader->database, request->table, &made->index, error);
    if (status == STATUS_OK && span != NULL && !opensearch_slice_read(span, &made->slice)) {
        status =
            error_set(error, ERROR_LEDGER_INVALID, request->table, "a span's bounds are damaged");
    }
    if (status == STATUS_OK && request->keys != NULL) {
        status = list_ids(made, error);
        made->ended = made->ids.count == 0;
    }
    if (status != STATUS_OK) {
        opensearch_cursor_close(made);
        return status;
    }
    *cursor = made;
    return STATUS_OK;
}

void opensearch_cursor_close(struct cursor *cursor)
{
    if (cursor != NULL) {
        close_context(cursor);
        buffer_free(&cursor->context);
        buffer_free(&cursor->after);
        buffer_free(&cursor->body);
        keyed_wanted_free(&cursor->ids);
        arena_destroy(cursor->arena);
        free(cursor);
    }
}

/* ---------------------------------------------------------------- pages */

static enum status read_page(struct cursor *cursor, struct service_reply *reply,
                             struct error *error)
{
    struct buffer body = cursor->body;
    cursor->body = reply->body;
    reply->body = body;
    arena_reset(cursor->arena);
    cursor->next_hit = 0;
    enum status status = opensearch_page_read(cursor->body.data, cursor->body.length, cursor->arena,
                                              &cursor->page, error);
    if (status == STATUS_OK && cursor->page.incomplete) {
        status =
            error_set(error, ERROR_NETWORK, cursor->index->table, "not all shards have answered");
    } else if (status != STATUS_OK) {
        error_recode(error, ERROR_NETWORK_ANSWER);
    }
    return status;
}

/* The place that the next page goes on from. */
static void note_place(struct cursor *cursor)
{
    const struct opensearch_page *page = &cursor->page;
    const struct text id = cursor->scrolls ? page->scroll_id : page->point_id;
    if (id.data != NULL && cursor->request->keys == NULL) {
        buffer_clear(&cursor->context);
        buffer_append(&cursor->context, id.data, id.length);
        cursor->begun = true;
    }
    if (page->count > 0) {
        const struct text sort = page->hits[page->count - 1].sort;
        uint64_t each = cursor->body.length / page->count + 1;
        uint64_t size = PAGE_BYTES / each;
        buffer_clear(&cursor->after);
        buffer_append(&cursor->after, sort.data, sort.length);
        cursor->page_size = size < PAGE_MIN   ? PAGE_MIN
                            : size > PAGE_MAX ? PAGE_MAX
                                              : (uint32_t)size;
    }
}

static void end_shard(struct cursor *cursor)
{
    close_context(cursor);
    buffer_clear(&cursor->after);
    cursor->slice.shard++;
    cursor->ended = !cursor->all_shards || cursor->slice.shard >= cursor->index->shards;
}

/* Fewer documents in the next try. False: of a scroll that has begun, or of one document. */
static bool shrink_page(struct cursor *cursor)
{
    bool by_key = cursor->request->keys != NULL;
    uint32_t *size = by_key ? &cursor->ids_max : &cursor->page_size;
    if (*size <= PAGE_MIN || (!by_key && cursor->scrolls && cursor->begun)) {
        return false;
    }
    *size /= 2;
    if (by_key) {
        cursor->ids.next = cursor->page_id;
        cursor->ended = false;
    }
    return true;
}

/* The size of a scroll's pages is said once: its first page shows how large documents are, and
 * all begins again with pages of that size. True: it does. */
static bool begin_again(struct cursor *cursor, uint32_t asked)
{
    if (!cursor->scrolls || cursor->measured) {
        return false;
    }
    cursor->measured = true;
    if (cursor->page.count < asked) {
        return false;
    }
    close_context(cursor);
    cursor->page.count = 0;
    return true;
}

static enum status take_page(struct cursor *cursor, struct service_reply *reply,
                             struct error *error)
{
    bool by_key = cursor->request->keys != NULL;
    uint32_t asked = cursor->page_size;
    enum status status = read_page(cursor, reply, error);
    if (status == STATUS_OK) {
        note_place(cursor);
        if (!by_key && !begin_again(cursor, asked) && cursor->page.count == 0) {
            end_shard(cursor);
        }
    }
    return status;
}

static enum status next_page(struct cursor *cursor, struct error *error)
{
    struct buffer path = {0};
    struct buffer body = {0};
    struct service_reply *reply = NULL;
    bool by_key = cursor->request->keys != NULL;
    enum status status = STATUS_OK;
    if (cursor->lost) {
        return error_set(error, ERROR_SOURCE_READ, cursor->index->table,
                         "a scroll goes no further than the page that was lost");
    }
    if (!by_key && !cursor->scrolls && !cursor->begun) {
        status = open_point(cursor, error);
        cursor->scrolls = status == STATUS_END;
        status = status == STATUS_END ? STATUS_OK : status;
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (by_key) {
        search_ids(cursor, &path, &body);
    } else if (cursor->scrolls) {
        search_scroll(cursor, &path, &body);
    } else {
        search_point(cursor, &path, &body);
    }
    bool once = !by_key && cursor->scrolls && cursor->begun;
    status = cursor_ask(cursor, "POST", &path, &body, once, &reply, error);
    cursor->lost = once && status != STATUS_OK;
    bool too_long = status == STATUS_OK && reply->fault == OPENSEARCH_FAULT_LONG_ANSWER;
    if (status == STATUS_OK && reply->fault == OPENSEARCH_FAULT_NONE) {
        status = take_page(cursor, reply, error);
    } else if (status == STATUS_OK && !(too_long && shrink_page(cursor))) {
        status = error_copy(error, &reply->error);
        error_recode(error, ERROR_SOURCE_READ);
    }
    service_reply_destroy(reply);
    return status;
}

/* ---------------------------------------------------------------- records */

/* A field that no column is of would be lost. */
static enum status check_fields(const struct cursor *cursor, const struct cell *record,
                                struct error *error)
{
    for (uint32_t at = 0; at < record->length; at++) {
        const struct cell *name = &record->items[2 * (size_t)at];
        if (name_index_find(&cursor->index->columns.names, name->text, name->length) ==
            NAME_INDEX_NONE) {
            char shown[100];
            text_printable(name->text, name->length, shown, sizeof(shown));
            return error_set(error, ERROR_REJECT_UNREADABLE, NULL,
                             "the document has a field %s, which its index's mapping does not "
                             "know by that name",
                             shown);
        }
    }
    return STATUS_OK;
}

static enum status add_hit(struct cursor *cursor, const struct opensearch_hit *hit,
                           struct batch *batch, struct error *error)
{
    struct cell record;
    struct error why;
    struct arena *arena = batch->arena;
    const char *copy = arena_try_copy(arena, hit->source.data, hit->source.length);
    const char *id = arena_copy(arena, hit->id.data, hit->id.length);
    if (copy == NULL) {
        return error_set(error, ERROR_MEMORY, cursor->index->table, "no memory for a document");
    }
    error_clear(&why);
    enum status status =
        opensearch_document_read(&cursor->index->columns, (struct text){id, hit->id.length},
                                 (struct text){copy, hit->source.length}, arena, &record, &why);
    if (status == STATUS_OK && hit->routed) {
        status = error_set(&why, ERROR_REJECT_UNREADABLE, NULL,
                           "the document has a routing of its own, which is not carried");
    }
    status = status == STATUS_OK ? check_fields(cursor, &record, &why) : status;
    if (status == STATUS_OK) {
        keyed_add_record(cursor->request, cursor->index->key, &record, batch);
        return STATUS_OK;
    }
    struct cell *key =
        arena_allocate_zeroed(arena, (size_t)cursor->index->key.count + 1, sizeof(*key));
    const struct cell raw = cell_text(copy, hit->source.length);
    key[0] = cell_text(id, hit->id.length);
    batch_refuse(batch, why.code, why.message, key, 1, &raw);
    return STATUS_OK;
}

/* One that was asked for by its id may be absent, and only then. */
static enum status take_hit(struct cursor *cursor, const struct opensearch_hit *hit,
                            struct batch *batch, struct error *error)
{
    if (hit->source.data != NULL) {
        return add_hit(cursor, hit, batch, error);
    }
    return hit->absent && cursor->request->keys != NULL
               ? STATUS_OK
               : opensearch_hit_refuse(hit, cursor->index->table, error);
}

static enum status add_next(struct cursor *cursor, struct batch *batch, struct error *error)
{
    if (cursor->next_hit < cursor->page.count) {
        return take_hit(cursor, &cursor->page.hits[cursor->next_hit++], batch, error);
    }
    return cursor->ended ? STATUS_END : next_page(cursor, error);
}

enum status opensearch_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                                   struct batch **batch, struct error *error)
{
    const struct keyed_filling filling = {
        .add_next = add_next, .request = cursor->request, .envelopes = true};
    return keyed_cursor_next(cursor, &filling, rows_max, bytes_max, batch, error);
}
