/* Reading tables again while their changes are followed. */
#include "engine/follow/refresh.h"

#include "base/hash_set.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include "engine/rejects/reject_notes.h"
#include "model/json_tree.h"
#include "model/order_bytes.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { CHUNK_ROWS = 5000 };
static const char intent_name[] = "refresh";

/* Keys of records, by a hash of 128 bits. */
struct touched_keys {
    struct hash_set set;
    struct buffer scratch;
};

struct refresh {
    struct run *run;
    const struct follow_routes *routes;
    struct rereading *rereading;
    const struct follow_translator *translator; /* of the last step; NULL: there was none */
    struct arena *arena;                        /* of the list */
    const char **tables;
    uint32_t table_count;
    uint32_t table;  /* that is being read again */
    uint32_t stream; /* of these the one that is */
    struct arena *span_arena;
    struct span *spans; /* NULL: the stream is not cut yet */
    uint32_t span_count;
    uint32_t span;
    struct followed_set *waiting; /* NULL: none */
    struct position head;         /* in its arena: where the source was behind it */
    bool handed;                  /* the span before was given away, perhaps in vain */
    struct touched_keys touched;
    bool *emptied; /* an entity each: all of its records were touched */
    uint64_t records;
    bool begins_round; /* of rejects that are tried again, with the first step */
};

/* ---- what is noted */

