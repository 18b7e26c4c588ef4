/*
 * The thread that shows progress. Ten times a second it looks; what it shows and how often depends
 * on the mode. The bars stand below all other output: a log line first takes them away and they are
 * drawn again after it. The cursor is never hidden and no terminal setting is changed, so that
 * nothing is left to mend when the process dies.
 */
#include "observe/progress.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "observe/progress_view.h"
#include "observe/table.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TICK_MS = 100, SECOND_MS = 1000, LOG_STEP_MS = 10000, BAR_ROWS_MAX = 12 };

struct progress_display {
    struct progress *progress;
    enum progress_mode mode;
    bool color;
    bool unicode;
    void (*every_second)(void *context);
    void *context;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;
    bool stopping;
    struct progress_meter meter;
    struct buffer frame; /* the bars as they stand on the screen */
    uint64_t *seen;      /* one an entity, from the copy phase on */
    int64_t second_ms;   /* when the last full second was counted */
    int64_t shown_ms;    /* when something was last shown */
};

/* The log's hooks carry no context, and there is one terminal. Set before the hooks, cleared
 * after. */
static struct progress_display *shown_display;

static void write_stderr(const struct buffer *out)
{
    struct error ignored;
    if (out->length > 0 &&
        file_write_all(STDERR_FILENO, out->data, out->length, "stderr", &ignored) != STATUS_OK) {
        return; /* a terminal that went away: the run goes on without */
    }
}

static void terminal_size(uint32_t *columns, uint32_t *rows)
{
    struct winsize size;
    *columns = 80;
    *rows = 24;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        *columns = size.ws_col;
        *rows = size.ws_row;
    }
}

/* How many screen rows a line takes; escape sequences take no room. */
static uint32_t rows_of_line(const char *line, size_t length, uint32_t columns)
{
    char text[4096];
    size_t filled = 0;
    for (size_t i = 0; i < length && filled + 1 < sizeof(text); i++) {
        if (line[i] == '\x1b') {
            while (i < length && line[i] != 'm') {
                i++;
            }
        } else {
            text[filled++] = line[i];
        }
    }
    text[filled] = '\0';
    uint32_t width = table_text_width(text);
    return width == 0 ? 1 : (width + columns - 1) / columns;
}

/* Appends what takes the bars away: they may have been re-wrapped by a resize since they were
 * drawn. */
static void append_erase(struct progress_display *display, struct buffer *out)
{
    uint32_t columns;
    uint32_t rows;
    terminal_size(&columns, &rows);
    uint32_t up = 0;
    const char *position = display->frame.data;
    const char *end = position == NULL ? NULL : position + display->frame.length;
    while (position < end) {
        const char *newline = memchr(position, '\n', (size_t)(end - position));
        if (newline == NULL) {
            break;
        }
        up += rows_of_line(position, (size_t)(newline - position), columns);
        position = newline + 1;
    }
    if (up > 0) {
        buffer_format(out, "\r\x1b[%uA\x1b[J", (unsigned)up);
    }
    buffer_clear(&display->frame);
}

static void progress_display_draw(struct progress_display *display, bool last)
{
    struct progress_view view;
    struct buffer out = {0};
    struct progress_frame frame = {
        .color = display->color, .unicode = display->unicode, .last = last};
    append_erase(display, &out);
    terminal_size(&frame.columns, &frame.rows);
    /* a full last column makes some terminals wrap */
    frame.columns = frame.columns > 1 ? frame.columns - 1 : 1;
    frame.rows = frame.rows > 2 ? frame.rows - 2 : 1;
    frame.rows = frame.rows > BAR_ROWS_MAX ? BAR_ROWS_MAX : frame.rows;
    progress_view_take(display->progress, &display->meter, clock_monotonic_ms(), &view);
    if (last) {
        progress_view_average(display->progress, &view);
    }
    progress_append_bars(display->progress, &view, &frame, &display->frame);
    buffer_append(&out, display->frame.data, display->frame.length);
    write_stderr(&out);
    buffer_free(&out);
}

static void before_log_line(void)
{
    struct progress_display *display = shown_display;
    struct buffer out = {0};
    pthread_mutex_lock(&display->mutex);
    append_erase(display, &out);
    write_stderr(&out);
    buffer_free(&out);
    /* held until after_log_line, so that no bar comes in between */
}

static void after_log_line(void)
{
    struct progress_display *display = shown_display;
    progress_display_draw(display, false);
    pthread_mutex_unlock(&display->mutex);
}

static void show_json(struct progress_display *display)
{
    struct progress_view view;
    struct buffer out = {0};
    progress_view_take(display->progress, &display->meter, clock_monotonic_ms(), &view);
    progress_append_json(display->progress, &view, &out);
    write_stderr(&out);
    buffer_free(&out);
}

/* Not under the mutex: the log's own comes first everywhere else. */
static void show_log_line(struct progress_display *display, bool last)
{
    struct progress_view view;
    struct buffer out = {0};
    progress_view_take(display->progress, &display->meter, clock_monotonic_ms(), &view);
    if (last && !progress_view_has_entities(&view)) {
        return; /* it ended before there was any: the error says it all */
    }
    if (last) {
        progress_view_average(display->progress, &view);
    }
    progress_append_line(&view, &out);
    log_write(LOG_INFO, "%s", buffer_string(&out));
    buffer_free(&out);
}

