/* What may be a SQLite target and what not: clear errors, nothing harmed, nothing left behind. */
#include "base/file.h"
#include "connectors/sqlite/sqlite_internal.h"
#include "support_sqlite_target.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void expect_refused(const char *path, enum error_code code)
{
    struct error error = {0};
    struct database *database = NULL;

    if (target_try_open(path, OPEN_TARGET, 200, &database, &error) != STATUS_FAILED) {
        fail_msg("%s is taken for a target", path);
    }
    assert_null(database);
    if (error.code != code) {
        fail_msg("%s: %s: %s", path, error_describe(error.code)->name, error.message);
    }
    assert_true(error.object[0] != '\0' && error.message[0] != '\0');
}

static void what_is_no_database_is_refused(void **state)
{
    (void)state;
    char path[1024];
    char missing[1100];
    char garbage[2048];

    snprintf(path, sizeof path, "%s", target_path("text.db"));
    write_file(path, "this is no database, but a text that someone wants to keep", 58);
    expect_refused(path, ERROR_TARGET_INVALID);
    memset(garbage, 'x', sizeof garbage);
    memcpy(garbage, "SQLite format 3", 16);
    write_file(path, garbage, sizeof garbage);
    expect_refused(path, ERROR_TARGET_INVALID);
    write_file(path, "SQLite format 3", 16); /* cut */
    expect_refused(path, ERROR_TARGET_INVALID);
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_size, 16);
    expect_refused(test_folder(), ERROR_TARGET_INVALID);
    snprintf(missing, sizeof missing, "%s", target_path("no/such/folder.db"));
    expect_refused(missing, ERROR_TARGET_MISSING);
}

static void looking_leaves_nothing_behind(void **state)
{
    (void)state;
    char path[1024];
    struct error error = {0};
    struct target_table table = {.name = "t"};
    bool table_exists = true;
    bool record_exists = true;
    struct buffer out = {0};

    snprintf(path, sizeof path, "%s", target_path("new.db"));
    struct database *database = target_open(path);
    assert_done(sqlite_target.inspect(database, &table, 1, &table_exists, &record_exists, &error));
    assert_false(table_exists || record_exists);
    assert_done(sqlite_target.check_table(database, &(struct check_request){.table = &table}, &out,
                                          &error));
    target_close(database);
    assert_int_not_equal(access(path, F_OK), 0);
    buffer_free(&out);

    write_file(path, "", 0); /* but an empty file that was there stays */
    database = target_open(path);
    target_close(database);
    assert_int_equal(access(path, F_OK), 0);
}

/* Somebody else's file of the same name, empty as yet, is left alone. */
static void a_file_of_another_process_stays(void **state)
{
    (void)state;
    char path[1024];
    struct stat before;
    struct stat after;

    snprintf(path, sizeof path, "%s", target_path("replaced.db"));
    struct database *database = target_open(path);
    assert_int_equal(unlink(path), 0);
    write_file(path, "", 0);
    assert_int_equal(stat(path, &before), 0);
    target_close(database);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);

    snprintf(path, sizeof path, "%s", target_path("locked.db"));
    database = target_open(path);
    sqlite3 *other = NULL;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE; CREATE TABLE t(a)", NULL, NULL, NULL),
                     SQLITE_OK);
    target_close(database);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_string_equal(file_ask(path, "SELECT name FROM sqlite_schema"), "t");
}

/* Two open a new target; the one that made the file only looks. The other's run is in the file that
 * has the name. */
static void a_run_survives_who_only_looked(void **state)
{
    (void)state;
    static const char chunk_count[] =
        "SELECT value ->> 'chunks' FROM _transhume_ledger WHERE name = 'run/run-1/head'";
    char path[1024];

    for (int looks_in_time = 0; looks_in_time < 2; looks_in_time++) {
        snprintf(path, sizeof path, "%s", target_path(looks_in_time ? "early.db" : "late.db"));
        struct database *maker = target_open(path);
        struct database *worker = target_open(path);
        if (looks_in_time) {
            target_close(maker);
            assert_int_not_equal(access(path, F_OK), 0);
            target_begin_run_fails(worker, ERROR_TARGET_LOCKED);
            assert_int_not_equal(access(path, F_OK), 0);
            struct error error;
            const char *identity;
            struct arena *arena = arena_create(0);
            assert_done(connector_sqlite.identity(worker, arena, &identity, &error));
            arena_destroy(arena);
            target_begin_run(worker, 3);
        } else {
            target_begin_run(worker, 3);
            target_close(maker);
        }
        assert_int_equal(access(path, F_OK), 0);
        assert_string_equal(file_ask(path, chunk_count), "3");
        target_close(worker);
        assert_string_equal(
            file_ask(path, "SELECT count(*) FROM _transhume_ledger WHERE name GLOB 'runs/*'"), "1");
        struct stat facts;
        assert_int_equal(stat(path, &facts), 0);
        assert_int_equal(facts.st_mode & 0777, 0600);
    }
}

