/* A sample of a table of documents: some records from each of some places. */
#include "base/memory.h"
#include "plan/propose/propose_kinds.h"
#include <stdlib.h>

enum {
    PLACES_MAX = 32,
    RECORDS_MAX = 4096, /* of all places together, about */
    BATCH_ROWS = 64,
    BATCH_BYTES = 256 << 10,
    SAMPLE_BYTES_MAX = 24 << 20,
    SPAN_ROWS_MIN = 100,
    SPAN_ROWS_UNKNOWN = 1000 /* fine enough to meet what lies together */
};

enum status kind_sampler_open(struct kind_sampler *sampler, struct database *source,
                              struct arena *arena, struct error *error)
{
    const char *token = NULL;
    *sampler = (struct kind_sampler){.source = source, .arena = arena};
    if (source->connector->source->snapshot(source, 1, arena, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return source->connector->source->reader_open(source, &sampler->reader, error);
}

void kind_sampler_close(struct kind_sampler *sampler)
{
    if (sampler->reader != NULL) {
        sampler->source->connector->source->reader_close(sampler->reader);
        sampler->reader = NULL;
    }
}

void kind_sample_free(struct kind_sample *sample)
{
    for (uint32_t i = 0; i < sample->batch_count; i++) {
        batch_destroy(sample->batches[i]);
    }
    free(sample->batches);
    free(sample->records);
    *sample = (struct kind_sample){0};
}

static void keep_batch(struct kind_sample *sample, struct batch *batch)
{
    sample->batches =
        memory_resize(sample->batches, sample->batch_count + 1u, sizeof(struct batch *));
    sample->records = memory_resize(sample->records, (size_t)sample->count + batch->row_count + 1,
                                    sizeof(struct cell *));
    sample->batches[sample->batch_count++] = batch;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        const struct cell *record = batch_row(batch, row);
        if (record->kind == VALUE_MAP) {
            sample->records[sample->count++] = record;
        }
    }
}

static enum status read_place(struct kind_sampler *sampler, const struct read_request *request,
                              const struct span *span, uint32_t rows_max,
                              struct kind_sample *sample, size_t *bytes, struct error *error)
{
    const struct source_functions *source = sampler->source->connector->source;
    struct cursor *cursor;
    uint32_t rows = 0;
    enum status status = source->cursor_open(sampler->reader, request, span, &cursor, error);
    if (status != STATUS_OK) {
        return status;
    }
    while (status == STATUS_OK && rows < rows_max && *bytes < SAMPLE_BYTES_MAX) {
        struct batch *batch;
        status = source->cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error);
        if (status == STATUS_OK) {
            rows += batch->row_count;
            *bytes += batch_bytes(batch);
            keep_batch(sample, batch);
        }
    }
    source->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status kind_sample_take(struct kind_sampler *sampler, const struct schema_table *table,
                             struct kind_sample *sample, struct error *error)
{
    const struct source_functions *source = sampler->source->connector->source;
    const struct read_request request = {.name = table->name, .table = table->name};
    struct stream_facts facts = {0};
    struct span *spans = NULL;
    uint32_t count = 0;
    size_t bytes = 0;
    *sample = (struct kind_sample){0};
    if (source->describe_stream(sampler->source, &request, sampler->arena, &facts, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t rows =
        facts.row_count < 0 ? SPAN_ROWS_UNKNOWN : (uint64_t)facts.row_count / PLACES_MAX;
    enum status status =
        source->split(sampler->source, &request, rows < SPAN_ROWS_MIN ? SPAN_ROWS_MIN : rows,
                      sampler->arena, &spans, &count, error);
    uint32_t places = count < PLACES_MAX ? count : PLACES_MAX;
    for (uint32_t i = 0; i < places && status == STATUS_OK; i++) {
        /* the first, the last, and evenly between them */
        uint32_t span = places < 2 ? 0 : (uint32_t)((uint64_t)i * (count - 1) / (places - 1));
        status = read_place(sampler, &request, &spans[span], RECORDS_MAX / places, sample, &bytes,
                            error);
    }
    if (status != STATUS_OK) {
        kind_sample_free(sample);
    }
    return status;
}
