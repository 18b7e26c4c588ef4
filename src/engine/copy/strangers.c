/* Strangers: which tables are compared, what refers to them, and how far that goes. */
#include "engine/copy/strangers_parts.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/signals.h"
#include "engine/copy/sampling.h"
#include "engine/ledger/json_text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- which tables */

/* The ledger says what was there, so that a resume compares the same. */
static bool skips(const struct run *run, uint32_t number)
{
    const struct target_table *table = &run->tables[number];
    const struct ledger_header *header = &run->header;
    return table->existing == EXISTING_SKIP && table->key.count > 0 &&
           number < header->table_count && header->tables[number].was == LEDGER_WAS_FILLED;
}

static bool matter(const struct run *run)
{
    bool any = false;
    for (uint32_t i = 0; i < run->table_count; i++) {
        any = any || skips(run, i);
    }
    return any && run->session->there != NULL &&
           run->session->target->connector->target->fetch != NULL;
}

/* ---- who refers to whom */

static uint32_t find_table(const struct run *run, const char *name)
{
    bool folded = (run->session->target->capabilities & CAPABILITY_FOLDED_NAMES) != 0;
    uint32_t found = UINT32_MAX;
    for (uint32_t i = 0; found == UINT32_MAX && i < run->table_count; i++) {
        const char *table = run->tables[i].name;
        bool same = folded ? strcasecmp(table, name) == 0 : strcmp(table, name) == 0;
        found = same ? i : UINT32_MAX;
    }
    return found;
}

static uint32_t add_set(struct strangers *strangers, uint32_t table, struct column_list columns)
{
    for (uint32_t i = 0; i < strangers->set_count; i++) {
        if (strangers->sets[i].table == table &&
            column_list_is_equal(strangers->sets[i].columns, columns)) {
            return i;
        }
    }
    strangers->sets =
        memory_resize(strangers->sets, strangers->set_count + 1u, sizeof *strangers->sets);
    strangers->sets[strangers->set_count] =
        (struct stranger_set){.table = table, .columns = columns};
    return strangers->set_count++;
}

void strangers_add_reference(struct strangers *strangers, uint32_t table,
                             struct column_list columns, const char *to,
                             struct column_list referenced)
{
    const struct run *run = strangers->run;
    uint32_t parent = find_table(run, to);
    if (parent == UINT32_MAX) {
        return;
    }
    if (referenced.count == 0) {
        referenced = run->tables[parent].key;
    }
    if (referenced.count != columns.count) {
        return;
    }
    uint32_t set = add_set(strangers, parent, referenced);
    for (uint32_t i = 0; i < strangers->reference_count; i++) {
        const struct stranger_reference *known = &strangers->references[i];
        if (known->table == table && known->set == set &&
            column_list_is_equal(known->columns, columns)) {
            return;
        }
    }
    strangers->references = memory_resize(strangers->references, strangers->reference_count + 1u,
                                          sizeof *strangers->references);
    strangers->references[strangers->reference_count++] =
        (struct stranger_reference){.table = table, .columns = columns, .set = set};
}

/* Foreign keys as the plan has them, as the source has them, and as the target does: an
 * application's tables may have none of their own. */
static void add_keys(struct strangers *strangers, uint32_t table, const struct schema_table *from)
{
    for (uint32_t i = 0; from != NULL && i < from->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &from->foreign_keys[i];
        if (key->references_schema == NULL) {
            strangers_add_reference(strangers, table, key->columns, key->references,
                                    key->referenced_columns);
        }
    }
}

/* The sets and references, by what the target has and the plan makes. */
static void strangers_list(struct strangers *strangers)
{
    const struct run *run = strangers->run;
    for (uint32_t i = 0; i < run->table_count; i++) {
        const struct target_table *table = &run->tables[i];
        for (uint32_t j = 0; j < table->reference_count; j++) {
            const struct target_reference *reference = &table->references[j];
            strangers_add_reference(strangers, i, reference->columns, reference->table,
                                    reference->referenced_columns);
        }
        add_keys(strangers, i, table->same_engine);
        add_keys(strangers, i,
                 session_target_table(run->session, run->session->there, table->name));
    }
}

bool strangers_concern(const struct strangers *strangers, uint32_t entity)
{
    bool concern = false;
    for (uint32_t i = 0; strangers != NULL && !concern && i < strangers->reference_count; i++) {
        const struct stranger_reference *reference = &strangers->references[i];
        concern = reference->table == strangers->run->session->plan->entities[entity].table &&
                  strangers->sets[reference->set].count > 0;
    }
    return concern;
}

/* ---- values */

