#include "engine/check/orphans.h"

#include "engine/check/foresee.h"
#include "engine/copy/sampling.h"
#include "engine/session/circles.h"
#include "plan/mapping.h"
#include <inttypes.h>
#include <string.h>

enum { SHOWN_BYTES = 60, BATCH_BYTES = 256 << 10 };

/* One foreign key of a table that is there, and where its two ends are read. */
struct looking {
    struct run_session *session;
    const struct schema_foreign_key *key;
    const struct plan_entity *child;
    const char *child_table;
    struct column_list child_columns;
    const char *parent_table;
    struct column_list parent_columns;
    struct arena *arena;
};

/* The rows that were read. */
struct found {
    uint64_t seen;
    uint64_t orphans;
    struct buffer first; /* values of the first orphan */
};

/* ---------------------------------------------------------------- where a key leads */

/* The only entity that fills the table of that name, from all of a table of the source; NULL: there
 * is none. */
static const struct plan_entity *find_entity(const struct plan *plan, const char *table)
{
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *planned = &plan->tables[i];
        const struct plan_entity *entity = &plan->entities[planned->entities[0]];
        const struct mapping *mapping = entity->mapping;
        if (strcmp(planned->target.name, table) == 0) {
            return planned->entity_count == 1 && mapping->where == MAPPING_NONE &&
                           mapping->when == MAPPING_NONE &&
                           plan->streams[entity->stream].request.table != NULL
                       ? entity
                       : NULL;
        }
    }
    return NULL;
}

/* The source's columns that the fields of those names take as they are. */
static bool find_columns(const struct looking *looking, const struct plan_entity *entity,
                         struct column_list fields, struct column_list *columns)
{
    const char **names = arena_allocate_zeroed(looking->arena, fields.count, sizeof *names);
    for (uint32_t i = 0; i < fields.count; i++) {
        const struct mapping_field *field = mapping_find_field(entity->mapping, fields.names[i]);
        if (field == NULL || field->origin == NULL) {
            return false;
        }
        names[i] = field->origin->name;
    }
    *columns = (struct column_list){names, fields.count};
    return fields.count > 0;
}

/* Do both ends come from tables of the source, the parent's found by a unique key? */
static bool orphans_place(struct looking *looking)
{
    const struct run_session *session = looking->session;
    const struct plan *plan = session->plan;
    const struct plan_entity *parent = find_entity(plan, looking->key->references);
    const struct schema_table *there = schema_find_table(session->there, looking->key->references);
    if (parent == NULL || there == NULL || looking->key->references_schema != NULL ||
        plan->tables[parent->table].target.existing != EXISTING_REFUSE) { /* it may have others */
        return false;
    }
    const struct column_list referenced = looking->key->referenced_columns.count > 0
                                              ? looking->key->referenced_columns
                                              : there->primary_key;
    looking->child_table = plan->streams[looking->child->stream].request.table;
    looking->parent_table = plan->streams[parent->stream].request.table;
    const struct schema_table *source = schema_find_table(session->schema, looking->parent_table);
    return find_columns(looking, looking->child, looking->key->columns, &looking->child_columns) &&
           find_columns(looking, parent, referenced, &looking->parent_columns) &&
           looking->child_columns.count == looking->parent_columns.count && source != NULL &&
           schema_is_unique(source, looking->parent_columns);
}

/* ---------------------------------------------------------------- reading */

static void take_row(const struct cell *cells, uint32_t count, bool shows, struct found *found)
{
    bool whole = true; /* with a null among its columns a key refers to nothing */
    for (uint32_t i = 0; i < count; i++) {
        whole = whole && cells[i].kind != VALUE_NULL && cells[i].kind != VALUE_MISSING;
    }
    found->seen++;
    if (!whole || cells[count].i64 != 0) {
        return;
    }
    for (uint32_t i = 0; found->orphans == 0 && i < count; i++) {
        buffer_append_string(&found->first, i > 0 ? ", " : "");
        if (shows) {
            value_print(&cells[i], SHOWN_BYTES, &found->first);
        } else {
            buffer_append_string(&found->first, "(masked)");
        }
    }
    found->orphans++;
}

