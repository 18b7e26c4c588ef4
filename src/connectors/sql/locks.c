/* Locks that others hold: for how long a statement may wait, and words for who they are. */
#include "connectors/sql/locks.h"
#include "base/text.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The brief one is longer than PostgreSQL's deadlock_timeout is by itself, after which an
 * autovacuum that is in the way is ended. */
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

/* ---------------------------------------------------------------- somebody's statement */

static bool is_word(char byte)
{
    return isalnum((unsigned char)byte) != 0 || byte == '_' || (unsigned char)byte >= 0x80;
}

/* Behind the literal or name between quotes at `at`; NULL: it has no end, or nobody can say where,
 * since only some servers and settings escape by a backslash. */
static const char *behind_quoted(const char *at)
{
    const char *end = at + 1;
    while (*end != '\0' && *end != '\\' && *end != *at) {
        end++;
    }
    return *end == *at ? end + 1 : NULL;
}

/* One with quotes in it would have the quotes after it taken for each other's ends. */
static bool is_odd_comment(const char *at)
{
    bool block = at[0] == '/' && at[1] == '*';
    bool line = at[0] == '#' || (at[0] == '-' && at[1] == '-');
    const char *end = block ? strstr(at + 2, "*/") : line ? strchr(at, '\n') : at;
    size_t length = end != NULL ? (size_t)(end - at) : strlen(at);
    size_t plain = strcspn(at, "'\"`$");
    return (block || line) && plain < length;
}

void sql_hide_values(const char *statement, char *out, size_t size)
{
    size_t length = 0;
    const char *at = statement;
    while (at != NULL && *at != '\0' && length + 1 < size) {
        bool quoted = *at == '\'' || *at == '"';
        bool number = isdigit((unsigned char)*at) && (at == statement || !is_word(at[-1]));
        if (*at == '$' || *at == '`' || is_odd_comment(at)) {
            at = NULL;
        } else if (quoted || number) {
            out[length++] = '?';
            at = quoted ? behind_quoted(at) : at + 1;
            while (number && (is_word(*at) || *at == '.')) {
                at++;
            }
        } else {
            out[length++] = *at++;
        }
    }
    out[length] = '\0';
}

void sql_session_describe(const struct sql_session *session, char out[SQL_HOLDER_BYTES])
{
    char application[48];
    char user[48];
    char query[72];
    char hidden[256];
    char since[32] = "";
    char more[32] = "";
    text_printable(session->application, strlen(session->application), application,
                   sizeof application);
    text_printable(session->user, strlen(session->user), user, sizeof user);
    sql_hide_values(session->query, hidden, sizeof hidden);
    text_printable(hidden, strlen(hidden), query, sizeof query);
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
    enum { WORDS_BYTES_MAX = 400 };
    char words[sizeof error->message];
    memcpy(words, error->message, sizeof words);
    words[text_clip(words, strlen(words), WORDS_BYTES_MAX)] = '\0';
    snprintf(error->message, sizeof error->message, "%s; %s %s", words, holder, verb);
    error_hint(error, "wait until that transaction ends, or end it (%s), then `transhume resume`",
               end);
}
