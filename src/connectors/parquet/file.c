/* A file opened for reading: its layout and its row groups. */
#include "connectors/parquet/parquet.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, MAGIC_BYTES = 4, FILE_BYTES_LEAST = 12 };

static enum error_code invalid_code(const struct parquet_file *file)
{
    return file->code == ERROR_SOURCE_READ ? ERROR_SOURCE_INVALID : ERROR_TARGET_INVALID;
}

enum status parquet_file_damaged(const struct parquet_file *file, const char *why,
                                 struct error *error)
{
    char clean[256];
    text_printable(why, strlen(why), clean, sizeof(clean));
    error_set(error, invalid_code(file), file->path,
              "the Parquet file is damaged, or not understood: %s", clean);
    return error_hint(error, "fetch or write the file again; another program that reads Parquet "
                             "tells whether it is whole");
}

enum status parquet_file_failed(const struct parquet_file *file, const carquet_error_t *why,
                                struct error *error)
{
    const struct parquet_memory *memory = &file->memory;
    if (memory->refused > 0) {
        error_set(error, invalid_code(file), file->path,
                  "the Parquet file claims pages that take %" PRIu64
                  " MiB of memory at once; %" PRIu64 " MiB are allowed for a file of its size",
                  (memory->taken + memory->refused) >> 20, memory->most >> 20);
        return error_hint(error, "if it is not damaged: write it again with smaller pages, or with "
                                 "fewer rows in a page");
    }
    if (why->code == CARQUET_ERROR_OUT_OF_MEMORY) {
        return error_set(error, ERROR_MEMORY, file->path, "no memory for a page of the file");
    }
    const char *words = why->code == CARQUET_OK   ? "a page can't be decoded"
                        : why->message[0] != '\0' ? why->message
                                                  : carquet_status_string(why->code);
    return parquet_file_damaged(file, words, error);
}

static enum status cant_open(const struct parquet_file *file, int reason, struct error *error)
{
    return error_set_errno(error, file->code, reason, file->path, "can't open the file");
}

/* Before carquet looks at it: a line that says more of what is no such file at all. */
static enum status check_magic(struct parquet_file *file, int descriptor, struct error *error)
{
    char head[MAGIC_BYTES] = {0};
    char tail[MAGIC_BYTES] = {0};
    struct stat facts;
    if (fstat(descriptor, &facts) != 0) {
        return cant_open(file, errno, error);
    }
    parquet_memory_begin(&file->memory, (uint64_t)facts.st_size);
    bool long_enough = facts.st_size >= FILE_BYTES_LEAST;
    if (long_enough && (file_read_at(descriptor, head, sizeof(head), 0) != sizeof(head) ||
                        file_read_at(descriptor, tail, sizeof(tail),
                                     (uint64_t)facts.st_size - sizeof(tail)) != sizeof(tail))) {
        return cant_open(file, errno, error);
    }
    if (!long_enough || memcmp(head, "PAR1", sizeof(head)) != 0) {
        bool locked = memcmp(head, "PARE", sizeof(head)) == 0;
        return parquet_file_damaged(
            file, locked ? "it is encrypted" : "it does not begin as Parquet files do", error);
    }
    return memcmp(tail, "PAR1", sizeof(tail)) == 0
               ? STATUS_OK
               : parquet_file_damaged(file, "it does not end as Parquet files do", error);
}

static enum status read_groups(struct parquet_file *file, struct error *error)
{
    int32_t count = carquet_reader_num_row_groups(file->reader);
    carquet_row_group_metadata_t facts;
    file->group_count = count > 0 ? (uint32_t)count : 0;
    file->group_rows = arena_allocate_zeroed(file->arena, (size_t)file->group_count + 1,
                                             sizeof(*file->group_rows));
    for (uint32_t at = 0; at < file->group_count; at++) {
        if (carquet_reader_row_group_metadata(file->reader, (int32_t)at, &facts) != CARQUET_OK ||
            facts.num_rows < 0 || facts.num_rows > INT64_MAX / 2 || file->rows > INT64_MAX / 2) {
            return parquet_file_damaged(file, "a row group has no number of rows", error);
        }
        file->group_rows[at] = (uint64_t)facts.num_rows;
        file->rows += (uint64_t)facts.num_rows;
    }
    return file->rows == (uint64_t)carquet_reader_num_rows(file->reader)
               ? STATUS_OK
               : parquet_file_damaged(file, "its row groups have another number of rows in all",
                                      error);
}

static enum status open_reader(struct parquet_file *file, struct error *error)
{
    carquet_reader_options_t options;
    carquet_error_t why = CARQUET_ERROR_INIT;
    const char *refused = NULL;
    int descriptor = file_open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    if (descriptor < 0) {
        return cant_open(file, errno, error);
    }
    if (check_magic(file, descriptor, error) != STATUS_OK) {
        close(descriptor);
        return STATUS_FAILED;
    }
    file->stream = fdopen(descriptor, "rb");
    if (file->stream == NULL) {
        int reason = errno;
        close(descriptor);
        return cant_open(file, reason, error);
    }
    carquet_reader_options_init(&options);
    options.buffer_size = READ_BYTES;
    options.num_threads = 1;
    parquet_memory_enter(&file->memory);
    file->reader = carquet_reader_open_file(file->stream, &options, &why);
    parquet_memory_leave();
    if (file->reader == NULL) {
        return parquet_file_failed(file, &why, error);
    }
    parquet_layout_of_file(carquet_reader_schema(file->reader), file->arena, &file->layout,
                           &refused);
    return refused == NULL ? read_groups(file, error) : parquet_file_damaged(file, refused, error);
}

enum status parquet_file_open(const char *path, enum error_code code, struct parquet_file **file,
                              struct error *error)
{
    struct parquet_file *made = memory_allocate_zeroed(1, sizeof(*made));
    *file = NULL;
    parquet_memory_prepare();
    made->path = memory_copy_string(path);
    made->arena = arena_create(0);
    made->code = code;
    if (open_reader(made, error) != STATUS_OK) {
        parquet_file_close(made);
        return STATUS_FAILED;
    }
    *file = made;
    return STATUS_OK;
}

void parquet_file_close(struct parquet_file *file)
{
    if (file == NULL) {
        return;
    }
    parquet_memory_enter(&file->memory);
    carquet_reader_close(file->reader);
    parquet_memory_leave();
    if (file->stream != NULL) {
        (void)fclose(file->stream);
    }
    arena_destroy(file->arena);
    free(file->path);
    free(file);
}
