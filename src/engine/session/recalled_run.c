/* The run of the state folder that a command is about, and what is taken from it. */
#include "engine/session/recalled_run.h"

#include "base/file.h"
#include "base/secret.h"
#include "base/trust.h"
#include "connectors/common/uri.h"
#include "engine/folder/past_runs.h"
#include "engine/formats/mended_line.h"
#include "plan/text/connections.h"
#include <string.h>
#include <sys/stat.h>

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

enum status recalled_run_find(struct run_session *session, struct past_run *taken,
                              struct error *error)
{
    struct run_options *options = &session->options;
    struct past_run current;
    bool named = options->sides.source_uri != NULL || options->sides.target_uri != NULL;
    bool may_be_over =
        options->command != RUN_BEGIN || options->validating || options->repair.file != NULL;
    bool is_known =
        options->command != RUN_BEGIN || options->repair.file != NULL; /* which one is meant */
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
        bool lost = options->command == RUN_BEGIN && may_be_over && local.plan_path != NULL &&
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

void recalled_run_leave(struct run_session *session, const struct run_options *asked,
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

void recalled_run_uris(struct run_session *session, const struct past_run *past)
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

void recalled_run_time_zone(struct run_session *session, const struct past_run *past)
{
    struct run_options *options = &session->options;
    const char *planned = plan_document_option(session->document, "time_zone");
    const char *planned_then = past->local.plan_time_zone;
    if (options->sides.time_zone == NULL && past->local.time_zone != NULL &&
        (planned == NULL || (planned_then != NULL && strcmp(planned, planned_then) == 0))) {
        options->sides.time_zone = past->local.time_zone;
    }
}
