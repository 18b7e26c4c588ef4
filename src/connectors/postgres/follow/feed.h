/*
 * The feed: logical replication by pgoutput, from a slot and a publication that both bear the
 * feed's name.
 *
 *   create   checks the tables, makes the publication, then the slot, whose snapshot stays
 * importable as long as the connection that made it is idle (postgres_database.feed_maker) open
 * START_REPLICATION on a connection of its own; a second one asks the catalogue next     CopyData →
 * pgoutput → change sets; a transaction that the server sends while it is in progress goes into a
 * spool file until its commit comes confirm  a standby's status with what is durable; nothing else
 * is ever acknowledged
 *
 * A position is 20 bytes, big-endian: the LSN behind a commit record (8), the server's system
 * identifier (8) and its timeline (4). At that LSN START_REPLICATION continues with the next
 * commit.
 */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_FOLLOW_FEED_H
#define TRANSHUME_CONNECTORS_POSTGRES_FOLLOW_FEED_H

#include "connectors/postgres/follow/feed_pgoutput.h"
#include "connectors/postgres/postgres_internal.h"
#include <uthash.h>

enum { FEED_POSITION_BYTES = 20, FEED_LSN_TEXT_BYTES = 24 };

struct feed_place {
    uint64_t lsn;
    uint64_t system;
    uint32_t timeline;
};

/* A table as the stream's last message told of it. */
struct feed_relation {
    UT_hash_handle hh;
    uint32_t oid;
    bool ours;           /* one of transhume's own: its changes are nobody's */
    bool ignored;        /* of a table that is not followed */
    bool lost;           /* a followed table was renamed, or another one got its name: `name` is the
                            followed one, whose rows it no longer tells */
    const uint8_t *told; /* the message */
    size_t told_length;
    const char *name; /* by which its tables go in the scope */
    const struct shape *shape;
    const struct postgres_type *types;
    const bool *key; /* a column each: the replica identity has it */
};

/* A set that is being made. */
struct feed_making {
    struct change_set *set; /* NULL: none */
    struct record_change *changes;
    uint32_t change_capacity;
    struct change_table *tables;
    const struct feed_relation **relations; /* of the tables */
    uint32_t table_capacity;
    size_t bytes; /* of the messages that are in it */
    bool in_transaction;
    bool left_out;  /* its origin is another one than this server */
    uint32_t piece; /* number of the next one */
    uint32_t xid;
    uint64_t commit_lsn;
    int64_t commit_time_us;
};

struct feed_spool;

struct feed {
    struct postgres_database *self;
    const char *name;
    struct arena *arena;     /* relations; as long as the feed */
    PGconn *stream;          /* the walsender's */
    PGconn *asking;          /* for the catalogue and the slot's health */
    struct feed_place place; /* of the last set that was handed out, or where it was opened */
    struct feed_relation *relations;
    int64_t checked_ms; /* when the publication was looked at last */
    struct feed_making making;
    bool streaming; /* between a stream's start and its stop */
    uint32_t stream_xid;
    struct feed_spool *spools; /* transactions that are not committed yet */
    struct feed_spool *replay; /* the one whose commit has come */
    uint64_t confirmed;        /* LSN that is durable elsewhere */
    uint64_t acknowledged;     /* the last one that the server was told */
    uint64_t received;         /* how far the server has sent its log */
    int64_t status_ms;         /* monotonic: when it was told last */
    int64_t set_ms;            /* when the last set was handed out */
    int64_t server_time_us;    /* the server's clock when it was last heard */
    int64_t clock_us;          /* how far it is ahead of ours, at least */
    int64_t clock_ms;          /* monotonic: when that was seen; 0: not yet */
    bool caught_up;            /* it had nothing more to send then */
    int64_t brought_time_us;   /* commit time of the last set with changes */
    bool only_local;           /* transactions that came from elsewhere are left out */
};

/* feed_place.c */
void postgres_feed_put_place(const struct feed_place *place, struct arena *arena,
                             struct position *position);
bool postgres_feed_get_place(struct position position, struct feed_place *place);
/* "16/B374D848" */
void postgres_feed_print_lsn(uint64_t lsn, char text[FEED_LSN_TEXT_BYTES]);
bool postgres_feed_read_lsn(const char *text, uint64_t *lsn);

