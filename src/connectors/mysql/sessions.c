/*
 * Which of a server's sessions are this process's: source, target and what a validation reads are
 * instances that know nothing of each other, and may all be on one server. So the list is the
 * process's. Any thread.
 */
#include "connectors/mysql/mysql_internal.h"
#include <stdlib.h>
#include <string.h>

struct own_session {
    struct own_session *next;
    const MYSQL *connection;
    unsigned long number;
    char server[]; /* as it names itself: it may be reached by several addresses */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct own_session *sessions;

bool maria_own_add(const struct maria_database *self, MYSQL *connection)
{
    size_t bytes = strlen(self->server) + 1;
    struct own_session *session = malloc(sizeof *session + bytes);
    if (session == NULL) {
        return false;
    }
    session->connection = connection;
    session->number = mysql_thread_id(connection);
    memcpy(session->server, self->server, bytes);
    pthread_mutex_lock(&mutex);
    session->next = sessions;
    sessions = session;
    pthread_mutex_unlock(&mutex);
    return true;
}

void maria_own_remove(const MYSQL *connection)
{
    pthread_mutex_lock(&mutex);
    struct own_session **at = &sessions;
    while (*at != NULL && (*at)->connection != connection) {
        at = &(*at)->next;
    }
    struct own_session *found = *at;
    if (found != NULL) {
        *at = found->next;
    }
    pthread_mutex_unlock(&mutex);
    free(found);
}

bool maria_is_own(const struct maria_database *self, unsigned long number)
{
    pthread_mutex_lock(&mutex);
    const struct own_session *session = sessions;
    while (session != NULL &&
           (session->number != number || strcmp(session->server, self->server) != 0)) {
        session = session->next;
    }
    pthread_mutex_unlock(&mutex);
    return session != NULL;
}
