/* The statements for an account of least rights, gathered. */
#include "connectors/contract/rights.h"

#include <string.h>

void rights_add(struct rights_list *list, enum rights_use use, struct buffer *text)
{
    bool said = text->length == 0;
    for (uint32_t i = 0; i < list->count && !said; i++) {
        said = strcmp(list->statements[i].text, buffer_string(text)) == 0;
    }
    if (!said) {
        list->statements = arena_make_room(list->arena, list->statements, list->count,
                                           &list->capacity, sizeof *list->statements);
        list->statements[list->count++] = (struct rights_statement){
            .use = use, .text = arena_copy_string(list->arena, buffer_string(text))};
    }
    buffer_clear(text);
}
