/*
 * Rows of COPY (SELECT …) TO STDOUT (FORMAT binary).
 *
 * The stream: "PGCOPY\n\377\r\n\0", int32 flags, int32 length of an extension and that; then rows:
 * int16 columns (-1: the end), and for each int32 length (-1: NULL) and bytes. (COPY, "Binary
 * Format", in PostgreSQL's manual.)
 */
#include "connectors/postgres/source.h"
#include <string.h>

enum { HEADER_BYTES = 19 };

static enum status no_memory(const struct postgres_copy *copy, struct error *error)
{
    return error_set(error, ERROR_MEMORY, copy->name, "no memory for a row");
}

static enum status malformed(const struct postgres_copy *copy, struct error *error)
{
    return error_set(error, ERROR_SOURCE_READ, copy->name,
                     "what the server sends is not COPY's binary format");
}

/* The next field: NULL has the size UINT32_MAX. False: it is not of the format. */
static bool take_field(const uint8_t **at, const uint8_t *end, uint32_t *size)
{
    if (end - *at < 4) {
        return false;
    }
    memcpy(size, *at, sizeof *size);
    *size = __builtin_bswap32(*size);
    *at += 4;
    return *size == UINT32_MAX || *size <= (size_t)(end - *at);
}

/* One row's values; `bytes` are in the batch's arena. STATUS_END: they do not fit the format. */
static enum status decode_row(const struct postgres_copy *copy, struct batch *batch,
                              const uint8_t *bytes, size_t length, struct cell *cells,
                              struct error *error)
{
    struct postgres_database *self = copy->database;
    const struct postgres_request *compiled = copy->compiled;
    const uint8_t *at = bytes;
    const uint8_t *end = bytes + length;
    uint32_t size = 0;

    for (uint32_t i = 0; i < compiled->select.column_count; i++) {
        if (!take_field(&at, end, &size)) {
            return STATUS_END;
        }
        if (size == UINT32_MAX) {
            cells[i] = cell_null();
            continue;
        }
        if (postgres_decode(&compiled->columns[i], self->utf8, at, size, batch->arena, &cells[i]) !=
            STATUS_OK) {
            return no_memory(copy, error);
        }
        at += size;
    }
    for (uint32_t i = 0; i < compiled->sliced_count; i++) {
        const struct postgres_sliced *sliced = &compiled->sliced[i];
        if (!take_field(&at, end, &size)) {
            return STATUS_END;
        }
        if (size == UINT32_MAX) {
            continue;
        }
        if (postgres_large_make(self, sliced, (const char *)at, size, batch, &cells[sliced->column],
                                error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        at += size;
    }
    return at == end ? STATUS_OK : STATUS_END;
}

static enum status add_row(const struct postgres_copy *copy, struct batch *batch, const char *data,
                           size_t length, struct error *error)
{
    struct cell *cells = batch_append(batch);
    struct cell *values = cells;
    uint32_t count = copy->compiled->select.column_count;
    const uint8_t *bytes = (const uint8_t *)arena_try_copy(batch->arena, data, length);

    if (bytes == NULL) {
        return no_memory(copy, error);
    }
    if (copy->compiled->select.documents) {
        values = arena_allocate_zeroed(batch->arena, (size_t)count + 1, sizeof *values);
    }
    enum status status = decode_row(copy, batch, bytes, length, values, error);
    if (status == STATUS_OK && copy->compiled->select.documents) {
        batch_make_document(batch, copy->compiled->select.names, values, count, cells);
    }
    return status == STATUS_END ? malformed(copy, error) : status;
}

enum status postgres_copy_take(struct postgres_copy *copy, struct batch *batch, const char *data,
                               size_t length, struct error *error)
{
    if (!copy->header_seen) {
        uint32_t extension = 0;
        if (length < HEADER_BYTES || memcmp(data, "PGCOPY\n\377\r\n", 11) != 0) {
            return malformed(copy, error);
        }
        memcpy(&extension, data + 15, sizeof extension);
        extension = __builtin_bswap32(extension);
        if (extension > length - HEADER_BYTES) {
            return malformed(copy, error);
        }
        data += HEADER_BYTES + extension;
        length -= HEADER_BYTES + extension;
        copy->header_seen = true;
    }
    if (length == 0) {
        return STATUS_OK;
    }
    if (length < 2) {
        return malformed(copy, error);
    }
    uint16_t columns = (uint16_t)((uint8_t)data[0] << 8 | (uint8_t)data[1]);
    if (columns == UINT16_MAX) {
        return STATUS_OK;
    }
    if (columns != copy->compiled->select.column_count + copy->compiled->sliced_count) {
        return malformed(copy, error);
    }
    return add_row(copy, batch, data + 2, length - 2, error);
}
