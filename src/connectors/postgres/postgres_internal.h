/* Declarations that the files of the PostgreSQL connector share: the instance, its connections,
 * types and SQL helpers. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_INTERNAL_H
#define TRANSHUME_CONNECTORS_POSTGRES_INTERNAL_H

#include "base/buffer.h"
#include "connectors/contract/connector.h"
#include "connectors/sql/database.h"
#include "connectors/sql/place.h"
#include "connectors/sql/vigil.h"
#include <libpq-fe.h>
#include <pthread.h>

struct postgres_catalog;
struct postgres_held;

enum { POSTGRES_NAME_BYTES_MAX = 63, POSTGRES_COLUMNS_MAX = 1600 };
/* More chunks than are ever written at once. */
enum { POSTGRES_STRICT_CHUNKS = 256 };
/* Statements that build at once, each on a connection of its own. */
enum { POSTGRES_BUILDERS_MAX = 8 };
/* Values above that are read in pieces. */
enum { POSTGRES_SLICE_BYTES = 4 << 20 };

/* Settings of a connection for libpq, NULL-terminated lists. */
enum { POSTGRES_SETTINGS_MAX = 24 };

struct postgres_database {
    struct sql_database sql;
    struct arena *arena; /* lives as long as the instance; control thread only */
    enum open_mode mode;
    bool tables_only;   /* describe tells of nothing else */
    bool no_code;       /* open_options.no_code */
    bool names_schemas; /* the URI or the caller does */
    const char *spaces; /* the scope as the queries take it: {{"public",""},{"sales","sales."}} */
    const struct schema_unseen *closed; /* source: schemas that the role may not use */
    uint32_t closed_count;
    const char *keywords[POSTGRES_SETTINGS_MAX];
    const char *values[POSTGRES_SETTINGS_MAX];
    uint32_t setting_count;
    int64_t timeout_ms;
    int server_version;  /* 150020 */
    int64_t deadlock_ms; /* the sessions' deadlock_timeout */
    bool utf8;           /* the database's encoding: what it sends is valid, else it is checked */
    bool standby;
    bool replica;  /* a target where no trigger and no foreign key would answer by default */
    bool may_temp; /* target: the role may make temporary tables; false: not asked yet */
    bool pooled;   /* a pooler stands before the server */
    /* target: the schema of those asked about last in which the role may make tables; NULL: none */
    const char *may_create_in;
    bool ledgers_told;          /* of a target: that there are some in other schemas */
    bool ledger_schema_checked; /* of a target: what the role lacks there is told */
    PGconn *control; /* the control thread's connection; source: within the snapshot once taken */
    const char *snapshot; /* exported: what readers import */
    /* source: made a feed's slot, and exports the moment of its position as long as it is idle;
     * left with the snapshot's taking or the feed's opening; NULL: none */
    PGconn *feed_maker;
    _Atomic uint64_t feed_head; /* the LSN that feed_functions.head told last */
    const char *spill_folder;   /* where a feed keeps transactions in progress; NULL: nowhere */
    bool feed_local;            /* a feed leaves out what came to this server by replication */
    bool feed_failover;         /* its slot is kept on standbys, where the server can */
    bool feed_streams;          /* it takes transactions in while they are in progress */
    struct postgres_held *held; /* source: what the control connection locks before that */
    PGconn *slicer; /* source: reads large values within the snapshot; NULL: not needed yet */
    pthread_mutex_t slicer_lock;
    struct postgres_catalog *catalog; /* source; read at first use */
    /* target: all tables as they were when the plan was checked, then as they were prepared; NULL:
     * not read. Only the control thread changes it, while no writer is open */
    struct postgres_catalog *tables;
    struct arena *tables_arena;
    _Atomic(struct store *) control_store; /* the handle that uses `control`; NULL: none */
    PGconn *lock;     /* target: holds the lock of `locked_run` as long as it lives */
    char *locked_run; /* NULL: none */
    /* target, while postgres_builders_keep has them kept: what builds next; control thread */
    struct postgres_kept_builder {
        PGconn *connection;
        int64_t idle_since_ms; /* monotonic */
    } builders[POSTGRES_BUILDERS_MAX];
    uint32_t builder_count;
    bool keeps_builders;
    /* target: records were refused, so that writers hold all of a COPY until it has ended */
    _Atomic bool careful;
    /* target: chunks that failed as wholes for the sake of a deferred constraint, each in the place
     * of its number: they are checked segment by segment */
    _Atomic uint64_t strict[POSTGRES_STRICT_CHUNKS];
    /* target: are there any records that set_aside.c moved? */
    bool lost_known;
    bool lost_any;
};

