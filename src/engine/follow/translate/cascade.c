/* Changes that foreign keys of the source made to other rows. */
#include "engine/follow/translate/cascade.h"

#include "base/memory.h"
#include "model/convert.h"
#include "model/order_bytes.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    ROWS_EACH = 128,       /* deleted rows that are looked for at once */
    FOUND_MAX = 5000,      /* rows that refer to them, found at once */
    RUN_MAX = 4096,        /* acting changes that are handled together */
    PIECE_BYTES = 4 << 20, /* of a piece */
    FIRST_SLOTS = 256
};

/* The deeds done to rows already, by a hash of table, key and deed. */
struct seen_rows {
    struct seen_slot {
        XXH128_hash_t hash; /* both halves 0: free */
        uint32_t index;     /* DEED_UPDATE: of its change in `then` */
    } * slots;
    size_t count;
    size_t capacity; /* a power of two, or 0 */
};
/* Below these: an update by the key of that number. */
enum { DEED_DELETE = UINT32_MAX, DEED_UPDATE = UINT32_MAX - 1 };

/* A row that was deleted, or that has other values now, in a shape of a set. */
struct changed_row {
    const struct schema_table *table;
    const struct shape *shape;
    const struct cell *before;
    const struct cell *after; /* NULL: it is gone; MISSING cells are those of `before` */
};

struct changes_list {
    struct record_change *items;
    uint32_t count;
    uint32_t capacity;
};

struct walk {
    const struct follow_routes *routes;
    const struct followed_form *form;
    const struct cascade_caller *caller;
    struct change_set *set;    /* of the source */
    uint32_t done;             /* of its changes: handed out */
    bool any;                  /* a piece was handed out */
    struct arena *arena;       /* of what is made now; the next piece's */
    struct changes_list first; /* before the acting changes */
    struct changes_list then;  /* behind them */
    struct seen_rows seen;
    struct error *error;
};

/* ---- which changes act */

static const struct cell *value_of(const struct shape *shape, const struct record_change *change,
                                   const struct cell *image, const char *name)
{
    int32_t at = shape_field_find(shape, name);
    if (image != NULL && at >= 0 && image[at].kind != VALUE_MISSING) {
        return &image[at];
    }
    for (uint32_t k = 0; at >= 0 && change != NULL && k < change->key_count; k++) {
        if (shape->key_fields[k] == (uint32_t)at) {
            return &change->key[k];
        }
    }
    return NULL;
}

static bool is_null(const struct cell *cell)
{
    return cell == NULL || cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING;
}

/* Do rows that refer to it by this key change with it? */
static enum follow_action action_on(const struct follow_cascade *cascade,
                                    const struct changed_row *row)
{
    bool changed = false;
    for (uint32_t i = 0; i < cascade->referenced.count; i++) {
        const char *name = cascade->referenced.names[i];
        const struct cell *before = value_of(row->shape, NULL, row->before, name);
        const struct cell *after = value_of(row->shape, NULL, row->after, name);
        if (is_null(before)) {
            return FOLLOW_ACTION_NONE; /* nothing refers to it */
        }
        changed = changed || (after != NULL && !value_equal(before, after));
    }
    return row->after == NULL ? cascade->on_delete
           : changed          ? cascade->on_update
                              : FOLLOW_ACTION_NONE;
}

/* The row of a change of the feed. Cells of the key stand in for those that were not sent. */
static bool row_of_change(const struct follow_routes *routes, const struct change_set *set,
                          const struct record_change *change, struct changed_row *row)
{
    const struct change_table *table = &set->tables[change->table];
    *row = (struct changed_row){
        .shape = table->shape, .before = change->before, .after = change->after};
    for (uint32_t i = 0; change->acts && i < routes->cascade_count && row->table == NULL; i++) {
        bool same = strcmp(routes->cascades[i].parent->name, table->name) == 0;
        row->table = same ? routes->cascades[i].parent : NULL;
    }
    return row->table != NULL && row->before != NULL && row->shape != NULL &&
           change->operation != RECORD_INSERT && change->operation != RECORD_TRUNCATE;
}

