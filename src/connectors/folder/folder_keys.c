/*
 * Records under one key: found after the last chunk by sorting the keys of all segments on disk,
 * written down, and only then taken out of their segments; so that a crash at any point repeats
 * nothing but work.
 *
 *   settle/<table>.duplicates   a line a record to take out, by segment and line:
 *   {"chunk":1,"entity":0,"ordinal":7,"file":"<segment>","line":7,"repeats":0,"record":{"Item":{…}}}
 * `line` counts records from 0; `record` is the record as it stood in the segment, where that is no
 * JSON as base64.
 *
 * Sorted strings: XXH3-64 of the key (8 bytes), the key, then 32 bytes of place: uint32 entity,
 * uint64 chunk, uint64 ordinal, uint32 segment, uint64 line, big endian: among equal keys the first
 * one stays. Last come 16 bytes of the record's canonical hash, of tables with `distinct`: is a
 * later one the same record?
 */
#include "connectors/folder/folder_claim.h"

#include "base/bytes.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/text.h"
#include "connectors/common/spill_sort.h"
#include "connectors/folder/folder_keys.h"
#include "model/canonical.h"
#include "model/json_writer.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    SORT_BYTES = 16 * 1024 * 1024,
    PLACE_BYTES = 32,
    RECORD_BYTES = 16,
    TAIL_BYTES = PLACE_BYTES + RECORD_BYTES,
    LIST_BUFFER_BYTES = 256 * 1024
};

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory to look for equal keys");
}

/* ---------------------------------------------------------------- the segments */

char *folder_settling_path(struct folder_settling *settling, const char *file)
{
    return file_join(settling->arena, settling->table_path, file);
}

/* Walks the ordinals of a segment's lines. */
struct walk {
    const struct folder_segment *segment;
    uint32_t at;
    uint64_t used;
};

static uint64_t next_ordinal(struct walk *walk)
{
    const struct folder_ordinals *ordinals = walk->segment->ordinals;
    while (walk->at < walk->segment->ordinals_count && walk->used == ordinals[walk->at].count) {
        walk->at++;
        walk->used = 0;
    }
    return walk->at < walk->segment->ordinals_count ? ordinals[walk->at].first + walk->used++ : 0;
}

/* ---------------------------------------------------------------- sorting keys */