static inline struct postgres_database *postgres_database_of(struct database *self)
{
    return (struct postgres_database *)self;
}

/* The module's symbol (CONNECTOR_MODULE_SYMBOL). */
__attribute__((visibility("default"))) extern const struct connector transhume_connector;
extern const struct catalog_functions postgres_catalog_functions;
extern const struct source_functions postgres_source_functions;
extern const struct target_functions postgres_target_functions;
extern const struct sql_target_functions postgres_sql_target_functions;
extern const struct column_functions postgres_column_functions;
extern const struct forecast_functions postgres_forecast_functions;
extern const struct express_functions postgres_express_functions;
extern const struct store_functions postgres_store_functions;
extern const struct lock_functions postgres_lock_functions;
extern const struct rollback_functions postgres_rollback_functions;
extern const struct feed_functions postgres_feed_functions;
extern const struct apply_functions postgres_apply_functions;
extern const struct sql_dialect postgres_dialect;
extern const struct sql_quoting postgres_quoting;
extern const struct load_functions postgres_load_functions;
extern const struct alter_functions postgres_alter_functions;
extern const struct change_functions postgres_change_functions;
extern const struct rights_functions postgres_rights_functions;
#define POSTGRES_STAYS_OPEN \
    "a long read transaction is open; VACUUM cannot remove newer dead rows until it ends"

/* source_functions.caveats */
enum status postgres_caveats(struct database *database, struct buffer *out, struct error *error);

/* ---------------------------------------------------------------- connection.c */

/* A new connection with the settings that all have: UTF-8, UTC, ISO dates, exact floats. Any
 * thread. */
enum status postgres_connect(struct postgres_database *self, PGconn **connection,
                             struct error *error) MUST_USE;
/* The same without any settings. */
enum status postgres_reach(struct postgres_database *self, PGconn **connection,
                           struct error *error) MUST_USE;
/* Likewise, to another database of the server. */
enum status postgres_reach_database(struct postgres_database *self, const char *name,
                                    PGconn **connection, struct error *error) MUST_USE;
/* One that speaks the replication protocol, and beside it takes statements without parameters. */
enum status postgres_connect_walsender(struct postgres_database *self, PGconn **connection,
                                       struct error *error) MUST_USE;
/* link.c: into the instance's report, how this connection is kept from others. Any thread. */
void postgres_tell_link(struct postgres_database *self, PGconn *connection);
/* The instance's schema first on the session's search_path, and the scope's others not on it:
 * definitions that the source tells without a schema are made in the target's, others in the one
 * that they name. postgres_connect does it once the schema is known. */
enum status postgres_prefer_schema(struct postgres_database *self, PGconn *connection,
                                   struct error *error) MUST_USE;
void postgres_disconnect(PGconn *connection); /* NULL is fine */
/* So that nobody uses it again, and the server rolls back. */
void postgres_break_off(PGconn *connection);

/* control.c: the control connection of a target, made anew if it broke. */
enum status postgres_control(struct postgres_database *self, PGconn **connection,
                             struct error *error) MUST_USE;
/* A new connection that works on the claimed run, known as such to who takes the run
 * over; fails where that was done. Without a run: any connection. */
