/* Commands, and what their answers mean. */
#include "connectors/mongodb/mongodb.h"

#include "base/text.h"
#include "connectors/common/lease.h"

/* Codes of the server, https://github.com/mongodb/mongo/blob/v6.0/src/mongo/base/error_codes.yml */
enum server_code {
    CODE_UNAUTHORIZED = 13,
    CODE_AUTHENTICATION_FAILED = 18,
    CODE_TOO_MANY_REQUESTS = 16500
};

/* A server that is about to change its part, is busy, or can't be reached: it or others may answer
 * soon. */
static const int64_t passing_codes[] = {6,     7,     24,    43,    46,    50,    63,    89,
                                        91,    112,   133,   150,   189,   234,   262,   9001,
                                        10058, 10107, 11600, 11601, 11602, 13388, 13435, 13436};

static bool is_passing(int64_t code)
{
    bool found = false;
    for (size_t at = 0; at < sizeof(passing_codes) / sizeof(*passing_codes); at++) {
        found = found || passing_codes[at] == code;
    }
    return found;
}

/* ---------------------------------------------------------------- fields of replies */

static bool find_field(bson_iter_t *iterator, const bson_t *document, const char *name)
{
    return document != NULL && bson_iter_init_find(iterator, document, name);
}

int64_t mongodb_number(const bson_t *document, const char *name, int64_t preset)
{
    bson_iter_t at;
    if (!find_field(&at, document, name)) {
        return preset;
    }
    return BSON_ITER_HOLDS_DOUBLE(&at) ? (int64_t)bson_iter_double(&at) : bson_iter_as_int64(&at);
}

const char *mongodb_text(const bson_t *document, const char *name)
{
    bson_iter_t at;
    return find_field(&at, document, name) && BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, NULL)
                                                                        : NULL;
}

/* ---------------------------------------------------------------- failures */

static enum error_code stop_code(const struct mongodb_database *self)
{
    return self->keyed.mode == OPEN_TARGET ? ERROR_TARGET_WRITE : ERROR_SOURCE_READ;
}

enum status mongodb_failure_of_code(const struct mongodb_database *self, int64_t code,
                                    const char *message, const char *object, struct error *error)
{
    enum error_code mine =
        code == CODE_UNAUTHORIZED            ? ERROR_PERMISSION
        : code == CODE_AUTHENTICATION_FAILED ? ERROR_CREDENTIALS
        : code == CODE_TOO_MANY_REQUESTS
            ? (self->keyed.mode == OPEN_TARGET ? ERROR_TARGET_THROTTLED : ERROR_SOURCE_THROTTLED)
        : is_passing(code) ? ERROR_NETWORK
                           : stop_code(self);
    error_set(error, mine, object, "%s", message);
    error->native_code = code;
    return STATUS_FAILED;
}

static enum status failure_of_client(const struct mongodb_database *self, const bson_error_t *what,
                                     const char *object, struct error *error)
{
    bool login =
        what->domain == MONGOC_ERROR_CLIENT && (what->code == MONGOC_ERROR_CLIENT_AUTHENTICATE ||
                                                what->code == MONGOC_ERROR_CLIENT_GETNONCE);
    bool network =
        what->domain == MONGOC_ERROR_STREAM || what->domain == MONGOC_ERROR_SERVER_SELECTION;
    if (login || strstr(what->message, "uthentication failed") != NULL) {
        return error_set(error, ERROR_CREDENTIALS, object, "%s", what->message);
    }
    if (strstr(what->message, "TLS handshake failed") != NULL ||
        strstr(what->message, "certificate") != NULL) {
        return error_set(error, ERROR_TLS, object, "%s", what->message);
    }
    error_set(error, network ? ERROR_NETWORK : stop_code(self), object, "%s", what->message);
    error->native_code = what->code;
    return network
               ? error_hint(error, "is the server there, and does it speak TLS (?tls=yes) or not?")
               : STATUS_FAILED;
}

/* Does the server, or the driver for it, say that a repeat is worth it? */
static bool is_labelled_passing(const bson_t *reply)
{
    return reply != NULL && (mongoc_error_has_label(reply, "RetryableWriteError") ||
                             mongoc_error_has_label(reply, "TransientTransactionError"));
}

