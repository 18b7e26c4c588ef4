/*
 * The contract between the engine and a database.
 *
 * A connector is a `const struct connector`: a name, capabilities, limits and optional groups of
 * functions. A missing group means that the database is not that kind of thing. The engine never
 * asks which database it is: it asks for a group, a capability or a limit.
 *
 *   threads   A `struct database` is opened, prepared and closed on the control thread. Each reader
 *             and each writer opened from it lives on one thread. Functions that may be called
 *             beside others say so.
 *   results   enum status everywhere; STATUS_FAILED fills `error`, whose class says what may be
 *             done: RETRY the same call again, REJECT one record, STOP the run.
 *   waiting   No call waits for ever: each either ends within the database's deadline
 *             (`struct open_options.timeout_ms`) or fails with class RETRY. One that tries again by
 *             itself, and gives up, fails with class STOP: the patience is spent but once.
 *   memory    What a function gives back lives in the arena or batch that the caller passed or
 *             gets.
 */
#ifndef TRANSHUME_CONNECTORS_CONNECTOR_H
#define TRANSHUME_CONNECTORS_CONNECTOR_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "model/batch.h"
#include "model/canonical.h"
#include "model/schema.h"
#include "model/value.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONNECTOR_CONTRACT_VERSION = 2 };

/* ---------------------------------------------------------------- what a database can do */

enum connector_capability {
    CAPABILITY_TRANSACTIONS = 1 << 0, /* a chunk and its done mark are one commit */
    CAPABILITY_NESTED = 1 << 1,       /* lists and maps are values, else they come as JSON text */
    CAPABILITY_FREE_FIELDS = 1 << 2,  /* records of one table may have different fields */
    CAPABILITY_MISSING = 1 << 3,      /* a missing field differs from a null one */
    CAPABILITY_JOINS = 1 << 4,        /* read_request.joins and .ordered work; else never asked */
    CAPABILITY_SNAPSHOT = 1 << 5,     /* all readers see one moment */
    CAPABILITY_PROVES_UNCHANGED = 1 << 6, /* snapshot tokens are equal only if nothing changed */
    CAPABILITY_KEY_REQUIRED = 1 << 7,     /* target tables need a key, records are put by it */
    CAPABILITY_KEY_ENFORCED = 1 << 8,  /* a second record under a key is seen when it is written */
    CAPABILITY_ASYNCHRONOUS = 1 << 9,  /* acknowledgements come later than submit */
    CAPABILITY_SQL_SCHEMA = 1 << 10,   /* columns, types and references are declared */
    CAPABILITY_COUNTS_EXACT = 1 << 11, /* target count() is exact as soon as commits are done */
    CAPABILITY_ORDERED_WRITE =
        1 << 12,                       /* one writer; chunks commit in the order of their numbers */
    CAPABILITY_FOLDED_NAMES = 1 << 13, /* target tables whose names differ in case only are one */
    CAPABILITY_SHARED_NAMES = 1 << 14, /* no index is named like another one or like a table */
    CAPABILITY_UNITS = 1 << 15,        /* counts capacity units, and keeps the caps on them */
    /* target: its ledger is gone with the process (a pipe), so that nothing can be resumed, and
     * what a second run writes comes after what the first one wrote */
    CAPABILITY_NO_RESUME = 1 << 16
};

/* 0 means no limit, unless said. */
struct connector_limits {
    uint32_t readers_max; /* readers useful at once, for this database as opened */
    uint32_t writers_max;
    uint32_t chunks_open_max; /* of one writer, between chunk_begin and commit (>= 1) */
    uint32_t batch_rows_max;  /* records a submit may bring */
    uint64_t batch_bytes_max;
    uint64_t record_bytes_max;
    uint32_t name_bytes_max;
    uint32_t nesting_max;
    uint32_t number_digits_max;
    uint64_t slice_bytes;         /* source: values above this come as LARGE handles; 0: never */
    uint32_t request_columns_max; /* source: columns of one read_request */
    uint32_t delete_keys_max;     /* target: of one delete_records; 0: some hundreds */
    uint32_t request_joins_max;   /* source with CAPABILITY_JOINS: joins of one read_request */
    bool pulls_in_pieces; /* target: several of its writers pull one table faster than one does */
};

enum guarantee { GUARANTEE_EXACTLY_ONCE, GUARANTEE_IDEMPOTENT, GUARANTEE_AT_LEAST_ONCE };

/* What is done about records that are in a target table already (`existing:`). */
enum existing_policy {
    EXISTING_REFUSE,
    EXISTING_APPEND,
    EXISTING_UPSERT,
    EXISTING_REPLACE,
    EXISTING_SKIP
};

/* One URI or plan option of a connector ("?endpoint=…"): parsed, listed by `transhume
 * connectors`. */
