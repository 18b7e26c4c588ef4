/* Taking records back by their before-images, from the last frame to the first. */
#include "engine/before_frames.h"

#include "base/entries.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/file_lines.h"
#include "base/retry.h"
#include "base/text.h"
#include "engine/before.h"
#include "engine/json_text.h"
#include "engine/record_image.h"
#include "engine/typed_json.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { FRAME_BYTES_MAX = 1 << 30, RECORDS_AT_ONCE = 100 };

/* Where a frame's lines are. */
struct frame {
    uint64_t epoch;
    uint64_t sequence;
    const char *path;
    long offset;
    size_t bytes;
    char hash[33];
    bool done; /* its chunk is: what was not refused was written */
};

/* A line of a frame. */
struct line {
    struct cell *key;
    struct canonical_hash key_hash;
    struct canonical_hash after;
    bool taken;        /* the run took it out */
    struct cell image; /* a MAP; NULL: nothing was there */
    struct canonical_hash image_hash;
    const struct record_image *now;
    bool settled; /* a later line of its key was ours */
    bool done;    /* as its frame */
};

struct hashes {
    struct canonical_hash *items;
    size_t count;
    size_t capacity;
};

/* What became of a key with one line. Of two lines of a key the later one is looked at first, and a
 * dry run, which changes nothing, does not see at the earlier one what the later one would do: that
 * one is `sure` only if the chain of steps leads to it. */
struct step {
    struct canonical_hash key;
    uint64_t number;
    uint64_t before; /* beginnings of hashes of the record; 0: none */
    uint64_t behind;
    bool sure;
};

struct steps {
    struct step *items;
    size_t count;
    size_t capacity;
};

struct undoing {
    struct run *run;
    struct target_table table;
    bool dry_run;
    struct undo_counts *counts;
    struct frame *frames;
    size_t frame_count;
    size_t frame_capacity;
    struct arena *names; /* paths of the frames */
    struct arena *arena; /* of a piece of a frame */
    /* keys that a frame found changed or missing, which another one may have taken back */
    struct hashes changed;
    struct hashes missing;
    struct hashes refused; /* of records that were not written; sorted, as the next */
    struct hashes removed; /* by an earlier attempt */
    const char *removed_path;
    int removed_file; /* -1: not open */
    struct steps steps;
};

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory for before-images");
}

static enum status lost(const struct run *run, const char *path, const char *why,
                        struct error *error)
{
    error_set(error, ERROR_ROLLBACK_REFUSED, run->id,
              "what it overwrote is not known any more: %s%s%s", path == NULL ? "" : path,
              path == NULL ? "" : " ", why);
    error_hint(error, "put the state folder of the run back where it was (--state); else take the "
                      "run's records out by hand");
    return STATUS_FAILED;
}

/* ---- sets of keys */

static enum status add_hash(struct hashes *hashes, const struct canonical_hash *hash,
                            struct error *error)
{
    if (hashes->count == hashes->capacity) {
        size_t wanted = hashes->capacity == 0 ? 256 : 2 * hashes->capacity;
        struct canonical_hash *grown = reallocarray(hashes->items, wanted, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(error);
        }
        hashes->items = grown;
        hashes->capacity = wanted;
    }
    hashes->items[hashes->count++] = *hash;
    return STATUS_OK;
}

static int compare_hashes(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(struct canonical_hash));
}

static void sort_hashes(struct hashes *hashes)
{
    if (hashes->count > 0) {
        qsort(hashes->items, hashes->count, sizeof(*hashes->items), compare_hashes);
    }
}

/* Of sorted ones. */
static bool has_hash(const struct hashes *hashes, const struct canonical_hash *hash)
{
    return hashes->count > 0 && bsearch(hash, hashes->items, hashes->count, sizeof(*hashes->items),
                                        compare_hashes) != NULL;
}

/* ---- what became of each key */

static uint64_t head_of(const struct canonical_hash *hash)
{
    uint64_t head;
    memcpy(&head, hash, sizeof(head));
    return head != 0 ? head : 1;
}

