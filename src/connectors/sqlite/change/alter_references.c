/* Foreign keys of a SQLite file whose schema is changed: what a transaction would leave broken, and
 * what DROP TABLE takes from the tables that refer to the dropped one. */
#include "connectors/sqlite/change/alter.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- before a commit */

/* How many rows of each table have no partner: "TABLE REFERRED COUNT" of the first one that has
 * more than before. */
static const char broken_sql[] = "SELECT f.\"table\", f.parent, count(*) FROM "
                                 "pragma_foreign_key_check AS f GROUP BY 1, 2 ORDER BY 1, 2";

static const char any_sql[] =
    "SELECT 1 FROM main.sqlite_schema AS t, pragma_foreign_key_list(t.name) AS k "
    "WHERE t.type = 'table' LIMIT 1";

struct broken {
    char *table;
    char *parent;
    int64_t count;
};
struct broken_list {
    struct broken *items;
    uint32_t count;
};

static void free_broken(struct broken_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        free(list->items[i].table);
        free(list->items[i].parent);
    }
    free(list->items);
}

static enum status find_broken(struct sqlite_alter *session, sqlite3 *connection,
                               struct broken_list *list, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_target_prepare(session->database, connection, broken_sql, &statement, error);
    while (status == STATUS_OK &&
           (status = sqlite_step(session->database, statement, error)) == STATUS_OK) {
        const char *parent = sqlite_text_of(statement, 1);
        list->items = memory_resize(list->items, list->count + 1u, sizeof *list->items);
        list->items[list->count++] =
            (struct broken){.table = memory_copy_string(sqlite_text_of(statement, 0)),
                            .parent = memory_copy_string(parent != NULL ? parent : ""),
                            .count = sqlite3_column_int64(statement, 2)};
    }
    sqlite3_finalize(statement);
    return status == STATUS_END ? STATUS_OK : status;
}

static const struct broken *alter_references_find(const struct broken_list *list,
                                                  const struct broken *wanted)
{
    const struct broken *found = NULL;
    for (uint32_t i = 0; i < list->count && found == NULL; i++) {
        bool same = sqlite_same_name(list->items[i].table, wanted->table) &&
                    sqlite_same_name(list->items[i].parent, wanted->parent);
        found = same ? &list->items[i] : NULL;
    }
    return found;
}

/* The broken references that others see as long as the transaction is not committed. */
static enum status find_broken_before(struct sqlite_alter *session, struct broken_list *list)
{
    sqlite3 *beside = NULL;
    enum status status = sqlite_connection_open(session->database->path, CONNECTION_READ,
                                                session->database->timeout_ms, &beside, NULL);
    if (status == STATUS_OK) {
        sqlite3_busy_timeout(beside, 0); /* who is in the way is this transaction */
        status = find_broken(session, beside, list, NULL);
    }
    sqlite_connection_close(beside);
    return status;
}

