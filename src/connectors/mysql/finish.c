/*
 * After the load: indexes, counters, comments, statistics, and foreign keys when nothing else is
 * left to alter: MariaDB (10.11 seen) never comes back from two ALTERs at once of tables that refer
 * to each other. All of it can be repeated.
 */
#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/mysql/crew.h"
#include "connectors/mysql/locks.h"
#include "connectors/mysql/objects.h"
#include "connectors/mysql/orphans.h"
#include "connectors/mysql/rebuild.h"
#include "connectors/sql/undo.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What servers of several kinds and ages say when a foreign key's name is taken; and more. */
enum { CANT_CREATE_TABLE = 1005, DUP_KEY = 1022, FK_FAIL_ADD = 1823, FK_DUP_NAME = 1826 };

/* Foreign keys that are made, where records that break them are to be taken out. */
struct found_references {
    bool wanted; /* they are being collected, and what records break is not told yet */
    bool again;  /* keys that can't be made were told before */
    struct arena *arena;
    struct sql_reference *items;
    uint32_t count;
};

/* What one thing is done with. */
struct finisher {
    struct maria_database *self;
    MYSQL *connection;
    struct arena *arena;
    void (*progress)(const char *what);
    uint32_t *broken; /* foreign keys that are missing, or not obeyed by all; one thread's */
    struct found_references *found; /* the same thread's */
    const _Atomic bool *cancelled;  /* another thread's work has failed */
    struct error *error;
};

static pthread_mutex_t progress_lock = PTHREAD_MUTEX_INITIALIZER;

static void say(const struct finisher *finisher, const char *what, const char *name)
{
    char printable[160];
    char line[200];
    if (finisher->progress != NULL) {
        text_printable(name, strlen(name), printable, sizeof printable);
        snprintf(line, sizeof line, "%s %s", what, printable);
        pthread_mutex_lock(&progress_lock);
        finisher->progress(line);
        pthread_mutex_unlock(&progress_lock);
    }
}

static enum status alter(struct finisher *finisher, struct buffer *sql, const char *table,
                         enum maria_patience patience, struct error *error)
{
    return maria_alter_persistently(finisher->self, finisher->connection, sql, table, patience,
                                    ERROR_TARGET_SCHEMA, finisher->cancelled, error);
}

static enum status run(struct finisher *finisher, struct buffer *sql, const char *table,
                       enum maria_patience patience)
{
    return alter(finisher, sql, table, patience, finisher->error);
}

static void begin_alter(struct buffer *sql, const struct finisher *finisher, const char *table)
{
    buffer_append_string(sql, "ALTER TABLE ");
    maria_append_table(sql, finisher->self, table);
    buffer_append_byte(sql, ' ');
}

/* ---------------------------------------------------------------- indexes */

