/* Values as the columns of a table that was there before keep them. */
#include "engine/formats/stored_form.h"
#include "connectors/contract/defaults.h"

#include <string.h>

uint32_t stored_form_class(struct database *target, const struct schema_table *table,
                           const char *name, uint32_t guess)
{
    const struct column_functions *columns = connector_columns(target->connector);
    if (columns->value_class == NULL || table == NULL) {
        return STORED_AS_SENT;
    }
    int column = guess < table->column_count && strcmp(table->columns[guess].name, name) == 0
                     ? (int)guess
                     : schema_find_column(table, name);
    return column < 0 ? (uint32_t)STORED_AS_SENT
                      : columns->value_class(target, table, &table->columns[column]);
}

void stored_form_make(struct database *target, const struct schema_table *table,
                      const struct shape *shape, struct arena *arena, struct stored_form *form)
{
    *form = (struct stored_form){0};
    if (connector_columns(target->connector)->value_class == NULL || table == NULL ||
        shape == NULL) {
        return;
    }
    uint32_t *classes = arena_allocate_zeroed(arena, shape->field_count + 1u, sizeof(*classes));
    for (uint32_t i = 0; i < shape->field_count; i++) {
        classes[i] = stored_form_class(target, table, shape->fields[i].name, i);
    }
    form->classes = classes;
}

bool stored_form_converts(const struct stored_form *form, uint32_t field)
{
    return form->classes != NULL && form->classes[field] != (uint32_t)STORED_AS_SENT;
}

enum status stored_form_normal(const struct stored_form *form, struct database *target,
                               uint32_t field, const struct cell *cell, struct arena *arena,
                               struct cell *normal, struct error *error)
{
    const struct target_functions *functions = target->connector->target;
    const struct column_functions *columns = connector_columns(target->connector);
    return stored_form_converts(form, field)
               ? columns->normal_form(target, form->classes[field], cell, arena, normal, error)
               : functions->normal_form(target, cell, arena, normal, error);
}
