/*
 * Messages of pgoutput, the server's own output plugin (PostgreSQL's manual, "Logical Replication
 * Message Formats"; versions 1 to 4 of the protocol). Bytes in, messages out: nothing is copied,
 * nothing is allocated.
 *
 * Numbers are big-endian, texts end with NUL; an LSN is an int64, a time is int64 µs since
 * 2000-01-01. [xid] is there only between a stream's start and its stop.
 *
 *   B  final_lsn time int32 xid                       begin
 *   C  int8 0, commit_lsn end_lsn time                commit
 *   O  lsn name                                       origin of the transaction
 *   M  [xid] int8 flags, lsn prefix int32 n, bytes    logical message
 *   R  [xid] int32 oid, schema name int8 identity int16 n, columns: int8 flags, name int32 type
 *      int32 modifier                                 relation
 *   Y  [xid] int32 oid, schema name                   type
 *   I  [xid] int32 oid, 'N' tuple                     insert
 *   U  [xid] int32 oid, ['K'|'O' tuple] 'N' tuple     update
 *   D  [xid] int32 oid, 'K'|'O' tuple                 delete
 *   T  [xid] int32 n, int8 flags, int32 oids          truncate
 *   S  int32 xid int8 first    E    stream start, stop
 *   c  int32 xid int8 0, commit_lsn end_lsn time      stream commit
 *   A  int32 xid int32 subxid [lsn time]              stream abort; the rest in parallel mode
 *   b  lsn end_lsn time int32 xid, gid                begin prepare
 *   P  int8 0, lsn end_lsn time int32 xid, gid        prepare
 *   p  the same                                       stream prepare
 *   K  int8 0, lsn end_lsn time int32 xid, gid        commit prepared
 *   r  int8 0, prepare_end_lsn end_lsn prepare_time time int32 xid, gid   rollback prepared
 *
 * A tuple is int16 n, then for each column 'n' (NULL), 'u' (not changed, not sent), or 't' (text)
 * or 'b' (binary) with int32 length and bytes.
 */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_FOLLOW_FEED_PGOUTPUT_H
#define TRANSHUME_CONNECTORS_POSTGRES_FOLLOW_FEED_PGOUTPUT_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pgoutput_kind {
    PGOUTPUT_BEGIN = 'B',
    PGOUTPUT_COMMIT = 'C',
    PGOUTPUT_ORIGIN = 'O',
    PGOUTPUT_MESSAGE = 'M',
    PGOUTPUT_RELATION = 'R',
    PGOUTPUT_TYPE = 'Y',
    PGOUTPUT_INSERT = 'I',
    PGOUTPUT_UPDATE = 'U',
    PGOUTPUT_DELETE = 'D',
    PGOUTPUT_TRUNCATE = 'T',
    PGOUTPUT_STREAM_START = 'S',
    PGOUTPUT_STREAM_STOP = 'E',
    PGOUTPUT_STREAM_COMMIT = 'c',
    PGOUTPUT_STREAM_ABORT = 'A',
    PGOUTPUT_BEGIN_PREPARE = 'b',
    PGOUTPUT_PREPARE = 'P',
    PGOUTPUT_STREAM_PREPARE = 'p',
    PGOUTPUT_COMMIT_PREPARED = 'K',
    PGOUTPUT_ROLLBACK_PREPARED = 'r'
};

/* Columns that follow each other; `columns` is NULL where there is no tuple. */
struct pgoutput_tuple {
    const uint8_t *columns;
    size_t length;
    uint16_t count;
};

/* A value: `kind` is 'n', 'u', 't' or 'b'. */
struct pgoutput_value {
    char kind;
    const uint8_t *bytes;
    uint32_t length;
};

struct pgoutput_column {
    bool key;
    const char *name;
    uint32_t type;
    int32_t modifier;
};

struct pgoutput_message {
    enum pgoutput_kind kind;
    uint32_t xid;      /* of what it is part of; 0: not said */
    uint32_t subxid;   /* of STREAM_ABORT */
    bool first;        /* of STREAM_START */
    uint64_t lsn;      /* of the commit, of ORIGIN the one there */
    uint64_t end_lsn;  /* behind the commit */
    int64_t time_us;   /* of the commit, UTC since 1970 */
    const char *gid;   /* of a prepared transaction; of ORIGIN its name; of MESSAGE its prefix */
    uint32_t relation; /* its oid */
    const char *schema;
    const char *name;
    char identity; /* of RELATION: d, n, f, i */
    uint16_t column_count;
    uint32_t relation_count; /* of TRUNCATE */
    const uint8_t *rest;     /* of RELATION columns, of TRUNCATE oids, of MESSAGE its bytes */
    size_t rest_length;
    char old_kind; /* 'K': only the key; 'O': all of it; 0: there is no old tuple */
    struct pgoutput_tuple old;
    struct pgoutput_tuple new;
};

/* `streamed`: it came between a stream's start and its stop. False: it is no message of the
 * protocol, or cut short, or followed by something. */
bool pgoutput_read(const uint8_t *bytes, size_t length, bool streamed,
                   struct pgoutput_message *message);

/* The next column of a relation, or value of a tuple, that pgoutput_read took: there are as many as
 * it counted. `at` begins at 0. */
void pgoutput_next_column(const struct pgoutput_message *message, size_t *at,
                          struct pgoutput_column *column);
void pgoutput_next_value(const struct pgoutput_tuple *tuple, size_t *at,
                         struct pgoutput_value *value);
uint32_t pgoutput_truncated(const struct pgoutput_message *message, uint32_t index);

/* The contents of a CopyData of the stream: XLogData with a message, or a keepalive. */
struct pgoutput_frame {
    bool keepalive;
    bool wants_reply;
    uint64_t start;  /* of the message */
    uint64_t end;    /* of the server's log, as far as it was sent */
    int64_t time_us; /* the server's clock, UTC since 1970 */
    const uint8_t *payload;
    size_t length;
};
bool pgoutput_read_frame(const uint8_t *bytes, size_t length, struct pgoutput_frame *frame);

/* A standby's status: all before `lsn` is durable here. */
enum { PGOUTPUT_STATUS_BYTES = 34 };
void pgoutput_write_status(uint64_t received, uint64_t durable, int64_t now_us, bool wants_reply,
                           uint8_t status[PGOUTPUT_STATUS_BYTES]);

#endif
