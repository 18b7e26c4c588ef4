/*
 * The outcome of a step whose session is gone. A server carries out a command that changes a schema
 * whole or not at all, and most of them may be sent again; of the others it is looked what stands.
 */
#include "connectors/mongodb/alter.h"

#include "model/json_writer.h"
#include <string.h>

static bool is(const struct mongodb_step *step, const char *name)
{
    return strcmp(step->name, name) == 0;
}

/* ---------------------------------------------------------------- commands that may be repeated */

/* By an _id: the second time it finds the same document, or none. */
static bool names_one(const bson_iter_t *item)
{
    bson_iter_t query;
    bson_iter_t at;
    return bson_iter_recurse(item, &query) && bson_iter_find(&query, "q") &&
           BSON_ITER_HOLDS_DOCUMENT(&query) && bson_iter_recurse(&query, &at) &&
           bson_iter_find(&at, MONGODB_ID) && !BSON_ITER_HOLDS_DOCUMENT(&at);
}

/* Does the member say so: "multi": true, "limit": 0? */
static bool says(const bson_iter_t *item, const char *name, int64_t value)
{
    bson_iter_t at;
    return bson_iter_recurse(item, &at) && bson_iter_find(&at, name) &&
           (BSON_ITER_HOLDS_NUMBER(&at) || BSON_ITER_HOLDS_BOOL(&at)) &&
           bson_iter_as_int64(&at) == value;
}

/* One that deletes any document of several would delete another one the second time. */
static bool repeats_deletes(const bson_t *command)
{
    bson_iter_t list;
    bson_iter_t at;
    bool repeats = bson_iter_init_find(&list, command, "deletes") && bson_iter_recurse(&list, &at);
    while (repeats && bson_iter_next(&at)) {
        repeats = names_one(&at) || says(&at, "limit", 0);
    }
    return repeats;
}

/* Operators whose second effect is none. */
static bool repeats_operators(const bson_iter_t *change)
{
    static const char *const operators[] = {"$set", "$unset",    "$setOnInsert", "$min",
                                            "$max", "$addToSet", "$pull",        "$rename"};
    bson_iter_t at;
    bool repeats = bson_iter_recurse(change, &at);
    while (repeats && bson_iter_next(&at)) {
        bool found = bson_iter_key(&at)[0] != '$'; /* a whole document */
        for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
            found = found || strcmp(operators[i], bson_iter_key(&at)) == 0;
        }
        repeats = found;
    }
    return repeats;
}

/* It can't be told of an update with a pipeline: it may read what it writes. Nor of one that
 * changes any document of several, which would find another one, and of several that may find what
 * those behind them have changed. */
static bool repeats_updates(const bson_t *command)
{
    bson_iter_t list;
    bson_iter_t at;
    bson_iter_t change;
    uint32_t wide = 0;
    uint32_t count = 0;
    bool repeats = bson_iter_init_find(&list, command, "updates") && bson_iter_recurse(&list, &at);
    while (repeats && bson_iter_next(&at)) {
        bool one = names_one(&at);
        count++;
        wide += one ? 0 : 1;
        repeats = (one || says(&at, "multi", 1)) && (wide == 0 || count == 1) &&
                  bson_iter_recurse(&at, &change) && bson_iter_find(&change, "u") &&
                  BSON_ITER_HOLDS_DOCUMENT(&change) && repeats_operators(&change);
    }
    return repeats;
}

/* The collection that a stage writes; NULL: it is none that writes, or names a database as well. */
static const char *written_by(const bson_iter_t *stage)
{
    static const char *const places[] = {"$out", "$merge", "$merge.into"};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        bson_iter_t own;
        bson_iter_t at;
        if (bson_iter_recurse(stage, &own) && bson_iter_find_descendant(&own, places[i], &at) &&
            BSON_ITER_HOLDS_UTF8(&at)) {
            found = bson_iter_utf8(&at, NULL);
        }
    }
    return found;
}

/* $merge whose whenMatched is a pipeline, or "fail", does something else the second time; and so
 * does one that reads what it writes. */
static bool repeats_pipeline(const bson_t *command)
{
    bson_iter_t list;
    bson_iter_t at;
    bson_iter_t stage;
    bson_iter_t matched;
    const char *read = mongodb_text(command, "aggregate");
    bool repeats = bson_iter_init_find(&list, command, "pipeline") && bson_iter_recurse(&list, &at);
    while (repeats && bson_iter_next(&at)) {
        const char *written = written_by(&at);
        repeats = read == NULL || written == NULL || strcmp(read, written) != 0;
        if (repeats && bson_iter_recurse(&at, &stage) &&
            bson_iter_find_descendant(&stage, "$merge.whenMatched", &matched)) {
            repeats = BSON_ITER_HOLDS_UTF8(&matched) &&
                      strcmp(bson_iter_utf8(&matched, NULL), "fail") != 0;
        }
    }
    return repeats;
}

