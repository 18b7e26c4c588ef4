/* The character sets that the log has by the numbers of their collations. */
#include "connectors/mysql/follow/feed.h"
#include <string.h>

static const struct feed_charset *feed_charset_find(const struct feed *feed, uint32_t collation)
{
    for (uint32_t i = 0; i < feed->charset_count; i++) {
        if (feed->charsets[i].collation == collation) {
            return &feed->charsets[i];
        }
    }
    return NULL;
}

const char *mysql_feed_charset(struct feed *feed, uint32_t collation)
{
    const struct feed_charset *known = feed_charset_find(feed, collation);
    return known != NULL ? known->charset : NULL;
}

static void feed_charset_keep(struct feed *feed, uint32_t collation, const char *charset)
{
    if (feed->charset_count == feed->charset_capacity) {
        uint32_t capacity = feed->charset_capacity == 0 ? 8 : 2 * feed->charset_capacity;
        struct feed_charset *grown = arena_allocate_zeroed(feed->arena, capacity, sizeof *grown);
        if (feed->charset_count > 0) {
            memcpy(grown, feed->charsets, feed->charset_count * sizeof *grown);
        }
        feed->charsets = grown;
        feed->charset_capacity = capacity;
    }
    feed->charsets[feed->charset_count++] =
        (struct feed_charset){collation, arena_copy_string(feed->arena, charset)};
}

/* MariaDB's newer ones belong to several sets, with a number for each. */
static enum status feed_charset_ask(struct feed *feed, const struct feed_table *table,
                                    uint32_t collation, struct error *error)
{
    enum { BY_SET = 101000 };
    struct mysql_database *self = feed->self;
    MYSQL_RES *result = NULL;
    enum status status = mysql_run_buffer(
        self, feed->asking,
        mysql_sql("SELECT character_set_name FROM information_schema.%s WHERE id = %u",
                  self->mariadb && self->version >= BY_SET ? "collation_character_set_applicability"
                                                           : "collations",
                  (unsigned)collation),
        SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    if (row != NULL && row[0] != NULL) {
        feed_charset_keep(feed, collation, row[0]);
    } else if (status == STATUS_OK) {
        status = error_set(error, ERROR_SOURCE_READ, table->name,
                           "the binary log has a text of collation %u, which the server does not "
                           "know",
                           (unsigned)collation);
    }
    mysql_free_result(result);
    return status;
}

enum status mysql_feed_ask_charsets(struct feed *feed, const struct feed_table *table,
                                    struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < table->log.column_count && status == STATUS_OK; i++) {
        uint32_t collation = table->log.columns[i].collation;
        if (collation != 0 && feed_charset_find(feed, collation) == NULL) {
            status = feed_charset_ask(feed, table, collation, error);
        }
    }
    return status;
}
