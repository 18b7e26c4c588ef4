/*
 * The proof that no two records of a table can share a key.
 *
 * Of one entity: the values that can be read back from its key fields contain a unique key of its
 * root. A field that takes a column as it is, or casts it to what keeps each of its values apart,
 * gives that column back. From a template values are read from the left as long as each is of a
 * kind with a known alphabet (whole numbers, dates, uuids) that does not hold the first character
 * of the literal after it; from the right likewise; one text may be left over in the middle. With
 * them the number of a page, or of an unnested element, has to come back: without the latter only
 * records of different rows are known to differ.
 * Of two entities: some key field begins differently in both. Where the target may make one key of
 * several (two spellings of an address), a field gives nothing back.
 */
#include "plan/resolve/resolve.h"
#include <string.h>

/* Which of the 128 ASCII characters a value's text can hold; `known` false: any text. */
struct alphabet {
    bool known;
    const char *characters;
};

static const struct schema_column *root_column(const struct entity_builder *entity,
                                               struct value_reference value)
{
    /* of an unnested element a column is a field, and the row's columns are its parent's */
    enum value_origin origin = entity->unnests ? ORIGIN_PARENT : ORIGIN_COLUMN;
    const struct unnest_builder *unnest = entity->scope.unnest;
    bool documents = entity->scope.documents || (unnest != NULL && unnest->column == MAPPING_NONE);
    if (value.origin != origin || documents || entity->from == NULL) {
        return NULL;
    }
    const struct read_column *column = entity->stream->request.columns.items[value.index];
    int index = column->join < 0 ? schema_find_column(entity->from, column->name) : -1;
    return index >= 0 ? &entity->from->columns[index] : NULL;
}

static struct alphabet alphabet_of(const struct entity_builder *entity,
                                   struct value_reference value)
{
    if (value.origin == ORIGIN_PAGE || value.origin == ORIGIN_ORDINAL) {
        return (struct alphabet){true, "0123456789"};
    }
    const struct schema_column *column = root_column(entity, value);
    if (column == NULL || column->type.dynamic) {
        return (struct alphabet){0};
    }
    switch (column->type.kind) {
    case VALUE_INT64:
    case VALUE_UINT64:
        return (struct alphabet){true, "-0123456789"};
    case VALUE_DATE:
        return (struct alphabet){true, "+-0123456789infty"};
    case VALUE_UUID:
        return (struct alphabet){true, "-0123456789abcdef"};
    default:
        return (struct alphabet){0};
    }
}

/* ---------------------------------------------------------------- what the target makes of it */

static bool is_in_partition(const struct schema_table *table, const char *column)
{
    const struct column_list *key = &table->primary_key;
    uint32_t count = table->key_shape.partition_count;
    const struct column_list partition = {key->names, count > 0 ? count : key->count};
    return column_list_holds(partition, column);
}

static bool is_same_word(const char *left, const char *right)
{
    return left != NULL && right != NULL && strcmp(left, right) == 0;
}

/* Are values of a scalar, of which no two are equal, of as many values of the other one? The writer
 * refuses what it does not hold exactly. */
static bool kinds_keep_apart(enum value_kind from, enum value_kind to)
{
    switch (from) {
    case VALUE_INT64:
    case VALUE_UINT64:
    case VALUE_DECIMAL:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return value_kind_is_number(to) || to == VALUE_TEXT;
    case VALUE_BOOL:
    case VALUE_UUID:
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
        return to == from || to == VALUE_TEXT;
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_ESCAPE:
        return to == from;
    default:
        return false;
    }
}

/* A value that has parts is kept apart only as a column of the same type has it, and if none of
 * them has several spellings. */
static bool parts_keep_apart(const struct value_type *from, const struct value_type *to)
{
    bool apart = from->kind == to->kind && is_same_word(from->native, to->native);
    const struct value_type *const parts[] = {from->key, from->element};
    for (size_t i = 0; i < 2 && apart; i++) {
        apart = parts[i] == NULL || (parts[i]->native != NULL && !parts[i]->dynamic &&
                                     (!parts[i]->spellings || parts[i]->kind == VALUE_TEXT) &&
                                     (kinds_keep_apart(parts[i]->kind, parts[i]->kind) ||
                                      parts_keep_apart(parts[i], parts[i])));
    }
    return apart && from->fields == NULL && (from->key != NULL || from->element != NULL);
}

