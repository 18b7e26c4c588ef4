/*
 * Foreign keys behind the load. DuckDB takes them with a new table alone, and a table that others
 * refer to can't be renamed: so, parents first, a table is laid aside under another name, made
 * again with its foreign keys, and filled from there, all in one transaction.
 */
#include "base/log.h"
#include "connectors/duckdb/target.h"
#include "connectors/sql/reference.h"
#include "connectors/sql/undo.h"
#include <stdio.h>
#include <strings.h>

struct making {
    struct duckdb_database *self;
    struct after_load_request *request;
    struct arena *arena; /* of one table */
    struct buffer keys;  /* ", FOREIGN KEY …" of those that can be made */
    struct error *error;
};

static bool is_self(const struct target_table *table, const struct sql_foreign_key *key)
{
    return strcasecmp(key->table, table->name) == 0;
}

static bool has_action(const char *action)
{
    return action != NULL && strcasecmp(action, "NO ACTION") != 0 &&
           strcasecmp(action, "RESTRICT") != 0;
}

/* ---------------------------------------------------------------- what can't be */

enum status duckdb_tell_unfit_references(struct database *database,
                                         const struct target_table *table, struct buffer *out,
                                         struct error *error)
{
    (void)database;
    (void)error;
    for (uint32_t i = 0; i < sql_foreign_key_count(table); i++) {
        const struct sql_foreign_key key = sql_foreign_key_of(table, i);
        if (!is_self(table, &key)) {
            continue;
        }
        buffer_append_string(out, "the foreign key (");
        sql_append_names(out, &duckdb_quoting, NULL, key.columns);
        buffer_append_string(out, ") to the table itself is left out: DuckDB would check it before "
                                  "the records that it refers to are there\n");
    }
    return STATUS_OK;
}

void duckdb_tell_actions(const struct target_table *table, struct buffer *out)
{
    for (uint32_t i = 0; i < sql_foreign_key_count(table); i++) {
        const struct sql_foreign_key key = sql_foreign_key_of(table, i);
        if (!is_self(table, &key) && (has_action(key.on_delete) || has_action(key.on_update))) {
            buffer_format(out, "\t%s: its foreign key (", table->name);
            sql_append_names(out, &duckdb_quoting, NULL, key.columns);
            buffer_format(out, ") to %s is made without its actions, which DuckDB does not have\n",
                          key.table);
        }
    }
}

static void leave_out(struct making *making, const struct target_table *table,
                      const struct sql_foreign_key *key, const char *why)
{
    struct buffer names = {0};
    sql_append_names(&names, &duckdb_quoting, NULL, key->columns);
    log_write(LOG_WARNING, "%s: the foreign key (%s) to %s is not made: %s", table->name,
              buffer_string(&names), key->table, why);
    buffer_free(&names);
    making->request->broken++;
}

/* ---------------------------------------------------------------- which are made */

/* The columns that it refers to: its own word, or the parent's key. */
static struct column_list referenced(const struct sql_foreign_key *key,
                                     const struct schema_table *parent)
{
    return key->referenced.count > 0 ? key->referenced : parent->primary_key;
}

static bool is_key(const struct schema_table *parent, struct column_list columns)
{
    for (uint32_t i = 0; i < parent->index_count; i++) {
        const struct schema_index *index = &parent->indexes[i];
        bool same = index->implied && index->columns.count == columns.count;
        for (uint32_t j = 0; same && j < columns.count; j++) {
            same = strcasecmp(index->columns.names[j], columns.names[j]) == 0;
        }
        if (same) {
            return true;
        }
    }
    return false;
}

static enum status count_orphans(struct making *making, const struct target_table *table,
                                 const struct sql_foreign_key *key, struct column_list columns,
                                 int64_t *orphans)
{
    struct buffer sql = {0};
    duckdb_append(&sql, "SELECT count(*) FROM %t AS c WHERE ", &making->self->sql, table->name);
    for (uint32_t i = 0; i < key->columns.count; i++) {
        duckdb_append(&sql, "c.%n IS NOT NULL AND ", key->columns.names[i]);
    }
    duckdb_append(&sql, "NOT EXISTS (SELECT 1 FROM %t AS p WHERE ", &making->self->sql, key->table);
    for (uint32_t i = 0; i < key->columns.count && i < columns.count; i++) {
        duckdb_append(&sql, "%sp.%n = c.%n", i > 0 ? " AND " : "", columns.names[i],
                      key->columns.names[i]);
    }
    buffer_append_byte(&sql, ')');
    return duckdb_ask_number(making->self, making->self->control, &sql, ERROR_TARGET_INVALID,
                             orphans, making->error);
}

static enum status add_key(struct making *making, const struct target_table *table,
                           const struct sql_foreign_key *key)
{
    struct duckdb_table parent;
    int64_t orphans = 0;
    char why[96];
    enum status status = duckdb_target_describe(making->self, making->self->control, key->table,
                                                making->arena, &parent, making->error);
    if (status == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    const struct column_list columns =
        status == STATUS_OK ? referenced(key, parent.schema) : (struct column_list){0};
    if (status == STATUS_END || !is_key(parent.schema, columns)) {
        leave_out(making, table, key, "what it refers to is no key of a table there");
        return STATUS_OK;
    }
    if (count_orphans(making, table, key, columns, &orphans) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (orphans > 0) {
        snprintf(why, sizeof why, "%lld of its records have no partner", (long long)orphans);
        leave_out(making, table, key, why);
        return STATUS_OK;
    }
    buffer_append_string(&making->keys, ", FOREIGN KEY (");
    sql_append_names(&making->keys, &duckdb_quoting, NULL, key->columns);
    /* of the same database always: DuckDB takes no other name for it */
    duckdb_append(&making->keys, ") REFERENCES %n.%n (", making->self->sql.schema, key->table);
    sql_append_names(&making->keys, &duckdb_quoting, NULL, columns);
    buffer_append_byte(&making->keys, ')');
    return STATUS_OK;
}

/* ---------------------------------------------------------------- making one table again */

static enum status references_run(struct making *making, struct buffer *sql)
{
    return duckdb_run_buffer(making->self, making->self->control, sql, ERROR_TARGET_SCHEMA, NULL,
                             making->error);
}

static enum status drop_indexes(struct making *making, const struct schema_table *there)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < there->index_count; i++) {
        struct buffer sql = {0};
        if (there->indexes[i].implied) {
            continue;
        }
        duckdb_append(&sql, "DROP INDEX %t", &making->self->sql, there->indexes[i].name);
        status = references_run(making, &sql);
    }
    return status;
}

