/*
 * The server is asked what it can do with a table by itself: the clauses are tried on an
 * empty copy, from the lightest way on, and what the copy has become says what the table will be.
 */
#include "connectors/mysql/change/change.h"
#include "connectors/sql/undo.h"
#include <inttypes.h>
#include <string.h>
#include <strings.h>

static enum status run_text(struct mysql_change_plan *plan, struct buffer *sql, struct error *error)
{
    uint64_t changed = 0;
    return mysql_change_run(&plan->session->base, sql, &changed, error);
}

static void drop_scratch(struct mysql_change_plan *plan, const char *scratch)
{
    struct error ignored;
    (void)!run_text(plan, mysql_sql("DROP TABLE IF EXISTS %n", scratch), &ignored);
}

/* Foreign keys are not tried: two of one name can't be, and the server makes and drops them in
 * place where it does not look at the rows. */
static enum status make_scratch(struct mysql_change_plan *plan,
                                const struct mysql_change_table *table, const char *scratch,
                                struct error *error)
{
    struct buffer sql = {0};
    const char *counter = mysql_change_counter(table->statement, plan->arena);
    drop_scratch(plan, scratch);
    mysql_append(&sql, "CREATE TABLE %n LIKE %n", scratch, table->name);
    enum status status = run_text(plan, &sql, error);
    if (status == STATUS_OK && counter != NULL) {
        mysql_append(&sql, "ALTER TABLE %n AUTO_INCREMENT = %s", scratch, counter);
        status = run_text(plan, &sql, error);
    }
    return status;
}

static enum status set_mode(struct mysql_change_plan *plan, const struct mysql_change_set *set,
                            struct error *error)
{
    if (set->sql_mode == NULL) {
        return STATUS_OK;
    }
    return run_text(plan, mysql_sql("SET SESSION sql_mode = %q", set->sql_mode), error);
}

/* The identity of a table, which a rebuild changes; NULL: the account may not see it. */
static const char *ask_identity(struct mysql_change_plan *plan, const char *scratch)
{
    struct sql_shadow_rows rows;
    struct error ignored;
    return mysql_change_query(
               &plan->session->base,
               mysql_sql(
                   "SELECT group_concat(table_id ORDER BY table_id) FROM information_schema.%s "
                   "WHERE name = concat(%q, '/', %q) OR name LIKE concat(%q, '/', %q, '#%%')",
                   plan->session->database->mariadb ? "innodb_sys_tables" : "innodb_tables",
                   plan->session->database->sql.schema, scratch,
                   plan->session->database->sql.schema, scratch),
               plan->arena, &rows, &ignored) == STATUS_OK &&
                   rows.count > 0
               ? rows.cells[0][0]
               : NULL;
}

static enum status try_one(struct mysql_change_plan *plan, const struct mysql_change_set *set,
                           const char *scratch, const char *algorithm, struct error *error)
{
    bool locks = strcmp(algorithm, "INSTANT") != 0;
    return run_text(plan,
                    mysql_sql("ALTER TABLE %n %b, ALGORITHM=%s%s", scratch, &set->clauses,
                              algorithm, locks ? ", LOCK=NONE" : ""),
                    error);
}

/* Says that this way is not possible, and not that the clauses are wrong: of an algorithm or lock
 * that is not supported, and (MariaDB) of one that does not know the operation. */
static bool is_of_the_way(const struct error *error)
{
    enum { NOT_SUPPORTED = 1845, NOT_SUPPORTED_REASON = 1846, UNKNOWN_ALGORITHM = 1800 };
    return error->native_code == NOT_SUPPORTED || error->native_code == NOT_SUPPORTED_REASON ||
           error->native_code == UNKNOWN_ALGORITHM;
}