static enum status read_noted(struct run *run, json_t **list, struct error *error)
{
    const char *text;
    json_t *object;
    *list = json_array();
    enum status status =
        ledger_get_intent(run->session->ledger, run->id, intent_name, run->arena, &text, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    if (json_from_text(text, "what is to be read again", ERROR_LEDGER_INVALID, &object, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    json_array_extend(*list, json_object_get(object, "tables"));
    json_decref(object);
    return STATUS_OK;
}

static enum status put_noted(struct run *run, json_t *list, struct error *error)
{
    struct buffer text = {0};
    if (json_array_size(list) == 0) {
        return ledger_delete_intent(run->session->ledger, run->id, intent_name, error);
    }
    json_t *object = json_pack("{s:i,s:O}", "format", CONTROL_FORMAT, "tables", list);
    enum status status =
        json_tree_append(object, JSON_COMPACT, &text)
            ? ledger_put_intent(run->session->ledger, run->id, intent_name, buffer_string(&text),
                                error)
            : error_set(error, ERROR_INTERNAL, intent_name, "it can't be put as JSON");
    json_decref(object);
    buffer_free(&text);
    return status;
}

static bool is_in(const json_t *list, const char *name)
{
    bool found = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        found = found || (text != NULL && strcmp(text, name) == 0);
    }
    return found;
}

enum status refresh_note(struct run *run, const char *const *tables, uint32_t count,
                         struct error *error)
{
    json_t *list;
    enum status status = read_noted(run, &list, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!is_in(list, tables[i])) {
            json_array_append_new(list, json_text(tables[i]));
        }
    }
    status = status == STATUS_OK && count > 0 ? put_noted(run, list, error) : status;
    json_decref(list);
    return status;
}

static bool reads_table(const struct follow_routes *routes, uint32_t stream, const char *table)
{
    return strcmp(routes->streams[stream].stream->request.table, table) == 0;
}

/* A table that is left stays in the target as it was. */
static bool is_read(const struct refresh *refresh, uint32_t stream, const char *table)
{
    return reads_table(refresh->routes, stream, table) &&
           (refresh->translator == NULL ||
            follow_translator_left(refresh->translator, stream) == NULL);
}

static bool is_any_read(const struct refresh *refresh, const char *table)
{
    bool any = false;
    for (uint32_t i = 0; i < refresh->routes->stream_count && !any; i++) {
        any = is_read(refresh, i, table);
    }
    return any;
}

/* All records of a table were tried again: what was rejected before and not now is settled.
 * `*missing`: what still is. */
static enum status settle_table(struct refresh *refresh, const char *table, uint64_t *missing,
                                struct error *error)
{
    struct run *run = refresh->run;
    enum status status = STATUS_OK;
    *missing = 0;
    for (uint32_t i = 0; i < refresh->routes->stream_count; i++) {
        const struct plan_stream *stream = refresh->routes->streams[i].stream;
        bool read = is_read(refresh, i, table);
        for (uint32_t e = 0; read && e < stream->entity_count && status == STATUS_OK; e++) {
            status = reject_book_end_round(run->rejects.book, stream->entities[e], error);
            *missing += reject_book_counts_of(run, stream->entities[e]).unsettled;
        }
    }
    return status;
}

static void tell_missing(const struct run *run, const char *what, uint64_t missing)
{
    struct arena *arena = arena_create(0);
    struct reject_book_sum sum;
    struct buffer text = {0};
    reject_book_sum(run, arena, &sum);
    reject_book_describe(&sum, &text);
    if (missing > 0) {
        log_write(LOG_WARNING, "%s: %s", what, buffer_string(&text));
    }
    buffer_free(&text);
    arena_destroy(arena);
}

static enum status is_done(struct refresh *refresh, const char *table, struct error *error)
{
    json_t *list;
    uint64_t missing;
    if (settle_table(refresh, table, &missing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = read_noted(refresh->run, &list, error);
    for (size_t i = json_array_size(list); i > 0; i--) {
        const char *text = json_string_value(json_array_get(list, i - 1));
        if (text != NULL && strcmp(text, table) == 0) {
            json_array_remove(list, i - 1);
        }
    }
    status = status == STATUS_OK ? put_noted(refresh->run, list, error) : status;
    json_decref(list);
    if (status != STATUS_OK) {
        return status;
    }
    if (is_any_read(refresh, table)) {
        log_write(LOG_INFO, "%s was read again: %" PRIu64 " %s", table, refresh->records,
                  refresh->routes->streams[refresh->stream].has_pages ? "rows" : "records");
    }
    tell_missing(refresh->run, table, missing);
    refresh->records = 0;
    return status;
}

/* ---- keys that changes have touched */

static enum status hash_key(struct touched_keys *keys, const struct record_change *change,
                            XXH128_hash_t *hash, struct error *error)
{
    buffer_clear(&keys->scratch);
    buffer_append(&keys->scratch, (const char *)&change->table, sizeof change->table);
    for (uint32_t i = 0; i < change->key_count; i++) {
        if (order_bytes_append(&change->key[i], &keys->scratch, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *hash = XXH3_128bits(keys->scratch.data, keys->scratch.length);
    return STATUS_OK;
}

/* The present key of a record that came from another key is touched, too. */
static enum status touch_after(struct refresh *refresh, const struct change_set *set,
                               const struct record_change *change, struct error *error)
{
    const struct shape *shape = set->tables[change->table].shape;
    const struct column_list names =
        refresh->run->session->plan
            ->tables[refresh->run->session->plan->entities[change->table].table]
            .target.key;
    struct cell key[FOLLOW_VALUES_MAX];
    struct record_change moved = {.table = change->table, .key = key};
    XXH128_hash_t hash;
    for (uint32_t i = 0; shape != NULL && i < names.count && i < FOLLOW_VALUES_MAX; i++) {
        int32_t at = shape_field_find(shape, names.names[i]);
        if (at < 0 || change->after[at].kind == VALUE_MISSING) {
            return STATUS_OK; /* it stays under its key */
        }
        key[moved.key_count++] = change->after[at];
    }
    if (hash_key(&refresh->touched, &moved, &hash, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    (void)hash_set_add(&refresh->touched.set, hash.low64, hash.high64);
    return STATUS_OK;
}

enum status refresh_touch(struct refresh *refresh, const struct change_set *set,
                          struct error *error)
{
    enum status status = STATUS_OK;
    bool waits = refresh != NULL && refresh->waiting != NULL;
    for (uint32_t i = 0; waits && i < set->change_count && status == STATUS_OK; i++) {
        const struct record_change *change = &set->changes[i];
        XXH128_hash_t hash;
        if (change->operation == RECORD_TRUNCATE) {
            refresh->emptied[change->table] = true;
            continue;
        }
        /* Tables without a key are read again in another way (whole.h). */
        const struct plan *plan = refresh->run->session->plan;
        if (plan->tables[plan->entities[change->table].table].target.key.count == 0) {
            continue;
        }
        status = hash_key(&refresh->touched, change, &hash, error);
        if (status == STATUS_OK) {
            (void)hash_set_add(&refresh->touched.set, hash.low64, hash.high64);
        }
        if (status == STATUS_OK && change->after != NULL) {
            status = touch_after(refresh, set, change, error);
        }
    }
    return status;
}

/* ---- opening */

static enum status check_tables(const struct refresh *refresh, struct error *error)
{
    for (uint32_t t = 0; t < refresh->table_count; t++) {
        bool read = false;
        for (uint32_t i = 0; i < refresh->routes->stream_count; i++) {
            read = read || reads_table(refresh->routes, i, refresh->tables[t]);
        }
        if (!read) {
            error_set(error, ERROR_USAGE, refresh->tables[t],
                      "the plan makes no records of a table of this name, so that there is nothing "
                      "to read again");
            return error_hint(error, "--refresh names tables of the source");
        }
    }
    return STATUS_OK;
}

enum status refresh_open(struct run *run, const struct follow_routes *routes,
                         struct rereading *rereading, struct refresh **made, struct error *error)
{
    json_t *list;
    *made = NULL;
    enum status status = read_noted(run, &list, error);
    if (status != STATUS_OK || json_array_size(list) == 0) {
        json_decref(list);
        return status;
    }
    struct refresh *refresh = memory_allocate_zeroed(1, sizeof *refresh);
    refresh->run = run;
    refresh->routes = routes;
    refresh->rereading = rereading;
    refresh->arena = arena_create(0);
    refresh->span_arena = arena_create(0);
    refresh->emptied = arena_allocate_zeroed(
        refresh->arena, run->session->plan->entity_count + (size_t)1, sizeof(bool));
    refresh->tables =
        arena_allocate_zeroed(refresh->arena, json_array_size(list), sizeof *refresh->tables);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name == NULL || !column_list_holds(run->session->kept.gone, name)) {
            refresh->tables[refresh->table_count++] =
                arena_copy_string(refresh->arena, name != NULL ? name : "");
        }
    }
    json_decref(list);
    status = check_tables(refresh, error);
    if (status != STATUS_OK) { /* else no other attempt could go on */
        struct error ignored = {0};
        (void)!ledger_delete_intent(run->session->ledger, run->id, intent_name, &ignored);
        refresh_close(refresh);
        return status;
    }
    refresh->begins_round = true;
    *made = refresh;
    return STATUS_OK;
}

void refresh_forget(struct refresh *refresh)
{
    if (refresh == NULL || (refresh->waiting == NULL && !refresh->handed)) {
        return;
    }
    if (refresh->waiting != NULL) {
        arena_destroy(refresh->waiting->set.arena);
    }
    refresh->waiting = NULL;
    refresh->handed = false;
    refresh->span--;
}

void refresh_close(struct refresh *refresh)
{
    if (refresh == NULL) {
        return;
    }
    refresh_forget(refresh);
    hash_set_free(&refresh->touched.set);
    buffer_free(&refresh->touched.scratch);
    arena_destroy(refresh->span_arena);
    arena_destroy(refresh->arena);
    free(refresh);
}

/* ---- a step */

static enum status read_chunk(struct refresh *refresh, struct follow_translator *translator,
                              struct error *error)
{
    struct run_session *session = refresh->run->session;
    struct arena *arena = arena_create(0);
    struct followed_set *set = followed_set_create(follow_form(translator), arena);
    hash_set_clear(&refresh->touched.set);
    memset(refresh->emptied, 0, refresh->run->session->plan->entity_count * sizeof(bool));
    enum status status =
        rereading_read_span(refresh->rereading, refresh->stream, &refresh->spans[refresh->span],
                            translator, set, error);
    if (status == STATUS_OK) {
        status =
            session->source->connector->feed->head(session->source, arena, &refresh->head, error);
    }
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    refresh->waiting = set;
    refresh->span++;
    return STATUS_OK;
}

/* The next stream that reads the table, cut into spans. STATUS_END: there is none. */
static enum status begin_stream(struct refresh *refresh, uint32_t from, struct error *error)
{
    const struct follow_routes *routes = refresh->routes;
    uint32_t stream = from;
    refresh->spans = NULL;
    arena_reset(refresh->span_arena);
    while (stream < routes->stream_count &&
           !is_read(refresh, stream, refresh->tables[refresh->table])) {
        stream++;
    }
    if (stream == routes->stream_count) {
        return STATUS_END;
    }
    refresh->stream = stream;
    refresh->span = 0;
    return rereading_split(refresh->rereading, stream, CHUNK_ROWS, refresh->span_arena,
                           &refresh->spans, &refresh->span_count, error);
}

/* To where a chunk can be read. STATUS_END: all tables were. */
static enum status find_chunk(struct refresh *refresh, struct error *error)
{
    enum status status = STATUS_OK;
    while (status == STATUS_OK && refresh->table < refresh->table_count &&
           (refresh->spans == NULL || refresh->span == refresh->span_count ||
            !is_read(refresh, refresh->stream, refresh->tables[refresh->table]))) {
        status = begin_stream(refresh, refresh->spans == NULL ? 0 : refresh->stream + 1, error);
        if (status == STATUS_END) {
            status = is_done(refresh, refresh->tables[refresh->table++], error);
        }
    }
    return status == STATUS_OK && refresh->table == refresh->table_count ? STATUS_END : status;
}

static enum status drop_touched(struct refresh *refresh, struct followed_set *set,
                                struct error *error)
{
    struct record_change *changes = (struct record_change *)set->set.changes;
    struct touched_keys *keys = &refresh->touched;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->set.change_count; i++) {
        XXH128_hash_t hash;
        if (hash_key(keys, &changes[i], &hash, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (!hash_set_holds(&keys->set, hash.low64, hash.high64) &&
            !refresh->emptied[changes[i].table]) {
            changes[kept++] = changes[i];
        }
    }
    set->set.change_count = kept;
    refresh->records += kept;
    return STATUS_OK;
}

/* Which pages of a root are too many is seen when it is read alone: all of the chunk are touched.
 */
static enum status touch_chunk(struct refresh *refresh, struct follow_translator *translator,
                               struct touched_roots *touched, struct followed_set **ready,
                               struct error *error)
{
    enum status status = rereading_touch_span(refresh->rereading, refresh->stream,
                                              &refresh->spans[refresh->span], touched, error);
    if (status == STATUS_OK) {
        *ready = followed_set_create(follow_form(translator), arena_create(0));
        refresh->span++;
        refresh->handed = true;
        refresh->records += touched_roots_count(touched, refresh->stream);
    }
    return status;
}

enum status refresh_step(struct refresh *refresh, struct follow_translator *translator,
                         struct touched_roots *touched, struct position applied,
                         struct followed_set **ready, struct error *error)
{
    const struct feed_functions *feed = refresh->run->session->source->connector->feed;
    *ready = NULL;
    refresh->handed = false;
    refresh->translator = translator;
    if (refresh->waiting != NULL && follow_translator_left(translator, refresh->stream) != NULL) {
        arena_destroy(refresh->waiting->set.arena);
        refresh->waiting = NULL;
    }
    if (refresh->begins_round) {
        reject_book_begin_round(refresh->run->rejects.book);
        refresh->begins_round = false;
    }
    if (refresh->waiting == NULL) {
        enum status status = find_chunk(refresh, error);
        if (status == STATUS_OK && refresh->routes->streams[refresh->stream].has_pages) {
            return touch_chunk(refresh, translator, touched, ready, error);
        }
        return status == STATUS_OK ? read_chunk(refresh, translator, error) : status;
    }
    if (!feed->covers(applied, refresh->head)) {
        return STATUS_OK;
    }
    struct followed_set *set = refresh->waiting;
    struct arena *arena = set->set.arena;
    if (drop_touched(refresh, set, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    refresh->waiting = NULL;
    refresh->handed = true;
    const char *bytes = arena_copy(arena, applied.bytes, applied.length);
    set->set.begin = set->set.end = (struct position){(const uint8_t *)bytes, applied.length};
    *ready = set;
    return STATUS_OK;
}
