/* Conditions: what ANDs join becomes an equality of two columns, or a predicate on one. */
#include "base/text.h"
#include "design/input/resolver.h"
#include <string.h>

enum { UNKNOWN_IN_VALUES = 10 };

static const char *const search_index = "a search index";

/* ---------------------------------------------------------------- predicates */

static struct workload_predicate *same_predicate(const struct resolver *self,
                                                 const struct workload_predicate *wanted)
{
    struct workload_predicate *list = (struct workload_predicate *)(void *)self->predicates.data;
    for (size_t i = 0; i < self->predicates.length / sizeof *list; i++) {
        if (list[i].test == wanted->test && reference_is(list[i].field, wanted->field)) {
            return &list[i];
        }
    }
    return NULL;
}

static void add_predicate(struct resolver *self, struct workload_predicate predicate)
{
    if (self->in_outer_join) {
        resolver_unserved(self, "two queries, whose results are put together",
                          "a condition on %s in ON of an outer join",
                          resolver_show(self, predicate.field));
        return;
    }
    /* a row without that alias does not pass */
    resolver_alias(self, predicate.field.alias)->optional = false;
    struct workload_predicate *same = same_predicate(self, &predicate);
    if (same == NULL) {
        buffer_append(&self->predicates, &predicate, sizeof predicate);
    } else { /* a <= x AND x < b is one range */
        same->bounds |= predicate.bounds;
    }
}

static void add_test(struct resolver *self, enum workload_test test,
                     struct workload_reference field, const char *operand)
{
    add_predicate(self, (struct workload_predicate){
                            .test = test, .field = field, .values = 1, .operand = operand});
}

static void add_range(struct resolver *self, struct workload_reference field, const char *operand,
                      unsigned bounds)
{
    add_predicate(self, (struct workload_predicate){.test = WORKLOAD_RANGE,
                                                    .field = field,
                                                    .values = 1,
                                                    .operand = operand,
                                                    .bounds = bounds});
}

static unsigned bound_of(const char *operator)
{
    bool strict = operator[1] == '\0';
    return operator[0] == '<' ? (strict ? WORKLOAD_BELOW : WORKLOAD_AT_MOST)
                              : (strict ? WORKLOAD_ABOVE : WORKLOAD_AT_LEAST);
}

static void never_true(struct resolver *self, const char *what)
{
    resolver_unserved(self, "no query: its result is empty", "%s, which is never true", what);
}

static bool is_null_literal(json_t *node)
{
    return tree_flag(tree_is(tree_plain(node), "A_Const"), "isnull");
}

static void add_in(struct resolver *self, struct workload_reference field, double values)
{
    add_predicate(self,
                  (struct workload_predicate){.test = values == 1 ? WORKLOAD_EQUAL : WORKLOAD_IN,
                                              .field = field,
                                              .values = values});
}

/* Filters that test rows after they were read; of several columns, the first has the share of rows
 * that pass, and of the others all do. */
static void add_filters(struct resolver *self, const struct buffer *list)
{
    const struct workload_reference *fields =
        (const struct workload_reference *)(const void *)list->data;
    for (size_t i = 0; i < list->length / sizeof *fields; i++) {
        add_predicate(self, (struct workload_predicate){.test = WORKLOAD_FILTER,
                                                        .field = fields[i],
                                                        .values = 1,
                                                        .selectivity = i == 0 ? 0 : 1});
    }
}

static void add_filter_of(struct resolver *self, const struct scope *scope, json_t *node,
                          const char *alternative, const char *what)
{
    struct buffer fields = {0};
    resolver_collect(self, scope, node, &fields);
    if (resolver_goes_on(self) && fields.length > 0) {
        const struct workload_reference *first =
            (const struct workload_reference *)(const void *)fields.data;
        add_filters(self, &fields);
        resolver_searches(self, alternative, "%s on %s", what, resolver_show(self, *first));
    }
    buffer_free(&fields);
}

