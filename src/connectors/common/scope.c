/* Names of tables of several schemas. */
#include "connectors/common/scope.h"

#include <stdlib.h>
#include <string.h>

static bool is_quoted(const char *schema)
{
    return strpbrk(schema, ".\"") != NULL;
}

/* The part of the name behind the schema's lead; NULL: it does not begin with that. */
static const char *behind_lead(const char *name, const char *schema)
{
    bool quoted = is_quoted(schema);
    if (quoted && *name++ != '"') {
        return NULL;
    }
    for (; *schema != '\0'; schema++, name++) {
        if (*name != *schema || (*schema == '"' && *++name != '"')) {
            return NULL;
        }
    }
    if (quoted && *name++ != '"') {
        return NULL;
    }
    return name[0] == '.' && name[1] != '\0' ? name + 1 : NULL;
}

const char *scope_schema_of(const struct schema_scope *scope, const char *table, const char **name)
{
    for (uint32_t i = 0; i < scope->others.count; i++) {
        const char *behind = behind_lead(table, scope->others.names[i]);
        if (behind != NULL) {
            *name = behind;
            return scope->others.names[i];
        }
    }
    *name = table;
    return NULL;
}

void scope_append_lead(struct buffer *out, const char *schema)
{
    bool quoted = is_quoted(schema);
    buffer_append_string(out, quoted ? "\"" : "");
    for (; *schema != '\0'; schema++) {
        buffer_append_string(out, *schema == '"' ? "\"" : "");
        buffer_append_byte(out, *schema);
    }
    buffer_append_string(out, quoted ? "\"." : ".");
}

static int scope_compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

struct schema_scope scope_copy(const struct schema_scope *scope, const char *own,
                               struct arena *arena)
{
    const char **names = arena_allocate_zeroed(arena, scope->others.count + 1u, sizeof *names);
    const char **kept = arena_allocate_zeroed(arena, scope->others.count + 1u, sizeof *kept);
    uint32_t count = 0;
    for (uint32_t i = 0; i < scope->others.count; i++) {
        names[i] = arena_copy_string(arena, scope->others.names[i]);
    }
    qsort(names, scope->others.count, sizeof *names, scope_compare);
    for (uint32_t i = 0; i < scope->others.count; i++) {
        bool again = count > 0 && strcmp(kept[count - 1], names[i]) == 0;
        if (!again && (own == NULL || strcmp(own, names[i]) != 0)) {
            kept[count++] = names[i];
        }
    }
    return (struct schema_scope){
        .own = scope->own, .others = {kept, count}, .leaves_own = scope->leaves_own};
}

struct column_list scope_names(const struct schema_scope *scope, struct arena *arena)
{
    const char **names = arena_allocate_zeroed(arena, scope->others.count + 2u, sizeof *names);
    struct column_list list = {.names = names};
    if (scope->own != NULL && !scope->leaves_own) {
        names[list.count++] = arena_copy_string(arena, scope->own);
    }
    for (uint32_t i = 0; i < scope->others.count; i++) {
        names[list.count++] = arena_copy_string(arena, scope->others.names[i]);
    }
    return list;
}

/* One name, up to a comma or the end, into `name`. */
static const char *read_name(const char *at, struct buffer *name)
{
    bool quoted = *at == '"';
    for (at += quoted; *at != '\0' && (quoted || *at != ','); at++) {
        if (quoted && *at == '"' && *++at != '"') {
            break;
        }
        buffer_append_byte(name, *at);
    }
    return at + strcspn(at, ",");
}

void scope_read_list(const char *text, struct arena *arena, struct column_list *list)
{
    const char **names =
        arena_allocate_zeroed(arena, list->count + strlen(text) + 1u, sizeof *names);
    for (uint32_t i = 0; i < list->count; i++) {
        names[i] = list->names[i];
    }
    list->names = names;
    while (*text != '\0') {
        struct buffer name = {0};
        text = read_name(text, &name);
        text += *text == ',';
        if (!buffer_is_empty(&name)) {
            names[list->count++] = arena_copy_string(arena, buffer_string(&name));
        }
        buffer_free(&name);
    }
}
