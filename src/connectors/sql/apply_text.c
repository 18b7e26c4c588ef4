/* The texts of the statements that a change takes (apply_statement.h). */
#include "connectors/sql/apply_statement.h"
#include <string.h>

struct writing {
    const struct apply *apply;
    const struct sql_apply_shape *shape;
    const uint64_t *present;
    struct buffer sql;
    size_t conflict_at;       /* of a PUT: where the values end */
    struct buffer parameters; /* struct sql_apply_parameter */
};

static bool is_written(const struct writing *writing, uint32_t field)
{
    return writing->shape->columns[field] >= 0 &&
           (writing->present[field / 64] >> (field % 64) & 1) != 0;
}

/* May a record that is there get another value in the field's column? */
static bool is_set(const struct writing *writing, uint32_t field)
{
    const struct sql_apply_shape *shape = writing->shape;
    return is_written(writing, field) && !shape->table.columns[shape->columns[field]].fixed;
}

static bool is_key(const struct writing *writing, uint32_t column)
{
    const struct sql_apply_shape *shape = writing->shape;
    for (uint32_t part = 0; part < shape->table.plan->key.count; part++) {
        if (shape->columns[shape->key_fields[part]] == (int32_t)column) {
            return true;
        }
    }
    return false;
}

static void append_name(struct writing *writing, int32_t column)
{
    writing->apply->database->dialect->quoting->append_name(
        &writing->sql, writing->shape->table.columns[column].name);
}

static void append_table(struct writing *writing)
{
    writing->apply->database->dialect->quoting->append_table(
        &writing->sql, writing->apply->database, writing->shape->table.name);
}

/* The number that it has already, if the statement names it twice. */
static uint32_t add_parameter(struct writing *writing, int32_t column, bool of_key, uint32_t at)
{
    const struct sql_apply_parameter added = {(uint32_t)column, of_key, at};
    const struct sql_apply_parameter *known = (const void *)writing->parameters.data;
    uint32_t count = (uint32_t)(writing->parameters.length / sizeof added);
    uint32_t number = 0;
    while (number < count && (known[number].of_key != of_key || known[number].at != at)) {
        number++;
    }
    if (number == count) {
        buffer_append(&writing->parameters, &added, sizeof added);
    }
    return number;
}

static void append_parameter(struct writing *writing, int32_t column, bool of_key, uint32_t at)
{
    uint32_t number = add_parameter(writing, column, of_key, at);
    writing->apply->dialect->append_parameter(&writing->shape->table, (uint32_t)column, number,
                                              &writing->sql);
}

/* Does the target take values of this column for equal that the source keeps apart? */
static bool is_apart(const struct writing *writing, int32_t column)
{
    const struct sql_apply_table *table = &writing->shape->table;
    bool apart = false;
    for (uint32_t i = 0; i < table->plan->apart.count && !apart; i++) {
        apart = writing->apply->database->dialect->compare_names(table->columns[column].name,
                                                                 table->plan->apart.names[i]) == 0;
    }
    return apart;
}

/* "ALIAS.k" */
static void append_column_of(const struct writing *writing, const char *alias, int32_t column,
                             struct buffer *out)
{
    buffer_append_string(out, alias);
    writing->apply->database->dialect->quoting->append_name(
        out, writing->shape->table.columns[column].name);
}

/* " AND ALIAS.k has the bytes of the parameter" */
static void append_bytes(struct writing *writing, const char *alias, int32_t column, bool of_key,
                         uint32_t at)
{
    struct buffer name = {0};
    append_column_of(writing, alias, column, &name);
    buffer_append_string(&writing->sql, " AND ");
    writing->apply->dialect->append_is(&writing->shape->table, (uint32_t)column,
                                       buffer_string(&name),
                                       add_parameter(writing, column, of_key, at), &writing->sql);
    buffer_free(&name);
}

