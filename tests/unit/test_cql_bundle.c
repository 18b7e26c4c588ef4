/* Secure connect bundles: what is in the ZIP file, the metadata service, and nodes behind a proxy.
 */
#include "support_cql_peer.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "connectors/cassandra/protocol/cql_bundle.h"
#include "connectors/cassandra/protocol/cql_session.h"
#include "connectors/cassandra/protocol/cql_zip.h"
#include "support_certificates.h"
#include "support_listener.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PATIENCE_MS = 20000 };

/* ---------------------------------------------------------------- ZIP files */

static void put(struct buffer *to, uint64_t number, int bytes)
{
    uint8_t raw[8];
    bytes_put_le(raw, number, bytes);
    buffer_append(to, raw, (size_t)bytes);
}

struct zip {
    struct buffer bytes;
    struct buffer directory;
    uint16_t count;
};

static void zip_add(struct zip *zip, const char *name, const char *text, bool deflated)
{
    char packed[65536];
    size_t length = strlen(text);
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)text,
                       .avail_in = (uInt)length,
                       .next_out = (Bytef *)packed,
                       .avail_out = sizeof packed};
    size_t header_at = zip->bytes.length;
    size_t size = length;
    if (deflated) {
        assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        size = stream.total_out;
        deflateEnd(&stream);
    }
    for (int at = 0; at < 2; at++) { /* the local header, then the directory's entry */
        struct buffer *to = at == 0 ? &zip->bytes : &zip->directory;
        buffer_append_string(to, at == 0 ? "PK\3\4" : "PK\1\2");
        put(to, 20, at == 0 ? 2 : 4);
        put(to, 0, 2);
        put(to, deflated ? 8 : 0, 2);
        put(to, 0, 4);
        put(to, crc32(0, (const Bytef *)text, (uInt)length), 4);
        put(to, size, 4);
        put(to, length, 4);
        put(to, strlen(name), 2);
        put(to, 0, 2);
        if (at == 1) {
            put(to, 0, 8);
            put(to, 0, 2);
            put(to, header_at, 4);
        }
        buffer_append_string(to, name);
    }
    buffer_append(&zip->bytes, deflated ? packed : text, size);
    zip->count++;
}

static struct text zip_end(struct zip *zip, const char *comment)
{
    size_t directory_at = zip->bytes.length;
    buffer_append_buffer(&zip->bytes, &zip->directory);
    buffer_append_string(&zip->bytes, "PK\5\6");
    put(&zip->bytes, 0, 4);
    put(&zip->bytes, zip->count, 2);
    put(&zip->bytes, zip->count, 2);
    put(&zip->bytes, zip->directory.length, 4);
    put(&zip->bytes, directory_at, 4);
    put(&zip->bytes, strlen(comment), 2);
    buffer_append_string(&zip->bytes, comment);
    return (struct text){zip->bytes.data, zip->bytes.length};
}

static void zip_free(struct zip *zip)
{
    buffer_free(&zip->bytes);
    buffer_free(&zip->directory);
}

static void files_of_a_zip_are_read(void **state)
{
    (void)state;
    struct zip zip = {0};
    struct text file;
    struct error error = {0};
    struct arena *arena = arena_create(0);
    zip_add(&zip, "a.txt", "stored", false);
    zip_add(&zip, "./b.txt", "deflated deflated deflated deflated", true);
    zip_add(&zip, "empty", "", true);
    struct text bytes = zip_end(&zip, "a comment");
    assert_int_equal(cql_zip_read(bytes, "a.txt", arena, &file, &error), STATUS_OK);
    assert_string_equal(file.data, "stored");
    assert_int_equal(cql_zip_read(bytes, "b.txt", arena, &file, &error), STATUS_OK);
    assert_string_equal(file.data, "deflated deflated deflated deflated");
    assert_int_equal(cql_zip_read(bytes, "empty", arena, &file, &error), STATUS_OK);
    assert_int_equal(file.length, 0);
    assert_int_equal(cql_zip_read(bytes, "c.txt", arena, &file, &error), STATUS_END);
    arena_destroy(arena);
    zip_free(&zip);
}

