/* Opening and closing the database that holds the ledger. */
#include "engine/session/home.h"

#include "engine/session/opening.h"
#include "engine/session/options.h"
#include <string.h>

enum { LEASE_MS_MIN = 1000 };

static enum status open_elsewhere(struct run_session *session, const char *uri, struct error *error)
{
    const struct connector *connector;
    const char *identity;
    if (registry_resolve(uri, session->arena, &session->home_uri, &connector, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    session->options.sides.ledger_uri =
        session->home_uri->shown; /* without secrets: logs and state show it */
    if (connector->store == NULL || connector->target == NULL ||
        uri_is_stream(session->home_uri, connector)) {
        error_set(error, ERROR_USAGE, session->home_uri->shown, "%s can't hold a ledger",
                  connector->title);
        error_hint(error, "name another database with --ledger: a SQLite file for one machine, "
                          "PostgreSQL or MySQL for many");
        return STATUS_FAILED;
    }
    const struct open_options open = {.mode = OPEN_TARGET,
                                      .uri = session->home_uri,
                                      .memory_bytes = options_cache_bytes(&session->options),
                                      .timeout_ms = session->options.limits.timeout_ms,
                                      .read_only = session->options.validating};
    if (opening_open(connector, session->home_uri, &open, session->arena, &session->home, error) !=
            STATUS_OK ||
        connector->identity(session->home, session->arena, &identity, error) != STATUS_OK) {
        error_context(error, "--ledger: ");
        return STATUS_FAILED;
    }
    if (session->source != NULL && session->source->connector == connector &&
        strcmp(identity, session->source_identity) == 0) {
        error_set(error, ERROR_USAGE, session->home_uri->shown,
                  "the source can't hold the ledger: nothing is written to it");
        return error_hint(error, "name another database with --ledger");
    }
    if (session->target->connector == connector &&
        strcmp(identity, session->target_identity) == 0) {
        connector->close(session->home);
        session->home = NULL;
    }
    return STATUS_OK;
}

enum status home_check_schema(const struct run_session *session, const struct connector *connector,
                              const char *uri, struct error *error)
{
    const char *schema = session->options.sides.ledger_schema;
    if (schema == NULL) {
        return STATUS_OK;
    }
    if (uri != NULL) {
        error_set(error, ERROR_USAGE, schema, "--ledger names another database for the ledger");
        return error_hint(error, "say its schema there, as in --ledger '…?schema=NAME'");
    }
    if (connector->store == NULL || !connector->store->in_schema) {
        error_set(error, ERROR_USAGE, schema,
                  "in %s the ledger can't be kept in a schema of its own", connector->title);
        return error_hint(error, "leave out --ledger-schema; --ledger URI keeps it in another "
                                 "database");
    }
    return STATUS_OK;
}

enum status home_open(struct run_session *session, const char *uri, struct error *error)
{
    struct database *target = session->target;
    if (target->connector->identity(target, session->arena, &session->target_identity, error) !=
            STATUS_OK ||
        (uri != NULL && (target->capabilities & CAPABILITY_NO_RESUME) == 0 &&
         open_elsewhere(session, uri, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (session->home != NULL && target->lease_ms == 0) {
        target->lease_ms = session->options.limits.timeout_ms > LEASE_MS_MIN
                               ? session->options.limits.timeout_ms
                               : LEASE_MS_MIN;
    }
    return ledger_open(target, home_database(session), &session->ledger, error);
}

struct database *home_database(const struct run_session *session)
{
    return session->home != NULL ? session->home : session->target;
}

void home_close_target(struct run_session *session)
{
    ledger_close(session->ledger);
    session->ledger = NULL;
    if (session->target != NULL) {
        session->target->connector->close(session->target);
        session->target = NULL;
    }
    if (session->home != NULL) {
        session->home->connector->close(session->home);
        session->home = NULL;
    }
}

enum status home_refuse_missing(const struct run *run, const char *run_id, struct error *error)
{
    const struct run_session *session = run->session;
    bool elsewhere = home_is_elsewhere(session);
    error_set(error, ERROR_LEDGER_MISSING, run->folder.path,
              "%s%s knows nothing of run %s, which is not finished",
              elsewhere ? "the ledger in " : "the target",
              elsewhere ? session->home_uri->shown : "", run_id);
    return error_hint(error, "%s",
                      session->options.sides.ledger_schema != NULL
                          ? "is --ledger-schema the one that the run began with? Without it the "
                            "commands take that one"
                      : elsewhere
                          ? "is --ledger the one that the run began with? Without it the "
                            "commands take that one"
                          : "was the target replaced, or its ledger dropped? `transhume reset "
                            "--confirm` forgets the run here; then `transhume migrate` into "
                            "an empty target");
}

bool home_is_elsewhere(const struct run_session *session)
{
    return session->home != NULL;
}

bool home_repeats_chunks(const struct run_session *session)
{
    return home_is_elsewhere(session) &&
           (session->target->capabilities & CAPABILITY_TRANSACTIONS) != 0;
}
