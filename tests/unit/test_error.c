/* Errors, the log, and the secrets that neither may show. */
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "support.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void an_error_holds_what_it_was_given(void **state)
{
    (void)state;
    struct error error;
    memset(&error, 0xFF, sizeof(error));
    assert_int_equal(error_set(&error, ERROR_SOURCE_LOCKED, "shop.db", "held by %d", 42),
                     STATUS_FAILED);
    assert_int_equal(error.code, ERROR_SOURCE_LOCKED);
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
    assert_string_equal(error.object, "shop.db");
    assert_string_equal(error.message, "held by 42");
    assert_string_equal(error.hint, "");
    assert_string_equal(error.context, "");
    assert_int_equal(error.native_code, 0);
    assert_int_equal(error_exit_status(&error), 3);
    error_hint(&error, "wait for %s", "it");
    error_context(&error, "chunk %d: ", 12);
    error_context(&error, "run 3: ");
    assert_string_equal(error.hint, "wait for it");
    assert_string_equal(error.context, "run 3: chunk 12: ");
    struct error copy;
    error_copy(&copy, &error);
    error_copy(NULL, &error);
    assert_int_equal(copy.code, error.code);
    assert_int_equal(copy.class, error.class);
    assert_string_equal(copy.object, error.object);
    assert_string_equal(copy.message, error.message);
    assert_string_equal(copy.hint, error.hint);
    assert_string_equal(copy.context, error.context);
    error_clear(&error);
    assert_int_equal(error.code, ERROR_NONE);
    assert_int_equal(error_exit_status(&error), 0);
}

static void no_error_is_wanted(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, ERROR_USAGE, NULL, "x"), STATUS_FAILED);
    assert_int_equal(error_set_errno(NULL, ERROR_USAGE, EIO, NULL, "x"), STATUS_FAILED);
    error_hint(NULL, "x");
    error_context(NULL, "x");
    error_recode(NULL, ERROR_USAGE);
}

static void every_code_is_described(void **state)
{
    (void)state;
    for (int i = 0; i < ERROR_CODE_COUNT; i++) {
        const struct error_description *description = error_describe((enum error_code)i);
        assert_true(strlen(description->name) > 0);
        assert_true(strlen(description->meaning) > 10 || i == ERROR_NONE);
        assert_in_range(description->exit_status, 0, 5);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(description->name, error_describe((enum error_code)j)->name);
        }
    }
    assert_ptr_equal(error_describe((enum error_code)9999), error_describe(ERROR_INTERNAL));
}

static void long_texts_are_clipped_at_a_character(void **state)
{
    (void)state;
    struct error error;
    char text[4000];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', sizeof(text));
        for (size_t i = shift; i + 4 < sizeof(text); i += 4) {
            memcpy(text + i, "\xF0\x9F\x98\x80", 4);
        }
        text[sizeof(text) - 5 + shift] = '\0';
        error_set(&error, ERROR_USAGE, text, "%s", text);
        error_hint(&error, "%s", text);
        error_context(&error, "%s", text);
        const char *parts[] = {error.object, error.message, error.hint, error.context};
        size_t sizes[] = {sizeof(error.object), sizeof(error.message), sizeof(error.hint),
                          sizeof(error.context)};
        for (int i = 0; i < 4; i++) {
            size_t length = strlen(parts[i]);
            assert_in_range(length, sizes[i] - 5, sizes[i] - 1);
            assert_string_equal(parts[i] + length - 3, "...");
            assert_true(text_is_utf8(parts[i], length));
            assert_null(strchr(parts[i], '?'));
        }
        error_context(&error, "more: ");
        assert_memory_equal(error.context, "more: ", 6);
        assert_string_equal(error.context + strlen(error.context) - 3, "...");
    }
}

static void control_characters_become_question_marks(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, ERROR_USAGE, "a\nb", "x\x1b[31m\x7f \xC2\x9B \xFF \xE2\x80\xAE é %s", "\r\t");
    assert_string_equal(error.object, "a?b");
    assert_string_equal(error.message, "x?[31m? ? ? ? é ??");
}

static void arguments_may_come_from_the_error_itself(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, ERROR_USAGE, "object", "message");
    error_set(&error, ERROR_INTERNAL, error.object, "again: %s", error.message);
    assert_string_equal(error.object, "object");
    assert_string_equal(error.message, "again: message");
    error_hint(&error, "see %s", error.message);
    error_hint(&error, "%s!", error.hint);
    assert_string_equal(error.hint, "see again: message!");
}

