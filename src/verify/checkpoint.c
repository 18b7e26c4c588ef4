/* When a checkpoint is written, and whether one that is found may be gone on with. */
#include "verify/checkpoint.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/folder/state_folder.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    PERIOD_MS = 30000,
    PAUSE_SHARE = 20,
    WORTH_MS = 1000,
    BYTES_MAX = 1 << 30,
    TOLD_BYTES = 64 << 20
};

/* ---------------------------------------------------------------- what is compared */

static void append_text(struct buffer *out, const char *text)
{
    buffer_append_string(out, text == NULL ? "-" : text);
    buffer_append_byte(out, '\0');
}

static void append_form(struct buffer *out, const struct record_form *form)
{
    buffer_format(out, "form %u", form->field_count);
    for (uint32_t i = 0; i < form->field_count; i++) {
        const struct form_field *field = &form->fields[i];
        append_text(out, field->name);
        buffer_format(out, "%u %u %d %u ", field->cell, field->column_class, field->in_column,
                      field->column);
    }
    for (uint32_t i = 0; i < form->key.count; i++) {
        append_text(out, form->key.names[i]);
    }
}

static void append_table(struct buffer *out, const struct verify_table *table)
{
    append_text(out, table->plan->target.name);
    append_text(out, table->actual == NULL ? NULL : table->actual->name);
    buffer_format(out, "%d%d%d%d%d%d%d %u ", table->owned, table->keys_only, table->restricted,
                  table->distinct, table->joined, table->pushed != NULL, table->rows != NULL,
                  table->range_stream);
    append_form(out, &table->form);
    const struct digest *digest = table->pushed == NULL ? NULL : &table->pushed->digest[0];
    for (uint32_t side = 0; digest != NULL && side < 2; side++) {
        for (uint32_t i = 0; i < digest->column_count; i++) {
            append_text(out, table->pushed->digest[side].columns[i].name);
            buffer_format(out, "%d", table->pushed->digest[side].columns[i].key);
        }
    }
    buffer_format(out, "%d ", digest != NULL && digest->by_integer);
}

/* Equal only if the same records of the same databases are compared in the same way, whatever
 * drives it (jobs, caps, --repair). */
static void find_compared(struct checkpoint *checkpoint)
{
    const struct verify *verify = checkpoint->verify;
    const struct run_session *session = verify->session;
    struct buffer text = {0};
    buffer_format(&text, "%d %d %d ", FORM_VERSION, CANONICAL_VERSION, verify->options.push_down);
    if (verify->options.level == VERIFY_FULL) { /* its spill has what a repair writes */
        buffer_format(&text, "%d ", verify->options.repair);
    }
    append_text(&text, verify_level_name(verify->options.level));
    append_text(&text, verify->result->run_id);
    append_text(&text, session->source_uri->shown);
    append_text(&text, session->target_uri->shown);
    append_text(&text, session->source_identity);
    append_text(&text, session->target_identity);
    append_text(&text, session->fingerprint);
    append_text(&text, session->plan->mapping_hash);
    append_text(&text, session->options.sides.time_zone);
    for (uint32_t i = 0; i < verify->table_count; i++) {
        append_table(&text, &verify->tables[i]);
    }
    for (uint32_t i = 0; i < verify->entity_count; i++) {
        append_text(&text, verify->entities[i].plan->name);
        buffer_format(&text, "%u %u ", verify->entities[i].plan->stream,
                      verify->entities[i].plan->table);
        append_form(&text, &verify->entities[i].form);
    }
    struct canonical_hash hash = canonical_hash_bytes(buffer_string(&text), text.length);
    canonical_hash_format(&hash, checkpoint->compared);
    buffer_free(&text);
}

/* ---------------------------------------------------------------- what is found */

/* NULL: it does. */
static const char *find_unproven(const struct verify *verify)
{
    const struct run_session *session = verify->session;
    const struct database *sides[2] = {session->source, session->mirror};
    const char *const tokens[2] = {session->snapshot, verify->mirror_snapshot};
    static const char *const names[2] = {"the source", "the target"};
    for (int i = 0; i < 2; i++) {
        if ((sides[i]->capabilities & CAPABILITY_PROVES_UNCHANGED) == 0 || tokens[i] == NULL ||
            tokens[i][0] == '\0') {
            return names[i];
        }
    }
    return NULL;
}

/* To the result, and at once to whoever waits for it. */
static void checkpoint_say(struct verify *verify, const char *text)
{
    log_write(LOG_INFO, "%s", text);
    verify_note(verify, "%s", text);
}

static void say_anew(const struct checkpoint *checkpoint, const char *object, const char *why)
{
    char text[1200];
    snprintf(text, sizeof(text),
             "starts again instead of continuing the interrupted validation: %s %s", object, why);
    checkpoint_say(checkpoint->verify, text);
}

