/* The engine's questions about streams before reading them: facts, requests, chunk sizes, lanes. */
#include "base/file.h"
#include "base/memory.h"
#include "base/signals.h"
#include "engine/copy/copy.h"
#include "engine/session/home.h"
#include "engine/session/opening.h"
#include "engine/session/options.h"
#include "engine/session/session.h"
#include "plan/mapping.h"

#include <string.h>
#include <sys/stat.h>

enum {
    CHUNK_BYTES = 24 << 20, /* about: commits are rare enough, and little is lost by a crash */
    CHUNK_ROWS_MIN = 2048,
    CHUNK_ROWS_MAX = 131072,
    CHUNK_ROWS_UNKNOWN = 65536,
    CHUNKS_A_READER = 4 /* so that all readers end at about the same time */
};

/* A table that the target pulls itself goes in one piece up to this size: whole tables are pulled
 * much faster than ranges of them, and a crash costs no more than seconds. */
static const int64_t PULLED_WHOLE_BYTES = (int64_t)4 << 30;

int64_t session_patience_ms(const struct run_session *session)
{
    return RETRY_PATIENCE_TIMEOUTS * session->options.limits.timeout_ms;
}

void session_retry_begin(struct run_session *session, struct retry *retry)
{
    retry_init(retry, session_patience_ms(session));
    retry->counter = &session->progress.retries;
    retry->waiting_until_ms = &session->progress.control_waiting_until_ms;
}

bool session_tries_again(struct retry *retry, enum status *status, struct error *error)
{
    retry->stop_level = 1;
    if (*status != STATUS_FAILED || error->class != ERROR_CLASS_RETRY) {
        return false;
    }
    if (retry_wait(retry, error)) {
        return true;
    }
    *status = signals_stop_level() > 0 ? STATUS_END : STATUS_FAILED;
    return false;
}

static uint32_t smaller(uint32_t jobs, uint32_t limit)
{
    return limit != 0 && limit < jobs ? limit : jobs;
}

uint32_t session_reader_count(const struct run_session *session)
{
    return smaller(session->options.limits.jobs, session->source->limits.readers_max);
}

uint32_t session_writer_count(const struct run_session *session)
{
    if ((session->target->capabilities & CAPABILITY_ORDERED_WRITE) != 0) {
        return 1;
    }
    return smaller(session->options.limits.jobs, session->target->limits.writers_max);
}

uint32_t session_hands(const struct run_session *session)
{
    uint32_t open_max = session->target->limits.chunks_open_max;
    return session_reader_count(session) * WORKS_A_READER +
           session_writer_count(session) * (open_max == 0 ? 1 : open_max);
}

/* The target would not say which keys it pulls, nor leave columns NULL. */
static bool looks_at_records(const struct run_session *session, const struct plan_stream *stream)
{
    const struct plan *plan = session->plan;
    if (stream->entity_count == 0) {
        return false;
    }
    const struct target_table *table =
        &plan->tables[plan->entities[stream->entities[0]].table].target;
    return table->keeps_undo || table->later_count > 0;
}

bool session_is_express(const struct run_session *session, const struct plan_stream *stream)
{
    const struct express_functions *express = session->target->connector->express;
    const struct run_options *options = &session->options;
    bool capped = options->limits.rows_per_second_max > 0 ||
                  options->limits.bytes_per_second_max > 0 || options_give_way(options);
    return stream->express && !options->making.no_express && options->selection.sample_rows == 0 &&
           !capped && !home_repeats_chunks(session) && !looks_at_records(session, stream) &&
           express != NULL && express->accepts(session->target, session->source);
}

bool session_makes_one_each(const struct plan_entity *entity)
{
    const struct mapping *mapping = entity->mapping;
    bool all =
        mapping == NULL || (mapping->where == MAPPING_NONE && mapping->when == MAPPING_NONE &&
                            mapping->match_count == 0 && mapping->same_count == 0 &&
                            mapping->unnest == NULL && !mapping->distinct);
    return all && !entity->is_pages;
}

