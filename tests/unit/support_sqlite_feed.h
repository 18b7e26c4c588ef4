/* What the tests of SQLite's feed share: a file that is followed, and a copy of it to which the
 * changes are applied. */
#ifndef TRANSHUME_UNIT_SUPPORT_SQLITE_FEED_H
#define TRANSHUME_UNIT_SUPPORT_SQLITE_FEED_H

#include "support_sqlite_target.h"

enum { FEED_TABLES_MAX = 8, JOURNAL_MODES = 2 };

struct feed_bench {
    char path[1024];
    char copy_path[1024];
    struct database *source;
    struct database *copy;
    const char *names[FEED_TABLES_MAX];
    struct target_table tables[2 * FEED_TABLES_MAX];
    const char *key_names[FEED_TABLES_MAX][4];
    uint32_t table_count;
    struct feed *feed;
    struct apply *apply;
    struct position position;
    struct arena *arena;
    uint32_t sets;
    uint32_t changes;
    uint32_t pieces;
};
extern struct feed_bench feed_bench;

/* Makes the file. `tables`: "name key1 key2,name key": those that are followed, and their keys. */
void feed_set_up(const char *sql, const char *tables);
/* The SQL in a file of that journal mode; until the next call. */
const char *feed_in_mode(uint32_t mode, const char *sql);
/* Makes the feed "f" and opens it, and makes the copy. */
void feed_start_copy(void);
void feed_tear_down(void);

/* The first `table_count` of its tables. */
enum status feed_make(const char *name, uint32_t table_count, struct feed_start *start,
                      struct error *error);
enum status feed_try_create(struct error *error);
/* At feed_bench.position; one that is open is closed. */
enum status feed_try_open(struct error *error);
void feed_bench_open(void);

/* As a foreign program would, whatever becomes of it: SQLite's result. */
int feed_try_execute(const char *path, const char *sql);
/* A set, or a piece of one; feed_bench.position follows it. */
enum status feed_next_set(struct change_set **set, struct error *error);
/* Applies and confirms all that came. */
enum status feed_try_drain(struct error *error);
void feed_drain(void);
/* Every table of the copy has the rows of the file's. */
void feed_assert_equal(const char *what);
/* Another program's SQL on the file; the copy follows, and is equal. */
void feed_change(const char *sql);

#endif
