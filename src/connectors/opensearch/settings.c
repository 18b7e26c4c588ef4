/* Settings that slow a load down: suspended while an index is filled, and put back. */
#include "connectors/opensearch/opensearch.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/common/store_key.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include <stdlib.h>

#define NOTE_KIND "refresh" /* run/RUN/note/refresh/TABLE: the interval as it was, "": not set */

/* ---------------------------------------------------------------- an index */

/* NULL or "": back to the default. FAULT_MISSING is none. */
static enum status set_settings(struct opensearch_database *self, const char *table,
                                const char *interval, bool with_replicas, struct error *error)
{
    struct buffer body = {0};
    struct arena *arena = arena_create(0);
    const struct opensearch_request request = {
        .operation = "PUT _settings",
        .object = table,
        .method = "PUT",
        .path = opensearch_path(self, arena, table, "/_settings"),
        .repeatable = true};
    buffer_append_string(&body, "{\"index\":{\"refresh_interval\":");
    if (interval != NULL && interval[0] != '\0') {
        json_append_string(&body, interval, strlen(interval));
    } else {
        buffer_append_string(&body, "null");
    }
    if (with_replicas) {
        buffer_format(&body, ",\"number_of_replicas\":%s",
                      self->replicas != NULL ? self->replicas : "null");
    }
    buffer_append_string(&body, "}}");
    enum status status =
        opensearch_control_write(self, &request, &body, OPENSEARCH_FAULT_MISSING, NULL, error);
    arena_destroy(arena);
    return status;
}

/* Nothing is changed by it: it needs no lease. */
enum status opensearch_refresh(struct opensearch_database *self, const char *table,
                               struct error *error)
{
    struct service_reply *reply = NULL;
    struct arena *arena = arena_create(0);
    const struct opensearch_request request = {.operation = "_refresh",
                                               .object = table,
                                               .method = "POST",
                                               .path =
                                                   opensearch_path(self, arena, table, "/_refresh"),
                                               .repeatable = true};
    enum status status = opensearch_control(self, &request, NULL, &reply, error);
    if (status == STATUS_OK && reply->fault != OPENSEARCH_FAULT_NONE &&
        !opensearch_reply_no_index(reply)) {
        status = error_copy(error, &reply->error);
    }
    service_reply_destroy(reply);
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- notes */

static const struct store_functions *store_of(const struct opensearch_database *self)
{
    return self->keyed.room.home->connector->store;
}

/* STATUS_END: none is noted. */
static enum status read_note(struct opensearch_database *self, const char *table,
                             struct arena *arena, struct store_value *value, struct error *error)
{
    char key[STORE_KEY_BYTES];
    store_note_key(key, self->keyed.room.run_id, NOTE_KIND, table);
    return store_of(self)->get(self->keyed.room.store, key, arena, value, error);
}

static enum status delete_note(struct opensearch_database *self, const char *table,
                               struct error *error)
{
    char key[STORE_KEY_BYTES];
    store_note_key(key, self->keyed.room.run_id, NOTE_KIND, table);
    return store_of(self)->delete_if(self->keyed.room.store, key, STORE_ANY_VERSION, error);
}

enum status opensearch_suspend(struct opensearch_database *self, const char *table,
                               struct arena *arena, struct error *error)
{
    struct store_value value;
    struct opensearch_index *indexes = NULL;
    char key[STORE_KEY_BYTES];
    uint64_t version = 0;
    uint32_t count = 0;
    enum status status = self->suspends ? read_note(self, table, arena, &value, error) : STATUS_OK;
    if (status != STATUS_END) { /* it is suspended already, or stays as it is */
        return status;
    }
    status = opensearch_describe(self, table, arena, &indexes, &count, error);
    if (status != STATUS_OK || count != 1) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    /* the table goes along: a key may hold no more than a hash of it */
    struct buffer text = {0};
    const char *interval = indexes[0].refresh_interval;
    buffer_append_string(&text, interval != NULL ? interval : "");
    buffer_append_byte(&text, '\n');
    buffer_append_string(&text, table);
    store_note_key(key, self->keyed.room.run_id, NOTE_KIND, table);
    status = store_of(self)->put_if(self->keyed.room.store, key, text.data, text.length,
                                    STORE_ABSENT, &version, error);
    buffer_free(&text);
    status = status == STATUS_AGAIN ? STATUS_OK : status; /* ours, by a try that was not answered */
    if (status != STATUS_OK || failpoint_hit("opensearch.before_suspend", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    status = set_settings(self, table, "-1", false, error);
    return status == STATUS_OK ? failpoint_hit("opensearch.after_suspend", error) : status;
}

static enum status put_back(struct opensearch_database *self, const struct store_value *value,
                            struct error *error)
{
    const char *end = memchr(value->text, '\n', value->length);
    if (end == NULL) {
        return error_set(error, ERROR_LEDGER_INVALID, NOTE_KIND, "the note is damaged");
    }
    char *interval = memory_copy_bytes(value->text, (size_t)(end - value->text));
    char *table = memory_copy_bytes(end + 1, value->length - (size_t)(end + 1 - value->text));
    enum status status = failpoint_hit("opensearch.before_resume", error);
    status = status == STATUS_OK ? set_settings(self, table, interval, false, error) : status;
    status = status == STATUS_OK ? failpoint_hit("opensearch.after_resume", error) : status;
    free(interval);
    free(table);
    return status;
}

/* The refresh interval of the source's index; NULL: it has none of its own. In the arena. */
static const char *carried_interval(const struct target_table *table, struct arena *arena)
{
    json_error_t ignored;
    json_t *settings =
        table->same_engine != NULL && table->settings != NULL
            ? json_tree_load(table->settings, strlen(table->settings), JSON_ALLOW_NUL, &ignored)
            : NULL;
    const char *interval = json_string_value(json_object_get(settings, "refresh_interval"));
    const char *copy = interval != NULL ? arena_copy_string(arena, interval) : NULL;
    json_decref(settings);
    return copy;
}

enum status opensearch_resume(struct opensearch_database *self, const struct target_table *table,
                              struct error *error)
{
    struct store_value value;
    enum status status = STATUS_OK;
    struct arena *arena = arena_create(0);
    if (table->created && self->suspends) {
        status = failpoint_hit("opensearch.before_resume", error);
        status = status == STATUS_OK
                     ? set_settings(self, table->name, carried_interval(table, arena), true, error)
                     : status;
        status = status == STATUS_OK ? failpoint_hit("opensearch.after_resume", error) : status;
    } else {
        status = read_note(self, table->name, arena, &value, error);
        status = status == STATUS_OK ? put_back(self, &value, error) : status;
        status = status == STATUS_OK ? delete_note(self, table->name, error) : status;
        status = status == STATUS_END ? STATUS_OK : status;
    }
    arena_destroy(arena);
    return status == STATUS_OK ? opensearch_refresh(self, table->name, error) : status;
}

/* ---------------------------------------------------------------- a run that is over */

static enum status visit_note(void *context, const char *key, const struct store_value *value,
                              struct error *error)
{
    (void)key;
    return put_back(context, value, error);
}

enum status opensearch_forget_run(struct database *database, const char *run_id, bool rolled_back,
                                  struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    char prefix[STORE_KEY_BYTES];
    (void)rolled_back;
    if (self->keyed.room.store == NULL) {
        return STATUS_OK;
    }
    store_note_key(prefix, run_id, NOTE_KIND, "");
    return store_of(self)->scan(self->keyed.room.store, prefix, visit_note, self, error);
}
