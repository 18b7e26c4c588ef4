/* The PostgreSQL that contract tests share: begun by tests/servers/with, asked by psql. */
#include "contract.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    pid_t process; /* of the Python that holds the server; it ends with its standard input */
    pid_t owner;
    int port;
    bool tried;
    unsigned databases;
} shared;

static void stop(void)
{
    if (shared.process > 0 && shared.owner == getpid()) {
        kill(shared.process, SIGTERM);
        waitpid(shared.process, NULL, 0);
        shared.process = 0;
    }
}

/* The program says its port in one line, then waits until it is ended. */
static void start(void)
{
    int said[2];
    char line[32] = "";
    size_t length = 0;
    ssize_t got = 0;
    shared.tried = true;
    if (pipe(said) != 0) {
        return;
    }
    fflush(NULL);
    shared.owner = getpid();
    shared.process = fork();
    if (shared.process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(said[1], 1);
        close(said[0]);
        execl("/usr/bin/python3", "python3", "tests/servers/hold_postgres", (char *)NULL);
        _exit(127);
    }
    close(said[1]);
    while (length + 1 < sizeof line &&
           (got = read(said[0], line + length, sizeof line - 1 - length)) > 0 &&
           strchr(line, '\n') == NULL) {
        length += (size_t)got;
    }
    close(said[0]);
    shared.port = (int)strtol(line, NULL, 10);
    atexit(stop);
}

/* Runs one statement, by somebody else's client; false: it failed. */
static bool run_psql(const char *sql)
{
    char address[128];
    int ended = -1;
    snprintf(address, sizeof address,
             "host=127.0.0.1 port=%d user=postgres connect_timeout=30 "
             "options='-c statement_timeout=60s'",
             shared.port);
    fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        execlp("psql", "psql", "-qXw", "-d", address, "-c", sql, (char *)NULL);
        _exit(127);
    }
    return process > 0 && waitpid(process, &ended, 0) == process && ended == 0;
}

bool database_postgres(char address[64], const char **reason)
{
    char command[64];
    if (!shared.tried) {
        start();
    }
    if (shared.port == 0) {
        *reason = "no PostgreSQL server (tests/servers/postgres.py says why)";
        return false;
    }
    /* a schema is as good as a database here, and quicker to have */
    snprintf(address, 64, "%d/postgres?schema=contract_%d_%u", shared.port, (int)getpid(),
             ++shared.databases);
    snprintf(command, sizeof command, "CREATE SCHEMA contract_%d_%u", (int)getpid(),
             shared.databases);
    assert_true(run_psql(command));
    return true;
}
