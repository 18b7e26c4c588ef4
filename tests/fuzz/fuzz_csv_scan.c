/* CSV bytes to records: the same records whatever the windows are. The first byte chooses the
 * dialect, the second the size of the windows. */
#include "support.h"

#include "connectors/csv/scan.h"
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 6, BYTES_MAX = 4096, RECORD_BYTES_MAX = 300, WORDS = BYTES_MAX / 64 + 2 };

static struct csv_dialect dialect_of(uint8_t choice)
{
    struct csv_dialect dialect = csv_dialect_default();
    static const char delimiters[] = ",;\t|";
    dialect.delimiter = delimiters[choice & 3];
    dialect.quote = (choice & 4) ? '\'' : '"';
    dialect.escape = (choice & 8) ? '\\' : dialect.quote;
    dialect.comment = (choice & 16) ? '#' : 0;
    dialect.line_end = (choice & 32) ? CSV_LINE_CR : (choice & 64) ? CSV_LINE_CRLF : CSV_LINE_LF;
    if (choice & 128) {
        dialect.quote = 0;
        dialect.escape = 0;
    }
    return dialect;
}

/* A record as text, for comparing. */
static void tell(const struct csv_scanner *scanner, const struct csv_record *record, size_t offset,
                 struct buffer *out)
{
    uint32_t kept = record->field_count < FIELDS ? record->field_count : FIELDS;
    buffer_format(out, "%zu..%zu %u %d %d:", offset + record->begin, offset + record->end,
                  record->field_count, (int)record->fault, record->empty);
    for (uint32_t at = 0; at < kept; at++) {
        char unescaped[BYTES_MAX];
        const struct csv_field *field = &record->fields[at];
        FUZZ_REQUIRE(field->text >= scanner->bytes);
        FUZZ_REQUIRE(field->text + field->length <= scanner->bytes + scanner->length);
        size_t length = csv_unescape(scanner->dialect, field, unescaped);
        FUZZ_REQUIRE(length <= field->length);
        buffer_format(out, " %u %u ", field->flags, (unsigned)length);
        buffer_append(out, unescaped, length);
    }
    buffer_append_byte(out, '\n');
}

/* All records, in windows that grow by `step` bytes where one breaks off. */
static void scan(const struct csv_dialect *dialect, const char *bytes, size_t size, size_t step,
                 struct buffer *out)
{
    struct csv_scanner scanner;
    size_t begin = 0;
    size_t end = step < size ? step : size;
    csv_scanner_init(&scanner, dialect, FIELDS, RECORD_BYTES_MAX);
    FUZZ_REQUIRE(csv_scanner_window(&scanner, bytes, end, end == size) == STATUS_OK);
    for (;;) {
        struct csv_record record;
        enum status status = csv_scanner_next(&scanner, &record);
        FUZZ_REQUIRE(status != STATUS_FAILED);
        if (status == STATUS_OK) {
            FUZZ_REQUIRE(record.begin <= record.text_end && record.text_end <= record.end);
            FUZZ_REQUIRE(begin + record.end <= size);
            tell(&scanner, &record, begin, out);
            continue;
        }
        if (end == size) {
            FUZZ_REQUIRE(status == STATUS_END);
            break;
        }
        begin += status == STATUS_AGAIN ? scanner.position : scanner.length;
        end = end + step < size ? end + step : size;
        /* The reader skips such a line itself; here it needs the whole of it. */
        if (end - begin > RECORD_BYTES_MAX) {
            end = size;
        }
        FUZZ_REQUIRE(csv_scanner_window(&scanner, bytes + begin, end - begin, end == size) ==
                     STATUS_OK);
    }
    csv_scanner_free(&scanner);
}

static void compare_masks(const char *bytes, size_t size, const struct csv_dialect *dialect)
{
    uint64_t masks[3][WORDS];
    const char marks[3] = {dialect->delimiter, dialect->quote, dialect->escape};
    FUZZ_REQUIRE(csv_masks_fill_with(0, bytes, size, marks, masks[0]));
    for (int way = 1; way < 3; way++) {
        if (csv_masks_fill_with(way, bytes, size, marks, masks[way])) {
            FUZZ_REQUIRE(memcmp(masks[0], masks[way], (size + 63) / 64 * 8) == 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > BYTES_MAX) {
        return 0;
    }
    struct csv_dialect dialect = dialect_of(data[0]);
    size_t step = data[1] + 1;
    size_t length = size - 2;
    char *bytes = calloc(1, length + CSV_SCAN_PADDING);
    struct buffer whole = {0};
    struct buffer parts = {0};
    memcpy(bytes, data + 2, length);
    scan(&dialect, bytes, length, length + 1, &whole);
    scan(&dialect, bytes, length, step, &parts);
    FUZZ_REQUIRE(whole.length == parts.length);
    FUZZ_REQUIRE(memcmp(buffer_string(&whole), buffer_string(&parts), whole.length) == 0);
    compare_masks(bytes, length, &dialect);
    buffer_free(&whole);
    buffer_free(&parts);
    free(bytes);
    return 0;
}