static enum status add_step(struct undoing *undoing, const struct line *line, bool sure,
                            struct error *error)
{
    struct steps *steps = &undoing->steps;
    if (steps->count == steps->capacity) {
        size_t wanted = steps->capacity == 0 ? 256 : 2 * steps->capacity;
        struct step *grown = reallocarray(steps->items, wanted, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(error);
        }
        steps->items = grown;
        steps->capacity = wanted;
    }
    steps->items[steps->count] =
        (struct step){.key = line->key_hash,
                      .number = steps->count,
                      .before = line->taken ? 0 : head_of(&line->after),
                      .behind = line->image.kind == VALUE_MAP ? head_of(&line->image_hash) : 0,
                      .sure = sure};
    steps->count++;
    return STATUS_OK;
}

/* Notes what stops a line; it stops none that a later line of its key leads to. */
static enum status add_obstacle(struct undoing *undoing, struct hashes *hashes,
                                const struct line *line, struct error *error)
{
    enum status status = add_hash(hashes, &line->key_hash, error);
    return status == STATUS_OK && undoing->dry_run ? add_step(undoing, line, false, error) : status;
}

static int compare_steps(const void *left, const void *right)
{
    const struct step *a = left;
    const struct step *b = right;
    int order = compare_hashes(&a->key, &b->key);
    return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

/* Each key counts once, as what its last step made of it; those with any into `taken`. */
static enum status count_steps(struct undoing *undoing, struct hashes *taken, struct error *error)
{
    struct steps *steps = &undoing->steps;
    enum status status = STATUS_OK;
    if (steps->count > 0) {
        qsort(steps->items, steps->count, sizeof(*steps->items), compare_steps);
    }
    for (size_t i = 0; i < steps->count && status == STATUS_OK;) {
        const struct step *first = &steps->items[i];
        const struct step *last = NULL;
        for (; i < steps->count && compare_hashes(&steps->items[i].key, &first->key) == 0; i++) {
            const struct step *step = &steps->items[i];
            bool reached = step->sure || (last != NULL && last->behind == step->before);
            last = reached ? step : last;
        }
        if (last != NULL) {
            undoing->counts->removed += last->behind == 0;
            undoing->counts->restored += last->behind != 0;
            status = add_hash(taken, &last->key, error);
        }
    }
    return status;
}

/* Different ones that `taken` does not have; both are sorted. */
static uint64_t count_left(const struct hashes *hashes, const struct hashes *taken)
{
    uint64_t count = 0;
    for (size_t i = 0; i < hashes->count; i++) {
        bool again = i > 0 && compare_hashes(&hashes->items[i - 1], &hashes->items[i]) == 0;
        count += !again && !has_hash(taken, &hashes->items[i]);
    }
    return count;
}

static enum status count_all(struct undoing *undoing, struct error *error)
{
    struct hashes taken = {0};
    enum status status = count_steps(undoing, &taken, error);
    sort_hashes(&undoing->changed);
    sort_hashes(&undoing->missing);
    undoing->counts->changed = count_left(&undoing->changed, &taken);
    undoing->counts->missing = count_left(&undoing->missing, &taken);
    free(taken.items);
    return status;
}

/* ---- the list of frames */

static enum status add_frame(struct undoing *undoing, const struct frame *frame,
                             struct error *error)
{
    if (undoing->frame_count == undoing->frame_capacity) {
        size_t wanted = undoing->frame_capacity == 0 ? 64 : 2 * undoing->frame_capacity;
        struct frame *grown = reallocarray(undoing->frames, wanted, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(error);
        }
        undoing->frames = grown;
        undoing->frame_capacity = wanted;
    }
    undoing->frames[undoing->frame_count++] = *frame;
    return STATUS_OK;
}

static enum status take_refused(struct undoing *undoing, const char *hex, struct error *error)
{
    struct canonical_hash hash;
    return canonical_hash_parse(hex, &hash) == STATUS_OK
               ? add_hash(&undoing->refused, &hash, error)
               : STATUS_OK; /* a machine that stopped left it so: not synced */
}

/* The head that stands at the stream's place. STATUS_END: none, or a torn one: its batch was never
 * sent. */
static enum status read_head(struct undoing *undoing, struct file_lines *lines, struct frame *frame,
                             bool *of_table, struct error *error)
{
    struct error why;
    json_t *head;
    enum status status = file_lines_next(lines, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (lines->line[lines->length - 1] != '\n') {
        return STATUS_END;
    }
    if (json_from_text(lines->line, frame->path, ERROR_STATE_INVALID, &head, &why) != STATUS_OK) {
        return why.code == ERROR_MEMORY ? no_memory(error) : STATUS_END;
    }
    int64_t bytes = json_member_integer(head, "bytes", -1);
    frame->sequence = (uint64_t)json_member_integer(head, "sequence", 0);
    snprintf(frame->hash, sizeof(frame->hash), "%s", json_member_text(head, "xxh3", ""));
    *of_table = strcmp(json_member_text(head, "table", ""), undoing->table.name) == 0;
    int64_t chunk = json_member_integer(head, "chunk", 0);
    const struct run *run = undoing->run;
    frame->done = chunk > 0 && (uint64_t)chunk <= run->chunk_count && run->done[chunk - 1];
    const char *refused = json_member_text(head, "refused", NULL);
    if (refused != NULL) {
        status = *of_table ? take_refused(undoing, refused, error) : STATUS_OK;
        *of_table = false; /* no frame is behind it */
    }
    json_decref(head);
    if (status != STATUS_OK) {
        return status;
    }
    if (bytes < 0 || bytes > FRAME_BYTES_MAX) {
        return lost(undoing->run, frame->path, "is damaged", error);
    }
    frame->bytes = (size_t)bytes;
    frame->offset = ftell(lines->stream);
    return STATUS_OK;
}

static enum status list_file(struct undoing *undoing, const char *path, uint64_t epoch,
                             struct error *error)
{
    struct file_lines lines;
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? lost(undoing->run, path, "is gone", error) : STATUS_FAILED;
    }
    long end = fseek(lines.stream, 0, SEEK_END) == 0 ? ftell(lines.stream) : -1;
    status = end < 0 ? file_lines_fail(&lines, error) : file_lines_rewind(&lines, error);
    while (status == STATUS_OK) {
        struct frame frame = {.epoch = epoch, .path = path};
        bool of_table = false;
        status = read_head(undoing, &lines, &frame, &of_table, error);
        if (status == STATUS_OK && frame.offset + (long)frame.bytes > end) {
            status = STATUS_END; /* torn */
        }
        if (status == STATUS_OK && of_table) {
            status = add_frame(undoing, &frame, error);
        }
        if (status == STATUS_OK && fseek(lines.stream, (long)frame.bytes, SEEK_CUR) != 0) {
            status = file_lines_fail(&lines, error);
        }
    }
    file_lines_close(&lines);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static int compare_frames(const void *left, const void *right)
{
    const struct frame *a = left;
    const struct frame *b = right;
    return a->epoch != b->epoch ? (a->epoch < b->epoch ? 1 : -1)
                                : (a->sequence < b->sequence) - (a->sequence > b->sequence);
}

static enum status list_frames(struct undoing *undoing, const char *folder, struct error *error)
{
    struct entries entries;
    const char *name;
    enum status status = entries_open(&entries, folder, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? lost(undoing->run, folder, "is gone", error) : STATUS_FAILED;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        uint64_t epoch;
        size_t digits = strspn(name, "0123456789");
        if (strstr(name, ".jsonl") == NULL || digits == 0 ||
            text_to_uint64(name, digits, &epoch) != STATUS_OK) {
            continue;
        }
        const char *path = file_join(undoing->names, folder, name);
        status = path == NULL ? no_memory(error) : list_file(undoing, path, epoch, error);
    }
    entries_close(&entries);
    if (undoing->frame_count > 0) {
        qsort(undoing->frames, undoing->frame_count, sizeof(*undoing->frames), compare_frames);
    }
    sort_hashes(&undoing->refused);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---- what an earlier attempt removed */

static enum status load_removed(struct undoing *undoing, struct error *error)
{
    struct canonical_hash hash;
    FILE *stream = fopen(undoing->removed_path, "re");
    if (stream == NULL) {
        return errno == ENOENT   ? STATUS_OK
               : errno == ENOMEM ? no_memory(error)
                                 : error_set_errno(error, ERROR_STATE_INVALID, errno,
                                                   undoing->removed_path, "can't be read");
    }
    enum status status = STATUS_OK;
    while (status == STATUS_OK && fread(&hash, sizeof(hash), 1, stream) == 1) {
        status = add_hash(&undoing->removed, &hash, error);
    }
    if (status == STATUS_OK && ferror(stream)) {
        status = error_set_errno(error, ERROR_STATE_INVALID, errno, undoing->removed_path,
                                 "can't be read");
    }
    fclose(stream);
    sort_hashes(&undoing->removed);
    return status;
}

/* What a full disk cut off in a hash goes, or those behind it would be read askew. */
static int cut_torn(int file)
{
    struct stat facts;
    if (fstat(file, &facts) != 0) {
        return -1;
    }
    off_t torn = facts.st_size % (off_t)sizeof(struct canonical_hash);
    return torn > 0 ? file_cut(file, facts.st_size - torn) : 0;
}

static enum status open_removed(struct undoing *undoing, struct error *error)
{
    undoing->removed_file = file_open(undoing->removed_path,
                                      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return undoing->removed_file >= 0 && cut_torn(undoing->removed_file) == 0
               ? STATUS_OK
               : error_set_errno(error, ERROR_STATE_WRITE, errno, undoing->removed_path,
                                 "what is removed can't be noted");
}

static enum status note_removed(struct undoing *undoing, const struct canonical_hash *hashes,
                                uint32_t count, struct error *error)
{
    if (undoing->removed_file < 0 && open_removed(undoing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return file_write_all(undoing->removed_file, hashes, count * sizeof(*hashes),
                          undoing->removed_path, error);
}

/* ---- lines */

static bool is_key(const struct json_reader *reader, const char *name)
{
    return reader->length == strlen(name) && memcmp(reader->text, name, reader->length) == 0;
}

static enum status read_member(struct undoing *undoing, struct json_reader *reader,
                               struct line *line, struct error *error)
{
    enum json_token token;
    struct cell key;
    bool is_after = is_key(reader, "after");
    bool is_image = is_key(reader, "image");
    bool of_key = is_key(reader, "key");
    if (json_reader_next(reader, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (is_after && token == JSON_TOKEN_STRING && reader->length == 32) {
        char hex[33];
        memcpy(hex, reader->text, 32);
        hex[32] = '\0';
        return canonical_hash_parse(hex, &line->after);
    }
    if (is_after && token == JSON_TOKEN_NULL) {
        line->taken = true;
        return STATUS_OK;
    }
    if (is_image && token == JSON_TOKEN_OBJECT_BEGIN) {
        return typed_json_read_fields(reader, token, undoing->arena, &line->image, error);
    }
    if (!of_key) {
        return json_reader_skip(reader, token, error);
    }
    if (typed_json_read(reader, token, undoing->arena, &key, error) != STATUS_OK ||
        key.kind != VALUE_LIST || key.length != undoing->table.key.count) {
        return STATUS_FAILED;
    }
    struct buffer scratch = {0};
    line->key = arena_allocate_zeroed(undoing->arena, key.length + 1u, sizeof(*line->key));
    if (line->key == NULL) {
        return no_memory(error);
    }
    memcpy(line->key, key.items, key.length * sizeof(*line->key));
    enum status status =
        canonical_hash_cells(key.items, key.length, &scratch, &line->key_hash, error);
    buffer_free(&scratch);
    return status;
}

static enum status read_line(struct undoing *undoing, const char *text, size_t length,
                             struct line *line, struct error *error)
{
    struct json_reader reader;
    enum json_token token;
    *line = (struct line){.image = cell_null()};
    json_reader_init(&reader, text, length, JSON_DEPTH_MAX, undoing->arena);
    enum status status = json_reader_next(&reader, &token, error);
    while (status == STATUS_OK &&
           (status = json_reader_next(&reader, &token, error)) == STATUS_OK &&
           token == JSON_TOKEN_KEY) {
        status = read_member(undoing, &reader, line, error);
    }
    if (status == STATUS_OK && line->image.kind == VALUE_MAP) {
        struct record_image image;
        struct cell cell = line->image;
        struct batch batch = {.cells = &cell, .width = 1, .row_count = 1};
        status = record_image_make(undoing->run->session->target, &batch, 0, undoing->arena, &image,
                                   error);
        line->image_hash = image.hash;
    }
    bool whole = line->key != NULL && (!line->taken || line->image.kind == VALUE_MAP);
    return status == STATUS_OK && whole ? STATUS_OK : STATUS_FAILED;
}

/* ---- acting */

static int compare_lines(const void *left, const void *right)
{
    const struct line *a = *(const struct line *const *)left;
    const struct line *b = *(const struct line *const *)right;
    return compare_hashes(&a->key_hash, &b->key_hash);
}

static enum status fetch_now(struct undoing *undoing, struct line *lines, uint32_t count,
                             struct line **sorted, struct batch **found, struct error *error)
{
    struct database *target = undoing->run->session->target;
    uint32_t width = undoing->table.key.count;
    uint32_t key_count = 0;
    struct cell *keys =
        arena_allocate_zeroed(undoing->arena, (size_t)count * width + 1, sizeof(*keys));
    struct retry retry;
    if (keys == NULL) {
        return no_memory(error);
    }
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = &lines[i];
    }
    qsort(sorted, count, sizeof(struct line *), compare_lines);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || compare_lines(&sorted[i - 1], &sorted[i]) != 0) {
            memcpy(&keys[(size_t)key_count++ * width], sorted[i]->key, width * sizeof(*keys));
        }
    }
    retry_init(&retry, session_patience_ms(undoing->run->session));
    enum status status;
    do {
        status = target->connector->target->fetch(target, &undoing->table, keys, key_count, found,
                                                  error);
    } while (status == STATUS_FAILED && retry_wait(&retry, error));
    return status;
}

static enum status assign_now(struct undoing *undoing, struct line **sorted, uint32_t count,
                              const struct batch *found, struct error *error)
{
    struct database *target = undoing->run->session->target;
    for (uint32_t row = 0; row < found->row_count; row++) {
        struct record_image *image = arena_allocate_zeroed(undoing->arena, 1, sizeof(*image));
        struct line wanted;
        struct line *key = &wanted;
        bool whole;
        if (image == NULL) {
            return no_memory(error);
        }
        if (record_image_make(target, found, row, undoing->arena, image, error) != STATUS_OK ||
            record_image_key(image, &undoing->table, undoing->arena, &wanted.key, &wanted.key_hash,
                             &whole, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        for (uint32_t i = 0; i < count; i++) {
            if (compare_lines(&sorted[i], &key) == 0) {
                sorted[i]->now = image;
            }
        }
    }
    return STATUS_OK;
}

static enum status put_back(struct undoing *undoing, const struct line *line, struct error *error)
{
    struct database *target = undoing->run->session->target;
    struct target_table whole = undoing->table;
    struct cell cell = line->image;
    struct batch batch = {.arena = undoing->arena, .cells = &cell, .width = 1, .row_count = 1};
    struct retry retry;
    whole.existing = EXISTING_REPLACE;
    retry_init(&retry, session_patience_ms(undoing->run->session));
    enum status status;
    do {
        status = target->connector->target->restore(target, &whole, &batch, 0, error);
    } while (status == STATUS_FAILED && retry_wait(&retry, error));
    return status;
}

/* What stands under the key by now, if it is not the record itself, is somebody else's. */
static enum status judge_taken(struct undoing *undoing, const struct line *line,
                               struct error *error)
{
    if (line->now != NULL) {
        bool is_back = compare_hashes(&line->now->hash, &line->image_hash) == 0;
        return is_back ? STATUS_OK : add_obstacle(undoing, &undoing->changed, line, error);
    }
    if (add_step(undoing, line, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return undoing->dry_run ? STATUS_OK : put_back(undoing, line, error);
}

/* Nothing is there: somebody deleted it, if the run wrote it and the rollback has not removed it.
 */
static enum status judge_missing(struct undoing *undoing, const struct line *line,
                                 struct error *error)
{
    bool by_others = line->done && !has_hash(&undoing->refused, &line->key_hash) &&
                     !has_hash(&undoing->removed, &line->key_hash);
    if (by_others) {
        return add_obstacle(undoing, &undoing->missing, line, error);
    }
    return undoing->dry_run ? add_step(undoing, line, false, error) : STATUS_OK;
}

/* What is to be done about one line; `*remove`: its record goes. */
static enum status judge(struct undoing *undoing, struct line *line, bool *remove,
                         struct error *error)
{
    bool overwrote = line->image.kind == VALUE_MAP;
    *remove = false;
    if (line->taken) {
        return judge_taken(undoing, line, error);
    }
    if (line->settled || (overwrote && compare_hashes(&line->image_hash, &line->after) == 0)) {
        return STATUS_OK;
    }
    if (line->now == NULL) {
        return judge_missing(undoing, line, error);
    }
    if (compare_hashes(&line->now->hash, &line->after) != 0) {
        bool is_back = overwrote && compare_hashes(&line->now->hash, &line->image_hash) == 0;
        return is_back ? STATUS_OK : add_obstacle(undoing, &undoing->changed, line, error);
    }
    if (add_step(undoing, line, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *remove = !overwrote;
    return overwrote && !undoing->dry_run ? put_back(undoing, line, error) : STATUS_OK;
}

static enum status remove_all(struct undoing *undoing, const struct cell *keys,
                              const struct canonical_hash *hashes, uint32_t count,
                              struct error *error)
{
    struct database *target = undoing->run->session->target;
    uint64_t deleted;
    struct retry retry;
    if (count == 0 || undoing->dry_run) {
        return STATUS_OK;
    }
    if (note_removed(undoing, hashes, count, error) != STATUS_OK) {
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
static enum status take_back(struct undoing *undoing, struct line *lines, uint32_t count,
                             struct error *error)
{
    struct batch *found = NULL;
    uint32_t width = undoing->table.key.count;
    uint32_t removed = 0;
    struct line **sorted = arena_allocate_zeroed(undoing->arena, count + 1u, sizeof(struct line *));
    struct cell *keys =
        arena_allocate_zeroed(undoing->arena, (size_t)count * width + 1, sizeof(*keys));
    struct canonical_hash hashes[RECORDS_AT_ONCE]; /* of the keys */
    if (sorted == NULL || keys == NULL) {
        return no_memory(error);
    }
    enum status status = fetch_now(undoing, lines, count, sorted, &found, error);
    status = status == STATUS_OK ? assign_now(undoing, sorted, count, found, error) : status;
    for (uint32_t i = count; i > 0 && status == STATUS_OK; i--) {
        bool remove = false;
        undoing->counts->kept += !lines[i - 1].taken;
        size_t steps = undoing->steps.count;
        status = judge(undoing, &lines[i - 1], &remove, error);
        if (remove) {
            hashes[removed] = lines[i - 1].key_hash;
            memcpy(&keys[(size_t)removed++ * width], lines[i - 1].key, width * sizeof(*keys));
        }
        bool ours = undoing->steps.count > steps && undoing->steps.items[steps].sure;
        for (uint32_t j = 0; ours && j < i - 1; j++) {
            lines[j].settled =
                lines[j].settled || compare_hashes(&lines[j].key_hash, &lines[i - 1].key_hash) == 0;
        }
    }
    batch_destroy(found);
    return status == STATUS_OK ? remove_all(undoing, keys, hashes, removed, error) : status;
}

static enum status damaged(struct undoing *undoing, const struct frame *frame, struct error *error)
{
    return lost(undoing->run, frame->path, "is damaged", error);
}

static enum status read_frame(struct undoing *undoing, const struct frame *frame, char **text,
                              struct error *error)
{
    char hex[33];
    FILE *stream = fopen(frame->path, "re");
    bool lacks_memory = stream == NULL && errno == ENOMEM;
    *text = malloc(frame->bytes + 1);
    bool whole = stream != NULL && *text != NULL && fseek(stream, frame->offset, SEEK_SET) == 0 &&
                 fread(*text, 1, frame->bytes, stream) == frame->bytes;
    if (stream != NULL) {
        fclose(stream);
    }
    if (!whole) {
        return *text == NULL || lacks_memory ? no_memory(error) : damaged(undoing, frame, error);
    }
    (*text)[frame->bytes] = '\0';
    XXH128_hash_t hash = XXH3_128bits(*text, frame->bytes);
    text_from_hash(hash.high64, hash.low64, hex);
    return strcmp(hex, frame->hash) == 0 ? STATUS_OK : damaged(undoing, frame, error);
}

/* The lines in pieces, the last piece first. */
static enum status undo_frame(struct undoing *undoing, const struct frame *frame,
                              struct error *error)
{
    char *text = NULL;
    struct line lines[RECORDS_AT_ONCE];
    struct error why = {0};
    enum status status = read_frame(undoing, frame, &text, error);
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
            status = read_line(undoing, text + start, end - 1 - start,
                               &lines[RECORDS_AT_ONCE - count], &why);
            lines[RECORDS_AT_ONCE - count].done = frame->done;
            status = status == STATUS_OK        ? STATUS_OK
                     : why.code == ERROR_MEMORY ? no_memory(error)
                                                : damaged(undoing, frame, error);
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

static const char *find_folder(struct undoing *undoing)
{
    const struct run *run = undoing->run;
    if (before_is_of(run->folder.before, run->id)) {
        return run->folder.before;
    }
    const char *path = arena_format(undoing->names, "%s/%s/before", run->folder.runs, run->id);
    return path != NULL && before_is_of(path, run->id) ? path : NULL;
}

enum status before_undo(struct run *run, uint32_t table, bool dry_run, struct undo_counts *counts,
                        struct error *error)
{
    struct undoing undoing = {.run = run,
                              .table = run->tables[table],
                              .dry_run = dry_run,
                              .counts = counts,
                              .removed_file = -1,
                              .names = arena_create(0),
                              .arena = arena_create(0)};
    *counts = (struct undo_counts){0};
    enum status status = STATUS_OK;
    if (undoing.names == NULL || undoing.arena == NULL) {
        status = no_memory(error);
        goto out;
    }
    const char *folder = run->status.before_lost ? NULL : find_folder(&undoing);
    status = folder == NULL
                 ? lost(run, NULL, "the before-images are not in the state folder", error)
                 : list_frames(&undoing, folder, error);
    if (status == STATUS_OK) {
        undoing.removed_path = arena_format(undoing.names, "%s/removed-%" PRIu32, folder, table);
        status = undoing.removed_path == NULL ? no_memory(error) : load_removed(&undoing, error);
    }
    for (size_t i = 0; i < undoing.frame_count && status == STATUS_OK; i++) {
        status = undo_frame(&undoing, &undoing.frames[i], error);
    }
    if (status == STATUS_OK) {
        status = count_all(&undoing, error);
    }
out:
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
