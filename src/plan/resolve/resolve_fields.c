/* All fields of an entity, in the plan's order. */
#include "plan/resolve/resolve.h"
#include <string.h>

struct mapping_field *entity_field(const struct entity_builder *entity, const char *name)
{
    for (uint32_t i = 0; i < entity->fields.count; i++) {
        struct mapping_field *field = entity->fields.items[i];
        if (strcmp(field->name, name) == 0) {
            return field;
        }
    }
    return NULL;
}

/* "*" over documents: all fields that are there but those named. */
static void document_star(struct resolver *resolver, struct entity_builder *entity,
                          const struct plan_node *fields, const struct plan_node *place)
{
    entity->document_star = true;
    if (!resolver->target_free) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, place,
                   resolver->document != NULL
                       ? "name each field: NAME: { column: NAME, cast: text }"
                       : "write a plan that names each field (`transhume init SRC DST` begins one)",
                   "the records of %s have no fixed columns, those of the target have",
                   entity->from_text);
    }
    for (uint32_t i = 0; fields != NULL && i < fields->count; i++) {
        if (strcmp(fields->keys[i]->text, "*") == 0) {
            continue;
        }
        const char **name = resolve_add(resolver, &entity->star_except, sizeof *name);
        *name = fields->keys[i]->text;
    }
}

static void resolve_star(struct resolver *resolver, struct entity_builder *entity,
                         const struct plan_node *fields, const struct plan_node *place,
                         bool leave_generated)
{
    if (resolver->source_documents || entity->scope.unnest != NULL) {
        document_star(resolver, entity, fields, place);
    } else if (entity->scope.table != NULL) {
        star_resolve(resolver, &entity->scope, entity->table, fields, entity->nulls,
                     &entity->fields, leave_generated);
    }
}

void fields_copy_all(struct resolver *resolver, struct entity_builder *entity)
{
    resolve_star(resolver, entity, NULL, entity->name_node, entity->table->whole != NULL);
}

void fields_resolve(struct resolver *resolver, struct entity_builder *entity)
{
    const struct plan_node *fields = plan_node_get(entity->node, "fields");
    scope_collect(resolver, &entity->scope, fields, true);
    if (fields == NULL) {
        fields_copy_all(resolver, entity);
        return;
    }
    for (uint32_t i = 0; i < fields->count && !resolve_stopped(resolver); i++) {
        if (strcmp(fields->keys[i]->text, "*") == 0) {
            resolve_star(resolver, entity, fields, fields->keys[i], entity->table->whole != NULL);
        } else {
            field_resolve(resolver, &entity->scope, entity, fields->keys[i], fields->items[i],
                          entity->nulls, &entity->fields);
        }
    }
    if (entity->fields.count == 0 && !entity->document_star) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, fields, NULL,
                   "nothing is left of the fields of '%s'", entity->name);
    }
}
