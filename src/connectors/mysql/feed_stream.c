/* The session that is sent the binary log, and where the log ends. */
#include "base/bytes.h"
#include "connectors/mysql/feed.h"
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum {
    DUMP_WITHOUT_WAITING = 1,
    FATAL_READING = 1236,
    NO_SUCH_RIGHT = 1227,
    ACCESS_DENIED = 1045,
    FIRST_EVENT = 4
};

static enum status run_settings(struct mysql_database *self, MYSQL *stream, struct error *error)
{
    static const char *const settings[] = {
        "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = "
        "@@global.binlog_checksum",
        /* nanoseconds: what the next set is waited for at most */
        "SET @master_heartbeat_period = 100000000, @source_heartbeat_period = 100000000",
        "SET @mariadb_slave_capability = 4",
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0] && status == STATUS_OK; i++) {
        status = mysql_run(self, stream, settings[i], SQL_SHORT, ERROR_SOURCE_READ, NULL, error);
    }
    return status;
}

/* What comes before the first description of the format has checksums as the others. */
enum status mysql_feed_ask_checksums(struct mysql_database *self, MYSQL *stream,
                                     struct binlog_format *format, struct error *error)
{
    MYSQL_RES *result = NULL;
    enum status status = mysql_run(self, stream, "SELECT @@global.binlog_checksum", SQL_SHORT,
                                   ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    format->checksums = row != NULL && row[0] != NULL && strcmp(row[0], "CRC32") == 0;
    mysql_free_result(result);
    return status;
}

/* Of the feed's name: who reads the same feed later ends the session of the one before, as the
 * server does with replicas. */
static uint32_t server_number(const char *name)
{
    return 0x60000000u | (uint32_t)(XXH3_64bits(name, strlen(name)) & 0x1fffffff);
}

enum status mysql_feed_start(struct mysql_database *self, MYSQL *stream, const char *name,
                             const struct feed_place *place, bool waits, struct error *error)
{
    uint8_t command[10 + FEED_NAME_BYTES + 16];
    struct feed_place from = *place;
    if (run_settings(self, stream, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    /* a file becomes that long by one transaction alone, and ends with it */
    if (from.offset > UINT32_MAX) {
        from.number++;
        from.offset = FIRST_EVENT;
    }
    bytes_put_le(command, from.offset, 4);
    bytes_put_le(command + 4, waits ? 0 : DUMP_WITHOUT_WAITING, 2);
    bytes_put_le(command + 6, server_number(name), 4);
    int length = snprintf((char *)command + 10, sizeof command - 10, "%s.%06u", from.base,
                          (unsigned)from.number);
    return stream->methods->db_command(stream, COM_BINLOG_DUMP, (const char *)command,
                                       10 + (size_t)length, 1, NULL) != 0
               ? mysql_failure(self, stream, ERROR_NETWORK, error)
               : STATUS_OK;
}

static enum status stream_failure(struct mysql_database *self, MYSQL *stream, const char *name,
                                  struct error *error)
{
    unsigned number = mysql_errno(stream);
    const char *words = mysql_error(stream);
    if (number == FATAL_READING && strstr(words, "same server") == NULL) {
        return mysql_feed_lost(name, words, error);
    }
    mysql_failure(self, stream, number == FATAL_READING ? ERROR_SOURCE_LOCKED : ERROR_SOURCE_READ,
                  error);
    if (number == FATAL_READING) {
        error_hint(error, "another process reads this feed: let it go on, or end it");
    } else if (number == NO_SUCH_RIGHT || number == ACCESS_DENIED) {
        error_recode(error, ERROR_PERMISSION);
        error_hint(error, "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO the account");
    }
    return STATUS_FAILED;
}

enum status mysql_feed_receive(struct mysql_database *self, MYSQL *stream, const char *name,
                               const uint8_t **bytes, size_t *length, struct error *error)
{
    enum { END = 0xfe, END_BYTES_MAX = 8 };
    unsigned long got = mysql_net_read_packet(stream);
    if (got == (unsigned long)-1 || got == UINT32_MAX || got == 0) {
        return stream_failure(self, stream, name, error);
    }
    const uint8_t *packet = stream->net.read_pos;
    if (packet[0] == END && got <= END_BYTES_MAX) {
        return STATUS_END;
    }
    *bytes = packet + 1;
    *length = got - 1;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- where the log ends */

static enum status server_hash(struct mysql_database *self, MYSQL *connection, uint64_t *hash,
                               struct error *error)
{
    MYSQL_RES *result = NULL;
    bool has_uuid = !self->mariadb && self->version >= 50600;
    enum status status =
        mysql_run(self, connection, has_uuid ? "SELECT @@server_uuid" : "SELECT " MYSQL_SERVER_NAME,
                  SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    *hash = row != NULL && row[0] != NULL ? XXH3_64bits(row[0], strlen(row[0])) : 0;
    mysql_free_result(result);
    return status;
}

enum status mysql_feed_now(struct mysql_database *self, MYSQL *connection, struct feed_place *place,
                           struct error *error)
{
    enum { RENAMED = 80200 };
    bool renamed = !self->mariadb && self->version >= RENAMED;
    MYSQL_RES *result = NULL;
    *place = (struct feed_place){0};
    enum status status =
        mysql_run(self, connection, renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS",
                  SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    if (status != STATUS_OK) {
        if (mysql_errno(connection) == NO_SUCH_RIGHT) {
            error_hint(error, "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO the account");
        }
        return STATUS_FAILED;
    }
    MYSQL_ROW row = result != NULL ? mysql_fetch_row(result) : NULL;
    if (row == NULL || row[0] == NULL || row[1] == NULL ||
        !mysql_feed_read_file((struct text){row[0], strlen(row[0])}, place) ||
        text_to_uint64(row[1], strlen(row[1]), &place->offset) != STATUS_OK) {
        error_set(error, ERROR_SOURCE_INVALID, self->sql.shown,
                  "the server does not say where its binary log ends");
        error_hint(error, "is it on? SHOW VARIABLES LIKE 'log_bin'");
        status = STATUS_FAILED;
    }
    mysql_free_result(result);
    return status == STATUS_OK ? server_hash(self, connection, &place->server, error) : status;
}
