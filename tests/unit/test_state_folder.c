/* The state folder: its one holder, the run that it knows of, and a reset. */
#include "base/file.h"
#include "engine/folder/state_folder.h"
#include "support.h"
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_folder_has_one_holder(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct error error;
    struct state_folder folder;
    const char *path = test_folder();
    assert_int_equal(state_folder_name(&folder, path, arena, &error), STATUS_OK);
    assert_int_equal(state_folder_lock(&folder, &error), STATUS_OK);
    pid_t child = fork();
    if (child == 0) {
        struct state_folder other;
        int wrong = state_folder_name(&other, path, arena, &error) != STATUS_OK ||
                    state_folder_lock(&other, &error) != STATUS_FAILED ||
                    error.code != ERROR_RUN_HELD;
        _exit(wrong);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    state_folder_unlock(&folder);
    assert_int_equal(state_folder_lock(&folder, &error), STATUS_OK);
    state_folder_unlock(&folder);
    arena_destroy(arena);
}

static void local_runs_come_back(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct error error;
    struct state_folder folder;
    struct local_run read;
    const char *const patterns[] = {"a*", "\"b\""};
    const struct local_run run = {.id = "20260131T235959Z-abc123",
                                  .kind = "copy",
                                  .begun = true,
                                  .source = "a.db",
                                  .target = "b.db",
                                  .include = patterns,
                                  .include_count = 2,
                                  .existing = 3,
                                  .max_rejects = 0,
                                  .plan_rejects = 12,
                                  .time_zone = "Europe/Oslo"};
    assert_int_equal(state_folder_name(&folder, test_folder(), arena, &error), STATUS_OK);
    assert_int_equal(local_run_read(&folder, arena, &read, &error), STATUS_END);
    assert_int_equal(local_run_write(&folder, &run, &error), STATUS_OK);
    assert_int_equal(local_run_read(&folder, arena, &read, &error), STATUS_OK);
    assert_string_equal(read.id, run.id);
    assert_true(read.begun);
    assert_false(read.finished);
    assert_null(read.plan_path);
    assert_int_equal(read.include_count, 2);
    assert_string_equal(read.include[1], "\"b\"");
    assert_int_equal(read.max_rejects, 0);
    assert_int_equal(read.plan_rejects, 12);
    assert_string_equal(read.time_zone, "Europe/Oslo");
    assert_int_equal(read.existing, 3);

    assert_int_equal(state_folder_make_rooms(&folder, &error), STATUS_OK);
    assert_int_equal(state_folder_retire(&folder, run.id, false, &error), STATUS_OK);
    assert_int_equal(local_run_read(&folder, arena, &read, &error), STATUS_END);
    assert_true(file_exists(file_join(arena, folder.runs, "20260131T235959Z-abc123/run.json")));

    static const char *const damaged[] = {"",
                                          "{",
                                          "{}",
                                          "{\"format\":1}",
                                          "{\"format\":1,\"run\":\"../x\",\"kind\":\"copy\"}",
                                          "{\"format\":9,\"run\":\"x\",\"kind\":\"copy\"}"};
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        assert_int_equal(
            file_write_atomic(folder.run_file, damaged[i], strlen(damaged[i]), NULL, &error),
            STATUS_OK);
        assert_int_equal(local_run_read(&folder, arena, &read, &error), STATUS_FAILED);
        assert_int_equal(error_exit_status(&error), 5);
    }
    arena_destroy(arena);
}

static void a_reset_takes_only_what_is_ours(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct error error;
    struct buffer kept = {0};
    struct state_folder folder;
    const char *path = test_folder();
    assert_int_equal(state_folder_name(&folder, path, arena, &error), STATUS_OK);
    assert_int_equal(state_folder_make_rooms(&folder, &error), STATUS_OK);
    const char *mine = file_join(arena, path, "mine.txt");
    assert_int_equal(file_write_atomic(mine, "x", 1, NULL, &error), STATUS_OK);
    assert_int_equal(run_state_reset(path, &kept, &error), STATUS_OK);
    assert_true(file_exists(mine));
    assert_false(file_exists(folder.rejects));
    unlink(mine);
    assert_int_equal(state_folder_make_rooms(&folder, &error), STATUS_OK);
    assert_int_equal(run_state_reset(path, &kept, &error), STATUS_OK);
    assert_false(file_exists(path));
    buffer_free(&kept);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_has_one_holder),
        cmocka_unit_test(local_runs_come_back),
        cmocka_unit_test(a_reset_takes_only_what_is_ours),
    };
    return cmocka_run_group_tests_name("state_folder", tests, NULL, NULL);
}
