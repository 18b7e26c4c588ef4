/*
 * Apache Cassandra: what the files of this connector share.
 *
 *   cassandra.c   the descriptor, opening          options.c     what a URI says
 *   calls.c       calls, those that fail too       write_all.c   writes of control work
 *   schema.c      tables as system_schema has them catalog.c     the same for plans
 *   udts.c        types that users made            system_rows.c rows of the server's own tables
 *   key.c         keys as bytes                    normal.c      values as columns keep them
 *   fetch.c       rows by their keys, for all      look_up.c     the same on a given session
 * Source:
 *   reader.c      streams, spans and cursors       cursor.c      rows as batches
 *   select.c      the SELECT of a request          query.c       the plan's own
 *   split.c       spans of tokens                  scan.c        pages of a span
 *   rows.c        values as cells                  count.c       counts
 *   estimate.c    the same, roughly
 * Target:
 *   tables.c      checks of tables that are there  create.c      keyspaces, tables
 *   layout.c      tables as writers know them      run.c         the claimed run, its rollback
 *   encode.c, send.c  the service of the keyed room
 *   counters.c    tables of counters               properties.c  how tables are kept
 *   record_types.c  types that tables need         store.c       the store
 *   apply.c       changes of a source
 *   prove.c       a repair's records, read back   alter.c   changes of the schema in place
 *   change.c      declared ones
 *
 *   protocol/     the client of the native protocol; only its public headers are used here
 *
 * Every write of a run carries a timestamp of the run's own (cassandra_timestamp_us), which is
 * about the moment when the run began: what an application writes later is newer and stays.
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_CASSANDRA_H
#define TRANSHUME_CONNECTORS_CASSANDRA_CASSANDRA_H

#include "connectors/cassandra/protocol/cql_session.h"
#include "connectors/contract/connector.h"
#include "connectors/keyed/keyed.h"
#include <pthread.h>

enum {
    CASSANDRA_NAME_BYTES_MAX = 48, /* of tables; of keyspaces too */
    CASSANDRA_TIMES_A_WRITE = 100, /* timestamps from its own on: for each repetition another one */
    CASSANDRA_CLASSES_MAX = 1024
};

/* The settings in the options of a URI. */
struct cassandra_settings {
    enum cql_consistency read_consistency;
    enum cql_consistency write_consistency;
    enum cql_consistency fallback; /* CQL_ANY: none */
    enum cql_consistency serial;   /* of conditional writes */
    bool creates_keyspace;         /* if it is not there */
    const char *replication;       /* as CQL has it: "{'class': …}" */
    bool counters_absent;          /* target: rows of counters are written where none is there */
    bool keeps_times;              /* source: WRITETIME and TTL of each cell are read */
    uint32_t page_rows;
    uint32_t batch_rows; /* most records of one partition in one request */
    uint32_t batch_bytes;
};

struct cassandra {
    struct keyed_database keyed; /* first */
    const char *keyspace;
    struct cassandra_settings settings;
    struct stream_tls *tls;    /* NULL: plaintext, or the bundle's */
    struct cql_bundle *bundle; /* Astra's; NULL: none */
    struct cql_session_options options;
    struct cql_session *control;      /* with control_mutex */
    int64_t patience_ms;              /* from the first failure to giving up */
    struct cassandra_layout *layouts; /* target.h; with `mutex` */
    /* normal.c: types that columns were asked about, by number; added to with `mutex` */
    const struct cql_type *classes[CASSANDRA_CLASSES_MAX];
    _Atomic uint32_t class_count;
    struct keyed_service service;    /* cassandra_keyed_service with the options' bounds */
    _Atomic bool fell_back;          /* a write used `fallback`: it was logged */
    _Atomic bool read_fell_back;     /* a read did */
    _Atomic int64_t last_control_us; /* the timestamp of the last write of control work */
    _Atomic uint32_t attempt_max;    /* the highest attempt that wrote */
    int64_t clock_ahead_us; /* a node's clock before ours, as it was seen last; 0: it is not */
    int64_t run_started_us; /* of the claimed run; 0: none */
    _Atomic int64_t counters_quiet_ms; /* boot time: until then an addition may still be made */
    _Atomic bool ahead_told;           /* that changes are written with times to come */
    _Atomic bool expired_told;         /* that records were left out, whose time to live is over */
    bool keyspace_there;               /* target: it is there, or was made */
    struct cassandra_schema *schema;   /* of the source, read at first use; schema.h */
    struct cassandra_fetcher *fetcher; /* made at first use; fetch.h */
};

static inline struct cassandra *cassandra_of(struct database *database)
{
    return (struct cassandra *)database;
}

extern const struct connector connector_cassandra;
extern const struct catalog_functions cassandra_catalog;
extern const struct source_functions cassandra_source;
extern const struct store_functions cassandra_store;
extern const struct rollback_functions cassandra_rollback;
extern const struct apply_functions cassandra_apply;
extern const struct alter_functions cassandra_alter;
extern const struct change_functions cassandra_change;
extern const struct rights_functions cassandra_rights;
extern const struct keyed_service cassandra_keyed_service;

/* ---------------------------------------------------------------- control.c */

/* A session of one's own, for a reader or a writer. */
enum status cassandra_connect(struct cassandra *self, struct cql_session **session,
                              struct error *error) MUST_USE;

/* One statement to its end on the control session; any thread. Tries again what may be repeated
 * until patience ends: reads, and with `repeats` writes. What the reply points to is in `arena`. */
enum status cassandra_run(struct cassandra *self, const char *text,
                          enum cql_consistency consistency, bool repeats, struct arena *arena,
                          struct cql_reply *reply, struct error *error) MUST_USE;
/* The same of a prepared statement with `values` ([value] one after the other). */
enum status cassandra_run_prepared(struct cassandra *self, const char *text,
                                   const struct buffer *values, uint16_t value_count,
                                   enum cql_consistency consistency, bool repeats,
                                   struct arena *arena, struct cql_reply *reply,
                                   struct error *error) MUST_USE;

/* The same of a statement that changes the schema, which may be repeated: all nodes know the change
 * afterwards. */
enum status cassandra_define(struct cassandra *self, const char *text,
                             struct error *error) MUST_USE;
/* Waits until all nodes know the schema. */
enum status cassandra_agree(struct cassandra *self, struct error *error) MUST_USE;

/* Target: makes the keyspace if it is not there and may be made. Repeatable. */
enum status cassandra_make_keyspace(struct cassandra *self, struct error *error) MUST_USE;
/* CREATE KEYSPACE */
void cassandra_append_keyspace(const struct cassandra *self, struct buffer *text);

/* Appends "keyspace"."table" as CQL has it. */
void cassandra_append_table(const struct cassandra *self, const char *table, struct buffer *out);

/* The timestamp of what attempt number `attempt` (from 1) of a chunk writes, at its `failures`th
 * repetition (from 0). A later one is above all earlier ones, so that a request which is late
 * loses; and of lists, whose elements add up under one timestamp, none is there twice
 * (CASSANDRA-11368). */
int64_t cassandra_timestamp_us(const struct cassandra *self, uint32_t attempt, uint32_t failures);

#endif
