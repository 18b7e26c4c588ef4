/*
 * Following a SQLite file: what the files feed*.c share.
 *
 * Triggers write every change of the followed tables into a log in the file itself, in the
 * transaction of the change. A feed NAME has
 *
 *   _transhume_feed_NAME      the log:
 *     sequence                its key, counting up; the first is the microsecond of its making, so
 *                             that no position of an earlier feed of the name is within it
 *     moment                  julianday('now') of the statement
 *     table_number            in the list
 *     operation               enum feed_operation
 *     v0, v1, …               the values, in columns that change none: of an insert the new ones,
 * of an update the old ones and behind them the new ones, else the old ones
 *   _transhume_feed_NAME.N.*  the triggers of its table N
 *   _transhume_feeds          the list of all feeds, their tables and columns (feed_list.c)
 *
 * The row of the last confirmed position is kept: by its moment a position is known to mean this
 * row (feed_position.c). The log is thus never empty: the next row counts on from its last one, and
 * SQLite needs no table of its own for that.
 *
 * INSERT OR REPLACE and UPDATE OR REPLACE, or such a clause of a constraint, take rows out without
 * firing DELETE triggers. So BEFORE triggers log each row that has a unique key of the new one,
 * with both rows' values. If that very row is then inserted, or updated so, the other one is gone.
 * If it is not (OR IGNORE, DO NOTHING, …), whoever reads the log looks whether the row is there.
 *
 * SQLite has one writer at a time, so that the log's order is that of the commits. Where one
 * transaction ends the log does not tell: a set is all that a poll finds.
 */
#ifndef TRANSHUME_CONNECTORS_SQLITE_FEED_INTERNAL_H
#define TRANSHUME_CONNECTORS_SQLITE_FEED_INTERNAL_H

#include "connectors/sqlite/source.h"
#include "model/batch.h"

#define FEED_LIST "_transhume_feeds"
/* The hint where changes are gone. */
#define FEED_RESYNC                                                                              \
    "`transhume follow --resync` makes the feed again, compares both sides, repairs the target " \
    "and goes on"
#define FEED_LOG "_transhume_feed_"

enum { FEED_NAME_BYTES_MAX = 40, FEED_COLUMNS_MAX = 990 };
/* Columns of the log before the values. */
enum { FEED_SEQUENCE, FEED_MOMENT, FEED_TABLE_NUMBER, FEED_OPERATION_COLUMN, FEED_FIRST_VALUE };

enum feed_operation {
    FEED_MARK,          /* the log's first row */
    FEED_INSERT,        /* new values */
    FEED_UPDATE,        /* old and new values */
    FEED_DELETE,        /* old values */
    FEED_BEFORE_INSERT, /* values of a row in the way, and the new ones */
    FEED_BEFORE_UPDATE, /* the same */
    FEED_ANEW,          /* the row as it is, once columns were added to its table */
    FEED_REPLACED       /* the table was dropped, and perhaps made again: no values */
};

/* ---------------------------------------------------------------- feed_position.c */

/* A row of the log. */
struct feed_place {
    int64_t sequence;
    int64_t moment_ms; /* 0: not known, as in positions of earlier versions */
};

/* In `arena`. */
struct position feed_position_of(struct feed_place place, struct arena *arena);
struct feed_place feed_place_of(struct position position);
void sqlite_feed_print(struct position position, struct buffer *out);
bool sqlite_feed_covers(struct position at, struct position goal);

/* The moment of the row of that sequence. STATUS_END: the log has none. */
enum status feed_find_place(struct sqlite_database *self, sqlite3 *connection, const char *name,
                            struct feed_place *place, struct error *error) MUST_USE;
/* The log's first sequence, unless it is NULL, and its last row; there is always one. */
enum status feed_ends_of_log(struct sqlite_database *self, sqlite3 *connection, const char *name,
                             int64_t *first, struct feed_place *last, struct error *error) MUST_USE;
