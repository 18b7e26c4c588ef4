/* The slot: what the server says of it, making and dropping it. */
#include "base/clock.h"
#include "base/text.h"
#include "connectors/postgres/follow/feed.h"
#include "postgres_sql.h"
#include <stdio.h>
#include <string.h>

/* How long a session of a process that has ended may take to notice. */
enum { ENDING_MS = 5000, LOOK_MS = 50 };

enum status postgres_feed_lost(const char *name, const char *why, struct error *error)
{
    char kept[400];
    snprintf(kept, sizeof kept, "%s", why);
    error_set(error, ERROR_FEED_LOST, name, "the changes behind the feed's position are gone: %s",
              kept);
    return error_hint(error, "`transhume follow --resync` makes the feed again, compares both "
                             "sides, repairs the target and goes on");
}

enum status postgres_feed_held(const char *name, const char *pid, struct error *error)
{
    error_set(error, ERROR_RUN_HELD, name, "the slot %s is read by another process (pid %s)", name,
              pid);
    return error_hint(error, "end it there, or by SELECT pg_terminate_backend(%s)", pid);
}

static int64_t number_at(const PGresult *result, int column, int64_t otherwise)
{
    int64_t value = otherwise;
    return PQgetisnull(result, 0, column) == 0 &&
                   text_to_int64(PQgetvalue(result, 0, column),
                                 (size_t)PQgetlength(result, 0, column), &value) == STATUS_OK
               ? value
               : otherwise;
}

