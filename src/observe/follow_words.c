/* state.json's "follow" in words. Read without trust: what is absent or of another type is left
 * out. */
#include "observe/follow_words.h"

#include "base/text.h"
#include <stdbool.h>
#include <string.h>

enum { NUMBER_BYTES = 32, TEXT_BYTES = 400 };

const char *const follow_operation_names[FOLLOW_OPERATIONS] = {"inserts", "updates", "deletes",
                                                               "truncates"};

static uint64_t count_of(const json_t *object, const char *name)
{
    json_int_t count = json_integer_value(json_object_get(object, name));
    return count > 0 ? (uint64_t)count : 0;
}

static bool has_count(const json_t *object, const char *name)
{
    const json_t *number = json_object_get(object, name);
    return json_is_integer(number) && json_integer_value(number) >= 0;
}

void follow_words_operations(const json_t *entity, uint64_t counts[FOLLOW_OPERATIONS])
{
    for (int i = 0; i < FOLLOW_OPERATIONS; i++) {
        counts[i] = count_of(entity, follow_operation_names[i]);
    }
}

static void append_count(const json_t *follow, const char *name, const char *after,
                         struct buffer *out)
{
    char text[NUMBER_BYTES];
    text_human_count(count_of(follow, name), text, sizeof text);
    buffer_format(out, "%s%s", text, after);
}

static void append_size(const json_t *follow, const char *name, struct buffer *out)
{
    char text[NUMBER_BYTES];
    text_human_bytes(count_of(follow, name), text, sizeof text);
    buffer_append_string(out, text);
}

static void append_lag(const json_t *follow, struct buffer *out)
{
    const json_t *seconds = json_object_get(follow, "lag_seconds");
    if (json_is_true(json_object_get(follow, "idle"))) {
        buffer_append_string(out, "nothing waits");
        return;
    }
    if (!json_is_number(seconds)) {
        buffer_append_string(out, "how far behind is not known");
        return;
    }
    buffer_format(out, "%.1f s", json_number_value(seconds));
    if (has_count(follow, "lag_bytes")) {
        buffer_append_string(out, " and ");
        append_size(follow, "lag_bytes", out);
    }
    buffer_append_string(out, " behind the source");
}

static void tell_text(const json_t *follow, const char *name, const char *label, follow_fact *take,
                      void *context)
{
    const char *text = json_string_value(json_object_get(follow, name));
    char printable[TEXT_BYTES];
    if (text != NULL) {
        text_printable(text, strlen(text), printable, sizeof printable);
        take(context, label, printable);
    }
}

/* The tables of the source that are not followed any more, with the reasons. */
static void tell_left(const json_t *follow, follow_fact *take, void *context)
{
    const char *name;
    json_t *reason;
    json_object_foreach(json_object_get(follow, "left"), name, reason)
    {
        const char *why = json_is_string(reason) ? json_string_value(reason) : "";
        struct buffer line = {0};
        char printable[TEXT_BYTES];
        buffer_format(&line, "%s is not followed any more: %s; `transhume follow --resync`", name,
                      why);
        text_printable(line.data, line.length, printable, sizeof printable);
        take(context, "stopped", printable);
        buffer_free(&line);
    }
}

void follow_words_each(const json_t *follow, follow_fact *take, void *context)
{
    struct buffer line = {0};
    if (!json_is_object(follow)) {
        return;
    }
    append_count(follow, "transactions", " transactions, ", &line);
    append_count(follow, "changes", " changes, ", &line);
    append_count(follow, "changes_per_second", "/s", &line);
    if (count_of(follow, "rejected") > 0) {
        buffer_append_string(&line, ", ");
        append_count(follow, "rejected", " rejected", &line);
    }
    take(context, "follow", buffer_string(&line));
    buffer_clear(&line);
    append_lag(follow, &line);
    take(context, "lag", buffer_string(&line));
    tell_text(follow, "feed", "feed", take, context);
    tell_text(follow, "position", "position", take, context);
    buffer_clear(&line);
    if (has_count(follow, "source_bytes_kept")) {
        append_size(follow, "source_bytes_kept", &line);
        buffer_append_string(&line, " of its log, by the source");
        if (has_count(follow, "source_bytes_left")) {
            buffer_append_string(&line, ", which drops it after ");
            append_size(follow, "source_bytes_left", &line);
            buffer_append_string(&line, " more");
        }
        take(context, "kept", buffer_string(&line));
    }
    tell_text(follow, "cut_over", "cut-over", take, context);
    tell_left(follow, take, context);
    buffer_free(&line);
}
