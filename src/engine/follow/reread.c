/* Roots that changes of joined rows touch, read again and mapped again. */
#include "engine/follow/reread.h"

#include "base/memory.h"
#include "engine/check/sampling.h"
#include "engine/run/opening.h"
#include "engine/run/options.h"
#include "model/order_bytes.h"
#include <stdlib.h>
#include <string.h>

enum { TOUCHED_BYTES_MAX = 8 << 20, SET_BYTES_MAX = 4 << 20 };

/* ---- lists of values, each once */

struct entry {
    const char *bytes; /* order_bytes of the cells */
    size_t length;
    const struct cell *cells;
};

struct value_set {
    struct entry *entries;
    uint32_t count;
    uint32_t capacity;
    uint32_t distinct; /* the first so many are sorted and differ */
};

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;
    size_t common = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->bytes, b->bytes, common);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static void settle(struct value_set *set)
{
    uint32_t kept = 0;
    if (set->count == 0 || set->distinct == set->count) {
        return;
    }
    qsort(set->entries, set->count, sizeof *set->entries, compare_entries);
    for (uint32_t i = 0; i < set->count; i++) {
        if (kept == 0 || compare_entries(&set->entries[kept - 1], &set->entries[i]) != 0) {
            set->entries[kept++] = set->entries[i];
        }
    }
    set->count = set->distinct = kept;
}

/* Repeated values are common, as of a transaction that updates one row's children: they go before
 * the list grows. */
static void make_room(struct value_set *set)
{
    if (set->count < set->capacity) {
        return;
    }
    settle(set);
    if (set->count > set->capacity / 2 || set->capacity == 0) {
        set->capacity = set->capacity == 0 ? 64 : set->capacity * 2;
        set->entries = memory_resize(set->entries, set->capacity, sizeof *set->entries);
    }
}

static enum status add_values(struct value_set *set, struct arena *arena, const struct cell *cells,
                              uint32_t count, struct error *error)
{
    struct buffer bytes = {0};
    enum status status = STATUS_OK;
    struct cell *copy = arena_allocate(arena, count * sizeof *copy);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = order_bytes_append(&cells[i], &bytes, error);
        if (status == STATUS_OK && value_copy(&cells[i], arena, &copy[i]) != STATUS_OK) {
            status = error_set(error, ERROR_MEMORY, NULL, "no memory for a changed row's key");
        }
    }
    if (status == STATUS_OK) {
        make_room(set);
        set->entries[set->count++] =
            (struct entry){.bytes = arena_copy(arena, buffer_string(&bytes), bytes.length),
                           .length = bytes.length,
                           .cells = copy};
    }
    buffer_free(&bytes);
    return status;
}

/* ---- what was touched */

struct touched_roots {
    const struct follow_routes *routes;
    struct arena *arena;
    uint32_t stream_count;
    struct value_set *streams; /* keys of roots */
    struct value_set *paths;   /* values that lead to roots */
    bool were_read;
};

struct touched_roots *touched_roots_create(const struct follow_routes *routes)
{
    struct touched_roots *made = memory_allocate_zeroed(1, sizeof *made);
    made->routes = routes;
    made->arena = arena_create(0);
    made->stream_count = routes->stream_count;
    made->streams = memory_allocate_zeroed(routes->stream_count + 1u, sizeof *made->streams);
    made->paths = memory_allocate_zeroed(routes->path_count + 1u, sizeof *made->paths);
    return made;
}

void touched_roots_destroy(struct touched_roots *touched)
{
    if (touched == NULL) {
        return;
    }
    for (uint32_t i = 0; i < touched->stream_count; i++) {
        free(touched->streams[i].entries);
    }
    for (uint32_t i = 0; i < touched->routes->path_count; i++) {
        free(touched->paths[i].entries);
    }
    free(touched->streams);
    free(touched->paths);
    arena_destroy(touched->arena);
    free(touched);
}

void touched_roots_clear(struct touched_roots *touched)
{
    for (uint32_t i = 0; i < touched->stream_count; i++) {
        touched->streams[i].count = touched->streams[i].distinct = 0;
    }
    for (uint32_t i = 0; i < touched->routes->path_count; i++) {
        touched->paths[i].count = touched->paths[i].distinct = 0;
    }
    arena_reset(touched->arena);
}

void touched_roots_drop(struct touched_roots *touched, uint32_t stream)
{
    touched->streams[stream].count = touched->streams[stream].distinct = 0;
    for (uint32_t i = 0; i < touched->routes->path_count; i++) {
        if (touched->routes->paths[i].stream == stream) {
            touched->paths[i].count = touched->paths[i].distinct = 0;
        }
    }
}

