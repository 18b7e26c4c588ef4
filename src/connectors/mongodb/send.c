/* MongoDB's own part of writing records (connectors/keyed/keyed.h): lanes, and the service. */
#include "connectors/mongodb/send.h"

#include "base/clock.h"
#include "base/memory.h"
#include <signal.h>
#include <stdlib.h>

enum { LANES_MAX = 32 };

/* ---------------------------------------------------------------- flights */

static void free_flight(struct mongodb_flight *flight)
{
    if (flight != NULL) {
        for (uint32_t at = 0; flight->reasons != NULL && at < flight->count; at++) {
            free(flight->reasons[at]);
        }
        free(flight->reasons);
        free(flight->outcomes);
        free(flight);
    }
}

void mongodb_note_record(struct mongodb_flight *flight, uint32_t at, enum keyed_outcome outcome,
                         const struct error *reason)
{
    flight->outcomes[at] = outcome;
    if (reason != NULL && reason->code != ERROR_NONE) {
        if (flight->reasons == NULL) {
            flight->reasons = memory_allocate_zeroed(flight->count, sizeof(*flight->reasons));
        }
        if (flight->reasons[at] == NULL) {
            flight->reasons[at] = memory_allocate(sizeof(*reason));
        }
        *flight->reasons[at] = *reason;
    }
}

/* ---------------------------------------------------------------- lanes */

static void close_session(struct mongodb_lane *lane)
{
    if (lane->session != NULL) {
        mongoc_client_session_destroy(lane->session);
        bson_destroy(lane->options);
        lane->session = NULL;
        lane->options = NULL;
    }
}

/* A server without sessions has retries of the room's alone. */
static void open_session(struct mongodb_lane *lane)
{
    bson_error_t ignored;
    mongoc_session_opt_t *how = mongoc_session_opts_new();
    mongoc_session_opts_set_causal_consistency(how, false);
    lane->session = mongoc_client_start_session(lane->client, how, &ignored);
    mongoc_session_opts_destroy(how);
    lane->options = lane->session != NULL ? bson_new() : NULL;
    if (lane->session != NULL &&
        !mongoc_client_session_append(lane->session, lane->options, &ignored)) {
        close_session(lane);
    }
}

void mongodb_lane_open(struct mongodb_lane *lane, struct keyed_connection *connection)
{
    lane->connection = connection;
    lane->client = mongodb_client_take(connection->database);
    if (connection->database->transactions) {
        open_session(lane);
    }
}

void mongodb_lane_close(struct mongodb_lane *lane)
{
    if (lane->client == NULL) {
        return;
    }
    close_session(lane);
    mongodb_client_return(lane->connection->database, lane->client);
    buffer_free(&lane->command);
}

static struct mongodb_flight *next_waiting(struct keyed_connection *connection)
{
    while (connection->waiting == NULL && !connection->ending) {
        pthread_cond_wait(&connection->to_send, &connection->mutex);
    }
    struct mongodb_flight *flight = connection->ending ? NULL : connection->waiting;
    if (flight != NULL) {
        connection->waiting = flight->next;
        connection->waiting_last =
            connection->waiting == NULL ? &connection->waiting : connection->waiting_last;
        flight->next = NULL;
    }
    return flight;
}

static void *run_lane(void *context)
{
    struct mongodb_lane *lane = context;
    struct keyed_connection *connection = lane->connection;
    struct mongodb_flight *flight = NULL;
    pthread_mutex_lock(&connection->mutex);
    while ((flight = next_waiting(connection)) != NULL) {
        pthread_mutex_unlock(&connection->mutex);
        mongodb_carry_out(lane, flight);
        pthread_mutex_lock(&connection->mutex);
        *connection->answered_last = flight;
        connection->answered_last = &flight->next;
        pthread_cond_signal(&connection->to_tell);
    }
    pthread_mutex_unlock(&connection->mutex);
    return NULL;
}

/* Signals are the control thread's. */
static int start_thread(struct mongodb_lane *lane)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&lane->thread, NULL, run_lane, lane);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

static enum status start_lane(struct keyed_connection *connection, struct mongodb_lane *lane,
                              struct error *error)
{
    mongodb_lane_open(lane, connection);
    int failure = start_thread(lane);
    lane->started = failure == 0;
    return failure == 0 ? STATUS_OK
                        : error_set_errno(error, ERROR_MEMORY, failure, NULL,
                                          "a thread that writes can't be started");
}