/* Each byte changed, and each shorter file: read as it was, refused, or not found; never more. */
static void damaged_zips_are_refused(void **state)
{
    (void)state;
    struct zip zip = {0};
    struct text file;
    struct arena *arena = arena_create(0);
    zip_add(&zip, "a", "stored", false);
    zip_add(&zip, "b", "deflated deflated deflated deflated", true);
    struct text bytes = zip_end(&zip, "");
    for (size_t at = 0; at < bytes.length; at++) {
        struct error error = {0};
        char *changed = malloc(bytes.length);
        memcpy(changed, bytes.data, bytes.length);
        changed[at] = (char)(changed[at] ^ 0x55);
        for (int name = 0; name < 2; name++) {
            enum status status = cql_zip_read((struct text){changed, bytes.length},
                                              name == 0 ? "a" : "b", arena, &file, &error);
            if (status == STATUS_FAILED) {
                assert_int_equal(error.code, ERROR_BAD_VALUE);
            } else if (status == STATUS_OK) {
                assert_string_equal(file.data,
                                    name == 0 ? "stored" : "deflated deflated deflated deflated");
            }
            status = cql_zip_read((struct text){changed, at}, "a", arena, &file, &error);
            assert_int_equal(status, STATUS_FAILED);
        }
        free(changed);
        arena_reset(arena);
    }
    arena_destroy(arena);
    zip_free(&zip);
}

/* ---------------------------------------------------------------- the service */

static struct test_authority *authority;
static struct stream_tls *server_tls;
static struct stream_listener *service;
static const char *bundle_path;

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = calloc(1, 65536);
    assert_true(fread(bytes, 1, 65535, file) > 0);
    fclose(file);
    return bytes;
}

static void write_bundle(const char *folder)
{
    static char path[512];
    struct zip zip = {0};
    struct buffer config = {0};
    char *ca = read_whole(test_authority_file(authority));
    char *own = read_whole(test_authority_sign(authority, "client", "DNS:client", 2));
    buffer_format(&config, "{\"host\": \"localhost\", \"port\": %u, \"localDC\": \"dc1\"}",
                  stream_listener_port(service));
    zip_add(&zip, "config.json", buffer_string(&config), true);
    zip_add(&zip, "ca.crt", ca, true);
    zip_add(&zip, "cert", own, true);
    zip_add(&zip, "key", own, false);
    struct text bytes = zip_end(&zip, "");
    snprintf(path, sizeof path, "%s/bundle.zip", folder);
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite(bytes.data, 1, bytes.length, file), bytes.length);
    fclose(file);
    bundle_path = path;
    buffer_free(&config);
    zip_free(&zip);
    free(ca);
    free(own);
}

