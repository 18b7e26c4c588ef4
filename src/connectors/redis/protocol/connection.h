/*
 * One connection to a Redis server: opened and logged in to, commands out, replies in.
 *
 *   HELLO 3 [AUTH user password], where that is unknown: AUTH; SELECT; CLIENT SETNAME; INFO
 *
 * One thread. A connection that failed stays so: every call gives the same error, of class RETRY
 * where another connection may do better.
 */
#ifndef TRANSHUME_CONNECTORS_REDIS_PROTOCOL_CONNECTION_H
#define TRANSHUME_CONNECTORS_REDIS_PROTOCOL_CONNECTION_H

#include "connectors/redis/protocol/resp.h"
#include "net/stream.h"

struct redis_login {
    const struct stream_tls *tls; /* NULL: plaintext */
    bool plaintext_allowed;       /* to a host that is not loopback */
    const char *user;             /* NULL: the default one */
    const char *password;         /* NULL: none */
    uint32_t database;            /* of SELECT */
    char name[80];                /* of CLIENT SETNAME; "": none */
    int64_t timeout_ms;
};

/* The facts that a server told of itself when it was connected to. */
struct redis_facts {
    char version[32];
    char run_id[48]; /* another one after each start; "": it does not say */
    bool cluster;
    bool sentinel;
    bool append_only; /* what it acknowledged outlives its process */
    bool replica;
    char master_host[64]; /* of a replica */
    char master_port[8];
    uint32_t replicas;    /* connected to it */
    uint32_t rdb_version; /* of DUMP; 0: not known */
};

struct redis_connection;

/* Waits until it is open. `place` is HOST:PORT for messages; all is copied but tls. */
enum status redis_connection_open(const char *host, uint16_t port, const struct redis_login *login,
                                  struct redis_connection **connection,
                                  struct error *error) MUST_USE;
void redis_connection_close(struct redis_connection *connection); /* NULL is fine */
const struct redis_facts *redis_connection_facts(const struct redis_connection *connection);
struct stream_report redis_connection_report(const struct redis_connection *connection);
const char *redis_connection_place(const struct redis_connection *connection);

/* ---------------------------------------------------------------- one after the other */

/* Sends commands, and reads one reply. A reply that is an error is a reply. */
enum status redis_connection_call(struct redis_connection *connection, const struct buffer *command,
                                  struct arena *arena, struct resp_value *reply,
                                  struct error *error) MUST_USE;
/* The next reply to what was sent, within the timeout. */
enum status redis_connection_next(struct redis_connection *connection, struct arena *arena,
                                  struct resp_value *reply, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- many under way */

/* To be sent behind what waits; copied, but for what goes out at once. Never blocks. */
enum status redis_connection_send(struct redis_connection *connection, const void *bytes,
                                  size_t length, struct error *error) MUST_USE;
/* Sends on what waits. STATUS_AGAIN: some still does. */
enum status redis_connection_flush(struct redis_connection *connection,
                                   struct error *error) MUST_USE;
/* Bytes that wait to be sent. */
size_t redis_connection_unsent(const struct redis_connection *connection);
/* Takes in what has come. STATUS_AGAIN: nothing had. */
enum status redis_connection_receive(struct redis_connection *connection,
                                     struct error *error) MUST_USE;
/* The bytes of the next reply, valid until the next call of any function. STATUS_AGAIN: none is
 * whole yet. */
enum status redis_connection_reply(struct redis_connection *connection, struct text *reply,
                                   struct error *error) MUST_USE;
/* For stream_poll. */
struct stream *redis_connection_stream(struct redis_connection *connection);
/* Breaks it: what is under way is given up. */
enum status redis_connection_break(struct redis_connection *connection, const char *why,
                                   struct error *error);

/* ---------------------------------------------------------------- errors of servers */

/* The meaning of an error that a server answered with: its code and class.
 *   RETRY  LOADING, BUSY, TRYAGAIN, CLUSTERDOWN, MASTERDOWN, READONLY, NOREPLICAS
 *   STOP   NOAUTH, WRONGPASS, NOPERM, MISCONF, OOM, and what else there is */
enum status redis_refused(const struct resp_value *reply, const char *object, struct error *error);
/* Has the server no memory for what was asked, be it by a script? */
bool redis_is_full(const struct resp_value *reply);
/* Does the error begin with that word? */
bool redis_error_is(const struct resp_value *reply, const char *word);

#endif
