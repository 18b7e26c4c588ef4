/* A sample of the different values of one column. */
#include "design/graph/figures_sample.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { UUID_BYTES = 16 };

static bool has_bytes(enum value_kind kind)
{
    return kind == VALUE_TEXT || kind == VALUE_BYTES || kind == VALUE_UUID;
}

static uint32_t bytes_of(const struct cell *cell)
{
    return cell->kind == VALUE_UUID ? UUID_BYTES : cell->length;
}

/* VALUE_MISSING: of no kind that keys have. */
static enum value_kind kind_of(const struct cell *cell)
{
    switch (cell->kind) {
    case VALUE_INT64:
    case VALUE_UUID:
        return cell->kind;
    case VALUE_UINT64:
        return cell->u64 <= INT64_MAX ? VALUE_INT64 : VALUE_MISSING;
    case VALUE_TEXT:
    case VALUE_BYTES:
        return cell->length <= FIGURES_SAMPLE_BYTES_MAX ? cell->kind : VALUE_MISSING;
    default:
        return VALUE_MISSING;
    }
}

/* ---------------------------------------------------------------- the heap */

static void swap(struct figures_pick *left, struct figures_pick *right)
{
    struct figures_pick kept = *left;
    *left = *right;
    *right = kept;
}

static void sift_down(struct figures_picks *picks)
{
    uint32_t at = 0;
    for (uint32_t child = 1; child < picks->count; child = at * 2 + 1) {
        if (child + 1 < picks->count && picks->heap[child + 1].hash > picks->heap[child].hash) {
            child++;
        }
        if (picks->heap[at].hash >= picks->heap[child].hash) {
            return;
        }
        swap(&picks->heap[at], &picks->heap[child]);
        at = child;
    }
}

static void sift_up(struct figures_picks *picks)
{
    for (uint32_t at = picks->count - 1; at > 0; at = (at - 1) / 2) {
        if (picks->heap[(at - 1) / 2].hash >= picks->heap[at].hash) {
            return;
        }
        swap(&picks->heap[(at - 1) / 2], &picks->heap[at]);
    }
}

static void figures_sample_release(struct figures_pick *pick)
{
    if (has_bytes((enum value_kind)pick->cell.kind)) {
        free((void *)(uintptr_t)pick->cell.bytes);
    }
}

static void figures_sample_keep(struct figures_pick *pick, uint64_t hash, const struct cell *cell)
{
    *pick = (struct figures_pick){.hash = hash, .cell = *cell};
    if (has_bytes((enum value_kind)cell->kind)) {
        uint8_t *bytes = memory_resize(NULL, bytes_of(cell), 1);
        memcpy(bytes, cell->bytes, bytes_of(cell));
        pick->cell.bytes = bytes;
    } else {
        pick->cell.kind = VALUE_INT64; /* of UINT64 as well: the bits are the same */
    }
}

/* ---------------------------------------------------------------- picking */

static uint64_t divisor_of(uint64_t left, uint64_t right)
{
    while (right != 0) {
        uint64_t rest = left % right;
        left = right;
        right = rest;
    }
    return left;
}

static void note_number(struct figures_picks *picks, int64_t value)
{
    if (picks->distinct == 0) {
        picks->first = picks->least = picks->greatest = value;
    }
    picks->least = value < picks->least ? value : picks->least;
    picks->greatest = value > picks->greatest ? value : picks->greatest;
    uint64_t distance = value > picks->first ? (uint64_t)value - (uint64_t)picks->first
                                             : (uint64_t)picks->first - (uint64_t)value;
    picks->step = divisor_of(distance, picks->step);
}

void figures_picks_add(struct figures_picks *picks, uint64_t hash, const struct cell *cell)
{
    enum value_kind kind = kind_of(cell);
    if (picks->refused) {
        return;
    }
    if (kind == VALUE_MISSING || (picks->distinct > 0 && kind != picks->kind)) {
        figures_picks_free(picks);
        picks->refused = true;
        return;
    }
    if (has_bytes(kind) && bytes_of(cell) == 0) {
        return;
    }
    picks->kind = kind;
    if (kind == VALUE_INT64) {
        note_number(picks, cell->i64);
    }
    picks->distinct++;
    if (picks->heap == NULL) {
        picks->heap = memory_resize(NULL, FIGURES_SAMPLE_MAX, sizeof(*picks->heap));
    }
    if (picks->count < FIGURES_SAMPLE_MAX) {
        figures_sample_keep(&picks->heap[picks->count++], hash, cell);
        sift_up(picks);
    } else if (hash < picks->heap[0].hash) {
        figures_sample_release(&picks->heap[0]);
        figures_sample_keep(&picks->heap[0], hash, cell);
        sift_down(picks);
    }
}

/* ---------------------------------------------------------------- the sample */

static int by_hash(const void *left, const void *right)
{
    uint64_t one = ((const struct figures_pick *)left)->hash;
    uint64_t other = ((const struct figures_pick *)right)->hash;
    return (one > other) - (one < other);
}

const struct figures_sample *figures_picks_sample(struct figures_picks *picks, struct arena *arena)
{
    if (picks->count == 0) {
        return NULL;
    }
    struct figures_sample *sample = arena_allocate_zeroed(arena, 1, sizeof(*sample));
    struct cell *cells = arena_allocate_zeroed(arena, picks->count, sizeof(*cells));
    uint64_t *hashes = arena_allocate_zeroed(arena, picks->count, sizeof(*hashes));
    uint64_t bytes = 0;
    qsort(picks->heap, picks->count, sizeof(*picks->heap), by_hash);
    for (uint32_t i = 0; i < picks->count; i++) {
        cells[i] = picks->heap[i].cell;
        hashes[i] = picks->heap[i].hash;
        if (has_bytes(picks->kind)) {
            cells[i].text = arena_copy(arena, cells[i].text, bytes_of(&cells[i]));
            bytes += bytes_of(&cells[i]);
        }
    }
    *sample = (struct figures_sample){.cells = cells,
                                      .hashes = hashes,
                                      .count = picks->count,
                                      .distinct = picks->distinct,
                                      .least = picks->least,
                                      .greatest = picks->greatest,
                                      .step = picks->step > 0 ? picks->step : 1,
                                      .bytes = (uint32_t)(bytes / picks->count)};
    return sample;
}

void figures_picks_free(struct figures_picks *picks)
{
    for (uint32_t i = 0; i < picks->count; i++) {
        figures_sample_release(&picks->heap[i]);
    }
    free(picks->heap);
    picks->heap = NULL;
    picks->count = 0;
}
