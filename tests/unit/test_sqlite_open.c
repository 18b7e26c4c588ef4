/* Opening SQLite sources: what is refused and how, and that a source is left as it was. */
#include "support_sqlite_source.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char small[] = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);"
                            "INSERT INTO t VALUES(1, 'one'), (2, 'two');";

static void expect_refusal(const char *path, const char *options, enum error_code code,
                           const char *part)
{
    struct source_test test;
    assert_int_equal(source_try_open(&test, path, options, false), STATUS_FAILED);
    assert_null(test.database);
    if (test.error.code != code) {
        fail_msg("%s is %s: %s", path, error_describe(test.error.code)->name, test.error.message);
    }
    if (strstr(test.error.message, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, test.error.message);
    }
    assert_true(test.error.hint[0] != '\0');
    source_close(&test);
}

static const char *write_file(const char *name, const void *bytes, size_t length)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
    return path;
}

static void damage(const char *path, long offset, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, offset, SEEK_SET);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void test_refused_files(void **state)
{
    (void)state;
    char noise[4096];
    memset(noise, 0xa5, sizeof noise);
    expect_refusal("/nowhere/at/all.db", NULL, ERROR_SOURCE_MISSING, "reached");
    expect_refusal(test_folder(), NULL, ERROR_SOURCE_INVALID, "folder");
    expect_refusal("/dev/null", NULL, ERROR_SOURCE_INVALID, "regular");
    expect_refusal(write_file("text.db", "hello, this is no database\n", 27), NULL,
                   ERROR_SOURCE_INVALID, "hello, this is n");
    expect_refusal(write_file("noise.db", noise, sizeof noise), NULL, ERROR_SOURCE_INVALID,
                   "not a SQLite 3 database");
    expect_refusal(write_file("short.db", "SQL", 3), NULL, ERROR_SOURCE_INVALID, "SQL");
    expect_refusal(write_file("two.db", "** This file contains an SQLite 2.1 database **", 47),
                   NULL, ERROR_SOURCE_INVALID, "SQLite 2");
    expect_refusal("", NULL, ERROR_USAGE, "no file");
    const char *path = sqlite_file(small);
    expect_refusal(path, "?immutible=1", ERROR_UNKNOWN_OPTION, "immutible");
    expect_refusal(path, "?slice=1", ERROR_BAD_VALUE, "slice");
}

static void test_damaged(void **state)
{
    (void)state;
    const char *path = sqlite_file(small);
    char noise[200];
    memset(noise, 0xff, sizeof noise);
    damage(path, 100, noise, sizeof noise);
    expect_refusal(path, NULL, ERROR_SOURCE_INVALID, "malformed");

    /* a page of the table alone: told when it is read, with the name; the run has begun, so this
     * is a failure and no refusal */
    path = sqlite_file("CREATE TABLE t(v); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                       "FROM n WHERE i < 2000) INSERT INTO t SELECT printf('%0100d', i) FROM n");
    damage(path, 4096 * 30, noise, sizeof noise);
    struct source_test test;
    source_open_reading(&test, path);
    source_rows_fail(&test, source_request(&test, "t", "v"), ERROR_SOURCE_READ);
    assert_string_equal(test.error.object, "t");
    source_close(&test);
}

static void test_truncated(void **state)
{
    (void)state;
    const char *path = sqlite_file(
        "CREATE TABLE t(v); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM "
        "n WHERE i < 2000) INSERT INTO t SELECT printf('%0100d', i) FROM n");
    assert_int_equal(truncate(path, 40960), 0);
    expect_refusal(path, NULL, ERROR_SOURCE_INVALID, "malformed");
}

static void test_empty_file(void **state)
{
    (void)state;
    struct source_test test;
    struct schema *schema = NULL;
    struct buffer out = {0};
    const char *path = write_file("empty.db", "", 0);

    source_open(&test, path);
    assert_int_equal(
        test.database->connector->catalog->describe(test.database, &schema, &test.error),
        STATUS_OK);
    assert_int_equal(schema->table_count, 0);
    arena_destroy(schema->arena);
    assert_int_equal(test.source->caveats(test.database, &out, &test.error), STATUS_OK);
    assert_non_null(strstr(buffer_string(&out), "empty file"));
    buffer_free(&out);
    source_take_snapshot(&test, 2);
    source_close(&test);
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_size, 0);
}

static void test_locked(void **state)
{
    (void)state;
    const char *path = sqlite_file(small);
    sqlite3 *other = NULL;
    struct source_test test;

    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    expect_refusal(path, NULL, ERROR_SOURCE_LOCKED, "locked");
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);

    /* a writer in the midst of a transaction: opening works, the snapshot waits for it */
    source_open(&test, path);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(test.source->snapshot(test.database, 2, test.arena, &test.token, &test.error),
                     STATUS_FAILED);
    assert_int_equal(test.error.code, ERROR_SOURCE_LOCKED);
    assert_int_equal(test.error.class, ERROR_CLASS_RETRY);
    /* RETRY means that the same call may be made again */
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    source_take_snapshot(&test, 2);
    sqlite3_close(other);
    source_close(&test);
}

