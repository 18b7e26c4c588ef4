/* Small helpers of resolving: lists, texts, notes, names, constants. */
#include "base/text.h"
#include "plan/resolve/resolve.h"
#include "plan/words/scalar.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A new zeroed item at the list's end. */
static void *plan_list_add(struct arena *arena, struct plan_list *list, size_t item_size)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        void **items = arena_allocate_zeroed(arena, capacity, sizeof *items);
        if (list->count > 0) {
            memcpy(items, list->items, list->count * sizeof *items);
        }
        list->items = items;
        list->capacity = capacity;
    }
    void *item = arena_allocate_zeroed(arena, 1, item_size);
    list->items[list->count++] = item;
    return item;
}

void *resolve_allocate(struct resolver *resolver, size_t count, size_t size)
{
    return arena_allocate_zeroed(resolver->arena, count, size);
}

void *resolve_add(struct resolver *resolver, struct plan_list *list, size_t size)
{
    return plan_list_add(resolver->arena, list, size);
}

void *resolve_array(struct resolver *resolver, const struct plan_list *list, size_t item_size,
                    uint32_t *count)
{
    char *array = resolve_allocate(resolver, list->count + (size_t)1, item_size);
    *count = list->count;
    for (uint32_t i = 0; i < *count; i++) {
        memcpy(array + i * item_size, list->items[i], item_size);
    }
    return array;
}

const char *resolve_format(struct resolver *resolver, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return arena_copy_string(resolver->arena, text);
}

static struct plan_note *add_note(struct resolver *resolver, const char *object, const char *format,
                                  va_list arguments)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    text_clean_line(text);
    struct plan_note *note = resolve_add(resolver, &resolver->notes, sizeof *note);
    *note = (struct plan_note){.level = PLAN_NOTE_INFO,
                               .object = arena_copy_string(resolver->arena, object),
                               .text = arena_copy_string(resolver->arena, text)};
    return note;
}

void resolve_note(struct resolver *resolver, bool warning, const char *object, const char *format,
                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct plan_note *note = add_note(resolver, object, format, arguments);
    va_end(arguments);
    note->level = warning ? PLAN_NOTE_WARNING : PLAN_NOTE_INFO;
}

void resolve_note_left(struct resolver *resolver, const char *left, uint32_t count,
                       const char *object, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct plan_note *note = add_note(resolver, object, format, arguments);
    va_end(arguments);
    note->level = PLAN_NOTE_WARNING;
    note->left = left;
    note->count = count;
}

void resolve_fatal(struct resolver *resolver, const struct error *error)
{
    if (resolver->fatal.code == ERROR_NONE) {
        error_copy(&resolver->fatal, error);
    }
}

bool resolve_scalar(struct resolver *resolver, const struct plan_node *node, struct cell *cell)
{
    enum status status = scalar_value(node, resolver->arena, cell);
    if (status == STATUS_END) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, NULL,
                   "the number '%.60s' is out of range", node->text);
    }
    return status == STATUS_OK;
}

/* Why the source can't read its own view of that name; NULL: there is none that it can't. */
static const char *why_unreadable(const struct schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->object_count; i++) {
        const struct schema_object *object = &schema->objects[i];
        if (object->kind == SCHEMA_OBJECT_OTHER && object->native_sql == NULL &&
            object->not_carried != NULL && strcasecmp(object->name, name) == 0 &&
            strncmp(object->not_carried, "a view that can't be read", 25) == 0) {
            return object->not_carried;
        }
    }
    return NULL;
}

void resolve_fault_no_table(struct resolver *resolver, const struct plan_node *node,
                            const char *before, const char *name)
{
    uint32_t count = resolver->schema->table_count;
    const char **names = resolve_allocate(resolver, count + (size_t)1, sizeof *names);
    char hint[320];
    const char *why = why_unreadable(resolver->schema, name);
    if (why != NULL) {
        plan_fault(&resolver->faults, ERROR_SOURCE_READ, node, NULL, "%sthe source's '%s' is %s",
                   before, name, why);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        names[i] = resolver->schema->tables[i].name;
    }
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node,
               plan_nearest_hint(name, names, count, hint, sizeof hint),
               "%sthe source has no table '%s'", before, name);
}

const struct schema_table *resolve_source_table(struct resolver *resolver,
                                                const struct plan_node *node, const char *name)
{
    const struct schema_table *table = schema_find_table(resolver->schema, name);
    if (table != NULL && strncmp(name, "_transhume_", 11) != 0) {
        return table;
    }
    resolve_fault_no_table(resolver, node, "", name);
    return NULL;
}

struct column_list resolve_names(struct resolver *resolver, const struct plan_node *node)
{
    struct column_list list = {0};
    uint32_t count = node->kind == PLAN_NODE_LIST ? node->count : 1;
    const char **names = resolve_allocate(resolver, count, sizeof *names);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = node->kind == PLAN_NODE_LIST ? node->items[i]->text : node->text;
    }
    list.names = names;
    list.count = count;
    return list;
}