/* ---------------------------------------------------------------- connections */

static void end_lanes(struct keyed_connection *connection)
{
    pthread_mutex_lock(&connection->mutex);
    connection->ending = true;
    pthread_cond_broadcast(&connection->to_send);
    pthread_mutex_unlock(&connection->mutex);
    for (uint32_t at = 0; at < connection->lane_count; at++) {
        struct mongodb_lane *lane = &connection->lanes[at];
        if (lane->started) {
            pthread_join(lane->thread, NULL);
        }
        mongodb_lane_close(lane);
    }
}

static void free_flights(struct mongodb_flight *first)
{
    while (first != NULL) {
        struct mongodb_flight *next = first->next;
        free_flight(first);
        first = next;
    }
}

static void close_connection(struct keyed_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    end_lanes(connection);
    free_flights(connection->waiting);
    free_flights(connection->answered);
    free_flight(connection->given);
    pthread_cond_destroy(&connection->to_send);
    pthread_cond_destroy(&connection->to_tell);
    pthread_mutex_destroy(&connection->mutex);
    free(connection->reasons);
    free(connection->holds_others);
    free(connection->lanes);
    free(connection);
}

static enum status open_connection(struct database *database, const struct target_table *tables,
                                   uint32_t table_count, uint32_t in_flight_max,
                                   struct keyed_connection **connection, struct error *error)
{
    struct keyed_connection *made = memory_allocate_zeroed(1, sizeof(*made));
    enum status status = STATUS_OK;
    made->database = mongodb_of(database);
    made->tables = tables;
    made->lane_count = in_flight_max < 1           ? 1
                       : in_flight_max < LANES_MAX ? in_flight_max
                                                   : LANES_MAX;
    made->lanes = memory_allocate_zeroed(made->lane_count, sizeof(*made->lanes));
    made->holds_others =
        memory_allocate_zeroed((size_t)table_count + 1, sizeof(*made->holds_others));
    made->reasons = memory_allocate_zeroed(MONGODB_RECORDS_MAX, sizeof(*made->reasons));
    made->waiting_last = &made->waiting;
    made->answered_last = &made->answered;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->to_send, NULL);
    condition_init(&made->to_tell);
    for (uint32_t at = 0; at < table_count; at++) {
        atomic_store(&made->holds_others[at], !tables[at].created);
    }
    for (uint32_t at = 0; at < made->lane_count && status == STATUS_OK; at++) {
        status = start_lane(made, &made->lanes[at], error);
    }
    if (status != STATUS_OK) {
        close_connection(made);
        return status;
    }
    *connection = made;
    return STATUS_OK;
}

static void *encoder_of(struct keyed_connection *connection, uint32_t table,
                        const struct shape *shape)
{
    (void)connection;
    (void)table;
    return mongodb_encoder_create(shape);
}

/* ---------------------------------------------------------------- sending and polling */

static enum status send_request(struct keyed_connection *connection, struct keyed_request *request,
                                struct error *error)
{
    (void)error;
    if (connection->under_way == connection->lane_count) {
        return STATUS_AGAIN;
    }
    struct mongodb_flight *flight = memory_allocate_zeroed(1, sizeof(*flight));
    flight->request = request;
    flight->count = request->count;
    flight->outcomes = memory_allocate_zeroed(request->count, sizeof(*flight->outcomes));
    error_clear(&flight->whole);
    connection->under_way++;
    pthread_mutex_lock(&connection->mutex);
    *connection->waiting_last = flight;
    connection->waiting_last = &flight->next;
    pthread_cond_signal(&connection->to_send);
    pthread_mutex_unlock(&connection->mutex);
    return STATUS_OK;
}

static struct mongodb_flight *take_answered(struct keyed_connection *connection, int64_t timeout_ms)
{
    int64_t until_ns = clock_monotonic_ns() + timeout_ms * 1000000;
    pthread_mutex_lock(&connection->mutex);
    while (connection->answered == NULL && timeout_ms > 0 &&
           condition_wait_until(&connection->to_tell, &connection->mutex, until_ns)) {
    }
    struct mongodb_flight *flight = connection->answered;
    if (flight != NULL) {
        connection->answered = flight->next;
        connection->answered_last =
            connection->answered == NULL ? &connection->answered : connection->answered_last;
        flight->next = NULL;
    }
    pthread_mutex_unlock(&connection->mutex);
    return flight;
}

