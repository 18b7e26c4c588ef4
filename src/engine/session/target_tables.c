/* The tables that are in the target before the plan is resolved, and those of the source. */
#include "engine/session/target_tables.h"

#include "base/log.h"
#include "engine/ledger/learnt.h"
#include "engine/ledger/ledger_texts.h"
#include "engine/session/recall.h"
#include "engine/session/schema_lines.h"
#include "plan/resolve/learn.h"
#include <string.h>
#include <strings.h>

/* By a plan's word or a source's name; case is for resolving to look at. */
static bool may_be_written(const struct run_session *session, const char *name)
{
    for (uint32_t i = 0; i < session->schema->table_count; i++) {
        if (strcasecmp(session->schema->tables[i].name, name) == 0) {
            return true;
        }
    }
    return session->document != NULL && plan_document_names_table(session->document, name);
}

static bool made(const struct ledger_header *header, const char *table)
{
    for (uint32_t i = 0; i < header->table_count; i++) {
        if (strcmp(header->tables[i].name, table) == 0) {
            return header->tables[i].was == LEDGER_WAS_ABSENT;
        }
    }
    return false;
}

/* Tables that the run itself made were not there when its plan was resolved, and are not to change
 * what it is resolved to: their columns may tell less than what they were made for. */
static void leave_own_out(const struct run_session *session, struct schema *there)
{
    if (session->kept.continued == NULL) {
        return;
    }
    struct schema_table *tables =
        arena_allocate_zeroed(there->arena, there->table_count + 1u, sizeof(*tables));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < there->table_count; i++) {
        if (!made(session->kept.continued, there->tables[i].name)) {
            tables[kept++] = there->tables[i];
        }
    }
    there->tables = tables;
    there->table_count = kept;
}

static bool had_table(const struct run_session *session, const struct schema_table *table)
{
    const struct learnt *learnt = session->kept.learnt;
    return learnt != NULL ? schema_find_table(learnt->source, table->name) != NULL
                          : schema_lines_have_table(session->kept.continued->schema_text, table);
}

/* Triggers and the like of tables that were left out. */
static void leave_their_objects_out(struct schema *schema, struct column_list left)
{
    struct schema_object *objects =
        arena_allocate_zeroed(schema->arena, schema->object_count + 1u, sizeof *objects);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < schema->object_count; i++) {
        const struct schema_object *object = &schema->objects[i];
        if (object->table == NULL || !column_list_holds(left, object->table)) {
            objects[kept++] = *object;
        }
    }
    schema->objects = objects;
    schema->object_count = kept;
}

bool there_joins(const struct run_session *session, const struct schema_table *table)
{
    const struct plan_settings settings = {
        .include = session->options.selection.include,
        .include_count = session->options.selection.include_count,
        .exclude = session->options.selection.exclude,
        .exclude_count = session->options.selection.exclude_count};
    return session->kept.follows && table->kind == SCHEMA_TABLE &&
           (session->document == NULL || !plan_document_has_tables(session->document)) &&
           plan_copies_table(session->document, &settings, table);
}

void there_leave_new_out(struct run_session *session)
{
    struct schema *schema = session->schema;
    const struct ledger_header *header = session->kept.continued;
    if (header == NULL || !recall_is_of_run(session) ||
        (session->kept.learnt == NULL && (header->feed == NULL || header->schema_text == NULL))) {
        return;
    }
    struct schema_table *tables =
        arena_allocate_zeroed(schema->arena, schema->table_count + 1u, sizeof *tables);
    const char **left =
        arena_allocate_zeroed(schema->arena, schema->table_count + 1u, sizeof *left);
    const char **unfollowed =
        arena_allocate_zeroed(session->arena, schema->table_count + 1u, sizeof *unfollowed);
    uint32_t left_count = 0;
    uint32_t kept = 0;
    session->kept.unfollowed = (struct column_list){unfollowed, 0};
    for (uint32_t i = 0; i < schema->table_count; i++) {
        bool is_new = !had_table(session, &schema->tables[i]);
        bool joins = is_new && there_joins(session, &schema->tables[i]);
        if (!is_new || (joins && !session->kept.refuses_new)) {
            session->kept.has_new |= is_new;
            tables[kept++] = schema->tables[i];
        } else if (schema->tables[i].kind == SCHEMA_TABLE) {
            if (joins) {
                unfollowed[session->kept.unfollowed.count++] =
                    arena_copy_string(session->arena, schema->tables[i].name);
            }
            log_write(header->feed != NULL ? LOG_DEBUG : LOG_WARNING,
                      "table %s is in the source only since the run began, and is no part of it",
                      schema->tables[i].name);
            left[left_count++] = schema->tables[i].name;
        }
    }
    schema->tables = tables;
    schema->table_count = kept;
    leave_their_objects_out(schema, (struct column_list){left, left_count});
}

enum status there_describe(struct run_session *session, const struct schema **there,
                           struct error *error)
{
    struct database *target = session->target;
    const struct connector *connector = target->connector;
    struct column_list names = {0};
    bool any = false;
    *there = NULL;
    if (session->kept.learnt != NULL && recall_is_of_run(session)) {
        *there = session->kept.learnt->there; /* as it was before the run */
        return STATUS_OK;
    }
    if (session->options.check.ignores_there ||
        (target->capabilities & CAPABILITY_SQL_SCHEMA) == 0 || connector->target->names == NULL) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    enum status status = connector->target->names(target, arena, &names, error);
    for (uint32_t i = 0; status == STATUS_OK && !any && i < names.count; i++) {
        any = may_be_written(session, names.names[i]);
    }
    arena_destroy(arena);
    if (status != STATUS_OK || !any) {
        return status;
    }
    struct schema *described = NULL;
    status = connector->catalog->describe(target, &described, error);
    if (status == STATUS_OK) {
        leave_own_out(session, described);
    }
    *there = described;
    return status;
}
