/*
 * The ledger: DIR/_transhume/<run>/ with header.json, chunks.bin, status.json, epoch, claim and
 * done.log. The folder is filled under another name and renamed, so that it is there whole or not
 * at all.
 */
#include "base/failpoint.h"
#include "base/file.h"
#include "toy_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

static const size_t file_bytes_max = 256u << 20;

const char *toy_ledger_path(struct toy_database *self, const char *run, const char *name,
                            char out[512])
{
    snprintf(out, 512, "%s/_transhume/%s%s%s", self->folder, run, *name ? "/" : "", name);
    return out;
}

static void remember_run(struct toy_database *self, const char *run_id)
{
    snprintf(self->run_id, sizeof self->run_id, "%s", run_id);
    self->run = XXH3_64bits(run_id, strlen(run_id)) | 1;
}

static void encode_chunks(const struct ledger_chunk *chunks, uint64_t count, struct buffer *out)
{
    for (uint64_t i = 0; i < count; i++) {
        const struct span *span = &chunks[i].span;
        uint32_t printable = (uint32_t)strlen(span->printable);
        uint32_t last_id = span->last_id ? (uint32_t)strlen(span->last_id) : UINT32_MAX;
        buffer_append(out, &chunks[i].number, 8);
        buffer_append(out, &chunks[i].stream, 4);
        buffer_append(out, &span->row_estimate, 8);
        buffer_append(out, &span->bounds_length, 4);
        buffer_append(out, &printable, 4);
        buffer_append(out, &last_id, 4);
        buffer_append(out, span->bounds, span->bounds_length);
        buffer_append(out, span->printable, printable);
        buffer_append(out, span->last_id, last_id == UINT32_MAX ? 0 : last_id);
    }
}

static enum status toy_create(struct database *database, const char *run_id, const char *header,
                              const char *status_text, const struct ledger_chunk *chunks,
                              uint64_t chunk_count, struct error *error)
{
    struct toy_database *self = toy_of(database);
    struct buffer encoded = {0};
    char name[128];
    char path[512];
    char final[512];
    snprintf(name, sizeof name, "new-%s", run_id);
    encode_chunks(chunks, chunk_count, &encoded);
    enum status status = encoded.failed
                             ? error_set(error, ERROR_MEMORY, run_id, "no memory for the ledger")
                             : file_remove_tree(toy_ledger_path(self, name, "", path), error);
    if (status == STATUS_OK) {
        status = file_make_folder(path, error);
    }
    const struct {
        const char *name;
        const char *bytes;
        size_t length;
    } files[] = {{"header.json", header, strlen(header)},
                 {"status.json", status_text, strlen(status_text)},
                 {"chunks.bin", encoded.data ? encoded.data : "", encoded.length},
                 {"epoch", "0", 1},
                 {"done.log", "", 0}};
    for (size_t i = 0; i < sizeof files / sizeof *files && status == STATUS_OK; i++) {
        status = file_write_atomic(toy_ledger_path(self, name, files[i].name, path), files[i].bytes,
                                   files[i].length, NULL, error);
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("toy.before_publish", error);
    }
    if (status == STATUS_OK && rename(toy_ledger_path(self, name, "", path),
                                      toy_ledger_path(self, run_id, "", final)) != 0) {
        status = error_set_errno(error, ERROR_TARGET_WRITE, errno, final,
                                 "publishing the ledger failed");
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("toy.after_create", error);
        remember_run(self, run_id);
    }
    buffer_free(&encoded);
    return status;
}

/* The newest run's name: ids sort by time. STATUS_END: there is none. */
static enum status newest_run(struct toy_database *self, struct arena *arena, const char **run)
{
    char path[512];
    DIR *folder = opendir(toy_ledger_path(self, "", "", path));
    *run = NULL;
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        bool hidden = entry->d_name[0] == '.' || strncmp(entry->d_name, "new-", 4) == 0 ||
                      strncmp(entry->d_name, "lock", 4) == 0;
        if (!hidden && (!*run || strcmp(entry->d_name, *run) > 0)) {
            *run = arena_copy_string(arena, entry->d_name);
        }
    }
    if (folder) {
        closedir(folder);
    }
    return *run ? STATUS_OK : STATUS_END;
}