/*
 * Are all keys that differ in the source's column, whose key it is in, different in the target's?
 * `to` NULL: nothing is known of that.
 */
static bool keeps_apart(const struct schema_table *table, const struct schema_column *column,
                        const struct value_type *to)
{
    const struct value_type *from = &column->type;
    bool text = from->kind == VALUE_TEXT;
    if (from->spellings && !text && is_in_partition(table, column->name)) {
        return false; /* to the source 1.0 and 1.00 are two */
    }
    if (to == NULL) {
        return true;
    }
    if (text && to->kind == VALUE_TEXT && to->spellings && !from->spellings) {
        return false;
    }
    return kinds_keep_apart(from->kind, to->kind) || parts_keep_apart(from, to);
}

/* The merging of a table's fields in a target that does not refuse a key which is there. */
struct merging {
    const struct resolver *resolver;
    const struct table_builder *table;
    bool possible; /* it is such a target */
    bool typed;    /* its columns have one type each */
};

static struct merging merging_of(const struct resolver *resolver, const struct table_builder *table)
{
    const uint32_t capabilities = resolver->target->capabilities;
    return (struct merging){.resolver = resolver,
                            .table = table,
                            .possible = (capabilities & CAPABILITY_KEY_ENFORCED) == 0,
                            .typed = (capabilities & CAPABILITY_SQL_SCHEMA) != 0 &&
                                     (capabilities & CAPABILITY_KEY_REQUIRED) != 0};
}

/* NULL: it is not known. */
static const struct value_type *type_in_target(const struct merging *merging, const char *field)
{
    const struct target_table *table = &merging->table->target;
    const struct schema_column *column =
        there_column(merging->resolver, merging->table->name, field);
    for (uint32_t i = 0; i < table->column_count && column == NULL; i++) {
        column = strcmp(table->columns[i].name, field) == 0 ? &table->columns[i] : NULL;
    }
    return column != NULL && column->type.kind != VALUE_MISSING ? &column->type : NULL;
}

static bool merges(const struct merging *merging, const struct entity_builder *entity,
                   const struct schema_column *column, const char *field)
{
    return merging->possible &&
           ((merging->typed && column->type.dynamic) ||
            !keeps_apart(entity->from, column, type_in_target(merging, field)));
}

static bool texts_merge(const struct merging *merging, const char *field)
{
    const struct value_type *to = merging->possible ? type_in_target(merging, field) : NULL;
    return to != NULL && (to->kind != VALUE_TEXT || to->spellings);
}

/* ---------------------------------------------------------------- reading back */

/* The part of an entity's key that can be read back. */
struct recovered {
    const char *columns[64];
    uint32_t count;
    bool page;
    bool ordinal;       /* of the element that is unnested */
    const char *merged; /* a field that gives nothing back, since the target may merge its values */
};

static void recover(struct recovered *recovered, const struct entity_builder *entity,
                    struct value_reference value)
{
    const struct schema_column *column = root_column(entity, value);
    recovered->page |= value.origin == ORIGIN_PAGE;
    recovered->ordinal |= value.origin == ORIGIN_ORDINAL;
    if (column != NULL && recovered->count < 64) {
        recovered->columns[recovered->count++] = column->name;
    }
}

/* A text that no other value of the column has. */
static bool text_is_injective(const struct entity_builder *entity, struct value_reference value)
{
    const struct schema_column *column = root_column(entity, value);
    return column != NULL && !column->type.dynamic &&
           (column->type.kind == VALUE_TEXT || column->type.kind == VALUE_BOOL ||
            column->type.kind == VALUE_DECIMAL || column->type.kind == VALUE_TIMESTAMP ||
            column->type.kind == VALUE_TIME);
}

