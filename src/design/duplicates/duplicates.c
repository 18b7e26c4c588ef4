/* Which columns are duplicates, and the strategy for each. */
#include "design/duplicates/duplicates_parts.h"

#include <stdio.h>

struct finding {
    const struct layout *layout;
    struct arena *arena;
    struct places *places;
    const struct workload *workload;
    uint32_t *views; /* by entity: views of its own table so far */
};

static const char *duplicates_say(const struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const char *duplicates_say(const struct finding *finding, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return arena_copy_string(finding->arena, text);
}

/* ---------------------------------------------------------------- tables */

/* The table that is the entity itself: whole, and keyed by as little as possible. */
const struct layout_table *duplicates_home(const struct layout *layout, uint32_t entity)
{
    const struct layout_table *home = NULL;
    for (uint32_t i = 0; i < layout->count; i++) {
        const struct layout_table *table = &layout->tables[i];
        const struct family *family = layout_family(layout, table);
        if (family->root == entity && family->whole &&
            (home == NULL || family->key.count < layout_family(layout, home)->key.count)) {
            home = table;
        }
    }
    return home;
}

static bool is_changed(const struct finding *finding, uint32_t entity, uint32_t field)
{
    for (uint32_t i = 0; i < finding->workload->count; i++) {
        const struct workload_statement *statement = &finding->workload->statements[i];
        if (statement->kind != WORKLOAD_UPDATE || statement->aliases[0].entity != entity) {
            continue;
        }
        for (uint32_t j = 0; j < statement->field_count; j++) {
            if (statement->fields[j].field == field) {
                return true;
            }
        }
    }
    return false;
}

static bool key_changes(const struct finding *finding, const struct family *family)
{
    for (uint32_t i = 0; i < family->key.count; i++) {
        struct place at = finding->places->list[family->key.at[i]];
        if (is_changed(finding, finding->places->paths[at.path].entity, at.field)) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- fields of the root itself */

/* The bytes of a batch that writes a row into all tables of its entity. */
static double logged_bytes(const struct finding *finding, uint32_t root)
{
    double bytes = 0;
    for (uint32_t i = 0; i < finding->layout->count; i++) {
        const struct family *family = layout_family(finding->layout, &finding->layout->tables[i]);
        bytes += family->root == root ? family->row_bytes : 0;
    }
    return bytes;
}

/* That the same batch touches: one in each table, and where a key changes, the one left, too. */
static uint32_t logged_partitions(const struct finding *finding, uint32_t root)
{
    uint32_t partitions = 0;
    for (uint32_t i = 0; i < finding->layout->count; i++) {
        const struct family *family = layout_family(finding->layout, &finding->layout->tables[i]);
        partitions += family->root != root ? 0 : key_changes(finding, family) ? 2 : 1;
    }
    return partitions;
}

/* One strategy for the whole table: a view is made of all of it. */
static enum duplicate_strategy strategy_of_table(struct finding *finding,
                                                 const struct layout_table *table,
                                                 const struct layout_table *home, const char **why)
{
    const struct family *family = layout_family(finding->layout, table);
    struct buffer view = {0};
    bool viewable = home != NULL && duplicates_append_view(finding->layout, home, table, &view);
    buffer_free(&view);
    bool moves = key_changes(finding, family);
    if (viewable && moves && finding->views[family->root] < DUPLICATES_VIEWS_MAX) {
        finding->views[family->root]++;
        *why = duplicates_say(
            finding, "its key changes, and a view reads the old row by itself; without a view "
                     "each such write reads first");
        return DUPLICATE_VIEW;
    }
    double bytes = logged_bytes(finding, family->root);
    if (bytes > DUPLICATES_BATCH_BYTES_MAX) {
        *why = duplicates_say(finding,
                              "a batch for all tables of the row would have %.0f KiB, above the "
                              "server's warning at 5",
                              bytes / 1024);
        return DUPLICATE_STREAM;
    }
    uint32_t partitions = logged_partitions(finding, family->root);
    if (partitions > DUPLICATES_BATCH_PARTITIONS_MAX) {
        *why = duplicates_say(
            finding, "a batch for all tables of the row would touch %u partitions, above %d",
            partitions, DUPLICATES_BATCH_PARTITIONS_MAX);
        return DUPLICATE_STREAM;
    }
    *why = moves
               ? duplicates_say(finding,
                                "its key changes: read the old row, then delete and insert in one "
                                "batch%s",
                                viewable ? "" : " (CQL allows no view here)")
               : duplicates_say(finding,
                                "a write knows the keys of all tables of its row: about %.0f bytes "
                                "in one batch",
                                bytes);
    return DUPLICATE_BATCH;
}

/* ---------------------------------------------------------------- fields of others */

static enum duplicate_strategy strategy_of_copy(const struct finding *finding,
                                                const struct family *family, uint32_t place,
                                                double *copies, const char **why)
{
    const struct places *places = finding->places;
    struct place at = places->list[place];
    uint32_t entity = places->paths[at.path].entity;
    const char *name = places->graph->entities[entity].name;
    double rows = family->rows / places->graph->entities[entity].rows;
    bool is_static = place_set_holds(family->statics, place);
    *copies = rows < 1 || is_static ? 1 : rows;
    if (!is_changed(finding, entity, at.field)) {
        *why = duplicates_say(finding,
                              "no statement changes it: it is read from %s once, when the row is "
                              "inserted",
                              name);
        return DUPLICATE_APPLICATION;
    }
    double bytes = *copies * (places_field(places, place)->bytes + 64);
    if (*copies <= DUPLICATES_BATCH_PARTITIONS_MAX && bytes <= DUPLICATES_BATCH_BYTES_MAX) {
        *why = duplicates_say(finding,
                              "a change of %s writes about %.0f rows, %.0f bytes: one batch, after "
                              "reading their keys",
                              name, *copies, bytes);
        return DUPLICATE_BATCH;
    }
    *why = duplicates_say(finding, "a change of %s writes about %.0f rows: too many for a batch",
                          name, *copies);
    return DUPLICATE_STREAM;
}

/* ---------------------------------------------------------------- all */

static uint32_t find_in(struct finding *finding, const struct layout_table *table,
                        struct duplicate *list)
{
    const struct layout *layout = finding->layout;
    const struct family *family = layout_family(layout, table);
    const struct layout_table *home = duplicates_home(layout, family->root);
    enum duplicate_strategy strategy = DUPLICATE_BATCH;
    const char *why = NULL;
    uint32_t count = 0;
    if (table != home) {
        strategy = strategy_of_table(finding, table, home, &why);
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct layout_column *column = &table->columns[i];
        if (column->place == GRAPH_NONE) {
            continue;
        }
        uint32_t path = finding->places->list[column->place].path;
        struct duplicate duplicate = {.table = table, .column = column, .copies = 1};
        if (path != family->root) {
            duplicate.origin = duplicates_home(layout, finding->places->paths[path].entity);
            duplicate.strategy =
                strategy_of_copy(finding, family, column->place, &duplicate.copies, &duplicate.why);
        } else if (table != home) {
            duplicate.origin = home;
            duplicate.strategy = strategy;
            duplicate.why = why;
        } else {
            continue;
        }
        list[count++] = duplicate;
    }
    return count;
}

void duplicates_find(const struct layout *layout, struct arena *arena,
                     struct duplicates *duplicates)
{
    struct places *places = layout->search->pool->places;
    struct finding finding = {
        .layout = layout,
        .arena = arena,
        .places = places,
        .workload = layout->search->workload,
        .views = arena_allocate_zeroed(arena, places->graph->entity_count + 1u, sizeof(uint32_t))};
    uint32_t columns = 0;
    for (uint32_t i = 0; i < layout->count; i++) {
        columns += layout->tables[i].column_count;
    }
    struct duplicate *list = arena_allocate_zeroed(arena, columns + 1u, sizeof(*list));
    *duplicates = (struct duplicates){.arena = arena, .layout = layout, .list = list};
    for (uint32_t i = 0; i < layout->count; i++) {
        duplicates->count += find_in(&finding, &layout->tables[i], list + duplicates->count);
    }
}

const char *duplicate_strategy_name(enum duplicate_strategy strategy)
{
    static const char *const names[] = {"logged batch", "materialised view", "application",
                                        "change stream"};
    return names[strategy];
}