/* "ALIAS.k = PARAMETER" */
static void append_found(struct writing *writing, const char *alias, int32_t column, bool of_key,
                         uint32_t at)
{
    struct buffer name = {0};
    append_column_of(writing, alias, column, &name);
    if (writing->apply->dialect->append_equal != NULL) {
        uint32_t number = add_parameter(writing, column, of_key, at);
        writing->apply->dialect->append_equal(&writing->shape->table, (uint32_t)column,
                                              buffer_string(&name), number, &writing->sql);
    } else {
        buffer_append_buffer(&writing->sql, &name);
        buffer_append_string(&writing->sql, " = ");
        append_parameter(writing, column, of_key, at);
    }
    buffer_free(&name);
}

/* "ALIAS.k = PARAMETER AND …": the parts of `key`, or of the key of `after`. */
static void append_match(struct writing *writing, const char *alias, bool old)
{
    const struct sql_apply_shape *shape = writing->shape;
    for (uint32_t part = 0; part < shape->table.plan->key.count; part++) {
        uint32_t field = (uint32_t)shape->key_fields[part];
        bool of_key = old || !is_written(writing, field);
        buffer_append_string(&writing->sql, part == 0 ? "" : " AND ");
        append_found(writing, alias, shape->columns[field], of_key, of_key ? part : field);
        if (is_apart(writing, shape->columns[field])) {
            append_bytes(writing, alias, shape->columns[field], of_key, of_key ? part : field);
        }
    }
}

static bool is_of_whole(const struct writing *writing)
{
    return writing->shape->table.plan->key.count == 0;
}

/* "c1 IS … AND c2 IS …" of all fields of the record that was. */
static void append_equal(struct writing *writing)
{
    const struct sql_apply_shape *shape = writing->shape;
    struct buffer name = {0};
    const char *separator = "";
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (shape->columns[i] < 0) {
            continue;
        }
        const struct sql_apply_parameter added = {(uint32_t)shape->columns[i], true, i};
        uint32_t number = (uint32_t)(writing->parameters.length / sizeof added);
        buffer_append(&writing->parameters, &added, sizeof added);
        buffer_clear(&name);
        writing->apply->database->dialect->quoting->append_name(
            &name, shape->table.columns[shape->columns[i]].name);
        buffer_append_string(&writing->sql, separator);
        writing->apply->dialect->append_is(&shape->table, added.column, buffer_string(&name),
                                           number, &writing->sql);
        separator = " AND ";
    }
    buffer_free(&name);
}

/* " WHERE …": one of the rows that are the record that was. */
static void append_one(struct writing *writing)
{
    const char *row = writing->shape->table.row_name;
    buffer_append_string(&writing->sql, " WHERE ");
    if (row == NULL) {
        append_equal(writing);
        buffer_append_string(&writing->sql, " LIMIT 1");
        return;
    }
    buffer_format(&writing->sql, "(%s) = (SELECT %s FROM ", row, row);
    append_table(writing);
    buffer_append_string(&writing->sql, " WHERE ");
    append_equal(writing);
    buffer_append_string(&writing->sql, " LIMIT 1)");
}

/* The value that an INSERT could not put. */
static void append_offered(struct writing *writing, int32_t column)
{
    bool duplicate = writing->apply->dialect->on_duplicate_key;
    buffer_append_string(&writing->sql, duplicate ? "VALUES(" : "excluded.");
    append_name(writing, column);
    buffer_append_string(&writing->sql, duplicate ? ")" : "");
}

/* The value of the record that is there. */
static void append_present(struct writing *writing, int32_t column)
{
    if (!writing->apply->dialect->on_duplicate_key) {
        append_table(writing);
        buffer_append_byte(&writing->sql, '.');
    }
    append_name(writing, column);
}

/* … = that which was offered, byte by byte where their column is apart. */
static void append_same(struct writing *writing, int32_t column)
{
    struct buffer sql = writing->sql;
    struct buffer left = {0};
    writing->sql = (struct buffer){0};
    append_present(writing, column);
    left = writing->sql;
    writing->sql = (struct buffer){0};
    append_offered(writing, column);
    struct buffer right = writing->sql;
    writing->sql = sql;
    writing->apply->dialect->append_same(&writing->shape->table, (uint32_t)column,
                                         buffer_string(&left), buffer_string(&right),
                                         &writing->sql);
    buffer_free(&left);
    buffer_free(&right);
}

