/* Keeping before-images: one file a writer, synced before each batch is sent. */
#include "engine/before/before.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/before/before_parts.h"
#include "engine/formats/record_image.h"
#include "engine/formats/typed_json.h"
#include "engine/ledger/json_text.h"
#include "model/json_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* Its file is no worker's; of large records only so many are held. */
enum { CONTROL_WRITER = 9999, KEYS_AT_ONCE = 100 };

struct before {
    struct run *run;
    uint64_t chunk; /* of the batch */
    int descriptor;
    char path[4096];
    struct arena *arena; /* of one batch */
    struct buffer head;
    struct buffer lines;
};

/* A record of a batch with what is under its key. */
struct kept {
    struct record_image record; /* `taken`: none */
    bool taken;
    struct before_key key; /* an impossible one: the target will refuse the record */
};

/* Answers of the target, which images point into. */
struct answer {
    struct answer *next;
    struct batch *batch;
};

/* ---- the folder */

static const char *id_path(const char *folder, struct arena *arena)
{
    return file_join(arena, folder, "run");
}

bool before_is_of(const char *folder, const char *run_id)
{
    struct error ignored;
    char *text;
    size_t length;
    struct arena *arena = arena_create(0);
    bool ours =
        file_read_all(id_path(folder, arena), 4096, arena, &text, &length, &ignored) == STATUS_OK &&
        strcmp(text, run_id) == 0;
    arena_destroy(arena);
    return ours;
}

