/* The foreign keys that refer to a table, and the records that follow them to one of its own. */
#include "connectors/sqlite/ledger_internal.h"
#include <string.h>

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

static void add_reference(const struct sqlite_target_table *facts, sqlite3_stmt *row,
                          struct arena *arena, struct sqlite_referrer **referrers)
{
    int seq = sqlite3_column_int(row, 1);
    const char *table = sqlite_text_of(row, 0);
    const char *column = sqlite_text_of(row, 2);
    const char *to = referenced(facts, sqlite_text_of(row, 3), seq);
    if (seq == 0) {
        struct sqlite_referrer *made = arena_allocate_zeroed(arena, 1, sizeof *made);
        made->table = arena_copy_string(arena, table);
        made->own = sqlite_same_name(table, facts->name);
        made->next = *referrers;
        *referrers = made;
    }
    struct buffer *on = &(*referrers)->on;
    buffer_append_string(on, seq > 0 ? " AND t." : "t."); /* first: its collation holds */
    sqlite_append(on, "%n = r.%n", to != NULL ? to : "", column);
}

/* One that leads to no column of the table, or to a primary key that has not as many, is no key at
 * all, and nobody can follow it. */
enum status sqlite_referrers_read(struct sqlite_database *self,
                                  const struct sqlite_target_table *facts, struct arena *arena,
                                  struct sqlite_referrer **referrers, struct error *error)
{
    sqlite3_stmt *row = NULL;
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
        add_reference(facts, row, arena, referrers);
    }
    sqlite3_finalize(row);
    return status == STATUS_END ? STATUS_OK : status;
}

void sqlite_referrers_free(struct sqlite_referrer *referrers)
{
    for (struct sqlite_referrer *at = referrers; at != NULL; at = at->next) {
        buffer_free(&at->on);
    }
}

/* STATUS_END: no record does. */
static enum status follow(struct sqlite_database *self, const struct sqlite_target_table *facts,
                          const struct sqlite_referrer *referrer, struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *row = NULL;
    sqlite_append(&sql, "SELECT 1 FROM main.%n AS r CROSS JOIN main.%n AS t ON %b LIMIT 1",
                  referrer->table, facts->name, &referrer->on);
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
    struct sqlite_referrer *all = NULL;
    enum status status = sqlite_target_describe(self, self->control, table, arena, &facts, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    status = sqlite_referrers_read(self, &facts, arena, &all, error);
    for (struct sqlite_referrer *at = all; at != NULL && status == STATUS_OK && *referrer == NULL;
         at = at->next) {
        if (!at->own && !is_among(at->table, going)) {
            status = follow(self, &facts, at, error);
            *referrer = status == STATUS_OK ? at->table : NULL;
            status = status == STATUS_END ? STATUS_OK : status;
        }
    }
    sqlite_referrers_free(all);
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
