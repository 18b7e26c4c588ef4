/* Operations on a table as clauses of ALTER TABLE, each with its way back where old applications
 * can live with what it makes. */
#include "connectors/mysql/change/change.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct clause {
    struct mysql_change_plan *plan;
    struct mysql_change_set *set;
    const struct change_operation *operation;
    const struct change_value *value;
    const struct mysql_change_table *table;
};

/* ---------------------------------------------------------------- the set */

static enum status invalid(const struct clause *clause, struct error *error, const char *format,
                           ...) PRINTF_LIKE(3, 4);
static enum status invalid(const struct clause *clause, struct error *error, const char *format,
                           ...)
{
    struct buffer words = {0};
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buffer_format(&words, "line %u, column %u: %s", clause->value->line, clause->value->column,
                  text);
    error_set(error, ERROR_CHANGE_INVALID, clause->set->table, "%s", buffer_string(&words));
    buffer_free(&words);
    return STATUS_FAILED;
}

static void begin_clause(struct clause *clause)
{
    if (clause->set->clauses.length > 0) {
        buffer_append_string(&clause->set->clauses, ", ");
    }
}

/* The way back of the clause that was added; NULL: it has none, and none has. */
static void end_clause(struct clause *clause, const char *undo)
{
    struct mysql_change_set *set = clause->set;
    set->expands = set->expands && undo != NULL;
    if (undo != NULL) {
        struct buffer all = {0};
        buffer_append_string(&all, undo);
        if (set->undo.length > 0) {
            mysql_append(&all, ", %b", &set->undo);
        }
        buffer_free(&set->undo);
        set->undo = all;
    }
}

static const char *format_sql(struct clause *clause, const char *format, const char *first,
                              const char *second)
{
    return mysql_change_text(clause->plan, mysql_sql(format, first, second));
}

static void add_value(struct clause *clause, const char *column, const char *old, const char *up,
                      const char *down)
{
    struct mysql_change_set *set = clause->set;
    set->values = arena_make_room(clause->plan->arena, set->values, set->value_count,
                                  &set->value_capacity, sizeof *set->values);
    set->values[set->value_count++] =
        (struct mysql_change_value){.column = column, .up = up, .down = down, .old = old};
    if (up != NULL) {
        set->way = MYSQL_WAY_SHADOW; /* rows that are there have to get it */
    }
}

/* ---------------------------------------------------------------- pieces of clauses */

/* A literal and the present time stand as they are; servers want parentheses around all else. */
static void append_default(struct buffer *sql, const char *expression)
{
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, SQL_MYSQL, expression, strlen(expression), NULL);
    struct sql_token token = sql_lexer_next_code(&lexer);
    if (sql_token_is_operator(&token, "-") || sql_token_is_operator(&token, "+")) {
        token = sql_lexer_next_code(&lexer);
    }
    bool time = sql_token_is_word(&token, "CURRENT_TIMESTAMP") ||
                sql_token_is_word(&token, "NOW") || sql_token_is_word(&token, "LOCALTIMESTAMP");
    bool plain = token.kind == SQL_TOKEN_STRING || token.kind == SQL_TOKEN_NUMBER ||
                 sql_token_is_word(&token, "NULL") || sql_token_is_word(&token, "TRUE") ||
                 sql_token_is_word(&token, "FALSE");
    plain = plain && sql_lexer_next_code(&lexer).kind == SQL_TOKEN_END;
    bool bare = plain || time || expression[0] == '(';
    buffer_format(sql, " DEFAULT %s%s%s", bare ? "" : "(", expression, bare ? "" : ")");
}

static void append_names(struct buffer *sql, const struct change_value *names)
{
    buffer_append_byte(sql, '(');
    for (uint32_t i = 0; names != NULL && i < names->count; i++) {
        mysql_append(sql, "%s%n", i > 0 ? ", " : "", names->items[i].text);
    }
    buffer_append_byte(sql, ')');
}

