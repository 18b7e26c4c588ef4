/* Types of fields. */
#include "connectors/opensearch/types.h"

#include "base/text.h"
#include "model/batch.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCALED_DIGITS_MAX = 15, /* that a scaled_float finds exactly: it counts by way of a double */
    KEYWORD_IGNORE_ABOVE = 256, /* as in the server's own dynamic mappings */
    WORD_BYTES = 48,
    DEPTH_MAX = 12 /* of objects within each other; the server's own limit is 20 */
};

#define ZONED "_zoned"
#define ANY "_any"
#define AS_JSON "as it stands"
#define KEPT "exact: only a copy between search engines keeps the type, else it is JSON"

const struct type_mapping opensearch_types[OPENSEARCH_TYPE_COUNT] = {
    {"boolean", VALUE_BOOL, "true, false; \"true\" stays a text", "true, false", "exact"},
    {"byte", VALUE_INT64, "whole numbers", "of integers of 8 bits", "exact"},
    {"short", VALUE_INT64, "whole numbers", "of integers of 16 bits", "exact"},
    {"integer", VALUE_INT64, "whole numbers", "of integers of 32 bits", "exact"},
    {"long", VALUE_INT64, "whole numbers, beyond 2^53 too", "digits", "exact"},
    {"unsigned_long", VALUE_UINT64, "whole numbers up to 2^64 - 1",
     "digits; a keyword where the server has no such type", "exact"},
    {"half_float", VALUE_FLOAT32, "digits that a float32 does not keep are a float64", NULL,
     "exact in the document, searched with 11 bits"},
    {"float", VALUE_FLOAT32, "digits that a float32 does not keep are a float64",
     "shortest digits; NaN and infinities are rejected", "exact"},
    {"double", VALUE_FLOAT64, "digits that a float64 does not keep are a decimal",
     "shortest digits; NaN and infinities are rejected", "exact"},
    {"scaled_float", VALUE_DECIMAL, "digits and scale as they stand",
     "of decimals of up to 15 digits with a scale", "exact in the document"},
    {"double", VALUE_DECIMAL, "with a note, digits and scale as they stand",
     "of other decimals: all digits", "exact in the document, searched as a double"},
    {"text", VALUE_TEXT, AS_JSON, "with a subfield keyword; bytes in it as base64",
     "exact: bytes in it stay base64"},
    {"match_only_text", VALUE_TEXT, AS_JSON, NULL, "exact"},
    {"keyword", VALUE_TEXT, AS_JSON ", beyond ignore_above too", "of keys", "exact"},
    {"wildcard", VALUE_TEXT, AS_JSON, NULL, "exact"},
    {"constant_keyword", VALUE_TEXT, AS_JSON "; documents that leave it out lack it", NULL,
     "exact"},
    {"binary", VALUE_BYTES, "base64; other texts stay texts", "base64; texts in it as they are",
     "exact: a text in it that is base64 becomes bytes"},
    {"date", VALUE_TIMESTAMP,
     "ISO 8601 as it is written here; other spellings stay texts and "
     "numbers",
     "ISO 8601, Z with a zone", "exact in the document, searched by milliseconds"},
    {"date", VALUE_DATE, "with a note", "2024-02-29", "exact"},
    {"date_nanos", VALUE_TIMESTAMP, "as date", NULL, "exact"},
    {"keyword", VALUE_TIME, "with a note", "ISO 8601", "exact"},
    {"keyword", VALUE_INTERVAL, "with a note", "ISO 8601", "exact"},
    {"keyword", VALUE_UUID, "with a note", "36 characters", "exact"},
    {"object, not searched", VALUE_JSON, "with a note, its text", "its text, line ends as blanks",
     "exact"},
    {"object", VALUE_MAP, AS_JSON, "of records whose fields are known", "exact"},
    {"nested", VALUE_LIST, AS_JSON, "of lists of such records, or where a plan says so", "exact"},
    {"object, not searched", VALUE_MAP, AS_JSON, "of other maps", "exact"},
    {"object, not searched", VALUE_LIST, AS_JSON, "of lists whose elements are not known", "exact"},
    {"object, not searched", VALUE_SET, "with a note", "an array", "exact"},
    {"flat_object", VALUE_MAP, AS_JSON, NULL, KEPT},
    {"flattened", VALUE_MAP, AS_JSON, NULL, KEPT},
    {"ip", VALUE_TEXT, AS_JSON, NULL, KEPT},
    {"version", VALUE_TEXT, AS_JSON, NULL, KEPT},
    {"integer_range", VALUE_MAP, AS_JSON, NULL, KEPT},
    {"long_range", VALUE_MAP, AS_JSON, NULL, KEPT},
    {"float_range", VALUE_MAP, AS_JSON, NULL, KEPT},
    {"double_range", VALUE_MAP, AS_JSON, NULL, KEPT},
    {"date_range", VALUE_MAP, AS_JSON, NULL, KEPT},
    {"ip_range", VALUE_MAP, AS_JSON, NULL, KEPT},
    {"geo_point", VALUE_JSON, AS_JSON ": object, array or text", NULL, KEPT},
    {"geo_shape", VALUE_JSON, AS_JSON, NULL, KEPT},
    {"completion", VALUE_JSON, AS_JSON, NULL, KEPT},
    {"search_as_you_type", VALUE_TEXT, AS_JSON, NULL, KEPT},
    {"token_count", VALUE_TEXT, AS_JSON, NULL, KEPT},
    {"rank_feature", VALUE_FLOAT64, AS_JSON, NULL, KEPT},
    {"rank_features", VALUE_MAP, AS_JSON, NULL, KEPT},
    {"knn_vector", VALUE_LIST, AS_JSON, NULL, KEPT},
    {"dense_vector", VALUE_LIST, AS_JSON, NULL, KEPT},
    {"percolator", VALUE_JSON, AS_JSON, NULL, KEPT},
};

