#include "engine/session/learning_pass.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "engine/session/opening.h"
#include "engine/session/options.h"
#include <inttypes.h>

enum { SPAN_ROWS = 100000, READERS_MAX = 16, FIRST_MS = 2000, STEP_MS = 10000, NAP_MS = 100 };

struct pass {
    struct run_session *session;
    const struct source_functions *source;
    struct database *database;
    struct reader *readers[READERS_MAX];
    uint32_t reader_count;
    struct arena *arena;
    int64_t begun_ms;
    _Atomic uint64_t records; /* of all tables */
    _Atomic int64_t next_ms;  /* of the next line about it */
};

/* One table being read by all readers. */
struct reading {
    struct pass *pass;
    struct read_request request;
    const struct span *spans;
    uint32_t span_count;
    _Atomic uint32_t next;
    _Atomic bool failed;
};

struct learner {
    struct reading *reading;
    uint32_t number;
    struct learnt_table *learnt;
    enum status status;
    struct error error;
};

static enum status open_pass(struct pass *pass, struct error *error)
{
    struct run_session *session = pass->session;
    const char *token = NULL;
    uint32_t wanted = session_reader_count(session);
    const struct open_options open = {.mode = OPEN_SOURCE,
                                      .uri = session->source_uri,
                                      .memory_bytes = options_cache_bytes(&session->options),
                                      .timeout_ms = session->options.limits.timeout_ms,
                                      .read_only = session->options.validating,
                                      .no_code = session->options.making.no_code,
                                      .recovers = session->options.follow.recovers,
                                      .read_units_per_second_max =
                                          session->options.limits.read_units_per_second_max};
    if (opening_open(session->source->connector, session->source_uri, &open, session->arena,
                     &pass->database, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    wanted = wanted < READERS_MAX ? wanted : READERS_MAX;
    pass->database->jobs = wanted;
    enum status status = pass->source->snapshot(pass->database, wanted, pass->arena, &token, error);
    while (status == STATUS_OK && pass->reader_count < wanted) {
        status =
            pass->source->reader_open(pass->database, &pass->readers[pass->reader_count], error);
        pass->reader_count += status == STATUS_OK;
    }
    return status;
}

static void close_pass(struct pass *pass)
{
    while (pass->reader_count > 0) {
        pass->source->reader_close(pass->readers[--pass->reader_count]);
    }
    if (pass->database != NULL) {
        pass->database->connector->close(pass->database);
    }
}

static enum status stopped(const struct reading *reading, struct error *error)
{
    error_set(error, ERROR_INTERRUPTED, reading->request.name,
              "stopped while all records were read for their columns");
    return error_hint(error, "nothing was changed; give the same command again");
}

/* Says how far it is, and keeps the cap on rows. */
static enum status go_on(struct reading *reading, uint64_t rows, struct error *error)
{
    struct pass *pass = reading->pass;
    uint64_t cap = pass->session->options.limits.rows_per_second_max;
    uint64_t records = atomic_fetch_add(&pass->records, rows) + rows;
    int64_t now = clock_monotonic_ms();
    int64_t due = cap == 0 ? now : pass->begun_ms + (int64_t)(records * 1000 / cap);
    int64_t next = atomic_load(&pass->next_ms);
    if (now >= next && atomic_compare_exchange_strong(&pass->next_ms, &next, now + STEP_MS)) {
        log_write(LOG_INFO, "reading %s for its columns: %" PRIu64 " records so far",
                  reading->request.name, records);
    }
    while (now < due && signals_stop_level() == 0) {
        clock_sleep_ms(due - now < NAP_MS ? due - now : NAP_MS);
        now = clock_monotonic_ms();
    }
    return signals_stop_level() > 0 ? stopped(reading, error) : STATUS_OK;
}

static enum status read_span(const struct learner *learner, uint32_t span, struct error *error)
{
    struct reading *reading = learner->reading;
    const struct source_functions *source = reading->pass->source;
    const struct run_options *options = &reading->pass->session->options;
    struct cursor *cursor;
    uint64_t rows = 0;
    learnt_table_begin(learner->learnt, span);
    enum status status =
        source->cursor_open(reading->pass->readers[learner->number], &reading->request,
                            &reading->spans[span], &cursor, error);
    if (status != STATUS_OK) {
        return status;
    }
    while (status == STATUS_OK) {
        struct batch *batch;
        status = source->cursor_next(cursor, (uint32_t)options->limits.batch_rows,
                                     options->limits.batch_bytes, &batch, error);
        if (status == STATUS_OK) {
            rows += batch->row_count;
            status = learnt_table_add(learner->learnt, batch, error);
            status = status == STATUS_OK ? go_on(reading, batch->row_count, error) : status;
            batch_destroy(batch);
        }
    }
    source->cursor_close(cursor);
    if (status == STATUS_END) {
        learnt_table_count(learner->learnt, rows);
        return STATUS_OK;
    }
    return status;
}

/* Connection trouble is tried again, as in a copy. */
static enum status read_span_for_sure(const struct learner *learner, uint32_t span,
                                      struct error *error)
{
    struct retry retry;
    retry_init(&retry, session_patience_ms(learner->reading->pass->session));
    retry.stop_level = 1;
    retry.cancelled = &learner->reading->failed;
    enum status status;
    do {
        error_clear(error);
        status = read_span(learner, span, error);
    } while (status == STATUS_FAILED && error->class == ERROR_CLASS_RETRY &&
             retry_wait(&retry, error));
    return status == STATUS_FAILED && signals_stop_level() > 0 ? stopped(learner->reading, error)
                                                               : status;
}

static void *learning_pass_work(void *argument)
{
    struct learner *learner = argument;
    struct reading *reading = learner->reading;
    for (uint32_t span = atomic_fetch_add(&reading->next, 1);
         span < reading->span_count && learner->status == STATUS_OK &&
         !atomic_load(&reading->failed);
         span = atomic_fetch_add(&reading->next, 1)) {
        learner->status = read_span_for_sure(learner, span, &learner->error);
    }
    if (learner->status != STATUS_OK) {
        atomic_store(&reading->failed, true);
    }
    return NULL;
}

/* The first learner, which works on this thread, has `learnt` itself; without threads it is alone.
 */
static enum status run_learners(struct reading *reading, struct learnt_table *learnt,
                                struct error *error)
{
    struct learner learners[READERS_MAX] = {0};
    pthread_t threads[READERS_MAX];
    uint32_t count = reading->pass->reader_count;
    uint32_t started = 1;
    enum status status = STATUS_OK;
    count = count < reading->span_count ? count : reading->span_count;
    learners[0] = (struct learner){.reading = reading, .learnt = learnt};
    for (; started < count; started++) {
        struct learner *learner = &learners[started];
        *learner = (struct learner){
            .reading = reading, .number = started, .learnt = learnt_table_create_like(learnt)};
        if (pthread_create(&threads[started], NULL, learning_pass_work, learner) != 0) {
            learnt_table_destroy(learner->learnt);
            break;
        }
    }
    learning_pass_work(&learners[0]);
    for (uint32_t i = 0; i < started; i++) {
        struct learner *learner = &learners[i];
        if (i > 0) {
            pthread_join(threads[i], NULL);
        }
        if (learner->status != STATUS_OK && status == STATUS_OK) {
            error_copy(error, &learner->error);
            status = learner->status;
        }
        if (i > 0 && status == STATUS_OK) {
            status = learnt_table_merge(learnt, learner->learnt, error);
        }
        if (i > 0) {
            learnt_table_destroy(learner->learnt);
        }
    }
    learnt_table_sort(learnt);
    return status;
}

static enum status read_table(struct pass *pass, struct learnt_table *learnt, struct error *error)
{
    struct reading reading = {.pass = pass, .request = learnt_table_request(learnt)};
    struct stream_facts facts = {0};
    struct span *spans = NULL;
    if (pass->source->describe_stream(pass->database, &reading.request, pass->arena, &facts,
                                      error) != STATUS_OK ||
        pass->source->split(pass->database, &reading.request, SPAN_ROWS, pass->arena, &spans,
                            &reading.span_count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    reading.spans = spans;
    return run_learners(&reading, learnt, error);
}

enum status learning_pass(struct run_session *session, struct learnt_table *const *tables,
                          uint32_t count, struct error *error)
{
    struct pass pass = {.session = session,
                        .source = session->source->connector->source,
                        .arena = arena_create(0),
                        .begun_ms = clock_monotonic_ms()};
    atomic_store(&pass.next_ms, pass.begun_ms + FIRST_MS);
    if ((session->source->capabilities & CAPABILITY_UNITS) != 0) {
        log_write(LOG_INFO, "reading all records for their columns, before they are read to be "
                            "copied: that takes read units twice");
    }
    enum status status = open_pass(&pass, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = read_table(&pass, tables[i], error);
    }
    close_pass(&pass);
    arena_destroy(pass.arena);
    return status;
}
