/* After the load: foreign keys, not valid at first, then checked beside whoever uses the tables. */
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/postgres/schema/finish.h"
#include "connectors/postgres/schema/orphans.h"
#include "connectors/sql/reference.h"
#include <stdio.h>
#include <string.h>

static const char unchecked[] = " NOT VALID";

/* table_column_fkey, cut so that the name fits. */
static void name_reference(const struct target_table *table,
                           const struct sql_foreign_key *reference, uint32_t number,
                           char name[POSTGRES_NAME_BYTES_MAX + 1])
{
    sql_name_foreign_key(table, reference, number, "_fkey", POSTGRES_NAME_BYTES_MAX - 12, name,
                         POSTGRES_NAME_BYTES_MAX + 1);
}

/* False: by which columns it finds its partners is not known. */
static bool describe_orphans(const struct postgres_finisher *finisher,
                             const struct target_table *table,
                             const struct sql_foreign_key *reference, const char *name,
                             struct sql_orphans *orphans)
{
    const struct postgres_table *facts = postgres_catalog_find(finisher->catalog, table->name);
    const struct postgres_table *partner =
        postgres_catalog_find(finisher->catalog, reference->table);
    const char *native = reference->native_sql != NULL ? reference->native_sql : "";
    const char *behind = strrchr(native, ')'); /* the columns */
    *orphans = postgres_orphans(finisher->self);
    orphans->table = table->name;
    orphans->records_written = after_load_records_written(finisher->request, table);
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
static enum status find_collations(const struct postgres_finisher *finisher,
                                   struct sql_orphans *orphans, struct error *error)
{
    const struct sql_table_place place = sql_place_of(&finisher->self->sql, orphans->partner);
    const struct postgres_parameter parameters[] = {{.text = place.schema}, {.text = place.name}};
    const char **names = arena_allocate_zeroed(
        finisher->arena, (size_t)orphans->referenced.count + 1, sizeof *names);
    PGresult *rows = NULL;
    enum status status = postgres_catalog_query(
        finisher->self, finisher->connection,
        "SELECT a.attname, pg_catalog.format('%I.%I', m.nspname, l.collname) "
        "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = "
        "a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation JOIN "
        "pg_catalog.pg_namespace m ON m.oid = l.collnamespace WHERE n.nspname "
        "= $1 AND c.relname = $2 AND a.attnum > 0",
        parameters, 2, SQL_SHORT, ERROR_TARGET_SCHEMA, &rows, error);
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

/* How many rows are orphaned, and the first few of them. Only for people: what can't be asked
 * is left unsaid. */
static void name_orphans(struct postgres_finisher *finisher, const struct target_table *table,
                         const struct sql_foreign_key *reference, struct buffer *out)
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
    if (postgres_query_buffer(finisher->self, finisher->connection, &sql, NULL, 0, SQL_BUILD,
                              ERROR_TARGET_SCHEMA, &rows, &ignored) == STATUS_OK) {
        sql_orphans_append_words(out, &orphans, (uint32_t)PQntuples(rows), postgres_orphans_cell,
                                 rows);
    }
    PQclear(rows);
}

/* One that is there, or would be if its records let it. */
static enum status collect(struct postgres_finisher *finisher, const struct target_table *table,
                           const struct sql_foreign_key *reference, const char *name, bool broken)
{
    struct sql_reference *made = &finisher->references[finisher->reference_count];
    if (!finisher->collects) {
        return STATUS_OK;
    }
    const char *copy = arena_copy_string(finisher->arena, name);
    *made = (struct sql_reference){.broken = broken};
    made->unasked = !describe_orphans(finisher, table, reference, copy, &made->orphans);
    finisher->reference_count++;
    return made->unasked ? STATUS_OK : find_collations(finisher, &made->orphans, finisher->error);
}

/* As the source words a key that it did not check itself. */
static bool ends_unchecked(const struct sql_foreign_key *reference)
{
    const char *native = reference->native_sql != NULL ? reference->native_sql : "";
    size_t length = strlen(native);
    size_t end = sizeof unchecked - 1;
    return length > end && strcmp(native + length - end, unchecked) == 0;
}

/* Orphaned rows are the source's own. */
static void tell_of_orphans(struct postgres_finisher *finisher, const struct target_table *table,
                            const struct sql_foreign_key *reference, const char *what,
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
    finisher->request->broken += unforeseen;
    if (broken) {
        name_orphans(finisher, table, reference, &orphans);
        finisher->request->broken += !ends_unchecked(reference);
    }
    log_write(LOG_WARNING, "%s: the foreign key %s: %s%s", table->name, what, problem->message,
              buffer_string(&orphans));
    buffer_free(&orphans);
}

/* The source did not check it either: it stays NOT VALID, and rows that it does not fit are told.
 */
static enum status keep_unchecked(struct postgres_finisher *finisher,
                                  const struct target_table *table,
                                  const struct sql_foreign_key *reference, const char *name)
{
    struct buffer orphans = {0};
    if (!finisher->again) {
        name_orphans(finisher, table, reference, &orphans);
    }
    if (orphans.length > 0) {
        log_write(LOG_WARNING,
                  "%s: the foreign key %s: it is there, but broken, as it is in the source (NOT "
                  "VALID)%s",
                  table->name, name, buffer_string(&orphans));
    }
    buffer_free(&orphans);
    return STATUS_OK;
}

static void append_validation(struct buffer *sql, const struct postgres_database *self,
                              const struct target_table *table, const char *name)
{
    postgres_append(sql, "ALTER TABLE %t VALIDATE CONSTRAINT %n", &self->sql, table->name, name);
}

/* A key that not every row obeys is said, and stays unvalidated. */
static enum status validate(struct postgres_finisher *finisher, const struct target_table *table,
                            const struct sql_foreign_key *reference, const char *name)
{
    struct buffer sql = {0};
    struct error problem = {0};
    struct postgres_finisher trying = *finisher;
    trying.error = &problem;

    if (failpoint_hit("postgres.before_validation", finisher->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    append_validation(&sql, finisher->self, table, name);
    enum status status = postgres_finisher_run(&trying, &sql, table->name, name, true);
    if (status != STATUS_OK && strcmp(problem.native_state, "23503") == 0) {
        char what[POSTGRES_NAME_BYTES_MAX + 64];
        snprintf(what, sizeof what, "%s is there, but broken", name);
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
static void append_reference(struct buffer *sql, const struct postgres_database *self,
                             const struct target_table *table,
                             const struct sql_foreign_key *reference, const char *name)
{
    postgres_append(sql, "ALTER TABLE %t ADD CONSTRAINT %n", &self->sql, table->name, name);
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
        postgres_append(sql, "%n.%n", reference->schema,
                        reference->table + strlen(reference->schema) + 1);
    } else {
        postgres_append_table(sql, self, reference->table);
    }
    if (reference->referenced.count > 0) {
        buffer_append_string(sql, " (");
        postgres_append_names(sql, NULL, reference->referenced);
        buffer_append_byte(sql, ')');
    }
    sql_append_actions(sql, reference->on_delete, reference->on_update);
}

/* Does the table have a foreign key of that name, and was it checked? */
static enum status find_reference(struct postgres_finisher *finisher, const char *table,
                                  const char *name, bool *found, bool *checked)
{
    const struct sql_table_place place = sql_place_of(&finisher->self->sql, table);
    const struct postgres_parameter parameters[] = {
        {.text = place.schema}, {.text = place.name}, {.text = name}};
    PGresult *result = NULL;
    enum status status = postgres_catalog_query(
        finisher->self, finisher->connection,
        "SELECT k.convalidated FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid "
        "= k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = "
        "$1 AND c.relname = $2 AND k.conname = $3",
        parameters, 3, SQL_SHORT, ERROR_TARGET_INVALID, &result, finisher->error);
    *found = status == STATUS_OK && PQntuples(result) > 0;
    *checked = *found && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return status;
}

/* Unchecked at first; of partitioned tables PostgreSQL wants it checked at once. */
static enum status make_reference(struct postgres_finisher *finisher,
                                  const struct target_table *table,
                                  const struct sql_foreign_key *reference, const char *name,
                                  bool not_yet, struct error *problem)
{
    struct buffer sql = {0};
    struct postgres_finisher trying = *finisher;
    trying.error = problem;
    append_reference(&sql, finisher->self, table, reference, name);
    buffer_append_string(&sql, not_yet ? unchecked : "");
    return postgres_finisher_run(&trying, &sql, table->name, name, false);
}

/* A key that can't be made as things are is told of, and left out. */
static enum status pass_over(struct postgres_finisher *finisher, const struct target_table *table,
                             const struct sql_foreign_key *reference, const char *name,
                             const struct error *problem)
{
    static const char *const unfit[] = {"42830",  /* no unique key over there */
                                        "42804",  /* types that do not compare */
                                        "42P01",  /* the table was left out */
                                        "3F000",  /* its schema is not there */
                                        "42703",  /* the other table of that name lacks a column */
                                        "23503"}; /* a row without a partner */
    for (size_t i = 0; i < sizeof unfit / sizeof unfit[0]; i++) {
        if (strcmp(problem->native_state, unfit[i]) == 0) {
            char what[POSTGRES_NAME_BYTES_MAX + 64];
            snprintf(what, sizeof what, "to %s is not made", reference->table);
            bool broken = strcmp(unfit[i], "23503") == 0;
            tell_of_orphans(finisher, table, reference, what, problem);
            return broken ? collect(finisher, table, reference, name, true) : STATUS_OK;
        }
    }
    error_copy(finisher->error, problem);
    return STATUS_FAILED;
}

static enum status add_reference(struct postgres_finisher *finisher,
                                 const struct target_table *table,
                                 const struct sql_foreign_key *reference, uint32_t number)
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
    postgres_finisher_say(finisher, "foreign key", name);
    bool stays = ends_unchecked(reference) && !finisher->request->rejects_orphans;
    if (found) { /* an attempt before this one died on the way */
        return stays ? keep_unchecked(finisher, table, reference, name)
                     : validate(finisher, table, reference, name);
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
    if (status != STATUS_OK) {
        return pass_over(finisher, table, reference, name, &problem);
    }
    return !enforced ? STATUS_OK
           : whole   ? collect(finisher, table, reference, name, false)
           : stays   ? keep_unchecked(finisher, table, reference, name)
                     : validate(finisher, table, reference, name);
}

static enum status add_references(struct postgres_finisher *finisher,
                                  const struct target_table *table)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < sql_foreign_key_count(table); i++) {
        const struct sql_foreign_key reference = sql_foreign_key_of(table, i);
        status = add_reference(finisher, table, &reference, i);
    }
    return status;
}

static enum status add_all_references(struct postgres_finisher *finisher)
{
    const struct after_load_request *request = finisher->request;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < request->table_count; i++) {
        if (request->tables[i].created) {
            status = add_references(finisher, &request->tables[i]);
        }
    }
    return status;
}

/* The keys that records go from under: they come again, and with them what they do on DELETE. */
static enum status drop_reached(struct postgres_finisher *finisher)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < finisher->reference_count; i++) {
        const struct sql_reference *reference = &finisher->references[i];
        struct buffer sql = {0};
        if (!sql_reference_is_reached(finisher->references, finisher->reference_count, reference)) {
            continue;
        }
        postgres_append(&sql, "ALTER TABLE %t DROP CONSTRAINT IF EXISTS %n", &finisher->self->sql,
                        reference->orphans.table, reference->orphans.name);
        status = postgres_finisher_run(finisher, &sql, reference->orphans.table,
                                       reference->orphans.name, false);
    }
    return status;
}

