/* Where records stand: file and line of what is rejected, columns of what is asked for. */
#include "base/file.h"
#include "base/memory.h"
#include "connectors/folder/folder.h"

#include "base/name_index.h"
#include "base/text.h"
#include "connectors/folder/compression.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT_BYTES = 256 * 1024, MARKS_MAX = 1 << 16, RAW_BYTES_MAX = 4096 };

/* Columns that are asked for in order are found at once, others through an index of all. */
static uint32_t find_column(const struct schema_table *schema, const char *name, uint32_t guess,
                            struct name_index *names)
{
    if (guess < schema->column_count && strcmp(schema->columns[guess].name, name) == 0) {
        return guess;
    }
    for (uint32_t at = names->count; at < schema->column_count; at++) {
        const char *column = schema->columns[at].name;
        (void)name_index_add(names, column, strlen(column), at);
    }
    return name_index_find(names, name, strlen(name));
}

int32_t *folder_positions(const struct folder *folder, const struct folder_table *table,
                          const struct read_request *request, struct arena *arena)
{
    struct name_index names = {.arena = arena};
    uint32_t guess = 0;
    int32_t *positions =
        arena_allocate_zeroed(arena, (size_t)request->column_count + 1, sizeof(*positions));
    for (uint32_t at = 0; at < request->column_count; at++) {
        const char *name = request->columns[at].name;
        uint32_t column = find_column(&table->schema, name, guess, &names);
        guess = column != NAME_INDEX_NONE ? column + 1 : guess;
        positions[at] = column != NAME_INDEX_NONE    ? (int32_t)column
                        : strcmp(name, "$file") == 0 ? FOLDER_COLUMN_FILE
                        : strcmp(name, folder->format->position_column) == 0
                            ? FOLDER_COLUMN_POSITION
                            : FOLDER_COLUMN_NONE;
    }
    return positions;
}

const struct cell *folder_place(struct arena *arena, const char *file, const char *name,
                                uint64_t position)
{
    static const char file_name[] = "$file";
    struct cell *cells = arena_allocate(arena, 5 * sizeof(*cells));
    const char *copy = arena_copy_string(arena, file);
    cells[1] = cell_text(file_name, sizeof(file_name) - 1);
    cells[2] = cell_text(copy, strlen(copy));
    cells[3] = cell_text(name, strlen(name));
    cells[4] = cell_int64((int64_t)position);
    cells[0] = cell_items(VALUE_MAP, &cells[1], 2);
    return cells;
}

/* ---------------------------------------------------------------- lines */

static uint64_t count_breaks(const char *bytes, size_t length)
{
    uint64_t count = 0;
    for (size_t at = 0; at < length; at++) { /* the compiler makes vectors of it */
        count += bytes[at] == '\n';
    }
    return count;
}

static enum status count_range(const char *path, uint64_t from, uint64_t to, uint64_t *breaks,
                               struct error *error)
{
    char *bytes = memory_allocate(COUNT_BYTES);
    int descriptor = file_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
    enum status status = STATUS_OK;
    if (descriptor < 0) {
        status = error_set_errno(error, ERROR_SOURCE_READ, errno, path, "can't open the file");
    }
    while (status == STATUS_OK && from < to) {
        size_t wanted = to - from < COUNT_BYTES ? (size_t)(to - from) : COUNT_BYTES;
        ssize_t got = file_read_at(descriptor, bytes, wanted, (off_t)from);
        if (got <= 0) {
            status =
                got == 0
                    ? error_set(error, ERROR_SOURCE_CHANGED, path, "the file has become shorter")
                    : error_set_errno(error, ERROR_SOURCE_READ, errno, path, "can't read the file");
            break;
        }
        *breaks += count_breaks(bytes, (size_t)got);
        from += (uint64_t)got;
    }
    if (descriptor >= 0) {
        close(descriptor);
    }
    free(bytes);
    return status;
}

