/* The functions that instances of SQL databases have alike: claims, and tables that start again. */
#include "connectors/sql/database.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/store_key.h"
#include "connectors/sql/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- places and names */

enum status sql_failpoint(const struct sql_database *self, const char *place, struct error *error)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", self->dialect->name, place);
    return failpoint_hit(name, error);
}

bool sql_is_listed(const struct sql_database *self, struct column_list columns, const char *name)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        if (self->dialect->compare_names(columns.names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

enum status sql_end_between(struct sql_database *self, const char *before, const char *after,
                            enum status status, struct error *error)
{
    if (status == STATUS_OK && before != NULL) {
        status = sql_failpoint(self, before, error);
    }
    status = self->dialect->end(self, status, error);
    return status == STATUS_OK && after != NULL ? sql_failpoint(self, after, error) : status;
}

/* ---------------------------------------------------------------- claims */

void sql_released(struct database *database)
{
    struct sql_database *self = sql_database_of(database);
    free(self->run_id);
    free(self->guard_key);
    self->run_id = NULL;
    self->guard_key = NULL;
}

/* The place stays while a run whose ledger is elsewhere keeps something in it. */
static enum status note_guest(struct sql_database *self, struct error *error)
{
    char key[STORE_KEY_BYTES];
    struct buffer sql = {0};
    store_name_key(key, STORE_GUEST_PREFIX, self->run_id);
    if (self->dialect->begin(self, SQL_WRITES, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        self->dialect->make_place != NULL ? self->dialect->make_place(self, error) : STATUS_OK;
    if (status == STATUS_OK) {
        sql_append(
            &sql, self->dialect->quoting,
            "INSERT INTO %t (name, version, value) SELECT '%s', 1, '{\"format\":%d}' FROM (SELECT 1 "
            "AS one) AS o WHERE NOT EXISTS (SELECT 1 FROM %t AS s WHERE s.name = '%s')",
            self, SQL_STORE_TABLE, key, STORE_TEXT_FORMAT, self, SQL_STORE_TABLE, key);
        status = self->dialect->run(self, &sql, NULL, error);
    }
    return self->dialect->end(self, status, error);
}

enum status sql_claimed(struct database *database, const struct run_claim *claim,
                        struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    sql_released(database);
    self->run_id = memory_copy_string(claim->run_id);
    self->guard_key = claim->guard_key != NULL ? memory_copy_string(claim->guard_key) : NULL;
    self->guard_version = claim->guard_version;
    self->epoch = claim->epoch;
    if (self->dialect->enter_run != NULL &&
        self->dialect->enter_run(self, claim->took_over, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return self->guard_key == NULL ? note_guest(self, error) : STATUS_OK;
}

enum status sql_run_fenced(const char *shown, struct error *error)
{
    error_set(error, ERROR_RUN_FENCED, shown, "another attempt took this run over");
    error_hint(error, "let that one finish; `transhume status` shows it");
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- tables that start again */

static enum status empty_table(struct sql_database *self, const struct target_table *table,
                               struct error *error)
{
    const char *name = table->name;
    struct buffer sql = {0};
    bool made = table->empties;
    if (!made && self->dialect->is_made(self, name, &made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!made) {
        return error_set(error, ERROR_TARGET_NOT_EMPTY, name,
                         "this run did not make the table, so it will not empty it");
    }
    buffer_append_string(&sql, "DELETE FROM ");
    self->dialect->quoting->append_table(&sql, self, name);
    return self->dialect->run(self, &sql, NULL, error);
}

enum status sql_holds(struct database *database, const char *table, const char *column,
                      enum value_test test, bool *holds, struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    const struct sql_dialect *dialect = self->dialect;
    struct buffer exception = {0};
    const char *found = NULL;
    *holds = false;
    if (dialect->append_exception == NULL || !dialect->append_exception(&exception, column, test)) {
        return STATUS_OK;
    }
    struct buffer sql = {0};
    struct arena *arena = arena_create(1024);
    buffer_append_string(&sql, "SELECT EXISTS (SELECT 1 FROM ");
    dialect->quoting->append_table(&sql, self, table);
    buffer_format(&sql, " WHERE %s)", buffer_string(&exception));
    enum status status = dialect->ask(self, &sql, arena, &found, error);
    *holds = status == STATUS_OK && found != NULL && (found[0] == '0' || found[0] == 'f');
    arena_destroy(arena);
    buffer_free(&exception);
    return status;
}

static struct column_list leave_out_own(struct column_list names)
{
    const char **kept = (const char **)names.names; /* made a moment ago, in the caller's arena */
    uint32_t count = 0;
    for (uint32_t i = 0; i < names.count; i++) {
        if (strncmp(names.names[i], "_transhume_", strlen("_transhume_")) != 0) {
            kept[count++] = names.names[i];
        }
    }
    return (struct column_list){kept, count};
}

enum status sql_highest_key(struct database *database, const char *table, const char *column,
                            int64_t *highest, bool *any, struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    struct arena *arena = arena_create(0);
    struct buffer sql = {0};
    const char *text = NULL;
    buffer_append_string(&sql, "SELECT max(");
    self->dialect->quoting->append_name(&sql, column);
    buffer_append_string(&sql, ") FROM ");
    self->dialect->quoting->append_table(&sql, self, table);
    enum status status = self->dialect->ask(self, &sql, arena, &text, error);
    *any = status == STATUS_OK && text != NULL;
    if (*any && text_to_int64(text, strlen(text), highest) != STATUS_OK) {
        status = error_set(error, ERROR_TARGET_INVALID, table, "its highest %s is %s, no integer",
                           column, text);
    }
    arena_destroy(arena);
    return status;
}

enum status sql_names(struct database *database, struct arena *arena, struct column_list *names,
                      struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    struct buffer sql = {0};
    if (self->dialect->begin(self, SQL_LOOKS, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    self->dialect->append_names_query(&sql, self);
    enum status status = self->dialect->list(self, &sql, arena, names, error);
    *names = status == STATUS_OK ? leave_out_own(*names) : (struct column_list){0};
    return self->dialect->end(self, status, error);
}

enum status sql_empty(struct database *database, const struct target_table *const *tables,
                      uint32_t table_count, struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    enum status status = self->dialect->begin(self, SQL_WRITES, error);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool silent = self->base.triggers_off;
    struct error ignored = {0};
    status = silent ? self->dialect->silence(self, true, error) : STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < table_count; i++) {
        status = empty_table(self, tables[i], error);
    }
    status = status == STATUS_OK ? self->dialect->check_claim(self, error) : status;
    if (silent) {
        bool good = status == STATUS_OK;
        enum status back = self->dialect->silence(self, false, good ? error : &ignored);
        status = good ? back : status;
    }
    return sql_end_between(self, "before_empty", NULL, status, error);
}
