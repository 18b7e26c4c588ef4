/*
 * Changing the schema of a SQLite file: a connection of its own beside the control connection, and
 * the lock beside the file, which keeps runs out as well.
 *
 * Foreign keys are not enforced in a session, as in most programs that open SQLite files: a table
 * is changed by making it anew, and with them DROP TABLE would delete from the tables that refer to
 * it. What was broken in the end is found before the commit (alter_references.c).
 */
#include "connectors/sqlite/change/alter.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/signals.h"
#include "connectors/common/alter_settle.h"
#include "connectors/common/lease.h"
#include "connectors/common/run_lock.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPERATIONS_BETWEEN_CHECKS = 20000, PROGRESS_EACH_MS = 500 };

static const char settings[] = "PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF; "
                               "PRAGMA legacy_alter_table = OFF; PRAGMA defer_foreign_keys = OFF; "
                               "PRAGMA ignore_check_constraints = OFF; "
                               "PRAGMA case_sensitive_like = OFF; PRAGMA query_only = OFF; "
                               "PRAGMA reverse_unordered_selects = OFF; PRAGMA synchronous = FULL";

/* ---------------------------------------------------------------- opening */

static void alter_close(struct alter_session *base)
{
    struct sqlite_alter *session = sqlite_alter_of(base);
    if (base == NULL) {
        return;
    }
    sqlite_connection_close(session->connection);
    if (session->lock >= 0) {
        unlink(session->lock_path);
        close(session->lock);
    }
    free(session->lock_path);
    free(session);
}

static enum status alter_execute(struct sqlite_alter *session, const char *sql, struct error *error)
{
    return sqlite_target_execute(session->database, session->connection, sql, ERROR_TARGET_WRITE,
                                 error);
}

static enum status refuse_schema(const struct sqlite_database *database, struct error *error)
{
    error_set(error, ERROR_USAGE, database->sql.shown,
              "a SQLite file has no schemas that the history could be kept in");
    error_hint(error, "leave --history-schema out");
    return STATUS_FAILED;
}

