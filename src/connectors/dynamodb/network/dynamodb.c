/* dynamodb://REGION, DynamoDB over the network: the descriptor, options, opening. */
#include "base/memory.h"
#include "base/text.h"
#include "connectors/defaults.h"
#include "connectors/dynamodb/limits.h"
#include "connectors/dynamodb/network/estimate.h"
#include "connectors/dynamodb/network/source.h"
#include "connectors/dynamodb/network/target.h"
#include "connectors/keyed/tables.h"
#include "connectors/registry.h"
#include <stdlib.h>
#include <string.h>

extern const struct connector connector_dynamodb;

enum {
    WRITERS_MAX = 4,
    READERS_MAX = 16,
    CHUNKS_OPEN_MAX = 4,
    PATIENCE_TIMEOUTS = 4,
    CONTROL_CONNECTIONS = 1
};

static const struct connector_option options[] = {
    {"endpoint", OPTION_TEXT, NULL, NULL, false,
     "Instead of AWS's own; see AWS_ENDPOINT_URL_DYNAMODB."},
    {"profile", OPTION_TEXT, NULL, NULL, false,
     "The profile of ~/.aws/config and ~/.aws/credentials; else AWS_PROFILE."},
    {"ca_file", OPTION_TEXT, NULL, NULL, false,
     "PEM certificates to trust instead of the system's; else AWS_CA_BUNDLE."},
    {"plaintext", OPTION_BOOLEAN, "no", NULL, false,
     "Allows http:// to a host that is not this one."},
    {"connections", OPTION_INTEGER, "32", "1..256", false, "Most requests of a writer in flight."},
    {"read_units", OPTION_INTEGER, "0", "0..1000000000", false,
     "Most read capacity units a second; 0: no cap."},
    {"write_units", OPTION_INTEGER, "0", "0..1000000000", false,
     "Most write capacity units a second; 0: no cap."},
    {"consistent", OPTION_BOOLEAN, "no", NULL, false,
     "Source: strongly consistent reads, at twice the capacity."},
    {"lease", OPTION_INTEGER, "60", "1..3600", false,
     "Target: seconds until a claim on a run expires; at least twice --timeout."},
};

static const char *const failpoints[] = {
    KEYED_FAILPOINTS("dynamodb"),
    "dynamodb.before_ledger_table",
    "dynamodb.after_ledger_table",
    "dynamodb.before_history",
    "dynamodb.after_history",
    "dynamodb.before_alter",
    "dynamodb.after_alter",
    "dynamodb.before_table",
    "dynamodb.after_table",
    "dynamodb.table_active",
    KEYED_TABLE_FAILPOINTS("dynamodb"),
    KEYED_APPLY_FAILPOINTS("dynamodb"),
    NULL,
};

/* ---------------------------------------------------------------- opening */

static bool read_boolean(const struct uri *uri, const char *name, bool *value)
{
    const char *text = uri_parameter(uri, &connector_dynamodb, name);
    static const char *const yes[] = {"yes", "true", "on", "1", ""};
    static const char *const no[] = {"no", "false", "off", "0"};
    for (size_t at = 0; text != NULL && at < sizeof(yes) / sizeof(*yes); at++) {
        if (strcmp(text, yes[at]) == 0) {
            *value = true;
            return true;
        }
    }
    for (size_t at = 0; text != NULL && at < sizeof(no) / sizeof(*no); at++) {
        if (strcmp(text, no[at]) == 0) {
            *value = false;
            return true;
        }
    }
    return text == NULL;
}

static enum status refuse_option(const struct uri *uri, const char *what, struct error *error)
{
    error_set(error, ERROR_BAD_VALUE, uri->shown, "%s", what);
    return error_hint(error, "`transhume connectors` lists the options of dynamodb://");
}

static bool read_number(const struct uri *uri, const char *name, uint64_t least, uint64_t most,
                        uint64_t *value)
{
    const char *text = uri_parameter(uri, &connector_dynamodb, name);
    return text != NULL && text_to_uint64(text, strlen(text), value) == STATUS_OK &&
           *value >= least && *value <= most;
}

