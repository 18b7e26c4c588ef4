/* Taking records back by their before-images, from the last frame to the first. */
#include "engine/before/before_parts.h"

#include "base/failpoint.h"
#include "base/retry.h"
#include "engine/before/before.h"
#include "engine/formats/record_image.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECORDS_AT_ONCE = 100 };

/* ---- acting */

static enum status put_back(struct before_undoing *undoing, const struct before_line *line,
                            struct error *error)
{
    struct database *target = undoing->run->session->target;
    struct target_table whole = undoing->table;
    struct cell cell = line->image;
    struct batch batch = {.arena = undoing->arena, .cells = &cell, .width = 1, .row_count = 1};
    struct record_envelope envelope = {0};
    struct retry retry;
    if (line->ends != NULL) {
        envelope = before_ends_apply(line->ends, &cell, undoing->arena);
        batch.envelopes = &envelope;
    }
    whole.existing = EXISTING_REPLACE;
    retry_init(&retry, session_patience_ms(undoing->run->session));
    enum status status;
    do {
        status = target->connector->target->restore(target, &whole, &batch, 0, error);
    } while (status == STATUS_FAILED && retry_wait(&retry, error));
    return status;
}

/* A record that stands under the key by now, if it is not the one that was taken out, is somebody
 * else's. */
static enum status judge_taken(struct before_undoing *undoing, const struct before_line *line,
                               struct error *error)
{
    if (line->key.found != NULL) {
        if (before_compare_hashes(&line->key.found->hash, &line->image_hash) != 0) {
            before_add_obstacle(undoing, &undoing->changed, line);
        }
        return STATUS_OK;
    }
    before_add_step(undoing, line, true);
    return undoing->dry_run || before_is_over(line->ends) ? STATUS_OK
                                                          : put_back(undoing, line, error);
}

/* Nothing is there: somebody deleted it, if the run wrote it and the rollback has not removed it.
 */
static void judge_missing(struct before_undoing *undoing, const struct before_line *line)
{
    bool by_others = line->done && !before_has_hash(&undoing->refused, &line->key.hash) &&
                     !before_has_hash(&undoing->removed, &line->key.hash);
    if (by_others) {
        before_add_obstacle(undoing, &undoing->missing, line);
    } else if (undoing->dry_run) {
        before_add_step(undoing, line, false);
    }
}

/* Decides what is to be done about one line; `*remove`: its record goes. */
static enum status before_undo_judge(struct before_undoing *undoing, struct before_line *line,
                                     bool *remove, struct error *error)
{
    bool overwrote = line->image.kind == VALUE_MAP;
    *remove = false;
    if (line->taken) {
        return judge_taken(undoing, line, error);
    }
    if (line->settled ||
        (overwrote && before_compare_hashes(&line->image_hash, &line->after) == 0)) {
        return STATUS_OK;
    }
    if (line->key.found == NULL) {
        judge_missing(undoing, line);
        return STATUS_OK;
    }
    if (before_compare_hashes(&line->key.found->hash, &line->after) != 0) {
        bool is_back =
            overwrote && before_compare_hashes(&line->key.found->hash, &line->image_hash) == 0;
        if (!is_back) {
            before_add_obstacle(undoing, &undoing->changed, line);
        }
        return STATUS_OK;
    }
    before_add_step(undoing, line, true);
    *remove = !overwrote || before_is_over(line->ends); /* it would be gone by now */
    return !*remove && !undoing->dry_run ? put_back(undoing, line, error) : STATUS_OK;
}

