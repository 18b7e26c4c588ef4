/* PostgreSQL's types and the kinds of values; the table behind docs/types/postgres.md. */
#include "base/text.h"
#include "connectors/postgres/catalog.h"
#include "connectors/postgres/postgres_internal.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

const struct type_mapping postgres_types[POSTGRES_TYPE_COUNT] = {
    {"bigint", VALUE_INT64, "all 64 bits",
     "bigint; integer or smallint where the source's column holds no larger numbers", "exact"},
    {"integer", VALUE_INT64, "also serial", NULL, "exact"},
    {"smallint", VALUE_INT64, "every value", NULL, "exact"},
    {"oid", VALUE_INT64, "0 to 4294967295", NULL, "exact"},
    {"numeric(p,s)", VALUE_DECIMAL, "every digit, the scale kept; NaN and the infinities too",
     "numeric(p,s), or numeric where p is not known; digits beyond s or p reject the record",
     "exact"},
    {"double precision", VALUE_FLOAT64, "bit by bit; NaN, infinities and -0.0 too",
     "double precision", "exact"},
    {"real", VALUE_FLOAT32, "bit by bit", "real", "exact"},
    {"boolean", VALUE_BOOL, "every value", "boolean", "exact"},
    {"text", VALUE_TEXT, "every value",
     "text, or varchar(n) where a length is known; a NUL rejects the record", "exact"},
    {"character varying(n)", VALUE_TEXT, "every value", NULL, "exact"},
    {"character(n)", VALUE_TEXT, "with the blanks that it is padded with", NULL, "exact"},
    {"name", VALUE_TEXT, "every value", NULL, "exact"},
    {"(enum)", VALUE_TEXT, "the label", NULL, "exact"},
    {"bytea", VALUE_BYTES, "any bytes", "bytea", "exact"},
    {"date", VALUE_DATE, "4713 BC to 5874897; infinity and -infinity",
     "date; a zero date rejects the record", "exact"},
    {"time", VALUE_TIME, "24:00:00 too",
     "time, or time with time zone; nanoseconds reject the record", "exact"},
    {"time with time zone", VALUE_TIME, "with its offset", NULL, "exact"},
    {"timestamp", VALUE_TIMESTAMP, "without a zone; infinity and -infinity",
     "timestamp, or timestamp with time zone; nanoseconds and a zero date reject the record",
     "exact"},
    {"timestamp with time zone", VALUE_TIMESTAMP, "an instant, in UTC", NULL, "exact"},
    {"interval", VALUE_INTERVAL, "months, days and microseconds, each kept",
     "interval; nanoseconds reject the record", "exact"},
    {"uuid", VALUE_UUID, "every value", "uuid", "exact"},
    {"json", VALUE_JSON, "its text, byte for byte", "json, byte for byte", "exact"},
    {"jsonb", VALUE_JSON, "PostgreSQL's text of it", NULL,
     "exact; spaces and the order of keys are PostgreSQL's"},
    {"(array)", VALUE_TEXT, "its text, as {1,2,NULL}", NULL, "exact as a text"},
    {"xml", VALUE_TEXT, "its text", NULL, "exact as a text"},
    {"money", VALUE_TEXT, "its text, in the server's locale", NULL, "exact as a text"},
    {"inet", VALUE_TEXT, "also cidr, macaddr: the text that psql shows", NULL, "exact as a text"},
    {"bit(n)", VALUE_TEXT, "also bit varying: 0 and 1", NULL, "exact as a text"},
    {"(range)", VALUE_TEXT, "also multiranges: their text", NULL, "exact as a text"},
    {"point", VALUE_TEXT, "also the other geometric types: their text", NULL, "exact as a text"},
    {"(other)", VALUE_TEXT, "tsvector, composite types, types of extensions: what ::text gives",
     NULL, "exact as a text"},
    {"numeric(20)", VALUE_UINT64, NULL, "numeric(20)", "widened"},
    {"jsonb", VALUE_LIST, NULL, "jsonb, an array", "widened; reads back as JSON"},
    {"jsonb", VALUE_SET, NULL, "jsonb, an array", "widened; reads back as JSON"},
    {"jsonb", VALUE_MAP, NULL, "jsonb, an object", "widened; reads back as JSON"},
    {"text", VALUE_ESCAPE, NULL, "not written: the record is rejected", "lossy"},
};

/* ---------------------------------------------------------------- from the catalogue */