/* Why the sums of an earlier process say nothing; NULL: they do. */
static const char *find_change(const struct checkpoint *checkpoint,
                               const struct checkpoint_head *head, const char **object)
{
    const struct verify *verify = checkpoint->verify;
    *object = checkpoint->path;
    if (strcmp(head->version, TRANSHUME_VERSION) != 0) {
        return "was written by another version of transhume";
    }
    if (strcmp(head->compared, checkpoint->compared) != 0) {
        *object = "it";
        return "compared something else (another plan, run or pair of databases, or the one with "
               "--push-down, at level full --repair, and the other without)";
    }
    if (checkpoint->unproven != NULL) {
        *object = checkpoint->unproven;
        return "can't prove that it did not change since";
    }
    const char *const tokens[2] = {verify->session->snapshot, verify->mirror_snapshot};
    for (int i = 0; i < 2; i++) {
        if (strcmp(head->tokens[i], tokens[i]) != 0) {
            *object = i == SIDE_SOURCE ? "the source" : "the target";
            return "changed since, or can't prove that it did not";
        }
    }
    return NULL;
}

static void say_goes_on(const struct checkpoint *checkpoint, const struct checkpoint_head *head)
{
    char text[256];
    char at[32];
    clock_format_utc(head->at_us, at, sizeof(at));
    snprintf(text, sizeof(text),
             "continues the interrupted validation: %" PRIu32 " of %" PRIu32
             " parts were compared by %.19sZ, and neither side changed since",
             head->done_count, head->task_count, at);
    verify_note(checkpoint->verify, "%s", text);
    log_write(LOG_INFO, "%s (to start again, remove %s)", text, checkpoint->path);
}

struct spill_options checkpoint_spill_options(const struct verify *verify)
{
    bool full = verify->options.level == VERIFY_FULL;
    return (struct spill_options){.tables = verify->tables,
                                  .values = full,
                                  .records = verify->options.repair,
                                  .kept = full && verify->checkpoint->unproven == NULL};
}

/* The head that was found stays valid until another one is taken. */
static void take_head(struct checkpoint *checkpoint, const struct checkpoint_head *head)
{
    checkpoint->on_disk = true;
    checkpoint->task_count = head->task_count;
    checkpoint->done_count = checkpoint->written_count = head->done_count;
}

/* The spill is as large as what was read, and read all through. */
static enum status reopen_spill(struct checkpoint *checkpoint, const struct checkpoint_head *head,
                                struct error *error)
{
    struct verify *verify = checkpoint->verify;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < head->mark_count; i++) {
        bytes += head->marks[i].bytes;
    }
    if (bytes >= TOLD_BYTES) {
        log_write(LOG_INFO, "checking the %" PRIu64 " MiB in %s that were read before it broke off",
                  bytes >> 20, verify->folder);
    }
    return spill_reopen(verify->folder, head->marks, head->mark_count,
                        checkpoint_spill_options(verify), &verify->spill, error);
}

/* STATUS_END: somebody asked to stop. */
static enum status take_found(struct checkpoint *checkpoint, const char *bytes, size_t length,
                              struct error *error)
{
    struct verify *verify = checkpoint->verify;
    struct checkpoint_head head = {0};
    const char *at;
    const char *end;
    const char *object = checkpoint->path;
    const char *why =
        checkpoint_read_head(bytes, length, checkpoint->found_arena, &head, &at, &end);
    if (why == NULL) {
        why = find_change(checkpoint, &head, &object);
    }
    if (why == NULL) {
        why = checkpoint_read_counts(verify, &at, end);
    }
    if (why == NULL && verify->options.level == VERIFY_FULL) {
        take_head(checkpoint, &head);
        enum status status = reopen_spill(checkpoint, &head, error);
        if (status == STATUS_FAILED || status == STATUS_AGAIN) {
            return status == STATUS_AGAIN ? STATUS_END : STATUS_FAILED;
        }
        object = verify->folder;
        why = status == STATUS_END ? "is not as it was left" : NULL;
    }
    if (why != NULL) {
        take_head(checkpoint, &(struct checkpoint_head){0});
        checkpoint->on_disk = false;
        say_anew(checkpoint, object, why);
        return STATUS_OK;
    }
    take_head(checkpoint, &head);
    checkpoint->found = at;
    checkpoint->found_end = end;
    verify->spent_ms = head.spent_ms;
    atomic_fetch_add(&verify->rows, head.rows);
    say_goes_on(checkpoint, &head);
    return STATUS_OK;
}

static const char *file_name(enum verify_level level)
{
    return level == VERIFY_FULL ? STATE_CHECKPOINT_FULL : STATE_CHECKPOINT;
}

static const char *name_file(const struct verify *verify, enum verify_level level)
{
    return file_join(verify->arena, verify->run->folder.path, file_name(level));
}

