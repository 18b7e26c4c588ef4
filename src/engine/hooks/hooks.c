#include "engine/hooks/hooks.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/hooks/hooks_run.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include "model/json_tree.h"
#include "plan/hooks.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { HOOKS_FILE_BYTES_MAX = 16 << 20, SHOWN_BYTES = 160 };

/* The known state of a hook. */
enum hook_state { HOOK_NOT_BEGUN, HOOK_BEGUN, HOOK_FAILED, HOOK_DONE };
static const char *const state_names[] = {
    [HOOK_NOT_BEGUN] = "", [HOOK_BEGUN] = "begun", [HOOK_FAILED] = "failed", [HOOK_DONE] = "done"};

struct hook_note {
    enum hook_state state;
    uint32_t statement; /* the one that had begun, from 0 */
};

static bool has_hooks(const struct run *run)
{
    const struct run_session *session = run->session;
    return !session->options.hooks.none && !run->loads_rejects && !run->repairs &&
           session->options.cut_over.reverse_of == NULL;
}

bool hooks_has(const struct run *run, int moment)
{
    const struct plan *plan = run->session->plan;
    for (uint32_t i = 0; has_hooks(run) && i < plan->hook_count; i++) {
        if (plan->hooks[i].moment == (enum hook_moment)moment) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- notes */

static json_t *make_note(const struct plan_hook *hook, const struct hook_note *note)
{
    return json_pack("{s:i,s:o,s:o,s:s,s:I}", "format", CONTROL_FORMAT, "title",
                     json_text(hook->title), "text", json_text(hook->text), "state",
                     state_names[note->state], "statement", (json_int_t)note->statement);
}

static void read_note(const json_t *object, struct hook_note *note)
{
    const char *name = json_member_text(object, "state", "");
    *note = (struct hook_note){.statement = (uint32_t)json_member_integer(object, "statement", 0)};
    for (size_t i = 0; i < sizeof state_names / sizeof state_names[0]; i++) {
        note->state = strcmp(state_names[i], name) == 0 ? (enum hook_state)i : note->state;
    }
}

static const char *file_of(const struct run *run)
{
    return file_join(run->arena, run->folder.path, HOOKS_FILE);
}

/* The notes of the state folder, a member of `root`, which the caller owns. */
static enum status read_file(const struct run *run, json_t **root, json_t **notes,
                             struct error *error)
{
    char *text;
    size_t length;
    const char *path = file_of(run);
    enum status status =
        file_read_all(path, HOOKS_FILE_BYTES_MAX, run->arena, &text, &length, error);
    if (status == STATUS_OK) {
        status = json_from_text(text, path, ERROR_STATE_INVALID, root, error);
    } else if (status == STATUS_END) {
        *root = json_pack("{s:i}", "format", CONTROL_FORMAT);
        status = STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    *notes = json_object_get(*root, "hooks");
    if (!json_is_object(*notes)) {
        *notes = json_object();
        json_object_set_new(*root, "hooks", *notes);
    }
    return STATUS_OK;
}

static enum status put_in_file(const struct run *run, const struct plan_hook *hook,
                               const struct hook_note *note, struct error *error)
{
    json_t *root;
    json_t *notes;
    struct buffer text = {0};
    if (read_file(run, &root, &notes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    json_object_set_new(notes, hook->id, make_note(hook, note));
    const char *path = file_of(run);
    enum status status =
        json_tree_append(root, JSON_INDENT(2), &text)
            ? file_write_atomic(path, text.data, text.length, NULL, error)
            : error_set(error, ERROR_INTERNAL, path, "what hooks did can't be put as JSON");
    json_decref(root);
    buffer_free(&text);
    return status;
}

static const char *intent_name(const struct run *run, const char *id)
{
    return arena_format(run->arena, "hook-%s", id);
}

static enum status put_in_ledger(const struct run *run, const char *id, const json_t *note,
                                 struct error *error)
{
    struct buffer text = {0};
    enum status status =
        json_tree_append(note, JSON_COMPACT, &text)
            ? ledger_put_intent(run->session->ledger, run->id, intent_name(run, id),
                                buffer_string(&text), error)
            : error_set(error, ERROR_INTERNAL, run->id, "what a hook did can't be put as JSON");
    buffer_free(&text);
    return status;
}

static bool is_before_ledger(const struct plan_hook *hook)
{
    return hook->moment == HOOK_BEFORE && hook->table == HOOK_OF_RUN;
}

static enum status put_note(struct run *run, const struct plan_hook *hook,
                            const struct hook_note *note, struct error *error)
{
    if (is_before_ledger(hook)) {
        return put_in_file(run, hook, note, error);
    }
    json_t *object = make_note(hook, note);
    enum status status = put_in_ledger(run, hook->id, object, error);
    json_decref(object);
    return status;
}

static enum status get_note(struct run *run, const struct plan_hook *hook, struct hook_note *note,
                            struct error *error)
{
    json_t *object = NULL;
    *note = (struct hook_note){0};
    if (is_before_ledger(hook)) {
        json_t *notes;
        enum status status = read_file(run, &object, &notes, error);
        if (status == STATUS_OK) {
            read_note(json_object_get(notes, hook->id), note);
            json_decref(object);
        }
        return status;
    }
    const char *text;
    enum status status = ledger_get_intent(run->session->ledger, run->id,
                                           intent_name(run, hook->id), run->arena, &text, error);
    if (status == STATUS_OK) {
        status = json_from_text(text, hook->title, ERROR_LEDGER_INVALID, &object, error);
        if (status == STATUS_OK) {
            read_note(object, note);
            json_decref(object);
        }
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status hooks_keep(struct run *run, struct error *error)
{
    json_t *root;
    json_t *notes;
    const char *id;
    json_t *note;
    if (!has_hooks(run) || run->session->plan->hook_count == 0) {
        return STATUS_OK;
    }
    enum status status = read_file(run, &root, &notes, error);
    if (status != STATUS_OK) {
        return status;
    }
    json_object_foreach(notes, id, note)
    {
        status = status == STATUS_OK ? put_in_ledger(run, id, note, error) : status;
    }
    json_decref(root);
    return status;
}

/* ---------------------------------------------------------------- what had begun */

static const char *shown_text(const struct plan_hook *hook, char *shown)
{
    text_printable(hook->text, strlen(hook->text), shown, SHOWN_BYTES);
    return shown;
}

static enum status refuse_begun(const struct plan_hook *hook, const struct hook_note *note,
                                struct error *error)
{
    char shown[SHOWN_BYTES];
    if (hook->statement_count > 1) {
        error_set(error, ERROR_HOOK_REFUSED, hook->place,
                  "statement %u of the hook `%s` had begun, and is not known to be done: %s",
                  (unsigned)note->statement + 1, hook->title, shown_text(hook, shown));
    } else {
        error_set(error, ERROR_HOOK_REFUSED, hook->place,
                  "the hook `%s` had begun, and is not known to be done: %s", hook->title,
                  shown_text(hook, shown));
    }
    return error_hint(error, "see whether it was done, then `transhume resume --begun-hooks skip`, "
                             "or repeat; `once: false` in the plan always repeats it");
}

/* Where to go on with it. STATUS_END: it is done. */
static enum status hooks_decide(const struct run *run, const struct plan_hook *hook,
                                struct hook_note *note, struct error *error)
{
    enum begun_hooks_choice choice = run->session->options.hooks.begun;
    if (note->state == HOOK_DONE) {
        return STATUS_END;
    }
    if (note->state == HOOK_FAILED) {
        log_write(LOG_INFO, "hook `%s`: it failed before, and is run again", hook->title);
    }
    if (note->state != HOOK_BEGUN) {
        return STATUS_OK;
    }
    if (!hook->once || choice == BEGUN_HOOKS_REPEAT) {
        log_write(LOG_WARNING,
                  "hook `%s`: it had begun, and is not known to be done: it is run again",
                  hook->title);
        return STATUS_OK;
    }
    if (choice != BEGUN_HOOKS_SKIP) {
        return refuse_begun(hook, note, error);
    }
    log_write(LOG_WARNING, "hook `%s`: what of it had begun is skipped, as --begun-hooks says",
              hook->title);
    note->statement++;
    return note->statement < hook->statement_count ? STATUS_OK : STATUS_END;
}

/* ---------------------------------------------------------------- running one */

static enum status run_statement(struct run *run, const struct plan_hook *hook,
                                 struct hook_session *open, struct hook_note *note,
                                 struct error *error)
{
    note->state = HOOK_BEGUN;
    if (failpoint_hit("hooks.before_note", error) != STATUS_OK ||
        put_note(run, hook, note, error) != STATUS_OK ||
        failpoint_hit("hooks.after_note", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = hook_run_statement(open, hook, note->statement, error);
    if (status == STATUS_OK) {
        return failpoint_hit("hooks.after_run", error);
    }
    struct error ignored;
    if (error->code != ERROR_TARGET_UNKNOWN_OUTCOME) {
        note->state = HOOK_FAILED;
        if (put_note(run, hook, note, &ignored) != STATUS_OK) {
            log_write(LOG_WARNING, "that the hook `%s` failed could not be noted: %s", hook->title,
                      ignored.message);
        }
    }
    return hook_failure(hook, note->statement, error);
}

static enum status run_hook(struct run *run, const struct plan_hook *hook, struct error *error)
{
    struct hook_note note;
    struct hook_session open;
    if (get_note(run, hook, &note, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = hooks_decide(run, hook, &note, error);
    if (status == STATUS_END && note.state == HOOK_DONE) {
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        log_write(LOG_INFO, "hook `%s`", hook->title);
        status = hook_session_open(run, hook, &open, error);
        uint32_t count = hook->statements != NULL ? hook->statement_count : 1;
        for (; status == STATUS_OK && note.statement < count; note.statement++) {
            status = run_statement(run, hook, &open, &note, error);
        }
        hook_session_close(&open);
    }
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    note.state = HOOK_DONE;
    return put_note(run, hook, &note, error) == STATUS_OK ? failpoint_hit("hooks.after_done", error)
                                                          : STATUS_FAILED;
}

static enum status run_moment(struct run *run, enum hook_moment moment, bool of_run,
                              struct error *error)
{
    const struct plan *plan = run->session->plan;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; has_hooks(run) && status == STATUS_OK && i < plan->hook_count; i++) {
        if (plan->hooks[i].moment == moment && (plan->hooks[i].table == HOOK_OF_RUN) == of_run) {
            status = run_hook(run, &plan->hooks[i], error);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- the moments */

enum status hooks_check(const struct run_session *session, struct error *error)
{
    const struct plan *plan = session->plan;
    char shown[SHOWN_BYTES];
    for (uint32_t i = 0; i < plan->hook_count; i++) {
        const struct plan_hook *hook = &plan->hooks[i];
        if (hook->arguments == NULL || session->options.hooks.none ||
            session->options.hooks.allow_commands) {
            continue;
        }
        error_set(error, ERROR_HOOK_REFUSED, hook->place,
                  "the hook `%s` is a command, and a plan may come from others: %s", hook->title,
                  shown_text(hook, shown));
        return error_hint(error, "read the plan's commands, then give --allow-commands; or run "
                                 "none of its hooks: --no-hooks");
    }
    return STATUS_OK;
}

enum status hooks_before_run(struct run *run, bool again, struct error *error)
{
    if (!has_hooks(run)) {
        return STATUS_OK;
    }
    if (!again && state_folder_remove_file(&run->folder, HOOKS_FILE, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return run_moment(run, HOOK_BEFORE, true, error);
}

enum status hooks_before_tables(struct run *run, struct error *error)
{
    return run_moment(run, HOOK_BEFORE, false, error);
}

enum status hooks_after_begun(struct run *run, bool *begun, struct error *error)
{
    const struct plan *plan = run->session->plan;
    *begun = false;
    for (uint32_t i = 0; has_hooks(run) && !*begun && i < plan->hook_count; i++) {
        struct hook_note note;
        if (plan->hooks[i].moment != HOOK_AFTER) {
            continue;
        }
        if (get_note(run, &plan->hooks[i], &note, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        *begun = note.state != HOOK_NOT_BEGUN;
    }
    return STATUS_OK;
}

enum status hooks_after(struct run *run, struct error *error)
{
    enum status status = run_moment(run, HOOK_AFTER, false, error);
    return status == STATUS_OK ? run_moment(run, HOOK_AFTER, true, error) : status;
}

void hooks_on_failure(struct run *run, const struct error *failure)
{
    const struct plan *plan = run->session->plan;
    for (uint32_t i = 0; has_hooks(run) && i < plan->hook_count; i++) {
        const struct plan_hook *hook = &plan->hooks[i];
        struct hook_session open;
        struct error error = {0};
        if (hook->moment != HOOK_FAILURE ||
            (hook->arguments != NULL && !run->session->options.hooks.allow_commands)) {
            continue;
        }
        log_write(LOG_INFO, "hook `%s`", hook->title);
        enum status status = hook_session_open(run, hook, &open, &error);
        open.failure = failure;
        uint32_t count = hook->statements != NULL ? hook->statement_count : 1;
        for (uint32_t k = 0; status == STATUS_OK && k < count; k++) {
            status = hook_run_statement(&open, hook, k, &error);
        }
        hook_session_close(&open);
        if (status != STATUS_OK) {
            log_write(LOG_WARNING, "the hook `%s` failed: %s", hook->title, error.message);
        }
    }
}

void hooks_describe(const struct run_session *session, struct buffer *out)
{
    const struct plan *plan = session->plan;
    for (uint32_t i = 0; !session->options.hooks.none && i < plan->hook_count; i++) {
        const struct plan_hook *hook = &plan->hooks[i];
        char shown[1024];
        text_printable(hook->text, strlen(hook->text), shown, sizeof shown);
        buffer_format(out, "%s: %s: %s%s\n", hook->title,
                      hook->arguments != NULL ? "command"
                      : hook->in_source       ? "SQL in the source"
                                              : "SQL in the target",
                      shown, hook->once || hook->moment >= HOOK_FAILURE ? "" : " (once: false)");
    }
}
