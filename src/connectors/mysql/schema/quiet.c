/*
 * The parts of the tables that answer to applied changes. Sessions that apply set
 * foreign_key_checks = 0: then foreign keys neither refuse nor act. Triggers can't be told not to
 * fire, so they are dropped while changes are applied, and made again in the server's own words.
 *
 * _transhume_silenced  a trigger each, noted before it is dropped: `settings` (a SET statement, or
 *                      empty) and `statement` make it again
 *
 * DDL commits: a trigger whose note stands may be there or not. Before the first one is dropped, it
 * is tried whether the account may make triggers with their definers.
 */
#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/contract/apply.h"
#include "connectors/mysql/catalog.h"
#include "connectors/mysql/locks.h"
#include "connectors/mysql/schema/objects.h"
#include "connectors/mysql/schema/rebuild.h"
#include "connectors/mysql/statement.h"
#include "connectors/mysql/store.h"
#include "connectors/mysql/translate.h"
#include "connectors/sql/check.h"
#include "connectors/sql/place.h"
#include "mysql_sql.h"
#include <string.h>

enum { RIGHT_MISSING = 1227, BINARY_LOG_IN_THE_WAY = 1419 };
enum { ROW_NAME, ROW_DEFINER, ROW_OWN };

static const char notes_table[] = "_transhume_silenced";

struct quieting {
    struct mysql_database *self;
    MYSQL *connection;
    const struct apply_silence *silence;
    struct lack_list *lacks; /* NULL: the first refusal ends it */
    struct arena *arena;
    bool may_define; /* triggers of other accounts */
    bool may_make;   /* triggers, beside the binary log */
    bool may_see;    /* with rights of a role, nobody knows: then it is true */
    uint32_t dropped;
    struct error *error;
};

static enum status triggers_query(const struct quieting *quieting, struct buffer *sql,
                                  MYSQL_RES **result)
{
    return mysql_run_buffer(quieting->self, quieting->connection, sql, SQL_SHORT,
                            ERROR_TARGET_SCHEMA, result, quieting->error);
}

/* ---------------------------------------------------------------- what is refused */

static enum status trigger_refuse(const struct quieting *quieting, const char *table,
                                  const char *what, const char *helps)
{
    error_set(quieting->error, ERROR_FOLLOW, table, "%s", what);
    return error_hint(quieting->error, "%s, or let triggers fire: --follow-triggers fire", helps);
}

static enum status take_refusal(const struct quieting *quieting, enum status status)
{
    return lacks_take(quieting->lacks, status, quieting->error);
}

static const char *account_of(const struct quieting *quieting)
{
    return mysql_account(quieting->self, quieting->connection, quieting->arena);
}

const char *mysql_right_to_define(const struct mysql_database *self)
{
    return self->mariadb ? "SET USER" : self->version >= 80200u ? "SET_ANY_DEFINER" : "SET_USER_ID";
}

static const char *right_to_define(const struct quieting *quieting)
{
    return arena_format(quieting->arena, "GRANT %s ON *.* TO %s",
                        mysql_right_to_define(quieting->self), account_of(quieting));
}

static const char *right_to_make(const struct quieting *quieting, const char *schema)
{
    struct buffer place = {0};
    mysql_append_all_of(&place, quieting->self, quieting->connection, NULL, schema);
    const char *grant = arena_format(quieting->arena, "GRANT TRIGGER ON %s TO %s",
                                     buffer_string(&place), account_of(quieting));
    buffer_free(&place);
    return grant;
}

static const char trust[] = "SET GLOBAL log_bin_trust_function_creators = 1";

static enum status check_definer(const struct quieting *quieting, const char *table,
                                 const char *shown, MYSQL_ROW row)
{
    return row[ROW_OWN][0] == '1' || quieting->may_define
               ? STATUS_OK
               : trigger_refuse(
                     quieting, table,
                     arena_format(quieting->arena,
                                  "the trigger %s would fire on applied changes, and the account "
                                  "could not make it again: it belongs to %s",
                                  shown, row[ROW_DEFINER]),
                     right_to_define(quieting));
}

