/* Comparing lists of definitions without a server: who is whom, what is done in which order, and
 * what comments in files say of names. */
#include "connectors/sql/definitions.h"
#include "evolve/diff/diff_internal.h"
#include "support.h"
#include <string.h>

/* ---------------------------------------------------------------- a made-up database */

static enum status word(struct sql_emission *emission, const struct definition *before,
                        const struct definition *after)
{
    struct buffer text = {0};
    const struct definition *item = after != NULL ? after : before;
    buffer_format(&text, "%s %s",
                  before == NULL  ? "create"
                  : after == NULL ? "drop"
                                  : "alter",
                  item->name);
    sql_emit(emission, &text, ALTER_LOCK_NONE);
    return STATUS_OK;
}

static const struct sql_definition_kind kinds[] = {
    {"type", 30, DEFINITION_ALONE, false, word, NULL, word, NULL},
    {"table", 100, DEFINITION_ALONE, true, word, word, word, NULL},
    {"column", 110, DEFINITION_PART, true, word, word, word, NULL},
    {"index", 140, DEFINITION_ATTACHED, false, word, NULL, word, NULL},
    {"view", 200, DEFINITION_ALONE, false, word, word, word, NULL},
    {0},
};

static enum status emit(struct definition_session *session, const struct definition_change *change,
                        struct arena *arena, const struct definition_statement **statements,
                        uint32_t *count, struct error *error)
{
    (void)session;
    struct sql_emission emission = {.change = change, .arena = arena};
    return sql_definitions_emit(kinds, &emission, statements, count, error);
}

static bool disturbs(const struct definition_change *change, const struct definition *user)
{
    return strcmp(change->before->kind, "column") == 0 && strcmp(user->kind, "view") == 0;
}

static const struct definition_functions functions = {.emit = emit, .disturbs = disturbs};

struct line {
    const char *kind;
    const char *name;
    const char *owner;
    const char *fact;
    const char *needs;
};

static struct definitions list_of(struct arena *arena, const struct line *lines, uint32_t count)
{
    struct sql_definitions list = {.arena = arena, .kinds = kinds};
    struct sql_definition_needs needs = {0};
    struct definitions made;
    static const char *const names[] = {"id", "kind", "schema", "table", "name", "owner", "is"};
    for (uint32_t i = 0; i < count; i++) {
        const char *values[] = {lines[i].name, lines[i].kind,  NULL,         lines[i].owner,
                                lines[i].name, lines[i].owner, lines[i].fact};
        sql_definitions_add_row(&list, names, values, 7);
        if (lines[i].needs != NULL) {
            sql_definition_needs_add(&needs, arena, lines[i].name, lines[i].needs);
        }
    }
    sql_definitions_finish(&list, &needs, &made);
    return made;
}

/* The statements in their order, with commas between. */
static void expect(const struct line *from, uint32_t from_count, const struct line *to,
                   uint32_t to_count, const char *expected)
{
    struct arena *arena = arena_create(0);
    struct diff_options options = {0};
    struct error error = {0};
    struct buffer out = {0};
    struct diff_compare compare = {
        .arena = arena,
        .functions = &functions,
        .options = &options,
        .from = list_of(arena, from, from_count),
        .to = list_of(arena, to, to_count),
    };
    assert_int_equal(diff_compare_lists(&compare, &error), STATUS_OK);
    diff_order(&compare);
    for (uint32_t i = 0; i < compare.order_count; i++) {
        const struct definition_statement *statements = NULL;
        uint32_t count = 0;
        struct definition_change change =
            diff_change_of(&compare, &compare.steps[compare.order[i]]);
        assert_int_equal(emit(NULL, &change, arena, &statements, &count, &error), STATUS_OK);
        buffer_format(&out, "%s%s", i > 0 ? ", " : "", statements[0].text);
    }
    assert_string_equal(buffer_string(&out), expected);
    buffer_free(&out);
    arena_destroy(arena);
}

#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof((list)[0])))

static void test_what_stands_on_what(void **state)
{
    (void)state;
    static const struct line empty[1];
    static const struct line full[] = {
        {"view", "v", NULL, "1", "t"},   {"index", "i", "t", "1", "t"},
        {"table", "t", NULL, NULL, "e"}, {"column", "c", "t", "1", "e"},
        {"type", "e", NULL, "1", NULL},
    };
    expect(empty, 0, full, COUNT(full), "create e, create t, create i, create v");
    expect(full, COUNT(full), empty, 0, "drop v, drop t, drop e");
    expect(full, COUNT(full), full, COUNT(full), "");
}

