/* After the load: a table's indexes, as the source or the plan has them. */
#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/mysql/schema/finish.h"
#include "connectors/mysql/schema/objects.h"
#include "connectors/mysql/translate.h"
#include <string.h>
#include <strings.h>

static bool has_index(const struct mysql_table *facts, const char *name)
{
    for (uint32_t i = 0; i < facts->schema->index_count; i++) {
        if (strcasecmp(facts->schema->indexes[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_there(const struct mysql_table *facts, const struct text *quoted)
{
    for (uint32_t i = 0; i < facts->schema->index_count; i++) {
        if (mysql_definition_is_name(quoted, facts->schema->indexes[i].name)) {
            return true;
        }
    }
    return false;
}

/* Clauses of indexes. */
struct clauses {
    struct text *texts;
    uint32_t count;
};

/* The clauses of the source's statement for indexes that are not there. False: there is none. */
static bool collect_same(struct mysql_finisher *finisher, const struct target_table *table,
                         const struct mysql_table *facts, struct clauses *clauses)
{
    struct mysql_definition definition;
    struct buffer told = {0}; /* when the table was made */
    enum status status = mysql_definition_of(finisher->self, table->same_engine, NULL,
                                             finisher->arena, &definition, &told);
    buffer_free(&told);
    if (status != STATUS_OK) {
        return false;
    }
    clauses->texts = definition.clauses;
    for (uint32_t i = 0; i < definition.count; i++) {
        struct text name = mysql_definition_name(&definition.clauses[i]);
        if (definition.kinds[i] == MYSQL_CLAUSE_KEY && !is_there(facts, &name)) {
            clauses->texts[clauses->count++] = definition.clauses[i];
        }
    }
    return true;
}

static void collect_planned(const struct mysql_database *self, struct arena *arena,
                            const struct target_table *table, const struct mysql_table *facts,
                            struct clauses *clauses)
{
    const struct mysql_layout layout = mysql_layout_make(self, table, arena);
    struct buffer words = {0};
    clauses->texts =
        arena_allocate_zeroed(arena, (size_t)table->index_count + 1, sizeof(struct text));
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct target_index *index = &table->indexes[i];
        if ((!index->unique && layout.faults[i] != NULL) || has_index(facts, index->name)) {
            continue;
        }
        buffer_clear(&words);
        mysql_layout_append_index(self, table, &layout, index, &words);
        const char *copy = arena_copy(arena, words.data, words.length);
        clauses->texts[clauses->count++] = (struct text){copy, words.length};
    }
    buffer_free(&words);
}

static void append_indexes(struct buffer *sql, const struct mysql_database *self,
                           const struct target_table *table, const struct text *clauses,
                           uint32_t count)
{
    mysql_append(sql, "ALTER TABLE %t ", &self->sql, table->name);
    for (uint32_t i = 0; i < count; i++) {
        mysql_append(sql, "%s%S", i > 0 ? ", ADD " : "ADD ", clauses[i].data, clauses[i].length);
    }
}

static enum status add_indexes(struct mysql_finisher *finisher, const struct target_table *table,
                               const struct text *clauses, uint32_t count, struct error *error)
{
    struct buffer sql = {0};
    append_indexes(&sql, finisher->self, table, clauses, count);
    return mysql_finisher_alter(finisher, &sql, table->name, SQL_BUILD, error);
}

/* Does that number say that the server would never make this index? */
static bool is_of_index(int64_t number)
{
    static const int64_t numbers[] = {
        1061,             /* another one has its name */
        1069, 1070,       /* there are too many, or it has too many columns */
        1071, 1709,       /* it is too long */
        1089, 1170,       /* a length is wrong, or wanting where the column has no end of its own */
        1252, 1464, 1283, /* SPATIAL of NULLs, or not of this engine; FULLTEXT of this column */
        1795,             /* of several FULLTEXT only one is made at a time */
        3152, 3757,       /* it is over JSON */
        1280,             /* its name is wrong */
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i] == number) {
            return true;
        }
    }
    return false;
}

/* One after the other: plain ones that the server would never make are told of and left out. */
static enum status add_each_index(struct mysql_finisher *finisher, const struct target_table *table,
                                  const struct clauses *clauses)
{
    static const char unique[] = "UNIQUE ";
    for (uint32_t i = 0; i < clauses->count; i++) {
        const struct text *clause = &clauses->texts[i];
        const struct text name = mysql_definition_name(clause);
        struct error problem = {0};
        if (add_indexes(finisher, table, clause, 1, &problem) == STATUS_OK) {
            continue;
        }
        if (!is_of_index(problem.native_code) ||
            strncmp(clause->data, unique, sizeof unique - 1) == 0) {
            return mysql_finisher_fail(finisher, &problem);
        }
        log_write(LOG_WARNING, "%s: the index %.*s is not made: %s", table->name, (int)name.length,
                  name.data, problem.message);
    }
    return STATUS_OK;
}

enum status mysql_make_indexes(struct mysql_finisher *finisher, const struct target_table *table,
                               const struct mysql_table *facts)
{
    struct clauses clauses = {0};
    struct error problem = {0};
    if (!collect_same(finisher, table, facts, &clauses)) {
        collect_planned(finisher->self, finisher->arena, table, facts, &clauses);
    }
    if (clauses.count == 0) {
        return STATUS_OK;
    }
    mysql_finisher_say(finisher, "indexes of", table->name);
    if (failpoint_hit("mysql.before_index", finisher->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = add_indexes(finisher, table, clauses.texts, clauses.count, &problem);
    if (status != STATUS_OK && is_of_index(problem.native_code)) {
        status = add_each_index(finisher, table, &clauses);
    } else if (status != STATUS_OK) {
        status = mysql_finisher_fail(finisher, &problem);
    }
    return status == STATUS_OK ? failpoint_hit("mysql.after_index", finisher->error) : status;
}

/* ---------------------------------------------------------------- showing it */

/* The clauses of the source's statement that did not come with the table. False: there is none. */
static bool collect_late(const struct mysql_database *self, const struct target_table *table,
                         struct arena *arena, struct clauses *clauses)
{
    struct mysql_definition definition;
    struct buffer told = {0};
    enum status status =
        table->same_engine == NULL
            ? STATUS_END
            : mysql_definition_of(self, table->same_engine, NULL, arena, &definition, &told);
    buffer_free(&told);
    if (status != STATUS_OK) {
        return false;
    }
    bool *late = arena_allocate_zeroed(arena, (size_t)definition.count + 1, sizeof *late);
    mysql_pick_late_keys(&definition, table, late);
    clauses->texts = definition.clauses;
    for (uint32_t i = 0; i < definition.count; i++) {
        if (late[i]) {
            clauses->texts[clauses->count++] = definition.clauses[i];
        }
    }
    return true;
}

/* A table as prepare leaves it: with its unique indexes. */
static struct mysql_table new_table(const struct target_table *table, struct arena *arena)
{
    struct schema_table *schema = arena_allocate_zeroed(arena, 1, sizeof *schema);
    struct schema_index *indexes =
        arena_allocate_zeroed(arena, (size_t)table->index_count + 1, sizeof *indexes);
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].unique) {
            indexes[schema->index_count++].name = table->indexes[i].name;
        }
    }
    schema->indexes = indexes;
    return (struct mysql_table){.schema = schema};
}

void mysql_show_indexes(const struct mysql_database *self, const struct target_table *table,
                        struct script *script)
{
    struct clauses clauses = {0};
    struct buffer sql = {0};
    if (!collect_late(self, table, script->arena, &clauses)) {
        const struct mysql_table facts = new_table(table, script->arena);
        collect_planned(self, script->arena, table, &facts, &clauses);
    }
    if (clauses.count > 0) {
        append_indexes(&sql, self, table, clauses.texts, clauses.count);
        script_add(script, SCRIPT_AFTER_LOAD, "index", table->name, &sql);
    }
}
