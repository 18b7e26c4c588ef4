/* Names of the kinds of events. */
#include "base/event.h"

const char *event_kind_name(enum event_kind kind)
{
    static const char *const names[EVENT_KINDS] = {
        [EVENT_MESSAGE] = "message",   [EVENT_RUN] = "run",
        [EVENT_PHASE] = "phase",       [EVENT_CHUNK] = "chunk",
        [EVENT_RETRY] = "retry",       [EVENT_THROTTLE] = "throttle",
        [EVENT_PAUSE] = "pause",       [EVENT_REJECT] = "reject",
        [EVENT_ERROR] = "error",       [EVENT_STALL] = "stall",
        [EVENT_ANOMALY] = "anomaly",   [EVENT_POSITION] = "position",
        [EVENT_CUT_OVER] = "cut_over", [EVENT_RETENTION] = "retention",
    };
    return (unsigned)kind < EVENT_KINDS ? names[kind] : "?";
}
