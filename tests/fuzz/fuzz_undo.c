/*
 * What a state folder keeps of records that a run overwrites and takes out, against a target in
 * memory. The first byte is how records are written; the archive is what happens, in its order:
 *
 *   === stored    records that are there before the run, one typed JSON object a line; "k" is the
 * key
 *   === write     a batch: their images are kept, then they are written
 *   === delete    delete.jsonl: checked, images kept, and taken out
 *   === frame     lines of before-images, as they may stand there: their frame is made right here
 *   === file      a file of frames, byte for byte
 *
 * Undone, all is as it was, unless frames came from elsewhere.
 */
#include "support.h"

#include "base/file.h"
#include "engine/before/before.h"
#include "engine/formats/record_image.h"
#include "engine/formats/typed_json.h"
#include "engine/rejects/rejects.h"
#include "engine/session/session.h"
#include "engine/settle/repair_delete.h"
#include "model/json_reader.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum { RECORDS_MAX = 256, LINES_MAX = 64 };

static const char run_id[] = "20260101T000000Z-abcdef";
static const char *const key_names[] = {"k"};
static const struct target_table things = {
    .name = "things", .key = {key_names, 1}, .existing = EXISTING_REPLACE, .keeps_undo = true};

/* ---- the target */

struct record {
    struct canonical_hash key;
    struct canonical_hash hash;
    struct cell map;
};

static struct {
    struct database database;
    struct arena *arena;
    struct record records[RECORDS_MAX];
    uint32_t count;
} store;

static struct record *find(const struct canonical_hash *key)
{
    for (uint32_t at = 0; at < store.count; at++) {
        if (memcmp(&store.records[at].key, key, sizeof *key) == 0) {
            return &store.records[at];
        }
    }
    return NULL;
}

static struct canonical_hash hash_of_key(const struct cell *key)
{
    struct canonical_hash hash = {0};
    struct buffer scratch = {0};
    struct error error = {0};
    FUZZ_REQUIRE(canonical_hash_cells(key, 1, &scratch, &hash, &error) == STATUS_OK);
    buffer_free(&scratch);
    return hash;
}

/* False: no key is in it, or it can't be kept. */
static bool make_record(const struct cell *map, struct record *record)
{
    struct error error = {0};
    struct record_image image;
    struct cell *key = NULL;
    struct cell cell = *map;
    struct batch batch = {.cells = &cell, .width = 1, .row_count = 1};
    bool whole = false;
    if (record_image_make(&store.database, NULL, &batch, 0, store.arena, &image, &error) !=
            STATUS_OK ||
        record_image_key(&image, &things, store.arena, &key, &record->key, &whole, &error) !=
            STATUS_OK) {
        fuzz_check_error(&error);
        return false;
    }
    record->hash = image.hash;
    record->map = cell_items(VALUE_MAP, image.pairs, image.count);
    return whole;
}

static void put(const struct record *record)
{
    struct record *found = find(&record->key);
    if (found != NULL) {
        *found = *record;
    } else if (store.count < RECORDS_MAX) {
        store.records[store.count++] = *record;
    }
}

static enum status target_fetch(struct database *self, const struct target_table *table,
                                const struct cell *keys, uint32_t key_count, struct batch **batch,
                                struct error *error)
{
    (void)self;
    (void)table;
    (void)error;
    *batch = batch_create(NULL, 1, key_count + 1);
    for (uint32_t at = 0; at < key_count; at++) {
        struct canonical_hash key = hash_of_key(&keys[at]);
        const struct record *found = find(&key);
        if (found != NULL) {
            FUZZ_REQUIRE(value_copy(&found->map, (*batch)->arena, batch_append(*batch)) ==
                         STATUS_OK);
        }
    }
    return STATUS_OK;
}

static enum status target_delete(struct database *self, const struct target_table *table,
                                 const struct cell *keys, uint32_t key_count, uint64_t *deleted,
                                 struct error *error)
{
    (void)self;
    (void)table;
    (void)error;
    *deleted = 0;
    for (uint32_t at = 0; at < key_count; at++) {
        struct canonical_hash key = hash_of_key(&keys[at]);
        struct record *found = find(&key);
        if (found != NULL) {
            *found = store.records[--store.count];
            ++*deleted;
        }
    }
    return STATUS_OK;
}

static enum status target_restore(struct database *self, const struct target_table *table,
                                  const struct batch *batch, uint32_t row, struct error *error)
{
    struct record record;
    (void)self;
    (void)table;
    (void)error;
    if (make_record(batch_row(batch, row), &record)) {
        put(&record);
    }
    return STATUS_OK;
}

static enum status target_normal_form(struct database *self, const struct cell *cell,
                                      struct arena *arena, struct cell *normal, struct error *error)
{
    (void)self;
    return value_copy(cell, arena, normal) == STATUS_OK
               ? STATUS_OK
               : error_set(error, ERROR_MEMORY, NULL, "no memory for a value");
}

