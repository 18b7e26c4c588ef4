/* Records to rows: the cells of a record taken apart into the entries of leaves. */
#include "connectors/parquet/parquet.h"

#include "base/memory.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

struct leaf_entries {
    struct buffer bytes;
    uint32_t count;
};

struct folder_encoder {
    const struct parquet_database *database;
    struct arena *arena;
    struct arena *scratch; /* of one record */
    struct parquet_layout layout;
    int32_t *fields; /* of each column, that of the shape; -1: none has it */
    struct leaf_entries *entries;
};

const struct parquet_layout *parquet_encoder_layout(const struct folder_encoder *encoder)
{
    return &encoder->layout;
}

void parquet_encoder_destroy(struct folder_encoder *encoder)
{
    if (encoder == NULL) {
        return;
    }
    for (uint32_t at = 0; at < encoder->layout.leaf_count; at++) {
        buffer_free(&encoder->entries[at].bytes);
    }
    arena_destroy(encoder->scratch);
    arena_destroy(encoder->arena);
    free(encoder);
}

/* A column is never null where the table says so and these records have it. */
static void lay_out(struct folder_encoder *encoder, const struct target_table *table,
                    const struct shape *shape)
{
    uint32_t count = table->column_count;
    bool *required = arena_allocate_zeroed(encoder->arena, (size_t)count + 1, sizeof(*required));
    encoder->fields =
        arena_allocate_zeroed(encoder->arena, (size_t)count + 1, sizeof(*encoder->fields));
    for (uint32_t at = 0; at < count; at++) {
        encoder->fields[at] = shape_field_find(shape, table->columns[at].name);
        required[at] = table->columns[at].not_null && encoder->fields[at] >= 0;
    }
    parquet_layout_of_columns(encoder->database, table->columns, count, required, encoder->arena,
                              &encoder->layout);
}

enum status parquet_encoder_create(struct folder *folder, const struct target_table *table,
                                   const struct shape *shape, const struct cell *first,
                                   struct folder_encoder **encoder, struct error *error)
{
    (void)first;
    *encoder = NULL;
    if (shape == NULL || table->column_count == 0) {
        return error_set(error, ERROR_INTERNAL, table->name, "documents have no columns");
    }
    struct folder_encoder *made = memory_allocate_zeroed(1, sizeof(*made));
    made->database = (const struct parquet_database *)folder;
    made->arena = arena_create(0);
    made->scratch = arena_create(0);
    lay_out(made, table, shape);
    made->entries = arena_allocate_zeroed(made->arena, (size_t)made->layout.leaf_count + 1,
                                          sizeof(*made->entries));
    *encoder = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- entries */

static struct buffer *add_entry(struct folder_encoder *encoder, uint32_t leaf, int16_t definition,
                                int16_t repetition)
{
    struct leaf_entries *entries = &encoder->entries[leaf];
    entries->count++;
    buffer_append_byte(&entries->bytes, (char)definition);
    if (encoder->layout.leaves[leaf].repetition_max > 0) {
        buffer_append_byte(&entries->bytes, (char)repetition);
    }
    return &entries->bytes;
}

/* Nothing is there from this level on. */
static void add_nothing(struct folder_encoder *encoder, const struct parquet_node *node,
                        int16_t definition, int16_t repetition)
{
    for (uint32_t leaf = node->leaf; leaf < node->leaf + node->leaf_count; leaf++) {
        (void)add_entry(encoder, leaf, definition, repetition);
    }
}

static enum status take_apart(struct folder_encoder *encoder, const struct parquet_node *node,
                              const struct cell *cell, int16_t repetition, struct error *error);

static enum status refuse_kind(const struct parquet_node *node, const struct cell *cell,
                               struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, NULL, "it is %s, and the column holds %s",
                     value_kind_name((enum value_kind)cell->kind),
                     value_kind_name(node->type.kind));
}