/* "k = CASE WHEN it is the record's own key THEN k ELSE an error END" */
static void append_checked_key(struct writing *writing)
{
    const struct sql_apply_shape *shape = writing->shape;
    const char *separator = " = CASE WHEN ";
    int32_t first = -1;
    for (uint32_t part = 0; part < shape->table.plan->key.count; part++) {
        int32_t column = shape->columns[shape->key_fields[part]];
        if (!is_apart(writing, column)) {
            continue;
        }
        if (first < 0) {
            first = column;
            append_name(writing, column);
        }
        buffer_append_string(&writing->sql, separator);
        append_same(writing, column);
        separator = " AND ";
    }
    buffer_append_string(&writing->sql, " THEN ");
    append_present(writing, first);
    buffer_format(&writing->sql, " ELSE %s END", writing->apply->dialect->no_key);
}

static void append_excluded(struct writing *writing, const char *separator, int32_t column)
{
    buffer_append_string(&writing->sql, separator);
    append_name(writing, column);
    buffer_append_string(&writing->sql, " = ");
    append_offered(writing, column);
}

/* ") ON DUPLICATE KEY UPDATE k = IF(k = VALUES(k), k, an error)" */
static void append_own_key(struct writing *writing)
{
    const struct sql_apply_shape *shape = writing->shape;
    int32_t first = shape->columns[shape->key_fields[0]];
    buffer_append_string(&writing->sql, ") ON DUPLICATE KEY UPDATE ");
    append_name(writing, first);
    for (uint32_t part = 0; part < shape->table.plan->key.count; part++) {
        int32_t column = shape->columns[shape->key_fields[part]];
        buffer_append_string(&writing->sql, part == 0 ? " = IF(" : " AND ");
        append_name(writing, column);
        buffer_append_string(&writing->sql, " = ");
        append_offered(writing, column);
        if (is_apart(writing, column)) {
            buffer_append_string(&writing->sql, " AND ");
            append_same(writing, column);
        }
    }
    buffer_append_string(&writing->sql, ", ");
    append_name(writing, first);
    buffer_format(&writing->sql, ", %s)", writing->apply->dialect->no_key);
}

/* Columns of other entities of the table: a record is of one. */
static void append_cleared(struct writing *writing, const char **separator)
{
    const struct sql_apply_table *table = &writing->shape->table;
    for (uint32_t column = 0; column < table->column_count; column++) {
        bool filled = table->columns[column].made;
        for (uint32_t i = 0; i < writing->shape->field_count; i++) {
            filled |= writing->shape->columns[i] == (int32_t)column;
        }
        if (!filled && target_table_clears(table->plan, table->columns[column].name,
                                           writing->apply->database->dialect->compare_names)) {
            buffer_append_string(&writing->sql, *separator);
            append_name(writing, (int32_t)column);
            buffer_append_string(&writing->sql, " = NULL");
            *separator = ", ";
        }
    }
}

/* The record that is there stays as it is. */
static void append_no_conflict(struct writing *writing)
{
    if (writing->apply->dialect->on_duplicate_key) {
        append_own_key(writing);
        return;
    }
    buffer_append_string(&writing->sql, ") ON CONFLICT (");
    sql_append_names(&writing->sql, writing->apply->database->dialect->quoting, NULL,
                     writing->shape->table.plan->key);
    if (writing->shape->table.plan->apart.count == 0) {
        buffer_append_string(&writing->sql, ") DO NOTHING");
        return;
    }
    buffer_append_string(&writing->sql, ") DO UPDATE SET ");
    append_checked_key(writing);
}

