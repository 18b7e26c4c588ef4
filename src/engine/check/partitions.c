/* Counting the rows of each partition: by the source, or in a sample. */
#include "engine/check/partitions.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/copy/sampling.h"
#include "plan/mapping.h"
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_SMALL = 64,         /* a stream of so few rows is not looked at */
    ROWS_GROUPED = 5000000,  /* of more a sample has to do: before a run … */
    ROWS_CHECKED = 50000000, /* … and in a check */
    GROUPS_MAX = 20,
    LINES_MAX = 3, /* of one table */
    SAMPLE_ROWS = 20000,
    SAMPLE_MS = 1000,
    PLACES = 4096, /* partitions that a sample tells apart; a power of two */
    SPREAD_MIN = 8 /* times that a sample comes back to a partition whose share is believed */
};

/* A partition of a sample. */
struct seen {
    uint64_t hash; /* 0: none */
    uint64_t rows;
    uint64_t runs; /* of rows in a row */
    char *shown;
};

struct looking {
    struct run_session *session;
    struct reader *reader; /* NULL: it failed */
    const struct target_table *table;
    const struct plan_entity *entity;
    const struct plan_stream *stream;
    int64_t rows; /* of the stream; -1: not known */
    int64_t rows_grouped;
    struct arena *arena;
    /* the sample */
    uint64_t root_rows;
    uint64_t made;
    uint64_t bytes;
    bool whole; /* all of the stream was read */
    struct seen *seen;
    uint64_t last;
    int64_t until_ms;
    /* what comes of it */
    uint32_t lines;
    struct buffer *out;
};

/* ---------------------------------------------------------------- lines */

static void partitions_tell(struct looking *looking, const char *shown, double rows,
                            double row_bytes)
{
    const struct connector_limits *limits = &looking->session->target->limits;
    double bytes = rows * row_bytes;
    char count[32];
    char size[32];
    char size_max[32];
    if ((bytes <= (double)limits->partition_bytes && rows <= (double)limits->partition_rows) ||
        looking->lines++ >= LINES_MAX) {
        return;
    }
    text_human_count((uint64_t)rows, count, sizeof(count));
    text_human_bytes((uint64_t)bytes, size, sizeof(size));
    text_human_bytes(limits->partition_bytes, size_max, sizeof(size_max));
    buffer_format(looking->out, "%s: the partition of %s would have about %s rows",
                  looking->table->name, shown, count);
    if (bytes > 0) {
        buffer_format(looking->out, " and %s", size);
    }
    text_human_count(limits->partition_rows, count, sizeof(count));
    buffer_format(looking->out,
                  "; as a rule one should have no more than %s rows and %s: add a column to the "
                  "partition key, or a bucket, as the month of a date or a number of 0 to 9\n",
                  count, size_max);
}

/* ---------------------------------------------------------------- the columns of the key */

struct source_columns {
    const char *names[16];
    uint32_t count;
    bool known; /* the key is made of these alone */
};

static void add_column(struct source_columns *columns, const struct plan_stream *stream,
                       struct value_reference value)
{
    enum { NAMES_MAX = sizeof columns->names / sizeof *columns->names };
    const struct read_request *request = &stream->request;
    bool of_root = value.origin == ORIGIN_COLUMN && value.index < request->column_count &&
                   request->columns[value.index].join < 0 &&
                   !request->columns[value.index].presence;
    if (!of_root || columns->count == NAMES_MAX) {
        columns->known = false;
        return;
    }
    const char *name = request->columns[value.index].name;
    for (uint32_t at = 0; at < columns->count; at++) {
        if (strcmp(columns->names[at], name) == 0) {
            return;
        }
    }
    columns->names[columns->count++] = name;
}

