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
    {"REAL", VALUE_FLOAT64, "also FLOAT and DOUBLE; infinities included",
     "REAL; a NaN rejects the record", "widened; -0.0 becomes 0"},
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
enum sqlite_affinity sqlite_affinity_of(const char *declared_type)
{
    const char *declared = declared_type != NULL ? declared_type : "";
    if (contains(declared, "INT")) {
        return SQLITE_AFFINITY_INTEGER;
    }
    if (contains(declared, "CHAR") || contains(declared, "CLOB") || contains(declared, "TEXT")) {
        return SQLITE_AFFINITY_TEXT;
    }
    if (declared[0] == '\0' || contains(declared, "BLOB")) {
        return SQLITE_AFFINITY_NONE;
    }
    if (contains(declared, "REAL") || contains(declared, "FLOA") || contains(declared, "DOUB")) {
        return SQLITE_AFFINITY_REAL;
    }
    return SQLITE_AFFINITY_NUMERIC;
}

char sqlite_affinity_letter(enum sqlite_affinity affinity)
{
    static const char letters[] = {[SQLITE_AFFINITY_NONE] = 'B',
                                   [SQLITE_AFFINITY_TEXT] = 'T',
                                   [SQLITE_AFFINITY_NUMERIC] = 'N',
                                   [SQLITE_AFFINITY_INTEGER] = 'I',
                                   [SQLITE_AFFINITY_REAL] = 'R'};
    return letters[affinity];
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
    /* Outside a STRICT table the word ANY is one of the numeric types, and no word is what keeps.
     */
    struct column_type read = {
        .type = {.native = any ? "" : text,
                 .dynamic = !strict || any,
                 .untyped = any || text[0] == '\0'},
        .affinity = any ? 'B' : sqlite_affinity_letter(sqlite_affinity_of(text)),
    };

    read.type.kind = kind_of(read.affinity, read.type.native);
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
    read.type.moments = is_word(text, word, "DATETIME") || is_word(text, word, "TIMESTAMP");
    read.type.dates = is_word(text, word, "DATE");
    return read;
}

/* ---------------------------------------------------------------- types of a plan */

/* The examples of datatype3.html (3.1.1) and what else is common; the affinity rules say what they
 * are. Any word is a type to SQLite, so that a slip of the pen would go unnoticed. */
const char *const sqlite_native_names[] = {"INTEGER",
                                           "INT",
                                           "TINYINT",
                                           "SMALLINT",
                                           "MEDIUMINT",
                                           "BIGINT",
                                           "INT2",
                                           "INT4",
                                           "INT8",
                                           "UNSIGNED BIG INT",
                                           "INT UNSIGNED",
                                           "BIGINT UNSIGNED",
                                           "TEXT",
                                           "TINYTEXT",
                                           "MEDIUMTEXT",
                                           "LONGTEXT",
                                           "CHAR",
                                           "CHARACTER",
                                           "VARCHAR",
                                           "VARYING CHARACTER",
                                           "CHARACTER VARYING",
                                           "NCHAR",
                                           "NATIVE CHARACTER",
                                           "NVARCHAR",
                                           "CLOB",
                                           "BLOB",
                                           "REAL",
                                           "DOUBLE",
                                           "DOUBLE PRECISION",
                                           "FLOAT",
                                           "NUMERIC",
                                           "DECIMAL",
                                           "DEC",
                                           "NUMBER",
                                           "BOOL",
                                           "BOOLEAN",
                                           "DATE",
                                           "DATETIME",
                                           "TIME",
                                           "TIMESTAMP",
                                           "JSON",
                                           "UUID",
                                           NULL};

/* "(10,2)", "(20)" or nothing, then the end. */
static bool ends_well(const char *rest)
{
    int32_t numbers[2];
    return rest[0] == '\0' || (read_numbers(rest, &numbers[0], &numbers[1]) && numbers[0] > 0 &&
                               numbers[1] <= numbers[0] && strchr(rest, ')')[1] == '\0');
}

bool sqlite_native_type(const char *declared, struct value_type *type)
{
    size_t length = strcspn(declared, "(");
    const char *rest = declared + length;
    while (length > 0 && declared[length - 1] == ' ') {
        length--;
    }
    for (const char *const *name = sqlite_native_names; *name != NULL; name++) {
        if (is_word(declared, length, *name) && ends_well(rest)) {
            *type = sqlite_column_type_of(declared, false).type;
            type->dynamic = false;
            return true;
        }
    }
    return false;
}