enum option_type { OPTION_TEXT, OPTION_INTEGER, OPTION_BYTES, OPTION_BOOLEAN, OPTION_CHOICE };
struct connector_option {
    const char *name;
    enum option_type type;
    const char *default_text;
    const char *range; /* "1..100", or the choices "gzip|zstd|none"; NULL: any */
    bool secret;
    const char *help;
};

/* A row of docs/types/<engine>.md: native type, kind, and what is lost on the way. */
struct type_mapping {
    const char *native;
    enum value_kind kind;
    const char *reading; /* note on native → kind */
    const char *writing; /* note on kind → native; NULL: not written as that type */
    const char *loss;    /* "exact", "widened", "lossy", or a sentence */
};

/* ---------------------------------------------------------------- opening */

/* A URI taken apart; all parts percent-decoded, in the arena that uri_parse was given. */
struct uri_parameter {
    const char *name;
    const char *value;
};
struct uri {
    const char *text;  /* as the user wrote it */
    const char *shown; /* the same without secrets: for messages, state and ledger */
    const char *scheme;
    const char *user; /* NULL where there is none */
    const char *password;
    const char *host;
    uint16_t port;    /* 0: default */
    const char *path; /* "sqlite:shop.db" → "shop.db"; "x://h/a/b" → "a/b" */
    const struct uri_parameter *parameters;
    uint32_t parameter_count;
};

enum open_mode { OPEN_SOURCE, OPEN_TARGET };

struct open_options {
    enum open_mode mode;
    const struct uri *uri;
    /* private folder for sorted runs and the like; lives as long as the run; NULL: none may be made
     * (check, init) */
    const char *spill_folder;
    uint64_t memory_bytes; /* budget for caches of this database */
    int64_t timeout_ms;    /* deadline of any single wait */
    /* caps in the database's own capacity units a second, all of its readers or writers together;
     * 0: none, as always for those without CAPABILITY_UNITS */
    uint64_t read_units_per_second_max;
    uint64_t write_units_per_second_max;
    const char *const *catalog_tables; /* NULL: the user's tables */
    /* target: it is only looked at. It has to be there, nothing is made, and it may be one that
     * can't be written */
    bool read_only;
};

/*
 * What a database tells while it works: added to by its own threads, read by the engine's at any
 * time. connectors/report.h has the functions that fill it.
 */
struct database_report {
    /* monotonic: when the server first and last said to slow down, in this spell; 0: never */
    _Atomic int64_t throttled_since_ms;
    _Atomic int64_t throttled_last_ms;
    _Atomic uint64_t throttle_count;
    _Atomic uint64_t milliunits; /* capacity used since the opening, in thousandths of a unit */
    /* records (or a guess of them) that the express_chunk calls under way have pulled so far: what
     * such a call adds it takes back at its end */
    _Atomic uint64_t pulled_rows;
    /* lease_clock_ms: until when this process may write without asking; LEASE_ENDED: it may not,
     * and won't; connectors/lease.h */
    _Atomic int64_t lease_end_ms;
};

/* The head of every connector's instance, its first member. */
struct database {
    const struct connector *connector;
    struct connector_limits limits; /* as this database is (a read-only SQLite file: one reader) */
    uint32_t capabilities;          /* enum connector_capability, likewise */
    /*
     * Target: how long a claim holds unless it is renewed; must be longer than a request may take.
     * 0: no lease, since a lock of the operating system or the target's transactions keep a second
     * process out.
     */
    int64_t lease_ms;
    /* Set by the engine, at any time, once the work has failed: what is said from then on is tried
     * once. */
    _Atomic bool hurried;
    struct database_report report;
};

/* ---------------------------------------------------------------- reading */

/* A piece of a stream; the spans of a stream tile it, first and last are open. */
struct span {
    const char *printable; /* "rowid 1..65536": for people */
    const uint8_t *bounds; /* opaque; only its connector reads it */
    uint32_t bounds_length;
    int64_t row_estimate; /* -1: not known */
    const char *last_id;  /* printable form of the last key inside, NULL if not known */
};

/* A table reached from another one by equal columns. */
struct read_join {
    int32_t from; /* index of the join it hangs from, -1: the root */
    const char *table;
    struct column_list from_columns;
    struct column_list columns; /* of `table`, pairwise equal to from_columns */
    /* down: rows without a partner vanish (inner), each partner gives a row; else up: at most one
     * partner is taken, none gives NULLs (outer) */
    bool many;
};

/* A column of the root (join -1) or of a joined table. `presence` true: no column, but BOOL: did
 * the join find a row? */
struct read_column {
    int32_t join;
    const char *name;
    bool presence;
};

struct read_order {
    int32_t join;
    const char *name;
    bool descending;
};

