/* Cells to DynamoDB's typed attributes: the hot path of every writer that speaks DynamoDB JSON. */
#include "connectors/dynamodb/item.h"

#include "base/memory.h"
#include "base/text.h"
#include "connectors/dynamodb/item_text.h"
#include "connectors/dynamodb/limits.h"
#include "model/json_writer.h"
#include "model/number_text.h"
#include "model/time_text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * No item within DYNAMODB_ITEM_BYTES_MAX is longer than this as JSON: a byte of a text becomes six
 * at most, an empty text in a list (1 byte) nine.
 */
enum { ENCODED_BYTES_MAX = 8 * 1024 * 1024 };
enum { PREFIX_SHORT = 32, TAIL_ROOM = 64, QUADRATIC_MAX = 16 };

/* A field with its bytes made once: `"Name":{"S":"` in `prefix`, the letter 4 from its end. */
struct field {
    const char *text_prefix; /* at least PREFIX_SHORT readable bytes */
    const char *number_prefix;
    uint32_t prefix_length;
    const char *name;
    const struct dynamodb_key *key; /* NULL: in no key */
};

struct dynamodb_encoder {
    const struct shape *shape;
    const struct dynamodb_key *keys;
    uint32_t key_count;
    const struct dynamodb_key *absent_key; /* required, and the shape has no such field */
    struct arena *arena;
    struct field *fields;
};

static enum status append_value(const struct cell *cell, const char *attribute, uint32_t depth,
                                struct buffer *out, struct error *error) MUST_USE;

static enum status reject(struct error *error, enum error_code code, const char *attribute,
                          const char *reason)
{
    char shown[128];
    text_printable(attribute, strlen(attribute), shown, sizeof(shown));
    return error_set(error, code, shown, "attribute %s: %s", shown, reason);
}

/* ---------------------------------------------------------------- texts */

static void append_literal(struct buffer *out, const char *literal)
{
    buffer_append(out, literal, strlen(literal));
}

/* A quoted JSON string of checked UTF-8. */
static enum status append_string(const char *text, size_t length, const char *attribute,
                                 struct buffer *out, struct error *error)
{
    if (length > DYNAMODB_ITEM_BYTES_MAX) {
        return reject(error, ERROR_REJECT_TOO_LARGE, attribute,
                      "the value alone exceeds DynamoDB's 400 KB for an item");
    }
    buffer_reserve(out, length + TAIL_ROOM);
    char *place = out->data + out->length;
    *place = '"';
    if (dynamodb_text_copy_plain(place + 1, text, length)) {
        place[length + 1] = '"';
        out->length += length + 2;
        return STATUS_OK;
    }
    if (!text_is_utf8(text, length)) {
        return reject(error, ERROR_REJECT_TEXT, attribute, "the text is not valid UTF-8");
    }
    json_append_string(out, text, length);
    return STATUS_OK;
}

/* The text between the quotes of an S: kinds that have a text form. */
static enum status append_text_form(const struct cell *cell, const char *attribute,
                                    struct buffer *out, struct error *error)
{
    switch (cell->kind) {
    case VALUE_TEXT:
    case VALUE_JSON:
        return append_string(cell->text, cell->length, attribute, out, error);
    case VALUE_UUID:
        buffer_append_byte(out, '"');
        value_append_uuid(out, cell->bytes);
        buffer_append_byte(out, '"');
        return STATUS_OK;
    default:
        buffer_append_byte(out, '"');
        time_append(cell, out);
        buffer_append_byte(out, '"');
        return STATUS_OK;
    }
}

/* A value without its type: the JSON string of an S, N or B. */
static enum status append_scalar(const struct cell *cell, char letter, const char *attribute,
                                 struct buffer *out, struct error *error)
{
    enum status status = STATUS_OK;
    if (letter == 'S') {
        return append_text_form(cell, attribute, out, error);
    }
    if (letter == 'B') {
        if (cell->length > DYNAMODB_ITEM_BYTES_MAX) {
            return reject(error, ERROR_REJECT_TOO_LARGE, attribute,
                          "the value alone exceeds DynamoDB's 400 KB for an item");
        }
        json_append_base64(out, cell->bytes, cell->length);
        return STATUS_OK;
    }
    buffer_append_byte(out, '"');
    status = dynamodb_number_append(cell, attribute, out, error);
    buffer_append_byte(out, '"');
    return status;
}

