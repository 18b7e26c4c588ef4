/*
 * Declarations that the files of the MySQL connector share: the instance, its connections, types
 * and SQL helpers. Their prefix is mysql_, as the client library's is: a new name must be none of
 * its (mysql.h).
 */
#ifndef TRANSHUME_CONNECTORS_MYSQL_INTERNAL_H
#define TRANSHUME_CONNECTORS_MYSQL_INTERNAL_H

#include "base/buffer.h"
#include "base/text.h"
#include "connectors/contract/connector.h"
#include "connectors/sql/database.h"
#include "connectors/sql/place.h"
#include "connectors/sql/vigil.h"
#include <mysql.h>
#include <pthread.h>

struct mysql_catalog;
struct mysql_held;
struct mysql_look;
struct mysql_rights;

enum {
    MYSQL_NAME_CHARACTERS_MAX = 64,
    MYSQL_NAME_BYTES_MAX = 3 * MYSQL_NAME_CHARACTERS_MAX,
    MYSQL_COMMENT_BYTES_MAX = 1024,
    MYSQL_COLUMNS_MAX = 1017, /* InnoDB's; the server's own limit is 4096 */
    MYSQL_POOL_MAX = 128
};

/* How a connection is protected, in libpq's words. */
enum mysql_tls { MYSQL_TLS_DISABLE, MYSQL_TLS_PREFER, MYSQL_TLS_REQUIRE, MYSQL_TLS_VERIFY_FULL };

/* Settings for the client library; texts live in the instance's arena, NULL: not given. */
struct mysql_settings {
    const char *host;
    const char *socket;
    const char *user;
    const char *password;
    const char *option_file;
    const char *ca;
    const char *certificate;
    const char *key;
    unsigned port;
    enum mysql_tls tls;
    bool local; /* the peer is this machine: a plain connection is no one else's to read */
};

/* The source reads a larger value a block at a time: the server looks for each in all of it. */
enum { MYSQL_SLICE_BYTES = 8 << 20 };

struct mysql_database {
    struct sql_database sql;
    struct arena *arena; /* lives as long as the instance; control thread only */
    enum open_mode mode;
    struct schema_scope elsewhere; /* target: databases of its source that are not its own */
    struct mysql_settings settings;
    int64_t timeout_ms;
    bool mariadb;              /* else MySQL */
    unsigned long version;     /* 101119 */
    bool loads;                /* target: the server takes LOAD DATA LOCAL */
    _Atomic bool takes_bulk;   /* target: and prepared INSERTs with the values of many rows */
    bool lacks_local;          /* target: it does not, though nobody said ?load=insert */
    bool statement_log;        /* its binary log holds statements: REPEATABLE READ is needed */
    bool folds_names;          /* of tables: lower_case_table_names is not 0 */
    bool grants_literally;     /* partial_revokes: names of databases in GRANT are no patterns */
    bool tables_only;          /* describe tells of nothing else */
    uint64_t packet_bytes_max; /* max_allowed_packet, as the run began */
    MYSQL *control;            /* the control thread's; source: within the snapshot once taken */
    struct mysql_held *held;   /* source: what the run reads, touched within the snapshot */
    bool trusts_pooler; /* by option: a proxy before the server keeps a session's connection */
    bool lockless;      /* by option: connections begin one after the other, without a lock */
    MYSQL *pool[MYSQL_POOL_MAX]; /* source: within the snapshot, in nobody's hand */
    uint32_t pool_count;
    uint32_t pool_spare;       /* so many of them no reader will ask for: the express lane's */
    pthread_mutex_t pool_lock; /* of the three above: readers and writers take and give */
    MYSQL *slicer; /* source: reads large values within the snapshot; NULL: rows are read whole */
    pthread_mutex_t slicer_lock;
    struct mysql_catalog *catalog; /* source; read at first use */
    struct mysql_look *seen;       /* target: by the last inspect; NULL: nothing */
    struct column_list collations; /* target: sorted; none: not read (mysql_read_collations) */
    struct mysql_rights *rights;   /* target: of the account, in seen_arena; NULL: not read */
    struct arena *seen_arena;
    MYSQL *lock;              /* target: holds the lock of `locked_run` as long as it lives */
    char *locked_run;         /* NULL: none */
    const char *spill_folder; /* source: open_options.spill_folder */
    _Atomic uint64_t feed_head_file; /* what feed_functions.head told last */
    _Atomic uint64_t feed_head_offset;
    _Atomic uint32_t marks; /* target: how many sessions were marked as the run's: ending.c */
};

