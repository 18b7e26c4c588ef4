/* Writes the resolved mapping as text, the same for every plan that makes the same records. */
#include "plan/text/canonical_text.h"

#include "base/memory.h"
#include "base/text.h"
#include "model/json_writer.h"
#include "model/time_zone.h"
#include "plan/mapping.h"
#include "plan/words/template_read.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { CANONICAL_TEXT_VERSION = 1 };

/* The text that is being written, and where its numbers point. */
struct text_writer {
    struct buffer *out;
    const struct stream_mapping *mapping;
    const struct plan_stream *stream;
    const struct mapping_unnest *unnest; /* NULL: rows are records */
    const struct read_request *request;  /* of the row that column numbers mean */
    uint32_t column_base;                /* key columns before them */
};

static void put_name(struct buffer *out, const char *name)
{
    if (name == NULL) {
        buffer_append_byte(out, '-');
    } else {
        json_append_string(out, name, strlen(name));
    }
}

static void put_names(struct buffer *out, struct column_list list)
{
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < list.count; i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        put_name(out, list.names[i]);
    }
    buffer_append_byte(out, ']');
}

static void put_type(struct buffer *out, const struct value_type *type)
{
    buffer_format(out, " %s(%d,%d)%s%s", value_kind_name(type->kind), (int)type->precision,
                  (int)type->scale, type->zoned ? " zoned" : "", type->dynamic ? " dynamic" : "");
    if (type->layout != TEXT_ISO || type->epoch != EPOCH_NONE) {
        buffer_format(out, " layout %d epoch %d", (int)type->layout, (int)type->epoch);
    }
}

/* The request whose rows are the mapper's of the root. */
static const struct read_request *root_request(const struct plan_stream *stream)
{
    return stream->joined != NULL ? stream->joined : &stream->request;
}

/* The way to a joined table, from the root. */
static void put_join(struct text_writer *writer, int32_t join)
{
    if (join < 0) {
        return;
    }
    const struct read_join *step = &writer->request->joins[join];
    put_join(writer, step->from);
    put_name(writer->out, step->table);
    put_names(writer->out, step->columns);
    buffer_append_string(writer->out, step->many ? "<-" : "->");
    put_names(writer->out, step->from_columns);
    buffer_append_byte(writer->out, '.');
}

static void put_column(struct text_writer *writer, uint32_t index)
{
    uint32_t number = writer->column_base + index;
    if (writer->unnest != NULL) {
        put_name(writer->out, writer->unnest->names[index]);
        return;
    }
    if (writer->mapping->documents && writer->request == root_request(writer->stream)) {
        const struct mapping_slot *slot = &writer->mapping->slots[index];
        if (slot->name != NULL) {
            put_name(writer->out, slot->name);
            return;
        }
        number = slot->cell;
    }
    const struct read_column *column = &writer->request->columns[number];
    put_join(writer, column->join);
    if (column->presence) {
        buffer_append_string(writer->out, "present");
    } else {
        put_name(writer->out, column->name);
    }
}

static void put_template(struct text_writer *writer, const struct plan_template *template);

static void put_aggregate(struct text_writer *writer, const struct mapping_aggregate *aggregate)
{
    const struct plan_child *child = &writer->stream->children[aggregate->child];
    struct text_writer inner = *writer;
    inner.request = &child->request;
    inner.column_base = child->root_key_count;
    buffer_format(writer->out, "aggregate %d of ", (int)aggregate->function);
    if (aggregate->column != MAPPING_NONE) {
        put_column(&inner, aggregate->column);
    } else {
        /* count(*): the rows of the path, known by its last join down */
        uint32_t last = child->request.join_count;
        while (last > 0 && !child->request.joins[last - 1].many) {
            last--;
        }
        put_join(&inner, (int32_t)last - 1);
    }
    if (aggregate->presence != MAPPING_NONE) {
        buffer_append_string(writer->out, " where ");
        put_column(&inner, aggregate->presence);
    }
}

static void put_value(struct text_writer *writer, struct value_reference value);

