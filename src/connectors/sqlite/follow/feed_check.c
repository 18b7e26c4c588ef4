/* Are the followed tables and their triggers as they were made? If columns or unique keys came in
 * since, the triggers are made again. */
#include "base/failpoint.h"
#include "connectors/sqlite/feed_internal.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char version_sql[] = "PRAGMA main.schema_version";

/* ---------------------------------------------------------------- what the reader needs */

static void prepare_table(struct feed_table *table, struct arena *arena)
{
    struct shape_field *fields = arena_allocate_zeroed(arena, table->column_count, sizeof *fields);
    struct shape *shape = arena_allocate_zeroed(arena, 1, sizeof *shape);
    table->reading =
        arena_allocate_zeroed(arena, 2 * (size_t)table->column_count, sizeof *table->reading);
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct column_type type = sqlite_column_type_of(table->types[i], table->strict);
        fields[i] = (struct shape_field){.name = table->columns[i],
                                         .name_length = (uint32_t)strlen(table->columns[i]),
                                         .type = type.type};
        for (uint32_t image = 0; image < 2; image++) {
            uint32_t at = image * table->column_count + i;
            table->reading[at] = (struct request_column){
                .rule = type.rule,
                .scale = type.type.precision > 0 ? type.type.scale : -1,
                .name = table->columns[i],
                .result = FEED_FIRST_VALUE + at,
            };
        }
    }
    *shape = (struct shape){.name = table->name,
                            .fields = fields,
                            .field_count = table->column_count,
                            .key_fields = table->key,
                            .key_field_count = table->key_count};
    table->shape = shape;
}

void feed_forget_statements(struct feed *feed)
{
    sqlite3_finalize(feed->entries);
    sqlite3_finalize(feed->looks);
    feed->entries = feed->looks = NULL;
    for (uint32_t i = 0; i < feed->list.table_count; i++) {
        sqlite3_finalize(feed->list.tables[i].look);
        feed->list.tables[i].look = NULL;
    }
}

/* ---------------------------------------------------------------- looking */

static enum status lost(const char *table, const char *why, struct error *error)
{
    error_set(error, ERROR_FEED_LOST, table, "changes may be missing: %s", why);
    return error_hint(error, FEED_RESYNC);
}

/* The state of a followed table. */
enum table_state {
    TABLE_AS_MADE,
    TABLE_ALTERED,    /* its columns or unique keys are others: its triggers are made again */
    TABLE_MADE_AGAIN, /* its triggers went with it, and there is another one of its name */
    TABLE_DROPPED     /* or one of its name that can't be followed */
};

static bool has_all_columns(const struct feed_table *known, const struct catalog_table *table)
{
    bool all = known->column_count == table->schema->column_count;
    for (uint32_t i = 0; i < known->column_count && all; i++) {
        all = catalog_find_column(table, known->columns[i]) >= 0;
    }
    return all;
}

/* Has the table a unique key that its triggers know nothing of? */
static bool has_new_unique(const struct feed_table *known, const char *uniques)
{
    for (const char *at = uniques; *at != '\0'; at += strcspn(at, " ") + 1) {
        char one[32];
        size_t length = strcspn(at, " ");
        if (length + 1 < sizeof one) {
            memcpy(one, at, length);
            one[length] = '\0';
            if (known->uniques == NULL || strstr(known->uniques, one) == NULL) {
                return true;
            }
        }
    }
    return false;
}

/* Are there entries of the table that were not handed over, and may have been written since its
 * unique keys are others? */
static enum status has_entries(struct feed *feed, const struct feed_table *table, bool *has,
                               struct error *error)
{
    struct buffer sql = {0};
    int64_t count = 0;
    sqlite_append(&sql,
                  "SELECT count(*) FROM (SELECT 1 FROM main.%s%s WHERE sequence > %D AND "
                  "table_number = %u AND operation IN (%d, %d) LIMIT 1)",
                  FEED_LOG, feed->name, feed->position, table->number, FEED_INSERT, FEED_UPDATE);
    enum status status = feed_ask(feed->self, feed->connection, buffer_string(&sql), &count, error);
    *has = count > 0;
    buffer_free(&sql);
    return status;
}

static enum status examine_unique(struct feed *feed, const struct feed_table *known,
                                  const struct catalog_table *table, enum table_state *state,
                                  struct error *error)
{
    struct buffer uniques = {0};
    bool has = false;
    enum status status = STATUS_OK;
    feed_append_uniques(table, &uniques);
    if (strcmp(buffer_string(&uniques), known->uniques != NULL ? known->uniques : "") != 0) {
        *state = TABLE_ALTERED;
        status = has_new_unique(known, buffer_string(&uniques))
                     ? has_entries(feed, known, &has, error)
                     : STATUS_OK;
    }
    buffer_free(&uniques);
    return status == STATUS_OK && has
               ? lost(known->name,
                      "a unique index was added to the table, and rows may have been replaced by "
                      "it",
                      error)
               : status;
}