static void mongodb_send_tell(struct keyed_connection *connection,
                              const struct mongodb_flight *flight, struct keyed_answer *answer)
{
    uint32_t count = flight->request->count;
    *answer = (struct keyed_answer){.request = flight->request, .units = -1};
    if (flight->lost) {
        answer->outcome = KEYED_AGAIN;
        answer->unknown = true;
        answer->throttled = flight->throttled;
        answer->reason = &flight->whole;
        return;
    }
    answer->outcome = flight->outcomes[0];
    answer->outcomes = count > 1 ? flight->outcomes : NULL;
    for (uint32_t at = 0; flight->reasons != NULL && at < count; at++) {
        connection->reasons[at] = flight->reasons[at];
        answer->reason = answer->reason == NULL ? flight->reasons[at] : answer->reason;
    }
    answer->reasons = flight->reasons != NULL && count > 1 ? connection->reasons : NULL;
}

static enum status poll_answer(struct keyed_connection *connection, int64_t timeout_ms,
                               struct keyed_answer *answer, struct error *error)
{
    struct mongodb_flight *flight = take_answered(connection, timeout_ms);
    if (flight == NULL) {
        return STATUS_AGAIN;
    }
    connection->under_way--;
    free_flight(connection->given);
    connection->given = flight;
    mongodb_send_tell(connection, flight, answer);
    return flight->failed ? error_copy(error, &flight->whole) : STATUS_OK;
}

/* ---------------------------------------------------------------- the service */

static enum status encode(struct keyed_connection *connection, enum keyed_kind kind,
                          const struct keyed_record *record, struct buffer *out,
                          struct error *error)
{
    (void)connection;
    return mongodb_encode(kind, record, out, error);
}

/* As a request of one record, by a lane that has no thread. */
static enum status write_one(struct database *database, enum keyed_kind kind,
                             const struct keyed_record *record, struct error *error)
{
    struct keyed_record own = *record;
    atomic_bool holds_others = true;
    struct keyed_connection connection = {
        .database = mongodb_of(database), .tables = record->table, .holds_others = &holds_others};
    struct mongodb_lane lane = {.connection = &connection};
    struct keyed_request *request =
        memory_allocate_zeroed(1, sizeof(*request) + sizeof(request->slots[0]));
    struct mongodb_flight *flight = memory_allocate_zeroed(1, sizeof(*flight));
    flight->request = request;
    flight->count = 1;
    flight->outcomes = memory_allocate_zeroed(1, sizeof(*flight->outcomes));
    request->kind = kind;
    request->count = 1;
    own.encoder = NULL;
    enum status status = mongodb_encode(kind, &own, &request->body, error);
    if (status == STATUS_OK) {
        request->slots[0].length = (uint32_t)request->body.length;
        mongodb_lane_open(&lane, &connection);
        mongodb_carry_out(&lane, flight);
        mongodb_lane_close(&lane);
        bool done = !flight->failed && !flight->lost && flight->outcomes[0] == KEYED_DONE;
        const struct error *why = flight->reasons != NULL && flight->reasons[0] != NULL
                                      ? flight->reasons[0]
                                      : &flight->whole;
        status = done ? STATUS_OK : error_copy(error, why);
    }
    buffer_free(&request->body);
    free_flight(flight);
    free(request);
    return status;
}

const struct keyed_service mongodb_keyed_service = {
    .records_max = {[KEYED_PUT] = MONGODB_RECORDS_MAX,
                    [KEYED_INSERT] = MONGODB_RECORDS_MAX,
                    [KEYED_UPDATE] = MONGODB_RECORDS_MAX,
                    [KEYED_LOOK] = 1,
                    [KEYED_DELETE] = MONGODB_RECORDS_MAX},
    .request_bytes_max = MONGODB_REQUEST_BYTES_MAX,
    .separator = '\0',
    .guard = KEYED_GUARD_NONE,
    .name = "mongodb",
    .tables = &mongodb_tables,
    .connect = open_connection,
    .disconnect = close_connection,
    .encoder = encoder_of,
    .encoder_free = mongodb_encoder_destroy,
    .encode = encode,
    .append_key = mongodb_key_bytes,
    .read_key = mongodb_key_read,
    .send = send_request,
    .poll = poll_answer,
    .write = write_one,
    .erase = mongodb_erase,
    .erase_max = MONGODB_RECORDS_MAX,
};