static void append_conflict(struct writing *writing)
{
    const struct sql_apply_shape *shape = writing->shape;
    bool duplicate = writing->apply->dialect->on_duplicate_key;
    const char *separator = duplicate ? ", " : ") DO UPDATE SET ";
    if (duplicate) {
        append_own_key(writing);
    } else {
        buffer_append_string(&writing->sql, ") ON CONFLICT (");
        sql_append_names(&writing->sql, writing->apply->database->dialect->quoting, NULL,
                         shape->table.plan->key);
    }
    if (!duplicate && shape->table.plan->apart.count > 0) {
        buffer_append_string(&writing->sql, separator);
        append_checked_key(writing);
        separator = ", ";
    }
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (is_set(writing, i) && !is_key(writing, (uint32_t)shape->columns[i])) {
            append_excluded(writing, separator, shape->columns[i]);
            separator = ", ";
        }
    }
    append_cleared(writing, &separator);
    int32_t first = shape->columns[shape->key_fields[0]];
    if (separator[0] == ')' && shape->table.columns[first].fixed) {
        buffer_append_string(&writing->sql, ") DO NOTHING");
    } else if (separator[0] == ')') {
        append_excluded(writing, separator, first);
    }
}

static void append_put(struct writing *writing, bool replaces)
{
    const struct sql_apply_shape *shape = writing->shape;
    buffer_append_string(&writing->sql, writing->apply->dialect->insert);
    append_table(writing);
    const char *separator = " (";
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (is_written(writing, i)) {
            buffer_append_string(&writing->sql, separator);
            append_name(writing, shape->columns[i]);
            separator = ", ";
        }
    }
    buffer_format(&writing->sql, ")%s", writing->apply->dialect->between);
    separator = "(";
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (is_written(writing, i)) {
            buffer_append_string(&writing->sql, separator);
            append_parameter(writing, shape->columns[i], false, i);
            separator = ", ";
        }
    }
    writing->conflict_at = writing->sql.length;
    if (is_of_whole(writing)) {
        buffer_append_byte(&writing->sql, ')');
    } else if (replaces) {
        append_conflict(writing);
    } else {
        append_no_conflict(writing);
    }
}

/* " SET c = c", which only tells whether the record is there. False: no column may be set. */
static bool append_no_change(struct writing *writing)
{
    const struct sql_apply_table *table = &writing->shape->table;
    uint32_t column = 0;
    while (column < table->column_count &&
           (table->columns[column].made || table->columns[column].fixed)) {
        column++;
    }
    if (column < table->column_count) {
        buffer_append_string(&writing->sql, " SET ");
        append_name(writing, (int32_t)column);
        buffer_append_string(&writing->sql, " = ");
        append_name(writing, (int32_t)column);
    }
    return column < table->column_count;
}

/* Leaves no text where nothing may be set. */
static void append_update(struct writing *writing, bool moves)
{
    const struct sql_apply_shape *shape = writing->shape;
    const char *separator = " SET ";
    buffer_append_string(&writing->sql, writing->apply->dialect->update);
    append_table(writing);
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (is_set(writing, i) && (moves || !is_key(writing, (uint32_t)shape->columns[i]))) {
            buffer_append_string(&writing->sql, separator);
            append_name(writing, shape->columns[i]);
            buffer_append_string(&writing->sql, " = ");
            append_parameter(writing, shape->columns[i], false, i);
            separator = ", ";
        }
    }
    if (separator[0] == ' ' && !append_no_change(writing)) {
        buffer_clear(&writing->sql);
        return;
    }
    if (is_of_whole(writing)) {
        append_one(writing);
        return;
    }
    buffer_append_string(&writing->sql, " WHERE ");
    append_match(writing, "", moves);
}

/* Leaves no text where no field of which a value aside is known is set. */
static void append_aside(struct writing *writing)
{
    const struct sql_apply_shape *shape = writing->shape;
    const char *separator = " SET ";
    buffer_append_string(&writing->sql, writing->apply->dialect->update);
    append_table(writing);
    for (uint32_t i = 0; i < shape->field_count; i++) {
        if (is_set(writing, i) && !is_key(writing, (uint32_t)shape->columns[i]) &&
            shape->table.columns[shape->columns[i]].aside != NULL) {
            buffer_append_string(&writing->sql, separator);
            append_name(writing, shape->columns[i]);
            buffer_format(&writing->sql, " = %s", shape->table.columns[shape->columns[i]].aside);
            separator = ", ";
        }
    }
    if (separator[0] == ' ') {
        buffer_clear(&writing->sql);
        return;
    }
    buffer_append_string(&writing->sql, " WHERE ");
    append_match(writing, "", false);
}

