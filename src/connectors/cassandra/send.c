/* The service of the keyed room: requests to a session, answers from it. */
#include "connectors/cassandra/target.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include "connectors/common/lease.h"
#include <stdlib.h>
#include <string.h>

/* FAULTS_MAX: failures of the server itself until a record is taken for their cause. */
enum { FAULTS_MAX = 8, RECORDS_MAX = 32, REQUEST_BYTES_MAX = 4096, AHEAD_TOLD_US = 1000000 };

/* Marks of a request: too few replicas were alive for its consistency; what it holds is being added
 * to counters, where nothing was; the enum cassandra_insert_part that it is at. */
enum { MARK_FALLS_BACK = 1, MARK_ADDS = 2, MARK_PART = 4 };

static bool is_of_counters(const struct keyed_connection *connection, uint32_t table)
{
    return connection->layouts[table]->table->counter;
}

/* ---------------------------------------------------------------- connections */

/* Nobody hears of what is under way any more. */
static void abandoned(struct keyed_connection *connection)
{
    bool any = connection->session != NULL && cql_session_under_way(connection->session) > 0;
    for (uint32_t at = 0; at < connection->layout_count && any; at++) {
        if (is_of_counters(connection, at)) {
            cassandra_counters_unsure(connection->cassandra);
        }
    }
}

void cassandra_connection_free(struct keyed_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    abandoned(connection);
    cql_session_close(connection->session);
    arena_destroy(connection->arena);
    buffer_free(&connection->key);
    buffer_free(&connection->place);
    buffer_free(&connection->lists);
    free(connection->layouts);
    free(connection->calls);
    free(connection);
}

enum status cassandra_connection_make(struct cassandra *self, const struct target_table *tables,
                                      uint32_t table_count, struct keyed_connection **connection,
                                      struct error *error)
{
    struct keyed_connection *made = memory_allocate_zeroed(1, sizeof(*made));
    enum status status = STATUS_OK;
    made->cassandra = self;
    made->tables = tables;
    made->arena = arena_create(0);
    made->layouts = memory_allocate_zeroed(table_count + (size_t)1, sizeof(*made->layouts));
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        status = cassandra_layout_find(self, &tables[at], &made->layouts[at], error);
        made->layout_count += status == STATUS_OK;
    }
    if (status != STATUS_OK) {
        cassandra_connection_free(made);
        return STATUS_FAILED;
    }
    *connection = made;
    return STATUS_OK;
}

