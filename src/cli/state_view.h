/* state.json, read for showing it. */
#ifndef TRANSHUME_CLI_STATE_VIEW_H
#define TRANSHUME_CLI_STATE_VIEW_H

#include "base/buffer.h"
#include "base/error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Figures that one look at the state leaves for the next, so that `--watch` shows the rate of now.
 * Zeroed before the first. */
struct state_watch {
    int64_t then_ms;
    int64_t done;
    double rate;   /* records per second; 0: not known */
    bool seen;     /* a run was under way */
    uint32_t rows; /* of entities that there is room for, set by the caller; 0: all are shown */
};

/* Appends what `status` shows. `running` says that a process is at work. ERROR_STATE_INVALID: this
 * is no state.json. */
enum status state_view_append(const char *json, bool running, bool color, struct state_watch *watch,
                              struct buffer *out, struct error *error) MUST_USE;
/* Progress of a run that follows; nothing of others. */
void state_view_append_follow(const json_t *state, bool color, struct buffer *out);
/* The line about another run, whose rollback has not come to its end. */
/* A fence that stands: the source's writers are stopped since then (UTC); `running`: by a process
 * that is at work. As a line, and as "fence" in the JSON object. */
void state_view_append_quiet(uint32_t count, int64_t since_us, bool running, struct buffer *out);
void state_view_add_quiet(uint32_t count, int64_t since_us, struct buffer *json);
void state_view_append_fence(int64_t since_us, bool sealed, bool running, struct buffer *out);
void state_view_add_fence(int64_t since_us, bool sealed, struct buffer *json);
/* A member of its own. */
void state_view_add_text(const char *name, const char *text, struct buffer *json);
void state_view_append_rollback(const char *run_id, struct buffer *out);
/* The same into an object of JSON, as "rollback"; what it says of a rollback itself stays. */
void state_view_add_rollback(const char *run_id, struct buffer *json);
/* True if the state says that the run is neither finished nor failed. */
bool state_view_is_open(const char *json);

#endif
