/* mongodb://HOST/DATABASE: the descriptor, opening. */
#include "connectors/keyed/opening.h"
#include "connectors/keyed/tables.h"
#include "connectors/mongodb/alter.h"

#include "connectors/contract/report.h"
#include <stdlib.h>

enum {
    WRITERS_MAX = 4,
    READERS_MAX = 8,
    CHUNKS_OPEN_MAX = 4,
    PATIENCE_MS = 4 * 3600 * 1000,
    SNAPSHOT_WIRE_VERSION = 13 /* MongoDB 5.0 */
};

static const char *const schemes[] = {"mongodb+srv", NULL};

static const struct connector_option options[] = {
    {"replicaSet", OPTION_TEXT, NULL, NULL, false, "The replica set that the hosts are of."},
    {"directConnection", OPTION_BOOLEAN, "no", NULL, false,
     "Only this host, whatever replica set it is of."},
    {"authSource", OPTION_TEXT, NULL, NULL, false,
     "The database that knows the user; else the URI's."},
    {"authMechanism", OPTION_CHOICE, NULL,
     "SCRAM-SHA-1|SCRAM-SHA-256|PLAIN|MONGODB-X509|GSSAPI|MONGODB-AWS", false,
     "How to log in; else the server says."},
    {"readPreference", OPTION_CHOICE, "primary", "primary|secondary", false,
     "Source: secondary reads from one where there is any."},
    {"tls", OPTION_BOOLEAN, "no", NULL, false, "TLS; mongodb+srv:// always has it."},
    {"tlsCAFile", OPTION_TEXT, NULL, NULL, false,
     "PEM certificates to trust instead of the system's; with it TLS is used."},
    {"tlsCertificateKeyFile", OPTION_TEXT, NULL, NULL, false,
     "PEM with certificate and key, for servers that ask for one."},
    {"verify", OPTION_CHOICE, "peer", "peer|authority|none", false,
     "What of the server's certificate is verified."},
    {"plaintext", OPTION_BOOLEAN, "no", NULL, false,
     "Allows a connection without TLS to a host that is not this one."},
    {"requests", OPTION_INTEGER, "2", "1..32", false,
     "Target: most requests of a writer in flight, each on a connection of its own."},
    {"page", OPTION_INTEGER, "0", "0..100000", false,
     "Source: documents of one answer; 0: as many as 16 MiB hold."},
    {"validator", OPTION_CHOICE, "none", "none|warn|error", false,
     "Target: what collections that a run makes do about documents whose key or indexed fields "
     "are of other types than the plan's."},
    {"lease", OPTION_INTEGER, "60", "1..3600", false,
     "Target: seconds until a claim on a run expires; at least twice --timeout."},
};

static const char *const failpoints[] = {
    KEYED_FAILPOINTS("mongodb"),
    "mongodb.before_ledger",
    "mongodb.after_ledger",
    "mongodb.before_history",
    "mongodb.after_history",
    "mongodb.before_alter",
    "mongodb.after_alter",
    "mongodb.after_note",
    "mongodb.after_create",
    "mongodb.before_index",
    KEYED_TABLE_FAILPOINTS("mongodb"),
    KEYED_APPLY_FAILPOINTS("mongodb"),
    NULL,
};

/* ---------------------------------------------------------------- opening */

static void database_close(struct database *database)
{
    struct mongodb_database *self = mongodb_of(database);
    if (self == NULL) {
        return;
    }
    keyed_room_destroy(&self->keyed);
    mongodb_client_return(self, self->control);
    if (self->patient != NULL) {
        mongoc_client_destroy(self->patient);
    }
    if (self->pool != NULL) {
        mongoc_client_pool_destroy(self->pool);
    }
    keyed_close(&self->keyed);
}

/* The library's own words would go to standard error. */
static void silence(mongoc_log_level_t level, const char *domain, const char *message,
                    void *context)
{
    (void)level;
    (void)domain;
    (void)message;
    (void)context;
}

static enum status command_ask(struct mongodb_database *self, const char *command, bson_t *reply,
                               struct error *error)
{
    struct buffer bytes = {0};
    bson_t view;
    size_t begin = mongodb_write_begin(&bytes);
    mongodb_write_int32(&bytes, command, 1);
    mongodb_write_end(&bytes, begin);
    mongodb_write_view(&bytes, &view);
    enum status status = mongodb_control(self, MONGODB_READ, &view, reply, error);
    buffer_free(&bytes);
    return status;
}

/* Servers before 4.4 know it under an older name. */
static enum status ask_hello(struct mongodb_database *self, bson_t *reply, struct error *error)
{
    enum status status = command_ask(self, "hello", reply, error);
    if (status == STATUS_FAILED && error->native_code == MONGODB_NO_COMMAND) {
        bson_destroy(reply);
        status = command_ask(self, "isMaster", reply, error);
    }
    return status;
}

