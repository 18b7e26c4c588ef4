/*
 * The feed: the server's binary log, read as a replica reads it, from a file and an offset in it.
 * Nothing is kept in the server for a feed but a session while it is read.
 *
 *   create   checks server and tables, notes where the log ends; source.snapshot does so again
 *            while it keeps commits out, and moves the position that `create` gave: until then
 *            nothing may copy its bytes (feed_start.position)
 *   open     COM_BINLOG_DUMP on a connection of its own; a second one asks the catalogue
 *   next     events → tables, rows → change sets; heartbeats tell where the log ends, and wake up
 *   confirm  nothing: how long the server keeps its log is its own matter
 *
 * A position, most significant bytes first: the number at the end of the file's name (4), the
 * offset (8), when the file was begun by its own word (4; 0: not known), a hash of the server's own
 * name (8), the file's name without its number.
 */
#ifndef TRANSHUME_CONNECTORS_MYSQL_FEED_H
#define TRANSHUME_CONNECTORS_MYSQL_FEED_H

#include "connectors/mysql/binlog.h"
#include "connectors/mysql/catalog.h"
#include <uthash.h>

enum { FEED_NAME_BYTES = 256 };

struct feed_place {
    uint32_t number;
    uint64_t offset;
    uint32_t begun;
    uint64_t server;
    char base[FEED_NAME_BYTES];
};

/* A table as the log's last word on it has it. */
struct feed_table {
    UT_hash_handle hh;
    uint64_t number;
    struct arena *arena;
    const uint8_t *told; /* the event's body */
    size_t told_length;
    bool stale;   /* something was altered since */
    bool ignored; /* another database's, one of ours, or one that is no more */
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
    struct feed_place reached; /* behind the last whole transaction */
    struct feed_place reading; /* where the log is read */
    uint32_t opened_begun;     /* of the file where it was opened, as the position says */
    struct feed_table *tables;
    struct arena **kept; /* tables whose shapes a set may still have */
    uint32_t kept_count;
    uint32_t kept_capacity;
    struct arena *scratch; /* of one event */
    struct buffer payload; /* events of a packed transaction */
    size_t payload_at;
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

/* feed.c */
void mysql_feed_put_place(const struct feed_place *place, struct arena *arena,
                          struct position *position);
/* The same in the bytes of a position that is there, of the same server. */
void mysql_feed_move_place(const struct feed_place *place, uint8_t *bytes);
bool mysql_feed_get_place(struct position position, struct feed_place *place);
int mysql_feed_compare_places(const struct feed_place *left, const struct feed_place *right);
/* "binlog.000012"; false: it is no such name. */
bool mysql_feed_read_file(struct text file, struct feed_place *place) MUST_USE;
enum status mysql_feed_malformed(const struct feed *feed, struct error *error);
enum status mysql_feed_lost(const char *name, const char *why, struct error *error);

/* feed_stream.c */
enum status mysql_feed_ask_checksums(struct mysql_database *self, MYSQL *stream,
                                     struct binlog_format *format, struct error *error) MUST_USE;
enum status mysql_feed_start(struct mysql_database *self, MYSQL *stream, const char *name,
                             const struct feed_place *place, bool waits,
                             struct error *error) MUST_USE;
/* The next packet without its first byte. STATUS_END: the server has ended it. */
enum status mysql_feed_receive(struct mysql_database *self, MYSQL *stream, const char *name,
                               const uint8_t **bytes, size_t *length, struct error *error) MUST_USE;
/* Where the log ends, by the server's word. */
enum status mysql_feed_now(struct mysql_database *self, MYSQL *connection, struct feed_place *place,
                           struct error *error) MUST_USE;

/* feed_table.c */
enum status mysql_feed_take_table(struct feed *feed, const struct binlog_event *event,
                                  struct error *error) MUST_USE;
struct feed_table *mysql_feed_find(const struct feed *feed, uint64_t number);
void mysql_feed_free_tables(struct feed *feed);

/* feed_set.c */
enum status mysql_feed_take_rows(struct feed *feed, const struct binlog_event *event,
                                 struct change_set **set, struct error *error) MUST_USE;
void mysql_feed_take_truncate(struct feed *feed, struct text table);
/* The transaction ends where the log is read; NULL: nothing that has to be handed out. */
struct change_set *mysql_feed_finish(struct feed *feed);
void mysql_feed_discard(struct feed *feed);

/* feed_create.c */
enum status mysql_feed_create(struct database *database, const char *name,
                              const char *const *tables, uint32_t table_count, struct arena *arena,
                              struct feed_start *start, struct error *error);
/* By the snapshot, while nobody can commit: the feed that was made for it begins here. */
enum status mysql_feed_note_moment(struct mysql_database *self, struct error *error) MUST_USE;
enum status mysql_feed_drop(struct database *database, const char *name, struct error *error);
enum status mysql_feed_fence(struct database *database, const char *name, const char *const *tables,
                             uint32_t table_count, bool on, struct error *error);

#endif
