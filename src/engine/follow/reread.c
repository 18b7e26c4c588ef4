/* Roots that changes of joined rows touch, read again and mapped again. */
#include "engine/follow/reread.h"

#include "base/memory.h"
#include "engine/copy/sampling.h"
#include "engine/session/opening.h"
#include "engine/session/options.h"
#include <stdlib.h>
#include <string.h>

enum { SET_BYTES_MAX = 4 << 20 };

/* ---- reading again */

struct rereading {
    struct run_session *session;
    const struct follow_routes *routes;
    struct database *source; /* as of the last beginning; NULL: none is open */
    struct schema *schema;
    struct reader *reader;
    struct follow_lister lister;
    struct page_sweep *sweep; /* while roots are read; NULL: none of them has pages */
};

struct rereading *rereading_create(struct run_session *session, const struct follow_routes *routes,
                                   struct follow_lister lister)
{
    struct rereading *made = memory_allocate_zeroed(1, sizeof *made);
    made->session = session;
    made->routes = routes;
    made->lister = lister;
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

/* The root's and those of its lists are open at once. */
static uint32_t cursors_each(const struct follow_routes *routes)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < routes->stream_count; i++) {
        uint32_t count = routes->streams[i].stream->child_count + 1;
        most = count > most ? count : most;
    }
    return most;
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
                                      .timeout_ms = session->options.limits.timeout_ms,
                                      .schemas = session->options.selection.schemas,
                                      .no_code = session->options.making.no_code,
                                      .recovers = session->options.follow.recovers};
    const char *token;
    if (opening_open(connector, session->source_uri, &open, arena, &rereading->source, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    rereading->source->cursors_each = cursors_each(rereading->routes);
    if (connector->catalog->describe(rereading->source, &rereading->schema, error) != STATUS_OK ||
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

/* Rows of which no value is NULL. */
static enum status read_values(struct rereading *rereading, const struct read_request *request,
                               const struct span *span, struct value_set *to, struct arena *arena,
                               struct error *error)
{
    const struct source_functions *source = rereading->session->source->connector->source;
    struct cursor *cursor;
    struct batch *batch;
    if (source->cursor_open(rereading->reader, request, span, &cursor, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status;
    while ((status = source->cursor_next(cursor, 1000, 1 << 20, &batch, error)) == STATUS_OK) {
        for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
            const struct cell *cells = batch_row(batch, row);
            bool leads = true;
            for (uint32_t i = 0; i < request->column_count; i++) {
                leads = leads && cells[i].kind != VALUE_NULL;
            }
            status =
                leads ? value_set_add(to, arena, cells, request->column_count, error) : STATUS_OK;
        }
        batch_destroy(batch);
        if (status != STATUS_OK) {
            break;
        }
    }
    source->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
}

/* These columns of a table. */
static struct read_request request_of(const char *table, struct column_list names,
                                      struct arena *arena)
{
    struct read_column *columns = arena_allocate_zeroed(arena, names.count + 1u, sizeof *columns);
    for (uint32_t i = 0; i < names.count; i++) {
        columns[i] = (struct read_column){.join = -1, .name = names.names[i]};
    }
    return (struct read_request){
        .name = table, .table = table, .columns = columns, .column_count = names.count};
}

static enum status read_hop(struct rereading *rereading, const struct follow_hop *hop,
                            const struct value_set *from, uint32_t first, struct value_set *to,
                            struct arena *arena, struct error *error)
{
    struct read_request request = request_of(hop->table, hop->next, arena);
    request.root_key = hop->columns;
    request.key_count = next_some(from, first);
    request.keys = keys_of(from, first, request.key_count, hop->columns.count, arena);
    return read_values(rereading, &request, NULL, to, arena, error);
}

static enum status walk_path(struct rereading *rereading, struct touched_roots *touched,
                             uint32_t number, struct error *error)
{
    const struct follow_path *path = &rereading->routes->paths[number];
    struct value_set from = touched->paths[number];
    struct value_set owned = {0};
    enum status status = STATUS_OK;
    value_set_settle(&from);
    for (uint32_t h = 0; h < path->hop_count && status == STATUS_OK && from.count > 0; h++) {
        bool last = h + 1 == path->hop_count;
        struct value_set next = {0};
        struct value_set *to = last ? &touched->streams[path->stream] : &next;
        for (uint32_t at = 0; at < from.count && status == STATUS_OK; at += READ_KEYS_MAX) {
            status = read_hop(rereading, &path->hops[h], &from, at, to, touched->arena, error);
        }
        value_set_settle(&next);
        value_set_free(&owned);
        from = owned = next;
    }
    value_set_free(&owned);
    touched->paths[number].distinct = 0; /* `from` sorted what both share */
    return status;
}

/* ---- mapping again */

struct remapping {
    struct follow_translator *translator;
    struct followed_set *set;
    struct page_sweep *sweep; /* that is told of pages; NULL: of none */
    struct error *error;
    bool failed;
};

static enum status put_record(const struct remapping *remapping, uint32_t entity,
                              const struct cell *record)
{
    struct followed_set *set = remapping->set;
    uint32_t before = set->set.change_count;
    enum status status =
        followed_set_put(follow_form(remapping->translator), set, entity, record, remapping->error);
    bool is_put = status == STATUS_OK && set->set.change_count > before;
    return is_put && remapping->sweep != NULL
               ? page_sweep_add_page(remapping->sweep, entity, set->set.changes[before].key,
                                     remapping->error)
               : status;
}

static enum status take_parcel(void *context, struct parcel *parcel)
{
    struct remapping *remapping = context;
    enum status status = STATUS_OK;
    for (uint32_t b = 0; b < parcel->batch_count && status == STATUS_OK; b++) {
        const struct batch *batch = parcel->batches[b];
        for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
            status = put_record(remapping, batch->entity, batch_row(batch, row));
        }
    }
    for (uint32_t i = 0; i < parcel->reject_count && status == STATUS_OK; i++) {
        status = followed_set_reject(remapping->set, &parcel->rejects[i], remapping->error);
    }
    parcel_destroy(parcel);
    remapping->failed = status != STATUS_OK;
    return remapping->failed ? STATUS_END : STATUS_OK;
}

/* The records that a root's row may have made. */
struct old_records {
    const struct follow_routes *routes;
    struct page_sweep *sweep;
    struct followed_set *set; /* NULL: only pages are asked for */
};

static enum status delete_key(void *context, uint32_t entity, const struct cell *key,
                              uint32_t key_count, struct error *error)
{
    const struct old_records *old = context;
    if (old->routes->keys[entity].pages) {
        return page_sweep_add_root(old->sweep, entity, key, error);
    }
    return old->set != NULL ? followed_set_delete(old->set, entity, key, key_count, error)
                            : STATUS_OK;
}

/* Records that the root may have made go, unless they are made again behind. */
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
    struct old_records old = {rereading->routes, rereading->sweep, set};
    return follow_keys_of(translator, number, row, delete_key, &old, error);
}

/* Where the pages of the roots are, of which their keys alone do not tell. */
static enum status find_pages(struct rereading *rereading, uint32_t number,
                              const struct read_request *request,
                              struct follow_translator *translator, struct error *error)
{
    const struct source_functions *source = rereading->session->source->connector->source;
    struct old_records old = {rereading->routes, rereading->sweep, NULL};
    struct cursor *cursor;
    struct batch *batch;
    if (source->cursor_open(rereading->reader, request, NULL, &cursor, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status;
    while ((status = source->cursor_next(cursor, 1000, 1 << 20, &batch, error)) == STATUS_OK) {
        for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
            status =
                follow_keys_of(translator, number, batch_row(batch, row), delete_key, &old, error);
        }
        batch_destroy(batch);
        if (status != STATUS_OK) {
            break;
        }
    }
    source->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
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
        follow_settle_root(translator, number, keys->entries[first + i].cells, set);
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
    if (status == STATUS_OK && follow->has_pages && !follow->keys_of_key) {
        status = find_pages(rereading, number, &again.request, translator, error);
    }
    uint32_t deletes = set->set.change_count - before;
    struct remapping remapping = {
        .translator = translator, .set = set, .sweep = rereading->sweep, .error = error};
    if (status == STATUS_OK) {
        status = sampling_read_through(rereading->session, rereading->reader, &again, NULL,
                                       take_parcel, NULL, &remapping, error);
    }
    if (status == STATUS_FAILED || remapping.failed ||
        followed_set_reject_repeats(follow_form(translator), set, before + deletes, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    followed_set_are_new(set, before + deletes);
    followed_set_drop_replaced(set, before, deletes);
    return follow->has_pages ? page_sweep_end_round(rereading->sweep, set, error) : STATUS_OK;
}

static enum status reread_stream(struct rereading *rereading, uint32_t number,
                                 struct touched_roots *touched,
                                 struct follow_translator *translator, struct followed_set **set,
                                 followed_set_full *full, void *context, struct error *error)
{
    const struct value_set *keys = &touched->streams[number];
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    value_set_settle(&touched->streams[number]);
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

/* The pages of roots that are no more, or have another key by now, go. */
static enum status delete_former(struct rereading *rereading, uint32_t entity,
                                 struct touched_roots *touched, struct followed_set **set,
                                 followed_set_full *full, void *context, struct error *error)
{
    struct value_set *former = &touched->former[entity];
    enum status status = STATUS_OK;
    value_set_settle(former);
    for (uint32_t i = 0; i < former->count && status == STATUS_OK; i++) {
        status = page_sweep_former(rereading->sweep, entity, former->entries[i].cells, *set, error);
        if (status == STATUS_OK && (*set)->set.arena->bytes > SET_BYTES_MAX) {
            status = full(context, set, error);
        }
    }
    return status;
}

static bool has_pages(const struct follow_routes *routes)
{
    bool has = false;
    for (uint32_t i = 0; i < routes->stream_count; i++) {
        has = has || routes->streams[i].has_pages;
    }
    return has;
}

enum status rereading_apply(struct rereading *rereading, struct touched_roots *touched,
                            struct follow_translator *translator, struct followed_set **set,
                            followed_set_full *full, void *context, struct error *error)
{
    const struct follow_routes *routes = rereading->routes;
    struct arena *arena = arena_create(0);
    enum status status = begin_reading(rereading, arena, error);
    if (has_pages(routes)) {
        rereading->sweep = page_sweep_create(routes, follow_form(translator), rereading->lister);
    }
    for (uint32_t i = 0; i < routes->path_count && status == STATUS_OK; i++) {
        status = walk_path(rereading, touched, i, error);
    }
    for (uint32_t i = 0; i < routes->stream_count && status == STATUS_OK; i++) {
        status = reread_stream(rereading, i, touched, translator, set, full, context, error);
    }
    for (uint32_t i = 0; i < routes->entity_count && status == STATUS_OK; i++) {
        status = delete_former(rereading, i, touched, set, full, context, error);
    }
    page_sweep_destroy(rereading->sweep);
    rereading->sweep = NULL;
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
    return status == STATUS_FAILED || remapping.failed
               ? STATUS_FAILED
               : followed_set_reject_repeats(follow_form(translator), set, 0, error);
}

enum status rereading_touch_span(struct rereading *rereading, uint32_t number,
                                 const struct span *span, struct touched_roots *touched,
                                 struct error *error)
{
    const struct follow_stream *stream = &rereading->routes->streams[number];
    struct arena *scratch = arena_create(0);
    struct read_request request =
        request_of(stream->stream->request.table, stream->root_key, scratch);
    request.by_key = true;
    enum status status = begin_reading(rereading, scratch, error);
    if (status == STATUS_OK) {
        status = read_values(rereading, &request, span, &touched->streams[number], touched->arena,
                             error);
    }
    end_reading(rereading);
    arena_destroy(scratch);
    return status;
}
