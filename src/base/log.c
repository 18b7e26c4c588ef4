/*
 * The log. A line is put together on the stack and written by one write(2) a sink; the mutex only
 * keeps lines away from a change of file or of the terminal hooks.
 *   stderr       error: shop.db: message [code]        info lines without a word before them
 *   run's log    2026-01-31T23:59:59.123Z error: shop.db: message [code]
 *   user's file  2026-01-31 23:59:59,123 ERROR shop.db: message [code] [table=users, chunk=3]
 */
#include "base/log.h"
#include "base/buffer.h"
#include "base/file.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 4096, STAMP_BYTES = 25 /* and a blank */, PLACE_BYTES_MAX = 1024 };

enum sink_name { SINK_TERMINAL, SINK_RUN, SINK_USER, SINK_COUNT };
struct sink {
    int descriptor;
    atomic_int level; /* -1, below all: closed */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct sink sinks[SINK_COUNT] = {
    [SINK_TERMINAL] = {STDERR_FILENO, LOG_WARNING}, [SINK_RUN] = {-1, -1}, [SINK_USER] = {-1, -1}};
static void (*before_line)(void);
static void (*after_line)(void);
static size_t (*format_record)(const struct log_record *record, char *line, size_t capacity);
static void (*listener)(void *context, const struct log_record *record);
static void *listener_context;
static atomic_bool is_listened_to;
static const struct event message_event = {.kind = EVENT_MESSAGE};

void log_set_stderr_level(enum log_level level)
{
    atomic_store(&sinks[SINK_TERMINAL].level, (int)level);
}

/* `descriptor` -1: closes the sink. */
static void change_sink(struct sink *sink, int descriptor, int level)
{
    pthread_mutex_lock(&mutex);
    int old = sink->descriptor;
    sink->descriptor = descriptor;
    atomic_store(&sink->level, level);
    pthread_mutex_unlock(&mutex);
    if (old >= 0) {
        close(old);
    }
}

static enum status open_sink(struct sink *sink, const char *path, enum log_level level,
                             struct error *error)
{
    int descriptor =
        file_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't open the log");
    }
    change_sink(sink, descriptor, (int)level);
    return STATUS_OK;
}

enum status log_open_file(const char *path, enum log_level level, struct error *error)
{
    return open_sink(&sinks[SINK_RUN], path, level, error);
}

void log_close_file(void)
{
    change_sink(&sinks[SINK_RUN], -1, -1);
}

enum status log_open_user_file(const char *path, enum log_level level, struct error *error)
{
    return open_sink(&sinks[SINK_USER], path, level, error);
}

void log_close_user_file(void)
{
    change_sink(&sinks[SINK_USER], -1, -1);
}

void log_set_terminal_hooks(void (*before)(void), void (*after)(void))
{
    pthread_mutex_lock(&mutex);
    before_line = before;
    after_line = after;
    pthread_mutex_unlock(&mutex);
}

void log_set_listener(void (*function)(void *context, const struct log_record *record),
                      void *context)
{
    pthread_mutex_lock(&mutex);
    listener = function;
    listener_context = context;
    atomic_store(&is_listened_to, function != NULL);
    pthread_mutex_unlock(&mutex);
}

void log_set_formatter(size_t (*formatter)(const struct log_record *record, char *line,
                                           size_t capacity))
{
    pthread_mutex_lock(&mutex);
    format_record = formatter;
    pthread_mutex_unlock(&mutex);
}

/* A failure to write a log line has nowhere to be told. */
static void write_line(int descriptor, const char *line, size_t length)
{
    ssize_t written;
    do {
        written = write(descriptor, line, length);
    } while (written < 0 && errno == EINTR);
}

static const char *const level_words[] = {"error: ", "warning: ", "info: ", "debug: "};

static bool has_level(const struct sink *sink, enum log_level level)
{
    return (int)level <= atomic_load_explicit(&sink->level, memory_order_relaxed);
}

static bool is_heard(enum log_level level, const struct event *event)
{
    return atomic_load_explicit(&is_listened_to, memory_order_relaxed) &&
           (level <= LOG_INFO || event->kind != EVENT_MESSAGE);
}

