/* Objects of the target that must not answer to applied changes. */
#include "engine/follow/apply/quiet.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/follow/translate/routes.h"
#include "engine/ledger/json_text.h"
#include "engine/session/session_tables.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    [FOLLOW_TRIGGERS_REFUSE] = "refuse", [FOLLOW_TRIGGERS_FIRE] = "fire"};

const char *quiet_name(enum follow_triggers_choice choice)
{
    return names[choice];
}

enum apply_answers quiet_answers(const struct run_session *session,
                                 const struct ledger_header *header)
{
    enum follow_triggers_choice choice = session->options.follow.triggers;
    const char *name = header != NULL ? header->follow_triggers : NULL;
    for (int i = FOLLOW_TRIGGERS_OFF;
         choice == FOLLOW_TRIGGERS_UNSET && name != NULL && i <= FOLLOW_TRIGGERS_FIRE; i++) {
        choice = names[i] != NULL && strcmp(names[i], name) == 0 ? (enum follow_triggers_choice)i
                                                                 : FOLLOW_TRIGGERS_UNSET;
    }
    return choice == FOLLOW_TRIGGERS_FIRE     ? APPLY_ANSWERS_FIRE
           : choice == FOLLOW_TRIGGERS_REFUSE ? APPLY_ANSWERS_REFUSED
                                              : APPLY_ANSWERS_OFF;
}

