/*
 * After the load: indexes, counters, comments, statistics, and foreign keys when nothing else is
 * left to alter: MariaDB (10.11 seen) never comes back from two ALTERs at once of tables that refer
 * to each other. All of it can be repeated.
 */
#include "connectors/mysql/schema/finish.h"
#include "base/memory.h"
#include "connectors/mysql/schema/definers.h"
#include "connectors/mysql/schema/objects.h"
#include "connectors/mysql/schema/orphans.h"
#include "connectors/mysql/schema/rebuild.h"
#include "connectors/mysql/schema/workers.h"
#include "connectors/sql/reference.h"
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- counter, comment, statistics */

/* The comment that the source's table has, instead of this run's mark. */
static void append_comment(struct buffer *sql, const struct mysql_database *self,
                           const struct target_table *table, struct arena *arena)
{
    struct mysql_definition definition = {0};
    const char *statement = table->same_engine != NULL ? table->same_engine->native_sql : NULL;
    bool known =
        statement != NULL && mysql_definition_read(statement, arena, &definition) == STATUS_OK;
    const char *found = known ? strstr(definition.options.data, " COMMENT='") : NULL;
    mysql_append(sql, "ALTER TABLE %t COMMENT=", &self->sql, table->name);
    if (found != NULL) {
        const char *begin = found + strlen(" COMMENT=");
        const char *end = begin + 1;
        while (*end != '\0' && (*end != '\'' || end[1] == '\'')) {
            end += (*end == '\\' || *end == '\'') && end[1] != '\0' ? 2 : 1;
        }
        buffer_append(sql, begin, (size_t)(end - begin) + (*end == '\''));
    } else if (table->comment != NULL) {
        mysql_append_string(sql, table->comment);
    } else {
        buffer_append_string(sql, "''");
    }
}

void mysql_show_comment(const struct mysql_database *self, const struct target_table *table,
                        struct script *script)
{
    struct buffer sql = {0};
    append_comment(&sql, self, table, script->arena);
    script_add(script, SCRIPT_AFTER_LOAD, "comment", table->name, &sql);
}

/* Where the mark is gone, the comment was put back before. */
static enum status put_comment_back(struct mysql_finisher *finisher,
                                    const struct target_table *table,
                                    const struct mysql_table *facts)
{
    struct buffer sql = {0};
    if (!mysql_is_marked(finisher->self, facts)) {
        return STATUS_OK;
    }
    append_comment(&sql, finisher->self, table, finisher->arena);
    return mysql_finisher_run(finisher, &sql, table->name, SQL_LONG);
}

/* InnoDB counts on from the largest number that it saw; seen to, since other settings may count
 * otherwise, and the source gave numbers to records that are gone. */
