/* Locks that others hold: for how long a statement may wait, and words for who they are. */
#include "connectors/sql/locks.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

/* The brief one is longer than PostgreSQL's deadlock_timeout, after which an autovacuum that is in
 * the way is ended. */
enum { BRIEF_MS = 2000, LONG_MS = 20000 };

static int64_t below(int64_t timeout_ms, int64_t most)
{
    int64_t wait_ms = timeout_ms * 2 / 3; /* before the wait for the answer is over */
    return wait_ms < 1 ? 1 : wait_ms < most ? wait_ms : most;
}

int64_t sql_brief_lock_ms(int64_t timeout_ms)
{
    return below(timeout_ms, BRIEF_MS);
}

int64_t sql_long_lock_ms(int64_t timeout_ms)
{
    return below(timeout_ms, LONG_MS);
}

void sql_session_describe(const struct sql_session *session, char out[SQL_HOLDER_BYTES])
{
    char application[48];
    char user[48];
    char query[72];
    char since[32] = "";
    char more[32] = "";
    text_printable(session->application, strlen(session->application), application,
                   sizeof application);
    text_printable(session->user, strlen(session->user), user, sizeof user);
    text_printable(session->query, strlen(session->query), query, sizeof query);
    if (session->seconds[0] != '\0') {
        snprintf(since, sizeof since, " for %.20s s", session->seconds);
    }
    if (session->more > 0) {
        snprintf(more, sizeof more, " and %d more", session->more);
    }
    snprintf(out, SQL_HOLDER_BYTES, "session %.24s (%s%suser %s, %.32s%s%s%s)%s", session->number,
             application, application[0] != '\0' ? ", " : "", user,
             session->state[0] != '\0' ? session->state : "at work", since,
             query[0] != '\0' ? ": " : "", query, more);
}

void sql_lock_tell(struct error *error, const char *holder, const char *verb, const char *end)
{
    char words[sizeof error->message];
    memcpy(words, error->message, sizeof words);
    snprintf(error->message, sizeof error->message, "%.400s; %s %s", words, holder, verb);
    error_hint(error, "wait until that transaction ends, or end it (%s), then `transhume resume`",
               end);
}
