/* One call: the program is started, what it writes is read as it comes, and its end awaited. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_BYTES = 64 << 10 };

struct reading {
    const struct transhume_call *call;
    struct client_child child;
    struct transhume_result *result;
    struct client_text line; /* of standard error, not ended yet */
    bool line_is_dropped;    /* it is too long, or memory is out */
    bool is_too_large;       /* standard output is */
    bool was_stopped;        /* on the callback's request */
};

static void end_line(struct reading *reading)
{
    bool whole = !reading->line_is_dropped && reading->line.length > 0;
    int answer = whole ? client_report_line(reading->call, reading->line.bytes) : 0;
    if (answer != 0 && !reading->was_stopped) {
        reading->was_stopped = true;
        kill(reading->child.pid, SIGINT);
    }
    reading->line.length = 0;
    reading->line_is_dropped = false;
}

static void take_err(struct reading *reading, const char *bytes, size_t length)
{
    while (length > 0) {
        const char *newline = memchr(bytes, '\n', length);
        size_t part = newline == NULL ? length : (size_t)(newline - bytes);
        if (!reading->line_is_dropped &&
            !client_text_append(&reading->line, bytes, part, CLIENT_LINE_BYTES_MAX)) {
            reading->line_is_dropped = true;
        }
        if (newline == NULL) {
            return;
        }
        end_line(reading);
        bytes += part + 1;
        length -= part + 1;
    }
}

static void take_out(struct reading *reading, const char *bytes, size_t length)
{
    if (!reading->is_too_large &&
        !client_text_append(&reading->result->out, bytes, length, CLIENT_OUTPUT_BYTES_MAX)) {
        reading->is_too_large = true;
        kill(reading->child.pid, SIGTERM);
    }
}

/* Closes the end that the program has closed. */
static void take(struct reading *reading, int *end, char *bytes)
{
    ssize_t length = read(*end, bytes, READ_BYTES);
    if (length < 0 && errno == EINTR) {
        return;
    }
    if (length <= 0) {
        close(*end);
        *end = -1;
    } else if (end == &reading->child.out) {
        take_out(reading, bytes, (size_t)length);
    } else {
        take_err(reading, bytes, (size_t)length);
    }
}

static void read_all(struct reading *reading, char *bytes)
{
    int *ends[2] = {&reading->child.out, &reading->child.err};
    while (*ends[0] >= 0 || *ends[1] >= 0) {
        struct pollfd waiting[2] = {{.fd = *ends[0], .events = POLLIN},
                                    {.fd = *ends[1], .events = POLLIN}};
        if (poll(waiting, 2, -1) < 0) { /* interrupted, or the system is short of memory */
            continue;
        }
        for (size_t i = 0; i < 2; i++) {
            if (*ends[i] >= 0 && waiting[i].revents != 0) {
                take(reading, ends[i], bytes);
            }
        }
    }
    end_line(reading);
}

static void await_end(struct reading *reading)
{
    struct transhume_result *result = reading->result;
    int state = 0;
    pid_t ended;
    do {
        ended = waitpid(reading->child.pid, &state, 0);
    } while (ended < 0 && errno == EINTR);
    int status = ended > 0 && WIFEXITED(state) ? WEXITSTATUS(state) : -1;
    if (reading->is_too_large) {
        client_fail(result, TRANSHUME_FAILED, "output-too-large", client_program(reading->call),
                    "the program printed more than 64 MiB, and was asked to stop",
                    "run the command in a shell");
        return;
    }
    if (status < TRANSHUME_DONE || status > TRANSHUME_REFUSED) {
        client_fail(result, TRANSHUME_FAILED, "program-ended", client_program(reading->call),
                    "the program did not end by itself",
                    "what it committed is kept: the command resume continues the run");
        return;
    }
    result->status = (enum transhume_status)status;
    result->json = json_loads(transhume_result_json(result), 0, NULL);
}

static void fail_to_start(struct transhume_result *result, const char *program, int failed)
{
    char message[256];
    snprintf(message, sizeof message, "the program can't be started: %s", strerrordesc_np(failed));
    client_fail(result, TRANSHUME_USAGE, "program-missing", program, message,
                "install transhume, or name the program in the call or in TRANSHUME");
}

enum transhume_status transhume_call(const struct transhume_call *call,
                                     struct transhume_result **result)
{
    const char *program = client_program(call);
    struct reading reading = {.call = call, .child = {.out = -1, .err = -1}};
    char *bytes = malloc(READ_BYTES);
    *result = calloc(1, sizeof **result);
    if (bytes == NULL || *result == NULL) {
        goto out;
    }
    reading.result = *result;
    int failed = client_start(call, program, &reading.child);
    if (failed != 0) {
        fail_to_start(*result, program, failed);
        goto out;
    }
    read_all(&reading, bytes);
    await_end(&reading);
out:
    if (bytes == NULL) {
        free(*result);
        *result = NULL;
    }
    free(reading.line.bytes);
    free(bytes);
    return transhume_result_status(*result);
}
