/* Declarations that the files of the SQLite connector share: the instance, its connections and the
 * SQL helpers. */
#ifndef TRANSHUME_CONNECTORS_SQLITE_INTERNAL_H
#define TRANSHUME_CONNECTORS_SQLITE_INTERNAL_H

#include "base/memory.h"
#include "connectors/sql/database.h"
#include <sqlite3.h>

struct sqlite_feeds;        /* feed.c: what feeds leave that sets may still use */
struct sqlite_source;       /* source side: source.h */
struct sqlite_target_state; /* target side: target.c's own */

struct sqlite_database {
    struct sql_database sql;
    struct arena *arena; /* lives as long as the instance; control thread only */
    enum open_mode mode;
    bool read_only;   /* a target that is only looked at */
    const char *path; /* absolute, symlinks resolved: what SQLite is given */
    const char *spill_folder;
    bool created_file; /* target: there was no file when it was opened */
    bool made_file;    /* target: and this process made the one there is now, which is this: */
    uint64_t made_device;
    uint64_t made_inode;
    uint64_t memory_bytes;
    int64_t timeout_ms;
    sqlite3 *control; /* the control thread's connection. Source: read-only, within the snapshot
                         once that is taken; target: read-write */
    struct sqlite_tested *tested; /* which tests the columns of tables pass: holds.c */
    struct sqlite_feeds *feeds;
    char feed_name[48];                 /* of the feed that was made or opened last */
    struct sqlite_source *source;       /* NULL for a target */
    struct sqlite_target_state *target; /* NULL for a source */
};

static inline struct sqlite_database *sqlite_database_of(struct database *self)
{
    return (struct sqlite_database *)self;
}

/* types.c: SQLite's column affinities, by its own rules on declared types (NULL or empty: none). */
enum sqlite_affinity {
    SQLITE_AFFINITY_NONE, /* BLOB: values are kept as they come */
    SQLITE_AFFINITY_TEXT,
    SQLITE_AFFINITY_NUMERIC,
    SQLITE_AFFINITY_INTEGER,
    SQLITE_AFFINITY_REAL
};
enum sqlite_affinity sqlite_affinity_of(const char *declared_type);
/* 'B' none, 'T', 'N', 'I', 'R'. */
char sqlite_affinity_letter(enum sqlite_affinity affinity);
/* types.c: what a type that a plan gives a column stands for; false: SQLite users know no such
 * type. `type->native` is borrowed. */
bool sqlite_native_type(const char *declared, struct value_type *type);
extern const char *const sqlite_native_names[];

extern const struct connector connector_sqlite;
extern const struct catalog_functions sqlite_catalog;
extern const struct source_functions sqlite_source_functions;
extern const struct target_functions sqlite_target;
extern const struct sql_target_functions sqlite_sql_target_functions;
extern const struct column_functions sqlite_column_functions;
extern const struct forecast_functions sqlite_forecast_functions;
extern const struct express_functions sqlite_express_functions;
extern const struct store_functions sqlite_store;
extern const struct lock_functions sqlite_lock;
extern const struct rollback_functions sqlite_rollback;
extern const struct apply_functions sqlite_apply;
extern const struct feed_functions sqlite_feed;
extern const struct alter_functions sqlite_alter;
extern const struct change_functions sqlite_change;
extern const struct rights_functions sqlite_rights; /* rights.c */
extern const struct sql_dialect sqlite_dialect;
extern const struct sql_quoting sqlite_quoting;
enum { SQLITE_TYPE_COUNT = 23 };
extern const struct type_mapping sqlite_types[SQLITE_TYPE_COUNT];

/* feed.c: makes `database->feeds`, and frees it (NULL is fine). */
void sqlite_feeds_open(struct sqlite_database *database);
void sqlite_feeds_close(struct sqlite_database *database);

/* target_file.c: the empty file of a new target, its owner's alone; fine if another process was
 * first.
 */
