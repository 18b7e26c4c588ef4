/* The contract: what a database can do, and opening one. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_DATABASE_H
#define TRANSHUME_CONNECTORS_CONTRACT_DATABASE_H

#include "base/arena.h"
#include "base/error.h"
#include "model/schema.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    CAPABILITY_UNITS = 1 << 14,        /* counts capacity units, and keeps the caps on them */
    /* target: its ledger is gone with the process (a pipe), so that nothing can be resumed, and
     * what a second run writes comes after what the first one wrote */
    CAPABILITY_NO_RESUME = 1 << 15,
    /* target: its tables may have foreign keys, which refuse a record before its partner */
    CAPABILITY_REFERENCES = 1 << 16,
    CAPABILITY_STREAMS = 1 << 17, /* "-" as path: standard input, and as target standard output */
    CAPABILITY_READS_BY_KEY = 1 << 18, /* source: read_request.keys works */
    /* target: a column keeps values of several kinds apart, as they come: 1, 1.0 and the text 1 */
    CAPABILITY_MIXED_KINDS = 1 << 19,
    /* target: keys have clustering columns with an order of their own, and static columns */
    CAPABILITY_CLUSTERS = 1 << 20,
    /* source: may read several schemas (databases of a server) at once, open_options.schemas;
     * target: makes those of a source of another kind */
    CAPABILITY_SCHEMAS = 1 << 21
};

/* 0 means no limit, unless said. */
struct connector_limits {
    uint32_t readers_max; /* readers useful at once, for this database as opened */
    uint32_t writers_max;
    uint32_t chunks_open_max; /* of one writer, between chunk_begin and commit (>= 1) */
    /* target: records and bytes of a chunk, of those that commit no more in one transaction */
    uint64_t chunk_rows_max;
    uint64_t chunk_bytes_max;
    uint32_t batch_rows_max; /* records a submit may bring */
    uint64_t batch_bytes_max;
    uint64_t record_bytes_max;
    uint32_t name_bytes_max;    /* a name of so many bytes goes always */
    uint32_t comment_bytes_max; /* of a table's or column's comment; 0: it keeps none */
    uint32_t nesting_max;
    uint32_t number_digits_max;
    /* target: digits of a second, to which a plan's `lossy: allow` rounds; 0: it keeps them all */
    struct second_digits {
        uint8_t usual; /* of values whose type does not say how many they have */
        uint8_t most;
    } timestamp_digits, time_digits;
    uint64_t slice_bytes;         /* source: values above this come as LARGE handles; 0: never */
    uint32_t request_columns_max; /* source: columns of one read_request */
    uint32_t delete_keys_max;     /* target: of one delete_records; 0: some hundreds */
    uint32_t request_joins_max;   /* source with CAPABILITY_JOINS: joins of one read_request */
    /* target: what a partition of a table should not exceed, for warnings; 0: they may be any size
     */
    uint64_t partition_bytes;
    uint64_t partition_rows;
    bool unique_keys_only; /* target: a unique index of the source is one like others there */
    bool keeps_times;      /* target: how long a record lives is kept (record_envelope) */
    bool pulls_in_pieces;  /* target: several of its writers pull one table faster than one does */
};

/* As whom that runs which a MySQL or MariaDB server runs as its definer. */
enum definer_choice { DEFINER_KEEP, DEFINER_SELF };

enum guarantee { GUARANTEE_EXACTLY_ONCE, GUARANTEE_IDEMPOTENT, GUARANTEE_AT_LEAST_ONCE };

/* The policy for records that are in a target table already (`existing:`). */
enum existing_policy {
    EXISTING_REFUSE,
    EXISTING_APPEND,
    EXISTING_UPSERT,
    EXISTING_REPLACE,
    EXISTING_SKIP,
    /* a word of plans alone: such a table is EXISTING_REFUSE with target_table.empties */
    EXISTING_TRUNCATE
};

/* One URI or plan option of a connector ("?endpoint=…"): parsed, listed by `transhume
 * connectors`. */
enum option_type {
    OPTION_TEXT,
    OPTION_INTEGER,
    OPTION_BYTES,
    OPTION_BOOLEAN,
    OPTION_CHOICE,
    OPTION_CODE, /* a library or a program: refused in a URI that a file says */
    OPTION_KEY   /* a file, or ENGINE:NAME, which loads a library: that is refused likewise */
};
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
    bool hides_password; /* it says ***: what it was is known elsewhere */
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
    /* target with store_functions.in_schema: the schema of the ledger and of all that is kept
     * beside it, made with it where it is not there; NULL: that of the tables */
    const char *ledger_schema;
    /* source with CAPABILITY_SCHEMAS: the schemas to read; empty: those of the URI, or what its
     * connector takes by default. Borrowed until `open` returns */
    struct column_list schemas;
    /* source: it is a run's target, read to compare: its schemas are chosen as a target's are */
    bool mirrors;
    /* target: it is only looked at. It has to be there, nothing is made, and it may be one that
     * can't be written */
    bool read_only;
    /* source: no function of its users is to run where its schema is copied: `describe` leaves out
     * what calls one, and the functions, and tells it in schema.code */
    bool no_code;
    /* source: the run writes to this database as well, where it is followed; so what a writer that
     * died left half done may be rolled back in order to read it. A target always may be */
    bool recovers;
};

