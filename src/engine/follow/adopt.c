/* Adopting what has become of a followed source's schema. */
#include "engine/follow/adopt.h"
#include "engine/session/other_tables.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "engine/follow/grow.h"
#include "engine/follow/name_list.h"
#include "engine/follow/translate/whole.h"
#include "engine/follow/unfollowed.h"
#include "engine/ledger/learnt.h"
#include "engine/session/recall.h"
#include "plan/mapping.h"
#include <string.h>

const char adopt_empty_intent[] = "empty"; /* tables that were made again */
static const char gone_intent[] = "gone";  /* tables whose loss was accepted */

static bool is_followed(const struct follow_routes *routes, const char *table)
{
    bool followed = false;
    for (uint32_t i = 0; i < routes->table_count && !followed; i++) {
        followed = strcmp(routes->tables[i], table) == 0;
    }
    return followed;
}

/* ---------------------------------------------------------------- may the run go on? */

static bool has_plan_text(const struct ledger_header *header, const struct run_session *session)
{
    size_t length = 0;
    const char *text =
        session->document != NULL ? plan_document_text(session->document, &length) : NULL;
    return header->plan_text == NULL || text == NULL
               ? header->plan_text == text
               : strlen(header->plan_text) == length &&
                     memcmp(header->plan_text, text, length) == 0;
}

bool adopt_is_of_run(const struct run_session *session, const struct ledger_header *header)
{
    const struct learnt *learnt = session->kept.learnt;
    struct schema_changes changes = {0};
    if (header->feed == NULL || learnt == NULL) {
        return false;
    }
    if (strcmp(learnt->mapping_hash, session->plan->mapping_hash) == 0) {
        return true;
    }
    struct arena *arena = arena_create(0);
    schema_compare(learnt->source, session->schema, false, arena, &changes);
    arena_destroy(arena);
    return changes.table_count > 0 && has_plan_text(header, session);
}

static bool plan_reads(const struct plan *plan, const char *table)
{
    bool reads = false;
    for (uint32_t i = 0; i < plan->stream_count && !reads; i++) {
        reads = other_tables_stream_reads(&plan->streams[i], table);
    }
    return reads;
}

/* Changes that would have to be adopted, in words; empty: the plan reads nothing of them. */
static enum status list_changes(const struct run *run, struct buffer *what, struct error *error)
{
    const struct run_session *session = run->session;
    struct column_list accepted;
    if (name_list_get(run, gone_intent, &accepted, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < session->kept.gone.count; i++) {
        const char *table = session->kept.gone.names[i];
        if (!column_list_holds(accepted, table) && plan_reads(session->plan, table)) {
            buffer_format(what, "%s%s was dropped or renamed", what->length > 0 ? "; " : "", table);
        }
    }
    for (uint32_t i = 0; run->following.changes != NULL && i < run->following.changes->table_count;
         i++) {
        const struct table_change *table = &run->following.changes->tables[i];
        if (table_change_is_of_records(table) && plan_reads(session->plan, table->name)) {
            buffer_append_string(what, what->length > 0 ? "; " : "");
            table_change_append(table, what);
        }
    }
    return STATUS_OK;
}

static enum status refuse_changes(const struct run *run, struct error *error)
{
    struct buffer what = {0};
    enum status status = list_changes(run, &what, error);
    if (status == STATUS_OK && what.length > 0) {
        error_set(error, ERROR_SOURCE_CHANGED, run->session->source_uri->shown,
                  "its schema has changed, and --on-schema-change stop was given: %s",
                  buffer_string(&what));
        status = error_hint(error, "nothing was adopted; put it back, or `transhume follow "
                                   "--on-schema-change reread`");
    }
    buffer_free(&what);
    return status;
}

enum status adopt_check(struct run *run, const struct ledger_header *header, struct error *error)
{
    const struct run_session *session = run->session;
    const struct learnt *learnt = session->kept.learnt;
    struct schema_changes *changes = arena_allocate_zeroed(run->arena, 1, sizeof *changes);
    run->following.changes = NULL;
    if (learnt == NULL) {
        return STATUS_END;
    }
    schema_compare(learnt->source, session->schema,
                   strcmp(learnt->source_identity, session->source_identity) == 0, run->arena,
                   changes);
    run->following.changes = changes->table_count > 0 ? changes : NULL;
    bool same = strcmp(learnt->mapping_hash, session->plan->mapping_hash) == 0;
    run->following.mapping_changed = !same;
    if (!same && (run->following.changes == NULL || !has_plan_text(header, session))) {
        return STATUS_END;
    }
    return session->options.follow.on_schema_change == SCHEMA_CHANGE_STOP
               ? refuse_changes(run, error)
               : STATUS_OK;
}

/* ---------------------------------------------------------------- noting */

struct adopting {
    struct run *run;
    const struct follow_routes *routes;
    struct follow_translator *translator;
};

enum status adopt_read_again(struct run *run, const struct follow_routes *routes,
                             const struct follow_translator *translator, const char *table,
                             struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < routes->stream_count && status == STATUS_OK; i++) {
        const char *root = routes->streams[i].stream->request.table;
        if (follow_routes_read(routes, i, table) && follow_translator_left(translator, i) == NULL &&
            !column_list_holds(run->session->kept.gone, root)) {
            status = whole_or_refresh_note(run, &root, 1, error);
        }
    }
    return status;
}

