/* The target's records under some keys: asked for by key, where its connector can. */
#include "verify/look_up.h"

#include "base/memory.h"
#include "base/signals.h"
#include "verify/spill.h"
#include <stdlib.h>
#include <string.h>

enum { KEYS_A_CALL = 100, RECORD_BYTES_SMALL = 1 << 20 };
enum { ROW_BYTES_SMALL = 64 << 10, TABLE_BYTES_SMALL = 4 << 20 };

bool look_up_is_possible(const struct verify *verify, const struct verify_table *table)
{
    return table->actual != NULL && table->plan->target.key.count > 0 &&
           verify->session->target->connector->target->fetch != NULL;
}

uint32_t look_up_keys_a_call(const struct verify *verify, const struct verify_table *table)
{
    uint64_t most = verify->session->target->limits.record_bytes_max;
    int64_t rows = table->actual->row_count;
    bool known = table->actual->size_bytes >= 0 && table->actual->long_bytes >= 0;
    int64_t bytes = known ? table->actual->size_bytes + table->actual->long_bytes : -1;
    bool small = (most > 0 && most <= RECORD_BYTES_SMALL) ||
                 (bytes >= 0 && bytes < TABLE_BYTES_SMALL) ||
                 (bytes >= 0 && rows > 0 && bytes / rows < ROW_BYTES_SMALL);
    return small ? KEYS_A_CALL : 1;
}

enum status look_up_note(struct looked_up *list, const struct verify *verify,
                         const struct verify_table *table, const struct former *former,
                         struct error *error)
{
    struct column_list key = table->plan->target.key;
    struct wanted_key wanted = {
        .hash = former->key,
        .cells = arena_allocate_zeroed(verify->arena, key.count, sizeof(*wanted.cells))};
    for (uint32_t i = 0; i < key.count; i++) {
        const struct former_field *field = former_find(former, key.names[i], strlen(key.names[i]));
        if (field == NULL || field->value.kind == VALUE_NULL) {
            list->keyless = true;
            return STATUS_OK;
        }
        if (value_copy(&field->value, verify->arena, &wanted.cells[i]) != STATUS_OK) {
            return error_set(error, ERROR_MEMORY, NULL, "no memory to look records up");
        }
    }
    buffer_append(&list->keys, &wanted, sizeof(wanted));
    return STATUS_OK;
}

static int compare_wanted(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(struct canonical_hash));
}

/* Each key once. */
static uint32_t sort_keys(struct looked_up *list)
{
    struct wanted_key *keys = (struct wanted_key *)(void *)list->keys.data;
    uint32_t count = (uint32_t)(list->keys.length / sizeof(*keys));
    uint32_t kept = 0;
    if (count > 0) {
        qsort(keys, count, sizeof(*keys), compare_wanted);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || compare_wanted(&keys[i], &keys[kept - 1]) != 0) {
            keys[kept++] = keys[i];
        }
    }
    return kept;
}

/* ---------------------------------------------------------------- one call */

struct looking {
    struct verify *verify;
    const struct verify_table *table;
    struct former former;
    struct spiller spiller;
    struct cell *cells; /* a record's, as the table's request has its columns */
};

/* A record of columns is a map of its fields here, too. */
const struct cell *look_up_arrange(const struct verify_table *table, const struct cell *map,
                                   struct cell *cells)
{
    const struct read_request *request = &table->request;
    if (table->form.fields == NULL) {
        return map;
    }
    for (uint32_t i = 0; i < request->column_count; i++) {
        const struct cell *field = value_field(map, request->columns[i].name);
        cells[i] = field != NULL ? *field : cell_missing();
    }
    return cells;
}

static enum status take_found(struct looking *looking, const struct batch *batch,
                              struct error *error)
{
    enum status status = STATUS_OK;
    const struct record_form *form = &looking->table->form;
    const struct spill_head head = {
        .side = SIDE_TARGET, .table = looking->table->number, .entity = UINT32_MAX};
    atomic_fetch_add(&looking->verify->rows, batch->row_count);
    for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
        status = former_take(&looking->former, form,
                             look_up_arrange(looking->table, batch_row(batch, row), looking->cells),
                             error);
        if (status == STATUS_OK) {
            status = spiller_add(&looking->spiller, head, &looking->former, form, error);
        }
    }
    return status;
}

/* `*batch` NULL: one of the keys is none that the target can hold. */
static enum status verify_look_up_ask(const struct looking *looking, const struct wanted_key *keys,
                                      uint32_t count, struct batch **batch, struct error *error)
{
    struct database *target = looking->verify->session->target;
    const struct target_table *table = &looking->table->plan->target;
    size_t width = table->key.count;
    struct cell *cells = memory_resize(NULL, count * width + 1, sizeof(*cells));
    *batch = NULL;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&cells[i * width], keys[i].cells, width * sizeof(*cells));
    }
    enum status status =
        target->connector->target->fetch(target, table, cells, count, batch, error);
    free(cells);
    if (status != STATUS_OK) {
        *batch = NULL;
        status = status == STATUS_FAILED && error->class == ERROR_CLASS_REJECT ? STATUS_OK : status;
    }
    return status;
}

/* Nothing stands under a key that the target can't hold: the run rejected the record. Which of some
 * it is, their halves tell. */
static enum status ask_and_take(struct looking *looking, const struct wanted_key *keys,
                                uint32_t count, struct error *error)
{
    struct batch *batch;
    enum status status = verify_look_up_ask(looking, keys, count, &batch, error);
    if (status == STATUS_OK && batch == NULL && count > 1) {
        status = ask_and_take(looking, keys, count / 2, error);
        return status == STATUS_OK
                   ? ask_and_take(looking, &keys[count / 2], count - count / 2, error)
                   : status;
    }
    if (status == STATUS_OK && batch != NULL) {
        status = pass_account(looking->verify, SIDE_TARGET, NULL, batch->row_count,
                              batch_bytes(batch), error);
        status = status == STATUS_OK ? take_found(looking, batch, error) : status;
    }
    batch_destroy(batch);
    return status;
}

enum status look_up_all(struct looked_up *list, struct verify *verify,
                        const struct verify_table *table, struct error *error)
{
    struct looking looking = {
        .verify = verify, .table = table, .spiller = {.spill = verify->spill}};
    const struct wanted_key *keys = (const struct wanted_key *)(const void *)list->keys.data;
    uint32_t count = sort_keys(list);
    uint32_t most = look_up_keys_a_call(verify, table);
    looking.cells =
        memory_allocate_zeroed((size_t)table->request.column_count + 1, sizeof(*looking.cells));
    former_init(&looking.former, verify->session->target);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK; at += most) {
        uint32_t some = count - at < most ? count - at : most;
        status =
            signals_stop_level() > 0 ? STATUS_END : ask_and_take(&looking, &keys[at], some, error);
    }
    former_free(&looking.former);
    spiller_free(&looking.spiller);
    free(looking.cells);
    return status;
}

void look_up_free(struct looked_up *list)
{
    buffer_free(&list->keys);
}
