/* Begin and end of the dashboard, and which path means what. */
#include "observe/dashboard/dashboard_parts.h"

#include "base/log.h"
#include "base/memory.h"
#include "model/json_tree.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char api[] = "/api/runs";
static const char type_of_json[] = "application/json";

void dashboard_refuse(struct web_answer *answer, unsigned status, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    answer->status = status;
    answer->content_type = type_of_json;
    buffer_clear(&answer->body);
    json_t *object = json_pack("{s:s}", "error", text);
    (void)json_tree_append(object, JSON_COMPACT, &answer->body);
    json_decref(object);
    buffer_append_byte(&answer->body, '\n');
}

/* ---- below /api/runs/KEY */

static void answer_run(struct dashboard *dashboard, const struct dashboard_run *run,
                       const char *part, const struct web_request *request,
                       struct web_answer *answer)
{
    bool found = false;
    bool post = request->method == WEB_POST;
    answer->content_type = type_of_json;
    if (strcmp(part, "stop") == 0 || strcmp(part, "resume") == 0) {
        if (post) {
            dashboard_answer_control(dashboard, run, part, answer);
        } else {
            dashboard_refuse(answer, 405, "only POST does that");
        }
        return;
    }
    if (post) {
        dashboard_refuse(answer, 405, "it can only be read");
        return;
    }
    if (strcmp(part, "events") == 0) {
        dashboard_answer_events(dashboard, run, request, answer);
        return;
    }
    if (part[0] == '\0') {
        found = dashboard_append_report(dashboard, run, &answer->body);
    } else if (strcmp(part, "chunks") == 0) {
        found = dashboard_append_chunks(dashboard, run, &answer->body);
    }
    if (!found) {
        dashboard_refuse(answer, 404, "there is nothing of that name");
    }
}

static void answer_api(struct dashboard *dashboard, const struct web_request *request,
                       struct web_answer *answer)
{
    char key[DASHBOARD_KEY_MAX];
    struct dashboard_run run;
    const char *rest = request->path + strlen(api);
    answer->content_type = type_of_json;
    if (rest[0] == '\0' && request->method != WEB_POST) {
        dashboard_append_runs(dashboard, &answer->body);
        return;
    }
    rest += rest[0] == '/';
    size_t length = strcspn(rest, "/");
    snprintf(key, sizeof(key), "%.*s", (int)(length < sizeof(key) ? length : 0), rest);
    rest += length + (rest[length] == '/');
    struct arena *arena = arena_create(0);
    if (dashboard_find(dashboard, key, arena, &run)) {
        answer_run(dashboard, &run, rest, request, answer);
    } else {
        dashboard_refuse(answer, 404, "there is no such run");
    }
    arena_destroy(arena);
}

/* ---- all paths */

static bool is_open(const char *path)
{
    return strcmp(path, "/metrics") == 0 || strcmp(path, "/healthz") == 0 ||
           strcmp(path, "/readyz") == 0;
}

static void answer_open(struct dashboard *dashboard, const struct web_request *request,
                        struct web_answer *answer)
{
    if (dashboard->options.answer_open != NULL) {
        dashboard->options.answer_open(dashboard->options.context, request, answer);
    } else if (strcmp(request->path, "/metrics") == 0) {
        if (web_token_admit(dashboard->options.metrics_token, request, answer)) {
            dashboard_answer_metrics(dashboard, request, answer);
        }
    } else {
        buffer_append_string(&answer->body, "ok\n");
    }
}

static void answer_request(void *context, const struct web_request *request,
                           struct web_answer *answer)
{
    struct dashboard *dashboard = context;
    const char *path = request->path;
    bool is_page = strcmp(path, "/") == 0;
    bool is_api = strncmp(path, api, strlen(api)) == 0 &&
                  (path[strlen(api)] == '\0' || path[strlen(api)] == '/');
    if (!atomic_load(&dashboard->ready)) {
        dashboard_refuse(answer, 503, "it begins");
    } else if (is_open(path) && request->method != WEB_POST) {
        answer_open(dashboard, request, answer);
    } else if (is_page && request->method != WEB_POST &&
               web_token_equals(dashboard->token, web_parameter(request, "token"))) {
        answer->status = 303; /* to a URL that may be shown and kept */
        answer->location = "/";
        answer->cookie = dashboard->cookie;
    } else if (!dashboard_is_allowed(dashboard, request)) {
        dashboard_refuse(answer, 401,
                         "the token is missing or wrong: open the URL that was printed when the "
                         "dashboard began, or send it as Authorization: Bearer");
    } else if (request->method == WEB_POST && !web_server_is_own_page(dashboard->server, request)) {
        dashboard_refuse(answer, 403, "another site's page sent that");
    } else if (is_page && request->method != WEB_POST) {
        answer->content_type = "text/html; charset=utf-8";
        answer->policy = dashboard_policy;
        buffer_append_string(&answer->body, dashboard_page);
    } else if (is_api) {
        answer_api(dashboard, request, answer);
    } else {
        dashboard_refuse(answer, is_page ? 405 : 404, "there is nothing of that name");
    }
}

/* ---- begin and end */

enum status dashboard_start(const struct dashboard_options *options, struct dashboard **dashboard,
                            struct error *error)
{
    struct dashboard *made = memory_allocate_zeroed(1, sizeof(*made));
    made->options = *options;
    pthread_mutex_init(&made->mutex, NULL);
    const struct web_options web = {.address = options->address,
                                    .tls = options->tls,
                                    .answer = answer_request,
                                    .context = made};
    if (dashboard_take_token(made, error) != STATUS_OK ||
        web_server_start(&web, &made->server, error) != STATUS_OK) {
        dashboard_stop(made);
        return STATUS_FAILED;
    }
    if (web_server_is_readable(made->server)) {
        log_write(LOG_WARNING,
                  "the dashboard listens beyond this machine without TLS: whoever sees the traffic "
                  "can read its token and pages; --tls-cert and --tls-key encrypt them");
    }
    dashboard_place_token(made);
    atomic_store(&made->ready, true);
    *dashboard = made;
    return STATUS_OK;
}

void dashboard_tick(struct dashboard *dashboard)
{
    if (dashboard != NULL) {
        dashboard_reap(dashboard);
        web_server_tick(dashboard->server);
    }
}

void dashboard_stop(struct dashboard *dashboard)
{
    if (dashboard != NULL) {
        web_server_stop(dashboard->server);
        dashboard_control_free(dashboard);
        dashboard_cache_free(dashboard);
        pthread_mutex_destroy(&dashboard->mutex);
        free(dashboard);
    }
}

const char *dashboard_url(const struct dashboard *dashboard)
{
    return dashboard->url;
}
