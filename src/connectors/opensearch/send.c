/*
 * The search engines' own part of writing records (connectors/keyed/keyed.h): _bulk requests, whose
 * answers say of each record what became of it, whatever the status of the whole.
 *
 *   {"index":{"_id":"1","version":1764338000000000,"version_type":"external_gte"}}
 *   {"AlbumId":1,"Title":"For Those About To Rock"}
 *
 * In an index that the run made, a record bears a version: that of the writer, which is above those
 * of all writers before it. So what a process sent before it lost the run, and what arrives late,
 * loses against what was written since.
 * (OpenSearch: "Bulk", "Index document": version_type.)
 */
#include "connectors/opensearch/foresee.h"

#include "base/memory.h"
#include "base/retry.h"
#include "connectors/keyed/keys.h"
#include "connectors/opensearch/page.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdlib.h>

/* Statuses and errors of the items alone, percent-encoded. */
#define BULK "/_bulk?filter_path=errors%2Citems.%2A.status%2Citems.%2A.error"

enum { ERASE_MAX = 500, ITEM_TEXT_BYTES = 400 };

struct keyed_connection {
    struct opensearch_database *database;
    struct opensearch_client *client;
    const struct target_table *tables;
    const char **paths; /* of _bulk, one a table */
    int64_t version;    /* of what it writes into indexes that the run made */
    json_t *mapping;    /* of a connection that only tries records; else NULL */
    bool applies;       /* changes, whose versions are above all others of the run */
    struct arena *arena;
    struct service_reply *reply; /* the last one */
    struct arena *reasons_arena; /* its reasons */
    enum keyed_outcome outcomes[OPENSEARCH_RECORDS_MAX];
    const struct error *reasons[OPENSEARCH_RECORDS_MAX];
};

/* ---------------------------------------------------------------- connections */

static void opensearch_send_disconnect(struct keyed_connection *connection)
{
    if (connection != NULL) {
        service_reply_destroy(connection->reply);
        opensearch_client_destroy(connection->client);
        json_decref(connection->mapping);
        arena_destroy(connection->reasons_arena);
        arena_destroy(connection->arena);
        free(connection);
    }
}

static enum status opensearch_send_connect(struct database *database,
                                           const struct target_table *tables, uint32_t table_count,
                                           uint32_t in_flight_max,
                                           struct keyed_connection **connection,
                                           struct error *error)
{
    struct keyed_connection *made = memory_allocate_zeroed(1, sizeof(*made));
    made->database = opensearch_of(database);
    made->tables = tables;
    made->version = opensearch_next_version(made->database);
    made->arena = arena_create(0);
    made->reasons_arena = arena_create(0);
    made->paths = arena_allocate_zeroed(made->arena, (size_t)table_count + 1, sizeof(char *));
    for (uint32_t at = 0; at < table_count; at++) {
        made->paths[at] = opensearch_path(made->database, made->arena, tables[at].name, BULK);
    }
    if (opensearch_client_create(made->database->service, in_flight_max, &made->client, error) !=
        STATUS_OK) {
        opensearch_send_disconnect(made);
        return STATUS_FAILED;
    }
    *connection = made;
    return STATUS_OK;
}

/* Without a client: nothing is sent. */
static enum status try_connect(struct database *database, const struct target_table *table,
                               struct keyed_connection **connection, struct error *error)
{
    struct keyed_connection *made = memory_allocate_zeroed(1, sizeof(*made));
    made->database = opensearch_of(database);
    made->tables = table;
    made->version = 1;
    made->arena = arena_create(0);
    made->reasons_arena = arena_create(0);
    enum status status = opensearch_foresee_mapping(made->database, table, &made->mapping, error);
    if (status != STATUS_OK) {
        opensearch_send_disconnect(made);
        return status;
    }
    *connection = made;
    return STATUS_OK;
}

static enum status foresee(struct keyed_connection *connection, const struct keyed_record *record,
                           size_t length, struct error *error)
{
    (void)length;
    return connection->mapping != NULL ? opensearch_foresee(connection->mapping, record, error)
                                       : STATUS_OK;
}

/* ---------------------------------------------------------------- records */

static const char *action_of(enum keyed_kind kind)
{
    return kind == KEYED_INSERT   ? "create"
           : kind == KEYED_UPDATE ? "update"
           : kind == KEYED_DELETE ? "delete"
                                  : "index";
}

static enum status refuse_no_key(const struct target_table *table, struct error *error)
{
    return error_set(error, ERROR_REJECT_KEY_NULL, NULL, "%s is missing, and a part of the key",
                     table->key.count > 0 ? table->key.names[0] : "the key");
}