static enum status damaged(const char *path, struct error *error)
{
    return error_set(error, ERROR_LEDGER_INVALID, path, "the ledger is damaged");
}

static enum status read_file(const char *path, struct arena *arena, char **bytes, size_t *length,
                             struct error *error)
{
    enum status status = file_read_all(path, file_bytes_max, arena, bytes, length, error);
    return status == STATUS_END ? damaged(path, error) : status;
}

static enum status decode_chunks(const char *path, const char *bytes, size_t length,
                                 struct arena *arena, struct ledger_run *run, struct error *error)
{
    enum { HEAD = 32 };
    size_t at = 0;
    run->chunks = arena_allocate_zeroed(arena, length / HEAD + 1, sizeof *run->chunks);
    while (run->chunks && at < length) {
        struct ledger_chunk *chunk = &run->chunks[run->chunk_count++];
        uint32_t printable;
        uint32_t last_id;
        if (length - at < HEAD) {
            return damaged(path, error);
        }
        memcpy(&chunk->number, bytes + at, 8);
        memcpy(&chunk->stream, bytes + at + 8, 4);
        memcpy(&chunk->span.row_estimate, bytes + at + 12, 8);
        memcpy(&chunk->span.bounds_length, bytes + at + 20, 4);
        memcpy(&printable, bytes + at + 24, 4);
        memcpy(&last_id, bytes + at + 28, 4);
        at += HEAD;
        uint32_t last_length = last_id == UINT32_MAX ? 0 : last_id;
        if ((uint64_t)chunk->span.bounds_length + printable + last_length > length - at) {
            return damaged(path, error);
        }
        chunk->span.bounds =
            (const uint8_t *)arena_copy(arena, bytes + at, chunk->span.bounds_length);
        at += chunk->span.bounds_length;
        chunk->span.printable = arena_copy(arena, bytes + at, printable);
        at += printable;
        chunk->span.last_id = last_id == UINT32_MAX ? NULL : arena_copy(arena, bytes + at, last_id);
        at += last_length;
    }
    return run->chunks ? STATUS_OK
                       : error_set(error, ERROR_MEMORY, path, "no memory for the chunk list");
}

/* done.log: u64 chunk | u64 epoch | u32 length | u64 sum of the text | text; a torn end is no
 * mark. */
static enum status decode_done(const char *bytes, size_t length, struct arena *arena,
                               struct ledger_run *run, struct error *error)
{
    enum { HEAD = 28 };
    size_t at = 0;
    run->done = arena_allocate_zeroed(arena, length / HEAD + 1, sizeof *run->done);
    if (!run->done) {
        return error_set(error, ERROR_MEMORY, run->id, "no memory for the done marks");
    }
    while (length - at >= HEAD) {
        struct done_mark mark;
        uint32_t size;
        uint64_t sum;
        memcpy(&mark.chunk, bytes + at, 8);
        memcpy(&mark.epoch, bytes + at + 8, 8);
        memcpy(&size, bytes + at + 16, 4);
        memcpy(&sum, bytes + at + 20, 8);
        if (size > length - at - HEAD || XXH3_64bits(bytes + at + HEAD, size) != sum) {
            break;
        }
        mark.text = arena_copy(arena, bytes + at + HEAD, size);
        at += HEAD + size;
        uint64_t slot = 0;
        while (slot < run->done_count && run->done[slot].chunk != mark.chunk) {
            slot++;
        }
        run->done_count += slot == run->done_count;
        run->done[slot] = mark;
    }
    /* A mark without text takes an earlier one back. */
    uint64_t kept = 0;
    for (uint64_t i = 0; i < run->done_count; i++) {
        if (*run->done[i].text) {
            run->done[kept++] = run->done[i];
        }
    }
    run->done_count = kept;
    return STATUS_OK;
}

