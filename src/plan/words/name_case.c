#include "plan/words/name_case.h"
#include "base/text.h"
#include <string.h>
#include <utf8proc.h>

enum name_case name_case_of(const char *word)
{
    return strcmp(word, "lower") == 0   ? NAME_LOWER
           : strcmp(word, "snake") == 0 ? NAME_SNAKE
                                        : NAME_KEEP;
}

enum letter { LETTER_SMALL, LETTER_CAPITAL, LETTER_DIGIT, LETTER_KEPT, LETTER_BETWEEN };

static enum letter letter_of(utf8proc_int32_t point)
{
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
        return LETTER_CAPITAL;
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
        return LETTER_SMALL;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return LETTER_DIGIT;
    default:
        return point == '.' || point == '"' || point == '$' || point == '#' ? LETTER_KEPT
                                                                            : LETTER_BETWEEN;
    }
}

/* A name that is walked: the point at hand, and what stood before it. */
struct walk {
    const char *name;
    size_t length;
    size_t at;
    enum letter before;
    bool pending; /* a sign between words was passed */
    bool any;     /* something of the part behind the last dot was written */
};

static size_t read_point(const struct walk *walk, size_t at, utf8proc_int32_t *point)
{
    utf8proc_ssize_t read = utf8proc_iterate((const utf8proc_uint8_t *)walk->name + at,
                                             (utf8proc_ssize_t)(walk->length - at), point);
    return read > 0 ? (size_t)read : 0;
}

static bool small_follows(const struct walk *walk, size_t behind)
{
    utf8proc_int32_t next = 0;
    return behind < walk->length && read_point(walk, behind, &next) > 0 &&
           letter_of(next) == LETTER_SMALL;
}

static bool begins_word(const struct walk *walk, enum letter letter, size_t behind)
{
    if (letter != LETTER_CAPITAL) {
        return false;
    }
    return walk->before == LETTER_SMALL || walk->before == LETTER_DIGIT ||
           (walk->before == LETTER_CAPITAL && small_follows(walk, behind));
}

static void append_small(utf8proc_int32_t point, struct buffer *out)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t length = utf8proc_encode_char(utf8proc_tolower(point), bytes);
    buffer_append(out, bytes, (size_t)length);
}

static void append_snake(struct walk *walk, struct buffer *out)
{
    while (walk->at < walk->length) {
        utf8proc_int32_t point = 0;
        size_t behind = walk->at + read_point(walk, walk->at, &point);
        enum letter letter = letter_of(point);
        if (letter == LETTER_BETWEEN && point != '_') {
            walk->pending = true;
        } else if (point == '_') {
            buffer_append_byte(out, '_');
            walk->pending = false;
        } else {
            bool word = walk->any && letter != LETTER_KEPT &&
                        (walk->pending || begins_word(walk, letter, behind));
            if (word && (out->length == 0 || out->data[out->length - 1] != '_')) {
                buffer_append_byte(out, '_');
            }
            append_small(point, out);
            walk->pending = false;
            walk->any = letter != LETTER_KEPT;
        }
        walk->before = letter;
        walk->at = behind;
    }
}

void name_case_append(enum name_case rule, const char *name, size_t length, struct buffer *out)
{
    struct walk walk = {.name = name, .length = length, .before = LETTER_BETWEEN};
    if (rule == NAME_KEEP || !text_is_utf8(name, length)) {
        buffer_append(out, name, length);
    } else if (rule == NAME_SNAKE) {
        append_snake(&walk, out);
    } else {
        while (walk.at < walk.length) {
            utf8proc_int32_t point = 0;
            walk.at += read_point(&walk, walk.at, &point);
            append_small(point, out);
        }
    }
}
