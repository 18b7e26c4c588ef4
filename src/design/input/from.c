/* FROM: tables, joins, subqueries and common table expressions that can be put in their place. */
#include "design/input/resolver.h"
#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 16 };

static const char *const own_query = "a query of its own, whose result goes into this one";

static void add_item(struct scope *scope, struct scope_item item)
{
    buffer_append(&scope->items, &item, sizeof item);
}

/* ---------------------------------------------------------------- subqueries in their place */

/* A SELECT whose rows are those of its FROM and WHERE: no GROUP BY, LIMIT, UNION …; `what` is
 * wrong with another, "GROUP BY". */
static bool resolver_is_simple(const struct resolver *self, json_t *select, bool distinct_is_fine,
                               const char **what)
{
    static const struct {
        const char *member;
        const char *what;
    } clauses[] = {{"groupClause", "GROUP BY"}, {"havingClause", "HAVING"},
                   {"limitCount", "LIMIT"},     {"limitOffset", "OFFSET"},
                   {"valuesLists", "VALUES"},   {"distinctClause", "DISTINCT"}};
    (void)self;
    *what = NULL;
    if (strcmp(tree_text(select, "op"), "SETOP_NONE") != 0) {
        *what = "UNION";
    }
    for (size_t i = 0; *what == NULL && i < sizeof clauses / sizeof clauses[0]; i++) {
        bool fine = distinct_is_fine && strcmp(clauses[i].member, "distinctClause") == 0;
        if (!fine && json_object_get(select, clauses[i].member) != NULL) {
            *what = clauses[i].what;
        }
    }
    return *what == NULL;
}

static const char *output_name(json_t *target)
{
    const char *name = tree_text(target, "name");
    json_t *column = tree_is(tree_plain(json_object_get(target, "val")), "ColumnRef");
    return name[0] != '\0' ? name : tree_last_name(json_object_get(column, "fields"));
}

static void add_star(struct resolver *self, const struct scope_item *items, uint32_t count,
                     const char *qualifier, struct buffer *columns)
{
    for (uint32_t i = 0; i < count; i++) {
        if (qualifier != NULL && strcasecmp(items[i].name, qualifier) != 0) {
            continue;
        }
        for (uint32_t at = 0; at < input_scope_item_count(self, &items[i]); at++) {
            const struct scope_column column = input_scope_item_column(self, &items[i], at);
            buffer_append(columns, &column, sizeof column);
        }
    }
}

/* The columns that a subquery gives. */
static void add_outputs(struct resolver *self, const struct scope *scope, json_t *targets,
                        struct buffer *columns)
{
    json_t *node = NULL;
    size_t at = 0;
    uint32_t count = 0;
    const struct scope_item *items = input_scope_items(scope, &count);
    json_array_foreach(targets, at, node)
    {
        json_t *target = tree_is(node, "ResTarget");
        json_t *reference = tree_is(tree_plain(json_object_get(target, "val")), "ColumnRef");
        json_t *parts = json_object_get(reference, "fields");
        size_t length = json_array_size(parts);
        if (length > 0 && tree_is(tree_list_at(parts, length - 1), "A_Star") != NULL) {
            add_star(self, items, count,
                     length > 1 ? tree_string(tree_list_at(parts, length - 2)) : NULL, columns);
            continue;
        }
        struct scope_column column = {.name = arena_copy_string(self->arena, output_name(target)),
                                      .field = {GRAPH_NONE, 0}};
        struct buffer unused = {0};
        if (reference == NULL) {
            resolver_collect(self, scope, json_object_get(target, "val"), &unused);
        } else if (!resolver_column(self, scope, reference, &column.field)) {
            column.field.alias = GRAPH_NONE;
        }
        buffer_free(&unused);
        buffer_append(columns, &column, sizeof column);
    }
}

