/* Reporting the listed duplicates and writing their segments again without them. */
#include "connectors/dynamodb/folder_keys.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/text.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WRITE_BYTES = 256 * 1024 };

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory to settle duplicates");
}

enum status dynamodb_settling_key(const struct dynamodb_settling *settling, const struct cell *item,
                                  struct cell key[2], struct error *error)
{
    for (uint32_t at = 0; at < settling->table->key.count; at++) {
        const char *name = settling->table->key.names[at];
        size_t length = strlen(name);
        key[at] = cell_missing();
        for (size_t pair = 0; pair < item->length && key[at].kind == VALUE_MISSING; pair++) {
            const struct cell *attribute = &item->items[2 * pair];
            if (attribute->length == length && memcmp(attribute->text, name, length) == 0) {
                key[at] = item->items[2 * pair + 1];
            }
        }
        if (dynamodb_item_letter((enum value_kind)key[at].kind) == 0) {
            return error_set(error, ERROR_TARGET_INVALID, settling->table->name,
                             "an item without its key is in a segment");
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the list */

struct listed {
    uint64_t chunk;
    uint64_t entity;
    uint64_t ordinal;
    uint64_t line;
    uint64_t repeats; /* 1: the same record as the one that stays */
    char file[DYNAMODB_SEGMENT_NAME_MAX];
    struct cell item;
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

/* `with_item`: the record is wanted, too. */
static enum status parse_listed(const char *line, size_t length, bool with_item,
                                struct arena *arena, struct listed *listed, struct error *error)
{
    struct json_reader reader;
    enum json_token token = JSON_TOKEN_END;
    *listed = (struct listed){0};
    json_reader_init(&reader, line, length, DYNAMODB_JSON_DEPTH_MAX, arena);
    enum status status = json_reader_next(&reader, &token, error);
    while (status == STATUS_OK) {
        status = json_reader_next(&reader, &token, error);
        if (status != STATUS_OK || token != JSON_TOKEN_KEY) {
            break;
        }
        const char *key = reader.text;
        size_t key_length = reader.length;
        bool record = key_length == 6 && memcmp(key, "record", 6) == 0;
        if (record && !with_item) {
            return STATUS_OK;
        }
        status = json_reader_next(&reader, &token, error);
        if (status != STATUS_OK) {
            break;
        }
        if (record) {
            /* {"Item":{…}}: what the segment held */
            status = json_reader_next(&reader, &token, error);
            status = status == STATUS_OK
                         ? dynamodb_item_read(&reader, false, arena, &listed->item, error)
                         : status;
            status = status == STATUS_OK ? json_reader_next(&reader, &token, error) : status;
        } else if (token == JSON_TOKEN_STRING && reader.length < sizeof(listed->file)) {
            memcpy(listed->file, reader.text, reader.length);
            listed->file[reader.length] = '\0';
        } else if (token != JSON_TOKEN_NUMBER || !listed_number(listed, key, key_length, &reader)) {
            status = error_set(error, ERROR_LEDGER_INVALID, NULL, "it holds what it should not");
        }
    }
    if (status != STATUS_OK) {
        error_recode(error, ERROR_LEDGER_INVALID);
    }
    return status;
}

enum status dynamodb_settling_report(struct dynamodb_settling *settling,
                                     dynamodb_found_function *found, void *context,
                                     struct error *error)
{
    struct dynamodb_lines *lines = NULL;
    struct arena *arena = arena_create(0);
    struct listed listed;
    struct cell key[2];
    if (arena == NULL) {
        return no_memory(error);
    }
    enum status status =
        dynamodb_lines_open(settling->list_path, 0, 0, ERROR_LEDGER_INVALID, &lines, error);
    while (status == STATUS_OK) {
        const char *line = NULL;
        size_t length = 0;
        bool too_long = false;
        arena_reset(arena);
        status = dynamodb_lines_next(lines, &line, &length, &too_long, error);
        if (status != STATUS_OK) {
            break;
        }
        status = parse_listed(line, length, true, arena, &listed, error);
        if (status == STATUS_OK) {
            status = dynamodb_settling_key(settling, &listed.item, key, error);
        }
        if (status == STATUS_OK) {
            status = found(context, listed.chunk, (uint32_t)listed.entity, listed.ordinal, key,
                           settling->table->key.count, &listed.item, listed.repeats == 1, error);
        }
    }
    dynamodb_lines_close(lines);
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- rewriting */

/* The lines to leave out of one segment, a bit each. */
struct leaving {
    char file[DYNAMODB_SEGMENT_NAME_MAX];
    const struct dynamodb_segment *segment;
    uint8_t *lines;
    uint64_t count;
};

static enum status begin_leaving(struct dynamodb_settling *settling, struct leaving *leaving,
                                 const char *file, struct error *error)
{
    free(leaving->lines);
    *leaving = (struct leaving){0};
    snprintf(leaving->file, sizeof(leaving->file), "%s", file);
    for (uint32_t at = 0; at < settling->segment_count; at++) {
        if (strcmp(settling->segments[at].file, file) == 0) {
            leaving->segment = &settling->segments[at];
        }
    }
    if (leaving->segment == NULL) {
        return error_set(error, ERROR_LEDGER_INVALID, settling->list_path,
                         "it names a segment that is not done");
    }
    leaving->lines = (uint8_t *)calloc(leaving->segment->records / 8 + 1, 1);
    return leaving->lines != NULL ? STATUS_OK : no_memory(error);
}

static enum status copy_kept(const struct leaving *leaving, const char *from,
                             struct dynamodb_output *output, struct error *error)
{
    struct dynamodb_lines *lines = NULL;
    struct buffer text = {0};
    uint64_t number = 0;
    enum status status = dynamodb_lines_open(from, 0, 0, ERROR_TARGET_INVALID, &lines, error);
    while (status == STATUS_OK) {
        const char *line = NULL;
        size_t length = 0;
        bool too_long = false;
        status = dynamodb_lines_next(lines, &line, &length, &too_long, error);
        if (status != STATUS_OK) {
            break;
        }
        if ((leaving->lines[number / 8] >> (number % 8) & 1) == 0) {
            buffer_append(&text, line, length);
            buffer_append_byte(&text, '\n');
        }
        number++;
        if (text.failed) {
            status = no_memory(error);
        } else if (text.length >= WRITE_BYTES) {
            status = dynamodb_output_write(output, text.data, text.length, error);
            buffer_clear(&text);
        }
    }
    if (status == STATUS_END) {
        status = dynamodb_output_write(output, text.data, text.length, error);
    }
    dynamodb_lines_close(lines);
    buffer_free(&text);
    return status;
}

static enum status replace_segment(struct dynamodb_settling *settling,
                                   const struct leaving *leaving, const char *path,
                                   struct error *error)
{
    struct dynamodb_output *output = NULL;
    const struct dynamodb_run *run = &settling->folder->run;
    char *writing = arena_format(settling->arena, "%s/tmp/settled-%s", run->folder, leaving->file);
    char *folder = file_join(settling->arena, settling->folder->path, settling->table->name);
    if (writing == NULL || folder == NULL) {
        return no_memory(error);
    }
    unlink(writing);
    if (dynamodb_output_open(writing, dynamodb_compression_of(leaving->file), &output, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (copy_kept(leaving, path, output, error) != STATUS_OK) {
        dynamodb_output_abandon(output);
        return STATUS_FAILED;
    }
    if (dynamodb_output_finish(output, NULL, error) != STATUS_OK ||
        dynamodb_ledger_check_epoch(run, run->epoch, error) != STATUS_OK ||
        failpoint_hit("files.before_rewrite", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (rename(writing, path) != 0) {
        return error_set_errno(error, ERROR_TARGET_WRITE, errno, path,
                               "can't put the segment without duplicates in its place");
    }
    if (file_sync_folder(folder, error) != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
        return STATUS_FAILED;
    }
    return failpoint_hit("files.after_rewrite", error);
}

/* What was written again already has as many lines fewer as there are duplicates in it. */
static enum status end_leaving(struct dynamodb_settling *settling, const struct leaving *leaving,
                               struct error *error)
{
    uint64_t lines = 0;
    if (leaving->segment == NULL) {
        return STATUS_OK;
    }
    char *path = dynamodb_settling_path(settling, leaving->file);
    if (path == NULL) {
        return no_memory(error);
    }
    if (dynamodb_folder_count_lines(path, &lines, error) != STATUS_OK) {
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
    return replace_segment(settling, leaving, path, error);
}

static enum status leave_out(struct dynamodb_settling *settling, struct leaving *leaving,
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

enum status dynamodb_settling_rewrite(struct dynamodb_settling *settling, struct error *error)
{
    struct dynamodb_lines *lines = NULL;
    struct arena *arena = arena_create(0);
    struct leaving leaving = {0};
    struct listed listed;
    if (arena == NULL) {
        return no_memory(error);
    }
    enum status status =
        dynamodb_lines_open(settling->list_path, 0, 0, ERROR_LEDGER_INVALID, &lines, error);
    while (status == STATUS_OK) {
        const char *line = NULL;
        size_t length = 0;
        bool too_long = false;
        arena_reset(arena);
        status = dynamodb_lines_next(lines, &line, &length, &too_long, error);
        if (status == STATUS_OK) {
            status = parse_listed(line, length, false, arena, &listed, error);
        }
        if (status == STATUS_OK) {
            status = leave_out(settling, &leaving, &listed, error);
        }
    }
    if (status == STATUS_END) {
        status = end_leaving(settling, &leaving, error);
    }
    free(leaving.lines);
    dynamodb_lines_close(lines);
    arena_destroy(arena);
    return status;
}
