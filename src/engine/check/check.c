/* The preflight report: counts, keys, guarantee, notes, problems, and an estimate from a timed
 * sample. */
#include "base/memory.h"
#include "base/text.h"
#include "connectors/contract/defaults.h"
#include "engine/check/check_internal.h"
#include "engine/check/code.h"
#include "engine/check/ddl.h"
#include "engine/check/foresee.h"
#include "engine/check/orphans.h"
#include "engine/check/partitions.h"
#include "engine/check/preflight.h"
#include "engine/check/rights.h"
#include "engine/follow/cutover/cutover_ask.h"
#include "engine/follow/follow_foresee.h"
#include "engine/hooks/hooks.h"
#include "engine/session/renumber.h"
#include "engine/session/session_tables.h"
#include "engine/subset/subset.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The target's words on the load: units, cost. */
static enum status tell_loads(struct checking *report, struct error *error)
{
    struct database *target = report->session->target;
    struct buffer lines = {0};
    if (connector_forecast(target->connector)->load_describe == NULL) {
        return STATUS_OK;
    }
    enum status status = connector_forecast(target->connector)
                             ->load_describe(target, report->tables, report->loads,
                                             report->session->plan->table_count, &lines, error);
    if (status == STATUS_OK) {
        check_add_each_line(report, &lines, check_add_note);
    }
    buffer_free(&lines);
    return status;
}

/* ---- the report */

static const char *keys_text(const struct checking *report, const struct plan_table *table)
{
    const char *how = table->target.key.count == 0              ? "no key"
                      : table->keys_proven                      ? "proven"
                      : session_settles(report->session, table) ? "looked for after the load"
                                                                : "enforced by the target";
    const char *keys = table->keys_reason == NULL
                           ? how
                           : arena_format(report->out->arena, "%s: %s", how, table->keys_reason);
    return table->statics_proven
               ? keys
               : arena_format(report->out->arena, "%s; %s: looked for after the load", keys,
                              table->statics_reason);
}

static const char *guarantee_text(const struct run_session *session)
{
    switch (run_guarantee(session)) {
    case GUARANTEE_EXACTLY_ONCE:
        return "after any crash and resume each record is there, and there once";
    case GUARANTEE_IDEMPOTENT:
        return "a crash may make some records be written again, under the same key with "
               "the same contents";
    default:
        return "a crash may leave some records twice";
    }
}

static void list_entities(struct checking *report)
{
    const struct plan *plan = report->session->plan;
    struct check_report *out = report->out;
    out->entities = arena_allocate_zeroed(out->arena, plan->entity_count, sizeof(*out->entities));
    report->loads = arena_allocate_zeroed(out->arena, plan->table_count, sizeof(*report->loads));
    out->entity_count = plan->entity_count;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct plan_entity *entity = &plan->entities[i];
        const struct plan_table *table = &plan->tables[entity->table];
        out->entities[i] = (struct check_entity){
            .name = entity->name,
            .table = table->target.name,
            .from = entity->from_text,
            .records = -1,
            .bytes = -1,
            .keys = keys_text(report, table),
            .chosen = -1,
            .partners = -1,
            .express = session_is_express(report->session, &plan->streams[entity->stream])};
    }
}

/* Rejects that are certain: the run itself is not refused for them. */
static enum status tell_foreseen(struct checking *report, struct error *error)
{
    struct buffer lines = {0};
    uint32_t count = report->session->plan->entity_count;
    struct orphans orphans = {
        .rejected = memory_allocate_zeroed(count + (size_t)1, sizeof *orphans.rejected)};
    for (uint32_t i = 0; i < count; i++) {
        orphans.rejected[i] = foresee_rejected(report->foresight, i);
    }
    foresee_tell(report->foresight, &lines);
    foresee_list(report->foresight, &report->out->rejects, &report->out->reject_count);
    enum status status = orphans_foresee(report->session, &lines, &orphans, error);
    for (uint32_t i = 0; i < count; i++) {
        report->out->foreseen_rejects += orphans.rejected[i];
    }
    report->out->foreseen_emptied = orphans.emptied;
    check_add_each_line(report, &orphans.notes, check_add_note);
    buffer_free(&orphans.notes);
    free(orphans.rejected);
    check_add_each_line(report, &lines, check_add_problem);
    buffer_free(&lines);
    return status;
}

static enum status tell_partitions(struct checking *report, struct error *error)
{
    struct buffer lines = {0};
    enum status status = partitions_foretell(report->session, true, &lines, error);
    if (status == STATUS_OK) {
        check_add_each_line(report, &lines, check_add_note);
    }
    buffer_free(&lines);
    return status;
}

