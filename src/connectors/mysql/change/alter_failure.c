/* A migration's session that is lost: nobody knows what became of its statement. */
#include "connectors/mysql/change/alter.h"
#include <stdio.h>

enum status mysql_alter_lost(struct mysql_alter *session, enum status status, struct error *error)
{
    char words[sizeof error->message];
    if (status != STATUS_FAILED || error == NULL || error->code == ERROR_TARGET_UNKNOWN_OUTCOME ||
        (error->native_code != 0 ? !mysql_is_lost((unsigned)error->native_code)
                                 : mysql_is_alive(session->connection))) {
        return status;
    }
    snprintf(words, sizeof words, "%s", error->message);
    error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, session->base.shown,
              "the session was lost: %.600s", words);
    error_hint(error, "run the command again: it finds out what became of the statement");
    return STATUS_FAILED;
}
