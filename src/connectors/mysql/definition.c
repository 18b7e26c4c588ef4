/*
 * SHOW CREATE TABLE taken apart: CREATE TABLE `name` (clause, clause, …) options. A clause is cut
 * at commas that stand in no parentheses and no quotes ('…' with backslashes, `…` and "…" doubled).
 */
#include "connectors/mysql/statement.h"
#include "connectors/mysql/target.h"
#include <ctype.h>
#include <string.h>

static const char *skip_to(const char *at, const char *end, char wanted)
{
    int depth = 0;
    while (at < end) {
        if (*at == '\'' || *at == '`' || *at == '"') {
            at = mysql_skip_quoted(at, end);
            continue;
        }
        if (depth == 0 && (*at == wanted || *at == ')')) {
            return at;
        }
        depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
        at++;
    }
    return end;
}

static bool begins(const struct text *clause, const char *words)
{
    size_t length = strlen(words);
    return clause->length >= length && memcmp(clause->data, words, length) == 0;
}

static enum mysql_clause kind_of(const struct text *clause)
{
    static const char *const keys[] = {"KEY ", "UNIQUE KEY ", "FULLTEXT KEY ", "SPATIAL KEY ",
                                       "VECTOR KEY "};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (begins(clause, keys[i])) {
            return MYSQL_CLAUSE_KEY;
        }
    }
    if (begins(clause, "CONSTRAINT `")) {
        const char *end = clause->data + clause->length;
        const char *rest = mysql_skip_quoted(clause->data + strlen("CONSTRAINT "), end);
        const struct text behind = {rest, (size_t)(end - rest)};
        return begins(&behind, " FOREIGN KEY") ? MYSQL_CLAUSE_REFERENCE : MYSQL_CLAUSE_COLUMN;
    }
    return begins(clause, "FOREIGN KEY") ? MYSQL_CLAUSE_REFERENCE : MYSQL_CLAUSE_COLUMN;
}

enum status mysql_definition_read(const char *statement, struct arena *arena,
                                  struct mysql_definition *definition)
{
    const char *end = statement + strlen(statement);
    const char *at = skip_to(statement, end, '(');
    struct buffer clauses = {0};
    *definition = (struct mysql_definition){0};
    if (at == end || *at != '(') {
        return STATUS_END;
    }
    do {
        at++;
        at += strspn(at, " \n\r\t");
        const char *stop = skip_to(at, end, ',');
        struct text clause = {at, (size_t)(stop - at)};
        while (clause.length > 0 && strchr(" \n\r\t", at[clause.length - 1]) != NULL) {
            clause.length--;
        }
        buffer_append(&clauses, &clause, sizeof clause);
        definition->count++;
        at = stop;
    } while (at < end && *at == ',');
    definition->clauses = (struct text *)(void *)arena_copy(arena, clauses.data, clauses.length);
    definition->kinds = arena_allocate_zeroed(arena, definition->count, 1);
    buffer_free(&clauses);
    for (uint32_t i = 0; i < definition->count; i++) {
        definition->kinds[i] = (uint8_t)kind_of(&definition->clauses[i]);
    }
    if (at == end) {
        return STATUS_END;
    }
    definition->options = (struct text){at + 1, (size_t)(end - at - 1)};
    return STATUS_OK;
}

struct text mysql_definition_name(const struct text *clause)
{
    const char *end = clause->data + clause->length;
    const char *begin = memchr(clause->data, '`', clause->length);
    if (begin == NULL) {
        return (struct text){clause->data, 0};
    }
    const char *behind = mysql_skip_quoted(begin, end);
    return (struct text){begin, (size_t)(behind - begin)};
}

static bool is_name(const struct text *quoted, const char *name, bool exactly)
{
    const char *at = quoted->data + 1;
    const char *end = quoted->data + quoted->length;
    if (quoted->length < 2) {
        return false;
    }
    for (end--; at < end; at++, name++) {
        at += *at == '`' && at + 1 < end; /* doubled */
        const unsigned char left = (unsigned char)*at;
        const unsigned char right = (unsigned char)*name;
        if (exactly ? left != right : tolower(left) != tolower(right)) {
            return false;
        }
    }
    return *name == '\0';
}

bool mysql_definition_is_name(const struct text *quoted, const char *name)
{
    return is_name(quoted, name, false);
}

bool mysql_definition_is_exactly(const struct text *quoted, const char *name)
{
    return is_name(quoted, name, true);
}

bool mysql_definition_begins_with(const struct text *clause, const char *column)
{
    const struct text name = mysql_definition_name(clause);
    const char *end = clause->data + clause->length;
    const char *columns = name.data + name.length;
    const struct text rest = {columns, (size_t)(end - columns)};
    const struct text first = mysql_definition_name(&rest);
    return mysql_definition_is_name(&first, column);
}
