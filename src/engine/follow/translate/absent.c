/* Records that an update did not find in the target. */
#include "engine/follow/translate/absent.h"

#include "base/log.h"
#include "base/memory.h"
#include "engine/follow/feed/spool_file.h"
#include "model/order_bytes.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <xxhash.h>

enum { WAITING_MAX = 100000 }; /* more are rejected at once */

/* The source has it no more either. */
struct waiting_record {
    XXH128_hash_t hash; /* of the entity and the target's key */
    struct follow_reject reject;
    struct arena *arena; /* of the reject's values */
    struct buffer head;  /* where the source was then; length 0: not asked yet */
    UT_hash_handle hh;
};

struct absent_records {
    struct run_session *session;
    const struct follow_routes *routes;
    struct follow_translator *translator;
    struct rereading *rereading;
    pthread_mutex_t mutex; /* the following, and reading */
    struct waiting_record *waiting;
    uint64_t put; /* records that were put again, not told yet */
};

static enum status list_nothing(void *context, const struct apply_listing *listing,
                                apply_found *found, void *found_context, struct error *error)
{
    (void)context;
    (void)listing;
    (void)found;
    (void)found_context;
    (void)error;
    return STATUS_OK; /* a record that is a row has no pages */
}

struct absent_records *absent_records_create(struct run_session *session,
                                             const struct follow_routes *routes,
                                             struct follow_translator *translator)
{
    struct absent_records *made = memory_allocate_zeroed(1, sizeof *made);
    made->session = session;
    made->routes = routes;
    made->translator = translator;
    made->rereading = rereading_create(session, routes, (struct follow_lister){list_nothing, NULL});
    pthread_mutex_init(&made->mutex, NULL);
    return made;
}

static void forget_waiting(struct absent_records *absent, struct waiting_record *record)
{
    HASH_DEL(absent->waiting, record);
    buffer_free(&record->head);
    arena_destroy(record->arena);
    free(record);
}

void absent_records_destroy(struct absent_records *absent)
{
    if (absent == NULL) {
        return;
    }
    struct waiting_record *record;
    struct waiting_record *next;
    HASH_ITER (hh, absent->waiting, record, next) {
        forget_waiting(absent, record);
    }
    rereading_destroy(absent->rereading);
    pthread_mutex_destroy(&absent->mutex);
    free(absent);
}

/* ---- keys */

static enum status hash_key(uint32_t entity, const struct cell *key, uint32_t count,
                            XXH128_hash_t *hash, struct error *error)
{
    struct buffer bytes = {0};
    enum status status = STATUS_OK;
    buffer_append(&bytes, &entity, sizeof entity);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = order_bytes_append(&key[i], &bytes, error);
    }
    *hash = XXH3_128bits(bytes.data, bytes.length);
    buffer_free(&bytes);
    return status;
}

/* A field of the record as it is after the change. */
static const struct cell *field_after(const struct absent_records *absent,
                                      const struct record_change *change, const char *name)
{
    const struct followed_form *form = follow_form(absent->translator);
    const struct column_list key = form->tables[change->table].key;
    int32_t at = shape_field_find(form->outputs[change->table].shape, name);
    if (at >= 0 && change->after[at].kind != VALUE_MISSING) {
        return &change->after[at];
    }
    for (uint32_t i = 0; i < key.count && i < change->key_count; i++) {
        if (strcmp(key.names[i], name) == 0) {
            return &change->key[i];
        }
    }
    return NULL;
}

/* The key of the source's row: an update of a part is one of a row that passes as it is. */
static bool root_key_of(const struct absent_records *absent, const struct record_change *change,
                        struct cell *key)
{
    const struct plan *plan = absent->session->plan;
    const struct follow_stream *stream =
        &absent->routes->streams[plan->entities[change->table].stream];
    bool known = stream->root_key.count > 0 && stream->root_key.count <= FOLLOW_VALUES_MAX;
    for (uint32_t i = 0; known && i < stream->root_key.count; i++) {
        const struct cell *cell = field_after(absent, change, stream->root_key.names[i]);
        known = cell != NULL;
        key[i] = known ? *cell : cell_missing();
    }
    return known;
}

static bool is_of_root(const struct absent_records *absent, const struct record_change *left,
                       const struct record_change *right)
{
    struct cell one[FOLLOW_VALUES_MAX];
    struct cell other[FOLLOW_VALUES_MAX];
    uint32_t stream = absent->session->plan->entities[left->table].stream;
    bool same = left->table == right->table && root_key_of(absent, left, one) &&
                root_key_of(absent, right, other);
    for (uint32_t i = 0; same && i < absent->routes->streams[stream].root_key.count; i++) {
        same = value_equal(&one[i], &other[i]);
    }
    return same;
}

