/* The inside of the dashboard. Everything here runs on the web server's thread, unless it says
 * otherwise. */
#ifndef TRANSHUME_OBSERVE_DASHBOARD_PARTS_H
#define TRANSHUME_OBSERVE_DASHBOARD_PARTS_H

#include "base/arena.h"
#include "observe/dashboard/dashboard.h"
#include "observe/web/web_token.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* Texts in the cache: as many as a folder has runs that are listed, and more. */
enum { DASHBOARD_CACHED_MAX = 1024, DASHBOARD_CACHED_BYTES_MAX = 8 << 20 };
enum { DASHBOARD_CHILDREN_MAX = 8, DASHBOARD_KEY_MAX = 80 };

/* A text made of files, and what these were then. */
struct dashboard_cached {
    char *name; /* NULL: free */
    uint64_t signature;
    uint64_t used; /* the count of looks then */
    struct buffer text;
};

/* A `transhume resume` that was begun here. */
struct dashboard_child {
    pid_t pid; /* 0: free */
    int output;
    char *folder;
};

struct dashboard {
    struct dashboard_options options;
    struct web_server *server;
    atomic_bool ready; /* what follows is made */
    char token[WEB_TOKEN_MAX + 1];
    char cookie_name[32];
    char cookie[WEB_TOKEN_MAX + 128];
    char url[512];
    struct dashboard_cached cached[DASHBOARD_CACHED_MAX];
    uint64_t looks;
    pthread_mutex_t mutex; /* guards the children, whom dashboard_tick waits for */
    struct dashboard_child children[DASHBOARD_CHILDREN_MAX];
    char *failure_folder; /* where the last resume failed, and what it said; NULL: none did */
    char *failure;
};

/* ---- dashboard_access.c: who may come in */

/* The token given, or one that is made; USAGE: it, or that of metrics, is none. */
enum status dashboard_take_token(struct dashboard *dashboard, struct error *error) MUST_USE;
/* Its cookie and its URL, once the server listens. */
void dashboard_place_token(struct dashboard *dashboard);
/* By its cookie or its Authorization. */
bool dashboard_is_allowed(const struct dashboard *dashboard, const struct web_request *request);

/* The page, and the policy that names its script and style by hash: tools/dashboard_to_c. */
extern const char dashboard_page[];
extern const char dashboard_policy[];

/* ---- dashboard_runs.c: which runs there are */

struct dashboard_run {
    const char *key;
    const char *id;           /* NULL: whatever run the folder is about */
    const char *folder;       /* its files */
    const char *state_folder; /* that it belongs to; the same for that folder's own run */
    bool is_current;
    bool at_work;
};
/* By a key as /api/runs tells it. False: there is no such run. Texts in the arena. */
bool dashboard_find(const struct dashboard *dashboard, const char *key, struct arena *arena,
                    struct dashboard_run *run);
void dashboard_append_runs(struct dashboard *dashboard, struct buffer *out);

/* A number that changes whenever one of the folder's files (NULL at the end) does. */
uint64_t dashboard_signature(const char *folder, const char *const *files, bool at_work);
/* The text of that name as it was made of files with that signature; NULL, with an empty one to be
 * filled in `*fresh`, if it is not there. Either is good until the next call. */
const struct buffer *dashboard_cache_find(struct dashboard *dashboard, const char *name,
                                          uint64_t signature, struct buffer **fresh);
void dashboard_cache_free(struct dashboard *dashboard);

/* ---- dashboard_run.c: one run */

/* The figures that change from second to second, as one line of JSON; `*version` is another
 * whenever it does. False: it is not there any more. */
bool dashboard_append_progress(struct dashboard *dashboard, const struct dashboard_run *run,
                               uint64_t *version, struct buffer *out);
/* By `transhume resume`: it has begun, and is not over. */
bool dashboard_can_resume(const struct dashboard_run *run);
bool dashboard_append_report(struct dashboard *dashboard, const struct dashboard_run *run,
                             struct buffer *out);
/* dashboard_chunks.c */
bool dashboard_append_chunks(struct dashboard *dashboard, const struct dashboard_run *run,
                             struct buffer *out);

/* ---- dashboard_events.c: the stream of a run */
void dashboard_answer_events(struct dashboard *dashboard, const struct dashboard_run *run,
                             const struct web_request *request, struct web_answer *answer);

/* ---- dashboard_control.c: stop and resume */

/* `,"control":{…}`: what may be done, and what came of the last try. */
void dashboard_append_control(struct dashboard *dashboard, const struct dashboard_run *run,
                              bool resumable, struct buffer *out);
/* Is it about to be resumed, or was that tried? A part of what changes. */
uint64_t dashboard_control_signature(struct dashboard *dashboard, const struct dashboard_run *run);
void dashboard_answer_control(struct dashboard *dashboard, const struct dashboard_run *run,
                              const char *action, struct web_answer *answer);
/* Any thread. */
void dashboard_reap(struct dashboard *dashboard);
void dashboard_control_free(struct dashboard *dashboard);

/* dashboard_metrics.c */
void dashboard_answer_metrics(struct dashboard *dashboard, const struct web_request *request,
                              struct web_answer *answer);

/* {"error":"…"} */
void dashboard_refuse(struct web_answer *answer, unsigned status, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
