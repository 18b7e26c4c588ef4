/* Statements of the log that change tables as a whole. */
#include "connectors/mysql/feed.h"
#include <string.h>
#include <strings.h>

static bool is_same(const struct feed *feed, const char *left, const char *right)
{
    return (feed->self->folds_names ? strcasecmp(left, right) : strcmp(left, right)) == 0;
}

const char *mysql_feed_followed(const struct feed *feed, const char *table)
{
    static const char own[] = "_transhume_";
    const struct column_list followed = feed->self->sql.base.followed;
    for (uint32_t i = 0; i < followed.count; i++) {
        if (is_same(feed, followed.names[i], table)) {
            return followed.names[i];
        }
    }
    return followed.count == 0 && strncmp(table, own, sizeof own - 1) != 0 ? table : NULL;
}

/* Were rows of the table read by what the catalogue said when this statement was in the log? */
static bool is_read_by_catalog(const struct feed *feed, const char *name)
{
    for (const struct feed_table *table = feed->tables; table != NULL; table = table->hh.next) {
        if (!table->ignored && !table->lost && is_same(feed, table->name, name) &&
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

/* On one line, and not all of a long one. */
static const char *show(const struct feed *feed, struct text statement)
{
    enum { SHOWN = 120 };
    bool whole = statement.length <= SHOWN;
    size_t length = whole ? statement.length : SHOWN;
    while (!whole && length > 0 && ((uint8_t)statement.data[length] & 0xc0) == 0x80) {
        length--;
    }
    char *shown =
        arena_format(feed->scratch, "%.*s%s", (int)length, statement.data, whole ? "" : "…");
    for (char *at = shown; *at != '\0'; at++) {
        *at = (uint8_t)*at < ' ' ? ' ' : *at;
    }
    return shown;
}

static enum status refuse_action(const struct feed *feed, const struct binlog_query *query,
                                 const char *table, struct error *error)
{
    error_set(error, ERROR_SOURCE_CHANGED, table,
              "its foreign key changes its rows by itself, which this server's binary log does not "
              "tell: %s",
              show(feed, query->statement));
    return error_hint(error, "make the key anew without the action, change the rows in the "
                             "application, then `transhume follow --resync`");
}

enum status mysql_feed_take_ddl(struct feed *feed, const struct binlog_query *query,
                                struct error *error)
{
    struct binlog_ddl ddl;
    bool acts;
    binlog_read_ddl(query->statement, feed->scratch, &ddl);
    const char *session =
        arena_format(feed->scratch, "%.*s", (int)query->database.length, query->database.data);
    acts = (ddl.deeds & BINLOG_ACTS) != 0 && !feed->logs_actions;
    for (uint32_t i = 0; ddl.deeds != 0 && i < ddl.table_count; i++) {
        const struct binlog_table_name *name = &ddl.tables[i];
        const char *database = name->database != NULL ? name->database : session;
        if (!is_same(feed, database, feed->self->sql.schema)) {
            continue;
        }
        if (name->table == NULL) {
            take_all(feed, &ddl);
        } else if (acts && mysql_feed_followed(feed, name->table) != NULL) {
            return refuse_action(feed, query, name->table, error);
        } else {
            take_one(feed, &ddl, name->table);
        }
    }
    return STATUS_OK;
}
