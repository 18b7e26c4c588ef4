/* Files, locks, failpoints and signals: what touches the system. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/signals.h"
#include "support.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct arena *arena;
static struct error error;

static int set_up(void **state)
{
    (void)state;
    arena = arena_create(0);
    error_clear(&error);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_destroy(arena);
    unsetenv("TRANSHUME_FAILPOINT");
    unsetenv("TRANSHUME_FAILPOINT_COUNT");
    return failpoint_setup(&error) == STATUS_OK ? 0 : -1;
}

static const char *in_folder(const char *folder, const char *name)
{
    return file_join(arena, folder, name);
}

static void assert_contents(const char *path, const char *expected)
{
    char *bytes;
    size_t length;
    assert_int_equal(file_read_all(path, 1000000, arena, &bytes, &length, &error), STATUS_OK);
    assert_int_equal(length, strlen(expected));
    assert_string_equal(bytes, expected);
}

static int count_files(const char *folder)
{
    DIR *listing = opendir(folder);
    int count = 0;
    assert_non_null(listing);
    while (readdir(listing) != NULL) {
        count++;
    }
    closedir(listing);
    return count - 2; /* . and .. */
}

static void a_file_is_replaced_whole(void **state)
{
    (void)state;
    const char *folder = test_folder();
    const char *path = in_folder(folder, "f");
    struct stat facts;
    assert_false(file_exists(path));
    assert_int_equal(file_write_atomic(path, "one", 3, NULL, &error), STATUS_OK);
    assert_contents(path, "one");
    assert_int_equal(file_write_atomic(path, "", 0, NULL, &error), STATUS_OK);
    assert_contents(path, "");
    assert_true(file_exists(path));
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    assert_int_equal(count_files(folder), 1);
    /* a link in its place is replaced, not followed */
    assert_int_equal(unlink(path), 0);
    const char *elsewhere = in_folder(folder, "elsewhere");
    assert_int_equal(file_write_atomic(elsewhere, "kept", 4, NULL, &error), STATUS_OK);
    assert_int_equal(symlink(elsewhere, path), 0);
    assert_int_equal(file_write_atomic(path, "new", 3, NULL, &error), STATUS_OK);
    assert_contents(elsewhere, "kept");
    assert_contents(path, "new");
    assert_int_equal(file_remove_tree(folder, &error), STATUS_OK);
}

