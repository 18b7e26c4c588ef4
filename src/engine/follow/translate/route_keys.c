/* The plan that makes of a root's row the keys of its records. */
#include "engine/follow/translate/route_keys.h"

#include "plan/mapping.h"
#include <string.h>

/* ---- the number of a page */

static bool is_page(struct value_reference value)
{
    return value.origin == ORIGIN_PAGE;
}

/* How many of the template's values are the number; `*part`: the first. */
static uint32_t count_pages(const struct plan_template *template, uint32_t *part)
{
    uint32_t count = 0;
    for (uint32_t i = template->count; i > 0; i--) {
        if (template->parts[i - 1].has_value && is_page(template->parts[i - 1].value)) {
            *part = i - 1;
            count++;
        }
    }
    return count;
}

uint32_t route_keys_pages(const struct mapping_field *field)
{
    uint32_t part;
    if (field == NULL || field->kind == FIELD_VALUE) {
        return field != NULL && is_page(field->value) ? 1u + field->cast : 0;
    }
    return field->kind == FIELD_TEMPLATE ? count_pages(&field->template, &part) : 0;
}

/* ---- what keys are made of */

struct needs {
    const struct stream_mapping *stream;
    const struct mapping_unnest *unnest; /* NULL: names mean the row's columns */
    bool *cells;
    uint32_t count;
};

static void need_template(struct needs *needs, const struct plan_template *template);

/* All of an unnested element is in the list, which also says how many records there are. */
static bool is_of_element(const struct needs *needs, const struct value_reference *value)
{
    return needs->unnest != NULL &&
           (value->origin == ORIGIN_COLUMN || value->origin == ORIGIN_LEVEL ||
            value->origin == ORIGIN_ORDINAL || value->origin == ORIGIN_ELEMENT);
}

static void need_value(struct needs *needs, const struct value_reference *value)
{
    if (is_of_element(needs, value)) {
        needs->cells[needs->unnest->column] = true;
    } else if ((value->origin == ORIGIN_COLUMN || value->origin == ORIGIN_PARENT) &&
               value->index < needs->count) {
        needs->cells[value->index] = true;
    } else if (value->origin == ORIGIN_TEMPLATE) {
        need_template(needs, &needs->stream->templates[value->index]);
    } else if (value->origin == ORIGIN_PART) {
        need_value(needs, &needs->stream->parts[value->index].from);
    } else {
        memset(needs->cells, true, needs->count);
    }
}

static void need_template(struct needs *needs, const struct plan_template *template)
{
    for (uint32_t i = 0; i < template->count; i++) {
        if (template->parts[i].has_value) {
            need_value(needs, &template->parts[i].value);
        }
    }
}

static void need_expression(struct needs *needs, uint32_t number)
{
    const struct plan_expression *expression = &needs->stream->expressions[number];
    for (uint32_t i = 0; i < expression->count; i++) {
        need_value(needs, &expression->values[i]);
    }
}

static void need_field(struct needs *needs, const struct mapping_field *field)
{
    if (field->kind == FIELD_VALUE) {
        need_value(needs, &field->value);
    } else if (field->kind == FIELD_TEMPLATE) {
        need_template(needs, &field->template);
    } else if (field->kind == FIELD_SQL) {
        need_expression(needs, field->expression);
    } else if (field->kind == FIELD_EMBED) {
        memset(needs->cells, true, needs->count);
    }
    if (field->when != MAPPING_NONE) {
        need_expression(needs, field->when);
    }
}

/* ---- the plan that makes keys */

/* The mapping of an identity stream has no fields of its own: its record is the row. */
static void direct_field(const struct plan_entity *entity, const char *name,
                         struct mapping_field *field)
{
    int32_t at = shape_field_find(entity->shape, name);
    *field = (struct mapping_field){.name = name,
                                    .name_length = (uint32_t)strlen(name),
                                    .kind = FIELD_VALUE,
                                    .direct = true,
                                    .value = {ORIGIN_COLUMN, (uint32_t)(at < 0 ? 0 : at)},
                                    .when = MAPPING_NONE,
                                    .is_key = true,
                                    .nulls = NULLS_KEEP};
    if (at >= 0) {
        field->type = entity->shape->fields[at].type;
    }
}

