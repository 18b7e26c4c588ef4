/*
 * Finds, and the time that a source's finds read as of:
 *
 *   {find: NAME, filter: …, sort: …, readConcern: {level: "snapshot", atClusterTime: Timestamp}}
 *
 * A replica set (5.0 and newer) keeps what is needed for that some minutes only. Once it says that
 * the time is too old, later finds read as of a new one.
 * https://www.mongodb.com/docs/manual/reference/read-concern-snapshot/
 */
#include "connectors/mongodb/find.h"

#include "base/log.h"
#include <inttypes.h>
#include <stdatomic.h>

/* ---------------------------------------------------------------- times */

static void append_read_concern(uint64_t moment, struct buffer *command)
{
    size_t concern = mongodb_write_open(command, "readConcern", BSON_TYPE_DOCUMENT);
    mongodb_write_text(command, "level", "snapshot", strlen("snapshot"));
    if (moment != 0) {
        mongodb_write_timestamp(command, "atClusterTime", moment);
    }
    mongodb_write_end(command, concern);
}

static bool read_moment(const bson_t *reply, uint64_t *moment)
{
    bson_iter_t at;
    bson_iter_t found;
    uint32_t seconds = 0;
    uint32_t increment = 0;
    if (!bson_iter_init(&at, reply) ||
        !bson_iter_find_descendant(&at, "cursor.atClusterTime", &found) ||
        !BSON_ITER_HOLDS_TIMESTAMP(&found)) {
        return false;
    }
    bson_iter_timestamp(&found, &seconds, &increment);
    *moment = (uint64_t)seconds << 32 | increment;
    return *moment != 0;
}

/* The newest time that most members have. */
static enum status ask_moment(struct mongodb_database *self, mongoc_client_t *client,
                              uint64_t *moment, struct error *error)
{
    struct buffer command = {0};
    bson_t view;
    bson_t reply;
    size_t whole = mongodb_write_begin(&command);
    mongodb_write_text(&command, "find", MONGODB_NOTES, strlen(MONGODB_NOTES));
    mongodb_write_int32(&command, "limit", 1);
    mongodb_write_bool(&command, "singleBatch", true);
    append_read_concern(0, &command);
    mongodb_write_end(&command, whole);
    mongodb_write_view(&command, &view);
    enum status status = mongodb_call(self, client, MONGODB_READ, &view, NULL, &reply, error);
    if (status == STATUS_OK && !read_moment(&reply, moment)) {
        status = error_set(error, ERROR_SOURCE_READ, self->name,
                           "the server does not say which time it reads as of");
    }
    bson_destroy(&reply);
    buffer_free(&command);
    return status;
}

enum status mongodb_moment_take(struct mongodb_database *self, struct arena *arena,
                                const char **token, struct error *error)
{
    uint64_t moment = 0;
    pthread_mutex_lock(&self->keyed.control_mutex);
    enum status status = ask_moment(self, self->control, &moment, error);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    if (status == STATUS_OK) {
        atomic_store(&self->moment, moment);
        *token = arena_format(arena, "%" PRIu64 ".%" PRIu64, moment >> 32, moment & UINT32_MAX);
    }
    return status;
}

/* The first that hears of it takes a new time for all. What was read fails, to be read again. */
static enum status move_on(struct mongodb_find *find, struct error *error)
{
    struct mongodb_database *self = find->database;
    struct error why;
    uint64_t moment = 0;
    uint64_t old = find->moment;
    if (atomic_load(&self->moment) == old) {
        if (ask_moment(self, find->client, &moment, &why) != STATUS_OK) {
            return error_copy(error, &why);
        }
        if (atomic_compare_exchange_strong(&self->moment, &old, moment)) {
            log_write(LOG_WARNING,
                      "%s: the server does not know the snapshot's time any more: what "
                      "is left is read as of a later one",
                      self->name);
        }
        atomic_store(&self->keyed.base.report.moved, true);
    }
    error->class = ERROR_CLASS_RETRY;
    return STATUS_FAILED;
}

static enum status find_fail(struct mongodb_find *find, const bson_error_t *what,
                             const bson_t *reply, struct error *error)
{
    (void)mongodb_failure(find->database, what, reply, find->name, error);
    bool old = find->moment != 0 && (error->native_code == MONGODB_SNAPSHOT_TOO_OLD ||
                                     error->native_code == MONGODB_SNAPSHOT_UNAVAILABLE);
    return old ? move_on(find, error) : STATUS_FAILED;
}