static uint64_t lower_cap(uint64_t one, uint64_t other)
{
    return one == 0 || (other != 0 && other < one) ? other : one;
}

static enum status read_options(struct dynamodb_network *network, const struct open_options *open,
                                bool *plaintext, struct error *error)
{
    const struct uri *uri = open->uri;
    uint64_t connections = 0;
    uint64_t lease_s = 0;
    uint64_t write_units = 0;
    if (!read_boolean(uri, "plaintext", plaintext) ||
        !read_boolean(uri, "consistent", &network->consistent)) {
        return refuse_option(uri, "plaintext and consistent are yes or no", error);
    }
    if (!read_number(uri, "connections", 1, 256, &connections)) {
        return refuse_option(uri, "connections is a number from 1 to 256", error);
    }
    if (!read_number(uri, "read_units", 0, 1000000000, &network->read_units) ||
        !read_number(uri, "write_units", 0, 1000000000, &write_units)) {
        return refuse_option(uri, "read_units and write_units are whole numbers", error);
    }
    if (!read_number(uri, "lease", 1, 3600, &lease_s)) {
        return refuse_option(uri, "lease is a number of seconds from 1 to 3600", error);
    }
    if (uri->path != NULL && uri->path[0] != '\0') {
        return refuse_option(uri, "nothing follows the region: tables are named by the plan",
                             error);
    }
    if (open->mode == OPEN_TARGET) {
        int64_t lease_ms = (int64_t)lease_s * 1000;
        int64_t least_ms = 2 * open->timeout_ms;
        network->keyed.base.lease_ms = lease_ms > least_ms ? lease_ms : least_ms;
    }
    network->keyed.room.in_flight_max = (uint32_t)connections;
    network->read_units = lower_cap(network->read_units, open->read_units_per_second_max);
    network->read_capacity.units_per_second = network->read_units;
    network->keyed.room.capacity.units_per_second =
        lower_cap(write_units, open->write_units_per_second_max);
    return STATUS_OK;
}

static void network_close(struct database *database)
{
    struct dynamodb_network *network = dynamodb_network_of(database);
    if (network == NULL) {
        return;
    }
    keyed_room_destroy(&network->keyed);
    dynamodb_source_destroy(network->source_own);
    dynamodb_client_destroy(network->control);
    dynamodb_service_destroy(network->service);
    keyed_capacity_destroy(&network->read_capacity);
    pthread_mutex_destroy(&network->control_mutex);
    pthread_mutex_destroy(&network->mutex);
    arena_destroy(network->arena);
    free(network);
}

