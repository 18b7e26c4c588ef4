#include "sql/types.h"
#include "base/text.h"
#include <string.h>
#include <strings.h>

struct known_type {
    const char *name;
    enum value_kind kind;
    uint8_t bits; /* of whole numbers: 0 all 64 */
    bool zoned;
    bool limited; /* the first number is a length */
};

static const struct known_type *types_find(const struct known_type *types, size_t count,
                                           const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(types[i].name, name) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- PostgreSQL */

static const struct known_type postgres_types[] = {
    {"bigint", VALUE_INT64, 0, false, false},
    {"int8", VALUE_INT64, 0, false, false},
    {"bigserial", VALUE_INT64, 0, false, false},
    {"serial8", VALUE_INT64, 0, false, false},
    {"oid", VALUE_INT64, 0, false, false},
    {"integer", VALUE_INT64, 32, false, false},
    {"int", VALUE_INT64, 32, false, false},
    {"int4", VALUE_INT64, 32, false, false},
    {"serial", VALUE_INT64, 32, false, false},
    {"serial4", VALUE_INT64, 32, false, false},
    {"smallint", VALUE_INT64, 16, false, false},
    {"int2", VALUE_INT64, 16, false, false},
    {"smallserial", VALUE_INT64, 16, false, false},
    {"serial2", VALUE_INT64, 16, false, false},
    {"numeric", VALUE_DECIMAL, 0, false, false},
    {"decimal", VALUE_DECIMAL, 0, false, false},
    {"dec", VALUE_DECIMAL, 0, false, false},
    {"double precision", VALUE_FLOAT64, 0, false, false},
    {"float8", VALUE_FLOAT64, 0, false, false},
    {"float", VALUE_FLOAT64, 0, false, false},
    {"real", VALUE_FLOAT32, 0, false, false},
    {"float4", VALUE_FLOAT32, 0, false, false},
    {"boolean", VALUE_BOOL, 0, false, false},
    {"bool", VALUE_BOOL, 0, false, false},
    {"text", VALUE_TEXT, 0, false, false},
    {"name", VALUE_TEXT, 0, false, false},
    {"varchar", VALUE_TEXT, 0, false, true},
    {"character varying", VALUE_TEXT, 0, false, true},
    {"char varying", VALUE_TEXT, 0, false, true},
    {"nchar varying", VALUE_TEXT, 0, false, true},
    {"char", VALUE_TEXT, 0, false, true},
    {"character", VALUE_TEXT, 0, false, true},
    {"nchar", VALUE_TEXT, 0, false, true},
    {"national character", VALUE_TEXT, 0, false, true},
    {"national character varying", VALUE_TEXT, 0, false, true},
    {"bpchar", VALUE_TEXT, 0, false, true},
    {"xml", VALUE_TEXT, 0, false, false},
    {"money", VALUE_TEXT, 0, false, false},
    {"inet", VALUE_TEXT, 0, false, false},
    {"cidr", VALUE_TEXT, 0, false, false},
    {"macaddr", VALUE_TEXT, 0, false, false},
    {"macaddr8", VALUE_TEXT, 0, false, false},
    {"bit", VALUE_TEXT, 0, false, false},
    {"bit varying", VALUE_TEXT, 0, false, false},
    {"varbit", VALUE_TEXT, 0, false, false},
    {"tsvector", VALUE_TEXT, 0, false, false},
    {"tsquery", VALUE_TEXT, 0, false, false},
    {"point", VALUE_TEXT, 0, false, false},
    {"line", VALUE_TEXT, 0, false, false},
    {"lseg", VALUE_TEXT, 0, false, false},
    {"box", VALUE_TEXT, 0, false, false},
    {"path", VALUE_TEXT, 0, false, false},
    {"polygon", VALUE_TEXT, 0, false, false},
    {"circle", VALUE_TEXT, 0, false, false},
    {"int4range", VALUE_TEXT, 0, false, false},
    {"int8range", VALUE_TEXT, 0, false, false},
    {"numrange", VALUE_TEXT, 0, false, false},
    {"tsrange", VALUE_TEXT, 0, false, false},
    {"tstzrange", VALUE_TEXT, 0, false, false},
    {"daterange", VALUE_TEXT, 0, false, false},
    {"regclass", VALUE_TEXT, 0, false, false},
    {"pg_lsn", VALUE_TEXT, 0, false, false},
    {"bytea", VALUE_BYTES, 0, false, false},
    {"date", VALUE_DATE, 0, false, false},
    {"time", VALUE_TIME, 0, false, false},
    {"time without time zone", VALUE_TIME, 0, false, false},
    {"timetz", VALUE_TIME, 0, true, false},
    {"time with time zone", VALUE_TIME, 0, true, false},
    {"timestamp", VALUE_TIMESTAMP, 0, false, false},
    {"timestamp without time zone", VALUE_TIMESTAMP, 0, false, false},
    {"timestamptz", VALUE_TIMESTAMP, 0, true, false},
    {"timestamp with time zone", VALUE_TIMESTAMP, 0, true, false},
    {"interval", VALUE_INTERVAL, 0, false, false},
    {"uuid", VALUE_UUID, 0, false, false},
    {"json", VALUE_JSON, 0, false, false},
    {"jsonb", VALUE_JSON, 0, false, false},
};
enum { POSTGRES_TYPES = sizeof postgres_types / sizeof postgres_types[0] };

static bool is_timed(enum value_kind kind)
{
    return kind == VALUE_TIME || kind == VALUE_TIMESTAMP;
}

/* A character without a length is one character; a varchar without one has no limit. */
static bool is_one_character(const char *name)
{
    return strcmp(name, "char") == 0 || strcmp(name, "character") == 0 ||
           strcmp(name, "nchar") == 0 || strcmp(name, "national character") == 0;
}

static void limit_postgres(const struct known_type *known, const struct sql_type_words *words,
                           struct value_type *type)
{
    enum { FRACTION_MAX = 6 };
    int64_t first = words->number_count > 0 ? words->numbers[0] : 0;
    if (known->limited) {
        type->precision = words->number_count > 0         ? (int32_t)first
                          : is_one_character(words->name) ? 1
                                                          : 0;
    } else if (known->kind == VALUE_DECIMAL && words->numbers[1] >= 0) {
        type->precision = (int32_t)first;
        type->scale = (int32_t)words->numbers[1];
    } else if (is_timed(known->kind)) {
        int64_t digits = words->number_count > 0 && first < FRACTION_MAX ? first : FRACTION_MAX;
        type->fraction = (uint8_t)(1 + digits);
    }
}

/* The type of an array type's elements lives as long as the program. */
static const struct value_type *element_of(const struct known_type *known)
{
    static const struct value_type elements[VALUE_KIND_COUNT][2] = {
        [VALUE_BOOL] = {{.kind = VALUE_BOOL}},
        [VALUE_BYTES] = {{.kind = VALUE_BYTES}},
        [VALUE_INT64] = {{.kind = VALUE_INT64}},
        [VALUE_FLOAT32] = {{.kind = VALUE_FLOAT32}},
        [VALUE_FLOAT64] = {{.kind = VALUE_FLOAT64}},
        [VALUE_DECIMAL] = {{.kind = VALUE_DECIMAL}},
        [VALUE_JSON] = {{.kind = VALUE_JSON}},
        [VALUE_DATE] = {{.kind = VALUE_DATE}},
        [VALUE_TIME] = {{.kind = VALUE_TIME}, {.kind = VALUE_TIME, .zoned = true}},
        [VALUE_TIMESTAMP] = {{.kind = VALUE_TIMESTAMP}, {.kind = VALUE_TIMESTAMP, .zoned = true}},
        [VALUE_INTERVAL] = {{.kind = VALUE_INTERVAL}},
        [VALUE_UUID] = {{.kind = VALUE_UUID}},
        [VALUE_TEXT] = {{.kind = VALUE_TEXT}},
    };
    return known != NULL ? &elements[known->kind][known->zoned ? 1 : 0] : &elements[VALUE_TEXT][0];
}

static bool read_postgres(const struct sql_type_words *words, struct value_type *type)
{
    const struct known_type *known = types_find(postgres_types, POSTGRES_TYPES, words->name);
    if (known != NULL && !words->is_array) {
        type->kind = known->kind;
        type->bits = known->bits;
        type->zoned = known->zoned;
        limit_postgres(known, words, type);
    } else if (words->is_array) {
        type->element = element_of(known);
    }
    type->no_nul = type->kind == VALUE_TEXT || strcmp(words->name, "jsonb") == 0;
    return known != NULL;
}

/* ---------------------------------------------------------------- MySQL and MariaDB */

static const struct known_type mysql_types[] = {
    {"tinyint", VALUE_INT64, 8, false, false},
    {"bool", VALUE_INT64, 8, false, false},
    {"boolean", VALUE_INT64, 8, false, false},
    {"smallint", VALUE_INT64, 16, false, false},
    {"year", VALUE_INT64, 16, false, false},
    {"mediumint", VALUE_INT64, 24, false, false},
    {"int", VALUE_INT64, 32, false, false},
    {"integer", VALUE_INT64, 32, false, false},
    {"bigint", VALUE_INT64, 0, false, false},
    {"serial", VALUE_UINT64, 0, false, false},
    {"bit", VALUE_UINT64, 0, false, false},
    {"decimal", VALUE_DECIMAL, 0, false, false},
    {"numeric", VALUE_DECIMAL, 0, false, false},
    {"dec", VALUE_DECIMAL, 0, false, false},
    {"fixed", VALUE_DECIMAL, 0, false, false},
    {"float", VALUE_FLOAT32, 0, false, false},
    {"double", VALUE_FLOAT64, 0, false, false},
    {"double precision", VALUE_FLOAT64, 0, false, false},
    {"real", VALUE_FLOAT64, 0, false, false},
    {"char", VALUE_TEXT, 0, false, true},
    {"character", VALUE_TEXT, 0, false, true},
    {"nchar", VALUE_TEXT, 0, false, true},
    {"varchar", VALUE_TEXT, 0, false, true},
    {"character varying", VALUE_TEXT, 0, false, true},
    {"nvarchar", VALUE_TEXT, 0, false, true},
    {"tinytext", VALUE_TEXT, 0, false, true},
    {"text", VALUE_TEXT, 0, false, true},
    {"mediumtext", VALUE_TEXT, 0, false, true},
    {"longtext", VALUE_TEXT, 0, false, true},
    {"enum", VALUE_TEXT, 0, false, false},
    {"set", VALUE_TEXT, 0, false, false},
    {"inet4", VALUE_TEXT, 0, false, false},
    {"inet6", VALUE_TEXT, 0, false, false},
    {"binary", VALUE_BYTES, 0, false, true},
    {"varbinary", VALUE_BYTES, 0, false, true},
    {"tinyblob", VALUE_BYTES, 0, false, true},
    {"blob", VALUE_BYTES, 0, false, true},
    {"mediumblob", VALUE_BYTES, 0, false, true},
    {"longblob", VALUE_BYTES, 0, false, true},
    {"vector", VALUE_BYTES, 0, false, true},
    {"date", VALUE_DATE, 0, false, false},
    {"datetime", VALUE_TIMESTAMP, 0, false, false},
    {"timestamp", VALUE_TIMESTAMP, 0, true, false},
    {"time", VALUE_TIME, 0, false, false},
    {"json", VALUE_JSON, 0, false, false},
    {"uuid", VALUE_UUID, 0, false, false},
    {"geometry", VALUE_BYTES, 0, false, false},
    {"point", VALUE_BYTES, 0, false, false},
    {"linestring", VALUE_BYTES, 0, false, false},
    {"polygon", VALUE_BYTES, 0, false, false},
    {"multipoint", VALUE_BYTES, 0, false, false},
    {"multilinestring", VALUE_BYTES, 0, false, false},
    {"multipolygon", VALUE_BYTES, 0, false, false},
    {"geometrycollection", VALUE_BYTES, 0, false, false},
    {"geomcollection", VALUE_BYTES, 0, false, false},
};
enum { MYSQL_TYPES = sizeof mysql_types / sizeof mysql_types[0] };

static void limit_mysql(const struct known_type *known, const struct sql_type_words *words,
                        struct value_type *type)
{
    enum { DECIMAL_DIGITS = 10, FRACTION_MAX = 6, VECTOR_BYTES = 4 };
    bool counted = words->number_count > 0;
    int64_t first = counted ? words->numbers[0] : 0;
    if (known->limited) {
        bool vector = strcmp(known->name, "vector") == 0;
        type->precision = (int32_t)(first * (vector ? VECTOR_BYTES : 1));
    } else if (known->kind == VALUE_DECIMAL) {
        type->precision = counted ? (int32_t)first : DECIMAL_DIGITS;
        type->scale = (int32_t)words->numbers[1];
    } else if (is_timed(known->kind)) {
        type->fraction = (uint8_t)(1 + (first <= FRACTION_MAX ? first : 0));
    }
}

static bool read_mysql(const struct sql_type_words *words, struct value_type *type)
{
    const struct known_type *known = types_find(mysql_types, MYSQL_TYPES, words->name);
    if (known == NULL) {
        return false;
    }
    bool whole = known->kind == VALUE_INT64;
    bool word = strncmp(known->name, "bool", strlen("bool")) == 0;
    bool one = words->number_count == 1 && words->numbers[0] == 1;
    type->kind = whole && known->bits == 0 && words->is_unsigned ? VALUE_UINT64 : known->kind;
    type->bits = (uint8_t)(known->bits + (known->bits > 0 && words->is_unsigned ? 1 : 0));
    type->zoned = known->zoned;
    type->truth =
        word || (one && (strcmp(known->name, "tinyint") == 0 || strcmp(known->name, "bit") == 0));
    type->length = known->kind == VALUE_TIME;
    type->zero_days = known->kind == VALUE_DATE || known->kind == VALUE_TIMESTAMP;
    limit_mysql(known, words, type);
    return true;
}

/* ---------------------------------------------------------------- SQLite */

/* SQLite's own rules, in its order (datatype3.html, 3.1). */
static enum value_kind kind_by_affinity(const char *name)
{
    static const struct {
        const char *part;
        enum value_kind kind;
    } rules[] = {
        {"int", VALUE_INT64},    {"char", VALUE_TEXT},    {"clob", VALUE_TEXT},
        {"text", VALUE_TEXT},    {"blob", VALUE_BYTES},   {"real", VALUE_FLOAT64},
        {"floa", VALUE_FLOAT64}, {"doub", VALUE_FLOAT64},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strstr(name, rules[i].part) != NULL) {
            return rules[i].kind;
        }
    }
    return VALUE_TEXT;
}

