/* Collects a plan's faults with their places. */
#include "plan/text/faults.h"

#include "base/text.h"
#include <stdio.h>
#include <string.h>

enum { HINT_NAMES_MAX = 32 };

void plan_faults_init(struct plan_faults *faults, const char *file, struct buffer *lines)
{
    memset(faults, 0, sizeof *faults);
    faults->file = file;
    faults->what = "plan";
    faults->lines = lines;
}

/* False: the same was said already, as of a rule that holds for many tables. */
static bool add_line(struct plan_faults *faults, const char *place, const char *message,
                     const char *hint)
{
    if (faults->lines == NULL || faults->count > PLAN_FAULT_LINES_MAX) {
        return true;
    }
    char line[1536];
    char ended[sizeof line + 1];
    snprintf(line, sizeof line, "%s: %s%s%s", place, message, hint != NULL ? "; " : "",
             hint != NULL ? hint : "");
    text_clean_line(line);
    snprintf(ended, sizeof ended, "%s\n", line);
    if (faults->count > 0 && strstr(buffer_string(faults->lines), ended) != NULL) {
        return false;
    }
    buffer_append_string(faults->lines, faults->count == PLAN_FAULT_LINES_MAX
                                            ? "further faults are not shown\n"
                                            : ended);
    return true;
}

static void add_fault(struct plan_faults *faults, enum error_code code, uint32_t line,
                      uint32_t column, const char *hint, const char *message)
{
    char place[280];
    if (line > 0) {
        snprintf(place, sizeof place, "%.230s:%u:%u", faults->file, (unsigned)line,
                 (unsigned)column);
    } else {
        snprintf(place, sizeof place, "%.250s", faults->file);
    }
    if (!add_line(faults, place, message, hint)) {
        return;
    }
    if (faults->count == 0) {
        (void)error_set(&faults->first, code, place, "%s", message);
        faults->first.plan_line = line;
        faults->first.plan_column = column;
        if (hint != NULL) {
            error_hint(&faults->first, "%s", hint);
        }
    }
    faults->count++;
}

void plan_fault(struct plan_faults *faults, enum error_code code, const struct plan_node *node,
                const char *hint, const char *format, ...)
{
    char message[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    add_fault(faults, code, node != NULL ? node->line : 0, node != NULL ? node->column : 0, hint,
              message);
}

void plan_fault_at(struct plan_faults *faults, enum error_code code, uint32_t line, uint32_t column,
                   const char *hint, const char *format, ...)
{
    char message[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    add_fault(faults, code, line, column, hint, message);
}

enum status plan_faults_result(const struct plan_faults *faults, struct error *error)
{
    if (faults->count == 0) {
        return STATUS_OK;
    }
    if (error == NULL) {
        return STATUS_FAILED;
    }
    *error = faults->first;
    if (faults->count > 1) {
        error_context(error, "%u faults in the %s, the first: ", (unsigned)faults->count,
                      faults->what);
    }
    return STATUS_FAILED;
}

const char *plan_nearest_hint(const char *name, const char *const *names, size_t count, char *hint,
                              size_t capacity)
{
    const char *nearest = text_nearest(name, names, count);
    if (nearest != NULL) {
        snprintf(hint, capacity, "did you mean '%s'?", nearest);
        return hint;
    }
    if (count == 0 || count > HINT_NAMES_MAX) {
        return NULL;
    }
    size_t used = (size_t)snprintf(hint, capacity, "known are: ");
    for (size_t i = 0; i < count && used < capacity; i++) {
        used += (size_t)snprintf(hint + used, capacity - used, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    return hint;
}
