/* Records into the bodies of requests. */
#include "connectors/keyed/keyed_internal.h"

#include "base/memory.h"
#include "base/text.h"
#include "model/field_hash.h"
#include <stdlib.h>
#include <string.h>

enum keyed_kind keyed_kind_of(const struct target_table *table)
{
    if (table->created) {
        return KEYED_PUT;
    }
    return table->existing == EXISTING_UPSERT                                       ? KEYED_UPDATE
           : table->existing == EXISTING_APPEND || table->existing == EXISTING_SKIP ? KEYED_INSERT
                                                                                    : KEYED_PUT;
}

/* ---------------------------------------------------------------- shapes */

/* A shape without fields stands for documents. */
static const struct shape *shape_of(const struct batch *batch)
{
    return batch->shape == NULL || batch->shape->field_count == 0 ? NULL : batch->shape;
}

static struct encoding *find_encoding(struct writer *writer, uint32_t number,
                                      const struct batch *batch)
{
    const struct shape *shape = shape_of(batch);
    const struct target_table *table = &writer->tables[number];
    for (struct encoding *known = writer->encodings; known != NULL; known = known->next) {
        if (known->shape == shape && known->table == number) {
            return known;
        }
    }
    struct encoding *made = memory_allocate_zeroed(1, sizeof(*made));
    if (writer->service->encoder != NULL) {
        made->encoder = writer->service->encoder(writer->connection, number, shape);
    }
    made->shape = shape;
    made->table = number;
    for (uint32_t key = 0; key < table->key.count && shape != NULL; key++) {
        made->key_fields[key] = shape_field_find(shape, table->key.names[key]);
    }
    made->next = writer->encodings;
    writer->encodings = made;
    return made;
}

void keyed_free_encodings(struct writer *writer)
{
    while (writer->encodings != NULL) {
        struct encoding *next = writer->encodings->next;
        if (writer->service->encoder_free != NULL) {
            writer->service->encoder_free(writer->encodings->encoder);
        }
        free(writer->encodings);
        writer->encodings = next;
    }
}

/* ---------------------------------------------------------------- keys */

static bool key_of_document(const struct target_table *table, const struct cell *document,
                            struct cell *key)
{
    for (uint32_t at = 0; at < table->key.count; at++) {
        const struct cell *value = value_field(document, table->key.names[at]);
        if (value == NULL) {
            return false;
        }
        key[at] = *value;
    }
    return true;
}

bool keyed_find_key(const struct target_table *table, const struct shape *shape,
                    const struct cell *cells, struct cell key[KEYED_KEY_COLUMNS_MAX])
{
    if (shape == NULL || shape->field_count == 0) {
        return key_of_document(table, cells, key);
    }
    for (uint32_t at = 0; at < table->key.count; at++) {
        int32_t field = shape_field_find(shape, table->key.names[at]);
        if (field < 0) {
            return false;
        }
        key[at] = cells[field];
    }
    return true;
}

static bool find_key(const struct target_table *table, const struct encoding *encoding,
                     const struct cell *cells, struct cell *key)
{
    if (encoding->shape == NULL) {
        return key_of_document(table, cells, key);
    }
    for (uint32_t at = 0; at < table->key.count; at++) {
        if (encoding->key_fields[at] < 0) {
            return false;
        }
        key[at] = cells[encoding->key_fields[at]];
    }
    return true;
}

