/* Opening both databases of a session: schemas, capacity caps, streams, and what a comparison reads
 * the target through. */
#include "engine/session/endpoints.h"

#include "base/log.h"
#include "connectors/common/scope.h"
#include "engine/session/home.h"
#include "engine/session/opening.h"
#include "engine/session/options.h"
#include "engine/session/parameters.h"
#include <string.h>
#include <unistd.h>

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

enum status endpoints_check_caps(const struct run_session *session, const struct run_options *asked,
                                 struct error *error)
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

/* Settles the schemas of both, once both are open. */
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

enum status endpoints_open(struct run_session *session, struct error *error)
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
