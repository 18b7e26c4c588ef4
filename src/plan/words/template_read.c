/* Reads templates backwards. */
#include "plan/words/template_read.h"
#include "plan/words/template.h"

#include "base/buffer.h"
#include <string.h>

struct literal {
    const char *text;
    size_t length;
};

uint32_t template_value_count(const struct plan_template *template)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < template->count; i++) {
        count += template->parts[i].has_value;
    }
    return count;
}

bool template_is_readable(const struct plan_template *template, uint32_t *second)
{
    uint32_t values = template_value_count(template);
    for (uint32_t i = 1; i < values; i++) {
        if (template->parts[i].literal_length == 0) {
            *second = i;
            return false;
        }
    }
    return true;
}

/* The literal before value `index`, or behind the last one. */
static struct literal literal_at(const struct plan_template *template, uint32_t index)
{
    if (index >= template->count) {
        return (struct literal){"", 0};
    }
    const struct template_part *part = &template->parts[index];
    return (struct literal){part->literal, part->literal_length};
}

static const char *find_last(const char *text, size_t length, struct literal literal)
{
    for (size_t at = length + 1; length >= literal.length && at > literal.length; at--) {
        if (memcmp(text + at - 1 - literal.length, literal.text, literal.length) == 0) {
            return text + at - 1 - literal.length;
        }
    }
    return NULL;
}

