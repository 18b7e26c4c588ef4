/*
 * The batches of copying and filling, and what they share with comparing. A position is "LOW HIGH
 * NEXT ROUND CHANGED": what is left of this pass, where the next one begins, which one this is, and
 * what it changed so far; "stale LOW HIGH NEXT" looks for what was deleted.
 */
#include "connectors/opensearch/change_session.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    COPY_ROWS_MAX = 5000,
    SHARDS_MAX = 1024,  /* of an index, which the server sets */
    FEW_CHANGED = 1000, /* so few are left to the pass that shuts writers out */
    ROUNDS_MAX = 8      /* passes beside writers that are faster */
};

void opensearch_move_read(const json_t *tree, struct opensearch_move *move)
{
    *move = (struct opensearch_move){.tree = tree,
                                     .from = json_string_value(json_object_get(tree, "from")),
                                     .to = json_string_value(json_object_get(tree, "to")),
                                     .note = json_string_value(json_object_get(tree, "note")),
                                     .script = json_string_value(json_object_get(tree, "script")),
                                     .final = json_is_true(json_object_get(tree, "final")),
                                     .back = json_is_true(json_object_get(tree, "back"))};
}

/* ---------------------------------------------------------------- positions */

bool opensearch_pass_read(const char *position, struct opensearch_pass *pass)
{
    return position != NULL &&
           sscanf(position, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNu64 " %" SCNu64, &pass->low,
                  &pass->high, &pass->next, &pass->round, &pass->changed) == 5;
}

const char *opensearch_pass_write(const struct opensearch_pass *pass, struct arena *arena)
{
    return arena_format(arena, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRIu64 " %" PRIu64,
                        pass->low, pass->high, pass->next, pass->round, pass->changed);
}

/* The position of a sweep behind a pass, and what of that is still needed. */
bool opensearch_sweep_read(const char *position, int64_t *low, int64_t *high,
                           struct opensearch_pass *pass)
{
    *pass = (struct opensearch_pass){0};
    return position != NULL &&
           sscanf(position, "stale %" SCNd64 " %" SCNd64 " %" SCNd64, low, high, &pass->next) >= 2;
}

const char *opensearch_sweep_write(int64_t low, int64_t high, const struct opensearch_pass *pass,
                                   struct arena *arena)
{
    return arena_format(arena, "stale %" PRId64 " %" PRId64 " %" PRId64, low, high, pass->next);
}

