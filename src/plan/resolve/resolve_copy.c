/* The plain copy: every table of the source as it is, without a plan. */
#include "connectors/contract/defaults.h"
#include "plan/resolve/resolve.h"
#include <string.h>

static bool filtered(const struct resolver *resolver)
{
    const struct plan_settings *settings = resolver->settings;
    bool by_settings =
        settings != NULL && (settings->include_count > 0 || settings->exclude_count > 0);
    bool by_plan =
        resolver->document != NULL && (plan_node_get(resolver->document->root, "include") != NULL ||
                                       plan_node_get(resolver->document->root, "exclude") != NULL);
    return by_settings || by_plan;
}

static bool object_wanted(const struct resolver *resolver, const struct schema_object *object)
{
    if (!filtered(resolver)) {
        return true;
    }
    /* where a sequence stands goes with it */
    if (object->stage == SCHEMA_BEFORE_TABLES || object->native_query != NULL) {
        return object->table == NULL || resolve_table_wanted(resolver, object->table);
    }
    /* a view may stand on tables that are left out */
    return object->kind != SCHEMA_OBJECT_VIEW && object->table != NULL &&
           resolve_table_wanted(resolver, object->table);
}

/* The store of another object goes with that, and nowhere else. */
static bool table_wanted(const struct resolver *resolver, const struct schema_table *table)
{
    if (table->belongs_to != NULL) {
        return resolver->same_engine && resolve_table_wanted(resolver, table->belongs_to);
    }
    return resolve_table_wanted(resolver, table->name);
}

/* The target tells which rights can't be carried. */
static bool is_carried_right(const struct resolver *resolver, const struct schema_object *object)
{
    const char *what = schema_object_word(object);
    return resolver->settings != NULL && resolver->settings->carries_rights &&
           resolver->schema->right_count > 0 && /* else its connector knows none */
           (strcmp(what, "grant") == 0 || strcmp(what, "owner") == 0);
}

/* Code that the source left out already, since it calls functions. */
static void note_code(struct resolver *resolver)
{
    for (uint32_t i = 0; i < resolver->schema->code_count; i++) {
        const struct schema_code *code = &resolver->schema->code[i];
        /* objects are told as such */
        bool object = strcmp(code->what, "view") == 0 || strcmp(code->what, "trigger") == 0 ||
                      strcmp(code->what, "materialized view") == 0 ||
                      strcmp(code->what, "rule") == 0;
        if (object || (code->table != NULL && !resolve_table_wanted(resolver, code->table))) {
            continue;
        }
        if (strcmp(code->what, "partition key") == 0) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, NULL,
                       "leave the table out (--exclude), or copy it without --no-code",
                       "with --no-code %s can't be made: its partition key calls %s", code->table,
                       code->calls);
            continue;
        }
        resolve_note_left(resolver, code->what, 1, code->name,
                          "the %s %s%s%s is left out: --no-code, and it calls %s", code->what,
                          code->name, code->table != NULL ? " of " : "",
                          code->table != NULL ? code->table : "", code->calls);
    }
}

/* The part of the source's schema that a filtered copy carries. */
static void keep_objects(struct resolver *resolver)
{
    const struct schema *schema = resolver->schema;
    struct schema *kept = resolve_allocate(resolver, 1, sizeof *kept);
    struct plan_list tables = {0};
    struct plan_list objects = {0};
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (table_wanted(resolver, &schema->tables[i])) {
            struct schema_table *table = resolve_add(resolver, &tables, sizeof *table);
            *table = schema->tables[i];
        }
    }
    for (uint32_t i = 0; i < schema->object_count; i++) {
        const struct schema_object *object = &schema->objects[i];
        if (is_carried_right(resolver, object)) {
            continue;
        }
        bool code = resolver->settings != NULL && resolver->settings->no_code &&
                    schema_object_is_code(object);
        if (object_wanted(resolver, object) && object->native_sql == NULL && !code &&
            object->not_carried != NULL) {
            resolve_note_left(resolver, schema_object_word(object), 1, object->name,
                              "the %s is left out: %s", schema_object_word(object),
                              object->not_carried);
        }
        if (!object_wanted(resolver, object)) {
            if (object->kind == SCHEMA_OBJECT_DETAIL) {
                continue;
            }
            resolve_note_left(resolver, schema_object_word(object), 1, object->name,
                              "the %s is left out with what it stands on",
                              schema_object_word(object));
            continue;
        }
        if (code) {
            resolve_note_left(resolver, schema_object_word(object), 1, object->name,
                              "the %s is left out: --no-code", schema_object_word(object));
            continue;
        }
        struct schema_object *copy = resolve_add(resolver, &objects, sizeof *copy);
        *copy = *object;
    }
    kept->tables =
        resolve_array(resolver, &tables, sizeof(struct schema_table), &kept->table_count);
    kept->objects =
        resolve_array(resolver, &objects, sizeof(struct schema_object), &kept->object_count);
    kept->needs = schema->needs;
    kept->need_count = schema->need_count;
    kept->rights = schema->rights;
    kept->right_count = schema->right_count;
    kept->no_code = resolver->settings != NULL && resolver->settings->no_code;
    kept->settings = schema->settings;
    resolver->plan->same_engine_objects = kept;
}

