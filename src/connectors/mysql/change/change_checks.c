/*
 * Checks before a table is copied beside its writers, so that no later step finds out
 * that it cannot succeed: names that are taken, foreign keys that the new form could not have, and
 * the query by which it is seen right before the switch that nobody altered the table meanwhile.
 */
#include "connectors/mysql/change/change.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- names */

enum status mysql_change_check_names(struct mysql_change_plan *plan,
                                     const struct mysql_change_set *set, const char *const *names,
                                     uint32_t count, struct error *error)
{
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    mysql_append(&sql,
                 "SELECT table_name FROM information_schema.tables WHERE table_schema = %q AND "
                 "table_name IN (",
                 plan->session->database->sql.schema);
    for (uint32_t i = 0; i < count; i++) {
        mysql_append(&sql, "%s%q", i > 0 ? ", " : "", names[i]);
    }
    buffer_append_string(&sql, ") LIMIT 1");
    if (mysql_change_query(&plan->session->base, &sql, plan->arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (rows.count > 0) {
        mysql_change_refuse(set, error, "there is a table %s already, whose name the change needs",
                            rows.cells[0][0]);
        return error_hint(error, "look what it holds, and drop or rename it");
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- foreign keys */

/* May a foreign key between columns of these types stay one? Texts may have other lengths. */
static bool is_same_link_type(const struct mysql_change_column *before,
                              const struct mysql_change_column *after)
{
    size_t length = strlen(before->data_type);
    if (strcmp(before->data_type, after->data_type) != 0) {
        return false;
    }
    if (before->collation != NULL || after->collation != NULL) {
        return before->collation != NULL && after->collation != NULL &&
               strcmp(before->collation, after->collation) == 0;
    }
    if (length >= 3 && strcmp(before->data_type + length - 3, "int") == 0) {
        return (strstr(before->type, "unsigned") == NULL) ==
               (strstr(after->type, "unsigned") == NULL);
    }
    return strcmp(before->type, after->type) == 0;
}

static bool is_renamed(const struct mysql_change_set *set, const char *name)
{
    for (uint32_t i = 0; i < set->value_count; i++) {
        const struct mysql_change_value *value = &set->values[i];
        bool was = value->old != NULL && strcasecmp(value->old, name) == 0;
        bool is = value->column != NULL && strcasecmp(value->column, name) == 0;
        if (was != is) {
            return true;
        }
    }
    return false;
}

static bool stays(const struct mysql_change_set *set, const struct mysql_change_table *table,
                  const struct mysql_change_table *after, const char *name)
{
    const struct mysql_change_column *before = mysql_change_column_of(table, name);
    const struct mysql_change_column *then = mysql_change_column_of(after, name);
    return before != NULL && then != NULL && !is_renamed(set, name) &&
           is_same_link_type(before, then);
}

/* Does an index of the new form begin with the columns that rows `first` and behind have? */
static bool has_index(const struct mysql_change_table *after, const struct sql_shadow_rows *rows,
                      uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < after->key_count; i++) {
        const struct mysql_change_key *key = &after->keys[i];
        uint32_t same = 0;
        while (same < count && same < key->count &&
               strcasecmp(key->columns[same], rows->cells[first + same][4]) == 0) {
            same++;
        }
        if (same == count) {
            return true;
        }
    }
    return false;
}

static enum status refuse_link(const struct mysql_change_set *set, const char **row,
                               const char *column, struct error *error)
{
    mysql_change_refuse(set, error,
                        "the table has to be copied, and the column %s that the foreign key %s of "
                        "%s needs would have another name, type or no index: the new table could "
                        "not have that foreign key",
                        column, row[0], row[1]);
    return error_hint(error, "drop the foreign key with drop_constraint in a change of its own, "
                             "change the columns on both sides, and create it again");
}

enum status mysql_change_check_references(struct mysql_change_plan *plan,
                                          const struct mysql_change_set *set,
                                          const struct mysql_change_table *table,
                                          const struct mysql_change_table *after,
                                          struct error *error)
{
    const char *schema = plan->session->database->sql.schema;
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    mysql_append(&sql,
                 "SELECT constraint_name, table_name, column_name, referenced_table_name, "
                 "referenced_column_name FROM information_schema.key_column_usage WHERE "
                 "table_schema = %q AND referenced_table_name IS NOT NULL AND (table_name = %q OR "
                 "(referenced_table_schema = %q AND referenced_table_name = %q)) ORDER BY "
                 "table_name, constraint_name, ordinal_position",
                 schema, table->name, schema, table->name);
    if (mysql_change_query(&plan->session->base, &sql, plan->arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0, first = 0; i < rows.count; i++) {
        const char **row = rows.cells[i];
        bool own = strcasecmp(row[1], table->name) == 0;
        bool refers = strcasecmp(row[3], table->name) == 0;
        if (own && mysql_change_is_unlinked(set, row[0])) {
            continue;
        }
        if (own && !stays(set, table, after, row[2])) {
            return refuse_link(set, row, row[2], error);
        }
        if (refers && !stays(set, table, after, row[4])) {
            return refuse_link(set, row, row[4], error);
        }
        first = i > 0 && strcmp(rows.cells[i - 1][0], row[0]) == 0 &&
                        strcmp(rows.cells[i - 1][1], row[1]) == 0
                    ? first
                    : i;
        bool last = i + 1 == rows.count || strcmp(rows.cells[i + 1][0], row[0]) != 0 ||
                    strcmp(rows.cells[i + 1][1], row[1]) != 0;
        if (refers && last && !has_index(after, &rows, first, i + 1 - first)) {
            return refuse_link(set, row, row[4], error);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the form, once more */

/* Triggers but for those of these names, and all that refers to the table or that it refers to. */
static void append_beside(struct buffer *sql, const char *schema, const char *table,
                          const char *const *triggers, uint32_t count)
{
    mysql_append(sql,
                 "(SELECT count(*) FROM information_schema.triggers WHERE event_object_schema = %q "
                 "AND event_object_table = %q AND trigger_name NOT IN (",
                 schema, table);
    for (uint32_t i = 0; i < count; i++) {
        mysql_append(sql, "%s%q", i > 0 ? ", " : "", triggers[i]);
    }
    mysql_append(sql,
                 ")), (SELECT coalesce(BIT_XOR(CAST(CONV(LEFT(SHA2(CONCAT_WS('|', "
                 "constraint_schema, table_name, constraint_name, referenced_table_name, "
                 "update_rule, delete_rule), 256), 15), 16, 10) AS UNSIGNED)), 0) FROM "
                 "information_schema.referential_constraints WHERE (constraint_schema = %q AND "
                 "table_name = %q) OR (unique_constraint_schema = %q AND referenced_table_name = "
                 "%q)), (SELECT coalesce(BIT_XOR(CAST(CONV(LEFT(SHA2(CONCAT_WS('|', "
                 "constraint_name, constraint_type), 256), 15), 16, 10) AS UNSIGNED)), 0) FROM "
                 "information_schema.table_constraints WHERE table_schema = %q AND table_name = "
                 "%q)",
                 schema, table, schema, table, schema, table);
}

static enum status ask_form(struct mysql_change_plan *plan, const char *expression,
                            const char **form, struct error *error)
{
    struct sql_shadow_rows rows;
    if (mysql_change_query(&plan->session->base, mysql_sql("SELECT %s", expression), plan->arena,
                           &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *form = rows.count > 0 && rows.cells[0][0] != NULL ? rows.cells[0][0] : "";
    return STATUS_OK;
}

enum status mysql_change_watch_form(struct mysql_change_plan *plan, const char *table,
                                    const char *settings, const char *const *triggers,
                                    uint32_t count, const char **query, struct error *error)
{
    const char *schema = plan->session->database->sql.schema;
    const char *form = NULL;
    struct buffer sql = {0};
    struct buffer set = {0};
    struct error ignored = {0};
    uint64_t changed;
    buffer_append_string(&sql, "CONCAT_WS(' ', ");
    mysql_change_append_form(&sql, schema, table);
    buffer_append_string(&sql, ", ");
    append_beside(&sql, schema, table, triggers, count);
    buffer_append_byte(&sql, ')');
    const char *expression = mysql_change_text(plan, &sql);
    buffer_append_string(&set, settings); /* defaults are shown in the session's time zone */
    enum status status = mysql_change_run(&plan->session->base, &set, &changed, error);
    status = status == STATUS_OK ? ask_form(plan, expression, &form, error) : status;
    if (status == STATUS_OK) {
        status = mysql_alter_put_back(plan->session, error);
        buffer_append_string(&set, "SET " MYSQL_CHANGE_COPIES " = NULL");
        status = status == STATUS_OK ? mysql_change_run(&plan->session->base, &set, &changed, error)
                                     : status;
        buffer_free(&set);
    } else if (mysql_is_alive(plan->session->connection)) {
        (void)!mysql_alter_put_back(plan->session, &ignored);
    }
    if (status == STATUS_OK) {
        mysql_append(&sql, "SELECT %s = %q", expression, form);
        *query = mysql_change_text(plan, &sql);
    }
    return status;
}
