/* Records as documents, and as what an update command takes. */
#include "connectors/mongodb/mongodb.h"

#include "base/memory.h"
#include "base/text.h"
#include "model/convert.h"
#include <stdlib.h>

/* ---------------------------------------------------------------- encoders */

struct mongodb_encoder {
    int32_t id_field; /* the field _id of the shape; -1: it has none */
    bool odd_names;   /* one of its fields can't be named in $set */
    char *heads;      /* of its elements, one behind the other; NULL: not made */
};

/* Is it a name that $set would take for a path or an operator? */
static bool is_odd(const char *name, size_t length)
{
    return length == 0 || name[0] == '$' || memchr(name, '.', length) != NULL;
}

static struct mongodb_encoder encoder_of(const struct shape *shape)
{
    struct mongodb_encoder made = {.id_field = -1};
    for (uint32_t at = 0; at < shape->field_count; at++) {
        const struct shape_field *field = &shape->fields[at];
        made.odd_names = made.odd_names || is_odd(field->name, field->name_length);
        made.id_field = strcmp(field->name, MONGODB_ID) == 0 ? (int32_t)at : made.id_field;
    }
    return made;
}

static char *make_heads(const struct shape *shape)
{
    struct buffer heads = {0};
    for (uint32_t at = 0; at < shape->field_count; at++) {
        mongodb_write_head(&heads, 0, shape->fields[at].name, shape->fields[at].name_length);
    }
    return heads.data;
}

struct mongodb_encoder *mongodb_encoder_create(const struct shape *shape)
{
    struct mongodb_encoder *made = memory_allocate(sizeof(*made));
    *made = shape != NULL ? encoder_of(shape) : (struct mongodb_encoder){.id_field = -1};
    if (shape != NULL) {
        made->heads = make_heads(shape);
    }
    return made;
}

void mongodb_encoder_destroy(void *made)
{
    struct mongodb_encoder *encoder = made;
    if (encoder != NULL) {
        free(encoder->heads);
    }
    free(encoder);
}

/* ---------------------------------------------------------------- fields */

/* A record while it is encoded. */
struct encoding {
    const struct keyed_record *record;
    struct mongodb_encoder encoder;
    uint32_t count;
    struct buffer *out;
};

static struct encoding encoding_of(const struct keyed_record *record, struct buffer *out)
{
    const struct mongodb_encoder *known = record->encoder;
    struct encoding made = {.record = record, .encoder = {.id_field = -1}, .out = out};
    made.count = record->shape != NULL ? record->shape->field_count : record->cells->length;
    if (record->shape != NULL) {
        made.encoder = known != NULL ? *known : encoder_of(record->shape);
        return made;
    }
    for (uint32_t at = 0; at < made.count; at++) {
        const struct cell *name = &record->cells->items[2 * (size_t)at];
        bool is_id = name->length == strlen(MONGODB_ID) &&
                     memcmp(name->text, MONGODB_ID, strlen(MONGODB_ID)) == 0;
        made.encoder.id_field = is_id ? (int32_t)at : made.encoder.id_field;
        made.encoder.odd_names = made.encoder.odd_names || is_odd(name->text, name->length);
    }
    return made;
}

static struct text name_at(const struct encoding *encoding, uint32_t at)
{
    const struct shape *shape = encoding->record->shape;
    if (shape != NULL) {
        return (struct text){shape->fields[at].name, shape->fields[at].name_length};
    }
    const struct cell *name = &encoding->record->cells->items[2 * (size_t)at];
    return (struct text){name->text, name->length};
}

static const struct cell *value_at(const struct encoding *encoding, uint32_t at)
{
    return encoding->record->shape != NULL ? &encoding->record->cells[at]
                                           : &encoding->record->cells->items[2 * (size_t)at + 1];
}

static enum status encode_explain(const struct encoding *encoding, uint32_t at, struct error *error)
{
    char shown[80];
    struct text name = name_at(encoding, at);
    text_printable(name.data, name.length, shown, sizeof(shown));
    error_name_object(error, shown);
    return error_context(error, "%s: ", shown);
}