static bool can_be_followed(const struct catalog_table *table, struct arena *arena)
{
    uint32_t *key;
    return table != NULL && table->schema->kind == SCHEMA_TABLE &&
           table->schema->belongs_to == NULL && table->schema->column_count <= FEED_COLUMNS_MAX &&
           feed_find_key(table, arena, &key) > 0;
}

/* A column that was renamed is so in the triggers, too, since SQLite writes it there. */
static enum status examine_table(struct feed *feed, const struct catalog *catalog,
                                 const struct feed_table *known, enum table_state *state,
                                 struct error *error)
{
    const struct catalog_table *table = catalog_find(catalog, known->name);
    struct arena *arena = arena_create(1024);
    const char *hash = NULL;
    uint32_t count = 0;
    *state = TABLE_AS_MADE;
    enum status status = feed_hash_triggers(feed->self, feed->connection, feed->name, known->number,
                                            arena, &hash, &count, error);
    if (status != STATUS_OK || !can_be_followed(table, arena)) {
        *state = TABLE_DROPPED;
    } else if (count == 0) {
        *state = TABLE_MADE_AGAIN;
    } else if (!has_all_columns(known, table)) {
        *state = TABLE_ALTERED;
    } else if (strcmp(hash, known->triggers) != 0) {
        status =
            lost(known->name, "the triggers of the feed were dropped in part, or altered", error);
    } else {
        status = examine_unique(feed, known, table, state, error);
    }
    arena_destroy(arena);
    return status;
}

static enum status examine(struct feed *feed, const struct catalog *catalog, struct error *error)
{
    bool again = false;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < feed->list.table_count && status == STATUS_OK; i++) {
        if (feed->list.tables[i].current) {
            enum table_state state;
            status = examine_table(feed, catalog, &feed->list.tables[i], &state, error);
            again = again || state != TABLE_AS_MADE;
        }
    }
    return status == STATUS_OK && again ? STATUS_AGAIN : status;
}

/* The list is read anew as well: it lives with the shapes, which outlast the feed. */
static enum status read_list(struct feed *feed, struct error *error)
{
    feed_forget_statements(feed);
    enum status status =
        feed_list_read(feed->self, feed->connection, feed->name, feed->arena, &feed->list, error);
    if (status == STATUS_END) {
        return lost(feed->self->sql.shown, "there is no feed of this name any more", error);
    }
    feed->width = 0;
    for (uint32_t i = 0; i < feed->list.table_count && status == STATUS_OK; i++) {
        struct feed_table *table = &feed->list.tables[i];
        prepare_table(table, feed->arena);
        feed->width = 2 * table->column_count > feed->width ? 2 * table->column_count : feed->width;
    }
    return status;
}

/*
 * Looks whether tables and triggers are as they were made. STATUS_AGAIN: they are not, and the
 * triggers of what is there have to be made again. ERROR_FEED_LOST: changes may be missing.
 */
static enum status examine_all(struct feed *feed, struct error *error)
{
    struct catalog catalog;
    enum status status = read_list(feed, error);
    if (status == STATUS_OK) {
        status = feed_ask(feed->self, feed->connection, version_sql, &feed->schema_version, error);
    }
    if (status == STATUS_OK) {
        status = catalog_read(feed->self, feed->connection, &catalog, error);
    }
    if (status == STATUS_OK) {
        status = examine(feed, &catalog, error);
        arena_destroy(catalog.schema->arena);
    }
    return status;
}

