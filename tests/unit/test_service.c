/* Services over HTTP, against a server that follows a script: retries, hints, patience, verdicts.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "net/service.h"
#include "support.h"
#include "support_script.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PATIENCE_MS = 20000 };

/* ---------------------------------------------------------------- answers */

static const char ok[] = SCRIPT_ANSWER("200 OK", "", "8", "{\"a\": 1}");
static const char busy[] = SCRIPT_ANSWER("503 Busy", "", "12", "{\"e\":\"busy\"}");
static const char too_many[] = SCRIPT_ANSWER("429 Slow", "", "2", "{}");
static const char wrong[] = SCRIPT_ANSWER("400 Bad", "", "13", "{\"e\":\"wrong\"}");
static const char forbidden[] = SCRIPT_ANSWER("403 No", "", "10", "{\"e\":\"no\"}");
static const char page[] = SCRIPT_ANSWER("200 OK", "Content-Type: text/html\r\n", "33",
                                         "<html><title>Log in</title></html");

/* ---------------------------------------------------------------- the client */

struct side {
    struct script_server server;
    struct service *service;
    struct service_client *client;
    uint32_t prepared;
    bool refuses; /* prepare fails, the first time */
};

static enum status prepare(void *self, const struct service_request *request,
                           struct service_outgoing *outgoing, struct error *error)
{
    struct side *side = self;
    (void)request;
    side->prepared++;
    if (side->refuses && side->prepared == 1) {
        error_set(error, ERROR_NETWORK, NULL, "no credentials yet");
        return STATUS_FAILED;
    }
    outgoing->headers[outgoing->header_count++] = (struct http_header){"X-Signed", "yes"};
    outgoing->mark = side->prepared;
    return STATUS_OK;
}

static void judge(void *self, const struct service_request *request, uint64_t mark,
                  struct http_response *from, struct service_reply *reply)
{
    const struct side *side = self;
    assert_true(mark > 0);
    service_judge(side->service, request, from, reply);
    reply->fault = from->status == 400 ? 7 : 0;
    if (from->status == 429) {
        reply->error.retry_after_ms = 100; /* as if the body said so */
    }
}

static const struct service_functions functions = {.prepare = prepare, .judge = judge};

static void open_side(struct side *side, const char *const *answers, size_t count,
                      int64_t timeout_ms, int64_t patience_ms)
{
    struct error error = {0};
    memset(side, 0, sizeof *side);
    script_server_start(&side->server, answers, count);
    const struct service_options options = {.name = "the test",
                                            .url = side->server.url,
                                            .timeout_ms = timeout_ms,
                                            .patience_ms = patience_ms,
                                            .response_bytes_max = 1000};
    side->service = service_create(&options);
    assert_int_equal(
        service_client_create(side->service, 4, &functions, side, &side->client, &error),
        STATUS_OK);
}

static void close_side(struct side *side)
{
    service_client_destroy(side->client);
    service_destroy(side->service);
    script_server_stop(&side->server);
}

static const struct service_request patient = {
    .operation = "Put", .path = "/things", .body = "{}", .body_length = 2, .patience_ms = -1};

/* One request to its end. */
static enum status call(struct side *side, struct service_reply **reply, struct error *error)
{
    error_clear(error);
    return service_call(side->client, &patient, reply, error);
}

/* ---------------------------------------------------------------- tests */

static void faults_that_pass_are_tried_again(void **state)
{
    static const char *const answers[] = {busy, "", too_many, ok};
    struct side side;
    struct error error;
    struct service_reply *reply = NULL;
    (void)state;
    open_side(&side, answers, 4, 2000, PATIENCE_MS);
    assert_int_equal(call(&side, &reply, &error), STATUS_OK);
    assert_int_equal(reply->verdict, SERVICE_DONE);
    assert_int_equal(reply->status, 200);
    assert_int_equal(reply->tries, 4);
    assert_true(reply->unknown_outcome); /* of the tries before */
    assert_string_equal(buffer_string(&reply->body), "{\"a\": 1}");
    assert_int_equal(side.prepared, 4);
    assert_memory_equal(side.server.seen[3], "POST /base/things HTTP/1.1\r\n", 28);
    assert_non_null(strstr(side.server.seen[3], "X-Signed: yes"));
    close_side(&side);
    service_reply_destroy(reply); /* after its client */
}

static void the_servers_hint_is_waited_for(void **state)
{
    static const char later[] = SCRIPT_ANSWER("503 Busy", "Retry-After: 1\r\n", "2", "{}");
    static const char *const answers[] = {later, too_many, ok};
    struct side side;
    struct error error;
    struct service_reply *reply = NULL;
    (void)state;
    open_side(&side, answers, 3, 2000, PATIENCE_MS);
    int64_t begun_ms = clock_monotonic_ms();
    assert_int_equal(call(&side, &reply, &error), STATUS_OK);
    assert_in_range(clock_monotonic_ms() - begun_ms, 1100, PATIENCE_MS);
    service_reply_destroy(reply);
    close_side(&side);
}

