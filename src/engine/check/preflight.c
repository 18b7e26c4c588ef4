/* Problems that can be known before anything is changed. */
#include "engine/check/preflight.h"
#include "base/memory.h"
#include "connectors/contract/defaults.h"
#include "engine/copy/load_pause.h"
#include "engine/session/circles.h"
#include "engine/session/home.h"
#include "engine/session/renumber.h"
#include "engine/session/session_tables.h"
#include "engine/settle/emptying.h"
#include "plan/words/rule_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { OBJECT_BYTES = 256 };

static const char strict_hint[] = "--strict wants the source whole";

enum status preflight_foretell(struct run_session *session, struct target_table *tables,
                               struct buffer *out, struct error *error)
{
    const struct forecast_functions *forecast = connector_forecast(session->target->connector);
    const struct sql_target_functions *sql_target =
        connector_sql_target(session->target->connector);
    const struct prepare_request request = {.tables = tables,
                                            .table_count = session->plan->table_count,
                                            .objects = session_objects(session),
                                            .rebuilds_indexes = session_rebuilds_indexes(session),
                                            .disables_triggers =
                                                session_disables_triggers(session)};
    enum status status = STATUS_OK;
    bool wanted = request.rebuilds_indexes || request.disables_triggers;
    if (wanted && sql_target->rebuilds == NULL) {
        buffer_append_string(out, "--indexes rebuild and --triggers disable mean nothing to this "
                                  "target: what its tables have stays as it is\n");
    }
    circles_tell(session, out);
    renumber_tell(session, out);
    if (forecast->caveats != NULL) {
        status = forecast->caveats(session->target, out, error);
    }
    return status == STATUS_OK && wanted && sql_target->rebuilds != NULL
               ? sql_target->rebuilds(session->target, &request, out, error)
               : status;
}

const bool *preflight_mark_absent(const struct target_table *tables, uint32_t table_count,
                                  const char *const *absent, uint32_t absent_count,
                                  struct arena *arena)
{
    bool *marks = arena_allocate_zeroed(arena, table_count + (size_t)1, sizeof *marks);
    uint32_t next = 0;
    for (uint32_t i = 0; i < table_count && next < absent_count; i++) {
        marks[i] = strcmp(tables[i].name, absent[next]) == 0;
        next += marks[i] ? 1 : 0;
    }
    return marks;
}

void preflight_free(struct preflight *preflight)
{
    buffer_free(&preflight->problems);
    buffer_free(&preflight->unfit);
    buffer_free(&preflight->changed);
    buffer_free(&preflight->lost);
    free(preflight->unfit_objects);
}

static void add_problem(struct preflight *preflight, const struct error *problem)
{
    if (preflight->count == 0) {
        preflight->first = *problem;
    }
    preflight->count++;
    bool helps = problem->hint[0] != '\0' && strcmp(problem->hint, strict_hint) != 0;
    buffer_format(&preflight->problems, "%s: %s%s%s\n", problem->object, problem->message,
                  helps ? "; " : "", helps ? problem->hint : "");
}

/* The lines that a connector wrote, to be cut in place; NULL: none. */
static char *take_lines(struct buffer *lines)
{
    const char *all = buffer_string(lines);
    return all[0] == '\0' ? NULL : lines->data;
}

/* The line of a plan that leaves the field of an entity out, for which a table that is there has no
 * column; NULL: none is needed, or none does. */
static const char *leaving_out(const struct run_session *session, uint32_t entity, uint32_t number,
                               const struct schema_table *there)
{
    const struct plan_entity *of = &session->plan->entities[entity];
    const struct mapping_field *field =
        mapping_find_field(of->mapping, of->shape->fields[number].name);
    if (field == NULL || schema_find_column(there, field->name) >= 0) {
        return NULL;
    }
    return plan_document_has_tables(session->document)
               ? arena_format(session->arena, "`%s: { drop: true }` among the fields", field->name)
               : rule_text(session->plan, entity, field, "drop: true", session->arena);
}

/* By shape and field, as check_request has them; NULL: the table is not there. */
static const char *const *const *find_leaving_out(const struct run_session *session,
                                                  const struct plan_table *table)
{
    const struct schema_table *there =
        session->there != NULL ? schema_find_table(session->there, table->target.name) : NULL;
    if (there == NULL) {
        return NULL;
    }
    const char *const **lines =
        arena_allocate_zeroed(session->arena, table->entity_count, sizeof *lines);
    for (uint32_t i = 0; i < table->entity_count; i++) {
        const struct shape *shape = session->plan->entities[table->entities[i]].shape;
        const char **of = arena_allocate_zeroed(session->arena, shape->field_count, sizeof *of);
        for (uint32_t k = 0; k < shape->field_count; k++) {
            of[k] = leaving_out(session, table->entities[i], k, there);
        }
        lines[i] = of;
    }
    return lines;
}