/* ---------------------------------------------------------------- sets, lists, maps */

struct piece {
    const char *bytes;
    size_t length;
};

static int compare_pieces(const void *left, const void *right)
{
    const struct piece *one = (const struct piece *)left;
    const struct piece *two = (const struct piece *)right;
    if (one->length != two->length) {
        return one->length < two->length ? -1 : 1;
    }
    return memcmp(one->bytes, two->bytes, one->length);
}

static bool has_equal_pieces(struct piece *pieces, size_t count)
{
    qsort(pieces, count, sizeof(*pieces), compare_pieces);
    for (size_t at = 1; at < count; at++) {
        if (compare_pieces(&pieces[at - 1], &pieces[at]) == 0) {
            return true;
        }
    }
    return false;
}

/* Elements already encoded are compared: equal values have equal digits, escapes and base64. */
static enum status append_set_elements(const struct cell *cell, char letter, const char *attribute,
                                       struct buffer *out, struct error *error)
{
    size_t *ends = calloc((size_t)cell->length + 1, sizeof(*ends));
    struct piece *pieces = calloc(cell->length, sizeof(*pieces));
    enum status status = STATUS_OK;
    if (ends == NULL || pieces == NULL) {
        status = error_set(error, ERROR_MEMORY, NULL, "no memory for an item");
        goto out;
    }
    ends[0] = out->length;
    for (uint32_t at = 0; at < cell->length && status == STATUS_OK; at++) {
        if (dynamodb_item_letter((enum value_kind)cell->items[at].kind) != letter) {
            status = reject(error, ERROR_REJECT_TYPE, attribute,
                            "a set holds texts, numbers or bytes, all of one type");
            break;
        }
        status = append_scalar(&cell->items[at], letter, attribute, out, error);
        buffer_append_byte(out, ',');
        ends[at + 1] = out->length;
        if (status == STATUS_OK && out->length - ends[0] > ENCODED_BYTES_MAX) {
            status = reject(error, ERROR_REJECT_TOO_LARGE, attribute,
                            "the set exceeds DynamoDB's 400 KB for an item");
        }
    }
    for (uint32_t at = 0; at < cell->length && status == STATUS_OK; at++) {
        pieces[at] = (struct piece){out->data + ends[at], ends[at + 1] - ends[at]};
    }
    if (status == STATUS_OK && has_equal_pieces(pieces, cell->length)) {
        status = reject(error, ERROR_REJECT_TYPE, attribute, "the set holds a value twice");
    }
out:
    free(ends);
    free(pieces);
    return status;
}

static enum status append_set(const struct cell *cell, const char *attribute, struct buffer *out,
                              struct error *error)
{
    if (cell->length == 0) {
        return reject(error, ERROR_REJECT_TYPE, attribute, "DynamoDB has no empty sets");
    }
    char letter = dynamodb_item_letter((enum value_kind)cell->items[0].kind);
    if (letter == 0) {
        return reject(error, ERROR_REJECT_TYPE, attribute,
                      "a set holds texts, numbers or bytes, all of one type");
    }
    const char opening[] = {'{', '"', letter, 'S', '"', ':', '['};
    buffer_append(out, opening, sizeof(opening));
    enum status status = append_set_elements(cell, letter, attribute, out, error);
    if (status == STATUS_OK) {
        out->length--;
        append_literal(out, "]}");
    }
    return status;
}

