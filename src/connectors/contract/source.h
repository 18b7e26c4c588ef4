/* The contract: reading from a database, and what it knows of its tables. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_SOURCE_H
#define TRANSHUME_CONNECTORS_CONTRACT_SOURCE_H

#include "connectors/contract/database.h"
#include "model/batch.h"
#include "model/value.h"

/* ---------------------------------------------------------------- reading */

/* A piece of a stream; the spans of a stream tile it, first and last are open. */
struct span {
    const char *printable; /* "rowid 1..65536": for people */
    const uint8_t *bounds; /* opaque; only its connector reads it */
    uint32_t bounds_length;
    int64_t row_estimate; /* -1: not known */
    const char *last_id;  /* printable form of the last key that may be inside, NULL if not known */
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
 * The form in which a database writes a column's values where it sums hashes of its rows itself.
 * Two values of columns of one form, in whatever databases, are the same if their texts are; the
 * same value may have several texts. DIGEST_NONE: it can't be told so (floats, JSON, intervals,
 * arrays …).
 */
enum digest_form {
    DIGEST_NONE,
    DIGEST_NUMBER,  /* digits, with `scale` of them behind the point */
    DIGEST_TRUTH,   /* 1 or 0 */
    DIGEST_TEXT,    /* UTF-8 */
    DIGEST_PADDED,  /* the same, of a type that pads with blanks, and with them */
    DIGEST_BYTES,   /* their MD5, in small letters */
    DIGEST_DATE,    /* 2024-02-29 */
    DIGEST_TIME,    /* 12:34:56.5, without zeros at the end of a fraction, nor an empty one */
    DIGEST_MOMENT,  /* a date, a blank and a time: no zone is known */
    DIGEST_INSTANT, /* the same in UTC */
    DIGEST_UUID     /* small letters, with hyphens */
};
struct digest_type {
    enum digest_form form;
    int32_t scale; /* of NUMBER; -1: each value's own */
    bool integer;  /* a NUMBER of at most 64 bits, of which the database tells single ones */
};
struct digest_column {
    const char *name;
    bool key; /* its rows are told apart by it */
};
/*
 * The text of a row is those of its columns with a semicolon between two: N for NULL; of TEXT,
 * PADDED and UUID the number of bytes, a colon and the text, in whose place stands its MD5 above
 * DIGEST_TEXT_BYTES_MAX. The row's hash is the MD5 of that. Its bucket are the lowest bits of its
 * key, if that is one integer; else of the number that the last four digits of the MD5 of the key's
 * columns are, or without such of the row's hash.
 */
enum { DIGEST_TEXT_BYTES_MAX = 1024, DIGEST_BUCKETS_MAX = 1 << 16 };
struct digest {
    const struct digest_column *columns;
    uint32_t column_count;
    uint32_t bucket_count; /* a power of two */
    bool by_integer;       /* the key is one integer */
};
/* The sum over the rows of one bucket. */
struct digest_sum {
    uint64_t rows;
    uint64_t doubtful; /* of these: without a hash, since no text says what a reader makes of them:
                          NULL in the key (then bucket 0), a date that there is not */
    uint64_t high;     /* modulo 2^64, of the hashes' first 16 digits */
    uint64_t low;      /* and of the last 16 */
};

/*
 * A request to read: the root (a table, or a query in the source's own language), the joins, the
 * columns, all within a span of the root. Rows come
 *   ordered   in the order of the root's row key (or `root_key`), then by `orders`, then, for each
 *             join with `many` in turn, by that table's own row key: a total order that repeats
 *             exactly.
 *   else      in any order that is the same at every read of the same snapshot.
 * Two requests with the same root, span and `ordered` bring the root's rows in the same order: so
 * children are merged with their parents by equality of `root_key` cells alone.
 */