/* `version` 0: none. */
static enum status append_action(enum keyed_kind kind, const struct target_table *table,
                                 const struct cell *key, int64_t version, struct buffer *out,
                                 struct error *error)
{
    struct buffer id = {0};
    enum status status =
        key != NULL ? opensearch_id_append(table, key, &id, error) : refuse_no_key(table, error);
    buffer_format(out, "{\"%s\":{\"_id\":", action_of(kind));
    json_append_string(out, id.data, id.length);
    if (version > 0) {
        buffer_format(out, ",\"version\":%" PRId64 ",\"version_type\":\"external_gte\"", version);
    }
    if (kind == KEYED_UPDATE) {
        buffer_append_string(out, ",\"retry_on_conflict\":3");
    }
    buffer_append_string(out, "}}\n");
    buffer_free(&id);
    return status;
}

/* Columns of other entities become null: a record is of one. */
static void append_cleared(const struct target_table *table, const struct keyed_record *record,
                           struct buffer *out)
{
    for (uint32_t at = 0; table->clears_others && at < table->column_count; at++) {
        const char *name = table->columns[at].name;
        if (record->shape != NULL && shape_field_find(record->shape, name) < 0 &&
            target_table_clears(table, name, strcmp) && strcmp(name, OPENSEARCH_ID) != 0) {
            buffer_append_byte(out, buffer_last(out) == '{' ? ' ' : ',');
            json_append_string(out, name, strlen(name));
            buffer_append_string(out, ":null");
        }
    }
}

static enum status append_record(enum keyed_kind kind, const struct keyed_record *record,
                                 int64_t version, struct buffer *out, struct error *error)
{
    enum status status = append_action(kind, record->table, record->key, version, out, error);
    if (kind == KEYED_DELETE) {
        return status;
    }
    if (kind == KEYED_UPDATE) {
        buffer_append_string(out, "{\"doc_as_upsert\":true,\"doc\":");
    }
    if (status == STATUS_OK) {
        status = opensearch_document_append(record->shape, record->cells, out, error);
    }
    if (status == STATUS_OK && kind == KEYED_UPDATE) {
        out->length--; /* the brace */
        append_cleared(record->table, record, out);
        buffer_append_string(out, "}}");
    }
    buffer_append_byte(out, '\n');
    return status;
}

/* A look is a GET: its path. */
static enum status encode(struct keyed_connection *connection, enum keyed_kind kind,
                          const struct keyed_record *record, struct buffer *out,
                          struct error *error)
{
    enum status status = STATUS_OK;
    if (kind == KEYED_LOOK) {
        struct buffer id = {0};
        buffer_append_byte(out, '/');
        opensearch_index_append(connection->database, record->table->name, out);
        buffer_append_string(out, "/_doc/");
        status = opensearch_id_append(record->table, record->key, &id, error);
        opensearch_append_encoded(out, id.data, id.length);
        buffer_free(&id);
    } else {
        bool versioned = (kind == KEYED_PUT || kind == KEYED_DELETE) && record->table->created;
        status = append_record(kind, record, versioned ? connection->version : 0, out, error);
    }
    return status;
}

static enum status opensearch_send(struct keyed_connection *connection,
                                   struct keyed_request *request, struct error *error)
{
    bool look = request->kind == KEYED_LOOK;
    const struct opensearch_request what = {
        .operation = look ? "GET _doc" : "_bulk",
        .object = connection->tables[request->table].name,
        .method = look ? "GET" : "POST",
        .path = look ? buffer_string(&request->body) : connection->paths[request->table],
        .body = look ? NULL : request->body.data,
        .body_length = look ? 0 : request->body.length,
        .repeatable = look || request->kind == KEYED_PUT || request->kind == KEYED_DELETE,
        .lease = &connection->database->keyed.base,
        .context = request};
    return opensearch_client_submit(connection->client, &what, error);
}

/* ---------------------------------------------------------------- what became of them */