/* All fields of a shape but _id, whose heads are ready. */
static enum status append_shape(const struct encoding *encoding, struct error *error)
{
    const struct keyed_record *record = encoding->record;
    const char *head = encoding->encoder.heads;
    for (uint32_t at = 0; at < encoding->count; at++) {
        const struct cell *cell = &record->cells[at];
        size_t length = (size_t)record->shape->fields[at].name_length + 2;
        if (cell->kind != VALUE_MISSING && (int32_t)at != encoding->encoder.id_field &&
            mongodb_write_field(encoding->out, head, length, cell, MONGODB_DEPTH_MAX - 1, error) !=
                STATUS_OK) {
            return encode_explain(encoding, at, error);
        }
        head += length;
    }
    return STATUS_OK;
}

/* All fields but _id. */
static enum status append_fields(const struct encoding *encoding, struct error *error)
{
    if (encoding->record->shape != NULL && encoding->encoder.heads != NULL) {
        return append_shape(encoding, error);
    }
    bool document = encoding->record->shape == NULL;
    for (uint32_t at = 0; at < encoding->count; at++) {
        struct text name = name_at(encoding, at);
        if ((int32_t)at == encoding->encoder.id_field) {
            continue;
        }
        if ((document && mongodb_check_name(name.data, name.length, error) != STATUS_OK) ||
            mongodb_write_cell(encoding->out, name.data, name.length, value_at(encoding, at),
                               MONGODB_DEPTH_MAX - 1, error) != STATUS_OK) {
            return encode_explain(encoding, at, error);
        }
    }
    return STATUS_OK;
}

static enum status check_size(size_t length, struct error *error)
{
    return length <= MONGODB_DOCUMENT_BYTES_MAX
               ? STATUS_OK
               : convert_refuse_large(length, MONGODB_DOCUMENT_BYTES_MAX, error);
}

static enum status append_document(const struct encoding *encoding, struct error *error)
{
    const struct keyed_record *record = encoding->record;
    size_t begin = mongodb_write_begin(encoding->out);
    enum status status = mongodb_key_append(record->table->key, record->key, encoding->out, error);
    status = status == STATUS_OK ? append_fields(encoding, error) : status;
    mongodb_write_end(encoding->out, begin);
    return status == STATUS_OK ? check_size(encoding->out->length - begin, error) : status;
}

static enum status append_id_document(const struct encoding *encoding, const char *name,
                                      struct error *error)
{
    size_t begin = name != NULL ? mongodb_write_open(encoding->out, name, BSON_TYPE_DOCUMENT)
                                : mongodb_write_begin(encoding->out);
    enum status status = mongodb_key_append(encoding->record->table->key, encoding->record->key,
                                            encoding->out, error);
    mongodb_write_end(encoding->out, begin);
    return status;
}

/* ---------------------------------------------------------------- updates */

