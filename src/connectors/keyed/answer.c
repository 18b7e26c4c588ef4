/* Answers: records acknowledged, left over, refused; requests that go out again. */
#include "connectors/keyed/keyed_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/contract/report.h"
#include "net/service.h"
#include <stdlib.h>

enum {
    SHRINK_EVERY_MS = 100,
    VANISHED_MAX = 10, /* looks in vain for what refused a record */
    THROTTLED_PATIENCE_MS = 10 * 60 * 1000,
    WINDOW_MIN = 1
};
static const double shrink_to = 0.6;

/* ---------------------------------------------------------------- how fast */

static void grow_window(struct writer *writer)
{
    double most = writer->room->in_flight_max;
    writer->window += writer->window < writer->slow_start_until ? 1 : 1 / writer->window;
    writer->window = writer->window < most ? writer->window : most;
}

/* Once for many requests that were under way together. */
static void shrink_window(struct writer *writer)
{
    int64_t now_ms = clock_monotonic_ms();
    report_throttled(writer->database);
    if (now_ms - writer->shrunk_ms < SHRINK_EVERY_MS) {
        return;
    }
    writer->shrunk_ms = now_ms;
    writer->window *= shrink_to;
    writer->window = writer->window > WINDOW_MIN ? writer->window : WINDOW_MIN;
    writer->slow_start_until = writer->window;
}

/* The units that were guessed too much, or too little, go to the next request. */
static void count_units(struct writer *writer, struct keyed_request *request, double units)
{
    report_units(writer->database, units);
    keyed_capacity_take(&writer->room->capacity, (int64_t)(units * 1000) - request->reserved);
    request->reserved = 0;
}

/* ---------------------------------------------------------------- going out again */

/* The batch that tells of the request: one that still waits for records of it; NULL: none. */
static struct keyed_waiting *teller_of(const struct keyed_request *request)
{
    uint32_t at = 0;
    while (at < request->count && request->slots[at].waiting == NULL) {
        at++;
    }
    return at < request->count ? request->slots[at].waiting : NULL;
}

static void count_retries(struct writer *writer, const struct keyed_request *request,
                          uint32_t times)
{
    struct keyed_waiting *teller = teller_of(request);
    for (uint32_t i = 0; i < times; i++) {
        report_retried(writer->database, NULL);
    }
    if (teller != NULL) {
        teller->result.retries += times;
    }
}

/* Retries and fallbacks that the service did by itself until it had this answer. */
static void count_service(struct writer *writer, const struct keyed_answer *answer)
{
    struct keyed_waiting *teller = teller_of(answer->request);
    count_retries(writer, answer->request, answer->retries);
    for (uint32_t i = 0; i < answer->fallbacks; i++) {
        report_fell_back(writer->database, NULL);
    }
    if (teller != NULL) {
        teller->result.fallbacks += answer->fallbacks;
    }
}

static enum status fail_or_wait(struct writer *writer, const struct keyed_answer *answer,
                                struct error *error)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t patience_ms =
        answer->throttled ? THROTTLED_PATIENCE_MS : keyed_patience_ms(writer->room);
    if (writer->failing_since_ms == 0) {
        writer->failing_since_ms = now_ms;
    }
    if (now_ms - writer->failing_since_ms <= patience_ms) {
        return STATUS_OK;
    }
    error_copy(error, answer->reason);
    return keyed_give_up(writer, now_ms, error);
}

static enum status send_again(struct writer *writer, struct keyed_request *request,
                              const struct keyed_answer *answer, struct error *error)
{
    if (answer->throttled) {
        shrink_window(writer);
    }
    request->tried = request->tried || answer->unknown;
    count_retries(writer, request, 1);
    const char *table = writer->tables[request->table].name;
    log_event(LOG_DEBUG,
              EVENT_OF(EVENT_RETRY, .table = table,
                       .code = error_describe(answer->reason->code)->name,
                       .count = (int64_t)request->failures + 1),
              "table %s: a request goes out again after: %s", table, answer->reason->message);
    enum status status = fail_or_wait(writer, answer, error);
    int64_t wait = service_backoff_ms(request->failures++, answer->reason->retry_after_ms);
    request->next_ms = clock_monotonic_ms() + wait;
    if (answer->unknown && answer->reason->retry_after_ms > 0) {
        writer->failing_since_ms = request->next_ms; /* patience is for what comes then */
    }
    keyed_list_add(&writer->delayed, request);
    return status;
}

/* ---------------------------------------------------------------- records */

static void acknowledge(struct writer *writer, struct keyed_slot *slot)
{
    struct keyed_waiting *waiting = slot->waiting;
    slot->waiting = NULL;
    if (waiting != NULL) {
        waiting->result.written++;
        waiting->result.bytes += slot->length;
        keyed_record_ended(writer, waiting);
    }
}

