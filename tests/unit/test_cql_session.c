/* Connections and sessions against nodes that follow a script: what real ones do not do on
 * demand. */
#include "support_cql_peer.h"

#include "base/clock.h"
#include "connectors/cassandra/protocol/cql_session.h"
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 20000, NODES = 3 };

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_create(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

static enum status open_with(struct cql_session_options options, const struct cql_peer *peer,
                             struct cql_session **session, struct error *error)
{
    const struct cql_contact contact = {"127.0.0.1", peer->port};
    options.contacts = &contact;
    options.contact_count = 1;
    if (options.connect_timeout_ms == 0) {
        options.connect_timeout_ms = PATIENCE_MS;
    }
    error_clear(error);
    return cql_session_open(&options, session, error);
}

static struct cql_session *open_session(struct cql_session_options options,
                                        const struct cql_peer *peer)
{
    struct cql_session *session;
    struct error error;
    if (open_with(options, peer, &session, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    return session;
}

static void assert_contains(const char *text, const char *words)
{
    if (strstr(text, words) == NULL) {
        fail_msg("\"%s\" has no \"%s\"", text, words);
    }
}

/* A call of a statement, routed by the token if there is one. */
static struct cql_call call_of(const struct cql_statement *statement, const int64_t *token)
{
    return (struct cql_call){.statements = statement,
                             .statement_count = 1,
                             .consistency = CQL_ONE,
                             .timestamp_us = CQL_NO_TIMESTAMP,
                             .token = token,
                             .keyspace = "ks",
                             .deadline_ms = clock_boottime_ms() + PATIENCE_MS};
}

static enum status run(struct cql_session *session, const struct cql_call *call,
                       struct cql_reply *reply, struct error *error)
{
    enum status status = cql_session_send(session, call, error);
    assert_int_equal(status, STATUS_OK);
    do {
        status = cql_session_poll(session, PATIENCE_MS, reply, error);
    } while (status == STATUS_AGAIN && cql_session_under_way(session) > 0);
    assert_int_not_equal(status, STATUS_AGAIN);
    return status;
}

static const struct cql_statement some_query = {.text = "UPDATE ks.t SET v = 1 WHERE k = 1"};

/* ---------------------------------------------------------------- set-up */

static void assert_works(struct cql_session_options options, struct cql_peer *peer, uint8_t version)
{
    cql_peer_start(peer);
    struct cql_session *session = open_session(options, peer);
    struct cql_reply reply;
    struct error error = {0};
    struct cql_call call = call_of(&some_query, NULL);
    assert_int_equal(cql_session_cluster(session).version, version);
    assert_int_equal(run(session, &call, &reply, &error), STATUS_OK);
    assert_int_equal(reply.response.kind, CQL_RESULT_VOID);
    assert_int_equal(reply.attempts, 1);
    cql_session_close(session);
    cql_peer_stop(peer);
}

static void versions_are_negotiated(void **state)
{
    (void)state;
    for (uint8_t version = 3; version <= 5; version++) {
        for (int lz4 = 0; lz4 < 2; lz4++) {
            struct cql_peer peer = {.version_max = version, .lz4 = lz4};
            assert_works((struct cql_session_options){.compression = true}, &peer, version);
        }
    }
    struct cql_peer peer = {0};
    assert_works((struct cql_session_options){.version_max = 4}, &peer, 4);
}

static void answers_may_come_in_any_pieces(void **state)
{
    (void)state;
    for (int lz4 = 0; lz4 < 2; lz4++) {
        for (uint8_t version = 4; version <= 5; version++) {
            struct cql_peer slow = {
                .version_max = version, .lz4 = lz4, .fault = CQL_PEER_BYTE_BY_BYTE};
            assert_works((struct cql_session_options){.compression = true}, &slow, version);
        }
        struct cql_peer split = {.lz4 = lz4, .fault = CQL_PEER_SPLIT};
        assert_works((struct cql_session_options){.compression = true}, &split, 5);
    }
}

static void passwords_are_given_to_those_who_ask(void **state)
{
    (void)state;
    const struct cql_session_options login = {.user = "user", .password = "secret"};
    for (uint8_t version = 4; version <= 5; version++) {
        struct cql_peer peer = {.version_max = version,
                                .authenticator = "org.apache.cassandra.auth.PasswordAuthenticator"};
        assert_works(login, &peer, version);
    }
}

/* The session does not come to be, for this reason. */
static void assert_refused(struct cql_session_options options, struct cql_peer *peer,
                           enum error_code code, const char *words)
{
    struct cql_session *session;
    struct error error;
    cql_peer_start(peer);
    assert_int_equal(open_with(options, peer, &session, &error), STATUS_FAILED);
    cql_peer_stop(peer);
    assert_contains(error.message, words);
    assert_int_equal(error.code, code);
}

static void nodes_that_do_not_fit_are_told_apart(void **state)
{
    (void)state;
    const struct cql_session_options none = {0};
    const struct cql_session_options hasty = {.connect_timeout_ms = 300};
    const struct cql_session_options wrong = {.user = "user", .password = "wrong"};
    struct cql_peer old = {.version_max = 2};
    assert_refused(none, &old, ERROR_TARGET_INVALID, "it offers 2");
    struct cql_peer password = {.authenticator = "a.PasswordAuthenticator"};
    assert_refused(none, &password, ERROR_CREDENTIALS, "asks for user and password");
    struct cql_peer mistaken = {.authenticator = "a.PasswordAuthenticator"};
    assert_refused(wrong, &mistaken, ERROR_CREDENTIALS, "bad credentials");
    struct cql_peer kerberos = {.authenticator = "com.acme.KerberosAuthenticator"};
    assert_refused(wrong, &kerberos, ERROR_CREDENTIALS, "com.acme.KerberosAuthenticator");
    struct cql_peer random = {.partitioner = "org.apache.cassandra.dht.RandomPartitioner"};
    assert_refused(none, &random, ERROR_TARGET_INVALID, "RandomPartitioner");
    struct cql_peer elsewhere = {0};
    assert_refused((struct cql_session_options){.local_dc = "DC1"}, &elsewhere,
                   ERROR_TARGET_INVALID, "no data centre DC1");
    struct cql_peer gone = {.fault = CQL_PEER_HANG_UP_AT_STARTUP};
    assert_refused(none, &gone, ERROR_NETWORK, "closed the connection while it was set up");
    struct cql_peer silent = {.fault = CQL_PEER_SILENT_AT_STARTUP};
    assert_refused(hasty, &silent, ERROR_NETWORK, "did not answer in time");
    struct cql_peer dumb = {.fault = CQL_PEER_SILENT_LATER};
    const struct cql_session_options brief = {.connect_timeout_ms = 300, .request_timeout_ms = 300};
    assert_refused(brief, &dumb, ERROR_NETWORK, "did not say in time");
    struct cql_peer tls = {.fault = CQL_PEER_SPEAKS_TLS};
    assert_refused(none, &tls, ERROR_NETWORK_ANSWER, "as TLS does");
}

static void broken_answers_break_the_connection(void **state)
{
    (void)state;
    static const struct {
        enum cql_peer_fault fault;
        const char *words;
    } faults[] = {
        {CQL_PEER_BAD_HEADER_CRC, "checksum of a segment's header"},
        {CQL_PEER_BAD_PAYLOAD_CRC, "checksum of a segment's payload"},
        {CQL_PEER_LONG_BODY, "256 MiB"},
        {CQL_PEER_SHORT_SEGMENT, "longer than the segment"},
        {CQL_PEER_WRONG_STREAM, "a request that was not made"},
    };
    for (size_t at = 0; at < sizeof faults / sizeof *faults; at++) {
        struct cql_peer peer = {.fault = faults[at].fault};
        assert_refused((struct cql_session_options){0}, &peer, ERROR_NETWORK_ANSWER,
                       faults[at].words);
    }
}

static void nobody_there_is_said(void **state)
{
    (void)state;
    struct cql_session *session;
    struct error error;
    struct cql_peer peer = {0};
    cql_peer_start(&peer);
    cql_peer_stop(&peer);
    assert_int_equal(open_with((struct cql_session_options){0}, &peer, &session, &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_NETWORK);
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
}

/* ---------------------------------------------------------------- routing */

/* Three nodes of one rack each; token 100 is node 1's, then 2's. */
static void make_nodes(struct cql_peer *peers)
{
    static const char *const racks[NODES] = {"r1", "r2", "r3"};
    for (size_t at = 0; at < NODES; at++) {
        peers[at] =
            (struct cql_peer){.rack = racks[at], .tokens = {(int64_t)at * 1000}, .token_count = 1};
    }
}

static uint32_t served(struct cql_peer *peer)
{
    return atomic_load(&peer->requests[CQL_EXECUTE]) + atomic_load(&peer->requests[CQL_BATCH]);
}

/* Sends so many calls with the token, a few at a time, and takes all replies. */
static void send_many(struct cql_session *session, const struct cql_statement *statement,
                      int64_t token, int count)
{
    struct cql_reply reply;
    struct error error = {0};
    for (int at = 0; at < count; at++) {
        struct cql_call call = call_of(statement, &token);
        assert_int_equal(run(session, &call, &reply, &error), STATUS_OK);
    }
}

static const struct cql_prepared *prepare(struct cql_session *session, const char *text)
{
    const struct cql_prepared *prepared;
    struct error error = {0};
    if (cql_session_prepare(session, text, &prepared, NULL, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    return prepared;
}

static void calls_go_to_replicas(void **state)
{
    (void)state;
    struct cql_peer peers[NODES];
    make_nodes(peers);
    cql_peer_start_all(peers, NODES);
    struct cql_session *session = open_session((struct cql_session_options){0}, &peers[0]);
    assert_int_equal(cql_session_cluster(session).node_count, NODES);
    assert_int_equal(cql_session_cluster(session).local_node_count, NODES);
    size_t ranges;
    (void)cql_session_ranges(session, arena, &ranges);
    assert_int_equal(ranges, NODES + 1);
    struct cql_statement statement = {.prepared = prepare(session, "INSERT k"),
                                      .values = "\0\0\0\4\0\0\0\1",
                                      .values_length = 8,
                                      .value_count = 1};
    assert_int_equal(statement.prepared->key_count, 1);
    while (served(&peers[1]) == 0) { /* until its connection is open */
        send_many(session, &statement, 100, 1);
    }
    uint32_t before[NODES];
    for (size_t at = 0; at < NODES; at++) {
        before[at] = served(&peers[at]);
    }
    send_many(session, &statement, 100, 40);
    assert_int_equal(served(&peers[0]) - before[0], 0);
    assert_int_equal(served(&peers[1]) - before[1] + served(&peers[2]) - before[2], 40);
    cql_session_close(session);
    cql_peer_stop_all(peers, NODES);
}

static void old_peers_are_read_too(void **state)
{
    (void)state;
    struct cql_peer peers[NODES];
    make_nodes(peers);
    for (size_t at = 0; at < NODES; at++) {
        peers[at].old_peers = true;
        peers[at].version_max = 4;
    }
    peers[2].dc = "dc2";
    cql_peer_start_all(peers, NODES);
    struct cql_session *session = open_session((struct cql_session_options){0}, &peers[0]);
    struct cql_cluster cluster = cql_session_cluster(session);
    assert_int_equal(cluster.node_count, 3);
    assert_int_equal(cluster.local_node_count, 2);
    assert_string_equal(cluster.local_dc, "dc1");
    struct error error = {0};
    assert_int_equal(cql_session_agree(session, &error), STATUS_OK);
    cql_session_close(session);
    session = open_session((struct cql_session_options){.local_dc = "dc2"}, &peers[0]);
    send_many(session, &some_query, 100, 10);
    assert_int_equal(cql_session_cluster(session).local_node_count, 1);
    cql_session_close(session);
    cql_peer_stop_all(peers, NODES);
}

/* Every node answers EXECUTE like this, once; `context` counts. */
static void answer_once(struct cql_peer *peer, const struct cql_peer_request *request,
                        struct buffer *out, int32_t code, const struct buffer *more)
{
    _Atomic int *count = peer->context;
    if (request->opcode == CQL_PREPARE) {
        cql_peer_say_prepared(out, request);
    } else if (atomic_fetch_add(count, 1) > 0) {
        cql_peer_say_void(out, request);
    } else if (code == CQL_UNPREPARED) {
        cql_peer_say_unprepared(out, request);
    } else {
        cql_peer_say_error(out, request, code, more);
    }
}

static void unavailable_once(struct cql_peer *peer, const struct cql_peer_request *request,
                             struct buffer *out)
{
    struct buffer more = {0};
    cql_write_short(&more, CQL_QUORUM);
    cql_write_int(&more, 2);
    cql_write_int(&more, 1);
    answer_once(peer, request, out, CQL_UNAVAILABLE, &more);
    buffer_free(&more);
}

static void bootstrapping_once(struct cql_peer *peer, const struct cql_peer_request *request,
                               struct buffer *out)
{
    answer_once(peer, request, out, CQL_BOOTSTRAPPING, NULL);
}

static void overloaded_once(struct cql_peer *peer, const struct cql_peer_request *request,
                            struct buffer *out)
{
    answer_once(peer, request, out, CQL_OVERLOADED, NULL);
}

static void unprepared_once(struct cql_peer *peer, const struct cql_peer_request *request,
                            struct buffer *out)
{
    answer_once(peer, request, out, CQL_UNPREPARED, NULL);
}

/* A node whose cache has no room for the statement. */
static void always_unprepared(struct cql_peer *peer, const struct cql_peer_request *request,
                              struct buffer *out)
{
    if (request->opcode == CQL_PREPARE) {
        cql_peer_say_prepared(out, request);
    } else if (request->opcode == CQL_EXECUTE) {
        cql_peer_say_unprepared(out, request);
    } else {
        struct cql_reader reader = cql_reader_of(request->body, request->length);
        struct text query = cql_read_long_string(&reader);
        assert_int_equal(query.length, strlen("SELECT k"));
        assert_memory_equal(query.data, "SELECT k", query.length);
        atomic_fetch_add((_Atomic int *)peer->context, 1);
        cql_peer_say_void(out, request);
    }
}

typedef void answer_function(struct cql_peer *, const struct cql_peer_request *, struct buffer *);

/* One call of a prepared statement against nodes that answer so. */
static enum status run_against(answer_function *answer, size_t nodes, struct cql_reply *reply,
                               struct error *error)
{
    struct cql_peer peers[NODES];
    _Atomic int count = 0;
    make_nodes(peers);
    for (size_t at = 0; at < nodes; at++) {
        peers[at].answer = answer;
        peers[at].context = &count;
    }
    cql_peer_start_all(peers, nodes);
    struct cql_session *session = open_session((struct cql_session_options){0}, &peers[0]);
    struct cql_statement statement = {.prepared = prepare(session, "SELECT k"),
                                      .values = "\0\0\0\4\0\0\0\1",
                                      .values_length = 8,
                                      .value_count = 1};
    struct cql_call call = call_of(&statement, NULL);
    enum status status = run(session, &call, reply, error);
    reply->node = NULL; /* gone with the session */
    cql_session_close(session);
    cql_peer_stop_all(peers, nodes);
    return status;
}

static void what_was_not_done_is_tried_elsewhere(void **state)
{
    (void)state;
    struct cql_reply reply;
    struct error error = {0};
    assert_int_equal(run_against(unavailable_once, NODES, &reply, &error), STATUS_OK);
    assert_int_equal(reply.attempts, 2);
    assert_int_equal(run_against(bootstrapping_once, NODES, &reply, &error), STATUS_OK);
    assert_int_equal(reply.attempts, 2);
    assert_int_equal(run_against(unavailable_once, 1, &reply, &error), STATUS_FAILED);
    assert_int_equal(reply.failure, CQL_FAILURE_UNAVAILABLE);
    assert_false(reply.may_have_happened);
    assert_int_equal(reply.cause.required, 2);
    assert_contains(error.message, "QUORUM: 1 of 2 replicas alive");
}

static void what_may_have_been_done_is_told(void **state)
{
    (void)state;
    struct cql_reply reply;
    struct error error = {0};
    assert_int_equal(run_against(overloaded_once, NODES, &reply, &error), STATUS_FAILED);
    assert_int_equal(reply.failure, CQL_FAILURE_OVERLOADED);
    assert_int_equal(reply.attempts, 1);
    assert_true(reply.may_have_happened);
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
}

static void statements_are_prepared_again(void **state)
{
    (void)state;
    struct cql_reply reply;
    struct error error = {0};
    assert_int_equal(run_against(unprepared_once, 1, &reply, &error), STATUS_OK);
    assert_int_equal(reply.attempts, 2);
}

static void a_statement_that_is_always_forgotten_goes_as_a_text(void **state)
{
    (void)state;
    struct cql_reply reply;
    struct error error = {0};
    assert_int_equal(run_against(always_unprepared, 1, &reply, &error), STATUS_OK);
    assert_int_equal(reply.attempts, 5);
}

/* ---------------------------------------------------------------- losses */

/* Answers nothing but PREPARE. */
static void stay_silent(struct cql_peer *peer, const struct cql_peer_request *request,
                        struct buffer *out)
{
    (void)peer;
    if (request->opcode == CQL_PREPARE) {
        cql_peer_say_prepared(out, request);
    }
}

static void no_answer_in_time_is_told(void **state)
{
    (void)state;
    struct cql_peer peer = {.answer = stay_silent};
    cql_peer_start(&peer);
    struct cql_session *session = open_session((struct cql_session_options){0}, &peer);
    struct cql_reply reply;
    struct error error = {0};
    struct cql_call call = call_of(&some_query, NULL);
    call.deadline_ms = clock_boottime_ms() + 100;
    call.tag = &peer;
    assert_int_equal(run(session, &call, &reply, &error), STATUS_FAILED);
    assert_int_equal(reply.failure, CQL_FAILURE_LATE);
    assert_true(reply.may_have_happened);
    assert_ptr_equal(reply.tag, &peer);
    assert_true(clock_boottime_ms() >= call.deadline_ms);
    call.deadline_ms = clock_boottime_ms() - 1;
    uint32_t before = atomic_load(&peer.requests[CQL_QUERY]);
    assert_int_equal(run(session, &call, &reply, &error), STATUS_FAILED);
    assert_int_equal(reply.failure, CQL_FAILURE_LATE);
    assert_false(reply.may_have_happened);
    assert_int_equal(atomic_load(&peer.requests[CQL_QUERY]), before);
    cql_session_close(session);
    cql_peer_stop(&peer);
}

static void a_lost_connection_leaves_outcomes_unknown(void **state)
{
    (void)state;
    enum { CALLS = 5 };
    struct cql_peer peer = {.answer = stay_silent};
    cql_peer_start(&peer);
    struct cql_session *session = open_session((struct cql_session_options){0}, &peer);
    struct cql_reply reply;
    struct error error = {0};
    struct cql_call call = call_of(&some_query, NULL);
    for (int at = 0; at < CALLS; at++) {
        assert_int_equal(cql_session_send(session, &call, &error), STATUS_OK);
    }
    cql_session_flush(session);
    while (atomic_load(&peer.requests[CQL_QUERY]) < 3 + CALLS) {
        clock_sleep_ms(1);
    }
    atomic_store(&peer.cut, true);
    for (int at = 0; at < CALLS; at++) {
        assert_int_equal(cql_session_poll(session, PATIENCE_MS, &reply, &error), STATUS_FAILED);
        assert_int_equal(reply.failure, CQL_FAILURE_LOST);
        assert_true(reply.may_have_happened);
    }
    atomic_store(&peer.cut, false);
    peer.answer = NULL;
    enum status status;
    do { /* the first attempts may come too early */
        call.deadline_ms = clock_boottime_ms() + PATIENCE_MS;
        status = run(session, &call, &reply, &error);
        assert_true(status == STATUS_OK || reply.failure == CQL_FAILURE_NO_HOST ||
                    reply.failure == CQL_FAILURE_LOST);
    } while (status != STATUS_OK);
    cql_session_close(session);
    cql_peer_stop(&peer);
}

static void nodes_that_are_gone_are_done_without(void **state)
{
    (void)state;
    struct cql_peer peers[NODES];
    make_nodes(peers);
    cql_peer_start_all(peers, NODES);
    struct cql_session *session = open_session((struct cql_session_options){0}, &peers[0]);
    struct cql_statement statement = {.prepared = prepare(session, "INSERT k"),
                                      .values = "\0\0\0\4\0\0\0\1",
                                      .values_length = 8,
                                      .value_count = 1};
    send_many(session, &statement, 100, 20);
    cql_peer_stop(&peers[0]); /* the contact point, where events come from */
    cql_peer_stop(&peers[1]);
    struct cql_reply reply;
    struct error error = {0};
    int lost = 0;
    for (int at = 0; at < 20; at++) {
        int64_t token = 100;
        struct cql_call call = call_of(&statement, &token);
        if (run(session, &call, &reply, &error) != STATUS_OK) {
            assert_int_equal(reply.failure, CQL_FAILURE_LOST);
            lost++;
        }
    }
    assert_true(lost <= 2);
    uint32_t before = served(&peers[2]);
    send_many(session, &statement, 100, 20);
    assert_int_equal(served(&peers[2]) - before, 20);
    cql_peer_start(&peers[1]);
    before = served(&peers[1]);
    while (served(&peers[1]) == before) {
        send_many(session, &statement, 100, 1);
    }
    cql_session_close(session);
    cql_peer_stop(&peers[1]);
    cql_peer_stop(&peers[2]);
}

/* ---------------------------------------------------------------- much at once */

static void many_calls_are_under_way(void **state)
{
    (void)state;
    enum { CALLS = 20000, BOUND = 700 };
    struct cql_peer peers[NODES];
    make_nodes(peers);
    cql_peer_start_all(peers, NODES);
    struct cql_session *session =
        open_session((struct cql_session_options){.under_way_max = BOUND}, &peers[0]);
    struct cql_statement statement = {.prepared = prepare(session, "INSERT k"),
                                      .values = "\0\0\0\4\0\0\0\1",
                                      .values_length = 8,
                                      .value_count = 1};
    static char seen[CALLS];
    struct error error = {0};
    int sent = 0;
    for (int got = 0; got < CALLS;) {
        struct cql_reply reply;
        int64_t token = sent * INT64_C(7919);
        struct cql_call call = call_of(&statement, &token);
        call.tag = &seen[sent < CALLS ? sent : 0];
        enum status status = sent < CALLS ? cql_session_send(session, &call, &error) : STATUS_AGAIN;
        if (status == STATUS_OK) {
            sent++;
            continue;
        }
        assert_true(cql_session_under_way(session) == BOUND || sent == CALLS);
        while ((status = cql_session_poll(session, got < sent ? 100 : 0, &reply, &error)) ==
               STATUS_OK) {
            assert_int_equal(*(char *)reply.tag, 0);
            *(char *)reply.tag = 1;
            got++;
            if (cql_session_under_way(session) < BOUND / 2 && sent < CALLS) {
                break;
            }
        }
        assert_int_not_equal(status, STATUS_FAILED);
    }
    assert_int_equal(cql_session_under_way(session), 0);
    cql_session_close(session);
    cql_peer_stop_all(peers, NODES);
}

static void batches_are_sent(void **state)
{
    (void)state;
    struct cql_peer peer = {0};
    cql_peer_start(&peer);
    struct cql_session *session = open_session((struct cql_session_options){0}, &peer);
    struct cql_statement statements[2] = {{.prepared = prepare(session, "INSERT k"),
                                           .values = "\0\0\0\4\0\0\0\1",
                                           .values_length = 8,
                                           .value_count = 1},
                                          {.text = "INSERT INTO ks.t (k) VALUES (2)"}};
    struct cql_call call = call_of(statements, NULL);
    struct cql_reply reply;
    struct error error = {0};
    call.statement_count = 2;
    assert_int_equal(cql_session_send(session, &call, &error), STATUS_FAILED);
    call.batch = CQL_BATCH_OF_UNLOGGED;
    assert_int_equal(run(session, &call, &reply, &error), STATUS_OK);
    assert_int_equal(atomic_load(&peer.requests[CQL_BATCH]), 1);
    cql_session_close(session);
    cql_peer_stop(&peer);
}

/* A large value comes and goes in many segments. */
static void echo(struct cql_peer *peer, const struct cql_peer_request *request, struct buffer *out)
{
    (void)peer;
    struct buffer body = {0};
    struct cql_reader reader = cql_reader_of(request->body, request->length);
    (void)cql_read_long_string(&reader);
    (void)cql_read_short(&reader);
    (void)cql_read_int(&reader);
    (void)cql_read_short(&reader);
    struct cql_value value = cql_read_value(&reader);
    assert_false(reader.failed);
    cql_write_int(&body, CQL_RESULT_ROWS);
    cql_write_int(&body, 1);
    cql_write_int(&body, 1);
    cql_write_string(&body, (struct text){"ks", 2});
    cql_write_string(&body, (struct text){"t", 1});
    cql_write_string(&body, (struct text){"v", 1});
    cql_write_short(&body, 3);
    cql_write_int(&body, 1);
    cql_write_value(&body, value.data, value.length);
    cql_peer_say(out, request, CQL_RESULT, &body);
    buffer_free(&body);
}

static void large_values_go_both_ways(void **state)
{
    (void)state;
    enum { LARGE = 3000000 };
    struct random random = random_start();
    struct buffer values = {0};
    size_t begin = cql_write_begin(&values);
    for (size_t at = 0; at < LARGE; at++) {
        buffer_append_byte(&values, (char)(at % 3000 < 1000 ? random_bits(&random) : 'x'));
    }
    cql_write_end(&values, begin);
    for (int lz4 = 0; lz4 < 2; lz4++) {
        struct cql_peer peer = {.answer = echo, .lz4 = lz4};
        cql_peer_start(&peer);
        struct cql_session *session =
            open_session((struct cql_session_options){.compression = true}, &peer);
        struct cql_statement statement = {.text = "SELECT v FROM ks.t WHERE v = ?",
                                          .values = values.data,
                                          .values_length = values.length,
                                          .value_count = 1};
        struct cql_call call = call_of(&statement, NULL);
        struct cql_reply reply;
        struct cql_value value;
        struct error error = {0};
        assert_int_equal(run(session, &call, &reply, &error), STATUS_OK);
        assert_int_equal(cql_rows_next(&reply.response.rows, &value), STATUS_OK);
        assert_int_equal(value.length, LARGE);
        assert_memory_equal(value.data, values.data + begin, LARGE);
        cql_session_close(session);
        cql_peer_stop(&peer);
    }
    buffer_free(&values);
}

static void shards_get_connections_of_their_own(void **state)
{
    (void)state;
    struct cql_peer peer = {.version_max = 4, .shard_count = 4, .tokens = {0}, .token_count = 1};
    cql_peer_start(&peer);
    struct cql_session *session = open_session((struct cql_session_options){0}, &peer);
    int64_t deadline_ms = clock_monotonic_ms() + 20000;
    for (int at = 0; clock_monotonic_ms() < deadline_ms && atomic_load(&peer.accepted) < 5; at++) {
        send_many(session, &some_query, (int64_t)at << 45, 1); /* with 12 bits ignored */
    }
    assert_int_equal(atomic_load(&peer.accepted), 5); /* one of a lower version */
    cql_session_close(session);
    cql_peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_negotiated),
        cmocka_unit_test(answers_may_come_in_any_pieces),
        cmocka_unit_test(passwords_are_given_to_those_who_ask),
        cmocka_unit_test(nodes_that_do_not_fit_are_told_apart),
        cmocka_unit_test(broken_answers_break_the_connection),
        cmocka_unit_test(nobody_there_is_said),
        cmocka_unit_test(calls_go_to_replicas),
        cmocka_unit_test(old_peers_are_read_too),
        cmocka_unit_test(what_was_not_done_is_tried_elsewhere),
        cmocka_unit_test(what_may_have_been_done_is_told),
        cmocka_unit_test(statements_are_prepared_again),
        cmocka_unit_test(a_statement_that_is_always_forgotten_goes_as_a_text),
        cmocka_unit_test(no_answer_in_time_is_told),
        cmocka_unit_test(a_lost_connection_leaves_outcomes_unknown),
        cmocka_unit_test(nodes_that_are_gone_are_done_without),
        cmocka_unit_test(many_calls_are_under_way),
        cmocka_unit_test(batches_are_sent),
        cmocka_unit_test(large_values_go_both_ways),
        cmocka_unit_test(shards_get_connections_of_their_own),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