static enum status read_again(const struct adopting *adopting, const char *table,
                              struct error *error)
{
    return adopt_read_again(adopting->run, adopting->routes, adopting->translator, table, error);
}

static enum status table_leave(const struct adopting *adopting, const char *table,
                               const char *reason, struct error *error)
{
    return unfollowed_for(adopting->run, adopting->routes, adopting->translator, NULL, table,
                          reason, error);
}

/* Are keys of the target's records made of it? Also those of records that join the table. */
static bool makes_keys(const struct adopting *adopting, const struct table_change *table,
                       const char *column)
{
    const struct follow_routes *routes = adopting->routes;
    bool makes = column_list_holds(schema_row_key(table->kept), column);
    for (uint32_t s = 0; s < routes->stream_count && !makes; s++) {
        const struct read_request *request = &routes->streams[s].stream->request;
        for (uint32_t c = 0; c < request->column_count && !makes; c++) {
            makes = strcmp(request->table, table->name) == 0 && request->columns[c].join < 0 &&
                    routes->streams[s].key_cells[c] &&
                    strcmp(request->columns[c].name, column) == 0;
        }
    }
    return makes;
}

/* Rows that nobody changed since hold it, too. */
static bool comes_with_values(const struct schema_column *column)
{
    return column->default_text != NULL || column->default_kind != SCHEMA_DEFAULT_NONE ||
           column->generated != GENERATED_NO || column->identity || column->not_null;
}

/* Where a missing field is none that is null, the records that are there lack it. */
static bool lacks_nulls(const struct adopting *adopting, const char *table, const char *column)
{
    const struct run_session *session = adopting->run->session;
    const struct plan *plan = session->plan;
    bool lacks = false;
    if ((session->target->capabilities & CAPABILITY_MISSING) == 0 ||
        session->target->connector->apply->keeps_log) {
        return false;
    }
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct mapping *mapping = plan->entities[i].mapping;
        bool reads = strcmp(plan->streams[plan->entities[i].stream].request.table, table) == 0;
        for (uint32_t f = 0; reads && f < mapping->field_count && !lacks; f++) {
            const struct mapping_field *field = &mapping->fields[f];
            lacks = field->nulls != NULLS_OMIT && field->origin != NULL &&
                    strcmp(field->origin->name, column) == 0;
        }
    }
    return lacks;
}

static enum status note_column(const struct adopting *adopting, const struct table_change *table,
                               const struct column_change *column, struct error *error)
{
    switch (column->difference) {
    case COLUMN_SAME:
        return STATUS_OK;
    case COLUMN_WIDER:
        return read_again(adopting, table->name, error);
    case COLUMN_REWRITTEN:
    case COLUMN_RETYPED:
    case COLUMN_REPLACED:
        /* a table that was made again is emptied before, so that no former key stays */
        return table->difference != TABLE_REPLACED && makes_keys(adopting, table, column->name)
                   ? table_leave(
                         adopting, table->name,
                         arena_format(adopting->run->arena,
                                      "the column %s, of which keys are made, was rewritten",
                                      column->name),
                         error)
                   : read_again(adopting, table->name, error);
    case COLUMN_GONE:
        return adopting->run->following.mapping_changed
                   ? unfollowed_by_table(adopting->run, adopting->routes, adopting->translator,
                                         NULL, table->name, column->name, error)
                   : STATUS_OK;
    case COLUMN_NEW:
        return comes_with_values(column->now) || lacks_nulls(adopting, table->name, column->name)
                   ? read_again(adopting, table->name, error)
                   : STATUS_OK;
    }
    return STATUS_OK;
}

static enum status note_columns(const struct adopting *adopting, const struct table_change *table,
                                struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < table->column_count && status == STATUS_OK; i++) {
        status = note_column(adopting, table, &table->columns[i], error);
    }
    return status == STATUS_OK ? align_note(adopting->run, table->name, error) : status;
}

/* Nothing is known of its rows: the target's table is emptied, and read again. */
static enum status note_replaced(const struct adopting *adopting, const struct table_change *table,
                                 struct error *error)
{
    if (!column_list_is_equal(schema_row_key(table->kept), schema_row_key(table->now))) {
        return table_leave(adopting, table->name, "it was made again, with another key", error);
    }
    return name_list_add(adopting->run, adopt_empty_intent, table->name, error) == STATUS_OK &&
                   read_again(adopting, table->name, error) == STATUS_OK
               ? note_columns(adopting, table, error)
               : STATUS_FAILED;
}

