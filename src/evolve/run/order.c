#include "evolve/run/order.h"

#include "base/buffer.h"
#include "evolve/folder/steps.h"
#include "evolve/folder/version.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The input that planning goes by, and the plan. */
struct planning {
    const struct schema_history *history;
    const struct migration_set *set;
    const struct schema_order *order;
    struct arena *arena;
    struct schema_plan *plan;
    uint32_t act_capacity;
    uint32_t finding_capacity;
    const char *to_key; /* NULL: no bound */
};

static struct schema_act *add_act(struct planning *planning, enum history_action action,
                                  const struct migration *file, const struct schema_entry *entry)
{
    struct schema_plan *plan = planning->plan;
    plan->acts = arena_make_room(planning->arena, plan->acts, plan->count, &planning->act_capacity,
                                 sizeof(*plan->acts));
    struct schema_act *act = &plan->acts[plan->count++];
    *act = (struct schema_act){.action = action,
                               .file = file,
                               .entry = entry,
                               .version = file != NULL ? file->version : entry->version,
                               .name = file != NULL ? file->name : entry->name};
    if (file != NULL) {
        act->text = action == HISTORY_DOWN ? &file->down : &file->up;
    }
    return act;
}

static void add_finding(struct planning *planning, enum schema_finding_kind kind,
                        const struct migration *file, const struct schema_entry *entry,
                        const char *what)
{
    struct schema_plan *plan = planning->plan;
    plan->findings = arena_make_room(planning->arena, plan->findings, plan->finding_count,
                                     &planning->finding_capacity, sizeof(*plan->findings));
    plan->findings[plan->finding_count++] = (struct schema_finding){kind, file, entry, what};
}

/* ---------------------------------------------------------------- what stands */

bool schema_entry_is_change(const struct schema_entry *entry)
{
    return entry->act.action == HISTORY_CHANGE || entry->act.action == HISTORY_ABORT;
}

static bool is_below_baseline(const struct planning *planning, const char *key)
{
    const char *baseline = planning->history->baseline_key;
    return baseline != NULL && migration_is_up_to(planning->set, key, baseline);
}

bool schema_change_is_pending(const struct schema_history *history, const struct migration_set *set,
                              const struct migration_change *change)
{
    const char *baseline = history->baseline_key;
    uint32_t found = name_index_find(&history->by_version, change->key, strlen(change->key));
    bool known = found != NAME_INDEX_NONE &&
                 (history->entries[found].stands || history->entries[found].unfinished);
    return !known && (baseline == NULL || !migration_is_up_to(set, change->key, baseline));
}

static bool stands(const struct planning *planning, const struct migration *file,
                   const struct schema_entry *entry)
{
    return (entry != NULL && entry->stands) ||
           (file->key != NULL && is_below_baseline(planning, file->key));
}

static bool is_changed(const char *kept, const char *now)
{
    return kept != NULL && strncmp(kept, "s1:", 3) == 0 && now[0] != '\0' && strcmp(kept, now) != 0;
}

static bool is_up_to_date(const struct schema_entry *entry, const struct migration *file)
{
    return entry != NULL && entry->stands && !entry->unfinished && entry->act.checksum != NULL &&
           strcmp(entry->act.checksum, file->up.checksum) == 0;
}

/* The index behind the last item that stands; 0: none does. */
static uint32_t behind_highest(const struct planning *planning)
{
    uint32_t behind = 0;
    for (uint32_t i = 0; i < planning->set->count; i++) {
        const struct migration *file = &planning->set->items[i];
        if (file->kind == MIGRATION_VERSIONED &&
            stands(planning, file, schema_entry_of(planning->history, file))) {
            behind = i + 1;
        }
    }
    return behind;
}

/* ---------------------------------------------------------------- findings */

static void find_of_entry(struct planning *planning, const struct schema_entry *entry)
{
    if (entry->unfinished) {
        add_finding(planning, SCHEMA_UNFINISHED, entry->file, entry, NULL);
        return;
    }
    if (!entry->stands) {
        return;
    }
    if (entry->file == NULL) {
        /* An entry that was imported without a file never had one here. */
        bool never = entry->act.action == HISTORY_IMPORT && entry->act.checksum == NULL;
        if (entry->act.action != HISTORY_BASELINE && !never && !schema_entry_is_change(entry)) {
            add_finding(planning, SCHEMA_MISSING, NULL, entry, NULL);
        }
        return;
    }
    bool compared = entry->act.action != HISTORY_BASELINE && entry->version != NULL;
    if (compared && is_changed(entry->act.checksum, entry->file->up.checksum)) {
        add_finding(planning, SCHEMA_CHANGED, entry->file, entry, NULL);
    }
    if (compared && is_changed(entry->act.down_checksum, entry->file->down.checksum)) {
        add_finding(planning, SCHEMA_DOWN_CHANGED, entry->file, entry, NULL);
    }
}