static void put_part(struct text_writer *writer, const struct mapping_part *part)
{
    buffer_append_string(writer->out, "part ");
    buffer_format(writer->out, "%u of ", (unsigned)part->value);
    template_print(part->template, writer->out);
    buffer_append_string(writer->out, " in ");
    put_value(writer, part->from);
}

static void put_parent(struct text_writer *writer, uint32_t index)
{
    struct text_writer record = *writer;
    record.unnest = NULL;
    buffer_append_string(writer->out, "$parent ");
    put_column(&record, index);
}

static void put_value(struct text_writer *writer, struct value_reference value)
{
    switch (value.origin) {
    case ORIGIN_COLUMN:
        put_column(writer, value.index);
        break;
    case ORIGIN_TEMPLATE:
        put_template(writer, &writer->mapping->templates[value.index]);
        break;
    case ORIGIN_AGGREGATE:
        put_aggregate(writer, &writer->mapping->aggregates[value.index]);
        break;
    case ORIGIN_PAGE:
        buffer_append_string(writer->out, "$page");
        break;
    case ORIGIN_LIST:
        buffer_append_string(writer->out, "$list");
        break;
    case ORIGIN_PART: {
        /* the text is the record's, whatever becomes rows */
        struct text_writer record = *writer;
        const struct mapping_part *part = &writer->mapping->parts[value.index];
        record.unnest = part->of_record ? NULL : writer->unnest;
        put_part(&record, part);
        break;
    }
    case ORIGIN_PARENT:
        put_parent(writer, value.index);
        break;
    case ORIGIN_LEVEL:
        if (writer->unnest != NULL) {
            buffer_format(writer->out, "$parent %u ",
                          (unsigned)writer->unnest->levels[value.index].step);
            put_name(writer->out, writer->unnest->levels[value.index].name);
        }
        break;
    case ORIGIN_ORDINAL:
        buffer_append_string(writer->out, "$ordinal");
        break;
    case ORIGIN_ELEMENT:
        buffer_append_string(writer->out, "$value");
        break;
    }
}

static void put_template(struct text_writer *writer, const struct plan_template *template)
{
    buffer_append_string(writer->out, "template(");
    for (uint32_t i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];
        json_append_string(writer->out, part->literal, part->literal_length);
        if (part->has_value) {
            buffer_append_byte(writer->out, '+');
            put_value(writer, part->value);
            buffer_format(writer->out, ":%u+", (unsigned)part->pad);
        }
    }
    buffer_append_byte(writer->out, ')');
}

static void put_expression(struct text_writer *writer, const char *what, uint32_t index)
{
    if (index == MAPPING_NONE) {
        return;
    }
    const struct plan_expression *expression = &writer->mapping->expressions[index];
    buffer_format(writer->out, " %s(", what);
    put_name(writer->out, expression->text);
    for (uint32_t i = 0; i < expression->count; i++) {
        buffer_append_string(writer->out, "; ");
        put_name(writer->out, expression->names[i]);
        buffer_append_byte(writer->out, '=');
        put_value(writer, expression->values[i]);
    }
    buffer_append_byte(writer->out, ')');
}

static void put_cell(struct buffer *out, const struct cell *cell)
{
    buffer_append_string(out, value_kind_name((enum value_kind)cell->kind));
    buffer_append_byte(out, ':');
    value_print(cell, SIZE_MAX / 2, out);
}

static void put_list(struct text_writer *writer, const struct mapping_list *list);

