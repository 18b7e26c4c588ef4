/* Requests as texts, their sending, and what of an answer is meant. */
#include "connectors/opensearch/alter_session.h"

#include "model/json_tree.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PREFIX_MARK "${prefix}"

/* ---------------------------------------------------------------- reading */

static enum status alter_request_refuse(const char *why, struct error *error)
{
    error_set(error, ERROR_TARGET_WRITE, NULL, "%s", why);
    return error_hint(error, "A request is a line \"METHOD /path\", an empty line and its body.");
}

/* With the prefix in place of its mark; ends with a NUL. */
static char *fill_in(const struct opensearch_alter *session, const char *text, size_t length,
                     struct arena *arena, size_t *filled)
{
    struct buffer out = {0};
    for (size_t at = 0; at < length;) {
        size_t mark = strlen(PREFIX_MARK);
        if (length - at >= mark && memcmp(text + at, PREFIX_MARK, mark) == 0) {
            buffer_append_string(&out, session->database->prefix);
            at += mark;
        } else {
            buffer_append_byte(&out, text[at++]);
        }
    }
    char *copy = arena_copy(arena, buffer_string(&out), out.length);
    *filled = out.length;
    buffer_free(&out);
    return copy;
}

/* A word that ends at a blank; "": the line is over. */
static char *next_word(char **rest)
{
    char *begin = *rest + strspn(*rest, " \t\r");
    size_t length = strcspn(begin, " \t\r");
    *rest = begin + length + (begin[length] != '\0');
    begin[length] = '\0';
    return begin;
}

