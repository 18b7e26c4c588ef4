/* What the target keeps in another form than the source: notes, from the target's table of
 * types. */
#include "plan/resolve.h"
#include <string.h>

enum { NAMES_SHOWN_MAX = 8 };

/* How the target writes a kind; NULL: its table does not say. */
static const struct type_mapping *written_as(const struct resolver *resolver, enum value_kind kind)
{
    const struct connector *target = resolver->target->connector;
    for (uint32_t i = 0; i < target->type_count; i++) {
        if (target->types[i].kind == kind && target->types[i].writing != NULL) {
            return &target->types[i];
        }
    }
    return NULL;
}

/* Fields of one kind, as far as they are named in a note. */
struct widened {
    const struct type_mapping *mapping;
    const char *native; /* of the first one; NULL: computed */
    struct buffer names;
    uint32_t count;
};

static void add_field(const struct resolver *resolver, struct widened *kinds,
                      const struct mapping_field *field)
{
    enum value_kind kind = field->type.kind;
    struct widened *widened = &kinds[kind];
    if (widened->mapping == NULL) {
        const struct type_mapping *mapping = written_as(resolver, kind);
        if (mapping == NULL || strncmp(mapping->loss, "widened", strlen("widened")) != 0) {
            return;
        }
        widened->mapping = mapping;
        widened->native = field->origin != NULL ? field->origin->type.native : field->type.native;
    }
    if (widened->count < NAMES_SHOWN_MAX) {
        buffer_append_string(&widened->names, widened->count > 0 ? ", " : "");
        buffer_append_string(&widened->names, field->name);
    }
    widened->count++;
}

static void note_kind(struct resolver *resolver, const struct entity_builder *entity,
                      struct widened *widened)
{
    const char *native =
        widened->native != NULL ? widened->native : value_kind_name(widened->mapping->kind);
    bool more = widened->count > NAMES_SHOWN_MAX;
    resolve_note(resolver, false, entity->name, "%s%s (%s): %s; written as %s, %s",
                 buffer_string(&widened->names), more ? " and more" : "", native,
                 widened->mapping->loss, widened->mapping->native, widened->mapping->writing);
}

static void note_entity(struct resolver *resolver, const struct entity_builder *entity)
{
    struct widened kinds[VALUE_KIND_COUNT] = {0};
    for (uint32_t i = 0; i < entity->fields.count; i++) {
        add_field(resolver, kinds, entity->fields.items[i]);
    }
    for (uint32_t i = 0; i < entity->stream->lists.count; i++) {
        const struct list_builder *list = entity->stream->lists.items[i];
        for (uint32_t j = 0; list->entity == entity && j < list->fields.count; j++) {
            add_field(resolver, kinds, list->fields.items[j]);
        }
    }
    for (uint32_t kind = 0; kind < VALUE_KIND_COUNT; kind++) {
        if (kinds[kind].names.failed) {
            resolver->out_of_memory = true;
        } else if (kinds[kind].count > 0) {
            note_kind(resolver, entity, &kinds[kind]);
        }
        buffer_free(&kinds[kind].names);
    }
}

void widened_note(struct resolver *resolver)
{
    for (uint32_t i = 0; i < resolver->tables.count && !resolver->same_engine; i++) {
        const struct table_builder *table = resolver->tables.items[i];
        for (uint32_t j = 0; j < table->entities.count; j++) {
            note_entity(resolver, table->entities.items[j]);
        }
    }
}