/* Gives up what lets root pass every mode; does nothing for others. */
static bool drop_privileges(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    return geteuid() != 0 || syscall(SYS_capset, &header, none) == 0;
}

/* Runs `body` in a process to which file modes apply; its result is the exit status. */
static void as_nobody(int (*body)(const char *path), const char *path)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(drop_privileges() ? body(path) : 99);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void make_readable(const char *path, mode_t folder_mode, mode_t file_mode)
{
    char folder[300];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(chmod(path, file_mode), 0);
    assert_int_equal(chmod(folder, folder_mode), 0);
}

static int read_as_single(const char *path)
{
    struct source_test test;
    if (source_try_open(&test, path, NULL, false) != STATUS_OK) {
        return 1;
    }
    if (test.database->limits.readers_max != 1) {
        return 2;
    }
    const struct read_request *request = source_request(&test, "t", "id,v");
    if (test.source->snapshot(test.database, 1, test.arena, &test.token, &test.error) !=
            STATUS_OK ||
        test.source->reader_open(test.database, &test.reader, &test.error) != STATUS_OK) {
        return 3;
    }
    int result = strcmp(source_rows(&test, request, NULL), "i1|tone\ni2|ttwo\n") == 0 ? 0 : 4;
    source_close(&test);
    return result;
}

static void test_read_only_file(void **state)
{
    (void)state;
    const char *path = sqlite_file(small);
    make_readable(path, 0755, 0444);
    as_nobody(read_as_single, path);
}

static int refuse_unreadable(const char *path)
{
    struct source_test test;
    if (source_try_open(&test, path, NULL, false) != STATUS_FAILED) {
        return 1;
    }
    return test.error.code == ERROR_PERMISSION && test.error.hint[0] != '\0' ? 0 : 2;
}

static void test_no_permission(void **state)
{
    (void)state;
    const char *path = sqlite_file(small);
    make_readable(path, 0755, 0000);
    as_nobody(refuse_unreadable, path);
}

static int wal_in_read_only_folder(const char *path)
{
    struct source_test test;
    if (source_try_open(&test, path, NULL, false) != STATUS_FAILED) {
        return 1;
    }
    if (strstr(test.error.hint, "immutable") == NULL) {
        return 2;
    }
    source_close(&test);
    if (source_try_open(&test, path, "?immutable=true", false) != STATUS_OK) {
        return 3;
    }
    source_take_snapshot(&test, 2);
    if (test.source->reader_open(test.database, &test.reader, &test.error) != STATUS_OK) {
        return 4;
    }
    const struct read_request *request = source_request(&test, "t", "v");
    int result = strcmp(source_rows(&test, request, NULL), "tone\nttwo\n") == 0 ? 0 : 5;
    source_close(&test);
    return result;
}

static void test_wal_in_read_only_folder(void **state)
{
    (void)state;
    const char *path = sqlite_file(small);
    sqlite_file_execute(path, "PRAGMA journal_mode=WAL");
    make_readable(path, 0555, 0444);
    as_nobody(wal_in_read_only_folder, path);
    make_readable(path, 0755, 0644); /* so that it can be removed */
}

static void test_immutable_with_wal_content(void **state)
{
    (void)state;
    const char *path = sqlite_file(small);
    sqlite3 *other = NULL;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "PRAGMA journal_mode=WAL; INSERT INTO t VALUES(3, 'x')",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    expect_refusal(path, "?immutable=yes", ERROR_SOURCE_INVALID, "-wal");
    sqlite3_close(other);
}

/* ---------------------------------------------------------------- the source stays as it was */

struct fingerprint {
    struct timespec mtime;
    off_t size;
    uint64_t sum;
    bool wal;
    bool shm;
    bool journal;
};

static bool is_beside(const char *path, const char *suffix)
{
    char name[320];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return access(name, F_OK) == 0;
}

static struct fingerprint look(const char *path)
{
    struct stat facts;
    struct fingerprint found = {0};
    char bytes[4096];
    size_t count;
    FILE *file = fopen(path, "rb");
    while ((count = fread(bytes, 1, sizeof bytes, file)) > 0) {
        for (size_t i = 0; i < count; i++) {
            found.sum = found.sum * 1099511628211ULL + (unsigned char)bytes[i];
        }
    }
    fclose(file);
    assert_int_equal(stat(path, &facts), 0);
    found.mtime = facts.st_mtim;
    found.size = facts.st_size;
    found.wal = is_beside(path, "-wal");
    found.shm = is_beside(path, "-shm");
    found.journal = is_beside(path, "-journal");
    return found;
}

