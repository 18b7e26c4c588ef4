/* The frame of a SELECT, in a dialect of this file's own. */
#include "connectors/sql/request.h"
#include "support.h"
#include <string.h>

static const struct schema_column owner_columns[] = {{.name = "id"}, {.name = "name"}};
static const struct schema_column cat_columns[] = {
    {.name = "cat"}, {.name = "owner"}, {.name = "tag"}};
static const char *const id[] = {"id"};
static const char *const cat[] = {"cat"};
static const char *const owner[] = {"owner"};
static const char *const tag[] = {"tag"};
static const char *const name[] = {"name"};
static const char *const nothing[] = {"nmae"};
static const struct schema_table tables[] = {{.name = "cats",
                                              .columns = cat_columns,
                                              .column_count = 3,
                                              .primary_key = {cat, 1},
                                              .primary_key_not_null = true},
                                             {.name = "owners",
                                              .columns = owner_columns,
                                              .column_count = 2,
                                              .primary_key = {id, 1},
                                              .primary_key_not_null = true}};
static const struct schema schema = {.tables = tables, .table_count = 2};
static const struct schema_table query = {
    .kind = SCHEMA_QUERY, .columns = cat_columns, .column_count = 2};

/* ---------------------------------------------------------------- the dialect */

struct writing {
    struct sql_request base;
    uint32_t types;
    struct sql_select out;
};

static const struct schema_table *table_of(const struct sql_request *request, int32_t join)
{
    return sql_request_table(request, join)->schema;
}

static enum status catalog(struct sql_database *self, const struct schema **known,
                           struct error *error)
{
    (void)self;
    (void)error;
    *known = &schema;
    return STATUS_OK;
}

static enum status find(struct sql_database *self, const char *wanted, struct sql_table *table)
{
    (void)self;
    for (uint32_t i = 0; i < schema.table_count; i++) {
        if (strcmp(tables[i].name, wanted) == 0) {
            table->schema = &tables[i];
            return STATUS_OK;
        }
    }
    return STATUS_END;
}

static enum status describe_query(struct sql_request *request, struct sql_table *table)
{
    (void)request;
    table->schema = &query;
    return STATUS_OK;
}

static void make_types(struct sql_request *request, uint32_t count)
{
    ((struct writing *)request)->types = count;
}

static void append_table(struct buffer *out, const struct sql_database *self, const char *table)
{
    (void)self;
    buffer_format(out, "[%s]", table);
}

static bool append_column(struct sql_request *request, int32_t join, const char *column)
{
    const struct schema_table *table = table_of(request, join);
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, column) == 0) {
            buffer_format(&request->out->sql, "%d.%s", join, column);
            return true;
        }
    }
    return false;
}

static enum status append_result(struct sql_request *request, const struct read_column *wanted)
{
    return wanted->presence ? sql_request_presence(request, wanted)
                            : sql_request_column(request, wanted->join, wanted->name);
}

static void append_extra(struct sql_request *request)
{
    buffer_append_string(&request->out->sql, ", extra");
}