enum status opensearch_pass_begin(struct opensearch_alter *session, const char *index, int64_t low,
                                  uint64_t round, struct opensearch_pass *pass, struct error *error)
{
    struct opensearch_reach reach;
    if (opensearch_reach(session, index, &reach, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *pass = (struct opensearch_pass){low, reach.high, reach.low, round, 0};
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what the server does at once */

static void append_script(const char *script, struct buffer *body)
{
    if (script != NULL) {
        buffer_append_string(body, ",\"script\":{\"lang\":\"painless\",\"source\":");
        json_append_string(body, script, strlen(script));
        buffer_append_byte(body, '}');
    }
}

static uint64_t number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

/* The outcome of documents; a failure names the first one. */
static enum status read_answer(const json_t *root, const char *index,
                               struct opensearch_outcome *outcome, struct error *error)
{
    const json_t *failure = json_array_get(json_object_get(root, "failures"), 0);
    const json_t *cause = json_object_get(failure, "cause");
    const char *id = json_string_value(json_object_get(failure, "id"));
    const char *why = json_string_value(json_object_get(cause, "reason"));
    const char *deeper =
        json_string_value(json_object_get(json_object_get(cause, "caused_by"), "reason"));
    *outcome =
        (struct opensearch_outcome){.total = number(root, "total"),
                                    .changed = number(root, "created") + number(root, "updated"),
                                    .conflicts = number(root, "version_conflicts")};
    return failure == NULL
               ? STATUS_OK
               : error_set(error, ERROR_TARGET_WRITE, index, "document %s: %.400s%s%.300s",
                           id != NULL ? id : "?", why != NULL ? why : "it failed",
                           deeper != NULL ? ": " : "", deeper != NULL ? deeper : "");
}

/* _reindex or _update_by_query, to its end. Where a document fails the answer is a failure, too. */
static enum status do_now(struct opensearch_alter *session, const char *path,
                          const struct buffer *body, const char *index,
                          struct opensearch_outcome *outcome, struct error *error)
{
    struct service_reply *reply = NULL;
    struct alter_answer ignored;
    const struct opensearch_call call = {
        .method = "POST", .path = path, .body = body->data, .body_length = body->length};
    if (opensearch_alter_send(session, &call, &reply, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = opensearch_alter_judge(&call, reply, &ignored, error);
    bool tells = status == STATUS_OK || reply->fault >= OPENSEARCH_FAULT_CONFLICT;
    json_t *root =
        tells ? json_tree_load(reply->body.data, reply->body.length, JSON_ALLOW_NUL, NULL) : NULL;
    if (json_is_array(json_object_get(root, "failures"))) {
        status = read_answer(root, index, outcome, error);
    } else if (status == STATUS_OK) {
        status = error_set(error, ERROR_NETWORK_ANSWER, index,
                           "the answer does not say what became of the documents");
    }
    json_decref(root);
    service_reply_destroy(reply);
    return status;
}

static void append_range(int64_t low, int64_t high, struct buffer *body)
{
    buffer_format(body, "{\"range\":{\"_seq_no\":{\"gte\":%" PRId64 ",\"lte\":%" PRId64 "}}}", low,
                  high);
}

/* `query` is JSON. `external`: an older version loses against a newer one, and what is there with
 * the same one is passed over. */
enum status opensearch_reindex(struct opensearch_alter *session, const struct opensearch_move *move,
                               const char *query, bool external, struct opensearch_outcome *outcome,
                               struct error *error)
{
    struct buffer body = {0};
    buffer_append_string(&body, "{\"conflicts\":\"proceed\",\"source\":{\"index\":");
    json_append_string(&body, move->from, strlen(move->from));
    buffer_format(&body, ",\"query\":%s},\"dest\":{\"index\":", query);
    json_append_string(&body, move->to, strlen(move->to));
    buffer_append_string(&body, external ? ",\"version_type\":\"external\"}" : "}");
    append_script(move->script, &body);
    buffer_append_byte(&body, '}');
    enum status status =
        do_now(session, "/_reindex?wait_for_completion=true", &body, move->to, outcome, error);
    buffer_free(&body);
    return status;
}

/* ---------------------------------------------------------------- copying */

static enum status copy_page(struct opensearch_alter *session, const struct opensearch_move *move,
                             struct opensearch_pass *pass, uint64_t rows,
                             struct change_batch *batch, struct error *error)
{
    int64_t end = pass->high;
    struct buffer query = {0};
    struct opensearch_outcome outcome = {0};
    rows = rows < COPY_ROWS_MAX ? rows : COPY_ROWS_MAX;
    enum status status =
        opensearch_page_end(session, move->from, pass->low, pass->high, rows, &end, error);
    append_range(pass->low, end, &query);
    status = status == STATUS_OK
                 ? opensearch_reindex(session, move, buffer_string(&query), true, &outcome, error)
                 : status;
    buffer_free(&query);
    pass->low = end + 1;
    pass->changed += outcome.changed;
    batch->rows = outcome.total;
    batch->changed = outcome.changed;
    return status;
}

/* A document that is in the new index alone was deleted in the old one. */
static enum status delete_stale(struct opensearch_alter *session, const char *index,
                                const json_t *hits, const json_t *others, struct error *error)
{
    struct buffer body = {0};
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < json_array_size(hits); i++) {
        const json_t *hit = json_array_get(hits, i);
        const char *id = json_string_value(json_object_get(hit, "_id"));
        const char *routing = json_string_value(json_object_get(hit, "_routing"));
        if (id == NULL || !json_is_false(json_object_get(json_array_get(others, i), "found"))) {
            continue;
        }
        buffer_append_string(&body, "{\"delete\":{\"_id\":");
        json_append_string(&body, id, strlen(id));
        if (routing != NULL) {
            buffer_append_string(&body, ",\"routing\":");
            json_append_string(&body, routing, strlen(routing));
        }
        buffer_append_string(&body, "}}\n");
    }
    if (body.length > 0) {
        status =
            opensearch_alter_ask(session, "POST", opensearch_change_path(arena, index, "/_bulk"),
                                 buffer_string(&body), NULL, error);
    }
    arena_destroy(arena);
    buffer_free(&body);
    return status == STATUS_END
               ? error_set(error, ERROR_TARGET_MISSING, index, "the index is not there any more")
               : status;
}

/* A page, and where the one behind it begins. One that is full may have left out others of its last
 * number, which other shards gave: it is begun again with that one, and where all are of one number
 * they are asked for together. */
enum status opensearch_take_page(struct opensearch_alter *session, const char *index, int64_t low,
                                 int64_t high, uint64_t rows, bool whole, json_t **root,
                                 const json_t **hits, int64_t *next, struct error *error)
{
    enum status status = opensearch_page(session, index, low, high, rows, whole, root, hits, error);
    size_t count = json_array_size(*hits);
    const json_t *last = json_array_get(
        json_object_get(json_array_get(*hits, count > 0 ? count - 1 : 0), "sort"), 0);
    *next = count < rows || !json_is_integer(last) ? high + 1 : json_integer_value(last);
    if (status == STATUS_OK && *next == low) {
        json_decref(*root);
        *next = low + 1;
        status = opensearch_page(session, index, low, low, SHARDS_MAX, whole, root, hits, error);
    }
    return status;
}

enum status opensearch_sweep_page(struct opensearch_alter *session,
                                  const struct opensearch_move *move, int64_t *low, int64_t high,
                                  struct change_batch *batch, struct error *error)
{
    json_t *root = NULL;
    json_t *fetched = NULL;
    const json_t *hits = NULL;
    int64_t next = high + 1;
    enum status status = opensearch_take_page(session, move->to, *low, high, COPY_ROWS_MAX, false,
                                              &root, &hits, &next, error);
    if (status == STATUS_OK && json_array_size(hits) > 0) {
        status = opensearch_fetch_same(session, move->from, hits, false, &fetched, error);
        status = status == STATUS_OK ? delete_stale(session, move->to, hits,
                                                    json_object_get(fetched, "docs"), error)
                                     : status;
    }
    *low = next;
    batch->rows = json_array_size(hits);
    json_decref(fetched);
    json_decref(root);
    return status;
}

/* Are there more documents in the new index than in the old one? */
static enum status has_stale(struct opensearch_alter *session, const struct opensearch_move *move,
                             bool *more, int64_t *high, struct error *error)
{
    struct opensearch_reach reach;
    uint64_t old = 0;
    uint64_t new = 0;
    if (opensearch_reach(session, move->to, &reach, error) != STATUS_OK ||
        opensearch_count_written(session, move->from, &old, error) != STATUS_OK ||
        opensearch_count_written(session, move->to, &new, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *more = new > old;
    *high = reach.high;
    return STATUS_OK;
}

/* A pass is over: another one, the deleted, or the end. */
static enum status end_pass(struct opensearch_alter *session, const struct opensearch_move *move,
                            const struct opensearch_pass *pass, struct arena *arena,
                            struct change_batch *batch, struct error *error)
{
    struct opensearch_copy_note note;
    struct opensearch_pass next = {0};
    bool more = false;
    int64_t high = 0;
    if (opensearch_note_get(session, move->note, &note, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    note.copied = pass->next;
    if (!move->back && opensearch_note_put(session, move->note, &note, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!move->final && pass->changed > FEW_CHANGED && pass->round < ROUNDS_MAX) {
        enum status status =
            opensearch_pass_begin(session, move->from, pass->next, pass->round + 1, &next, error);
        batch->position = opensearch_pass_write(&next, arena);
        return status;
    }
    if (has_stale(session, move, &more, &high, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    batch->position = more ? opensearch_sweep_write(0, high, pass, arena) : NULL;
    return STATUS_OK;
}

enum status opensearch_move_copy(struct opensearch_alter *session,
                                 const struct opensearch_move *move, const char *position,
                                 uint64_t rows, struct arena *arena, struct change_batch *batch,
                                 struct error *error)
{
    struct opensearch_pass pass;
    struct opensearch_copy_note note;
    int64_t low = 0;
    int64_t high = 0;
    if (opensearch_sweep_read(position, &low, &high, &pass)) {
        enum status status = opensearch_sweep_page(session, move, &low, high, batch, error);
        batch->position = low <= high ? opensearch_sweep_write(low, high, &pass, arena) : NULL;
        return status;
    }
    if (!opensearch_pass_read(position, &pass)) {
        if (opensearch_note_get(session, move->note, &note, error) != STATUS_OK ||
            opensearch_pass_begin(session, move->from, move->back ? note.switched : note.copied, 1,
                                  &pass, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (pass.low <= pass.high && copy_page(session, move, &pass, rows, batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (pass.low > pass.high) {
        return end_pass(session, move, &pass, arena, batch, error);
    }
    batch->position = opensearch_pass_write(&pass, arena);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- filling a field in place */

static enum status fill_page(struct opensearch_alter *session, const struct opensearch_move *move,
                             struct opensearch_pass *pass, uint64_t rows, struct arena *arena,
                             struct change_batch *batch, struct error *error)
{
    int64_t end = pass->high;
    struct buffer body = {0};
    struct opensearch_outcome outcome = {0};
    const char *field = json_string_value(json_object_get(move->tree, "field"));
    rows = rows < COPY_ROWS_MAX ? rows : COPY_ROWS_MAX;
    enum status status =
        opensearch_page_end(session, move->from, pass->low, pass->high, rows, &end, error);
    buffer_append_string(&body, "{\"query\":{\"bool\":{\"filter\":[");
    append_range(pass->low, end, &body);
    buffer_append_string(&body, "],\"must_not\":[{\"exists\":{\"field\":");
    json_append_string(&body, field, strlen(field));
    buffer_append_string(&body, "}}]}}");
    append_script(move->script, &body);
    buffer_append_byte(&body, '}');
    if (status == STATUS_OK) {
        status = do_now(session,
                        opensearch_change_path(arena, move->from,
                                               "/_update_by_query?conflicts=proceed&"
                                               "wait_for_completion=true"),
                        &body, move->from, &outcome, error);
    }
    buffer_free(&body);
    pass->low = end + 1;
    pass->changed += outcome.changed + outcome.conflicts; /* so that another pass looks at them */
    batch->rows = outcome.total;
    batch->changed = outcome.changed;
    return status;
}

static enum status change_move_fill(struct opensearch_alter *session,
                                    const struct opensearch_move *move, const char *position,
                                    uint64_t rows, struct arena *arena, struct change_batch *batch,
                                    struct error *error)
{
    enum { FILL_ROUNDS_MAX = 4 };
    struct opensearch_pass pass;
    if (!opensearch_pass_read(position, &pass) &&
        opensearch_pass_begin(session, move->from, 0, 1, &pass, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (pass.low <= pass.high &&
        fill_page(session, move, &pass, rows, arena, batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool over = pass.low > pass.high;
    if (over && pass.changed > 0 && pass.round < FILL_ROUNDS_MAX) {
        if (opensearch_pass_begin(session, move->from, pass.next, pass.round + 1, &pass, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        over = false;
    }
    batch->position = over ? NULL : opensearch_pass_write(&pass, arena);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- batches */

static enum status read_step(const struct change_step *step, json_t **tree,
                             struct opensearch_move *move, struct error *error)
{
    *tree = NULL;
    if (json_tree_parse(step->text, strlen(step->text), 0, step->title, ERROR_LEDGER_INVALID, tree,
                        error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    opensearch_move_read(*tree, move);
    return move->from != NULL && json_is_string(json_object_get(*tree, "do"))
               ? STATUS_OK
               : error_set(error, ERROR_LEDGER_INVALID, step->title, "the step is damaged");
}

enum status opensearch_change_batch(struct alter_session *base, const struct change_step *step,
                                    const char *position, uint64_t rows, struct arena *arena,
                                    struct change_batch *batch, struct error *error)
{
    struct opensearch_alter *session = opensearch_alter_of(base);
    struct opensearch_move move;
    json_t *tree;
    enum status status = read_step(step, &tree, &move, error);
    if (status == STATUS_OK) {
        const char *what = json_string_value(json_object_get(tree, "do"));
        rows = rows > 0 ? rows : 1;
        status = strcmp(what, "copy") == 0
                     ? opensearch_move_copy(session, &move, position, rows, arena, batch, error)
                 : strcmp(what, "compare") == 0
                     ? opensearch_move_compare(session, &move, position, rows, arena, batch, error)
                     : change_move_fill(session, &move, position, rows, arena, batch, error);
    }
    json_decref(tree);
    return status;
}

enum status opensearch_change_estimate(struct alter_session *base, const struct change_step *step,
                                       uint64_t *rows, struct error *error)
{
    struct opensearch_move move;
    json_t *tree;
    *rows = 0;
    enum status status = read_step(step, &tree, &move, error);
    if (status == STATUS_OK && !move.final) {
        status = opensearch_count_written(opensearch_alter_of(base), move.from, rows, error);
    }
    json_decref(tree);
    return status;
}
