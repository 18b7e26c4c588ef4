/* The records of one chunk, table and entity on their way into segments. */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_SEGMENT_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_SEGMENT_H

#include "connectors/folder/folder_sink.h"

struct s3_bucket;

/* A segment: being written (the stream's last part), durable under tmp/, or in the table's
 * folder. */
struct folder_part {
    struct folder_part *next;
    char name[FOLDER_SEGMENT_NAME_MAX];
    char *writing_path;
    char *final_path;
    uint64_t records;
    uint64_t bytes; /* before compression */
    uint64_t head_bytes;
    struct folder_print print;
    const char *etag; /* of the object that it became; NULL: of none */
    struct folder_ordinals *ordinals;
    uint32_t ordinals_count;
    uint32_t ordinals_capacity;
    bool published;
};

/* Zeroed but for folder, connection, arena, table, table_path, table_number, entity and chunk. */
struct folder_stream {
    struct folder_stream *next;
    struct folder *folder;
    struct s3_bucket *connection; /* where folder has a bucket: the writer's */
    struct arena *arena;
    const char *table;
    const char *table_path;
    uint32_t table_number;
    uint32_t entity;
    uint64_t chunk;
    uint64_t submitted;
    struct folder_encoder *encoder; /* of the record in hand; set before folder_stream_add */
    struct folder_encoder *part_encoder;
    struct buffer buffer;       /* encoded and not yet written */
    struct folder_sink *output; /* of the last part; NULL: nothing was written yet */
    struct folder_part *parts;
    struct folder_part *last_part;
    uint32_t part_count;
    bool last_part_ended;
    bool broken; /* a write failed: the chunk can only be abandoned */
};

/* The bytes of the buffer from `start` are one more record. Begins the next part where the file's
 * bound would be passed, writes when enough has gathered. */
enum status folder_stream_add(struct folder_stream *stream, size_t start, uint64_t ordinal,
                              struct error *error) MUST_USE;
/* Writes what is left and makes it durable. */
enum status folder_stream_end(struct folder_stream *stream, struct error *error) MUST_USE;
/* Renames all parts into the table's folder and makes that durable, or sends them. */
enum status folder_stream_publish(struct folder_stream *stream, struct error *error) MUST_USE;
/* Closes what is open and removes the files: those under tmp/ always, published ones if `all`. The
 * buffer goes to `spare` if that has none. */
void folder_stream_free(struct folder_stream *stream, bool all, struct buffer *spare);

#endif
