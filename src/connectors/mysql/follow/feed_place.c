/* Positions of the feed: their bytes, their order, and what the server says of its log. */
#include "base/bytes.h"
#include "connectors/mysql/follow/feed.h"
#include <string.h>
#include <strings.h>
#include <xxhash.h>

enum { PLACE_BYTES = 4 + 8 + 4 + 8, NO_SUCH_RIGHT = 1227 };

/* ---------------------------------------------------------------- bytes */

void mysql_feed_put_place(const struct feed_place *place, struct arena *arena,
                          struct position *position)
{
    size_t base = strlen(place->base);
    size_t length = PLACE_BYTES + base + (place->has_gtids ? 1 + place->gtids.length : 0);
    uint8_t *bytes = arena_allocate(arena, length);
    bytes_put_be(bytes, place->number, 4);
    bytes_put_be(bytes + 4, place->offset, 8);
    bytes_put_be(bytes + 12, place->begun, 4);
    bytes_put_be(bytes + 16, place->server, 8);
    memcpy(bytes + PLACE_BYTES, place->base, base);
    if (place->has_gtids) {
        bytes[PLACE_BYTES + base] = 0;
        if (place->gtids.length > 0) {
            memcpy(bytes + PLACE_BYTES + base + 1, place->gtids.data, place->gtids.length);
        }
    }
    *position = (struct position){.bytes = bytes, .length = (uint32_t)length};
}

bool mysql_feed_get_place(struct position position, struct feed_place *place)
{
    *place = (struct feed_place){0};
    if (position.length <= PLACE_BYTES) {
        return false;
    }
    const char *rest = (const char *)position.bytes + PLACE_BYTES;
    size_t length = position.length - PLACE_BYTES;
    const char *end = memchr(rest, '\0', length);
    size_t base = end != NULL ? (size_t)(end - rest) : length;
    if (base == 0 || base >= FEED_NAME_BYTES) {
        return false;
    }
    place->number = (uint32_t)bytes_get_be(position.bytes, 4);
    place->offset = bytes_get_be(position.bytes + 4, 8);
    place->begun = (uint32_t)bytes_get_be(position.bytes + 12, 4);
    place->server = bytes_get_be(position.bytes + 16, 8);
    memcpy(place->base, rest, base);
    place->has_gtids = end != NULL;
    if (end != NULL) {
        place->gtids = (struct text){end + 1, length - base - 1};
    }
    return true;
}

bool mysql_feed_read_file(struct text file, struct feed_place *place)
{
    const char *point = memrchr(file.data, '.', file.length);
    uint64_t number = 0;
    if (point == NULL || point == file.data || (size_t)(point - file.data) >= FEED_NAME_BYTES) {
        return false;
    }
    size_t base = (size_t)(point - file.data);
    if (text_to_uint64(point + 1, file.length - base - 1, &number) != STATUS_OK ||
        number > UINT32_MAX) {
        return false;
    }
    memcpy(place->base, file.data, base);
    place->base[base] = '\0';
    place->number = (uint32_t)number;
    return true;
}

void mysql_feed_print(struct position position, struct buffer *out)
{
    struct feed_place place;
    if (!mysql_feed_get_place(position, &place)) {
        return;
    }
    if (place.number > 0) {
        buffer_format(out, "%s.%06u:%llu", place.base, (unsigned)place.number,
                      (unsigned long long)place.offset);
    } else {
        buffer_append(out, place.gtids.data, place.gtids.length);
    }
}

/* ---------------------------------------------------------------- order */

int mysql_feed_compare_places(const struct feed_place *left, const struct feed_place *right)
{
    int files = (left->number > right->number) - (left->number < right->number);
    int offsets = (left->offset > right->offset) - (left->offset < right->offset);
    return files != 0 ? files : offsets;
}

static bool read_set(struct text text, struct binlog_gtids *gtids)
{
    return binlog_gtids_read(text, false, gtids) || binlog_gtids_read(text, true, gtids);
}

static bool set_covers(struct text at, struct text goal)
{
    struct binlog_gtids outer = {0};
    struct binlog_gtids inner = {0};
    bool covers =
        read_set(at, &outer) && read_set(goal, &inner) && binlog_gtids_hold(&outer, &inner);
    binlog_gtids_free(&outer);
    binlog_gtids_free(&inner);
    return covers;
}

bool mysql_feed_covers(struct position at, struct position goal)
{
    struct feed_place reached;
    struct feed_place wanted;
    if (!mysql_feed_get_place(at, &reached) || !mysql_feed_get_place(goal, &wanted)) {
        return false;
    }
    bool of_one_log = reached.server == wanted.server && reached.number > 0 && wanted.number > 0;
    return of_one_log || !reached.has_gtids || !wanted.has_gtids
               ? mysql_feed_compare_places(&reached, &wanted) >= 0
               : set_covers(reached.gtids, wanted.gtids);
}

/* ---------------------------------------------------------------- what the log has */

/* Another server with the same name has at least another number, or it is no replica. */
static const char *server_query(const struct mysql_database *self)
{
    if (self->mariadb) {
        return "SELECT concat(" MYSQL_SERVER_NAME
               ", ' ', @@server_id), 'ON', @@global.gtid_binlog_pos";
    }
    return self->version >= 50600 ? "SELECT @@server_uuid, @@global.gtid_mode, ''"
                                  : "SELECT " MYSQL_SERVER_NAME ", 'OFF', ''";
}

