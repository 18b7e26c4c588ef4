/* MySQL's and MariaDB's types and the kinds of values; the table behind docs/types/mysql.md. */
#include "connectors/mysql/translate.h"
#include <string.h>
#include <strings.h>

const struct sql_rules mysql_rules = {
    .truth_is_number = true, .zone_dropped = true, .zero_unsigned = true};

const struct type_mapping mysql_types[MYSQL_TYPE_COUNT] = {
    {"bigint", VALUE_INT64, "all 64 bits",
     "bigint; int, mediumint, smallint or tinyint where the source's column holds no larger "
     "numbers",
     "exact"},
    {"int", VALUE_INT64, "also tinyint, smallint, mediumint, signed or not", NULL, "exact"},
    {"tinyint(1)", VALUE_INT64, "a number, since it holds -128 to 127", NULL, "exact"},
    {"bigint unsigned", VALUE_UINT64, "to 18446744073709551615", "bigint unsigned", "exact"},
    {"year", VALUE_INT64, "0, 1901 to 2155", NULL, "exact"},
    {"bit(n)", VALUE_UINT64, "the bits as a number", NULL, "exact"},
    {"decimal(p,s)", VALUE_DECIMAL, "every digit, the scale kept",
     "decimal(p,s), or decimal(65,30) where p is not known; digits beyond p or s, NaN and the "
     "infinities reject the record",
     "exact"},
    {"double", VALUE_FLOAT64, "bit by bit", "double; NaN and the infinities reject the record",
     "widened; -0.0 becomes 0"},
    {"float", VALUE_FLOAT32, "bit by bit", "float; NaN and the infinities reject the record",
     "widened; -0.0 becomes 0"},
    {"tinyint(1)", VALUE_BOOL, NULL, "tinyint(1), 0 and 1", "widened; reads back as a number"},
    {"varchar(n)", VALUE_TEXT, "in any character set, as UTF-8",
     "varchar(n), or longtext where no length up to 4,096 is known (in a key or unique index: "
     "varchar(255)); compared by bytes",
     "exact"},
    {"char(n)", VALUE_TEXT, "without the blanks at the end, which the server drops", NULL, "exact"},
    {"text", VALUE_TEXT, "also tinytext, mediumtext, longtext", NULL, "exact"},
    {"enum", VALUE_TEXT, "the label", NULL, "exact"},
    {"set", VALUE_TEXT, "the labels, with commas", NULL, "exact"},
    {"varbinary(n)", VALUE_BYTES, "any bytes",
     "varbinary(n), or longblob where no length up to 4,096 is known (in a key or unique index: "
     "varbinary(255))",
     "exact"},
    {"binary(n)", VALUE_BYTES, "with the zeros that it is padded with", NULL, "exact"},
    {"blob", VALUE_BYTES, "also tinyblob, mediumblob, longblob", NULL, "exact"},
    {"vector(n)", VALUE_BYTES, "MySQL 9, MariaDB 11.7: 4 bytes for each number, little-endian",
     NULL, "exact as bytes"},
    {"geometry", VALUE_BYTES, "also point and its like: SRID (4 bytes, little-endian) and WKB",
     NULL, "exact"},
    {"date", VALUE_DATE, "a zero date too; one with a zero month or day can't be read",
     "date; years before 0 and after 9999 and infinity reject the record", "exact"},
    {"time", VALUE_TIME, "to microseconds; below 0 and above 24 h an interval",
     "time(6); nanoseconds reject the record", "exact"},
    {"datetime", VALUE_TIMESTAMP, "without a zone; a zero date too",
     "datetime(6); nanoseconds, years outside 0 to 9999 and infinity reject the record", "exact"},
    {"timestamp", VALUE_TIMESTAMP, "an instant, in UTC; a zero date too",
     "datetime(6), in UTC, since timestamp ends in 2038 or 2106", "widened"},
    {"json", VALUE_JSON, "MariaDB: its text, byte for byte; MySQL: the server's text of it", "json",
     "exact in MariaDB; MySQL keeps its own spaces and order of keys"},
    {"uuid", VALUE_UUID, "MariaDB 10.7 and later",
     "uuid, or char(36) where the server has none; MariaDB takes no bytes that are none by RFC 4122: "
     "they reject the record (char(36) takes all)",
     "exact"},
    {"inet6", VALUE_TEXT, "also inet4: their text", NULL, "exact as a text"},
    {"varchar(64)", VALUE_INTERVAL, NULL,
     "its text; into a time column that is there, if it has no months and days",
     "widened; reads back as text"},
    {"varchar(32)", VALUE_TIME, NULL, "a time with a zone: its text",
     "widened; reads back as text"},
    {"json", VALUE_LIST, NULL, "json, an array", "widened; reads back as JSON"},
    {"json", VALUE_SET, NULL, "json, an array", "widened; reads back as JSON"},
    {"json", VALUE_MAP, NULL, "json, an object", "widened; reads back as JSON"},
    {"(virtual)", VALUE_TEXT, "generated columns: read as their type, made anew by the target",
     NULL, "exact"},
    {"(other)", VALUE_TEXT, "what the server gives as its text", NULL, "exact as a text"},
    {"longtext", VALUE_ESCAPE, NULL, "not written: the record is rejected", "lossy"},
};