static bool has_index(const struct maria_table *facts, const char *name)
{
    for (uint32_t i = 0; i < facts->schema->index_count; i++) {
        if (strcasecmp(facts->schema->indexes[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_there(const struct maria_table *facts, const struct text *quoted)
{
    for (uint32_t i = 0; i < facts->schema->index_count; i++) {
        if (maria_definition_is_name(quoted, facts->schema->indexes[i].name)) {
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

/* Those of the source's statement. STATUS_END: there is none. */
static enum status collect_same(struct finisher *finisher, const struct target_table *table,
                                const struct maria_table *facts, struct clauses *clauses)
{
    struct maria_definition definition = {0};
    if (table->same_engine == NULL || table->same_engine->native_sql == NULL) {
        return STATUS_END;
    }
    enum status status = maria_definition_read(table->same_engine->native_sql, finisher->arena,
                                               &definition, finisher->error);
    clauses->texts = definition.clauses;
    for (uint32_t i = 0; status == STATUS_OK && i < definition.count; i++) {
        struct text name = maria_definition_name(&definition.clauses[i]);
        if (definition.kinds[i] == MARIA_CLAUSE_KEY && !is_there(facts, &name)) {
            clauses->texts[clauses->count++] = definition.clauses[i];
        }
    }
    return status;
}

static enum status collect_planned(struct finisher *finisher, const struct target_table *table,
                                   const struct maria_table *facts, struct clauses *clauses)
{
    struct maria_layout layout;
    struct buffer words = {0};
    enum status status =
        maria_layout_make(finisher->self, table, finisher->arena, &layout, finisher->error);
    clauses->texts =
        arena_allocate_zeroed(finisher->arena, (size_t)table->index_count + 1, sizeof(struct text));
    bool failed = clauses->texts == NULL;
    for (uint32_t i = 0; !failed && status == STATUS_OK && i < table->index_count; i++) {
        const struct target_index *index = &table->indexes[i];
        if ((!index->unique && layout.faults[i] != NULL) || has_index(facts, index->name)) {
            continue;
        }
        buffer_clear(&words);
        maria_append_index(&words, index);
        const char *copy = arena_copy(finisher->arena, words.data, words.length);
        failed = words.failed || copy == NULL;
        clauses->texts[clauses->count++] = (struct text){copy, words.length};
    }
    buffer_free(&words);
    return failed
               ? error_set(finisher->error, ERROR_MEMORY, table->name, "no memory for its indexes")
               : status;
}

static enum status add_indexes(struct finisher *finisher, const struct target_table *table,
                               const struct text *clauses, uint32_t count, struct error *error)
{
    struct buffer sql = {0};
    begin_alter(&sql, finisher, table->name);
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(&sql, i > 0 ? ", ADD " : "ADD ");
        buffer_append(&sql, clauses[i].data, clauses[i].length);
    }
    return alter(finisher, &sql, table->name, MARIA_BUILD, error);
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

static enum status pass_on(struct finisher *finisher, const struct error *problem)
{
    error_copy(finisher->error, problem);
    return STATUS_FAILED;
}

/* One after the other: plain ones that the server would never make are told of and left out. */
static enum status add_each_index(struct finisher *finisher, const struct target_table *table,
                                  const struct clauses *clauses)
{
    static const char unique[] = "UNIQUE ";
    for (uint32_t i = 0; i < clauses->count; i++) {
        const struct text *clause = &clauses->texts[i];
        const struct text name = maria_definition_name(clause);
        struct error problem = {0};
        if (add_indexes(finisher, table, clause, 1, &problem) == STATUS_OK) {
            continue;
        }
        if (!is_of_index(problem.native_code) ||
            strncmp(clause->data, unique, sizeof unique - 1) == 0) {
            return pass_on(finisher, &problem);
        }
        log_write(LOG_WARNING, "%s: the index %.*s is not made: %s", table->name, (int)name.length,
                  name.data, problem.message);
    }
    return STATUS_OK;
}

/* All of a table's in one pass over it. */
static enum status make_indexes(struct finisher *finisher, const struct target_table *table,
                                const struct maria_table *facts)
{
    struct clauses clauses = {0};
    struct error problem = {0};
    enum status status = collect_same(finisher, table, facts, &clauses);
    status = status == STATUS_END ? collect_planned(finisher, table, facts, &clauses) : status;
    if (status != STATUS_OK || clauses.count == 0) {
        return status;
    }
    say(finisher, "indexes of", table->name);
    if (failpoint_hit("mysql.before_index", finisher->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    status = add_indexes(finisher, table, clauses.texts, clauses.count, &problem);
    if (status != STATUS_OK && is_of_index(problem.native_code)) {
        status = add_each_index(finisher, table, &clauses);
    } else if (status != STATUS_OK) {
        status = pass_on(finisher, &problem);
    }
    return status == STATUS_OK ? failpoint_hit("mysql.after_index", finisher->error) : status;
}

/* ---------------------------------------------------------------- foreign keys */

static const char *known_action(const char *action)
{
    static const char *const actions[] = {"CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT"};
    for (size_t i = 0; action != NULL && i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(actions[i], action) == 0) {
            return action;
        }
    }
    return NULL;
}

struct reference {
    const char *name; /* NULL: one is made */
    struct column_list columns;
    const char *table;
    struct column_list referenced;
    const char *on_delete;
    const char *on_update;
};

/* A name is the database's own, whatever its table: cut so that it fits. */
static void name_reference(const struct target_table *table, const struct reference *reference,
                           uint32_t number, char name[MARIA_NAME_BYTES_MAX + 1])
{
    char whole[512];
    if (reference->name != NULL) {
        snprintf(name, MARIA_NAME_BYTES_MAX + 1, "%s", reference->name);
        return;
    }
    snprintf(whole, sizeof whole, "%s_%s", table->name, reference->columns.names[0]);
    size_t length = text_clip(whole, strlen(whole), MARIA_NAME_CHARACTERS_MAX - 14);
    snprintf(name, MARIA_NAME_BYTES_MAX + 1, "%.*s_ibfk_%u", (int)length, whole, number + 1);
}

/* Another table's key has the name: of two that were cut, or in a database that others use. */
static bool name_is_taken(const struct error *problem)
{
    return problem->native_code == CANT_CREATE_TABLE || problem->native_code == DUP_KEY ||
           problem->native_code == FK_FAIL_ADD || problem->native_code == FK_DUP_NAME;
}

static void name_apart(const struct target_table *table, uint32_t number,
                       char name[MARIA_NAME_BYTES_MAX + 1])
{
    size_t length = text_clip(table->name, strlen(table->name), MARIA_NAME_CHARACTERS_MAX - 31);
    snprintf(name, MARIA_NAME_BYTES_MAX + 1, "%.*s_%016llx_ibfk_%u", (int)length, table->name,
             (unsigned long long)sql_name_hash(table->name), number + 1);
}

static bool has_reference(const struct maria_table *facts, const struct reference *reference)
{
    for (uint32_t i = 0; i < facts->schema->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &facts->schema->foreign_keys[i];
        bool same = strcasecmp(key->references, reference->table) == 0 &&
                    key->columns.count == reference->columns.count;
        for (uint32_t j = 0; same && j < key->columns.count; j++) {
            same = strcasecmp(key->columns.names[j], reference->columns.names[j]) == 0;
        }
        if (same) {
            return true;
        }
    }
    return false;
}

static bool begins_with(struct column_list key, struct column_list columns)
{
    bool begins = key.count >= columns.count;
    for (uint32_t i = 0; begins && i < columns.count; i++) {
        begins = strcasecmp(key.names[i], columns.names[i]) == 0;
    }
    return begins;
}

/* Else the server makes an index with the foreign key. */
static bool is_indexed(const struct maria_table *facts, struct column_list columns)
{
    bool found = begins_with(facts->schema->primary_key, columns);
    for (uint32_t i = 0; !found && i < facts->schema->index_count; i++) {
        found = begins_with(facts->schema->indexes[i].columns, columns);
    }
    return found;
}

/* Only for people: what can't be asked is left unsaid. */
static void name_orphans(struct finisher *finisher, const struct sql_orphans *orphans,
                         struct buffer *out)
{
    struct buffer sql = {0};
    struct error ignored = {0};
    MYSQL_RES *rows = NULL;
    sql_orphans_append_query(&sql, orphans);
    if (maria_query_buffer(finisher->self, finisher->connection, &sql, MARIA_BUILD,
                           ERROR_TARGET_SCHEMA, &rows, &ignored) == STATUS_OK &&
        rows != NULL) {
        sql_orphans_append_words(out, orphans, (uint32_t)mysql_num_rows(rows), maria_orphans_cell,
                                 rows);
    }
    mysql_free_result(rows);
}

static enum status collect(struct finisher *finisher, const struct sql_orphans *orphans,
                           const char *name, bool broken)
{
    struct found_references *found = finisher->found;
    struct sql_reference *item = &found->items[found->count++];
    *item = (struct sql_reference){.orphans = *orphans, .broken = broken};
    item->orphans.key = (struct column_list){0};
    item->orphans.name = arena_copy_string(found->arena, name);
    return item->orphans.name != NULL ? STATUS_OK
                                      : error_set(finisher->error, ERROR_MEMORY, orphans->table,
                                                  "no memory for its foreign keys");
}

/* The server does not look at rows that are there when its checks are off: so we do. */
static enum status look_for_orphans(struct finisher *finisher, const struct target_table *table,
                                    const struct maria_table *facts,
                                    const struct reference *reference, const char *name)
{
    struct sql_orphans orphans = maria_orphans(finisher->self);
    struct buffer sql = {0};
    struct buffer words = {0};
    int64_t found = 0;
    orphans.table = table->name;
    orphans.records_written = table->records_written;
    orphans.columns = reference->columns;
    orphans.partner = reference->table;
    orphans.referenced = reference->referenced;
    orphans.key = facts->key;
    if (reference->referenced.count != reference->columns.count) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT EXISTS (SELECT 1");
    sql_orphans_append_from(&sql, &orphans);
    buffer_append_byte(&sql, ')');
    enum status status = maria_ask_number(finisher->self, finisher->connection, &sql, MARIA_BUILD,
                                          ERROR_TARGET_SCHEMA, 0, &found, finisher->error);
    if (status == STATUS_OK && finisher->found->wanted) {
        return collect(finisher, &orphans, name, found != 0);
    }
    if (status == STATUS_OK && found != 0) {
        name_orphans(finisher, &orphans, &words);
        log_write(LOG_WARNING,
                  "%s: the foreign key to %s is there, but not every row has a partner%s",
                  table->name, reference->table, buffer_string(&words));
        ++*finisher->broken;
    }
    buffer_free(&words);
    return status;
}

/* With its checks off the server makes a key to nothing, under which no record can be written.
 * STATUS_END: it would be one. */
static enum status find_partner(struct finisher *finisher, const struct target_table *table,
                                const struct reference *reference)
{
    struct buffer sql = {0};
    int64_t count = 0;
    buffer_append_string(&sql, "SELECT count(*) FROM information_schema.tables WHERE "
                               "table_schema = ");
    maria_append_string(&sql, finisher->self->schema);
    buffer_append_string(&sql, " AND table_name = ");
    maria_append_string(&sql, reference->table);
    enum status status = maria_ask_number(finisher->self, finisher->connection, &sql, MARIA_LONG,
                                          ERROR_TARGET_INVALID, 0, &count, finisher->error);
    if (status != STATUS_OK || count > 0) {
        return status;
    }
    if (!finisher->found->again) {
        log_write(LOG_WARNING,
                  "%s: the foreign key to %s is not made: the target has no such table",
                  table->name, reference->table);
    }
    return STATUS_END;
}

static void append_reference(struct buffer *sql, const struct finisher *finisher,
                             const struct target_table *table, const struct reference *reference,
                             const char *name)
{
    begin_alter(sql, finisher, table->name);
    buffer_append_string(sql, "ADD CONSTRAINT ");
    maria_append_name(sql, name);
    buffer_append_string(sql, " FOREIGN KEY (");
    maria_append_names(sql, NULL, reference->columns);
    buffer_append_string(sql, ") REFERENCES ");
    maria_append_table(sql, finisher->self, reference->table);
    buffer_append_string(sql, " (");
    maria_append_names(sql, NULL, reference->referenced);
    buffer_append_byte(sql, ')');
    if (known_action(reference->on_delete) != NULL) {
        buffer_format(sql, " ON DELETE %s", reference->on_delete);
    }
    if (known_action(reference->on_update) != NULL) {
        buffer_format(sql, " ON UPDATE %s", reference->on_update);
    }
}

static enum status make_reference(struct finisher *finisher, const struct target_table *table,
                                  const struct maria_table *facts,
                                  const struct reference *reference, const char *name,
                                  struct error *problem)
{
    struct buffer sql = {0};
    append_reference(&sql, finisher, table, reference, name);
    return alter(finisher, &sql, table->name,
                 is_indexed(facts, reference->columns) ? MARIA_LONG : MARIA_BUILD, problem);
}

static enum status add_reference(struct finisher *finisher, const struct target_table *table,
                                 const struct maria_table *facts, const struct reference *reference,
                                 uint32_t number)
{
    char name[MARIA_NAME_BYTES_MAX + 1];
    struct error problem = {0};
    name_reference(table, reference, number, name);
    if (has_reference(facts, reference)) { /* an attempt before this one made it */
        return look_for_orphans(finisher, table, facts, reference, name);
    }
    enum status status = find_partner(finisher, table, reference);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    say(finisher, "foreign key of", table->name);
    status = make_reference(finisher, table, facts, reference, name, &problem);
    if (status != STATUS_OK && name_is_taken(&problem)) {
        name_apart(table, number, name);
        error_clear(&problem);
        status = make_reference(finisher, table, facts, reference, name, &problem);
    }
    if (status != STATUS_OK && !maria_is_lost((unsigned)problem.native_code) &&
        problem.code == ERROR_TARGET_SCHEMA) {
        if (!finisher->found->again) {
            log_write(LOG_WARNING, "%s: the foreign key to %s is not made: %s", table->name,
                      reference->table, problem.message);
            ++*finisher->broken;
        }
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return pass_on(finisher, &problem);
    }
    return look_for_orphans(finisher, table, facts, reference, name);
}

static enum status add_references(struct finisher *finisher, const struct target_table *table,
                                  const struct maria_table *facts)
{
    const struct schema_table *same = table->same_engine;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; same != NULL && status == STATUS_OK && i < same->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &same->foreign_keys[i];
        const struct reference reference = {key->name,       key->columns,
                                            key->references, key->referenced_columns,
                                            key->on_delete,  key->on_update};
        status = add_reference(finisher, table, facts, &reference, i);
    }
    for (uint32_t i = 0; same == NULL && status == STATUS_OK && i < table->reference_count; i++) {
        const struct target_reference *from = &table->references[i];
        const struct reference reference = {
            NULL,           from->columns, from->table, from->referenced_columns, from->on_delete,
            from->on_update};
        status = add_reference(finisher, table, facts, &reference, i);
    }
    return status;
}

/* ---------------------------------------------------------------- counter, comment, statistics */

/* The comment that the source's table has, instead of this run's mark. Where the mark is gone, it
 * was put back before. */
static enum status put_comment_back(struct finisher *finisher, const struct target_table *table,
                                    const struct maria_table *facts)
{
    struct maria_definition definition = {0};
    struct buffer sql = {0};
    const char *statement = table->same_engine != NULL ? table->same_engine->native_sql : NULL;
    if (!maria_is_marked(finisher->self, facts)) {
        return STATUS_OK;
    }
    enum status status = statement != NULL ? maria_definition_read(statement, finisher->arena,
                                                                   &definition, finisher->error)
                                           : STATUS_END;
    if (status == STATUS_FAILED) {
        return status;
    }
    const char *found = status == STATUS_OK ? strstr(definition.options.data, " COMMENT='") : NULL;
    begin_alter(&sql, finisher, table->name);
    buffer_append_string(&sql, "COMMENT=");
    if (found != NULL) {
        const char *begin = found + strlen(" COMMENT=");
        const char *end = begin + 1;
        while (*end != '\0' && (*end != '\'' || end[1] == '\'')) {
            end += (*end == '\\' || *end == '\'') && end[1] != '\0' ? 2 : 1;
        }
        buffer_append(&sql, begin, (size_t)(end - begin) + (*end == '\''));
    } else if (table->comment != NULL) {
        maria_append_string(&sql, table->comment);
    } else {
        buffer_append_string(&sql, "''");
    }
    return run(finisher, &sql, table->name, MARIA_LONG);
}

/* InnoDB counts on from the largest number that it saw; seen to, since other settings may count
 * otherwise, and the source gave numbers to records that are gone. */
static enum status set_counter(struct finisher *finisher, const struct target_table *table,
                               const struct maria_table *facts)
{
    int64_t next_there = table->same_engine != NULL ? table->same_engine->next_number : 0;
    for (uint32_t i = 0; i < facts->schema->column_count; i++) {
        struct buffer sql = {0};
        int64_t most = 0;
        if (!facts->columns[i].counted) {
            continue;
        }
        buffer_append_string(&sql, "SELECT max(");
        maria_append_name(&sql, facts->columns[i].name);
        buffer_append_string(&sql, ") FROM ");
        maria_append_table(&sql, finisher->self, table->name);
        if (maria_ask_number(finisher->self, finisher->connection, &sql, MARIA_BUILD,
                             ERROR_TARGET_SCHEMA, 0, &most, finisher->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        int64_t next = most > 0 && most < INT64_MAX ? most + 1 : 0;
        next = next_there > next ? next_there : next;
        if (facts->schema->next_number < next) {
            begin_alter(&sql, finisher, table->name);
            buffer_format(&sql, "AUTO_INCREMENT = %lld", (long long)next);
            return run(finisher, &sql, table->name, MARIA_LONG);
        }
    }
    return STATUS_OK;
}

static enum status analyze(struct finisher *finisher, const struct target_table *table)
{
    struct buffer sql = {0};
    say(finisher, "statistics of", table->name);
    buffer_append_string(&sql, "ANALYZE TABLE ");
    maria_append_table(&sql, finisher->self, table->name);
    return run(finisher, &sql, table->name, MARIA_BUILD);
}

enum step { STEP_INDEXES, STEP_REST, STEP_REFERENCES };

struct finishing {
    struct maria_database *self;
    MYSQL *connection; /* the control thread's */
    struct maria_crew crew;
    struct arena *arena; /* of what is seen for one step */
    struct maria_look look;
    const struct target_table *tables;
    uint32_t table_count;
    uint32_t *made; /* the numbers of those that this run made, the largest first */
    uint32_t made_count;
    enum step step;
    void (*progress)(const char *what);
    uint32_t *broken;
    struct found_references found;
};

/* On any thread of the crew. */
static enum status finish_table(void *context, MYSQL *connection, struct arena *arena,
                                uint32_t number, struct error *error)
{
    struct finishing *finishing = context;
    const struct target_table *table = &finishing->tables[finishing->made[number]];
    struct finisher finisher = {finishing->self,
                                connection,
                                arena,
                                finishing->progress,
                                finishing->broken,
                                &finishing->found,
                                &finishing->crew.failed,
                                error};
    struct maria_table facts;
    enum status status = maria_look_at(&finishing->look, finishing->self, connection, table->name,
                                       arena, &facts, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    switch (finishing->step) {
    case STEP_INDEXES:
        return make_indexes(&finisher, table, &facts);
    case STEP_REFERENCES:
        return add_references(&finisher, table, &facts);
    default:
        break;
    }
    status = set_counter(&finisher, table, &facts);
    status = status == STATUS_OK ? put_comment_back(&finisher, table, &facts) : status;
    return status == STATUS_OK ? analyze(&finisher, table) : status;
}

/* Of tables with references, as after a resume, two ALTERs at once may wait for each other for
 * ever. */
static enum status is_any_referring(const struct finishing *finishing, struct arena *arena,
                                    bool *found, struct error *error)
{
    enum status status = STATUS_OK;
    *found = false;
    for (uint32_t i = 0; status == STATUS_OK && !*found && i < finishing->made_count; i++) {
        struct maria_table facts;
        arena_reset(arena);
        status = maria_look_at(&finishing->look, finishing->self, finishing->connection,
                               finishing->tables[finishing->made[i]].name, arena, &facts, error);
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
    enum status status = maria_look(finishing->self, finishing->connection, finishing->made_count,
                                    finishing->arena, &finishing->look, error);
    struct arena *arena = arena_create(0);
    bool one_by_one = step == STEP_REFERENCES;
    if (status == STATUS_OK && arena == NULL) {
        status = error_set(error, ERROR_MEMORY, finishing->self->shown, "no memory");
    }
    if (status == STATUS_OK && !one_by_one) {
        status = is_any_referring(finishing, arena, &one_by_one, error);
    }
    if (status == STATUS_OK && !one_by_one) {
        arena_destroy(arena);
        return maria_crew_run(&finishing->crew, finishing->connection, finishing->made_count,
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
static enum status want_references(struct finishing *finishing, struct arena *arena,
                                   struct error *error)
{
    struct found_references *found = &finishing->found;
    size_t most = 1;
    for (uint32_t i = 0; i < finishing->made_count; i++) {
        const struct target_table *table = &finishing->tables[finishing->made[i]];
        const struct schema_table *same = table->same_engine;
        found->wanted |= table->rejects_orphans;
        most += same != NULL ? same->foreign_key_count : table->reference_count;
    }
    found->arena = arena;
    found->items = arena_allocate_zeroed(arena, most, sizeof *found->items);
    return found->items != NULL
               ? STATUS_OK
               : error_set(error, ERROR_MEMORY, finishing->self->shown, "no memory");
}

/* The keys are there; where records that break some are to go, they go, and the keys are asked
 * again. */
static enum status take_orphans(struct finishing *finishing, struct error *error)
{
    struct found_references *found = &finishing->found;
    bool broken = false;
    for (uint32_t i = 0; i < found->count; i++) {
        broken |= found->items[i].broken;
    }
    if (!found->wanted || !broken) {
        return STATUS_OK;
    }
    found->wanted = false;
    found->again = true;
    enum status status = maria_orphans_take(finishing->self, found->items, found->count, error);
    status = status == STATUS_OK ? maria_control(finishing->self, &finishing->connection, error)
                                 : status;
    status = status == STATUS_OK
                 ? maria_silence_keys(finishing->self, finishing->connection, true, error)
                 : status;
    return status == STATUS_OK ? finish_step(finishing, STEP_REFERENCES, error) : status;
}

static enum status finish(struct finishing *finishing, struct error *error)
{
    struct maria_database *self = finishing->self;
    enum status status = maria_control(self, &finishing->connection, error);
    status = status == STATUS_OK
                 ? maria_await_builders(self, finishing->connection, finishing->tables,
                                        finishing->table_count, finishing->progress, error)
                 : status;
    status = status == STATUS_OK ? maria_put_back(self, self->run_id, finishing->progress, error)
                                 : status;
    status = status == STATUS_OK ? maria_control(self, &finishing->connection, error) : status;
    status =
        status == STATUS_OK ? maria_silence_keys(self, finishing->connection, true, error) : status;
    status = status == STATUS_OK
                 ? maria_put_largest_first(self, finishing->connection, finishing->tables,
                                           finishing->made, finishing->made_count, error)
                 : status;
    for (int step = STEP_INDEXES; status == STATUS_OK && step <= STEP_REFERENCES; step++) {
        status = finish_step(finishing, (enum step)step, error);
    }
    status = status == STATUS_OK ? take_orphans(finishing, error) : status;
    status =
        status == STATUS_OK ? maria_drop_key_tables(self, finishing->connection, error) : status;
    return status == STATUS_OK ? maria_silence_keys(self, finishing->connection, false, error)
                               : status;
}

enum status maria_after_load(struct database *database, const struct target_table *tables,
                             uint32_t table_count, const struct schema *objects,
                             void (*progress)(const char *what), uint32_t *broken,
                             struct error *error)
{
    struct maria_database *self = maria_database_of(database);
    struct finishing finishing = {.self = self,
                                  .crew = {.self = self, .keys_silent = true},
                                  .arena = arena_create(0),
                                  .tables = tables,
                                  .table_count = table_count,
                                  .progress = progress,
                                  .broken = broken};
    uint32_t *made = calloc((size_t)table_count + 1, sizeof *made);
    *broken = 0;
    for (uint32_t i = 0; made != NULL && i < table_count; i++) {
        if (tables[i].created) {
            made[finishing.made_count++] = i;
        }
    }
    finishing.made = made;
    struct arena *arena = arena_create(0);
    enum status status = made != NULL && finishing.arena != NULL && arena != NULL
                             ? want_references(&finishing, arena, error)
                             : error_set(error, ERROR_MEMORY, self->shown, "no memory");
    status = status == STATUS_OK ? finish(&finishing, error) : status;
    arena_destroy(arena);
    maria_crew_close(&finishing.crew);
    arena_destroy(finishing.arena);
    free(made);
    return status == STATUS_OK
               ? maria_objects_make(self, tables, table_count, objects, MARIA_AFTER_LOAD, error)
               : status;
}