/* The innermost cause says most. */
static void read_reason(const json_t *fault, struct error *reason)
{
    char text[ITEM_TEXT_BYTES];
    const char *type = json_string_value(json_object_get(fault, "type"));
    const char *outer = json_string_value(json_object_get(fault, "reason"));
    const json_t *cause = json_object_get(fault, "caused_by");
    const char *inner = json_string_value(json_object_get(cause, "reason"));
    bool parsing = type != NULL && strstr(type, "parsing_exception") != NULL;
    error_set(reason, parsing ? ERROR_REJECT_TYPE : ERROR_REJECT_CONSTRAINT, NULL, "%s", "");
    snprintf(text, sizeof(text), "%s%s%s%s%s", type != NULL ? type : "", outer != NULL ? ": " : "",
             outer != NULL ? outer : "", inner != NULL ? ": " : "", inner != NULL ? inner : "");
    text_clean_line(text);
    error_set(reason, parsing ? ERROR_REJECT_TYPE : ERROR_REJECT_CONSTRAINT, NULL, "%s",
              text[0] != '\0' ? text : "the server refuses the document");
}

/* A process that follows the source writes with versions above all that the run gave before. */
static enum status refuse_outrun(const char *table, struct error *error)
{
    error_set(error, ERROR_TARGET_WRITE, table,
              "a document bears a version above that of the change: somebody else has written it, "
              "with versions of their own");
    return error_hint(error, "write the document again without a version, then follow on");
}

/* STATUS_FAILED: no other record will fare better. */
static enum status take_item(struct keyed_connection *connection,
                             const struct keyed_request *request, uint32_t at, int64_t status,
                             const json_t *fault, struct keyed_answer *answer, struct error *error)
{
    const struct target_table *table = &connection->tables[request->table];
    enum keyed_outcome *outcome = &connection->outcomes[at];
    bool absent = request->kind == KEYED_DELETE && status == 404 && fault == NULL;
    if ((status >= 200 && status < 300) || absent) {
        *outcome = KEYED_DONE;
        return STATUS_OK;
    }
    const char *type = json_string_value(json_object_get(fault, "type"));
    bool blocked = type != NULL && strcmp(type, OPENSEARCH_BLOCK) == 0;
    if (status == 409 && connection->applies && table->created) {
        return refuse_outrun(table->name, error);
    }
    struct error *reason = arena_allocate_zeroed(connection->reasons_arena, 1, sizeof(*reason));
    read_reason(fault, reason);
    connection->reasons[at] = reason;
    if (status == 409) { /* in an index of the run's own something newer is there */
        *outcome = request->kind == KEYED_INSERT                  ? KEYED_OCCUPIED
                   : request->kind == KEYED_PUT && table->created ? KEYED_DONE
                   : request->kind == KEYED_UPDATE                ? KEYED_AGAIN
                                                                  : KEYED_REFUSED;
    } else if (!blocked && (status == 429 || status >= 500)) {
        *outcome = KEYED_AGAIN;
        answer->throttled = answer->throttled || status == 429;
        answer->unknown = answer->unknown || status >= 500;
    } else if (blocked || status == 403 || status == 404) {
        error_copy(error, reason);
        error_recode(error, status == 404 ? ERROR_TARGET_MISSING : ERROR_TARGET_WRITE);
        snprintf(error->object, sizeof(error->object), "%s", table->name);
        return blocked ? error_hint(error, OPENSEARCH_BLOCK_HINT) : STATUS_FAILED;
    } else {
        *outcome = KEYED_REFUSED;
        return STATUS_OK;
    }
    error_recode(reason, status == 429 ? ERROR_TARGET_THROTTLED : ERROR_NETWORK);
    answer->reason = *outcome == KEYED_AGAIN ? reason : answer->reason;
    return STATUS_OK;
}

static enum status take_items(struct keyed_connection *connection,
                              const struct keyed_request *request, const json_t *items,
                              struct keyed_answer *answer, struct error *error)
{
    enum status status = STATUS_OK;
    memset(connection->outcomes, 0, sizeof(connection->outcomes));
    memset(connection->reasons, 0, sizeof(connection->reasons));
    for (uint32_t at = 0; at < request->count && status == STATUS_OK; at++) {
        const json_t *item = json_object_iter_value(json_object_iter(json_array_get(items, at)));
        status =
            take_item(connection, request, at, json_integer_value(json_object_get(item, "status")),
                      json_object_get(item, "error"), answer, error);
    }
    answer->outcomes = connection->outcomes;
    answer->reasons = connection->reasons;
    return status;
}