static enum status cassandra_send_connect(struct database *database,
                                          const struct target_table *tables, uint32_t table_count,
                                          uint32_t in_flight_max,
                                          struct keyed_connection **connection, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    struct keyed_connection *made = NULL;
    (void)in_flight_max; /* it is the session's bound, too */
    *connection = NULL;
    if (cassandra_connection_make(self, tables, table_count, &made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    made->call_room = self->settings.batch_rows + 1;
    made->calls = memory_allocate_zeroed(made->call_room, sizeof(*made->calls));
    if (cassandra_connect(self, &made->session, error) != STATUS_OK) {
        cassandra_connection_free(made);
        return STATUS_FAILED;
    }
    *connection = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- sending */

int64_t cassandra_timestamp_us(const struct cassandra *self, uint32_t attempt, uint32_t failures)
{
    int64_t repeats = failures < CASSANDRA_TIMES_A_WRITE ? failures : CASSANDRA_TIMES_A_WRITE - 1;
    return self->run_started_us + (int64_t)attempt * CASSANDRA_TIMES_A_WRITE + repeats;
}

/* The time of a write, of a repetition too: see cassandra_timestamp_us. */
static int64_t time_of(const struct keyed_connection *connection, uint32_t attempt,
                       uint32_t failures)
{
    uint32_t repeats = failures < CASSANDRA_TIMES_A_WRITE ? failures : CASSANDRA_TIMES_A_WRITE - 1;
    return connection->time_us != 0
               ? connection->time_us + repeats
               : cassandra_timestamp_us(connection->cassandra, attempt, failures);
}

static void set_time(struct keyed_connection *connection, int64_t time_us)
{
    connection->time_us = time_us;
}

static enum status send_prepare(struct keyed_connection *connection,
                                struct cassandra_statement *statement, struct error *error)
{
    return statement->prepared != NULL ? STATUS_OK
                                       : cql_session_prepare(connection->session, statement->text,
                                                             &statement->prepared, NULL, error);
}

static enum status bind_part(struct keyed_connection *connection,
                             const struct cassandra_record_part *part, uint32_t count,
                             struct error *error)
{
    struct cassandra_statement *statement = cassandra_statement_at(connection, part->statement);
    if (send_prepare(connection, statement, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (count == connection->call_room) {
        connection->call_room *= 2;
        connection->calls =
            memory_resize(connection->calls, connection->call_room, sizeof(*connection->calls));
    }
    connection->calls[count] = (struct cql_statement){.prepared = statement->prepared,
                                                      .values = part->values,
                                                      .values_length = part->length,
                                                      .value_count = (uint16_t)part->value_count};
    return STATUS_OK;
}

enum cassandra_insert_part cassandra_part_of(const struct keyed_request *request)
{
    return (enum cassandra_insert_part)(request->mark / MARK_PART);
}

/* An insert of several parts that are made one after the other. */
static bool has_parts(const struct keyed_request *request)
{
    struct cassandra_record_part part;
    const struct keyed_slot *slot = &request->slots[0];
    struct cassandra_record record =
        cassandra_record_read(request->body.data + slot->offset, slot->length);
    return request->kind == KEYED_INSERT && cassandra_record_next(&record, &part) &&
           cassandra_record_next(&record, &part);
}

/* The first part of a record of counters reads, and the second one adds. */
static bool is_wanted_part(const struct keyed_connection *connection,
                           const struct keyed_request *request, uint32_t number)
{
    if (!has_parts(request)) {
        return true;
    }
    if (is_of_counters(connection, request->table)) {
        return number == ((request->mark & MARK_ADDS) != 0 ? 1 : 0);
    }
    enum cassandra_insert_part at = cassandra_part_of(request);
    return number == at || (at == CASSANDRA_SETS_STATICS && number == CASSANDRA_INSERTS_ROW);
}

/* Does an insert only read yet? */
static bool is_looking(const struct keyed_request *request)
{
    return has_parts(request) && cassandra_part_of(request) <= CASSANDRA_LOOKS_FOR_STATICS;
}

/* The request's records as statements, `*count` of them. `*attempt`: the highest of them. */
static enum status bind_records(struct keyed_connection *connection,
                                const struct keyed_request *request, uint32_t *count,
                                int64_t *token, uint32_t *attempt, struct error *error)
{
    *attempt = 1;
    *count = 0;
    for (uint32_t at = 0; at < request->count; at++) {
        const struct keyed_slot *slot = &request->slots[at];
        struct cassandra_record_part part;
        struct cassandra_record record =
            cassandra_record_read(request->body.data + slot->offset, slot->length);
        *token = record.token;
        *attempt = slot->attempt > *attempt ? slot->attempt : *attempt;
        for (uint32_t number = 0; cassandra_record_next(&record, &part); number++) {
            if (!is_wanted_part(connection, request, number)) {
                continue;
            }
            if (bind_part(connection, &part, *count, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            ++*count;
        }
    }
    return STATUS_OK;
}

static void note_attempt(struct cassandra *self, uint32_t attempt)
{
    uint32_t most = atomic_load(&self->attempt_max);
    while (attempt > most && !atomic_compare_exchange_weak(&self->attempt_max, &most, attempt)) {
    }
}

/* An earlier attempt may have added to what is to be read. */
static enum status wait_for_counters(struct keyed_connection *connection,
                                     const struct keyed_request *request, struct error *error)
{
    struct cassandra *self = connection->cassandra;
    bool repeated = request->slots[0].attempt > 1 || self->keyed.room.epoch > 1;
    return repeated && (request->mark & MARK_ADDS) == 0 ? cassandra_counters_wait(self, error)
                                                        : STATUS_OK;
}

static enum cql_consistency consistency_of(const struct keyed_connection *connection,
                                           const struct keyed_request *request)
{
    const struct cassandra_settings *settings = &connection->cassandra->settings;
    if (is_of_counters(connection, request->table)) {
        return (request->mark & MARK_ADDS) != 0 ? settings->write_consistency
                                                : settings->read_consistency;
    }
    return request->kind == KEYED_LOOK || is_looking(request) ? settings->serial
           : (request->mark & MARK_FALLS_BACK) != 0           ? settings->fallback
                                                              : settings->write_consistency;
}

static enum status cassandra_send(struct keyed_connection *connection,
                                  struct keyed_request *request, struct error *error)
{
    struct cassandra *self = connection->cassandra;
    bool counters = is_of_counters(connection, request->table);
    bool look = request->kind == KEYED_LOOK || (!counters && is_looking(request));
    bool conditional = request->kind == KEYED_INSERT && !counters && !look;
    uint32_t attempt = 1;
    int64_t token = 0;
    uint32_t count = 0;
    if ((counters && wait_for_counters(connection, request, error) != STATUS_OK) ||
        bind_records(connection, request, &count, &token, &attempt, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    note_attempt(self, attempt);
    const struct cql_call call = {.statements = connection->calls,
                                  .statement_count = count,
                                  .batch = count > 1 ? CQL_BATCH_OF_UNLOGGED : CQL_BATCH_NONE,
                                  .consistency = consistency_of(connection, request),
                                  .serial_consistency = conditional ? self->settings.serial : 0,
                                  .timestamp_us =
                                      conditional || look || counters
                                          ? CQL_NO_TIMESTAMP
                                          : time_of(connection, attempt, request->failures),
                                  .token = &token,
                                  .deadline_ms = clock_boottime_ms() + self->keyed.room.timeout_ms,
                                  .tag = request};
    return cql_session_send(connection->session, &call, error);
}

/* ---------------------------------------------------------------- answers */

/* The answer to a conditional write begins with [applied]. */
static enum status judge_insert(struct cql_reply *reply, struct keyed_answer *answer,
                                struct error *error)
{
    struct cql_rows *rows = &reply->response.rows;
    struct cql_value *values = memory_allocate_zeroed(rows->columns.count + 1, sizeof(*values));
    bool told = reply->response.kind == CQL_RESULT_ROWS && rows->columns.count > 0 &&
                cql_rows_next(rows, values) == STATUS_OK && values[0].length == 1;
    answer->outcome = told && values[0].data[0] != 0 ? KEYED_DONE : KEYED_OCCUPIED;
    free(values);
    return told ? STATUS_OK
                : error_set(error, ERROR_NETWORK_ANSWER, NULL,
                            "a conditional write was not answered as such");
}

bool cassandra_is_same(const struct cql_type *type, const struct cell *own, struct cql_value there,
                       struct arena *arena)
{
    struct cell normal = cell_null();
    struct cell found = cell_null();
    struct error ignored;
    bool null = own == NULL || own->kind == VALUE_NULL || own->kind == VALUE_MISSING;
    if (cql_value_decode(type, there, arena, &found, &ignored) != STATUS_OK) {
        return false;
    }
    if (!null && cassandra_normal_in(type, own, arena, &normal, &ignored) != STATUS_OK) {
        return false;
    }
    return value_equal(&normal, &found);
}

/* Sends the request on as `mark` has it, if somebody still waits for it; `before`: what it is
 * marked with if it could not be sent. STATUS_AGAIN: it is under way. */
static enum status send_on(struct keyed_connection *connection, struct keyed_answer *answer,
                           uint32_t mark, uint32_t before, struct error *error)
{
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct keyed_record ignored;
    struct keyed_request *request = answer->request;
    struct cassandra *self = connection->cassandra;
    if (!keyed_request_record(request, 0, key, &ignored)) {
        return STATUS_OK;
    }
    request->mark = mark;
    enum status status = lease_check(&self->keyed.base, self->keyed.room.timeout_ms, error);
    status = status == STATUS_OK ? cassandra_send(connection, request, error) : status;
    if (status == STATUS_OK) {
        return STATUS_AGAIN;
    }
    request->mark = before;
    if (status == STATUS_AGAIN) {
        error_set(error, ERROR_NETWORK, NULL, "too many requests are under way");
    } else if (error->class != ERROR_CLASS_RETRY) {
        return STATUS_FAILED;
    }
    connection->reason = *error;
    answer->reason = &connection->reason;
    answer->outcome = KEYED_AGAIN;
    return STATUS_OK;
}

enum status cassandra_go_on(struct keyed_connection *connection, struct keyed_answer *answer,
                            enum cassandra_insert_part part, struct error *error)
{
    uint32_t others = answer->request->mark % MARK_PART;
    return send_on(connection, answer, others + (uint32_t)part * MARK_PART, others, error);
}

/* The statement that looked for a record, and the record; NULL: it is not known any more. `key` has
 * room for KEYED_KEY_COLUMNS_MAX. */
static const struct cassandra_statement *looked_for(struct keyed_connection *connection,
                                                    const struct keyed_answer *answer,
                                                    struct cell *key, struct keyed_record *record)
{
    return keyed_request_record(answer->request, 0, key, record)
               ? cassandra_statement_of(connection, KEYED_LOOK, answer->request->table,
                                        record->shape, CASSANDRA_PLAIN)
               : NULL;
}

/* Columns of the record as they stand there. */
static enum status judge_look(struct keyed_connection *connection, struct cql_reply *reply,
                              struct keyed_answer *answer)
{
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct keyed_record record;
    const struct cassandra_statement *statement = looked_for(connection, answer, key, &record);
    if (statement == NULL) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    struct cql_value *values = arena_allocate_zeroed(arena, statement->count + 1u, sizeof(*values));
    bool there = reply->response.rows.columns.count == statement->count &&
                 cql_rows_next(&reply->response.rows, values) == STATUS_OK;
    bool same = there;
    for (uint32_t at = 0; same && at < statement->count; at++) {
        const struct cassandra_column *column =
            &statement->layout->table->columns[statement->places[at]];
        same = cassandra_is_same(column->type, cassandra_cell_of(statement, &record, at),
                                 values[at], arena);
    }
    answer->outcome = !there ? KEYED_GONE : same ? KEYED_DONE : KEYED_OCCUPIED;
    arena_destroy(arena);
    return STATUS_OK;
}

static enum error_code code_of(enum cql_failure failure, const char *message)
{
    if (strstr(message, "too large") != NULL || strstr(message, "oversized") != NULL ||
        strstr(message, "larger than") != NULL || strstr(message, "exceeds") != NULL) {
        return ERROR_REJECT_TOO_LARGE;
    }
    return failure == CQL_FAILURE_INVALID ? ERROR_REJECT_CONSTRAINT : ERROR_NONE;
}

/* The table or keyspace is gone, or its columns are not what they were: no fault of a record. */
static bool is_of_schema(const char *message)
{
    return strstr(message, "unconfigured table") != NULL ||
           strstr(message, "does not exist") != NULL ||
           strstr(message, "ndefined column name") != NULL ||
           strstr(message, "nknown identifier") != NULL;
}

static bool is_again(enum cql_failure failure)
{
    switch (failure) {
    case CQL_FAILURE_NO_HOST:
    case CQL_FAILURE_LOST:
    case CQL_FAILURE_LATE:
    case CQL_FAILURE_UNAVAILABLE:
    case CQL_FAILURE_OVERLOADED:
    case CQL_FAILURE_BOOTSTRAPPING:
    case CQL_FAILURE_READ_TIMEOUT:
    case CQL_FAILURE_WRITE_TIMEOUT:
    case CQL_FAILURE_READ:
    case CQL_FAILURE_WRITE:
    case CQL_FAILURE_CAS_UNKNOWN:
    case CQL_FAILURE_UNPREPARED:
    case CQL_FAILURE_TRUNCATE:
    case CQL_FAILURE_SERVER:
        return true;
    default:
        return false;
    }
}

/* Too few replicas: the plan may allow less, from the next try on. */
static void fall_back(struct keyed_connection *connection, struct keyed_request *request,
                      enum cql_failure failure)
{
    struct cassandra *self = connection->cassandra;
    bool few = failure == CQL_FAILURE_UNAVAILABLE || failure == CQL_FAILURE_WRITE_TIMEOUT;
    if (!few || self->settings.fallback == CQL_ANY || request->kind == KEYED_INSERT ||
        request->kind == KEYED_LOOK || (request->mark & MARK_FALLS_BACK) != 0) {
        return;
    }
    request->mark |= MARK_FALLS_BACK;
    if (!atomic_exchange(&self->fell_back, true)) {
        log_write(LOG_WARNING, "%s: %s; such requests are written at %s instead of %s",
                  connection->tables[request->table].name, connection->reason.message,
                  cql_consistency_name(self->settings.fallback),
                  cql_consistency_name(self->settings.write_consistency));
    }
}

static enum status judge_failure(struct keyed_connection *connection, const struct cql_reply *reply,
                                 struct keyed_answer *answer, struct error *error)
{
    enum cql_failure failure = reply->failure;
    struct error *reason = &connection->reason;
    *reason = *error;
    enum error_code code = code_of(failure, reason->message);
    answer->reason = reason;
    if (failure == CQL_FAILURE_INVALID && is_of_schema(reason->message)) {
        return error_recode(error, ERROR_TARGET_SCHEMA);
    }
    if (code != ERROR_NONE && (failure == CQL_FAILURE_INVALID || failure == CQL_FAILURE_SERVER ||
                               failure == CQL_FAILURE_WRITE)) {
        error_recode(reason, code);
        answer->outcome = KEYED_REFUSED;
        return cassandra_lists_keep(connection, answer->request, error);
    }
    if ((failure == CQL_FAILURE_SERVER || failure == CQL_FAILURE_WRITE) &&
        answer->request->failures >= FAULTS_MAX) {
        error_recode(reason, ERROR_REJECT_CONSTRAINT); /* halved, down to the record at fault */
        answer->outcome = KEYED_REFUSED;
        return cassandra_lists_keep(connection, answer->request, error);
    }
    if (!is_again(failure)) {
        return STATUS_FAILED;
    }
    reason->class = ERROR_CLASS_RETRY;
    answer->outcome = KEYED_AGAIN;
    /* a conditional write may be accepted before too few replicas are found for it */
    answer->unknown = reply->may_have_happened ||
                      (failure == CQL_FAILURE_UNAVAILABLE && answer->request->kind == KEYED_INSERT);
    answer->throttled = failure == CQL_FAILURE_OVERLOADED || failure == CQL_FAILURE_WRITE_TIMEOUT ||
                        failure == CQL_FAILURE_LATE;
    fall_back(connection, answer->request, failure);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- counters */

/* The row is there: what of it differs is refused, unless the plan skips what is there. */
static enum status judge_counters(struct keyed_connection *connection, struct cql_value *values,
                                  struct keyed_answer *answer)
{
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct keyed_record record;
    const struct cassandra_statement *statement = looked_for(connection, answer, key, &record);
    if (statement == NULL) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    for (uint32_t at = statement->layout->table->key.count; at < statement->count; at++) {
        const struct cassandra_column *column =
            &statement->layout->table->columns[statement->places[at]];
        const struct cell *own = cassandra_cell_of(statement, &record, at);
        struct cell there = cell_null();
        struct error ignored;
        if (cassandra_is_same(column->type, own, values[at], arena)) {
            continue;
        }
        (void)!cql_value_decode(column->type, values[at], arena, &there, &ignored);
        (void)!cassandra_counters_refuse(&record, column->name, own, &there, &connection->reason);
        bool skips = !record.table->created && record.table->existing == EXISTING_SKIP;
        answer->outcome = skips ? KEYED_OCCUPIED : KEYED_REFUSED;
        answer->reason = &connection->reason;
        break;
    }
    arena_destroy(arena);
    return STATUS_OK;
}

/* Nothing is there: now the record is added, if somebody still waits for it. STATUS_AGAIN: that is
 * under way. */
static enum status add_counters(struct keyed_connection *connection, struct keyed_answer *answer,
                                struct error *error)
{
    uint32_t before = answer->request->mark;
    return send_on(connection, answer, before | MARK_ADDS, before, error);
}

/* The counters that were read of a record's row. STATUS_AGAIN: the record is on its way by now. */
static enum status take_counters(struct keyed_connection *connection, struct cql_reply *reply,
                                 struct keyed_answer *answer, struct error *error)
{
    struct cql_rows *rows = &reply->response.rows;
    struct cql_value *values = memory_allocate_zeroed(rows->columns.count + 1, sizeof(*values));
    bool there = cql_rows_next(rows, values) == STATUS_OK;
    enum status status = there ? judge_counters(connection, values, answer)
                               : add_counters(connection, answer, error);
    free(values);
    return status;
}

/* The row is read again, once nothing of what failed can be made any more. */
static enum status judge_counter_failure(struct keyed_connection *connection,
                                         const struct cql_reply *reply, struct keyed_answer *answer,
                                         struct error *error)
{
    struct keyed_request *request = answer->request;
    bool adds = (request->mark & MARK_ADDS) != 0;
    request->mark &= ~(uint32_t)MARK_ADDS;
    enum status status = judge_failure(connection, reply, answer, error);
    if (adds && reply->may_have_happened) {
        cassandra_counters_unsure(connection->cassandra);
        connection->reason.retry_after_ms = cassandra_counters_quiet_ms(connection->cassandra);
    }
    return status;
}

static bool inserts_only(const struct keyed_connection *connection, uint32_t table)
{
    return is_of_counters(connection, table);
}

/* ---------------------------------------------------------------- static columns */

/* The answer to a part of an insert; what comes next is sent (STATUS_AGAIN). */
static enum status judge_part(struct keyed_connection *connection, struct cql_reply *reply,
                              struct keyed_answer *answer, struct error *error)
{
    enum cassandra_insert_part part = cassandra_part_of(answer->request);
    if (part <= CASSANDRA_LOOKS_FOR_STATICS) {
        return cassandra_judge_statics(connection, reply, answer, error);
    }
    enum status status = judge_insert(reply, answer, error);
    bool overtaken =
        status == STATUS_OK && part == CASSANDRA_SETS_STATICS && answer->outcome == KEYED_OCCUPIED;
    return overtaken ? cassandra_go_on(connection, answer, CASSANDRA_LOOKS_FOR_ROW, error) : status;
}

/* ---------------------------------------------------------------- any answer */

static enum status cassandra_send_judge(struct keyed_connection *connection,
                                        struct cql_reply *reply, struct keyed_answer *answer,
                                        struct error *error)
{
    const struct keyed_request *request = answer->request;
    bool counters = is_of_counters(connection, request->table);
    switch (request->kind) {
    case KEYED_INSERT:
        return !counters && has_parts(request)    ? judge_part(connection, reply, answer, error)
               : !counters                        ? judge_insert(reply, answer, error)
               : (request->mark & MARK_ADDS) != 0 ? STATUS_OK
                                                  : take_counters(connection, reply, answer, error);
    case KEYED_LOOK:
        return judge_look(connection, reply, answer);
    default:
        answer->fallbacks = (request->mark & MARK_FALLS_BACK) != 0;
        return STATUS_OK;
    }
}

static enum status poll(struct keyed_connection *connection, int64_t timeout_ms,
                        struct keyed_answer *answer, struct error *error)
{
    struct cql_reply reply;
    enum status status;
    do {
        status = cql_session_poll(connection->session, timeout_ms, &reply, error);
        if (status == STATUS_AGAIN) {
            *answer = (struct keyed_answer){.request = NULL};
            return STATUS_AGAIN;
        }
        *answer = (struct keyed_answer){.request = reply.tag, .outcome = KEYED_DONE, .units = -1};
        if (status != STATUS_OK) {
            return answer->request->kind == KEYED_INSERT &&
                           is_of_counters(connection, answer->request->table)
                       ? judge_counter_failure(connection, &reply, answer, error)
                       : judge_failure(connection, &reply, answer, error);
        }
        status = cassandra_send_judge(connection, &reply, answer, error);
        timeout_ms = 0;
    } while (status == STATUS_AGAIN);
    return status;
}

/* ---------------------------------------------------------------- control work */

/* The first of `count` times that are no other write's, above `after_us`. */
static int64_t take_times(struct cassandra *self, int64_t after_us, int64_t count)
{
    enum { ATTEMPTS_AN_EPOCH = 100 }; /* as the engine numbers them: others may have written */
    uint32_t attempts = (uint32_t)self->keyed.room.epoch * ATTEMPTS_AN_EPOCH;
    uint32_t own = atomic_load(&self->attempt_max);
    int64_t now = clock_utc_us() + self->clock_ahead_us;
    int64_t last = atomic_load(&self->last_control_us);
    int64_t least = cassandra_timestamp_us(self, (own > attempts ? own : attempts) + 1, 0);
    now = now > least ? now : least;
    now = now > after_us ? now : after_us + 1;
    do {
        now = now > last ? now : last + 1;
    } while (!atomic_compare_exchange_weak(&self->last_control_us, &last, now + count - 1));
    return now;
}

int64_t cassandra_now_us(struct cassandra *self)
{
    return take_times(self, 0, 1);
}

/* A value that an application writes until then is older than the one that it is written over. */
static void tell_ahead(struct cassandra *self, int64_t time_us)
{
    int64_t ahead_us = time_us - clock_utc_us() - self->clock_ahead_us;
    if (ahead_us > AHEAD_TOLD_US && !atomic_exchange(&self->ahead_told, true)) {
        log_write(
            LOG_WARNING,
            "changes are written with timestamps %lld s ahead of the clock, above those of an "
            "earlier process: what applications write over them sooner loses",
            (long long)(ahead_us / 1000000));
    }
}

/* A list that is written deletes the former one a microsecond before: two apart are enough. */
static int64_t time_for_changes(struct database *database, int64_t after_us)
{
    struct cassandra *self = cassandra_of(database);
    int64_t time_us = take_times(self, after_us + CASSANDRA_TIMES_A_WRITE, CASSANDRA_TIMES_A_WRITE);
    tell_ahead(self, time_us);
    return time_us;
}

const struct keyed_service cassandra_keyed_service = {
    .records_max = {[KEYED_PUT] = RECORDS_MAX,
                    [KEYED_INSERT] = 1,
                    [KEYED_UPDATE] = RECORDS_MAX,
                    [KEYED_LOOK] = 1,
                    [KEYED_DELETE] = RECORDS_MAX},
    .request_bytes_max = REQUEST_BYTES_MAX,
    .separator = '\0',
    .guard = KEYED_GUARD_NEWER,
    .repeats_add_up = true,
    .name = "cassandra",
    .tables = &cassandra_tables,
    .connect = cassandra_send_connect,
    .try_connect = cassandra_try_connect,
    .disconnect = cassandra_connection_free,
    .encode = cassandra_encode,
    .append_key = cassandra_append_key,
    .read_key = cassandra_read_key,
    .append_claims = cassandra_append_claims,
    .group = cassandra_group,
    .send = cassandra_send,
    .poll = poll,
    .time = time_for_changes,
    .set_time = set_time,
    .inserts_only = inserts_only,
    .abandoned = abandoned,
    .write = cassandra_write_record,
    .erase = cassandra_erase,
    .erase_max = CASSANDRA_ERASE_MAX,
    .prove = cassandra_prove,
};
