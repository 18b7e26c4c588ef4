/* The walsender's connection: START_REPLICATION, what comes, and what is told of it. */
#include "base/clock.h"
#include "base/text.h"
#include "connectors/postgres/follow/feed.h"
#include <stdio.h>
#include <string.h>

enum { WAIT_SLICE_MS = 1000 };

/* ---------------------------------------------------------------- connecting */

/* Why nobody may replicate here. */
static enum status no_walsender(struct postgres_database *self, struct error *error)
{
    const char *said = error->message;
    if (strstr(said, "max_wal_senders") != NULL) {
        error_recode(error, ERROR_NETWORK);
        error->class = ERROR_CLASS_STOP;
        return error_hint(error, "ALTER SYSTEM SET max_wal_senders = …; then restart the server");
    }
    if (strstr(said, "pg_hba.conf") != NULL) {
        return error_hint(error, "pg_hba.conf needs a line for this database, role and address");
    }
    if (strstr(said, "walsender") != NULL || strstr(said, "WAL sender") != NULL ||
        strstr(said, "REPLICATION") != NULL) {
        error_set(error, ERROR_PERMISSION, self->sql.shown,
                  "the role %s may not replicate, which a feed of changes needs",
                  PQuser(self->control));
        struct buffer hint = {0};
        postgres_append(&hint, "ALTER ROLE %n REPLICATION", PQuser(self->control));
        error_hint(error, "%s", buffer_string(&hint));
        buffer_free(&hint);
        return STATUS_FAILED;
    }
    return STATUS_FAILED;
}

/* Names of objects among the values are told as in the sessions that read a copy. */
static enum status set_path(struct postgres_database *self, PGconn *walsender, struct error *error)
{
    return postgres_execute_buffer(self, walsender,
                                   postgres_sql(POSTGRES_PATH_OF("%q"), self->sql.schema),
                                   SQL_SHORT, ERROR_SOURCE_READ, error);
}

