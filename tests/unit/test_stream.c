/* Streams with both ends in this process, in plaintext and with TLS. */
#include "base/clock.h"
#include "base/memory.h"
#include "net/stream.h"
#include "support.h"
#include "support_certificates.h"
#include "support_listener.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PATIENCE_MS = 20000, LARGE_BYTES = 12 * 1024 * 1024 };

static struct test_authority *authority;
static struct stream_tls *server_tls;
static struct stream_tls *client_tls;
static struct stream_listener *listener;

static struct stream_tls *make_tls(const struct stream_tls_options *options)
{
    struct error error = {0};
    struct stream_tls *tls = NULL;
    if (stream_tls_create(options, &tls, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    return tls;
}

static int set_up(void **state)
{
    struct error error = {0};
    (void)state;
    authority = test_authority_create(test_folder());
    server_tls = make_tls(&(struct stream_tls_options){
        .server = true,
        .certificate_file =
            test_authority_sign(authority, "good", "DNS:localhost,IP:127.0.0.1", 2)});
    client_tls = make_tls(&(struct stream_tls_options){.ca_file = test_authority_file(authority)});
    return stream_listen(0, &listener, &error) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    stream_listener_destroy(listener);
    stream_tls_destroy(server_tls);
    stream_tls_destroy(client_tls);
    test_authority_destroy(authority);
    return 0;
}

static int64_t soon(void)
{
    return clock_boottime_ms() + PATIENCE_MS;
}

struct pair {
    struct stream *client;
    struct stream *server;
};

/* Connects and accepts; both are driven until `client` is open or failed, which it returns. */
static enum status connect_pair(const struct stream_tls *to, const struct stream_tls *from,
                                const char *host, struct pair *pair, struct error *error)
{
    const struct stream_options options = {
        .host = host, .port = stream_listener_port(listener), .tls = to, .deadline_ms = soon()};
    struct error other = {0};
    *pair = (struct pair){0};
    assert_int_equal(stream_open(&options, &pair->client, error), STATUS_OK);
    for (;;) {
        enum status status = stream_ready(pair->client, error);
        enum status there = STATUS_AGAIN;
        if (pair->server == NULL) {
            there = stream_accept(listener, from, 0, soon(), &pair->server, &other);
            assert_int_not_equal(there, STATUS_FAILED);
            there = STATUS_AGAIN;
        } else {
            there = stream_ready(pair->server, &other);
        }
        if (status == STATUS_FAILED || (status == STATUS_OK && there != STATUS_AGAIN)) {
            return status;
        }
        struct stream_wait waits[] = {{.stream = pair->client, .to_write = true},
                                      {.stream = pair->server, .to_write = true}};
        assert_int_not_equal(stream_poll(waits, pair->server != NULL ? 2 : 1, 100, &other),
                             STATUS_FAILED);
    }
}

static void close_pair(struct pair *pair)
{
    stream_destroy(pair->client);
    stream_destroy(pair->server);
}

static struct pair open_pair(bool tls)
{
    struct pair pair;
    struct error error = {0};
    if (connect_pair(tls ? client_tls : NULL, tls ? server_tls : NULL, "127.0.0.1", &pair,
                     &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    return pair;
}

/* ---------------------------------------------------------------- bytes */

static void expect_failure(enum status status, const struct error *error, enum error_code code,
                           const char *words)
{
    if (status != STATUS_FAILED || error->code != code || strstr(error->message, words) == NULL) {
        fail_msg("status %d, %s: %s", status, error_describe(error->code)->name, error->message);
    }
    assert_int_equal(error->class, error_describe(code)->class);
}

static void check_words_and_ends(bool tls)
{
    struct error error = {0};
    struct pair pair = open_pair(tls);
    char word[5];
    size_t got = 0;
    assert_int_equal(stream_read(pair.server, word, sizeof word, &got, &error), STATUS_AGAIN);
    assert_int_equal(stream_write_all(pair.client, "hello", 5, soon(), &error), STATUS_OK);
    assert_int_equal(stream_read_all(pair.server, word, 5, soon(), &error), STATUS_OK);
    assert_memory_equal(word, "hello", 5);
    assert_int_equal(stream_end_writing(pair.client, soon(), &error), STATUS_OK);
    assert_int_equal(stream_read_some(pair.server, word, 5, soon(), &got, &error), STATUS_END);
    /* the other direction goes on */
    assert_int_equal(stream_write_all(pair.server, "there", 5, soon(), &error), STATUS_OK);
    assert_int_equal(stream_read_all(pair.client, word, 5, soon(), &error), STATUS_OK);
    assert_memory_equal(word, "there", 5);
    assert_int_equal(stream_write(pair.client, "x", 1, &got, &error), STATUS_FAILED);
    close_pair(&pair);
}

static void words_and_ends_of_both_directions(void **state)
{
    (void)state;
    check_words_and_ends(false);
    check_words_and_ends(true);
}

static char byte_at(size_t at, bool client)
{
    return (char)(at * 31 + at / 4096 + client);
}

struct half {
    struct stream *stream;
    bool client;
    char *data;
    size_t written;
    size_t received;
};

static void go_on(struct half *half, const struct stream_wait *wait)
{
    struct error error = {0};
    char bytes[70000];
    size_t count = 0;
    if (!wait->ready) {
        return;
    }
    while (half->written < LARGE_BYTES &&
           stream_write(half->stream, half->data + half->written, LARGE_BYTES - half->written,
                        &count, &error) == STATUS_OK) {
        half->written += count;
    }
    while (stream_read(half->stream, bytes, sizeof bytes, &count, &error) == STATUS_OK) {
        for (size_t i = 0; i < count; i++) {
            if (bytes[i] != byte_at(half->received + i, !half->client)) {
                fail_msg("byte %zu is wrong", half->received + i);
            }
        }
        half->received += count;
    }
    assert_int_equal(error.code, ERROR_NONE);
}

/* Both sides write until no room is left, and read meanwhile. */
static void check_large(bool tls)
{
    struct error error = {0};
    struct pair pair = open_pair(tls);
    struct half halves[2] = {{.stream = pair.client, .client = true}, {.stream = pair.server}};
    for (int i = 0; i < 2; i++) {
        halves[i].data = memory_allocate(LARGE_BYTES);
        for (size_t at = 0; at < LARGE_BYTES; at++) {
            halves[i].data[at] = byte_at(at, halves[i].client);
        }
    }
    while (halves[0].received < LARGE_BYTES || halves[1].received < LARGE_BYTES) {
        struct stream_wait waits[2];
        for (int i = 0; i < 2; i++) {
            waits[i] = (struct stream_wait){.stream = halves[i].stream,
                                            .to_read = true,
                                            .to_write = halves[i].written < LARGE_BYTES};
        }
        assert_int_equal(stream_poll(waits, 2, PATIENCE_MS, &error), STATUS_OK);
        go_on(&halves[0], &waits[0]);
        go_on(&halves[1], &waits[1]);
    }
    free(halves[0].data);
    free(halves[1].data);
    close_pair(&pair);
}

static void large_transfers_both_ways(void **state)
{
    (void)state;
    check_large(false);
    check_large(true);
}

/* ---------------------------------------------------------------- faults */

static void check_close_in_mid_read(bool tls)
{
    struct error error = {0};
    struct pair pair = open_pair(tls);
    char bytes[10];
    size_t got = 0;
    assert_int_equal(stream_write_all(pair.server, "half", 4, soon(), &error), STATUS_OK);
    stream_destroy(pair.server);
    pair.server = NULL;
    enum status status = stream_read_all(pair.client, bytes, 10, soon(), &error);
    expect_failure(status, &error, ERROR_NETWORK, "after 4 of 10 bytes");
    /* the failure stays */
    error_clear(&error);
    status = stream_write(pair.client, "x", 1, &got, &error);
    expect_failure(status, &error, ERROR_NETWORK, "after 4 of 10 bytes");
    close_pair(&pair);
}

static void a_peer_that_closes_in_mid_read(void **state)
{
    (void)state;
    check_close_in_mid_read(false);
    check_close_in_mid_read(true);
}

static void writing_to_a_closed_peer_fails(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct error error = {0};
        struct pair pair = open_pair(tls);
        char bytes[1000] = {0};
        enum status status = STATUS_OK;
        stream_destroy(pair.server);
        pair.server = NULL;
        for (int i = 0; i < 10000 && status == STATUS_OK; i++) {
            status = stream_write_all(pair.client, bytes, sizeof bytes, soon(), &error);
        }
        expect_failure(status, &error, ERROR_NETWORK, "");
        close_pair(&pair);
    }
}

/* The end of the connection is not the end of TLS: bytes may be missing. */
static void tls_cut_off_is_no_end(void **state)
{
    struct error error = {0};
    struct pair pair = open_pair(true);
    short events = 0;
    bool at_once = false;
    int64_t wake_ms = 0;
    const struct stream_options plain = {
        .host = "127.0.0.1", .port = stream_listener_port(listener), .deadline_ms = soon()};
    struct stream *client = NULL;
    struct stream *server = NULL;
    char byte;
    size_t got = 0;
    (void)state;
    int descriptor = stream_waits_for(pair.server, true, false, &events, &at_once, &wake_ms);
    assert_int_equal(shutdown(descriptor, SHUT_WR), 0);
    enum status status = stream_read_some(pair.client, &byte, 1, soon(), &got, &error);
    expect_failure(status, &error, ERROR_NETWORK, "TLS had not ended");
    close_pair(&pair);
    assert_int_equal(stream_connect(&plain, &client, &error), STATUS_OK);
    assert_int_equal(stream_accept(listener, server_tls, PATIENCE_MS, soon(), &server, &error),
                     STATUS_OK);
    stream_destroy(client);
    status = stream_read_some(server, &byte, 1, soon(), &got, &error);
    expect_failure(status, &error, ERROR_NETWORK, "while TLS was set up");
    stream_destroy(server);
}

static void deadlines_are_kept(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct error error = {0};
        struct pair pair = open_pair(tls);
        char byte;
        size_t got = 0;
        int64_t begun_ms = clock_boottime_ms();
        enum status status = stream_read_some(pair.client, &byte, 1, begun_ms + 150, &got, &error);
        expect_failure(status, &error, ERROR_NETWORK, "sent nothing in time");
        assert_in_range(clock_boottime_ms() - begun_ms, 150, 150 + PATIENCE_MS);
        size_t length = 64 * 1024 * 1024;
        char *much = memory_allocate_zeroed(1, length);
        status = stream_write_all(pair.server, much, length, clock_boottime_ms() + 150, &error);
        expect_failure(status, &error, ERROR_NETWORK, "took no more bytes in time");
        free(much);
        close_pair(&pair);
    }
    /* what is too late is not sent */
    struct error error = {0};
    struct pair pair = open_pair(false);
    char byte;
    size_t got = 0;
    enum status status = stream_write_all(pair.client, "x", 1, clock_boottime_ms() - 1, &error);
    expect_failure(status, &error, ERROR_NETWORK, "in time");
    assert_int_equal(stream_read(pair.server, &byte, 1, &got, &error), STATUS_AGAIN);
    close_pair(&pair);
}

static void a_handshake_that_never_ends(void **state)
{
    struct error error = {0};
    const struct stream_options options = {.host = "127.0.0.1",
                                           .port = stream_listener_port(listener),
                                           .tls = client_tls,
                                           .deadline_ms = clock_boottime_ms() + 200};
    struct stream *client = NULL;
    struct stream *server = NULL;
    (void)state;
    enum status status = stream_connect(&options, &client, &error);
    expect_failure(status, &error, ERROR_NETWORK, "no connection in time");
    assert_null(client);
    assert_int_equal(stream_accept(listener, NULL, PATIENCE_MS, soon(), &server, &error),
                     STATUS_OK);
    stream_destroy(server);
}

static void nobody_there(void **state)
{
    struct error error = {0};
    struct stream *client = NULL;
    (void)state;
    struct stream_options options = {.host = "127.0.0.1", .port = 1, .deadline_ms = soon()};
    enum status status = stream_connect(&options, &client, &error);
    expect_failure(status, &error, ERROR_NETWORK, "no connection");
    options.host = "no-such-host.invalid";
    options.plaintext_allowed = true;
    status = stream_connect(&options, &client, &error);
    expect_failure(status, &error, ERROR_NETWORK, "");
    options.plaintext_allowed = false;
    status = stream_open(&options, &client, &error);
    expect_failure(status, &error, ERROR_BAD_VALUE, "plaintext");
}

/* ---------------------------------------------------------------- certificates */

static void expect_refusal(const struct stream_tls *to, const struct stream_tls *from,
                           const char *host, const char *words)
{
    struct error error = {0};
    struct pair pair;
    expect_failure(connect_pair(to, from, host, &pair, &error), &error, ERROR_TLS, words);
    close_pair(&pair);
}

static struct stream_tls *server_with(const char *name, const char *alternatives, int days)
{
    return make_tls(&(struct stream_tls_options){
        .server = true,
        .certificate_file = test_authority_sign(authority, name, alternatives, days)});
}

static void wrong_certificates_are_refused(void **state)
{
    (void)state;
    struct stream_tls *other = server_with("other", "DNS:other.example", 2);
    struct stream_tls *old = server_with("old", "IP:127.0.0.1", -1);
    struct stream_tls *trusts_nobody = make_tls(&(struct stream_tls_options){0});
    expect_refusal(client_tls, other, "127.0.0.1", "must be for 127.0.0.1");
    expect_refusal(client_tls, other, "localhost", "must be for localhost");
    expect_refusal(client_tls, old, "127.0.0.1", "expired");
    expect_refusal(trusts_nobody, server_tls, "127.0.0.1", "certificate");
    stream_tls_destroy(other);
    stream_tls_destroy(old);
    stream_tls_destroy(trusts_nobody);
}

static void a_server_without_tls(void **state)
{
    struct error error = {0};
    struct stream *client = NULL;
    struct stream *server = NULL;
    enum status status = STATUS_OK;
    const struct stream_options options = {.host = "127.0.0.1",
                                           .port = stream_listener_port(listener),
                                           .tls = client_tls,
                                           .deadline_ms = soon()};
    (void)state;
    assert_int_equal(stream_open(&options, &client, &error), STATUS_OK);
    assert_int_equal(stream_accept(listener, NULL, PATIENCE_MS, soon(), &server, &error),
                     STATUS_OK);
    assert_int_equal(stream_write_all(server, "-ERR unknown command\r\n", 22, soon(), &error),
                     STATUS_OK);
    while ((status = stream_ready(client, &error)) == STATUS_AGAIN) {
        struct stream_wait wait = {.stream = client};
        assert_int_equal(stream_poll(&wait, 1, PATIENCE_MS, &error), STATUS_OK);
    }
    expect_failure(status, &error, ERROR_TLS, "does not speak TLS");
    stream_destroy(client);
    stream_destroy(server);
}

static void what_is_verified_is_reported(void **state)
{
    static const struct {
        enum stream_verify verify;
        enum stream_security security;
    } cases[] = {{STREAM_VERIFY_AUTHORITY, STREAM_AUTHORITY_VERIFIED},
                 {STREAM_VERIFY_NONE, STREAM_UNVERIFIED}};
    struct stream_tls *other = server_with("else", "DNS:other.example", 2);
    struct error error = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair pair;
        struct stream_tls *tls = make_tls(&(struct stream_tls_options){
            .ca_file =
                cases[i].verify == STREAM_VERIFY_NONE ? NULL : test_authority_file(authority),
            .verify = cases[i].verify});
        assert_int_equal(connect_pair(tls, other, "127.0.0.1", &pair, &error), STATUS_OK);
        assert_int_equal(stream_report(pair.client).security, cases[i].security);
        close_pair(&pair);
        stream_tls_destroy(tls);
    }
    struct pair pair = open_pair(true);
    struct stream_report report = stream_report(pair.client);
    assert_int_equal(report.security, STREAM_PEER_VERIFIED);
    assert_string_equal(report.protocol, "TLSv1.3");
    assert_non_null(report.cipher);
    close_pair(&pair);
    pair = open_pair(false);
    assert_int_equal(stream_report(pair.client).security, STREAM_PLAINTEXT_LOOPBACK);
    assert_null(stream_report(pair.client).protocol);
    close_pair(&pair);
    stream_tls_destroy(other);
}

static void clients_show_certificates_too(void **state)
{
    struct stream_tls *strict = make_tls(&(struct stream_tls_options){
        .server = true,
        .asks_for_peer = true,
        .ca_file = test_authority_file(authority),
        .certificate_file = test_authority_sign(authority, "both", "IP:127.0.0.1", 2)});
    struct stream_tls *client = make_tls(&(struct stream_tls_options){
        .ca_file = test_authority_file(authority),
        .certificate_file = test_authority_sign(authority, "me", "DNS:me", 2)});
    struct error error = {0};
    struct pair pair;
    char byte;
    size_t got = 0;
    (void)state;
    assert_int_equal(connect_pair(client, strict, "127.0.0.1", &pair, &error), STATUS_OK);
    assert_int_equal(stream_report(pair.server).security, STREAM_AUTHORITY_VERIFIED);
    close_pair(&pair);
    /* with TLS 1.3 the client learns of the refusal when it reads */
    assert_int_equal(connect_pair(client_tls, strict, "127.0.0.1", &pair, &error), STATUS_OK);
    enum status status = stream_read_some(pair.client, &byte, 1, soon(), &got, &error);
    expect_failure(status, &error, ERROR_TLS, "refuses");
    close_pair(&pair);
    stream_tls_destroy(client);
    stream_tls_destroy(strict);
}

static void files_that_are_none(void **state)
{
    struct error error = {0};
    struct stream_tls *tls = NULL;
    (void)state;
    const struct stream_tls_options missing = {.ca_file = "/nowhere/ca.pem"};
    assert_int_equal(stream_tls_create(&missing, &tls, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_BAD_VALUE);
    assert_string_equal(error.object, "/nowhere/ca.pem");
    const struct stream_tls_options no_pem = {.ca_file = "/proc/self/status"};
    assert_int_equal(stream_tls_create(&no_pem, &tls, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_BAD_VALUE);
    const struct stream_tls_options no_key = {.certificate_file = test_authority_file(authority)};
    assert_int_equal(stream_tls_create(&no_key, &tls, &error), STATUS_FAILED);
    assert_non_null(strstr(error.message, "key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_ends_of_both_directions),
        cmocka_unit_test(large_transfers_both_ways),
        cmocka_unit_test(a_peer_that_closes_in_mid_read),
        cmocka_unit_test(writing_to_a_closed_peer_fails),
        cmocka_unit_test(tls_cut_off_is_no_end),
        cmocka_unit_test(deadlines_are_kept),
        cmocka_unit_test(a_handshake_that_never_ends),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(wrong_certificates_are_refused),
        cmocka_unit_test(a_server_without_tls),
        cmocka_unit_test(what_is_verified_is_reported),
        cmocka_unit_test(clients_show_certificates_too),
        cmocka_unit_test(files_that_are_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