static bool change_acts(const struct follow_routes *routes, const struct change_set *set,
                        const struct record_change *change)
{
    struct changed_row row;
    bool acts = false;
    if (!row_of_change(routes, set, change, &row)) {
        return false;
    }
    for (uint32_t i = 0; i < routes->cascade_count && !acts; i++) {
        const struct follow_cascade *cascade = &routes->cascades[i];
        acts = cascade->parent == row.table &&
               routes->dependents[cascade->dependent].entity != FOLLOW_NOWHERE &&
               action_on(cascade, &row) != FOLLOW_ACTION_NONE;
    }
    return acts;
}

bool cascade_acts(const struct follow_routes *routes, const struct change_set *set)
{
    bool acts = false;
    for (uint32_t i = 0; routes->cascade_count > 0 && i < set->change_count && !acts; i++) {
        acts = change_acts(routes, set, &set->changes[i]);
    }
    return acts;
}

/* ---- rows that were seen */

static bool is_free(XXH128_hash_t hash)
{
    return hash.low64 == 0 && hash.high64 == 0;
}

static size_t slot_of(const struct seen_rows *seen, XXH128_hash_t hash)
{
    size_t slot = (size_t)hash.low64 & (seen->capacity - 1);
    while (!is_free(seen->slots[slot].hash) && !XXH128_isEqual(seen->slots[slot].hash, hash)) {
        slot = (slot + 1) & (seen->capacity - 1);
    }
    return slot;
}

static void grow_seen(struct seen_rows *seen)
{
    struct seen_rows grown = {.count = seen->count,
                              .capacity = seen->capacity > 0 ? 2 * seen->capacity : FIRST_SLOTS};
    grown.slots = memory_allocate_zeroed(grown.capacity, sizeof *grown.slots);
    for (size_t i = 0; i < seen->capacity; i++) {
        if (!is_free(seen->slots[i].hash)) {
            grown.slots[slot_of(&grown, seen->slots[i].hash)] = seen->slots[i];
        }
    }
    free(seen->slots);
    *seen = grown;
}

/* The slot of a deed on a row, until the next call. */
static enum status find_deed(struct walk *walk, uint32_t dependent, const struct cell *row,
                             uint32_t deed, struct seen_slot **slot, bool *is_new)
{
    const struct shape *shape = walk->routes->dependents[dependent].shape;
    struct seen_rows *seen = &walk->seen;
    struct buffer bytes = {0};
    enum status status = STATUS_OK;
    buffer_append(&bytes, &dependent, sizeof dependent);
    buffer_append(&bytes, &deed, sizeof deed);
    for (uint32_t i = 0; i < shape->key_field_count && status == STATUS_OK; i++) {
        status = order_bytes_append(&row[shape->key_fields[i]], &bytes, walk->error);
    }
    XXH128_hash_t hash = XXH3_128bits(bytes.data, bytes.length);
    buffer_free(&bytes);
    if (2 * seen->count >= seen->capacity) {
        grow_seen(seen);
    }
    *slot = &seen->slots[slot_of(seen, hash)];
    *is_new = is_free((*slot)->hash);
    seen->count += *is_new;
    (*slot)->hash = hash;
    return status;
}

/* ---- pieces */

static void add_item(struct arena *arena, struct changes_list *list,
                     const struct record_change *change)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity > 0 ? 2 * list->capacity : 16;
        struct record_change *grown = arena_allocate_zeroed(arena, list->capacity, sizeof *grown);
        if (list->count > 0) {
            memcpy(grown, list->items, list->count * sizeof *grown);
        }
        list->items = grown;
    }
    list->items[list->count++] = *change;
}

static struct position copy_position(struct arena *arena, struct position from)
{
    return (struct position){
        (const uint8_t *)arena_copy(arena, (const char *)from.bytes, from.length), from.length};
}

/* The set's tables, then the dependents. */
static const struct change_table *tables_of(const struct walk *walk, struct arena *arena,
                                            uint32_t *count)
{
    *count = walk->set->table_count + walk->routes->dependent_count;
    struct change_table *tables = arena_allocate_zeroed(arena, *count + (size_t)1, sizeof *tables);
    memcpy(tables, walk->set->tables, walk->set->table_count * sizeof *tables);
    for (uint32_t i = 0; i < walk->routes->dependent_count; i++) {
        const struct follow_dependent *dependent = &walk->routes->dependents[i];
        tables[walk->set->table_count + i] =
            (struct change_table){dependent->table->name, dependent->shape};
    }
    return tables;
}

