/*
 * Keeping tables from being written: triggers refuse rows, and a foreign key refuses TRUNCATE,
 * which fires none. FEED and TABLE are hashes of their names.
 *
 *   _transhume_fence_FEED_TABLE_I, …_U, …_D  the triggers
 *   _transhume_fence_FEED_TABLE              an empty table, made like the one that is closed,
 * which refers to its key
 */
#include "base/log.h"
#include "connectors/mysql/follow/feed.h"
#include "connectors/sql/undo.h"
#include <stdio.h>
#include <string.h>

static const char *const operations[] = {"INSERT", "UPDATE", "DELETE"};
enum { OPERATIONS = 3, OWN_NAME_BYTES = 64 };

struct fence {
    struct mysql_database *self;
    MYSQL *connection;
    char prefix[OWN_NAME_BYTES]; /* with FEED */
};

static enum status feed_fence_run(const struct fence *fence, struct buffer *sql,
                                  struct error *error)
{
    return mysql_run_buffer(fence->self, fence->connection, sql, SQL_BUILD, ERROR_SOURCE_READ, NULL,
                            error);
}

static void print_name(const struct fence *fence, const char *table, char name[OWN_NAME_BYTES])
{
    snprintf(name, OWN_NAME_BYTES, "%.40s%016llx", fence->prefix,
             (unsigned long long)sql_name_hash(table));
}

static enum status add_trigger(const struct fence *fence, const char *table, int operation,
                               struct error *error)
{
    struct buffer sql = {0};
    char own[OWN_NAME_BYTES];
    print_name(fence, table, own);
    mysql_append(&sql, "CREATE TRIGGER %n.", fence->self->sql.schema);
    size_t length = strlen(own);
    snprintf(own + length, sizeof own - length, "_%c", operations[operation][0]);
    mysql_append(&sql,
                 "%n BEFORE %s ON %t FOR EACH ROW BEGIN IF " MYSQL_APPLIES
                 " IS NULL THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'transhume: this table "
                 "has moved to another database'; END IF; END",
                 own, operations[operation], &fence->self->sql, table);
    return feed_fence_run(fence, &sql, error);
}

/* ---------------------------------------------------------------- TRUNCATE */

static void append_keys(struct buffer *sql, const struct column_list *key)
{
    for (uint32_t i = 0; i < key->count; i++) {
        mysql_append(sql, "%s%n", i > 0 ? ", " : " (", key->names[i]);
    }
    buffer_append_byte(sql, ')');
}

static enum status try_reference(const struct fence *fence, const char *own,
                                 const struct mysql_table *table, struct error *error)
{
    struct buffer sql = {0};
    const char *name = table->schema->name;
    mysql_append(&sql, "CREATE TABLE %t LIKE %t", &fence->self->sql, own, &fence->self->sql, name);
    if (feed_fence_run(fence, &sql, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    mysql_append(&sql, "ALTER TABLE %t ADD FOREIGN KEY", &fence->self->sql, own);
    append_keys(&sql, &table->key);
    mysql_append(&sql, " REFERENCES %t", &fence->self->sql, name);
    append_keys(&sql, &table->key);
    return feed_fence_run(fence, &sql, error);
}

/* Where no key can refer to the table, as to one with partitions, the run says so. */
static enum status add_reference(const struct fence *fence, const char *table, struct error *error)
{
    const struct mysql_catalog *catalog = NULL;
    char own[OWN_NAME_BYTES];
    struct error refused = {0};
    print_name(fence, table, own);
    if (mysql_catalog_get(fence->self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct mysql_table *facts = mysql_catalog_find(catalog, table);
    if (facts != NULL && facts->key.count == 0) {
        log_write(LOG_WARNING,
                  "%s: nothing keeps anybody from TRUNCATE: it has no key that another table could "
                  "refer to",
                  table);
        return STATUS_OK;
    }
    if (facts == NULL || try_reference(fence, own, facts, &refused) == STATUS_OK) {
        return STATUS_OK;
    }
    log_write(LOG_WARNING, "%s: nothing keeps anybody from TRUNCATE: %s", table, refused.message);
    return feed_fence_run(fence, mysql_sql("DROP TABLE IF EXISTS %t", &fence->self->sql, own),
                          error);
}

/* ---------------------------------------------------------------- all of them */

/* The feed's objects of the kind `what` that are there, in statements that drop them. */
static enum status drop_all(const struct fence *fence, const char *what, struct error *error)
{
    MYSQL_RES *result = NULL;
    struct buffer sql = {0};
    bool triggers = strcmp(what, "TRIGGER") == 0;
    mysql_append(&sql,
                 "SELECT %s_name FROM information_schema.%s WHERE %s_schema = %q AND "
                 "left(%s_name, %U) = '%s'",
                 triggers ? "trigger" : "table", triggers ? "triggers" : "tables",
                 triggers ? "trigger" : "table", fence->self->sql.schema,
                 triggers ? "trigger" : "table", (uint64_t)strlen(fence->prefix), fence->prefix);
    enum status status = mysql_run_buffer(fence->self, fence->connection, &sql, SQL_SHORT,
                                          ERROR_SOURCE_READ, &result, error);
    MYSQL_ROW row;
    while (status == STATUS_OK && (row = mysql_fetch_row(result)) != NULL) {
        mysql_append(&sql, "DROP %s IF EXISTS %n.%n", what, fence->self->sql.schema, row[0]);
        status = feed_fence_run(fence, &sql, error);
    }
    mysql_free_result(result);
    return status;
}

static enum status close_tables(const struct fence *fence, const char *const *tables,
                                uint32_t table_count, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < table_count && status == STATUS_OK; i++) {
        status = add_reference(fence, tables[i], error);
    }
    for (uint32_t i = 0; i < table_count * OPERATIONS && status == STATUS_OK; i++) {
        status = add_trigger(fence, tables[i / OPERATIONS], (int)(i % OPERATIONS), error);
    }
    return status;
}

enum status mysql_feed_fence(struct database *database, const char *name, const char *const *tables,
                             uint32_t table_count, bool on, struct error *error)
{
    enum { NO_TRUST = 1419 };
    struct fence fence = {.self = mysql_database_of(database)};
    snprintf(fence.prefix, sizeof fence.prefix, "_transhume_fence_%08lx_",
             (unsigned long)(sql_name_hash(name) & UINT32_MAX));
    enum status status = mysql_connect(fence.self, &fence.connection, error);
    status = status == STATUS_OK ? drop_all(&fence, "TRIGGER", error) : status;
    status = status == STATUS_OK ? drop_all(&fence, "TABLE", error) : status;
    status = status == STATUS_OK && on ? close_tables(&fence, tables, table_count, error) : status;
    if (status != STATUS_OK) {
        error_context(error, "stopping the writers: ");
        if (fence.connection != NULL && mysql_errno(fence.connection) == NO_TRUST) {
            error_hint(error, "SET GLOBAL log_bin_trust_function_creators = ON");
        }
    }
    mysql_disconnect(fence.connection);
    return status;
}
