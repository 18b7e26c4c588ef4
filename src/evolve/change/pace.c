/* How fast rows are filled: batches sized to a time, and giving way to others. */
#include "base/clock.h"
#include "base/file.h"
#include "base/signals.h"
#include "evolve/change/run_internal.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* Fewer rows would take hardly less time: what a batch costs by itself does not shrink. */
enum { ROWS_MIN = 200, ROWS_MAX = 1000000, GROWTH_MAX = 4, ASK_MS = 1000, WAIT_MS = 200 };

uint64_t change_next_rows(struct change_work *work, uint64_t rows, uint64_t looked, int64_t ms)
{
    enum { WEIGHT_PERCENT = 75 }; /* of what was measured before */
    double now = (double)looked / (double)(ms > 0 ? ms : 1);
    double before = work->rows_ms;
    work->rows_ms =
        before <= 0 ? now : (WEIGHT_PERCENT * before + (100 - WEIGHT_PERCENT) * now) / 100;
    /* One that took too long is answered at once, not by and by. */
    double rate = now < work->rows_ms ? now : work->rows_ms;
    double wanted = rate * (double)work->options->pace.batch_ms;
    double most = (double)rows * GROWTH_MAX;
    wanted = wanted > most ? most : wanted;
    return wanted < ROWS_MIN ? ROWS_MIN : wanted > ROWS_MAX ? ROWS_MAX : (uint64_t)wanted;
}

/* ---------------------------------------------------------------- giving way */

static enum status ask_load(struct change_work *work, struct database_load *load,
                            struct error *error)
{
    struct database *database = work->options->schema.database;
    const struct load_functions *functions = database->connector->load;
    if (work->watch == NULL && functions->open(database, &work->watch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return functions->ask(work->watch, load, error);
}

/* Why it has to wait, in `text`; "": it need not. */
static enum status find_reason(struct change_work *work, char *text, size_t size,
                               struct error *error)
{
    const struct change_pace *pace = &work->options->pace;
    struct database_load load = {.lag_s = -1, .running = -1};
    text[0] = '\0';
    if (pace->pause_file != NULL && file_exists(pace->pause_file)) {
        snprintf(text, size, "%s is there", pace->pause_file);
        return STATUS_OK;
    }
    bool asks = (pace->lag_max_s > 0 || pace->running_max > 0) &&
                work->options->schema.database->connector->load != NULL;
    int64_t now = clock_monotonic_ms();
    if (!asks || now - work->looked_ms < ASK_MS) {
        return STATUS_OK;
    }
    if (ask_load(work, &load, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (pace->lag_max_s > 0 && load.lag_s > pace->lag_max_s) {
        if (isinf(load.lag_s)) {
            snprintf(text, size, "replication stands still");
        } else {
            snprintf(text, size, "a replica is %.1f s behind", load.lag_s);
        }
    } else if (pace->running_max > 0 && load.running > pace->running_max) {
        snprintf(text, size, "%" PRId64 " sessions are at work", load.running);
    } else {
        work->looked_ms = now;
    }
    return STATUS_OK;
}

/* In slices, so that a signal is seen. */
static void sleep_ms(int64_t ms)
{
    int64_t until = clock_monotonic_ms() + ms;
    for (int64_t left = ms; left > 0 && signals_stop_level() == 0;
         left = until - clock_monotonic_ms()) {
        clock_sleep_ms(left < WAIT_MS ? left : WAIT_MS);
    }
}

enum status change_give_way(struct change_work *work, uint32_t number, int64_t batch_ms,
                            struct error *error)
{
    char reason[256];
    int64_t begun = clock_monotonic_ms();
    if (work->options->pace.nice > 0) {
        sleep_ms((int64_t)(work->options->pace.nice * (double)batch_ms));
    }
    for (;;) {
        if (find_reason(work, reason, sizeof(reason), error) != STATUS_OK ||
            change_check_stop(work, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (reason[0] == '\0') {
            return STATUS_OK;
        }
        const struct change_event event = {.kind = CHANGE_PAUSES,
                                           .step = &work->view.plan.steps[number - 1],
                                           .number = number,
                                           .steps = work->view.plan.count,
                                           .ms = clock_monotonic_ms() - begun,
                                           .text = reason};
        change_tell(work, &event);
        sleep_ms(WAIT_MS);
    }
}

void change_pace_end(struct change_work *work)
{
    if (work->watch != NULL) {
        work->options->schema.database->connector->load->close(work->watch);
        work->watch = NULL;
    }
}