/* Records that are read, where they may be. */
static enum status read_some(struct checking *report, struct error *error)
{
    report->foresight = foresee_create(report->session, report->tables, &report->preflight,
                                       report->absent, report->absent_count, report->out->arena);
    enum status status = check_sample_streams(report, error);
    foresee_end(report->foresight);
    if (status != STATUS_OK || tell_foreseen(report, error) != STATUS_OK ||
        tell_partitions(report, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return tell_loads(report, error);
}

/* "what is missing; the statement that helps", each in the report's arena. */
static struct check_list lack_lines(const struct checking *report, const struct lack_list *lacks)
{
    struct arena *arena = report->out->arena;
    const char **lines = arena_allocate_zeroed(arena, lacks->count + (size_t)1, sizeof *lines);
    for (uint32_t i = 0; i < lacks->count; i++) {
        const struct lack *lack = &lacks->items[i];
        lines[i] = arena_format(arena, "%s%s%s", lack->text, lack->remedy != NULL ? "; " : "",
                                lack->remedy != NULL ? lack->remedy : "");
    }
    return (struct check_list){lines, lacks->count};
}

/* A lack that stands in the way of following stands in that of a cut-over, too, and is said once.
 */
static void drop_told(struct lack_list *lacks, const struct lack_list *told)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < lacks->count; i++) {
        bool is_told = false;
        for (uint32_t t = 0; t < told->count && !is_told; t++) {
            is_told = strcmp(lacks->items[i].text, told->items[t].text) == 0;
        }
        if (!is_told) {
            lacks->items[kept++] = lacks->items[i];
        }
    }
    lacks->count = kept;
}

