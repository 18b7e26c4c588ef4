/* The ledger of a folder: runs, their claim and their chunks, in DIR/_transhume. */
#include "connectors/folder/folder.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/text.h"
#include "connectors/folder/folder_ledger.h"
#include "connectors/folder/folder_rollback.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct folder *of(struct database *self)
{
    return (struct folder *)self;
}

enum status folder_ledger_no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for the ledger");
}

char *folder_ledger_run_folder(struct arena *arena, const struct folder *folder, const char *run_id)
{
    char *safe = file_safe_name(arena, run_id, strlen(run_id));
    return safe != NULL ? arena_format(arena, "%s/_transhume/run-%s", folder->path, safe) : NULL;
}

/* ---------------------------------------------------------------- epoch */

static enum status read_epoch(const char *run_folder, const char *run_id, uint64_t *epoch,
                              struct error *error)
{
    struct arena *arena = arena_create(1024);
    char *path = arena != NULL ? file_join(arena, run_folder, "epoch") : NULL;
    char *text = NULL;
    size_t length = 0;
    enum status status =
        path == NULL ? folder_ledger_no_memory(error)
                     : folder_sealed_read(path, "epoch", run_id, arena, &text, &length, error);
    if (status == STATUS_END) {
        status = error_set(error, ERROR_LEDGER_INVALID, path, "the run's epoch is missing");
    }
    if (status == STATUS_OK && (length < 2 || text[length - 1] != '\n' ||
                                text_to_uint64(text, length - 1, epoch) != STATUS_OK)) {
        status = error_set(error, ERROR_LEDGER_INVALID, path, "the run's epoch is no number");
    }
    arena_destroy(arena);
    return status;
}

static enum status write_epoch(const char *run_folder, const char *run_id, uint64_t epoch,
                               struct error *error)
{
    struct arena *arena = arena_create(1024);
    char *path = arena != NULL ? file_join(arena, run_folder, "epoch") : NULL;
    char text[24];
    size_t length = text_from_uint64(epoch, text);
    text[length++] = '\n';
    enum status status = path == NULL
                             ? folder_ledger_no_memory(error)
                             : folder_sealed_write(path, "epoch", run_id, text, length,
                                                   epoch > 0 ? "files.before_epoch" : NULL, error);
    arena_destroy(arena);
    return status;
}

