/* Values that the target keeps in another form than the source: notes, from the target's table of
 * types. */
#include "plan/resolve/resolve.h"
#include <stdio.h>
#include <string.h>

enum { NAMES_SHOWN_MAX = 8, GROUPS_MAX = 64 };

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

/* Fields of one kind and native type, of all entities, as far as they are named in a note. */
struct widened {
    const struct type_mapping *mapping;
    const char *native;
    struct buffer names;      /* "Total, UnitPrice" */
    struct buffer full_names; /* "Invoice.Total, InvoiceLine.UnitPrice" */
    const char *entity;       /* the first */
    const char *last_entity;
    uint32_t entity_count;
    uint32_t count;
};

struct widened_list {
    struct resolver *resolver;
    struct widened items[GROUPS_MAX];
    uint32_t count;
};

static struct widened *find_group(struct widened_list *list, const struct type_mapping *mapping,
                                  const char *native)
{
    struct widened *alike = NULL;
    for (uint32_t i = 0; i < list->count; i++) {
        struct widened *group = &list->items[i];
        if (group->mapping == mapping) {
            alike = group;
            if (strcmp(group->native, native) == 0) {
                return group;
            }
        }
    }
    if (list->count == GROUPS_MAX) {
        return alike; /* so many types are no reading matter any more */
    }
    struct widened *made = &list->items[list->count++];
    made->mapping = mapping;
    made->native = native;
    return made;
}

static void add_field(struct widened_list *list, const char *entity,
                      const struct mapping_field *field)
{
    enum value_kind kind = field->type.kind;
    const struct type_mapping *mapping = written_as(list->resolver, kind);
    if (mapping == NULL || strncmp(mapping->loss, "widened", strlen("widened")) != 0) {
        return;
    }
    const char *native = field->origin != NULL ? field->origin->type.native : field->type.native;
    struct widened *group =
        find_group(list, mapping, native != NULL ? native : value_kind_name(kind));
    if (group == NULL) {
        return;
    }
    if (group->entity == NULL) {
        group->entity = entity;
    }
    group->entity_count += group->last_entity != entity;
    group->last_entity = entity;
    if (group->count++ < NAMES_SHOWN_MAX) {
        buffer_format(&group->names, "%s%s", group->count > 1 ? ", " : "", field->name);
        buffer_format(&group->full_names, "%s%s.%s", group->count > 1 ? ", " : "", entity,
                      field->name);
    }
}

static void add_entity(struct widened_list *list, const struct entity_builder *entity)
{
    for (uint32_t i = 0; i < entity->fields.count; i++) {
        const struct mapping_field *field = entity->fields.items[i];
        /* a column that is there has a type of its own */
        if (there_column(list->resolver, entity->table->name, field->name) == NULL) {
            add_field(list, entity->name, field);
        }
    }
    for (uint32_t i = 0; i < entity->stream->lists.count; i++) {
        const struct list_builder *embedded = entity->stream->lists.items[i];
        for (uint32_t j = 0; embedded->entity == entity && j < embedded->fields.count; j++) {
            add_field(list, entity->name, embedded->fields.items[j]);
        }
    }
}

/* One note for what is told alike, however many entities it is of. */
static void note_group(struct resolver *resolver, struct widened *group)
{
    bool several = group->entity_count > 1;
    char more[32] = "";
    char object[32];
    if (group->count > NAMES_SHOWN_MAX) {
        snprintf(more, sizeof(more), " and %u more", (unsigned)(group->count - NAMES_SHOWN_MAX));
    }
    snprintf(object, sizeof(object), "%u entities", (unsigned)group->entity_count);
    resolve_note(resolver, false, several ? object : group->entity,
                 "%s%s (%s): %s; written as %s, %s",
                 buffer_string(several ? &group->full_names : &group->names), more, group->native,
                 group->mapping->loss, group->mapping->native, group->mapping->writing);
}

/* A source that has nulls apart from missing fields, and a target that would keep them. */
static void note_left_nulls(struct resolver *resolver, const struct table_builder *table)
{
    const uint32_t both = resolver->source->capabilities & resolver->target->capabilities;
    for (uint32_t i = 0; i < table->entities.count; i++) {
        const struct entity_builder *entity = table->entities.items[i];
        bool from_columns = false; /* what "*" takes from documents stays as it is */
        for (uint32_t j = 0; j < entity->fields.count && !from_columns; j++) {
            const struct mapping_field *field = entity->fields.items[j];
            from_columns = field->kind == FIELD_VALUE && !field->is_key &&
                           (field->origin == NULL || !field->origin->not_null);
        }
        if ((both & CAPABILITY_MISSING) != 0 && entity->nulls == NULLS_OMIT && from_columns &&
            plan_node_get(entity->node, "nulls") == NULL) {
            resolve_note(resolver, false, table->name,
                         "fields that are null arrive as missing ones; to keep them, say nulls: "
                         "keep at the entity in a plan");
            return;
        }
    }
}

void widened_note(struct resolver *resolver)
{
    struct widened_list list = {.resolver = resolver};
    for (uint32_t i = 0; i < resolver->tables.count && !resolver->same_engine; i++) {
        const struct table_builder *table = resolver->tables.items[i];
        for (uint32_t j = 0; j < table->entities.count; j++) {
            add_entity(&list, table->entities.items[j]);
        }
        note_left_nulls(resolver, table);
    }
    for (uint32_t i = 0; i < list.count; i++) {
        note_group(resolver, &list.items[i]);
        buffer_free(&list.items[i].names);
        buffer_free(&list.items[i].full_names);
    }
}
