#include "engine/run/learning.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/signals.h"
#include "engine/copy/copy.h"
#include "engine/run/opening.h"
#include "engine/run/options.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SPAN_ROWS = 100000, FIRST_MS = 2000, STEP_MS = 10000, PLAN_COPY_BYTES_MAX = 8 << 20 };

/* A connection to the source for this pass alone: the run takes its snapshot later. */
struct pass {
    struct run_session *session;
    const struct source_functions *source;
    struct database *database;
    struct reader *reader;
    struct arena *arena;
    uint64_t records;
    int64_t begun_ms;
    int64_t next_ms; /* of the next line about it */
};

static enum status open_pass(struct pass *pass, struct error *error)
{
    const struct run_session *session = pass->session;
    const struct connector *connector = session->source->connector;
    const char *token = NULL;
    const struct open_options open = {.mode = OPEN_SOURCE,
                                      .uri = session->source_uri,
                                      .memory_bytes = options_cache_bytes(&session->options),
                                      .timeout_ms = session->options.timeout_ms,
                                      .read_only = session->options.validating,
                                      .read_units_per_second_max =
                                          session->options.read_units_per_second_max};
    if (opening_open(connector, session->source_uri, &open, pass->session->arena, &pass->database,
                     error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    pass->database->jobs = 1;
    return pass->source->snapshot(pass->database, 1, pass->arena, &token, error) == STATUS_OK
               ? pass->source->reader_open(pass->database, &pass->reader, error)
               : STATUS_FAILED;
}

static void close_pass(struct pass *pass)
{
    if (pass->reader != NULL) {
        pass->source->reader_close(pass->reader);
    }
    if (pass->database != NULL) {
        pass->database->connector->close(pass->database);
    }
}

/* Says how far it is, and keeps the cap on rows. */
static enum status go_on(struct pass *pass, const char *table, uint64_t rows, struct error *error)
{
    uint64_t cap = pass->session->options.rows_per_second_max;
    pass->records += rows;
    int64_t now = clock_monotonic_ms();
    int64_t due = cap == 0 ? now : pass->begun_ms + (int64_t)(pass->records * 1000 / cap);
    while (now < due && signals_stop_level() == 0) {
        clock_sleep_ms(due - now < 100 ? due - now : 100);
        now = clock_monotonic_ms();
    }
    if (signals_stop_level() > 0) {
        return error_set(error, ERROR_INTERRUPTED, table,
                         "stopped while all records were read for their columns");
    }
    if (now >= pass->next_ms) {
        pass->next_ms = now + STEP_MS;
        log_write(LOG_INFO, "reading %s for its columns: %" PRIu64 " records so far", table,
                  pass->records);
    }
    return STATUS_OK;
}

static enum status read_span(struct pass *pass, const struct read_request *request,
                             const struct span *span, struct learnt_table *learnt,
                             struct error *error)
{
    const struct run_options *options = &pass->session->options;
    struct cursor *cursor;
    uint64_t rows = 0;
    enum status status = pass->source->cursor_open(pass->reader, request, span, &cursor, error);
    if (status != STATUS_OK) {
        return status;
    }
    while (status == STATUS_OK) {
        struct batch *batch;
        status = pass->source->cursor_next(cursor, (uint32_t)options->batch_rows,
                                           options->batch_bytes, &batch, error);
        if (status == STATUS_OK) {
            rows += batch->row_count;
            status = learnt_table_add(learnt, batch, error);
            status =
                status == STATUS_OK ? go_on(pass, request->name, batch->row_count, error) : status;
            batch_destroy(batch);
        }
    }
    pass->source->cursor_close(cursor);
    if (status != STATUS_END) {
        return status;
    }
    learnt_table_count(learnt, rows);
    return STATUS_OK;
}

/* Connection trouble is tried again, as in a copy. */
static enum status read_table(struct pass *pass, struct learnt_table *learnt, struct error *error)
{
    const struct read_request request = learnt_table_request(learnt);
    struct stream_facts facts = {0};
    struct span *spans = NULL;
    uint32_t count = 0;
    if (pass->source->describe_stream(pass->database, &request, pass->arena, &facts, error) !=
            STATUS_OK ||
        pass->source->split(pass->database, &request, SPAN_ROWS, pass->arena, &spans, &count,
                            error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        struct retry retry;
        session_retry_begin(pass->session, &retry);
        do {
            status = read_span(pass, &request, &spans[i], learnt, error);
        } while (session_tries_again(&retry, &status, error));
    }
    if (status == STATUS_END) {
        return error_set(error, ERROR_INTERRUPTED, request.name,
                         "stopped while all records were read for their columns");
    }
    return status;
}

/* ---------------------------------------------------------------- the plan as a document */

static enum status take_document(struct run_session *session, const char *text, size_t length,
                                 struct buffer *faults, struct error *error)
{
    struct plan_document *made;
    const char *path =
        session->document != NULL ? plan_document_path(session->document) : "plain copy";
    if (plan_document_parse(text, length, path == NULL ? "plan" : path, &made, faults, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    session->written_document = session->document; /* options borrow its texts */
    session->document = made;
    session->learned = true;
    return STATUS_OK;
}

/* Below what the user's plan says: its lines keep their numbers. */
static enum status add_to_document(struct run_session *session, const struct learnt_plan *learnt,
                                   struct buffer *faults, struct error *error)
{
    struct buffer text = {0};
    size_t length = 0;
    const char *written =
        session->document == NULL ? NULL : plan_document_text(session->document, &length);
    buffer_append(&text, written == NULL ? "transhume: 1" : written, written == NULL ? 12 : length);
    buffer_append_byte(&text, '\n');
    buffer_append(&text, learnt->yaml.data, learnt->yaml.length);
    enum status status = take_document(session, buffer_string(&text), text.length, faults, error);
    buffer_free(&text);
    return status;
}

static bool is_in_braces(const struct plan_document *document)
{
    size_t length = 0;
    const char *text = document == NULL ? "" : plan_document_text(document, &length);
    while (isspace((unsigned char)*text)) {
        text++;
    }
    return *text == '{';
}

/* ---------------------------------------------------------------- the run before */

static bool copied_the_same(const struct run_session *session, const struct local_run *local)
{
    return local->learned && local->source != NULL && local->target != NULL &&
           strcmp(local->source, session->source_uri->shown) == 0 &&
           strcmp(local->target, session->target_uri->shown) == 0;
}

/* Of a resume without the state folder: the target's ledger has the plan, too. STATUS_END: it has
 * none of this source. */
static enum status take_ledger_plan(struct run_session *session, struct buffer *faults,
                                    struct error *error)
{
    struct ledger_run *ledger;
    struct ledger_header header;
    if (!session->options.resuming) {
        return STATUS_END;
    }
    enum status status = ledger_load(session->ledger, NULL, session->arena, &ledger, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (ledger_header_read(ledger->header, session->arena, &header, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool same = header.source_identity != NULL && header.plan_text != NULL &&
                strcmp(header.source_identity, session->source_identity) == 0;
    return same ? take_document(session, header.plan_text, strlen(header.plan_text), faults, error)
                : STATUS_END;
}

/* STATUS_END: no run there learnt it. */
static enum status take_past_plan(struct run_session *session, const struct past_run *past,
                                  struct buffer *faults, struct error *error)
{
    struct past_run current = *past;
    struct state_folder folder;
    char *text;
    size_t length;
    const struct run_options *options = &session->options;
    if (!options->resuming && !options->validating && options->rejects_file == NULL) {
        return STATUS_END;
    }
    if (current.local.id == NULL) {
        if (state_folder_name(&folder, session->state_path, session->arena, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        enum status found = past_runs_current(&folder, session->arena, &current, error);
        if (found != STATUS_OK) {
            return found == STATUS_END ? take_ledger_plan(session, faults, error) : found;
        }
    }
    if (!copied_the_same(session, &current.local)) {
        return STATUS_END;
    }
    enum status status = file_read_all(current.folder.plan_file, PLAN_COPY_BYTES_MAX,
                                       session->arena, &text, &length, error);
    return status == STATUS_OK ? take_document(session, text, length, faults, error) : status;
}

/* ---------------------------------------------------------------- learning */

static enum status refuse_before_reading(const struct run_session *session, struct error *error)
{
    if (uri_is_stream(session->source_uri, session->source->connector)) {
        error_set(error, ERROR_USAGE, session->source_uri->shown,
                  "standard input can be read once only, and these records are read twice: for "
                  "their columns, and to copy them");
        error_hint(error, "put them into a file first, or name their fields in a plan");
        return STATUS_FAILED;
    }
    if (is_in_braces(session->document)) {
        error_set(error, ERROR_PLAN_INVALID, plan_document_path(session->document),
                  "columns that are learned can't be added to a plan in braces");
        error_hint(error, "write it as YAML, or name the tables in it");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

static enum status learn(struct run_session *session, struct learnt_table **tables, uint32_t count,
                         struct error *error)
{
    struct pass pass = {.session = session,
                        .source = session->source->connector->source,
                        .arena = arena_create(0),
                        .begun_ms = clock_monotonic_ms()};
    pass.next_ms = pass.begun_ms + FIRST_MS;
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

enum status learning_make_plan(struct run_session *session, const struct past_run *past,
                               struct learnt_plan *learnt, struct buffer *faults,
                               struct error *error)
{
    const struct run_options *options = &session->options;
    const struct plan_settings settings = {.include = options->include,
                                           .include_count = options->include_count,
                                           .exclude = options->exclude,
                                           .exclude_count = options->exclude_count};
    const struct schema *schema = session->schema;
    bool child_tables = options->nested == NESTED_TABLES;
    bool documents = plan_needs_learning(NULL, session->source, session->target, false);
    uint32_t count = 0;
    /* whether lists were to be tables is the past run's to say */
    if (!plan_needs_learning(session->document, session->source, session->target, true)) {
        session->learned = past->local.learned && session->document != NULL;
        if (child_tables && !session->learned) {
            log_write(LOG_WARNING, "--nested tables has no effect: %s",
                      session->document != NULL ? "the plan names its tables"
                                                : "this is no copy of documents into tables");
        }
        return STATUS_OK;
    }
    enum status status = take_past_plan(session, past, faults, error);
    bool needed =
        plan_needs_learning(session->document, session->source, session->target, child_tables);
    if (status != STATUS_END || !needed) {
        return status == STATUS_FAILED ? status : STATUS_OK;
    }
    /* a plan that is refused anyway is not worth a reading */
    if (faults->length > 0 || refuse_before_reading(session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct learnt_table **tables =
        arena_allocate_zeroed(session->arena, schema->table_count + 1u, sizeof(*tables));
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (plan_copies_table(session->document, &settings, &schema->tables[i])) {
            tables[count++] = learnt_table_create(&schema->tables[i], documents, child_tables);
        }
    }
    status = count == 0 ? STATUS_OK : learn(session, tables, count, error);
    if (status == STATUS_OK && count > 0) {
        status = learnt_plan_make(tables, count, session->source, session->target, session->there,
                                  learnt, error);
        status = status == STATUS_OK ? add_to_document(session, learnt, faults, error) : status;
    }
    for (uint32_t i = 0; i < count; i++) {
        learnt_table_destroy(tables[i]);
    }
    return status;
}
