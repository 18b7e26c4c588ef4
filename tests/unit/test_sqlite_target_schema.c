/* The schema of a SQLite target: a whole copy object by object, tables of a plan, statements under
 * guard. */
#include "base/failpoint.h"
#include "connectors/sqlite/sqlite_internal.h"
#include "support_sqlite_target.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------- whole copies */

static const char shop[] =
    "PRAGMA encoding='UTF-16le'; PRAGMA page_size=8192; PRAGMA auto_vacuum=1;"
    "PRAGMA application_id=1234; PRAGMA user_version=56;"
    "CREATE TABLE artist(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, j TEXT "
    "CHECK(json_valid(j)));"
    "CREATE TABLE album (\n  id INTEGER PRIMARY KEY, -- a comment\n  artist INT REFERENCES "
    "artist(id) ON DELETE CASCADE,"
    "  price NUMERIC(10,2) DEFAULT 0.99 CHECK (price >= 0), twice AS (price * 2) STORED, thrice AS "
    "(price * 3));"
    "CREATE TABLE tag(name TEXT COLLATE NOCASE, n INT, PRIMARY KEY(name, n DESC)) WITHOUT ROWID;"
    "CREATE TABLE exact(a INTEGER NOT NULL, b ANY, c BLOB) STRICT;"
    "CREATE TABLE \"odd \"\"name\n[x]\"(\"se lect\" TEXT, \"'q'\" INT, `back``tick`);"
    "CREATE TABLE nokey(v);"
    "CREATE UNIQUE INDEX album_artist ON album(artist, price DESC) WHERE price > 1;"
    "CREATE INDEX \"odd index\" ON \"odd \"\"name\n[x]\"(\"se lect\" COLLATE NOCASE, "
    "length(\"'q'\"));"
    "CREATE VIEW cheap AS SELECT * FROM album WHERE price < 1;"
    "CREATE TRIGGER album_new AFTER INSERT ON album BEGIN UPDATE artist SET name = name || '!' "
    "WHERE id = new.artist; END;"
    "CREATE TRIGGER cheap_new INSTEAD OF INSERT ON cheap BEGIN SELECT 1; END;"
    "INSERT INTO artist VALUES(1, 'AC/DC', '{}'), (2, 'gr\xc3\xbc\xc3\x9f', '[]'), (9, 'gone', "
    "'1'); DELETE FROM artist WHERE id = 9;"
    "INSERT INTO album(id, artist, price) VALUES(1, 1, 1.5), (2, 2, 0.5), (3, 77, 0.1);"
    "INSERT INTO tag VALUES('b', 1), ('A', 1), ('A', 2);"
    "INSERT INTO exact VALUES(1, 'x', x'00'), (2, 3.5, NULL);"
    "INSERT INTO \"odd \"\"name\n[x]\" VALUES('x', 1, 2);"
    "INSERT INTO nokey(rowid, v) VALUES(-5, 'a'), (7, 'b'), (7000000000, 'c');";

/* A copy by the express lane, table by table, as the engine would make it. */
struct copy {
    struct database *source;
    struct database *target;
    struct schema *schema;
    struct target_table tables[32];
    uint32_t table_count;
};

static void copy_open(struct copy *copy, const char *source_path, const char *target_path_)
{
    struct error error = {0};
    *copy = (struct copy){.source = target_source_open(source_path),
                          .target = target_open(target_path_)};
    assert_done(sqlite_catalog.describe(copy->source, &copy->schema, &error));
    for (uint32_t i = 0; i < copy->schema->table_count; i++) {
        const struct schema_table *table = &copy->schema->tables[i];
        if (table->kind == SCHEMA_TABLE) {
            copy->tables[copy->table_count++] =
                (struct target_table){.name = table->name, .same_engine = table};
        }
    }
}