/* How a connection to a server is kept from others, the weakest first. */
enum link_security {
    LINK_PLAINTEXT,          /* anybody on the way may read and change it */
    LINK_UNVERIFIED,         /* encrypted, for whoever answered */
    LINK_AUTHORITY_VERIFIED, /* for somebody with an authority's certificate, whatever its name */
    LINK_PEER_VERIFIED,      /* for the one that was meant */
    LINK_PLAINTEXT_LOOPBACK, /* not encrypted, and does not leave this machine */
    LINK_LOCAL_SOCKET,       /* a Unix socket */
    LINK_SECURITY_COUNT
};

/* The first connection that was kept from others in one of these ways. */
struct database_link {
    _Atomic int state; /* connectors/contract/report.h */
    char protocol[16]; /* "TLSv1.3"; "": nothing encrypts */
    char cipher[64];
};

/* How often something was done again after a passing failure (requests, pages, calls), and how
 * often with less than was asked for, as at a lower consistency. Any thread. */
struct database_counts {
    _Atomic uint64_t retries;
    _Atomic uint64_t fallbacks;
};

/*
 * The reports of a database while it works: added to by its own threads, read by the engine's at
 * any time. connectors/contract/report.h has the functions that fill it.
 */
struct database_report {
    /* monotonic: when the server first and last said to slow down, in this spell; 0: never */
    _Atomic int64_t throttled_since_ms;
    _Atomic int64_t throttled_last_ms;
    _Atomic uint64_t throttle_count;
    struct database_counts counts;    /* of all that it did since the opening */
    _Atomic int64_t waiting_until_ms; /* monotonic: when it tries something again by itself */
    _Atomic uint64_t milliunits; /* capacity used since the opening, in thousandths of a unit */
    /* records (or a guess of them) that the express_chunk calls under way have pulled so far: what
     * such a call adds it takes back at its end */
    _Atomic uint64_t pulled_rows;
    /* lease_clock_ms: until when this process may write without asking; LEASE_ENDED: it may not,
     * and won't; connectors/common/lease.h */
    _Atomic int64_t lease_end_ms;
    struct database_link links[LINK_SECURITY_COUNT]; /* by enum link_security */
    /* Source: the server does not know the snapshot's moment any more, and what was read since is
     * of a later one */
    _Atomic bool moved;
};

/*
 * Which schemas names of tables are of. A table of the database's own schema (the URI's, or the
 * default) goes by its plain name, one of the `others` by SCHEMA.TABLE: in the catalogue, in plans,
 * requests and reports. A schema whose name holds a dot or a double quote stands in double quotes
 * there, those in it doubled; the table's name stands as it is. So what begins with none of the
 * `others` is a plain name, whatever dots it has.
 */
struct schema_scope {
    const char *own;           /* NULL: it has no schemas */
    struct column_list others; /* by name, bytewise */
    bool leaves_own;           /* its own schema has no tables that are meant */
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
    /* Source: set by the engine before the snapshot, if the target is to pull from it
     * (express_chunk): connections within the snapshot may be kept for that. */
    bool pulled;
    /* Source: likewise, what feed.create told to read at (feed_start.snapshot); NULL: now. */
    const char *moment;
    /* Source: set by the snapshot, in the arena that it is given, where `moment` could not say when
     * it would be: changes behind this position are all that it does not have. NULL: as
     * feed.create told it. */
    const struct position *moment_position;
    /* Source: set by the engine before feed.open: the tables whose changes are followed. count 0:
     * any may be. And which ones they are (schema_table.mark), where that is known. */
    struct column_list followed;
    const char *const *followed_marks; /* may be NULL, as each of them */
    /* Source: set by the engine before the snapshot, how many cursors a reader has open at most at
     * once: a table's and one for each that is embedded or aggregated; 0 is as good as 1. */
    uint32_t cursors_each;
    /* Source: set by the engine before it describes: what was described of it when the run began
     * that is gone on with. What a connector finds out from records (the types of columns in files
     * of text, of a collection's key) it takes from here where the table or column is here, and
     * looks through no records for it. It outlives the database. NULL: nothing is known. */
    const struct schema *known;
    /* Target, and where one is read: set by the engine after the opening. Times that name no zone
     * are of this one where they go into a column with zones; NULL: such a record is rejected. */
    const struct time_zone *time_zone;
    /* Target: likewise, how much of it may work at once for the run, as its writers do: what the
     * server does with several processes of its own should not take more; 0: it may choose. */
    uint32_t jobs;
    /* Target: set by the engine before anything is written: what the run writes and deletes stands
     * as it is, and no trigger of the database fires. */
    bool triggers_off;
    /* Target: likewise: what a same-engine plain copy makes gets the owners and grants that it has
     * in the source, for roles and accounts that are there. */
    bool carries_rights;
    enum definer_choice definer; /* Target: likewise: of what such a copy makes */
    /* Target: likewise: the run puts right what a comparison found, or empties tables, so that what
     * it writes has to be what is read afterwards, whatever newer thing stands in its way. */
    bool repairs;
    struct schema_scope scope; /* set at the opening, and by catalog_functions.use_scope */
    /* Source: the connector in whose words its types are, where they are not its own, as a dump's
     * are those of the database that it is of; NULL: its own */
    const char *words_of;
    /* The server's name and version, "PostgreSQL 15.8", set at the opening; "": it does not say, or
     * there is no server */
    char server[64];
    struct database_report report;
};

#endif
