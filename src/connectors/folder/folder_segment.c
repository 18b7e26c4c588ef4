/* Segments: parts of bounded size, written under tmp/ and renamed when the chunk is committed. */
#include "connectors/folder/folder_segment.h"

#include "connectors/folder/bucket/bucket.h"

#include "base/failpoint.h"
#include "base/file.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WRITE_BYTES = 256 * 1024, SPARE_BYTES_MAX = 1024 * 1024 };

/* The buffer holds one record, which the head goes before. */
static enum status write_head(struct folder_stream *stream, struct error *error)
{
    const struct folder_format *format = stream->folder->format;
    struct buffer head = {0};
    if (format->encoder_head == NULL) {
        return STATUS_OK;
    }
    enum status status = format->encoder_head(stream->encoder, &head, error);
    if (status == STATUS_OK && head.length > 0) {
        buffer_reserve(&stream->buffer, head.length);
        memmove(stream->buffer.data + head.length, stream->buffer.data, stream->buffer.length);
        memcpy(stream->buffer.data, head.data, head.length);
        stream->buffer.length += head.length;
        stream->last_part->bytes += head.length;
        stream->last_part->head_bytes = head.length;
    }
    buffer_free(&head);
    return status;
}

static enum status begin_part(struct folder_stream *stream, struct error *error)
{
    struct folder *folder = stream->folder;
    struct folder_part *part = arena_allocate_zeroed(stream->arena, 1, sizeof(*part));
    folder_segment_name(folder->format, folder->run.tag, stream->chunk, stream->entity,
                        stream->part_count, folder->compression, part->name);
    part->writing_path = arena_format(stream->arena, "%s/tmp/%u-%s", folder->run.folder,
                                      stream->table_number, part->name);
    part->final_path = arena_format(stream->arena, "%s/%s", stream->table_path, part->name);
    if (stream->last_part != NULL) {
        stream->last_part->next = part;
    } else {
        stream->parts = part;
    }
    stream->last_part = part;
    stream->last_part_ended = false;
    stream->part_count++;
    stream->part_encoder = stream->encoder;
    return write_head(stream, error);
}

static enum status broken(struct folder_stream *stream)
{
    stream->broken = true;
    return STATUS_FAILED;
}

static enum status write_buffer(struct folder_stream *stream, size_t length, struct error *error)
{
    struct buffer *buffer = &stream->buffer;
    if (stream->output == NULL) {
        unlink(stream->last_part->writing_path); /* an abandoned attempt's */
        if (folder_sink_open(stream->folder, stream->last_part->writing_path,
                             stream->folder->compression, stream->part_encoder, NULL,
                             &stream->output, error) != STATUS_OK) {
            return broken(stream);
        }
    }
    if (folder_sink_write(stream->output, buffer->data, length, error) != STATUS_OK) {
        return broken(stream);
    }
    memmove(buffer->data, buffer->data + length, buffer->length - length);
    buffer->length -= length;
    return STATUS_OK;
}

/* All but the bytes from `end` on belongs to the part that ends here. */
static enum status end_part(struct folder_stream *stream, size_t end, struct error *error)
{
    if (write_buffer(stream, end, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct folder_sink *output = stream->output;
    stream->output = NULL;
    stream->last_part_ended = true;
    return folder_sink_finish(output, &stream->last_part->print, error) == STATUS_OK
               ? STATUS_OK
               : broken(stream);
}

static void add_ordinal(struct folder_stream *stream, uint64_t ordinal)
{
    struct folder_part *part = stream->last_part;
    if (part->ordinals_count > 0) {
        struct folder_ordinals *last = &part->ordinals[part->ordinals_count - 1];
        if (last->first + last->count == ordinal || part->ordinals_count == FOLDER_ORDINALS_MAX) {
            last->count++;
            return;
        }
    }
    if (part->ordinals_count == part->ordinals_capacity) {
        uint32_t capacity = part->ordinals_capacity == 0 ? 4 : part->ordinals_capacity * 2;
        struct folder_ordinals *grown =
            arena_allocate_zeroed(stream->arena, capacity, sizeof(*grown));
        if (part->ordinals_count > 0) {
            memcpy(grown, part->ordinals, part->ordinals_count * sizeof(*grown));
        }
        part->ordinals = grown;
        part->ordinals_capacity = capacity;
    }
    part->ordinals[part->ordinals_count++] = (struct folder_ordinals){ordinal, 1};
}

/* A file's head, or its columns, are those of one shape. */
static bool is_of_one_encoder(const struct folder_format *format)
{
    return format->encoder_head != NULL || format->packing != NULL;
}

enum status folder_stream_add(struct folder_stream *stream, size_t start, uint64_t ordinal,
                              struct error *error)
{
    uint64_t bytes = stream->buffer.length - start;
    struct folder_part *part = stream->last_part;
    if (part != NULL && !stream->last_part_ended &&
        (part->bytes + bytes > stream->folder->file_bytes_max ||
         (stream->part_encoder != stream->encoder && is_of_one_encoder(stream->folder->format)))) {
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
    add_ordinal(stream, ordinal);
    return stream->buffer.length >= WRITE_BYTES ? write_buffer(stream, stream->buffer.length, error)
                                                : STATUS_OK;
}

enum status folder_stream_end(struct folder_stream *stream, struct error *error)
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

/* To standard output instead of the table's folder. */
static enum status give_away(struct folder_stream *stream, struct error *error)
{
    for (struct folder_part *part = stream->parts; part != NULL; part = part->next) {
        if (!part->published && folder_pipe_give(stream->folder, part->writing_path,
                                                 part->head_bytes, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        unlink(part->writing_path);
        part->published = true;
    }
    return STATUS_OK;
}

enum status folder_stream_publish(struct folder_stream *stream, struct error *error)
{
    if (stream->folder->pipe != NULL) {
        return give_away(stream, error);
    }
    if (stream->folder->bucket != NULL) {
        return bucket_publish(stream, error);
    }
    for (struct folder_part *part = stream->parts; part != NULL; part = part->next) {
        if (!part->published && rename(part->writing_path, part->final_path) != 0) {
            return error_set_errno(error, ERROR_TARGET_WRITE, errno, part->final_path,
                                   "can't move a segment into the table's folder");
        }
        part->published = true;
    }
    if (stream->parts != NULL && file_sync_folder(stream->table_path, error) != STATUS_OK) {
        return error_recode(error, ERROR_TARGET_WRITE);
    }
    return STATUS_OK;
}

void folder_stream_free(struct folder_stream *stream, bool all, struct buffer *spare)
{
    folder_sink_abandon(stream->output);
    stream->output = NULL;
    for (struct folder_part *part = stream->parts; part != NULL; part = part->next) {
        if (!part->published) {
            unlink(part->writing_path);
        } else if (all && stream->folder->bucket != NULL) {
            bucket_unpublish(stream, part);
        } else if (all) {
            unlink(part->final_path);
        }
    }
    if (spare->capacity == 0 && stream->buffer.capacity <= SPARE_BYTES_MAX) {
        *spare = stream->buffer;
        buffer_clear(spare);
    } else {
        buffer_free(&stream->buffer);
    }
    stream->buffer = (struct buffer){0};
}