static enum status toy_load(struct database *database, const char *run_id, struct arena *arena,
                            struct ledger_run **run, struct error *error)
{
    struct toy_database *self = toy_of(database);
    struct ledger_run *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    char path[512];
    char *text;
    size_t length;
    if (!made) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the ledger");
    }
    if (!run_id) {
        enum status found = newest_run(self, arena, &run_id);
        if (found != STATUS_OK) {
            return found;
        }
    } else if (!file_exists(toy_ledger_path(self, run_id, "", path))) {
        return STATUS_END;
    }
    made->id = arena_copy_string(arena, run_id);
    enum status status =
        read_file(toy_ledger_path(self, run_id, "header.json", path), arena, &text, &length, error);
    made->header = text;
    if (status == STATUS_OK) {
        status = read_file(toy_ledger_path(self, run_id, "status.json", path), arena, &text,
                           &length, error);
        made->status = text;
    }
    if (status == STATUS_OK) {
        status =
            read_file(toy_ledger_path(self, run_id, "epoch", path), arena, &text, &length, error);
        made->epoch = status == STATUS_OK ? strtoull(text, NULL, 10) : 0;
    }
    if (status == STATUS_OK) {
        status = read_file(toy_ledger_path(self, run_id, "chunks.bin", path), arena, &text, &length,
                           error);
    }
    if (status == STATUS_OK) {
        status = decode_chunks(path, text, length, arena, made, error);
    }
    if (status == STATUS_OK) {
        status = read_file(toy_ledger_path(self, run_id, "done.log", path), arena, &text, &length,
                           error);
    }
    if (status == STATUS_OK) {
        status = decode_done(text, length, arena, made, error);
    }
    *run = made;
    return status;
}

enum status toy_read_epoch(struct toy_database *self, const char *run_id, uint64_t *epoch,
                           struct error *error)
{
    char path[512];
    char *text;
    size_t length;
    struct arena *arena = arena_create(1024);
    enum status status = arena ? read_file(toy_ledger_path(self, run_id, "epoch", path), arena,
                                           &text, &length, error)
                               : error_set(error, ERROR_MEMORY, NULL, "no memory");
    if (status == STATUS_OK) {
        *epoch = strtoull(text, NULL, 10);
    }
    arena_destroy(arena);
    return status;
}

enum status toy_write_epoch(struct toy_database *self, const char *run_id, uint64_t epoch,
                            struct error *error)
{
    char path[512];
    char text[32];
    int length = snprintf(text, sizeof text, "%" PRIu64, epoch);
    return file_write_atomic(toy_ledger_path(self, run_id, "epoch", path), text, (size_t)length,
                             NULL, error);
}

/* Cuts a torn end of done.log off, so that later marks are read. */
static enum status mend_done(struct toy_database *self, const char *run_id, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct ledger_run *run;
    char path[512];
    enum status status = arena ? toy_load(&self->base, run_id, arena, &run, error)
                               : error_set(error, ERROR_MEMORY, NULL, "no memory");
    struct buffer out = {0};
    for (uint64_t i = 0; status == STATUS_OK && i < run->done_count; i++) {
        uint32_t size = (uint32_t)strlen(run->done[i].text);
        uint64_t sum = XXH3_64bits(run->done[i].text, size);
        buffer_append(&out, &run->done[i].chunk, 8);
        buffer_append(&out, &run->done[i].epoch, 8);
        buffer_append(&out, &size, 4);
        buffer_append(&out, &sum, 8);
        buffer_append(&out, run->done[i].text, size);
    }
    if (status == STATUS_OK) {
        status = file_write_atomic(toy_ledger_path(self, run_id, "done.log", path),
                                   out.data ? out.data : "", out.length, NULL, error);
    }
    buffer_free(&out);
    arena_destroy(arena);
    return status;
}

enum status toy_mend(struct toy_database *self, const char *run_id, struct error *error)
{
    enum status status = mend_done(self, run_id, error);
    if (status == STATUS_OK) {
        status = toy_log_mend(self, error);
        remember_run(self, run_id);
    }
    return status;
}

