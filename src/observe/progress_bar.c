/*
 * Bars on a terminal, as text; progress_display.c puts them there.
 *
 *   copy  ━━━━━━━━━━━━━━━━━━━━────────────────────  49.8%  1,000,013 / 2,007,911  412,345/s  12s
 * left … customer        ━━━━━━━━━━━━━━━━━━━━  100.0%  59 / 59
 */
#include "observe/progress_view.h"

#include "base/signals.h"
#include "base/text.h"
#include "observe/table.h"
#include <string.h>
#include <utf8proc.h>

enum { BAR_COLUMNS_MAX = 40, BAR_COLUMNS_MIN = 8, NAME_COLUMNS_MAX = 24, NAME_BYTES_MAX = 200 };

static void append_bar(const struct progress_frame *frame, double part, uint32_t columns,
                       struct buffer *out)
{
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    uint32_t filled = (uint32_t)(part * columns);
    buffer_append_string(out, frame->color ? "\x1b[32m" : "");
    for (uint32_t i = 0; i < columns; i++) {
        if (i == filled && frame->color) {
            buffer_append_string(out, "\x1b[2m");
        }
        if (frame->unicode) {
            buffer_append_string(out, i < filled || frame->color ? "━" : "─");
        } else {
            buffer_append_byte(out, i < filled ? '#' : '-');
        }
    }
    buffer_append_string(out, frame->color ? "\x1b[0m" : "");
}

/* Appends what fits of a line to the terminal's width; escape sequences take no room. `whole`: of
 * its parts, which two blanks set apart, none is cut in two but the first. */
static void append_cut_line(const char *line, uint32_t columns, bool whole, bool color,
                            struct buffer *out)
{
    uint32_t width = 0;
    size_t whole_length = 0;
    const utf8proc_uint8_t *position = (const utf8proc_uint8_t *)line;
    while (*position != '\0') {
        if (*position == '\x1b') {
            size_t size = strcspn((const char *)position, "m") + 1;
            buffer_append(out, position, size);
            position += size;
            continue;
        }
        utf8proc_int32_t character;
        utf8proc_ssize_t size = utf8proc_iterate(position, -1, &character);
        int needed = size > 0 ? utf8proc_charwidth(character) : 1;
        if (width + (uint32_t)needed > columns) {
            out->length = whole && whole_length > 0 ? whole_length : out->length;
            break;
        }
        if (position[0] == ' ' && position[1] == ' ') {
            whole_length = out->length;
        }
        width += (uint32_t)needed;
        buffer_append(out, position, size > 0 ? (size_t)size : 1);
        position += size > 0 ? size : 1;
    }
    buffer_append_string(out, color ? "\x1b[0m\n" : "\n");
}

/* "  45.2%  1,234 / 2,734"; `part` -1 and `total` -1: not known. */
static void append_part(double part, uint64_t done, int64_t total, struct buffer *out)
{
    char text[32];
    if (part >= 0) {
        unsigned tenths = (unsigned)((part > 1 ? 1 : part) * 1000);
        buffer_format(out, "  %3u.%u%%", tenths / 10, tenths % 10);
    }
    text_human_count(done, text, sizeof(text));
    buffer_format(out, "  %s", text);
    if (total >= 0) {
        text_human_count((uint64_t)total, text, sizeof(text));
        buffer_format(out, " / %s", text);
    }
}

static void append_numbers(const struct progress_view *view, bool last, struct buffer *out)
{
    char text[32];
    append_part(view->part, view->done, view->total, out);
    buffer_append_string(out, "  ");
    progress_append_rate(view->records_per_second, out);
    if (!last && view->phase == PROGRESS_COPY && view->seconds_left >= 0) {
        text_human_seconds(view->seconds_left, text, sizeof(text));
        buffer_format(out, "  %s left", text);
    }
    if (view->bytes > 0) {
        text_human_bytes(view->bytes, text, sizeof(text));
        buffer_format(out, "  %s", text);
    }
    if (view->rejected > 0) {
        text_human_count(view->rejected, text, sizeof(text));
        buffer_format(out, "  %s rejected", text);
    }
}