static void copy_span(struct copy *copy, struct writer *writer, struct reader *reader,
                      const struct read_request *request, const struct span *span, uint32_t table,
                      uint64_t chunk)
{
    struct error error = {0};
    const struct schema_table *schema = copy->tables[table].same_engine;
    const char *names[16];
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;

    for (uint32_t i = 0; i < schema->column_count; i++) {
        names[i] = schema->columns[i].name;
    }
    assert_done(sqlite_source_functions.cursor_open(reader, request, span, &cursor, &error));
    while (sqlite_source_functions.cursor_next(cursor, 3, 1 << 20, &batch, &error) == STATUS_OK) {
        batch->shape = target_shape(names, schema->column_count);
        struct batch_result result = target_write(writer, copy->target, chunk, table, batch);
        assert_int_equal(result.outcome_count, 0);
        target_result_free(&result);
    }
    sqlite_source_functions.cursor_close(cursor);
}

static void copy_rows(struct copy *copy, bool express)
{
    struct error error = {0};
    struct arena *arena = arena_create(0);
    const char *token = NULL;
    struct writer *writer = target_writer(copy->target, copy->tables, copy->table_count);
    struct reader *reader = NULL;

    assert_done(sqlite_source_functions.snapshot(copy->source, 1, arena, &token, &error));
    assert_done(sqlite_source_functions.reader_open(copy->source, &reader, &error));
    for (uint32_t t = 0; t < copy->table_count; t++) {
        const struct schema_table *table = copy->tables[t].same_engine;
        struct read_column columns[16];
        struct read_request request = {.name = table->name,
                                       .table = table->name,
                                       .columns = columns,
                                       .column_count = table->column_count};
        for (uint32_t i = 0; i < table->column_count; i++) {
            columns[i] = (struct read_column){.join = -1, .name = table->columns[i].name};
        }
        struct span *spans = NULL;
        uint32_t span_count = 0;
        assert_done(sqlite_source_functions.split(copy->source, &request, 2, arena, &spans,
                                                  &span_count, &error));
        for (uint32_t s = 0; s < span_count; s++) {
            uint64_t chunk = (uint64_t)t * 10 + s + 1;
            uint64_t rows = 0;
            assert_done(sqlite_target.chunk_begin(writer, chunk, 1, &error));
            if (express) {
                enum status status = sqlite_express_functions.chunk(
                    writer, copy->source, chunk, &request, &spans[s], t, &rows, &error);
                if (status != STATUS_OK) {
                    fail_msg("express lane of %s: %d %s", table->name, status, error.message);
                }
            } else {
                copy_span(copy, writer, reader, &request, &spans[s], t, chunk);
            }
            assert_done(target_commit(writer, copy->target, chunk, &error));
        }
    }
    sqlite_source_functions.reader_close(reader);
    sqlite_target.writer_close(writer);
    arena_destroy(arena);
}

static void copy_close(struct copy *copy)
{
    target_close(copy->target);
    target_close(copy->source);
    arena_destroy(copy->schema->arena);
}

static const char all_objects[] = "SELECT type, name, tbl_name, sql FROM sqlite_schema "
                                  "WHERE tbl_name NOT GLOB '_transhume_*' ORDER BY type, name";
static const char all_rows[] =
    "SELECT 'artist', id, hex(name), j, '' FROM artist UNION ALL SELECT 'album', id, artist, price "
    "|| typeof(price), twice FROM album "
    "UNION ALL SELECT 'tag', name, n, '', '' FROM tag UNION ALL SELECT 'exact', a, quote(b), "
    "quote(c), typeof(b) FROM exact "
    "UNION ALL SELECT 'odd', \"se lect\", \"'q'\", \"back`tick\", '' FROM \"odd \"\"name\n[x]\" "
    "UNION ALL SELECT 'seq', name, seq, '', '' FROM sqlite_sequence";
static const char all_settings[] =
    "SELECT encoding, page_size, auto_vacuum, application_id, user_version FROM pragma_encoding, "
    "pragma_page_size, pragma_auto_vacuum, pragma_application_id, pragma_user_version";

static void assert_same_answer(const char *source, const char *target, const char *sql)
{
    char expected[16384];
    snprintf(expected, sizeof expected, "%s", file_ask(source, sql));
    assert_true(strlen(expected) > 0 && strlen(expected) < sizeof expected - 1);
    assert_string_equal(file_ask(target, sql), expected);
}

