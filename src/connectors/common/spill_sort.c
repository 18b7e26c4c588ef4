/*
 * External merge sort. A run file is a row of strings, each a uint32 length (this machine's order:
 * no other reads it) and its bytes. At most MERGE_WAYS runs are read at once; more are merged into
 * one first.
 */
#include "connectors/common/spill_sort.h"

#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MERGE_WAYS = 64, RUN_BUFFER_BYTES = 64 * 1024, PATH_BYTES = 4096 };

struct string {
    const uint8_t *bytes;
    uint32_t length;
};

/* A run being read, or being written. */
struct run {
    int descriptor;
    uint32_t number; /* in the file's name */
    uint8_t *buffer;
    size_t capacity;
    size_t used;
    size_t filled;
    struct string head;
};

struct spill_sorter {
    char *prefix;
    uint8_t *memory;
    size_t memory_bytes;
    size_t used; /* strings from the beginning, places from the end */
    size_t count;
    uint32_t first_run; /* runs first_run .. next_run-1 exist as files */
    uint32_t next_run;
    struct run *runs; /* those being merged, the least head first (a heap) */
    uint32_t run_count;
    size_t given; /* in memory only: how many were given */
    bool pending; /* the head of runs[0] was given */
};

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory to sort");
}

static int spill_sort_compare(const struct string *left, const struct string *right)
{
    uint32_t least = left->length < right->length ? left->length : right->length;
    int order = memcmp(left->bytes, right->bytes, least);
    if (order == 0 && left->length != right->length) {
        return left->length < right->length ? -1 : 1;
    }
    return order;
}

static int compare_strings(const void *left, const void *right)
{
    return spill_sort_compare((const struct string *)left, (const struct string *)right);
}

struct spill_sorter *spill_sorter_create(const char *prefix, size_t memory_bytes)
{
    struct spill_sorter *made = (struct spill_sorter *)memory_allocate_zeroed(1, sizeof(*made));
    made->prefix = memory_copy_string(prefix);
    made->memory_bytes = memory_bytes & ~(size_t)15;
    made->memory = (uint8_t *)memory_allocate(made->memory_bytes);
    return made;
}

static bool run_path(const struct spill_sorter *sorter, uint32_t number, char path[PATH_BYTES])
{
    int length = snprintf(path, PATH_BYTES, "%s.%u", sorter->prefix, number);
    return length > 0 && length < PATH_BYTES;
}

static enum status too_long_path(const struct spill_sorter *sorter, struct error *error)
{
    return error_set(error, ERROR_INTERNAL, sorter->prefix, "a path too long for sorted runs");
}

static void close_run(struct spill_sorter *sorter, struct run *run)
{
    char path[PATH_BYTES];
    if (run->descriptor >= 0) {
        close(run->descriptor);
    }
    free(run->buffer);
    if (run_path(sorter, run->number, path)) {
        unlink(path);
    }
    *run = (struct run){.descriptor = -1};
}

void spill_sorter_destroy(struct spill_sorter *sorter)
{
    char path[PATH_BYTES];
    if (sorter == NULL) {
        return;
    }
    for (uint32_t at = 0; at < sorter->run_count; at++) {
        close_run(sorter, &sorter->runs[at]);
    }
    for (uint32_t at = sorter->first_run; at < sorter->next_run; at++) {
        if (run_path(sorter, at, path)) {
            unlink(path);
        }
    }
    free(sorter->runs);
    free(sorter->memory);
    free(sorter->prefix);
    free(sorter);
}

/* ---------------------------------------------------------------- writing runs */

static enum status create_run(struct spill_sorter *sorter, struct run *run, struct error *error)
{
    char path[PATH_BYTES];
    *run = (struct run){.descriptor = -1, .number = sorter->next_run};
    run->capacity = RUN_BUFFER_BYTES;
    if (!run_path(sorter, run->number, path)) {
        return too_long_path(sorter, error);
    }
    run->buffer = (uint8_t *)memory_allocate(run->capacity);
    run->descriptor =
        file_open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (run->descriptor < 0) {
        free(run->buffer);
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, path, "can't create a sorted run");
    }
    sorter->next_run++;
    return STATUS_OK;
}

static enum status flush_run(const struct spill_sorter *sorter, struct run *run,
                             struct error *error)
{
    enum status status =
        file_write_all(run->descriptor, run->buffer, run->used, sorter->prefix, error);
    run->used = 0;
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    return status;
}

