/* The tables of a DynamoDB-JSON folder: its subfolders, exports of DynamoDB among them. */
#include "connectors/dynamodb/json/json.h"

#include "base/file.h"
#include "model/json_reader.h"
#include <string.h>

enum { MANIFEST_BYTES_MAX = 1024 * 1024 };

/* The table's name in "arn:aws:dynamodb:REGION:ACCOUNT:table/NAME" of an export's manifest. */
static const char *name_in_manifest(struct arena *arena, const char *path)
{
    char *text = NULL;
    size_t length = 0;
    struct json_reader reader;
    struct error ignored;
    enum json_token token = JSON_TOKEN_END;
    if (file_read_all(path, MANIFEST_BYTES_MAX, arena, &text, &length, &ignored) != STATUS_OK) {
        return NULL;
    }
    json_reader_init(&reader, text, length, 16, arena);
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
            char *arn = arena_copy(arena, reader.text, reader.length);
            char *slash = strrchr(arn, '/');
            return slash != NULL && slash[1] != '\0' ? slash + 1 : NULL;
        }
        if (json_reader_skip(&reader, token, &ignored) != STATUS_OK) {
            return NULL;
        }
    }
    return NULL;
}

/* One export: manifest-summary.json and data/ in a folder. */
static enum status add_export(struct folder_finding *finding, const char *path,
                              const char *otherwise, struct error *error)
{
    struct arena *arena = folder_finding_arena(finding);
    char *manifest = file_join(arena, path, "manifest-summary.json");
    char *data = file_join(arena, path, "data");
    const char *name = name_in_manifest(arena, manifest);
    return folder_add_table(finding, name != NULL ? name : otherwise, data, false, error);
}

/* All exports below FOLDER/AWSDynamoDB. */
static enum status add_exports(struct folder_finding *finding, const char *folder, const char *name,
                               struct error *error)
{
    struct arena *arena = folder_finding_arena(finding);
    const char **ids = NULL;
    uint32_t count = 0;
    char *path = file_join(arena, folder, "AWSDynamoDB");
    enum status status = folder_subfolders(path, arena, &ids, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        char *export = file_join(arena, path, ids[at]);
        status = add_export(finding, export, name != NULL ? name : ids[at], error);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status dynamodb_exports_find(struct folder *folder, struct folder_finding *finding,
                                  struct error *error)
{
    const char *root = folder->path;
    struct arena *arena = folder_finding_arena(finding);
    const char **names = NULL;
    uint32_t count = 0;
    char *manifest = file_join(arena, root, "manifest-summary.json");
    if (file_exists(manifest)) {
        return add_export(finding, root, "export", error);
    }
    enum status status = folder_subfolders(root, arena, &names, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        char *path = file_join(arena, root, names[at]);
        char *definition = folder_definition_path(arena, folder, names[at], ".json");
        if (strcmp(names[at], "_transhume") == 0) {
            continue;
        }
        if (strcmp(names[at], "AWSDynamoDB") == 0) {
            status = add_exports(finding, root, NULL, error);
            continue;
        }
        status = folder_add_table(finding, names[at], path, file_exists(definition), error);
        status = status == STATUS_OK ? add_exports(finding, path, names[at], error) : status;
    }
    return status == STATUS_FAILED ? STATUS_FAILED : folder_refuse_loose(finding, error);
}
