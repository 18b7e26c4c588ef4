/* Before-images as they are read back: the frames of a table, their lines. */
#include "engine/before/before_parts.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/formats/record_image.h"
#include "engine/formats/typed_json.h"
#include "engine/ledger/json_text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { FRAME_BYTES_MAX = 1 << 30 };

enum status before_lost(const struct run *run, const char *path, const char *why,
                        struct error *error)
{
    error_set(error, ERROR_ROLLBACK_REFUSED, run->id,
              "what it overwrote is not known any more: %s%s%s", path == NULL ? "" : path,
              path == NULL ? "" : " ", why);
    error_hint(error, "put the state folder of the run back where it was (--state); else take the "
                      "run's records out by hand");
    return STATUS_FAILED;
}

enum status before_damaged(const struct before_undoing *undoing, const struct before_frame *frame,
                           struct error *error)
{
    return before_lost(undoing->run, frame->path, "is damaged", error);
}

/* ---- the list of frames */

static void add_frame(struct before_undoing *undoing, const struct before_frame *frame)
{
    if (undoing->frame_count == undoing->frame_capacity) {
        size_t wanted = undoing->frame_capacity == 0 ? 64 : 2 * undoing->frame_capacity;
        undoing->frames = memory_resize(undoing->frames, wanted, sizeof(*undoing->frames));
        undoing->frame_capacity = wanted;
    }
    undoing->frames[undoing->frame_count++] = *frame;
}

/* The head that stands at the stream's place. STATUS_END: none, or a torn one: its batch was never
 * sent. */
static enum status read_head(struct before_undoing *undoing, struct file_lines *lines,
                             struct before_frame *frame, bool *of_table, struct error *error)
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
        return STATUS_END;
    }
    int64_t bytes = json_member_integer(head, "bytes", -1);
    frame->sequence = (uint64_t)json_member_integer(head, "sequence", 0);
    snprintf(frame->hash, sizeof(frame->hash), "%s", json_member_text(head, "xxh3", ""));
    *of_table = strcmp(json_member_text(head, "table", ""), undoing->table.name) == 0;
    int64_t chunk = json_member_integer(head, "chunk", 0);
    const struct run *run = undoing->run;
    frame->done = chunk > 0 && (uint64_t)chunk <= run->chunks.count && run->chunks.done[chunk - 1];
    const char *refused = json_member_text(head, "refused", NULL);
    if (refused != NULL) {
        if (*of_table) {
            struct canonical_hash hash;
            if (canonical_hash_parse(refused, &hash) == STATUS_OK) {
                before_add_hash(&undoing->refused, &hash);
            } /* else a machine that stopped left it so: not synced */
        }
        *of_table = false; /* no frame is behind it */
    }
    json_decref(head);
    if (bytes < 0 || bytes > FRAME_BYTES_MAX) {
        return before_damaged(undoing, frame, error);
    }
    frame->bytes = (size_t)bytes;
    frame->offset = ftell(lines->stream);
    return STATUS_OK;
}

