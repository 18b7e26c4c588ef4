/* The catalogue of a SQLite file: everything a schema can say, under the most awkward names. */
#include "support_sqlite_source.h"
#include <string.h>

static const char everything[] =
    "CREATE TABLE parent(id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT COLLATE NOCASE UNIQUE,"
    " price NUMERIC(10,2) DEFAULT 1.5, flag BOOLEAN, big DEC, CHECK (price > 0), CONSTRAINT named CHECK "
    "(code <> 'it''s, (odd)' /* ) */));"
    "CREATE TABLE child(a INT, b TEXT NOT NULL, p INT CONSTRAINT link REFERENCES parent ON DELETE "
    "CASCADE DEFERRABLE INITIALLY DEFERRED, q TEXT, PRIMARY KEY(b, a),"
    " FOREIGN KEY(q) REFERENCES PARENT(code) ON UPDATE SET NULL NOT DEFERRABLE);"
    "CREATE TABLE keyed(x TEXT COLLATE NOCASE, y INT, z BLOB, PRIMARY KEY(y DESC, x)) WITHOUT ROWID;"
    "CREATE TABLE strict_one(i INT PRIMARY KEY, t TEXT, any_value ANY, r REAL) STRICT;"
    "CREATE TABLE made(a INT, b AS (a * 2), c TEXT GENERATED ALWAYS AS (a || 'x') STORED);"
    "CREATE TABLE hides(rowid TEXT, _rowid_ TEXT, v);"
    "CREATE TABLE hides_all(rowid, _rowid_, oid);"
    "CREATE TABLE \"we\"\"ird\n name 'x'\"(\"a b\"\"c\" TEXT, \"select\" INT);"
    "CREATE INDEX plain ON child(p, b COLLATE NOCASE DESC);"
    "CREATE UNIQUE INDEX part ON child(q) WHERE q IS NOT NULL;"
    "CREATE INDEX made_up ON child(a + 1, lower(b));"
    "CREATE VIEW seen AS SELECT id, code AS name FROM parent;"
    "CREATE VIEW broken AS SELECT * FROM parent;"
    "CREATE TRIGGER fired AFTER INSERT ON child BEGIN SELECT 1; END;"
    "CREATE VIRTUAL TABLE words USING fts5(body);"
    "CREATE TABLE _transhume_run(x);"
    "INSERT INTO parent(id) VALUES(41);";

struct catalog_test {
    struct source_test test;
    struct schema *schema;
};

static void describe(struct catalog_test *catalog, const char *sql)
{
    source_open(&catalog->test, sqlite_file(sql));
    assert_int_equal(catalog->test.database->connector->catalog->describe(
                         catalog->test.database, &catalog->schema, &catalog->test.error),
                     STATUS_OK);
}

static void finish(struct catalog_test *catalog)
{
    arena_destroy(catalog->schema->arena);
    source_close(&catalog->test);
}

static const struct schema_table *table_of(const struct catalog_test *catalog, const char *name)
{
    const struct schema_table *table = schema_find_table(catalog->schema, name);
    assert_non_null(table);
    return table;
}

static const struct schema_column *column_of(const struct schema_table *table, const char *name)
{
    int position = schema_find_column(table, name);
    assert_true(position >= 0);
    return &table->columns[position];
}

static const struct schema_index *index_of(const struct schema_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (strcmp(table->indexes[i].name, name) == 0) {
            return &table->indexes[i];
        }
    }
    fail_msg("no index %s", name);
    return NULL;
}

static const struct schema_object *object_of(const struct catalog_test *catalog, const char *name)
{
    for (uint32_t i = 0; i < catalog->schema->object_count; i++) {
        if (strcmp(catalog->schema->objects[i].name, name) == 0) {
            return &catalog->schema->objects[i];
        }
    }
    fail_msg("no object %s", name);
    return NULL;
}

static void assert_list(struct column_list list, const char *expected)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < list.count; i++) {
        buffer_format(&text, "%s%s", i > 0 ? "," : "", list.names[i]);
    }
    assert_string_equal(buffer_string(&text), expected);
    buffer_free(&text);
}