enum status stranger_normal(const struct run *run, uint32_t entity, uint32_t field,
                            const struct cell *cell, struct arena *arena, struct cell *normal,
                            struct error *error)
{
    struct database *target = run->session->target;
    const struct stored_form none = {0};
    enum status status =
        stored_form_normal(run->seen.forms != NULL ? &run->seen.forms[entity] : &none, target,
                           field, cell, arena, normal, error);
    /* as a number it is the same, whichever column it stands in */
    if (status == STATUS_OK && normal->kind == VALUE_DECIMAL && (normal->flags & CELL_SMALL) != 0 &&
        normal->aux == 0) {
        *normal = cell_int64(normal->i64);
    }
    return status;
}

enum status stranger_hash(const struct run *run, const struct batch *batch, uint32_t row,
                          struct column_list columns, struct arena *arena, struct buffer *scratch,
                          struct canonical_hash *hash, struct error *error)
{
    struct cell *cells = arena_allocate_zeroed(arena, columns.count + (size_t)1, sizeof *cells);
    const struct cell *values = batch_row(batch, row);
    for (uint32_t i = 0; i < columns.count; i++) {
        int32_t field = stranger_field(batch->shape, columns.names[i]);
        if (field < 0 || values[field].kind == VALUE_NULL || values[field].kind == VALUE_MISSING ||
            values[field].kind == VALUE_LARGE) {
            return STATUS_END;
        }
        if (stranger_normal(run, batch->entity, (uint32_t)field, &values[field], arena, &cells[i],
                            error) != STATUS_OK) {
            return error->class == ERROR_CLASS_REJECT ? STATUS_END : STATUS_FAILED;
        }
    }
    return canonical_hash_cells(cells, columns.count, scratch, hash, error);
}

/* ---- reading */

/* A pass over the source: comparing, or finding what refers to what was found before. */
struct pass {
    struct strangers *strangers;
    struct stranger_compare *compare; /* NULL: */
    struct stranger_search *search;
    struct arena *arena;
    struct buffer scratch;
    struct error *error;
    bool failed;
};

/* The record goes with the one that it refers to: what refers to it goes, too. */
static enum status follow_row(struct pass *pass, const struct batch *batch, uint32_t row)
{
    struct strangers *strangers = pass->strangers;
    uint32_t table = strangers->run->session->plan->entities[batch->entity].table;
    const struct stranger_match *match = NULL;
    enum status status = stranger_search_row(pass->search, batch, row, &match, pass->error);
    for (uint32_t i = 0; status == STATUS_OK && match != NULL && i < strangers->set_count; i++) {
        struct canonical_hash hash;
        if (strangers->sets[i].table != table) {
            continue;
        }
        arena_reset(pass->arena);
        status = stranger_hash(strangers->run, batch, row, strangers->sets[i].columns, pass->arena,
                               &pass->scratch, &hash, pass->error);
        status = status == STATUS_OK    ? strangers_add(strangers, i, &hash, false, pass->error)
                 : status == STATUS_END ? STATUS_OK
                                        : status;
    }
    return status;
}

static enum status take_batch(struct pass *pass, const struct batch *batch)
{
    const struct run *run = pass->strangers->run;
    enum status status = STATUS_OK;
    if (batch->shape == NULL) {
        return STATUS_OK;
    }
    if (pass->compare != NULL) {
        return skips(run, run->session->plan->entities[batch->entity].table)
                   ? stranger_compare_batch(pass->compare, batch, pass->error)
                   : STATUS_OK;
    }
    for (uint32_t row = 0; status == STATUS_OK && row < batch->row_count; row++) {
        status = follow_row(pass, batch, row);
    }
    return status;
}

static enum status take_parcel(void *context, struct parcel *parcel)
{
    struct pass *pass = context;
    for (uint32_t i = 0; i < parcel->batch_count && !pass->failed; i++) {
        pass->failed = take_batch(pass, parcel->batches[i]) != STATUS_OK;
    }
    parcel_destroy(parcel);
    return pass->failed || signals_stop_level() > 0 ? STATUS_END : STATUS_OK;
}

static bool feeds(const struct run *run, const struct plan_stream *stream, const bool *tables)
{
    bool found = false;
    for (uint32_t i = 0; i < stream->entity_count; i++) {
        found = found || tables[run->session->plan->entities[stream->entities[i]].table];
    }
    return found;
}

/* STATUS_END: asked to stop. */
static enum status read_streams(struct pass *pass, const bool *tables, struct error *error)
{
    struct run *run = pass->strangers->run;
    const struct plan *plan = run->session->plan;
    pass->error = error;
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        if (feeds(run, &plan->streams[i], tables) &&
            (sampling_read_span(run->session, run, &plan->streams[i], NULL, take_parcel, pass,
                                error) == STATUS_FAILED ||
             pass->failed)) {
            return STATUS_FAILED;
        }
        if (signals_stop_level() > 0) {
            return STATUS_END;
        }
    }
    return STATUS_OK;
}