static const char *lacking(const struct planning *planning, const struct migration *file)
{
    const struct column_list *requires = &file->up.options.requires;
    for (uint32_t i = 0; i < requires->count; i++) {
        const char *key = migration_version_key(requires->names[i], planning->arena);
        const struct migration *other = migration_by_key(planning->set, key);
        uint32_t found = name_index_find(&planning->history->by_version, key, strlen(key));
        bool there = is_below_baseline(planning, key) ||
                     (found != NAME_INDEX_NONE && planning->history->entries[found].stands);
        /* One that comes before it in the same command will stand by then. */
        if (!there && (other == NULL || other >= file)) {
            return requires->names[i];
        }
    }
    return NULL;
}

static void find_of_file(struct planning *planning, const struct migration *file, bool late)
{
    const struct schema_entry *entry = schema_entry_of(planning->history, file);
    if (file->kind == MIGRATION_BASELINE || (entry != NULL && entry->unfinished)) {
        return;
    }
    if (file->kind == MIGRATION_REPEATABLE ? is_up_to_date(entry, file)
                                           : stands(planning, file, entry)) {
        return;
    }
    const char *requires = lacking(planning, file);
    if (requires != NULL) {
        add_finding(planning, SCHEMA_REQUIRES, file, entry, requires);
    }
    late = late && file->kind == MIGRATION_VERSIONED && !planning->set->is_graph &&
           file->up.options.requires.count == 0;
    add_finding(planning, late ? SCHEMA_LATE : SCHEMA_PENDING, file, entry, NULL);
}

static void order_find(struct planning *planning)
{
    uint32_t behind = behind_highest(planning);
    for (uint32_t i = 0; i < planning->history->count; i++) {
        find_of_entry(planning, &planning->history->entries[i]);
    }
    for (uint32_t i = 0; i < planning->set->count; i++) {
        find_of_file(planning, &planning->set->items[i], i < behind);
    }
}

void schema_find(const struct schema_history *history, const struct migration_set *set,
                 struct arena *arena, struct schema_plan *plan)
{
    struct planning planning = {.history = history, .set = set, .arena = arena, .plan = plan};
    *plan = (struct schema_plan){0};
    order_find(&planning);
}

/* ---------------------------------------------------------------- refusals */

/* "003, 005 and 4 more" of what is of that kind; 0: nothing is. */
static uint32_t list_of_kind(const struct planning *planning, enum schema_finding_kind kind,
                             char *out, size_t capacity)
{
    enum { SHOWN_MAX = 6 };
    struct buffer list = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < planning->plan->finding_count; i++) {
        const struct schema_finding *finding = &planning->plan->findings[i];
        if (finding->kind == kind && count++ < SHOWN_MAX) {
            const char *name =
                finding->file != NULL ? finding->file->up.path : finding->entry->version;
            buffer_format(&list, "%s%s", count > 1 ? ", " : "", name);
        }
    }
    if (count > SHOWN_MAX) {
        buffer_format(&list, " and %u more", count - SHOWN_MAX);
    }
    snprintf(out, capacity, "%s", buffer_string(&list));
    buffer_free(&list);
    return count;
}

