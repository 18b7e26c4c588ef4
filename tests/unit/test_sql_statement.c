/* What a statement does to a table: a case is a statement and its parts, each as its own text. */
#include "sql/statement.h"
#include "support.h"
#include <string.h>

#define P SQL_POSTGRES
#define M SQL_MYSQL
#define S SQL_SQLITE

static void append_span(struct buffer *out, const char *before, const struct sql_span *span)
{
    if (span->text != NULL) {
        buffer_append_string(out, before);
        buffer_append(out, span->text, span->length);
    }
}

static void append_constraint(struct buffer *out, const struct sql_constraint *constraint)
{
    static const char *const kinds[] = {"not-null", "null",   "default", "generated",  "identity",
                                        "primary",  "unique", "check",   "references", "foreign",
                                        "exclude",  "index",  "other"};
    buffer_format(out, " {%s", kinds[constraint->kind]);
    append_span(out, " ", &constraint->name.span);
    append_span(out, " = ", &constraint->expression);
    for (uint32_t i = 0; i < constraint->column_count; i++) {
        buffer_format(out, " %s",
                      constraint->columns[i].name != NULL ? constraint->columns[i].name : "()");
    }
    buffer_format(out, "%s%s%s%s%s}", constraint->references.name != NULL ? " -> " : "",
                  constraint->references.name != NULL ? constraint->references.name : "",
                  constraint->not_valid ? " later" : "", constraint->using_index ? " using" : "",
                  constraint->is_virtual ? " virtual" : "");
}

static void append_column(struct buffer *out, const struct sql_column_named *column)
{
    const struct sql_type_named *type = &column->type;
    buffer_format(out, "%s", column->name.name != NULL ? column->name.name : "?");
    if (type->name != NULL) {
        buffer_format(out, ":%s", type->name);
        append_span(out, "", &type->arguments);
        buffer_format(out, "%s%s", type->with_time_zone ? "+tz" : "", type->is_array ? "[]" : "");
    }
    for (uint32_t i = 0; i < column->constraint_count; i++) {
        append_constraint(out, &column->constraints[i]);
    }
}

static void append_action(struct buffer *out, const struct sql_action *action)
{
    static const char *const kinds[] = {"add",
                                        "drop",
                                        "type",
                                        "set-not-null",
                                        "drop-not-null",
                                        "set-default",
                                        "drop-default",
                                        "option-of",
                                        "alter",
                                        "constrain",
                                        "drop-constraint",
                                        "drop-primary",
                                        "drop-foreign",
                                        "drop-index",
                                        "validate",
                                        "rename",
                                        "rename-constraint",
                                        "rename-index",
                                        "rename-table",
                                        "move",
                                        "attach",
                                        "detach",
                                        "trigger",
                                        "option",
                                        "rewrite",
                                        "algorithm",
                                        "lock",
                                        "other"};
    buffer_format(out, " | %s%s", kinds[action->kind], action->if_exists ? "? " : " ");
    if (action->kind == SQL_ACTION_ADD_COLUMN || action->kind == SQL_ACTION_CHANGE_TYPE) {
        append_column(out, &action->column);
    } else {
        append_span(out, "", &action->name.span);
    }
    append_span(out, " -> ", &action->new_name.span);
    append_span(out, " ", &action->concurrently);
    if (action->kind == SQL_ACTION_ALGORITHM || action->kind == SQL_ACTION_LOCK) {
        append_span(out, "", &action->option);
    }
    if (action->constraint != NULL) {
        append_constraint(out, action->constraint);
    }
}

static void append_statement(struct buffer *out, const struct sql_statement *statement)
{
    static const char *const kinds[] = {"other", "table", "alter", "index", "drop-index"};
    buffer_format(out, "%s%s ", kinds[statement->kind], statement->if_exists ? "?" : "");
    append_span(out, "", &statement->table_span);
    append_span(out, " by ", &statement->index.span);
    append_span(out, " ", &statement->concurrently);
    for (uint32_t i = 0; i < statement->index_column_count; i++) {
        append_span(out, " / ", &statement->index_columns[i].span);
    }
    for (uint32_t i = 0; i < statement->column_count; i++) {
        buffer_append_string(out, " | ");
        append_column(out, &statement->columns[i]);
    }
    for (uint32_t i = 0; i < statement->constraint_count; i++) {
        buffer_append_string(out, " |");
        append_constraint(out, &statement->constraints[i]);
    }
    for (uint32_t i = 0; i < statement->action_count; i++) {
        append_action(out, &statement->actions[i]);
    }
}