static bool is_wanted(enum log_level level, const struct event *event)
{
    return has_level(&sinks[SINK_TERMINAL], level) || has_level(&sinks[SINK_RUN], level) ||
           has_level(&sinks[SINK_USER], level) || is_heard(level, event);
}

bool log_has_user_file(enum log_level level)
{
    return has_level(&sinks[SINK_USER], level);
}

/* Appends text to the line, clipped with "..." if need be, cleaned and with secrets hidden. */
static size_t append_clean(char *text, size_t length, const char *addition)
{
    char line[LINE_BYTES_MAX];
    size_t room = LINE_BYTES_MAX - 2 - length;
    snprintf(line, sizeof(line), "%s", addition);
    secret_redact(line);
    text_clean_line(line);
    size_t size = strlen(line);
    if (size > room) {
        size_t kept = text_clip(line, size, room >= 3 ? room - 3 : 0);
        memcpy(text + length, line, kept);
        size_t dots = room - kept < 3 ? room - kept : 3;
        memcpy(text + length + kept, "...", dots);
        return length + kept + dots;
    }
    memcpy(text + length, line, size);
    return length + size;
}

/* ---- the sinks, under the mutex; `text` is one or more clean lines, the level's word included,
 * without the last newline, and there is room for a byte behind it */

static void write_formatted(int descriptor, const struct log_record *record)
{
    char line[2 * LINE_BYTES_MAX];
    write_line(descriptor, line, format_record(record, line, sizeof(line)));
}

static void write_to_terminal(const struct log_record *record, const char *text, size_t length)
{
    if (before_line != NULL) {
        before_line();
    }
    if (format_record != NULL) {
        write_formatted(STDERR_FILENO, record);
    } else {
        size_t skip = record->level == LOG_INFO ? strlen(level_words[LOG_INFO]) : 0;
        write_line(STDERR_FILENO, text + skip, length - skip);
    }
    if (after_line != NULL) {
        after_line();
    }
}

/* There is room for STAMP_BYTES before the text. */
static void write_to_run(char *text, size_t length, int64_t at_us)
{
    char stamp[32];
    clock_format_utc(at_us, stamp, sizeof(stamp));
    stamp[STAMP_BYTES - 1] = ' ';
    memcpy(text - STAMP_BYTES, stamp, STAMP_BYTES);
    write_line(sinks[SINK_RUN].descriptor, text - STAMP_BYTES, length + STAMP_BYTES);
}

/* " [table=users, chunk=3, key={"id":5}]"; "": nothing is known. */
static void format_place(const struct event *event, char *out)
{
    char text[PLACE_BYTES_MAX - 8];
    int size = 0;
    out[0] = '\0';
    if (event->table == NULL && event->chunk == 0 && event->key == NULL) {
        return;
    }
    if (event->table != NULL) {
        size = snprintf(text, sizeof(text), ", table=%.256s", event->table);
    }
    if (event->chunk != 0) {
        size +=
            snprintf(text + size, sizeof(text) - (size_t)size, ", chunk=%" PRIu64, event->chunk);
    }
    if (event->key != NULL) {
        snprintf(text + size, sizeof(text) - (size_t)size, ", key=%.640s", event->key);
    }
    secret_redact(text);
    text_clean_line(text);
    snprintf(out, PLACE_BYTES_MAX, " [%s]", text + 2);
}

/* A hint, which is a line of its own elsewhere, stands in the same line. */
static void write_to_user(const struct log_record *record)
{
    static const char *const names[] = {"ERROR", "WARNING", "INFO", "DEBUG"};
    char line[LINE_BYTES_MAX + PLACE_BYTES_MAX + 64];
    char where[PLACE_BYTES_MAX];
    char stamp[32];
    time_t seconds = (time_t)(record->at_us / 1000000);
    struct tm local = {0};
    int shown = (int)strcspn(record->text, "\n");
    const char *hint = record->text[shown] == '\n' ? record->text + shown + 2 : "";
    localtime_r(&seconds, &local);
    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &local);
    format_place(record->event, where);
    int length = snprintf(line, sizeof(line), "%s,%03d %s %.*s%s%s%s\n", stamp,
                          (int)(record->at_us / 1000 % 1000), names[record->level], shown,
                          record->text, hint[0] != '\0' ? ";" : "", hint, where);
    write_line(sinks[SINK_USER].descriptor, line, (size_t)length);
}