/* ---------------------------------------------------------------- finds as of a time */

/* The elements of the options are those of the command. */
static void write_command(const struct mongodb_find *find, const struct buffer *filter,
                          const struct buffer *options, struct buffer *command)
{
    size_t whole = mongodb_write_begin(command);
    mongodb_write_text(command, "find", find->name, strlen(find->name));
    mongodb_write_head(command, BSON_TYPE_DOCUMENT, "filter", strlen("filter"));
    buffer_append(command, filter->data, filter->length);
    buffer_append(command, options->data + 4, options->length - 5);
    append_read_concern(find->moment, command);
    mongodb_write_end(command, whole);
}

/* The server that is asked first is asked for the rest, in the same session. */
static bool name_server_and_session(struct mongodb_find *find, bson_t *options, bson_error_t *why)
{
    mongoc_session_opt_t *how = mongoc_session_opts_new();
    mongoc_session_opts_set_causal_consistency(how, false);
    find->session = mongoc_client_start_session(find->client, how, why);
    mongoc_session_opts_destroy(how);
    if (find->session == NULL || !mongoc_client_session_append(find->session, options, why)) {
        return false;
    }
    mongoc_server_description_t *server = mongoc_client_select_server(
        find->client, false, mongoc_client_get_read_prefs(find->client), why);
    if (server == NULL) {
        return false;
    }
    bool named =
        bson_append_int32(options, "serverId", -1, (int32_t)mongoc_server_description_id(server));
    mongoc_server_description_destroy(server);
    return named;
}

static enum status begin_at_moment(struct mongodb_find *find, const struct buffer *filter,
                                   const struct buffer *options, struct error *error)
{
    struct buffer command = {0};
    bson_t view;
    bson_t reply;
    bson_t choice = BSON_INITIALIZER;
    bson_error_t why = {0};
    write_command(find, filter, options, &command);
    mongodb_write_view(&command, &view);
    bson_init(&reply);
    bool done = name_server_and_session(find, &choice, &why);
    if (done) {
        bson_destroy(&reply);
        done = mongoc_client_read_command_with_opts(find->client, find->database->name, &view,
                                                    mongoc_client_get_read_prefs(find->client),
                                                    &choice, &reply, &why);
    }
    enum status status = STATUS_OK;
    if (done) { /* the cursor takes the reply over */
        find->cursor =
            mongoc_cursor_new_from_command_reply_with_opts(find->client, &reply, &choice);
    } else {
        status = find_fail(find, &why, &reply, error);
        bson_destroy(&reply);
    }
    bson_destroy(&choice);
    buffer_free(&command);
    return status;
}

/* ---------------------------------------------------------------- all finds */

enum status mongodb_find_begin(struct mongodb_find *find, const struct buffer *filter,
                               const struct buffer *options, struct error *error)
{
    bson_t query;
    bson_t view;
    find->moment = find->as_of_now ? 0 : atomic_load(&find->database->moment);
    if (find->moment != 0) {
        return begin_at_moment(find, filter, options, error);
    }
    mongodb_write_view(filter, &query);
    mongodb_write_view(options, &view);
    find->collection = mongoc_client_get_collection(find->client, find->database->name, find->name);
    find->cursor = mongoc_collection_find_with_opts(find->collection, &query, &view, NULL);
    return STATUS_OK;
}

enum status mongodb_find_next(struct mongodb_find *find, const bson_t **document,
                              struct error *error)
{
    bson_error_t why;
    const bson_t *reply = NULL;
    if (mongoc_cursor_next(find->cursor, document)) {
        return STATUS_OK;
    }
    return mongoc_cursor_error_document(find->cursor, &why, &reply)
               ? find_fail(find, &why, reply, error)
               : STATUS_END;
}

void mongodb_find_end(struct mongodb_find *find)
{
    if (find->cursor != NULL) {
        mongoc_cursor_destroy(find->cursor);
    }
    if (find->collection != NULL) {
        mongoc_collection_destroy(find->collection);
    }
    if (find->session != NULL) {
        mongoc_client_session_destroy(find->session);
    }
    find->cursor = NULL;
    find->collection = NULL;
    find->session = NULL;
}
