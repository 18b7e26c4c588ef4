/* Starting the program, with an environment that makes it speak JSON. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

const char *client_program(const struct transhume_call *call)
{
    const char *named = getenv("TRANSHUME");
    if (call->program != NULL) {
        return call->program;
    }
    return named != NULL && named[0] != '\0' ? named : "transhume";
}

enum { SETTING_COUNT = 5 };
static const char *const settings_with_events[SETTING_COUNT] = {
    "TRANSHUME_JSON=true", "TRANSHUME_LOG_FORMAT=json", "TRANSHUME_PROGRESS=json",
    "TRANSHUME_VERBOSE=true", "TRANSHUME_QUIET="};
static const char *const settings_without_events[SETTING_COUNT] = {
    "TRANSHUME_JSON=true", "TRANSHUME_LOG_FORMAT=json", "TRANSHUME_PROGRESS=none",
    "TRANSHUME_VERBOSE=", "TRANSHUME_QUIET="};

static bool is_set_by_us(const char *variable)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        size_t length = strcspn(settings_with_events[i], "=") + 1;
        if (strncmp(variable, settings_with_events[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/* Borrows the texts; the list is the caller's to free. NULL: memory is out. */
static char **make_environment(bool with_events)
{
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **list = calloc(count + SETTING_COUNT + 1, sizeof *list);
    if (list == NULL) {
        return NULL;
    }
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_set_by_us(environ[i])) {
            list[used++] = environ[i];
        }
    }
    const char *const *settings = with_events ? settings_with_events : settings_without_events;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        list[used++] = (char *)settings[i];
    }
    return list;
}

/* The program with its name before its arguments, as for make_environment. */
static char **make_arguments(const char *program, const char *const *arguments)
{
    size_t count = 0;
    while (arguments != NULL && arguments[count] != NULL) {
        count++;
    }
    char **list = calloc(count + 2, sizeof *list);
    if (list != NULL) {
        list[0] = (char *)program;
        for (size_t i = 0; i < count; i++) {
            list[i + 1] = (char *)arguments[i];
        }
    }
    return list;
}

static void close_end(int *descriptor)
{
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

/* Whatever the caller ignores or blocks is none of the program's business. */
static int set_signals(posix_spawnattr_t *attributes)
{
    static const int defaults[] = {SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    int failed = posix_spawnattr_setsigmask(attributes, &set);
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        sigaddset(&set, defaults[i]);
    }
    failed = failed != 0 ? failed : posix_spawnattr_setsigdefault(attributes, &set);
    return failed != 0 ? failed
                       : posix_spawnattr_setflags(attributes,
                                                  POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int set_streams(posix_spawn_file_actions_t *actions, const char *folder, int out, int err)
{
    int failed = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    failed = failed != 0 ? failed : posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);
    failed = failed != 0 ? failed : posix_spawn_file_actions_adddup2(actions, err, STDERR_FILENO);
    return failed != 0 || folder == NULL ? failed
                                         : posix_spawn_file_actions_addchdir_np(actions, folder);
}

static int spawn(const struct transhume_call *call, const char *program, int out, int err,
                 pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char **environment = make_environment(call->on_event != NULL);
    char **arguments = make_arguments(program, call->arguments);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int failed = environment == NULL || arguments == NULL
                     ? ENOMEM
                     : set_streams(&actions, call->folder, out, err);
    failed = failed != 0 ? failed : set_signals(&attributes);
    if (failed == 0) {
        failed = posix_spawnp(pid, program, &actions, &attributes, arguments, environment);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(arguments);
    free(environment);
    return failed;
}

/* A pipe neither end of which is a standard stream, which the child's would take the place of. */
static int make_pipe(int ends[2])
{
    int low[2];
    if (pipe2(low, O_CLOEXEC) != 0) {
        return errno;
    }
    ends[0] = fcntl(low[0], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    ends[1] = fcntl(low[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int failed = ends[0] < 0 || ends[1] < 0 ? errno : 0;
    close(low[0]);
    close(low[1]);
    return failed;
}

int client_start(const struct transhume_call *call, const char *program, struct client_child *child)
{
    int out[2] = {-1, -1};
    int err[2] = {-1, -1};
    int failed = make_pipe(out);
    failed = failed != 0 ? failed : make_pipe(err);
    failed = failed != 0 ? failed : spawn(call, program, out[1], err[1], &child->pid);
    close_end(&out[1]);
    close_end(&err[1]);
    if (failed != 0) {
        close_end(&out[0]);
        close_end(&err[0]);
    }
    child->out = out[0];
    child->err = err[0];
    return failed;
}
