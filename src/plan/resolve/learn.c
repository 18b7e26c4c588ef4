/* Which fields the records of a table have, and what these hold. */
#include "plan/resolve/learn_parts.h"

#include "base/memory.h"
#include "base/text.h"
#include "plan/resolve/resolve.h"
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 4096, NAMES_BYTES_MAX = 1 << 20 };

bool plan_needs_learning(const struct plan_document *document, const struct database *source,
                         const struct database *target, bool child_tables)
{
    bool documents = (source->capabilities & CAPABILITY_FREE_FIELDS) != 0 &&
                     (source->capabilities & CAPABILITY_SQL_SCHEMA) == 0;
    bool lists = child_tables && (source->capabilities & CAPABILITY_NESTED) != 0;
    bool plain = document == NULL || plan_node_get(document->root, "tables") == NULL;
    return plain && (documents || lists) && (target->capabilities & CAPABILITY_FREE_FIELDS) == 0;
}

bool plan_copies_table(const struct plan_document *document, const struct plan_settings *settings,
                       const struct schema_table *table)
{
    const struct resolver patterns = {.document = document, .settings = settings};
    return table->kind == SCHEMA_TABLE && table->belongs_to == NULL &&
           resolve_table_wanted(&patterns, table->name);
}

struct learnt_table *learnt_table_create(const struct schema_table *table, bool documents,
                                         bool child_tables)
{
    struct learnt_table *made = memory_allocate_zeroed(1, sizeof *made);
    made->table = table;
    made->documents = documents;
    made->child_tables = child_tables;
    made->arena = arena_create(0);
    made->scratch = arena_create(0);
    made->fields.index.arena = made->arena;
    if (!documents) {
        made->columns =
            arena_allocate_zeroed(made->arena, table->column_count + 1u, sizeof *made->columns);
        for (uint32_t i = 0; i < table->column_count; i++) {
            made->columns[i] = (struct read_column){.join = -1, .name = table->columns[i].name};
        }
    }
    return made;
}

static void free_fields(struct learnt_fields *fields)
{
    for (uint32_t i = 0; i < fields->count; i++) {
        free_fields(&fields->fields[i]->elements);
    }
    free(fields->fields);
}

void learnt_table_destroy(struct learnt_table *learnt)
{
    if (learnt != NULL) {
        free_fields(&learnt->fields);
        arena_destroy(learnt->scratch);
        arena_destroy(learnt->arena);
        free(learnt);
    }
}

struct read_request learnt_table_request(const struct learnt_table *learnt)
{
    const char *name = learnt->table->name;
    return (struct read_request){.name = name,
                                 .table = name,
                                 .columns = learnt->columns,
                                 .column_count =
                                     learnt->documents ? 0 : learnt->table->column_count};
}

/* ---------------------------------------------------------------- fields */

const struct learnt_field *learnt_field_find(const struct learnt_fields *fields, const char *name)
{
    uint32_t place = name_index_find(&fields->index, name, strlen(name));
    return place == NAME_INDEX_NONE ? NULL : fields->fields[place];
}

static enum status refuse_name(const struct learnt_table *learnt, const char *what,
                               struct error *error)
{
    error_set(error, ERROR_SOURCE_INVALID, learnt->table->name, "its records have %s", what);
    error_hint(
        error,
        "leave it out with --exclude, or write a plan that names each field to copy (`transhume init SRC DST` begins one)");
    return STATUS_FAILED;
}

static enum status check_name(const struct learnt_table *learnt, const struct learnt_fields *fields,
                              const struct cell *name, struct error *error)
{
    if (name->length == 0) {
        return refuse_name(learnt, "a field with an empty name, which no column can have", error);
    }
    if (memchr(name->text, '\0', name->length) != NULL) {
        return refuse_name(learnt, "a field with U+0000 in its name, which no column can have",
                           error);
    }
    if (fields->count == FIELDS_MAX) {
        return refuse_name(learnt, "more than 4,096 different fields, too many for a table", error);
    }
    return learnt->names_bytes + name->length > NAMES_BYTES_MAX
               ? refuse_name(learnt, "fields whose names are longer than 1 MiB together", error)
               : STATUS_OK;
}

/* NULL: the error says why. */
static struct learnt_field *find_or_add(struct learnt_table *learnt, struct learnt_fields *fields,
                                        const struct cell *name, struct error *error)
{
    uint32_t place = name_index_find(&fields->index, name->text, name->length);
    if (place != NAME_INDEX_NONE) {
        return fields->fields[place];
    }
    if (check_name(learnt, fields, name, error) != STATUS_OK) {
        return NULL;
    }
    fields->fields = memory_make_room(fields->fields, fields->count, &fields->capacity,
                                      sizeof(struct learnt_field *));
    struct learnt_field *made = arena_allocate_zeroed(learnt->arena, 1, sizeof *made);
    made->name = arena_copy(learnt->arena, name->text, name->length);
    made->rank = learnt->rank++;
    made->elements.index.arena = learnt->arena;
    (void)name_index_add(&fields->index, made->name, name->length, fields->count);
    fields->fields[fields->count++] = made;
    learnt->names_bytes += name->length;
    return made;
}

