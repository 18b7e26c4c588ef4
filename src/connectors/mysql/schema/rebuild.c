/*
 * Indexes of tables that are there: which go for the load, and how they come back.
 *
 * ALTER TABLE commits, and the server goes on with it when its client dies: so what is there is
 * looked at again before each, and once more when the server says that it is done already.
 */
#include "connectors/mysql/schema/rebuild.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/mysql/locks.h"
#include "connectors/mysql/store.h"
#include "connectors/sql/check.h"
#include "mysql_sql.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DUPLICATE_KEY_NAME = 1061, CANT_DROP = 1091, ATTEMPTS = 3 };

static const char notes_table[] = "_transhume_rebuild";

struct rebuilding {
    struct mysql_database *self;
    MYSQL *connection;
    struct arena *arena; /* of one table */
    struct error *error;
};

static enum status rebuild_ask(const struct rebuilding *rebuilding, struct buffer *sql,
                               MYSQL_RES **result)
{
    return mysql_run_buffer(rebuilding->self, rebuilding->connection, sql, SQL_SHORT,
                            ERROR_TARGET_SCHEMA, result, rebuilding->error);
}

/* A table as it is now, and the clauses of its definition. STATUS_END: there is none. */
static enum status rebuild_describe(const struct rebuilding *rebuilding, const char *name,
                                    struct mysql_table *facts, struct mysql_definition *definition)
{
    struct mysql_catalog catalog = {0};
    arena_reset(rebuilding->arena);
    enum status status = mysql_target_describe(rebuilding->self, rebuilding->connection, name,
                                               rebuilding->arena, facts, rebuilding->error);
    if (status != STATUS_OK) {
        return status;
    }
    struct schema schema = {.tables = (struct schema_table *)facts->schema, .table_count = 1};
    catalog = (struct mysql_catalog){.schema = &schema, .tables = facts, .table_count = 1};
    status = mysql_statements_read(rebuilding->self, rebuilding->connection, &catalog,
                                   rebuilding->arena, rebuilding->error);
    return status == STATUS_OK && facts->schema->native_sql != NULL
               ? mysql_definition_read(facts->schema->native_sql, rebuilding->arena, definition)
           : status == STATUS_OK ? STATUS_END
                                 : status;
}

/* ---------------------------------------------------------------- which go */

/* The first column of an index whose name stands in backquotes; "": it has no plain name. */
static const char *first_column(const struct mysql_table *facts, const struct text *quoted)
{
    for (uint32_t i = 0; i < facts->schema->index_count; i++) {
        const struct schema_index *index = &facts->schema->indexes[i];
        if (mysql_definition_is_name(quoted, index->name)) {
            return index->columns.count > 0 && index->columns.names[0] != NULL
                       ? index->columns.names[0]
                       : "";
        }
    }
    return "";
}

