/* What a history and a folder make of each other: a case is acts, files, an order, and the plan. */
#include "evolve/folder/version.h"
#include "evolve/run/order.h"
#include "support.h"
#include "support_arena.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "1 2! R:v 5B": files of versions; "!" is another text than before, "-" has no way back, "B" a
 * baseline, "2<3" requires 3. */
static struct migration_set files_of(const char *text)
{
    struct migration_set set = {.folder = "m", .format = "transhume"};
    set.items = arena_allocate_zeroed(arena, 32, sizeof(*set.items));
    char *copy = arena_copy_string(arena, text);
    for (char *word; (word = strsep(&copy, " ")) != NULL;) {
        struct migration *item = &set.items[set.count];
        size_t digits = strspn(word, "0123456789");
        if (word[0] == '\0') {
            continue;
        }
        set.count++;
        bool repeats = strncmp(word, "R:", 2) == 0;
        const char *marks = repeats ? word + 3 : word + digits;
        item->kind = repeats                      ? MIGRATION_REPEATABLE
                     : strchr(marks, 'B') != NULL ? MIGRATION_BASELINE
                                                  : MIGRATION_VERSIONED;
        item->version = repeats ? NULL : arena_copy(arena, word, digits);
        item->key = repeats ? NULL : migration_version_key(item->version, arena);
        item->name = repeats ? arena_copy(arena, word + 2, 1) : "n";
        item->up.text = strchr(marks, '!') != NULL ? "new" : "old";
        item->up.path = arena_copy_string(arena, word);
        item->up.length = 3;
        migration_checksum(item->up.text, 3, item->up.checksum);
        if (!repeats && strchr(marks, '-') == NULL) {
            item->down.text = "back";
            item->down.path = item->up.path;
            migration_checksum("back", 4, item->down.checksum);
        }
        const char *requires = strchr(marks, '<');
        if (requires != NULL) {
            const char **names = arena_allocate_zeroed(arena, 1, sizeof(*names));
            names[0] = requires + 1;
            item->up.options.requires = (struct column_list){names, 1};
        }
    }
    return set;
}

/* "+1 -1 ~2 x3 b4 m5 +R:v B6 X7": up, down, broken off, failed, baseline, marked; a baseline that
 * was broken off, that failed. */
static struct schema_history history_of(const char *text, const struct migration_set *set)
{
    struct schema_history history = {.arena = arena};
    char *copy = arena_copy_string(arena, text);
    char old[MIGRATION_CHECKSUM_SIZE];
    struct error error;
    uint64_t number = 0;
    migration_checksum("old", 3, old);
    for (char *word; (word = strsep(&copy, " ")) != NULL;) {
        if (word[0] == '\0') {
            continue;
        }
        bool repeats = strncmp(word + 1, "R:", 2) == 0;
        struct history_row row = {.number = ++number,
                                  .action = word[0] == '-'                   ? HISTORY_DOWN
                                            : strchr("bBX", word[0]) != NULL ? HISTORY_BASELINE
                                            : word[0] == 'm'                 ? HISTORY_MARK
                                            : repeats                        ? HISTORY_REPEAT
                                                                             : HISTORY_UP,
                                  .state = strchr("~B", word[0]) != NULL   ? HISTORY_RUNNING
                                           : strchr("xX", word[0]) != NULL ? HISTORY_FAILED
                                                                           : HISTORY_DONE,
                                  .version = repeats ? NULL : word + 1,
                                  .name = repeats ? word + 3 : "n",
                                  .checksum = old};
        assert_int_equal(schema_history_add(&history, &row, &error), STATUS_OK);
    }
    schema_history_match(&history, set);
    return history;
}

static const char *plan_of(const char *acts, const char *files, const struct schema_order *order)
{
    struct migration_set set = files_of(files);
    struct schema_history history = history_of(acts, &set);
    struct schema_plan plan;
    struct error error = {0};
    struct buffer out = {0};
    enum status status = schema_plan_make(&history, &set, order, arena, &plan, &error);
    for (uint32_t i = 0; status == STATUS_OK && i < plan.count; i++) {
        const struct schema_act *act = &plan.acts[i];
        buffer_format(&out, "%s%s%s%s%s", i > 0 ? " " : "", history_action_name(act->action),
                      act->resumes ? "~" : "", act->version != NULL ? act->version : "R:",
                      act->version != NULL ? "" : act->name);
    }
    if (status != STATUS_OK) {
        buffer_format(&out, "%s: %s", error_describe(error.code)->name, error.message);
    }
    const char *shown = arena_copy_string(arena, buffer_string(&out));
    buffer_free(&out);
    return shown;
}

