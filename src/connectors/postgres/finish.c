/* After the load: keys, foreign keys, sequences, statistics. All of it can be repeated. */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/postgres/keys.h"
#include "connectors/postgres/locks.h"
#include "connectors/postgres/objects.h"
#include "connectors/postgres/orphans.h"
#include "connectors/postgres/rebuild.h"
#include "postgres_sql.h"
#include <stdio.h>
#include <string.h>

enum { SMALL_BYTES = 1 << 20, ANALYZES_AT_ONCE = 4 };

static const char unchecked[] = " NOT VALID";

struct finisher {
    struct postgres_database *self;
    PGconn *connection;
    const struct postgres_catalog *catalog; /* the target's, once the keys are to be made */
    void (*progress)(const char *what);
    uint32_t *broken;                 /* foreign keys that are missing, or not obeyed by all */
    struct sql_reference *references; /* those that are made, if records are to be taken out */
    uint32_t reference_count;
    bool collects; /* `references` is being filled, and what records break is not told yet */
    bool again;    /* what can't be made was told before */
    struct arena *arena;
    struct error *error;
};

static void say(const struct finisher *finisher, const char *what, const char *name)
{
    char printable[160];
    char line[200];
    if (finisher->progress != NULL) {
        text_printable(name, strlen(name), printable, sizeof printable);
        snprintf(line, sizeof line, "%s %s", what, printable);
        finisher->progress(line);
    }
}

/* One statement, whatever stands in it. `beside`: it shuts nobody out. The failure names the key:
 * another lock at the next one of the table is progress. */
static enum status run(struct finisher *finisher, struct buffer *sql, const char *table,
                       const char *name, bool beside)
{
    struct postgres_database *self = finisher->self;
    const char *text = buffer_string(sql);
    enum status status =
        sql->failed ? error_set(finisher->error, ERROR_MEMORY, table, "no memory for a statement")
        : beside ? postgres_alter_beside(self, finisher->connection, text, 0, ERROR_TARGET_SCHEMA,
                                         finisher->error)
                 : postgres_alter(self, finisher->connection, text, POSTGRES_BUILD,
                                  ERROR_TARGET_SCHEMA, finisher->error);
    buffer_free(sql);
    if (status != STATUS_OK) {
        error_context(finisher->error, "%s: %s: ", table, name);
    }
    return status;
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
    struct column_list columns;
    const char *schema; /* where that is another one, and `table` "schema.table"; NULL */
    const char *table;
    struct column_list referenced;
    const char *on_delete;
    const char *on_update;
    const char *name;       /* NULL: one is made */
    const char *native_sql; /* all behind the name, as the source words it; NULL: none */
};

/* table_column_fkey, cut so that the name fits. */
static void name_reference(const struct target_table *table, const struct reference *reference,
                           uint32_t number, char name[POSTGRES_NAME_BYTES_MAX + 1])
{
    char whole[256];
    if (reference->name != NULL) {
        snprintf(name, POSTGRES_NAME_BYTES_MAX + 1, "%s", reference->name);
        return;
    }
    snprintf(whole, sizeof whole, "%s_%s", table->name, reference->columns.names[0]);
    size_t length = text_clip(whole, strlen(whole), POSTGRES_NAME_BYTES_MAX - 12);
    snprintf(name, POSTGRES_NAME_BYTES_MAX + 1, "%.*s_fkey%u", (int)length, whole, number + 1);
}