/* ---- reading */

/* All roots of a call are read into one set. */
static enum status go_on_in_set(void *context, struct followed_set **set, struct error *error)
{
    (void)context;
    (void)set;
    (void)error;
    return STATUS_OK;
}

static enum status read_roots(struct absent_records *absent,
                              const struct record_change *const *changes, uint32_t count,
                              struct arena *arena, struct followed_set **set, struct error *error)
{
    struct touched_roots *touched = touched_roots_create(absent->routes);
    enum status status = STATUS_OK;
    *set = followed_set_create(follow_form(absent->translator), arena);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        struct cell key[FOLLOW_VALUES_MAX];
        uint32_t stream = absent->session->plan->entities[changes[i]->table].stream;
        if (root_key_of(absent, changes[i], key)) {
            status = touched_roots_add_key(touched, stream, key,
                                           absent->routes->streams[stream].root_key.count, error);
        }
    }
    status = status == STATUS_OK ? rereading_apply(absent->rereading, touched, absent->translator,
                                                   set, go_on_in_set, NULL, error)
                                 : status;
    touched_roots_destroy(touched);
    return status;
}

static const struct cell *find_put(const struct absent_records *absent,
                                   const struct followed_set *set,
                                   const struct record_change *change)
{
    const struct cell *found = NULL;
    for (uint32_t i = 0; i < set->set.change_count && found == NULL; i++) {
        const struct record_change *put = &set->set.changes[i];
        if (put->after != NULL && is_of_root(absent, put, change)) {
            found = put->after;
        }
    }
    return found;
}

static enum status copy_reject(struct waiting_record *record, const struct record_change *change,
                               const struct shape *shape, struct error *error)
{
    struct cell document = follow_document(record->arena, shape, change->after);
    struct cell *key =
        arena_allocate_zeroed(record->arena, change->key_count + (size_t)1, sizeof *key);
    enum status status = value_copy(&document, record->arena, &record->reject.record);
    for (uint32_t i = 0; i < change->key_count && status == STATUS_OK; i++) {
        status = value_copy(&change->key[i], record->arena, &key[i]);
    }
    record->reject.entity = change->table;
    record->reject.code = ERROR_REJECT_ABSENT;
    record->reject.reason = "some of its fields were updated, neither the target nor the source "
                            "has it any more, and the feed did not delete it";
    record->reject.key = key;
    record->reject.key_count = change->key_count;
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(error, ERROR_MEMORY, NULL, "no memory for a record that is not there");
}

