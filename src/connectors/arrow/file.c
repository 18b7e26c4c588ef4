/* A file opened for reading: its messages, one after the other, and its record batches. */
#include "connectors/arrow/arrow.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "ARROW1" and two zeros stand before the messages of the file format, "ARROW1" at its end. */
enum { MAGIC_BYTES = 6, FILE_HEAD_BYTES = 8, FILE_BYTES_LEAST = 8 + 8 + 4 + 6 };
enum { HEAD_BYTES_MAX = 256 << 20, ALIGNMENT = 8 };
/* The bytes that buffers of a file may claim to have unpacked: so much and so many times the file's
 * bytes. */
static const uint64_t unpacked_base = UINT64_C(256) << 20;
static const uint64_t unpacked_per_byte = 64;
static const char magic[] = "ARROW1";

enum status arrow_file_damaged(const struct arrow_file *file, const char *why, struct error *error)
{
    char clean[256];
    text_printable(why, strlen(why), clean, sizeof(clean));
    error_set(error, file->code == ERROR_SOURCE_READ ? ERROR_SOURCE_INVALID : ERROR_TARGET_INVALID,
              file->path, "the Arrow file is damaged, or not understood: %s", clean);
    return error_hint(error, "fetch or write the file again; another program that reads Arrow "
                             "tells whether it is whole");
}

/* The file is whole, but has what is not read. */
static enum status not_read(const struct arrow_file *file, const char *what, struct error *error)
{
    char clean[256];
    text_printable(what, strlen(what), clean, sizeof(clean));
    error_set(error, ERROR_SOURCE_INVALID, file->path, "not all of the Arrow file can be read: %s",
              clean);
    return error_hint(error, "write the file again without that; docs/arrow.md tells what is read");
}

static enum status failed(const struct arrow_file *file, ArrowErrorCode code,
                          const struct ArrowError *why, struct error *error)
{
    if (code == ENOMEM) {
        return error_set(error, ERROR_MEMORY, file->path, "no memory for a part of the file");
    }
    if (code == ENOTSUP) {
        return not_read(file, why->message, error);
    }
    return arrow_file_damaged(
        file, why->message[0] != '\0' ? why->message : "a message can't be decoded", error);
}

/* ---------------------------------------------------------------- messages */

static enum status read_at(struct arrow_file *file, uint64_t offset, size_t length,
                           struct error *error)
{
    buffer_clear(&file->message);
    if (!buffer_try_reserve(&file->message, length)) {
        return error_set(error, ERROR_MEMORY, file->path,
                         "no memory for a message of %zu bytes of the file", length);
    }
    ssize_t count = file_read_at(file->descriptor, file->message.data, length, offset);
    if (count < 0) {
        return error_set_errno(error, file->code, errno, file->path, "can't read the file");
    }
    file->message.length = (size_t)count;
    return file->message.length == length ? STATUS_OK
                                          : arrow_file_damaged(file, "it ends early", error);
}

