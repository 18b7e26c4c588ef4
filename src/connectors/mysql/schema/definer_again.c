/* Statements that give a view, trigger, routine or event that stands in the target another definer:
 * none can be altered, so it is dropped and made again. */
#include "connectors/mysql/schema/definers.h"
#include "connectors/mysql/schema/objects.h"
#include "connectors/mysql/statement.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { PARTS_MAX = 2 };

/* A statement, and how the session is set for it. */
struct part {
    struct text settings; /* "SET …"; empty: as it is */
    struct buffer statement;
};

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
    bool escapes = mysql_has_escapes(settings);
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
    buffer_format(sql, "\nDELIMITER %s\n%s\n%s\nDELIMITER ;\n", delimiter, statement, delimiter);
}

static void append_drop(struct buffer *sql, const struct schema_object *object)
{
    buffer_append_string(sql, "DROP ");
    for (const char *word = schema_object_word(object); *word != '\0'; word++) {
        buffer_append_byte(sql, (char)toupper((unsigned char)*word));
    }
    mysql_append(sql, " IF EXISTS %n", object->name);
}

/* A statement that the server can't read fails here, before anything is dropped. */
static void append_prepare(struct buffer *sql, struct part *parts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(sql, "SET @transhume_%u = ", (unsigned)i + 1);
        append_line(sql, buffer_string(&parts[i].statement));
        buffer_append_string(sql, "; ");
    }
    for (uint32_t i = 0; i < count; i++) {
        mysql_append(sql, "%S%sPREPARE transhume_%u FROM @transhume_%u; ", parts[i].settings.data,
                     parts[i].settings.length, parts[i].settings.length > 0 ? "; " : "",
                     (unsigned)i + 1, (unsigned)i + 1);
    }
}

static void append_make(struct buffer *sql, struct part *part, uint32_t number, bool prepared)
{
    if (prepared) {
        buffer_format(sql, "EXECUTE transhume_%u; DEALLOCATE PREPARE transhume_%u; ",
                      (unsigned)number, (unsigned)number);
    } else {
        append_delimited(sql, buffer_string(&part->statement));
    }
}

/* Whatever the administrator's session is set to, it is afterwards. That of the first part is also
 * the one that its DROP needs: packages are a word of one mode. */
static void append_again(struct buffer *sql, const struct mysql_database *self,
                         const struct schema_object *object, struct part *parts, uint32_t count)
{
    bool prepared = is_preparable(self, object);
    mysql_append(sql,
                 "USE %n; SET @transhume_mode = @@sql_mode, @transhume_zone = @@time_zone, "
                 "@transhume_collation = @@collation_connection, sql_mode = ''; ",
                 self->sql.schema);
    if (prepared) {
        append_prepare(sql, parts, count);
    }
    if (!prepared || count > 1) {
        mysql_append(sql, "%S%s", parts[0].settings.data, parts[0].settings.length,
                     parts[0].settings.length > 0 ? "; " : "");
    }
    append_drop(sql, object);
    buffer_append_string(sql, "; ");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) {
            mysql_append(sql, "%S%s", parts[i].settings.data, parts[i].settings.length,
                         parts[i].settings.length > 0 ? "; " : "");
        }
        append_make(sql, &parts[i], i + 1, prepared);
    }
    buffer_append_string(sql, "SET sql_mode = @transhume_mode, time_zone = @transhume_zone, "
                              "collation_connection = @transhume_collation");
}

/* The words of the target's server, with another definer unless that is NULL; false: they name
 * none. */
static bool append_of_definer(struct buffer *statement, const char *words, const char *definer,
                              struct arena *arena)
{
    const struct text found = mysql_definer(words);
    if (found.length == 0) {
        return false;
    }
    if (definer == NULL) {
        buffer_append_string(statement, words);
        return true;
    }
    const char *at = strrchr(definer, '@'); /* of a role there is none */
    size_t length = at != NULL ? (size_t)(at - definer) : strlen(definer);
    mysql_append(statement, "%SDEFINER=%n", words, (size_t)(found.data - words),
                 arena_copy(arena, definer, length));
    if (at != NULL) {
        mysql_append(statement, "@%n", at + 1);
    }
    buffer_format(statement, " %s", found.data + found.length);
    return true;
}

/*
 * Nothing of it but the definer's name are the source's words, which may be anything: what the
 * server made of them is one statement. `*known`: there is one, and a client takes it for that.
 */
static enum status read_part(struct mysql_database *self, MYSQL *connection,
                             const struct schema_object *object, const char *what,
                             const char *definer, struct arena *arena, struct part *part,
                             bool *known, struct error *error)
{
    const char *text = NULL;
    enum status status =
        mysql_object_show(self, connection, what, object->name, arena, &text, NULL, error);
    const char *end = status == STATUS_OK && text != NULL ? strchr(text, '\n') : NULL;
    *known = end != NULL && append_of_definer(&part->statement, end + 1, definer, arena);
    if (*known) {
        const char *statement = buffer_string(&part->statement);
        part->settings = (struct text){text, (size_t)(end - text)};
        *known = mysql_makes(statement, what, object->name) &&
                 (is_preparable(self, object) || is_plain(statement, part->settings));
    }
    return status;
}

enum status mysql_make_again(struct mysql_database *self, MYSQL *connection,
                             const struct mysql_again *again, struct arena *arena,
                             struct buffer *sql, struct error *error)
{
    struct part parts[PARTS_MAX] = {0};
    uint32_t count = again->has_body ? PARTS_MAX : 1;
    bool known = false;
    enum status status =
        read_part(self, connection, again->object, schema_object_word(again->object),
                  again->definer, arena, &parts[0], &known, error);
    if (status == STATUS_OK && known && again->has_body) {
        status = read_part(self, connection, again->object, "package body", again->body_definer,
                           arena, &parts[1], &known, error);
    }
    if (status == STATUS_OK && known) {
        append_again(sql, self, again->object, parts, count);
    }
    for (uint32_t i = 0; i < PARTS_MAX; i++) {
        buffer_free(&parts[i].statement);
    }
    return status;
}
