#include "connectors/keyed/keys.h"

#include "base/bytes.h"
#include "base/name_index.h"
#include <string.h>

/* ---------------------------------------------------------------- keys as bytes */

size_t keyed_part_begin(struct buffer *out)
{
    size_t begin = out->length;
    buffer_append(out, "\0\0\0\0", KEYED_PART_HEAD_BYTES);
    return begin;
}

void keyed_part_end(struct buffer *out, size_t begin)
{
    bytes_put_be((uint8_t *)out->data + begin, out->length - begin - KEYED_PART_HEAD_BYTES,
                 KEYED_PART_HEAD_BYTES);
}

bool keyed_part_read(const uint8_t **bytes, size_t *length, struct text *part)
{
    if (*length < KEYED_PART_HEAD_BYTES) {
        return false;
    }
    size_t own = (size_t)bytes_get_be(*bytes, KEYED_PART_HEAD_BYTES);
    if (*length - KEYED_PART_HEAD_BYTES < own) {
        return false;
    }
    *part = (struct text){(const char *)*bytes + KEYED_PART_HEAD_BYTES, own};
    *bytes += KEYED_PART_HEAD_BYTES + own;
    *length -= KEYED_PART_HEAD_BYTES + own;
    return true;
}

/* ---------------------------------------------------------------- records */

static bool same_value(struct arena *arena, const struct cell *left, const struct cell *right);

/* Names in any order; what is null and what is missing differ. */
static bool same_map(struct arena *arena, const struct cell *left, const struct cell *right)
{
    struct name_index names = {.arena = arena};
    bool same = left->length == right->length;
    for (uint32_t at = 0; same && at < right->length; at++) {
        const struct cell *name = &right->items[2 * (size_t)at];
        (void)name_index_add(&names, name->text, name->length, at);
    }
    for (uint32_t at = 0; same && at < left->length; at++) {
        const struct cell *name = &left->items[2 * (size_t)at];
        uint32_t place = name_index_find(&names, name->text, name->length);
        same = place != NAME_INDEX_NONE &&
               same_value(arena, name + 1, &right->items[2 * (size_t)place + 1]);
    }
    return same;
}

static bool same_value(struct arena *arena, const struct cell *left, const struct cell *right)
{
    if (left->kind != right->kind) {
        return false;
    }
    if (left->kind == VALUE_MAP) {
        return same_map(arena, left, right);
    }
    if (left->kind != VALUE_LIST) {
        return value_equal(left, right);
    }
    bool same = left->length == right->length;
    for (size_t at = 0; same && at < left->length; at++) {
        same = same_value(arena, &left->items[at], &right->items[at]);
    }
    return same;
}

bool keyed_values_are_equal(const struct cell *left, const struct cell *right)
{
    struct arena *arena = arena_create(0);
    bool same = same_value(arena, left, right);
    arena_destroy(arena);
    return same;
}

/* ---------------------------------------------------------------- checks */

static void append_names(struct column_list key, struct buffer *out)
{
    char shown[128];
    for (uint32_t at = 0; at < key.count; at++) {
        text_printable(key.names[at], strlen(key.names[at]), shown, sizeof(shown));
        buffer_format(out, "%s%s", at > 0 ? ", " : "", shown);
    }
}

void keyed_check_append_keys(struct column_list there, struct column_list planned,
                             struct buffer *out)
{
    append_names(there, out);
    buffer_append_string(out, ", the plan says ");
    append_names(planned, out);
    buffer_append_byte(out, '\n');
}
