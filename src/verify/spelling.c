/* Asking the target for the records that it keeps under other spellings of their keys. */
#include "verify/spelling.h"

#include "engine/formats/typed_json.h"
#include "verify/look_up.h"
#include <inttypes.h>
#include <string.h>

enum { ENTRY_BYTES_KEPT = 4 << 20 };

/* Has a value of the column more than one spelling that may be equal? */
static bool is_spelled(const struct schema_column *column)
{
    switch (column->type.kind) {
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_BYTES:
    case VALUE_DATE:
    case VALUE_TIMESTAMP:
    case VALUE_UUID:
        return false;
    default:
        return true;
    }
}

bool spelling_is_possible(const struct verify *verify, const struct verify_table *table)
{
    struct column_list key = table->plan->target.key;
    if (table->owned || table->form.fields == NULL || !look_up_is_possible(verify, table) ||
        !schema_is_unique(table->actual, key)) {
        return false;
    }
    for (uint32_t i = 0; i < key.count; i++) {
        int column = schema_find_column(table->actual, key.names[i]);
        if (column < 0 || is_spelled(&table->actual->columns[column])) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- asking */

/* The entry's key, in the order of the table's. */
static enum status read_key(const struct spill_head *source, struct column_list key,
                            struct arena *arena, struct cell *cells, struct error *error)
{
    struct json_reader reader;
    enum json_token token;
    struct cell map = cell_missing();
    json_reader_init(&reader, spill_key(source), source->key_length, JSON_DEPTH_MAX, arena);
    enum status status = json_reader_next(&reader, &token, error);
    if (status == STATUS_OK) {
        status = typed_json_read_fields(&reader, token, arena, &map, error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < key.count; i++) {
        const struct cell *value = map.kind == VALUE_MAP ? value_field(&map, key.names[i]) : NULL;
        if (value == NULL) {
            return error_set(error, ERROR_STATE_INVALID, NULL, "a key that was kept is damaged");
        }
        cells[i] = *value;
    }
    return status == STATUS_OK ? STATUS_OK : STATUS_FAILED;
}

/* `*batch` NULL: one of the keys is none that the table can hold. */
static enum status spelling_fetch(const struct spelling *spelling, const struct cell *cells,
                                  uint32_t count, struct batch **batch, struct error *error)
{
    struct verify *verify = spelling->verify;
    struct database *target = verify->session->target;
    enum status status = target->connector->target->fetch(target, &spelling->table->plan->target,
                                                          cells, count, batch, error);
    if (status != STATUS_OK) {
        *batch = NULL;
        return error->class == ERROR_CLASS_REJECT ? STATUS_OK : STATUS_FAILED;
    }
    status =
        pass_account(verify, SIDE_TARGET, NULL, (*batch)->row_count, batch_bytes(*batch), error);
    if (status != STATUS_OK) {
        batch_destroy(*batch);
        *batch = NULL;
    }
    return status;
}

/* ---------------------------------------------------------------- one record */

static void put_key(const struct verify_table *table, const struct cell *key, struct cell *cells)
{
    struct column_list names = table->plan->target.key;
    for (uint32_t i = 0; i < table->request.column_count; i++) {
        for (uint32_t part = 0; part < names.count; part++) {
            if (strcmp(table->request.columns[i].name, names.names[part]) == 0) {
                cells[i] = key[part];
            }
        }
    }
}

/* The record that was found under this key, with the key as the source spells it; `*made` NULL: it
 * is spelled so in the target, and came after what was read of that. */
static enum status make_entry(struct spelling *spelling, const struct spill_head *source,
                              const struct cell *key, const struct cell *record,
                              struct arena *arena, const struct spill_head **made,
                              struct error *error)
{
    const struct verify_table *table = spelling->table;
    const struct record_form *form = &table->form;
    const struct spill_head head = {
        .side = SIDE_TARGET, .table = table->number, .entity = UINT32_MAX};
    struct cell *cells =
        arena_allocate_zeroed(arena, (size_t)table->request.column_count + 1, sizeof(*cells));
    *made = NULL;
    look_up_arrange(table, record, cells);
    if (former_take(&spelling->former, form, cells, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (memcmp(&spelling->former.key, &source->key, sizeof(source->key)) == 0) {
        return STATUS_OK;
    }
    put_key(table, key, cells);
    if (former_take(&spelling->former, form, cells, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return spiller_make(&spelling->spiller, head, &spelling->former, form, made, error);
}

/* Nothing says of a key with a null that there is one record. */
static bool has_null(const struct cell *key, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (key[i].kind == VALUE_NULL || key[i].kind == VALUE_MISSING) {
            return true;
        }
    }
    return false;
}

static enum status settle_one(struct spelling *spelling, const struct spill_head *source,
                              const struct cell *key, struct arena *arena, struct error *error)
{
    struct batch *batch = NULL;
    const struct spill_head *made = NULL;
    if (has_null(key, spelling->table->plan->target.key.count)) {
        return spelling->settle(spelling->context, source, NULL, error);
    }
    enum status status = spelling_fetch(spelling, key, 1, &batch, error);
    if (status == STATUS_OK && batch != NULL && batch->row_count > 0) {
        status = make_entry(spelling, source, key, batch_row(batch, 0), arena, &made, error);
    }
    if (status == STATUS_OK) {
        spelling->found[spelling->table->number] += made != NULL;
        status = spelling->settle(spelling->context, source, made, error);
    }
    batch_destroy(batch);
    return status;
}

/* ---------------------------------------------------------------- some records */

static void spelling_begin(struct spelling *spelling)
{
    struct verify *verify = spelling->verify;
    spelling->found =
        arena_allocate_zeroed(verify->arena, verify->table_count + 1u, sizeof(uint64_t));
    spelling->spiller = (struct spiller){.spill = verify->spill};
    spelling->begun = true;
    former_init(&spelling->former, verify->session->target);
}

static bool is_full(const struct spelling *spelling)
{
    return spelling->count >= look_up_keys_a_call(spelling->verify, spelling->table) ||
           spelling->entries.length >= ENTRY_BYTES_KEPT;
}

enum status spelling_note(struct spelling *spelling, const struct spill_head *source,
                          struct error *error)
{
    const struct verify_table *table = &spelling->verify->tables[source->table];
    if (!spelling->begun) {
        spelling_begin(spelling);
    }
    if (spelling->count > 0 && table != spelling->table) {
        enum status status = spelling_flush(spelling, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    spelling->table = table;
    if (!buffer_try_reserve(&spelling->entries, source->length)) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory to look for keys");
    }
    buffer_append(&spelling->entries, source, source->length);
    spelling->count++;
    return is_full(spelling) ? spelling_flush(spelling, error) : STATUS_OK;
}

/* Mostly the target has none of them. */
static enum status settle_all(struct spelling *spelling, const struct cell *keys, bool none,
                              struct arena *arena, struct error *error)
{
    uint32_t width = spelling->table->plan->target.key.count;
    enum status status = STATUS_OK;
    uint64_t at = 0;
    for (uint32_t i = 0; i < spelling->count && status == STATUS_OK; i++) {
        const struct spill_head *source = spill_entry(spelling->entries.data, at);
        at += source->length;
        status = none ? spelling->settle(spelling->context, source, NULL, error)
                      : settle_one(spelling, source, &keys[(size_t)i * width], arena, error);
    }
    return status;
}

enum status spelling_flush(struct spelling *spelling, struct error *error)
{
    if (spelling->count == 0) {
        return STATUS_OK;
    }
    struct column_list key = spelling->table->plan->target.key;
    struct arena *arena = arena_create(0);
    struct batch *batch = NULL;
    struct cell *keys =
        arena_allocate_zeroed(arena, (size_t)spelling->count * key.count + 1, sizeof(*keys));
    enum status status = STATUS_OK;
    uint64_t at = 0;
    for (uint32_t i = 0; i < spelling->count && status == STATUS_OK; i++) {
        const struct spill_head *source = spill_entry(spelling->entries.data, at);
        at += source->length;
        status = read_key(source, key, arena, &keys[(size_t)i * key.count], error);
    }
    status = status == STATUS_OK ? spelling_fetch(spelling, keys, spelling->count, &batch, error)
                                 : status;
    bool none = batch != NULL && batch->row_count == 0;
    batch_destroy(batch);
    status = status == STATUS_OK ? settle_all(spelling, keys, none, arena, error) : status;
    arena_destroy(arena);
    buffer_clear(&spelling->entries);
    spelling->count = 0;
    return status;
}

void spelling_tell(struct spelling *spelling)
{
    for (uint32_t i = 0; spelling->found != NULL && i < spelling->verify->table_count; i++) {
        if (spelling->found[i] > 0) {
            verify_note(spelling->verify,
                        "%s: %" PRIu64
                        " records stand under another spelling of their keys, which the target "
                        "takes for the same (as 1.0 for 1, or A for a): the table had them before",
                        spelling->verify->tables[i].plan->target.name, spelling->found[i]);
        }
    }
}

void spelling_free(struct spelling *spelling)
{
    if (spelling->begun) {
        former_free(&spelling->former);
        spiller_free(&spelling->spiller);
    }
    buffer_free(&spelling->entries);
}
