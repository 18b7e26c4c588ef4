/*
 * The dashboard: runs of state folders, live, as one page and as JSON. Read from the files that
 * runs leave there (observe/report.h), whoever runs them: `transhume serve` and `--dashboard` of a
 * run are the same.
 *
 *   GET  /                        the page
 *   GET  /api/runs                {"runs":[…]}, the newest first
 *   GET  /api/runs/KEY            report.json of that run, as it is now
 *   GET  /api/runs/KEY/chunks     which chunks are done, in runs of equal states
 *   GET  /api/runs/KEY/events     server-sent events: those of events.jsonl with their numbers, and
 *                                 `progress` whenever something changed
 *   POST /api/runs/KEY/stop       only with allow_control
 *   POST /api/runs/KEY/resume     likewise
 *
 * All of it needs the token: once in the query of the page, which leaves a cookie, or as
 * "Authorization: Bearer". GET changes nothing.
 */
#ifndef TRANSHUME_OBSERVE_DASHBOARD_H
#define TRANSHUME_OBSERVE_DASHBOARD_H

#include "observe/web/web_server.h"

enum { DASHBOARD_FOLDERS_MAX = 64 };

/* Texts are borrowed for as long as the dashboard lives. */
struct dashboard_options {
    const char *address; /* web_server.h */
    const char *const *folders;
    uint32_t folder_count;
    const char *ledger; /* whose runs the last folder holds (engine/state/ledger_history.h): it is
                           told instead, and runs that other folders have are theirs; NULL: none */
    const char *token;  /* NULL: one is made */
    const char *metrics_token; /* that /metrics asks for; NULL: none */
    struct web_tls_files tls;
    bool allow_control;
    /* Answers what needs no token (/metrics, /healthz, /readyz); NULL: how many runs there
     * are, and that it is there. */
    void (*answer_open)(void *context, const struct web_request *request,
                        struct web_answer *answer);
    void *context;
};

struct dashboard;

/* USAGE, FILE_UNTRUSTED: an address, a token or a certificate that is none. */
enum status dashboard_start(const struct dashboard_options *options, struct dashboard **dashboard,
                            struct error *error) MUST_USE;
/* To be called about once a second, by one thread: those who look on get what is new. Takes NULL.
 */
void dashboard_tick(struct dashboard *dashboard);
/* Takes NULL. */
void dashboard_stop(struct dashboard *dashboard);
/* With the token: for whoever began it, and for no log. As long as the dashboard lives. */
const char *dashboard_url(const struct dashboard *dashboard);

#endif
