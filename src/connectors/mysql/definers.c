/* Definers of views, triggers, routines and events: told, since what they may the statements may.
 */
#include "connectors/mysql/definers.h"
#include "connectors/mysql/objects.h"
#include "connectors/mysql/statement.h"
#include "connectors/sql/check.h"
#include "connectors/sql/place.h"
#include <ctype.h>
#include <stdio.h>
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

static const char there_sql[] =
    "SELECT 'view', table_name, definer FROM information_schema.views WHERE table_schema = "
    "DATABASE() UNION ALL SELECT 'trigger', trigger_name, definer FROM "
    "information_schema.triggers WHERE trigger_schema = DATABASE() UNION ALL SELECT "
    "LOWER(routine_type), routine_name, definer FROM information_schema.routines WHERE "
    "routine_schema = DATABASE() UNION ALL SELECT 'event', event_name, definer FROM "
    "information_schema.events WHERE event_schema = DATABASE() UNION ALL SELECT 'table', "
    "table_name, NULL FROM information_schema.tables WHERE table_schema = DATABASE() UNION ALL "
    "SELECT 'account', '', CURRENT_USER()";

enum { THERE_WHAT, THERE_NAME, THERE_DEFINER };

struct telling {
    struct mysql_database *self;
    MYSQL *connection;
    MYSQL_RES *there;
    struct mysql_noted *noted;
    uint32_t noted_count;
    const char *account;
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

/* ---------------------------------------------------------------- the statement */

/* Servers prepare views; since 10.6.2 MariaDB prepares all of them. */
static bool is_preparable(const struct mysql_database *self, const struct schema_object *object)
{
    enum { PREPARES_ALL = 100602 };
    return object->kind == SCHEMA_OBJECT_VIEW || (self->mariadb && self->version >= PREPARES_ALL);
}

/* On one line, with sql_mode = ''. */
static void append_line(struct buffer *sql, const char *text)
{
    static const char escaped[] = "\\\n\r\t";
    static const char letters[] = "\\nrt";
    buffer_append_byte(sql, '\'');
    for (; *text != '\0'; text++) {
        const char *found = strchr(escaped, *text);
        if (found != NULL) {
            buffer_append_byte(sql, '\\');
            buffer_append_byte(sql, letters[found - escaped]);
            continue;
        }
        buffer_append_string(sql, *text == '\'' ? "'" : "");
        buffer_append_byte(sql, *text);
    }
    buffer_append_byte(sql, '\'');
}

/*
 * Does the client read it as the server does? Outside texts it takes a backslash for the beginning
 * of a command of its own ("\!" runs programs), in a name it may end it otherwise than the server
 * does, DELIMITER is its own, too, and it looks into comments that are for some versions alone.
 */
static bool is_plain(const char *statement, struct text settings)
{
    static const char no_escapes[] = "NO_BACKSLASH_ESCAPES";
    bool escapes =
        memmem(settings.data, settings.length, no_escapes, sizeof no_escapes - 1) == NULL;
    const char *end = statement + strlen(statement);
    bool plain = strstr(statement, "/*!") == NULL && strstr(statement, "/*M!") == NULL;
    for (struct text piece = {statement, 0}; plain && piece.data < end;
         piece.data += piece.length) {
        piece = mysql_piece_at(piece.data, end);
        bool slash = memchr(piece.data, '\\', piece.length) != NULL;
        plain = !mysql_is_word(piece, "DELIMITER") && (!slash || (*piece.data == '\'' && escapes));
    }
    return plain;
}

/* Between lines of their own, since a body holds the usual delimiter. */
static void append_delimited(struct buffer *sql, const char *statement)
{
    char delimiter[16] = "$$";
    for (unsigned number = 1; strstr(statement, delimiter) != NULL; number++) {
        snprintf(delimiter, sizeof delimiter, "$%u$", number);
    }
    buffer_format(sql, ";\nDELIMITER %s\n%s\n%s\nDELIMITER ;\n", delimiter, statement, delimiter);
}

static void append_drop(struct buffer *sql, const struct schema_object *object)
{
    buffer_append_string(sql, "DROP ");
    for (const char *word = schema_object_word(object); *word != '\0'; word++) {
        buffer_append_byte(sql, (char)toupper((unsigned char)*word));
    }
    buffer_append_byte(sql, ' ');
    mysql_append_name(sql, object->name);
}

/* Whatever the administrator's session is set to, it is afterwards. */
static void append_anew(struct buffer *sql, const struct telling *telling,
                        const struct schema_object *object, struct text settings,
                        const char *statement)
{
    bool prepared = is_preparable(telling->self, object);
    mysql_append(sql, "USE %n; ", telling->self->sql.schema);
    buffer_append_string(sql, "SET @transhume_mode = @@sql_mode, @transhume_zone = @@time_zone, "
                              "@transhume_collation = @@collation_connection, sql_mode = ''; ");
    if (prepared) {
        buffer_append_string(sql, "SET @transhume_text = ");
        append_line(sql, statement);
        buffer_append_string(sql, "; ");
    }
    buffer_append(sql, settings.data, settings.length);
    buffer_append_string(sql, settings.length > 0 ? "; " : "");
    if (prepared) {
        buffer_append_string(sql, "PREPARE transhume FROM @transhume_text; ");
    }
    append_drop(sql, object);
    if (prepared) {
        buffer_append_string(sql, "; EXECUTE transhume; DEALLOCATE PREPARE transhume; ");
    } else {
        append_delimited(sql, statement);
    }
    buffer_append_string(sql, "SET sql_mode = @transhume_mode, time_zone = @transhume_zone, "
                              "collation_connection = @transhume_collation");
}

/* The words of the target's server with another definer; false: they name none. */
static bool append_of_definer(struct buffer *statement, const char *words, const char *definer,
                              struct arena *arena)
{
    const struct text found = mysql_definer(words);
    const char *at = strrchr(definer, '@'); /* of a role there is none */
    size_t length = at != NULL ? (size_t)(at - definer) : strlen(definer);
    if (found.length == 0) {
        return false;
    }
    buffer_append(statement, words, (size_t)(found.data - words));
    mysql_append(statement, "DEFINER=%n", arena_copy(arena, definer, length));
    if (at != NULL) {
        mysql_append(statement, "@%n", at + 1);
    }
    buffer_append_byte(statement, ' ');
    buffer_append_string(statement, found.data + found.length);
    return true;
}

/*
 * Nothing of it but the definer's name are the source's words, which may be anything: what the
 * server made of them is one statement. `*sql` stays empty if the server does not tell it, or a
 * client would take it for something else.
 */
static enum status make_anew(const struct telling *telling, const struct schema_object *object,
                             const char *definer, struct buffer *sql)
{
    const char *what = schema_object_word(object);
    const char *text = NULL;
    struct buffer statement = {0};
    enum status status = mysql_object_show(telling->self, telling->connection, what, object->name,
                                           telling->left->arena, &text, NULL, telling->error);
    const char *end = status == STATUS_OK && text != NULL ? strchr(text, '\n') : NULL;
    if (end != NULL && append_of_definer(&statement, end + 1, definer, telling->left->arena)) {
        const struct text settings = {text, (size_t)(end - text)};
        if (mysql_makes(buffer_string(&statement), what, object->name) &&
            (is_preparable(telling->self, object) ||
             is_plain(buffer_string(&statement), settings))) {
            append_anew(sql, telling, object, settings, buffer_string(&statement));
        }
    }
    buffer_free(&statement);
    return status;
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

static enum status add_changed(const struct telling *telling, const struct schema_object *object,
                               const char *definer)
{
    char shown[SQL_SHOWN_BYTES];
    struct buffer sql = {0};
    enum status status = make_anew(telling, object, definer, &sql);
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

static enum status tell_object(const struct telling *telling, const struct schema_object *object,
                               bool made)
{
    const char *definer = object->native_sql != NULL && object->kind != SCHEMA_OBJECT_DETAIL
                              ? mysql_definer_name(object->native_sql, telling->left->arena)
                              : NULL;
    if (definer == NULL || strcmp(definer, telling->account) == 0 ||
        !(made ? is_noted(telling, object) : will_be_made(telling, object))) {
        return STATUS_OK;
    }
    MYSQL_ROW row = made ? find_there(telling, schema_object_word(object), object->name) : NULL;
    const char *now = row != NULL ? row[THERE_DEFINER] : NULL;
    if (!made || (now != NULL && strcmp(now, definer) == 0)) {
        add_kept(telling, object, definer);
        return STATUS_OK;
    }
    return now != NULL && strcmp(now, telling->account) == 0 ? add_changed(telling, object, definer)
                                                             : STATUS_OK;
}

enum status mysql_definers_list(struct mysql_database *self, const struct schema *objects,
                                bool made, struct rights_left *left, struct error *error)
{
    struct telling telling = {.self = self, .account = "", .left = left, .error = error};
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
    for (uint32_t i = 0; status == STATUS_OK && i < objects->object_count; i++) {
        status = tell_object(&telling, &objects->objects[i], made);
    }
    mysql_free_result(telling.there);
    return status;
}

enum status mysql_tell_rights(struct database *database, const struct schema *objects,
                              struct rights_left *left, struct error *error)
{
    return mysql_definers_list(mysql_database_of(database), objects, false, left, error);
}