static void test_tables(void **state)
{
    (void)state;
    struct catalog_test catalog;
    struct buffer names = {0};
    describe(&catalog, everything);
    for (uint32_t i = 0; i < catalog.schema->table_count; i++) {
        buffer_format(&names, "%s;", catalog.schema->tables[i].name);
    }
    assert_string_equal(buffer_string(&names),
                        "broken;child;hides;hides_all;keyed;made;parent;seen;strict_one;"
                        "we\"ird\n name 'x';words_config;words_content;words_data;words_docsize;"
                        "words_idx;");
    buffer_free(&names);
    assert_string_equal(table_of(&catalog, "words_data")->belongs_to, "words");
    assert_null(table_of(&catalog, "child")->belongs_to);
    assert_int_equal(table_of(&catalog, "seen")->kind, SCHEMA_VIEW);
    assert_int_equal(table_of(&catalog, "child")->kind, SCHEMA_TABLE);
    assert_non_null(strstr(table_of(&catalog, "keyed")->native_sql, "WITHOUT ROWID"));
    const struct schema_table *weird = table_of(&catalog, "we\"ird\n name 'x'");
    assert_string_equal(weird->columns[0].name, "a b\"c");
    assert_string_equal(weird->columns[1].name, "select");
    finish(&catalog);
}

static void test_columns(void **state)
{
    (void)state;
    struct catalog_test catalog;
    describe(&catalog, everything);
    const struct schema_table *parent = table_of(&catalog, "parent");
    const struct schema_column *id = column_of(parent, "id");
    assert_true(id->identity && id->not_null && !id->type.dynamic);
    assert_int_equal(id->type.kind, VALUE_INT64);
    const struct schema_column *price = column_of(parent, "price");
    assert_int_equal(price->type.kind, VALUE_DECIMAL);
    assert_int_equal(price->type.precision, 10);
    assert_int_equal(price->type.scale, 2);
    assert_true(price->type.dynamic);
    assert_string_equal(price->type.native, "NUMERIC(10,2)");
    assert_string_equal(price->default_text, "1.5");
    assert_int_equal(column_of(parent, "flag")->type.kind, VALUE_BOOL);
    assert_int_equal(column_of(parent, "big")->type.kind, VALUE_DECIMAL);
    assert_int_equal(column_of(parent, "big")->type.precision, 0);
    assert_string_equal(column_of(parent, "code")->collation, "NOCASE");
    assert_null(column_of(parent, "price")->collation);
    assert_false(column_of(parent, "code")->not_null);
    const struct schema_table *made = table_of(&catalog, "made");
    assert_int_equal(column_of(made, "a")->generated, GENERATED_NO);
    assert_int_equal(column_of(made, "b")->generated, GENERATED_VIRTUAL);
    assert_int_equal(column_of(made, "c")->generated, GENERATED_STORED);
    const struct schema_table *strict = table_of(&catalog, "strict_one");
    assert_false(column_of(strict, "t")->type.dynamic);
    assert_true(column_of(strict, "any_value")->type.dynamic);
    assert_true(column_of(strict, "i")->not_null);
    assert_false(column_of(strict, "i")->identity); /* INT, not INTEGER */
    finish(&catalog);
}

static void test_keys(void **state)
{
    (void)state;
    struct catalog_test catalog;
    describe(&catalog, everything);
    assert_list(table_of(&catalog, "child")->primary_key, "b,a");
    assert_false(table_of(&catalog, "child")->primary_key_not_null);
    assert_string_equal(table_of(&catalog, "child")->row_key, "rowid");
    assert_false(table_of(&catalog, "child")->row_key_stable);
    assert_list(table_of(&catalog, "keyed")->primary_key, "y,x");
    assert_true(table_of(&catalog, "keyed")->primary_key_not_null);
    assert_null(table_of(&catalog, "keyed")->row_key);
    assert_true(table_of(&catalog, "parent")->row_key_stable);
    assert_string_equal(table_of(&catalog, "hides")->row_key, "oid");
    assert_null(table_of(&catalog, "hides_all")->row_key);
    assert_int_equal(table_of(&catalog, "hides_all")->primary_key.count, 0);
    assert_null(table_of(&catalog, "seen")->row_key);
    finish(&catalog);
}

static void test_indexes(void **state)
{
    (void)state;
    struct catalog_test catalog;
    describe(&catalog, everything);
    const struct schema_table *child = table_of(&catalog, "child");
    const struct schema_index *plain = index_of(child, "plain");
    assert_list(plain->columns, "p,b");
    assert_false(plain->unique || plain->partial || plain->implied);
    assert_string_equal(plain->native_sql, "CREATE INDEX plain ON child(p, b COLLATE NOCASE DESC)");
    const struct schema_index *part = index_of(child, "part");
    assert_true(part->unique && part->partial && !part->implied);
    assert_list(index_of(child, "made_up")->columns, ",");
    const struct schema_index *key = index_of(child, "sqlite_autoindex_child_1");
    assert_true(key->unique && key->implied);
    assert_null(key->native_sql);
    struct column_list code = {.names = (const char *[]){"code"}, .count = 1};
    assert_false(schema_is_unique_key(table_of(&catalog, "parent"), code)); /* may be NULL */
    finish(&catalog);
}