static void the_system_says_why(void **state)
{
    (void)state;
    struct error error;
    error_set_errno(&error, ERROR_TARGET_WRITE, EIO, "f", "can't write %s", "it");
    assert_int_equal(error.code, ERROR_TARGET_WRITE);
    assert_int_equal(error.native_code, EIO);
    assert_string_equal(error.message, "can't write it: Input/output error");
    const struct {
        int system_errno;
        enum error_code code;
    } cases[] = {{ENOSPC, ERROR_DISK_FULL}, {EDQUOT, ERROR_DISK_FULL}, {EACCES, ERROR_PERMISSION},
                 {EPERM, ERROR_PERMISSION}, {EROFS, ERROR_PERMISSION}, {ENOMEM, ERROR_MEMORY}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error_set_errno(&error, ERROR_TARGET_WRITE, cases[i].system_errno, NULL, "x");
        assert_int_equal(error.code, cases[i].code);
        assert_int_equal(error.class, error_describe(cases[i].code)->class);
        error_recode(&error, ERROR_STATE_WRITE);
        assert_int_equal(error.code, cases[i].code);
    }
    error_set_errno(&error, ERROR_TARGET_WRITE, 99999, NULL, "x");
    assert_string_equal(error.message, "x: error 99999");
    error_recode(&error, ERROR_TARGET_THROTTLED);
    assert_int_equal(error.code, ERROR_TARGET_THROTTLED);
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
    char text[2000];
    memset(text, 'y', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    error_set_errno(&error, ERROR_TARGET_WRITE, EIO, NULL, "%s", text);
    assert_non_null(strstr(error.message, "yyy...: Input/output error"));
    assert_int_equal(strlen(error.message), sizeof(error.message) - 1);
}

/* --- secrets --- */

static void secrets_are_hidden(void **state)
{
    (void)state;
    char line[200] = "abc hunter22 and hunter2233, hunter2";
    secret_register("hunter22", 8);
    secret_register("hunter22", 8);
    secret_register("hunter2233", 10);
    secret_register("abc", 3); /* too short to be one */
    secret_redact(line);
    assert_string_equal(line, "abc *** and ***, hunter2");
    char whole[] = "hunter22";
    secret_redact(whole);
    assert_string_equal(whole, "***");
    char empty[] = "";
    secret_redact(empty);
    assert_string_equal(empty, "");
}

static void uris_lose_their_passwords(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"postgres://u:secret@host/db", "postgres://u:***@host/db"},
        {"postgres://u@host:5432/db", "postgres://u@host:5432/db"},
        {"postgres://host:5432/db", "postgres://host:5432/db"},
        {"mysql://u:p@ss/w:rd@host/db?x=1", "mysql://u:***@host/db?x=1"},
        {"mysql://host/db?user=u&password=geheim&x=1", "mysql://host/db?user=u&password=***&x=1"},
        {"dynamodb://eu-west-1?TOKEN=geheim", "dynamodb://eu-west-1?TOKEN=***"},
        {"sqlite:shop.db", "sqlite:shop.db"},
        {"shop.db", "shop.db"},
        {"x://:p@h", "x://:***@h"},
        {"", ""},
        {"postgres//user:secret@host/x", "postgres//user:***@host/x"},
    };
    char out[100];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        secret_redact_uri(cases[i][0], out, sizeof(out));
        assert_string_equal(out, cases[i][1]);
    }
    secret_redact_uri("postgres://user:secret@host/database", out, 20);
    assert_string_equal(out, "postgres://user:***");
    secret_redact_uri("postgres://user:secret@host/database", out, 8);
    assert_string_equal(out, "postgre");
    secret_redact_uri("x", out, 1);
    assert_string_equal(out, "");
}

/* --- the log --- */

static char *read_log(const char *path, struct arena *arena)
{
    char *text;
    size_t length;
    struct error error;
    assert_int_equal(file_read_all(path, 10000000, arena, &text, &length, &error), STATUS_OK);
    return text;
}

