/*
 * Answers.
 *
 *   Gemini   {"candidates": [{"content": {"parts": [{"text"}]}, "finishReason"}]}, or
 *            {"promptFeedback": {"blockReason"}}
 *   OpenAI   {"choices": [{"message": {"content", "refusal"}, "finish_reason"}]}
 *   refusals {"error": {"message", "status", "code", "details": [{"retryDelay": "15s"},
 *            {"violations": [{"quotaId"}]}, {"reason"}]}}; some servers have less
 */
#include "design/advisor/advisor_parts.h"

#include "base/text.h"
#include "net/service.h"
#include <string.h>

enum { TRIES_MAX = 6, STEP_MS = 10000, WAIT_MS_MAX = 600000, SHOWN_BYTES = 300, WORD_BYTES = 60 };

static const char key_hint[] = "check %s or the file of --advisor-key-file; without --advisor the "
                               "analysis needs no key";

int64_t advisor_wait_ms(uint32_t tries, int64_t retry_after_ms)
{
    int64_t step_ms = (int64_t)tries * STEP_MS;
    if (tries >= TRIES_MAX || retry_after_ms > WAIT_MS_MAX) {
        return 0;
    }
    return retry_after_ms > step_ms ? retry_after_ms : step_ms;
}

/* ---------------------------------------------------------------- refusals */