/* ---------------------------------------------------------------- from the catalogue */

static const struct {
    const char *name;
    enum mysql_format format;
    enum value_kind kind;
} known[] = {
    {"tinyint", MYSQL_AS_INT, VALUE_INT64},
    {"smallint", MYSQL_AS_INT, VALUE_INT64},
    {"mediumint", MYSQL_AS_INT, VALUE_INT64},
    {"int", MYSQL_AS_INT, VALUE_INT64},
    {"bigint", MYSQL_AS_INT, VALUE_INT64},
    {"decimal", MYSQL_AS_DECIMAL, VALUE_DECIMAL},
    {"float", MYSQL_AS_FLOAT, VALUE_FLOAT32},
    {"double", MYSQL_AS_DOUBLE, VALUE_FLOAT64},
    {"bit", MYSQL_AS_BIT, VALUE_UINT64},
    {"year", MYSQL_AS_YEAR, VALUE_INT64},
    {"char", MYSQL_AS_TEXT, VALUE_TEXT},
    {"varchar", MYSQL_AS_TEXT, VALUE_TEXT},
    {"tinytext", MYSQL_AS_TEXT, VALUE_TEXT},
    {"text", MYSQL_AS_TEXT, VALUE_TEXT},
    {"mediumtext", MYSQL_AS_TEXT, VALUE_TEXT},
    {"longtext", MYSQL_AS_TEXT, VALUE_TEXT},
    {"binary", MYSQL_AS_BYTES, VALUE_BYTES},
    {"varbinary", MYSQL_AS_BYTES, VALUE_BYTES},
    {"tinyblob", MYSQL_AS_BYTES, VALUE_BYTES},
    {"blob", MYSQL_AS_BYTES, VALUE_BYTES},
    {"mediumblob", MYSQL_AS_BYTES, VALUE_BYTES},
    {"longblob", MYSQL_AS_BYTES, VALUE_BYTES},
    {"vector", MYSQL_AS_BYTES, VALUE_BYTES},
    {"date", MYSQL_AS_DATE, VALUE_DATE},
    {"datetime", MYSQL_AS_DATETIME, VALUE_TIMESTAMP},
    {"timestamp", MYSQL_AS_TIMESTAMP, VALUE_TIMESTAMP},
    {"time", MYSQL_AS_TIME, VALUE_TIME},
    {"json", MYSQL_AS_JSON, VALUE_JSON},
    {"uuid", MYSQL_AS_UUID, VALUE_UUID},
    {"geometry", MYSQL_AS_GEOMETRY, VALUE_BYTES},
    {"point", MYSQL_AS_GEOMETRY, VALUE_BYTES},
    {"linestring", MYSQL_AS_GEOMETRY, VALUE_BYTES},
    {"polygon", MYSQL_AS_GEOMETRY, VALUE_BYTES},
    {"multipoint", MYSQL_AS_GEOMETRY, VALUE_BYTES},
    {"multilinestring", MYSQL_AS_GEOMETRY, VALUE_BYTES},
    {"multipolygon", MYSQL_AS_GEOMETRY, VALUE_BYTES},
    {"geometrycollection", MYSQL_AS_GEOMETRY, VALUE_BYTES},
    {"geomcollection", MYSQL_AS_GEOMETRY, VALUE_BYTES},
};