/* The oids of built-in types never change (src/include/catalog/pg_type.dat). */
static const struct {
    uint32_t oid;
    enum postgres_format format;
    enum value_kind kind;
    bool zoned;
} known[] = {
    {16, POSTGRES_AS_BOOL, VALUE_BOOL, false},
    {17, POSTGRES_AS_BYTEA, VALUE_BYTES, false},
    {19, POSTGRES_AS_TEXT, VALUE_TEXT, false},
    {20, POSTGRES_AS_INT8, VALUE_INT64, false},
    {21, POSTGRES_AS_INT2, VALUE_INT64, false},
    {23, POSTGRES_AS_INT4, VALUE_INT64, false},
    {25, POSTGRES_AS_TEXT, VALUE_TEXT, false},
    {26, POSTGRES_AS_OID, VALUE_INT64, false},
    {114, POSTGRES_AS_JSON, VALUE_JSON, false},
    {700, POSTGRES_AS_FLOAT4, VALUE_FLOAT32, false},
    {701, POSTGRES_AS_FLOAT8, VALUE_FLOAT64, false},
    {1042, POSTGRES_AS_TEXT, VALUE_TEXT, false},
    {1043, POSTGRES_AS_TEXT, VALUE_TEXT, false},
    {1082, POSTGRES_AS_DATE, VALUE_DATE, false},
    {1083, POSTGRES_AS_TIME, VALUE_TIME, false},
    {1114, POSTGRES_AS_TIMESTAMP, VALUE_TIMESTAMP, false},
    {1184, POSTGRES_AS_TIMESTAMPTZ, VALUE_TIMESTAMP, true},
    {1186, POSTGRES_AS_INTERVAL, VALUE_INTERVAL, false},
    {1266, POSTGRES_AS_TIMETZ, VALUE_TIME, true},
    {1700, POSTGRES_AS_NUMERIC, VALUE_DECIMAL, false},
    {2950, POSTGRES_AS_UUID, VALUE_UUID, false},
    {3802, POSTGRES_AS_JSONB, VALUE_JSON, false},
};
enum { MODIFIER_HEADER = 4, OID_BPCHAR = 1042, OID_VARCHAR = 1043, OID_NUMERIC = 1700 };

static uint8_t fraction_of(enum value_kind kind, int64_t digits)
{
    enum { DIGITS_MAX = 6 };
    bool timed = kind == VALUE_TIME || kind == VALUE_TIMESTAMP;
    return !timed ? 0 : (uint8_t)(1 + (digits >= 0 && digits < DIGITS_MAX ? digits : DIGITS_MAX));
}

static void read_modifier(uint32_t oid, int32_t modifier, struct value_type *type)
{
    if (modifier < MODIFIER_HEADER) {
        return;
    }
    int32_t rest = modifier - MODIFIER_HEADER;
    if (oid == OID_BPCHAR || oid == OID_VARCHAR) {
        type->precision = rest;
    } else if (oid == OID_NUMERIC) {
        int32_t scale = ((rest & 0x7ff) ^ 1024) - 1024; /* signed in 11 bits since version 15 */
        if (scale >= 0) {
            type->precision = rest >> 16 & 0xffff;
            type->scale = scale;
        }
    }
}

/* The elements of the built-in arrays; of others (enums, types of extensions) the texts are taken.
 */
static const struct value_type *element_of(uint32_t oid)
{
    static const struct {
        uint32_t oid;
        struct value_type type;
    } arrays[] = {
        {1000, {.kind = VALUE_BOOL}},      {1001, {.kind = VALUE_BYTES}},
        {1005, {.kind = VALUE_INT64}},     {1007, {.kind = VALUE_INT64}},
        {1016, {.kind = VALUE_INT64}},     {1028, {.kind = VALUE_INT64}},
        {1021, {.kind = VALUE_FLOAT32}},   {1022, {.kind = VALUE_FLOAT64}},
        {1231, {.kind = VALUE_DECIMAL}},   {199, {.kind = VALUE_JSON}},
        {3807, {.kind = VALUE_JSON}},      {1182, {.kind = VALUE_DATE}},
        {1183, {.kind = VALUE_TIME}},      {1270, {.kind = VALUE_TIME, .zoned = true}},
        {1115, {.kind = VALUE_TIMESTAMP}}, {1185, {.kind = VALUE_TIMESTAMP, .zoned = true}},
        {1187, {.kind = VALUE_INTERVAL}},  {2951, {.kind = VALUE_UUID}},
    };
    static const struct value_type text = {.kind = VALUE_TEXT};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        if (arrays[i].oid == oid) {
            return &arrays[i].type;
        }
    }
    return &text;
}

static bool is_array(const char *words)
{
    size_t length = words != NULL ? strlen(words) : 0;
    return length > 2 && strcmp(words + length - 2, "[]") == 0;
}

