/* Records of tables that skip, compared with those that the target has under their keys. */
#include "engine/copy/strangers_parts.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 256, BYTES_MAX = 4 << 20 };

/* A record that waits for its comparison. */
struct item {
    struct canonical_hash key;
    const struct cell *key_cells;  /* normal form */
    const struct cell *values;     /* of the fields, likewise; MISSING: not compared */
    struct canonical_hash *hashes; /* a set each, of this table; in the order of the sets */
    bool *hashed;
    const struct shape *shape;
    uint32_t entity;
    bool met; /* the target has one whose key hashes to the same */
};

struct stranger_compare {
    struct strangers *strangers;
    struct arena *arena; /* of the items */
    struct arena *names; /* of one comparison */
    struct buffer scratch;
    uint32_t table; /* that the items are of */
    const struct schema_table *there;
    struct item items[KEYS_MAX];
    uint32_t count;
};

struct stranger_compare *stranger_compare_create(struct strangers *strangers)
{
    struct stranger_compare *compare = memory_allocate_zeroed(1, sizeof *compare);
    compare->strangers = strangers;
    compare->arena = arena_create(0);
    compare->names = arena_create(0);
    compare->table = UINT32_MAX;
    return compare;
}

void stranger_compare_destroy(struct stranger_compare *compare)
{
    arena_destroy(compare->arena);
    arena_destroy(compare->names);
    buffer_free(&compare->scratch);
    free(compare);
}

static const struct target_table *table_of(const struct stranger_compare *compare)
{
    return &compare->strangers->run->tables[compare->table];
}

/* ---- items */

/* A value that the table makes itself is not the record's. */
static bool is_compared(const struct stranger_compare *compare, const char *field)
{
    int column = schema_find_column(compare->there, field);
    return column >= 0 && compare->there->columns[column].generated == GENERATED_NO;
}

/* STATUS_END: the table can't hold the record, and its writer will say so. */
static enum status read_values(struct stranger_compare *compare, const struct batch *batch,
                               uint32_t row, struct item *item, struct error *error)
{
    const struct shape *shape = batch->shape;
    const struct cell *cells = batch_row(batch, row);
    struct cell *values =
        arena_allocate_zeroed(compare->arena, shape->field_count + 1u, sizeof *values);
    item->shape = shape;
    item->values = values;
    for (uint32_t i = 0; i < shape->field_count; i++) {
        struct cell normal;
        values[i] = cell_missing();
        if (cells[i].kind == VALUE_MISSING || cells[i].kind == VALUE_LARGE ||
            !is_compared(compare, shape->fields[i].name)) {
            continue;
        }
        if (stranger_normal(compare->strangers->run, batch->entity, i, &cells[i], compare->arena,
                            &normal, error) != STATUS_OK) {
            return error->class == ERROR_CLASS_REJECT ? STATUS_END : STATUS_FAILED;
        }
        if (value_copy(&normal, compare->arena, &values[i]) != STATUS_OK) {
            return error_set(error, ERROR_MEMORY, NULL, "no memory to compare records");
        }
    }
    return STATUS_OK;
}

static enum status read_key(struct stranger_compare *compare, struct item *item,
                            struct error *error)
{
    const struct column_list key = table_of(compare)->key;
    struct cell *cells = arena_allocate_zeroed(compare->arena, key.count + 1u, sizeof *cells);
    for (uint32_t i = 0; i < key.count; i++) {
        int32_t field = stranger_field(item->shape, key.names[i]);
        if (field < 0 || item->values[field].kind == VALUE_MISSING ||
            item->values[field].kind == VALUE_NULL) {
            return STATUS_END;
        }
        cells[i] = item->values[field];
    }
    item->key_cells = cells;
    return canonical_hash_cells(cells, key.count, &compare->scratch, &item->key, error);
}

