/* `udts:` of a plan: types made of fields, which columns of the target may have; of a source of the
 * same engine also its own. */
#include "plan/resolve/resolve.h"
#include "plan/words/scalar.h"
#include <stdio.h>
#include <string.h>

static struct schema_record_type read_type(struct resolver *resolver, const struct plan_node *name,
                                           const struct plan_node *fields)
{
    const char **names = resolve_allocate(resolver, fields->count + (size_t)1, sizeof *names);
    const char **types = resolve_allocate(resolver, fields->count + (size_t)1, sizeof *types);
    for (uint32_t i = 0; i < fields->count; i++) {
        names[i] = fields->keys[i]->text;
        types[i] = fields->items[i]->text;
    }
    return (struct schema_record_type){.name = name->text,
                                       .field_names = names,
                                       .field_types = types,
                                       .field_count = fields->count,
                                       .given = true};
}

bool udts_native_type(const struct resolver *resolver, const char *declared,
                      struct value_type *type)
{
    const struct connector *target = resolver->target->connector;
    const struct catalog_functions *catalog = target->catalog;
    return catalog != NULL && catalog->native_type_among != NULL
               ? catalog->native_type_among(declared, resolver->record_types,
                                            resolver->record_type_count, type)
               : scalar_native_type(target, declared, type);
}

const char *udts_type_hint(const struct resolver *resolver, const char *declared, char *hint,
                           size_t capacity)
{
    for (uint32_t i = 0; i < resolver->record_type_count; i++) {
        const char *name = resolver->record_types[i].name;
        if (strpbrk(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL && strstr(declared, name) != NULL) {
            (void)snprintf(hint, capacity, "a name with capitals has quotes of its own: '\"%s\"'",
                           name);
            return hint;
        }
    }
    return scalar_native_hint(resolver->target->connector, declared, hint, capacity);
}

static void check_fields(struct resolver *resolver, const struct plan_node *name,
                         const struct plan_node *fields)
{
    struct value_type ignored;
    char hint[320];
    for (uint32_t i = 0; i < fields->count; i++) {
        const char *type = fields->items[i]->text;
        if (!udts_native_type(resolver, type, &ignored)) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, fields->items[i],
                       udts_type_hint(resolver, type, hint, sizeof hint),
                       "'%s', of the field '%s' of the type '%s', is no type of this target", type,
                       fields->keys[i]->text, name->text);
        }
    }
}

void udts_resolve(struct resolver *resolver)
{
    const struct plan_node *node =
        resolver->document != NULL ? plan_node_get(resolver->document->root, "udts") : NULL;
    const struct catalog_functions *catalog = resolver->target->connector->catalog;
    const struct schema *schema = resolver->schema;
    struct plan_list types = {0};
    if (node != NULL && (catalog == NULL || catalog->native_type_among == NULL)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, "leave 'udts' out",
                   "this target has no types that are made of fields");
        return;
    }
    for (uint32_t i = 0; node != NULL && i < node->count; i++) {
        struct schema_record_type *made = resolve_add(resolver, &types, sizeof *made);
        *made = read_type(resolver, node->keys[i], node->items[i]);
    }
    for (uint32_t i = 0; resolver->same_engine && i < schema->record_type_count; i++) {
        if (plan_node_get(node, schema->record_types[i].name) == NULL) {
            struct schema_record_type *made = resolve_add(resolver, &types, sizeof *made);
            *made = schema->record_types[i];
        }
    }
    resolver->record_types = resolve_array(resolver, &types, sizeof(struct schema_record_type),
                                           &resolver->record_type_count);
    for (uint32_t i = 0; node != NULL && i < node->count; i++) {
        check_fields(resolver, node->keys[i], node->items[i]);
    }
}