enum status mongodb_failure(const struct mongodb_database *self, const bson_error_t *what,
                            const bson_t *reply, const char *object, struct error *error)
{
    bool of_server = what->domain == MONGOC_ERROR_SERVER || what->domain == MONGOC_ERROR_QUERY ||
                     what->domain == MONGOC_ERROR_WRITE_CONCERN;
    if (!of_server) {
        return failure_of_client(self, what, object, error);
    }
    (void)mongodb_failure_of_code(self, what->code, what->message, object, error);
    if (error->class != ERROR_CLASS_RETRY && is_labelled_passing(reply)) {
        error_set(error, ERROR_NETWORK, object, "%s", what->message);
        error->native_code = what->code;
    }
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- calls */

/* The object that the command is about: the value of its first element, if that is a name. */
static const char *object_of(const bson_t *command)
{
    bson_iter_t at;
    return bson_iter_init(&at, command) && bson_iter_next(&at) && BSON_ITER_HOLDS_UTF8(&at)
               ? bson_iter_utf8(&at, NULL)
               : NULL;
}

/* An error of a write's documents or of its write concern comes with a reply that has it. */
static bool tells_of_writes(const bson_t *reply)
{
    return bson_has_field(reply, "writeErrors") || bson_has_field(reply, "writeConcernError");
}

enum status mongodb_call(const struct mongodb_database *self, mongoc_client_t *client,
                         enum mongodb_call_kind kind, const bson_t *command, const bson_t *options,
                         bson_t *reply, struct error *error)
{
    bson_error_t why;
    bson_t own;
    bson_t *to = reply != NULL ? reply : &own;
    bool done =
        kind == MONGODB_READ
            ? mongoc_client_read_command_with_opts(client, self->name, command, NULL, options, to,
                                                   &why)
            : mongoc_client_command_with_opts(client, self->name, command, NULL, options, to, &why);
    enum status status = STATUS_OK;
    if (!done && !(kind != MONGODB_READ && tells_of_writes(to))) {
        status = mongodb_failure(self, &why, to, object_of(command), error);
    } else if (reply == NULL && kind != MONGODB_READ &&
               mongodb_write_outcome(self, to, object_of(command), error) != STATUS_OK) {
        status = STATUS_FAILED;
    }
    if (reply == NULL) {
        bson_destroy(&own);
    }
    return status;
}

static enum status check_lease(const struct mongodb_database *self, enum mongodb_call_kind kind,
                               struct error *error)
{
    return kind != MONGODB_READ && self->keyed.room.run_id != NULL
               ? lease_check(&self->keyed.base, self->keyed.room.timeout_ms, error)
               : STATUS_OK;
}

static enum status control(struct mongodb_database *self, mongoc_client_t *client,
                           enum mongodb_call_kind kind, const bson_t *command, bson_t *reply,
                           struct error *error)
{
    if (check_lease(self, kind, error) != STATUS_OK) {
        if (reply != NULL) {
            bson_init(reply);
        }
        return STATUS_FAILED;
    }
    pthread_mutex_lock(&self->keyed.control_mutex);
    enum status status = mongodb_call(self, client, kind, command, NULL, reply, error);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    return status;
}

enum status mongodb_control(struct mongodb_database *self, enum mongodb_call_kind kind,
                            const bson_t *command, bson_t *reply, struct error *error)
{
    return control(self, self->control, kind, command, reply, error);
}

enum status mongodb_control_long(struct mongodb_database *self, enum mongodb_call_kind kind,
                                 const bson_t *command, bson_t *reply, struct error *error)
{
    return control(self, self->patient, kind, command, reply, error);
}

/* The first of the errors of single writes: its code and message. */
static bool first_write_error(const bson_t *reply, int64_t *code, const char **message)
{
    bson_iter_t list;
    bson_iter_t at;
    bson_iter_t field;
    bool found = find_field(&list, reply, "writeErrors") && BSON_ITER_HOLDS_ARRAY(&list) &&
                 bson_iter_recurse(&list, &at) && bson_iter_next(&at) &&
                 BSON_ITER_HOLDS_DOCUMENT(&at);
    *code = 0;
    *message = "a write failed";
    if (found && bson_iter_recurse(&at, &field) && bson_iter_find(&field, "code")) {
        *code = bson_iter_as_int64(&field);
    }
    if (found && bson_iter_recurse(&at, &field) && bson_iter_find(&field, "errmsg") &&
        BSON_ITER_HOLDS_UTF8(&field)) {
        *message = bson_iter_utf8(&field, NULL);
    }
    return found;
}

enum status mongodb_write_outcome(const struct mongodb_database *self, const bson_t *reply,
                                  const char *object, struct error *error)
{
    int64_t code = 0;
    const char *message = NULL;
    if (first_write_error(reply, &code, &message)) {
        return code == MONGODB_DUPLICATE_KEY
                   ? STATUS_AGAIN
                   : mongodb_failure_of_code(self, code, message, object, error);
    }
    return bson_has_field(reply, "writeConcernError")
               ? error_set(error, ERROR_NETWORK, object,
                           "the write was not acknowledged by as many servers as it should be")
               : STATUS_OK;
}

enum status mongodb_control_write(struct mongodb_database *self, const bson_t *command,
                                  int64_t *matched, struct error *error)
{
    bson_t reply;
    enum status status = mongodb_control(self, MONGODB_WRITE, command, &reply, error);
    status = status == STATUS_OK ? mongodb_write_outcome(self, &reply, object_of(command), error)
                                 : status;
    if (status == STATUS_OK && matched != NULL) {
        *matched = mongodb_number(&reply, "n", 0);
    }
    bson_destroy(&reply);
    return status;
}

/* ---------------------------------------------------------------- connections of threads */

mongoc_client_t *mongodb_client_take(struct mongodb_database *self)
{
    return mongoc_client_pool_pop(self->pool);
}

void mongodb_client_return(struct mongodb_database *self, mongoc_client_t *client)
{
    if (client != NULL) {
        mongoc_client_pool_push(self->pool, client);
    }
}