/* feed_text.c: what a value's text is as a cell, of which nothing is borrowed. STATUS_END: it is
 * not of its type. */
enum status postgres_decode_text(const struct postgres_type *type, bool utf8, const char *text,
                                 uint32_t length, struct arena *arena, struct cell *cell) MUST_USE;

/* feed_slot.c */
struct feed_slot {
    bool there;
    bool elsewhere; /* another database's */
    bool foreign;   /* another plugin's, or one that brings prepared transactions apart */
    bool active;
    char pid[16];
    char lost[96]; /* why it has nothing to give any more; empty: it has */
    uint64_t confirmed;
    int64_t bytes_kept; /* -1: not known */
    int64_t bytes_left;
    uint64_t written; /* the end of the server's log */
};
enum status postgres_feed_slot(struct postgres_database *self, PGconn *connection, const char *name,
                               struct feed_slot *slot, struct error *error) MUST_USE;
enum status postgres_feed_lost(const char *name, const char *why, struct error *error);
/* Somebody else reads it. */
enum status postgres_feed_held(const char *name, const char *pid, struct error *error);
enum status postgres_feed_refuse_server(struct postgres_database *self, struct error *error);
/* Is its slot one that standbys keep? */
bool postgres_feed_fails_over(const struct postgres_database *self);
/* "CREATE_REPLICATION_SLOT …" on `maker`; `start` lives in the arena. */
enum status postgres_feed_make_slot(struct postgres_database *self, PGconn *maker, const char *name,
                                    struct arena *arena, struct feed_start *start,
                                    struct error *error) MUST_USE;
enum status postgres_feed_drop_slot(struct postgres_database *self, PGconn *connection,
                                    const char *name, struct error *error) MUST_USE;

/* feed_publication.c */
struct feed_publication {
    bool there;
    bool own;           /* transhume made it */
    bool opened;        /* and its feed was read */
    bool altered;       /* it has entries that it did not have when it was made */
    bool partial;       /* it leaves operations out, or tells partitions' changes as their own */
    char filtered[200]; /* a table of which it leaves rows or columns out; empty: none */
};
enum status postgres_feed_publication(struct postgres_database *self, PGconn *connection,
                                      const char *name, struct feed_publication *publication,
                                      struct error *error) MUST_USE;
/* Makes it, or checks that it has all of the tables. */
enum status postgres_feed_publish(struct postgres_database *self, PGconn *connection,
                                  const char *name, const struct followed_table *tables,
                                  uint32_t table_count, struct error *error) MUST_USE;
/* Adds those of the tables that it does not have, in one transaction. */
enum status postgres_feed_publish_more(struct postgres_database *self, PGconn *connection,
                                       const char *name, const struct followed_table *tables,
                                       uint32_t table_count, struct error *error) MUST_USE;
/* A followed table that is there and that the publication does not have; NULL: there is none. */
enum status postgres_feed_left_out(struct postgres_database *self, PGconn *connection,
                                   const char *name, struct arena *arena, const char **table,
                                   struct error *error) MUST_USE;
/* feed_health.definitions. */
enum status postgres_feed_definitions(struct postgres_database *self, PGconn *connection,
                                      uint64_t *number, struct error *error) MUST_USE;
enum status postgres_feed_mark_opened(struct postgres_database *self, PGconn *connection,
                                      const char *name, struct error *error) MUST_USE;
/* Asks `sql` about them, which stands behind "WITH asked(place, schema, name) AS (VALUES …) ". */
enum status postgres_feed_ask_tables(struct postgres_database *self, PGconn *connection,
                                     const struct followed_table *tables, uint32_t table_count,
                                     const char *sql, PGresult **result,
                                     struct error *error) MUST_USE;
/* The same of names alone, with parameters. */
enum status postgres_feed_ask_names(struct postgres_database *self, PGconn *connection,
                                    const char *const *names, uint32_t count, const char *sql,
                                    const struct postgres_parameter *parameters,
                                    int parameter_count, PGresult **result,
                                    struct error *error) MUST_USE;
/* feed_rights.c: what is missing for a cut-over: connectors/contract/feed.h,
 * connectors/contract/apply.h. */
enum status postgres_may_fence(struct database *database, const char *name,
                               const char *const *tables, uint32_t table_count,
                               struct lack_list *lacks, struct error *error) MUST_USE;