static void recover_template(struct recovered *recovered, const struct entity_builder *entity,
                             const struct plan_template *template)
{
    uint32_t left = 0;
    uint32_t values = 0;
    for (uint32_t i = 0; i < template->count; i++) {
        values += template->parts[i].has_value;
    }
    /* from the left: the literal after the value ends it, or the template does */
    for (; left < values; left++) {
        const struct template_part *part = &template->parts[left];
        struct alphabet alphabet = alphabet_of(entity, part->value);
        const struct template_part *next =
            left + 1 < template->count ? &template->parts[left + 1] : NULL;
        bool last = left + 1 == values;
        if (!alphabet.known || (!last && (next == NULL || next->literal_length == 0 ||
                                          strchr(alphabet.characters, next->literal[0]) != NULL))) {
            break;
        }
        recover(recovered, entity, part->value);
    }
    /* from the right: the literal before the value begins it */
    uint32_t right = values;
    for (; right > left + 1; right--) {
        const struct template_part *part = &template->parts[right - 1];
        struct alphabet alphabet = alphabet_of(entity, part->value);
        if (!alphabet.known || part->literal_length == 0 ||
            strchr(alphabet.characters, part->literal[part->literal_length - 1]) != NULL) {
            break;
        }
        recover(recovered, entity, part->value);
    }
    if (right == left + 1 && (alphabet_of(entity, template->parts[left].value).known ||
                              text_is_injective(entity, template->parts[left].value))) {
        recover(recovered, entity, template->parts[left].value);
    }
}

/* A whole number that is cast to another kind of number is that number, or its record a reject. */
static bool cast_keeps_apart(const struct schema_column *column, const struct mapping_field *field)
{
    const struct value_type *from = &column->type;
    const struct value_type *to = &field->type;
    bool whole = from->kind == VALUE_INT64 || from->kind == VALUE_UINT64;
    bool exact = to->kind == VALUE_INT64 || to->kind == VALUE_UINT64 ||
                 (to->kind == VALUE_DECIMAL && to->scale >= 0) || to->kind == VALUE_TEXT;
    return whole && exact && !from->dynamic && to->epoch == EPOCH_NONE &&
           from->epoch == EPOCH_NONE && !field->allow_loss && !field->merges &&
           !field->zero_is_null;
}

static void recover_field(struct recovered *recovered, const struct merging *merging,
                          const struct entity_builder *entity, const struct mapping_field *field)
{
    if (field == NULL || field->when != MAPPING_NONE) {
        return;
    }
    if (field->kind == FIELD_TEMPLATE && !texts_merge(merging, field->name)) {
        recover_template(recovered, entity, &field->template);
    } else if (field->kind == FIELD_VALUE && !field->has_default) {
        const struct schema_column *column = root_column(entity, field->value);
        if (field->cast && (column == NULL || !cast_keeps_apart(column, field))) {
            return;
        }
        if (column != NULL && merges(merging, entity, column, field->name)) {
            recovered->merged = field->name;
        } else {
            recover(recovered, entity, field->value);
        }
    }
}

/* ---------------------------------------------------------------- one entity */

static bool covers(const struct recovered *recovered, struct column_list key)
{
    for (uint32_t i = 0; i < key.count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < recovered->count && !found; j++) {
            found = strcmp(recovered->columns[j], key.names[i]) == 0;
        }
        if (!found) {
            return false;
        }
    }
    return key.count > 0;
}

/* `nulls_gone`: a null in the key has rejected the record before. */
static bool holds_unique_key(const struct schema_table *table, const struct recovered *recovered,
                             bool nulls_gone)
{
    if (table->has_heirs) {
        return false;
    }
    if (covers(recovered, table->primary_key) && (nulls_gone || table->primary_key_not_null)) {
        return true;
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct schema_index *index = &table->indexes[i];
        if (index->unique && !index->partial && covers(recovered, index->columns) &&
            (nulls_gone || schema_columns_not_null(table, index->columns))) {
            return true;
        }
    }
    return false;
}

bool keys_read_back(struct resolver *resolver, const struct table_builder *table,
                    const struct entity_builder *entity, struct column_list fields,
                    struct column_list *columns)
{
    const struct merging merging = merging_of(resolver, table);
    struct recovered recovered = {0};
    for (uint32_t i = 0; i < fields.count; i++) {
        recover_field(&recovered, &merging, entity, entity_field(entity, fields.names[i]));
    }
    const char **names = resolve_allocate(resolver, recovered.count + (size_t)1, sizeof *names);
    memcpy(names, recovered.columns, recovered.count * sizeof *names);
    *columns = (struct column_list){names, recovered.count};
    return entity->from != NULL && entity->from->kind == SCHEMA_TABLE && !entity->is_pages &&
           !entity->unnests && holds_unique_key(entity->from, &recovered, true);
}

