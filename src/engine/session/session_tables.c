/* The target tables of a session, and what its options make of them. */
#include "engine/session/session_tables.h"
#include "engine/session/home.h"
#include <string.h>

bool session_rebuilds_indexes(const struct run_session *session)
{
    return session->options.making.indexes == INDEXES_REBUILD &&
           session->options.repair.file == NULL && session->options.selection.parts != PARTS_SCHEMA;
}

bool session_disables_triggers(const struct run_session *session)
{
    return session->options.making.triggers == TRIGGERS_DISABLE &&
           !session->options.repair.is_repair && session->options.selection.parts != PARTS_SCHEMA;
}

bool session_rejects_orphans(const struct run_session *session)
{
    return session->options.making.broken_references == BROKEN_REJECT &&
           session->options.repair.file == NULL;
}

/* A file of rejects has records of a partition in any order, and somebody may have changed them. A
 * repair reads back what it wrote. */
static bool statics_are_proven(const struct run_session *session, const struct plan_table *table)
{
    bool loads = session->options.repair.file != NULL && !session->options.repair.is_repair;
    return table->statics_proven && (table->statics.count == 0 || !loads);
}

/* A record that comes again replaces itself, by a key that is there before the first one. */
static void repeat_chunks(struct target_table *table)
{
    table->may_repeat = true;
    table->key_promised = false;
    if (table->existing == EXISTING_REFUSE) {
        table->existing = EXISTING_REPLACE;
    }
}

/* Is the column of a kind of which no database takes two values for one, in the plan and in the
 * table that is there? */
static bool is_exact(const struct target_table *table, const struct schema_table *there,
                     const char *name)
{
    const struct schema_column *planned = NULL;
    int at = schema_find_column(there, name);
    for (uint32_t i = 0; i < table->column_count; i++) {
        planned = strcmp(table->columns[i].name, name) == 0 ? &table->columns[i] : planned;
    }
    if (planned == NULL || at < 0 || planned->type.dynamic ||
        planned->type.kind != there->columns[at].type.kind) {
        return false;
    }
    return planned->type.kind == VALUE_INT64 || planned->type.kind == VALUE_UUID ||
           planned->type.kind == VALUE_DATE;
}

/* The source keeps the key unique, and the target takes no two of its keys for one: a second record
 * of the run under a key can't come. */
static bool keys_differ(const struct run_session *session, const struct plan_table *planned)
{
    const struct target_table *table = &planned->target;
    const struct schema_table *there =
        session->there == NULL ? NULL : session_target_table(session, session->there, table->name);
    bool differ = there != NULL && table->key_promised && planned->incremental &&
                  !table->distinct && session->options.repair.file == NULL &&
                  (session->target->capabilities & CAPABILITY_KEY_ENFORCED) != 0;
    for (uint32_t i = 0; i < table->key.count && differ; i++) {
        differ = is_exact(table, there, table->key.names[i]);
    }
    return differ && table->key.count > 0;
}

const struct schema *session_objects(const struct run_session *session)
{
    return session->options.selection.parts == PARTS_DATA ? NULL
                                                          : session->plan->same_engine_objects;
}

void session_list_tables(struct run_session *session, struct arena *arena,
                         struct target_table **tables)
{
    const struct plan *plan = session->plan;
    *tables = arena_allocate_zeroed(arena, plan->table_count, sizeof(**tables));
    for (uint32_t i = 0; i < plan->table_count; i++) {
        (*tables)[i] = plan->tables[i].target;
        (*tables)[i].settles = session_settles(session, &plan->tables[i]);
        (*tables)[i].settles_claims =
            (*tables)[i].settles && !statics_are_proven(session, &plan->tables[i]);
        (*tables)[i].keys_differ = keys_differ(session, &plan->tables[i]);
        if (home_repeats_chunks(session)) {
            repeat_chunks(&(*tables)[i]);
        }
    }
}

bool session_settles(const struct run_session *session, const struct plan_table *table)
{
    return table->target.key.count > 0 &&
           !(table->keys_proven && statics_are_proven(session, table)) &&
           (session->target->capabilities & CAPABILITY_KEY_ENFORCED) == 0;
}
