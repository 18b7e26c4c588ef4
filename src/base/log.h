/*
 * The log: one of the two pieces of global state (the other is the signal flag). Its lines go to
 * the sinks that are open, each up to a level of its own:
 *   stderr, the run's log in the state folder, and the file that the user asked for (--log-file).
 */
#ifndef TRANSHUME_BASE_LOG_H
#define TRANSHUME_BASE_LOG_H

#include "base/error.h"
#include "base/event.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR = 0, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Lines to stderr up to `stderr_level`; any thread. Secrets registered with secret_register and
 * control characters never reach a line. */
void log_set_stderr_level(enum log_level level);
/* Also appends to `path` (mode 0600, no symlink followed) up to `file_level`. */
enum status log_open_file(const char *path, enum log_level file_level,
                          struct error *error) MUST_USE;
void log_close_file(void);
/* The same for the user's file, whose lines look as those of Python's logging do:
 * "2026-01-31 23:59:59,123 WARNING message [table=users, chunk=3]", in local time; see
 * log_set_formatter. */
enum status log_open_user_file(const char *path, enum log_level level,
                               struct error *error) MUST_USE;
void log_close_user_file(void);
/* Called around each stderr line so that a progress bar can get out of the way; NULLs to unset. */
void log_set_terminal_hooks(void (*before)(void), void (*after)(void));

void log_write(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
/* Logs a line (LOG_INFO): the callback of connectors that tell what they are at. */
void log_progress(const char *what);

/* The same, and what a program would want to know of it (EVENT_OF); the message is for people. */
void log_event(enum log_level level, const struct event *event, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* A line for the user's file alone: what would be too much elsewhere, as a line a reject. */
void log_write_user(enum log_level level, const struct event *event, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Is there such a file, for lines of that level? */
bool log_has_user_file(enum log_level level);

/* One line, as its readers get it: clean, without secrets. */
struct log_record {
    enum log_level level;
    int64_t at_us; /* UTC */
    const struct event *event;
    const char *text; /* the message; what follows a newline is the hint of an error */
};

/* Hears of every record of LOG_INFO or above, and of each below it whose event is more than a
 * message; any thread, one at a time. It must not log. NULL: nobody listens. */
void log_set_listener(void (*listener)(void *context, const struct log_record *record),
                      void *context);
/* How lines of stderr and of the user's file are made instead of as text: writes one line with its
 * newline, at most `capacity` bytes, and returns its length. NULL: text. */
void log_set_formatter(size_t (*formatter)(const struct log_record *record, char *line,
                                           size_t capacity));

/* "head: statement" for somebody who runs it by hand: one of several lines, or too long for a line,
 * follows below, whole, four spaces before each of its lines; as JSON (log_set_formatter) it has
 * none. */
void log_write_statement(enum log_level level, const char *head, const char *statement);

/* The error in full: one line with what, object, why; the hint on the next. */
void log_write_error(const struct error *error);

#endif