enum { READ_KEYS_MAX = 1000 };
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
    /* also what a partition holds once where it has no records, as one whose other key columns are
     * NULL; of databases whose keys have partitions (key_shape) */
    bool partitions;
    bool by_key; /* its spans are ranges of the key, also where others were quicker */
    /* With CAPABILITY_READS_BY_KEY and `root_key`: only the roots whose cells of it are among
     * these, root_key.count a root, key_count of them, READ_KEYS_MAX at most; absent ones are not
     * there. Equal is what the database takes for equal: under a collation "a" may bring "A". An
     * ESCAPE cell is ERROR_REJECT_TYPE; `digest` is not asked for besides. Else as without: the
     * same columns, joins and order. The span is NULL. NULL: all roots. */
    const struct cell *keys;
    uint32_t key_count;
    /* With source_functions.since_query: only the roots whose column `since` is at or above the
     * bound in the database's own order; with `since_nulls` also those where it is NULL. A NULL
     * bound: all roots. `digest` is not asked for besides. */
    const char *since;
    const struct cell *since_bound;
    bool since_nulls;
    const struct digest *digest; /* NULL: all rows; else those of these buckets, ascending: */
    const uint32_t *buckets;
    uint32_t bucket_count;
    /* With source_functions.hashes: behind the columns stands one more, INT64, the hash of these of
     * the root. */
    struct column_list hashed;
    struct database_counts *counts; /* where report_retried tells of it, too; may be NULL */
};

/* How a stream can be cut and what a restart may rely on. */
struct stream_facts {
    bool keyed;        /* spans are ranges of a stable key; else physical, or one span */
    bool key_unique;   /* each record has its own key */
    int64_t row_count; /* may be a guess of the database's; -1: not known */
    int64_t bytes_max; /* its records take no more than that; 0: not known */
    /* the columns whose cells name a record in rejects; may be a row key like "rowid" that is no
     * column */
    struct column_list key;
    bool splits_changed; /* of a request with since_bound, split counts the rows that meet it */
};

struct reader; /* a connection of its own within the snapshot; one thread */
struct cursor; /* one read_request being read; lives on its reader's thread */

/* A property that all values of a column may have in common, by which a plan chooses what becomes
 * of the column. NULL passes every test. */
enum value_test {
    VALUES_TRUTH,      /* 0 and 1 */
    VALUES_INT64,      /* whole numbers of 64 bits with a sign */
    VALUES_WITHIN_DAY, /* times from 00:00 to 24:00 */
    VALUES_DAYS,       /* days of the calendar: none is 0000-00-00, or has a zero month or day */
    VALUES_DATES,      /* texts that are such */
    VALUES_MOMENTS,    /* texts that are a day and a time, and name no zone */
    VALUES_INSTANTS,   /* texts that are a day and a time, and name one */
    VALUES_FLOAT,      /* numbers that a float of 64 bits, or a whole number of 64 bits, keeps */
    VALUES_DECLARED,   /* numbers that fit the declared precision and scale */
    /* Tests of a column that is `untyped`: */
    VALUES_TEXTS,  /* texts */
    VALUES_WHOLE,  /* whole numbers of 64 bits with a sign */
    VALUES_NUMBER, /* these, and floats of 64 bits, which hold each of them exactly */
    VALUES_BYTES   /* bytes */
};

