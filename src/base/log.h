/*
 * The log: one of the two pieces of global state (the other is the signal flag). Its lines go to
 * the sinks that are open, each up to a level of its own:
 *   stderr, the run's log in the state folder, and the file that the user asked for (--log-file).
 */
#ifndef TRANSHUME_BASE_LOG_H
#define TRANSHUME_BASE_LOG_H

#include "base/error.h"
#include "base/status.h"
#include <stdbool.h>
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
 * "2026-01-31 23:59:59,123 WARNING message [table=users, chunk=3]", in local time. */
enum status log_open_user_file(const char *path, enum log_level level,
                               struct error *error) MUST_USE;
void log_close_user_file(void);
/* Called around each stderr line so that a progress bar can get out of the way; NULLs to unset. */
void log_set_terminal_hooks(void (*before)(void), void (*after)(void));

void log_write(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

/* Where something happened; what is NULL or 0 is not known. Told in the user's file. */
struct log_place {
    const char *table;
    uint64_t chunk;
    const char *key;
};
void log_write_at(enum log_level level, const struct log_place *place, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* A line for the user's file alone: what would be too much elsewhere, as a line a reject. */
void log_write_user(enum log_level level, const struct log_place *place, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Is there such a file, for lines of that level? */
bool log_has_user_file(enum log_level level);

/* The error in full: one line with what, object, why; the hint on the next. */
void log_write_error(const struct error *error);

/* What a line of a log file says, behind the level's word and up to the line's end; NULL: it is no
 * line of that level. */
const char *log_message_of(const char *line, enum log_level level);

#endif
