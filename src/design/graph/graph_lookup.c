/* Looking up values of one column in the key of another table. */
#include "design/graph/graph_lookup.h"

#include "base/clock.h"
#include "model/batch.h"
#include <math.h>
#include <stdlib.h>

enum {
    BATCH_BYTES = 1 << 20,
    OTHERS_MAX = 2 * FIGURES_SAMPLE_MAX,
    BEYOND = 8,
    BEYOND_FOUND_MAX = 2
};
/* Where the values alone are so improbable, the ends need not be looked at. */
static const double chance_settled = 1e-6;
#define DISTANCE_MAX 4e18

struct numbers {
    struct cell cells[OTHERS_MAX];
    uint32_t count;
};

void graph_lookup_begin(struct graph_lookup *lookup, struct database *source,
                        struct reader **reader)
{
    *lookup = (struct graph_lookup){
        .source = source, .reader = reader, .end_ms = clock_monotonic_ms() + GRAPH_LOOKUPS_MS_MAX};
}

/* ---------------------------------------------------------------- one request */

static enum status count_rows(struct graph_lookup *lookup, const struct read_request *request,
                              uint32_t *rows, struct error *error)
{
    const struct source_functions *functions = lookup->source->connector->source;
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    enum status status = functions->cursor_open(*lookup->reader, request, NULL, &cursor, error);
    if (status != STATUS_OK) {
        return status;
    }
    while ((status = functions->cursor_next(cursor, READ_KEYS_MAX, BATCH_BYTES, &batch, error)) ==
           STATUS_OK) {
        *rows += batch->row_count;
        batch_destroy(batch);
    }
    functions->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
}

/* A failed statement may have ended the reader's transaction: STATUS_END after it. */
static enum status open_again(struct graph_lookup *lookup, struct error *error)
{
    const struct source_functions *functions = lookup->source->connector->source;
    functions->reader_close(*lookup->reader);
    *lookup->reader = NULL;
    return functions->reader_open(lookup->source, lookup->reader, error) == STATUS_OK
               ? STATUS_END
               : STATUS_FAILED;
}

/* How many of these values the key has. */
static enum status graph_lookup_find(struct graph_lookup *lookup, const struct graph_column *key,
                                     const struct cell *cells, uint32_t count, uint32_t *found,
                                     struct error *error)
{
    const char *name = key->entity->fields[key->field].name;
    const struct read_column column = {.join = -1, .name = name};
    const struct read_request request = {.name = key->entity->name,
                                         .table = key->entity->name,
                                         .columns = &column,
                                         .column_count = 1,
                                         .root_key = {&name, 1},
                                         .keys = cells,
                                         .key_count = count};
    struct error own = {0};
    *found = 0;
    if (count == 0) {
        return STATUS_OK;
    }
    lookup->requests++;
    return count_rows(lookup, &request, found, &own) == STATUS_OK ? STATUS_OK
                                                                  : open_again(lookup, error);
}

/* ---------------------------------------------------------------- numbers */

/* A number that the key's column could not hold is not in it, and may not even be asked for. */
static void add_number(struct numbers *numbers, const struct graph_column *key, int64_t value)
{
    const struct value_type *type = &key->entity->fields[key->field].column->type;
    bool fits = type->kind != VALUE_UINT64 || value >= 0;
    if (type->kind == VALUE_INT64 && type->bits > 1 && type->bits < 64) {
        int64_t limit = INT64_C(1) << (type->bits - 1);
        fits = value >= -limit && value < limit;
    }
    if (fits && numbers->count < OTHERS_MAX) {
        numbers->cells[numbers->count++] = (struct cell){.kind = VALUE_INT64, .i64 = value};
    }
}

static int by_number(const void *left, const void *right)
{
    int64_t one = ((const struct cell *)left)->i64;
    int64_t other = ((const struct cell *)right)->i64;
    return (one > other) - (one < other);
}