/* apply_silence.by_row, in the arena. What can't be followed is no matter here. */
static enum status find_by_row(const struct run_session *session, struct arena *arena,
                               const bool **found, struct error *error)
{
    const struct plan *plan = session->plan;
    struct follow_routes *routes;
    bool *by_row = arena_allocate_zeroed(arena, plan->table_count + (size_t)1, sizeof *by_row);
    *found = by_row;
    if (follow_routes_foresee(session, NULL, &routes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < plan->table_count; i++) {
        by_row[i] = true;
        for (uint32_t e = 0; e < plan->tables[i].entity_count; e++) {
            uint32_t stream = plan->entities[plan->tables[i].entities[e]].stream;
            by_row[i] = by_row[i] && routes->streams[stream].by_row;
        }
    }
    follow_routes_free(routes);
    return STATUS_OK;
}

enum status quiet_foresee(const struct run_session *session, struct lack_list *lacks,
                          struct buffer *out, struct error *error)
{
    const struct apply_functions *apply = session->target->connector->apply;
    const struct plan *plan = session->plan;
    struct buffer ignored = {0};
    if (apply->foresee == NULL) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    struct target_table *tables =
        arena_allocate_zeroed(arena, plan->table_count + (size_t)1, sizeof *tables);
    for (uint32_t i = 0; i < plan->table_count; i++) {
        tables[i] = plan->tables[i].target;
    }
    struct apply_silence silence = {
        .answers = quiet_answers(session, session->kept.continued),
        .tables = tables,
        .table_count = plan->table_count,
        .objects = session->options.command != RUN_BEGIN ? NULL : session_objects(session)};
    enum status status = find_by_row(session, arena, &silence.by_row, error);
    status = status == STATUS_OK ? apply->foresee(session->target, &silence,
                                                  out != NULL ? out : &ignored, lacks, error)
                                 : status;
    buffer_free(&ignored);
    arena_destroy(arena);
    return status;
}

/* ---- quiet.json */

static const char file_name[] = "quiet.json";
enum { FILE_BYTES_MAX = 4096 };

static uint32_t count_lines(const struct buffer *lines)
{
    uint32_t count = 0;
    for (size_t i = 0; i < lines->length; i++) {
        count += lines->data[i] == '\n';
    }
    return count;
}

/* Before anything is taken out. `lines` say what will be; none: nothing. */
static enum status note_file(const struct run *run, const struct buffer *lines, struct error *error)
{
    const char *text;
    uint32_t count = count_lines(lines);
    if (count == 0) {
        return STATUS_OK;
    }
    json_t *object = json_pack("{s:i,s:o,s:I,s:I}", "format", CONTROL_FORMAT, "target",
                               json_text(run->session->target_identity), "since_us",
                               (json_int_t)clock_utc_us(), "count", (json_int_t)count);
    return json_to_arena(object, run->arena, &text, error) == STATUS_OK
               ? file_write_atomic(arena_format(run->arena, "%s/%s", run->folder.path, file_name),
                                   text, strlen(text), NULL, error)
               : STATUS_FAILED;
}

uint32_t quiet_look(const char *state_folder, int64_t *since_us)
{
    json_t *object = json_from_file(state_folder, file_name, FILE_BYTES_MAX);
    uint32_t count = (uint32_t)json_member_integer(object, "count", 0);
    *since_us = json_member_integer(object, "since_us", 0);
    json_decref(object);
    return count;
}

void quiet_forget(const char *state_folder, const char *target_identity)
{
    struct arena *arena = arena_create(0);
    json_t *object = json_from_file(state_folder, file_name, FILE_BYTES_MAX);
    if (target_identity != NULL &&
        strcmp(json_member_text(object, "target", target_identity), target_identity) == 0) {
        (void)remove(arena_format(arena, "%s/%s", state_folder, file_name));
    }
    json_decref(object);
    arena_destroy(arena);
}

/* ---- taking out and giving back */

/* Nothing is said where nobody asked to give it back. */
static enum status apply_quiet_restore(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    const struct apply_functions *apply = target->connector->apply;
    uint32_t count = 0;
    if (apply == NULL || apply->restore == NULL) {
        return STATUS_OK;
    }
    enum status status = failpoint_hit("follow.before_restore", error);
    status = status == STATUS_OK ? apply->restore(target, &count, error) : status;
    if (status == STATUS_OK && count > 0) {
        log_write(LOG_INFO, "%u triggers of the target fire again", count);
    }
    if (status == STATUS_OK) {
        quiet_forget(run->folder.path, run->session->target_identity);
    }
    return status == STATUS_OK ? failpoint_hit("follow.after_restore", error) : status;
}

enum status quiet_begin(struct run *run, struct error *error)
{
    struct database *target = run->session->target;
    const struct apply_functions *apply = target->connector->apply;
    struct apply_silence silence = {.answers = quiet_answers(run->session, &run->header),
                                    .tables = run->tables,
                                    .table_count = run->table_count};
    target->triggers_off = silence.answers != APPLY_ANSWERS_FIRE;
    if (apply->silence == NULL) {
        return STATUS_OK;
    }
    /* what an earlier attempt took out, so that all of it is noted in its order */
    if (apply_quiet_restore(run, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (silence.answers == APPLY_ANSWERS_FIRE) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    struct buffer lines = {0};
    enum status status = failpoint_hit("follow.before_silence", error);
    status =
        status == STATUS_OK ? find_by_row(run->session, arena, &silence.by_row, error) : status;
    status = status == STATUS_OK && apply->foresee != NULL
                 ? apply->foresee(target, &silence, &lines, NULL, error)
                 : status;
    status = status == STATUS_OK ? note_file(run, &lines, error) : status;
    status = status == STATUS_OK ? apply->silence(target, &silence, error) : status;
    buffer_free(&lines);
    arena_destroy(arena);
    return status == STATUS_OK ? failpoint_hit("follow.after_silence", error) : status;
}

enum status quiet_end(struct run *run, enum status status, struct error *error)
{
    static const char hint[] = "`transhume follow` and `transhume cutover` give them back, as "
                               "`transhume rollback` and `transhume finish` do";
    struct error problem = {0};
    if (apply_quiet_restore(run, &problem) == STATUS_OK) {
        return status;
    }
    error_context(&problem, "triggers of the target that were off while changes were applied are "
                            "still off: ");
    if (status == STATUS_FAILED) { /* the first failure is the one to tell of */
        log_write(LOG_WARNING, "%s; %s", problem.message, hint);
        return status;
    }
    error_copy(error, &problem);
    return error_hint(error, "%s", hint);
}