static enum status keyed_answer_refuse(struct writer *writer, struct keyed_slot *slot,
                                       enum outcome_kind kind, enum error_code code,
                                       const char *reason, struct error *error)
{
    struct keyed_waiting *waiting = slot->waiting;
    slot->waiting = NULL;
    if (waiting == NULL) {
        return STATUS_OK;
    }
    /* one that expired meanwhile is skipped, too, but not for its key */
    bool key = kind == OUTCOME_SKIPPED && reason != keyed_expired;
    if (keyed_note_void(writer, waiting, slot->row, key ? SPILL_SKIPPED : SPILL_REFUSED, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    keyed_note_refused(waiting, slot->row, kind, code, reason);
    keyed_record_ended(writer, waiting);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- inserts and looks */

/* The same record's next request: a look at what is there, or another attempt to insert it. */
static enum status make_into(struct writer *writer, struct keyed_request *request,
                             enum keyed_kind kind, struct error *error)
{
    writer->bytes -= request->body.length;
    enum status status = keyed_encode_again(request, kind, error);
    writer->bytes += request->body.length;
    request->failures = 0;
    if (status == STATUS_END) {
        status = keyed_answer_refuse(writer, &request->slots[0], OUTCOME_SKIPPED, ERROR_NONE,
                                     keyed_expired, error);
        keyed_request_free(writer, request);
        return status;
    }
    keyed_list_add(&writer->ready, request); /* after a failure it is freed with the writer */
    return status;
}

static enum status already_there(struct writer *writer, const struct keyed_request *request,
                                 struct keyed_slot *slot, const char *reason, struct error *error)
{
    bool skip = writer->tables[request->table].existing == EXISTING_SKIP;
    return keyed_answer_refuse(writer, slot, skip ? OUTCOME_SKIPPED : OUTCOME_REJECTED,
                               skip ? ERROR_NONE : ERROR_REJECT_KEY_DUPLICATE, reason, error);
}

/* The record there may be this one, written by a try whose answer was lost or by an attempt before
 * this one: it is looked at. */
static enum status take_occupied(struct writer *writer, struct keyed_request *request, uint32_t at,
                                 struct error *error)
{
    struct keyed_slot *slot = &request->slots[at];
    const struct writer_chunk *chunk =
        slot->waiting != NULL ? keyed_find_chunk(writer, slot->waiting->result.chunk) : NULL;
    bool maybe_ours = request->tried || (chunk != NULL && chunk->repeated);
    if (slot->waiting == NULL || !maybe_ours) {
        return already_there(writer, request, slot,
                             "a record with this key is in the table already", error);
    }
    struct keyed_request *look = keyed_request_new(writer, KEYED_LOOK, request->table);
    look->tried = request->tried;
    look->vanished = request->vanished;
    look->slots[look->count++] = *slot;
    slot->waiting = NULL;
    keyed_set_add(&writer->keys, slot->key);
    return make_into(writer, look, KEYED_LOOK, error);
}

/* Takes the request over. */
static enum status take_look(struct writer *writer, struct keyed_request *request,
                             const struct keyed_answer *answer, struct error *error)
{
    struct keyed_slot *slot = &request->slots[0];
    enum keyed_outcome outcome = answer->outcomes != NULL ? answer->outcomes[0] : answer->outcome;
    enum status status = STATUS_OK;
    if (slot->waiting != NULL && outcome == KEYED_GONE) {
        if (request->vanished++ < VANISHED_MAX) {
            /* its time to live was over, or somebody deleted it: nothing is in the way any more */
            return make_into(writer, request, KEYED_INSERT, error);
        }
        keyed_list_add(&writer->ready, request);
        return error_set(error, ERROR_TARGET_WRITE, writer->tables[request->table].name,
                         "a record comes and goes while it is written: the table is in use");
    }
    if (outcome == KEYED_OCCUPIED) {
        status = already_there(writer, request, slot,
                               "a record with this key and other fields is in the table already; "
                               "it may be this one as it was before the run was interrupted",
                               error);
    } else {
        acknowledge(writer, slot);
    }
    keyed_request_free(writer, request);
    return status;
}

/* ---------------------------------------------------------------- any answer */

/* A request was refused of which some record is at fault. */
static void halve(struct writer *writer, const struct keyed_request *request, const bool *among,
                  uint32_t count)
{
    bool *chosen = memory_allocate_zeroed(request->count, sizeof(*chosen));
    count_retries(writer, request, 1);
    for (uint32_t half = 0; half < 2; half++) {
        uint32_t seen = 0;
        for (uint32_t at = 0; at < request->count; at++) {
            seen += among[at];
            chosen[at] = among[at] && (seen <= count / 2) == (half == 0);
        }
        keyed_list_add(&writer->ready, keyed_request_cut(request, chosen, request->kind));
    }
    free(chosen);
}

/* The outcomes of a request's records. */
struct tally {
    bool *again;
    bool *refused;
    uint32_t again_count;
    uint32_t refused_count;
    uint32_t ended_count;
};

static enum status take_record(struct writer *writer, struct keyed_request *request, uint32_t at,
                               enum keyed_outcome outcome, struct tally *tally, struct error *error)
{
    switch (outcome) {
    case KEYED_AGAIN:
        tally->again[at] = true;
        tally->again_count++;
        return STATUS_OK;
    case KEYED_REFUSED:
        tally->refused[at] = true;
        tally->refused_count++;
        return STATUS_OK;
    case KEYED_OCCUPIED:
        tally->ended_count++;
        return take_occupied(writer, request, at, error);
    default:
        tally->ended_count++;
        acknowledge(writer, &request->slots[at]);
        return STATUS_OK;
    }
}

static enum status take_refused(struct writer *writer, struct keyed_request *request,
                                const struct keyed_answer *answer, const struct tally *tally,
                                struct error *error)
{
    bool each = answer->outcomes != NULL; /* the server judged each record by itself */
    enum status status = STATUS_OK;
    if (!each && tally->refused_count > 1) {
        halve(writer, request, tally->refused, tally->refused_count);
        return STATUS_OK;
    }
    for (uint32_t at = 0; at < request->count && status == STATUS_OK; at++) {
        if (tally->refused[at]) {
            const struct error *reason =
                answer->reasons != NULL ? answer->reasons[at] : answer->reason;
            status = keyed_answer_refuse(writer, &request->slots[at], OUTCOME_REJECTED,
                                         reason->code, reason->message, error);
        }
    }
    return status;
}

static enum status take_again(struct writer *writer, struct keyed_request *request,
                              const struct keyed_answer *answer, const struct tally *tally,
                              struct error *error)
{
    struct keyed_request *rest = keyed_request_cut(request, tally->again, request->kind);
    rest->failures = tally->again_count < request->count ? 0 : request->failures;
    return send_again(writer, rest, answer, error);
}

/* All is well, as mostly. */
static enum status take_done(struct writer *writer, struct keyed_request *request)
{
    for (uint32_t at = 0; at < request->count; at++) {
        acknowledge(writer, &request->slots[at]);
    }
    writer->failing_since_ms = 0;
    grow_window(writer);
    keyed_request_free(writer, request);
    return STATUS_OK;
}

static enum status take_each(struct writer *writer, struct keyed_request *request,
                             const struct keyed_answer *answer, struct error *error)
{
    struct tally tally = {.again = memory_allocate_zeroed(2 * (size_t)request->count + 1, 1)};
    enum status status = STATUS_OK;
    tally.refused = tally.again + request->count;
    for (uint32_t at = 0; at < request->count && status == STATUS_OK; at++) {
        status = take_record(writer, request, at,
                             answer->outcomes != NULL ? answer->outcomes[at] : answer->outcome,
                             &tally, error);
    }
    if (tally.ended_count > 0) {
        writer->failing_since_ms = 0;
    }
    if (tally.again_count == 0 && tally.ended_count > 0) {
        grow_window(writer);
    }
    if (status == STATUS_OK && tally.refused_count > 0) {
        status = take_refused(writer, request, answer, &tally, error);
    }
    if (status == STATUS_OK && tally.again_count > 0) {
        status = take_again(writer, request, answer, &tally, error);
    }
    free(tally.again);
    keyed_request_free(writer, request);
    return status;
}

enum status keyed_take_answer(struct writer *writer, const struct keyed_answer *answer,
                              struct error *error)
{
    struct keyed_request *request = answer->request;
    if (keyed_hit(writer->room, KEYED_POINT_AFTER_ANSWER, error) != STATUS_OK) {
        keyed_list_add(&writer->ready, request);
        return STATUS_FAILED;
    }
    if (answer->retries + answer->fallbacks > 0) {
        count_service(writer, answer);
    }
    if (answer->units >= 0) {
        count_units(writer, request, answer->units);
    }
    if (answer->outcomes == NULL && answer->outcome == KEYED_AGAIN) {
        return send_again(writer, request, answer, error);
    }
    if (request->kind == KEYED_LOOK) {
        writer->failing_since_ms = 0;
        grow_window(writer);
        return take_look(writer, request, answer, error);
    }
    return answer->outcomes == NULL && answer->outcome == KEYED_DONE
               ? take_done(writer, request)
               : take_each(writer, request, answer, error);
}
