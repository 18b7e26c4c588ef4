/*
 * Which of a server's sessions are this process's: source, target and what a validation reads are
 * instances that know nothing of each other, and may all be on one server. So the list is the
 * process's. Any thread.
 */
#include "base/memory.h"
#include "connectors/mysql/mysql_internal.h"
#include <stdlib.h>
#include <string.h>

struct own_session {
    struct own_session *next;
    const MYSQL *connection;
    unsigned long number;
    char *peer;    /* whom the server takes for its client, HOST:PORT; NULL: it does not say */
    char server[]; /* as it names itself: it may be reached by several addresses, and several of
                      them by one */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct own_session *sessions;

static void free_session(struct own_session *session)
{
    if (session != NULL) {
        free(session->peer);
        free(session);
    }
}

void mysql_own_add(MYSQL *connection, const char *server, const char *peer)
{
    size_t bytes = strlen(server) + 1;
    struct own_session *session = memory_allocate_zeroed(1, sizeof *session + bytes);
    session->connection = connection;
    session->number = mysql_thread_id(connection);
    session->peer = peer != NULL ? memory_copy_string(peer) : NULL;
    memcpy(session->server, server, bytes);
    pthread_mutex_lock(&mutex);
    session->next = sessions;
    sessions = session;
    pthread_mutex_unlock(&mutex);
}

void mysql_own_remove(const MYSQL *connection)
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
    free_session(found);
}

/* Under the mutex; NULL: not known. */
static const struct own_session *sessions_find(const MYSQL *connection)
{
    const struct own_session *session = sessions;
    while (session != NULL && session->connection != connection) {
        session = session->next;
    }
    return session;
}

bool mysql_is_own(const MYSQL *asked, unsigned long number)
{
    pthread_mutex_lock(&mutex);
    const struct own_session *here = sessions_find(asked);
    const struct own_session *session = here != NULL ? sessions : NULL;
    while (session != NULL &&
           (session->number != number || strcmp(session->server, here->server) != 0)) {
        session = session->next;
    }
    pthread_mutex_unlock(&mutex);
    return session != NULL;
}

bool mysql_own_differs(const MYSQL *connection, const MYSQL *asked, const char *peer)
{
    pthread_mutex_lock(&mutex);
    const struct own_session *session = sessions_find(connection);
    const struct own_session *here = sessions_find(asked);
    bool differs = session != NULL && here != NULL &&
                   (strcmp(session->server, here->server) != 0 ||
                    (session->peer != NULL && peer != NULL && strcmp(session->peer, peer) != 0));
    pthread_mutex_unlock(&mutex);
    return differs;
}

bool mysql_own_is(const MYSQL *connection, const char *server, const char *peer)
{
    pthread_mutex_lock(&mutex);
    const struct own_session *session = sessions_find(connection);
    bool is = session != NULL && session->peer != NULL && peer != NULL &&
              strcmp(session->peer, peer) == 0 && strcmp(session->server, server) == 0;
    pthread_mutex_unlock(&mutex);
    return is;
}
