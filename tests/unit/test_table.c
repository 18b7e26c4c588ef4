/* Tables of text: as wide as their cells, or broken to fit a terminal. */
#include "support.h"

#include "observe/table.h"
#include <string.h>

static struct table *make(void)
{
    static const char *const titles[] = {"entity", ">records", "what it does", NULL};
    struct table *table = table_create(titles);
    table_add_text(table, "PlaylistTracksPage");
    table_add_count(table, 1763);
    table_add_text(table, "all of chinook-customer-orders and more");
    table_add_text(table, "Été");
    table_add_count(table, -1);
    table_add_text(table, "");
    table_rule(table);
    table_add_text(table, "total");
    table_add_count(table, 12);
    table_add_text(table, "x");
    return table;
}

static void expect(uint32_t columns, const char *text)
{
    struct buffer out = {0};
    struct table *table = make();
    table_fit(table, columns);
    table_append(table, false, &out);
    assert_string_equal(buffer_string(&out), text);
    buffer_free(&out);
    table_destroy(table);
}

static void cells_make_the_width(void **state)
{
    (void)state;
    static const char text[] =
        "entity              records  what it does\n"
        "PlaylistTracksPage    1,763  all of chinook-customer-orders and more\n"
        "Été                       ?\n"
        "------------------  -------  ---------------------------------------\n"
        "total                    12  x\n";
    expect(0, text);
    expect(68, text);
}

static void the_widest_text_is_broken_first(void **state)
{
    (void)state;
    expect(46, "entity              records  what it does\n"
               "PlaylistTracksPage    1,763  all of chinook-\n"
               "                             customer-orders\n"
               "                             and more\n"
               "Été                       ?\n"
               "------------------  -------  -----------------\n"
               "total                    12  x\n");
}

static void names_without_spaces_are_broken_too(void **state)
{
    (void)state;
    expect(36, "entity         records  what it does\n"
               "PlaylistTrack    1,763  all of\n"
               "sPage                   chinook-\n"
               "                        customer-\n"
               "                        orders and\n"
               "                        more\n"
               "Été                  ?\n"
               "-------------  -------  ------------\n"
               "total               12  x\n");
}

/* Below what its columns need at least it stays that wide, and numbers are never broken. */
static void there_is_a_least_width(void **state)
{
    (void)state;
    struct buffer narrow = {0};
    struct buffer least = {0};
    struct table *table = make();
    table_fit(table, 1);
    table_append(table, false, &narrow);
    table_fit(table, 6 + 2 + 7 + 2 + 6);
    table_append(table, false, &least);
    assert_string_equal(buffer_string(&narrow), buffer_string(&least));
    assert_non_null(strstr(buffer_string(&narrow), "1,763"));
    table_destroy(table);
    buffer_free(&narrow);
    buffer_free(&least);
}

static void wide_characters_are_whole(void **state)
{
    (void)state;
    static const char *const titles[] = {"name", NULL};
    struct buffer out = {0};
    struct table *table = table_create(titles);
    table_add_text(table, "静かな静かな静かな静かな");
    table_fit(table, 13);
    table_append(table, false, &out);
    assert_string_equal(buffer_string(&out), "name\n静かな静かな\n静かな静かな\n");
    buffer_free(&out);
    table_destroy(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_make_the_width),
        cmocka_unit_test(the_widest_text_is_broken_first),
        cmocka_unit_test(names_without_spaces_are_broken_too),
        cmocka_unit_test(there_is_a_least_width),
        cmocka_unit_test(wide_characters_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
