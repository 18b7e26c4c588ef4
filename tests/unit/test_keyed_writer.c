/* The room's writer against a scripted service: what becomes of each record, in which requests. */
#include "connectors/keyed/keyed_internal.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS = 64, SENT_MAX = 200, TRIES_MAX = 4, RECORDS_MAX = 8, IN_FLIGHT = 4 };

/* What a record of an id is answered, a try each; behind the last one: KEYED_DONE. */
static enum keyed_outcome script[IDS][TRIES_MAX];
static uint32_t tries[IDS];
static bool refuses_whole; /* a request with a refused record is refused as one */
static bool answers_nothing;
static bool throttles;
static uint32_t falls_back; /* how often the service does so for each request */
static struct keyed_service service;

struct keyed_connection {
    struct keyed_request *pending[SENT_MAX];
    uint32_t pending_count;
    enum keyed_outcome outcomes[RECORDS_MAX];
    const struct error *reasons[RECORDS_MAX];
    struct error reason[RECORDS_MAX];
};

static char sent[SENT_MAX][64]; /* the bodies, in their order */
static uint32_t sent_count;

static enum status connect_service(struct database *self, const struct target_table *tables,
                                   uint32_t table_count, uint32_t in_flight_max,
                                   struct keyed_connection **connection, struct error *error)
{
    (void)self;
    (void)tables;
    (void)table_count;
    (void)in_flight_max;
    (void)error;
    *connection = calloc(1, sizeof **connection);
    return STATUS_OK;
}

static void disconnect_service(struct keyed_connection *connection)
{
    free(connection);
}

static void begin_body(struct keyed_connection *connection, enum keyed_kind kind, uint32_t table,
                       struct buffer *body)
{
    static const char letters[] = "pi?l";
    (void)connection;
    (void)table;
    buffer_format(body, "%c(", letters[kind]);
}

static void end_body(struct keyed_connection *connection, enum keyed_kind kind, uint32_t table,
                     struct buffer *body)
{
    (void)connection;
    (void)kind;
    (void)table;
    buffer_append_byte(body, ')');
}

static enum status encode(struct keyed_connection *connection, enum keyed_kind kind,
                          const struct keyed_record *record, struct buffer *out,
                          struct error *error)
{
    (void)connection;
    (void)kind;
    if (record->cells[0].i64 < 0) {
        return error_set(error, ERROR_REJECT_TYPE, NULL, "below 0");
    }
    buffer_format(out, "%d", (int)record->cells[0].i64);
    return STATUS_OK;
}

static enum status append_key(struct database *self, const struct target_table *table,
                              const struct cell *key, struct buffer *out, struct error *error)
{
    (void)self;
    (void)table;
    (void)error;
    buffer_append(out, &key->i64, 8);
    return STATUS_OK;
}

static enum status send_request(struct keyed_connection *connection, struct keyed_request *request,
                                struct error *error)
{
    (void)error;
    assert_true(sent_count < SENT_MAX);
    snprintf(sent[sent_count++], sizeof sent[0], "%.*s", (int)request->body.length,
             request->body.data);
    connection->pending[connection->pending_count++] = request;
    return STATUS_OK;
}

static enum keyed_outcome next_outcome(int64_t id)
{
    uint32_t number = tries[id]++;
    return number < TRIES_MAX ? script[id][number] : KEYED_DONE;
}

static enum status poll_service(struct keyed_connection *connection, int64_t timeout_ms,
                                struct keyed_answer *answer, struct error *error)
{
    (void)timeout_ms;
    (void)error;
    if (connection->pending_count == 0 || answers_nothing) {
        return STATUS_AGAIN;
    }
    struct keyed_request *request = connection->pending[0];
    memmove(connection->pending, connection->pending + 1,
            --connection->pending_count * sizeof(struct keyed_request *));
    *answer = (struct keyed_answer){.request = request,
                                    .outcomes = connection->outcomes,
                                    .reason = &connection->reason[0],
                                    .reasons = connection->reasons,
                                    .throttled = throttles,
                                    .fallbacks = falls_back};
    for (uint32_t i = 0; i < request->count; i++) {
        long id = strtol(buffer_string(&request->body) + request->slots[i].offset, NULL, 10);
        connection->outcomes[i] = next_outcome(id);
        error_set(&connection->reason[i], ERROR_REJECT_CONSTRAINT, NULL, "no %ld", id);
        connection->reasons[i] = &connection->reason[i];
        if (refuses_whole && connection->outcomes[i] == KEYED_REFUSED) {
            answer->outcomes = NULL;
            answer->outcome = KEYED_REFUSED;
            answer->reason = connection->reasons[i];
        }
    }
    if (answer->outcomes == NULL) {
        for (uint32_t i = 0; i < request->count; i++) {
            tries[strtol(buffer_string(&request->body) + request->slots[i].offset, NULL, 10)]--;
        }
    }
    return STATUS_OK;
}