void resolver_add_equality(struct resolver *self, struct workload_reference left,
                           struct workload_reference right)
{
    const struct equality made = {left, right, false};
    buffer_append(&self->equalities, &made, sizeof made);
}

/* ---------------------------------------------------------------- comparisons */

static json_t *column_of(json_t *node)
{
    json_t *collated = tree_is(node, "CollateClause");
    node = collated != NULL ? json_object_get(collated, "arg") : node;
    return tree_is(node, "ColumnRef");
}

static void compare_columns(struct resolver *self, const struct scope *scope, json_t *expression,
                            const char *operator, json_t * left, json_t *right)
{
    struct workload_reference first;
    struct workload_reference second;
    if (!resolver_column(self, scope, left, &first) ||
        !resolver_column(self, scope, right, &second)) {
        add_filter_of(self, scope, expression, "a stored column with the value",
                      "a comparison of expressions");
    } else if (first.alias != second.alias && strcmp(operator, "=") == 0) {
        resolver_add_equality(self, first, second);
    } else {
        add_filter_of(self, scope, expression, "a stored column with the result",
                      "a comparison of two columns");
    }
}

static void compare_with_constant(struct resolver *self, const struct scope *scope, json_t *column,
                                  const char *operator, json_t * constant)
{
    static const char *const ranges[] = {"<", "<=", ">", ">=", NULL};
    static const char *const searches[] = {"@@", "~", "~*", "!~", "!~*", NULL};
    struct workload_reference field;
    if (!resolver_column(self, scope, column, &field)) {
        resolver_searches(self, "a stored column with the value", "a condition on an expression");
        return;
    }
    const char *operand = input_constant_operand(constant, self->arena);
    if (strcmp(operator, "=") == 0) {
        add_test(self, WORKLOAD_EQUAL, field, operand);
    } else if (text_is_among(operator, ranges)) {
        add_range(self, field, operand, bound_of(operator));
    } else {
        bool search = text_is_among(operator, searches);
        const char *what = strcmp(operator, "@@") == 0   ? "full-text search"
                           : search                      ? "a regular expression"
                           : strcmp(operator, "<>") == 0 ? "<>"
                                                         :
                                                         operator;
        add_test(self, WORKLOAD_FILTER, field, operand);
        resolver_searches(self, search ? search_index : "an index on what is asked for", "%s on %s",
                          what, resolver_show(self, field));
    }
}

static const char *turned(const char *operator)
{
    static const char *const pairs[][2] = {{"<", ">"}, {">", "<"}, {"<=", ">="}, {">=", "<="}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (strcmp(operator, pairs[i][0]) == 0) {
            return pairs[i][1];
        }
    }
    return operator;
}

/* "lower(email)": for people. */
static void compare_expression(struct resolver *self, const struct scope *scope, json_t *node,
                               json_t *left, json_t *right)
{
    json_t *function = tree_is(tree_plain(input_is_constant(left) ? right : left), "FuncCall");
    const char *name = tree_last_name(json_object_get(function, "funcname"));
    const char *what =
        function != NULL ? arena_format(self->arena, "%s()", name) : "a condition on an expression";
    add_filter_of(self, scope, node, "a stored column with the value of the expression", what);
}

/* (a, b) > (?, ?) begins with a range of a; (a, b) = (?, ?) is two equalities. */
static void compare_rows(struct resolver *self, const struct scope *scope, json_t *node,
                         const char *operator, json_t * left, json_t *right)
{
    json_t *columns = json_object_get(left, "args");
    json_t *values = json_object_get(right, "args");
    json_t *column = NULL;
    size_t at = 0;
    if (json_array_size(columns) != json_array_size(values) || json_array_size(columns) == 0) {
        add_filter_of(self, scope, node, "a query for each row", "a comparison of rows");
        return;
    }
    bool equal = strcmp(operator, "=") == 0;
    bool several = json_array_size(columns) > 1;
    const char *first = several && strcmp(operator, "<") == 0   ? "<="
                        : several && strcmp(operator, ">") == 0 ? ">="
                                                                :
                                                                operator;
    json_array_foreach(columns, at, column)
    {
        struct workload_reference field;
        json_t *reference = column_of(column);
        if (reference == NULL || !input_is_constant(tree_list_at(values, at))) {
            add_filter_of(self, scope, node, "a query for each row", "a comparison of rows");
        } else if (at == 0 || equal) {
            compare_with_constant(self, scope, reference, first, tree_list_at(values, at));
        } else if (resolver_column(self, scope, reference, &field)) {
            add_test(self, WORKLOAD_FILTER, field, NULL);
        }
    }
}