static enum status check_table(struct run_session *session, uint32_t number,
                               const struct target_table *table, bool record_exists,
                               struct preflight *preflight, struct error *error)
{
    const struct plan *plan = session->plan;
    bool empties = table->empties && record_exists && session->options.repair.file == NULL &&
                   session->options.selection.parts != PARTS_SCHEMA;
    const struct plan_table *planned = &plan->tables[number];
    struct buffer lines = {0};
    struct error problem;
    const struct shape **shapes =
        memory_allocate_zeroed(planned->entity_count, sizeof(struct shape *));
    for (uint32_t i = 0; i < planned->entity_count; i++) {
        shapes[i] = plan->entities[planned->entities[i]].shape;
    }
    const struct check_request request = {.table = table,
                                          .shapes = shapes,
                                          .shape_count = planned->entity_count,
                                          .leaving_out = find_leaving_out(session, planned),
                                          .rebuilds_indexes = session_rebuilds_indexes(session),
                                          .disables_triggers = session_disables_triggers(session),
                                          .triggers_off = empties,
                                          .loses_records = empties};
    enum status status =
        session->target->connector->target->check_table(session->target, &request, &lines, error);
    free(shapes);
    char *next = take_lines(&lines);
    for (char *line; status == STATUS_OK && (line = strsep(&next, "\n")) != NULL;) {
        if (*line != '\0') {
            error_set(&problem, ERROR_PLAN_INVALID, table->name, "%s", line);
            add_problem(preflight, &problem);
        }
    }
    buffer_free(&lines);
    if (status == STATUS_OK && session_settles(session, planned) &&
        session->target->connector->target->settle_duplicates == NULL) {
        error_set(&problem, ERROR_PLAN_INVALID, table->name,
                  "two records could share a key (%s) and this target would not show it",
                  planned->keys_reason);
        error_hint(&problem, "put the source's key into the target's key");
        add_problem(preflight, &problem);
    }
    return status;
}

/* Where a chunk may come twice, its records must replace themselves and nothing else. False: they
 * would not. */
static bool check_repeats(const struct run_session *session, uint32_t number,
                          struct preflight *preflight)
{
    const struct plan_table *table = &session->plan->tables[number];
    enum existing_policy policy = table->target.existing;
    bool appends = policy == EXISTING_APPEND || policy == EXISTING_SKIP;
    struct error problem;
    if (!home_repeats_chunks(session) ||
        (table->target.key.count > 0 && table->keys_proven && !appends)) {
        return true;
    }
    if (appends) {
        error_set(&problem, ERROR_PLAN_INVALID, table->target.name,
                  "`existing: %s` needs the ledger in the target: with --ledger a chunk may be "
                  "written twice",
                  policy == EXISTING_SKIP ? "skip" : "append");
        error_hint(&problem, "choose upsert or replace, or leave --ledger out");
    } else {
        error_set(&problem, ERROR_PLAN_INVALID, table->target.name,
                  "with --ledger a chunk may be written twice, and %s",
                  table->target.key.count == 0 ? "without a key its records would be there twice"
                                               : "two records could share a key");
        error_hint(&problem, "leave --ledger out, or give the table a key that the source keeps "
                             "unique");
    }
    add_problem(preflight, &problem);
    return false;
}

static enum status check_objects(struct run_session *session, struct preflight *preflight,
                                 struct error *error)
{
    const struct sql_target_functions *sql_target =
        connector_sql_target(session->target->connector);
    const struct schema *objects = session_objects(session);
    struct buffer lines = {0};
    struct error problem;
    if (objects == NULL || sql_target->check_objects == NULL) {
        return STATUS_OK;
    }
    enum status status = sql_target->check_objects(session->target, objects, &lines, error);
    char *next = take_lines(&lines);
    for (char *line; status == STATUS_OK && (line = strsep(&next, "\n")) != NULL;) {
        char *colon = strstr(line, ": ");
        if (colon != NULL) {
            *colon = '\0';
            error_set(&problem, ERROR_PLAN_INVALID, line, "%s", colon + 2);
            add_problem(preflight, &problem);
        }
    }
    buffer_free(&lines);
    return status;
}

