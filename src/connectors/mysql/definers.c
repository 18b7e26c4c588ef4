/* Definers of views, triggers, routines and events: told, since what they may the statements may.
 */
#include "connectors/mysql/definers.h"
#include "connectors/mysql/objects.h"
#include "connectors/mysql/statement.h"
#include "connectors/sql/check.h"
#include <ctype.h>
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

const char *mysql_definer_name(const char *statement, struct arena *arena)
{
    static const char invoker[] = "SQL SECURITY INVOKER VIEW";
    const struct text definer = mysql_definer(statement);
    const char *end = definer.data + definer.length;
    struct buffer name = {0};
    if (definer.length == 0 || strncmp(end, invoker, sizeof invoker - 1) == 0) {
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
    const char *copy = arena_copy_string(arena, buffer_string(&name));
    buffer_free(&name);
    return copy;
}

/* ---------------------------------------------------------------- what stands there */

static const char definers_sql[] =
    "SELECT 'view', table_name, definer, CURRENT_USER() FROM information_schema.views WHERE "
    "table_schema = DATABASE() UNION ALL SELECT 'trigger', trigger_name, definer, CURRENT_USER() "
    "FROM information_schema.triggers WHERE trigger_schema = DATABASE() UNION ALL SELECT "
    "LOWER(routine_type), routine_name, definer, CURRENT_USER() FROM information_schema.routines "
    "WHERE routine_schema = DATABASE() UNION ALL SELECT 'event', event_name, definer, "
    "CURRENT_USER() FROM information_schema.events WHERE event_schema = DATABASE() UNION ALL "
    "SELECT '', '', '', CURRENT_USER()";

enum { DEFINER_WHAT, DEFINER_NAME, DEFINER_IS, DEFINER_ACCOUNT };

static MYSQL_ROW find_there(MYSQL_RES *there, const struct schema_object *object)
{
    MYSQL_ROW row = NULL;
    mysql_data_seek(there, 0);
    do {
        row = mysql_fetch_row(there);
    } while (row != NULL && (strcmp(row[DEFINER_WHAT], schema_object_word(object)) != 0 ||
                             strcmp(row[DEFINER_NAME], object->name) != 0));
    return row;
}

static const char *account_of(MYSQL_RES *there, struct arena *arena)
{
    mysql_data_seek(there, mysql_num_rows(there) - 1);
    MYSQL_ROW row = mysql_fetch_row(there);
    return arena_copy_string(
        arena, row != NULL && row[DEFINER_ACCOUNT] != NULL ? row[DEFINER_ACCOUNT] : "");
}

/* ---------------------------------------------------------------- telling */

static void add_kept(const struct schema_object *object, const char *definer, const char *account,
                     struct rights_left *left)
{
    char shown[SQL_SHOWN_BYTES];
    const struct right_left item = {
        .kind = "definer",
        .object = sql_show_name(object->name, shown),
        .text = arena_format(left->arena,
                             "the %s runs as %s, its definer in the source, not as %s who copies "
                             "(--definer self, refuse)",
                             schema_object_word(object), definer, account)};
    rights_left_add(left, &item);
}

static void add_changed(const struct mysql_database *self, const struct schema *objects,
                        const struct schema_object *object, const char *definer,
                        const char *account, struct rights_left *left)
{
    char shown[SQL_SHOWN_BYTES];
    struct buffer sql = {0};
    buffer_append_string(&sql, "DROP ");
    for (const char *word = schema_object_word(object); *word != '\0'; word++) {
        buffer_append_byte(&sql, (char)toupper((unsigned char)*word));
    }
    buffer_append_byte(&sql, ' ');
    mysql_append_name(&sql, object->name);
    buffer_append_string(&sql, "; ");
    mysql_append_anew(&sql, self, objects->settings, object);
    const struct right_left item = {
        .opens = true,
        .kind = "definer",
        .object = sql_show_name(object->name, shown),
        .text = arena_format(left->arena,
                             "the %s runs as %s who copies, in the source as %s, since the "
                             "account may not make one of another definer",
                             schema_object_word(object), account, definer),
        .statement = buffer_string(&sql)};
    rights_left_add(left, &item);
    buffer_free(&sql);
}

enum status mysql_definers_list(struct mysql_database *self, const struct schema *objects,
                                bool foretells, struct rights_left *left, struct error *error)
{
    MYSQL *connection = NULL;
    MYSQL_RES *there = NULL;
    bool own = self->sql.base.definer == DEFINER_SELF;
    enum status status = mysql_control(self, &connection, error);
    status = status == STATUS_OK ? mysql_run(self, connection, definers_sql, SQL_LONG,
                                             ERROR_TARGET_INVALID, &there, error)
                                 : status;
    const char *account = status == STATUS_OK ? account_of(there, left->arena) : "";
    for (uint32_t i = 0; status == STATUS_OK && !own && i < objects->object_count; i++) {
        const struct schema_object *object = &objects->objects[i];
        const char *definer = object->native_sql != NULL && object->kind != SCHEMA_OBJECT_DETAIL
                                  ? mysql_definer_name(object->native_sql, left->arena)
                                  : NULL;
        if (definer == NULL || strcmp(definer, account) == 0) {
            continue;
        }
        MYSQL_ROW row = foretells ? NULL : find_there(there, object);
        if (foretells || (row != NULL && strcmp(row[DEFINER_IS], definer) == 0)) {
            add_kept(object, definer, account, left);
        } else if (row != NULL && strcmp(row[DEFINER_IS], account) == 0) {
            add_changed(self, objects, object, definer, account, left);
        }
    }
    mysql_free_result(there);
    return status;
}

enum status mysql_tell_rights(struct database *database, const struct schema *objects,
                              struct rights_left *left, struct error *error)
{
    return mysql_definers_list(mysql_database_of(database), objects, true, left, error);
}
