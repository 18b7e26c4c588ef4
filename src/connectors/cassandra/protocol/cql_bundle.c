#include "connectors/cassandra/protocol/cql_bundle.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/secret.h"
#include "connectors/cassandra/protocol/cql_zip.h"
#include "model/json_tree.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    BUNDLE_BYTES_MAX = 1 << 20,
    ANSWER_BYTES_MAX = 1 << 20,
    CONTACTS_MAX = 1000,
    PATH_BYTES = 40
};

struct cql_bundle {
    struct stream_tls *tls;
    char *proxy_host;
    uint16_t proxy_port;
    char *local_dc;
    char **contacts;
    size_t contact_count;
};

void cql_bundle_close(struct cql_bundle *bundle)
{
    if (bundle == NULL) {
        return;
    }
    for (size_t at = 0; at < bundle->contact_count; at++) {
        free(bundle->contacts[at]);
    }
    stream_tls_destroy(bundle->tls);
    free(bundle->contacts);
    free(bundle->proxy_host);
    free(bundle->local_dc);
    free(bundle);
}

const struct stream_tls *cql_bundle_tls(const struct cql_bundle *bundle)
{
    return bundle->tls;
}

const char *cql_bundle_proxy_host(const struct cql_bundle *bundle)
{
    return bundle->proxy_host;
}

uint16_t cql_bundle_proxy_port(const struct cql_bundle *bundle)
{
    return bundle->proxy_port;
}

const char *cql_bundle_local_dc(const struct cql_bundle *bundle)
{
    return bundle->local_dc;
}

size_t cql_bundle_contact_count(const struct cql_bundle *bundle)
{
    return bundle->contact_count;
}

const char *cql_bundle_contact(const struct cql_bundle *bundle, size_t index)
{
    return bundle->contacts[index];
}

/* ---------------------------------------------------------------- the file */

static enum status read_part(struct text zip, const char *name, struct arena *arena,
                             struct text *part, struct error *error)
{
    enum status status = cql_zip_read(zip, name, arena, part, error);
    return status == STATUS_END
               ? error_set(error, ERROR_BAD_VALUE, NULL, "there is no %s in the bundle", name)
               : status;
}

