/* One record as a format encodes it. */
#include "connectors/folder/folder_record.h"

static bool lacks_field(const struct cell *map, const char *name)
{
    const struct cell *field = value_field(map, name);
    return field == NULL || field->kind <= VALUE_NULL;
}

/* Records of a table with a key have it, else equal ones could not be told later. Formats that want
 * a key of every table say what is wrong with it themselves. */
static enum status check_key(const struct target_table *table, const struct shape *shape,
                             const struct cell *cells, struct error *error)
{
    bool documents = shape == NULL;
    uint32_t parts = documents ? table->key.count : shape->key_field_count;
    for (uint32_t at = 0; at < parts; at++) {
        bool lacks = documents ? lacks_field(cells, table->key.names[at])
                               : cells[shape->key_fields[at]].kind <= VALUE_NULL;
        if (lacks) {
            const char *name = documents ? table->key.names[at]
                                         : shape->fields[shape->key_fields[at]].name;
            return error_set(error, ERROR_REJECT_KEY_NULL, name, "the key field \"%s\" is null",
                             name);
        }
    }
    return STATUS_OK;
}

enum status folder_encode_record(const struct folder *folder, const struct target_table *table,
                                 const struct shape *shape, struct folder_encoder *encoder,
                                 const struct cell *cells, struct buffer *out, struct error *error)
{
    bool key_required = (folder->format->target_capabilities & CAPABILITY_KEY_REQUIRED) != 0;
    enum status status = key_required || table->key.count == 0
                             ? STATUS_OK
                             : check_key(table, shape, cells, error);
    return status == STATUS_OK ? folder->format->encoder_append(encoder, cells, out, error) : status;
}
