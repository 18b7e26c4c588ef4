/*
 * External merge sort of entries in place, as they stand in a part's file: pieces of run_bytes are
 * sorted in memory and written one behind another, then up to MERGE_WAYS of them at a time merged
 * into one, until one is left. Entries that are equal become one with their count. Files are
 * mapped, and what was read goes out of memory: an entry may be larger than all that is to be held.
 */
#include "verify/spill.h"

#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MERGE_WAYS = 64, PENDING_BYTES = 256 << 10, PATH_BYTES = 4096 };

/* A file of sorted runs. */
struct runs {
    int file;
    uint64_t length;
    uint64_t *ends; /* of each run */
    uint32_t count;
    char path[PATH_BYTES];
    /* while it is written */
    struct buffer pending;
    const struct spill_head *held; /* not yet written: equal ones may follow */
    uint64_t held_count;
};

/* Nameless, so that nothing of it is left behind. */
static enum status runs_create(struct runs *runs, const char *folder, struct error *error)
{
    *runs = (struct runs){.file = -1};
    int length = snprintf(runs->path, sizeof(runs->path), "%s/sorting", folder);
    if (length < 0 || length >= (int)sizeof(runs->path)) {
        return error_set(error, ERROR_STATE_WRITE, folder, "its path is too long to sort in");
    }
    unlink(runs->path); /* of a process that was killed before it could */
    runs->file = open(runs->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (runs->file < 0 || unlink(runs->path) != 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, runs->path,
                               "can't sort records to be compared");
    }
    return STATUS_OK;
}

static void runs_close(struct runs *runs)
{
    if (runs->file >= 0) {
        close(runs->file);
    }
    free(runs->ends);
    buffer_free(&runs->pending);
    *runs = (struct runs){.file = -1};
}

/* ---------------------------------------------------------------- writing */

static enum status spill_sort_flush(struct runs *runs, struct error *error)
{
    enum status status =
        file_write_all(runs->file, runs->pending.data, runs->pending.length, runs->path, error);
    buffer_clear(&runs->pending);
    return status;
}

static enum status write_held(struct runs *runs, struct error *error)
{
    if (runs->held == NULL) {
        return STATUS_OK;
    }
    struct spill_head head = *runs->held;
    size_t rest = head.length - sizeof(head);
    head.count = runs->held_count;
    buffer_append(&runs->pending, &head, sizeof(head));
    bool is_long = rest > PENDING_BYTES;
    if (!is_long) {
        buffer_append(&runs->pending, runs->held + 1, rest);
    }
    enum status status = STATUS_OK;
    if (is_long || runs->pending.length >= PENDING_BYTES) {
        status = spill_sort_flush(runs, error);
    }
    if (is_long && status == STATUS_OK) {
        status = file_write_all(runs->file, runs->held + 1, rest, runs->path, error);
    }
    runs->length += head.length;
    runs->held = NULL;
    return status;
}

/* The entry stands until the run is ended, or the next that is not equal put. */
static enum status spill_sort_put(struct runs *runs, const struct spill_head *entry,
                                  struct error *error)
{
    if (runs->held != NULL && spill_compare(runs->held, entry) == 0) {
        runs->held_count += entry->count;
        return STATUS_OK;
    }
    enum status status = write_held(runs, error);
    runs->held = entry;
    runs->held_count = entry->count;
    return status;
}

