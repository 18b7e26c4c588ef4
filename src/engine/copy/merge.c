/* Children merged with their parents: one cursor each over the same span, joined by equal root
 * keys. */
#include "engine/copy/reading.h"

#include "base/memory.h"
#include <inttypes.h>
#include <stdlib.h>

enum { FULL_CHECK_ROWS = 64 };

struct child_cursor {
    const struct plan_child *child;
    struct joining_search *search; /* the engine finds its rows; else: */
    struct cursor *cursor;
    struct batch *batch; /* NULL: fetch the next one */
    uint32_t row;
    bool ended;
};

struct merge {
    struct reading *reading;
    const struct source_functions *source;
    struct joining_search *looked_up; /* for the parents; NULL: nothing is, or by the source */
    bool searches;                    /* the engine finds children */
    struct child_cursor *children;
    uint32_t child_count;
    bool has_children;         /* of the parent that was merged last */
    uint32_t rows_since_check; /* at the end of a parent */
    uint32_t child_rows_since_check;
};

static enum status next_batch(struct merge *merge, struct cursor *cursor,
                              struct joining_search *search, struct batch **batch,
                              struct error *error)
{
    struct reading *reading = merge->reading;
    enum status status = reading_next(reading, cursor, search, batch, error);
    if (status == STATUS_OK &&
        reading_account(reading, (*batch)->row_count, batch_bytes(*batch)) != STATUS_OK) {
        batch_destroy(*batch);
        *batch = NULL;
        return STATUS_AGAIN; /* unwanted; STATUS_END means the cursor's end here */
    }
    return status;
}

/* The child's current row; NULL at its end. */
static enum status peek(struct merge *merge, struct child_cursor *child, const struct cell **row,
                        struct error *error)
{
    *row = NULL;
    while (!child->ended && (child->batch == NULL || child->row == child->batch->row_count)) {
        batch_destroy(child->batch);
        child->batch = NULL;
        child->row = 0;
        enum status status = next_batch(merge, child->cursor, NULL, &child->batch, error);
        if (status == STATUS_END) {
            child->ended = true;
        } else if (status != STATUS_OK) {
            return status;
        }
    }
    if (!child->ended) {
        *row = batch_row(child->batch, child->row);
    }
    return STATUS_OK;
}

static bool belongs(const struct plan_stream *stream, const struct cell *parent,
                    const struct cell *child_row)
{
    for (uint32_t i = 0; i < stream->key_count; i++) {
        if (!value_equal(&parent[stream->key_columns[i]], &child_row[i])) {
            return false;
        }
    }
    return true;
}

/*
 * Asked once in a while, and separately between children and between parents: what a half made
 * parent holds back can only be taken after its end, so that asking between children alone would
 * let a whole chunk pile up.
 */
static enum status take_if_full(struct merge *merge, uint32_t *rows, struct error *error)
{
    if (*rows < FULL_CHECK_ROWS) {
        return STATUS_OK;
    }
    *rows = 0;
    return reading_is_full(merge->reading) ? reading_take(merge->reading, error) : STATUS_OK;
}

static enum status feed_child(struct merge *merge, uint32_t number, const struct cell *cells,
                              const struct record_envelope *envelope, struct error *error)
{
    enum status status = mapper_child(merge->reading->mapper, number, cells, envelope, error);
    merge->rows_since_check++;
    merge->child_rows_since_check++;
    if (status == STATUS_OK) {
        status = take_if_full(merge, &merge->child_rows_since_check, error);
    }
    return status == STATUS_END ? STATUS_AGAIN : status;
}

/* Rows that the engine finds: of a parent with very many of them the stop is seen in between. */
static enum status feed_found(struct merge *merge, uint32_t number, const struct cell *parent,
                              struct error *error)
{
    struct joining_search *search = merge->children[number].search;
    enum status status = joining_begin(search, parent, error);
    while (status == STATUS_OK) {
        const struct cell *row;
        status = joining_next(search, &row, error);
        if (status == STATUS_OK) {
            status = feed_child(merge, number, row, NULL, error);
        } else if (status == STATUS_END) {
            return STATUS_OK;
        }
        if (status == STATUS_OK && merge->child_rows_since_check == 0 &&
            copy_must_stop(merge->reading->worker->copy)) {
            status = STATUS_AGAIN;
        }
    }
    return status;
}

