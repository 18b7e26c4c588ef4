/*
 * Batches of a declared change. A step's text is
 *
 *   {"stages": [STAGE, …]}
 *
 *   {"do": "update", "in": C, "match": FILTER, "set": UPDATE, "passes": N}
 *                      over and over until a pass changes nothing, N times at most
 *   {"do": "merge", "in": C, "pipeline": […, {"$merge": …}]}
 *   {"do": "sweep", "in": C, "from": D}     deletes what D has no document of that _id for
 *   {"do": "prove", "in": C, "match": FILTER}, {…, "pipeline": […]}     finds what is wrong
 *   {"do": "prove", "in": C, "whole": true, "pipeline": […], "collation": …}    in one, by groups
 *                      of `n` documents
 *
 * A batch is the documents whose _id lies between that of the position and that of so many
 * documents later, in the server's own order. A position is
 *
 *   STAGE PASS CHANGED {"_id": …}      or {}: at the beginning; Extended JSON, canonical
 *
 * Each document is changed by the server by itself, from its values of that moment, so that no
 * older value overwrites a newer one.
 */
#include "connectors/mongodb/alter.h"

#include "model/json_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SWEEP_MAX = 1000, PASSES_MAX = 100 };

struct place {
    uint32_t stage;
    uint32_t pass;
    bool changed; /* something in this pass */
    bson_t low;   /* {"_id": …} or {} */
};

struct batching {
    struct alter_session *session;
    struct mongodb_database *mongodb;
    struct arena *arena;
    uint64_t want;
    bson_t program;
    uint32_t stages;
    bson_t stage; /* a view */
    const char *does;
    const char *collection;
    struct place at;
    bson_t high;  /* {"_id": …}; {}: the last batch of a pass */
    bson_t range; /* the filter */
};

/* ---------------------------------------------------------------- the program and the place */

static enum status damaged(const char *what, struct error *error)
{
    return error_set(error, ERROR_LEDGER_INVALID, NULL, "%s of the change is damaged", what);
}

static enum status read_json(const char *text, bson_t *document, const char *what,
                             struct error *error)
{
    bson_t *read = mongodb_json_read(text, strlen(text), NULL);
    if (read == NULL) {
        bson_init(document);
        return damaged(what, error);
    }
    bson_copy_to(read, document);
    bson_destroy(read);
    return STATUS_OK;
}

static enum status read_place(const char *position, struct place *place, struct error *error)
{
    unsigned stage = 0;
    unsigned pass = 0;
    unsigned changed = 0;
    int used = 0;
    const char *text = position != NULL && position[0] != '\0' ? position : "0 0 0 {}";
    if (sscanf(text, "%u %u %u %n", &stage, &pass, &changed, &used) != 3 || used == 0) {
        return damaged("a position", error);
    }
    place->stage = stage;
    place->pass = pass;
    place->changed = changed != 0;
    bson_destroy(&place->low);
    return read_json(text + used, &place->low, "a position", error);
}

/* "1 0 1 {…}", in the arena. */
static const char *write_place(struct arena *arena, uint32_t stage, uint32_t pass, bool changed,
                               const bson_t *low)
{
    char *json = bson_as_canonical_extended_json(low, NULL);
    const char *text = arena_format(arena, "%" PRIu32 " %" PRIu32 " %d %s", stage, pass,
                                    (int)changed, json != NULL ? json : "{}");
    bson_free(json);
    return text;
}

/* Sets the stage; counts them all. */
static enum status find_stage(struct batching *it, struct error *error)
{
    bson_iter_t list;
    bson_iter_t at;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    if (!bson_iter_init_find(&list, &it->program, "stages") || !bson_iter_recurse(&list, &at)) {
        return damaged("a step", error);
    }
    for (; bson_iter_next(&at); it->stages++) {
        if (it->stages == it->at.stage && BSON_ITER_HOLDS_DOCUMENT(&at)) {
            bson_iter_document(&at, &length, &bytes);
        }
    }
    if (bytes == NULL || !bson_init_static(&it->stage, bytes, length)) {
        return damaged("a step", error);
    }
    it->does = mongodb_text(&it->stage, "do");
    it->collection = mongodb_text(&it->stage, "in");
    return it->does != NULL && it->collection != NULL ? STATUS_OK : damaged("a step", error);
}