static enum status alter_open(struct database *database, const struct alter_open *options,
                              struct alter_session **opened, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    struct sqlite_alter *session = memory_allocate_zeroed(1, sizeof *session);
    *opened = NULL;
    session->database = self;
    session->lock = -1;
    session->lock_path = memory_format(SQLITE_LOCK_PATH, self->path);
    session->base.history = &sqlite_history;
    session->base.shown = self->sql.shown;
    snprintf(session->base.name, sizeof session->base.name, "pid %" PRId64, (int64_t)getpid());
    enum status status = options->history_schema != NULL ? refuse_schema(self, error) : STATUS_OK;
    if (status == STATUS_OK) {
        status = sqlite_connection_open(self->path,
                                        self->read_only ? CONNECTION_READ : CONNECTION_CREATE,
                                        self->timeout_ms, &session->connection, error);
    }
    if (status == STATUS_OK) {
        status = alter_execute(session, settings, error);
    }
    if (status != STATUS_OK) {
        alter_close(&session->base);
        return status;
    }
    *opened = &session->base;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the lock */

static enum status still_ours(const struct sqlite_alter *session, struct error *error)
{
    struct stat held;
    struct stat there;
    if (fstat(session->lock, &held) == 0 && stat(session->lock_path, &there) == 0 &&
        held.st_ino == there.st_ino && held.st_dev == there.st_dev) {
        return STATUS_OK;
    }
    error_set(error, ERROR_RUN_FENCED, session->base.shown,
              "the lock's file %s was removed or replaced", session->lock_path);
    error_hint(error, "it must stay as long as a process works on the database");
    return STATUS_FAILED;
}

/* Who claimed the history says more of himself than the lock's file does. */
static void tell_holder(struct sqlite_alter *session, struct ledger_holder *found)
{
    struct arena *arena = arena_create(0);
    struct history_claim claim;
    struct error error = {0};
    if (found->run[0] == '\0' &&
        sql_history_claim_read(&session->base, arena, &claim, &error) == STATUS_OK &&
        claim.holder.pid == found->pid && !ledger_holder_is_gone(&claim.holder)) {
        *found = claim.holder;
        found->lease_ms = 0;
    }
    arena_destroy(arena);
}

static enum status alter_lock(struct alter_session *base, const struct ledger_holder *self,
                              struct ledger_holder *found, struct error *error)
{
    struct sqlite_alter *session = sqlite_alter_of(base);
    (void)self;
    if (session->lock >= 0) {
        return still_ours(session, error);
    }
    enum status status =
        run_lock_take(session->lock_path, SQLITE_LOCK_SCHEMA, &session->lock, found, error);
    if (status == STATUS_AGAIN) {
        session->lock = -1;
        tell_holder(session, found);
    }
    return status;
}

/* ---------------------------------------------------------------- transactions */

static enum status refuse_moved(const struct sqlite_alter *session, struct error *error)
{
    int moved = 0;
    if (sqlite3_file_control(session->connection, "main", SQLITE_FCNTL_HAS_MOVED, &moved) !=
            SQLITE_OK ||
        moved == 0) {
        return STATUS_OK;
    }
    error_set(error, ERROR_TARGET_INVALID, session->base.shown,
              "the file was removed or replaced after it was opened");
    error_hint(error, "start again once nothing moves it");
    return STATUS_FAILED;
}

static void set_patience(struct sqlite_alter *session, int64_t lock_ms)
{
    int64_t wait_ms = lock_ms > 0 ? lock_ms : session->database->timeout_ms;
    sqlite3_busy_timeout(session->connection, wait_ms < INT32_MAX ? (int)wait_ms : INT32_MAX);
}

static enum status alter_begin(struct alter_session *base, struct error *error)
{
    struct sqlite_alter *session = sqlite_alter_of(base);
    set_patience(session, 0);
    enum status status = alter_execute(session, "BEGIN IMMEDIATE", error);
    if (status == STATUS_OK && refuse_moved(session, error) != STATUS_OK) {
        (void)sqlite3_exec(session->connection, "ROLLBACK", NULL, NULL, NULL);
        return STATUS_FAILED;
    }
    session->within = status == STATUS_OK;
    session->begun_ms = clock_utc_us() / 1000;
    return status;
}

static enum status alter_commit(struct sqlite_alter *session, struct error *error)
{
    if (sqlite3_get_autocommit(session->connection) != 0) {
        error_set(error, ERROR_TARGET_WRITE, session->base.shown,
                  "SQLite rolled the transaction back after a statement of it");
        error_hint(error, "nothing of it stands; see what ROLLBACK or OR ROLLBACK the file has");
        return STATUS_FAILED;
    }
    enum status status = sqlite_alter_check_references(session, error);
    status = status == STATUS_OK ? failpoint_hit("sqlite.before_alter", error) : status;
    if (status != STATUS_OK) {
        return status;
    }
    status = alter_execute(session, "COMMIT", error);
    bool is_open = sqlite3_get_autocommit(session->connection) == 0;
    if (status != STATUS_OK && !is_open && error->code != ERROR_DISK_FULL) {
        return error_recode(error, ERROR_TARGET_UNKNOWN_OUTCOME);
    }
    /* A failure behind the COMMIT is one of which the history says what it committed. */
    if (status == STATUS_OK && failpoint_hit("sqlite.after_alter", error) != STATUS_OK) {
        return error_recode(error, ERROR_TARGET_UNKNOWN_OUTCOME);
    }
    return status;
}

static enum status alter_end(struct alter_session *base, enum status status, struct error *error)
{
    struct sqlite_alter *session = sqlite_alter_of(base);
    set_patience(session, 0);
    if (status == STATUS_OK) {
        status = alter_commit(session, error);
    }
    if (sqlite3_get_autocommit(session->connection) == 0) {
        (void)sqlite3_exec(session->connection, "ROLLBACK", NULL, NULL, NULL);
    }
    session->within = false;
    return status;
}

/* ---------------------------------------------------------------- what a statement may do */

struct watching {
    struct sqlite_alter *session;
    const struct alter_request *request;
    int64_t end_ms; /* 0: none */
    int64_t told_ms;
    bool over;
    const char *refused; /* by name; NULL: nothing */
    char dropped[256];   /* a table */
};

static int look_at_action(void *context, int action, const char *first, const char *second,
                          const char *schema, const char *inner)
{
    struct watching *watching = context;
    (void)second;
    (void)schema;
    (void)inner;
    if (action == SQLITE_ATTACH) {
        watching->refused = "ATTACH";
    } else if (action == SQLITE_DETACH) {
        watching->refused = "DETACH";
    } else if (action == SQLITE_TRANSACTION && watching->session->within) {
        watching->refused = first; /* "COMMIT" */
    } else if (action == SQLITE_PRAGMA && first != NULL && second != NULL &&
               strcasecmp(first, "writable_schema") == 0) {
        watching->refused = "PRAGMA writable_schema";
    } else if (action == SQLITE_DROP_TABLE && first != NULL) {
        snprintf(watching->dropped, sizeof watching->dropped, "%s", first);
    }
    return SQLITE_OK;
}

static enum status sqlite_alter_refuse(const struct watching *watching, struct error *error)
{
    error_set(error, ERROR_TARGET_WRITE, watching->session->base.shown,
              "%s has no place in a migration of a SQLite file", watching->refused);
    error_hint(error, strchr("AD", watching->refused[0]) != NULL
                          ? "a migration changes one file, and its history is in that file"
                      : watching->refused[0] == 'P'
                          ? "change the schema by statements, by making the table anew if need be"
                          : "the statements of a file are one transaction; write `-- "
                            "transhume:transaction none` at its head if they must not be");
    return STATUS_FAILED;
}

static int alter_watch(void *context)
{
    struct watching *watching = context;
    int64_t now_ms = clock_monotonic_ms();
    if (watching->request->progress != NULL && now_ms >= watching->told_ms) {
        watching->request->progress(watching->request->context, -1, NULL);
        watching->told_ms = now_ms + PROGRESS_EACH_MS;
    }
    watching->over = watching->end_ms > 0 && now_ms >= watching->end_ms;
    return watching->over || signals_stop_level() > 1;
}

/* ---------------------------------------------------------------- statements */

static bool begins_with(const struct alter_request *request, const char *word)
{
    size_t length = strlen(word);
    return request->length >= length && strncasecmp(request->text, word, length) == 0;
}

bool sqlite_alter_repeats(const struct alter_request *request)
{
    static const char *const words[] = {"VACUUM", "ANALYZE", "REINDEX", "PRAGMA", "SELECT"};
    bool found = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        found = found || begins_with(request, words[i]);
    }
    return found;
}