static void append_stored(struct buffer *sql, const struct schema_table *there)
{
    bool any = false;
    for (uint32_t i = 0; i < there->column_count; i++) {
        if (there->columns[i].generated == GENERATED_NO) {
            duckdb_append(sql, any ? ", %n" : "%n", there->columns[i].name);
            any = true;
        }
    }
}

static enum status make_again(struct making *making, const struct target_table *table,
                              const struct schema_table *there)
{
    char aside[SQL_OWN_NAME_BYTES];
    struct buffer sql = {0};
    sql_own_name("_transhume_load_", table->name, aside);
    if (duckdb_check_claim(making->self, making->self->control, making->error) != STATUS_OK ||
        drop_indexes(making, there) != STATUS_OK) {
        return STATUS_FAILED;
    }
    duckdb_append(&sql, "ALTER TABLE %t RENAME TO %n; ", &making->self->sql, table->name, aside);
    duckdb_append_create(&sql, &making->self->sql, table, &making->keys);
    duckdb_append(&sql, "; INSERT INTO %t (", &making->self->sql, table->name);
    append_stored(&sql, there);
    buffer_append_string(&sql, ") SELECT ");
    append_stored(&sql, there);
    duckdb_append(&sql, " FROM %t ORDER BY " DUCKDB_ROWID "; DROP TABLE %t", &making->self->sql,
                  aside, &making->self->sql, aside);
    return references_run(making, &sql);
}

static enum status make_table(struct making *making, const struct target_table *table)
{
    struct sql_database *database = &making->self->sql;
    struct duckdb_table there;
    enum status status = duckdb_target_describe(making->self, making->self->control, table->name,
                                                making->arena, &there, making->error);
    if (status != STATUS_OK || there.schema->foreign_key_count > 0) {
        return status == STATUS_END ? STATUS_OK : status; /* an earlier attempt made them */
    }
    buffer_clear(&making->keys);
    for (uint32_t i = 0; status == STATUS_OK && i < sql_foreign_key_count(table); i++) {
        const struct sql_foreign_key key = sql_foreign_key_of(table, i);
        status = is_self(table, &key) ? STATUS_OK : add_key(making, table, &key);
    }
    if (status != STATUS_OK || making->keys.length == 0) {
        return status;
    }
    if (making->request->progress != NULL) {
        making->request->progress("foreign keys");
    }
    if (duckdb_dialect.begin(database, SQL_ALTERS, making->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return sql_end_between(database, "before_references", "after_references",
                           make_again(making, table, there.schema), making->error);
}

/* ---------------------------------------------------------------- all of them */

/* Does it wait for a table that is to be made again, too? */
static bool waits(const struct after_load_request *request, const bool *done, uint32_t number)
{
    const struct target_table *table = &request->tables[number];
    for (uint32_t i = 0; i < sql_foreign_key_count(table); i++) {
        const struct sql_foreign_key key = sql_foreign_key_of(table, i);
        for (uint32_t j = 0; j < request->table_count; j++) {
            if (j != number && !done[j] && strcasecmp(request->tables[j].name, key.table) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Tables of a circle are not made again: each would have to be there before the other. */
static void leave_circles(struct making *making, const bool *done)
{
    for (uint32_t i = 0; i < making->request->table_count; i++) {
        const struct target_table *table = &making->request->tables[i];
        for (uint32_t j = 0; !done[i] && j < sql_foreign_key_count(table); j++) {
            const struct sql_foreign_key key = sql_foreign_key_of(table, j);
            if (!is_self(table, &key)) {
                leave_out(making, table, &key, "tables refer to one another in a circle");
            }
        }
    }
}

enum status duckdb_make_references(struct duckdb_database *self, struct after_load_request *request,
                                   struct error *error)
{
    struct making making = {.self = self, .request = request, .error = error};
    struct arena *arena = arena_create(4096);
    bool *done = arena_allocate_zeroed(arena, (size_t)request->table_count + 1, sizeof *done);
    bool any = true;
    enum status status = STATUS_OK;
    request->broken = 0;
    for (uint32_t i = 0; i < request->table_count; i++) {
        const struct target_table *table = &request->tables[i];
        done[i] = !table->created || sql_foreign_key_count(table) == 0;
    }
    while (status == STATUS_OK && any) {
        any = false;
        for (uint32_t i = 0; status == STATUS_OK && i < request->table_count; i++) {
            if (done[i] || waits(request, done, i)) {
                continue;
            }
            making.arena = arena_create(0);
            status = make_table(&making, &request->tables[i]);
            arena_destroy(making.arena);
            done[i] = true;
            any = true;
        }
    }
    if (status == STATUS_OK) {
        leave_circles(&making, done);
    }
    buffer_free(&making.keys);
    arena_destroy(arena);
    return status;
}
