/* Options of a URI: where the servers are, TLS, login, what is written how. */
#include "connectors/redis/redis.h"

#include "base/secret.h"
#include "base/text.h"
#include "connectors/keyed/opening.h"
#include <stdlib.h>

enum {
    SEEDS_MAX = 32,
    PORT_DEFAULT = 6379,
    SENTINEL_PORT_DEFAULT = 26379,
    DATABASES_MAX = 1 << 20
};

/* ---------------------------------------------------------------- servers */

static enum status read_seeds(struct redis_database *self, struct redis_server_options *options,
                              struct error *error)
{
    struct keyed_place places[SEEDS_MAX];
    struct redis_place *seeds = arena_allocate_zeroed(self->keyed.arena, SEEDS_MAX, sizeof(*seeds));
    uint16_t port = self->keyed.uri->port != 0  ? self->keyed.uri->port
                    : options->sentinel != NULL ? SENTINEL_PORT_DEFAULT
                                                : PORT_DEFAULT;
    uint32_t count = 0;
    bool good = keyed_hosts_read(&self->keyed, places, SEEDS_MAX, &count);
    if (good && count == 0) {
        places[count++] = (struct keyed_place){"127.0.0.1", 0};
    }
    for (uint32_t at = 0; at < count && good; at++) {
        good = strlen(places[at].host) < sizeof(seeds[at].host);
        snprintf(seeds[at].host, sizeof(seeds[at].host), "%s", places[at].host);
        seeds[at].port = places[at].port != 0 ? places[at].port : port;
    }
    options->seeds = seeds;
    options->seed_count = count;
    return good ? STATUS_OK
                : keyed_refuse_option(&self->keyed,
                                      "the hosts are written HOST,HOST:PORT, 32 at most", error);
}

/* ---------------------------------------------------------------- TLS and login */

static enum status read_security(struct redis_database *self, struct redis_server_options *options,
                                 struct error *error)
{
    const char *verify = keyed_option(&self->keyed, "verify");
    bool wanted = keyed_option_is_on(&self->keyed, "tls") ||
                  strncmp(self->keyed.uri->text, "rediss:", 7) == 0 ||
                  keyed_option(&self->keyed, "ca_file") != NULL ||
                  keyed_option(&self->keyed, "certificate") != NULL;
    options->login.plaintext_allowed = keyed_option_is_on(&self->keyed, "plaintext");
    if (!wanted) {
        return STATUS_OK;
    }
    const struct stream_tls_options tls = {
        .ca_file = keyed_option(&self->keyed, "ca_file"),
        .certificate_file = keyed_option(&self->keyed, "certificate"),
        .key_file = keyed_option(&self->keyed, "key"),
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
    const char *path = self->keyed.uri->path != NULL ? self->keyed.uri->path : "";
    const char *environment = getenv("REDISCLI_AUTH");
    uint64_t database = 0;
    if (path[0] != '\0' &&
        (text_to_uint64(path, strlen(path), &database) != STATUS_OK || database > DATABASES_MAX)) {
        return keyed_refuse_option(
            &self->keyed, "what follows the host is the database's number: redis://HOST/0", error);
    }
    self->number = (uint32_t)database;
    login->database = self->number;
    login->user = self->keyed.uri->user;
    login->password = self->keyed.uri->password;
    if (login->password == NULL && environment != NULL && environment[0] != '\0') {
        login->password = environment;
        secret_register(environment, strlen(environment));
    }
    login->timeout_ms = self->keyed.room.timeout_ms;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of them */

static enum status read_forms(struct redis_database *self, struct redis_server_options *options,
                              struct error *error)
{
    const char *cluster = keyed_option(&self->keyed, "cluster");
    const char *separator = keyed_option(&self->keyed, "separator");
    if (strlen(separator) != 1) {
        return keyed_refuse_option(&self->keyed, "separator is one character", error);
    }
    self->separator = separator[0];
    self->form = strcmp(keyed_option(&self->keyed, "form"), "json") == 0 ? REDIS_JSON : REDIS_HASH;
    options->cluster = strcmp(cluster, "yes") == 0  ? REDIS_CLUSTER_YES
                       : strcmp(cluster, "no") == 0 ? REDIS_CLUSTER_NO
                                                    : REDIS_CLUSTER_AUTO;
    options->sentinel = keyed_option(&self->keyed, "sentinel");
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
    self->keyed.room.in_flight_max = (uint32_t)keyed_option_number(&self->keyed, "requests");
    return STATUS_OK;
}