static void a_whole_copy_is_the_same_object_by_object(void **state)
{
    (void)state;
    for (int express = 0; express <= 1; express++) {
        char source[1024];
        char target[1024];
        struct copy copy;
        struct error error = {0};

        snprintf(source, sizeof source, "%s", target_path("shop.db"));
        file_execute(source, shop);
        snprintf(target, sizeof target, "%s", target_path("copy.db"));
        copy_open(&copy, source, target);
        target_begin_run(copy.target, 100);
        assert_true(sqlite_express_functions.accepts(copy.target, copy.source));
        assert_done(
            target_prepare(copy.target, copy.tables, copy.table_count, copy.schema, &error));
        /* again, as after a crash */
        assert_done(
            target_prepare(copy.target, copy.tables, copy.table_count, copy.schema, &error));
        copy_rows(&copy, express);
        for (int repeat = 0; repeat < 2; repeat++) {
            if (target_finish(copy.target, copy.tables, copy.table_count, copy.schema, &error) !=
                STATUS_OK) {
                fail_msg("%s: %s", error.object, error.message);
            }
        }
        copy_close(&copy);
        assert_same_answer(source, target, all_objects);
        assert_same_answer(source, target, all_rows);
        assert_same_answer(source, target, all_settings);
        if (express) {
            assert_same_answer(source, target, "SELECT rowid, v FROM nokey");
        }
        assert_string_equal(file_ask(target, "PRAGMA integrity_check"), "ok");
    }
}

static void virtual_tables_come_with_their_store(void **state)
{
    (void)state;
    char source[1024];
    char target[1024];
    struct copy copy;
    struct error error = {0};

    snprintf(source, sizeof source, "%s", target_path("fts.db"));
    file_execute(
        source,
        "CREATE TABLE doc(id INTEGER PRIMARY KEY, body);"
        "INSERT INTO doc VALUES(1, 'alpha beta'), (2, 'gamma');"
        "CREATE VIRTUAL TABLE doc_index USING fts5(body, content='doc', content_rowid='id');"
        "INSERT INTO doc_index(doc_index) VALUES('rebuild');"
        "CREATE VIRTUAL TABLE own USING fts5(x); INSERT INTO own VALUES('delta');"
        "CREATE VIRTUAL TABLE \"box es\" USING rtree(id, x0, x1);"
        "INSERT INTO \"box es\" VALUES(1, 2.5, 3.5), (2, 4.5, 5.5);"
        "CREATE VIRTUAL TABLE old USING fts4(y); INSERT INTO old VALUES('zeta');"
        "CREATE TABLE far_store(k, v); INSERT INTO far_store VALUES(1, x'0102');"
        "PRAGMA writable_schema=ON;"
        "INSERT INTO sqlite_schema VALUES('table', 'far', 'far', 0, "
        "'CREATE VIRTUAL TABLE far USING nosuchmodule(k, v)');"
        "CREATE TRIGGER doc_new AFTER INSERT ON doc BEGIN "
        "INSERT INTO doc_index(rowid, body) VALUES(new.id, new.body); END");
    snprintf(target, sizeof target, "%s", target_path("copy.db"));
    copy_open(&copy, source, target);
    target_begin_run(copy.target, 100);
    assert_done(target_prepare(copy.target, copy.tables, copy.table_count, copy.schema, &error));
    copy_rows(&copy, true);
    for (int repeat = 0; repeat < 2; repeat++) {
        assert_done(target_finish(copy.target, copy.tables, copy.table_count, copy.schema, &error));
    }
    copy_close(&copy);
    assert_same_answer(source, target, all_objects);
    assert_string_equal(
        file_ask(target, "SELECT rowid FROM doc_index WHERE doc_index MATCH 'gamma'"), "2");
    assert_string_equal(file_ask(target, "SELECT x FROM own WHERE own MATCH 'delta'"), "delta");
    assert_string_equal(file_ask(target, "SELECT y FROM old WHERE old MATCH 'zeta'"), "zeta");
    assert_string_equal(file_ask(target, "SELECT id FROM \"box es\" WHERE x0 > 3"), "2");
    assert_string_equal(file_ask(target, "SELECT hex(v) FROM far_store"), "0102");
    file_execute(target, "INSERT INTO own(own) VALUES('integrity-check');"
                         "INSERT INTO old(old) VALUES('integrity-check');"
                         "INSERT INTO doc_index(doc_index) VALUES('integrity-check')");
    file_execute(target, "INSERT INTO doc VALUES(3, 'epsilon')");
    assert_string_equal(
        file_ask(target, "SELECT rowid FROM doc_index WHERE doc_index MATCH 'epsilon'"), "3");
    assert_string_equal(file_ask(target, "PRAGMA integrity_check"), "ok");
}