static enum status append_list(const struct cell *cell, const char *attribute, uint32_t depth,
                               struct buffer *out, struct error *error)
{
    size_t start = out->length;
    append_literal(out, "{\"L\":[");
    for (uint32_t at = 0; at < cell->length; at++) {
        if (at > 0) {
            buffer_append_byte(out, ',');
        }
        if (append_value(&cell->items[at], attribute, depth + 1, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (out->length - start > ENCODED_BYTES_MAX) {
            return reject(error, ERROR_REJECT_TOO_LARGE, attribute,
                          "the list exceeds DynamoDB's 400 KB for an item");
        }
    }
    append_literal(out, "]}");
    return STATUS_OK;
}

static bool has_equal_keys(const struct cell *map)
{
    if (map->length <= QUADRATIC_MAX) {
        for (size_t at = 1; at < map->length; at++) {
            for (size_t before = 0; before < at; before++) {
                const struct cell *one = &map->items[2 * before];
                const struct cell *two = &map->items[2 * at];
                if (one->length == two->length && memcmp(one->text, two->text, one->length) == 0) {
                    return true;
                }
            }
        }
        return false;
    }
    struct piece *pieces = calloc(map->length, sizeof(*pieces));
    if (pieces == NULL) {
        return true; /* refused rather than not checked */
    }
    for (size_t at = 0; at < map->length; at++) {
        pieces[at] = (struct piece){map->items[2 * at].text, map->items[2 * at].length};
    }
    bool equal = has_equal_pieces(pieces, map->length);
    free(pieces);
    return equal;
}

static enum status check_map_keys(const struct cell *map, const char *attribute,
                                  struct error *error)
{
    for (size_t at = 0; at < map->length; at++) {
        const struct cell *key = &map->items[2 * at];
        if (key->kind != VALUE_TEXT) {
            return reject(error, ERROR_REJECT_TYPE, attribute, "a map's keys must be texts");
        }
        if (key->length == 0 || key->length > DYNAMODB_NAME_BYTES_MAX) {
            return reject(error, ERROR_REJECT_TYPE, attribute,
                          "an attribute's name is 1 to 65,535 bytes long");
        }
    }
    if (has_equal_keys(map)) {
        return reject(error, ERROR_REJECT_TYPE, attribute, "a name stands twice in one map");
    }
    return STATUS_OK;
}

/* The pairs of a map between its braces; `attribute` NULL: an item, each pair names itself in
 * errors. */
static enum status append_pairs(const struct cell *map, const char *attribute, uint32_t depth,
                                struct buffer *out, struct error *error)
{
    size_t start = out->length;
    char named[128];
    buffer_append_byte(out, '{');
    for (size_t at = 0; at < map->length; at++) {
        const struct cell *key = &map->items[2 * at];
        const struct cell *value = &map->items[2 * at + 1];
        if (value->kind == VALUE_MISSING) {
            continue;
        }
        if (attribute == NULL) {
            text_printable(key->text, key->length, named, sizeof(named));
        }
        const char *name = attribute != NULL ? attribute : named;
        if (append_string(key->text, key->length, name, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_byte(out, ':');
        if (append_value(value, name, depth + 1, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_byte(out, ',');
        if (out->length - start > ENCODED_BYTES_MAX) {
            return reject(error, ERROR_REJECT_TOO_LARGE, name,
                          "the map exceeds DynamoDB's 400 KB for an item");
        }
    }
    if (out->length > start + 1) {
        out->length--;
    }
    buffer_append_byte(out, '}');
    return STATUS_OK;
}

static enum status append_map(const struct cell *cell, const char *attribute, uint32_t depth,
                              struct buffer *out, struct error *error)
{
    if (check_map_keys(cell, attribute, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    append_literal(out, "{\"M\":");
    enum status status = append_pairs(cell, attribute, depth, out, error);
    buffer_append_byte(out, '}');
    return status;
}

/* ---------------------------------------------------------------- any value */

static enum status append_large(const struct cell *cell, const char *attribute, struct buffer *out,
                                struct error *error)
{
    struct large_value *large = cell->large;
    if (large->length > DYNAMODB_ITEM_BYTES_MAX) {
        return reject(error, ERROR_REJECT_TOO_LARGE, attribute,
                      "the value alone exceeds DynamoDB's 400 KB for an item");
    }
    char *bytes = memory_allocate(large->length + 1);
    enum status status = large->read(large, 0, bytes, large->length, error);
    if (status == STATUS_OK) {
        struct cell whole = large->kind == VALUE_BYTES ? cell_bytes(bytes, large->length)
                                                       : cell_text(bytes, large->length);
        status = append_value(&whole, attribute, 1, out, error);
    }
    free(bytes);
    return status;
}

static enum status reject_escape(const struct cell *cell, const char *attribute,
                                 struct error *error)
{
    if ((cell->flags & CELL_ESCAPED_TEXT) != 0) {
        return reject(error, ERROR_REJECT_TEXT, attribute, "the text is not valid UTF-8");
    }
    return reject(error, ERROR_REJECT_UNREADABLE, attribute,
                  "the source's value has no form outside its own engine");
}

static enum status append_value(const struct cell *cell, const char *attribute, uint32_t depth,
                                struct buffer *out, struct error *error)
{
    bool nested = cell->kind == VALUE_LIST || cell->kind == VALUE_MAP;
    if (nested && depth > DYNAMODB_NESTING_MAX) {
        return reject(error, ERROR_REJECT_TOO_DEEP, attribute,
                      "lists and maps nest deeper than DynamoDB's 32 levels");
    }
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
        return reject(error, ERROR_REJECT_TYPE, attribute, "a list holds a missing value");
    case VALUE_NULL:
        append_literal(out, "{\"NULL\":true}");
        return STATUS_OK;
    case VALUE_BOOL:
        append_literal(out, cell->i64 != 0 ? "{\"BOOL\":true}" : "{\"BOOL\":false}");
        return STATUS_OK;
    case VALUE_LIST:
        return append_list(cell, attribute, depth, out, error);
    case VALUE_SET:
        return append_set(cell, attribute, out, error);
    case VALUE_MAP:
        return append_map(cell, attribute, depth, out, error);
    case VALUE_LARGE:
        return append_large(cell, attribute, out, error);
    case VALUE_ESCAPE:
        return reject_escape(cell, attribute, error);
    default:
        break;
    }
    const char letter = dynamodb_item_letter((enum value_kind)cell->kind);
    const char opening[] = {'{', '"', letter, '"', ':'};
    buffer_append(out, opening, sizeof(opening));
    enum status status = append_scalar(cell, letter, attribute, out, error);
    buffer_append_byte(out, '}');
    return status;
}

enum status dynamodb_item_append_value(const struct cell *cell, const char *attribute,
                                       struct buffer *out, struct error *error)
{
    size_t start = out->length;
    enum status status = append_value(cell, attribute, 1, out, error);
    if (status != STATUS_OK) {
        out->length = start;
    }
    return status;
}

/* ---------------------------------------------------------------- keys */

static enum status check_key(const struct dynamodb_key *key, const struct cell *cell,
                             struct error *error)
{
    const char *where = key->required ? "the table's key" : "an index's key";
    char reason[160];
    if (cell == NULL || cell->kind == VALUE_MISSING) {
        return key->required ? reject(error, ERROR_REJECT_KEY_NULL, key->name,
                                      "it is in the table's key and missing")
                             : STATUS_OK;
    }
    uint64_t length = cell->kind == VALUE_LARGE ? cell->large->length : cell->length;
    enum value_kind kind =
        cell->kind == VALUE_LARGE ? cell->large->kind : (enum value_kind)cell->kind;
    if (kind == VALUE_NULL) {
        snprintf(reason, sizeof(reason), "it is in %s and null", where);
        return reject(error, ERROR_REJECT_KEY_NULL, key->name, reason);
    }
    if (kind == VALUE_ESCAPE) {
        return reject_escape(cell, key->name, error);
    }
    if (dynamodb_item_letter(kind) != key->letter) {
        snprintf(reason, sizeof(reason), "it is in %s as %s, and this value is a %s", where,
                 key->letter == 'S'   ? "text"
                 : key->letter == 'N' ? "a number"
                                      : "bytes",
                 value_kind_name(kind));
        return reject(error, ERROR_REJECT_TYPE, key->name, reason);
    }
    if (kind != VALUE_TEXT && kind != VALUE_BYTES && kind != VALUE_JSON) {
        return STATUS_OK;
    }
    if (length == 0) {
        snprintf(reason, sizeof(reason), "it is in %s and empty", where);
        return reject(error, ERROR_REJECT_KEY_NULL, key->name, reason);
    }
    if (length > key->bytes_max) {
        snprintf(reason, sizeof(reason), "it is in %s and has %llu bytes; DynamoDB allows %u",
                 where, (unsigned long long)length, key->bytes_max);
        return reject(error, ERROR_REJECT_KEY_TOO_LONG, key->name, reason);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the encoder */

static const char *make_prefix(struct arena *arena, const struct shape_field *shape_field,
                               char letter, uint32_t *length)
{
    struct buffer text = {0};
    json_append_string(&text, shape_field->name, shape_field->name_length);
    append_literal(&text, ":{\"");
    buffer_append_byte(&text, letter);
    append_literal(&text, "\":\"");
    *length = (uint32_t)text.length;
    char *prefix = arena_allocate_zeroed(arena, text.length + PREFIX_SHORT, 1);
    memcpy(prefix, text.data, text.length);
    buffer_free(&text);
    return prefix;
}

static const struct dynamodb_key *find_key(const struct dynamodb_encoder *encoder,
                                           const struct shape_field *shape_field)
{
    for (uint32_t at = 0; at < encoder->key_count; at++) {
        const struct dynamodb_key *key = &encoder->keys[at];
        if (key->name_length == shape_field->name_length &&
            memcmp(key->name, shape_field->name, key->name_length) == 0) {
            return key;
        }
    }
    return NULL;
}

static void make_fields(struct dynamodb_encoder *encoder)
{
    const struct shape *shape = encoder->shape;
    encoder->fields =
        arena_allocate_zeroed(encoder->arena, shape->field_count + 1, sizeof(*encoder->fields));
    for (uint32_t at = 0; at < shape->field_count; at++) {
        struct field *field = &encoder->fields[at];
        const struct shape_field *from = &shape->fields[at];
        field->text_prefix = make_prefix(encoder->arena, from, 'S', &field->prefix_length);
        field->number_prefix = make_prefix(encoder->arena, from, 'N', &field->prefix_length);
        field->name = arena_copy(encoder->arena, from->name, from->name_length);
        field->key = find_key(encoder, from);
    }
    for (uint32_t at = 0; at < encoder->key_count; at++) {
        bool found = false;
        for (uint32_t field = 0; field < shape->field_count && !found; field++) {
            found = encoder->fields[field].key == &encoder->keys[at];
        }
        if (!found && encoder->keys[at].required && encoder->absent_key == NULL) {
            encoder->absent_key = &encoder->keys[at];
        }
    }
}

struct dynamodb_encoder *dynamodb_encoder_create(const struct shape *shape,
                                                 const struct dynamodb_key *keys,
                                                 uint32_t key_count)
{
    struct dynamodb_encoder *made = memory_allocate_zeroed(1, sizeof(*made));
    made->shape = shape;
    made->keys = keys;
    made->key_count = key_count;
    made->arena = arena_create(0);
    if (shape != NULL) {
        make_fields(made);
    }
    return made;
}

void dynamodb_encoder_destroy(struct dynamodb_encoder *encoder)
{
    if (encoder != NULL) {
        arena_destroy(encoder->arena);
        free(encoder);
    }
}

/* Room for PREFIX_SHORT bytes more than the prefix must be there. */
static inline char *put_prefix(char *place, const char *prefix, uint32_t length)
{
    memcpy(place, prefix, PREFIX_SHORT);
    if (length > PREFIX_SHORT) {
        memcpy(place + PREFIX_SHORT, prefix + PREFIX_SHORT, length - PREFIX_SHORT);
    }
    return place + length;
}

static inline char *put_end(char *place)
{
    memcpy(place, "\"},", 3);
    return place + 3;
}

/* Any value of any kind: `"Name":` and the typed value. */
static enum status append_field_slowly(const struct field *field, const struct cell *cell,
                                       struct buffer *out, struct error *error)
{
    buffer_append(out, field->text_prefix, field->prefix_length - 6); /* without `{"S":"` */
    if (append_value(cell, field->name, 1, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_byte(out, ',');
    return STATUS_OK;
}

/* `"Name":{"S":"value"},`; kinds that are common and simple are written without a detour. */
static inline enum status append_field(const struct field *field, const struct cell *cell,
                                       struct buffer *out, struct error *error)
{
    uint32_t text_length = cell->kind == VALUE_TEXT ? cell->length : 0;
    if (text_length <= DYNAMODB_ITEM_BYTES_MAX) {
        buffer_reserve(out, (size_t)field->prefix_length + text_length + TAIL_ROOM);
        char *place = out->data + out->length;
        if (cell->kind == VALUE_TEXT) {
            place = put_prefix(place, field->text_prefix, field->prefix_length);
            if (dynamodb_text_copy_plain(place, cell->text, text_length)) {
                out->length = (size_t)(put_end(place + text_length) - out->data);
                return STATUS_OK;
            }
        } else if (cell->kind == VALUE_INT64) {
            place = put_prefix(place, field->number_prefix, field->prefix_length);
            place += number_from_int64(cell->i64, place);
            out->length = (size_t)(put_end(place) - out->data);
            return STATUS_OK;
        }
    }
    return append_field_slowly(field, cell, out, error);
}

static enum status append_shaped(struct dynamodb_encoder *encoder, const struct cell *cells,
                                 struct buffer *out, struct error *error)
{
    uint32_t count = encoder->shape->field_count;
    if (encoder->absent_key != NULL) {
        return check_key(encoder->absent_key, NULL, error);
    }
    buffer_append_byte(out, '{');
    for (uint32_t at = 0; at < count; at++) {
        const struct field *field = &encoder->fields[at];
        const struct cell *cell = &cells[at];
        if (field->key != NULL && check_key(field->key, cell, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (cell->kind != VALUE_MISSING && append_field(field, cell, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (out->data[out->length - 1] == ',') {
        out->length--;
    }
    buffer_append_byte(out, '}');
    return STATUS_OK;
}

static enum status append_document(struct dynamodb_encoder *encoder, const struct cell *map,
                                   struct buffer *out, struct error *error)
{
    if (map->kind == VALUE_ESCAPE) {
        return reject_escape(map, "(whole record)", error);
    }
    if (map->kind != VALUE_MAP) {
        return reject(error, ERROR_REJECT_TYPE, "(whole record)", "a record must be a map");
    }
    if (check_map_keys(map, "(whole record)", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < encoder->key_count; at++) {
        const struct dynamodb_key *key = &encoder->keys[at];
        const struct cell *found = NULL;
        for (size_t pair = 0; pair < map->length && found == NULL; pair++) {
            const struct cell *name = &map->items[2 * pair];
            if (name->length == key->name_length &&
                memcmp(name->text, key->name, key->name_length) == 0) {
                found = &map->items[2 * pair + 1];
            }
        }
        if (check_key(key, found, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return append_pairs(map, NULL, 0, out, error);
}

enum status dynamodb_encoder_append(struct dynamodb_encoder *encoder, const struct cell *cells,
                                    struct buffer *out, struct error *error)
{
    size_t start = out->length;
    enum status status = encoder->shape != NULL ? append_shaped(encoder, cells, out, error)
                                                : append_document(encoder, cells, out, error);
    /* The counted size is never more than what is written here. */
    if (status == STATUS_OK && out->length - start > DYNAMODB_ITEM_BYTES_MAX) {
        uint64_t size = dynamodb_limits_item_size_least(encoder->shape, cells);
        if (size > DYNAMODB_ITEM_BYTES_MAX) {
            status = error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                               "the item has at least %llu bytes; DynamoDB allows 409,600",
                               (unsigned long long)size);
        }
    }
    if (status != STATUS_OK) {
        out->length = start;
    }
    return status;
}
