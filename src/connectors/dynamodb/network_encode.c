/* Records into the bodies of requests. */
#include "connectors/dynamodb/network_writer.h"

#include "base/memory.h"
#include "base/text.h"
#include "connectors/dynamodb/network_json.h"
#include "model/json_writer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char put_begin[] = "{\"PutRequest\":{\"Item\":";
static const char put_end[] = "}}";

/* ---------------------------------------------------------------- encoders */

static void find_key_fields(const struct target_table *table, struct encoding *encoding)
{
    for (uint32_t key = 0; key < 2; key++) {
        encoding->key_fields[key] = -1;
        for (uint32_t at = 0;
             encoding->shape != NULL && key < table->key.count && at < encoding->shape->field_count;
             at++) {
            const struct shape_field *field = &encoding->shape->fields[at];
            if (strlen(table->key.names[key]) == field->name_length &&
                memcmp(table->key.names[key], field->name, field->name_length) == 0) {
                encoding->key_fields[key] = (int32_t)at;
            }
        }
    }
}

static struct encoding *find_encoding(struct writer *writer, uint32_t table,
                                      const struct batch *batch)
{
    /* a shape without fields stands for documents */
    const struct shape *shape =
        batch->shape == NULL || batch->shape->field_count == 0 ? NULL : batch->shape;
    for (struct encoding *known = writer->encodings; known != NULL; known = known->next) {
        if (known->shape == shape && known->table == table) {
            return known;
        }
    }
    struct encoding *made = (struct encoding *)memory_allocate_zeroed(1, sizeof(*made));
    const struct dynamodb_known *known = dynamodb_network_keys(
        writer->network, &writer->tables[table], &shape, shape != NULL ? 1 : 0, NULL);
    made->encoder = dynamodb_encoder_create(shape, known->keys, known->key_count);
    made->shape = shape;
    made->table = table;
    find_key_fields(&writer->tables[table], made);
    made->next = writer->encodings;
    writer->encodings = made;
    return made;
}

void dynamodb_writer_free_encodings(struct writer *writer)
{
    while (writer->encodings != NULL) {
        struct encoding *next = writer->encodings->next;
        dynamodb_encoder_destroy(writer->encodings->encoder);
        free(writer->encodings);
        writer->encodings = next;
    }
}

/* ---------------------------------------------------------------- keys */

static bool find_key(const struct writer *writer, const struct encoding *encoding,
                     const struct cell *cells, struct cell key[2])
{
    const struct target_table *table = &writer->tables[encoding->table];
    if (encoding->shape == NULL) {
        return dynamodb_key_of_item(table, cells, key);
    }
    for (uint32_t at = 0; at < table->key.count; at++) {
        if (encoding->key_fields[at] < 0) {
            return false;
        }
        key[at] = cells[encoding->key_fields[at]];
    }
    return true;
}

