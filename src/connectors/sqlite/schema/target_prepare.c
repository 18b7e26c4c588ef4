/* Before the load: the new file's own settings, and the tables that are missing, in one
 * transaction. */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/sqlite/ledger_internal.h"
#include "connectors/sqlite/source.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- settings of the file */

struct settings {
    int64_t page_size; /* -1: not said, as the others */
    int64_t auto_vacuum;
    int64_t application_id;
    int64_t user_version;
    char encoding[16];
};

/* "encoding=UTF-8 page_size=4096 …", as the source side of this connector says it. */
static void read_settings(const char *text, struct settings *settings)
{
    struct {
        const char *name;
        int64_t *value;
    } const numbers[] = {{"page_size=", &settings->page_size},
                         {"auto_vacuum=", &settings->auto_vacuum},
                         {"application_id=", &settings->application_id},
                         {"user_version=", &settings->user_version}};

    *settings = (struct settings){-1, -1, -1, -1, ""};
    for (const char *at = text; *at != '\0'; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        if (strncmp(at, "encoding=", 9) == 0 && length - 9 < sizeof settings->encoding) {
            snprintf(settings->encoding, sizeof settings->encoding, "%.*s", (int)(length - 9),
                     at + 9);
        }
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            size_t name = strlen(numbers[i].name);
            if (length > name && strncmp(at, numbers[i].name, name) == 0 &&
                text_to_int64(at + name, length - name, numbers[i].value) != STATUS_OK) {
                *numbers[i].value = -1;
            }
        }
        at += length;
    }
}

static bool encoding_is_known(const char *encoding)
{
    return strcmp(encoding, "UTF-8") == 0 || strcmp(encoding, "UTF-16le") == 0 ||
           strcmp(encoding, "UTF-16be") == 0;
}

/* The settings that can be made only before a file holds anything. */
static void append_first_settings(const struct settings *settings, struct buffer *sql)
{
    if (settings->page_size >= 512 && settings->page_size <= 65536) {
        buffer_format(sql, "PRAGMA page_size=%lld;", (long long)settings->page_size);
    }
    if (settings->auto_vacuum >= 0 && settings->auto_vacuum <= 2) {
        buffer_format(sql, "PRAGMA auto_vacuum=%lld;", (long long)settings->auto_vacuum);
    }
    if (encoding_is_known(settings->encoding)) {
        buffer_format(sql, "PRAGMA encoding='%s';", settings->encoding);
    }
}

static enum status pragma_text(struct sqlite_database *self, sqlite3 *connection, const char *sql,
                               char *value, size_t capacity, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_target_prepare(self, connection, sql, &statement, error);

    value[0] = '\0';
    if (status == STATUS_OK && (status = sqlite_step(self, statement, error)) == STATUS_OK) {
        snprintf(value, capacity, "%s", sqlite_text_of(statement, 0));
    }
    sqlite3_finalize(statement);
    return status == STATUS_END ? STATUS_OK : status;
}

/* Does the file hold nothing but the ledger? */
static enum status holds_ledger_alone(struct sqlite_database *self, bool *alone,
                                      struct error *error)
{
    char others[32];
    enum status status = pragma_text(
        self, self->control,
        "SELECT count(*) FROM main.sqlite_schema WHERE tbl_name != '" SQL_STORE_TABLE "'", others,
        sizeof others, error);

    *alone = strcmp(others, "0") == 0;
    return status;
}