static enum status alter_references_compare(struct sqlite_alter *session,
                                            const struct broken_list *now,
                                            const struct broken_list *before, bool known,
                                            struct error *error)
{
    for (uint32_t i = 0; i < now->count; i++) {
        const struct broken *one = &now->items[i];
        const struct broken *old = alter_references_find(before, one);
        int64_t more = one->count - (old != NULL ? old->count : 0);
        if (more > 0) {
            error_set(error, ERROR_TARGET_WRITE, session->base.shown,
                      "%" PRId64 " %s of %s %s to no row of %s%s", more, more == 1 ? "row" : "rows",
                      one->table, more == 1 ? "refers" : "refer", one->parent,
                      known ? " any more" : ", if not before already");
            error_hint(error, "nothing was committed. Delete or change those rows first; a file "
                              "that counts on ON DELETE CASCADE begins with PRAGMA foreign_keys = "
                              "ON");
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status any_reference(struct sqlite_alter *session, bool *any, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_target_prepare(session->database, session->connection, any_sql, &statement, error);
    status = status == STATUS_OK ? sqlite_step(session->database, statement, error) : status;
    sqlite3_finalize(statement);
    *any = status == STATUS_OK;
    return status == STATUS_END ? STATUS_OK : status;
}

/* Rows that were broken before are no fault of this transaction. */
enum status sqlite_alter_check_references(struct sqlite_alter *session, struct error *error)
{
    struct broken_list now = {0};
    struct broken_list before = {0};
    bool any = false;
    bool known = true;
    enum status status = any_reference(session, &any, error);
    if (status == STATUS_OK && any) {
        status = find_broken(session, session->connection, &now, error);
    }
    if (status == STATUS_OK && now.count > 0) {
        known = find_broken_before(session, &before) == STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = alter_references_compare(session, &now, &before, known, error);
    }
    free_broken(&now);
    free_broken(&before);
    return status;
}

/* ---------------------------------------------------------------- DROP TABLE */

struct sqlite_alter_child {
    struct sqlite_alter_child *next;
    char *table;
    char *column;
    int64_t rows;
    int64_t references;
};

static enum status count_child(struct sqlite_alter *session, const struct sqlite_alter_child *child,
                               int64_t *rows, int64_t *references, struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    sqlite_append(&sql, "SELECT count(*), count(%n) FROM main.%n", child->column, child->table);
    enum status status = sqlite_target_prepare_buffer(session->database, session->connection, &sql,
                                                      &statement, error);
    status = status == STATUS_OK ? sqlite_step(session->database, statement, error) : status;
    if (status == STATUS_OK) {
        *rows = sqlite3_column_int64(statement, 0);
        *references = sqlite3_column_int64(statement, 1);
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return status;
}

static bool enforces(sqlite3 *connection)
{
    int on = 0;
    return sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &on) == SQLITE_OK &&
           on != 0;
}

enum status sqlite_alter_children_count(struct sqlite_alter *session, const char *table,
                                        struct sqlite_alter_children *children, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (!enforces(session->connection)) {
        return STATUS_OK;
    }
    snprintf(children->dropped, sizeof children->dropped, "%s", table);
    enum status status = sqlite_target_prepare(
        session->database, session->connection,
        "SELECT t.name, k.\"from\" FROM main.sqlite_schema AS t, pragma_foreign_key_list(t.name) AS "
        "k WHERE t.type = 'table' AND k.\"table\" = ?1 COLLATE NOCASE AND t.name <> ?1 COLLATE "
        "NOCASE",
        &statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
    }
    while (status == STATUS_OK &&
           (status = sqlite_step(session->database, statement, error)) == STATUS_OK) {
        struct sqlite_alter_child *child = memory_allocate_zeroed(1, sizeof *child);
        child->next = children->first;
        child->table = memory_copy_string(sqlite_text_of(statement, 0));
        child->column = memory_copy_string(sqlite_text_of(statement, 1));
        children->first = child;
        status = count_child(session, child, &child->rows, &child->references, error);
    }
    sqlite3_finalize(statement);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status sqlite_alter_children_compare(struct sqlite_alter *session,
                                          const struct sqlite_alter_children *children,
                                          struct error *error)
{
    enum status status = STATUS_OK;
    const struct sqlite_alter_child *child = children->first;
    for (; child != NULL && status == STATUS_OK; child = child->next) {
        int64_t rows = 0;
        int64_t references = 0;
        status = count_child(session, child, &rows, &references, error);
        if (status == STATUS_OK && (rows != child->rows || references != child->references)) {
            error_set(error, ERROR_TARGET_WRITE, session->base.shown,
                      "DROP TABLE %s would %s %" PRId64 " rows of %s, which refers to it",
                      children->dropped, rows != child->rows ? "delete" : "empty the references of",
                      rows != child->rows ? child->rows - rows : child->references - references,
                      child->table);
            error_hint(error, "to make the table anew, leave PRAGMA foreign_keys = ON out; to lose "
                              "those rows, delete them first");
            status = STATUS_FAILED;
        }
    }
    return status;
}

void sqlite_alter_children_free(struct sqlite_alter_children *children)
{
    while (children->first != NULL) {
        struct sqlite_alter_child *child = children->first;
        children->first = child->next;
        free(child->table);
        free(child->column);
        free(child);
    }
}
