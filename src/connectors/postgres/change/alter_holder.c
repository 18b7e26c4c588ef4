/* Who changes the schema: the advisory lock, what its holder does, and that holder's end. */
#include "base/log.h"
#include "base/text.h"
#include "connectors/common/lease.h"
#include "connectors/postgres/change/alter.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/target.h"
#include "connectors/sql/sessions.h"
#include "postgres_sql.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* As pg_locks shows the key in two halves. */
#define OF_LOCK                                                                                \
    "l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.classid = $1::oid AND "    \
    "l.objid = $2::oid AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE " \
    "d.datname = pg_catalog.current_database())"

/* The history's name of a session; `a` is of pg_stat_activity. */
#define SESSION "a.pid || ' ' || (extract(epoch FROM a.backend_start) * 1000000)::bigint"

struct halves {
    char text[2][16];
    struct postgres_parameter parameters[2];
};

static void split_key(const struct postgres_alter *session, struct halves *halves)
{
    uint64_t key = (uint64_t)session->lock_key;
    snprintf(halves->text[0], sizeof halves->text[0], "%u", (unsigned)(key >> 32));
    snprintf(halves->text[1], sizeof halves->text[1], "%u", (unsigned)key);
    for (int i = 0; i < 2; i++) {
        halves->parameters[i] = (struct postgres_parameter){.text = halves->text[i]};
    }
}

/* ---------------------------------------------------------------- who has it */

static const char holder_sql[] =
    "SELECT a.pid, a.application_name, a.usename, a.state, pg_catalog.floor(extract(epoch FROM "
    "pg_catalog.clock_timestamp() - coalesce(a.xact_start, a.state_change))), pg_catalog.left("
    "pg_catalog.regexp_replace(a.query, '^(BEGIN; )?(SET LOCAL \\w+ = \\w+; )*', ''), 200), " SESSION
    ", "
    "(extract(epoch FROM a.backend_start) * 1000000)::bigint, p.phase || CASE WHEN "
    "p.blocks_total > 0 THEN ' ' || (100 * p.blocks_done / p.blocks_total) || ' %' ELSE '' END "
    "FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid LEFT "
    "JOIN pg_catalog.pg_stat_progress_create_index AS p ON p.pid = l.pid WHERE " OF_LOCK;

static const char *value(const PGresult *row, int column)
{
    return PQgetisnull(row, 0, column) != 0 ? "" : PQgetvalue(row, 0, column);
}

/* Who claimed the history in that same session says more of himself than the server knows. */
static void tell_claim(struct postgres_alter *session, const char *name,
                       struct ledger_holder *found)
{
    struct arena *arena = arena_create(0);
    struct history_claim claim;
    struct error error = {0};
    if (sql_history_claim_read(&session->base, arena, &claim, &error) == STATUS_OK &&
        claim.session != NULL && strcmp(claim.session, name) == 0) {
        *found = claim.holder;
        found->lease_ms = 0;
    }
    arena_destroy(arena);
}

static void alter_holder_tell(struct postgres_alter *session, const PGresult *row,
                              struct ledger_holder *found)
{
    char words[SQL_HOLDER_BYTES];
    const struct sql_session holder = {.number = value(row, 0),
                                       .application = value(row, 1),
                                       .user = value(row, 2),
                                       .state = value(row, 3),
                                       .seconds = value(row, 4),
                                       .query = value(row, 5)};
    tell_claim(session, value(row, 6), found);
    if (found->pid == 0) { /* it claims in a moment */
        const char *since = value(row, 7);
        (void)!text_to_int64(since, strlen(since), &found->since_us);
    }
    sql_session_describe(&holder, words);
    struct buffer name = {0};
    buffer_format(&name, "%s%s%s%s%s", found->name, found->name[0] != '\0' ? ", " : "",
                  value(row, 8), value(row, 8)[0] != '\0' ? ", " : "", words);
    name.length = text_clip(name.data, name.length, sizeof found->name - 1);
    snprintf(found->name, sizeof found->name, "%s", buffer_string(&name));
    buffer_free(&name);
}

