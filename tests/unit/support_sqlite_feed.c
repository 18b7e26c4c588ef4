/* Helpers of the tests of SQLite's feed. */
#include "support_sqlite_feed.h"
#include "connectors/sqlite/sqlite_internal.h"
#include <stdio.h>
#include <string.h>

struct feed_bench feed_bench;

/* As a foreign program would, whatever becomes of it. */
int feed_try_execute(const char *path, const char *sql)
{
    sqlite3 *connection = NULL;
    assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
    sqlite3_busy_timeout(connection, 5000);
    int result = sqlite3_exec(connection, sql, NULL, NULL, NULL);
    sqlite3_close(connection);
    return result;
}

/* "name key1 key2": a table and its key. */
static void add_table(const char *text)
{
    char *copy = arena_copy_string(feed_bench.arena, text);
    uint32_t at = feed_bench.table_count++;
    uint32_t count = 0;
    char *rest = NULL;
    feed_bench.names[at] = strtok_r(copy, " ", &rest);
    for (char *word = strtok_r(NULL, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        feed_bench.key_names[at][count++] = word;
    }
    feed_bench.tables[at] = (struct target_table){.name = feed_bench.names[at],
                                                  .key = {feed_bench.key_names[at], count}};
}

enum status feed_make(const char *name, uint32_t table_count, struct feed_start *start,
                      struct error *error)
{
    struct followed_table tables[FEED_TABLES_MAX] = {0};
    for (uint32_t i = 0; i < table_count; i++) {
        tables[i].name = feed_bench.names[i];
    }
    return sqlite_feed.create(feed_bench.source, name, tables, table_count, feed_bench.arena, start,
                              error);
}

enum status feed_try_create(struct error *error)
{
    struct feed_start start;
    enum status status = feed_make("f", feed_bench.table_count, &start, error);
    feed_bench.position = status == STATUS_OK ? start.position : (struct position){0};
    return status;
}

enum status feed_try_open(struct error *error)
{
    sqlite_feed.close(feed_bench.feed);
    feed_bench.feed = NULL;
    return sqlite_feed.open(feed_bench.source, "f", feed_bench.position, &feed_bench.feed, error);
}

void feed_bench_open(void)
{
    struct error error = {0};
    assert_done(feed_try_open(&error));
}

/* `tables`: separated by commas. */
void feed_set_up(const char *sql, const char *tables)
{
    memset(&feed_bench, 0, sizeof feed_bench);
    feed_bench.arena = arena_create(0);
    snprintf(feed_bench.path, sizeof feed_bench.path, "%s", target_path("source.db"));
    snprintf(feed_bench.copy_path, sizeof feed_bench.copy_path, "%.1000s-copy", feed_bench.path);
    file_execute(feed_bench.path, sql);
    char *list = arena_copy_string(feed_bench.arena, tables);
    char *rest = NULL;
    for (char *one = strtok_r(list, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest)) {
        add_table(one);
    }
    feed_bench.source = target_source_open(feed_bench.path);
}

/* Until the next call. */
const char *feed_in_mode(uint32_t mode, const char *sql)
{
    static const char *const modes[JOURNAL_MODES] = {"DELETE", "WAL"};
    static char text[1024];
    snprintf(text, sizeof text, "PRAGMA journal_mode = %s; %s", modes[mode], sql);
    return text;
}

void feed_start_copy(void)
{
    struct error error = {0};
    assert_done(feed_try_create(&error));
    feed_bench_open();
    file_execute(feed_bench.path,
                 arena_format(feed_bench.arena, "VACUUM INTO '%s'", feed_bench.copy_path));
    sqlite3 *copy = NULL;
    assert_int_equal(sqlite3_open(feed_bench.copy_path, &copy), SQLITE_OK);
    for (uint32_t i = 1; i <= feed_bench.table_count; i++) {
        static const char *const kinds[] = {"insert", "update", "delete", "before_insert",
                                            "before_update"};
        for (uint32_t k = 0; k < COUNT_OF(kinds); k++) {
            const char *sql = arena_format(feed_bench.arena,
                                           "DROP TRIGGER \"_transhume_feed_f.%u.%s\"", i, kinds[k]);
            assert_int_equal(sqlite3_exec(copy, sql, NULL, NULL, NULL), SQLITE_OK);
        }
    }
    sqlite3_close(copy);
    feed_bench.copy = target_open(feed_bench.copy_path);
    feed_bench.copy->triggers_off = true;
    memcpy(&feed_bench.tables[feed_bench.table_count], feed_bench.tables,
           feed_bench.table_count * sizeof feed_bench.tables[0]);
    const struct apply_request request = {
        .feed = "f", .tables = feed_bench.tables, .table_count = 2 * feed_bench.table_count};
    assert_done(sqlite_apply.open(feed_bench.copy, &request, &feed_bench.apply, &error));
}

void feed_tear_down(void)
{
    sqlite_apply.close(feed_bench.apply);
    sqlite_feed.close(feed_bench.feed);
    if (feed_bench.copy != NULL) {
        target_close(feed_bench.copy);
    }
    target_close(feed_bench.source);
    arena_destroy(feed_bench.arena);
}

/* The set's changes, of the copy's tables: one that comes in two versions is there twice. */
static void map_tables(struct change_set *set)
{
    struct record_change *changes =
        arena_allocate_zeroed(set->arena, set->change_count + 1u, sizeof *changes);
    struct change_table *tables =
        arena_allocate_zeroed(set->arena, 2 * FEED_TABLES_MAX, sizeof *tables);
    for (uint32_t i = 0; i < set->change_count; i++) {
        const struct change_table *from = &set->tables[set->changes[i].table];
        uint32_t to = 0;
        while (strcmp(feed_bench.names[to], from->name) != 0) {
            assert_true(++to < feed_bench.table_count);
        }
        to += tables[to].shape != NULL && tables[to].shape != from->shape ? feed_bench.table_count
                                                                          : 0;
        changes[i] = set->changes[i];
        changes[i].table = to;
        tables[to] = *from;
    }
    set->changes = changes;
    set->tables = tables;
    set->table_count = 2 * feed_bench.table_count;
}

static enum status apply_set(struct change_set *set, struct error *error)
{
    struct apply_result result;
    const struct change_set *const sets[] = {set};
    map_tables(set);
    enum status status =
        sqlite_apply.apply_sets(feed_bench.apply, sets, 1, feed_bench.arena, &result, error);
    for (uint32_t i = 0; status == STATUS_OK && i < result.refusal_count; i++) {
        if (result.refusals[i].code != ERROR_REJECT_KEY_NULL) {
            fail_msg("refused: %s", result.refusals[i].reason);
        }
    }
    return status;
}

enum status feed_next_set(struct change_set **set, struct error *error)
{
    enum status status = sqlite_feed.next(feed_bench.feed, 0, set, error);
    if (status != STATUS_OK) {
        return status;
    }
    assert_true(feed_order_of(&sqlite_feed, (*set)->begin, (*set)->end) == POSITION_BEFORE);
    feed_bench.pieces++;
    feed_bench.sets += (*set)->last_piece;
    feed_bench.changes += (*set)->change_count;
    if ((*set)->last_piece) {
        char *bytes = arena_copy(feed_bench.arena, (*set)->end.bytes, (*set)->end.length);
        feed_bench.position = (struct position){(const uint8_t *)bytes, (*set)->end.length};
    }
    return STATUS_OK;
}

/* Applies all that came. */
enum status feed_try_drain(struct error *error)
{
    struct change_set *set;
    enum status status;
    while ((status = feed_next_set(&set, error)) == STATUS_OK) {
        struct error failure = {0};
        if (apply_set(set, &failure) != STATUS_OK) {
            fail_msg("%s: %s", failure.object, failure.message);
        }
        arena_destroy(set->arena);
        assert_int_equal(sqlite_feed.confirm(feed_bench.feed, feed_bench.position, error),
                         STATUS_OK);
    }
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

void feed_drain(void)
{
    struct error error = {0};
    assert_done(feed_try_drain(&error));
}

/* Every table of the copy has the rows of the file's. */
void feed_assert_equal(const char *what)
{
    const char *attach =
        arena_format(feed_bench.arena, "ATTACH '%s' AS copy", feed_bench.copy_path);
    sqlite3 *connection = NULL;
    assert_int_equal(sqlite3_open(feed_bench.path, &connection), SQLITE_OK);
    assert_int_equal(sqlite3_exec(connection, attach, NULL, NULL, NULL), SQLITE_OK);
    for (uint32_t i = 0; i < 2 * feed_bench.table_count; i++) {
        static const char *const sides[] = {"main", "copy"};
        const char *sql =
            arena_format(feed_bench.arena,
                         "SELECT * FROM %s.\"%s\" WHERE %s IS NOT NULL"
                         " EXCEPT SELECT * FROM %s.\"%s\"",
                         sides[i % 2], feed_bench.names[i / 2], feed_bench.key_names[i / 2][0],
                         sides[1 - i % 2], feed_bench.names[i / 2]);
        sqlite3_stmt *statement = NULL;
        assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
        if (sqlite3_step(statement) == SQLITE_ROW) {
            fail_msg("%s: only %s.%s has %s, %s", what, sides[i % 2], feed_bench.names[i / 2],
                     (const char *)sqlite3_column_text(statement, 0),
                     (const char *)sqlite3_column_text(statement, 1));
        }
        sqlite3_finalize(statement);
    }
    sqlite3_close(connection);
}

void feed_change(const char *sql)
{
    file_execute(feed_bench.path, sql);
    feed_drain();
    feed_assert_equal(sql);
}
