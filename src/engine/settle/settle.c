/* After the load: the losers of equal target keys, and the records that a foreign key found no
 * partner for, become rejects, and the counts follow. */
#include "engine/settle/settle.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/signals.h"
#include "connectors/contract/defaults.h"
#include "engine/copy/sampling.h"
#include "engine/copy/target_look.h"
#include "engine/formats/record_hash.h"
#include "engine/ledger/json_text.h"
#include "engine/rejects/reject_name.h"
#include "engine/session/numbering.h"
#include "engine/session/options.h"
#include "engine/session/run_facts.h"
#include "engine/session/run_source.h"
#include "engine/session/session_tables.h"
#include "engine/state/run_state.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A record that the target found, kept until there are enough to look the source records up: a
 * chunk is read again once for all of its losers, so the order in which they come should be that of
 * the chunks.
 */
struct loser {
    uint64_t chunk;
    uint32_t entity;
    uint64_t ordinal;
    const struct cell *key; /* of the target */
    uint32_t key_count;
    struct cell record; /* as stored; MISSING: overwritten */
    const char *reason; /* of one without a partner; NULL: it shares its key */
    bool written;
    bool skipped; /* its chunk counted it as one whose key was there before */
    bool stays;   /* no loser: it is made again, since another one may have taken its place */
};

enum { LOSERS_MAX = 16384, LOSERS_BYTES_MAX = 4 << 20 };

struct settling {
    struct run *run;
    const struct plan_table *table;
    struct reject_file file;
    uint64_t *found;     /* an entity each: rejected */
    uint64_t *repeated;  /* the same: skipped, since they equal what is there */
    uint64_t *unskipped; /* the same: rejected, and counted as skipped before */
    struct tally *gone;  /* the same: of those without a partner, how many, and their hashes */
    struct record_hasher hasher;
    struct loser *losers;
    uint32_t count;
    struct arena *arena; /* of the losers */
    /* while a chunk is read again */
    uint32_t first; /* losers of this chunk: [first, end) */
    uint32_t end;
    uint64_t *ordinals; /* records seen so far, an entity each */
    struct error *error;
    bool failed;
};

/* The stream of a chunk; not known (0): the entity's. */
static const struct plan_stream *stream_of(const struct run *run, uint64_t chunk, uint32_t entity)
{
    const struct plan *plan = run->session->plan;
    return chunk != 0 || run->loads_rejects ? run_chunk_stream(run, chunk - 1)
                                            : &plan->streams[plan->entities[entity].stream];
}

static enum status write_loser(struct settling *settling, struct loser *loser,
                               struct reject *reject, struct error *error)
{
    char reason[160];
    char number[48] = "";
    reject->code = loser->reason != NULL ? ERROR_REJECT_CONSTRAINT : ERROR_REJECT_KEY_DUPLICATE;
    reject->reason = loser->reason != NULL ? loser->reason : reason;
    if (loser->ordinal != UINT64_MAX) {
        snprintf(number, sizeof(number), "number %" PRIu64 " of", loser->ordinal + 1);
    }
    if (loser->skipped) {
        snprintf(reason, sizeof(reason),
                 "another record of this run has the same key (this one was %s chunk %" PRIu64 ")",
                 number[0] == '\0' ? "in" : number, loser->chunk);
    } else if (loser->chunk == 0) {
        snprintf(reason, sizeof(reason), "another record of this run has the same unique values");
    } else {
        snprintf(reason, sizeof(reason),
                 "a record that comes before it has the same key (it was %s chunk %" PRIu64 ")",
                 number[0] == '\0' ? "in" : number, loser->chunk);
    }
    reject_name(settling->run, stream_of(settling->run, loser->chunk, loser->entity), loser->chunk,
                loser->entity, reject);
    loser->written = true;
    return reject_file_add(&settling->file, reject, error);
}

/* ---- the source records */

static const struct target_table *run_table(const struct settling *settling)
{
    const struct run *run = settling->run;
    return &run->tables[settling->table - run->session->plan->tables];
}