/* False: by which columns it finds its partners is not known. */
static bool describe_orphans(const struct finisher *finisher, const struct target_table *table,
                             const struct reference *reference, const char *name,
                             struct sql_orphans *orphans)
{
    const struct postgres_table *facts = postgres_catalog_find(finisher->catalog, table->name);
    const struct postgres_table *partner =
        postgres_catalog_find(finisher->catalog, reference->table);
    const char *native = reference->native_sql != NULL ? reference->native_sql : "";
    const char *behind = strrchr(native, ')'); /* the columns */
    *orphans = postgres_orphans(finisher->self);
    orphans->table = table->name;
    orphans->records_written = table->records_written;
    orphans->columns = reference->columns;
    orphans->partner = reference->table;
    orphans->referenced = reference->referenced;
    orphans->key = facts != NULL && facts->key.count > 0 ? facts->key : table->key;
    orphans->name = name;
    orphans->full = behind != NULL && strstr(behind, " MATCH FULL") != NULL;
    if (orphans->referenced.count == 0 && partner != NULL) {
        orphans->referenced = partner->schema->primary_key;
    }
    return reference->schema == NULL && orphans->columns.count > 0 &&
           orphans->referenced.count == orphans->columns.count && strstr(native, "PERIOD ") == NULL;
}

/* Two columns of different collations compare by neither, so that the key's check names that of the
 * partner's. */
static enum status find_collations(const struct finisher *finisher, struct sql_orphans *orphans,
                                   struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = finisher->self->schema},
                                                    {.text = orphans->partner}};
    const char **names = arena_allocate_zeroed(
        finisher->arena, (size_t)orphans->referenced.count + 1, sizeof *names);
    PGresult *rows = NULL;
    enum status status =
        names == NULL
            ? error_set(error, ERROR_MEMORY, orphans->table, "no memory for its foreign keys")
            : postgres_query(finisher->self, finisher->connection,
                             "SELECT a.attname, pg_catalog.format('%I.%I', m.nspname, l.collname) "
                             "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = "
                             "a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                             "JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation JOIN "
                             "pg_catalog.pg_namespace m ON m.oid = l.collnamespace WHERE n.nspname "
                             "= $1 AND c.relname = $2 AND a.attnum > 0",
                             parameters, 2, POSTGRES_SHORT, ERROR_TARGET_SCHEMA, &rows, error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(rows); row++) {
        for (uint32_t i = 0; i < orphans->referenced.count; i++) {
            if (strcmp(orphans->referenced.names[i], PQgetvalue(rows, row, 0)) == 0) {
                names[i] = arena_copy_string(finisher->arena, PQgetvalue(rows, row, 1));
            }
        }
    }
    PQclear(rows);
    orphans->collations = names;
    return status;
}

/* How many rows have no partner, and the first few of them. Only for people: what can't be asked
 * is left unsaid. */
static void name_orphans(struct finisher *finisher, const struct target_table *table,
                         const struct reference *reference, struct buffer *out)
{
    struct sql_orphans orphans;
    struct buffer sql = {0};
    struct error ignored = {0};
    PGresult *rows = NULL;

    if (!describe_orphans(finisher, table, reference, "", &orphans) ||
        find_collations(finisher, &orphans, &ignored) != STATUS_OK) {
        return;
    }
    sql_orphans_append_query(&sql, &orphans);
    if (postgres_query_buffer(finisher->self, finisher->connection, &sql, NULL, 0, POSTGRES_BUILD,
                              ERROR_TARGET_SCHEMA, &rows, &ignored) == STATUS_OK) {
        sql_orphans_append_words(out, &orphans, (uint32_t)PQntuples(rows), postgres_orphans_cell,
                                 rows);
    }
    PQclear(rows);
}

/* One that is there, or would be if its records let it. */
static enum status collect(struct finisher *finisher, const struct target_table *table,
                           const struct reference *reference, const char *name, bool broken)
{
    struct sql_reference *made = &finisher->references[finisher->reference_count];
    if (!finisher->collects) {
        return STATUS_OK;
    }
    const char *copy = arena_copy_string(finisher->arena, name);
    *made = (struct sql_reference){.broken = broken};
    made->unasked = !describe_orphans(finisher, table, reference, copy, &made->orphans);
    finisher->reference_count++;
    if (copy == NULL) {
        return error_set(finisher->error, ERROR_MEMORY, table->name,
                         "no memory for its foreign keys");
    }
    return made->unasked ? STATUS_OK : find_collations(finisher, &made->orphans, finisher->error);
}

