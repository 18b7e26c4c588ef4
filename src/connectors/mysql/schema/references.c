/* After the load: foreign keys, and the rows that they leave orphaned. */
#include "base/log.h"
#include "connectors/mysql/schema/finish.h"
#include "connectors/mysql/schema/orphans.h"
#include "connectors/sql/reference.h"
#include "connectors/sql/undo.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The numbers that servers of several kinds and ages give when a foreign key's name is taken; and
 * more. */
enum { CANT_CREATE_TABLE = 1005, DUP_KEY = 1022, FK_FAIL_ADD = 1823, FK_DUP_NAME = 1826 };

/* A name is the database's own, whatever its table: cut so that it fits. */
static void name_reference(const struct target_table *table,
                           const struct sql_foreign_key *reference, uint32_t number,
                           char name[MYSQL_NAME_BYTES_MAX + 1])
{
    sql_name_foreign_key(table, reference, number, "_ibfk_", MYSQL_NAME_CHARACTERS_MAX - 14, name,
                         MYSQL_NAME_BYTES_MAX + 1);
}

/* Another table's key has the name: of two that were cut, or in a database that others use. */
static bool name_is_taken(const struct error *problem)
{
    return problem->native_code == CANT_CREATE_TABLE || problem->native_code == DUP_KEY ||
           problem->native_code == FK_FAIL_ADD || problem->native_code == FK_DUP_NAME;
}

static void name_apart(const struct target_table *table, uint32_t number,
                       char name[MYSQL_NAME_BYTES_MAX + 1])
{
    size_t length = text_clip(table->name, strlen(table->name), MYSQL_NAME_CHARACTERS_MAX - 31);
    snprintf(name, MYSQL_NAME_BYTES_MAX + 1, "%.*s_%016llx_ibfk_%u", (int)length, table->name,
             (unsigned long long)sql_name_hash(table->name), number + 1);
}

static bool has_reference(const struct mysql_table *facts, const struct sql_foreign_key *reference)
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
static bool is_indexed(const struct mysql_table *facts, struct column_list columns)
{
    bool found = begins_with(facts->schema->primary_key, columns);
    for (uint32_t i = 0; !found && i < facts->schema->index_count; i++) {
        found = begins_with(facts->schema->indexes[i].columns, columns);
    }
    return found;
}

/* Only for people: what can't be asked is left unsaid. */
static void name_orphans(struct mysql_finisher *finisher, const struct sql_orphans *orphans,
                         struct buffer *out)
{
    struct buffer sql = {0};
    struct error ignored = {0};
    MYSQL_RES *rows = NULL;
    sql_orphans_append_query(&sql, orphans);
    if (mysql_run_buffer(finisher->self, finisher->connection, &sql, SQL_BUILD, ERROR_TARGET_SCHEMA,
                         &rows, &ignored) == STATUS_OK &&
        rows != NULL) {
        sql_orphans_append_words(out, orphans, (uint32_t)mysql_num_rows(rows), mysql_orphans_cell,
                                 rows);
    }
    mysql_free_result(rows);
}

static void collect(struct mysql_found_references *found, const struct sql_orphans *orphans,
                    const char *name, bool broken)
{
    struct sql_reference *item = &found->items[found->count++];
    *item = (struct sql_reference){.orphans = *orphans, .broken = broken};
    item->orphans.key = (struct column_list){0};
    item->orphans.name = arena_copy_string(found->arena, name);
}

/* The server does not look at rows that are there when its checks are off: so we do. */
static enum status look_for_orphans(struct mysql_finisher *finisher,
                                    const struct target_table *table,
                                    const struct mysql_table *facts,
                                    const struct sql_foreign_key *reference, const char *name)
{
    struct sql_orphans orphans = mysql_orphans(finisher->self);
    struct buffer sql = {0};
    struct buffer words = {0};
    int64_t found = 0;
    orphans.table = table->name;
    orphans.records_written = after_load_records_written(finisher->request, table);
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
    enum status status = mysql_ask_number(finisher->self, finisher->connection, &sql, SQL_BUILD,
                                          ERROR_TARGET_SCHEMA, 0, &found, finisher->error);
    if (status == STATUS_OK && finisher->found->wanted) {
        collect(finisher->found, &orphans, name, found != 0);
        return STATUS_OK;
    }
    if (status == STATUS_OK && found != 0) {
        name_orphans(finisher, &orphans, &words);
        log_write(LOG_WARNING, "%s: the foreign key to %s is there, but broken%s", table->name,
                  reference->table, buffer_string(&words));
        finisher->request->broken++;
    }
    buffer_free(&words);
    return status;
}

