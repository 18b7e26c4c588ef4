#include "base/findings.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>

void findings_add(struct findings *findings, uint32_t line, uint32_t column, const char *format,
                  ...)
{
    char what[512];
    va_list arguments;
    findings->count++;
    if (findings->kept == FINDINGS_MAX) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    text_clean_line(what);
    findings->first[findings->kept++] =
        (struct finding){line, column, arena_copy_string(findings->arena, what)};
}