/* As the source words a key that it did not check itself. */
static bool ends_unchecked(const struct reference *reference)
{
    const char *native = reference->native_sql != NULL ? reference->native_sql : "";
    size_t length = strlen(native);
    size_t end = sizeof unchecked - 1;
    return length > end && strcmp(native + length - end, unchecked) == 0;
}

/* Rows that have no partner are the source's own. */
static void tell_of_orphans(struct finisher *finisher, const struct target_table *table,
                            const struct reference *reference, const char *what,
                            const struct error *problem)
{
    struct buffer orphans = {0};
    bool broken = strcmp(problem->native_state, "23503") == 0;
    /* no unique key over there, or types that do not compare: nobody told of that beforehand */
    bool unforeseen =
        strcmp(problem->native_state, "42830") == 0 || strcmp(problem->native_state, "42804") == 0;
    if (broken ? finisher->collects : finisher->again) {
        return;
    }
    *finisher->broken += unforeseen;
    if (broken) {
        name_orphans(finisher, table, reference, &orphans);
        *finisher->broken += !ends_unchecked(reference);
    }
    log_write(LOG_WARNING, "%s: the foreign key %s: %s%s", table->name, what, problem->message,
              buffer_string(&orphans));
    buffer_free(&orphans);
}

/* A key that not every row obeys is said, and stays unvalidated. */
static enum status validate(struct finisher *finisher, const struct target_table *table,
                            const struct reference *reference, const char *name)
{
    struct buffer sql = {0};
    struct error problem = {0};
    struct finisher trying = *finisher;
    trying.error = &problem;

    if (failpoint_hit("postgres.before_validation", finisher->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&sql, "ALTER TABLE ");
    postgres_append_table(&sql, finisher->self, table->name);
    buffer_append_string(&sql, " VALIDATE CONSTRAINT ");
    postgres_append_name(&sql, name);
    enum status status = run(&trying, &sql, table->name, name, true);
    if (status != STATUS_OK && strcmp(problem.native_state, "23503") == 0) {
        char what[POSTGRES_NAME_BYTES_MAX + 64];
        snprintf(what, sizeof what, "%s is there, but not every row has a partner", name);
        tell_of_orphans(finisher, table, reference, what, &problem);
        return collect(finisher, table, reference, name, true);
    }
    if (status != STATUS_OK) {
        error_copy(finisher->error, &problem);
        return status;
    }
    return collect(finisher, table, reference, name, false);
}

/* "ALTER TABLE … ADD CONSTRAINT … FOREIGN KEY …", not yet " NOT VALID". */
static void append_reference(struct buffer *sql, const struct finisher *finisher,
                             const struct target_table *table, const struct reference *reference,
                             const char *name)
{
    buffer_append_string(sql, "ALTER TABLE ");
    postgres_append_table(sql, finisher->self, table->name);
    buffer_append_string(sql, " ADD CONSTRAINT ");
    postgres_append_name(sql, name);
    if (reference->native_sql != NULL) {
        size_t end = ends_unchecked(reference) ? sizeof unchecked - 1 : 0;
        buffer_append_byte(sql, ' ');
        buffer_append(sql, reference->native_sql, strlen(reference->native_sql) - end);
        return;
    }
    buffer_append_string(sql, " FOREIGN KEY (");
    postgres_append_names(sql, NULL, reference->columns);
    buffer_append_string(sql, ") REFERENCES ");
    if (reference->schema != NULL) {
        postgres_append_name(sql, reference->schema);
        buffer_append_byte(sql, '.');
        postgres_append_name(sql, reference->table + strlen(reference->schema) + 1);
    } else {
        postgres_append_table(sql, finisher->self, reference->table);
    }
    if (reference->referenced.count > 0) {
        buffer_append_string(sql, " (");
        postgres_append_names(sql, NULL, reference->referenced);
        buffer_append_byte(sql, ')');
    }
    if (known_action(reference->on_delete) != NULL) {
        buffer_format(sql, " ON DELETE %s", reference->on_delete);
    }
    if (known_action(reference->on_update) != NULL) {
        buffer_format(sql, " ON UPDATE %s", reference->on_update);
    }
}

/* Does the table have a foreign key of that name, and was it checked? */
static enum status find_reference(struct finisher *finisher, const char *table, const char *name,
                                  bool *found, bool *checked)
{
    const struct postgres_parameter parameters[] = {
        {.text = finisher->self->schema}, {.text = table}, {.text = name}};
    PGresult *result = NULL;
    enum status status = postgres_query(
        finisher->self, finisher->connection,
        "SELECT k.convalidated FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid "
        "= k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = "
        "$1 AND c.relname = $2 AND k.conname = $3",
        parameters, 3, POSTGRES_SHORT, ERROR_TARGET_INVALID, &result, finisher->error);
    *found = status == STATUS_OK && PQntuples(result) > 0;
    *checked = *found && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return status;
}

/* Unchecked at first; of partitioned tables PostgreSQL wants it checked at once. */
static enum status make_reference(struct finisher *finisher, const struct target_table *table,
                                  const struct reference *reference, const char *name, bool not_yet,
                                  struct error *problem)
{
    struct buffer sql = {0};
    struct finisher trying = *finisher;
    trying.error = problem;
    append_reference(&sql, finisher, table, reference, name);
    buffer_append_string(&sql, not_yet ? unchecked : "");
    return run(&trying, &sql, table->name, name, false);
}

static enum status add_reference(struct finisher *finisher, const struct target_table *table,
                                 const struct reference *reference, uint32_t number)
{
    char name[POSTGRES_NAME_BYTES_MAX + 1];
    struct error problem = {0};
    bool found = false;
    bool checked = false;
    bool whole = false;

    name_reference(table, reference, number, name);
    enum status status = find_reference(finisher, table->name, name, &found, &checked);
    if (status != STATUS_OK || checked) {
        return status == STATUS_OK ? collect(finisher, table, reference, name, false) : status;
    }
    const char *unknown = postgres_unknown_reference(finisher->self, reference->native_sql);
    if (unknown != NULL) {
        if (!finisher->again) {
            log_write(LOG_WARNING,
                      "%s: the foreign key %s is not made: it is %s, which this server (%d) does "
                      "not know",
                      table->name, name, unknown, finisher->self->server_version / 10000);
        }
        return STATUS_OK;
    }
    bool enforced = !postgres_is_unenforced(reference->native_sql);
    if (found && !enforced) {
        return STATUS_OK;
    }
    say(finisher, "foreign key", name);
    if (found) { /* an attempt before this one died on the way */
        return validate(finisher, table, reference, name);
    }
    status = failpoint_hit("postgres.before_reference", finisher->error);
    if (status != STATUS_OK) {
        return status;
    }
    status = make_reference(finisher, table, reference, name, enforced, &problem);
    if (status != STATUS_OK && (strcmp(problem.native_state, "42809") == 0 ||
                                strcmp(problem.native_state, "0A000") == 0)) {
        problem = (struct error){0};
        whole = true;
        status = make_reference(finisher, table, reference, name, false, &problem);
    }
    static const char *const unfit[] = {"42830",  /* no unique key over there */
                                        "42804",  /* types that do not compare */
                                        "42P01",  /* the table was left out */
                                        "3F000",  /* its schema is not there */
                                        "42703",  /* the other table of that name lacks a column */
                                        "23503"}; /* a row without a partner */
    for (size_t i = 0; status != STATUS_OK && i < sizeof unfit / sizeof unfit[0]; i++) {
        if (strcmp(problem.native_state, unfit[i]) == 0) {
            char what[POSTGRES_NAME_BYTES_MAX + 64];
            snprintf(what, sizeof what, "to %s is not made", reference->table);
            bool broken = strcmp(unfit[i], "23503") == 0;
            tell_of_orphans(finisher, table, reference, what, &problem);
            return broken ? collect(finisher, table, reference, name, true) : STATUS_OK;
        }
    }
    if (status != STATUS_OK) {
        error_copy(finisher->error, &problem);
        return status;
    }
    return !enforced ? STATUS_OK
           : whole   ? collect(finisher, table, reference, name, false)
                     : validate(finisher, table, reference, name);
}

static enum status add_references(struct finisher *finisher, const struct target_table *table)
{
    const struct schema_table *same = table->same_engine;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; same != NULL && status == STATUS_OK && i < same->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &same->foreign_keys[i];
        bool same_name = strcmp(table->name, same->name) == 0;
        const struct reference reference = {.columns = key->columns,
                                            .schema = key->references_schema,
                                            .table = key->references,
                                            .referenced = key->referenced_columns,
                                            .on_delete = key->on_delete,
                                            .on_update = key->on_update,
                                            .name = key->name,
                                            .native_sql = same_name ? key->native_sql : NULL};
        status = add_reference(finisher, table, &reference, i);
    }
    for (uint32_t i = 0; same == NULL && status == STATUS_OK && i < table->reference_count; i++) {
        const struct target_reference *from = &table->references[i];
        const struct reference reference = {.columns = from->columns,
                                            .table = from->table,
                                            .referenced = from->referenced_columns,
                                            .on_delete = from->on_delete,
                                            .on_update = from->on_update};
        status = add_reference(finisher, table, &reference, i);
    }
    return status;
}

