/* Shared by the steps after the load: statements that alter tables, and what is told of them. */
#include "connectors/mysql/locks.h"
#include "connectors/mysql/schema/finish.h"
#include <stdio.h>
#include <string.h>

static pthread_mutex_t progress_lock = PTHREAD_MUTEX_INITIALIZER;

void mysql_finisher_say(const struct mysql_finisher *finisher, const char *what, const char *name)
{
    char printable[160];
    char line[200];
    if (finisher->request->progress != NULL) {
        text_printable(name, strlen(name), printable, sizeof printable);
        snprintf(line, sizeof line, "%s %s", what, printable);
        pthread_mutex_lock(&progress_lock);
        finisher->request->progress(line);
        pthread_mutex_unlock(&progress_lock);
    }
}

enum status mysql_finisher_alter(struct mysql_finisher *finisher, struct buffer *sql,
                                 const char *table, enum sql_patience patience, struct error *error)
{
    return mysql_alter_persistently(finisher->self, finisher->connection, sql, table, patience,
                                    ERROR_TARGET_SCHEMA, finisher->cancelled, error);
}

enum status mysql_finisher_run(struct mysql_finisher *finisher, struct buffer *sql,
                               const char *table, enum sql_patience patience)
{
    return mysql_finisher_alter(finisher, sql, table, patience, finisher->error);
}

void mysql_finisher_begin(struct buffer *sql, const struct mysql_finisher *finisher,
                          const char *table)
{
    mysql_append(sql, "ALTER TABLE %t ", &finisher->self->sql, table);
}

enum status mysql_finisher_fail(struct mysql_finisher *finisher, const struct error *problem)
{
    error_copy(finisher->error, problem);
    return STATUS_FAILED;
}