/* 1 = 0; of parameters it is not known. */
static bool are_different_literals(json_t *left, json_t *right)
{
    static const char *const kinds[] = {"ival", "sval"};
    json_t *one = tree_is(tree_plain(left), "A_Const");
    json_t *other = tree_is(tree_plain(right), "A_Const");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        json_t *value = json_object_get(one, kinds[i]);
        json_t *second = json_object_get(other, kinds[i]);
        if (value != NULL && second != NULL) {
            return !json_equal(value, second);
        }
    }
    return false;
}

static void where_compare(struct resolver *self, const struct scope *scope, json_t *node,
                          const char *operator, json_t * left, json_t *right)
{
    json_t *left_column = column_of(left);
    json_t *right_column = column_of(right);
    json_t *left_row = tree_is(left, "RowExpr");
    json_t *right_row = tree_is(right, "RowExpr");
    if (left_row != NULL && right_row != NULL) {
        compare_rows(self, scope, node, operator, left_row, right_row);
    } else if (is_null_literal(left) || is_null_literal(right)) {
        never_true(self, "a comparison with NULL");
    } else if (left_column != NULL && right_column != NULL) {
        compare_columns(self, scope, node, operator, left_column, right_column);
    } else if (left_column != NULL && input_is_constant(right)) {
        compare_with_constant(self, scope, left_column, operator, right);
    } else if (right_column != NULL && input_is_constant(left)) {
        compare_with_constant(self, scope, right_column, turned(operator), left);
    } else if (!input_is_constant(left) || !input_is_constant(right)) {
        compare_expression(self, scope, node, left, right);
    } else if (strcmp(operator, "=") == 0 && are_different_literals(left, right)) {
        never_true(self, "a comparison of two constants");
    }
}

/* ---------------------------------------------------------------- IN, LIKE, BETWEEN */

/* (a, b) IN ((?, ?), (?, ?)): so many values of a, and b is a filter. */
static bool in_rows(struct resolver *self, const struct scope *scope, json_t *row, json_t *items)
{
    json_t *columns = json_object_get(row, "args");
    json_t *column = NULL;
    size_t at = 0;
    struct buffer fields = {0};
    json_array_foreach(columns, at, column)
    {
        struct workload_reference field;
        json_t *reference = column_of(column);
        if (reference != NULL && resolver_column(self, scope, reference, &field)) {
            buffer_append(&fields, &field, sizeof field);
        }
    }
    const struct workload_reference *list =
        (const struct workload_reference *)(const void *)fields.data;
    bool all = fields.length > 0 && fields.length / sizeof *list == json_array_size(columns);
    for (at = 0; all && at < json_array_size(columns); at++) {
        if (at == 0) {
            add_in(self, list[at], (double)json_array_size(items));
        } else {
            add_test(self, WORKLOAD_FILTER, list[at], NULL);
        }
    }
    buffer_free(&fields);
    return all;
}

