/* redis://HOST: the descriptor, opening, control work. */
#include "connectors/redis/redis.h"
#include "connectors/contract/defaults.h"
#include "connectors/keyed/opening.h"
#include "connectors/keyed/tables.h"

enum { WRITERS_MAX = 4, READERS_MAX = 8, CHUNKS_OPEN_MAX = 4 };

static const char *const schemes[] = {"rediss", NULL};

static const struct connector_option options[] = {
    {"form", OPTION_CHOICE, "hash", "hash|json", false,
     "Target: a record is a hash, or a string with a JSON object."},
    {"cluster", OPTION_CHOICE, "auto", "auto|yes|no", false,
     "Is it a cluster? auto: the server says."},
    {"sentinel", OPTION_TEXT, NULL, NULL, false,
     "The hosts are Sentinels, which are asked for the master of this name."},
    {"tls", OPTION_BOOLEAN, "no", NULL, false, "TLS, as by rediss://."},
    {"ca_file", OPTION_TEXT, NULL, NULL, false,
     "PEM certificates to trust instead of the system's; with it TLS is used."},
    {"certificate", OPTION_TEXT, NULL, NULL, false, "PEM, for servers that ask for one."},
    {"key", OPTION_TEXT, NULL, NULL, false, "PEM; else it is in the certificate's file."},
    {"verify", OPTION_CHOICE, "peer", "peer|authority|none", false,
     "What of the server's certificate is verified."},
    {"plaintext", OPTION_BOOLEAN, "no", NULL, false,
     "Allows a connection without TLS to a host that is not this one."},
    {"requests", OPTION_INTEGER, "16", "1..256", false,
     "Target: most requests of a writer in flight, each of up to 256 KiB."},
    {"separator", OPTION_TEXT, ":", NULL, false,
     "Source: what is before it in a key names the table, where the database notes none."},
    {"lease", OPTION_INTEGER, "60", "1..3600", false,
     "Target: seconds until a claim on a run expires; at least twice --timeout."},
};

static const char *const failpoints[] = {
    KEYED_FAILPOINTS("redis"),
    "redis.before_ledger",
    "redis.after_ledger",
    "redis.after_note",
    KEYED_TABLE_FAILPOINTS("redis"),
    KEYED_APPLY_FAILPOINTS("redis"),
    NULL,
};

/* ---------------------------------------------------------------- control work */

enum status redis_control_write(struct redis_database *self, const char *key, size_t key_length,
                                struct buffer *command, struct arena *arena,
                                struct resp_value *reply, struct error *error)
{
    struct redis_call call = {
        .slot = redis_slot_of(key, key_length), .writes = true, .lease = keyed_lease(&self->keyed)};
    return redis_control(self, &call, command, arena, reply, error);
}

/* ---------------------------------------------------------------- opening */

static void database_close(struct database *database)
{
    struct redis_database *self = redis_of(database);
    if (self == NULL) {
        return;
    }
    keyed_room_destroy(&self->keyed);
    redis_source_destroy(self->source);
    redis_client_destroy(self->control);
    redis_server_destroy(self->server);
    stream_tls_destroy(self->tls);
    keyed_close(&self->keyed);
}

static enum status hint_at(struct error *error)
{
    if (error->code == ERROR_BAD_VALUE && error->hint[0] == '\0') {
        error_hint(error, "write rediss:// for TLS; ?plaintext=yes sends it in the clear");
    } else if (error->code == ERROR_NETWORK && error->hint[0] == '\0') {
        error_hint(error, "is the server there, and does it speak TLS (rediss://) or not?");
    }
    return STATUS_FAILED;
}

/* A Sentinel or a cluster knows better; what is behind it may change. */
static enum status refuse_replica(const struct redis_database *self,
                                  const struct redis_facts *facts, struct error *error)
{
    error_set(error, ERROR_TARGET_INVALID, self->keyed.uri->shown,
              "it is a replica, which nothing can be written to");
    return error_hint(error, "write to its master, %s:%s", facts->master_host, facts->master_port);
}

