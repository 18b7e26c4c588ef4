/* Statements that change a SQLite schema. What ALTER TABLE can't do is a new table that takes the
 * place of the old one: https://www.sqlite.org/lang_altertable.html, 7. */
#include "connectors/sqlite/schema/definitions.h"
#include "connectors/sqlite/sqlite_internal.h"
#include <string.h>
#include <strings.h>

#define NEW_TABLE "_transhume_new_"

/* ---------------------------------------------------------------- how a table can be altered */

enum way { WAY_ALTER, WAY_REBUILD };

/* Does a normal text hold the word? */
static bool holds_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = text; (at = strcasestr(at, word)) != NULL; at++) {
        bool begins = at == text || at[-1] == ' ' || at[-1] == '"';
        bool ends = at[length] == '\0' || at[length] == ' ' || at[length] == '"';
        if (begins && ends) {
            return true;
        }
    }
    return false;
}

static const char *text_of(const struct definition *item)
{
    const char *text = definition_fact(item, "definition");
    return text != NULL ? text : "";
}

static bool is_generated(const struct definition *column)
{
    const char *text = text_of(column);
    return holds_word(text, "as") && strchr(text, '(') != NULL &&
           (holds_word(text, "generated") || strstr(text, " as (") != NULL);
}

/* ADD COLUMN takes no key, and no default that is computed. */
static bool may_add(const struct definition *column)
{
    const char *text = text_of(column);
    const char *given = strstr(text, " default ");
    bool defaults = given != NULL;
    if (holds_word(text, "primary") || holds_word(text, "unique") ||
        (is_generated(column) && holds_word(text, "stored")) ||
        (holds_word(text, "not") && strstr(text, "not null") != NULL && !defaults &&
         !is_generated(column)) ||
        (defaults && (given[9] == '(' || strncmp(given + 9, "current_", 8) == 0)) ||
        (defaults && holds_word(text, "references"))) {
        return false;
    }
    return true;
}

/* DROP COLUMN takes none that something else stands on. */
static bool may_drop(const struct definitions *from, const struct definition *column)
{
    const char *text = text_of(column);
    uint32_t at = 0;
    const struct definition *other;
    if (holds_word(text, "primary") || holds_word(text, "unique") ||
        holds_word(text, "references")) {
        return false;
    }
    while ((other = sql_definitions_of(from, column->owner, NULL, &at)) != NULL) {
        if (other != column && other->binding == DEFINITION_WITHIN &&
            holds_word(text_of(other), column->name)) {
            return false;
        }
    }
    return true;
}

static const struct definition *partner(const struct definitions *in, uint32_t owner,
                                        const struct definition *part)
{
    uint32_t at = 0;
    const struct definition *other;
    while ((other = sql_definitions_of(in, owner, part->kind, &at)) != NULL) {
        if (strcasecmp(other->name, part->name) == 0) {
            return other;
        }
    }
    return NULL;
}

static bool is_column(const struct definition *part)
{
    return strcmp(part->kind, "column") == 0;
}

static enum way way_of(const struct definition_change *change)
{
    uint32_t before = sql_definition_number(change->from, change->before);
    uint32_t after = sql_definition_number(change->to, change->after);
    const struct definition *part;
    uint32_t at = 0;

    if (!sql_definition_differs_only(change->before, change->after, NULL)) {
        return WAY_REBUILD;
    }
    while ((part = sql_definitions_of(change->from, before, NULL, &at)) != NULL) {
        const struct definition *other = partner(change->to, after, part);
        if (part->binding != DEFINITION_WITHIN ||
            (other != NULL && definition_is_equal(part, other))) {
            continue;
        }
        if (!is_column(part) || other != NULL || !may_drop(change->from, part)) {
            return WAY_REBUILD;
        }
    }
    at = 0;
    while ((part = sql_definitions_of(change->to, after, NULL, &at)) != NULL) {
        if (part->binding == DEFINITION_WITHIN && partner(change->from, before, part) == NULL &&
            (!is_column(part) || !may_add(part))) {
            return WAY_REBUILD;
        }
    }
    return WAY_ALTER;
}

