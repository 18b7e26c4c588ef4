/* Records to lines of JSON. */
#include "connectors/jsonl/jsonl.h"

#include "base/memory.h"
#include "base/text.h"
#include "model/decimal.h"
#include "model/json_writer.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLICE_BYTES = 48 * 1024 }; /* a multiple of 3, as base64 wants */

/* A field that every record of a shape has. */
struct field {
    const char *prefix; /* "name": with its colon */
    size_t prefix_length;
    const struct value_type *type; /* of the table's column; NULL: not known */
};

struct folder_encoder {
    const struct jsonl_database *database;
    const struct target_table *table;
    const struct shape *shape; /* NULL: documents */
    struct arena *arena;
    struct field *fields;
    uint8_t *slice; /* made when the first large value comes */
};

/* The place of the value that is being written, for errors and limits. */
struct writing {
    struct folder_encoder *encoder;
    struct buffer *out;
    const char *field;
    uint32_t depth;
    struct error *error;
};

static enum status write_value(struct writing *writing, const struct cell *cell,
                               const struct value_type *type);

/* ---------------------------------------------------------------- create */

/* Looks from `*guess` on, and then from the first one: where columns come in order, each is found
 * at once. */
static const struct value_type *find_type(const struct target_table *table, const char *name,
                                          size_t length, uint32_t *guess)
{
    for (uint32_t tried = 0; tried < table->column_count; tried++) {
        uint32_t at = (*guess + tried) % table->column_count;
        const char *column = table->columns[at].name;
        if (strlen(column) == length && memcmp(column, name, length) == 0) {
            *guess = at + 1;
            return &table->columns[at].type;
        }
    }
    return NULL;
}

static void prepare_fields(struct folder_encoder *encoder)
{
    const struct shape *shape = encoder->shape;
    struct buffer prefix = {0};
    encoder->fields = arena_allocate_zeroed(encoder->arena, (size_t)shape->field_count + 1,
                                            sizeof(*encoder->fields));
    uint32_t guess = 0;
    for (uint32_t at = 0; at < shape->field_count; at++) {
        struct field *field = &encoder->fields[at];
        buffer_clear(&prefix);
        json_append_string(&prefix, shape->fields[at].name, shape->fields[at].name_length);
        buffer_append_byte(&prefix, ':');
        field->prefix_length = prefix.length;
        field->prefix = arena_copy(encoder->arena, prefix.data, prefix.length);
        field->type = find_type(encoder->table, shape->fields[at].name,
                                shape->fields[at].name_length, &guess);
    }
    buffer_free(&prefix);
}

enum status jsonl_encoder_create(struct folder *folder, const struct target_table *table,
                                 const struct shape *shape, const struct cell *first,
                                 struct folder_encoder **encoder, struct error *error)
{
    struct folder_encoder *made = memory_allocate_zeroed(1, sizeof(*made));
    (void)first;
    *encoder = NULL;
    made->database = (const struct jsonl_database *)folder;
    made->table = table;
    made->shape = shape;
    made->arena = arena_create(0);
    if (shape != NULL) {
        prepare_fields(made);
    }
    (void)error;
    *encoder = made;
    return STATUS_OK;
}

void jsonl_encoder_destroy(struct folder_encoder *encoder)
{
    if (encoder != NULL) {
        arena_destroy(encoder->arena);
        free(encoder->slice);
        free(encoder);
    }
}

/* ---------------------------------------------------------------- scalars */

static enum status encoder_refuse(const struct writing *writing, enum error_code code,
                                  const char *why)
{
    return error_set(writing->error, code, writing->field, "field \"%s\": %s", writing->field, why);
}

static bool is_float(const struct value_type *type)
{
    return type != NULL && (type->kind == VALUE_FLOAT64 || type->kind == VALUE_FLOAT32);
}

static void open_tag(struct writing *writing, const char *tag)
{
    buffer_append_string(writing->out, "{\"$");
    buffer_append_string(writing->out, tag);
    buffer_append_string(writing->out, "\":");
}