static void inspect_tells_tables_and_records(void **state)
{
    (void)state;
    char path[1024];
    struct error error = {0};
    struct target_table tables[] = {{.name = "EMPTY"}, {.name = "full"}, {.name = "none"}};
    bool table_exists[3];
    bool record_exists[3];

    snprintf(path, sizeof path, "%s", target_path("inspect.db"));
    file_execute(path,
                 "CREATE TABLE empty(a); CREATE TABLE full(a); INSERT INTO full VALUES(NULL)");
    struct database *database = target_open(path);
    assert_done(sqlite_target.inspect(database, tables, 3, table_exists, record_exists, &error));
    assert_true(table_exists[0] && table_exists[1] && !table_exists[2]);
    assert_true(!record_exists[0] && record_exists[1] && !record_exists[2]);
    target_close(database);
}

static void expect_fault(struct database *database, struct target_table table, const char *fault)
{
    struct error error = {0};
    struct buffer out = {0};
    static const char *const names[] = {"a", "b"};
    const struct shape *shapes[] = {target_shape(names, 2)};

    assert_done(sqlite_target.check_table(
        database, &(struct check_request){.table = &table, .shapes = shapes, .shape_count = 1},
        &out, &error));
    if (fault == NULL ? out.length > 0 : strstr(buffer_string(&out), fault) == NULL) {
        fail_msg("%s: expected \"%s\", got \"%s\"", table.name, fault != NULL ? fault : "nothing",
                 buffer_string(&out));
    }
    buffer_free(&out);
}

static void check_table_finds_what_does_not_fit(void **state)
{
    (void)state;
    static const struct schema_column columns[] = {{.name = "a"}, {.name = "b"}};
    static const struct schema_column cases[] = {{.name = "a"}, {.name = "A"}, {.name = "b"}};
    static const char *const key[] = {"a"};
    static const char *const other_key[] = {"zz"};
    char path[1024];
    struct target_table good = {.columns = columns, .column_count = 2};

    snprintf(path, sizeof path, "%s", target_path("check.db"));
    file_execute(
        path,
        "CREATE VIEW v AS SELECT 1 AS a, 2 AS b; CREATE TABLE narrow(a);"
        "CREATE TABLE needs(a, b, c INT NOT NULL); CREATE TABLE fits(a, b, c INT NOT NULL DEFAULT 1);"
        "CREATE TABLE keyed(b, a INTEGER PRIMARY KEY); CREATE TABLE uniq(a UNIQUE, b);"
        "CREATE TABLE part(a, b); CREATE UNIQUE INDEX p ON part(a) WHERE b");
    struct database *database = target_open(path);
    struct target_table table = good;
    table.name = "fresh";
    expect_fault(database, table, NULL);
    table.name = "sqlite_x";
    expect_fault(database, table, "SQLite's own");
    table.name = "_transhume_ledger";
    expect_fault(database, table, "ledger's");
    table.name = "v";
    expect_fault(database, table, "view");
    table.name = "narrow";
    expect_fault(database, table, "no column b");
    table.name = "needs";
    expect_fault(database, table, "column c");
    table.name = "fits";
    expect_fault(database, table, NULL);
    table.existing = EXISTING_UPSERT;
    expect_fault(database, table, "need a key");
    table.key = (struct column_list){key, 1};
    expect_fault(database, table, "no primary key or unique index");
    table.name = "part";
    expect_fault(database, table, "no primary key or unique index");
    table.name = "keyed";
    expect_fault(database, table, NULL);
    table.name = "uniq";
    expect_fault(database, table, NULL);
    table.name = "fresh";
    table.key = (struct column_list){other_key, 1};
    expect_fault(database, table, "zz");
    table = (struct target_table){.name = "fresh", .columns = cases, .column_count = 3};
    expect_fault(database, table, "case");
    target_close(database);
}

/* ---------------------------------------------------------------- the system says no */

static void child_without_rights(const char *path, enum error_code code)
{
    struct error error = {0};
    struct database *database = NULL;

    if (geteuid() == 0 && seteuid(65534) != 0) {
        _exit(5);
    }
    enum status status = target_try_open(path, OPEN_TARGET, 200, &database, &error);
    if (status != STATUS_FAILED || error.code != code || error.hint[0] == 0) {
        fprintf(stderr, "%s: %s (%s)\n", error_describe(error.code)->name, error.message,
                error.hint);
        _exit(6);
    }
    _exit(42);
}

