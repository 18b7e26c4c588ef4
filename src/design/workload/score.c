/* The scorecard. */
#include "design/workload/score.h"

#include "design/workload/bucket.h"

/* How a query is answered by the choice alone: the search's lists of plans have an end. */
struct answer {
    struct access_plan plan;
    double requests;
    double read;
    bool is_found;
    bool any;
};

struct sums {
    const struct search *search;
    const bool *chosen;
    struct answer *answers; /* by query */
    double query_weight;
    double answered_weight;
    double covered;
    double requests;
    double read;
    double returned;
    double write_weight;
    double written;
    double reads;
    double cost;
};

/* ---------------------------------------------------------------- queries */

static const struct answer *answer_of(struct sums *sums, uint32_t query)
{
    struct answer *answer = &sums->answers[query];
    if (answer->is_found) {
        return answer;
    }
    answer->is_found = true;
    answer->any = access_explain(sums->search->pool, &sums->search->queries[query].query,
                                 sums->chosen, &answer->plan);
    for (uint32_t i = 0; answer->any && i < answer->plan.step_count; i++) {
        answer->requests += answer->plan.steps[i].requests;
        answer->read += answer->plan.steps[i].rows;
    }
    return answer;
}

/* One request by key, and nothing for the client to do. */
static bool is_covered(const struct answer *answer)
{
    const struct access_plan *plan = &answer->plan;
    return !plan->scans && !plan->filters && !plan->sorts && plan->step_count == 1 &&
           answer->requests <= 1;
}

/* In the model's unit: money alone, where that is what it counts. */
static double cost_of(const struct sums *sums, const struct answer *answer)
{
    double judged = sums->search->pool->model->unit == COST_CAPACITY ? answer->plan.judged : 0;
    return answer->any ? answer->plan.cost - judged : 0;
}

/* The parts of a statement stand together, from `first` on; returns how many there are. */
static uint32_t add_statement(struct sums *sums, uint32_t first)
{
    const struct search *search = sums->search;
    uint32_t statement = search->queries[first].statement;
    double weight = search->workload->statements[statement].weight;
    uint32_t count = 0;
    bool answered = true;
    while (first + count < search->query_count &&
           search->queries[first + count].statement == statement) {
        answered = answer_of(sums, first + count)->any && answered;
        count++;
    }
    sums->query_weight += weight;
    sums->answered_weight += answered ? weight : 0;
    for (uint32_t i = first; i < first + count && answered; i++) {
        const struct answer *answer = answer_of(sums, i);
        double times = search->queries[i].weight;
        sums->requests += times * answer->requests;
        sums->read += times * answer->read;
        sums->returned += times * answer->plan.rows * answer->plan.step_count;
        sums->cost += times * cost_of(sums, answer);
    }
    sums->covered += answered && count == 1 && is_covered(answer_of(sums, first)) ? weight : 0;
    return count;
}

static void add_queries(struct sums *sums, struct score *score)
{
    const struct search *search = sums->search;
    for (uint32_t i = 0; i < search->query_count;) {
        bool is_read = search->queries[i].statement == GRAPH_NONE; /* of writes */
        i += is_read ? 1 : add_statement(sums, i);
        score->queries += !is_read;
    }
    for (uint32_t i = 0; i < search->workload->count; i++) {
        const struct workload_statement *statement = &search->workload->statements[i];
        score->unserved += statement->unserved != NULL;
        sums->query_weight += statement->unserved != NULL && statement->kind == WORKLOAD_SELECT
                                  ? statement->weight
                                  : 0;
    }
}

/* ---------------------------------------------------------------- writes */

static void add_write(struct sums *sums, const struct workload_statement *statement)
{
    const struct search *search = sums->search;
    sums->write_weight += statement->weight;
    for (uint32_t i = 0; i < search->pool->count; i++) {
        struct upkeep upkeep;
        if (!sums->chosen[i]) {
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

/* The cost of writing and storing a family, and of the reads that writes need. */
static void add_upkeep(struct sums *sums, const struct search_family *family)
{
    sums->cost += family->cost;
    for (uint32_t i = 0; i < family->read_count; i++) {
        sums->cost +=
            family->reads[i].weight * cost_of(sums, answer_of(sums, family->reads[i].query));
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

static void add_all(struct sums *sums, struct score *score)
{
    const struct search *search = sums->search;
    add_queries(sums, score);
    for (uint32_t i = 0; i < search->workload->count; i++) {
        const struct workload_statement *statement = &search->workload->statements[i];
        if (statement->kind != WORKLOAD_SELECT && statement->unserved == NULL) {
            add_write(sums, statement);
            score->writes++;
        }
    }
    for (uint32_t i = 0; i < search->pool->count; i++) {
        if (sums->chosen[i]) {
            add_family(search->pool, &search->pool->families[i], score);
            add_upkeep(sums, &search->families[i]);
        }
    }
}

static double source_bytes(const struct graph *graph)
{
    double bytes = 0;
    for (uint32_t i = 0; i < graph->entity_count; i++) {
        bytes += graph->entities[i].rows * graph->entities[i].row_bytes;
    }
    return bytes;
}

void score_find(const struct search *search, const bool *chosen, struct score *score)
{
    struct arena *scratch = arena_create(0);
    struct sums sums = {.search = search, .chosen = chosen};
    sums.answers = arena_allocate_zeroed(scratch, search->query_count + 1u, sizeof(*sums.answers));
    *score = (struct score){0};
    add_all(&sums, score);
    score->coverage = ratio(sums.covered, sums.query_weight, 1);
    score->requests = ratio(sums.requests, sums.answered_weight, 0);
    score->efficiency = ratio(sums.returned, sums.read, 1);
    score->efficiency = score->efficiency > 1 ? 1 : score->efficiency;
    score->duplication = ratio(score->duplication, source_bytes(search->pool->places->graph), 0);
    score->amplification = ratio(sums.written, sums.write_weight, 0);
    score->reads_a_write = ratio(sums.reads, sums.write_weight, 0);
    double weight = sums.answered_weight + sums.write_weight;
    score->cost = sums.cost / (weight > 0 ? weight : 1);
    arena_destroy(scratch);
}
