/*
 * Writing chunks as segments: encoded into a buffer, written under tmp/, made durable and renamed
 * into the table's folder; the engine then marks the chunk as done.
 */
#include "connectors/folder/bucket/bucket.h"
#include "connectors/folder/folder_claim.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/common/lease.h"
#include "connectors/folder/folder_record.h"
#include "connectors/folder/folder_segment.h"
#include <stdlib.h>
#include <unistd.h>

/* The encoder of one shape for one table. */
struct encoding {
    struct encoding *next;
    const struct shape *shape;
    uint32_t table;
    struct folder_encoder *encoder;
};

struct open_chunk {
    struct open_chunk *next;
    uint64_t number;
    bool published; /* its segments may be in the tables' folders */
    bool committed; /* its segments stay */
    struct arena *arena;
    struct folder_stream *streams;
};

struct waiting_result {
    struct waiting_result *next;
    struct batch_result result;
};

struct writer {
    struct folder *folder;
    struct s3_bucket *connection; /* where the folder is a bucket */
    const struct target_table *tables;
    uint32_t table_count;
    struct encoding *encodings;
    struct open_chunk *chunks;
    struct waiting_result *first;
    struct waiting_result **last;
    struct buffer spare; /* of a stream that ended, for the next one */
};

enum status folder_writer_open(struct database *self, const struct target_table *tables,
                               uint32_t table_count, uint64_t epoch, struct writer **writer,
                               struct error *error)
{
    struct folder *folder = (struct folder *)self;
    (void)epoch;
    *writer = NULL;
    if (folder->run.id == NULL) {
        return error_set(error, ERROR_INTERNAL, folder->path, "no run of this folder is claimed");
    }
    if (folder_end_emptying(folder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct writer *made = memory_allocate_zeroed(1, sizeof(*made));
    made->folder = folder;
    made->tables = tables;
    made->table_count = table_count;
    made->last = &made->first;
    if (folder->bucket != NULL &&
        bucket_connect(folder->bucket, &made->connection, error) != STATUS_OK) {
        free(made);
        return STATUS_FAILED;
    }
    *writer = made;
    return STATUS_OK;
}

void folder_writer_close(struct writer *writer)
{
    if (writer == NULL) {
        return;
    }
    while (writer->chunks != NULL) {
        folder_chunk_abandon(writer, writer->chunks->number);
    }
    while (writer->first != NULL) {
        struct waiting_result *next = writer->first->next;
        batch_destroy(writer->first->result.batch);
        arena_destroy(writer->first->result.arena);
        free(writer->first);
        writer->first = next;
    }
    while (writer->encodings != NULL) {
        struct encoding *next = writer->encodings->next;
        writer->folder->format->encoder_destroy(writer->encodings->encoder);
        free(writer->encodings);
        writer->encodings = next;
    }
    buffer_free(&writer->spare);
    s3_bucket_close(writer->connection);
    free(writer);
}

static struct open_chunk *find_chunk(struct writer *writer, uint64_t number)
{
    for (struct open_chunk *chunk = writer->chunks; chunk != NULL; chunk = chunk->next) {
        if (chunk->number == number) {
            return chunk;
        }
    }
    return NULL;
}

enum status folder_chunk_begin(struct writer *writer, uint64_t number, uint32_t attempt,
                               struct error *error)
{
    (void)attempt;
    if (find_chunk(writer, number) != NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "chunk %llu is open already",
                         (unsigned long long)number);
    }
    struct open_chunk *chunk = memory_allocate_zeroed(1, sizeof(*chunk));
    chunk->arena = arena_create(0);
    chunk->number = number;
    chunk->next = writer->chunks;
    writer->chunks = chunk;
    return failpoint_hit("files.chunk_begin", error);
}

/* ---------------------------------------------------------------- submit */

static enum status find_encoder(struct writer *writer, uint32_t table, const struct batch *batch,
                                struct folder_encoder **encoder, struct error *error)
{
    /* a shape without fields stands for documents */
    bool documents = batch->shape == NULL || batch->shape->field_count == 0;
    const struct shape *shape = documents ? NULL : batch->shape;
    for (struct encoding *known = writer->encodings; known != NULL; known = known->next) {
        if (known->shape == shape && known->table == table) {
            *encoder = known->encoder;
            return STATUS_OK;
        }
    }
    struct encoding *made = memory_allocate_zeroed(1, sizeof(*made));
    if (writer->folder->format->encoder_create(writer->folder, &writer->tables[table], shape,
                                               batch->row_count > 0 ? batch_row(batch, 0) : NULL,
                                               &made->encoder, error) != STATUS_OK) {
        free(made);
        return STATUS_FAILED;
    }
    made->shape = shape;
    made->table = table;
    made->next = writer->encodings;
    writer->encodings = made;
    *encoder = made->encoder;
    return STATUS_OK;
}

static struct folder_stream *find_stream(struct writer *writer, struct open_chunk *chunk,
                                         uint32_t table, uint32_t entity)
{
    for (struct folder_stream *known = chunk->streams; known != NULL; known = known->next) {
        if (known->table_number == table && known->entity == entity) {
            return known;
        }
    }
    struct folder_stream *made = arena_allocate_zeroed(chunk->arena, 1, sizeof(*made));
    made->folder = writer->folder;
    made->connection = writer->connection;
    made->arena = chunk->arena;
    made->table = writer->tables[table].name;
    made->table_path = folder_table_path(chunk->arena, writer->folder, made->table);
    made->table_number = table;
    made->entity = entity;
    made->chunk = chunk->number;
    made->buffer = writer->spare;
    buffer_clear(&made->buffer);
    writer->spare = (struct buffer){0};
    made->next = chunk->streams;
    chunk->streams = made;
    return made;
}

/* A record that was not written. */
static void add_outcome(struct batch_result *result, uint32_t row, const struct error *reason)
{
    char text[ERROR_REASON_BYTES];
    if (result->arena == NULL) {
        result->arena = arena_create(0);
        result->outcomes = arena_allocate_zeroed(result->arena, result->batch->row_count,
                                                 sizeof(*result->outcomes));
    }
    struct record_outcome *outcomes = (struct record_outcome *)(uintptr_t)result->outcomes;
    outcomes[result->outcome_count++] = (struct record_outcome){
        .row = row,
        .kind = OUTCOME_REJECTED,
        .code = reason->code,
        .reason = arena_copy_string(result->arena, error_reason(reason, text))};
}

static enum status write_rows(const struct target_table *table, struct folder_stream *stream,
                              struct folder_encoder *encoder, struct batch_result *result,
                              struct error *error)
{
    const struct batch *batch = result->batch;
    struct error reason;
    bool documents = batch->shape == NULL || batch->shape->field_count == 0;
    const struct shape *shape = documents ? NULL : batch->shape;
    stream->encoder = encoder;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        uint64_t ordinal = stream->submitted++;
        size_t start = stream->buffer.length;
        enum status status = folder_encode_record(stream->folder, table, shape, encoder,
                                                  batch_row(batch, row), &stream->buffer, &reason);
        if (status != STATUS_OK) {
            if (reason.class != ERROR_CLASS_REJECT) {
                return error_copy(error, &reason);
            }
            add_outcome(result, row, &reason);
            continue;
        }
        result->bytes += stream->buffer.length - start;
        result->written++;
        if (folder_stream_add(stream, start, ordinal, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status folder_submit(struct writer *writer, uint64_t number, uint32_t table,
                          struct batch *batch, struct error *error)
{
    struct open_chunk *chunk = find_chunk(writer, number);
    struct folder_encoder *encoder = NULL;
    struct waiting_result *waiting = memory_allocate_zeroed(1, sizeof(*waiting));
    enum status status = STATUS_OK;
    if (chunk == NULL || table >= writer->table_count) {
        status = error_set(error, ERROR_INTERNAL, NULL, "no such open chunk or table");
    }
    status = status == STATUS_OK ? find_encoder(writer, table, batch, &encoder, error) : status;
    if (status == STATUS_OK) {
        struct folder_stream *stream = find_stream(writer, chunk, table, batch->entity);
        waiting->result.chunk = number;
        waiting->result.table = table;
        waiting->result.batch = batch;
        status = write_rows(&writer->tables[table], stream, encoder, &waiting->result, error);
    }
    if (status != STATUS_OK) {
        arena_destroy(waiting->result.arena);
        free(waiting);
        batch_destroy(batch);
        return status;
    }
    *writer->last = waiting;
    writer->last = &waiting->next;
    return STATUS_OK;
}

enum status folder_poll(struct writer *writer, int64_t timeout_ms, struct batch_result *result,
                        struct error *error)
{
    struct waiting_result *waiting = writer->first;
    (void)timeout_ms;
    (void)error;
    if (waiting == NULL) {
        return STATUS_END;
    }
    *result = waiting->result;
    writer->first = waiting->next;
    if (writer->first == NULL) {
        writer->last = &writer->first;
    }
    free(waiting);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- commit and abandon */

static void free_chunk(struct writer *writer, struct open_chunk *chunk)
{
    struct error ignored;
    struct open_chunk **link = &writer->chunks;
    while (*link != chunk) {
        link = &(*link)->next;
    }
    *link = chunk->next;
    /* A fenced attempt leaves alone what its successor may have put there. */
    bool remove_published = !chunk->committed && chunk->published &&
                            folder_check_claim(writer->folder, &ignored) == STATUS_OK;
    for (struct folder_stream *stream = chunk->streams; stream != NULL; stream = stream->next) {
        folder_stream_free(stream, remove_published, &writer->spare);
    }
    arena_destroy(chunk->arena);
    free(chunk);
}

/* Segments of all streams, for the done mark and for those who ask later. */
static void note_done(struct writer *writer, struct open_chunk *chunk, struct buffer *extra)
{
    uint32_t count = 0;
    for (struct folder_stream *stream = chunk->streams; stream != NULL; stream = stream->next) {
        count += stream->part_count;
    }
    struct folder_segment *segments =
        arena_allocate_zeroed(chunk->arena, (size_t)count + 1, sizeof(*segments));
    count = 0;
    for (struct folder_stream *stream = chunk->streams; stream != NULL; stream = stream->next) {
        for (struct folder_part *part = stream->parts; part != NULL; part = part->next) {
            segments[count++] =
                (struct folder_segment){.table = stream->table,
                                        .file = part->name,
                                        .records = part->records,
                                        .bytes = part->print.bytes,
                                        .checksum = part->print.checksum,
                                        .etag = part->etag != NULL ? part->etag : "",
                                        .ordinals = part->ordinals,
                                        .ordinals_count = part->ordinals_count};
        }
    }
    if (extra != NULL) {
        folder_done_append(segments, count, extra);
    }
    if (writer->folder->pipe == NULL) {
        folder_done_add(writer->folder, segments, count);
    }
}

static enum status folder_writer_publish(struct writer *writer, struct open_chunk *chunk,
                                         struct error *error)
{
    if (folder_check_claim(writer->folder, error) != STATUS_OK ||
        failpoint_hit("files.before_rename", error) != STATUS_OK ||
        lease_check(&writer->folder->base, 0, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    chunk->published = true;
    for (struct folder_stream *stream = chunk->streams; stream != NULL; stream = stream->next) {
        if (folder_stream_publish(stream, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return failpoint_hit("files.after_rename", error);
}

enum status folder_commit(struct writer *writer, uint64_t number, const struct done_mark *mark,
                          struct error *error)
{
    struct open_chunk *chunk = find_chunk(writer, number);
    if (chunk == NULL) {
        return error_set(error, ERROR_INTERNAL, NULL, "no such open chunk");
    }
    if (failpoint_hit("files.before_sync", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (struct folder_stream *stream = chunk->streams; stream != NULL; stream = stream->next) {
        if (folder_stream_end(stream, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (folder_writer_publish(writer, chunk, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    chunk->committed = true;
    note_done(writer, chunk, mark->extra);
    free_chunk(writer, chunk);
    return STATUS_OK;
}

/* Results that nobody polled belong to the chunk, too. */
static void forget_results(struct writer *writer, uint64_t number)
{
    struct waiting_result **link = &writer->first;
    while (*link != NULL) {
        struct waiting_result *waiting = *link;
        if (waiting->result.chunk != number) {
            link = &waiting->next;
            continue;
        }
        *link = waiting->next;
        batch_destroy(waiting->result.batch);
        arena_destroy(waiting->result.arena);
        free(waiting);
    }
    writer->last = link;
}

void folder_chunk_abandon(struct writer *writer, uint64_t number)
{
    struct open_chunk *chunk = find_chunk(writer, number);
    forget_results(writer, number);
    if (chunk != NULL) {
        free_chunk(writer, chunk);
    }
}