/* The step in which the mode shows something of its own accord; 0: never. */
static int64_t step_ms(const struct progress_display *display)
{
    switch (display->mode) {
    case PROGRESS_BAR:
        return TICK_MS;
    case PROGRESS_LOG:
        return LOG_STEP_MS;
    case PROGRESS_JSON:
        return SECOND_MS;
    default:
        return 0;
    }
}

static void progress_display_show(struct progress_display *display, bool last)
{
    switch (display->mode) {
    case PROGRESS_BAR:
        pthread_mutex_lock(&display->mutex);
        progress_display_draw(display, last);
        if (last) {
            buffer_clear(&display->frame); /* it stays on the screen */
        }
        pthread_mutex_unlock(&display->mutex);
        break;
    case PROGRESS_LOG:
        show_log_line(display, last);
        break;
    case PROGRESS_JSON:
        show_json(display);
        break;
    default:
        break;
    }
}

static void note_movement(struct progress_display *display, int64_t now_ms)
{
    struct progress *progress = display->progress;
    if (atomic_load(&progress->phase) < PROGRESS_COPY) {
        return;
    }
    bool first = display->seen == NULL;
    if (first) {
        display->seen = memory_allocate_zeroed(progress->entity_count + 1, sizeof(*display->seen));
    }
    progress_note_movement(progress, display->seen, first, now_ms);
}

static void tick(struct progress_display *display, int64_t now_ms)
{
    note_movement(display, now_ms);
    if (display->mode != PROGRESS_BAR && atomic_load(&display->progress->phase) >= PROGRESS_COPY) {
        struct progress_view view; /* the meter's samples must not have holes */
        progress_view_take(display->progress, &display->meter, now_ms, &view);
    }
    if (step_ms(display) > 0 && now_ms - display->shown_ms >= step_ms(display)) {
        display->shown_ms = now_ms;
        progress_display_show(display, false);
    }
    if (now_ms - display->second_ms >= SECOND_MS) {
        display->second_ms = now_ms;
        if (display->every_second != NULL) {
            display->every_second(display->context);
        }
    }
}

static void *display_main(void *argument)
{
    struct progress_display *display = argument;
    pthread_mutex_lock(&display->mutex);
    while (!display->stopping) {
        int64_t until_ns = clock_monotonic_ns() + TICK_MS * INT64_C(1000000);
        bool in_time = true;
        while (!display->stopping && in_time) {
            in_time = condition_wait_until(&display->wake, &display->mutex, until_ns);
        }
        if (!display->stopping) {
            pthread_mutex_unlock(&display->mutex);
            tick(display, clock_monotonic_ms());
            pthread_mutex_lock(&display->mutex);
        }
    }
    pthread_mutex_unlock(&display->mutex);
    return NULL;
}

static bool is_utf8_locale(void)
{
    const char *names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return strcasestr(value, "UTF-8") != NULL || strcasestr(value, "utf8") != NULL;
        }
    }
    return false;
}

static bool is_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

static void display_free(struct progress_display *display)
{
    pthread_cond_destroy(&display->wake);
    pthread_mutex_destroy(&display->mutex);
    buffer_free(&display->frame);
    free(display->seen);
    free(display);
}

enum status progress_display_start(struct progress *progress, enum progress_mode mode, bool color,
                                   void (*every_second)(void *context), void *context,
                                   struct progress_display **display, struct error *error)
{
    struct progress_display *made = memory_allocate_zeroed(1, sizeof(*made));
    bool bars = (mode == PROGRESS_AUTO || mode == PROGRESS_BAR) && is_terminal();
    made->progress = progress;
    made->mode = bars                                            ? PROGRESS_BAR
                 : mode == PROGRESS_AUTO || mode == PROGRESS_BAR ? PROGRESS_LOG
                                                                 : mode;
    made->color = color;
    made->unicode = is_utf8_locale();
    made->every_second = every_second;
    made->context = context;
    made->second_ms = made->shown_ms = clock_monotonic_ms();
    pthread_mutex_init(&made->mutex, NULL);
    condition_init(&made->wake);
    if (made->mode == PROGRESS_BAR) {
        shown_display = made;
        log_set_terminal_hooks(before_log_line, after_log_line);
    }
    int failure = pthread_create(&made->thread, NULL, display_main, made);
    if (failure != 0) {
        log_set_terminal_hooks(NULL, NULL);
        display_free(made);
        return error_set_errno(error, ERROR_INTERNAL, failure, NULL,
                               "can't start the progress display");
    }
    *display = made;
    return STATUS_OK;
}

void progress_display_stop(struct progress_display *display)
{
    if (display == NULL) {
        return;
    }
    pthread_mutex_lock(&display->mutex);
    display->stopping = true;
    pthread_cond_signal(&display->wake);
    pthread_mutex_unlock(&display->mutex);
    pthread_join(display->thread, NULL);
    if (display->mode == PROGRESS_BAR) {
        log_set_terminal_hooks(NULL, NULL);
        shown_display = NULL;
    }
    note_movement(display, clock_monotonic_ms());
    progress_display_show(display, true);
    display_free(display);
}
