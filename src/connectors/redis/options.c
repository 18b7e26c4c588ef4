/* Options of a URI: where the servers are, TLS, login, what is written how. */
#include "connectors/redis/redis.h"

#include "base/secret.h"
#include "base/text.h"
#include "connectors/registry.h"
#include <stdlib.h>

enum {
    SEEDS_MAX = 32,
    PORT_DEFAULT = 6379,
    SENTINEL_PORT_DEFAULT = 26379,
    DATABASES_MAX = 1 << 20
};

static const char *option(const struct redis_database *self, const char *name)
{
    return uri_parameter(self->uri, &connector_redis, name);
}

static bool is_on(const struct redis_database *self, const char *name)
{
    const char *value = option(self, name);
    return value != NULL && (strcmp(value, "true") == 0 || strcmp(value, "yes") == 0);
}

static enum status redis_options_refuse(const struct redis_database *self, const char *what,
                                        struct error *error)
{
    error_set(error, ERROR_BAD_VALUE, self->uri->shown, "%s", what);
    return error_hint(error, "`transhume connectors redis` lists the options");
}

/* ---------------------------------------------------------------- servers */

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT. */
static bool read_seed(const char *text, size_t length, uint16_t port_default,
                      struct redis_place *seed)
{
    const char *end = text + length;
    const char *close = length > 0 && *text == '[' ? memchr(text, ']', length) : NULL;
    const char *colon = close != NULL ? close + 1 : memchr(text, ':', length);
    uint64_t port = port_default;
    colon = colon != NULL && colon < end && *colon == ':' ? colon : NULL;
    if (colon != NULL &&
        (text_to_uint64(colon + 1, (size_t)(end - colon) - 1, &port) != STATUS_OK || port < 1 ||
         port > UINT16_MAX)) {
        return false;
    }
    const char *last = close != NULL ? close : colon != NULL ? colon : end;
    text += close != NULL;
    if (last <= text || (size_t)(last - text) >= sizeof(seed->host)) {
        return false;
    }
    snprintf(seed->host, sizeof(seed->host), "%.*s", (int)(last - text), text);
    seed->port = (uint16_t)port;
    return true;
}

static enum status read_seeds(struct redis_database *self, struct redis_server_options *options,
                              struct error *error)
{
    struct redis_place *seeds = arena_allocate_zeroed(self->arena, SEEDS_MAX, sizeof(*seeds));
    uint16_t port = self->uri->port != 0        ? self->uri->port
                    : options->sentinel != NULL ? SENTINEL_PORT_DEFAULT
                                                : PORT_DEFAULT;
    const char *list =
        self->uri->host != NULL && self->uri->host[0] != '\0' ? self->uri->host : "127.0.0.1";
    uint32_t count = 0;
    if (strchr(list, ':') != NULL && strchr(list, ',') == NULL) { /* IPv6, without its brackets */
        snprintf(seeds[0].host, sizeof(seeds[0].host), "%s", list);
        seeds[0].port = port;
        count = 1;
        list = "";
    }
    while (*list != '\0') {
        size_t length = strcspn(list, ",");
        if (count == SEEDS_MAX || !read_seed(list, length, port, &seeds[count])) {
            return redis_options_refuse(self, "the hosts are written HOST,HOST:PORT, 32 at most",
                                        error);
        }
        count++;
        list += length + (list[length] == ',');
    }
    options->seeds = seeds;
    options->seed_count = count;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- TLS and login */

static enum status read_security(struct redis_database *self, struct redis_server_options *options,
                                 struct error *error)
{
    const char *verify = option(self, "verify");
    bool wanted = is_on(self, "tls") || strncmp(self->uri->text, "rediss:", 7) == 0 ||
                  option(self, "ca_file") != NULL || option(self, "certificate") != NULL;
    options->login.plaintext_allowed = is_on(self, "plaintext");
    if (!wanted) {
        return STATUS_OK;
    }
    const struct stream_tls_options tls = {
        .ca_file = option(self, "ca_file"),
        .certificate_file = option(self, "certificate"),
        .key_file = option(self, "key"),
        .verify = verify == NULL || strcmp(verify, "peer") == 0 ? STREAM_VERIFY_PEER
                  : strcmp(verify, "authority") == 0            ? STREAM_VERIFY_AUTHORITY
                                                                : STREAM_VERIFY_NONE};
    if (stream_tls_create(&tls, &self->tls, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    options->login.tls = self->tls;
    return STATUS_OK;
}

static enum status read_login(struct redis_database *self, struct redis_login *login,
                              struct error *error)
{
    const char *path = self->uri->path != NULL ? self->uri->path : "";
    const char *environment = getenv("REDISCLI_AUTH");
    uint64_t database = 0;
    if (path[0] != '\0' &&
        (text_to_uint64(path, strlen(path), &database) != STATUS_OK || database > DATABASES_MAX)) {
        return redis_options_refuse(
            self, "what follows the host is the database's number: redis://HOST/0", error);
    }
    self->number = (uint32_t)database;
    login->database = self->number;
    login->user = self->uri->user;
    login->password = self->uri->password;
    if (login->password == NULL && environment != NULL && environment[0] != '\0') {
        login->password = environment;
        secret_register(environment, strlen(environment));
    }
    login->timeout_ms = self->timeout_ms;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of them */

static uint64_t number_of(const struct redis_database *self, const char *name)
{
    const char *text = option(self, name);
    uint64_t number = 0;
    return text != NULL && text_to_uint64(text, strlen(text), &number) == STATUS_OK ? number : 0;
}

static enum status read_forms(struct redis_database *self, struct redis_server_options *options,
                              struct error *error)
{
    const char *cluster = option(self, "cluster");
    const char *separator = option(self, "separator");
    if (strlen(separator) != 1) {
        return redis_options_refuse(self, "separator is one character", error);
    }
    self->separator = separator[0];
    self->form = strcmp(option(self, "form"), "json") == 0 ? REDIS_JSON : REDIS_HASH;
    options->cluster = strcmp(cluster, "yes") == 0  ? REDIS_CLUSTER_YES
                       : strcmp(cluster, "no") == 0 ? REDIS_CLUSTER_NO
                                                    : REDIS_CLUSTER_AUTO;
    options->sentinel = option(self, "sentinel");
    return STATUS_OK;
}

enum status redis_options_read(struct redis_database *self, const struct open_options *open,
                               struct redis_server_options *options, struct error *error)
{
    *options = (struct redis_server_options){.database = &self->keyed.base,
                                             .writes = open->mode == OPEN_TARGET};
    if (read_forms(self, options, error) != STATUS_OK ||
        read_seeds(self, options, error) != STATUS_OK ||
        read_security(self, options, error) != STATUS_OK ||
        read_login(self, &options->login, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (open->mode == OPEN_TARGET) {
        int64_t lease_ms = (int64_t)number_of(self, "lease") * 1000;
        int64_t least_ms = 2 * open->timeout_ms;
        self->keyed.base.lease_ms = lease_ms > least_ms ? lease_ms : least_ms;
    }
    self->keyed.room.in_flight_max = (uint32_t)number_of(self, "requests");
    return STATUS_OK;
}