enum status sqlite_make_private_file(struct sqlite_database *database,
                                     struct error *error) MUST_USE;
/* target_file.c: may the file, and the journals beside it, be written? Before it is opened. */
enum status sqlite_target_check_place(const struct sqlite_database *database,
                                      struct error *error) MUST_USE;
/* target_file.c: has the new file been removed or replaced since it was opened? Another process
 * that only looked may have done so; after a run's first write nobody does. */
bool sqlite_target_file_moved(struct sqlite_database *database);
/* target_file.c: outside transactions, opens the path anew, as a new file if there is none. */
enum status sqlite_target_renew(struct sqlite_database *database, struct error *error) MUST_USE;
/* target_file.c: makes `database->target` when a target has just been opened (control is open), and
 * frees it (NULL is fine) before control is closed. */
enum status sqlite_target_opened(struct sqlite_database *database, struct error *error) MUST_USE;
void sqlite_target_closing(struct sqlite_database *database);

/* ---------------------------------------------------------------- connection.c */

enum connection_access {
    CONNECTION_READ,
    CONNECTION_READ_SHARED, /* with a mutex: any thread */
    CONNECTION_IMMUTABLE,
    CONNECTION_WRITE,
    CONNECTION_CREATE
};

/*
 * A connection without a mutex of its own (one thread at a time, unless shared) with the settings
 * for files that are not trusted: defensive, no extensions, no file URIs; its busy handler gives up
 * after timeout_ms. CONNECTION_CREATE is for targets; the others never checkpoint when they close.
 */
enum status sqlite_connection_open(const char *path, enum connection_access access,
                                   int64_t timeout_ms, sqlite3 **connection,
                                   struct error *error) MUST_USE;
void sqlite_connection_close(sqlite3 *connection); /* NULL is fine */
/* Waits so long for a lock of others; no longer than a moment from a deadline or a second request
 * to stop on (signals_stop_level), and in steps that let others go on (signals_shield). */
void sqlite_connection_wait(sqlite3 *connection, int64_t timeout_ms);
/* Statements of a source's connection end at the second request to stop, or at the first one. */
void sqlite_connection_heed_stop(sqlite3 *connection, bool first);

/*
 * Turns a SQLite result into an error: busy and locked become SOURCE_LOCKED or TARGET_LOCKED (class
 * RETRY), full DISK_FULL, permission PERMISSION, not a database and corrupt SOURCE_INVALID or
 * TARGET_INVALID, all else `otherwise`. No memory ends the program. `doing` is the beginning of the
 * message.
 */
enum status sqlite_error(sqlite3 *connection, int result, enum open_mode mode,
                         enum error_code otherwise, const char *object, const char *doing,
                         struct error *error);

/* file:PATH, every byte that could mean something percent-encoded; its options may follow. */
void sqlite_append_file_uri(struct buffer *out, const char *path);

/* Failures are SOURCE_READ or TARGET_WRITE, or what sqlite_error makes of them. */
enum status sqlite_execute(struct sqlite_database *database, sqlite3 *connection, const char *sql,
                           struct error *error) MUST_USE;
/*
 * All looks between the two are of one moment, and their lock is taken just once. `*begun`, to
 * be handed to sqlite_end_looks: false where a transaction was under way, which it stays.
 */
enum status sqlite_begin_looks(struct sqlite_database *database, sqlite3 *connection, bool *begun,
                               struct error *error) MUST_USE;
void sqlite_end_looks(sqlite3 *connection, bool begun);
/* Prepares one statement with SQLITE_PREPARE_PERSISTENT. */
enum status sqlite_prepare(struct sqlite_database *database, sqlite3 *connection, const char *sql,
                           sqlite3_stmt **statement, struct error *error) MUST_USE;

/*
 * A step of a statement that brings rows. STATUS_END: no further one. A failure is never to be
 * taken for the end of the rows: for lack of a page SQLite may have rolled the transaction back,
 * and what is written next would be committed by itself.
 */
