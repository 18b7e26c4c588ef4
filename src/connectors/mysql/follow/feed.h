/*
 * The feed: the server's binary log, read as a replica reads it, from a file and an offset in it,
 * or behind a set of transactions. Nothing is kept in the server for a feed but a session while it
 * is read.
 *
 *   create   checks server and tables, notes what the log has; source.snapshot does so again while
 *            it keeps commits out (database.moment_position)
 *   open     COM_BINLOG_DUMP on a connection of its own; a second one asks the catalogue
 *   next     events → tables, rows → change sets; heartbeats tell where the log ends, and wake up
 *   confirm  nothing: how long the server keeps its log is its own matter
 *
 * A position, most significant bytes first: the number at the end of the file's name (4; 0: the
 * feed begins behind the set alone), the offset (8), when the file was begun by its own word (4; 0:
 * not known), a hash of the server's own name (8), the file's name without its number; and where
 * the server numbers transactions (MySQL with gtid_mode=ON, MariaDB) a 0 and the set of all that
 * came before, as a text. Of the same server, the file counts; of another one, as after a
 * failover, and where the file is gone, the set.
 */
#ifndef TRANSHUME_CONNECTORS_MYSQL_FOLLOW_FEED_H
#define TRANSHUME_CONNECTORS_MYSQL_FOLLOW_FEED_H

#include "connectors/mysql/catalog.h"
#include "connectors/mysql/follow/binlog.h"
#include <uthash.h>

enum { FEED_NAME_BYTES = 256 };

struct feed_place {
    uint32_t number;
    uint64_t offset;
    uint32_t begun;
    uint64_t server;
    char base[FEED_NAME_BYTES];
    bool has_gtids;
    struct text gtids; /* its owner's */
};

struct feed_charset {
    uint32_t collation;
    const char *charset;
};

/* A table as the log's last word on it has it. */
struct feed_table {
    UT_hash_handle hh;
    uint64_t number;
    struct arena *arena;
    const uint8_t *told; /* the event's body */
    size_t told_length;
    bool stale;   /* something was altered since */
    bool ignored; /* another database's, or one of ours */
    bool lost;    /* it is no more, or its rows can't be read: whoever follows is told so */
    /* The log's end, once the catalogue had said what the table is: what altered it behind that
     * came later. */
    struct feed_place described;
    struct binlog_table log;
    struct mysql_table *facts;
    const struct mysql_column **columns; /* one a column of the log; NULL: not of the table */
    uint32_t *fields;                    /* of the shape, likewise */
    const char *name;
    const struct shape *shape;
};

struct feed {
    struct mysql_database *self;
    const char *name;
    struct arena *arena;
    MYSQL *stream;
    MYSQL *asking;
    struct binlog_format format;
    struct feed_place place;   /* of the last set that was handed out, or where it was opened */
    struct feed_place reached; /* behind the last whole transaction; as the next, without a set */
    struct feed_place reading; /* where the log is read */
    uint32_t opened_begun;     /* of the file where it was opened, as the position says */
    /* Opened behind a set: what is in it may come in the log up to here, so that no offset before
     * it says where the feed is. Number 0: it was opened at a file and an offset. */
    struct feed_place set_ends;
    bool logs_actions;             /* what a foreign key's action does is in the log */
    bool has_gtids;                /* the server numbers its transactions */
    struct binlog_gtids gtids;     /* at `reached` */
    struct binlog_gtid current;    /* of the transaction that is read; number 0: none */
    struct buffer place_gtids;     /* of `place` */
    struct feed_charset *charsets; /* that tables of the log had so far */
    uint32_t charset_count;
    uint32_t charset_capacity;
    struct feed_table *tables;
    struct arena **kept; /* tables whose shapes a set may still have */
    uint32_t kept_count;
    uint32_t kept_capacity;
    struct arena *scratch;   /* of one event */
    struct binlog_rows rows; /* of the event; `rest`: those that were not taken */
    const struct feed_table *rows_table;
    struct binlog_payload payload; /* of a compressed transaction, as the stream has received it */
    struct buffer text;
    struct buffer converted;
    struct change_set *set; /* that is being made; NULL: none */
    struct record_change *changes;
    uint32_t change_capacity;
    struct change_table *set_tables;
    uint32_t table_capacity;
    size_t bytes;
    uint32_t pieces; /* of this transaction, handed out */
    bool in_transaction;
    bool caught_up;
    int64_t commit_time_us;
    int64_t brought_time_us;
    int64_t set_ms;
};

/* feed_next.c */
/* Up to the next set, or the next that the server says. */
enum status mysql_feed_take_next(struct feed *feed, struct change_set **set,
                                 struct error *error) MUST_USE;

/* feed_open.c */
enum status mysql_feed_open(struct database *database, const char *name, struct position position,
                            struct feed **made, struct error *error);
void mysql_feed_close(struct feed *feed);

/* feed_place.c */
void mysql_feed_put_place(const struct feed_place *place, struct arena *arena,
                          struct position *position);
/* The set is in the position's bytes. */
bool mysql_feed_get_place(struct position position, struct feed_place *place);
/* By files and offsets. */
int mysql_feed_compare_places(const struct feed_place *left, const struct feed_place *right);
/* "binlog.000012:345", or the set. */
void mysql_feed_print(struct position position, struct buffer *out);
bool mysql_feed_covers(struct position at, struct position goal);
/* "binlog.000012"; false: it is no such name. */
bool mysql_feed_read_file(struct text file, struct feed_place *place) MUST_USE;
/* The place up to which the log has changes, by the server's word. The set is in the arena. */
enum status mysql_feed_now(struct mysql_database *self, MYSQL *connection, struct arena *arena,
                           struct feed_place *place, struct error *error) MUST_USE;
