/* Alerts as those who are told want them. */
#ifndef TRANSHUME_OBSERVE_ALERT_ALERT_MESSAGE_H
#define TRANSHUME_OBSERVE_ALERT_ALERT_MESSAGE_H

#include "base/buffer.h"
#include "observe/alert/alert_book.h"

/* Who tells. Texts are borrowed; "": not known. */
struct alert_origin {
    const char *host;
    const char *run;
};

/*
 * The body of Alertmanager's POST /api/v2/alerts: labels alertname, severity, job, instance, run,
 * code, table; annotations summary and description; startsAt, and endsAt of what is over.
 * https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
 */
void alert_message_alertmanager(const struct alert_batch *batch, const struct alert_origin *origin,
                                struct buffer *out);
/*
 * {"text":…,"status":"firing"|"resolved","job":"transhume","host":…,"run":…,"alerts":[{"status",
 *  "kind","code","table","severity","text","hint","startsAt","endsAt","count"}]}
 * "text" is what Slack, Mattermost and the like show.
 */
void alert_message_json(const struct alert_batch *batch, const struct alert_origin *origin,
                        struct buffer *out);
/* RFC 5322, for sendmail -t. */
void alert_message_mail(const struct alert_batch *batch, const struct alert_origin *origin,
                        const char *to, struct buffer *out);

#endif