/* One part's bytes: equal for equal values only. */
static enum status append_part(struct folder *folder, const struct cell *part, const char *name,
                               struct arena *arena, struct buffer *out, struct error *error)
{
    struct cell normal;
    if (folder->format->normal_form(folder, part, arena, &normal, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return folder->format->key_append != NULL
               ? folder->format->key_append(folder, &normal, name, out, error)
               : canonical_append(&normal, out, error);
}

enum status folder_key_append(struct folder *folder, const struct target_table *table,
                              const struct cell *key, struct arena *arena, struct buffer *out,
                              struct error *error)
{
    for (uint32_t at = 0; at < table->key.count; at++) {
        uint8_t length[4];
        size_t start = out->length;
        buffer_append(out, "\0\0\0\0", 4);
        if (append_part(folder, &key[at], table->key.names[at], arena, out, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        bytes_put_be(length, out->length - start - 4, 4);
        memcpy(out->data + start, length, 4);
    }
    return STATUS_OK;
}

enum status folder_key_find(const struct target_table *table, const struct cell *record,
                            struct cell key[FOLDER_KEY_PARTS_MAX])
{
    for (uint32_t at = 0; at < table->key.count; at++) {
        const struct cell *field = value_field(record, table->key.names[at]);
        key[at] = field != NULL ? *field : cell_missing();
        if (key[at].kind <= VALUE_NULL) {
            return STATUS_END;
        }
    }
    return STATUS_OK;
}

static enum status append_key(const struct folder_settling *settling, const struct cell *item,
                              struct arena *arena, struct buffer *out, struct error *error)
{
    struct cell key[FOLDER_KEY_PARTS_MAX];
    return folder_settling_key(settling, item, key, error) == STATUS_OK
               ? folder_key_append(settling->folder, settling->table, key, arena, out, error)
               : STATUS_FAILED;
}

static int compare_pairs(const void *left, const void *right)
{
    const struct cell *a = left;
    const struct cell *b = right;
    size_t common = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->text, b->text, common);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* The same for two records with the same attributes, in whatever order. */
static enum status append_record_hash(const struct cell *item, struct arena *arena,
                                      struct buffer *out, struct error *error)
{
    struct canonical_hash hash;
    struct buffer scratch = {0};
    uint8_t bytes[RECORD_BYTES];
    struct cell *pairs = arena_try_allocate(arena, (2 * (size_t)item->length + 1) * sizeof(*pairs));
    if (pairs == NULL) {
        return no_memory(error);
    }
    memcpy(pairs, item->items, 2 * (size_t)item->length * sizeof(*pairs));
    qsort(pairs, item->length, 2 * sizeof(*pairs), compare_pairs);
    struct cell sorted = cell_items(VALUE_MAP, pairs, item->length);
    enum status status = canonical_hash_cells(&sorted, 1, &scratch, &hash, error);
    buffer_free(&scratch);
    bytes_put_be(bytes, hash.high, 8);
    bytes_put_be(bytes + 8, hash.low, 8);
    buffer_append(out, bytes, sizeof(bytes));
    return status;
}

static enum status sort_record(struct folder_settling *settling, struct folder_decoder *decoder,
                               struct spill_sorter *sorter, const uint8_t place[PLACE_BYTES],
                               const char *line, size_t length, struct buffer *scratch,
                               struct arena *arena, struct error *error)
{
    struct cell item;
    arena_reset(arena);
    buffer_clear(scratch);
    buffer_append(scratch, "\0\0\0\0\0\0\0\0", 8);
    if (settling->folder->format->raw_read(decoder, line, length, arena, &item, error) !=
            STATUS_OK ||
        append_key(settling, &item, arena, scratch, error) != STATUS_OK) {
        return error_recode(error, ERROR_TARGET_INVALID);
    }
    uint8_t hash[8];
    bytes_put_be(hash, XXH3_64bits(scratch->data + 8, scratch->length - 8), 8);
    memcpy(scratch->data, hash, 8);
    buffer_append(scratch, place, PLACE_BYTES);
    if (settling->table->distinct) {
        if (append_record_hash(&item, arena, scratch, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    } else {
        static const char none[RECORD_BYTES];
        buffer_append(scratch, none, sizeof(none));
    }
    return spill_sorter_add(sorter, scratch->data, scratch->length, error);
}

static enum status sort_segment(struct folder_settling *settling, struct spill_sorter *sorter,
                                uint32_t number, struct buffer *scratch, struct arena *arena,
                                struct error *error)
{
    const struct folder_segment *segment = &settling->marked.segments[number];
    struct walk walk = {.segment = segment};
    const struct folder_format *format = settling->folder->format;
    struct folder_decoder *decoder = NULL;
    uint64_t chunk = 0;
    uint32_t entity = 0;
    uint32_t part = 0;
    uint64_t line_number = 0;
    uint8_t place[PLACE_BYTES];
    char *path = folder_settling_path(settling, segment->file);
    if (!folder_segment_parse(format, segment->file, NULL, &chunk, &entity, &part)) {
        return error_set(error, ERROR_LEDGER_INVALID, path, "the segment's name is none");
    }
    enum status status =
        folder_segment_open(settling->folder, settling->table->name, path, &decoder, error);
    while (status == STATUS_OK) {
        const char *line = NULL;
        size_t length = 0;
        status = format->raw_next(decoder, &line, &length, error);
        if (status == STATUS_OK) {
            bytes_put_be(place, entity, 4);
            bytes_put_be(place + 4, chunk, 8);
            bytes_put_be(place + 12, next_ordinal(&walk), 8);
            bytes_put_be(place + 20, number, 4);
            bytes_put_be(place + 24, line_number++, 8);
            status =
                sort_record(settling, decoder, sorter, place, line, length, scratch, arena, error);
        }
    }
    format->decoder_close(decoder);
    if (status == STATUS_END && line_number != segment->records) {
        status = error_set(error, ERROR_TARGET_INVALID, path,
                           "the segment has %" PRIu64 " items; it was done with %" PRIu64,
                           line_number, segment->records);
    }
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status sort_all(struct folder_settling *settling, struct spill_sorter *sorter,
                            struct error *error)
{
    struct buffer scratch = {0};
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < settling->marked.count && status == STATUS_OK; at++) {
        status = sort_segment(settling, sorter, at, &scratch, arena, error);
    }
    status = status == STATUS_OK ? spill_sorter_finish(sorter, error) : status;
    buffer_free(&scratch);
    arena_destroy(arena);
    return status;
}

/* Places of all but the first record of each key go to `duplicates`, segment and line first, and
 * whether they repeat the first one. */
static enum status pick_duplicates(struct spill_sorter *sorter, struct spill_sorter *duplicates,
                                   bool distinct, uint64_t *count, struct error *error)
{
    struct buffer last = {0};
    uint8_t first[RECORD_BYTES] = {0};
    bool any = false;
    enum status status = STATUS_OK;
    for (;;) {
        const uint8_t *bytes = NULL;
        size_t length = 0;
        status = spill_sorter_next(sorter, &bytes, &length, error);
        if (status != STATUS_OK) {
            break;
        }
        size_t key = length - TAIL_BYTES;
        const uint8_t *record = bytes + key + PLACE_BYTES;
        if (any && last.length == key && memcmp(buffer_string(&last), bytes, key) == 0) {
            uint8_t turned[PLACE_BYTES + 1];
            memcpy(turned, bytes + key + 20, 12);
            memcpy(turned + 12, bytes + key, 20);
            turned[PLACE_BYTES] = distinct && memcmp(first, record, RECORD_BYTES) == 0;
            status = spill_sorter_add(duplicates, turned, sizeof(turned), error);
            (*count)++;
        } else {
            buffer_clear(&last);
            buffer_append(&last, bytes, key);
            memcpy(first, record, RECORD_BYTES);
            any = true;
        }
        if (status != STATUS_OK) {
            break;
        }
    }
    buffer_free(&last);
    return status == STATUS_END ? spill_sorter_finish(duplicates, error) : status;
}

/* ---------------------------------------------------------------- the list */

struct list_writer {
    struct folder_settling *settling;
    struct folder_output *output;
    struct buffer text;
    struct folder_decoder *decoder; /* of segment `segment` */
    uint64_t next_line;
    uint32_t segment;
};

/* Steps forward to a line of a segment; places come in order. */
static enum status seek_line(struct list_writer *writer, uint32_t segment, uint64_t wanted,
                             const char **line, size_t *length, struct error *error)
{
    const struct folder_format *format = writer->settling->folder->format;
    enum status status = STATUS_OK;
    if (writer->decoder == NULL || writer->segment != segment) {
        char *path =
            folder_settling_path(writer->settling, writer->settling->marked.segments[segment].file);
        format->decoder_close(writer->decoder);
        writer->decoder = NULL;
        writer->segment = segment;
        writer->next_line = 0;
        status = folder_segment_open(writer->settling->folder, writer->settling->table->name, path,
                                     &writer->decoder, error);
    }
    while (status == STATUS_OK && writer->next_line <= wanted) {
        status = format->raw_next(writer->decoder, line, length, error);
        writer->next_line++;
    }
    return status == STATUS_END
               ? error_set(error, ERROR_TARGET_INVALID, writer->settling->table->name,
                           "a segment changed while it was read")
               : status;
}

/* The last of so many runs may stand for others. */
static bool ordinal_is_exact(const struct folder_segment *segment, uint64_t line)
{
    uint64_t lines = 0;
    for (uint32_t i = 0; i + 1 < segment->ordinals_count; i++) {
        lines += segment->ordinals[i].count;
    }
    return segment->ordinals_count < FOLDER_ORDINALS_MAX || line < lines;
}

static enum status list_one(struct list_writer *writer, const uint8_t *place, struct error *error)
{
    const char *line = NULL;
    size_t length = 0;
    uint32_t segment = (uint32_t)bytes_get_be(place, 4);
    uint64_t line_number = bytes_get_be(place + 4, 8);
    if (seek_line(writer, segment, line_number, &line, &length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t ordinal = ordinal_is_exact(&writer->settling->marked.segments[segment], line_number)
                           ? bytes_get_be(place + 24, 8)
                           : UINT64_MAX;
    if (!buffer_try_reserve(&writer->text, 2 * length)) {
        return no_memory(error);
    }
    buffer_format(&writer->text,
                  "{\"chunk\":%" PRIu64 ",\"entity\":%" PRIu64 ",\"ordinal\":%" PRIu64
                  ",\"file\":\"%s\",\"line\":%" PRIu64 ",\"repeats\":%u,\"record\":",
                  bytes_get_be(place + 16, 8), bytes_get_be(place + 12, 4), ordinal,
                  writer->settling->marked.segments[segment].file, line_number, place[PLACE_BYTES]);
    if (writer->settling->folder->format->json_records) {
        length -= length > 0 && line[length - 1] == '\n';
        buffer_append(&writer->text, line, length);
    } else {
        json_append_base64(&writer->text, line, length);
    }
    buffer_append(&writer->text, "}\n", 2);
    if (writer->text.length < LIST_BUFFER_BYTES) {
        return STATUS_OK;
    }
    enum status status =
        folder_output_write(writer->output, writer->text.data, writer->text.length, error);
    buffer_clear(&writer->text);
    return status;
}

static enum status write_list(struct folder_settling *settling, struct spill_sorter *duplicates,
                              const char *path, struct error *error)
{
    struct list_writer writer = {.settling = settling};
    enum status status = STATUS_OK;
    unlink(path);
    if (folder_output_open(path, FOLDER_PLAIN, &writer.output, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (status == STATUS_OK) {
        const uint8_t *place = NULL;
        size_t length = 0;
        status = spill_sorter_next(duplicates, &place, &length, error);
        status = status == STATUS_OK ? list_one(&writer, place, error) : status;
    }
    if (status == STATUS_END) {
        status = folder_output_write(writer.output, writer.text.data, writer.text.length, error);
    }
    if (status == STATUS_OK) {
        status = folder_output_finish(writer.output, NULL, error);
    } else {
        folder_output_abandon(writer.output);
    }
    settling->folder->format->decoder_close(writer.decoder);
    buffer_free(&writer.text);
    return status;
}

/* The list appears whole or not at all. */
static enum status make_list(struct folder_settling *settling, struct error *error)
{
    uint64_t count = 0;
    char *keys_prefix = arena_format(settling->arena, "%s/keys", settling->settle_folder);
    char *places_prefix = arena_format(settling->arena, "%s/places", settling->settle_folder);
    char *writing = arena_format(settling->arena, "%s/.writing", settling->settle_folder);
    struct spill_sorter *keys = spill_sorter_create(keys_prefix, SORT_BYTES);
    struct spill_sorter *duplicates = spill_sorter_create(places_prefix, SORT_BYTES / 4);
    enum status status = sort_all(settling, keys, error);
    if (status == STATUS_OK) {
        status = pick_duplicates(keys, duplicates, settling->table->distinct, &count, error);
    }
    spill_sorter_destroy(keys);
    status = status == STATUS_OK ? write_list(settling, duplicates, writing, error) : status;
    spill_sorter_destroy(duplicates);
    status = status == STATUS_OK ? failpoint_hit("files.before_duplicates", error) : status;
    if (status == STATUS_OK && rename(writing, settling->list_path) != 0) {
        status = error_set_errno(error, ERROR_TARGET_WRITE, errno, settling->list_path,
                                 "can't write the list of duplicates");
    }
    status = status == STATUS_OK ? file_sync_folder(settling->settle_folder, error) : status;
    return status == STATUS_OK ? failpoint_hit("files.after_duplicates", error) : status;
}

/* ---------------------------------------------------------------- settle */

static enum status prepare_settling(struct folder_settling *settling, struct error *error)
{
    const struct folder_run *run = &settling->folder->run;
    settling->settle_folder = file_join(settling->arena, run->folder, "settle");
    settling->table_path =
        folder_table_path(settling->arena, settling->folder, settling->table->name);
    char *name = folder_entry_name(settling->arena, settling->table->name);
    settling->list_path =
        arena_format(settling->arena, "%s/settle/%s.duplicates", run->folder, name);
    if (file_make_folder(settling->settle_folder, error) != STATUS_OK) {
        return error_recode(error, ERROR_TARGET_WRITE);
    }
    folder_marked_load(settling->folder, settling->table->name, settling->arena, &settling->marked);
    return STATUS_OK;
}

enum status folder_settle(struct database *self, const struct target_table *table,
                          folder_found_function *found, void *context, struct error *error)
{
    struct folder *folder = (struct folder *)self;
    struct folder_settling settling = {.folder = folder, .table = table};
    if (folder->run.id == NULL || table->key.count < 1 || table->key.count > FOLDER_KEY_PARTS_MAX) {
        return error_set(error, ERROR_INTERNAL, folder->path, "no run of this folder is claimed");
    }
    if (folder_check_claim(folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    settling.arena = arena_create(0);
    enum status status = prepare_settling(&settling, error);
    if (status == STATUS_OK && !file_exists(settling.list_path)) {
        status = make_list(&settling, error);
    }
    if (status == STATUS_OK) {
        status = folder_settling_report(&settling, found, context, error);
    }
    if (status == STATUS_OK) {
        status = folder_settling_rewrite(&settling, error);
    }
    arena_destroy(settling.arena);
    return status;
}