enum status before_begin(struct run *run, struct error *error)
{
    if (run->header.before_id == NULL) {
        return STATUS_OK;
    }
    const char *path = id_path(run->folder.before, run->arena);
    if (file_remove_tree(run->folder.before, error) != STATUS_OK ||
        file_make_folder(run->folder.before, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return file_write_atomic(path, run->header.before_id, strlen(run->header.before_id), NULL,
                             error);
}

void before_resume(struct run *run)
{
    if (run->header.before_id == NULL || before_is_of(run->folder.before, run->header.before_id)) {
        return;
    }
    if (!run->status.before_lost) {
        log_write(LOG_WARNING, "the before-images of run %s are not in %s: it can't be rolled back",
                  run->id, run->folder.path);
    }
    run->status.before_lost = true;
}

static enum status open_file(struct before *before, uint32_t writer, struct error *error)
{
    struct run *run = before->run;
    snprintf(before->path, sizeof(before->path), "%s/%010" PRIu64 "-%04" PRIu32 ".jsonl",
             run->folder.before, run->claim.epoch, writer);
    before->descriptor =
        file_open(before->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (before->descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, before->path,
                               "before-images can't be kept");
    }
    return file_sync_folder(run->folder.before, error);
}

static enum status before_open(struct before **made, struct run *run, uint32_t writer,
                               struct error *error)
{
    struct before *before = memory_allocate_zeroed(1, sizeof(*before));
    before->run = run;
    before->descriptor = -1;
    before->arena = arena_create(0);
    enum status status = open_file(before, writer, error);
    if (status != STATUS_OK) {
        before_close(before);
        return status;
    }
    *made = before;
    return STATUS_OK;
}

void before_close(struct before *before)
{
    if (before == NULL) {
        return;
    }
    if (before->descriptor >= 0) {
        close(before->descriptor);
    }
    arena_destroy(before->arena);
    buffer_free(&before->head);
    buffer_free(&before->lines);
    free(before);
}

/* ---- one batch */

static enum status append_line(struct before *before, const struct target_table *table,
                               const struct kept *kept, struct error *error)
{
    struct record_image after = kept->record;
    char hex[35] = "null";
    if (!kept->taken && kept->key.found != NULL && table->existing == EXISTING_UPSERT &&
        !table->created &&
        record_image_merge(kept->key.found, &kept->record, before->arena, &after, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct cell key = cell_items(VALUE_LIST, kept->key.cells, table->key.count);
    if (!kept->taken) {
        hex[0] = '"';
        canonical_hash_format(&after.hash, hex + 1);
        memcpy(hex + 33, "\"", 2);
    }
    buffer_append_string(&before->lines, "{\"key\":");
    if (typed_json_append(&key, &before->lines, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_format(&before->lines, ",\"after\":%s,\"image\":", hex);
    if (kept->key.found == NULL) {
        buffer_append_string(&before->lines, "null");
    } else {
        const struct cell image =
            cell_items(VALUE_MAP, kept->key.found->pairs, kept->key.found->count);
        if (typed_json_append_fields(&image, NULL, &before->lines, error) != STATUS_OK ||
            before_ends_append(kept->key.found_ends, &before->lines, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    buffer_append_string(&before->lines, "}\n");
    return STATUS_OK;
}

static enum status write_frame(struct before *before, uint64_t sequence,
                               const struct target_table *table, uint32_t count,
                               struct error *error)
{
    char hex[33];
    buffer_clear(&before->head);
    XXH128_hash_t hash = XXH3_128bits(before->lines.data, before->lines.length);
    text_from_hash(hash.high64, hash.low64, hex);
    buffer_format(&before->head, "{\"format\":1,\"sequence\":%" PRIu64 ",\"table\":", sequence);
    json_append_string(&before->head, table->name, strlen(table->name));
    buffer_format(&before->head,
                  ",\"chunk\":%" PRIu64 ",\"count\":%" PRIu32 ",\"bytes\":%zu,\"xxh3\":\"%s\"}\n",
                  before->chunk, count, before->lines.length, hex);
    buffer_append(&before->head, before->lines.data, before->lines.length);
    if (failpoint_hit("engine.before_images", error) != STATUS_OK ||
        file_write_all(before->descriptor, before->head.data, before->head.length, before->path,
                       error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (file_sync_data(before->descriptor) != 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, before->path,
                               "before-images can't be kept");
    }
    return failpoint_hit("engine.after_images", error);
}

/* Empties what a batch before this one left. */
static enum status images_begin(struct before **made, struct run *run, uint32_t writer,
                                uint32_t count, struct kept **kept, uint64_t *sequence,
                                struct error *error)
{
    if (*made == NULL && before_open(made, run, writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    arena_reset((*made)->arena);
    buffer_clear(&(*made)->lines);
    *sequence = atomic_fetch_add(&run->before_sequence, 1);
    *kept = arena_allocate_zeroed((*made)->arena, count + 1u, sizeof(**kept));
    return STATUS_OK;
}

/* The target's records under the keys; where one of them is none of the table's, the others are
 * asked for without it. */
static enum status image_find(struct before *before, const struct target_table *table,
                              struct before_key **sorted, uint32_t count, struct answer **answers,
                              struct error *error)
{
    struct answer *answer = arena_allocate_zeroed(before->arena, 1, sizeof(*answer));
    enum status status =
        before_find(before->run, table, sorted, count, before->arena, &answer->batch, error);
    answer->next = *answers;
    *answers = answer;
    if (status == STATUS_OK || answer->batch != NULL || error->code != ERROR_REJECT_TYPE) {
        return status;
    }
    error_clear(error);
    if (count == 1) {
        sorted[0]->impossible = true;
        return STATUS_OK;
    }
    uint32_t half = count / 2;
    status = image_find(before, table, sorted, half, answers, error);
    return status == STATUS_OK
               ? image_find(before, table, sorted + half, count - half, answers, error)
               : status;
}

/* Looks up what is under the keys, and syncs a frame of it. */
static enum status keep_all(struct before *before, const struct target_table *table,
                            struct kept *kept, uint32_t count, uint64_t sequence,
                            struct error *error)
{
    struct answer *answers = NULL;
    struct before_key **sorted =
        arena_allocate_zeroed(before->arena, count + 1u, sizeof(struct before_key *));
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = &kept[i].key;
    }
    before_sort_keys(sorted, count);
    enum status status = image_find(before, table, sorted, count, &answers, error);
    uint32_t lines = 0;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!kept[i].key.impossible && (!kept[i].taken || kept[i].key.found != NULL)) {
            status = append_line(before, table, &kept[i], error);
            lines++;
        }
    }
    for (const struct answer *at = answers; at != NULL; at = at->next) {
        batch_destroy(at->batch);
    }
    return status == STATUS_OK && lines > 0 ? write_frame(before, sequence, table, lines, error)
                                            : status;
}

enum status before_keep(struct before **made, struct run *run, uint32_t writer, uint64_t chunk,
                        uint32_t number, const struct batch *batch, struct error *error)
{
    const struct target_table *table = &run->tables[number];
    struct kept *kept;
    uint64_t sequence;
    uint32_t count = 0;
    if (run->status.before_lost) {
        return STATUS_OK; /* what began without images can't be taken back */
    }
    if (images_begin(made, run, writer, batch->row_count, &kept, &sequence, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct before *before = *made;
    before->chunk = chunk;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        bool whole = false;
        struct kept *one = &kept[count];
        if (record_image_make(run->session->target, run->seen.forms, batch, row, before->arena,
                              &one->record, error) != STATUS_OK ||
            record_image_key(&one->record, table, before->arena, &one->key.cells, &one->key.hash,
                             &whole, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        count += whole; /* without a key it will be refused */
    }
    return count > 0 ? keep_all(before, table, kept, count, sequence, error) : STATUS_OK;
}

enum status before_refuse(struct before *before, uint32_t number, const struct batch *batch,
                          uint32_t row, struct error *error)
{
    struct record_image image;
    struct cell *key;
    struct canonical_hash hash;
    bool whole = false;
    char hex[33];
    if (before == NULL) {
        return STATUS_OK;
    }
    const struct target_table *table = &before->run->tables[number];
    arena_reset(before->arena);
    if (record_image_make(before->run->session->target, before->run->seen.forms, batch, row,
                          before->arena, &image, error) != STATUS_OK ||
        record_image_key(&image, table, before->arena, &key, &hash, &whole, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!whole) {
        return STATUS_OK; /* nothing was kept of it */
    }
    canonical_hash_format(&hash, hex);
    buffer_clear(&before->head);
    buffer_append_string(&before->head, "{\"format\":1,\"table\":");
    json_append_string(&before->head, table->name, strlen(table->name));
    buffer_format(&before->head, ",\"refused\":\"%s\",\"bytes\":0}\n", hex);
    return file_write_all(before->descriptor, before->head.data, before->head.length, before->path,
                          error);
}

static enum status keep_keys(struct before **made, struct run *run, uint32_t number,
                             const struct cell *keys, uint32_t count, struct error *error)
{
    const struct target_table *table = &run->tables[number];
    uint32_t width = table->key.count;
    struct kept *kept;
    uint64_t sequence;
    struct buffer scratch = {0};
    enum status status = images_begin(made, run, CONTROL_WRITER, count, &kept, &sequence, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct cell *key = &keys[(size_t)i * width];
        kept[i] = (struct kept){.taken = true, .key = {.cells = (struct cell *)key}};
        status = canonical_hash_cells(key, width, &scratch, &kept[i].key.hash, error);
    }
    buffer_free(&scratch);
    return status == STATUS_OK ? keep_all(*made, table, kept, count, sequence, error) : status;
}

enum status before_keep_deleted(struct before **before, struct run *run, uint32_t table,
                                const struct cell *keys, uint32_t key_count, struct error *error)
{
    uint32_t width = run->tables[table].key.count;
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < key_count && status == STATUS_OK; at += KEYS_AT_ONCE) {
        uint32_t left = key_count - at;
        status = run->status.before_lost
                     ? STATUS_OK
                     : keep_keys(before, run, table, keys + (size_t)at * width,
                                 left < KEYS_AT_ONCE ? left : KEYS_AT_ONCE, error);
    }
    return status;
}