/* Likewise, but no more than a snapshot that begins later sees, though nothing is locked. */
enum status mysql_feed_seen(struct mysql_database *self, MYSQL *connection, struct arena *arena,
                            struct feed_place *place, struct error *error) MUST_USE;
/* Do both names mean one table there? */
bool mysql_feed_is_same_name(const struct feed *feed, const char *left, const char *right);
/* The name under which the table is followed; NULL: it is not. */
const char *mysql_feed_followed(const struct feed *feed, const char *table);

/* feed_stream.c */
enum status mysql_feed_ask_checksums(struct mysql_database *self, MYSQL *stream,
                                     struct binlog_format *format, struct error *error) MUST_USE;
enum status mysql_feed_start(struct mysql_database *self, MYSQL *stream, const char *name,
                             const struct feed_place *place, bool waits,
                             struct error *error) MUST_USE;
/* Behind the place's set, wherever that ends in this server's log. */
enum status mysql_feed_start_behind(struct mysql_database *self, MYSQL *stream, const char *name,
                                    const struct feed_place *place, struct error *error) MUST_USE;
enum status mysql_feed_lost(const char *name, const char *why, struct error *error);
/* The failure of a log that is not of its form. */
enum status mysql_feed_malformed(const struct feed *feed, struct error *error);
/* The next packet without its first byte. STATUS_END: the server has ended it. */
enum status mysql_feed_receive(struct mysql_database *self, MYSQL *stream, const char *name,
                               const uint8_t **bytes, size_t *length, struct error *error) MUST_USE;

/* feed_table.c */
enum status mysql_feed_take_table(struct feed *feed, const struct binlog_event *event,
                                  struct error *error) MUST_USE;
struct feed_table *mysql_feed_find(const struct feed *feed, uint64_t number);
void mysql_feed_free_tables(struct feed *feed);

/* feed_set.c */
enum status mysql_feed_take_rows(struct feed *feed, const struct binlog_event *event,
                                 struct change_set **set, struct error *error) MUST_USE;
/* Rows of that event that are left. */
static inline bool mysql_feed_has_more(const struct feed *feed)
{
    return feed->rows.rest.left > 0;
}
enum status mysql_feed_take_more(struct feed *feed, struct change_set **set,
                                 struct error *error) MUST_USE;
/* A change of all of a table: RECORD_TRUNCATE, or from RECORD_REDEFINED on. */
void mysql_feed_take_table_change(struct feed *feed, const char *table,
                                  enum record_operation operation);
/* The transaction ends where the log is read; NULL: nothing that has to be handed out. */
struct change_set *mysql_feed_finish(struct feed *feed);
void mysql_feed_discard(struct feed *feed);

/* feed_charset.c */
/* The character set of a collation's number; NULL: its texts are taken as UTF-8. */
const char *mysql_feed_charset(struct feed *feed, uint32_t collation);
/* Asks the server for those of the table. */
enum status mysql_feed_ask_charsets(struct feed *feed, const struct feed_table *table,
                                    struct error *error) MUST_USE;

/* feed_ddl.c */
/* Adds what it does to tables to the set. ERROR_SOURCE_CHANGED: from now on rows of a followed
 * table change that the log does not tell. */
enum status mysql_feed_take_ddl(struct feed *feed, const struct binlog_query *query,
                                struct error *error) MUST_USE;

/* actions.c */
/* ERROR_SOURCE_CHANGED: a followed table has a foreign key with an action that no log tells, and
 * that it had not when the catalogue was read. */
enum status mysql_feed_check_actions(struct feed *feed, struct error *error) MUST_USE;

/* feed_create.c */
/* May it be made, and where does the log end? With `lacks` all that stands against it is noted,
 * else the first is the error. */
enum status mysql_feed_check(struct mysql_database *self, const char *name,
                             const struct followed_table *tables, uint32_t table_count,
                             struct arena *arena, struct feed_place *place, struct lack_list *lacks,
                             struct error *error) MUST_USE;
enum status mysql_feed_create(struct database *database, const char *name,
                              const struct followed_table *tables, uint32_t table_count,
                              struct arena *arena, struct feed_start *start, struct error *error);
/* By the snapshot, while nobody can commit: the feed that was made for it begins here
 * (database.moment_position). */
enum status mysql_feed_note_moment(struct mysql_database *self, struct arena *arena,
                                   struct error *error) MUST_USE;
enum status mysql_feed_drop(struct database *database, const char *name, struct error *error);

/* feed_foresee.c */
/* For how long the server keeps its log, in seconds; 0: for ever, or by its size. */
enum status mysql_feed_ask_expiry(struct mysql_database *self, MYSQL *connection, uint64_t *seconds,
                                  struct error *error) MUST_USE;
enum status mysql_feed_foresee(struct database *database, const char *name,
                               const struct followed_table *tables, uint32_t table_count,
                               const struct database *target, struct arena *arena,
                               struct feed_forecast *forecast, struct error *error);

/* feed_fence.c */
enum status mysql_feed_fence(struct database *database, const char *name, const char *const *tables,
                             uint32_t table_count, bool on, struct error *error);
/* feed_rights.c: what is missing for a cut-over: connectors/contract/feed.h,
 * connectors/contract/apply.h. */
enum status mysql_may_fence(struct database *database, const char *name, const char *const *tables,
                            uint32_t table_count, struct lack_list *lacks,
                            struct error *error) MUST_USE;
enum status mysql_may_write(struct database *database, const struct target_table *tables,
                            uint32_t table_count, struct lack_list *lacks,
                            struct error *error) MUST_USE;

#endif