/* STATUS_END: the target can't hold it, so it is no key there. */
static enum status normal_part(const struct settling *settling, const struct cell *cell,
                               struct cell *normal)
{
    struct database *target = settling->run->session->target;
    struct error why;
    error_clear(&why);
    enum status status =
        target->connector->target->normal_form(target, cell, settling->arena, normal, &why);
    if (status == STATUS_OK || why.class != ERROR_CLASS_STOP) {
        return status == STATUS_OK ? STATUS_OK : STATUS_END;
    }
    error_copy(settling->error, &why);
    return STATUS_FAILED;
}

static enum status match_normal(const struct settling *settling, const struct cell *key,
                                const struct loser *loser)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < loser->key_count; i++) {
        struct cell made;
        struct cell seen;
        status = normal_part(settling, &key[i], &made);
        status = status == STATUS_OK ? normal_part(settling, &loser->key[i], &seen) : status;
        if (status == STATUS_OK && !value_equal(&made, &seen)) {
            status = STATUS_END;
        }
    }
    return status;
}

/* As the table has its columns: of ::1 and 0:0:0:0:0:0:0:1 it makes one address. */
static enum status match_in_table(const struct settling *settling, const struct cell *key,
                                  const struct loser *loser)
{
    struct database *target = settling->run->session->target;
    bool equal = false;
    return target->connector->target->keys_are_equal(target, run_table(settling), key, loser->key,
                                                     &equal, settling->error) != STATUS_OK
               ? STATUS_FAILED
           : equal ? STATUS_OK
                   : STATUS_END;
}

/*
 * The record as made must have the key that the target saw: the source may have changed since, and
 * another record may stand where it was. STATUS_END: it has another one.
 */
static enum status match_key(const struct settling *settling, const struct batch *batch,
                             uint32_t row, const struct loser *loser)
{
    const struct target_functions *target = settling->run->session->target->connector->target;
    uint32_t parts =
        batch->shape == NULL ? settling->table->target.key.count : batch->shape->key_field_count;
    struct cell *key = arena_allocate_zeroed(settling->arena, parts + 1u, sizeof(*key));
    if (parts != loser->key_count) {
        return STATUS_END;
    }
    for (uint32_t i = 0; i < parts; i++) {
        /* The part in the record as made; NULL: a document without that field. */
        const struct cell *cells = batch_row(batch, row);
        const struct cell *cell = batch->shape == NULL
                                      ? value_field(cells, settling->table->target.key.names[i])
                                      : &cells[batch->shape->key_fields[i]];
        if (cell == NULL) {
            return STATUS_END;
        }
        key[i] = *cell;
    }
    return target->keys_are_equal != NULL ? match_in_table(settling, key, loser)
                                          : match_normal(settling, key, loser);
}

static enum status settle_restore(struct settling *settling, const struct batch *batch,
                                  uint32_t row, struct loser *loser)
{
    struct database *target = settling->run->session->target;
    const struct target_table *table = run_table(settling);
    struct retry retry;
    enum status status;
    session_retry_begin(settling->run->session, &retry);
    do {
        status = target->connector->target->restore(target, table, batch, row, settling->error);
    } while (status == STATUS_FAILED && retry_wait(&retry, settling->error));
    loser->written = status == STATUS_OK;
    return status;
}

static enum status take_record(struct settling *settling, const struct batch *batch, uint32_t row,
                               struct loser *loser)
{
    struct run *run = settling->run;
    struct reject reject = {.shape = batch->shape,
                            .cells = batch_row(batch, row),
                            .record = batch->shape == NULL ? batch_row(batch, row) : NULL};
    /* what was taken out of the target is told as it stood there */
    bool older = run->moment.moved && loser->record.kind != VALUE_MISSING;
    enum status status =
        older && !loser->stays ? STATUS_END : match_key(settling, batch, row, loser);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    if (run->moment.moved) {
        run_note(run, &run->status.mixed_snapshot);
    }
    if (loser->stays) {
        return settle_restore(settling, batch, row, loser);
    }
    reject_find_key(run, stream_of(run, loser->chunk, loser->entity), batch, row, &reject);
    return write_loser(settling, loser, &reject, settling->error);
}

