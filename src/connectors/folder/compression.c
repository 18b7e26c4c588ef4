/* gzip (zlib) and zstd streams over file descriptors; several members or frames in a file are
 * joined. */
#include "connectors/folder/compression.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { PACKED_BYTES = 64 * 1024, GZIP_WINDOW_BITS = 15 + 16, GZIP_LEVEL = 6, ZSTD_LEVEL = 3 };
enum { ZSTD_WINDOW_LOG_MAX = 25 };

XXH3_state_t *folder_hash_create(void)
{
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL) {
        memory_exhausted(0);
    }
    return state;
}

const char *folder_compression_suffix(enum folder_compression compression)
{
    switch (compression) {
    case FOLDER_GZIP:
        return ".gz";
    case FOLDER_ZSTD:
        return ".zst";
    case FOLDER_PLAIN:
        break;
    }
    return "";
}

enum folder_compression folder_compression_of(const char *name)
{
    return text_ends_with_folded(name, ".gz")    ? FOLDER_GZIP
           : text_ends_with_folded(name, ".zst") ? FOLDER_ZSTD
                                                 : FOLDER_PLAIN;
}

/* ---------------------------------------------------------------- writing */

struct folder_output {
    char *path;
    int descriptor;
    enum folder_compression compression;
    z_stream gzip;
    ZSTD_CStream *zstd;
    uint8_t *packed;
    XXH3_state_t *checksum;
    uint64_t bytes;
};

static enum status write_bytes(struct folder_output *output, const void *bytes, size_t length,
                               struct error *error)
{
    if (file_write_all(output->descriptor, bytes, length, output->path, error) != STATUS_OK) {
        return error_recode(error, ERROR_TARGET_WRITE);
    }
    XXH3_64bits_update(output->checksum, bytes, length);
    output->bytes += length;
    return STATUS_OK;
}

static void start_compression(struct folder_output *output)
{
    bool done = true;
    if (output->compression == FOLDER_PLAIN) {
        return;
    }
    output->packed = memory_allocate(PACKED_BYTES);
    if (output->compression == FOLDER_GZIP) {
        done = deflateInit2(&output->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, 8,
                            Z_DEFAULT_STRATEGY) == Z_OK;
    } else {
        output->zstd = ZSTD_createCStream();
        done = output->zstd != NULL && !ZSTD_isError(ZSTD_initCStream(output->zstd, ZSTD_LEVEL)) &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(output->zstd, ZSTD_c_checksumFlag, 1));
    }
    if (!done) {
        memory_exhausted(0);
    }
}

void folder_output_abandon(struct folder_output *output)
{
    if (output == NULL) {
        return;
    }
    if (output->compression == FOLDER_GZIP) {
        deflateEnd(&output->gzip);
    }
    ZSTD_freeCStream(output->zstd);
    free(output->packed);
    XXH3_freeState(output->checksum);
    if (output->descriptor >= 0) {
        close(output->descriptor);
    }
    free(output->path);
    free(output);
}

enum status folder_output_open(const char *path, enum folder_compression compression,
                               struct folder_output **output, struct error *error)
{
    struct folder_output *made = memory_allocate_zeroed(1, sizeof(*made));
    made->descriptor = -1;
    made->path = memory_copy_string(path);
    made->compression = compression;
    made->checksum = folder_hash_create();
    XXH3_64bits_reset(made->checksum);
    start_compression(made);
    made->descriptor =
        file_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (made->descriptor < 0) {
        int reason = errno;
        folder_output_abandon(made);
        return error_set_errno(error, ERROR_TARGET_WRITE, reason, path, "can't create the file");
    }
    *output = made;
    return STATUS_OK;
}

