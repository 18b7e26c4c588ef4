/* Figures of a live source. */
#include "design/graph/figures.h"

#include "base/memory.h"
#include "model/batch.h"
#include "model/canonical.h"
#include "model/time_text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES_MAX = 32, BATCH_ROWS = 256, BATCH_BYTES = 1 << 20 };

/* ---------------------------------------------------------------- values of one column */

/* How often each value was seen, by its hash: open addressing, no hash is 0. */
struct tally_slot {
    uint64_t hash;
    uint32_t count;
};

struct tally {
    struct tally_slot *slots;
    uint32_t capacity; /* a power of two */
    uint32_t used;
    uint64_t bytes;
    uint32_t values;
    uint32_t nulls;
    bool negative;
    uint32_t times; /* of the values, from `first` to `last` */
    double *seconds;
    uint32_t seconds_capacity;
    struct figures_picks picks;
};

static struct tally_slot *slot_of(const struct tally *tally, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash >> 7) & (tally->capacity - 1);
    while (tally->slots[at].hash != 0 && tally->slots[at].hash != hash) {
        at = (at + 1) & (tally->capacity - 1);
    }
    return &tally->slots[at];
}

static void figures_grow(struct tally *tally)
{
    struct tally old = *tally;
    tally->capacity = old.capacity == 0 ? 64 : old.capacity * 2;
    tally->slots = memory_resize(NULL, tally->capacity, sizeof(*tally->slots));
    memset(tally->slots, 0, tally->capacity * sizeof(*tally->slots));
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (old.slots[i].hash != 0) {
            *slot_of(tally, old.slots[i].hash) = old.slots[i];
        }
    }
    free(old.slots);
}

/* Was it the first of that value? */
static bool count_value(struct tally *tally, uint64_t hash, uint64_t bytes)
{
    if (tally->used * 2 >= tally->capacity) {
        figures_grow(tally);
    }
    struct tally_slot *slot = slot_of(tally, hash | 1);
    bool is_new = slot->hash == 0;
    tally->used += is_new;
    slot->hash = hash | 1;
    slot->count++;
    tally->bytes += bytes;
    tally->values++;
    return is_new;
}

static uint64_t size_of(const struct cell *cell)
{
    switch (cell->kind) {
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_ESCAPE:
        return cell->length;
    case VALUE_BOOL:
        return 1;
    case VALUE_FLOAT32:
    case VALUE_DATE:
        return 4;
    case VALUE_UUID:
    case VALUE_INTERVAL:
        return 16;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
    case VALUE_LARGE:
        return 200;
    default:
        return 8;
    }
}

/* Infinity and the zero date are none. */
static bool find_second(const struct cell *cell, double *second)
{
    struct cell parsed = *cell;
    if (cell->kind == VALUE_TEXT &&
        time_parse_timestamp(cell->text, cell->length, &parsed) != STATUS_OK) {
        return false;
    }
    *second = parsed.kind == VALUE_DATE ? (double)parsed.i64 * 86400 : (double)parsed.i64 / 1e6;
    return (parsed.kind == VALUE_DATE || parsed.kind == VALUE_TIMESTAMP) &&
           (parsed.flags & CELL_SPECIAL) == 0;
}

static void note_time(struct tally *tally, const struct cell *cell)
{
    double second;
    if (tally->times != tally->values || !find_second(cell, &second)) {
        return;
    }
    tally->seconds = memory_make_room(tally->seconds, tally->times, &tally->seconds_capacity,
                                      sizeof(*tally->seconds));
    tally->seconds[tally->times++] = second;
}