struct postgres_type postgres_type_of(uint32_t oid, char kind_of_type, int32_t modifier,
                                      const char *words)
{
    struct postgres_type made = {.format = POSTGRES_AS_CAST,
                                 .type = {.kind = VALUE_TEXT, .native = words}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].oid == oid) {
            made.format = known[i].format;
            made.type.kind = known[i].kind;
            made.type.zoned = known[i].zoned;
        }
    }
    made.type.bits = made.format == POSTGRES_AS_INT2   ? 16
                     : made.format == POSTGRES_AS_INT4 ? 32
                                                       : 0;
    if (kind_of_type == 'e') {
        made.format = POSTGRES_AS_TEXT;
    }
    if (made.format == POSTGRES_AS_CAST && is_array(words)) {
        made.type.element = element_of(oid);
    }
    read_modifier(oid, modifier, &made.type);
    made.type.fraction = fraction_of(made.type.kind, modifier);
    made.type.no_nul = made.type.kind == VALUE_TEXT || made.format == POSTGRES_AS_JSONB;
    return made;
}

/* ---------------------------------------------------------------- types of a plan */

struct name {
    const char *text;
    enum value_kind kind;
    bool zoned;
    char numbers; /* what may stand in parentheses: 'n' a length, 'p' precision and scale, 's'
                     digits of seconds, 0 nothing */
};

static const struct name names[] = {
    {"bigint", VALUE_INT64, false, 0},
    {"integer", VALUE_INT64, false, 0},
    {"smallint", VALUE_INT64, false, 0},
    {"int", VALUE_INT64, false, 0},
    {"int2", VALUE_INT64, false, 0},
    {"int4", VALUE_INT64, false, 0},
    {"int8", VALUE_INT64, false, 0},
    {"numeric", VALUE_DECIMAL, false, 'p'},
    {"decimal", VALUE_DECIMAL, false, 'p'},
    {"double precision", VALUE_FLOAT64, false, 0},
    {"float8", VALUE_FLOAT64, false, 0},
    {"real", VALUE_FLOAT32, false, 0},
    {"float4", VALUE_FLOAT32, false, 0},
    {"boolean", VALUE_BOOL, false, 0},
    {"bool", VALUE_BOOL, false, 0},
    {"text", VALUE_TEXT, false, 0},
    {"varchar", VALUE_TEXT, false, 'n'},
    {"character varying", VALUE_TEXT, false, 'n'},
    {"char", VALUE_TEXT, false, 'n'},
    {"character", VALUE_TEXT, false, 'n'},
    {"bytea", VALUE_BYTES, false, 0},
    {"date", VALUE_DATE, false, 0},
    {"time", VALUE_TIME, false, 's'},
    {"time without time zone", VALUE_TIME, false, 0},
    {"timetz", VALUE_TIME, true, 's'},
    {"time with time zone", VALUE_TIME, true, 0},
    {"timestamp", VALUE_TIMESTAMP, false, 's'},
    {"timestamp without time zone", VALUE_TIMESTAMP, false, 0},
    {"timestamptz", VALUE_TIMESTAMP, true, 's'},
    {"timestamp with time zone", VALUE_TIMESTAMP, true, 0},
    {"interval", VALUE_INTERVAL, false, 0},
    {"uuid", VALUE_UUID, false, 0},
    {"json", VALUE_JSON, false, 0},
    {"jsonb", VALUE_JSON, false, 0},
};
enum { NAME_COUNT = sizeof names / sizeof names[0] };

const char *const postgres_native_names[NAME_COUNT + 1] = {
    "bigint",      "integer",
    "smallint",    "int",
    "int2",        "int4",
    "int8",        "numeric",
    "decimal",     "double precision",
    "float8",      "real",
    "float4",      "boolean",
    "bool",        "text",
    "varchar",     "character varying",
    "char",        "character",
    "bytea",       "date",
    "time",        "time without time zone",
    "timetz",      "time with time zone",
    "timestamp",   "timestamp without time zone",
    "timestamptz", "timestamp with time zone",
    "interval",    "uuid",
    "json",        "jsonb",
    NULL,
};

/* "(10,2)", "(20)" or nothing. */
static bool read_numbers(const char *text, int64_t number[2], int *count)
{
    *count = 0;
    if (*text == '\0') {
        return true;
    }
    do {
        text++;
        text += strspn(text, " ");
        size_t digits = strspn(text, "0123456789");
        if (*count == 2 || digits == 0 || digits > 8 ||
            text_to_int64(text, digits, &number[*count]) != STATUS_OK) {
            return false;
        }
        (*count)++;
        text += digits;
        text += strspn(text, " ");
    } while (*text == ',');
    return strcmp(text, ")") == 0;
}

static bool numbers_fit(const struct name *name, const int64_t number[2], int count)
{
    switch (name->numbers) {
    case 'n':
        return count < 2 && (count == 0 || (number[0] >= 1 && number[0] <= 10485760));
    case 'p':
        return count == 0 ||
               (number[0] >= 1 && number[0] <= 1000 && (count == 1 || number[1] <= number[0]));
    case 's':
        return count < 2 && (count == 0 || number[0] <= 6);
    default:
        return count == 0;
    }
}

