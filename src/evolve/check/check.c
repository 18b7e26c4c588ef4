#include "evolve/check/check.h"

#include "base/buffer.h"
#include "base/text.h"
#include "model/decimal.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char blanks[] = " \t\r\n";

/* Words of a check, in the arena. */
struct words {
    const char *rest;
    struct arena *arena;
};

/* A word ends at a blank outside quotes; NULL: there is none. */
static char *next_word(struct words *words)
{
    const char *begin = words->rest + strspn(words->rest, blanks);
    const char *at = begin;
    while (*at != '\0' && strchr(blanks, *at) == NULL) {
        if (*at == '"' || *at == '`') {
            const char *close = strchr(at + 1, *at);
            at = close != NULL ? close : at;
        }
        at++;
    }
    words->rest = at;
    return at == begin ? NULL : arena_copy(words->arena, begin, (size_t)(at - begin));
}

static const char *rest_of(struct words *words)
{
    const char *begin = words->rest + strspn(words->rest, blanks);
    size_t length = strlen(begin);
    while (length > 0 && strchr(blanks, begin[length - 1]) != NULL) {
        length--;
    }
    return arena_copy(words->arena, begin, length);
}

/* "shop.users.email" into "shop.users" and "email", by the last dot outside quotes. */
static enum status split_column(char *word, const char **table, const char **column,
                                struct error *error)
{
    char *dot = NULL;
    char quote = '\0';
    for (char *at = word; word != NULL && *at != '\0'; at++) {
        if (quote == '\0' && (*at == '"' || *at == '`')) {
            quote = *at;
        } else if (*at == quote) {
            quote = '\0';
        } else if (*at == '.' && quote == '\0') {
            dot = at;
        }
    }
    if (dot == NULL || dot == word || dot[1] == '\0') {
        return error_set(error, ERROR_MIGRATION_INVALID, NULL,
                         "TABLE.COLUMN is expected here, not '%s'", word == NULL ? "" : word);
    }
    *dot = '\0';
    *table = word;
    *column = dot + 1;
    return STATUS_OK;
}

static enum status expect_end(struct words *words, struct error *error)
{
    const char *more = next_word(words);
    return more == NULL ? STATUS_OK
                        : error_set(error, ERROR_MIGRATION_INVALID, NULL,
                                    "'%s' is more than this check takes", more);
}