const char *const opensearch_native_names[] = {"boolean",
                                               "byte",
                                               "short",
                                               "integer",
                                               "long",
                                               "unsigned_long",
                                               "half_float",
                                               "float",
                                               "double",
                                               "scaled_float",
                                               "text",
                                               "keyword",
                                               "wildcard",
                                               "constant_keyword",
                                               "match_only_text",
                                               "binary",
                                               "date",
                                               "date_nanos",
                                               "object",
                                               "nested",
                                               "flat_object",
                                               "flattened",
                                               "ip",
                                               "version",
                                               "integer_range",
                                               "long_range",
                                               "float_range",
                                               "double_range",
                                               "date_range",
                                               "ip_range",
                                               "geo_point",
                                               "geo_shape",
                                               "completion",
                                               "search_as_you_type",
                                               NULL};

/* ---------------------------------------------------------------- from a mapping */

struct value_type opensearch_type_of(const char *word)
{
    struct value_type type = {.kind = VALUE_JSON, .dynamic = true};
    for (int at = 0; at < OPENSEARCH_TYPE_COUNT; at++) {
        if (strcmp(opensearch_types[at].native, word) == 0) {
            type.kind = opensearch_types[at].kind;
            break;
        }
    }
    return type;
}

static bool is_native(const char *declared)
{
    for (const char *const *name = opensearch_native_names; *name != NULL; name++) {
        if (strcmp(*name, declared) == 0) {
            return true;
        }
    }
    return false;
}

bool opensearch_native_type(const char *declared, struct value_type *type)
{
    if (!is_native(declared)) {
        return false;
    }
    *type = opensearch_type_of(declared);
    type->dynamic = type->kind == VALUE_JSON || type->kind >= VALUE_LIST;
    type->bits = strcmp(declared, "byte") == 0      ? 8
                 : strcmp(declared, "short") == 0   ? 16
                 : strcmp(declared, "integer") == 0 ? 32
                                                    : 0;
    type->native = declared;
    return true;
}

/* ---------------------------------------------------------------- notes */

void opensearch_note_append(const struct value_type *type, struct buffer *out)
{
    buffer_append_string(out, value_kind_name(type->kind));
    if (type->kind == VALUE_DECIMAL && type->precision > 0) {
        buffer_format(out, "(%" PRId32 ",%" PRId32 ")", type->precision, type->scale);
    }
    if ((type->kind == VALUE_TIMESTAMP || type->kind == VALUE_TIME) && type->zoned) {
        buffer_append_string(out, ZONED);
    }
    if (type->dynamic) {
        buffer_append_string(out, ANY);
    }
}

/* Takes the ending off the text if it has it. */
static bool take_ending(const char *text, size_t *length, const char *ending)
{
    size_t own = strlen(ending);
    bool has = *length > own && strncmp(text + *length - own, ending, own) == 0;
    *length -= has ? own : 0;
    return has;
}

bool opensearch_note_read(const char *text, struct value_type *type)
{
    char word[WORD_BYTES];
    size_t length = strlen(text);
    *type = (struct value_type){.dynamic = take_ending(text, &length, ANY)};
    type->zoned = take_ending(text, &length, ZONED);
    length = strcspn(text, "(") < length ? strcspn(text, "(") : length;
    if (length >= sizeof(word)) {
        return false;
    }
    memcpy(word, text, length);
    word[length] = '\0';
    type->kind = value_kind_by_name(word);
    const char *digits = strchr(text, '(');
    if (digits != NULL) {
        int64_t precision = 0;
        int64_t scale = 0;
        const char *comma = strchr(digits, ',');
        const char *end = strchr(digits, ')');
        if (comma == NULL || end == NULL ||
            text_to_int64(digits + 1, (size_t)(comma - digits) - 1, &precision) != STATUS_OK ||
            text_to_int64(comma + 1, (size_t)(end - comma) - 1, &scale) != STATUS_OK) {
            return false;
        }
        type->precision = (int32_t)precision;
        type->scale = (int32_t)scale;
    }
    return type->kind != VALUE_KIND_COUNT;
}

/* ---------------------------------------------------------------- to a mapping */

static bool is_scaled(const struct value_type *type)
{
    return type->precision > 0 && type->precision <= SCALED_DIGITS_MAX && type->scale >= 0 &&
           type->scale <= type->precision;
}