static int exit_of(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void missing_rights_are_said(void **state)
{
    (void)state;
    char folder[1024];
    char path[1100];

    snprintf(folder, sizeof folder, "%s", test_folder());
    assert_int_equal(chmod(folder, 0777), 0);
    snprintf(path, sizeof path, "%s/read-only.db", folder);
    file_execute(path, "CREATE TABLE t(a)");
    assert_int_equal(chmod(path, 0444), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        child_without_rights(path, ERROR_PERMISSION);
    }
    assert_int_equal(exit_of(child), 42);

    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    child = fork();
    if (child == 0) {
        child_without_rights(path, ERROR_PERMISSION); /* the journal can't be made */
    }
    assert_int_equal(exit_of(child), 42);
    snprintf(path, sizeof path, "%s/new.db", folder);
    child = fork();
    if (child == 0) {
        child_without_rights(path, ERROR_PERMISSION);
    }
    assert_int_equal(exit_of(child), 42);
    assert_int_equal(chmod(folder, 0755), 0);
}

enum { EXIT_NO_MOUNT = 77 };

/* In a file system of its own of one MiB: writes until it is full. */
static void child_fill_disk(const char *folder)
{
    static const char *const names[] = {"v"};
    static char text[10000];
    char path[1100];
    struct error error = {0};
    struct database *database = NULL;
    static const struct schema_column column = {.name = "v"};
    struct target_table table = {.name = "t", .columns = &column, .column_count = 1};

    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", folder, "tmpfs", 0, "size=1m") != 0) {
        _exit(EXIT_NO_MOUNT);
    }
    snprintf(path, sizeof path, "%s/full.db", folder);
    if (target_try_open(path, OPEN_TARGET, 200, &database, &error) != STATUS_OK) {
        _exit(10);
    }
    target_begin_run(database, 1);
    if (target_prepare(database, &table, 1, NULL, &error) != STATUS_OK) {
        _exit(11);
    }
    struct writer *writer = target_writer(database, &table, 1);
    if (sqlite_target.chunk_begin(writer, 1, 1, &error) != STATUS_OK) {
        _exit(12);
    }
    memset(text, 'x', sizeof text);
    enum status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && i < 1000; i++) {
        struct cell cell = cell_text(text, sizeof text);
        struct batch_result result;
        status = sqlite_target.submit(writer, 1, 0, target_batch(target_shape(names, 1), &cell, 1),
                                      &error);
        if (status == STATUS_OK) {
            if (sqlite_target.poll(writer, 0, &result, &error) != STATUS_OK) {
                _exit(13);
            }
            target_result_free(&result);
        }
    }
    if (status == STATUS_OK) {
        status = target_commit(writer, database, 1, &error);
    }
    if (status != STATUS_FAILED || error.code != ERROR_DISK_FULL) {
        _exit(14);
    }
    sqlite_target.chunk_abandon(writer, 1);
    sqlite_target.writer_close(writer);
    target_close(database);
    _exit(strcmp(file_ask(path, "SELECT count(*) FROM t"), "0") == 0 &&
                  strcmp(file_ask(path, "PRAGMA integrity_check"), "ok") == 0
              ? 42
              : 15);
}

static void a_full_disk_is_said_and_harms_nothing(void **state)
{
    (void)state;
    const char *folder = test_folder();

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        child_fill_disk(folder);
    }
    int result = exit_of(child);
    if (result == EXIT_NO_MOUNT) {
        print_message("a file system of its own can't be mounted here\n");
        skip();
    }
    assert_int_equal(result, 42);
}

static void a_locked_file_is_to_be_tried_again(void **state)
{
    (void)state;
    char path[1024];
    struct error error = {0};
    struct database *database = NULL;
    struct target_table table = {.name = "t"};
    sqlite3 *other = NULL;

    snprintf(path, sizeof path, "%s", target_path("locked.db"));
    file_execute(path, "CREATE TABLE t(a)");
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(target_try_open(path, OPEN_TARGET, 100, &database, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_TARGET_LOCKED);
    assert_int_equal(error.class, ERROR_CLASS_RETRY);
    assert_int_equal(sqlite3_exec(other, "COMMIT; BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_done(target_try_open(path, OPEN_TARGET, 100, &database, &error));
    target_begin_run_fails(database, ERROR_TARGET_LOCKED);
    assert_int_equal(target_prepare(database, &table, 1, NULL, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_TARGET_LOCKED);
    sqlite3_close(other);
    target_close(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_database_is_refused),
        cmocka_unit_test(looking_leaves_nothing_behind),
        cmocka_unit_test(a_file_of_another_process_stays),
        cmocka_unit_test(a_run_survives_who_only_looked),
        cmocka_unit_test(inspect_tells_tables_and_records),
        cmocka_unit_test(check_table_finds_what_does_not_fit),
        cmocka_unit_test(missing_rights_are_said),
        cmocka_unit_test(a_full_disk_is_said_and_harms_nothing),
        cmocka_unit_test(a_locked_file_is_to_be_tried_again),
    };
    return cmocka_run_group_tests_name("sqlite_target_open", tests, NULL, NULL);
}