static void quote(struct writing *writing, const char *text)
{
    buffer_append_byte(writing->out, '"');
    buffer_append_string(writing->out, text);
    buffer_append_byte(writing->out, '"');
}

/* NaN and infinities: words in quotes. `own`: the column's type tells what they are. */
static enum status write_non_finite(struct writing *writing, const char *word, const char *tag,
                                    bool own)
{
    if (writing->encoder->database->rejects_non_finite) {
        return encoder_refuse(writing, ERROR_REJECT_NUMBER,
                              "NaN and infinities are no JSON numbers");
    }
    if (own || !writing->encoder->database->writes_tags) {
        quote(writing, word);
        return STATUS_OK;
    }
    open_tag(writing, tag);
    quote(writing, word);
    buffer_append_byte(writing->out, '}');
    return STATUS_OK;
}

static enum status write_float(struct writing *writing, const struct cell *cell,
                               const struct value_type *type)
{
    char digits[NUMBER_TEXT_MAX];
    bool own = is_float(type);
    bool narrow_column = type != NULL && type->kind == VALUE_FLOAT32;
    bool narrow = cell->kind == VALUE_FLOAT32 && narrow_column;
    if (!isfinite(cell->f64)) {
        return write_non_finite(writing,
                                isnan(cell->f64)  ? "NaN"
                                : cell->f64 > 0.0 ? "Infinity"
                                                  : "-Infinity",
                                "float64", own);
    }
    size_t length = narrow ? number_from_float32((float)cell->f64, digits)
                           : number_from_double(cell->f64, digits);
    if (cell->kind == VALUE_FLOAT64 && narrow_column && writing->encoder->database->writes_tags) {
        open_tag(writing, "float64");
        buffer_append_byte(writing->out, '"');
        buffer_append(writing->out, digits, length);
        buffer_append(writing->out, "\"}", 2);
        return STATUS_OK;
    }
    bool exponent = memchr(digits, 'e', length) != NULL;
    bool point = memchr(digits, '.', length) != NULL;
    buffer_append(writing->out, digits, length);
    if (own && !exponent && !point) {
        buffer_append(writing->out, ".0", 2);
    } else if (!own && !exponent) {
        buffer_append(writing->out, "e0", 2);
    }
    return STATUS_OK;
}

static enum status write_decimal(struct writing *writing, const struct cell *cell,
                                 const struct value_type *type)
{
    bool own = type != NULL && type->kind == VALUE_DECIMAL;
    switch (decimal_special(cell)) {
    case 'N':
        return write_non_finite(writing, "NaN", "decimal", own);
    case '+':
        return write_non_finite(writing, "Infinity", "decimal", own);
    case '-':
        return write_non_finite(writing, "-Infinity", "decimal", own);
    default:
        break;
    }
    bool tag = is_float(type) && writing->encoder->database->writes_tags;
    if (tag) {
        open_tag(writing, "decimal");
        buffer_append_byte(writing->out, '"');
    }
    decimal_append(cell, writing->out);
    if (tag) {
        buffer_append(writing->out, "\"}", 2);
    }
    return STATUS_OK;
}

/* Would a reader of such a column take the text for something else? */
static bool text_needs_tag(const struct cell *cell, const struct value_type *type)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    if (type == NULL) {
        return false;
    }
    switch (type->kind) {
    case VALUE_BYTES:
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
    case VALUE_UUID:
    case VALUE_JSON:
        return true;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_DECIMAL:
        for (size_t at = 0; at < sizeof(words) / sizeof(*words); at++) {
            if (cell->length == strlen(words[at]) &&
                memcmp(cell->text, words[at], cell->length) == 0) {
                return true;
            }
        }
        return false;
    default:
        return false;
    }
}