/* Is it that, and set otherwise than the source? */
static enum status needs_new_file(struct sqlite_database *self, struct settings *settings,
                                  bool *needed, bool *in_wal, struct error *error)
{
    bool alone = false;
    char journal[32];
    char page_size[32];
    char auto_vacuum[32];
    char encoding[32];

    *needed = false;
    if (holds_ledger_alone(self, &alone, error) != STATUS_OK ||
        pragma_text(self, self->control, "PRAGMA main.page_size", page_size, sizeof page_size,
                    error) != STATUS_OK ||
        pragma_text(self, self->control, "PRAGMA main.journal_mode", journal, sizeof journal,
                    error) != STATUS_OK ||
        pragma_text(self, self->control, "PRAGMA main.auto_vacuum", auto_vacuum, sizeof auto_vacuum,
                    error) != STATUS_OK ||
        pragma_text(self, self->control, "PRAGMA main.encoding", encoding, sizeof encoding,
                    error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *in_wal = strcmp(journal, "wal") == 0;
    if (*in_wal) {
        /* a file in WAL mode keeps the page size that it has */
        settings->page_size = strtoll(page_size, NULL, 10);
    }
    *needed =
        alone &&
        ((settings->page_size > 0 && settings->page_size != strtoll(page_size, NULL, 10)) ||
         (settings->auto_vacuum >= 0 && settings->auto_vacuum != strtoll(auto_vacuum, NULL, 10)) ||
         (encoding_is_known(settings->encoding) && strcmp(settings->encoding, encoding) != 0));
    return STATUS_OK;
}

static enum status copy_ledger(struct sqlite_database *self, sqlite3 *to, struct error *error)
{
    sqlite3_stmt *read = NULL;
    sqlite3_stmt *write = NULL;
    int result = SQLITE_DONE;
    enum status status = sqlite_target_prepare(
        self, self->control, "SELECT name, version, value FROM main." SQL_STORE_TABLE, &read,
        error);

    if (status == STATUS_OK) {
        status = sqlite_target_prepare(self, to,
                                       "INSERT OR REPLACE INTO main." SQL_STORE_TABLE
                                       " (name, version, value) VALUES (?1, ?2, ?3)",
                                       &write, error);
    }
    while (status == STATUS_OK && (result = sqlite3_step(read)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(read); i++) {
            sqlite3_bind_value(write, i + 1, sqlite3_column_value(read, i));
        }
        if ((result = sqlite_target_step(write)) != SQLITE_DONE) {
            status = sqlite_target_error(self, to, result, ERROR_TARGET_SCHEMA,
                                         "the ledger can't be copied", error);
        }
    }
    if (status == STATUS_OK && result != SQLITE_DONE) {
        status = sqlite_target_error(self, self->control, result, ERROR_TARGET_SCHEMA,
                                     "the ledger can't be read", error);
    }
    sqlite3_finalize(read);
    sqlite3_finalize(write);
    return status;
}

static enum status build_image(struct sqlite_database *self, const struct settings *settings,
                               sqlite3 *image, struct error *error)
{
    struct buffer sql = {0};

    append_first_settings(settings, &sql);
    enum status status =
        sqlite_target_execute(self, image, buffer_string(&sql), ERROR_TARGET_SCHEMA, error);
    buffer_free(&sql);
    bool there = false; /* not where the ledger is elsewhere */
    status = status == STATUS_OK ? sqlite_ledger_has_table(self, SQL_STORE_TABLE, &there, error)
                                 : status;
    if (status == STATUS_OK && there) {
        status = sqlite_place_make(self, image, error);
    }
    if (status == STATUS_OK && there) {
        status = copy_ledger(self, image, error);
    }
    return status;
}

/* The bytes that each commit of anybody changes: the counter in the header, or the head of the
 * WAL's index.
 */
struct version {
    bool known;
    bool in_wal;
    unsigned char header[100];
    struct wal_version wal;
};

struct version_place {
    bool in_wal;
    sqlite3_file *file;
    const volatile uint32_t *wal_index; /* NULL: none, or it can't be seen */
};

static struct version_place find_version(sqlite3 *connection, bool in_wal)
{
    struct version_place place = {.in_wal = in_wal,
                                  .wal_index = in_wal ? wal_index_map(connection) : NULL};
    sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &place.file);
    return place;
}

/* While the file is locked against writers. It asks the file alone, and no connection. */
static struct version read_version(const struct version_place *place)
{
    struct version version = {.in_wal = place->in_wal};
    if (place->in_wal) {
        version.known = wal_version_read(place->wal_index, &version.wal);
    } else if (place->file != NULL && place->file->pMethods != NULL) {
        int result =
            place->file->pMethods->xRead(place->file, version.header, sizeof version.header, 0);
        version.known = result == SQLITE_OK || result == SQLITE_IOERR_SHORT_READ;
    }
    return version;
}

static bool same_version(const struct version *left, const struct version *right)
{
    return left->known && right->known && left->in_wal == right->in_wal &&
           memcmp(left->header, right->header, sizeof left->header) == 0 &&
           memcmp(&left->wal, &right->wal, sizeof left->wal) == 0;
}

/*
 * The backup replaces the whole file in one transaction of its own, which can't be the one in which
 * the file was looked at: its first step, of no page, locks the file, and if that is not as it was
 * then, the transaction is given up.
 */
static int replace_file(sqlite3 *control, sqlite3 *image, const struct version *seen,
                        bool *replaced)
{
    struct version_place place = find_version(control, seen->in_wal);
    sqlite3_backup *backup = sqlite3_backup_init(control, "main", image, "main");

    *replaced = false;
    if (backup == NULL) {
        return sqlite3_errcode(control);
    }
    int stepped = sqlite3_backup_step(backup, 0);
    if (stepped == SQLITE_OK) {
        struct version now = read_version(&place);
        *replaced = same_version(seen, &now);
        stepped = *replaced ? sqlite3_backup_step(backup, -1) : SQLITE_DONE;
    }
    int result = sqlite3_backup_finish(backup);
    return stepped != SQLITE_DONE && result == SQLITE_OK ? stepped : result;
}

static enum status replace_with(struct sqlite_database *self, sqlite3 *image,
                                const struct version *seen, struct error *error)
{
    bool replaced = false;

    if (failpoint_hit("sqlite.before_replace", error) != STATUS_OK ||
        sqlite_turn_take(self, SQLITE_TURN_CONTROL, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int result = replace_file(self->control, image, seen, &replaced);
    enum status status = STATUS_OK;
    if (result != SQLITE_OK) {
        status = sqlite_target_error(self, self->control, result, ERROR_TARGET_SCHEMA,
                                     "the file can't be given the source's settings", error);
    } else {
        /* The connection has settled on the old encoding. */
        sqlite_connection_close(self->control);
        self->control = NULL;
        status = sqlite_connection_open(self->path, CONNECTION_CREATE, self->timeout_ms,
                                        &self->control, error);
    }
    status = status == STATUS_OK ? sqlite_target_set_up(self, self->control, error) : status;
    sqlite_turn_give(self);
    if (status == STATUS_OK && !replaced) {
        log_write(LOG_WARNING,
                  "%s keeps its page size, its encoding and its auto_vacuum, which are not the "
                  "source's: another process wrote to it just now",
                  self->sql.shown);
    }
    return status == STATUS_OK ? failpoint_hit("sqlite.after_replace", error) : status;
}

/* In one transaction: if the file has to be made anew, with what in it; `*image` NULL: it stays. */
static enum status look_and_build(struct sqlite_database *self, struct settings *settings,
                                  sqlite3 **image, struct version *seen, struct error *error)
{
    bool needed = false;
    bool in_wal = false;

    if (sqlite_claim_check(self, error) != STATUS_OK ||
        needs_new_file(self, settings, &needed, &in_wal, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!needed) {
        return STATUS_OK;
    }
    struct version_place place = find_version(self->control, in_wal);
    *seen = read_version(&place);
    int result =
        sqlite3_open_v2(":memory:", image, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (result != SQLITE_OK) {
        return sqlite_target_error(self, *image, result, ERROR_TARGET_SCHEMA, "no room for it",
                                   error);
    }
    return build_image(self, settings, *image, error);
}

/* Page size and encoding are fixed by the first table of a file, which is the ledger's: so the file
 * is made anew around it, as long as it holds nothing else. */
static enum status carry_first_settings(struct sqlite_database *self, struct settings *settings,
                                        struct error *error)
{
    sqlite3 *image = NULL;
    struct version seen = {0};

    if (sqlite_control_begin(self, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        sqlite_control_end(self, look_and_build(self, settings, &image, &seen, error), error);
    status =
        status == STATUS_OK && image != NULL ? replace_with(self, image, &seen, error) : status;
    sqlite3_close(image);
    return status;
}

static enum status carry_numbers(struct sqlite_database *self, const struct settings *settings,
                                 struct error *error)
{
    char sql[128];

    snprintf(sql, sizeof sql, "PRAGMA main.application_id=%lld; PRAGMA main.user_version=%lld",
             (long long)settings->application_id, (long long)settings->user_version);
    return sqlite_target_execute(self, self->control, sql, ERROR_TARGET_SCHEMA, error);
}

/* ---------------------------------------------------------------- tables */

static bool has_sequence(const struct schema *objects, const char *table)
{
    for (uint32_t i = 0; objects != NULL && i < objects->object_count; i++) {
        const struct schema_object *object = &objects->objects[i];
        if (object->kind == SCHEMA_OBJECT_SEQUENCE && object->table != NULL &&
            sqlite_same_name(object->table, table)) {
            return true;
        }
    }
    return false;
}

enum status sqlite_create_table(const struct target_table *table, const struct schema *objects,
                                sqlite_take_statement *take, void *context, struct error *error)
{
    const struct schema_table *same = table->same_engine;
    bool whole = same != NULL && same->kind == SCHEMA_TABLE && same->native_sql != NULL &&
                 sqlite_same_name(same->name, table->name);
    struct buffer sql = {0};

    if (whole) {
        buffer_append_string(&sql, same->native_sql);
    } else {
        sqlite_schema_append_table(table, has_sequence(objects, table->name), &sql);
    }
    enum status status = take(context, "table", table->name, &sql, error);
    /* now and not after the load, so that a second record under one value is one reject */
    for (uint32_t i = 0; !whole && status == STATUS_OK && i < table->index_count; i++) {
        if (table->indexes[i].unique) {
            sqlite_schema_append_index(table, &table->indexes[i], &sql);
            status = take(context, "index", table->indexes[i].name, &sql, error);
        }
    }
    return status;
}

static enum status target_prepare_send(void *context, const char *what, const char *name,
                                       struct buffer *sql, struct error *error)
{
    struct sqlite_database *self = context;
    enum status status = sqlite_schema_create(self, what, name, buffer_string(sql), error);
    buffer_free(sql);
    return status;
}

static enum status prepare_table(struct sqlite_database *self, struct target_table *table,
                                 const struct schema *objects, struct arena *arena,
                                 struct error *error)
{
    struct sqlite_target_table facts;
    bool made = false;

    if (sqlite_ledger_was_made(self, table->name, &made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        sqlite_target_describe(self, self->control, table->name, arena, &facts, error);
    if (status == STATUS_FAILED) {
        return status;
    }
    table->created = made;
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    if (made) {
        error_set(error, ERROR_TARGET_SCHEMA, table->name,
                  "this run made the table and it is gone, while its chunks are marked as done");
        error_hint(error, "start a new run with an empty target");
        return STATUS_FAILED;
    }
    table->created = true;
    status = sqlite_create_table(table, objects, target_prepare_send, self, error);
    return status == STATUS_OK ? sqlite_ledger_note_made(self, table->name, error) : status;
}

static enum status prepare_all(struct sqlite_database *self, const struct prepare_request *request,
                               const struct settings *settings, struct error *error)
{
    struct arena *arena = arena_create(0);
    bool ours_alone = false; /* asked before there are tables, and here: others may have come */
    enum status status = failpoint_hit("sqlite.before_schema", error);

    status = status == STATUS_OK ? sqlite_claim_check(self, error) : status;
    if (status == STATUS_OK && settings != NULL) {
        status = holds_ledger_alone(self, &ours_alone, error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < request->table_count; i++) {
        status = prepare_table(self, &request->tables[i], request->objects, arena, error);
    }
    if (status == STATUS_OK && ours_alone) {
        status = carry_numbers(self, settings, error);
    }
    arena_destroy(arena);
    return status;
}

enum status sqlite_target_prepare_tables(struct database *database,
                                         const struct prepare_request *request, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    const char *text = request->objects != NULL ? request->objects->settings : NULL;
    struct settings settings;

    if (text != NULL) {
        read_settings(text, &settings);
        if (carry_first_settings(self, &settings, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (sqlite_control_begin(self, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = sqlite_control_end(
        self, prepare_all(self, request, text != NULL ? &settings : NULL, error), error);
    return status == STATUS_OK ? failpoint_hit("sqlite.after_schema", error) : status;
}

/* ---------------------------------------------------------------- columns that came later */

static enum status add_columns(struct sqlite_database *self, const struct target_table *table,
                               struct column_list columns, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < columns.count && status == STATUS_OK; i++) {
        struct schema_column column = target_table_added_column(table, columns.names[i]);
        struct buffer sql = {0};
        sqlite_append(&sql, "ALTER TABLE %n ADD COLUMN ", table->name);
        sqlite_schema_append_column(table, &column, &sql);
        status = sqlite_target_execute(self, self->control, buffer_string(&sql),
                                       ERROR_TARGET_SCHEMA, error);
        buffer_free(&sql);
    }
    return status;
}

enum status sqlite_target_add_columns(struct database *database, const struct target_table *table,
                                      struct column_list columns, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    if (sqlite_control_begin(self, true, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sqlite_control_end(self, add_columns(self, table, columns, error), error);
}

/* ---------------------------------------------------------------- columns that are to hold more */

static enum status refuse_altering(const struct target_table *table, const char *column,
                                   const char *declared, const char *wanted, struct error *error)
{
    error_set(error, ERROR_TARGET_SCHEMA, table->name,
              wanted != NULL
                  ? "its column %s is declared %s, which keeps other values than %s, and "
                    "SQLite alters no column"
                  : "its column %s is declared %s NOT NULL, and SQLite alters no column",
              column, declared[0] != '\0' ? declared : "without a type", wanted);
    return error_hint(error, "make the table again with that column, and copy its rows over");
}

/* All declarations of one affinity keep the same values: nothing need be done. */
static enum status check_column(struct sqlite_database *self, const struct target_table *table,
                                const char *name, struct error *error)
{
    struct schema_column column = target_table_column(table, name);
    struct buffer wanted = {0};
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_column_type(&self->sql.base, table, &column, &wanted, error);
    status = status == STATUS_END ? STATUS_OK : status;
    int result = sqlite3_prepare_v2(
        self->control, "SELECT type, \"notnull\" FROM pragma_table_info(?1) WHERE name = ?2", -1,
        &statement, NULL);
    if (status == STATUS_OK && result == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, table->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
        result = sqlite3_step(statement);
    }
    if (status == STATUS_OK && result == SQLITE_ROW) {
        const char *type = sqlite_text_of(statement, 0);
        const char *declared = type != NULL ? type : "";
        bool fixed = sqlite3_column_int(statement, 1) != 0 && !column.not_null &&
                     !column_list_holds(table->key, name);
        bool same = sqlite_affinity_of(declared) == sqlite_affinity_of(buffer_string(&wanted));
        status = !same   ? refuse_altering(table, name, declared, buffer_string(&wanted), error)
                 : fixed ? refuse_altering(table, name, declared, NULL, error)
                         : STATUS_OK;
    }
    sqlite3_finalize(statement);
    buffer_free(&wanted);
    return status;
}

enum status sqlite_target_alter_columns(struct database *database, const struct target_table *table,
                                        struct column_list columns, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < columns.count && status == STATUS_OK; i++) {
        status = check_column(self, table, columns.names[i], error);
    }
    return status;
}