static void test_ways_up(void **state)
{
    (void)state;
    static const struct {
        const char *acts;
        const char *files;
        struct schema_order order;
        const char *plan;
    } cases[] = {
        {"", "", {0}, ""},
        {"", "1 2 10 R:v", {0}, "up1 up2 up10 repeatR:v"},
        {"+1 +2", "1 2 3", {0}, "up3"},
        {"+001", "1 2", {0}, "up2"},
        {"+1 -1", "1", {0}, "up1"},
        {"x1", "1", {0}, "up1"},
        {"+1 x1", "1", {0}, ""},
        {"m1", "1", {0}, ""},
        {"+1", "1 2 3 R:v", {.most = 1}, "up2"},
        {"+1", "1 2 3 R:v", {.to = "2"}, "up2"},
        {"+1 +R:v", "1 R:v", {0}, ""},
        {"+1 +R:v", "1 R:v!", {0}, "repeatR:v"},
        {"+1 ~2", "1 2! 3", {0}, "up~2 up3"},
        {"+1 ~2", "1 3", {0}, "migration-refused: it was broken off, and its file is gone"},
        {"+1 +3",
         "1 2 3 4",
         {0},
         "migration-refused: 2 is not applied, though higher versions are"},
        {"+1 +3", "1 2 3 4", {.out_of_order = true}, "up2 up4"},
        {"+1 +3", "1 2<1 3 4", {0}, "up2 up4"},
        {"+1",
         "1 2<7",
         {0},
         "migration-refused: what 2<7 requires is not applied: see `transhume schema status`"},
        {"+1", "1! 2", {0}, "migration-refused: 1! was changed after it was applied"},
        {"b5", "1 5 6", {0}, "up6"},
        {"b5", "6", {0}, "up6"},
        {"", "1 2 2B 3", {0}, "baseline2 up3"},
        {"", "1 2 2B 3", {.to = "1"}, "up1"},
        {"+1", "1 2 2B 3", {0}, "up2 up3"},
        {"B2", "1 2 2B 3", {0}, "baseline~2 up3"},
        {"X2", "1 2 2B 3", {0}, "baseline2 up3"},
        {"+1 -1", "1 2 2B 3", {0}, "up1 up2 up3"},
        {"+1", "1", {.to = "9"}, "usage: there is no version 9 in m"},
        {"+1 +2", "2", {0}, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *found = plan_of(cases[i].acts, cases[i].files, &cases[i].order);
        if (strcmp(found, cases[i].plan) != 0) {
            fail_msg("[%s] [%s]: %s, not %s", cases[i].acts, cases[i].files, found, cases[i].plan);
        }
    }
}

static void test_ways_back(void **state)
{
    (void)state;
    static const struct {
        const char *acts;
        const char *files;
        struct schema_order order;
        const char *plan;
    } cases[] = {
        {"+1 +2", "1 2", {0}, "down2"},
        {"+1 +2 +10", "1 2 10", {.most = 2}, "down10 down2"},
        {"+1 +2 +3", "1 2 3", {.to = "1"}, "down3 down2"},
        {"+1 +2 +3", "1 2 3", {.to = "0"}, "down3 down2 down1"},
        {"+1 +2", "1 2!", {0}, "down2"},
        {"+1 +2", "1", {0}, "down2"},
        {"b1 +2",
         "1 2",
         {.to = "0"},
         "migration-refused: it is the baseline, from which there is no way back"},
        {"+1 ~2", "1 2", {0}, "migration-refused: its way up was broken off"},
        {"", "1", {0}, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct schema_order order = cases[i].order;
        order.down = true;
        const char *found = plan_of(cases[i].acts, cases[i].files, &order);
        if (strcmp(found, cases[i].plan) != 0) {
            fail_msg("[%s] [%s]: %s, not %s", cases[i].acts, cases[i].files, found, cases[i].plan);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ways_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ways_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
