/* Records to rows: the cells of a record, each fitted to its column. */
#include "connectors/arrow/arrow.h"

#include "connectors/columnar/rows.h"
#include "model/cell_bytes.h"

struct folder_encoder {
    struct columnar_encoding encoding; /* first */
    struct arrow_layout layout;
};

const struct arrow_layout *arrow_encoder_layout(const struct folder_encoder *encoder)
{
    return &encoder->layout;
}

void arrow_encoder_destroy(struct folder_encoder *encoder)
{
    if (encoder != NULL) {
        columnar_encoder_free(encoder);
    }
}

static enum status append_column(struct folder_encoder *encoder, uint32_t column,
                                 const struct cell *cell, struct buffer *out, struct error *error)
{
    struct cell fitted;
    return arrow_value_fit(&encoder->layout.columns[column], cell, encoder->encoding.scratch,
                           &fitted, error) == STATUS_OK
               ? cell_bytes_append(&fitted, out, error)
               : STATUS_FAILED;
}

enum status arrow_encoder_create(struct folder *folder, const struct target_table *table,
                                 const struct shape *shape, const struct cell *first,
                                 struct folder_encoder **encoder, struct error *error)
{
    (void)first;
    if (columnar_encoder_create(table, shape, sizeof(**encoder), encoder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct columnar_encoding *encoding = &(*encoder)->encoding;
    encoding->append = append_column;
    arrow_layout_of_columns((const struct arrow_database *)folder, table->columns,
                            table->column_count, encoding->required, encoding->arena,
                            &(*encoder)->layout);
    return STATUS_OK;
}