/* Does the server know OVER (…)? */
static inline bool mysql_has_windows(const struct mysql_database *self)
{
    return self->version >= (self->mariadb ? 100200u : 80000u);
}

/* Since 9.6 MySQL has it as a component, which an administrator may or may not install. */
static inline bool mysql_has_md5(const struct mysql_database *self)
{
    return self->mariadb || self->version < 90600u;
}

static inline struct mysql_database *mysql_database_of(struct database *self)
{
    return (struct mysql_database *)self;
}

/* The module's symbol (CONNECTOR_MODULE_SYMBOL). */
__attribute__((visibility("default"))) extern const struct connector transhume_connector;
extern const struct catalog_functions mysql_catalog_functions;
extern const struct source_functions mysql_source_functions;
extern const struct target_functions mysql_target_functions;
extern const struct sql_target_functions mysql_sql_target_functions;
extern const struct column_functions mysql_column_functions;
extern const struct forecast_functions mysql_forecast_functions;
extern const struct express_functions mysql_express_functions;
extern const struct store_functions mysql_store_functions;
extern const struct lock_functions mysql_lock_functions;
extern const struct rollback_functions mysql_rollback_functions;
extern const struct sql_dialect mysql_dialect;
extern const struct sql_quoting mysql_quoting;
extern const struct load_functions mysql_load_functions;
extern const struct apply_functions mysql_apply_functions;
extern const struct feed_functions mysql_feed_functions;
extern const struct alter_functions mysql_alter_functions;
extern const struct change_functions mysql_change_functions;
extern const struct rights_functions mysql_rights_functions;
/* The words on a server that asks for a file, and the client library's number for it. */
enum { MYSQL_FILE_REFUSED = 2068 };
extern const char mysql_asks_for_a_file[];
/* The variable of a session that applies changes: a table that a cut-over has closed takes them. */
#define MYSQL_APPLIES "@_transhume_applies"
#define MYSQL_STAYS_OPEN \
    "a long read transaction is open; the undo log keeps newer changes until it ends"

/* source_functions.caveats */
enum status mysql_caveats(struct database *database, struct buffer *out, struct error *error);

/* ---------------------------------------------------------------- greeting.c */

enum mysql_greeting {
    MYSQL_GREETING_FINE,        /* offers TLS, or is nothing that the library logs in after */
    MYSQL_GREETING_WITHOUT_TLS, /* or longer than 4 KiB, or of a form that shows no flags */
    MYSQL_GREETING_LATE,        /* not whole within the time */
};

/*
 * Waits for the first packet of a server, which stays in the socket (of any kind, connected,
 * nothing read from it yet). Its form: MySQL's manual, protocol::HandshakeV10. At most
 * `timeout_ms`; 0 or less: no limit. Any thread.
 */
enum mysql_greeting mysql_greeting_judge(int descriptor, int64_t timeout_ms);

/* ---------------------------------------------------------------- connection.c */

/* A new connection with the settings that all have: utf8mb4, UTC, strict. Any thread. */
enum status mysql_connect(struct mysql_database *self, MYSQL **connection,
                          struct error *error) MUST_USE;
/* The same without any settings. */
enum status mysql_reach(struct mysql_database *self, MYSQL **connection,
                        struct error *error) MUST_USE;
/* Likewise, but it is known which of the server's sessions it is: mysql_life_of. */
enum status mysql_reach_known(struct mysql_database *self, MYSQL **connection,
                              struct error *error) MUST_USE;
