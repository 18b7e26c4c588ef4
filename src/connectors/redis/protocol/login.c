/* Opening a connection: TLS, the protocol's version, password, database, and what the server is. */
#include "connectors/redis/protocol/connection_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include <stdlib.h>

enum { CONNECT_MS_MAX = 5000 };

/* ---------------------------------------------------------------- errors of servers */

bool redis_error_is(const struct resp_value *reply, const char *word)
{
    size_t length = strlen(word);
    return reply->type == RESP_ERROR && reply->text.length >= length &&
           memcmp(reply->text.data, word, length) == 0 &&
           (reply->text.length == length || reply->text.data[length] == ' ');
}

static bool is_one_of(const struct resp_value *reply, const char *const *words)
{
    bool found = false;
    for (; *words != NULL && !found; words++) {
        found = redis_error_is(reply, *words);
    }
    return found;
}

bool redis_is_full(const struct resp_value *reply)
{
    static const char words[] =
        "OOM command not allowed"; /* in Redis 6 a script's within "ERR …" */
    bool found = false;
    for (size_t at = 0; at + sizeof(words) - 1 <= reply->text.length && !found; at++) {
        found = memcmp(reply->text.data + at, words, sizeof(words) - 1) == 0;
    }
    return reply->type == RESP_ERROR && found;
}

enum status redis_refused(const struct resp_value *reply, const char *object, struct error *error)
{
    static const char *const passing[] = {"LOADING",    "BUSY",     "TRYAGAIN",   "CLUSTERDOWN",
                                          "MASTERDOWN", "READONLY", "NOREPLICAS", "UNBLOCKED",
                                          "MOVED",      "ASK",      NULL};
    static const char *const login[] = {"NOAUTH", "WRONGPASS", NULL};
    char shown[400];
    text_printable(reply->text.data, reply->text.length, shown, sizeof(shown));
    if (is_one_of(reply, passing)) {
        return error_set(error, ERROR_NETWORK, object, "Redis answers: %s", shown);
    }
    if (redis_is_full(reply)) {
        error_set(error, ERROR_TARGET_WRITE, object, "Redis has no memory left: %s", shown);
        return error_hint(error, "raise its maxmemory, then `transhume resume`");
    }
    if (is_one_of(reply, login) ||
        (redis_error_is(reply, "ERR") && strstr(shown, "AUTH") != NULL)) {
        error_set(error, ERROR_CREDENTIALS, object, "Redis refuses the login: %s", shown);
        return error_hint(error,
                          "give the password by REDISCLI_AUTH, and a user's name in the URI");
    }
    if (redis_error_is(reply, "NOPERM")) {
        error_set(error, ERROR_PERMISSION, object, "Redis answers: %s", shown);
        return error_hint(error,
                          "docs/redis.md lists what the user has to be allowed (ACL SETUSER)");
    }
    return error_set(error, ERROR_TARGET_WRITE, object, "Redis answers: %s", shown);
}

/* ---------------------------------------------------------------- logging in */

struct login {
    struct redis_connection *connection;
    const struct redis_login *with;
    struct arena *arena;
    struct buffer command;
    struct resp_value reply;
};

/* Sends what was gathered in `command`. */
static enum status login_ask(struct login *login, struct error *error)
{
    enum status status = redis_connection_call(login->connection, &login->command, login->arena,
                                               &login->reply, error);
    if (login->with->password != NULL) {
        secret_wipe(login->command.data, login->command.length);
    }
    buffer_clear(&login->command);
    return status;
}

static enum status login_check(const struct login *login, struct error *error)
{
    return login->reply.type == RESP_ERROR
               ? redis_refused(&login->reply, login->connection->place, error)
               : STATUS_OK;
}

static const char *user_of(const struct login *login)
{
    return login->with->user != NULL && login->with->user[0] != '\0' ? login->with->user : NULL;
}

/* Before Redis 6 there is no HELLO, and a password alone. */
static enum status log_in_by_auth(struct login *login, struct error *error)
{
    if (login->with->password == NULL) {
        return STATUS_OK;
    }
    resp_begin(&login->command, user_of(login) != NULL ? 3 : 2);
    resp_string(&login->command, "AUTH");
    if (user_of(login) != NULL) {
        resp_string(&login->command, user_of(login));
    }
    resp_string(&login->command, login->with->password);
    return login_ask(login, error) == STATUS_OK ? login_check(login, error) : STATUS_FAILED;
}

