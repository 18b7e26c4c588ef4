/* The books of runs that are over. */
#include "engine/rejects/reject_past.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/folder/past_runs.h"
#include "engine/formats/mended_line.h"
#include "engine/rejects/reject_book_internal.h"
#include "engine/rejects/reject_heads.h"
#include "engine/session/home.h"
#include "engine/settle/settle.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- opening */

static enum status add_marks(struct run *run, const struct ledger_run *ledger, struct error *error)
{
    uint32_t count = run->session->plan->entity_count;
    enum status status = STATUS_OK;
    for (uint64_t i = 0; i < ledger->done_count && status == STATUS_OK; i++) {
        struct arena *scratch = arena_create(1024);
        struct ledger_mark mark;
        status = ledger_mark_read(&ledger->done[i], count, scratch, &mark, error);
        for (uint32_t j = 0; status == STATUS_OK && j < mark.entity_count; j++) {
            tally_add(&run->totals[mark.entities[j]], &mark.tallies[j]);
        }
        arena_destroy(scratch);
    }
    return status == STATUS_OK ? settle_totals(run, run->totals, count, error) : status;
}

enum status reject_past_open(struct run_session *session, const struct ledger_run *ledger,
                             const char *rejects_folder, struct run **made, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct run *run = arena_allocate_zeroed(arena, 1, sizeof *run);
    uint32_t entities = session->plan->entity_count;
    run->session = session;
    run->arena = arena;
    snprintf(run->id, sizeof run->id, "%s", ledger->id);
    run->totals = arena_allocate_zeroed(arena, entities + (size_t)1, sizeof *run->totals);
    pthread_mutex_init(&run->state_mutex, NULL);
    enum status status = ledger_header_read(ledger->header, arena, &run->header, error);
    status = status == STATUS_OK ? ledger_status_read(ledger->status, &run->status, error) : status;
    status = status == STATUS_OK ? add_marks(run, ledger, error) : status;
    status = status == STATUS_OK ? reject_book_load(run, error) : status;
    if (status == STATUS_OK && rejects_folder != NULL) {
        run->folder.rejects = arena_copy_string(arena, rejects_folder);
        status = reject_book_read_copied(run->rejects.book, error);
    }
    if (status != STATUS_OK) {
        reject_past_close(run);
        run = NULL;
    }
    *made = run;
    return status;
}

void reject_past_close(struct run *run)
{
    if (run != NULL) {
        reject_book_free(run->rejects.book);
        ledger_status_free(&run->status);
        pthread_mutex_destroy(&run->state_mutex);
        arena_destroy(run->arena);
    }
}

/* STATUS_END: no ledger knows it, or not by this plan. */
static enum status open_by_id(struct run *of, const char *id, struct run **made,
                              struct error *error)
{
    struct run_session *session = of->session;
    struct ledger_run *ledger;
    struct past_run past;
    *made = NULL;
    enum status status = ledger_load(session->ledger, id, of->arena, &ledger, error);
    if (status == STATUS_OK) {
        struct error ignored = {0};
        bool found = past_runs_find(&of->folder, id, of->arena, &past, &ignored) == STATUS_OK;
        status = reject_past_open(session, ledger, found ? past.folder.rejects : NULL, made, error);
    }
    /* of a run by a plan with other entities nothing can be told here */
    return status == STATUS_FAILED && error->code == ERROR_LEDGER_INVALID ? STATUS_END : status;
}

/* ---- which copy it is of */

