/* What the tests of the SQLite source share: making files, opening sources, reading rows as
 * text. */
#ifndef TRANSHUME_UNIT_SUPPORT_SQLITE_SOURCE_H
#define TRANSHUME_UNIT_SUPPORT_SQLITE_SOURCE_H

#include "connectors/common/registry.h"
#include "connectors/sqlite/source.h"
#include "support.h"

/* One open source, in an arena that holds all that the test asks of it. */
struct source_test {
    struct arena *arena;
    struct database *database;
    struct sqlite_database *sqlite;
    const struct source_functions *source;
    struct reader *reader;
    const char *token;
    struct error error;
};

/* A new file in a new folder, made by the statements; the path stays valid until the test ends. */
const char *sqlite_file(const char *sql);
/* Statements on a file, by a connection of their own. */
void sqlite_file_execute(const char *path, const char *sql);
/* The first column of the first row as text. */
const char *sqlite_file_ask(const char *path, const char *sql);

/* `options` stands behind the path: "?slice=64KiB"; may be NULL. */
enum status source_try_open(struct source_test *test, const char *path, const char *options,
                            bool with_spill_folder);
void source_open(struct source_test *test, const char *path);
/* Opens with a spill folder, takes the snapshot and one reader. */
void source_open_reading(struct source_test *test, const char *path);
void source_take_snapshot(struct source_test *test, uint32_t readers);
void source_close(struct source_test *test);

/* A request for columns "a,b" of a table; "1.x" is a column of join 1 (counted from 0), "?1" the
 * presence of that join. */
struct read_request *source_request(struct source_test *test, const char *table,
                                    const char *columns);
struct read_join *source_joins(struct source_test *test, struct read_request *request,
                               uint32_t count);
struct read_join source_join(struct source_test *test, int32_t from, const char *table,
                             const char *from_columns, const char *columns, bool many);
struct column_list source_list(struct source_test *test, const char *names);

/* Rows as lines, cells joined by '|': i5 f0.5 d1.98 tabc xff b1 - (null) e (escape) L123
 * (large). */
const char *source_rows(struct source_test *test, const struct read_request *request,
                        const struct span *span);
int64_t source_count_lines(const char *rows);
/* The same, but the read fails with this code. */
void source_rows_fail(struct source_test *test, const struct read_request *request,
                      enum error_code code);
void cell_show(const struct cell *cell, struct buffer *out);
/* The plan that SQLite makes of a request, its lines joined by '\n'. */
const char *source_query_plan(struct source_test *test, const struct read_request *request,
                              const struct span *span);

#endif