/* Numbers one step from a value of the sample, between its ends, that the sample has not. */
static void list_others(const struct figures_sample *sample, const struct graph_column *key,
                        struct numbers *others)
{
    struct numbers own = {0};
    for (uint32_t i = 0; i < sample->count; i++) {
        own.cells[own.count++] = sample->cells[i];
    }
    qsort(own.cells, own.count, sizeof(*own.cells), by_number);
    for (uint32_t i = 0; i + 1 < own.count; i++) {
        uint64_t low = (uint64_t)own.cells[i].i64;
        uint64_t high = (uint64_t)own.cells[i + 1].i64;
        if (high - low > sample->step) {
            add_number(others, key, (int64_t)(low + sample->step));
        }
        if (high - low > 2 * sample->step) {
            add_number(others, key, (int64_t)(high - sample->step));
        }
    }
}

/* Numbers that begin `gap` steps beyond an end; such as cannot be are left out. */
static void list_beyond(const struct figures_sample *sample, bool above, double gap,
                        const struct graph_column *key, struct numbers *beyond)
{
    int64_t end = above ? sample->greatest : sample->least;
    for (uint32_t i = 0; i < BEYOND; i++) {
        double distance = (gap + i) * (double)sample->step;
        int64_t value;
        if (distance < DISTANCE_MAX &&
            !__builtin_add_overflow(end, (int64_t)(above ? distance : -distance), &value)) {
            add_number(beyond, key, value);
        }
    }
}

static enum status look_beyond(struct graph_lookup *lookup, const struct graph_column *key,
                               const struct figures_sample *sample, struct graph_evidence *evidence,
                               struct error *error)
{
    double width = (double)sample->greatest - (double)sample->least;
    double mean = width / (double)sample->step / (sample->distinct + 1.0);
    evidence->ends_match = true;
    for (int side = 0; side < 2 && evidence->ends_match; side++) {
        struct numbers beyond = {0};
        uint32_t found = 0;
        list_beyond(sample, side > 0, floor(GRAPH_LOOKUP_ENDS * mean) + 1, key, &beyond);
        enum status status =
            graph_lookup_find(lookup, key, beyond.cells, beyond.count, &found, error);
        evidence->ends_match = found <= BEYOND_FOUND_MAX;
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static enum status look_beside(struct graph_lookup *lookup, const struct graph_column *key,
                               const struct figures_sample *sample, struct graph_evidence *evidence,
                               struct error *error)
{
    struct numbers others = {0};
    list_others(sample, key, &others);
    evidence->others = others.count;
    enum status status =
        graph_lookup_find(lookup, key, others.cells, others.count, &evidence->others_found, error);
    if (status == STATUS_OK && graph_evidence_chance(evidence) > chance_settled) {
        status = look_beyond(lookup, key, sample, evidence, error);
    }
    return status;
}

/* ---------------------------------------------------------------- a candidate */

static enum status find_sample(struct graph_lookup *lookup, const struct graph_column *key,
                               const struct figures_sample *sample, uint32_t *found,
                               struct error *error)
{
    struct numbers numbers = {0};
    if (sample->cells[0].kind != VALUE_INT64) {
        return graph_lookup_find(lookup, key, sample->cells, sample->count, found, error);
    }
    for (uint32_t i = 0; i < sample->count; i++) {
        add_number(&numbers, key, sample->cells[i].i64);
    }
    return graph_lookup_find(lookup, key, numbers.cells, numbers.count, found, error);
}

enum status graph_lookup_values(struct graph_lookup *lookup, const struct graph_column *key,
                                const struct figures_sample *sample,
                                struct graph_evidence *evidence, struct error *error)
{
    if (lookup->requests >= GRAPH_LOOKUPS_MAX || clock_monotonic_ms() >= lookup->end_ms) {
        lookup->skipped++;
        return STATUS_END;
    }
    enum status status = find_sample(lookup, key, sample, &evidence->found, error);
    bool promising = 2 * evidence->found > evidence->values;
    if (status == STATUS_OK && promising && evidence->kind == VALUE_INT64) {
        status = look_beside(lookup, key, sample, evidence, error);
    }
    return status;
}