struct source_functions {
    /* Optional: do all values of a table's column, as it is now, pass the test? It may read the
     * table through. Before the snapshot; control thread. NULL: the source does not tell. */
    enum status (*holds)(struct database *self, const char *table, const char *column,
                         enum value_test test, bool *holds, struct error *error);
    /*
     * Optional: told of every request before the snapshot is taken, so that what they read can be
     * held from before it until `leave`: against whatever would empty, rewrite or
     * drop it regardless of snapshots. What is not there is left to the reading to tell. At most
     * once. NULL: no snapshot needs that.
     */
    enum status (*hold)(struct database *self, const struct read_request *const *requests,
                        uint32_t request_count, struct error *error);
    /*
     * Takes the snapshot that all readers will see; `reader_count` says how many will be opened.
     * `token` (arena) is an opaque text: with CAPABILITY_PROVES_UNCHANGED two equal tokens, even of
     * different processes, mean that no record differs; an empty one says that nothing can be told.
     * Called once, before any reader.
     */
    enum status (*snapshot)(struct database *self, uint32_t reader_count, struct arena *arena,
                            const char **token, struct error *error);
    /*
     * Optional: nothing of the snapshot is read any more, and all readers are closed: lets go of
     * it, and of what `hold` holds. Builds in the same server may wait for its transaction, and
     * cleaning up does. One that is lost by then is left, too. NULL: nobody waits for a snapshot.
     */
    enum status (*leave)(struct database *self, struct error *error);
    /* Facts about the request's root. Any time after open. */
    enum status (*describe_stream)(struct database *self, const struct read_request *request,
                                   struct arena *arena, struct stream_facts *facts,
                                   struct error *error);
    /*
     * Optional: exactly how many rows the request's root has within the snapshot (of the control
     * connection, where a source without locks has no moment that all connections share), as the
     * database itself counts them, which may take it long: the first request to stop ends it. -1:
     * it is no table of its own. Control thread. NULL: who wants to know reads them.
     */
    enum status (*count)(struct database *self, const struct read_request *request, int64_t *rows,
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
     * Optional: the text of a query with three columns: `highest`, the highest value that the
     * request's `since` has in its root, NULL without any; `changed`, how many roots meet
     * since_bound (without one: 0); `nulls`, in how many it is NULL. Control thread. NULL: the
     * source reads no request with since_bound.
     */
    enum status (*since_query)(struct database *self, const struct read_request *request,
                               struct buffer *query, struct error *error);
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
    /*
     * Optional: are the spans of `request`, whole or asked for `by_key`, ranges of its only key
     * column, of whole numbers, and read at no more cost than others? Then `*column` is its name,
     * and returned is what the bounds' bytes are called: databases that give the same name read
     * each other's spans, records with one key are in one and the same span on both sides, and a
     * comparison need not look elsewhere. NULL: no, or it can't be known. Control thread.
     */
    const char *(*number_spans)(struct database *self, const struct read_request *request,
                                const char **column);
    /*
     * Optional, both or none: what a column of the request's root (a table) is to a digest; control
     * thread, after prepare.
     */
    struct digest_type (*digest_type)(struct database *self, const struct read_request *request,
                                      const char *column);
    /*
     * Adds to `sums` (one a bucket) what the database itself makes of a span's rows; *bytes are
     * about those that came over the wire. Nothing of the request counts but its root and `digest`.
     * In one statement, so that `span` bounds how long it takes. The reader's thread.
     */
    enum status (*digest)(struct reader *reader, const struct read_request *request,
                          const struct span *span, struct digest_sum *sums, uint64_t *bytes,
                          struct error *error);
    /*
     * Optional: can the database itself hash rows of the request's table by these columns? Then
     * what the hash depends on is appended to `out`: where two databases give the same text, equal
     * values of the columns, in this order, have equal hashes, and others different ones but for
     * one in 2^64. STATUS_END: it can't. Control thread, after prepare.
     */
    enum status (*hashes)(struct database *self, const struct read_request *request,
                          const struct column_list *columns, struct buffer *out,
                          struct error *error);
    /* Optional, before the snapshot is taken: what the account may not read of the requests, one
     * line each in `out`, which begins with a table's or request's name and ": " and has the
     * statement that would let it. Nothing is read. */
    enum status (*tell_lacking)(struct database *self, const struct read_request *const *requests,
                                uint32_t request_count, struct buffer *out, struct error *error);
    /*
     * Optional: appends a query of the groups that a table's rows make by these columns (none: all
     * are one): their values, then how many rows each has, of the `count_max` largest. Returns what
     * the number's column is called.
     */
    const char *(*append_groups)(struct database *self, const char *table,
                                 const struct column_list *columns, uint32_t count_max,
                                 struct buffer *query);
    /* Optional: warnings worth saying before a run ("writers will wait"), one line each in
     * `out`. */
    enum status (*caveats)(struct database *self, struct buffer *out, struct error *error);
    /* Optional: what a copy of these requests leaves out of the records themselves, as far as it is
     * there (when they expire, of a target that keeps no times: `keeps_times` false), one line each
     * in `out`. Check notes it, and the run warns of it. Control thread, before the snapshot. */
    enum status (*tell_losses)(struct database *self, const struct read_request *const *requests,
                               uint32_t request_count, bool keeps_times, struct buffer *out,
                               struct error *error);
};

/* ---------------------------------------------------------------- catalogue */

/* The parts of a column that are in its engine's own words. */
struct column_words {
    bool type;
    bool default_text;
    bool collation;
};

struct catalog_functions {
    /* Columns of a source come by themselves with the first record that has them, so that a run
     * which is gone on with may find some that it has not. */
    bool columns_come;
    /* All tables, and of a source all objects. A SQL target tells of the tables that are there. */
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
    /*
     * Optional: the same where the plan brings types of its own (`udts:`), which the type may name.
     * NULL: the database has none such. Any thread.
     */
    bool (*native_type_among)(const char *declared, const struct schema_record_type *types,
                              uint32_t type_count, struct value_type *type);
    /*
     * Optional, with native_type: what `describe` will tell of a column, of no key and no index,
     * that a run makes for values of `type`. `made->native` is in `arena`. Any thread.
     */
    void (*made_type)(const struct database *self, const struct value_type *type,
                      struct arena *arena, struct value_type *made);
    /* With native_type: the names that it knows, NULL-terminated, for the nearest one. */
    const char *const *native_names;
    /*
     * Optional: what a same-engine copy of whole tables carries besides what `describe` tells: one
     * text a table (arena), in the connector's own words, for target_table.settings. No record and
     * no mapping depends on it.
     */
    enum status (*settings)(struct database *self, const char *const *tables, uint32_t count,
                            struct arena *arena, const char **settings, struct error *error);
    /*
     * Optional: what of the source calls functions, and would be made by a same-engine copy.
     * NULL: there is no such thing beside its objects.
     */
    enum status (*tell_code)(struct database *self, struct arena *arena, struct schema_code **code,
                             uint32_t *count, struct error *error);
    /*
     * Optional: asks the native_query of each object that `describe` told with one; native_sql
     * (arena) stays NULL where there is no answer. What a sequence gave is no part of a snapshot:
     * asked after that was taken, it is past all numbers that its records hold. NULL: no object
     * has such a query.
     */
    enum status (*ask_values)(struct database *self, struct schema_object *objects, uint32_t count,
                              struct arena *arena, struct error *error);
    /*
     * Optional: what a target understands of a column of its own engine, which may name what was
     * made in the source. NULL: all of it, always.
     */
    enum status (*understands)(struct database *self, const struct schema_column *column,
                               struct column_words *understood, struct error *error);
    /*
     * With CAPABILITY_SCHEMAS: from now on names are of this scope, the run's, in place of the one
     * of the opening. Of a target, or of one that is read to compare: a schema that is not there is
     * no failure, and prepare makes it. ERROR_USAGE: names of its own schema and of another one
     * would be the same tables. Control thread, before anything is described.
     */
    enum status (*use_scope)(struct database *self, const struct schema_scope *scope,
                             struct error *error);
    /* With CAPABILITY_SCHEMAS: as connector.identity, of one of the scope's `others`. */
    enum status (*identity_in)(struct database *self, const char *schema, struct arena *arena,
                               const char **identity, struct error *error);
};

#endif