static uint32_t count_references(const struct target_table *table)
{
    return table->same_engine != NULL ? table->same_engine->foreign_key_count
                                      : table->reference_count;
}

static bool refer(const struct target_table *tables, uint32_t table_count)
{
    bool any = false;
    for (uint32_t i = 0; i < table_count; i++) {
        any = any || count_references(&tables[i]) > 0;
    }
    return any;
}

static enum status add_all_references(struct finisher *finisher, const struct target_table *tables,
                                      uint32_t table_count)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        if (tables[i].created) {
            status = add_references(finisher, &tables[i]);
        }
    }
    return status;
}

/* The keys that records go from under: they come again, and with them what they do on DELETE. */
static enum status drop_reached(struct finisher *finisher)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < finisher->reference_count; i++) {
        const struct sql_reference *reference = &finisher->references[i];
        struct buffer sql = {0};
        if (!sql_reference_is_reached(finisher->references, finisher->reference_count, reference)) {
            continue;
        }
        buffer_append_string(&sql, "ALTER TABLE ");
        postgres_append_table(&sql, finisher->self, reference->orphans.table);
        buffer_append_string(&sql, " DROP CONSTRAINT IF EXISTS ");
        postgres_append_name(&sql, reference->orphans.name);
        status = run(finisher, &sql, reference->orphans.table, reference->orphans.name, false);
    }
    return status;
}

