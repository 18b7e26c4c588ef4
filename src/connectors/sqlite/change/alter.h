/* Declarations that the files that change a SQLite file's schema share. */
#ifndef TRANSHUME_CONNECTORS_SQLITE_CHANGE_ALTER_H
#define TRANSHUME_CONNECTORS_SQLITE_CHANGE_ALTER_H

#include "connectors/sql/history.h"
#include "connectors/sqlite/ledger_internal.h"

struct sqlite_alter {
    struct alter_session base;
    struct sqlite_database *database;
    sqlite3 *connection;
    char *lock_path;
    int lock; /* a descriptor; -1: not held */
    bool within;
    int64_t begun_ms; /* when the open transaction did; UTC */
};

static inline struct sqlite_alter *sqlite_alter_of(struct alter_session *session)
{
    return (struct sqlite_alter *)session;
}

extern const struct sql_history_dialect sqlite_history; /* alter_history.c */

/* May the statement be run once more, whatever became of it? */
bool sqlite_alter_repeats(const struct alter_request *request);

/* ---------------------------------------------------------------- alter_references.c */

/* Before a commit: rows without a partner that were not so before. ERROR_TARGET_WRITE. */
enum status sqlite_alter_check_references(struct sqlite_alter *session,
                                          struct error *error) MUST_USE;

/* The tables that refer to one that is about to be dropped, and how many rows and references each
 * has. */
struct sqlite_alter_children {
    struct sqlite_alter_child *first;
    char dropped[256];
};
/* Only while foreign keys are enforced; else it counts nothing. */
enum status sqlite_alter_children_count(struct sqlite_alter *session, const char *table,
                                        struct sqlite_alter_children *children,
                                        struct error *error) MUST_USE;
/* ERROR_TARGET_WRITE: dropping the table deleted rows elsewhere, or took their references. */
enum status sqlite_alter_children_compare(struct sqlite_alter *session,
                                          const struct sqlite_alter_children *children,
                                          struct error *error) MUST_USE;
void sqlite_alter_children_free(struct sqlite_alter_children *children);

#endif