enum status folder_ledger_check_epoch(const struct folder_run *run, uint64_t epoch,
                                      struct error *error)
{
    uint64_t now = 0;
    if (read_epoch(run->folder, run->id, &now, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (now != epoch) {
        enum status status = error_set(error, ERROR_RUN_FENCED, run->folder,
                                       "attempt %" PRIu64 " has taken this run over; this is "
                                       "attempt %" PRIu64,
                                       now, epoch);
        error_hint(error, "let the other process finish; nothing of this chunk was kept");
        return status;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the list of runs */

static enum status visit_run(const char *path, const char *name, struct arena *arena,
                             folder_ledger_visit *visit, void *context, struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    uint64_t number = 0;
    char *number_path = arena_format(arena, "%s/%s/number", path, name);
    if (number_path == NULL) {
        return folder_ledger_no_memory(error);
    }
    enum status status = file_read_all(number_path, 4096, arena, &text, &length, error);
    if (status == STATUS_FAILED) {
        return status;
    }
    char *space = status == STATUS_OK ? strchr(text, ' ') : NULL;
    if (space == NULL || length < 2 || text[length - 1] != '\n' ||
        text_to_uint64(text, (size_t)(space - text), &number) != STATUS_OK) {
        return error_set(error, ERROR_LEDGER_INVALID, number_path,
                         "the run's number is missing or damaged");
    }
    text[length - 1] = '\0';
    char *folder_name = file_safe_name(arena, space + 1, strlen(space + 1));
    if (folder_name == NULL) {
        return folder_ledger_no_memory(error);
    }
    if (strcmp(folder_name, name + 4) != 0) {
        return error_set(error, ERROR_LEDGER_INVALID, number_path,
                         "the run's folder is named for another run");
    }
    return visit(context, number, space + 1, error);
}

enum status folder_ledger_each_run(struct folder *folder, struct arena *arena,
                                   folder_ledger_visit *visit, void *context, struct error *error)
{
    const char **names = NULL;
    uint32_t count = 0;
    char *path = folder_path(arena, folder, "");
    if (path == NULL) {
        return folder_ledger_no_memory(error);
    }
    enum status status = folder_subfolders(path, arena, &names, &count, error);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        if (strncmp(names[at], "run-", 4) == 0) {
            status = visit_run(path, names[at], arena, visit, context, error);
        }
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

struct newest {
    const char *id;
    uint64_t sequence;
};

static enum status take_newer(void *context, uint64_t number, const char *id, struct error *error)
{
    struct newest *newest = context;
    (void)error;
    if (number > newest->sequence) {
        *newest = (struct newest){.id = id, .sequence = number};
    }
    return STATUS_OK;
}

/* Runs are told apart by a number that counts up, so that no clock decides which is the newest. */
static enum status find_newest(struct folder *folder, struct arena *arena, const char **newest,
                               uint64_t *sequence, struct error *error)
{
    struct newest found = {0};
    enum status status = folder_ledger_each_run(folder, arena, take_newer, &found, error);
    *newest = found.id;
    *sequence = found.sequence;
    return status;
}

/* The engine's word for how far the run is: {"phase":"completed",…}. */
static bool says_completed(const char *text, size_t length, struct arena *arena)
{
    struct json_reader reader;
    enum json_token token = JSON_TOKEN_END;
    struct error ignored;
    json_reader_init(&reader, text, length, JSON_DEPTH_MAX, arena);
    if (json_reader_next(&reader, &token, &ignored) != STATUS_OK ||
        token != JSON_TOKEN_OBJECT_BEGIN) {
        return false;
    }
    while (json_reader_next(&reader, &token, &ignored) == STATUS_OK && token == JSON_TOKEN_KEY) {
        bool phase = reader.length == 5 && memcmp(reader.text, "phase", 5) == 0;
        if (json_reader_next(&reader, &token, &ignored) != STATUS_OK) {
            return false;
        }
        if (phase) {
            return token == JSON_TOKEN_STRING && reader.length == 9 &&
                   memcmp(reader.text, "completed", 9) == 0;
        }
        if (json_reader_skip(&reader, token, &ignored) != STATUS_OK) {
            return false;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- create */

static void append_chunks(const struct ledger_chunk *chunks, uint64_t count, struct buffer *out)
{
    for (uint64_t at = 0; at < count; at++) {
        const struct ledger_chunk *chunk = &chunks[at];
        const char *printable = chunk->span.printable != NULL ? chunk->span.printable : "";
        buffer_format(out, "{\"chunk\":%" PRIu64 ",\"stream\":%u,\"rows\":%" PRId64 ",\"span\":",
                      chunk->number, chunk->stream, chunk->span.row_estimate);
        json_append_string(out, printable, strlen(printable));
        buffer_append_string(out, ",\"bounds\":");
        json_append_base64(out, chunk->span.bounds, chunk->span.bounds_length);
        if (chunk->span.last_id != NULL) {
            buffer_append_string(out, ",\"last_id\":");
            json_append_string(out, chunk->span.last_id, strlen(chunk->span.last_id));
        }
        buffer_append_string(out, "}\n");
    }
}

static enum status write_sealed_in(const char *run_folder, const char *name, const char *run_id,
                                   const char *contents, size_t length, const char *failpoint,
                                   struct error *error)
{
    struct arena *arena = arena_create(1024);
    char *path = arena != NULL ? file_join(arena, run_folder, name) : NULL;
    enum status status =
        path == NULL ? folder_ledger_no_memory(error)
                     : folder_sealed_write(path, name, run_id, contents, length, failpoint, error);
    arena_destroy(arena);
    return status;
}

/* All of a run's files, in a folder that has not its final name yet. */
static enum status write_run(const char *building, const char *run_id, const char *header,
                             const char *status_text, const struct ledger_chunk *chunks,
                             uint64_t chunk_count, uint64_t sequence, struct error *error)
{
    struct buffer text = {0};
    struct arena *arena = arena_create(1024);
    char *number_path = arena != NULL ? file_join(arena, building, "number") : NULL;
    enum status status = STATUS_OK;
    if (number_path == NULL) {
        status = folder_ledger_no_memory(error);
        goto out;
    }
    buffer_format(&text, "%" PRIu64 " %s\n", sequence, run_id);
    status = file_write_atomic(number_path, text.data, text.length, NULL, error);
    buffer_clear(&text);
    append_chunks(chunks, chunk_count, &text);
    if (status == STATUS_OK && text.failed) {
        status = folder_ledger_no_memory(error);
    }
    if (status == STATUS_OK) {
        status = write_sealed_in(building, "chunks", run_id, text.data, text.length, NULL, error);
    }
    if (status == STATUS_OK) {
        status = write_sealed_in(building, "header", run_id, header, strlen(header), NULL, error);
    }
    if (status == STATUS_OK) {
        status = write_sealed_in(building, "status", run_id, status_text, strlen(status_text), NULL,
                                 error);
    }
    if (status == STATUS_OK) {
        status = write_epoch(building, run_id, 0, error);
    }
    if (status == STATUS_OK) {
        status = folder_done_create(building, run_id, error);
    }
out:
    buffer_free(&text);
    arena_destroy(arena);
    return status;
}

static enum status refuse_unfinished(struct folder *folder, struct arena *arena, uint64_t *sequence,
                                     struct error *error)
{
    const char *newest = NULL;
    char *text = NULL;
    size_t length = 0;
    if (find_newest(folder, arena, &newest, sequence, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (newest == NULL) {
        return STATUS_OK;
    }
    char *run_folder = folder_ledger_run_folder(arena, folder, newest);
    char *path = run_folder != NULL ? file_join(arena, run_folder, "status") : NULL;
    if (path == NULL) {
        return folder_ledger_no_memory(error);
    }
    enum status status = folder_sealed_read(path, "status", newest, arena, &text, &length, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_LEDGER_INVALID, path, "the run's status is missing");
    }
    if (status == STATUS_OK && !says_completed(text, length, arena)) {
        return STATUS_AGAIN;
    }
    return status;
}

enum status folder_ledger_lock(struct folder *folder, struct arena *arena, int64_t *holder,
                               struct error *error)
{
    char *ledger = folder_path(arena, folder, "");
    char *path = folder_path(arena, folder, "lock");
    char *parent = folder_parent(arena, folder->path);
    if (folder->lock_descriptor >= 0) {
        return STATUS_OK;
    }
    if (ledger == NULL || path == NULL || parent == NULL) {
        return folder_ledger_no_memory(error);
    }
    folder->made_root = folder->made_root || !file_exists(folder->path);
    /* what is in folders that are not durable themselves is not durable */
    if (file_make_folder(ledger, error) != STATUS_OK ||
        file_sync_folder(folder->path, error) != STATUS_OK ||
        file_sync_folder(parent, error) != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
        return STATUS_FAILED;
    }
    return file_lock(path, &folder->lock_descriptor, holder, error);
}

static void give_lock_back(struct folder *folder)
{
    if (folder->lock_descriptor >= 0) {
        close(folder->lock_descriptor);
        folder->lock_descriptor = -1;
    }
}

/* Builds the run under another name and renames it: a crash leaves all of it or nothing. */
static enum status build_run(struct folder *folder, struct arena *arena, const char *run_id,
                             const char *header, const char *status_text,
                             const struct ledger_chunk *chunks, uint64_t chunk_count,
                             uint64_t sequence, struct error *error)
{
    char *ledger = folder_path(arena, folder, "");
    char *building = folder_path(arena, folder, ".building");
    char *final = folder_ledger_run_folder(arena, folder, run_id);
    char *tmp = building != NULL ? file_join(arena, building, "tmp") : NULL;
    if (ledger == NULL || tmp == NULL || final == NULL) {
        return folder_ledger_no_memory(error);
    }
    enum status status = file_remove_tree(building, error);
    if (status == STATUS_OK) {
        status = file_make_folder(tmp, error);
    }
    if (status == STATUS_OK) {
        status =
            write_run(building, run_id, header, status_text, chunks, chunk_count, sequence, error);
    }
    if (status == STATUS_OK && folder->made_root) {
        status = write_sealed_in(building, FOLDER_MADE, run_id, "\n", 1, NULL, error);
    }
    if (status == STATUS_OK) {
        status = file_sync_folder(building, error);
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("files.before_ledger_create", error);
    }
    if (status == STATUS_OK && rename(building, final) != 0) {
        status = error_set_errno(error, ERROR_TARGET_WRITE, errno, final, "can't write the ledger");
    }
    if (status == STATUS_OK) {
        status = file_sync_folder(ledger, error);
    }
    if (status == STATUS_OK) {
        status = failpoint_hit("files.after_ledger_create", error);
    }
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
    }
    return status;
}

static enum status ledger_create(struct database *self, const char *run_id, const char *header,
                                 const char *status_text, const struct ledger_chunk *chunks,
                                 uint64_t chunk_count, struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    uint64_t sequence = 0;
    int64_t holder = 0;
    if (arena == NULL) {
        return folder_ledger_no_memory(error);
    }
    bool held_before = folder->lock_descriptor >= 0;
    enum status status = folder_ledger_lock(folder, arena, &holder, error);
    if (status == STATUS_AGAIN) {
        status = error_set(error, ERROR_RUN_HELD, folder->path,
                           "process %" PRId64 " works on this folder", holder);
        error_hint(error, "wait until it has ended, or stop it");
        goto out;
    }
    if (status == STATUS_OK) {
        status = refuse_unfinished(folder, arena, &sequence, error);
    }
    if (status == STATUS_OK) {
        status = build_run(folder, arena, run_id, header, status_text, chunks, chunk_count,
                           sequence + 1, error);
    }
    if (status != STATUS_OK && !held_before) {
        give_lock_back(folder);
    }
out:
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- load */

struct chunk_reader {
    struct json_reader json;
    struct ledger_chunk *chunk;
    struct arena *arena;
};

static bool chunk_member(struct chunk_reader *reader, const char *key, size_t key_length,
                         enum json_token token)
{
    const struct json_reader *json = &reader->json;
    struct span *span = &reader->chunk->span;
    uint64_t number = 0;
    if (token == JSON_TOKEN_NUMBER) {
        if (key_length == 4 && memcmp(key, "rows", 4) == 0) {
            return text_to_int64(json->text, json->length, &span->row_estimate) == STATUS_OK;
        }
        if (text_to_uint64(json->text, json->length, &number) != STATUS_OK) {
            return false;
        }
        if (key_length == 5) {
            reader->chunk->number = number;
        } else {
            reader->chunk->stream = (uint32_t)number;
        }
        return number > 0 || key_length != 5;
    }
    if (token != JSON_TOKEN_STRING) {
        return false;
    }
    if (key_length == 6 && memcmp(key, "bounds", 6) == 0) {
        uint8_t *bytes = NULL;
        size_t length = 0;
        struct error ignored;
        if (json_decode_base64(json->text, json->length, reader->arena, &bytes, &length,
                               &ignored) != STATUS_OK) {
            return false;
        }
        span->bounds = bytes;
        span->bounds_length = (uint32_t)length;
        return true;
    }
    const char *copy = arena_copy(reader->arena, json->text, json->length);
    if (key_length == 4) {
        span->printable = copy;
    } else {
        span->last_id = copy;
    }
    return copy != NULL;
}

static bool parse_chunk(const char *text, size_t length, struct arena *arena,
                        struct ledger_chunk *chunk)
{
    struct chunk_reader reader = {.chunk = chunk, .arena = arena};
    enum json_token token = JSON_TOKEN_END;
    struct error ignored;
    *chunk = (struct ledger_chunk){.span.row_estimate = -1};
    json_reader_init(&reader.json, text, length, 4, arena);
    if (json_reader_next(&reader.json, &token, &ignored) != STATUS_OK ||
        token != JSON_TOKEN_OBJECT_BEGIN) {
        return false;
    }
    while (json_reader_next(&reader.json, &token, &ignored) == STATUS_OK) {
        if (token == JSON_TOKEN_OBJECT_END) {
            return chunk->number > 0 && chunk->span.printable != NULL && chunk->span.bounds != NULL;
        }
        const char *key = reader.json.text;
        size_t key_length = reader.json.length;
        if (json_reader_next(&reader.json, &token, &ignored) != STATUS_OK ||
            !chunk_member(&reader, key, key_length, token)) {
            return false;
        }
    }
    return false;
}

static enum status load_chunks(const char *path, const char *text, size_t length,
                               struct arena *arena, struct ledger_run *run, struct error *error)
{
    uint64_t count = 0;
    for (size_t at = 0; at < length; at++) {
        count += text[at] == '\n';
    }
    run->chunks =
        (struct ledger_chunk *)arena_allocate_zeroed(arena, count + 1, sizeof(*run->chunks));
    if (run->chunks == NULL) {
        return folder_ledger_no_memory(error);
    }
    const char *line = text;
    for (uint64_t at = 0; at < count; at++) {
        const char *mark = (const char *)memchr(line, '\n', length - (size_t)(line - text));
        if (mark == NULL || !parse_chunk(line, (size_t)(mark - line), arena, &run->chunks[at])) {
            return error_set(error, ERROR_LEDGER_INVALID, path, "line %" PRIu64 " is no chunk",
                             at + 2);
        }
        line = mark + 1;
    }
    run->chunk_count = count;
    return STATUS_OK;
}

static enum status load_sealed(struct arena *arena, const char *run_folder, const char *name,
                               const char *run_id, char **text, size_t *length, struct error *error)
{
    char *path = file_join(arena, run_folder, name);
    if (path == NULL) {
        return folder_ledger_no_memory(error);
    }
    enum status status = folder_sealed_read(path, name, run_id, arena, text, length, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_LEDGER_INVALID, path,
                         "a file of the run's ledger is missing");
    }
    return status;
}

static enum status load_done(const struct folder *folder, struct arena *arena,
                             const char *run_folder, struct ledger_run *run, struct error *error)
{
    struct folder_done_list list;
    if (folder_done_load(folder->format, run_folder, run->id, arena, &list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    run->done =
        (struct done_mark *)arena_allocate_zeroed(arena, list.count + 1, sizeof(*run->done));
    if (run->done == NULL) {
        return folder_ledger_no_memory(error);
    }
    for (uint64_t at = 0; at < list.count; at++) {
        run->done[at] = list.items[at].mark;
    }
    run->done_count = list.count;
    return STATUS_OK;
}

static enum status load_run(const struct folder *folder, struct arena *arena,
                            const char *run_folder, struct ledger_run *run, struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    enum status status = load_sealed(arena, run_folder, "header", run->id, &text, &length, error);
    run->header = text;
    if (status == STATUS_OK) {
        status = load_sealed(arena, run_folder, "status", run->id, &text, &length, error);
        run->status = text;
    }
    if (status == STATUS_OK) {
        status = load_sealed(arena, run_folder, "chunks", run->id, &text, &length, error);
    }
    if (status == STATUS_OK) {
        status =
            load_chunks(file_join(arena, run_folder, "chunks"), text, length, arena, run, error);
    }
    if (status == STATUS_OK) {
        status = read_epoch(run_folder, run->id, &run->epoch, error);
    }
    if (status == STATUS_OK) {
        status = load_done(folder, arena, run_folder, run, error);
    }
    return status;
}

static enum status ledger_load(struct database *self, const char *run_id, struct arena *arena,
                               struct ledger_run **run, struct error *error)
{
    uint64_t sequence = 0;
    const char *id = run_id;
    *run = NULL;
    if (id == NULL && find_newest(of(self), arena, &id, &sequence, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (id == NULL) {
        return STATUS_END;
    }
    char *run_folder = folder_ledger_run_folder(arena, of(self), id);
    struct ledger_run *loaded =
        (struct ledger_run *)arena_allocate_zeroed(arena, 1, sizeof(*loaded));
    if (run_folder == NULL || loaded == NULL || (id = arena_copy_string(arena, id)) == NULL) {
        return folder_ledger_no_memory(error);
    }
    if (!file_exists(run_folder)) {
        return STATUS_END;
    }
    loaded->id = id;
    enum status status = load_run(of(self), arena, run_folder, loaded, error);
    *run = status == STATUS_OK ? loaded : NULL;
    return status;
}

/* ---------------------------------------------------------------- claim and release */

static void forget_run(struct folder_run *run)
{
    if (run->done_descriptor >= 0) {
        close(run->done_descriptor);
    }
    free(run->id);
    free(run->folder);
    *run = (struct folder_run){.done_descriptor = -1};
}

void folder_ledger_forget(struct folder *folder)
{
    forget_run(&folder->run);
    give_lock_back(folder);
}

static enum status claim_locked(struct folder *folder, struct arena *arena, const char *run_id,
                                uint64_t old_epoch, struct ledger_holder *found,
                                struct error *error)
{
    struct folder_done_list list;
    uint64_t now = 0;
    char *run_folder = folder_ledger_run_folder(arena, folder, run_id);
    if (run_folder == NULL) {
        return folder_ledger_no_memory(error);
    }
    if (read_epoch(run_folder, run_id, &now, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (now != old_epoch) {
        snprintf(found->name, sizeof(found->name), "attempt %" PRIu64, now);
        return STATUS_AGAIN;
    }
    if (write_epoch(run_folder, run_id, old_epoch + 1, error) != STATUS_OK ||
        failpoint_hit("files.after_epoch", error) != STATUS_OK ||
        folder_done_load(folder->format, run_folder, run_id, arena, &list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    forget_run(&folder->run);
    folder->run.id = strdup(run_id);
    folder->run.folder = strdup(run_folder);
    folder->run.epoch = old_epoch + 1;
    folder_tag(run_id, folder->run.tag);
    if (folder->run.id == NULL || folder->run.folder == NULL) {
        return folder_ledger_no_memory(error);
    }
    char *rolling = file_join(arena, run_folder, FOLDER_ROLLING);
    if (rolling == NULL) {
        return folder_ledger_no_memory(error);
    }
    if (!file_exists(rolling) && folder_ledger_sweep(folder, &list, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return folder_done_open(&folder->run, &list, error);
}

/* A live or stopped process keeps its lock and is never taken over: kill it, and the lock is
 * gone. */
static enum status ledger_claim(struct database *self, const char *run_id, uint64_t old_epoch,
                                const struct ledger_holder *replaces, struct ledger_holder *found,
                                struct error *error)
{
    struct folder *folder = of(self);
    struct arena *arena = arena_create(0);
    int64_t process = 0;
    (void)replaces;
    *found = (struct ledger_holder){0};
    if (arena == NULL) {
        return folder_ledger_no_memory(error);
    }
    bool held_before = folder->lock_descriptor >= 0;
    enum status status = folder_ledger_lock(folder, arena, &process, error);
    if (status == STATUS_AGAIN) {
        found->pid = process;
        snprintf(found->name, sizeof(found->name), "pid %" PRId64, process);
    } else if (status == STATUS_OK) {
        status = claim_locked(folder, arena, run_id, old_epoch, found, error);
        if (status == STATUS_FAILED) {
            forget_run(&folder->run);
        }
        if (status != STATUS_OK && !held_before) {
            give_lock_back(folder);
        }
    }
    arena_destroy(arena);
    return status;
}

static enum status ledger_release(struct database *self, const char *run_id, uint64_t epoch,
                                  struct error *error)
{
    struct folder *folder = of(self);
    (void)error;
    if (folder->run.id != NULL && strcmp(folder->run.id, run_id) == 0 &&
        folder->run.epoch == epoch) {
        folder_ledger_forget(folder);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- status and marks */

static enum status ledger_set_status(struct database *self, const char *run_id, uint64_t epoch,
                                     const char *status_text, struct error *error)
{
    struct arena *arena = arena_create(0);
    char *run_folder = arena != NULL ? folder_ledger_run_folder(arena, of(self), run_id) : NULL;
    enum status status = STATUS_OK;
    if (run_folder == NULL) {
        status = folder_ledger_no_memory(error);
    } else {
        struct folder_run run = {.id = (char *)(uintptr_t)run_id, .folder = run_folder};
        status = folder_ledger_check_epoch(&run, epoch, error);
    }
    if (status == STATUS_OK) {
        status = write_sealed_in(run_folder, "status", run_id, status_text, strlen(status_text),
                                 "files.before_status", error);
    }
    arena_destroy(arena);
    return status;
}

static enum status ledger_done(struct database *self, const char *run_id, uint64_t chunk,
                               struct arena *arena, struct done_mark *mark, struct error *error)
{
    struct folder_done_list list;
    const struct folder *folder = of(self);
    char *run_folder = folder_ledger_run_folder(arena, of(self), run_id);
    if (run_folder == NULL) {
        return folder_ledger_no_memory(error);
    }
    if (folder_done_load(folder->format, run_folder, run_id, arena, &list, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint64_t at = 0; at < list.count; at++) {
        if (list.items[at].mark.chunk == chunk) {
            *mark = list.items[at].mark;
            return STATUS_OK;
        }
    }
    return STATUS_END;
}

const struct ledger_functions folder_ledger = {
    .create = ledger_create,
    .load = ledger_load,
    .claim = ledger_claim,
    .set_status = ledger_set_status,
    .done = ledger_done,
    .reopen = folder_ledger_reopen,
    .release = ledger_release,
    .list = folder_ledger_list,
    .forget = folder_ledger_forget_run,
    .tidy = folder_ledger_tidy,
};