static void test_constraints(void **state)
{
    (void)state;
    struct catalog_test catalog;
    describe(&catalog, everything);
    const struct schema_table *parent = table_of(&catalog, "parent");
    assert_int_equal(parent->check_count, 2);
    assert_string_equal(parent->checks[0], "price > 0");
    assert_string_equal(parent->checks[1], "code <> 'it''s, (odd)' /* ) */");
    const struct schema_table *child = table_of(&catalog, "child");
    assert_int_equal(child->foreign_key_count, 2);
    const struct schema_foreign_key *link = &child->foreign_keys[0];
    assert_string_equal(link->name, "link");
    assert_list(link->columns, "p");
    assert_string_equal(link->references, "parent");
    assert_list(link->referenced_columns, "id");
    assert_string_equal(link->on_delete, "CASCADE");
    assert_null(link->on_update);
    assert_true(link->deferrable);
    const struct schema_foreign_key *second = &child->foreign_keys[1];
    assert_null(second->name);
    assert_string_equal(second->references, "parent");
    assert_list(second->referenced_columns, "code");
    assert_string_equal(second->on_update, "SET NULL");
    assert_false(second->deferrable);
    finish(&catalog);
}

static void test_objects(void **state)
{
    (void)state;
    struct catalog_test catalog;
    describe(&catalog, everything);
    assert_int_equal(object_of(&catalog, "seen")->kind, SCHEMA_OBJECT_VIEW);
    const struct schema_object *trigger = object_of(&catalog, "fired");
    assert_int_equal(trigger->kind, SCHEMA_OBJECT_TRIGGER);
    assert_string_equal(trigger->table, "child");
    assert_non_null(strstr(trigger->native_sql, "AFTER INSERT"));
    const struct schema_object *words = object_of(&catalog, "words");
    assert_int_equal(words->kind, SCHEMA_OBJECT_OTHER);
    assert_non_null(strstr(words->not_carried, "virtual"));
    const struct schema_object *sequence = object_of(&catalog, "parent");
    assert_int_equal(sequence->kind, SCHEMA_OBJECT_SEQUENCE);
    assert_non_null(strstr(sequence->native_sql, "VALUES('parent', 41)"));
    for (uint32_t i = 0; i < catalog.schema->object_count; i++) {
        assert_non_null(catalog.schema->objects[i].not_carried);
        assert_null(strstr(catalog.schema->objects[i].name, "words_"));
    }
    finish(&catalog);
}

/* Rows alone change no fingerprint, not even through AUTOINCREMENT; the schema does. */
static void test_fingerprint(void **state)
{
    (void)state;
    const char *path = sqlite_file(everything);
    char fingerprints[3][33];
    static const char *const changes[] = {"", "INSERT INTO parent DEFAULT VALUES",
                                          "CREATE INDEX n ON "
                                          "parent(flag)"};
    for (int i = 0; i < 3; i++) {
        struct catalog_test catalog;
        sqlite_file_execute(path, changes[i]);
        source_open(&catalog.test, path);
        assert_int_equal(catalog.test.database->connector->catalog->describe(
                             catalog.test.database, &catalog.schema, &catalog.test.error),
                         STATUS_OK);
        schema_fingerprint(catalog.schema, false, fingerprints[i]);
        finish(&catalog);
    }
    assert_string_equal(fingerprints[0], fingerprints[1]);
    assert_string_not_equal(fingerprints[0], fingerprints[2]);
}

static void test_view_that_cannot_be_read(void **state)
{
    (void)state;
    struct catalog_test catalog;
    describe(&catalog,
             "CREATE TABLE t(a); CREATE VIEW v AS SELECT a FROM t; PRAGMA writable_schema=1;"
             "UPDATE sqlite_schema SET sql = 'CREATE VIEW v AS SELECT other FROM gone' "
             "WHERE name = 'v'");
    assert_null(schema_find_table(catalog.schema, "v"));
    bool said = false;
    for (uint32_t i = 0; i < catalog.schema->object_count; i++) {
        said |= catalog.schema->objects[i].kind == SCHEMA_OBJECT_OTHER &&
                strstr(catalog.schema->objects[i].not_carried, "gone") != NULL;
    }
    assert_true(said);
    assert_non_null(schema_find_table(catalog.schema, "t"));
    finish(&catalog);
}

