/* Records to rows: the cells of a record taken apart into the entries of leaves. */
#include "connectors/parquet/parquet.h"

#include "connectors/columnar/fitting.h"
#include "connectors/columnar/rows.h"

struct leaf_entries {
    struct buffer bytes;
    uint32_t count;
};

struct folder_encoder {
    struct columnar_encoding encoding; /* first */
    struct parquet_layout layout;
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
    columnar_encoder_free(encoder);
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

static enum status apart_record(struct folder_encoder *encoder, const struct parquet_node *node,
                                const struct cell *cell, int16_t repetition, struct error *error)
{
    uint32_t found = 0;
    if (cell->kind != VALUE_MAP) {
        return columnar_refuse_kind(&node->type, cell, error);
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
        return columnar_refuse_kind(&node->type, cell, error);
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
        return parquet_value_append(node, cell, encoder->encoding.scratch,
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

static enum status append_column(struct folder_encoder *encoder, uint32_t column,
                                 const struct cell *cell, struct buffer *out, struct error *error)
{
    const struct parquet_node *node = &encoder->layout.columns[column];
    if (node->form != PARQUET_VALUE) {
        return append_nested(encoder, node, cell, out, error);
    }
    if (cell != NULL && cell->kind > VALUE_NULL) {
        buffer_append_byte(out, (char)node->present);
        return parquet_value_append(node, cell, encoder->encoding.scratch, out, error);
    }
    if (!node->optional) {
        return error_set(error, ERROR_REJECT_TYPE, NULL, "it is null, and must not be");
    }
    buffer_append_byte(out, 0);
    return STATUS_OK;
}

enum status parquet_encoder_create(struct folder *folder, const struct target_table *table,
                                   const struct shape *shape, const struct cell *first,
                                   struct folder_encoder **encoder, struct error *error)
{
    (void)first;
    if (columnar_encoder_create(table, shape, sizeof(**encoder), encoder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct folder_encoder *made = *encoder;
    made->encoding.append = append_column;
    parquet_layout_of_columns((const struct parquet_database *)folder, table->columns,
                              table->column_count, made->encoding.required, made->encoding.arena,
                              &made->layout);
    made->entries = arena_allocate_zeroed(made->encoding.arena, (size_t)made->layout.leaf_count + 1,
                                          sizeof(*made->entries));
    return STATUS_OK;
}
