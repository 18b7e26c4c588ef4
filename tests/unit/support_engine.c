/* The in-memory databases that the engine's tests run against. */
#include "support_engine_internal.h"

#include "engine/ledger/ledger_memory.h"
#include "engine/session/options.h"
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fake_is_multiple(int64_t id, int64_t every)
{
    return every > 0 && id % every == 0;
}

uint32_t fake_table_of(const struct read_request *request)
{
    return strcmp(request->table, "first") == 0 ? 0 : 1;
}

bool fake_strikes(_Atomic int64_t *counter)
{
    int64_t now = atomic_load(counter);
    while (now > 0 && !atomic_compare_exchange_weak(counter, &now, now - 1)) {
    }
    return now == 1;
}

enum status fake_passing(struct error *error, const char *what)
{
    error_set(error, ERROR_TARGET_THROTTLED, "fake", "%s", what);
    error->retry_after_ms = 1;
    return STATUS_FAILED;
}

static void fake_close(struct database *database)
{
    free(database);
}

static enum status source_identity(struct database *self, struct arena *arena,
                                   const char **identity, struct error *error)
{
    (void)self;
    (void)error;
    *identity = arena_copy_string(arena, "fake source");
    return STATUS_OK;
}

static enum status target_identity(struct database *self, struct arena *arena,
                                   const char **identity, struct error *error)
{
    (void)self;
    (void)error;
    *identity = arena_copy_string(arena, "fake target");
    return STATUS_OK;
}

static const struct connector fake_source = {.contract_version = CONNECTOR_CONTRACT_VERSION,
                                             .name = "fake-source",
                                             .close = fake_close,
                                             .identity = source_identity,
                                             .source = &fake_source_functions};
static const struct connector fake_target = {.contract_version = CONNECTOR_CONTRACT_VERSION,
                                             .name = "fake-target",
                                             .close = fake_close,
                                             .identity = target_identity,
                                             .target = &fake_target_functions,
                                             .express = &fake_express_functions,
                                             .lock = &fake_lock_functions};

struct fake_store *fake_store_create(int64_t rows_first, int64_t rows_second)
{
    struct fake_store *store = calloc(1, sizeof(*store));
    assert_non_null(store);
    pthread_mutex_init(&store->mutex, NULL);
    store->rows[0] = rows_first;
    store->rows[1] = rows_second;
    store->token = "moment 1";
    store->moods.transactional = true;
    store->moods.keyed = true;
    store->moods.readers = 3;
    store->moods.writers = 1;
    store->moods.chunks_open = 1;
    fake_ledger_make(store);
    store->connector = fake_target;
    store->connector.store = &store->functions;
    return store;
}

