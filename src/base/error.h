/* Errors as values: filled where the fault is, given context on the way up, printed once at the
 * top. */
#ifndef TRANSHUME_BASE_ERROR_H
#define TRANSHUME_BASE_ERROR_H

#include "base/status.h"
#include <stdarg.h>
#include <stdint.h>

/* How a command ends, told to whoever called it. */
enum exit_status {
    EXIT_DONE,      /* all that was asked is done */
    EXIT_ATTENTION, /* it is done, and somebody has to look: rejects, differences, rights that
                       opened */
    EXIT_USAGE,     /* the command, its plan or its configuration are wrong; nothing was touched */
    EXIT_FAILED,    /* it failed in the midst; `transhume resume` goes on once the cause is gone */
    EXIT_INTERRUPTED, /* somebody stopped it; `transhume resume` goes on */
    EXIT_REFUSED      /* it was refused, since it would have harmed what is there */
};

enum error_code {
#define ERROR_CODE(name, text, exit_status, class, meaning) ERROR_##name,
#include "base/error_codes.def"
#undef ERROR_CODE
    ERROR_CODE_COUNT
};

/* The action that the layer above may take. */
enum error_class { ERROR_CLASS_STOP = 0, ERROR_CLASS_RETRY, ERROR_CLASS_REJECT };

/*
 * No memory is allocated by any function here, so that an error can be made when memory is out.
 * `message` is one line without control characters; `object` is what it happened to ("table Track",
 * "shop.db", "transhume.yaml:12:5"); `hint` says what to do next; `context` is what upper layers
 * add.
 */
struct error {
    enum error_code code;
    enum error_class class;
    int64_t native_code;  /* the database's or system's own number, 0 if none */
    char native_state[8]; /* SQLSTATE or the like, empty if none */
    uint32_t plan_line;   /* 1-based place in the plan, 0 if none */
    uint32_t plan_column;
    int64_t retry_after_ms; /* the server's own hint, 0 if none */
    char object[256];
    char message[768];
    char hint[384];
    char context[384];
};

/* One row of error_codes.def. */
struct error_description {
    const char *name; /* "plan-invalid" */
    int exit_status;
    enum error_class class;
    const char *meaning;
};
const struct error_description *error_describe(enum error_code code);
/* The code of that name; ERROR_NONE: there is none. */
enum error_code error_code_find(const char *name);

/* Empties `error`. */
void error_clear(struct error *error);

/*
 * Fills `error` (which may be NULL) with code, its class, object (may be NULL) and the formatted
 * message, replacing what was there; control characters become '?', over-long texts are clipped at
 * a character with "...". Always returns STATUS_FAILED, so that `return error_set(...)` reads well.
 */
enum status error_set(struct error *error, enum error_code code, const char *object,
                      const char *format, ...) PRINTF_LIKE(4, 5);

/* As error_set, and ends the message with what the system says of `system_errno`; ENOSPC and EDQUOT
 * turn the code into ERROR_DISK_FULL, EACCES, EPERM and EROFS into ERROR_PERMISSION, ENOMEM into
 * ERROR_MEMORY; EIO, EMFILE and the like turn one that says that something is damaged or missing
 * into ERROR_SOURCE_READ or ERROR_FILE_READ. */
enum status error_set_errno(struct error *error, enum error_code code, int system_errno,
                            const char *object, const char *format, ...) PRINTF_LIKE(5, 6);

/* The functions that follow change an error that is set, and return STATUS_FAILED, for the caller
 * to return. */

/* Sets the hint (what to do next). */
enum status error_hint(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* Adds context before what is there ("chunk 12 of Track: "). */
enum status error_context(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* Says what it happened to: the field whose value is refused. What upper layers add stays. */
enum status error_name_object(struct error *error, const char *object);

/* Changes code and class, unless the code is already as exact as disk full, permission or memory;
 * a file that could not be read stays a failure, whatever it was to be. */
enum status error_recode(struct error *error, enum error_code code);

/* Copies `from` into `to` if `to` is not NULL. */
enum status error_copy(struct error *to, const struct error *from);

/* A record's reason to be rejected, as outcomes, rejects and check give it: context and message. */
enum { ERROR_REASON_BYTES = 1200 };
const char *error_reason(const struct error *error, char reason[ERROR_REASON_BYTES]);

/* The exit status that the code stands for. */
int error_exit_status(const struct error *error);

#endif
