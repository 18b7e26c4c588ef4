/* The normal form of texts, on utf8proc's tables. */
#include "design/embed/embed_normal.h"

#include "base/memory.h"
#include <stdlib.h>
#include <utf8proc.h>

enum { DECOMPOSED_MAX = 32, CAPACITY_FIRST = 256, REPLACEMENT = 0xfffd };

/* Characters so far, and what their canonical order needs: where those that may change places
 * begin. */
struct ordering {
    struct embed_points *out;
    size_t movable;
};

/* Characters that the tokenizer takes for Chinese. Its list leaves out U+2B820 to U+2B91F. */
static const struct {
    uint32_t first;
    uint32_t last;
} ideographs[] = {{0x4e00, 0x9fff},   {0x3400, 0x4dbf},   {0x20000, 0x2a6df}, {0x2a700, 0x2b73f},
                  {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf}, {0xf900, 0xfaff},   {0x2f800, 0x2fa1f}};

static bool is_ideograph(uint32_t point)
{
    for (size_t i = 0; i < sizeof ideographs / sizeof *ideographs; i++) {
        if (point >= ideographs[i].first && point <= ideographs[i].last) {
            return true;
        }
    }
    return false;
}

/* White space among the characters that are left when control characters are dropped. */
static bool is_white(uint32_t point)
{
    return point == '\t' || point == '\n' || point == '\r' || point == ' ' || point == 0xa0 ||
           point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x2028 ||
           point == 0x2029 || point == 0x202f || point == 0x205f || point == 0x3000;
}

static bool is_dropped(uint32_t point)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);
    return point == 0 || point == REPLACEMENT || category == UTF8PROC_CATEGORY_CC ||
           category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CO;
}

bool embed_is_punctuation(uint32_t point)
{
    if (point < 0x80) {
        return (point >= 33 && point <= 47) || (point >= 58 && point <= 64) ||
               (point >= 91 && point <= 96) || (point >= 123 && point <= 126);
    }
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

static void embed_normal_append(struct embed_points *out, uint32_t point)
{
    if (out->count == out->capacity) {
        out->capacity = out->capacity == 0 ? CAPACITY_FIRST : 2 * out->capacity;
        out->points = memory_resize(out->points, out->capacity, sizeof *out->points);
    }
    out->points[out->count++] = point;
}

static utf8proc_propval_t combining_class(uint32_t point)
{
    return utf8proc_get_property((utf8proc_int32_t)point)->combining_class;
}

/* Appends a decomposed character in canonical order: those that combine stand sorted by class. */
static void append_ordered(struct ordering *ordering, uint32_t point)
{
    struct embed_points *out = ordering->out;
    utf8proc_propval_t class = combining_class(point);
    bool kept = utf8proc_category((utf8proc_int32_t)point) != UTF8PROC_CATEGORY_MN;
    if (kept) {
        embed_normal_append(out, point);
        size_t at = out->count - 1;
        for (; class != 0 && at > ordering->movable && combining_class(out->points[at - 1]) > class;
             at--) {
            out->points[at] = out->points[at - 1];
        }
        out->points[at] = point;
    }
    if (class == 0) {
        ordering->movable = out->count;
    }
}

static void append_decomposed(struct ordering *ordering, uint32_t point)
{
    utf8proc_int32_t parts[DECOMPOSED_MAX];
    int boundary = 0;
    utf8proc_ssize_t count = utf8proc_decompose_char((utf8proc_int32_t)point, parts, DECOMPOSED_MAX,
                                                     UTF8PROC_DECOMPOSE, &boundary);
    for (utf8proc_ssize_t i = 0; i < count && i < DECOMPOSED_MAX; i++) {
        append_ordered(ordering, (uint32_t)parts[i]);
    }
}

void embed_normalize(struct text text, struct embed_points *out)
{
    struct ordering ordering = {.out = out};
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text.data;
    size_t at = 0;
    out->count = 0;
    while (at < text.length) {
        utf8proc_int32_t point = 0;
        utf8proc_ssize_t length =
            utf8proc_iterate(bytes + at, (utf8proc_ssize_t)(text.length - at), &point);
        if (length <= 0) {
            at++;
            continue;
        }
        at += (size_t)length;
        uint32_t read = (uint32_t)point;
        if (is_white(read)) {
            append_ordered(&ordering, ' ');
        } else if (is_dropped(read)) {
            continue;
        } else if (is_ideograph(read)) {
            append_ordered(&ordering, ' ');
            append_decomposed(&ordering, read);
            append_ordered(&ordering, ' ');
        } else {
            append_decomposed(&ordering, read);
        }
    }
    for (size_t i = 0; i < out->count; i++) {
        out->points[i] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)out->points[i]);
    }
}

void embed_points_free(struct embed_points *points)
{
    free(points->points);
    *points = (struct embed_points){0};
}
