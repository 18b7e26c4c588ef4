/* The batches of comparing: each document of the old index with its copy. What is not as it should
 * be is copied again, whatever the versions say, and looked at once more. */
#include "connectors/opensearch/change_session.h"

#include "model/json_tree.h"
#include <inttypes.h>

enum { PAGE_ROWS_MAX = 500 }; /* of whole documents */

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
    struct opensearch_outcome outcome = {0};
    enum status status = STATUS_OK;
    json_t *ids = json_array();
    for (size_t i = 0; i < json_array_size(again); i++) {
        json_array_append(ids, json_object_get(json_array_get(again, i), "_id"));
    }
    if (json_array_size(ids) > 0) {
        buffer_append_string(&query, "{\"ids\":{\"values\":");
        (void)json_tree_append(ids, JSON_COMPACT, &query);
        buffer_append_string(&query, "}}");
        status = opensearch_reindex(session, move, buffer_string(&query), false, &outcome, error);
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

/* While others write, a copy that is older is no fault: a later pass brings the newer one. One that
 * is not there at all may be one that no pass brings, where the document was deleted and made
 * again: what is left of the deleted copy has a higher version. */
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
    if (!there || new >= old || move->final) {
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
                                const struct opensearch_move *move, struct opensearch_pass *pass,
                                uint64_t rows, struct arena *arena, struct change_batch *batch,
                                struct error *error)
{
    json_t *root = NULL;
    json_t *fetched = NULL;
    json_t *again = json_array();
    const json_t *hits = NULL;
    rows = rows < PAGE_ROWS_MAX ? rows : PAGE_ROWS_MAX;
    int64_t next = pass->high + 1;
    enum status status = opensearch_take_page(session, move->from, pass->low, pass->high, rows,
                                              true, &root, &hits, &next, error);
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
    pass->low = next;
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
                                  const struct opensearch_move *move,
                                  const struct opensearch_pass *pass, bool swept,
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
        if (new > old && pass->changed == 0 &&
            !swept) { /* what was missing made up for what was deleted */
            batch->position = opensearch_sweep_write(0, reach.high, pass, arena);
            return STATUS_OK;
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

static enum status sweep(struct opensearch_alter *session, const struct opensearch_move *move,
                         int64_t low, int64_t high, const struct opensearch_pass *pass,
                         struct arena *arena, struct change_batch *batch, struct error *error)
{
    if (opensearch_sweep_page(session, move, &low, high, batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    batch->position = low <= high ? opensearch_sweep_write(low, high, pass, arena) : NULL;
    return batch->position != NULL ? STATUS_OK
                                   : end_comparison(session, move, pass, true, arena, batch, error);
}

enum status opensearch_move_compare(struct opensearch_alter *session,
                                    const struct opensearch_move *move, const char *position,
                                    uint64_t rows, struct arena *arena, struct change_batch *batch,
                                    struct error *error)
{
    struct opensearch_pass pass;
    struct opensearch_copy_note note;
    int64_t low = 0;
    int64_t high = 0;
    if (opensearch_sweep_read(position, &low, &high, &pass)) {
        return sweep(session, move, low, high, &pass, arena, batch, error);
    }
    if (!opensearch_pass_read(position, &pass)) {
        if (opensearch_note_get(session, move->note, &note, error) != STATUS_OK ||
            opensearch_pass_begin(session, move->from, move->back ? note.switched : note.proved, 1,
                                  &pass, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (pass.low <= pass.high &&
        compare_page(session, move, &pass, rows, arena, batch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (pass.low > pass.high) {
        return end_comparison(session, move, &pass, false, arena, batch, error);
    }
    batch->position = opensearch_pass_write(&pass, arena);
    return STATUS_OK;
}