/*
 * What to read: the root (a table, or a query in the source's own language), the joins, the
 * columns, all within a span of the root. Rows come
 *   ordered   in the order of the root's row key (or `root_key`), then by `orders`, then, for each
 *             join with `many` in turn, by that table's own row key: a total order that repeats
 *             exactly.
 *   else      in any order that is the same at every read of the same snapshot.
 * Two requests with the same root, span and `ordered` bring the root's rows in the same order: so
 * children are merged with their parents by equality of `root_key` cells alone.
 */
struct read_request {
    const char *name;  /* of the stream, for messages */
    const char *table; /* NULL: */
    const char *query;
    const struct read_join *joins;
    uint32_t join_count;
    const struct read_column *columns;
    uint32_t column_count;
    struct column_list root_key; /* identify a root row; needed when ordered and `query` */
    const struct read_order *orders;
    uint32_t order_count;
    bool ordered;
};

/* How a stream can be cut and what a restart may rely on. */
struct stream_facts {
    bool keyed;        /* spans are ranges of a stable key; else physical, or one span */
    bool key_unique;   /* each record has its own key */
    int64_t row_count; /* -1: not known */
    int64_t bytes_max; /* its records take no more than that; 0: not known */
    /* the columns whose cells name a record in rejects; may be a row key like "rowid" that is no
     * column */
    struct column_list key;
};

struct reader; /* a connection of its own within the snapshot; one thread */
struct cursor; /* one read_request being read; lives on its reader's thread */

struct source_functions {
    /*
     * Takes the snapshot that all readers will see; `reader_count` says how many will be opened.
     * `token` (arena) is an opaque text: with CAPABILITY_PROVES_UNCHANGED two equal tokens, even of
     * different processes, mean that no record differs. Called once, before any reader.
     */
    enum status (*snapshot)(struct database *self, uint32_t reader_count, struct arena *arena,
                            const char **token, struct error *error);
    /* Facts about the request's root. Any time after open. */
    enum status (*describe_stream)(struct database *self, const struct read_request *request,
                                   struct arena *arena, struct stream_facts *facts,
                                   struct error *error);
    /*
     * Optional: can the source make the request's joins at all? Asked while a plan is resolved, for
     * what the number of joins does not tell (views of many tables). STATUS_FAILED with
     * ERROR_PLAN_INVALID: no, and `error` says why. Control thread; changes nothing.
     */
    enum status (*accepts)(struct database *self, const struct read_request *request,
                           struct error *error);
    /*
     * Cuts the root into spans of about `rows_wanted` rows, in key order, within the snapshot. At
     * least one span, also for an empty stream. Views, queries and keyless streams: one span.
     */
    enum status (*split)(struct database *self, const struct read_request *request,
                         uint64_t rows_wanted, struct arena *arena, struct span **spans,
                         uint32_t *span_count, struct error *error);
    /*
     * Told of every request before any is read, so that what has no usable index can be sorted once
     * to `spill_folder`. Within the snapshot. May take long: `progress` (may be NULL) is called
     * with a word on what is being done. Nothing to sort: source_prepares_nothing (defaults.h).
     */
    enum status (*prepare)(struct database *self, const struct read_request *const *requests,
                           uint32_t request_count, void (*progress)(const char *what),
                           struct error *error);
    enum status (*reader_open)(struct database *self, struct reader **reader, struct error *error);
    void (*reader_close)(struct reader *reader);
    /* `span` NULL: all of it. Several cursors may be open on one reader. The request outlives the
     * cursor. */
    enum status (*cursor_open)(struct reader *reader, const struct read_request *request,
                               const struct span *span, struct cursor **cursor,
                               struct error *error);
    /*
     * Fills a new batch of up to `rows_max` records and about `bytes_max` bytes, of
     * request->column_count cells a record. STATUS_END: nothing is left, no batch. Without columns
     * named by the request (column_count 0) records are documents. A value that can't be read
     * becomes an ESCAPE cell (never an error), so that the record can be rejected with its key. A
     * batch without records says that the source is slow (throttled), and still at work.
     */
    enum status (*cursor_next)(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                               struct batch **batch, struct error *error);
    void (*cursor_close)(struct cursor *cursor);
    /* Optional (NULL): records of `table` whose `by` columns equal `keys` (key_count × by.count
     * cells), for sources without joins. Any order; absent ones are not there. */
    enum status (*fetch)(struct reader *reader, const char *table, struct column_list columns,
                         struct column_list by, const struct cell *keys, uint32_t key_count,
                         struct batch **batch, struct error *error);
    /*
     * Optional: is a span that `maker` (a database of this connector) made of `made_of` the same
     * range of keys here, in `request`? Then records with one key are in one and the same span on
     * both sides, and a comparison need not look elsewhere. False where it can't be known. NULL:
     * never.
     */
    bool (*span_is_shared)(struct database *self, const struct read_request *request,
                           struct database *maker, const struct read_request *made_of);
    /* Optional: warnings worth saying before a run ("writers will wait"), one line each in
     * `out`. */
    enum status (*caveats)(struct database *self, struct buffer *out, struct error *error);
};