/* The key's bytes are in the scratch buffer then. */
static enum status hash_key(struct writer *writer, uint32_t table, const struct cell *key,
                            struct keyed_hash *hash, struct error *error)
{
    buffer_clear(&writer->scratch);
    if (writer->service->append_key(writer->database, &writer->tables[table], key, &writer->scratch,
                                    error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    XXH128_hash_t made = XXH3_128bits_withSeed(writer->scratch.data, writer->scratch.length, table);
    *hash = (struct keyed_hash){made.high64, made.low64};
    return STATUS_OK;
}

bool keyed_request_record(const struct keyed_request *request, uint32_t at,
                          struct cell key[KEYED_KEY_COLUMNS_MAX], struct keyed_record *record)
{
    struct writer *writer = request->writer;
    const struct keyed_slot *slot = &request->slots[at];
    if (slot->waiting == NULL) {
        return false;
    }
    const struct batch *batch = slot->waiting->result.batch;
    const struct target_table *table = &writer->tables[request->table];
    const struct encoding *encoding = find_encoding(writer, request->table, batch);
    *record = (struct keyed_record){
        .table = table,
        .shape = encoding->shape,
        .cells = batch_row(batch, slot->row),
        .key = key,
        .encoder = encoding->encoder,
        .envelope = batch->envelopes != NULL ? &batch->envelopes[slot->row] : NULL,
        .attempt = slot->attempt,
        .repeated = slot->attempt > 1 || writer->epoch > 1};
    return find_key(table, encoding, record->cells, key);
}

uint32_t keyed_request_find(const struct keyed_request *request, const struct cell *key)
{
    struct keyed_hash hash;
    struct error ignored;
    if (hash_key(request->writer, request->table, key, &hash, &ignored) != STATUS_OK) {
        return UINT32_MAX;
    }
    for (uint32_t at = 0; at < request->count; at++) {
        const struct keyed_slot *slot = &request->slots[at];
        if (slot->key.low == hash.low && slot->key.high == hash.high) {
            return at;
        }
    }
    return UINT32_MAX;
}

/* ---------------------------------------------------------------- keys that are kept */

/* A field of a record as a name and a value. */
static void field_at(const struct keyed_record *record, uint32_t at, struct text *name,
                     const struct cell **value)
{
    if (record->shape != NULL) {
        const struct shape_field *field = &record->shape->fields[at];
        *name = (struct text){field->name, field->name_length};
        *value = &record->cells[at];
    } else {
        const struct cell *pair = &record->cells->items[2 * (size_t)at];
        *name = (struct text){pair->text, pair->length};
        *value = pair + 1;
    }
}

/* Equal for records that are equal field by field as they are stored, in whatever order. */
static void hash_record(const struct writer *writer, const struct keyed_record *record,
                        uint8_t hash[16])
{
    const struct target_functions *target = writer->database->connector->target;
    struct arena *arena = arena_create(1024);
    struct field_hasher hasher = {.arena = arena};
    size_t count = record->shape != NULL ? record->shape->field_count : record->cells->length;
    for (uint32_t at = 0; at < count; at++) {
        struct text name;
        const struct cell *value = NULL;
        struct cell normal;
        struct error ignored;
        field_at(record, at, &name, &value);
        if (value->kind != VALUE_MISSING &&
            target->normal_form(writer->database, value, arena, &normal, &ignored) == STATUS_OK) {
            (void)!field_hash_add_cell(&hasher, field_hash_seed(name.data, (uint32_t)name.length),
                                       &normal, &ignored);
        }
    }
    const struct canonical_hash sum = field_hash_take(&hasher);
    memcpy(hash, &sum, 16);
    buffer_free(&hasher.scratch);
    arena_destroy(arena);
}

/* The record's claims about values that many share. */
static enum status find_claims(struct writer *writer, const struct keyed_record *record,
                               struct error *error)
{
    const struct keyed_service *service = writer->service;
    buffer_clear(&writer->place);
    buffer_clear(&writer->claims);
    return record->table->settles_claims && service->append_claims != NULL
               ? service->append_claims(writer->database, record, &writer->place, &writer->claims,
                                        error)
               : STATUS_OK;
}

/* The key's bytes are in the scratch buffer. */
static enum status note_key(struct writer *writer, const struct keyed_record *record,
                            struct keyed_waiting *waiting, struct writer_chunk *chunk, uint32_t row,
                            enum keyed_spill_state state, struct error *error)
{
    const struct target_table *table = record->table;
    if (!table->settles) {
        return STATUS_OK;
    }
    if (find_claims(writer, record, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct keyed_key key = {.table = table->name,
                            .table_length = strlen(table->name),
                            .entity = waiting->result.batch->entity,
                            .ordinal = waiting->first_ordinal + row,
                            .state = state,
                            .bytes = (const uint8_t *)writer->scratch.data,
                            .length = writer->scratch.length,
                            .place = (const uint8_t *)writer->place.data,
                            .place_length = writer->place.length,
                            .claims = (const uint8_t *)writer->claims.data,
                            .claims_length = writer->claims.length};
    if (table->distinct) {
        hash_record(writer, record, key.hash);
    }
    keyed_spill_add(&chunk->spill, &key);
    return STATUS_OK;
}

enum status keyed_note_void(struct writer *writer, struct keyed_waiting *waiting, uint32_t row,
                            enum keyed_spill_state state, struct error *error)
{
    struct keyed_hash ignored;
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct writer_chunk *chunk = keyed_find_chunk(writer, waiting->result.chunk);
    const struct batch *batch = waiting->result.batch;
    uint32_t number = waiting->result.table;
    if (chunk == NULL || !writer->tables[number].settles) {
        return STATUS_OK;
    }
    struct encoding *encoding = find_encoding(writer, number, batch);
    const struct keyed_record record = {.table = &writer->tables[number],
                                        .shape = encoding->shape,
                                        .cells = batch_row(batch, row),
                                        .key = key};
    if (!find_key(record.table, encoding, record.cells, key)) {
        return error_set(error, ERROR_INTERNAL, NULL, "a record without its key was encoded");
    }
    if (hash_key(writer, number, key, &ignored, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return note_key(writer, &record, waiting, chunk, row, state, error);
}

/* ---------------------------------------------------------------- records */

const char keyed_expired[] = "its time to live is over";

static enum status skip_row(struct writer *writer, struct keyed_waiting *waiting, uint32_t row)
{
    keyed_note_refused(waiting, row, OUTCOME_SKIPPED, ERROR_NONE, keyed_expired);
    keyed_record_ended(writer, waiting);
    return STATUS_OK;
}

static enum status reject_row(struct writer *writer, struct keyed_waiting *waiting, uint32_t row,
                              const struct error *reason, struct error *error)
{
    char text[ERROR_REASON_BYTES];
    if (reason->class != ERROR_CLASS_REJECT) {
        return error_copy(error, reason);
    }
    keyed_note_refused(waiting, row, OUTCOME_REJECTED, reason->code, error_reason(reason, text));
    keyed_record_ended(writer, waiting);
    return STATUS_OK;
}

/* The record was encoded: finds and notes its key. `*unsent`: it need not be sent. */
static enum status take_key(struct writer *writer, const struct keyed_record *record,
                            struct keyed_waiting *waiting, struct writer_chunk *chunk,
                            enum keyed_kind kind, struct keyed_slot *slot, bool *unsent,
                            struct error *error)
{
    if (hash_key(writer, waiting->result.table, record->key, &slot->key, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* Settling keeps one of several records under one key and makes it again: no need to wait for
     * the one that is under way. Only inserts and updates depend on the order. */
    *unsent = kind == KEYED_PUT && record->table->settles && !writer->keeps_order &&
              keyed_set_has(&writer->keys, slot->key);
    return note_key(writer, record, waiting, chunk, slot->row, *unsent ? SPILL_UNSENT : SPILL_SENT,
                    error);
}

static enum status encode_row(struct writer *writer, struct keyed_record *record,
                              const struct encoding *encoding, struct keyed_waiting *waiting,
                              struct writer_chunk *chunk, uint32_t row, struct error *error)
{
    const struct keyed_service *service = writer->service;
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct error reason;
    bool unsent = false;
    const struct batch *batch = waiting->result.batch;
    record->cells = batch_row(batch, row);
    record->envelope = batch->envelopes != NULL ? &batch->envelopes[row] : NULL;
    record->key = find_key(record->table, encoding, record->cells, key) ? key : NULL;
    struct keyed_request *request = keyed_filling(writer, encoding->table);
    struct buffer *body = &request->body;
    size_t start = body->length;
    if (request->count > 0 && service->separator != '\0') {
        buffer_append_byte(body, service->separator);
    }
    struct keyed_slot slot = {.offset = (uint32_t)body->length,
                              .row = row,
                              .attempt = chunk->attempt,
                              .waiting = waiting};
    enum status status = service->encode(writer->connection, request->kind, record, body, &reason);
    if (status != STATUS_OK) {
        body->length = start;
        return status == STATUS_END ? skip_row(writer, waiting, row)
                                    : reject_row(writer, waiting, row, &reason, error);
    }
    slot.length = (uint32_t)(body->length - slot.offset);
    if (record->key == NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "a record without its key was encoded");
    }
    if (take_key(writer, record, waiting, chunk, request->kind, &slot, &unsent, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (unsent) {
        body->length = start;
        waiting->result.written++;
        waiting->result.bytes += slot.length;
        keyed_record_ended(writer, waiting);
        return STATUS_OK;
    }
    keyed_keep(request, start, &slot);
    return STATUS_OK;
}

enum status keyed_encode_batch(struct writer *writer, struct keyed_waiting *waiting,
                               struct writer_chunk *chunk, struct error *error)
{
    uint32_t number = waiting->result.table;
    const struct encoding *encoding = find_encoding(writer, number, waiting->result.batch);
    struct keyed_record record = {.table = &writer->tables[number],
                                  .shape = encoding->shape,
                                  .encoder = encoding->encoder,
                                  .attempt = chunk->attempt,
                                  .repeated = chunk->repeated};
    enum status status = STATUS_OK;
    uint32_t rows = waiting->result.batch->row_count;
    for (uint32_t row = 0; row < rows && status == STATUS_OK; row++) {
        status = encode_row(writer, &record, encoding, waiting, chunk, row, error);
    }
    return status;
}

enum status keyed_encode_again(struct keyed_request *request, enum keyed_kind kind,
                               struct error *error)
{
    const struct keyed_service *service = request->writer->service;
    struct keyed_connection *connection = request->writer->connection;
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct keyed_record record;
    struct keyed_slot *slot = &request->slots[0];
    if (!keyed_request_record(request, 0, key, &record)) {
        return error_set(error, ERROR_INTERNAL, NULL, "a record without its key was encoded");
    }
    buffer_clear(&request->body);
    request->kind = kind;
    keyed_body_begin(request->writer, request);
    slot->offset = (uint32_t)request->body.length;
    enum status status = service->encode(connection, kind, &record, &request->body, error);
    slot->length = (uint32_t)(request->body.length - slot->offset);
    if (status == STATUS_OK && service->group != NULL) {
        request->group = service->group(request->body.data + slot->offset, slot->length);
    }
    keyed_body_end(request->writer, request);
    return status;
}
