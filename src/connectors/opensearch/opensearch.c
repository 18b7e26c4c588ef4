/* opensearch://HOST: the descriptor, opening, control work. */
#include "connectors/opensearch/opensearch.h"
#include "connectors/keyed/opening.h"
#include "connectors/keyed/tables.h"

#include <stdio.h>

enum { WRITERS_MAX = 4, READERS_MAX = 4, CHUNKS_OPEN_MAX = 4, NESTING_MAX = 100 };

static const char *const schemes[] = {"elasticsearch", NULL};

static const struct connector_option options[] = {
    {"tls", OPTION_CHOICE, "auto", "auto|yes|no", false,
     "TLS? auto: unless the host is this machine."},
    {"ca_file", OPTION_TEXT, NULL, NULL, false,
     "PEM certificates to trust instead of the system's."},
    {"plaintext", OPTION_BOOLEAN, "no", NULL, false,
     "With tls=no: allows a connection without TLS to a host that is not this one."},
    {"api_key", OPTION_TEXT, NULL, NULL, true,
     "An API key, encoded as the server gave it; also OPENSEARCH_API_KEY."},
    {"aws", OPTION_CHOICE, "no", "no|es|aoss", false,
     "es: requests are signed (SigV4) for a managed domain. Serverless collections (aoss) are "
     "refused."},
    {"region", OPTION_TEXT, NULL, NULL, false,
     "With aws: the region; else AWS_REGION or the profile's."},
    {"profile", OPTION_TEXT, NULL, NULL, false, "With aws: the profile; else AWS_PROFILE."},
    {"shards", OPTION_INTEGER, NULL, "1..1024", false,
     "Target: primary shards of indexes that are made; else the server's default."},
    {"replicas", OPTION_INTEGER, NULL, "0..100", false,
     "Target: replicas of indexes that are made, once they are loaded; else the server's default."},
    {"suspend", OPTION_BOOLEAN, "yes", NULL, false,
     "Target: no refresh while an index is loaded, and no replica of one that is made."},
    {"alias", OPTION_TEXT, NULL, NULL, false,
     "Target: the alias that is switched to each new index once it is loaded and counted; {table} "
     "in it is the table's name."},
    {"requests", OPTION_INTEGER, "2", "1..64", false,
     "Target: most requests of a writer in flight, each of up to 1 MiB."},
    {"lease", OPTION_INTEGER, "60", "1..3600", false,
     "Target: seconds until a claim on a run expires; at least twice --timeout."},
};

static const char *const failpoints[] = {
    KEYED_FAILPOINTS("opensearch"),
    "opensearch.before_ledger",
    "opensearch.after_ledger",
    "opensearch.after_index",
    "opensearch.before_suspend",
    "opensearch.after_suspend",
    "opensearch.before_resume",
    "opensearch.after_resume",
    "opensearch.before_switch",
    "opensearch.after_switch",
    "opensearch.before_switch_back",
    "opensearch.after_switch_back",
    "opensearch.before_history",
    "opensearch.after_history",
    "opensearch.before_alter",
    "opensearch.after_alter",
    "opensearch.before_task",
    "opensearch.after_task",
    "opensearch.in_give_back",
    KEYED_TABLE_FAILPOINTS("opensearch"),
    KEYED_APPLY_FAILPOINTS("opensearch"),
    NULL,
};

/* ---------------------------------------------------------------- opening */

static void database_close(struct database *database)
{
    struct opensearch_database *self = opensearch_of(database);
    if (self == NULL) {
        return;
    }
    keyed_room_destroy(&self->keyed);
    opensearch_source_destroy(self->source);
    opensearch_client_destroy(self->control);
    opensearch_service_destroy(self->service);
    keyed_close(&self->keyed);
}

/* STATUS_END: the server has no such page. */
static enum status ask_root(struct opensearch_database *self, json_t **root, struct error *error)
{
    struct service_reply *reply = NULL;
    const struct opensearch_request request = {
        .operation = "GET /", .method = "GET", .path = "/", .repeatable = true};
    *root = NULL;
    enum status status = opensearch_control(self, &request, NULL, &reply, error);
    if (status == STATUS_OK && reply->fault == OPENSEARCH_FAULT_MISSING) {
        status = STATUS_END;
    } else if (status == STATUS_OK && reply->fault != OPENSEARCH_FAULT_NONE) {
        status = error_copy(error, &reply->error);
    } else if (status == STATUS_OK) {
        *root = opensearch_reply_parse(reply, self->keyed.uri->shown, error);
        status = *root != NULL ? STATUS_OK : STATUS_FAILED;
    }
    service_reply_destroy(reply);
    return status;
}

/* {"version":{"distribution":"opensearch","number":"2.19.3",…},…}; a server without the page, as
 * Elasticsearch's smallest build, says nothing. */