/* --definer refuse: what would run as somebody else. */
static enum status check_definers(struct run_session *session, struct preflight *preflight,
                                  struct error *error)
{
    const struct sql_target_functions *sql_target =
        connector_sql_target(session->target->connector);
    const struct schema *objects = session_objects(session);
    struct rights_left left = {0};
    if (session->options.making.definer != DEFINERS_REFUSE || objects == NULL ||
        sql_target->rights_left == NULL) {
        return STATUS_OK;
    }
    left.arena = arena_create(0);
    enum status status = sql_target->rights_left(session->target, objects, &left, error);
    for (uint32_t i = 0; status == STATUS_OK && i < left.count; i++) {
        struct error problem;
        if (strcmp(left.items[i].kind, "definer") == 0) {
            error_set(&problem, ERROR_DEFINER_REFUSED, left.items[i].object, "%s",
                      left.items[i].text);
            add_problem(preflight, &problem);
        }
    }
    arena_destroy(left.arena);
    return status;
}

/* The lines behind `begin`: with --strict each is a problem. Their number. */
static uint64_t tell_unfit(const struct run_session *session, struct buffer *lines, size_t begin,
                           struct preflight *preflight)
{
    uint64_t count = 0;
    struct error problem;
    for (const char *line = buffer_string(lines) + begin, *end; (end = strchr(line, '\n')) != NULL;
         line = end + 1) {
        count++;
        if (session->options.making.strict) {
            char object[OBJECT_BYTES];
            const char *words = strstr(line, ": ");
            snprintf(object, sizeof object, "%.*s", (int)(words - line), line);
            error_set(&problem, ERROR_STRICT_REFUSED, object, "%.*s", (int)(end - words) - 2,
                      words + 2);
            error_hint(&problem, strict_hint);
            add_problem(preflight, &problem);
        }
    }
    return count;
}

