/* Tables without a key, read at a moment of which the feed's position is known. */
#include "engine/follow/translate/whole.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/common/store_position.h"
#include "engine/follow/refresh.h"
#include "engine/follow/translate/routes.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include "engine/rejects/reject_notes.h"
#include "engine/session/opening.h"
#include "engine/session/options.h"
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

enum { SET_CHANGES_MAX = 1000, SET_BYTES_MAX = 1 << 20, BATCH_ROWS = 1000, BATCH_BYTES = 1 << 20 };
static const char intent_name[] = "whole";

/* ---- what is noted */

/* An object of the tables, each with its position's text, or "": it is to be read. */
static enum status tables_get(struct run *run, json_t **tables, struct error *error)
{
    const char *text;
    json_t *object;
    *tables = json_object();
    enum status status =
        ledger_get_intent(run->session->ledger, run->id, intent_name, run->arena, &text, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    status = json_from_text(text, "tables without a key", ERROR_LEDGER_INVALID, &object, error);
    if (status == STATUS_OK) {
        json_object_update(*tables, json_object_get(object, "tables"));
        json_decref(object);
    }
    return status;
}

static enum status tables_put(struct run *run, json_t *tables, struct error *error)
{
    const char *text;
    if (json_object_size(tables) == 0) {
        return ledger_delete_intent(run->session->ledger, run->id, intent_name, error);
    }
    json_t *object = json_pack("{s:i,s:O}", "format", CONTROL_FORMAT, "tables", tables);
    return json_to_arena(object, run->arena, &text, error) == STATUS_OK
               ? ledger_put_intent(run->session->ledger, run->id, intent_name, text, error)
               : STATUS_FAILED;
}

static enum status table_note(struct run *run, const char *table, const char *position,
                              struct error *error)
{
    json_t *tables;
    enum status status = tables_get(run, &tables, error);
    if (status == STATUS_OK) {
        json_t *name = json_text(table);
        json_object_set_new(tables, json_string_value(name), json_string(position));
        json_decref(name);
        status = tables_put(run, tables, error);
    }
    json_decref(tables);
    return status;
}

static bool is_whole_root(const struct run_session *session, uint32_t stream)
{
    const struct plan_stream *from = &session->plan->streams[stream];
    return from->request.table != NULL &&
           !column_list_holds(session->kept.gone, from->request.table) &&
           follow_is_whole(session, from);
}

enum status whole_note_all(struct run *run, struct error *error)
{
    const struct run_session *session = run->session;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < session->plan->stream_count && status == STATUS_OK; i++) {
        if (is_whole_root(session, i)) {
            status = table_note(run, session->plan->streams[i].request.table, "", error);
        }
    }
    return status;
}

static bool is_whole_table(const struct run_session *session, const char *table)
{
    bool whole = false;
    for (uint32_t i = 0; i < session->plan->stream_count && !whole; i++) {
        whole = is_whole_root(session, i) &&
                strcmp(session->plan->streams[i].request.table, table) == 0;
    }
    return whole;
}

enum status whole_or_refresh_note(struct run *run, const char *const *tables, uint32_t count,
                                  struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = is_whole_table(run->session, tables[i]) ? table_note(run, tables[i], "", error)
                                                         : refresh_note(run, &tables[i], 1, error);
    }
    return status;
}

/* ---- reading one */

struct whole_reading {
    struct run *run;
    struct follow_translator *translator;
    struct arena *arena;
    uint32_t stream;
    struct position at;
    resync_take *take;
    void *context;
    const char *feed;        /* that is made for its moment alone */
    struct database *source; /* a database of its own; NULL: none is open */
    struct schema *schema;
    struct reader *reader;
    struct position read; /* where the table was read */
    uint64_t rows;
};

static const char *feed_name(const struct run *run, struct arena *arena)
{
    return arena_format(arena, "%.32s_again", run->header.feed);
}

static const struct read_request *request_of(const struct whole_reading *reading)
{
    return &reading->run->session->plan->streams[reading->stream].request;
}