static enum status append_equal(struct sql_request *request, uint32_t join, uint32_t part,
                                const char *alias)
{
    const struct read_join *asked = &request->asked->joins[join];
    if (sql_request_column(request, asked->from, asked->from_columns.names[part]) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_format(&request->out->sql, "=%s.", alias);
    return sql_request_column(request, (int32_t)join, asked->columns.names[part]);
}

static enum status append_first_partner(struct sql_request *request, uint32_t join)
{
    sql_request_begin_join(request, join, false);
    buffer_append_string(&request->out->sql, "first ");
    return sql_request_equals(request, join, "_x");
}

static void append_row_key(struct sql_request *request, int32_t join)
{
    buffer_format(&request->out->sql, "key %d", join);
}

static enum status append_order(struct sql_request *request, const struct read_order *order)
{
    enum status status = sql_request_column(request, order->join, order->name);
    buffer_append_string(&request->out->sql, order->descending ? " down" : " up");
    return status;
}

static enum status append_span(struct sql_request *request, const struct span *span)
{
    buffer_format(&request->out->sql, " WHERE %s", span->printable);
    return STATUS_OK;
}

static const struct sql_request_dialect dialect = {
    .truth = "yes",
    .present = " is there",
    .describe_query = describe_query,
    .make_types = make_types,
    .append_column = append_column,
    .append_result = append_result,
    .append_extra = append_extra,
    .append_equal = append_equal,
    .append_first_partner = append_first_partner,
    .append_row_key = append_row_key,
    .append_order = append_order,
    .append_span = append_span,
};

static const struct sql_quoting quoting = {.append_table = append_table};
static const struct sql_dialect words = {.container = "house",
                                         .compare_names = strcmp,
                                         .quoting = &quoting,
                                         .catalog = catalog,
                                         .find = find};
static struct sql_database database = {.dialect = &words, .shown = "db", .schema = "of cats"};

static struct error error;

static enum status write(struct writing *writing, const struct read_request *asked)
{
    static const struct span span = {.printable = "half"};
    error_clear(&error);
    *writing = (struct writing){.base = {.dialect = &dialect,
                                         .database = &database,
                                         .asked = asked,
                                         .arena = arena_create(0),
                                         .out = &writing->out,
                                         .error = &error}};
    assert_non_null(writing->base.arena);
    return sql_request_write(&writing->base, &span);
}

static void assert_written(const struct read_request *asked, const char *expected)
{
    struct writing writing;
    assert_int_equal(write(&writing, asked), STATUS_OK);
    assert_buffer(&writing.out.sql, expected);
    assert_int_equal(writing.types, writing.out.column_count);
    buffer_free(&writing.out.sql);
    arena_destroy(writing.base.arena);
}

static void assert_refused(const struct read_request *asked, enum error_code code,
                           const char *object, const char *message, const char *hint)
{
    struct writing writing;
    assert_int_equal(write(&writing, asked), STATUS_FAILED);
    assert_int_equal(error.code, code);
    assert_string_equal(error.object, object);
    assert_string_equal(error.message, message);
    assert_string_equal(error.hint, hint);
    assert_null(writing.out.sql.data);
    arena_destroy(writing.base.arena);
}

/* ---------------------------------------------------------------- tests */

static void columns_that_are_not_named_are_all(void **state)
{
    (void)state;
    const struct read_column some[] = {{-1, "tag", false}, {-1, NULL, true}};
    struct read_request asked = {.name = "s", .table = "cats"};
    struct writing writing;
    assert_int_equal(write(&writing, &asked), STATUS_OK);
    assert_true(writing.out.documents);
    assert_int_equal(writing.out.column_count, 3);
    assert_string_equal(writing.out.names[2], "tag");
    assert_buffer(&writing.out.sql,
                  "SELECT -1.cat, -1.owner, -1.tag, extra FROM [cats] AS _t0 WHERE half");
    buffer_free(&writing.out.sql);
    arena_destroy(writing.base.arena);
    asked.columns = some;
    asked.column_count = 2;
    assert_written(&asked, "SELECT -1.tag, yes, extra FROM [cats] AS _t0 WHERE half");
}

static void joins_go_down_up_and_to_a_first_partner(void **state)
{
    (void)state;
    const struct read_join joins[] = {
        {-1, "cats", {id, 1}, {owner, 1}, true},
        {0, "owners", {owner, 1}, {id, 1}, false},
        {0, "owners", {tag, 1}, {name, 1}, false},
    };
    const struct read_column columns[] = {{0, "cat", false}, {2, NULL, true}};
    const struct read_order orders[] = {{0, "tag", true}, {1, "name", false}};
    struct read_request asked = {.name = "s",
                                 .table = "owners",
                                 .joins = joins,
                                 .join_count = 3,
                                 .columns = columns,
                                 .column_count = 2,
                                 .orders = orders,
                                 .order_count = 2};
    assert_written(&asked, "SELECT 0.cat, 2.name is there, extra FROM [owners] AS _t0 "
                           "JOIN [cats] AS _t1 ON -1.id=_t1.0.owner "
                           "LEFT JOIN [owners] AS _t2 ON 0.owner=_t2.1.id "
                           "LEFT JOIN [owners] AS _t3 ON first 0.tag=_x.2.name WHERE half");
    asked.ordered = true;
    asked.joins = joins;
    asked.join_count = 2;
    asked.column_count = 1;
    assert_written(&asked, "SELECT 0.cat, extra FROM [owners] AS _t0 "
                           "JOIN [cats] AS _t1 ON -1.id=_t1.0.owner "
                           "LEFT JOIN [owners] AS _t2 ON 0.owner=_t2.1.id WHERE half "
                           "ORDER BY key -1, 0.tag down, 1.name up, key 0");
}

static void a_query_is_read_by_the_key_that_is_named(void **state)
{
    (void)state;
    struct read_request asked = {
        .name = "s", .query = "SELECT 1 -- one; \n; ", .root_key = {cat, 1}, .ordered = true};
    assert_written(&asked, "SELECT -1.cat, -1.owner, extra FROM (SELECT 1 -- one\n) AS _t0 "
                           "WHERE half ORDER BY -1.cat");
    asked.root_key.count = 0;
    assert_refused(&asked, ERROR_PLAN_INVALID, "s", "its rows have no key to be ordered by",
                   "name the columns that identify a row in the entity's key");
    asked.query = NULL;
    assert_refused(&asked, ERROR_INTERNAL, "s", "a request without a root", "");
}

static void the_nearest_name_is_told(void **state)
{
    (void)state;
    const struct read_column columns[] = {{-1, "tga", false}};
    struct read_request asked = {.name = "s", .table = "cat"};
    assert_refused(&asked, ERROR_PLAN_INVALID, "db", "there is no table cat in the house of cats",
                   "did you mean cats?");
    asked.table = "cats";
    asked.columns = columns;
    asked.column_count = 1;
    assert_refused(&asked, ERROR_PLAN_INVALID, "cats", "there is no column tga",
                   "did you mean tag?");
    asked.table = NULL;
    asked.query = "SELECT 1";
    assert_refused(&asked, ERROR_PLAN_INVALID, "s", "there is no column tga", "");
}

static void joins_that_can_not_be_are_refused(void **state)
{
    (void)state;
    struct read_join join = {-1, "owners", {owner, 1}, {nothing, 1}, true};
    const struct read_column columns[] = {{1, "id", false}};
    struct read_request asked = {.name = "s", .table = "cats", .joins = &join, .join_count = 1};
    assert_refused(&asked, ERROR_PLAN_INVALID, "owners", "there is no column nmae",
                   "did you mean name?");
    join.columns = (struct column_list){id, 1};
    asked.columns = columns;
    asked.column_count = 1;
    assert_refused(&asked, ERROR_INTERNAL, "s", "a column of a join that is not there", "");
    join.from_columns.count = 0;
    assert_refused(&asked, ERROR_INTERNAL, "s", "join 0 is malformed", "");
    join.from_columns.count = 1;
    join.from = 0;
    assert_refused(&asked, ERROR_INTERNAL, "s", "join 0 is malformed", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_that_are_not_named_are_all),
        cmocka_unit_test(joins_go_down_up_and_to_a_first_partner),
        cmocka_unit_test(a_query_is_read_by_the_key_that_is_named),
        cmocka_unit_test(the_nearest_name_is_told),
        cmocka_unit_test(joins_that_can_not_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