/* ---------------------------------------------------------------- sending */

/* Frees the command. */
static enum status send_command(struct batching *it, bson_t *command, bson_t *reply,
                                struct error *error)
{
    bson_iter_t at;
    struct mongodb_step step = {.question = MONGODB_ASKS_VALUE};
    bson_copy_to(command, &step.command);
    bson_destroy(command);
    (void)bson_iter_init(&at, &step.command);
    (void)bson_iter_next(&at);
    step.name = bson_iter_key(&at);
    step.object = it->collection;
    enum status status = mongodb_step_send(it->session, &step, NULL, reply, error);
    mongodb_step_free(&step);
    return status;
}

static void begin_command(const struct batching *it, const char *name, bson_t *command)
{
    bson_init(command);
    (void)bson_append_utf8(command, name, -1, it->collection, -1);
}

static void append_majority(bson_t *command)
{
    bson_t concern;
    (void)bson_append_document_begin(command, "writeConcern", -1, &concern);
    (void)bson_append_utf8(&concern, "w", -1, "majority", -1);
    (void)bson_append_document_end(command, &concern);
}

/* {"$and": [range, the stage's match]} */
static void append_filter(const struct batching *it, const char *key, bson_t *to)
{
    bson_t filter;
    bson_t list;
    bson_iter_t match;
    (void)bson_append_document_begin(to, key, -1, &filter);
    (void)bson_append_array_begin(&filter, "$and", -1, &list);
    (void)bson_append_document(&list, "0", 1, &it->range);
    if (bson_iter_init_find(&match, &it->stage, "match")) {
        (void)bson_append_iter(&list, "1", 1, &match);
    }
    (void)bson_append_array_end(&filter, &list);
    (void)bson_append_document_end(to, &filter);
}

/* ---------------------------------------------------------------- ranges of _id */

static bool bound_of(const bson_t *document, struct mongodb_element *bound)
{
    struct error ignored;
    return mongodb_find(bson_get_data(document), document->len, MONGODB_ID, bound, &ignored) ==
           STATUS_OK;
}

/* Fills `range`. */
static enum status set_range(struct batching *it, const bson_t *high, struct error *error)
{
    struct mongodb_element low_bound;
    struct mongodb_element high_bound;
    struct buffer bytes = {0};
    bson_t view;
    bool has_low = bound_of(&it->at.low, &low_bound);
    bool has_high = bound_of(high, &high_bound);
    enum status status = mongodb_span_filter(has_low ? &low_bound : NULL,
                                             has_high ? &high_bound : NULL, &bytes, error);
    if (status == STATUS_OK) {
        mongodb_write_view(&bytes, &view);
        bson_destroy(&it->range);
        bson_copy_to(&view, &it->range);
    }
    buffer_free(&bytes);
    return status;
}

