/* Writing: puts by key, acknowledged later and out of order, at the whim of a small generator. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "connectors/lease.h"
#include "connectors/report.h"
#include "toy_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { PENDING_MAX = 16 };

struct writer {
    struct toy_database *self;
    const struct target_table *tables;
    uint32_t table_count;
    uint64_t epoch;
    struct toy_index *before; /* a table's records when the writer was opened: for `existing` */
    uint64_t random;
    struct pending {
        uint64_t chunk;
        uint32_t table;
        struct batch *batch;
        uint64_t ordinal; /* of its first record */
    } pending[PENDING_MAX];
    uint32_t pending_count;
    struct counting {
        uint64_t chunk;
        uint32_t entity;
        uint64_t next;
    } * counts; /* ordinals given so far, a row a (chunk, entity) */
    size_t count_rows;
};

static uint64_t next_random(struct writer *writer)
{
    writer->random = writer->random * 6364136223846793005u + 1442695040888963407u;
    return writer->random >> 33;
}

static enum status toy_claimed(struct database *database, const struct run_claim *claim,
                               struct error *error)
{
    struct toy_database *self = toy_of(database);
    snprintf(self->run_id, sizeof self->run_id, "%s", claim->run_id);
    self->run = XXH3_64bits(claim->run_id, strlen(claim->run_id)) | 1;
    return toy_log_mend(self, error);
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

static enum status toy_check_table(struct database *database, const struct target_table *table,
                                   const struct shape *const *shapes, uint32_t shape_count,
                                   struct buffer *out, struct error *error)
{
    (void)database;
    (void)shapes;
    (void)shape_count;
    (void)error;
    if (table->key.count == 0) {
        buffer_format(out, "table %s needs a key: records are put by it\n", table->name);
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

static enum status toy_prepare(struct database *database, struct target_table *tables,
                               uint32_t table_count, const struct schema *same_engine_objects,
                               struct error *error)
{
    struct toy_database *self = toy_of(database);
    (void)same_engine_objects;
    enum status status = toy_log_mend(self, error);
    for (uint32_t i = 0; i < table_count && status == STATUS_OK; i++) {
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

/* ---- records */

static void toy_writer_close(struct writer *writer)
{
    if (!writer) {
        return;
    }
    for (uint32_t i = 0; i < writer->pending_count; i++) {
        batch_destroy(writer->pending[i].batch);
    }
    for (uint32_t i = 0; writer->before && i < writer->table_count; i++) {
        toy_index_free(&writer->before[i]);
    }
    free(writer->before);
    free(writer->counts);
    free(writer);
}

static enum status toy_writer_open(struct database *database, const struct target_table *tables,
                                   uint32_t table_count, uint64_t epoch, struct writer **writer,
                                   struct error *error)
{
    struct writer *made = calloc(1, sizeof *made);
    if (made) {
        made->before = calloc(table_count + 1, sizeof *made->before);
    }
    if (!made || !made->before) {
        free(made);
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a writer");
    }
    made->self = toy_of(database);
    made->epoch = epoch;
    made->tables = tables;
    made->table_count = table_count;
    made->random = epoch * 2654435761u + 1;
    for (uint32_t i = 0; i < table_count; i++) {
        enum existing_policy policy = tables[i].existing;
        bool looks =
            policy == EXISTING_APPEND || policy == EXISTING_SKIP || policy == EXISTING_UPSERT;
        if (looks &&
            toy_index_load(made->self, tables[i].name, &made->before[i], error) != STATUS_OK) {
            toy_writer_close(made);
            return STATUS_FAILED;
        }
    }
    *writer = made;
    return STATUS_OK;
}

static enum status toy_chunk_begin(struct writer *writer, uint64_t chunk, uint32_t attempt,
                                   struct error *error)
{
    (void)attempt;
    for (size_t i = 0; i < writer->count_rows; i++) {
        if (writer->counts[i].chunk == chunk) {
            writer->counts[i].next = 0;
        }
    }
    return lease_wait(&writer->self->base, writer->self->request_ms, error);
}

static enum status take_ordinals(struct writer *writer, uint64_t chunk, const struct batch *batch,
                                 uint64_t *first, struct error *error)
{
    for (size_t i = 0; i < writer->count_rows; i++) {
        struct counting *row = &writer->counts[i];
        if (row->chunk == chunk && row->entity == batch->entity) {
            *first = row->next;
            row->next += batch->row_count;
            return STATUS_OK;
        }
    }
    struct counting *grown = reallocarray(writer->counts, writer->count_rows + 1, sizeof *grown);
    if (!grown) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a chunk");
    }
    writer->counts = grown;
    grown[writer->count_rows++] = (struct counting){chunk, batch->entity, batch->row_count};
    *first = 0;
    return STATUS_OK;
}

static enum status toy_submit(struct writer *writer, uint64_t chunk, uint32_t table,
                              struct batch *batch, struct error *error)
{
    if (writer->pending_count == PENDING_MAX) {
        return STATUS_AGAIN;
    }
    struct pending *pending = &writer->pending[writer->pending_count];
    *pending = (struct pending){.chunk = chunk, .table = table, .batch = batch};
    enum status status = take_ordinals(writer, chunk, batch, &pending->ordinal, error);
    writer->pending_count++;
    return status;
}

static const struct cell *shape_cell(const struct batch *batch, uint32_t row, const char *name)
{
    const struct cell *cells = batch_row(batch, row);
    if (!batch->shape) {
        return value_field(cells, name);
    }
    for (uint32_t i = 0; i < batch->shape->field_count; i++) {
        if (strcmp(batch->shape->fields[i].name, name) == 0) {
            return &cells[i];
        }
    }
    return NULL;
}

/* The record as a MAP without its missing fields. */
static enum status record_map(const struct batch *batch, uint32_t row, struct arena *arena,
                              struct cell *map, struct error *error)
{
    const struct cell *cells = batch_row(batch, row);
    if (!batch->shape) {
        *map = cells[0];
        return STATUS_OK;
    }
    uint32_t count = 0;
    struct cell *pairs =
        arena_allocate_zeroed(arena, batch->shape->field_count + 1, 2 * sizeof *pairs);
    if (!pairs) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a record");
    }
    for (uint32_t i = 0; i < batch->shape->field_count; i++) {
        if (cells[i].kind != VALUE_MISSING) {
            pairs[2 * (size_t)count] =
                cell_text(batch->shape->fields[i].name, batch->shape->fields[i].name_length);
            pairs[2 * (size_t)count + 1] = cells[i];
            count++;
        }
    }
    *map = cell_items(VALUE_MAP, pairs, count);
    return STATUS_OK;
}

struct putting {
    struct writer *writer;
    const struct pending *pending;
    struct batch_result *result;
    struct record_outcome *outcomes;
    struct buffer out;
    struct buffer key;
    struct buffer value;
};

static void refuse(struct putting *putting, uint32_t row, enum outcome_kind kind,
                   enum error_code code, const char *reason)
{
    struct record_outcome *outcome = &putting->outcomes[putting->result->outcome_count++];
    *outcome = (struct record_outcome){.row = row, .kind = kind, .code = code};
    outcome->reason = arena_copy_string(putting->result->arena, reason);
}

/* Fills putting->key; false if the record was refused. */
static bool make_key(struct putting *putting, uint32_t row, struct error *error)
{
    const struct target_table *table = &putting->writer->tables[putting->pending->table];
    buffer_clear(&putting->key);
    for (uint32_t i = 0; i < table->key.count; i++) {
        const struct cell *cell = shape_cell(putting->pending->batch, row, table->key.names[i]);
        if (!cell || cell->kind == VALUE_MISSING || cell->kind == VALUE_NULL ||
            ((cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES) && cell->length == 0)) {
            refuse(putting, row, OUTCOME_REJECTED, ERROR_REJECT_KEY_NULL,
                   "a part of the key is null or empty");
            return false;
        }
        if (toy_encode(cell, &putting->key, error) != STATUS_OK) {
            refuse(putting, row, OUTCOME_REJECTED, error->code, error->message);
            return false;
        }
    }
    return true;
}

/* What `existing` says about a key that was there before the run; false if the record was
 * refused. */
static bool admit(struct putting *putting, uint32_t row, const struct cell *map,
                  struct arena *arena, struct cell *merged, struct error *error)
{
    struct writer *writer = putting->writer;
    uint32_t number = putting->pending->table;
    const struct toy_record *old = toy_index_find(
        &writer->before[number], (const uint8_t *)putting->key.data, putting->key.length);
    *merged = *map;
    if (!old || old->run == writer->self->run) {
        return true;
    }
    switch (writer->tables[number].existing) {
    case EXISTING_APPEND:
        refuse(putting, row, OUTCOME_REJECTED, ERROR_REJECT_KEY_DUPLICATE,
               "a record with this key is there");
        return false;
    case EXISTING_SKIP:
        refuse(putting, row, OUTCOME_SKIPPED, ERROR_NONE, "a record with this key is there");
        return false;
    case EXISTING_UPSERT: {
        struct toy_entry entry;
        struct cell before;
        size_t used;
        if (toy_log_read(writer->self, old->offset, arena, &entry, error) != STATUS_OK ||
            toy_decode(entry.value, entry.value_length, arena, &before, &used, error) !=
                STATUS_OK) {
            refuse(putting, row, OUTCOME_REJECTED, error->code, error->message);
            return false;
        }
        uint32_t count = map->length;
        struct cell *pairs = arena_allocate_zeroed(arena, (size_t)map->length + before.length + 1,
                                                   2 * sizeof *pairs);
        memcpy(pairs, map->items, 2 * (size_t)map->length * sizeof *pairs);
        for (uint32_t i = 0; i < before.length; i++) {
            const struct cell *name = &before.items[2 * (size_t)i];
            char text[512];
            size_t length = name->length < sizeof text ? name->length : sizeof text - 1;
            memcpy(text, name->text, length);
            text[length] = 0;
            if (!value_field(map, text)) {
                memcpy(&pairs[2 * (size_t)count++], name, 2 * sizeof *pairs);
            }
        }
        *merged = cell_items(VALUE_MAP, pairs, count);
        return true;
    }
    default:
        return true;
    }
}

static enum status put_row(struct putting *putting, uint32_t row, struct arena *scratch,
                           struct error *error)
{
    const struct pending *pending = putting->pending;
    const char *table = putting->writer->tables[pending->table].name;
    struct cell map;
    struct cell merged;
    struct error fault;
    enum status status = record_map(pending->batch, row, scratch, &map, error);
    if (status != STATUS_OK || !make_key(putting, row, &fault) ||
        !admit(putting, row, &map, scratch, &merged, &fault)) {
        return status;
    }
    buffer_clear(&putting->value);
    if (toy_encode(&merged, &putting->value, &fault) != STATUS_OK) {
        refuse(putting, row, OUTCOME_REJECTED, fault.code, fault.message);
        return STATUS_OK;
    }
    struct toy_entry entry = {
        .kind = TOY_PUT,
        .run = putting->writer->self->run,
        .chunk = pending->chunk,
        .entity = pending->batch->entity,
        .ordinal = pending->ordinal + row,
        .table = table,
        .table_length = (uint32_t)strlen(table),
        .key = (const uint8_t *)putting->key.data,
        .key_length = (uint32_t)putting->key.length,
        .value = (const uint8_t *)putting->value.data,
        .value_length = (uint32_t)putting->value.length,
    };
    toy_entry_append(&entry, &putting->out);
    putting->result->written++;
    return STATUS_OK;
}

static enum status put_batch(struct writer *writer, const struct pending *pending,
                             struct batch_result *result, struct error *error)
{
    struct putting putting = {.writer = writer, .pending = pending, .result = result};
    struct arena *scratch = arena_create(0);
    *result = (struct batch_result){
        .chunk = pending->chunk, .table = pending->table, .arena = arena_create(0)};
    putting.outcomes = result->arena
                           ? arena_allocate_zeroed(result->arena, pending->batch->row_count + 1,
                                                   sizeof *putting.outcomes)
                           : NULL;
    enum status status = scratch && putting.outcomes
                             ? lease_check(&writer->self->base, writer->self->request_ms, error)
                             : error_set(error, ERROR_MEMORY, NULL, "no memory");
    for (uint32_t row = 0; row < pending->batch->row_count && status == STATUS_OK; row++) {
        status = put_row(&putting, row, scratch, error);
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("toy.before_append", error);
    }
    if (status == STATUS_OK) {
        status = toy_log_write(writer->self, &putting.out, error);
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("toy.after_append", error);
    }
    result->outcomes = putting.outcomes;
    result->bytes = putting.out.length;
    buffer_free(&putting.out);
    buffer_free(&putting.key);
    buffer_free(&putting.value);
    arena_destroy(scratch);
    if (status != STATUS_OK) {
        arena_destroy(result->arena);
    }
    return status;
}

enum { PAUSE_MS = 10 };

/* Too fast, by the cap or by the server's own will: nothing is written now. */
static bool must_wait(struct toy_database *self)
{
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&self->pace_mutex);
    if (self->first_write_ms == 0) {
        self->first_write_ms = now;
    }
    int64_t elapsed_ms = now - self->first_write_ms;
    bool busy = elapsed_ms < self->throttle_ms;
    bool capped =
        self->units_cap > 0 && self->units > (double)self->units_cap * (double)elapsed_ms / 1000;
    pthread_mutex_unlock(&self->pace_mutex);
    if (busy) {
        report_throttled(&self->base);
    }
    return busy || capped;
}

static void use_units(struct toy_database *self, uint32_t records)
{
    pthread_mutex_lock(&self->pace_mutex);
    self->units += records;
    pthread_mutex_unlock(&self->pace_mutex);
    report_units(&self->base, records);
}

static enum status toy_poll(struct writer *writer, int64_t timeout_ms, struct batch_result *result,
                            struct error *error)
{
    if (writer->pending_count == 0) {
        return STATUS_END;
    }
    if (timeout_ms == 0 && writer->pending_count < PENDING_MAX && next_random(writer) % 3 != 0) {
        return STATUS_AGAIN; /* nothing has come back yet */
    }
    if (must_wait(writer->self)) {
        clock_sleep_ms(timeout_ms < PAUSE_MS ? timeout_ms : PAUSE_MS);
        return STATUS_AGAIN;
    }
    uint32_t chosen = (uint32_t)(next_random(writer) % writer->pending_count);
    struct pending pending = writer->pending[chosen];
    enum status status = put_batch(writer, &pending, result, error);
    if (status != STATUS_OK) {
        return status; /* still pending: chunk_abandon or writer_close frees it */
    }
    use_units(writer->self, result->written);
    result->batch = pending.batch;
    writer->pending[chosen] = writer->pending[--writer->pending_count];
    return STATUS_OK;
}

static void forget_counts(struct writer *writer, uint64_t chunk)
{
    size_t kept = 0;
    for (size_t i = 0; i < writer->count_rows; i++) {
        if (writer->counts[i].chunk != chunk) {
            writer->counts[kept++] = writer->counts[i];
        }
    }
    writer->count_rows = kept;
}

/* Everything was acknowledged, so it is in the log. */
static enum status toy_commit(struct writer *writer, uint64_t chunk, const struct done_mark *mark,
                              struct error *error)
{
    (void)mark;
    enum status status = lease_wait(&writer->self->base, writer->self->request_ms, error);
    if (status == STATUS_OK) {
        forget_counts(writer, chunk);
    }
    return status;
}

static void toy_chunk_abandon(struct writer *writer, uint64_t chunk)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < writer->pending_count; i++) {
        if (writer->pending[i].chunk == chunk) {
            batch_destroy(writer->pending[i].batch);
        } else {
            writer->pending[kept++] = writer->pending[i];
        }
    }
    writer->pending_count = kept;
    forget_counts(writer, chunk);
}

