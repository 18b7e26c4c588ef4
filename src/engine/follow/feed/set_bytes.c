/* Change sets as bytes and back. */
#include "engine/follow/feed/set_bytes.h"

#include "model/cell_bytes.h"
#include <string.h>

enum { HAS_FIRST = 1, HAS_LAST = 2 };
enum { HAS_KEY = 1, HAS_BEFORE = 2, HAS_AFTER = 4, HAS_ACTIONS = 8 };
enum { NO_TEXT = UINT32_MAX };

/* ---- writing */

static void set_bytes_put(struct buffer *out, const void *value, size_t length)
{
    buffer_append(out, value, length);
}

static void put_number(struct buffer *out, uint32_t number)
{
    set_bytes_put(out, &number, sizeof number);
}

static void put_text(struct buffer *out, const char *text)
{
    size_t length = text != NULL ? strlen(text) : 0;
    put_number(out, text != NULL ? (uint32_t)length : (uint32_t)NO_TEXT);
    set_bytes_put(out, text, length);
}

static void put_position(struct buffer *out, struct position position)
{
    put_number(out, position.length);
    set_bytes_put(out, position.bytes, position.length);
}

void set_bytes_append_table(const struct change_table *table, uint32_t number, struct buffer *out)
{
    const struct shape *shape = table->shape;
    put_number(out, number);
    put_text(out, table->name);
    put_text(out, shape != NULL ? (shape->name != NULL ? shape->name : "") : NULL);
    if (shape == NULL) {
        return;
    }
    put_number(out, shape->field_count);
    for (uint32_t i = 0; i < shape->field_count; i++) {
        put_text(out, shape->fields[i].name);
    }
    put_number(out, shape->key_field_count);
    for (uint32_t i = 0; i < shape->key_field_count; i++) {
        put_number(out, shape->key_fields[i]);
    }
}