static bool is_method(const char *word)
{
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        if (strcmp(word, methods[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* "METHOD /path WHAT {…}": what begins the body here goes back to `*body`. */
static enum status read_line(char *line, char *behind, struct opensearch_call *call, char **body,
                             struct error *error)
{
    char *brace = strchr(line, '{');
    char *blank = brace != NULL && brace > line && strchr(" \t", brace[-1]) != NULL ? brace : NULL;
    *body = behind;
    if (blank != NULL) {
        *body = blank;
        blank[-1] = '\0';
    }
    call->method = next_word(&line);
    call->path = next_word(&line);
    const char *word = next_word(&line);
    if (strncmp(word, "HTTP/", 5) == 0) {
        word = next_word(&line);
    }
    call->pick = word[0] != '\0' ? word : NULL;
    if (!is_method(call->method) || call->path[0] != '/') {
        return alter_request_refuse("it is no request", error);
    }
    return *next_word(&line) == '\0'
               ? STATUS_OK
               : alter_request_refuse("there is more behind the path than one word", error);
}

static bool is_header(const char *line, size_t length)
{
    size_t name = 0;
    while (name < length && (isalnum((unsigned char)line[name]) != 0 || line[name] == '-')) {
        name++;
    }
    return name > 0 && name < length && line[name] == ':' && isalpha((unsigned char)line[0]) != 0;
}

static enum status take_header(const char *line, size_t length, struct opensearch_call *call,
                               struct error *error)
{
    static const char allow[] = "Allow-Status:";
    uint32_t status = 0;
    char digits[8];
    if (length > strlen(allow) && strncasecmp(line, allow, strlen(allow)) == 0) {
        snprintf(digits, sizeof(digits), "%.*s", (int)(length - strlen(allow)),
                 line + strlen(allow));
        if (sscanf(digits, "%" SCNu32, &status) != 1 || status < 400 || status > 499) {
            return alter_request_refuse("Allow-Status: a status from 400 to 499 is expected",
                                        error);
        }
        call->allowed = status;
        return STATUS_OK;
    }
    if (strncasecmp(line, "Content-Type:", 13) == 0 || strncasecmp(line, "Accept:", 7) == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TARGET_WRITE, NULL, "the header %.*s is not sent",
              (int)strcspn(line, ":"), line);
    return error_hint(error, "Leave it out: credentials and the like are the connection's; "
                             "Allow-Status says which failure is none.");
}

static enum status read_headers(char **at, const char *end, struct opensearch_call *call,
                                struct error *error)
{
    while (*at < end) {
        char *stop = memchr(*at, '\n', (size_t)(end - *at));
        size_t length = stop == NULL ? (size_t)(end - *at) : (size_t)(stop - *at);
        if (!is_header(*at, length)) {
            return STATUS_OK;
        }
        if (take_header(*at, length, call, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        *at += length + (stop != NULL);
    }
    return STATUS_OK;
}

enum status opensearch_call_read(const struct opensearch_alter *session, const char *text,
                                 size_t length, struct arena *arena, struct opensearch_call *call,
                                 struct error *error)
{
    char *line = fill_in(session, text, length, arena, &length);
    char *end = line + length;
    char *stop = memchr(line, '\n', length);
    char *body = NULL;
    *call = (struct opensearch_call){0};
    if (stop != NULL) {
        *stop = '\0';
    }
    if (read_line(line, stop != NULL ? stop + 1 : end, call, &body, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (stop != NULL && body < stop) {
        *stop = '\n';
    } else if (read_headers(&body, end, call, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (body < end && strchr(" \t\r\n", *body) != NULL) {
        body++;
    }
    while (end > body && strchr(" \t\r\n", end[-1]) != NULL) {
        end--;
    }
    if (end > body) {
        /* what _bulk reads ends with a line end */
        size_t size = (size_t)(end - body);
        char *copy = arena_copy(arena, body, size + 1);
        copy[size] = '\n';
        copy[size + 1] = '\0';
        call->body = copy;
        call->body_length = size + 1;
    }
    return STATUS_OK;
}

static size_t path_length(const struct opensearch_call *call)
{
    return strcspn(call->path, "?");
}

bool opensearch_call_ends(const struct opensearch_call *call, const char *end)
{
    size_t length = path_length(call);
    size_t size = strlen(end);
    return length >= size && strncmp(call->path + length - size, end, size) == 0;
}

const char *opensearch_call_target(const struct opensearch_call *call, struct arena *arena)
{
    return arena_copy(arena, call->path + 1, path_length(call) - 1);
}

/* ---------------------------------------------------------------- sending */

/* Does the same again leave the same? */
static bool repeats(const struct opensearch_call *call)
{
    static const char *const reading[] = {"/_search", "/_mget", "/_count", "/_refresh"};
    for (size_t i = 0; i < sizeof(reading) / sizeof(*reading); i++) {
        if (strcmp(call->method, "POST") == 0 && opensearch_call_ends(call, reading[i])) {
            return true;
        }
    }
    bool deletes = strcmp(call->method, "DELETE") == 0;
    bool makes = strcmp(call->method, "PUT") == 0 &&
                 (strchr(call->path + 1, '/') == NULL || strstr(call->path, "/_create/") != NULL ||
                  strstr(call->path, "op_type=create") != NULL);
    return strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0 ||
           (deletes && call->allowed == 404) || (strcmp(call->method, "PUT") == 0 && !makes);
}

enum status opensearch_alter_send(struct opensearch_alter *session,
                                  const struct opensearch_call *call, struct service_reply **reply,
                                  struct error *error)
{
    const struct opensearch_request request = {.operation = call->method,
                                               .object = call->path,
                                               .method = call->method,
                                               .path = call->path,
                                               .body = call->body,
                                               .body_length = call->body_length,
                                               .repeatable = repeats(call),
                                               .lease = session->base.held ? session->base.database
                                                                           : NULL};
    *reply = NULL;
    if (history_store_keep(&session->base, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return opensearch_client_call(session->client, &request, reply, error);
}

enum status opensearch_alter_judge(const struct opensearch_call *call,
                                   const struct service_reply *reply, struct alter_answer *answer,
                                   struct error *error)
{
    if (reply->fault == OPENSEARCH_FAULT_NONE ||
        (call->allowed > 0 && reply->status == call->allowed)) {
        return STATUS_OK;
    }
    snprintf(answer->state, sizeof(answer->state), "%u", (unsigned)reply->status % 1000000);
    error_copy(error, &reply->error);
    bool only_asks = strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;
    if (reply->unknown_outcome && reply->fault < OPENSEARCH_FAULT_MISSING && !only_asks) {
        return error_set(error, ERROR_TARGET_UNKNOWN_OUTCOME, call->path,
                         "it is not known whether %s was carried out: %.500s", call->method,
                         reply->error.message);
    }
    if (reply->fault == OPENSEARCH_FAULT_THROTTLED) {
        return error_recode(error, ERROR_TARGET_LOCKED);
    }
    return reply->fault >= OPENSEARCH_FAULT_MISSING ? error_recode(error, ERROR_TARGET_WRITE)
                                                    : STATUS_FAILED;
}

enum status opensearch_alter_ask(struct opensearch_alter *session, const char *method,
                                 const char *path, const char *body, json_t **root,
                                 struct error *error)
{
    struct service_reply *reply = NULL;
    struct alter_answer ignored;
    const struct opensearch_call call = {.method = method,
                                         .path = path,
                                         .body = body,
                                         .body_length = body != NULL ? strlen(body) : 0};
    enum status status = opensearch_alter_send(session, &call, &reply, error);
    if (root != NULL) {
        *root = NULL;
    }
    if (status == STATUS_OK && reply->fault == OPENSEARCH_FAULT_MISSING) {
        status = STATUS_END;
    }
    status = status == STATUS_OK ? opensearch_alter_judge(&call, reply, &ignored, error) : status;
    if (status == STATUS_OK && root != NULL) {
        *root = opensearch_reply_parse(reply, path, error);
        status = *root != NULL ? STATUS_OK : STATUS_FAILED;
    }
    service_reply_destroy(reply);
    return status;
}

enum status opensearch_alter_is_there(struct opensearch_alter *session, const char *path,
                                      bool *is_there, struct error *error)
{
    enum status status = opensearch_alter_ask(session, "HEAD", path, NULL, NULL, error);
    *is_there = status == STATUS_OK;
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- what of an answer is meant */

/* A name may have dots in it: the longest one that is there counts. */
static const json_t *alter_request_find(const json_t *root, const char *path)
{
    char name[512];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(name)) {
        return length == 0 ? root : NULL;
    }
    for (size_t size = length; root != NULL && size > 0; size--) {
        if (size < length && path[size] != '.') {
            continue;
        }
        memcpy(name, path, size);
        name[size] = '\0';
        const json_t *child = json_object_get(root, name);
        uint64_t at = 0;
        if (strcmp(name, "*") == 0) {
            void *first = json_object_iter((json_t *)(uintptr_t)root);
            child = first != NULL ? json_object_iter_value(first) : json_array_get(root, 0);
        } else if (json_is_array(root) && text_to_uint64(name, size, &at) == STATUS_OK) {
            child = json_array_get(root, (size_t)at);
        }
        child = child != NULL ? alter_request_find(child, path + size + (size < length)) : NULL;
        if (child != NULL) {
            return child;
        }
    }
    return NULL;
}

const char *opensearch_pick(const json_t *root, const char *pick, struct arena *arena)
{
    struct buffer text = {0};
    const json_t *value =
        pick != NULL ? alter_request_find(root, pick) : json_object_get(root, "count");
    if (value == NULL && pick == NULL) {
        value = alter_request_find(root, "hits.total.value");
    }
    if (value == NULL && pick == NULL) {
        value = root;
    }
    if (value == NULL || json_is_null(value)) {
        return NULL;
    }
    if (json_is_string(value)) {
        return arena_copy(arena, json_string_value(value), json_string_length(value));
    }
    (void)json_tree_append(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY, &text);
    const char *copy = arena_copy_string(arena, buffer_string(&text));
    buffer_free(&text);
    return copy;
}