static struct keyed_service service = {
    .records_max = {RECORDS_MAX, RECORDS_MAX, RECORDS_MAX, 1},
    .request_bytes_max = 1024,
    .separator = ',',
    .name = "test",
    .connect = connect_service,
    .disconnect = disconnect_service,
    .begin = begin_body,
    .end = end_body,
    .encode = encode,
    .append_key = append_key,
    .send = send_request,
    .poll = poll_service,
};

/* ---- a writer with one chunk */

static const char *const key_names[] = {"id"};
static struct shape_field fields[] = {{.name = "id", .name_length = 2}};
static const struct shape shape = {.fields = fields, .field_count = 1};

struct scene {
    struct keyed_database database;
    struct connector connector;
    struct target_table table;
    struct writer *writer;
};

static void begin_scene(struct scene *scene, enum existing_policy existing, uint32_t attempt)
{
    struct error error = {0};
    const struct open_options options = {.timeout_ms = 1000};
    memset(script, 0, sizeof script);
    memset(tries, 0, sizeof tries);
    sent_count = 0;
    refuses_whole = answers_nothing = throttles = false;
    falls_back = 0;
    *scene = (struct scene){.table = {.name = "things",
                                      .key = {key_names, 1},
                                      .existing = existing,
                                      .created = existing == EXISTING_REFUSE}};
    keyed_room_init(&scene->database, &service, &options);
    scene->database.base.connector = &scene->connector;
    scene->database.room.in_flight_max = IN_FLIGHT;
    scene->database.room.run_id = strdup("run");
    scene->database.room.epoch = 1;
    assert_int_equal(
        keyed_writer_open(&scene->database.base, &scene->table, 1, 1, &scene->writer, &error),
        STATUS_OK);
    assert_int_equal(keyed_chunk_begin(scene->writer, 1, attempt, &error), STATUS_OK);
}

static void end_scene(struct scene *scene)
{
    keyed_writer_close(scene->writer);
    keyed_room_destroy(&scene->database);
}

static void submit(struct scene *scene, uint64_t chunk, const int64_t *ids, uint32_t count)
{
    struct error error = {0};
    struct batch *batch = batch_create(&shape, 1, count);
    for (uint32_t i = 0; i < count; i++) {
        batch_append(batch)[0] = cell_int64(ids[i]);
    }
    assert_int_equal(keyed_submit(scene->writer, chunk, 0, batch, &error), STATUS_OK);
}

static void submit_to(struct scene *scene, uint64_t chunk, int64_t last)
{
    int64_t ids[IDS];
    for (int64_t id = 1; id <= last; id++) {
        ids[id - 1] = id;
    }
    submit(scene, chunk, ids, (uint32_t)last);
}

static struct batch_result poll_result(struct scene *scene)
{
    struct error error = {0};
    struct batch_result result = {0};
    enum status status = STATUS_AGAIN;
    for (int i = 0; i < 1000 && status == STATUS_AGAIN; i++) {
        status = keyed_poll(scene->writer, 100, &result, &error);
    }
    assert_int_equal(status, STATUS_OK);
    return result;
}

static void free_result(struct batch_result *result)
{
    batch_destroy(result->batch);
    arena_destroy(result->arena);
}

static struct record_outcome outcome_of(const struct batch_result *result, uint32_t row)
{
    for (uint32_t i = 0; i < result->outcome_count; i++) {
        if (result->outcomes[i].row == row) {
            return result->outcomes[i];
        }
    }
    fail_msg("row %u was written", row);
    return (struct record_outcome){.reason = ""};
}