/* In the form that this program writes. */
static void keep_set(const char *words, bool mariadb, struct arena *arena, struct feed_place *place)
{
    struct binlog_gtids gtids;
    struct buffer text = {0};
    place->has_gtids =
        words != NULL && binlog_gtids_read((struct text){words, strlen(words)}, mariadb, &gtids);
    place->gtids = (struct text){"", 0};
    if (!place->has_gtids) {
        return;
    }
    binlog_gtids_print(&gtids, &text);
    place->gtids = (struct text){arena_copy(arena, buffer_string(&text), text.length), text.length};
    binlog_gtids_free(&gtids);
    buffer_free(&text);
}

/* `executed`: of MySQL, what the log has; NULL: nobody says. */
static enum status ask_server(struct mysql_database *self, MYSQL *connection, const char *executed,
                              struct arena *arena, struct feed_place *place, struct error *error)
{
    MYSQL_RES *result = NULL;
    enum status status = mysql_run(self, connection, server_query(self), SQL_SHORT,
                                   ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    if (row != NULL) {
        place->server = row[0] != NULL ? XXH3_64bits(row[0], strlen(row[0])) : 0;
        if (row[1] != NULL && strcasecmp(row[1], "ON") == 0) {
            keep_set(self->mariadb ? row[2] : executed, self->mariadb, arena, place);
        }
    }
    mysql_free_result(result);
    return status;
}

enum status mysql_feed_now(struct mysql_database *self, MYSQL *connection, struct arena *arena,
                           struct feed_place *place, struct error *error)
{
    enum { RENAMED = 80200, EXECUTED = 4 };
    bool renamed = !self->mariadb && self->version >= RENAMED;
    MYSQL_RES *result = NULL;
    *place = (struct feed_place){0};
    enum status status =
        mysql_run(self, connection, renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS",
                  SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    if (status != STATUS_OK) {
        if (mysql_errno(connection) == NO_SUCH_RIGHT) {
            mysql_hint_grant(self, connection, "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.*",
                             error);
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
    const char *executed =
        status == STATUS_OK && mysql_num_fields(result) > EXECUTED ? row[EXECUTED] : NULL;
    status =
        status == STATUS_OK ? ask_server(self, connection, executed, arena, place, error) : status;
    mysql_free_result(result);
    return status;
}

/* ---------------------------------------------------------------- what is seen of it */

static enum status ask_snapshot(struct mysql_database *self, MYSQL *connection,
                                struct feed_place *place, bool *told, struct error *error)
{
    MYSQL_RES *result = NULL;
    uint64_t offset = 0;
    int found = 0;
    enum status status = mysql_run(self, connection, "SHOW STATUS LIKE 'binlog_snapshot_%'",
                                   SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL;) {
        if (row[1] == NULL) {
            continue;
        }
        const struct text value = {row[1], strlen(row[1])};
        if (strcasecmp(row[0], "binlog_snapshot_file") == 0) {
            found += mysql_feed_read_file(value, place);
        } else if (strcasecmp(row[0], "binlog_snapshot_position") == 0) {
            found += text_to_uint64(value.data, value.length, &offset) == STATUS_OK;
        }
    }
    mysql_free_result(result);
    *told = found == 2;
    place->offset = *told ? offset : place->offset;
    return status;
}

static enum status ask_set_at(struct mysql_database *self, MYSQL *connection, struct arena *arena,
                              struct feed_place *place, struct error *error)
{
    MYSQL_RES *result = NULL;
    struct buffer sql = {0};
    buffer_format(&sql, "SELECT binlog_gtid_pos('%s.%06u', %llu)", place->base,
                  (unsigned)place->number, (unsigned long long)place->offset);
    enum status status =
        mysql_run_buffer(self, connection, &sql, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    keep_set(row != NULL ? row[0] : NULL, true, arena, place);
    mysql_free_result(result);
    return status;
}

/* A transaction is in the log before others see it. MariaDB says up to where its snapshot sees the
 * log; MySQL's set has what can be seen, while its file and offset may be ahead. */
enum status mysql_feed_seen(struct mysql_database *self, MYSQL *connection, struct arena *arena,
                            struct feed_place *place, struct error *error)
{
    bool told = false;
    enum status status = mysql_feed_now(self, connection, arena, place, error);
    if (status == STATUS_OK && !self->mariadb && place->has_gtids) {
        place->number = 0;
        place->offset = 0;
    }
    if (status != STATUS_OK || !self->mariadb) {
        return status;
    }
    status = mysql_run(self, connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT", SQL_SHORT,
                       ERROR_SOURCE_READ, NULL, error);
    status = status == STATUS_OK ? ask_snapshot(self, connection, place, &told, error) : status;
    status =
        status == STATUS_OK && told ? ask_set_at(self, connection, arena, place, error) : status;
    return status == STATUS_OK
               ? mysql_run(self, connection, "ROLLBACK", SQL_SHORT, ERROR_SOURCE_READ, NULL, error)
               : status;
}

const char *mysql_feed_followed(const struct feed *feed, const char *table)
{
    static const char own[] = "_transhume_";
    const struct column_list followed = feed->self->sql.base.followed;
    for (uint32_t i = 0; i < followed.count; i++) {
        if (mysql_feed_is_same_name(feed, followed.names[i], table)) {
            return followed.names[i];
        }
    }
    return followed.count == 0 && strncmp(table, own, sizeof own - 1) != 0 ? table : NULL;
}

bool mysql_feed_is_same_name(const struct feed *feed, const char *left, const char *right)
{
    return (feed->self->folds_names ? strcasecmp(left, right) : strcmp(left, right)) == 0;
}