static enum status apart_record(struct folder_encoder *encoder, const struct parquet_node *node,
                                const struct cell *cell, int16_t repetition, struct error *error)
{
    uint32_t found = 0;
    if (cell->kind != VALUE_MAP) {
        return refuse_kind(node, cell, error);
    }
    for (uint32_t at = 0; at < node->child_count; at++) {
        const struct cell *field = value_field(cell, node->children[at].name);
        found += field != NULL ? 1 : 0;
        if (take_apart(encoder, &node->children[at], field, repetition, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return found == cell->length ? STATUS_OK
                                 : error_set(error, ERROR_REJECT_TYPE, NULL,
                                             "it has a field that the column's type does not name");
}

static enum status apart_elements(struct folder_encoder *encoder, const struct parquet_node *node,
                                  const struct cell *cell, int16_t repetition, struct error *error)
{
    bool map = node->form == PARQUET_MAP;
    bool fits = map ? cell->kind == VALUE_MAP : cell->kind == VALUE_LIST || cell->kind == VALUE_SET;
    if (!fits) {
        return refuse_kind(node, cell, error);
    }
    if (cell->length == 0) {
        add_nothing(encoder, node, node->present, repetition);
    }
    for (uint32_t at = 0; at < cell->length; at++) {
        const struct cell *items = &cell->items[(size_t)at * node->child_count];
        for (uint32_t child = 0; child < node->child_count; child++) {
            if (take_apart(encoder, &node->children[child], &items[child],
                           at == 0 ? repetition : node->repeats, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
    }
    return STATUS_OK;
}

/* `cell` NULL: it is not there. */
static enum status take_apart(struct folder_encoder *encoder, const struct parquet_node *node,
                              const struct cell *cell, int16_t repetition, struct error *error)
{
    if (cell == NULL || cell->kind <= VALUE_NULL) {
        if (!node->optional) {
            return error_set(error, ERROR_REJECT_TYPE, NULL, "it is null, and must not be");
        }
        add_nothing(encoder, node, (int16_t)(node->present - 1), repetition);
        return STATUS_OK;
    }
    switch (node->form) {
    case PARQUET_VALUE:
        return parquet_value_append(node, cell, encoder->scratch,
                                    add_entry(encoder, node->leaf, node->present, repetition),
                                    error);
    case PARQUET_RECORD:
        return apart_record(encoder, node, cell, repetition, error);
    case PARQUET_LIST:
    case PARQUET_MAP:
        break;
    }
    return apart_elements(encoder, node, cell, repetition, error);
}

/* ---------------------------------------------------------------- records */

static enum status append_nested(struct folder_encoder *encoder, const struct parquet_node *node,
                                 const struct cell *cell, struct buffer *out, struct error *error)
{
    for (uint32_t leaf = node->leaf; leaf < node->leaf + node->leaf_count; leaf++) {
        buffer_clear(&encoder->entries[leaf].bytes);
        encoder->entries[leaf].count = 0;
    }
    if (take_apart(encoder, node, cell, 0, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t leaf = node->leaf; leaf < node->leaf + node->leaf_count; leaf++) {
        const struct leaf_entries *entries = &encoder->entries[leaf];
        if (encoder->layout.leaves[leaf].repetition_max > 0) {
            buffer_append(out, &entries->count, sizeof(entries->count));
        }
        buffer_append_buffer(out, &entries->bytes);
    }
    return STATUS_OK;
}

static enum status append_column(struct folder_encoder *encoder, const struct parquet_node *node,
                                 const struct cell *cell, struct buffer *out, struct error *error)
{
    if (node->form != PARQUET_VALUE) {
        return append_nested(encoder, node, cell, out, error);
    }
    if (cell != NULL && cell->kind > VALUE_NULL) {
        buffer_append_byte(out, (char)node->present);
        return parquet_value_append(node, cell, encoder->scratch, out, error);
    }
    if (!node->optional) {
        return error_set(error, ERROR_REJECT_TYPE, NULL, "it is null, and must not be");
    }
    buffer_append_byte(out, 0);
    return STATUS_OK;
}

enum status parquet_encoder_append(struct folder_encoder *encoder, const struct cell *cells,
                                   struct buffer *out, struct error *error)
{
    struct error why;
    size_t start = out->length;
    uint32_t length = 0;
    buffer_append(out, &length, sizeof(length));
    arena_reset(encoder->scratch);
    for (uint32_t at = 0; at < encoder->layout.column_count; at++) {
        const struct parquet_node *node = &encoder->layout.columns[at];
        int32_t field = encoder->fields[at];
        if (append_column(encoder, node, field >= 0 ? &cells[field] : NULL, out, &why) !=
            STATUS_OK) {
            char name[100];
            out->length = start;
            text_printable(node->name, strlen(node->name), name, sizeof(name));
            return why.class == ERROR_CLASS_REJECT
                       ? error_set(error, why.code, name, "column %s: %s", name, why.message)
                       : error_copy(error, &why);
        }
    }
    if (out->length - start > INT32_MAX) {
        out->length = start;
        return error_set(error, ERROR_REJECT_TOO_LARGE, NULL, "the record is larger than 2 GiB");
    }
    length = (uint32_t)(out->length - start);
    memcpy(out->data + start, &length, sizeof(length));
    return STATUS_OK;
}
