/*
 * The batches of copying, filling and comparing. A position is "LOW HIGH NEXT ROUND CHANGED": what
 * is left of this pass, where the next one begins, which one this is, and what it changed so far;
 * "stale LOW HIGH" looks for what was deleted.
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
    PAGE_ROWS_MAX = 500, /* of whole documents */
    FEW_CHANGED = 1000,  /* so few are left to the pass that shuts writers out */
    ROUNDS_MAX = 8       /* passes beside writers that are faster */
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

struct pass {
    int64_t low;
    int64_t high;
    int64_t next;
    uint64_t round;
    uint64_t changed;
};

static bool read_pass(const char *position, struct pass *pass)
{
    return position != NULL &&
           sscanf(position, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNu64 " %" SCNu64, &pass->low,
                  &pass->high, &pass->next, &pass->round, &pass->changed) == 5;
}

static const char *write_pass(const struct pass *pass, struct arena *arena)
{
    return arena_format(arena, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRIu64 " %" PRIu64,
                        pass->low, pass->high, pass->next, pass->round, pass->changed);
}

static enum status begin_pass(struct opensearch_alter *session, const char *index, int64_t low,
                              uint64_t round, struct pass *pass, struct error *error)
{
    struct opensearch_reach reach;
    if (opensearch_reach(session, index, &reach, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *pass = (struct pass){low, reach.high, reach.low, round, 0};
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

/* What became of documents; a failure names the first one. */
static enum status read_answer(const json_t *root, const char *index, uint64_t *total,
                               uint64_t *changed, struct error *error)
{
    const json_t *failure = json_array_get(json_object_get(root, "failures"), 0);
    const json_t *cause = json_object_get(failure, "cause");
    const char *id = json_string_value(json_object_get(failure, "id"));
    const char *why = json_string_value(json_object_get(cause, "reason"));
    const char *deeper =
        json_string_value(json_object_get(json_object_get(cause, "caused_by"), "reason"));
    *total = number(root, "total");
    *changed = number(root, "created") + number(root, "updated");
    return failure == NULL
               ? STATUS_OK
               : error_set(error, ERROR_TARGET_WRITE, index, "document %s: %.400s%s%.300s",
                           id != NULL ? id : "?", why != NULL ? why : "it failed",
                           deeper != NULL ? ": " : "", deeper != NULL ? deeper : "");
}

/* _reindex or _update_by_query, to its end. Where a document fails the answer is a failure, too. */
static enum status do_now(struct opensearch_alter *session, const char *path,
                          const struct buffer *body, const char *index, uint64_t *total,
                          uint64_t *changed, struct error *error)
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
        status = read_answer(root, index, total, changed, error);
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
static enum status reindex(struct opensearch_alter *session, const struct opensearch_move *move,
                           const char *query, bool external, uint64_t *total, uint64_t *changed,
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
    enum status status = do_now(session, "/_reindex?wait_for_completion=true", &body, move->to,
                                total, changed, error);
    buffer_free(&body);
    return status;
}

/* ---------------------------------------------------------------- copying */

static enum status copy_page(struct opensearch_alter *session, const struct opensearch_move *move,
                             struct pass *pass, uint64_t rows, struct change_batch *batch,
                             struct error *error)
{
    int64_t end = pass->high;
    struct buffer query = {0};
    uint64_t total = 0;
    uint64_t changed = 0;
    rows = rows < COPY_ROWS_MAX ? rows : COPY_ROWS_MAX;
    enum status status =
        opensearch_page_end(session, move->from, pass->low, pass->high, rows, &end, error);
    append_range(pass->low, end, &query);
    status = status == STATUS_OK
                 ? reindex(session, move, buffer_string(&query), true, &total, &changed, error)
                 : status;
    buffer_free(&query);
    pass->low = end + 1;
    pass->changed += changed;
    batch->rows = total;
    batch->changed = changed;
    return status;
}

/* What is in the new index alone was deleted in the old one. */
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

/* How far a page goes: a page that is full may have left out others of its last number. */
static int64_t behind_page(const json_t *hits, uint64_t rows, int64_t low, int64_t high)
{
    size_t count = json_array_size(hits);
    const json_t *last =
        json_array_get(json_object_get(json_array_get(hits, count > 0 ? count - 1 : 0), "sort"), 0);
    int64_t end = json_integer_value(last);
    return count < rows || !json_is_integer(last) ? high + 1 : end > low ? end : end + 1;
}

static enum status stale_page(struct opensearch_alter *session, const struct opensearch_move *move,
                              int64_t *low, int64_t high, struct change_batch *batch,
                              struct error *error)
{
    json_t *root = NULL;
    json_t *fetched = NULL;
    const json_t *hits = NULL;
    enum status status =
        opensearch_page(session, move->to, *low, high, COPY_ROWS_MAX, false, &root, &hits, error);
    if (status == STATUS_OK && json_array_size(hits) > 0) {
        status = opensearch_fetch_same(session, move->from, hits, false, &fetched, error);
        status = status == STATUS_OK ? delete_stale(session, move->to, hits,
                                                    json_object_get(fetched, "docs"), error)
                                     : status;
    }
    *low = behind_page(hits, COPY_ROWS_MAX, *low, high);
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
                            const struct pass *pass, struct arena *arena,
                            struct change_batch *batch, struct error *error)
{
    struct opensearch_copy_note note;
    struct pass next = {0};
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
            begin_pass(session, move->from, pass->next, pass->round + 1, &next, error);
        batch->position = write_pass(&next, arena);
        return status;
    }
    if (has_stale(session, move, &more, &high, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    batch->position = more ? arena_format(arena, "stale 0 %" PRId64, high) : NULL;
    return STATUS_OK;
}

enum status opensearch_move_copy(struct opensearch_alter *session,
                                 const struct opensearch_move *move, const char *position,
                                 uint64_t rows, struct arena *arena, struct change_batch *batch,
                                 struct error *error)
{
    struct pass pass;
    struct opensearch_copy_note note;
    int64_t low = 0;
    int64_t high = 0;
    if (position != NULL && sscanf(position, "stale %" SCNd64 " %" SCNd64, &low, &high) == 2) {
        enum status status = stale_page(session, move, &low, high, batch, error);
        batch->position =
            low <= high ? arena_format(arena, "stale %" PRId64 " %" PRId64, low, high) : NULL;
        return status;
    }
    if (!read_pass(position, &pass)) {
        if (opensearch_note_get(session, move->note, &note, error) != STATUS_OK ||
            begin_pass(session, move->from, move->back ? note.switched : note.copied, 1, &pass,
                       error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (pass.low <= pass.high && copy_page(session, move, &pass, rows, batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (pass.low > pass.high) {
        return end_pass(session, move, &pass, arena, batch, error);
    }
    batch->position = write_pass(&pass, arena);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- comparing */

static void rename_field(json_t *document, const char *from, const char *to)
{
    json_t *value = json_incref(json_object_get(document, from));
    if (value != NULL) {
        json_object_del(document, from);
        json_object_set_new(document, to, value);
    }
}

static void remove_fields(json_t *document, const json_t *names)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        json_object_del(document, json_string_value(json_array_get(names, i)));
    }
}

/* Is the document in the new index what becomes of that in the old one, but for what a script
 * computes? */
static bool is_same(const struct opensearch_move *move, const json_t *from, const json_t *to)
{
    json_t *old = json_deep_copy(move->back ? to : from);
    json_t *new = json_deep_copy(move->back ? from : to);
    const json_t *renamed = json_object_get(move->tree, "renamed");
    for (size_t i = 0; i < json_array_size(renamed); i++) {
        const json_t *pair = json_array_get(renamed, i);
        rename_field(old, json_string_value(json_array_get(pair, 0)),
                     json_string_value(json_array_get(pair, 1)));
    }
    remove_fields(old, json_object_get(move->tree, "dropped"));
    remove_fields(old, json_object_get(move->tree, "computed"));
    remove_fields(new, json_object_get(move->tree, "computed"));
    bool same = json_equal(old, new) == 1;
    json_decref(old);
    json_decref(new);
    return same;
}

static int64_t version_of(const json_t *document)
{
    return json_integer_value(json_object_get(document, "_version"));
}

/* A document that was deleted and made again has a lower version than its copy, or than what is
 * left of a deleted copy, which therefore stayed: it is copied whatever the versions say. */
static enum status copy_again(struct opensearch_alter *session, const struct opensearch_move *move,
                              const json_t *again, struct error *error)
{
    struct buffer query = {0};
    uint64_t total = 0;
    uint64_t changed = 0;
    enum status status = STATUS_OK;
    json_t *ids = json_array();
    for (size_t i = 0; i < json_array_size(again); i++) {
        json_array_append(ids, json_object_get(json_array_get(again, i), "_id"));
    }
    if (json_array_size(ids) > 0) {
        buffer_append_string(&query, "{\"ids\":{\"values\":");
        (void)json_tree_append(ids, JSON_COMPACT, &query);
        buffer_append_string(&query, "}}");
        status = reindex(session, move, buffer_string(&query), false, &total, &changed, error);
    }
    json_decref(ids);
    buffer_free(&query);
    return status;
}

static void count_wrong(const char *id, struct arena *arena, struct change_batch *batch)
{
    if (batch->wrong++ == 0) {
        batch->first_wrong = arena_copy_string(arena, id != NULL ? id : "?");
    }
}

/* While others write, what the copy has not yet is no fault. */
static void compare_one(const struct opensearch_move *move, json_t *hit, const json_t *found,
                        json_t *again)
{
    bool there = json_is_true(json_object_get(found, "found"));
    int64_t old = version_of(hit);
    int64_t new = there ? version_of(found) : 0;
    if (there && new == old &&
        is_same(move, json_object_get(hit, "_source"), json_object_get(found, "_source"))) {
        return;
    }
    if ((there && new >= old) || move->final) {
        json_array_append(again, hit);
    }
}

/* Once more, as both are now: what was copied again has to be right. */
static enum status look_again(struct opensearch_alter *session, const struct opensearch_move *move,
                              const json_t *again, struct arena *arena, struct change_batch *batch,
                              struct error *error)
{
    json_t *olds = NULL;
    json_t *news = NULL;
    enum status status = opensearch_fetch_same(session, move->from, again, true, &olds, error);
    status = status == STATUS_OK
                 ? opensearch_fetch_same(session, move->to, again, true, &news, error)
                 : status;
    for (size_t i = 0; status == STATUS_OK && i < json_array_size(again); i++) {
        const json_t *old = json_array_get(json_object_get(olds, "docs"), i);
        const json_t *new = json_array_get(json_object_get(news, "docs"), i);
        bool differs =
            json_is_true(json_object_get(old, "found")) &&
            !is_same(move, json_object_get(old, "_source"), json_object_get(new, "_source"));
        bool moves = !move->final && version_of(old) > version_of(new);
        if (differs && !moves) {
            count_wrong(json_string_value(json_object_get(old, "_id")), arena, batch);
        }
    }
    json_decref(olds);
    json_decref(news);
    return status;
}

static enum status compare_page(struct opensearch_alter *session,
                                const struct opensearch_move *move, struct pass *pass,
                                uint64_t rows, struct arena *arena, struct change_batch *batch,
                                struct error *error)
{
    json_t *root = NULL;
    json_t *fetched = NULL;
    json_t *again = json_array();
    const json_t *hits = NULL;
    rows = rows < PAGE_ROWS_MAX ? rows : PAGE_ROWS_MAX;
    enum status status = opensearch_page(session, move->from, pass->low, pass->high, rows, true,
                                         &root, &hits, error);
    size_t count = json_array_size(hits);
    if (status == STATUS_OK && count > 0) {
        status = opensearch_fetch_same(session, move->to, hits, true, &fetched, error);
    }
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        compare_one(move, json_array_get(hits, i),
                    json_array_get(json_object_get(fetched, "docs"), i), again);
    }
    if (status == STATUS_OK && json_array_size(again) > 0) {
        status = copy_again(session, move, again, error);
        status =
            status == STATUS_OK ? look_again(session, move, again, arena, batch, error) : status;
    }
    /* an answer that is too long is shorter with fewer documents */
    batch->one_failed = status != STATUS_OK && rows > 1;
    pass->low = behind_page(hits, rows, pass->low, pass->high);
    pass->changed += batch->wrong;
    batch->rows = count;
    json_decref(again);
    json_decref(fetched);
    json_decref(root);
    return status;
}

/* Nobody writes any more: the counts have to be equal, and what applications write into the new
 * index has numbers behind its present ones. */
static enum status end_comparison(struct opensearch_alter *session,
                                  const struct opensearch_move *move, const struct pass *pass,
                                  struct arena *arena, struct change_batch *batch,
                                  struct error *error)
{
    struct opensearch_copy_note note;
    struct opensearch_reach reach = {0};
    uint64_t old = 0;
    uint64_t new = 0;
    if (opensearch_note_get(session, move->note, &note, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (move->final) {
        if (opensearch_reach(session, move->to, &reach, error) != STATUS_OK ||
            opensearch_count_written(session, move->from, &old, error) != STATUS_OK ||
            opensearch_count_written(session, move->to, &new, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (old != new) {
            batch->wrong += old > new ? old - new : new - old;
            batch->first_wrong =
                arena_format(arena, "(%" PRIu64 " there, %" PRIu64 " here)", old, new);
        }
    }
    if (pass->changed + batch->wrong > 0 || move->back) {
        return STATUS_OK;
    }
    note.proved = pass->next;
    note.switched = move->final ? reach.low : note.switched;
    note.writes = move->final ? reach.writes : note.writes;
    return opensearch_note_put(session, move->note, &note, error);
}

enum status opensearch_move_compare(struct opensearch_alter *session,
                                    const struct opensearch_move *move, const char *position,
                                    uint64_t rows, struct arena *arena, struct change_batch *batch,
                                    struct error *error)
{
    struct pass pass;
    struct opensearch_copy_note note;
    if (!read_pass(position, &pass)) {
        if (opensearch_note_get(session, move->note, &note, error) != STATUS_OK ||
            begin_pass(session, move->from, move->back ? note.switched : note.proved, 1, &pass,
                       error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (pass.low <= pass.high &&
        compare_page(session, move, &pass, rows, arena, batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (pass.low > pass.high) {
        return end_comparison(session, move, &pass, arena, batch, error);
    }
    batch->position = write_pass(&pass, arena);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- filling a field in place */

static enum status fill_page(struct opensearch_alter *session, const struct opensearch_move *move,
                             struct pass *pass, uint64_t rows, struct arena *arena,
                             struct change_batch *batch, struct error *error)
{
    int64_t end = pass->high;
    struct buffer body = {0};
    uint64_t changed = 0;
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
                        &body, move->from, &batch->rows, &changed, error);
    }
    buffer_free(&body);
    pass->low = end + 1;
    pass->changed += changed;
    batch->changed = changed;
    return status;
}

static enum status fill(struct opensearch_alter *session, const struct opensearch_move *move,
                        const char *position, uint64_t rows, struct arena *arena,
                        struct change_batch *batch, struct error *error)
{
    enum { FILL_ROUNDS_MAX = 4 };
    struct pass pass;
    if (!read_pass(position, &pass) &&
        begin_pass(session, move->from, 0, 1, &pass, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (pass.low <= pass.high &&
        fill_page(session, move, &pass, rows, arena, batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool over = pass.low > pass.high;
    if (over && pass.changed > 0 && pass.round < FILL_ROUNDS_MAX) {
        if (begin_pass(session, move->from, pass.next, pass.round + 1, &pass, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        over = false;
    }
    batch->position = over ? NULL : write_pass(&pass, arena);
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
                     : fill(session, &move, position, rows, arena, batch, error);
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