static enum status list_file(struct before_undoing *undoing, const char *path, uint64_t epoch,
                             struct error *error)
{
    struct file_lines lines;
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? before_lost(undoing->run, path, "is gone", error)
                                    : STATUS_FAILED;
    }
    long end = fseek(lines.stream, 0, SEEK_END) == 0 ? ftell(lines.stream) : -1;
    status = end < 0 ? file_lines_fail(&lines, error) : file_lines_rewind(&lines, error);
    while (status == STATUS_OK) {
        struct before_frame frame = {.epoch = epoch, .path = path};
        bool of_table = false;
        status = read_head(undoing, &lines, &frame, &of_table, error);
        if (status == STATUS_OK && frame.offset + (long)frame.bytes > end) {
            status = STATUS_END; /* torn */
        }
        if (status == STATUS_OK && of_table) {
            add_frame(undoing, &frame);
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
    const struct before_frame *a = left;
    const struct before_frame *b = right;
    return a->epoch != b->epoch ? (a->epoch < b->epoch ? 1 : -1)
                                : (a->sequence < b->sequence) - (a->sequence > b->sequence);
}

enum status before_list_frames(struct before_undoing *undoing, const char *folder,
                               struct error *error)
{
    struct entries entries;
    const char *name;
    enum status status = entries_open(&entries, folder, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? before_lost(undoing->run, folder, "is gone", error)
                                    : STATUS_FAILED;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        uint64_t epoch;
        size_t digits = strspn(name, "0123456789");
        if (strstr(name, ".jsonl") == NULL || digits == 0 ||
            text_to_uint64(name, digits, &epoch) != STATUS_OK) {
            continue;
        }
        const char *path = file_join(undoing->names, folder, name);
        status = list_file(undoing, path, epoch, error);
    }
    entries_close(&entries);
    if (undoing->frame_count > 0) {
        qsort(undoing->frames, undoing->frame_count, sizeof(*undoing->frames), compare_frames);
    }
    before_sort_hashes(&undoing->refused);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status before_read_frame(struct before_undoing *undoing, const struct before_frame *frame,
                              char **text, struct error *error)
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
        return *text == NULL || lacks_memory ? before_no_memory(error)
                                             : before_damaged(undoing, frame, error);
    }
    (*text)[frame->bytes] = '\0';
    XXH128_hash_t hash = XXH3_128bits(*text, frame->bytes);
    text_from_hash(hash.high64, hash.low64, hex);
    return strcmp(hex, frame->hash) == 0 ? STATUS_OK : before_damaged(undoing, frame, error);
}

/* ---- lines */

static bool is_key(const struct json_reader *reader, const char *name)
{
    return reader->length == strlen(name) && memcmp(reader->text, name, reader->length) == 0;
}

static struct before_ends *ends_of(const struct before_undoing *undoing, struct before_line *line)
{
    if (line->ends == NULL) {
        line->ends = arena_allocate_zeroed(undoing->arena, 1, sizeof(*line->ends));
        line->ends->fields = cell_items(VALUE_MAP, NULL, 0);
    }
    return line->ends;
}

static enum status read_member(struct before_undoing *undoing, struct json_reader *reader,
                               struct before_line *line, struct error *error)
{
    enum json_token token;
    struct cell key;
    bool is_after = is_key(reader, "after");
    bool is_image = is_key(reader, "image");
    bool of_key = is_key(reader, "key");
    bool is_end = is_key(reader, "end");
    bool is_ends = is_key(reader, "ends");
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
    if (is_end && token == JSON_TOKEN_NUMBER) {
        return text_to_int64(reader->text, reader->length, &ends_of(undoing, line)->record);
    }
    if (is_ends && token == JSON_TOKEN_OBJECT_BEGIN) {
        return typed_json_read_fields(reader, token, undoing->arena,
                                      &ends_of(undoing, line)->fields, error);
    }
    if (!of_key) {
        return json_reader_skip(reader, token, error);
    }
    if (typed_json_read(reader, token, undoing->arena, &key, error) != STATUS_OK ||
        key.kind != VALUE_LIST || key.length != undoing->table.key.count) {
        return STATUS_FAILED;
    }
    struct buffer scratch = {0};
    line->key.cells =
        arena_allocate_zeroed(undoing->arena, key.length + 1u, sizeof(*line->key.cells));
    memcpy(line->key.cells, key.items, key.length * sizeof(*line->key.cells));
    enum status status =
        canonical_hash_cells(key.items, key.length, &scratch, &line->key.hash, error);
    buffer_free(&scratch);
    return status;
}

enum status before_read_line(struct before_undoing *undoing, const char *text, size_t length,
                             struct before_line *line, struct error *error)
{
    struct json_reader reader;
    enum json_token token;
    *line = (struct before_line){.image = cell_null()};
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
        status = record_image_make(undoing->run->session->target, NULL, &batch, 0, undoing->arena,
                                   &image, error);
        line->image_hash = image.hash;
    }
    bool whole = line->key.cells != NULL && (!line->taken || line->image.kind == VALUE_MAP);
    return status == STATUS_OK && whole ? STATUS_OK : STATUS_FAILED;
}