/* Where the batch ends: the _id of the document that is so many behind its first one. */
static enum status find_high(struct batching *it, struct error *error)
{
    static const bson_t everything = BSON_INITIALIZER;
    bson_t command;
    bson_t reply;
    bson_t part;
    bson_iter_t document;
    bson_iter_t id;
    if (set_range(it, &everything, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    begin_command(it, "find", &command);
    (void)bson_append_document(&command, "filter", -1, &it->range);
    (void)bson_append_document_begin(&command, "sort", -1, &part);
    (void)bson_append_int32(&part, MONGODB_ID, -1, 1);
    (void)bson_append_document_end(&command, &part);
    (void)bson_append_document_begin(&command, "projection", -1, &part);
    (void)bson_append_int32(&part, MONGODB_ID, -1, 1);
    (void)bson_append_document_end(&command, &part);
    (void)bson_append_int64(&command, "skip", -1, (int64_t)it->want);
    (void)bson_append_int64(&command, "limit", -1, 1);
    (void)bson_append_bool(&command, "singleBatch", -1, true);
    enum status status = send_command(it, &command, &reply, error);
    if (status == STATUS_OK && mongodb_first_document(&reply, &document) &&
        bson_iter_recurse(&document, &id) && bson_iter_find(&id, MONGODB_ID)) {
        (void)bson_append_iter(&it->high, MONGODB_ID, -1, &id);
    }
    bson_destroy(&reply);
    return status == STATUS_OK ? set_range(it, &it->high, error) : status;
}

/* `filter` NULL: about how many there are, as the server keeps it in mind; else exactly, for which
 * an empty filter has to name something. */
static enum status change_batch_count(struct batching *it, const bson_t *filter, uint64_t *rows,
                                      struct error *error)
{
    bson_t command;
    bson_t reply;
    bson_t all;
    bson_t exists;
    begin_command(it, "count", &command);
    if (filter != NULL && bson_empty(filter)) {
        (void)bson_append_document_begin(&command, "query", -1, &all);
        (void)bson_append_document_begin(&all, MONGODB_ID, -1, &exists);
        (void)bson_append_bool(&exists, "$exists", -1, true);
        (void)bson_append_document_end(&all, &exists);
        (void)bson_append_document_end(&command, &all);
    } else if (filter != NULL) {
        (void)bson_append_document(&command, "query", -1, filter);
    }
    enum status status = send_command(it, &command, &reply, error);
    int64_t found = status == STATUS_OK ? mongodb_number(&reply, "n", 0) : 0;
    *rows = found > 0 ? (uint64_t)found : 0;
    bson_destroy(&reply);
    return status;
}

/* ---------------------------------------------------------------- updates */

/* The one document of a batch that failed. */
static void name_document(struct batching *it, struct error *error)
{
    bson_t command;
    bson_t reply;
    bson_iter_t at;
    bson_iter_t id;
    struct error ignored = {0};
    begin_command(it, "find", &command);
    append_filter(it, "filter", &command);
    (void)bson_append_int64(&command, "limit", -1, 1);
    (void)bson_append_bool(&command, "singleBatch", -1, true);
    if (send_command(it, &command, &reply, &ignored) == STATUS_OK &&
        mongodb_first_document(&reply, &at) && bson_iter_recurse(&at, &id) &&
        bson_iter_find(&id, MONGODB_ID)) {
        const char *text = mongodb_value_text(&id, it->arena);
        char message[sizeof(error->message)];
        int64_t native = error->native_code;
        memcpy(message, error->message, sizeof(message));
        error_set(error, ERROR_TARGET_WRITE, NULL,
                  "the document with _id %.200s does not fit the new schema: %.480s",
                  text != NULL ? text : "null", message);
        error->native_code = native;
    }
    bson_destroy(&reply);
}

static void append_updates(const struct batching *it, bson_t *command)
{
    bson_t list;
    bson_t item;
    bson_iter_t set;
    (void)bson_append_array_begin(command, "updates", -1, &list);
    (void)bson_append_document_begin(&list, "0", 1, &item);
    append_filter(it, "q", &item);
    if (bson_iter_init_find(&set, &it->stage, "set")) {
        (void)bson_append_iter(&item, "u", 1, &set);
    }
    (void)bson_append_bool(&item, "multi", -1, true);
    (void)bson_append_document_end(&list, &item);
    (void)bson_append_array_end(command, &list);
}

static enum status change_batch_update(struct batching *it, struct change_batch *batch,
                                       struct error *error)
{
    bson_t command;
    bson_t reply;
    begin_command(it, "update", &command);
    append_updates(it, &command);
    append_majority(&command);
    enum status status = send_command(it, &command, &reply, error);
    if (status == STATUS_OK) {
        batch->changed = (uint64_t)mongodb_number(&reply, "nModified", 0);
        it->at.changed = it->at.changed || batch->changed > 0;
    } else if (error->code == ERROR_TARGET_WRITE && error->class != ERROR_CLASS_RETRY) {
        batch->one_failed = it->want > 1;
        if (it->want == 1) {
            name_document(it, error);
        }
    }
    bson_destroy(&reply);
    return status;
}

/* ---------------------------------------------------------------- aggregations */

static void append_stage(bson_t *list, uint32_t *number, const bson_t *stage)
{
    char digits[12];
    size_t length = mongodb_write_index((*number)++, digits);
    (void)bson_append_document(list, digits, (int)length, stage);
}

/* Appends the stages of the pipeline that `stage` has. */
static void append_pipeline(const struct batching *it, bson_t *list, uint32_t *number)
{
    bson_iter_t at;
    bson_iter_t own;
    char digits[12];
    bool listed = bson_iter_init_find(&at, &it->stage, "pipeline") && bson_iter_recurse(&at, &own);
    while (listed && bson_iter_next(&own)) {
        size_t length = mongodb_write_index((*number)++, digits);
        (void)bson_append_iter(list, digits, (int)length, &own);
    }
}

/* [match, the stage's own, the last ones]; `range`: only documents of the batch. `last` is a list
 * of JSON, or NULL. */
static void append_aggregation(const struct batching *it, bool range, const char *last,
                               bson_t *command)
{
    bson_t list;
    bson_t stage = BSON_INITIALIZER;
    bson_iter_t at;
    uint32_t number = 0;
    (void)bson_append_array_begin(command, "pipeline", -1, &list);
    if (range) {
        append_filter(it, "$match", &stage);
        append_stage(&list, &number, &stage);
    }
    bson_destroy(&stage);
    append_pipeline(it, &list, &number);
    bson_t *more = last != NULL ? bson_new_from_json((const uint8_t *)last, -1, NULL) : NULL;
    if (more != NULL && bson_iter_init(&at, more)) {
        while (bson_iter_next(&at)) {
            char digits[12];
            size_t length = mongodb_write_index(number++, digits);
            (void)bson_append_iter(&list, digits, (int)length, &at);
        }
    }
    if (more != NULL) {
        bson_destroy(more);
    }
    (void)bson_append_array_end(command, &list);
}

static enum status aggregate(struct batching *it, bool range, const char *last, bson_t *reply,
                             struct error *error)
{
    bson_t command;
    bson_t cursor;
    bson_iter_t collation;
    begin_command(it, "aggregate", &command);
    append_aggregation(it, range, last, &command);
    (void)bson_append_document_begin(&command, "cursor", -1, &cursor);
    (void)bson_append_int32(&cursor, "batchSize", -1, SWEEP_MAX + 1);
    (void)bson_append_document_end(&command, &cursor);
    (void)bson_append_bool(&command, "allowDiskUse", -1, true);
    if (bson_iter_init_find(&collation, &it->stage, "collation")) {
        (void)bson_append_iter(&command, NULL, 0, &collation);
    }
    return send_command(it, &command, reply, error);
}

static enum status change_batch_merge(struct batching *it, struct change_batch *batch,
                                      struct error *error)
{
    bson_t reply;
    enum status status = aggregate(it, true, NULL, &reply, error);
    batch->changed = batch->rows;
    bson_destroy(&reply);
    return status;
}

/* Counts what is wrong, and names the first. */
static enum status change_batch_prove(struct batching *it, bool whole, struct change_batch *batch,
                                      struct error *error)
{
    bson_t reply;
    bson_iter_t document;
    bson_iter_t field;
    const char *last =
        arena_format(it->arena,
                     "[{\"$group\": {\"_id\": null, \"n\": {\"$sum\": %s}, \"first\": {\"$first\": "
                     "\"$_id\"}}}]",
                     whole ? "\"$n\"" : "1");
    enum status status = aggregate(it, !whole, last, &reply, error);
    if (status == STATUS_OK && mongodb_first_document(&reply, &document) &&
        bson_iter_recurse(&document, &field)) {
        while (bson_iter_next(&field)) {
            if (strcmp(bson_iter_key(&field), "n") == 0) {
                batch->wrong = (uint64_t)bson_iter_as_int64(&field);
            } else if (strcmp(bson_iter_key(&field), "first") == 0) {
                const char *text = mongodb_value_text(&field, it->arena);
                batch->first_wrong =
                    arena_format(it->arena, "%s%s", whole ? "with the key " : "with _id ",
                                 text != NULL ? text : "null");
            }
        }
    }
    bson_destroy(&reply);
    return status;
}

/* ---------------------------------------------------------------- sweeps */

/* The command that deletes documents by the _ids of the reply; false: there is none. */
static bool write_deletion(const struct batching *it, const bson_t *found, bson_t *command,
                           uint32_t *number)
{
    bson_t deletes;
    bson_t item;
    bson_t filter;
    bson_t among;
    bson_t list;
    bson_iter_t at;
    bson_iter_t document;
    bson_iter_t id;
    char digits[12];
    *number = 0;
    begin_command(it, "delete", command);
    (void)bson_append_array_begin(command, "deletes", -1, &deletes);
    (void)bson_append_document_begin(&deletes, "0", 1, &item);
    (void)bson_append_document_begin(&item, "q", 1, &filter);
    (void)bson_append_document_begin(&filter, MONGODB_ID, -1, &among);
    (void)bson_append_array_begin(&among, "$in", -1, &list);
    bool listed = bson_iter_init(&document, found) &&
                  bson_iter_find_descendant(&document, "cursor.firstBatch", &at) &&
                  bson_iter_recurse(&at, &document);
    while (listed && bson_iter_next(&document)) {
        if (bson_iter_recurse(&document, &id) && bson_iter_find(&id, MONGODB_ID)) {
            size_t length = mongodb_write_index((*number)++, digits);
            (void)bson_append_iter(&list, digits, (int)length, &id);
        }
    }
    (void)bson_append_array_end(&among, &list);
    (void)bson_append_document_end(&filter, &among);
    (void)bson_append_document_end(&item, &filter);
    (void)bson_append_int32(&item, "limit", -1, 0);
    (void)bson_append_document_end(&deletes, &item);
    (void)bson_append_array_end(command, &deletes);
    append_majority(command);
    return *number > 0;
}

/* `*more`: there may be others in the range. */
static enum status sweep(struct batching *it, struct change_batch *batch, bool *more,
                         struct error *error)
{
    bson_t found;
    bson_t command;
    bson_t reply;
    uint32_t number = 0;
    const char *from = mongodb_text(&it->stage, "from");
    *more = false;
    if (from == NULL) {
        return damaged("a step", error);
    }
    struct buffer last = {0};
    buffer_append_string(&last, "[{\"$lookup\": {\"from\": ");
    json_append_string(&last, from, strlen(from));
    buffer_format(&last,
                  ", \"localField\": \"_id\", \"foreignField\": \"_id\", \"as\": \"there\"}}, "
                  "{\"$match\": {\"there\": []}}, {\"$project\": {\"_id\": 1}}, {\"$limit\": %d}]",
                  (int)SWEEP_MAX);
    enum status status = aggregate(it, true, buffer_string(&last), &found, error);
    buffer_free(&last);
    if (status == STATUS_OK && write_deletion(it, &found, &command, &number)) {
        status = send_command(it, &command, &reply, error);
        bson_destroy(&reply);
        batch->changed = number;
        *more = number == SWEEP_MAX;
    } else if (status == STATUS_OK) {
        bson_destroy(&command);
    }
    bson_destroy(&found);
    return status;
}

/* ---------------------------------------------------------------- one batch */

static enum status run_stage(struct batching *it, struct change_batch *batch, bool *stays,
                             struct error *error)
{
    *stays = false;
    if (strcmp(it->does, "update") == 0) {
        return change_batch_update(it, batch, error);
    }
    if (strcmp(it->does, "merge") == 0) {
        return change_batch_merge(it, batch, error);
    }
    return strcmp(it->does, "sweep") == 0 ? sweep(it, batch, stays, error)
                                          : change_batch_prove(it, false, batch, error);
}

/* The place behind this batch; NULL: there is none. */
static const char *next_place(const struct batching *it)
{
    static const bson_t beginning = BSON_INITIALIZER;
    int64_t passes = mongodb_number(&it->stage, "passes", 1);
    if (!bson_empty(&it->high)) {
        return write_place(it->arena, it->at.stage, it->at.pass, it->at.changed, &it->high);
    }
    if (it->at.changed && (int64_t)it->at.pass + 1 < passes && passes <= PASSES_MAX) {
        return write_place(it->arena, it->at.stage, it->at.pass + 1, false, &beginning);
    }
    return it->at.stage + 1 < it->stages
               ? write_place(it->arena, it->at.stage + 1, 0, false, &beginning)
               : NULL;
}

static enum status run_range(struct batching *it, struct change_batch *batch, struct error *error)
{
    bool stays = false;
    enum status status = find_high(it, error);
    batch->rows = it->want;
    if (status == STATUS_OK && bson_empty(&it->high)) {
        status = change_batch_count(it, &it->range, &batch->rows, error);
    }
    status = status == STATUS_OK ? run_stage(it, batch, &stays, error) : status;
    if (status == STATUS_OK) {
        batch->position =
            stays ? write_place(it->arena, it->at.stage, it->at.pass, it->at.changed, &it->at.low)
                  : next_place(it);
    }
    return status;
}

static enum status run_whole(struct batching *it, struct change_batch *batch, struct error *error)
{
    enum status status = change_batch_count(it, &it->range, &batch->rows, error);
    status = status == STATUS_OK ? change_batch_prove(it, true, batch, error) : status;
    batch->position = status == STATUS_OK ? next_place(it) : NULL;
    return status;
}

enum status mongodb_batch(struct alter_session *session, const struct change_step *step,
                          const char *position, uint64_t rows, struct arena *arena,
                          struct change_batch *batch, struct error *error)
{
    struct batching it = {.session = session,
                          .mongodb = mongodb_of(session->database),
                          .arena = arena,
                          .want = rows > 0 ? rows : 1};
    bson_init(&it.at.low);
    bson_init(&it.high);
    bson_init(&it.range);
    *batch = (struct change_batch){0};
    enum status status = read_json(step->text, &it.program, "a step", error);
    status = status == STATUS_OK ? read_place(position, &it.at, error) : status;
    status = status == STATUS_OK ? find_stage(&it, error) : status;
    if (status == STATUS_OK) {
        bson_iter_t whole;
        status = bson_iter_init_find(&whole, &it.stage, "whole") ? run_whole(&it, batch, error)
                                                                 : run_range(&it, batch, error);
    }
    bson_destroy(&it.program);
    bson_destroy(&it.at.low);
    bson_destroy(&it.high);
    bson_destroy(&it.range);
    return status;
}

enum status mongodb_estimate(struct alter_session *session, const struct change_step *step,
                             uint64_t *rows, struct error *error)
{
    struct batching it = {.session = session, .mongodb = mongodb_of(session->database)};
    uint64_t own = 0;
    *rows = 0;
    enum status status = read_json(step->text, &it.program, "a step", error);
    for (uint32_t stage = 0; status == STATUS_OK && (stage == 0 || stage < it.stages); stage++) {
        it.at.stage = stage;
        it.stages = 0;
        status = find_stage(&it, error);
        status = status == STATUS_OK ? change_batch_count(&it, NULL, &own, error) : status;
        *rows += own;
    }
    bson_destroy(&it.program);
    return status;
}
