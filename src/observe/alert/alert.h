/* Alerts: what they are about, and who is told of them. */
#ifndef TRANSHUME_OBSERVE_ALERT_ALERT_H
#define TRANSHUME_OBSERVE_ALERT_ALERT_H

#include "base/log.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    ALERT_RECEIVERS_MAX = 16,
    ALERT_COUNT_MAX = 64, /* that are known at once */
    ALERT_CODE_BYTES = 64,
    ALERT_TABLE_BYTES = 128,
    ALERT_TEXT_BYTES = 512,
    ALERT_HINT_BYTES = 256
};

/* Something that happened, copied from the log. */
struct alert_event {
    enum event_kind kind;
    enum log_level level;
    bool ends;  /* of what began before */
    bool lasts; /* its end will be told */
    int64_t at_us;
    char code[ALERT_CODE_BYTES];
    char table[ALERT_TABLE_BYTES];
    char text[ALERT_TEXT_BYTES];
    char hint[ALERT_HINT_BYTES];
};

struct alert {
    struct alert_event event; /* the first one */
    int64_t ends_us;          /* 0: it goes on */
    int64_t last_us;          /* when it happened last */
    uint64_t count;
    uint32_t pending; /* a bit for each receiver that is to hear of a change */
    uint32_t told;    /* … and that knows that it began */
};

enum alert_way { ALERT_ALERTMANAGER, ALERT_WEBHOOK, ALERT_COMMAND, ALERT_EMAIL };

/* Who is told of what. Texts are borrowed. */
struct alert_receiver {
    const char *name;
    enum alert_way way;
    const char *address;          /* a URL, or of e-mail */
    const char *const *arguments; /* of a command; of e-mail: of sendmail */
    const char *place;            /* "transhume.yaml:12:5"; NULL: the command line says it */
    const char *const *passed;    /* variables that the program of a file gets besides */
    uint32_t kinds;               /* a bit for each enum event_kind */
    const char *const *codes;     /* patterns; none: all */
    uint32_t code_count;
    enum log_level level; /* up to it: LOG_WARNING takes errors as well */
    bool resolved;        /* is told when it is over */
    int64_t group_ms;     /* what begins within it is one message */
    int64_t repeat_ms;    /* what goes on is told again; 0: never */
    int64_t timeout_ms;
};

/* "error", "warning", "info" */
const char *alert_severity(const struct alert *alert);
/* The name that it has among others: "anomaly throughput.slow". */
void alert_name(const struct alert *alert, char *out, size_t capacity);

#endif