/* Its FROM and WHERE become parts of the outer statement. */
static void put_in(struct resolver *self, const struct scope *outer, json_t *select,
                   struct buffer *columns)
{
    const char *what = NULL;
    bool aggregates = self->aggregates;
    bool windows = self->windows;
    struct scope scope = {.outer = outer};
    if (self->depth == DEPTH_MAX || !resolver_is_simple(self, select, false, &what)) {
        resolver_unserved(self, own_query, "a subquery with %s",
                          what != NULL ? what : "many others in it");
        return;
    }
    self->depth++;
    resolver_add_common_tables(self, json_object_get(select, "withClause"));
    resolver_from(self, &scope, json_object_get(select, "fromClause"));
    resolver_condition(self, &scope, json_object_get(select, "whereClause"));
    self->aggregates = false;
    self->windows = false;
    if (resolver_goes_on(self)) {
        add_outputs(self, &scope, json_object_get(select, "targetList"), columns);
    }
    if (self->aggregates || self->windows) {
        resolver_unserved(self, own_query, "a subquery with %s",
                          self->windows ? "a window function" : "an aggregate");
    }
    self->aggregates = aggregates;
    self->windows = windows;
    self->depth--;
    buffer_free(&scope.items);
}

static void name_columns(struct resolver *self, json_t *names, struct buffer *columns)
{
    struct scope_column *list = (struct scope_column *)(void *)columns->data;
    json_t *node = NULL;
    size_t at = 0;
    json_array_foreach(names, at, node)
    {
        if (at < columns->length / sizeof *list) {
            list[at].name = arena_copy_string(self->arena, tree_string(node));
        }
    }
}

static void add_subquery(struct resolver *self, struct scope *scope, json_t *select,
                         const char *name, json_t *names)
{
    struct buffer columns = {0};
    struct scope_item item = {.name = arena_copy_string(self->arena, name), .alias = GRAPH_NONE};
    put_in(self, scope->outer, select, &columns);
    name_columns(self, names, &columns);
    item.column_count = (uint32_t)(columns.length / sizeof(struct scope_column));
    item.columns = (const struct scope_column *)(const void *)arena_copy(
        self->arena, columns.length > 0 ? columns.data : "", columns.length);
    buffer_free(&columns);
    add_item(scope, item);
}

/* ---------------------------------------------------------------- WITH */

void resolver_add_common_tables(struct resolver *self, json_t *with)
{
    json_t *node = NULL;
    size_t at = 0;
    if (tree_flag(with, "recursive")) {
        resolver_unserved(self, "one query for each level", "a recursive query");
        return;
    }
    json_array_foreach(json_object_get(with, "ctes"), at, node)
    {
        json_t *table = tree_is(node, "CommonTableExpr");
        const struct common_table made = {
            tree_text(table, "ctename"), tree_is(json_object_get(table, "ctequery"), "SelectStmt")};
        if (made.select == NULL) {
            resolver_unserved(self, "statements of their own", "a statement that writes in WITH");
            return;
        }
        buffer_append(&self->common_tables, &made, sizeof made);
    }
}