static void append_reference(struct buffer *sql, const struct change_value *reference,
                             const char *column, const struct change_value *columns)
{
    const char *to = change_text(reference, "column");
    const char *const actions[][2] = {{"on_delete", "DELETE"}, {"on_update", "UPDATE"}};
    buffer_append_string(sql, "FOREIGN KEY ");
    if (columns != NULL) {
        append_names(sql, columns);
    } else {
        mysql_append(sql, "(%n)", column);
    }
    mysql_append(sql, " REFERENCES %n ", change_text(reference, "table"));
    if (change_get(reference, "columns") != NULL) {
        append_names(sql, change_get(reference, "columns"));
    } else {
        mysql_append(sql, "(%n)", to != NULL ? to : "id");
    }
    for (size_t i = 0; i < 2; i++) {
        const char *action = change_text(reference, actions[i][0]);
        if (action != NULL) {
            buffer_format(sql, " ON %s %s", actions[i][1], action);
        }
    }
}

static void list_columns(struct clause *clause, struct sql_shadow_list *list, const char *prefix,
                         const struct change_value *names, const char *name)
{
    for (uint32_t i = 0; names != NULL && i < names->count && i < SQL_SHADOW_KEY_MAX; i++) {
        list->items[list->count++] = format_sql(clause, "%s%n", prefix, names->items[i].text);
    }
    if (names == NULL) {
        list->items[list->count++] = format_sql(clause, "%s%n", prefix, name);
    }
}

static enum status add_link(struct clause *clause, const struct change_value *reference,
                            const char *name, const char *column,
                            const struct change_value *columns, struct error *error)
{
    struct mysql_change_set *set = clause->set;
    const char *to = change_text(reference, "column");
    struct buffer sql = {0};
    if (set->link_count == SQL_SHADOW_KEY_MAX) {
        return invalid(clause, error, "that many foreign keys are a change of their own");
    }
    struct mysql_change_link *link = &set->links[set->link_count++];
    name = name != NULL ? name : change_text(reference, "name");
    *link = (struct mysql_change_link){
        .name = name != NULL ? name
                             : arena_format(clause->plan->arena, "%s_%s_fkey", set->table, column),
        .parent = change_text(reference, "table")};
    mysql_append(&sql, "CONSTRAINT %n ", link->name);
    append_reference(&sql, reference, column, columns);
    link->clause = mysql_change_text(clause->plan, &sql);
    list_columns(clause, &link->columns, "t.", columns, column);
    list_columns(clause, &link->parent_columns, "p.", change_get(reference, "columns"),
                 to != NULL ? to : "id");
    return STATUS_OK;
}

/* "name type …" of a column of the file, without keys and references. */
static void append_column(struct buffer *sql, const struct change_value *column)
{
    const struct change_value *generated = change_get(column, "generated");
    const char *expression = change_text(generated, "expression");
    const char *set = change_text(column, "default");
    const char *comment = change_text(column, "comment");
    mysql_append(sql, "%n %s", change_text(column, "name"), change_text(column, "type"));
    if (expression != NULL) {
        buffer_format(sql, " GENERATED ALWAYS AS (%s) STORED", expression);
    }
    buffer_append_string(sql, change_is_true(column, "nullable") ? " NULL" : " NOT NULL");
    if (set != NULL) {
        append_default(sql, set);
    }
    buffer_format(sql, "%s%s", change_get(generated, "identity") != NULL ? " AUTO_INCREMENT" : "",
                  change_is_true(column, "pk") ? " PRIMARY KEY" : "");
    if (comment != NULL) {
        mysql_append(sql, " COMMENT %q", comment);
    }
}

/* Unique, check and references of a column or of a change to one. */
static enum status add_column_keys(struct clause *clause, const struct change_value *of,
                                   const char *column, struct error *error)
{
    struct buffer *sql = &clause->set->clauses;
    const struct change_value *unique = change_get(of, "unique");
    const struct change_value *check = change_get(of, "check");
    const struct change_value *reference = change_get(of, "references");
    if (unique != NULL && (unique->kind == CHANGE_MAP || change_is_true(of, "unique"))) {
        const char *name = change_text(unique, "name");
        name = name != NULL
                   ? name
                   : arena_format(clause->plan->arena, "%s_%s_key", clause->set->table, column);
        begin_clause(clause);
        mysql_append(sql, "ADD UNIQUE INDEX %n (%n)", name, column);
        end_clause(clause, format_sql(clause, "DROP INDEX %n", name, NULL));
    }
    if (check != NULL) {
        const char *name = change_text(check, "name");
        name = name != NULL
                   ? name
                   : arena_format(clause->plan->arena, "%s_%s_check", clause->set->table, column);
        begin_clause(clause);
        mysql_append(sql, "ADD CONSTRAINT %n CHECK (%s)", name, change_text(check, "constraint"));
        end_clause(clause, format_sql(clause, "DROP CONSTRAINT %n", name, NULL));
    }
    return reference != NULL ? add_link(clause, reference, NULL, column, NULL, error) : STATUS_OK;
}

