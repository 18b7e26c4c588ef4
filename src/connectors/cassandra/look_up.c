#include "connectors/cassandra/look_up.h"

#include "base/clock.h"
#include "base/memory.h"
#include "connectors/cassandra/calls.h"
#include <stdlib.h>

enum { WINDOW = 64, WAIT_MS = 100 };

struct looking;

/* A key to be asked for. */
struct question {
    uint32_t key;
    enum cql_consistency consistency;
};

struct slot {
    struct cassandra_call call; /* first */
    struct looking *looking;
    struct question question;
    bool under_way;
};

struct looking {
    const struct cassandra_look_up *what;
    const struct cql_prepared *prepared;
    cassandra_values_found *found;
    void *context;
    struct slot slots[WINDOW];
    uint32_t under_way;
    uint32_t next;          /* key to be asked for */
    struct question *again; /* whose call failed */
    uint32_t again_count;
    struct cassandra_patience patience;
    enum status status; /* STATUS_FAILED: nothing more is asked for */
    struct error *error;
};

/* ---------------------------------------------------------------- answers */

static enum status take_row(struct looking *looking, uint32_t key,
                            const struct cql_response *response)
{
    struct cql_rows rows = response->rows;
    if (response->opcode != CQL_RESULT || response->kind != CQL_RESULT_ROWS ||
        rows.columns.count != looking->what->field_count) {
        return error_set(looking->error, ERROR_NETWORK_ANSWER, looking->what->table->name,
                         "a SELECT was answered with other columns than it has");
    }
    struct cql_value *values = memory_allocate_zeroed(rows.columns.count + 1, sizeof(*values));
    enum status status = STATUS_OK;
    if (cql_rows_next(&rows, values) == STATUS_OK) {
        status = looking->found(looking->context, key, &rows.columns, values, looking->error);
    }
    free(values);
    return status;
}

static void answered(struct cassandra_call *call, enum status status, const struct cql_reply *reply,
                     const struct error *error)
{
    struct slot *slot = (struct slot *)call;
    struct looking *looking = slot->looking;
    struct error again;
    slot->under_way = false;
    looking->under_way--;
    if (looking->status != STATUS_OK) {
        return;
    }
    if (status == STATUS_OK) {
        cassandra_patience_renew(&looking->patience);
        looking->status = take_row(looking, slot->question.key, &reply->response);
        return;
    }
    error_copy(&again, error);
    if (cassandra_patience_falls_back(&looking->patience, reply->failure, &again,
                                      &slot->question.consistency) ||
        cassandra_patience_plan(&looking->patience, &again)) {
        looking->again[looking->again_count++] = slot->question;
    } else {
        looking->status = error_copy(looking->error, &again);
        error_context(looking->error, "%s: ", looking->what->table->name);
    }
}

/* ---------------------------------------------------------------- asking */

static struct slot *free_slot(struct looking *looking)
{
    for (uint32_t at = 0; at < WINDOW; at++) {
        if (!looking->slots[at].under_way) {
            return &looking->slots[at];
        }
    }
    return NULL;
}

static enum status look_up_ask(struct looking *looking, struct slot *slot, struct question question)
{
    const struct cassandra_look_up *what = looking->what;
    const struct keyed_wanted_key *wanted = &what->keys[question.key];
    const struct cql_statement statement = {.prepared = looking->prepared,
                                            .values = wanted->bytes.data,
                                            .values_length = wanted->bytes.length,
                                            .value_count = (uint16_t)what->table->key.count};
    const struct cql_call call = {.statements = &statement,
                                  .statement_count = 1,
                                  .consistency = question.consistency,
                                  .timestamp_us = CQL_NO_TIMESTAMP,
                                  .token = &wanted->token,
                                  .keyspace = what->cassandra->keyspace,
                                  .deadline_ms =
                                      clock_boottime_ms() + what->cassandra->keyed.room.timeout_ms,
                                  .tag = &slot->call};
    enum status status = cql_session_send(what->session, &call, looking->error);
    if (status == STATUS_OK) {
        *slot = (struct slot){
            .call = {answered}, .looking = looking, .question = question, .under_way = true};
        looking->under_way++;
    }
    return status;
}

static bool may_ask(const struct looking *looking)
{
    return looking->status == STATUS_OK && looking->under_way < WINDOW &&
           (looking->next < looking->what->key_count || looking->again_count > 0) &&
           !cassandra_patience_waits(&looking->patience);
}

static void fill_window(struct looking *looking)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && may_ask(looking)) {
        bool again = looking->again_count > 0;
        const struct question first = {looking->next, looking->what->consistency};
        status = look_up_ask(looking, free_slot(looking),
                             again ? looking->again[looking->again_count - 1] : first);
        if (status == STATUS_OK) {
            looking->again_count -= again;
            looking->next += !again;
        }
    }
    looking->status = status == STATUS_FAILED ? STATUS_FAILED : looking->status;
}

static bool is_done(const struct looking *looking)
{
    bool nothing_left = looking->next == looking->what->key_count && looking->again_count == 0;
    return looking->under_way == 0 && (looking->status != STATUS_OK || nothing_left);
}

enum status cassandra_look_up(const struct cassandra_look_up *look_up,
                              cassandra_values_found *found, void *context, struct error *error)
{
    struct cassandra *self = look_up->cassandra;
    const struct cql_prepared *prepared = NULL;
    if (look_up->key_count == 0) {
        return STATUS_OK;
    }
    if (cassandra_calls_prepare(self, look_up->session, look_up->text, &prepared, error) !=
        STATUS_OK) {
        return error_context(error, "%s: ", look_up->table->name);
    }
    struct looking *looking = memory_allocate_zeroed(1, sizeof(*looking));
    looking->what = look_up;
    looking->prepared = prepared;
    looking->found = found;
    looking->context = context;
    looking->error = error;
    looking->again =
        memory_allocate_zeroed((size_t)look_up->key_count + 1, sizeof(*looking->again));
    cassandra_patience_begin(&looking->patience, self);
    looking->patience.counts = look_up->counts;
    /* also after a failure: no call may be under way that knows of this function's memory */
    while (!is_done(looking)) {
        fill_window(looking);
        (void)!cassandra_calls_poll(look_up->session, WAIT_MS);
    }
    enum status status = looking->status;
    free(looking->again);
    free(looking);
    return status;
}
