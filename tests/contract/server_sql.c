/* The servers that contract tests share: begun by tests/servers/hold, asked by their own clients.
 */
#include "contract.h"
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
    const char *module; /* of tests/servers */
    pid_t process;      /* of the Python that holds the server; it ends with SIGTERM */
    pid_t owner;
    int port;
    bool tried;
    unsigned databases;
};

static struct shared postgres = {.module = "postgres"};
static struct shared mariadb = {.module = "mariadb"};
static struct shared mysql = {.module = "mysql"};
static struct shared cassandra = {.module = "cassandra_server"};
static struct shared redis = {.module = "redis_server"};
static struct shared opensearch = {.module = "opensearch_server"};
static struct shared mongodb = {.module = "ferretdb"};

static void stop_one(struct shared *shared)
{
    if (shared->process > 0 && shared->owner == getpid()) {
        kill(shared->process, SIGTERM);
        waitpid(shared->process, NULL, 0);
        shared->process = 0;
    }
}

static void stop(void)
{
    stop_one(&postgres);
    stop_one(&mariadb);
    stop_one(&mysql);
    stop_one(&cassandra);
    stop_one(&redis);
    stop_one(&opensearch);
    stop_one(&mongodb);
}

/* The program says its port in one line, then waits until it is ended. */
static void start(struct shared *shared)
{
    int said[2];
    char line[32] = "";
    size_t length = 0;
    ssize_t got = 0;
    shared->tried = true;
    if (pipe(said) != 0) {
        return;
    }
    fflush(NULL);
    shared->owner = getpid();
    shared->process = fork();
    if (shared->process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(said[1], 1);
        close(said[0]);
        execl("/usr/bin/python3", "python3", "tests/servers/hold", shared->module, (char *)NULL);
        _exit(127);
    }
    close(said[1]);
    while (length + 1 < sizeof line &&
           (got = read(said[0], line + length, sizeof line - 1 - length)) > 0 &&
           strchr(line, '\n') == NULL) {
        length += (size_t)got;
    }
    close(said[0]);
    shared->port = (int)strtol(line, NULL, 10);
    atexit(stop);
}

static bool is_there(struct shared *shared)
{
    if (!shared->tried) {
        start(shared);
    }
    return shared->port != 0;
}

/* Runs somebody else's client; false: it failed. */
static bool run_client(const char *const arguments[])
{
    int ended = -1;
    fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        execvp(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    return process > 0 && waitpid(process, &ended, 0) == process && ended == 0;
}

bool database_postgres(char address[64], const char **reason)
{
    char sql[64];
    char server[128];
    const char *const client[] = {"psql", "-qXw", "-d", server, "-c", sql, NULL};
    if (!is_there(&postgres)) {
        *reason = "no PostgreSQL server (tests/servers/postgres.py says why)";
        return false;
    }
    /* a schema is as good as a database here, and quicker to have */
    snprintf(address, 64, "%d/postgres?schema=contract_%d_%u", postgres.port, (int)getpid(),
             ++postgres.databases);
    snprintf(sql, sizeof sql, "CREATE SCHEMA contract_%d_%u", (int)getpid(), postgres.databases);
    snprintf(server, sizeof server,
             "host=127.0.0.1 port=%d user=postgres connect_timeout=30 "
             "options='-c statement_timeout=60s'",
             postgres.port);
    assert_true(run_client(client));
    return true;
}

static void make_database(struct shared *server, char address[64])
{
    char sql[64];
    char port[16];
    const char *const client[] = {
        "mariadb", "--no-defaults", "-uroot", "-h127.0.0.1", port, "-e", sql, NULL};
    snprintf(address, 64, "%d/contract_%d_%u", server->port, (int)getpid(), ++server->databases);
    snprintf(sql, sizeof sql, "CREATE DATABASE contract_%d_%u", (int)getpid(), server->databases);
    snprintf(port, sizeof port, "-P%d", server->port);
    assert_true(run_client(client));
}

bool database_mariadb(char address[64], const char **reason)
{
    if (!is_there(&mariadb)) {
        *reason = "no MariaDB server (tests/servers/mariadb.py says why)";
        return false;
    }
    make_database(&mariadb, address);
    return true;
}

bool database_mysql(char address[64], const char **reason)
{
    if (!is_there(&mysql)) {
        *reason = "no MySQL 9 server (tests/servers/mysql.py says why)";
        return false;
    }
    make_database(&mysql, address);
    return true;
}

bool database_cassandra(char address[64], const char **reason)
{
    if (!is_there(&cassandra)) {
        *reason = "no Cassandra server (tests/servers/cassandra_server.py says why)";
        return false;
    }
    snprintf(address, 64, "%d/contract_%d_%u", cassandra.port, (int)getpid(),
             ++cassandra.databases);
    return true;
}

/* Databases of a server are numbers: the next one, which a counter in the first of them gives. */
static int next_number(int port)
{
    static const char increment[] = "INCR numbers\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)},
                                  .sin_port = htons((uint16_t)port)};
    char answer[32] = "";
    int asking = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(asking, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(write(asking, increment, sizeof increment - 1), sizeof increment - 1);
    assert_true(read(asking, answer, sizeof answer - 1) > 1);
    close(asking);
    return (int)strtol(answer + 1, NULL, 10);
}

bool database_redis(char address[64], const char **reason)
{
    if (!is_there(&redis)) {
        *reason = "no Redis server (tests/servers/redis_server.py says why)";
        return false;
    }
    snprintf(address, 64, "%d/%d", redis.port, next_number(redis.port));
    return true;
}

bool database_opensearch(char address[64], const char **reason)
{
    if (!is_there(&opensearch)) {
        *reason = "no OpenSearch server (tests/servers/opensearch_server.py says why)";
        return false;
    }
    snprintf(address, 64, "%d/c%d-%u-", opensearch.port, (int)getpid(), ++opensearch.databases);
    return true;
}

/* A database is there with its first collection. */
bool database_mongodb(char address[64], const char **reason)
{
    if (!is_there(&mongodb)) {
        *reason = "no FerretDB server (tests/servers/ferretdb.py says why)";
        return false;
    }
    snprintf(address, 64, "%d/contract_%d_%u", mongodb.port, (int)getpid(), ++mongodb.databases);
    return true;
}
