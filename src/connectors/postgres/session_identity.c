/*
 * How the server tells each of this process's sessions from all others: numbers of processes come
 * again, on this server and on another one that took its place behind the same address. Any thread.
 */
#include "base/memory.h"
#include "connectors/postgres/postgres_internal.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct own_session {
    struct own_session *next;
    const PGconn *connection;
    char name[POSTGRES_SESSION_BYTES];
    uint32_t prepared; /* a bit for each statement */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct own_session *sessions;

static void identity_add(const PGconn *connection, const char *name)
{
    struct own_session *session = memory_allocate_zeroed(1, sizeof *session);
    session->connection = connection;
    snprintf(session->name, sizeof session->name, "%s", name);
    pthread_mutex_lock(&mutex);
    session->next = sessions;
    sessions = session;
    pthread_mutex_unlock(&mutex);
}

enum status postgres_identity_add(struct postgres_database *self, PGconn *connection,
                                  struct error *error)
{
    static const char sql[] = "SELECT " POSTGRES_SESSION_NAME " FROM "
                              "pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) AS a";
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(self, connection, sql, NULL, 0, SQL_SHORT,
                                                ERROR_NETWORK, &result, error);
    if (status != STATUS_OK) {
        return PQstatus(connection) == CONNECTION_OK ? STATUS_OK : STATUS_FAILED;
    }
    if (PQntuples(result) > 0 && PQgetisnull(result, 0, 0) == 0) {
        identity_add(connection, PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return status;
}

static struct own_session *identity_find(const PGconn *connection)
{
    struct own_session *session = sessions;
    while (session != NULL && session->connection != connection) {
        session = session->next;
    }
    return session;
}

void postgres_identity_remove(const PGconn *connection)
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

bool postgres_identity_name(const PGconn *connection, char name[POSTGRES_SESSION_BYTES])
{
    pthread_mutex_lock(&mutex);
    const struct own_session *session = identity_find(connection);
    if (session != NULL) {
        memcpy(name, session->name, sizeof session->name);
    }
    pthread_mutex_unlock(&mutex);
    return session != NULL;
}

enum postgres_kept postgres_identity_kept(const PGconn *connection, uint32_t number)
{
    pthread_mutex_lock(&mutex);
    const struct own_session *session = identity_find(connection);
    enum postgres_kept kept = session == NULL                               ? POSTGRES_KEPT_NEVER
                              : (session->prepared >> number & UINT32_C(1)) ? POSTGRES_KEPT
                                                                            : POSTGRES_KEPT_NOT_YET;
    pthread_mutex_unlock(&mutex);
    return kept;
}

void postgres_identity_keep(const PGconn *connection, uint32_t number)
{
    pthread_mutex_lock(&mutex);
    struct own_session *session = identity_find(connection);
    if (session != NULL) {
        session->prepared |= UINT32_C(1) << number;
    }
    pthread_mutex_unlock(&mutex);
}
