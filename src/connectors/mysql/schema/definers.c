/* Definers of views, triggers, routines and events: told, since what they may the statements may.
 */
#include "connectors/mysql/schema/definers.h"
#include "connectors/mysql/schema/objects.h"
#include "connectors/mysql/statement.h"
#include "connectors/sql/check.h"
#include "connectors/sql/place.h"
#include <string.h>

/* A name in whatever quotes, as it is. */
static void append_plain(struct buffer *out, struct text piece)
{
    char quote = piece.length > 1 ? piece.data[0] : '\0';
    bool quoted = quote == '`' || quote == '\'' || quote == '"';
    size_t end = piece.length - (quoted ? 1 : 0);
    for (size_t i = quoted ? 1 : 0; i < end; i++) {
        i += quoted && piece.data[i] == quote && i + 1 < end;
        buffer_append_byte(out, piece.data[i]);
    }
}

/* "root@localhost" of a statement that says whose it is; NULL: it says none. */
static const char *definer_name(const char *statement, struct arena *arena)
{
    const struct text definer = mysql_definer(statement);
    const char *end = definer.data + definer.length;
    struct buffer name = {0};
    if (definer.length == 0) {
        return NULL;
    }
    for (const char *at = definer.data + strlen("DEFINER="); at < end && *at != ' ';) {
        struct text piece = mysql_piece_at(at, end);
        if (*at == '@') {
            buffer_append_byte(&name, '@');
            at++;
            continue;
        }
        append_plain(&name, piece);
        at += piece.length;
    }
    return sql_text(arena, &name);
}

/* ---------------------------------------------------------------- what stands there */

static const char there_sql[] =
    "SELECT 'view', table_name, definer, security_type FROM information_schema.views WHERE "
    "table_schema = DATABASE() UNION ALL SELECT 'trigger', trigger_name, definer, 'DEFINER' FROM "
    "information_schema.triggers WHERE trigger_schema = DATABASE() UNION ALL SELECT "
    "LOWER(routine_type), routine_name, definer, security_type FROM information_schema.routines "
    "WHERE routine_schema = DATABASE() UNION ALL SELECT 'event', event_name, definer, 'DEFINER' "
    "FROM information_schema.events WHERE event_schema = DATABASE() UNION ALL SELECT 'table', "
    "table_name, NULL, NULL FROM information_schema.tables WHERE table_schema = DATABASE() UNION "
    "ALL SELECT 'account', '', CURRENT_USER(), NULL";

enum { THERE_WHAT, THERE_NAME, THERE_DEFINER, THERE_SECURITY };

struct telling {
    struct mysql_database *self;
    MYSQL *connection;
    MYSQL_RES *there;
    struct mysql_noted *noted;
    uint32_t noted_count;
    const char *account;
    const struct schema *objects;
    bool made;
    struct rights_left *left;
    struct error *error;
};

static MYSQL_ROW find_there(const struct telling *telling, const char *what, const char *name)
{
    MYSQL_ROW row = NULL;
    mysql_data_seek(telling->there, 0);
    do {
        row = mysql_fetch_row(telling->there);
    } while (row != NULL &&
             (row[THERE_WHAT] == NULL || row[THERE_NAME] == NULL ||
              strcmp(row[THERE_WHAT], what) != 0 || strcmp(row[THERE_NAME], name) != 0));
    return row;
}

static bool is_noted(const struct telling *telling, const struct schema_object *object)
{
    bool noted = false;
    for (uint32_t i = 0; !noted && i < telling->noted_count; i++) {
        noted = strcmp(telling->noted[i].what, schema_object_word(object)) == 0 &&
                strcmp(telling->noted[i].name, object->name) == 0;
    }
    return noted;
}

/* One that is there stays as it is, and so does a table that is there, with its triggers. */
static bool will_be_made(const struct telling *telling, const struct schema_object *object)
{
    if (find_there(telling, schema_object_word(object), object->name) != NULL) {
        return false;
    }
    if (object->table == NULL) {
        return true;
    }
    const struct sql_table_place place = sql_place_of(&telling->self->sql, object->table);
    return strcmp(place.schema, telling->self->sql.schema) != 0 ||
           find_there(telling, "table", place.name) == NULL;
}

/* ---------------------------------------------------------------- as whom each runs */

enum runs_as { RUNS_AS_ACCOUNT, RUNS_AS_KEPT, RUNS_AS_CHANGED };

/* As the account that copies, or as who calls it: nothing is told of that. */
static enum runs_as runs_as(const struct telling *telling, const struct schema_object *object,
                            const char **definer)
{
    const char *what = schema_object_word(object);
    const char *text = object->kind != SCHEMA_OBJECT_DETAIL ? object->native_sql : NULL;
    const char *line = text != NULL ? strchr(text, '\n') : NULL;
    *definer = text != NULL ? definer_name(text, telling->left->arena) : NULL;
    if (*definer == NULL || strcmp(*definer, telling->account) == 0) {
        return RUNS_AS_ACCOUNT;
    }
    if (!telling->made) {
        const struct text settings = {text, line != NULL ? (size_t)(line - text) : 0};
        bool caller =
            mysql_runs_as_caller(line != NULL ? line + 1 : text, what, mysql_has_escapes(settings));
        return !caller && will_be_made(telling, object) ? RUNS_AS_KEPT : RUNS_AS_ACCOUNT;
    }
    MYSQL_ROW row = is_noted(telling, object) ? find_there(telling, what, object->name) : NULL;
    const char *now = row != NULL ? row[THERE_DEFINER] : NULL;
    const char *security = row != NULL ? row[THERE_SECURITY] : NULL;
    if (now == NULL || (security != NULL && strcmp(security, "INVOKER") == 0)) {
        return RUNS_AS_ACCOUNT;
    }
    return strcmp(now, *definer) == 0           ? RUNS_AS_KEPT
           : strcmp(now, telling->account) == 0 ? RUNS_AS_CHANGED
                                                : RUNS_AS_ACCOUNT;
}

