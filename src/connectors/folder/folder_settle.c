/* Reporting the listed duplicates and writing their segments again without them. */
#include "connectors/folder/folder_keys.h"
#include "connectors/folder/folder_rewrite.h"

#include "base/memory.h"
#include "base/text.h"
#include "model/json_reader.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status folder_settling_key(const struct folder_settling *settling, const struct cell *record,
                                struct cell key[FOLDER_KEY_PARTS_MAX], struct error *error)
{
    return folder_key_find(settling->table, record, key) == STATUS_OK
               ? STATUS_OK
               : error_set(error, ERROR_TARGET_INVALID, settling->table->name,
                           "a record without its key is in a segment");
}

/* ---------------------------------------------------------------- the list */

struct listed {
    uint64_t chunk;
    uint64_t entity;
    uint64_t ordinal;
    uint64_t line;
    uint64_t repeats; /* 1: the same record as the one that stays */
    char file[FOLDER_SEGMENT_NAME_MAX];
    const char *raw;
    size_t raw_length;
};

static bool listed_number(struct listed *listed, const char *key, size_t length,
                          const struct json_reader *reader)
{
    uint64_t *to = NULL;
    switch (length) {
    case 4:
        to = &listed->line;
        break;
    case 5:
        to = &listed->chunk;
        break;
    case 6:
        to = &listed->entity;
        break;
    case 7:
        to = key[0] == 'r' ? &listed->repeats : &listed->ordinal;
        break;
    default:
        return false;
    }
    return text_to_uint64(reader->text, reader->length, to) == STATUS_OK;
}

/* The record in a line of the list, as its segment held it. */
static enum status take_record(const struct folder_settling *settling, const char *raw,
                               size_t length, struct arena *arena, struct listed *listed,
                               struct error *error)
{
    uint8_t *bytes = NULL;
    listed->raw = raw;
    listed->raw_length = length;
    if (settling->folder->format->json_records) {
        return STATUS_OK;
    }
    if (length < 2) {
        return error_set(error, ERROR_LEDGER_INVALID, NULL, "it holds what it should not");
    }
    enum status status =
        json_decode_base64(raw + 1, length - 2, arena, &bytes, &listed->raw_length, error);
    listed->raw = (const char *)bytes;
    return status;
}

/* The record, which is wanted only if `with_record`, comes last. */
static enum status parse_listed(const struct folder_settling *settling, const char *line,
                                size_t length, bool with_record, struct arena *arena,
                                struct listed *listed, struct error *error)
{
    static const char mark[] = ",\"record\":";
    struct json_reader reader;
    enum json_token token = JSON_TOKEN_END;
    enum status status = STATUS_OK;
    const char *raw = (const char *)memmem(line, length, mark, sizeof(mark) - 1);
    *listed = (struct listed){0};
    if (raw == NULL) {
        return error_set(error, ERROR_LEDGER_INVALID, NULL, "it holds what it should not");
    }
    json_reader_init(&reader, line, length, JSON_DEPTH_MAX, arena);
    status = json_reader_next(&reader, &token, error);
    while (status == STATUS_OK && reader.position < raw) {
        status = json_reader_next(&reader, &token, error);
        if (status != STATUS_OK || token != JSON_TOKEN_KEY) {
            break;
        }
        const char *key = reader.text;
        size_t key_length = reader.length;
        status = json_reader_next(&reader, &token, error);
        if (status != STATUS_OK) {
            break;
        }
        if (token == JSON_TOKEN_STRING && reader.length < sizeof(listed->file)) {
            memcpy(listed->file, reader.text, reader.length);
            listed->file[reader.length] = '\0';
        } else if (token != JSON_TOKEN_NUMBER || !listed_number(listed, key, key_length, &reader)) {
            status = error_set(error, ERROR_LEDGER_INVALID, NULL, "it holds what it should not");
        }
    }
    if (status == STATUS_OK && with_record) {
        const char *begin = raw + sizeof(mark) - 1;
        status =
            take_record(settling, begin, (size_t)(line + length - 1 - begin), arena, listed, error);
    }
    if (status != STATUS_OK) {
        error_recode(error, ERROR_LEDGER_INVALID);
    }
    return status;
}

/* A decoder of the segment that a line of the list is of. */
struct listed_segment {
    char file[FOLDER_SEGMENT_NAME_MAX];
    struct folder_decoder *decoder;
};