static enum status judge_bulk(struct keyed_connection *connection, struct keyed_answer *answer,
                              struct error *error)
{
    static const char fine[] = "{\"errors\":false";
    const struct keyed_request *request = answer->request;
    struct service_reply *reply = connection->reply;
    if (reply->body.length >= sizeof(fine) - 1 &&
        memcmp(reply->body.data, fine, sizeof(fine) - 1) == 0) {
        return STATUS_OK;
    }
    json_t *root =
        opensearch_reply_parse(reply, connection->tables[request->table].name, &reply->error);
    const json_t *items = json_object_get(root, "items");
    enum status status = STATUS_OK;
    if (json_array_size(items) == request->count) {
        status = take_items(connection, request, items, answer, error);
    } else {
        if (root != NULL) {
            error_set(&reply->error, ERROR_NETWORK_ANSWER, connection->tables[request->table].name,
                      "the answer tells of %zu records, and %" PRIu32 " were sent",
                      json_array_size(items), request->count);
        }
        answer->outcome = KEYED_AGAIN;
        answer->unknown = true;
    }
    json_decref(root);
    return status;
}

/* ---------------------------------------------------------------- what is there */

/* Both as JSON is read where nothing is known of it. */
static enum status judge_look(struct keyed_connection *connection, struct keyed_answer *answer,
                              struct error *error)
{
    const struct value_type any = {.kind = VALUE_MAP};
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct keyed_record record;
    struct opensearch_page page;
    struct cell there;
    struct cell own;
    struct buffer wrapped = {0};
    struct buffer text = {0};
    struct arena *arena = arena_create(0);
    buffer_append_string(&wrapped, "{\"docs\":[");
    buffer_append_buffer(&wrapped, &connection->reply->body);
    buffer_append_string(&wrapped, "]}");
    answer->outcome = KEYED_OCCUPIED;
    enum status status = STATUS_OK;
    if (keyed_request_record(answer->request, 0, key, &record)) {
        status = opensearch_page_read(wrapped.data, wrapped.length, arena, &page, error);
        if (status == STATUS_OK && page.count == 1 && page.hits[0].absent) {
            answer->outcome = KEYED_GONE;
        } else if (status == STATUS_OK && (page.count != 1 || page.hits[0].source.data == NULL)) {
            const struct opensearch_hit none = {0};
            status = opensearch_hit_refuse(page.count > 0 ? page.hits : &none, record.table->name,
                                           error);
        } else if (status == STATUS_OK &&
                   opensearch_document_append(record.shape, record.cells, &text, error) ==
                       STATUS_OK &&
                   opensearch_value_read(&any, (struct text){text.data, text.length}, arena, &own,
                                         error) == STATUS_OK &&
                   opensearch_value_read(&any, page.hits[0].source, arena, &there, error) ==
                       STATUS_OK) {
            answer->outcome = keyed_values_are_equal(&own, &there) ? KEYED_DONE : KEYED_OCCUPIED;
        }
    }
    buffer_free(&wrapped);
    buffer_free(&text);
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- any answer */

static enum status opensearch_send_judge(struct keyed_connection *connection,
                                         struct keyed_answer *answer, struct error *error)
{
    struct service_reply *reply = connection->reply;
    bool look = answer->request->kind == KEYED_LOOK;
    answer->reason = &reply->error;
    answer->units = -1;
    switch ((enum opensearch_fault)reply->fault) {
    case OPENSEARCH_FAULT_NONE:
        return look ? judge_look(connection, answer, error) : judge_bulk(connection, answer, error);
    case OPENSEARCH_FAULT_MISSING:
        if (!look) {
            return error_copy(error, &reply->error);
        }
        answer->outcome = KEYED_GONE;
        return STATUS_OK;
    case OPENSEARCH_FAULT_TOO_LARGE:
    case OPENSEARCH_FAULT_INVALID:
        answer->outcome = KEYED_REFUSED;
        error_recode(&reply->error, reply->fault == OPENSEARCH_FAULT_TOO_LARGE
                                        ? ERROR_REJECT_TOO_LARGE
                                        : ERROR_REJECT_CONSTRAINT);
        return STATUS_OK;
    default:
        break;
    }
    if (reply->error.class != ERROR_CLASS_RETRY) {
        return error_copy(error, &reply->error);
    }
    answer->outcome = KEYED_AGAIN;
    answer->throttled = reply->fault == OPENSEARCH_FAULT_THROTTLED;
    answer->unknown = reply->unknown_outcome;
    return STATUS_OK;
}

static enum status poll(struct keyed_connection *connection, int64_t timeout_ms,
                        struct keyed_answer *answer, struct error *error)
{
    service_reply_destroy(connection->reply);
    connection->reply = NULL;
    arena_reset(connection->reasons_arena);
    enum status status =
        opensearch_client_poll(connection->client, timeout_ms, &connection->reply, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_AGAIN : status;
    }
    answer->request = connection->reply->context;
    return opensearch_send_judge(connection, answer, error);
}

/* ---------------------------------------------------------------- control work */

/* The body's copy is sent. Items are tried again by the caller: class RETRY. */
static enum status bulk_once(struct opensearch_database *self, const char *table,
                             const struct buffer *body, int64_t allowed, struct error *error)
{
    json_t *root = NULL;
    struct buffer copy = {0};
    struct arena *arena = arena_create(0);
    const struct opensearch_request request = {.operation = "_bulk",
                                               .object = table,
                                               .method = "POST",
                                               .path = opensearch_path(self, arena, table, BULK),
                                               .lease = keyed_lease(&self->keyed)};
    buffer_append_buffer(&copy, body);
    enum status status = opensearch_control_ask(self, &request, &copy, &root, error);
    const json_t *items = json_object_get(root, "items");
    for (size_t at = 0; at < json_array_size(items) && status == STATUS_OK; at++) {
        const json_t *item = json_object_iter_value(json_object_iter(json_array_get(items, at)));
        int64_t code = json_integer_value(json_object_get(item, "status"));
        if (json_object_get(item, "error") != NULL && code != allowed) {
            read_reason(json_object_get(item, "error"), error);
            error_recode(error, code == 429 || code >= 500 ? ERROR_TARGET_THROTTLED : error->code);
            status = STATUS_FAILED;
        }
    }
    json_decref(root);
    arena_destroy(arena);
    return status == STATUS_END
               ? error_set(error, ERROR_TARGET_MISSING, table, "its index is not there any more")
               : status;
}

enum status opensearch_bulk_now(struct opensearch_database *self, const char *table,
                                struct buffer *body, int64_t allowed, struct error *error)
{
    struct retry retry;
    struct database *database = &self->keyed.base;
    enum status status = STATUS_OK;
    retry_init(&retry, RETRY_PATIENCE_TIMEOUTS * self->keyed.room.timeout_ms);
    retry.cancelled = &database->hurried;
    retry.counter = &database->report.counts.retries;
    do {
        status = bulk_once(self, table, body, allowed, error);
    } while (status == STATUS_FAILED && error->code == ERROR_TARGET_THROTTLED &&
             retry_wait(&retry, error));
    buffer_free(body);
    return status;
}

static enum status write_one(struct database *database, enum keyed_kind kind,
                             const struct keyed_record *record, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct buffer body = {0};
    if (append_record(kind, record, 0, &body, error) != STATUS_OK) {
        buffer_free(&body);
        return STATUS_FAILED;
    }
    return opensearch_bulk_now(self, record->table->name, &body, 0, error);
}

enum status opensearch_erase(struct database *database, const struct target_table *table,
                             const struct cell *keys, uint32_t count, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct buffer body = {0};
    struct buffer id = {0};
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        buffer_clear(&id);
        status = opensearch_id_append(table, keys + (size_t)at * table->key.count, &id, error);
        buffer_append_string(&body, "{\"delete\":{\"_id\":");
        json_append_string(&body, id.data, id.length);
        buffer_append_string(&body, "}}\n");
    }
    buffer_free(&id);
    if (status == STATUS_OK && count > 0) {
        return opensearch_bulk_now(self, table->name, &body, 404, error);
    }
    buffer_free(&body);
    return status;
}