/* ---- tests */

static void each_record_is_told_by_itself(void **state)
{
    struct scene scene;
    (void)state;
    begin_scene(&scene, EXISTING_REFUSE, 1);
    script[3][0] = KEYED_AGAIN;
    script[3][1] = KEYED_AGAIN;
    script[5][0] = KEYED_REFUSED;
    script[6][0] = KEYED_REFUSED;
    submit_to(&scene, 1, 8);
    struct batch_result result = poll_result(&scene);
    assert_int_equal(result.written, 6);
    assert_int_equal(result.outcome_count, 2);
    assert_string_equal(outcome_of(&result, 4).reason, "no 5");
    assert_string_equal(outcome_of(&result, 5).reason, "no 6");
    assert_int_equal(outcome_of(&result, 5).code, ERROR_REJECT_CONSTRAINT);
    assert_int_equal(sent_count, 3);
    assert_string_equal(sent[0], "p(1,2,3,4,5,6,7,8)");
    assert_string_equal(sent[1], "p(3)");
    assert_string_equal(sent[2], "p(3)");
    assert_int_equal(result.retries, 2);
    assert_int_equal(result.fallbacks, 0);
    assert_int_equal(scene.database.base.report.counts.retries, 2);
    free_result(&result);
    end_scene(&scene);
}

static void a_request_is_halved_down_to_the_record_at_fault(void **state)
{
    struct scene scene;
    (void)state;
    begin_scene(&scene, EXISTING_REFUSE, 1);
    refuses_whole = true;
    for (int i = 0; i < TRIES_MAX; i++) {
        script[5][i] = KEYED_REFUSED;
    }
    submit_to(&scene, 1, 8);
    struct batch_result result = poll_result(&scene);
    assert_int_equal(result.written, 7);
    assert_string_equal(outcome_of(&result, 4).reason, "no 5");
    assert_int_equal(sent_count, 7);
    assert_string_equal(sent[1], "p(1,2,3,4)");
    assert_string_equal(sent[2], "p(5,6,7,8)");
    assert_int_equal(result.retries, 3); /* cut three times */
    free_result(&result);
    end_scene(&scene);
}

static void an_insert_that_finds_a_record_looks_if_it_may_be_its_own(void **state)
{
    (void)state;
    for (uint32_t attempt = 1; attempt <= 2; attempt++) {
        struct scene scene;
        begin_scene(&scene, EXISTING_APPEND, attempt);
        script[2][0] = KEYED_OCCUPIED;
        script[3][0] = KEYED_OCCUPIED;
        script[3][1] = KEYED_OCCUPIED; /* another one's */
        script[4][0] = KEYED_OCCUPIED;
        script[4][1] = KEYED_GONE; /* and is inserted then */
        submit_to(&scene, 1, 5);
        struct batch_result result = poll_result(&scene);
        assert_int_equal(result.written, attempt == 1 ? 2 : 4);
        assert_int_equal(result.outcome_count, attempt == 1 ? 3 : 1);
        assert_int_equal(outcome_of(&result, 2).code, ERROR_REJECT_KEY_DUPLICATE);
        assert_int_equal(sent_count, attempt == 1 ? 1 : 5);
        assert_string_equal(sent[0], "i(1,2,3,4,5)");
        assert_string_equal(sent[sent_count - 1], attempt == 1 ? "i(1,2,3,4,5)" : "i(4)");
        free_result(&result);
        end_scene(&scene);
    }
}

static void what_can_not_be_encoded_is_refused_in_its_place(void **state)
{
    struct scene scene;
    const int64_t ids[] = {1, -2, 3};
    (void)state;
    begin_scene(&scene, EXISTING_REFUSE, 1);
    submit(&scene, 1, ids, 3);
    struct batch_result result = poll_result(&scene);
    assert_int_equal(result.written, 2);
    assert_string_equal(outcome_of(&result, 1).reason, "below 0");
    assert_string_equal(sent[0], "p(1,3)");
    free_result(&result);
    end_scene(&scene);
}