/* ---------------------------------------------------------------- catalogue */

struct catalog_functions {
    enum status (*describe)(struct database *self, struct schema **schema, struct error *error);
    /* The shape of a query's result: a SCHEMA_QUERY table in `arena`. NULL: no queries. */
    enum status (*describe_query)(struct database *self, const char *query, struct arena *arena,
                                  struct schema_table *table, struct error *error);
    /*
     * Optional: what a type that a plan gives a column (`columns: { X: { type: … } }`) stands for;
     * `type->native` is borrowed from `declared`. False: the database's users know no such type.
     * NULL: the names in the table of types are all that there are. Any thread.
     */
    bool (*native_type)(const char *declared, struct value_type *type);
    /* With native_type: the names that it knows, NULL-terminated, for the nearest one. */
    const char *const *native_names;
    /*
     * Optional: what a same-engine copy of whole tables carries besides what `describe` tells: one
     * text a table (arena), in the connector's own words, for target_table.settings. No record and
     * no mapping depends on it.
     */
    enum status (*settings)(struct database *self, const char *const *tables, uint32_t count,
                            struct arena *arena, const char **settings, struct error *error);
};

/* ---------------------------------------------------------------- writing */

struct target_reference {
    struct column_list columns;
    const char *table;
    struct column_list referenced_columns;
    const char *on_delete;
    const char *on_update;
};

/* A secondary index of the plan. */
struct target_index {
    const char *name;
    struct column_list columns; /* key-value stores: partition, sort */
    bool unique;
    bool promised; /* unique: as target_table.key_promised */
    bool local;    /* key-value stores: kept with the records of a partition (DynamoDB's LSI) */
};

/* A label that the plan wants on a table. */
struct target_tag {
    const char *name;
    const char *value;
};

/* One target table as the plan wants it. */
struct target_table {
    const char *name;
    const struct schema_column *columns; /* declared; CAPABILITY_FREE_FIELDS may bring others */
    uint32_t column_count;
    struct column_list key; /* primary key; key-value stores: partition, sort */
    /* The source itself keeps the key unique, in columns that are carried one to one, and of kinds
     * whose equality is the same everywhere. So it may be made after the load; records that break
     * the promise all the same are then for settle_duplicates. */
    bool key_promised;
    const struct target_index *indexes;
    uint32_t index_count;
    const struct target_reference *references;
    uint32_t reference_count;
    enum existing_policy existing;
    /* A second record under a key is skipped if all of its fields are those of the record that is
     * there, and rejected only if they are not. Without CAPABILITY_KEY_ENFORCED settle_duplicates
     * tells the one from the other. */
    bool distinct;
    const struct schema_table *same_engine; /* not NULL: make it whole as the source has it */
    const char *settings; /* with same_engine: what catalog->settings told of it; may be NULL */
    const char *billing;  /* NULL or the connector's own words from the plan; wins over settings */
    const char *ttl; /* the field that says when a record expires (epoch seconds); NULL: none */
    const struct target_tag *tags;
    uint32_t tag_count;
    bool settles; /* settle_duplicates will be asked about this table */
    bool created; /* set by prepare: this run made it */
    /* what this run writes and deletes stands as it is, and no trigger of the database fires; alike
     * for all tables of a run */
    bool triggers_off;
    /* what it takes to undo the run's writes to this table key by key is kept: by the writer in the
     * chunk's transaction where there are transactions, else by the engine before it submits */
    bool keeps_undo;
};

/* What the ledger keeps of a chunk that is done. The text is the engine's; connectors store it. */
struct done_mark {
    uint64_t chunk;
    uint64_t epoch;
    const char *text;
};

enum outcome_kind { OUTCOME_REJECTED, OUTCOME_SKIPPED };

/* A record that was not written. */
struct record_outcome {
    uint32_t row; /* in its batch */
    enum outcome_kind kind;
    enum error_code code; /* REJECT_… */
    const char *reason;   /* in the result's arena */
};

/* What became of one submitted batch, once all of its records are acknowledged or refused. */
struct batch_result {
    uint64_t chunk;
    uint32_t table;
    struct batch *batch; /* handed back: the caller destroys it */
    uint32_t written;
    const struct record_outcome *outcomes;
    uint32_t outcome_count; /* written + outcome_count == batch->row_count */
    uint64_t bytes;         /* sent or stored, as far as it is known */
    struct arena *arena;    /* of outcomes and reasons; the caller destroys it, may be NULL */
};