/* ---------------------------------------------------------------- telling */

static void add_kept(const struct telling *telling, const struct schema_object *object,
                     const char *definer)
{
    char shown[SQL_SHOWN_BYTES];
    const struct right_left item = {
        .kind = "definer",
        .object = sql_show_name(object->name, shown),
        .text = arena_format(telling->left->arena,
                             "the %s runs as %s, its definer in the source, not as %s who copies "
                             "(--definer self, refuse)",
                             schema_object_word(object), definer, telling->account)};
    rights_left_add(telling->left, &item);
}

static const struct schema_object *find_body(const struct telling *telling, const char *package)
{
    for (uint32_t i = 0; i < telling->objects->object_count; i++) {
        const struct schema_object *object = &telling->objects->objects[i];
        if (strcmp(schema_object_word(object), "package body") == 0 &&
            strcmp(object->name, package) == 0) {
            return object;
        }
    }
    return NULL;
}

static struct mysql_again again_of(const struct telling *telling,
                                   const struct schema_object *object, const char *definer)
{
    struct mysql_again again = {.object = object, .definer = definer};
    if (strcmp(schema_object_word(object), "package") == 0) {
        const struct schema_object *body = find_body(telling, object->name);
        again.has_body = find_there(telling, "package body", object->name) != NULL;
        if (body != NULL && runs_as(telling, body, &definer) == RUNS_AS_CHANGED) {
            again.body_definer = definer;
        }
    }
    return again;
}

static enum status add_changed(const struct telling *telling, const struct schema_object *object,
                               const char *definer)
{
    char shown[SQL_SHOWN_BYTES];
    struct buffer sql = {0};
    const struct mysql_again again = again_of(telling, object, definer);
    enum status status = mysql_make_again(telling->self, telling->connection, &again,
                                          telling->left->arena, &sql, telling->error);
    const struct right_left item = {
        .opens = true,
        .kind = "definer",
        .object = sql_show_name(object->name, shown),
        .text = arena_format(telling->left->arena,
                             "the %s runs as %s who copies, in the source as %s, since the "
                             "account may not make one of another definer",
                             schema_object_word(object), telling->account, definer),
        .statement = sql.length > 0 ? buffer_string(&sql) : NULL};
    if (status == STATUS_OK) {
        rights_left_add(telling->left, &item);
    }
    buffer_free(&sql);
    return status;
}

static enum status tell_object(const struct telling *telling, const struct schema_object *object)
{
    const char *definer = NULL;
    switch (runs_as(telling, object, &definer)) {
    case RUNS_AS_KEPT:
        add_kept(telling, object, definer);
        return STATUS_OK;
    case RUNS_AS_CHANGED:
        return add_changed(telling, object, definer);
    default:
        return STATUS_OK;
    }
}

/* The statements behind them name them. */
static enum status tell_accounts(const struct telling *telling)
{
    const char *definer = NULL;
    MYSQL_RES *accounts = NULL;
    bool known = false;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < telling->objects->object_count; i++) {
        if (runs_as(telling, &telling->objects->objects[i], &definer) == RUNS_AS_ACCOUNT) {
            continue;
        }
        status = !known ? mysql_accounts_read(telling->self, telling->connection, &accounts,
                                              telling->error)
                        : STATUS_OK;
        known = true;
        if (accounts != NULL) {
            mysql_account_list_lacking(telling->self, accounts, definer, telling->left);
        }
    }
    mysql_free_result(accounts);
    return status;
}

enum status mysql_definers_list(struct mysql_database *self, const struct schema *objects,
                                bool made, struct rights_left *left, struct error *error)
{
    struct telling telling = {.self = self,
                              .account = "",
                              .objects = objects,
                              .made = made,
                              .left = left,
                              .error = error};
    if (self->sql.base.definer == DEFINER_SELF) {
        return STATUS_OK;
    }
    enum status status = mysql_control(self, &telling.connection, error);
    status = status == STATUS_OK ? mysql_run(self, telling.connection, there_sql, SQL_LONG,
                                             ERROR_TARGET_INVALID, &telling.there, error)
                                 : status;
    if (status == STATUS_OK && made) {
        status = mysql_objects_noted(self, telling.connection, left->arena, &telling.noted,
                                     &telling.noted_count, error);
    }
    MYSQL_ROW row = status == STATUS_OK ? find_there(&telling, "account", "") : NULL;
    if (row != NULL && row[THERE_DEFINER] != NULL) {
        telling.account = arena_copy_string(left->arena, row[THERE_DEFINER]);
    }
    status = status == STATUS_OK ? tell_accounts(&telling) : status;
    for (uint32_t i = 0; status == STATUS_OK && i < objects->object_count; i++) {
        status = tell_object(&telling, &objects->objects[i]);
    }
    mysql_free_result(telling.there);
    return status;
}

enum status mysql_tell_rights(struct database *database, const struct schema *objects,
                              struct rights_left *left, struct error *error)
{
    return mysql_definers_list(mysql_database_of(database), objects, false, left, error);
}
