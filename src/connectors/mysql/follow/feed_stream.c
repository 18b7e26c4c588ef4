/* The session that is sent the binary log. */
#include "base/bytes.h"
#include "connectors/mysql/follow/feed.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
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

/* Events before the first description of the format have checksums as the others. */
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

/* The number is made of the feed's name: who reads the same feed later ends the session of the one
 * before, as the server does with replicas. */
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

/* ---------------------------------------------------------------- behind a set */

/* flags (2), the reader's number (4), the length of a file's name (4) and none, an offset (8), the
 * length of the set (4), the set */
static enum status start_mysql(struct mysql_database *self, MYSQL *stream, const char *name,
                               const struct binlog_gtids *gtids, struct error *error)
{
    enum { COM_BINLOG_DUMP_GTID = 30, BY_SET = 4, FIXED = 2 + 4 + 4 + 8 + 4 };
    uint8_t head[FIXED] = {0};
    struct buffer set = {0};
    struct buffer command = {0};
    binlog_gtids_encode(gtids, &set);
    bytes_put_le(head, BY_SET, 2);
    bytes_put_le(head + 2, server_number(name), 4);
    bytes_put_le(head + 10, FIRST_EVENT, 8);
    bytes_put_le(head + 18, set.length, 4);
    buffer_append(&command, head, sizeof head);
    buffer_append(&command, set.data, set.length);
    int failed = stream->methods->db_command(stream, (enum enum_server_command)COM_BINLOG_DUMP_GTID,
                                             command.data, command.length, 1, NULL);
    buffer_free(&set);
    buffer_free(&command);
    return failed != 0 ? mysql_failure(self, stream, ERROR_NETWORK, error) : STATUS_OK;
}

/* Strict: a number that is not in the log is refused, though later ones are. */
static enum status start_mariadb(struct mysql_database *self, MYSQL *stream, const char *name,
                                 struct text gtids, struct error *error)
{
    uint8_t command[10] = {0};
    struct buffer sql = {0};
    buffer_append_string(&sql, "SET @slave_gtid_strict_mode = 1, @slave_connect_state = '");
    buffer_append(&sql, gtids.data, gtids.length); /* digits, - and commas */
    buffer_append_byte(&sql, '\'');
    if (mysql_run_buffer(self, stream, &sql, SQL_SHORT, ERROR_SOURCE_READ, NULL, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    bytes_put_le(command, FIRST_EVENT, 4);
    bytes_put_le(command + 6, server_number(name), 4);
    return stream->methods->db_command(stream, COM_BINLOG_DUMP, (const char *)command,
                                       sizeof command, 1, NULL) != 0
               ? mysql_failure(self, stream, ERROR_NETWORK, error)
               : STATUS_OK;
}

enum status mysql_feed_start_behind(struct mysql_database *self, MYSQL *stream, const char *name,
                                    const struct feed_place *place, struct error *error)
{
    struct binlog_gtids gtids;
    if (!binlog_gtids_read(place->gtids, self->mariadb, &gtids)) {
        return mysql_feed_lost(name, "the position is of another kind of server", error);
    }
    enum status status = run_settings(self, stream, error);
    if (status == STATUS_OK) {
        status = self->mariadb ? start_mariadb(self, stream, name, place->gtids, error)
                               : start_mysql(self, stream, name, &gtids, error);
    }
    binlog_gtids_free(&gtids);
    return status;
}

/* ---------------------------------------------------------------- what comes */

enum status mysql_feed_lost(const char *name, const char *why, struct error *error)
{
    error_set(error, ERROR_FEED_LOST, name, "changes may be missing: %s", why);
    return error_hint(error, "`transhume follow --resync` begins the feed again, compares both "
                             "sides, repairs the target and goes on; keep the log for longer: SET "
                             "GLOBAL binlog_expire_logs_seconds = …");
}

/* On a connection of its own: the stream can't be asked any more. */
static void hint_rights(struct mysql_database *self, struct error *error)
{
    struct error ignored = {0};
    MYSQL *asking = NULL;
    if (mysql_connect(self, &asking, &ignored) != STATUS_OK) {
        asking = NULL;
    }
    mysql_hint_grant(self, asking, "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.*", error);
    mysql_disconnect(asking);
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
        hint_rights(self, error);
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

enum status mysql_feed_malformed(const struct feed *feed, struct error *error)
{
    return error_set(error, ERROR_SOURCE_READ, feed->name,
                     "what the server sends at %s.%06u:%llu is no binary log that can be read",
                     feed->reading.base, (unsigned)feed->reading.number,
                     (unsigned long long)feed->reading.offset);
}
