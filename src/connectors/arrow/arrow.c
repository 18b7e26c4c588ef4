/* arrow:DIR, folders of Arrow files: the descriptor, its options and its types. */
#include "connectors/arrow/arrow.h"
#include "connectors/columnar/rows.h"

#include "base/text.h"
#include "connectors/common/registry.h"
#include <string.h>

enum { CHUNKS_OPEN_MAX = 1, WRITERS_MAX = 16, READERS_MAX = 16 };

static const char *const read_suffixes[] = {".arrows", ".feather", ".ipc", NULL};
static const char *const suffixes[] = {".arrow", ".arrows", ".feather", ".ipc", NULL};

static const struct connector_option options[] = {
    FOLDER_STAGE_OPTIONS,
    FOLDER_LEASE_OPTION,
    {"file_bytes", OPTION_BYTES, "128MiB", "1KiB..1TiB", false,
     "Target: most bytes of records in a file, before they are encoded."},
    {"batch_bytes", OPTION_BYTES, "4MiB", "64KiB..1GiB", false,
     "Target: bytes of records in a record batch, before they are encoded."},
    {"timestamps", OPTION_CHOICE, "auto", "auto|millis|micros|nanos", false,
     "Target: what times count; auto: microseconds, or nanoseconds where a column has such."},
};

static const struct type_mapping types[] = {
    {"Bool", VALUE_BOOL, "bool", "Bool", "exact"},
    {"Int8 to Int64", VALUE_INT64, "Int8 to Int64, UInt8 to UInt32",
     "Int64, or Int8 to Int32 where the source's type is so narrow", "exact"},
    {"UInt64", VALUE_UINT64, "uint64", "UInt64", "exact"},
    {"Float", VALUE_FLOAT32, "Float, HalfFloat", "Float", "exact"},
    {"Double", VALUE_FLOAT64, "float64", "Double", "exact"},
    {"Decimal", VALUE_DECIMAL, "Decimal32 to Decimal256, of any scale",
     "Decimal128 to 38 digits, Decimal256 to 76; without a precision, or with a larger one, Utf8",
     "exact; zeros are added up to the scale"},
    {"Utf8", VALUE_TEXT, "Utf8, LargeUtf8; Null, which is always null", "Utf8", "exact"},
    {"Binary", VALUE_BYTES, "Binary, LargeBinary, FixedSizeBinary", "Binary", "exact"},
    {"Date32", VALUE_DATE, "Date32, Date64", "Date32",
     "exact; infinite days and 0000-00-00 are rejected, and a Date64 with a time"},
    {"Time", VALUE_TIME, "Time32, Time64 in any unit", "Time32 or Time64; with an offset Utf8",
     "exact; 24:00 is rejected"},
    {"Timestamp", VALUE_TIMESTAMP, "Timestamp in any unit",
     "Timestamp, of the zone UTC where it has one",
     "exact; infinite ones, and more digits of a second than the unit has, are rejected"},
    {"Interval", VALUE_INTERVAL, "Interval of any unit, Duration", "Utf8, an ISO 8601 duration",
     "exact"},
    {"arrow.uuid", VALUE_UUID, "FixedSizeBinary(16) of the extension type arrow.uuid", "the same",
     "exact"},
    {"arrow.json", VALUE_JSON, "texts of the extension type arrow.json", "Utf8, so named", "exact"},
    {"List", VALUE_LIST, "List, LargeList, FixedSizeList",
     "List if the type of its elements is known, else arrow.json", "exact; as JSON widened"},
    {"List", VALUE_SET, NULL, "as lists", "exact; as JSON widened"},
    {"Map, Struct", VALUE_MAP, "Map; Struct as maps with text keys",
     "Map or Struct if the types within are known, else arrow.json", "exact; as JSON widened"},
    {"null", VALUE_NULL, "null", "null", "exact"},
};

/* ---------------------------------------------------------------- options */

static enum status read_options(struct folder *folder, const struct uri *uri, struct error *error)
{
    struct arrow_database *database = (struct arrow_database *)folder;
    const char *bytes = uri_parameter(uri, &transhume_connector, "batch_bytes");
    const char *unit = uri_parameter(uri, &transhume_connector, "timestamps");
    if (text_to_bytes(bytes, &database->batch_bytes) != STATUS_OK ||
        database->batch_bytes < 64 << 10 || database->batch_bytes > 1 << 30) {
        error_set(error, ERROR_BAD_VALUE, uri->shown, "batch_bytes is from 64KiB to 1GiB");
        return error_hint(error, "write for example arrow:DIR?batch_bytes=16MiB");
    }
    database->unit_given = strcmp(unit, "auto") != 0;
    database->unit = strcmp(unit, "millis") == 0  ? NANOARROW_TIME_UNIT_MILLI
                     : strcmp(unit, "nanos") == 0 ? NANOARROW_TIME_UNIT_NANO
                                                  : NANOARROW_TIME_UNIT_MICRO;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- tables of a target */

static void check_table(struct folder *folder, const struct target_table *table,
                        const struct shape *const *shapes, uint32_t shape_count, struct buffer *out)
{
    (void)folder;
    columnar_check_table("Arrow", table, shapes, shape_count, out);
}

/* ---------------------------------------------------------------- the descriptor */

#define SHARED_CAPABILITIES (CAPABILITY_NESTED | CAPABILITY_SQL_SCHEMA)
#define SOURCE_ONLY (CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED)
#define TARGET_ONLY CAPABILITY_COUNTS_EXACT

static const struct folder_packing packing = {
    .open = arrow_pack_open,
    .write = arrow_pack_write,
    .finish = arrow_pack_finish,
    .abandon = arrow_pack_abandon,
    .count = arrow_count,
    .row_bytes = columnar_row_bytes,
};

static const struct folder_format format = {
    .connector = &transhume_connector,
    .database_bytes = sizeof(struct arrow_database),
    .read_options = read_options,
    .segment_prefix = "part",
    .suffix = ".arrow",
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
               .nesting_max = ARROW_DEPTH_MAX},
    .packing = &packing,
    .check_table = check_table,
    .write_definition = columnar_write_definition,
    .encoder_create = arrow_encoder_create,
    .encoder_destroy = arrow_encoder_destroy,
    .encoder_append = columnar_encoder_append,
    .normal_form = columnar_normal_form,
    .describe_table = arrow_describe_table,
    .caveats = columnar_caveats,
    .align = columnar_align,
    .decoder_open = arrow_decoder_open,
    .decoder_close = arrow_decoder_close,
    .decoder_fill = arrow_decoder_fill,
    .raw_next = arrow_raw_next,
    .raw_read = arrow_raw_read,
};

static enum status database_open(const struct open_options *open, struct database **database,
                                 struct error *error)
{
    return folder_open(&format, open, database, error);
}

const struct connector transhume_connector = {
    FOLDER_KEPT_GROUPS,
    .name = "arrow",
    .title = "Arrow files",
    .suffixes = suffixes,
    .uri_help = "arrow:DIR or arrow:FILE",
    .capabilities = SHARED_CAPABILITIES | SOURCE_ONLY | TARGET_ONLY,
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .types = types,
    .type_count = sizeof(types) / sizeof(*types),
    .failpoints = folder_failpoints,
    .open = database_open,
};