/* Triggers of the source would change what is loaded; they are made after it. */
static void triggers_do_not_fire_while_rows_are_loaded(void **state)
{
    (void)state;
    char source[1024];
    char target[1024];
    struct copy copy;
    struct error error = {0};

    snprintf(source, sizeof source, "%s", target_path("shop.db"));
    file_execute(source, shop);
    snprintf(target, sizeof target, "%s", target_path("copy.db"));
    copy_open(&copy, source, target);
    target_begin_run(copy.target, 100);
    assert_done(target_prepare(copy.target, copy.tables, copy.table_count, copy.schema, &error));
    assert_string_equal(
        file_ask(target, "SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'view')"),
        "0");
    assert_string_equal(file_ask(target,
                                 "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND "
                                 "name NOT GLOB 'sqlite_*'"),
                        "0");
    copy_close(&copy);
}

static void a_target_with_other_objects_keeps_its_settings(void **state)
{
    (void)state;
    char source[1024];
    char target[1024];
    struct copy copy;
    struct error error = {0};

    snprintf(source, sizeof source, "%s", target_path("shop.db"));
    file_execute(source, shop);
    snprintf(target, sizeof target, "%s", target_path("other.db"));
    file_execute(target,
                 "PRAGMA user_version=3; CREATE TABLE mine(v); INSERT INTO mine VALUES('kept')");
    copy_open(&copy, source, target);
    target_begin_run(copy.target, 100);
    assert_done(target_prepare(copy.target, copy.tables, copy.table_count, copy.schema, &error));
    copy_close(&copy);
    assert_string_equal(file_ask(target, all_settings), "UTF-8|4096|0|0|3");
    assert_string_equal(file_ask(target, "SELECT v FROM mine"), "kept");
}

static void the_express_lane_leaves_other_types_to_the_general_path(void **state)
{
    (void)state;
    char source[1024];
    char target[1024];
    struct copy copy;
    struct error error = {0};
    struct arena *arena = arena_create(0);
    const char *token;
    uint64_t rows = 0;

    snprintf(source, sizeof source, "%s", target_path("a.db"));
    file_execute(source, "CREATE TABLE t(v TEXT); INSERT INTO t VALUES('007')");
    snprintf(target, sizeof target, "%s", target_path("b.db"));
    file_execute(target, "CREATE TABLE t(v INTEGER)");
    copy_open(&copy, source, target);
    target_begin_run(copy.target, 1);
    assert_done(target_prepare(copy.target, copy.tables, 1, copy.schema, &error));
    assert_done(sqlite_source_functions.snapshot(copy.source, 1, arena, &token, &error));
    struct writer *writer = target_writer(copy.target, copy.tables, 1);
    struct read_column column = {.join = -1, .name = "v"};
    struct read_request request = {
        .name = "t", .table = "t", .columns = &column, .column_count = 1};
    struct span *spans;
    uint32_t count;
    assert_done(
        sqlite_source_functions.split(copy.source, &request, 10, arena, &spans, &count, &error));
    assert_done(sqlite_target.chunk_begin(writer, 1, 1, &error));
    assert_int_equal(sqlite_express_functions.chunk(writer, copy.source, 1, &request, &spans[0], 0,
                                                    &rows, &error),
                     STATUS_AGAIN);
    sqlite_target.chunk_abandon(writer, 1);
    sqlite_target.writer_close(writer);
    copy_close(&copy);
    arena_destroy(arena);
    assert_string_equal(file_ask(target, "SELECT count(*) FROM t"), "0");
}