/* Is that row in the log? If not, ERROR_FEED_LOST. */
enum status feed_check_row(struct sqlite_database *self, sqlite3 *connection, const char *name,
                           struct feed_place place, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- feed_list.c */

/* A followed table as it was when its triggers were made. */
struct feed_table {
    uint32_t number;
    bool current; /* its triggers are these; else another one of the name has come after it */
    const char *name;
    const char **columns;
    const char **types; /* as declared */
    uint32_t column_count;
    uint32_t *key; /* positions in `columns` */
    uint32_t key_count;
    bool strict;
    const char *triggers; /* hash of their texts */
    const char *uniques;  /* hashes of its unique keys, a blank after each */
    /* for the reader: */
    struct shape *shape;
    struct request_column *reading; /* of the first values, and of those behind them */
    sqlite3_stmt *look;             /* finds a row by its key */
    uint32_t place;                 /* in the set that is made; UINT32_MAX: not yet */
};

struct feed_list {
    struct feed_table *tables;
    uint32_t table_count;
    int64_t first;    /* the sequence that it began with */
    int64_t snapshot; /* of the first copy: what that holds; 0: none was taken */
};

/* ERROR_NOT_OURS: what has the name of a table of feeds is none, or something hangs on it (ours.c).
 */
enum status sqlite_check_feeds(struct sqlite_database *self, sqlite3 *connection,
                               struct error *error) MUST_USE;
/* The list of one feed, in `arena`. STATUS_END: there is none of the name. ERROR_NOT_OURS: as
 * sqlite_check_feeds. */
enum status feed_list_read(struct sqlite_database *self, sqlite3 *connection, const char *name,
                           struct arena *arena, struct feed_list *list,
                           struct error *error) MUST_USE;
/* Within a transaction: makes the list's table, if there is none, and adds a feed. */
enum status feed_list_add(struct sqlite_database *self, sqlite3 *connection, const char *name,
                          int64_t first, struct error *error) MUST_USE;
/* The statement that makes the list's table. */
void feed_append_list(struct buffer *sql);
/* Adds a table to it, or replaces one of its number. */
enum status feed_list_put(struct sqlite_database *self, sqlite3 *connection, const char *name,
                          const struct feed_table *table, struct error *error) MUST_USE;
enum status feed_list_drop(struct sqlite_database *self, sqlite3 *connection, const char *name,
                           struct error *error) MUST_USE;
/* Notes for a snapshot that all writers wait for which sequence it holds, unless one was noted.
 * Leaves the lock of the writers to the caller, who ends the transaction. */
enum status feed_fix_moment(struct sqlite_database *self, sqlite3 *helper, const char *name,
                            struct error *error) MUST_USE;

/* One number of a query without parameters. STATUS_END: no row, or NULL. */
enum status feed_ask(struct sqlite_database *self, sqlite3 *connection, const char *sql,
                     int64_t *number, struct error *error) MUST_USE;
/* Runs SQL and frees the buffer. */
enum status feed_run(struct sqlite_database *self, sqlite3 *connection, struct buffer *sql,
                     struct error *error) MUST_USE;
/* As sqlite_error for the source side, on any connection. */
enum status feed_failed(struct sqlite_database *self, sqlite3 *connection, int result,
                        const char *doing, struct error *error);

/* ---------------------------------------------------------------- feed_triggers.c */

/* The key that rows are told apart by: the primary key, else the first unique index over columns
 * that are never NULL. 0: there is none. Positions, in `arena`. */
uint32_t feed_find_key(const struct catalog_table *table, struct arena *arena, uint32_t **key);
/* The CREATE TRIGGER statements of a table, each ended by ";\n". */
void feed_append_triggers(const char *name, uint32_t number, const struct catalog_table *table,
                          struct buffer *sql);
/* feed_table.uniques for the table as it is. */
void feed_append_uniques(const struct catalog_table *table, struct buffer *out);
/* The hash of the texts of the triggers that are there; `*count` of them. */
enum status feed_hash_triggers(struct sqlite_database *self, sqlite3 *connection, const char *name,
                               uint32_t number, struct arena *arena, const char **hash,
                               uint32_t *count, struct error *error) MUST_USE;
enum status feed_drop_triggers(struct sqlite_database *self, sqlite3 *connection, const char *name,
                               const char *pattern, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- feed_make.c */

/* Another connection to the file, for one thread. */
enum status feed_connect(struct sqlite_database *self, bool writes, sqlite3 **connection,
                         struct error *error) MUST_USE;
enum status feed_can_be_followed(struct sqlite_database *self, struct error *error) MUST_USE;
/* A table that fires triggers, with room for two of its rows in the log. */
enum status feed_find_table(const struct catalog *catalog, const char *name,
                            const struct catalog_table **table, struct error *error) MUST_USE;
enum status feed_refuse_keyless(const char *table, struct error *error);
/* The log and its first row, for tables of at most so many columns. */
void feed_append_log(const char *name, uint32_t columns, int64_t first, struct buffer *sql);
/* Makes the triggers of a table, and fills in their hash, its uniques and its key; within a
 * transaction. */
enum status feed_make_table(struct sqlite_database *self, sqlite3 *connection, const char *name,
                            const struct catalog_table *table, struct arena *arena,
                            struct feed_table *made, struct error *error) MUST_USE;

enum status sqlite_feed_create(struct database *database, const char *name,
                               const struct followed_table *tables, uint32_t table_count,
                               struct arena *arena, struct feed_start *start, struct error *error);
enum status sqlite_feed_extend(struct database *database, const char *name,
                               const struct followed_table *tables, uint32_t table_count,
                               struct error *error);
enum status sqlite_feed_drop(struct database *database, const char *name, struct error *error);

/* ---------------------------------------------------------------- feed_check.c */

struct feed {
    struct sqlite_database *self;
    char name[FEED_NAME_BYTES_MAX + 1];
    sqlite3 *connection;
    struct arena *arena; /* the list, and the shapes, which live as long as the database */
    struct feed_list list;
    int64_t schema_version;
    int64_t data_version; /* of the last poll; -1: none yet */
    int64_t position;     /* the last sequence that was handed over */
    struct feed_place begin;
    struct feed_place end; /* of the set that is being read; at `position`: none is */
    bool skipped;          /* what is before `end` is in the copy, which nobody was told yet */
    int64_t moment_us;     /* of the last entry that was handed over; 0: not known */
    struct buffer gone;    /* of each row in the way that the set has still to tell: is it gone? */
    size_t gone_next;
    sqlite3_stmt *entries;   /* of the log, between two sequences */
    sqlite3_stmt *looks;     /* the same, of rows in the way alone */
    uint32_t width;          /* of their values */
    int64_t pause_ms;        /* between two polls */
    int64_t locked_since_ms; /* monotonic: polls have found the file locked since then; 0: not */
    int64_t confirmed;
    int64_t deleted; /* up to this sequence nothing is left of the log */
    int64_t deleted_at_ms;
};

/* Outside transactions: reads the list, and looks whether tables and triggers are as they were
 * made; makes the triggers again if columns or unique keys came or went since. Of a table that was
 * dropped, and perhaps made again, the log gets an entry that says so. ERROR_FEED_LOST: changes may
 * be missing. */
enum status feed_settle(struct feed *feed, struct error *error) MUST_USE;
/* Only looks: ERROR_FEED_LOST where `feed_settle` would say so, whatever was logged. */
enum status feed_check(struct feed *feed, struct error *error) MUST_USE;
/* The list may be read anew then. */
void feed_forget_statements(struct feed *feed);

/* ---------------------------------------------------------------- feed_read.c */

/* The entries from `position` on, up to `end`: as a set, or a piece of one. Within a transaction;
 * of a set that goes on after it, what it takes to end that. */
enum status feed_read_piece(struct feed *feed, struct change_set **set,
                            struct error *error) MUST_USE;

/* ---------------------------------------------------------------- feed_foresee.c */

enum status sqlite_feed_foresee(struct database *database, const char *name,
                                const struct followed_table *tables, uint32_t table_count,
                                const struct database *target, struct arena *arena,
                                struct feed_forecast *forecast, struct error *error);

/* ---------------------------------------------------------------- feed_fence.c */

enum status sqlite_feed_fence(struct database *database, const char *name,
                              const char *const *tables, uint32_t table_count, bool on,
                              struct error *error);
/* May the file be written, and so be closed? */
enum status sqlite_may_fence(struct database *database, const char *name, const char *const *tables,
                             uint32_t table_count, struct lack_list *lacks,
                             struct error *error) MUST_USE;

#endif
