/* Faults of a plan's table, against what is in the target already: a line for each. */
#include "connectors/sql/check.h"
#include "base/text.h"
#include <string.h>

const char *sql_show_name(const char *name, char shown[SQL_SHOWN_BYTES])
{
    text_printable(name, strlen(name), shown, SQL_SHOWN_BYTES);
    return shown;
}

/* ---------------------------------------------------------------- columns */

bool sql_is_wrong_query(const struct error *problem)
{
    return problem->code == ERROR_PLAN_INVALID || strncmp(problem->native_state, "42", 2) == 0;
}

void sql_name_query(const char *name, struct error *error)
{
    if (strcmp(error->object, name) != 0) {
        error_context(error, "%s: ", name);
    }
}

bool sql_has_column(const struct target_table *table, const char *name,
                    int (*compare_names)(const char *, const char *))
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (compare_names(table->columns[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool sql_shape_has(const struct shape *shape, const char *name,
                   int (*compare_names)(const char *, const char *))
{
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (compare_names(shape->fields[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

const struct schema_column *sql_find_column(const struct schema_table *present, const char *name,
                                            int (*compare_names)(const char *, const char *))
{
    for (uint32_t i = 0; i < present->column_count; i++) {
        if (compare_names(present->columns[i].name, name) == 0) {
            return &present->columns[i];
        }
    }
    return NULL;
}

void sql_check_key_columns(const struct target_table *table,
                           int (*compare_names)(const char *, const char *), struct buffer *out)
{
    char shown[SQL_SHOWN_BYTES];
    for (uint32_t i = 0; i < table->key.count && table->column_count > 0; i++) {
        if (!sql_has_column(table, table->key.names[i], compare_names)) {
            buffer_format(out, "the key column %s is not among the columns\n",
                          sql_show_name(table->key.names[i], shown));
        }
    }
}

void sql_check_generated(const struct target_table *table, const char *field,
                         int (*compare_names)(const char *, const char *), struct buffer *out)
{
    char shown[SQL_SHOWN_BYTES];
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].derived && compare_names(table->columns[i].name, field) == 0) {
            return;
        }
    }
    sql_show_name(field, shown);
    buffer_format(out,
                  "the column %s in the target is generated there, and takes no values: leave it "
                  "out in the plan (%s: { drop: true }), or make it a plain column\n",
                  shown, shown);
}

void sql_tell_no_column(const struct check_request *request, uint32_t shape, uint32_t field,
                        struct buffer *out)
{
    char shown[SQL_SHOWN_BYTES];
    const char *line = request->leaving_out != NULL ? request->leaving_out[shape][field] : NULL;
    buffer_format(out, "the table in the target has no column %s%s%s\n",
                  sql_show_name(request->shapes[shape]->fields[field].name, shown),
                  line != NULL ? "; a plan can leave it out: " : "", line != NULL ? line : "");
}

void sql_check_shape(const struct check_request *request, uint32_t number,
                     const struct schema_table *present,
                     int (*compare_names)(const char *, const char *), struct buffer *out)
{
    char shown[SQL_SHOWN_BYTES];
    const struct shape *shape = request->shapes[number];
    for (uint32_t i = 0; i < shape->field_count; i++) {
        const char *field = shape->fields[i].name;
        const struct schema_column *column = sql_find_column(present, field, compare_names);
        if (column == NULL) {
            sql_tell_no_column(request, number, i, out);
        } else if (column->generated != GENERATED_NO) {
            sql_check_generated(request->table, field, compare_names, out);
        }
    }
    for (uint32_t i = 0; i < present->column_count; i++) {
        const struct schema_column *column = &present->columns[i];
        bool fills_itself =
            column->default_text != NULL || column->identity || column->generated != GENERATED_NO;
        if (column->not_null && !fills_itself &&
            !sql_shape_has(shape, column->name, compare_names)) {
            buffer_format(out,
                          "the column %s in the target is NOT NULL, has no default, and the plan "
                          "does not fill it\n",
                          sql_show_name(column->name, shown));
        }
    }
}

/* ---------------------------------------------------------------- the key */

static bool are_same(struct column_list left, struct column_list right,
                     int (*compare_names)(const char *, const char *))
{
    for (uint32_t i = 0; i < left.count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < right.count; j++) {
            found = found || compare_names(left.names[i], right.names[j]) == 0;
        }
        if (!found) {
            return false;
        }
    }
    return left.count == right.count && left.count > 0;
}

bool sql_has_key(const struct schema_table *present, struct column_list key,
                 int (*compare_names)(const char *, const char *))
{
    bool found = are_same(key, present->primary_key, compare_names);
    for (uint32_t i = 0; !found && i < present->index_count; i++) {
        const struct schema_index *index = &present->indexes[i];
        found = index->unique && !index->partial && are_same(key, index->columns, compare_names);
    }
    return found;
}

void sql_check_key(const struct target_table *table, const struct schema_table *present,
                   int (*compare_names)(const char *, const char *), const char *kinds,
                   struct buffer *out)
{
    if (table->existing == EXISTING_REFUSE || table->existing == EXISTING_APPEND) {
        return;
    }
    if (table->key.count == 0) {
        buffer_append_string(out, "upsert, replace and skip need a key in the plan\n");
    } else if (present != NULL && !sql_has_key(present, table->key, compare_names)) {
        buffer_format(out,
                      "the table in the target has no %s over the plan's key, which upsert, "
                      "replace and skip need\n",
                      kinds);
    }
}
