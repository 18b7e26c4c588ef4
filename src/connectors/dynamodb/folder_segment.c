/* Segments: parts of bounded size, written under tmp/ and renamed when the chunk is committed. */
#include "connectors/dynamodb/folder_segment.h"

#include "base/failpoint.h"
#include "base/file.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WRITE_BYTES = 256 * 1024, SPARE_BYTES_MAX = 1024 * 1024 };

static enum status no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, NULL, "no memory to write records");
}

static enum status begin_part(struct dynamodb_stream *stream, struct error *error)
{
    struct dynamodb_folder *folder = stream->folder;
    struct dynamodb_part *part =
        (struct dynamodb_part *)arena_allocate_zeroed(stream->arena, 1, sizeof(*part));
    if (part == NULL) {
        return no_memory(error);
    }
    dynamodb_segment_name(folder->run.tag, stream->chunk, stream->entity, stream->part_count,
                          folder->compression, part->name);
    part->writing_path = arena_format(stream->arena, "%s/tmp/%u-%s", folder->run.folder,
                                      stream->table_number, part->name);
    part->final_path =
        arena_format(stream->arena, "%s/%s/%s", folder->path, stream->table, part->name);
    if (part->writing_path == NULL || part->final_path == NULL) {
        return no_memory(error);
    }
    if (stream->last_part != NULL) {
        stream->last_part->next = part;
    } else {
        stream->parts = part;
    }
    stream->last_part = part;
    stream->last_part_ended = false;
    stream->part_count++;
    return STATUS_OK;
}

static enum status broken(struct dynamodb_stream *stream)
{
    stream->broken = true;
    return STATUS_FAILED;
}

static enum status write_buffer(struct dynamodb_stream *stream, size_t length, struct error *error)
{
    struct buffer *buffer = &stream->buffer;
    if (stream->output == NULL) {
        unlink(stream->last_part->writing_path); /* an abandoned attempt's */
        if (dynamodb_output_open(stream->last_part->writing_path, stream->folder->compression,
                                 &stream->output, error) != STATUS_OK) {
            return broken(stream);
        }
    }
    if (dynamodb_output_write(stream->output, buffer->data, length, error) != STATUS_OK) {
        return broken(stream);
    }
    memmove(buffer->data, buffer->data + length, buffer->length - length);
    buffer->length -= length;
    return STATUS_OK;
}

/* All but the bytes from `end` on belongs to the part that ends here. */
static enum status end_part(struct dynamodb_stream *stream, size_t end, struct error *error)
{
    if (write_buffer(stream, end, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct dynamodb_output *output = stream->output;
    stream->output = NULL;
    stream->last_part_ended = true;
    return dynamodb_output_finish(output, &stream->last_part->file_bytes, error) == STATUS_OK
               ? STATUS_OK
               : broken(stream);
}

static enum status add_ordinal(struct dynamodb_stream *stream, uint64_t ordinal,
                               struct error *error)
{
    struct dynamodb_part *part = stream->last_part;
    if (part->ordinals_count > 0) {
        struct dynamodb_ordinals *last = &part->ordinals[part->ordinals_count - 1];
        if (last->first + last->count == ordinal) {
            last->count++;
            return STATUS_OK;
        }
    }
    if (part->ordinals_count == part->ordinals_capacity) {
        uint32_t capacity = part->ordinals_capacity == 0 ? 4 : part->ordinals_capacity * 2;
        struct dynamodb_ordinals *grown = (struct dynamodb_ordinals *)arena_allocate_zeroed(
            stream->arena, capacity, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(error);
        }
        if (part->ordinals_count > 0) {
            memcpy(grown, part->ordinals, part->ordinals_count * sizeof(*grown));
        }
        part->ordinals = grown;
        part->ordinals_capacity = capacity;
    }
    part->ordinals[part->ordinals_count++] = (struct dynamodb_ordinals){ordinal, 1};
    return STATUS_OK;
}

enum status dynamodb_stream_add(struct dynamodb_stream *stream, size_t start, uint64_t ordinal,
                                struct error *error)
{
    uint64_t bytes = stream->buffer.length - start;
    struct dynamodb_part *part = stream->last_part;
    if (part != NULL && !stream->last_part_ended &&
        part->bytes + bytes > stream->folder->file_bytes_max) {
        if (end_part(stream, start, error) != STATUS_OK ||
            failpoint_hit("files.after_part", error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if ((part == NULL || stream->last_part_ended) && begin_part(stream, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    stream->last_part->records++;
    stream->last_part->bytes += bytes;
    if (add_ordinal(stream, ordinal, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return stream->buffer.length >= WRITE_BYTES ? write_buffer(stream, stream->buffer.length, error)
                                                : STATUS_OK;
}

enum status dynamodb_stream_end(struct dynamodb_stream *stream, struct error *error)
{
    if (stream->broken) {
        return error_set(error, ERROR_TARGET_WRITE, stream->table,
                         "an earlier write of this chunk failed");
    }
    if (stream->last_part == NULL || stream->last_part_ended) {
        return STATUS_OK;
    }
    return end_part(stream, stream->buffer.length, error);
}

enum status dynamodb_stream_publish(struct dynamodb_stream *stream, struct error *error)
{
    char *table_folder = file_join(stream->arena, stream->folder->path, stream->table);
    if (table_folder == NULL) {
        return no_memory(error);
    }
    for (struct dynamodb_part *part = stream->parts; part != NULL; part = part->next) {
        if (!part->published && rename(part->writing_path, part->final_path) != 0) {
            return error_set_errno(error, ERROR_TARGET_WRITE, errno, part->final_path,
                                   "can't move a segment into the table's folder");
        }
        part->published = true;
    }
    if (stream->parts != NULL && file_sync_folder(table_folder, error) != STATUS_OK) {
        error_recode(error, ERROR_TARGET_WRITE);
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

void dynamodb_stream_free(struct dynamodb_stream *stream, bool all, struct buffer *spare)
{
    dynamodb_output_abandon(stream->output);
    stream->output = NULL;
    for (struct dynamodb_part *part = stream->parts; part != NULL; part = part->next) {
        if (!part->published) {
            unlink(part->writing_path);
        } else if (all) {
            unlink(part->final_path);
        }
    }
    if (spare->capacity == 0 && stream->buffer.capacity <= SPARE_BYTES_MAX) {
        *spare = stream->buffer;
        spare->failed = 0;
        buffer_clear(spare);
    } else {
        buffer_free(&stream->buffer);
    }
    stream->buffer = (struct buffer){0};
}
