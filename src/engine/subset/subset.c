#include "engine/subset/subset.h"

#include "base/memory.h"
#include "engine/subset/subset_parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct subset_scratch {
    struct buffer bytes;
};

/* ---------------------------------------------------------------- made and gone */

struct subset *subset_create(const struct subset_options *options)
{
    struct subset *subset = memory_allocate_zeroed(1, sizeof *subset);
    subset->arena = arena_create(0);
    subset->options = *options;
    subset_plan(subset);
    return subset;
}

void subset_destroy(struct subset *subset)
{
    if (subset == NULL) {
        return;
    }
    for (uint32_t i = 0; i < subset->node_count; i++) {
        spill_mapping_free(&subset->nodes[i].hashes);
    }
    arena_destroy(subset->arena);
    free(subset);
}

/* ---------------------------------------------------------------- the chosen ones */

static enum status keep_hashes(struct subset *subset, const struct spill_file *file,
                               uint32_t number, struct error *error)
{
    struct spill_part part;
    char sql[64];
    (void)snprintf(sql, sizeof sql, "SELECT h FROM c%u ORDER BY h", (unsigned)number);
    enum status status = spill_part_begin(&part, file, (int)number, error);
    status = status == STATUS_OK ? spill_part_put_rows(&part, NULL, file, sql, error) : status;
    return spill_part_end(&part, status, &subset->nodes[number].hashes, error);
}

bool subset_is_prepared(const struct subset *subset)
{
    return subset->prepared;
}

enum status subset_prepare(struct subset *subset, struct reader *reader,
                           void (*progress)(const char *what), struct error *error)
{
    struct spill_file file;
    enum status status = spill_file_open(&file, subset->options.spill_folder, "subset",
                                         subset->options.memory_bytes, subset->arena, error);
    for (uint32_t i = 0; status == STATUS_OK && i < subset->node_count; i++) {
        status = subset_read(subset, &subset->nodes[i], i, reader, &file, progress, error);
    }
    status = status == STATUS_OK ? subset_choose(subset, &file, error) : status;
    for (uint32_t i = 0; status == STATUS_OK && i < subset->node_count; i++) {
        status = keep_hashes(subset, &file, i, error);
    }
    spill_file_close(&file);
    subset->prepared = status == STATUS_OK;
    return status;
}

/* ---------------------------------------------------------------- looked up */

struct subset_count subset_count_of(const struct subset *subset, uint32_t stream)
{
    return subset->nodes[subset->streams[stream].node].count;
}

struct subset_scratch *subset_scratch_create(void)
{
    return memory_allocate_zeroed(1, sizeof(struct subset_scratch));
}

void subset_scratch_destroy(struct subset_scratch *scratch)
{
    if (scratch != NULL) {
        buffer_free(&scratch->bytes);
        free(scratch);
    }
}

enum status subset_keeps(const struct subset *subset, uint32_t stream, const struct cell *row,
                         struct subset_scratch *scratch, bool *keeps, struct error *error)
{
    const struct subset_stream *from = &subset->streams[stream];
    const struct subset_node *node = &subset->nodes[from->node];
    uint8_t hash[SPILL_HASH_BYTES];
    uint32_t count =
        node->whole != NULL && node->whole->column_count > 0 ? node->whole->column_count : 1;
    enum status status = node->whole != NULL
                             ? subset_hash_whole(subset, row, count, &scratch->bytes, hash, error)
                             : subset_hash(subset, row, from->key_positions, node->key.count,
                                           &scratch->bytes, hash, NULL, error);
    *keeps = status == STATUS_OK && spill_mapping_find(&node->hashes, hash) != SIZE_MAX;
    return status;
}

enum status subset_filter(const struct subset *subset, uint32_t stream, struct batch *batch,
                          struct subset_scratch *scratch, struct error *error)
{
    uint32_t kept = 0;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        bool keeps;
        struct cell *cells = batch_row(batch, row);
        if (subset_keeps(subset, stream, cells, scratch, &keeps, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (!keeps) {
            continue;
        }
        if (kept < row) {
            memcpy(batch_row(batch, kept), cells, batch->width * sizeof *cells);
            if (batch->envelopes != NULL) {
                batch->envelopes[kept] = batch->envelopes[row];
            }
        }
        kept++;
    }
    batch->row_count = kept;
    return STATUS_OK;
}