static bool is_true(const bson_t *document, const char *name)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, document, name) && bson_iter_as_bool(&at);
}

/* Reached alone, a secondary would refuse every write. */
static enum status check_part(const struct mongodb_database *self, const bson_t *hello,
                              struct error *error)
{
    const char *primary = mongodb_text(hello, "primary");
    if (self->keyed.mode != OPEN_TARGET || !is_true(hello, "secondary")) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TARGET_INVALID, self->keyed.uri->shown,
              "the server is a secondary of the replica set %s, which takes no writes",
              mongodb_text(hello, "setName"));
    return error_hint(error, "write to its primary, %s",
                      primary != NULL ? primary : "once it has one");
}

/* Which server it is; a failure to log in shows here first. */
static enum status greet(struct mongodb_database *self, struct error *error)
{
    bson_t reply;
    enum status status = ask_hello(self, &reply, error);
    if (status == STATUS_OK) {
        const char *kind = mongodb_text(&reply, "msg");
        self->transactions = mongodb_text(&reply, "setName") != NULL ||
                             (kind != NULL && strcmp(kind, "isdbgrid") == 0);
        self->snapshots = self->transactions && self->keyed.mode == OPEN_SOURCE &&
                          mongodb_number(&reply, "maxWireVersion", 0) >= SNAPSHOT_WIRE_VERSION;
        status = check_part(self, &reply, error);
    }
    bson_destroy(&reply);
    if (status != STATUS_OK) {
        return status;
    }
    if (self->snapshots) {
        self->keyed.base.capabilities |= CAPABILITY_SNAPSHOT;
    }
    status = command_ask(self, "buildInfo", &reply, error);
    if (status == STATUS_OK) {
        const char *version = mongodb_text(&reply, "version");
        snprintf(self->keyed.base.server, sizeof(self->keyed.base.server), "MongoDB %s%s",
                 version != NULL ? version : "", self->transactions ? ", a replica set" : "");
    }
    bson_destroy(&reply);
    return status;
}

static void tell_link(struct mongodb_database *self, const mongoc_uri_t *uri)
{
    bool tls = mongoc_uri_get_tls(uri);
    const char *verify = mongodb_option(self, "verify");
    bool plaintext = strcmp(mongodb_option(self, "plaintext"), "yes") == 0 ||
                     strcmp(mongodb_option(self, "plaintext"), "true") == 0;
    enum link_security security = tls && strcmp(verify, "none") == 0 ? LINK_UNVERIFIED
                                  : tls && strcmp(verify, "authority") == 0
                                      ? LINK_AUTHORITY_VERIFIED
                                  : tls       ? LINK_PEER_VERIFIED
                                  : plaintext ? LINK_PLAINTEXT
                                              : LINK_PLAINTEXT_LOOPBACK;
    report_link(&self->keyed.base, security, tls ? "TLS" : NULL, NULL);
}

/* It connects when it is first used. */
static enum status make_patient(struct mongodb_database *self, const mongoc_uri_t *uri,
                                struct error *error)
{
    bson_error_t why;
    mongoc_uri_t *own = mongoc_uri_copy(uri);
    (void)mongoc_uri_set_option_as_int32(own, MONGOC_URI_SOCKETTIMEOUTMS, PATIENCE_MS);
    self->patient = mongoc_client_new_from_uri_with_error(own, &why);
    mongoc_uri_destroy(own);
    if (self->patient == NULL) {
        return error_set(error, ERROR_BAD_VALUE, self->keyed.uri->shown, "%s", why.message);
    }
    (void)mongoc_client_set_error_api(self->patient, 2);
    return STATUS_OK;
}

static enum status open_pool(struct database *database, const struct open_options *open,
                             struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    (void)open;
    mongoc_uri_t *uri = NULL;
    bson_error_t why;
    enum status status = mongodb_options_read(self, &uri, error);
    if (status == STATUS_OK) {
        self->pool = mongoc_client_pool_new_with_error(uri, &why);
        if (self->pool == NULL) {
            status = error_set(error, ERROR_BAD_VALUE, self->keyed.uri->shown, "%s", why.message);
        }
    }
    if (status == STATUS_OK) {
        (void)mongoc_client_pool_set_error_api(self->pool, 2);
        self->control = mongodb_client_take(self);
        status = greet(self, error);
    }
    if (status == STATUS_OK) {
        status = make_patient(self, uri, error);
    }
    if (status == STATUS_OK) {
        tell_link(self, uri);
    }
    if (uri != NULL) {
        mongoc_uri_destroy(uri);
    }
    return status;
}