/* What a check foresees of a table's records, in the target's own measures. */
struct target_load {
    double records;
    double bytes; /* as the target stores them */
    double units; /* of writing them: capacity units or the like; 0: it knows none */
};

struct writer; /* a connection of its own; one thread */

/* What settle_duplicates found of a record that shares its key with another one. */
enum duplicate_kind {
    DUPLICATE_DIFFERS, /* it loses */
    /* it loses and holds what the lowest one holds, field by field; only for tables with
     * `distinct`, where it has to be exact */
    DUPLICATE_REPEATS,
    DUPLICATE_STAYS /* it is the lowest, and may have been overwritten */
};

struct target_functions {
    /*
     * Looks at the tables: fills `record_exists[i]` (is there any record?) and `table_exists[i]`.
     * Changes nothing.
     */
    enum status (*inspect)(struct database *self, const struct target_table *tables,
                           uint32_t table_count, bool *table_exists, bool *record_exists,
                           struct error *error);
    /* What the target can't do of a table, one line each in `out` (empty: fine). Changes
     * nothing. */
    enum status (*check_table)(struct database *self, const struct target_table *table,
                               const struct shape *const *shapes, uint32_t shape_count,
                               struct buffer *out, struct error *error);
    /* Optional: the same of the views, triggers … of a same-engine plain copy; each line begins
     * with the object's name and ": ". */
    enum status (*check_objects)(struct database *self, const struct schema *objects,
                                 struct buffer *out, struct error *error);
    /*
     * Makes the missing tables; sets `created`. `objects` of a same-engine plain copy are made here
     * or in after_load, as the engine needs. Repeating it after a crash is safe: what carries this
     * run's mark or stands in its ledger is its own.
     */
    enum status (*prepare)(struct database *self, struct target_table *tables, uint32_t table_count,
                           const struct schema *same_engine_objects, struct error *error);
    enum status (*writer_open)(struct database *self, const struct target_table *tables,
                               uint32_t table_count, uint64_t epoch, struct writer **writer,
                               struct error *error);
    void (*writer_close)(struct writer *writer);
    enum status (*chunk_begin)(struct writer *writer, uint64_t chunk, uint32_t attempt,
                               struct error *error);
    /*
     * Takes the batch over (also when it fails: it comes back through poll or is destroyed by
     * chunk_abandon). STATUS_AGAIN: too much is under way; poll first; the batch is still the
     * caller's.
     */
    enum status (*submit)(struct writer *writer, uint64_t chunk, uint32_t table,
                          struct batch *batch, struct error *error);
    /* The next result: STATUS_OK; none under way: STATUS_END; none within timeout_ms:
     * STATUS_AGAIN. */
    enum status (*poll)(struct writer *writer, int64_t timeout_ms, struct batch_result *result,
                        struct error *error);
    /*
     * All results of the chunk were polled: makes it durable and done, in one step where there are
     * transactions (the epoch checked last: ERROR_RUN_FENCED). ERROR_TARGET_UNKNOWN_OUTCOME:
     * ledger.done tells after reconnecting.
     *
     * With a lease every request that writes, this one and those of submit and poll, is sent only
     * while lease_check says that the lease outlasts the request's deadline.
     */
    enum status (*commit)(struct writer *writer, uint64_t chunk, const struct done_mark *mark,
                          struct error *error);
    /* Forgets an open chunk; what it wrote is undone or will be repeated. Batches under way are
     * destroyed. */
    void (*chunk_abandon)(struct writer *writer, uint64_t chunk);
    /*
     * Indexes, triggers, views, sequences: after the last chunk. Repeatable. Asked to stop once it
     * gives up what it builds: ERROR_INTERRUPTED.
     */
    enum status (*after_load)(struct database *self, const struct target_table *tables,
                              uint32_t table_count, const struct schema *same_engine_objects,
                              void (*progress)(const char *what), struct error *error);
    /*
     * Records of the table by key, as they stand now: what was acknowledged before is seen. `keys`
     * holds key_count × table->key.count cells, in the target's normal form, no key twice. Each
     * record found is one of the batch (no shape: a MAP of its fields as stored), in any order;
     * what is not there is not in it. Class REJECT: one of the keys is none that the table can
     * hold. Targets with a lease have it, for chunks that a process lost
     * while it wrote them; optional for others. Control thread.
     */
    enum status (*fetch)(struct database *self, const struct target_table *table,
                         const struct cell *keys, uint32_t key_count, struct batch **batch,
                         struct error *error);
    /*
     * Optional: takes records out, for repair and rollback. `keys` holds key_count ×
     * table->key.count cells, in the target's normal form, no key twice. Of a table without a key
     * they are whole records, key_count × table->column_count cells in the order of
     * table->columns, and one of the records that are equal to each goes. What is not there is not
     * counted in `deleted`. Durable on return; with CAPABILITY_TRANSACTIONS all of a call or
     * nothing, the claimed run's epoch checked last. Repeatable where there is a key. What the
     * claimed run itself wrote may be left alone: a repair that goes on after a crash takes out
     * once more what it may have replaced already. NULL: the target can't. Control thread, between
     * chunks.
     */
    enum status (*delete_records)(struct database *self, const struct target_table *table,
                                  const struct cell *keys, uint32_t key_count, uint64_t *deleted,
                                  struct error *error);
    /* Records in the table now. */
    enum status (*count)(struct database *self, const struct target_table *table, uint64_t *count,
                         struct error *error);
    /*
     * Optional, for targets without CAPABILITY_KEY_ENFORCED, and for those that make keys in
     * after_load, which are asked about every table that this run created: after the last chunk
     * and after_load, finds records of this run that share a key (or the columns of another unique
     * index), keeps the lowest (entity = batch->entity, chunk, ordinal = the
     * record's place among the entity's records submitted for the chunk, from 0; UINT64_MAX: not
     * known; a chunk of 0 and an entity of UINT32_MAX, the table's only one, likewise) and reports
     * each other one through `found`, taking it out of the target where it is physically there
     * (`record`: a MAP of its fields as stored; NULL where it was overwritten). The lowest is
     * written again if need be; a target that does not have it any more reports it too, before
     * the others of its key (DUPLICATE_STAYS): the engine makes it again and calls restore.
     * Repeatable: each call reports all of them again.
     */
    enum status (*settle_duplicates)(
        struct database *self, const struct target_table *table,
        enum status (*found)(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                             const struct cell *key, uint32_t key_count, const struct cell *record,
                             enum duplicate_kind kind, struct error *error),
        void *context, struct error *error);
    /*
     * Optional, both or none, for check: load_add adds what one record takes to `load`; load_tell
     * says in `out`, one line a table, what a whole run will take and cost (`loads` are the
     * tables', scaled up from a sample; `records` below 0: not known). Change nothing.
     */
    void (*load_add)(struct database *self, const struct target_table *table,
                     const struct shape *shape, const struct cell *cells, struct target_load *load);
    enum status (*load_tell)(struct database *self, const struct target_table *tables,
                             const struct target_load *loads, uint32_t table_count,
                             struct buffer *out, struct error *error);
    /* Only of targets that report DUPLICATE_STAYS: puts a record over what stands under its key,
     * durably. Control thread. */
    enum status (*restore)(struct database *self, const struct target_table *table,
                           const struct batch *batch, uint32_t row, struct error *error);
    /* The normal form of a value: what reading it back would give. Idempotent. Any thread. */
    enum status (*normal_form)(struct database *self, const struct cell *cell, struct arena *arena,
                               struct cell *normal, struct error *error);
    /*
     * Optional, both or none: what a column makes of values (SQLite's affinities). column_class
     * gives a number for a column as the target's own catalogue describes it, for
     * normal_form_in_column, which is normal_form for values of that column: what reading it back
     * gives, with as much told apart as the column keeps. NULL: normal_form says it all. Any
     * thread.
     */
    uint32_t (*column_class)(struct database *self, const struct schema_table *table,
                             const struct schema_column *column);
    enum status (*normal_form_in_column)(struct database *self, uint32_t column_class,
                                         const struct cell *cell, struct arena *arena,
                                         struct cell *normal, struct error *error);
    /*
     * Optional express lane: can this target pull from that source itself? Then express_chunk
     * copies a span of request->table into table within the open chunk, and says in
     * report.pulled_rows how far it is. STATUS_AGAIN: not possible now (the source moved on, a
     * record is refused): the engine takes the general path for this chunk.
     */
    bool (*express_accepts)(struct database *self, struct database *source);
    enum status (*express_chunk)(struct writer *writer, struct database *source, uint64_t chunk,
                                 const struct read_request *request, const struct span *span,
                                 uint32_t table, uint64_t *rows, struct error *error);
};

