/* Writing for the keyed room: what encode.c, send.c and answers.c share. */
#ifndef TRANSHUME_CONNECTORS_REDIS_SEND_INTERNAL_H
#define TRANSHUME_CONNECTORS_REDIS_SEND_INTERNAL_H

#include "connectors/redis/redis.h"

/* ---------------------------------------------------------------- encode.c */

/* The fields of a record's shape, as a hash's command has their names. */
struct redis_encoder {
    const struct shape *shape; /* NULL: documents, whose names are with their values */
    struct buffer names;       /* "$4\r\nname\r\n" of all fields, one after the other */
    uint32_t *name_ends;
    struct redis_database *database;
    const char *table;
    /* what columns are known to hold, by field; of documents by the number of their name */
    enum value_kind *kinds;
    uint32_t kind_count;
    uint32_t kind_capacity;
    struct name_index kind_names;
    struct arena *arena;
};

struct redis_encoder *redis_encoder_create(struct redis_database *database, const char *table,
                                           const struct shape *shape);
void redis_encoder_destroy(void *made); /* as struct keyed_service has it */

/*
 * The commands of one record. Either one, which has one reply, or several from MULTI to EXEC.
 *   PUT      HSET key field value …; where another record may be, a script
 *   INSERT   a script
 *   UPDATE   HSET; where fields are null HDEL as well
 *   LOOK     HGETALL      DELETE   UNLINK        of JSON: SET, GET, UNLINK
 * Where the table has indexes (NULL: it has none), a script does all but LOOK.
 */
enum status redis_encode(enum redis_form form, enum keyed_kind kind,
                         const struct keyed_record *record, const struct redis_indexes *indexes,
                         struct buffer *out, struct error *error) MUST_USE;
/* Does it begin with MULTI? */
bool redis_is_transaction(const char *bytes, size_t length);
/* The key that a record's commands are about. */
struct text redis_key_of_commands(const char *bytes, size_t length);

/* ---------------------------------------------------------------- scripts.c */

enum redis_script_name {
    REDIS_SCRIPT_INSERT,
    REDIS_SCRIPT_PUT,
    REDIS_SCRIPT_PUT_JSON,
    REDIS_SCRIPT_MERGE,
    REDIS_SCRIPT_INDEXED,
    REDIS_SCRIPT_COUNT
};

struct redis_script {
    const char *text;
    const char *sha; /* of the text, as EVALSHA names it */
};
extern const struct redis_script redis_scripts[REDIS_SCRIPT_COUNT];

/* ---------------------------------------------------------------- send.c */

/* A request under way: its records are with the nodes, some of them answered. */
struct redis_flight {
    struct redis_flight *next; /* of those that are answered */
    struct keyed_request *request;
    uint32_t left;                /* records, and other replies, that are waited for */
    enum keyed_outcome *outcomes; /* NULL: all are done so far */
    struct error *reasons;
    bool throttled;
    bool unknown;
};

/* Replies that a node owes, in order. */
struct redis_owed {
    struct redis_flight *flight; /* NULL: nobody waits for it */
    uint32_t first;              /* records of the flight's request */
    uint32_t count;
    bool wait; /* of WAIT: how many replicas have it */
    int64_t deadline_ms;
};

/* A node's connection and what is under way on it. */
struct redis_channel {
    struct redis_connection *connection; /* NULL: none now */
    int64_t retry_at_ms;                 /* monotonic: not to be connected to before */
    struct redis_owed *owed;             /* a ring */
    uint32_t owed_first;
    uint32_t owed_count;
    uint32_t owed_capacity;
    bool failed; /* a command of the transaction that is being answered, with `failure` */
    struct error failure;
};

struct keyed_connection {
    struct redis_database *database;
    const struct target_table *tables;
    bool tries;                           /* only encodes: the notes of tables stay as they are */
    const struct redis_indexes **indexes; /* of each table; owned */
    struct redis_channel *channels[REDIS_NODES_MAX]; /* by node; NULL: never used */
    uint32_t channel_count;                          /* above the last one used */
    struct redis_flight *answered;                   /* first in, first out */
    struct redis_flight **answered_last;
    struct redis_flight *given;   /* by the last poll */
    const struct error **reasons; /* of the last answer */
    uint32_t flights;
    int64_t refreshed_ms;
    struct arena *arena; /* of replies that are looked into */
    struct error stop;   /* code not NONE: the writer fails with it */
};

/* ---------------------------------------------------------------- answers.c */

/* Takes in the replies that have come. STATUS_FAILED: the channel is broken. */
enum status redis_take_replies(struct keyed_connection *connection, uint16_t node,
                               struct error *error) MUST_USE;
/* All that is under way on the channel is to be sent again, and may have been done. */
void redis_give_up(struct keyed_connection *connection, struct redis_channel *channel,
                   const struct error *why);
/* The record is answered so. */
void redis_note_record(struct redis_flight *flight, uint32_t at, enum keyed_outcome outcome,
                       const struct error *reason);
/* So many replies less are waited for; the last one answers the request. */
void redis_flight_landed(struct keyed_connection *connection, struct redis_flight *flight,
                         uint32_t count);
/* Sends records first … first+count-1 of the flight's request to the node. */
enum status redis_send_records(struct keyed_connection *connection, uint16_t node,
                               struct redis_flight *flight, uint32_t first, uint32_t count,
                               bool asking, struct error *error) MUST_USE;

#endif
