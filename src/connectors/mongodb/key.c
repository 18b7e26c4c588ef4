/* Keys: the element _id of a document, and bytes for the room. */
#include "connectors/keyed/keys.h"
#include "connectors/mongodb/mongodb.h"

#include "base/text.h"
#include "model/decimal.h"
#include <math.h>

bool mongodb_key_is_id(struct column_list key)
{
    return key.count == 1 && strcmp(key.names[0], MONGODB_ID) == 0;
}

/* ---------------------------------------------------------------- _id */

static enum status refuse_part(const char *name, const char *what, enum error_code code,
                               struct error *error)
{
    char shown[80];
    text_printable(name, strlen(name), shown, sizeof(shown));
    return error_set(error, code, NULL, "%s %s", shown, what);
}

/* A part under that name. */
static enum status append_part(const char *column, const char *name, const struct cell *cell,
                               bool whole, struct buffer *out, struct error *error)
{
    size_t begin = out->length;
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        return refuse_part(column, "is null, and a part of the key", ERROR_REJECT_KEY_NULL, error);
    }
    if (mongodb_write_cell(out, name, strlen(name), cell, MONGODB_DEPTH_MAX - 1, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    uint8_t type = (uint8_t)out->data[begin];
    bool refused =
        type == BSON_TYPE_ARRAY || type == BSON_TYPE_REGEX || type == BSON_TYPE_UNDEFINED;
    /* a filter would take it for an operator */
    bool operates = type == BSON_TYPE_DOCUMENT && out->length > begin + strlen(name) + 7 &&
                    out->data[begin + strlen(name) + 7] == '$';
    if (operates) {
        return refuse_part(column, "begins with a field whose name begins with $",
                           ERROR_REJECT_TYPE, error);
    }
    return whole && refused
               ? refuse_part(column, "is of a type that _id can't have", ERROR_REJECT_TYPE, error)
               : STATUS_OK;
}

enum status mongodb_key_append(struct column_list names, const struct cell *key, struct buffer *out,
                               struct error *error)
{
    if (names.count == 1) {
        return append_part(names.names[0], MONGODB_ID, &key[0], true, out, error);
    }
    enum status status = STATUS_OK;
    size_t begin = mongodb_write_open(out, MONGODB_ID, BSON_TYPE_DOCUMENT);
    for (uint32_t at = 0; at < names.count && status == STATUS_OK; at++) {
        status = append_part(names.names[at], names.names[at], &key[at], false, out, error);
    }
    mongodb_write_end(out, begin);
    return status;
}

/* ---------------------------------------------------------------- for the room */

/* The server takes 1, 1.0 and 1.00 for one key, whatever their types are. */
static struct cell plain_number(const struct cell *cell)
{
    int64_t whole = 0;
    if (cell->kind == VALUE_INT64) {
        return cell_int64(cell->i64);
    }
    if (cell->kind == VALUE_UINT64 && cell->u64 <= INT64_MAX) {
        return cell_int64(cell->i64);
    }
    if ((cell->kind == VALUE_FLOAT64 || cell->kind == VALUE_FLOAT32) && cell->f64 >= -0x1p63 &&
        cell->f64 < 0x1p63 && trunc(cell->f64) == cell->f64) {
        return cell_int64((int64_t)cell->f64);
    }
    if (cell->kind == VALUE_DECIMAL && decimal_to_int64(cell, &whole) == STATUS_OK) {
        return cell_int64(whole);
    }
    struct cell small;
    if (cell->kind == VALUE_DECIMAL && decimal_to_small(cell, &small)) {
        return decimal_small_normal(&small);
    }
    return *cell;
}

/* The value in the form in which equal keys have equal bytes. */
static bool append_plain(const struct mongodb_element *element, struct arena *arena,
                         struct buffer *out)
{
    struct cell cell;
    struct error ignored;
    if (mongodb_read_cell(element, arena, MONGODB_DEPTH_MAX, &cell, &ignored) != STATUS_OK) {
        return false;
    }
    const struct cell plain = plain_number(&cell);
    return mongodb_write_cell(out, "", 0, &plain, MONGODB_DEPTH_MAX, &ignored) == STATUS_OK;
}

static bool is_same_value(const struct mongodb_element *left, const struct mongodb_element *right)
{
    if (left->type == right->type && left->value_length == right->value_length &&
        memcmp(left->value, right->value, left->value_length) == 0) {
        return true;
    }
    struct arena *arena = arena_create(0);
    struct buffer first = {0};
    struct buffer second = {0};
    bool same = append_plain(left, arena, &first) && append_plain(right, arena, &second) &&
                first.length == second.length && memcmp(first.data, second.data, first.length) == 0;
    buffer_free(&first);
    buffer_free(&second);
    arena_destroy(arena);
    return same;
}

bool mongodb_key_is_made_of(struct column_list names, const uint8_t *document, size_t length)
{
    struct mongodb_walk parts;
    struct mongodb_element id;
    struct mongodb_element part;
    struct mongodb_element field;
    struct error ignored;
    if (mongodb_find(document, length, MONGODB_ID, &id, &ignored) != STATUS_OK) {
        return false;
    }
    if (names.count == 1) {
        return mongodb_find(document, length, names.names[0], &field, &ignored) == STATUS_OK &&
               is_same_value(&id, &field);
    }
    if (id.type != BSON_TYPE_DOCUMENT || !mongodb_walk_begin(&parts, id.value, id.value_length)) {
        return false;
    }
    for (uint32_t at = 0; at < names.count; at++) {
        if (mongodb_walk_next(&parts, &part, &ignored) != STATUS_OK ||
            strcmp(part.name, names.names[at]) != 0 ||
            mongodb_find(document, length, names.names[at], &field, &ignored) != STATUS_OK ||
            !is_same_value(&part, &field)) {
            return false;
        }
    }
    return mongodb_walk_next(&parts, &part, &ignored) == STATUS_END;
}

enum status mongodb_key_bytes(struct database *database, const struct target_table *table,
                              const struct cell *key, struct buffer *out, struct error *error)
{
    (void)database;
    for (uint32_t at = 0; at < table->key.count; at++) {
        const struct cell plain = plain_number(&key[at]);
        size_t begin = keyed_part_begin(out);
        /* type, an empty name and the value */
        if (append_part(table->key.names[at], "", &plain, false, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        keyed_part_end(out, begin);
    }
    return STATUS_OK;
}

bool mongodb_key_read(struct database *database, const struct target_table *table,
                      const uint8_t *bytes, size_t length, struct arena *arena, struct cell *key)
{
    struct error ignored;
    struct text part;
    (void)database;
    for (uint32_t at = 0; at < table->key.count; at++) {
        if (!keyed_part_read(&bytes, &length, &part) || part.length < 2) {
            return false;
        }
        const uint8_t *own = (const uint8_t *)part.data;
        const struct mongodb_element element = {
            .type = own[0], .value = own + 2, .value_length = (uint32_t)part.length - 2};
        if (mongodb_read_cell(&element, arena, MONGODB_DEPTH_MAX, &key[at], &ignored) !=
            STATUS_OK) {
            return false;
        }
    }
    return length == 0;
}