static enum status open_source(struct whole_reading *reading, struct error *error)
{
    struct run_session *session = reading->run->session;
    const struct open_options open = {.mode = OPEN_SOURCE,
                                      .uri = session->source_uri,
                                      .memory_bytes = options_cache_bytes(&session->options),
                                      .timeout_ms = session->options.limits.timeout_ms,
                                      .schemas = session->options.selection.schemas,
                                      .no_code = session->options.making.no_code,
                                      .recovers = session->options.follow.recovers};
    const struct connector *connector = session->source->connector;
    enum status status = opening_open(connector, session->source_uri, &open, reading->arena,
                                      &reading->source, error);
    if (status != STATUS_OK) {
        return status;
    }
    reading->source->cursors_each = 1;
    reading->source->known = session->schema;
    return connector->catalog->describe(reading->source, &reading->schema, error);
}

/* The snapshot of a feed that is made for it. */
static enum status begin_moment(struct whole_reading *reading, struct error *error)
{
    struct database *source = reading->source;
    const struct feed_functions *feed = source->connector->feed;
    const struct followed_table table = {.name = request_of(reading)->table};
    struct feed_start start = {0};
    const char *token;
    enum status status = feed->drop(source, reading->feed, error);
    status = status == STATUS_OK ? failpoint_hit("follow.before_whole", error) : status;
    status = status == STATUS_OK
                 ? feed->create(source, reading->feed, &table, 1, reading->arena, &start, error)
                 : status;
    if (status != STATUS_OK) {
        return status;
    }
    source->moment = start.snapshot;
    status = source->connector->source->snapshot(source, 1, reading->arena, &token, error);
    if (status == STATUS_OK && source->moment == NULL) {
        error_set(error, ERROR_FOLLOW, request_of(reading)->table,
                  "it has no key, and nobody can say where in the source's log its rows are read");
        return error_hint(error, "let the account lock the tables for a moment (docs/mysql.md)");
    }
    reading->read = source->moment_position != NULL ? *source->moment_position : start.position;
    return status;
}

static struct followed_set *begin_set(const struct whole_reading *reading)
{
    struct arena *arena = arena_create(0);
    const char *bytes = arena_copy(arena, reading->at.bytes, reading->at.length);
    struct followed_set *set = followed_set_create(follow_form(reading->translator), arena);
    set->set.begin = set->set.end = (struct position){(const uint8_t *)bytes, reading->at.length};
    return set;
}

static enum status hand_over(struct whole_reading *reading, struct followed_set *set,
                             struct error *error)
{
    uint64_t refused = 0; /* they are kept as rejects */
    return reading->take(reading->context, set, &refused, error);
}

static enum status empty_target(struct whole_reading *reading, struct error *error)
{
    struct followed_set *set = begin_set(reading);
    followed_set_empty(set, reading->run->session->plan->streams[reading->stream].entities[0]);
    return hand_over(reading, set, error);
}

static enum status take_batch(struct whole_reading *reading, struct batch *batch,
                              struct error *error)
{
    struct followed_set *set = begin_set(reading);
    enum status status = STATUS_OK;
    for (uint32_t row = 0; row < batch->row_count && status == STATUS_OK; row++) {
        status =
            follow_add_row(reading->translator, reading->stream, batch_row(batch, row), set, error);
        if (status == STATUS_OK &&
            (set->set.change_count >= SET_CHANGES_MAX || set->set.arena->bytes >= SET_BYTES_MAX)) {
            status = hand_over(reading, set, error);
            set = begin_set(reading);
        }
    }
    reading->rows += batch->row_count;
    if (status != STATUS_OK) {
        arena_destroy(set->set.arena);
        return status;
    }
    return hand_over(reading, set, error);
}

