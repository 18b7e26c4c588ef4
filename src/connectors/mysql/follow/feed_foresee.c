/* The cost of following for the server, and what its own replication takes. */
#include "base/text.h"
#include "connectors/mysql/follow/feed.h"
#include <string.h>

enum { LINES_MAX = 8, DAY_S = 24 * 60 * 60 };

struct lines {
    struct arena *arena;
    const char **texts;
    uint32_t count;
};

static struct lines lines_of(struct arena *arena)
{
    return (struct lines){arena, arena_allocate_zeroed(arena, LINES_MAX, sizeof(const char *)), 0};
}

static void feed_foresee_add(struct lines *lines, struct buffer *text)
{
    if (lines->count < LINES_MAX) {
        lines->texts[lines->count++] = arena_copy_string(lines->arena, buffer_string(text));
    }
    buffer_clear(text);
}

static void add_text(struct lines *lines, const char *text)
{
    struct buffer line = {0};
    buffer_append_string(&line, text);
    feed_foresee_add(lines, &line);
    buffer_free(&line);
}

/* ---------------------------------------------------------------- costs */

enum status mysql_feed_ask_expiry(struct mysql_database *self, MYSQL *connection, uint64_t *seconds,
                                  struct error *error)
{
    static const char sql[] = "SHOW GLOBAL VARIABLES WHERE Variable_name IN "
                              "('binlog_expire_logs_seconds', 'expire_logs_days')";
    MYSQL_RES *result = NULL;
    *seconds = 0;
    enum status status =
        mysql_run(self, connection, sql, SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL;) {
        bool days = strcmp(row[0], "expire_logs_days") == 0;
        const char *digits = row[1] != NULL ? row[1] : "0";
        uint64_t number = 0;
        if (text_to_uint64(digits, strcspn(digits, "."), &number) == STATUS_OK && number > 0 &&
            (!days || *seconds == 0)) {
            *seconds = days ? number * DAY_S : number;
        }
    }
    mysql_free_result(result);
    return status;
}

static enum status tell_costs(struct mysql_database *self, MYSQL *connection, struct lines *costs,
                              struct error *error)
{
    char kept[32];
    uint64_t seconds = 0;
    struct buffer line = {0};
    enum status status = mysql_feed_ask_expiry(self, connection, &seconds, error);
    if (seconds > 0) {
        text_human_seconds((double)seconds, kept, sizeof kept);
        buffer_format(&line,
                      "disk: nothing, the server keeps its binary log for %s whoever reads it; a "
                      "copy, or a pause, that takes longer loses the feed",
                      kept);
    } else {
        buffer_append_string(&line, "disk: nothing, the server keeps its binary log by its own "
                                    "rules, and not by time");
    }
    feed_foresee_add(costs, &line);
    buffer_free(&line);
    add_text(costs, "writers: nothing, but that binlog_format = ROW with binlog_row_image = FULL "
                    "logs the row before and behind each change");
    add_text(costs, "server: nothing is made in it; it is read as by a replica");
    return status;
}

/* ---------------------------------------------------------------- the server's own */

static enum status has_gtids(struct mysql_database *self, MYSQL *connection, bool *has,
                             struct error *error)
{
    struct feed_place place = {0};
    struct arena *arena = arena_create(1024);
    enum status status = mysql_feed_now(self, connection, arena, &place, error);
    *has = place.has_gtids;
    arena_destroy(arena);
    return status;
}

static const char *host_of(const struct mysql_database *self)
{
    return self->settings.host != NULL ? self->settings.host : "localhost";
}

static void tell_statements(const struct mysql_database *self, bool gtids, struct lines *native)
{
    bool mariadb = self->mariadb;
    struct buffer line = {0};
    buffer_format(&line,
                  mariadb ? "source: mariadb-dump --single-transaction --master-data --gtid "
                            "--databases %s, and load it into the target"
                          : "source: mysqldump --single-transaction --source-data --databases %s, "
                            "and load it into the target",
                  self->sql.schema);
    feed_foresee_add(native, &line);
    buffer_format(&line,
                  mariadb ? "target: SET GLOBAL replicate_do_db = '%s'"
                          : "target: CHANGE REPLICATION FILTER REPLICATE_DO_DB = (%s)",
                  self->sql.schema);
    feed_foresee_add(native, &line);
    buffer_format(&line,
                  mariadb ? "target: CHANGE MASTER TO MASTER_HOST = '%s', MASTER_PORT = %u, "
                            "MASTER_USER = '…', MASTER_PASSWORD = '…'%s"
                          : "target: CHANGE REPLICATION SOURCE TO SOURCE_HOST = '%s', SOURCE_PORT "
                            "= %u, SOURCE_USER = '…', SOURCE_PASSWORD = '…'%s",
                  host_of(self), self->settings.port,
                  mariadb ? ", MASTER_USE_GTID = slave_pos"
                  : gtids ? ", SOURCE_AUTO_POSITION = 1"
                          : ", SOURCE_LOG_FILE = '…', SOURCE_LOG_POS = …");
    feed_foresee_add(native, &line);
    buffer_free(&line);
    add_text(native, "target: START REPLICA; at the end: STOP REPLICA; RESET REPLICA ALL");
}

/* Both of one kind, and a database that keeps its name. */
static bool could_replicate(struct mysql_database *self, const struct database *target)
{
    if (target == NULL || target->connector != self->sql.base.connector) {
        return false;
    }
    const struct mysql_database *other = (const struct mysql_database *)(const void *)target;
    return other->mariadb == self->mariadb && other->version >= self->version &&
           strcmp(other->sql.schema, self->sql.schema) == 0;
}

static enum status tell_native(struct mysql_database *self, MYSQL *connection,
                               const struct database *target, struct lines *native,
                               struct lines *lacks, struct error *error)
{
    bool gtids = false;
    if (!could_replicate(self, target)) {
        return STATUS_OK;
    }
    if (has_gtids(self, connection, &gtids, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    tell_statements(self, gtids, native);
    add_text(lacks, "compare both sides, or go on behind a row that the target refuses");
    add_text(lacks, "carry a database under another name, or some of its tables, without filters");
    add_text(lacks, "cut over in steps that can be taken back");
    return STATUS_OK;
}

enum status mysql_feed_foresee(struct database *database, const char *name,
                               const struct followed_table *tables, uint32_t table_count,
                               const struct database *target, struct arena *arena,
                               struct feed_forecast *forecast, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct lines costs = lines_of(arena);
    struct lines native = lines_of(arena);
    struct lines lacks = lines_of(arena);
    struct feed_place place = {0};
    MYSQL *connection = NULL;
    *forecast = (struct feed_forecast){.lacks = {.arena = arena}};
    enum status status =
        mysql_feed_check(self, name, tables, table_count, arena, &place, &forecast->lacks, error);
    status = status == STATUS_OK ? mysql_connect(self, &connection, error) : status;
    status = status == STATUS_OK ? tell_costs(self, connection, &costs, error) : status;
    status = status == STATUS_OK ? tell_native(self, connection, target, &native, &lacks, error)
                                 : status;
    mysql_disconnect(connection);
    *forecast = (struct feed_forecast){.costs = costs.texts,
                                       .cost_count = costs.count,
                                       .native = native.texts,
                                       .native_count = native.count,
                                       .native_lacks = lacks.texts,
                                       .native_lack_count = lacks.count,
                                       .lacks = forecast->lacks};
    return status;
}