/* ---------------------------------------------------------------- records */

static enum status add_value(struct learnt_table *learnt, struct learnt_field *field,
                             const struct cell *value, bool nested, struct error *error);

static enum status add_map(struct learnt_table *learnt, struct learnt_fields *fields,
                           const struct cell *map, bool nested, struct error *error)
{
    for (uint32_t i = 0; i < map->length; i++) {
        const struct cell *pair = &map->items[2 * (size_t)i];
        struct learnt_field *field = find_or_add(learnt, fields, pair, error);
        if (field == NULL || add_value(learnt, field, &pair[1], nested, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* Bytes that no text column can hold. */
static bool is_raw(const struct cell *value)
{
    return value->kind == VALUE_BYTES && (!text_is_utf8(value->bytes, value->length) ||
                                          memchr(value->bytes, 0, value->length) != NULL);
}

static enum status add_value(struct learnt_table *learnt, struct learnt_field *field,
                             const struct cell *value, bool nested, struct error *error)
{
    learnt_type_add(&field->type, value, learnt->scratch);
    field->raw_bytes = field->raw_bytes || is_raw(value);
    bool list = value->kind == VALUE_LIST || value->kind == VALUE_SET;
    if (!list || nested || !learnt->child_tables) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < value->length; i++) {
        const struct cell *element = &value->items[i];
        field->element_kinds |= 1u << element->kind;
        if (element->kind == VALUE_MAP &&
            add_map(learnt, &field->elements, element, true, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status add_row(struct learnt_table *learnt, const struct cell *row, struct error *error)
{
    if (learnt->documents) {
        return row->kind == VALUE_MAP ? add_map(learnt, &learnt->fields, row, false, error)
                                      : STATUS_OK;
    }
    for (uint32_t i = 0; i < learnt->table->column_count; i++) {
        const char *name = learnt->table->columns[i].name;
        const struct cell key = cell_text(name, strlen(name));
        struct learnt_field *field = find_or_add(learnt, &learnt->fields, &key, error);
        if (field == NULL || add_value(learnt, field, &row[i], false, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status learnt_table_add(struct learnt_table *learnt, const struct batch *batch,
                             struct error *error)
{
    for (uint32_t i = 0; i < batch->row_count; i++) {
        if (add_row(learnt, batch_row(batch, i), error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    arena_reset(learnt->scratch);
    return STATUS_OK;
}

void learnt_table_begin(struct learnt_table *learnt, uint32_t span)
{
    learnt->rank = (uint64_t)span << 32;
}

void learnt_table_count(struct learnt_table *learnt, uint64_t records)
{
    learnt->records += records;
}

/* ---------------------------------------------------------------- what several threads saw */

struct learnt_table *learnt_table_create_like(const struct learnt_table *learnt)
{
    return learnt_table_create(learnt->table, learnt->documents, learnt->child_tables);
}

static enum status merge_fields(struct learnt_table *learnt, struct learnt_fields *into,
                                const struct learnt_fields *from, struct error *error)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const struct learnt_field *other = from->fields[i];
        const struct cell name = cell_text(other->name, strlen(other->name));
        learnt->rank = other->rank;
        struct learnt_field *field = find_or_add(learnt, into, &name, error);
        if (field == NULL) {
            return STATUS_FAILED;
        }
        field->rank = other->rank < field->rank ? other->rank : field->rank;
        field->raw_bytes = field->raw_bytes || other->raw_bytes;
        field->element_kinds |= other->element_kinds;
        learnt_type_merge(&field->type, &other->type);
        if (merge_fields(learnt, &field->elements, &other->elements, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

enum status learnt_table_merge(struct learnt_table *into, const struct learnt_table *from,
                               struct error *error)
{
    into->records += from->records;
    return merge_fields(into, &into->fields, &from->fields, error);
}

static int by_rank(const void *left, const void *right)
{
    const struct learnt_field *a = *(struct learnt_field *const *)left;
    const struct learnt_field *b = *(struct learnt_field *const *)right;
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

/* The index has places in the old order. */
static void sort_fields(struct learnt_fields *fields)
{
    if (fields->count == 0) {
        return;
    }
    qsort(fields->fields, fields->count, sizeof(struct learnt_field *), by_rank);
    fields->index = (struct name_index){.arena = fields->index.arena};
    for (uint32_t i = 0; i < fields->count; i++) {
        const char *name = fields->fields[i]->name;
        (void)name_index_add(&fields->index, name, strlen(name), i);
        sort_fields(&fields->fields[i]->elements);
    }
}

void learnt_table_sort(struct learnt_table *learnt)
{
    sort_fields(&learnt->fields);
}
