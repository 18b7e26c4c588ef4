/* The scorecard. */
#include "design/workload/score.h"

#include "design/workload/bucket.h"

struct sums {
    double query_weight;
    double answered_weight;
    double covered;
    double requests;
    double read;
    double returned;
    double write_weight;
    double written;
    double reads;
    double judged;
};

/* ---------------------------------------------------------------- queries */

static bool is_covered(const struct access_plan *plan)
{
    return !plan->scans && !plan->filters && !plan->sorts && plan->step_count == 1;
}

/* The plan is found for this choice alone: the search's lists of plans have an end. */
static void add_query(const struct search *search, uint32_t number, const bool *chosen,
                      struct sums *sums)
{
    const struct search_query *query = &search->queries[number];
    double statement = search->workload->statements[query->statement].weight;
    const struct access_plan *priced = search_plan(search, number, chosen);
    struct access_plan plan;
    if (!access_explain(search->pool, &query->query, chosen, &plan)) {
        return;
    }
    sums->covered += is_covered(&plan) ? statement : 0;
    sums->answered_weight += statement;
    for (uint32_t i = 0; i < plan.step_count; i++) {
        sums->requests += query->weight * plan.steps[i].requests;
        sums->read += query->weight * plan.steps[i].rows;
    }
    sums->returned += query->weight * plan.rows * plan.step_count;
    sums->judged += priced != NULL ? query->weight * priced->judged : 0;
}

static void add_queries(const struct search *search, const bool *chosen, struct score *score,
                        struct sums *sums)
{
    for (uint32_t i = 0; i < search->query_count; i++) {
        const struct search_query *query = &search->queries[i];
        if (query->statement != GRAPH_NONE) {
            sums->query_weight += search->workload->statements[query->statement].weight;
            add_query(search, i, chosen, sums);
            score->queries++;
        }
    }
    for (uint32_t i = 0; i < search->workload->count; i++) {
        const struct workload_statement *statement = &search->workload->statements[i];
        if (statement->unserved != NULL) {
            score->unserved++;
            sums->query_weight += statement->weight;
        }
    }
}

/* ---------------------------------------------------------------- writes */

static void add_write(const struct search *search, const struct workload_statement *statement,
                      const bool *chosen, struct sums *sums)
{
    sums->write_weight += statement->weight;
    for (uint32_t i = 0; i < search->pool->count; i++) {
        struct upkeep upkeep;
        if (!chosen[i]) {
            continue;
        }
        upkeep_find(search->pool->places, search->pool->model, statement,
                    &search->pool->families[i], &upkeep);
        sums->written += statement->weight * (upkeep.written + upkeep.removed);
        for (uint32_t j = 0; j < upkeep.read_count; j++) {
            sums->reads += statement->weight * upkeep.reads[j].times;
        }
    }
}

/* ---------------------------------------------------------------- families */

static void add_family(const struct pool *pool, const struct family *family, struct score *score)
{
    double skew = family->partition_rows_max / family->partition_rows;
    double rows = family->bucket_rows_max;
    score->unbounded += bucket_is_beyond(pool->model, family);
    score->partition_rows_max = rows > score->partition_rows_max ? rows : score->partition_rows_max;
    score->skew = skew > score->skew ? skew : score->skew;
    score->duplication += family->bytes;
}

static double ratio(double part, double whole, double otherwise)
{
    return whole > 0 ? part / whole : otherwise;
}

void score_find(const struct search *search, const bool *chosen, struct score *score)
{
    const struct pool *pool = search->pool;
    struct sums sums = {0};
    double bytes = 0;
    *score = (struct score){0};
    add_queries(search, chosen, score, &sums);
    for (uint32_t i = 0; i < search->workload->count; i++) {
        const struct workload_statement *statement = &search->workload->statements[i];
        if (statement->kind != WORKLOAD_SELECT && statement->unserved == NULL) {
            add_write(search, statement, chosen, &sums);
            score->writes++;
        }
    }
    for (uint32_t i = 0; i < pool->count; i++) {
        if (chosen[i]) {
            add_family(pool, &pool->families[i], score);
        }
    }
    for (uint32_t i = 0; i < pool->places->graph->entity_count; i++) {
        const struct graph_entity *entity = &pool->places->graph->entities[i];
        bytes += entity->rows * entity->row_bytes;
    }
    score->coverage = ratio(sums.covered, sums.query_weight, 1);
    score->requests = ratio(sums.requests, sums.answered_weight, 0);
    score->efficiency = ratio(sums.returned, sums.read, 1);
    score->efficiency = score->efficiency > 1 ? 1 : score->efficiency;
    score->duplication = ratio(score->duplication, bytes, 0);
    score->amplification = ratio(sums.written, sums.write_weight, 0);
    score->reads_a_write = ratio(sums.reads, sums.write_weight, 0);
    sums.judged = pool->model->unit == COST_CAPACITY ? sums.judged : 0;
    score->cost =
        (search_cost(search, chosen) - sums.judged) /
        (sums.query_weight + sums.write_weight > 0 ? sums.query_weight + sums.write_weight : 1);
}