static enum status take_orphans(struct finisher *finisher)
{
    say(finisher, "records without a partner in", finisher->self->shown);
    sql_references_reach(finisher->references, finisher->reference_count);
    if (drop_reached(finisher) != STATUS_OK ||
        failpoint_hit("postgres.before_taking", finisher->error) != STATUS_OK ||
        postgres_orphans_take(finisher->self, finisher->references, finisher->reference_count,
                              finisher->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return postgres_control(finisher->self, &finisher->connection, finisher->error);
}

/* Where records that break some are to go, they are gone before the keys are made for good. */
static enum status make_references(struct finisher *finisher, const struct target_table *tables,
                                   uint32_t table_count)
{
    size_t most = 1;
    bool broken = false;
    for (uint32_t i = 0; i < table_count; i++) {
        finisher->collects |= tables[i].rejects_orphans;
        most += count_references(&tables[i]);
    }
    if (!finisher->collects) {
        return add_all_references(finisher, tables, table_count);
    }
    finisher->references =
        arena_allocate_zeroed(finisher->arena, most, sizeof *finisher->references);
    if (finisher->references == NULL) {
        return error_set(finisher->error, ERROR_MEMORY, finisher->self->shown,
                         "no memory for its foreign keys");
    }
    enum status status = add_all_references(finisher, tables, table_count);
    for (uint32_t i = 0; i < finisher->reference_count; i++) {
        broken |= finisher->references[i].broken;
    }
    if (status != STATUS_OK || !broken) {
        return status;
    }
    finisher->collects = false;
    finisher->again = true;
    status = take_orphans(finisher);
    return status == STATUS_OK ? add_all_references(finisher, tables, table_count) : status;
}

/* ---------------------------------------------------------------- statistics */

/* Is it worth the while? What this run made always is, and what is small; other tables when they
 * grew by a tenth, which is when autovacuum would do it too. */
static bool wants_analyze(const struct target_table *table, const struct postgres_table *facts,
                          const PGresult *statistics)
{
    if (table->created) {
        return true;
    }
    for (int row = 0; row < PQntuples(statistics); row++) {
        if (strcmp(PQgetvalue(statistics, row, 0), table->name) != 0) {
            continue;
        }
        bool wanted =
            facts->schema->size_bytes < SMALL_BYTES || PQgetvalue(statistics, row, 2)[0] == 't';
        bool may = PQgetvalue(statistics, row, 1)[0] == 't';
        if (wanted && !may) {
            log_write(LOG_WARNING,
                      "%s: its statistics stay as they are, since the role does not own it; let "
                      "its owner run ANALYZE",
                      table->name);
        }
        return wanted && may;
    }
    return false;
}

/* Up to this size a table that was just written has its pages in memory: to ask for each of them in
 * advance takes a twelfth of ANALYZE's time. And one process counts it before ANALYZE ends, from
 * which others would only take processors. */
static const int64_t ALONE_BYTES = (int64_t)512 << 20;

static const char *settings_of_analyze(const struct postgres_database *self, int64_t weight)
{
    return self->server_version < 130000 ? NULL
           : weight <= ALONE_BYTES       ? "SET SESSION maintenance_io_concurrency = 0"
                                         : "RESET maintenance_io_concurrency";
}

static const char *settings_of_count(int64_t weight)
{
    return weight <= ALONE_BYTES ? "SET SESSION max_parallel_workers_per_gather = 0"
                                 : "RESET max_parallel_workers_per_gather";
}

static enum status add_build(struct postgres_build *builds, uint32_t *count, struct buffer *sql,
                             const char *name, int64_t weight, struct arena *arena)
{
    builds[*count] = (struct postgres_build){.name = name,
                                             .what = "statistics of",
                                             .weight = weight,
                                             .shuts_out = POSTGRES_SHUTS_NOBODY};
    builds[*count].sql = sql->failed ? NULL : arena_copy_string(arena, buffer_string(sql));
    buffer_free(sql);
    return builds[(*count)++].sql != NULL ? STATUS_OK : STATUS_FAILED;
}

/* The engine will ask how many records are there: one processor can count them while another one
 * gathers statistics, and both read the table just once. */
static enum status add_count(const struct finisher *finisher, const struct target_table *table,
                             int64_t weight, struct postgres_build *builds, uint32_t *count,
                             struct arena *arena)
{
    struct buffer sql = {0};
    if (table->counted == NULL || !table->created) {
        return STATUS_OK;
    }
    buffer_append_string(&sql, "SELECT count(*) FROM ");
    postgres_append_table(&sql, finisher->self, table->name);
    enum status status = add_build(builds, count, &sql, table->name, weight, arena);
    builds[*count - 1].what = "records of";
    builds[*count - 1].counted = table->counted;
    builds[*count - 1].settings = settings_of_count(weight);
    return status;
}

struct numbering {
    struct finisher *finisher;
    const struct target_table *tables;
    uint32_t table_count;
};

static enum status set_sequences(void *context, struct error *error)
{
    const struct numbering *numbering = context;
    return postgres_set_sequences(numbering->finisher->self, numbering->finisher->connection,
                                  numbering->tables, numbering->table_count, error);
}

/* Of all tables, several large ones at once, and their sequences beside; one statement for many
 * small tables, which makes a transaction of each. */
static enum status analyze(struct finisher *finisher, const struct target_table *tables,
                           uint32_t table_count, const struct postgres_catalog *catalog,
                           const PGresult *statistics, struct arena *arena)
{
    enum { SMALL_TOGETHER = 100 };
    struct postgres_build *builds =
        arena_allocate_zeroed(arena, 2 * ((size_t)table_count + 1), sizeof *builds);
    struct buffer small = {0};
    uint32_t count = 0;
    uint32_t smalls = 0;
    enum status status = builds != NULL ? STATUS_OK : STATUS_FAILED;
    const char *first = NULL;
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        const struct postgres_table *facts = postgres_catalog_find(catalog, tables[i].name);
        struct buffer own = {0};
        if (facts == NULL || !wants_analyze(&tables[i], facts, statistics)) {
            continue;
        }
        bool large = facts->schema->size_bytes >= SMALL_BYTES;
        struct buffer *sql = large ? &own : &small;
        first = tables[i].name;
        buffer_append_string(sql, sql->length == 0 ? "ANALYZE " : ", ");
        postgres_append_table(sql, finisher->self, tables[i].name);
        smalls += !large;
        if (large) {
            status =
                add_build(builds, &count, sql, tables[i].name, facts->schema->size_bytes, arena);
            builds[count - 1].settings =
                settings_of_analyze(finisher->self, facts->schema->size_bytes);
            if (status == STATUS_OK) {
                status = add_count(finisher, &tables[i], facts->schema->size_bytes, builds, &count,
                                   arena);
            }
        } else if (smalls % SMALL_TOGETHER == 0) {
            status = add_build(builds, &count, sql, tables[i].name, 0, arena);
        }
    }
    if (status == STATUS_OK && small.length > 0) {
        status = add_build(builds, &count, &small, first, 0, arena);
    }
    buffer_free(&small);
    if (status != STATUS_OK) {
        return error_set(finisher->error, ERROR_MEMORY, finisher->self->shown,
                         "no memory for its statistics");
    }
    struct numbering numbering = {finisher, tables, table_count};
    const struct postgres_errand sequences = {set_sequences, &numbering};
    return postgres_builds_run(finisher->self, builds, count, ANALYZES_AT_ONCE, &sequences,
                               finisher->progress, finisher->error);
}

static enum status analyze_tables(struct finisher *finisher, const struct target_table *tables,
                                  uint32_t table_count, const struct postgres_catalog *catalog,
                                  struct arena *arena)
{
    const struct postgres_parameter schema = {.text = finisher->self->schema};
    PGresult *statistics = NULL;
    enum status status = STATUS_OK;
    bool others = false;
    for (uint32_t i = 0; i < table_count; i++) {
        others = others || !tables[i].created;
    }
    if (others) {
        status = postgres_query(finisher->self, finisher->connection, sql_statistics, &schema, 1,
                                POSTGRES_SHORT, ERROR_TARGET_INVALID, &statistics, finisher->error);
    }
    status = status == STATUS_OK
                 ? analyze(finisher, tables, table_count, catalog, statistics, arena)
                 : status;
    PQclear(statistics);
    return status;
}

static enum status make_objects(struct finisher *finisher, const struct target_table *tables,
                                uint32_t table_count, const struct schema *objects,
                                enum postgres_moment moment)
{
    PGconn *connection = NULL;
    if (objects == NULL) {
        return STATUS_OK;
    }
    if (postgres_begin_brief(finisher->self, &connection, finisher->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_objects_make(finisher->self, connection, tables, table_count,
                                               objects, moment, finisher->error);
    if (status == STATUS_OK && moment == POSTGRES_AFTER_LOAD) {
        status = postgres_objects_remember(finisher->self, connection, finisher->error);
    }
    status =
        status == STATUS_OK ? failpoint_hit("postgres.before_objects", finisher->error) : status;
    status = postgres_end(finisher->self, connection, status, finisher->error);
    return status == STATUS_OK ? failpoint_hit("postgres.after_objects", finisher->error) : status;
}

static enum status finish_tables(struct finisher *finisher, const struct target_table *tables,
                                 uint32_t table_count, struct arena *arena)
{
    struct postgres_catalog catalog;
    enum status status = postgres_catalog_read(finisher->self, finisher->connection, NULL, arena,
                                               &catalog, finisher->error);
    finisher->catalog = &catalog;
    if (status == STATUS_OK) {
        status = postgres_make_keys(finisher->self, tables, table_count, &catalog, arena,
                                    finisher->progress, finisher->error);
    }
    if (status == STATUS_OK) { /* moving records may have made the connection anew */
        status = postgres_control(finisher->self, &finisher->connection, finisher->error);
    }
    if (status == STATUS_OK && refer(tables, table_count)) { /* they may take hours */
        postgres_builders_end(finisher->self);
        postgres_builders_keep(finisher->self);
    }
    if (status == STATUS_OK) {
        finisher->arena = arena;
        status = make_references(finisher, tables, table_count);
    }
    if (status == STATUS_OK) {
        status = analyze_tables(finisher, tables, table_count, &catalog, arena);
    }
    finisher->catalog = NULL;
    return status;
}

enum status postgres_after_load(struct database *database, const struct target_table *tables,
                                uint32_t table_count, const struct schema *objects,
                                void (*progress)(const char *what), uint32_t *broken,
                                struct error *error)
{
    struct finisher finisher = {.self = postgres_database_of(database),
                                .progress = progress,
                                .broken = broken,
                                .error = error};
    struct arena *arena = arena_create(0);
    *broken = 0;
    postgres_builders_keep(finisher.self);
    enum status status = arena != NULL
                             ? postgres_control(finisher.self, &finisher.connection, error)
                             : error_set(error, ERROR_MEMORY, finisher.self->shown, "no memory");

    if (status == STATUS_OK) {
        status = postgres_await_builders(finisher.self, finisher.connection, tables, table_count,
                                         progress, error);
    }
    if (status == STATUS_OK) {
        status = make_objects(&finisher, tables, table_count, objects, POSTGRES_BEFORE_INDEXES);
    }
    if (status == STATUS_OK) {
        status = postgres_put_back(finisher.self, finisher.self->run_id, tables, table_count,
                                   progress, error);
    }
    status =
        status == STATUS_OK ? postgres_control(finisher.self, &finisher.connection, error) : status;
    status = status == STATUS_OK ? finish_tables(&finisher, tables, table_count, arena) : status;
    if (status == STATUS_OK) {
        status = make_objects(&finisher, tables, table_count, objects, POSTGRES_AFTER_LOAD);
    }
    if (status == STATUS_OK) { /* which may have made the connection anew */
        status = postgres_control(finisher.self, &finisher.connection, error);
    }
    if (status == STATUS_OK) {
        status = postgres_drop_key_tables(finisher.self, finisher.connection, error);
    }
    postgres_builders_end(finisher.self);
    arena_destroy(arena);
    return status;
}
