/* The work after a load, table by table, and what its parts share. On any thread of the crew,
 * but for references. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_SCHEMA_FINISH_H
#define TRANSHUME_CONNECTORS_MYSQL_SCHEMA_FINISH_H

#include "connectors/mysql/catalog.h"
#include "connectors/mysql/locks.h"
#include "connectors/mysql/target.h"
#include "connectors/sql/orphans.h"

/* Foreign keys that are made, where records that break them are to be taken out. */
struct mysql_found_references {
    bool wanted; /* they are being collected, and what records break is not told yet */
    bool again;  /* keys that can't be made were told before */
    struct arena *arena;
    struct sql_reference *items;
    uint32_t count;
};

/* The means with which one thing is done. */
struct mysql_finisher {
    struct mysql_database *self;
    MYSQL *connection;
    struct arena *arena;
    struct after_load_request *request;   /* `broken` is one thread's */
    struct mysql_found_references *found; /* the same thread's */
    const _Atomic bool *cancelled;        /* another thread's work has failed */
    struct error *error;
};

/* Tells what is under way, if anybody wants to know. */
void mysql_finisher_say(const struct mysql_finisher *finisher, const char *what, const char *name);
/* "ALTER TABLE table " */
void mysql_finisher_begin(struct buffer *sql, const struct mysql_finisher *finisher,
                          const char *table);
/* One statement, as often as locks of others want it; frees it. The second tells in the finisher's
 * error what became of it. */
enum status mysql_finisher_alter(struct mysql_finisher *finisher, struct buffer *sql,
                                 const char *table, enum sql_patience patience,
                                 struct error *error) MUST_USE;
enum status mysql_finisher_run(struct mysql_finisher *finisher, struct buffer *sql,
                               const char *table, enum sql_patience patience) MUST_USE;
/* Makes a problem the finisher's own: STATUS_FAILED. */
enum status mysql_finisher_fail(struct mysql_finisher *finisher, const struct error *problem);

/* indexes.c: all of a table's in one pass over it. */
enum status mysql_make_indexes(struct mysql_finisher *finisher, const struct target_table *table,
                               const struct mysql_table *facts) MUST_USE;

/* references.c: a table's foreign keys. They lock the tables that they refer to: one table after
 * the other. */
enum status mysql_make_references(struct mysql_finisher *finisher, const struct target_table *table,
                                  const struct mysql_table *facts) MUST_USE;

/* finish.c, indexes.c, references.c: add to the script what would be sent for a new table. */
void mysql_show_comment(const struct mysql_database *self, const struct target_table *table,
                        struct script *script);
void mysql_show_indexes(const struct mysql_database *self, const struct target_table *table,
                        struct script *script);
void mysql_show_references(const struct mysql_database *self, const struct script_request *request,
                           const struct target_table *table, struct script *script);

#endif
