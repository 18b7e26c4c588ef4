/* A new run's ledger: its table, its parts, and at the end the item that makes it count. */
#include "connectors/dynamodb/network_ledger.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/dynamodb/network_json.h"
#include "connectors/dynamodb/network_rollback.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CLOSING_WAIT_MS = 200, MAKE_TRIES_MAX = 20 };

/* ---------------------------------------------------------------- the table */

static enum status make_table(struct dynamodb_network *network, struct error *error)
{
    static const char text[] =
        "{\"TableName\":\"" DYNAMODB_LEDGER_TABLE "\",\"BillingMode\":\"PAY_PER_REQUEST\","
        "\"AttributeDefinitions\":[{\"AttributeName\":\"run\",\"AttributeType\":\"S\"},"
        "{\"AttributeName\":\"part\",\"AttributeType\":\"S\"}],"
        "\"KeySchema\":[{\"AttributeName\":\"run\",\"KeyType\":\"HASH\"},"
        "{\"AttributeName\":\"part\",\"KeyType\":\"RANGE\"}]}";
    struct buffer body = {0};
    struct service_reply *response = NULL;
    buffer_append_string(&body, text);
    enum status status = dynamodb_network_call(network, "CreateTable", DYNAMODB_LEDGER_TABLE, &body,
                                               &response, error);
    buffer_free(&body);
    if (status != STATUS_OK) {
        return status;
    }
    /* in use: another run, or an earlier try of ours, makes it */
    if (response->fault != DYNAMODB_FAULT_NONE && response->fault != DYNAMODB_FAULT_IN_USE) {
        error_copy(error, &response->error);
        status = STATUS_FAILED;
    }
    service_reply_destroy(response);
    return status;
}

