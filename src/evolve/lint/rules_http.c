/* Files of requests for OpenSearch: a line "METHOD /path", headers, an empty line, a body. */
#include "evolve/lint/lint_internal.h"
#include <string.h>

struct request {
    struct sql_span span; /* the line */
    const char *method;
    size_t method_length;
    const char *path; /* from "/" on, without the query */
    size_t path_length;
    const char *query; /* behind "?"; may be empty */
    size_t query_length;
};

static bool is_method(const char *text, size_t length)
{
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strlen(methods[i]) == length && strncmp(text, methods[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/* False: the line is no request. */
static bool read_request(const char *line, size_t length, struct request *request)
{
    const char *end = line + length;
    const char *blank = memchr(line, ' ', length);
    if (blank == NULL || !is_method(line, (size_t)(blank - line))) {
        return false;
    }
    const char *path = blank;
    while (path < end && *path == ' ') {
        path++;
    }
    const char *stop = path;
    while (stop < end && *stop != ' ' && *stop != '?' && *stop != '\r') {
        stop++;
    }
    const char *query = stop < end && *stop == '?' ? stop + 1 : stop;
    const char *query_end = query;
    while (query_end < end && *query_end != ' ' && *query_end != '\r') {
        query_end++;
    }
    *request = (struct request){.method = line,
                                .method_length = (size_t)(blank - line),
                                .path = path,
                                .path_length = (size_t)(stop - path),
                                .query = query,
                                .query_length = (size_t)(query_end - query)};
    return path < end;
}

static bool has(const char *text, size_t length, const char *part)
{
    return memmem(text, length, part, strlen(part)) != NULL;
}

static bool ends_in(const struct request *request, const char *end)
{
    size_t length = strlen(end);
    return request->path_length >= length &&
           strncmp(request->path + request->path_length - length, end, length) == 0;
}

/* "/name" and no more */
static bool is_index(const struct request *request)
{
    size_t slashes = 0;
    for (size_t i = 0; i < request->path_length; i++) {
        slashes += request->path[i] == '/' && i + 1 < request->path_length;
    }
    bool whole = request->path_length > 0 && request->path[0] == '/' && slashes == 1;
    return whole && (request->path_length < 2 || request->path[1] != '_' ||
                     has(request->path, request->path_length, "_all"));
}

static bool is(const struct request *request, const char *method)
{
    return strlen(method) == request->method_length &&
           strncmp(request->method, method, request->method_length) == 0;
}

static void rules_http_check(struct lint_file *file, const struct request *request)
{
    bool wildcard = has(request->path, request->path_length, "*") ||
                    has(request->path, request->path_length, "_all");
    bool long_work = ends_in(request, "/_reindex") || ends_in(request, "/_update_by_query") ||
                     ends_in(request, "/_delete_by_query") || ends_in(request, "/_forcemerge");
    if (is(request, "DELETE") && is_index(request)) {
        lint_add(file, wildcard ? LINT_RULE_HTTP_WILDCARD : LINT_RULE_BAN_DROP_INDEX,
                 &request->span, NULL);
    } else if (is(request, "POST") && ends_in(request, "/_close")) {
        lint_add(file, LINT_RULE_HTTP_CLOSES_INDEX, &request->span, NULL);
    } else if (is(request, "PUT") && ends_in(request, "/_mapping")) {
        lint_add(file, LINT_RULE_HTTP_MAPPING_IN_PLACE, &request->span, NULL);
    } else if (is(request, "POST") && long_work &&
               !has(request->query, request->query_length, "wait_for_completion=false")) {
        lint_add(file, LINT_RULE_HTTP_WAITS, &request->span, NULL);
    }
}

void lint_http(struct lint_file *file)
{
    const char *end = file->input->text + file->input->length;
    struct sql_place place = {0, 1, 1};
    bool any = false;
    for (const char *line = file->input->text; line < end; place.line++) {
        const char *found = memchr(line, '\n', (size_t)(end - line));
        const char *stop = found != NULL ? found : end;
        struct request request;
        size_t length = (size_t)(stop - line);
        place.offset = (size_t)(line - file->input->text);
        if (read_request(line, length, &request)) {
            length -= length > 0 && line[length - 1] == '\r';
            request.span = (struct sql_span){line, length, place};
            rules_http_check(file, &request);
            any = true;
        }
        line = found != NULL ? found + 1 : end;
    }
    if (!any) {
        const struct sql_place begin = {0, 1, 1};
        lint_add_syntax(file, "There is no request, as in \"PUT /index\".", &begin);
    }
}
