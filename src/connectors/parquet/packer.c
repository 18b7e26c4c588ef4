/* Rows to a file: gathered by column, handed to carquet in pieces, ended as row groups. */
#include "connectors/parquet/parquet.h"

#include "base/memory.h"
#include "connectors/columnar/rows.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_GATHERED_MAX = 8192, BYTES_GATHERED_MAX = 1 << 20 };
enum { PAGE_BYTES = 256 << 10, DICTIONARY_BYTES = 256 << 10, HEADER_VALUE_BYTES = 64 << 10 };

/* The entries that were gathered of one leaf. */
struct gathered {
    struct buffer definitions; /* int16_t */
    struct buffer repetitions;
    struct buffer values;
    struct buffer lengths; /* of texts: int32_t */
    uint32_t count;
    uint32_t values_count;
};

struct folder_pack {
    char *path;
    FILE *stream;
    carquet_writer_t *writer; /* NULL until the first rows are handed over */
    carquet_compression_t codec;
    const struct parquet_layout *layout; /* of the encoder or the decoder, which outlives this */
    struct gathered *leaves;
    struct buffer texts; /* carquet_byte_array_t, of one leaf */
    uint64_t row_group_bytes;
    uint64_t group_bytes; /* of rows since the row group began */
    uint64_t bytes;       /* of rows that are gathered */
    uint32_t rows;
};

static enum status failed(const struct folder_pack *pack, const char *what, const char *why,
                          struct error *error)
{
    return columnar_stream_failed(pack->stream, pack->path, what, why, error);
}

void parquet_pack_abandon(struct folder_pack *pack)
{
    if (pack == NULL) {
        return;
    }
    if (pack->writer != NULL) {
        carquet_writer_abort(pack->writer);
    }
    if (pack->stream != NULL) {
        (void)fclose(pack->stream);
    }
    for (uint32_t at = 0; at < pack->layout->leaf_count; at++) {
        buffer_free(&pack->leaves[at].definitions);
        buffer_free(&pack->leaves[at].repetitions);
        buffer_free(&pack->leaves[at].values);
        buffer_free(&pack->leaves[at].lengths);
    }
    buffer_free(&pack->texts);
    free(pack->leaves);
    free(pack->path);
    free(pack);
}

/* ---------------------------------------------------------------- opening */

/* Texts repeat, and a dictionary that grows too large is given up by itself. */
static carquet_status_t choose_encodings(struct folder_pack *pack)
{
    carquet_status_t status = CARQUET_OK;
    for (uint32_t at = 0; at < pack->layout->leaf_count && status == CARQUET_OK; at++) {
        if (pack->layout->leaves[at].node->physical == CARQUET_PHYSICAL_BYTE_ARRAY) {
            status = carquet_writer_set_column_encoding(pack->writer, (int32_t)at,
                                                        CARQUET_ENCODING_RLE_DICTIONARY);
        }
    }
    return status;
}

static bool is_long(const struct gathered *gathered)
{
    const char *lengths = gathered->lengths.data;
    bool found = false;
    for (uint32_t value = 0; value < gathered->values_count && !found; value++) {
        uint32_t length;
        memcpy(&length, lengths + value * sizeof(length), sizeof(length));
        found = length > HEADER_VALUE_BYTES;
    }
    return found;
}

/* The header of each page has its least and its greatest value, whole. pyarrow reads no header of
 * 16 MiB: a file that begins with long values goes without them. */
static bool has_statistics(const struct folder_pack *pack)
{
    bool found = true;
    for (uint32_t at = 0; at < pack->layout->leaf_count && found; at++) {
        bool variable = pack->layout->leaves[at].node->physical == CARQUET_PHYSICAL_BYTE_ARRAY;
        found = !variable || !is_long(&pack->leaves[at]);
    }
    return found;
}