/* The changes made by now and the set's up to `end`, handed out. */
static enum status hand_out(struct walk *walk, uint32_t end, bool last)
{
    struct arena *arena = walk->arena;
    struct change_set *piece = arena_allocate_zeroed(arena, 1, sizeof *piece);
    struct changes_list all = {0};
    for (uint32_t i = 0; i < walk->first.count; i++) {
        add_item(arena, &all, &walk->first.items[i]);
    }
    for (uint32_t i = walk->done; i < end; i++) {
        add_item(arena, &all, &walk->set->changes[i]);
    }
    for (uint32_t i = 0; i < walk->then.count; i++) {
        add_item(arena, &all, &walk->then.items[i]);
    }
    *piece = *walk->set;
    piece->arena = arena;
    piece->begin = copy_position(arena, walk->set->begin);
    piece->end = copy_position(arena, walk->set->end);
    piece->transaction =
        walk->set->transaction != NULL ? arena_copy_string(arena, walk->set->transaction) : NULL;
    piece->first_piece = walk->set->first_piece && !walk->any;
    piece->last_piece = walk->set->last_piece && last;
    piece->tables = tables_of(walk, arena, &piece->table_count);
    piece->changes = all.items;
    piece->change_count = all.count;
    walk->done = end;
    walk->any = true;
    walk->first = walk->then = (struct changes_list){0};
    walk->arena = arena_create(0);
    return walk->caller->take(walk->caller->context, piece, walk->error);
}

/* ---- rows of dependents, as the target has them */

struct found_rows {
    struct walk *walk;
    const struct follow_dependent *dependent;
    uint32_t number;
    uint32_t deed;
    struct arena *arena;
    const struct cell **rows; /* cells of the dependent's shape */
    uint32_t count;
    uint32_t capacity;
    uint32_t told;
};

static bool read_hex(const struct apply_text *text, struct arena *arena, struct cell *cell)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *bytes = arena_allocate(arena, text->length / 2 + 1);
    for (size_t i = 0; i + 1 < text->length; i += 2) {
        const char *high = strchr(digits, text->text[i] | 0x20);
        const char *low = strchr(digits, text->text[i + 1] | 0x20);
        if (high == NULL || low == NULL) {
            return false;
        }
        bytes[i / 2] = (uint8_t)((high - digits) << 4 | (low - digits));
    }
    *cell =
        (struct cell){.kind = VALUE_BYTES, .length = (uint32_t)(text->length / 2), .bytes = bytes};
    return true;
}

/* A text of the target, through the field's type to the column's. */
static enum status read_value(const struct found_rows *found, uint32_t column,
                              const struct apply_text *text, struct cell *cell)
{
    const struct follow_dependent *dependent = found->dependent;
    struct error *error = found->walk->error;
    struct cell told;
    struct cell typed;
    if (text->text == NULL) {
        *cell = cell_null();
        return STATUS_OK;
    }
    told = cell_text(text->text, text->length);
    if (dependent->hex[column] && !read_hex(text, found->arena, &told)) {
        return error_set(error, ERROR_INTERNAL, dependent->table->name,
                         "the target tells no hexadecimal digits of %s",
                         dependent->columns.names[column]);
    }
    struct cell converted;
    enum status status =
        convert_value(&told, &dependent->types[column], true, found->arena, &typed, error);
    status = status == STATUS_OK
                 ? convert_value(&typed, &dependent->shape->fields[dependent->at[column]].type,
                                 true, found->arena, &converted, error)
                 : status;
    return status == STATUS_OK && value_copy(&converted, found->arena, cell) == STATUS_OK
               ? STATUS_OK
               : error_recode(error, ERROR_FOLLOW);
}

