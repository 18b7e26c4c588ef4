/* A run's claim, its status and its done marks. */
#include "connectors/dynamodb/network_ledger.h"

#include "base/failpoint.h"
#include "connectors/dynamodb/network_json.h"
#include "connectors/lease.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dynamodb_run_forget(struct dynamodb_network *network)
{
    struct dynamodb_run_claimed *run = network->run;
    if (run != NULL) {
        network->run = NULL;
        free(run->id);
        free(run->holder);
        free(run);
    }
    lease_end(&network->base);
}

static enum status remember_run(struct dynamodb_network *network, const char *run_id,
                                uint64_t epoch, const char *holder, struct error *error)
{
    struct dynamodb_run_claimed *run = (struct dynamodb_run_claimed *)calloc(1, sizeof(*run));
    if (run == NULL || (run->id = strdup(run_id)) == NULL ||
        (run->holder = strdup(holder)) == NULL) {
        if (run != NULL) {
            free(run->id);
        }
        free(run);
        return dynamodb_ledger_no_room(error);
    }
    run->epoch = epoch;
    network->run = run;
    return STATUS_OK;
}

static enum status fenced(const char *run_id, struct error *error)
{
    error_set(error, ERROR_RUN_FENCED, run_id, "another attempt has taken this run over");
    error_hint(error, "let that one go on; `transhume status` shows it");
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- claim */

/* Who has it, as the ledger says now. `*ours`: it is this very claim, granted by a try whose answer
 * got lost. */
static enum status find_holder(struct dynamodb_network *network, const char *run_id, uint64_t epoch,
                               const char *own, struct ledger_holder *found, bool *ours,
                               struct error *error)
{
    json_t *reply = NULL;
    const json_t *head = NULL;
    uint64_t now = 0;
    *found = (struct ledger_holder){0};
    *ours = false;
    enum status status = dynamodb_ledger_get(network, run_id, "head", &reply, &head, error);
    status = dynamodb_ledger_known(status, run_id, error);
    if (status == STATUS_OK) {
        const char *holder = dynamodb_reply_s(head, "holder");
        (void)dynamodb_reply_n(head, "epoch", &now);
        *ours = now == epoch && holder != NULL && strcmp(holder, own) == 0;
        if (holder != NULL && !*ours) {
            status = ledger_holder_read(holder, found, error);
            (void)dynamodb_reply_n(head, "renewals", &found->renewals);
        } else {
            snprintf(found->name, sizeof(found->name), "attempt %" PRIu64, now);
        }
    }
    json_decref(reply);
    return status;
}

static enum status try_claim(struct dynamodb_network *network, const char *run_id,
                             uint64_t old_epoch, const char *own, const char *replaced,
                             uint64_t renewals, bool *refused, struct error *error)
{
    struct buffer values = {0};
    bool unknown = false;
    dynamodb_body_n(&values, ":old", old_epoch);
    dynamodb_body_n(&values, ":new", old_epoch + 1);
    dynamodb_body_n(&values, ":zero", 0);
    dynamodb_body_s(&values, ":own", own);
    if (replaced != NULL) {
        dynamodb_body_s(&values, ":replaced", replaced);
        dynamodb_body_n(&values, ":renewals", renewals);
    }
    enum status status = dynamodb_ledger_update(
        network, NULL, run_id, "head", "SET #epoch = :new, #holder = :own, #renewals = :zero",
        replaced == NULL ? "#epoch = :old AND attribute_not_exists(#holder)"
                         : "#epoch = :old AND #holder = :replaced AND #renewals = :renewals",
        &values, refused, &unknown, error);
    buffer_free(&values);
    return status;
}

static enum status ledger_claim(struct database *self, const char *run_id, uint64_t old_epoch,
                                const struct ledger_holder *replaces, struct ledger_holder *found,
                                struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct ledger_holder own_holder;
    const char *own = NULL;
    const char *replaced = NULL;
    bool refused = false;
    bool ours = true;
    struct arena *arena = arena_create(1024);
    if (arena == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    dynamodb_run_forget(network);
    ledger_holder_self(self->lease_ms, &own_holder);
    enum status status = ledger_holder_write(&own_holder, arena, &own, error);
    if (status == STATUS_OK && replaces != NULL) {
        status = ledger_holder_write(replaces, arena, &replaced, error);
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("dynamodb.before_claim", error);
    }
    int64_t sent_ms = lease_clock_ms();
    if (status == STATUS_OK) {
        status = try_claim(network, run_id, old_epoch, own, replaced,
                           replaces != NULL ? replaces->renewals : 0, &refused, error);
    }
    if (status == STATUS_OK && refused) {
        status = find_holder(network, run_id, old_epoch + 1, own, found, &ours, error);
        status = status == STATUS_OK && !ours ? STATUS_AGAIN : status;
    }
    if (status == STATUS_OK) {
        status = remember_run(network, run_id, old_epoch + 1, own, error);
    }
    if (status == STATUS_OK) {
        lease_extend(self, sent_ms);
        status = failpoint_hit("dynamodb.after_claim", error);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- renew, status, release */

/* An update of our own claim's head; refused: it is ours no more. */
static enum status update_own(struct dynamodb_network *network, struct dynamodb_client *client,
                              const char *run_id, uint64_t epoch, const char *expression,
                              struct buffer *values, bool *refused, struct error *error)
{
    const struct dynamodb_run_claimed *run = network->run;
    bool unknown = false;
    *refused = true;
    if (run == NULL || strcmp(run->id, run_id) != 0 || run->epoch != epoch) {
        return STATUS_OK;
    }
    dynamodb_body_n(values, ":epoch", epoch);
    dynamodb_body_s(values, ":own", run->holder);
    return dynamodb_ledger_update(network, client, run_id, "head", expression,
                                  "#epoch = :epoch AND #holder = :own", values, refused, &unknown,
                                  error);
}

static enum status ledger_renew(struct database *self, const char *run_id, uint64_t epoch,
                                struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct buffer values = {0};
    bool refused = false;
    if (network->renewing == NULL &&
        dynamodb_client_create(network->service, 1, &network->renewing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (failpoint_hit("dynamodb.before_renew", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int64_t sent_ms = lease_clock_ms();
    if (network->run != NULL) {
        dynamodb_body_n(&values, ":renewals", ++network->run->renewals);
    }
    enum status status = update_own(network, network->renewing, run_id, epoch,
                                    "SET #renewals = :renewals", &values, &refused, error);
    buffer_free(&values);
    if (status != STATUS_OK) {
        return status;
    }
    if (refused) {
        if (network->run != NULL) {
            atomic_store(&network->run->fenced, true);
        }
        lease_end(self);
        return fenced(run_id, error);
    }
    lease_extend(self, sent_ms);
    return STATUS_OK;
}

static enum status ledger_set_status(struct database *self, const char *run_id, uint64_t epoch,
                                     const char *status_text, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct buffer values = {0};
    bool refused = false;
    if (failpoint_hit("dynamodb.before_status", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    dynamodb_body_s(&values, ":status", status_text);
    enum status status =
        update_own(network, NULL, run_id, epoch, "SET #status = :status", &values, &refused, error);
    buffer_free(&values);
    if (status != STATUS_OK) {
        return status;
    }
    return refused ? fenced(run_id, error) : failpoint_hit("dynamodb.after_status", error);
}

static enum status ledger_release(struct database *self, const char *run_id, uint64_t epoch,
                                  struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct buffer values = {0};
    bool refused = false; /* another's already, or given back by a try whose answer got lost */
    enum status status = failpoint_hit("dynamodb.before_release", error);
    if (status == STATUS_OK) {
        status =
            update_own(network, NULL, run_id, epoch, "REMOVE #holder", &values, &refused, error);
    }
    buffer_free(&values);
    if (status == STATUS_OK) {
        dynamodb_run_forget(network);
    }
    return status;
}

/* ---------------------------------------------------------------- done marks */

static enum status ledger_done(struct database *self, const char *run_id, uint64_t chunk,
                               struct arena *arena, struct done_mark *mark, struct error *error)
{
    char part[DYNAMODB_PART_BYTES];
    json_t *reply = NULL;
    const json_t *item = NULL;
    dynamodb_ledger_part(part, "done", chunk);
    enum status status =
        dynamodb_ledger_get(dynamodb_network_of(self), run_id, part, &reply, &item, error);
    if (status == STATUS_OK) {
        const char *text = dynamodb_reply_s(item, "text");
        *mark = (struct done_mark){.chunk = chunk};
        if (text == NULL || !dynamodb_reply_n(item, "epoch", &mark->epoch)) {
            status = error_set(error, ERROR_LEDGER_INVALID, run_id, "a done mark is damaged");
        } else if ((mark->text = arena_copy_string(arena, text)) == NULL) {
            status = dynamodb_ledger_no_room(error);
        }
    }
    json_decref(reply);
    return status;
}

struct parts {
    struct arena *arena;
    const char **names;
    uint64_t count;
    uint64_t capacity;
};

static enum status note_part(void *context, const char *part, const json_t *item,
                             struct error *error)
{
    struct parts *parts = (struct parts *)context;
    (void)item;
    if (parts->count == parts->capacity) {
        uint64_t capacity = parts->capacity == 0 ? 16 : 2 * parts->capacity;
        const char **grown =
            (const char **)arena_allocate_zeroed(parts->arena, capacity, sizeof(*grown));
        if (grown == NULL) {
            return dynamodb_ledger_no_room(error);
        }
        if (parts->count > 0) {
            memcpy(grown, parts->names, parts->count * sizeof(*grown));
        }
        parts->names = grown;
        parts->capacity = capacity;
    }
    parts->names[parts->count] = arena_copy_string(parts->arena, part);
    return parts->names[parts->count++] != NULL ? STATUS_OK : dynamodb_ledger_no_room(error);
}

/* The mark first: keys without a mark count for nothing. */
static enum status forget_chunk(struct dynamodb_network *network, const char *run_id,
                                uint64_t chunk, struct error *error)
{
    char part[DYNAMODB_PART_BYTES];
    char until[DYNAMODB_PART_BYTES + 1];
    struct parts parts = {.arena = arena_create(1024)};
    if (parts.arena == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    dynamodb_ledger_part(part, "done", chunk);
    enum status status = dynamodb_ledger_delete(network, run_id, part, error);
    dynamodb_ledger_part(part, "keys", chunk);
    snprintf(until, sizeof(until), "%s0", part); /* '0' follows '/' */
    if (status == STATUS_OK) {
        status = dynamodb_ledger_walk(network, run_id, part, until, note_part, &parts, error);
    }
    for (uint64_t at = 0; at < parts.count && status == STATUS_OK; at++) {
        status = dynamodb_ledger_delete(network, run_id, parts.names[at], error);
    }
    arena_destroy(parts.arena);
    return dynamodb_ledger_known(status, run_id, error);
}

static enum status ledger_reopen(struct database *self, const char *run_id, uint64_t epoch,
                                 const uint64_t *chunks, uint64_t chunk_count,
                                 const struct target_table *const *tables, uint32_t table_count,
                                 struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    enum status status = STATUS_OK;
    if (network->run == NULL || strcmp(network->run->id, run_id) != 0 ||
        network->run->epoch != epoch) {
        return fenced(run_id, error);
    }
    /* The tables first: as long as marks are there, the next resume starts over as well. */
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        status = failpoint_hit("dynamodb.before_empty", error);
        if (status == STATUS_OK) {
            status = dynamodb_network_empty(network, tables[at], error);
        }
    }
    if (status == STATUS_OK && table_count > 0) {
        status = failpoint_hit("dynamodb.after_empty", error);
    }
    for (uint64_t at = 0; at < chunk_count && status == STATUS_OK; at++) {
        status = failpoint_hit("dynamodb.before_reopen", error);
        if (status == STATUS_OK) {
            status = forget_chunk(network, run_id, chunks[at], error);
        }
    }
    return status == STATUS_OK ? failpoint_hit("dynamodb.after_reopen", error) : status;
}

const struct ledger_functions dynamodb_network_ledger = {
    .create = dynamodb_ledger_create,
    .load = dynamodb_ledger_load,
    .claim = ledger_claim,
    .renew = ledger_renew,
    .set_status = ledger_set_status,
    .done = ledger_done,
    .reopen = ledger_reopen,
    .release = ledger_release,
    .list = dynamodb_ledger_list,
    .forget = dynamodb_ledger_forget,
};