static void in_list(struct resolver *self, const struct scope *scope, json_t *node, json_t *left,
                    json_t *right)
{
    struct workload_reference field;
    json_t *column = column_of(left);
    json_t *items = json_object_get(tree_is(right, "List"), "items");
    bool any = strcmp(tree_text(node, "kind"), "AEXPR_OP_ANY") == 0;
    bool equal = strcmp(tree_last_name(json_object_get(node, "name")), "=") == 0;
    json_t *array = tree_is(tree_plain(right), "A_ArrayExpr");
    items = array != NULL ? json_object_get(array, "elements") : items;
    json_t *row = tree_is(left, "RowExpr");
    if (row != NULL && equal && input_is_constant(right) && in_rows(self, scope, row, items)) {
        return;
    }
    if (column == NULL || !input_is_constant(right) || !equal) {
        add_filter_of(self, scope, node, "a query for each value",
                      equal ? "IN on an expression" : "NOT IN");
    } else if (resolver_column(self, scope, column, &field)) {
        size_t count = json_array_size(items);
        bool cut = count == 1 && self->dotted; /* IN (...) of a digest */
        add_in(self, field, (any && array == NULL) || cut ? UNKNOWN_IN_VALUES : (double)count);
    }
}

static void like(struct resolver *self, const struct scope *scope, json_t *node, json_t *left,
                 json_t *right)
{
    struct workload_reference field;
    json_t *column = column_of(left);
    json_t *literal = json_object_get(tree_is(tree_plain(right), "A_Const"), "sval");
    const char *pattern = tree_text(literal, "sval");
    size_t first = strcspn(pattern, "%_");
    bool folds = strcmp(tree_text(node, "kind"), "AEXPR_ILIKE") == 0;
    bool negative = tree_last_name(json_object_get(node, "name"))[0] == '!';
    if (column == NULL || !input_is_constant(right)) {
        add_filter_of(self, scope, node, search_index, "LIKE on an expression");
    } else if (!resolver_column(self, scope, column, &field)) {
        return;
    } else if (literal != NULL && pattern[first] == '\0' && !folds && !negative) {
        add_test(self, WORKLOAD_EQUAL, field, NULL);
    } else if (literal != NULL && first > 0 && !folds && !negative) {
        add_range(self, field, NULL, WORKLOAD_AT_LEAST | WORKLOAD_BELOW);
    } else {
        const char *shown = negative          ? "NOT LIKE"
                            : folds           ? "ILIKE"
                            : literal == NULL ? "LIKE with a pattern that is not known"
                                              : "LIKE '%x%'";
        add_test(self, WORKLOAD_FILTER, field, NULL);
        resolver_searches(self, search_index, "%s on %s", shown, resolver_show(self, field));
    }
}

static void between(struct resolver *self, const struct scope *scope, json_t *node, json_t *left,
                    json_t *right)
{
    struct workload_reference field;
    json_t *column = column_of(left);
    bool negative = strncmp(tree_text(node, "kind"), "AEXPR_NOT", 9) == 0;
    if (column == NULL || !input_is_constant(right) || negative) {
        add_filter_of(self, scope, node, "a stored column with the value",
                      negative ? "NOT BETWEEN" : "BETWEEN on an expression");
    } else if (resolver_column(self, scope, column, &field)) {
        add_range(self, field, NULL, WORKLOAD_AT_LEAST | WORKLOAD_AT_MOST);
    }
}

static void operation(struct resolver *self, const struct scope *scope, json_t *node)
{
    static const struct {
        const char *kind;
        void (*read)(struct resolver *self, const struct scope *scope, json_t *node, json_t *left,
                     json_t *right);
    } kinds[] = {{"AEXPR_IN", in_list},          {"AEXPR_OP_ANY", in_list},
                 {"AEXPR_LIKE", like},           {"AEXPR_ILIKE", like},
                 {"AEXPR_BETWEEN", between},     {"AEXPR_BETWEEN_SYM", between},
                 {"AEXPR_NOT_BETWEEN", between}, {"AEXPR_NOT_BETWEEN_SYM", between}};
    const char *kind = tree_text(node, "kind");
    json_t *left = json_object_get(node, "lexpr");
    json_t *right = json_object_get(node, "rexpr");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].kind, kind) == 0) {
            kinds[i].read(self, scope, node, left, right);
            return;
        }
    }
    bool is_distinction = strcmp(kind, "AEXPR_NOT_DISTINCT") == 0;
    if (is_distinction && (is_null_literal(left) || is_null_literal(right))) {
        add_filter_of(self, scope, node, "a stored flag that says so, as a part of a key",
                      "IS NOT DISTINCT FROM NULL");
    } else if (strcmp(kind, "AEXPR_OP") == 0) {
        where_compare(self, scope, node, tree_last_name(json_object_get(node, "name")), left,
                      right);
    } else if (is_distinction) {
        where_compare(self, scope, node, "=", left, right);
    } else {
        add_filter_of(self, scope, node, "a stored column with the value",
                      "a condition on an expression");
    }
}

