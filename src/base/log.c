/*
 * The log. A line is put together on the stack and written by one write(2); the mutex only keeps
 * lines away from a change of file or of the terminal hooks.
 *   stderr  error: shop.db: message [code]        info lines without a word before them
 *   file    2026-01-31T23:59:59.123Z error: shop.db: message [code]
 */
#include "base/log.h"
#include "base/file.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 4096, STAMP_BYTES = 25 /* and a blank */ };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int stderr_level = LOG_WARNING;
static atomic_int file_level = -1; /* below all: no file */
static int file_descriptor = -1;
static void (*before_line)(void);
static void (*after_line)(void);

void log_set_stderr_level(enum log_level level)
{
    atomic_store(&stderr_level, (int)level);
}

enum status log_open_file(const char *path, enum log_level level, struct error *error)
{
    int descriptor =
        file_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    if (descriptor < 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't open the log");
    }
    pthread_mutex_lock(&mutex);
    int old = file_descriptor;
    file_descriptor = descriptor;
    atomic_store(&file_level, (int)level);
    pthread_mutex_unlock(&mutex);
    if (old >= 0) {
        close(old);
    }
    return STATUS_OK;
}

void log_close_file(void)
{
    pthread_mutex_lock(&mutex);
    int old = file_descriptor;
    file_descriptor = -1;
    atomic_store(&file_level, -1);
    pthread_mutex_unlock(&mutex);
    if (old >= 0) {
        close(old);
    }
}

void log_set_terminal_hooks(void (*before)(void), void (*after)(void))
{
    pthread_mutex_lock(&mutex);
    before_line = before;
    after_line = after;
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

/* `text` is one or more clean lines, the level's word included, without the last newline; there is
 * room for STAMP_BYTES before it and for one byte after it. */
static void emit(enum log_level level, char *text, size_t length)
{
    int saved_errno = errno;
    text[length++] = '\n';
    pthread_mutex_lock(&mutex);
    if ((int)level <= atomic_load(&stderr_level)) {
        static const char plain[] = "info: ";
        size_t skip = strncmp(text, plain, sizeof(plain) - 1) == 0 ? sizeof(plain) - 1 : 0;
        if (before_line != NULL) {
            before_line();
        }
        write_line(STDERR_FILENO, text + skip, length - skip);
        if (after_line != NULL) {
            after_line();
        }
    }
    if (file_descriptor >= 0 && (int)level <= atomic_load(&file_level)) {
        char stamp[32];
        clock_format_utc(clock_utc_us(), stamp, sizeof(stamp));
        stamp[STAMP_BYTES - 1] = ' ';
        memcpy(text - STAMP_BYTES, stamp, STAMP_BYTES);
        write_line(file_descriptor, text - STAMP_BYTES, length + STAMP_BYTES);
    }
    pthread_mutex_unlock(&mutex);
    errno = saved_errno;
}

static int is_wanted(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&stderr_level, memory_order_relaxed) ||
           (int)level <= atomic_load_explicit(&file_level, memory_order_relaxed);
}

static const char *const level_words[] = {"error: ", "warning: ", "info: ", "debug: "};

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

void log_write(enum log_level level, const char *format, ...)
{
    if (!is_wanted(level)) {
        return;
    }
    char message[LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (size >= 0) {
        char line[STAMP_BYTES + LINE_BYTES_MAX];
        char *text = line + STAMP_BYTES;
        size_t length = append_clean(text, 0, level_words[level]);
        length = append_clean(text, length, message);
        emit(level, text, length);
    }
}

void log_write_error(const struct error *error)
{
    if (!is_wanted(LOG_ERROR)) {
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
    length = append_clean(text, length, error_describe(error->code)->name);
    length = append_clean(text, length, "]");
    if (error->hint[0] != '\0') {
        text[length++] = '\n';
        length = append_clean(text, length, "  ");
        length = append_clean(text, length, error->hint);
    }
    emit(LOG_ERROR, text, length);
}

const char *log_message_of(const char *line, enum log_level level)
{
    const char *word = level_words[level];
    bool stamped = strnlen(line, STAMP_BYTES) == STAMP_BYTES && line[STAMP_BYTES - 2] == 'Z' &&
                   line[STAMP_BYTES - 1] == ' ';
    return stamped && strncmp(line + STAMP_BYTES, word, strlen(word)) == 0
               ? line + STAMP_BYTES + strlen(word)
               : NULL;
}