static enum status read_sets(struct stranger_compare *compare, const struct batch *batch,
                             uint32_t row, struct item *item, struct error *error)
{
    const struct strangers *strangers = compare->strangers;
    item->hashes =
        arena_allocate_zeroed(compare->arena, strangers->set_count + 1u, sizeof *item->hashes);
    item->hashed =
        arena_allocate_zeroed(compare->arena, strangers->set_count + 1u, sizeof *item->hashed);
    for (uint32_t i = 0; i < strangers->set_count; i++) {
        if (strangers->sets[i].table != compare->table) {
            continue;
        }
        enum status status =
            stranger_hash(strangers->run, batch, row, strangers->sets[i].columns, compare->arena,
                          &compare->scratch, &item->hashes[i], error);
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        item->hashed[i] = status == STATUS_OK;
    }
    return STATUS_OK;
}

/* ---- the target's */

static int compare_items(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;
    return a->key.high != b->key.high ? (a->key.high < b->key.high ? -1 : 1)
           : a->key.low != b->key.low ? (a->key.low < b->key.low ? -1 : 1)
                                      : 0;
}

static enum status strangers_compare_fetch(struct stranger_compare *compare,
                                           const struct cell *keys, uint32_t count,
                                           struct batch **batch, struct error *error)
{
    struct run_session *session = compare->strangers->run->session;
    const struct target_table *table = table_of(compare);
    struct retry retry;
    enum status status;
    session_retry_begin(session, &retry);
    do {
        status = session->target->connector->target->fetch(session->target, table, keys, count,
                                                           batch, error);
    } while (status == STATUS_FAILED && retry_wait(&retry, error));
    return status;
}

static enum status fetch_all(struct stranger_compare *compare, struct batch **batch,
                             struct error *error)
{
    uint32_t width = table_of(compare)->key.count;
    uint32_t count = 0;
    struct cell *keys =
        arena_allocate_zeroed(compare->arena, (size_t)compare->count * width + 1, sizeof *keys);
    for (uint32_t i = 0; i < compare->count; i++) {
        if (i == 0 || compare_items(&compare->items[i - 1], &compare->items[i]) != 0) {
            memcpy(&keys[(size_t)count * width], compare->items[i].key_cells, width * sizeof *keys);
            count++;
        }
    }
    return strangers_compare_fetch(compare, keys, count, batch, error);
}

/* A value of the target's, as the field of that number would be kept. */
static enum status normal(const struct stranger_compare *compare, const struct item *item,
                          int32_t field, const struct cell *cell, struct cell *out,
                          struct error *error)
{
    enum status status = stranger_normal(compare->strangers->run, item->entity, (uint32_t)field,
                                         cell, compare->names, out, error);
    if (status != STATUS_OK && error->class != ERROR_CLASS_STOP) {
        *out = *cell;
        status = STATUS_OK;
    }
    return status;
}

/* An earlier attempt of this run may have written it without what it refers to. */
static bool may_be_unfilled(const struct stranger_compare *compare, const char *field,
                            const struct cell *there)
{
    const struct target_table *table = table_of(compare);
    bool found = false;
    for (uint32_t i = 0; i < table->later_count; i++) {
        found = found || column_list_holds(table->later[i].emptied, field);
    }
    return found && compare->strangers->run->claim.epoch > 1 && there->kind == VALUE_NULL;
}

