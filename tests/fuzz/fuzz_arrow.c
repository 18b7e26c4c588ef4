/* An Arrow file as a stranger made it: whatever comes, its record batches are read within their
 * bounds, or the file is refused; what was read can be written. */
#include "support.h"

#include "connectors/arrow/arrow.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROWS_MAX = 3000, BATCHES_MAX = 8 };

static void read_batch(struct arrow_file *file, uint32_t number, struct arena *arena)
{
    struct error error = {0};
    struct cell cell;
    struct cell fitted;
    const struct ArrowArrayView *view = NULL;
    if (arrow_file_batch(file, number, &view, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    for (int64_t row = 0; row < view->length && row < ROWS_MAX; row++) {
        arena_reset(arena);
        for (uint32_t at = 0; at < file->layout.column_count; at++) {
            const struct arrow_node *node = &file->layout.columns[at];
            struct error why = {0};
            if (arrow_value_read(node, view->children[at], row, arena, &cell, &why) != STATUS_OK ||
                arrow_value_fit(node, &cell, arena, &fitted, &why) != STATUS_OK) {
                FUZZ_REQUIRE(why.code != ERROR_NONE);
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct error error = {0};
    struct arrow_file *file = NULL;
    int descriptor = memfd_create("arrow", MFD_CLOEXEC);
    if (descriptor < 0 || write(descriptor, data, size) != (ssize_t)size) {
        return 0;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
    if (arrow_file_open(path, ERROR_SOURCE_READ, &file, &error) == STATUS_OK) {
        struct arena *arena = arena_create(0);
        for (uint32_t at = 0; at < file->batch_count && at < BATCHES_MAX; at++) {
            read_batch(file, at, arena);
        }
        arena_destroy(arena);
    } else {
        fuzz_check_error(&error);
    }
    arrow_file_close(file);
    close(descriptor);
    return 0;
}