static const struct target_functions target_functions = {.fetch = target_fetch,
                                                         .delete_records = target_delete,
                                                         .restore = target_restore,
                                                         .normal_form = target_normal_form};
static const struct rollback_functions rollback_functions;
static const struct connector connector = {
    .name = "memory", .target = &target_functions, .rollback = &rollback_functions};

/* ---- records as lines */

static bool has_name_twice(const struct cell *map)
{
    for (uint32_t i = 0; i < map->length; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (value_equal(&map->items[2 * (size_t)i], &map->items[2 * (size_t)j])) {
                return true;
            }
        }
    }
    return false;
}

static uint32_t read_records(struct text lines, struct record records[LINES_MAX])
{
    uint32_t count = 0;
    while (lines.length > 0 && count < LINES_MAX) {
        struct text line = fuzz_line(&lines);
        const char *copy = arena_copy(store.arena, line.data, line.length);
        struct json_reader reader;
        enum json_token token;
        struct error error = {0};
        struct cell map;
        json_reader_init(&reader, copy, line.length, JSON_DEPTH_MAX, store.arena);
        if (json_reader_next(&reader, &token, &error) == STATUS_OK &&
            token == JSON_TOKEN_OBJECT_BEGIN &&
            typed_json_read_fields(&reader, token, store.arena, &map, &error) == STATUS_OK &&
            !has_name_twice(&map) && make_record(&map, &records[count])) {
            count++;
        }
    }
    return count;
}

/* ---- the run */

struct scene {
    struct run_session session;
    struct run run;
    struct target_table table;
    struct before *before;
    uint8_t done[1];                   /* of its chunks */
    struct record stored[RECORDS_MAX]; /* before the run */
    uint32_t stored_count;
    bool begun;
    bool foreign; /* others wrote frames or records meanwhile */
};

/* What an upsert leaves is known of one record a key. */
static uint32_t first_of_each_key(struct record *records, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t at = 0; at < count; at++) {
        bool first = true;
        for (uint32_t i = 0; i < kept; i++) {
            first = first && memcmp(&records[i].key, &records[at].key, sizeof records[i].key) != 0;
        }
        if (first) {
            records[kept++] = records[at];
        }
    }
    return kept;
}

static void write_record(const struct scene *scene, const struct record *record)
{
    const struct record *found = find(&record->key);
    struct record_image under;
    struct record_image over;
    struct record merged = *record;
    struct error error = {0};
    if (found != NULL && scene->table.existing == EXISTING_SKIP) {
        return;
    }
    if (found != NULL && scene->table.existing == EXISTING_UPSERT) {
        struct cell cells[] = {found->map, record->map};
        struct batch batch = {.cells = cells, .width = 1, .row_count = 2};
        struct record_image image;
        FUZZ_REQUIRE(record_image_make(&store.database, NULL, &batch, 0, store.arena, &under,
                                       &error) == STATUS_OK);
        FUZZ_REQUIRE(record_image_make(&store.database, NULL, &batch, 1, store.arena, &over,
                                       &error) == STATUS_OK);
        FUZZ_REQUIRE(record_image_merge(&under, &over, store.arena, &image, &error) == STATUS_OK);
        struct cell map = cell_items(VALUE_MAP, image.pairs, image.count);
        FUZZ_REQUIRE(make_record(&map, &merged));
    }
    put(&merged);
}

static void write_batch(struct scene *scene, struct text lines)
{
    struct record records[LINES_MAX];
    struct error error = {0};
    uint32_t count = first_of_each_key(records, read_records(lines, records));
    if (count == 0 || store.count + count > RECORDS_MAX) {
        return;
    }
    struct batch *batch = batch_create(NULL, 1, count);
    for (uint32_t at = 0; at < count; at++) {
        *batch_append(batch) = records[at].map;
    }
    FUZZ_REQUIRE(before_keep(&scene->before, &scene->run, 0, 1, 0, batch, &error) == STATUS_OK);
    for (uint32_t at = 0; at < count; at++) {
        write_record(scene, &records[at]);
    }
    batch_destroy(batch);
}

static void take_out(struct scene *scene, struct text lines)
{
    struct error error = {0};
    fuzz_write("delete.jsonl", strlen("delete.jsonl"), lines.data, lines.length);
    if (repair_delete_bind(&scene->run, &error) != STATUS_OK ||
        repair_delete_listed(&scene->run, &error) != STATUS_OK) {
        fuzz_check_error(&error);
    }
}