static void add_field(struct source_columns *columns, const struct plan_stream *stream,
                      const struct mapping_field *field)
{
    bool always = field != NULL && field->when == MAPPING_NONE;
    if (always && field->kind == FIELD_VALUE) {
        add_column(columns, stream, field->value);
    } else if (always && field->kind == FIELD_TEMPLATE) {
        for (uint32_t part = 0; part < field->template.count; part++) {
            if (field->template.parts[part].has_value) {
                add_column(columns, stream, field->template.parts[part].value);
            }
        }
    } else if (!always || field->kind != FIELD_CONST) {
        columns->known = false;
    }
}

/* The columns of the source's table that tell the partitions apart. */
static struct source_columns columns_of(const struct looking *looking)
{
    const struct mapping *mapping = looking->entity->mapping;
    const struct plan_stream *stream = looking->stream;
    struct source_columns columns = {.known = stream->request.table != NULL &&
                                              stream->joined == NULL && !looking->entity->is_pages};
    columns.known = columns.known &&
                    (mapping == NULL || (mapping->unnest == NULL && !mapping->stream->documents));
    for (uint32_t at = 0; at < looking->table->key_shape.partition_count && columns.known; at++) {
        const char *name = looking->table->key.names[at];
        if (mapping == NULL) {
            columns.names[columns.count++] = name;
        } else {
            add_field(&columns, stream, mapping_find_field(mapping, name));
        }
        columns.known = columns.known && columns.count < 16;
    }
    return columns;
}

/* ---------------------------------------------------------------- groups of the source */

static void take_groups(struct looking *looking, const struct source_columns *columns,
                        const struct batch *batch, double share, double row_bytes)
{
    enum { SHOWN_BYTES_MAX = 80 };
    struct buffer shown = {0};
    for (uint32_t row = 0; row < batch->row_count; row++) {
        const struct cell *cells = batch_row(batch, row);
        const struct cell *rows = &cells[columns->count];
        buffer_clear(&shown);
        buffer_append_string(&shown, columns->count == 0 ? "all records" : "");
        for (uint32_t at = 0; at < columns->count; at++) {
            buffer_format(&shown, "%s%s = ", at > 0 ? ", " : "", columns->names[at]);
            if (looking->stream->masks_rows) {
                buffer_append_string(&shown, "(masked)");
            } else {
                value_print(&cells[at], SHOWN_BYTES_MAX, &shown);
            }
        }
        if (rows->kind == VALUE_INT64) {
            partitions_tell(looking, buffer_string(&shown), (double)rows->i64 * share, row_bytes);
        }
    }
    buffer_free(&shown);
}

