/*
 * credential_process: a program of the user's that prints credentials as JSON, version 1.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 */
#include "net/aws_provider.h"

#include "base/clock.h"
#include "base/secret.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 128, OUTPUT_BYTES_MAX = 64 * 1024, END_WAIT_MS = 20 };

extern char **environ;

/* One word as a POSIX shell would read it, but for expansions, of which there are none. */
static const char *next_word(const char *text, char *word, bool *fault)
{
    char quote = '\0';
    size_t used = 0;
    for (; *text != '\0' && (quote != '\0' || !isspace((unsigned char)*text)); text++) {
        if (quote == '\0' && (*text == '"' || *text == '\'')) {
            quote = *text;
        } else if (quote != '\0' && *text == quote) {
            quote = '\0';
        } else if (*text == '\\' && quote != '\'' && text[1] != '\0' &&
                   (quote == '\0' || text[1] == '"' || text[1] == '\\')) {
            word[used++] = *++text;
        } else {
            word[used++] = *text;
        }
    }
    word[used] = '\0';
    *fault = quote != '\0';
    return text;
}

/* The command's words, in the arena, ended by NULL. No shell sees them. */
static enum status split_command(const char *command, const char *profile, struct arena *arena,
                                 char **arguments, struct error *error)
{
    int count = 0;
    bool fault = false;
    for (;;) {
        while (isspace((unsigned char)*command)) {
            command++;
        }
        if (*command == '\0') {
            break;
        }
        char *word = arena_allocate(arena, strlen(command) + 1);
        command = next_word(command, word, &fault);
        if (fault || count == ARGUMENTS_MAX) {
            return error_set(error, ERROR_CREDENTIALS, profile, "its credential_process %s",
                             fault ? "has a quote that is not closed" : "has too many words");
        }
        arguments[count++] = word;
    }
    arguments[count] = NULL;
    return count > 0
               ? STATUS_OK
               : error_set(error, ERROR_CREDENTIALS, profile, "its credential_process is empty");
}

/* Passwords of databases are nothing to it, and others may see what is in its environment. What
 * AWS's own programs are given by the environment, and a proxy, it may need. */
static bool is_of_databases(const char *entry)
{
    static const char *const names[] = {"PGPASSWORD=", "MYSQL_PWD="};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strncmp(entry, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* The texts stay where they are. */
static char **environment_for_child(struct arena *arena)
{
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL) {
        count++;
    }
    char **entries = arena_allocate_zeroed(arena, count + 1, sizeof(*entries));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_of_databases(environ[i])) {
            entries[kept++] = environ[i];
        }
    }
    return entries;
}

/* Starts it with its stdout in a pipe, in a process group of its own. */
static int aws_provider_process_start(char **arguments, char **environment, int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    sigset_t none;
    sigemptyset(&none);
    int fault = posix_spawn_file_actions_init(&actions);
    if (fault != 0) {
        return fault;
    }
    fault = posix_spawnattr_init(&attributes);
    if (fault == 0) {
        (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        /* connections of the HTTP library among others */
        (void)posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
        (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setpgroup(&attributes, 0);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                        POSIX_SPAWN_SETPGROUP);
        fault = posix_spawnp(pid, arguments[0], &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return fault;
}

/* Reads until the other end is closed. */
static enum status read_output(int input, int64_t deadline_ms, const char *profile,
                               struct buffer *output, struct error *error)
{
    for (;;) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        struct pollfd wait = {.fd = input, .events = POLLIN};
        int ready = left_ms <= 0 ? 0 : poll(&wait, 1, left_ms < 60000 ? (int)left_ms : 60000);
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready == 0 && clock_monotonic_ms() >= deadline_ms) {
            return error_set(error, ERROR_CREDENTIALS, profile,
                             "its credential_process did not end in time");
        }
        if (ready == 0) {
            continue;
        }
        buffer_reserve(output, 4096);
        ssize_t got = read(input, output->data + output->length, 4096);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return STATUS_OK;
        }
        output->length += (size_t)got;
        if (output->length > OUTPUT_BYTES_MAX) {
            return error_set(error, ERROR_CREDENTIALS, profile,
                             "its credential_process prints more than %d bytes", OUTPUT_BYTES_MAX);
        }
    }
}

/* Waits for its end; past the deadline, or after a failure, it is killed with all it started. */
static enum status wait_for_end(pid_t pid, bool failed, int64_t deadline_ms, const char *profile,
                                struct error *error)
{
    int result = 0;
    pid_t ended = 0;
    while (!failed && (ended = waitpid(pid, &result, WNOHANG)) == 0) {
        if (clock_monotonic_ms() >= deadline_ms) {
            error_set(error, ERROR_CREDENTIALS, profile,
                      "its credential_process did not end in time");
            failed = true;
        } else {
            clock_sleep_ms(END_WAIT_MS);
        }
    }
    if (failed) {
        (void)kill(-pid, SIGKILL);
        while (waitpid(pid, &result, 0) < 0 && errno == EINTR) {
        }
        return STATUS_FAILED;
    }
    if (ended == pid && WIFEXITED(result) && WEXITSTATUS(result) == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_CREDENTIALS, profile, "its credential_process %s %d",
              WIFSIGNALED(result) ? "died of signal" : "ended with status",
              WIFSIGNALED(result) ? WTERMSIG(result) : WEXITSTATUS(result));
    return error_hint(error,
                      "run it by hand: it must print JSON with \"Version\": 1 and end with 0");
}

static enum status aws_provider_process_run(struct aws_asking *asking, const char *profile,
                                            char **arguments, struct buffer *output,
                                            struct error *error)
{
    int ends[2];
    pid_t pid = 0;
    char **environment = environment_for_child(asking->arena);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set_errno(error, ERROR_CREDENTIALS, errno, profile,
                               "its credential_process can't be started");
    }
    int fault = aws_provider_process_start(arguments, environment, ends[1], &pid);
    close(ends[1]);
    enum status status = STATUS_FAILED;
    if (fault != 0) {
        error_set_errno(error, ERROR_CREDENTIALS, fault, profile,
                        "its credential_process \"%.200s\" can't be started", arguments[0]);
    } else {
        int64_t deadline_ms = clock_monotonic_ms() + asking->timeout_ms;
        status = read_output(ends[0], deadline_ms, profile, output, error);
        status = wait_for_end(pid, status != STATUS_OK, deadline_ms, profile, error);
    }
    close(ends[0]);
    return status;
}

enum status aws_provider_process(struct aws_asking *asking, const char *profile,
                                 const char *command, struct aws_credentials *credentials,
                                 struct error *error)
{
    char *arguments[ARGUMENTS_MAX + 1];
    struct buffer output = {0};
    char name[64];
    snprintf(name, sizeof(name), "process of profile %.40s", profile);
    enum status status = split_command(command, name, asking->arena, arguments, error);
    status = status == STATUS_OK ? aws_provider_process_run(asking, name, arguments, &output, error)
                                 : status;
    if (status == STATUS_OK) {
        status = aws_credentials_from_json(credentials, name, "SessionToken", 1, output.data,
                                           output.length, error);
    }
    secret_wipe(output.data, output.length);
    buffer_free(&output);
    return status;
}