static enum status dynamodb_connect(struct dynamodb_network *network,
                                    const struct open_options *open, struct error *error)
{
    bool plaintext = false;
    if (read_options(network, open, &plaintext, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct dynamodb_service_options service = {
        .mode = open->mode,
        .region = open->uri->host,
        .endpoint = uri_parameter(open->uri, &connector_dynamodb, "endpoint"),
        .profile = uri_parameter(open->uri, &connector_dynamodb, "profile"),
        .ca_file = uri_parameter(open->uri, &connector_dynamodb, "ca_file"),
        .plaintext_allowed = plaintext,
        .timeout_ms = open->timeout_ms,
        .patience_ms = PATIENCE_TIMEOUTS * open->timeout_ms,
        .stopped = &network->keyed.base.hurried,
        .database = &network->keyed.base};
    if (dynamodb_service_create(&service, &network->service, error) != STATUS_OK ||
        dynamodb_client_create(network->service, CONTROL_CONNECTIONS, &network->control, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status network_open(const struct open_options *open, struct database **database,
                                struct error *error)
{
    struct dynamodb_network *network = memory_allocate_zeroed(1, sizeof(*network));
    *database = NULL;
    pthread_mutex_init(&network->control_mutex, NULL);
    pthread_mutex_init(&network->mutex, NULL);
    network->keyed.base.connector = &connector_dynamodb;
    network->keyed.base.capabilities = connector_dynamodb.capabilities;
    network->keyed.base.limits =
        (struct connector_limits){.readers_max = READERS_MAX,
                                  .writers_max = WRITERS_MAX,
                                  .chunks_open_max = CHUNKS_OPEN_MAX,
                                  .record_bytes_max = DYNAMODB_ITEM_BYTES_MAX,
                                  .name_bytes_max = DYNAMODB_TABLE_NAME_BYTES_MAX,
                                  .nesting_max = DYNAMODB_NESTING_MAX,
                                  .number_digits_max = DYNAMODB_NUMBER_DIGITS_MAX};
    keyed_room_init(&network->keyed, &dynamodb_keyed_service, open);
    network->mode = open->mode;
    network->uri = open->uri;
    network->memory_bytes = open->memory_bytes;
    network->timeout_ms = open->timeout_ms;
    network->catalog_tables = open->catalog_tables;
    network->arena = arena_create(0);
    keyed_capacity_init(&network->read_capacity, 0);
    enum status status = dynamodb_connect(network, open, error);
    if (status != STATUS_OK) {
        network_close(&network->keyed.base);
        return status;
    }
    *database = &network->keyed.base;
    return STATUS_OK;
}

static enum status network_identity(struct database *self, struct arena *arena,
                                    const char **identity, struct error *error)
{
    (void)error;
    const struct dynamodb_network *network = dynamodb_network_of(self);
    *identity = arena_format(arena, "dynamodb %s at %s", dynamodb_service_region(network->service),
                             dynamodb_service_endpoint(network->service));
    return STATUS_OK;
}

static const struct target_functions target = {
    .claimed = keyed_claimed,
    .released = keyed_released,
    .empty = keyed_empty,
    .inspect = dynamodb_network_inspect,
    .check_table = dynamodb_network_check_table,
    .try_open = keyed_try_open,
    .try_record = keyed_try_record,
    .try_close = keyed_try_close,
    .script = dynamodb_network_script,
    .column_type = dynamodb_network_column_type,
    .prepare = keyed_prepare,
    .writer_open = keyed_writer_open,
    .writer_close = keyed_writer_close,
    .chunk_begin = keyed_chunk_begin,
    .submit = keyed_submit,
    .poll = keyed_poll,
    .commit = keyed_commit,
    .chunk_abandon = keyed_chunk_abandon,
    .after_load = target_finishes_nothing,
    .fetch = dynamodb_network_fetch,
    .delete_records = keyed_delete,
    .count = dynamodb_network_count,
    .settle_duplicates = keyed_settle,
    .keys_are_equal = keyed_keys_are_equal,
    .restore = keyed_restore,
    .load_add = dynamodb_estimate_add,
    .load_tell = dynamodb_estimate_write,
    .normal_form = dynamodb_network_normal_form,
};

static const struct apply_functions apply_functions = {
    .open = keyed_apply_open,
    .close = keyed_apply_close,
    .position = keyed_apply_position,
    .apply_sets = keyed_apply_sets,
    .list = dynamodb_network_list,
};

const struct connector connector_dynamodb = {
    .contract_version = CONNECTOR_CONTRACT_VERSION,
    .name = "dynamodb",
    .title = "Amazon DynamoDB",
    .uri_help = "dynamodb://REGION",
    .capabilities = CAPABILITY_NESTED | CAPABILITY_FREE_FIELDS | CAPABILITY_MISSING |
                    CAPABILITY_KEY_REQUIRED | CAPABILITY_ASYNCHRONOUS | CAPABILITY_UNITS |
                    CAPABILITY_READS_BY_KEY,
    .guarantee = GUARANTEE_IDEMPOTENT,
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .types = dynamodb_types,
    .type_count = DYNAMODB_TYPE_COUNT,
    .failpoints = failpoints,
    .open = network_open,
    .close = network_close,
    .identity = network_identity,
    .catalog = &dynamodb_network_catalog,
    .source = &dynamodb_network_source,
    .target = &target,
    .apply = &apply_functions,
    .store = &dynamodb_network_store,
    .alter = &dynamodb_network_alter,
    .change = &dynamodb_network_change,
    .rollback = &dynamodb_network_rollback,
    .rights = &dynamodb_network_rights,
};
