/* Several connections at work on a list of things to do. Control thread. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_SCHEMA_WORKERS_H
#define TRANSHUME_CONNECTORS_MYSQL_SCHEMA_WORKERS_H

#include "connectors/mysql/target.h"
#include <stdatomic.h>

enum { MYSQL_CREW_MAX = 4 };

/* `self` is filled by the caller, the rest zeroed. */
struct mysql_workers {
    struct mysql_database *self;
    bool keys_silent;    /* no foreign key answers in its sessions */
    _Atomic bool failed; /* one of them has: the others need not go on waiting for locks */
    MYSQL *connections[MYSQL_CREW_MAX];
};

/* Does the thing `number`. On any thread of the crew, whose arena is emptied before each. */
typedef enum status (*mysql_task)(void *context, MYSQL *connection, struct arena *arena,
                                  uint32_t number, struct error *error);

/* Does the things 0 to count - 1, in no certain order; the control connection takes part, and does
 * all where there are no others to be had. The first failure ends it. */
enum status mysql_workers_run(struct mysql_workers *crew, MYSQL *control, uint32_t count,
                              mysql_task task, void *context, struct error *error) MUST_USE;
void mysql_workers_close(struct mysql_workers *crew);

/* ---------------------------------------------------------------- count.c */

/* The records of a table. */
enum status mysql_count(struct mysql_database *self, MYSQL *control,
                        const struct target_table *table, uint64_t *count,
                        struct error *error) MUST_USE;

#endif
