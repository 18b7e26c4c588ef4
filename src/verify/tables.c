/* Each table of the plan as it is on the target's side, and how its records are compared. */
#include "base/text.h"
#include "model/canonical.h"
#include "plan/mapping.h"
#include "verify/verify_internal.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* BUCKETS_OWN_TOTAL: of all threads, each of which has its own of what it reads. */
enum {
    BUCKETS_TOTAL = 1 << 19,
    BUCKETS_OWN_TOTAL = 1 << 20,
    BUCKETS_MAX = 1 << 15,
    BUCKETS_MIN = 1 << 9
};

static int compare_form_fields(const void *left, const void *right)
{
    const struct form_field *a = left;
    const struct form_field *b = right;
    uint32_t shorter = a->name_length < b->name_length ? a->name_length : b->name_length;
    int order = memcmp(a->name, b->name, shorter);
    return order != 0 ? order
                      : (a->name_length > b->name_length) - (a->name_length < b->name_length);
}

/* Looks at the place `guess` first, and on from there: both sides mostly have one order, and tables
 * of files tens of thousands of columns. */
static uint32_t column_number(const struct verify_table *table, const char *name, uint32_t guess)
{
    const struct column_list *columns = &table->columns;
    for (uint32_t tried = 0; tried < columns->count; tried++) {
        uint32_t i = (guess + tried) % columns->count;
        if (strcmp(columns->names[i], name) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* DynamoDB's tables have the columns of their keys alone; what else their records are to have is
 * the plan's. */
static void list_columns(struct verify *verify, struct verify_table *table)
{
    const struct plan_table *plan = table->plan;
    size_t room = plan->target.column_count;
    uint32_t count = 0;
    for (uint32_t i = 0; verify->documents && i < plan->entity_count; i++) {
        room += verify->entities[plan->entities[i]].plan->shape->field_count;
    }
    const char **names = arena_allocate_zeroed(verify->arena, room + 1, sizeof(*names));
    for (uint32_t i = 0; i < plan->target.column_count; i++) {
        names[count++] = plan->target.columns[i].name;
    }
    for (uint32_t i = 0; verify->documents && i < plan->entity_count; i++) {
        const struct shape *shape = verify->entities[plan->entities[i]].plan->shape;
        for (uint32_t j = 0; j < shape->field_count; j++) {
            names[count++] = shape->fields[j].name;
        }
    }
    if (verify->documents) {
        uint32_t kept = 0;
        qsort((void *)names, count, sizeof(*names), compare_texts);
        for (uint32_t i = 0; i < count; i++) {
            if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0) {
                names[kept++] = names[i];
            }
        }
        count = kept;
    }
    table->columns = (struct column_list){names, count};
}

static bool folds_names(const struct verify *verify)
{
    return (verify->session->target->capabilities & CAPABILITY_FOLDED_NAMES) != 0;
}

/* The plan's spelling of a name, so that both sides have one. */
static const char *plan_name(const struct verify *verify, const struct verify_table *table,
                             const char *name, uint32_t guess)
{
    uint32_t number = column_number(table, name, guess);
    if (number == UINT32_MAX && folds_names(verify)) {
        for (uint32_t i = 0; i < table->plan->target.column_count; i++) {
            if (strcasecmp(table->plan->target.columns[i].name, name) == 0) {
                return table->plan->target.columns[i].name;
            }
        }
    }
    return name;
}

/* A field called `name` in the cell `cell`. */
static enum status fill_field(struct verify *verify, const struct verify_table *table,
                              const char *name, uint32_t cell, struct form_field *field,
                              struct error *error)
{
    struct buffer run = {0};
    field->cell = cell;
    field->name = name;
    field->name_length = (uint32_t)strlen(name);
    field->column = column_number(table, name, cell);
    uint32_t class = stored_form_class(verify->session->target, table->actual, name, cell);
    field->in_column = class != (uint32_t)STORED_AS_SENT;
    field->column_class = field->in_column ? class : 0;
    struct cell text = cell_text(name, field->name_length);
    enum status status = canonical_append(&text, &run, error);
    if (status == STATUS_OK) {
        field->run = arena_copy(verify->arena, run.data, run.length);
        field->run_length = (uint32_t)run.length;
    }
    buffer_free(&run);
    return status;
}

static void finish_form(const struct verify_table *table, struct record_form *form,
                        struct form_field *fields, uint32_t count)
{
    qsort(fields, count, sizeof(*fields), compare_form_fields);
    form->fields = fields;
    form->field_count = count;
    form->key = table->plan->target.key;
}

static enum status make_entity_form(struct verify *verify, struct verify_entity *entity,
                                    struct error *error)
{
    const struct verify_table *table = &verify->tables[entity->plan->table];
    const struct shape *shape = plan_entity_batch_shape(entity->plan);
    entity->form.key = table->plan->target.key;
    if (shape == NULL) {
        entity->form.columns = verify->documents ? &table->columns : NULL;
        return STATUS_OK;
    }
    struct form_field *fields =
        arena_allocate_zeroed(verify->arena, (size_t)shape->field_count + 1, sizeof(*fields));
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (fill_field(verify, table, shape->fields[i].name, i, &fields[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    finish_form(table, &entity->form, fields, shape->field_count);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the target's side */

static bool is_in_plan(const struct verify *verify, const struct verify_table *table,
                       const char *name, uint32_t guess)
{
    if ((verify->session->target->capabilities & CAPABILITY_FREE_FIELDS) != 0) {
        return true; /* a field that the plan does not know is a difference */
    }
    for (uint32_t i = 0; i < table->plan->entity_count; i++) {
        const struct shape *shape = verify->entities[table->plan->entities[i]].plan->shape;
        if (guess < shape->field_count && strcmp(shape->fields[guess].name, name) == 0) {
            return true;
        }
        for (uint32_t j = 0; j < shape->field_count; j++) {
            if (strcmp(shape->fields[j].name, name) == 0 ||
                (folds_names(verify) && strcasecmp(shape->fields[j].name, name) == 0)) {
                return true;
            }
        }
        if (shape->field_count == 0) {
            return true;
        }
    }
    return false;
}

static bool reads_partitions(const struct verify *verify, const struct verify_table *table)
{
    const struct plan *plan = verify->session->plan;
    bool partitions = false;
    for (uint32_t i = 0; i < table->plan->entity_count; i++) {
        const struct plan_entity *entity = &plan->entities[table->plan->entities[i]];
        partitions |= plan->streams[entity->stream].request.partitions;
    }
    return partitions;
}

static enum status make_target_form(struct verify *verify, struct verify_table *table,
                                    struct error *error)
{
    const struct schema_table *actual = table->actual;
    struct read_request *request = &table->request;
    request->name = request->table = actual->name;
    request->partitions = reads_partitions(verify, table);
    table->form.key = table->plan->target.key;
    if (verify->documents) {
        table->form.columns = &table->columns;
        return STATUS_OK;
    }
    struct read_column *columns =
        arena_allocate_zeroed(verify->arena, (size_t)actual->column_count + 1, sizeof(*columns));
    struct form_field *fields =
        arena_allocate_zeroed(verify->arena, (size_t)actual->column_count + 1, sizeof(*fields));
    uint32_t count = 0;
    for (uint32_t i = 0; i < actual->column_count; i++) {
        const struct schema_column *column = &actual->columns[i];
        if (column->hidden || !is_in_plan(verify, table, column->name, i)) {
            continue;
        }
        columns[count] = (struct read_column){.join = -1, .name = column->name};
        if (fill_field(verify, table, plan_name(verify, table, column->name, i), count,
                       &fields[count], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        count++;
    }
    if (count == 0) {
        error_set(error, ERROR_TARGET_SCHEMA, actual->name,
                  "the target's table has none of the plan's columns");
        return error_hint(error, "was it replaced by another table of that name?");
    }
    request->columns = columns;
    request->column_count = count;
    finish_form(table, &table->form, fields, count);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- how it is compared */

static bool is_distinct(const struct verify *verify, const struct verify_table *table)
{
    for (uint32_t i = 0; i < table->plan->entity_count; i++) {
        if (verify->entities[table->plan->entities[i]].plan->mapping->distinct) {
            return true;
        }
    }
    return table->plan->target.distinct;
}

static void decide_mode(struct verify *verify, struct verify_table *table)
{
    const struct target_table *target = &table->plan->target;
    bool made = ledger_status_is_created(&verify->run->status, target->name);
    bool whole = made || table->plan->incremental; /* it is upserted for that reason alone */
    table->owned = whole || target->existing == EXISTING_REFUSE;
    table->keys_only = target->existing == EXISTING_SKIP && !made;
    table->restricted = target->existing == EXISTING_UPSERT && !whole;
    table->distinct = is_distinct(verify, table);
    table->joined = !table->owned || table->distinct;
}

/* ---------------------------------------------------------------- ranges */

/* Is the target's key the stream's own, untouched? */
static bool key_is_copied(const struct verify *verify, const struct verify_table *table)
{
    const struct plan_entity *entity = verify->entities[table->plan->entities[0]].plan;
    const struct plan_stream *stream = &verify->session->plan->streams[entity->stream];
    const struct target_table *target = &table->plan->target;
    const struct mapping *mapping = entity->mapping;
    if (target->key.count != 1 || stream->key_count != 1 || stream->key_columns == NULL ||
        stream->request.table == NULL || entity->is_pages || mapping == NULL ||
        mapping->unnest != NULL || mapping->distinct) {
        return false;
    }
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        const struct mapping_field *field = &mapping->fields[i];
        if (strcmp(field->name, target->key.names[0]) == 0) {
            return field->kind == FIELD_VALUE && field->value.origin == ORIGIN_COLUMN &&
                   field->value.index == stream->key_columns[0] && !field->cast &&
                   !field->has_default && field->when == MAPPING_NONE;
        }
    }
    return false;
}

/* How the database calls the spans of a request whose only key is `key`; NULL: they are no ranges
 * of it. */
static const char *number_spans(struct database *database, const struct read_request *request,
                                const char *key)
{
    const struct source_functions *functions = database->connector->source;
    const char *column = NULL;
    const char *called = functions->number_spans == NULL
                             ? NULL
                             : functions->number_spans(database, request, &column);
    return called != NULL && strcmp(column, key) == 0 ? called : NULL;
}

/* How many bits hold each number of the column; 0: it is not of whole numbers. */
static uint32_t bits_of(const struct schema_table *table, const char *name)
{
    int column = table != NULL ? schema_find_column(table, name) : -1;
    const struct value_type *type = column >= 0 ? &table->columns[column].type : NULL;
    return type == NULL || type->kind != VALUE_INT64 ? 0 : type->bits == 0 ? 64 : type->bits;
}

/* A bound that the target's key could not hold would be refused by its server. */
static bool is_ranged(const struct verify *verify, const struct verify_table *table)
{
    const struct run_session *session = verify->session;
    if (table->actual == NULL || table->joined || table->plan->entity_count != 1 ||
        !key_is_copied(verify, table)) {
        return false;
    }
    const struct plan_entity *entity = verify->entities[table->plan->entities[0]].plan;
    const struct plan_stream *stream = &session->plan->streams[entity->stream];
    const char *key = table->plan->target.key.names[0];
    uint32_t bits = bits_of(schema_find_table(session->plan->source_schema, stream->request.table),
                            stream->key_names[0]);
    if (stream->entity_count != 1 || stream->masks_rows || bits == 0 ||
        bits > bits_of(table->actual, key)) {
        return false;
    }
    const char *there = number_spans(session->source, &stream->request, stream->key_names[0]);
    const char *here = there == NULL ? NULL : number_spans(session->mirror, &table->request, key);
    return here != NULL && strcmp(here, there) == 0;
}

enum status verify_prepare_tables(struct verify *verify, struct error *error)
{
    for (uint32_t i = 0; i < verify->table_count; i++) {
        struct verify_table *table = &verify->tables[i];
        table->actual =
            session_target_table(verify->session, verify->mirror_schema, table->plan->target.name);
        decide_mode(verify, table);
        if (!verify->options.quick) {
            list_columns(verify, table);
        }
        if (table->actual != NULL && make_target_form(verify, table, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < verify->entity_count; i++) {
        if (make_entity_form(verify, &verify->entities[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < verify->table_count; i++) {
        struct verify_table *table = &verify->tables[i];
        table->range_stream = is_ranged(verify, table)
                                  ? verify->entities[table->plan->entities[0]].plan->stream
                                  : UINT32_MAX;
    }
    return STATUS_OK;
}

/* Into how many tables the records of one task go, at most. */
static uint32_t tables_at_once(const struct verify *verify)
{
    const struct plan *plan = verify->session->plan;
    uint32_t most = 1;
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        uint32_t entities = plan->streams[i].entity_count;
        most = entities > most ? entities : most;
    }
    return most < verify->table_count ? most : verify->table_count;
}

void verify_make_buckets(struct verify *verify)
{
    uint64_t own = (uint64_t)tables_at_once(verify) * verify->session->options.limits.jobs;
    uint32_t each = BUCKETS_MAX;
    while (each > BUCKETS_MIN && ((uint64_t)each * verify->table_count > BUCKETS_TOTAL ||
                                  (uint64_t)each * own > BUCKETS_OWN_TOTAL)) {
        each /= 2;
    }
    for (uint32_t i = 0; i < verify->table_count; i++) {
        struct verify_table *table = &verify->tables[i];
        uint32_t count = table->pushed != NULL ? table->pushed->digest[0].bucket_count : each;
        table->bucket_mask = table->bucket_mask != 0 ? table->bucket_mask : count - 1;
        count = table->bucket_mask + 1;
        if (!table->joined && table->range_stream == UINT32_MAX) {
            table->buckets = arena_allocate_zeroed(verify->arena, count, sizeof(*table->buckets));
        }
    }
}
