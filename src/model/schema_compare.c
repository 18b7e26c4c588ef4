/* Two schemas of one source, table by table and column by column. */
#include "model/schema_compare.h"
#include "model/labels.h"

#include <string.h>

/* ---------------------------------------------------------------- types */

static bool is_whole(const struct value_type *type)
{
    return type->kind == VALUE_INT64 || type->kind == VALUE_UINT64;
}

/* Decimal digits that a whole number of so many bits has at most, without its sign. */
static int32_t digits_of(const struct value_type *type)
{
    uint32_t bits = type->bits == 0 ? 64 : type->bits;
    return (int32_t)((bits * 30103u + 99999u) / 100000u);
}

static bool decimal_holds(const struct value_type *wide, const struct value_type *narrow)
{
    if (wide->precision == 0) {
        return true;
    }
    if (is_whole(narrow)) {
        return wide->precision - wide->scale >= digits_of(narrow) && wide->scale >= 0;
    }
    return narrow->kind == VALUE_DECIMAL && narrow->precision > 0 && wide->scale >= narrow->scale &&
           wide->precision - wide->scale >= narrow->precision - narrow->scale;
}

static bool whole_holds(const struct value_type *wide, const struct value_type *narrow)
{
    uint32_t room = wide->bits == 0 ? 64 : wide->bits;
    uint32_t needed = narrow->bits == 0 ? 64 : narrow->bits;
    if (wide->truth && !narrow->truth) {
        return false;
    }
    return wide->kind == narrow->kind  ? room >= needed
           : wide->kind == VALUE_INT64 ? room > needed
                                       : false;
}

static bool times_hold(const struct value_type *wide, const struct value_type *narrow)
{
    return wide->zoned == narrow->zoned && wide->utc == narrow->utc &&
           wide->length == narrow->length && wide->zero_days >= narrow->zero_days &&
           (wide->fraction == 0 || (narrow->fraction != 0 && wide->fraction >= narrow->fraction));
}

/* Blanks at the end do not count in such texts, so a value of one kind is not one of the other. */
static bool is_padded(const struct value_type *type)
{
    return type->native != NULL &&
           (strncmp(type->native, "char(", 5) == 0 ||
            strncmp(type->native, "character(", 10) == 0 ||
            strncmp(type->native, "bpchar", 6) == 0 || strncmp(type->native, "binary(", 7) == 0);
}

bool value_type_holds(const struct value_type *wide, const struct value_type *narrow)
{
    if (wide->epoch != narrow->epoch || (narrow->dynamic && !wide->dynamic)) {
        return false;
    }
    switch (wide->kind) {
    case VALUE_DECIMAL:
        return decimal_holds(wide, narrow) && (is_whole(narrow) || narrow->kind == VALUE_DECIMAL);
    case VALUE_INT64:
    case VALUE_UINT64:
        return is_whole(narrow) && whole_holds(wide, narrow);
    case VALUE_FLOAT64:
        return narrow->kind == VALUE_FLOAT32 || narrow->kind == VALUE_FLOAT64;
    case VALUE_TEXT:
    case VALUE_BYTES:
        return narrow->kind == wide->kind && narrow->layout == wide->layout &&
               is_padded(narrow) == is_padded(wide) && narrow->element == NULL &&
               wide->element == NULL &&
               (wide->precision == 0 ||
                (narrow->precision > 0 && wide->precision >= narrow->precision));
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
        return narrow->kind == wide->kind && times_hold(wide, narrow);
    default:
        return false;
    }
}

/* ---------------------------------------------------------------- columns */

/* Types that a database declares in the same words are the same, whatever a run learnt of their
 * values. */
static bool is_same_type(const struct value_type *kept, const struct value_type *now)
{
    if (kept->native != NULL && now->native != NULL) {
        return strcmp(kept->native, now->native) == 0;
    }
    return kept->native == now->native && kept->kind == now->kind;
}

static bool differ(const char *kept, const char *now)
{
    return kept != NULL && now != NULL && strcmp(kept, now) != 0;
}

/* A label of its type that has another name now is another value in all rows that hold it. */
static enum column_difference compare_labels(const struct schema_column *kept,
                                             const struct schema_column *now)
{
    const char *before = labels_of_stamp(kept->stamp);
    const char *labels = labels_of_stamp(now->stamp);
    return before == NULL || labels == NULL || strcmp(before, labels) == 0 ? COLUMN_SAME
           : labels_hold(labels, before, true)                             ? COLUMN_WIDER
                                                                           : COLUMN_REWRITTEN;
}