/* ---------------------------------------------------------------- OR, NOT, NULL */

/* a = 1 OR a = 2 OR a IN (3, 4): how many values of one column; 0: it is another thing. */
static size_t equal_values(struct resolver *self, const struct scope *scope, json_t *node,
                           struct workload_reference *field)
{
    json_t *operation_node = tree_is(node, "A_Expr");
    json_t *column = column_of(json_object_get(operation_node, "lexpr"));
    json_t *value = json_object_get(operation_node, "rexpr");
    const char *kind = tree_text(operation_node, "kind");
    bool equal = strcmp(tree_last_name(json_object_get(operation_node, "name")), "=") == 0;
    if (column == NULL || !equal || !input_is_constant(value) ||
        !resolver_column(self, scope, column, field)) {
        return 0;
    }
    return strcmp(kind, "AEXPR_OP") == 0 ? 1
           : strcmp(kind, "AEXPR_IN") == 0
               ? json_array_size(json_object_get(tree_is(value, "List"), "items"))
               : 0;
}

static void either(struct resolver *self, const struct scope *scope, json_t *node, json_t *sides)
{
    struct workload_reference field = {GRAPH_NONE, 0};
    struct buffer fields = {0};
    json_t *side = NULL;
    size_t at = 0;
    size_t values = 0;
    bool one_column = true;
    json_array_foreach(sides, at, side)
    {
        struct workload_reference here = {GRAPH_NONE, 0};
        size_t count = equal_values(self, scope, side, &here);
        one_column = one_column && count > 0 && (at == 0 || reference_is(here, field));
        field = here;
        values += count;
    }
    if (one_column && resolver_goes_on(self)) {
        add_in(self, field, (double)values);
        return;
    }
    resolver_collect(self, scope, node, &fields);
    if (resolver_goes_on(self) && fields.length > 0) {
        const struct workload_reference *list =
            (const struct workload_reference *)(const void *)fields.data;
        bool several = fields.length / sizeof *list > 1;
        add_filters(self, &fields);
        resolver_searches(self, "a query for each side, whose results are put together",
                          "OR over %s%s%s", resolver_show(self, list[0]), several ? " and " : "",
                          several ? resolver_show(self, list[1]) : "");
    }
    buffer_free(&fields);
}

static void lacks(struct resolver *self)
{
    resolver_unserved(self, "a flag or a counter on the row, which writes keep up to date",
                      "rows that have no match in another table");
}

static void negation(struct resolver *self, const struct scope *scope, json_t *argument)
{
    struct workload_reference field;
    json_t *column = tree_is(argument, "ColumnRef");
    if (tree_is(argument, "SubLink") != NULL) {
        lacks(self);
    } else if (column != NULL) {
        if (resolver_column(self, scope, column, &field)) {
            add_test(self, WORKLOAD_EQUAL, field, "false");
        }
    } else {
        add_filter_of(self, scope, argument, "a stored column with the result", "NOT");
    }
}

static void null_test(struct resolver *self, const struct scope *scope, json_t *node)
{
    struct workload_reference field;
    json_t *argument = json_object_get(node, "arg");
    json_t *column = column_of(argument);
    bool null = strcmp(tree_text(node, "nulltesttype"), "IS_NULL") == 0;
    if (column == NULL) {
        add_filter_of(self, scope, argument, "a stored column with the result",
                      null ? "IS NULL" : "IS NOT NULL");
    } else if (resolver_column(self, scope, column, &field)) {
        if (null && resolver_alias(self, field.alias)->optional) {
            lacks(self);
            return;
        }
        add_test(self, WORKLOAD_FILTER, field, NULL);
        resolver_searches(self, "a stored flag that says so, as a part of a key", "%s on %s",
                          null ? "IS NULL" : "IS NOT NULL", resolver_show(self, field));
    }
}