static enum status take_batch(struct settling *settling, const struct batch *batch)
{
    uint64_t first = settling->ordinals[batch->entity];
    settling->ordinals[batch->entity] += batch->row_count;
    for (uint32_t i = settling->first; i < settling->end; i++) {
        struct loser *loser = &settling->losers[i];
        bool inside = loser->entity == batch->entity && loser->ordinal >= first &&
                      loser->ordinal - first < batch->row_count;
        if (inside &&
            take_record(settling, batch, (uint32_t)(loser->ordinal - first), loser) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status take_parcel(void *context, struct parcel *parcel)
{
    struct settling *settling = context;
    for (uint32_t i = 0; i < parcel->batch_count && !settling->failed; i++) {
        settling->failed = take_batch(settling, parcel->batches[i]) != STATUS_OK;
    }
    parcel_destroy(parcel);
    return settling->failed || signals_stop_level() >= 2 ? STATUS_END : STATUS_OK;
}

/* Losers of one chunk: by the source records, or else by what the target has of them. */
static enum status write_chunk(struct settling *settling, struct error *error)
{
    struct run *run = settling->run;
    uint64_t chunk = settling->losers[settling->first].chunk;
    memset(settling->ordinals, 0, run->session->plan->entity_count * sizeof(uint64_t));
    if (chunk != 0 && (run_prepare_source(run, error) != STATUS_OK ||
                       sampling_read_span(run->session, run, stream_of(run, chunk, 0),
                                          &run->chunks.list[chunk - 1].span, take_parcel, settling,
                                          error) == STATUS_FAILED ||
                       settling->failed)) {
        return STATUS_FAILED;
    }
    for (uint32_t i = settling->first; i < settling->end; i++) {
        struct loser *loser = &settling->losers[i];
        const struct target_table *table = &settling->table->target;
        struct reject reject = {
            .key = loser->key,
            .key_count = loser->key_count,
            .key_names = loser->key_count == table->key.count ? table->key.names : NULL,
            .record = loser->record.kind == VALUE_MISSING ? NULL : &loser->record};
        if (loser->stays && !loser->written) {
            log_write(LOG_WARNING,
                      "table %s: the first of several records under one key is not in the source "
                      "any more (it was number %" PRIu64 " of chunk %" PRIu64
                      "): what stands in its place may be one of the rejected ones",
                      table->name, loser->ordinal + 1, loser->chunk);
            continue;
        }
        if (!loser->written && write_loser(settling, loser, &reject, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static int compare_losers(const void *left, const void *right)
{
    const struct loser *a = left;
    const struct loser *b = right;
    return a->chunk != b->chunk       ? (a->chunk < b->chunk ? -1 : 1)
           : a->entity != b->entity   ? (a->entity < b->entity ? -1 : 1)
           : a->ordinal != b->ordinal ? (a->ordinal < b->ordinal ? -1 : 1)
                                      : 0;
}

static enum status write_losers(struct settling *settling, struct error *error)
{
    qsort(settling->losers, settling->count, sizeof(*settling->losers), compare_losers);
    settling->error = error;
    settling->first = 0;
    while (settling->first < settling->count) {
        settling->end = settling->first + 1;
        while (settling->end < settling->count &&
               settling->losers[settling->end].chunk == settling->losers[settling->first].chunk) {
            settling->end++;
        }
        if (write_chunk(settling, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        settling->first = settling->end;
    }
    settling->count = 0;
    arena_reset(settling->arena);
    return STATUS_OK;
}

/* ---- what the target finds */

static bool is_field(const struct shape *shape, const struct cell *name)
{
    bool found = shape == NULL;
    for (uint32_t i = 0; !found && i < shape->field_count; i++) {
        found = strlen(shape->fields[i].name) == name->length &&
                memcmp(shape->fields[i].name, name->text, name->length) == 0;
    }
    return found;
}

/* A value that the target makes itself, as that of a generated column is, is no field of the
 * record. */
static void leave_fields(const struct settling *settling, struct loser *loser)
{
    const struct plan *plan = settling->run->session->plan;
    const struct shape *shape = plan_entity_batch_shape(&plan->entities[loser->entity]);
    struct cell *items = (struct cell *)loser->record.items; /* value_copy's, in our arena */
    uint32_t count = 0;
    for (uint32_t i = 0; i < loser->record.length; i++) {
        if (is_field(shape, &items[2 * (size_t)i])) {
            items[2 * (size_t)count] = items[2 * (size_t)i];
            items[2 * (size_t)count + 1] = items[2 * (size_t)i + 1];
            count++;
        }
    }
    loser->record.length = count;
}

static enum status keep_loser(struct settling *settling, struct loser *loser,
                              const struct cell *key, const struct cell *record)
{
    struct cell *cells = arena_allocate_zeroed(settling->arena, loser->key_count, sizeof(*cells));
    loser->record = cell_missing();
    loser->key = cells;
    for (uint32_t i = 0; i < loser->key_count; i++) {
        if (value_copy(&key[i], settling->arena, &cells[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (record != NULL && value_copy(record, settling->arena, &loser->record) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (loser->record.kind == VALUE_MAP) {
        leave_fields(settling, loser);
    }
    settling->losers[settling->count++] = *loser;
    return STATUS_OK;
}

static enum status write_if_full(struct settling *settling, struct error *error)
{
    bool full = settling->count == LOSERS_MAX || arena_bytes(settling->arena) > LOSERS_BYTES_MAX;
    return full ? write_losers(settling, error) : STATUS_OK;
}

static enum status on_found(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                            const struct cell *key, uint32_t key_count, const struct cell *record,
                            enum duplicate_kind kind, struct error *error)
{
    struct settling *settling = context;
    struct run *run = settling->run;
    if (entity == UINT32_MAX && settling->table->entity_count == 1) {
        entity = settling->table->entities[0];
    }
    struct loser loser = {
        .chunk = chunk, .entity = entity, .ordinal = ordinal, .key_count = key_count};
    if (entity >= run->session->plan->entity_count || chunk > run->chunks.count) {
        return error_set(error, ERROR_INTERNAL, settling->table->target.name,
                         "the target found a record of an entity or chunk that is not the run's");
    }
    loser.stays = kind == DUPLICATE_STAYS;
    loser.skipped = kind == DUPLICATE_SKIPPED;
    if (kind == DUPLICATE_CONTRADICTS) {
        loser.reason = arena_format(settling->arena, "%.*s", (int)record->length, record->text);
        record = NULL;
    }
    if (kind == DUPLICATE_REPEATS && settling->table->target.distinct) {
        settling->repeated[entity]++;
        return STATUS_OK;
    }
    if (keep_loser(settling, &loser, key, record) != STATUS_OK) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory to settle equal keys");
    }
    settling->found[entity] += !loser.stays && !loser.skipped;
    settling->unskipped[entity] += loser.skipped;
    return write_if_full(settling, error);
}

/* A record that is taken out goes out of the sum, too, where there is one. */
static enum status add_gone(struct settling *settling, const struct loser *loser,
                            struct error *error)
{
    const struct plan *plan = settling->run->session->plan;
    const struct shape *shape = plan_entity_batch_shape(&plan->entities[loser->entity]);
    return record_hash_gone(&settling->hasher, loser->entity, &loser->record, shape,
                            settling->arena, &settling->gone[loser->entity], error);
}

static enum status on_orphan(void *context, const struct cell *key, uint32_t key_count,
                             const struct cell *record, const char *reason, struct error *error)
{
    struct settling *settling = context;
    struct loser loser = {.entity = settling->table->entities[0],
                          .ordinal = UINT64_MAX,
                          .key_count = key_count,
                          .reason = arena_copy_string(settling->arena, reason)};
    if (keep_loser(settling, &loser, key, record) != STATUS_OK) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for orphaned rows");
    }
    settling->found[loser.entity]++;
    if (add_gone(settling, &settling->losers[settling->count - 1], error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return write_if_full(settling, error);
}

static json_t *settled_entity(const struct settling *settling, uint32_t number)
{
    const struct tally *gone = &settling->gone[number];
    char hex[33];
    canonical_hash_format(&gone->hash, hex);
    json_t *entity = json_pack("{s:I,s:I,s:I}", "rejected", (json_int_t)settling->found[number],
                               "skipped", (json_int_t)settling->repeated[number], "unskipped",
                               (json_int_t)settling->unskipped[number]);
    if (gone->rejected > 0) {
        json_object_set_new(entity, "orphans", json_integer((json_int_t)gone->rejected));
    }
    bool whole = gone->hashed && gone->rejected == settling->found[number] &&
                 settling->repeated[number] == 0;
    if (whole) {
        json_object_set_new(entity, "hash", json_string(hex));
    }
    return entity;
}

/* {"entities":{"3":{"rejected":n,"skipped":n,"unskipped":n,"orphans":n,"hash":HEX}},
 * "rejects":{…}}: of those
 * that were written, and of those that were skipped */
static json_t *settled_make(const struct settling *settling, const struct ledger_rejects *rejects)
{
    json_t *entities = json_object();
    for (uint32_t i = 0; i < settling->run->session->plan->entity_count; i++) {
        if (settling->found[i] + settling->repeated[i] + settling->unskipped[i] > 0) {
            char number[16];
            snprintf(number, sizeof(number), "%" PRIu32, i);
            json_object_set_new(entities, number, settled_entity(settling, i));
        }
    }
    json_t *settled = json_pack("{s:o}", "entities", entities);
    if (rejects->file != NULL) {
        json_object_set_new(settled, "rejects",
                            json_pack("{s:s,s:I,s:s}", "file", rejects->file, "count",
                                      (json_int_t)rejects->count, "xxh3", rejects->hash));
    }
    return settled;
}

void settle_subtract_hash(const struct json_t *entity, struct canonical_hash *sum, bool *hashed)
{
    struct canonical_hash hash;
    const char *hex = entity == NULL ? NULL : json_member_text(entity, "hash", NULL);
    if (hex != NULL && canonical_hash_parse(hex, &hash) == STATUS_OK) {
        tally_hash_subtract(sum, &hash);
    } else if (entity != NULL) {
        *hashed = false; /* the sum still has them in it */
    }
}

static void add_reasons(const json_t *entity, struct tally *total, uint64_t rejected)
{
    int64_t orphans = json_member_integer(entity, "orphans", 0);
    uint64_t alone = orphans > 0 && (uint64_t)orphans <= rejected ? (uint64_t)orphans : 0;
    if (alone > 0) {
        tally_add_reason(total, ERROR_REJECT_CONSTRAINT, alone);
    }
    if (rejected > alone) {
        tally_add_reason(total, ERROR_REJECT_KEY_DUPLICATE, rejected - alone);
    }
}

enum status settle_totals(const struct run *run, struct tally *totals, uint32_t count,
                          struct error *error)
{
    const json_t *entities = json_object_get(run->status.settled, "entities");
    for (uint32_t i = 0; i < count; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%" PRIu32,
                 run->following.numbering != NULL ? run->following.numbering->former[i] : i);
        const json_t *entity = json_object_get(entities, number);
        int64_t rejected = json_member_integer(entity, "rejected", 0);
        int64_t skipped = json_member_integer(entity, "skipped", 0);
        int64_t unskipped = json_member_integer(entity, "unskipped", 0);
        struct tally *total = &totals[i];
        if (rejected < 0 || skipped < 0 || unskipped < 0 || (uint64_t)unskipped > total->skipped ||
            (uint64_t)rejected > total->written ||
            (uint64_t)skipped > total->written - (uint64_t)rejected) {
            return error_set(error, ERROR_LEDGER_INVALID, "ledger status",
                             "is damaged: it settled more records than were written");
        }
        total->written -= (uint64_t)rejected + (uint64_t)skipped;
        total->rejected += (uint64_t)rejected + (uint64_t)unskipped;
        total->skipped += (uint64_t)skipped - (uint64_t)unskipped;
        add_reasons(entity, total, (uint64_t)rejected + (uint64_t)unskipped);
        settle_subtract_hash(entity, &total->hash, &total->hashed);
    }
    return STATUS_OK;
}

enum status settle_apply(struct run *run, struct error *error)
{
    struct progress *progress = &run->session->progress;
    if (settle_totals(run, run->totals, progress->entity_count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < progress->entity_count; i++) {
        const struct tally *total = &run->totals[i];
        atomic_store(&progress->entities[i].written, total->written);
        atomic_store(&progress->entities[i].rejected, total->rejected);
        atomic_store(&progress->entities[i].skipped, total->skipped);
    }
    return STATUS_OK;
}

static enum status check_bound(const struct run *run, struct error *error)
{
    const struct run_options *options = &run->session->options;
    uint64_t rejected = 0;
    for (uint32_t i = 0; i < run->session->plan->entity_count; i++) {
        rejected += run->totals[i].rejected;
    }
    if (options_allow_rejects(options, rejected)) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TOO_MANY_REJECTS, "run",
              "%" PRIu64 " records rejected, equal target keys and orphaned rows included",
              rejected);
    error_hint(error, "see %s; `transhume resume --max-rejects N` allows more",
               run->folder.rejects);
    return STATUS_FAILED;
}

static enum status find_duplicates(struct settling *settling, const struct target_table *table,
                                   struct error *error)
{
    struct run_session *session = settling->run->session;
    const struct target_functions *target = session->target->connector->target;
    bool late = (table->created || settling->run->header.rebuilds_indexes) &&
                (session->target->capabilities & CAPABILITY_KEY_ENFORCED) != 0;
    return target->settle_duplicates == NULL ||
                   (!late && !session_settles(session, settling->table))
               ? STATUS_OK
               : target->settle_duplicates(session->target, table, on_found, settling, error);
}

static enum status find_orphans(struct settling *settling, const struct target_table *table,
                                struct error *error)
{
    struct database *target = settling->run->session->target;
    return table->created && settling->run->header.rejects_orphans &&
                   settling->table->entity_count == 1
               ? connector_sql_target(target->connector)
                     ->orphans(target, table, on_orphan, settling, error)
               : STATUS_OK;
}

static enum status find_losers(struct settling *settling, struct error *error)
{
    const struct plan *plan = settling->run->session->plan;
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct target_table *table = &settling->run->tables[i];
        settling->table = &plan->tables[i];
        if (find_duplicates(settling, table, error) != STATUS_OK ||
            find_orphans(settling, table, error) != STATUS_OK ||
            write_losers(settling, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status settle_run(struct run *run, struct error *error)
{
    uint32_t entities = run->session->plan->entity_count;
    struct settling settling = {.run = run, .arena = arena_create(0)};
    struct ledger_rejects rejects;
    enum status status = STATUS_OK;
    settling.found = arena_allocate_zeroed(run->arena, entities, sizeof(uint64_t));
    settling.repeated = arena_allocate_zeroed(run->arena, entities, sizeof(uint64_t));
    settling.unskipped = arena_allocate_zeroed(run->arena, entities, sizeof(uint64_t));
    settling.ordinals = arena_allocate_zeroed(run->arena, entities, sizeof(uint64_t));
    settling.gone = arena_allocate_zeroed(run->arena, entities, sizeof(*settling.gone));
    settling.losers = memory_allocate_zeroed(LOSERS_MAX, sizeof(*settling.losers));
    reject_file_init(&settling.file, run->folder.rejects, 0, 0);
    snprintf(settling.file.name, sizeof(settling.file.name), "settled.jsonl");
    for (uint32_t i = 0; i < entities; i++) {
        settling.gone[i].hashed = run->totals[i].hashed;
    }
    if (run_look_at_target(run, error) != STATUS_OK) {
        status = STATUS_FAILED;
        goto out;
    }
    record_hasher_init(&settling.hasher, run->session->target, run->seen.forms);
    status = find_losers(&settling, error);
    if (status == STATUS_OK) {
        status = reject_file_sync(&settling.file, &rejects, error);
    }
    if (status == STATUS_OK) {
        pthread_mutex_lock(&run->state_mutex);
        json_decref(run->status.settled);
        run->status.settled = settled_make(&settling, &rejects);
        status = settle_apply(run, error);
        pthread_mutex_unlock(&run->state_mutex);
    }
out:
    reject_file_close(&settling.file, true);
    record_hasher_free(&settling.hasher);
    free(settling.losers);
    arena_destroy(settling.arena);
    return status == STATUS_OK ? check_bound(run, error) : status;
}