static const char *word_of_kind(const struct opensearch_dialect *dialect,
                                const struct value_type *type, bool keyed)
{
    switch (type->kind) {
    case VALUE_BOOL:
        return "boolean";
    case VALUE_INT64:
        return type->bits == 0 || type->bits > 32 ? "long"
               : type->bits > 16                  ? "integer"
               : type->bits > 8                   ? "short"
                                                  : "byte";
    case VALUE_UINT64:
        return dialect->unsigned_long ? "unsigned_long" : "keyword";
    case VALUE_FLOAT32:
        return "float";
    case VALUE_FLOAT64:
        return "double";
    case VALUE_DECIMAL:
        return is_scaled(type) ? "scaled_float" : "double";
    case VALUE_BYTES:
        return "binary";
    case VALUE_DATE:
    case VALUE_TIMESTAMP:
        return "date";
    case VALUE_TIME:
    case VALUE_INTERVAL:
    case VALUE_UUID:
        return "keyword";
    case VALUE_TEXT:
    case VALUE_LARGE:
    case VALUE_NULL:
    case VALUE_MISSING:
        return keyed ? "keyword" : "text";
    case VALUE_MAP:
        return "object";
    case VALUE_LIST:
    case VALUE_SET:
        return type->element == NULL ? "object"
               : type->element->kind == VALUE_MAP
                   ? (type->element->fields != NULL ? "nested" : "object")
               : type->element->kind < VALUE_JSON ? word_of_kind(dialect, type->element, false)
                                                  : "object";
    default:
        return "object";
    }
}

const char *opensearch_field_word(const struct opensearch_dialect *dialect,
                                  const struct value_type *type, bool keyed)
{
    return type->native != NULL && is_native(type->native) ? type->native
                                                           : word_of_kind(dialect, type, keyed);
}

static void append_field(const struct opensearch_dialect *dialect, const struct value_type *type,
                         bool keyed, uint32_t depth, struct buffer *out);

/* A name with a dot is a path of objects to the server. */
static bool are_plain_names(const struct shape *shape)
{
    for (uint32_t at = 0; at < shape->field_count; at++) {
        const struct shape_field *field = &shape->fields[at];
        if (field->name_length == 0 || memchr(field->name, '.', field->name_length) != NULL) {
            return false;
        }
    }
    return true;
}

static void append_properties(const struct opensearch_dialect *dialect, const struct shape *shape,
                              uint32_t depth, struct buffer *out)
{
    buffer_append_string(out, ",\"dynamic\":false,\"properties\":{");
    for (uint32_t at = 0; at < shape->field_count; at++) {
        if (at > 0) {
            buffer_append_byte(out, ',');
        }
        json_append_string(out, shape->fields[at].name, shape->fields[at].name_length);
        buffer_append_byte(out, ':');
        append_field(dialect, &shape->fields[at].type, false, depth + 1, out);
    }
    buffer_append_byte(out, '}');
}

static const struct shape *fields_of(const struct value_type *type)
{
    return type->kind == VALUE_MAP                             ? type->fields
           : type->kind == VALUE_LIST && type->element != NULL ? type->element->fields
                                                               : NULL;
}

static void append_field(const struct opensearch_dialect *dialect, const struct value_type *type,
                         bool keyed, uint32_t depth, struct buffer *out)
{
    const char *word = opensearch_field_word(dialect, type, keyed);
    const struct shape *fields = fields_of(type);
    bool composed = strcmp(word, "object") == 0 || strcmp(word, "nested") == 0;
    bool searched = composed && fields != NULL && depth < DEPTH_MAX && are_plain_names(fields);
    if (composed && !searched) {
        if (type->native != NULL) { /* a plan's own word: the server finds out the fields */
            buffer_format(out, "{\"type\":\"%s\",\"dynamic\":true}", word);
        } else {
            buffer_append_string(out, "{\"type\":\"object\",\"enabled\":false}");
        }
        return;
    }
    buffer_format(out, "{\"type\":\"%s\"", word);
    if (searched) {
        append_properties(dialect, fields, depth, out);
    } else if (strcmp(word, "text") == 0) {
        buffer_format(out, ",\"fields\":{\"keyword\":{\"type\":\"keyword\",\"ignore_above\":%d}}",
                      (int)KEYWORD_IGNORE_ABOVE);
    } else if (strcmp(word, "scaled_float") == 0) {
        buffer_append_string(out, ",\"scaling_factor\":1");
        for (int32_t zero = 0; zero < type->scale; zero++) {
            buffer_append_byte(out, '0');
        }
    } else if (strcmp(word, "date") == 0 || strcmp(word, "date_nanos") == 0) {
        buffer_append_string(out, ",\"format\":\"strict_date_optional_time||epoch_millis\"");
    }
    buffer_append_byte(out, '}');
}

void opensearch_field_append(const struct opensearch_dialect *dialect,
                             const struct value_type *type, bool keyed, struct buffer *out)
{
    append_field(dialect, type, keyed, 0, out);
}