/* With the mutex held: the greatest place known at or before the byte. */
static uint32_t find_mark(const struct folder_table *table, uint32_t file, uint64_t byte,
                          struct folder_line_mark *found)
{
    uint32_t below = 0;
    uint32_t above = table->mark_counts[file];
    *found = (struct folder_line_mark){0, 1};
    while (below < above) {
        uint32_t middle = below + (above - below) / 2;
        if (table->marks[file][middle].byte <= byte) {
            *found = table->marks[file][middle];
            below = middle + 1;
        } else {
            above = middle;
        }
    }
    return below;
}

/* With the mutex held. */
static void keep_mark(struct folder *folder, const struct folder_table *table, uint32_t file,
                      struct folder_line_mark mark)
{
    struct folder_line_mark before;
    uint32_t count = table->mark_counts[file];
    uint32_t at = find_mark(table, file, mark.byte, &before);
    bool grows = (count & (count - 1)) == 0; /* at 0, 1, 2, 4 … */
    if (before.byte == mark.byte || count >= MARKS_MAX) {
        return;
    }
    struct folder_line_mark *marks = table->marks[file];
    if (grows) {
        marks = arena_allocate_zeroed(folder->snapshot->arena, count == 0 ? 1 : (size_t)count * 2,
                                      sizeof(*marks));
        if (count > 0) {
            memcpy(marks, table->marks[file], count * sizeof(*marks));
        }
        table->marks[file] = marks;
    }
    memmove(marks + at + 1, marks + at, (count - at) * sizeof(*marks));
    marks[at] = mark;
    table->mark_counts[file] = count + 1;
}

enum status folder_line_at(struct folder *folder, const struct folder_table *table, uint32_t file,
                           uint64_t byte, uint64_t *line, struct error *error)
{
    struct folder_line_mark mark;
    struct arena *arena = arena_create(1024);
    char *path = folder_file_path(arena, table, file);
    pthread_mutex_lock(&folder->mutex);
    (void)find_mark(table, file, byte, &mark);
    pthread_mutex_unlock(&folder->mutex);
    uint64_t breaks = 0;
    enum status status = count_range(path, mark.byte, byte, &breaks, error);
    if (status == STATUS_OK) {
        *line = mark.line + breaks;
        pthread_mutex_lock(&folder->mutex);
        keep_mark(folder, table, file, (struct folder_line_mark){byte, *line});
        pthread_mutex_unlock(&folder->mutex);
    }
    arena_destroy(arena);
    return status;
}

enum status folder_line_number(struct folder *folder, const struct folder_table *table,
                               uint32_t file, const struct folder_lines *lines, uint64_t *base,
                               uint64_t *number, struct error *error)
{
    if (*base == 0 && folder_compression_of(table->files[file].name) != FOLDER_PLAIN) {
        *base = 1;
    } else if (*base == 0 && folder_line_at(folder, table, file, folder_lines_first_offset(lines),
                                            base, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *number = *base + folder_lines_number(lines);
    return STATUS_OK;
}

void folder_refuse_line(struct batch *batch, const char *file, uint64_t number, const char *line,
                        size_t length, const struct error *why)
{
    char place[32];
    snprintf(place, sizeof(place), "line %llu", (unsigned long long)number);
    folder_refuse_record(batch, file, number, place, line, length, why);
}

void folder_refuse_record(struct batch *batch, const char *file, uint64_t number, const char *place,
                          const char *text, size_t length, const struct error *why)
{
    struct buffer reason = {0};
    size_t kept = text_clip(text, length, RAW_BYTES_MAX);
    buffer_format(&reason, "%s %s: ", file, place);
    if (why->object[0] != '\0') {
        buffer_format(&reason, "field \"%s\": ", why->object);
    }
    buffer_append_string(&reason, why->message);
    const struct cell *key = folder_place(batch->arena, file, "$line", number);
    const char *raw = arena_copy(batch->arena, text, kept);
    const struct cell cell = text_is_utf8(raw, kept) ? cell_text(raw, kept) : cell_bytes(raw, kept);
    batch_refuse(batch, why->code, buffer_string(&reason), key, 1, &cell);
    buffer_free(&reason);
}
