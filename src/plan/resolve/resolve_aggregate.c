/* Aggregates: count(*), count(X), count(distinct X), sum(X), min(X), max(X) along a path. */
#include "base/text.h"
#include "plan/resolve/resolve.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    enum aggregate_function function;
} functions[] = {
    {"count", AGGREGATE_COUNT},
    {"sum", AGGREGATE_SUM},
    {"min", AGGREGATE_MIN},
    {"max", AGGREGATE_MAX},
};

/* An aggregate's text taken apart. */
struct aggregate_text {
    enum aggregate_function function;
    const char *column; /* NULL: * */
    bool known;
    bool average;
};

static size_t skip_blanks(const char *text, size_t at)
{
    while (text[at] == ' ') {
        at++;
    }
    return at;
}

/* "X", "distinct X" or "*" between the parentheses; quotes around a name are taken off. */
static bool read_argument(struct resolver *resolver, const char *text, size_t length,
                          struct aggregate_text *result)
{
    while (length > 0 && text[length - 1] == ' ') {
        length--;
    }
    if (length > 9 && strncasecmp(text, "distinct ", 9) == 0) {
        size_t start = skip_blanks(text, 9);
        text += start;
        length -= start;
        if (result->function != AGGREGATE_COUNT) {
            return false;
        }
        result->function = AGGREGATE_COUNT_DISTINCT;
    }
    if (length == 1 && text[0] == '*') {
        result->column = NULL;
        return result->function == AGGREGATE_COUNT;
    }
    if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
        text++;
        length -= 2;
    }
    result->column = arena_copy(resolver->arena, text, length);
    return length > 0;
}

static bool read_text(struct resolver *resolver, const char *text, struct aggregate_text *result)
{
    memset(result, 0, sizeof *result);
    size_t at = skip_blanks(text, 0);
    const char *name = text + at;
    size_t length = strcspn(name, " (");
    size_t open = skip_blanks(name, length);
    const char *close = strrchr(name, ')');
    result->average = length == 3 && strncasecmp(name, "avg", 3) == 0;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (strlen(functions[i].name) == length &&
            strncasecmp(name, functions[i].name, length) == 0) {
            result->function = functions[i].function;
            result->known = true;
        }
    }
    if (!result->known || name[open] != '(' || close == NULL ||
        close[1 + strspn(close + 1, " ")] != '\0') {
        return false;
    }
    size_t start = skip_blanks(name, open + 1);
    return name + start <= close &&
           read_argument(resolver, name + start, (size_t)(close - name) - start, result);
}

static struct value_type result_type(enum aggregate_function function,
                                     const struct value_type *column)
{
    struct value_type type = *column;
    switch (function) {
    case AGGREGATE_COUNT:
    case AGGREGATE_COUNT_DISTINCT:
        return (struct value_type){.kind = VALUE_INT64};
    case AGGREGATE_SUM:
        type.native = NULL;
        type.dynamic = column->kind != VALUE_DECIMAL;
        type.precision = 0;
        if (column->kind != VALUE_INT64) {
            type.kind = VALUE_DECIMAL;
        }
        return type;
    default:
        return type;
    }
}

static bool find_column(struct resolver *resolver, const struct path *path,
                        const struct plan_node *node, const struct aggregate_text *text,
                        struct aggregate_builder *aggregate)
{
    const struct schema_table *table = path->steps[path->count - 1].table;
    int index = resolve_find_column(resolver, table, text->column);
    if (index < 0 && resolver->source_documents) {
        const struct value_type any = {.kind = VALUE_MISSING, .dynamic = true};
        aggregate->column = text->column;
        aggregate->type = result_type(text->function, &any);
        return true;
    }
    if (index < 0) {
        char hint[320];
        const char **names =
            resolve_allocate(resolver, table->column_count + (size_t)1, sizeof *names);
        for (uint32_t i = 0; i < table->column_count; i++) {
            names[i] = table->columns[i].name;
        }
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node,
                   plan_nearest_hint(text->column, names, table->column_count, hint, sizeof hint),
                   "%s has no column '%s'", table->name, text->column);
        return false;
    }
    const struct schema_column *column = &table->columns[index];
    if (text->function == AGGREGATE_SUM && !column->type.dynamic &&
        !value_kind_is_number(column->type.kind)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, NULL,
                   "%s.%s holds no numbers, it has no sum", table->name, column->name);
        return false;
    }
    aggregate->column = column->name;
    aggregate->type = result_type(text->function, &column->type);
    return true;
}

static uint32_t add_aggregate(struct resolver *resolver, struct stream_builder *stream,
                              const struct aggregate_builder *made)
{
    for (uint32_t i = 0; i < stream->aggregates.count; i++) {
        const struct aggregate_builder *known = stream->aggregates.items[i];
        bool same_column =
            known->column == made->column || (known->column != NULL && made->column != NULL &&
                                              strcmp(known->column, made->column) == 0);
        if (known->mapping.function == made->mapping.function && same_column &&
            path_equal(&known->path, &made->path)) {
            return i;
        }
    }
    struct aggregate_builder *kept = resolve_add(resolver, &stream->aggregates, sizeof *kept);
    *kept = *made;
    return stream->aggregates.count - 1;
}

static void fault_aggregate(struct resolver *resolver, const struct plan_node *node, bool average)
{
    static const char *const names[] = {"count", "sum", "min", "max"};
    char hint[160];
    char name[32];
    if (average) {
        plan_fault(&resolver->faults, ERROR_NOT_IMPLEMENTED, node,
                   "take sum(X) and count(X), whose values are exact",
                   "'%s': an average is not exact", node->text);
        return;
    }
    const char *start = node->text + skip_blanks(node->text, 0);
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(start, " ("), start);
    const char *near = text_nearest(name, names, sizeof names / sizeof names[0]);
    (void)snprintf(hint, sizeof hint,
                   "%s%s%sknown are count(*), count(X), count(distinct X), sum(X), min(X), max(X)",
                   near != NULL ? "did you mean '" : "", near != NULL ? near : "",
                   near != NULL ? "'? " : "");
    plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, hint, "'%s' is no aggregate",
               node->text);
}

bool aggregate_resolve(struct resolver *resolver, struct scope *scope,
                       const struct plan_node *field, struct scope_value *value)
{
    const struct plan_node *node = plan_node_get(field, "value");
    struct aggregate_text text;
    struct aggregate_builder made = {0};
    if (!path_resolve(resolver, scope->table, plan_node_get(field, "aggregate"),
                      plan_node_get(field, "match"), true, &made.path)) {
        return false;
    }
    if (!read_text(resolver, node->text, &text)) {
        fault_aggregate(resolver, node, text.average);
        return false;
    }
    made.mapping.function = text.function;
    made.type = (struct value_type){.kind = VALUE_INT64};
    if (text.column != NULL && !find_column(resolver, &made.path, node, &text, &made)) {
        return false;
    }
    made.mapping.text = resolve_format(resolver, "%s of %s", node->text, made.path.text);
    value->type = made.type;
    value->not_null = text.function != AGGREGATE_MIN && text.function != AGGREGATE_MAX;
    value->reference.origin = ORIGIN_AGGREGATE;
    value->reference.index = add_aggregate(resolver, scope->stream, &made);
    return true;
}