static void lines_are_stamped_clean_and_by_level(void **state)
{
    (void)state;
    struct error error;
    struct arena *arena = arena_create(0);
    char *path = file_join(arena, test_folder(), "log");
    log_set_stderr_level(LOG_ERROR);
    assert_int_equal(log_open_file(path, LOG_INFO, &error), STATUS_OK);
    log_write(LOG_INFO, "one %d\nfake line", 1);
    log_write(LOG_DEBUG, "not this");
    log_write(LOG_WARNING, "the password is hunter22");
    char large[9000];
    memset(large, 'z', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    log_write(LOG_WARNING, "%s", large);
    log_close_file();
    log_write(LOG_WARNING, "closed");
    char *text = read_log(path, arena);
    assert_non_null(strstr(text, "Z info: one 1?fake line\n"));
    assert_null(strstr(text, "not this"));
    assert_null(strstr(text, "closed"));
    assert_null(strstr(text, "hunter22"));
    assert_non_null(strstr(text, "Z warning: the password is ***\n"));
    assert_non_null(strstr(text, "zzz...\n"));
    assert_in_range(strtol(text, NULL, 10), 2020, 2200);
    assert_true(text[4] == '-' && text[10] == 'T' && text[19] == '.' && text[23] == 'Z');
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    arena_destroy(arena);
}

static void statements_are_written_whole(void **state)
{
    (void)state;
    struct error error;
    struct arena *arena = arena_create(0);
    char *path = file_join(arena, test_folder(), "log");
    char statement[9000];
    char known[9000 + 100];
    memset(statement, 'z', sizeof(statement) - 1);
    statement[sizeof(statement) - 1] = '\0';
    memcpy(statement, "CREATE\nhunter22\t", 16);
    log_set_stderr_level(LOG_ERROR);
    assert_int_equal(log_open_file(path, LOG_INFO, &error), STATUS_OK);
    log_write_statement(LOG_WARNING, "open: t", "GRANT x");
    log_write_statement(LOG_WARNING, "open: u", "");
    log_write_statement(LOG_WARNING, "open: v", statement);
    log_write_statement(LOG_DEBUG, "not", statement);
    log_close_file();
    char *text = read_log(path, arena);
    assert_non_null(strstr(text, "Z warning: open: t: GRANT x\n"));
    assert_non_null(strstr(text, "Z warning: open: u\n"));
    snprintf(known, sizeof(known), "Z warning: open: v:\n    CREATE\n    ***\t%s\n",
             statement + 16);
    assert_non_null(strstr(text, known));
    assert_null(strstr(text, "not"));
    arena_destroy(arena);
}

static void errors_are_written_in_full(void **state)
{
    (void)state;
    struct error error;
    struct arena *arena = arena_create(0);
    char *path = file_join(arena, test_folder(), "log");
    assert_int_equal(log_open_file(path, LOG_ERROR, &error), STATUS_OK);
    int saved = dup(STDERR_FILENO);
    int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    error_set(&error, ERROR_TARGET_WRITE, "table Track", "disk of hunter22 broke");
    error_hint(&error, "buy another");
    error_context(&error, "chunk 12: ");
    memcpy(error.native_state, "58030", 6);
    log_write_error(&error);
    error_set(&error, ERROR_USAGE, NULL, "no such command");
    log_write_error(&error);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(nowhere);
    log_close_file();
    char *text = read_log(path, arena);
    assert_non_null(strstr(text,
                           "Z error: chunk 12: table Track: disk of *** broke (SQLSTATE 58030) "
                           "[target-write]\n  buy another\n"));
    assert_non_null(strstr(text, "Z error: no such command [usage]\n"));
    arena_destroy(arena);
}

static void no_link_is_followed(void **state)
{
    (void)state;
    struct error error;
    struct arena *arena = arena_create(0);
    const char *folder = test_folder();
    char *link = file_join(arena, folder, "log");
    assert_int_equal(symlink("/dev/null", link), 0);
    assert_int_equal(log_open_file(link, LOG_ERROR, &error), STATUS_FAILED);
    arena_destroy(arena);
}

static int hooks_called;

static void count_before(void)
{
    hooks_called += 1;
}

static void count_after(void)
{
    hooks_called += 100;
}

static void the_terminal_hooks_surround_stderr_lines(void **state)
{
    (void)state;
    int pipes[2];
    char text[200];
    int saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipes), 0);
    dup2(pipes[1], STDERR_FILENO);
    log_set_stderr_level(LOG_INFO);
    log_set_terminal_hooks(count_before, count_after);
    log_write(LOG_INFO, "hello");
    log_write(LOG_DEBUG, "quiet");
    log_set_terminal_hooks(NULL, NULL);
    log_write(LOG_WARNING, "careful");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipes[1]);
    ssize_t length = read(pipes[0], text, sizeof(text) - 1);
    close(pipes[0]);
    assert_true(length > 0);
    text[length] = '\0';
    assert_string_equal(text, "hello\nwarning: careful\n");
    assert_int_equal(hooks_called, 101);
    log_set_stderr_level(LOG_ERROR);
}

static void *write_lines(void *argument)
{
    for (int i = 0; i < 500; i++) {
        log_write(LOG_INFO, "%s%d", (const char *)argument, i);
        secret_register("another secret", 14);
    }
    return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
    (void)state;
    struct error error;
    struct arena *arena = arena_create(0);
    char *path = file_join(arena, test_folder(), "log");
    static char names[][5] = {"aaaa", "bbbb", "cccc"};
    pthread_t threads[3];
    assert_int_equal(log_open_file(path, LOG_INFO, &error), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    log_close_file();
    int lines = 0;
    for (char *line = read_log(path, arena); *line != '\0';) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        assert_in_range(end - line, 25 + 6 + 5, 25 + 6 + 7);
        lines++;
        line = end + 1;
    }
    assert_int_equal(lines, 1500);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_holds_what_it_was_given),
        cmocka_unit_test(no_error_is_wanted),
        cmocka_unit_test(every_code_is_described),
        cmocka_unit_test(long_texts_are_clipped_at_a_character),
        cmocka_unit_test(control_characters_become_question_marks),
        cmocka_unit_test(arguments_may_come_from_the_error_itself),
        cmocka_unit_test(the_system_says_why),
        cmocka_unit_test(secrets_are_hidden),
        cmocka_unit_test(uris_lose_their_passwords),
        cmocka_unit_test(lines_are_stamped_clean_and_by_level),
        cmocka_unit_test(statements_are_written_whole),
        cmocka_unit_test(errors_are_written_in_full),
        cmocka_unit_test(no_link_is_followed),
        cmocka_unit_test(the_terminal_hooks_surround_stderr_lines),
        cmocka_unit_test(threads_do_not_mix_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
