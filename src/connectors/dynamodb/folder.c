/* dynamodb-json:DIR, folders of items as DynamoDB's import from S3 reads them: the descriptor. */
#include "connectors/dynamodb/folder.h"

#include "base/file.h"
#include "base/text.h"
#include "connectors/dynamodb/limits.h"
#include "connectors/registry.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct connector connector_dynamodb_json;

enum { CHUNKS_OPEN_MAX = 4, WRITERS_MAX = 16, READERS_MAX = 16 };

static const struct connector_option options[] = {
    {"compression", OPTION_CHOICE, "none", "none|gzip|zstd", false,
     "How new data files are compressed; existing ones are read by their names' ends."},
    {"file_bytes", OPTION_BYTES, "128MiB", "1KiB..1TiB", false,
     "The most bytes of items, before compression, in one data file."},
};

static const struct type_mapping types[] = {
    {"S", VALUE_TEXT, "text", "text", "exact"},
    {"S", VALUE_DATE, NULL, "ISO 8601 text", "widened"},
    {"S", VALUE_TIME, NULL, "ISO 8601 text", "widened"},
    {"S", VALUE_TIMESTAMP, NULL, "ISO 8601 text", "widened"},
    {"S", VALUE_INTERVAL, NULL, "ISO 8601 duration", "widened"},
    {"S", VALUE_UUID, NULL, "36 characters, lower case", "widened"},
    {"S", VALUE_JSON, NULL, "the JSON text as it stands", "widened"},
    {"N", VALUE_INT64, "whole numbers that fit", "exact digits", "exact"},
    {"N", VALUE_UINT64, NULL, "exact digits; above int64 it comes back as decimal", "widened"},
    {"N", VALUE_DECIMAL, "all other numbers", "exact digits without trailing zeros (0.10 is 0.1)",
     "widened; above 38 digits or outside 1E-130..9.9E+125 the record is rejected"},
    {"N", VALUE_FLOAT32, NULL, "shortest digits that are the same float",
     "widened; -0.0 becomes 0; NaN and infinities are rejected"},
    {"N", VALUE_FLOAT64, NULL, "shortest digits that are the same float",
     "widened; -0.0 becomes 0; NaN and infinities are rejected"},
    {"B", VALUE_BYTES, "base64", "base64", "exact"},
    {"BOOL", VALUE_BOOL, "true or false", "true or false", "exact"},
    {"NULL", VALUE_NULL, "null", "{\"NULL\":true}", "exact"},
    {"L", VALUE_LIST, "list", "list", "exact"},
    {"M", VALUE_MAP, "map with text keys", "map; keys that are no text are rejected", "exact"},
    {"SS, NS, BS", VALUE_SET, "set", "set of texts, numbers or bytes",
     "exact; empty, mixed and repeating sets are rejected"},
};

static const char *const failpoints[] = {
    "files.before_ledger_create", "files.after_ledger_create", "files.before_epoch",
    "files.after_epoch",          "files.sweep_removed",       "files.after_sweep",
    "files.before_status",        "files.before_table",        "files.before_definition",
    "files.after_table",          "files.chunk_begin",         "files.after_part",
    "files.before_sync",          "files.before_rename",       "files.after_rename",
    "files.before_mark",          "files.after_mark",          "files.before_reopen",
    "files.after_reopen",         "files.before_duplicates",   "files.after_duplicates",
    "files.before_rewrite",       "files.after_rewrite",       NULL,
};

/* ---------------------------------------------------------------- opening */