static enum status find_holder(struct postgres_alter *session, struct ledger_holder *found,
                               struct error *error)
{
    struct halves halves;
    PGresult *rows = NULL;
    split_key(session, &halves);
    enum status status =
        postgres_catalog_query(session->database, session->connection, holder_sql,
                               halves.parameters, 2, SQL_SHORT, ERROR_TARGET_LOCKED, &rows, error);
    if (status == STATUS_OK && PQntuples(rows) > 0) {
        alter_holder_tell(session, rows, found);
    } else if (status == STATUS_OK) {
        snprintf(found->name, sizeof found->name, "a session that has just ended");
    }
    PQclear(rows);
    return status == STATUS_OK ? STATUS_AGAIN : postgres_alter_lost(session, status, error);
}

/* ---------------------------------------------------------------- taking it */

/* A migration may have given it up: DISCARD ALL, pg_advisory_unlock_all(). */
static enum status still_ours(struct postgres_alter *session, struct error *error)
{
    struct halves halves;
    PGresult *rows = NULL;
    split_key(session, &halves);
    enum status status = postgres_catalog_query(
        session->database, session->connection,
        "SELECT 1 FROM pg_catalog.pg_locks AS l WHERE l.pid = pg_catalog.pg_backend_pid() AND " OF_LOCK,
        halves.parameters, 2, SQL_SHORT, ERROR_NETWORK, &rows, error);
    bool ours = status == STATUS_OK && PQntuples(rows) > 0;
    PQclear(rows);
    if (status != STATUS_OK) {
        return postgres_alter_lost(session, status, error);
    }
    if (!ours) {
        error_set(error, ERROR_RUN_FENCED, session->base.shown,
                  "this session does not hold the lock of the schema any more");
        error_hint(error, "a migration gave it up: leave DISCARD ALL and pg_advisory_unlock_all() "
                          "out of it");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

enum status postgres_alter_lock_again(struct postgres_alter *session, struct error *error)
{
    struct ledger_holder found;
    struct error lost = {0};
    enum status status = still_ours(session, &lost);
    if (status == STATUS_OK || lost.code != ERROR_RUN_FENCED) {
        return status == STATUS_OK ? status : error_copy(error, &lost);
    }
    session->locked = false;
    status = postgres_alter_lock(&session->base, NULL, &found, error);
    if (status == STATUS_OK) {
        log_write(LOG_WARNING, "%s: a migration gave the lock of the schema up; it was taken again",
                  session->base.shown);
    }
    return status == STATUS_AGAIN ? error_copy(error, &lost) : status;
}

enum status postgres_alter_lock(struct alter_session *base, const struct ledger_holder *self,
                                struct ledger_holder *found, struct error *error)
{
    struct postgres_alter *session = postgres_alter_of(base);
    PGresult *result = NULL;
    (void)self;
    if (session->locked) {
        return still_ours(session, error);
    }
    enum status status = postgres_catalog_query_buffer(
        session->database, session->connection,
        postgres_sql("SELECT pg_catalog.pg_try_advisory_lock(%D), " SESSION
                     " FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) AS a",
                     session->lock_key),
        NULL, 0, SQL_SHORT, ERROR_TARGET_LOCKED, &result, error);
    session->locked =
        status == STATUS_OK && PQntuples(result) > 0 && PQgetvalue(result, 0, 0)[0] == 't';
    if (session->locked) {
        snprintf(session->base.name, sizeof session->base.name, "%s", PQgetvalue(result, 0, 1));
    }
    PQclear(result);
    if (status != STATUS_OK) {
        return postgres_alter_lost(session, status, error);
    }
    *found = (struct ledger_holder){0};
    return session->locked ? STATUS_OK : find_holder(session, found, error);
}

/* ---------------------------------------------------------------- ending it */

enum status postgres_alter_end_holder(struct alter_session *base, struct error *error)
{
    struct postgres_alter *session = postgres_alter_of(base);
    return postgres_sessions_end_key(session->database, session->connection,
                                     (uint64_t)session->lock_key, error);
}