static int set_up(void **state)
{
    (void)state;
    struct error error = {0};
    const char *folder = test_folder();
    authority = test_authority_create(folder);
    const struct stream_tls_options options = {
        .server = true,
        .asks_for_peer = true,
        .ca_file = test_authority_file(authority),
        .certificate_file =
            test_authority_sign(authority, "proxy", "DNS:localhost,IP:127.0.0.1", 2)};
    if (stream_tls_create(&options, &server_tls, &error) != STATUS_OK ||
        stream_listen(0, &service, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    write_bundle(folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stream_listener_destroy(service);
    stream_tls_destroy(server_tls);
    test_authority_destroy(authority);
    return 0;
}

/* Answers one request with `user`, a whole HTTP answer. */
static void *serve_once(void *user)
{
    const char *answer = user;
    struct error error = {0};
    struct stream *stream = NULL;
    struct buffer request = {0};
    int64_t until_ms = clock_boottime_ms() + PATIENCE_MS;
    enum status status = stream_accept(service, server_tls, PATIENCE_MS, until_ms, &stream, &error);
    while (status == STATUS_OK && strstr(buffer_string(&request), "\r\n\r\n") == NULL) {
        char bytes[1024];
        size_t got;
        status = stream_read_some(stream, bytes, sizeof bytes, until_ms, &got, &error);
        buffer_append(&request, bytes, status == STATUS_OK ? got : 0);
    }
    if (status == STATUS_OK && strncmp(request.data, "GET /metadata HTTP/1.0\r\n", 24) == 0) {
        (void)!stream_write_all(stream, answer, strlen(answer), until_ms, &error);
    }
    stream_destroy(stream);
    buffer_free(&request);
    return NULL;
}

static enum status open_bundle(const char *answer, struct cql_bundle **bundle, struct error *error)
{
    pthread_t thread;
    error_clear(error);
    assert_int_equal(pthread_create(&thread, NULL, serve_once, (void *)(uintptr_t)answer), 0);
    enum status status = cql_bundle_open(bundle_path, PATIENCE_MS, bundle, error);
    pthread_join(thread, NULL);
    return status;
}

#define HOST_ID "01000000-0000-0000-0000-000000000000"

static void format_answer(char *answer, size_t capacity, uint16_t port)
{
    snprintf(answer, capacity,
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
             "{\"version\": 1, \"region\": \"here\", \"contact_info\": {\"type\": \"sni_proxy\", "
             "\"local_dc\": \"dc1\", \"contact_points\": [\"" HOST_ID "\"], "
             "\"sni_proxy_address\": \"127.0.0.1:%u\"}}",
             port);
}

static void a_session_goes_through_the_proxy(void **state)
{
    (void)state;
    struct cql_peer peer = {.tls = server_tls, .authenticator = "a.PasswordAuthenticator"};
    cql_peer_start(&peer);
    char answer[1024];
    struct cql_bundle *bundle;
    struct error error;
    format_answer(answer, sizeof answer, peer.port);
    if (open_bundle(answer, &bundle, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    assert_string_equal(cql_bundle_local_dc(bundle), "dc1");
    assert_string_equal(cql_bundle_contact(bundle, 0), HOST_ID);
    assert_int_equal(cql_bundle_proxy_port(bundle), peer.port);
    const struct cql_session_options options = {
        .bundle = bundle, .user = "user", .password = "secret"};
    struct cql_session *session;
    if (cql_session_open(&options, &session, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    assert_int_equal(cql_session_cluster(session).report.security, STREAM_AUTHORITY_VERIFIED);
    cql_session_close(session);
    cql_bundle_close(bundle);
    cql_peer_stop(&peer);
}

/* The first bytes that come to the proxy. */
static void *catch_greeting(void *user)
{
    struct stream_listener *proxy = user;
    static char bytes[4096];
    struct error error = {0};
    struct stream *stream = NULL;
    size_t got = 0;
    int64_t until_ms = clock_boottime_ms() + PATIENCE_MS;
    if (stream_accept(proxy, NULL, PATIENCE_MS, until_ms, &stream, &error) == STATUS_OK) {
        (void)!stream_read_some(stream, bytes, sizeof bytes, until_ms, &got, &error);
    }
    stream_destroy(stream);
    return memmem(bytes, got, HOST_ID, strlen(HOST_ID));
}

static void the_proxy_is_told_which_node_is_meant(void **state)
{
    (void)state;
    struct stream_listener *proxy;
    struct cql_bundle *bundle;
    struct cql_session *session;
    struct error error = {0};
    char answer[1024];
    pthread_t thread;
    void *found;
    assert_int_equal(stream_listen(0, &proxy, &error), STATUS_OK);
    format_answer(answer, sizeof answer, stream_listener_port(proxy));
    assert_int_equal(open_bundle(answer, &bundle, &error), STATUS_OK);
    assert_int_equal(pthread_create(&thread, NULL, catch_greeting, proxy), 0);
    const struct cql_session_options options = {.bundle = bundle};
    assert_int_equal(cql_session_open(&options, &session, &error), STATUS_FAILED);
    pthread_join(thread, &found);
    assert_non_null(found);
    cql_bundle_close(bundle);
    stream_listener_destroy(proxy);
}

static void answers_of_another_service_are_refused(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 404 Not Found\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n<html>",
        "HTTP/1.1 200 OK\r\n\r\n{\"contact_info\": {\"local_dc\": \"dc1\"}}",
        "HTTP/1.1 200 OK\r\n\r\n{\"contact_info\": {\"local_dc\": \"dc1\", \"contact_points\": "
        "[\"a\"], \"sni_proxy_address\": \"nowhere\"}}",
        "SSH-2.0",
    };
    for (size_t at = 0; at < sizeof answers / sizeof *answers; at++) {
        struct cql_bundle *bundle;
        struct error error;
        assert_int_equal(open_bundle(answers[at], &bundle, &error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_NETWORK_ANSWER);
    }
}

static void other_files_are_no_bundles(void **state)
{
    (void)state;
    struct cql_bundle *bundle;
    struct error error = {0};
    const char *path = test_authority_file(authority);
    assert_int_equal(cql_bundle_open(path, 1000, &bundle, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_BAD_VALUE);
    assert_string_equal(error.object, path);
    assert_int_equal(cql_bundle_open("/nowhere/b.zip", 1000, &bundle, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_BAD_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_a_zip_are_read),
        cmocka_unit_test(damaged_zips_are_refused),
        cmocka_unit_test(a_session_goes_through_the_proxy),
        cmocka_unit_test(the_proxy_is_told_which_node_is_meant),
        cmocka_unit_test(answers_of_another_service_are_refused),
        cmocka_unit_test(other_files_are_no_bundles),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
