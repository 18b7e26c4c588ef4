/* Documents by their ids, as they stand now: _mget is realtime. */
#include "connectors/opensearch/opensearch.h"

#include "connectors/opensearch/page.h"
#include "model/json_writer.h"

enum { KEYS_MAX = 200 /* of one request */ };

/* Columns as the plan has them. */
static void columns_of(const struct target_table *table, struct arena *arena,
                       struct opensearch_columns *columns)
{
    struct value_type *types =
        arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof(*types));
    *columns = (struct opensearch_columns){.names = {.arena = arena}, .types = types};
    for (uint32_t at = 0; at < table->column_count; at++) {
        const char *name = table->columns[at].name;
        types[at] = table->columns[at].type;
        (void)name_index_add(&columns->names, name, strlen(name), at);
        if (strcmp(name, OPENSEARCH_ID) == 0) {
            columns->id = &types[at];
        }
    }
}

static enum status append_ids(const struct target_table *table, const struct cell *keys,
                              uint32_t count, struct buffer *body, struct error *error)
{
    struct buffer id = {0};
    enum status status = STATUS_OK;
    buffer_append_string(body, "{\"ids\":[");
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        buffer_clear(&id);
        status = opensearch_id_append(table, keys + (size_t)at * table->key.count, &id, error);
        if (at > 0) {
            buffer_append_byte(body, ',');
        }
        json_append_string(body, id.data, id.length);
    }
    buffer_append_string(body, "]}");
    buffer_free(&id);
    return status;
}

/* A document that is there and can't be read must not count as one that is not there. */
static enum status take_hit(const struct opensearch_columns *columns, const char *table,
                            const struct opensearch_hit *hit, struct batch *batch,
                            struct error *error)
{
    struct cell record;
    struct error why;
    static const char no_index[] = "index_not_found_exception";
    bool gone = hit->failed && hit->fault.length == sizeof(no_index) - 1 &&
                memcmp(hit->fault.data, no_index, sizeof(no_index) - 1) == 0;
    if (hit->source.data == NULL) {
        return hit->absent || gone ? STATUS_OK : opensearch_hit_refuse(hit, table, error);
    }
    error_clear(&why);
    if (opensearch_document_read(columns, hit->id, hit->source, batch->arena, &record, &why) !=
        STATUS_OK) {
        char id[80];
        text_printable(hit->id.data, hit->id.length, id, sizeof(id));
        error_set(error, ERROR_NETWORK_ANSWER, table, "the document %s can't be read: %s", id,
                  why.message);
        error->class = ERROR_CLASS_STOP;
        return STATUS_FAILED;
    }
    *batch_append(batch) = record;
    return STATUS_OK;
}

static enum status take_page(const struct opensearch_columns *columns, const char *table,
                             const struct service_reply *reply, struct batch *batch,
                             struct error *error)
{
    struct opensearch_page page;
    struct arena *arena = batch->arena;
    const char *text = arena_try_copy(arena, reply->body.data, reply->body.length);
    if (text == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the documents of an answer");
    }
    enum status status = opensearch_page_read(text, reply->body.length, arena, &page, error);
    if (status != STATUS_OK) {
        return error_recode(error, ERROR_NETWORK_ANSWER);
    }
    for (uint32_t at = 0; status == STATUS_OK && at < page.count; at++) {
        status = take_hit(columns, table, &page.hits[at], batch, error);
    }
    return status;
}

/* STATUS_AGAIN: the answer would be too long; fewer keys at once. */
static enum status fetch_some(struct opensearch_database *self, const struct target_table *table,
                              const struct opensearch_columns *columns, const struct cell *keys,
                              uint32_t count, struct batch *batch, struct error *error)
{
    struct buffer body = {0};
    struct service_reply *reply = NULL;
    const struct opensearch_request request = {
        .operation = "_mget",
        .object = table->name,
        .method = "POST",
        .path = opensearch_path(self, batch->arena, table->name, "/_mget"),
        .repeatable = true};
    enum status status = append_ids(table, keys, count, &body, error);
    if (status != STATUS_OK) {
        buffer_free(&body);
        return status;
    }
    status = opensearch_control(self, &request, &body, &reply, error);
    if (status == STATUS_OK && reply->fault == OPENSEARCH_FAULT_NONE) {
        status = take_page(columns, table->name, reply, batch, error);
    } else if (status == STATUS_OK && reply->fault == OPENSEARCH_FAULT_LONG_ANSWER && count > 1) {
        status = STATUS_AGAIN;
    } else if (status == STATUS_OK && !opensearch_reply_no_index(reply)) {
        status = error_copy(error, &reply->error);
    }
    service_reply_destroy(reply);
    return status;
}

enum status opensearch_fetch(struct database *database, const struct target_table *table,
                             const struct cell *keys, uint32_t key_count, struct batch **batch,
                             struct error *error)
{
    struct opensearch_columns columns;
    struct batch *made = batch_create(NULL, 1, key_count + 1);
    enum status status = STATUS_OK;
    columns_of(table, made->arena, &columns);
    batch_add_envelopes(made);
    uint32_t each = KEYS_MAX;
    uint32_t at = 0;
    while (at < key_count && status == STATUS_OK) {
        uint32_t count = key_count - at < each ? key_count - at : each;
        status = fetch_some(opensearch_of(database), table, &columns,
                            keys + (size_t)at * table->key.count, count, made, error);
        if (status == STATUS_AGAIN) {
            each = count / 2;
            status = STATUS_OK;
        } else {
            at += count;
        }
    }
    if (status != STATUS_OK) {
        batch_destroy(made);
        made = NULL;
    }
    *batch = made;
    return status;
}
