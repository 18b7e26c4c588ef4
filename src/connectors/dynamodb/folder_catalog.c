/* What a folder holds as a source: tables, their data files, exports of DynamoDB among them. */
#include "connectors/dynamodb/folder.h"

#include "base/file.h"
#include "model/json_reader.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MANIFEST_BYTES_MAX = 1024 * 1024 };

struct finding {
    struct dynamodb_folder *folder;
    struct arena *arena;
    struct dynamodb_source_table *tables;
    uint32_t count;
    uint32_t capacity;
    struct error *error;
};

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for the folder's catalogue");
}

/* ---------------------------------------------------------------- tables */

static enum status find_key(struct finding *finding, struct dynamodb_source_table *table)
{
    struct dynamodb_definition definition;
    char *below = arena_format(finding->arena, "tables/%s.json", table->name);
    char *path =
        below != NULL ? dynamodb_folder_path(finding->arena, finding->folder, below) : NULL;
    if (path == NULL) {
        return no_memory(finding->error);
    }
    enum status status =
        dynamodb_definition_read(path, finding->arena, &definition, finding->error);
    if (status == STATUS_OK) {
        table->key = definition.key;
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* Adds a folder as a table if it has data files, or if it is empty and transhume made it one. */
static enum status add_table(struct finding *finding, const char *name, const char *path,
                             bool always)
{
    struct dynamodb_file *files = NULL;
    uint32_t count = 0;
    enum status status = dynamodb_folder_list(path, finding->arena, &files, &count, finding->error);
    if (status == STATUS_FAILED || (count == 0 && !always)) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    if (finding->count == finding->capacity) {
        uint32_t capacity = finding->capacity == 0 ? 16 : finding->capacity * 2;
        struct dynamodb_source_table *grown = (struct dynamodb_source_table *)arena_allocate_zeroed(
            finding->arena, capacity, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(finding->error);
        }
        if (finding->count > 0) {
            memcpy(grown, finding->tables, finding->count * sizeof(*grown));
        }
        finding->tables = grown;
        finding->capacity = capacity;
    }
    struct dynamodb_source_table *table = &finding->tables[finding->count++];
    *table = (struct dynamodb_source_table){
        .name = name, .folder = path, .files = files, .file_count = count};
    for (uint32_t at = 0; at < count; at++) {
        table->bytes += files[at].bytes;
    }
    return find_key(finding, table);
}

/* ---------------------------------------------------------------- exports */

/* The table's name in "arn:aws:dynamodb:REGION:ACCOUNT:table/NAME" of an export's manifest. */
static const char *name_in_manifest(struct finding *finding, const char *path)
{
    char *text = NULL;
    size_t length = 0;
    struct json_reader reader;
    struct error ignored;
    enum json_token token = JSON_TOKEN_END;
    if (file_read_all(path, MANIFEST_BYTES_MAX, finding->arena, &text, &length, &ignored) !=
        STATUS_OK) {
        return NULL;
    }
    json_reader_init(&reader, text, length, 16, finding->arena);
    if (json_reader_next(&reader, &token, &ignored) != STATUS_OK ||
        token != JSON_TOKEN_OBJECT_BEGIN) {
        return NULL;
    }
    while (json_reader_next(&reader, &token, &ignored) == STATUS_OK && token == JSON_TOKEN_KEY) {
        bool wanted = reader.length == 8 && memcmp(reader.text, "tableArn", 8) == 0;
        if (json_reader_next(&reader, &token, &ignored) != STATUS_OK) {
            return NULL;
        }
        if (wanted && token == JSON_TOKEN_STRING) {
            char *arn = arena_copy(finding->arena, reader.text, reader.length);
            char *slash = arn != NULL ? strrchr(arn, '/') : NULL;
            return slash != NULL && slash[1] != '\0' ? slash + 1 : NULL;
        }
        if (json_reader_skip(&reader, token, &ignored) != STATUS_OK) {
            return NULL;
        }
    }
    return NULL;
}

/* One export: manifest-summary.json and data/ in a folder. */
static enum status add_export(struct finding *finding, const char *path, const char *otherwise)
{
    char *manifest = file_join(finding->arena, path, "manifest-summary.json");
    char *data = file_join(finding->arena, path, "data");
    if (manifest == NULL || data == NULL) {
        return no_memory(finding->error);
    }
    const char *name = name_in_manifest(finding, manifest);
    return add_table(finding, name != NULL ? name : otherwise, data, false);
}

/* All exports below FOLDER/AWSDynamoDB. */
static enum status add_exports(struct finding *finding, const char *folder, const char *name)
{
    const char **ids = NULL;
    uint32_t count = 0;
    char *path = file_join(finding->arena, folder, "AWSDynamoDB");
    if (path == NULL) {
        return no_memory(finding->error);
    }
    enum status status =
        dynamodb_folder_subfolders(path, finding->arena, &ids, &count, finding->error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        char *export = file_join(finding->arena, path, ids[at]);
        status = export != NULL ? add_export(finding, export, name != NULL ? name : ids[at])
                                : no_memory(finding->error);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- the snapshot */

static int compare_tables(const void *left, const void *right)
{
    return strcmp(((const struct dynamodb_source_table *)left)->name,
                  ((const struct dynamodb_source_table *)right)->name);
}

static enum status find_tables(struct finding *finding)
{
    const char *root = finding->folder->path;
    const char **names = NULL;
    uint32_t count = 0;
    char *manifest = file_join(finding->arena, root, "manifest-summary.json");
    if (manifest == NULL) {
        return no_memory(finding->error);
    }
    if (file_exists(manifest)) {
        return add_export(finding, root, "export");
    }
    enum status status =
        dynamodb_folder_subfolders(root, finding->arena, &names, &count, finding->error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        char *path = file_join(finding->arena, root, names[at]);
        char *below = arena_format(finding->arena, "tables/%s.json", names[at]);
        char *definition =
            below != NULL ? dynamodb_folder_path(finding->arena, finding->folder, below) : NULL;
        if (path == NULL || definition == NULL) {
            return no_memory(finding->error);
        }
        if (strcmp(names[at], "_transhume") == 0) {
            continue;
        }
        if (strcmp(names[at], "AWSDynamoDB") == 0) {
            status = add_exports(finding, root, NULL);
            continue;
        }
        status = add_table(finding, names[at], path, file_exists(definition));
        if (status == STATUS_OK) {
            status = add_exports(finding, path, names[at]);
        }
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status refuse_equal_names(const struct finding *finding)
{
    for (uint32_t at = 1; at < finding->count; at++) {
        if (strcmp(finding->tables[at - 1].name, finding->tables[at].name) == 0) {
            enum status status =
                error_set(finding->error, ERROR_SOURCE_INVALID, finding->tables[at].folder,
                          "a second folder for the same table; the first is %s",
                          finding->tables[at - 1].folder);
            error_hint(finding->error,
                       "name one export's folder: dynamodb-json:DIR/AWSDynamoDB/ID");
            return status;
        }
    }
    return STATUS_OK;
}

static enum status make_snapshot(struct dynamodb_folder *folder, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct finding finding = {.folder = folder, .arena = arena, .error = error};
    struct dynamodb_snapshot *snapshot = NULL;
    if (arena == NULL) {
        return no_memory(error);
    }
    enum status status = find_tables(&finding);
    if (status == STATUS_OK && finding.count > 1) {
        qsort(finding.tables, finding.count, sizeof(*finding.tables), compare_tables);
        status = refuse_equal_names(&finding);
    }
    if (status == STATUS_OK) {
        snapshot = (struct dynamodb_snapshot *)arena_allocate_zeroed(arena, 1, sizeof(*snapshot));
        status = snapshot != NULL ? STATUS_OK : no_memory(error);
    }
    if (status != STATUS_OK || snapshot == NULL) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    *snapshot = (struct dynamodb_snapshot){arena, finding.tables, finding.count};
    folder->snapshot = snapshot;
    return STATUS_OK;
}

enum status dynamodb_folder_snapshot(struct dynamodb_folder *folder,
                                     const struct dynamodb_snapshot **snapshot, struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&folder->mutex);
    if (folder->snapshot == NULL) {
        status = make_snapshot(folder, error);
    }
    *snapshot = folder->snapshot;
    pthread_mutex_unlock(&folder->mutex);
    return status;
}

const struct dynamodb_source_table *dynamodb_snapshot_find(const struct dynamodb_snapshot *snapshot,
                                                           const char *table)
{
    for (uint32_t at = 0; at < snapshot->table_count; at++) {
        if (strcmp(snapshot->tables[at].name, table) == 0) {
            return &snapshot->tables[at];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- describe */

static enum status folder_describe(struct database *self, struct schema **schema,
                                   struct error *error)
{
    const struct dynamodb_snapshot *snapshot = NULL;
    if (dynamodb_folder_snapshot((struct dynamodb_folder *)self, &snapshot, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    struct schema *made =
        arena != NULL ? (struct schema *)arena_allocate_zeroed(arena, 1, sizeof(*made)) : NULL;
    struct schema_table *tables =
        made != NULL ? (struct schema_table *)arena_allocate_zeroed(
                           arena, (size_t)snapshot->table_count + 1, sizeof(*tables))
                     : NULL;
    if (made == NULL || tables == NULL) {
        arena_destroy(arena);
        return no_memory(error);
    }
    for (uint32_t at = 0; at < snapshot->table_count; at++) {
        const struct dynamodb_source_table *from = &snapshot->tables[at];
        tables[at] = (struct schema_table){.kind = SCHEMA_TABLE,
                                           .name = from->name,
                                           .primary_key = from->key,
                                           .primary_key_not_null = from->key.count > 0,
                                           .row_count = -1,
                                           .size_bytes = (int64_t)from->bytes};
    }
    *made = (struct schema){.arena = arena, .tables = tables, .table_count = snapshot->table_count};
    *schema = made;
    return STATUS_OK;
}

const struct catalog_functions dynamodb_folder_catalog = {.describe = folder_describe};
