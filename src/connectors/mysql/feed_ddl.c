/* Statements of the log that change followed tables as a whole. */
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

/* The first of the tables that is followed; NULL: none is. */
static const char *find_followed(const struct feed *feed, const struct binlog_query *query,
                                 const struct binlog_ddl *ddl)
{
    const char *session =
        arena_format(feed->scratch, "%.*s", (int)query->database.length, query->database.data);
    const struct column_list followed = feed->self->sql.base.followed;
    for (uint32_t i = 0; i < ddl->table_count; i++) {
        const struct binlog_table_name *name = &ddl->tables[i];
        const char *database = name->database != NULL ? name->database : session;
        if (!is_same(feed, database, feed->self->sql.schema)) {
            continue;
        }
        if (name->table == NULL) {
            return followed.count > 0 ? followed.names[0] : feed->self->sql.schema;
        }
        const char *found = mysql_feed_followed(feed, name->table);
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
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

/* Were rows of the table read by what the catalogue says, which may have been altered since? */
static bool is_read_by_catalog(const struct feed *feed, const char *name)
{
    for (const struct feed_table *table = feed->tables; table != NULL; table = table->hh.next) {
        if (!table->ignored && is_same(feed, table->name, name) && !table->log.has_all_types) {
            return true;
        }
    }
    return false;
}

static enum status refuse(const struct feed *feed, const struct binlog_query *query,
                          const struct binlog_ddl *ddl, const char *table, struct error *error)
{
    const char *statement = show(feed, query->statement);
    if ((ddl->deeds & BINLOG_REPLACES) != 0) {
        error_set(error, ERROR_SOURCE_CHANGED, table,
                  "a statement changed what is in the table, and the binary log does not tell its "
                  "rows: %s",
                  statement);
        return error_hint(error, "`transhume follow --resync` begins the feed again behind it, "
                                 "compares both sides, repairs the target and goes on");
    }
    error_set(error, ERROR_SOURCE_CHANGED, table,
              "a statement changed its columns, and rows from before it may have been read as if "
              "it had come first: %s",
              statement);
    return error_hint(error, "`transhume follow --resync` puts them right; SET GLOBAL "
                             "binlog_row_metadata = FULL tells in the log what columns were");
}

enum status mysql_feed_take_ddl(struct feed *feed, const struct binlog_query *query,
                                struct error *error)
{
    struct binlog_ddl ddl;
    binlog_read_ddl(query->statement, feed->scratch, &ddl);
    const char *table = ddl.deeds != 0 ? find_followed(feed, query, &ddl) : NULL;
    if (table == NULL) {
        return STATUS_OK;
    }
    bool redefined = (ddl.deeds & BINLOG_REDEFINES) != 0 && is_read_by_catalog(feed, table);
    if ((ddl.deeds & BINLOG_REPLACES) != 0 || redefined) {
        return refuse(feed, query, &ddl, table, error);
    }
    if ((ddl.deeds & BINLOG_ACTS) != 0 && mysql_feed_check_actions(feed, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if ((ddl.deeds & BINLOG_EMPTIES) != 0) {
        mysql_feed_take_truncate(feed, (struct text){table, strlen(table)});
    }
    return STATUS_OK;
}