static void append_joined_remove(struct writing *writing, bool makes_way)
{
    buffer_append_string(&writing->sql, "DELETE o FROM ");
    append_table(writing);
    buffer_append_string(&writing->sql, " AS o");
    if (makes_way) {
        buffer_append_string(&writing->sql, " JOIN ");
        append_table(writing);
        buffer_append_string(&writing->sql, " AS n ON ");
        append_match(writing, "n.", false);
    }
    buffer_append_string(&writing->sql, " WHERE ");
    append_match(writing, "o.", true);
    if (makes_way) {
        buffer_append_string(&writing->sql, " AND NOT (");
        append_match(writing, "o.", false);
        buffer_append_byte(&writing->sql, ')');
    }
}

static void append_remove(struct writing *writing, bool makes_way)
{
    if (is_of_whole(writing)) {
        buffer_append_string(&writing->sql, "DELETE FROM ");
        append_table(writing);
        append_one(writing);
        return;
    }
    if (writing->apply->dialect->on_duplicate_key) {
        append_joined_remove(writing, makes_way);
        return;
    }
    buffer_append_string(&writing->sql, "DELETE FROM ");
    append_table(writing);
    buffer_append_string(&writing->sql, " AS o WHERE ");
    append_match(writing, "o.", true);
    if (makes_way) {
        buffer_append_string(&writing->sql, " AND NOT (");
        append_match(writing, "o.", false);
        buffer_append_string(&writing->sql, ") AND EXISTS (SELECT 1 FROM ");
        append_table(writing);
        buffer_append_string(&writing->sql, " AS n WHERE ");
        append_match(writing, "n.", false);
        buffer_append_byte(&writing->sql, ')');
    }
}

static void append_statement(struct writing *writing, enum sql_apply_kind kind)
{
    switch (kind) {
    case SQL_APPLY_PUT:
    case SQL_APPLY_ADD:
        append_put(writing, kind == SQL_APPLY_PUT);
        return;
    case SQL_APPLY_ASIDE:
        append_aside(writing);
        return;
    case SQL_APPLY_PATCH:
        append_update(writing, false);
        return;
    case SQL_APPLY_MOVE:
        append_update(writing, true);
        return;
    case SQL_APPLY_EMPTY:
        buffer_append_string(&writing->sql, "DELETE FROM ");
        append_table(writing);
        return;
    case SQL_APPLY_REMOVE:
    case SQL_APPLY_MAKE_WAY:
        append_remove(writing, kind == SQL_APPLY_MAKE_WAY);
        return;
    }
}

static bool has_all(const struct sql_apply_shape *shape, const uint64_t *present)
{
    bool all = true;
    for (uint32_t i = 0; i < shape->field_count; i++) {
        all = all && (present[i / 64] >> (i % 64) & 1) != 0;
    }
    return all;
}

struct sql_apply_statement *sql_apply_make_statement(struct apply *apply,
                                                     struct sql_apply_shape *shape,
                                                     enum sql_apply_kind kind,
                                                     const uint64_t *present)
{
    struct writing writing = {.apply = apply, .shape = shape, .present = present};
    struct arena *arena = arena_create(1024);
    struct sql_apply_statement *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    append_statement(&writing, kind);
    *made = (struct sql_apply_statement){
        .arena = arena,
        .kind = kind,
        .table = &shape->table,
        .sql = arena_copy_string(arena, buffer_string(&writing.sql)),
        .conflict_at = writing.conflict_at,
        .parameters =
            (const void *)arena_copy(arena, writing.parameters.data, writing.parameters.length),
        .parameter_count = (uint32_t)(writing.parameters.length / sizeof *made->parameters),
        .finds = kind == SQL_APPLY_PATCH ||
                 (kind == SQL_APPLY_REMOVE && shape->table.plan->key.count == 0) ||
                 (kind == SQL_APPLY_MOVE && !has_all(shape, present)),
        .present = (const void *)arena_copy(arena, present, shape->words * sizeof *present),
    };
    buffer_free(&writing.sql);
    buffer_free(&writing.parameters);
    return made;
}