enum status checkpoint_open(struct verify *verify, struct error *error)
{
    struct checkpoint *checkpoint = arena_allocate_zeroed(verify->arena, 1, sizeof(*checkpoint));
    char *bytes;
    size_t length;
    struct error why;
    *checkpoint =
        (struct checkpoint){.verify = verify, .path = name_file(verify, verify->options.level)};
    checkpoint->found_arena = arena_create(0);
    verify->checkpoint = checkpoint;
    checkpoint->unproven = find_unproven(verify);
    checkpoint->due_ms = clock_monotonic_ms() + PERIOD_MS;
    find_compared(checkpoint);
    enum status status =
        file_read_all(checkpoint->path, BYTES_MAX, checkpoint->found_arena, &bytes, &length, &why);
    if (status == STATUS_OK) {
        return take_found(checkpoint, bytes, length, error);
    }
    if (status == STATUS_FAILED) {
        say_anew(checkpoint, checkpoint->path, why.message);
    }
    return STATUS_OK;
}

static void show_progress(const struct verify *verify)
{
    struct progress *progress = &verify->session->progress;
    for (uint32_t i = 0; i < verify->entity_count; i++) {
        uint64_t made = atomic_load(&verify->entities[i].made);
        atomic_store(&progress->entities[i].written, made);
        atomic_fetch_add(&progress->written_before, made);
    }
}

/* Rows that an earlier attempt read of tasks that it has not done no longer count. */
static void begin_attempt(struct task_list *list)
{
    uint32_t attempt = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        attempt = list->tasks[i].attempt >= attempt ? list->tasks[i].attempt + 1 : attempt;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        list->tasks[i].attempt = list->tasks[i].done ? list->tasks[i].attempt : attempt;
    }
}

enum status checkpoint_restore(struct checkpoint *checkpoint, struct task_list *list,
                               struct error *error)
{
    struct verify *verify = checkpoint->verify;
    if (checkpoint->found == NULL) {
        return STATUS_END;
    }
    enum status status =
        checkpoint_read_sums(verify, checkpoint->found, checkpoint->found_end, list, error);
    if (status == STATUS_OK && list->count != checkpoint->task_count) {
        status = error_set(error, ERROR_STATE_INVALID, NULL, "does not fit together");
    }
    if (status == STATUS_OK) {
        begin_attempt(list);
    }
    arena_destroy(checkpoint->found_arena);
    checkpoint->found_arena = NULL;
    checkpoint->found = NULL;
    if (status == STATUS_OK) {
        show_progress(verify);
    } else if (error->code == ERROR_STATE_INVALID) {
        error_context(error, "%s: ", checkpoint->path);
        error_hint(error, "to start the validation again, remove that file");
    }
    return status;
}

void checkpoint_begin(struct checkpoint *checkpoint, const struct task_list *list)
{
    struct verify *verify = checkpoint->verify;
    checkpoint->tasks = list->tasks;
    checkpoint->task_count = list->count;
    if (verify->spill == NULL) {
        return;
    }
    uint32_t *attempts = arena_allocate_zeroed(verify->arena, list->count + 1u, sizeof(*attempts));
    for (uint32_t i = 0; i < list->count; i++) {
        attempts[i] = list->tasks[i].attempt;
    }
    spill_set_attempts(verify->spill, attempts, list->count);
}

/* ---------------------------------------------------------------- writing */

static uint32_t count_done(const struct checkpoint *checkpoint)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < checkpoint->task_count; i++) {
        count += checkpoint->tasks[i].done;
    }
    return count;
}

/* With sums_mutex held. */
static struct checkpoint_head make_head(struct checkpoint *checkpoint)
{
    const struct verify *verify = checkpoint->verify;
    checkpoint->done_count = count_done(checkpoint);
    return (struct checkpoint_head){
        .at_us = clock_utc_us(),
        .version = TRANSHUME_VERSION,
        .compared = checkpoint->compared,
        .tokens = {verify->session->snapshot, verify->mirror_snapshot},
        .spent_ms = verify->spent_ms + (uint64_t)(clock_monotonic_ms() - verify->started_ms),
        .rows = atomic_load(&verify->rows),
        .task_count = checkpoint->task_count,
        .done_count = checkpoint->done_count};
}

/* Records that are in the sums are in the spill by then. */
static enum status write_file(const struct checkpoint *checkpoint, struct checkpoint_head *head,
                              const struct buffer *sums, struct error *error)
{
    struct spill *spill = checkpoint->verify->spill;
    struct spill_mark *marks = NULL;
    struct buffer text = {0};
    enum status status =
        spill == NULL ? STATUS_OK : spill_sync(spill, &marks, &head->mark_count, error);
    if (status == STATUS_OK) {
        head->marks = marks;
        checkpoint_append(checkpoint->verify, head, sums, &text);
        status = file_write_atomic(checkpoint->path, text.data, text.length,
                                   "verify.before_checkpoint", error);
    }
    buffer_free(&text);
    free(marks);
    return status == STATUS_OK ? failpoint_hit("verify.checkpoint_written", error) : status;
}