static enum status open_writer(struct folder_pack *pack, struct error *error)
{
    carquet_writer_options_t options;
    carquet_error_t why = CARQUET_ERROR_INIT;
    carquet_schema_t *schema = parquet_layout_schema(pack->layout);
    if (schema == NULL) {
        return error_set(error, ERROR_TARGET_SCHEMA, pack->path,
                         "the columns can't be those of a Parquet file");
    }
    carquet_writer_options_init(&options);
    options.compression = pack->codec;
    options.write_statistics = has_statistics(pack);
    options.row_group_size = INT64_MAX / 4; /* they are ended here */
    options.page_size = PAGE_BYTES;
    options.dictionary_page_size = DICTIONARY_BYTES;
    options.created_by = "transhume version " TRANSHUME_VERSION;
    options.async_io = false;
    pack->writer = carquet_writer_create_file(pack->stream, schema, &options, &why);
    carquet_schema_free(schema);
    if (pack->writer == NULL) {
        return failed(pack, "the file can't be begun", why.message, error);
    }
    carquet_status_t status = choose_encodings(pack);
    return status == CARQUET_OK
               ? STATUS_OK
               : failed(pack, "the file can't be begun", carquet_status_string(status), error);
}

enum status parquet_pack_open(struct folder *folder, const char *path,
                              const struct folder_encoder *encoder,
                              const struct folder_decoder *decoder, struct folder_pack **pack,
                              struct error *error)
{
    const struct parquet_database *database = (const struct parquet_database *)folder;
    struct folder_pack *made = memory_allocate_zeroed(1, sizeof(*made));
    *pack = NULL;
    made->path = memory_copy_string(path);
    made->layout =
        encoder != NULL ? parquet_encoder_layout(encoder) : parquet_decoder_layout(decoder);
    made->leaves = memory_allocate_zeroed(made->layout->leaf_count, sizeof(*made->leaves));
    made->row_group_bytes = database->row_group_bytes;
    made->codec = database->codec;
    made->stream = columnar_stream_create(path, error);
    if (made->stream == NULL) {
        parquet_pack_abandon(made);
        return STATUS_FAILED;
    }
    *pack = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- gathering */

/* The bytes of a row that are not taken yet: the encoder or a decoder of ours made them. */
struct taking {
    const char *at;
    const char *end;
};

static bool packer_take(struct taking *taking, size_t length, const char **bytes)
{
    *bytes = taking->at;
    if ((size_t)(taking->end - taking->at) < length) {
        return false;
    }
    taking->at += length;
    return true;
}

static bool take_number(struct taking *taking, uint32_t *number)
{
    const char *bytes = NULL;
    if (!packer_take(taking, sizeof(*number), &bytes)) {
        return false;
    }
    memcpy(number, bytes, sizeof(*number));
    return true;
}

static bool gather_value(struct gathered *gathered, const struct parquet_node *node,
                         struct taking *taking)
{
    const char *bytes = NULL;
    uint32_t length = 0;
    bool text = node->physical == CARQUET_PHYSICAL_BYTE_ARRAY;
    if (text && !take_number(taking, &length)) {
        return false;
    }
    size_t size = text ? length : parquet_value_size(node);
    if (!packer_take(taking, size, &bytes)) {
        return false;
    }
    if (text) {
        buffer_append(&gathered->lengths, &length, sizeof(length));
    }
    buffer_append(&gathered->values, bytes, size);
    gathered->values_count++;
    return true;
}

static bool gather_leaf(struct gathered *gathered, const struct parquet_leaf *leaf,
                        struct taking *taking)
{
    bool repeats = leaf->repetition_max > 0;
    uint32_t count = 1;
    const char *levels = NULL;
    if (repeats && !take_number(taking, &count)) {
        return false;
    }
    gathered->count += count;
    for (uint32_t at = 0; at < count; at++) {
        if (!packer_take(taking, repeats ? 2 : 1, &levels)) {
            return false;
        }
        int16_t definition = (uint8_t)levels[0];
        buffer_append(&gathered->definitions, &definition, sizeof(definition));
        if (repeats) {
            int16_t repetition = (uint8_t)levels[1];
            buffer_append(&gathered->repetitions, &repetition, sizeof(repetition));
        }
        if (definition == leaf->definition_max && !gather_value(gathered, leaf->node, taking)) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- handing over */

static const void *texts_of(struct folder_pack *pack, const struct gathered *gathered)
{
    const char *at = gathered->values.data;
    const char *lengths = gathered->lengths.data;
    buffer_clear(&pack->texts);
    for (uint32_t value = 0; value < gathered->values_count; value++) {
        uint32_t length;
        memcpy(&length, lengths + value * sizeof(length), sizeof(length));
        const carquet_byte_array_t text = {(uint8_t *)(uintptr_t)at, (int32_t)length};
        buffer_append(&pack->texts, &text, sizeof(text));
        at += length;
    }
    return pack->texts.data;
}

static enum status hand_over_leaf(struct folder_pack *pack, uint32_t number, struct error *error)
{
    static const uint64_t nothing[2];
    struct gathered *gathered = &pack->leaves[number];
    const struct parquet_leaf *leaf = &pack->layout->leaves[number];
    const void *values = gathered->values_count == 0 ? nothing
                         : leaf->node->physical == CARQUET_PHYSICAL_BYTE_ARRAY
                             ? texts_of(pack, gathered)
                             : gathered->values.data;
    carquet_status_t status = carquet_writer_write_batch(
        pack->writer, (int32_t)number, values, gathered->count,
        leaf->definition_max > 0 ? (const int16_t *)(const void *)gathered->definitions.data : NULL,
        leaf->repetition_max > 0 ? (const int16_t *)(const void *)gathered->repetitions.data
                                 : NULL);
    buffer_clear(&gathered->definitions);
    buffer_clear(&gathered->repetitions);
    buffer_clear(&gathered->values);
    buffer_clear(&gathered->lengths);
    gathered->count = 0;
    gathered->values_count = 0;
    if (status == CARQUET_ERROR_OUT_OF_MEMORY) {
        memory_exhausted(0);
    }
    return status == CARQUET_OK
               ? STATUS_OK
               : failed(pack, "a column can't be written", carquet_status_string(status), error);
}

static enum status hand_over(struct folder_pack *pack, struct error *error)
{
    if (pack->writer == NULL && open_writer(pack, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; pack->rows > 0 && at < pack->layout->leaf_count; at++) {
        if (hand_over_leaf(pack, at, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    pack->rows = 0;
    pack->bytes = 0;
    return STATUS_OK;
}

static enum status end_group(struct folder_pack *pack, struct error *error)
{
    if (hand_over(pack, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    pack->group_bytes = 0;
    carquet_status_t status = carquet_writer_new_row_group(pack->writer);
    return status == CARQUET_OK
               ? STATUS_OK
               : failed(pack, "a row group can't be written", carquet_status_string(status), error);
}

static enum status gather_row(struct folder_pack *pack, const char *bytes, uint32_t length,
                              struct error *error)
{
    struct taking taking = {bytes + sizeof(length), bytes + length};
    for (uint32_t at = 0; at < pack->layout->leaf_count; at++) {
        if (!gather_leaf(&pack->leaves[at], &pack->layout->leaves[at], &taking)) {
            return error_set(error, ERROR_INTERNAL, pack->path, "a row is not of the file's form");
        }
    }
    pack->rows++;
    pack->bytes += length;
    pack->group_bytes += length;
    if (pack->group_bytes >= pack->row_group_bytes) {
        return end_group(pack, error);
    }
    return pack->rows >= ROWS_GATHERED_MAX || pack->bytes >= BYTES_GATHERED_MAX
               ? hand_over(pack, error)
               : STATUS_OK;
}

enum status parquet_pack_write(struct folder_pack *pack, const void *bytes, size_t length,
                               struct error *error)
{
    return columnar_rows_each(pack, pack->path, bytes, length, gather_row, error);
}

enum status parquet_pack_finish(struct folder_pack *pack, struct error *error)
{
    enum status status = hand_over(pack, error);
    if (status == STATUS_OK) {
        carquet_status_t closed = carquet_writer_close(pack->writer);
        pack->writer = NULL;
        status = closed == CARQUET_OK ? STATUS_OK
                                      : failed(pack, "the file can't be ended",
                                               carquet_status_string(closed), error);
    }
    status = status == STATUS_OK ? columnar_stream_sync(pack->stream, pack->path, error) : status;
    parquet_pack_abandon(pack);
    return status;
}
