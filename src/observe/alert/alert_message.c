#include "observe/alert/alert_message.h"

#include "base/clock.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { NAME_BYTES = 128 };

static void append_member(struct buffer *out, const char *before, const char *name,
                          const char *text)
{
    buffer_format(out, "%s\"%s\":", before, name);
    json_append_printable(out, text);
}

static void append_known(struct buffer *out, const char *name, const char *text)
{
    if (text[0] != '\0') {
        append_member(out, ",", name, text);
    }
}

static void append_time(struct buffer *out, const char *name, int64_t at_us)
{
    char stamp[32];
    if (at_us > 0) {
        clock_format_utc(at_us, stamp, sizeof(stamp));
        append_member(out, ",", name, stamp);
    }
}

static const char *status_of(const struct alert *alert)
{
    return alert->ends_us == 0 || alert->event.kind == EVENT_RUN ? "firing" : "resolved";
}

static bool is_over(const struct alert *alert)
{
    return strcmp(status_of(alert), "resolved") == 0;
}

void alert_message_alertmanager(const struct alert_batch *batch, const struct alert_origin *origin,
                                struct buffer *out)
{
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct alert *alert = batch->alerts[i];
        char name[NAME_BYTES];
        alert_name(alert, name, sizeof(name));
        buffer_append_string(out, i > 0 ? ",{\"labels\":{" : "{\"labels\":{");
        append_member(out, "", "alertname", name);
        append_member(out, ",", "severity", alert_severity(alert));
        append_member(out, ",", "job", "transhume");
        append_known(out, "instance", origin->host);
        append_known(out, "run", origin->run);
        append_known(out, "code", alert->event.code);
        append_known(out, "table", alert->event.table);
        buffer_append_string(out, "},\"annotations\":{");
        append_member(out, "", "summary", alert->event.text);
        append_known(out, "description", alert->event.hint);
        buffer_append_byte(out, '}');
        append_time(out, "startsAt", alert->event.at_us);
        append_time(out, "endsAt", alert->ends_us);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
}

/* ---- for people */

static void append_lines(const struct alert_batch *batch, struct buffer *out)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct alert *alert = batch->alerts[i];
        buffer_format(out, "%s%s: %s", i > 0 ? "\n" : "",
                      is_over(alert) ? "over" : alert_severity(alert), alert->event.text);
        if (alert->count > 1) {
            buffer_format(out, " (%" PRIu64 " times)", alert->count);
        }
        if (alert->event.hint[0] != '\0' && !is_over(alert)) {
            buffer_format(out, "\n    %s", alert->event.hint);
        }
    }
}

static void append_place(const struct alert_origin *origin, struct buffer *out)
{
    if (origin->run[0] != '\0') {
        buffer_format(out, " run %s", origin->run);
    }
    if (origin->host[0] != '\0') {
        buffer_format(out, " on %s", origin->host);
    }
}

void alert_message_json(const struct alert_batch *batch, const struct alert_origin *origin,
                        struct buffer *out)
{
    struct buffer text = {0};
    buffer_append_string(&text, "transhume");
    append_place(origin, &text);
    buffer_append_byte(&text, '\n');
    append_lines(batch, &text);
    append_member(out, "{", "text", buffer_string(&text));
    buffer_free(&text);
    bool firing = false;
    for (uint32_t i = 0; i < batch->count; i++) {
        firing = firing || !is_over(batch->alerts[i]);
    }
    append_member(out, ",", "status", firing ? "firing" : "resolved");
    append_member(out, ",", "job", "transhume");
    append_known(out, "host", origin->host);
    append_known(out, "run", origin->run);
    buffer_append_string(out, ",\"alerts\":[");
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct alert *alert = batch->alerts[i];
        append_member(out, i > 0 ? ",{" : "{", "status", status_of(alert));
        append_member(out, ",", "kind", event_kind_name(alert->event.kind));
        append_known(out, "code", alert->event.code);
        append_known(out, "table", alert->event.table);
        append_member(out, ",", "severity", alert_severity(alert));
        append_member(out, ",", "text", alert->event.text);
        append_known(out, "hint", alert->event.hint);
        append_time(out, "startsAt", alert->event.at_us);
        append_time(out, "endsAt", alert->ends_us);
        buffer_format(out, ",\"count\":%" PRIu64 "}", alert->count);
    }
    buffer_append_string(out, "]}\n");
}

void alert_message_mail(const struct alert_batch *batch, const struct alert_origin *origin,
                        const char *to, struct buffer *out)
{
    char stamp[64];
    char name[NAME_BYTES];
    struct tm utc;
    time_t now = (time_t)(clock_utc_us() / 1000000);
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof(stamp), "%a, %d %b %Y %H:%M:%S +0000", &utc);
    alert_name(batch->alerts[0], name, sizeof(name));
    for (char *at = name; *at != '\0'; at++) {
        *at = (unsigned char)*at < ' ' || (unsigned char)*at > '~' ? '?' : *at;
    }
    buffer_format(out, "To: %s\nSubject: [transhume] %s", to,
                  is_over(batch->alerts[0]) ? "over: " : "");
    buffer_append_string(out, name);
    if (batch->count > 1) {
        buffer_format(out, " and %u more", batch->count - 1);
    }
    buffer_format(out,
                  "\nDate: %s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                  "Content-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\n\ntranshume",
                  stamp);
    append_place(origin, out);
    buffer_append_string(out, "\n\n");
    append_lines(batch, out);
    buffer_append_byte(out, '\n');
}
