/* Which tables there are: ListTables and DescribeTable, as a schema. */
#include "connectors/dynamodb/network/source.h"

#include "base/text.h"
#include "connectors/dynamodb/network/body.h"
#include "connectors/dynamodb/network/whole.h"
#include <stdlib.h>
#include <string.h>

enum { TABLES_MAX = 10000, LIST_PAGES_MAX = 1000 };

static const char own_prefix[] = "_transhume";

struct listing {
    struct dynamodb_network *network;
    struct arena *arena;
    const char **names;
    uint32_t count;
    uint32_t capacity;
    const char *last; /* where the next page of names begins, NULL: none */
    struct error *error;
};

/* ---------------------------------------------------------------- names */

static bool is_wanted(const struct dynamodb_network *network, const char *name)
{
    if (strncmp(name, own_prefix, strlen(own_prefix)) == 0) {
        return false;
    }
    if (network->keyed.catalog_tables == NULL) {
        return true;
    }
    for (const char *const *at = network->keyed.catalog_tables; *at != NULL; at++) {
        if (strcmp(*at, name) == 0) {
            return true;
        }
    }
    return false;
}

static enum status add_name(struct listing *listing, const char *name)
{
    if (!is_wanted(listing->network, name)) {
        return STATUS_OK;
    }
    if (listing->count == TABLES_MAX) {
        return error_set(listing->error, ERROR_SOURCE_INVALID, NULL,
                         "there are more than %d tables in this region", (int)TABLES_MAX);
    }
    if (listing->count == listing->capacity) {
        uint32_t capacity = listing->capacity == 0 ? 64 : listing->capacity * 2;
        const char **grown = arena_allocate_zeroed(listing->arena, capacity, sizeof(*grown));
        if (listing->count > 0) {
            memcpy(grown, listing->names, listing->count * sizeof(*grown));
        }
        listing->names = grown;
        listing->capacity = capacity;
    }
    listing->names[listing->count++] = arena_copy_string(listing->arena, name);
    return STATUS_OK;
}