static void read_everything(const char *path)
{
    struct source_test test;
    struct span *spans = NULL;
    uint32_t count = 0;

    source_open_reading(&test, path);
    struct read_request *request = source_request(&test, "t", "id,v");
    assert_int_equal(
        test.source->split(test.database, request, 1, test.arena, &spans, &count, &test.error),
        STATUS_OK);
    assert_int_equal(count, 2);
    assert_string_equal(source_rows(&test, request, NULL), "i1|tone\ni2|ttwo\n");
    source_close(&test);
}

static void test_left_unharmed(void **state)
{
    (void)state;
    for (int wal = 0; wal < 2; wal++) {
        const char *path = sqlite_file(small);
        if (wal) {
            sqlite_file_execute(path, "PRAGMA journal_mode=WAL");
        }
        struct fingerprint before = look(path);
        read_everything(path);
        struct fingerprint after = look(path);
        assert_int_equal(before.sum, after.sum);
        assert_int_equal(before.size, after.size);
        assert_int_equal(before.mtime.tv_sec, after.mtime.tv_sec);
        assert_int_equal(before.mtime.tv_nsec, after.mtime.tv_nsec);
        assert_false(after.wal);
        assert_false(after.shm);
        assert_false(after.journal);
    }
}

/* Frames in the WAL stay there: nothing is checkpointed. */
static void test_wal_is_not_folded_in(void **state)
{
    (void)state;
    const char *path =
        sqlite_file("PRAGMA journal_mode=WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    sqlite3 *other = NULL;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    sqlite3_db_config(other, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    assert_int_equal(
        sqlite3_exec(other, "INSERT INTO t VALUES(1, 'one'), (2, 'two')", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(other);
    struct fingerprint before = look(path);
    assert_true(before.wal);
    char wal[320];
    struct stat wal_before;
    struct stat wal_after;
    snprintf(wal, sizeof wal, "%s-wal", path);
    assert_int_equal(stat(wal, &wal_before), 0);
    read_everything(path);
    struct fingerprint after = look(path);
    assert_int_equal(stat(wal, &wal_after), 0);
    assert_int_equal(before.sum, after.sum);
    assert_int_equal(before.mtime.tv_nsec, after.mtime.tv_nsec);
    assert_true(wal_before.st_size > 0);
    assert_int_equal(wal_before.st_size, wal_after.st_size);
    assert_int_equal(wal_before.st_mtim.tv_nsec, wal_after.st_mtim.tv_nsec);
}

/* A program that died while it wrote leaves a hot journal: it is rolled back, or the hint says
 * how. */
static void test_hot_journal(void **state)
{
    (void)state;
    const char *path = sqlite_file(small);
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *writer = NULL;
        sqlite3_open(path, &writer);
        sqlite3_exec(
            writer,
            "PRAGMA cache_size=1; BEGIN; WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i "
            "+ 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, printf('%0200d', i) FROM n",
            NULL, NULL, NULL);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(is_beside(path, "-journal"));
    expect_refusal(path, NULL, ERROR_PERMISSION, "");
    sqlite_file_execute(path, "SELECT 1 FROM t");
    read_everything(path);
}

static void test_identity(void **state)
{
    (void)state;
    const char *path = sqlite_file(small);
    char link_path[320];
    char symbolic[320];
    const char *paths[3] = {path, link_path, symbolic};
    const char *identities[3];
    struct arena *arena = arena_create(0);

    snprintf(link_path, sizeof link_path, "%s.link.db", path);
    snprintf(symbolic, sizeof symbolic, "%s.symbolic.db", path);
    assert_int_equal(link(path, link_path), 0);
    assert_int_equal(symlink(path, symbolic), 0);
    for (int i = 0; i < 3; i++) {
        struct source_test test;
        source_open(&test, paths[i]);
        assert_int_equal(
            test.database->connector->identity(test.database, arena, &identities[i], &test.error),
            STATUS_OK);
        source_close(&test);
    }
    assert_string_equal(identities[0], identities[1]);
    assert_string_equal(identities[0], identities[2]);
    struct source_test other;
    const char *identity = NULL;
    source_open(&other, sqlite_file(small));
    assert_int_equal(
        other.database->connector->identity(other.database, arena, &identity, &other.error),
        STATUS_OK);
    assert_string_not_equal(identities[0], identity);
    source_close(&other);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_files),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_empty_file),
        cmocka_unit_test(test_locked),
        cmocka_unit_test(test_read_only_file),
        cmocka_unit_test(test_no_permission),
        cmocka_unit_test(test_wal_in_read_only_folder),
        cmocka_unit_test(test_immutable_with_wal_content),
        cmocka_unit_test(test_left_unharmed),
        cmocka_unit_test(test_wal_is_not_folded_in),
        cmocka_unit_test(test_hot_journal),
        cmocka_unit_test(test_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