/* With its checks off the server makes a key to nothing, under which no record can be written.
 * STATUS_END: it would be one. */
static enum status find_partner(struct mysql_finisher *finisher, const struct target_table *table,
                                const struct sql_foreign_key *reference)
{
    struct buffer sql = {0};
    int64_t count = 0;
    buffer_append_string(&sql, "SELECT count(*) FROM information_schema.tables WHERE "
                               "table_schema = ");
    mysql_append_string(&sql, finisher->self->sql.schema);
    buffer_append_string(&sql, " AND table_name = ");
    mysql_append_string(&sql, reference->table);
    enum status status = mysql_ask_number(finisher->self, finisher->connection, &sql, SQL_LONG,
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

static void append_reference(struct buffer *sql, const struct mysql_database *self,
                             const struct target_table *table,
                             const struct sql_foreign_key *reference, const char *name)
{
    mysql_append(sql, "ALTER TABLE %t ", &self->sql, table->name);
    mysql_append(sql, "ADD CONSTRAINT %n FOREIGN KEY (", name);
    mysql_append_names(sql, NULL, reference->columns);
    mysql_append(sql, ") REFERENCES %t (", &self->sql, reference->table);
    mysql_append_names(sql, NULL, reference->referenced);
    buffer_append_byte(sql, ')');
    sql_append_actions(sql, reference->on_delete, reference->on_update);
}

static enum status make_reference(struct mysql_finisher *finisher, const struct target_table *table,
                                  const struct mysql_table *facts,
                                  const struct sql_foreign_key *reference, const char *name,
                                  struct error *problem)
{
    struct buffer sql = {0};
    append_reference(&sql, finisher->self, table, reference, name);
    return mysql_finisher_alter(finisher, &sql, table->name,
                                is_indexed(facts, reference->columns) ? SQL_LONG : SQL_BUILD,
                                problem);
}

static enum status add_reference(struct mysql_finisher *finisher, const struct target_table *table,
                                 const struct mysql_table *facts,
                                 const struct sql_foreign_key *reference, uint32_t number)
{
    char name[MYSQL_NAME_BYTES_MAX + 1];
    struct error problem = {0};
    name_reference(table, reference, number, name);
    if (has_reference(facts, reference)) { /* an attempt before this one made it */
        return look_for_orphans(finisher, table, facts, reference, name);
    }
    enum status status = find_partner(finisher, table, reference);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    mysql_finisher_say(finisher, "foreign key of", table->name);
    status = make_reference(finisher, table, facts, reference, name, &problem);
    if (status != STATUS_OK && name_is_taken(&problem)) {
        name_apart(table, number, name);
        error_clear(&problem);
        status = make_reference(finisher, table, facts, reference, name, &problem);
    }
    if (status != STATUS_OK && !mysql_is_lost((unsigned)problem.native_code) &&
        problem.code == ERROR_TARGET_SCHEMA) {
        if (!finisher->found->again) {
            log_write(LOG_WARNING, "%s: the foreign key to %s is not made: %s", table->name,
                      reference->table, problem.message);
            finisher->request->broken++;
        }
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return mysql_finisher_fail(finisher, &problem);
    }
    return look_for_orphans(finisher, table, facts, reference, name);
}

enum status mysql_make_references(struct mysql_finisher *finisher, const struct target_table *table,
                                  const struct mysql_table *facts)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < sql_foreign_key_count(table); i++) {
        const struct sql_foreign_key reference = sql_foreign_key_of(table, i);
        status = add_reference(finisher, table, facts, &reference, i);
    }
    return status;
}

/* ---------------------------------------------------------------- showing it */

static bool has_partner(const struct script_request *request, const char *name)
{
    for (uint32_t i = 0; i < request->table_count; i++) {
        if (strcasecmp(request->tables[i].name, name) == 0) {
            return true;
        }
    }
    return request->there != NULL && schema_find_table(request->there, name) != NULL;
}

void mysql_show_references(const struct mysql_database *self, const struct script_request *request,
                           const struct target_table *table, struct script *script)
{
    for (uint32_t i = 0; i < sql_foreign_key_count(table); i++) {
        const struct sql_foreign_key reference = sql_foreign_key_of(table, i);
        char name[MYSQL_NAME_BYTES_MAX + 1];
        struct buffer sql = {0};
        if (has_partner(request, reference.table)) {
            name_reference(table, &reference, i, name);
            append_reference(&sql, self, table, &reference, name);
            script_add(script, SCRIPT_AFTER_LOAD, "foreign key", name, &sql);
        }
    }
}