static bool repeats(const struct mongodb_step *step)
{
    static const char *const names[] = {"createIndexes", "collMod",  "find",           "count",
                                        "listIndexes",   "distinct", "listCollections"};
    bool found = (is(step, "delete") && repeats_deletes(&step->command)) ||
                 (is(step, "update") && repeats_updates(&step->command)) ||
                 (is(step, "aggregate") && repeats_pipeline(&step->command));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        found = found || is(step, names[i]);
    }
    return found;
}

/* ---------------------------------------------------------------- commands that show */

/* The part behind "DATABASE.". */
static const char *plain_name(const struct mongodb_database *self, const char *whole)
{
    return whole + strlen(self->name) + 1;
}

static enum status settle_rename(struct mongodb_database *self, const struct mongodb_step *step,
                                 enum alter_settled *settled, struct error *error)
{
    struct mongodb_facts from = {0};
    struct mongodb_facts to = {0};
    const char *target = mongodb_text(&step->command, "to");
    *settled = ALTER_UNKNOWN;
    if (step->object == NULL || target == NULL) {
        return STATUS_OK;
    }
    enum status status =
        mongodb_collection_look(self, plain_name(self, step->object), &from, error);
    if (status == STATUS_OK) {
        status = mongodb_collection_look(self, plain_name(self, target), &to, error);
    }
    if (status == STATUS_OK) {
        *settled = from.exists ? ALTER_ABSENT : to.exists ? ALTER_APPLIED : ALTER_UNKNOWN;
    }
    return status;
}

/* An index by its name; by its key, or all of them, it can't be told. */
static enum status settle_dropped_index(struct alter_session *session,
                                        const struct mongodb_step *step,
                                        enum alter_settled *settled, struct error *error)
{
    const char *index = mongodb_text(&step->command, "index");
    bson_iter_t list;
    bson_iter_t at;
    bson_t reply;
    *settled = ALTER_UNKNOWN;
    if (step->object == NULL || index == NULL) {
        return STATUS_OK;
    }
    struct buffer text = {0};
    buffer_append_string(&text, "{\"listIndexes\": ");
    json_append_string(&text, step->object, strlen(step->object));
    buffer_append_string(&text, "}");
    enum status status = mongodb_step_run(session, buffer_string(&text), &reply, error);
    buffer_free(&text);
    *settled = ALTER_APPLIED;
    bool listed = status == STATUS_OK && bson_iter_init(&list, &reply) &&
                  bson_iter_find_descendant(&list, "cursor.firstBatch", &at) &&
                  bson_iter_recurse(&at, &list);
    while (listed && bson_iter_next(&list)) {
        if (bson_iter_recurse(&list, &at) && bson_iter_find(&at, "name") &&
            BSON_ITER_HOLDS_UTF8(&at) && strcmp(bson_iter_utf8(&at, NULL), index) == 0) {
            *settled = ALTER_ABSENT;
        }
    }
    bson_destroy(&reply);
    return status;
}

static enum status settle_step(struct alter_session *session, const struct mongodb_step *step,
                               enum alter_settled *settled, struct error *error)
{
    struct mongodb_database *self = mongodb_of(session->database);
    struct mongodb_facts facts;
    *settled = repeats(step) ? ALTER_ABSENT : ALTER_UNKNOWN;
    if (step->admin) {
        return settle_rename(self, step, settled, error);
    }
    if (is(step, "dropIndexes")) {
        return settle_dropped_index(session, step, settled, error);
    }
    if ((!is(step, "create") && !is(step, "drop")) || step->object == NULL) {
        return STATUS_OK;
    }
    enum status status = mongodb_collection_look(self, step->object, &facts, error);
    if (status == STATUS_OK) {
        *settled = facts.exists == is(step, "create") ? ALTER_APPLIED : ALTER_ABSENT;
    }
    return status;
}

enum status mongodb_alter_settle(struct alter_session *session, const struct alter_request *request,
                                 const struct alter_object *objects, uint32_t count,
                                 const char *before, enum alter_settled *settled,
                                 struct error *error)
{
    struct mongodb_step step;
    (void)objects;
    (void)count;
    (void)before;
    if (mongodb_step_read(mongodb_of(session->database), request->text, request->length, &step,
                          NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = settle_step(session, &step, settled, error);
    mongodb_step_free(&step);
    return status;
}
