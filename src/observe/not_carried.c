/* The list of what is not carried, summed by kind. */
#include "observe/not_carried.h"

#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char *text_of(const json_t *item, const char *name)
{
    const char *text = json_string_value(json_object_get(item, name));
    return text == NULL ? "" : text;
}

static uint64_t count_of(const json_t *item)
{
    json_int_t count = json_integer_value(json_object_get(item, "count"));
    return count < 0 ? 0 : (uint64_t)count;
}

static bool is_vowel(char letter)
{
    return letter != '\0' && strchr("aeiou", letter) != NULL;
}

/* "policies", "indexes", "views", "statistics" */
static void append_plural(const char *kind, struct buffer *out)
{
    size_t length = strlen(kind);
    char last = length > 0 ? kind[length - 1] : '\0';
    if (last == 'y' && length > 1 && !is_vowel(kind[length - 2])) {
        buffer_append(out, kind, length - 1);
        buffer_append_string(out, "ies");
    } else if (last == 's') {
        buffer_append_string(out, kind);
    } else {
        buffer_append_string(out, kind);
        buffer_append_string(out, last == 'x' ? "es" : "s");
    }
}

/* Does an item before that one have its kind, and is seen or unseen like it? */
static bool is_summed(const json_t *list, size_t place)
{
    const json_t *item = json_array_get(list, place);
    bool found = false;
    for (size_t i = 0; !found && i < place; i++) {
        const json_t *other = json_array_get(list, i);
        found = strcmp(text_of(other, "kind"), text_of(item, "kind")) == 0 &&
                (count_of(other) > 0) == (count_of(item) > 0);
    }
    return found;
}

static uint64_t sum_of(const json_t *list, const char *kind)
{
    uint64_t sum = 0;
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item)
    {
        if (strcmp(text_of(item, "kind"), kind) == 0) {
            uint64_t count = count_of(item);
            sum = sum > INT64_MAX - count ? INT64_MAX : sum + count;
        }
    }
    return sum;
}

static void append_kinds(const json_t *list, bool seen, const char *label, struct buffer *out)
{
    bool first = true;
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item)
    {
        const char *kind = text_of(item, "kind");
        if (*kind == '\0' || (count_of(item) > 0) != seen || is_summed(list, index)) {
            continue;
        }
        buffer_append_string(out, !first ? ", " : out->length > 0 && !seen ? "; " : "");
        buffer_append_string(out, first ? label : "");
        first = false;
        uint64_t sum = sum_of(list, kind);
        if (seen) {
            char text[32];
            text_human_count(sum, text, sizeof(text));
            buffer_format(out, "%s ", text);
        }
        if (seen && sum == 1) {
            buffer_append_string(out, kind);
        } else {
            append_plural(kind, out);
        }
    }
}

void not_carried_append_sum(const json_t *list, struct buffer *out)
{
    struct buffer sum = {0};
    append_kinds(list, true, "", &sum);
    append_kinds(list, false, "not seen: ", &sum);
    buffer_append(out, sum.data, sum.length);
    buffer_free(&sum);
}