static void put_field(struct text_writer *writer, const struct mapping_field *field)
{
    put_name(writer->out, field->name);
    buffer_append_byte(writer->out, ' ');
    switch (field->kind) {
    case FIELD_VALUE:
        put_value(writer, field->value);
        break;
    case FIELD_CONST:
        put_cell(writer->out, &field->constant);
        break;
    case FIELD_TEMPLATE:
        put_template(writer, &field->template);
        break;
    case FIELD_SQL:
        put_expression(writer, "sql", field->expression);
        break;
    case FIELD_EMBED:
        put_list(writer, &writer->mapping->lists[field->list]);
        break;
    }
    put_expression(writer, "when", field->when);
    if (field->has_default) {
        buffer_append_string(writer->out, " default ");
        put_cell(writer->out, &field->default_value);
    }
    if (field->cast) {
        buffer_append_string(writer->out, " cast");
        put_type(writer->out, &field->type);
    }
    if (field->renumber != NULL) {
        buffer_append_string(writer->out, " renumber ");
        put_name(writer->out, field->renumber->table);
    }
    buffer_format(writer->out, " nulls %d%s%s%s\n", (int)field->nulls,
                  field->allow_loss ? " lossy" : "", field->zero_is_null ? " zero" : "",
                  field->empty_is_null ? " empty" : "");
}

static void put_list(struct text_writer *writer, const struct mapping_list *list)
{
    const struct plan_child *child = &writer->stream->children[list->child];
    struct text_writer inner = *writer;
    inner.request = &child->request;
    inner.column_base = child->root_key_count;
    buffer_append_string(writer->out, "list {\n");
    for (uint32_t i = 0; i < child->request.order_count; i++) {
        const struct read_order *order = &child->request.orders[i];
        buffer_append_string(writer->out, "    order ");
        put_join(&inner, order->join);
        put_name(writer->out, order->name);
        buffer_append_string(writer->out, order->descending ? " desc\n" : "\n");
    }
    if (list->presence != MAPPING_NONE) {
        buffer_append_string(writer->out, "    where ");
        put_column(&inner, list->presence);
        buffer_append_byte(writer->out, '\n');
    }
    put_expression(&inner, "where", list->where);
    for (uint32_t i = 0; i < list->key_count; i++) {
        buffer_append_string(writer->out, "    by ");
        put_column(&inner, list->key[i]);
        buffer_append_byte(writer->out, '\n');
    }
    if (list->document != MAPPING_NONE) {
        buffer_append_string(writer->out, "    all but ");
        put_names(writer->out, (struct column_list){list->star_except, list->star_except_count});
        buffer_append_byte(writer->out, '\n');
    }
    for (uint32_t i = 0; i < list->field_count; i++) {
        buffer_append_string(writer->out, "    ");
        put_field(&inner, &list->fields[i]);
    }
    buffer_append_string(writer->out, "  }");
}

static int compare_fields(const void *left, const void *right)
{
    const struct mapping_field *a = *(const struct mapping_field *const *)left;
    const struct mapping_field *b = *(const struct mapping_field *const *)right;
    return strcmp(a->name, b->name);
}

/* The order of a record's fields means nothing, that of a list's items may. */
static void put_fields(struct text_writer *writer, const struct mapping *mapping)
{
    const struct mapping_field **sorted =
        memory_allocate_zeroed(mapping->field_count + (size_t)1, sizeof(void *));
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        sorted[i] = &mapping->fields[i];
    }
    qsort(sorted, mapping->field_count, sizeof(void *), compare_fields);
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        buffer_append_string(writer->out, "  ");
        put_field(writer, sorted[i]);
    }
    free(sorted);
}

static void put_matches(struct text_writer *writer, const struct mapping *mapping)
{
    struct text_writer record = *writer;
    record.unnest = NULL;
    for (uint32_t i = 0; i < mapping->match_count; i++) {
        const struct mapping_match *match = &mapping->matches[i];
        buffer_append_string(writer->out, " match ");
        put_value(&record, match->value);
        buffer_append_byte(writer->out, ' ');
        if (match->template != NULL) {
            template_print(match->template, writer->out);
        } else {
            put_cell(writer->out, &match->constant);
        }
    }
    if (mapping->match_count > 0) {
        buffer_append_string(writer->out, mapping->stream->skip_unmatched ? " else skip" : "");
    }
    if (mapping->unnest != NULL) {
        buffer_append_string(writer->out, " unnest ");
        put_names(writer->out,
                  (struct column_list){mapping->unnest->steps, mapping->unnest->step_count});
    }
    buffer_append_string(writer->out, mapping->distinct ? " distinct" : "");
}