static enum status foresee_following(struct checking *report, struct error *error)
{
    struct run_session *session = report->session;
    struct check_follow *follow = &report->out->follow;
    struct lack_list lacks = {.arena = report->out->arena};
    struct lack_list cut_over = {.arena = report->out->arena};
    if (!session->options.follow.wanted) {
        return STATUS_OK;
    }
    if (follow_foresee(session, &lacks, follow, error) != STATUS_OK ||
        (session->source->connector->feed != NULL && session->target->connector->apply != NULL &&
         !session->target->connector->apply->keeps_log &&
         cutover_ask(session, NULL, CUTOVER_ASKED_FIRST, &cut_over, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    drop_told(&cut_over, &lacks);
    follow->refusals = lack_lines(report, &lacks);
    follow->cut_over = lack_lines(report, &cut_over);
    for (uint32_t i = 0; i < lacks.count; i++) {
        check_add_problem(report, follow->refusals.lines[i]);
        check_worsen(report, lacks.items[i].exit_status);
    }
    return STATUS_OK;
}

/* The hooks that the plan runs beside the copy, and whether it may. */
static void show_hooks(struct checking *report)
{
    struct run_session *session = report->session;
    struct buffer lines = {0};
    struct error error = {0};
    const char **list = NULL;
    uint32_t count = 0;
    uint32_t capacity = 0;
    hooks_describe(session, &lines);
    char *copy = lines.length == 0 ? NULL : memory_copy_string(buffer_string(&lines));
    char *next = copy;
    for (char *line; (line = strsep(&next, "\n")) != NULL && *line != '\0';) {
        check_add_line(report, &list, &count, &capacity, line);
    }
    free(copy);
    report->out->hooks = (struct check_list){list, count};
    buffer_clear(&lines);
    if (hooks_check(session, &error) != STATUS_OK) {
        buffer_format(&lines, "%s: %s; %s", error.object, error.message, error.hint);
        check_add_problem(report, buffer_string(&lines));
        check_worsen(report, error_exit_status(&error));
    }
    buffer_free(&lines);
}

/* The work that will be left about the rights of a plain copy. */
static enum status show_rights(struct checking *report, struct error *error)
{
    struct run_session *session = report->session;
    const struct sql_target_functions *sql_target =
        connector_sql_target(session->target->connector);
    const struct schema *objects = session_objects(session);
    struct arena *arena = report->out->arena;
    struct rights_left left = {.arena = arena};
    struct check_report *out = report->out;
    if (objects == NULL || sql_target->rights_left == NULL) {
        return STATUS_OK;
    }
    if (sql_target->rights_left(session->target, objects, &left, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char **lines = arena_allocate_zeroed(arena, left.count * (size_t)4 + 1, sizeof *lines);
    out->opened.lines = lines;
    out->openings.lines = lines + left.count;
    out->unopened.lines = lines + 2 * left.count;
    out->rights.lines = lines + 3 * left.count;
    bool opens = rights_left_open(&left);
    for (uint32_t i = 0; i < left.count; i++) {
        const struct right_left *item = &left.items[i];
        if (opens && strcmp(item->kind, "role") == 0 &&
            item->statement != NULL) { /* what closes something may name it */
            lines[left.count + out->openings.count++] = arena_format(arena, "%s;", item->statement);
            continue;
        }
        if (item->statement == NULL && !item->opens) {
            check_add_note(report, arena_format(arena, "%s: %s", item->object, item->text));
            continue;
        }
        struct check_list *why = item->opens ? &out->opened : &out->unopened;
        struct check_list *statements = item->opens ? &out->openings : &out->rights;
        lines[why->lines - lines + why->count++] =
            arena_format(arena, "%s: %s", item->object, item->text);
        if (item->statement != NULL) {
            lines[statements->lines - lines + statements->count++] =
                arena_format(arena, "%s;", item->statement);
        }
    }
    return STATUS_OK;
}

static enum status show_ddl(struct checking *report, struct error *error)
{
    struct run_session *session = report->session;
    struct check_ddl *ddl = &report->out->ddl;
    struct script script = {.arena = report->out->arena};
    const struct ddl_request request = {.tables = report->tables,
                                        .absent = report->absent,
                                        .absent_count = report->absent_count,
                                        .unfit = report->preflight.unfit_objects};
    ddl->asked = session->options.check.shows_ddl;
    ddl->scripted = connector_forecast(session->target->connector)->script != NULL;
    if (!ddl->asked) {
        return STATUS_OK;
    }
    if (ddl_columns(session, &request, report->out->arena, &ddl->columns, &ddl->column_count,
                    error) != STATUS_OK ||
        ddl_script(session, &request, &script, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    ddl->statements = script.statements;
    ddl->statement_count = script.count;
    return STATUS_OK;
}

/* Which rows --sample-rows chooses, which takes reading their keys. */
static enum status choose_rows(struct checking *report, struct error *error)
{
    struct run_session *session = report->session;
    const struct plan *plan = session->plan;
    if (session_choose_rows(session, NULL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; session->subset != NULL && i < plan->entity_count; i++) {
        const struct plan_entity *entity = &plan->entities[i];
        const struct subset_count count = subset_count_of(session->subset, entity->stream);
        struct check_entity *out = &report->out->entities[i];
        struct buffer line = {0};
        out->chosen = (int64_t)count.chosen;
        out->partners = (int64_t)count.partners;
        buffer_format(
            &line, "%s: %" PRIu64 " of %" PRIu64 " rows, and %" PRIu64 " that chosen ones refer to",
            entity->name, count.chosen, count.rows, count.partners);
        check_add_note(report, buffer_string(&line));
        buffer_free(&line);
    }
    return STATUS_OK;
}

/* The records that are read are no sample of these any more, but their number is known. */
static void count_chosen(struct checking *report)
{
    const struct plan *plan = report->session->plan;
    for (uint32_t i = 0; report->session->subset != NULL && i < plan->entity_count; i++) {
        struct check_entity *out = &report->out->entities[i];
        if (session_makes_one_each(&plan->entities[i])) {
            out->records = out->chosen + out->partners;
        }
    }
}

enum status run_check(struct run_session *session, struct check_report *out, struct error *error)
{
    struct checking report = {.session = session, .out = out};
    *out = (struct check_report){.seconds_estimate = -1, .arena = arena_create(0)};
    out->guarantee = run_guarantee(session);
    out->guarantee_text = guarantee_text(session);
    list_entities(&report);
    show_hooks(&report);
    bool failed = check_find_problems(&report, error) != STATUS_OK;
    bool readable = report.preflight.lacking_count == 0;
    failed = failed || (readable && (session_snapshot(session, 1, error) != STATUS_OK ||
                                     session_describe_streams(session, error) != STATUS_OK ||
                                     renumber_measure(session, error) != STATUS_OK));
    failed = failed || check_find_notes(&report, error) != STATUS_OK ||
             show_ddl(&report, error) != STATUS_OK || show_rights(&report, error) != STATUS_OK ||
             check_code(session, out->arena, &out->code, error) != STATUS_OK ||
             foresee_following(&report, error) != STATUS_OK ||
             rights_foresee(session, report.tables, report.absent, report.absent_count, out->arena,
                            &out->account, error) != STATUS_OK ||
             (readable &&
              (choose_rows(&report, error) != STATUS_OK || read_some(&report, error) != STATUS_OK));
    count_chosen(&report);
    preflight_free(&report.preflight);
    if (failed) {
        arena_destroy(out->arena);
        *out = (struct check_report){0};
        return STATUS_FAILED;
    }
    out->notes = report.notes;
    out->problems = report.problems;
    return STATUS_OK;
}
