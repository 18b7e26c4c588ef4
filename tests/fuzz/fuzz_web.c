/*
 * What a client sends to the dashboard's web server: "@PORT" in it is the server's port. Nothing of
 * a run is told to whoever does not know the token, and the server answers others afterwards.
 */
#include "support.h"

#include "base/log.h"
#include "observe/dashboard/dashboard.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { FIRST_WAIT_US = 5000, WAIT_US = 1000, STEP = 64, ANSWER_BYTES_MAX = 1 << 20 };

static const char token[] = "token-of-the-fuzzer";
static const char metrics_token[] = "token-of-its-metrics";
static const char run_id[] = "20261121T200910Z-9bb699";
static struct dashboard *dashboard;
static unsigned port;
static unsigned long inputs;

static void begin(void)
{
    static const char state[] =
        "{\"run\":\"20261121T200910Z-9bb699\",\"status\":\"finished\",\"source\":\"sqlite:a\","
        "\"target\":\"sqlite:b\",\"tables\":{\"t\":{\"entities\":{\"t\":{\"stream\":\"t\","
        "\"migrated\":1}}}}}\n";
    static const char events[] = "{\"kind\":\"run\",\"run\":\"20261121T200910Z-9bb699\"}\n";
    static const char *folders[1];
    struct error error = {0};
    fuzz_empty_folder();
    fuzz_write("state.json", 10, state, sizeof state - 1);
    fuzz_write("events.jsonl", 12, events, sizeof events - 1);
    folders[0] = fuzz_folder();
    const struct dashboard_options options = {.address = "127.0.0.1:0",
                                              .folders = folders,
                                              .folder_count = 1,
                                              .token = token,
                                              .metrics_token = metrics_token};
    log_set_stderr_level(LOG_ERROR);
    FUZZ_REQUIRE(dashboard_start(&options, &dashboard, &error) == STATUS_OK);
    port = (unsigned)strtoul(strlen("http://127.0.0.1:") + dashboard_url(dashboard), NULL, 10);
}

/* With the port in it. */
static void fill_in(const uint8_t *data, size_t size, struct buffer *out)
{
    static const char place[] = "@PORT";
    const char *from = (const char *)data;
    const char *end = from + size;
    while (from < end) {
        const char *found = memmem(from, (size_t)(end - from), place, strlen(place));
        buffer_append(out, from, (size_t)((found != NULL ? found : end) - from));
        if (found != NULL) {
            buffer_format(out, "%u", port);
        }
        from = found != NULL ? found + strlen(place) : end;
    }
}

/* Until the server ends it, or is silent: it follows a stream then, or keeps the connection for a
 * next request, since the end of what was sent came at once with it. */
static void talk(const struct buffer *request, struct buffer *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const struct linger at_once = {.l_onoff = 1};
    struct timeval wait = {.tv_usec = FIRST_WAIT_US};
    char bytes[16384];
    ssize_t got;
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FUZZ_REQUIRE(connection >= 0);
    FUZZ_REQUIRE(connect(connection, (struct sockaddr *)&address, sizeof address) == 0);
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once); /* no ports run out */
    if (request->length > 0) {
        (void)send(connection, request->data, request->length, MSG_NOSIGNAL);
    }
    shutdown(connection, SHUT_WR);
    while (answer->length < ANSWER_BYTES_MAX &&
           (got = recv(connection, bytes, sizeof bytes, 0)) > 0) {
        buffer_append(answer, bytes, (size_t)got);
        wait.tv_usec = WAIT_US;
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    }
    close(connection);
}

static bool holds(const struct buffer *text, const char *word)
{
    return text->length > 0 && memmem(text->data, text->length, word, strlen(word)) != NULL;
}

/* What a client that knows the token is told: `word` must be in it. */
static void require_answer(const char *path, const char *word)
{
    struct buffer request = {0};
    struct buffer answer = {0};
    buffer_format(&request,
                  "GET %s HTTP/1.1\r\nHost: localhost:%u\r\nAuthorization: Bearer %s\r\n\r\n", path,
                  port, token);
    for (int tries = 0; tries < 100 && answer.length == 0; tries++) { /* on a busy machine */
        talk(&request, &answer);
    }
    FUZZ_REQUIRE(answer.length > 12 && memcmp(answer.data, "HTTP/1.1 200", 12) == 0);
    FUZZ_REQUIRE(holds(&answer, word));
    buffer_free(&request);
    buffer_free(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer request = {0};
    struct buffer answer = {0};
    if (dashboard == NULL) {
        begin();
        require_answer("/api/runs", run_id);
    }
    fill_in(data, size, &request);
    talk(&request, &answer);
    if (answer.length > 0) {
        FUZZ_REQUIRE(answer.length > 9 && memcmp(answer.data, "HTTP/1.", 7) == 0);
        FUZZ_REQUIRE(!holds(&answer, run_id) || holds(&request, token));
        FUZZ_REQUIRE(!holds(&answer, "transhume_runs") || holds(&request, metrics_token));
    }
    if (++inputs % STEP == 0) {
        dashboard_tick(dashboard);
        require_answer("/healthz", "ok");
    }
    buffer_free(&request);
    buffer_free(&answer);
    return 0;
}
