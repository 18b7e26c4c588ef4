/* The steps of a resync, and what a comparison found as changes of the target. */
#include "engine/follow/resync.h"

#include "base/file.h"
#include "base/log.h"
#include "engine/formats/mended_line.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include "engine/rejects/reject_notes.h"
#include "engine/rejects/rejects.h"
#include "engine/settle/repair_delete.h"
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

enum { SET_CHANGES_MAX = 1000, SET_BYTES_MAX = 1 << 20 };
static const char intent_name[] = "resync";
static const char step_feed[] = "feed";
static const char step_compare[] = "compare";

/* ---- the steps */

static enum status read_step(struct run *run, const char **step, struct error *error)
{
    const char *text;
    json_t *object;
    *step = NULL;
    enum status status =
        ledger_get_intent(run->session->ledger, run->id, intent_name, run->arena, &text, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    if (json_from_text(text, "the resync's step", ERROR_LEDGER_INVALID, &object, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    *step = arena_copy_string(run->arena, json_member_text(object, "step", step_feed));
    json_decref(object);
    return STATUS_OK;
}

enum status resync_check(struct run *run, enum run_command command, struct error *error)
{
    const char *step;
    if (command == RUN_RESYNC) {
        return STATUS_OK;
    }
    if (read_step(run, &step, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool ready = step != NULL && strcmp(step, step_compare) == 0;
    if (command == RUN_RESYNC_END ? ready : step == NULL) {
        return STATUS_OK;
    }
    error_set(error, ERROR_FEED_LOST, run->header.feed,
              command == RUN_RESYNC_END ? "there is no resync to be ended"
                                        : "changes were lost, and the resync that was begun is not "
                                          "done");
    return error_hint(error, "`transhume follow --resync` begins it again");
}

enum status resync_note(struct run *run, bool compares, struct error *error)
{
    char text[64];
    snprintf(text, sizeof text, "{\"format\":%d,\"step\":\"%s\"}", CONTROL_FORMAT,
             compares ? step_compare : step_feed);
    return ledger_put_intent(run->session->ledger, run->id, intent_name, text, error);
}

/* ---- what the comparison listed */

struct mending {
    struct run *run;
    const struct followed_form *form;
    struct position at;
    resync_take *take;
    void *context;
    struct followed_set *set; /* NULL: none is begun */
    uint64_t writes;
    uint64_t refused; /* of these */
    uint64_t deletes;
    uint64_t left; /* extra, in tables that were there before the run */
};

static void begin_set(struct mending *mending)
{
    struct arena *arena = arena_create(0);
    const char *bytes = arena_copy(arena, mending->at.bytes, mending->at.length);
    const struct position at = {(const uint8_t *)bytes, mending->at.length};
    mending->set = followed_set_create(mending->form, arena);
    mending->set->set.begin = at;
    mending->set->set.end = at;
}

/* A record that the plan could not make, by the key that its line names. */
static enum status reject_line(struct mending *mending, const char *line, size_t length,
                               struct error *error)
{
    const struct plan *plan = mending->run->session->plan;
    struct mended_line mended;
    struct error why = {0};
    if (mended_line_scan(plan, line, length, &mended, &why) != STATUS_OK) {
        return error_copy(error, &why);
    }
    const struct shape *shape = plan_entity_batch_shape(&plan->entities[mended.entity]);
    uint32_t width = batch_shape_width(shape);
    struct batch *batch = batch_create(shape, width + MENDED_EXTRA_CELLS, 1);
    struct arena *arena = arena_create(0);
    bool complete;
    struct mapper_reject reject = {.entity = mended.entity, .code = mended.code};
    enum status status = mended_line_append_known(line, length, batch, &complete, error);
    if (status == STATUS_OK) {
        const struct cell *row = batch_row(batch, 0);
        const struct cell *map = &row[width];
        uint32_t count = map->kind == VALUE_MAP ? map->length : 0;
        struct cell *key = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *key);
        for (uint32_t i = 0; i < count; i++) {
            key[i] = map->items[2 * (size_t)i + 1];
        }
        reject.source_key = key;
        reject.source_key_count = count;
        reject.reason = mended_line_reason(line, length, arena);
        reject.record = shape != NULL ? follow_document(arena, shape, row) : row[0];
        status = followed_set_reject(mending->set, &reject, error);
    }
    arena_destroy(arena);
    batch_destroy(batch);
    return status;
}

static enum status hand_over(struct mending *mending, struct error *error)
{
    struct followed_set *set = mending->set;
    mending->set = NULL;
    return set != NULL ? mending->take(mending->context, set, &mending->refused, error) : STATUS_OK;
}

static enum status hand_over_when_full(struct mending *mending, struct error *error)
{
    const struct change_set *set = &mending->set->set;
    return set->change_count >= SET_CHANGES_MAX || set->arena->bytes >= SET_BYTES_MAX
               ? hand_over(mending, error)
               : STATUS_OK;
}

/* The record under the key goes, whose fields are in a MAP. */
static enum status delete_record(struct mending *mending, uint32_t entity,
                                 const struct cell *fields, struct error *error)
{
    const struct column_list names = mending->form->tables[entity].key;
    struct cell *key =
        arena_allocate_zeroed(mending->set->set.arena, names.count + (size_t)1, sizeof *key);
    for (uint32_t i = 0; i < names.count; i++) {
        const struct cell *cell = value_field(fields, names.names[i]);
        key[i] = cell != NULL ? *cell : cell_missing();
    }
    return followed_set_delete(mending->set, entity, key, names.count, error);
}

/* Tables without a key are read again whole (whole.h). */
static bool is_whole(const struct mending *mending, uint32_t entity)
{
    return mending->form->tables[entity].key.count == 0;
}

/* Where records have columns, one that the record lacks is NULL; the lists leave both out. */
static enum status resync_put(struct mending *mending, uint32_t entity, struct cell *cells,
                              struct error *error)
{
    const struct shape *shape = mending->form->outputs[entity].shape;
    for (uint32_t i = 0; shape != NULL && i < shape->field_count; i++) {
        cells[i] = cells[i].kind == VALUE_MISSING ? cell_null() : cells[i];
    }
    mending->writes++;
    return followed_set_put(mending->form, mending->set, entity, cells, error);
}

static enum status write_line(struct mending *mending, const char *line, size_t length,
                              struct error *error)
{
    const struct plan *plan = mending->run->session->plan;
    struct mended_line mended;
    if (mended_line_scan(plan, line, length, &mended, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (is_whole(mending, mended.entity)) {
        return STATUS_OK;
    }
    const struct shape *shape = plan_entity_batch_shape(&plan->entities[mended.entity]);
    struct batch *batch = batch_create(shape, batch_shape_width(shape) + MENDED_EXTRA_CELLS, 1);
    enum status status = mended_line_append(line, length, batch, error);
    if (status == STATUS_OK) {
        status = resync_put(mending, mended.entity, batch_row(batch, 0), error);
    }
    batch_destroy(batch);
    return status;
}

/* Any of the table's entities: they share its key. */
static uint32_t entity_of(const struct plan *plan, const struct cell *table)
{
    uint32_t found = UINT32_MAX;
    for (uint32_t i = 0; i < plan->entity_count && found == UINT32_MAX; i++) {
        const char *name = plan->tables[plan->entities[i].table].target.name;
        if (strlen(name) == table->length && memcmp(name, table->text, table->length) == 0) {
            found = i;
        }
    }
    return found;
}

/* Other records that were in the target are not the run's to delete; those that are to be written
 * over are written all the same. */
static bool is_made_by_run(const struct mending *mending, uint32_t entity)
{
    const struct plan *plan = mending->run->session->plan;
    return ledger_status_is_created(&mending->run->status,
                                    plan->tables[plan->entities[entity].table].target.name);
}

static enum status delete_line(struct mending *mending, const char *line, size_t length,
                               struct error *error)
{
    const struct plan *plan = mending->run->session->plan;
    struct arena *arena = arena_create(0);
    struct cell table;
    struct cell key;
    enum status status =
        repair_delete_parse(mending->run, line, length, arena, &table, &key, error);
    uint32_t entity = status == STATUS_OK ? entity_of(plan, &table) : 0;
    if (status == STATUS_OK && entity == UINT32_MAX) {
        status = error_set(error, ERROR_STATE_INVALID, mending->run->folder.path,
                           "the list of records to delete is of another plan");
    }
    if (status == STATUS_OK && is_whole(mending, entity)) {
        arena_destroy(arena);
        return STATUS_OK;
    }
    if (status == STATUS_OK && !is_made_by_run(mending, entity)) {
        mending->left++;
    } else if (status == STATUS_OK) {
        status = delete_record(mending, entity, &key, error);
        mending->deletes++;
    }
    arena_destroy(arena);
    return status;
}

typedef enum status list_line(struct mending *mending, const char *line, size_t length,
                              struct error *error);

static enum status read_list(struct mending *mending, const char *name, list_line *take,
                             struct error *error)
{
    const struct run *run = mending->run;
    char *path = file_join(run->arena, run->folder.path, name);
    struct file_lines lines;
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) { /* STATUS_END: nothing differs */
        return status == STATUS_END ? STATUS_OK : status;
    }
    while (status == STATUS_OK && (status = file_lines_next(&lines, error)) == STATUS_OK) {
        if (mending->set == NULL) {
            begin_set(mending);
        }
        status = take(mending, lines.line, lines.length, error);
        status = status == STATUS_OK ? hand_over_when_full(mending, error) : status;
    }
    file_lines_close(&lines);
    return status == STATUS_END ? hand_over(mending, error) : status;
}

/* Records that are not to be written over as they are, are among those to be deleted. */
static enum status resync_mend(struct mending *mending, struct error *error)
{
    enum status status = read_list(mending, "delete.jsonl", delete_line, error);
    status = status == STATUS_OK ? read_list(mending, "repair.jsonl", write_line, error) : status;
    status = status == STATUS_OK ? read_list(mending, STATE_UNMADE, reject_line, error) : status;
    if (mending->set != NULL) {
        arena_destroy(mending->set->set.arena);
    }
    return status;
}

/* A comparison that came in between has made others. */
static enum status check_list(const struct run *run, const char *name, const char *wanted,
                              struct error *error)
{
    char hex[33];
    uint64_t count;
    uint64_t bytes;
    char *path = file_join(run->arena, run->folder.path, name);
    enum status status = rejects_measure(path, hex, &count, &bytes, error);
    if (status == STATUS_FAILED || (status == STATUS_OK && strcmp(hex, wanted) == 0)) {
        return status;
    }
    error_set(error, ERROR_STATE_INVALID, path, "it is not the list that the comparison made");
    return error_hint(error, "nothing was changed; `transhume follow --resync` compares again");
}

static enum status check_lists(const struct run *run, struct error *error)
{
    const struct run_options *options = &run->session->options;
    if (options->repair.write_hash == NULL || options->repair.delete_hash == NULL) {
        return error_set(error, ERROR_INTERNAL, run->id, "a resync without its lists");
    }
    return check_list(run, "repair.jsonl", options->repair.write_hash, error) == STATUS_OK
               ? check_list(run, "delete.jsonl", options->repair.delete_hash, error)
               : STATUS_FAILED;
}

/* Everything was tried again that is missing in the target, if it is known what the plan could not
 * make of the source. */
static enum status settle_rejects(struct run *run, struct error *error)
{
    enum status status = STATUS_OK;
    if (!file_exists(file_join(run->arena, run->folder.path, STATE_UNMADE))) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < run->session->plan->entity_count && status == STATUS_OK; i++) {
        status = reject_book_end_round(run->rejects.book, i, error);
    }
    return status;
}

static void tell_end(const struct mending *mending)
{
    struct arena *arena = arena_create(0);
    struct reject_book_sum sum;
    struct buffer text = {0};
    reject_book_sum(mending->run, arena, &sum);
    uint64_t refused = mending->writes < mending->refused ? mending->writes : mending->refused;
    uint64_t written = mending->writes - refused;
    log_write(LOG_INFO,
              "resync: done, %" PRIu64 " record%s written, %" PRIu64 " deleted; following goes on",
              written, written == 1 ? "" : "s", mending->deletes);
    if (sum.unsettled > 0) {
        reject_book_describe(&sum, &text);
        log_write(LOG_WARNING, "resync: %s", buffer_string(&text));
    }
    buffer_free(&text);
    arena_destroy(arena);
}

enum status resync_finish(struct run *run, const struct followed_form *form, struct position at,
                          resync_take *take, void *context, struct error *error)
{
    struct mending mending = {.run = run, .form = form, .at = at, .take = take, .context = context};
    reject_book_begin_round(run->rejects.book);
    if (check_lists(run, error) != STATUS_OK || resync_mend(&mending, error) != STATUS_OK ||
        settle_rejects(run, error) != STATUS_OK ||
        ledger_delete_intent(run->session->ledger, run->id, intent_name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (mending.left > 0) {
        log_write(LOG_WARNING,
                  "resync: %" PRIu64 " records stay that may be extra, in tables that were there "
                  "before the run: `transhume validate` lists them",
                  mending.left);
    }
    tell_end(&mending);
    return STATUS_OK;
}
