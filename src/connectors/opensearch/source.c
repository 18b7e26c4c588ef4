/* Search engines as sources: spans are slices of an index's shards. They know no snapshot. */
#include "connectors/opensearch/source.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/contract/defaults.h"
#include "model/json_tree.h"
#include <inttypes.h>
#include <stdlib.h>

enum { SLICES_MAX = 1024 /* the server's own limit: index.max_slices_per_pit */ };

static enum status find_index(struct database *database, const struct read_request *request,
                              struct opensearch_index **index, struct error *error)
{
    if (request->query != NULL || request->join_count > 0 || request->ordered) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, request->name,
                         "indexes are read whole: no queries, joins or order");
    }
    return opensearch_source_find(opensearch_of(database), request->table, index, error);
}

/* ---------------------------------------------------------------- facts */

/* Searches see what was written before it, if the account may ask for that. */
static enum status snapshot(struct database *database, uint32_t reader_count, struct arena *arena,
                            const char **token, struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct service_reply *reply = NULL;
    (void)reader_count;
    const struct opensearch_request request = {
        .operation = "_refresh",
        .method = "POST",
        .path = opensearch_path(self, arena, "", "%2A/_refresh?expand_wildcards=open%2Chidden"),
        .repeatable = true};
    *token = "none";
    enum status status = opensearch_control(self, &request, NULL, &reply, error);
    service_reply_destroy(reply);
    if (status == STATUS_FAILED &&
        (error->code == ERROR_PERMISSION || error->code == ERROR_SOURCE_READ)) {
        log_write(LOG_WARNING, "the indexes can't be refreshed: what was written since their last "
                               "refresh is not seen");
        status = STATUS_OK;
    }
    return status;
}

enum status opensearch_count_index(struct opensearch_database *self, const char *index,
                                   uint64_t *count, struct error *error)
{
    json_t *root = NULL;
    struct buffer path = {0};
    buffer_append_byte(&path, '/');
    opensearch_append_encoded(&path, index, strlen(index));
    buffer_append_string(&path, "/_count");
    const struct opensearch_request request = {.operation = "_count",
                                               .object = index,
                                               .method = "GET",
                                               .path = buffer_string(&path),
                                               .repeatable = true};
    enum status status = opensearch_control_ask(self, &request, NULL, &root, error);
    *count = (uint64_t)json_integer_value(json_object_get(root, "count"));
    json_decref(root);
    buffer_free(&path);
    return status == STATUS_END
               ? error_set(error, ERROR_SOURCE_MISSING, index, "the index is not there any more")
               : status;
}

static enum status describe_stream(struct database *database, const struct read_request *request,
                                   struct arena *arena, struct stream_facts *facts,
                                   struct error *error)
{
    struct opensearch_index *index = NULL;
    uint64_t count = 0;
    (void)arena;
    enum status status = find_index(database, request, &index, error);
    if (status == STATUS_OK) {
        status = opensearch_count_index(opensearch_of(database), index->name, &count, error);
        *facts = (struct stream_facts){
            .keyed = true, .key_unique = true, .row_count = (int64_t)count, .key = index->key};
    }
    return status;
}

/* ---------------------------------------------------------------- spans */

void opensearch_slice_write(const struct opensearch_slice *slice, uint8_t *bounds)
{
    bytes_put_le(bounds, slice->shard, 4);
    bytes_put_le(bounds + 4, slice->slice, 4);
    bytes_put_le(bounds + 8, slice->slices, 4);
}

bool opensearch_slice_read(const struct span *span, struct opensearch_slice *slice)
{
    if (span->bounds_length != OPENSEARCH_SPAN_BYTES) {
        return false;
    }
    *slice = (struct opensearch_slice){(uint32_t)bytes_get_le(span->bounds, 4),
                                       (uint32_t)bytes_get_le(span->bounds + 4, 4),
                                       (uint32_t)bytes_get_le(span->bounds + 8, 4)};
    return slice->slices > 0 && slice->slice < slice->slices;
}

static struct span make_span(struct arena *arena, const struct opensearch_slice *slice,
                             uint32_t shards, uint64_t rows)
{
    uint8_t *bounds = arena_allocate(arena, OPENSEARCH_SPAN_BYTES);
    opensearch_slice_write(slice, bounds);
    return (struct span){
        .printable =
            arena_format(arena, "shard %" PRIu32 " of %" PRIu32 ", slice %" PRIu32 " of %" PRIu32,
                         slice->shard + 1, shards, slice->slice + 1, slice->slices),
        .bounds = bounds,
        .bounds_length = OPENSEARCH_SPAN_BYTES,
        .row_estimate = (int64_t)rows};
}

static enum status opensearch_source_split(struct database *database,
                                           const struct read_request *request, uint64_t rows_wanted,
                                           struct arena *arena, struct span **spans,
                                           uint32_t *span_count, struct error *error)
{
    struct opensearch_index *index = NULL;
    uint64_t count = 0;
    if (find_index(database, request, &index, error) != STATUS_OK ||
        opensearch_count_index(opensearch_of(database), index->name, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t rows = rows_wanted > 0 ? rows_wanted : 1;
    uint64_t each = count / index->shards;
    uint64_t wanted = each / rows + (each % rows > 0);
    uint32_t slices = wanted < 1 ? 1 : wanted > SLICES_MAX ? SLICES_MAX : (uint32_t)wanted;
    *span_count = index->shards * slices;
    *spans = arena_allocate_zeroed(arena, *span_count, sizeof(**spans));
    for (uint32_t at = 0; at < *span_count; at++) {
        const struct opensearch_slice slice = {at / slices, at % slices, slices};
        (*spans)[at] = make_span(arena, &slice, index->shards, each / slices);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- readers */

static enum status reader_open(struct database *database, struct reader **reader,
                               struct error *error)
{
    struct reader *made = memory_allocate_zeroed(1, sizeof(*made));
    *reader = NULL;
    made->database = opensearch_of(database);
    if (opensearch_client_create(made->database->service, 1, &made->client, error) != STATUS_OK) {
        free(made);
        return STATUS_FAILED;
    }
    *reader = made;
    return STATUS_OK;
}

static void reader_close(struct reader *reader)
{
    if (reader != NULL) {
        opensearch_client_destroy(reader->client);
        free(reader);
    }
}

const struct source_functions opensearch_source_functions = {
    .snapshot = snapshot,
    .describe_stream = describe_stream,
    .split = opensearch_source_split,
    .prepare = source_prepares_nothing,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .cursor_open = opensearch_cursor_open,
    .cursor_next = opensearch_cursor_next,
    .cursor_close = opensearch_cursor_close,
};