/* The run that a file of rejects names first; "": none. */
static enum status run_of_file(const char *path, char id[MENDED_RUN_BYTES], struct error *error)
{
    struct file_lines lines;
    id[0] = '\0';
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    while (status == STATUS_OK && id[0] == '\0' &&
           (status = reject_heads_next(&lines, error)) == STATUS_OK) {
        status = mended_line_run(lines.line, lines.length, id, error);
    }
    file_lines_close(&lines);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* From a run that repaired or loaded rejects to the one before it, and so on to the copy. `id`
 * stays as it is where that is one, or nobody knows. */
static enum status find_copy(const struct run *of, char id[MENDED_RUN_BYTES], struct error *error)
{
    enum { RUNS_MAX = 64 };
    enum status status = STATUS_OK;
    for (int i = 0; i < RUNS_MAX && status == STATUS_OK; i++) {
        struct arena *arena = arena_create(0);
        struct ledger_run *ledger;
        struct ledger_header header = {0};
        struct ledger_status facts = {0};
        struct past_run past;
        struct error ignored = {0};
        char next[MENDED_RUN_BYTES] = "";
        status = ledger_load(of->session->ledger, id, arena, &ledger, error);
        if (status == STATUS_OK) {
            status = ledger_header_read(ledger->header, arena, &header, error);
        }
        if (status == STATUS_OK) {
            status = ledger_status_read(ledger->status, &facts, error);
        }
        if (status == STATUS_OK && strcmp(header.kind, "repair") == 0 && facts.repairs != NULL) {
            snprintf(next, sizeof next, "%s", json_string_value(facts.repairs));
        } else if (status == STATUS_OK && strcmp(header.kind, "rejects") == 0 &&
                   past_runs_find(&of->folder, id, arena, &past, &ignored) == STATUS_OK) {
            status = run_of_file(past.folder.input_file, next, error);
        }
        ledger_status_free(&facts);
        arena_destroy(arena);
        if (status != STATUS_OK || next[0] == '\0') {
            break;
        }
        snprintf(id, MENDED_RUN_BYTES, "%s", next);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status open_copy(struct run *of, const char *from, struct run **made,
                             struct error *error)
{
    char id[MENDED_RUN_BYTES];
    snprintf(id, sizeof id, "%s", from);
    return find_copy(of, id, error) == STATUS_OK ? open_by_id(of, id, made, error) : STATUS_FAILED;
}

/* ---- lines */

struct line {
    uint32_t entity;
    enum error_code code;
    char run_id[MENDED_RUN_BYTES];
    struct reject_id source;
    struct reject_id target;
    const char *reason;
};

typedef enum status take_line(void *context, const struct line *line, uint64_t number,
                              struct error *error);

struct reading_lines {
    const struct run *run;
    take_line *take;
    void *context;
    uint64_t number;
};

static enum status read_line(struct reading_lines *reading, const char *text, size_t length,
                             struct error *error)
{
    const struct plan *plan = reading->run->session->plan;
    struct mended_line mended;
    struct error why = {0};
    struct arena *arena = arena_create(0);
    struct line line = {0};
    reading->number++;
    if (mended_line_run(text, length, line.run_id, error) != STATUS_OK ||
        mended_line_scan(plan, text, length, &mended, &why) != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_OK;
    }
    const struct shape *shape = plan_entity_batch_shape(&plan->entities[mended.entity]);
    uint32_t width = batch_shape_width(shape);
    struct batch *batch = batch_create(shape, width + MENDED_EXTRA_CELLS, 1);
    bool complete;
    line.entity = mended.entity;
    line.code = mended.code;
    line.reason = mended_line_reason(text, length, arena);
    if (mended_line_append_known(text, length, batch, &complete, &why) == STATUS_OK) {
        const struct cell *map = &batch_row(batch, 0)[width];
        uint32_t count = map->kind == VALUE_MAP ? map->length : 0;
        struct cell *key = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *key);
        for (uint32_t i = 0; i < count; i++) {
            key[i] = map->items[2 * (size_t)i + 1];
        }
        line.source = reject_id_of_source(line.entity, key, NULL, count);
        line.target = reject_id_of_target(line.entity, key, count);
    }
    enum status status = reading->take(reading->context, &line, reading->number, error);
    batch_destroy(batch);
    arena_destroy(arena);
    return status;
}

/* STATUS_END: the file is not there. */
static enum status read_file(const struct run *run, const char *path, take_line *take,
                             void *context, struct error *error)
{
    struct reading_lines reading = {.run = run, .take = take, .context = context};
    struct file_lines lines;
    enum status status = file_lines_open(&lines, path, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status;
    }
    while (status == STATUS_OK && (status = reject_heads_next(&lines, error)) == STATUS_OK) {
        status = read_line(&reading, lines.line, lines.length, error);
    }
    file_lines_close(&lines);
    return status == STATUS_END ? STATUS_OK : status;
}

/* The rejects of this run itself. */
static enum status read_own(const struct run *run, take_line *take, void *context,
                            struct error *error)
{
    struct entries entries;
    const char *name;
    enum status status = entries_open(&entries, run->folder.rejects, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        if (text_ends_with(name, ".jsonl")) {
            status = read_file(run, file_join(run->arena, run->folder.rejects, name), take, context,
                               error);
            status = status == STATUS_END ? STATUS_OK : status;
        }
    }
    entries_close(&entries);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---- mended records */

struct mending_past {
    struct run *run;
    struct reject_changes again; /* what was rejected again, by the source's key */
    uint64_t unnamed_again;      /* of these, those without a key */
    struct run *past;            /* whose book is open; NULL: none */
    char past_id[MENDED_RUN_BYTES];
    struct reject_changes changes; /* of it */
};

static enum status note_again(void *context, const struct line *line, uint64_t number,
                              struct error *error)
{
    struct mending_past *mending = context;
    const struct reject_change change = {
        .id = line->source, .entity = line->entity, .code = line->code, .reason = line->reason};
    (void)number;
    (void)error;
    mending->unnamed_again += line->source.kind == 0;
    reject_changes_add(&mending->again, &change);
    return STATUS_OK;
}

static enum status end_past(struct mending_past *mending, struct error *error)
{
    enum status status = STATUS_OK;
    if (mending->past != NULL && mending->changes.count > 0) {
        status = reject_book_put(mending->past->rejects.book, &mending->changes, error);
    }
    reject_past_close(mending->past);
    mending->past = NULL;
    mending->past_id[0] = '\0';
    if (mending->changes.arena != NULL) {
        arena_destroy(mending->changes.arena);
    }
    mending->changes = (struct reject_changes){0};
    return status;
}

static enum status begin_past(struct mending_past *mending, const char *id, struct error *error)
{
    enum status status = end_past(mending, error);
    snprintf(mending->past_id, sizeof mending->past_id, "%s", id);
    mending->changes.arena = arena_create(0);
    status = status == STATUS_OK ? open_copy(mending->run, id, &mending->past, error) : status;
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* Does a count of the copy stand for the record? Its files tell, as far as they are there. */
static bool is_copied(const struct run *past, const struct reject_id *id)
{
    const struct reject_book *book = past->rejects.book;
    uint64_t counted = 0;
    for (uint32_t i = 0; i < past->session->plan->entity_count; i++) {
        counted += past->totals[i].rejected;
    }
    const struct book_item *item = book_find(book, id);
    return item != NULL ? item->copied : past->header.feed == NULL && book->item_count < counted;
}

/* A record that arrived under its key is settled, whoever had the file it came in. One without a
 * key is one of those that the copy counted: which one, nobody can tell. */
static enum status settle_loaded(void *context, const struct line *line, uint64_t number,
                                 struct error *error)
{
    struct mending_past *mending = context;
    char place[128];
    if (line->run_id[0] == '\0') {
        return STATUS_OK;
    }
    if (strcmp(line->run_id, mending->past_id) != 0 &&
        begin_past(mending, line->run_id, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (mending->past == NULL) {
        return STATUS_OK;
    }
    struct reject_change change = {
        .id = line->source, .entity = line->entity, .state = REJECT_ARRIVED};
    const struct reject_change *again = reject_changes_find(&mending->again, &change.id);
    if (change.id.kind == 0) {
        if (mending->unnamed_again > 0) {
            mending->unnamed_again--;
            return STATUS_OK;
        }
        snprintf(place, sizeof place, "%s/%" PRIu64, mending->run->id, number);
        change.id = reject_id_of_text(line->entity, place, strlen(place));
    } else if (again != NULL) {
        change.state = REJECT_OPEN;
        change.code = again->code;
        change.reason = again->reason;
    }
    change.copied = is_copied(mending->past, &change.id);
    reject_changes_add(&mending->changes, &change);
    if (mending->past->header.feed != NULL && line->target.kind != 0 &&
        reject_book_is_open(mending->past->rejects.book,
                            &line->target)) { /* a target had refused it */
        change.id = line->target;
        change.copied = false;
        reject_changes_add(&mending->changes, &change);
    }
    return STATUS_OK;
}

static enum status settle_mended(struct run *run, struct error *error)
{
    struct error late = {0};
    struct mending_past mending = {.run = run, .again = {.arena = arena_create(0)}};
    enum status status = read_own(run, note_again, &mending, error);
    status = status == STATUS_OK
                 ? read_file(run, run->folder.input_file, settle_loaded, &mending, error)
                 : status;
    enum status ended = end_past(&mending, status == STATUS_FAILED ? &late : error);
    arena_destroy(mending.again.arena);
    return status == STATUS_FAILED ? status : ended;
}

/* ---- a repair */

struct repairing_past {
    const struct reject_book *book;
    struct reject_changes changes;
    bool by_source;
};

static enum status note_missing(void *context, const struct line *line, uint64_t number,
                                struct error *error)
{
    struct repairing_past *repairing = context;
    struct reject_change change = {.id = repairing->by_source ? line->source : line->target,
                                   .entity = line->entity,
                                   .code = line->code,
                                   .reason = line->reason};
    char place[64];
    (void)error;
    const struct book_item *item = book_find(repairing->book, &change.id);
    if (repairing->by_source && item != NULL && item->settled) {
        return STATUS_OK; /* it was corrected and loaded, whatever the source has */
    }
    if (change.id.kind == 0) {
        snprintf(place, sizeof place, "%d/%" PRIu64, repairing->by_source, number);
        change.id = reject_id_of_text(line->entity, place, strlen(place));
    }
    reject_changes_add(&repairing->changes, &change);
    return STATUS_OK;
}

/* Everything that was missing was tried again, but for what nobody could make of the source. */
static enum status settle_repaired(struct run *run, struct error *error)
{
    struct repairing_past repairing = {.by_source = true};
    const char *id = json_string_value(run->status.repairs);
    struct run *past = NULL;
    enum status status = id != NULL ? open_copy(run, id, &past, error) : STATUS_END;
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    repairing.book = past->rejects.book;
    repairing.changes.arena = arena_create(0);
    status = read_file(run, file_join(run->arena, run->folder.path, STATE_UNMADE), note_missing,
                       &repairing, error);
    repairing.by_source = false;
    bool whole = status == STATUS_OK;
    status = whole ? read_own(run, note_missing, &repairing, error) : status;
    reject_book_begin_round(past->rejects.book);
    status = status == STATUS_OK ? reject_book_put(past->rejects.book, &repairing.changes, error)
                                 : status;
    for (uint32_t i = 0; i < run->session->plan->entity_count && status == STATUS_OK; i++) {
        status = reject_book_end_round(past->rejects.book, i, error);
    }
    arena_destroy(repairing.changes.arena);
    reject_past_close(past);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status reject_past_settle(struct run *run, struct error *error)
{
    return run->repairs ? settle_repaired(run, error) : settle_mended(run, error);
}

/* ---- taking back */

struct key_list {
    struct arena *arena;
    struct key_list_entry {
        struct key_list_entry *next;
        const char *key;
    } * first;
};

static enum status note_key(void *context, const char *key, const struct store_value *value,
                            struct error *error)
{
    struct key_list *list = context;
    struct key_list_entry *entry = arena_allocate_zeroed(list->arena, 1, sizeof *entry);
    (void)value;
    (void)error;
    entry->key = arena_copy_string(list->arena, key);
    entry->next = list->first;
    list->first = entry;
    return STATUS_OK;
}

static enum status forget_entries(const struct run_session *session, const char *run_id,
                                  struct error *error)
{
    struct database *home = home_database(session);
    const struct store_functions *functions = home->connector->store;
    struct key_list list = {.arena = arena_create(0)};
    struct store *store = NULL;
    char prefix[STORE_KEY_BYTES];
    book_prefix(prefix, run_id);
    enum status status = functions->open(home, &store, error);
    status = status == STATUS_OK ? functions->scan(store, prefix, note_key, &list, error) : status;
    for (struct key_list_entry *at = list.first; at != NULL && status == STATUS_OK; at = at->next) {
        status = functions->delete_if(store, at->key, STORE_ANY_VERSION, error);
    }
    if (store != NULL) {
        functions->close(store);
    }
    arena_destroy(list.arena);
    return status;
}

/* A run that only copied has its own counts again. */
static enum status reopen(struct run *run, const char *from, struct error *error)
{
    struct ledger_run *ledger;
    struct ledger_header header;
    char id[MENDED_RUN_BYTES];
    snprintf(id, sizeof id, "%s", from);
    if (find_copy(run, id, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = ledger_load(run->session->ledger, id, run->arena, &ledger, error);
    status = status == STATUS_OK ? ledger_header_read(ledger->header, run->arena, &header, error)
                                 : status;
    if (status != STATUS_OK || header.feed != NULL) {
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    return forget_entries(run->session, id, error);
}

static enum status reopen_loaded(struct run *run, struct error *error)
{
    struct past_run past;
    struct file_lines lines;
    struct error ignored = {0};
    char last[MENDED_RUN_BYTES] = "";
    if (past_runs_find(&run->folder, run->id, run->arena, &past, &ignored) != STATUS_OK) {
        return STATUS_OK; /* what it loaded nobody knows any more */
    }
    enum status status =
        file_lines_open(&lines, past.folder.input_file, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    while (status == STATUS_OK && (status = reject_heads_next(&lines, error)) == STATUS_OK) {
        char id[MENDED_RUN_BYTES];
        status = mended_line_run(lines.line, lines.length, id, error);
        if (status == STATUS_OK && id[0] != '\0' && strcmp(id, last) != 0) {
            memcpy(last, id, sizeof last);
            status = reopen(run, id, error);
        }
    }
    file_lines_close(&lines);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status reject_past_take_back(struct run *run, struct error *error)
{
    const char *kind = run->header.kind != NULL ? run->header.kind : "";
    const char *repaired = json_string_value(run->status.repairs);
    if (run->session->ledger == NULL) {
        return STATUS_OK;
    }
    return strcmp(kind, "rejects") == 0                      ? reopen_loaded(run, error)
           : strcmp(kind, "repair") == 0 && repaired != NULL ? reopen(run, repaired, error)
                                                             : STATUS_OK;
}

/* ---- the copy's sum */

enum status reject_past_sum(struct run *run, struct arena *arena, struct reject_book_sum *sum,
                            struct error *error)
{
    char id[MENDED_RUN_BYTES] = "";
    struct run *past;
    *sum = (struct reject_book_sum){0};
    if (run->repairs) {
        snprintf(id, sizeof id, "%s",
                 run->status.repairs != NULL ? json_string_value(run->status.repairs) : "");
    } else if (run_of_file(run->folder.input_file, id, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = id[0] != '\0' ? open_copy(run, id, &past, error) : STATUS_END;
    if (status == STATUS_OK) {
        reject_book_sum(past, arena, sum);
        reject_past_close(past);
    }
    return status;
}