static enum status parse_null(struct schema_check *check, struct words *words, struct error *error)
{
    const char *table;
    const char *column;
    if (split_column(next_word(words), &table, &column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    check->sql =
        arena_format(words->arena, "SELECT count(*) FROM %s WHERE %s IS NULL", table, column);
    check->complaint = arena_format(words->arena, "rows of %s have no %s", table, column);
    return expect_end(words, error);
}

static enum status parse_duplicate(struct schema_check *check, struct words *words,
                                   struct error *error)
{
    const char *table;
    const char *columns;
    if (split_column(next_word(words), &table, &columns, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct buffer there = {0};
    for (const char *at = columns; *at != '\0';) {
        size_t length = strcspn(at, ",");
        buffer_format(&there, "%s%.*s IS NOT NULL", at == columns ? "" : " AND ", (int)length, at);
        at += length;
        at += *at == ',';
    }
    check->sql = arena_format(words->arena,
                              "SELECT count(*) FROM (SELECT %s FROM %s WHERE %s GROUP BY %s "
                              "HAVING count(*) > 1) AS found",
                              columns, table, buffer_string(&there), columns);
    buffer_free(&there);
    check->complaint =
        arena_format(words->arena, "values of %s stand in more than one row of %s", columns, table);
    return expect_end(words, error);
}

static enum status parse_orphan(struct schema_check *check, struct words *words,
                                struct error *error)
{
    const char *table;
    const char *column;
    const char *parent;
    const char *key;
    if (split_column(next_word(words), &table, &column, error) != STATUS_OK ||
        split_column(next_word(words), &parent, &key, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    check->sql = arena_format(words->arena,
                              "SELECT count(*) FROM %s AS child WHERE child.%s IS NOT NULL AND NOT "
                              "EXISTS (SELECT 1 FROM %s AS parent WHERE parent.%s = child.%s)",
                              table, column, parent, key, column);
    check->complaint = arena_format(words->arena, "rows of %s have a %s that is no %s of %s", table,
                                    column, key, parent);
    return expect_end(words, error);
}

/* "= 100", "> 0", "unchanged" */
static enum status parse_relation(struct schema_check *check, struct words *words,
                                  struct error *error)
{
    static const struct {
        const char *word;
        enum check_relation relation;
    } relations[] = {{"=", CHECK_EQUAL},    {"!=", CHECK_NOT_EQUAL}, {"<>", CHECK_NOT_EQUAL},
                     {"<", CHECK_LESS},     {"<=", CHECK_AT_MOST},   {">", CHECK_GREATER},
                     {">=", CHECK_AT_LEAST}};
    const char *word = next_word(words);
    if (word != NULL && strcasecmp(word, "unchanged") == 0) {
        check->relation = CHECK_UNCHANGED;
        return expect_end(words, error);
    }
    for (size_t i = 0; word != NULL && i < sizeof(relations) / sizeof(relations[0]); i++) {
        if (strcmp(word, relations[i].word) == 0) {
            struct cell ignored;
            check->relation = relations[i].relation;
            check->expected = next_word(words);
            if (check->expected == NULL || decimal_parse(check->expected, strlen(check->expected),
                                                         words->arena, &ignored) != STATUS_OK) {
                return error_set(error, ERROR_MIGRATION_INVALID, NULL,
                                 "a number is expected behind '%s'", word);
            }
            return expect_end(words, error);
        }
    }
    return error_set(error, ERROR_MIGRATION_INVALID, NULL,
                     "'= N', '> N' or the like, or 'unchanged' is expected, not '%s'",
                     word == NULL ? "" : word);
}

static enum status parse_rows(struct schema_check *check, struct words *words, struct error *error)
{
    const char *table = next_word(words);
    if (table == NULL) {
        return error_set(error, ERROR_MIGRATION_INVALID, NULL, "a table is expected here");
    }
    check->sql = arena_format(words->arena, "SELECT count(*) FROM %s", table);
    check->complaint = arena_format(words->arena, "rows are in %s", table);
    return parse_relation(check, words, error);
}

static enum status parse_sum(struct schema_check *check, struct words *words, struct error *error)
{
    const char *table;
    const char *column;
    if (split_column(next_word(words), &table, &column, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    check->sql = arena_format(words->arena, "SELECT sum(%s) FROM %s", column, table);
    check->complaint = arena_format(words->arena, "is the sum of %s.%s", table, column);
    return parse_relation(check, words, error);
}

static enum status parse_query(struct schema_check *check, struct words *words, struct error *error)
{
    char *text = arena_copy_string(words->arena, rest_of(words));
    char *arrow = NULL;
    for (char *at = strstr(text, "=>"); at != NULL; at = strstr(at + 2, "=>")) {
        arrow = at;
    }
    if (arrow == NULL || arrow == text) {
        return error_set(error, ERROR_MIGRATION_INVALID, NULL,
                         "a query and its answer are expected: SELECT … => 0");
    }
    struct words answer = {arrow + 2, words->arena};
    *arrow = '\0';
    struct words query = {text, words->arena};
    check->sql = rest_of(&query);
    const char *expected = rest_of(&answer);
    if (strcasecmp(expected, "unchanged") == 0) {
        check->relation = CHECK_UNCHANGED;
    } else {
        check->expected = strcasecmp(expected, "null") == 0 ? NULL : expected;
    }
    return STATUS_OK;
}

static const struct check_kind {
    const char *name;
    enum status (*parse)(struct schema_check *check, struct words *words, struct error *error);
} kinds[] = {{"null", parse_null},     {"duplicate", parse_duplicate},
             {"orphan", parse_orphan}, {"rows", parse_rows},
             {"sum", parse_sum},       {"query", parse_query}};
enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

enum status check_parse(const char *text, size_t length, struct arena *arena,
                        struct schema_check *check, struct error *error)
{
    struct words words = {arena_copy(arena, text, length), arena};
    const char *names[KIND_COUNT];
    check->text = rest_of(&words);
    check->relation = CHECK_EQUAL;
    check->expected = "0";
    const char *word = next_word(&words);
    for (size_t i = 0; i < KIND_COUNT; i++) {
        names[i] = kinds[i].name;
        if (word != NULL && strcasecmp(word, kinds[i].name) == 0) {
            return kinds[i].parse(check, &words, error);
        }
    }
    const char *nearest = word == NULL ? NULL : text_nearest(word, names, KIND_COUNT);
    return error_set(error, ERROR_MIGRATION_INVALID, NULL,
                     nearest != NULL ? "there is no check '%s'; did you mean '%s'?"
                                     : "there is no check '%s'; there are null, duplicate, orphan, "
                                       "rows, sum and query",
                     word == NULL ? "" : word, nearest);
}

/* ---------------------------------------------------------------- asking */

/* Numbers as numbers, "1.50" and "1.5" the same; other texts by their bytes. */
static int check_compare(const char *left, const char *right, struct arena *arena)
{
    struct cell numbers[2];
    if (decimal_parse(left, strlen(left), arena, &numbers[0]) == STATUS_OK &&
        decimal_parse(right, strlen(right), arena, &numbers[1]) == STATUS_OK) {
        return decimal_compare(&numbers[0], &numbers[1]);
    }
    return strcmp(left, right);
}

static bool is_fulfilled(enum check_relation relation, const char *answer, const char *expected,
                         struct arena *arena)
{
    if (answer == NULL || expected == NULL) {
        bool same = answer == expected;
        return relation == CHECK_NOT_EQUAL
                   ? !same
                   : same && relation != CHECK_LESS && relation != CHECK_GREATER;
    }
    int order = check_compare(answer, expected, arena);
    switch (relation) {
    case CHECK_NOT_EQUAL:
        return order != 0;
    case CHECK_LESS:
        return order < 0;
    case CHECK_AT_MOST:
        return order <= 0;
    case CHECK_GREATER:
        return order > 0;
    case CHECK_AT_LEAST:
        return order >= 0;
    default:
        return order == 0;
    }
}

enum status check_ask(struct alter_session *session, const struct alter_functions *alter,
                      const struct schema_check *check, const char *before, struct arena *arena,
                      const char **answer, struct error *error)
{
    static const char *const words[] = {"",           "anything but ", "less than ", "at most ",
                                        "more than ", "at least ",     "unchanged: "};
    const char *place = arena_format(arena, "%s:%" PRIu32, check->file, check->line);
    if (alter->ask(session, check->sql, arena, answer, error) != STATUS_OK) {
        snprintf(error->object, sizeof(error->object), "%s", place);
        return error_context(error, "the check `%s` could not be made: ", check->text);
    }
    const char *expected = check->relation == CHECK_UNCHANGED ? before : check->expected;
    if (is_fulfilled(check->relation, *answer, expected, arena)) {
        return STATUS_OK;
    }
    const char *found = *answer == NULL ? "NULL" : *answer;
    error_set(error, ERROR_CHECK_FAILED, place, "%s%s%s; expected: %s%s [%s]", found,
              check->complaint == NULL ? "" : " ", check->complaint == NULL ? "" : check->complaint,
              words[check->relation], expected == NULL ? "NULL" : expected, check->text);
    return STATUS_AGAIN;
}
