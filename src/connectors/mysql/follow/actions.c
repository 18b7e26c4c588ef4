/* The actions of foreign keys on rows: whether the binary log has them, and keys whose actions
 * are new since the catalogue was read. */
#include "connectors/mysql/follow/feed.h"
#include <string.h>
#include <strings.h>

/* Before 9.6 InnoDB itself did what a foreign key's action does, and no log has it. */
enum status mysql_logs_actions(struct mysql_database *self, MYSQL *connection, bool *logs,
                               struct error *error)
{
    enum { BY_SERVER = 90600 };
    MYSQL_RES *result = NULL;
    *logs = false;
    if (self->mariadb || self->version < BY_SERVER) {
        return STATUS_OK;
    }
    enum status status =
        mysql_run(self, connection, "SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'",
                  SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    *logs = row == NULL || row[1] == NULL || strcasecmp(row[1], "OFF") == 0;
    mysql_free_result(result);
    return status;
}

static bool acts(const char *action)
{
    return action != NULL &&
           (strncasecmp(action, "CASCADE", 7) == 0 || strncasecmp(action, "SET", 3) == 0);
}

static bool is_same_action(const char *left, const char *right)
{
    return acts(left) == acts(right) && (!acts(left) || strcasecmp(left, right) == 0);
}

static bool are_same_lists(struct column_list left, struct column_list right)
{
    bool same = left.count == right.count;
    for (uint32_t i = 0; same && i < left.count; i++) {
        same = strcasecmp(left.names[i], right.names[i]) == 0;
    }
    return same;
}

/* Is there one with these columns, to the same table, that does the same? */
static bool has_key(const struct mysql_table *table, const struct schema_foreign_key *wanted)
{
    bool found = false;
    for (uint32_t i = 0; table != NULL && i < table->schema->foreign_key_count && !found; i++) {
        const struct schema_foreign_key *key = &table->schema->foreign_keys[i];
        found = strcmp(key->references, wanted->references) == 0 &&
                are_same_lists(key->columns, wanted->columns) &&
                are_same_lists(key->referenced_columns, wanted->referenced_columns) &&
                is_same_action(key->on_delete, wanted->on_delete) &&
                is_same_action(key->on_update, wanted->on_update);
    }
    return found;
}

static enum status check_keys(const struct mysql_table *now, const struct mysql_table *before,
                              struct error *error)
{
    for (uint32_t i = 0; i < now->schema->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &now->schema->foreign_keys[i];
        if ((acts(key->on_delete) || acts(key->on_update)) && !has_key(before, key)) {
            error_set(error, ERROR_SOURCE_CHANGED, now->schema->name,
                      "it has a new foreign key, %s, that changes rows by itself (%s %s)",
                      key->name != NULL ? key->name : "",
                      acts(key->on_delete) ? "ON DELETE" : "ON UPDATE",
                      acts(key->on_delete) ? key->on_delete : key->on_update);
            return error_hint(error, "`transhume follow` takes it into account and goes on");
        }
    }
    return STATUS_OK;
}

enum status mysql_feed_check_actions(struct feed *feed, struct error *error)
{
    struct mysql_database *self = feed->self;
    struct mysql_catalog now = {0};
    const struct mysql_catalog *before = NULL;
    struct arena *arena = arena_create(0);
    enum status status = mysql_logs_actions(self, feed->asking, &feed->logs_actions, error);
    if (status == STATUS_OK && !feed->logs_actions) {
        status = mysql_catalog_get(self, &before, error);
        status = status == STATUS_OK
                     ? mysql_catalog_read(self, feed->asking, NULL, arena, &now, error)
                     : status;
    }
    for (uint32_t i = 0; i < now.table_count && status == STATUS_OK; i++) {
        const struct mysql_table *table = &now.tables[i];
        if (mysql_feed_followed(feed, table->schema->name) != NULL) {
            status = check_keys(table, mysql_catalog_find(before, table->schema->name), error);
        }
    }
    arena_destroy(arena);
    return status;
}
