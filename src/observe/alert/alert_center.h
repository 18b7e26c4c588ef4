/*
 * Tells people and systems of trouble, on a thread of its own: it hears every event, and neither a
 * slow receiver nor one that is gone delays the run. What comes faster than it can be taken is
 * dropped, and counted.
 */
#ifndef TRANSHUME_OBSERVE_ALERT_ALERT_CENTER_H
#define TRANSHUME_OBSERVE_ALERT_ALERT_CENTER_H

#include "base/buffer.h"
#include "observe/alert/alert_config.h"

struct alert_center;

/* The configuration is borrowed. STATUS_FAILED: no thread can be had. */
enum status alert_center_start(const struct alert_config *config, struct alert_center **center,
                               struct error *error) MUST_USE;
/* Tells what waits, for at most ten seconds; takes NULL. */
void alert_center_stop(struct alert_center *center);

/* Which run it is about; copied. */
void alert_center_identify(struct alert_center *center, const char *run);
/* For the log's listener: copies what matters, waits for nobody. */
void alert_center_hear(struct alert_center *center, const struct log_record *record);

/* Sends a test alert to each receiver and appends what came of it, a line each; returns how many
 * failed. */
uint32_t alert_center_test(const struct alert_config *config, struct buffer *out);

#endif
