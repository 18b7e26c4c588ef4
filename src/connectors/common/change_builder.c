#include "connectors/common/change_builder.h"

#include <stdarg.h>
#include <stdio.h>

struct change_step *change_builder_step(struct change_builder *builder, enum change_phase phase,
                                        const char *title)
{
    struct change_builder_list *list = &builder->phases[phase];
    list->items = arena_make_room(builder->arena, list->items, list->count, &list->capacity,
                                  sizeof(*list->items));
    struct change_step *step = &list->items[list->count++];
    *step = (struct change_step){.phase = phase, .operation = builder->number, .title = title};
    return step;
}

void change_builder_way(struct change_builder *builder, const char *text, const char *warning)
{
    builder->ways = arena_make_room(builder->arena, builder->ways, builder->way_count,
                                    &builder->way_capacity, sizeof(*builder->ways));
    builder->ways[builder->way_count++] =
        (struct change_way){.operation = builder->number, .text = text, .warning = warning};
}

void change_builder_end(const struct change_builder *builder, struct change_plan *plan)
{
    uint32_t count = 0;
    for (int phase = 0; phase < CHANGE_PHASE_COUNT; phase++) {
        count += builder->phases[phase].count;
    }
    struct change_step *steps = arena_allocate_zeroed(builder->arena, count + 1, sizeof(*steps));
    *plan = (struct change_plan){
        .steps = steps, .ways = builder->ways, .way_count = builder->way_count};
    for (int phase = 0; phase < CHANGE_PHASE_COUNT; phase++) {
        const struct change_builder_list *list = &builder->phases[phase];
        for (uint32_t i = 0; i < list->count; i++) {
            steps[plan->count++] = list->items[i];
        }
    }
}

enum status change_builder_fail(const struct change_builder *builder, enum error_code code,
                                const struct change_value *at, struct error *error,
                                const char *format, ...)
{
    char message[600];
    char object[200];
    const struct change_operation *operation = &builder->change->operations[builder->number];
    at = at != NULL ? at : &operation->value;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    snprintf(object, sizeof(object), "%s_%s.change.yaml:%u:%u", builder->change->version,
             builder->change->name, (unsigned)at->line, (unsigned)at->column);
    return error_set(error, code, object, "%s: %s", operation->kind, message);
}
