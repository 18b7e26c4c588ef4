/* dynamodb://REGION, DynamoDB over the network: the descriptor, options, opening. */
#include "connectors/contract/defaults.h"
#include "connectors/dynamodb/limits.h"
#include "connectors/dynamodb/network/estimate.h"
#include "connectors/dynamodb/network/source.h"
#include "connectors/dynamodb/network/target.h"
#include "connectors/keyed/opening.h"
#include "connectors/keyed/tables.h"

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

static uint64_t lower_cap(uint64_t one, uint64_t other)
{
    return one == 0 || (other != 0 && other < one) ? other : one;
}

static enum status read_options(struct dynamodb_network *network, const struct open_options *open,
                                struct error *error)
{
    const struct keyed_database *keyed = &network->keyed;
    if (open->uri->path != NULL && open->uri->path[0] != '\0') {
        return keyed_refuse_option(
            keyed, "nothing follows the region: tables are named by the plan", error);
    }
    network->consistent = keyed_option_is_on(keyed, "consistent");
    network->keyed.room.in_flight_max = (uint32_t)keyed_option_number(keyed, "connections");
    network->read_units =
        lower_cap(keyed_option_number(keyed, "read_units"), open->read_units_per_second_max);
    network->read_capacity.units_per_second = network->read_units;
    network->keyed.room.capacity.units_per_second =
        lower_cap(keyed_option_number(keyed, "write_units"), open->write_units_per_second_max);
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
    keyed_close(&network->keyed);
}

static enum status dynamodb_connect(struct database *database, const struct open_options *open,
                                    struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(database);
    const struct keyed_database *keyed = &network->keyed;
    network->memory_bytes = open->memory_bytes;
    keyed_capacity_init(&network->read_capacity, 0);
    if (read_options(network, open, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct dynamodb_service_options service = {
        .mode = open->mode,
        .region = open->uri->host,
        .endpoint = keyed_option(keyed, "endpoint"),
        .profile = keyed_option(keyed, "profile"),
        .ca_file = keyed_option(keyed, "ca_file"),
        .plaintext_allowed = keyed_option_is_on(keyed, "plaintext"),
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
    const struct keyed_opening opening = {
        .connector = &connector_dynamodb,
        .service = &dynamodb_keyed_service,
        .limits = {.readers_max = READERS_MAX,
                   .writers_max = WRITERS_MAX,
                   .chunks_open_max = CHUNKS_OPEN_MAX,
                   .record_bytes_max = DYNAMODB_ITEM_BYTES_MAX,
                   .name_bytes_max = DYNAMODB_TABLE_NAME_BYTES_MAX,
                   .nesting_max = DYNAMODB_NESTING_MAX,
                   .number_digits_max = DYNAMODB_NUMBER_DIGITS_MAX},
        .bytes = sizeof(struct dynamodb_network),
        .connect = dynamodb_connect};
    return keyed_open(&opening, open, database, error);
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
    KEYED_TARGET_FUNCTIONS,
    .claimed = keyed_claimed,
    .empty = keyed_empty,
    .inspect = dynamodb_network_inspect,
    .check_table = dynamodb_network_check_table,
    .prepare = keyed_prepare,
    .after_load = target_finishes_nothing,
    .fetch = dynamodb_network_fetch,
    .delete_records = keyed_delete,
    .count = dynamodb_network_count,
    .normal_form = dynamodb_network_normal_form,
};

static const struct column_functions columns = {
    .type = dynamodb_network_column_type,
};

static const struct forecast_functions forecast = {
    .script = dynamodb_network_script,
    .load_add = dynamodb_estimate_add,
    .load_describe = dynamodb_estimate_write,
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
    .columns = &columns,
    .forecast = &forecast,
    .trial = &keyed_trial,
    .apply = &apply_functions,
    .store = &dynamodb_network_store,
    .alter = &dynamodb_network_alter,
    .change = &dynamodb_network_change,
    .rollback = &dynamodb_network_rollback,
    .rights = &dynamodb_network_rights,
};