static enum status put_cells(struct buffer *out, const struct cell *cells, uint32_t count,
                             struct error *error)
{
    size_t at = out->length;
    put_number(out, 0);
    for (uint32_t i = 0; i < count; i++) {
        if (cell_bytes_append(&cells[i], out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    uint32_t length = (uint32_t)(out->length - at - sizeof length);
    memcpy(out->data + at, &length, sizeof length);
    return STATUS_OK;
}

static enum status put_change(struct buffer *out, const struct record_change *change,
                              uint32_t width, struct error *error)
{
    const uint8_t operation = (uint8_t)change->operation;
    const uint8_t has =
        (uint8_t)((change->key != NULL ? HAS_KEY : 0) | (change->before != NULL ? HAS_BEFORE : 0) |
                  (change->after != NULL ? HAS_AFTER : 0) | (change->acts ? HAS_ACTIONS : 0));
    put_number(out, change->table);
    set_bytes_put(out, &operation, 1);
    set_bytes_put(out, &has, 1);
    put_number(out, change->key_count);
    enum status status = STATUS_OK;
    if (change->key != NULL) {
        status = put_cells(out, change->key, change->key_count, error);
    }
    if (status == STATUS_OK && change->before != NULL) {
        status = put_cells(out, change->before, width, error);
    }
    return status == STATUS_OK && change->after != NULL
               ? put_cells(out, change->after, width, error)
               : status;
}

enum status set_bytes_append(const struct change_set *set, const uint32_t *numbers,
                             struct buffer *out, struct error *error)
{
    const uint8_t pieces =
        (uint8_t)((set->first_piece ? HAS_FIRST : 0) | (set->last_piece ? HAS_LAST : 0));
    enum status status = STATUS_OK;
    set_bytes_put(out, &pieces, 1);
    put_position(out, set->end);
    put_position(out, set->begin);
    set_bytes_put(out, &set->commit_time_us, sizeof set->commit_time_us);
    put_text(out, set->transaction);
    put_number(out, set->table_count);
    for (uint32_t i = 0; i < set->table_count; i++) {
        put_number(out, numbers[i]);
    }
    put_number(out, set->change_count);
    for (uint32_t i = 0; i < set->change_count && status == STATUS_OK; i++) {
        const struct record_change *change = &set->changes[i];
        status =
            put_change(out, change, batch_shape_width(set->tables[change->table].shape), error);
    }
    return status;
}

/* ---- reading */

struct reading {
    const uint8_t *at;
    const uint8_t *end;
    bool bad; /* it wanted more than there is */
};

static const void *set_bytes_take(struct reading *in, size_t length)
{
    if (in->bad || (size_t)(in->end - in->at) < length) {
        in->bad = true;
        return NULL;
    }
    in->at += length;
    return in->at - length;
}

static uint32_t take_number(struct reading *in)
{
    uint32_t number = 0;
    const void *bytes = set_bytes_take(in, sizeof number);
    if (bytes != NULL) {
        memcpy(&number, bytes, sizeof number);
    }
    return number;
}

static uint8_t take_byte(struct reading *in)
{
    const uint8_t *byte = set_bytes_take(in, 1);
    return byte != NULL ? *byte : 0;
}

static const char *take_text(struct reading *in, struct arena *arena)
{
    uint32_t length = take_number(in);
    const char *bytes = length == (uint32_t)NO_TEXT ? NULL : set_bytes_take(in, length);
    return bytes != NULL ? arena_copy(arena, bytes, length) : NULL;
}

static struct position take_position(struct reading *in)
{
    uint32_t length = take_number(in);
    return (struct position){set_bytes_take(in, length), length};
}

static struct position keep_position(struct position position, struct arena *arena)
{
    return (struct position){
        (const uint8_t *)arena_copy(arena, (const char *)position.bytes, position.length),
        position.length};
}

/* As many of something as `least` bytes each leave room for. */
static uint32_t take_count(struct reading *in, size_t least)
{
    uint32_t count = take_number(in);
    in->bad = in->bad || count > (size_t)(in->end - in->at) / least;
    return in->bad ? 0 : count;
}

static enum status end_reading(const struct reading *in, struct error *error)
{
    return in->bad ? error_set(error, ERROR_STATE_INVALID, "spool",
                               "a change set that was kept aside can't be read")
                   : STATUS_OK;
}

static const struct shape *take_shape(struct reading *in, const char *name, struct arena *arena)
{
    struct shape *shape = arena_allocate_zeroed(arena, 1, sizeof *shape);
    shape->name = name;
    shape->field_count = take_count(in, sizeof(uint32_t));
    struct shape_field *fields =
        arena_allocate_zeroed(arena, shape->field_count + (size_t)1, sizeof *fields);
    for (uint32_t i = 0; i < shape->field_count; i++) {
        fields[i].name = take_text(in, arena);
        fields[i].name_length = fields[i].name != NULL ? (uint32_t)strlen(fields[i].name) : 0;
        in->bad = in->bad || fields[i].name == NULL;
    }
    shape->fields = fields;
    shape->key_field_count = take_count(in, sizeof(uint32_t));
    uint32_t *keys = arena_allocate_zeroed(arena, shape->key_field_count + (size_t)1, sizeof *keys);
    for (uint32_t i = 0; i < shape->key_field_count; i++) {
        keys[i] = take_number(in);
        in->bad = in->bad || keys[i] >= shape->field_count;
    }
    shape->key_fields = keys;
    return shape;
}

enum status set_bytes_read_table(const void *bytes, size_t length, struct arena *arena,
                                 struct change_table *table, uint32_t *number, struct error *error)
{
    struct reading in = {bytes, (const uint8_t *)bytes + length, false};
    *number = take_number(&in);
    table->name = take_text(&in, arena);
    const char *shape = take_text(&in, arena);
    table->shape = shape != NULL ? take_shape(&in, shape, arena) : NULL;
    in.bad = in.bad || table->name == NULL || in.at != in.end;
    return end_reading(&in, error);
}

static void take_head(struct reading *in, struct set_head *head)
{
    uint8_t pieces = take_byte(in);
    head->first_piece = (pieces & HAS_FIRST) != 0;
    head->last_piece = (pieces & HAS_LAST) != 0;
    head->end = take_position(in);
}

enum status set_bytes_read_head(const void *bytes, size_t length, struct set_head *head,
                                struct error *error)
{
    struct reading in = {bytes, (const uint8_t *)bytes + length, false};
    take_head(&in, head);
    return end_reading(&in, error);
}

/* Texts are copied first: cells borrow from their bytes. */
static enum status take_cells(struct reading *in, uint32_t count, struct arena *arena,
                              const struct cell **cells, struct error *error)
{
    uint32_t length = take_number(in);
    const char *bytes = set_bytes_take(in, length);
    if (bytes == NULL) {
        return end_reading(in, error);
    }
    struct cell *made = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *made);
    *cells = made;
    return cell_bytes_read(arena_copy(arena, bytes, length), length, count, arena, made, error);
}

static enum status take_change(struct reading *in, const struct change_set *set,
                               struct record_change *change, struct error *error)
{
    change->table = take_number(in);
    change->operation = (enum record_operation)take_byte(in);
    uint8_t has = take_byte(in);
    change->acts = (has & HAS_ACTIONS) != 0;
    change->key_count = take_number(in);
    if (in->bad || change->table >= set->table_count || change->operation > RECORD_REPLACED ||
        change->key_count > (size_t)(in->end - in->at)) {
        in->bad = true;
        return end_reading(in, error);
    }
    uint32_t width = batch_shape_width(set->tables[change->table].shape);
    enum status status = STATUS_OK;
    if ((has & HAS_KEY) != 0) {
        status = take_cells(in, change->key_count, set->arena, &change->key, error);
    }
    if (status == STATUS_OK && (has & HAS_BEFORE) != 0) {
        status = take_cells(in, width, set->arena, &change->before, error);
    }
    return status == STATUS_OK && (has & HAS_AFTER) != 0
               ? take_cells(in, width, set->arena, &change->after, error)
               : status;
}

static void take_tables(struct reading *in, const struct change_table *tables, uint32_t table_count,
                        struct change_set *set)
{
    set->table_count = take_count(in, sizeof(uint32_t));
    struct change_table *made =
        arena_allocate_zeroed(set->arena, set->table_count + (size_t)1, sizeof *made);
    for (uint32_t i = 0; i < set->table_count; i++) {
        uint32_t number = take_number(in);
        in->bad = in->bad || number >= table_count || tables[number].name == NULL;
        made[i] = in->bad ? (struct change_table){0} : tables[number];
    }
    set->tables = made;
}

static enum status read_set(struct reading *in, const struct change_table *tables,
                            uint32_t table_count, struct change_set *set, struct error *error)
{
    struct set_head head;
    take_head(in, &head);
    set->first_piece = head.first_piece;
    set->last_piece = head.last_piece;
    struct position begin = take_position(in);
    const void *time = set_bytes_take(in, sizeof set->commit_time_us);
    if (in->bad) {
        return end_reading(in, error);
    }
    memcpy(&set->commit_time_us, time, sizeof set->commit_time_us);
    set->end = keep_position(head.end, set->arena);
    set->begin = keep_position(begin, set->arena);
    set->transaction = take_text(in, set->arena);
    take_tables(in, tables, table_count, set);
    set->change_count = take_count(in, 2 * sizeof(uint32_t) + 2);
    struct record_change *changes =
        arena_allocate_zeroed(set->arena, set->change_count + (size_t)1, sizeof *changes);
    set->changes = changes;
    enum status status = end_reading(in, error);
    for (uint32_t i = 0; i < set->change_count && status == STATUS_OK; i++) {
        status = take_change(in, set, &changes[i], error);
    }
    in->bad = in->bad || (status == STATUS_OK && in->at != in->end);
    return status == STATUS_OK ? end_reading(in, error) : status;
}

enum status set_bytes_read(const void *bytes, size_t length, const struct change_table *tables,
                           uint32_t table_count, struct change_set **made, struct error *error)
{
    struct reading in = {bytes, (const uint8_t *)bytes + length, false};
    struct arena *arena = arena_create(0);
    struct change_set *set = arena_allocate_zeroed(arena, 1, sizeof *set);
    set->arena = arena;
    *made = set;
    if (read_set(&in, tables, table_count, set, error) != STATUS_OK) {
        arena_destroy(arena);
        *made = NULL;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}