/* The key of the source's records, taken as it is, is as unique as it was. */
static bool documents_keep_key(struct resolver *resolver, const struct merging *merging,
                               const struct entity_builder *entity)
{
    const struct table_builder *table = merging->table;
    const struct schema_table *root = entity->from;
    struct column_list fields = table_fields_of(resolver, table, root->primary_key);
    bool kept = fields.count > 0 && fields.count == table->target.key.count && !table->key_given;
    for (uint32_t i = 0; i < fields.count && kept && merging->possible; i++) {
        int at = schema_find_column(root, root->primary_key.names[i]);
        kept = at < 0 ||
               keeps_apart(root, &root->columns[at], type_in_target(merging, fields.names[i]));
    }
    return kept;
}

/* `rows`: only that two records of different rows share none. */
static const char *prove_entity(struct resolver *resolver, const struct table_builder *table,
                                const struct entity_builder *entity, bool rows)
{
    const struct merging merging = merging_of(resolver, table);
    struct recovered recovered = {0};
    const struct schema_table *root = entity->from;
    if (root == NULL || root->kind != SCHEMA_TABLE) {
        return resolve_format(resolver, "'%s' reads a view or query, whose rows may repeat",
                              entity->name);
    }
    if (entity->scope.unnest != NULL && entity->scope.unnest->column == MAPPING_NONE) {
        return resolve_format(resolver, "'%s' makes its key from the elements of a list",
                              entity->name);
    }
    if (entity->scope.documents) {
        return documents_keep_key(resolver, &merging, entity)
                   ? NULL
                   : resolve_format(resolver, "'%s' makes its key from fields of documents",
                                    entity->name);
    }
    if (root->has_heirs) {
        return resolve_format(resolver,
                              "'%s' reads %s and what inherits from it, whose rows its unique keys "
                              "do not cover",
                              entity->name, root->name);
    }
    bool nulls_gone = true;
    for (uint32_t i = 0; i < table->target.key.count; i++) {
        const struct mapping_field *field = entity_field(entity, table->target.key.names[i]);
        recover_field(&recovered, &merging, entity, field);
        nulls_gone = nulls_gone && field != NULL && field->is_key;
    }
    bool holds = holds_unique_key(root, &recovered, nulls_gone);
    if (!holds && recovered.merged != NULL) {
        return resolve_format(resolver, "the target may make one key of several values of '%s'",
                              recovered.merged);
    }
    if (!holds) {
        return resolve_format(resolver, "the key of '%s' does not hold a unique key of %s",
                              entity->name, root->name);
    }
    if (entity->scope.unnest != NULL && !recovered.ordinal && !rows) {
        return resolve_format(resolver, "'%s' makes its key from the elements of a list",
                              entity->name);
    }
    if (entity->is_pages && !recovered.page) {
        return resolve_format(resolver, "the key of '%s' does not hold $page", entity->name);
    }
    return NULL;
}

/* ---------------------------------------------------------------- two entities */

/* How a key field's text begins. */
struct beginning {
    const char *text;
    size_t length;
    bool exact;                /* that is all of it */
    struct alphabet following; /* of the value after it, if known */
    bool is_text;
};

static bool begin_of(const struct entity_builder *entity, const char *name,
                     struct beginning *beginning)
{
    const struct mapping_field *field = entity_field(entity, name);
    memset(beginning, 0, sizeof *beginning);
    if (field == NULL || field->cast || field->has_default) {
        return false;
    }
    if (field->kind == FIELD_CONST && field->constant.kind == VALUE_TEXT) {
        *beginning = (struct beginning){.text = field->constant.text,
                                        .length = field->constant.length,
                                        .exact = true,
                                        .is_text = true};
        return true;
    }
    if (field->kind != FIELD_TEMPLATE || field->template.count == 0) {
        return false;
    }
    const struct template_part *part = &field->template.parts[0];
    beginning->text = part->literal;
    beginning->length = part->literal_length;
    beginning->exact = !part->has_value;
    beginning->is_text = true;
    if (part->has_value) {
        beginning->following = alphabet_of(entity, part->value);
    }
    return true;
}