/* ---------------------------------------------------------------- columns */

static enum status add_column(struct clause *clause, struct error *error)
{
    const struct change_value *column = change_get(clause->value, "column");
    const char *name = change_text(column, "name");
    const char *up = change_text(clause->value, "up");
    bool harmless = change_is_true(column, "nullable") || change_text(column, "default") != NULL ||
                    change_get(column, "generated") != NULL;
    begin_clause(clause);
    buffer_append_string(&clause->set->clauses, "ADD COLUMN ");
    append_column(&clause->set->clauses, column);
    add_value(clause, name, NULL, up, NULL);
    end_clause(clause, harmless ? format_sql(clause, "DROP COLUMN %n", name, NULL) : NULL);
    return add_column_keys(clause, column, name, error);
}

static enum status drop_column(struct clause *clause, struct error *error)
{
    const char *name = change_text(clause->value, "column");
    if (mysql_change_column_of(clause->table, name) == NULL) {
        return invalid(clause, error, "%s has no column %s", clause->set->table, name);
    }
    begin_clause(clause);
    mysql_append(&clause->set->clauses, "DROP COLUMN %n", name);
    add_value(clause, NULL, name, NULL, change_text(clause->value, "down"));
    end_clause(clause, NULL);
    return STATUS_OK;
}

static enum status rename_column(struct clause *clause, struct error *error)
{
    const char *from = change_text(clause->value, "from");
    const char *to = change_text(clause->value, "to");
    if (mysql_change_column_of(clause->table, from) == NULL) {
        return invalid(clause, error, "%s has no column %s", clause->set->table, from);
    }
    begin_clause(clause);
    mysql_append(&clause->set->clauses, "RENAME COLUMN %n TO %n", from, to);
    add_value(clause, to, from, NULL, NULL);
    end_clause(clause, NULL);
    return STATUS_OK;
}

/* The column as SHOW CREATE TABLE has it. */
static const struct sql_column_named *column_of(const struct clause *clause, const char *name)
{
    const char *text = clause->table->statement;
    struct sql_statement statement;
    const struct sql_piece piece = {.text = text,
                                    .length = strlen(text),
                                    .run = text,
                                    .run_length = strlen(text),
                                    .run_place = {0, 1, 1},
                                    .place = {0, 1, 1}};
    sql_statement_read(SQL_MYSQL, &piece, clause->plan->arena, &statement);
    for (uint32_t i = 0; i < statement.column_count; i++) {
        if (strcasecmp(statement.columns[i].name.name, name) == 0) {
            return &statement.columns[i];
        }
    }
    return NULL;
}

static bool begins_with(const struct sql_span *span, const char *word)
{
    return span->length >= strlen(word) && strncasecmp(span->text, word, strlen(word)) == 0;
}

