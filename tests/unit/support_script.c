/* The server's thread: several connections, each request answered by the script's next line. */
#include "support_script.h"
#include "support_listener.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/stream.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PATIENCE_MS = 20000, REQUEST_BYTES_MAX = 65536, PEERS_MAX = 8 };

struct peer {
    struct stream *stream; /* NULL: free */
    char text[REQUEST_BYTES_MAX + 1];
    size_t length;
};

static void drop(struct peer *peer)
{
    stream_destroy(peer->stream);
    peer->stream = NULL;
    peer->length = 0;
}

static bool is_whole(const struct peer *peer)
{
    const char *end = strstr(peer->text, "\r\n\r\n");
    const char *told = strcasestr(peer->text, "Content-Length: ");
    size_t body = told != NULL && told < end ? strtoul(told + 16, NULL, 10) : 0;
    return end != NULL && (size_t)(peer->text + peer->length - end - 4) >= body;
}

static void answer(struct script_server *server, struct peer *peer)
{
    uint32_t number = atomic_load(&server->request_count);
    const char *text =
        server->answers[number < server->answer_count ? number : server->answer_count - 1];
    if (number < SCRIPT_SEEN_MAX) {
        server->seen[number] = strdup(peer->text);
    }
    atomic_fetch_add(&server->request_count, 1);
    peer->length = 0;
    if (text[0] == '\0' || stream_write_all(peer->stream, text, strlen(text),
                                            clock_boottime_ms() + PATIENCE_MS, NULL) != STATUS_OK) {
        drop(peer);
    }
}

static void receive(struct script_server *server, struct peer *peer)
{
    size_t got = 0;
    enum status status = stream_read(peer->stream, peer->text + peer->length,
                                     REQUEST_BYTES_MAX - peer->length, &got, NULL);
    if (status == STATUS_END || status == STATUS_FAILED) {
        drop(peer);
        return;
    }
    peer->length += got;
    peer->text[peer->length] = '\0';
    if (is_whole(peer)) {
        answer(server, peer);
    }
}

static void *serve(void *user)
{
    struct script_server *server = user;
    struct peer *peers = memory_allocate_zeroed(PEERS_MAX, sizeof *peers);
    while (!atomic_load(&server->stopped)) {
        struct stream_wait waits[PEERS_MAX];
        struct peer *waiting[PEERS_MAX];
        size_t count = 0;
        for (size_t i = 0; i < PEERS_MAX; i++) {
            if (peers[i].stream == NULL &&
                stream_accept(server->listener, NULL, 0, 0, &peers[i].stream, NULL) != STATUS_OK) {
                continue;
            }
            waiting[count] = &peers[i];
            waits[count++] = (struct stream_wait){.stream = peers[i].stream, .to_read = true};
        }
        if (stream_poll(waits, count, 5, NULL) == STATUS_OK) {
            for (size_t i = 0; i < count; i++) {
                if (waits[i].ready) {
                    receive(server, waiting[i]);
                }
            }
        }
    }
    for (size_t i = 0; i < PEERS_MAX; i++) {
        drop(&peers[i]);
    }
    free(peers);
    return NULL;
}

void script_server_start(struct script_server *server, const char *const *answers, size_t count)
{
    struct error error = {0};
    memset(server, 0, sizeof *server);
    server->answers = answers;
    server->answer_count = count;
    assert_int_equal(stream_listen(0, &server->listener, &error), STATUS_OK);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u/base",
             stream_listener_port(server->listener));
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

void script_server_stop(struct script_server *server)
{
    atomic_store(&server->stopped, true);
    pthread_join(server->thread, NULL);
    stream_listener_destroy(server->listener);
    for (size_t i = 0; i < SCRIPT_SEEN_MAX; i++) {
        free(server->seen[i]);
    }
}