static enum status order_refuse(const struct planning *planning, struct error *error)
{
    char list[512];
    if (planning->order->down) {
        return STATUS_OK; /* whoever works on a file takes it back and brings it again */
    }
    uint32_t count = list_of_kind(planning, SCHEMA_CHANGED, list, sizeof(list));
    if (count > 0) {
        error_set(error, ERROR_MIGRATION_REFUSED, NULL,
                  count == 1 ? "%s was changed after it was applied"
                             : "%s were changed after they were applied",
                  list);
        return error_hint(error,
                          "Put it back as it was and write a new migration; `transhume "
                          "schema repair VERSION DB --accept-checksum` accepts it as it is.");
    }
    count = list_of_kind(planning, SCHEMA_LATE, list, sizeof(list));
    if (count > 0 && !planning->order->out_of_order) {
        error_set(error, ERROR_MIGRATION_REFUSED, NULL,
                  count == 1 ? "%s is not applied, though higher versions are"
                             : "%s are not applied, though higher versions are",
                  list);
        return error_hint(error, "Give it a higher version, run it now with --out-of-order, or "
                                 "say in its header which versions it needs (transhume:requires).");
    }
    count = list_of_kind(planning, SCHEMA_REQUIRES, list, sizeof(list));
    if (count > 0) {
        return error_set(error, ERROR_MIGRATION_REFUSED, NULL,
                         "what %s requires is not applied: see `transhume schema status`", list);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- acts */

enum alter_language schema_act_language(const struct schema_act *act,
                                        const struct alter_functions *alter)
{
    uint32_t language = 0;
    if (act->file != NULL) {
        return act->file->language;
    }
    while (language + 1 < ALTER_LANGUAGE_COUNT && (alter->languages & (1u << language)) == 0) {
        language++;
    }
    return (enum alter_language)language;
}

/* The file's way back, if it has one; else the history is asked for it. */
static void take_way_back(struct schema_act *act)
{
    act->text = act->file != NULL && act->file->down.text != NULL ? &act->file->down : NULL;
    act->version = act->entry->version;
    act->name = act->entry->name;
}

/* The file that an unfinished act is of; NULL: it is gone. */
static const struct migration *file_of_act(const struct planning *planning,
                                           const struct schema_entry *entry)
{
    if (entry->act.action != HISTORY_BASELINE) {
        return entry->file;
    }
    for (uint32_t i = 0; i < planning->set->count; i++) {
        const struct migration *file = &planning->set->items[i];
        if (file->kind == MIGRATION_BASELINE && strcmp(file->key, entry->key) == 0) {
            return file;
        }
    }
    return NULL;
}

static enum status refuse_change(const struct schema_entry *entry, struct error *error)
{
    bool over = !entry->unfinished;
    error_set(error, ERROR_MIGRATION_REFUSED, entry->version,
              over ? "it is a declared change that was completed: it has no way back"
                   : "the declared change %s is under way",
              entry->name);
    return error_hint(error, over ? "Write what takes it back into a file of the next version."
                                  : "`transhume change complete DB` or `transhume change abort DB` "
                                    "ends it; `transhume change status DB` says how far it is.");
}

/* An act that was broken off goes on before anything else. */
static enum status resume_unfinished(struct planning *planning, struct error *error)
{
    for (uint32_t i = 0; i < planning->history->count; i++) {
        const struct schema_entry *entry = &planning->history->entries[i];
        if (!entry->unfinished) {
            continue;
        }
        const char *shown = entry->version != NULL ? entry->version : entry->name;
        if (schema_entry_is_change(entry)) {
            return refuse_change(entry, error);
        }
        bool down = entry->act.action == HISTORY_DOWN;
        if (planning->order->down != down && !planning->order->finishes && !down) {
            error_set(error, ERROR_MIGRATION_REFUSED, shown, "its way up was broken off");
            return error_hint(error,
                              "`transhume schema up DB` finishes it first; `transhume schema "
                              "repair` says otherwise what stands of it.");
        }
        const struct migration *file = file_of_act(planning, entry);
        if (!down && file == NULL) {
            error_set(error, ERROR_MIGRATION_REFUSED, shown,
                      "it was broken off, and its file is gone");
            return error_hint(error,
                              "Put the file back; or say what stands: `transhume schema "
                              "repair %s DB --mark-applied` or --mark-reverted.",
                              shown);
        }
        struct schema_act *act = add_act(planning, entry->act.action, file, entry);
        act->resumes = true;
        if (down) {
            take_way_back(act);
        }
    }
    return STATUS_OK;
}

static bool is_within(const struct planning *planning, uint32_t index)
{
    if (planning->to_key == NULL) {
        return true;
    }
    for (uint32_t i = index; i < planning->set->count; i++) {
        const struct migration *file = &planning->set->items[i];
        if (file->kind == MIGRATION_VERSIONED && strcmp(file->key, planning->to_key) == 0) {
            return true;
        }
    }
    return false;
}

/* Is it as if nothing had ever been done? What failed does not count. */
static bool is_untouched(const struct schema_history *history)
{
    for (uint32_t i = 0; i < history->count; i++) {
        if (history->entries[i].act.number > 0) {
            return false;
        }
    }
    return true;
}

/* The highest baseline that `to` allows, for a database without a history, or the one that was
 * broken off; NULL: none. */
static const struct migration *choose_baseline(const struct planning *planning)
{
    const struct migration *found = NULL;
    for (uint32_t i = 0; i < planning->plan->count; i++) {
        if (planning->plan->acts[i].action == HISTORY_BASELINE) {
            return planning->plan->acts[i].file;
        }
    }
    for (uint32_t i = 0; i < planning->set->count && is_untouched(planning->history); i++) {
        const struct migration *file = &planning->set->items[i];
        if (file->kind == MIGRATION_BASELINE &&
            (planning->to_key == NULL ||
             migration_is_up_to(planning->set, file->key, planning->to_key))) {
            found = file;
        }
    }
    return found;
}

/* An act that goes on is one of so many that were asked for: else who repeats `down 1` after it was
 * broken off would lose one version more. */
static uint32_t count_resumed(const struct planning *planning, enum history_action action)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < planning->plan->count; i++) {
        count += planning->plan->acts[i].resumes && planning->plan->acts[i].action == action;
    }
    return count;
}

