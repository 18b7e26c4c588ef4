/* parquet:DIR, folders of Parquet files: the descriptor, its options and its types. */
#include "connectors/parquet/parquet.h"

#include "base/text.h"
#include "connectors/columnar/rows.h"
#include "connectors/common/registry.h"
#include <string.h>

enum { CHUNKS_OPEN_MAX = 1, WRITERS_MAX = 16, READERS_MAX = 16 };

static const char *const read_suffixes[] = {".parq", ".pq", NULL};
static const char *const suffixes[] = {".parquet", ".parq", ".pq", NULL};

static const struct connector_option options[] = {
    FOLDER_STAGE_OPTIONS,
    FOLDER_LEASE_OPTION,
    {"compression", OPTION_CHOICE, "zstd", "zstd|snappy|gzip|lz4|brotli|none", false,
     "Target: compression within the files."},
    {"file_bytes", OPTION_BYTES, "128MiB", "1KiB..1TiB", false,
     "Target: most bytes of records in a file, before they are encoded."},
    {"row_group_bytes", OPTION_BYTES, "4MiB", "64KiB..1GiB", false,
     "Target: bytes of records in a row group, before they are encoded."},
    {"timestamps", OPTION_CHOICE, "auto", "auto|millis|micros|nanos", false,
     "Target: what times count; auto: microseconds, or nanoseconds where a column has such."},
};

static const struct type_mapping types[] = {
    {"BOOLEAN", VALUE_BOOL, "bool", "BOOLEAN", "exact"},
    {"INT32, INT64", VALUE_INT64, "whole numbers, INT_8 to INT_64 and UINT_8 to UINT_32",
     "INT64, or INT32 with INT_8 to INT_32 where the source's type is so narrow", "exact"},
    {"INT64 (UINT_64)", VALUE_UINT64, "uint64", "INT64 (UINT_64)", "exact"},
    {"FLOAT", VALUE_FLOAT32, "float32, and FLOAT16", "FLOAT", "exact"},
    {"DOUBLE", VALUE_FLOAT64, "float64", "DOUBLE", "exact"},
    {"DECIMAL(p,s)", VALUE_DECIMAL,
     "on INT32, INT64, BYTE_ARRAY or FIXED_LEN_BYTE_ARRAY, of any precision",
     "INT32 to 9 digits, INT64 to 18, FIXED_LEN_BYTE_ARRAY to 76; without a precision, or with a "
     "larger one, STRING",
     "exact; zeros are added up to the scale"},
    {"BYTE_ARRAY (STRING)", VALUE_TEXT, "STRING, ENUM", "STRING", "exact"},
    {"BYTE_ARRAY", VALUE_BYTES, "without a logical type, BSON, GEOMETRY; FIXED_LEN_BYTE_ARRAY",
     "BYTE_ARRAY", "exact"},
    {"DATE", VALUE_DATE, "date", "DATE", "exact; infinite days and 0000-00-00 are rejected"},
    {"TIME", VALUE_TIME, "TIME in any unit", "TIME; with an offset STRING",
     "exact; 24:00 is rejected"},
    {"TIMESTAMP", VALUE_TIMESTAMP, "TIMESTAMP in any unit, and INT96",
     "TIMESTAMP, isAdjustedToUTC where it has a zone",
     "exact; infinite ones, and more digits of a second than the unit has, are rejected"},
    {"INTERVAL", VALUE_INTERVAL, "interval", "STRING, an ISO 8601 duration", "exact"},
    {"UUID", VALUE_UUID, "uuid", "UUID", "exact"},
    {"JSON", VALUE_JSON, "json", "JSON", "exact"},
    {"LIST", VALUE_LIST, "LIST in all layouts of the format, repeated fields",
     "LIST if the type of its elements is known, else JSON", "exact; as JSON widened"},
    {"LIST", VALUE_SET, NULL, "as lists", "exact; as JSON widened"},
    {"MAP, group", VALUE_MAP, "MAP; groups of fields as maps with text keys",
     "MAP or a group if the types within are known, else JSON", "exact; as JSON widened"},
    {"null", VALUE_NULL, "null", "null", "exact"},
};

/* ---------------------------------------------------------------- options */

static const struct {
    const char *name;
    carquet_compression_t codec;
} codecs[] = {
    {"zstd", CARQUET_COMPRESSION_ZSTD},     {"snappy", CARQUET_COMPRESSION_SNAPPY},
    {"gzip", CARQUET_COMPRESSION_GZIP},     {"lz4", CARQUET_COMPRESSION_LZ4_RAW},
    {"brotli", CARQUET_COMPRESSION_BROTLI}, {"none", CARQUET_COMPRESSION_UNCOMPRESSED},
};

