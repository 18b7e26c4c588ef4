/* Opening: plan, endpoints, schema, resolved mapping. Nothing is changed anywhere. */
#include "engine/session/session.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/folder/past_runs.h"
#include "engine/join/joining.h"
#include "engine/session/circles.h"
#include "engine/session/endpoints.h"
#include "engine/session/home.h"
#include "engine/session/learning.h"
#include "engine/session/options.h"
#include "engine/session/recall.h"
#include "engine/session/recalled_run.h"
#include "engine/session/schema_lines.h"
#include "engine/session/source_now.h"
#include "engine/session/target_tables.h"
#include "engine/shuffle/shuffle.h"
#include "engine/subset/subset.h"
#include "model/time_zone.h"
#include "observe/observer.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ".transhume" beside the plan, or here. */
static const char *default_state_path(struct arena *arena, const char *plan_path)
{
    const char *slash = plan_path == NULL ? NULL : strrchr(plan_path, '/');
    if (slash == NULL) {
        return ".transhume";
    }
    return arena_format(arena, "%.*s/.transhume", (int)(slash - plan_path), plan_path);
}

/* Requests of a stream count for the first of its entities. */
static void count_requests(struct run_session *session)
{
    struct plan *plan = session->plan;
    session->counts =
        arena_allocate_zeroed(session->arena, plan->entity_count, sizeof(*session->counts));
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        struct plan_stream *stream = &plan->streams[i];
        struct database_counts *counts =
            stream->entity_count > 0 ? &session->counts[stream->entities[0]] : NULL;
        stream->request.counts = counts;
        for (uint32_t j = 0; j < stream->child_count; j++) {
            stream->children[j].request.counts = counts;
        }
    }
}

static void prepare_progress(struct run_session *session)
{
    const struct plan *plan = session->plan;
    struct progress *progress = &session->progress;
    progress->entities =
        arena_allocate_zeroed(session->arena, plan->entity_count, sizeof(*progress->entities));
    progress->entity_count = plan->entity_count;
    count_requests(session);
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        progress->entities[i].name = plan->entities[i].name;
        progress->entities[i].table = plan->tables[plan->entities[i].table].target.name;
        progress->entities[i].total = -1;
        progress->entities[i].rows = -1;
    }
}

