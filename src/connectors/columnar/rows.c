#include "connectors/columnar/rows.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- encoding */

static struct columnar_encoding *encoding_of(struct folder_encoder *encoder)
{
    return (struct columnar_encoding *)encoder;
}

enum status columnar_encoder_create(const struct target_table *table, const struct shape *shape,
                                    size_t bytes, struct folder_encoder **encoder,
                                    struct error *error)
{
    uint32_t count = table->column_count;
    *encoder = NULL;
    if (shape == NULL || count == 0) {
        return error_set(error, ERROR_INTERNAL, table->name, "documents have no columns");
    }
    struct columnar_encoding *made = memory_allocate_zeroed(1, bytes);
    made->arena = arena_create(0);
    made->scratch = arena_create(0);
    made->column_count = count;
    made->names = arena_allocate_zeroed(made->arena, count, sizeof(*made->names));
    made->required = arena_allocate_zeroed(made->arena, count, sizeof(*made->required));
    made->fields = arena_allocate_zeroed(made->arena, count, sizeof(*made->fields));
    for (uint32_t at = 0; at < count; at++) {
        made->names[at] = table->columns[at].name;
        made->fields[at] = shape_field_find(shape, table->columns[at].name);
        made->required[at] = table->columns[at].not_null && made->fields[at] >= 0;
    }
    *encoder = (struct folder_encoder *)made;
    return STATUS_OK;
}

void columnar_encoder_free(struct folder_encoder *encoder)
{
    arena_destroy(encoding_of(encoder)->scratch);
    arena_destroy(encoding_of(encoder)->arena);
    free(encoder);
}

static enum status refuse_column(const char *column, const struct error *why, struct error *error)
{
    char name[100];
    text_printable(column, strlen(column), name, sizeof(name));
    return why->class == ERROR_CLASS_REJECT
               ? error_set(error, why->code, name, "column %s: %s", name, why->message)
               : error_copy(error, why);
}

enum status columnar_encoder_append(struct folder_encoder *encoder, const struct cell *cells,
                                    struct buffer *out, struct error *error)
{
    const struct columnar_encoding *encoding = encoding_of(encoder);
    struct error why;
    size_t start = out->length;
    uint32_t length = 0;
    buffer_append(out, &length, sizeof(length));
    arena_reset(encoding->scratch);
    for (uint32_t at = 0; at < encoding->column_count; at++) {
        int32_t field = encoding->fields[at];
        if (encoding->append(encoder, at, field >= 0 ? &cells[field] : NULL, out, &why) !=
            STATUS_OK) {
            out->length = start;
            return refuse_column(encoding->names[at], &why, error);
        }
    }
    if (out->length - start > INT32_MAX) {
        out->length = start;
        return error_set(error, ERROR_REJECT_TOO_LARGE, NULL, "the record is larger than 2 GiB");
    }
    length = (uint32_t)(out->length - start);
    memcpy(out->data + start, &length, sizeof(length));
    return STATUS_OK;
}

/* ---------------------------------------------------------------- reading */

enum status columnar_decoder_fill(struct folder_decoder *decoder, columnar_add_next *add_next,
                                  struct batch *batch, uint32_t rows_max, size_t bytes_max,
                                  struct error *error)
{
    uint32_t count = batch->row_count + batch->refused_count;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && count < rows_max &&
           (count == 0 || batch_bytes(batch) < bytes_max)) {
        status = add_next(decoder, batch, error);
        count = batch->row_count + batch->refused_count;
    }
    return status;
}

void columnar_row_begin(struct buffer *raw)
{
    static const uint32_t unknown;
    buffer_clear(raw);
    buffer_append(raw, &unknown, sizeof(unknown));
}

void columnar_row_end(struct buffer *raw, const char **bytes, size_t *length)
{
    uint32_t whole = (uint32_t)raw->length;
    memcpy(raw->data, &whole, sizeof(whole));
    *bytes = raw->data;
    *length = raw->length;
}

/* ---------------------------------------------------------------- packing */

FILE *columnar_stream_create(const char *path, struct error *error)
{
    int descriptor =
        file_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    FILE *stream = descriptor >= 0 ? fdopen(descriptor, "w+b") : NULL;
    if (stream == NULL) {
        (void)!error_set_errno(error, ERROR_TARGET_WRITE, errno, path, "can't create the file");
        if (descriptor >= 0) {
            close(descriptor);
        }
    }
    return stream;
}

enum status columnar_stream_failed(FILE *stream, const char *path, const char *what,
                                   const char *why, struct error *error)
{
    if (ferror(stream) != 0 && errno != 0) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, path, "can't write");
    }
    return error_set(error, ERROR_TARGET_WRITE, path, "%s: %s", what, why);
}

enum status columnar_stream_sync(FILE *stream, const char *path, struct error *error)
{
    return fflush(stream) == 0 && file_sync_data(fileno(stream)) == 0
               ? STATUS_OK
               : error_set_errno(error, ERROR_TARGET_WRITE, errno, path,
                                 "can't make the file durable");
}

enum status columnar_rows_each(struct folder_pack *pack, const char *path, const void *bytes,
                               size_t length,
                               enum status (*add)(struct folder_pack *pack, const char *row,
                                                  uint32_t length, struct error *error),
                               struct error *error)
{
    const char *at = bytes;
    while (length > 0) {
        uint32_t row = 0;
        if (length >= sizeof(row)) {
            memcpy(&row, at, sizeof(row));
        }
        if (row < sizeof(row) || row > length) {
            return error_set(error, ERROR_INTERNAL, path, "a row is not whole");
        }
        if (add(pack, at, row, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        at += row;
        length -= row;
    }
    return STATUS_OK;
}
