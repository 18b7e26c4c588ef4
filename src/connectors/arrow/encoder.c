/* Records to rows: the cells of a record, each fitted to its column. */
#include "connectors/arrow/arrow.h"

#include "base/memory.h"
#include "base/text.h"
#include "model/cell_bytes.h"
#include <stdlib.h>
#include <string.h>

struct folder_encoder {
    struct arena *arena;
    struct arena *scratch; /* of one record */
    struct arrow_layout layout;
    int32_t *fields; /* of each column, that of the shape; -1: none has it */
};

const struct arrow_layout *arrow_encoder_layout(const struct folder_encoder *encoder)
{
    return &encoder->layout;
}

void arrow_encoder_destroy(struct folder_encoder *encoder)
{
    if (encoder == NULL) {
        return;
    }
    arena_destroy(encoder->scratch);
    arena_destroy(encoder->arena);
    free(encoder);
}

enum status arrow_encoder_create(struct folder *folder, const struct target_table *table,
                                 const struct shape *shape, const struct cell *first,
                                 struct folder_encoder **encoder, struct error *error)
{
    uint32_t count = table->column_count;
    (void)first;
    *encoder = NULL;
    if (shape == NULL || count == 0) {
        return error_set(error, ERROR_INTERNAL, table->name, "documents have no columns");
    }
    struct folder_encoder *made = memory_allocate_zeroed(1, sizeof(*made));
    made->arena = arena_create(0);
    made->scratch = arena_create(0);
    bool *required = arena_allocate_zeroed(made->arena, count, sizeof(*required));
    made->fields = arena_allocate_zeroed(made->arena, count, sizeof(*made->fields));
    for (uint32_t at = 0; at < count; at++) {
        made->fields[at] = shape_field_find(shape, table->columns[at].name);
        required[at] = table->columns[at].not_null && made->fields[at] >= 0;
    }
    arrow_layout_of_columns((const struct arrow_database *)folder, table->columns, count, required,
                            made->arena, &made->layout);
    *encoder = made;
    return STATUS_OK;
}

enum status arrow_encoder_append(struct folder_encoder *encoder, const struct cell *cells,
                                 struct buffer *out, struct error *error)
{
    struct error why;
    struct cell fitted;
    size_t start = out->length;
    uint32_t length = 0;
    buffer_append(out, &length, sizeof(length));
    arena_reset(encoder->scratch);
    for (uint32_t at = 0; at < encoder->layout.column_count; at++) {
        const struct arrow_node *node = &encoder->layout.columns[at];
        int32_t field = encoder->fields[at];
        if (arrow_value_fit(node, field >= 0 ? &cells[field] : NULL, encoder->scratch, &fitted,
                            &why) != STATUS_OK ||
            cell_bytes_append(&fitted, out, &why) != STATUS_OK) {
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