/* ---------------------------------------------------------------- ledger */

struct ledger_chunk {
    uint64_t number; /* 1-based, in order of streams and spans */
    uint32_t stream;
    struct span span;
};

/*
 * Who works on a run. A claim with a lease is kept with all of this (connectors/lease.h makes it
 * one text and back); of a lock there is a name and mostly a pid.
 */
struct ledger_holder {
    char name[160];    /* for people: "pid 123 on host"; "attempt 4" where no more is known */
    int64_t pid;       /* 0: not known */
    char host[72];     /* "": not known */
    char machine[40];  /* where `pid` means something: this boot, this pid namespace; "": unknown */
    int64_t started;   /* when the process began, in the machine's own count; tells pids apart */
    int64_t since_us;  /* UTC, when it claimed; 0: not known */
    int64_t lease_ms;  /* its claim holds so long after each renewal; 0: no lease, but a lock */
    uint64_t renewals; /* any number that is another one after each renewal */
};

/* One run as the target knows it. Lives in `arena`. */
struct ledger_run {
    const char *id;
    uint64_t epoch;
    const char *header; /* the engine's JSON: format, plan, identities, snapshot … */
    const char *status; /* the engine's JSON, replaced by set_status: phase, tables created … */
    struct ledger_chunk *chunks;
    uint64_t chunk_count;
    struct done_mark *done;
    uint64_t done_count;
};