static enum status ensure_table(struct dynamodb_network *network, struct arena *arena,
                                struct error *error)
{
    struct dynamodb_description description;
    enum status status =
        dynamodb_describe(network, DYNAMODB_LEDGER_TABLE, arena, &description, error);
    if (status == STATUS_OK && dynamodb_description_is_going(&description)) {
        log_write(LOG_INFO, "waiting for the ledger of finished runs to be gone");
        status =
            dynamodb_wait_gone(network, DYNAMODB_LEDGER_TABLE, description.id, error) == STATUS_OK
                ? dynamodb_describe(network, DYNAMODB_LEDGER_TABLE, arena, &description, error)
                : STATUS_FAILED;
    }
    if (status == STATUS_FAILED) {
        return status;
    }
    if (status == STATUS_END) {
        if (failpoint_hit("dynamodb.before_ledger_table", error) != STATUS_OK ||
            make_table(network, error) != STATUS_OK ||
            failpoint_hit("dynamodb.after_ledger_table", error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    } else if (description.key.count != 2 || strcmp(description.key.names[0], "run") != 0 ||
               strcmp(description.key.names[1], "part") != 0) {
        return error_set(error, ERROR_LEDGER_INVALID, DYNAMODB_LEDGER_TABLE,
                         "the table is there and is no ledger: its key is not run, part");
    }
    return dynamodb_wait_active(network, DYNAMODB_LEDGER_TABLE, error);
}

/* ---------------------------------------------------------------- the run before */

/* STATUS_AGAIN: it does not say so. */
static enum status says_completed(const char *run_id, const char *status_text, struct error *error)
{
    json_t *root = NULL;
    if (json_tree_parse(status_text, strlen(status_text), 0, run_id, ERROR_LEDGER_INVALID, &root,
                        error) != STATUS_OK) {
        return error->code == ERROR_MEMORY ? STATUS_FAILED : STATUS_AGAIN;
    }
    const char *phase = json_string_value(json_object_get(root, "phase"));
    bool completed = phase != NULL && strcmp(phase, "completed") == 0;
    json_decref(root);
    return completed ? STATUS_OK : STATUS_AGAIN;
}

/* What `newest` will name no more is marked as published, so that it goes on to count. */
static enum status mark_published(struct dynamodb_network *network, const char *run_id,
                                  struct error *error)
{
    struct buffer values = {0};
    bool refused = false;
    bool unknown = false;
    dynamodb_body_n(&values, ":one", 1);
    enum status status =
        dynamodb_ledger_update(network, NULL, run_id, "head", "SET #published = :one",
                               "attribute_exists(#run)", &values, &refused, &unknown, error);
    buffer_free(&values);
    return status;
}

/* STATUS_AGAIN: it is not finished. */
static enum status look_at_newest(struct dynamodb_network *network, struct arena *arena,
                                  struct dynamodb_newest *newest, struct error *error)
{
    json_t *reply = NULL;
    const json_t *head = NULL;
    enum status status = dynamodb_ledger_newest(network, arena, newest, error);
    if (status != STATUS_OK || newest->id == NULL) {
        return status;
    }
    status = dynamodb_ledger_get(network, newest->id, "head", &reply, &head, error);
    if (status == STATUS_END) {
        status = STATUS_OK; /* it left the ledger just now */
    } else if (status == STATUS_OK) {
        const char *text = dynamodb_reply_s(head, "status");
        status = text != NULL ? says_completed(newest->id, text, error) : STATUS_AGAIN;
        status = status == STATUS_OK && newest->closing == NULL
                     ? mark_published(network, newest->id, error)
                     : status;
    }
    json_decref(reply);
    return status;
}

/* ---------------------------------------------------------------- parts */

static enum status put_text(struct dynamodb_network *network, const char *run_id, const char *part,
                            const char *text, size_t length, struct error *error)
{
    struct buffer attributes = {0};
    bool refused = false;
    bool unknown = false;
    dynamodb_body_name(&attributes, "text");
    dynamodb_body_raw(&attributes, "{\"S\":");
    json_append_string(&attributes, text, length);
    dynamodb_body_raw(&attributes, "}");
    const struct dynamodb_ledger_item item = {run_id, part, &attributes, NULL};
    enum status status = dynamodb_ledger_put(network, NULL, &item, &refused, &unknown, error);
    buffer_free(&attributes);
    return status;
}

/* In pieces that an item can hold, each ending at a whole character. */
static enum status put_pieces(struct dynamodb_network *network, const char *run_id,
                              const char *kind, const char *text, size_t length, uint64_t *count,
                              struct error *error)
{
    char part[DYNAMODB_PART_BYTES];
    enum status status = STATUS_OK;
    for (*count = 0; (length > 0 || *count == 0) && status == STATUS_OK; (*count)++) {
        size_t piece = text_clip(text, length, DYNAMODB_LEDGER_PIECE_BYTES);
        dynamodb_ledger_part(part, kind, *count);
        status = put_text(network, run_id, part, text, piece, error);
        text += piece;
        length -= piece;
    }
    return status;
}

static void append_chunks(const struct ledger_chunk *chunks, uint64_t count, struct buffer *out)
{
    for (uint64_t at = 0; at < count; at++) {
        const struct span *span = &chunks[at].span;
        buffer_format(out, "{\"number\":%" PRIu64 ",\"stream\":%" PRIu32 ",\"rows\":%" PRId64,
                      chunks[at].number, chunks[at].stream, span->row_estimate);
        dynamodb_body_text(out, "text", span->printable);
        dynamodb_body_name(out, "bounds");
        json_append_base64(out, span->bounds, span->bounds_length);
        if (span->last_id != NULL) {
            dynamodb_body_text(out, "last", span->last_id);
        }
        buffer_append(out, "}\n", 2);
    }
}

void dynamodb_ledger_head_part(char part[DYNAMODB_PART_BYTES], const char *run_id)
{
    snprintf(part, DYNAMODB_PART_BYTES, "head/%s", run_id);
}

static enum status note_head(struct dynamodb_network *network, const char *run_id,
                             struct error *error)
{
    char part[DYNAMODB_PART_BYTES];
    struct buffer none = {0};
    bool refused = false;
    bool unknown = false;
    dynamodb_ledger_head_part(part, run_id);
    const struct dynamodb_ledger_item item = {DYNAMODB_LEDGER_ALL, part, &none, NULL};
    return dynamodb_ledger_put(network, NULL, &item, &refused, &unknown, error);
}

static enum status put_head(struct dynamodb_network *network, const char *run_id,
                            const char *status_text, uint64_t sequence, uint64_t chunk_count,
                            uint64_t header_pieces, uint64_t chunk_pieces, struct error *error)
{
    struct buffer attributes = {0};
    bool refused = false;
    bool unknown = false;
    dynamodb_body_n(&attributes, "format", DYNAMODB_LEDGER_FORMAT);
    dynamodb_body_n(&attributes, "sequence", sequence);
    dynamodb_body_n(&attributes, "epoch", 0);
    dynamodb_body_n(&attributes, "renewals", 0);
    dynamodb_body_n(&attributes, "chunk_count", chunk_count);
    dynamodb_body_n(&attributes, "header_pieces", header_pieces);
    dynamodb_body_n(&attributes, "chunk_pieces", chunk_pieces);
    dynamodb_body_s(&attributes, "status", status_text);
    const struct dynamodb_ledger_item item = {run_id, "head", &attributes, NULL};
    enum status status = note_head(network, run_id, error);
    if (status == STATUS_OK) {
        status = dynamodb_ledger_put(network, NULL, &item, &refused, &unknown, error);
    }
    buffer_free(&attributes);
    return status;
}

/*
 * The item that makes the run count, if nothing else was published since `before` was looked at and
 * the ledger does not go. STATUS_AGAIN: not so.
 */
static enum status publish(struct dynamodb_network *network, const char *run_id,
                           const struct dynamodb_newest *before, struct arena *arena,
                           struct error *error)
{
    struct buffer attributes = {0};
    struct buffer tail = {0};
    bool refused = false;
    bool unknown = false;
    dynamodb_body_s(&attributes, "id", run_id);
    dynamodb_body_n(&attributes, "sequence", before->sequence + 1);
    if (before->id == NULL) {
        buffer_append_string(&tail, ",\"ConditionExpression\":\"attribute_not_exists(#id) AND "
                                    "attribute_not_exists(#closing)\"");
    } else {
        buffer_append_string(&tail, ",\"ConditionExpression\":\"#id = :before AND "
                                    "attribute_not_exists(#closing)\","
                                    "\"ExpressionAttributeValues\":{");
        dynamodb_body_s(&tail, ":before", before->id);
        dynamodb_body_raw(&tail, "}");
    }
    dynamodb_body_raw(&tail,
                      ",\"ExpressionAttributeNames\":{\"#id\":\"id\",\"#closing\":\"closing\"}");
    const struct dynamodb_ledger_item item = {DYNAMODB_LEDGER_ALL, "newest", &attributes, &tail};
    enum status status = dynamodb_ledger_put(network, NULL, &item, &refused, &unknown, error);
    buffer_free(&attributes);
    buffer_free(&tail);
    if (status == STATUS_OK && refused) {
        struct dynamodb_newest now = {0};
        status = unknown ? dynamodb_ledger_newest(network, arena, &now, error) : STATUS_AGAIN;
        bool ours = now.id != NULL && strcmp(now.id, run_id) == 0;
        status = status == STATUS_FAILED ? status : ours ? STATUS_OK : STATUS_AGAIN;
    }
    return status;
}

static enum status put_parts(struct dynamodb_network *network, const char *run_id,
                             const char *header, const char *status_text,
                             const struct ledger_chunk *chunks, uint64_t chunk_count,
                             uint64_t sequence, struct error *error)
{
    struct buffer text = {0};
    uint64_t header_pieces = 0;
    uint64_t chunk_pieces = 0;
    append_chunks(chunks, chunk_count, &text);
    enum status status = text.failed ? dynamodb_ledger_no_room(error)
                                     : put_pieces(network, run_id, "header", header, strlen(header),
                                                  &header_pieces, error);
    if (status == STATUS_OK) {
        status = put_pieces(network, run_id, "chunks", buffer_string(&text), text.length,
                            &chunk_pieces, error);
    }
    if (status == STATUS_OK) {
        status = put_head(network, run_id, status_text, sequence, chunk_count, header_pieces,
                          chunk_pieces, error);
    }
    buffer_free(&text);
    return status;
}

/* ---------------------------------------------------------------- create */

/* A run to be made, in a ledger that may go meanwhile. */
struct making {
    struct dynamodb_network *network;
    struct arena *arena;
    const char *run_id;
    const char *first; /* the newest run when this one began to be made; NULL: none */
    bool looked;       /* `first` is known */
    int64_t closing_since_ms;
    struct error *error;
};

static bool is_same(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

/* Finished runs may leave while this one is made; none may come. STATUS_AGAIN: one did, or the
 * newest is not finished. */
static enum status look(struct making *making, struct dynamodb_newest *newest)
{
    enum status status = look_at_newest(making->network, making->arena, newest, making->error);
    if (status == STATUS_OK && !making->looked) {
        making->first = newest->id;
        making->looked = true;
    } else if (status == STATUS_OK && newest->id != NULL && !is_same(newest->id, making->first)) {
        status = STATUS_AGAIN;
    }
    return status;
}

/* Somebody is about to delete the ledger, with its last run. */
static enum status wait_for_closing(struct making *making, const char *closing)
{
    int64_t now_ms = clock_monotonic_ms();
    if (making->closing_since_ms == 0) {
        making->closing_since_ms = now_ms;
        log_write(LOG_INFO, "waiting for the ledger of run %s to be gone", closing);
    }
    if (now_ms - making->closing_since_ms > making->network->base.lease_ms) {
        error_set(making->error, ERROR_RUN_HELD, closing,
                  "the run's ledger is being removed, and does not go");
        error_hint(making->error, "was that cut short? `transhume finish` of that run, or its "
                                  "`transhume rollback`, once more brings it to its end");
        return STATUS_FAILED;
    }
    clock_sleep_ms(CLOSING_WAIT_MS);
    return STATUS_OK;
}

/* What became of a try that came to nothing: STATUS_OK if the ledger went, or is going, so that
 * another try may succeed; STATUS_AGAIN if another run was quicker. */
static enum status look_why(struct making *making, enum status status)
{
    struct dynamodb_newest now = {0};
    if (status == STATUS_FAILED && making->error->code != ERROR_TARGET_MISSING) {
        return status;
    }
    status = dynamodb_ledger_newest(making->network, making->arena, &now, making->error);
    if (status != STATUS_OK) {
        return status;
    }
    return now.id == NULL || now.closing != NULL ? STATUS_OK : STATUS_AGAIN;
}

enum status dynamodb_ledger_create(struct database *self, const char *run_id, const char *header,
                                   const char *status_text, const struct ledger_chunk *chunks,
                                   uint64_t chunk_count, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct making making = {
        .network = network, .arena = arena_create(0), .run_id = run_id, .error = error};
    if (making.arena == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    bool made = false;
    enum status status = STATUS_OK;
    for (uint32_t tries = 0; status == STATUS_OK && !made;) {
        struct dynamodb_newest newest = {0};
        status = ensure_table(network, making.arena, error);
        status = status == STATUS_OK ? look(&making, &newest) : status;
        if (status == STATUS_OK && newest.closing != NULL) {
            status = wait_for_closing(&making, newest.closing);
            continue;
        }
        if (status != STATUS_OK ||
            failpoint_hit("dynamodb.before_ledger_parts", error) != STATUS_OK) {
            status = status == STATUS_OK ? STATUS_FAILED : status;
            break;
        }
        status = put_parts(network, run_id, header, status_text, chunks, chunk_count,
                           newest.sequence + 1, error);
        if (status == STATUS_OK) {
            status = failpoint_hit("dynamodb.before_ledger_create", error);
        }
        if (status == STATUS_OK) {
            status = publish(network, run_id, &newest, making.arena, error);
        }
        made = status == STATUS_OK;
        if (!made && ++tries < MAKE_TRIES_MAX) {
            status = look_why(&making, status);
        }
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("dynamodb.after_ledger_create", error);
    }
    arena_destroy(making.arena);
    return status;
}