enum status postgres_feed_connect(struct postgres_database *self, PGconn **connection,
                                  struct error *error)
{
    if (postgres_connect_walsender(self, connection, error) != STATUS_OK) {
        return no_walsender(self, error);
    }
    /* whoever applies changes may be busy for longer than the server's default */
    if (set_path(self, *connection, error) != STATUS_OK ||
        postgres_execute(self, *connection, "SET wal_sender_timeout = '10min'", SQL_SHORT,
                         ERROR_SOURCE_READ, error) != STATUS_OK) {
        postgres_disconnect(*connection);
        *connection = NULL;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- who the server is */

/* A walsender takes no statements with parameters, and what it answers to commands is text. */
static enum status feed_stream_ask(struct postgres_database *self, PGconn *walsender,
                                   const char *command, PGresult **result, struct error *error)
{
    PGresult *rest = NULL;
    *result = NULL;
    if (PQsendQuery(walsender, command) == 0) {
        return postgres_failure(self, walsender, NULL, ERROR_NETWORK, error);
    }
    enum status status = postgres_next_result(self, walsender, SQL_SHORT, result, error);
    if (status == STATUS_OK && PQresultStatus(*result) != PGRES_TUPLES_OK) {
        status = postgres_failure(self, walsender, *result, ERROR_SOURCE_READ, error);
    }
    while (status == STATUS_OK &&
           postgres_next_result(self, walsender, SQL_SHORT, &rest, error) == STATUS_OK &&
           rest != NULL) {
        PQclear(rest);
    }
    if (status != STATUS_OK) {
        PQclear(*result);
        *result = NULL;
    }
    return status;
}

enum status postgres_feed_identify(struct postgres_database *self, PGconn *connection,
                                   struct feed_place *place, struct error *error)
{
    PGresult *result = NULL;
    uint64_t timeline = 0;
    if (feed_stream_ask(self, connection, "IDENTIFY_SYSTEM", &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool read = PQntuples(result) == 1 && PQnfields(result) >= 3 &&
                text_to_uint64(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0),
                               &place->system) == STATUS_OK &&
                text_to_uint64(PQgetvalue(result, 0, 1), (size_t)PQgetlength(result, 0, 1),
                               &timeline) == STATUS_OK &&
                postgres_feed_read_lsn(PQgetvalue(result, 0, 2), &place->lsn);
    place->timeline = (uint32_t)timeline;
    PQclear(result);
    return read ? STATUS_OK
                : error_set(error, ERROR_SOURCE_READ, self->sql.shown,
                            "the server does not say which system it is");
}

/* Lines of "TIMELINE\tLSN\tREASON": where that one ended. */
static void read_history(const char *history, uint32_t timeline, uint64_t *end)
{
    for (const char *line = history; line != NULL && *line != '\0';) {
        size_t digits = strspn(line, "0123456789");
        uint64_t number = 0;
        char lsn[FEED_LSN_TEXT_BYTES];
        const char *at = line + digits + strspn(line + digits, "\t ");
        snprintf(lsn, sizeof lsn, "%.*s", (int)strcspn(at, "\t \n"), at);
        if (digits > 0 && text_to_uint64(line, digits, &number) == STATUS_OK &&
            number == timeline) {
            (void)postgres_feed_read_lsn(lsn, end);
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
}

enum status postgres_feed_timeline_end(struct postgres_database *self, PGconn *connection,
                                       uint32_t current, uint32_t timeline, uint64_t *end,
                                       struct error *error)
{
    char command[48];
    PGresult *result = NULL;
    *end = UINT64_MAX;
    snprintf(command, sizeof command, "TIMELINE_HISTORY %u", current);
    if (feed_stream_ask(self, connection, command, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (PQntuples(result) == 1 && PQnfields(result) >= 2) {
        read_history(PQgetvalue(result, 0, 1), timeline, end);
    }
    PQclear(result);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- starting */

static int protocol_of(int server_version)
{
    return server_version >= 160000   ? 4
           : server_version >= 150000 ? 3
           : server_version >= 140000 ? 2
                                      : 1;
}

enum status postgres_feed_start(struct feed *feed, struct error *error)
{
    struct postgres_database *self = feed->self;
    PGresult *result = NULL;
    char lsn[FEED_LSN_TEXT_BYTES];
    int version = self->server_version;
    bool streams = version >= 140000 && self->feed_streams && self->spill_folder != NULL;
    postgres_feed_print_lsn(feed->place.lsn, lsn);
    enum status status = postgres_send_buffer(
        self, feed->stream,
        postgres_sql("START_REPLICATION SLOT \"%s\" LOGICAL %s (proto_version '%d', "
                     "publication_names '\"%s\"'%s%s%s)",
                     feed->name, lsn, protocol_of(version), feed->name,
                     version >= 140000 ? ", messages 'true'" : "",
                     streams ? ", streaming 'on'" : "",
                     feed->only_local && version >= 160000 ? ", origin 'none'" : ""),
        error);
    if (status == STATUS_OK) {
        status = postgres_next_result(self, feed->stream, SQL_SHORT, &result, error);
    }
    if (status == STATUS_OK && PQresultStatus(result) != PGRES_COPY_BOTH) {
        status = postgres_failure(self, feed->stream, result, ERROR_SOURCE_READ, error);
    }
    PQclear(result);
    feed->status_ms = clock_monotonic_ms();
    return status;
}

/* ---------------------------------------------------------------- what comes */

/* The log that the slot needs, or what it was decoded by, is gone for good. */
static bool is_lost(const struct error *error)
{
    static const char *const words[] = {"has already been removed",  "can no longer get changes",
                                        "can no longer be obtained", "has been invalidated",
                                        "conflicting with recovery", "replication slot \""};
    for (size_t i = 0; i < sizeof words / sizeof words[0] - 1; i++) {
        if (strstr(error->message, words[i]) != NULL) {
            return true;
        }
    }
    return strstr(error->message, words[5]) != NULL && strcmp(error->native_state, "42704") == 0;
}

static enum status stream_ended(struct feed *feed, struct error *error)
{
    PGresult *result = NULL;
    if (postgres_next_result(feed->self, feed->stream, SQL_SHORT, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (result == NULL || PQresultStatus(result) != PGRES_FATAL_ERROR) {
        PQclear(result);
        return error_set(error, ERROR_NETWORK, feed->self->sql.shown,
                         "the server ended the stream of changes, as it does when it stops");
    }
    postgres_failure(feed->self, feed->stream, result, ERROR_SOURCE_READ, error);
    PQclear(result);
    if (is_lost(error)) {
        char why[sizeof error->message];
        memcpy(why, error->message, sizeof why);
        return postgres_feed_lost(feed->name, why, error);
    }
    return STATUS_FAILED;
}

enum status postgres_feed_receive(struct feed *feed, int64_t timeout_ms, char **data,
                                  size_t *length, struct error *error)
{
    int64_t end = clock_monotonic_ms() + timeout_ms;
    *data = NULL;
    for (bool looked = false;;) {
        int got = PQgetCopyData(feed->stream, data, 1);
        if (got > 0) {
            *length = (size_t)got;
            return STATUS_OK;
        }
        if (got < 0) {
            return stream_ended(feed, error);
        }
        int64_t left = end - clock_monotonic_ms();
        if (looked && left <= 0) {
            return STATUS_OK;
        }
        if (looked && !postgres_wait(feed->self, feed->stream, PQflush(feed->stream) > 0,
                                     left < WAIT_SLICE_MS ? left : WAIT_SLICE_MS)) {
            continue;
        }
        looked = true;
        if (PQconsumeInput(feed->stream) == 0) {
            return postgres_failure(feed->self, feed->stream, NULL, ERROR_NETWORK, error);
        }
    }
}

enum status postgres_feed_send_status(struct feed *feed, bool wants_reply, struct error *error)
{
    uint8_t status[PGOUTPUT_STATUS_BYTES];
    pgoutput_write_status(feed->received, feed->confirmed, clock_utc_us(), wants_reply, status);
    if (PQputCopyData(feed->stream, (const char *)status, sizeof status) < 0 ||
        PQflush(feed->stream) < 0) {
        return postgres_failure(feed->self, feed->stream, NULL, ERROR_NETWORK, error);
    }
    feed->acknowledged = feed->confirmed;
    feed->status_ms = clock_monotonic_ms();
    return STATUS_OK;
}