/* The rest of `longer`, after all of `shorter`, can not come there. */
static bool excludes_rest(const struct beginning *shorter, const struct beginning *longer)
{
    if (shorter->exact) {
        return longer->length > shorter->length || (!longer->exact && longer->following.known);
    }
    return shorter->following.known && longer->length > shorter->length &&
           strchr(shorter->following.characters, longer->text[shorter->length]) == NULL;
}

static bool beginnings_differ(const struct beginning *left, const struct beginning *right)
{
    size_t common = left->length < right->length ? left->length : right->length;
    if (memcmp(left->text, right->text, common) != 0) {
        return true;
    }
    return left->length <= right->length
               ? excludes_rest(left, right) ||
                     (left->length == right->length && excludes_rest(right, left))
               : excludes_rest(right, left);
}

static bool entities_are_disjoint(const struct merging *merging, const struct entity_builder *left,
                                  const struct entity_builder *right)
{
    const struct table_builder *table = merging->table;
    for (uint32_t i = 0; i < table->target.key.count; i++) {
        struct beginning first;
        struct beginning second;
        if (!texts_merge(merging, table->target.key.names[i]) &&
            begin_of(left, table->target.key.names[i], &first) &&
            begin_of(right, table->target.key.names[i], &second) &&
            beginnings_differ(&first, &second)) {
            return true;
        }
    }
    return false;
}