static enum status write_string(const struct spill_sorter *sorter, struct run *run,
                                const struct string *string, struct error *error)
{
    size_t whole = sizeof(string->length) + string->length;
    if (run->used + whole > run->capacity && flush_run(sorter, run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (whole > run->capacity) {
        uint8_t *grown = (uint8_t *)realloc(run->buffer, whole);
        if (grown == NULL) {
            return no_memory(error);
        }
        run->buffer = grown;
        run->capacity = whole;
    }
    memcpy(run->buffer + run->used, &string->length, sizeof(string->length));
    if (string->length > 0) {
        memcpy(run->buffer + run->used + sizeof(string->length), string->bytes, string->length);
    }
    run->used += whole;
    return STATUS_OK;
}

/* Closes the written run but leaves its file. */
static enum status end_run(const struct spill_sorter *sorter, struct run *run, enum status status,
                           struct error *error)
{
    if (status == STATUS_OK) {
        status = flush_run(sorter, run, error);
    }
    close(run->descriptor);
    free(run->buffer);
    return status;
}

static struct string *strings_of(const struct spill_sorter *sorter)
{
    return (struct string *)(void *)(sorter->memory + sorter->memory_bytes) - sorter->count;
}

static enum status spill(struct spill_sorter *sorter, struct error *error)
{
    struct run run;
    struct string *strings = strings_of(sorter);
    if (sorter->count == 0) {
        return STATUS_OK;
    }
    if (create_run(sorter, &run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    qsort(strings, sorter->count, sizeof(*strings), compare_strings);
    enum status status = STATUS_OK;
    for (size_t at = 0; at < sorter->count && status == STATUS_OK; at++) {
        status = write_string(sorter, &run, &strings[at], error);
    }
    sorter->used = 0;
    sorter->count = 0;
    return end_run(sorter, &run, status, error);
}

enum status spill_sorter_add(struct spill_sorter *sorter, const void *bytes, size_t length,
                             struct error *error)
{
    size_t needed = length + (sorter->count + 1) * sizeof(struct string);
    if (length > sorter->memory_bytes / 4) {
        return error_set(error, ERROR_INTERNAL, NULL, "a string too long to sort");
    }
    if (sorter->used + needed > sorter->memory_bytes && spill(sorter, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (length > 0) {
        memcpy(sorter->memory + sorter->used, bytes, length);
    }
    sorter->count++;
    *strings_of(sorter) = (struct string){sorter->memory + sorter->used, (uint32_t)length};
    sorter->used += length;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- merging */

/* Makes `wanted` unread bytes be in the buffer; false in `enough` at the end of the file. */
static enum status fill_run(struct run *run, size_t wanted, bool *enough, struct error *error)
{
    memmove(run->buffer, run->buffer + run->used, run->filled - run->used);
    run->filled -= run->used;
    run->used = 0;
    if (wanted > run->capacity) {
        uint8_t *grown = (uint8_t *)realloc(run->buffer, wanted);
        if (grown == NULL) {
            return no_memory(error);
        }
        run->buffer = grown;
        run->capacity = wanted;
    }
    while (run->filled < wanted) {
        ssize_t got =
            file_read(run->descriptor, run->buffer + run->filled, run->capacity - run->filled);
        if (got < 0) {
            return error_set_errno(error, ERROR_TARGET_INVALID, errno, NULL,
                                   "can't read a sorted run");
        }
        if (got == 0) {
            break;
        }
        run->filled += (size_t)got;
    }
    *enough = run->filled >= wanted;
    return STATUS_OK;
}

static enum status read_head(struct run *run, struct error *error)
{
    uint32_t length = 0;
    bool enough = true;
    if (run->filled - run->used < sizeof(length) &&
        fill_run(run, sizeof(length), &enough, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!enough && run->filled == 0) {
        return STATUS_END;
    }
    if (enough) {
        memcpy(&length, run->buffer + run->used, sizeof(length));
        if (run->filled - run->used < sizeof(length) + length &&
            fill_run(run, sizeof(length) + length, &enough, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (!enough) {
        return error_set(error, ERROR_TARGET_INVALID, NULL, "a sorted run ends too early");
    }
    run->head = (struct string){run->buffer + run->used + sizeof(length), length};
    run->used += sizeof(length) + length;
    return STATUS_OK;
}

static void sift_down(struct run *runs, uint32_t count)
{
    uint32_t at = 0;
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (spill_sort_compare(&runs[child].head, &runs[least].head) < 0) {
                least = child;
            }
        }
        if (least == at) {
            return;
        }
        struct run moved = runs[at];
        runs[at] = runs[least];
        runs[least] = moved;
        at = least;
    }
}

static void sift_up(struct run *runs, uint32_t at)
{
    while (at > 0 && spill_sort_compare(&runs[at].head, &runs[(at - 1) / 2].head) < 0) {
        struct run moved = runs[at];
        runs[at] = runs[(at - 1) / 2];
        runs[(at - 1) / 2] = moved;
        at = (at - 1) / 2;
    }
}

static enum status open_run(struct spill_sorter *sorter, uint32_t number, struct error *error)
{
    char path[PATH_BYTES];
    struct run *run = &sorter->runs[sorter->run_count];
    *run = (struct run){.descriptor = -1, .number = number, .capacity = RUN_BUFFER_BYTES};
    if (!run_path(sorter, number, path)) {
        return too_long_path(sorter, error);
    }
    run->buffer = (uint8_t *)memory_allocate(run->capacity);
    run->descriptor = file_open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0);
    if (run->descriptor < 0) {
        free(run->buffer);
        return error_set_errno(error, ERROR_TARGET_INVALID, errno, path, "can't open a sorted run");
    }
    enum status status = read_head(run, error);
    if (status != STATUS_OK) {
        close_run(sorter, run);
        return status == STATUS_END ? STATUS_OK : status;
    }
    sorter->run_count++;
    sift_up(sorter->runs, sorter->run_count - 1);
    return STATUS_OK;
}

static enum status open_runs(struct spill_sorter *sorter, struct error *error)
{
    for (uint32_t ways = 0; ways < MERGE_WAYS && sorter->first_run < sorter->next_run; ways++) {
        if (open_run(sorter, sorter->first_run, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        sorter->first_run++;
    }
    return STATUS_OK;
}

static enum status next_merged(struct spill_sorter *sorter, struct string *string,
                               struct error *error)
{
    if (sorter->pending) {
        sorter->pending = false;
        enum status status = read_head(&sorter->runs[0], error);
        if (status == STATUS_FAILED) {
            return status;
        }
        if (status == STATUS_END) {
            close_run(sorter, &sorter->runs[0]);
            sorter->runs[0] = sorter->runs[--sorter->run_count];
        }
        sift_down(sorter->runs, sorter->run_count);
    }
    if (sorter->run_count == 0) {
        return STATUS_END;
    }
    *string = sorter->runs[0].head;
    sorter->pending = true;
    return STATUS_OK;
}

/* MERGE_WAYS runs become one, the last. */
static enum status merge_once(struct spill_sorter *sorter, struct error *error)
{
    struct run run;
    struct string string;
    if (open_runs(sorter, error) != STATUS_OK || create_run(sorter, &run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    while ((status = next_merged(sorter, &string, error)) == STATUS_OK) {
        status = write_string(sorter, &run, &string, error);
        if (status != STATUS_OK) {
            break;
        }
    }
    return end_run(sorter, &run, status == STATUS_END ? STATUS_OK : status, error);
}

enum status spill_sorter_finish(struct spill_sorter *sorter, struct error *error)
{
    if (sorter->next_run == 0) {
        if (sorter->count > 0) {
            qsort(strings_of(sorter), sorter->count, sizeof(struct string), compare_strings);
        }
        return STATUS_OK;
    }
    sorter->runs = (struct run *)memory_allocate_zeroed(MERGE_WAYS, sizeof(*sorter->runs));
    if (spill(sorter, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    free(sorter->memory);
    sorter->memory = NULL;
    while (sorter->next_run - sorter->first_run > MERGE_WAYS) {
        if (merge_once(sorter, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return open_runs(sorter, error);
}

enum status spill_sorter_next(struct spill_sorter *sorter, const uint8_t **bytes, size_t *length,
                              struct error *error)
{
    struct string string;
    if (sorter->next_run > 0) {
        enum status status = next_merged(sorter, &string, error);
        if (status != STATUS_OK) {
            return status;
        }
    } else if (sorter->given < sorter->count) {
        string = strings_of(sorter)[sorter->given++];
    } else {
        return STATUS_END;
    }
    *bytes = string.bytes;
    *length = string.length;
    return STATUS_OK;
}