static enum status read_groups(struct looking *looking, const struct read_request *request,
                               const struct source_columns *columns, double share, double row_bytes,
                               struct error *error)
{
    const struct source_functions *source = looking->session->source->connector->source;
    struct cursor *cursor = NULL;
    enum status status = source->cursor_open(looking->reader, request, NULL, &cursor, error);
    while (status == STATUS_OK) {
        struct batch *batch = NULL;
        status = source->cursor_next(cursor, GROUPS_MAX, 1 << 20, &batch, error);
        if (status == STATUS_OK) {
            take_groups(looking, columns, batch, share, row_bytes);
            batch_destroy(batch);
        }
    }
    if (cursor != NULL) {
        source->cursor_close(cursor);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

/* An estimate is no reason to wait long. What the reader is good for now nobody knows. */
static void leave_out(struct looking *looking, const struct error *why)
{
    struct run_session *session = looking->session;
    session->sample_reader =
        session->sample_reader == looking->reader ? NULL : session->sample_reader;
    session->source->connector->source->reader_close(looking->reader);
    looking->reader = NULL;
    log_write(LOG_INFO, "%s: how many rows each partition gets was not counted: %s",
              looking->table->name, why->message);
}

/* STATUS_END: the source could not, in time. */
static enum status count_groups(struct looking *looking, const struct source_columns *columns,
                                double share, double row_bytes, struct error *error)
{
    struct database *source = looking->session->source;
    struct buffer query = {0};
    struct read_column wanted[17];
    struct column_list names = {.names = columns->names, .count = columns->count};
    const char *rows = source->connector->source->append_groups(
        source, looking->stream->request.table, &names, GROUPS_MAX, &query);
    for (uint32_t at = 0; at <= columns->count; at++) {
        wanted[at] = (struct read_column){.join = -1,
                                          .name = at < columns->count ? columns->names[at] : rows};
    }
    const struct read_request request = {.name = looking->stream->name,
                                         .query = buffer_string(&query),
                                         .columns = wanted,
                                         .column_count = columns->count + 1};
    enum status status = read_groups(looking, &request, columns, share, row_bytes, error);
    if (status == STATUS_FAILED && error->class == ERROR_CLASS_RETRY) {
        leave_out(looking, error);
        error_clear(error);
        status = STATUS_END;
    }
    buffer_free(&query);
    return status;
}

/* ---------------------------------------------------------------- a sample */

static uint64_t hash_key(const struct looking *looking, const struct batch *batch,
                         const struct cell *cells, struct buffer *shown)
{
    enum { SHOWN_BYTES_MAX = 80 };
    buffer_clear(shown);
    for (uint32_t at = 0; at < looking->table->key_shape.partition_count; at++) {
        const char *name = looking->table->key.names[at];
        int32_t field = batch->shape != NULL ? shape_field_find(batch->shape, name) : -1;
        const struct cell *cell = batch->shape == NULL || batch->shape->field_count == 0
                                      ? value_field(cells, name)
                                  : field >= 0 ? &cells[field]
                                               : NULL;
        buffer_format(shown, "%s%s = ", at > 0 ? ", " : "", name);
        if (cell != NULL) {
            value_print(cell, SHOWN_BYTES_MAX, shown);
        }
    }
    uint64_t hash = 14695981039346656037u;
    for (size_t at = 0; at < shown->length; at++) {
        hash = (hash ^ (uint8_t)shown->data[at]) * 1099511628211u;
    }
    return hash != 0 ? hash : 1;
}

/* Keys that find no place are of many, and small. */
static void count_key(struct looking *looking, uint64_t hash, struct buffer *shown)
{
    enum { TRIES = 16 };
    for (uint64_t try = 0; try < TRIES; try++) {
        struct seen *seen = &looking->seen[(hash + try) & (PLACES - 1)];
        if (seen->hash == 0) {
            seen->hash = hash;
            seen->shown = arena_copy_string(looking->arena, buffer_string(shown));
        }
        if (seen->hash == hash) {
            seen->rows++;
            seen->runs += looking->last != hash;
            break;
        }
    }
    looking->last = hash;
}

static enum status take_parcel(void *context, struct parcel *parcel)
{
    struct looking *looking = context;
    struct buffer shown = {0};
    looking->root_rows += parcel->root_rows;
    looking->whole = parcel->kind == PARCEL_END;
    for (uint32_t i = 0; i < parcel->batch_count; i++) {
        const struct batch *batch = parcel->batches[i];
        uint32_t fields = batch_shape_width(batch->shape);
        for (uint32_t row = 0; batch->entity == looking->entity->number && row < batch->row_count;
             row++) {
            const struct cell *cells = batch_row(batch, row);
            for (uint32_t field = 0; field < fields; field++) {
                looking->bytes += value_bytes(&cells[field]) + 8;
            }
            looking->made++;
            count_key(looking, hash_key(looking, batch, cells, &shown), &shown);
        }
    }
    parcel_destroy(parcel);
    buffer_free(&shown);
    bool goes_on = looking->whole ||
                   (looking->root_rows < SAMPLE_ROWS && clock_monotonic_ms() < looking->until_ms);
    return goes_on ? STATUS_OK : STATUS_END;
}

static int compare_seen(const void *left, const void *right)
{
    const struct seen *one = left;
    const struct seen *other = right;
    return (one->rows < other->rows) - (one->rows > other->rows);
}

/* A partition whose rows stand together may end where the sample does: only what was seen of it
 * counts. */
static void tell_sampled(struct looking *looking, double row_bytes)
{
    double scale = looking->whole || looking->rows < 0 || looking->root_rows == 0
                       ? 1
                       : (double)looking->rows / (double)looking->root_rows;
    qsort(looking->seen, PLACES, sizeof(*looking->seen), compare_seen);
    for (uint32_t at = 0; at < GROUPS_MAX && looking->seen[at].hash != 0; at++) {
        const struct seen *seen = &looking->seen[at];
        double rows = (double)seen->rows * (seen->runs >= SPREAD_MIN ? scale : 1);
        partitions_tell(looking, seen->shown, rows, row_bytes);
    }
}

/* ---------------------------------------------------------------- one entity */

static bool is_small(const struct looking *looking, double row_bytes)
{
    const struct connector_limits *limits = &looking->session->target->limits;
    double share = looking->root_rows > 0 ? (double)looking->made / (double)looking->root_rows : 1;
    double rows = (double)looking->rows * share;
    return looking->rows >= 0 && rows <= (double)limits->partition_rows &&
           rows * row_bytes <= (double)limits->partition_bytes;
}

static enum status look_at(struct looking *looking, struct error *error)
{
    struct database *source = looking->session->source;
    looking->until_ms = clock_monotonic_ms() + SAMPLE_MS;
    looking->seen = arena_allocate_zeroed(looking->arena, PLACES, sizeof(*looking->seen));
    bool alone = looking->stream->joined == NULL &&
                 (looking->stream->child_count == 0 || looking->session->joining == NULL);
    if (alone && sampling_read_through(looking->session, looking->reader, looking->stream, NULL,
                                       take_parcel, NULL, looking, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    double row_bytes = looking->made > 0 ? (double)looking->bytes / (double)looking->made : 0;
    double share = looking->root_rows > 0 ? (double)looking->made / (double)looking->root_rows : 1;
    const struct source_columns columns = columns_of(looking);
    if (is_small(looking, row_bytes)) {
        return STATUS_OK;
    }
    bool groups = !looking->whole && columns.known && looking->rows <= looking->rows_grouped &&
                  source->connector->source->append_groups != NULL;
    enum status status =
        groups ? count_groups(looking, &columns, share, row_bytes, error) : STATUS_END;
    if (status == STATUS_END) {
        tell_sampled(looking, row_bytes);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* Has its table partitions of several rows, and may there be many? */
static bool is_looked_at(const struct run_session *session, const struct plan_entity *entity)
{
    const struct target_table *table = &session->plan->tables[entity->table].target;
    uint32_t parts = table->key_shape.partition_count;
    int64_t rows = session->facts[entity->stream].row_count;
    bool readable = session->unreadable == NULL || !session->unreadable[entity->stream];
    return readable && parts > 0 && parts < table->key.count && (rows < 0 || rows > ROWS_SMALL);
}

enum status partitions_foretell(struct run_session *session, bool reads, struct buffer *out,
                                struct error *error)
{
    const struct plan *plan = session->plan;
    struct reader *reader = session->sample_reader; /* a check has one */
    bool dear = (session->source->capabilities & CAPABILITY_UNITS) != 0 && !reads;
    bool goes_on = session->target->limits.partition_bytes > 0 && !dear;
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < plan->entity_count && goes_on && status == STATUS_OK; at++) {
        const struct plan_entity *entity = &plan->entities[at];
        if (!is_looked_at(session, entity)) {
            continue;
        }
        if (reader == NULL && session_reader_open(session, &reader, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        struct looking looking = {.session = session,
                                  .reader = reader,
                                  .table = &plan->tables[entity->table].target,
                                  .entity = entity,
                                  .stream = &plan->streams[entity->stream],
                                  .rows = session->facts[entity->stream].row_count,
                                  .rows_grouped = reads ? ROWS_CHECKED : ROWS_GROUPED,
                                  .arena = arena_create(0),
                                  .out = out};
        status = look_at(&looking, error);
        reader = looking.reader;
        goes_on = reader != NULL;
        arena_destroy(looking.arena);
    }
    if (reader != NULL && reader != session->sample_reader) {
        session_reader_keep(session, reader);
    }
    return status;
}
