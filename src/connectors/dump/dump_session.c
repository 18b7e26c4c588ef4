/* The statements of a dump that say how its rows are to be read. */
#include "connectors/dump/dump.h"
#include "model/time_zone.h"
#include "sql/quoting.h"
#include <string.h>
#include <strings.h>

struct dump_session dump_session_default(enum sql_language language)
{
    bool mysql = language == SQL_MYSQL;
    return (struct dump_session){
        .backslashes = mysql, .double_quotes = mysql, .zone_known = !mysql};
}

/* ---------------------------------------------------------------- encodings */

/*
 * The known encodings are those whose bytes below 0x80 are ASCII's wherever they stand, so that
 * quotes and backslashes can be found without knowing more, by MySQL's names and PostgreSQL's.
 * NULL: UTF-8.
 */
static bool known_encoding(const char *name, const char **encoding)
{
    static const char *const names[][2] = {
        {"utf8", NULL},
        {"utf-8", NULL},
        {"utf8mb4", NULL},
        {"utf8mb3", NULL},
        {"unicode", NULL},
        {"ascii", NULL},
        {"latin2", "LATIN2"},
        {"latin5", "LATIN5"},
        {"latin7", "ISO-8859-13"},
        {"greek", "ISO-8859-7"},
        {"hebrew", "ISO-8859-8"},
        {"cp1250", "CP1250"},
        {"cp1251", "CP1251"},
        {"cp1256", "CP1256"},
        {"cp1257", "CP1257"},
        {"koi8r", "KOI8-R"},
        {"koi8u", "KOI8-U"},
        {"cp850", "CP850"},
        {"cp852", "CP852"},
        {"cp866", "CP866"},
        {"latin9", "ISO-8859-15"},
        {"win1250", "CP1250"},
        {"win1251", "CP1251"},
        {"win1252", "CP1252"},
        {"win1253", "CP1253"},
        {"win1254", "CP1254"},
        {"win1257", "CP1257"},
        {"iso_8859_5", "ISO-8859-5"},
        {"euc_jp", "EUC-JP"},
        {"euc_kr", "EUC-KR"},
        {"ujis", "EUC-JP"},
        {"euckr", "EUC-KR"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(names[i][0], name) == 0) {
            *encoding = names[i][1];
            return true;
        }
    }
    return false;
}

static enum status set_encoding(struct dump_database *self, struct dump_session *session,
                                const char *name, uint32_t line, struct error *error)
{
    /* MySQL's latin1 is Windows' */
    bool latin1 = strcasecmp(name, "latin1") == 0;
    if (latin1) {
        session->encoding = self->inventory.language == SQL_MYSQL ? "CP1252" : "LATIN1";
        return STATUS_OK;
    }
    if (known_encoding(name, &session->encoding)) {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_INVALID, dump_place(self, line).text,
              "texts of the encoding %s can't be read", name);
    return error_hint(error, "dump again in UTF-8: pg_dump --encoding=UTF8, mysqldump "
                             "--default-character-set=utf8mb4");
}

/* ---------------------------------------------------------------- one setting */

static enum status set_zone(struct dump_database *self, struct dump_session *session,
                            const char *name, uint32_t line, struct error *error)
{
    session->zone_known = true;
    session->zone = NULL;
    if (strcmp(name, "+00:00") == 0 || strcasecmp(name, "UTC") == 0) {
        return STATUS_OK;
    }
    if (time_zone_make(name, self->inventory.arena, &session->zone, error) != STATUS_OK) {
        return error_context(error, "%s: ", dump_place(self, line).text);
    }
    return STATUS_OK;
}

static enum status set_one(struct dump_database *self, struct dump_session *session,
                           const char *name, const char *value, uint32_t line, struct error *error)
{
    bool mysql = self->inventory.language == SQL_MYSQL;
    if (strcasecmp(name, mysql ? "NAMES" : "client_encoding") == 0) {
        return set_encoding(self, session, value, line, error);
    }
    if (mysql && strcasecmp(name, "TIME_ZONE") == 0) {
        return set_zone(self, session, value, line, error);
    }
    if (strcasecmp(name, mysql ? "SQL_MODE" : "standard_conforming_strings") == 0) {
        enum sql_language language = self->inventory.language;
        uint8_t quoting = 0;
        sql_quoting_set(language, name, value, &quoting);
        session->backslashes = sql_quoting_escapes(language, quoting);
        session->double_quotes = mysql && (quoting & SQL_QUOTING_NAMES) == 0;
    } else if (!mysql && strcasecmp(name, "search_path") == 0) {
        session->space = value[0] != '\0' ? arena_copy_string(self->inventory.arena, value) : NULL;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- SET */

static const char *text_of(const struct sql_cursor *at, struct arena *arena)
{
    struct buffer text = {0};
    if (at->token.kind == SQL_TOKEN_STRING) {
        sql_token_append_string(&at->token, at->lexer.language, &text);
    } else if (at->token.kind == SQL_TOKEN_WORD) {
        buffer_append(&text, at->token.text, at->token.length);
    } else if (sql_token_is_name(&at->token, at->lexer.language)) {
        return sql_token_name(&at->token, at->lexer.language, arena);
    } else {
        return NULL;
    }
    const char *copy = arena_copy_string(arena, buffer_string(&text));
    buffer_free(&text);
    return copy;
}

enum status dump_session_set(struct dump_database *self, struct dump_session *session,
                             const struct sql_piece *piece, struct error *error)
{
    struct arena *arena = arena_create(1024);
    struct sql_cursor at;
    enum status status = STATUS_OK;
    sql_cursor_of_piece(&at, self->inventory.language, piece);
    if (!sql_take(&at, "SET")) {
        arena_destroy(arena);
        return STATUS_OK;
    }
    do {
        uint32_t line = at.token.place.line;
        const char *name = sql_take_setting(&at, arena);
        if (sql_token_is_operator(&at.token, "=") || sql_token_is_operator(&at.token, ":=") ||
            sql_at(&at, "TO")) {
            sql_advance(&at);
        }
        const char *value = text_of(&at, arena);
        if (name != NULL && value != NULL) {
            status = set_one(self, session, name, value, line, error);
        }
        sql_skip_clause(&at);
    } while (status == STATUS_OK && sql_take_mark(&at, ','));
    arena_destroy(arena);
    return status;
}