static enum status tell_failure(struct watching *watching, int result, struct alter_answer *answer,
                                struct error *error)
{
    struct sqlite_alter *session = watching->session;
    int offset = sqlite3_error_offset(session->connection);
    answer->fault = offset >= 0 ? (size_t)offset : SIZE_MAX;
    sqlite_target_error(session->database, session->connection, result, ERROR_TARGET_WRITE,
                        "the statement failed", error);
    snprintf(answer->state, sizeof answer->state, "%d", result & 0xffff);
    if ((result & 0xff) == SQLITE_INTERRUPT && watching->over) {
        error_set(error, ERROR_TARGET_WRITE, session->base.shown,
                  "the statement was ended after %" PRId64 " ms", watching->request->time_ms);
        error_hint(error, "give it more time: --statement-timeout");
    }
    return STATUS_FAILED;
}

static enum status alter_prepare(struct watching *watching, sqlite3_stmt **statement,
                                 struct alter_answer *answer, struct error *error)
{
    const struct alter_request *request = watching->request;
    sqlite3 *connection = watching->session->connection;
    const char *rest = NULL;
    if (request->length > INT32_MAX) {
        return error_set(error, ERROR_TARGET_WRITE, watching->session->base.shown,
                         "a statement of %zu bytes is longer than SQLite takes", request->length);
    }
    sqlite3_set_authorizer(connection, look_at_action, watching);
    int result =
        sqlite3_prepare_v2(connection, request->text, (int)request->length, statement, &rest);
    enum status status =
        result == SQLITE_OK ? STATUS_OK : tell_failure(watching, result, answer, error);
    sqlite3_set_authorizer(connection, NULL, NULL);
    if (status == STATUS_OK && watching->refused != NULL) {
        status = sqlite_alter_refuse(watching, error);
    }
    return status;
}

