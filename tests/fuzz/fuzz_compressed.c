/* Files of lines, plain, gzip or zstd, whole and from a place in the middle. The first byte says
 * which. */
#include "support.h"

#include "connectors/folder/compression.h"
#include <string.h>

enum { LINE_BYTES_MAX = 4000, BYTES_MAX = 64 << 20 };

static const char *const names[] = {"lines", "lines.gz", "lines.zst"};

/* How many lines there are from `begin` to `end`. */
static uint64_t count(const char *path, uint64_t begin, uint64_t end, bool *failed)
{
    struct folder_lines *lines = NULL;
    struct error error = {0};
    uint64_t found = 0;
    uint64_t offset = 0;
    enum status status =
        folder_lines_open(path, begin, end, LINE_BYTES_MAX, ERROR_SOURCE_READ, &lines, &error);
    while (status == STATUS_OK && offset < BYTES_MAX) {
        char *line = NULL;
        size_t length = 0;
        bool too_long = false;
        status = folder_lines_next(lines, &line, &length, &too_long, &error);
        if (status == STATUS_OK) {
            FUZZ_REQUIRE(length <= LINE_BYTES_MAX);
            FUZZ_REQUIRE(folder_lines_number(lines) == found);
            FUZZ_REQUIRE(found == 0 || folder_lines_offset(lines) > offset);
            offset = folder_lines_offset(lines);
            memset(line, 'x', length);
            found++;
        }
    }
    if (status == STATUS_FAILED) {
        fuzz_check_error(&error);
    }
    *failed = status == STATUS_FAILED;
    folder_lines_close(lines);
    return found;
}

static bool is_packed(const uint8_t *data, size_t size)
{
    return (size >= 2 && memcmp(data, "\x1F\x8B", 2) == 0) ||
           (size >= 4 && memcmp(data, "\x28\xB5\x2F\xFD", 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[300];
    bool failed = false;
    bool broke = false;
    if (size < 2) {
        return 0;
    }
    const char *name = names[data[0] % 3];
    fuzz_empty_folder();
    fuzz_write(name, strlen(name), data + 1, size - 1);
    size_t length = strlen(fuzz_folder());
    memcpy(path, fuzz_folder(), length);
    path[length] = '/';
    memcpy(path + length + 1, name, strlen(name) + 1);
    uint64_t whole = count(path, 0, 0, &failed);
    if (data[0] % 3 == 0 && failed) {
        FUZZ_REQUIRE(is_packed(data + 1, size - 1)); /* refused by its first bytes */
    } else if (data[0] % 3 == 0) {
        /* A plain file may be cut anywhere, and each line is in one piece of it. */
        uint64_t cut = 1 + data[1] * (uint64_t)(size - 1) / 256;
        uint64_t parts = count(path, 0, cut, &broke);
        parts += cut < size - 1 ? count(path, cut, 0, &broke) : 0;
        FUZZ_REQUIRE(!broke && whole == parts);
    }
    return 0;
}