bool postgres_native_type(const char *declared, struct value_type *type)
{
    size_t length = strcspn(declared, "(");
    const char *rest = declared + length;
    int64_t number[2] = {0, 0};
    int count = 0;

    while (length > 0 && declared[length - 1] == ' ') {
        length--;
    }
    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (strlen(names[i].text) != length || strncasecmp(names[i].text, declared, length) != 0) {
            continue;
        }
        if (!read_numbers(rest, number, &count) || !numbers_fit(&names[i], number, count)) {
            return false;
        }
        bool limited = names[i].numbers == 'n' || names[i].numbers == 'p';
        bool one = count == 0 && strncasecmp(declared, "char", length) == 0 && length == 4;
        one = one || (count == 0 && length == 9 && names[i].numbers == 'n');
        *type = (struct value_type){
            .kind = names[i].kind,
            .zoned = names[i].zoned,
            .precision = one       ? 1
                         : limited ? (int32_t)number[0]
                                   : 0,
            .scale = names[i].numbers == 'p' ? (int32_t)number[1] : 0,
            .fraction = fraction_of(names[i].kind, count > 0 ? number[0] : -1),
            .no_nul = names[i].kind == VALUE_TEXT || strcasecmp(names[i].text, "jsonb") == 0,
            .native = declared};
        return true;
    }
    return false;
}

/* ---------------------------------------------------------------- types in DDL */

/* Words and quoted names with dots between them, a length, brackets: what format_type gives, and
 * nothing that could end the type. */
static bool is_type(const char *text)
{
    size_t depth = 0;
    if (strlen(text) > 300 || (!isalpha((unsigned char)*text) && *text != '"' && *text != '_')) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            text++;
            while (*text != '\0' && (*text != '"' || text[1] == '"')) {
                text += *text == '"' ? 2 : 1;
            }
            if (*text == '\0') {
                return false;
            }
        } else if (*text == '(') {
            size_t inside = strspn(
                text + 1, "0123456789, -abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
            const char *comment = strstr(text, "--");
            if (depth++ > 0 || text[1 + inside] != ')' ||
                (comment != NULL && comment < text + inside)) {
                return false;
            }
            text += 1 + inside;
        } else if (*text == '[') {
            if (text[1] != ']') {
                return false;
            }
            text++;
        } else if (!isalnum((unsigned char)*text) && strchr("_ .", *text) == NULL &&
                   (unsigned char)*text < 0x80) {
            return false;
        }
    }
    return true;
}

static const char *type_of_kind(const struct value_type *type)
{
    switch (type->kind) {
    case VALUE_BOOL:
        return "boolean";
    case VALUE_INT64:
        return type->bits == 0 || type->bits > 32 || type->dynamic ? "bigint"
               : type->bits > 16                                   ? "integer"
                                                                   : "smallint";
    case VALUE_UINT64:
        return "numeric(20)";
    case VALUE_FLOAT32:
        return "real";
    case VALUE_FLOAT64:
        return "double precision";
    case VALUE_DECIMAL:
        return "numeric";
    case VALUE_BYTES:
        return "bytea";
    case VALUE_DATE:
        return "date";
    case VALUE_TIME:
        return type->zoned ? "time with time zone" : "time";
    case VALUE_TIMESTAMP:
        return type->zoned ? "timestamp with time zone" : "timestamp";
    case VALUE_INTERVAL:
        return "interval";
    case VALUE_UUID:
        return "uuid";
    case VALUE_JSON:
        return "json";
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return "jsonb";
    default:
        return "text";
    }
}

void postgres_append_type(struct buffer *out, const struct value_type *type)
{
    enum { PRECISION_MAX = 1000, LENGTH_MAX = 10485760 };

    if (type->native != NULL && is_type(type->native)) {
        buffer_append_string(out, type->native);
        return;
    }
    bool limited = !type->dynamic && type->precision > 0;
    if (type->kind == VALUE_DECIMAL && limited && type->precision <= PRECISION_MAX &&
        type->scale >= 0 && type->scale <= type->precision) {
        buffer_format(out, "numeric(%d,%d)", type->precision, type->scale);
    } else if (type->kind == VALUE_TEXT && limited && type->precision <= LENGTH_MAX) {
        buffer_format(out, "varchar(%d)", type->precision);
    } else {
        buffer_append_string(out, type_of_kind(type));
    }
}

void postgres_keep_output(struct postgres_column *column, const char *function, const char *type,
                          struct arena *arena)
{
    column->text_before = arena_format(arena, "pg_catalog.textin(%s(", function);
    column->text_behind = arena_format(arena, "::%s))", type);
}