/* The facts after the phase and the bar. */
static void append_facts(const struct progress_view *view, const struct progress_frame *frame,
                         struct buffer *line)
{
    char text[32];
    if (progress_view_has_entities(view)) {
        append_numbers(view, frame->last, line);
    } else {
        text_human_seconds(view->seconds, text, sizeof(text));
        buffer_append_string(line, text);
    }
    if (view->retries > 0) {
        buffer_format(line, "  %llu retries", (unsigned long long)view->retries);
    }
    if (view->waiting_ms > 0 && !frame->last) {
        text_human_seconds((double)view->waiting_ms / 1000, text, sizeof(text));
        buffer_format(line, "  waiting to try again, %s", text);
    }
    if (!frame->last) {
        progress_append_throttling(view, "  ", line);
    }
    if (view->doing != NULL && !frame->last) {
        buffer_format(line, "  %s", view->doing);
    }
}

/* The bar has what the facts leave it, if that shows anything. */
static void append_head(const struct progress_view *view, const struct progress_frame *frame,
                        struct buffer *line)
{
    bool stopping = signals_stop_level() > 0 && !frame->last;
    struct buffer facts = {0};
    append_facts(view, frame, &facts);
    buffer_format(line, "%-8s%s", progress_phase_name((enum progress_phase)view->phase),
                  stopping ? "finishing the chunks in progress (Ctrl-C again: at once)" : "");
    if (progress_view_has_entities(view) && view->part >= 0 && !stopping) {
        uint32_t taken =
            table_text_width(buffer_string(line)) + table_text_width(buffer_string(&facts));
        uint32_t columns = taken < frame->columns ? frame->columns - taken : 0;
        columns = columns > frame->columns / 4 ? frame->columns / 4 : columns;
        columns = columns > BAR_COLUMNS_MAX ? BAR_COLUMNS_MAX : columns;
        if (columns >= BAR_COLUMNS_MIN) {
            append_bar(frame, view->part, columns, line);
        }
    }
    buffer_append_string(line, buffer_string(&facts));
    buffer_free(&facts);
}

static void append_entity(const struct progress_entity *entity, const struct progress_frame *frame,
                          struct buffer *line)
{
    char name[NAME_BYTES_MAX];
    text_printable(entity->name, strlen(entity->name), name, sizeof(name));
    struct buffer cut = {0};
    append_cut_line(name, NAME_COLUMNS_MAX, false, false, &cut);
    if (cut.length > 0) {
        cut.length--; /* the newline */
    }
    buffer_append_string(line, "  ");
    buffer_append_string(line, buffer_string(&cut));
    for (uint32_t width = table_text_width(buffer_string(&cut)); width < NAME_COLUMNS_MAX;
         width++) {
        buffer_append_byte(line, ' ');
    }
    buffer_free(&cut);
    buffer_append_string(line, "  ");
    uint64_t done = progress_entity_done(entity);
    uint64_t work = 0;
    uint64_t total = 0;
    bool known = progress_entity_work(entity, &work, &total);
    double part = known && total > 0 ? (double)work / (double)total : -1;
    if (part >= 0 && frame->columns >= 80) {
        uint32_t columns = frame->columns / 6;
        columns = columns > BAR_COLUMNS_MAX / 2 ? BAR_COLUMNS_MAX / 2 : columns;
        columns = columns < BAR_COLUMNS_MIN ? BAR_COLUMNS_MIN : columns;
        append_bar(frame, part, columns, line);
    }
    append_part(part, done, entity->total, line);
}

/* Begun and not complete; of an unknown total: begun. */
static bool is_active(const struct progress_entity *entity)
{
    uint64_t done = progress_entity_done(entity);
    bool begun = done > 0 || atomic_load_explicit(&entity->read, memory_order_relaxed) > 0;
    uint64_t work = 0;
    uint64_t total = 0;
    return begun && (!progress_entity_work(entity, &work, &total) || work < total);
}

void progress_append_bars(const struct progress *progress, const struct progress_view *view,
                          const struct progress_frame *frame, struct buffer *out)
{
    struct buffer line = {0};
    append_head(view, frame, &line);
    append_cut_line(buffer_string(&line), frame->columns, true, frame->color, out);
    bool entities = view->phase == PROGRESS_COPY && !frame->last && progress->entity_count > 1;
    uint32_t rows = 1;
    for (uint32_t i = 0; entities && i < progress->entity_count && rows < frame->rows; i++) {
        if (is_active(&progress->entities[i])) {
            buffer_clear(&line);
            append_entity(&progress->entities[i], frame, &line);
            append_cut_line(buffer_string(&line), frame->columns, true, frame->color, out);
            rows++;
        }
    }
    buffer_free(&line);
}