/* A quoted text or base64, with the tag's object around it where the type does not tell. */
static enum status write_large(struct writing *writing, struct large_value *large)
{
    struct folder_encoder *encoder = writing->encoder;
    uint64_t limit = encoder->database->record_bytes_max;
    if (large->length > limit) {
        return encoder_refuse(writing, ERROR_REJECT_TOO_LARGE,
                              "the value is larger than record_bytes allows");
    }
    if (!buffer_try_reserve(writing->out, 2 * large->length)) {
        return error_set(writing->error, ERROR_MEMORY, NULL, "no memory for a large value");
    }
    if (encoder->slice == NULL) {
        encoder->slice = memory_allocate(SLICE_BYTES);
    }
    buffer_append_byte(writing->out, '"');
    for (uint64_t offset = 0; offset < large->length; offset += SLICE_BYTES) {
        size_t size =
            large->length - offset < SLICE_BYTES ? (size_t)(large->length - offset) : SLICE_BYTES;
        if (large->read(large, offset, encoder->slice, size, writing->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (large->kind == VALUE_BYTES) {
            json_append_base64_part(writing->out, encoder->slice, size);
        } else {
            json_append_string_part(writing->out, (const char *)encoder->slice, size);
        }
    }
    buffer_append_byte(writing->out, '"');
    return STATUS_OK;
}

static void write_text(struct writing *writing, const struct cell *cell,
                       const struct value_type *type)
{
    bool tag = writing->encoder->database->writes_tags && text_needs_tag(cell, type);
    if (tag) {
        open_tag(writing, "text");
    }
    if ((cell->flags & CELL_ASCII) != 0) {
        json_append_plain(writing->out, cell->text, cell->length);
    } else {
        json_append_string(writing->out, cell->text, cell->length);
    }
    if (tag) {
        buffer_append_byte(writing->out, '}');
    }
}

/* Kinds that are texts in JSON: written plainly where the column's type tells what they are. */
static bool begin_told(struct writing *writing, enum value_kind kind, const char *tag,
                       const struct value_type *type)
{
    bool told = (type != NULL && type->kind == kind) || !writing->encoder->database->writes_tags;
    if (!told) {
        open_tag(writing, tag);
    }
    return told;
}

static void write_told(struct writing *writing, const struct cell *cell,
                       const struct value_type *type)
{
    static const char *const tags[VALUE_KIND_COUNT] = {
        [VALUE_BYTES] = "bytes",         [VALUE_DATE] = "date",         [VALUE_TIME] = "time",
        [VALUE_TIMESTAMP] = "timestamp", [VALUE_INTERVAL] = "interval", [VALUE_UUID] = "uuid"};
    enum value_kind kind = (enum value_kind)cell->kind;
    bool told = begin_told(writing, kind, tags[kind], type);
    if (kind == VALUE_BYTES) {
        json_append_base64(writing->out, cell->bytes, cell->length);
    } else {
        buffer_append_byte(writing->out, '"');
        if (kind == VALUE_UUID) {
            value_append_uuid(writing->out, cell->bytes);
        } else {
            time_append(cell, writing->out);
        }
        buffer_append_byte(writing->out, '"');
    }
    if (!told) {
        buffer_append_byte(writing->out, '}');
    }
}

static enum status write_large_value(struct writing *writing, const struct cell *cell,
                                     const struct value_type *type)
{
    const struct cell small = {.kind = (uint8_t)cell->large->kind, .text = ""};
    bool bytes = small.kind == VALUE_BYTES;
    bool tag = writing->encoder->database->writes_tags &&
               (bytes ? type == NULL || type->kind != VALUE_BYTES : text_needs_tag(&small, type));
    if (tag) {
        open_tag(writing, bytes ? "bytes" : "text");
    }
    enum status status = write_large(writing, cell->large);
    if (tag) {
        buffer_append_byte(writing->out, '}');
    }
    return status;
}

/* ---------------------------------------------------------------- JSON in JSON */

/* True for JSON that can stand in a line as it is, and is not taken for a tag or for a text; false
 * with `error` set, too, where there is no memory to look. */
static bool stands_on_a_line(const struct cell *cell, struct arena *scratch, struct error *error)
{
    struct json_reader reader;
    enum json_token token = JSON_TOKEN_END;
    const char *text = cell->text;
    uint32_t length = cell->length;
    if (length == 0 || text[0] == ' ' || text[length - 1] == ' ') {
        return false;
    }
    for (uint32_t at = 0; at < length; at++) {
        if ((uint8_t)text[at] < 0x20) {
            return false;
        }
    }
    if (length == 4 && memcmp(text, "null", 4) == 0) {
        return false;
    }
    json_reader_init(&reader, text, length, JSONL_DEPTH_MAX / 2, scratch);
    bool first = true;
    while (json_reader_next(&reader, &token, error) == STATUS_OK) {
        if (token == JSON_TOKEN_END) {
            return true;
        }
        if (first && token == JSON_TOKEN_KEY && reader.length > 0 && reader.text[0] == '$') {
            return false;
        }
        first = first && token == JSON_TOKEN_OBJECT_BEGIN;
    }
    return false;
}

static enum status write_json(struct writing *writing, const struct cell *cell,
                              const struct value_type *type)
{
    bool tags = writing->encoder->database->writes_tags;
    if ((type != NULL && type->kind == VALUE_JSON) || !tags) {
        struct arena *scratch = arena_create(4096);
        struct error why = {0};
        bool stands = stands_on_a_line(cell, scratch, &why);
        arena_destroy(scratch);
        if (why.code == ERROR_MEMORY) {
            return error_copy(writing->error, &why);
        }
        if (stands) {
            buffer_append(writing->out, cell->text, cell->length);
            return STATUS_OK;
        }
    }
    if (tags) {
        open_tag(writing, "json");
    }
    json_append_string(writing->out, cell->text, cell->length);
    if (tags) {
        buffer_append_byte(writing->out, '}');
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- lists and maps */

static enum status write_items(struct writing *writing, const struct cell *items, uint32_t count)
{
    buffer_append_byte(writing->out, '[');
    for (uint32_t at = 0; at < count; at++) {
        if (at > 0) {
            buffer_append_byte(writing->out, ',');
        }
        if (items[at].kind == VALUE_MISSING) {
            return encoder_refuse(writing, ERROR_REJECT_TYPE,
                                  "a list has a hole: an element is missing");
        }
        if (write_value(writing, &items[at], NULL) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_append_byte(writing->out, ']');
    return STATUS_OK;
}

static enum status write_list(struct writing *writing, const struct cell *cell,
                              const struct value_type *type)
{
    bool set = cell->kind == VALUE_SET;
    bool natural = set ? type != NULL && type->kind == VALUE_SET
                       : type == NULL || (type->kind != VALUE_SET && type->kind != VALUE_JSON);
    bool tag = writing->encoder->database->writes_tags && !natural;
    if (tag) {
        open_tag(writing, set ? "set" : "list");
    }
    enum status status = write_items(writing, cell->items, cell->length);
    if (tag) {
        buffer_append_byte(writing->out, '}');
    }
    return status;
}

/* Two equal keys can't be told apart in an object. */
static bool repeats_key(const struct cell *map, uint32_t number)
{
    const struct cell *key = &map->items[2 * (size_t)number];
    for (uint32_t at = 0; at < number; at++) {
        if (value_equal(&map->items[2 * (size_t)at], key)) {
            return true;
        }
    }
    return false;
}

static bool is_object(const struct cell *map, const struct value_type *type, bool tags)
{
    bool is = type == NULL || type->kind != VALUE_JSON || !tags;
    for (uint32_t at = 0; at < map->length && is; at++) {
        const struct cell *key = &map->items[2 * (size_t)at];
        is = key->kind == VALUE_TEXT && !(tags && key->length > 0 && key->text[0] == '$') &&
             !(map->length <= 64 && repeats_key(map, at));
    }
    return is;
}

/* The members of an object; fields that are missing are left out. `types`: of a record's columns.
 */
static enum status write_members(struct writing *writing, const struct cell *map,
                                 const struct target_table *types)
{
    const char *outer = writing->field;
    uint32_t guess = 0;
    bool first = true;
    buffer_append_byte(writing->out, '{');
    for (uint32_t at = 0; at < map->length; at++) {
        const struct cell *key = &map->items[2 * (size_t)at];
        if (key[1].kind == VALUE_MISSING) {
            continue;
        }
        if (!first) {
            buffer_append_byte(writing->out, ',');
        }
        first = false;
        json_append_string(writing->out, key->text, key->length);
        buffer_append_byte(writing->out, ':');
        if (write_value(writing, &key[1],
                        types != NULL ? find_type(types, key->text, key->length, &guess) : NULL) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_append_byte(writing->out, '}');
    writing->field = outer;
    return STATUS_OK;
}

static enum status write_map(struct writing *writing, const struct cell *map,
                             const struct value_type *type)
{
    bool tags = writing->encoder->database->writes_tags;
    if (is_object(map, type, tags)) {
        return write_members(writing, map, NULL);
    }
    if (tags) {
        open_tag(writing, "map");
    }
    buffer_append_byte(writing->out, '[');
    for (uint32_t at = 0; at < map->length; at++) {
        buffer_append_string(writing->out, at > 0 ? "," : "");
        if (write_items(writing, &map->items[2 * (size_t)at], 2) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_append_string(writing->out, tags ? "]}" : "]");
    return STATUS_OK;
}

/* ---------------------------------------------------------------- values */

static enum status write_nested(struct writing *writing, const struct cell *cell,
                                const struct value_type *type)
{
    /* a tag and its list are two levels, and a map's pairs one more */
    writing->depth += cell->kind == VALUE_LIST ? 1 : 3;
    if (writing->depth > JSONL_DEPTH_MAX) {
        return encoder_refuse(writing, ERROR_REJECT_TOO_DEEP, "it is nested too deep");
    }
    enum status status =
        cell->kind == VALUE_MAP ? write_map(writing, cell, type) : write_list(writing, cell, type);
    writing->depth -= cell->kind == VALUE_LIST ? 1 : 3;
    return status;
}

/* In a column of JSON texts a number would be taken for one of them. */
static enum status write_plain(struct writing *writing, const struct cell *cell)
{
    open_tag(writing, "value");
    enum status status = write_value(writing, cell, NULL);
    buffer_append_byte(writing->out, '}');
    return status;
}

static enum status write_value(struct writing *writing, const struct cell *cell,
                               const struct value_type *type)
{
    bool plain = cell->kind >= VALUE_BOOL && cell->kind <= VALUE_DECIMAL;
    if (plain && type != NULL && type->kind == VALUE_JSON &&
        writing->encoder->database->writes_tags) {
        return write_plain(writing, cell);
    }
    bool run = cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES || cell->kind == VALUE_JSON;
    if (run && cell->length > MEMORY_DATA_BYTES &&
        !buffer_try_reserve(writing->out, 2 * (size_t)cell->length)) {
        return error_set(writing->error, ERROR_MEMORY, NULL, "no memory for a value of %u bytes",
                         cell->length);
    }
    switch ((enum value_kind)cell->kind) {
    case VALUE_NULL:
        buffer_append(writing->out, "null", 4);
        return STATUS_OK;
    case VALUE_BOOL:
        buffer_append_string(writing->out, cell->i64 != 0 ? "true" : "false");
        return STATUS_OK;
    case VALUE_INT64:
        buffer_append_int64(writing->out, cell->i64);
        return STATUS_OK;
    case VALUE_UINT64:
        buffer_append_uint64(writing->out, cell->u64);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return write_float(writing, cell, type);
    case VALUE_DECIMAL:
        return write_decimal(writing, cell, type);
    case VALUE_TEXT:
        write_text(writing, cell, type);
        return STATUS_OK;
    case VALUE_BYTES:
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
    case VALUE_UUID:
        write_told(writing, cell, type);
        return STATUS_OK;
    case VALUE_JSON:
        return write_json(writing, cell, type);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return write_nested(writing, cell, type);
    case VALUE_LARGE:
        return write_large_value(writing, cell, type);
    case VALUE_ESCAPE:
        return encoder_refuse(
            writing, (cell->flags & CELL_ESCAPED_TEXT) != 0 ? ERROR_REJECT_TEXT : ERROR_REJECT_TYPE,
            (cell->flags & CELL_ESCAPED_TEXT) != 0
                ? "it is not UTF-8"
                : "only the database that it comes from understands its bytes");
    case VALUE_MISSING:
    case VALUE_KIND_COUNT:
        break;
    }
    return encoder_refuse(writing, ERROR_REJECT_TYPE, "it is no value");
}

/* ---------------------------------------------------------------- records */

static enum status write_record(struct writing *writing, const struct cell *cells)
{
    const struct folder_encoder *encoder = writing->encoder;
    const struct shape *shape = encoder->shape;
    char separator = '{';
    if (shape == NULL) {
        if (cells->kind != VALUE_MAP || !is_object(cells, NULL, false)) {
            return encoder_refuse(writing, ERROR_REJECT_TYPE,
                                  "a record needs fields with names, each once");
        }
        return write_members(writing, cells, encoder->table);
    }
    for (uint32_t at = 0; at < shape->field_count; at++) {
        if (cells[at].kind == VALUE_MISSING) {
            continue;
        }
        buffer_append_byte(writing->out, separator);
        separator = ',';
        buffer_append(writing->out, encoder->fields[at].prefix, encoder->fields[at].prefix_length);
        writing->field = shape->fields[at].name;
        if (write_value(writing, &cells[at], encoder->fields[at].type) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (separator == '{') {
        buffer_append_byte(writing->out, '{');
    }
    buffer_append_byte(writing->out, '}');
    return STATUS_OK;
}

enum status jsonl_encoder_append(struct folder_encoder *encoder, const struct cell *cells,
                                 struct buffer *out, struct error *error)
{
    size_t start = out->length;
    struct writing writing = {
        .encoder = encoder, .out = out, .field = "(record)", .depth = 1, .error = error};
    enum status status = write_record(&writing, cells);
    if (status == STATUS_OK && out->length - start > encoder->database->record_bytes_max) {
        status =
            error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                      "the record takes %zu bytes, record_bytes allows %llu", out->length - start,
                      (unsigned long long)encoder->database->record_bytes_max);
    }
    if (status != STATUS_OK) {
        out->length = start;
        return STATUS_FAILED;
    }
    buffer_append_byte(out, '\n');
    return STATUS_OK;
}

/* ---------------------------------------------------------------- normal form */

static bool small_whole(const struct cell *cell, struct cell *normal)
{
    int64_t whole = 0;
    uint64_t large = 0;
    if (decimal_special(cell) != 0 || decimal_scale(cell) != 0) {
        return false;
    }
    if (decimal_to_int64(cell, &whole) == STATUS_OK) {
        *normal = cell_int64(whole);
        return true;
    }
    if (decimal_to_uint64(cell, &large) == STATUS_OK) {
        *normal = cell_uint64(large);
        return true;
    }
    return false;
}

/* Whole numbers are of one kind, and so are floats; all else comes back as it was. */
enum status jsonl_normal_form(struct folder *folder, const struct cell *cell, struct arena *arena,
                              struct cell *normal, struct error *error)
{
    *normal = *cell;
    if (cell->kind == VALUE_UINT64 && cell->u64 <= INT64_MAX) {
        *normal = cell_int64(cell->i64);
    } else if (cell->kind == VALUE_FLOAT32) {
        normal->kind = VALUE_FLOAT64;
    } else if (cell->kind == VALUE_DECIMAL) {
        (void)small_whole(cell, normal);
    } else if (cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP) {
        size_t count = cell->kind == VALUE_MAP ? 2 * (size_t)cell->length : cell->length;
        struct cell *items = arena_allocate_zeroed(arena, count + 1, sizeof(*items));
        for (size_t at = 0; at < count; at++) {
            (void)jsonl_normal_form(folder, &cell->items[at], arena, &items[at], error);
        }
        normal->items = items;
    }
    return STATUS_OK;
}