static enum status read_names(struct listing *listing, const json_t *root)
{
    const json_t *names = json_object_get(root, "TableNames");
    const char *last = json_string_value(json_object_get(root, "LastEvaluatedTableName"));
    if (!json_is_array(names)) {
        return error_set(listing->error, ERROR_SOURCE_READ, NULL,
                         "ListTables' answer can't be understood");
    }
    for (size_t at = 0; at < json_array_size(names); at++) {
        const char *name = json_string_value(json_array_get(names, at));
        if (name != NULL && add_name(listing, name) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    listing->last = last != NULL ? arena_copy_string(listing->arena, last) : NULL;
    return STATUS_OK;
}

static enum status list_page(struct listing *listing)
{
    struct buffer body = {0};
    struct service_reply *response = NULL;
    dynamodb_body_raw(&body, "{");
    if (listing->last != NULL) {
        dynamodb_body_text(&body, "ExclusiveStartTableName", listing->last);
    }
    dynamodb_body_raw(&body, "}");
    enum status status = dynamodb_network_call(listing->network, "ListTables", NULL, &body,
                                               &response, listing->error);
    buffer_free(&body);
    if (status == STATUS_OK && response->fault != DYNAMODB_FAULT_NONE) {
        error_copy(listing->error, &response->error);
        status = STATUS_FAILED;
    }
    if (status == STATUS_OK) {
        json_t *root = dynamodb_reply_parse(response, NULL, listing->error);
        status = root != NULL ? read_names(listing, root) : STATUS_FAILED;
        json_decref(root);
    }
    service_reply_destroy(response);
    return status;
}

static enum status list_names(struct listing *listing)
{
    for (int pages = 0; pages < LIST_PAGES_MAX; pages++) {
        if (list_page(listing) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (listing->last == NULL) {
            if (listing->count > 1) {
                qsort(listing->names, listing->count, sizeof(*listing->names),
                      text_compare_strings);
            }
            return STATUS_OK;
        }
    }
    return error_set(listing->error, ERROR_SOURCE_READ, NULL, "ListTables does not come to an end");
}

/* ---------------------------------------------------------------- the source */

/* One that vanishes between the two questions is none. */
static enum status describe_tables(struct listing *listing, struct dynamodb_source *source)
{
    source->tables =
        arena_allocate_zeroed(listing->arena, (size_t)listing->count + 1, sizeof(*source->tables));
    source->asked = (_Atomic bool *)arena_allocate_zeroed(
        listing->arena, (size_t)listing->count + 1, sizeof(*source->asked));
    return dynamodb_describe_many(listing->network, listing->names, listing->count, listing->arena,
                                  source->tables, &source->table_count, listing->error);
}

static enum status make_source(struct dynamodb_network *network, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct listing listing = {.network = network, .arena = arena, .error = error};
    struct dynamodb_source *made = arena_allocate_zeroed(arena, 1, sizeof(*made));
    made->arena = arena;
    if (list_names(&listing) != STATUS_OK || describe_tables(&listing, made) != STATUS_OK) {
        dynamodb_source_destroy(made);
        return STATUS_FAILED;
    }
    network->source_own = made;
    return STATUS_OK;
}

enum status dynamodb_source_get(struct dynamodb_network *network, struct dynamodb_source **source,
                                struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&network->keyed.mutex);
    if (network->source_own == NULL) {
        status = make_source(network, error);
    }
    *source = network->source_own;
    pthread_mutex_unlock(&network->keyed.mutex);
    return status;
}

void dynamodb_source_destroy(struct dynamodb_source *source)
{
    if (source != NULL) {
        arena_destroy(source->arena);
    }
}

static bool is_readable(const struct dynamodb_description *table)
{
    return strcmp(table->status, "ACTIVE") == 0 || strcmp(table->status, "UPDATING") == 0;
}

enum status dynamodb_source_find(struct dynamodb_network *network, const char *name,
                                 const struct dynamodb_description **table, struct error *error)
{
    struct dynamodb_source *source = NULL;
    *table = NULL;
    if (dynamodb_source_get(network, &source, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < source->table_count; at++) {
        if (strcmp(source->tables[at].name, name) == 0) {
            *table = &source->tables[at];
        }
    }
    if (*table == NULL) {
        error_set(error, ERROR_SOURCE_MISSING, name, "there is no table %s in %s", name,
                  dynamodb_service_region(network->service));
        return error_hint(error, "look at the region, the account and the letters' case");
    }
    if (!is_readable(*table)) {
        error_set(error, ERROR_SOURCE_MISSING, name, "the table can't be read: it is %s",
                  (*table)->status);
        return error_hint(error, "wait until it is ACTIVE or gone, or leave it out: --exclude %s",
                          name);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- describe */

/* Key attributes of the table and its indexes: all that DynamoDB declares. */
static const struct schema_column *columns_of(const struct dynamodb_description *from,
                                              struct arena *arena)
{
    struct schema_column *columns =
        arena_allocate_zeroed(arena, (size_t)from->attribute_count + 1, sizeof(*columns));
    for (uint32_t at = 0; at < from->attribute_count; at++) {
        const struct dynamodb_attribute *attribute = &from->attributes[at];
        columns[at] = (struct schema_column){.name = attribute->name,
                                             .type = dynamodb_item_key_type(attribute->letter)};
        for (uint32_t key = 0; key < from->key.count; key++) {
            columns[at].not_null |= strcmp(from->key.names[key], attribute->name) == 0;
        }
    }
    return columns;
}

static const struct schema_index *indexes_of(const struct dynamodb_description *from,
                                             struct arena *arena)
{
    struct schema_index *indexes =
        arena_allocate_zeroed(arena, (size_t)from->index_count + 1, sizeof(*indexes));
    for (uint32_t at = 0; at < from->index_count; at++) {
        indexes[at] = (struct schema_index){.name = from->indexes[at].name,
                                            .columns = from->indexes[at].key,
                                            .local = from->indexes[at].local,
                                            .native_sql = from->indexes[at].projection};
    }
    return indexes;
}

/* Texts stay in the source's arena, which outlives every schema. */
void dynamodb_catalog_table(const struct dynamodb_description *from, struct arena *arena,
                            struct schema_table *to)
{
    *to =
        (struct schema_table){.kind = SCHEMA_TABLE,
                              .name = from->name,
                              .columns = columns_of(from, arena),
                              .column_count = from->attribute_count,
                              .primary_key = from->key,
                              .primary_key_not_null = true,
                              .indexes = indexes_of(from, arena),
                              .index_count = from->index_count,
                              .row_count = from->item_count > 0 ? (int64_t)from->item_count : -1,
                              .size_bytes = from->size_bytes > 0 ? (int64_t)from->size_bytes : -1};
}

static enum status catalog_describe(struct database *self, struct schema **schema,
                                    struct error *error)
{
    struct dynamodb_source *source = NULL;
    if (dynamodb_source_get(dynamodb_network_of(self), &source, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    struct schema *made = arena_allocate_zeroed(arena, 1, sizeof(*made));
    struct schema_table *tables =
        arena_allocate_zeroed(arena, (size_t)source->table_count + 1, sizeof(*tables));
    for (uint32_t at = 0; at < source->table_count; at++) {
        dynamodb_catalog_table(&source->tables[at], arena, &tables[at]);
    }
    *made = (struct schema){.arena = arena, .tables = tables, .table_count = source->table_count};
    *schema = made;
    return STATUS_OK;
}

const struct catalog_functions dynamodb_network_catalog = {.describe = catalog_describe,
                                                           .describe_query =
                                                               dynamodb_query_describe,
                                                           .settings = dynamodb_whole_settings};