/* The last one stays where this one can't be written, and the validation goes on. */
static void checkpoint_warn(struct checkpoint *checkpoint, const struct error *error)
{
    if (!checkpoint->warned) {
        log_write(LOG_WARNING,
                  "what was compared can't be kept, so that a validation that breaks off loses it: "
                  "%s: %s",
                  error->object, error->message);
    }
    checkpoint->warned = true;
}

/* With sums_mutex held, which is let go while the file is written. */
static void write_now(struct checkpoint *checkpoint)
{
    struct verify *verify = checkpoint->verify;
    struct buffer sums = {0};
    struct error error;
    struct checkpoint_head head = make_head(checkpoint);
    checkpoint_append_sums(checkpoint, &sums);
    uint32_t count = checkpoint->done_count;
    checkpoint->writing = true;
    int64_t begun_ms = clock_monotonic_ms();
    pthread_mutex_unlock(&verify->sums_mutex);
    enum status status = write_file(checkpoint, &head, &sums, &error);
    buffer_free(&sums);
    pthread_mutex_lock(&verify->sums_mutex);
    checkpoint->writing = false;
    int64_t now_ms = clock_monotonic_ms();
    int64_t pause_ms = PAUSE_SHARE * (now_ms - begun_ms); /* a slow disk is not to be all of it */
    checkpoint->due_ms = now_ms + (pause_ms > PERIOD_MS ? pause_ms : PERIOD_MS);
    if (status != STATUS_OK) {
        checkpoint_warn(checkpoint, &error);
        return;
    }
    checkpoint->written_count = count;
    checkpoint->on_disk = true;
}

/* Sums are kept of sides that can prove that they are unchanged: no others could be gone on with.
 */
static bool is_kept(struct checkpoint *checkpoint)
{
    if (checkpoint->unproven != NULL && !checkpoint->warned) {
        log_write(LOG_INFO,
                  "if this validation is interrupted, it starts again: %s can't prove that "
                  "nothing changed",
                  checkpoint->unproven);
        checkpoint->warned = true;
    }
    return checkpoint->unproven == NULL && !checkpoint->spoilt;
}

void checkpoint_tick(struct checkpoint *checkpoint)
{
    struct verify *verify = checkpoint->verify;
    struct error hurry; /* a test need not wait */
    bool now = failpoint_hit("verify.checkpoint_due", &hurry) != STATUS_OK;
    pthread_mutex_lock(&verify->sums_mutex);
    bool due = now || clock_monotonic_ms() >= checkpoint->due_ms;
    if (due && !checkpoint->writing && is_kept(checkpoint)) {
        write_now(checkpoint);
    }
    pthread_mutex_unlock(&verify->sums_mutex);
}

void checkpoint_spoil(struct checkpoint *checkpoint)
{
    checkpoint->spoilt = true;
}

void checkpoint_end(struct checkpoint *checkpoint, bool ended)
{
    struct verify *verify = checkpoint->verify;
    int64_t worth_ms = verify->spill == NULL ? WORTH_MS : PERIOD_MS; /* the data is to be synced */
    bool worth =
        !ended || checkpoint->on_disk || clock_monotonic_ms() - verify->started_ms >= worth_ms;
    pthread_mutex_lock(&verify->sums_mutex);
    if (worth && checkpoint->unproven == NULL && !checkpoint->spoilt &&
        count_done(checkpoint) > checkpoint->written_count) {
        write_now(checkpoint);
    }
    pthread_mutex_unlock(&verify->sums_mutex);
}

void checkpoint_remove(struct checkpoint *checkpoint)
{
    struct error error;
    const struct verify *verify = checkpoint->verify;
    if (state_folder_remove_file(&verify->run->folder, file_name(verify->options.level), &error) !=
        STATUS_OK) {
        log_write(LOG_WARNING, "a finished validation stays noted as interrupted: %s: %s",
                  error.object, error.message);
    }
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (checkpoint != NULL) {
        arena_destroy(checkpoint->found_arena);
        checkpoint->found_arena = NULL;
    }
}

void checkpoint_pass_by(struct verify *verify)
{
    static const enum verify_level kept[] = {VERIFY_HASH, VERIFY_FULL};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        const char *path = name_file(verify, kept[i]);
        char text[160];
        if (kept[i] == verify->options.level || path == NULL || !file_exists(path)) {
            continue;
        }
        snprintf(
            text, sizeof(text),
            "a validation at level %s was interrupted; this one has another level and leaves it "
            "to be continued",
            verify_level_name(kept[i]));
        checkpoint_say(verify, text);
    }
}