static enum status try_ways(struct mysql_change_plan *plan, const struct mysql_change_set *set,
                            const char *scratch, struct mysql_change_trial *trial,
                            struct error *error)
{
    static const char *const algorithms[] = {"INSTANT", "NOCOPY", "INPLACE"};
    struct error refusal = {0};
    const char *before = ask_identity(plan, scratch);
    for (size_t i = 0; i < 3 && set->way != MYSQL_WAY_SHADOW; i++) {
        if (i == 1 && !plan->session->database->mariadb) {
            continue;
        }
        if (try_one(plan, set, scratch, algorithms[i], &refusal) == STATUS_OK) {
            const char *after = i == 2 ? ask_identity(plan, scratch) : NULL;
            trial->algorithm = algorithms[i];
            trial->rewrites =
                i == 2 && (before == NULL || after == NULL || strcmp(before, after) != 0);
            return STATUS_OK;
        }
        trial->refusal = arena_copy_string(plan->arena, refusal.message);
        if (!mysql_is_alive(plan->session->connection)) {
            return error_copy(error, &refusal);
        }
    }
    enum status status =
        run_text(plan, mysql_sql("ALTER TABLE %n %b", scratch, &set->clauses), error);
    if (status != STATUS_OK && error->code != ERROR_TARGET_UNKNOWN_OUTCOME &&
        !is_of_the_way(error)) {
        struct error words = *error;
        error_set(error, ERROR_CHANGE_INVALID, set->table, "the server refuses it: %.800s",
                  words.message);
        return error_hint(error, "it was tried on an empty copy of the table; nothing was touched");
    }
    return status;
}

