#include "base/process.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/signals.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 20, LINE_BYTES_MAX = 1000 };
extern char **environ;

/* ---------------------------------------------------------------- starting */

static bool is_of_name(const char *variable, const char *other)
{
    size_t length = strcspn(variable, "=");
    return strncmp(variable, other, length) == 0 && other[length] == '=';
}

static bool is_named(const char *variable, const char *name)
{
    size_t length = strlen(name);
    return strncmp(variable, name, length) == 0 && variable[length] == '=';
}

/* None of these holds a secret. */
static bool is_harmless(const char *variable)
{
    static const char *const names[] = {"PATH", "HOME",     "USER", "LOGNAME", "SHELL",
                                        "LANG", "LANGUAGE", "TZ",   "TMPDIR",  "TERM"};
    bool found = strncmp(variable, "LC_", 3) == 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !found; i++) {
        found = is_named(variable, names[i]);
    }
    return found;
}

static bool is_given(const struct process_request *request, const char *variable)
{
    bool given = !request->guarded || is_harmless(variable);
    for (size_t i = 0; !given && request->passed != NULL && request->passed[i] != NULL; i++) {
        given = is_named(variable, request->passed[i]);
    }
    return given;
}

/* The program is given these of this process's variables, but for those that the request has
 * itself, and these; to be freed. */
static const char **make_environment(const struct process_request *request)
{
    const char *const *more = request->environment;
    size_t count = 0;
    size_t more_count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    while (more != NULL && more[more_count] != NULL) {
        more_count++;
    }
    const char **made = memory_allocate_zeroed(count + more_count + 1, sizeof *made);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        bool replaced = !is_given(request, environ[i]);
        for (size_t j = 0; j < more_count; j++) {
            replaced = replaced || is_of_name(more[j], environ[i]);
        }
        if (!replaced) {
            made[at++] = environ[i];
        }
    }
    for (size_t j = 0; j < more_count; j++) {
        made[at++] = more[j];
    }
    return made;
}

/* `output`: -1: it goes nowhere. */
static void direct_streams(posix_spawn_file_actions_t *actions, int input, int output)
{
    posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);
    for (int stream = STDOUT_FILENO; stream <= STDERR_FILENO; stream++) {
        if (output < 0) {
            posix_spawn_file_actions_addopen(actions, stream, "/dev/null", O_WRONLY, 0);
        } else {
            posix_spawn_file_actions_adddup2(actions, output, stream);
        }
    }
    posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

static int process_start(const struct process_request *request, int input, int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigset_t none;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    int fault = posix_spawn_file_actions_init(&actions);
    if (fault != 0) {
        return fault;
    }
    fault = posix_spawnattr_init(&attributes);
    if (fault == 0) {
        const char **environment = make_environment(request);
        direct_streams(&actions, input, output);
        posix_spawnattr_setsigdefault(&attributes, &defaults);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setpgroup(&attributes, 0);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETPGROUP);
        fault = posix_spawnp(pid, request->arguments[0], &actions, &attributes,
                             (char *const *)(uintptr_t)request->arguments,
                             (char *const *)(uintptr_t)environment);
        posix_spawnattr_destroy(&attributes);
        free(environment);
    }
    posix_spawn_file_actions_destroy(&actions);
    return fault;
}

/* ---------------------------------------------------------------- what it prints */

struct printed {
    const struct process_request *request;
    int descriptor; /* -1: nothing more comes */
    char line[LINE_BYTES_MAX + 1];
    size_t length;
};

static void end_line(struct printed *printed)
{
    printed->line[printed->length] = '\0';
    printed->request->line(printed->request->context, printed->line);
    printed->length = 0;
}

static void take_bytes(struct printed *printed, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n') {
            end_line(printed);
        } else if (printed->length < LINE_BYTES_MAX && bytes[i] != '\0' && bytes[i] != '\r') {
            printed->line[printed->length++] = bytes[i];
        }
    }
}