static enum status database_open(const struct open_options *open, struct database **database,
                                 struct error *error)
{
    const struct keyed_opening opening = {.connector = &transhume_connector,
                                          .service = &mongodb_keyed_service,
                                          .limits = {.timestamp_digits = {3, 3},
                                                     .readers_max = READERS_MAX,
                                                     .writers_max = WRITERS_MAX,
                                                     .chunks_open_max = CHUNKS_OPEN_MAX,
                                                     .record_bytes_max = MONGODB_DOCUMENT_BYTES_MAX,
                                                     .name_bytes_max = MONGODB_NAME_BYTES_MAX,
                                                     .nesting_max = MONGODB_DEPTH_MAX},
                                          .bytes = sizeof(struct mongodb_database),
                                          .connect = open_pool};
    mongoc_log_set_handler(silence, NULL);
    mongoc_init();
    return keyed_open(&opening, open, database, error);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The members that a hello names, in order, with blanks between them. */
static const char *list_hosts(const bson_t *hello, struct arena *arena)
{
    const char **names = NULL;
    uint32_t count = 0;
    uint32_t capacity = 0;
    bson_iter_t list;
    bson_iter_t at;
    struct buffer text = {0};
    if (bson_iter_init_find(&list, hello, "hosts") && BSON_ITER_HOLDS_ARRAY(&list) &&
        bson_iter_recurse(&list, &at)) {
        while (bson_iter_next(&at)) {
            names = arena_make_room(arena, names, count, &capacity, sizeof(*names));
            names[count++] = BSON_ITER_HOLDS_UTF8(&at)
                                 ? arena_copy_string(arena, bson_iter_utf8(&at, NULL))
                                 : "";
        }
    }
    if (count > 1) {
        qsort(names, count, sizeof(*names), compare_names);
    }
    for (uint32_t at_name = 0; at_name < count; at_name++) {
        buffer_format(&text, " %s", names[at_name]);
    }
    const char *copy = arena_copy_string(arena, buffer_string(&text));
    buffer_free(&text);
    return copy;
}

/* A replica set is one, whichever of its hosts the URI names; two may have one name. */
static enum status database_identity(struct database *database, struct arena *arena,
                                     const char **identity, struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    bson_t reply;
    enum status status = ask_hello(self, &reply, error);
    const char *set = status == STATUS_OK ? mongodb_text(&reply, "setName") : NULL;
    if (status == STATUS_OK && set != NULL) {
        *identity = arena_format(arena, "mongodb set %s of%s database %s", set,
                                 list_hosts(&reply, arena), self->name);
    } else if (status == STATUS_OK) {
        *identity = arena_format(
            arena, "mongodb %s port %u database %s",
            self->keyed.uri->host != NULL && self->keyed.uri->host[0] != '\0'
                ? self->keyed.uri->host
                : "127.0.0.1",
            self->keyed.uri->port != 0 ? (unsigned)self->keyed.uri->port : 27017U, self->name);
    }
    bson_destroy(&reply);
    return status;
}

static const struct target_functions target = {
    KEYED_TARGET_FUNCTIONS,
    .claimed = keyed_claimed,
    .empty = keyed_empty,
    .inspect = mongodb_inspect,
    .check_table = mongodb_check_table,
    .prepare = keyed_prepare,
    .after_load = mongodb_after_load,
    .fetch = mongodb_fetch,
    .delete_records = keyed_delete,
    .count = mongodb_count,
    .normal_form = mongodb_normal_form,
    .forget_run = mongodb_forget_run,
};

static const struct forecast_functions forecast = {
    .differences = mongodb_tell_changed,
};

static const struct express_functions express = {
    .accepts = mongodb_express_accepts,
    .chunk = mongodb_express_chunk,
};

const struct connector transhume_connector = {
    .contract_version = CONNECTOR_CONTRACT_VERSION,
    .name = "mongodb",
    .title = "MongoDB",
    .schemes = schemes,
    .uri_help = "mongodb://[USER@]HOST[:PORT][,HOST…]/DATABASE",
    .capabilities = CAPABILITY_NESTED | CAPABILITY_FREE_FIELDS | CAPABILITY_MISSING |
                    CAPABILITY_KEY_REQUIRED | CAPABILITY_ASYNCHRONOUS | CAPABILITY_COUNTS_EXACT |
                    CAPABILITY_READS_BY_KEY,
    .guarantee = GUARANTEE_IDEMPOTENT,
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .types = mongodb_types,
    .type_count = MONGODB_TYPE_COUNT,
    .failpoints = failpoints,
    .open = database_open,
    .close = database_close,
    .identity = database_identity,
    .catalog = &mongodb_catalog,
    .source = &mongodb_source_functions,
    .target = &target,
    .forecast = &forecast,
    .trial = &keyed_trial,
    .express = &express,
    .store = &mongodb_store,
    .apply = &keyed_apply_functions,
    .rollback = &mongodb_rollback,
    .alter = &mongodb_alter,
    .change = &mongodb_change,
    .rights = &mongodb_rights,
};
