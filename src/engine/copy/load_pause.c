/* Asking servers for their load, and holding the run while it is too high. */
#include "engine/copy/load_pause.h"
#include "engine/session/options.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/contract/report.h"
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SIDES = 2,
    ASK_EVERY_MS = 1000,
    SLICE_MS = 50,
    SURE_AFTER_MS = 150,
    SAID_AGAIN_MS = 60000,
    CAUSE_BYTES = 320
};

struct side {
    struct database *database;
    struct load_watch *watch; /* NULL: it tells nothing */
    const char *name;         /* "source" */
};

struct load_pause {
    const struct run_options *options;
    struct throttle *throttle;
    struct side sides[SIDES];
    pthread_t thread;
    bool running;
    _Atomic bool stopping;
    int64_t held_since_ms; /* monotonic; 0: not held */
    int64_t said_ms;
};

static const struct load_functions *functions_of(const struct side *side)
{
    return side->database->connector->load;
}

static void close_sides(struct side *sides)
{
    for (int i = 0; i < SIDES; i++) {
        if (sides[i].watch != NULL) {
            functions_of(&sides[i])->close(sides[i].watch);
            sides[i].watch = NULL;
        }
    }
}

static enum status open_sides(struct run_session *session, struct side *sides, struct error *error)
{
    sides[0] = (struct side){.database = session->source, .name = "source"};
    sides[1] = (struct side){.database = session->target, .name = "target"};
    for (int i = 0; i < SIDES; i++) {
        const struct load_functions *load = functions_of(&sides[i]);
        if (load != NULL && load->open(sides[i].database, &sides[i].watch, error) != STATUS_OK) {
            close_sides(sides);
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- is it told? */

static enum status untold(const char *option, const char *what, const char *grant,
                          struct error *problem)
{
    error_set(problem, grant != NULL ? ERROR_PERMISSION : ERROR_BAD_VALUE, option,
              "neither source nor target reports %s", what);
    if (grant != NULL) {
        error_hint(problem, "%s, or leave the option out", grant);
    } else {
        error_hint(problem, "leave it out, or give the address of a server that does: "
                            "docs/how-to.md, \"A live source\"");
    }
    return STATUS_END;
}

static enum status ask_both(struct side *sides, struct database_load *known, struct error *error)
{
    *known = (struct database_load){.lag_s = -1, .running = -1, .statement_s = -1};
    for (int i = 0; i < SIDES; i++) {
        struct database_load load;
        if (sides[i].watch == NULL) {
            continue;
        }
        if (functions_of(&sides[i])->ask(sides[i].watch, &load, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        known->lag_s = fmax(known->lag_s, load.lag_s);
        known->running = load.running > known->running ? load.running : known->running;
        known->statement_s = fmax(known->statement_s, load.statement_s);
        known->grant = load.grant != NULL ? load.grant : known->grant;
    }
    return STATUS_OK;
}

enum status load_pause_check(struct run_session *session, struct error *problem,
                             struct error *error)
{
    const struct run_options *options = &session->options;
    struct side sides[SIDES];
    struct database_load known;
    if (!options_give_way(options)) {
        return STATUS_OK;
    }
    if (open_sides(session, sides, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = ask_both(sides, &known, error);
    close_sides(sides);
    if (status != STATUS_OK) {
        return status;
    }
    if (options->limits.pause_running > 0 && known.running < 0) {
        return untold("--pause-running", "how many statements others run", known.grant, problem);
    }
    if (options->limits.pause_statement_ms > 0 && known.statement_s < 0) {
        return untold("--pause-statement", "how long statements of others take", known.grant,
                      problem);
    }
    if (options->limits.pause_lag_ms > 0 && known.lag_s < 0) {
        return untold("--pause-lag", "how far a replica is behind", known.grant, problem);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- watching */

/* True: above a mark; `cause` says which. */
static bool is_too_much(const struct run_options *options, const struct database_load *load,
                        char *cause)
{
    char text[32];
    char mark[32];
    if (options->limits.pause_running > 0 &&
        load->running > (int64_t)options->limits.pause_running) {
        snprintf(cause, CAUSE_BYTES, "others run %" PRId64 " statements, more than %" PRIu64,
                 load->running, options->limits.pause_running);
        return true;
    }
    text_human_seconds((double)options->limits.pause_statement_ms / 1000, mark, sizeof(mark));
    if (options->limits.pause_statement_ms > 0 &&
        load->statement_s * 1000 > (double)options->limits.pause_statement_ms) {
        text_human_seconds(load->statement_s, text, sizeof(text));
        snprintf(cause, CAUSE_BYTES, "a statement has been running for %s, longer than %s", text,
                 mark);
        return true;
    }
    text_human_seconds((double)options->limits.pause_lag_ms / 1000, mark, sizeof(mark));
    if (options->limits.pause_lag_ms > 0 &&
        load->lag_s * 1000 > (double)options->limits.pause_lag_ms) {
        if (isinf(load->lag_s)) {
            snprintf(cause, CAUSE_BYTES, "replication stands still");
        } else {
            text_human_seconds(load->lag_s, text, sizeof(text));
            snprintf(cause, CAUSE_BYTES, "a replica is %s behind, more than %s", text, mark);
        }
        return true;
    }
    return false;
}

/* True: above a mark, or the server can't be asked, and so may be in trouble: what is not known is
 * no leave to go on. */
static bool is_at_work(const struct load_pause *pause, const struct side *side, char *cause)
{
    struct database_load load;
    struct error error;
    if (functions_of(side)->ask(side->watch, &load, &error) != STATUS_OK) {
        snprintf(cause, CAUSE_BYTES, "its load can't be asked for: %.240s", error.message);
        return true;
    }
    return is_too_much(pause->options, &load, cause);
}

/* A pause begins with a second look: who waited for a lock of ours until it was given back runs on
 * for an instant, and is old, but waits for nobody. */
static bool must_wait(const struct load_pause *pause, const struct side *side, char *cause)
{
    if (side->watch == NULL || !is_at_work(pause, side, cause)) {
        return false;
    }
    if (pause->held_since_ms != 0) {
        return true;
    }
    clock_sleep_ms(SURE_AFTER_MS);
    return is_at_work(pause, side, cause);
}

static void say_held(struct load_pause *pause, const char *name, const char *cause)
{
    int64_t now_ms = clock_monotonic_ms();
    bool begins = pause->held_since_ms == 0;
    if (begins) {
        pause->held_since_ms = now_ms;
    } else if (now_ms - pause->said_ms < SAID_AGAIN_MS) {
        return;
    }
    pause->said_ms = now_ms;
    log_event(LOG_WARNING,
              EVENT_OF(EVENT_PAUSE, .code = cause, .state = begins ? "began" : "goes on"),
              "pausing: %s: %s", name, cause);
}

static void say_released(struct load_pause *pause)
{
    if (pause->held_since_ms != 0) {
        char text[32];
        int64_t held_ms = clock_monotonic_ms() - pause->held_since_ms;
        text_human_seconds((double)held_ms / 1000, text, sizeof(text));
        log_event(LOG_WARNING, EVENT_OF(EVENT_PAUSE, .state = "ended", .milliseconds = held_ms),
                  "going on after a pause of %s", text);
        pause->held_since_ms = 0;
    }
}

static void load_look(struct load_pause *pause)
{
    char cause[CAUSE_BYTES];
    bool held = false;
    for (int i = 0; i < SIDES; i++) {
        if (must_wait(pause, &pause->sides[i], cause)) {
            say_held(pause, pause->sides[i].name, cause);
            report_throttled(pause->sides[i].database);
            held = true;
        }
    }
    throttle_hold(pause->throttle, held);
    if (!held) {
        say_released(pause);
    }
}

static void *load_pause_main(void *argument)
{
    struct load_pause *pause = argument;
    while (!atomic_load(&pause->stopping)) {
        int64_t next_ms = clock_monotonic_ms() + ASK_EVERY_MS;
        while (clock_monotonic_ms() < next_ms && !atomic_load(&pause->stopping)) {
            clock_sleep_ms(SLICE_MS);
        }
        if (!atomic_load(&pause->stopping)) {
            load_look(pause);
        }
    }
    return NULL;
}

enum status load_pause_start(struct run_session *session, struct throttle *throttle,
                             struct load_pause **pause, struct error *error)
{
    *pause = NULL;
    if (!options_give_way(&session->options)) {
        return STATUS_OK;
    }
    struct load_pause *made = memory_allocate_zeroed(1, sizeof(*made));
    made->options = &session->options;
    made->throttle = throttle;
    if (open_sides(session, made->sides, error) != STATUS_OK) {
        free(made);
        return STATUS_FAILED;
    }
    load_look(made);
    int failure = pthread_create(&made->thread, NULL, load_pause_main, made);
    made->running = failure == 0;
    if (failure != 0) {
        error_set_errno(error, ERROR_INTERNAL, failure, NULL, "can't start a thread");
        load_pause_stop(made);
        return STATUS_FAILED;
    }
    *pause = made;
    return STATUS_OK;
}

void load_pause_stop(struct load_pause *pause)
{
    if (pause == NULL) {
        return;
    }
    atomic_store(&pause->stopping, true);
    if (pause->running) {
        pthread_join(pause->thread, NULL);
    }
    throttle_hold(pause->throttle, false);
    close_sides(pause->sides);
    free(pause);
}