enum status postgres_join(struct postgres_database *self, PGconn **connection,
                          struct error *error) MUST_USE;

/* A value for $1, $2 …; NULL text is NULL. */
struct postgres_parameter {
    const char *text; /* or bytes, if binary */
    size_t length;    /* only of bytes */
    bool binary;
};

/* Waits for the next result; NULL: there is no further one. */
enum status postgres_next_result(struct postgres_database *self, PGconn *connection,
                                 enum sql_patience patience, PGresult **result,
                                 struct error *error) MUST_USE;
/* Runs one statement; `*result` (may be NULL: thrown away) is the caller's to clear. A failure is
 * `otherwise`, or what its SQLSTATE says is more exact. */
enum status postgres_query(struct postgres_database *self, PGconn *connection, const char *sql,
                           const struct postgres_parameter *parameters, int parameter_count,
                           enum sql_patience patience, enum error_code otherwise, PGresult **result,
                           struct error *error) MUST_USE;
/* The same of a buffer; frees it. */
enum status postgres_query_buffer(struct postgres_database *self, PGconn *connection,
                                  struct buffer *sql, const struct postgres_parameter *parameters,
                                  int parameter_count, enum sql_patience patience,
                                  enum error_code otherwise, PGresult **result,
                                  struct error *error) MUST_USE;
/* How many rows the statement says it wrote or took out; FAILED: it is none that says so. */
enum status postgres_rows_changed(PGresult *result, uint64_t *count) MUST_USE;
/* Sends such a buffer, whose results the caller waits for; frees it. */
enum status postgres_send_buffer(struct postgres_database *self, PGconn *connection,
                                 struct buffer *sql, struct error *error) MUST_USE;
/* Runs several statements without parameters or results that matter. */
enum status postgres_execute(struct postgres_database *self, PGconn *connection, const char *sql,
                             enum sql_patience patience, enum error_code otherwise,
                             struct error *error) MUST_USE;
/* The same of a buffer; frees it. */
enum status postgres_execute_buffer(struct postgres_database *self, PGconn *connection,
                                    struct buffer *sql, enum sql_patience patience,
                                    enum error_code otherwise, struct error *error) MUST_USE;
/* Waits a while for more of a COPY, and takes it in; the caller asks libpq whether it is whole. A
 * zeroed vigil begins at the first wait. */
enum status postgres_await_data(struct postgres_database *self, PGconn *connection,
                                struct sql_vigil *vigil, struct error *error) MUST_USE;
/* Looks after a statement that may take hours, to be called now and then while it gives no answer.
 * STATUS_FAILED: the server is silent, or the connection dead, and broken off. */
enum status postgres_keep_vigil(struct postgres_database *self, PGconn *connection,
                                struct sql_vigil *vigil, struct error *error) MUST_USE;
/* Sends what libpq holds, as far as needed to have less than `bytes_left` of it waiting. */
enum status postgres_flush(struct postgres_database *self, PGconn *connection,
                           struct error *error) MUST_USE;
/* Waits until the socket can be read (or written, if `writing`); false: the time is over. */
bool postgres_wait(const struct postgres_database *self, PGconn *connection, bool writing,
                   int64_t timeout_ms);

