/* jsonl:DIR, tables as files of one JSON object a line: options, tables, the descriptor. */
#include "connectors/jsonl/jsonl.h"
#include "connectors/jsonl/records.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/common/registry.h"
#include "model/canonical.h"
#include "model/decimal.h"
#include <string.h>

extern const struct connector connector_jsonl;
static const struct folder_format format;

static const char *const read_suffixes[] = {".ndjson", ".json", NULL};
static const char *const suffixes[] = {".jsonl",     ".ndjson",  ".json",      ".jsonl.gz",
                                       ".ndjson.gz", ".json.gz", ".jsonl.zst", ".ndjson.zst",
                                       ".json.zst",  NULL};

enum { CHUNKS_OPEN_MAX = 4, WRITERS_MAX = 16, READERS_MAX = 16, SHOWN_COLUMNS = 12 };
static const uint64_t record_bytes_least = 1024;

struct jsonl_name {
    const char *name;
    struct jsonl_name *next;
};

static const struct connector_option options[] = {
    FOLDER_OPTIONS,
    FOLDER_PIPE_OPTION,
    {"record_bytes", OPTION_BYTES, "16MiB", "1KiB..1GiB", false,
     "Longest line; longer ones are rejected."},
    {"records", OPTION_CHOICE, "columns", "columns|documents", false,
     "Source: columns with types, declared or learned; or documents without."},
    {"tags", OPTION_CHOICE, "yes", "yes|no", false,
     "Target: whether to tag values whose kind would be lost, {\"$bytes\":…}."},
    {"non_finite", OPTION_CHOICE, "text", "text|reject", false,
     "Target: whether to write NaN and infinities as texts."},
};

static const struct type_mapping types[] = {
    {"true, false", VALUE_BOOL, "bool", "true or false", "exact"},
    {"number", VALUE_INT64, "whole numbers that fit", "digits", "exact"},
    {"number", VALUE_UINT64, "whole numbers above int64 that fit", "digits", "exact"},
    {"number", VALUE_DECIMAL, "numbers with a point, and whole ones that are larger",
     "digits, the scale kept, never an exponent", "exact"},
    {"number", VALUE_FLOAT64, "numbers with an exponent, if a float holds their digits",
     "shortest digits that are the same float, with a point or an exponent",
     "exact; NaN and infinities as texts, or rejected (non_finite)"},
    {"number", VALUE_FLOAT32, "columns declared as float32",
     "shortest digits that are the same float", "exact where the column is float32, else widened"},
    {"string", VALUE_TEXT, "text, as it stands", "text", "exact"},
    {"string", VALUE_BYTES, "columns declared as bytes: base64", "base64", "exact"},
    {"string", VALUE_DATE, "columns declared as date", "ISO 8601", "exact"},
    {"string", VALUE_TIME, "columns declared as time", "ISO 8601", "exact"},
    {"string", VALUE_TIMESTAMP, "columns declared as timestamp", "ISO 8601, Z with a zone",
     "exact"},
    {"string", VALUE_INTERVAL, "columns declared as interval", "ISO 8601 duration", "exact"},
    {"string", VALUE_UUID, "columns declared as uuid", "36 characters, lower case", "exact"},
    {"any", VALUE_JSON, "columns declared as json: what stands there",
     "the JSON itself if it is one line, else as a tag", "exact"},
    {"array", VALUE_LIST, "list", "list", "exact"},
    {"array", VALUE_SET, "columns declared as set", "list", "exact"},
    {"object", VALUE_MAP, "map with text keys", "object; other keys as a tag", "exact"},
    {"null", VALUE_NULL, "null", "null", "exact"},
};

/* ---------------------------------------------------------------- tables of a target */

static bool takes_documents(const struct jsonl_database *database, const char *table)
{
    for (const struct jsonl_name *at = database->document_tables; at != NULL; at = at->next) {
        if (strcmp(at->name, table) == 0) {
            return true;
        }
    }
    return false;
}

static void check_table(struct folder *folder, const struct target_table *table,
                        const struct shape *const *shapes, uint32_t shape_count, struct buffer *out)
{
    struct jsonl_database *database = (struct jsonl_database *)folder;
    bool documents = false;
    for (uint32_t at = 0; at < shape_count; at++) {
        documents = documents || shapes[at]->field_count == 0;
        for (uint32_t field = 0; field < shapes[at]->field_count; field++) {
            const struct shape_field *one = &shapes[at]->fields[field];
            if (!text_is_utf8(one->name, one->name_length)) {
                char shown[128];
                text_printable(one->name, one->name_length, shown, sizeof(shown));
                buffer_format(out, "field \"%s\": a name in JSON is UTF-8\n", shown);
            }
        }
    }
    if (!text_is_utf8(table->name, strlen(table->name))) {
        buffer_append_string(out, "the table's name is not UTF-8\n");
    }
    if (documents && !takes_documents(database, table->name)) {
        struct jsonl_name *name = arena_allocate_zeroed(folder->arena, 1, sizeof(*name));
        name->name = arena_copy_string(folder->arena, table->name);
        name->next = database->document_tables;
        database->document_tables = name;
    }
}