/* The key itself stays unknown: what a fixed text becomes by it tells one from another. */
static void put_masks(const struct text_writer *of, const struct read_request *request,
                      uint32_t base, const struct plan_mask *masks, uint32_t count)
{
    struct text_writer writer = *of;
    writer.request = request;
    writer.column_base = base;
    writer.unnest = NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t hash[2];
        char hex[33];
        siphash_128(&masks[i].mask->key, "key", 3, hash);
        text_from_hash(hash[0], hash[1], hex);
        buffer_append_string(writer.out, "  masked ");
        put_column(&writer, masks[i].column);
        put_name(writer.out, masks[i].text);
        buffer_format(writer.out, " %.16s %" PRIu32 "\n", hex, masks[i].mask->characters_max);
    }
}

static void put_all_masks(const struct text_writer *writer, const struct plan_stream *stream)
{
    put_masks(writer, root_request(stream), 0, stream->masks, stream->mask_count);
    for (uint32_t i = 0; i < stream->child_count; i++) {
        const struct plan_child *child = &stream->children[i];
        put_masks(writer, &child->request, child->root_key_count, child->masks, child->mask_count);
    }
}

static void put_entity(struct buffer *out, const struct plan *plan,
                       const struct plan_entity *entity)
{
    const struct mapping *mapping = entity->mapping;
    const struct plan_stream *stream = &plan->streams[entity->stream];
    struct text_writer writer = {.out = out,
                                 .mapping = mapping->stream,
                                 .stream = stream,
                                 .unnest = mapping->unnest,
                                 .request = root_request(stream)};
    buffer_append_string(out, "entity ");
    put_name(out, entity->name);
    buffer_append_string(out, " table ");
    put_name(out, plan->tables[entity->table].target.name);
    buffer_append_string(out, stream->request.query != NULL ? " query " : " from ");
    put_name(out, stream->request.query != NULL ? stream->request.query : stream->request.table);
    put_names(out, stream->request.root_key);
    put_matches(&writer, mapping);
    put_expression(&writer, "where", mapping->where);
    put_expression(&writer, "when", mapping->when);
    put_expression(&writer, "parent where", mapping->parent_where);
    put_expression(&writer, "parent when", mapping->parent_when);
    if (mapping->pages != MAPPING_NONE) {
        buffer_format(out, " pages of %u ", (unsigned)mapping->page_size);
        put_list(&writer, &mapping->stream->lists[mapping->pages]);
    }
    if (mapping->document_star) {
        buffer_append_string(out, " all but ");
        put_names(out, (struct column_list){mapping->star_except, mapping->star_except_count});
    }
    buffer_append_byte(out, '\n');
    put_fields(&writer, mapping);
    put_all_masks(&writer, stream);
}

/* Nothing where the target knows no orders and static columns. */
static void put_key_shape(struct buffer *out, const struct target_table *target)
{
    const struct key_shape *shape = &target->key_shape;
    if (shape->descending == NULL && shape->static_columns.count == 0) {
        return;
    }
    buffer_format(out, " partition %" PRIu32 " order ", shape->partition_count);
    for (uint32_t i = 0; shape->descending != NULL && i < target->key.count; i++) {
        buffer_append_byte(out, shape->descending[i] ? 'd' : 'a');
    }
    buffer_append_string(out, " static ");
    put_names(out, shape->static_columns);
}

static void put_table(struct buffer *out, const struct plan_table *table)
{
    const struct target_table *target = &table->target;
    buffer_append_string(out, "table ");
    put_name(out, target->name);
    buffer_append_string(out, target->same_engine != NULL ? " whole key " : " key ");
    put_names(out, target->key);
    put_key_shape(out, target);
    buffer_append_byte(out, '\n');
    for (uint32_t i = 0; i < target->index_count; i++) {
        buffer_append_string(out, target->indexes[i].unique  ? "  unique "
                                  : target->indexes[i].local ? "  local "
                                                             : "  index ");
        put_name(out, target->indexes[i].name);
        put_names(out, target->indexes[i].columns);
        buffer_append_byte(out, '\n');
    }
    for (uint32_t i = 0; i < target->column_count; i++) {
        const struct schema_column *column = &target->columns[i];
        buffer_append_string(out, "  column ");
        put_name(out, column->name);
        put_type(out, &column->type);
        buffer_append_byte(out, ' ');
        put_name(out, column->type.native);
        buffer_append_string(out, column->not_null ? " not null\n" : "\n");
    }
    for (uint32_t i = 0; i < target->reference_count; i++) {
        buffer_append_string(out, "  reference ");
        put_names(out, target->references[i].columns);
        put_name(out, target->references[i].table);
        put_names(out, target->references[i].referenced_columns);
        buffer_append_byte(out, '\n');
    }
}