static const struct {
    enum sql_language language;
    const char *text;
    const char *parts;
} cases[] = {
    {P,
     "CREATE TABLE IF NOT EXISTS s.t (a int8 CONSTRAINT n NOT NULL DEFAULT 1 + 2, b character "
     "varying(10)[], c timestamp(3) with time zone, d \"My\".\"Type\", CONSTRAINT k PRIMARY KEY (a, "
     "lower(b)), CHECK (a > (1)))",
     "table? s.t | a:int8 {not-null n} {default = 1 + 2} | b:character varying(10)[] | "
     "c:timestamp(3)+tz | d:type | {primary k a ()} | {check = a > (1)}"},
    {P,
     "CREATE TABLE t (a text DEFAULT NOT true, b int8 REFERENCES u (id) ON DELETE SET NULL UNIQUE)",
     "table t | a:text {default = NOT true} | b:int8 {references -> u} {unique}"},
    {P,
     "ALTER TABLE IF EXISTS ONLY t * ADD COLUMN IF NOT EXISTS a int8 NOT NULL, DROP b CASCADE, ALTER "
     "c TYPE numeric(10, 2) USING c::numeric, ALTER COLUMN d SET NOT NULL",
     "alter? t | add? a:int8 {not-null} | drop b | type c:numeric(10, 2) | set-not-null d"},
    {P,
     "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a, b) REFERENCES s.u (x, y) MATCH FULL ON UPDATE "
     "CASCADE NOT VALID, ADD CONSTRAINT p PRIMARY KEY USING INDEX i, VALIDATE CONSTRAINT f",
     "alter t | constrain f {foreign f a b -> u later} | constrain p {primary p using} | validate f"},
    {P, "ALTER TABLE t RENAME a TO b", "alter t | rename a -> b"},
    {P, "ALTER TABLE t RENAME CONSTRAINT a TO b", "alter t | rename-constraint a -> b"},
    {P, "ALTER TABLE t DETACH PARTITION p CONCURRENTLY", "alter t | detach p CONCURRENTLY"},
    {P,
     "ALTER TABLE t ADD a int8 GENERATED ALWAYS AS (b * 2) STORED, ADD c int8 GENERATED BY DEFAULT AS "
     "IDENTITY (START 5), SET (fillfactor = 70), SET LOGGED, ALTER x SET STATISTICS 5",
     "alter t | add a:int8 {generated = b * 2} | add c:int8 {identity} | option  | rewrite  | "
     "option-of x"},
    {P,
     "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON s.t USING btree (a DESC, lower(b), (c + 1))",
     "index? s.t by i CONCURRENTLY / a / lower(b) / (c + 1)"},
    {P, "DROP INDEX CONCURRENTLY IF EXISTS s.i", "drop-index?  by i CONCURRENTLY"},
    {M,
     "CREATE TABLE `t` (`id` int unsigned AUTO_INCREMENT COMMENT 'x, y', e enum('a','b') CHARACTER SET "
     "utf8, n int AS (id + 1), PRIMARY KEY (`id`), KEY k (e(10), n) USING BTREE, CONSTRAINT f FOREIGN "
     "KEY (n) REFERENCES u (id))",
     "table `t` | id:int {identity} {other} | e:enum('a','b') {other} | n:int {generated = id "
     "+ 1 virtual} | {primary id} | {index k e n} | {foreign f n -> u}"},
    {M,
     "ALTER TABLE t ADD (a int, b int), MODIFY c bigint NOT NULL, CHANGE d e text FIRST, DROP PRIMARY "
     "KEY, DROP FOREIGN KEY f, DROP KEY k, RENAME INDEX x TO y, ENGINE=InnoDB, ALGORITHM=INPLACE, "
     "LOCK = NONE",
     "alter t | add a:int | add b:int | type c:bigint {not-null} | type e:text {other} -> e | "
     "drop-primary  | drop-foreign f | drop-index k | rename-index x -> y | rewrite  | algorithm "
     "INPLACE | lock NONE"},
    {M, "ALTER TABLE t RENAME d.u, ADD UNIQUE KEY k (a), ADD FULLTEXT INDEX g (b)",
     "alter t | rename-table  -> d | constrain k {unique k a} | constrain g {index g b}"},
    {S, "CREATE TABLE [a b] (x, y unsigned big int DEFAULT (1), z TEXT COLLATE nocase, UNIQUE (x))",
     "table [a b] | x | y:unsigned {default = (1)} | z:text {other} | {unique x}"},
    {S, "ALTER TABLE t ADD a int AS (b) STORED", "alter t | add a:int {generated = b}"},
    {P, "CREATE TABLE t AS SELECT 1", "table t"},
    {P, "SELECT 1", "other "},
    {P, "CREATE TABLE t (a int, , b", "table t | a:int | b"},
};

static void test_statements(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sql_splitter splitter;
        struct sql_piece piece;
        struct sql_statement statement;
        struct buffer out = {0};
        struct arena *arena = arena_create(0);
        sql_splitter_init(&splitter, cases[i].language);
        sql_splitter_window(&splitter, cases[i].text, strlen(cases[i].text), true);
        assert_int_equal(sql_splitter_next(&splitter, &piece), STATUS_OK);
        sql_statement_read(cases[i].language, &piece, arena, &statement);
        append_statement(&out, &statement);
        assert_buffer(&out, cases[i].parts);
        buffer_free(&out);
        arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_statements)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
