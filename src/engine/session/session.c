/* Opening: plan, endpoints, schema, resolved mapping. Nothing is changed anywhere. */
#include "engine/session/session.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/trust.h"
#include "connectors/common/scope.h"
#include "connectors/common/uri.h"
#include "engine/folder/past_runs.h"
#include "engine/formats/mended_line.h"
#include "engine/join/joining.h"
#include "engine/session/circles.h"
#include "engine/session/home.h"
#include "engine/session/learning.h"
#include "engine/session/opening.h"
#include "engine/session/options.h"
#include "engine/session/parameters.h"
#include "engine/session/recall.h"
#include "engine/session/schema_lines.h"
#include "engine/session/source_now.h"
#include "engine/session/target_tables.h"
#include "engine/shuffle/shuffle.h"
#include "engine/subset/subset.h"
#include "model/time_zone.h"
#include "observe/observer.h"
#include "plan/text/connections.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The run that rejected the first record of the file; "" where the file does not tell: whatever is
 * wrong with it is said when it is loaded. */
static enum status find_rejecting_run(const char *path, char run[MENDED_RUN_BYTES],
                                      struct error *error)
{
    struct file_lines lines;
    run[0] = '\0';
    enum status status = file_lines_open(&lines, path, ERROR_BAD_VALUE, error);
    if (status == STATUS_OK) {
        status = file_lines_next(&lines, error);
        if (status == STATUS_OK) {
            status = mended_line_run(lines.line, lines.length, run, error);
        }
        file_lines_close(&lines);
    }
    if (status == STATUS_FAILED && error->code == ERROR_MEMORY) {
        return STATUS_FAILED;
    }
    error_clear(error);
    return STATUS_OK;
}

static enum status not_known_here(const struct run_session *session, const char *run,
                                  struct error *error)
{
    const char *file = session->options.repair.file;
    error_set(error, ERROR_RUN_NOTHING, file, "%s knows nothing of run %s, which rejected them",
              session->state_path, run);
    error_hint(error,
               "say where they go: `transhume migrate --rejects %s SRC DST`, or with --plan FILE; "
               "or, with --state DIR, where that run's state is",
               file);
    return STATUS_FAILED;
}

/* Mended records belong to the run that rejected them, anything else to the one that the folder is
 * about. STATUS_END: there is none. */