/* By what the server says of the account's rights; the last word has the trial. */
static enum status check_row(const struct quieting *quieting, const char *table, MYSQL_ROW row)
{
    char shown[SQL_SHOWN_BYTES];
    sql_show_name(row[ROW_NAME], shown);
    if (quieting->silence->answers == APPLY_ANSWERS_REFUSED) {
        return trigger_refuse(
            quieting, table,
            arena_format(quieting->arena, "the trigger %s fires on applied changes", shown),
            "drop it until the cut-over, or leave out --follow-triggers refuse");
    }
    if (take_refusal(quieting, check_definer(quieting, table, shown, row)) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!quieting->may_make) {
        return trigger_refuse(
            quieting, table,
            arena_format(quieting->arena,
                         "the trigger %s would fire on applied changes, and the account "
                         "could not make it again: the server writes a binary log",
                         shown),
            trust);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what is there */

/* '1' for what the account has got itself. */
static enum status read_rights(struct quieting *quieting)
{
    static const char sql[] =
        "SELECT COUNT(IF(privilege_type IN ('SUPER', 'SET USER', 'SET_USER_ID', "
        "'SET_ANY_DEFINER'), 1, NULL)) > 0, COUNT(IF(privilege_type = 'SUPER', 1, NULL)) > 0 OR "
        "NOT @@log_bin OR @@log_bin_trust_function_creators, CURRENT_ROLE() IS NOT NULL AND "
        "CURRENT_ROLE() <> 'NONE' FROM information_schema.user_privileges WHERE grantee = "
        "CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - "
        "CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1), '''@''', "
        "SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')";
    MYSQL_RES *result = NULL;
    struct error ignored = {0};
    quieting->may_define = quieting->may_make = quieting->may_see = true;
    if (mysql_run(quieting->self, quieting->connection, sql, SQL_SHORT, ERROR_TARGET_INVALID,
                  &result, &ignored) != STATUS_OK) { /* a server without roles, or without a log */
        return mysql_is_alive(quieting->connection) ? STATUS_OK
                                                    : error_copy(quieting->error, &ignored);
    }
    MYSQL_ROW row = mysql_fetch_row(result);
    if (row != NULL && row[2] != NULL && row[2][0] != '1') {
        quieting->may_define = row[0] != NULL && row[0][0] == '1';
        quieting->may_make = row[1] != NULL && row[1][0] == '1';
        quieting->may_see = false; /* asked table by table */
    }
    mysql_free_result(result);
    return STATUS_OK;
}

static enum status may_see_triggers(const struct quieting *quieting, struct sql_table_place place,
                                    bool *may)
{
    MYSQL_RES *result = NULL;
    *may = quieting->may_see;
    if (*may) {
        return STATUS_OK;
    }
    enum status status =
        triggers_query(quieting, mysql_filled(sql_triggers, place.schema, place.name), &result);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    *may = row != NULL && row[0] != NULL && strcmp(row[0], "0") != 0;
    mysql_free_result(result);
    return status;
}

/* In the order in which they fire. Those of ours are for others alone. */
static enum status list_triggers(const struct quieting *quieting, struct sql_table_place place,
                                 MYSQL_RES **rows)
{
    return triggers_query(
        quieting,
        mysql_filled("SELECT trigger_name, definer, definer = CURRENT_USER() FROM "
                     "information_schema.triggers WHERE event_object_schema = $1 AND "
                     "event_object_table = $2 AND trigger_name NOT LIKE '\\_transhume%' ORDER "
                     "BY action_timing, event_manipulation, action_order",
                     place.schema, place.name),
        rows);
}

static enum status foresee_table(const struct quieting *quieting, const char *table,
                                 struct buffer *out)
{
    const struct sql_table_place place = sql_place_of(&quieting->self->sql, table);
    MYSQL_RES *rows = NULL;
    int64_t there = 0;
    bool may = true;
    enum status status = mysql_ask_number(
        quieting->self, quieting->connection,
        mysql_filled("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = $1 "
                     "AND table_name = $2",
                     place.schema, place.name),
        SQL_SHORT, ERROR_TARGET_INVALID, 0, &there, quieting->error);
    if (status != STATUS_OK || there == 0) {
        return status;
    }
    status = may_see_triggers(quieting, place, &may);
    if (status == STATUS_OK && !may) {
        return trigger_refuse(
            quieting, table,
            "the account may not see whether it has triggers, which would fire on applied "
            "changes",
            right_to_make(quieting, place.schema));
    }
    status = status == STATUS_OK ? list_triggers(quieting, place, &rows) : status;
    for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(rows)) != NULL;) {
        char owner[SQL_SHOWN_BYTES];
        char name[SQL_SHOWN_BYTES];
        uint32_t before = quieting->lacks != NULL ? quieting->lacks->count : 0;
        status = take_refusal(quieting, check_row(quieting, table, row));
        if (quieting->lacks == NULL || quieting->lacks->count == before) {
            buffer_format(out, "%s: the trigger %s is dropped, and created again afterwards\n",
                          sql_show_name(table, owner), sql_show_name(row[ROW_NAME], name));
        }
    }
    mysql_free_result(rows);
    return status;
}

