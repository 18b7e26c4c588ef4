/* Taking a run back: the tables that it made, and its parts of the ledger. */
#include "connectors/dynamodb/network_rollback.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "connectors/dynamodb/network_json.h"
#include "model/json_tree.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GONE_WAIT_MS = 200, GONE_DEADLINE_MS = 600000 };

/* ---------------------------------------------------------------- tables */

static enum status delete_table(struct dynamodb_network *network, const char *table,
                                struct error *error)
{
    struct buffer body = {0};
    struct dynamodb_response *response = NULL;
    dynamodb_body_raw(&body, "{");
    dynamodb_body_text(&body, "TableName", table);
    dynamodb_body_raw(&body, "}");
    enum status status =
        dynamodb_network_write(network, "DeleteTable", table, &body, &response, error);
    buffer_free(&body);
    if (status != STATUS_OK) {
        return status;
    }
    if (response->fault != DYNAMODB_FAULT_NONE && response->fault != DYNAMODB_FAULT_MISSING &&
        response->fault != DYNAMODB_FAULT_IN_USE) {
        error_copy(error, &response->error);
        error_recode(error, ERROR_TARGET_SCHEMA);
        status = STATUS_FAILED;
    }
    dynamodb_response_destroy(response);
    return status;
}

/* `id`: of the very table; one with another id is somebody else's, made since. */
static enum status wait_gone(struct dynamodb_network *network, const char *table, const char *id,
                             struct error *error)
{
    struct dynamodb_description description;
    struct arena *arena = arena_create(0);
    int64_t end_ms = clock_monotonic_ms() + GONE_DEADLINE_MS;
    enum status status = arena != NULL ? STATUS_OK : dynamodb_ledger_no_room(error);
    while (status == STATUS_OK) {
        arena_reset(arena);
        status = dynamodb_describe(network, table, arena, &description, error);
        if (status != STATUS_OK || strcmp(description.id, id) != 0) {
            break;
        }
        if (clock_monotonic_ms() > end_ms) {
            status = error_set(error, ERROR_TARGET_SCHEMA, table, "it is still being deleted");
            break;
        }
        clock_sleep_ms(GONE_WAIT_MS);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* Of a table that was asked for and never finished it is not known which one it is: only an empty
 * one goes. */
static enum status is_ours(struct dynamodb_network *network, const struct target_table *table,
                           enum dynamodb_made made, const char *noted_id,
                           const struct dynamodb_description *description, bool *ours,
                           struct error *error)
{
    bool exists = false;
    bool filled = true;
    if (made == DYNAMODB_MADE_DONE) {
        *ours = noted_id != NULL && strcmp(noted_id, description->id) == 0;
        return STATUS_OK;
    }
    enum status status = dynamodb_wait_active(network, table->name, error);
    if (status == STATUS_OK) {
        status = dynamodb_network_inspect(&network->base, table, 1, &exists, &filled, error);
    }
    *ours = exists && !filled;
    return status;
}

static enum status drop_made(struct dynamodb_network *network, const struct target_table *table,
                             struct arena *arena, struct error *error)
{
    enum dynamodb_made made = DYNAMODB_MADE_NOT;
    char part[DYNAMODB_PART_BYTES];
    json_t *reply = NULL;
    const json_t *item = NULL;
    struct dynamodb_description description;
    bool ours = false;
    snprintf(part, sizeof(part), "made/%s", table->name);
    if (dynamodb_ledger_made(network, table->name, &made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made == DYNAMODB_MADE_NOT) {
        return STATUS_OK; /* dropped already, or never asked for */
    }
    enum status status = dynamodb_ledger_get(network, network->run->id, part, &reply, &item, error);
    if (status == STATUS_OK) {
        status = dynamodb_describe(network, table->name, arena, &description, error);
    }
    if (status == STATUS_OK) {
        status = is_ours(network, table, made, dynamodb_reply_s(item, "table_id"), &description,
                         &ours, error);
    }
    if (status == STATUS_OK && ours) {
        status = delete_table(network, table->name, error);
        status =
            status == STATUS_OK ? wait_gone(network, table->name, description.id, error) : status;
        status = status == STATUS_OK ? failpoint_hit("dynamodb.table_deleted", error) : status;
    }
    json_decref(reply);
    return status == STATUS_FAILED ? STATUS_FAILED
                                   : dynamodb_ledger_delete(network, network->run->id, part, error);
}

static enum status remove_table(struct database *self, const struct target_table *table,
                                struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct arena *arena = arena_create(0);
    if (arena == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    enum status status = failpoint_hit("dynamodb.before_remove_table", error);
    if (status == STATUS_OK) {
        status = table->created ? drop_made(network, table, arena, error)
                                : dynamodb_network_empty(network, table, error);
    }
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("dynamodb.after_remove_table", error) : status;
}

/* A table of the ledger has no columns: the types of its key are those of the table as it is. */
static enum status learn_keys(struct dynamodb_network *network, const struct target_table *table,
                              struct arena *arena, struct error *error)
{
    struct dynamodb_description description;
    const struct dynamodb_known *known = NULL;
    enum status status = dynamodb_describe(network, table->name, arena, &description, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    return dynamodb_network_keys(network, table, NULL, 0, &description, &known, error);
}

/* Any key will do; it is a chance to learn its types. */
static enum status can_undo(struct database *self, const struct target_table *table,
                            struct buffer *why, struct error *error)
{
    struct arena *arena = arena_create(0);
    (void)why;
    enum status status = arena == NULL ? dynamodb_ledger_no_room(error)
                                       : learn_keys(dynamodb_network_of(self), table, arena, error);
    arena_destroy(arena);
    return status;
}

const struct rollback_functions dynamodb_network_rollback = {.can_undo = can_undo,
                                                             .remove_table = remove_table};

/* ---------------------------------------------------------------- the list of runs */

struct numbered {
    uint64_t sequence;
    const char *id;
};

struct listing {
    struct arena *arena;
    struct numbered *runs;
    uint32_t count;
    const char *newest;
    const char *leaving;       /* the run that is forgotten; NULL: runs are only listed */
    bool others_are_in_making; /* heads that are not published yet, besides that of `leaving` */
};

static int compare_numbered(const void *left, const void *right)
{
    const struct numbered *a = left;
    const struct numbered *b = right;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

/* A head that is not published is of a run that never was, or that is just being made. */
static enum status take_head(void *context, const char *part, const json_t *item,
                             struct error *error)
{
    (void)part;
    struct listing *listing = context;
    uint64_t sequence = 0;
    const char *id = dynamodb_reply_s(item, "run");
    bool counts = json_object_get(item, "published") != NULL ||
                  (id != NULL && listing->newest != NULL && strcmp(id, listing->newest) == 0);
    if (!counts && listing->leaving != NULL && (id == NULL || strcmp(id, listing->leaving) != 0)) {
        listing->others_are_in_making = true;
    }
    if (!counts || id == NULL || !dynamodb_reply_n(item, "sequence", &sequence)) {
        return STATUS_OK;
    }
    struct numbered *grown =
        arena_allocate_zeroed(listing->arena, listing->count + 1u, sizeof(*grown));
    const char *copy = arena_copy_string(listing->arena, id);
    if (grown == NULL || copy == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    if (listing->count > 0) {
        memcpy(grown, listing->runs, listing->count * sizeof(*grown));
    }
    grown[listing->count++] = (struct numbered){.sequence = sequence, .id = copy};
    listing->runs = grown;
    return STATUS_OK;
}

static enum status scan_heads(struct dynamodb_network *network, struct buffer *next,
                              struct listing *listing, struct error *error)
{
    struct buffer body = {0};
    dynamodb_body_raw(&body, "{");
    dynamodb_body_text(&body, "TableName", DYNAMODB_LEDGER_TABLE);
    dynamodb_body_raw(&body, ",\"ConsistentRead\":true,\"FilterExpression\":\"#part = :head\","
                             "\"ProjectionExpression\":\"#run,#sequence,#published\","
                             "\"ExpressionAttributeNames\":{\"#part\":\"part\",\"#run\":\"run\","
                             "\"#sequence\":\"sequence\",\"#published\":\"published\"},"
                             "\"ExpressionAttributeValues\":{\":head\":{\"S\":\"head\"}}");
    if (next->length > 0) {
        dynamodb_body_name(&body, "ExclusiveStartKey");
        buffer_append(&body, next->data, next->length);
    }
    dynamodb_body_raw(&body, "}");
    enum status status =
        dynamodb_ledger_page(network, "Scan", &body, take_head, listing, next, error);
    buffer_free(&body);
    return status;
}

static enum status list_runs(struct dynamodb_network *network, struct listing *listing,
                             struct error *error)
{
    struct buffer next = {0};
    uint64_t sequence;
    enum status status =
        dynamodb_ledger_newest(network, listing->arena, &listing->newest, &sequence, error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    if (status == STATUS_END && listing->leaving == NULL) {
        return STATUS_OK;
    }
    do {
        status = scan_heads(network, &next, listing, error);
    } while (status == STATUS_OK && next.length > 0);
    buffer_free(&next);
    if (listing->count > 0) {
        qsort(listing->runs, listing->count, sizeof(*listing->runs), compare_numbered);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status dynamodb_ledger_list(struct database *self, struct arena *arena, const char ***ids,
                                 uint32_t *count, struct error *error)
{
    struct listing listing = {.arena = arena};
    *ids = NULL;
    *count = 0;
    if (list_runs(dynamodb_network_of(self), &listing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *ids = (const char **)arena_allocate_zeroed(arena, listing.count + 1u, sizeof(**ids));
    if (*ids == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    for (uint32_t at = 0; at < listing.count; at++) {
        (*ids)[at] = listing.runs[at].id;
    }
    *count = listing.count;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- forgetting */

/* `newest` names the run before it, or nothing. */
static enum status point_before(struct dynamodb_network *network, const struct listing *listing,
                                const char *run_id, struct error *error)
{
    struct buffer attributes = {0};
    bool refused = false;
    bool unknown = false;
    uint32_t at = 0;
    if (listing->newest == NULL || strcmp(listing->newest, run_id) != 0) {
        return STATUS_OK;
    }
    while (at < listing->count && strcmp(listing->runs[at].id, run_id) != 0) {
        at++;
    }
    if (at == 0 || at == listing->count) {
        return dynamodb_ledger_delete(network, "*", "newest", error);
    }
    dynamodb_body_s(&attributes, "id", listing->runs[at - 1].id);
    dynamodb_body_n(&attributes, "sequence", listing->runs[at - 1].sequence);
    const struct dynamodb_ledger_item item = {"*", "newest", &attributes, NULL};
    enum status status = dynamodb_ledger_put(network, NULL, &item, &refused, &unknown, error);
    buffer_free(&attributes);
    return status;
}

struct sweep {
    struct arena *arena;
    struct part {
        struct part *next;
        const char *name;
    } * first;
};

static enum status note_part(void *context, const char *part, const json_t *item,
                             struct error *error)
{
    struct sweep *sweep = context;
    (void)item;
    struct part *made = arena_allocate_zeroed(sweep->arena, 1, sizeof(*made));
    const char *name = arena_copy_string(sweep->arena, part);
    if (made == NULL || name == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    *made = (struct part){.next = sweep->first, .name = name};
    sweep->first = made;
    return STATUS_OK;
}

static enum status delete_parts(struct dynamodb_network *network, const char *run_id,
                                const char *from, const char *until, struct error *error)
{
    struct sweep sweep = {.arena = arena_create(0)};
    if (sweep.arena == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    enum status status =
        dynamodb_ledger_walk(network, run_id, from, until, note_part, &sweep, error);
    for (struct part *part = sweep.first; part != NULL && status == STATUS_OK; part = part->next) {
        status = dynamodb_ledger_delete(network, run_id, part->name, error);
    }
    arena_destroy(sweep.arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status forget_parts(struct dynamodb_network *network, const char *run_id,
                                const struct listing *listing, struct error *error)
{
    /* marks and keys first, the head before what it counts: what is left of it is never loaded */
    if (delete_parts(network, run_id, "done/", "done0", error) != STATUS_OK ||
        delete_parts(network, run_id, "keys/", "made0", error) != STATUS_OK ||
        failpoint_hit("dynamodb.before_forget", error) != STATUS_OK ||
        point_before(network, listing, run_id, error) != STATUS_OK ||
        dynamodb_ledger_delete(network, run_id, "head", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("dynamodb.after_forget", error) == STATUS_OK
               ? delete_parts(network, run_id, "a", "z", error)
               : STATUS_FAILED;
}

static bool holds_only(const struct listing *listing, const char *run_id)
{
    return !listing->others_are_in_making &&
           (listing->count == 0 ||
            (listing->count == 1 && strcmp(listing->runs[0].id, run_id) == 0));
}

enum status dynamodb_ledger_forget(struct database *self, const char *run_id, uint64_t epoch,
                                   bool rolled_back, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct arena *arena = arena_create(0);
    struct listing listing = {.arena = arena, .leaving = run_id};
    (void)rolled_back;
    if (arena == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    enum status status = STATUS_OK;
    if (network->run == NULL || strcmp(network->run->id, run_id) != 0 ||
        network->run->epoch != epoch) {
        status = error_set(error, ERROR_RUN_FENCED, run_id, "this process does not hold the run");
    }
    if (status == STATUS_OK) {
        status = list_runs(network, &listing, error);
    }
    if (status == STATUS_OK && holds_only(&listing, run_id)) {
        status = failpoint_hit("dynamodb.before_forget", error);
        status = status == STATUS_OK ? delete_table(network, DYNAMODB_LEDGER_TABLE, error) : status;
        status = status == STATUS_OK ? failpoint_hit("dynamodb.after_forget", error) : status;
    } else if (status == STATUS_OK) {
        status = forget_parts(network, run_id, &listing, error);
    }
    if (status == STATUS_OK) {
        dynamodb_run_forget(network);
    }
    arena_destroy(arena);
    return status;
}