static enum status write_gzip(struct folder_output *output, const void *bytes, size_t length,
                              bool end, struct error *error)
{
    z_stream *stream = &output->gzip;
    const uint8_t *from = (const uint8_t *)bytes;
    int result = Z_OK;
    do {
        if (stream->avail_in == 0 && length > 0) {
            uInt part = length > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)length;
            stream->next_in = (Bytef *)(uintptr_t)from;
            stream->avail_in = part;
            from += part;
            length -= part;
        }
        stream->next_out = output->packed;
        stream->avail_out = PACKED_BYTES;
        result = deflate(stream, end && length == 0 ? Z_FINISH : Z_NO_FLUSH);
        if (result == Z_STREAM_ERROR) {
            return error_set(error, ERROR_INTERNAL, output->path, "zlib refused to compress");
        }
        if (write_bytes(output, output->packed, PACKED_BYTES - stream->avail_out, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    } while (end ? result != Z_STREAM_END
                 : stream->avail_in > 0 || length > 0 || stream->avail_out == 0);
    return STATUS_OK;
}

static enum status write_zstd(struct folder_output *output, const void *bytes, size_t length,
                              bool end, struct error *error)
{
    ZSTD_inBuffer from = {bytes, length, 0};
    size_t left = 0;
    do {
        ZSTD_outBuffer to = {output->packed, PACKED_BYTES, 0};
        left = ZSTD_compressStream2(output->zstd, &to, &from, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation) {
            memory_exhausted(0);
        }
        if (ZSTD_isError(left)) {
            return error_set(error, ERROR_INTERNAL, output->path, "zstd refused to compress: %s",
                             ZSTD_getErrorName(left));
        }
        if (write_bytes(output, output->packed, to.pos, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    } while (end ? left > 0 : from.pos < from.size);
    return STATUS_OK;
}

static enum status write_any(struct folder_output *output, const void *bytes, size_t length,
                             bool end, struct error *error)
{
    switch (output->compression) {
    case FOLDER_GZIP:
        return write_gzip(output, bytes, length, end, error);
    case FOLDER_ZSTD:
        return write_zstd(output, bytes, length, end, error);
    case FOLDER_PLAIN:
        break;
    }
    return length > 0 ? write_bytes(output, bytes, length, error) : STATUS_OK;
}

enum status folder_output_write(struct folder_output *output, const void *bytes, size_t length,
                                struct error *error)
{
    return length > 0 ? write_any(output, bytes, length, false, error) : STATUS_OK;
}

enum status folder_output_finish(struct folder_output *output, struct folder_print *print,
                                 struct error *error)
{
    enum status status = write_any(output, "", 0, true, error);
    if (status == STATUS_OK && file_sync_data(output->descriptor) != 0) {
        status = error_set_errno(error, ERROR_TARGET_WRITE, errno, output->path,
                                 "can't make the file durable");
    }
    if (print != NULL) {
        *print = (struct folder_print){output->bytes, XXH3_64bits_digest(output->checksum)};
    }
    if (output->descriptor >= 0 && file_close(output->descriptor) != 0 && status == STATUS_OK) {
        status =
            error_set_errno(error, ERROR_TARGET_WRITE, errno, output->path, "can't close the file");
    }
    output->descriptor = -1;
    folder_output_abandon(output);
    return status;
}

enum status folder_print_file(const char *path, struct folder_print *print, struct error *error)
{
    int descriptor = file_open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0);
    XXH3_state_t *checksum = folder_hash_create();
    uint8_t *bytes = memory_allocate(PACKED_BYTES);
    enum status status = STATUS_OK;
    ssize_t length = -1;
    *print = (struct folder_print){0};
    if (descriptor < 0) {
        status = errno == ENOENT
                     ? STATUS_END
                     : error_set_errno(error, ERROR_TARGET_INVALID, errno, path, "can't be read");
    }
    XXH3_64bits_reset(checksum);
    while (status == STATUS_OK && length != 0) {
        length = file_read(descriptor, bytes, PACKED_BYTES);
        if (length > 0) {
            XXH3_64bits_update(checksum, bytes, (size_t)length);
            print->bytes += (uint64_t)length;
        } else if (length < 0) {
            status = error_set_errno(error, ERROR_TARGET_INVALID, errno, path, "can't be read");
        }
    }
    print->checksum = status == STATUS_OK ? XXH3_64bits_digest(checksum) : 0;
    if (descriptor >= 0) {
        close(descriptor);
    }
    XXH3_freeState(checksum);
    free(bytes);
    return status;
}

/* ---------------------------------------------------------------- reading */

struct folder_input {
    char *path;
    int descriptor;
    enum folder_compression compression;
    enum error_code code;
    z_stream gzip;
    bool gzip_ready;
    ZSTD_DStream *zstd;
    uint8_t *packed;
    size_t packed_length;
    size_t packed_used;
    uint64_t members; /* or frames, that are read */
    bool within;      /* one has begun and not ended */
    bool given;       /* bytes of it were unpacked */
    bool at_end;      /* of the file */
};

void folder_input_close(struct folder_input *input)
{
    if (input == NULL) {
        return;
    }
    if (input->gzip_ready) {
        inflateEnd(&input->gzip);
    }
    ZSTD_freeDStream(input->zstd);
    free(input->packed);
    if (input->descriptor >= 0) {
        close(input->descriptor);
    }
    free(input->path);
    free(input);
}

static void start_reading(struct folder_input *input)
{
    if (input->compression == FOLDER_PLAIN) {
        return;
    }
    input->packed = memory_allocate(PACKED_BYTES);
    if (input->compression == FOLDER_GZIP) {
        input->gzip_ready = inflateInit2(&input->gzip, GZIP_WINDOW_BITS) == Z_OK;
    } else {
        input->zstd = ZSTD_createDStream();
    }
    if (!input->gzip_ready && (input->zstd == NULL || ZSTD_isError(ZSTD_initDStream(input->zstd)) ||
                               ZSTD_isError(ZSTD_DCtx_setParameter(input->zstd, ZSTD_d_windowLogMax,
                                                                   ZSTD_WINDOW_LOG_MAX)))) {
        memory_exhausted(0);
    }
}

static enum status open_input(const char *path, enum folder_compression compression, uint64_t begin,
                              enum error_code code, struct folder_input **input,
                              struct error *error)
{
    struct folder_input *made = memory_allocate_zeroed(1, sizeof(*made));
    made->descriptor = -1;
    made->code = code;
    made->compression = compression;
    made->path = memory_copy_string(path);
    start_reading(made);
    made->descriptor = file_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    if (made->descriptor < 0 ||
        (begin > 0 && lseek(made->descriptor, (off_t)begin, SEEK_SET) < 0)) {
        int reason = errno;
        folder_input_close(made);
        return error_set_errno(error, code, reason, path, "can't open the file");
    }
    *input = made;
    return STATUS_OK;
}

enum folder_compression folder_compression_within(int descriptor)
{
    uint8_t head[4] = {0};
    ssize_t got = file_read_at(descriptor, head, sizeof(head), 0);
    if (got >= 2 && head[0] == 0x1F && head[1] == 0x8B) {
        return FOLDER_GZIP;
    }
    return got == 4 && memcmp(head, "\x28\xB5\x2F\xFD", 4) == 0 ? FOLDER_ZSTD : FOLDER_PLAIN;
}

/* Read as it stands, each of its lines would be a reject. */
static enum status refuse_unsaid(const struct folder_input *input, struct error *error)
{
    enum folder_compression found = folder_compression_within(input->descriptor);
    if (found == FOLDER_PLAIN) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_INVALID, input->path,
              "it is packed by %s, and its name does not say so",
              found == FOLDER_GZIP ? "gzip" : "zstd");
    return error_hint(error, "let its name end in %s", found == FOLDER_GZIP ? ".gz" : ".zst");
}

enum status folder_input_open(const char *path, uint64_t begin, enum error_code code,
                              struct folder_input **input, struct error *error)
{
    enum folder_compression compression = folder_compression_of(path);
    enum status status = open_input(path, compression, begin, code, input, error);
    if (status == STATUS_OK && compression == FOLDER_PLAIN && begin == 0 &&
        code == ERROR_SOURCE_READ && refuse_unsaid(*input, error) != STATUS_OK) {
        folder_input_close(*input);
        *input = NULL;
        return STATUS_FAILED;
    }
    return status;
}

enum status folder_input_open_packed(const char *path, enum folder_compression compression,
                                     enum error_code code, struct folder_input **input,
                                     struct error *error)
{
    return open_input(path, compression, 0, code, input, error);
}

static enum status read_bytes(struct folder_input *input, void *bytes, size_t capacity,
                              size_t *length, struct error *error)
{
    ssize_t got = file_read(input->descriptor, bytes, capacity);
    if (got < 0) {
        return error_set_errno(error, input->code, errno, input->path, "can't read the file");
    }
    *length = (size_t)got;
    return STATUS_OK;
}

static enum status damaged(struct folder_input *input, const char *reason, struct error *error)
{
    enum status status =
        error_set(error, input->code, input->path, "the compressed file is damaged: %s", reason);
    error_hint(error, "fetch or write the file again; `%s -t` tells whether it is whole",
               input->compression == FOLDER_GZIP ? "gzip" : "zstd");
    return status;
}

/*
 * The error that says what is wrong with the packed bytes. Behind a whole member they may be a lost
 * one as well as anything else: who wrote them knows, and the program does not go on without them.
 */
static enum status refuse_packed(struct folder_input *input, const char *reason,
                                 struct error *error)
{
    const char *tool = input->compression == FOLDER_GZIP ? "gzip" : "zstd";
    if (input->members == 0 || input->given) {
        return damaged(input, reason, error);
    }
    enum status status =
        error_set(error, input->code, input->path,
                  "behind its end stand bytes that are no %s data: a part of it may be lost", tool);
    error_hint(error,
               "fetch or write it again; if they mean nothing, `%s -dc FILE | %s > NEW.%s` "
               "leaves them out",
               tool, tool, tool[0] == 'g' ? "gz" : "zst");
    return status;
}

static enum status unpack_gzip(struct folder_input *input, uint8_t *bytes, size_t capacity,
                               size_t *length, struct error *error)
{
    z_stream *stream = &input->gzip;
    stream->next_in = input->packed + input->packed_used;
    stream->avail_in = (uInt)(input->packed_length - input->packed_used);
    stream->next_out = bytes;
    stream->avail_out = (uInt)capacity;
    int result = inflate(stream, Z_NO_FLUSH);
    input->packed_used = input->packed_length - stream->avail_in;
    *length = capacity - stream->avail_out;
    if (result == Z_STREAM_END) {
        input->within = false;
        input->members++;
        return inflateReset(stream) == Z_OK ? STATUS_OK : damaged(input, "zlib failed", error);
    }
    if (result == Z_MEM_ERROR) {
        memory_exhausted(0);
    }
    if (result != Z_OK && result != Z_BUF_ERROR) {
        return refuse_packed(input, stream->msg != NULL ? stream->msg : "not gzip", error);
    }
    return STATUS_OK;
}

static enum status unpack_zstd(struct folder_input *input, uint8_t *bytes, size_t capacity,
                               size_t *length, struct error *error)
{
    ZSTD_inBuffer from = {input->packed, input->packed_length, input->packed_used};
    ZSTD_outBuffer to = {.size = capacity};
    to.dst = bytes;
    size_t left = ZSTD_decompressStream(input->zstd, &to, &from);
    input->packed_used = from.pos;
    *length = to.pos;
    if (ZSTD_isError(left)) {
        return refuse_packed(input, ZSTD_getErrorName(left), error);
    }
    input->within = left > 0;
    input->members += left == 0 ? 1 : 0;
    return STATUS_OK;
}

/* Tapes and block devices fill the rest with zeros, as gzip knows. */
static void skip_padding(struct folder_input *input)
{
    while (input->members > 0 && !input->within && input->packed_used < input->packed_length &&
           input->packed[input->packed_used] == 0) {
        input->packed_used++;
    }
}

enum status folder_input_read(struct folder_input *input, void *bytes, size_t capacity,
                              size_t *length, struct error *error)
{
    *length = 0;
    if (input->compression == FOLDER_PLAIN) {
        enum status status = read_bytes(input, bytes, capacity, length, error);
        return status == STATUS_OK && *length == 0 ? STATUS_END : status;
    }
    for (;;) {
        if (input->packed_used == input->packed_length && !input->at_end) {
            if (read_bytes(input, input->packed, PACKED_BYTES, &input->packed_length, error) !=
                STATUS_OK) {
                return STATUS_FAILED;
            }
            input->packed_used = 0;
            input->at_end = input->packed_length == 0;
        }
        skip_padding(input);
        if (input->at_end && !input->within) {
            return STATUS_END;
        }
        if (input->packed_used == input->packed_length && !input->within) {
            continue; /* it was all padding */
        }
        if (!input->within) {
            input->within = true;
            input->given = false;
        }
        enum status status = input->compression == FOLDER_GZIP
                                 ? unpack_gzip(input, (uint8_t *)bytes, capacity, length, error)
                                 : unpack_zstd(input, (uint8_t *)bytes, capacity, length, error);
        input->given = input->given || *length > 0;
        if (status != STATUS_OK || *length > 0) {
            return status;
        }
        if (input->at_end && input->within) {
            return refuse_packed(input, "it ends too early", error);
        }
    }
}