static enum status redis_connect(struct redis_database *self, const struct open_options *open,
                                 struct error *error)
{
    struct redis_server_options wanted;
    if (redis_options_read(self, open, &wanted, error) != STATUS_OK ||
        redis_server_create(&wanted, &self->server, error) != STATUS_OK) {
        return hint_at(error);
    }
    const struct redis_facts *facts = redis_server_facts(self->server);
    snprintf(self->keyed.base.server, sizeof(self->keyed.base.server), "Redis %s%s", facts->version,
             redis_server_is_cluster(self->server) ? ", a cluster" : "");
    self->control = redis_client_create(self->server);
    return self->keyed.mode == OPEN_TARGET && facts->replica &&
                   !redis_server_is_cluster(self->server)
               ? refuse_replica(self, facts, error)
               : STATUS_OK;
}

static enum status redis_open(struct database *database, const struct open_options *open,
                              struct error *error)
{
    struct redis_database *self = redis_of(database);
    self->spill_folder = open->spill_folder;
    if (redis_connect(self, open, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (open->mode == OPEN_SOURCE || self->form == REDIS_JSON) {
        self->keyed.base.capabilities |= CAPABILITY_NESTED;
    }
    if (self->form == REDIS_JSON) {
        self->keyed.base.capabilities |= CAPABILITY_MISSING;
    }
    return STATUS_OK;
}

static enum status database_open(const struct open_options *open, struct database **database,
                                 struct error *error)
{
    const struct keyed_opening opening = {.connector = &connector_redis,
                                          .service = &redis_keyed_service,
                                          .limits = {.keeps_times = true,
                                                     .unique_keys_only = true,
                                                     .readers_max = READERS_MAX,
                                                     .writers_max = WRITERS_MAX,
                                                     .chunks_open_max = CHUNKS_OPEN_MAX,
                                                     .record_bytes_max = REDIS_VALUE_BYTES_MAX,
                                                     .nesting_max = 64},
                                          .bytes = sizeof(struct redis_database),
                                          .connect = redis_open};
    return keyed_open(&opening, open, database, error);
}

static enum status database_identity(struct database *database, struct arena *arena,
                                     const char **identity, struct error *error)
{
    struct redis_database *self = redis_of(database);
    const char *path = self->keyed.uri->path != NULL && self->keyed.uri->path[0] != '\0'
                           ? self->keyed.uri->path
                           : "0";
    char place[300];
    if (redis_server_place(self->server, place, sizeof(place), error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *identity = arena_format(arena, "redis %s database %s", place, path);
    return STATUS_OK;
}

static const struct target_functions target = {
    KEYED_TARGET_FUNCTIONS,
    .claimed = redis_claimed,
    .empty = keyed_empty,
    .inspect = redis_inspect,
    .check_table = redis_check_table,
    .prepare = keyed_prepare,
    .after_load = target_finishes_nothing,
    .fetch = redis_fetch,
    .delete_records = keyed_delete,
    .count = redis_count,
    .normal_form = redis_normal_form,
};

static const struct forecast_functions forecast = {
    .caveats = redis_target_caveats,
};

const struct connector connector_redis = {
    .contract_version = CONNECTOR_CONTRACT_VERSION,
    .name = "redis",
    .title = "Redis",
    .schemes = schemes,
    .uri_help = "redis://[USER@]HOST[:PORT][/DATABASE]",
    .capabilities = CAPABILITY_FREE_FIELDS | CAPABILITY_KEY_REQUIRED | CAPABILITY_ASYNCHRONOUS |
                    CAPABILITY_COUNTS_EXACT | CAPABILITY_READS_BY_KEY,
    .guarantee = GUARANTEE_IDEMPOTENT,
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .types = redis_types,
    .type_count = REDIS_TYPE_COUNT,
    .failpoints = failpoints,
    .open = database_open,
    .close = database_close,
    .identity = database_identity,
    .catalog = &redis_catalog,
    .source = &redis_source_functions,
    .target = &target,
    .forecast = &forecast,
    .trial = &keyed_trial,
    .store = &redis_store,
    .apply = &keyed_apply_functions,
    .rollback = &redis_rollback,
};
