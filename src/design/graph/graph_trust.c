/* Which relations rows can be relied on to follow: of those that no database enforces, those of
 * which no row is an orphan. */
#include "design/graph/graph_data.h"

#include "connectors/contract/connector.h"
#include "model/batch.h"

enum { BATCH_ROWS = 4096, BATCH_BYTES = 1 << 20 };

struct trusting {
    const struct graph *graph;
    const struct source_functions *functions;
    struct reader *reader;
};

static struct column_list names_of(const struct graph_entity *entity, struct graph_fields fields,
                                   struct arena *arena)
{
    const char **names = arena_allocate_zeroed(arena, fields.count + 1u, sizeof(*names));
    for (uint32_t i = 0; i < fields.count; i++) {
        names[i] = entity->fields[fields.at[i]].name;
    }
    return (struct column_list){names, fields.count};
}

/* A row with a null among the fields refers to nothing. */
static double count_orphans(const struct batch *batch, uint32_t fields)
{
    double orphans = 0;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        const struct cell *cells = batch_row(batch, row);
        bool refers = true;
        for (uint32_t i = 0; i < fields; i++) {
            refers = refers && cells[i].kind != VALUE_NULL && cells[i].kind != VALUE_MISSING;
        }
        orphans += refers && cells[fields].i64 == 0;
    }
    return orphans;
}

static enum status read_rows(const struct trusting *trusting, const struct read_request *request,
                             double *orphans, struct error *error)
{
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    enum status status =
        trusting->functions->cursor_open(trusting->reader, request, NULL, &cursor, error);
    if (status != STATUS_OK) {
        return status;
    }
    while ((status = trusting->functions->cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch,
                                                      error)) == STATUS_OK) {
        *orphans += count_orphans(batch, request->column_count - 1);
        batch_destroy(batch);
    }
    trusting->functions->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
}

/* A relation whose fields cannot be compared, such as a text with a number, stays unproven. */
static void graph_trust_prove(const struct trusting *trusting, struct graph_relation *relation)
{
    struct arena *arena = trusting->graph->arena;
    const struct graph_entity *from = &trusting->graph->entities[relation->from];
    const struct graph_entity *to = &trusting->graph->entities[relation->to];
    uint32_t count = relation->fields.count;
    struct read_column *columns = arena_allocate_zeroed(arena, count + 1u, sizeof(*columns));
    struct error error = {0};
    const struct read_join join = {.from = -1,
                                   .table = to->name,
                                   .from_columns = names_of(from, relation->fields, arena),
                                   .columns = names_of(to, relation->referenced, arena)};
    const struct read_request request = {.name = from->name,
                                         .table = from->name,
                                         .joins = &join,
                                         .join_count = 1,
                                         .columns = columns,
                                         .column_count = count + 1u};
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = (struct read_column){.join = -1, .name = join.from_columns.names[i]};
    }
    columns[count] = (struct read_column){.presence = true};
    relation->orphans = 0;
    if (read_rows(trusting, &request, &relation->orphans, &error) == STATUS_OK) {
        relation->trust = relation->orphans > 0 ? GRAPH_BROKEN : GRAPH_PROVEN;
    }
}

void graph_distrust(struct graph *graph)
{
    for (uint32_t i = 0; i < graph->relation_count; i++) {
        ((struct graph_relation *)graph->relations)[i].trust = GRAPH_UNPROVEN;
    }
}

enum status graph_prove(struct graph *graph, struct database *source, bool looks_up,
                        struct error *error)
{
    struct trusting trusting = {.graph = graph, .functions = source->connector->source};
    const char *token = NULL;
    if ((source->capabilities & CAPABILITY_JOINS) == 0) {
        return STATUS_OK;
    }
    if (trusting.functions->snapshot(source, 1, graph->arena, &token, error) != STATUS_OK ||
        trusting.functions->reader_open(source, &trusting.reader, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    if (looks_up && (source->capabilities & CAPABILITY_READS_BY_KEY) != 0) {
        status = graph_infer_from_data(graph, source, &trusting.reader, error);
    }
    for (uint32_t i = 0; i < graph->relation_count && status == STATUS_OK; i++) {
        struct graph_relation *relation = (struct graph_relation *)&graph->relations[i];
        if (relation->trust == GRAPH_UNPROVEN &&
            graph->entities[relation->from].rows <= GRAPH_PROVEN_ROWS_MAX) {
            graph_trust_prove(&trusting, relation);
        }
    }
    trusting.functions->reader_close(trusting.reader);
    return status;
}
