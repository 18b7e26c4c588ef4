/* csv:DIR, folders of comma-separated values: the descriptor, its options and its types. */
#include "connectors/csv/csv.h"

#include "base/text.h"
#include "connectors/common/registry.h"
#include <string.h>

enum { CHUNKS_OPEN_MAX = 4, WRITERS_MAX = 16, READERS_MAX = 16 };

static const char *const read_suffixes[] = {".tsv", NULL};
static const char *const suffixes[] = {".csv",     ".tsv",     ".csv.gz", ".tsv.gz",
                                       ".csv.zst", ".tsv.zst", NULL};

static const struct connector_option options[] = {
    FOLDER_OPTIONS,
    FOLDER_PIPE_OPTION,
    {"delimiter", OPTION_TEXT, "comma", NULL, false,
     "Between fields: comma, tab, semicolon, pipe, space, or one byte such as : or %01; a "
     "source's is recognised."},
    {"quote", OPTION_TEXT, "double", NULL, false,
     "The quote: double, single, none or another mark."},
    {"escape", OPTION_CHOICE, "doubled", "doubled|backslash", false,
     "A quote within quotes: twice, or after a backslash."},
    {"comment", OPTION_TEXT, "none", NULL, false, "Lines that begin with this mark are skipped."},
    {"header", OPTION_BOOLEAN, "yes", NULL, false,
     "Whether files begin with column names; else c1, c2 …"},
    {"null", OPTION_TEXT, "", NULL, false,
     "The unquoted field that is null, for example \\N. A quoted one is text."},
    {"line_end", OPTION_CHOICE, "lf", "lf|crlf|cr", false,
     "Line ends written; LF and CRLF are always read, CR only with cr."},
    {"encoding", OPTION_TEXT, "utf-8", NULL, false,
     "utf-8, utf-16, latin1, windows-1252 or another of `iconv -l`; a UTF-16 BOM wins."},
    {"bom", OPTION_BOOLEAN, "no", NULL, false,
     "Whether to write a byte order mark; one that is read is ignored."},
    {"bytes", OPTION_CHOICE, "hex", "hex|base64", false,
     "Bytes as \\x and hex digits, or as base64."},
    {"types", OPTION_TEXT, "", NULL, false,
     "Types of columns: id:int64,price:decimal(10,2),zip:text."},
    {"infer", OPTION_BOOLEAN, "yes", NULL, false,
     "Whether to learn undeclared types from all values; else text."},
    {"record_bytes", OPTION_BYTES, "8MiB", "1KiB..1GiB", false,
     "Largest record; larger ones are rejected."},
};

static const struct type_mapping types[] = {
    {"field", VALUE_BOOL, "true, false, t, f, 1, 0 where declared", "true, false", "exact"},
    {"field", VALUE_INT64, "digits", "digits", "exact"},
    {"field", VALUE_UINT64, "digits, where declared", "digits", "exact"},
    {"field", VALUE_FLOAT32, "a number, where declared", "shortest digits, NaN, Infinity", "exact"},
    {"field", VALUE_FLOAT64, "numbers of which one needs a float, or where declared",
     "shortest digits, NaN, Infinity", "exact"},
    {"field", VALUE_DECIMAL, "digits with a point, or beyond int64", "digits, the scale kept",
     "exact"},
    {"field", VALUE_TEXT, "all that is nothing else", "quoted where needed", "exact"},
    {"field", VALUE_BYTES, "\\x and hex, or base64, where declared", "\\x and hex, or base64",
     "exact"},
    {"field", VALUE_DATE, "2024-02-29", "ISO 8601", "exact"},
    {"field", VALUE_TIME, "23:59:59.5, where declared", "ISO 8601", "exact"},
    {"field", VALUE_TIMESTAMP, "2024-02-29T23:59:59", "ISO 8601", "exact"},
    {"field", VALUE_INTERVAL, "P1DT2H, where declared", "ISO 8601 duration", "exact"},
    {"field", VALUE_UUID, "36 characters, where declared", "36 characters, lower case", "exact"},
    {"field", VALUE_JSON, "JSON text, where declared", "JSON text", "exact"},
    {"field", VALUE_LIST, NULL, "JSON text", "widened"},
    {"field", VALUE_SET, NULL, "JSON text, a list", "widened"},
    {"field", VALUE_MAP, NULL, "JSON text, an object", "widened"},
    {"(empty)", VALUE_NULL, "an unquoted field that is the null's text", "the same", "exact"},
};

/* ---------------------------------------------------------------- options */