/* The head of the message at an offset, with its prefix. STATUS_END: the messages end here. */
static enum status find_head(struct arrow_file *file, uint64_t offset, uint32_t *head_bytes,
                             struct error *error)
{
    uint32_t words[2] = {0, 0};
    size_t left = (size_t)(file->bytes - offset);
    if (left == 0) {
        return STATUS_END;
    }
    size_t length = left < ARROW_PREFIX_BYTES ? left : ARROW_PREFIX_BYTES;
    if (read_at(file, offset, length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    memcpy(words, file->message.data, length);
    bool old = words[0] != UINT32_MAX; /* messages began with their length until Arrow 0.15 */
    uint32_t bytes = old ? words[0] : words[1];
    if (bytes == 0 && (old || length == ARROW_PREFIX_BYTES)) {
        return STATUS_END;
    }
    if (length < ARROW_PREFIX_BYTES || bytes > HEAD_BYTES_MAX || bytes > left - length ||
        (bytes % ALIGNMENT == 0) == old) {
        return arrow_file_damaged(file, "a message has no head", error);
    }
    if (old) {
        return not_read(file, "it is in the format of before Arrow 0.15", error);
    }
    *head_bytes = ARROW_PREFIX_BYTES + bytes;
    return STATUS_OK;
}

static struct ArrowBufferView message_view(const struct arrow_file *file, size_t begin,
                                           size_t length)
{
    return (struct ArrowBufferView){{.data = file->message.data + begin}, (int64_t)length};
}

static void add_block(struct arrow_file *file, const struct arrow_block *block, bool rows)
{
    struct arrow_block **blocks = rows ? &file->batches : &file->dictionary_blocks;
    uint32_t *count = rows ? &file->batch_count : &file->dictionary_count;
    if ((*count & (*count - 1)) == 0) { /* they double where their number is a power of two */
        *blocks = memory_resize(*blocks, *count == 0 ? 1 : 2 * (size_t)*count, sizeof(**blocks));
    }
    (*blocks)[(*count)++] = *block;
}

/* ---------------------------------------------------------------- opening */

static enum status take_schema(struct arrow_file *file, struct error *error)
{
    struct ArrowError why = {.message = ""};
    const char *refused = NULL;
    struct ArrowIpcDecoder *decoder = &file->decoder;
    struct ArrowBufferView head = message_view(file, 0, file->message.length);
    ArrowErrorCode code = ArrowIpcDecoderDecodeHeader(decoder, head, &why);
    code = code != NANOARROW_OK ? code
                                : ArrowIpcDecoderDecodeSchemaWithDictionaries(
                                      decoder, &file->schema, &file->encodings, &why);
    if (code != NANOARROW_OK) {
        return failed(file, code, &why, error);
    }
    arrow_layout_of_file(&file->schema, file->arena, &file->layout, &refused);
    if (refused != NULL) {
        return not_read(file, refused, error);
    }
    code = ArrowIpcDecoderSetSchemaWithDictionaries(decoder, &file->schema, &file->encodings, &why);
    code = code != NANOARROW_OK ? code : ArrowIpcDecoderSetEndianness(decoder, decoder->endianness);
    code = code != NANOARROW_OK
               ? code
               : ArrowIpcDictionariesInit(&file->dictionaries, &file->encodings, &why);
    file->has_dictionaries = code == NANOARROW_OK;
    return code == NANOARROW_OK ? STATUS_OK : failed(file, code, &why, error);
}

/* A message whose head is in `message`. */
static enum status take_message(struct arrow_file *file, struct arrow_block *block,
                                struct error *error)
{
    struct ArrowError why = {.message = ""};
    struct ArrowBufferView head = message_view(file, 0, file->message.length);
    ArrowErrorCode code = ArrowIpcDecoderVerifyHeader(&file->decoder, head, &why);
    if (code != NANOARROW_OK) {
        return failed(file, code, &why, error);
    }
    enum ArrowIpcMessageType type = file->decoder.message_type;
    if (!arrow_message_is_whole(file->message.data, type)) {
        return arrow_file_damaged(file, "a message lacks a part", error);
    }
    uint64_t left = file->bytes - block->offset - block->head_bytes;
    if (file->decoder.body_size_bytes < 0 || (uint64_t)file->decoder.body_size_bytes > left) {
        return arrow_file_damaged(file, "a message is longer than what is left of the file", error);
    }
    block->body_bytes = (uint64_t)file->decoder.body_size_bytes;
    if ((type == NANOARROW_IPC_MESSAGE_TYPE_SCHEMA) != (file->schema.release == NULL)) {
        return arrow_file_damaged(file, "it does not begin with one schema", error);
    }
    switch (type) {
    case NANOARROW_IPC_MESSAGE_TYPE_SCHEMA:
        return take_schema(file, error);
    case NANOARROW_IPC_MESSAGE_TYPE_DICTIONARY_BATCH:
        if (arrow_message_grows(file->message.data)) {
            return not_read(file, "it has dictionaries that grow (delta dictionaries)", error);
        }
        add_block(file, block, false);
        return STATUS_OK;
    case NANOARROW_IPC_MESSAGE_TYPE_RECORD_BATCH:
        block->rows = arrow_message_rows(file->message.data);
        if (block->rows > ARROW_ROWS_MAX || file->rows > ARROW_ROWS_MAX) {
            return arrow_file_damaged(file, "a record batch has no number of rows", error);
        }
        file->rows += block->rows;
        add_block(file, block, true);
        return STATUS_OK;
    default:
        return arrow_file_damaged(file, "it holds tensors", error);
    }
}

static enum status take_messages(struct arrow_file *file, uint64_t offset, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        struct arrow_block block = {.offset = offset};
        status = find_head(file, offset, &block.head_bytes, error);
        status = status == STATUS_OK ? read_at(file, offset, block.head_bytes, error) : status;
        status = status == STATUS_OK ? take_message(file, &block, error) : status;
        offset += block.head_bytes + block.body_bytes;
    }
    if (status == STATUS_END && file->schema.release == NULL) {
        return arrow_file_damaged(file, "it has no schema", error);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status cant_open(const struct arrow_file *file, struct error *error)
{
    return error_set_errno(error, file->code, errno, file->path, "can't open the file");
}

/* Which format it is, and a line that says more of what is no such file at all. */
static enum status look_at_ends(struct arrow_file *file, struct error *error)
{
    char head[FILE_HEAD_BYTES] = {0};
    char tail[MAGIC_BYTES] = {0};
    struct stat facts;
    if (fstat(file->descriptor, &facts) != 0 ||
        file_read_at(file->descriptor, head, sizeof(head), 0) < 0) {
        return cant_open(file, error);
    }
    file->bytes = (uint64_t)facts.st_size;
    file->whole = memcmp(head, magic, MAGIC_BYTES) == 0;
    if (memcmp(head, "FEA1", 4) == 0) {
        return arrow_file_damaged(file, "it is of version 1 of Feather; version 2 is read", error);
    }
    if (!file->whole) {
        return file->bytes > 0 ? STATUS_OK : arrow_file_damaged(file, "it is empty", error);
    }
    if (file->bytes >= FILE_BYTES_LEAST &&
        file_read_at(file->descriptor, tail, sizeof(tail), file->bytes - sizeof(tail)) < 0) {
        return cant_open(file, error);
    }
    return memcmp(tail, magic, MAGIC_BYTES) == 0
               ? STATUS_OK
               : arrow_file_damaged(file, "it does not end as Arrow files do", error);
}

static enum status open_file(struct arrow_file *file, struct error *error)
{
    file->descriptor = file_open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    if (file->descriptor < 0) {
        return cant_open(file, error);
    }
    if (ArrowIpcDecoderInit(&file->decoder) != NANOARROW_OK) {
        return error_set(error, ERROR_MEMORY, file->path, "no memory to read the file");
    }
    return look_at_ends(file, error) == STATUS_OK
               ? take_messages(file, file->whole ? FILE_HEAD_BYTES : 0, error)
               : STATUS_FAILED;
}

enum status arrow_file_open(const char *path, enum error_code code, struct arrow_file **file,
                            struct error *error)
{
    struct arrow_file *made = memory_allocate_zeroed(1, sizeof(*made));
    *file = NULL;
    made->path = memory_copy_string(path);
    made->arena = arena_create(0);
    made->descriptor = -1;
    made->code = code;
    ArrowIpcDictionaryEncodingsInit(&made->encodings);
    if (open_file(made, error) != STATUS_OK) {
        arrow_file_close(made);
        return STATUS_FAILED;
    }
    *file = made;
    return STATUS_OK;
}

void arrow_file_close(struct arrow_file *file)
{
    if (file == NULL) {
        return;
    }
    if (file->has_dictionaries) {
        ArrowIpcDictionariesReset(&file->dictionaries);
    }
    if (file->decoder.private_data != NULL) {
        ArrowIpcDecoderReset(&file->decoder);
    }
    ArrowIpcDictionaryEncodingsReset(&file->encodings);
    if (file->schema.release != NULL) {
        ArrowSchemaRelease(&file->schema);
    }
    if (file->descriptor >= 0) {
        close(file->descriptor);
    }
    buffer_free(&file->message);
    buffer_free(&file->unpacked);
    free(file->batches);
    free(file->dictionary_blocks);
    arena_destroy(file->arena);
    free(file->path);
    free(file);
}

/* ---------------------------------------------------------------- record batches */

/* Head and body into `message`; the decoder knows the head. */
static enum status read_block(struct arrow_file *file, const struct arrow_block *block,
                              struct ArrowBufferView *body, struct error *error)
{
    struct ArrowError why = {.message = ""};
    if (read_at(file, block->offset, block->head_bytes + (size_t)block->body_bytes, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    struct ArrowBufferView head = message_view(file, 0, block->head_bytes);
    ArrowErrorCode code = ArrowIpcDecoderVerifyHeader(&file->decoder, head, &why);
    bool dictionary = file->decoder.message_type == NANOARROW_IPC_MESSAGE_TYPE_DICTIONARY_BATCH;
    if (code == NANOARROW_OK &&
        !arrow_message_lies_within(file->message.data, dictionary, block->body_bytes)) {
        return arrow_file_damaged(file, "a buffer lies outside of its message", error);
    }
    code = code != NANOARROW_OK ? code : ArrowIpcDecoderDecodeHeader(&file->decoder, head, &why);
    *body = message_view(file, block->head_bytes, (size_t)block->body_bytes);
    if (code != NANOARROW_OK) {
        return failed(file, code, &why, error);
    }
    return arrow_message_claims(file->message.data, dictionary, *body) <=
                   unpacked_base + unpacked_per_byte * file->bytes
               ? STATUS_OK
               : arrow_file_damaged(file, "its buffers claim to be too large once unpacked", error);
}

static enum status read_dictionaries(struct arrow_file *file, uint64_t before, struct error *error)
{
    struct ArrowError why = {.message = ""};
    struct ArrowBufferView body;
    while (file->dictionaries_read < file->dictionary_count) {
        const struct arrow_block *block = &file->dictionary_blocks[file->dictionaries_read];
        if (!file->whole && block->offset > before) {
            break;
        }
        if (read_block(file, block, &body, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        const struct ArrowIpcDictionaryEncoding *encoding =
            file->decoder.dictionary == NULL ? NULL
                                             : ArrowIpcDictionaryEncodingsFindById(
                                                   &file->encodings, file->decoder.dictionary->id);
        if (encoding == NULL ||
            !arrow_message_has_values(file->message.data, encoding->schema->dictionary)) {
            return arrow_file_damaged(file, "a dictionary does not fit the schema", error);
        }
        ArrowErrorCode code =
            arrow_message_unpack(file->message.data, &body, &file->unpacked, &why);
        code = code != NANOARROW_OK
                   ? code
                   : ArrowIpcDecoderDecodeDictionary(&file->decoder, body,
                                                     NANOARROW_VALIDATION_LEVEL_FULL,
                                                     &file->dictionaries, &why);
        if (code != NANOARROW_OK) {
            return failed(file, code, &why, error);
        }
        file->dictionaries_read++;
    }
    return STATUS_OK;
}

enum status arrow_file_batch(struct arrow_file *file, uint32_t number,
                             const struct ArrowArrayView **view, struct error *error)
{
    struct ArrowError why = {.message = ""};
    struct ArrowBufferView body;
    struct ArrowArrayView *found = NULL;
    const struct arrow_block *block = &file->batches[number];
    if (read_dictionaries(file, block->offset, error) != STATUS_OK ||
        read_block(file, block, &body, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    ArrowErrorCode code = ArrowIpcDecoderDecodeArrayViewWithDictionaries(
        &file->decoder, body, -1, &file->dictionaries, &found, &why);
    code = code != NANOARROW_OK
               ? code
               : ArrowArrayViewValidate(found, NANOARROW_VALIDATION_LEVEL_FULL, &why);
    if (code != NANOARROW_OK) {
        return failed(file, code, &why, error);
    }
    if ((uint64_t)found->length != block->rows) {
        return arrow_file_damaged(file, "a record batch has another number of rows", error);
    }
    *view = found;
    return STATUS_OK;
}