/* greeting.c: into the instance's report, how this connection is kept from others. Any thread. */
void mysql_tell_link(struct mysql_database *self, MYSQL *connection);
void mysql_disconnect(MYSQL *connection); /* NULL is fine */
/* So that nobody uses it again, and the server rolls back: whatever is sent fails. */
void mysql_break_off(MYSQL *connection);
/* A wait for a lock as the servers count it: whole seconds, and at least one. */
long long mysql_lock_seconds(int64_t wait_ms);
/* sql_mode, time zone … as mysql_connect sets them. */
enum status mysql_session_reset(struct mysql_database *self, MYSQL *connection,
                                struct error *error) MUST_USE;
/* False once the client library has given it up. */
bool mysql_is_alive(MYSQL *connection);
/* An idle session is told nothing unasked but that it was ended. */
bool mysql_has_spoken(MYSQL *connection);

/* Ends what the connection has under way, by way of another one; the session stays. */
void mysql_kill_statement(struct mysql_database *self, MYSQL *connection);
/* Waits for the first byte of an answer; on failure the connection is broken off. */
enum status mysql_await(struct mysql_database *self, MYSQL *connection, enum sql_patience patience,
                        struct error *error) MUST_USE;
/* A statement gave no answer for as long as the vigil says: is it being worked on? If not the
 * connection is broken off. */
enum status mysql_keep_vigil(struct mysql_database *self, MYSQL *connection,
                             struct sql_vigil *vigil, struct error *error) MUST_USE;
/* The next row of a result that is read as it comes, of a source; NULL: there is none. The server
 * may be silent for as long as it works: a selective condition gives few rows an hour. */
enum status mysql_next_row(struct mysql_database *self, MYSQL_RES *result, MYSQL *connection,
                           MYSQL_ROW *row, struct error *error) MUST_USE;
/* The answer to a command that was sent. A failure is `otherwise`, or what its number says is more
 * exact. */
enum status mysql_read_answer(struct mysql_database *self, MYSQL *connection,
                              enum sql_patience patience, enum error_code otherwise,
                              struct error *error) MUST_USE;
/* Sends a statement and reads its first answer. */
enum status mysql_send(struct mysql_database *self, MYSQL *connection, const char *sql,
                       size_t length, enum sql_patience patience, enum error_code otherwise,
                       struct error *error) MUST_USE;
/* The same of a whole statement, whose `*result` (NULL: thrown away; of no rows: NULL) is the
 * caller's to free. */
enum status mysql_run(struct mysql_database *self, MYSQL *connection, const char *sql,
                      enum sql_patience patience, enum error_code otherwise, MYSQL_RES **result,
                      struct error *error) MUST_USE;
/* The same of a buffer, which it frees. */
enum status mysql_run_buffer(struct mysql_database *self, MYSQL *connection, struct buffer *sql,
                             enum sql_patience patience, enum error_code otherwise,
                             MYSQL_RES **result, struct error *error) MUST_USE;
/* One number; `otherwise_value` for NULL and for no row. */
enum status mysql_ask_number(struct mysql_database *self, MYSQL *connection, struct buffer *sql,
                             enum sql_patience patience, enum error_code otherwise,
                             int64_t otherwise_value, int64_t *number,
                             struct error *error) MUST_USE;

/* The column's least or largest ("min", "max") whole number; INT64_MIN: there is none, or no such.
 */
enum status mysql_ask_edge(struct mysql_database *self, MYSQL *connection, const char *edge,
                           const char *table, const char *column, enum error_code otherwise,
                           int64_t *number, struct error *error) MUST_USE;

/* The result's column of that name in any case, or -1: of what SHOW tells, servers differ in order
 * and number. */
int mysql_column_named(MYSQL_RES *result, const char *name);

/* ---------------------------------------------------------------- control.c */

/* The control connection of a target, made anew if it broke. */
enum status mysql_control(struct mysql_database *self, MYSQL **connection,
                          struct error *error) MUST_USE;
/* A new connection that works on the claimed run, known as such to who takes the run
 * over; fails where that was done. Without a run: any connection. Any thread. */
enum status mysql_join(struct mysql_database *self, MYSQL **connection,
                       struct error *error) MUST_USE;