static enum column_difference compare_column(const struct table_change *table,
                                             const struct schema_column *kept,
                                             const struct schema_column *now, bool same_server)
{
    if (same_server && kept->number != 0 && now->number != 0 && kept->number != now->number) {
        return COLUMN_REPLACED;
    }
    if (kept->generated != now->generated) {
        return COLUMN_RETYPED;
    }
    if (!is_same_type(&kept->type, &now->type)) {
        return value_type_holds(&now->type, &kept->type) ? COLUMN_WIDER : COLUMN_RETYPED;
    }
    /* VACUUM FULL writes all rows anew, and SET NOT NULL defines a column anew: neither of them
     * changes a value */
    if (same_server && differ(kept->stamp, now->stamp) &&
        differ(table->kept->stamp, table->now->stamp)) {
        return COLUMN_REWRITTEN;
    }
    if (same_server && compare_labels(kept, now) != COLUMN_SAME) {
        return compare_labels(kept, now);
    }
    return kept->not_null && !now->not_null ? COLUMN_WIDER : COLUMN_SAME;
}

static uint32_t place_of(const struct schema_table *table, const struct schema_column *column)
{
    return column->place != 0 ? column->place : (uint32_t)(column - table->columns) + 1;
}

/* Where columns have no numbers, such that changed places may have changed names instead. Those of
 * the key can't have without making it another key. */
static bool may_be_renamed(const struct table_change *table, const struct schema_column *kept,
                           const struct schema_column *now)
{
    struct column_list key = schema_row_key(table->kept);
    bool may = false;
    if (kept->number != 0 || column_list_holds(key, kept->name)) {
        return false;
    }
    for (uint32_t i = 0; i < table->kept->column_count && !may; i++) {
        const struct schema_column *other = &table->kept->columns[i];
        const struct schema_column *there = schema_column_named(table->now, other->name);
        may = there != NULL && !column_list_holds(key, other->name) &&
              place_of(table->kept, other) < place_of(table->kept, kept) &&
              place_of(table->now, there) > place_of(table->now, now);
    }
    return may;
}

static void compare_columns(struct table_change *table, bool same_server, struct arena *arena)
{
    table->columns = arena_allocate_zeroed(
        arena, (size_t)table->kept->column_count + table->now->column_count + 1,
        sizeof *table->columns);
    for (uint32_t i = 0; i < table->kept->column_count; i++) {
        const struct schema_column *kept = &table->kept->columns[i];
        const struct schema_column *now = schema_column_named(table->now, kept->name);
        enum column_difference difference =
            now == NULL ? COLUMN_GONE : compare_column(table, kept, now, same_server);
        if (difference == COLUMN_SAME && same_server && may_be_renamed(table, kept, now)) {
            difference = COLUMN_REPLACED;
        }
        if (difference != COLUMN_SAME) {
            table->columns[table->column_count++] =
                (struct column_change){difference, kept->name, kept, now};
        }
    }
    for (uint32_t i = 0; i < table->now->column_count; i++) {
        const struct schema_column *now = &table->now->columns[i];
        if (schema_column_named(table->kept, now->name) == NULL) {
            table->columns[table->column_count++] =
                (struct column_change){COLUMN_NEW, now->name, NULL, now};
        }
    }
}

/* ---------------------------------------------------------------- constraints */

static bool has_index(const struct schema_table *table, const struct schema_index *index)
{
    bool has = false;
    for (uint32_t i = 0; i < table->index_count && !has; i++) {
        has = table->indexes[i].unique == index->unique &&
              table->indexes[i].partial == index->partial &&
              column_list_is_equal(table->indexes[i].columns, index->columns);
    }
    return has;
}

static bool has_foreign_key(const struct schema_table *table, const struct schema_foreign_key *key)
{
    bool has = false;
    for (uint32_t i = 0; i < table->foreign_key_count && !has; i++) {
        const struct schema_foreign_key *other = &table->foreign_keys[i];
        has = strcmp(other->references, key->references) == 0 &&
              column_list_is_equal(other->columns, key->columns) &&
              column_list_is_equal(other->referenced_columns, key->referenced_columns);
    }
    return has;
}

static bool has_all(const struct schema_table *table, const struct schema_table *of)
{
    bool all = true;
    for (uint32_t i = 0; i < of->index_count && all; i++) {
        all = has_index(table, &of->indexes[i]);
    }
    for (uint32_t i = 0; i < of->foreign_key_count && all; i++) {
        all = has_foreign_key(table, &of->foreign_keys[i]);
    }
    return all;
}

static bool takes_null_no_more(const struct schema_table *kept, const struct schema_table *now)
{
    bool found = false;
    for (uint32_t i = 0; i < kept->column_count && !found; i++) {
        const struct schema_column *column = schema_column_named(now, kept->columns[i].name);
        found = column != NULL && column->not_null && !kept->columns[i].not_null;
    }
    return found;
}