static void describe_query(struct catalog_test *catalog, const char *query, enum status expected,
                           struct schema_table *table)
{
    enum status status = catalog->test.database->connector->catalog->describe_query(
        catalog->test.database, query, catalog->test.arena, table, &catalog->test.error);
    if (status != expected) {
        fail_msg("%s gives %d: %s", query, status, catalog->test.error.message);
    }
    if (status == STATUS_FAILED) {
        assert_int_equal(catalog->test.error.code, ERROR_PLAN_INVALID);
        assert_true(catalog->test.error.hint[0] != '\0');
    }
}

static void test_queries(void **state)
{
    (void)state;
    struct catalog_test catalog;
    struct schema_table table;
    static const char *const refused[] = {
        "",
        "-- nothing",
        "DELETE FROM parent",
        "SELECT 1; DELETE FROM parent",
        "SELECT 1; SELECT 2",
        "PRAGMA journal_mode=WAL",
        "ATTACH 'x.db' AS x",
        "SELECT * FROM nowhere",
        "SELECT ?1",
        "SELECT :name",
        "EXPLAIN SELECT 1",
        "BEGIN",
        "SELECT load_extension('x')",
        "CREATE TABLE x(y)",
        "WITH x AS (SELECT 1) DELETE FROM parent",
        "SELECT 1 FROM",
        "VACUUM INTO 'copy.db'",
    };
    describe(&catalog, everything);
    describe_query(&catalog,
                   "SELECT p.id, p.price * 2 AS twice, p.*, c.q FROM parent p JOIN child c "
                   "ON c.p = p.id ORDER BY 1 ; ",
                   STATUS_OK, &table);
    assert_int_equal(table.kind, SCHEMA_QUERY);
    assert_int_equal(table.column_count, 8);
    assert_string_equal(table.columns[0].name, "id");
    assert_int_equal(table.columns[0].type.kind, VALUE_INT64);
    assert_string_equal(table.columns[1].name, "twice");
    assert_true(table.columns[1].type.dynamic);
    assert_string_not_equal(table.columns[2].name, "id"); /* made unique */
    assert_int_equal(table.columns[4].type.kind, VALUE_DECIMAL);
    describe_query(&catalog, "WITH x(a) AS (VALUES(1),(2)) SELECT a FROM x -- the end", STATUS_OK,
                   &table);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        describe_query(&catalog, refused[i], STATUS_FAILED, &table);
    }
    finish(&catalog);
}

static void test_create_text(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct create_facts facts;
    static const char *const texts[] = {"",
                                        "CREATE TABLE",
                                        "CREATE TABLE t(",
                                        "CREATE TABLE t(a CHECK (",
                                        "CREATE TABLE t(a CHECK",
                                        "CREATE TABLE t(a '",
                                        "CREATE TABLE t(a /*",
                                        "CREATE TABLE t(a CONSTRAINT",
                                        "((((((((",
                                        "))))))))",
                                        "CREATE TABLE t([a] REFERENCES"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        create_text_read(texts[i], arena, &facts);
    }
    assert_int_equal(facts.foreign_key_count, 1);
    create_text_read(
        "CREATE TABLE t(\"check\" INT, [references] INT, a INT CONSTRAINT \"o\"\"k\" CHECK "
        "(a IN (1,2)) CHECK(length(a) > ')') -- CHECK (no)\n, `b` REFERENCES x)",
        arena, &facts);
    assert_int_equal(facts.check_count, 2);
    assert_string_equal(facts.checks[0], "a IN (1,2)");
    assert_string_equal(facts.checks[1], "length(a) > ')'");
    assert_int_equal(facts.foreign_key_count, 1);
    assert_null(facts.foreign_keys[0].name);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),      cmocka_unit_test(test_columns),
        cmocka_unit_test(test_keys),        cmocka_unit_test(test_indexes),
        cmocka_unit_test(test_constraints), cmocka_unit_test(test_objects),
        cmocka_unit_test(test_fingerprint), cmocka_unit_test(test_view_that_cannot_be_read),
        cmocka_unit_test(test_queries),     cmocka_unit_test(test_create_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