static enum status end_run(struct runs *runs, struct error *error)
{
    runs->ends = memory_resize(runs->ends, runs->count + 1u, sizeof(*runs->ends));
    if (write_held(runs, error) != STATUS_OK || spill_sort_flush(runs, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    runs->ends[runs->count++] = runs->length;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- pieces */

/* Where the piece ends that begins at `from`: it has one entry at least. */
static uint64_t piece_end(const struct spill_list *list, uint64_t from, uint64_t run_bytes)
{
    uint64_t at = from;
    while (at < list->end && at - from < run_bytes) {
        at += spill_entry(list->bytes, at)->length;
    }
    return at;
}

static enum status sort_piece(const char *bytes, uint64_t length,
                              const struct spill_options *options, struct runs *to,
                              struct error *error)
{
    struct spill_list piece;
    spill_list_sort(bytes, length, options, &piece);
    enum status status = STATUS_OK;
    for (uint64_t i = 0; i < piece.end && status == STATUS_OK; i++) {
        status = spill_sort_put(to, piece.entries[i], error);
    }
    if (status == STATUS_OK && piece.end > 0) {
        status = end_run(to, error);
    }
    free(piece.entries);
    return status;
}

static enum status sort_pieces(const struct spill_list *from, uint64_t run_bytes,
                               const struct spill_options *options, struct runs *to,
                               struct error *error)
{
    enum status status = STATUS_OK;
    for (uint64_t at = 0; at < from->end && status == STATUS_OK;) {
        uint64_t end = piece_end(from, at, run_bytes);
        status = sort_piece(from->bytes + at, end - at, options, to, error);
        spill_let_go(from->bytes, at, end);
        at = end;
    }
    return status;
}

/* ---------------------------------------------------------------- merging */

/* Puts the first of a heap, of which the least entry is first, where it belongs. */
static void sift_down(struct spill_cursor *ways, uint32_t count)
{
    uint32_t at = 0;
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (spill_compare(spill_peek(&ways[child]), spill_peek(&ways[least])) < 0) {
                least = child;
            }
        }
        if (least == at) {
            return;
        }
        struct spill_cursor moved = ways[at];
        ways[at] = ways[least];
        ways[least] = moved;
        at = least;
    }
}

static enum status merge_ways(struct spill_cursor *ways, uint32_t count, struct runs *to,
                              struct error *error)
{
    enum status status = STATUS_OK;
    while (count > 0 && status == STATUS_OK) {
        status = spill_sort_put(to, spill_peek(&ways[0]), error);
        spill_skip(&ways[0]);
        if (spill_peek(&ways[0]) == NULL) {
            ways[0] = ways[--count];
        }
        sift_down(ways, count);
    }
    return status == STATUS_OK ? end_run(to, error) : status;
}

static enum status spill_sort_merge(const struct spill_list *from, const struct runs *runs,
                                    struct runs *to, struct error *error)
{
    struct spill_cursor ways[MERGE_WAYS];
    enum status status = STATUS_OK;
    uint64_t begin = 0;
    for (uint32_t i = 0; i < runs->count && status == STATUS_OK;) {
        uint32_t count = 0;
        for (; count < MERGE_WAYS && i < runs->count; i++) {
            /* by sorting in: a sorted row is a heap */
            struct spill_cursor way = {
                .list = from, .at = begin, .end = runs->ends[i], .held_from = begin};
            uint32_t place = count++;
            for (; place > 0 && spill_compare(spill_peek(&way), spill_peek(&ways[place - 1])) < 0;
                 place--) {
                ways[place] = ways[place - 1];
            }
            ways[place] = way;
            begin = runs->ends[i];
        }
        status = merge_ways(ways, count, to, error);
    }
    return status;
}

/* ---------------------------------------------------------------- the whole */

/* `from` becomes what one step makes of it: the first sorts, all others (`run_bytes` 0) merge. */
static enum status spill_sort_step(const char *folder, struct runs *from, uint64_t run_bytes,
                                   const struct spill_options *options, struct error *error)
{
    struct runs to = {.file = -1};
    void *bytes = mmap(NULL, from->length, PROT_READ, MAP_PRIVATE, from->file, 0);
    if (bytes == MAP_FAILED) {
        return error_set_errno(error, ERROR_STATE_INVALID, errno, folder,
                               "can't read the records to be compared");
    }
    const struct spill_list list = {.bytes = bytes, .end = from->length};
    enum status status = runs_create(&to, folder, error);
    if (status == STATUS_OK) {
        status = run_bytes == 0 ? spill_sort_merge(&list, from, &to, error)
                                : sort_pieces(&list, run_bytes, options, &to, error);
    }
    munmap(bytes, from->length);
    if (status != STATUS_OK) {
        runs_close(&to);
        return status;
    }
    if (!options->kept) {
        int ignored = ftruncate(from->file, 0); /* a part has a name, and stands until the end */
        (void)ignored;
    }
    runs_close(from);
    *from = to;
    return STATUS_OK;
}

enum status spill_sort_file(const char *folder, uint64_t run_bytes,
                            const struct spill_options *options, int *file, uint64_t *bytes,
                            struct error *error)
{
    struct runs runs = {.file = *file, .length = *bytes};
    enum status status = spill_sort_step(folder, &runs, run_bytes, options, error);
    while (status == STATUS_OK && runs.count > 1) {
        status = spill_sort_step(folder, &runs, 0, options, error);
    }
    *file = runs.file;
    *bytes = runs.length;
    runs.file = -1;
    runs_close(&runs);
    return status;
}