static void compare_table(struct table_change *table, bool same_server, struct arena *arena)
{
    bool same = same_server && differ(table->kept->mark, table->now->mark) ? false : true;
    table->difference =
        !same ? TABLE_REPLACED
        : column_list_is_equal(schema_row_key(table->kept), schema_row_key(table->now))
            ? TABLE_SAME
            : TABLE_REKEYED;
    compare_columns(table, same_server && same, arena); /* of another table no column is the same */
    table->constrained = table->kept->index_count != table->now->index_count ||
                         table->kept->foreign_key_count != table->now->foreign_key_count ||
                         !has_all(table->now, table->kept) || !has_all(table->kept, table->now) ||
                         takes_null_no_more(table->kept, table->now);
}

static const struct schema_table *next_table(const struct schema *schema, uint32_t *at)
{
    while (*at < schema->table_count && schema->tables[*at].kind != SCHEMA_TABLE) {
        (*at)++;
    }
    return *at < schema->table_count ? &schema->tables[*at] : NULL;
}

/* Both lists are by name. */
void schema_compare(const struct schema *kept, const struct schema *now, bool same_server,
                    struct arena *arena, struct schema_changes *changes)
{
    uint32_t left = 0;
    uint32_t right = 0;
    changes->tables = arena_allocate_zeroed(arena, (size_t)kept->table_count + now->table_count + 1,
                                            sizeof *changes->tables);
    changes->table_count = 0;
    for (;;) {
        struct table_change table = {.kept = next_table(kept, &left),
                                     .now = next_table(now, &right)};
        if (table.kept == NULL && table.now == NULL) {
            return;
        }
        int order = table.kept == NULL  ? 1
                    : table.now == NULL ? -1
                                        : strcmp(table.kept->name, table.now->name);
        table.name = order <= 0 ? table.kept->name : table.now->name;
        left += order <= 0;
        right += order >= 0;
        if (order == 0) {
            compare_table(&table, same_server, arena);
        } else {
            table.difference = order < 0 ? TABLE_GONE : TABLE_NEW;
            table.kept = order < 0 ? table.kept : NULL;
            table.now = order > 0 ? table.now : NULL;
        }
        if (table.difference != TABLE_SAME || table.column_count > 0 || table.constrained) {
            changes->tables[changes->table_count++] = table;
        }
    }
}

/* ---------------------------------------------------------------- in words */

static const char *type_of(const struct schema_column *column)
{
    return column->type.native != NULL && column->type.native[0] != '\0'
               ? column->type.native
               : value_kind_name(column->type.kind);
}

void column_change_append(const struct column_change *change, struct buffer *out)
{
    switch (change->difference) {
    case COLUMN_SAME:
        buffer_format(out, "has the column %s as it was", change->name);
        break;
    case COLUMN_WIDER:
    case COLUMN_RETYPED:
        if (is_same_type(&change->kept->type, &change->now->type)) {
            buffer_format(out,
                          compare_labels(change->kept, change->now) != COLUMN_SAME
                              ? "has the column %s, whose type has more labels by now"
                          : change->difference == COLUMN_WIDER
                              ? "has the column %s, which may be NULL by now"
                              : "has the column %s, which is computed in another way",
                          change->name);
        } else {
            buffer_format(out, "has the column %s as %s, which was %s", change->name,
                          type_of(change->now), type_of(change->kept));
        }
        break;
    case COLUMN_REWRITTEN:
        buffer_format(out, "has other values in the column %s, which was rewritten", change->name);
        break;
    case COLUMN_REPLACED:
        buffer_format(out, "has another column %s, since the former one was dropped", change->name);
        break;
    case COLUMN_GONE:
        buffer_format(out, "has the column %s no more", change->name);
        break;
    case COLUMN_NEW:
        buffer_format(out, "has the new column %s", change->name);
        break;
    }
}

void table_change_append(const struct table_change *change, struct buffer *out)
{
    static const char *const words[] = {
        [TABLE_SAME] = NULL,
        [TABLE_REKEYED] = "has another key",
        [TABLE_REPLACED] = "is another table of the name, since the former one was dropped",
        [TABLE_GONE] = "was dropped or renamed",
        [TABLE_NEW] = "is new"};
    buffer_append_string(out, change->name);
    buffer_append_byte(out, ' ');
    if (words[change->difference] != NULL) {
        buffer_append_string(out, words[change->difference]);
        return;
    }
    for (uint32_t i = 0; i < change->column_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        column_change_append(&change->columns[i], out);
    }
    if (change->constrained && change->column_count == 0) {
        buffer_append_string(out, "has other constraints or indexes");
    }
}