static void write_frame(struct scene *scene, struct text lines)
{
    char hex[33];
    char name[60];
    struct buffer out = {0};
    uint64_t sequence = atomic_fetch_add(&scene->run.before_sequence, 1);
    XXH128_hash_t hash = XXH3_128bits(lines.data, lines.length);
    text_from_hash(hash.high64, hash.low64, hex);
    buffer_format(&out,
                  "{\"format\":1,\"sequence\":%" PRIu64
                  ",\"table\":\"things\",\"chunk\":1,\"count\":1,\"bytes\":%zu,\"xxh3\":\"%s\"}\n",
                  sequence, lines.length, hex);
    buffer_append(&out, lines.data, lines.length);
    int length = snprintf(name, sizeof name, "before/0000000001-%04" PRIu64 ".jsonl",
                          sequence % 1000 + 1000);
    fuzz_write(name, (size_t)length, out.data, out.length);
    buffer_free(&out);
    scene->foreign = true;
}

static void remember(struct scene *scene)
{
    scene->begun = true;
    scene->stored_count = store.count;
    memcpy(scene->stored, store.records, sizeof scene->stored);
}

static void happen(struct scene *scene, const struct fuzz_part *part)
{
    static const char *const names[] = {"stored", "write", "delete", "frame", "file"};
    struct record records[LINES_MAX];
    uint32_t kind = 0;
    while (kind < 5 && (strlen(names[kind]) != part->name.length ||
                        memcmp(names[kind], part->name.data, part->name.length) != 0)) {
        kind++;
    }
    if (kind > 0 && !scene->begun) {
        remember(scene);
    }
    switch (kind) {
    case 0:
        for (uint32_t at = 0, count = read_records(part->bytes, records); at < count; at++) {
            put(&records[at]);
        }
        scene->foreign = scene->foreign || scene->begun;
        break;
    case 1:
        write_batch(scene, part->bytes);
        break;
    case 2:
        take_out(scene, part->bytes);
        break;
    case 3:
        write_frame(scene, part->bytes);
        break;
    case 4:
        fuzz_write("before/0000000001-2000.jsonl", strlen("before/0000000001-2000.jsonl"),
                   part->bytes.data, part->bytes.length);
        scene->foreign = true;
        break;
    default:
        break;
    }
}

/* ---- and back */

static void require_stored(const struct scene *scene)
{
    FUZZ_REQUIRE(store.count == scene->stored_count);
    for (uint32_t at = 0; at < store.count; at++) {
        const struct record *stored = &scene->stored[at];
        const struct record *found = find(&stored->key);
        FUZZ_REQUIRE(found != NULL);
        FUZZ_REQUIRE(memcmp(&found->hash, &stored->hash, sizeof found->hash) == 0);
    }
}

static void undo(struct scene *scene)
{
    struct error error = {0};
    struct undo_counts counts[2] = {0};
    bool undone = true;
    for (int round = 0; round < 3 && undone; round++) {
        undone = before_undo(&scene->run, 0, round == 0, &counts[round > 0], &error) == STATUS_OK;
        FUZZ_REQUIRE(undone || scene->foreign);
        if (!undone) {
            fuzz_check_error(&error);
        } else if (round > 0 && !scene->foreign) {
            require_stored(scene); /* once more changes nothing */
        }
        if (round == 1 && !scene->foreign) {
            FUZZ_REQUIRE(counts[0].removed == counts[1].removed);
            FUZZ_REQUIRE(counts[0].restored == counts[1].restored);
            FUZZ_REQUIRE(counts[1].changed == 0 && counts[1].missing == 0);
        }
    }
}

static void begin(struct scene *scene, uint8_t choice)
{
    static const enum existing_policy policies[] = {EXISTING_REPLACE, EXISTING_UPSERT,
                                                    EXISTING_SKIP};
    struct error error = {0};
    struct run *run = &scene->run;
    fuzz_empty_folder();
    store.database.connector = &connector;
    store.arena = arena_create(0);
    store.count = 0;
    scene->table = things;
    scene->done[0] = 1;
    scene->table.existing = policies[choice % 3];
    scene->session = (struct run_session){.target = &store.database, .arena = store.arena};
    *run = (struct run){.session = &scene->session,
                        .arena = store.arena,
                        .tables = &scene->table,
                        .table_count = 1,
                        .chunks.count = 1,
                        .chunks.done = scene->done,
                        .claim.epoch = 1,
                        .header.before_id = run_id};
    memcpy(run->id, run_id, sizeof run_id);
    FUZZ_REQUIRE(state_folder_name(&run->folder, fuzz_folder(), store.arena, &error) == STATUS_OK);
    FUZZ_REQUIRE(before_begin(run, &error) == STATUS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text archive = {(const char *)data, size};
    struct fuzz_part part = {0};
    static struct scene scene;
    if (size == 0) {
        return 0;
    }
    scene = (struct scene){0};
    begin(&scene, data[0]);
    while (fuzz_next_part(&archive, &part)) {
        happen(&scene, &part);
    }
    before_close(scene.before);
    if (!scene.begun) {
        remember(&scene);
    }
    undo(&scene);
    arena_destroy(store.arena);
    return 0;
}