static void hints_of_headers(void **state)
{
    static const struct {
        const char *headers;
        int64_t hint_ms;
    } cases[] = {
        {"", 0},
        {"Retry-After: 7\r\n", 7000},
        {"retry-after: 99999\r\n", 300000},
        {"Retry-After: soon\r\n", 0},
        {"Retry-After: -1\r\n", 0},
        {"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:39 GMT\r\n",
         2000},
        {"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:00:00 GMT\r\n",
         0},
        {"Retry-After: Sun, 06 Nov 1994 08:49:39 GMT\r\n", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_response response = {.status = 503};
        buffer_append_string(&response.header_block, cases[i].headers);
        assert_int_equal(service_retry_after_ms(&response), cases[i].hint_ms);
        buffer_free(&response.header_block);
    }
}

static void patience_ends(void **state)
{
    static const char *const answers[] = {busy};
    static const char *const slow[] = {too_many};
    struct side side;
    struct error error;
    struct service_reply *reply = NULL;
    (void)state;
    open_side(&side, answers, 1, 1000, 400);
    assert_int_equal(call(&side, &reply, &error), STATUS_FAILED);
    assert_null(reply);
    assert_int_equal(error.class, ERROR_CLASS_STOP);
    assert_non_null(strstr(error.context, "given up after"));
    assert_non_null(strstr(error.message, "busy"));
    assert_int_equal(error.native_code, 503);
    assert_true(side.prepared > 1);
    close_side(&side);
    /* throttling may be borne for longer */
    open_side(&side, slow, 1, 1000, 400);
    assert_int_equal(call(&side, &reply, &error), STATUS_FAILED);
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
    close_side(&side);
}

static void what_cannot_pass_is_not_tried_again(void **state)
{
    static const char *const answers[] = {wrong, forbidden, page};
    struct side side;
    struct error error;
    struct service_reply *reply = NULL;
    (void)state;
    open_side(&side, answers, 3, 2000, PATIENCE_MS);
    assert_int_equal(call(&side, &reply, &error), STATUS_OK);
    assert_int_equal(reply->verdict, SERVICE_REJECT);
    assert_int_equal(reply->fault, 7);
    assert_int_equal(reply->error.class, ERROR_CLASS_REJECT);
    assert_false(reply->unknown_outcome);
    service_reply_destroy(reply);
    assert_int_equal(call(&side, &reply, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_CREDENTIALS);
    assert_int_equal(error.class, ERROR_CLASS_STOP);
    assert_int_equal(call(&side, &reply, &error), STATUS_FAILED);
    assert_non_null(strstr(error.message, "Log in"));
    assert_int_equal(error.class, ERROR_CLASS_STOP);
    assert_int_equal(side.prepared, 3);
    close_side(&side);
}

static void bodies_are_bounded(void **state)
{
    char large[2200];
    const char *const answers[] = {large};
    struct side side;
    struct error error;
    struct service_reply *reply = NULL;
    (void)state;
    int head = snprintf(large, sizeof large, "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n");
    memset(large + head, '1', 2000);
    large[head + 2000] = '\0';
    open_side(&side, answers, 1, 2000, PATIENCE_MS);
    assert_int_equal(call(&side, &reply, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_NETWORK_ANSWER);
    assert_int_equal(error.class, ERROR_CLASS_STOP);
    close_side(&side);
}

static void secrets_are_not_shown(void **state)
{
    static const char echo[] = SCRIPT_ANSWER("403 No", "", "19", "{\"key\":\"opensesame\"}");
    static const char *const answers[] = {echo};
    struct side side;
    struct error error;
    struct service_reply *reply = NULL;
    (void)state;
    secret_register("opensesame", 10);
    open_side(&side, answers, 1, 2000, PATIENCE_MS);
    assert_int_equal(call(&side, &reply, &error), STATUS_FAILED);
    assert_null(strstr(error.message, "opensesame"));
    assert_non_null(strstr(error.message, "***"));
    close_side(&side);
}

static void a_try_that_cannot_be_prepared(void **state)
{
    static const char *const answers[] = {ok};
    struct side side;
    struct error error;
    struct service_reply *reply = NULL;
    (void)state;
    open_side(&side, answers, 1, 2000, PATIENCE_MS);
    side.refuses = true;
    assert_int_equal(call(&side, &reply, &error), STATUS_OK);
    assert_int_equal(reply->tries, 1);
    assert_int_equal(side.prepared, 2);
    service_reply_destroy(reply);
    /* without patience nothing is sent, and no reply comes */
    struct service_request once = patient;
    once.patience_ms = 0;
    side.prepared = 0;
    assert_int_equal(service_submit(side.client, &once, &error), STATUS_FAILED);
    assert_int_equal(service_poll(side.client, 0, &reply, &error), STATUS_END);
    close_side(&side);
}

static void nobody_was_ever_there(void **state)
{
    static const char *const answers[] = {ok};
    struct side side;
    struct error error;
    struct service_reply *reply = NULL;
    (void)state;
    open_side(&side, answers, 1, 1000, 300);
    service_client_destroy(side.client);
    service_destroy(side.service);
    const struct service_options options = {
        .name = "the test", .url = "http://127.0.0.1:1", .timeout_ms = 1000, .patience_ms = 300};
    side.service = service_create(&options);
    assert_int_equal(
        service_client_create(side.service, 1, &functions, &side, &side.client, &error), STATUS_OK);
    assert_int_equal(call(&side, &reply, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_NETWORK);
    assert_non_null(strstr(error.hint, "address of the test"));
    close_side(&side);
}

/* One slot of four fails now and then; all end, and each with its own context. */
static void many_at_once(void **state)
{
    static const char *const answers[] = {ok, busy, ok, ok, "", ok, too_many, ok};
    enum { COUNT = 12 };
    struct side side;
    struct error error = {0};
    bool ended[COUNT] = {false};
    uint32_t sent = 0;
    uint32_t done = 0;
    (void)state;
    open_side(&side, answers, 8, 3000, PATIENCE_MS);
    while (done < COUNT) {
        struct service_request request = patient;
        struct service_reply *reply = NULL;
        request.context = &ended[sent];
        while (sent < COUNT && service_submit(side.client, &request, &error) == STATUS_OK) {
            request.context = &ended[++sent];
        }
        assert_true(service_under_way(side.client) <= 4);
        enum status status = service_poll(side.client, PATIENCE_MS, &reply, &error);
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(reply->verdict, SERVICE_DONE);
        bool *mine = reply->context;
        assert_false(*mine);
        *mine = true;
        done++;
        service_reply_destroy(reply);
    }
    assert_int_equal(service_under_way(side.client), 0);
    close_side(&side);
}

/* Nobody polls for long: an answer that is there by then is one, whatever the clock says. */
static void answers_are_taken_late(void **state)
{
    static const char *const answers[] = {ok};
    struct side side;
    struct error error = {0};
    struct service_reply *reply = NULL;
    struct service_request once = patient;
    (void)state;
    open_side(&side, answers, 1, 300, PATIENCE_MS);
    once.patience_ms = 0;
    assert_int_equal(service_submit(side.client, &once, &error), STATUS_OK);
    assert_int_equal(service_poll(side.client, 0, &reply, &error), STATUS_AGAIN);
    clock_sleep_ms(100);
    if (service_poll(side.client, 0, &reply, &error) == STATUS_AGAIN) { /* connected, and sent */
        clock_sleep_ms(600);
        assert_int_equal(service_poll(side.client, 0, &reply, &error), STATUS_OK);
    }
    assert_int_equal(reply->verdict, SERVICE_DONE);
    service_reply_destroy(reply);
    close_side(&side);
}

static void a_stop_ends_the_waiting(void **state)
{
    static const char later[] = SCRIPT_ANSWER("503 Busy", "Retry-After: 60\r\n", "2", "{}");
    static const char *const answers[] = {later};
    struct script_server server;
    struct error error = {0};
    struct service_client *client = NULL;
    struct service_reply *reply = NULL;
    _Atomic bool stopped = false;
    const struct service_functions none = {0};
    (void)state;
    script_server_start(&server, answers, 1);
    const struct service_options options = {
        .name = "the test", .url = server.url, .patience_ms = 600000, .stopped = &stopped};
    struct service *service = service_create(&options);
    assert_int_equal(service_client_create(service, 1, &none, NULL, &client, &error), STATUS_OK);
    assert_int_equal(service_submit(client, &patient, &error), STATUS_OK);
    assert_int_equal(service_poll(client, 300, &reply, &error), STATUS_AGAIN);
    assert_int_equal(service_under_way(client), 1);
    atomic_store(&stopped, true);
    assert_int_equal(service_poll(client, PATIENCE_MS, &reply, &error), STATUS_OK);
    assert_int_equal(reply->verdict, SERVICE_RETRY);
    assert_int_equal(reply->status, 503);
    service_reply_destroy(reply);
    service_client_destroy(client);
    service_destroy(service);
    script_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_that_pass_are_tried_again),
        cmocka_unit_test(the_servers_hint_is_waited_for),
        cmocka_unit_test(hints_of_headers),
        cmocka_unit_test(patience_ends),
        cmocka_unit_test(what_cannot_pass_is_not_tried_again),
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(secrets_are_not_shown),
        cmocka_unit_test(a_try_that_cannot_be_prepared),
        cmocka_unit_test(nobody_was_ever_there),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(answers_are_taken_late),
        cmocka_unit_test(a_stop_ends_the_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
