/* Rows to a file: gathered in arrays, written as record batches. */
#include "connectors/arrow/arrow.h"

#include "base/memory.h"
#include "connectors/columnar/rows.h"
#include "model/cell_bytes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct folder_pack {
    char *path;
    FILE *stream;
    struct ArrowIpcWriter writer;
    struct ArrowSchema schema;
    struct ArrowArray array;           /* of the record batch that is gathered */
    const struct arrow_layout *layout; /* of the encoder or the decoder, which outlives this */
    struct arena *scratch;
    struct cell *cells; /* of one row */
    uint64_t batch_bytes;
    uint64_t bytes; /* of rows that are gathered */
};

static enum status failed(const struct folder_pack *pack, const char *what,
                          const struct ArrowError *why, struct error *error)
{
    return columnar_stream_failed(pack->stream, pack->path, what, why->message, error);
}

void arrow_pack_abandon(struct folder_pack *pack)
{
    if (pack == NULL) {
        return;
    }
    if (pack->array.release != NULL) {
        ArrowArrayRelease(&pack->array);
    }
    if (pack->writer.private_data != NULL) {
        ArrowIpcWriterReset(&pack->writer);
    }
    if (pack->schema.release != NULL) {
        ArrowSchemaRelease(&pack->schema);
    }
    if (pack->stream != NULL) {
        (void)fclose(pack->stream);
    }
    arena_destroy(pack->scratch);
    free(pack->cells);
    free(pack->path);
    free(pack);
}

/* ---------------------------------------------------------------- opening */

static enum status begin_batch(struct folder_pack *pack, struct error *error)
{
    struct ArrowError why = {.message = "no memory"};
    pack->bytes = 0;
    return ArrowArrayInitFromSchema(&pack->array, &pack->schema, &why) == NANOARROW_OK &&
                   ArrowArrayStartAppending(&pack->array) == NANOARROW_OK
               ? STATUS_OK
               : failed(pack, "a record batch can't be begun", &why, error);
}

static enum status begin_file(struct folder_pack *pack, struct error *error)
{
    struct ArrowError why = {.message = "no memory"};
    struct ArrowIpcOutputStream output = {0};
    if (!arrow_layout_schema(pack->layout, &pack->schema) ||
        ArrowIpcOutputStreamInitFile(&output, pack->stream, 0) != NANOARROW_OK ||
        ArrowIpcWriterInit(&pack->writer, &output) != NANOARROW_OK ||
        ArrowIpcWriterStartFile(&pack->writer, &why) != NANOARROW_OK ||
        ArrowIpcWriterWriteSchema(&pack->writer, &pack->schema, &why) != NANOARROW_OK) {
        return failed(pack, "the file can't be begun", &why, error);
    }
    return begin_batch(pack, error);
}

enum status arrow_pack_open(struct folder *folder, const char *path,
                            const struct folder_encoder *encoder,
                            const struct folder_decoder *decoder, struct folder_pack **pack,
                            struct error *error)
{
    struct folder_pack *made = memory_allocate_zeroed(1, sizeof(*made));
    *pack = NULL;
    made->path = memory_copy_string(path);
    made->layout = encoder != NULL ? arrow_encoder_layout(encoder) : arrow_decoder_layout(decoder);
    made->scratch = arena_create(0);
    made->cells =
        memory_allocate_zeroed((size_t)made->layout->column_count + 1, sizeof(*made->cells));
    made->batch_bytes = ((const struct arrow_database *)folder)->batch_bytes;
    made->stream = columnar_stream_create(path, error);
    enum status status = made->stream != NULL ? begin_file(made, error) : STATUS_FAILED;
    if (status != STATUS_OK) {
        arrow_pack_abandon(made);
        return STATUS_FAILED;
    }
    *pack = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- rows */

static enum status write_batch(struct folder_pack *pack, struct error *error)
{
    struct ArrowError why = {.message = "no memory"};
    struct ArrowArrayView view;
    ArrowArrayViewInitFromType(&view, NANOARROW_TYPE_UNINITIALIZED);
    bool done = ArrowArrayFinishBuildingDefault(&pack->array, &why) == NANOARROW_OK &&
                ArrowArrayViewInitFromSchema(&view, &pack->schema, &why) == NANOARROW_OK &&
                ArrowArrayViewSetArray(&view, &pack->array, &why) == NANOARROW_OK &&
                ArrowIpcWriterWriteArrayView(&pack->writer, &view, &why) == NANOARROW_OK;
    ArrowArrayViewReset(&view);
    ArrowArrayRelease(&pack->array);
    return done ? STATUS_OK : failed(pack, "a record batch can't be written", &why, error);
}

static enum status add_row(struct folder_pack *pack, const char *bytes, uint32_t length,
                           struct error *error)
{
    bool done = true;
    arena_reset(pack->scratch);
    if (cell_bytes_read(bytes + sizeof(length), length - sizeof(length), pack->layout->column_count,
                        pack->scratch, pack->cells, error) != STATUS_OK) {
        return error_set(error, ERROR_INTERNAL, pack->path, "a row is not of the file's form");
    }
    for (uint32_t at = 0; done && at < pack->layout->column_count; at++) {
        done = arrow_value_append(&pack->layout->columns[at], &pack->cells[at],
                                  pack->array.children[at]);
    }
    if (!done || ArrowArrayFinishElement(&pack->array) != NANOARROW_OK) {
        memory_exhausted(0);
    }
    pack->bytes += length;
    if (pack->bytes < pack->batch_bytes) {
        return STATUS_OK;
    }
    return write_batch(pack, error) == STATUS_OK ? begin_batch(pack, error) : STATUS_FAILED;
}

enum status arrow_pack_write(struct folder_pack *pack, const void *bytes, size_t length,
                             struct error *error)
{
    return columnar_rows_each(pack, pack->path, bytes, length, add_row, error);
}

static enum status end_file(struct folder_pack *pack, struct error *error)
{
    struct ArrowError why = {.message = "no memory"};
    if (pack->bytes > 0 && write_batch(pack, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (ArrowIpcWriterWriteArrayView(&pack->writer, NULL, &why) != NANOARROW_OK ||
        ArrowIpcWriterFinalizeFile(&pack->writer, &why) != NANOARROW_OK) {
        return failed(pack, "the file can't be ended", &why, error);
    }
    return columnar_stream_sync(pack->stream, pack->path, error);
}

enum status arrow_pack_finish(struct folder_pack *pack, struct error *error)
{
    enum status status = end_file(pack, error);
    arrow_pack_abandon(pack);
    return status;
}
