/* Comparing the foreign keys of both sides that act. */
#include "engine/follow/translate/target_cascades.h"

#include "engine/follow/translate/route_cascades.h"
#include <string.h>
#include <strings.h>

/* One of the source, in the target's names. */
struct wanted_key {
    const struct schema_table *child; /* of the source, as `key` */
    const struct schema_foreign_key *key;
    const struct plan_table *table; /* of the target, made of the child; NULL: none is */
    const char *references;         /* of the target, made of the parent; NULL: none is */
    struct column_list columns;     /* of `table`; none: one of them is not there */
};

/* ---- names */

static const struct plan_entity *entity_of(const struct run_session *session, const char *table)
{
    const struct plan *plan = session->plan;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct plan_stream *stream = &plan->streams[plan->entities[i].stream];
        if (stream->request.table != NULL && strcmp(stream->request.table, table) == 0) {
            return &plan->entities[i];
        }
    }
    return NULL;
}

static void name_key(const struct run_session *session, struct arena *arena,
                     struct wanted_key *wanted)
{
    const struct plan *plan = session->plan;
    const struct plan_entity *child = entity_of(session, wanted->child->name);
    const struct plan_entity *parent =
        wanted->key->references_schema == NULL ? entity_of(session, wanted->key->references) : NULL;
    const struct column_list from = wanted->key->columns;
    const char **names = arena_allocate_zeroed(arena, from.count + (size_t)1, sizeof *names);
    wanted->table = child != NULL ? &plan->tables[child->table] : NULL;
    wanted->references = parent != NULL ? plan->tables[parent->table].target.name : NULL;
    wanted->columns = (struct column_list){names, 0};
    for (uint32_t i = 0; child != NULL && i < from.count; i++) {
        struct value_type type;
        names[i] = route_cascades_field(&plan->streams[child->stream], child, from.names[i], &type);
        if (names[i] == NULL) {
            return;
        }
    }
    wanted->columns.count = child != NULL ? from.count : 0;
}

/* ---- are they alike */

/* NULL: nothing but a refusal. */
static const char *action_of(const char *words)
{
    static const char *const actions[] = {"CASCADE", "SET NULL", "SET DEFAULT"};
    for (size_t i = 0; words != NULL && i < sizeof actions / sizeof actions[0]; i++) {
        if (strcasecmp(words, actions[i]) == 0) {
            return actions[i];
        }
    }
    return NULL;
}

static bool does_same(const char *one, const char *other)
{
    return action_of(one) == action_of(other);
}

static bool is_alike(const struct wanted_key *wanted, struct column_list columns,
                     const char *references, const char *on_delete, const char *on_update)
{
    bool same = strcmp(references, wanted->references) == 0 &&
                columns.count == wanted->columns.count &&
                does_same(on_delete, wanted->key->on_delete) &&
                does_same(on_update, wanted->key->on_update);
    for (uint32_t i = 0; i < columns.count && same; i++) {
        same = strcmp(columns.names[i], wanted->columns.names[i]) == 0;
    }
    return same;
}

static bool has_key(const struct schema_table *table, const struct wanted_key *wanted)
{
    bool has = false;
    for (uint32_t i = 0; i < table->foreign_key_count && !has; i++) {
        const struct schema_foreign_key *key = &table->foreign_keys[i];
        has = is_alike(wanted, key->columns, key->references, key->on_delete, key->on_update);
    }
    return has;
}

/* The same for a table that the run is about to make. */
static bool makes_key(const struct target_table *table, const struct wanted_key *wanted)
{
    bool makes = table->same_engine != NULL && has_key(table->same_engine, wanted);
    for (uint32_t i = 0; i < table->reference_count && !makes; i++) {
        const struct target_reference *key = &table->references[i];
        makes = is_alike(wanted, key->columns, key->table, key->on_delete, key->on_update);
    }
    return makes;
}

/* ---- asking */

static enum status key_refuse(const struct wanted_key *wanted, struct error *error)
{
    const struct schema_foreign_key *key = wanted->key;
    const char *deletes = action_of(key->on_delete);
    const char *updates = action_of(key->on_update);
    error_set(error, ERROR_FOLLOW, wanted->child->name,
              "--cascades target: its foreign key %s to %s has%s%s%s%s, and the target has none "
              "alike",
              key->name != NULL ? key->name : "", key->references,
              deletes != NULL ? " ON DELETE " : "", deletes != NULL ? deletes : "",
              updates != NULL ? " ON UPDATE " : "", updates != NULL ? updates : "");
    return error_hint(error, "make it there, or let transhume apply what the source's foreign keys "
                             "change (--cascades apply)");
}

static enum status check_key(const struct run_session *session, const struct schema *target,
                             const struct wanted_key *wanted, struct error *error)
{
    bool has = false;
    if (wanted->table == NULL) { /* nothing is made of rows that it changes */
        return STATUS_OK;
    }
    if (wanted->references != NULL && wanted->columns.count > 0) {
        const struct schema_table *table =
            session_target_table(session, target, wanted->table->target.name);
        has = table != NULL ? has_key(table, wanted) : makes_key(&wanted->table->target, wanted);
    }
    return has ? STATUS_OK : key_refuse(wanted, error);
}

static enum status check_all(const struct run_session *session, const struct schema *target,
                             struct arena *arena, struct lack_list *lacks, struct error *error)
{
    const struct schema *source = session->schema;
    enum status status = STATUS_OK;
    for (uint32_t t = 0; t < source->table_count; t++) {
        const struct schema_table *table = &source->tables[t];
        for (uint32_t i = 0; i < table->foreign_key_count && status == STATUS_OK; i++) {
            struct wanted_key wanted = {.child = table, .key = &table->foreign_keys[i]};
            if (route_cascades_acts(wanted.key)) {
                name_key(session, arena, &wanted);
                status = lacks_take(lacks, check_key(session, target, &wanted, error), error);
            }
        }
    }
    return status;
}

enum status target_cascades_check(const struct run_session *session, struct lack_list *lacks,
                                  struct error *error)
{
    const struct plan *plan = session->plan;
    struct database *target = NULL;
    struct schema *schema = NULL;
    if (!route_cascades_in_target(session)) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    const char **names = arena_allocate_zeroed(arena, plan->table_count + (size_t)1, sizeof *names);
    for (uint32_t i = 0; i < plan->table_count; i++) {
        names[i] = plan->tables[i].target.name;
    }
    enum status status = session_describe_target(session, names, &target, &schema, error);
    status = status == STATUS_OK ? check_all(session, schema, arena, lacks, error) : status;
    if (schema != NULL) {
        arena_destroy(schema->arena);
    }
    if (target != NULL) {
        session->target->connector->close(target);
    }
    arena_destroy(arena);
    return status;
}
