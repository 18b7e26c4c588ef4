/* Reading a run's ledger: head, header, chunk list and done marks. */
#include "connectors/dynamodb/network_ledger.h"

#include "connectors/dynamodb/network_json.h"
#include "model/json_reader.h"
#include <inttypes.h>
#include <string.h>

enum status dynamodb_ledger_newest(struct dynamodb_network *network, struct arena *arena,
                                   struct dynamodb_newest *newest, struct error *error)
{
    json_t *reply = NULL;
    const json_t *item = NULL;
    *newest = (struct dynamodb_newest){0};
    enum status status =
        dynamodb_ledger_get(network, DYNAMODB_LEDGER_ALL, "newest", &reply, &item, error);
    if (status == STATUS_OK) {
        const char *id = dynamodb_reply_s(item, "id");
        const char *closing = dynamodb_reply_s(item, "closing");
        if (id != NULL && !dynamodb_reply_n(item, "sequence", &newest->sequence)) {
            status = error_set(error, ERROR_LEDGER_INVALID, DYNAMODB_LEDGER_TABLE,
                               "the item `newest` is damaged");
        }
        newest->id = id != NULL ? arena_copy_string(arena, id) : NULL;
        newest->closing = closing != NULL ? arena_copy_string(arena, closing) : NULL;
        if ((id != NULL && newest->id == NULL) || (closing != NULL && newest->closing == NULL)) {
            status = dynamodb_ledger_no_room(error);
        }
    }
    json_decref(reply);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- collecting */

struct loading {
    struct ledger_run *run;
    struct arena *arena;
    struct buffer header;
    struct buffer chunks;
    uint64_t header_pieces;
    uint64_t chunk_pieces;
    uint64_t done_capacity;
};

static enum status damaged(const struct loading *loading, const char *what, struct error *error)
{
    return error_set(error, ERROR_LEDGER_INVALID, loading->run->id, "the ledger's %s", what);
}

static enum status add_piece(struct loading *loading, const json_t *item, struct buffer *out,
                             uint64_t *count, struct error *error)
{
    const json_t *text = json_object_get(json_object_get(item, "text"), "S");
    if (!json_is_string(text)) {
        return damaged(loading, "pieces are damaged", error);
    }
    buffer_append(out, json_string_value(text), json_string_length(text));
    (*count)++;
    return out->failed ? dynamodb_ledger_no_room(error) : STATUS_OK;
}

static enum status add_done(struct loading *loading, const json_t *item, struct error *error)
{
    struct ledger_run *run = loading->run;
    const char *text = dynamodb_reply_s(item, "text");
    struct done_mark mark = {0};
    if (text == NULL || !dynamodb_reply_n(item, "epoch", &mark.epoch) ||
        !dynamodb_reply_n(item, "chunk", &mark.chunk)) {
        return damaged(loading, "done marks are damaged", error);
    }
    if (run->done_count == loading->done_capacity) {
        uint64_t capacity = loading->done_capacity == 0 ? 64 : 2 * loading->done_capacity;
        struct done_mark *grown =
            (struct done_mark *)arena_allocate_zeroed(loading->arena, capacity, sizeof(*grown));
        if (grown == NULL) {
            return dynamodb_ledger_no_room(error);
        }
        if (run->done_count > 0) {
            memcpy(grown, run->done, run->done_count * sizeof(*grown));
        }
        run->done = grown;
        loading->done_capacity = capacity;
    }
    mark.text = arena_copy_string(loading->arena, text);
    run->done[run->done_count++] = mark;
    return mark.text != NULL ? STATUS_OK : dynamodb_ledger_no_room(error);
}

static enum status take_part(void *context, const char *part, const json_t *item,
                             struct error *error)
{
    struct loading *loading = (struct loading *)context;
    if (strncmp(part, "header/", 7) == 0) {
        return add_piece(loading, item, &loading->header, &loading->header_pieces, error);
    }
    if (strncmp(part, "chunks/", 7) == 0) {
        return add_piece(loading, item, &loading->chunks, &loading->chunk_pieces, error);
    }
    return strncmp(part, "done/", 5) == 0 ? add_done(loading, item, error) : STATUS_OK;
}

/* ---------------------------------------------------------------- the chunk list */

/* False: the line is damaged, or (`*no_memory`) memory is out. */
static bool read_chunk(const char *line, size_t length, struct arena *arena,
                       struct ledger_chunk *chunk, bool *no_memory)
{
    struct error fault = {0};
    json_t *root = NULL;
    if (json_tree_parse(line, length, 0, NULL, ERROR_LEDGER_INVALID, &root, &fault) != STATUS_OK) {
        *no_memory = fault.code == ERROR_MEMORY;
        return false;
    }
    const char *text = json_string_value(json_object_get(root, "text"));
    const char *bounds = json_string_value(json_object_get(root, "bounds"));
    const char *last = json_string_value(json_object_get(root, "last"));
    const json_t *rows = json_object_get(root, "rows");
    uint8_t *bytes = NULL;
    size_t byte_count = 0;
    bool good =
        text != NULL && bounds != NULL && json_is_integer(rows) &&
        json_decode_base64(bounds, strlen(bounds), arena, &bytes, &byte_count, &fault) == STATUS_OK;
    *chunk = (struct ledger_chunk){.number = dynamodb_reply_number(root, "number"),
                                   .stream = (uint32_t)dynamodb_reply_number(root, "stream")};
    if (good) {
        chunk->span.printable = arena_copy_string(arena, text);
        chunk->span.bounds = bytes;
        chunk->span.bounds_length = (uint32_t)byte_count;
        chunk->span.row_estimate = json_integer_value(rows);
        chunk->span.last_id = last != NULL ? arena_copy_string(arena, last) : NULL;
        *no_memory = chunk->span.printable == NULL || (last != NULL && chunk->span.last_id == NULL);
        good = !*no_memory;
    } else {
        *no_memory = fault.code == ERROR_MEMORY;
    }
    json_decref(root);
    return good;
}

static enum status read_chunks(struct loading *loading, uint64_t wanted, struct error *error)
{
    struct ledger_run *run = loading->run;
    const char *line = loading->chunks.data;
    const char *end = line + loading->chunks.length;
    if (wanted > loading->chunks.length) {
        return damaged(loading, "chunk list is damaged", error);
    }
    run->chunks = (struct ledger_chunk *)arena_allocate_zeroed(loading->arena, wanted + 1,
                                                               sizeof(*run->chunks));
    if (run->chunks == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    for (; run->chunk_count < wanted; run->chunk_count++) {
        const char *mark =
            line < end ? (const char *)memchr(line, '\n', (size_t)(end - line)) : NULL;
        bool no_memory = false;
        if (mark == NULL ||
            !read_chunk(line, (size_t)(mark - line), loading->arena, &run->chunks[run->chunk_count],
                        &no_memory) ||
            run->chunks[run->chunk_count].number != run->chunk_count + 1) {
            return no_memory ? dynamodb_ledger_no_room(error)
                             : damaged(loading, "chunk list is damaged", error);
        }
        line = mark + 1;
    }
    return line == end ? STATUS_OK : damaged(loading, "chunk list is too long", error);
}

/* Their epochs may be later than the head's: another process may take over while this one reads. */
static enum status check_done(const struct loading *loading, struct error *error)
{
    const struct ledger_run *run = loading->run;
    for (uint64_t at = 0; at < run->done_count; at++) {
        if (run->done[at].chunk == 0 || run->done[at].chunk > run->chunk_count) {
            return damaged(loading, "done marks name a chunk that never was", error);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- load */

static enum status read_head(struct loading *loading, const json_t *head, struct error *error)
{
    struct ledger_run *run = loading->run;
    const char *text = dynamodb_reply_s(head, "status");
    uint64_t format = 0;
    if (!dynamodb_reply_n(head, "format", &format) || text == NULL ||
        !dynamodb_reply_n(head, "epoch", &run->epoch)) {
        return damaged(loading, "head is damaged", error);
    }
    if (format > DYNAMODB_LEDGER_FORMAT) {
        error_set(error, ERROR_FORMAT_NEWER, run->id, "the ledger has format %" PRIu64, format);
        error_hint(error, "use the version of transhume that began the run, or a newer one");
        return STATUS_FAILED;
    }
    run->status = arena_copy_string(loading->arena, text);
    return run->status != NULL ? STATUS_OK : dynamodb_ledger_no_room(error);
}

static enum status read_rest(struct dynamodb_network *network, struct loading *loading,
                             const json_t *head, struct error *error)
{
    uint64_t header_pieces = 0;
    uint64_t chunk_pieces = 0;
    uint64_t chunk_count = 0;
    if (!dynamodb_reply_n(head, "header_pieces", &header_pieces) ||
        !dynamodb_reply_n(head, "chunk_pieces", &chunk_pieces) ||
        !dynamodb_reply_n(head, "chunk_count", &chunk_count)) {
        return damaged(loading, "head is damaged", error);
    }
    /* chunks/… done/… header/…; what follows '/' in ASCII is '0' */
    enum status status = dynamodb_ledger_walk(network, loading->run->id, "chunks/", "header0",
                                              take_part, loading, error);
    if (status != STATUS_OK) {
        return status; /* STATUS_END: it was dropped just now */
    }
    if (header_pieces != loading->header_pieces || chunk_pieces != loading->chunk_pieces) {
        return damaged(loading, "pieces are not all there", error);
    }
    loading->run->header =
        arena_copy(loading->arena, buffer_string(&loading->header), loading->header.length);
    if (loading->run->header == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    return read_chunks(loading, chunk_count, error) == STATUS_OK ? check_done(loading, error)
                                                                 : STATUS_FAILED;
}

enum status dynamodb_ledger_load(struct database *self, const char *run_id, struct arena *arena,
                                 struct ledger_run **run, struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    struct loading loading = {.arena = arena};
    struct dynamodb_newest newest;
    json_t *reply = NULL;
    const json_t *head = NULL;
    uint64_t published = 0;
    *run = NULL;
    enum status status = dynamodb_ledger_newest(network, arena, &newest, error);
    if (status != STATUS_OK || newest.id == NULL) {
        return status == STATUS_OK ? STATUS_END : status;
    }
    const char *id = run_id != NULL ? arena_copy_string(arena, run_id) : newest.id;
    loading.run = (struct ledger_run *)arena_allocate_zeroed(arena, 1, sizeof(*loading.run));
    if (id == NULL || loading.run == NULL) {
        return dynamodb_ledger_no_room(error);
    }
    loading.run->id = id;
    status = dynamodb_ledger_get(network, id, "head", &reply, &head, error);
    if (status == STATUS_OK && strcmp(id, newest.id) != 0 &&
        !dynamodb_reply_n(head, "published", &published)) {
        status = STATUS_END; /* its making was cut short */
    }
    if (status == STATUS_OK) {
        status = read_head(&loading, head, error);
    }
    if (status == STATUS_OK) {
        status = read_rest(network, &loading, head, error);
    }
    json_decref(reply);
    buffer_free(&loading.header);
    buffer_free(&loading.chunks);
    *run = status == STATUS_OK ? loading.run : NULL;
    return status;
}