/* The declared change that comes before the file; NULL: none is pending. */
static const struct migration_change *change_before(const struct planning *planning,
                                                    const struct migration *file)
{
    const struct migration_set *set = planning->set;
    for (uint32_t i = 0; i < set->change_count && !planning->order->out_of_order; i++) {
        const struct migration_change *change = &set->changes[i];
        if (strcmp(change->key, file->key) < 0 &&
            schema_change_is_pending(planning->history, set, change)) {
            return change;
        }
    }
    return NULL;
}

static enum status refuse_before_change(const struct migration *file,
                                        const struct migration_change *change, struct error *error)
{
    error_set(error, ERROR_MIGRATION_REFUSED, file->up.path,
              "the declared change %s comes before it, and is not completed", change->path);
    return error_hint(
        error,
        "`transhume change start %s DB` and `transhume change complete DB`, then go on; "
        "or `transhume schema up DB --out-of-order`.",
        change->path);
}

/* Files that come before a pending change are run; then there is nothing left but to say so. */
static enum status plan_up(struct planning *planning, struct error *error)
{
    uint32_t most = planning->order->most == 0 ? UINT32_MAX : planning->order->most;
    const struct migration *baseline = choose_baseline(planning);
    uint32_t taken = count_resumed(planning, HISTORY_UP);
    if (baseline != NULL && planning->plan->count == 0) {
        add_act(planning, HISTORY_BASELINE, baseline, NULL);
        taken++;
    }
    for (uint32_t i = 0; i < planning->set->count; i++) {
        const struct migration *file = &planning->set->items[i];
        const struct schema_entry *entry = schema_entry_of(planning->history, file);
        if (file->kind != MIGRATION_VERSIONED || (entry != NULL && entry->unfinished) ||
            stands(planning, file, entry) ||
            (baseline != NULL && migration_is_up_to(planning->set, file->key, baseline->key))) {
            continue;
        }
        if (taken++ >= most || !is_within(planning, i)) {
            return STATUS_OK; /* nor what is repeatable: it is of all versions */
        }
        const struct migration_change *change = change_before(planning, file);
        if (change != NULL) {
            return planning->plan->count > 0 ? STATUS_OK
                                             : refuse_before_change(file, change, error);
        }
        add_act(planning, HISTORY_UP, file, entry);
    }
    for (uint32_t i = 0; i < planning->set->count && planning->to_key == NULL; i++) {
        const struct migration *file = &planning->set->items[i];
        const struct schema_entry *entry = schema_entry_of(planning->history, file);
        bool unfinished = entry != NULL && entry->unfinished;
        if (file->kind == MIGRATION_REPEATABLE && !unfinished && !is_up_to_date(entry, file)) {
            add_act(planning, HISTORY_REPEAT, file, entry);
        }
    }
    return STATUS_OK;
}

/* Numbers by their size; others in the order in which they were applied. */
static int compare_downwards(const void *left, const void *right)
{
    const struct schema_entry *a = *(const struct schema_entry *const *)left;
    const struct schema_entry *b = *(const struct schema_entry *const *)right;
    if (migration_version_is_number(a->key) && migration_version_is_number(b->key)) {
        return strcmp(b->key, a->key);
    }
    return a->act.number < b->act.number ? 1 : a->act.number > b->act.number ? -1 : 0;
}

