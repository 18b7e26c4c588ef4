/* The target: tables in the log; records are written by the room of keyed stores. */
#include "base/failpoint.h"
#include "toy_internal.h"
#include <string.h>
#include <xxhash.h>

static enum status toy_claimed(struct database *database, const struct run_claim *claim,
                               struct error *error)
{
    struct toy_database *self = toy_of(database);
    self->run = XXH3_64bits(claim->run_id, strlen(claim->run_id)) | 1;
    enum status status = keyed_claimed(database, claim, error);
    return status == STATUS_OK ? toy_log_mend(self, error) : status;
}

static enum status toy_empty(struct database *database, const struct target_table *const *tables,
                             uint32_t table_count, struct error *error)
{
    struct toy_database *self = toy_of(database);
    struct buffer out = {0};
    for (uint32_t i = 0; i < table_count; i++) {
        struct toy_entry entry = {
            .kind = TOY_EMPTY,
            .run = self->run,
            .table = tables[i]->name,
            .table_length = (uint32_t)strlen(tables[i]->name),
        };
        toy_entry_append(&entry, &out);
    }
    enum status status = toy_log_write(self, &out, error);
    buffer_free(&out);
    return status == STATUS_OK ? failpoint_hit("toy.after_empty", error) : status;
}

static enum status toy_inspect(struct database *database, const struct target_table *tables,
                               uint32_t table_count, bool *table_exists, bool *record_exists,
                               struct error *error)
{
    for (uint32_t i = 0; i < table_count; i++) {
        struct toy_index index;
        enum status status = toy_index_load(toy_of(database), tables[i].name, &index, error);
        if (status != STATUS_OK) {
            return status;
        }
        table_exists[i] = index.exists;
        record_exists[i] = index.count > 0;
        toy_index_free(&index);
    }
    return STATUS_OK;
}

static enum status toy_check_table(struct database *database, const struct check_request *request,
                                   struct buffer *out, struct error *error)
{
    (void)database;
    (void)error;
    if (request->table->key.count == 0) {
        buffer_format(out, "table %s needs a key: records are put by it\n", request->table->name);
    }
    return STATUS_OK;
}

/* ---- tables */

static struct cell constant_text(const char *text)
{
    return cell_text(text, strlen(text));
}

static enum status encode_table(const struct target_table *table, struct arena *arena,
                                struct buffer *out, struct error *error)
{
    enum { FIELDS = 6 };
    struct cell *columns = arena_allocate_zeroed(arena, table->column_count + 1, sizeof *columns);
    struct cell *keys = arena_allocate_zeroed(arena, table->key.count + 1, sizeof *keys);
    struct cell *pairs =
        arena_allocate_zeroed(arena, (size_t)table->column_count + 1, 2 * FIELDS * sizeof *pairs);
    if (!columns || !keys || !pairs) {
        return error_set(error, ERROR_MEMORY, table->name, "no memory for its definition");
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct schema_column *column = &table->columns[i];
        struct cell *at = pairs + (size_t)i * 2 * FIELDS;
        const struct cell values[2 * FIELDS] = {
            constant_text("name"),      constant_text(column->name),
            constant_text("kind"),      cell_int64(column->type.kind),
            constant_text("precision"), cell_int64(column->type.precision),
            constant_text("scale"),     cell_int64(column->type.scale),
            constant_text("zoned"),     cell_int64(column->type.zoned),
            constant_text("not_null"),  cell_int64(column->not_null),
        };
        memcpy(at, values, sizeof values);
        columns[i] = cell_items(VALUE_MAP, at, FIELDS);
    }
    for (uint32_t i = 0; i < table->key.count; i++) {
        keys[i] = constant_text(table->key.names[i]);
    }
    const struct cell top[] = {
        constant_text("columns"),
        cell_items(VALUE_LIST, columns, table->column_count),
        constant_text("key"),
        cell_items(VALUE_LIST, keys, table->key.count),
    };
    struct cell map = cell_items(VALUE_MAP, top, 2);
    return toy_encode(&map, out, error);
}

static enum status create_table(struct toy_database *self, const struct target_table *table,
                                struct error *error)
{
    struct arena *arena = arena_create(0);
    struct buffer value = {0};
    struct buffer out = {0};
    enum status status = arena ? encode_table(table, arena, &value, error)
                               : error_set(error, ERROR_MEMORY, table->name, "no memory");
    if (status == STATUS_OK) {
        struct toy_entry entry = {
            .kind = TOY_TABLE,
            .run = self->run,
            .table = table->name,
            .table_length = (uint32_t)strlen(table->name),
            .value = (const uint8_t *)value.data,
            .value_length = (uint32_t)value.length,
        };
        toy_entry_append(&entry, &out);
        status = toy_log_write(self, &out, error);
    }
    buffer_free(&value);
    buffer_free(&out);
    arena_destroy(arena);
    return status;
}

struct own_table {
    const char *table;
    uint64_t run;
    bool exists;
    bool ours;
};

static enum status own_table_visit(void *context, const struct toy_entry *entry,
                                   struct error *error)
{
    struct own_table *own = context;
    (void)error;
    if (entry->kind == TOY_TABLE && strlen(own->table) == entry->table_length &&
        memcmp(own->table, entry->table, entry->table_length) == 0) {
        own->ours = own->ours || (!own->exists && entry->run == own->run);
        own->exists = true;
    }
    return STATUS_OK;
}

static enum status toy_prepare(struct database *database, const struct prepare_request *request,
                               struct error *error)
{
    struct toy_database *self = toy_of(database);
    struct target_table *tables = request->tables;
    enum status status = toy_log_mend(self, error);
    for (uint32_t i = 0; i < request->table_count && status == STATUS_OK; i++) {
        struct own_table own = {.table = tables[i].name, .run = self->run};
        status = toy_log_walk(self, 0, own_table_visit, &own, NULL, error);
        if (status == STATUS_OK && !own.exists) {
            status = failpoint_hit("toy.before_create", error);
            status = status == STATUS_OK ? create_table(self, &tables[i], error) : status;
        }
        tables[i].created = !own.exists || own.ours;
    }
    return status;
}

static enum status toy_after_load(struct database *database, struct after_load_request *request,
                                  struct error *error)
{
    (void)database;
    (void)request;
    (void)error;
    return STATUS_OK; /* there is nothing to build */
}

static enum status toy_count(struct database *database, const struct target_table *table,
                             uint64_t *count, struct error *error)
{
    struct toy_index index;
    enum status status = toy_index_load(toy_of(database), table->name, &index, error);
    if (status == STATUS_OK) {
        *count = index.count;
        toy_index_free(&index);
    }
    return status;
}

static enum status toy_normal_form(struct database *database, const struct cell *cell,
                                   struct arena *arena, struct cell *normal, struct error *error)
{
    (void)database;
    return value_copy(cell, arena, normal) == STATUS_OK
               ? STATUS_OK
               : error_set(error, ERROR_MEMORY, NULL, "no memory for a value");
}

const struct target_functions toy_target = {
    KEYED_TARGET_FUNCTIONS,         .claimed = toy_claimed,         .empty = toy_empty,
    .inspect = toy_inspect,         .check_table = toy_check_table, .prepare = toy_prepare,
    .after_load = toy_after_load,   .fetch = toy_fetch_records,     .count = toy_count,
    .normal_form = toy_normal_form,
};
