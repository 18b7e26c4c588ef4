/* A target table read whole, its records summed as the done marks sum what was written. */
#include "connectors/contract/defaults.h"
#include "engine/formats/record_hash.h"
#include "engine/rollback/rollback_parts.h"
#include <string.h>

struct reading_back {
    struct rollback *rollback;
    const struct ledger_table *table;
    struct cursor *cursor;
    const struct read_request *request;
    struct record_hasher hasher;
    struct stored_form form; /* of the one entity, where columns are declared */
    struct cell *cells;
    struct shape *shapes; /* one an entity, with its fields */
    uint64_t count;
    struct canonical_hash sum;
    bool can;
};

static void make_shapes(struct reading_back *back, struct arena *arena)
{
    const struct ledger_table *table = back->table;
    uint32_t widest = 1;
    back->shapes = arena_allocate_zeroed(arena, table->entity_count + 1u, sizeof(*back->shapes));
    for (uint32_t i = 0; i < table->entity_count; i++) {
        const struct column_list *fields = &table->entities[i].fields;
        struct shape_field *made = arena_allocate_zeroed(arena, fields->count + 1u, sizeof(*made));
        for (uint32_t field = 0; field < fields->count; field++) {
            made[field].name = fields->names[field];
            made[field].name_length = (uint32_t)strlen(fields->names[field]);
        }
        back->shapes[i] =
            (struct shape){.name = table->name, .fields = made, .field_count = fields->count};
        widest = fields->count > widest ? fields->count : widest;
    }
    back->cells = arena_allocate_zeroed(arena, widest, sizeof(*back->cells));
}

/* As the copy that wrote them hashed them: target_look.c. */
static void make_form(struct reading_back *back, const struct rollback_mirror *mirror,
                      struct arena *arena)
{
    const struct run_session *session = &back->rollback->session;
    const struct ledger_table *table = back->table;
    if (table->was == LEDGER_WAS_ABSENT || table->entity_count != 1) {
        return;
    }
    stored_form_make(session->target, session_target_table(session, mirror->schema, table->name),
                     &back->shapes[0], arena, &back->form);
}

/* ---- records */

static enum status hash_document(struct reading_back *back, const struct batch *batch, uint32_t row,
                                 struct canonical_hash *hash, struct error *error)
{
    const struct cell *map = batch_row(batch, row);
    uint32_t fitting = 0;
    if (back->table->entity_count == 1 && back->shapes[0].field_count == 0) {
        return record_hash(&back->hasher, batch, row, hash, error);
    }
    for (uint32_t i = 0; map->kind == VALUE_MAP && i < back->table->entity_count; i++) {
        struct canonical_hash one;
        if (record_lay_out(map, &back->shapes[i], back->cells) != map->length) {
            continue; /* it has a field that the entity has not */
        }
        struct batch record = {.arena = batch->arena,
                               .shape = &back->shapes[i],
                               .cells = back->cells,
                               .width = back->shapes[i].field_count,
                               .row_count = 1};
        if (record_hash(&back->hasher, &record, 0, &one, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        /* of two entities that it fits: which was it? */
        back->can = back->can && (fitting == 0 || memcmp(&one, hash, sizeof(one)) == 0);
        *hash = one;
        fitting++;
    }
    if (fitting == 0) {
        memset(hash, 0xff, sizeof(*hash)); /* not a record of the run */
    }
    return STATUS_OK;
}

static enum status add_batch(struct reading_back *back, struct batch *batch, struct error *error)
{
    struct canonical_hash hash = {0};
    enum status status = STATUS_OK;
    if (batch->refused_count > 0) {
        back->can = false; /* what can't be read can't be compared */
    }
    for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
        if (back->request->column_count == 0) {
            status = hash_document(back, batch, row, &hash, error);
        } else {
            struct batch record = *batch;
            record.entity = 0;
            record.shape = &back->shapes[0];
            status = record_hash(&back->hasher, &record, row, &hash, error);
        }
        canonical_sum_add(&back->sum, &hash);
    }
    back->count += batch->row_count + batch->refused_count;
    return status;
}

static enum status read_all(struct reading_back *back, struct error *error)
{
    enum { ROWS = 1024, BYTES = 256 << 10 };
    const struct source_functions *source = back->rollback->session.target->connector->source;
    for (;;) {
        struct batch *batch = NULL;
        enum status status = source->cursor_next(back->cursor, ROWS, BYTES, &batch, error);
        if (status != STATUS_OK) {
            return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
        }
        status = add_batch(back, batch, error);
        batch_destroy(batch);
        if (status != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
}

enum status rollback_hash_table(struct rollback *rollback, uint32_t number, uint64_t *count,
                                struct canonical_hash *sum, bool *can, struct error *error)
{
    const struct connector *connector = rollback->session.target->connector;
    struct reading_back back = {
        .rollback = rollback, .table = &rollback->run.header.tables[number], .can = true};
    const struct rollback_mirror *mirror = NULL;
    *can = rollback_can_tell(rollback, number);
    if (!*can) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    make_shapes(&back, arena);
    enum status status = rollback_mirror_find(rollback, number, &mirror, &back.request, error);
    if (status == STATUS_OK) {
        make_form(&back, mirror, arena);
        record_hasher_init(&back.hasher, rollback->session.target, &back.form);
        status = connector->source->cursor_open(mirror->reader, back.request, NULL, &back.cursor,
                                                error) == STATUS_OK
                     ? read_all(&back, error)
                     : STATUS_FAILED;
    }
    *count = back.count;
    *sum = back.sum;
    *can = back.can;
    if (back.cursor != NULL) {
        connector->source->cursor_close(back.cursor);
    }
    record_hasher_free(&back.hasher);
    arena_destroy(arena);
    return status;
}

/* ---- what was taken out */

struct hashing_orphans {
    struct reading_back back;
    struct arena *arena;
    struct tally *gone;
};

static enum status on_orphan(void *context, const struct cell *key, uint32_t key_count,
                             const struct cell *record, const char *reason, struct error *error)
{
    struct hashing_orphans *hashing = context;
    (void)key;
    (void)key_count;
    (void)reason;
    enum status status =
        record_hash_gone(&hashing->back.hasher, 0, record, &hashing->back.shapes[0], hashing->arena,
                         hashing->gone, error);
    arena_reset(hashing->arena);
    return status;
}

enum status rollback_hash_orphans(struct rollback *rollback, uint32_t number, struct tally *gone,
                                  struct error *error)
{
    const struct ledger_table *table = &rollback->run.header.tables[number];
    struct database *target = rollback->session.target;
    struct arena *arena = arena_create(0);
    struct hashing_orphans hashing = {
        .back = {.rollback = rollback, .table = table}, .arena = arena_create(0), .gone = gone};
    *gone = (struct tally){.hashed = rollback_can_tell(rollback, number)};
    make_shapes(&hashing.back, arena);
    record_hasher_init(&hashing.back.hasher, target, NULL);
    enum status status = connector_sql_target(target->connector)
                                     ->orphans(target, &rollback->tables[number], on_orphan,
                                               &hashing, error) == STATUS_OK
                             ? STATUS_OK
                             : STATUS_FAILED;
    record_hasher_free(&hashing.back.hasher);
    arena_destroy(hashing.arena);
    arena_destroy(arena);
    return status;
}