static enum status note_table(const struct adopting *adopting, const struct table_change *table,
                              struct error *error)
{
    struct buffer what = {0};
    table_change_append(table, &what);
    log_event(LOG_INFO, EVENT_OF(EVENT_MESSAGE, .table = table->name), "the source's schema: %s",
              buffer_string(&what));
    buffer_free(&what);
    switch (table->difference) {
    case TABLE_SAME: /* nothing is to be done for constraints */
        return table_change_is_of_records(table) ? note_columns(adopting, table, error) : STATUS_OK;
    case TABLE_REKEYED:
        return table_leave(adopting, table->name, "its key has other columns", error);
    case TABLE_REPLACED:
        return note_replaced(adopting, table, error);
    case TABLE_NEW:
        return read_again(adopting, table->name, error) == STATUS_OK
                   ? align_note(adopting->run, table->name, error)
                   : STATUS_FAILED;
    case TABLE_GONE:
        break; /* tables that are gone stand in session->gone */
    }
    return STATUS_OK;
}

/* Does a table that is new, too, and was not noted yet, hold rows that this one refers to? */
static bool waits(const struct schema_changes *changes, const bool *noted, uint32_t number)
{
    const struct schema_table *table = changes->tables[number].now;
    bool waits = false;
    for (uint32_t i = 0; i < changes->table_count && !waits; i++) {
        for (uint32_t k = 0; k < table->foreign_key_count && !waits; k++) {
            waits = !noted[i] && i != number && changes->tables[i].difference == TABLE_NEW &&
                    strcmp(table->foreign_keys[k].references, changes->tables[i].name) == 0;
        }
    }
    return waits;
}

/* Tables are read again in the order in which they are noted: what refers to others comes behind
 * them, unless they refer to each other in a circle. */
static enum status note_tables(const struct adopting *adopting, struct error *error)
{
    const struct schema_changes *changes = adopting->run->following.changes;
    bool *noted = arena_allocate_zeroed(adopting->run->arena, changes->table_count + (size_t)1,
                                        sizeof *noted);
    enum status status = STATUS_OK;
    for (uint32_t round = 0, left = 1; left > 0 && status == STATUS_OK; round++) {
        left = 0;
        for (uint32_t i = 0; i < changes->table_count && status == STATUS_OK; i++) {
            const struct table_change *table = &changes->tables[i];
            bool is_new = table->difference == TABLE_NEW;
            if (noted[i] || !is_followed(adopting->routes, table->name)) {
                continue;
            }
            if (is_new && round <= changes->table_count && waits(changes, noted, i)) {
                left++;
                continue;
            }
            noted[i] = true;
            status = note_table(adopting, table, error);
        }
    }
    return status;
}

/* Unless their loss was accepted. One that is back is another table. */
static enum status note_gone(const struct adopting *adopting, struct error *error)
{
    struct run *run = adopting->run;
    struct column_list accepted;
    enum status status = name_list_get(run, gone_intent, &accepted, error);
    for (uint32_t i = 0; i < run->session->kept.gone.count && status == STATUS_OK; i++) {
        const char *table = run->session->kept.gone.names[i];
        if (!column_list_holds(accepted, table)) {
            status = table_leave(adopting, table, "it was dropped or renamed in the source", error);
        }
    }
    for (uint32_t i = 0; i < accepted.count && status == STATUS_OK; i++) {
        if (!column_list_holds(run->session->kept.gone, accepted.names[i])) {
            status = table_leave(adopting, accepted.names[i],
                                 "it was made again after it was dropped", error);
        }
    }
    return status;
}

enum status adopt_list_gone(struct run *run, struct column_list *gone, struct error *error)
{
    struct column_list accepted;
    const struct column_list all = run->session->kept.gone;
    const char **names = arena_allocate_zeroed(run->arena, all.count + (size_t)1, sizeof *names);
    *gone = (struct column_list){names, 0};
    enum status status = name_list_get(run, gone_intent, &accepted, error);
    for (uint32_t i = 0; i < all.count && status == STATUS_OK; i++) {
        if (!column_list_holds(accepted, all.names[i])) {
            names[gone->count++] = all.names[i];
        }
    }
    return status;
}

enum status adopt_accept_gone(struct run *run, struct error *error)
{
    return name_list_put(run, gone_intent, run->session->kept.gone, error);
}

enum status adopt_changes(struct run *run, const struct follow_routes *routes,
                          struct follow_translator *translator, struct error *error)
{
    const struct adopting adopting = {run, routes, translator};
    enum status status = note_gone(&adopting, error);
    if (run->following.changes != NULL) {
        status = status == STATUS_OK ? note_tables(&adopting, error) : status;
        status = status == STATUS_OK ? failpoint_hit("follow.before_adopt", error) : status;
        status = status == STATUS_OK ? recall_raise(run, error) : status;
        status = status == STATUS_OK ? failpoint_hit("follow.after_adopt", error) : status;
    }
    return status == STATUS_OK ? grow_target(run, routes, translator, error) : status;
}