static enum status read_options(struct dynamodb_folder *folder, const struct uri *uri,
                                struct error *error)
{
    const char *compression = uri_parameter(uri, &connector_dynamodb_json, "compression");
    const char *file_bytes = uri_parameter(uri, &connector_dynamodb_json, "file_bytes");
    if (strcmp(compression, "gzip") == 0) {
        folder->compression = DYNAMODB_GZIP;
    } else if (strcmp(compression, "zstd") == 0) {
        folder->compression = DYNAMODB_ZSTD;
    } else if (strcmp(compression, "none") != 0) {
        error_set(error, ERROR_BAD_VALUE, uri->shown, "compression is none, gzip or zstd");
        error_hint(error, "write for example dynamodb-json:DIR?compression=gzip");
        return STATUS_FAILED;
    }
    if (text_to_bytes(file_bytes, &folder->file_bytes_max) != STATUS_OK ||
        folder->file_bytes_max < 1024 || folder->file_bytes_max > (uint64_t)1 << 40) {
        error_set(error, ERROR_BAD_VALUE, uri->shown, "file_bytes is from 1KiB to 1TiB");
        error_hint(error, "write for example dynamodb-json:DIR?file_bytes=128MiB");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status refuse_place(const struct dynamodb_folder *folder, int reason,
                                const char *message, struct error *error)
{
    bool source = folder->mode == OPEN_SOURCE;
    error_set_errno(error, source ? ERROR_SOURCE_MISSING : ERROR_TARGET_MISSING, reason,
                    folder->path, "%s", message);
    error_hint(error, "check the path after dynamodb-json:, and who may write there");
    return STATUS_FAILED;
}

char *dynamodb_folder_parent(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return arena_copy_string(arena, ".");
    }
    return slash == path ? arena_copy_string(arena, "/")
                         : arena_copy(arena, path, (size_t)(slash - path));
}

/* A source must be there. A target is made with its ledger, not before: here its parent must do. */
static enum status open_folder(const struct dynamodb_folder *folder, struct error *error)
{
    struct stat facts;
    bool source = folder->mode == OPEN_SOURCE;
    if (folder->path[0] == '\0') {
        error_set(error, ERROR_BAD_VALUE, NULL, "the URI names no folder");
        error_hint(error, "write dynamodb-json:DIR");
        return STATUS_FAILED;
    }
    if (stat(folder->path, &facts) == 0) {
        if (!S_ISDIR(facts.st_mode)) {
            error_set(error, source ? ERROR_SOURCE_INVALID : ERROR_TARGET_INVALID, folder->path,
                      "it is a file, and should be a folder");
            error_hint(error, "name the folder that holds a subfolder for each table");
            return STATUS_FAILED;
        }
        return access(folder->path, source ? R_OK | X_OK : R_OK | W_OK | X_OK) == 0
                   ? STATUS_OK
                   : refuse_place(folder, errno, "can't use the folder", error);
    }
    if (errno != ENOENT || source) {
        return refuse_place(folder, errno, "can't open the folder", error);
    }
    char *parent = dynamodb_folder_parent(folder->arena, folder->path);
    if (parent == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory to open a folder");
    }
    if (stat(parent, &facts) != 0 || access(parent, W_OK | X_OK) != 0) {
        return refuse_place(folder, errno, "the folder can't be made", error);
    }
    return STATUS_OK;
}

static void folder_close(struct database *database)
{
    struct dynamodb_folder *folder = (struct dynamodb_folder *)database;
    if (folder == NULL) {
        return;
    }
    dynamodb_ledger_forget(folder);
    if (folder->snapshot != NULL) {
        arena_destroy(folder->snapshot->arena);
    }
    pthread_mutex_destroy(&folder->mutex);
    arena_destroy(folder->arena);
    free(folder->spill_folder);
    free(folder->path);
    free(folder);
}

static const uint32_t source_capabilities = CAPABILITY_NESTED | CAPABILITY_FREE_FIELDS |
                                            CAPABILITY_MISSING | CAPABILITY_SNAPSHOT |
                                            CAPABILITY_PROVES_UNCHANGED;
static const uint32_t target_capabilities = CAPABILITY_NESTED | CAPABILITY_FREE_FIELDS |
                                            CAPABILITY_MISSING | CAPABILITY_KEY_REQUIRED |
                                            CAPABILITY_COUNTS_EXACT;

static enum status folder_open(const struct open_options *open, struct database **database,
                               struct error *error)
{
    struct dynamodb_folder *folder = (struct dynamodb_folder *)calloc(1, sizeof(*folder));
    *database = NULL;
    if (folder == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory to open a folder");
    }
    bool source = open->mode == OPEN_SOURCE;
    folder->base.connector = &connector_dynamodb_json;
    folder->base.capabilities = source ? source_capabilities : target_capabilities;
    folder->base.limits =
        (struct connector_limits){.readers_max = READERS_MAX,
                                  .writers_max = WRITERS_MAX,
                                  .chunks_open_max = CHUNKS_OPEN_MAX,
                                  .record_bytes_max = DYNAMODB_ITEM_BYTES_MAX,
                                  .name_bytes_max = DYNAMODB_TABLE_NAME_BYTES_MAX,
                                  .nesting_max = DYNAMODB_NESTING_MAX,
                                  .number_digits_max = DYNAMODB_NUMBER_DIGITS_MAX};
    folder->mode = open->mode;
    folder->lock_descriptor = -1;
    folder->run.done_descriptor = -1;
    pthread_mutex_init(&folder->mutex, NULL);
    folder->arena = arena_create(0);
    folder->path = strdup(open->uri->path != NULL ? open->uri->path : "");
    folder->spill_folder = open->spill_folder != NULL ? strdup(open->spill_folder) : NULL;
    enum status status = STATUS_OK;
    if (folder->arena == NULL || folder->path == NULL ||
        (open->spill_folder != NULL && folder->spill_folder == NULL)) {
        status = error_set(error, ERROR_MEMORY, NULL, "no memory to open a folder");
    }
    for (size_t length = strlen(folder->path != NULL ? folder->path : "");
         status == STATUS_OK && length > 1 && folder->path[length - 1] == '/'; length--) {
        folder->path[length - 1] = '\0';
    }
    if (status == STATUS_OK) {
        status = read_options(folder, open->uri, error);
    }
    if (status == STATUS_OK) {
        status = open_folder(folder, error);
    }
    if (status != STATUS_OK) {
        folder_close(&folder->base);
        return status;
    }
    *database = &folder->base;
    return STATUS_OK;
}

/* The same before and after the folder is made: its real path. */
static enum status folder_identity(struct database *self, struct arena *arena,
                                   const char **identity, struct error *error)
{
    struct dynamodb_folder *folder = (struct dynamodb_folder *)self;
    char *real = realpath(folder->path, NULL);
    const char *name = NULL;
    if (real == NULL && errno == ENOENT) {
        char *parent = dynamodb_folder_parent(arena, folder->path);
        const char *slash = strrchr(folder->path, '/');
        name = slash != NULL ? slash + 1 : folder->path;
        real = parent != NULL ? realpath(parent, NULL) : NULL;
    }
    if (real == NULL) {
        return error_set_errno(error, ERROR_SOURCE_READ, errno, folder->path,
                               "can't look at the folder");
    }
    *identity = name == NULL
                    ? arena_format(arena, "folder %s", real)
                    : arena_format(arena, "folder %s/%s", strcmp(real, "/") == 0 ? "" : real, name);
    free(real);
    return *identity != NULL ? STATUS_OK
                             : error_set(error, ERROR_MEMORY, NULL, "no memory for a path");
}

static enum status folder_normal_form(struct database *self, const struct cell *cell,
                                      struct arena *arena, struct cell *normal, struct error *error)
{
    (void)self;
    return dynamodb_item_normal_form(cell, arena, normal, error);
}

const struct target_functions dynamodb_folder_target = {
    .inspect = dynamodb_folder_inspect,
    .check_table = dynamodb_folder_check_table,
    .prepare = dynamodb_folder_prepare,
    .writer_open = dynamodb_folder_writer_open,
    .writer_close = dynamodb_folder_writer_close,
    .chunk_begin = dynamodb_folder_chunk_begin,
    .submit = dynamodb_folder_submit,
    .poll = dynamodb_folder_poll,
    .commit = dynamodb_folder_commit,
    .chunk_abandon = dynamodb_folder_chunk_abandon,
    .after_load = dynamodb_folder_after_load,
    .count = dynamodb_folder_count,
    .settle_duplicates = dynamodb_folder_settle,
    .normal_form = folder_normal_form,
};

const struct connector connector_dynamodb_json = {
    .contract_version = CONNECTOR_CONTRACT_VERSION,
    .name = "dynamodb-json",
    .title = "DynamoDB JSON files",
    .uri_help = "dynamodb-json:DIR",
    .capabilities = CAPABILITY_NESTED | CAPABILITY_FREE_FIELDS | CAPABILITY_MISSING |
                    CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED | CAPABILITY_KEY_REQUIRED |
                    CAPABILITY_COUNTS_EXACT,
    .guarantee = GUARANTEE_EXACTLY_ONCE,
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .types = types,
    .type_count = sizeof(types) / sizeof(*types),
    .failpoints = failpoints,
    .open = folder_open,
    .close = folder_close,
    .identity = folder_identity,
    .catalog = &dynamodb_folder_catalog,
    .source = &dynamodb_folder_source,
    .target = &dynamodb_folder_target,
    .ledger = &dynamodb_folder_ledger,
};
