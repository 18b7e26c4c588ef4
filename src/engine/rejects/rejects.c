/* Writing reject files, and checking them against the done marks. */
#include "engine/rejects/rejects.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/formats/envelope_json.h"
#include "engine/formats/typed_json.h"
#include "engine/ledger/format.h"
#include "model/json_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { FLUSH_BYTES = 64 << 10, READ_BYTES = 64 << 10, PATH_BYTES = 4096 };

enum status reject_key_append(const struct reject *reject, struct buffer *line, struct error *error)
{
    if (reject->key_count == 1 && reject->key_positions == NULL &&
        reject->key[0].kind == VALUE_MAP) {
        return typed_json_append_fields(reject->key, NULL, line,
                                        error); /* a mended record's: names and all */
    }
    buffer_append_byte(line, '{');
    for (uint32_t i = 0; i < reject->key_count; i++) {
        const struct cell *part =
            &reject->key[reject->key_positions != NULL ? reject->key_positions[i] : i];
        buffer_append_string(line, i > 0 ? "," : "");
        if (reject->key_names != NULL) {
            json_append_printable(line, reject->key_names[i]);
        } else {
            buffer_format(line, "\"%" PRIu32 "\"", i + 1);
        }
        buffer_append_byte(line, ':');
        if (typed_json_append(part, line, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_append_byte(line, '}');
    return STATUS_OK;
}

static enum status append_record(const struct reject *reject, struct typed_json_drain *drain,
                                 struct buffer *line, struct error *error)
{
    if (reject->shape != NULL) {
        return typed_json_append_record(reject->shape, reject->cells, drain, line, error);
    }
    if (reject->record != NULL) {
        return typed_json_append_fields(reject->record, drain, line, error);
    }
    buffer_append_string(line, "null");
    return STATUS_OK;
}

enum status reject_append(const struct reject *reject, struct typed_json_drain *drain,
                          struct buffer *line, struct error *error)
{
    buffer_format(line, "{\"format\":%d,\"run\":", CONTROL_FORMAT);
    json_append_printable(line, reject->run_id);
    buffer_format(line, ",\"chunk\":%" PRIu64 ",\"entity\":", reject->chunk);
    json_append_printable(line, reject->entity);
    buffer_append_string(line, ",\"table\":");
    json_append_printable(line, reject->table);
    buffer_append_string(line, ",\"source\":");
    json_append_printable(line, reject->source);
    buffer_append_string(line, ",\"key\":");
    if (reject_key_append(reject, line, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(line, ",\"code\":");
    json_append_printable(line, error_describe(reject->code)->name);
    buffer_append_string(line, ",\"reason\":");
    json_append_printable(line, reject->reason == NULL ? "" : reject->reason);
    if (reject->parents_differ != NULL) {
        buffer_format(line, ",\"parents_differ\":[%s]", reject->parents_differ);
    }
    if (reject->envelope != NULL) {
        envelope_json_append(reject->envelope, reject->envelope_shape, line);
    }
    buffer_append_string(line, ",\"record\":");
    if (append_record(reject, drain, line, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(line, "}\n");
    return STATUS_OK;
}

static XXH3_state_t *begin_hash(void)
{
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL) {
        memory_exhausted(0);
    }
    XXH3_128bits_reset(state);
    return state;
}

/* ---- a file being written */

void reject_file_init(struct reject_file *file, const char *folder, uint64_t chunk,
                      uint32_t attempt)
{
    *file = (struct reject_file){.folder = folder, .descriptor = -1};
    snprintf(file->name, sizeof(file->name), "%" PRIu64 "-%" PRIu32 ".jsonl", chunk, attempt);
}

static void path_of(const struct reject_file *file, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", file->folder, file->name);
}

static enum status file_make(struct reject_file *file, struct error *error)
{
    char path[PATH_BYTES];
    path_of(file, path);
    file->hash = begin_hash();
    file->descriptor =
        file_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    return file->descriptor >= 0 ? STATUS_OK
                                 : error_set_errno(error, ERROR_STATE_WRITE, errno, path,
                                                   "can't make the reject file");
}

/* All but the last `keep` bytes. */
static enum status flush_but(struct reject_file *file, size_t keep, struct error *error)
{
    char path[PATH_BYTES];
    struct buffer *pending = &file->pending;
    path_of(file, path);
    if (pending->length <= keep) {
        return STATUS_OK;
    }
    size_t length = pending->length - keep;
    if (file_write_all(file->descriptor, pending->data, length, path, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    XXH3_128bits_update(file->hash, pending->data, length);
    memmove(pending->data, pending->data + length, keep);
    pending->length = keep;
    return STATUS_OK;
}

static enum status rejects_flush(struct reject_file *file, struct error *error)
{
    return flush_but(file, 0, error);
}

struct file_drain {
    struct typed_json_drain head;
    struct reject_file *file;
};

static enum status drain_file(struct typed_json_drain *drain, struct buffer *out, size_t keep,
                              struct error *error)
{
    struct reject_file *file = ((struct file_drain *)drain)->file;
    return out->length < FLUSH_BYTES ? STATUS_OK : flush_but(file, keep, error);
}

/* A line of the user's log file. */
static enum status rejects_tell(const struct reject *reject, struct error *error)
{
    struct buffer key = {0};
    if (!log_has_user_file(LOG_WARNING)) {
        return STATUS_OK;
    }
    enum status status = reject->key_count > 0 ? reject_key_append(reject, &key, error) : STATUS_OK;
    if (status == STATUS_OK) {
        const char *shown = key.length > 0 ? buffer_string(&key) : NULL;
        log_write_user(
            LOG_WARNING,
            EVENT_OF(EVENT_MESSAGE, .table = reject->table, .chunk = reject->chunk, .key = shown),
            "a record of %s is rejected: %s [%s]", reject->entity,
            reject->reason == NULL ? "" : reject->reason, error_describe(reject->code)->name);
    }
    buffer_free(&key);
    return status;
}

static void count_code(struct reject_file *file, enum error_code code)
{
    uint32_t at = 0;
    while (at < file->code_count && file->counts[at].code != code) {
        at++;
    }
    if (at == REJECT_CODES_MAX) {
        at--;
    } else if (at == file->code_count) {
        file->counts[file->code_count++] = (struct reject_count){.code = code};
    }
    file->counts[at].count++;
}

enum status reject_file_add(struct reject_file *file, const struct reject *reject,
                            struct error *error)
{
    if (file->descriptor < 0 && file_make(file, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct file_drain drain = {.head = {.take = drain_file}, .file = file};
    if (reject_append(reject, &drain.head, &file->pending, error) != STATUS_OK ||
        rejects_tell(reject, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    file->count++;
    count_code(file, reject->code);
    return file->pending.length < FLUSH_BYTES ? STATUS_OK : rejects_flush(file, error);
}

static void hash_hex(XXH3_state_t *state, char hex[33])
{
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    text_from_hash(hash.high64, hash.low64, hex);
}

enum status reject_file_sync(struct reject_file *file, struct ledger_rejects *vouched,
                             struct error *error)
{
    *vouched = (struct ledger_rejects){0};
    if (file->descriptor < 0) {
        return STATUS_OK;
    }
    if (rejects_flush(file, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (file_sync(file->descriptor) != 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, file->name,
                               "can't bring the reject file to disk");
    }
    if (file_sync_folder(file->folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    vouched->file = file->name;
    vouched->count = file->count;
    hash_hex(file->hash, vouched->hash);
    return STATUS_OK;
}

void reject_file_close(struct reject_file *file, bool keep)
{
    if (file->descriptor >= 0) {
        if (keep) {
            struct error ignored;
            enum status status = rejects_flush(file, &ignored);
            (void)status;
        }
        close(file->descriptor);
        if (!keep) {
            char path[PATH_BYTES];
            path_of(file, path);
            unlink(path);
        }
    }
    XXH3_freeState(file->hash);
    buffer_free(&file->pending);
    file->hash = NULL;
    file->descriptor = -1;
    file->count = 0;
}

/* ---- checking */

enum status rejects_measure(const char *path, char hex[33], uint64_t *lines, uint64_t *bytes,
                            struct error *error)
{
    enum status status = STATUS_FAILED;
    char *block = memory_allocate(READ_BYTES);
    XXH3_state_t *state = begin_hash();
    int descriptor = file_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0);
    if (descriptor < 0) {
        status = errno == ENOENT
                     ? STATUS_END
                     : error_set_errno(error, ERROR_STATE_INVALID, errno, path, "can't read it");
        goto out;
    }
    *lines = 0;
    *bytes = 0;
    ssize_t got;
    while ((got = file_read(descriptor, block, READ_BYTES)) > 0) {
        XXH3_128bits_update(state, block, (size_t)got);
        *bytes += (uint64_t)got;
        for (ssize_t i = 0; i < got; i++) {
            *lines += block[i] == '\n';
        }
    }
    if (got < 0) {
        error_set_errno(error, ERROR_STATE_INVALID, errno, path, "can't read it");
        goto out;
    }
    hash_hex(state, hex);
    status = STATUS_OK;
out:
    if (descriptor >= 0) {
        close(descriptor);
    }
    XXH3_freeState(state);
    free(block);
    return status;
}

enum status rejects_verify(const char *folder, const struct ledger_rejects *vouched,
                           struct error *error)
{
    char path[PATH_BYTES];
    char hex[33];
    uint64_t lines;
    uint64_t bytes;
    snprintf(path, sizeof(path), "%s/%s", folder, vouched->file);
    enum status status = rejects_measure(path, hex, &lines, &bytes, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (lines == vouched->count && strcmp(hex, vouched->hash) == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_STATE_INVALID, path,
              "is not what the ledger vouches for: %" PRIu64 " of %" PRIu64 " records, checksum %s",
              lines, vouched->count, strcmp(hex, vouched->hash) == 0 ? "right" : "wrong");
    return error_hint(error,
                      "put the file back as it was; to correct records, copy it and use `transhume "
                      "migrate --rejects COPY` when the run is complete");
}

enum status rejects_sweep(const char *folder, bool (*is_vouched)(void *context, const char *name),
                          void *context, struct error *error)
{
    struct entries entries;
    const char *name;
    enum status status = entries_open(&entries, folder, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        if (!text_ends_with(name, ".jsonl") || name[0] < '0' || name[0] > '9' ||
            is_vouched(context, name)) {
            continue;
        }
        if (unlinkat(dirfd(entries.stream), name, 0) != 0 && errno != ENOENT) {
            status = error_set_errno(error, ERROR_STATE_WRITE, errno, name,
                                     "can't remove the reject file of an attempt that is void");
        }
    }
    entries_close(&entries);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}