enum status postgres_may_write(struct database *database, const struct target_table *tables,
                               uint32_t table_count, struct lack_list *lacks,
                               struct error *error) MUST_USE;
/* Can these tables be followed? With `lacks` all that stands against it, else the first. */
enum status postgres_feed_check_tables(struct postgres_database *self, PGconn *connection,
                                       const struct followed_table *tables, uint32_t table_count,
                                       struct lack_list *lacks, struct error *error) MUST_USE;

/* feed_create.c */
enum status postgres_feed_create(struct database *self, const char *name,
                                 const struct followed_table *tables, uint32_t table_count,
                                 struct arena *arena, struct feed_start *start,
                                 struct error *error);
enum status postgres_feed_extend(struct database *self, const char *name,
                                 const struct followed_table *tables, uint32_t table_count,
                                 struct error *error);
enum status postgres_feed_drop(struct database *self, const char *name, struct error *error);

/* feed_stream.c */
/* A walsender, with the settings that our sessions have. */
enum status postgres_feed_connect(struct postgres_database *self, PGconn **connection,
                                  struct error *error) MUST_USE;
enum status postgres_feed_identify(struct postgres_database *self, PGconn *connection,
                                   struct feed_place *place, struct error *error) MUST_USE;
/* Where timeline `place->timeline` ended on the way to the server's own; UINT64_MAX: it is none of
 * its ancestors. */
enum status postgres_feed_timeline_end(struct postgres_database *self, PGconn *connection,
                                       uint32_t current, uint32_t timeline, uint64_t *end,
                                       struct error *error) MUST_USE;
enum status postgres_feed_start(struct feed *feed, struct error *error) MUST_USE;
/* The next CopyData, PQfreemem's; NULL: none came within timeout_ms. */
enum status postgres_feed_receive(struct feed *feed, int64_t timeout_ms, char **data,
                                  size_t *length, struct error *error) MUST_USE;
enum status postgres_feed_send_status(struct feed *feed, bool wants_reply,
                                      struct error *error) MUST_USE;

/* feed_relation.c */
enum status postgres_feed_relation(struct feed *feed, const struct pgoutput_message *message,
                                   const uint8_t *bytes, size_t length,
                                   struct error *error) MUST_USE;
struct feed_relation *postgres_feed_find(const struct feed *feed, uint32_t oid);

/* feed_set.c */
/* Takes a message in that is not a piece of a stream, or was one and is read again.
 * `*set`: it completed that one, or a piece. */
enum status postgres_feed_take(struct feed *feed, const uint8_t *bytes, size_t length,
                               bool streamed, struct change_set **set,
                               struct error *error) MUST_USE;
/* A set without changes that moves the position on. */
struct change_set *postgres_feed_move(struct feed *feed, uint64_t lsn);
void postgres_feed_begin(struct feed *feed, const struct pgoutput_message *message);
enum status postgres_feed_finish(struct feed *feed, const struct pgoutput_message *message,
                                 struct change_set **set, struct error *error) MUST_USE;
enum status postgres_feed_malformed(const struct feed *feed, struct error *error);

/* feed_spool.c */
enum status postgres_spool_add(struct feed *feed, const struct pgoutput_message *message,
                               const uint8_t *bytes, size_t length, struct error *error) MUST_USE;
enum status postgres_spool_abort(struct feed *feed, const struct pgoutput_message *message,
                                 struct error *error) MUST_USE;
/* The commit came: what follows is read from the spool. */
enum status postgres_spool_commit(struct feed *feed, const struct pgoutput_message *message,
                                  struct error *error) MUST_USE;
/* Until a set is made. */
enum status postgres_spool_replay(struct feed *feed, struct change_set **set,
                                  struct error *error) MUST_USE;
void postgres_spool_free(struct feed_spool **spools);

/* feed_foresee.c */
enum status postgres_feed_foresee(struct database *database, const char *name,
                                  const struct followed_table *tables, uint32_t table_count,
                                  const struct database *target, struct arena *arena,
                                  struct feed_forecast *forecast, struct error *error);

/* feed_fence.c */
enum status postgres_feed_fence(struct database *database, const char *name,
                                const char *const *tables, uint32_t table_count, bool on,
                                struct error *error);

#endif