static enum status feed_children(struct merge *merge, uint32_t number, const struct cell *parent,
                                 struct error *error)
{
    struct child_cursor *child = &merge->children[number];
    const struct plan_stream *stream = merge->reading->stream;
    for (;;) {
        const struct cell *row;
        enum status status = peek(merge, child, &row, error);
        if (status != STATUS_OK) {
            return status;
        }
        if (row == NULL || !belongs(stream, parent, row)) {
            return STATUS_OK;
        }
        const struct record_envelope *envelopes = child->batch->envelopes;
        const struct record_envelope *envelope = envelopes == NULL ? NULL : &envelopes[child->row];
        child->row++;
        merge->has_children = true;
        status = feed_child(merge, number, row + stream->key_count, envelope, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
}

/* The children of a parent that --sample-rows left out are passed over. */
static enum status pass_over_children(struct merge *merge, const struct cell *parent,
                                      struct error *error)
{
    for (uint32_t i = 0; !merge->searches && i < merge->child_count; i++) {
        const struct cell *row;
        enum status status = peek(merge, &merge->children[i], &row, error);
        while (status == STATUS_OK && row != NULL && belongs(merge->reading->stream, parent, row)) {
            merge->children[i].row++;
            status = peek(merge, &merge->children[i], &row, error);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static enum status merge_parent(struct merge *merge, const struct batch *batch, uint32_t number,
                                struct error *error)
{
    struct reading *reading = merge->reading;
    const struct cell *parent = batch_row(batch, number);
    bool wanted = true;
    bool keeps = true;
    merge->has_children = false;
    /* rows that were looked up for are filtered before that */
    if (merge->looked_up == NULL && reading_keeps(reading, parent, &keeps, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!keeps) {
        reading->root_rows++;
        return pass_over_children(merge, parent, error);
    }
    if (mapper_begin_row(reading->mapper, batch, number, &wanted, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; wanted && i < merge->child_count; i++) {
        enum status status = merge->searches ? feed_found(merge, i, parent, error)
                                             : feed_children(merge, i, parent, error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (wanted && mapper_end(reading->mapper, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    reading->root_rows++;
    merge->rows_since_check++;
    enum status status = take_if_full(merge, &merge->rows_since_check, error);
    return status == STATUS_END ? STATUS_AGAIN : status;
}

/*
 * Two parents of one key would mix up their children, and that the key of a query is one only the
 * plan says. Parents come in the order of their keys. A null equals nothing, so that there may be
 * many where the children are found by the key; by other columns they may have some all the same,
 * and the first parent got those of all.
 */
static enum status check_parent_key(const struct merge *merge, const struct cell *last,
                                    const struct cell *parent, struct error *error)
{
    const struct plan_stream *stream = merge->reading->stream;
    bool has_null = false;
    for (uint32_t i = 0; i < stream->key_count; i++) {
        const struct cell *cell = &parent[stream->key_columns[i]];
        if (last == NULL || !value_equal(cell, &last[stream->key_columns[i]])) {
            return STATUS_OK;
        }
        has_null = has_null || cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING;
    }
    if (has_null && !merge->has_children) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_READ, stream->name,
              "two rows have the same key, so that their lists and aggregates would be mixed up");
    error_hint(error, "`key:` in the plan must name columns that no two rows share");
    return STATUS_FAILED;
}

/* Rows left over would be lost: parents and children did not come in the same order. */
static enum status check_exhausted(struct merge *merge, struct error *error)
{
    for (uint32_t i = 0; !merge->searches && i < merge->child_count; i++) {
        const struct cell *row;
        enum status status = peek(merge, &merge->children[i], &row, error);
        if (status != STATUS_OK) {
            return status;
        }
        if (row != NULL) {
            return error_set(error, ERROR_INTERNAL, merge->reading->stream->name,
                             "a row of %s found no parent in %s: their orders differ",
                             merge->children[i].child->path, merge->reading->span->printable);
        }
    }
    return STATUS_OK;
}

static enum status merge_parents(struct merge *merge, struct cursor *parents, struct error *error)
{
    struct batch *batch = NULL;
    struct batch *previous = NULL; /* holds `last` */
    const struct cell *last = NULL;
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        status = next_batch(merge, parents, merge->looked_up, &batch, error);
        if (status != STATUS_OK) {
            break;
        }
        status = mapper_refuse_batch(merge->reading->mapper, batch, error);
        merge->reading->root_rows += batch->refused_count;
        for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
            const struct cell *parent = batch_row(batch, row);
            status = merge->searches ? STATUS_OK : check_parent_key(merge, last, parent, error);
            status = status == STATUS_OK ? merge_parent(merge, batch, row, error) : status;
            last = parent;
        }
        batch_destroy(previous);
        previous = batch;
    }
    batch_destroy(previous);
    return status == STATUS_END ? check_exhausted(merge, error) : status;
}

/* Cursors of the source, or searches of the engine's. */
static enum status open_children(struct merge *merge, struct error *error)
{
    struct reading *reading = merge->reading;
    const struct plan_stream *stream = reading->stream;
    if (stream->joined != NULL &&
        reading_search(reading, stream->joined, &merge->looked_up, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < merge->child_count; i++) {
        struct child_cursor *child = &merge->children[i];
        child->child = &stream->children[i];
        enum status status =
            merge->searches
                ? reading_search(reading, &child->child->request, &child->search, error)
                : merge->source->cursor_open(reading->worker->reader, &child->child->request,
                                             reading->span, &child->cursor, error);
        if (status != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status merge_span(struct reading *reading, struct error *error)
{
    const struct plan_stream *stream = reading->stream;
    const struct source_functions *source =
        reading->worker->copy->session->source->connector->source;
    struct merge merge = {.reading = reading,
                          .source = source,
                          .searches = reading->worker->copy->session->joining != NULL,
                          .child_count = stream->child_count};
    struct cursor *parents = NULL;
    enum status status = STATUS_FAILED;
    merge.children = memory_allocate_zeroed(stream->child_count, sizeof(*merge.children));
    if (source->cursor_open(reading->worker->reader, &stream->request, reading->span, &parents,
                            error) != STATUS_OK ||
        open_children(&merge, error) != STATUS_OK) {
        goto out;
    }
    status = merge_parents(&merge, parents, error);
    if (status == STATUS_OK) {
        status = reading_take(reading, error);
    } else if (status == STATUS_AGAIN) {
        status = STATUS_END;
    }
out:
    for (uint32_t i = 0; i < stream->child_count; i++) {
        batch_destroy(merge.children[i].batch);
        if (merge.children[i].cursor != NULL) {
            source->cursor_close(merge.children[i].cursor);
        }
    }
    if (parents != NULL) {
        source->cursor_close(parents);
    }
    free(merge.children);
    return status;
}