static enum status count_cell(struct tally *tally, const struct cell *cell, struct buffer *scratch,
                              struct error *error)
{
    struct canonical_hash hash = {0};
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        tally->nulls++;
        return STATUS_OK;
    }
    if (cell->kind == VALUE_LARGE) {
        hash.low = tally->values; /* taken for different: to know, all of it had to be read */
    } else if (canonical_hash_cells(cell, 1, scratch, &hash, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    note_time(tally, cell);
    tally->negative = tally->negative || (cell->kind == VALUE_INT64 && cell->i64 < 0);
    if (count_value(tally, hash.low, size_of(cell))) {
        figures_picks_add(&tally->picks, hash.low, cell);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- estimates */

/*
 * Different values in all of `rows`, of which `values` were read: those seen once stand for others
 * that were not (the guaranteed-error estimator of Charikar and others, PODS 2000).
 */
static double distinct_of(const struct tally *tally, double rows)
{
    double once = 0;
    double more = 0;
    for (uint32_t i = 0; i < tally->capacity; i++) {
        once += tally->slots[i].count == 1;
        more += tally->slots[i].count > 1;
    }
    double scale = tally->values > 0 ? rows / tally->values : 1;
    double distinct = once * (scale > 1 ? sqrt(scale) : 1) + more;
    /* where hardly any value comes twice, each is of its own */
    if (scale > 1 && once > 0.98 * tally->values) {
        distinct = rows;
    }
    return distinct < 1 ? 1 : distinct;
}

static double most_of(const struct tally *tally, double rows)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < tally->capacity; i++) {
        most = tally->slots[i].count > most ? tally->slots[i].count : most;
    }
    double scale = tally->values > 0 ? rows / tally->values : 1;
    return most > 1 && scale > 1 ? most * scale : most;
}

double figures_span_of(double second, enum figures_span span)
{
    int64_t year;
    int month;
    int day;
    if (span == FIGURES_HOUR || span == FIGURES_DAY) {
        return floor(second / (span == FIGURES_HOUR ? 3600 : 86400));
    }
    time_civil_from_days((int64_t)floor(second / 86400), &year, &month, &day);
    return (double)(span == FIGURES_YEAR ? year : year * 12 + month - 1);
}

static int by_second(const void *left, const void *right)
{
    double one = *(const double *)left;
    double other = *(const double *)right;
    return (one > other) - (one < other);
}

/* Rows that were read from one place may be of one time, so that one place says nothing. */
static double fullest_of(const struct tally *tally, enum figures_span span, bool is_whole)
{
    uint32_t most = 0;
    uint32_t run = 0;
    for (uint32_t i = 0; i < tally->times; i++) {
        bool same = i > 0 && figures_span_of(tally->seconds[i - 1], span) ==
                                 figures_span_of(tally->seconds[i], span);
        run = same ? run + 1 : 1;
        most = run > most ? run : most;
    }
    double share = (double)most / tally->times - (is_whole ? 0 : 1.0 / PLACES_MAX);
    return share < 0 ? 0 : share;
}

static void measure_times(const struct tally *tally, bool is_whole, struct figures_column *column)
{
    column->is_timed = tally->values > 0 && tally->times == tally->values;
    if (!column->is_timed) {
        return;
    }
    qsort(tally->seconds, tally->times, sizeof(*tally->seconds), by_second);
    column->first_second = tally->seconds[0];
    column->last_second = tally->seconds[tally->times - 1];
    for (enum figures_span span = 0; span < FIGURES_SPANS; span++) {
        column->fullest[span] = fullest_of(tally, span, is_whole);
    }
}

static struct figures_column column_of(const struct tally *tally, double rows, bool is_whole)
{
    double read = (double)tally->values + tally->nulls;
    double valued = read > 0 ? rows * tally->values / read : rows;
    return (struct figures_column){
        .bytes = tally->values > 0 ? (double)tally->bytes / tally->values : 1,
        .distinct = distinct_of(tally, valued),
        .nulls = read > 0 ? tally->nulls / read : 0,
        .most = most_of(tally, valued),
        .negative = tally->negative,
        .unique =
            is_whole && tally->nulls == 0 && tally->values > 1 && tally->used == tally->values,
    };
}

/* ---------------------------------------------------------------- reading */

struct measuring {
    struct database *source;
    const struct source_functions *functions;
    struct reader *reader;
    struct arena *arena; /* of what stays */
    uint32_t rows_max;
    struct buffer scratch;
};

struct table_reading {
    const struct schema_table *table;
    struct read_request request;
    struct tally *tallies;
    uint64_t rows;
};

static enum status count_batch(struct measuring *measuring, struct table_reading *reading,
                               const struct batch *batch, struct error *error)
{
    for (uint32_t row = 0; row < batch->row_count; row++) {
        const struct cell *cells = batch_row(batch, row);
        for (uint32_t i = 0; i < reading->table->column_count; i++) {
            if (count_cell(&reading->tallies[i], &cells[i], &measuring->scratch, error) !=
                STATUS_OK) {
                return STATUS_FAILED;
            }
        }
    }
    reading->rows += batch->row_count;
    return STATUS_OK;
}

static enum status read_place(struct measuring *measuring, struct table_reading *reading,
                              const struct span *span, uint64_t rows_max, bool *is_whole,
                              struct error *error)
{
    struct cursor *cursor = NULL;
    uint64_t end = reading->rows + rows_max;
    enum status status = measuring->functions->cursor_open(measuring->reader, &reading->request,
                                                           span, &cursor, error);
    if (status != STATUS_OK) {
        return status;
    }
    while (status == STATUS_OK && reading->rows < end) {
        struct batch *batch = NULL;
        uint64_t left = end - reading->rows;
        status = measuring->functions->cursor_next(
            cursor, left < BATCH_ROWS ? (uint32_t)left : BATCH_ROWS, BATCH_BYTES, &batch, error);
        if (status == STATUS_OK) {
            status = count_batch(measuring, reading, batch, error);
            batch_destroy(batch);
        }
    }
    if (status == STATUS_OK) { /* is there more? */
        struct batch *batch = NULL;
        status = measuring->functions->cursor_next(cursor, 1, BATCH_BYTES, &batch, error);
        *is_whole = *is_whole && status == STATUS_END;
        batch_destroy(batch);
    }
    measuring->functions->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status read_places(struct measuring *measuring, struct table_reading *reading,
                               struct arena *scratch, bool *is_whole, double *rows, bool *is_known,
                               struct error *error)
{
    struct stream_facts facts = {0};
    struct span *spans = NULL;
    uint32_t count = 0;
    *is_whole = true;
    if (measuring->functions->describe_stream(measuring->source, &reading->request, scratch, &facts,
                                              error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool fits = facts.row_count >= 0 && facts.row_count <= measuring->rows_max;
    uint64_t wanted =
        fits || facts.row_count < 0 ? measuring->rows_max : (uint64_t)facts.row_count / PLACES_MAX;
    if (measuring->functions->split(measuring->source, &reading->request, wanted, scratch, &spans,
                                    &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t places = count < PLACES_MAX ? count : PLACES_MAX;
    *is_whole = places == count;
    for (uint32_t i = 0; i < places; i++) {
        uint32_t span = places < 2 ? 0 : (uint32_t)((uint64_t)i * (count - 1) / (places - 1));
        if (read_place(measuring, reading, &spans[span], measuring->rows_max / places, is_whole,
                       error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *rows = *is_whole ? (double)reading->rows : (double)facts.row_count;
    *is_known = *is_whole || *rows > (double)reading->rows;
    if (!*is_known) { /* no estimate of the database's, or one that is too small */
        *rows = (double)reading->rows;
    }
    return STATUS_OK;
}

/* Where the database has no estimate: a count reads all of the table, or of an index. */
static enum status count_rows(struct measuring *measuring, const struct read_request *request,
                              double *rows, struct error *error)
{
    int64_t counted = -1;
    if (measuring->functions->count == NULL) {
        return STATUS_OK;
    }
    if (measuring->functions->count(measuring->source, request, &counted, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *rows = counted >= 0 ? (double)counted : *rows;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what values say beyond types */

static enum value_kind kind_to_ask_for(const struct schema_table *table,
                                       const struct schema_column *column, enum value_test *test)
{
    if (column->type.truth && !column_list_holds(table->primary_key, column->name)) {
        *test = VALUES_TRUTH;
        return VALUE_BOOL;
    }
    *test = column->type.moments ? VALUES_MOMENTS : VALUES_DATES;
    return column->type.moments ? VALUE_TIMESTAMP : column->type.dates ? VALUE_DATE : VALUE_MISSING;
}

static bool is_reference(const struct schema_table *table, const char *column)
{
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        if (column_list_holds(table->foreign_keys[i].columns, column)) {
            return true;
        }
    }
    return false;
}

/* Before the snapshot, as `holds` wants it. */
static enum status settle_kinds(struct measuring *measuring, const struct schema_table *table,
                                struct figures_column *columns, struct error *error)
{
    for (uint32_t i = 0; i < table->column_count && measuring->functions->holds != NULL; i++) {
        const struct schema_column *column = &table->columns[i];
        enum value_test test;
        bool holds = false;
        enum value_kind kind = kind_to_ask_for(table, column, &test);
        if (kind == VALUE_MISSING || is_reference(table, column->name) ||
            column_list_holds(table->primary_key, column->name)) {
            continue;
        }
        if (measuring->functions->holds(measuring->source, table->name, column->name, test, &holds,
                                        error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        columns[i].kind = holds ? kind : VALUE_MISSING;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- tables */

static enum status read_table(struct measuring *measuring, const struct schema_table *table,
                              struct figures_table *figures, struct error *error)
{
    struct arena *scratch = arena_create(0);
    struct table_reading reading = {.table = table,
                                    .request = {.name = table->name, .table = table->name}};
    struct read_column *columns =
        arena_allocate_zeroed(scratch, table->column_count + 1u, sizeof(*columns));
    for (uint32_t i = 0; i < table->column_count; i++) {
        columns[i] = (struct read_column){.join = -1, .name = table->columns[i].name};
    }
    reading.request.columns = columns;
    reading.request.column_count = table->column_count;
    reading.tallies =
        arena_allocate_zeroed(scratch, table->column_count + 1u, sizeof(*reading.tallies));
    double rows = 0;
    bool is_known = false;
    enum status status =
        read_places(measuring, &reading, scratch, &figures->is_whole, &rows, &is_known, error);
    if (status == STATUS_OK && !is_known) {
        status = count_rows(measuring, &reading.request, &rows, error);
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct figures_column *found = (struct figures_column *)&figures->columns[i];
        enum value_kind kind = found->kind;
        *found = column_of(&reading.tallies[i], rows, figures->is_whole);
        found->kind = kind;
        measure_times(&reading.tallies[i], figures->is_whole, found);
        found->sample = found->is_timed || kind != VALUE_MISSING
                            ? NULL
                            : figures_picks_sample(&reading.tallies[i].picks, measuring->arena);
        figures_picks_free(&reading.tallies[i].picks);
        free(reading.tallies[i].seconds);
        free(reading.tallies[i].slots);
    }
    figures->rows = rows;
    arena_destroy(scratch);
    return status;
}

enum status figures_read(struct database *source, const struct schema *schema, uint32_t rows_max,
                         struct arena *arena, struct figures *figures, struct error *error)
{
    struct measuring measuring = {.source = source,
                                  .functions = source->connector->source,
                                  .arena = arena,
                                  .rows_max = rows_max};
    const char *token = NULL;
    struct figures_table *tables =
        arena_allocate_zeroed(arena, schema->table_count + 1u, sizeof(*tables));
    enum status status = STATUS_OK;
    figures->tables = tables;
    for (uint32_t i = 0; i < schema->table_count && status == STATUS_OK; i++) {
        const struct schema_table *table = &schema->tables[i];
        struct figures_column *columns =
            arena_allocate_zeroed(arena, table->column_count + 1u, sizeof(*columns));
        tables[i].columns = columns;
        status = table->kind == SCHEMA_TABLE ? settle_kinds(&measuring, table, columns, error)
                                             : STATUS_OK;
    }
    if (status != STATUS_OK ||
        measuring.functions->snapshot(source, 1, arena, &token, error) != STATUS_OK ||
        measuring.functions->reader_open(source, &measuring.reader, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < schema->table_count && status == STATUS_OK; i++) {
        const struct schema_table *table = &schema->tables[i];
        if (table->kind == SCHEMA_TABLE && table->column_count > 0) {
            status = read_table(&measuring, table, &tables[i], error);
        }
    }
    measuring.functions->reader_close(measuring.reader);
    buffer_free(&measuring.scratch);
    return status;
}