static struct log_record record_of(enum log_level level, const struct event *event,
                                   const char *text)
{
    return (struct log_record){.level = level,
                               .at_us = clock_utc_us(),
                               .event = event,
                               .text = text + strlen(level_words[level])};
}

static void emit_user(const struct log_record *record)
{
    if (has_level(&sinks[SINK_USER], record->level)) {
        if (format_record != NULL) {
            write_formatted(sinks[SINK_USER].descriptor, record);
        } else {
            write_to_user(record);
        }
    }
}

static void log_emit(enum log_level level, const struct event *event, char *text, size_t length)
{
    int saved_errno = errno;
    text[length] = '\0';
    const struct log_record record = record_of(level, event, text);
    pthread_mutex_lock(&mutex);
    emit_user(&record);
    if (listener != NULL && is_heard(level, event)) {
        listener(listener_context, &record);
    }
    if (has_level(&sinks[SINK_TERMINAL], level) && format_record != NULL) {
        write_to_terminal(&record, text, length);
    }
    text[length++] = '\n';
    if (has_level(&sinks[SINK_TERMINAL], level) && format_record == NULL) {
        write_to_terminal(&record, text, length);
    }
    if (has_level(&sinks[SINK_RUN], level)) {
        write_to_run(text, length, record.at_us);
    }
    pthread_mutex_unlock(&mutex);
    errno = saved_errno;
}

/* ---- lines */

/* The level's word and the message, cleaned; without an end of line. */
static size_t format_line(enum log_level level, char *text, const char *format, va_list arguments)
{
    char message[LINE_BYTES_MAX];
    if (vsnprintf(message, sizeof(message), format, arguments) < 0) {
        message[0] = '\0';
    }
    return append_clean(text, append_clean(text, 0, level_words[level]), message);
}

static size_t append_hint(char *text, size_t length, const char *hint)
{
    text[length++] = '\n';
    return append_clean(text, append_clean(text, length, "  "), hint);
}

static void write_message(enum log_level level, const struct event *event, const char *format,
                          va_list arguments)
{
    char line[STAMP_BYTES + LINE_BYTES_MAX];
    if (is_wanted(level, event)) {
        char *text = line + STAMP_BYTES;
        size_t length = format_line(level, text, format, arguments);
        length = event->hint != NULL ? append_hint(text, length, event->hint) : length;
        log_emit(level, event, text, length);
    }
}

void log_write(enum log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_message(level, &message_event, format, arguments);
    va_end(arguments);
}

void log_progress(const char *what)
{
    log_write(LOG_INFO, "%s", what);
}

/* ---- statements */

/* As records, of which one can't be as long. */
static void write_statement_line(enum log_level level, const char *line)
{
    enum { PIECE_BYTES_MAX = LINE_BYTES_MAX / 2 };
    bool begins = true;
    if (format_record == NULL) {
        return;
    }
    for (size_t length = strlen(line); begins || length > 0; begins = false) {
        char piece[PIECE_BYTES_MAX];
        size_t taken = text_clip(line, length, sizeof(piece) - 1);
        snprintf(piece, sizeof(piece), "%.*s", (int)taken, line);
        const struct log_record record = {
            .level = level, .at_us = clock_utc_us(), .event = &message_event, .text = piece};
        if (has_level(&sinks[SINK_TERMINAL], level)) {
            write_to_terminal(&record, "", 0);
        }
        if (has_level(&sinks[SINK_USER], level)) {
            write_formatted(sinks[SINK_USER].descriptor, &record);
        }
        line += taken;
        length -= taken;
    }
}

/* Its listener keeps lines: as much of the statement as one has. */
static void tell_listener(enum log_level level, const char *statement)
{
    char text[LINE_BYTES_MAX / 2];
    if (listener == NULL || !is_heard(level, &message_event)) {
        return;
    }
    size_t length = text_clip(statement, strlen(statement), sizeof(text) - 1);
    snprintf(text, sizeof(text), "%.*s", (int)length, statement);
    text_clean_line(text);
    const struct log_record record = {
        .level = level, .at_us = clock_utc_us(), .event = &message_event, .text = text};
    listener(listener_context, &record);
}

