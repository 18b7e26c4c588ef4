/* The foreign keys that refer to a table, and the records that follow them to one of its own. */
#include "connectors/sqlite/ledger_internal.h"
#include <stdlib.h>
#include <string.h>

struct referrer_list {
    struct sql_referrer *items;
    uint32_t count;
};

/* The column that the `seq`th of a key refers to; without its name it is of the primary key. */
static const char *referenced(const struct sqlite_target_table *facts, const char *name, int seq)
{
    for (uint32_t i = 0; name == NULL && i < facts->column_count; i++) {
        if (facts->columns[i].key_position == (uint32_t)seq + 1) {
            return facts->columns[i].name;
        }
    }
    return name;
}

/* One column of a key; those of a key follow each other. */
static void add_reference(const struct sqlite_target_table *facts, sqlite3_stmt *row,
                          struct arena *arena, struct referrer_list *list)
{
    int seq = sqlite3_column_int(row, 1);
    const char *table = sqlite_text_of(row, 0);
    const char *column = sqlite_text_of(row, 2);
    const char *to = referenced(facts, sqlite_text_of(row, 3), seq);
    struct buffer on = {0};
    if (seq == 0) {
        struct buffer place = {0};
        sqlite_append(&place, "main.%n", table);
        list->items = memory_resize(list->items, list->count + 1u, sizeof *list->items);
        list->items[list->count++] =
            (struct sql_referrer){.name = arena_copy_string(arena, table),
                                  .place = arena_copy_string(arena, buffer_string(&place)),
                                  .own = sqlite_same_name(table, facts->name)};
        buffer_free(&place);
    }
    struct sql_referrer *referrer = &list->items[list->count - 1];
    sqlite_append(&on, "%s%st.%n = r.%n", seq > 0 ? referrer->on : "", seq > 0 ? " AND " : "",
                  to != NULL ? to : "", column); /* t first: its collation holds */
    referrer->on = arena_copy_string(arena, buffer_string(&on));
    buffer_free(&on);
}

/* One that leads to no column of the table, or to a primary key that has not as many, is no key at
 * all, and nobody can follow it. */
enum status sqlite_referrers_read(struct sqlite_database *self,
                                  const struct sqlite_target_table *facts, struct arena *arena,
                                  const struct sql_referrer **referrers, uint32_t *count,
                                  struct error *error)
{
    sqlite3_stmt *row = NULL;
    struct referrer_list list = {0};
    enum status status = sqlite_ledger_prepare(
        self,
        "SELECT m.name, k.seq, k.\"from\", k.\"to\" FROM main.sqlite_schema AS m, "
        "pragma_foreign_key_list(m.name, 'main') AS k WHERE m.type = 'table' AND k.\"table\" = ?1 "
        "COLLATE NOCASE AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(m.name, 'main') AS o "
        "WHERE o.id = k.id AND (o.\"to\" NOT IN (SELECT name COLLATE NOCASE FROM "
        "pragma_table_xinfo(?1, 'main')) OR (o.\"to\" IS NULL AND (SELECT count(*) FROM "
        "pragma_table_xinfo(?1, 'main') WHERE pk > 0) <> (SELECT count(*) FROM "
        "pragma_foreign_key_list(m.name, 'main') AS w WHERE w.id = o.id)))) ORDER BY m.name, k.id, k.seq",
        &row, error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(row, 1, facts->name, -1, SQLITE_STATIC);
    }
    while (status == STATUS_OK && (status = sqlite_step(self, row, error)) == STATUS_OK) {
        add_reference(facts, row, arena, &list);
    }
    sqlite3_finalize(row);
    struct sql_referrer *copies = arena_allocate_zeroed(arena, list.count + 1u, sizeof *copies);
    for (uint32_t i = 0; i < list.count; i++) {
        copies[i] = list.items[i];
    }
    free(list.items);
    *referrers = copies;
    *count = list.count;
    return status == STATUS_END ? STATUS_OK : status;
}

/* STATUS_END: no record does. */
static enum status follow(struct sqlite_database *self, const struct sqlite_target_table *facts,
                          const struct sql_referrer *referrer, struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *row = NULL;
    sqlite_append(&sql, "SELECT 1 FROM %s AS r CROSS JOIN main.%n AS t ON %s LIMIT 1",
                  referrer->place, facts->name, referrer->on);
    enum status status = sqlite_target_prepare_buffer(self, self->control, &sql, &row, error);
    status = status == STATUS_OK ? sqlite_step(self, row, error) : status;
    sqlite3_finalize(row);
    buffer_free(&sql);
    return status;
}

static bool is_among(const char *table, struct column_list names)
{
    for (uint32_t i = 0; i < names.count; i++) {
        if (sqlite_same_name(table, names.names[i])) {
            return true;
        }
    }
    return false;
}

static enum status find_within(struct sqlite_database *self, const char *table,
                               struct column_list going, struct arena *arena, const char **referrer,
                               struct error *error)
{
    struct sqlite_target_table facts;
    const struct sql_referrer *all = NULL;
    uint32_t count = 0;
    enum status status = sqlite_target_describe(self, self->control, table, arena, &facts, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    status = sqlite_referrers_read(self, &facts, arena, &all, &count, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK && *referrer == NULL; i++) {
        if (!all[i].own && !is_among(all[i].name, going)) {
            status = follow(self, &facts, &all[i], error);
            *referrer = status == STATUS_OK ? all[i].name : NULL;
            status = status == STATUS_END ? STATUS_OK : status;
        }
    }
    return status;
}

enum status sqlite_find_referrer(struct database *database, const struct target_table *table,
                                 struct column_list going, struct arena *arena,
                                 const char **referrer, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    *referrer = NULL;
    return sqlite_control_begin(self, false, error) == STATUS_OK
               ? sqlite_control_end(
                     self, find_within(self, table->name, going, arena, referrer, error), error)
               : STATUS_FAILED;
}