enum status sqlite_step(struct sqlite_database *database, sqlite3_stmt *statement,
                        struct error *error) MUST_USE;

/* Ends the program if that is the result of SQLite. */
static inline void sqlite_check_memory(int result)
{
    if ((result & 0xff) == SQLITE_NOMEM || result == SQLITE_IOERR_NOMEM) {
        memory_exhausted(0);
    }
}

/* The text of a row's column, as long as the statement stays on the row; NULL for a null. */
const char *sqlite_text_of(sqlite3_stmt *row, int column);
/* The same as a copy, with the bytes behind a NUL in it. Returns true. */
bool sqlite_copy_text(sqlite3_stmt *row, int column, struct arena *arena, const char **copy);

/* SQL by a template (connectors/sql/template.h), for `out`; and in a buffer of its own, for a
 * function that frees what it is given. */
#define sqlite_sql(...) sqlite_append(&(struct buffer){0}, __VA_ARGS__)
struct buffer *sqlite_append(struct buffer *out, const char *format, ...);
/* "name" with inner quotes doubled; 'text' likewise: the only ways into SQL for names of a
 * source. */
void sqlite_append_name(struct buffer *out, const char *name);
void sqlite_append_text(struct buffer *out, const char *text);
/* The same of a text that may hold NUL, which would end a literal. */
void sqlite_append_literal(struct buffer *out, const char *text, size_t length);

/* wide_io.c: the name of the VFS that all connections use; NULL: the system's own. */
#define SQLITE_WIDE_VFS "transhume-wide"
const char *sqlite_wide_vfs(void);

struct sqlite_file_identity {
    uint64_t device;
    uint64_t inode;
};
/* Which file a connection holds open, asked of its own descriptor: a path may lead to another one
 * by now. False: the system does not say. */
bool sqlite_identify(sqlite3 *connection, const char *schema,
                     struct sqlite_file_identity *identity);
/* Where the path leads now. False: nowhere. */
bool sqlite_identify_path(const char *path, struct sqlite_file_identity *identity);
bool sqlite_same_file(const struct sqlite_file_identity *left,
                      const struct sqlite_file_identity *right);
/* While a statement goes once through a table of a connection with PRAGMA mmap_size: pages are not
 * copied into SQLite's cache. */
void sqlite_give_pages(sqlite3 *connection, bool gives);

/* ---------------------------------------------------------------- for the express lane */

/*
 * SELECT for a request over the attached schema (NULL: main), with the request's columns in order,
 * within a span. The parameters are bound by sqlite_span_bind on the prepared statement; the span's
 * parameters are the named ones that the SELECT uses, so the statement may hold more of its own.
 * Tables that `prepare` had to sort are not used here: requests with joins are refused
 * (STATUS_AGAIN).
 */
enum status sqlite_since_query(struct database *self, const struct read_request *request,
                               struct buffer *query, struct error *error) MUST_USE;
enum status sqlite_express_select(struct sqlite_database *source,
                                  const struct read_request *request, const struct span *span,
                                  const char *schema, struct buffer *sql,
                                  struct error *error) MUST_USE;
enum status sqlite_span_bind(const struct span *span, sqlite3_stmt *statement,
                             struct error *error) MUST_USE;

/*
 * Does a connection that attached the source see the very snapshot of the readers? Ask after its
 * transaction has read from the attached schema; true also proves it for what it reads later in the
 * same transaction. Any thread.
 */
bool sqlite_source_unchanged(struct sqlite_database *source);
/* Is what a connection opened by the source's path the file that the readers hold? Ask after it has
 * read, so that its WAL is open, too. Any thread. */
bool sqlite_source_is_in(const struct sqlite_database *source, sqlite3 *connection,
                         const char *schema);
/* Does the source's path still lead to the file that was opened? If not, an error. */
enum status sqlite_source_check_place(const struct sqlite_database *source,
                                      struct error *error) MUST_USE;

#endif