static void read_sqlite(const struct sql_type_words *words, struct value_type *type)
{
    static const char *const decimals[] = {"numeric", "decimal", "dec", "number", NULL};
    static const char *const truths[] = {"bool", "boolean", NULL};
    static const char *const moments[] = {"datetime", "timestamp", NULL};
    bool any = words->strict && strcmp(words->name, "any") == 0;
    type->kind = any ? VALUE_TEXT : kind_by_affinity(words->name);
    type->dynamic = !words->strict || any;
    type->untyped = any || words->name[0] == '\0';
    if (text_is_among(words->name, decimals)) {
        type->kind = VALUE_DECIMAL;
        type->precision = (int32_t)words->numbers[0];
        type->scale = (int32_t)words->numbers[1];
    } else if (text_is_among(words->name, truths)) {
        type->kind = VALUE_BOOL;
    }
    type->moments = text_is_among(words->name, moments);
    type->dates = strcmp(words->name, "date") == 0;
}

bool sql_type_read(enum sql_language language, const struct sql_type_words *words,
                   struct value_type *type)
{
    *type = (struct value_type){.kind = VALUE_TEXT, .native = words->native};
    switch (language) {
    case SQL_POSTGRES:
        return read_postgres(words, type);
    case SQL_MYSQL:
        return read_mysql(words, type);
    default:
        read_sqlite(words, type);
        return true;
    }
}

bool sql_type_counts(enum sql_language language, const char *name)
{
    static const char *const counters[] = {"serial",  "serial4",     "bigserial", "serial8",
                                           "serial2", "smallserial", NULL};
    return language != SQL_SQLITE && text_is_among(name, counters);
}