static enum status take_orphans(struct postgres_finisher *finisher)
{
    postgres_finisher_say(finisher, "orphaned rows in", finisher->self->sql.shown);
    sql_references_reach(finisher->references, finisher->reference_count);
    if (drop_reached(finisher) != STATUS_OK ||
        failpoint_hit("postgres.before_taking", finisher->error) != STATUS_OK ||
        postgres_orphans_take(finisher->self, finisher->references, finisher->reference_count,
                              finisher->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return postgres_control(finisher->self, &finisher->connection, finisher->error);
}

enum status postgres_make_references(struct postgres_finisher *finisher)
{
    const struct after_load_request *request = finisher->request;
    size_t most = 1;
    bool broken = false;
    finisher->collects = request->rejects_orphans;
    if (!finisher->collects) {
        return add_all_references(finisher);
    }
    for (uint32_t i = 0; i < request->table_count; i++) {
        most += sql_foreign_key_count(&request->tables[i]);
    }
    finisher->references =
        arena_allocate_zeroed(finisher->arena, most, sizeof *finisher->references);
    enum status status = add_all_references(finisher);
    for (uint32_t i = 0; i < finisher->reference_count; i++) {
        broken |= finisher->references[i].broken;
    }
    if (status != STATUS_OK || !broken) {
        return status;
    }
    finisher->collects = false;
    finisher->again = true;
    status = take_orphans(finisher);
    return status == STATUS_OK ? add_all_references(finisher) : status;
}

static void show_reference(const struct postgres_database *self, const struct target_table *table,
                           uint32_t number, struct script *script)
{
    const struct sql_foreign_key reference = sql_foreign_key_of(table, number);
    bool enforced = !postgres_is_unenforced(reference.native_sql);
    char name[POSTGRES_NAME_BYTES_MAX + 1];
    struct buffer sql = {0};
    if (postgres_unknown_reference(self, reference.native_sql) != NULL) {
        return;
    }
    name_reference(table, &reference, number, name);
    append_reference(&sql, self, table, &reference, name);
    buffer_append_string(&sql, enforced ? unchecked : "");
    script_add(script, SCRIPT_AFTER_LOAD, "foreign key", name, &sql);
    if (enforced && !ends_unchecked(&reference)) {
        append_validation(&sql, self, table, name);
        script_add(script, SCRIPT_AFTER_LOAD, "foreign key", name, &sql);
    }
}

void postgres_show_references(const struct postgres_database *self,
                              const struct script_request *request, struct script *script)
{
    for (uint32_t i = 0; i < request->table_count; i++) {
        const struct target_table *table = &request->tables[i];
        for (uint32_t k = 0; request->missing[i] && k < sql_foreign_key_count(table); k++) {
            show_reference(self, table, k, script);
        }
    }
}
