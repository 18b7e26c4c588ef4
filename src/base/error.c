/* Errors: filling, clipping and adding context, without any allocation. */
#include "base/error.h"

#include "base/text.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct error_description descriptions[] = {
#define ERROR_CODE(name, text, exit_status, class, meaning) \
    {text, exit_status, ERROR_CLASS_##class, meaning},
#include "base/error_codes.def"
#undef ERROR_CODE
};

const struct error_description *error_describe(enum error_code code)
{
    if ((unsigned)code >= ERROR_CODE_COUNT) {
        code = ERROR_INTERNAL;
    }
    return &descriptions[code];
}

enum error_code error_code_find(const char *name)
{
    for (int i = 0; i < ERROR_CODE_COUNT; i++) {
        if (strcmp(descriptions[i].name, name) == 0) {
            return (enum error_code)i;
        }
    }
    return ERROR_NONE;
}

void error_clear(struct error *error)
{
    memset(error, 0, sizeof(*error));
}

/* Ends a text that did not fit with "..." after a whole character. */
static void mark_clipped(char *text, size_t capacity)
{
    size_t end = text_clip(text, capacity - 1, capacity - 4);
    memcpy(text + end, "...", 4);
}

static void format_clipped(char *out, size_t capacity, const char *format, va_list arguments)
{
    int length = vsnprintf(out, capacity, format, arguments);
    if (length < 0) {
        out[0] = '\0';
    } else if ((size_t)length >= capacity) {
        mark_clipped(out, capacity);
    }
    text_clean_line(out);
}

static void copy_clipped(char *out, size_t capacity, const char *text)
{
    size_t length = strnlen(text, capacity);
    memmove(out, text, length < capacity ? length : capacity - 1);
    if (length < capacity) {
        out[length] = '\0';
    } else {
        mark_clipped(out, capacity);
    }
    text_clean_line(out);
}

static void error_fill(struct error *error, enum error_code code, const char *object,
                       const char *format, va_list arguments)
{
    /* Object and arguments may point into the error that is replaced. */
    char message[sizeof(error->message)];
    char object_copy[sizeof(error->object)] = "";
    format_clipped(message, sizeof(message), format, arguments);
    if (object != NULL) {
        copy_clipped(object_copy, sizeof(object_copy), object);
    }
    error_clear(error);
    error->code = code;
    error->class = error_describe(code)->class;
    memcpy(error->message, message, sizeof(message));
    memcpy(error->object, object_copy, sizeof(object_copy));
}

enum status error_set(struct error *error, enum error_code code, const char *object,
                      const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        error_fill(error, code, object, format, arguments);
        va_end(arguments);
    }
    return STATUS_FAILED;
}

/* A call that failed says nothing of what it was to read. */
static enum error_code code_of_failed_call(enum error_code code)
{
    switch (code) {
    case ERROR_SOURCE_MISSING:
    case ERROR_SOURCE_INVALID:
        return ERROR_SOURCE_READ;
    case ERROR_TARGET_MISSING:
    case ERROR_TARGET_INVALID:
    case ERROR_LEDGER_INVALID:
    case ERROR_STATE_INVALID:
    case ERROR_PLAN_INVALID:
        return ERROR_FILE_READ;
    default:
        return code;
    }
}

static enum error_code code_of_errno(enum error_code code, int system_errno)
{
    switch (system_errno) {
    case EIO:
    case EMFILE:
    case ENFILE:
    case ENXIO:
    case ESTALE:
    case ETIMEDOUT:
        return code_of_failed_call(code);
    case ENOSPC:
    case EDQUOT:
        return ERROR_DISK_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERROR_PERMISSION;
    case ENOMEM:
        return ERROR_MEMORY;
    default:
        return code;
    }
}

enum status error_set_errno(struct error *error, enum error_code code, int system_errno,
                            const char *object, const char *format, ...)
{
    if (error == NULL) {
        return STATUS_FAILED;
    }
    va_list arguments;
    va_start(arguments, format);
    error_fill(error, code_of_errno(code, system_errno), object, format, arguments);
    va_end(arguments);
    error->native_code = system_errno;
    const char *reason = strerrordesc_np(system_errno);
    char tail[128];
    int tail_length = reason != NULL ? snprintf(tail, sizeof(tail), ": %s", reason)
                                     : snprintf(tail, sizeof(tail), ": error %d", system_errno);
    size_t length = strlen(error->message);
    size_t room = sizeof(error->message) - 1 - (size_t)tail_length;
    if (length > room) {
        length = text_clip(error->message, length, room - 3);
        memcpy(error->message + length, "...", 3);
        length += 3;
    }
    memcpy(error->message + length, tail, (size_t)tail_length + 1);
    return STATUS_FAILED;
}

enum status error_hint(struct error *error, const char *format, ...)
{
    if (error != NULL) {
        char hint[sizeof(error->hint)];
        va_list arguments;
        va_start(arguments, format);
        format_clipped(hint, sizeof(hint), format, arguments);
        va_end(arguments);
        memcpy(error->hint, hint, sizeof(hint));
    }
    return STATUS_FAILED;
}

enum status error_context(struct error *error, const char *format, ...)
{
    if (error == NULL) {
        return STATUS_FAILED;
    }
    char context[sizeof(error->context)];
    va_list arguments;
    va_start(arguments, format);
    format_clipped(context, sizeof(context), format, arguments);
    va_end(arguments);
    size_t length = strlen(context);
    if (sizeof(context) - length > 4) {
        copy_clipped(context + length, sizeof(context) - length, error->context);
    }
    memcpy(error->context, context, sizeof(context));
    return STATUS_FAILED;
}

enum status error_name_object(struct error *error, const char *object)
{
    if (error != NULL) {
        copy_clipped(error->object, sizeof(error->object), object);
    }
    return STATUS_FAILED;
}

const char *error_reason(const struct error *error, char reason[ERROR_REASON_BYTES])
{
    (void)snprintf(reason, ERROR_REASON_BYTES, "%s%s", error->context, error->message);
    return reason;
}

enum status error_recode(struct error *error, enum error_code code)
{
    bool kept = error == NULL || error->code == ERROR_DISK_FULL ||
                error->code == ERROR_PERMISSION || error->code == ERROR_MEMORY ||
                (error->code == ERROR_FILE_READ &&
                 error_describe(code)->exit_status != error_describe(ERROR_FILE_READ)->exit_status);
    if (!kept) {
        error->code = code;
        error->class = error_describe(code)->class;
    }
    return STATUS_FAILED;
}

int error_exit_status(const struct error *error)
{
    return error_describe(error->code)->exit_status;
}

enum status error_copy(struct error *to, const struct error *from)
{
    if (to != NULL && from != NULL && to != from) {
        *to = *from;
    }
    return STATUS_FAILED;
}
