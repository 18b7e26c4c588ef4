/* The records under the keys of before-images, as the target tells them. */
#include "engine/before/before_parts.h"

#include "base/retry.h"
#include <stdlib.h>
#include <string.h>

static int compare_keys(const void *left, const void *right)
{
    const struct before_key *a = *(const struct before_key *const *)left;
    const struct before_key *b = *(const struct before_key *const *)right;
    return before_compare_hashes(&a->hash, &b->hash);
}

void before_sort_keys(struct before_key **keys, uint32_t count)
{
    qsort(keys, count, sizeof(struct before_key *), compare_keys);
}

static enum status before_find_fetch(struct run *run, const struct target_table *table,
                                     struct before_key *const *keys, uint32_t count,
                                     struct arena *arena, struct batch **answer,
                                     struct error *error)
{
    struct database *target = run->session->target;
    uint32_t width = table->key.count;
    uint32_t asked = 0;
    struct cell *cells = arena_allocate_zeroed(arena, (size_t)count * width + 1, sizeof(*cells));
    struct retry retry;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || compare_keys(&keys[i - 1], &keys[i]) != 0) {
            memcpy(&cells[(size_t)asked++ * width], keys[i]->cells, width * sizeof(*cells));
        }
    }
    retry_init(&retry, session_patience_ms(run->session));
    enum status status;
    do {
        status = target->connector->target->fetch(target, table, cells, asked, answer, error);
    } while (status == STATUS_FAILED && retry_wait(&retry, error));
    return status;
}

static void assign(struct before_key *const *keys, uint32_t count, const struct before_key *found)
{
    struct before_key *const *end = keys + count;
    struct before_key *const *at =
        bsearch(&found, keys, count, sizeof(struct before_key *), compare_keys);
    while (at != NULL && at > keys && compare_keys(&at[-1], &found) == 0) {
        at--;
    }
    for (; at != NULL && at < end && compare_keys(at, &found) == 0; at++) {
        (*at)->found = found->found;
        (*at)->found_ends = found->found_ends;
    }
}

enum status before_find(struct run *run, const struct target_table *table,
                        struct before_key *const *keys, uint32_t count, struct arena *arena,
                        struct batch **answer, struct error *error)
{
    *answer = NULL;
    if (before_find_fetch(run, table, keys, count, arena, answer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t row = 0; row < (*answer)->row_count; row++) {
        struct record_image *image = arena_allocate_zeroed(arena, 1, sizeof(*image));
        struct before_key found = {.found = image,
                                   .found_ends = before_ends_of(*answer, row, arena)};
        bool whole;
        if (record_image_make(run->session->target, NULL, *answer, row, arena, image, error) !=
                STATUS_OK ||
            record_image_key(image, table, arena, &found.cells, &found.hash, &whole, error) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
        assign(keys, count, &found);
    }
    return STATUS_OK;
}
