/* The fate of each object of the source's catalogue in a copy without a plan: a line for each
 * catalogue. */
#include "engine/check/check_inventory.h"
#include "engine/check/preflight.h"
#include <inttypes.h>
#include <string.h>

struct sums {
    uint64_t total;
    uint64_t left_out;
    struct buffer kinds; /* "3 views, 12 tables" */
};

/* Objects that go along with the tables, by enum schema_inventory_role. */
struct taken {
    uint64_t objects[INVENTORY_ROLES];
};

/* ---------------------------------------------------------------- into another engine */

/* Columns keep their names in a plain copy. */
static bool is_taken(const struct target_table *table, const struct schema_index *index)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < table->index_count; i++) {
        found = table->indexes[i].unique == index->unique &&
                column_list_is_equal(table->indexes[i].columns, index->columns);
    }
    return found && !index->partial && index->method == NULL;
}

static void add_table(struct taken *taken, const struct schema_table *from,
                      const struct target_table *table, bool keyed, bool sql)
{
    enum { TRIGGERS_EACH = 4 };
    bool key = keyed && from->primary_key.count > 0 && table->key.count > 0;
    taken->objects[INVENTORY_PRIMARY_KEY] += key;
    taken->objects[INVENTORY_INDEX] += key;
    for (uint32_t i = 0; sql && i < from->index_count; i++) {
        const struct schema_index *index = &from->indexes[i];
        bool taken_too = !schema_is_primary_index(from, index) && is_taken(table, index);
        taken->objects[INVENTORY_INDEX] += taken_too;
        taken->objects[INVENTORY_UNIQUE_INDEX] += taken_too && index->unique;
        taken->objects[INVENTORY_UNIQUE_CONSTRAINT] += taken_too && index->unique && index->implied;
    }
    uint32_t references = sql ? table->reference_count : 0;
    taken->objects[INVENTORY_FOREIGN_KEY] += references;
    taken->objects[INVENTORY_FOREIGN_KEY_TRIGGER] += (uint64_t)references * TRIGGERS_EACH;
}

static struct taken count_taken(const struct run_session *session)
{
    const struct plan *plan = session->plan;
    uint32_t capabilities = session->target->capabilities;
    const uint32_t makes_keys = CAPABILITY_SQL_SCHEMA | CAPABILITY_KEY_ENFORCED;
    bool sql = (capabilities & makes_keys) == makes_keys;
    bool keyed = sql || (capabilities & CAPABILITY_KEY_REQUIRED) != 0;
    struct taken taken = {{0}};
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *table = &plan->tables[i];
        const struct plan_entity *entity =
            table->entity_count == 1 ? &plan->entities[table->entities[0]] : NULL;
        const char *name = entity != NULL ? plan->streams[entity->stream].request.table : NULL;
        const struct schema_table *from =
            name != NULL ? schema_find_table(plan->source_schema, name) : NULL;
        if (from != NULL) {
            add_table(&taken, from, &table->target, keyed, sql);
        }
    }
    return taken;
}

static uint64_t left_by_tables(const struct schema_inventory *row, const struct taken *taken)
{
    uint64_t along = taken->objects[row->role];
    if (row->role == INVENTORY_ALWAYS) {
        return row->left_out;
    }
    return along < row->total ? row->total - along : 0;
}

static bool is_object(const struct schema *schema, const struct schema_code *code)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < schema->object_count; i++) {
        const struct schema_object *object = &schema->objects[i];
        found = strcmp(schema_object_word(object), code->what) == 0 &&
                strcmp(object->name, code->name) == 0;
    }
    return found;
}

/* Objects that --no-code leaves out besides: the code that could be made, and what calls code. */
static uint64_t left_code(const struct schema_inventory *row, const struct schema *schema)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < schema->object_count; i++) {
        const struct schema_object *object = &schema->objects[i];
        left += object->native_sql != NULL && schema_object_is_code(object) &&
                strcmp(schema_object_word(object), row->what) == 0;
    }
    for (uint32_t i = 0; i < schema->code_count; i++) {
        left +=
            strcmp(schema->code[i].what, row->what) == 0 && !is_object(schema, &schema->code[i]);
    }
    return left;
}

/* With what the target can't have: foreign keys to what is not there, and such objects. */
static uint64_t left_whole(const struct schema_inventory *row, const struct plan *plan,
                           const struct preflight *preflight)
{
    const struct schema *objects = plan->same_engine_objects;
    uint64_t left = row->left_out;
    left += row->role == INVENTORY_FOREIGN_KEY ? preflight->unfit_count : 0;
    for (uint32_t i = 0; preflight->unfit_objects != NULL && i < objects->object_count; i++) {
        left += preflight->unfit_objects[i] &&
                strcmp(schema_object_word(&objects->objects[i]), row->what) == 0;
    }
    left += objects->no_code ? left_code(row, plan->source_schema) : 0;
    return left < row->total ? left : row->total;
}

/* ---------------------------------------------------------------- in words */

static void add_row(struct sums *sums, const struct schema_inventory *row, uint64_t left)
{
    sums->total += row->total;
    sums->left_out += left;
    buffer_format(&sums->kinds, "%s%s %" PRIu64, sums->kinds.length > 0 ? ", " : "", row->what,
                  row->total);
    if (left > 0) {
        buffer_format(&sums->kinds, " (%" PRIu64 " left out)", left);
    }
}

void check_append_inventory(const struct run_session *session, const struct preflight *preflight,
                            struct buffer *out)
{
    const struct plan *plan = session->plan;
    const struct schema *schema = plan->source_schema;
    bool whole = plan->same_engine_objects != NULL;
    bool filtered = session->options.selection.include_count > 0 ||
                    session->options.selection.exclude_count > 0;

    if (plan->document != NULL || filtered || schema == NULL) {
        return; /* what a plan does not name is not forgotten */
    }
    const struct taken taken = count_taken(session);
    for (uint32_t i = 0; i < schema->inventory_count;) {
        const char *catalog = schema->inventory[i].catalog;
        struct sums sums = {0};
        for (; i < schema->inventory_count && strcmp(schema->inventory[i].catalog, catalog) == 0;
             i++) {
            const struct schema_inventory *row = &schema->inventory[i];
            add_row(&sums, row,
                    whole ? left_whole(row, plan, preflight) : left_by_tables(row, &taken));
        }
        buffer_format(out, "%s: %" PRIu64 " objects, %" PRIu64 " %s, %" PRIu64 " left out: %s\n",
                      catalog, sums.total, sums.total - sums.left_out,
                      whole ? "copied" : "converted with their tables", sums.left_out,
                      buffer_string(&sums.kinds));
        buffer_free(&sums.kinds);
    }
}