static bool is_view(const struct schema *schema, const char *name)
{
    const struct schema_table *table = schema_find_table(schema, name);
    return table != NULL && table->kind == SCHEMA_VIEW;
}

static bool is_object(const struct schema *schema, const char *name)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < schema->object_count; i++) {
        found = schema->objects[i].kind == SCHEMA_OBJECT_VIEW &&
                strcmp(schema->objects[i].name, name) == 0;
    }
    return found;
}

static void note_left_behind(struct resolver *resolver)
{
    bool counts = connector_rules(resolver->target->connector)->defaults;
    for (uint32_t i = 0; i < resolver->schema->object_count; i++) {
        const struct schema_object *object = &resolver->schema->objects[i];
        /* the counter of a table's column is told of with the column */
        bool counter = counts && object->kind == SCHEMA_OBJECT_SEQUENCE && object->table != NULL;
        if (object->kind == SCHEMA_OBJECT_DETAIL || counter) {
            continue;
        }
        const char *why = object->not_carried;
        const char *name = object->name;
        bool rows = object->kind == SCHEMA_OBJECT_VIEW && is_view(resolver->schema, name);
        resolve_note_left(resolver, schema_object_word(object), 1, name,
                          "the %s is not carried%s%s%s%s", schema_object_word(object),
                          why != NULL ? ": " : "", why != NULL ? why : "",
                          rows ? "; a plan can copy its rows: from: " : "", rows ? name : "");
    }
}

static void copy_table(struct resolver *resolver, const struct schema_table *from)
{
    const char *called = names_of_table(resolver, from->name);
    const struct schema_table *there = there_find(resolver, called);
    bool folded = (resolver->target->capabilities & CAPABILITY_FOLDED_NAMES) != 0;
    const char *name =
        there != NULL && !folded ? arena_copy_string(resolver->arena, there->name) : called;
    struct table_builder *table = table_add(resolver, name);
    struct entity_builder *entity = entity_add(resolver, table, from->name);
    table_take_whole(resolver, table, from);
    entity_use_table(resolver, entity, from);
    if (!entity->failed) {
        fields_copy_all(resolver, entity);
        since_resolve(resolver, entity);
    }
}

/* Documents into columns need a plan: said once for all tables. True: it was. */
static bool refuse_documents(struct resolver *resolver)
{
    enum { NAMED_MAX = 5 };
    struct buffer names = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < resolver->schema->table_count; i++) {
        const struct schema_table *table = &resolver->schema->tables[i];
        if (table->kind == SCHEMA_TABLE && table_wanted(resolver, table) && count++ < NAMED_MAX) {
            buffer_format(&names, "%s%s", count > 1 ? ", " : "", table->name);
        }
    }
    if (count > NAMED_MAX) {
        buffer_format(&names, " and %u more", count - NAMED_MAX);
    }
    if (count > 0) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, NULL,
                   "write a plan that names each field (`transhume init SRC DST` begins one)",
                   "the records of %s have no fixed columns, those of the target have",
                   buffer_string(&names));
    }
    buffer_free(&names);
    return count > 0;
}

void copy_resolve(struct resolver *resolver)
{
    if (resolver->source_documents && !resolver->target_free && refuse_documents(resolver)) {
        return;
    }
    for (uint32_t i = 0; i < resolver->schema->table_count && !resolve_stopped(resolver); i++) {
        const struct schema_table *table = &resolver->schema->tables[i];
        if (table->kind == SCHEMA_TABLE && table_wanted(resolver, table)) {
            copy_table(resolver, table);
        } else if (table->kind == SCHEMA_VIEW && !resolver->same_engine &&
                   strncmp(table->name, "_transhume_", 11) != 0 &&
                   !is_object(resolver->schema, table->name)) {
            resolve_note_left(resolver, "view", 1, table->name,
                              "the view is not carried; a plan can copy its rows: from: %s",
                              table->name);
        }
    }
    if (resolver->tables.count == 0 && filtered(resolver) && resolver->schema->table_count > 0 &&
        resolver->faults.count == 0) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, NULL, "patterns are * and ?, case counts",
                   "include and exclude leave no table");
    }
    if (resolver->same_engine && !resolver->names.change) {
        keep_objects(resolver);
    } else {
        note_left_behind(resolver);
    }
    note_code(resolver);
    for (uint32_t i = 0; i < resolver->schema->unseen_count; i++) {
        const struct schema_unseen *unseen = &resolver->schema->unseen[i];
        resolve_note_left(resolver, unseen->what, 0, unseen->owner, "%s", unseen->why);
    }
}