static void set_time(struct keyed_connection *connection, int64_t time_us)
{
    connection->version = time_us;
    connection->applies = true;
}

const struct keyed_service opensearch_keyed_service = {
    .records_max = {[KEYED_PUT] = OPENSEARCH_RECORDS_MAX,
                    [KEYED_INSERT] = OPENSEARCH_RECORDS_MAX,
                    [KEYED_UPDATE] = OPENSEARCH_RECORDS_MAX,
                    [KEYED_LOOK] = 1,
                    [KEYED_DELETE] = OPENSEARCH_RECORDS_MAX},
    .request_bytes_max = OPENSEARCH_REQUEST_BYTES_MAX,
    .guard = KEYED_GUARD_NONE,
    .applies_whole = true,
    .name = "opensearch",
    .tables = &opensearch_tables,
    .connect = opensearch_send_connect,
    .try_connect = try_connect,
    .foresee = foresee,
    .disconnect = opensearch_send_disconnect,
    .encode = encode,
    .append_key = opensearch_key_bytes,
    .read_key = opensearch_key_read,
    .send = opensearch_send,
    .poll = poll,
    .time = opensearch_time_for_changes,
    .set_time = set_time,
    .write = write_one,
    .erase = opensearch_erase,
    .erase_max = ERASE_MAX,
};