static enum status prepare_joining(struct run_session *session, struct error *error)
{
    struct state_folder folder;
    if (state_folder_name(&folder, session->state_path, session->arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct joining_options options = {
        .source = session->source,
        .schema = session->schema,
        .plan = session->plan,
        .spill_folder = session_make_spill_folder(&folder, folder.spill_source),
        .memory_bytes = options_cache_bytes(&session->options),
        .reader_count = session_reader_count(session),
        .patience_ms = session_patience_ms(session)};
    joining_create(&options, &session->joining);
    return STATUS_OK;
}

static bool has_settings(const struct run_session *session, const struct target_table *table)
{
    return table->same_engine != NULL &&
           !column_list_holds(session->kept.gone, table->same_engine->name);
}

/* Settings that tables which are copied whole bring along beside their schema. */
static enum status find_settings(struct run_session *session, struct error *error)
{
    const struct catalog_functions *catalog = session->source->connector->catalog;
    struct plan *plan = session->plan;
    const char **names = arena_allocate_zeroed(session->arena, plan->table_count, sizeof(*names));
    const char **settings =
        arena_allocate_zeroed(session->arena, plan->table_count, sizeof(*settings));
    uint32_t count = 0;
    if (catalog->settings == NULL || session->options.validating) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (has_settings(session, &plan->tables[i].target)) {
            names[count++] = plan->tables[i].target.same_engine->name;
        }
    }
    if (catalog->settings(session->source, names, count, session->arena, settings, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    count = 0;
    for (uint32_t i = 0; i < plan->table_count; i++) {
        if (has_settings(session, &plan->tables[i].target)) {
            plan->tables[i].target.settings = settings[count++];
        }
    }
    return STATUS_OK;
}

/* Describes what a resume finds again in the source, and what a plain copy carries. */
static void describe_source(struct run_session *session)
{
    const struct plan *plan = session->plan;
    const struct schema *carried = plan->same_engine_objects;
    struct buffer lines = {0};
    schema_fingerprint(session->schema, !plan->plain, session->fingerprint);
    schema_lines_append(session->schema, !plan->plain, &lines);
    if (plan->plain) {
        schema_lines_append_constraints(session->schema, &lines);
    }
    if (carried != NULL || !plan->plain) {
        schema_lines_append_objects(carried != NULL ? carried : session->schema, carried != NULL,
                                    &lines);
    }
    session->schema_text = arena_copy_string(session->arena, buffer_string(&lines));
    buffer_free(&lines);
}

/* Schemas, and for records without fixed fields the plan that names their columns. */
static enum status describe_both(struct run_session *session, const struct past_run *past,
                                 struct learnt_plan *learnt, struct buffer *faults,
                                 struct error *error)
{
    if (recall_find(session, past, error) != STATUS_OK ||
        session->source->connector->catalog->describe(session->source, &session->schema, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    there_leave_new_out(session);
    recall_overlay(session);
    if (there_describe(session, &session->there, error) != STATUS_OK ||
        learning_make_plan(session, past, learnt, faults, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* tables that were learnt may have names that the source has not */
    return session->learned && session->there == NULL
               ? there_describe(session, &session->there, error)
               : STATUS_OK;
}

static enum status resolve_described(struct run_session *session, const struct learnt_plan *learnt,
                                     struct buffer *faults, struct error *error)
{
    const struct run_options *options = &session->options;
    const struct plan_settings settings = {
        .include = options->selection.include,
        .include_count = options->selection.include_count,
        .exclude = options->selection.exclude,
        .exclude_count = options->selection.exclude_count,
        .renumber = options->selection.renumber,
        .renumber_count = options->selection.renumber_count,
        .no_code = options->making.no_code,
        .names = options->selection.names,
        .since = options->selection.since,
        .there = session->there,
        .existing = options->making.existing,
        .notes = learnt->notes,
        .note_count = learnt->note_count,
        .time_zone = session->time_zone,
        .gone = session->kept.gone,
        .carries_rights = options->making.carries_rights,
        .follows = options->follow.wanted ||
                   (session->kept.continued != NULL && session->kept.continued->feed != NULL),
        .answers = session->kept.answers};
    if (plan_resolve(session->document, session->source, session->schema, session->target,
                     &settings, &session->plan, faults, error) != STATUS_OK ||
        find_settings(session, error) != STATUS_OK ||
        prepare_joining(session, error) != STATUS_OK ||
        session_sample_prepare(session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    circles_find(session);
    describe_source(session);
    prepare_progress(session);
    return STATUS_OK;
}

static enum status resolve_once(struct run_session *session, const struct past_run *past,
                                struct buffer *faults, struct error *error)
{
    struct learnt_plan learnt = {0};
    progress_enter(&session->progress, PROGRESS_SCHEMA);
    enum status status = describe_both(session, past, &learnt, faults, error);
    status = status == STATUS_OK ? resolve_described(session, &learnt, faults, error) : status;
    learnt_plan_free(&learnt);
    return status;
}

/* New tables of a source that is followed must not end that: one of which the plan can make nothing
 * is left out. */
static enum status resolve(struct run_session *session, const struct past_run *past,
                           struct buffer *faults, struct error *error)
{
    enum status status = resolve_once(session, past, faults, error);
    if (status == STATUS_FAILED && session->kept.follows && session->schema != NULL &&
        source_now_causes(session, NULL, 0, error)) {
        error->class = ERROR_CLASS_RETRY; /* a follower opens the session again */
    }
    if (status == STATUS_OK || !session->kept.follows || !session->kept.has_new ||
        error->class == ERROR_CLASS_RETRY) {
        return status;
    }
    log_write(LOG_WARNING, "tables that are new in the source are not followed: %s: %s",
              error->object, error->message);
    session->kept.unfollowed_because =
        arena_format(session->arena, "%s: %s", error->object, error->message);
    error_clear(error);
    buffer_clear(faults);
    plan_destroy(session->plan);
    arena_destroy(session->schema->arena);
    session->plan = NULL;
    session->schema = NULL;
    session->kept.gone = (struct column_list){0};
    session->kept.refuses_new = true;
    return resolve_once(session, past, faults, error);
}

/* With whatever the plan's text is about. */
static enum status open_all(struct run_session *session, const struct run_options *asked,
                            const struct past_run *past, struct buffer *faults, struct error *error)
{
    struct run_options *options = &session->options;
    if (options->selection.schemas.count == 0 && session->document != NULL) {
        options->selection.schemas =
            plan_document_list(session->document, "schemas", session->arena);
    }
    return options_resolve(options, session->document, error) == STATUS_OK &&
                   (options->sides.time_zone == NULL ||
                    time_zone_make(options->sides.time_zone, session->arena, &session->time_zone,
                                   error) == STATUS_OK) &&
                   endpoints_open(session, error) == STATUS_OK &&
                   (!asked->validating ||
                    endpoints_check_caps(session, asked, error) == STATUS_OK) &&
                   resolve(session, past, faults, error) == STATUS_OK
               ? STATUS_OK
               : STATUS_FAILED;
}

enum status run_open(const struct run_options *options, struct run_session **made,
                     struct buffer *faults, struct error *error)
{
    struct run_session *session = memory_allocate_zeroed(1, sizeof(*session));
    struct past_run past = {0};
    enum status form = STATUS_OK;
    *made = NULL;
    session->options = *options;
    session->arena = arena_create(0);
    observer_watch(options->observer, &session->progress);
    session->state_path = options->sides.state_folder != NULL
                              ? options->sides.state_folder
                              : default_state_path(session->arena, options->sides.plan_path);
    session->made_state_folder = !file_exists(session->state_path);
    session->names_run = options->sides.plan_path == NULL && options->sides.source_uri == NULL &&
                         options->sides.target_uri == NULL;
    enum status status = recalled_run_find(session, &past, error);
    if (status == STATUS_OK && session->options.sides.plan_path != NULL) {
        form =
            plan_document_read(session->options.sides.plan_path, &session->document, faults, error);
        status = session->document != NULL ? STATUS_OK : form;
    }
    if (status == STATUS_OK) {
        struct error more = {0};
        recalled_run_leave(session, options, &past);
        recalled_run_uris(session, &past);
        recalled_run_time_zone(session, &past);
        /* after a fault of form, what else is wrong is only added to the faults */
        status = open_all(session, options, &past, faults, form == STATUS_OK ? error : &more);
    }
    if (status != STATUS_OK || form != STATUS_OK) {
        run_close(session);
        return STATUS_FAILED;
    }
    *made = session;
    return STATUS_OK;
}

/* Removes the folders that opening made, if no run came of it: rmdir(2) spares all that is not
 * empty. */
static void remove_unused_folders(struct run_session *session)
{
    struct state_folder folder;
    struct error ignored;
    const char *lock = file_join(session->arena, session->state_path, "lock");
    if (session->made_state_folder && !file_exists(lock) &&
        state_folder_name(&folder, session->state_path, session->arena, &ignored) == STATUS_OK) {
        rmdir(folder.spill_source);
        rmdir(folder.spill_target);
        rmdir(folder.spill);
        rmdir(folder.path);
    }
}

static void close_readers(struct run_session *session)
{
    if (session->sample_reader != NULL) {
        session->source->connector->source->reader_close(session->sample_reader);
        session->sample_reader = NULL;
    }
    while (session->spare_reader_count > 0) {
        session->source->connector->source->reader_close(
            session->spare_readers[--session->spare_reader_count]);
    }
}

enum status session_leave_source(struct run_session *session, struct error *error)
{
    /* a validation goes on reading; settling reads again what other targets tell it of */
    return session->options.validating ||
                   (session->target->capabilities & CAPABILITY_KEY_ENFORCED) == 0
               ? STATUS_OK
               : session_end_snapshot(session, error);
}

enum status session_end_snapshot(struct run_session *session, struct error *error)
{
    const struct source_functions *source = session->source->connector->source;
    if (session->snapshot == NULL) {
        return STATUS_OK;
    }
    close_readers(session);
    return source->leave != NULL ? source->leave(session->source, error) : STATUS_OK;
}

void session_leave_target(struct run_session *session)
{
    while (session->spare_reader_count > 0) {
        session->source->connector->source->reader_close(
            session->spare_readers[--session->spare_reader_count]);
    }
    if (session->mirror != NULL) {
        session->mirror->connector->close(session->mirror);
        session->mirror = NULL;
    }
    home_close_target(session);
}

void run_close(struct run_session *session)
{
    if (session == NULL || session->stuck) {
        return; /* a thread may still use all of it */
    }
    observer_leave(session->options.observer, &session->progress);
    if (session->source != NULL) {
        close_readers(session);
    }
    free(session->spare_readers);
    joining_destroy(session->joining);
    subset_destroy(session->subset);
    shuffle_destroy(session->shuffle);
    plan_destroy(session->plan);
    if (session->schema != NULL) {
        arena_destroy(session->schema->arena);
    }
    if (session->there != NULL && session->there->arena != session->arena) {
        arena_destroy(session->there->arena);
    }
    if (session->mirror != NULL) {
        session->mirror->connector->close(session->mirror);
    }
    home_close_target(session);
    if (session->source != NULL) {
        session->source->connector->close(session->source);
    }
    remove_unused_folders(session);
    plan_document_destroy(session->document);
    plan_document_destroy(session->written_document);
    arena_destroy(session->arena);
    free(session);
}

const struct plan *run_plan(const struct run_session *session)
{
    return session->plan;
}