enum status schema_plan_fill(struct schema_plan *plan, struct arena *arena,
                             schema_way_back *way_back, void *context, struct error *error)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        struct schema_act *act = &plan->acts[i];
        const char *back = NULL;
        if (act->text != NULL) {
            continue;
        }
        if (way_back(context, act->entry->act.number, &back, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (back == NULL) {
            error_set(error, ERROR_MIGRATION_REFUSED, act->version, "there is no way back from it");
            return error_hint(error,
                              "Write %s_%s.down.sql, or say that it is taken back already: "
                              "`transhume schema repair %s DB --mark-reverted`.",
                              act->version, act->name, act->version);
        }
        struct migration_text *text = arena_allocate_zeroed(arena, 1, sizeof(*text));
        *text = (struct migration_text){
            .path = arena_format(arena, "%s, its way back in the history", act->version),
            .text = back,
            .length = strlen(back),
            .line = 1,
            .options = {.lock_ms = -1, .statement_ms = -1}};
        migration_checksum(text->text, text->length, text->checksum);
        act->text = text;
    }
    return STATUS_OK;
}

enum status schema_plan_check(const struct schema_plan *plan, const struct alter_functions *alter,
                              struct buffer *lines, struct error *error)
{
    struct plan_faults faults;
    plan_faults_init(&faults, "", lines);
    faults.what = "migrations";
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct schema_act *act = &plan->acts[i];
        if (act->action != HISTORY_DOWN) {
            migration_check_steps(act->file, alter, &faults);
            continue;
        }
        const struct migration back = {.language = schema_act_language(act, alter),
                                       .up = *act->text};
        migration_check_steps(&back, alter, &faults);
    }
    return plan_faults_result(&faults, error);
}

/* Is the entry the one that is to stay, or below it? Of versions that are no numbers those are
 * taken back that were applied behind it. */
static bool is_bound(const struct planning *planning, const struct schema_entry *entry)
{
    if (migration_version_is_number(entry->key) && migration_version_is_number(planning->to_key)) {
        return strcmp(entry->key, planning->to_key) <= 0;
    }
    return strcmp(entry->key, planning->to_key) == 0;
}

static enum status plan_down(struct planning *planning, struct error *error)
{
    const struct schema_history *history = planning->history;
    const struct schema_order *order = planning->order;
    uint32_t most = order->most > 0 ? order->most : order->to != NULL ? UINT32_MAX : 1;
    const struct schema_entry **standing =
        arena_allocate_zeroed(planning->arena, history->count + 1, sizeof(const void *));
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct schema_entry *entry = &history->entries[i];
        if (entry->version != NULL && entry->stands && !entry->unfinished) {
            standing[count++] = entry;
        }
    }
    qsort(standing, count, sizeof(const void *), compare_downwards);
    uint32_t resumed = count_resumed(planning, HISTORY_DOWN);
    for (uint32_t i = 0; i < count && i + resumed < most; i++) {
        const struct schema_entry *entry = standing[i];
        if (planning->to_key != NULL && is_bound(planning, entry)) {
            break;
        }
        if (entry->act.action == HISTORY_BASELINE) {
            error_set(error, ERROR_MIGRATION_REFUSED, entry->version,
                      "it is the baseline, from which there is no way back");
            return STATUS_FAILED;
        }
        if (schema_entry_is_change(entry)) {
            return refuse_change(entry, error);
        }
        take_way_back(add_act(planning, HISTORY_DOWN, entry->file, entry));
    }
    return STATUS_OK;
}

/* The version that `to` names must be known; below all of them "0" is. */
static enum status find_to(struct planning *planning, struct error *error)
{
    const char *to = planning->order->to;
    if (to == NULL) {
        return STATUS_OK;
    }
    planning->to_key = migration_version_key(to, planning->arena);
    bool known = migration_by_key(planning->set, planning->to_key) != NULL;
    if (planning->order->down) {
        const struct name_index *index = &planning->history->by_version;
        known =
            known || strcmp(planning->to_key, migration_version_key("0", planning->arena)) == 0 ||
            name_index_find(index, planning->to_key, strlen(planning->to_key)) != NAME_INDEX_NONE;
    }
    return known ? STATUS_OK
                 : error_set(error, ERROR_USAGE, "--to", "there is no version %s in %s", to,
                             planning->set->folder);
}

enum status schema_plan_make(const struct schema_history *history, const struct migration_set *set,
                             const struct schema_order *order, struct arena *arena,
                             struct schema_plan *plan, struct error *error)
{
    struct planning planning = {
        .history = history, .set = set, .order = order, .arena = arena, .plan = plan};
    *plan = (struct schema_plan){0};
    order_find(&planning);
    if (find_to(&planning, error) != STATUS_OK || order_refuse(&planning, error) != STATUS_OK ||
        resume_unfinished(&planning, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (order->finishes) {
        return STATUS_OK;
    }
    if (order->down) {
        return plan_down(&planning, error);
    }
    return plan_up(&planning, error);
}