static enum status read_codec(struct parquet_database *database, const struct uri *uri,
                              struct error *error)
{
    const char *name = uri_parameter(uri, &transhume_connector, "compression");
    for (size_t at = 0; at < sizeof(codecs) / sizeof(*codecs); at++) {
        if (strcmp(codecs[at].name, name) == 0) {
            database->codec = codecs[at].codec;
            return STATUS_OK;
        }
    }
    error_set(error, ERROR_BAD_VALUE, uri->shown,
              "compression is zstd, snappy, gzip, lz4, brotli or none");
    return error_hint(error, "write for example parquet:DIR?compression=snappy");
}

static enum status read_options(struct folder *folder, const struct uri *uri, struct error *error)
{
    struct parquet_database *database = (struct parquet_database *)folder;
    const char *bytes = uri_parameter(uri, &transhume_connector, "row_group_bytes");
    const char *unit = uri_parameter(uri, &transhume_connector, "timestamps");
    if (text_to_bytes(bytes, &database->row_group_bytes) != STATUS_OK ||
        database->row_group_bytes < 64 << 10 || database->row_group_bytes > 1 << 30) {
        error_set(error, ERROR_BAD_VALUE, uri->shown, "row_group_bytes is from 64KiB to 1GiB");
        return error_hint(error, "write for example parquet:DIR?row_group_bytes=16MiB");
    }
    database->unit_given = strcmp(unit, "auto") != 0;
    database->unit = strcmp(unit, "millis") == 0  ? CARQUET_TIME_UNIT_MILLIS
                     : strcmp(unit, "nanos") == 0 ? CARQUET_TIME_UNIT_NANOS
                                                  : CARQUET_TIME_UNIT_MICROS;
    return read_codec(database, uri, error);
}

/* ---------------------------------------------------------------- tables of a target */

static void check_table(struct folder *folder, const struct target_table *table,
                        const struct shape *const *shapes, uint32_t shape_count, struct buffer *out)
{
    (void)folder;
    columnar_check_table("Parquet", table, shapes, shape_count, out);
}

/* ---------------------------------------------------------------- the descriptor */

#define SHARED_CAPABILITIES (CAPABILITY_NESTED | CAPABILITY_SQL_SCHEMA)
#define SOURCE_ONLY (CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED)
#define TARGET_ONLY CAPABILITY_COUNTS_EXACT

static const struct folder_packing packing = {
    .open = parquet_pack_open,
    .write = parquet_pack_write,
    .finish = parquet_pack_finish,
    .abandon = parquet_pack_abandon,
    .count = parquet_count,
    .row_bytes = columnar_row_bytes,
};

static const struct folder_format format = {
    .connector = &transhume_connector,
    .database_bytes = sizeof(struct parquet_database),
    .read_options = read_options,
    .segment_prefix = "part",
    .suffix = ".parquet",
    .read_suffixes = read_suffixes,
    .loose_files = true,
    .position_column = "$row",
    .source_capabilities = SHARED_CAPABILITIES | SOURCE_ONLY,
    .target_capabilities = SHARED_CAPABILITIES | TARGET_ONLY,
    .limits = {.timestamp_digits = {6, 9},
               .time_digits = {6, 9},
               .readers_max = READERS_MAX,
               .delete_keys_max = FOLDER_DELETE_KEYS_MAX,
               .writers_max = WRITERS_MAX,
               .chunks_open_max = CHUNKS_OPEN_MAX,
               .nesting_max = PARQUET_DEPTH_MAX},
    .packing = &packing,
    .check_table = check_table,
    .write_definition = columnar_write_definition,
    .encoder_create = parquet_encoder_create,
    .encoder_destroy = parquet_encoder_destroy,
    .encoder_append = columnar_encoder_append,
    .normal_form = columnar_normal_form,
    .describe_table = parquet_describe_table,
    .caveats = columnar_caveats,
    .align = columnar_align,
    .decoder_open = parquet_decoder_open,
    .decoder_close = parquet_decoder_close,
    .decoder_fill = parquet_decoder_fill,
    .raw_next = parquet_raw_next,
    .raw_read = parquet_raw_read,
};

static enum status database_open(const struct open_options *open, struct database **database,
                                 struct error *error)
{
    parquet_memory_prepare();
    return carquet_init() == CARQUET_OK
               ? folder_open(&format, open, database, error)
               : error_set(error, ERROR_MODULE, "carquet", "the library can't be started");
}

const struct connector transhume_connector = {
    FOLDER_KEPT_GROUPS,
    .name = "parquet",
    .title = "Parquet files",
    .suffixes = suffixes,
    .uri_help = "parquet:DIR or parquet:FILE",
    .capabilities = SHARED_CAPABILITIES | SOURCE_ONLY | TARGET_ONLY,
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .types = types,
    .type_count = sizeof(types) / sizeof(*types),
    .failpoints = folder_failpoints,
    .open = database_open,
};