/* Record types of the plan: what a column's type is. */
static void put_record_types(struct buffer *out, const struct target_table *target)
{
    for (uint32_t i = 0; i < target->record_type_count; i++) {
        const struct schema_record_type *type = &target->record_types[i];
        if (!type->given) {
            continue;
        }
        buffer_append_string(out, "type ");
        put_name(out, type->name);
        put_names(out, (struct column_list){type->field_names, type->field_count});
        put_names(out, (struct column_list){type->field_types, type->field_count});
        buffer_append_byte(out, '\n');
    }
}

static const char zone_mark[] = "time zone ";

void canonical_text_make(struct plan *plan, struct arena *arena)
{
    struct buffer out = {0};
    buffer_format(&out, "transhume mapping %d\n", CANONICAL_TEXT_VERSION);
    if (plan->time_zone != NULL) {
        buffer_format(&out, "%s%s\n", zone_mark, time_zone_name(plan->time_zone));
    }
    if (plan->table_count > 0) {
        put_record_types(&out, &plan->tables[0].target);
    }
    for (uint32_t i = 0; i < plan->table_count; i++) {
        put_table(&out, &plan->tables[i]);
    }
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        put_entity(&out, plan, &plan->entities[i]);
    }
    plan->mapping_text = arena_copy(arena, out.data, out.length);
    XXH128_hash_t hash = XXH3_128bits(out.data, out.length);
    text_from_hash(hash.high64, hash.low64, plan->mapping_hash);
    buffer_free(&out);
}

/* ---------------------------------------------------------------- a part of another one */

static size_t line_length(const char *line)
{
    size_t length = strcspn(line, "\n");
    return length + (line[length] == '\n');
}

/* They lead to tables that may be left out. */
static const char *past_references(const char *line)
{
    static const char mark[] = "  reference ";
    while (strncmp(line, mark, sizeof(mark) - 1) == 0) {
        line += line_length(line);
    }
    return line;
}

static bool begins_section(const char *line)
{
    return *line == '\0' || strncmp(line, "  ", 2) != 0;
}

/* Is the section that `part` begins with the one that `whole` begins with? */
static bool is_same_section(const char *whole, const char *part)
{
    do {
        size_t length = line_length(part);
        if (line_length(whole) != length || memcmp(whole, part, length) != 0) {
            return false;
        }
        whole = past_references(whole + length);
        part = past_references(part + length);
    } while (!begins_section(part));
    return begins_section(whole);
}

static const char *next_section(const char *text)
{
    do {
        text += line_length(text);
    } while (!begins_section(text));
    return text;
}

bool canonical_text_is_part(const char *whole, const char *part)
{
    while (*part != '\0') {
        while (*whole != '\0' && !is_same_section(whole, part)) {
            whole = next_section(whole);
        }
        if (*whole == '\0') {
            return false;
        }
        part = next_section(part);
    }
    return true;
}

/* ---------------------------------------------------------------- its time zone */

void canonical_text_time_zone(const char *text, char zone[CANONICAL_ZONE_BYTES])
{
    const char *line = text + line_length(text);
    zone[0] = '\0';
    if (strncmp(line, zone_mark, sizeof(zone_mark) - 1) == 0) {
        line += sizeof(zone_mark) - 1;
        (void)snprintf(zone, CANONICAL_ZONE_BYTES, "%.*s", (int)strcspn(line, "\n"), line);
    }
}