static enum status step_all(struct watching *watching, sqlite3_stmt *statement,
                            struct alter_answer *answer, struct error *error)
{
    sqlite3 *connection = watching->session->connection;
    int64_t before = sqlite3_total_changes64(connection);
    uint64_t rows = 0;
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        rows++;
    }
    if (result != SQLITE_DONE) {
        return tell_failure(watching, result, answer, error);
    }
    bool changed = sqlite3_total_changes64(connection) != before;
    bool reads = sqlite3_column_count(statement) > 0 && !changed;
    answer->counts = reads || changed || begins_with(watching->request, "UPDATE") ||
                     begins_with(watching->request, "DELETE") ||
                     begins_with(watching->request, "INSERT");
    answer->rows = reads || rows > 0 ? rows : changed ? (uint64_t)sqlite3_changes64(connection) : 0;
    return STATUS_OK;
}

/* A statement of comments alone is none. */
static enum status run_within(struct watching *watching, struct alter_answer *answer,
                              struct error *error)
{
    struct sqlite_alter_children children = {0};
    sqlite3_stmt *statement = NULL;
    enum status status = alter_prepare(watching, &statement, answer, error);
    if (status == STATUS_OK && watching->dropped[0] != '\0') {
        status =
            sqlite_alter_children_count(watching->session, watching->dropped, &children, error);
    }
    if (status == STATUS_OK && statement != NULL) {
        status = step_all(watching, statement, answer, error);
    }
    sqlite3_finalize(statement);
    if (status == STATUS_OK) {
        status = sqlite_alter_children_compare(watching->session, &children, error);
    }
    sqlite_alter_children_free(&children);
    return status;
}

static enum status alter_run(struct alter_session *base, const struct alter_request *request,
                             struct alter_answer *answer, struct error *error)
{
    struct sqlite_alter *session = sqlite_alter_of(base);
    struct watching watching = {
        .session = session,
        .request = request,
        .end_ms = request->time_ms > 0 ? clock_monotonic_ms() + request->time_ms : 0,
        .told_ms = clock_monotonic_ms() + PROGRESS_EACH_MS};
    *answer = (struct alter_answer){.fault = SIZE_MAX};
    if (request->language != ALTER_SQL || request->data != NULL) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, base->shown,
                         "a SQLite file takes SQL alone, and no lines behind COPY");
    }
    set_patience(session, request->lock_ms);
    sqlite3_progress_handler(session->connection, OPERATIONS_BETWEEN_CHECKS, alter_watch,
                             &watching);
    enum status status = session->within ? STATUS_OK : failpoint_hit("sqlite.before_alter", error);
    status = status == STATUS_OK ? run_within(&watching, answer, error) : status;
    sqlite3_progress_handler(session->connection, 0, NULL, NULL);
    return status == STATUS_OK && !session->within ? failpoint_hit("sqlite.after_alter", error)
                                                   : status;
}