static enum status remove_all(struct before_undoing *undoing, const struct cell *keys,
                              const struct canonical_hash *hashes, uint32_t count,
                              struct error *error)
{
    struct database *target = undoing->run->session->target;
    uint64_t deleted;
    struct retry retry;
    if (count == 0 || undoing->dry_run) {
        return STATUS_OK;
    }
    if (before_note_removed(undoing, hashes, count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    retry_init(&retry, session_patience_ms(undoing->run->session));
    enum status status;
    do {
        status = target->connector->target->delete_records(target, &undoing->table, keys, count,
                                                           &deleted, error);
    } while (status == STATUS_FAILED && retry_wait(&retry, error));
    return status;
}

/* Backwards within the piece, too: of two lines of a key the later one is looked at first. */
static enum status take_back(struct before_undoing *undoing, struct before_line *lines,
                             uint32_t count, struct error *error)
{
    struct batch *found = NULL;
    uint32_t width = undoing->table.key.count;
    uint32_t removed = 0;
    struct before_key **sorted =
        arena_allocate_zeroed(undoing->arena, count + 1u, sizeof(struct before_key *));
    struct cell *keys =
        arena_allocate_zeroed(undoing->arena, (size_t)count * width + 1, sizeof(*keys));
    struct canonical_hash hashes[RECORDS_AT_ONCE]; /* of the keys */
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = &lines[i].key;
    }
    before_sort_keys(sorted, count);
    enum status status =
        before_find(undoing->run, &undoing->table, sorted, count, undoing->arena, &found, error);
    for (uint32_t i = count; i > 0 && status == STATUS_OK; i--) {
        bool remove = false;
        undoing->counts->kept += !lines[i - 1].taken;
        size_t steps = undoing->steps.count;
        status = before_undo_judge(undoing, &lines[i - 1], &remove, error);
        if (remove) {
            hashes[removed] = lines[i - 1].key.hash;
            memcpy(&keys[(size_t)removed++ * width], lines[i - 1].key.cells, width * sizeof(*keys));
        }
        bool ours = undoing->steps.count > steps && undoing->steps.items[steps].sure;
        for (uint32_t j = 0; ours && j < i - 1; j++) {
            lines[j].settled =
                lines[j].settled ||
                before_compare_hashes(&lines[j].key.hash, &lines[i - 1].key.hash) == 0;
        }
    }
    batch_destroy(found);
    return status == STATUS_OK ? remove_all(undoing, keys, hashes, removed, error) : status;
}

/* The lines in pieces, the last piece first. */
static enum status undo_frame(struct before_undoing *undoing, const struct before_frame *frame,
                              struct error *error)
{
    char *text = NULL;
    struct before_line lines[RECORDS_AT_ONCE];
    struct error why = {0};
    enum status status = before_read_frame(undoing, frame, &text, error);
    size_t end = status == STATUS_OK ? frame->bytes : 0;
    while (status == STATUS_OK && end > 0) {
        uint32_t count = 0;
        arena_reset(undoing->arena);
        while (status == STATUS_OK && end > 0 && count < RECORDS_AT_ONCE) {
            size_t start = end - 1;
            while (start > 0 && text[start - 1] != '\n') {
                start--;
            }
            count++;
            status = before_read_line(undoing, text + start, end - 1 - start,
                                      &lines[RECORDS_AT_ONCE - count], &why);
            lines[RECORDS_AT_ONCE - count].done = frame->done;
            status = status == STATUS_OK        ? STATUS_OK
                     : why.code == ERROR_MEMORY ? before_no_memory(error)
                                                : before_damaged(undoing, frame, error);
            end = start;
        }
        if (status == STATUS_OK) {
            status = take_back(undoing, &lines[RECORDS_AT_ONCE - count], count, error);
        }
        if (status == STATUS_OK && !undoing->dry_run) {
            status = failpoint_hit("rollback.images_restored", error);
        }
    }
    free(text);
    return status;
}

/* ---- a table */

static const char *find_folder(struct before_undoing *undoing)
{
    const struct run *run = undoing->run;
    if (before_is_of(run->folder.before, run->id)) {
        return run->folder.before;
    }
    const char *path = arena_format(undoing->names, "%s/%s/before", run->folder.runs, run->id);
    return before_is_of(path, run->id) ? path : NULL;
}

enum status before_undo(struct run *run, uint32_t table, bool dry_run, struct undo_counts *counts,
                        struct error *error)
{
    struct before_undoing undoing = {.run = run,
                                     .table = run->tables[table],
                                     .dry_run = dry_run,
                                     .counts = counts,
                                     .removed_file = -1,
                                     .names = arena_create(0),
                                     .arena = arena_create(0)};
    *counts = (struct undo_counts){0};
    const char *folder = run->status.before_lost ? NULL : find_folder(&undoing);
    enum status status =
        folder == NULL
            ? before_lost(run, NULL, "the before-images are not in the state folder", error)
            : before_list_frames(&undoing, folder, error);
    if (status == STATUS_OK) {
        undoing.removed_path = arena_format(undoing.names, "%s/removed-%" PRIu32, folder, table);
        status = before_load_removed(&undoing, error);
    }
    for (size_t i = 0; i < undoing.frame_count && status == STATUS_OK; i++) {
        status = undo_frame(&undoing, &undoing.frames[i], error);
    }
    if (status == STATUS_OK) {
        before_count(&undoing);
    }
    free(undoing.frames);
    free(undoing.changed.items);
    free(undoing.missing.items);
    free(undoing.refused.items);
    free(undoing.removed.items);
    free(undoing.steps.items);
    if (undoing.removed_file >= 0) {
        close(undoing.removed_file);
    }
    arena_destroy(undoing.names);
    arena_destroy(undoing.arena);
    return status;
}