static enum status ask_facts(struct opensearch_database *self, struct error *error)
{
    json_t *root = NULL;
    if (ask_root(self, &root, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    const json_t *version = json_object_get(root, "version");
    const char *distribution = json_string_value(json_object_get(version, "distribution"));
    const char *number = json_string_value(json_object_get(version, "number"));
    const char *flavor = json_string_value(json_object_get(version, "build_flavor"));
    struct opensearch_facts *facts = &self->facts;
    bool named = strncmp(self->keyed.uri->text, "elasticsearch:", 14) == 0;
    facts->elasticsearch = number != NULL ? distribution == NULL : named;
    if (number == NULL || sscanf(number, "%u.%u", &facts->major, &facts->minor) != 2) {
        facts->major = facts->elasticsearch ? 8 : 2;
        facts->minor = facts->elasticsearch ? 0 : 4;
    }
    bool bare = flavor != NULL && strcmp(flavor, "oss") == 0 && facts->major < 8;
    uint32_t level = facts->major * 100 + facts->minor;
    facts->points = !facts->elasticsearch && level >= 204;
    self->dialect.unsigned_long = facts->elasticsearch ? level >= 710 && !bare : level >= 208;
    snprintf(self->keyed.base.server, sizeof(self->keyed.base.server), "%s %.30s",
             facts->elasticsearch ? "Elasticsearch" : "OpenSearch", number != NULL ? number : "");
    json_decref(root);
    if (facts->elasticsearch && level < 710) {
        error_set(error,
                  self->keyed.mode == OPEN_SOURCE ? ERROR_SOURCE_INVALID : ERROR_TARGET_INVALID,
                  self->keyed.uri->shown, "it is Elasticsearch %s, and too old",
                  number != NULL ? number : "");
        return error_hint(error, "7.10 or later is needed, or OpenSearch");
    }
    return STATUS_OK;
}

static enum status opensearch_connect(struct database *database, const struct open_options *open,
                                      struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct opensearch_service_options wanted;
    if (opensearch_options_read(self, open, &wanted, error) != STATUS_OK ||
        opensearch_service_create(&wanted, &self->service, error) != STATUS_OK ||
        opensearch_client_create(self->service, 1, &self->control, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return ask_facts(self, error);
}

static enum status database_open(const struct open_options *open, struct database **database,
                                 struct error *error)
{
    const struct keyed_opening opening = {
        .connector = &connector_opensearch,
        .service = &opensearch_keyed_service,
        .limits = {.unique_keys_only = true,
                   .readers_max = READERS_MAX,
                   .writers_max = WRITERS_MAX,
                   .chunks_open_max = CHUNKS_OPEN_MAX,
                   .record_bytes_max = OPENSEARCH_DOCUMENT_BYTES_MAX,
                   .name_bytes_max = OPENSEARCH_NAME_BYTES_MAX,
                   .nesting_max = NESTING_MAX},
        .bytes = sizeof(struct opensearch_database),
        .connect = opensearch_connect};
    return keyed_open(&opening, open, database, error);
}

/* The cluster says which one it is; one that does not goes by its address. */
static enum status database_identity(struct database *database, struct arena *arena,
                                     const char **identity, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    json_t *root = NULL;
    if (ask_root(self, &root, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    const char *uuid = json_string_value(json_object_get(root, "cluster_uuid"));
    bool known = uuid != NULL && strcmp(uuid, "_na_") != 0;
    *identity =
        known ? arena_format(arena, "opensearch cluster %s prefix \"%s\"", uuid, self->prefix)
              : arena_format(arena, "opensearch %s:%u prefix \"%s\"",
                             self->keyed.uri->host != NULL ? self->keyed.uri->host : "127.0.0.1",
                             (unsigned)self->keyed.uri->port, self->prefix);
    json_decref(root);
    return STATUS_OK;
}

static const struct target_functions target = {
    KEYED_TARGET_FUNCTIONS,
    .claimed = opensearch_claimed,
    .forget_run = opensearch_forget_run,
    .empty = keyed_empty,
    .inspect = opensearch_inspect,
    .check_table = opensearch_check_table,
    .prepare = keyed_prepare,
    .after_load = opensearch_after_load,
    .fetch = opensearch_fetch,
    .delete_records = keyed_delete,
    .count = opensearch_count,
    .publish = opensearch_publish,
    .normal_form = opensearch_normal_form,
};

static const struct column_functions columns = {
    .add = opensearch_add_columns,
};

static const struct forecast_functions forecast = {
    .differences = opensearch_tell_changed,
    .script = opensearch_script,
};

static const struct apply_functions apply_functions = {
    .open = opensearch_apply_open,
    .close = keyed_apply_close,
    .position = keyed_apply_position,
    .apply_sets = keyed_apply_sets,
};

const struct connector connector_opensearch = {
    .contract_version = CONNECTOR_CONTRACT_VERSION,
    .name = "opensearch",
    .title = "OpenSearch, Elasticsearch",
    .schemes = schemes,
    .uri_help = "opensearch://[USER:PASSWORD@]HOST[:PORT][/PREFIX]",
    .capabilities = CAPABILITY_NESTED | CAPABILITY_MISSING | CAPABILITY_SQL_SCHEMA |
                    CAPABILITY_KEY_REQUIRED | CAPABILITY_ASYNCHRONOUS | CAPABILITY_COUNTS_EXACT |
                    CAPABILITY_READS_BY_KEY | CAPABILITY_FOLDED_NAMES,
    .guarantee = GUARANTEE_IDEMPOTENT,
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .types = opensearch_types,
    .type_count = OPENSEARCH_TYPE_COUNT,
    .failpoints = failpoints,
    .open = database_open,
    .close = database_close,
    .identity = database_identity,
    .catalog = &opensearch_catalog,
    .source = &opensearch_source_functions,
    .target = &target,
    .columns = &columns,
    .forecast = &forecast,
    .trial = &keyed_trial,
    .store = &opensearch_store,
    .apply = &apply_functions,
    .rollback = &opensearch_rollback,
    .alter = &opensearch_alter,
    .change = &opensearch_change,
    .rights = &opensearch_rights,
};