enum status feed_check(struct feed *feed, struct error *error)
{
    enum status status = examine_all(feed, error);
    feed_forget_statements(feed);
    return status == STATUS_AGAIN ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- making triggers again */

static enum status widen(struct feed *feed, uint32_t columns, struct error *error)
{
    struct buffer sql = {0};
    for (uint32_t i = feed->width; i < 2 * columns; i++) {
        sqlite_append(&sql, "ALTER TABLE main.%s%s ADD COLUMN v%u;", FEED_LOG, feed->name, i);
    }
    feed->width = 2 * columns > feed->width ? 2 * columns : feed->width;
    return feed_run(feed->self, feed->connection, &sql, error);
}

/* Rows that were logged since columns were added lack them: the rows are logged as they are. */
static enum status log_anew(struct feed *feed, const struct feed_table *old,
                            const struct feed_table *made, struct error *error)
{
    struct buffer sql = {0};
    sqlite_append(&sql, "INSERT INTO main.%s%s (moment, table_number, operation", FEED_LOG,
                  feed->name);
    for (uint32_t i = 0; i < made->column_count; i++) {
        buffer_format(&sql, ", v%u", i);
    }
    buffer_format(&sql, ") SELECT julianday('now'), %u, %d", made->number, FEED_ANEW);
    for (uint32_t i = 0; i < made->column_count; i++) {
        sqlite_append(&sql, ", t.%n", made->columns[i]);
    }
    buffer_append_string(&sql, " FROM (SELECT DISTINCT ");
    for (uint32_t part = 0; part < old->key_count; part++) {
        buffer_format(&sql, "%sCASE operation WHEN %d THEN v%u ELSE v%u END AS k%u",
                      part == 0 ? "" : ", ", FEED_UPDATE, old->column_count + old->key[part],
                      old->key[part], part);
    }
    sqlite_append(&sql,
                  " FROM main.%s%s WHERE sequence > %D AND table_number = %u) AS k JOIN main.%n "
                  "AS t ON ",
                  FEED_LOG, feed->name, feed->position, old->number, made->name);
    for (uint32_t part = 0; part < old->key_count; part++) {
        sqlite_append(&sql, "%st.%n = k.k%u", part == 0 ? "" : " AND ",
                      old->columns[old->key[part]], part);
    }
    return feed_run(feed->self, feed->connection, &sql, error);
}

/* Tells readers of the log that the table is another one by now, whose changes are not in it. */
static enum status log_replaced(struct feed *feed, uint32_t number, struct error *error)
{
    return feed_run(feed->self, feed->connection,
                    sqlite_sql("INSERT INTO main.%s%s (moment, table_number, operation) VALUES "
                               "(julianday('now'), %u, %d)",
                               FEED_LOG, feed->name, number, FEED_REPLACED),
                    error);
}

/* The triggers of a table that was renamed are still there. */
static enum status retire_table(struct feed *feed, struct feed_table *old, struct error *error)
{
    char pattern[32];
    old->current = false;
    snprintf(pattern, sizeof pattern, "%u.*", old->number);
    enum status status =
        feed_drop_triggers(feed->self, feed->connection, feed->name, pattern, error);
    return status == STATUS_OK ? feed_list_put(feed->self, feed->connection, feed->name, old, error)
                               : status;
}

static bool has_key(const struct feed_table *old, const struct catalog_table *table)
{
    bool has = true;
    for (uint32_t part = 0; part < old->key_count && has; part++) {
        has = catalog_find_column(table, old->columns[old->key[part]]) >= 0;
    }
    return has;
}

static enum status remake_table(struct feed *feed, const struct catalog *catalog,
                                struct feed_table *old, uint32_t number, enum table_state state,
                                struct error *error)
{
    const struct catalog_table *table = catalog_find(catalog, old->name);
    struct feed_table made = {.number = number};
    enum status status = retire_table(feed, old, error);
    if (status == STATUS_OK && state != TABLE_ALTERED) {
        status = log_replaced(feed, old->number, error);
    }
    if (status != STATUS_OK || state == TABLE_DROPPED) {
        return status;
    }
    bool widens = state == TABLE_ALTERED && table->schema->column_count > old->column_count &&
                  has_key(old, table);
    status = widen(feed, table->schema->column_count, error);
    if (status == STATUS_OK) {
        status = feed_make_table(feed->self, feed->connection, feed->name, table, feed->arena,
                                 &made, error);
    }
    return status == STATUS_OK && widens ? log_anew(feed, old, &made, error) : status;
}

static enum status remake(struct feed *feed, struct error *error)
{
    struct catalog catalog;
    enum status status = catalog_read(feed->self, feed->connection, &catalog, error);
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t count = feed->list.table_count;
    uint32_t next = count > 0 ? feed->list.tables[count - 1].number + 1 : 1;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        struct feed_table *table = &feed->list.tables[i];
        enum table_state state = TABLE_AS_MADE;
        status = table->current ? examine_table(feed, &catalog, table, &state, error) : STATUS_OK;
        if (status == STATUS_OK && state != TABLE_AS_MADE) {
            status = remake_table(feed, &catalog, table, next++, state, error);
        }
    }
    arena_destroy(catalog.schema->arena);
    return status;
}

/* In a transaction of its own, which stays open. */
static enum status begin_and_examine(struct feed *feed, const char *begin, struct error *error)
{
    int result = sqlite3_exec(feed->connection, begin, NULL, NULL, NULL);
    return result == SQLITE_OK ? examine_all(feed, error)
                               : feed_failed(feed->self, feed->connection, result,
                                             "the triggers of the feed can't be looked at", error);
}

/* While nobody writes: what was logged by the old triggers is known, and all else goes by new ones.
 */
static enum status make_again(struct feed *feed, struct error *error)
{
    enum status status = begin_and_examine(feed, "BEGIN IMMEDIATE", error);
    status = status == STATUS_AGAIN ? remake(feed, error) : status;
    status = status == STATUS_OK ? failpoint_hit("sqlite.before_feed", error) : status;
    if (status == STATUS_OK) {
        int result = sqlite3_exec(feed->connection, "COMMIT", NULL, NULL, NULL);
        status = result == SQLITE_OK
                     ? STATUS_OK
                     : feed_failed(feed->self, feed->connection, result,
                                   "the triggers of the feed can't be made again", error);
    }
    sqlite_end_looks(feed->connection, true);
    return status;
}

enum status feed_settle(struct feed *feed, struct error *error)
{
    enum status status = begin_and_examine(feed, "BEGIN", error);
    sqlite_end_looks(feed->connection, true);
    if (status != STATUS_AGAIN) {
        return status;
    }
    status = make_again(feed, error);
    if (status == STATUS_OK) {
        status = begin_and_examine(feed, "BEGIN", error);
        sqlite_end_looks(feed->connection, true);
    }
    return status == STATUS_AGAIN ? STATUS_OK : status;
}
