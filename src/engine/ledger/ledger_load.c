/* Reading runs back, every part of them checked. */
#include "engine/ledger/ledger_internal.h"

#include "base/memory.h"
#include "base/text.h"
#include "engine/ledger/json_text.h"
#include "model/json_reader.h"
#include "model/json_tree.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- checksum */

struct ledger_sum {
    XXH3_state_t *state;
};

struct ledger_sum *ledger_sum_begin(void)
{
    struct ledger_sum *sum = memory_allocate(sizeof(*sum));
    sum->state = XXH3_createState();
    if (sum->state == NULL) {
        memory_exhausted(0);
    }
    XXH3_128bits_reset(sum->state);
    return sum;
}

void ledger_sum_add(struct ledger_sum *sum, const char *text, size_t length)
{
    uint64_t size = length;
    XXH3_128bits_update(sum->state, &size, sizeof(size));
    if (length > 0) {
        XXH3_128bits_update(sum->state, text, length);
    }
}

void ledger_sum_end(struct ledger_sum *sum, char hex[33])
{
    XXH128_hash_t hash = XXH3_128bits_digest(sum->state);
    XXH3_freeState(sum->state);
    free(sum);
    text_from_hash(hash.high64, hash.low64, hex);
}

/* ---- which runs there are */

struct run_reader {
    struct ledger *ledger;
    struct arena *arena;
    struct ledger_runs *runs;
    uint32_t capacity;
};