static enum status set_counter(struct mysql_finisher *finisher, const struct target_table *table,
                               const struct mysql_table *facts)
{
    int64_t next_there = table->same_engine != NULL ? table->same_engine->next_number : 0;
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        struct buffer sql = {0};
        int64_t most = 0;
        if (!facts->columns[i].counted) {
            continue;
        }
        mysql_append(&sql, "SELECT max(%n) FROM %t", facts->columns[i].name, &finisher->self->sql,
                     table->name);
        if (mysql_ask_number(finisher->self, finisher->connection, &sql, SQL_BUILD,
                             ERROR_TARGET_SCHEMA, 0, &most, finisher->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        int64_t next = most > 0 && most < INT64_MAX ? most + 1 : 0;
        next = next_there > next ? next_there : next;
        if (facts->schema->next_number < next) {
            mysql_finisher_begin(&sql, finisher, table->name);
            buffer_format(&sql, "AUTO_INCREMENT = %lld", (long long)next);
            return mysql_finisher_run(finisher, &sql, table->name, SQL_LONG);
        }
    }
    return STATUS_OK;
}

static enum status analyze(struct mysql_finisher *finisher, const struct target_table *table)
{
    mysql_finisher_say(finisher, "statistics of", table->name);
    return mysql_finisher_run(finisher,
                              mysql_sql("ANALYZE TABLE %t", &finisher->self->sql, table->name),
                              table->name, SQL_BUILD);
}

enum step { STEP_INDEXES, STEP_REST, STEP_REFERENCES };

struct finishing {
    struct mysql_database *self;
    MYSQL *connection; /* the control thread's */
    struct mysql_workers crew;
    struct arena *arena; /* of what is seen for one step */
    struct mysql_look look;
    struct after_load_request *request;
    uint32_t *made; /* the numbers of those that this run made, the largest first */
    uint32_t made_count;
    enum step step;
    struct mysql_found_references found;
};

/* On any thread of the crew. */
static enum status finish_table(void *context, MYSQL *connection, struct arena *arena,
                                uint32_t number, struct error *error)
{
    struct finishing *finishing = context;
    const struct target_table *table = &finishing->request->tables[finishing->made[number]];
    struct mysql_finisher finisher = {
        finishing->self,         connection, arena, finishing->request, &finishing->found,
        &finishing->crew.failed, error};
    struct mysql_table facts;
    enum status status = mysql_look_at(&finishing->look, finishing->self, connection, table->name,
                                       arena, &facts, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    switch (finishing->step) {
    case STEP_INDEXES:
        return mysql_make_indexes(&finisher, table, &facts);
    case STEP_REFERENCES:
        return mysql_make_references(&finisher, table, &facts);
    default:
        break;
    }
    status = set_counter(&finisher, table, &facts);
    status = status == STATUS_OK ? put_comment_back(&finisher, table, &facts) : status;
    return status == STATUS_OK ? analyze(&finisher, table) : status;
}

/* Two ALTERs at once, of tables with references as after a resume, may wait for each other for
 * ever. */
static enum status is_any_referring(const struct finishing *finishing, struct arena *arena,
                                    bool *found, struct error *error)
{
    enum status status = STATUS_OK;
    *found = false;
    for (uint32_t i = 0; status == STATUS_OK && !*found && i < finishing->made_count; i++) {
        struct mysql_table facts;
        arena_reset(arena);
        status = mysql_look_at(&finishing->look, finishing->self, finishing->connection,
                               finishing->request->tables[finishing->made[i]].name, arena, &facts,
                               error);
        *found = status == STATUS_OK && facts.schema->foreign_key_count > 0;
        status = status == STATUS_END ? STATUS_OK : status;
    }
    return status;
}

/* References lock the tables that they refer to: one after the other. */
static enum status finish_step(struct finishing *finishing, enum step step, struct error *error)
{
    finishing->step = step;
    arena_reset(finishing->arena);
    enum status status = mysql_look(finishing->self, finishing->connection, finishing->made_count,
                                    finishing->arena, &finishing->look, error);
    struct arena *arena = arena_create(0);
    bool one_by_one = step == STEP_REFERENCES;
    if (status == STATUS_OK && !one_by_one) {
        status = is_any_referring(finishing, arena, &one_by_one, error);
    }
    if (status == STATUS_OK && !one_by_one) {
        arena_destroy(arena);
        return mysql_workers_run(&finishing->crew, finishing->connection, finishing->made_count,
                                 finish_table, finishing, error);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < finishing->made_count; i++) {
        arena_reset(arena);
        status = finish_table(finishing, finishing->connection, arena, i, error);
    }
    arena_destroy(arena);
    return status;
}

/* Room for all that may be found, if it is wanted. */
static void want_references(struct finishing *finishing, struct arena *arena)
{
    struct mysql_found_references *found = &finishing->found;
    size_t most = 1;
    found->wanted = finishing->request->rejects_orphans;
    for (uint32_t i = 0; i < finishing->made_count; i++) {
        most += sql_foreign_key_count(&finishing->request->tables[finishing->made[i]]);
    }
    found->arena = arena;
    found->items = arena_allocate_zeroed(arena, most, sizeof *found->items);
}

/* The keys are there; where records that break some are to go, they go, and the keys are asked
 * again. */
static enum status take_orphans(struct finishing *finishing, struct error *error)
{
    struct mysql_found_references *found = &finishing->found;
    bool broken = false;
    for (uint32_t i = 0; i < found->count; i++) {
        broken |= found->items[i].broken;
    }
    if (!found->wanted || !broken) {
        return STATUS_OK;
    }
    found->wanted = false;
    found->again = true;
    enum status status = mysql_orphans_take(finishing->self, found->items, found->count, error);
    status = status == STATUS_OK ? mysql_control(finishing->self, &finishing->connection, error)
                                 : status;
    status = status == STATUS_OK
                 ? mysql_silence_keys(finishing->self, finishing->connection, true, error)
                 : status;
    return status == STATUS_OK ? finish_step(finishing, STEP_REFERENCES, error) : status;
}

static enum status mysql_finish(struct finishing *finishing, struct error *error)
{
    struct mysql_database *self = finishing->self;
    enum status status = mysql_control(self, &finishing->connection, error);
    status = status == STATUS_OK
                 ? mysql_await_builders(self, finishing->connection, finishing->request, error)
                 : status;
    status = status == STATUS_OK
                 ? mysql_put_back(self, self->sql.run_id, finishing->request->progress, error)
                 : status;
    status = status == STATUS_OK ? mysql_control(self, &finishing->connection, error) : status;
    status =
        status == STATUS_OK ? mysql_silence_keys(self, finishing->connection, true, error) : status;
    for (int step = STEP_INDEXES; status == STATUS_OK && step <= STEP_REFERENCES; step++) {
        status = finish_step(finishing, (enum step)step, error);
    }
    status = status == STATUS_OK ? take_orphans(finishing, error) : status;
    status = status == STATUS_OK
                 ? mysql_drop_key_tables(self, finishing->connection, finishing->request->tables,
                                         finishing->request->table_count, error)
                 : status;
    return status == STATUS_OK ? mysql_silence_keys(self, finishing->connection, false, error)
                               : status;
}

static enum status look_at_references(struct finishing *finishing, struct error *error)
{
    struct mysql_database *self = finishing->self;
    enum status status = mysql_control(self, &finishing->connection, error);
    status =
        status == STATUS_OK ? mysql_silence_keys(self, finishing->connection, true, error) : status;
    status = status == STATUS_OK ? finish_step(finishing, STEP_REFERENCES, error) : status;
    return status == STATUS_OK ? mysql_silence_keys(self, finishing->connection, false, error)
                               : status;
}

static int compare_records(const void *left, const void *right, void *context)
{
    const uint32_t *one = left;
    const uint32_t *other = right;
    const struct finishing *finishing = context;
    const uint64_t *written = finishing->request->records_written;
    uint64_t of_one = written[*one];
    uint64_t of_other = written[*other];
    return of_one != of_other ? (of_one > of_other ? -1 : 1) : (*one > *other) - (*one < *other);
}

/* So none of the largest is begun when the others are done. InnoDB's own counts are estimates. */
static void put_largest_first(struct finishing *finishing)
{
    if (finishing->made_count > 0 && finishing->request->records_written != NULL) {
        qsort_r(finishing->made, finishing->made_count, sizeof *finishing->made, compare_records,
                finishing);
    }
}

enum status mysql_after_load(struct database *database, struct after_load_request *request,
                             struct error *error)
{
    struct mysql_database *self = mysql_database_of(database);
    struct finishing finishing = {.self = self,
                                  .crew = {.self = self, .keys_silent = true},
                                  .arena = arena_create(0),
                                  .request = request};
    uint32_t *made = memory_allocate_zeroed((size_t)request->table_count + 1, sizeof *made);
    for (uint32_t i = 0; i < request->table_count; i++) {
        if (request->tables[i].created) {
            made[finishing.made_count++] = i;
        }
    }
    finishing.made = made;
    put_largest_first(&finishing);
    struct arena *arena = arena_create(0);
    want_references(&finishing, arena);
    enum status status = request->references_only ? look_at_references(&finishing, error)
                                                  : mysql_finish(&finishing, error);
    arena_destroy(arena);
    mysql_workers_close(&finishing.crew);
    arena_destroy(finishing.arena);
    free(made);
    if (status != STATUS_OK || request->references_only) {
        return status;
    }
    status = mysql_objects_make(self, request->tables, request->table_count, request->objects,
                                MYSQL_AFTER_LOAD, error);
    return status == STATUS_OK && request->objects != NULL && request->left != NULL
               ? mysql_definers_list(self, request->objects, true, request->left, error)
               : status;
}
