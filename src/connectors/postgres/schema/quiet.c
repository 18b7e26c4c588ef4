/*
 * The parts of the tables that answer to applied changes: triggers, rules and actions of foreign
 * keys.
 *
 *   the role may set session_replication_role   the sessions that apply are `replica`: what is
 *                                               enabled as usual does not fire. ENABLE ALWAYS and
 *                                               ENABLE REPLICA do
 *   it owns the table                           triggers and rules that fire all the same are
 *                                               disabled, noted in _transhume_rebuild (rebuild.h)
 *   else                                        it is refused, with the GRANT that helps
 *
 * Only a superuser disables the triggers of foreign keys. One that acts does no harm where the
 * source has the same: what it does comes as changes as well, and these find it done. Others are
 * refused.
 */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/contract/apply.h"
#include "connectors/postgres/schema/rebuild.h"
#include "connectors/sql/check.h"
#include "connectors/sql/place.h"
#include "postgres_sql.h"
#include <string.h>

enum { ROW_WHAT, ROW_NAME, ROW_MAKE, ROW_UNDO, ROW_MAY, ROW_OWNER };
/* … and of a foreign key */
enum { ROW_SCHEMA = ROW_MAKE, ROW_TABLE = ROW_OWNER, ROW_ON_DELETE, ROW_ON_UPDATE, ROW_COLUMNS };

struct quieting {
    struct postgres_database *self;
    PGconn *connection;
    const struct apply_silence *silence;
    bool silent;             /* the sessions are `replica` */
    struct lack_list *lacks; /* NULL: the first refusal ends it */
    struct arena *arena;
    struct error *error;
};

static enum status quieting_begin(struct quieting *quieting)
{
    enum status status = postgres_control(quieting->self, &quieting->connection, quieting->error);
    return status == STATUS_OK ? postgres_may_silence(quieting->self, quieting->connection,
                                                      &quieting->silent, quieting->error)
                               : status;
}

/* ---------------------------------------------------------------- what is refused */

static void append_ways_out(const struct quieting *quieting, struct buffer *hint)
{
    PGresult *result = NULL;
    if (quieting->self->server_version >= 150000 &&
        postgres_query(quieting->self, quieting->connection,
                       "SELECT pg_catalog.quote_ident(current_user::pg_catalog.text)", NULL, 0,
                       SQL_SHORT, ERROR_TARGET_INVALID, &result, NULL) == STATUS_OK) {
        buffer_format(hint, "GRANT SET ON PARAMETER session_replication_role TO %s",
                      PQgetvalue(result, 0, 0));
    } else {
        buffer_append_string(hint, "use a role that may set session_replication_role");
    }
    PQclear(result);
    buffer_append_string(hint, ", or let it act: --follow-triggers fire");
}

static enum status table_refuse(const struct quieting *quieting, const char *table,
                                const char *what, const char *name, const char *why)
{
    struct buffer hint = {0};
    char shown[SQL_SHOWN_BYTES];
    append_ways_out(quieting, &hint);
    error_set(quieting->error, ERROR_FOLLOW, table, "the %s %s %s", what,
              sql_show_name(name, shown), why);
    error_hint(quieting->error, "%s", buffer_string(&hint));
    buffer_free(&hint);
    return STATUS_FAILED;
}

static enum status take_refusal(const struct quieting *quieting, enum status status)
{
    return lacks_take(quieting->lacks, status, quieting->error);
}

/* NULL: it does nothing but refuse. */
static const char *action_of(const char *words)
{
    static const char *const actions[] = {"CASCADE", "SET NULL", "SET DEFAULT"};
    for (size_t i = 0; words != NULL && i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(words, actions[i]) == 0) {
            return actions[i];
        }
    }
    return NULL;
}

static bool is_by_row(const struct quieting *quieting, const char *table)
{
    const struct apply_silence *silence = quieting->silence;
    for (uint32_t i = 0; i < silence->table_count; i++) {
        if (strcmp(silence->tables[i].name, table) == 0) {
            return silence->by_row[i];
        }
    }
    return true; /* its records do not change */
}

/* All foreign keys of a table that the run is about to make are the source's. */
static enum status check_new_key(const struct quieting *quieting, const char *table,
                                 const char *references, const char *on_delete,
                                 const char *on_update)
{
    return (action_of(on_delete) == NULL && action_of(on_update) == NULL) ||
                   is_by_row(quieting, references)
               ? STATUS_OK
               : table_refuse(quieting, table, "foreign key to", references,
                              "acts on changes of the records that it refers to, which are made of "
                              "several rows, and the role may not switch that off");
}