/* All that the column has, but for what the operation says. */
static void append_changed_column(struct buffer *sql, const struct clause *clause,
                                  const struct sql_column_named *column)
{
    const struct change_value *value = clause->value;
    const char *type = change_text(value, "type");
    const char *nullable = change_text(value, "nullable");
    const struct change_value *set = change_get(value, "default");
    const struct change_value *comment = change_get(value, "comment");
    bool texts = type == NULL || strcasestr(type, "char") != NULL ||
                 strcasestr(type, "text") != NULL || strncasecmp(type, "enum", 4) == 0 ||
                 strncasecmp(type, "set", 3) == 0;
    bool says_charset = type != NULL && (strcasestr(type, "character set") != NULL ||
                                         strcasestr(type, "charset") != NULL ||
                                         strcasestr(type, "collate") != NULL);
    if (type != NULL) {
        buffer_append_string(sql, type);
    } else {
        buffer_append(sql, column->type.span.text, column->type.span.length);
    }
    for (uint32_t i = 0; i < column->constraint_count; i++) {
        const struct sql_constraint *part = &column->constraints[i];
        bool of_text = begins_with(&part->span, "CHARACTER SET") ||
                       begins_with(&part->span, "COLLATE") || begins_with(&part->span, "CHARSET");
        bool null = part->kind == SQL_CONSTRAINT_NOT_NULL || part->kind == SQL_CONSTRAINT_NULL;
        bool no_more_default = nullable != NULL && strcasecmp(nullable, "false") == 0 &&
                               part->kind == SQL_CONSTRAINT_DEFAULT &&
                               begins_with(&part->expression, "NULL");
        if ((of_text && (!texts || says_charset)) || (null && nullable != NULL) ||
            no_more_default || (part->kind == SQL_CONSTRAINT_DEFAULT && set != NULL) ||
            (begins_with(&part->span, "COMMENT") && comment != NULL)) {
            continue;
        }
        mysql_append(sql, " %S", part->span.text, part->span.length);
    }
    if (nullable != NULL) {
        buffer_append_string(sql, change_is_true(value, "nullable") ? " NULL" : " NOT NULL");
    }
    if (set != NULL && set->kind == CHANGE_TEXT) {
        append_default(sql, set->text);
    }
    if (comment != NULL && comment->kind == CHANGE_TEXT) {
        mysql_append(sql, " COMMENT %q", comment->text);
    }
}

static enum status alter_column(struct clause *clause, struct error *error)
{
    const struct change_value *value = clause->value;
    const char *name = change_text(value, "column");
    const char *then = change_text(value, "name");
    const struct sql_column_named *column = column_of(clause, name);
    bool redefines = then != NULL || change_text(value, "type") != NULL ||
                     change_text(value, "nullable") != NULL ||
                     change_get(value, "default") != NULL || change_get(value, "comment") != NULL;
    if (column == NULL) {
        return invalid(clause, error, "%s has no column %s", clause->set->table, name);
    }
    if (change_is_true(value, "lossless")) {
        return invalid(clause, error,
                       "lossless is not proved on this server: what the old form "
                       "can't hold keeps an abort from being carried out");
    }
    if (redefines) {
        begin_clause(clause);
        mysql_append(&clause->set->clauses, "CHANGE COLUMN %n %n ", name,
                     then != NULL ? then : name);
        append_changed_column(&clause->set->clauses, clause, column);
        end_clause(clause, NULL);
    }
    if (redefines || change_text(value, "up") != NULL) {
        add_value(clause, then != NULL ? then : name, name, change_text(value, "up"),
                  change_text(value, "down"));
    }
    return add_column_keys(clause, value, then != NULL ? then : name, error);
}

/* ---------------------------------------------------------------- indexes and constraints */

static enum status create_index(struct clause *clause, struct error *error)
{
    const struct change_value *value = clause->value;
    const struct change_value *columns = change_get(value, "columns");
    const char *method = change_text(value, "method");
    const char *name = change_text(value, "name");
    struct buffer *sql = &clause->set->clauses;
    bool other = method != NULL &&
                 (strcasecmp(method, "fulltext") == 0 || strcasecmp(method, "spatial") == 0);
    if (change_text(value, "predicate") != NULL || change_get(value, "include") != NULL) {
        return invalid(clause, error, "an index of this server has neither predicate nor include");
    }
    begin_clause(clause);
    mysql_append(sql, "ADD %s%sINDEX %n",
                 change_is_true(value, "unique") ? "UNIQUE "
                 : other                         ? method
                                                 : "",
                 other && !change_is_true(value, "unique") ? " " : "", name);
    if (method != NULL && !other) {
        buffer_format(sql, " USING %s", method);
    }
    buffer_append_string(sql, " (");
    for (uint32_t i = 0; columns != NULL && i < columns->count; i++) {
        const struct change_value *column = &columns->items[i];
        const char *expression = change_text(column, "expression");
        const char *length = change_text(column, "length");
        const char *sort = change_text(column, "sort");
        buffer_append_string(sql, i > 0 ? ", " : "");
        if (expression != NULL) {
            buffer_format(sql, "(%s)", expression);
        } else {
            mysql_append(sql, "%n", change_text(column, "column"));
        }
        buffer_format(sql, "%s%s%s%s%s", length != NULL ? "(" : "", length != NULL ? length : "",
                      length != NULL ? ")" : "", sort != NULL ? " " : "", sort != NULL ? sort : "");
    }
    buffer_append_byte(sql, ')');
    end_clause(clause, format_sql(clause, "DROP INDEX %n", name, NULL));
    return STATUS_OK;
}