static enum status toy_after_load(struct database *database, const struct target_table *tables,
                                  uint32_t table_count, const struct schema *same_engine_objects,
                                  void (*progress)(const char *what), uint32_t *broken,
                                  struct error *error)
{
    (void)database;
    (void)tables;
    (void)table_count;
    (void)same_engine_objects;
    (void)progress;
    *broken = 0;
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

/* ---- duplicates: every put of the run is in the log, so they can be told from it alone */

struct put {
    uint64_t token;
    uint64_t chunk;
    uint64_t ordinal;
    uint64_t offset;
    uint32_t entity;
};

struct put_list {
    const char *table;
    uint64_t run;
    struct put *puts;
    size_t count;
    size_t capacity;
};

static enum status put_visit(void *context, const struct toy_entry *entry, struct error *error)
{
    struct put_list *list = context;
    if (strlen(list->table) != entry->table_length ||
        memcmp(list->table, entry->table, entry->table_length) != 0) {
        return STATUS_OK;
    }
    if (entry->kind == TOY_EMPTY) {
        list->count = 0;
    }
    if (entry->kind != TOY_PUT || entry->run != list->run) {
        return STATUS_OK;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 1024;
        struct put *grown = reallocarray(list->puts, capacity, sizeof *grown);
        if (!grown) {
            return error_set(error, ERROR_MEMORY, list->table, "no memory for its keys");
        }
        list->puts = grown;
        list->capacity = capacity;
    }
    list->puts[list->count++] = (struct put){
        .token = XXH3_64bits(entry->key, entry->key_length),
        .chunk = entry->chunk,
        .ordinal = entry->ordinal,
        .offset = entry->offset,
        .entity = entry->entity,
    };
    return STATUS_OK;
}

static int compare_puts(const void *left, const void *right)
{
    const struct put *a = left;
    const struct put *b = right;
    const uint64_t keys[][2] = {{a->token, b->token},
                                {a->entity, b->entity},
                                {a->chunk, b->chunk},
                                {a->ordinal, b->ordinal},
                                {a->offset, b->offset}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (keys[i][0] != keys[i][1]) {
            return keys[i][0] < keys[i][1] ? -1 : 1;
        }
    }
    return 0;
}

static bool same_record(const struct put *a, const struct put *b)
{
    return a->entity == b->entity && a->chunk == b->chunk && a->ordinal == b->ordinal;
}

typedef enum status (*found_function)(void *context, uint64_t chunk, uint32_t entity,
                                      uint64_t ordinal, const struct cell *key, uint32_t key_count,
                                      const struct cell *record, enum duplicate_kind kind,
                                      struct error *error);

static enum status report_put(struct toy_database *self, const struct target_table *table,
                              const struct put *put, const struct put *first, found_function found,
                              void *context, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct toy_entry entry;
    struct toy_entry kept;
    struct cell map;
    struct cell keys[16];
    size_t used;
    enum status status = arena ? toy_log_read(self, put->offset, arena, &entry, error)
                               : error_set(error, ERROR_MEMORY, table->name, "no memory");
    if (status == STATUS_OK) {
        status = toy_log_read(self, first->offset, arena, &kept, error);
    }
    if (status == STATUS_OK) {
        status = toy_decode(entry.value, entry.value_length, arena, &map, &used, error);
    }
    if (status == STATUS_OK) {
        for (uint32_t i = 0; i < table->key.count && i < 16; i++) {
            const struct cell *cell = value_field(&map, table->key.names[i]);
            keys[i] = cell ? *cell : cell_missing();
        }
        bool repeats = entry.value_length == kept.value_length &&
                       memcmp(entry.value, kept.value, kept.value_length) == 0;
        status = found(context, put->chunk, put->entity, put->ordinal, keys, table->key.count, &map,
                       repeats ? DUPLICATE_REPEATS : DUPLICATE_DIFFERS, error);
    }
    arena_destroy(arena);
    return status;
}

static enum status rewrite(struct toy_database *self, const struct put *put, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct buffer out = {0};
    struct toy_entry entry;
    enum status status = arena ? toy_log_read(self, put->offset, arena, &entry, error)
                               : error_set(error, ERROR_MEMORY, NULL, "no memory");
    if (status == STATUS_OK) {
        toy_entry_append(&entry, &out);
        status = failpoint_hit("toy.before_settle", error);
        status = status == STATUS_OK ? toy_log_write(self, &out, error) : status;
    }
    buffer_free(&out);
    arena_destroy(arena);
    return status;
}

/* Reports all but the lowest of the puts from `begin` to `end`, which share a key. */
static enum status settle_group(struct toy_database *self, const struct target_table *table,
                                const struct put *begin, const struct put *end,
                                found_function found, void *context, struct error *error)
{
    bool several = false;
    enum status status = STATUS_OK;
    for (const struct put *put = begin + 1; put < end && status == STATUS_OK; put++) {
        if (!same_record(put, begin) && !same_record(put, put - 1)) {
            several = true;
            status = report_put(self, table, put, begin, found, context, error);
        }
    }
    return status == STATUS_OK && several ? rewrite(self, begin, error) : status;
}

static enum status toy_settle(struct database *database, const struct target_table *table,
                              found_function found, void *context, struct error *error)
{
    struct toy_database *self = toy_of(database);
    struct put_list list = {.table = table->name, .run = self->run};
    enum status status = toy_log_walk(self, 0, put_visit, &list, NULL, error);
    if (status == STATUS_OK && list.count > 0) {
        qsort(list.puts, list.count, sizeof *list.puts, compare_puts);
        for (size_t begin = 0; begin < list.count && status == STATUS_OK;) {
            size_t end = begin + 1;
            while (end < list.count && list.puts[end].token == list.puts[begin].token) {
                end++;
            }
            status = settle_group(self, table, list.puts + begin, list.puts + end, found, context,
                                  error);
            begin = end;
        }
    }
    free(list.puts);
    return status;
}

const struct target_functions toy_target = {
    .claimed = toy_claimed,
    .empty = toy_empty,
    .inspect = toy_inspect,
    .check_table = toy_check_table,
    .prepare = toy_prepare,
    .writer_open = toy_writer_open,
    .writer_close = toy_writer_close,
    .chunk_begin = toy_chunk_begin,
    .submit = toy_submit,
    .poll = toy_poll,
    .commit = toy_commit,
    .chunk_abandon = toy_chunk_abandon,
    .after_load = toy_after_load,
    .fetch = toy_fetch_records,
    .count = toy_count,
    .settle_duplicates = toy_settle,
    .normal_form = toy_normal_form,
};
