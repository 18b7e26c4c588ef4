/* The fate of each key of a table that is taken back: sets of keys, those that an earlier attempt
 * removed, and the count. */
#include "engine/before/before_parts.h"

#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void before_add_hash(struct before_hashes *hashes, const struct canonical_hash *hash)
{
    if (hashes->count == hashes->capacity) {
        size_t wanted = hashes->capacity == 0 ? 256 : 2 * hashes->capacity;
        hashes->items = memory_resize(hashes->items, wanted, sizeof(*hashes->items));
        hashes->capacity = wanted;
    }
    hashes->items[hashes->count++] = *hash;
}

int before_compare_hashes(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(struct canonical_hash));
}

void before_sort_hashes(struct before_hashes *hashes)
{
    if (hashes->count > 0) {
        qsort(hashes->items, hashes->count, sizeof(*hashes->items), before_compare_hashes);
    }
}

bool before_has_hash(const struct before_hashes *hashes, const struct canonical_hash *hash)
{
    return hashes->count > 0 && bsearch(hash, hashes->items, hashes->count, sizeof(*hashes->items),
                                        before_compare_hashes) != NULL;
}

/* ---- what became of each key */

static uint64_t head_of(const struct canonical_hash *hash)
{
    uint64_t head;
    memcpy(&head, hash, sizeof(head));
    return head != 0 ? head : 1;
}

void before_add_step(struct before_undoing *undoing, const struct before_line *line, bool sure)
{
    struct before_steps *steps = &undoing->steps;
    if (steps->count == steps->capacity) {
        size_t wanted = steps->capacity == 0 ? 256 : 2 * steps->capacity;
        steps->items = memory_resize(steps->items, wanted, sizeof(*steps->items));
        steps->capacity = wanted;
    }
    steps->items[steps->count] = (struct before_step){
        .key = line->key.hash,
        .number = steps->count,
        .before = line->taken ? 0 : head_of(&line->after),
        .behind = line->image.kind == VALUE_MAP ? head_of(&line->image_hash) : 0,
        .sure = sure};
    steps->count++;
}

void before_add_obstacle(struct before_undoing *undoing, struct before_hashes *hashes,
                         const struct before_line *line)
{
    before_add_hash(hashes, &line->key.hash);
    if (undoing->dry_run) {
        before_add_step(undoing, line, false);
    }
}

static int compare_steps(const void *left, const void *right)
{
    const struct before_step *a = left;
    const struct before_step *b = right;
    int order = before_compare_hashes(&a->key, &b->key);
    return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

/* Each key counts once, as what its last step made of it; those with any into `taken`. */
static void count_steps(struct before_undoing *undoing, struct before_hashes *taken)
{
    struct before_steps *steps = &undoing->steps;
    if (steps->count > 0) {
        qsort(steps->items, steps->count, sizeof(*steps->items), compare_steps);
    }
    for (size_t i = 0; i < steps->count;) {
        const struct before_step *first = &steps->items[i];
        const struct before_step *last = NULL;
        for (; i < steps->count && before_compare_hashes(&steps->items[i].key, &first->key) == 0;
             i++) {
            const struct before_step *step = &steps->items[i];
            bool reached = step->sure || (last != NULL && last->behind == step->before);
            last = reached ? step : last;
        }
        if (last != NULL) {
            undoing->counts->removed += last->behind == 0;
            undoing->counts->restored += last->behind != 0;
            before_add_hash(taken, &last->key);
        }
    }
}

/* Different ones that `taken` does not have; both are sorted. */
static uint64_t count_left(const struct before_hashes *hashes, const struct before_hashes *taken)
{
    uint64_t count = 0;
    for (size_t i = 0; i < hashes->count; i++) {
        bool again = i > 0 && before_compare_hashes(&hashes->items[i - 1], &hashes->items[i]) == 0;
        count += !again && !before_has_hash(taken, &hashes->items[i]);
    }
    return count;
}

void before_count(struct before_undoing *undoing)
{
    struct before_hashes taken = {0};
    count_steps(undoing, &taken);
    before_sort_hashes(&undoing->changed);
    before_sort_hashes(&undoing->missing);
    undoing->counts->changed = count_left(&undoing->changed, &taken);
    undoing->counts->missing = count_left(&undoing->missing, &taken);
    free(taken.items);
}

/* ---- what an earlier attempt removed */

enum status before_load_removed(struct before_undoing *undoing, struct error *error)
{
    struct canonical_hash hash;
    FILE *stream = fopen(undoing->removed_path, "re");
    if (stream == NULL) {
        return errno == ENOENT ? STATUS_OK
                               : error_set_errno(error, ERROR_STATE_INVALID, errno,
                                                 undoing->removed_path, "can't be read");
    }
    enum status status = STATUS_OK;
    while (fread(&hash, sizeof(hash), 1, stream) == 1) {
        before_add_hash(&undoing->removed, &hash);
    }
    if (ferror(stream)) {
        status = error_set_errno(error, ERROR_STATE_INVALID, errno, undoing->removed_path,
                                 "can't be read");
    }
    fclose(stream);
    before_sort_hashes(&undoing->removed);
    return status;
}

/* A hash that a full disk cut off goes, or those behind it would be read askew. */
static int cut_torn(int file)
{
    struct stat facts;
    if (fstat(file, &facts) != 0) {
        return -1;
    }
    off_t torn = facts.st_size % (off_t)sizeof(struct canonical_hash);
    return torn > 0 ? file_cut(file, facts.st_size - torn) : 0;
}

static enum status open_removed(struct before_undoing *undoing, struct error *error)
{
    undoing->removed_file = file_open(undoing->removed_path,
                                      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return undoing->removed_file >= 0 && cut_torn(undoing->removed_file) == 0
               ? STATUS_OK
               : error_set_errno(error, ERROR_STATE_WRITE, errno, undoing->removed_path,
                                 "what is removed can't be noted");
}

enum status before_note_removed(struct before_undoing *undoing, const struct canonical_hash *hashes,
                                uint32_t count, struct error *error)
{
    if (undoing->removed_file < 0 && open_removed(undoing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return file_write_all(undoing->removed_file, hashes, count * sizeof(*hashes),
                          undoing->removed_path, error);
}
