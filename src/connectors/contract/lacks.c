/* The list of all that is missing before something can be done. */
#include "connectors/contract/lacks.h"

#include <stdbool.h>

void lacks_add_lack(struct lack_list *lacks, const struct lack *lack)
{
    struct arena *arena = lacks->arena;
    lacks->items =
        arena_make_room(arena, lacks->items, lacks->count, &lacks->capacity, sizeof *lacks->items);
    lacks->items[lacks->count++] = *lack;
}

void lacks_add(struct lack_list *lacks, const struct error *error)
{
    struct arena *arena = lacks->arena;
    bool has_object = error->object[0] != '\0';
    const struct lack lack = {
        .code = error->code,
        .exit_status = error_exit_status(error),
        .object = arena_copy_string(arena, error->object),
        .text = arena_format(arena, "%s%s%s%s", has_object ? error->object : "",
                             has_object ? ": " : "", error->context, error->message),
        .remedy = error->hint[0] != '\0' ? arena_copy_string(arena, error->hint) : NULL};
    lacks_add_lack(lacks, &lack);
}

enum status lacks_take(struct lack_list *lacks, enum status status, struct error *error)
{
    bool answered = error->class != ERROR_CLASS_RETRY && error->code != ERROR_MEMORY &&
                    error->code != ERROR_INTERNAL && error->code != ERROR_INTERRUPTED;
    if (status != STATUS_FAILED || lacks == NULL || !answered) {
        return status;
    }
    lacks_add(lacks, error);
    error_clear(error);
    return STATUS_OK;
}