static const char *prove_table(struct resolver *resolver, const struct table_builder *table,
                               bool rows)
{
    const struct merging merging = merging_of(resolver, table);
    for (uint32_t i = 0; i < table->entities.count; i++) {
        const struct entity_builder *entity = table->entities.items[i];
        const char *reason = prove_entity(resolver, table, entity, rows);
        for (uint32_t j = 0; j < i && reason == NULL; j++) {
            const struct entity_builder *other = table->entities.items[j];
            if (!entities_are_disjoint(&merging, other, entity)) {
                reason = resolve_format(resolver, "keys of '%s' and '%s' may be equal", other->name,
                                        entity->name);
            }
        }
        if (reason != NULL) {
            return reason;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- texts that the target takes for
 * equal */

/* Only such values have more than one spelling that a collation takes for equal. */
static bool is_of_letters(const struct schema_column *column)
{
    return column->type.dynamic || column->type.kind == VALUE_TEXT;
}

/* The source compares the column likewise. */
static bool is_loose_alike(const struct resolver *resolver, const struct schema_column *from,
                           const struct schema_column *to)
{
    return resolver->same_engine && from->loose != NULL &&
           is_same_word(from->collation, to->collation);
}

static bool may_spell(const struct resolver *resolver, const struct entity_builder *entity,
                      const struct mapping_field *field, const struct schema_column *to)
{
    bool may = field == NULL || field->kind > FIELD_TEMPLATE;
    if (field != NULL && field->kind == FIELD_TEMPLATE) {
        for (uint32_t i = 0; i < field->template.count && !may; i++) {
            const struct template_part *part = &field->template.parts[i];
            may = part->has_value && !alphabet_of(entity, part->value).known;
        }
    } else if (field != NULL && field->kind == FIELD_VALUE) {
        const struct schema_column *from = root_column(entity, field->value);
        bool number = field->value.origin == ORIGIN_PAGE || field->value.origin == ORIGIN_ORDINAL;
        may = from != NULL ? is_of_letters(from) && !is_loose_alike(resolver, from, to) : !number;
    }
    return may;
}

/* Sets target.apart; what the first of these columns takes for equal, or NULL. */
static const char *find_apart(struct resolver *resolver, const struct table_builder *table,
                              struct target_table *target)
{
    const struct column_list *key = &table->target.key;
    const char **names = resolve_allocate(resolver, key->count + (size_t)1, sizeof *names);
    const char *loose = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < key->count; i++) {
        const struct schema_column *to = there_column(resolver, table->name, key->names[i]);
        bool may = false;
        for (uint32_t j = 0; to != NULL && to->loose != NULL && j < table->entities.count; j++) {
            const struct entity_builder *entity = table->entities.items[j];
            may = may || may_spell(resolver, entity, entity_field(entity, key->names[i]), to);
        }
        if (may) {
            loose = loose != NULL ? loose : to->loose;
            names[count++] = key->names[i];
        }
    }
    target->apart = (struct column_list){names, count};
    return loose;
}

void keys_prove(struct resolver *resolver, const struct table_builder *table,
                struct plan_table *result)
{
    const char *loose = find_apart(resolver, table, &result->target);
    if (table->target.key.count == 0) {
        result->keys_proven = result->rows_apart = true;
        result->keys_reason = "the table has no key";
        return;
    }
    const char *reason = prove_table(resolver, table, false);
    result->keys_proven = reason == NULL;
    result->rows_apart = reason == NULL || prove_table(resolver, table, true) == NULL;
    result->keys_reason =
        reason != NULL ? reason : "each key holds a unique key of the row that it is made of";
    if (reason == NULL && loose != NULL) {
        result->keys_proven = false;
        result->keys_spelled = true;
        result->keys_reason = resolve_format(
            resolver, "the target's column %s takes for equal %s, which the source keeps apart",
            result->target.apart.names[0], loose);
    }
}

/* ---------------------------------------------------------------- what the source promises */

enum { PROMISE_BYTES_MIN = 256 << 10 }; /* below it nothing is gained by making a key later */

/* The column of the root that a field is, value for value, in a kind whose equality no database
 * takes for less than equal bytes; NULL: none. */
static const char *carried_column(const struct entity_builder *entity,
                                  const struct target_table *table, const char *name)
{
    const struct mapping_field *field = entity_field(entity, name);
    if (field == NULL || field->when != MAPPING_NONE || field->kind != FIELD_VALUE || field->cast ||
        field->has_default) {
        return NULL;
    }
    const struct schema_column *from = root_column(entity, field->value);
    const struct schema_column *to = NULL;
    for (uint32_t i = 0; i < table->column_count; i++) {
        to = strcmp(table->columns[i].name, name) == 0 ? &table->columns[i] : to;
    }
    if (from == NULL || to == NULL || from->type.kind != to->type.kind) {
        return NULL;
    }
    switch (from->type.kind) {
    case VALUE_INT64: /* whatever else a dynamic column holds is no number */
        return from->name;
    case VALUE_UINT64:
    case VALUE_UUID:
    case VALUE_DATE:
    case VALUE_BOOL:
    case VALUE_TEXT:
        return from->type.dynamic ? NULL : from->name;
    default:
        return NULL;
    }
}

static bool is_promised(const struct table_builder *table, struct column_list columns)
{
    struct recovered recovered = {0};
    const struct entity_builder *entity =
        table->entities.count == 1 ? table->entities.items[0] : NULL;
    if (entity == NULL || entity->from == NULL || entity->from->kind != SCHEMA_TABLE ||
        entity->is_pages || entity->unnests || entity->scope.documents ||
        entity->scope.unnest != NULL || table->target.distinct ||
        (entity->from->size_bytes >= 0 && entity->from->size_bytes < PROMISE_BYTES_MIN)) {
        return false;
    }
    for (uint32_t i = 0; i < columns.count && i < 64; i++) {
        const char *column = carried_column(entity, &table->target, columns.names[i]);
        if (column == NULL && table->target.same_engine == NULL) {
            return false;
        }
        recovered.columns[recovered.count++] = column != NULL ? column : columns.names[i];
    }
    /* a null in the key rejects the record, and in another index it is nobody's equal */
    return holds_unique_key(entity->from, &recovered, true);
}

void keys_find_promises(struct resolver *resolver, const struct table_builder *table,
                        struct target_table *target)
{
    struct target_index *indexes =
        resolve_allocate(resolver, target->index_count + (size_t)1, sizeof *indexes);
    target->key_promised = is_promised(table, target->key);
    for (uint32_t i = 0; i < target->index_count; i++) {
        indexes[i] = target->indexes[i];
        indexes[i].promised = indexes[i].unique && is_promised(table, indexes[i].columns);
    }
    if (target->index_count > 0) {
        target->indexes = indexes;
    }
}
