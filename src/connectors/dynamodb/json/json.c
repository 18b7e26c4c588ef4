/* dynamodb-json:DIR, folders of items as DynamoDB's import from S3 reads them: the descriptor. */
#include "connectors/dynamodb/json/json.h"

#include "base/memory.h"
#include "connectors/dynamodb/item.h"
#include "connectors/dynamodb/limits.h"
#include <stdlib.h>
#include <string.h>

extern const struct connector connector_dynamodb_json;

enum { CHUNKS_OPEN_MAX = 4, WRITERS_MAX = 16, READERS_MAX = 16 };

static const struct connector_option options[] = {FOLDER_OPTIONS};

/* ---------------------------------------------------------------- writing */

struct folder_encoder {
    struct dynamodb_encoder *items;
};

static void encoder_destroy(struct folder_encoder *encoder)
{
    if (encoder != NULL) {
        dynamodb_encoder_destroy(encoder->items);
        free(encoder);
    }
}

static enum status encoder_create(struct folder *folder, const struct target_table *table,
                                  const struct shape *shape, const struct cell *first,
                                  struct folder_encoder **encoder, struct error *error)
{
    struct dynamodb_database *database = (struct dynamodb_database *)folder;
    const struct dynamodb_table_keys *keys =
        dynamodb_table_keys_find(database, table, &shape, shape != NULL ? 1 : 0);
    if (first != NULL &&
        dynamodb_table_keys_of_record(database, table, shape, first, &keys, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct folder_encoder *made = memory_allocate_zeroed(1, sizeof(*made));
    made->items = dynamodb_encoder_create(shape, keys->keys, keys->key_count);
    *encoder = made;
    return STATUS_OK;
}

static enum status encoder_append(struct folder_encoder *encoder, const struct cell *cells,
                                  struct buffer *out, struct error *error)
{
    size_t start = out->length;
    buffer_append(out, "{\"Item\":", 8);
    if (dynamodb_encoder_append(encoder->items, cells, out, error) != STATUS_OK) {
        out->length = start;
        return STATUS_FAILED;
    }
    buffer_append(out, "}\n", 2);
    return STATUS_OK;
}

static enum status normal_form(struct folder *folder, const struct cell *cell, struct arena *arena,
                               struct cell *normal, struct error *error)
{
    (void)folder;
    return dynamodb_item_normal_form(cell, arena, normal, error);
}

/* The letter and the normal form. */
static enum status key_append(struct folder *folder, const struct cell *value, const char *name,
                              struct buffer *out, struct error *error)
{
    char letter = dynamodb_item_letter((enum value_kind)value->kind);
    (void)folder;
    if (letter == 0) {
        return error_set(error, ERROR_TARGET_INVALID, name,
                         "an item without its key is in a segment");
    }
    buffer_append_byte(out, letter);
    if (letter == 'N') {
        return dynamodb_number_append(value, name, out, error);
    }
    buffer_append(out, value->bytes, value->length);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- tables */

static bool name_valid(const char *table)
{
    return dynamodb_limits_name_valid(table) && table[0] != '.';
}

static void check_table(struct folder *folder, const struct target_table *table,
                        const struct shape *const *shapes, uint32_t shape_count, struct buffer *out)
{
    uint64_t read = 0;
    uint64_t write = 0;
    dynamodb_limits_check_table(table, shapes, shape_count, out);
    if (table->name[0] == '.') {
        buffer_append_string(out, "the table's name is one that this folder keeps for itself\n");
    }
    if (!dynamodb_limits_billing(table->billing, &read, &write)) {
        buffer_append_string(out, "billing is on_demand, or { read: UNITS, write: UNITS }\n");
    }
    dynamodb_table_keys_find((struct dynamodb_database *)folder, table, shapes, shape_count);
}

/* A table made by hand has no definition, and so no key that is known. */
/* The key's attributes are columns, as they are of a table in the service: a target that must know
 * their types before the first record learns them here. */
static void describe_key(const struct dynamodb_definition *definition, struct arena *arena,
                         struct schema_table *schema)
{
    struct schema_column *columns =
        arena_allocate_zeroed(arena, (size_t)definition->type_count + 1, sizeof(*columns));
    for (uint32_t at = 0; at < definition->type_count; at++) {
        const struct dynamodb_key *type = &definition->types[at];
        columns[at].name = type->name;
        columns[at].type = dynamodb_item_key_type(type->letter);
        for (uint32_t key = 0; key < definition->key.count; key++) {
            columns[at].not_null |= strcmp(definition->key.names[key], type->name) == 0;
        }
    }
    schema->columns = columns;
    schema->column_count = definition->type_count;
    schema->primary_key = definition->key;
    schema->primary_key_not_null = definition->key.count > 0;
}

static enum status describe_table(struct folder *folder, struct folder_table *table,
                                  struct arena *arena, struct schema_table *schema,
                                  struct error *error)
{
    struct dynamodb_definition definition;
    char *path = folder_definition_path(arena, folder, table->name, ".json");
    enum status status = dynamodb_definition_read(path, arena, &definition, error);
    if (status == STATUS_OK) {
        describe_key(&definition, arena, schema);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static void caveats(const struct folder_table *table, struct buffer *out)
{
    if (table->schema.primary_key.count == 0) {
        buffer_format(out,
                      "%s: its key is not known (no _transhume/tables/%s.json); rejects name "
                      "file and byte\n",
                      table->name, table->name);
    }
}

/* ---------------------------------------------------------------- the descriptor */

const struct folder_format dynamodb_folder_format = {
    .connector = &connector_dynamodb_json,
    .database_bytes = sizeof(struct dynamodb_database),
    .segment_prefix = "data",
    .suffix = ".json",
    .records_help = "each line is to be one {\"Item\":{...}}, which `jq -c '.Items[] | {Item: .}'` "
                    "makes of what `aws dynamodb scan` prints",
    .ignored_prefix = "manifest-",
    .json_records = true,
    .position_column = "$byte",
    .source_capabilities = CAPABILITY_NESTED | CAPABILITY_FREE_FIELDS | CAPABILITY_MISSING |
                           CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED,
    .target_capabilities = CAPABILITY_NESTED | CAPABILITY_FREE_FIELDS | CAPABILITY_MISSING |
                           CAPABILITY_KEY_REQUIRED | CAPABILITY_COUNTS_EXACT,
    .limits = {.readers_max = READERS_MAX,
               .delete_keys_max = FOLDER_DELETE_KEYS_MAX,
               .writers_max = WRITERS_MAX,
               .chunks_open_max = CHUNKS_OPEN_MAX,
               .record_bytes_max = DYNAMODB_ITEM_BYTES_MAX,
               .name_bytes_max = DYNAMODB_TABLE_NAME_BYTES_MAX,
               .nesting_max = DYNAMODB_NESTING_MAX,
               .number_digits_max = DYNAMODB_NUMBER_DIGITS_MAX},
    .check_table = check_table,
    .name_valid = name_valid,
    .write_definition = dynamodb_write_definition,
    .encoder_create = encoder_create,
    .encoder_destroy = encoder_destroy,
    .encoder_append = encoder_append,
    .normal_form = normal_form,
    .find_tables = dynamodb_exports_find,
    .describe_table = describe_table,
    .caveats = caveats,
    .decoder_open = dynamodb_decoder_open,
    .decoder_close = dynamodb_decoder_close,
    .decoder_fill = dynamodb_decoder_fill,
    .raw_next = dynamodb_decoder_raw_next,
    .raw_read = dynamodb_decoder_raw_read,
    .key_append = key_append,
};

static enum status database_open(const struct open_options *open, struct database **database,
                                 struct error *error)
{
    return folder_open(&dynamodb_folder_format, open, database, error);
}

const struct connector connector_dynamodb_json = {
    FOLDER_GROUPS,
    .name = "dynamodb-json",
    .title = "DynamoDB JSON files",
    .uri_help = "dynamodb-json:DIR",
    .capabilities = CAPABILITY_NESTED | CAPABILITY_FREE_FIELDS | CAPABILITY_MISSING |
                    CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED | CAPABILITY_KEY_REQUIRED |
                    CAPABILITY_COUNTS_EXACT,
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .types = dynamodb_types,
    .type_count = DYNAMODB_TYPE_COUNT,
    .failpoints = folder_failpoints,
    .open = database_open,
};