static enum status check_new_table(const struct quieting *quieting,
                                   const struct target_table *table)
{
    const struct schema_table *same = table->same_engine;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; !quieting->silent && status == STATUS_OK && i < table->reference_count;
         i++) {
        const struct target_reference *reference = &table->references[i];
        status = take_refusal(quieting, check_new_key(quieting, table->name, reference->table,
                                                      reference->on_delete, reference->on_update));
    }
    for (uint32_t i = 0;
         !quieting->silent && status == STATUS_OK && same != NULL && i < same->foreign_key_count;
         i++) {
        const struct schema_foreign_key *key = &same->foreign_keys[i];
        status = take_refusal(quieting, check_new_key(quieting, table->name, key->references,
                                                      key->on_delete, key->on_update));
    }
    return status;
}

/* `columns`: names, each but the last with a line's end behind it. */
static bool has_columns(struct column_list list, const char *columns)
{
    bool same = true;
    for (uint32_t i = 0; i < list.count && same; i++) {
        size_t length = strlen(list.names[i]);
        same = strncmp(columns, list.names[i], length) == 0 &&
               columns[length] == (i + 1 < list.count ? '\n' : '\0');
        columns += same ? length + 1 : 0;
    }
    return same && list.count > 0;
}

static bool has_actions(const PGresult *rows, int row, const char *on_delete, const char *on_update)
{
    const char *one = action_of(on_delete);
    const char *other = action_of(on_update);
    return strcmp(one != NULL ? one : "", PQgetvalue(rows, row, ROW_ON_DELETE)) == 0 &&
           strcmp(other != NULL ? other : "", PQgetvalue(rows, row, ROW_ON_UPDATE)) == 0;
}

/* Has the source this foreign key, with the same actions? */
static bool is_of_source(const struct quieting *quieting, const PGresult *rows, int row)
{
    const char *columns = PQgetvalue(rows, row, ROW_COLUMNS);
    const char *name = sql_name_in(&quieting->self->sql, PQgetvalue(rows, row, ROW_SCHEMA),
                                   PQgetvalue(rows, row, ROW_TABLE), quieting->arena);
    bool found = false;
    for (uint32_t t = 0; t < quieting->silence->table_count && !found; t++) {
        const struct target_table *table = &quieting->silence->tables[t];
        const struct schema_table *same = table->same_engine;
        bool is_it = strcmp(table->name, name) == 0;
        for (uint32_t i = 0; is_it && i < table->reference_count && !found; i++) {
            const struct target_reference *key = &table->references[i];
            found = has_columns(key->columns, columns) &&
                    has_actions(rows, row, key->on_delete, key->on_update);
        }
        for (uint32_t i = 0; is_it && same != NULL && i < same->foreign_key_count && !found; i++) {
            const struct schema_foreign_key *key = &same->foreign_keys[i];
            found = has_columns(key->columns, columns) &&
                    has_actions(rows, row, key->on_delete, key->on_update);
        }
    }
    return found;
}

static enum status check_key_row(const struct quieting *quieting, const char *table,
                                 const PGresult *rows, int row)
{
    if (is_by_row(quieting, table) && is_of_source(quieting, rows, row)) {
        return STATUS_OK;
    }
    bool deletes = PQgetvalue(rows, row, ROW_ON_DELETE)[0] != '\0';
    const char *why = arena_format(
        quieting->arena,
        "of %s acts on changes of its records (ON %s %s) as the source has none that does, and the "
        "role may not switch that off",
        PQgetvalue(rows, row, ROW_TABLE), deletes ? "DELETE" : "UPDATE",
        PQgetvalue(rows, row, deletes ? ROW_ON_DELETE : ROW_ON_UPDATE));
    return table_refuse(quieting, table, "foreign key", PQgetvalue(rows, row, ROW_NAME), why);
}

/* Triggers that the run is about to make will be its own to disable. */
static enum status check_objects(const struct quieting *quieting, struct buffer *out)
{
    const struct schema *objects = quieting->silence->objects;
    enum status status = STATUS_OK;
    for (uint32_t i = 0;
         objects != NULL && !quieting->silent && status == STATUS_OK && i < objects->object_count;
         i++) {
        const struct schema_object *object = &objects->objects[i];
        char owner[SQL_SHOWN_BYTES];
        char name[SQL_SHOWN_BYTES];
        if (object->kind != SCHEMA_OBJECT_TRIGGER) {
            continue;
        }
        if (quieting->silence->answers == APPLY_ANSWERS_REFUSED) {
            status =
                take_refusal(quieting, table_refuse(quieting, quieting->self->sql.shown, "trigger",
                                                    object->name, "would fire on applied changes"));
            continue;
        }
        buffer_format(out, "%s%sthe trigger %s is disabled, for all sessions\n",
                      object->table != NULL ? sql_show_name(object->table, owner) : "",
                      object->table != NULL ? ": " : "", sql_show_name(object->name, name));
    }
    return status;
}