int mysql_type_numbers(const char *words, int64_t number[2])
{
    const char *at = strchr(words, '(');
    int count = 0;
    while (at != NULL && count < 2 && (*at == '(' || *at == ',')) {
        size_t digits = strspn(at + 1, "0123456789");
        if (digits == 0 || digits > 10 || text_to_int64(at + 1, digits, &number[count]) != 0) {
            break;
        }
        count++;
        at += 1 + digits;
    }
    return count;
}

static bool is_vector(const char *words)
{
    return strncasecmp(words, "vector", strlen("vector")) == 0;
}

static void read_limits(struct mysql_type *type, const char *words)
{
    int64_t number[2] = {0, 0};
    int count = mysql_type_numbers(words, number);
    switch (type->format) {
    case MYSQL_AS_DECIMAL:
        type->type.precision = count > 0 ? (int32_t)number[0] : 10;
        type->type.scale = (int32_t)number[1];
        break;
    case MYSQL_AS_TEXT:
    case MYSQL_AS_BYTES:
        /* a vector's is how many numbers it has, of four bytes each */
        type->type.precision = count > 0 ? (int32_t)number[0] * (is_vector(words) ? 4 : 1) : 0;
        break;
    case MYSQL_AS_FLOAT:
    case MYSQL_AS_DOUBLE:
        type->rounds = count == 2;
        type->digits = (uint8_t)(type->rounds ? number[1] : 0);
        break;
    case MYSQL_AS_TIME:
    case MYSQL_AS_DATETIME:
    case MYSQL_AS_TIMESTAMP:
        type->digits = (uint8_t)(count > 0 && number[0] <= 6 ? number[0] : 0);
        break;
    default:
        break;
    }
}

/* 0: all 64 bits, or no whole number. */
static uint8_t bits_of(const char *data_type, const char *words)
{
    static const struct {
        const char *name;
        uint8_t bits;
    } sizes[] = {{"tinyint", 8}, {"smallint", 16}, {"year", 16}, {"mediumint", 24}, {"int", 32}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (strcasecmp(sizes[i].name, data_type) == 0) {
            return (uint8_t)(sizes[i].bits + (strstr(words, "unsigned") != NULL));
        }
    }
    return 0;
}

struct mysql_type mysql_type_of(const char *data_type, const char *words)
{
    struct mysql_type made = {.format = MYSQL_AS_LABEL,
                              .type = {.kind = VALUE_TEXT, .native = words}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(known[i].name, data_type) == 0) {
            made.format = known[i].format;
            made.type.kind = known[i].kind;
        }
    }
    if (made.format == MYSQL_AS_INT && strcasecmp(data_type, "bigint") == 0 &&
        strstr(words, "unsigned") != NULL) {
        made.format = MYSQL_AS_UINT;
        made.type.kind = VALUE_UINT64;
    }
    made.type.bits = bits_of(data_type, words);
    made.type.zoned = made.format == MYSQL_AS_TIMESTAMP;
    read_limits(&made, words);
    made.type.truth = strncasecmp(words, "tinyint(1)", strlen("tinyint(1)")) == 0 ||
                      strcasecmp(words, "bit(1)") == 0;
    made.type.length = made.format == MYSQL_AS_TIME;
    made.type.zero_days = made.type.kind == VALUE_DATE || made.type.kind == VALUE_TIMESTAMP;
    bool timed = made.type.kind == VALUE_TIME || made.type.kind == VALUE_TIMESTAMP;
    made.type.fraction = timed ? (uint8_t)(made.digits + 1) : 0;
    return made;
}

/* ---------------------------------------------------------------- from a query's result */