static enum status say_hello(struct login *login, struct error *error)
{
    bool password = login->with->password != NULL;
    resp_begin(&login->command, password ? 5 : 2);
    resp_string(&login->command, "HELLO");
    resp_string(&login->command, "3");
    if (password) {
        resp_string(&login->command, "AUTH");
        resp_string(&login->command, user_of(login) != NULL ? user_of(login) : "default");
        resp_string(&login->command, login->with->password);
    }
    if (login_ask(login, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (login->reply.type != RESP_ERROR) {
        return STATUS_OK;
    }
    bool refused = redis_error_is(&login->reply, "WRONGPASS") ||
                   redis_error_is(&login->reply, "NOAUTH") ||
                   redis_error_is(&login->reply, "LOADING");
    return refused ? login_check(login, error) : log_in_by_auth(login, error);
}

static enum status select_database(struct login *login, struct error *error)
{
    if (login->with->database == 0) {
        return STATUS_OK;
    }
    resp_begin(&login->command, 2);
    resp_string(&login->command, "SELECT");
    resp_number(&login->command, login->with->database);
    if (login_ask(login, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (redis_error_is(&login->reply, "ERR")) {
        error_set(error, ERROR_BAD_VALUE, login->connection->place, "it has no database %u",
                  (unsigned)login->with->database);
        return error_hint(error, "redis://HOST/NUMBER; a cluster has 0 alone, another server as "
                                 "many as `databases` in its configuration says");
    }
    return login_check(login, error);
}

/* By it a take-over finds the connections of the process before. */
static enum status set_name(struct login *login, struct error *error)
{
    if (login->with->name[0] == '\0') {
        return STATUS_OK;
    }
    resp_command(&login->command, "CLIENT", "SETNAME", login->with->name, NULL);
    return login_ask(login, error);
}

/* ---------------------------------------------------------------- what the server is */

/* The line "NAME:VALUE" of INFO's answer. */
static struct text info_of(struct text info, const char *name)
{
    size_t length = strlen(name);
    const char *end = info.data + info.length;
    for (const char *at = info.data; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        size_t line = (size_t)(stop - at);
        if (line > length && at[length] == ':' && memcmp(at, name, length) == 0) {
            size_t value = line - length - 1;
            value -= value > 0 && stop[-1] == '\r';
            return (struct text){at + length + 1, value};
        }
        at = stop + 1;
    }
    return (struct text){"", 0};
}

static void copy_info(struct text info, const char *name, char *out, size_t capacity)
{
    struct text value = info_of(info, name);
    text_printable(value.data, value.length, out, capacity);
}

static bool info_is(struct text info, const char *name, const char *value)
{
    struct text found = info_of(info, name);
    return found.length == strlen(value) && memcmp(found.data, value, found.length) == 0;
}

static enum status learn_facts(struct login *login, struct error *error)
{
    struct redis_facts *facts = &login->connection->facts;
    uint64_t replicas = 0;
    resp_command(&login->command, "INFO", NULL);
    if (login_ask(login, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (login->reply.type != RESP_TEXT) { /* an account that may not ask */
        return STATUS_OK;
    }
    struct text info = login->reply.text;
    copy_info(info, "redis_version", facts->version, sizeof(facts->version));
    copy_info(info, "run_id", facts->run_id, sizeof(facts->run_id));
    facts->cluster =
        info_is(info, "cluster_enabled", "1") || info_is(info, "redis_mode", "cluster");
    facts->sentinel = info_is(info, "redis_mode", "sentinel");
    facts->append_only = info_is(info, "aof_enabled", "1");
    facts->replica = info_is(info, "role", "slave");
    copy_info(info, "master_host", facts->master_host, sizeof(facts->master_host));
    copy_info(info, "master_port", facts->master_port, sizeof(facts->master_port));
    struct text count = info_of(info, "connected_slaves");
    if (text_to_uint64(count.data, count.length, &replicas) == STATUS_OK) {
        facts->replicas = (uint32_t)replicas;
    }
    if (info_is(info, "loading", "1")) {
        return error_set(error, ERROR_NETWORK, login->connection->place,
                         "the server is still loading its data");
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- opening */

static enum status log_in(struct redis_connection *connection, const struct redis_login *with,
                          struct error *error)
{
    struct login login = {.connection = connection, .with = with, .arena = arena_create(0)};
    enum status status = say_hello(&login, error);
    status = status == STATUS_OK ? select_database(&login, error) : status;
    status = status == STATUS_OK ? set_name(&login, error) : status;
    status = status == STATUS_OK ? learn_facts(&login, error) : status;
    buffer_free(&login.command);
    arena_destroy(login.arena);
    return status;
}

enum status redis_connection_open(const char *host, uint16_t port, const struct redis_login *login,
                                  struct redis_connection **connection, struct error *error)
{
    struct redis_connection *made = memory_allocate_zeroed(1, sizeof(*made));
    int64_t patience = login->timeout_ms < CONNECT_MS_MAX ? login->timeout_ms : CONNECT_MS_MAX;
    *connection = NULL;
    snprintf(made->place, sizeof(made->place), "%s:%u", host, (unsigned)port);
    made->timeout_ms = login->timeout_ms;
    const struct stream_options options = {.host = host,
                                           .port = port,
                                           .tls = login->tls,
                                           .plaintext_allowed = login->plaintext_allowed,
                                           .deadline_ms = clock_boottime_ms() + patience};
    enum status status = stream_connect(&options, &made->stream, error);
    status = status == STATUS_OK ? log_in(made, login, error) : status;
    if (status != STATUS_OK) {
        redis_connection_close(made);
        return status;
    }
    *connection = made;
    return STATUS_OK;
}
