/* The words of a validation: its levels, and the notes of what it met. */
#include "verify/verify.h"
#include "verify/verify_internal.h"
#include <stdarg.h>
#include <stdio.h>

const char *verify_level_name(enum verify_level level)
{
    static const char *const names[] = {"count", "sample", "hash", "full"};
    return names[level];
}

void verify_note(struct verify *verify, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    const char *copy = arena_copy_string(verify->arena, text);
    buffer_append(&verify->notes, &copy, sizeof(copy));
}