static enum status visit_run(void *context, const char *key, const struct store_value *value,
                             struct error *error)
{
    struct run_reader *reader = context;
    struct ledger_runs *runs = reader->runs;
    json_t *object;
    uint64_t number;
    const char *digits = key + strlen("runs/");
    if (ledger_parse(reader->ledger, key, value->text, value->length, &object, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (runs->count == reader->capacity) {
        reader->capacity = reader->capacity == 0 ? 16 : reader->capacity * 2;
        void *grown = arena_allocate_zeroed(reader->arena, reader->capacity, sizeof(*runs->items));
        if (runs->count > 0) {
            memcpy(grown, runs->items, runs->count * sizeof(*runs->items));
        }
        runs->items = grown;
    }
    const char *id = json_member_text(object, "run", NULL);
    enum status status = STATUS_OK;
    if (id == NULL || text_to_uint64(digits, strlen(digits), &number) != STATUS_OK) {
        status = ledger_damaged(reader->ledger, key, error);
    } else {
        runs->items[runs->count++] =
            (struct ledger_run_number){.number = number,
                                       .id = arena_copy_string(reader->arena, id),
                                       .is_ours = strcmp(json_member_text(object, "target", ""),
                                                         reader->ledger->target_hash) == 0};
    }
    json_decref(object);
    return status;
}

enum status ledger_read_runs(struct ledger *ledger, struct arena *arena, struct ledger_runs *runs,
                             struct error *error)
{
    struct run_reader reader = {.ledger = ledger, .arena = arena, .runs = runs};
    *runs = (struct ledger_runs){0};
    enum status status = ledger->functions->scan(ledger->store, "runs/", visit_run, &reader, error);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status ledger_load_list(struct ledger *ledger, bool all, struct arena *arena,
                                    const char ***ids, uint32_t *count, struct error *error)
{
    struct ledger_runs runs;
    *ids = NULL;
    *count = 0;
    if (ledger_read_runs(ledger, arena, &runs, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *ids = arena_allocate_zeroed(arena, runs.count + 1u, sizeof(**ids));
    for (uint32_t i = 0; i < runs.count; i++) {
        if (all || runs.items[i].is_ours) {
            (*ids)[(*count)++] = runs.items[i].id;
        }
    }
    return STATUS_OK;
}

enum status ledger_list(struct ledger *ledger, struct arena *arena, const char ***ids,
                        uint32_t *count, struct error *error)
{
    return ledger_load_list(ledger, false, arena, ids, count, error);
}

enum status ledger_list_all(struct ledger *ledger, struct arena *arena, const char ***ids,
                            uint32_t *count, struct error *error)
{
    return ledger_load_list(ledger, true, arena, ids, count, error);
}

static bool knows(const struct ledger_runs *runs, const char *run_id)
{
    for (uint32_t i = 0; i < runs->count; i++) {
        if (strcmp(runs->items[i].id, run_id) == 0) {
            return true;
        }
    }
    return false;
}

enum status ledger_exists(struct ledger *ledger, const char *run_id, bool *there,
                          struct error *error)
{
    struct ledger_runs runs;
    struct arena *arena = arena_create(0);
    enum status status = ledger_read_runs(ledger, arena, &runs, error);
    *there = status == STATUS_OK && knows(&runs, run_id);
    arena_destroy(arena);
    return status;
}

static enum status read_open(struct ledger *ledger, const char *run_id, struct arena *arena,
                             bool *open, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct store_value value;
    json_t *object;
    ledger_key(key, run_id, "/status");
    enum status status = ledger_get(ledger, key, arena, &value, error);
    *open = false;
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status; /* it was forgotten just now */
    }
    if (json_tree_parse(value.text, value.length, 0, key, ERROR_LEDGER_INVALID, &object, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    *open = strcmp(json_member_text(object, "phase", ""), "completed") != 0;
    json_decref(object);
    return STATUS_OK;
}

enum status ledger_is_open(struct ledger *ledger, const char *run_id, bool *open,
                           struct error *error)
{
    struct ledger_runs runs;
    struct arena *arena = arena_create(0);
    *open = false;
    enum status status = ledger_read_runs(ledger, arena, &runs, error);
    if (status == STATUS_OK && knows(&runs, run_id)) {
        status = read_open(ledger, run_id, arena, open, error);
    }
    arena_destroy(arena);
    return status;
}

/* ---- one run */

struct loader {
    struct ledger *ledger;
    struct arena *arena;
    struct ledger_run *run;
    size_t prefix_length;
    struct buffer header;
    struct ledger_sum *sum;
    uint32_t piece_count;
    uint32_t page_count;
    uint64_t chunk_capacity;
    uint64_t done_capacity;
    json_t *head;
    uint64_t wanted_chunks;
    bool led; /* `leader` is there */
};

static void *ledger_load_grow(struct arena *arena, void *items, uint64_t count, uint64_t *capacity,
                              size_t size)
{
    if (count < *capacity) {
        return items;
    }
    *capacity = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = arena_allocate_zeroed(arena, *capacity, size);
    if (count > 0) {
        memcpy(grown, items, count * size);
    }
    return grown;
}

static const char *ledger_load_keep(struct loader *loader, const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? NULL : arena_copy_string(loader->arena, text);
}

static enum status load_chunk(struct loader *loader, const json_t *object, struct error *error)
{
    struct ledger_run *run = loader->run;
    int64_t number = json_member_integer(object, "number", -1);
    int64_t stream = json_member_integer(object, "stream", -1);
    const json_t *bounds = json_object_get(object, "bounds");
    run->chunks = ledger_load_grow(loader->arena, run->chunks, run->chunk_count,
                                   &loader->chunk_capacity, sizeof(*run->chunks));
    if (number != (int64_t)run->chunk_count + 1 || stream < 0 || stream > UINT32_MAX) {
        return ledger_damaged(loader->ledger, "a chunk is missing", error);
    }
    struct ledger_chunk *chunk = &run->chunks[run->chunk_count++];
    chunk->number = (uint64_t)number;
    chunk->stream = (uint32_t)stream;
    chunk->span.row_estimate = json_member_integer(object, "rows", -1);
    chunk->span.printable = ledger_load_keep(loader, object, "text");
    chunk->span.last_id = ledger_load_keep(loader, object, "last");
    if (bounds != NULL) {
        const char *text = json_string_value(bounds);
        uint8_t *bytes;
        size_t length;
        if (text == NULL || json_decode_base64(text, strlen(text), loader->arena, &bytes, &length,
                                               error) != STATUS_OK) {
            return ledger_damaged(loader->ledger, "a chunk's bounds are no base64", error);
        }
        chunk->span.bounds = bytes;
        chunk->span.bounds_length = (uint32_t)length;
    }
    return STATUS_OK;
}

static enum status load_page(struct loader *loader, const char *key,
                             const struct store_value *value, struct error *error)
{
    json_t *page;
    size_t at;
    const json_t *chunk;
    if (ledger_parse(loader->ledger, key, value->text, value->length, &page, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    const json_t *chunks = json_object_get(page, "chunks");
    json_array_foreach(chunks, at, chunk)
    {
        status = status == STATUS_OK ? load_chunk(loader, chunk, error) : status;
    }
    loader->page_count++;
    json_decref(page);
    return status;
}

static enum status load_mark(struct loader *loader, const char *digits,
                             const struct store_value *value, struct error *error)
{
    struct ledger_run *run = loader->run;
    uint64_t chunk;
    if (text_to_uint64(digits, strlen(digits), &chunk) != STATUS_OK || chunk == 0) {
        return ledger_damaged(loader->ledger, "a done mark has no number", error);
    }
    run->done = ledger_load_grow(loader->arena, run->done, run->done_count, &loader->done_capacity,
                                 sizeof(*run->done));
    run->done[run->done_count++] = (struct done_mark){
        .chunk = chunk, .text = arena_copy(loader->arena, value->text, value->length)};
    return STATUS_OK;
}

static enum status load_leader(struct loader *loader, const char *key,
                               const struct store_value *value, struct error *error)
{
    json_t *object;
    if (ledger_parse(loader->ledger, key, value->text, value->length, &object, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    int64_t epoch = json_member_integer(object, "epoch", -1);
    json_decref(object);
    loader->led = true;
    loader->run->epoch = (uint64_t)epoch;
    return epoch < 0 ? ledger_damaged(loader->ledger, key, error) : STATUS_OK;
}

/* Keys come in their order: chunks/, done/, head, header/, leader, status. So the checksum is over
 * the pages first. */
static enum status visit_part(void *context, const char *key, const struct store_value *value,
                              struct error *error)
{
    struct loader *loader = context;
    const char *part = key + loader->prefix_length;
    if (strncmp(part, "chunks/", 7) == 0) {
        ledger_sum_add(loader->sum, value->text, value->length);
        return load_page(loader, key, value, error);
    }
    if (strncmp(part, "done/", 5) == 0) {
        return load_mark(loader, part + 5, value, error);
    }
    if (strncmp(part, "header/", 7) == 0) {
        loader->piece_count++;
        ledger_sum_add(loader->sum, value->text, value->length);
        buffer_append(&loader->header, value->text, value->length);
    } else if (strcmp(part, "head") == 0) {
        return ledger_parse(loader->ledger, key, value->text, value->length, &loader->head, error);
    } else if (strcmp(part, "leader") == 0) {
        return load_leader(loader, key, value, error);
    } else if (strcmp(part, "status") == 0) {
        loader->run->status = arena_copy(loader->arena, value->text, value->length);
    }
    return STATUS_OK;
}

static enum status check_run(struct loader *loader, const char *hex, struct error *error)
{
    const struct ledger_run *run = loader->run;
    if (loader->head == NULL || run->status == NULL || !loader->led) {
        return ledger_damaged(loader->ledger, "parts of a run are missing", error);
    }
    if (json_member_integer(loader->head, "pieces", -1) != (int64_t)loader->piece_count ||
        json_member_integer(loader->head, "pages", -1) != (int64_t)loader->page_count ||
        json_member_integer(loader->head, "chunks", -1) != (int64_t)run->chunk_count) {
        return ledger_damaged(loader->ledger, "chunks are missing", error);
    }
    for (uint64_t i = 0; i < run->done_count; i++) {
        if (run->done[i].chunk > run->chunk_count) {
            return ledger_damaged(loader->ledger, "there is a done mark of a chunk that never was",
                                  error);
        }
    }
    if (strcmp(hex, json_member_text(loader->head, "xxh3", "")) != 0) {
        return ledger_damaged(loader->ledger,
                              "the header or a chunk was changed after it was written", error);
    }
    return STATUS_OK;
}

static enum status load_run(struct ledger *ledger, const char *run_id, struct arena *arena,
                            struct ledger_run **run, struct error *error)
{
    char prefix[STORE_KEY_BYTES];
    char hex[33];
    struct loader loader = {
        .ledger = ledger, .arena = arena, .run = arena_allocate_zeroed(arena, 1, sizeof(**run))};
    loader.run->id = arena_copy_string(arena, run_id);
    ledger_key(prefix, run_id, "/");
    loader.prefix_length = strlen(prefix);
    loader.sum = ledger_sum_begin();
    enum status status = ledger->functions->scan(ledger->store, prefix, visit_part, &loader, error);
    ledger_sum_end(loader.sum, hex);
    if (status == STATUS_OK) {
        loader.run->header = arena_copy(arena, buffer_string(&loader.header), loader.header.length);
        status = check_run(&loader, hex, error);
    }
    *run = status == STATUS_OK ? loader.run : NULL;
    json_decref(loader.head);
    buffer_free(&loader.header);
    return status;
}

/* The newest of the target's runs that is not finished, else the newest. STATUS_END: none. */
static enum status ledger_load_choose(struct ledger *ledger, const struct ledger_runs *runs,
                                      struct arena *arena, const char **run_id, struct error *error)
{
    bool open = false;
    enum status status = STATUS_OK;
    *run_id = NULL;
    for (uint32_t i = runs->count; i > 0 && !open && status == STATUS_OK; i--) {
        if (!runs->items[i - 1].is_ours) {
            continue;
        }
        status = read_open(ledger, runs->items[i - 1].id, arena, &open, error);
        if (open || *run_id == NULL) {
            *run_id = runs->items[i - 1].id;
        }
    }
    return status == STATUS_OK && *run_id == NULL ? STATUS_END : status;
}

enum status ledger_load(struct ledger *ledger, const char *run_id, struct arena *arena,
                        struct ledger_run **run, struct error *error)
{
    struct ledger_runs runs;
    *run = NULL;
    enum status status = ledger_read_runs(ledger, arena, &runs, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (runs.count == 0 || (run_id != NULL && !knows(&runs, run_id))) {
        return STATUS_END;
    }
    if (run_id == NULL) {
        status = ledger_load_choose(ledger, &runs, arena, &run_id, error);
    }
    return status == STATUS_OK ? load_run(ledger, run_id, arena, run, error) : status;
}