static const struct folder_sidecar_option reject_option = {"non_finite", "reject"};

static bool rejects_non_finite(const struct folder_sidecar *sidecar)
{
    for (uint32_t at = 0; at < sidecar->option_count; at++) {
        const struct folder_sidecar_option *option = &sidecar->options[at];
        if (strcmp(option->name, reject_option.name) == 0) {
            return strcmp(option->text, reject_option.text) == 0;
        }
    }
    return false;
}

/*
 * A definition that an attempt before this one wrote stays: its segments were written by it. With
 * tags an object that looks like one is written otherwise: lines of one table are all of one kind.
 * That the records are documents is not told again to a resume.
 */
static enum status check_before(struct folder *folder, const struct target_table *table,
                                const char *path, bool *documents, struct arena *scratch,
                                struct error *error)
{
    const struct jsonl_database *database = (const struct jsonl_database *)folder;
    struct folder_sidecar before;
    struct folder_file *files = NULL;
    uint32_t count = 0;
    if (!file_exists(path)) {
        return STATUS_OK;
    }
    char *lines = folder_table_path(scratch, folder, table->name);
    if (folder_sidecar_read(path, scratch, &before, error) != STATUS_OK ||
        folder_list(folder->format, lines, scratch, &files, &count, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    *documents = *documents || before.documents;
    bool rejected = rejects_non_finite(&before);
    if (count == 0 ||
        (before.tags == database->writes_tags && rejected == database->rejects_non_finite)) {
        return STATUS_OK;
    }
    if (before.tags != database->writes_tags) {
        error_set(error, ERROR_TARGET_SCHEMA, table->name,
                  "its files are written %s tags, and this run says tags=%s",
                  before.tags ? "with" : "without", database->writes_tags ? "yes" : "no");
    } else {
        error_set(error, ERROR_TARGET_SCHEMA, table->name,
                  "its files were begun with non_finite=%s, and this run says non_finite=%s",
                  rejected ? "reject" : "text", rejected ? "text" : "reject");
    }
    return error_hint(error, "give the target the options that they were begun with");
}

static enum status write_definition(struct folder *folder, const struct target_table *table,
                                    const char *path, bool finish, struct arena *scratch,
                                    struct error *error)
{
    const struct jsonl_database *database = (const struct jsonl_database *)folder;
    if (finish || (file_exists(path) && !table->created)) {
        return STATUS_OK;
    }
    bool documents = takes_documents(database, table->name);
    if (check_before(folder, table, path, &documents, scratch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return folder_sidecar_write(path, table, database->writes_tags, documents, &reject_option,
                                database->rejects_non_finite ? 1 : 0, error);
}

/* Numbers by value, whatever kind they came as. */
static enum status key_append(struct folder *folder, const struct cell *value, const char *name,
                              struct buffer *out, struct error *error)
{
    struct cell decimal = *value;
    enum status status = STATUS_OK;
    (void)folder;
    (void)name;
    if (!value_kind_is_number((enum value_kind)value->kind)) {
        return canonical_append(value, out, error);
    }
    struct arena *arena = arena_create(1024);
    if (value->kind == VALUE_INT64) {
        decimal = decimal_from_int64(value->i64, arena);
    } else if (value->kind == VALUE_UINT64) {
        decimal = decimal_from_uint64(value->u64, arena);
    } else if (value->kind != VALUE_DECIMAL) {
        status = decimal_from_double(value->f64, arena, &decimal);
    }
    buffer_append_byte(out, 'N');
    decimal_append_normal(&decimal, out);
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- tables of a source */

/* Which files are arrays. One that is called like lines is, if it begins like records in one. */
static enum status find_arrays(struct folder *folder, const struct folder_table *table,
                               struct arena *arena, const bool **arrays, struct error *error)
{
    bool *flags = arena_allocate_zeroed(arena, (size_t)table->file_count + 1, sizeof(*flags));
    *arrays = flags;
    for (uint32_t file = 0; file < table->file_count; file++) {
        enum jsonl_contents contents = JSONL_NOTHING;
        const char *name = table->files[file].name;
        bool json = strcmp(folder_suffix_of(folder->format, name), ".json") == 0;
        char *path = folder_file_path(arena, table, file);
        if (table->files[file].bytes > 0 &&
            jsonl_look_at(path, ERROR_SOURCE_READ, &contents, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        flags[file] = contents == JSONL_RECORDS_ARRAY || (json && contents == JSONL_ARRAY);
        if (flags[file] && !json) {
            log_write(LOG_WARNING, "%s: it is one JSON array, and is read as such", name);
        }
    }
    return STATUS_OK;
}

static enum status holds_records(const char *path, bool *holds, struct error *error)
{
    enum jsonl_contents contents = JSONL_NOTHING;
    *holds = true;
    if (strcmp(folder_suffix_of(&format, path), ".json") != 0) {
        return STATUS_OK;
    }
    enum status status = jsonl_look_at(path, ERROR_SOURCE_READ, &contents, error);
    *holds = contents != JSONL_ONE_VALUE;
    return status;
}

/* Arrays are read whole. */
static enum status align(struct folder *folder, struct folder_table *table, uint32_t file,
                         uint64_t *byte, struct error *error)
{
    (void)folder;
    (void)error;
    *byte = table->format_data->arrays[file] ? table->files[file].bytes : *byte;
    return STATUS_OK;
}

/* A table of an array without a record would only be told to have no columns. */
static void say_of_nothing(const struct folder_table *table)
{
    const struct folder_table_data *data = table->format_data;
    bool nothing = data->inferred && data->rows == 0 && data->broken == 0;
    if (nothing && table->file_count == 1 && data->arrays[0]) {
        log_write(LOG_WARNING, "%s: the JSON array is empty", table->files[0].name);
    }
}

static enum status describe_table(struct folder *folder, struct folder_table *table,
                                  struct arena *arena, struct schema_table *schema,
                                  struct error *error)
{
    const struct jsonl_database *database = (const struct jsonl_database *)folder;
    struct folder_sidecar sidecar;
    struct folder_table_data *data = arena_allocate_zeroed(arena, 1, sizeof(*data));
    char *path = folder_definition_path(arena, folder, table->name, ".json");
    enum status status = folder_sidecar_read(path, arena, &sidecar, error);
    if (status == STATUS_FAILED ||
        find_arrays(folder, table, arena, &data->arrays, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    folder_sidecar_describe(&sidecar, schema);
    data->tags = sidecar.tags;
    data->columns = sidecar.columns;
    data->column_count = sidecar.column_count;
    table->format_data = data;
    const struct schema *schema_known = folder->base.known;
    const struct schema_table *known =
        schema_known != NULL ? schema_find_table(schema_known, table->name) : NULL;
    bool learns = !database->documents && (sidecar.documents || sidecar.column_count == 0);
    if (learns && known != NULL) {
        data->columns = known->columns;
        data->column_count = known->column_count;
    } else if (learns) {
        status = jsonl_infer(database, table, arena, data, error);
    }
    say_of_nothing(table);
    schema->columns = database->documents ? NULL : data->columns;
    schema->column_count = database->documents ? 0 : data->column_count;
    schema->row_count = data->inferred ? (int64_t)data->rows : -1;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static void append_column(const struct schema_column *column, struct buffer *out)
{
    char shown[96];
    text_printable(column->name, strlen(column->name), shown, sizeof(shown));
    buffer_format(out, "%s %s", shown, value_kind_name(column->type.kind));
    if (column->type.kind == VALUE_DECIMAL && column->type.precision > 0) {
        buffer_format(out, "(%d,%d)", column->type.precision, column->type.scale);
    }
    buffer_append_string(out, column->type.dynamic ? " (kinds mix)" : "");
    buffer_append_string(out, column->not_null ? "" : " null");
}

/* The types that were learnt from the rows are shown. */
static void caveats(const struct folder_table *table, struct buffer *out)
{
    const struct folder_table_data *data = table->format_data;
    for (uint32_t file = 0; file < table->file_count; file++) {
        if (data->arrays[file]) {
            buffer_format(out, "%s: %s is one JSON array: it is read in one chunk\n", table->name,
                          table->files[file].name);
        }
    }
    if (!data->inferred) {
        return;
    }
    char rows[32];
    text_human_count(data->rows, rows, sizeof(rows));
    buffer_format(out, "%s: types learned from all %s rows: ", table->name, rows);
    for (uint32_t column = 0; column < data->column_count && column < SHOWN_COLUMNS; column++) {
        buffer_append_string(out, column > 0 ? ", " : "");
        append_column(&data->columns[column], out);
    }
    if (data->column_count > SHOWN_COLUMNS) {
        buffer_format(out, " and %u more", data->column_count - SHOWN_COLUMNS);
    }
    buffer_append_byte(out, '\n');
    if (data->broken > 0) {
        buffer_format(out, "%s: %llu records can't be read and will be rejects\n", table->name,
                      (unsigned long long)data->broken);
    }
}

/* ---------------------------------------------------------------- the descriptor */

#define SHARED_CAPABILITIES \
    (CAPABILITY_NESTED | CAPABILITY_MISSING | CAPABILITY_SQL_SCHEMA | CAPABILITY_STREAMS)
#define SOURCE_ONLY (CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED)
#define TARGET_ONLY (CAPABILITY_FREE_FIELDS | CAPABILITY_COUNTS_EXACT)

static enum status read_options(struct folder *folder, const struct uri *uri, struct error *error)
{
    struct jsonl_database *database = (struct jsonl_database *)folder;
    const char *bytes = uri_parameter(uri, &connector_jsonl, "record_bytes");
    if (text_to_bytes(bytes, &database->record_bytes_max) != STATUS_OK ||
        database->record_bytes_max < record_bytes_least ||
        database->record_bytes_max > JSONL_RECORD_BYTES_MOST) {
        error_set(error, ERROR_BAD_VALUE, uri->shown, "record_bytes is from 1KiB to 1GiB");
        return error_hint(error, "write for example jsonl:DIR?record_bytes=64MiB");
    }
    database->documents = strcmp(uri_parameter(uri, &connector_jsonl, "records"), "documents") == 0;
    database->writes_tags = strcmp(uri_parameter(uri, &connector_jsonl, "tags"), "yes") == 0;
    database->rejects_non_finite =
        strcmp(uri_parameter(uri, &connector_jsonl, "non_finite"), "reject") == 0;
    folder->base.limits.record_bytes_max = database->record_bytes_max;
    if (folder->mode == OPEN_SOURCE && database->documents) {
        folder->base.capabilities &= ~(uint32_t)CAPABILITY_SQL_SCHEMA;
        folder->base.capabilities |= CAPABILITY_FREE_FIELDS;
    }
    return STATUS_OK;
}

static const struct folder_format format = {
    .connector = &connector_jsonl,
    .database_bytes = sizeof(struct jsonl_database),
    .read_options = read_options,
    .segment_prefix = "part",
    .suffix = ".jsonl",
    .read_suffixes = read_suffixes,
    .loose_files = true,
    .json_records = true,
    .position_column = "$line",
    .source_capabilities = SHARED_CAPABILITIES | SOURCE_ONLY,
    .target_capabilities = SHARED_CAPABILITIES | TARGET_ONLY,
    .limits = {.readers_max = READERS_MAX,
               .delete_keys_max = FOLDER_DELETE_KEYS_MAX,
               .writers_max = WRITERS_MAX,
               .chunks_open_max = CHUNKS_OPEN_MAX,
               .nesting_max = JSONL_DEPTH_MAX},
    .check_table = check_table,
    .write_definition = write_definition,
    .encoder_create = jsonl_encoder_create,
    .encoder_destroy = jsonl_encoder_destroy,
    .encoder_append = jsonl_encoder_append,
    .normal_form = jsonl_normal_form,
    .describe_table = describe_table,
    .caveats = caveats,
    .holds_records = holds_records,
    .records_help = "it is to be one JSON array of objects, or one JSON object on each line",
    .align = align,
    .decoder_open = jsonl_decoder_open,
    .decoder_close = jsonl_decoder_close,
    .decoder_fill = jsonl_decoder_fill,
    .raw_next = jsonl_decoder_raw_next,
    .raw_read = jsonl_decoder_raw_read,
    .key_append = key_append,
};

static enum status database_open(const struct open_options *open, struct database **database,
                                 struct error *error)
{
    return folder_open(&format, open, database, error);
}

const struct connector connector_jsonl = {
    FOLDER_GROUPS,
    .name = "jsonl",
    .title = "JSON lines",
    .suffixes = suffixes,
    .uri_help = "jsonl:DIR, jsonl:FILE or jsonl:-",
    .capabilities = SHARED_CAPABILITIES | SOURCE_ONLY | TARGET_ONLY,
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .types = types,
    .type_count = sizeof(types) / sizeof(*types),
    .failpoints = folder_learning_failpoints,
    .open = database_open,
};