static enum status add_waiting(struct absent_records *absent, const struct record_change *change,
                               struct error *error)
{
    const struct followed_form *form = follow_form(absent->translator);
    struct waiting_record *there = NULL;
    XXH128_hash_t hash;
    if (hash_key(change->table, change->key, change->key_count, &hash, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    HASH_FIND(hh, absent->waiting, &hash, sizeof hash, there);
    if (there != NULL) {
        return STATUS_OK;
    }
    struct waiting_record *made = memory_allocate_zeroed(1, sizeof *made);
    made->arena = arena_create(512);
    made->hash = hash;
    HASH_ADD(hh, absent->waiting, hash, sizeof made->hash, made);
    return copy_reject(made, change, form->outputs[change->table].shape, error);
}

static enum status read_absent(void *context, const struct record_change *const *changes,
                               uint32_t count, struct arena *arena, const struct cell **records,
                               struct error *error)
{
    struct absent_records *absent = context;
    struct followed_set *set;
    pthread_mutex_lock(&absent->mutex);
    enum status status = read_roots(absent, changes, count, arena, &set, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        records[i] = find_put(absent, set, changes[i]);
        absent->put += records[i] != NULL;
        status = records[i] == NULL ? add_waiting(absent, changes[i], error) : STATUS_OK;
    }
    pthread_mutex_unlock(&absent->mutex);
    return status;
}

struct apply_absent absent_records_reader(struct absent_records *absent)
{
    return (struct apply_absent){absent, read_absent};
}

/* ---- waiting */

bool absent_records_wait(struct absent_records *absent)
{
    pthread_mutex_lock(&absent->mutex);
    bool waits = absent->waiting != NULL;
    pthread_mutex_unlock(&absent->mutex);
    return waits;
}

/* The record under `key` is gone, or is written whole. */
static enum status absent_explain(struct absent_records *absent, const struct record_change *change,
                                  struct error *error)
{
    struct waiting_record *record = NULL;
    XXH128_hash_t hash;
    if (change->key == NULL) {
        return STATUS_OK;
    }
    if (hash_key(change->table, change->key, change->key_count, &hash, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    HASH_FIND(hh, absent->waiting, &hash, sizeof hash, record);
    if (record != NULL) {
        forget_waiting(absent, record);
    }
    return STATUS_OK;
}

static void explain_all(struct absent_records *absent, uint32_t entity)
{
    struct waiting_record *record;
    struct waiting_record *next;
    HASH_ITER (hh, absent->waiting, record, next) {
        if (record->reject.entity == entity) {
            forget_waiting(absent, record);
        }
    }
}

/* It is under another key from then on. */
static bool moves(const struct absent_records *absent, const struct record_change *change)
{
    const struct column_list key = follow_form(absent->translator)->tables[change->table].key;
    bool moved = false;
    for (uint32_t i = 0; change->after != NULL && i < key.count && i < change->key_count; i++) {
        const struct cell *after = field_after(absent, change, key.names[i]);
        moved = moved || (after != NULL && !value_equal(after, &change->key[i]));
    }
    return moved;
}

static bool is_partial(const struct change_set *set, const struct record_change *change)
{
    const struct shape *shape = set->tables[change->table].shape;
    bool partial = false;
    for (uint32_t i = 0; shape != NULL && change->after != NULL && i < shape->field_count; i++) {
        partial = partial || change->after[i].kind == VALUE_MISSING;
    }
    return partial && change->operation == RECORD_UPDATE;
}

static bool has_key(const struct absent_records *absent, const struct record_change *change)
{
    return follow_tables(absent->translator)[change->table].key.count > 0;
}

enum status absent_records_applied(struct absent_records *absent, struct followed_set *const *sets,
                                   uint32_t count, struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&absent->mutex);
    for (uint32_t s = 0; s < count && absent->waiting != NULL && status == STATUS_OK; s++) {
        const struct change_set *set = &sets[s]->set;
        for (uint32_t i = 0; i < set->change_count && status == STATUS_OK; i++) {
            const struct record_change *change = &set->changes[i];
            if (change->operation == RECORD_TRUNCATE) {
                explain_all(absent, change->table);
            } else if ((!is_partial(set, change) || moves(absent, change)) &&
                       has_key(absent, change)) {
                status = absent_explain(absent, change, error);
            }
        }
    }
    pthread_mutex_unlock(&absent->mutex);
    return status;
}

/* ---- the end of waiting */

void absent_records_reopen(struct absent_records *absent)
{
    struct waiting_record *record;
    struct waiting_record *next;
    pthread_mutex_lock(&absent->mutex);
    HASH_ITER (hh, absent->waiting, record, next) {
        record->head.length = 0;
    }
    pthread_mutex_unlock(&absent->mutex);
}

static enum status reject_one(struct absent_records *absent, struct waiting_record *record,
                              struct follow_rejects *rejects, struct error *error)
{
    const struct followed_set set = {.rejects = &record->reject, .reject_count = 1};
    enum status status = follow_rejects_keep(rejects, &set, error);
    if (status == STATUS_OK) {
        forget_waiting(absent, record);
    }
    return status;
}

enum status absent_records_pass(struct absent_records *absent, struct position applied,
                                struct follow_rejects *rejects, struct error *error)
{
    const struct feed_functions *feed = absent->session->source->connector->feed;
    struct arena *arena = arena_create(0);
    struct position head = {0};
    struct waiting_record *record;
    struct waiting_record *next;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&absent->mutex);
    if (absent->put > 0) {
        log_write(LOG_WARNING,
                  "%llu updated records were not in the target and were read again from "
                  "the source",
                  (unsigned long long)absent->put);
        absent->put = 0;
    }
    HASH_ITER (hh, absent->waiting, record, next) {
        if (status == STATUS_OK && record->head.length == 0) {
            struct database *source = absent->session->source;
            status = head.length > 0 ? STATUS_OK
                                     : source->connector->feed->head(source, arena, &head, error);
            if (status == STATUS_OK) {
                position_keep(&record->head, head);
            }
        } else if (status == STATUS_OK && (feed->covers(applied, position_kept(&record->head)) ||
                                           HASH_COUNT(absent->waiting) > WAITING_MAX)) {
            status = reject_one(absent, record, rejects, error);
        }
    }
    pthread_mutex_unlock(&absent->mutex);
    arena_destroy(arena);
    return status;
}