/* ---------------------------------------------------------------- prepared.c */

/* For the library's calls that end later (MYSQL_WAIT_…): waits for one of the events. Where waiting
 * failed, now or before (`status`), the connection is broken off and the call ends at once. */
enum status mysql_wait_for(struct mysql_database *self, MYSQL *connection, int events,
                           enum status status, struct error *error) MUST_USE;
MYSQL_STMT *mysql_statement_create(MYSQL *connection);
/* As mysql_failure; the library notes some failures with the statement alone. */
enum status mysql_statement_failure(struct mysql_database *self, MYSQL *connection,
                                    MYSQL_STMT *statement, enum error_code otherwise,
                                    struct error *error);
/* `*refused`: the server does not prepare that; connection and transaction are well. */
enum status mysql_statement_prepare(struct mysql_database *self, MYSQL *connection,
                                    MYSQL_STMT *statement, const char *sql, size_t length,
                                    bool *refused, struct error *error) MUST_USE;
/* Its last answer: the server knows the statement no more, or could not prepare it anew after a
 * table had changed. Nothing was carried out. */
bool mysql_statement_is_forgotten(MYSQL *connection);

/* ---------------------------------------------------------------- sessions.c */

/* SQL of how a server names itself. */
#define MYSQL_SERVER_NAME "concat_ws(' ', @@hostname, @@port, @@datadir)"
/* By mysql_connect and mysql_disconnect; `server`: as it names itself, `peer`: whom it takes for
 * its client, or NULL. */
void mysql_own_add(MYSQL *connection, const char *server, const char *peer);
void mysql_own_remove(const MYSQL *connection);
/* Is that session of the server that `asked` is of, by its number there, one of this process? */
bool mysql_is_own(const MYSQL *asked, unsigned long number);
/* Is `connection`'s session the one of its number that this server has with this client? Another
 * server may have taken the place of the one it was made to, and counts from one as well. */
bool mysql_own_is(const MYSQL *connection, const char *server, const char *peer);
/* Is it surely another one than the session of its number with this client, where `asked` is? */
bool mysql_own_differs(const MYSQL *connection, const MYSQL *asked, const char *peer);

/* ---------------------------------------------------------------- connection_check.c */

/* Does this other connection, of mysql_reach or mysql_connect, see the session of `connection`? If
 * not it is gone, of another server, or not to be told from one that is. */
bool mysql_sees(struct mysql_database *self, MYSQL *other, MYSQL *connection);
/* How it stands with a statement that takes long, asked by way of another connection. Takes some of
 * the database's timeouts at most. */
enum sql_life mysql_life_of(struct mysql_database *self, MYSQL *connection);

/* ---------------------------------------------------------------- failure.c */

/* Fills `error` from the connection: number, SQLSTATE, class, the server's words. */
enum status mysql_failure(const struct mysql_database *self, MYSQL *connection,
                          enum error_code otherwise, struct error *error);
/* Is that, with the server's words, what one record's values made? Then `*code` is its reject's. */
bool mysql_is_of_record(unsigned number, const char *words, enum error_code *code);
/* The connection broke, or its session is being ended. */
bool mysql_is_lost(unsigned number);

/* ---------------------------------------------------------------- scope.c */

/* The databases that are meant, by `open`. */
enum status mysql_choose_databases(struct mysql_database *self, const struct open_options *open,
                                   struct error *error) MUST_USE;
/* catalog_functions: a target only takes note of them. */
enum status mysql_use_scope(struct database *database, const struct schema_scope *scope,
                            struct error *error);
/* identity.c: catalog_functions.identity_in */
enum status mysql_identity_in(struct database *database, const char *schema, struct arena *arena,
                              const char **identity, struct error *error);
/* Target: the other database that its source means by a name; NULL: none. */
const char *mysql_database_elsewhere(const struct mysql_database *self, const char *table);

/* ---------------------------------------------------------------- quote.c */

/* `name` and 'text' with what is special in them escaped: the only ways into SQL for names and
 * texts of a source. */
