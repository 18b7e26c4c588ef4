/* Which bucket a row is in, and how many rows are in one. */
#include "design/workload/bucket.h"

#include "plan/words/expression_names.h"
#include <math.h>

enum { BUCKETS_MAX = 1000000, DAY_SECONDS = 86400, HOUR_SECONDS = 3600 };

/* ---------------------------------------------------------------- how many rows fit */

/* Rows that a partition may have; 0: any number. */
static double rows_allowed(const struct cost_model *model, const struct family *family)
{
    double columns = (double)family->fields.count - family->key.count - family->statics.count;
    double by_cells = model->cells_max > 0 ? model->cells_max / (columns < 1 ? 1 : columns) : 0;
    double by_bytes =
        model->bytes_max > 0 && family->row_bytes > 0 ? model->bytes_max / family->row_bytes : 0;
    return by_cells == 0 || (by_bytes > 0 && by_bytes < by_cells) ? by_bytes : by_cells;
}

bool bucket_is_beyond(const struct cost_model *model, const struct family *family)
{
    double allowed = rows_allowed(model, family);
    return !family->first_rows && allowed > 0 && family->bucket_rows_max > allowed;
}

double bucket_mean_count(const struct family *family)
{
    bool few = family->partition_rows < family->buckets;
    return few ? ceil(family->partition_rows) : family->buckets;
}

/* The rows of the fullest bucket if rows fall into buckets at random, each with the chance `share`:
 * the mean and what chance adds to it. */
static double fullest(double rows, double share, double buckets)
{
    double mean = rows * share;
    double most = ceil(mean + sqrt(2 * mean * log(buckets < 1 ? 1 : buckets)));
    return most > rows ? rows : most;
}

/* ---------------------------------------------------------------- spans of time */

struct time_width {
    enum figures_span span;
    uint32_t digits; /* of "2024-02-29T12" */
    double seconds;  /* the longest such span */
};

static const struct time_width widths[] = {
    {FIGURES_YEAR, 4, 366.0 * DAY_SECONDS},
    {FIGURES_MONTH, 7, 31.0 * DAY_SECONDS},
    {FIGURES_DAY, 10, DAY_SECONDS},
    {FIGURES_HOUR, 13, HOUR_SECONDS},
};
enum { WIDTHS = sizeof(widths) / sizeof(*widths) };

/* The figures of the leading times; a year, evenly, where there are no figures. */
static struct figures_column find_times(const struct places *places, const struct family *family)
{
    struct place at = places->list[family->clustering[0].place];
    const struct figures_table *figures = places->graph->entities[family->root].figures;
    if (figures == NULL || figures->columns == NULL) {
        return (struct figures_column){.is_timed = true, .last_second = 365.0 * DAY_SECONDS - 1};
    }
    return figures->columns[at.field];
}

/* The share of the rows that the fullest span has: as it was read, or at least what it would have
 * if rows came evenly. */
static double find_share(const struct figures_column *times, const struct time_width *width)
{
    double seconds = times->last_second - times->first_second + 1;
    double even = width->seconds < seconds ? width->seconds / seconds : 1;
    double read = times->fullest[width->span];
    return read > even ? read : even;
}

static bool is_date(const struct places *places, const struct family *family)
{
    const struct graph_field *field = places_field(places, family->clustering[0].place);
    return field->type.kind == VALUE_DATE || (field->type.dates && !field->type.moments);
}

/* The widest span that keeps the bounds; false: none does, or no time of the root leads. */
static bool cut_by_time(const struct places *places, const struct cost_model *model,
                        struct family *family)
{
    double allowed = rows_allowed(model, family);
    if (model->indexes || family->clustering_count == 0 ||
        places->list[family->clustering[0].place].path != family->root ||
        !graph_field_is_time(places_field(places, family->clustering[0].place))) {
        return false;
    }
    const struct figures_column times = find_times(places, family);
    uint32_t count = is_date(places, family) ? WIDTHS - 1 : WIDTHS;
    for (uint32_t i = 0; i < count && times.is_timed; i++) {
        /* From the first time to the last, both counted. */
        double spans = figures_span_of(times.last_second, widths[i].span) -
                       figures_span_of(times.first_second, widths[i].span) + 1;
        double rows = fullest(family->partition_rows_max, find_share(&times, &widths[i]), spans);
        if (rows <= allowed && spans <= BUCKETS_MAX) {
            family->bucket = FAMILY_BUCKET_TIME;
            family->bucket_digits = widths[i].digits;
            family->buckets = (uint32_t)spans;
            family->bucket_rows_max = rows;
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- hashes */

static void cut_by_hash(const struct cost_model *model, struct family *family)
{
    double rows = family->partition_rows_max;
    double allowed = rows_allowed(model, family);
    double buckets = ceil(rows / (allowed < 1 ? 1 : allowed));
    while (buckets < BUCKETS_MAX && buckets < rows &&
           fullest(rows, 1 / buckets, buckets) > allowed) {
        buckets = ceil(buckets * 1.02);
    }
    buckets = buckets > BUCKETS_MAX ? BUCKETS_MAX : buckets;
    family->bucket = FAMILY_BUCKET_HASH;
    family->buckets = buckets < 2 ? 2 : (uint32_t)buckets;
    family->bucket_rows_max = fullest(rows, 1.0 / family->buckets, family->buckets);
}

void bucket_choose(const struct places *places, const struct cost_model *model,
                   struct family *family)
{
    family->bucket = FAMILY_PLAIN;
    family->buckets = 1;
    family->bucket_digits = 0;
    family->bucket_rows_max = family->partition_rows_max;
    if (bucket_is_beyond(model, family) && !cut_by_time(places, model, family)) {
        cut_by_hash(model, family);
    }
}

/* ---------------------------------------------------------------- expressions */

/* An expression rounds a decimal that is no whole number, and refuses one of many digits. */
static bool is_exact(const struct graph_field *field)
{
    const struct value_type *type = &field->type;
    int32_t most = type->scale == 0 ? 18 : 15;
    return type->kind != VALUE_DECIMAL || (type->precision > 0 && type->precision <= most);
}

static void append_hash(const struct places *places, const struct family *family,
                        struct buffer *sql)
{
    const struct graph_entity *entity = &places->graph->entities[family->root];
    uint32_t exact = 0;
    uint32_t count = 0;
    if (family->buckets <= 1) {
        buffer_append_byte(sql, '0');
        return;
    }
    for (uint32_t i = 0; i < entity->key.count; i++) {
        exact += is_exact(&entity->fields[entity->key.at[i]]);
    }
    buffer_append_string(sql, "crc32(");
    for (uint32_t i = 0; i < entity->key.count; i++) {
        const struct graph_field *field = &entity->fields[entity->key.at[i]];
        if (exact == 0 || is_exact(field)) {
            buffer_append_string(sql, count++ > 0 ? ", " : "");
            expression_append_quoted(sql, field->name);
        }
    }
    buffer_format(sql, ") %% %u", family->buckets);
}

const char *bucket_sql(const struct places *places, const struct family *family,
                       struct arena *arena)
{
    struct buffer sql = {0};
    if (family->buckets <= 1 && family->partition.count > 0) {
        return NULL;
    }
    if (family->bucket == FAMILY_BUCKET_TIME) {
        buffer_append_string(&sql, "substr(");
        expression_append_quoted(&sql, places_field(places, family->clustering[0].place)->name);
        buffer_format(&sql, ", 1, %u)", family->bucket_digits);
    } else {
        append_hash(places, family, &sql);
    }
    const char *kept = arena_copy_string(arena, buffer_string(&sql));
    buffer_free(&sql);
    return kept;
}