static enum status read_listed(struct folder_settling *settling, const struct listed *listed,
                               struct listed_segment *segment, struct arena *arena,
                               struct cell *record, struct error *error)
{
    const struct folder_format *format = settling->folder->format;
    if (segment->decoder == NULL || strcmp(segment->file, listed->file) != 0) {
        char *path = folder_settling_path(settling, listed->file);
        format->decoder_close(segment->decoder);
        segment->decoder = NULL;
        memcpy(segment->file, listed->file, sizeof(segment->file));
        if (folder_segment_open(settling->folder, settling->table->name, path, &segment->decoder,
                                error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (format->raw_read(segment->decoder, listed->raw, listed->raw_length, arena, record, error) !=
        STATUS_OK) {
        return error_recode(error, ERROR_LEDGER_INVALID);
    }
    return STATUS_OK;
}

enum status folder_settling_report(struct folder_settling *settling, folder_found_function *found,
                                   void *context, struct error *error)
{
    struct folder_lines *lines = NULL;
    struct arena *arena = arena_create(0);
    struct listed_segment segment = {0};
    struct listed listed;
    struct cell record;
    struct cell key[FOLDER_KEY_PARTS_MAX];
    enum status status = folder_lines_open(settling->list_path, 0, 0, SIZE_MAX / 4,
                                           ERROR_LEDGER_INVALID, &lines, error);
    while (status == STATUS_OK) {
        char *line = NULL;
        size_t length = 0;
        bool too_long = false;
        arena_reset(arena);
        status = folder_lines_next(lines, &line, &length, &too_long, error);
        if (status != STATUS_OK) {
            break;
        }
        status = parse_listed(settling, line, length, true, arena, &listed, error);
        if (status == STATUS_OK) {
            status = read_listed(settling, &listed, &segment, arena, &record, error);
        }
        if (status == STATUS_OK) {
            status = folder_settling_key(settling, &record, key, error);
        }
        if (status == STATUS_OK) {
            status = found(context, listed.chunk, (uint32_t)listed.entity, listed.ordinal, key,
                           settling->table->key.count, &record,
                           listed.repeats == 1 ? DUPLICATE_REPEATS : DUPLICATE_DIFFERS, error);
        }
    }
    settling->folder->format->decoder_close(segment.decoder);
    folder_lines_close(lines);
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- rewriting */

/* The lines to leave out of one segment, a bit each. */
struct leaving {
    char file[FOLDER_SEGMENT_NAME_MAX];
    const struct folder_segment *segment;
    uint8_t *lines;
    uint64_t count;
};

static enum status begin_leaving(struct folder_settling *settling, struct leaving *leaving,
                                 const char *file, struct error *error)
{
    free(leaving->lines);
    *leaving = (struct leaving){0};
    snprintf(leaving->file, sizeof(leaving->file), "%s", file);
    leaving->segment = folder_marked_find(&settling->marked, file);
    if (leaving->segment == NULL) {
        return error_set(error, ERROR_LEDGER_INVALID, settling->list_path,
                         "it names a segment that is not done");
    }
    leaving->lines = memory_allocate_zeroed(leaving->segment->records / 8 + 1, 1);
    return STATUS_OK;
}

static enum status is_left_out(void *context, struct folder_decoder *decoder, uint64_t number,
                               const char *bytes, size_t length, bool *leave, struct error *error)
{
    const struct leaving *leaving = context;
    (void)decoder;
    (void)bytes;
    (void)length;
    (void)error;
    *leave = (leaving->lines[number / 8] >> (number % 8) & 1) != 0;
    return STATUS_OK;
}

static enum status replace_segment(struct folder_settling *settling, struct leaving *leaving,
                                   struct error *error)
{
    struct folder_rewriting rewriting = {.folder = settling->folder,
                                         .arena = settling->arena,
                                         .table = settling->table->name,
                                         .table_path = settling->table_path,
                                         .file = leaving->file,
                                         .leaves = is_left_out,
                                         .context = leaving};
    return folder_rewrite(&rewriting, error);
}

/* A segment written again already has as many lines fewer as there are duplicates in it. */
static enum status end_leaving(struct folder_settling *settling, struct leaving *leaving,
                               struct error *error)
{
    uint64_t lines = 0;
    if (leaving->segment == NULL) {
        return STATUS_OK;
    }
    char *path = folder_settling_path(settling, leaving->file);
    if (folder_count_records(settling->folder, settling->table->name, path, &lines, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (lines + leaving->count == leaving->segment->records) {
        return STATUS_OK;
    }
    if (lines != leaving->segment->records) {
        return error_set(error, ERROR_TARGET_INVALID, path,
                         "the segment has %" PRIu64 " items; it was done with %" PRIu64, lines,
                         leaving->segment->records);
    }
    return replace_segment(settling, leaving, error);
}

static enum status leave_out(struct folder_settling *settling, struct leaving *leaving,
                             const struct listed *listed, struct error *error)
{
    if (leaving->segment == NULL || strcmp(leaving->file, listed->file) != 0) {
        if (end_leaving(settling, leaving, error) != STATUS_OK ||
            begin_leaving(settling, leaving, listed->file, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (listed->line >= leaving->segment->records) {
        return error_set(error, ERROR_LEDGER_INVALID, settling->list_path,
                         "it names a line that the segment does not have");
    }
    leaving->lines[listed->line / 8] |= (uint8_t)(1 << (listed->line % 8));
    leaving->count++;
    return STATUS_OK;
}

enum status folder_settling_rewrite(struct folder_settling *settling, struct error *error)
{
    struct folder_lines *lines = NULL;
    struct arena *arena = arena_create(0);
    struct leaving leaving = {0};
    struct listed listed;
    enum status status = folder_lines_open(settling->list_path, 0, 0, SIZE_MAX / 4,
                                           ERROR_LEDGER_INVALID, &lines, error);
    while (status == STATUS_OK) {
        char *line = NULL;
        size_t length = 0;
        bool too_long = false;
        arena_reset(arena);
        status = folder_lines_next(lines, &line, &length, &too_long, error);
        if (status == STATUS_OK) {
            status = parse_listed(settling, line, length, false, arena, &listed, error);
        }
        if (status == STATUS_OK) {
            status = leave_out(settling, &leaving, &listed, error);
        }
    }
    if (status == STATUS_END) {
        status = end_leaving(settling, &leaving, error);
    }
    free(leaving.lines);
    folder_lines_close(lines);
    arena_destroy(arena);
    return status;
}