/* Triggers that the run makes will be of this account, or of those that it may name. */
static enum status check_objects(const struct quieting *quieting, struct buffer *out)
{
    const struct schema *objects = quieting->silence->objects;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; objects != NULL && status == STATUS_OK && i < objects->object_count; i++) {
        const struct schema_object *object = &objects->objects[i];
        char owner[SQL_SHOWN_BYTES];
        char name[SQL_SHOWN_BYTES];
        if (object->kind != SCHEMA_OBJECT_TRIGGER) {
            continue;
        }
        sql_show_name(object->name, name);
        if (quieting->silence->answers == APPLY_ANSWERS_REFUSED) {
            status = take_refusal(
                quieting,
                trigger_refuse(quieting, quieting->self->sql.shown,
                               arena_format(quieting->arena,
                                            "the trigger %s would fire on applied changes", name),
                               "leave out --follow-triggers refuse"));
            continue;
        }
        buffer_format(out, "%s%sthe trigger %s is dropped, and created again afterwards\n",
                      object->table != NULL ? sql_show_name(object->table, owner) : "",
                      object->table != NULL ? ": " : "", name);
    }
    return status;
}

enum status mysql_quiet_foresee(struct database *database, const struct apply_silence *silence,
                                struct buffer *out, struct lack_list *lacks, struct error *error)
{
    struct quieting quieting = {.self = mysql_database_of(database),
                                .silence = silence,
                                .lacks = lacks,
                                .arena = arena_create(0),
                                .error = error};
    bool fires = silence->answers == APPLY_ANSWERS_FIRE;
    enum status status =
        fires ? STATUS_OK : mysql_control(quieting.self, &quieting.connection, error);
    status = status == STATUS_OK && !fires ? read_rights(&quieting) : status;
    status = status == STATUS_OK && !fires ? check_objects(&quieting, out) : status;
    for (uint32_t i = 0; status == STATUS_OK && !fires && i < silence->table_count; i++) {
        status = take_refusal(&quieting, foresee_table(&quieting, silence->tables[i].name, out));
    }
    arena_destroy(quieting.arena);
    return status;
}

/* ---------------------------------------------------------------- noting */

static enum status make_notes_table(const struct quieting *quieting)
{
    struct buffer sql = {0};
    mysql_append(&sql,
                 "CREATE TABLE IF NOT EXISTS %t (number bigint NOT NULL AUTO_INCREMENT UNIQUE, run "
                 "varchar(64) NOT NULL, owner varchar(130) NOT NULL, name varchar(64) NOT NULL, "
                 "settings text NOT NULL, statement longtext NOT NULL, PRIMARY KEY (run, owner, "
                 "name)) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin "
                 "ROW_FORMAT=DYNAMIC",
                 &quieting->self->sql, notes_table);
    enum status status = triggers_query(quieting, &sql, NULL);
    return status == STATUS_OK ? mysql_check_ours(quieting->self, quieting->connection,
                                                  quieting->self->sql.schema, quieting->error)
                               : status;
}

/* "sales.trg": a trigger is in the schema of its table. */
static const char *full_name(const struct quieting *quieting, struct sql_table_place place,
                             const char *name)
{
    return strcmp(place.schema, quieting->self->sql.schema) == 0
               ? arena_copy_string(quieting->arena, name)
               : arena_format(quieting->arena, "%s.%s", place.schema, name);
}

static enum status note_one(struct quieting *quieting, const char *table,
                            struct sql_table_place place, const char *name)
{
    const char *text = NULL;
    const char *why = NULL;
    enum status status = mysql_object_show(quieting->self, quieting->connection, "trigger",
                                           full_name(quieting, place, name), quieting->arena, &text,
                                           &why, quieting->error);
    if (status != STATUS_OK) {
        return status;
    }
    if (text == NULL) {
        return trigger_refuse(quieting, table,
                              arena_format(quieting->arena,
                                           "the trigger %s would fire on applied changes: %s", name,
                                           why != NULL ? why : "its text can't be read"),
                              "drop it until the cut-over");
    }
    const char *statement = strchr(text, '\n') + 1;
    return triggers_query(
        quieting,
        mysql_sql("INSERT IGNORE INTO %t (run, owner, name, settings, statement) VALUES (%q, "
                  "%q, %q, %Q, %q)",
                  &quieting->self->sql, notes_table, quieting->self->sql.run_id, table, name, text,
                  (size_t)(statement - 1 - text), statement),
        NULL);
}