static enum status keep_row(void *context, const struct apply_text *texts, struct error *error)
{
    struct found_rows *found = context;
    const struct follow_dependent *dependent = found->dependent;
    struct cell *row =
        arena_allocate(found->arena, (dependent->shape->field_count + (size_t)1) * sizeof *row);
    struct seen_slot *slot;
    bool is_new = false;
    (void)error;
    for (uint32_t i = 0; i < dependent->shape->field_count; i++) {
        row[i] = cell_missing();
    }
    for (uint32_t i = 0; i < dependent->columns.count; i++) {
        if (read_value(found, i, &texts[i], &row[dependent->at[i]]) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    found->told++;
    if (find_deed(found->walk, found->number, row, found->deed, &slot, &is_new) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!is_new) {
        return STATUS_OK;
    }
    found->rows =
        memory_make_room(found->rows, found->count, &found->capacity, sizeof(const struct cell *));
    found->rows[found->count++] = row;
    return STATUS_OK;
}

static uint32_t place_of(const struct follow_dependent *dependent, const char *column)
{
    uint32_t at = 0;
    while (at + 1 < dependent->columns.count && strcmp(dependent->columns.names[at], column) != 0) {
        at++;
    }
    return at;
}

/* The rows that refer to these by the key. */
static enum status find_rows(struct walk *walk, const struct follow_cascade *cascade,
                             const struct changed_row *rows, uint32_t count, uint32_t most,
                             struct found_rows *found)
{
    const struct follow_dependent *dependent = &walk->routes->dependents[cascade->dependent];
    uint32_t width = cascade->columns.count;
    const char **fields = arena_allocate_zeroed(found->arena, width + (size_t)1, sizeof *fields);
    struct cell *values =
        arena_allocate_zeroed(found->arena, (size_t)count * width + 1, sizeof *values);
    found->walk = walk;
    found->dependent = dependent;
    found->number = cascade->dependent;
    found->deed = action_on(cascade, &rows[0]) == FOLLOW_ACTION_DELETE
                      ? (uint32_t)DEED_DELETE
                      : (uint32_t)(cascade - walk->routes->cascades);
    for (uint32_t i = 0; i < width; i++) {
        uint32_t at = place_of(dependent, cascade->columns.names[i]);
        fields[i] = dependent->fields.names[at];
        for (uint32_t r = 0; r < count; r++) {
            const struct cell *value =
                value_of(rows[r].shape, NULL, rows[r].before, cascade->referenced.names[i]);
            if (convert_value(value, &dependent->types[at], true, found->arena,
                              &values[(size_t)r * width + i], walk->error) != STATUS_OK) {
                return error_recode(walk->error, ERROR_FOLLOW);
            }
        }
    }
    const struct apply_search search = {.table = &walk->form->tables[dependent->entity],
                                        .fields = {fields, width},
                                        .values = values,
                                        .count = count,
                                        .wanted = dependent->fields,
                                        .hex = dependent->hex,
                                        .most = most};
    return walk->caller->find(walk->caller->context, &search, keep_row, found, walk->error);
}

/* ---- changes */

/* The row behind the action; NULL: it is gone. */
static const struct cell *row_after(const struct walk *walk, const struct follow_cascade *cascade,
                                    const struct changed_row *parent, enum follow_action action,
                                    const struct cell *row, struct arena *arena)
{
    const struct follow_dependent *dependent = &walk->routes->dependents[cascade->dependent];
    size_t width = dependent->shape->field_count;
    if (action == FOLLOW_ACTION_DELETE) {
        return NULL;
    }
    struct cell *after = arena_allocate(arena, (width + 1) * sizeof *after);
    for (uint32_t i = 0; i < width; i++) {
        after[i] = cell_missing();
    }
    for (uint32_t i = 0; i < dependent->shape->key_field_count; i++) {
        after[dependent->shape->key_fields[i]] = row[dependent->shape->key_fields[i]];
    }
    for (uint32_t i = 0; i < cascade->columns.count; i++) {
        uint32_t at = dependent->at[place_of(dependent, cascade->columns.names[i])];
        const struct cell *now =
            action == FOLLOW_ACTION_NULL
                ? NULL
                : value_of(parent->shape, NULL, parent->after, cascade->referenced.names[i]);
        after[at] = now != NULL ? *now : action == FOLLOW_ACTION_NULL ? cell_null() : after[at];
    }
    return after;
}

static enum status copy_cells(struct walk *walk, const struct cell *from, uint32_t count,
                              const struct cell **to)
{
    struct cell *copy = arena_allocate(walk->arena, (count + (size_t)1) * sizeof *copy);
    for (uint32_t i = 0; from != NULL && i < count; i++) {
        if (value_copy(&from[i], walk->arena, &copy[i]) != STATUS_OK) {
            return error_set(walk->error, ERROR_MEMORY, NULL, "no memory for a changed row");
        }
    }
    *to = from != NULL ? copy : NULL;
    return STATUS_OK;
}

/* Rows that were found live shorter than the piece. */
static enum status add_change(struct walk *walk, struct changes_list *to, uint32_t number,
                              const struct changed_row *row)
{
    const struct shape *shape = row->shape;
    struct record_change change = {.table = walk->set->table_count + number,
                                   .operation = row->after == NULL ? RECORD_DELETE : RECORD_UPDATE,
                                   .key_count = shape->key_field_count};
    if (copy_cells(walk, row->before, shape->field_count, &change.before) != STATUS_OK ||
        copy_cells(walk, row->after, shape->field_count, &change.after) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct cell *key =
        arena_allocate_zeroed(walk->arena, shape->key_field_count + (size_t)1, sizeof *key);
    for (uint32_t i = 0; i < shape->key_field_count; i++) {
        key[i] = change.before[shape->key_fields[i]];
    }
    change.key = key;
    add_item(walk->arena, to, &change);
    return STATUS_OK;
}

/* An update of a row that another key has updated already is part of that change. */
static enum status add_update(struct walk *walk, uint32_t number, const struct changed_row *row)
{
    const struct shape *shape = row->shape;
    struct seen_slot *slot;
    bool is_new = false;
    if (find_deed(walk, number, row->before, DEED_UPDATE, &slot, &is_new) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (is_new) {
        slot->index = walk->then.count;
        return add_change(walk, &walk->then, number, row);
    }
    struct cell *after = (struct cell *)walk->then.items[slot->index].after;
    for (uint32_t i = 0; i < shape->field_count; i++) {
        bool same =
            row->after[i].kind == VALUE_MISSING || value_equal(&row->after[i], &row->before[i]);
        if (!same && value_copy(&row->after[i], walk->arena, &after[i]) != STATUS_OK) {
            return error_set(walk->error, ERROR_MEMORY, NULL, "no memory for a changed row");
        }
    }
    return STATUS_OK;
}

/* Is the row deleted by another key? */
static bool is_deleted(struct walk *walk, uint32_t number, const struct cell *row)
{
    struct seen_slot *slot;
    bool is_new = false;
    if (find_deed(walk, number, row, DEED_DELETE, &slot, &is_new) == STATUS_OK && is_new) {
        slot->hash = (XXH128_hash_t){0, 0};
        walk->seen.count--;
    }
    return !is_new;
}

static enum status walk_rows(struct walk *walk, const struct changed_row *rows, uint32_t count);

/* The rows that were found, and what they do in turn. */
static enum status change_rows(struct walk *walk, const struct follow_cascade *cascade,
                               const struct changed_row *parent, enum follow_action action,
                               const struct found_rows *found)
{
    const struct follow_dependent *dependent = found->dependent;
    struct changed_row *changed = memory_allocate_zeroed(found->count + (size_t)1, sizeof *changed);
    bool deletes = parent->after == NULL;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < found->count && status == STATUS_OK; i++) {
        changed[i] = (struct changed_row){
            .table = dependent->table,
            .shape = dependent->shape,
            .before = found->rows[i],
            .after = row_after(walk, cascade, parent, action, found->rows[i], found->arena)};
        status = deletes ? STATUS_OK : add_update(walk, found->number, &changed[i]);
    }
    status = status == STATUS_OK ? walk_rows(walk, changed, found->count) : status;
    for (uint32_t i = 0; i < found->count && deletes && status == STATUS_OK; i++) {
        bool gone = changed[i].after != NULL && is_deleted(walk, found->number, changed[i].before);
        status = gone ? STATUS_OK : add_change(walk, &walk->first, found->number, &changed[i]);
    }
    free(changed);
    return status;
}

/* Rows of one parent that all act in the same way on this key. Of deleted rows some are found at a
 * time, and gone before the next ones are looked for. */
static enum status act_on(struct walk *walk, const struct follow_cascade *cascade,
                          const struct changed_row *rows, uint32_t count)
{
    enum follow_action action = action_on(cascade, &rows[0]);
    uint32_t most = action == FOLLOW_ACTION_DELETE ? FOUND_MAX : 0;
    enum status status = STATUS_OK;
    for (bool more = true; more && status == STATUS_OK;) {
        struct found_rows found = {.arena = arena_create(0)};
        status = find_rows(walk, cascade, rows, count, most, &found);
        status =
            status == STATUS_OK ? change_rows(walk, cascade, &rows[0], action, &found) : status;
        more = most > 0 && found.told == most;
        bool full = more || walk->arena->bytes > PIECE_BYTES;
        most = found.count > 0 ? most : 0; /* all of them are under way: look past them */
        free(found.rows);
        arena_destroy(found.arena);
        if (status == STATUS_OK && full && action == FOLLOW_ACTION_DELETE) {
            status = hand_out(walk, walk->done, false);
            status = status == STATUS_OK ? walk->caller->settle(walk->caller->context, walk->error)
                                         : status;
        }
    }
    return status;
}

/* All that keys do to rows that refer to these, which are of one table. */
static enum status walk_rows(struct walk *walk, const struct changed_row *rows, uint32_t count)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < walk->routes->cascade_count && count > 0; i++) {
        const struct follow_cascade *cascade = &walk->routes->cascades[i];
        if (cascade->parent != rows[0].table ||
            walk->routes->dependents[cascade->dependent].entity == FOLLOW_NOWHERE) {
            continue;
        }
        for (uint32_t at = 0; at < count && status == STATUS_OK;) {
            enum follow_action action = action_on(cascade, &rows[at]);
            uint32_t end = at + 1;
            while (end < count && end - at < ROWS_EACH && rows[at].after == NULL &&
                   rows[end].after == NULL && action_on(cascade, &rows[end]) == action) {
                end++;
            }
            if (action != FOLLOW_ACTION_NONE) {
                status = act_on(walk, cascade, &rows[at], end - at);
            }
            at = end;
        }
    }
    return status;
}

/* ---- a set */

/* Acting changes from `first` on that can be handled together: deletes of one table, or one update.
 */
static uint32_t end_of_run(const struct walk *walk, uint32_t first)
{
    const struct change_set *set = walk->set;
    const struct record_change *one = &set->changes[first];
    uint32_t end = first + 1;
    while (one->after == NULL && end < set->change_count && end - first < RUN_MAX &&
           set->changes[end].table == one->table && set->changes[end].after == NULL &&
           change_acts(walk->routes, set, &set->changes[end])) {
        end++;
    }
    return end;
}

static enum status act_run(struct walk *walk, uint32_t first, uint32_t end)
{
    struct changed_row *rows = memory_allocate_zeroed(end - first + (size_t)1, sizeof *rows);
    uint32_t count = 0;
    for (uint32_t i = first; i < end; i++) {
        count += row_of_change(walk->routes, walk->set, &walk->set->changes[i], &rows[count]);
    }
    walk->seen.count = 0;
    if (walk->seen.capacity > 0) {
        memset(walk->seen.slots, 0, walk->seen.capacity * sizeof *walk->seen.slots);
    }
    enum status status = walk_rows(walk, rows, count);
    free(rows);
    return status;
}

static enum status walk_set(struct walk *walk)
{
    const struct change_set *set = walk->set;
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < set->change_count && status == STATUS_OK;) {
        if (!change_acts(walk->routes, set, &set->changes[at])) {
            at++;
            continue;
        }
        uint32_t end = end_of_run(walk, at);
        if (at > walk->done) {
            status = hand_out(walk, at, false);
        }
        status =
            status == STATUS_OK ? walk->caller->settle(walk->caller->context, walk->error) : status;
        status = status == STATUS_OK ? act_run(walk, at, end) : status;
        if (status == STATUS_OK && end < set->change_count) {
            status = hand_out(walk, end, false);
        }
        at = end;
    }
    return status == STATUS_OK ? hand_out(walk, set->change_count, true) : status;
}

enum status cascade_take(const struct follow_routes *routes, const struct followed_form *form,
                         struct change_set *set, const struct cascade_caller *caller,
                         struct error *error)
{
    struct walk walk = {.routes = routes,
                        .form = form,
                        .caller = caller,
                        .set = set,
                        .arena = arena_create(0),
                        .error = error};
    enum status status = walk_set(&walk);
    free(walk.seen.slots);
    arena_destroy(walk.arena);
    arena_destroy(set->arena);
    return status;
}