static void a_file_in_this_folder_needs_no_slash(void **state)
{
    (void)state;
    char old[4096];
    const char *folder = test_folder();
    assert_non_null(getcwd(old, sizeof(old)));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(file_write_atomic("f", "here", 4, NULL, &error), STATUS_OK);
    assert_contents("f", "here");
    assert_int_equal(chdir(old), 0);
    assert_int_equal(file_remove_tree(folder, &error), STATUS_OK);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    const char *folder = test_folder();
    const char *path = in_folder(folder, "f");
    assert_int_equal(file_write_atomic(path, "old", 3, NULL, &error), STATUS_OK);
    setenv("TRANSHUME_FAILPOINT", "test.rename:enospc", 1);
    assert_int_equal(failpoint_setup(&error), STATUS_OK);
    assert_int_equal(file_write_atomic(path, "new", 3, "test.rename", &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_DISK_FULL);
    assert_contents(path, "old");
    assert_int_equal(count_files(folder), 1);
    assert_int_equal(file_write_atomic(in_folder(folder, "none/f"), "x", 1, NULL, &error),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_STATE_WRITE);
    assert_int_equal(file_write_atomic(folder, "x", 1, NULL, &error), STATUS_FAILED);
    assert_int_equal(file_remove_tree(folder, &error), STATUS_OK);
}

static void reading_is_bounded(void **state)
{
    (void)state;
    const char *folder = test_folder();
    const char *path = in_folder(folder, "f");
    char *bytes;
    size_t length;
    assert_int_equal(file_read_all(path, 10, arena, &bytes, &length, &error), STATUS_END);
    assert_int_equal(file_write_atomic(path, "0123456789", 10, NULL, &error), STATUS_OK);
    assert_int_equal(file_read_all(path, 10, arena, &bytes, &length, &error), STATUS_OK);
    assert_string_equal(bytes, "0123456789");
    assert_int_equal(file_read_all(path, 9, arena, &bytes, &length, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_STATE_INVALID);
    assert_int_equal(file_read_all(folder, 9, arena, &bytes, &length, &error), STATUS_FAILED);
    /* files without a size grow as they are read */
    assert_int_equal(file_read_all("/proc/self/maps", 10000000, arena, &bytes, &length, &error),
                     STATUS_OK);
    assert_true(length > 1000 && strlen(bytes) == length);
    assert_int_equal(file_read_all("/dev/zero", 100000, arena, &bytes, &length, &error),
                     STATUS_FAILED);
    assert_int_equal(file_remove_tree(folder, &error), STATUS_OK);
}

static void folders_are_made_with_their_parents(void **state)
{
    (void)state;
    const char *folder = test_folder();
    const char *deep = in_folder(folder, "a/b//c/");
    struct stat facts;
    assert_int_equal(file_make_folder(deep, &error), STATUS_OK);
    assert_int_equal(file_make_folder(deep, &error), STATUS_OK);
    assert_int_equal(stat(deep, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0700);
    assert_int_equal(file_make_folder("/", &error), STATUS_OK);
    assert_int_equal(file_make_folder("", &error), STATUS_FAILED);
    assert_int_equal(symlink(deep, in_folder(folder, "link")), 0);
    assert_int_equal(file_make_folder(in_folder(folder, "link"), &error), STATUS_FAILED);
    assert_int_equal(file_make_folder(in_folder(folder, "link/d"), &error), STATUS_OK);
    assert_int_equal(file_write_atomic(in_folder(folder, "f"), "", 0, NULL, &error), STATUS_OK);
    assert_int_equal(file_make_folder(in_folder(folder, "f"), &error), STATUS_FAILED);
    assert_int_equal(file_make_folder(in_folder(folder, "f/g"), &error), STATUS_FAILED);
    assert_int_equal(file_sync_folder(folder, &error), STATUS_OK);
    assert_int_equal(file_sync_folder(in_folder(folder, "none"), &error), STATUS_FAILED);
    assert_int_equal(file_remove_tree(folder, &error), STATUS_OK);
    assert_false(file_exists(folder));
}

static void removing_follows_no_links(void **state)
{
    (void)state;
    const char *folder = test_folder();
    const char *inside = in_folder(folder, "inside");
    const char *outside = in_folder(folder, "outside");
    assert_int_equal(file_make_folder(in_folder(inside, "deep/deeper"), &error), STATUS_OK);
    assert_int_equal(file_make_folder(outside, &error), STATUS_OK);
    assert_int_equal(file_write_atomic(in_folder(outside, "f"), "x", 1, NULL, &error), STATUS_OK);
    assert_int_equal(file_write_atomic(in_folder(inside, "deep/f"), "x", 1, NULL, &error),
                     STATUS_OK);
    assert_int_equal(symlink(outside, in_folder(inside, "deep/link")), 0);
    assert_int_equal(symlink(outside, in_folder(folder, "link")), 0);
    assert_int_equal(file_remove_tree(in_folder(folder, "link"), &error), STATUS_FAILED);
    assert_int_equal(file_remove_tree(inside, &error), STATUS_OK);
    assert_false(file_exists(inside));
    assert_contents(in_folder(outside, "f"), "x");
    assert_int_equal(file_remove_tree(inside, &error), STATUS_OK);
    assert_int_equal(file_remove_tree(in_folder(outside, "f"), &error), STATUS_FAILED);
    assert_int_equal(file_remove_tree(folder, &error), STATUS_OK);
}

static void names_become_safe(void **state)
{
    (void)state;
    assert_string_equal(file_safe_name(arena, "Track_1-b.c", 11), "Track_1-b.c");
    assert_string_equal(file_safe_name(arena, "../x", 4), "%2E.%2Fx");
    assert_string_equal(file_safe_name(arena, ".", 1), "%2E");
    assert_string_equal(file_safe_name(arena, "", 0), "%");
    assert_string_equal(file_safe_name(arena, "a\0b%\xC3\xA9 ", 7), "a%00b%25%C3%A9%20");
    char name[400];
    memset(name, 'n', sizeof(name));
    assert_int_equal(strlen(file_safe_name(arena, name, 200)), 200);
    char *cut = file_safe_name(arena, name, 201);
    assert_int_equal(strlen(cut), 200);
    name[300] = 'm';
    assert_string_not_equal(file_safe_name(arena, name, 400), file_safe_name(arena, name, 399));
    memset(name, ' ', sizeof(name));
    assert_true(strlen(file_safe_name(arena, name, 400)) <= 200);
    assert_string_equal(file_join(arena, "a", "b"), "a/b");
    assert_string_equal(file_join(arena, "a/", "b"), "a/b");
    assert_string_equal(file_join(arena, "", "b"), "b");
}

static void a_lock_is_held_by_one_process(void **state)
{
    (void)state;
    const char *folder = test_folder();
    const char *path = in_folder(folder, "lock");
    int descriptor;
    int64_t holder = -1;
    assert_int_equal(file_lock(path, &descriptor, &holder, &error), STATUS_OK);
    pid_t child = fork();
    if (child == 0) {
        int other;
        enum status status = file_lock(path, &other, &holder, &error);
        _exit(status == STATUS_AGAIN && holder == getppid() ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    int again;
    assert_int_equal(file_lock(path, &again, &holder, &error), STATUS_AGAIN);
    assert_int_equal(holder, getpid());
    assert_true(file_is_locked(path));
    close(descriptor);
    /* it still names this process, which is alive */
    assert_false(file_is_locked(path));
    assert_false(file_is_locked(in_folder(folder, "no/lock")));
    int looking = open(path, O_RDONLY); /* as file_is_locked does, for a moment */
    assert_int_equal(flock(looking, LOCK_SH), 0);
    child = fork();
    if (child == 0) {
        int other;
        _exit(file_lock(path, &other, &holder, &error) == STATUS_OK ? 0 : 1);
    }
    clock_sleep_ms(10);
    assert_int_equal(flock(looking, LOCK_UN), 0);
    close(looking);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_int_equal(file_lock(path, &again, &holder, &error), STATUS_OK);
    close(again);
    assert_int_equal(file_lock(in_folder(folder, "no/lock"), &again, &holder, &error),
                     STATUS_FAILED);
    assert_int_equal(symlink(path, in_folder(folder, "link")), 0);
    assert_int_equal(file_lock(in_folder(folder, "link"), &again, &holder, &error), STATUS_FAILED);
    assert_int_equal(file_remove_tree(folder, &error), STATUS_OK);
}

/* --- failpoints --- */

static void a_malformed_failpoint_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"x",       ":kill",      "x:",        "x:explode",
                                        "x:kill:", "x:kill:one", "x:kill:-1", "a:kill,b"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setenv("TRANSHUME_FAILPOINT", cases[i], 1);
        assert_int_equal(failpoint_setup(&error), STATUS_FAILED);
        assert_int_equal(error.code, ERROR_BAD_VALUE);
    }
    setenv("TRANSHUME_FAILPOINT", "a:kill", 1);
    setenv("TRANSHUME_FAILPOINT_COUNT", "/no/such/folder/f", 1);
    assert_int_equal(failpoint_setup(&error), STATUS_FAILED);
}

static void failpoints_are_inert_without_the_variable(void **state)
{
    (void)state;
    unsetenv("TRANSHUME_FAILPOINT");
    assert_int_equal(failpoint_setup(&error), STATUS_OK);
    assert_int_equal(failpoint_active, 0);
    assert_int_equal(failpoint_hit("a", &error), STATUS_OK);
}

static void a_failpoint_fails_at_its_occurrence(void **state)
{
    (void)state;
    setenv("TRANSHUME_FAILPOINT", "a:error:3,b:retry:0,c:enospc,", 1);
    assert_int_equal(failpoint_setup(&error), STATUS_OK);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(failpoint_hit("a", &error), i == 3 ? STATUS_FAILED : STATUS_OK);
        assert_int_equal(failpoint_hit("ab", &error), STATUS_OK);
        assert_int_equal(failpoint_hit("b", &error), STATUS_FAILED);
        assert_int_equal(error.class, ERROR_CLASS_RETRY);
        assert_int_equal(failpoint_hit("c", &error), i == 1 ? STATUS_FAILED : STATUS_OK);
        if (i == 1) {
            assert_int_equal(error.code, ERROR_DISK_FULL);
            assert_int_equal(error.class, ERROR_CLASS_STOP);
        }
    }
}

static void a_failpoint_kills_or_stops(void **state)
{
    (void)state;
    int result;
    setenv("TRANSHUME_FAILPOINT", "a:kill:2,b:stop", 1);
    pid_t child = fork();
    if (child == 0) {
        int failed =
            failpoint_setup(&error) != STATUS_OK || failpoint_hit("b", &error) != STATUS_OK ||
            failpoint_hit("a", &error) != STATUS_OK || failpoint_hit("a", &error) != STATUS_OK;
        _exit(failed);
    }
    assert_int_equal(waitpid(child, &result, WUNTRACED), child);
    assert_true(WIFSTOPPED(result));
    kill(child, SIGCONT);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
}

static void a_failpoint_sleeps(void **state)
{
    (void)state;
    setenv("TRANSHUME_FAILPOINT", "a:sleep", 1);
    assert_int_equal(failpoint_setup(&error), STATUS_OK);
    int64_t start = clock_monotonic_ms();
    assert_int_equal(failpoint_hit("a", &error), STATUS_OK);
    assert_true(clock_monotonic_ms() - start >= 999);
}

static void *hit_often(void *argument)
{
    struct error own;
    int *failures = argument;
    for (int i = 0; i < 1000; i++) {
        *failures += failpoint_hit("thread", &own) != STATUS_OK;
    }
    return NULL;
}

static void hits_are_counted_over_all_threads(void **state)
{
    (void)state;
    const char *folder = test_folder();
    const char *path = in_folder(folder, "count");
    pthread_t threads[4];
    int failures[4] = {0};
    setenv("TRANSHUME_FAILPOINT", "thread:error:2500", 1);
    setenv("TRANSHUME_FAILPOINT_COUNT", path, 1);
    assert_int_equal(failpoint_setup(&error), STATUS_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hit_often, &failures[i]), 0);
    }
    int total = 0;
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        total += failures[i];
    }
    assert_int_equal(total, 1);
    char *bytes;
    size_t length;
    assert_int_equal(file_read_all(path, 1000000, arena, &bytes, &length, &error), STATUS_OK);
    assert_int_equal(length, 4000 * strlen("thread\n"));
    for (size_t i = 0; i < length; i += 7) {
        assert_memory_equal(bytes + i, "thread\n", 7);
    }
    /* a second process, or a second setup, appends */
    assert_int_equal(failpoint_setup(&error), STATUS_OK);
    assert_int_equal(failpoint_hit("other", &error), STATUS_OK);
    assert_int_equal(file_read_all(path, 1000000, arena, &bytes, &length, &error), STATUS_OK);
    assert_string_equal(bytes + 28000, "other\n");
    assert_int_equal(file_remove_tree(folder, &error), STATUS_OK);
}