/* Takes what is there, and waits at most so long for some. */
static void read_printed(struct printed *printed, int wait_ms)
{
    char bytes[4096];
    struct pollfd wait = {.fd = printed->descriptor, .events = POLLIN};
    if (printed->descriptor < 0) {
        clock_sleep_ms(wait_ms);
        return;
    }
    while (poll(&wait, 1, wait_ms) > 0) {
        ssize_t count = recv(printed->descriptor, bytes, sizeof bytes, MSG_DONTWAIT);
        if (count <= 0) {
            if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
                close(printed->descriptor);
                printed->descriptor = -1;
            }
            return;
        }
        take_bytes(printed, bytes, (size_t)count);
        wait_ms = 0;
    }
}

/* ---------------------------------------------------------------- its end */

/* A program that does not read its input, or not all of it, may still end well. A socket, since its
 * end that nobody reads is an error of send and no signal. */
static void feed(int output, const char *input, size_t length, int64_t deadline_ms)
{
    while (length > 0) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        struct pollfd wait = {.fd = output, .events = POLLOUT};
        if (left_ms <= 0 || (poll(&wait, 1, (int)left_ms) < 0 && errno != EINTR)) {
            return;
        }
        ssize_t sent = send(output, input, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EINTR && errno != EAGAIN) {
            return;
        }
        input += sent > 0 ? sent : 0;
        length -= sent > 0 ? (size_t)sent : 0;
    }
}

static void end_group(pid_t pid)
{
    int result;
    (void)kill(-pid, SIGKILL);
    while (waitpid(pid, &result, 0) < 0 && errno == EINTR) {
    }
}

static enum status wait_for_end(pid_t pid, const char *name, int64_t deadline_ms,
                                struct printed *printed, struct error *error)
{
    int result = 0;
    pid_t ended;
    while ((ended = waitpid(pid, &result, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
        if (clock_monotonic_ms() >= deadline_ms) {
            end_group(pid);
            return error_set(error, ERROR_USAGE, name, "it did not end in time");
        }
        if (signals_stop_level() > 1) {
            end_group(pid);
            return error_set(error, ERROR_INTERRUPTED, name, "it was ended at once, as asked for");
        }
        read_printed(printed, LOOK_MS);
    }
    if (ended == pid && WIFEXITED(result) && WEXITSTATUS(result) == 0) {
        return STATUS_OK;
    }
    return error_set(error, ERROR_USAGE, name, "it %s %d",
                     WIFSIGNALED(result) ? "died of signal" : "ended with status",
                     WIFSIGNALED(result) ? WTERMSIG(result) : WEXITSTATUS(result));
}

static void close_pair(const int *ends)
{
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0) {
            close(ends[i]);
        }
    }
}

enum status process_run_request(const struct process_request *request, struct error *error)
{
    int input[2] = {-1, -1};
    int output[2] = {-1, -1};
    pid_t pid = 0;
    const char *name = request->arguments[0];
    int64_t deadline_ms = clock_monotonic_ms() + request->timeout_ms;
    struct printed printed = {.request = request, .descriptor = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input) != 0 ||
        (request->line != NULL &&
         socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, output) != 0)) {
        close_pair(input);
        return error_set_errno(error, ERROR_USAGE, errno, name, "can't start it");
    }
    int fault = process_start(request, input[0], output[1], &pid);
    close(input[0]);

    if (output[1] >= 0) {
        close(output[1]);
    }
    printed.descriptor = output[0];
    enum status status;
    if (fault != 0) {
        close(input[1]);
        status = error_set_errno(error, ERROR_USAGE, fault, name, "can't start it");
    } else {
        feed(input[1], request->input, request->input_length, deadline_ms);
        close(input[1]);
        status = wait_for_end(pid, name, deadline_ms, &printed, error);
        read_printed(&printed, 0);
    }
    if (printed.length > 0) {
        end_line(&printed);
    }
    if (printed.descriptor >= 0) {
        close(printed.descriptor);
    }
    return status;
}

enum status process_run(const char *const *arguments, const void *input, size_t input_length,
                        int64_t timeout_ms, struct error *error)
{
    const struct process_request request = {.arguments = arguments,
                                            .input = input,
                                            .input_length = input_length,
                                            .timeout_ms = timeout_ms};
    return process_run_request(&request, error);
}