static enum status find_local_run(struct run_session *session, struct past_run *found,
                                  struct error *error)
{
    const struct run_options *options = &session->options;
    struct state_folder folder;
    char run[MENDED_RUN_BYTES] = "";
    if (state_folder_name(&folder, session->state_path, session->arena, error) != STATUS_OK ||
        trust_check_folder(session->state_path, error) != STATUS_OK ||
        (options->repair.file != NULL &&
         find_rejecting_run(options->repair.file, run, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (run[0] == '\0') {
        return past_runs_current(&folder, session->arena, found, error);
    }
    enum status status = past_runs_find(&folder, run, session->arena, found, error);
    bool is_named = options->sides.plan_path != NULL || options->sides.source_uri != NULL;
    return status == STATUS_END && !is_named ? not_known_here(session, run, error) : status;
}

static bool is_shown(const char *uri, const char *shown)
{
    struct arena *arena = arena_create(0);
    bool same = secret_is_same_uri(uri_begin(uri, arena)->shown, shown);
    arena_destroy(arena);
    return same;
}

/* Are the endpoints that were said those of the run, which keeps no passwords? */
static bool names_run(const struct run_options *options, const struct local_run *local)
{
    return options->sides.source_uri != NULL && options->sides.target_uri != NULL &&
           local->source != NULL && local->target != NULL &&
           is_shown(options->sides.source_uri, local->source) &&
           is_shown(options->sides.target_uri, local->target);
}

/* An option that is not given stands as in the run that is gone on with: the unfinished one, or the
 * one that is validated, or whose rejects are loaded. */
static enum status take_from_local_run(struct run_session *session, struct past_run *taken,
                                       struct error *error)
{
    struct run_options *options = &session->options;
    struct past_run current;
    bool named = options->sides.source_uri != NULL || options->sides.target_uri != NULL;
    bool may_be_over = options->resuming || options->validating || options->repair.file != NULL;
    bool is_known = options->resuming || options->repair.file != NULL; /* which one is meant */
    if ((named && !is_known && !options->validating) ||
        (options->sides.plan_path != NULL && !may_be_over)) {
        return STATUS_OK;
    }
    enum status status = find_local_run(session, &current, error);
    if (status == STATUS_FAILED && named && !is_known) {
        error_clear(error); /* whatever is wrong with the folder: it was not asked for */
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    const struct local_run local = current.local;
    bool same = named && names_run(options, &local);
    bool given = named && !same;
    if ((given && !is_known) || (local.finished && !may_be_over)) {
        return STATUS_OK;
    }
    if (!named) {
        options->sides.source_uri =
            connection_recall(local.source_name, local.source, session->arena);
        options->sides.target_uri =
            connection_recall(local.target_name, local.target, session->arena);
        options->sides.source_name = local.source_name;
        options->sides.target_name = local.target_name;
    }
    if (options->sides.plan_path == NULL && !given) {
        options->sides.plan_path = local.plan_path;
        bool lost = !options->resuming && may_be_over && local.plan_path != NULL &&
                    !file_exists(local.plan_path);
        if (lost && file_exists(current.folder.plan_file)) {
            options->sides.plan_path = current.folder.plan_file; /* the run's own copy */
        }
    }
    if (options->selection.include_count == 0 && options->selection.exclude_count == 0) {
        options->selection.include = local.include;
        options->selection.include_count = local.include_count;
        options->selection.exclude = local.exclude;
        options->selection.exclude_count = local.exclude_count;
    }
    if (options->selection.renumber_count == 0) {
        options->selection.renumber = local.renumber;
        options->selection.renumber_count = local.renumber_count;
    }
    if (options->selection.names == NULL) {
        options->selection.names = local.names;
    }
    if (options->selection.since == NULL) {
        options->selection.since = local.since;
    }
    if (options->selection.sample_rows == 0) {
        options->selection.sample_rows = local.sample_rows;
        options->selection.sample_seed = local.sample_seed;
    }
    if (options->selection.schemas.count == 0 && !given) {
        options->selection.schemas = local.schemas;
    }
    if (options->making.existing < 0) {
        options->making.existing = local.existing;
        session->existing_is_of_run = local.existing >= 0;
    }
    if (options->sides.ledger_uri == NULL) {
        options->sides.ledger_uri = local.ledger;
    }
    if (options->sides.ledger_schema == NULL) {
        options->sides.ledger_schema = local.ledger_schema;
    }
    options->making.no_code |= local.no_code;
    options->follow.recovers |= local.follows;
    *taken = current;
    return STATUS_OK;
}

/* The plan is, to the byte, the one that the run was begun by. */
static bool is_plan_of_run(struct run_session *session, const struct past_run *past)
{
    char *bytes;
    size_t length;
    size_t wanted;
    struct error ignored;
    const char *text = plan_document_text(session->document, &wanted);
    return file_read_all(past->folder.plan_file, wanted + 1, session->arena, &bytes, &length,
                         &ignored) == STATUS_OK &&
           length == wanted && memcmp(bytes, text, length) == 0;
}

static bool is_same_file(const char *one, const char *other)
{
    struct stat left;
    struct stat right;
    return one != NULL && other != NULL && stat(one, &left) == 0 && stat(other, &right) == 0 &&
           left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

/* The run says nothing of another plan, with endpoints of its own: what was taken from it goes. */
static void leave_other_run(struct run_session *session, const struct run_options *asked,
                            struct past_run *past)
{
    if (asked->sides.plan_path == NULL || past->local.id == NULL ||
        (plan_document_source(session->document) == NULL &&
         plan_document_target(session->document) == NULL) ||
        is_same_file(asked->sides.plan_path, past->local.plan_path) ||
        is_plan_of_run(session, past)) {
        return;
    }
    session->options = *asked;
    *past = (struct past_run){0};
}

/* The plan may say the passwords of the run's databases, which the state folder does not keep. */
static void take_plan_uris(struct run_session *session, const struct past_run *past)
{
    struct run_options *options = &session->options;
    const char *source = NULL;
    const char *target = NULL;
    if (session->document != NULL) {
        source = plan_document_source(session->document);
        target = plan_document_target(session->document);
    }
    if (source != NULL && past->local.source != NULL &&
        options->sides.source_uri == past->local.source && is_shown(source, past->local.source)) {
        options->sides.source_uri = source;
    }
    if (target != NULL && past->local.target != NULL &&
        options->sides.target_uri == past->local.target && is_shown(target, past->local.target)) {
        options->sides.target_uri = target;
    }
}

/* Where neither a flag nor the plan says one, it is the run's; also where the plan says the one
 * that it said then, since a flag may have won. */
static void take_time_zone(struct run_session *session, const struct past_run *past)
{
    struct run_options *options = &session->options;
    const char *planned = plan_document_option(session->document, "time_zone");
    const char *planned_then = past->local.plan_time_zone;
    if (options->sides.time_zone == NULL && past->local.time_zone != NULL &&
        (planned == NULL || (planned_then != NULL && strcmp(planned, planned_then) == 0))) {
        options->sides.time_zone = past->local.time_zone;
    }
}

/* A cap that nobody would keep is refused, not forgotten. */
static enum status check_caps(const struct run_session *session, const struct connector *connector,
                              enum open_mode mode, const struct uri *uri, struct error *error)
{
    bool reads = mode == OPEN_SOURCE;
    uint64_t cap = reads ? session->options.limits.read_units_per_second_max
                         : session->options.limits.write_units_per_second_max;
    if (cap == 0 || (connector->capabilities & CAPABILITY_UNITS) != 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_USAGE, uri->shown, "%s has no capacity units, so %s can't be kept",
              connector->title, reads ? "--read-units-per-second" : "--write-units-per-second");
    error_hint(error, "cap the copy with --rows-per-second or --bytes-per-second");
    return STATUS_FAILED;
}

/* The source's, as they are from now on for this run. */
static enum status take_schemas(struct run_session *session, struct error *error)
{
    struct database *source = session->source;
    if ((source->capabilities & CAPABILITY_SCHEMAS) != 0) {
        session->options.selection.schemas = scope_names(&source->scope, session->arena);
        return STATUS_OK;
    }
    if (session->options.selection.schemas.count == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_USAGE, session->source_uri->shown, "%s has no schemas",
              source->connector->title);
    return error_hint(error, "leave out --schema, and `schemas:` in the plan");
}

/* Names of the target mean the source's schemas where both are of one kind, or where it makes what
 * others have. */
static enum status give_schemas(struct run_session *session, struct database *target,
                                struct error *error)
{
    const struct database *source = session->source;
    bool has =
        source->connector == target->connector || (target->capabilities & CAPABILITY_SCHEMAS) != 0;
    return has ? opening_use_schemas(target, source->scope.others, source->scope.leaves_own, error)
               : STATUS_OK;
}

static enum status open_database(struct run_session *session, const char *text, enum open_mode mode,
                                 struct uri **uri, struct database **database, struct error *error)
{
    const struct connector *connector;
    struct state_folder folder;
    if (registry_resolve(text, session->arena, uri, &connector, error) != STATUS_OK ||
        state_folder_name(&folder, session->state_path, session->arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool fits = mode == OPEN_SOURCE ? connector->source != NULL && connector->catalog != NULL
                                    : connector->target != NULL && connector->store != NULL;
    if (!fits) {
        return error_set(error, ERROR_USAGE, (*uri)->shown, "%s can't be a %s", connector->title,
                         mode == OPEN_SOURCE ? "source" : "target");
    }
    const struct open_options open = {
        .mode = mode,
        .uri = *uri,
        .spill_folder = session_make_spill_folder(
            &folder, mode == OPEN_SOURCE ? folder.spill_source : folder.spill_target),
        .memory_bytes = options_cache_bytes(&session->options),
        .timeout_ms = session->options.limits.timeout_ms,
        .read_only = session->options.validating,
        .ledger_schema = database == &session->target ? session->options.sides.ledger_schema : NULL,
        .read_units_per_second_max = session->options.limits.read_units_per_second_max,
        .write_units_per_second_max = session->options.limits.write_units_per_second_max,
        .schemas = database == &session->source ? session->options.selection.schemas
                                                : (struct column_list){0},
        .mirrors = database == &session->mirror,
        .no_code = session->options.making.no_code,
        .recovers = session->options.follow.recovers};
    if ((!session->options.validating &&
         check_caps(session, connector, mode, *uri, error) != STATUS_OK) ||
        (database == &session->target &&
         home_check_schema(session, connector, session->options.sides.ledger_uri, error) !=
             STATUS_OK) ||
        opening_open(connector, *uri, &open, session->arena, database, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    (*database)->time_zone = database == &session->source ? NULL : session->time_zone;
    (*database)->carries_rights = session->options.making.carries_rights;
    (*database)->definer =
        session->options.making.definer == DEFINERS_SELF ? DEFINER_SELF : DEFINER_KEEP;
    (*database)->jobs = session->options.limits.jobs;
    if ((database == &session->source && take_schemas(session, error) != STATUS_OK) ||
        (database == &session->mirror && give_schemas(session, *database, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    return database == &session->target
               ? home_open(session, session->options.sides.ledger_uri, error)
               : STATUS_OK;
}

/* A mirror of standard output would be standard input: other bytes, from somewhere else. */
static enum status refuse_stream(struct run_session *session, const char *target,
                                 struct error *error)
{
    struct uri *uri;
    const struct connector *connector;
    if (registry_resolve(target, session->arena, &uri, &connector, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!uri_is_stream(uri, connector)) {
        return STATUS_OK;
    }
    error_set(error, ERROR_USAGE, uri->shown,
              "what went to standard output can't be read again, so it can't be validated");
    error_hint(error,
               "migrate into a folder, or put what came out into one as DIR/TABLE.%s, and "
               "`transhume validate SOURCE %s:DIR`",
               connector->name, connector->name);
    return STATUS_FAILED;
}

/* A target that is not there is said to be so before anything could make it. */
static enum status open_mirror(struct run_session *session, const char *target, struct error *error)
{
    struct uri *uri;
    if (refuse_stream(session, target, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (open_database(session, target, OPEN_SOURCE, &uri, &session->mirror, error) == STATUS_OK) {
        return STATUS_OK;
    }
    if (error->code == ERROR_SOURCE_MISSING) {
        error_recode(error, ERROR_TARGET_MISSING);
        error_hint(error, "there is nothing to validate: was the target moved, or never made?");
    }
    return STATUS_FAILED;
}

/* The caps of a validation: a repair is a run of its own. What the plan says for its run is told by
 * that run; `asked` is what was said now. */
static enum status check_caps_of_validation(const struct run_session *session,
                                            const struct run_options *asked, struct error *error)
{
    const struct connector *source = session->source->connector;
    const struct connector *target = session->target->connector;
    if (asked->repair.may_repair) {
        return check_caps(session, source, OPEN_SOURCE, session->source_uri, error) == STATUS_OK
                   ? check_caps(session, target, OPEN_TARGET, session->target_uri, error)
                   : STATUS_FAILED;
    }
    if (asked->limits.read_units_per_second_max > 0 &&
        ((source->capabilities | target->capabilities) & CAPABILITY_UNITS) == 0) {
        log_write(LOG_WARNING, "--read-units-per-second has no effect: neither side has capacity "
                               "units; cap the reading with --rows-per-second or "
                               "--bytes-per-second");
    }
    if (asked->limits.write_units_per_second_max > 0) {
        log_write(LOG_WARNING, "--write-units-per-second has no effect: nothing is written without "
                               "--repair; cap the reading with --read-units-per-second");
    }
    return STATUS_OK;
}

static enum status refuse_same(const struct run_session *session, const char *schema,
                               struct error *error)
{
    if (schema == NULL) {
        error_set(error, ERROR_SAME_DATABASE, session->target_uri->shown,
                  "source and target are the same database");
        return error_hint(error, "name another target");
    }
    error_set(error, ERROR_SAME_DATABASE, session->target_uri->shown,
              "the schema %s of the source would be written to itself", schema);
    return error_hint(error, "name another target, or choose the source's schemas with --schema");
}

/* None of several schemas may be one that is written. */
static enum status check_schemas(struct run_session *session, struct error *error)
{
    const struct catalog_functions *catalog = session->source->connector->catalog;
    struct database *source = session->source;
    const char *identity = NULL;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < source->scope.others.count; i++) {
        const char *schema = source->scope.others.names[i];
        status = catalog->identity_in(source, schema, session->arena, &identity, error);
        if (status == STATUS_OK && strcmp(identity, session->target_identity) == 0) {
            status = refuse_same(session, schema, error);
        }
        if (status != STATUS_OK || session->target->connector != source->connector ||
            (session->target->capabilities & CAPABILITY_SCHEMAS) == 0) {
            continue;
        }
        const char *written = NULL;
        status = catalog->identity_in(session->target, schema, session->arena, &written, error);
        if (status == STATUS_OK && strcmp(identity, written) == 0) {
            status = refuse_same(session, schema, error);
        }
    }
    return status;
}

/* The schemas are settled by what is known of both sides, once both are open. */
static enum status settle_schemas(struct run_session *session, struct error *error)
{
    bool same = strcmp(session->source_identity, session->target_identity) == 0;
    if (same && !session->source->scope.leaves_own) {
        return refuse_same(session, NULL, error);
    }
    return check_schemas(session, error) == STATUS_OK
               ? give_schemas(session, session->target, error)
               : STATUS_FAILED;
}

static enum status open_endpoints(struct run_session *session, struct error *error)
{
    const char *source = session->options.sides.source_uri;
    const char *target = session->options.sides.target_uri;
    if (source == NULL && session->document != NULL) {
        source = plan_document_source(session->document);
    }
    if (target == NULL && session->document != NULL) {
        target = plan_document_target(session->document);
    }
    if (source == NULL || target == NULL) {
        error_set(error, ERROR_USAGE, source == NULL ? "source" : "target",
                  "is not named, neither by a plan nor on the command line");
        error_hint(error, "name both: transhume migrate SOURCE TARGET, or write a plan with "
                          "`transhume init SOURCE TARGET`");
        return STATUS_FAILED;
    }
    progress_enter(&session->progress, PROGRESS_CONNECT);
    if (parameters_add(&session->options, &source, &target, session->arena, error) != STATUS_OK ||
        open_database(session, source, OPEN_SOURCE, &session->source_uri, &session->source,
                      error) != STATUS_OK ||
        (session->options.validating && open_mirror(session, target, error) != STATUS_OK) ||
        session->source->connector->identity(session->source, session->arena,
                                             &session->source_identity, error) != STATUS_OK ||
        open_database(session, target, OPEN_TARGET, &session->target_uri, &session->target,
                      error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return settle_schemas(session, error);
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

/* Settings that tables that are copied whole bring along beside their schema. */
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

/* The lines of it that a resume finds again, and those that a plain copy carries. */
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

/* A table that is new in a source that is followed must not end that: one of which the plan can
 * make nothing is left out. */
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
                   open_endpoints(session, error) == STATUS_OK &&
                   (!asked->validating ||
                    check_caps_of_validation(session, asked, error) == STATUS_OK) &&
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
    enum status status = take_from_local_run(session, &past, error);
    if (status == STATUS_OK && session->options.sides.plan_path != NULL) {
        form =
            plan_document_read(session->options.sides.plan_path, &session->document, faults, error);
        status = session->document != NULL ? STATUS_OK : form;
    }
    if (status == STATUS_OK) {
        struct error more = {0};
        leave_other_run(session, options, &past);
        take_plan_uris(session, &past);
        take_time_zone(session, &past);
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

/* Folders that opening made go, if no run came of it: rmdir(2) spares all that is not empty. */
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
