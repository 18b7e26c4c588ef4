/* Stopping the process that works in a state folder, and starting one that goes on with its run. */
#include "observe/dashboard/dashboard_parts.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/trust.h"
#include "observe/report_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { OUTPUT_SHOWN_MAX = 2000 };

/* ---- stop */

/* Does the system say that this process holds the lock? What the file says of a pid is no proof. */
static bool holds_lock(pid_t pid, const char *path)
{
    char line[256];
    struct stat facts;
    bool found = false;
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL || stat(path, &facts) != 0) {
        if (locks != NULL) {
            fclose(locks);
        }
        return false;
    }
    /* "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF" */
    while (!found && fgets(line, sizeof(line), locks) != NULL) {
        int holder = 0;
        uintmax_t inode = 0;
        found = sscanf(line, "%*[^:]: FLOCK ADVISORY WRITE %d %*x:%*x:%ju", &holder, &inode) == 2 &&
                holder == pid && inode == (uintmax_t)facts.st_ino;
    }
    fclose(locks);
    return found;
}

/* The process is held by its descriptor first, so that its number can't become another's between
 * the proof and the signal. */
static bool interrupt_holder(const char *path, struct arena *arena)
{
    char *text;
    size_t length;
    int64_t pid = 0;
    struct error ignored;
    if (file_read_all(path, 64, arena, &text, &length, &ignored) != STATUS_OK ||
        text_to_int64(text, strspn(text, "0123456789"), &pid) != STATUS_OK || pid <= 1 ||
        pid > INT32_MAX) {
        return false;
    }
    int process = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    bool done = process >= 0 && file_is_locked(path) && holds_lock((pid_t)pid, path) &&
                syscall(SYS_pidfd_send_signal, process, SIGINT, NULL, 0) == 0;
    if (process >= 0) {
        close(process);
    }
    return done;
}

/* ---- resume */

static struct dashboard_child *child_of(struct dashboard *dashboard, const char *folder)
{
    for (size_t i = 0; i < DASHBOARD_CHILDREN_MAX; i++) {
        struct dashboard_child *child = &dashboard->children[i];
        if (child->pid != 0 && strcmp(child->folder, folder) == 0) {
            return child;
        }
    }
    return NULL;
}

/* Where paths that the run was begun with are likely to mean what they meant: the folder that the
 * state folder is in. */
static const char *work_folder(const char *absolute, struct arena *arena)
{
    char *parent = arena_copy_string(arena, absolute);
    char *slash = strrchr(parent, '/');
    if (slash == NULL || slash == parent) {
        return "/";
    }
    *slash = '\0';
    return parent;
}

/* Where the dashboard listens and its token are not for the run. */
static char **environment_of_run(struct arena *arena)
{
    static const char *const dropped[] = {"TRANSHUME_DASHBOARD=", "TRANSHUME_TOKEN="};
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **kept = arena_allocate_zeroed(arena, count + 1, sizeof(*kept));
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], dropped[0], strlen(dropped[0])) != 0 &&
            strncmp(environ[i], dropped[1], strlen(dropped[1])) != 0) {
            kept[next++] = environ[i];
        }
    }
    return kept;
}

static int spawn_resume(const char *folder, int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char program[4096];
    char absolute[PATH_MAX];
    sigset_t defaults;
    sigset_t none;
    struct arena *arena = arena_create(0);
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length <= 0 || realpath(folder, absolute) == NULL) {
        arena_destroy(arena);
        return ENOENT;
    }
    program[length] = '\0';
    char *arguments[9] = {program,        (char *)"resume",  (char *)"--progress",
                          (char *)"none", (char *)"--state", absolute};
    size_t count = 6;
    /* Everything that this process may, the run that it starts may, too. */
    if (trust_allows_commands()) {
        arguments[count++] = (char *)"--allow-commands";
    }
    if (trust_takes_files()) {
        arguments[count++] = (char *)"--trust-files";
    }
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawn_file_actions_addchdir_np(&actions, work_folder(absolute, arena));
    int fault =
        posix_spawn(pid, program, &actions, &attributes, arguments, environment_of_run(arena));
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    arena_destroy(arena);
    return fault;
}

static void forget_failure(struct dashboard *dashboard)
{
    free(dashboard->failure);
    free(dashboard->failure_folder);
    dashboard->failure = NULL;
    dashboard->failure_folder = NULL;
}

/* With the mutex held. */
static void begin_resume(struct dashboard *dashboard, const char *folder, struct web_answer *answer)
{
    struct dashboard_child *child = NULL;
    for (size_t i = 0; i < DASHBOARD_CHILDREN_MAX && child == NULL; i++) {
        child = dashboard->children[i].pid == 0 ? &dashboard->children[i] : NULL;
    }
    if (child == NULL || child_of(dashboard, folder) != NULL) {
        dashboard_refuse(answer, 409, "%s",
                         child == NULL ? "too many runs were resumed from here at once"
                                       : "it is being resumed already");
        return;
    }
    int output = memfd_create("resume", MFD_CLOEXEC);
    int fault = output < 0 ? ENOMEM : spawn_resume(folder, output, &child->pid);
    if (fault != 0) {
        child->pid = 0;
        if (output >= 0) {
            close(output);
        }
        dashboard_refuse(answer, 500, "can't start transhume resume");
        return;
    }
    child->output = output;
    child->folder = memory_copy_string(folder);
    forget_failure(dashboard);
    answer->status = 202;
    buffer_append_string(&answer->body, "{\"done\":\"resume\"}\n");
}