static const char *text_at(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* {"error": …}, also in a list, as some servers have it. */
static const json_t *error_of(const json_t *root)
{
    const json_t *object = json_is_array(root) ? json_array_get(root, 0) : root;
    const json_t *error = json_object_get(object, "error");
    return json_is_null(error) ? NULL : error;
}

static void copy_message(const json_t *root, char *out, size_t capacity)
{
    const json_t *error = error_of(root);
    const char *text = text_at(error, "message");
    text = text != NULL ? text : json_string_value(error);
    text = text != NULL ? text : text_at(root, "message");
    text = text != NULL ? text : text_at(root, "detail");
    text = text != NULL ? text : "no reason is given";
    text_printable(text, strlen(text), out, capacity);
}

/* "15s", "15.002s" */
static int64_t read_delay_ms(const char *text)
{
    uint64_t seconds = 0;
    size_t digits = strspn(text, "0123456789");
    if (text_to_uint64(text, digits, &seconds) != STATUS_OK || seconds > 1000000) {
        return 0;
    }
    return (int64_t)seconds * 1000 + (text[digits] == '.' ? 1000 : 0);
}

struct refusal {
    int64_t delay_ms;
    bool daily;
    bool key;
};

static void read_violations(const json_t *violations, struct refusal *refusal)
{
    size_t i;
    json_t *violation;
    json_array_foreach(violations, i, violation)
    {
        const char *quota = text_at(violation, "quotaId");
        refusal->daily = refusal->daily || (quota != NULL && strstr(quota, "PerDay") != NULL);
    }
}

static struct refusal read_refusal(const json_t *root)
{
    struct refusal refusal = {0};
    size_t i;
    json_t *detail;
    const json_t *error = error_of(root);
    const char *code = text_at(error, "code");
    json_array_foreach(json_object_get(error, "details"), i, detail)
    {
        const char *delay = text_at(detail, "retryDelay");
        const char *reason = text_at(detail, "reason");
        refusal.delay_ms = delay != NULL ? read_delay_ms(delay) : refusal.delay_ms;
        refusal.key = refusal.key || (reason != NULL && strstr(reason, "API_KEY") != NULL);
        read_violations(json_object_get(detail, "violations"), &refusal);
    }
    code = code != NULL ? code : text_at(error, "type");
    refusal.daily = refusal.daily || (code != NULL && strcmp(code, "insufficient_quota") == 0);
    refusal.key = refusal.key || (code != NULL && strcmp(code, "invalid_api_key") == 0);
    return refusal;
}

static void refuse_key(const struct advisor_options *options, const char *object,
                       const char *message, struct advisor_answer *answer)
{
    answer->verdict = ADVISOR_STOP;
    error_set(&answer->error, ERROR_CREDENTIALS, object, "%s: %s",
              options->key == NULL ? "no key was given, and the server wants one"
                                   : "the key is refused",
              message);
    error_hint(&answer->error, key_hint,
               options->api == ADVISOR_GEMINI ? "GEMINI_API_KEY" : "OPENAI_API_KEY");
}

static void refuse_quota(const char *object, const char *message, const struct refusal *refusal,
                         struct advisor_answer *answer)
{
    answer->verdict = refusal->daily ? ADVISOR_STOP : ADVISOR_AGAIN;
    error_set(&answer->error, ERROR_ADVISOR, object, "%s: %s",
              refusal->daily ? "the quota is used up, which waiting does not change"
                             : "too many requests",
              message);
    error_hint(&answer->error, refusal->daily
                                   ? "try again tomorrow, or with another --advisor-model or key"
                                   : "try again later, or with another --advisor-model or key");
}

static void refuse_form(const char *object, const char *message, struct advisor_answer *answer)
{
    answer->verdict = ADVISOR_REFORM;
    answer->temperature_refused =
        strstr(message, "temperature") != NULL || strstr(message, "seed") != NULL;
    error_set(&answer->error, ERROR_ADVISOR, object, "the request is refused: %s", message);
    error_hint(&answer->error, "check --advisor-model; another model may take it");
}

/* A status that is no success. */
static void read_refused(const struct advisor_options *options,
                         const struct http_response *response, const json_t *root,
                         const char *object, struct advisor_answer *answer)
{
    char message[SHOWN_BYTES];
    uint32_t status = response->status;
    struct refusal refusal = read_refusal(root);
    int64_t header_ms = service_retry_after_ms(response);
    copy_message(root, message, sizeof(message));
    answer->retry_after_ms = refusal.delay_ms > header_ms ? refusal.delay_ms : header_ms;
    answer->verdict = ADVISOR_STOP;
    if (status == 401 || status == 403 || refusal.key) {
        refuse_key(options, object, message, answer);
    } else if (status == 429) {
        refuse_quota(object, message, &refusal, answer);
    } else if (status == 400 || status == 422) {
        refuse_form(object, message, answer);
    } else if (status == 500 || (status >= 502 && status <= 504)) {
        answer->verdict = ADVISOR_AGAIN;
        error_set(&answer->error, ERROR_ADVISOR, object, "the server fails (status %u): %s", status,
                  message);
        error_hint(&answer->error, "try again later, or with another --advisor-model");
    } else if (status == 404) {
        error_set(&answer->error, ERROR_ADVISOR, object, "no model \"%s\" there: %s",
                  options->model, message);
        error_hint(&answer->error, "check --advisor-model and --advisor-url");
    } else {
        error_set(&answer->error, ERROR_ADVISOR, object, "the answer is status %u: %s", status,
                  message);
        error_hint(&answer->error, "check --advisor-url and --advisor-model");
    }
}

/* ---------------------------------------------------------------- texts */

static enum status no_text(const char *object, struct advisor_answer *answer, const char *what,
                           const char *word, const char *hint)
{
    char shown[WORD_BYTES];
    text_printable(word, strlen(word), shown, sizeof(shown));
    answer->verdict = ADVISOR_NO_TEXT;
    error_set(&answer->error, ERROR_ADVISOR, object, "%s%s%s%s", what, shown[0] != '\0' ? " (" : "",
              shown, shown[0] != '\0' ? ")" : "");
    return error_hint(&answer->error, "%s", hint);
}

static const char other_model[] = "try again, or with another --advisor-model";

/* Why a model ended, in either API's words: is the text whole? */
static enum status check_ending(const char *ending, size_t length, const char *object,
                                struct advisor_answer *answer)
{
    if (ending != NULL && (strcmp(ending, "MAX_TOKENS") == 0 || strcmp(ending, "length") == 0)) {
        return no_text(object, answer, "the model's answer is cut off at its limit", ending,
                       "a model with a larger limit may do (--advisor-model)");
    }
    bool whole = ending == NULL || strcmp(ending, "STOP") == 0 || strcmp(ending, "stop") == 0;
    if (!whole && (length == 0 || strcmp(ending, "content_filter") == 0)) {
        return no_text(object, answer, "the model stopped without an answer", ending, other_model);
    }
    return length > 0 ? STATUS_OK
                      : no_text(object, answer, "the model answers with nothing", "", other_model);
}

/* The texts of a list of parts, but for what the model thinks. */
static void append_parts(const json_t *parts, struct buffer *out)
{
    size_t i;
    json_t *part;
    json_array_foreach(parts, i, part)
    {
        const char *text = text_at(part, "text");
        if (text != NULL && !json_is_true(json_object_get(part, "thought"))) {
            buffer_append_string(out, text);
        }
    }
}

static enum status read_gemini(const json_t *root, const char *object, struct buffer *text,
                               struct advisor_answer *answer)
{
    const json_t *candidate = json_array_get(json_object_get(root, "candidates"), 0);
    const char *blocked = text_at(json_object_get(root, "promptFeedback"), "blockReason");
    if (candidate == NULL && blocked != NULL) {
        return no_text(object, answer, "the prompt is blocked", blocked,
                       "names in the schema may be the reason (--show-prompt shows it); another "
                       "--advisor-model may take it");
    }
    append_parts(json_object_get(json_object_get(candidate, "content"), "parts"), text);
    return check_ending(text_at(candidate, "finishReason"), text->length, object, answer);
}

static enum status read_openai(const json_t *root, const char *object, struct buffer *text,
                               struct advisor_answer *answer)
{
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    const json_t *message = json_object_get(choice, "message");
    const char *content = text_at(message, "content");
    const char *refusal = text_at(message, "refusal");
    if (content != NULL) {
        buffer_append_string(text, content);
    }
    append_parts(json_object_get(message, "content"), text);
    if (text->length == 0 && refusal != NULL) {
        return no_text(object, answer, "the model refuses", refusal, other_model);
    }
    return check_ending(text_at(choice, "finish_reason"), text->length, object, answer);
}

/* A success: is there a text in it? */
static void read_text(const struct advisor_options *options, const json_t *root, const char *object,
                      struct arena *arena, struct advisor_answer *answer)
{
    struct buffer text = {0};
    enum status status = options->api == ADVISOR_GEMINI ? read_gemini(root, object, &text, answer)
                                                        : read_openai(root, object, &text, answer);
    if (status == STATUS_OK) {
        answer->verdict = ADVISOR_TEXT;
        answer->text = arena_copy(arena, text.data, text.length);
        answer->length = text.length;
    }
    buffer_free(&text);
}

void advisor_answer_read(const struct advisor_options *options,
                         const struct http_response *response, struct arena *arena,
                         struct advisor_answer *answer)
{
    json_error_t fault;
    const char *object = advisor_url(options, arena);
    bool good = response->status >= 200 && response->status < 300;
    bool busy = response->status == 429 || response->status >= 500;
    *answer = (struct advisor_answer){.verdict = ADVISOR_STOP};
    json_t *root = response->body.length == 0
                       ? NULL
                       : json_loadb(response->body.data, response->body.length, 0, &fault);
    if (root == NULL && !busy) {
        (void)http_response_unexpected(response, object, &answer->error);
    } else if (good && error_of(root) == NULL) {
        read_text(options, root, object, arena, answer);
    } else {
        read_refused(options, response, root, object, answer);
    }
    json_decref(root);
}
