/* Who is told of what, as a plan's `alerts:` or a file of --alerts says it. */
#ifndef TRANSHUME_OBSERVE_ALERT_ALERT_CONFIG_H
#define TRANSHUME_OBSERVE_ALERT_ALERT_CONFIG_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "observe/alert/alert.h"

struct alert_config {
    struct alert_receiver receivers[ALERT_RECEIVERS_MAX];
    uint32_t count;
};

/*
 * Adds what the file's `alerts:` says: a plan, or a file that has nothing else; texts are kept in
 * the arena. With `is_plan`, all but `alerts:` is somebody else's business, faults included, and a
 * file that is not there says nothing. Faults go to `faults`, a line each. What is secret in
 * addresses is registered.
 */
enum status alert_config_read(struct alert_config *config, const char *path, bool is_plan,
                              struct arena *arena, struct buffer *faults,
                              struct error *error) MUST_USE;
/* Is everything that a file says of programs allowed? ERROR_COMMANDS_REFUSED names the first. */
enum status alert_config_check(const struct alert_config *config, struct error *error) MUST_USE;
/* The programs that a file names, a line each: "alerts, oncall: command: /usr/bin/page -". */
void alert_config_describe(const struct alert_config *config, struct buffer *out);
/* Adds a receiver for people: of the run's end and of trouble. `where`: a URL, mailto:ADDRESS, or a
 * command with its arguments between blanks. */
enum status alert_config_add_notify(struct alert_config *config, const char *where,
                                    struct arena *arena, struct error *error) MUST_USE;

#endif