/* The same text whether the literals between are looked for from the left or from the right? */
static bool is_unique(const struct plan_template *template, uint32_t values, const char *begin,
                      const char *end, const struct template_slice *slices)
{
    for (uint32_t i = values - 1; i > 0; i--) {
        const char *found = find_last(begin, (size_t)(end - begin), literal_at(template, i));
        if (found != slices[i - 1].text + slices[i - 1].length) {
            return false;
        }
        end = found;
    }
    return true;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Takes the zeros off that the template puts before a number; false if it would not have made this
 * text. */
static bool take_pad_off(struct template_slice *slice, uint32_t pad)
{
    const char *text = slice->text;
    size_t length = slice->length;
    bool minus = length > 0 && text[0] == '-';
    text += minus;
    length -= minus;
    size_t whole = 0;
    while (whole < length && is_digit(text[whole])) {
        whole++;
    }
    size_t rest = whole + (whole < length && text[whole] == '.');
    bool fraction = rest > whole;
    size_t end = rest;
    while (end < length && is_digit(text[end])) {
        end++;
    }
    size_t zeros = 0;
    while (zeros + 1 < whole && text[zeros] == '0') {
        zeros++;
    }
    if (whole == 0 || end < length || (fraction && end == rest) || length < pad ||
        (length > pad && zeros > 0)) {
        return false;
    }
    slice->minus = minus && zeros > 0;
    slice->text = minus && zeros == 0 ? text - 1 : text + zeros;
    slice->length = (uint32_t)(length - zeros + (minus && zeros == 0));
    return true;
}

/* The first value of the same name: itself, or an earlier one. */
static uint32_t first_of_name(const struct plan_template *template, uint32_t value)
{
    uint32_t first = 0;
    while (strcmp(template->parts[first].name, template->parts[value].name) != 0) {
        first++;
    }
    return first;
}

/* One name is one value, however often it stands in the template. */
static bool names_agree(const struct plan_template *template, uint32_t values,
                        const struct template_slice *slices)
{
    for (uint32_t i = 0; i < values; i++) {
        const struct template_slice *first = &slices[first_of_name(template, i)];
        if (first->length != slices[i].length || first->minus != slices[i].minus ||
            memcmp(first->text, slices[i].text, first->length) != 0) {
            return false;
        }
    }
    return true;
}

enum template_fit template_read(const struct plan_template *template, const char *text,
                                size_t length, struct template_slice *slices)
{
    struct template_slice own[TEMPLATE_READ_VALUES_MAX];
    uint32_t values = template_value_count(template);
    struct literal first = literal_at(template, 0);
    struct literal last = literal_at(template, values);
    slices = slices != NULL ? slices : own;
    if (values == 0) {
        bool equal = length == first.length && memcmp(text, first.text, length) == 0;
        return equal ? TEMPLATE_FITS : TEMPLATE_DIFFERS;
    }
    if (values > TEMPLATE_READ_VALUES_MAX || length < first.length + last.length ||
        memcmp(text, first.text, first.length) != 0 ||
        memcmp(text + length - last.length, last.text, last.length) != 0) {
        return TEMPLATE_DIFFERS;
    }
    const char *begin = text + first.length;
    const char *end = text + length - last.length;
    const char *at = begin;
    for (uint32_t i = 0; i < values; i++) {
        struct literal next = literal_at(template, i + 1);
        const char *found =
            i + 1 < values ? memmem(at, (size_t)(end - at), next.text, next.length) : end;
        if (found == NULL) {
            return TEMPLATE_DIFFERS;
        }
        slices[i] = (struct template_slice){.text = at, .length = (uint32_t)(found - at)};
        at = found + next.length;
    }
    if (!is_unique(template, values, begin, end, slices)) {
        return TEMPLATE_AMBIGUOUS;
    }
    for (uint32_t i = 0; i < values; i++) {
        if (template->parts[i].pad > 0 && !take_pad_off(&slices[i], template->parts[i].pad)) {
            return TEMPLATE_DIFFERS;
        }
    }
    return names_agree(template, values, slices) ? TEMPLATE_FITS : TEMPLATE_DIFFERS;
}

/* ---------------------------------------------------------------- two templates */

bool template_overlaps(const struct plan_template *left, const struct plan_template *right)
{
    uint32_t left_values = template_value_count(left);
    uint32_t right_values = template_value_count(right);
    struct literal a = literal_at(left, 0);
    struct literal b = literal_at(right, 0);
    if (left_values == 0 || right_values == 0) {
        struct literal text = left_values == 0 ? a : b;
        const struct plan_template *other = left_values == 0 ? right : left;
        return template_read(other, text.text, text.length, NULL) != TEMPLATE_DIFFERS;
    }
    /* Behind the longer beginning and before the longer end both may hold what the other asks. */
    size_t common = a.length < b.length ? a.length : b.length;
    if (memcmp(a.text, b.text, common) != 0) {
        return false;
    }
    a = literal_at(left, left_values);
    b = literal_at(right, right_values);
    common = a.length < b.length ? a.length : b.length;
    return memcmp(a.text + a.length - common, b.text + b.length - common, common) == 0;
}

bool template_is_alike(const struct plan_template *left, const struct plan_template *right)
{
    if (left->count != right->count) {
        return false;
    }
    for (uint32_t i = 0; i < left->count; i++) {
        const struct template_part *a = &left->parts[i];
        const struct template_part *b = &right->parts[i];
        if (a->has_value != b->has_value || a->pad != b->pad ||
            a->literal_length != b->literal_length ||
            memcmp(a->literal, b->literal, a->literal_length) != 0 ||
            (a->has_value && first_of_name(left, i) != first_of_name(right, i))) {
            return false;
        }
    }
    return true;
}

static void print_literal(const struct template_part *part, struct buffer *out)
{
    for (uint32_t at = 0; at < part->literal_length; at++) {
        char byte = part->literal[at];
        buffer_append_byte(out, byte);
        if (byte == '{' || byte == '}') {
            buffer_append_byte(out, byte);
        }
    }
}

void template_print(const struct plan_template *template, struct buffer *out)
{
    for (uint32_t i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];
        print_literal(part, out);
        if (part->has_value) {
            buffer_append_byte(out, '{');
            template_append_name(out, part->name);
            if (part->pad > 0) {
                buffer_format(out, ":0%u", part->pad);
            }
            buffer_append_byte(out, '}');
        }
    }
}