enum status toy_check_epoch(struct toy_database *self, uint64_t ours, struct error *error)
{
    uint64_t epoch = 0;
    enum status status = toy_read_epoch(self, self->run_id, &epoch, error);
    if (status == STATUS_OK && epoch != ours) {
        return error_set(error, ERROR_RUN_FENCED, self->run_id,
                         "attempt %" PRIu64 " has taken the run over", epoch);
    }
    return status;
}

static enum status append_done(struct toy_database *self, uint64_t chunk, uint64_t epoch,
                               const char *text, struct error *error)
{
    char path[512];
    struct buffer out = {0};
    uint32_t size = (uint32_t)strlen(text);
    uint64_t sum = XXH3_64bits(text, size);
    buffer_append(&out, &chunk, 8);
    buffer_append(&out, &epoch, 8);
    buffer_append(&out, &size, 4);
    buffer_append(&out, &sum, 8);
    buffer_append(&out, text, size);
    int log = open(toy_ledger_path(self, self->run_id, "done.log", path),
                   O_WRONLY | O_APPEND | O_CLOEXEC);
    enum status status = log < 0 ? error_set_errno(error, ERROR_LEDGER_INVALID, errno, path,
                                                   "opening the done marks failed")
                                 : file_write_all(log, out.data, out.length, path, error);
    if (log >= 0) {
        close(log);
    }
    buffer_free(&out);
    return status;
}

enum status toy_write_mark(struct toy_database *self, const struct done_mark *mark,
                           struct error *error)
{
    return append_done(self, mark->chunk, mark->epoch, mark->text, error);
}

static enum status toy_set_status(struct database *database, const char *run_id, uint64_t epoch,
                                  const char *status_text, struct error *error)
{
    struct toy_database *self = toy_of(database);
    char path[512];
    remember_run(self, run_id);
    enum status status = toy_check_epoch(self, epoch, error);
    status = status == STATUS_OK ? failpoint_hit("toy.before_status", error) : status;
    return status == STATUS_OK
               ? file_write_atomic(toy_ledger_path(self, run_id, "status.json", path), status_text,
                                   strlen(status_text), NULL, error)
               : status;
}

static enum status toy_done(struct database *database, const char *run_id, uint64_t chunk,
                            struct arena *arena, struct done_mark *mark, struct error *error)
{
    struct ledger_run *run;
    enum status status = toy_load(database, run_id, arena, &run, error);
    for (uint64_t i = 0; status == STATUS_OK && i < run->done_count; i++) {
        if (run->done[i].chunk == chunk) {
            *mark = run->done[i];
            return STATUS_OK;
        }
    }
    return status == STATUS_OK ? STATUS_END : status;
}

static enum status toy_reopen(struct database *database, const char *run_id, uint64_t epoch,
                              const uint64_t *chunks, uint64_t chunk_count,
                              const struct target_table *const *tables_to_empty,
                              uint32_t table_count, struct error *error)
{
    struct toy_database *self = toy_of(database);
    remember_run(self, run_id);
    enum status status = toy_check_epoch(self, epoch, error);
    struct buffer out = {0};
    for (uint32_t i = 0; i < table_count; i++) {
        struct toy_entry entry = {
            .kind = TOY_EMPTY,
            .run = self->run,
            .table = tables_to_empty[i]->name,
            .table_length = (uint32_t)strlen(tables_to_empty[i]->name),
        };
        toy_entry_append(&entry, &out);
    }
    status = status == STATUS_OK ? failpoint_hit("toy.before_reopen", error) : status;
    status = status == STATUS_OK ? toy_log_write(self, &out, error) : status;
    buffer_free(&out);
    status = status == STATUS_OK ? failpoint_hit("toy.after_empty", error) : status;
    for (uint64_t i = 0; i < chunk_count && status == STATUS_OK; i++) {
        status = append_done(self, chunks[i], epoch, "", error);
    }
    return status;
}

const struct ledger_functions toy_ledger = {
    .create = toy_create,
    .load = toy_load,
    .claim = toy_claim,
    .renew = toy_renew,
    .set_status = toy_set_status,
    .done = toy_done,
    .reopen = toy_reopen,
    .release = toy_release,
};