enum status dynamodb_writer_hash_key(struct writer *writer, uint32_t table,
                                     const struct cell key[2], struct key_hash *hash,
                                     struct error *error)
{
    buffer_clear(&writer->scratch);
    if (dynamodb_key_append(&writer->tables[table], key, &writer->scratch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    XXH128_hash_t made = XXH3_128bits_withSeed(writer->scratch.data, writer->scratch.length, table);
    *hash = (struct key_hash){made.high64, made.low64};
    return STATUS_OK;
}

/* The fields of a record as pairs of name and value. */
struct fields {
    const struct shape *shape;
    const struct cell *cells;
    uint32_t count;
};

static void field_at(const struct fields *fields, uint32_t at, struct text *name,
                     const struct cell **value)
{
    if (fields->shape != NULL) {
        *name =
            (struct text){fields->shape->fields[at].name, fields->shape->fields[at].name_length};
        *value = &fields->cells[at];
    } else {
        const struct cell *pair = &fields->cells->items[2 * (size_t)at];
        *name = (struct text){pair->text, pair->length};
        *value = pair + 1;
    }
}

static void hash_field(const struct text *name, const struct cell *value, struct buffer *scratch,
                       XXH128_hash_t *sum)
{
    struct error ignored;
    buffer_clear(scratch);
    if (value->kind == VALUE_MISSING ||
        dynamodb_item_append_value(value, "", scratch, &ignored) != STATUS_OK) {
        return;
    }
    buffer_append_byte(scratch, 0);
    buffer_append(scratch, name->data, name->length);
    XXH128_hash_t hash = XXH3_128bits(scratch->data, scratch->length);
    sum->low64 += hash.low64;
    sum->high64 += hash.high64;
}

/* Equal for records that are equal field by field, in whatever order. */
static void hash_record(const struct fields *fields, uint8_t hash[16])
{
    struct buffer scratch = {0};
    XXH128_hash_t sum = {0};
    for (uint32_t at = 0; at < fields->count; at++) {
        struct text name;
        const struct cell *value = NULL;
        field_at(fields, at, &name, &value);
        hash_field(&name, value, &scratch, &sum);
    }
    memcpy(hash, &sum, 16);
    buffer_free(&scratch);
}

static struct fields fields_of(const struct encoding *encoding, const struct cell *cells)
{
    return (struct fields){.shape = encoding->shape,
                           .cells = cells,
                           .count = encoding->shape != NULL ? encoding->shape->field_count
                                                            : cells->length};
}

/* The key's bytes are in the scratch buffer. */
static void note_key(struct writer *writer, const struct encoding *encoding,
                     struct waiting *waiting, struct writer_chunk *chunk, uint32_t row,
                     enum dynamodb_spill_state state)
{
    const struct target_table *table = &writer->tables[waiting->result.table];
    if (!table->settles) {
        return;
    }
    struct dynamodb_spilled key = {.table = table->name,
                                   .table_length = strlen(table->name),
                                   .entity = waiting->result.batch->entity,
                                   .ordinal = waiting->first_ordinal + row,
                                   .state = state,
                                   .bytes = (const uint8_t *)writer->scratch.data,
                                   .length = writer->scratch.length};
    if (table->distinct) {
        const struct fields fields = fields_of(encoding, batch_row(waiting->result.batch, row));
        hash_record(&fields, key.hash);
    }
    dynamodb_spill_add(&chunk->spill, &key);
}

enum status dynamodb_writer_note_void(struct writer *writer, struct waiting *waiting, uint32_t row,
                                      struct error *error)
{
    struct key_hash ignored;
    struct cell key[2];
    struct writer_chunk *chunk = dynamodb_writer_chunk(writer, waiting->result.chunk);
    const struct batch *batch = waiting->result.batch;
    if (chunk == NULL || !writer->tables[waiting->result.table].settles) {
        return STATUS_OK;
    }
    struct encoding *encoding = find_encoding(writer, waiting->result.table, batch);
    if (!find_key(writer, encoding, batch_row(batch, row), key) ||
        dynamodb_writer_hash_key(writer, waiting->result.table, key, &ignored, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    note_key(writer, encoding, waiting, chunk, row, SPILL_REFUSED);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- single requests */

static void append_condition(struct buffer *body, const struct target_table *table)
{
    dynamodb_body_text(body, "ConditionExpression", "attribute_not_exists(#k)");
    dynamodb_body_name(body, "ExpressionAttributeNames");
    dynamodb_body_raw(body, "{");
    dynamodb_body_text(body, "#k", table->key.names[0]);
    dynamodb_body_raw(body, "}");
}

static void append_end(struct buffer *body)
{
    dynamodb_body_raw(body, ",\"ReturnConsumedCapacity\":\"TOTAL\"}");
}

static enum status append_key_object(const struct target_table *table, const struct cell *key,
                                     struct buffer *body, struct error *error)
{
    dynamodb_body_name(body, "Key");
    dynamodb_body_raw(body, "{");
    for (uint32_t at = 0; at < table->key.count; at++) {
        dynamodb_body_name(body, table->key.names[at]);
        if (dynamodb_item_append_value(&key[at], table->key.names[at], body, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    dynamodb_body_raw(body, "}");
    return STATUS_OK;
}

static bool is_set(const struct target_table *table, const struct fields *fields, uint32_t at)
{
    struct text name;
    const struct cell *value = NULL;
    field_at(fields, at, &name, &value);
    for (uint32_t key = 0; key < table->key.count; key++) {
        if (strlen(table->key.names[key]) == name.length &&
            memcmp(table->key.names[key], name.data, name.length) == 0) {
            return false;
        }
    }
    return value->kind != VALUE_MISSING;
}

/* SET #0 = :0, … of all fields but the key: what the plan does not name stays. */
static enum status append_sets(const struct target_table *table, const struct fields *fields,
                               struct buffer *body, struct error *error)
{
    struct text name;
    const struct cell *value = NULL;
    struct buffer names = {0};
    struct buffer values = {0};
    uint32_t count = 0;
    char mark[16];
    char shown[64];
    enum status status = STATUS_OK;
    size_t start = body->length;
    dynamodb_body_name(body, "UpdateExpression");
    dynamodb_body_raw(body, "\"SET ");
    for (uint32_t at = 0; at < fields->count && status == STATUS_OK; at++) {
        if (!is_set(table, fields, at)) {
            continue;
        }
        field_at(fields, at, &name, &value);
        buffer_format(body, "%s#%u = :%u", count > 0 ? ", " : "", count, count);
        snprintf(mark, sizeof(mark), "#%u", count);
        dynamodb_body_name(&names, mark);
        json_append_string(&names, name.data, name.length);
        mark[0] = ':';
        dynamodb_body_name(&values, mark);
        text_printable(name.data, name.length, shown, sizeof(shown));
        status = dynamodb_item_append_value(value, shown, &values, error);
        count++;
    }
    if (status == STATUS_OK && count == 0) {
        body->length = start;
    } else if (status == STATUS_OK) {
        dynamodb_body_raw(body, "\",\"ExpressionAttributeNames\":{");
        buffer_append(body, names.data, names.length);
        dynamodb_body_raw(body, "},\"ExpressionAttributeValues\":{");
        buffer_append(body, values.data, values.length);
        dynamodb_body_raw(body, "}");
    }
    buffer_free(&names);
    buffer_free(&values);
    return status;
}

enum status dynamodb_update_body(const struct target_table *table, const struct shape *shape,
                                 const struct cell *cells, const struct cell *key,
                                 struct buffer *body, struct error *error)
{
    const struct fields fields = {.shape = shape,
                                  .cells = cells,
                                  .count = shape != NULL ? shape->field_count : cells->length};
    dynamodb_body_raw(body, "{");
    dynamodb_body_text(body, "TableName", table->name);
    if (append_key_object(table, key, body, error) != STATUS_OK ||
        append_sets(table, &fields, body, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    append_end(body);
    return STATUS_OK;
}

static void append_put(const struct target_table *table, const struct buffer *item,
                       struct buffer *body)
{
    dynamodb_body_raw(body, "{");
    dynamodb_body_text(body, "TableName", table->name);
    dynamodb_body_name(body, "Item");
    buffer_append(body, item->data, item->length);
    append_condition(body, table);
    append_end(body);
}

enum status dynamodb_writer_look_body(struct writer *writer, struct waiting *waiting, uint32_t row,
                                      struct buffer *body, struct error *error)
{
    struct cell key[2];
    const struct batch *batch = waiting->result.batch;
    struct encoding *encoding = find_encoding(writer, waiting->result.table, batch);
    if (!find_key(writer, encoding, batch_row(batch, row), key)) {
        return STATUS_FAILED;
    }
    dynamodb_body_raw(body, "{");
    dynamodb_body_text(body, "TableName", writer->tables[waiting->result.table].name);
    if (append_key_object(&writer->tables[waiting->result.table], key, body, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    dynamodb_body_raw(body, ",\"ConsistentRead\":true");
    append_end(body);
    return STATUS_OK;
}

enum status dynamodb_writer_item_text(struct writer *writer, struct waiting *waiting, uint32_t row,
                                      struct buffer *out, struct error *error)
{
    const struct batch *batch = waiting->result.batch;
    struct encoding *encoding = find_encoding(writer, waiting->result.table, batch);
    return dynamodb_encoder_append(encoding->encoder, batch_row(batch, row), out, error);
}

enum status dynamodb_writer_put_body(struct writer *writer, struct waiting *waiting, uint32_t row,
                                     struct buffer *body, struct error *error)
{
    struct buffer item = {0};
    enum status status = dynamodb_writer_item_text(writer, waiting, row, &item, error);
    if (status == STATUS_OK) {
        append_put(&writer->tables[waiting->result.table], &item, body);
    }
    buffer_free(&item);
    return status;
}

/* ---------------------------------------------------------------- records */

static enum status reject_row(struct writer *writer, struct waiting *waiting, uint32_t row,
                              const struct error *reason, struct error *error)
{
    if (reason->class != ERROR_CLASS_REJECT) {
        error_copy(error, reason);
        return STATUS_FAILED;
    }
    dynamodb_writer_refuse(waiting, row, OUTCOME_REJECTED, reason->code, reason->message);
    dynamodb_writer_settled(writer, waiting);
    return STATUS_OK;
}

/* The record's bytes are at the end of `body`, from `start`: finds and notes its key. */
static enum status take_key(struct writer *writer, const struct encoding *encoding,
                            struct waiting *waiting, struct writer_chunk *chunk, uint32_t row,
                            bool single, struct slot *slot, bool *unsent, struct error *error)
{
    struct cell key[2];
    *slot = (struct slot){.waiting = waiting, .row = row};
    if (!find_key(writer, encoding, batch_row(waiting->result.batch, row), key)) {
        return error_set(error, ERROR_INTERNAL, NULL, "a record without its key was encoded");
    }
    if (dynamodb_writer_hash_key(writer, encoding->table, key, &slot->key, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* Of several records under one key settling keeps one and makes it again: no need to wait for
     * the one that is under way. Only single requests depend on the order. */
    *unsent = !single && writer->tables[encoding->table].settles && !writer->keeps_order &&
              dynamodb_key_set_has(&writer->keys, slot->key);
    note_key(writer, encoding, waiting, chunk, row, *unsent ? SPILL_UNSENT : SPILL_SENT);
    return STATUS_OK;
}

static enum status encode_single(struct writer *writer, const struct encoding *encoding,
                                 struct waiting *waiting, struct writer_chunk *chunk, uint32_t row,
                                 enum shipment_kind kind, struct error *error)
{
    struct buffer item = {0};
    struct buffer body = {0};
    struct cell key[2];
    struct slot slot;
    bool unsent = false;
    struct error reason = {0};
    const struct cell *cells = batch_row(waiting->result.batch, row);
    enum status status = dynamodb_encoder_append(encoding->encoder, cells, &item, &reason);
    if (status == STATUS_OK) {
        const struct target_table *table = &writer->tables[encoding->table];
        if (!find_key(writer, encoding, cells, key)) {
            status = STATUS_FAILED;
        } else if (kind == SHIPMENT_UPDATE) {
            status = dynamodb_update_body(table, encoding->shape, cells, key, &body, &reason);
        } else {
            append_put(table, &item, &body);
        }
    }
    if (status != STATUS_OK) {
        status = reject_row(writer, waiting, row, &reason, error);
    } else {
        status = take_key(writer, encoding, waiting, chunk, row, true, &slot, &unsent, error);
        if (status == STATUS_OK) {
            dynamodb_writer_place(writer, kind, encoding->table, &slot, body.data, body.length);
        }
    }
    buffer_free(&item);
    buffer_free(&body);
    return status;
}

static enum status encode_put(struct writer *writer, const struct encoding *encoding,
                              struct waiting *waiting, struct writer_chunk *chunk, uint32_t row,
                              struct error *error)
{
    struct slot slot;
    bool unsent = false;
    struct error reason;
    struct shipment *shipment = dynamodb_writer_filling(writer, encoding->table);
    struct buffer *body = &shipment->body;
    size_t start = body->length;
    if (shipment->count > 0) {
        buffer_append_byte(body, ',');
    }
    slot.offset = (uint32_t)body->length;
    buffer_append(body, put_begin, sizeof(put_begin) - 1);
    if (dynamodb_encoder_append(encoding->encoder, batch_row(waiting->result.batch, row), body,
                                &reason) != STATUS_OK) {
        body->length = start;
        return reject_row(writer, waiting, row, &reason, error);
    }
    buffer_append(body, put_end, sizeof(put_end) - 1);
    uint32_t offset = slot.offset;
    if (take_key(writer, encoding, waiting, chunk, row, false, &slot, &unsent, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    slot.offset = offset;
    slot.length = (uint32_t)(body->length - offset);
    if (unsent) {
        body->length = start;
        waiting->result.written++;
        waiting->result.bytes += slot.length;
        dynamodb_writer_settled(writer, waiting);
        return STATUS_OK;
    }
    dynamodb_writer_keep(writer, shipment, start, &slot);
    return STATUS_OK;
}

enum status dynamodb_writer_encode(struct writer *writer, struct waiting *waiting,
                                   struct writer_chunk *chunk, struct error *error)
{
    uint32_t number = waiting->result.table;
    const struct target_table *table = &writer->tables[number];
    const struct encoding *encoding = find_encoding(writer, number, waiting->result.batch);
    enum status status = STATUS_OK;
    bool update = !table->created && table->existing == EXISTING_UPSERT;
    waiting->conditional =
        !table->created && (table->existing == EXISTING_APPEND || table->existing == EXISTING_SKIP);
    uint32_t rows = waiting->result.batch->row_count;
    for (uint32_t row = 0; row < rows && status == STATUS_OK; row++) {
        status = update
                     ? encode_single(writer, encoding, waiting, chunk, row, SHIPMENT_UPDATE, error)
                 : waiting->conditional
                     ? encode_single(writer, encoding, waiting, chunk, row, SHIPMENT_PUT, error)
                     : encode_put(writer, encoding, waiting, chunk, row, error);
    }
    return status;
}