static enum status each_trigger(struct quieting *quieting,
                                enum status (*one)(struct quieting *quieting, const char *table,
                                                   struct sql_table_place place, const char *name))
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < quieting->silence->table_count; i++) {
        const char *table = quieting->silence->tables[i].name;
        const struct sql_table_place place = sql_place_of(&quieting->self->sql, table);
        MYSQL_RES *rows = NULL;
        status = list_triggers(quieting, place, &rows);
        for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(rows)) != NULL;) {
            status = one(quieting, table, place, row[ROW_NAME]);
        }
        mysql_free_result(rows);
    }
    return status;
}

static enum status note_within(struct quieting *quieting)
{
    enum status status = mysql_check_claim(quieting->self, quieting->connection, quieting->error);
    status = status == STATUS_OK ? each_trigger(quieting, note_one) : status;
    return status == STATUS_OK ? failpoint_hit("mysql.before_note", quieting->error) : status;
}

/* ---------------------------------------------------------------- the trial */

static const char trial[] = "_transhume_trial";

static const char *what_helps(const struct quieting *quieting, const struct error *problem)
{
    bool of_system_user = strstr(problem->message, "SYSTEM_USER") != NULL; /* the definer is one */
    return problem->native_code == BINARY_LOG_IN_THE_WAY ? trust
           : problem->native_code == RIGHT_MISSING && of_system_user
               ? arena_format(quieting->arena, "GRANT SYSTEM_USER ON *.* TO %s",
                              account_of(quieting))
           : problem->native_code == RIGHT_MISSING
               ? right_to_define(quieting)
               : right_to_make(quieting, quieting->self->sql.schema);
}

static enum status drop_trial(const struct quieting *quieting)
{
    return triggers_query(
        quieting, mysql_sql("DROP TRIGGER IF EXISTS %n.%n", quieting->self->sql.schema, trial),
        NULL);
}

/* A trigger of that definer on the table of notes. */
static enum status try_definer(const struct quieting *quieting, const char *table,
                               const char *statement)
{
    const struct text definer = mysql_definer(statement);
    struct buffer sql = {0};
    struct error problem = {0};
    mysql_append(&sql,
                 "CREATE %S TRIGGER %n BEFORE INSERT ON %t FOR EACH ROW SET @transhume_trial = 1",
                 definer.data, definer.length, trial, &quieting->self->sql, notes_table);
    enum status status = drop_trial(quieting);
    if (status == STATUS_OK &&
        mysql_run_buffer(quieting->self, quieting->connection, &sql, SQL_SHORT, ERROR_TARGET_SCHEMA,
                         NULL, &problem) != STATUS_OK) {
        return problem.class == ERROR_CLASS_RETRY
                   ? error_copy(quieting->error, &problem)
                   : trigger_refuse(
                         quieting, table,
                         arena_format(quieting->arena,
                                      "its triggers would fire on applied changes, and the "
                                      "account could not make them again: %s",
                                      problem.message),
                         what_helps(quieting, &problem));
    }
    buffer_free(&sql);
    return status == STATUS_OK ? drop_trial(quieting) : status;
}

/* ---------------------------------------------------------------- dropping */

static enum status list_notes(const struct quieting *quieting, const char *run_id, bool last_first,
                              MYSQL_RES **notes)
{
    return triggers_query(
        quieting,
        mysql_sql("SELECT owner, name, settings, statement FROM %t WHERE run = %q%s",
                  &quieting->self->sql, notes_table, run_id,
                  last_first ? " ORDER BY number DESC" : " ORDER BY number"),
        notes);
}

static enum status try_all(const struct quieting *quieting, MYSQL_RES *notes)
{
    enum status status = STATUS_OK;
    for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(notes)) != NULL;) {
        status = try_definer(quieting, row[0], row[3]);
    }
    return status;
}

