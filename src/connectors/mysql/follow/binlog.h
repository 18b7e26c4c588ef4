/*
 * The binary log as bytes: events in, rows out. Nothing here asks a server.
 *
 *   event      header (19 bytes, little-endian: time u32, type u8, server u32, size u32, the next
 *              one's offset u32, flags u16), a body, CRC32 if the format's description says so
 *   TABLE_MAP  a table's number in this log, its names, types and what they take; with
 *              binlog_row_metadata=FULL the names of its columns, too
 *   …_ROWS     the number, bitmaps of the columns that are there, rows: a bitmap of NULLs, values
 *
 * Sources: the servers' manuals (binlog_event.h, rows_event.h in MySQL's; "Replication Protocol" in
 * MariaDB's).
 */
#ifndef TRANSHUME_CONNECTORS_MYSQL_FOLLOW_BINLOG_H
#define TRANSHUME_CONNECTORS_MYSQL_FOLLOW_BINLOG_H

#include "connectors/mysql/follow/binlog_ddl.h"
#include "connectors/mysql/mysql_internal.h"
#include <stdio.h>

enum binlog_type {
    BINLOG_QUERY = 2,
    BINLOG_STOP = 3,
    BINLOG_ROTATE = 4,
    BINLOG_FORMAT = 15,
    BINLOG_XID = 16,
    BINLOG_TABLE_MAP = 19,
    BINLOG_WRITE_1 = 23,
    BINLOG_UPDATE_1 = 24,
    BINLOG_DELETE_1 = 25,
    BINLOG_INCIDENT = 26,
    BINLOG_HEARTBEAT = 27,
    BINLOG_WRITE_2 = 30,
    BINLOG_UPDATE_2 = 31,
    BINLOG_DELETE_2 = 32,
    BINLOG_GTID = 33,
    BINLOG_ANONYMOUS_GTID = 34,
    BINLOG_PREVIOUS_GTIDS = 35,
    BINLOG_XA_PREPARE = 38,
    BINLOG_PARTIAL_UPDATE = 39,
    BINLOG_PAYLOAD = 40,
    BINLOG_HEARTBEAT_2 = 41,
    BINLOG_GTID_TAGGED = 42,
    BINLOG_MARIADB_GTID = 162,
    BINLOG_START_ENCRYPTION = 164,
    BINLOG_QUERY_COMPRESSED = 165,
    BINLOG_WRITE_1_COMPRESSED = 166,
    BINLOG_UPDATE_1_COMPRESSED = 167,
    BINLOG_DELETE_1_COMPRESSED = 168,
    BINLOG_WRITE_2_COMPRESSED = 169,
    BINLOG_UPDATE_2_COMPRESSED = 170,
    BINLOG_DELETE_2_COMPRESSED = 171
};

enum { BINLOG_HEADER_BYTES = 19, BINLOG_COLUMNS_MAX = 4096, BINLOG_ARTIFICIAL = 0x20 };

/* Bytes that are read from the front; `bad` once something was not there. */
struct binlog_bytes {
    const uint8_t *at;
    size_t left;
    bool bad;
};
uint64_t binlog_take_number(struct binlog_bytes *bytes, int count); /* little-endian */
const uint8_t *binlog_take(struct binlog_bytes *bytes, size_t count);
uint64_t binlog_take_length(struct binlog_bytes *bytes); /* a length-encoded number */

/* ---------------------------------------------------------------- binlog_event.c */

/* The format's description of the events behind it. */
struct binlog_format {
    bool checksums;
};

struct binlog_event {
    uint32_t time; /* seconds, UTC */
    uint8_t type;
    uint32_t server;
    uint32_t size;
    uint32_t next; /* lowest 32 bits; 0: it stands in no log */
    uint16_t flags;
    struct binlog_bytes body;
};
/* False: it is none, or its checksum is wrong. */
bool binlog_read_event(const struct binlog_format *format, const uint8_t *bytes, size_t length,
                       struct binlog_event *event) MUST_USE;
bool binlog_read_format(const struct binlog_event *event, struct binlog_format *format) MUST_USE;
/* The log that follows, and where in it. */
bool binlog_read_rotate(struct binlog_bytes body, uint64_t *offset, struct text *file) MUST_USE;
/* The end of the log so far, as a HEARTBEAT or HEARTBEAT_V2 tells it. */
bool binlog_read_heartbeat(const struct binlog_event *event, uint64_t *offset,
                           struct text *file) MUST_USE;
struct binlog_query {
    struct text database; /* the session's */
    struct text statement;
};
bool binlog_read_query(struct binlog_bytes body, bool compressed, struct arena *arena,
                       struct binlog_query *query) MUST_USE;
/* MariaDB: does the event's transaction end without XID or COMMIT? */
bool binlog_stands_alone(struct binlog_bytes body);
/* The bytes behind the bitmaps of MariaDB's compressed rows, and the statement of its compressed
 * query. */
bool binlog_inflate(struct binlog_bytes packed, struct arena *arena,
                    struct binlog_bytes *body) MUST_USE;

/* ---------------------------------------------------------------- binlog_payload.c */

/* A TRANSACTION_PAYLOAD that is unpacked event by event. A zeroed one has no events. */
struct binlog_payload {
    struct binlog_bytes packed; /* the caller's, until the last event was taken; or of `block` */
    void *unpacker;             /* NULL: they are not compressed */
    uint64_t left;              /* bytes of events that were not taken */
    struct buffer event;
    FILE *file; /* what is packed comes from there; NULL: it is in memory */
    struct buffer block;
};
bool binlog_payload_begin(struct binlog_payload *payload, struct binlog_bytes body) MUST_USE;
/* Puts what is packed into a file without a name, if it is compressed, so that the caller's bytes
 * are free. False: they are still needed. */