static bool is_of_own_reference(const struct mysql_table *facts, const char *column)
{
    for (uint32_t i = 0; i < facts->schema->foreign_key_count; i++) {
        const struct column_list columns = facts->schema->foreign_keys[i].columns;
        if (columns.count > 0 && strcasecmp(columns.names[0], column) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_counted(const struct mysql_table *facts, const char *column)
{
    int32_t position = mysql_find_column(facts, column);
    return position >= 0 && facts->columns[position].counted;
}

/* NULL: it goes. Only plain ones: what is unique keeps duplicates out one by one, and the others
 * can be made only one at a time. */
static const char *why_kept(const struct mysql_table *facts, const struct text *clause,
                            MYSQL_RES *referrers)
{
    static const char key[] = "KEY ";
    static const char unique[] = "UNIQUE ";
    const struct text name = mysql_definition_name(clause);
    const char *column = first_column(facts, &name);
    MYSQL_ROW row = NULL;
    if (strncmp(clause->data, key, sizeof key - 1) != 0) {
        return strncmp(clause->data, unique, sizeof unique - 1) == 0
                   ? "it is unique"
                   : "it is a full-text, spatial or vector index";
    }
    if (is_of_own_reference(facts, column)) {
        return "a foreign key needs it";
    }
    mysql_data_seek(referrers, 0);
    while ((row = mysql_fetch_row(referrers)) != NULL) {
        if (row[4] != NULL && strcasecmp(row[4], column) == 0) {
            return "a foreign key needs it";
        }
    }
    return is_counted(facts, column) ? "AUTO_INCREMENT needs it" : NULL;
}

/* Calls `one` for each secondary key of a table that is there. */
static enum status each_key(const struct rebuilding *rebuilding, const char *table,
                            enum status (*one)(const struct rebuilding *rebuilding,
                                               const char *table, const struct text *clause,
                                               const char *kept, void *context),
                            void *context)
{
    struct mysql_table facts;
    struct mysql_definition definition;
    MYSQL_RES *referrers = NULL;
    enum status status = rebuild_describe(rebuilding, table, &facts, &definition);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    status = rebuild_ask(
        rebuilding, mysql_filled(sql_referrers, rebuilding->self->sql.schema, table), &referrers);
    for (uint32_t i = 0; status == STATUS_OK && i < definition.count; i++) {
        if (definition.kinds[i] == MYSQL_CLAUSE_KEY) {
            const struct text *clause = &definition.clauses[i];
            status = one(rebuilding, table, clause, why_kept(&facts, clause, referrers), context);
        }
    }
    mysql_free_result(referrers);
    return status;
}

/* ---------------------------------------------------------------- foretelling */

/* Without its quotes, fit to be shown. */
static void show_name(const struct text *quoted, char shown[SQL_SHOWN_BYTES])
{
    char name[MYSQL_NAME_BYTES_MAX + 1];
    size_t length = 0;
    for (size_t i = 1; i + 1 < quoted->length && length < MYSQL_NAME_BYTES_MAX; i++) {
        name[length++] = quoted->data[i];
        i += quoted->data[i] == '`'; /* it stands twice */
    }
    text_printable(name, length, shown, SQL_SHOWN_BYTES);
}

static enum status rebuild_tell(const struct rebuilding *rebuilding, const char *table,
                                const struct text *clause, const char *kept, void *context)
{
    struct buffer *out = context;
    char owner[SQL_SHOWN_BYTES];
    const struct text name = mysql_definition_name(clause);
    char shown[SQL_SHOWN_BYTES];
    (void)rebuilding;
    show_name(&name, shown);
    buffer_format(out, "%s: the index %s ", sql_show_name(table, owner), shown);
    if (kept != NULL) {
        buffer_format(out, "stays: %s\n", kept);
    } else {
        buffer_append_string(out, "is dropped for the load, and made again after it\n");
    }
    return STATUS_OK;
}

enum status mysql_foretell(struct database *database, const struct prepare_request *request,
                           struct buffer *out, struct error *error)
{
    struct rebuilding rebuilding = {
        .self = mysql_database_of(database), .arena = arena_create(0), .error = error};
    enum status status = mysql_control(rebuilding.self, &rebuilding.connection, error);
    for (uint32_t i = 0;
         status == STATUS_OK && request->rebuilds_indexes && i < request->table_count; i++) {
        status = each_key(&rebuilding, request->tables[i].name, rebuild_tell, out);
    }
    arena_destroy(rebuilding.arena);
    return status;
}

enum status mysql_check_triggers(struct mysql_database *self, MYSQL *connection,
                                 const struct check_request *request, struct buffer *out,
                                 struct error *error)
{
    int64_t count = 0;
    if (!request->disables_triggers) {
        return STATUS_OK;
    }
    enum status status = mysql_ask_number(
        self, connection,
        mysql_sql("SELECT count(*) FROM information_schema.triggers WHERE event_object_schema "
                  "= %q AND event_object_table = %q",
                  self->sql.schema, request->table->name),
        SQL_SHORT, ERROR_TARGET_INVALID, 0, &count, error);
    if (status == STATUS_OK && count > 0) {
        buffer_append_string(out, "it has triggers, and the server can disable none: drop them "
                                  "until the run is done, or let them fire, with --triggers "
                                  "keep\n");
    }
    return status;
}

/* ---------------------------------------------------------------- noting */

static enum status make_notes_table(const struct rebuilding *rebuilding)
{
    struct buffer sql = {0};
    mysql_append(&sql,
                 "CREATE TABLE IF NOT EXISTS %t (number bigint NOT NULL AUTO_INCREMENT UNIQUE, "
                 "run varchar(64) NOT NULL, owner varchar(64) NOT NULL, name varchar(130) NOT "
                 "NULL, clause longtext NOT NULL, PRIMARY KEY (run, owner, name)) ENGINE=InnoDB "
                 "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT=DYNAMIC",
                 &rebuilding->self->sql, notes_table);
    enum status status = rebuild_ask(rebuilding, &sql, NULL);
    return status == STATUS_OK ? mysql_check_ours(rebuilding->self, rebuilding->connection,
                                                  rebuilding->self->sql.schema, rebuilding->error)
                               : status;
}

static enum status rebuild_note(const struct rebuilding *rebuilding, const char *table,
                                const struct text *clause, const char *kept, void *context)
{
    const struct text name = mysql_definition_name(clause);
    (void)context;
    if (kept != NULL) {
        return STATUS_OK;
    }
    return rebuild_ask(
        rebuilding,
        mysql_sql("INSERT IGNORE INTO %t (run, owner, name, clause) VALUES (%q, %q, %Q, %Q)",
                  &rebuilding->self->sql, notes_table, rebuilding->self->sql.run_id, table,
                  name.data, name.length, clause->data, clause->length),
        NULL);
}

static enum status note_within(const struct rebuilding *rebuilding,
                               const struct prepare_request *request)
{
    enum status status =
        mysql_check_claim(rebuilding->self, rebuilding->connection, rebuilding->error);
    for (uint32_t i = 0; status == STATUS_OK && i < request->table_count; i++) {
        if (!request->tables[i].created) {
            status = each_key(rebuilding, request->tables[i].name, rebuild_note, NULL);
        }
    }
    return status == STATUS_OK ? failpoint_hit("mysql.before_note", rebuilding->error) : status;
}

/* ---------------------------------------------------------------- one table */

struct table_change {
    const char *owner;
    MYSQL_RES *notes;    /* rows owner, name, clause */
    uint64_t first, end; /* the owner's */
    bool drops;
    const char *failpoints[2];
};

static bool is_there(const struct mysql_definition *definition, const char *quoted)
{
    for (uint32_t i = 0; i < definition->count; i++) {
        const struct text name = definition->kinds[i] == MYSQL_CLAUSE_KEY
                                     ? mysql_definition_name(&definition->clauses[i])
                                     : (struct text){0};
        if (name.length > 0 && name.length == strlen(quoted) &&
            strncasecmp(name.data, quoted, name.length) == 0) {
            return true;
        }
    }
    return false;
}

/* ALTER TABLE for what is to be changed still, all of it in one pass; empty: nothing is. */
static void append_change(struct buffer *sql, const struct rebuilding *rebuilding,
                          const struct table_change *change,
                          const struct mysql_definition *definition)
{
    mysql_data_seek(change->notes, change->first);
    for (uint64_t i = change->first; i < change->end; i++) {
        MYSQL_ROW row = mysql_fetch_row(change->notes);
        if (row == NULL || is_there(definition, row[1]) != change->drops) {
            continue;
        }
        if (sql->length == 0) {
            mysql_append(sql, "ALTER TABLE %t ", &rebuilding->self->sql, change->owner);
        } else {
            buffer_append_string(sql, ", ");
        }
        buffer_format(sql, "%s%s", change->drops ? "DROP KEY " : "ADD ",
                      change->drops ? row[1] : row[2]);
    }
}

/* STATUS_AGAIN: another one did a part of it meanwhile. */
static enum status alter(const struct rebuilding *rebuilding, const struct table_change *change,
                         struct buffer *sql)
{
    struct error *error = rebuilding->error;
    if (failpoint_hit(change->failpoints[0], error) != STATUS_OK) {
        buffer_free(sql);
        return STATUS_FAILED;
    }
    enum status status =
        mysql_alter(rebuilding->self, rebuilding->connection, sql, change->owner,
                    change->drops ? SQL_LONG : SQL_BUILD, ERROR_TARGET_SCHEMA, error);
    if (status == STATUS_OK) {
        return failpoint_hit(change->failpoints[1], error);
    }
    if (error->native_code == DUPLICATE_KEY_NAME || error->native_code == CANT_DROP) {
        return STATUS_AGAIN;
    }
    error_context(error, "%s: ", change->owner);
    return STATUS_FAILED;
}

static enum status change_table(const struct rebuilding *rebuilding,
                                const struct table_change *change)
{
    enum status status = STATUS_AGAIN;
    for (int i = 0; status == STATUS_AGAIN && i < ATTEMPTS; i++) {
        struct mysql_table facts;
        struct mysql_definition definition;
        struct buffer sql = {0};
        status = rebuild_describe(rebuilding, change->owner, &facts, &definition);
        if (status == STATUS_END) {
            log_write(LOG_WARNING, "%s: its indexes are not put back: the table is gone",
                      change->owner);
            return STATUS_OK;
        }
        if (status != STATUS_OK) {
            return status;
        }
        append_change(&sql, rebuilding, change, &definition);
        status = sql.length > 0 ? alter(rebuilding, change, &sql) : STATUS_OK;
    }
    return status == STATUS_AGAIN ? STATUS_FAILED : status;
}

/* ---------------------------------------------------------------- all tables */

static enum status list_notes(const struct rebuilding *rebuilding, const char *run_id,
                              MYSQL_RES **notes)
{
    return rebuild_ask(
        rebuilding,
        mysql_sql("SELECT owner, name, clause FROM %t WHERE run = %q ORDER BY owner, number",
                  &rebuilding->self->sql, notes_table, run_id),
        notes);
}

static enum status change_all(const struct rebuilding *rebuilding, struct table_change change,
                              void (*progress)(const char *what))
{
    uint64_t count = mysql_num_rows(change.notes);
    enum status status = STATUS_OK;
    for (change.first = 0; status == STATUS_OK && change.first < count; change.first = change.end) {
        char line[200];
        char owner[SQL_SHOWN_BYTES];
        MYSQL_ROW row = NULL;
        mysql_data_seek(change.notes, change.first);
        row = mysql_fetch_row(change.notes);
        change.owner = row[0];
        for (change.end = change.first; row != NULL && strcmp(row[0], change.owner) == 0;
             change.end++) {
            row = mysql_fetch_row(change.notes);
        }
        if (progress != NULL) {
            snprintf(line, sizeof line, "indexes of %s", sql_show_name(change.owner, owner));
            progress(line);
        }
        status = change_table(rebuilding, &change);
    }
    return status;
}

enum status mysql_rebuild_drop(struct mysql_database *self, const struct prepare_request *request,
                               struct error *error)
{
    struct rebuilding rebuilding = {.self = self, .error = error};
    struct table_change change = {
        .drops = true, .failpoints = {"mysql.before_keys_drop", "mysql.after_keys_drop"}};
    bool wanted = false;
    for (uint32_t i = 0; request->rebuilds_indexes && i < request->table_count; i++) {
        wanted = wanted || !request->tables[i].created;
    }
    if (!wanted || self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    rebuilding.arena = arena_create(0);
    enum status status = mysql_control(self, &rebuilding.connection, error);
    status = status == STATUS_OK ? make_notes_table(&rebuilding) : status;
    if (status == STATUS_OK && mysql_begin(self, &rebuilding.connection, error) == STATUS_OK) {
        status = mysql_end(self, rebuilding.connection, note_within(&rebuilding, request), error);
    } else {
        status = STATUS_FAILED;
    }
    status = status == STATUS_OK ? failpoint_hit("mysql.after_note", error) : status;
    status =
        status == STATUS_OK ? list_notes(&rebuilding, self->sql.run_id, &change.notes) : status;
    status = status == STATUS_OK ? change_all(&rebuilding, change, NULL) : status;
    mysql_free_result(change.notes);
    arena_destroy(rebuilding.arena);
    return status;
}

/* ---------------------------------------------------------------- putting back */

static enum status end_within(const struct rebuilding *rebuilding, const char *run_id)
{
    if (mysql_check_claim(rebuilding->self, rebuilding->connection, rebuilding->error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    return rebuild_ask(rebuilding,
                       mysql_sql("DELETE FROM %t WHERE run = %q", &rebuilding->self->sql,
                                 notes_table, run_id),
                       NULL) == STATUS_OK
               ? failpoint_hit("mysql.before_notes_end", rebuilding->error)
               : STATUS_FAILED;
}

static enum status put_back(struct rebuilding *rebuilding, const char *run_id,
                            void (*progress)(const char *what))
{
    struct mysql_database *self = rebuilding->self;
    struct table_change change = {.failpoints = {"mysql.before_put_back", "mysql.after_put_back"}};
    enum status status = list_notes(rebuilding, run_id, &change.notes);
    bool any = status == STATUS_OK && mysql_num_rows(change.notes) > 0;
    status = status == STATUS_OK ? change_all(rebuilding, change, progress) : status;
    mysql_free_result(change.notes);
    if (status != STATUS_OK || !any) {
        return status;
    }
    status = mysql_begin(self, &rebuilding->connection, rebuilding->error);
    status = status == STATUS_OK ? mysql_end(self, rebuilding->connection,
                                             end_within(rebuilding, run_id), rebuilding->error)
                                 : status;
    return status == STATUS_OK ? failpoint_hit("mysql.after_notes_end", rebuilding->error) : status;
}

enum status mysql_put_back(struct mysql_database *self, const char *run_id,
                           void (*progress)(const char *what), struct error *error)
{
    struct rebuilding rebuilding = {.self = self, .error = error};
    MYSQL_RES *names = NULL;
    uint32_t triggers = 0;
    if (run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = mysql_quiet_put_back(self, run_id, &triggers, error);
    status = status == STATUS_OK ? mysql_control(self, &rebuilding.connection, error) : status;
    status = status == STATUS_OK
                 ? mysql_list_own(self, rebuilding.connection, notes_table, &names, error)
                 : status;
    bool noted = status == STATUS_OK && mysql_num_rows(names) > 0;
    mysql_free_result(names);
    if (status != STATUS_OK || !noted) {
        return status;
    }
    rebuilding.arena = arena_create(0);
    status = put_back(&rebuilding, run_id, progress);
    arena_destroy(rebuilding.arena);
    return status;
}
