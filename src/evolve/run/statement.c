/* One statement of a file, and how its failure is told. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/signals.h"
#include "evolve/run/run_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* For the progress of one statement. */
struct watching {
    const struct schema_work *work;
    const struct act_work *at;
    const struct migration_step *step;
    int64_t began_ms;
};

static void tell_progress(void *context, double part, const char *doing)
{
    const struct watching *watching = context;
    const struct schema_event event = {.kind = SCHEMA_PROGRESS,
                                       .act = watching->at->act,
                                       .step = watching->step,
                                       .steps = watching->at->steps.count,
                                       .ms = clock_monotonic_ms() - watching->began_ms,
                                       .part = part,
                                       .text = doing};
    work_tell(watching->work, &event);
}

void work_request(const struct schema_work *work, const struct act_work *at,
                  const struct migration_step *step, struct alter_request *request)
{
    const struct migration_options *options = &at->act->text->options;
    /* A statement that builds an index beside others' work waits for all of them: a short limit
     * would break it off again and again. */
    int64_t lock_ms = step->class == SQL_CLASS_ALONE ? 0 : work->options->lock_ms;
    *request =
        (struct alter_request){.language = schema_act_language(at->act, work->alter),
                               .text = step->text,
                               .length = step->length,
                               .data = step->data,
                               .data_length = step->data_length,
                               .lock_ms = options->lock_ms >= 0 ? options->lock_ms : lock_ms,
                               .time_ms = options->statement_ms >= 0 ? options->statement_ms
                                                                     : work->options->statement_ms};
}

/* ---------------------------------------------------------------- failures */

/* Where in the file a byte of the statement is. */
static struct sql_place place_in(const struct migration_step *step, size_t offset)
{
    struct sql_place place = step->place;
    for (size_t i = 0; i < offset && i < step->length; i++) {
        unsigned char byte = (unsigned char)step->text[i];
        if (byte == '\n') {
            place.line++;
            place.column = 1;
        } else {
            place.column += (byte & 0xC0) != 0x80;
        }
    }
    return place;
}

const char *work_place(const struct schema_work *work, const struct act_work *at,
                       const struct migration_step *step)
{
    return arena_format(work->act_arena, "%s:%" PRIu32 ":%" PRIu32, at->act->text->path,
                        step->place.line, step->place.column);
}

/* The statement's first line, clipped. */
static int first_line(const struct migration_step *step)
{
    enum { SHOWN_MAX = 100 };
    size_t length = 0;
    while (length < step->length && length < SHOWN_MAX && step->text[length] != '\n') {
        length++;
    }
    return (int)length;
}

enum { SQLSTATE_LENGTH = 5 };

static void tell_failure(const struct act_work *at, const struct migration_step *step,
                         const struct alter_answer *answer, struct error *error)
{
    char message[sizeof(error->message)];
    char hint[sizeof(error->hint)];
    struct sql_place place =
        answer->fault == SIZE_MAX ? step->place : place_in(step, answer->fault);
    char object[sizeof(error->object)];
    bool keeps = error->code == ERROR_NETWORK || error->code == ERROR_TARGET_UNKNOWN_OUTCOME ||
                 error->code == ERROR_TARGET_LOCKED || error->code == ERROR_RUN_FENCED ||
                 error->code == ERROR_LEASE_SHORT || error->code == ERROR_DISK_FULL ||
                 error->code == ERROR_PERMISSION || error->class == ERROR_CLASS_RETRY;
    enum error_class class = error->class;
    enum error_code code = keeps ? error->code : ERROR_MIGRATION_FAILED;
    memcpy(message, error->message, sizeof(message));
    memcpy(hint, error->hint, sizeof(hint));
    snprintf(object, sizeof(object), "%s:%" PRIu32 ":%" PRIu32, at->act->text->path, place.line,
             place.column);
    error_set(error, code, object, "%s, in: %.*s%s", message, first_line(step), step->text,
              (size_t)first_line(step) < step->length ? " …" : "");
    error->class = class;
    if (strlen(answer->state) == SQLSTATE_LENGTH) {
        memcpy(error->native_state, answer->state, sizeof(error->native_state));
    }
    if (hint[0] != '\0') {
        error_hint(error, "%s", hint);
    }
}

/* ---------------------------------------------------------------- running */

enum status work_run_step(struct schema_work *work, const struct act_work *at,
                          const struct migration_step *step, uint64_t *rows, struct error *error)
{
    struct alter_request request;
    struct alter_answer answer = {.fault = SIZE_MAX};
    struct watching watching = {work, at, step, clock_monotonic_ms()};
    const struct schema_event event = {
        .kind = SCHEMA_RUNS, .act = at->act, .step = step, .steps = at->steps.count};
    if (signals_stop_level() >= 2) {
        return error_set(error, ERROR_INTERRUPTED, NULL, "stopped in front of %s",
                         work_place(work, at, step));
    }
    work_tell(work, &event);
    work_request(work, at, step, &request);
    request.progress = tell_progress;
    request.context = &watching;
    if (failpoint_hit("evolve.before_statement", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (work->alter->run(work->session, &request, &answer, error) != STATUS_OK) {
        tell_failure(at, step, &answer, error);
        return STATUS_FAILED;
    }
    *rows = answer.counts ? answer.rows : 0;
    return failpoint_hit("evolve.after_statement", error);
}

enum status work_run_free(struct schema_work *work, const struct act_work *at,
                          const struct migration_segment *segment, struct error *error)
{
    uint64_t rows;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < segment->count && status == STATUS_OK; i++) {
        status = work_run_step(work, at, &at->steps.items[segment->first + i], &rows, error);
    }
    return status;
}