static bool is_key(const PGresult *rows, int row)
{
    return PQgetvalue(rows, row, ROW_UNDO)[0] == '\0';
}

static enum status check_row(const struct quieting *quieting, const char *table,
                             const PGresult *rows, int row)
{
    const char *what = PQgetvalue(rows, row, ROW_WHAT);
    const char *name = PQgetvalue(rows, row, ROW_NAME);
    if (is_key(rows, row)) {
        return check_key_row(quieting, table, rows, row);
    }
    if (quieting->silence->answers == APPLY_ANSWERS_REFUSED) {
        return table_refuse(quieting, table, what, name, "fires on applied changes");
    }
    if (PQgetvalue(rows, row, ROW_MAY)[0] != 't') {
        const char *why = arena_format(
            quieting->arena,
            "fires on applied changes, and only %s, who owns the table, may disable it",
            PQgetvalue(rows, row, ROW_OWNER));
        return table_refuse(quieting, table, what, name, why);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what is there */

static void tell_row(const char *table, const PGresult *rows, int row, struct buffer *out)
{
    char owner[SQL_SHOWN_BYTES];
    char name[SQL_SHOWN_BYTES];
    buffer_format(out, "%s: the %s %s is disabled, for all sessions\n", sql_show_name(table, owner),
                  PQgetvalue(rows, row, ROW_WHAT),
                  sql_show_name(PQgetvalue(rows, row, ROW_NAME), name));
}

/* `*rows` NULL: the table is not there. Refuses what can't be put out of action, and tells the rest
 * in `out`, which may be NULL. */
static enum status look_at_table(const struct quieting *quieting, const struct target_table *table,
                                 PGresult **rows, struct buffer *out)
{
    struct postgres_table facts;
    char oid[24] = {0};
    *rows = NULL;
    enum status status = postgres_target_describe(quieting->self, quieting->connection, table->name,
                                                  quieting->arena, &facts, quieting->error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? check_new_table(quieting, table) : status;
    }
    text_from_uint64(facts.oid, oid);
    const struct postgres_parameter parameters[] = {{.text = oid},
                                                    {.text = quieting->silent ? "{A,R}" : "{O,A}"}};
    status = postgres_catalog_query(quieting->self, quieting->connection, sql_quiet, parameters, 2,
                                    SQL_SHORT, ERROR_TARGET_INVALID, rows, quieting->error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(*rows); row++) {
        enum status refused = check_row(quieting, table->name, *rows, row);
        if (refused == STATUS_OK && out != NULL && !is_key(*rows, row)) {
            tell_row(table->name, *rows, row, out);
        }
        status = take_refusal(quieting, refused);
    }
    return status;
}

enum status postgres_quiet_foresee(struct database *database, const struct apply_silence *silence,
                                   struct buffer *out, struct lack_list *lacks, struct error *error)
{
    struct quieting quieting = {.self = postgres_database_of(database),
                                .silence = silence,
                                .lacks = lacks,
                                .arena = arena_create(0),
                                .error = error};
    bool fires = silence->answers == APPLY_ANSWERS_FIRE;
    enum status status = fires ? STATUS_OK : quieting_begin(&quieting);
    status = status == STATUS_OK && !fires ? check_objects(&quieting, out) : status;
    for (uint32_t i = 0; status == STATUS_OK && !fires && i < silence->table_count; i++) {
        PGresult *rows = NULL;
        status = look_at_table(&quieting, &silence->tables[i], &rows, out);
        PQclear(rows);
    }
    arena_destroy(quieting.arena);
    return status;
}

/* ---------------------------------------------------------------- putting it out of action */

static enum status note_table(const struct quieting *quieting, const struct target_table *table)
{
    PGresult *rows = NULL;
    enum status status = look_at_table(quieting, table, &rows, NULL);
    for (int row = 0; status == STATUS_OK && row < PQntuples(rows); row++) {
        const struct postgres_rebuild_note note = {.owner = table->name,
                                                   .what = PQgetvalue(rows, row, ROW_WHAT),
                                                   .name = PQgetvalue(rows, row, ROW_NAME),
                                                   .make = PQgetvalue(rows, row, ROW_MAKE),
                                                   .undo = PQgetvalue(rows, row, ROW_UNDO)};
        status = is_key(rows, row) ? STATUS_OK
                                   : postgres_rebuild_note(quieting->self, quieting->connection,
                                                           &note, quieting->error);
    }
    PQclear(rows);
    return status;
}

static enum status note_within(const struct quieting *quieting)
{
    enum status status =
        postgres_check_claim(quieting->self, quieting->connection, quieting->error);
    for (uint32_t i = 0; status == STATUS_OK && i < quieting->silence->table_count; i++) {
        status = note_table(quieting, &quieting->silence->tables[i]);
    }
    return status == STATUS_OK ? failpoint_hit("postgres.before_note", quieting->error) : status;
}

/* A trigger or rule that an earlier attempt noted is disabled already. */
static enum status disable_all(const struct quieting *quieting)
{
    struct postgres_database *self = quieting->self;
    PGresult *list = NULL;
    enum status status =
        postgres_rebuild_list(self, quieting->connection, self->sql.run_id, &list, quieting->error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(list); row++) {
        if (postgres_rebuild_is_switch(list, row)) {
            status = failpoint_hit("postgres.before_drop", quieting->error);
            status = status == STATUS_OK ? postgres_rebuild_undo(self, quieting->connection, list,
                                                                 row, false, quieting->error)
                                         : status;
            status = status == STATUS_OK ? failpoint_hit("postgres.after_drop", quieting->error)
                                         : status;
        }
    }
    if (status == STATUS_OK && PQntuples(list) > 0) {
        log_write(LOG_INFO,
                  "%s: %d triggers of the followed tables are disabled while changes are "
                  "applied",
                  self->sql.shown, PQntuples(list));
    }
    PQclear(list);
    return status;
}

/* Without anything to note no table of notes is made. */
static enum status finds_some(const struct quieting *quieting, bool *found)
{
    enum status status = STATUS_OK;
    *found = false;
    for (uint32_t i = 0; status == STATUS_OK && i < quieting->silence->table_count; i++) {
        PGresult *rows = NULL;
        status = look_at_table(quieting, &quieting->silence->tables[i], &rows, NULL);
        for (int row = 0; status == STATUS_OK && row < PQntuples(rows); row++) {
            *found = *found || !is_key(rows, row);
        }
        PQclear(rows);
    }
    return status;
}

enum status postgres_quiet_silence(struct database *database, const struct apply_silence *silence,
                                   struct error *error)
{
    struct quieting quieting = {.self = postgres_database_of(database),
                                .silence = silence,
                                .arena = arena_create(0),
                                .error = error};
    struct postgres_database *self = quieting.self;
    bool found = false;
    enum status status = quieting_begin(&quieting);
    status = status == STATUS_OK ? finds_some(&quieting, &found) : status;
    if (status == STATUS_OK && found) {
        status = postgres_rebuild_make(self, quieting.connection, error);
        status = status == STATUS_OK ? postgres_begin(self, &quieting.connection, error) : status;
        status = status == STATUS_OK
                     ? postgres_end(self, quieting.connection, note_within(&quieting), error)
                     : status;
        status = status == STATUS_OK ? failpoint_hit("postgres.after_note", error) : status;
        status = status == STATUS_OK ? disable_all(&quieting) : status;
    }
    arena_destroy(quieting.arena);
    return status;
}

enum status postgres_quiet_taken_out(struct database *database, const char *run_id, uint32_t *count,
                                     struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    PGresult *list = NULL;
    bool noted = false;
    *count = 0;
    enum status status = postgres_control(self, &connection, error);
    status = status == STATUS_OK ? postgres_rebuild_noted(self, connection, &noted, error) : status;
    if (status != STATUS_OK || !noted) {
        return status;
    }
    status = postgres_rebuild_list(self, connection, run_id, &list, error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(list); row++) {
        *count += postgres_rebuild_is_switch(list, row);
    }
    PQclear(list);
    return status;
}

enum status postgres_quiet_restore(struct database *database, uint32_t *count, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    PGresult *list = NULL;
    bool noted = false;
    *count = 0;
    if (self->sql.run_id == NULL) {
        return STATUS_OK;
    }
    enum status status = postgres_control(self, &connection, error);
    status = status == STATUS_OK ? postgres_rebuild_noted(self, connection, &noted, error) : status;
    if (status != STATUS_OK || !noted) {
        return status;
    }
    status = postgres_rebuild_list(self, connection, self->sql.run_id, &list, error);
    uint32_t rows = status == STATUS_OK ? (uint32_t)PQntuples(list) : 0;
    PQclear(list);
    status = status == STATUS_OK && rows > 0
                 ? postgres_put_back(self, self->sql.run_id, NULL, 0, NULL, error)
                 : status;
    *count = status == STATUS_OK ? rows : 0;
    return status;
}