/* The same, and looks after what others hold meanwhile; `watch` may be NULL. */
struct postgres_lock_watch;
enum status postgres_next_watched(struct postgres_database *self, PGconn *connection,
                                  enum sql_patience patience, struct postgres_lock_watch *watch,
                                  PGresult **result, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- catalog_query.c */

enum { POSTGRES_CATALOG_PARAMETERS_MAX = 16 };
/*
 * A schema before the session's search_path. Where somebody put pg_catalog behind others (ALTER
 * DATABASE … SET search_path), any operator and function of theirs would be taken before the
 * server's own: it is left out, by which it comes first.
 */
#define POSTGRES_PATH_HAS_CATALOG \
    "'pg_catalog' OPERATOR(pg_catalog.=) ANY (pg_catalog.current_schemas(false))"
#define POSTGRES_PATH_LIST(schema)                                                          \
    "pg_catalog.concat_ws(', ', pg_catalog.quote_ident(" schema                             \
    "), CASE WHEN " POSTGRES_PATH_HAS_CATALOG " THEN (SELECT pg_catalog.string_agg("        \
    "pg_catalog.quote_ident(p.name), ', ' ORDER BY p.place) FROM pg_catalog.unnest("        \
    "pg_catalog.current_schemas(false)) WITH ORDINALITY p(name, place) WHERE p.name "       \
    "OPERATOR(pg_catalog.<>) 'pg_catalog') WHEN pg_catalog.current_setting('search_path') " \
    "OPERATOR(pg_catalog.<>) '' THEN pg_catalog.current_setting('search_path') END)"
#define POSTGRES_PATH_OF(schema) \
    "SELECT pg_catalog.set_config('search_path', " POSTGRES_PATH_LIST(schema) ", false)"

/* A condition that puts the search_path back before anything else of the statement happens. */
#define POSTGRES_PATH_OPENS                                                    \
    "(SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting(" \
    "'transhume.path'), true)) IS NOT NULL"
/*
 * postgres_query of what no name of another role's may change: every query of the catalogue. A
 * SELECT, with or without WITH, that changes nothing; parameters are texts. What it tells is as the
 * session's search_path lets it be.
 */
enum status postgres_catalog_query(struct postgres_database *self, PGconn *connection,
                                   const char *sql, const struct postgres_parameter *parameters,
                                   int parameter_count, enum sql_patience patience,
                                   enum error_code otherwise, PGresult **result,
                                   struct error *error) MUST_USE;
/* The same of a buffer; frees it. */
enum status postgres_catalog_query_buffer(struct postgres_database *self, PGconn *connection,
                                          struct buffer *sql,
                                          const struct postgres_parameter *parameters,
                                          int parameter_count, enum sql_patience patience,
                                          enum error_code otherwise, PGresult **result,
                                          struct error *error) MUST_USE;
/*
 * The same of one without parameters that is asked again and again: the server parses and plans it
 * but once in a session. `number` (below 32) is the statement's, whose text stays the same. Frees
 * the buffer.
 */
enum status postgres_catalog_query_kept(struct postgres_database *self, PGconn *connection,
                                        uint32_t number, struct buffer *sql,
                                        enum sql_patience patience, enum error_code otherwise,
                                        PGresult **result, struct error *error) MUST_USE;
/* The same of any other statement, of one that changes our own tables: the search_path is empty
 * while it runs, but for where it says POSTGRES_PATH_OPENS. Frees the buffer. */
enum status postgres_catalog_change(struct postgres_database *self, PGconn *connection,
                                    struct buffer *sql, const struct postgres_parameter *parameters,
                                    int parameter_count, enum sql_patience patience,
                                    enum error_code otherwise, PGresult **result,
                                    struct error *error) MUST_USE;
/* Around statements that are sent together as one text, within one transaction. */
void postgres_append_path_closed(struct buffer *sql);
void postgres_append_path_opened(struct buffer *sql);

/* ---------------------------------------------------------------- ours.c */

/* Is there a table of that name of ours, which is as SQL has it? Fails if it is not ours, or
 * carries a trigger, a rule or the like. */
enum status postgres_is_there(struct postgres_database *self, PGconn *connection,
                              const char *relation, enum error_code otherwise, bool *there,
                              struct error *error) MUST_USE;
/* The same of a name of the scope, for ERROR_TARGET_INVALID. */
enum status postgres_has_own(struct postgres_database *self, PGconn *connection, const char *table,
                             bool *there, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- session_identity.c */

/* SQL of what no other session has, on this server or another: when it began and when the server
 * did, to the microsecond. `a`: its row of pg_stat_activity, or of pg_stat_get_activity, which is
 * behind that view and a millisecond faster. */
#define POSTGRES_SESSION_NAME                                            \
    "pg_catalog.encode(pg_catalog.timestamptz_send(a.backend_start) || " \
    "pg_catalog.timestamptz_send(pg_catalog.pg_postmaster_start_time()), 'hex')"
enum { POSTGRES_SESSION_BYTES = 33 };
/* By postgres_connect and postgres_disconnect. A server that does not tell is no failure. */
enum status postgres_identity_add(struct postgres_database *self, PGconn *connection,
                                  struct error *error) MUST_USE;
void postgres_identity_remove(const PGconn *connection);
/* False: it is not known. */
bool postgres_identity_name(const PGconn *connection, char name[POSTGRES_SESSION_BYTES]);
/* Has a session the prepared statement of that number (below 32)? Never: it is none of those that
 * are told apart. */
enum postgres_kept { POSTGRES_KEPT_NEVER, POSTGRES_KEPT_NOT_YET, POSTGRES_KEPT };
enum postgres_kept postgres_identity_kept(const PGconn *connection, uint32_t number);
void postgres_identity_keep(const PGconn *connection, uint32_t number);

/* ---------------------------------------------------------------- connection_check.c */

/* How it stands with a statement that takes long, asked by way of another connection. Takes some of
 * the database's timeouts at most. */
enum sql_life postgres_life_of(struct postgres_database *self, PGconn *connection);
/*
 * By way of another connection, within the timeouts (PQcancel would wait for a silent server for
 * ever): cancels what a connection has under way; or ends its session, which can't be reached any
 * more and whose transaction would hold its locks until the server's kernel gives the connection
 * up, perhaps hours later. One that the server does not know, or not surely as ours, is left alone.
 * False: the server can't be reached.
 */
enum postgres_signal { POSTGRES_CANCEL_STATEMENT, POSTGRES_END_SESSION };
bool postgres_signal_session(struct postgres_database *self, PGconn *connection,
                             enum postgres_signal signal);

/* ---------------------------------------------------------------- failure.c */

/* Fills `error` from a result (or, NULL, from the connection): SQLSTATE, class, server's words. */
enum status postgres_failure(const struct postgres_database *self, const PGconn *connection,
                             const PGresult *result, enum error_code otherwise,
                             struct error *error);
/* Is that failure what one record's values made? Then `*code` is its reject's. */
bool postgres_is_of_record(const PGresult *failure, enum error_code *code);
/* The same of what its SQLSTATE alone tells. */
bool postgres_is_state_of_record(const char *state, enum error_code *code);
/* The connection broke, or its session is being ended. */
bool postgres_is_lost(const PGconn *connection, const char *sqlstate);

/* ---------------------------------------------------------------- quote.c */

/* "name" and 'text' with what is special in them doubled: the only ways into SQL for names and
 * texts of a source. */
void postgres_append_name(struct buffer *out, const char *name);
void postgres_append_text(struct buffer *out, const char *text, size_t length);
/* SQL by a template (connectors/sql/template.h), for `out`; and in a buffer of its own, for a
 * function that frees what it is given. */
#define postgres_sql(...) postgres_append(&(struct buffer){0}, __VA_ARGS__)
struct buffer *postgres_append(struct buffer *out, const char *format, ...);
/* "schema"."name" of a name of the scope. */
void postgres_append_table(struct buffer *out, const struct postgres_database *self,
                           const char *name);
/* sql_append_names */
static inline void postgres_append_names(struct buffer *out, const char *alias,
                                         struct column_list names)
{
    sql_append_names(out, &postgres_quoting, alias, names);
}

/* ---------------------------------------------------------------- scope.c */

/* The schemas that are meant, by `open` and by the URI's parameter (NULL: none), and the session's
 * search_path accordingly. */
enum status postgres_choose_schemas(struct postgres_database *self, const struct open_options *open,
                                    const char *text, struct error *error) MUST_USE;
/* As postgres_database.spaces, of the table's own schema alone; `*name`: what it is called there.
 */
const char *postgres_spaces_of(const struct postgres_database *self, const char *table,
                               struct arena *arena, const char **name);
/* A query of all tables without parameters: $1 filled in, and NULL for $2. */
void postgres_fill_spaces(struct buffer *out, const struct postgres_database *self,
                          const char *sql);
/* catalog_functions */
enum status postgres_use_scope(struct database *database, const struct schema_scope *scope,
                               struct error *error);
/* forecast_functions.caveats: where the tables of several schemas go. */
enum status postgres_tell_scope(struct database *database, struct buffer *out, struct error *error);
enum status postgres_identity_in(struct database *database, const char *schema, struct arena *arena,
                                 const char **identity, struct error *error);

/* The beginning of the queries of sql/, for those in C; $1: postgres_database.spaces. */
#define POSTGRES_WITH_SPACE                                                                    \
    "WITH space AS (SELECT n.oid, n.nspname, s.list[i][2] AS lead FROM (SELECT $1::text[] AS " \
    "list) s CROSS JOIN LATERAL pg_catalog.generate_subscripts(s.list, 1) i JOIN "             \
    "pg_catalog.pg_namespace n ON n.nspname = s.list[i][1]) "

/* Is the relation c of the space n called what they are together? A table of the own schema whose
 * plain name is like that of a table of another one is not. */
#define POSTGRES_IS_CALLED                                                                        \
    "NOT (n.lead = '' AND EXISTS (SELECT 1 FROM pg_catalog.generate_subscripts($1::text[], 1) i " \
    "WHERE ($1::text[])[i][2] <> '' AND pg_catalog.starts_with(c.relname::text, "                 \
    "($1::text[])[i][2])))"

/* ---------------------------------------------------------------- types.c */

enum { POSTGRES_TYPE_COUNT = 36 };
extern const struct type_mapping postgres_types[POSTGRES_TYPE_COUNT];
extern const char *const postgres_native_names[];

/* How a value travels in binary COPY (src/backend/utils/adt: *send and *recv). */
enum postgres_format {
    POSTGRES_AS_TEXT = 0, /* its bytes are its text: text, varchar, json, enums … */
    POSTGRES_AS_BOOL,
    POSTGRES_AS_INT2,
    POSTGRES_AS_INT4,
    POSTGRES_AS_INT8,
    POSTGRES_AS_OID,
    POSTGRES_AS_FLOAT4,
    POSTGRES_AS_FLOAT8,
    POSTGRES_AS_NUMERIC,
    POSTGRES_AS_BYTEA,
    POSTGRES_AS_DATE,
    POSTGRES_AS_TIME,
    POSTGRES_AS_TIMETZ,
    POSTGRES_AS_TIMESTAMP,
    POSTGRES_AS_TIMESTAMPTZ,
    POSTGRES_AS_INTERVAL,
    POSTGRES_AS_UUID,
    POSTGRES_AS_JSON,
    POSTGRES_AS_JSONB,
    POSTGRES_AS_CAST /* read as its text, written in COPY's text format */
};

/* A column's type as this connector has it. */
struct postgres_type {
    enum postgres_format format;
    struct value_type type;
};

/* From the catalogue: the type's own oid, that of the domain's base (or the same), pg_type.typtype
 * of the base, the modifier, and format_type's words, which are borrowed. */
struct postgres_type postgres_type_of(uint32_t oid, char kind_of_type, int32_t modifier,
                                      const char *words);
/* The type of a column that the plan makes: PostgreSQL's own words or a kind. */
void postgres_append_type(struct buffer *out, const struct value_type *type);
bool postgres_native_type(const char *declared, struct value_type *type);

#endif
