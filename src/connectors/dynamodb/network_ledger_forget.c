/* Which runs the ledger knows, and how one leaves it; with the last one the table goes. */
#include "base/failpoint.h"
#include "connectors/dynamodb/network_json.h"
#include "connectors/dynamodb/network_ledger.h"
#include "connectors/dynamodb/network_rollback.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLOSE_TRIES_MAX = 5 };

/* ---------------------------------------------------------------- the list of runs */

struct numbered {
    uint64_t sequence;
    const char *id;
};

struct listing {
    struct arena *arena;
    struct numbered *runs; /* those that count: `newest` names them or did */
    uint32_t count;
    struct dynamodb_newest newest;
    const char **heads; /* all that are noted */
    uint32_t head_count;
};

static int compare_numbered(const void *left, const void *right)
{
    const struct numbered *a = left;
    const struct numbered *b = right;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static enum status note_head(void *context, const char *part, const json_t *item,
                             struct error *error)
{
    struct listing *listing = context;
    (void)item;
    const char **grown = (const char **)arena_allocate_zeroed(
        listing->arena, listing->head_count + 1u, sizeof(*grown));
    const char *copy = arena_copy_string(listing->arena, part + strlen("head/"));
    if (grown == NULL || copy == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    if (listing->head_count > 0) {
        memcpy(grown, listing->heads, listing->head_count * sizeof(*grown));
    }
    grown[listing->head_count++] = copy;
    listing->heads = grown;
    return STATUS_OK;
}

/* A head that is not published is of a run that never was, or that is just being made. */
static enum status take_head(struct dynamodb_network *network, struct listing *listing,
                             const char *id, struct error *error)
{
    json_t *reply = NULL;
    const json_t *head = NULL;
    uint64_t sequence = 0;
    enum status status = dynamodb_ledger_get(network, id, "head", &reply, &head, error);
    bool counts = json_object_get(head, "published") != NULL ||
                  (listing->newest.id != NULL && strcmp(id, listing->newest.id) == 0);
    if (status == STATUS_OK && counts && dynamodb_reply_n(head, "sequence", &sequence)) {
        listing->runs[listing->count++] = (struct numbered){.sequence = sequence, .id = id};
    }
    json_decref(reply);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status list_runs(struct dynamodb_network *network, struct arena *arena,
                             struct listing *listing, struct error *error)
{
    *listing = (struct listing){.arena = arena};
    enum status status = dynamodb_ledger_newest(network, arena, &listing->newest, error);
    if (status == STATUS_OK) {
        status = dynamodb_ledger_walk(network, DYNAMODB_LEDGER_ALL, "head/", "head0", note_head,
                                      listing, error);
    }
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status; /* there is no ledger */
    }
    listing->runs = arena_allocate_zeroed(arena, listing->head_count + 1u, sizeof(*listing->runs));
    if (listing->runs == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    for (uint32_t at = 0; at < listing->head_count && status == STATUS_OK; at++) {
        status = take_head(network, listing, listing->heads[at], error);
    }
    if (listing->count > 0) {
        qsort(listing->runs, listing->count, sizeof(*listing->runs), compare_numbered);
    }
    return status;
}

enum status dynamodb_ledger_list(struct database *self, struct arena *arena, const char ***ids,
                                 uint32_t *count, struct error *error)
{
    struct listing listing;
    *ids = NULL;
    *count = 0;
    if (list_runs(dynamodb_network_of(self), arena, &listing, error) != STATUS_OK) {
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

/* The one before it, or nothing, takes its place as the newest, unless there is a newer one by now:
 * then that stays. */
static enum status point_before(struct dynamodb_network *network, const struct listing *listing,
                                const char *run_id, struct error *error)
{
    struct buffer values = {0};
    bool refused = false;
    bool unknown = false;
    uint32_t at = 0;
    while (at < listing->count && strcmp(listing->runs[at].id, run_id) != 0) {
        at++;
    }
    bool any = at > 0 && at < listing->count;
    dynamodb_body_s(&values, ":run", run_id);
    if (any) {
        dynamodb_body_s(&values, ":before", listing->runs[at - 1].id);
        dynamodb_body_n(&values, ":number", listing->runs[at - 1].sequence);
    }
    enum status status = dynamodb_ledger_update(network, NULL, DYNAMODB_LEDGER_ALL, "newest",
                                                any ? "SET #id = :before, #sequence = :number"
                                                    : "REMOVE #id, #sequence",
                                                "#id = :run", &values, &refused, &unknown, error);
    buffer_free(&values);
    return status;
}

/* From here on nothing can be published in this table. STATUS_AGAIN: another run was, before. */
static enum status begin_closing(struct dynamodb_network *network, const char *run_id,
                                 struct error *error)
{
    struct buffer values = {0};
    bool refused = false;
    bool unknown = false;
    dynamodb_body_s(&values, ":run", run_id);
    enum status status = dynamodb_ledger_update(
        network, NULL, DYNAMODB_LEDGER_ALL, "newest", "SET #closing = :run",
        "attribute_not_exists(#id) OR #id = :run", &values, &refused, &unknown, error);
    buffer_free(&values);
    return status == STATUS_OK && refused ? STATUS_AGAIN : status;
}

/* The whole table. STATUS_AGAIN: it is not the last run any more. */
static enum status close_ledger(struct dynamodb_network *network, const char *run_id,
                                struct arena *arena, struct error *error)
{
    struct dynamodb_description description;
    enum status status = failpoint_hit("dynamodb.before_forget", error);
    if (status == STATUS_OK) {
        status = dynamodb_describe(network, DYNAMODB_LEDGER_TABLE, arena, &description, error);
    }
    if (status == STATUS_END) {
        return STATUS_OK; /* deleted already */
    }
    if (status == STATUS_OK) {
        status = begin_closing(network, run_id, error);
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("dynamodb.after_closing", error);
    }
    if (status == STATUS_OK) {
        status = dynamodb_delete_table(network, DYNAMODB_LEDGER_TABLE, description.id, error);
    }
    return status == STATUS_OK ? failpoint_hit("dynamodb.after_forget", error) : status;
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
        dynamodb_ledger_delete(network, run_id, "head", error) != STATUS_OK ||
        failpoint_hit("dynamodb.after_forget", error) != STATUS_OK ||
        delete_parts(network, run_id, "a", "z", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    char part[DYNAMODB_PART_BYTES];
    dynamodb_ledger_head_part(part, run_id);
    return dynamodb_ledger_delete(network, DYNAMODB_LEDGER_ALL, part, error);
}

static bool holds_only(const struct listing *listing, const char *run_id)
{
    return listing->count == 0 || (listing->count == 1 && strcmp(listing->runs[0].id, run_id) == 0);
}

enum status dynamodb_ledger_forget(struct database *self, const char *run_id, uint64_t epoch,
                                   bool rolled_back, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct arena *arena = arena_create(0);
    struct listing listing;
    (void)rolled_back;
    if (arena == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    enum status status = STATUS_AGAIN;
    if (network->run == NULL || strcmp(network->run->id, run_id) != 0 ||
        network->run->epoch != epoch) {
        status = error_set(error, ERROR_RUN_FENCED, run_id, "this process does not hold the run");
    }
    for (uint32_t tries = 0; status == STATUS_AGAIN; tries++) {
        status = list_runs(network, arena, &listing, error);
        if (status == STATUS_OK && holds_only(&listing, run_id) && tries < CLOSE_TRIES_MAX) {
            status = close_ledger(network, run_id, arena, error);
        } else if (status == STATUS_OK) {
            status = forget_parts(network, run_id, &listing, error);
        }
    }
    if (status == STATUS_OK) {
        dynamodb_run_forget(network);
    }
    arena_destroy(arena);
    return status;
}
