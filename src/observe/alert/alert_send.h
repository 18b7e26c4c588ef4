/* One message to one receiver. */
#ifndef TRANSHUME_OBSERVE_ALERT_ALERT_SEND_H
#define TRANSHUME_OBSERVE_ALERT_ALERT_SEND_H

#include "base/error.h"
#include "observe/alert/alert_message.h"

/* Waits for its end, at most the receiver's timeout; any thread. The error says nothing secret. */
enum status alert_send(const struct alert_receiver *receiver, const struct alert_batch *batch,
                       const struct alert_origin *origin, struct error *error) MUST_USE;

/* The way to the receiver, for people: "webhook https://hooks.example/…", without secrets. */
void alert_send_describe(const struct alert_receiver *receiver, char *out, size_t capacity);

#endif
