/* Which records a target has: whose keys differ in one field, or that have given values. */
#include "connectors/sql/apply_internal.h"
#include "connectors/sql/by_key.h"
#include <string.h>

struct listing_rows {
    apply_found *found;
    void *context;
};

static enum status take_row(void *context, const char *const *fields, const size_t *lengths,
                            struct error *error)
{
    const struct listing_rows *rows = context;
    return fields[0] != NULL ? rows->found(rows->context, fields[0], lengths[0], error) : STATUS_OK;
}

struct listing_column {
    const struct sql_dialect *dialect;
    struct buffer *sql;
};

static enum status append_column(void *context, const char *name)
{
    const struct listing_column *column = context;
    column->dialect->quoting->append_name(column->sql, name);
    return STATUS_OK;
}

struct comparing {
    struct apply *apply;
    const struct target_table *table;
    enum status status;
    struct error *error;
};

static void apply_list_compare(void *context, const char *name, struct sql_compared *compared)
{
    struct comparing *comparing = context;
    if (comparing->status == STATUS_OK) {
        comparing->status = comparing->apply->dialect->compared(comparing->apply, comparing->table,
                                                                name, compared, comparing->error);
    }
}

/* "(…)": one of the lists of values in these fields. */
static enum status append_condition(struct apply *apply, const struct target_table *table,
                                    struct column_list fields, const struct cell *values,
                                    uint32_t count, struct buffer *sql, struct error *error)
{
    static const struct sql_rules rules = {.truth_is_number = true};
    const struct sql_dialect *dialect = apply->database->dialect;
    const struct read_request request = {.name = table->name,
                                         .table = table->name,
                                         .root_key = fields,
                                         .keys = values,
                                         .key_count = count};
    struct comparing comparing = {apply, table, STATUS_OK, error};
    const struct sql_by_key_words words = {
        .compared = apply->dialect->compared != NULL ? apply_list_compare : NULL,
        .comparing = &comparing,
        .rules = &rules,
        .append_text = dialect->quoting->append_text,
        .is_null = " IS NULL",
        .quotes_numbers = apply->dialect->quotes_numbers,
        .bytes_before = apply->dialect->bytes_before,
        .bytes_behind = "'"};
    struct listing_column column = {dialect, sql};
    enum status status = sql_append_by_key(&request, &words, append_column, &column, sql, error);
    return comparing.status == STATUS_OK ? status : STATUS_FAILED;
}

/* The condition on the fields that are known. */
static enum status append_known(struct apply *apply, const struct apply_listing *listing,
                                struct arena *arena, struct buffer *sql, struct error *error)
{
    const struct target_table *table = listing->table;
    const char **names = arena_allocate_zeroed(arena, table->key.count + (size_t)1, sizeof *names);
    struct cell *values =
        arena_allocate_zeroed(arena, table->key.count + (size_t)1, sizeof *values);
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->key.count; i++) {
        if (i != listing->wanted) {
            names[count] = table->key.names[i];
            values[count++] = listing->values[i];
        }
    }
    return append_condition(apply, table, (struct column_list){names, count}, values, 1, sql,
                            error);
}

enum status sql_apply_list(struct database *database, struct apply *apply,
                           const struct apply_listing *listing, apply_found *found, void *context,
                           struct error *error)
{
    const struct sql_dialect *dialect = apply->database->dialect;
    const struct target_table *table = listing->table;
    struct listing_rows rows = {found, context};
    struct arena *arena = arena_create(0);
    struct buffer sql = {0};
    (void)database;
    buffer_append_string(&sql, "SELECT ");
    dialect->quoting->append_name(&sql, table->key.names[listing->wanted]);
    buffer_append_string(&sql, " FROM ");
    dialect->quoting->append_table(&sql, apply->database, table->name);
    buffer_append_string(&sql, " WHERE ");
    enum status status = append_known(apply, listing, arena, &sql, error);
    if (status == STATUS_OK) {
        status =
            apply->dialect->ask(apply, buffer_string(&sql), NULL, take_row, &rows, NULL, error);
    }
    buffer_free(&sql);
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- finding */

struct found_records {
    uint32_t wanted;
    struct arena *arena;
    struct buffer texts; /* struct apply_text, `wanted` a record */
    uint32_t count;
};

static enum status keep_record(void *context, const char *const *fields, const size_t *lengths,
                               struct error *error)
{
    struct found_records *found = context;
    (void)error;
    for (uint32_t i = 0; i < found->wanted; i++) {
        const struct apply_text text = {
            fields[i] != NULL ? arena_copy(found->arena, fields[i], lengths[i]) : NULL, lengths[i]};
        buffer_append(&found->texts, &text, sizeof text);
    }
    found->count++;
    return STATUS_OK;
}

static void append_wanted(const struct apply *apply, const struct apply_search *search,
                          struct buffer *sql)
{
    const struct sql_dialect *dialect = apply->database->dialect;
    for (uint32_t i = 0; i < search->wanted.count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "SELECT ");
        buffer_append_string(sql, search->hex[i] ? apply->dialect->hex_before : "");
        dialect->quoting->append_name(sql, search->wanted.names[i]);
        buffer_append_string(sql, search->hex[i] ? apply->dialect->hex_behind : "");
    }
    buffer_append_string(sql, " FROM ");
    dialect->quoting->append_table(sql, apply->database, search->table->name);
    buffer_append_string(sql, " WHERE ");
}

enum status sql_apply_find(struct database *database, struct apply *apply,
                           const struct apply_search *search, apply_record *take, void *context,
                           struct error *error)
{
    struct found_records found = {.wanted = search->wanted.count, .arena = arena_create(0)};
    struct buffer sql = {0};
    (void)database;
    append_wanted(apply, search, &sql);
    enum status status = append_condition(apply, search->table, search->fields, search->values,
                                          search->count, &sql, error);
    if (search->most > 0) {
        buffer_format(&sql, " LIMIT %u", search->most);
    }
    if (status == STATUS_OK) {
        status =
            apply->dialect->ask(apply, buffer_string(&sql), NULL, keep_record, &found, NULL, error);
    }
    for (uint32_t i = 0; i < found.count && status == STATUS_OK; i++) {
        status = take(
            context, (const struct apply_text *)found.texts.data + (size_t)i * found.wanted, error);
    }
    buffer_free(&sql);
    buffer_free(&found.texts);
    arena_destroy(found.arena);
    return status;
}