static enum status is_equal(struct stranger_compare *compare, const struct item *item,
                            const struct cell *map, bool *equal, struct error *error)
{
    *equal = true;
    for (uint32_t i = 0; *equal && i < item->shape->field_count; i++) {
        const char *name = item->shape->fields[i].name;
        struct canonical_hash hashes[2];
        struct cell there = cell_null();
        const struct cell *found = value_field(map, name);
        if (item->values[i].kind == VALUE_MISSING ||
            (found != NULL && found->kind == VALUE_LARGE)) {
            continue;
        }
        if ((found != NULL && found->kind != VALUE_MISSING &&
             normal(compare, item, (int32_t)i, found, &there, error) != STATUS_OK) ||
            canonical_hash_cells(&item->values[i], 1, &compare->scratch, &hashes[0], error) !=
                STATUS_OK ||
            canonical_hash_cells(&there, 1, &compare->scratch, &hashes[1], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        *equal = memcmp(&hashes[0], &hashes[1], sizeof hashes[0]) == 0 ||
                 may_be_unfilled(compare, name, &there);
    }
    return STATUS_OK;
}

static enum status strangers_compare_note(struct stranger_compare *compare, const struct item *item,
                                          struct error *error)
{
    struct strangers *strangers = compare->strangers;
    strangers->differing[compare->table]++;
    for (uint32_t i = 0; i < strangers->set_count; i++) {
        if (item->hashed[i] &&
            strangers_add(strangers, i, &item->hashes[i], true, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status compare_item(struct stranger_compare *compare, struct item *item,
                                const struct cell *map, struct error *error)
{
    bool equal = true;
    item->met = true;
    if (is_equal(compare, item, map, &equal, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return equal ? STATUS_OK : strangers_compare_note(compare, item, error);
}

/* `*known`: its key is spelled as that of an item. */
static enum status take_record(struct stranger_compare *compare, const struct cell *map,
                               bool *known, struct error *error)
{
    const struct column_list key = table_of(compare)->key;
    struct item wanted = {0};
    struct cell *cells = arena_allocate_zeroed(compare->names, key.count + 1u, sizeof *cells);
    *known = false;
    for (uint32_t i = 0; i < key.count; i++) {
        const struct cell *cell = value_field(map, key.names[i]);
        int32_t field = stranger_field(compare->items[0].shape, key.names[i]);
        if (cell == NULL || field < 0) {
            return STATUS_OK;
        }
        if (normal(compare, &compare->items[0], field, cell, &cells[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (canonical_hash_cells(cells, key.count, &compare->scratch, &wanted.key, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < compare->count; i++) {
        if (compare_items(&compare->items[i], &wanted) == 0) {
            *known = true;
            if (compare_item(compare, &compare->items[i], map, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        }
    }
    return STATUS_OK;
}

/* To the target keys may be equal that are spelled differently, as by a collation: only it can say
 * which of the items has the key of a record that it gave. */
static enum status take_spelled_otherwise(struct stranger_compare *compare, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < compare->count; i++) {
        struct item *item = &compare->items[i];
        struct batch *batch = NULL;
        if (item->met) {
            continue;
        }
        status = strangers_compare_fetch(compare, item->key_cells, 1, &batch, error);
        if (status == STATUS_OK && batch != NULL && batch->row_count > 0) {
            arena_reset(compare->names);
            status = compare_item(compare, item, batch_row(batch, 0), error);
        }
        batch_destroy(batch);
    }
    return status;
}

enum status stranger_compare_flush(struct stranger_compare *compare, struct error *error)
{
    struct batch *batch = NULL;
    enum status status = STATUS_OK;
    bool all_known = true;
    if (compare->count > 0) {
        qsort(compare->items, compare->count, sizeof compare->items[0], compare_items);
        status = fetch_all(compare, &batch, error);
    }
    for (uint32_t row = 0; status == STATUS_OK && batch != NULL && row < batch->row_count; row++) {
        bool known;
        arena_reset(compare->names);
        status = take_record(compare, batch_row(batch, row), &known, error);
        all_known = all_known && known;
    }
    batch_destroy(batch);
    if (status == STATUS_OK && !all_known) {
        status = take_spelled_otherwise(compare, error);
    }
    compare->count = 0;
    arena_reset(compare->arena);
    return status;
}

enum status stranger_compare_batch(struct stranger_compare *compare, const struct batch *batch,
                                   struct error *error)
{
    const struct run *run = compare->strangers->run;
    uint32_t table = run->session->plan->entities[batch->entity].table;
    if (table != compare->table && stranger_compare_flush(compare, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    compare->table = table;
    compare->there =
        session_target_table(run->session, run->session->there, run->tables[table].name);
    for (uint32_t row = 0; compare->there != NULL && row < batch->row_count; row++) {
        struct item item = {.entity = batch->entity};
        enum status status = read_values(compare, batch, row, &item, error);
        status = status == STATUS_OK ? read_key(compare, &item, error) : status;
        status = status == STATUS_OK ? read_sets(compare, batch, row, &item, error) : status;
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        if (status == STATUS_OK) {
            compare->items[compare->count++] = item;
        }
        bool full = compare->count == KEYS_MAX || arena_bytes(compare->arena) > BYTES_MAX;
        if (full && stranger_compare_flush(compare, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}
