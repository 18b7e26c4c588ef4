#include "base/process.h"

#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_MS = 20 };
extern char **environ;

static int start(const char *const *arguments, int input, pid_t *pid)
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
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
        posix_spawnattr_setsigdefault(&attributes, &defaults);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setpgroup(&attributes, 0);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETPGROUP);
        fault = posix_spawnp(pid, arguments[0], &actions, &attributes,
                             (char *const *)(uintptr_t)arguments, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return fault;
}

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

static enum status wait_for_end(pid_t pid, const char *name, int64_t deadline_ms,
                                struct error *error)
{
    int result = 0;
    pid_t ended;
    while ((ended = waitpid(pid, &result, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
        if (clock_monotonic_ms() >= deadline_ms) {
            (void)kill(-pid, SIGKILL);
            while (waitpid(pid, &result, 0) < 0 && errno == EINTR) {
            }
            return error_set(error, ERROR_USAGE, name, "it did not end in time");
        }
        clock_sleep_ms(LOOK_MS);
    }
    if (ended == pid && WIFEXITED(result) && WEXITSTATUS(result) == 0) {
        return STATUS_OK;
    }
    return error_set(error, ERROR_USAGE, name, "it %s %d",
                     WIFSIGNALED(result) ? "died of signal" : "ended with status",
                     WIFSIGNALED(result) ? WTERMSIG(result) : WEXITSTATUS(result));
}

enum status process_run(const char *const *arguments, const void *input, size_t input_length,
                        int64_t timeout_ms, struct error *error)
{
    int ends[2];
    pid_t pid = 0;
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return error_set_errno(error, ERROR_USAGE, errno, arguments[0], "can't start it");
    }
    int fault = start(arguments, ends[0], &pid);
    close(ends[0]);
    if (fault != 0) {
        close(ends[1]);
        return error_set_errno(error, ERROR_USAGE, fault, arguments[0], "can't start it");
    }
    feed(ends[1], input, input_length, deadline_ms);
    close(ends[1]);
    return wait_for_end(pid, arguments[0], deadline_ms, error);
}