/* `up` and `down`, of no row. */
static enum status try_expression(struct mysql_change_plan *plan,
                                  const struct mysql_change_set *set,
                                  const struct mysql_change_table *table, const char *name,
                                  const char *expression, const char *word, struct error *error)
{
    struct buffer sql = {0};
    if (expression == NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT (");
    mysql_change_append_prefixed(&sql, table, expression, "t.");
    mysql_append(&sql, ") FROM %n AS t LIMIT 0", name);
    enum status status = run_text(plan, &sql, error);
    if (status != STATUS_OK && mysql_is_alive(plan->session->connection)) {
        struct error words = *error;
        error_set(error, ERROR_CHANGE_INVALID, set->table,
                  "line %u: the server refuses the `%s` %.200s: %.600s", set->line, word,
                  expression, words.message);
        return error_hint(error, strcmp(word, "up") == 0
                                     ? "`up` is an expression over the columns of the table now"
                                     : "`down` is an expression over the columns of the new form");
    }
    return status;
}

enum status mysql_change_try(struct mysql_change_plan *plan, const struct mysql_change_set *set,
                             const struct mysql_change_table *table,
                             struct mysql_change_trial *trial, struct error *error)
{
    const char *scratch =
        arena_format(plan->arena, MYSQL_CHANGE_SCRATCH "%016" PRIx64, sql_name_hash(table->name));
    struct error ignored;
    *trial = (struct mysql_change_trial){0};
    enum status status = set_mode(plan, set, error);
    status = status == STATUS_OK ? make_scratch(plan, table, scratch, error) : status;
    status = status == STATUS_OK ? try_ways(plan, set, scratch, trial, error) : status;
    if (status == STATUS_OK) {
        status = mysql_change_read(plan->session, scratch, plan->arena, &trial->after, error);
    }
    for (uint32_t i = 0; i < set->value_count && status == STATUS_OK; i++) {
        status = try_expression(plan, set, table, table->name, set->values[i].up, "up", error);
        status = status == STATUS_OK ? try_expression(plan, set, &trial->after, scratch,
                                                      set->values[i].down, "down", error)
                                     : status;
    }
    if (status == STATUS_OK) {
        status = mysql_change_stands(plan, table->name, scratch, &trial->stands, error);
    }
    if (mysql_is_alive(plan->session->connection)) {
        drop_scratch(plan, scratch);
        if (set->sql_mode != NULL) {
            (void)!mysql_alter_put_back(plan->session, &ignored);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- one at a time */

/* Servers whose sessions hold more than one such lock. */
static bool holds_several(const struct mysql_database *database)
{
    return database->version >= (database->mariadb ? 100002u : 50705u);
}

/* The tables that a killed compiler left: who has the lock is the only one. */
static enum status drop_abandoned(struct mysql_change_plan *plan, struct error *error)
{
    struct sql_shadow_rows rows;
    enum status status = mysql_change_query(
        &plan->session->base,
        mysql_sql("SELECT table_name FROM information_schema.tables WHERE table_schema = %q "
                  "AND table_name REGEXP '^" MYSQL_CHANGE_SCRATCH "[0-9a-f]{16}$'",
                  plan->session->database->sql.schema),
        plan->arena, &rows, error);
    for (uint32_t i = 0; status == STATUS_OK && i < rows.count; i++) {
        drop_scratch(plan, rows.cells[i][0]);
    }
    return status;
}

enum status mysql_change_begin_trials(struct mysql_change_plan *plan, struct error *error)
{
    enum { WAIT_S = 60 };
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    if (!holds_several(plan->session->database)) {
        return STATUS_OK;
    }
    buffer_format(&sql, "SELECT GET_LOCK('transhume trial %016" PRIx64 "', %d)",
                  sql_name_hash(plan->session->database->sql.schema), (int)WAIT_S);
    if (mysql_change_query(&plan->session->base, &sql, plan->arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (rows.count == 0 || rows.cells[0][0] == NULL || strcmp(rows.cells[0][0], "1") != 0) {
        return error_set(error, ERROR_TARGET_LOCKED, plan->session->base.shown,
                         "another `transhume change` tries its clauses on this schema");
    }
    return drop_abandoned(plan, error);
}

void mysql_change_end_trials(struct mysql_change_plan *plan)
{
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    struct error ignored = {0};
    if (holds_several(plan->session->database) && mysql_is_alive(plan->session->connection)) {
        buffer_format(&sql, "SELECT RELEASE_LOCK('transhume trial %016" PRIx64 "')",
                      sql_name_hash(plan->session->database->sql.schema));
        (void)!mysql_change_query(&plan->session->base, &sql, plan->arena, &rows, &ignored);
    }
}

/* ---------------------------------------------------------------- does it stand? */

/* A number that is another one for each form of a table, as an expression of SQL. */
void mysql_change_append_form(struct buffer *sql, const char *schema, const char *table)
{
    static const char digest[] = "CAST(CONV(LEFT(SHA2(CONCAT_WS('|', %s), 256), 15), 16, 10) AS "
                                 "UNSIGNED)";
    static const char *const parts[][2] = {
        {"columns", "'c', ordinal_position, column_name, column_type, is_nullable, "
                    "coalesce(quote(column_default), '-'), extra, coalesce(collation_name, '-'), "
                    "column_comment, coalesce(generation_expression, '-')"},
        {"statistics", "'s', index_name, seq_in_index, non_unique, coalesce(column_name, '-'), "
                       "coalesce(sub_part, '-'), index_type, coalesce(collation, '-'), "
                       "index_comment"},
        {"tables", "'t', engine, row_format, table_collation, table_comment, create_options"},
        {"partitions", "'p', coalesce(partition_name, '-'), coalesce(partition_description, '-'), "
                       "coalesce(partition_method, '-'), coalesce(partition_expression, '-')"}};
    buffer_append_byte(sql, '(');
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buffer_append_string(sql,
                             i > 0 ? " ^ (SELECT coalesce(BIT_XOR(" : "(SELECT coalesce(BIT_XOR(");
        buffer_format(sql, digest, parts[i][1]);
        mysql_append(sql,
                     "), 0) FROM information_schema.%s WHERE table_schema = %q AND table_name = "
                     "%q)",
                     parts[i][0], schema, table);
    }
    buffer_append_byte(sql, ')');
}

enum status mysql_change_stands(struct mysql_change_plan *plan, const char *table, const char *like,
                                const char **query, struct error *error)
{
    const char *schema = plan->session->database->sql.schema;
    struct buffer sql = {0};
    struct sql_shadow_rows rows;
    buffer_append_string(&sql, "SELECT ");
    mysql_change_append_form(&sql, schema, table);
    buffer_append_string(&sql, ", ");
    mysql_change_append_form(&sql, schema, like);
    *query = NULL;
    if (mysql_change_query(&plan->session->base, &sql, plan->arena, &rows, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *now = rows.cells[0][0];
    const char *then = rows.cells[0][1];
    if (now != NULL && then != NULL && strcmp(now, then) != 0) {
        buffer_append_string(&sql, "SELECT ");
        mysql_change_append_form(&sql, schema, table);
        buffer_format(&sql, " = %s", then);
        *query = mysql_change_text(plan, &sql);
    }
    return STATUS_OK;
}