enum status postgres_feed_slot(struct postgres_database *self, PGconn *connection, const char *name,
                               struct feed_slot *slot, struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = name}};
    PGresult *result = NULL;
    *slot = (struct feed_slot){.bytes_kept = -1, .bytes_left = -1};
    if (postgres_catalog_query(self, connection, sql_feed_slot, parameters, 1, SQL_SHORT,
                               ERROR_SOURCE_READ, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    slot->there = PQntuples(result) == 1;
    if (slot->there) {
        slot->elsewhere = PQgetvalue(result, 0, 0)[0] == 't';
        slot->foreign = PQgetvalue(result, 0, 1)[0] == 't';
        slot->active = PQgetvalue(result, 0, 2)[0] == 't';
        snprintf(slot->pid, sizeof slot->pid, "%s", PQgetvalue(result, 0, 3));
        snprintf(slot->lost, sizeof slot->lost, "%s", PQgetvalue(result, 0, 4));
        (void)postgres_feed_read_lsn(PQgetvalue(result, 0, 5), &slot->confirmed);
        slot->bytes_kept = number_at(result, 6, -1);
        slot->bytes_left = number_at(result, 7, -1);
        (void)postgres_feed_read_lsn(PQgetvalue(result, 0, 8), &slot->written);
    }
    PQclear(result);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- making it */

enum status postgres_feed_refuse_server(struct postgres_database *self, struct error *error)
{
    PGresult *result = NULL;
    if (self->pooled) {
        error_set(error, ERROR_SOURCE_INVALID, self->sql.shown,
                  "a pooler stands before the server, through which nobody can replicate");
        return error_hint(error, "give the server's own address");
    }
    if (postgres_query(self, self->control, "SELECT pg_catalog.current_setting('wal_level')", NULL,
                       0, SQL_SHORT, ERROR_SOURCE_READ, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    char level[24];
    snprintf(level, sizeof level, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    if (strcmp(level, "logical") == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_INVALID, self->sql.shown,
              "the server's log does not tell changes: wal_level is %s", level);
    return error_hint(error, "ALTER SYSTEM SET wal_level = logical; then restart the server");
}

static enum status not_made(const char *name, struct error *error)
{
    if (strcmp(error->native_state, "53400") == 0) {
        error_set(error, ERROR_SOURCE_INVALID, name,
                  "the server has no replication slot left (max_replication_slots)");
        return error_hint(error, "ALTER SYSTEM SET max_replication_slots = …; then restart the "
                                 "server; or drop one that nobody reads: SELECT "
                                 "pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                                 "WHERE NOT active AND …");
    }
    if (error->code == ERROR_SOURCE_LOCKED || error->code == ERROR_TARGET_LOCKED) {
        error_context(error, "the slot waits for the transactions that were open before it: ");
        error_hint(error, "end the oldest: SELECT pid, xact_start, query FROM pg_stat_activity "
                          "WHERE backend_xid IS NOT NULL ORDER BY xact_start");
    }
    return STATUS_FAILED;
}

/* The answer: name, consistent point, snapshot, plugin. */
static enum status read_made(struct postgres_database *self, PGconn *maker, struct arena *arena,
                             struct feed_start *start, struct error *error)
{
    PGresult *result = NULL;
    PGresult *rest = NULL;
    struct feed_place place = {0};
    enum status status = postgres_next_result(self, maker, SQL_LONG, &result, error);
    if (status == STATUS_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        status = postgres_failure(self, maker, result, ERROR_SOURCE_READ, error);
    } else if (status == STATUS_OK &&
               !postgres_feed_read_lsn(PQgetvalue(result, 0, 1), &place.lsn)) {
        status = error_set(error, ERROR_SOURCE_READ, self->sql.shown,
                           "the server does not say where the slot begins");
    }
    if (status == STATUS_OK) {
        start->snapshot = arena_copy_string(arena, PQgetvalue(result, 0, 2));
    }
    PQclear(result);
    while (PQstatus(maker) == CONNECTION_OK &&
           postgres_next_result(self, maker, SQL_SHORT, &rest, NULL) == STATUS_OK && rest != NULL) {
        PQclear(rest);
    }
    uint64_t lsn = place.lsn;
    if (status == STATUS_OK) {
        PGconn *asking = NULL; /* another command on `maker` would end the snapshot */
        status = postgres_feed_connect(self, &asking, error);
        status = status == STATUS_OK ? postgres_feed_identify(self, asking, &place, error) : status;
        postgres_disconnect(asking);
        place.lsn = lsn;
        postgres_feed_put_place(&place, arena, &start->position);
    }
    return status;
}

bool postgres_feed_fails_over(const struct postgres_database *self)
{
    return self->feed_failover && self->server_version >= 170000 && !self->standby;
}

enum status postgres_feed_make_slot(struct postgres_database *self, PGconn *maker, const char *name,
                                    struct arena *arena, struct feed_start *start,
                                    struct error *error)
{
    bool failover = postgres_feed_fails_over(self);
    if (postgres_send_buffer(self, maker,
                             postgres_sql("CREATE_REPLICATION_SLOT \"%s\" LOGICAL pgoutput %s",
                                          name,
                                          self->server_version < 150000 ? "EXPORT_SNAPSHOT"
                                          : failover ? "(SNAPSHOT 'export', FAILOVER true)"
                                                     : "(SNAPSHOT 'export')"),
                             error) != STATUS_OK ||
        read_made(self, maker, arena, start, error) != STATUS_OK) {
        return not_made(name, error);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- dropping it */

enum status postgres_feed_drop_slot(struct postgres_database *self, PGconn *connection,
                                    const char *name, struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = name}};
    int64_t end = clock_monotonic_ms() + ENDING_MS;
    for (;;) {
        struct feed_slot slot;
        if (postgres_feed_slot(self, connection, name, &slot, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (!slot.there) {
            return STATUS_OK;
        }
        if (slot.elsewhere) {
            return error_set(error, ERROR_SOURCE_INVALID, name,
                             "the slot of this name is another database's");
        }
        if (!slot.active &&
            postgres_query(self, connection, "SELECT pg_catalog.pg_drop_replication_slot($1)",
                           parameters, 1, SQL_SHORT, ERROR_SOURCE_READ, NULL, error) == STATUS_OK) {
            return STATUS_OK;
        }
        bool in_use = slot.active || (error != NULL && strcmp(error->native_state, "55006") == 0);
        if (!in_use) {
            return STATUS_FAILED;
        }
        if (clock_monotonic_ms() >= end) {
            return postgres_feed_held(name, slot.pid, error);
        }
        clock_sleep_ms(LOOK_MS);
    }
}