static enum status drop_index(struct clause *clause, struct error *error)
{
    (void)error;
    begin_clause(clause);
    mysql_append(&clause->set->clauses, "DROP INDEX %n", change_text(clause->value, "name"));
    end_clause(clause, NULL);
    return STATUS_OK;
}

static enum status create_constraint(struct clause *clause, struct error *error)
{
    const struct change_value *value = clause->value;
    const struct change_value *up = change_get(value, "up");
    const struct change_value *down = change_get(value, "down");
    const char *name = change_text(value, "name");
    const char *type = change_text(value, "type");
    struct buffer *sql = &clause->set->clauses;
    const char *undo = NULL;
    if (strcmp(type, "foreign_key") == 0) {
        return add_link(clause, change_get(value, "references"), name, NULL,
                        change_get(value, "columns"), error);
    }
    begin_clause(clause);
    if (strcmp(type, "unique") == 0) {
        mysql_append(sql, "ADD UNIQUE INDEX %n ", name);
        append_names(sql, change_get(value, "columns"));
        undo = format_sql(clause, "DROP INDEX %n", name, NULL);
    } else if (strcmp(type, "check") == 0) {
        mysql_append(sql, "ADD CONSTRAINT %n CHECK (%s)", name, change_text(value, "check"));
        undo = format_sql(clause, "DROP CONSTRAINT %n", name, NULL);
    } else if (strcmp(type, "primary_key") == 0) {
        buffer_append_string(sql, "ADD PRIMARY KEY ");
        append_names(sql, change_get(value, "columns"));
    } else {
        return invalid(clause, error, "this server has no constraints of the kind %s", type);
    }
    end_clause(clause, undo);
    for (uint32_t i = 0; up != NULL && up->kind == CHANGE_MAP && i < up->count; i++) {
        add_value(clause, up->keys[i], up->keys[i], up->items[i].text,
                  change_text(down, up->keys[i]));
    }
    return STATUS_OK;
}

static const char *constraint_drop(const struct clause *clause, const char *name)
{
    struct buffer check = {0};
    const char *words = NULL;
    mysql_append(&check, "CONSTRAINT %n CHECK ", name);
    for (uint32_t i = 0; i < clause->table->outward_count && words == NULL; i++) {
        words = strcasecmp(clause->table->outward[i].name, name) == 0 ? "DROP FOREIGN KEY" : NULL;
    }
    if (words == NULL && strstr(clause->table->statement, buffer_string(&check)) != NULL) {
        words = "DROP CONSTRAINT";
    }
    for (uint32_t i = 0; i < clause->table->key_count && words == NULL; i++) {
        words = strcasecmp(clause->table->keys[i].name, name) == 0 ? "DROP INDEX" : NULL;
    }
    buffer_free(&check);
    return words;
}

static enum status drop_link(struct clause *clause, const char *name, struct error *error)
{
    struct mysql_change_set *set = clause->set;
    if (set->unlinked_count == SQL_SHADOW_KEY_MAX) {
        return invalid(clause, error, "that many foreign keys are a change of their own");
    }
    set->unlinked[set->unlinked_count++] = name;
    return STATUS_OK;
}

static enum status drop_constraint(struct clause *clause, struct error *error)
{
    const char *name = change_text(clause->value, "name");
    const char *words = constraint_drop(clause, name);
    if (words == NULL) {
        return invalid(clause, error, "%s has no constraint %s", clause->set->table, name);
    }
    if (strcmp(words, "DROP FOREIGN KEY") == 0) {
        return drop_link(clause, name, error);
    }
    begin_clause(clause);
    if (strcasecmp(name, "PRIMARY") == 0) {
        buffer_append_string(&clause->set->clauses, "DROP PRIMARY KEY");
    } else {
        mysql_append(&clause->set->clauses, "%s %n", words, name);
    }
    end_clause(clause, NULL);
    return STATUS_OK;
}