static const struct shape *key_shape_of(struct arena *arena, const struct plan_entity *entity,
                                        const struct mapping_field *fields, uint32_t count)
{
    struct shape *shape = arena_allocate_zeroed(arena, 1, sizeof *shape);
    struct shape_field *made = arena_allocate_zeroed(arena, count + 1u, sizeof *made);
    uint32_t *keys = arena_allocate_zeroed(arena, count + 1u, sizeof *keys);
    for (uint32_t i = 0; i < count; i++) {
        made[i] = (struct shape_field){
            .name = fields[i].name, .name_length = fields[i].name_length, .type = fields[i].type};
        keys[i] = i;
    }
    *shape = (struct shape){.name = entity->name,
                            .fields = made,
                            .field_count = count,
                            .key_fields = keys,
                            .key_field_count = count};
    return shape;
}

/* Some parts of a template as a field of their own. */
static struct mapping_field part_field(const char *name, struct plan_template template)
{
    struct mapping_field field = {.name = name,
                                  .name_length = (uint32_t)strlen(name),
                                  .kind = FIELD_TEMPLATE,
                                  .template = template,
                                  .when = MAPPING_NONE,
                                  .nulls = NULLS_KEEP,
                                  .type = {.kind = VALUE_TEXT}};
    if (template.count == 0 || (template.count == 1 && !template.parts[0].has_value)) {
        field.kind = FIELD_CONST;
        field.constant = template.count == 0 ? cell_text("", 0)
                                             : cell_text(template.parts[0].literal,
                                                         template.parts[0].literal_length);
    }
    return field;
}

/* The text before the page's number, and the text behind it. */
static void split_field(struct follow_routes *routes, const struct mapping_field *field,
                        struct follow_key *key, struct mapping_field *fields)
{
    const struct plan_template *whole = &field->template;
    uint32_t at = 0;
    (void)count_pages(whole, &at);
    struct template_part *before =
        arena_allocate_zeroed(routes->arena, at + (size_t)1, sizeof *before);
    memcpy(before, whole->parts, (at + (size_t)1) * sizeof *before);
    before[at].has_value = false;
    key->page_in_text = true;
    key->pad = whole->parts[at].pad;
    fields[key->count++] = part_field("before", (struct plan_template){before, at + 1});
    fields[key->count++] =
        part_field("behind", (struct plan_template){whole->parts + at + 1, whole->count - at - 1});
}

static void make_key_fields(struct follow_routes *routes, const struct plan_entity *entity,
                            const struct column_list names, struct follow_key *key,
                            struct mapping_field *fields)
{
    const struct mapping *whole = entity->mapping;
    const struct mapping_field *paged = NULL;
    for (uint32_t i = 0; i < names.count; i++) {
        const struct mapping_field *field =
            whole->identity ? NULL : mapping_find_field(whole, names.names[i]);
        if (entity->is_pages && route_keys_pages(field) > 0) {
            key->page = i;
            paged = field;
        } else if (field != NULL) {
            fields[key->count++] = *field;
        } else {
            direct_field(entity, names.names[i], &fields[key->count++]);
        }
    }
    key->pages = paged != NULL;
    if (paged != NULL && paged->kind == FIELD_TEMPLATE) {
        split_field(routes, paged, key, fields);
    }
}

void route_keys_make(struct follow_routes *routes, const struct plan *plan,
                     struct plan_entity *entity, struct follow_stream *stream)
{
    const struct column_list names = plan->tables[entity->table].target.key;
    const struct mapping *whole = entity->mapping;
    struct follow_key *key = &routes->keys[entity->number];
    struct mapping *mapping = arena_allocate_zeroed(routes->arena, 1, sizeof *mapping);
    struct mapping_field *fields =
        arena_allocate_zeroed(routes->arena, names.count + (size_t)2, sizeof *fields);
    struct needs needs = {whole->stream, whole->unnest, (bool *)stream->key_cells,
                          stream->stream->request.column_count};
    make_key_fields(routes, entity, names, key, fields);
    for (uint32_t i = 0; i < key->count; i++) {
        fields[i].is_key = true;
        need_field(&needs, &fields[i]);
    }
    stream->has_pages = stream->has_pages || key->pages;
    *mapping = (struct mapping){.stream = whole->stream,
                                .fields = fields,
                                .field_count = key->count,
                                .unnest = whole->unnest,
                                .where = MAPPING_NONE,
                                .when = MAPPING_NONE,
                                .parent_where = MAPPING_NONE,
                                .parent_when = MAPPING_NONE,
                                .pages = MAPPING_NONE};
    entity->shape = key_shape_of(routes->arena, entity, fields, key->count);
    entity->mapping = mapping;
}