static void truth_test(struct resolver *self, const struct scope *scope, json_t *node)
{
    struct workload_reference field;
    json_t *argument = json_object_get(node, "arg");
    json_t *column = tree_is(argument, "ColumnRef");
    const char *type = tree_text(node, "booltesttype");
    bool is_true = strcmp(type, "IS_TRUE") == 0;
    if (column == NULL || (!is_true && strcmp(type, "IS_FALSE") != 0)) {
        add_filter_of(self, scope, argument, "a stored column with the result", "IS NOT");
    } else if (resolver_column(self, scope, column, &field)) {
        add_test(self, WORKLOAD_EQUAL, field, is_true ? "true" : "false");
    }
}

static void subquery(struct resolver *self, const struct scope *scope, json_t *link)
{
    const char *type = tree_text(link, "subLinkType");
    json_t *select = tree_is(json_object_get(link, "subselect"), "SelectStmt");
    json_t *operator= json_object_get(link, "operName");
    bool equal = json_array_size(operator) == 0 || strcmp(tree_last_name(operator), "=") == 0;
    if (strcmp(type, "EXISTS_SUBLINK") == 0) {
        resolver_semi_join(self, scope, select, NULL);
    } else if (strcmp(type, "ANY_SUBLINK") == 0 && equal) {
        resolver_semi_join(self, scope, select, json_object_get(link, "testexpr"));
    } else {
        resolver_unserved(self, "a query of its own, whose result goes into this one",
                          "a subquery in WHERE");
    }
}

void resolver_condition(struct resolver *self, const struct scope *scope, json_t *node)
{
    struct workload_reference field;
    json_t *body = NULL;
    if (node == NULL || !resolver_goes_on(self)) {
        return;
    }
    if ((body = tree_is(node, "BoolExpr")) != NULL) {
        const char *kind = tree_text(body, "boolop");
        json_t *arguments = json_object_get(body, "args");
        json_t *argument = NULL;
        size_t at = 0;
        if (strcmp(kind, "OR_EXPR") == 0) {
            either(self, scope, node, arguments);
        } else if (strcmp(kind, "NOT_EXPR") == 0) {
            negation(self, scope, tree_list_at(arguments, 0));
        } else {
            json_array_foreach(arguments, at, argument)
            {
                resolver_condition(self, scope, argument);
            }
        }
    } else if ((body = tree_is(node, "A_Expr")) != NULL) {
        operation(self, scope, body);
    } else if ((body = tree_is(node, "NullTest")) != NULL) {
        null_test(self, scope, body);
    } else if ((body = tree_is(node, "BooleanTest")) != NULL) {
        truth_test(self, scope, body);
    } else if ((body = tree_is(node, "SubLink")) != NULL) {
        subquery(self, scope, body);
    } else if ((body = tree_is(node, "ColumnRef")) != NULL) {
        if (resolver_column(self, scope, body, &field)) {
            add_test(self, WORKLOAD_EQUAL, field, "true");
        }
    } else if (tree_is(node, "FuncCall") != NULL &&
               strcmp(tree_last_name(json_object_get(tree_is(node, "FuncCall"), "funcname")),
                      "match_against") == 0) {
        add_filter_of(self, scope, node, search_index, "full-text search");
    } else if (!input_is_constant(node)) {
        add_filter_of(self, scope, node, "a stored column with the result",
                      "a condition on an expression");
    } else if ((body = json_object_get(tree_is(node, "A_Const"), "boolval")) != NULL &&
               !tree_flag(body, "boolval")) {
        never_true(self, "FALSE");
    }
}