/* A refused row or a source that moved on: nothing of the chunk stays, and the general path takes
 * it. */
static void a_failing_express_chunk_is_undone(void **state)
{
    (void)state;
    static const char *const modes[] = {"DELETE", "WAL"};
    for (uint32_t m = 0; m < COUNT_OF(modes); m++) {
        char source[1024];
        char target[1024];
        char sql[256];
        struct copy copy;
        struct error error = {0};
        struct arena *arena = arena_create(0);
        const char *token;
        uint64_t rows = 0;

        snprintf(source, sizeof source, "%s", target_path("a?b#c%20.db"));
        snprintf(sql, sizeof sql,
                 "PRAGMA journal_mode=%s; CREATE TABLE t(k INTEGER PRIMARY KEY, v);"
                 "INSERT INTO t VALUES(1, 'a'), (2, 'b'), (3, 'c')",
                 modes[m]);
        file_execute(source, sql);
        snprintf(target, sizeof target, "%s", target_path("b.db"));
        file_execute(target,
                     "CREATE TABLE t(k INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(2, 'mine')");
        copy_open(&copy, source, target);
        copy.tables[0].existing = EXISTING_APPEND;
        target_begin_run(copy.target, 3);
        assert_done(target_prepare(copy.target, copy.tables, 1, copy.schema, &error));
        assert_done(sqlite_source_functions.snapshot(copy.source, 1, arena, &token, &error));
        struct writer *writer = target_writer(copy.target, copy.tables, 1);
        struct read_column columns[] = {{.join = -1, .name = "k"}, {.join = -1, .name = "v"}};
        struct read_request request = {
            .name = "t", .table = "t", .columns = columns, .column_count = 2};
        struct span *spans;
        uint32_t count;
        assert_done(sqlite_source_functions.split(copy.source, &request, 10, arena, &spans, &count,
                                                  &error));
        assert_done(sqlite_target.chunk_begin(writer, 1, 1, &error));
        assert_int_equal(sqlite_express_functions.chunk(writer, copy.source, 1, &request, &spans[0],
                                                        0, &rows, &error),
                         STATUS_AGAIN);
        assert_int_equal(rows, 0);
        /* the chunk is still open for the general path */
        struct cell cells[] = {cell_int64(1), CELL_TEXT("a"), cell_int64(2), CELL_TEXT("b")};
        static const char *const names[] = {"k", "v"};
        struct batch_result result =
            target_write(writer, copy.target, 1, 0, target_batch(target_shape(names, 2), cells, 2));
        assert_int_equal(result.outcome_count, 1);
        target_result_free(&result);
        assert_done(target_commit(writer, copy.target, 1, &error));
        assert_string_equal(file_ask(target, "SELECT k, v FROM t"), "1|a\n2|mine");

        if (m == 1) { /* only in WAL mode can the source move on at all */
            file_execute(target, "DELETE FROM t");
            file_execute(source, "UPDATE t SET v = 'changed' WHERE k = 3");
            assert_done(sqlite_target.chunk_begin(writer, 2, 1, &error));
            assert_int_equal(sqlite_express_functions.chunk(writer, copy.source, 2, &request,
                                                            &spans[0], 0, &rows, &error),
                             STATUS_AGAIN);
            assert_done(target_commit(writer, copy.target, 2, &error));
            assert_string_equal(file_ask(target, "SELECT count(*) FROM t"), "0");
        }
        sqlite_target.writer_close(writer);
        copy_close(&copy);
        arena_destroy(arena);
    }
}

/* ---------------------------------------------------------------- tables of a plan */

