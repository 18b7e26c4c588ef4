/* The dashboard is data; what is done to it here is to name its data source. */
#include "observe/grafana/grafana.h"

#include "base/memory.h"
#include "net/http.h"
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 30000, ANSWER_BYTES_MAX = 1 << 20, SAID_BYTES_MAX = 200 };

static const char input[] = "DS_PROMETHEUS";
static const char reference[] = "${DS_PROMETHEUS}";

static json_t *grafana_load(void)
{
    json_t *dashboard = json_loads(grafana_dashboard, JSON_REJECT_DUPLICATES, NULL);
    assert(dashboard != NULL); /* a test has read it */
    return dashboard;
}

/* Texts that are the reference become `name`. */
static void grafana_replace(json_t *value, const char *name)
{
    const char *key;
    size_t number;
    json_t *member;
    void *next;
    if (json_is_string(value) && strcmp(json_string_value(value), reference) == 0) {
        json_string_set(value, name);
    }
    json_object_foreach_safe(value, next, key, member)
    {
        grafana_replace(member, name);
    }
    json_array_foreach(value, number, member)
    {
        grafana_replace(member, name);
    }
}

void grafana_append_dashboard(const char *datasource, struct buffer *out)
{
    if (datasource == NULL) {
        buffer_append_string(out, grafana_dashboard);
        return;
    }
    json_t *dashboard = grafana_load();
    json_object_del(dashboard, "__inputs");
    grafana_replace(dashboard, datasource);
    char *text = json_dumps(dashboard, JSON_INDENT(2));
    buffer_append_string(out, text);
    buffer_append_byte(out, '\n');
    free(text);
    json_decref(dashboard);
}

/* ---- sending it */

static char *make_body(const char *datasource)
{
    json_t *dashboard = grafana_load();
    json_object_del(dashboard, "__inputs");
    json_object_set_new(dashboard, "id", json_null());
    if (datasource != NULL) {
        grafana_replace(dashboard, datasource);
    } else {
        /* Inputs are a matter of importing files; the API knows none. A variable of that name
         * stands for the same text. */
        json_t *variables = json_object_get(json_object_get(dashboard, "templating"), "list");
        json_array_insert_new(variables, 0,
                              json_pack("{s:s, s:s, s:s, s:s}", "type", "datasource", "name", input,
                                        "label", "Data source", "query", "prometheus"));
    }
    json_t *whole = json_pack("{s:o, s:b, s:s}", "dashboard", dashboard, "overwrite", 1, "message",
                              "transhume " TRANSHUME_VERSION);
    char *body = json_dumps(whole, JSON_COMPACT);
    json_decref(whole);
    return body;
}

/* The message of Grafana about it, in one line; "" if it says nothing that could be read. */
static void append_said(const struct http_response *response, struct buffer *out)
{
    json_t *answer = json_loadb(response->body.data, response->body.length, 0, NULL);
    const char *said = json_string_value(json_object_get(answer, "message"));
    if (said != NULL) {
        buffer_format(out, ": %.*s", SAID_BYTES_MAX, said);
    }
    json_decref(answer);
}

static enum status grafana_refuse(const struct grafana_push *push,
                                  const struct http_response *response, struct error *error)
{
    struct buffer said = {0};
    uint32_t status = response->status;
    append_said(response, &said);
    const char *why = said.length > 0 ? buffer_string(&said) : "";
    if (status == 401 || status == 403) {
        error_set(error, ERROR_CREDENTIALS, push->url, "Grafana refuses the token (%u)%s", status,
                  why);
        error_hint(error, "the file needs a service account's token, whose role is Editor");
    } else {
        error_set(error, ERROR_NETWORK_ANSWER, push->url, "Grafana answers %u%s", status, why);
        if (status == 404) {
            error_hint(error, "--push takes the URL at which Grafana begins");
        } else if (status == 412 || status == 400) {
            error_hint(error, "a dashboard that a file or a plugin provides can't be replaced: "
                              "change that one with `transhume grafana --output FILE`");
        }
    }
    buffer_free(&said);
    return STATUS_FAILED;
}

static enum status take_answer(const struct grafana_push *push,
                               const struct http_response *response, struct buffer *out,
                               struct error *error)
{
    struct http_url url;
    struct arena *arena = arena_create(0);
    json_t *answer = json_loadb(response->body.data, response->body.length, 0, NULL);
    const char *path = json_string_value(json_object_get(answer, "url"));
    enum status status = http_url_parse(push->url, push->url, arena, &url, error);
    if (status == STATUS_OK && path == NULL) {
        status = http_response_unexpected(response, push->url, error);
    }
    if (status == STATUS_OK) { /* its path is that from the host on */
        buffer_format(out, "%s://%s%s", url.tls ? "https" : "http", url.host_header, path);
    }
    json_decref(answer);
    arena_destroy(arena);
    return status;
}

static enum status post(const struct grafana_push *push, struct http_client *client,
                        struct http_response **response, struct error *error)
{
    struct buffer url = {0};
    struct buffer bearer = {0};
    size_t length = strlen(push->url);
    while (length > 0 && push->url[length - 1] == '/') {
        length--;
    }
    buffer_append(&url, push->url, length);
    buffer_append_string(&url, "/api/dashboards/db");
    buffer_format(&bearer, "Bearer %s", push->token);
    char *body = make_body(push->datasource);
    const struct http_header headers[] = {{"Content-Type", "application/json"},
                                          {"Accept", "application/json"},
                                          {"Authorization", buffer_string(&bearer)}};
    const struct http_request request = {.method = "POST",
                                         .url = buffer_string(&url),
                                         .headers = headers,
                                         .header_count = 3,
                                         .body = body,
                                         .body_length = strlen(body),
                                         .timeout_ms = TIMEOUT_MS,
                                         .response_bytes_max = ANSWER_BYTES_MAX};
    enum status status = http_perform(client, &request, response, error);
    free(body);
    buffer_free(&url);
    buffer_free(&bearer);
    return status;
}

enum status grafana_push(const struct grafana_push *push, struct buffer *out, struct error *error)
{
    const struct http_client_options options = {.ca_file = push->ca_file};
    struct http_client *client = NULL;
    struct http_response *response = NULL;
    if (http_client_create(&options, &client, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = post(push, client, &response, error);
    if (status == STATUS_OK && response->status != 200) {
        status = grafana_refuse(push, response, error);
    } else if (status == STATUS_OK) {
        status = take_answer(push, response, out, error);
    } else if (error->code == ERROR_TLS) {
        error_hint(error, "--ca-file names the certificates of a private authority");
    }
    http_response_destroy(response);
    http_client_destroy(client);
    return status;
}
