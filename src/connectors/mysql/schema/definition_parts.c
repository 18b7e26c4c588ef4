/* SHOW CREATE TABLE as definitions: a clause each, and the options behind them. */
#include "connectors/mysql/schema/definitions.h"
#include "connectors/mysql/statement.h"
#include "connectors/mysql/target.h"
#include <string.h>

const char *mysql_definition_id(struct arena *arena, const char *lead, const char *name)
{
    char *id = arena_format(arena, "%s:%s", lead, name);
    for (char *at = id; *at != '\0'; at++) {
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
    }
    return id;
}

const char *mysql_without_definer(const char *statement, struct arena *arena, const char **definer)
{
    struct text found = mysql_definer(statement);
    *definer = NULL;
    if (found.length == 0) {
        return statement;
    }
    size_t before = (size_t)(found.data - statement);
    struct buffer text = {0};
    *definer = arena_copy(arena, found.data, found.length);
    buffer_append(&text, statement, before);
    const char *rest = found.data + found.length;
    buffer_append_string(&text,
                         rest + (*rest == ' ' && before > 0 && text.data[before - 1] == ' '));
    return sql_text(arena, &text);
}

/* ---------------------------------------------------------------- clauses */

static bool begins(const char *text, const char *words)
{
    return strncmp(text, words, strlen(words)) == 0;
}

/* `name` without quotes. */
static const char *bare_name(const struct text *quoted, struct arena *arena)
{
    struct buffer name = {0};
    for (size_t i = 1; i + 1 < quoted->length; i++) {
        buffer_append_byte(&name, quoted->data[i]);
        i += quoted->data[i] == '`' ? 1 : 0;
    }
    return sql_text(arena, &name);
}

static const char *kind_of(const char *clause, enum mysql_clause read_as)
{
    if (read_as == MYSQL_CLAUSE_REFERENCE) {
        return "foreign key";
    }
    if (read_as == MYSQL_CLAUSE_KEY || begins(clause, "PRIMARY KEY")) {
        return "index";
    }
    return begins(clause, "CONSTRAINT ") ? "check"
           : begins(clause, "PERIOD ")   ? "period"
                                         : "column";
}

/* Where the words of a column's character set and collation can't be any more. */
static size_t length_of_type(const char *text)
{
    static const char *const ends[] = {" NOT NULL", " DEFAULT", " GENERATED",
                                       " COMMENT",  " AS (",    " NULL"};
    size_t length = strlen(text);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const char *end = strstr(text, ends[i]);
        length = end != NULL && (size_t)(end - text) < length ? (size_t)(end - text) : length;
    }
    return length;
}

/* Without " CHARACTER SET …" and " COLLATE …", which are told or not by what the table's are: a
 * column's collation is a fact of its own. */
static const char *without_collation(const char *text, struct arena *arena)
{
    static const char *const words[] = {" CHARACTER SET ", " COLLATE "};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *at = strstr(text, words[i]);
        if (at != NULL && (size_t)(at - text) < length_of_type(text)) {
            const char *rest = at + strlen(words[i]);
            rest += strcspn(rest, " ");
            text = arena_format(arena, "%.*s%s", (int)(at - text), text, rest);
        }
    }
    return text;
}

static void add_clause(struct sql_definitions *list, uint32_t table, const struct text *clause,
                       enum mysql_clause read_as)
{
    struct arena *arena = list->arena;
    const char *table_name = list->items[table].name;
    const char *table_id = list->ids[table];
    const char *text = arena_copy(arena, clause->data, clause->length);
    const struct text quoted = mysql_definition_name(clause);
    const char *kind = kind_of(text, read_as);
    const char *name = begins(text, "PRIMARY KEY")   ? "PRIMARY"
                       : strcmp(kind, "period") == 0 ? "period"
                                                     : bare_name(&quoted, arena);
    struct definition *part = sql_definitions_add(list, kind, NULL, table_name, name);
    if (part == NULL) {
        return;
    }
    bool column = strcmp(kind, "column") == 0;
    sql_definitions_add_fact(list, part, "definition",
                             column ? without_collation(text, arena) : text);
    sql_definitions_add_fact(list, part, "_text", column ? text : NULL);
    list->ids[list->count - 1] = arena_format(arena, "%s.%s.%s", table_id, kind, name);
    list->owner_ids[list->count - 1] = table_id;
}

/* ---------------------------------------------------------------- options */

/* "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 …", and behind a line end the partitions. */
static void add_options(struct sql_definitions *list, uint32_t table, const struct text *options)
{
    struct arena *arena = list->arena;
    char *text = arena_copy(arena, options->data, options->length);
    char *partitions = strstr(text, "PARTITION BY");
    if (partitions != NULL) {
        char *end = partitions + strlen(partitions);
        char *begin = partitions;
        while (begin > text && begin[-1] != '\n') {
            begin--;
        }
        if (begins(begin, "/*!") && end - partitions > 2 && strcmp(end - 2, "*/") == 0) {
            end[-2] = '\0';
        }
        partitions = arena_copy_string(arena, partitions);
        *begin = '\0';
    }
    size_t length = strlen(text);
    while (length > 0 && strchr(" \r\n\t", text[length - 1]) != NULL) {
        text[--length] = '\0';
    }
    text += strspn(text, " ");
    sql_definitions_add_fact(list, &list->items[table], "options", *text != '\0' ? text : NULL);
    sql_definitions_add_fact(list, &list->items[table], "partitions", partitions);
}

void mysql_take_table_apart(struct sql_definitions *list, uint32_t table, const char *statement)
{
    struct mysql_definition parts;
    char *text = arena_copy_string(list->arena, statement);
    mysql_drop_counter(text);
    if (mysql_definition_read(text, list->arena, &parts) != STATUS_OK) {
        return;
    }
    add_options(list, table, &parts.options);
    for (uint32_t i = 0; i < parts.count; i++) {
        add_clause(list, table, &parts.clauses[i], (enum mysql_clause)parts.kinds[i]);
    }
}
