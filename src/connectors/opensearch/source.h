/* Search engines as sources: what the files of that side share. */
#ifndef TRANSHUME_CONNECTORS_OPENSEARCH_SOURCE_H
#define TRANSHUME_CONNECTORS_OPENSEARCH_SOURCE_H

#include "connectors/opensearch/opensearch.h"

struct opensearch_source {
    struct arena *arena;
    struct opensearch_index *indexes; /* by table */
    uint32_t count;
};

/* Looks at the indexes at the first call. Any thread. */
enum status opensearch_source_get(struct opensearch_database *self,
                                  struct opensearch_source **source, struct error *error) MUST_USE;
enum status opensearch_source_find(struct opensearch_database *self, const char *table,
                                   struct opensearch_index **index, struct error *error) MUST_USE;
/* How many documents searches see. */
enum status opensearch_count_index(struct opensearch_database *self, const char *index,
                                   uint64_t *count, struct error *error) MUST_USE;

/*
 * A span: the slice `slice` of `slices` of one shard, little-endian uint32 each. In a shard the
 * server deals documents to slices by a hash of their ids, and to shards by another one: so spans
 * tile the index, at whatever time each is read.
 */
struct opensearch_slice {
    uint32_t shard;
    uint32_t slice;
    uint32_t slices;
};
enum { OPENSEARCH_SPAN_BYTES = 12 };
void opensearch_slice_write(const struct opensearch_slice *slice, uint8_t *bounds);
bool opensearch_slice_read(const struct span *span, struct opensearch_slice *slice);

struct reader {
    struct opensearch_database *database;
    struct opensearch_client *client; /* one request at a time */
};

enum status opensearch_cursor_open(struct reader *reader, const struct read_request *request,
                                   const struct span *span, struct cursor **cursor,
                                   struct error *error);
enum status opensearch_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                                   struct batch **batch, struct error *error);
void opensearch_cursor_close(struct cursor *cursor);

#endif