/* --- signals --- */

static void signals_raise_the_stop_level(void **state)
{
    (void)state;
    int result;
    pid_t child = fork();
    if (child == 0) {
        signals_setup();
        int right = signals_stop_level() == 0;
        raise(SIGPIPE);
        raise(SIGTERM);
        right &= signals_stop_level() == 1;
        raise(SIGINT);
        right &= signals_stop_level() == 2;
        raise(SIGTERM);
        right &= signals_stop_level() == 2;
        if (!right) {
            _exit(1);
        }
        raise(SIGINT); /* the third of its kind ends the process */
        _exit(2);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGINT);
}

static void a_stop_can_be_requested(void **state)
{
    (void)state;
    assert_int_equal(signals_stop_level(), 0);
    signals_request_stop(1);
    assert_int_equal(signals_stop_level(), 1);
    signals_request_stop(2);
    signals_request_stop(1);
    assert_int_equal(signals_stop_level(), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_replaced_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_in_this_folder_needs_no_slash, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_the_old_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reading_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folders_are_made_with_their_parents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removing_follows_no_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_become_safe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lock_is_held_by_one_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_malformed_failpoint_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failpoints_are_inert_without_the_variable, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_failpoint_fails_at_its_occurrence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failpoint_kills_or_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failpoint_sleeps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hits_are_counted_over_all_threads, set_up, tear_down),
        cmocka_unit_test(signals_raise_the_stop_level),
        cmocka_unit_test(a_stop_can_be_requested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