static enum status drop_one(const struct quieting *quieting, const char *table, const char *name)
{
    enum status status = failpoint_hit("mysql.before_trigger_drop", quieting->error);
    if (status != STATUS_OK) {
        return status;
    }
    status = mysql_alter(quieting->self, quieting->connection,
                         mysql_sql("DROP TRIGGER IF EXISTS %n.%n",
                                   sql_place_of(&quieting->self->sql, table).schema, name),
                         table, SQL_SHORT, ERROR_TARGET_SCHEMA, quieting->error);
    return status == STATUS_OK ? failpoint_hit("mysql.after_trigger_drop", quieting->error)
                               : status;
}

static enum status count_one(struct quieting *quieting, const char *table,
                             struct sql_table_place place, const char *name)
{
    (void)table;
    (void)place;
    (void)name;
    quieting->dropped++;
    return STATUS_OK;
}

/* All of them are noted before the first one goes. The last to fire goes first: those that a crash
 * leaves are in their order, and what is made again fires behind them. */
static enum status drop_all(struct quieting *quieting)
{
    MYSQL_RES *notes = NULL;
    enum status status = make_notes_table(quieting);
    status = status == STATUS_OK
                 ? mysql_begin(quieting->self, &quieting->connection, quieting->error)
                 : status;
    status = status == STATUS_OK ? mysql_end(quieting->self, quieting->connection,
                                             note_within(quieting), quieting->error)
                                 : status;
    status = status == STATUS_OK ? failpoint_hit("mysql.after_note", quieting->error) : status;
    status = status == STATUS_OK ? list_notes(quieting, quieting->self->sql.run_id, true, &notes)
                                 : status;
    status = status == STATUS_OK ? try_all(quieting, notes) : status;
    if (status == STATUS_OK) {
        mysql_data_seek(notes, 0);
    }
    for (MYSQL_ROW row; status == STATUS_OK && (row = mysql_fetch_row(notes)) != NULL;) {
        status = drop_one(quieting, row[0], row[1]);
    }
    mysql_free_result(notes);
    if (status == STATUS_OK) {
        log_write(LOG_INFO,
                  "%s: %u triggers of the followed tables are dropped while changes are applied",
                  quieting->self->sql.shown, quieting->dropped);
    }
    return status;
}

enum status mysql_quiet_silence(struct database *database, const struct apply_silence *silence,
                                struct error *error)
{
    struct quieting quieting = {.self = mysql_database_of(database),
                                .silence = silence,
                                .arena = arena_create(0),
                                .error = error};
    enum status status = mysql_control(quieting.self, &quieting.connection, error);
    status = status == STATUS_OK ? each_trigger(&quieting, count_one) : status;
    if (status == STATUS_OK && quieting.dropped > 0 && silence->answers == APPLY_ANSWERS_REFUSED) {
        status =
            trigger_refuse(&quieting, quieting.self->sql.shown,
                           "tables have triggers, which fire on applied changes",
                           "drop them until the cut-over, or leave out --follow-triggers refuse");
    } else if (status == STATUS_OK && quieting.dropped > 0) {
        status = drop_all(&quieting);
    }
    arena_destroy(quieting.arena);
    return status;
}

/* ---------------------------------------------------------------- giving back */

/* On a connection of its own, since each brings the settings that its words are understood by. */
static enum status make_again(const struct quieting *quieting, MYSQL *maker, MYSQL_ROW note)
{
    struct mysql_database *self = quieting->self;
    const struct sql_table_place place = sql_place_of(&self->sql, note[0]);
    struct buffer sql = {0};
    enum status status = failpoint_hit("mysql.before_trigger_made", quieting->error);
    status = status == STATUS_OK ? mysql_session_reset(self, maker, quieting->error) : status;
    if (status == STATUS_OK && note[2][0] != '\0') {
        mysql_append_settings(&sql, self, note[2], strlen(note[2]));
        status = mysql_run_buffer(self, maker, &sql, SQL_SHORT, ERROR_TARGET_SCHEMA, NULL,
                                  quieting->error);
    }
    if (status == STATUS_OK) {
        mysql_append_trigger(&sql, note[3], place.schema);
        status = mysql_alter(self, maker, &sql, note[0], SQL_SHORT, ERROR_TARGET_SCHEMA,
                             quieting->error);
    }
    return status == STATUS_OK ? failpoint_hit("mysql.after_trigger_made", quieting->error)
                               : status;
}