static enum status put_rows(struct whole_reading *reading, struct error *error)
{
    const struct source_functions *source = reading->source->connector->source;
    struct cursor *cursor;
    struct batch *batch;
    enum status status = source->reader_open(reading->source, &reading->reader, error);
    if (status != STATUS_OK || source->cursor_open(reading->reader, request_of(reading), NULL,
                                                   &cursor, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while ((status = source->cursor_next(cursor, BATCH_ROWS, BATCH_BYTES, &batch, error)) ==
           STATUS_OK) {
        status = take_batch(reading, batch, error);
        batch_destroy(batch);
        if (status != STATUS_OK) {
            break;
        }
    }
    source->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : status;
}

static void close_source(struct whole_reading *reading)
{
    const struct connector *connector = reading->run->session->source->connector;
    struct error error = {0};
    if (reading->reader != NULL) {
        connector->source->reader_close(reading->reader);
    }
    if (reading->source != NULL) {
        if (connector->feed->drop(reading->source, reading->feed, &error) != STATUS_OK) {
            log_write(LOG_WARNING, "the feed %s stays behind in the source: %s", reading->feed,
                      error.message);
        }
        connector->close(reading->source);
    }
    if (reading->schema != NULL) {
        arena_destroy(reading->schema->arena);
    }
}

static enum status note_read(struct whole_reading *reading, struct error *error)
{
    struct buffer text = {0};
    store_position_append(&reading->read, &text);
    follow_translator_pass(reading->translator, reading->stream, reading->read);
    enum status status =
        table_note(reading->run, request_of(reading)->table, buffer_string(&text), error);
    buffer_free(&text);
    return status;
}

/* Other records in the target's table would go with it. A table that the run did not make was empty
 * where the plan refuses others. */
static bool may_be_emptied(const struct whole_reading *reading)
{
    const struct plan *plan = reading->run->session->plan;
    uint32_t entity = plan->streams[reading->stream].entities[0];
    const struct target_table *target = &plan->tables[plan->entities[entity].table].target;
    return target->existing == EXISTING_REFUSE ||
           ledger_status_is_created(&reading->run->status, target->name);
}

static enum status read_one(struct whole_reading *reading, struct error *error)
{
    uint32_t entity = reading->run->session->plan->streams[reading->stream].entities[0];
    reading->arena = arena_create(0);
    reading->feed = feed_name(reading->run, reading->arena);
    log_write(LOG_INFO, "%s is read again, since it has no key", request_of(reading)->table);
    reject_book_begin_round(reading->run->rejects.book);
    enum status status = open_source(reading, error);
    status = status == STATUS_OK ? begin_moment(reading, error) : status;
    status = status == STATUS_OK ? empty_target(reading, error) : status;
    status = status == STATUS_OK ? failpoint_hit("follow.within_whole", error) : status;
    status = status == STATUS_OK ? put_rows(reading, error) : status;
    status = status == STATUS_OK ? failpoint_hit("follow.after_whole", error) : status;
    status = status == STATUS_OK ? reject_book_end_round(reading->run->rejects.book, entity, error)
                                 : status;
    status = status == STATUS_OK ? note_read(reading, error) : status;
    close_source(reading);
    if (status == STATUS_OK) {
        log_write(LOG_INFO, "%s is read again: %" PRIu64 " rows", request_of(reading)->table,
                  reading->rows);
    }
    arena_destroy(reading->arena);
    return status;
}

/* ---- all of them */

/* Its changes up to where it was read come still, or not any more. */
static enum status pass_over(struct whole_reading *reading, const char *text, struct error *error)
{
    struct position read;
    enum status status =
        store_position_read(intent_name, text, strlen(text), reading->run->arena, &read, error);
    if (status == STATUS_OK) {
        follow_translator_pass(reading->translator, reading->stream, read);
    }
    return status;
}

enum status whole_read(struct run *run, struct follow_translator *translator, struct position at,
                       resync_take *take, void *context, struct error *error)
{
    const struct run_session *session = run->session;
    json_t *tables;
    enum status status = tables_get(run, &tables, error);
    for (uint32_t i = 0; i < session->plan->stream_count && status == STATUS_OK; i++) {
        struct whole_reading reading = {.run = run,
                                        .translator = translator,
                                        .stream = i,
                                        .at = at,
                                        .take = take,
                                        .context = context};
        const char *text = is_whole_root(session, i)
                               ? json_member_text(tables, request_of(&reading)->table, NULL)
                               : NULL;
        if (text == NULL || follow_translator_left(translator, i) != NULL) {
            continue;
        }
        if (text[0] != '\0') {
            status = pass_over(&reading, text, error);
        } else if (!may_be_emptied(&reading)) {
            follow_translator_leave(
                translator, i,
                "it has no key and would be read again, and records of others may "
                "be in its table; copy it on its own");
        } else {
            status = read_one(&reading, error);
        }
    }
    json_decref(tables);
    return status;
}

enum status whole_forget(struct run *run, struct error *error)
{
    struct database *source = run->session->source;
    bool any = false;
    for (uint32_t i = 0; i < run->session->plan->stream_count; i++) {
        any = any || is_whole_root(run->session, i);
    }
    return any ? source->connector->feed->drop(source, feed_name(run, run->arena), error)
               : STATUS_OK;
}
