/*
 * Steps of a change that are no single request, as {"index": …} behind "POST /_transhume/WORD":
 *
 *   remove   deletes an index and what is noted of its copy; "unless_alias": not while that alias
 *            stands for it; "never_alias": and then it fails
 *   back     from the new index into the old one what was written since the switch; then the names
 *            stand for the old one again. Writes are shut out meanwhile
 */
#include "connectors/opensearch/change_session.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "model/json_tree.h"
#include <inttypes.h>
#include <string.h>

#define OWN "/_transhume/"

bool opensearch_is_own_step(const struct opensearch_call *call)
{
    return strncmp(call->path, OWN, strlen(OWN)) == 0;
}

static const char *text_of(const json_t *tree, const char *name)
{
    return json_string_value(json_object_get(tree, name));
}

static enum status stands_for(struct opensearch_alter *session, const char *alias,
                              const char *index, bool *stands, struct error *error)
{
    struct arena *arena = arena_create(0);
    const char *path = arena_format(arena, "%s/_alias%s", opensearch_change_path(arena, index, ""),
                                    opensearch_change_path(arena, alias, ""));
    enum status status = opensearch_alter_is_there(session, path, stands, error);
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- deleting */

static enum status delete_index(struct opensearch_alter *session, const json_t *tree,
                                struct error *error)
{
    const char *index = text_of(tree, "index");
    const char *note = text_of(tree, "note");
    struct arena *arena = arena_create(0);
    enum status status = opensearch_alter_ask(
        session, "DELETE", opensearch_change_path(arena, index, ""), NULL, NULL, error);
    arena_destroy(arena);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    return note != NULL ? opensearch_note_forget(session, note, error) : STATUS_OK;
}

static enum status run_remove(struct opensearch_alter *session, const json_t *tree,
                              struct error *error)
{
    const char *index = text_of(tree, "index");
    const char *never = text_of(tree, "never_alias");
    const char *alias = never != NULL ? never : text_of(tree, "unless_alias");
    bool stands = false;
    if (alias != NULL && stands_for(session, alias, index, &stands, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (stands && never != NULL) {
        return error_set(error, ERROR_TARGET_WRITE, index,
                         "'%s' stands for it: it is not deleted while applications use it", alias);
    }
    return stands ? STATUS_OK : delete_index(session, tree, error);
}

/* ---------------------------------------------------------------- taking a switch back */

static enum status block(struct opensearch_alter *session, const char *index, bool shut,
                         struct error *error)
{
    struct arena *arena = arena_create(0);
    enum status status = opensearch_alter_ask(
        session, "PUT", opensearch_change_path(arena, index, shut ? "/_block/write" : "/_settings"),
        shut ? NULL : "{\"index.blocks.write\":null}", NULL, error);
    arena_destroy(arena);
    return status == STATUS_END
               ? error_set(error, ERROR_TARGET_MISSING, index, "the index is not there any more")
               : status;
}

/* Batch by batch to the end. */
static enum status change_back_go(struct opensearch_alter *session,
                                  const struct opensearch_move *move, bool compares,
                                  uint64_t *wrong, struct error *error)
{
    uint64_t rows = 500;
    struct arena *arenas[2] = {arena_create(0), arena_create(0)};
    const char *position = NULL;
    enum status status = STATUS_OK;
    int turn = 0;
    for (bool over = false; status == STATUS_OK && !over;) {
        struct change_batch batch = {0};
        arena_reset(arenas[turn]);
        status = compares ? opensearch_move_compare(session, move, position, rows, arenas[turn],
                                                    &batch, error)
                          : opensearch_move_copy(session, move, position, rows, arenas[turn],
                                                 &batch, error);
        if (status != STATUS_OK && batch.one_failed && rows > 1) {
            rows /= 2;
            status = STATUS_OK;
            error_clear(error);
        } else {
            *wrong += batch.wrong;
            position = batch.position;
            over = position == NULL;
            turn = 1 - turn;
        }
    }
    arena_destroy(arenas[0]);
    arena_destroy(arenas[1]);
    return status;
}

/* A field whose old value nobody can tell: only where nothing was written is nothing lost. */
static enum status check_one_way(struct opensearch_alter *session, const json_t *tree,
                                 const struct opensearch_move *move, struct error *error)
{
    const char *field = text_of(tree, "one_way");
    struct opensearch_copy_note note;
    struct opensearch_reach reach;
    if (field == NULL) {
        return STATUS_OK;
    }
    if (opensearch_note_get(session, move->note, &note, error) != STATUS_OK ||
        opensearch_reach(session, move->from, &reach, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (reach.writes == note.writes) {
        return STATUS_OK;
    }
    error_set(error, ERROR_CHANGE_REFUSED, move->from,
              "documents were written since the switch, and '%s' has no `down` that makes their "
              "old value",
              field);
    return error_hint(error, "`transhume change complete` ends the change; what is to be undone is "
                             "a change of its own.");
}

static enum status bring_back(struct opensearch_alter *session, const struct opensearch_move *move,
                              struct error *error)
{
    uint64_t wrong = 0;
    uint64_t ignored = 0;
    if (failpoint_hit("opensearch.in_give_back", error) != STATUS_OK ||
        change_back_go(session, move, false, &ignored, error) != STATUS_OK ||
        change_back_go(session, move, true, &wrong, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return wrong == 0 ? STATUS_OK
                      : error_set(error, ERROR_CHANGE_UNPROVEN, move->to,
                                  "%" PRIu64 " documents did not come back as they should", wrong);
}

static void add_action(json_t *actions, const char *action, const char *index, const char *alias,
                       const json_t *is)
{
    json_t *what = is != NULL ? json_deep_copy(is) : json_object();
    json_object_set_new(what, "index", json_string(index));
    json_object_set_new(what, "alias", json_string(alias));
    json_array_append_new(actions, json_pack("{s:o}", action, what));
}

static enum status switch_back(struct opensearch_alter *session, const json_t *tree,
                               const struct opensearch_move *move, struct error *error)
{
    const char *alias = NULL;
    json_t *is = NULL;
    json_t *actions = json_array();
    struct buffer body = {0};
    json_object_foreach(json_object_get(tree, "aliases"), alias, is)
    {
        add_action(actions, "remove", move->from, alias, NULL);
        add_action(actions, "add", move->to, alias, is);
    }
    json_t *whole = json_pack("{s:o}", "actions", actions);
    (void)json_tree_append(whole, JSON_COMPACT, &body);
    json_decref(whole);
    enum status status =
        opensearch_alter_ask(session, "POST", "/_aliases", buffer_string(&body), NULL, error);
    buffer_free(&body);
    return status == STATUS_END
               ? error_set(error, ERROR_TARGET_MISSING, move->to, "the index is not there any more")
               : status;
}

static enum status run_back(struct opensearch_alter *session, const json_t *tree,
                            struct error *error)
{
    struct opensearch_move move;
    bool stands = false;
    opensearch_move_read(tree, &move);
    if (stands_for(session, text_of(tree, "alias"), move.from, &stands, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!stands) {
        return STATUS_OK;
    }
    int64_t begun_ms = clock_monotonic_ms();
    if (block(session, move.from, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = check_one_way(session, tree, &move, error);
    status = status == STATUS_OK ? block(session, move.to, false, error) : status;
    status = status == STATUS_OK ? bring_back(session, &move, error) : status;
    status = status == STATUS_OK ? switch_back(session, tree, &move, error) : status;
    if (status != STATUS_OK) {
        struct error ignored = {0};
        bool lost = error->code == ERROR_TARGET_UNKNOWN_OUTCOME || error->code == ERROR_RUN_FENCED;
        if (!lost) {
            (void)!block(session, move.to, true, &ignored);
            (void)!block(session, move.from, false, &ignored);
        }
        return STATUS_FAILED;
    }
    log_write(LOG_WARNING, "%s stands for %s again; writes to it were shut out for %" PRId64 " ms",
              text_of(tree, "alias"), move.to, clock_monotonic_ms() - begun_ms);
    return STATUS_OK;
}

enum status opensearch_run_own_step(struct opensearch_alter *session,
                                    const struct opensearch_call *call, struct error *error)
{
    const char *word = call->path + strlen(OWN);
    json_t *tree = NULL;
    if (json_tree_parse(call->body != NULL ? call->body : "", call->body_length, 0, call->path,
                        ERROR_LEDGER_INVALID, &tree, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool removes = strcmp(word, "remove") == 0 && text_of(tree, "index") != NULL;
    bool returns = strcmp(word, "back") == 0 && text_of(tree, "from") != NULL &&
                   text_of(tree, "to") != NULL && text_of(tree, "note") != NULL &&
                   text_of(tree, "alias") != NULL;
    enum status status =
        removes   ? run_remove(session, tree, error)
        : returns ? run_back(session, tree, error)
                  : error_set(error, ERROR_TARGET_WRITE, call->path, "there is no such request");
    json_decref(tree);
    return status;
}