static const char *name_of_field_type(const MYSQL_FIELD *field, bool binary)
{
    switch (field->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
        return "int";
    case MYSQL_TYPE_LONGLONG:
        return "bigint";
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        return "decimal";
    case MYSQL_TYPE_FLOAT:
        return "float";
    case MYSQL_TYPE_DOUBLE:
        return "double";
    case MYSQL_TYPE_BIT:
        return "bit";
    case MYSQL_TYPE_YEAR:
        return "year";
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        return "date";
    case MYSQL_TYPE_TIME:
        return "time";
    case MYSQL_TYPE_DATETIME:
        return "datetime";
    case MYSQL_TYPE_TIMESTAMP:
        return "timestamp";
    case MYSQL_TYPE_JSON:
        return "json";
    case MYSQL_TYPE_GEOMETRY:
        return "geometry";
    default:
        return binary ? "longblob" : "longtext";
    }
}

struct mysql_type mysql_type_of_field(const MYSQL_FIELD *field)
{
    enum { BINARY_CHARSET = 63 };
    bool label = (field->flags & (ENUM_FLAG | SET_FLAG)) != 0;
    const char *name = name_of_field_type(field, field->charsetnr == BINARY_CHARSET && !label);
    bool large = field->type == MYSQL_TYPE_LONGLONG && (field->flags & UNSIGNED_FLAG) != 0;
    struct mysql_type made = mysql_type_of(name, large ? "bigint unsigned" : name);
    made.type.bits = 0; /* of a computed number nobody knows */
    if (made.format == MYSQL_AS_DECIMAL) {
        unsigned long sign = (field->flags & UNSIGNED_FLAG) != 0 ? 0 : 1;
        unsigned long point = field->decimals > 0 ? 1 : 0;
        made.type.precision = (int32_t)(field->length - sign - point);
        made.type.scale = (int32_t)field->decimals;
    }
    made.digits = field->decimals <= 6 ? (uint8_t)field->decimals : 6;
    return made;
}

/* ---------------------------------------------------------------- types of a plan */

const char *const mysql_native_names[] = {
    "tinyint",   "smallint", "mediumint", "int",        "integer",    "bigint",   "decimal",
    "numeric",   "float",    "double",    "real",       "bit",        "bool",     "boolean",
    "char",      "varchar",  "tinytext",  "text",       "mediumtext", "longtext", "binary",
    "varbinary", "tinyblob", "blob",      "mediumblob", "longblob",   "date",     "datetime",
    "timestamp", "time",     "year",      "json",       "uuid",       "vector",   NULL,
};