static enum status forget_note(const struct quieting *quieting, const char *run_id, MYSQL_ROW note)
{
    return triggers_query(quieting,
                          mysql_sql("DELETE FROM %t WHERE run = %q AND owner = %q AND name = %q",
                                    &quieting->self->sql, notes_table, run_id, note[0], note[1]),
                          NULL);
}

static enum status restore_one(const struct quieting *quieting, MYSQL *maker, const char *run_id,
                               MYSQL_ROW note)
{
    struct mysql_database *self = quieting->self;
    const struct sql_table_place place = sql_place_of(&self->sql, note[0]);
    bool there = false;
    int64_t table = 0;
    enum status status =
        mysql_object_is_there(self, quieting->connection, "trigger",
                              full_name(quieting, place, note[1]), &there, quieting->error);
    status = status == STATUS_OK
                 ? mysql_ask_number(
                       self, quieting->connection,
                       mysql_filled(
                           "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = $1 "
                           "AND table_name = $2",
                           place.schema, place.name),
                       SQL_SHORT, ERROR_TARGET_INVALID, 0, &table, quieting->error)
                 : status;
    if (status == STATUS_OK && table == 0) {
        log_write(LOG_WARNING, "%s: its trigger %s is not made again: the table is gone", note[0],
                  note[1]);
    } else if (status == STATUS_OK && !there) {
        status = make_again(quieting, maker, note);
    }
    return status == STATUS_OK ? forget_note(quieting, run_id, note) : status;
}

/* DDL has no transaction: a process that was replaced is kept out before it. */
static enum status check_claim(struct quieting *quieting)
{
    struct mysql_database *self = quieting->self;
    enum status status = mysql_begin(self, &quieting->connection, quieting->error);
    return status == STATUS_OK
               ? mysql_end(self, quieting->connection,
                           mysql_check_claim(self, quieting->connection, quieting->error),
                           quieting->error)
               : status;
}

static enum status quiet_restore(struct quieting *quieting, const char *run_id, uint32_t *count)
{
    MYSQL *maker = NULL;
    MYSQL_RES *notes = NULL;
    enum status status = list_notes(quieting, run_id, false, &notes);
    bool any = status == STATUS_OK && mysql_num_rows(notes) > 0;
    status = any ? check_claim(quieting) : status;
    status =
        status == STATUS_OK && any ? mysql_join(quieting->self, &maker, quieting->error) : status;
    for (MYSQL_ROW row; status == STATUS_OK && any && (row = mysql_fetch_row(notes)) != NULL;) {
        status = restore_one(quieting, maker, run_id, row);
        *count += status == STATUS_OK;
    }
    mysql_disconnect(maker);
    mysql_free_result(notes);
    return status;
}

enum status mysql_quiet_put_back(struct mysql_database *self, const char *run_id, uint32_t *count,
                                 struct error *error)
{
    struct quieting quieting = {.self = self, .error = error};
    MYSQL_RES *names = NULL;
    *count = 0;
    if (run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = mysql_control(self, &quieting.connection, error);
    status = status == STATUS_OK
                 ? mysql_list_own(self, quieting.connection, notes_table, &names, error)
                 : status;
    bool noted = status == STATUS_OK && mysql_num_rows(names) > 0;
    mysql_free_result(names);
    if (status != STATUS_OK || !noted) {
        return status;
    }
    quieting.arena = arena_create(0);
    status = quiet_restore(&quieting, run_id, count);
    arena_destroy(quieting.arena);
    return status;
}

enum status mysql_quiet_taken_out(struct database *database, const char *run_id, uint32_t *count,
                                  struct error *error)
{
    struct quieting quieting = {.self = mysql_database_of(database), .error = error};
    MYSQL_RES *rows = NULL;
    *count = 0;
    enum status status = mysql_control(quieting.self, &quieting.connection, error);
    status = status == STATUS_OK
                 ? mysql_list_own(quieting.self, quieting.connection, notes_table, &rows, error)
                 : status;
    bool noted = status == STATUS_OK && mysql_num_rows(rows) > 0;
    mysql_free_result(rows);
    rows = NULL;
    status = noted ? list_notes(&quieting, run_id, false, &rows) : status;
    *count = noted && status == STATUS_OK ? (uint32_t)mysql_num_rows(rows) : 0;
    mysql_free_result(rows);
    return status;
}

enum status mysql_quiet_restore(struct database *database, uint32_t *count, struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    return mysql_quiet_put_back(self, self->sql.run_id, count, error);
}