bool sqlite_definition_disturbs(const struct definition_change *change,
                                const struct definition *user)
{
    return strcmp(change->before->kind, "table") == 0 && strcmp(user->kind, "table") != 0 &&
           user->binding != DEFINITION_WITHIN && way_of(change) == WAY_REBUILD;
}

/* ---------------------------------------------------------------- tables */

static void append_table(struct buffer *sql, const struct definitions *in,
                         const struct definition *table, const char *name)
{
    uint32_t owner = sql_definition_number(in, table);
    const char *options = definition_fact(table, "options");
    const struct definition *part;
    bool first = true;

    sqlite_append(sql, "CREATE TABLE %n (", name);
    for (int columns = 1; columns >= 0; columns--) {
        uint32_t at = 0;
        while ((part = sql_definitions_of(in, owner, columns ? "column" : "constraint", &at)) !=
               NULL) {
            buffer_format(sql, "%s\n    %s", first ? "" : ",", definition_fact(part, "_text"));
            first = false;
        }
    }
    buffer_format(sql, "\n)%s%s", options != NULL ? " " : "", options != NULL ? options : "");
}

static enum status create_table(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    struct buffer sql = {0};
    (void)before;
    append_table(&sql, emission->change->to, after, after->name);
    sql_emit(emission, &sql, ALTER_LOCK_NONE);
    return STATUS_OK;
}

static void alter_columns(struct sql_emission *emission, const struct definition *before,
                          const struct definition *after)
{
    const struct definition_change *change = emission->change;
    uint32_t old_owner = sql_definition_number(change->from, before);
    uint32_t new_owner = sql_definition_number(change->to, after);
    const struct definition *part;
    struct buffer sql = {0};
    uint32_t at = 0;
    while ((part = sql_definitions_of(change->to, new_owner, "column", &at)) != NULL) {
        if (partner(change->from, old_owner, part) == NULL) {
            sqlite_append(&sql, "ALTER TABLE %n ADD COLUMN %s", after->name,
                          definition_fact(part, "_text"));
            sql_emit(emission, &sql, ALTER_LOCK_ALL);
        }
    }
    at = 0;
    while ((part = sql_definitions_of(change->from, old_owner, "column", &at)) != NULL) {
        if (partner(change->to, new_owner, part) == NULL) {
            sqlite_append(&sql, "ALTER TABLE %n DROP COLUMN %n", after->name, part->name);
            sql_emit(emission, &sql, ALTER_LOCK_ALL)->rewrites = true;
        }
    }
}

/* The columns that both have, and that take values. */
static bool append_common(struct buffer *sql, const struct definition_change *change)
{
    uint32_t old_owner = sql_definition_number(change->from, change->before);
    uint32_t new_owner = sql_definition_number(change->to, change->after);
    const struct definition *part;
    uint32_t at = 0;
    bool any = false;
    while ((part = sql_definitions_of(change->to, new_owner, "column", &at)) != NULL) {
        const struct definition *old_part = partner(change->from, old_owner, part);
        if (old_part != NULL && !is_generated(part)) {
            sqlite_append(sql, any ? ", %n" : "%n", part->name);
            any = true;
        }
    }
    return any;
}

/* Does the table count its rows up with a memory of its own? */
static bool remembers_numbers(const struct definitions *in, const struct definition *table)
{
    const struct definition *part;
    uint32_t at = 0;
    while ((part = sql_definitions_of(in, sql_definition_number(in, table), "column", &at)) !=
           NULL) {
        if (holds_word(text_of(part), "autoincrement")) {
            return true;
        }
    }
    return false;
}

