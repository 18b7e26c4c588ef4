/* A Parquet file as a stranger made it: whatever comes, its columns are read within their bounds,
 * or the file is refused. */
#include "support.h"

#include "connectors/parquet/parquet.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROWS_MAX = 3000 };

/* Rows as bytes come apart into what the columns gave. */
static enum status read_row(struct parquet_assembly *assembly, struct buffer *row,
                            struct error *error)
{
    const struct parquet_layout *layout = &assembly->file->layout;
    enum status status = STATUS_OK;
    uint32_t whole = 0;
    buffer_clear(row);
    buffer_append(row, &whole, sizeof(whole));
    for (uint32_t leaf = 0; leaf < layout->leaf_count && status == STATUS_OK; leaf++) {
        status = parquet_row_append(assembly, &assembly->cursors[leaf], row, error);
    }
    whole = (uint32_t)row->length;
    memcpy(row->data, &whole, sizeof(whole));
    struct parquet_assembly again = {.arena = assembly->arena};
    if (status == STATUS_OK) {
        FUZZ_REQUIRE(parquet_row_parse(layout, row->data, row->length, assembly->arena,
                                       &again.cursors, error) == STATUS_OK);
    }
    for (uint32_t at = 0; at < layout->column_count && status == STATUS_OK; at++) {
        struct cell cell;
        struct error why;
        error_clear(&why);
        if (parquet_assemble(&again, &layout->columns[at], &cell, &why) != STATUS_OK) {
            break; /* columns of one field contradict each other */
        }
    }
    return status;
}

static void read_group(struct parquet_assembly *assembly, uint32_t group)
{
    struct buffer row = {0};
    struct error error = {0};
    enum status status = STATUS_OK;
    uint64_t rows = assembly->file->group_rows[group];
    for (uint32_t leaf = 0; leaf < assembly->file->layout.leaf_count; leaf++) {
        parquet_cursor_place(&assembly->cursors[leaf], group);
    }
    for (uint64_t at = 0; at < rows && at < ROWS_MAX && status == STATUS_OK; at++) {
        arena_reset(assembly->arena);
        status = read_row(assembly, &row, &error);
    }
    FUZZ_REQUIRE(status == STATUS_OK || error.code != ERROR_NONE);
    for (uint32_t leaf = 0; leaf < assembly->file->layout.leaf_count; leaf++) {
        parquet_cursor_close(&assembly->cursors[leaf]);
    }
    buffer_free(&row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct error error = {0};
    struct parquet_file *file = NULL;
    int descriptor = memfd_create("parquet", MFD_CLOEXEC);
    if (descriptor < 0 || write(descriptor, data, size) != (ssize_t)size) {
        return 0;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
    if (parquet_file_open(path, ERROR_SOURCE_READ, &file, &error) == STATUS_OK) {
        struct parquet_assembly assembly = {.file = file, .arena = arena_create(0)};
        assembly.cursors =
            parquet_cursors_create(file, &file->layout, file->layout.leaf_count, file->arena);
        for (uint32_t group = 0; group < file->group_count && group < 8; group++) {
            read_group(&assembly, group);
        }
        arena_destroy(assembly.arena);
    } else {
        fuzz_check_error(&error);
    }
    parquet_file_close(file);
    close(descriptor);
    return 0;
}