bool binlog_payload_spool(struct binlog_payload *payload, const char *folder) MUST_USE;
static inline bool binlog_payload_ended(const struct binlog_payload *payload)
{
    return payload->left == 0;
}
/* The next event, which has no checksum, in memory of the payload's. Not once it has ended. */
bool binlog_payload_next(struct binlog_payload *payload, struct binlog_event *event) MUST_USE;
void binlog_payload_free(struct binlog_payload *payload);

/* ---------------------------------------------------------------- binlog_gtid.c */

enum { GTID_NAME_BYTES = 16 };
#define GTID_NUMBER_MAX INT64_MAX

struct gtid_span {
    uint64_t first;
    uint64_t behind; /* the last one */
};
struct gtid_origin {
    uint8_t name[GTID_NAME_BYTES]; /* a server's UUID; of MariaDB a domain in four bytes */
    uint32_t server;               /* MariaDB: of the last one */
    struct gtid_span *spans;
    uint32_t count;
    uint32_t capacity;
};
/* A zeroed set is empty. */
struct binlog_gtids {
    bool mariadb;
    struct gtid_origin *origins;
    uint32_t count;
    uint32_t capacity;
};
struct binlog_gtid {
    uint8_t origin[GTID_NAME_BYTES];
    uint32_t server;
    uint64_t number;
};
void binlog_gtids_free(struct binlog_gtids *gtids);
/* False: it is no set, or one with tags. */
bool binlog_gtids_read(struct text text, bool mariadb, struct binlog_gtids *gtids) MUST_USE;
void binlog_gtids_print(const struct binlog_gtids *gtids, struct buffer *out);
void binlog_gtids_add(struct binlog_gtids *gtids, const struct binlog_gtid *gtid);
/* Is all of `inner` in `outer`? */
bool binlog_gtids_hold(const struct binlog_gtids *outer, const struct binlog_gtids *inner);
/* As COM_BINLOG_DUMP_GTID takes them. */
void binlog_gtids_encode(const struct binlog_gtids *gtids, struct buffer *out);
/* The GTID in a GTID event of either family. */
bool binlog_read_gtid(const struct binlog_event *event, struct binlog_gtid *gtid) MUST_USE;

/* ---------------------------------------------------------------- binlog_table.c */

struct binlog_column {
    uint8_t type;    /* enum_field_types as the log has it, but for enum and set, which are said */
    uint16_t length; /* of what precedes a value, or the type's own: see binlog_value.c */
    uint8_t digits;  /* of seconds; of decimals, behind the point */
    struct text name;
    uint32_t collation; /* its number; 0: it has none, or it is not told */
    bool is_signed;     /* a number, by the log's word */
    bool is_unsigned;   /* neither: it is not told */
    struct text labels; /* of enum and set: each behind its length; empty: they are not told */
    uint32_t label_count;
};
struct binlog_table {
    uint64_t number;
    const char *database;
    const char *name;
    struct binlog_column *columns;
    uint32_t column_count;
    bool named;         /* the columns have names */
    bool has_all_types; /* each says its sign, its character set, its labels */
};
bool binlog_read_table(struct binlog_bytes body, bool mariadb, struct arena *arena,
                       struct binlog_table *table) MUST_USE;

/* Rows of a table: `first` is true of what was deleted or is before an update. */
struct binlog_rows {
    uint64_t number; /* the table's */
    bool writes;
    bool updates;
    bool unchecked; /* by a session with foreign_key_checks = 0: no foreign key acted */
    uint32_t column_count;
    const uint8_t *before; /* bitmaps: these columns are in the images */
    const uint8_t *after;
    struct binlog_bytes rest;
};
bool binlog_read_rows(const struct binlog_event *event, struct arena *arena,
                      struct binlog_rows *rows) MUST_USE;

/* ---------------------------------------------------------------- binlog_value.c */

/* The value of a column as it goes in the log: its bytes. */
bool binlog_take_value(const struct binlog_column *column, struct binlog_bytes *bytes,
                       struct text *value) MUST_USE;
/* As the text protocol would have it; `type` is the column's by the catalogue. Into `out`. */
bool binlog_print_value(const struct binlog_column *column, const struct mysql_type *type,
                        struct text value, struct buffer *out) MUST_USE;
/* The value of a column with labels. */
bool binlog_print_labels(const struct binlog_column *column, struct text value,
                         struct buffer *out) MUST_USE;
/* The number of columns in an image with these bits. */
uint32_t binlog_count_bits(const uint8_t *bits, uint32_t count);
static inline bool binlog_has_bit(const uint8_t *bits, uint32_t at)
{
    return (bits[at / 8] >> (at % 8) & 1) != 0;
}
/* A packed decimal: `precision` and `scale` as the column has them. */
size_t binlog_decimal_bytes(unsigned precision, unsigned scale);
bool binlog_print_decimal(const uint8_t *bytes, size_t length, unsigned precision, unsigned scale,
                          struct buffer *out) MUST_USE;

/* ---------------------------------------------------------------- binlog_json.c */

/* MySQL's binary JSON as the server's text. */
bool binlog_print_json(struct text value, struct buffer *out) MUST_USE;

#endif