static enum status rebuild_table(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    const struct definition_change *change = emission->change;
    struct buffer sql = {0};
    struct buffer columns = {0};
    const char *made = arena_format(emission->arena, NEW_TABLE "%s", after->name);

    append_table(&sql, change->to, after, made);
    sql_emit(emission, &sql, ALTER_LOCK_ALL);
    if (append_common(&columns, change)) {
        sqlite_append(&sql, "INSERT INTO %n (%b) SELECT %b FROM %n", made, &columns, &columns,
                      before->name);
        sql_emit(emission, &sql, ALTER_LOCK_ALL)->rewrites = true;
    }
    buffer_free(&columns);
    if (remembers_numbers(change->to, after) && remembers_numbers(change->from, before)) {
        /* a number that was given once is never given again */
        sqlite_append(&sql, "DELETE FROM sqlite_sequence WHERE name = %q", made);
        sql_emit(emission, &sql, ALTER_LOCK_ALL);
        sqlite_append(&sql,
                      "INSERT INTO sqlite_sequence (name, seq) SELECT %q, seq FROM "
                      "sqlite_sequence WHERE name = %q",
                      made, before->name);
        sql_emit(emission, &sql, ALTER_LOCK_ALL);
    }
    sqlite_append(&sql, "DROP TABLE %n", before->name);
    sql_emit(emission, &sql, ALTER_LOCK_ALL);
    sqlite_append(&sql, "ALTER TABLE %n RENAME TO %n", made, after->name);
    sql_emit(emission, &sql, ALTER_LOCK_ALL);
    return STATUS_OK;
}

static enum status alter_table(struct sql_emission *emission, const struct definition *before,
                               const struct definition *after)
{
    if (way_of(emission->change) == WAY_REBUILD) {
        return rebuild_table(emission, before, after);
    }
    alter_columns(emission, before, after);
    return STATUS_OK;
}

static enum status rename_table(struct sql_emission *emission, const struct definition *before,
                                const struct definition *after)
{
    sql_emit(emission, sqlite_sql("ALTER TABLE %n RENAME TO %n", before->name, after->name),
             ALTER_LOCK_ALL);
    return STATUS_OK;
}

static enum status rename_column(struct sql_emission *emission, const struct definition *before,
                                 const struct definition *after)
{
    sql_emit(emission,
             sqlite_sql("ALTER TABLE %n RENAME COLUMN %n TO %n", before->table, before->name,
                        after->name),
             ALTER_LOCK_ALL);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all else is one text */

static enum status create_text(struct sql_emission *emission, const struct definition *before,
                               const struct definition *after)
{
    (void)before;
    sql_emit(emission, sqlite_sql("%s", definition_fact(after, "_sql")),
             strcmp(after->kind, "index") == 0 ? ALTER_LOCK_ALL : ALTER_LOCK_NONE);
    return STATUS_OK;
}

static enum status sqlite_emit_drop(struct sql_emission *emission, const struct definition *before,
                                    const struct definition *after)
{
    struct buffer sql = {0};
    (void)after;
    const char *word = strcmp(before->kind, "virtual table") == 0 ? "table" : before->kind;
    buffer_append_string(&sql, "DROP ");
    for (; *word != '\0'; word++) {
        buffer_append_byte(&sql, (char)(*word - 32));
    }
    sqlite_append(&sql, " %n", before->name);
    sql_emit(emission, &sql, ALTER_LOCK_ALL);
    return STATUS_OK;
}

static enum status nothing(struct sql_emission *emission, const struct definition *before,
                           const struct definition *after)
{
    (void)emission;
    (void)before;
    (void)after;
    return STATUS_OK;
}

const struct sql_definition_kind sqlite_definition_kinds[] = {
    {"table", 100, DEFINITION_ALONE, true, create_table, alter_table, sqlite_emit_drop,
     rename_table},
    {"virtual table", 100, DEFINITION_ALONE, true, create_text, NULL, sqlite_emit_drop,
     rename_table},
    {"column", 110, DEFINITION_WITHIN, true, nothing, nothing, nothing, rename_column},
    {"constraint", 120, DEFINITION_WITHIN, false, nothing, nothing, nothing, NULL},
    {"index", 140, DEFINITION_ATTACHED, false, create_text, NULL, sqlite_emit_drop, NULL},
    {"view", 200, DEFINITION_ALONE, false, create_text, NULL, sqlite_emit_drop, NULL},
    {"trigger", 210, DEFINITION_ATTACHED, false, create_text, NULL, sqlite_emit_drop, NULL},
    {0},
};