void fake_store_destroy(struct fake_store *store)
{
    memory_store_destroy(store->ledger);
    free(store->late_mark);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

static struct database *make_database(struct fake_store *store, bool is_target)
{
    struct fake_database *made = calloc(1, sizeof(*made));
    const struct fake_moods *moods = &store->moods;
    assert_non_null(made);
    made->store = store;
    made->head.connector = is_target ? &store->connector : &fake_source;
    made->head.limits = (struct connector_limits){.readers_max = moods->readers,
                                                  .writers_max = moods->writers,
                                                  .chunks_open_max = moods->chunks_open,
                                                  .batch_rows_max = moods->batch_rows_max};
    made->head.capabilities =
        is_target ? CAPABILITY_KEY_ENFORCED | CAPABILITY_COUNTS_EXACT |
                        (moods->transactional ? CAPABILITY_TRANSACTIONS : 0u) |
                        (moods->asynchronous > 0 ? CAPABILITY_ASYNCHRONOUS : 0u) |
                        (moods->ordered ? CAPABILITY_ORDERED_WRITE : 0u)
        : moods->no_snapshot ? 0
                             : CAPABILITY_SNAPSHOT | CAPABILITY_PROVES_UNCHANGED;
    return &made->head;
}

struct database *fake_target_open(struct fake_store *store)
{
    return make_database(store, true);
}

static const char *const names[FAKE_TABLES] = {"first", "second"};
static const char *const key_names[] = {"id"};
static const uint32_t key_columns[] = {0};
static const struct shape_field fields[] = {{"id", 2, {.kind = VALUE_INT64}},
                                            {"name", 4, {.kind = VALUE_TEXT}}};
static const struct shape shape = {.name = "fake",
                                   .fields = fields,
                                   .field_count = 2,
                                   .key_fields = key_columns,
                                   .key_field_count = 1};
static const uint32_t numbers[FAKE_TABLES] = {0, 1};

static const struct read_column columns[] = {{-1, "id", false}, {-1, "name", false}};

static struct plan *make_plan(void)
{
    struct arena *arena = arena_create(0);
    struct plan *plan = arena_allocate_zeroed(arena, 1, sizeof(*plan));
    struct plan_entity *entities =
        arena_allocate_zeroed(arena, FAKE_TABLES, sizeof(struct plan_entity));
    plan->arena = arena;
    plan->tables = arena_allocate_zeroed(arena, FAKE_TABLES, sizeof(*plan->tables));
    struct plan_stream *streams =
        arena_allocate_zeroed(arena, FAKE_TABLES, sizeof(struct plan_stream));
    plan->streams = streams;
    plan->entities = entities;
    plan->table_count = plan->stream_count = plan->entity_count = FAKE_TABLES;
    for (uint32_t i = 0; i < FAKE_TABLES; i++) {
        entities[i] = (struct plan_entity){.number = i,
                                           .name = names[i],
                                           .table = i,
                                           .stream = i,
                                           .shape = &shape,
                                           .from_text = names[i]};
        plan->tables[i] = (struct plan_table){.target = {.name = names[i],
                                                         .key = {.names = key_names, .count = 1},
                                                         .existing = EXISTING_REFUSE},
                                              .entities = &numbers[i],
                                              .entity_count = 1,
                                              .keys_proven = true,
                                              .keys_reason = "a number each"};
        streams[i] = (struct plan_stream){.number = i,
                                          .name = names[i],
                                          .request = {.name = names[i],
                                                      .table = names[i],
                                                      .columns = columns,
                                                      .column_count = 2,
                                                      .root_key = {.names = key_names, .count = 1}},
                                          .key_columns = key_columns,
                                          .key_names = key_names,
                                          .key_count = 1,
                                          .entities = &numbers[i],
                                          .entity_count = 1,
                                          .identity = true,
                                          .express = true};
    }
    plan->mapping_text = "all of it";
    snprintf(plan->mapping_hash, sizeof(plan->mapping_hash), "%032d", 7);
    return plan;
}

static struct uri *make_uri(struct arena *arena, const char *text)
{
    struct uri *uri = arena_allocate_zeroed(arena, 1, sizeof(*uri));
    uri->text = uri->shown = text;
    return uri;
}

struct run_options fake_options(void)
{
    struct run_options options;
    run_options_default(&options);
    options.limits.jobs = 4;
    options.limits.chunk_rows = 50;
    options.limits.batch_rows = 9;
    options.limits.timeout_ms = 2000;
    options.progress = PROGRESS_NONE;
    return options;
}

struct run_session *fake_session(struct fake_store *store, const char *state_folder,
                                 const struct run_options *options)
{
    struct error error;
    struct run_session *session = calloc(1, sizeof(*session));
    assert_non_null(session);
    session->options = *options;
    assert_int_equal(options_resolve(&session->options, NULL, &error), STATUS_OK);
    session->arena = arena_create(0);
    session->state_path = arena_copy_string(session->arena, state_folder);
    session->source_uri = make_uri(session->arena, "fake:source");
    session->target_uri = make_uri(session->arena, "fake:target");
    session->source = make_database(store, false);
    session->target = make_database(store, true);
    if (ledger_open(session->target, session->target, &session->ledger, &error) != STATUS_OK) {
        fail_msg("%s", error.message);
    }
    session->source_identity = "fake source";
    session->target_identity = "fake target";
    session->schema_text = "table first\ntable second\n";
    snprintf(session->fingerprint, sizeof(session->fingerprint), "%032d", 3);
    session->plan = make_plan();
    session->schema = arena_allocate_zeroed(session->arena, 1, sizeof(*session->schema));
    struct arena *schema_arena = arena_create(0);
    session->schema->arena = schema_arena;
    session->plan->source_schema = session->schema;
    session->progress.entity_count = FAKE_TABLES;
    session->progress.entities =
        arena_allocate_zeroed(session->arena, FAKE_TABLES, sizeof(*session->progress.entities));
    session->counts = arena_allocate_zeroed(session->arena, FAKE_TABLES, sizeof(*session->counts));
    for (uint32_t i = 0; i < FAKE_TABLES; i++) {
        session->progress.entities[i].name = names[i];
        session->progress.entities[i].table = names[i];
        session->progress.entities[i].total = -1;
        session->progress.entities[i].rows = -1;
    }
    return session;
}

void assert_complete(const struct fake_store *store)
{
    for (uint32_t table = 0; table < FAKE_TABLES; table++) {
        for (int64_t id = 1; id <= store->rows[table]; id++) {
            bool wanted = !fake_is_multiple(id, store->moods.reject_every) &&
                          !fake_is_multiple(id, store->moods.skip_every);
            if (store->seen[table][id] != wanted) {
                fail_msg("table %u holds id %" PRId64 " %u times", table, id,
                         store->seen[table][id]);
            }
        }
    }
}

uint64_t count_rejects(const char *state_folder)
{
    char path[4096];
    uint64_t lines = 0;
    snprintf(path, sizeof(path), "%s/rejects", state_folder);
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[8192];
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(name, "re");
        for (int c; file != NULL && (c = getc(file)) != EOF;) {
            lines += c == '\n';
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return lines;
}
