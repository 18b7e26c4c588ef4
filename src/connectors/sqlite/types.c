/* Declared types of SQLite columns and what their values become; the table behind
 * docs/types/sqlite.md. */
#include "base/text.h"
#include "connectors/sqlite/source.h"
#include <string.h>
#include <strings.h>

const struct type_mapping sqlite_types[SQLITE_TYPE_COUNT] = {
    {"INTEGER", VALUE_INT64, "every integer; a text or BLOB in such a column stays what it is",
     "INTEGER", "exact"},
    {"NUMERIC(p,s)", VALUE_DECIMAL,
     "also DECIMAL, DEC, NUMBER: floats become their shortest digits, integers have scale 0; digits "
     "beyond s are kept and counted",
     "NUMERIC(p,s), stored as a float where it has a fraction; digits that such a float can't give "
     "back reject the record",
     "widened; 1.10 comes back as 1.1"},
    {"REAL", VALUE_FLOAT64, "also FLOAT and DOUBLE; infinities included", "REAL",
     "exact; a NaN rejects the record"},
    {"BOOLEAN", VALUE_BOOL, "0 and 1; other values as stored", "BOOLEAN, stored as 0 or 1",
     "exact"},
    {"TEXT", VALUE_TEXT, "also CHAR and CLOB; lengths are not limits in SQLite", "TEXT", "exact"},
    {"TEXT", VALUE_ESCAPE, "a text that is not valid UTF-8: only another SQLite file can hold it",
     "TEXT, byte for byte", "exact"},
    {"BLOB", VALUE_BYTES, "any bytes", "BLOB", "exact"},
    {"DATE", VALUE_TEXT, "texts byte for byte, numbers as numbers", "DATE", "exact"},
    {"DATETIME", VALUE_TEXT, "also TIMESTAMP and TIME: texts byte for byte, numbers as numbers",
     "DATETIME", "exact"},
    {"JSON", VALUE_TEXT, "text, byte for byte", "JSON", "exact"},
    {"UUID", VALUE_TEXT, "text, byte for byte", "UUID", "exact"},
    {"(none)", VALUE_TEXT, "each value as stored", "no type", "exact"},
    {"BIGINT UNSIGNED", VALUE_UINT64, NULL,
     "an integer up to 2^63-1; above it only a TEXT column takes it, else the record is rejected",
     "widened"},
    {"REAL", VALUE_FLOAT32, NULL, "the float64 of the same value", "widened"},
    {"TEXT", VALUE_DATE, NULL, "ISO 8601 text", "widened"},
    {"TEXT", VALUE_TIME, NULL, "ISO 8601 text", "widened"},
    {"TEXT", VALUE_TIMESTAMP, NULL, "ISO 8601 text", "widened"},
    {"TEXT", VALUE_INTERVAL, NULL, "ISO 8601 duration", "widened"},
    {"TEXT", VALUE_UUID, NULL, "36 characters, lower case", "widened"},
    {"TEXT", VALUE_JSON, NULL, "text, byte for byte", "widened"},
    {"TEXT", VALUE_LIST, NULL, "JSON text", "widened"},
    {"TEXT", VALUE_SET, NULL, "JSON text, a list", "widened"},
    {"TEXT", VALUE_MAP, NULL, "JSON text, an object", "widened"},
};

static bool contains(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

/* SQLite's own rules, in its order (datatype3.html, 3.1). */
static char affinity_of(const char *declared)
{
    if (contains(declared, "INT")) {
        return 'I';
    }
    if (contains(declared, "CHAR") || contains(declared, "CLOB") || contains(declared, "TEXT")) {
        return 'T';
    }
    if (declared[0] == '\0' || contains(declared, "BLOB")) {
        return 'B';
    }
    if (contains(declared, "REAL") || contains(declared, "FLOA") || contains(declared, "DOUB")) {
        return 'R';
    }
    return 'N';
}

/* "(10,2)" after the type's word; false where there are no such numbers. */
static bool read_numbers(const char *rest, int32_t *precision, int32_t *scale)
{
    int64_t number[2] = {0, 0};
    int count = 0;

    rest += strspn(rest, " \t\r\n");
    if (*rest != '(') {
        return false;
    }
    do {
        rest++;
        rest += strspn(rest, " \t\r\n+");
        size_t digits = strspn(rest, "0123456789");
        if (digits == 0 || digits > 6 || text_to_int64(rest, digits, &number[count]) != STATUS_OK) {
            return false;
        }
        rest += digits;
        rest += strspn(rest, " \t\r\n");
        count++;
    } while (count < 2 && *rest == ',');
    *precision = (int32_t)number[0];
    *scale = (int32_t)number[1];
    return *rest == ')';
}

static bool is_word(const char *declared, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(declared, word, length) == 0;
}

static bool is_decimal_word(const char *declared, size_t length)
{
    return is_word(declared, length, "NUMERIC") || is_word(declared, length, "DECIMAL") ||
           is_word(declared, length, "DEC") || is_word(declared, length, "NUMBER");
}

static enum value_kind kind_of(char affinity, const char *declared)
{
    switch (affinity) {
    case 'I':
        return VALUE_INT64;
    case 'R':
        return VALUE_FLOAT64;
    case 'B':
        return declared[0] == '\0' ? VALUE_TEXT : VALUE_BYTES;
    default:
        return VALUE_TEXT;
    }
}

struct column_type sqlite_column_type_of(const char *declared, bool strict)
{
    static const char word_bytes[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *text = declared != NULL ? declared : "";
    size_t word = strspn(text, word_bytes);
    bool any = strict && strcasecmp(text, "ANY") == 0;
    struct column_type read = {
        .type = {.native = text, .dynamic = !strict || any},
        .affinity = any ? 'B' : affinity_of(text),
    };

    read.type.kind = kind_of(read.affinity, any ? "" : text);
    if (is_decimal_word(text, word) && read.affinity == 'N') {
        read.rule = READ_DECIMAL;
        read.type.kind = VALUE_DECIMAL;
        if (!read_numbers(text + word, &read.type.precision, &read.type.scale)) {
            read.type.precision = 0;
            read.type.scale = 0;
        }
    } else if (is_word(text, word, "BOOL") || is_word(text, word, "BOOLEAN")) {
        read.rule = READ_BOOL;
        read.type.kind = VALUE_BOOL;
    }
    return read;
}