static const char *synonym_of(const char *name)
{
    static const char *const synonyms[][2] = {{"integer", "int"},  {"numeric", "decimal"},
                                              {"real", "double"},  {"double precision", "double"},
                                              {"bool", "tinyint"}, {"boolean", "tinyint"}};
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++) {
        if (strcasecmp(synonyms[i][0], name) == 0) {
            return synonyms[i][1];
        }
    }
    return name;
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(known[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The words that may stand behind a name: "(10,2)", then words like unsigned. */
static bool is_rest(const char *rest)
{
    if (*rest == '(') {
        size_t inside = strspn(rest + 1, "0123456789, ");
        if (inside == 0 || inside > 8 || rest[1 + inside] != ')') {
            return false;
        }
        rest += inside + 2;
    }
    rest += strspn(rest, " ");
    return *rest == '\0' || strcasecmp(rest, "unsigned") == 0 || strcasecmp(rest, "signed") == 0;
}

bool mysql_native_type(const char *declared, struct value_type *type)
{
    char name[32];
    size_t length = strcspn(declared, "( ");
    if (strncasecmp(declared, "double precision", 16) == 0) {
        length = 16;
    }
    if (length == 0 || length >= sizeof name ||
        !is_rest(declared + length + strspn(declared + length, " "))) {
        return false;
    }
    memcpy(name, declared, length);
    name[length] = '\0';
    const char *plain = synonym_of(name);
    if (!is_known(plain)) {
        return false;
    }
    *type = mysql_type_of(plain, declared).type;
    if (strncasecmp(name, "bool", 4) == 0) {
        type->kind = VALUE_BOOL;
    }
    type->native = declared;
    return true;
}

/* ---------------------------------------------------------------- types in DDL */

/* One of the names above with a length and words behind it, or labels in quotes: nothing that could
 * end the type. */
static bool is_type(const char *text)
{
    struct value_type ignored;
    size_t word = strcspn(text, "(");
    bool labels = text[word] == '(' && ((word == 4 && strncasecmp(text, "enum", 4) == 0) ||
                                        (word == 3 && strncasecmp(text, "set", 3) == 0));
    if (!labels) {
        return mysql_native_type(text, &ignored);
    }
    for (text += word + 1; *text == '\'';) {
        for (text++; *text != '\0' && (*text != '\'' || text[1] == '\'');) {
            text += *text == '\'' || (*text == '\\' && text[1] != '\0') ? 2 : 1;
        }
        if (*text != '\'') {
            return false;
        }
        text += text[1] == ',' ? 2 : 1;
    }
    return strcmp(text, ")") == 0;
}

const char *mysql_text_collation(const struct mysql_database *self)
{
    if (self->mariadb) {
        return " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin";
    }
    return self->version >= 80017 ? " CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin"
                                  : " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
}

static const char *name_of_bits(uint8_t bits)
{
    if (bits == 0 || bits > 32) {
        return "bigint";
    }
    return bits > 24 ? "int" : bits > 16 ? "mediumint" : bits > 8 ? "smallint" : "tinyint";
}

static const char *type_of_kind(const struct mysql_database *self, const struct value_type *type)
{
    switch (type->kind) {
    case VALUE_BOOL:
        return "tinyint(1)";
    case VALUE_INT64:
        return name_of_bits(type->dynamic ? 0 : type->bits);
    case VALUE_UINT64:
        return "bigint unsigned";
    case VALUE_FLOAT32:
        return "float";
    case VALUE_FLOAT64:
        return "double";
    case VALUE_DECIMAL:
        return "decimal(65,30)";
    case VALUE_DATE:
        return "date";
    case VALUE_TIME:
        return type->zoned ? "varchar(32) CHARACTER SET ascii COLLATE ascii_bin" : "time(6)";
    case VALUE_TIMESTAMP:
        return "datetime(6)";
    case VALUE_INTERVAL:
        return "varchar(64) CHARACTER SET ascii COLLATE ascii_bin";
    case VALUE_UUID:
        return self->mariadb && self->version >= 100700
                   ? "uuid"
                   : "char(36) CHARACTER SET ascii COLLATE ascii_bin";
    case VALUE_JSON:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return "json";
    default:
        return NULL;
    }
}

/* The collation that a column of our own engine has, else ours. */
static void append_collation(struct buffer *out, const struct mysql_database *self,
                             const char *collation)
{
    if (mysql_is_collation(collation)) {
        buffer_format(out, " COLLATE %s", mysql_nearest_collation(self, collation));
    } else {
        buffer_append_string(out, mysql_text_collation(self));
    }
}

void mysql_append_type(struct buffer *out, const struct mysql_database *self,
                       const struct value_type *type, const char *collation, bool indexed)
{
    enum { LENGTH_MAX = 4096, INDEXED_LENGTH = 255, INDEXED_MAX = 768, PRECISION_MAX = 65 };

    /* MariaDB's own words for json are longtext, with a check beside */
    if (type->kind != VALUE_JSON && type->native != NULL && is_type(type->native) &&
        mysql_knows_type(self, type->native)) {
        buffer_append_string(out, type->native);
        if (type->kind == VALUE_TEXT) {
            append_collation(out, self, collation);
        }
        return;
    }
    bool limited = !type->dynamic && type->precision > 0;
    const char *words = type_of_kind(self, type);
    if (type->kind == VALUE_DECIMAL && limited && type->precision <= PRECISION_MAX &&
        type->scale >= 0 && type->scale <= 30 && type->scale <= type->precision) {
        buffer_format(out, "decimal(%d,%d)", type->precision, type->scale);
    } else if (words != NULL) {
        buffer_append_string(out, words);
    } else {
        bool bytes = type->kind == VALUE_BYTES;
        int32_t most = indexed ? INDEXED_MAX : LENGTH_MAX;
        if (limited && type->precision <= most) {
            buffer_format(out, "%s(%d)", bytes ? "varbinary" : "varchar", type->precision);
        } else if (indexed) {
            buffer_format(out, "%s(%d)", bytes ? "varbinary" : "varchar", INDEXED_LENGTH);
        } else {
            buffer_append_string(out, bytes ? "longblob" : "longtext");
        }
        if (!bytes) {
            append_collation(out, self, collation);
        }
    }
}
