/* Rows: put together from the entries of leaves (as the Dremel paper has it), and taken apart. */
#include "connectors/parquet/parquet.h"

#include <string.h>

static enum status broken(const struct parquet_assembly *assembly, const char *why,
                          struct error *error)
{
    return assembly->file != NULL
               ? parquet_file_damaged(assembly->file, why, error)
               : error_set(error, ERROR_TARGET_INVALID, NULL, "a row is damaged: %s", why);
}

static enum status row_look(const struct parquet_assembly *assembly, struct parquet_cursor *cursor,
                            struct error *error)
{
    enum status status = parquet_cursor_look(cursor, error);
    return status != STATUS_END
               ? status
               : broken(assembly, "a column has fewer rows than its row group", error);
}

/* One entry that stands for nothing being there: each leaf below has it. */
static enum status row_skip(const struct parquet_assembly *assembly,
                            const struct parquet_node *node, int16_t definition_max,
                            struct error *error)
{
    for (uint32_t leaf = node->leaf; leaf < node->leaf + node->leaf_count; leaf++) {
        struct parquet_cursor *cursor = &assembly->cursors[leaf];
        if (row_look(assembly, cursor, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (parquet_cursor_definition(cursor) > definition_max) {
            return broken(assembly, "columns of one field contradict each other", error);
        }
        parquet_cursor_next(cursor);
    }
    return STATUS_OK;
}

/* A page of few bytes can claim millions of empty elements. */
static enum status count_cells(struct parquet_assembly *assembly, uint64_t more,
                               struct error *error)
{
    assembly->cells += more;
    return assembly->cells <= PARQUET_ROW_CELLS_MAX
               ? STATUS_OK
               : broken(assembly, "a row has more than 4194304 elements", error);
}

static enum status assemble_value(struct parquet_assembly *assembly,
                                  const struct parquet_node *node, struct cell *cell)
{
    struct parquet_cursor *cursor = &assembly->cursors[node->leaf];
    struct error why;
    error_clear(&why);
    if (parquet_value_read(node, parquet_cursor_value(cursor), assembly->arena, cell, &why) !=
        STATUS_OK) {
        if (assembly->why.code == ERROR_NONE) {
            error_set(&assembly->why, why.code, NULL, "field %s: %s", node->name, why.message);
        }
        *cell = cell_null();
    }
    parquet_cursor_next(cursor);
    return STATUS_OK;
}

static enum status assemble_record(struct parquet_assembly *assembly,
                                   const struct parquet_node *node, struct cell *cell,
                                   struct error *error)
{
    if (count_cells(assembly, 2 * (uint64_t)node->child_count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct cell *pairs =
        arena_allocate(assembly->arena, 2 * (size_t)node->child_count * sizeof(*pairs));
    for (uint32_t at = 0; at < node->child_count; at++) {
        const char *name = node->children[at].name;
        size_t length = strlen(name);
        const char *copy = arena_copy(assembly->arena, name, length);
        pairs[2 * (size_t)at] = cell_text(copy, length);
        if (parquet_assemble(assembly, &node->children[at], &pairs[2 * (size_t)at + 1], error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *cell = cell_items(VALUE_MAP, pairs, node->child_count);
    return STATUS_OK;
}

/* Elements, or keys and values, of a list that grows. */
struct growing {
    struct cell *cells;
    size_t count;
    size_t capacity;
};

static struct cell *row_grow(struct parquet_assembly *assembly, struct growing *growing,
                             size_t more)
{
    if (growing->count + more > growing->capacity) {
        size_t capacity = growing->capacity == 0 ? 8 : growing->capacity * 2;
        struct cell *cells = arena_allocate(assembly->arena, capacity * sizeof(*cells));
        if (growing->count > 0) {
            memcpy(cells, growing->cells, growing->count * sizeof(*cells));
        }
        growing->cells = cells;
        growing->capacity = capacity;
    }
    growing->count += more;
    return growing->cells + growing->count - more;
}

static enum status assemble_elements(struct parquet_assembly *assembly,
                                     const struct parquet_node *node, struct cell *cell,
                                     struct error *error)
{
    struct parquet_cursor *first = &assembly->cursors[node->leaf];
    struct growing growing = {0};
    bool map = node->form == PARQUET_MAP;
    *cell = cell_items(map ? VALUE_MAP : VALUE_LIST, NULL, 0);
    if (parquet_cursor_definition(first) == node->present) {
        return row_skip(assembly, node, node->present, error);
    }
    for (enum status status = STATUS_OK; status == STATUS_OK;) {
        if (count_cells(assembly, node->child_count, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        struct cell *items = row_grow(assembly, &growing, map ? 2 : 1);
        for (uint32_t at = 0; at < node->child_count; at++) {
            if (parquet_assemble(assembly, &node->children[at], &items[at], error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
        status = parquet_cursor_look(first, error);
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        if (status == STATUS_END || parquet_cursor_repetition(first) < node->repeats) {
            break;
        }
        if (parquet_cursor_definition(first) <= node->present) {
            return broken(assembly, "a list goes on with nothing", error);
        }
    }
    *cell = cell_items(map ? VALUE_MAP : VALUE_LIST, growing.cells,
                       map ? growing.count / 2 : growing.count);
    return STATUS_OK;
}

enum status parquet_assemble(struct parquet_assembly *assembly, const struct parquet_node *node,
                             struct cell *cell, struct error *error)
{
    struct parquet_cursor *first = &assembly->cursors[node->leaf];
    if (row_look(assembly, first, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (parquet_cursor_definition(first) < node->present) {
        *cell = cell_null();
        return row_skip(assembly, node, (int16_t)(node->present - 1), error);
    }
    switch (node->form) {
    case PARQUET_VALUE:
        return assemble_value(assembly, node, cell);
    case PARQUET_RECORD:
        return assemble_record(assembly, node, cell, error);
    case PARQUET_LIST:
    case PARQUET_MAP:
        break;
    }
    return assemble_elements(assembly, node, cell, error);
}

/* ---------------------------------------------------------------- rows as bytes */

static void append_entry(struct parquet_cursor *cursor, struct buffer *out)
{
    const struct parquet_leaf *leaf = cursor->leaf;
    int16_t definition = parquet_cursor_definition(cursor);
    buffer_append_byte(out, (char)definition);
    if (leaf->repetition_max > 0) {
        buffer_append_byte(out, (char)parquet_cursor_repetition(cursor));
    }
    if (definition == leaf->definition_max) {
        carquet_byte_array_t bytes;
        const void *value = parquet_cursor_value(cursor);
        if (leaf->node->physical != CARQUET_PHYSICAL_BYTE_ARRAY) {
            buffer_append(out, value, cursor->value_size);
        } else {
            memcpy(&bytes, value, sizeof(bytes));
            uint32_t length = bytes.length > 0 ? (uint32_t)bytes.length : 0;
            buffer_append(out, &length, sizeof(length));
            buffer_append(out, bytes.data, length);
        }
    }
    parquet_cursor_next(cursor);
}

enum status parquet_row_append(struct parquet_assembly *assembly, struct parquet_cursor *cursor,
                               struct buffer *out, struct error *error)
{
    uint32_t count = 0;
    size_t place = out->length;
    if (cursor->leaf->repetition_max > 0) {
        buffer_append(out, &count, sizeof(count));
    }
    if (row_look(assembly, cursor, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    do {
        append_entry(cursor, out);
        count++;
        if (out->length > PARQUET_ROW_BYTES_MAX) {
            return broken(assembly, "a row has more than 1 GiB", error);
        }
        if (cursor->leaf->repetition_max == 0) {
            return STATUS_OK;
        }
        status = parquet_cursor_look(cursor, error);
    } while (status == STATUS_OK && parquet_cursor_repetition(cursor) > 0);
    memcpy(out->data + place, &count, sizeof(count));
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

struct row_reader {
    const char *at;
    size_t left;
    struct arena *arena;
};

static bool row_take(struct row_reader *reader, void *to, size_t length)
{
    if (reader->left < length) {
        return false;
    }
    memcpy(to, reader->at, length);
    reader->at += length;
    reader->left -= length;
    return true;
}

static bool take_value(struct row_reader *reader, const struct parquet_node *node, uint8_t *to,
                       size_t size)
{
    carquet_byte_array_t bytes;
    uint32_t length = 0;
    if (node->physical != CARQUET_PHYSICAL_BYTE_ARRAY) {
        return row_take(reader, to, size);
    }
    if (!row_take(reader, &length, sizeof(length)) || length > reader->left || length > INT32_MAX) {
        return false;
    }
    bytes = (carquet_byte_array_t){(uint8_t *)(uintptr_t)reader->at, (int32_t)length};
    memcpy(to, &bytes, sizeof(bytes));
    reader->at += length;
    reader->left -= length;
    return true;
}

static bool take_leaf(struct row_reader *reader, struct parquet_cursor *cursor)
{
    const struct parquet_leaf *leaf = cursor->leaf;
    bool repeats = leaf->repetition_max > 0;
    uint32_t count = 1;
    uint32_t there = 0;
    if (repeats && (!row_take(reader, &count, sizeof(count)) || count > reader->left)) {
        return false;
    }
    cursor->count = count;
    cursor->definitions = arena_allocate_zeroed(reader->arena, count, sizeof(*cursor->definitions));
    cursor->repetitions = arena_allocate_zeroed(reader->arena, count, sizeof(*cursor->repetitions));
    cursor->values = arena_allocate_zeroed(reader->arena, count, cursor->value_size);
    for (uint32_t at = 0; at < count; at++) {
        uint8_t definition = 0;
        uint8_t repetition = 0;
        if (!row_take(reader, &definition, 1) || (repeats && !row_take(reader, &repetition, 1)) ||
            definition > leaf->definition_max || repetition > leaf->repetition_max) {
            return false;
        }
        cursor->definitions[at] = definition;
        cursor->repetitions[at] = repetition;
        if (definition == leaf->definition_max &&
            !take_value(reader, leaf->node, cursor->values + there++ * cursor->value_size,
                        cursor->value_size)) {
            return false;
        }
    }
    return true;
}

enum status parquet_row_parse(const struct parquet_layout *layout, const char *bytes, size_t length,
                              struct arena *arena, struct parquet_cursor **cursors,
                              struct error *error)
{
    uint32_t whole = 0;
    struct row_reader reader = {bytes, length, arena};
    bool done = row_take(&reader, &whole, sizeof(whole)) && whole == length;
    *cursors = parquet_cursors_create(NULL, layout, 0, arena);
    for (uint32_t at = 0; done && at < layout->leaf_count; at++) {
        done = take_leaf(&reader, &(*cursors)[at]);
    }
    return done && reader.left == 0
               ? STATUS_OK
               : error_set(error, ERROR_TARGET_INVALID, NULL, "a row is damaged");
}