enum status session_describe_streams(struct run_session *session, struct error *error)
{
    const struct plan *plan = session->plan;
    if (session->facts != NULL) {
        return STATUS_OK;
    }
    struct stream_facts *facts =
        arena_allocate_zeroed(session->arena, plan->stream_count, sizeof(*facts));
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        const struct plan_stream *stream = &plan->streams[i];
        if (stream->request.table != NULL &&
            column_list_holds(session->kept.gone, stream->request.table)) {
            facts[i].row_count = -1;
            continue;
        }
        if (session->source->connector->source->describe_stream(
                session->source, &stream->request, session->arena, &facts[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        for (uint32_t j = 0; j < stream->entity_count; j++) {
            uint32_t number = stream->entities[j];
            bool each = session_makes_one_each(&plan->entities[number]);
            session->progress.entities[number].total = each ? facts[i].row_count : -1;
            session->progress.entities[number].rows = facts[i].row_count;
        }
    }
    session->facts = facts;
    return STATUS_OK;
}

uint32_t session_request_count(const struct run_session *session)
{
    const struct plan *plan = session->plan;
    uint32_t count = plan->stream_count;
    for (uint32_t i = 0; session->joining == NULL && i < plan->stream_count; i++) {
        count += plan->streams[i].child_count;
    }
    return count;
}

void session_list_requests(const struct run_session *session, const struct read_request **requests)
{
    const struct plan *plan = session->plan;
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        const struct plan_stream *stream = &plan->streams[i];
        requests[count++] = &stream->request;
        for (uint32_t j = 0; session->joining == NULL && j < stream->child_count; j++) {
            requests[count++] = &stream->children[j].request;
        }
    }
}

/* Before the snapshot: what it shows could be taken away before it is read. */
static enum status hold_source(const struct run_session *session, struct error *error)
{
    const struct source_functions *source = session->source->connector->source;
    uint32_t count = session_request_count(session);
    if (source->hold == NULL) {
        return STATUS_OK;
    }
    const struct read_request **requests =
        arena_allocate_zeroed(session->arena, count + 1u, sizeof(struct read_request *));
    session_list_requests(session, requests);
    return source->hold(session->source, requests, count, error);
}

static bool is_any_express(const struct run_session *session)
{
    bool any = false;
    for (uint32_t i = 0; !any && i < session->plan->stream_count; i++) {
        any = session_is_express(session, &session->plan->streams[i]);
    }
    return any;
}

/* The most that are merged: merge.h. */
static uint32_t cursors_each(const struct run_session *session)
{
    uint32_t most = 1;
    for (uint32_t i = 0; session->joining == NULL && i < session->plan->stream_count; i++) {
        uint32_t cursors = 1 + session->plan->streams[i].child_count;
        most = cursors > most ? cursors : most;
    }
    return most;
}

enum status session_snapshot(struct run_session *session, uint32_t reader_count,
                             struct error *error)
{
    if (session->snapshot != NULL) {
        return STATUS_OK;
    }
    const char *token = NULL;
    session->source->pulled = !session->options.validating && is_any_express(session);
    session->source->cursors_each = cursors_each(session);
    if (hold_source(session, error) != STATUS_OK ||
        session->source->connector->source->snapshot(session->source, reader_count, session->arena,
                                                     &token, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    session->snapshot = token == NULL ? "" : token;
    return session_ask_values(session, error);
}

bool session_is_at(const struct run_session *session, const char *snapshot)
{
    return (session->source->capabilities & CAPABILITY_PROVES_UNCHANGED) != 0 && snapshot != NULL &&
           snapshot[0] != '\0' && strcmp(snapshot, session->snapshot) == 0;
}

enum status session_ask_values(struct run_session *session, struct error *error)
{
    const struct catalog_functions *catalog = session->source->connector->catalog;
    const struct schema *objects = session->plan->same_engine_objects;
    if (session->values_asked || session->options.validating || objects == NULL ||
        objects->object_count == 0 || catalog->ask_values == NULL) {
        return STATUS_OK;
    }
    struct schema *whole = arena_allocate_zeroed(session->arena, 1, sizeof *whole);
    struct schema_object *asked =
        arena_allocate_zeroed(session->arena, objects->object_count, sizeof *asked);
    memcpy(asked, objects->objects, objects->object_count * sizeof *asked);
    if (catalog->ask_values(session->source, asked, objects->object_count, session->arena, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    *whole = *objects;
    whole->objects = asked;
    session->plan->same_engine_objects = whole;
    session->values_asked = true;
    return STATUS_OK;
}

struct name_index session_target_names(const struct run_session *session, struct arena *arena)
{
    bool folded = (session->target->capabilities & CAPABILITY_FOLDED_NAMES) != 0;
    return (struct name_index){.arena = arena, .folded = folded};
}

enum status session_describe_target(const struct run_session *session, const char *const *names,
                                    struct database **source, struct schema **schema,
                                    struct error *error)
{
    const struct connector *connector = session->target->connector;
    const struct open_options open = {.mode = OPEN_SOURCE,
                                      .uri = session->target_uri,
                                      .memory_bytes = 8 << 20,
                                      .timeout_ms = session->options.limits.timeout_ms,
                                      .catalog_tables = names,
                                      .mirrors = true};
    *source = NULL;
    return connector->open(&open, source, error) == STATUS_OK &&
                   opening_use_schemas(*source, session->target->scope.others, true, error) ==
                       STATUS_OK
               ? connector->catalog->describe(*source, schema, error)
               : STATUS_FAILED;
}

const struct schema_table *session_target_table(const struct run_session *session,
                                                const struct schema *schema, const char *name)
{
    const struct schema_table *found = schema_find_table(schema, name);
    bool folded = (session->target->capabilities & CAPABILITY_FOLDED_NAMES) != 0;
    for (uint32_t i = 0; found == NULL && folded && i < schema->table_count; i++) {
        found = strcasecmp(schema->tables[i].name, name) == 0 ? &schema->tables[i] : NULL;
    }
    return found != NULL && found->kind == SCHEMA_TABLE ? found : NULL;
}

static uint64_t rows_of_chunk(int64_t table_bytes, int64_t row_count)
{
    return CHUNK_BYTES / ((uint64_t)(table_bytes / row_count) + 1);
}

/* The rows that the target commits at once, whatever would be quicker to read. */
static uint64_t within_limits(const struct run_session *session, const struct schema_table *table,
                              int64_t row_count, uint64_t rows)
{
    const struct connector_limits *limits = &session->target->limits;
    if (limits->chunk_bytes_max > 0 && table != NULL && table->size_bytes > 0 && row_count > 0) {
        uint64_t row_bytes = (uint64_t)(table->size_bytes / row_count) + 1;
        uint64_t fit = limits->chunk_bytes_max / row_bytes + 1;
        rows = rows < fit ? rows : fit;
    }
    return limits->chunk_rows_max > 0 && rows > limits->chunk_rows_max ? limits->chunk_rows_max
                                                                       : rows;
}

uint64_t session_chunk_rows(const struct run_session *session, const struct plan_stream *stream)
{
    if (session->options.limits.chunk_rows != 0) {
        return within_limits(session, NULL, 0, session->options.limits.chunk_rows);
    }
    int64_t bytes_max = session->facts[stream->number].bytes_max;
    bool whole = session_is_express(session, stream) && !session->target->limits.pulls_in_pieces;
    if (whole && bytes_max > 0 && bytes_max <= PULLED_WHOLE_BYTES) {
        return UINT64_MAX;
    }
    int64_t row_count = session->facts[stream->number].row_count;
    uint64_t rows = CHUNK_ROWS_UNKNOWN;
    const struct schema_table *table =
        stream->request.table == NULL
            ? NULL
            : schema_find_table(session->plan->source_schema, stream->request.table);
    if (table != NULL && table->size_bytes > 0 && row_count > 0) {
        rows = rows_of_chunk(table->size_bytes, row_count);
    } else if (bytes_max > 0 && row_count > 0) {
        uint64_t rows_at_least = rows_of_chunk(bytes_max, row_count);
        rows = rows > rows_at_least ? rows : rows_at_least;
    }
    if (row_count > 0) {
        uint64_t share = (uint64_t)row_count / (CHUNKS_A_READER * session_reader_count(session));
        rows = rows < share ? rows : share;
    }
    rows = rows < CHUNK_ROWS_MIN ? CHUNK_ROWS_MIN : rows > CHUNK_ROWS_MAX ? CHUNK_ROWS_MAX : rows;
    return within_limits(session, table, row_count, rows);
}

enum status session_sample_reader(struct run_session *session, struct reader **reader,
                                  struct error *error)
{
    *reader = NULL;
    if (session_snapshot(session, 1, error) != STATUS_OK ||
        (session->sample_reader == NULL &&
         session_reader_open(session, &session->sample_reader, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    *reader = session->sample_reader;
    return STATUS_OK;
}

const char *session_make_spill_folder(const struct state_folder *folder, const char *path)
{
    struct error ignored; /* a run will say it when it makes its own folders; check needs none */
    struct stat facts;
    bool is_link = lstat(folder->path, &facts) == 0 && S_ISLNK(facts.st_mode);
    return !is_link && file_make_folder(path, &ignored) == STATUS_OK ? path : NULL;
}

enum status session_reader_open(struct run_session *session, struct reader **reader,
                                struct error *error)
{
    if (session->spare_reader_count > 0) {
        *reader = session->spare_readers[--session->spare_reader_count];
        return STATUS_OK;
    }
    return session->source->connector->source->reader_open(session->source, reader, error);
}

void session_reader_keep(struct run_session *session, struct reader *reader)
{
    session->spare_readers = memory_resize(session->spare_readers, session->spare_reader_count + 1u,
                                           sizeof(struct reader *));
    session->spare_readers[session->spare_reader_count++] = reader;
}