/* The last error of those that it printed. */
static char *error_of(int output)
{
    char text[OUTPUT_SHOWN_MAX + 1];
    struct stat facts;
    off_t from = fstat(output, &facts) == 0 && facts.st_size > OUTPUT_SHOWN_MAX
                     ? facts.st_size - OUTPUT_SHOWN_MAX
                     : 0;
    ssize_t length = file_read_at(output, text, OUTPUT_SHOWN_MAX, from);
    text[length > 0 ? length : 0] = '\0';
    const char *begin = strstr(text, "error: ");
    return memory_copy_string(begin != NULL ? begin : text);
}

void dashboard_reap(struct dashboard *dashboard)
{
    pthread_mutex_lock(&dashboard->mutex);
    for (size_t i = 0; i < DASHBOARD_CHILDREN_MAX; i++) {
        struct dashboard_child *child = &dashboard->children[i];
        int how = 0;
        if (child->pid == 0 || waitpid(child->pid, &how, WNOHANG) != child->pid) {
            continue;
        }
        /* 1: done, with findings; 4: interrupted: both stand in the run's own files */
        bool failed = !WIFEXITED(how) || (WEXITSTATUS(how) & ~1) == 2 || WEXITSTATUS(how) == 5;
        if (failed) {
            forget_failure(dashboard);
            dashboard->failure = error_of(child->output);
            dashboard->failure_folder = child->folder;
        } else {
            free(child->folder);
        }
        close(child->output);
        *child = (struct dashboard_child){0};
    }
    pthread_mutex_unlock(&dashboard->mutex);
}

/* ---- for the other parts */

static bool is_failure_of(const struct dashboard *dashboard, const struct dashboard_run *run)
{
    return dashboard->failure != NULL && strcmp(dashboard->failure_folder, run->state_folder) == 0;
}

uint64_t dashboard_control_signature(struct dashboard *dashboard, const struct dashboard_run *run)
{
    pthread_mutex_lock(&dashboard->mutex);
    uint64_t signature = (child_of(dashboard, run->state_folder) != NULL ? 1U : 0U) +
                         (is_failure_of(dashboard, run) ? 2U : 0U);
    pthread_mutex_unlock(&dashboard->mutex);
    return signature;
}

void dashboard_append_control(struct dashboard *dashboard, const struct dashboard_run *run,
                              bool resumable, struct buffer *out)
{
    bool allowed = dashboard->options.allow_control && run->is_current;
    pthread_mutex_lock(&dashboard->mutex);
    bool resuming = child_of(dashboard, run->state_folder) != NULL;
    buffer_format(out, ",\"control\":{\"stop\":%s,\"resume\":%s,\"resuming\":%s,\"failure\":",
                  allowed && run->at_work ? "true" : "false",
                  allowed && !run->at_work && !resuming && resumable ? "true" : "false",
                  resuming ? "true" : "false");
    if (is_failure_of(dashboard, run)) {
        report_json(out, dashboard->failure);
    } else {
        buffer_append_string(out, "null");
    }
    pthread_mutex_unlock(&dashboard->mutex);
    buffer_append_byte(out, '}');
}

void dashboard_answer_control(struct dashboard *dashboard, const struct dashboard_run *run,
                              const char *action, struct web_answer *answer)
{
    struct arena *arena = arena_create(0);
    const char *lock = file_join(arena, run->state_folder, "lock");
    bool stop = strcmp(action, "stop") == 0;
    if (!dashboard->options.allow_control) {
        dashboard_refuse(answer, 403, "the dashboard was begun without --allow-control");
    } else if (!run->is_current) {
        dashboard_refuse(answer, 409, "another run came after it");
    } else if (stop && !run->at_work) {
        dashboard_refuse(answer, 409, "no process works on it");
    } else if (stop && interrupt_holder(lock, arena)) {
        answer->status = 202;
        buffer_append_string(&answer->body, "{\"done\":\"stop\"}\n");
    } else if (stop) {
        dashboard_refuse(answer, 409,
                         "the process that works on it is none that can be stopped "
                         "from here: on another machine, or another user's");
    } else if (run->at_work) {
        dashboard_refuse(answer, 409, "a process works on it already");
    } else if (!dashboard_can_resume(run)) {
        dashboard_refuse(answer, 409, "there is nothing to resume: it is over, or cannot go on");
    } else {
        pthread_mutex_lock(&dashboard->mutex);
        begin_resume(dashboard, run->state_folder, answer);
        pthread_mutex_unlock(&dashboard->mutex);
    }
    arena_destroy(arena);
}

void dashboard_control_free(struct dashboard *dashboard)
{
    for (size_t i = 0; i < DASHBOARD_CHILDREN_MAX; i++) {
        struct dashboard_child *child = &dashboard->children[i];
        if (child->pid != 0) { /* it goes on by itself */
            close(child->output);
            free(child->folder);
        }
    }
    forget_failure(dashboard);
}
