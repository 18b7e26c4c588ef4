/* The statements that a change takes: made once for each shape and each set of fields that are
 * there, kept, and run. */
#include "connectors/sql/apply_statement.h"
#include <string.h>

enum { STATEMENTS_MAX = 64 /* of one shape */ };

/* ---------------------------------------------------------------- shapes */

static bool has_fields(const struct sql_apply_shape *known, const struct shape *shape)
{
    bool same = known->field_count == shape->field_count;
    for (uint32_t i = 0; same && i < shape->field_count; i++) {
        same = strcmp(known->names[i], shape->fields[i].name) == 0;
    }
    return same;
}

static int32_t find_column(const struct apply *apply, const struct sql_apply_table *table,
                           const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (apply->database->dialect->compare_names(table->columns[i].name, name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

static enum status map_fields(const struct apply *apply, struct sql_apply_shape *shape,
                              struct error *error)
{
    for (uint32_t i = 0; i < shape->field_count; i++) {
        int32_t column = find_column(apply, &shape->table, shape->names[i]);
        if (column < 0) {
            return error_set(error, ERROR_TARGET_SCHEMA, shape->table.plan->name,
                             "the table has no column %s", shape->names[i]);
        }
        shape->columns[i] = shape->table.columns[column].made ? SQL_APPLY_MADE_BY_TARGET : column;
    }
    return STATUS_OK;
}

static enum status map_key(const struct apply *apply, struct sql_apply_shape *shape,
                           struct error *error)
{
    const struct column_list *key = &shape->table.plan->key;
    for (uint32_t part = 0; part < key->count; part++) {
        shape->key_fields[part] = -1;
        for (uint32_t i = 0; i < shape->field_count; i++) {
            if (shape->columns[i] >= 0 &&
                apply->database->dialect->compare_names(shape->names[i], key->names[part]) == 0) {
                shape->key_fields[part] = (int32_t)i;
            }
        }
        if (shape->key_fields[part] < 0) {
            return error_set(error, ERROR_TARGET_SCHEMA, shape->table.plan->name,
                             "the key column %s is not filled", key->names[part]);
        }
    }
    return STATUS_OK;
}

static enum status apply_statement_describe(struct apply *apply, struct sql_apply_table *table,
                                            struct error *error)
{
    enum status status = apply->dialect->describe(apply, table, error);
    if (status == STATUS_END) {
        error_set(error, ERROR_TARGET_SCHEMA, table->plan->name, "the table is not in the target");
        error_hint(error, "it was dropped since the run began; start a new run");
        status = STATUS_FAILED;
    }
    return status;
}

static enum status add_shape(struct apply *apply, uint32_t number, const struct shape *given,
                             struct sql_apply_shape **made, struct error *error)
{
    struct sql_apply_shape *shape = arena_allocate_zeroed(apply->arena, 1, sizeof *shape);
    size_t count = given->field_count;
    shape->number = number;
    shape->table.plan = &apply->tables[number];
    shape->field_count = given->field_count;
    shape->words = (given->field_count + 63) / 64;
    shape->names = arena_allocate_zeroed(apply->arena, count + 1, sizeof *shape->names);
    shape->columns = arena_allocate_zeroed(apply->arena, count + 1, sizeof *shape->columns);
    shape->present = arena_allocate_zeroed(apply->arena, shape->words + 1u, sizeof(uint64_t));
    shape->none = arena_allocate_zeroed(apply->arena, shape->words + 1u, sizeof(uint64_t));
    for (uint32_t i = 0; i < given->field_count; i++) {
        shape->names[i] = arena_copy_string(apply->arena, given->fields[i].name);
    }
    enum status status = apply_statement_describe(apply, &shape->table, error);
    shape->key_fields = arena_allocate_zeroed(apply->arena, shape->table.plan->key.count + 1u,
                                              sizeof *shape->key_fields);
    status = status == STATUS_OK ? map_fields(apply, shape, error) : status;
    status = status == STATUS_OK ? map_key(apply, shape, error) : status;
    if (status == STATUS_OK) {
        shape->next = apply->shapes;
        apply->shapes = shape;
    }
    *made = shape;
    return status;
}

static enum status find_shape(struct apply *apply, const struct sql_apply_item *item,
                              struct sql_apply_shape **found, struct error *error)
{
    uint32_t number = item->change->table;
    const struct shape *shape =
        number < item->set->table_count ? item->set->tables[number].shape : NULL;
    if (number >= apply->table_count || shape == NULL) {
        return error_set(error, ERROR_INTERNAL, apply->database->shown,
                         "a change without a shape or table is given to a SQL table");
    }
    for (*found = apply->shapes; *found != NULL; *found = (*found)->next) {
        if ((*found)->number == number && ((*found)->seen == shape || has_fields(*found, shape))) {
            (*found)->seen = shape;
            return STATUS_OK;
        }
    }
    return add_shape(apply, number, shape, found, error);
}

void sql_apply_forget_sets(struct apply *apply)
{
    for (struct sql_apply_shape *shape = apply->shapes; shape != NULL; shape = shape->next) {
        shape->seen = NULL;
    }
}

static void free_statement(struct apply *apply, struct sql_apply_statement *statement)
{
    if (statement->prepared != NULL) {
        apply->dialect->forget(apply, statement);
    }
    arena_destroy(statement->arena);
}

void sql_apply_free_shapes(struct apply *apply)
{
    for (struct sql_apply_shape *shape = apply->shapes; shape != NULL; shape = shape->next) {
        while (shape->statements != NULL) {
            struct sql_apply_statement *first = shape->statements;
            shape->statements = first->next;
            free_statement(apply, first);
        }
    }
    apply->shapes = NULL;
}

/* ---------------------------------------------------------------- what a change does */

static bool is_there(const struct cell *cell)
{
    return cell->kind != VALUE_MISSING && cell->kind != VALUE_NULL;
}

uint32_t sql_apply_key_count(const struct sql_apply_image *image)
{
    return image->shape->table.plan->key.count;
}

const struct cell *sql_apply_new_key(const struct sql_apply_image *image,
                                     const struct record_change *change, uint32_t part)
{
    const struct cell *cell = &change->after[image->shape->key_fields[part]];
    if (cell->kind != VALUE_MISSING) {
        return cell;
    }
    return image->old ? &change->key[part] : NULL;
}

static bool note_present(struct sql_apply_shape *shape, const struct cell *after)
{
    bool all = true;
    memset(shape->present, 0, shape->words * sizeof *shape->present);
    for (uint32_t i = 0; i < shape->field_count; i++) {
        bool there = after[i].kind != VALUE_MISSING;
        shape->present[i / 64] |= (uint64_t)there << (i % 64);
        all = all && there;
    }
    return all;
}

static enum status refuse_null(const struct sql_apply_image *image, uint32_t part,
                               struct sql_apply_refused *refused)
{
    refused->code = ERROR_REJECT_KEY_NULL;
    refused->reason = arena_format(refused->arena, "a part of the key is null: %s",
                                   image->shape->table.plan->key.names[part]);
    return STATUS_AGAIN;
}

enum status sql_apply_look(struct apply *apply, const struct sql_apply_item *item,
                           struct sql_apply_image *image, struct sql_apply_refused *refused,
                           struct error *error)
{
    const struct record_change *change = item->change;
    *image = (struct sql_apply_image){0};
    enum status status = find_shape(apply, item, &image->shape, error);
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t count = sql_apply_key_count(image);
    if (sql_apply_is_whole(image)) {
        image->whole = true;
        image->old = change->key != NULL && change->operation != RECORD_TRUNCATE;
        image->moves = image->old && change->after != NULL;
        memset(image->shape->present, 0xff, image->shape->words * sizeof *image->shape->present);
        count = image->old ? image->shape->field_count : change->key_count;
    }
    if (change->key != NULL && change->key_count != count) {
        return error_set(error, ERROR_INTERNAL, apply->database->shown,
                         "a change has a key of %u parts, and the table one of %u",
                         change->key_count, count);
    }
    if (sql_apply_is_whole(image)) {
        return STATUS_OK;
    }
    image->old = change->key != NULL;
    for (uint32_t part = 0; part < count && image->old; part++) {
        image->old = is_there(&change->key[part]);
    }
    if (change->after == NULL) {
        return STATUS_OK;
    }
    image->whole = note_present(image->shape, change->after) || change->operation == RECORD_INSERT;
    for (uint32_t part = 0; part < count; part++) {
        const struct cell *cell = sql_apply_new_key(image, change, part);
        if (cell == NULL || !is_there(cell)) {
            image->moves = image->old;
            return refuse_null(image, part, refused);
        }
        image->moves = image->moves || (image->old && !value_equal(cell, &change->key[part]));
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- statements */

/* The last statement of a full list, which was not used for longest, goes. */
static void make_room(struct apply *apply, struct sql_apply_shape *shape)
{
    struct sql_apply_statement **link = &shape->statements;
    if (shape->statement_count < STATEMENTS_MAX) {
        shape->statement_count++;
        return;
    }
    while ((*link)->next != NULL) {
        link = &(*link)->next;
    }
    free_statement(apply, *link);
    *link = NULL;
}

static struct sql_apply_statement *find_statement(struct apply *apply,
                                                  struct sql_apply_shape *shape,
                                                  enum sql_apply_kind kind, const uint64_t *present)
{
    struct sql_apply_statement **link = &shape->statements;
    while (*link != NULL &&
           ((*link)->kind != kind ||
            memcmp((*link)->present, present, shape->words * sizeof *present) != 0)) {
        link = &(*link)->next;
    }
    struct sql_apply_statement *found = *link;
    if (found != NULL) {
        *link = found->next;
    } else {
        make_room(apply, shape);
        found = sql_apply_make_statement(apply, shape, kind, present);
    }
    found->next = shape->statements;
    shape->statements = found;
    return found;
}

enum status sql_apply_run(struct apply *apply, const struct sql_apply_item *item,
                          const struct sql_apply_image *image, enum sql_apply_kind kind,
                          struct sql_apply_refused *refused, struct error *error)
{
    bool of_all = kind == SQL_APPLY_REMOVE || kind == SQL_APPLY_EMPTY;
    struct sql_apply_statement *statement = find_statement(
        apply, image->shape, kind, of_all ? image->shape->none : image->shape->present);
    return statement->sql[0] == '\0'
               ? STATUS_END
               : apply->dialect->run(apply, statement, item->change, refused, error);
}

bool sql_apply_has_fixed_key(const struct sql_apply_image *image)
{
    const struct sql_apply_shape *shape = image->shape;
    for (uint32_t part = 0; part < sql_apply_key_count(image); part++) {
        if (shape->table.columns[shape->columns[shape->key_fields[part]]].fixed) {
            return true;
        }
    }
    return false;
}