static const struct schema_column plan_columns[] = {
    {.name = "id", .type = {.kind = VALUE_INT64}, .not_null = true},
    {.name = "select",
     .type = {.kind = VALUE_TEXT, .native = "VARCHAR(20)"},
     .default_text = "'x;\"'",
     .collation = "NOCASE"},
    {.name = "a \"quoted\"\nname \xf0\x9f\x98\x80",
     .type = {.kind = VALUE_DECIMAL, .precision = 10, .scale = 2},
     .default_text = "1); DROP TABLE t; --"},
    {.name = "f",
     .type = {.kind = VALUE_FLOAT64, .native = "double precision"},
     .default_text = "now()"},
    {.name = "b", .type = {.kind = VALUE_BYTES, .native = "bytea"}},
    {.name = "flag", .type = {.kind = VALUE_BOOL}, .default_text = "true"},
    {.name = "at", .type = {.kind = VALUE_TIMESTAMP, .native = "timestamp with time zone"}},
    {.name = "j", .type = {.kind = VALUE_JSON, .native = "jsonb"}},
    {.name = "any", .type = {.kind = VALUE_TEXT, .dynamic = true}},
    {.name = "p", .type = {.kind = VALUE_TEXT, .native = "point"}},
    {.name = "bad", .type = {.kind = VALUE_TEXT, .native = "TEXT UNIQUE"}},
    {.name = "worse", .type = {.kind = VALUE_TEXT, .native = "TEXT); DROP TABLE x; --"}},
};
static const char *const id_key[] = {"id"};
static const char *const two_columns[] = {"select", "b"};

static struct target_table plan_table(void)
{
    static const struct target_index indexes[] = {
        {.name = "an \"index\"", .columns = {two_columns, 2}},
        {.name = "unique one", .columns = {two_columns, 1}, .unique = true}};
    static const struct target_reference references[] = {{.columns = {id_key, 1},
                                                          .table = "other \"t\"",
                                                          .referenced_columns = {id_key, 1},
                                                          .on_delete = "cascade",
                                                          .on_update = "; DROP TABLE x"}};
    return (struct target_table){.name = "a \"table\"",
                                 .columns = plan_columns,
                                 .column_count = COUNT_OF(plan_columns),
                                 .key = {id_key, 1},
                                 .indexes = indexes,
                                 .index_count = 2,
                                 .references = references,
                                 .reference_count = 1};
}