bool touched_roots_is_empty(const struct touched_roots *touched)
{
    bool empty = true;
    for (uint32_t i = 0; i < touched->stream_count; i++) {
        empty = empty && touched->streams[i].count == 0;
    }
    for (uint32_t i = 0; i < touched->routes->path_count; i++) {
        empty = empty && touched->paths[i].count == 0;
    }
    return empty;
}

bool touched_roots_are_many(const struct touched_roots *touched)
{
    return touched->arena->bytes > TOUCHED_BYTES_MAX;
}

bool touched_roots_were_read(const struct touched_roots *touched)
{
    return touched->were_read;
}

void touched_roots_transaction_ends(struct touched_roots *touched)
{
    touched->were_read = false;
}

enum status touched_roots_add_key(struct touched_roots *touched, uint32_t stream,
                                  const struct cell *key, uint32_t key_count, struct error *error)
{
    return add_values(&touched->streams[stream], touched->arena, key, key_count, error);
}

enum status touched_roots_add_path(struct touched_roots *touched, uint32_t path,
                                   const struct cell *values, uint32_t count, struct error *error)
{
    return add_values(&touched->paths[path], touched->arena, values, count, error);
}

/* ---- reading again */

struct rereading {
    struct run_session *session;
    const struct follow_routes *routes;
    struct database *source; /* as of the last beginning; NULL: none is open */
    struct schema *schema;
    struct reader *reader;
};

struct rereading *rereading_create(struct run_session *session, const struct follow_routes *routes)
{
    struct rereading *made = memory_allocate_zeroed(1, sizeof *made);
    made->session = session;
    made->routes = routes;
    return made;
}

static void end_reading(struct rereading *rereading)
{
    const struct connector *connector = rereading->session->source->connector;
    if (rereading->reader != NULL) {
        connector->source->reader_close(rereading->reader);
    }
    if (rereading->source != NULL) {
        connector->close(rereading->source);
    }
    if (rereading->schema != NULL) {
        arena_destroy(rereading->schema->arena);
    }
    rereading->reader = NULL;
    rereading->source = NULL;
    rereading->schema = NULL;
}

void rereading_destroy(struct rereading *rereading)
{
    if (rereading != NULL) {
        end_reading(rereading);
        free(rereading);
    }
}