static bool is_given(const struct uri *uri, const char *name)
{
    for (uint32_t at = 0; at < uri->parameter_count; at++) {
        if (strcmp(uri->parameters[at].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Flags of the options that are recognised where they are not given. */
static uint32_t given_flag(const char *name)
{
    return strcmp(name, "delimiter") == 0  ? CSV_GIVEN_DELIMITER
           : strcmp(name, "header") == 0   ? CSV_GIVEN_HEADER
           : strcmp(name, "encoding") == 0 ? CSV_GIVEN_ENCODING
                                           : 0;
}

static enum status read_dialect(struct csv_database *database, const struct uri *uri,
                                struct error *error)
{
    static const char *const names[] = {"delimiter", "quote",    "escape",   "comment", "header",
                                        "null",      "line_end", "encoding", "bom",     "bytes"};
    database->dialect = csv_dialect_default();
    for (size_t at = 0; at < sizeof names / sizeof names[0]; at++) {
        const char *text = uri_parameter(uri, &connector_csv, names[at]);
        if (!is_given(uri, names[at])) {
            continue;
        }
        database->dialect_given = true;
        database->given |= given_flag(names[at]);
        if (csv_dialect_set(&database->dialect, names[at], text, database->folder.arena, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return csv_dialect_check(&database->dialect, error);
}

static enum status read_options(struct folder *folder, const struct uri *uri, struct error *error)
{
    struct csv_database *database = (struct csv_database *)folder;
    uint64_t record_bytes = 0;
    const char *infer = uri_parameter(uri, &connector_csv, "infer");
    database->infer = strcmp(infer, "yes") == 0 || strcmp(infer, "true") == 0 ||
                      strcmp(infer, "1") == 0 || strcmp(infer, "on") == 0;
    if (text_to_bytes(uri_parameter(uri, &connector_csv, "record_bytes"), &record_bytes) !=
            STATUS_OK ||
        record_bytes < 1024 || record_bytes > CSV_RECORD_BYTES_MOST) {
        error_set(error, ERROR_BAD_VALUE, uri->shown, "record_bytes is from 1KiB to 1GiB");
        return error_hint(error, "write for example csv:DIR?record_bytes=64MiB");
    }
    database->record_bytes_max = (size_t)record_bytes;
    folder->base.limits.record_bytes_max = record_bytes;
    if (read_dialect(database, uri, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return csv_types_read(uri_parameter(uri, &connector_csv, "types"), database->folder.arena,
                          &database->declared, &database->declared_count, error);
}

/* ---------------------------------------------------------------- tables of a target */

static void check_table(struct folder *folder, const struct target_table *table,
                        const struct shape *const *shapes, uint32_t shape_count, struct buffer *out)
{
    (void)folder;
    for (uint32_t at = 1; at < shape_count; at++) {
        bool same = shapes[at]->field_count == shapes[0]->field_count;
        for (uint32_t field = 0; same && field < shapes[0]->field_count; field++) {
            same = strcmp(shapes[at]->fields[field].name, shapes[0]->fields[field].name) == 0;
        }
        if (!same) {
            buffer_append_string(out, "entities with different columns can't share a table of CSV; "
                                      "give each a table of its own, or use jsonl:\n");
            break;
        }
    }
    if (table->column_count > CSV_FIELDS_MAX) {
        buffer_format(out, "it has %u columns; CSV takes %d\n", table->column_count,
                      CSV_FIELDS_MAX);
    }
    uint32_t fields = table->column_count;
    for (uint32_t at = 0; at < shape_count; at++) {
        fields += shapes[at]->field_count;
    }
    if (fields == 0) {
        buffer_append_string(out, "a table needs at least one column\n");
    }
}

static enum status write_definition(struct folder *folder, const struct target_table *table,
                                    const char *path, bool finish, struct arena *scratch,
                                    struct error *error)
{
    return finish
               ? STATUS_OK
               : csv_definition_prepare((struct csv_database *)folder, table, path, scratch, error);
}

/* ---------------------------------------------------------------- the descriptor */

#define SOURCE_ONLY (CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED)
#define TARGET_CAPABILITIES \
    (CAPABILITY_SQL_SCHEMA | CAPABILITY_COUNTS_EXACT | CAPABILITY_STREAMS | CAPABILITY_MIXED_KINDS)

static const struct folder_format csv_format = {
    .connector = &connector_csv,
    .database_bytes = sizeof(struct csv_database),
    .read_options = read_options,
    .segment_prefix = "part",
    .suffix = ".csv",
    .read_suffixes = read_suffixes,
    .loose_files = true,
    .position_column = "$line",
    .source_capabilities = CAPABILITY_SQL_SCHEMA | SOURCE_ONLY,
    .target_capabilities = TARGET_CAPABILITIES,
    .limits = {.readers_max = READERS_MAX,
               .delete_keys_max = FOLDER_DELETE_KEYS_MAX,
               .writers_max = WRITERS_MAX,
               .chunks_open_max = CHUNKS_OPEN_MAX},
    .check_table = check_table,
    .write_definition = write_definition,
    .encoder_create = csv_encoder_create,
    .encoder_destroy = csv_encoder_destroy,
    .encoder_head = csv_encoder_head,
    .encoder_append = csv_encoder_append,
    .normal_form = csv_normal_form,
    .describe_table = csv_describe_table,
    .check_tables = csv_check_tables,
    .caveats = csv_caveats,
    .align = csv_align,
    .decoder_open = csv_decoder_open_range,
    .decoder_close = csv_decoder_close_range,
    .decoder_fill = csv_decoder_fill,
    .raw_next = csv_raw_next,
    .raw_read = csv_raw_read,
    .raw_head = csv_raw_head,
};

static enum status database_open(const struct open_options *open, struct database **database,
                                 struct error *error)
{
    return folder_open(&csv_format, open, database, error);
}

const struct connector connector_csv = {
    FOLDER_GROUPS,
    .name = "csv",
    .title = "CSV files",
    .suffixes = suffixes,
    .uri_help = "csv:DIR, csv:FILE or csv:-",
    .capabilities = TARGET_CAPABILITIES | SOURCE_ONLY,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .types = types,
    .type_count = sizeof types / sizeof types[0],
    .failpoints = folder_learning_failpoints,
    .open = database_open,
};