static void a_plans_table_is_declared_as_its_types_say(void **state)
{
    (void)state;
    char path[1024];
    struct error error = {0};
    struct target_table table = plan_table();

    snprintf(path, sizeof path, "%s", target_path("plan.db"));
    struct database *database = target_open(path);
    target_begin_run(database, 1);
    if (target_prepare(database, &table, 1, NULL, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    assert_true(table.created);
    assert_string_equal(
        file_ask(path, "SELECT name, type, \"notnull\", pk FROM pragma_table_info('a \"table\"')"),
        "id|INTEGER|1|1\nselect|VARCHAR(20)|0|0\na \"quoted\"\nname \xf0\x9f\x98\x80|NUMERIC(10,2)|0|0\n"
        "f|double precision|0|0\nb|BLOB|0|0\nflag|BOOLEAN|0|0\nat|timestamp with time zone|0|0\nj|TEXT|0|0\n"
        "any||0|0\np|TEXT|0|0\nbad|TEXT|0|0\nworse|TEXT|0|0");
    assert_string_equal(
        file_ask(path,
                 "SELECT name FROM pragma_table_info('a \"table\"') WHERE dflt_value IS NOT NULL"),
        "select\nflag");
    assert_string_equal(file_ask(path,
                                 "SELECT \"table\", \"from\", \"to\", on_delete, on_update FROM "
                                 "pragma_foreign_key_list('a \"table\"')"),
                        "other \"t\"|id|id|CASCADE|NO ACTION");
    /* the unique index before the load, the other after it */
    assert_string_equal(file_ask(path, "SELECT name FROM pragma_index_list('a \"table\"')"),
                        "unique one");
    assert_done(target_finish(database, &table, 1, NULL, &error));
    assert_done(target_finish(database, &table, 1, NULL, &error));
    assert_string_equal(
        file_ask(path, "SELECT name FROM pragma_index_list('a \"table\"') ORDER BY name"),
        "an \"index\"\nunique one");
    target_close(database);
}

static void odd_names_work_all_the_way(void **state)
{
    (void)state;
    char long_name[201];
    memset(long_name, 'n', 200);
    long_name[200] = '\0';
    const char *const names[] = {"a \"b\"",  "new\nline", "tab\ttab", "order",
                                 "'single'", "[x]",       "`y`",      "\xf0\x9f\x98\x80\xc3\xa9",
                                 " lead",    "a;--",      "%s%n",     long_name};
    char path[1024];
    struct error error = {0};

    snprintf(path, sizeof path, "%s", target_path("odd.db"));
    struct database *database = target_open(path);
    target_begin_run(database, COUNT_OF(names));
    struct target_table tables[COUNT_OF(names)];
    struct schema_column columns[COUNT_OF(names)];
    for (uint32_t i = 0; i < COUNT_OF(names); i++) {
        columns[i] = (struct schema_column){.name = names[i], .type = {.kind = VALUE_INT64}};
        tables[i] = (struct target_table){.name = names[i],
                                          .columns = &columns[i],
                                          .column_count = 1,
                                          .key = {&names[i], 1},
                                          .existing = EXISTING_UPSERT};
    }
    assert_done(target_prepare(database, tables, COUNT_OF(names), NULL, &error));
    for (uint32_t i = 0; i < COUNT_OF(names); i++) {
        tables[i].created = false; /* as if it had been there: upsert writes its conflict clause */
    }
    struct writer *writer = target_writer(database, tables, COUNT_OF(names));
    for (uint32_t i = 0; i < COUNT_OF(names); i++) {
        struct cell cell = cell_int64(i);
        uint64_t count = 0;
        assert_done(sqlite_target.chunk_begin(writer, i + 1, 1, &error));
        struct batch_result result = target_write(
            writer, database, i + 1, i, target_batch(target_shape(&names[i], 1), &cell, 1));
        assert_int_equal(result.written, 1);
        target_result_free(&result);
        assert_done(target_commit(writer, database, i + 1, &error));
        assert_done(sqlite_target.count(database, &tables[i], &count, &error));
        assert_int_equal(count, 1);
    }
    sqlite_target.writer_close(writer);
    target_close(database);
    for (uint32_t i = 0; i < COUNT_OF(names); i++) {
        char *sql = sqlite3_mprintf("SELECT \"%w\" FROM \"%w\"", names[i], names[i]);
        char expected[16];
        snprintf(expected, sizeof expected, "%u", i);
        assert_string_equal(file_ask(path, sql), expected);
        sqlite3_free(sql);
    }
}

/* ---------------------------------------------------------------- statements that say too much */

static void only_the_one_create_statement_runs(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "CREATE TABLE t(a); DROP TABLE precious",
        "CREATE TABLE other(a)",
        "DROP TABLE precious",
        "CREATE TABLE t AS SELECT * FROM precious; DELETE FROM precious",
        "INSERT INTO precious VALUES(2)",
        "ATTACH '/tmp/x' AS y",
        "CREATE TABLE temp.t(a)",
        "PRAGMA journal_mode=OFF",
        "CREATE TABLE t(a, b DEFAULT (load_extension('x')))",
        "CREATE TRIGGER t AFTER INSERT ON precious BEGIN SELECT 1; END",
        "UPDATE sqlite_sequence SET seq = 0",
        "",
        "-- nothing",
    };
    for (uint32_t i = 0; i < COUNT_OF(statements); i++) {
        char path[1024];
        struct error error = {0};
        struct schema_table same = {.name = "t", .native_sql = statements[i]};
        struct target_table table = {.name = "t", .same_engine = &same};

        snprintf(path, sizeof path, "%s", target_path("guard.db"));
        file_execute(path, "CREATE TABLE precious(v); INSERT INTO precious VALUES(1)");
        char before[4096];
        struct database *database = target_open(path);
        target_begin_run(database, 1);
        snprintf(before, sizeof before, "%s", file_ask(path, all_objects));
        if (target_prepare(database, &table, 1, NULL, &error) == STATUS_OK) {
            /* a harmless one may pass, if it made the table and nothing else */
            assert_string_equal(statements[i],
                                "CREATE TABLE t(a, b DEFAULT (load_extension('x')))");
        } else {
            assert_int_equal(error.code, ERROR_TARGET_SCHEMA);
            assert_string_equal(file_ask(path, all_objects), before);
        }
        target_close(database);
        assert_string_equal(file_ask(path, "SELECT v FROM precious"), "1");
    }
}

/* ---------------------------------------------------------------- crashes */

static const char *child_failpoint;
static char child_source[1024];

static void child_copy(const char *target)
{
    struct copy copy;
    struct error error = {0};

    setenv("TRANSHUME_FAILPOINT", child_failpoint, 1);
    copy_open(&copy, child_source, target);
    target_begin_run(copy.target, 100);
    if (failpoint_setup(&error) != STATUS_OK ||
        target_prepare(copy.target, copy.tables, copy.table_count, copy.schema, &error) !=
            STATUS_OK) {
        _exit(9);
    }
    copy_rows(&copy, true);
    if (target_finish(copy.target, copy.tables, copy.table_count, copy.schema, &error) !=
        STATUS_OK) {
        _exit(8);
    }
    _exit(7);
}

/* Killed anywhere, and gone on with: the same objects and rows as without. */
static void a_killed_copy_goes_on_to_the_same_end(void **state)
{
    (void)state;
    static const char *const failpoints[] = {
        "sqlite.before_schema:kill",  "sqlite.after_schema:kill", "sqlite.before_index:kill",
        "sqlite.before_index:kill:2", "sqlite.after_index:kill",  "sqlite.before_objects:kill",
        "sqlite.after_objects:kill"};

    for (uint32_t i = 0; i < COUNT_OF(failpoints); i++) {
        char target[1024];
        struct copy copy;
        struct error error = {0};

        snprintf(child_source, sizeof child_source, "%s", target_path("shop.db"));
        file_execute(child_source, shop);
        snprintf(target, sizeof target, "%s", target_path("copy.db"));
        child_failpoint = failpoints[i];
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            child_copy(target);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        copy_open(&copy, child_source, target);
        assert_done(target_claim(copy.target, "run-1", 1, &error));
        assert_done(
            target_prepare(copy.target, copy.tables, copy.table_count, copy.schema, &error));
        for (uint32_t t = 0; t < copy.table_count; t++) {
            assert_true(copy.tables[t].created);
        }
        if (i < 2) {
            copy_rows(&copy, true);
        }
        assert_done(target_finish(copy.target, copy.tables, copy.table_count, copy.schema, &error));
        copy_close(&copy);
        assert_same_answer(child_source, target, all_objects);
        assert_same_answer(child_source, target, all_rows);
        assert_same_answer(child_source, target, all_settings);
    }
}

static void a_table_that_vanished_is_noticed(void **state)
{
    (void)state;
    char path[1024];
    struct error error = {0};
    struct target_table table = plan_table();

    snprintf(path, sizeof path, "%s", target_path("vanished.db"));
    struct database *database = target_open(path);
    target_begin_run(database, 1);
    assert_done(target_prepare(database, &table, 1, NULL, &error));
    file_execute(path, "DROP TABLE \"a \"\"table\"\"\"");
    assert_int_equal(target_prepare(database, &table, 1, NULL, &error), STATUS_FAILED);
    assert_int_equal(error.code, ERROR_TARGET_SCHEMA);
    target_close(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_copy_is_the_same_object_by_object),
        cmocka_unit_test(virtual_tables_come_with_their_store),
        cmocka_unit_test(triggers_do_not_fire_while_rows_are_loaded),
        cmocka_unit_test(a_target_with_other_objects_keeps_its_settings),
        cmocka_unit_test(the_express_lane_leaves_other_types_to_the_general_path),
        cmocka_unit_test(a_failing_express_chunk_is_undone),
        cmocka_unit_test(a_plans_table_is_declared_as_its_types_say),
        cmocka_unit_test(odd_names_work_all_the_way),
        cmocka_unit_test(only_the_one_create_statement_runs),
        cmocka_unit_test(a_killed_copy_goes_on_to_the_same_end),
        cmocka_unit_test(a_table_that_vanished_is_noticed),
    };
    return cmocka_run_group_tests_name("sqlite_target_schema", tests, NULL, NULL);
}