struct ledger_functions {
    /*
     * Writes header, status and the whole chunk list so that a crash leaves all of it or nothing.
     * STATUS_AGAIN: an unfinished run is there already.
     */
    enum status (*create)(struct database *self, const char *run_id, const char *header,
                          const char *status, const struct ledger_chunk *chunks,
                          uint64_t chunk_count, struct error *error);
    /* The newest run (run_id NULL) or the named one. STATUS_END: there is none. */
    enum status (*load)(struct database *self, const char *run_id, struct arena *arena,
                        struct ledger_run **run, struct error *error);
    /*
     * Makes `epoch` = old + 1 the only one that may write and commit. STATUS_AGAIN: somebody else
     * did, or holds it: `found` says who. A claim that was never given back stays held, also when
     * its lease is over or its process dead: whether it is so is for the engine to find out.
     *
     * `replaces` NULL: only what nobody holds. Else a holder that an earlier call found: its claim
     * is taken over if it is still that very one, with the same number of renewals (one conditional
     * write), or STATUS_AGAIN. Without leases it is taken over where the target can fence the old
     * one all the same.
     *
     * With a lease: lease_extend (connectors/lease.h) once the claim is granted. Control
     * thread.
     */
    enum status (*claim)(struct database *self, const char *run_id, uint64_t old_epoch,
                         const struct ledger_holder *replaces, struct ledger_holder *found,
                         struct error *error);
    /*
     * Only with a lease (else NULL): writes a new number of renewals if the claim is still ours,
     * then moves report.lease_end_ms on. ERROR_RUN_FENCED: it is another's. Called every third of
     * lease_ms between claim and release, on a thread of its own, beside any other function of this
     * database: so not through a connection that others use.
     */
    enum status (*renew)(struct database *self, const char *run_id, uint64_t epoch,
                         struct error *error);
    /* Replaces the status text, if the epoch is still ours. */
    enum status (*set_status)(struct database *self, const char *run_id, uint64_t epoch,
                              const char *status, struct error *error);
    /* The done mark of a chunk, for an unknown outcome. STATUS_END: it is not done. */
    enum status (*done)(struct database *self, const char *run_id, uint64_t chunk,
                        struct arena *arena, struct done_mark *mark, struct error *error);
    /* Empties the tables given (a physical stream that starts over) and makes chunks not done
     * again: in this order where it is not one transaction. Repeating it is safe. */
    enum status (*reopen)(struct database *self, const char *run_id, uint64_t epoch,
                          const uint64_t *chunks, uint64_t chunk_count,
                          const struct target_table *const *tables_to_empty, uint32_t table_count,
                          struct error *error);
    /* Gives the claim back (normal end: nothing of ours is under way); the run stays. */
    enum status (*release)(struct database *self, const char *run_id, uint64_t epoch,
                           struct error *error);
    /* The ids of all runs, in the order in which they were made; none: count 0. */
    enum status (*list)(struct database *self, struct arena *arena, const char ***ids,
                        uint32_t *count, struct error *error);
    /*
     * Removes the claimed run from the ledger, its undo records too, and the ledger itself with the
     * last run; gives the claim back. `rolled_back`: nothing of the run is left in the database, so
     * that the database itself goes where the run made it and nothing else is in it. A crash leaves
     * either a run that `load` finds, or none. Repeatable.
     */
    enum status (*forget)(struct database *self, const char *run_id, uint64_t epoch,
                          bool rolled_back, struct error *error);
    /*
     * Optional: takes away what a crash in `forget` may have left besides the data: called where
     * the run that is asked for is not in the ledger any more, with no claim, as the last thing
     * before the database is closed. What somebody works with is left alone. Repeatable.
     */
    enum status (*tidy)(struct database *self, struct error *error);
};

/* ---------------------------------------------------------------- taking a run back */

/* What becomes of the records that a run wrote to one table. */
struct undo_counts {
    uint64_t removed;  /* they are gone */
    uint64_t restored; /* they are again what the run overwrote */
    uint64_t changed;  /* somebody changed them since: they stay as they are */
    uint64_t missing;  /* somebody deleted them since: they stay away */
};