/* Foreign keys that are left out, since what they refer to is no part of the copy. */
static enum status check_unfit(const struct run_session *session, const struct target_table *table,
                               struct preflight *preflight, struct error *error)
{
    const struct sql_target_functions *sql_target =
        connector_sql_target(session->target->connector);
    struct buffer *lines = &preflight->unfit;
    size_t begin = lines->length;
    if (sql_target->unfit_references == NULL) {
        return STATUS_OK;
    }
    if (sql_target->unfit_references(session->target, table, lines, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    preflight->unfit_count += tell_unfit(session, lines, begin, preflight);
    return STATUS_OK;
}

static enum status check_changed(const struct run_session *session,
                                 const struct target_table *tables, struct preflight *preflight,
                                 struct error *error)
{
    const struct forecast_functions *forecast = connector_forecast(session->target->connector);
    struct buffer lines = {0};
    if (forecast->differences == NULL) {
        return STATUS_OK;
    }
    enum status status = forecast->differences(session->target, tables, session->plan->table_count,
                                               session_objects(session), &lines, error);
    char *next = take_lines(&lines);
    for (char *line; status == STATUS_OK && (line = strsep(&next, "\n")) != NULL;) {
        const char *tab = strchr(line, '\t');
        if (tab != NULL) {
            buffer_format(&preflight->changed, "%s\n", tab + 1);
        }
        if (tab != NULL && tab > line) {
            buffer_format(&preflight->lost, "%s\n", line);
        }
    }
    buffer_free(&lines);
    tell_unfit(session, &preflight->changed, 0, preflight);
    return status;
}

static enum status check_unfit_objects(const struct run_session *session,
                                       struct preflight *preflight, struct error *error)
{
    const struct sql_target_functions *sql_target =
        connector_sql_target(session->target->connector);
    const struct schema *objects = session_objects(session);
    size_t begin = preflight->unfit.length;
    if (objects == NULL || objects->object_count == 0 || sql_target->unfit_objects == NULL) {
        return STATUS_OK;
    }
    preflight->unfit_objects = memory_allocate_zeroed(objects->object_count, sizeof(bool));
    if (sql_target->unfit_objects(session->target, objects, preflight->unfit_objects,
                                  &preflight->unfit, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    tell_unfit(session, &preflight->unfit, begin, preflight);
    return STATUS_OK;
}

/* Would two tables of the plan be one in the target? */
static void check_names(const struct run_session *session, const struct target_table *tables,
                        uint32_t number, struct preflight *preflight)
{
    struct error problem;
    if (!(session->target->capabilities & CAPABILITY_FOLDED_NAMES)) {
        return;
    }
    for (uint32_t i = 0; i < number; i++) {
        if (strcasecmp(tables[i].name, tables[number].name) == 0) {
            error_set(&problem, ERROR_PLAN_INVALID, tables[number].name,
                      "this target takes it for the same table as %s: the names differ in case "
                      "only",
                      tables[i].name);
            error_hint(&problem, "give one of them another name");
            add_problem(preflight, &problem);
        }
    }
}

/* The names of the indexes that a table brings: the plan's, or those of the table that is carried
 * whole. NULL: none with that number; "": not named by anybody. */
static const char *index_name(const struct target_table *table, uint32_t number)
{
    const struct schema_table *whole = table->same_engine;
    if (whole == NULL) {
        return number < table->index_count ? table->indexes[number].name : NULL;
    }
    if (number >= whole->index_count) {
        return NULL;
    }
    const struct schema_index *index = &whole->indexes[number];
    return index->implied || index->name == NULL ? "" : index->name;
}

static bool has_index(const struct target_table *table, uint32_t count, const char *name)
{
    const char *other;
    for (uint32_t i = 0; i < count && (other = index_name(table, i)) != NULL; i++) {
        if (strcasecmp(other, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Would an index of the plan have the name of a table or of an index before it? */
static void check_index_names(const struct run_session *session, const struct target_table *tables,
                              uint32_t number, struct preflight *preflight)
{
    const struct target_table *table = &tables[number];
    const char *name;
    struct error problem;
    if (!connector_rules(session->target->connector)->names_shared) {
        return;
    }
    for (uint32_t i = 0; (name = index_name(table, i)) != NULL; i++) {
        bool taken = *name != '\0' && has_index(table, i, name);
        for (uint32_t t = 0; *name != '\0' && t < session->plan->table_count && !taken; t++) {
            taken = strcasecmp(tables[t].name, name) == 0 ||
                    (t < number && has_index(&tables[t], UINT32_MAX, name));
        }
        if (taken) {
            error_set(&problem, ERROR_PLAN_INVALID, table->name,
                      "its index %s has the name of another index or table of the plan", name);
            error_hint(&problem, table->same_engine == NULL
                                     ? "give it a name of its own under `indexes:`"
                                     : "give the other one another name, or this table fields of "
                                       "its own: only a table that is carried whole keeps its "
                                       "indexes' names");
            add_problem(preflight, &problem);
        }
    }
}

/* Objects that the source does not let be read: all of them at once, before a record is. */
static enum status check_source(struct run_session *session, struct preflight *preflight,
                                struct error *error)
{
    const struct source_functions *source = session->source->connector->source;
    uint32_t count = session_request_count(session);
    struct buffer lines = {0};
    struct error problem;
    if (source->tell_lacking == NULL || session->options.repair.file != NULL) {
        return STATUS_OK;
    }
    const struct read_request **requests =
        arena_allocate_zeroed(session->arena, count + 1u, sizeof(struct read_request *));
    session_list_requests(session, requests);
    enum status status = source->tell_lacking(session->source, requests, count, &lines, error);
    char *next = take_lines(&lines);
    for (char *line; status == STATUS_OK && (line = strsep(&next, "\n")) != NULL;) {
        char *colon = strstr(line, ": ");
        if (colon != NULL) {
            *colon = '\0';
            error_set(&problem, ERROR_PERMISSION, line, "%s", colon + 2);
            add_problem(preflight, &problem);
            preflight->lacking_count++;
        }
    }
    buffer_free(&lines);
    return status;
}

static void check_emptiness(const struct run_session *session, uint32_t number, bool record_exists,
                            struct preflight *preflight)
{
    const struct target_table *table = &session->plan->tables[number].target;
    struct error problem = {0};
    if (table->existing != EXISTING_REFUSE || !record_exists || session->options.follow.mirrors) {
        return;
    }
    if (table->empties) {
        if (session->options.repair.file == NULL && emptying_refuse(session, number, &problem)) {
            add_problem(preflight, &problem);
        }
        return;
    }
    error_set(&problem, ERROR_TARGET_NOT_EMPTY, table->name, "there are records in it already");
    error_hint(&problem,
               "say what to do with them: `existing:` or --existing append, upsert, replace, "
               "skip or truncate; leave the table out with --exclude; or name an empty target");
    add_problem(preflight, &problem);
}

/* With --data-only a table that is not there, and what would be made for those that are. */
static void check_parts(const struct run_session *session, const char *const *absent,
                        uint32_t absent_count, struct preflight *preflight)
{
    bool declares = connector_forecast(session->target->connector)->script != NULL;
    struct error problem;
    if (session->options.selection.parts == PARTS_SCHEMA && !declares) {
        error_set(&problem, ERROR_BAD_VALUE, session->target_uri->shown,
                  "--schema-only: %s has no tables that are made before their records",
                  session->target->connector->title);
        error_hint(&problem, "leave it out");
        add_problem(preflight, &problem);
    }
    for (uint32_t i = 0;
         session->options.selection.parts == PARTS_DATA && declares && i < absent_count; i++) {
        error_set(&problem, ERROR_PLAN_INVALID, absent[i],
                  "the target has no such table, and --data-only makes none");
        error_hint(&problem, "`transhume migrate --schema-only` makes it");
        add_problem(preflight, &problem);
    }
}

/* Warnings of a plan say what is left out. */
static void check_strict(const struct run_session *session, struct preflight *preflight)
{
    const struct plan *plan = session->plan;
    struct error problem;
    for (uint32_t i = 0; session->options.making.strict && i < plan->note_count; i++) {
        if (plan->notes[i].level == PLAN_NOTE_WARNING) {
            error_set(&problem, ERROR_STRICT_REFUSED, plan->notes[i].object, "%s",
                      plan->notes[i].text);
            error_hint(&problem, strict_hint);
            add_problem(preflight, &problem);
        }
    }
}

static bool refers(const struct target_table *table)
{
    return table->same_engine != NULL ? table->same_engine->foreign_key_count > 0
                                      : table->reference_count > 0;
}

/* Deletes of the target's records have to be agreed to. */
static void check_deletes(const struct run_session *session, struct preflight *preflight)
{
    const struct plan *plan = session->plan;
    const struct run_options *options = &session->options;
    struct error problem = {0};
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        const struct plan_since *since = plan->streams[i].since;
        if (since != NULL && since->deletes && !options->confirmed &&
            options->command == RUN_BEGIN && options->repair.file == NULL) {
            error_set(&problem, ERROR_TARGET_NOT_EMPTY, since->table,
                      "`deletes: compare` deletes what the source has no more");
            error_hint(&problem, "say --confirm if that is wanted");
            add_problem(preflight, &problem);
        }
    }
}

/* Records without a partner are looked for in the table, where nothing says whose they are. */
static void check_orphans(const struct run_session *session, struct preflight *preflight)
{
    const struct plan *plan = session->plan;
    struct error problem;
    if (!session_rejects_orphans(session)) {
        return;
    }
    if (connector_sql_target(session->target->connector)->orphans == NULL) {
        error_set(&problem, ERROR_BAD_VALUE, session->target_uri->shown,
                  "--broken-references reject: %s cannot delete orphaned rows",
                  session->target->connector->title);
        error_hint(&problem, "leave it out");
        add_problem(preflight, &problem);
        return;
    }
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (plan->tables[i].entity_count > 1 && refers(&plan->tables[i].target)) {
            error_set(
                &problem, ERROR_BAD_VALUE, plan->tables[i].target.name,
                "--broken-references reject: several entities feed it, so the entity of an orphaned "
                "row is unknown");
            error_hint(&problem, "leave it out, or give each entity a table of its own");
            add_problem(preflight, &problem);
        }
    }
}

enum status preflight_check(struct run_session *session, struct target_table *tables,
                            const char ***absent, uint32_t *absent_count,
                            struct preflight *preflight, struct error *error)
{
    uint32_t count = session->plan->table_count;
    if (check_source(session, preflight, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool *table_exists = arena_allocate_zeroed(session->arena, count, sizeof(bool));
    bool *record_exists = arena_allocate_zeroed(session->arena, count, sizeof(bool));
    *absent = arena_allocate_zeroed(session->arena, count, sizeof(char *));
    *absent_count = 0;
    if (session->target->connector->target->inspect(session->target, tables, count, table_exists,
                                                    record_exists, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (check_repeats(session, i, preflight) &&
            check_table(session, i, &tables[i], record_exists[i], preflight, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (check_unfit(session, &tables[i], preflight, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        check_names(session, tables, i, preflight);
        check_index_names(session, tables, i, preflight);
        if (session->options.selection.parts != PARTS_SCHEMA) {
            check_emptiness(session, i, record_exists[i], preflight);
        }
        if (!table_exists[i]) {
            (*absent)[(*absent_count)++] = tables[i].name;
        }
    }
    if (check_changed(session, tables, preflight, error) != STATUS_OK ||
        check_unfit_objects(session, preflight, error) != STATUS_OK ||
        check_definers(session, preflight, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    check_parts(session, *absent, *absent_count, preflight);
    check_strict(session, preflight);
    check_orphans(session, preflight);
    check_deletes(session, preflight);
    struct error untold;
    enum status status = load_pause_check(session, &untold, error);
    if (status == STATUS_END) {
        add_problem(preflight, &untold);
    }
    return status == STATUS_FAILED ? status : check_objects(session, preflight, error);
}