/* A database of its own, since a snapshot is taken once and is to be one of now. */
static enum status begin_reading(struct rereading *rereading, struct arena *arena,
                                 struct error *error)
{
    struct run_session *session = rereading->session;
    const struct connector *connector = session->source->connector;
    const struct open_options open = {.mode = OPEN_SOURCE,
                                      .uri = session->source_uri,
                                      .memory_bytes = options_cache_bytes(&session->options),
                                      .timeout_ms = session->options.timeout_ms,
                                      .schemas = session->options.schemas,
                                      .recovers = session->options.recovers};
    const char *token;
    if (opening_open(connector, session->source_uri, &open, arena, &rereading->source, error) !=
            STATUS_OK ||
        connector->catalog->describe(rereading->source, &rereading->schema, error) != STATUS_OK ||
        connector->source->snapshot(rereading->source, 1, arena, &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return connector->source->reader_open(rereading->source, &rereading->reader, error);
}

/* The keys [first, first + some) one after the other, as a request wants them. */
static const struct cell *keys_of(const struct value_set *set, uint32_t first, uint32_t some,
                                  uint32_t width, struct arena *arena)
{
    struct cell *cells = arena_allocate_zeroed(arena, some + (size_t)1, width * sizeof *cells);
    for (uint32_t i = 0; i < some; i++) {
        memcpy(&cells[(size_t)i * width], set->entries[first + i].cells, width * sizeof *cells);
    }
    return cells;
}

static uint32_t next_some(const struct value_set *set, uint32_t first)
{
    return set->count - first < READ_KEYS_MAX ? set->count - first : READ_KEYS_MAX;
}

/* ---- one hop after the other */

static enum status read_hop(struct rereading *rereading, const struct follow_hop *hop,
                            const struct value_set *from, uint32_t first, struct value_set *to,
                            struct arena *arena, struct error *error)
{
    const struct source_functions *source = rereading->session->source->connector->source;
    struct read_column *columns =
        arena_allocate_zeroed(arena, hop->next.count + 1u, sizeof *columns);
    uint32_t some = next_some(from, first);
    for (uint32_t i = 0; i < hop->next.count; i++) {
        columns[i] = (struct read_column){.join = -1, .name = hop->next.names[i]};
    }
    const struct read_request request = {.name = hop->table,
                                         .table = hop->table,
                                         .columns = columns,
                                         .column_count = hop->next.count,
                                         .root_key = hop->columns,
                                         .keys =
                                             keys_of(from, first, some, hop->columns.count, arena),
                                         .key_count = some};
    struct cursor *cursor;
    struct batch *batch;
    if (source->cursor_open(rereading->reader, &request, NULL, &cursor, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status;
    while ((status = source->cursor_next(cursor, 1000, 1 << 20, &batch, error)) == STATUS_OK) {
        for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
            const struct cell *cells = batch_row(batch, row);
            bool leads = true;
            for (uint32_t i = 0; i < hop->next.count; i++) {
                leads = leads && cells[i].kind != VALUE_NULL;
            }
            status = leads ? add_values(to, arena, cells, hop->next.count, error) : STATUS_OK;
        }
        batch_destroy(batch);
        if (status != STATUS_OK) {
            break;
        }
    }
    source->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status walk_path(struct rereading *rereading, struct touched_roots *touched,
                             uint32_t number, struct error *error)
{
    const struct follow_path *path = &rereading->routes->paths[number];
    struct value_set from = touched->paths[number];
    struct value_set owned = {0};
    enum status status = STATUS_OK;
    settle(&from);
    for (uint32_t h = 0; h < path->hop_count && status == STATUS_OK && from.count > 0; h++) {
        bool last = h + 1 == path->hop_count;
        struct value_set next = {0};
        struct value_set *to = last ? &touched->streams[path->stream] : &next;
        for (uint32_t at = 0; at < from.count && status == STATUS_OK; at += READ_KEYS_MAX) {
            status = read_hop(rereading, &path->hops[h], &from, at, to, touched->arena, error);
        }
        settle(&next);
        free(owned.entries);
        from = owned = next;
    }
    free(owned.entries);
    touched->paths[number].distinct = 0; /* `from` sorted what both share */
    return status;
}

/* ---- mapping again */

struct remapping {
    struct follow_translator *translator;
    struct followed_set *set;
    struct error *error;
    bool failed;
};

static enum status take_parcel(void *context, struct parcel *parcel)
{
    struct remapping *remapping = context;
    enum status status = STATUS_OK;
    for (uint32_t b = 0; b < parcel->batch_count && status == STATUS_OK; b++) {
        const struct batch *batch = parcel->batches[b];
        for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
            status = followed_set_put(follow_form(remapping->translator), remapping->set,
                                      batch->entity, batch_row(batch, row), remapping->error);
        }
    }
    for (uint32_t i = 0; i < parcel->reject_count && status == STATUS_OK; i++) {
        status = followed_set_reject(remapping->set, &parcel->rejects[i], remapping->error);
    }
    parcel_destroy(parcel);
    remapping->failed = status != STATUS_OK;
    return remapping->failed ? STATUS_END : STATUS_OK;
}

static enum status delete_key(void *context, uint32_t entity, const struct cell *key,
                              uint32_t key_count, struct error *error)
{
    return followed_set_delete(context, entity, key, key_count, error);
}

/* What the root may have made goes, unless it is made again behind. */
static enum status delete_old(struct rereading *rereading, uint32_t number, const struct cell *key,
                              struct follow_translator *translator, struct followed_set *set,
                              struct error *error)
{
    const struct follow_stream *stream = &rereading->routes->streams[number];
    struct cell *row = arena_allocate_zeroed(
        set->set.arena, stream->stream->request.column_count + (size_t)1, sizeof *row);
    if (!stream->keys_of_key) {
        return STATUS_OK; /* its own change, with the whole row, has told what goes */
    }
    for (uint32_t i = 0; i < stream->stream->request.column_count; i++) {
        const struct read_column *column = &stream->stream->request.columns[i];
        row[i] = cell_null();
        for (uint32_t k = 0; column->join < 0 && k < stream->root_key.count; k++) {
            if (strcmp(column->name, stream->root_key.names[k]) == 0) {
                row[i] = key[k];
            }
        }
    }
    return follow_keys_of(translator, number, row, delete_key, set, error);
}

static enum status reread_some(struct rereading *rereading, uint32_t number, uint32_t first,
                               struct touched_roots *touched, struct follow_translator *translator,
                               struct followed_set *set, struct arena *arena, struct error *error)
{
    const struct follow_stream *follow = &rereading->routes->streams[number];
    const struct plan_stream *stream = follow->stream;
    const struct value_set *keys = &touched->streams[number];
    uint32_t some = next_some(keys, first);
    struct plan_stream again = *stream;
    struct plan_child *children =
        arena_allocate_zeroed(arena, stream->child_count + 1u, sizeof *children);
    uint32_t before = set->set.change_count;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < some && status == STATUS_OK; i++) {
        status =
            delete_old(rereading, number, keys->entries[first + i].cells, translator, set, error);
    }
    again.request.root_key = follow->root_key;
    again.request.keys = keys_of(keys, first, some, follow->root_key.count, arena);
    again.request.key_count = some;
    again.children = children;
    for (uint32_t c = 0; c < stream->child_count; c++) {
        children[c] = stream->children[c];
        children[c].request.root_key = again.request.root_key;
        children[c].request.keys = again.request.keys;
        children[c].request.key_count = some;
    }
    uint32_t deletes = set->set.change_count - before;
    struct remapping remapping = {.translator = translator, .set = set, .error = error};
    if (status == STATUS_OK) {
        status = sampling_read_through(rereading->session, rereading->reader, &again, NULL,
                                       take_parcel, NULL, &remapping, error);
    }
    if (status == STATUS_FAILED || remapping.failed) {
        return STATUS_FAILED;
    }
    followed_set_are_new(set, before + deletes);
    followed_set_drop_replaced(set, before, deletes);
    return STATUS_OK;
}

static enum status reread_stream(struct rereading *rereading, uint32_t number,
                                 struct touched_roots *touched,
                                 struct follow_translator *translator, struct followed_set **set,
                                 followed_set_full *full, void *context, struct error *error)
{
    const struct value_set *keys = &touched->streams[number];
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    settle(&touched->streams[number]);
    for (uint32_t at = 0; at < keys->count && status == STATUS_OK; at += READ_KEYS_MAX) {
        status = reread_some(rereading, number, at, touched, translator, *set, arena, error);
        arena_reset(arena);
        if (status == STATUS_OK && (*set)->set.arena->bytes > SET_BYTES_MAX) {
            status = full(context, set, error);
        }
    }
    arena_destroy(arena);
    return status;
}

enum status rereading_apply(struct rereading *rereading, struct touched_roots *touched,
                            struct follow_translator *translator, struct followed_set **set,
                            followed_set_full *full, void *context, struct error *error)
{
    const struct follow_routes *routes = rereading->routes;
    struct arena *arena = arena_create(0);
    enum status status = begin_reading(rereading, arena, error);
    for (uint32_t i = 0; i < routes->path_count && status == STATUS_OK; i++) {
        status = walk_path(rereading, touched, i, error);
    }
    for (uint32_t i = 0; i < routes->stream_count && status == STATUS_OK; i++) {
        status = reread_stream(rereading, i, touched, translator, set, full, context, error);
    }
    end_reading(rereading);
    arena_destroy(arena);
    if (status == STATUS_OK) {
        touched_roots_clear(touched);
        touched->were_read = true;
    }
    return status;
}

/* ---- a table from its beginning to its end */

/* By key: who reads the next span does it within another snapshot. */
static struct plan_stream stream_by_key(const struct rereading *rereading, uint32_t number)
{
    struct plan_stream stream = *rereading->routes->streams[number].stream;
    stream.request.by_key = true;
    return stream;
}

enum status rereading_split(struct rereading *rereading, uint32_t number, uint64_t rows,
                            struct arena *arena, struct span **spans, uint32_t *count,
                            struct error *error)
{
    const struct plan_stream stream = stream_by_key(rereading, number);
    struct arena *scratch = arena_create(0);
    enum status status = begin_reading(rereading, scratch, error);
    status = status == STATUS_OK
                 ? rereading->source->connector->source->split(rereading->source, &stream.request,
                                                               rows, arena, spans, count, error)
                 : status;
    end_reading(rereading);
    arena_destroy(scratch);
    return status;
}

enum status rereading_read_span(struct rereading *rereading, uint32_t number,
                                const struct span *span, struct follow_translator *translator,
                                struct followed_set *set, struct error *error)
{
    const struct plan_stream stream = stream_by_key(rereading, number);
    struct remapping remapping = {.translator = translator, .set = set, .error = error};
    struct arena *scratch = arena_create(0);
    enum status status = begin_reading(rereading, scratch, error);
    if (status == STATUS_OK) {
        status = sampling_read_through(rereading->session, rereading->reader, &stream, span,
                                       take_parcel, NULL, &remapping, error);
    }
    end_reading(rereading);
    arena_destroy(scratch);
    return status == STATUS_FAILED || remapping.failed ? STATUS_FAILED : STATUS_OK;
}
