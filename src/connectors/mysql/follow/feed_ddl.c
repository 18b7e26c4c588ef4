/* Statements of the log that change tables as a whole. */
#include "connectors/mysql/follow/feed.h"
#include <string.h>

/* Were rows of the table read by what the catalogue said when this statement was in the log? */
static bool is_read_by_catalog(const struct feed *feed, const char *name)
{
    for (const struct feed_table *table = feed->tables; table != NULL; table = table->hh.next) {
        if (!table->ignored && !table->lost && mysql_feed_is_same_name(feed, table->name, name) &&
            !table->log.has_all_types &&
            mysql_feed_compare_places(&table->described, &feed->reading) >= 0) {
            return true;
        }
    }
    return false;
}

/* How the rows of the table are, for whoever follows it. */
static enum record_operation operation_of(const struct feed *feed, const struct binlog_ddl *ddl,
                                          const char *table)
{
    bool misread = (ddl->deeds & BINLOG_REDEFINES) != 0 && is_read_by_catalog(feed, table);
    return (ddl->deeds & BINLOG_REPLACES) != 0 || misread ? RECORD_REPLACED
           : (ddl->deeds & BINLOG_REWRITES) != 0          ? RECORD_REWRITTEN
           : (ddl->deeds & BINLOG_EMPTIES) != 0           ? RECORD_TRUNCATE
                                                          : RECORD_REDEFINED;
}

/* All followed tables, of a database that was dropped; one, if none is known. */
static void take_all(struct feed *feed, const struct binlog_ddl *ddl)
{
    const struct column_list followed = feed->self->sql.base.followed;
    for (uint32_t i = 0; i < followed.count; i++) {
        mysql_feed_take_table_change(feed, followed.names[i],
                                     operation_of(feed, ddl, followed.names[i]));
    }
}

/* A table that is not followed is told of where it is made or dropped: it may have to be. */
static void take_one(struct feed *feed, const struct binlog_ddl *ddl, const char *name)
{
    static const char own[] = "_transhume_";
    const char *followed = mysql_feed_followed(feed, name);
    bool defines = (ddl->deeds & (BINLOG_DEFINES | BINLOG_REPLACES)) != 0;
    if (followed != NULL) {
        mysql_feed_take_table_change(feed, followed, operation_of(feed, ddl, followed));
    } else if (defines && strncmp(name, own, sizeof own - 1) != 0) {
        mysql_feed_take_table_change(feed, name, RECORD_REDEFINED);
    }
}

enum status mysql_feed_take_ddl(struct feed *feed, const struct binlog_query *query,
                                struct error *error)
{
    struct binlog_ddl ddl;
    binlog_read_ddl(query->statement, feed->scratch, &ddl);
    const char *session =
        arena_format(feed->scratch, "%.*s", (int)query->database.length, query->database.data);
    bool acts = (ddl.deeds & BINLOG_ACTS) != 0;
    for (uint32_t i = 0; ddl.deeds != 0 && i < ddl.table_count; i++) {
        const struct binlog_table_name *name = &ddl.tables[i];
        const char *database = name->database != NULL ? name->database : session;
        if (!mysql_feed_is_same_name(feed, database, feed->self->sql.schema)) {
            continue;
        }
        if (name->table == NULL) {
            take_all(feed, &ddl);
            continue;
        }
        if (acts && mysql_feed_followed(feed, name->table) != NULL &&
            mysql_feed_check_actions(feed, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        take_one(feed, &ddl, name->table);
    }
    return STATUS_OK;
}
