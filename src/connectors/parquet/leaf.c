/* The entries of leaves, read in pieces of bounded size. */
#include "connectors/parquet/parquet.h"

#include <string.h>

/* carquet keeps the pages of texts until a column reader is closed. */
enum { ENTRIES_MAX = 1024, ENTRIES_LEAST = 16, ENTRIES_BYTES = 4 << 20, KEPT_BYTES_MAX = 2 << 20 };

struct parquet_cursor *parquet_cursors_create(struct parquet_file *file,
                                              const struct parquet_layout *layout,
                                              uint32_t used_count, struct arena *arena)
{
    size_t share = ENTRIES_BYTES / (used_count > 0 ? used_count : 1);
    struct parquet_cursor *cursors =
        arena_allocate_zeroed(arena, (size_t)layout->leaf_count + 1, sizeof(*cursors));
    for (uint32_t at = 0; at < layout->leaf_count; at++) {
        size_t value_size = parquet_value_size(layout->leaves[at].node);
        size_t entries = share / (value_size + 2 * sizeof(int16_t));
        cursors[at] = (struct parquet_cursor){
            .leaf = &layout->leaves[at],
            .file = file,
            .number = at,
            .value_size = value_size,
            .capacity = entries > ENTRIES_MAX     ? ENTRIES_MAX
                        : entries < ENTRIES_LEAST ? ENTRIES_LEAST
                                                  : (uint32_t)entries,
        };
    }
    return cursors;
}

void parquet_cursor_close(struct parquet_cursor *cursor)
{
    if (cursor->column != NULL) {
        parquet_memory_enter(&cursor->file->memory);
        carquet_column_reader_free(cursor->column);
        parquet_memory_leave();
        cursor->column = NULL;
    }
}

void parquet_cursor_place(struct parquet_cursor *cursor, uint32_t group)
{
    parquet_cursor_close(cursor);
    cursor->group = group;
    cursor->count = 0;
    cursor->at = 0;
    cursor->value_at = 0;
    cursor->taken = 0;
    cursor->kept_bytes = 0;
}

/* False: a file of its size may not have values that wide. */
static bool make_arrays(struct parquet_cursor *cursor)
{
    struct arena *arena = cursor->file->arena;
    size_t each = cursor->value_size + 2 * sizeof(int16_t);
    if (cursor->definitions != NULL) {
        return true;
    }
    if (!parquet_memory_take(&cursor->file->memory, cursor->capacity * each)) {
        return false;
    }
    cursor->definitions =
        arena_allocate_zeroed(arena, cursor->capacity, sizeof(*cursor->definitions));
    cursor->repetitions =
        arena_allocate_zeroed(arena, cursor->capacity, sizeof(*cursor->repetitions));
    cursor->values = arena_allocate_zeroed(arena, cursor->capacity, cursor->value_size);
    return true;
}

static enum status open_column(struct parquet_cursor *cursor, struct error *error)
{
    struct parquet_file *file = cursor->file;
    carquet_error_t why = CARQUET_ERROR_INIT;
    if (!make_arrays(cursor)) {
        return parquet_file_failed(file, &why, error);
    }
    parquet_memory_enter(&file->memory);
    cursor->column = carquet_reader_get_column(file->reader, (int32_t)cursor->group,
                                               (int32_t)cursor->number, &why);
    int64_t left =
        cursor->column != NULL && cursor->taken > 0
            ? (int64_t)cursor->taken - carquet_column_skip(cursor->column, (int64_t)cursor->taken)
            : 0;
    parquet_memory_leave();
    cursor->kept_bytes = 0;
    if (cursor->column == NULL || file->memory.refused > 0) {
        return parquet_file_failed(file, &why, error);
    }
    return left == 0
               ? STATUS_OK
               : parquet_file_damaged(file, "a column is shorter when it is read again", error);
}

/* Levels beyond those of the schema would lead astray. */
static bool levels_fit(const struct parquet_cursor *cursor)
{
    const struct parquet_leaf *leaf = cursor->leaf;
    int wrong = 0;
    for (uint32_t at = 0; at < cursor->count; at++) {
        wrong |= cursor->definitions[at] < 0 || cursor->definitions[at] > leaf->definition_max ||
                 cursor->repetitions[at] < 0 || cursor->repetitions[at] > leaf->repetition_max;
    }
    return wrong == 0;
}

static void count_kept(struct parquet_cursor *cursor)
{
    if (cursor->leaf->node->physical != CARQUET_PHYSICAL_BYTE_ARRAY) {
        return;
    }
    const carquet_byte_array_t *texts = (const void *)cursor->values;
    uint32_t there = 0;
    for (uint32_t at = 0; at < cursor->count; at++) {
        if (cursor->definitions[at] == cursor->leaf->definition_max) {
            cursor->kept_bytes += (uint64_t)texts[there++].length;
        }
    }
}

enum status parquet_cursor_fill(struct parquet_cursor *cursor, struct error *error)
{
    carquet_error_t why = CARQUET_ERROR_INIT;
    if (cursor->file == NULL) {
        return STATUS_END;
    }
    if (cursor->column != NULL && cursor->kept_bytes > KEPT_BYTES_MAX) {
        parquet_cursor_close(cursor);
    }
    if (cursor->column == NULL && open_column(cursor, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    parquet_memory_enter(&cursor->file->memory);
    int64_t count = carquet_column_read_batch_ex(cursor->column, cursor->values, cursor->capacity,
                                                 cursor->definitions, cursor->repetitions, &why);
    parquet_memory_leave();
    if (count < 0 || why.code != CARQUET_OK || cursor->file->memory.refused > 0) {
        return parquet_file_failed(cursor->file, &why, error);
    }
    cursor->at = 0;
    cursor->value_at = 0;
    cursor->count = (uint32_t)count;
    cursor->taken += (uint64_t)count;
    if (!levels_fit(cursor)) {
        return parquet_file_damaged(cursor->file, "a level is beyond those of its column", error);
    }
    count_kept(cursor);
    return count > 0 ? STATUS_OK : STATUS_END;
}