static void test_what_is_disturbed_goes_and_comes_back(void **state)
{
    (void)state;
    static const struct line from[] = {{"table", "t", NULL, NULL, NULL},
                                       {"column", "c", "t", "1", NULL},
                                       {"view", "v", NULL, "1", "c"},
                                       {"view", "w", NULL, "1", "v"}};
    static const struct line to[] = {{"table", "t", NULL, NULL, NULL},
                                     {"column", "c", "t", "2", NULL},
                                     {"view", "v", NULL, "1", "c"},
                                     {"view", "w", NULL, "1", "v"}};
    expect(from, 4, to, 4, "drop w, drop v, alter c, create v, create w");
}

static void test_another_thing_under_the_same_name(void **state)
{
    (void)state;
    static const struct line from[] = {{"table", "d", NULL, NULL, NULL},
                                       {"view", "q", NULL, "1", "d"}};
    static const struct line to[] = {{"view", "d", NULL, "1", NULL}, {"view", "q", NULL, "1", "d"}};
    expect(from, 2, to, 2, "drop q, drop d, create d, create q");
}

/* ---------------------------------------------------------------- names */

static void test_comments_that_rename(void **state)
{
    (void)state;
    static const char text[] = "-- @rename from=old_t\n"
                               "CREATE TABLE \"New T\" (\n"
                               "  id int, -- @renamed from=number\n"
                               "  -- @rename from=\"Old C\"\n"
                               "  c text CHECK (c IN ('a', 'b')),\n"
                               "  CONSTRAINT k CHECK (id > 0) -- @rename from=old_k\n"
                               ");\n"
                               "CREATE INDEX i ON x (a); -- @rename from=old_i\n"
                               "CREATE TABLE plain (a int);\n";
    static const char *const expected[][4] = {
        {"table", NULL, "old_t", "New T"}, {"column", "New T", "number", "id"},
        {"column", "New T", "Old C", "c"}, {"constraint", "New T", "old_k", "k"},
        {"index", NULL, "old_i", "i"},
    };
    struct arena *arena = arena_create(0);
    struct diff_renames renames = {0};
    diff_renames_read(SQL_POSTGRES, text, sizeof text - 1, arena, &renames);
    assert_int_equal(renames.count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_string_equal(renames.items[i].kind, expected[i][0]);
        assert_string_equal(renames.items[i].table != NULL ? renames.items[i].table : "",
                            expected[i][1] != NULL ? expected[i][1] : "");
        assert_string_equal(renames.items[i].old_name, expected[i][2]);
        assert_string_equal(renames.items[i].new_name, expected[i][3]);
    }
    arena_destroy(arena);
}

static void test_texts_of_one_meaning(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    assert_string_equal(
        sql_normal_text(SQL_SQLITE, "CREATE table \"t\"( `A` INT, -- x\n [b c] TEXT DEFAULT 'X')",
                        arena),
        "create table t ( a int , \"b c\" text default 'X' )");
    arena_destroy(arena);
}

static void test_events_that_do_not_run(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *made;
        const char *enabled;
    } cases[] = {
        {"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
         "CREATE EVENT e ON SCHEDULE EVERY 1 DAY  DISABLE DO SELECT 1", "e"},
        {"CREATE EVENT `x y` ON SCHEDULE EVERY 1 DAY ENABLE COMMENT 'do' DO SELECT 1",
         "CREATE EVENT `x y` ON SCHEDULE EVERY 1 DAY  DISABLE  COMMENT 'do' DO SELECT 1", "x y"},
        {"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE ON SLAVE DO SELECT 1",
         "CREATE EVENT e ON SCHEDULE EVERY 1 DAY  DISABLE  DO SELECT 1", NULL},
        {"CREATE TABLE event (a int)", NULL, NULL},
    };
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = {0};
        const char *enabled = NULL;
        bool is_event =
            sql_append_disabled_event(&out, cases[i].text, strlen(cases[i].text), arena, &enabled);
        assert_int_equal(is_event, cases[i].made != NULL);
        if (is_event) {
            assert_string_equal(buffer_string(&out), cases[i].made);
        }
        assert_string_equal(enabled != NULL ? enabled : "",
                            cases[i].enabled != NULL ? cases[i].enabled : "");
        buffer_free(&out);
    }
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_stands_on_what),
        cmocka_unit_test(test_what_is_disturbed_goes_and_comes_back),
        cmocka_unit_test(test_another_thing_under_the_same_name),
        cmocka_unit_test(test_comments_that_rename),
        cmocka_unit_test(test_texts_of_one_meaning),
        cmocka_unit_test(test_events_that_do_not_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