/*
 * How a claimed run is taken back; NULL: it can't be. All of it on the control thread, while no
 * writer is open. Each call is repeatable, also after a crash in it, and is no more than the
 * claimed run's own: what another run or somebody else made is left alone.
 */
struct rollback_functions {
    /*
     * Optional (NULL: always): could the run's writes to this table, which is there or would be
     * made, be undone key by key? STATUS_END: no, and `why` says so. Changes nothing.
     */
    enum status (*can_undo)(struct database *self, const struct target_table *table,
                            struct buffer *why, struct error *error);
    /*
     * Takes the run's records out of a table key by key, and puts back what they overwrote.
     * `dry_run`: only counts. `ended_us`: when the run ended, 0: it did not. Targets that know
     * their own records by other means than kept images do it for every table (`undoes_all`), also
     * for one that is not there any more, and finds `changed` before it touches anything. NULL:
     * with `keeps_undo` the engine does it, by fetch, delete_records and restore.
     */
    enum status (*undo)(struct database *self, const struct target_table *table, int64_t ended_us,
                        bool dry_run, struct undo_counts *counts, struct error *error);
    bool undoes_all;
    /* What delete_records takes out is kept, and comes back with undo. */
    bool keeps_deleted;
    /* Optional: has somebody made something of a table that the run made (`created`) that
     * remove_table would take along or break? Then ERROR_ROLLBACK_REFUSED. Changes nothing. */
    enum status (*can_remove)(struct database *self, const struct target_table *table,
                              struct error *error);
    /* Drops the table if it was made by the run (`created`), else takes all records out. One that
     * is gone already is fine. */
    enum status (*remove_table)(struct database *self, const struct target_table *table,
                                struct error *error);
    /* Optional: drops views, triggers and the like that the run made, before any table is touched;
     * `what` gets a line each. One that was changed since stays, with a line that says so.
     * `dry_run`: only says. */
    enum status (*remove_objects)(struct database *self, bool dry_run, struct buffer *what,
                                  struct error *error);
};

/* ---------------------------------------------------------------- feed */

struct feed; /* a change stream being read; one thread */

struct feed_functions {
    /* The position of now: changes after it are those that a later feed_open with it will bring. */
    enum status (*position)(struct database *self, struct arena *arena, const char **position,
                            struct error *error);
    enum status (*feed_open)(struct database *self, const char *position, struct feed **feed,
                             struct error *error);
    /*
     * The next changes of one table, in order: documents with envelopes (operation, source key); a
     * delete is a record whose MAP holds the key fields. `table` and `position` (after the batch)
     * live in the batch's arena. STATUS_AGAIN: none came within timeout_ms.
     */
    enum status (*next)(struct feed *feed, int64_t timeout_ms, struct batch **batch,
                        const char **table, const char **position, struct error *error);
    /* Everything up to the position is safe elsewhere: the source may forget it. */
    enum status (*confirm)(struct feed *feed, const char *position, struct error *error);
    void (*feed_close)(struct feed *feed);
};

/* Alter (schema changes in place) is declared with the first connector that has it. */
struct alter_functions;

/* ---------------------------------------------------------------- the connector */

struct connector {
    uint32_t contract_version;
    const char *name;            /* the URI scheme: "sqlite" */
    const char *title;           /* "SQLite" */
    const char *const *schemes;  /* further schemes, NULL-terminated; may be NULL */
    const char *const *suffixes; /* endings of bare paths (".db"); may be NULL */
    const char *uri_help;        /* "sqlite:FILE" */
    uint32_t capabilities;
    enum guarantee guarantee;
    const struct connector_option *options;
    uint32_t option_count;
    const struct type_mapping *types;
    uint32_t type_count;
    const char *const *failpoints; /* NULL-terminated; "sqlite.before_commit" … */

    /* Opens; as a target it may create the database itself (a file, a folder), nothing in it. */
    enum status (*open)(const struct open_options *options, struct database **database,
                        struct error *error);
    void (*close)(struct database *database);
    /* A text that is equal for the same database whatever the URI looks like ("file /a/b.db dev 1
     * inode 2"), without secrets. */
    enum status (*identity)(struct database *self, struct arena *arena, const char **identity,
                            struct error *error);

    const struct catalog_functions *catalog;
    const struct source_functions *source;
    const struct target_functions *target;
    const struct ledger_functions *ledger;
    const struct rollback_functions *rollback;
    const struct feed_functions *feed;
    const struct alter_functions *alter;
};

/* A module exports one of these under this name. */
#define CONNECTOR_MODULE_SYMBOL "transhume_connector"

#endif
