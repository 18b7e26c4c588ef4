/* How far a long statement is, as the server's views of progress tell. */
#include "base/clock.h"
#include "base/text.h"
#include "connectors/postgres/change/alter.h"
#include <stdio.h>
#include <string.h>

enum { LOOK_EACH_MS = 1000 };

/* Rows and blocks done of all, in words and as a share below 1; the newest phase of whatever the
 * session is at. */
static const char progress_sql[] =
    "SELECT phase, CASE WHEN done_of > 0 THEN done::float8 / done_of ELSE -1 END FROM ("
    "SELECT phase, CASE WHEN blocks_total > 0 THEN blocks_done ELSE tuples_done END AS done, CASE "
    "WHEN blocks_total > 0 THEN blocks_total ELSE tuples_total END AS done_of FROM "
    "pg_catalog.pg_stat_progress_create_index WHERE pid = $1::int UNION ALL "
    "SELECT command || ': ' || phase, heap_blks_scanned, heap_blks_total FROM "
    "pg_catalog.pg_stat_progress_cluster WHERE pid = $1::int UNION ALL "
    "SELECT 'VACUUM: ' || phase, heap_blks_scanned, heap_blks_total FROM "
    "pg_catalog.pg_stat_progress_vacuum WHERE pid = $1::int UNION ALL "
    "SELECT CASE wait_event_type WHEN 'Lock' THEN 'waiting for a lock that session ' || "
    "pg_catalog.array_to_string(pg_catalog.pg_blocking_pids(pid), ', ') || ' holds' END, 0, 0 FROM "
    "pg_catalog.pg_stat_activity WHERE pid = $1::int AND wait_event_type = 'Lock') AS p WHERE "
    "phase IS NOT NULL LIMIT 1";

static void alter_progress_ask(struct postgres_alter *session,
                               struct postgres_alter_progress *progress,
                               const struct alter_request *request)
{
    char pid[24];
    const struct postgres_parameter parameter = {.text = pid};
    PGresult *row = NULL;
    struct error ignored;
    snprintf(pid, sizeof pid, "%d", PQbackendPID(session->connection));
    if (postgres_catalog_query(session->database, progress->beside, progress_sql, &parameter, 1,
                               SQL_PROBE, ERROR_NETWORK, &row, &ignored) != STATUS_OK) {
        request->progress(request->context, -1, NULL);
        return;
    }
    double done = -1;
    bool any = PQntuples(row) > 0;
    if (any) {
        (void)sscanf(PQgetvalue(row, 0, 1), "%lf", &done);
    }
    request->progress(request->context, done, any ? PQgetvalue(row, 0, 0) : NULL);
    PQclear(row);
}

void postgres_alter_progress_look(struct postgres_alter *session,
                                  struct postgres_alter_progress *progress,
                                  const struct alter_request *request)
{
    int64_t now_ms = clock_monotonic_ms();
    struct error ignored;
    if (request->progress == NULL) {
        return;
    }
    if (progress->look_ms == 0) {
        progress->look_ms = now_ms + LOOK_EACH_MS;
    }
    if (now_ms < progress->look_ms) {
        return;
    }
    /* a pooler's sessions have other numbers */
    bool asks = !session->database->pooled &&
                (progress->beside != NULL ||
                 postgres_reach(session->database, &progress->beside, &ignored) == STATUS_OK);
    if (asks) {
        alter_progress_ask(session, progress, request);
    } else {
        request->progress(request->context, -1, NULL);
    }
    progress->look_ms = clock_monotonic_ms() + LOOK_EACH_MS;
}

void postgres_alter_progress_end(struct postgres_alter_progress *progress)
{
    postgres_disconnect(progress->beside);
    progress->beside = NULL;
}
