/* Types of columns that are regretted later. */
#include "base/text.h"
#include "evolve/lint/lint_internal.h"
#include <string.h>
#include <strings.h>

/* The type without [] behind it. */
static struct sql_span of_element(const struct sql_type_named *type)
{
    struct sql_span span = type->span;
    const char *bracket = type->is_array ? memchr(span.text, '[', span.length) : NULL;
    if (bracket != NULL) {
        span.length = (size_t)(bracket - span.text);
        while (span.length > 0 && strchr(" \t\r\n", span.text[span.length - 1]) != NULL) {
            span.length--;
        }
    }
    return span;
}

static void check_postgres(struct lint_file *file, const struct sql_type_named *type)
{
    static const char *const characters[] = {
        "char", "character", "bpchar", "nchar", "national character", "national char", NULL};
    static const char *const ints[] = {"int", "integer", "int4", "serial", "serial4", NULL};
    static const char *const smallints[] = {"smallint", "int2", "smallserial", "serial2", NULL};
    static const char *const serials[] = {"serial",      "serial2",   "serial4", "serial8",
                                          "smallserial", "bigserial", NULL};
    const struct sql_span element = of_element(type);
    if (text_is_among(type->name, characters)) {
        lint_add(file, LINT_RULE_BAN_CHAR_FIELD, &element, NULL);
    }
    if (text_is_among(type->name, ints)) {
        lint_add(file, LINT_RULE_PREFER_BIGINT_OVER_INT, &type->span, NULL);
    }
    if (text_is_among(type->name, smallints)) {
        lint_add(file, LINT_RULE_PREFER_BIGINT_OVER_SMALLINT, &type->span, NULL);
    }
    if (text_is_among(type->name, serials)) {
        lint_add(file, LINT_RULE_PREFER_IDENTITY, &type->span, NULL);
    }
    bool varchar = strcmp(type->name, "varchar") == 0 ||
                   strcmp(type->name, "character varying") == 0 ||
                   strcmp(type->name, "char varying") == 0;
    if (varchar && type->arguments.text != NULL) {
        lint_add(file, LINT_RULE_PREFER_TEXT, &type->span, NULL);
    }
    if (strcmp(type->name, "timestamp") == 0 && !type->with_time_zone && !type->quoted) {
        lint_add(file, LINT_RULE_PREFER_TIMESTAMPTZ, &type->span, NULL);
    }
    if (strcmp(type->name, "json") == 0) {
        lint_add(file, LINT_RULE_PREFER_JSONB, &type->span, NULL);
    }
}

static void check_column(struct lint_file *file, const struct sql_column_named *column)
{
    static const char *const small[] = {"int", "integer", "smallint", "mediumint", "tinyint", NULL};
    if (column->type.name == NULL) {
        return;
    }
    if (file->input->language == SQL_POSTGRES) {
        check_postgres(file, &column->type);
    } else if (file->input->language == SQL_MYSQL && text_is_among(column->type.name, small) &&
               sql_column_constraint(column, SQL_CONSTRAINT_IDENTITY) != NULL) {
        lint_add(file, LINT_RULE_AUTO_INCREMENT_CAPACITY, &column->type.span, NULL);
    }
}

void lint_rules_type(struct lint_file *file)
{
    for (uint32_t i = 0; i < file->count; i++) {
        const struct sql_statement *statement = &file->statements[i].parsed;
        for (uint32_t k = 0; k < statement->column_count; k++) {
            check_column(file, &statement->columns[k]);
        }
        for (uint32_t k = 0; k < statement->action_count; k++) {
            check_column(file, &statement->actions[k].column);
        }
    }
}