static void records_of_one_key_go_one_after_the_other(void **state)
{
    struct scene scene;
    const int64_t ids[] = {7, 8, 7, 7};
    (void)state;
    begin_scene(&scene, EXISTING_REFUSE, 1);
    script[7][0] = KEYED_AGAIN;
    submit(&scene, 1, ids, 4);
    struct batch_result result = poll_result(&scene);
    assert_int_equal(result.written, 4);
    assert_int_equal(sent_count, 4);
    assert_string_equal(sent[0], "p(7,8)");
    assert_string_equal(sent[1], "p(7)");
    assert_string_equal(sent[3], "p(7)");
    free_result(&result);
    end_scene(&scene);
}

static void throttling_makes_the_window_smaller(void **state)
{
    struct scene scene;
    (void)state;
    begin_scene(&scene, EXISTING_REFUSE, 1);
    double before = scene.writer->window;
    throttles = true;
    script[1][0] = KEYED_AGAIN;
    submit_to(&scene, 1, 2);
    struct batch_result result = poll_result(&scene);
    assert_int_equal(result.written, 2);
    assert_true(scene.writer->window < before);
    free_result(&result);
    end_scene(&scene);
}

/* A request of two batches counts for one of them. */
static void fallbacks_of_the_service_are_counted(void **state)
{
    struct scene scene;
    const int64_t first[] = {1, 2};
    const int64_t second[] = {3, 4};
    (void)state;
    begin_scene(&scene, EXISTING_REFUSE, 1);
    falls_back = 2;
    submit(&scene, 1, first, 2);
    submit(&scene, 1, second, 2);
    struct batch_result one = poll_result(&scene);
    struct batch_result other = poll_result(&scene);
    assert_int_equal(sent_count, 1);
    assert_int_equal(one.fallbacks + other.fallbacks, 2);
    assert_int_equal(one.retries + other.retries, 0);
    assert_int_equal(scene.database.base.report.counts.fallbacks, 2);
    free_result(&one);
    free_result(&other);
    end_scene(&scene);
}

/* A late request of a chunk that was given up could undo what comes after it. */
static void what_is_under_way_of_an_abandoned_chunk_is_waited_for(void **state)
{
    (void)state;
    for (int guard = KEYED_GUARD_NONE; guard <= KEYED_GUARD_NEWER; guard++) {
        struct scene scene;
        struct error error = {0};
        struct batch_result result;
        service.guard = (enum keyed_guard)guard;
        begin_scene(&scene, EXISTING_REFUSE, 1);
        answers_nothing = true;
        submit_to(&scene, 1, 8);
        assert_int_equal(keyed_poll(scene.writer, 50, &result, &error), STATUS_AGAIN);
        assert_int_equal(sent_count, 1);
        keyed_chunk_abandon(scene.writer, 1);
        assert_int_equal(keyed_chunk_begin(scene.writer, 1, 2, &error), STATUS_OK);
        submit_to(&scene, 1, 8);
        assert_int_equal(keyed_poll(scene.writer, 50, &result, &error), STATUS_AGAIN);
        assert_int_equal(sent_count, 1);
        answers_nothing = false;
        result = poll_result(&scene);
        assert_int_equal(result.written, 8);
        assert_int_equal(sent_count, 2);
        assert_string_equal(sent[1], sent[0]);
        free_result(&result);
        end_scene(&scene);
    }
    service.guard = KEYED_GUARD_NONE;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_is_told_by_itself),
        cmocka_unit_test(a_request_is_halved_down_to_the_record_at_fault),
        cmocka_unit_test(an_insert_that_finds_a_record_looks_if_it_may_be_its_own),
        cmocka_unit_test(what_can_not_be_encoded_is_refused_in_its_place),
        cmocka_unit_test(records_of_one_key_go_one_after_the_other),
        cmocka_unit_test(throttling_makes_the_window_smaller),
        cmocka_unit_test(fallbacks_of_the_service_are_counted),
        cmocka_unit_test(what_is_under_way_of_an_abandoned_chunk_is_waited_for),
    };
    return cmocka_run_group_tests_name("keyed_writer", tests, NULL, NULL);
}