/* A file in memory only, with a path that OpenSSL can open. -1: there is none. */
static int cql_bundle_hold(struct text bytes, char path[PATH_BYTES])
{
    struct error ignored;
    int descriptor = memfd_create("bundle", MFD_CLOEXEC);
    snprintf(path, PATH_BYTES, "/proc/self/fd/%d", descriptor);
    if (descriptor >= 0 &&
        file_write_all(descriptor, bytes.data, bytes.length, path, &ignored) != STATUS_OK) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

/* The proxy's certificate is another one's than the node's that is meant: what counts is that the
 * bundle's own authority signed it. */
static enum status make_tls(struct text zip, struct arena *arena, struct stream_tls **tls,
                            struct error *error)
{
    static const char *const names[] = {"ca.crt", "cert", "key"};
    char paths[3][PATH_BYTES];
    int descriptors[3] = {-1, -1, -1};
    enum status status = STATUS_OK;
    for (int at = 0; at < 3 && status == STATUS_OK; at++) {
        struct text part;
        status = read_part(zip, names[at], arena, &part, error);
        if (status == STATUS_OK) {
            descriptors[at] = cql_bundle_hold(part, paths[at]);
            secret_wipe((char *)(uintptr_t)part.data, part.length);
        }
    }
    if (status == STATUS_OK) {
        const struct stream_tls_options options = {.ca_file = paths[0],
                                                   .certificate_file = paths[1],
                                                   .key_file = paths[2],
                                                   .verify = STREAM_VERIFY_AUTHORITY};
        status = stream_tls_create(&options, tls, error);
    }
    for (int at = 0; at < 3; at++) {
        if (descriptors[at] >= 0) {
            close(descriptors[at]);
        }
    }
    return status;
}

/* Where the metadata service is. */
static enum status read_config(struct text zip, struct arena *arena, const char **host,
                               uint16_t *port, struct error *error)
{
    struct text config;
    if (read_part(zip, "config.json", arena, &config, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_t *tree = json_tree_load(config.data, config.length, 0, NULL);
    const char *name = json_string_value(json_object_get(tree, "host"));
    json_int_t number = json_integer_value(json_object_get(tree, "port"));
    enum status status = STATUS_OK;
    if (name == NULL || number < 1 || number > UINT16_MAX) {
        status = error_set(error, ERROR_BAD_VALUE, NULL,
                           "config.json in the bundle has no host and port");
    } else {
        *host = arena_copy_string(arena, name);
        *port = (uint16_t)number;
    }
    json_decref(tree);
    return status;
}

/* ---------------------------------------------------------------- the metadata service */

/* GET /metadata: the whole answer, in HTTP/1.0, which ends with the connection. */
static enum status cql_bundle_fetch(const struct cql_bundle *bundle, const char *host,
                                    uint16_t port, int64_t deadline_ms, struct buffer *answer,
                                    struct error *error)
{
    const struct stream_options options = {
        .host = host, .port = port, .tls = bundle->tls, .deadline_ms = deadline_ms};
    struct stream *stream = NULL;
    struct buffer request = {0};
    buffer_format(&request, "GET /metadata HTTP/1.0\r\nHost: %s:%u\r\nAccept: */*\r\n\r\n", host,
                  port);
    enum status status = stream_connect(&options, &stream, error);
    if (status == STATUS_OK) {
        status = stream_write_all(stream, request.data, request.length, deadline_ms, error);
    }
    while (status == STATUS_OK && answer->length <= ANSWER_BYTES_MAX) {
        char bytes[4096];
        size_t got;
        status = stream_read_some(stream, bytes, sizeof bytes, deadline_ms, &got, error);
        buffer_append(answer, bytes, status == STATUS_OK ? got : 0);
    }
    stream_destroy(stream);
    buffer_free(&request);
    return status == STATUS_FAILED ? status : STATUS_OK;
}

static bool take_contacts(struct cql_bundle *bundle, const json_t *points)
{
    size_t count = json_array_size(points);
    if (count == 0 || count > CONTACTS_MAX) {
        return false;
    }
    bundle->contacts = memory_allocate_zeroed(count, sizeof(char *));
    for (size_t at = 0; at < count; at++) {
        const char *id = json_string_value(json_array_get(points, at));
        if (id == NULL || strlen(id) > 64) {
            return false;
        }
        bundle->contacts[bundle->contact_count++] = memory_copy_string(id);
    }
    return true;
}

/* "host:port" */
static bool take_proxy(struct cql_bundle *bundle, const char *address)
{
    const char *colon = address != NULL ? strrchr(address, ':') : NULL;
    uint64_t port;
    if (colon == NULL || colon == address ||
        text_to_uint64(colon + 1, strlen(colon + 1), &port) != STATUS_OK || port == 0 ||
        port > UINT16_MAX) {
        return false;
    }
    bundle->proxy_host = memory_copy_bytes(address, (size_t)(colon - address));
    bundle->proxy_port = (uint16_t)port;
    return true;
}

static enum status take_metadata(struct cql_bundle *bundle, struct buffer *answer, const char *host,
                                 struct error *error)
{
    const char *text = buffer_string(answer);
    const char *body = strstr(text, "\r\n\r\n");
    if (strncmp(text, "HTTP/1.", 7) != 0 || strncmp(text + 8, " 200", 4) != 0 || body == NULL) {
        return error_set(error, ERROR_NETWORK_ANSWER, host,
                         "the metadata service answers \"%.40s\"", text);
    }
    json_t *tree = json_tree_load(body + 4, answer->length - (size_t)(body + 4 - text), 0, NULL);
    const json_t *info = json_object_get(tree, "contact_info");
    const char *dc = json_string_value(json_object_get(info, "local_dc"));
    bool good = dc != NULL && take_contacts(bundle, json_object_get(info, "contact_points")) &&
                take_proxy(bundle, json_string_value(json_object_get(info, "sni_proxy_address")));
    bundle->local_dc = memory_copy_string(dc != NULL ? dc : "");
    json_decref(tree);
    return good ? STATUS_OK
                : error_set(error, ERROR_NETWORK_ANSWER, host,
                            "the metadata service's answer has no proxy and contact points");
}

static enum status ask_service(struct cql_bundle *bundle, struct text zip, struct arena *arena,
                               int64_t timeout_ms, struct error *error)
{
    const char *host = "";
    uint16_t port = 0;
    struct buffer answer = {0};
    enum status status = read_config(zip, arena, &host, &port, error);
    if (status == STATUS_OK) {
        status = make_tls(zip, arena, &bundle->tls, error);
    }
    if (status == STATUS_OK) {
        status =
            cql_bundle_fetch(bundle, host, port, clock_boottime_ms() + timeout_ms, &answer, error);
    }
    if (status == STATUS_OK) {
        status = take_metadata(bundle, &answer, host, error);
    }
    buffer_free(&answer);
    return status;
}

enum status cql_bundle_open(const char *path, int64_t timeout_ms, struct cql_bundle **bundle,
                            struct error *error)
{
    struct arena *arena = arena_create(0);
    struct cql_bundle *new = memory_allocate_zeroed(1, sizeof *new);
    char *bytes = NULL;
    size_t length = 0;
    enum status status = file_read_all(path, BUNDLE_BYTES_MAX, arena, &bytes, &length, error);
    if (status == STATUS_END) {
        status = error_set(error, ERROR_BAD_VALUE, path, "there is no such file");
    } else if (status == STATUS_FAILED) {
        (void)error_recode(error, ERROR_BAD_VALUE);
    } else {
        status = ask_service(new, (struct text){bytes, length}, arena, timeout_ms, error);
        secret_wipe(bytes, length);
    }
    if (status == STATUS_OK) {
        *bundle = new;
    } else {
        if (error != NULL && error->object[0] == '\0') {
            snprintf(error->object, sizeof error->object, "%s", path);
        }
        cql_bundle_close(new);
    }
    arena_destroy(arena);
    return status;
}
