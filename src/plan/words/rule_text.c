#include "plan/words/rule_text.h"
#include "plan/propose/propose.h"
#include <string.h>

const char *rule_text(const struct plan *plan, uint32_t entity, const struct mapping_field *field,
                      const char *what, struct arena *arena)
{
    const char *table = plan->streams[plan->entities[entity].stream].request.table;
    if (table == NULL || field == NULL || field->origin == NULL) {
        return NULL;
    }
    const char *column = field->origin->name;
    struct buffer text = {0};
    buffer_append_string(&text, "`types: { ");
    /* two rules for one column have two names, where both hold */
    bool cast = strncmp(what, "cast", strlen("cast")) == 0;
    propose_append_scalar(&text, arena_format(arena, "%s_%s%s%.*s", table, column, cast ? "" : "_",
                                              cast ? 0 : (int)strcspn(what, ":"), what));
    buffer_append_string(&text, ": { table: ");
    propose_append_scalar(&text, table);
    buffer_append_string(&text, ", column: ");
    propose_append_scalar(&text, column);
    buffer_format(&text, ", %s } }`", what);
    const char *rule = arena_copy_string(arena, buffer_string(&text));
    buffer_free(&text);
    return rule;
}