static enum status rename_constraint(struct clause *clause, struct error *error)
{
    const char *from = change_text(clause->value, "from");
    const char *words = constraint_drop(clause, from);
    if (words == NULL || strcmp(words, "DROP INDEX") != 0) {
        return invalid(clause, error,
                       "%s has no index %s; of constraints this server renames only those that are "
                       "indexes",
                       clause->set->table, from);
    }
    begin_clause(clause);
    mysql_append(&clause->set->clauses, "RENAME INDEX %n TO %n", from,
                 change_text(clause->value, "to"));
    end_clause(clause, NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the rest */

static enum status set_table(struct clause *clause, struct error *error)
{
    const struct change_value *comment = change_get(clause->value, "comment");
    const struct change_value *options = change_get(clause->value, "options");
    struct buffer *sql = &clause->set->clauses;
    (void)error;
    if (comment != NULL) {
        begin_clause(clause);
        mysql_append(sql, "COMMENT = %q", comment->kind == CHANGE_TEXT ? comment->text : "");
        end_clause(clause, NULL);
    }
    if (options != NULL && options->kind == CHANGE_TEXT) {
        begin_clause(clause);
        buffer_append_string(sql, options->text);
        end_clause(clause, NULL);
    }
    for (uint32_t i = 0; options != NULL && options->kind == CHANGE_MAP && i < options->count;
         i++) {
        begin_clause(clause);
        buffer_format(sql, "%s = %s", options->keys[i], options->items[i].text);
        end_clause(clause, NULL);
    }
    return STATUS_OK;
}

/* Where in "enum('a','b')" the value stands, with its quotes; NULL: nowhere. */
static const char *find_label(const char *type, const char *label)
{
    struct buffer quoted = {0};
    mysql_append(&quoted, "%q", label);
    const char *found = strstr(type, buffer_string(&quoted));
    buffer_free(&quoted);
    return found;
}

static enum status add_enum_value(struct clause *clause, struct error *error)
{
    const struct change_value *value = clause->value;
    const char *name = change_text(value, "column");
    const char *before = change_text(value, "before");
    const char *after = change_text(value, "after");
    const struct sql_column_named *column = name != NULL ? column_of(clause, name) : NULL;
    if (column == NULL ||
        (!begins_with(&column->type.span, "enum") && !begins_with(&column->type.span, "set"))) {
        return invalid(clause, error, "%s has no column %s of an enum", clause->set->table,
                       name != NULL ? name : "(none)");
    }
    const char *type =
        arena_copy(clause->plan->arena, column->type.span.text, column->type.span.length);
    const char *place = before != NULL  ? find_label(type, before)
                        : after != NULL ? find_label(type, after)
                                        : strrchr(type, ')');
    if (place == NULL) {
        return invalid(clause, error, "%s.%s has no value %s", clause->set->table, name,
                       before != NULL ? before : after);
    }
    if (after != NULL) {
        struct sql_lexer lexer;
        sql_lexer_init(&lexer, SQL_MYSQL, place, strlen(place), NULL);
        place += sql_lexer_next(&lexer).length;
    }
    struct buffer *sql = &clause->set->clauses;
    begin_clause(clause);
    mysql_append(sql, "MODIFY COLUMN %n %S", name, type, (size_t)(place - type));
    mysql_append(sql, before != NULL ? "%q, %s" : ", %q%s", change_text(value, "value"), place);
    for (uint32_t i = 0; i < column->constraint_count; i++) {
        mysql_append(sql, " %S", column->constraints[i].span.text,
                     column->constraints[i].span.length);
    }
    end_clause(clause, NULL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- clauses as they were written */

static const char *action_undo(struct clause *clause, const struct sql_action *action)
{
    const struct sql_constraint *constraint = action->constraint;
    if (action->kind == SQL_ACTION_ADD_COLUMN && action->name.name != NULL && !action->if_exists) {
        bool needed = sql_column_constraint(&action->column, SQL_CONSTRAINT_NOT_NULL) != NULL &&
                      sql_column_constraint(&action->column, SQL_CONSTRAINT_DEFAULT) == NULL;
        return needed ? NULL : format_sql(clause, "DROP COLUMN %n", action->name.name, NULL);
    }
    bool index =
        action->kind == SQL_ACTION_ADD_CONSTRAINT && constraint != NULL &&
        constraint->name.name != NULL &&
        (constraint->kind == SQL_CONSTRAINT_INDEX || constraint->kind == SQL_CONSTRAINT_UNIQUE);
    return index ? format_sql(clause, "DROP INDEX %n", constraint->name.name, NULL) : NULL;
}

static enum status take_action(struct clause *clause, const struct sql_action *action,
                               struct error *error)
{
    if (action->kind == SQL_ACTION_RENAME_TABLE) {
        return invalid(clause, error,
                       "the clauses rename the table: use the operation rename_table");
    }
    if (action->kind == SQL_ACTION_ALGORITHM || action->kind == SQL_ACTION_LOCK) {
        return invalid(clause, error, "leave ALGORITHM and LOCK out: `way` says what may be done");
    }
    if (action->kind == SQL_ACTION_DROP_FOREIGN_KEY) {
        return drop_link(clause, action->name.name, error);
    }
    if (action->kind == SQL_ACTION_ADD_CONSTRAINT && action->constraint != NULL &&
        action->constraint->kind == SQL_CONSTRAINT_FOREIGN_KEY) {
        return invalid(clause, error, "a foreign key is added by create_constraint");
    }
    if (action->kind == SQL_ACTION_DROP_COLUMN) {
        add_value(clause, NULL, action->name.name, NULL, NULL);
    } else if (action->kind == SQL_ACTION_ADD_COLUMN) {
        add_value(clause, action->name.name, NULL, NULL, NULL);
    } else if (action->kind == SQL_ACTION_CHANGE_TYPE || action->kind == SQL_ACTION_RENAME_COLUMN) {
        const char *then =
            action->new_name.name != NULL ? action->new_name.name : action->name.name;
        add_value(clause, then, action->name.name, NULL, NULL);
    }
    begin_clause(clause);
    buffer_append(&clause->set->clauses, action->span.text, action->span.length);
    end_clause(clause, action_undo(clause, action));
    return STATUS_OK;
}

static enum status take_way(struct clause *clause, struct error *error)
{
    static const char *const names[] = {"auto", "in_place", "shadow"};
    const char *way = change_text(clause->value, "way");
    for (int i = 0; way != NULL && i < 3; i++) {
        if (strcmp(way, names[i]) == 0) {
            clause->set->way = (enum mysql_change_way)i;
            return STATUS_OK;
        }
    }
    return way == NULL ? STATUS_OK
                       : invalid(clause, error, "the way is auto, in_place or shadow, not %s", way);
}

static enum status alter(struct clause *clause, struct error *error)
{
    const char *with = change_text(clause->value, "with");
    const char *text = format_sql(clause, "ALTER TABLE %n %s", clause->set->table, with);
    struct sql_statement statement;
    const struct sql_piece piece = {.text = text,
                                    .length = strlen(text),
                                    .run = text,
                                    .run_length = strlen(text),
                                    .run_place = {0, 1, 1},
                                    .place = {0, 1, 1}};
    const char *mode = change_text(clause->value, "sql_mode");
    clause->set->sql_mode = mode != NULL ? mode : clause->set->sql_mode;
    if (take_way(clause, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sql_statement_read(SQL_MYSQL, &piece, clause->plan->arena, &statement);
    if (statement.kind != SQL_STATEMENT_ALTER_TABLE || statement.action_count == 0) {
        return invalid(clause, error, "these are no clauses of ALTER TABLE: %.200s", with);
    }
    /* Each action of ADD (a int, b int) has the span of all. */
    const char *taken = NULL;
    for (uint32_t i = 0; i < statement.action_count; i++) {
        if (statement.actions[i].span.text == taken) {
            clause->set->clauses.length = 0;
        }
        taken = statement.actions[i].span.text;
        if (take_action(clause, &statement.actions[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all kinds */

static const struct {
    const char *kind;
    enum status (*add)(struct clause *clause, struct error *error);
} adders[] = {{"add_column", add_column},
              {"drop_column", drop_column},
              {"rename_column", rename_column},
              {"alter_column", alter_column},
              {"create_index", create_index},
              {"drop_index", drop_index},
              {"create_constraint", create_constraint},
              {"drop_constraint", drop_constraint},
              {"rename_constraint", rename_constraint},
              {"set_table", set_table},
              {"add_enum_value", add_enum_value},
              {"alter", alter}};

enum status mysql_change_add_clause(struct mysql_change_plan *plan, struct mysql_change_set *set,
                                    const struct mysql_change_table *table,
                                    const struct change_operation *operation, struct error *error)
{
    struct clause clause = {.plan = plan,
                            .set = set,
                            .operation = operation,
                            .value = &operation->value,
                            .table = table};
    for (size_t i = 0; i < sizeof adders / sizeof *adders; i++) {
        if (strcmp(adders[i].kind, operation->kind) == 0) {
            return adders[i].add(&clause, error);
        }
    }
    return STATUS_END;
}

bool mysql_change_is_clause(const char *kind)
{
    for (size_t i = 0; i < sizeof adders / sizeof *adders; i++) {
        if (strcmp(adders[i].kind, kind) == 0) {
            return true;
        }
    }
    return false;
}

/* "CREATE TABLE name (…)" of an operation create_table. */
void mysql_change_append_create(struct buffer *sql, const struct change_value *value)
{
    const struct change_value *columns = change_get(value, "columns");
    const struct change_value *constraints = change_get(value, "constraints");
    const struct change_value *options = change_get(value, "options");
    const char *comment = change_text(value, "comment");
    mysql_append(sql, "CREATE TABLE IF NOT EXISTS %n (", change_text(value, "name"));
    for (uint32_t i = 0; columns != NULL && i < columns->count; i++) {
        const struct change_value *column = &columns->items[i];
        const struct change_value *check = change_get(column, "check");
        buffer_append_string(sql, i > 0 ? ", " : "");
        append_column(sql, column);
        if (change_is_true(column, "unique") ||
            change_get(change_get(column, "unique"), "name") != NULL) {
            buffer_append_string(sql, " UNIQUE");
        }
        if (check != NULL) {
            buffer_format(sql, ", CHECK (%s)", change_text(check, "constraint"));
        }
        if (change_get(column, "references") != NULL) {
            buffer_append_string(sql, ", ");
            append_reference(sql, change_get(column, "references"), change_text(column, "name"),
                             NULL);
        }
    }
    for (uint32_t i = 0; constraints != NULL && i < constraints->count; i++) {
        const struct change_value *constraint = &constraints->items[i];
        const char *type = change_text(constraint, "type");
        const char *name = change_text(constraint, "name");
        mysql_append(sql, ", CONSTRAINT %n ", name);
        if (strcmp(type, "check") == 0) {
            buffer_format(sql, "CHECK (%s)", change_text(constraint, "check"));
        } else if (strcmp(type, "foreign_key") == 0) {
            append_reference(sql, change_get(constraint, "references"), NULL,
                             change_get(constraint, "columns"));
        } else {
            buffer_append_string(sql,
                                 strcmp(type, "primary_key") == 0 ? "PRIMARY KEY " : "UNIQUE ");
            append_names(sql, change_get(constraint, "columns"));
        }
    }
    buffer_append_byte(sql, ')');
    for (uint32_t i = 0; options != NULL && options->kind == CHANGE_MAP && i < options->count;
         i++) {
        buffer_format(sql, " %s = %s", options->keys[i], options->items[i].text);
    }
    if (options != NULL && options->kind == CHANGE_TEXT) {
        buffer_format(sql, " %s", options->text);
    }
    if (comment != NULL) {
        mysql_append(sql, " COMMENT = %q", comment);
    }
    if (change_text(value, "partition_by") != NULL) {
        buffer_format(sql, " PARTITION BY %s", change_text(value, "partition_by"));
    }
}