/* One that is named inside itself is that of the schema. */
static json_t *common_table(const struct resolver *self, const char *name, size_t *place)
{
    const struct common_table *tables =
        (const struct common_table *)(const void *)self->common_tables.data;
    for (size_t i = self->common_tables.length / sizeof *tables; i > 0; i--) {
        if (strcasecmp(tables[i - 1].name, name) == 0) {
            *place = i - 1;
            return tables[i - 1].select;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- tables */

static bool is_system(const char *space, const char *name)
{
    static const char *const spaces[] = {
        "pg_catalog", "information_schema", "mysql", "performance_schema", "sys", NULL};
    for (const char *const *at = spaces; *at != NULL; at++) {
        if (strcasecmp(space, *at) == 0) {
            return true;
        }
    }
    return strncasecmp(name, "pg_", 3) == 0 || strncasecmp(name, "sqlite_", 7) == 0 ||
           strcasecmp(name, "dual") == 0;
}

/* The table's name, or "schema.table" where the graph has it so. */
static uint32_t find_entity(const struct resolver *self, const char *space, const char *name)
{
    uint32_t entity = GRAPH_NONE;
    if (space[0] != '\0') {
        const char *full = arena_format(self->arena, "%s.%s", space, name);
        entity = graph_find_entity(self->graph, full, strlen(full));
    }
    return entity != GRAPH_NONE ? entity : graph_find_entity(self->graph, name, strlen(name));
}

static void add_table(struct resolver *self, struct scope *scope, json_t *table)
{
    const char *space = tree_text(table, "schemaname");
    const char *name = tree_text(table, "relname");
    const char *shown = tree_text(json_object_get(table, "alias"), "aliasname");
    size_t place = 0;
    json_t *select = space[0] == '\0' ? common_table(self, name, &place) : NULL;
    shown = shown[0] != '\0' ? shown : name;
    if (select != NULL) {
        size_t length = self->common_tables.length;
        self->common_tables.length = place * sizeof(struct common_table); /* no circles */
        struct buffer hidden = self->common_tables;
        self->common_tables = (struct buffer){0};
        buffer_append_buffer(&self->common_tables, &hidden);
        add_subquery(self, scope, select, shown, NULL);
        buffer_free(&self->common_tables);
        self->common_tables = hidden;
        self->common_tables.length = length;
        return;
    }
    uint32_t entity = find_entity(self, space, name);
    if (entity == GRAPH_NONE) {
        self->system_tables |= is_system(space, name);
        resolver_fail(self, tree_location(table), "the schema has no table %s", name);
        return;
    }
    uint32_t alias = resolver_add_alias(self, shown, entity);
    add_item(scope, (struct scope_item){.name = resolver_alias(self, alias)->name, .alias = alias});
}

/* ---------------------------------------------------------------- joins */

static void add_node(struct resolver *self, struct scope *scope, json_t *node);

static bool equal_names(struct resolver *self, const struct scope *scope, uint32_t middle,
                        const char *name)
{
    uint32_t count = 0;
    struct scope_column left;
    struct scope_column right;
    const struct scope_item *items = input_scope_items(scope, &count);
    uint32_t first = self->join_begin;
    if (!input_scope_find(self, items + first, middle - first, name, &left) ||
        !input_scope_find(self, items + middle, count - middle, name, &right)) {
        return false;
    }
    if (left.field.alias != GRAPH_NONE && right.field.alias != GRAPH_NONE) {
        resolver_add_equality(self, left.field, right.field);
    }
    return true;
}

static void add_using(struct resolver *self, const struct scope *scope, uint32_t middle,
                      json_t *names)
{
    json_t *name = NULL;
    size_t at = 0;
    json_array_foreach(names, at, name)
    {
        if (!equal_names(self, scope, middle, tree_string(name))) {
            resolver_fail(self, 0, "USING (%s): a side has no such column", tree_string(name));
        }
    }
}

/* All names that both sides have. */
static void add_natural(struct resolver *self, const struct scope *scope, uint32_t middle)
{
    uint32_t count = 0;
    const struct scope_item *items = input_scope_items(scope, &count);
    for (uint32_t i = middle; i < count; i++) {
        for (uint32_t at = 0; at < input_scope_item_count(self, &items[i]); at++) {
            equal_names(self, scope, middle, input_scope_item_column(self, &items[i], at).name);
        }
    }
}

static void make_optional(struct resolver *self, uint32_t first, uint32_t end)
{
    for (uint32_t alias = first; alias < end; alias++) {
        resolver_alias(self, alias)->optional = true;
    }
}

static void add_join(struct resolver *self, struct scope *scope, json_t *join)
{
    const char *type = tree_text(join, "jointype");
    bool outer = self->in_outer_join;
    uint32_t begin = self->join_begin;
    uint32_t first = 0;
    uint32_t middle = 0;
    uint32_t left_alias = resolver_alias_count(self);
    input_scope_items(scope, &first);
    add_node(self, scope, json_object_get(join, "larg"));
    uint32_t right_alias = resolver_alias_count(self);
    input_scope_items(scope, &middle);
    add_node(self, scope, json_object_get(join, "rarg"));
    if (strcmp(type, "JOIN_FULL") == 0) {
        resolver_unserved(self, "two queries, whose results are put together", "FULL JOIN");
    }
    if (!resolver_goes_on(self)) {
        return;
    }
    self->join_begin = first;
    self->in_outer_join = strcmp(type, "JOIN_INNER") != 0;
    if (strcmp(type, "JOIN_LEFT") == 0) {
        make_optional(self, right_alias, resolver_alias_count(self));
    } else if (strcmp(type, "JOIN_RIGHT") == 0) {
        make_optional(self, left_alias, right_alias);
    }
    if (tree_flag(join, "isNatural")) {
        add_natural(self, scope, middle);
    }
    add_using(self, scope, middle, json_object_get(join, "usingClause"));
    resolver_condition(self, scope, json_object_get(join, "quals"));
    self->in_outer_join = outer;
    self->join_begin = begin;
}

static void add_node(struct resolver *self, struct scope *scope, json_t *node)
{
    json_t *body = NULL;
    if (!resolver_goes_on(self)) {
        return;
    }
    if ((body = tree_is(node, "RangeVar")) != NULL) {
        add_table(self, scope, body);
    } else if ((body = tree_is(node, "JoinExpr")) != NULL) {
        add_join(self, scope, body);
    } else if ((body = tree_is(node, "RangeSubselect")) != NULL) {
        json_t *alias = json_object_get(body, "alias");
        json_t *select = tree_is(json_object_get(body, "subquery"), "SelectStmt");
        if (tree_flag(body, "lateral")) {
            resolver_unserved(self, own_query, "LATERAL");
            return;
        }
        add_subquery(self, scope, select, tree_text(alias, "aliasname"),
                     json_object_get(alias, "colnames"));
    } else {
        resolver_unserved(self, "rows that the application makes", "a function in FROM");
    }
}

void resolver_from(struct resolver *self, struct scope *scope, json_t *list)
{
    json_t *node = NULL;
    size_t at = 0;
    json_array_foreach(list, at, node)
    {
        add_node(self, scope, node);
    }
}

/* ---------------------------------------------------------------- semi-joins */

/* The column that the subquery is compared by. */
static bool inner_column(struct resolver *self, const struct scope *scope, json_t *select,
                         struct workload_reference *field)
{
    json_t *targets = json_object_get(select, "targetList");
    json_t *target = tree_is(tree_list_at(targets, 0), "ResTarget");
    json_t *column = tree_is(tree_plain(json_object_get(target, "val")), "ColumnRef");
    return json_array_size(targets) == 1 && column != NULL &&
           tree_is(tree_list_at(json_object_get(column, "fields"), 0), "A_Star") == NULL &&
           resolver_column(self, scope, column, field);
}

void resolver_semi_join(struct resolver *self, const struct scope *scope, json_t *select,
                        json_t *test)
{
    const char *what = NULL;
    struct scope inner = {.outer = scope};
    struct workload_reference left;
    struct workload_reference right;
    uint32_t first = resolver_alias_count(self);
    json_t *column = tree_is(tree_plain(test), "ColumnRef");
    if (self->depth == DEPTH_MAX || !resolver_is_simple(self, select, true, &what) ||
        (test != NULL && column == NULL)) {
        resolver_unserved(self, own_query, "a subquery with %s",
                          what != NULL ? what : "an expression");
        return;
    }
    self->depth++;
    resolver_from(self, &inner, json_object_get(select, "fromClause"));
    resolver_condition(self, &inner, json_object_get(select, "whereClause"));
    if (resolver_goes_on(self) && test != NULL) {
        if (!inner_column(self, &inner, select, &right)) {
            resolver_unserved(self, own_query, "a subquery with an expression");
        } else if (resolver_column(self, scope, column, &left)) {
            resolver_add_equality(self, left, right);
        }
    }
    for (uint32_t alias = first; alias < resolver_alias_count(self); alias++) {
        buffer_append(&self->semi_joined, &alias, sizeof alias);
    }
    self->depth--;
    buffer_free(&inner.items);
}