static bool holds(const struct encoding *encoding, const char *name)
{
    size_t length = strlen(name);
    for (uint32_t at = 0; at < encoding->count; at++) {
        struct text own = name_at(encoding, at);
        if (own.length == length && memcmp(own.data, name, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Fields of other entities, which an upsert empties. */
static bool is_cleared(const struct encoding *encoding, const char *name)
{
    const struct target_table *table = encoding->record->table;
    return table->clears_others && !holds(encoding, name) && strcmp(name, MONGODB_ID) != 0 &&
           !target_table_is_keyed(table, name);
}

static uint32_t count_cleared(const struct encoding *encoding, bool *odd)
{
    const struct target_table *table = encoding->record->table;
    uint32_t count = 0;
    *odd = false;
    for (uint32_t at = 0; table->clears_others && at < table->column_count; at++) {
        const char *name = table->columns[at].name;
        if (is_cleared(encoding, name)) {
            *odd = *odd || is_odd(name, strlen(name));
            count++;
        }
    }
    return count;
}

static uint32_t count_set(const struct encoding *encoding)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < encoding->count; at++) {
        count += (int32_t)at != encoding->encoder.id_field &&
                 value_at(encoding, at)->kind != VALUE_MISSING;
    }
    return count;
}

/* {$set: {…}, $unset: {…}} */
static enum status append_operators(const struct encoding *encoding, uint32_t cleared,
                                    struct error *error)
{
    const struct target_table *table = encoding->record->table;
    struct buffer *out = encoding->out;
    enum status status = STATUS_OK;
    size_t update = mongodb_write_open(out, "u", BSON_TYPE_DOCUMENT);
    if (count_set(encoding) > 0) {
        size_t set = mongodb_write_open(out, "$set", BSON_TYPE_DOCUMENT);
        status = append_fields(encoding, error);
        mongodb_write_end(out, set);
    } else if (cleared == 0) { /* an operator without fields is refused by old servers */
        status = append_id_document(encoding, "$setOnInsert", error);
    }
    if (cleared > 0) {
        size_t unset = mongodb_write_open(out, "$unset", BSON_TYPE_DOCUMENT);
        for (uint32_t at = 0; at < table->column_count; at++) {
            if (is_cleared(encoding, table->columns[at].name)) {
                mongodb_write_bool(out, table->columns[at].name, true);
            }
        }
        mongodb_write_end(out, unset);
    }
    mongodb_write_end(out, update);
    return status;
}

/* [{$replaceWith: {$mergeObjects: ["$$ROOT", {$literal: {…}}]}}], which takes names as they are. */
static enum status append_pipeline(const struct encoding *encoding, struct error *error)
{
    struct buffer *out = encoding->out;
    size_t update = mongodb_write_open(out, "u", BSON_TYPE_ARRAY);
    size_t stage = mongodb_write_open(out, "0", BSON_TYPE_DOCUMENT);
    size_t replace = mongodb_write_open(out, "$replaceWith", BSON_TYPE_DOCUMENT);
    size_t merge = mongodb_write_open(out, "$mergeObjects", BSON_TYPE_ARRAY);
    mongodb_write_text(out, "0", "$$ROOT", strlen("$$ROOT"));
    size_t operand = mongodb_write_open(out, "1", BSON_TYPE_DOCUMENT);
    size_t literal = mongodb_write_open(out, "$literal", BSON_TYPE_DOCUMENT);
    enum status status = append_fields(encoding, error);
    mongodb_write_end(out, literal);
    mongodb_write_end(out, operand);
    mongodb_write_end(out, merge);
    mongodb_write_end(out, replace);
    mongodb_write_end(out, stage);
    mongodb_write_end(out, update);
    return status;
}

static enum status append_update(const struct encoding *encoding, struct error *error)
{
    struct buffer *out = encoding->out;
    bool odd = false;
    uint32_t cleared = count_cleared(encoding, &odd);
    size_t begin = mongodb_write_begin(out);
    enum status status = append_id_document(encoding, "q", error);
    if (status == STATUS_OK && !encoding->encoder.odd_names && !odd) {
        status = append_operators(encoding, cleared, error);
    } else if (status == STATUS_OK && cleared == 0) {
        status = append_pipeline(encoding, error);
    } else if (status == STATUS_OK) {
        status = error_set(error, ERROR_REJECT_TYPE, NULL,
                           "fields of other entities can't be emptied where names have a dot or "
                           "begin with $");
    }
    mongodb_write_bool(out, "upsert", true);
    mongodb_write_end(out, begin);
    return status == STATUS_OK ? check_size(out->length - begin, error) : status;
}

/* ---------------------------------------------------------------- records */

enum status mongodb_encode(enum keyed_kind kind, const struct keyed_record *record,
                           struct buffer *out, struct error *error)
{
    if (record->key == NULL) {
        return error_set(error, ERROR_REJECT_KEY_NULL, NULL, "%s is missing, and a part of the key",
                         record->table->key.count > 0 ? record->table->key.names[0] : "the key");
    }
    if (kind == KEYED_DELETE) {
        const struct encoding encoding = {.record = record, .out = out};
        return append_id_document(&encoding, NULL, error);
    }
    const struct encoding encoding = encoding_of(record, out);
    if (encoding.encoder.id_field >= 0 && !mongodb_key_is_id(record->table->key)) {
        return error_set(error, ERROR_REJECT_TYPE, NULL,
                         "the field _id is not the key of the table, and would be written in its "
                         "place");
    }
    return kind == KEYED_UPDATE ? append_update(&encoding, error)
                                : append_document(&encoding, error);
}