void mysql_append_name(struct buffer *out, const char *name);
void mysql_append_text(struct buffer *out, const char *text, size_t length);
void mysql_append_string(struct buffer *out, const char *text); /* NULL becomes NULL */
void mysql_append_bytes(struct buffer *out, const void *bytes, size_t length); /* X'…' */
/* SQL by a template (connectors/sql/template.h), for `out`; and in a buffer of its own, for a
 * function that frees what it is given. */
#define mysql_sql(...) mysql_append(&(struct buffer){0}, __VA_ARGS__)
struct buffer *mysql_append(struct buffer *out, const char *format, ...);
/* `database`.`name` */
void mysql_append_table(struct buffer *out, const struct mysql_database *self, const char *name);
/* sql_append_names */
static inline void mysql_append_names(struct buffer *out, const char *alias,
                                      struct column_list names)
{
    sql_append_names(out, &mysql_quoting, alias, names);
}
/* left.`a` = right.`a` AND … */
void mysql_append_match(struct buffer *out, struct column_list names, const char *left,
                        const char *right);
/* `sql` with $1 and $2 as texts, or NULL; likewise in a buffer of its own. */
#define mysql_filled(...) mysql_append_filled(&(struct buffer){0}, __VA_ARGS__)
struct buffer *mysql_append_filled(struct buffer *out, const char *sql, const char *first,
                                   const char *second);

/* ---------------------------------------------------------------- types.c */

enum { MYSQL_TYPE_COUNT = 35 };
extern const struct type_mapping mysql_types[MYSQL_TYPE_COUNT];
extern const char *const mysql_native_names[];

/* How a column's values travel as texts. */
enum mysql_format {
    MYSQL_AS_TEXT = 0, /* char, varchar, text */
    MYSQL_AS_INT,
    MYSQL_AS_UINT,
    MYSQL_AS_FLOAT,
    MYSQL_AS_DOUBLE,
    MYSQL_AS_DECIMAL,
    MYSQL_AS_BIT,
    MYSQL_AS_BYTES,
    MYSQL_AS_DATE,
    MYSQL_AS_DATETIME,
    MYSQL_AS_TIMESTAMP,
    MYSQL_AS_TIME,
    MYSQL_AS_YEAR,
    MYSQL_AS_JSON,
    MYSQL_AS_UUID,
    MYSQL_AS_GEOMETRY,
    MYSQL_AS_LABEL /* enum, set, inet4, inet6: their text */
};

/* A column's type as this connector has it. */
struct mysql_type {
    enum mysql_format format;
    struct value_type type;
    uint8_t digits; /* of seconds, 0..6; of float(M,D) and double(M,D) behind the point */
    bool rounds;    /* to so many digits, without a warning */
};

/* information_schema's DATA_TYPE and COLUMN_TYPE; `words` are borrowed. */
struct mysql_type mysql_type_of(const char *data_type, const char *words);
/* The type of a result's column, of a query. */
struct mysql_type mysql_type_of_field(const MYSQL_FIELD *field);
/* The type of a column that the plan makes: the server's own words or a kind. `collation` (NULL:
 * by bytes) is for texts. `indexed`: it must have a length that an index can hold. */
void mysql_append_type(struct buffer *out, const struct mysql_database *self,
                       const struct value_type *type, const char *collation, bool indexed);
/* " CHARACTER SET …" for a text type of ours: compared by bytes. */
const char *mysql_text_collation(const struct mysql_database *self);
bool mysql_native_type(const char *declared, struct value_type *type);
/* "(10,2)" behind a type's name: how many numbers there are, at most two. */
int mysql_type_numbers(const char *words, int64_t number[2]);

/* ---------------------------------------------------------------- labels.c */

/* Is this the COLUMN_TYPE of an ENUM or SET? */
bool mysql_has_labels(const char *words);
/* Does an ENUM or SET with this COLUMN_TYPE hold the text as it is? The server takes labels in
 * other cases and orders, and their numbers, too, without a warning. Of other types: yes. */
bool mysql_holds_label(const char *words, const char *text, size_t length);

#endif