static enum status read_rows(const struct looking *looking, const struct read_request *request,
                             struct found *found, struct error *error)
{
    const struct source_functions *source = looking->session->source->connector->source;
    struct reader *reader = NULL;
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    enum status status = session_sample_reader(looking->session, &reader, error);
    if (status == STATUS_OK) {
        status = source->cursor_open(reader, request, NULL, &cursor, error);
    }
    while (status == STATUS_OK && found->seen < FORESEE_RECORDS &&
           (status = source->cursor_next(cursor, FORESEE_RECORDS, BATCH_BYTES, &batch, error)) ==
               STATUS_OK) {
        for (uint32_t row = 0; row < batch->row_count && found->seen < FORESEE_RECORDS; row++) {
            take_row(&batch->cells[(size_t)row * batch->width], request->column_count - 1,
                     !looking->session->plan->masks_values, found);
        }
        batch_destroy(batch);
    }
    if (cursor != NULL) {
        source->cursor_close(cursor);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* The child's columns, and whether they have a partner. */
static enum status look_up(const struct looking *looking, struct found *found, struct error *error)
{
    uint32_t count = looking->child_columns.count;
    struct read_column *columns =
        arena_allocate_zeroed(looking->arena, count + 1u, sizeof *columns);
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = (struct read_column){.join = -1, .name = looking->child_columns.names[i]};
    }
    columns[count] = (struct read_column){.presence = true};
    const struct read_join join = {.from = -1,
                                   .table = looking->parent_table,
                                   .from_columns = looking->child_columns,
                                   .columns = looking->parent_columns};
    const struct read_request request = {.name = looking->child->name,
                                         .table = looking->child_table,
                                         .joins = &join,
                                         .join_count = 1,
                                         .columns = columns,
                                         .column_count = count + 1u};
    return read_rows(looking, &request, found, error);
}

/* The fate of such records. */
enum fate { FATE_REJECTED, FATE_EMPTIED, FATE_BROKEN };

static enum fate fate_of(const struct looking *looking)
{
    const struct run_session *session = looking->session;
    const struct target_table *table = &session->plan->tables[looking->child->table].target;
    return circles_is_later(table, looking->key)                          ? FATE_EMPTIED
           : (session->target->capabilities & CAPABILITY_REFERENCES) != 0 ? FATE_REJECTED
                                                                          : FATE_BROKEN;
}

static void orphans_tell(const struct looking *looking, struct found *found, enum fate fate,
                         struct buffer *out)
{
    static const char *const words[] = {[FATE_REJECTED] = "would be rejected",
                                        [FATE_EMPTIED] = "would keep NULL instead of a reference",
                                        [FATE_BROKEN] = "would break a foreign key"};
    buffer_format(out, "%s: ", looking->child->name);
    if (found->seen == 1) {
        buffer_append_string(out, "the first record");
    } else if (found->orphans < found->seen) {
        buffer_format(out, "%" PRIu64 " of the first %" PRIu64 " records", found->orphans,
                      found->seen);
    } else {
        buffer_format(out, "all of the first %" PRIu64 " records", found->seen);
    }
    buffer_format(out, " %s: ", words[fate]);
    for (uint32_t i = 0; i < looking->key->columns.count; i++) {
        buffer_format(out, "%s%s", i > 0 ? ", " : "", looking->key->columns.names[i]);
    }
    buffer_format(out,
                  " refers to no record of %s (the first: %s); delete such orphaned rows in the "
                  "source, or leave them out by `where:` in a plan\n",
                  looking->key->references, buffer_string(&found->first));
}

/* The most orphans of one key count for the entity: a record may have several keys, and other
 * faults. */
static void count_rejects(const struct looking *looking, uint64_t orphans, struct orphans *told)
{
    uint64_t *rejected = &told->rejected[looking->child - looking->session->plan->entities];
    *rejected = orphans > *rejected ? orphans : *rejected;
}

static enum status look_along(struct looking *looking, struct buffer *out, struct orphans *told,
                              struct error *error)
{
    struct found found = {0};
    enum status status = STATUS_OK;
    if (orphans_place(looking)) {
        status = look_up(looking, &found, error);
    }
    if (status == STATUS_OK && found.orphans > 0) {
        enum fate fate = fate_of(looking);
        orphans_tell(looking, &found, fate, fate == FATE_BROKEN ? &told->notes : out);
        told->emptied = told->emptied || fate == FATE_EMPTIED;
        if (fate == FATE_REJECTED) {
            count_rejects(looking, found.orphans, told);
        }
    }
    buffer_free(&found.first);
    return status;
}

enum status orphans_foresee(struct run_session *session, struct buffer *out, struct orphans *told,
                            struct error *error)
{
    const struct plan *plan = session->plan;
    enum status status = STATUS_OK;
    if (session->there == NULL || (session->source->capabilities & CAPABILITY_JOINS) == 0 ||
        session->options.making.triggers == TRIGGERS_DISABLE) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    for (uint32_t i = 0; status == STATUS_OK && i < session->there->table_count; i++) {
        const struct schema_table *there = &session->there->tables[i];
        const struct plan_entity *child = find_entity(plan, there->name);
        for (uint32_t k = 0; child != NULL && status == STATUS_OK && k < there->foreign_key_count;
             k++) {
            struct looking looking = {
                .session = session, .key = &there->foreign_keys[k], .child = child, .arena = arena};
            status = look_along(&looking, out, told, error);
        }
    }
    arena_destroy(arena);
    return status;
}