/* A tab stays, and an end of line of two bytes is one. */
static void clean_statement_line(char *line)
{
    size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\r') {
        line[length - 1] = '\0';
    }
    char *out = line;
    for (char *next = line, *part; (part = strsep(&next, "\t")) != NULL;) {
        text_clean_line(part);
        length = strlen(part);
        memmove(out, part, length);
        out += length;
        *out = next != NULL ? '\t' : '\0';
        out++;
    }
}

/* Without a word or a time before each line, so that it can be copied from where it is shown. */
static void write_statement_plain(enum log_level level, const char *text, size_t length)
{
    if (has_level(&sinks[SINK_TERMINAL], level) && format_record == NULL) {
        if (before_line != NULL) {
            before_line();
        }
        write_line(STDERR_FILENO, text, length);
        if (after_line != NULL) {
            after_line();
        }
    }
    if (has_level(&sinks[SINK_USER], level) && format_record == NULL) {
        write_line(sinks[SINK_USER].descriptor, text, length);
    }
    if (has_level(&sinks[SINK_RUN], level)) {
        write_line(sinks[SINK_RUN].descriptor, text, length);
    }
}

void log_write_statement(enum log_level level, const char *head, const char *statement)
{
    enum { ROOM = 64 }; /* for the level's word and the end of the line */
    if (statement[0] == '\0') {
        log_write(level, "%s", head);
        return;
    }
    if (strchr(statement, '\n') == NULL &&
        strlen(head) + strlen(statement) + ROOM < LINE_BYTES_MAX) {
        log_write(level, "%s: %s", head, statement);
        return;
    }
    log_write(level, "%s:", head);
    if (!is_wanted(level, &message_event)) {
        return;
    }
    struct buffer text = {0};
    char *copy = secret_redact_copy(statement);
    char *next = copy;
    pthread_mutex_lock(&mutex);
    tell_listener(level, copy);
    for (char *line; (line = strsep(&next, "\n")) != NULL;) {
        clean_statement_line(line);
        buffer_format(&text, "    %s\n", line);
        write_statement_line(level, line);
    }
    write_statement_plain(level, text.data, text.length);
    pthread_mutex_unlock(&mutex);
    buffer_free(&text);
    free(copy);
}

void log_event(enum log_level level, const struct event *event, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_message(level, event, format, arguments);
    va_end(arguments);
}

void log_write_user(enum log_level level, const struct event *event, const char *format, ...)
{
    char text[LINE_BYTES_MAX];
    if (log_has_user_file(level)) {
        va_list arguments;
        va_start(arguments, format);
        size_t length = format_line(level, text, format, arguments);
        va_end(arguments);
        text[length] = '\0';
        const struct log_record record = record_of(level, event, text);
        pthread_mutex_lock(&mutex);
        emit_user(&record);
        pthread_mutex_unlock(&mutex);
    }
}

void log_write_error(const struct error *error)
{
    const struct event event = {.kind = EVENT_ERROR, .code = error_describe(error->code)->name};
    if (!is_wanted(LOG_ERROR, &event)) {
        return;
    }
    char line[STAMP_BYTES + LINE_BYTES_MAX];
    char *text = line + STAMP_BYTES;
    size_t length = append_clean(text, 0, level_words[LOG_ERROR]);
    length = append_clean(text, length, error->context);
    if (error->object[0] != '\0') {
        length = append_clean(text, length, error->object);
        length = append_clean(text, length, ": ");
    }
    length = append_clean(text, length, error->message);
    if (error->native_state[0] != '\0') {
        length = append_clean(text, length, " (SQLSTATE ");
        length = append_clean(text, length, error->native_state);
        length = append_clean(text, length, ")");
    }
    length = append_clean(text, length, " [");
    length = append_clean(text, length, event.code);
    length = append_clean(text, length, "]");
    if (error->hint[0] != '\0') {
        length = append_hint(text, length, error->hint);
    }
    log_emit(LOG_ERROR, &event, text, length);
}
