/* The databases' reports on themselves while they work, shown and logged. */
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/contract/report.h"
#include "engine/ledger/json_text.h"
#include "engine/session/session.h"
#include <inttypes.h>

enum { THROTTLING_LOGGED_MS = 30000, THROTTLING_FIRST_MS = 5000 };

static void note_side(const struct database *database, const char *side, const char *shown,
                      struct progress_side *out, _Atomic int64_t *logged_at_ms, int64_t now_ms)
{
    int64_t throttled_ms = report_throttled_for_ms(database, now_ms);
    uint64_t count = atomic_load(&database->report.throttle_count);
    atomic_store(&out->throttled_ms, throttled_ms);
    atomic_store(&out->throttle_count, count);
    atomic_store(&out->retries, atomic_load(&database->report.counts.retries));
    atomic_store(&out->fallbacks, atomic_load(&database->report.counts.fallbacks));
    atomic_store(&out->waiting_until_ms, atomic_load(&database->report.waiting_until_ms));
    atomic_store(&out->milliunits, atomic_load(&database->report.milliunits));
    int64_t logged_ms = atomic_load(logged_at_ms);
    if (throttled_ms == 0) {
        if (atomic_exchange(logged_at_ms, 0) != 0) {
            log_event(LOG_DEBUG, EVENT_OF(EVENT_THROTTLE, .code = side, .state = "ended"),
                      "%s: the %s no longer asks to slow down", shown, side);
        }
        return;
    }
    bool first = logged_ms == 0 && throttled_ms >= THROTTLING_FIRST_MS;
    if (first || (logged_ms != 0 && now_ms - logged_ms >= THROTTLING_LOGGED_MS)) {
        char text[32];
        text_human_seconds((double)throttled_ms / 1000, text, sizeof(text));
        log_event(LOG_WARNING,
                  EVENT_OF(EVENT_THROTTLE, .code = side, .state = first ? "began" : "goes on",
                           .count = (int64_t)count, .milliseconds = throttled_ms),
                  "%s: the %s has been asking to slow down for %s (%" PRIu64 " times in all)",
                  shown, side, text, count);
        atomic_store(logged_at_ms, now_ms);
    }
}

void session_note_reports(struct run_session *session)
{
    int64_t now_ms = clock_monotonic_ms();
    note_side(session->source, "source", session->source_uri->shown, &session->progress.source,
              &session->throttling_logged_ms[0], now_ms);
    note_side(session->target, "target", session->target_uri->shown, &session->progress.target,
              &session->throttling_logged_ms[1], now_ms);
}

static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? json_text(text) : json_null();
}

/* NULL: no server was connected to. */
static json_t *connection_make(const struct database *database)
{
    static const char *const names[LINK_SECURITY_COUNT] = {
        [LINK_PLAINTEXT] = "plaintext",
        [LINK_UNVERIFIED] = "unverified",
        [LINK_AUTHORITY_VERIFIED] = "authority-verified",
        [LINK_PEER_VERIFIED] = "peer-verified",
        [LINK_PLAINTEXT_LOOPBACK] = "plaintext-loopback",
        [LINK_LOCAL_SOCKET] = "local-socket"};
    enum link_security security;
    const struct database_link *link =
        database != NULL ? report_weakest_link(database, &security) : NULL;
    if (link == NULL) {
        return NULL;
    }
    return json_pack("{s:o,s:s,s:o,s:o}", "server", text_or_null(database->server), "security",
                     names[security], "protocol", text_or_null(link->protocol), "cipher",
                     text_or_null(link->cipher));
}

void run_note_connections(struct run *run)
{
    struct ledger_status *status = &run->status;
    ledger_status_note_connection(status, "source_connection",
                                  connection_make(run->session->source));
    ledger_status_note_connection(status, "target_connection",
                                  connection_make(run->session->target));
}