static enum status alter_ask(struct alter_session *base, const char *sql, struct arena *arena,
                             const char **text, struct error *error)
{
    struct sqlite_alter *session = sqlite_alter_of(base);
    sqlite3_stmt *statement = NULL;
    *text = NULL;
    enum status status =
        sqlite_target_prepare(session->database, session->connection, sql, &statement, error);
    status = status == STATUS_OK ? sqlite_step(session->database, statement, error) : status;
    if (status == STATUS_OK) {
        sqlite_copy_text(statement, 0, arena, text);
    }
    sqlite3_finalize(statement);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status drop_temporary(struct sqlite_alter *session, struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_target_prepare(
        session->database, session->connection,
        "SELECT type, name FROM temp.sqlite_schema WHERE type IN ('table', 'view', 'trigger') AND "
        "name NOT GLOB 'sqlite_*' ORDER BY type = 'table'",
        &statement, error);
    while (status == STATUS_OK &&
           (status = sqlite_step(session->database, statement, error)) == STATUS_OK) {
        sqlite_append(&sql, "DROP %s IF EXISTS temp.%n;", sqlite_text_of(statement, 0),
                      sqlite_text_of(statement, 1));
    }
    sqlite3_finalize(statement);
    status = status == STATUS_END ? STATUS_OK : status;
    if (status == STATUS_OK && sql.length > 0) {
        status = alter_execute(session, buffer_string(&sql), error);
    }
    buffer_free(&sql);
    return status;
}

/* A transaction that the statements left open without `begin` was not asked to be committed. */
static enum status alter_settle_session(struct alter_session *base, struct error *error)
{
    struct sqlite_alter *session = sqlite_alter_of(base);
    if (sqlite3_get_autocommit(session->connection) == 0) {
        (void)sqlite3_exec(session->connection, "ROLLBACK", NULL, NULL, NULL);
    }
    enum status status = alter_execute(session, settings, error);
    return status == STATUS_OK ? drop_temporary(session, error) : status;
}

/* ---------------------------------------------------------------- what became of a statement */

static enum status hash_object(struct sqlite_alter *session, const struct alter_object *object,
                               XXH3_state_t *hash, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_target_prepare(
        session->database, session->connection,
        "SELECT type, name, sql FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE OR tbl_name "
        "= ?1 COLLATE NOCASE ORDER BY type, name",
        &statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, object->name, -1, SQLITE_STATIC);
    }
    while (status == STATUS_OK &&
           (status = sqlite_step(session->database, statement, error)) == STATUS_OK) {
        for (int i = 0; i < 3; i++) {
            alter_witness_add(hash, sqlite_text_of(statement, i));
        }
    }
    sqlite3_finalize(statement);
    alter_witness_add(hash, NULL);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status alter_witness(struct alter_session *base, const struct alter_object *objects,
                                 uint32_t count, struct arena *arena, const char **text,
                                 struct error *error)
{
    XXH3_state_t *hash = XXH3_createState();
    enum status status = STATUS_OK;
    XXH3_128bits_reset(hash);
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = hash_object(sqlite_alter_of(base), &objects[i], hash, error);
    }
    *text = alter_witness_end(hash, arena);
    return status;
}

/* Each statement of SQLite is carried out whole or not at all. */
static enum status alter_settle(struct alter_session *base, const struct alter_request *request,
                                const struct alter_object *objects, uint32_t count,
                                const char *before, enum alter_settled *settled,
                                struct error *error)
{
    if (sqlite_alter_repeats(request)) {
        *settled = ALTER_ABSENT;
        return STATUS_OK;
    }
    return alter_settle_by_witness(base, alter_witness, objects, count, before, settled, error);
}

const struct alter_functions sqlite_alter = {
    .languages = 1u << ALTER_SQL,
    .sql = SQL_SQLITE,
    .takes_back_ddl = true,
    .open = alter_open,
    .close = alter_close,
    .lock = alter_lock,
    .begin = alter_begin,
    .end = alter_end,
    .run = alter_run,
    .ask = alter_ask,
    .settle_session = alter_settle_session,
    .history_make = sql_history_make,
    .history_read = sql_history_read,
    .history_read_steps = sql_history_read_steps,
    .history_down_text = sql_history_down_text,
    .history_claim_read = sql_history_claim_read,
    .history_claim = sql_history_claim,
    .history_put = sql_history_put,
    .history_put_step = sql_history_put_step,
    .witness = alter_witness,
    .settle = alter_settle,
};
