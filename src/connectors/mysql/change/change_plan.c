/* A plan of changes as it grows: statements, what is told of it, its texts and refusals. */
#include "connectors/mysql/change/change.h"
#include "connectors/sql/undo.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void mysql_change_add(struct mysql_change_plan *plan, const struct change_step *step)
{
    plan->steps = arena_make_room(plan->arena, plan->steps, plan->count, &plan->capacity,
                                  sizeof *plan->steps);
    plan->steps[plan->count++] = *step;
}

void mysql_change_tell(struct mysql_change_plan *plan, uint32_t operation, const char *text,
                       const char *warning)
{
    plan->ways = arena_make_room(plan->arena, plan->ways, plan->way_count, &plan->way_capacity,
                                 sizeof *plan->ways);
    plan->ways[plan->way_count++] =
        (struct change_way){.operation = operation, .text = text, .warning = warning};
}

const char *mysql_change_text(struct mysql_change_plan *plan, struct buffer *sql)
{
    return sql_text(plan->arena, sql);
}

const char *mysql_change_name(struct mysql_change_plan *plan, const char *role, const char *table)
{
    const char *version = plan->change->version != NULL ? plan->change->version : "0";
    const char *name = arena_format(plan->arena, "_transhume_%s_%s_%s", version, role, table);
    if (strlen(name) <= MYSQL_NAME_CHARACTERS_MAX) {
        return name;
    }
    return arena_format(plan->arena, "_transhume_%.20s_%s_%016" PRIx64, version, role,
                        sql_name_hash(table));
}

enum status mysql_change_refuse(const struct mysql_change_set *set, struct error *error,
                                const char *format, ...)
{
    char words[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    error_set(error, ERROR_CHANGE_REFUSED, set->table, "line %u: %s", set->line, words);
    return STATUS_FAILED;
}