static enum status compare_all(struct strangers *strangers, struct error *error)
{
    struct run *run = strangers->run;
    struct pass pass = {.strangers = strangers, .compare = stranger_compare_create(strangers)};
    bool *tables = arena_allocate_zeroed(strangers->arena, run->table_count + 1u, sizeof *tables);
    for (uint32_t i = 0; i < run->table_count; i++) {
        tables[i] = skips(run, i);
    }
    enum status status = read_streams(&pass, tables, error);
    status = status == STATUS_OK ? stranger_compare_flush(pass.compare, error) : status;
    stranger_compare_destroy(pass.compare);
    return status;
}

static uint64_t count_all(const struct strangers *strangers)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < strangers->set_count; i++) {
        count += strangers->sets[i].count;
    }
    return count;
}

/* Tables that refer to some of these, and to which others refer. */
static bool find_between(const struct strangers *strangers, bool *tables)
{
    bool any = false;
    for (uint32_t i = 0; i < strangers->reference_count; i++) {
        const struct stranger_reference *reference = &strangers->references[i];
        bool referred_to = false;
        for (uint32_t j = 0; j < strangers->set_count; j++) {
            referred_to = referred_to || strangers->sets[j].table == reference->table;
        }
        if (referred_to && strangers->sets[reference->set].count > 0) {
            tables[reference->table] = true;
            any = true;
        }
    }
    return any;
}

/* As long as that finds more: in the order of the plan's tables most is found at once. */
static enum status follow_all(struct strangers *strangers, struct error *error)
{
    uint32_t tables = strangers->run->table_count;
    uint64_t before = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && count_all(strangers) > before) {
        struct pass pass = {.strangers = strangers, .arena = arena_create(0)};
        bool *between = memory_allocate_zeroed(tables + (size_t)1, sizeof *between);
        before = count_all(strangers);
        status = strangers_flush(strangers, error);
        if (status == STATUS_OK && find_between(strangers, between)) {
            status = stranger_search_within(strangers, &pass.search, error);
            status = status == STATUS_OK ? read_streams(&pass, between, error) : status;
        }
        stranger_search_close(pass.search);
        buffer_free(&pass.scratch);
        arena_destroy(pass.arena);
        free(between);
    }
    return status == STATUS_OK ? strangers_flush(strangers, error) : status;
}

/* ---- the whole */

static void strangers_tell(const struct strangers *strangers)
{
    struct run *run = strangers->run;
    json_t *noted = json_object();
    for (uint32_t i = 0; i < run->table_count; i++) {
        uint64_t count = strangers->differing[i];
        if (count > 0) {
            log_write(LOG_WARNING,
                      "%s: %" PRIu64 " record%s a key that is there with other values: %s skipped, "
                      "and what refers to %s is rejected",
                      run->tables[i].name, count, count == 1 ? " has" : "s have",
                      count == 1 ? "it is" : "they are", count == 1 ? "it" : "them");
            json_object_set_new(noted, run->tables[i].name, json_integer((json_int_t)count));
        }
    }
    pthread_mutex_lock(&run->state_mutex);
    json_decref(run->status.strangers);
    run->status.strangers = noted;
    pthread_mutex_unlock(&run->state_mutex);
}

static enum status copy_strangers_find(struct strangers *strangers, struct error *error)
{
    log_write(LOG_INFO, "comparing the records that may be there already");
    strangers_list(strangers);
    enum status status = compare_all(strangers, error);
    status = status == STATUS_OK ? follow_all(strangers, error) : status;
    if (status == STATUS_OK) {
        strangers_tell(strangers);
    }
    return status;
}

enum status strangers_find(struct run *run, struct error *error)
{
    bool recalls = run->loads_rejects && !run->repairs;
    if (run->seen.strangers != NULL || run->repairs || (!recalls && !matter(run))) {
        return STATUS_OK;
    }
    struct strangers *strangers = memory_allocate_zeroed(1, sizeof *strangers);
    strangers->run = run;
    strangers->arena = arena_create(0);
    strangers->path = file_join(strangers->arena, run->folder.spill, "strangers.db");
    strangers->differing = arena_allocate_zeroed(strangers->arena, run->table_count + 1u,
                                                 sizeof *strangers->differing);
    enum status status = strangers_create(strangers, error);
    if (status == STATUS_OK) {
        status =
            recalls ? strangers_recall(strangers, error) : copy_strangers_find(strangers, error);
    }
    if (status == STATUS_OK) {
        run->seen.strangers = strangers;
    } else {
        strangers_free(strangers);
    }
    if (run->session->sample_reader != NULL) { /* the copy has no more than its own */
        session_reader_keep(run->session, run->session->sample_reader);
        run->session->sample_reader = NULL;
    }
    return status;
}
