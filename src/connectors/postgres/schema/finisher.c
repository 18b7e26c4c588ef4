/* Shared by the steps after the load: statements that alter tables, and what is told of them. */
#include "base/text.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/schema/finish.h"
#include <stdio.h>
#include <string.h>

void postgres_finisher_say(const struct postgres_finisher *finisher, const char *what,
                           const char *name)
{
    char printable[160];
    char line[200];
    if (finisher->request->progress != NULL) {
        text_printable(name, strlen(name), printable, sizeof printable);
        snprintf(line, sizeof line, "%s %s", what, printable);
        finisher->request->progress(line);
    }
}

enum status postgres_finisher_run(struct postgres_finisher *finisher, struct buffer *sql,
                                  const char *table, const char *name, bool beside)
{
    struct postgres_database *self = finisher->self;
    const char *text = buffer_string(sql);
    enum status status = beside ? postgres_alter_beside(self, finisher->connection, text, 0,
                                                        ERROR_TARGET_SCHEMA, finisher->error)
                                : postgres_alter(self, finisher->connection, text, SQL_BUILD,
                                                 ERROR_TARGET_SCHEMA, finisher->error);
    buffer_free(sql);
    if (status != STATUS_OK) {
        error_context(finisher->error, "%s: %s: ", table, name);
    }
    return status;
}
