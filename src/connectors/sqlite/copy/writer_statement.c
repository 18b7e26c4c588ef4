/* The writer's INSERT statements: one for each table and shape, written and prepared once. */
#include "base/text.h"
#include "connectors/sqlite/writer_internal.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Names with this beginning are the program's own: no table of a user has one. */
#define VIEW_NAME "_transhume_batch_"

static enum status look_at_indexes(struct writer *writer, struct writer_table *table,
                                   struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_target_prepare(writer->database, writer->connection,
                              "SELECT 1 FROM pragma_index_list(?1, 'main')", &statement, error);
    if (status == STATUS_OK) {
        sqlite3_bind_text(statement, 1, table->facts.name, -1, SQLITE_STATIC);
        status = sqlite_step(writer->database, statement, error);
        table->has_index = status == STATUS_OK;
    }
    sqlite3_finalize(statement);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status writer_describe(struct writer *writer, uint32_t number, struct error *error)
{
    struct writer_table *table = &writer->tables[number];

    if (table->described) {
        return STATUS_OK;
    }
    enum status status =
        sqlite_target_describe(writer->database, writer->connection, table->plan->name,
                               writer->arena, &table->facts, error);
    if (status == STATUS_END) {
        error_set(error, ERROR_TARGET_SCHEMA, table->plan->name, "the table is not in the target");
        error_hint(error, "it was dropped since the run began; start a new run");
        return STATUS_FAILED;
    }
    if (status == STATUS_OK && (table->facts.is_view || table->facts.is_virtual)) {
        return error_set(error, ERROR_TARGET_SCHEMA, table->plan->name,
                         "this is a %s and takes no records",
                         table->facts.is_view ? "view" : "virtual table");
    }
    if (status == STATUS_OK) {
        status = look_at_indexes(writer, table, error);
    }
    table->described = status == STATUS_OK;
    table->existing = target_table_policy(table->plan);
    return status;
}

/* Which fields go into which columns; generated columns make their own values. */
static enum status map_columns(struct writer *writer, struct writer_insert *insert,
                               struct error *error)
{
    const struct writer_table *table = &writer->tables[insert->table];
    const struct shape *shape = insert->shape;
    struct writer_column *columns =
        arena_allocate_zeroed(writer->arena, shape->field_count, sizeof *columns);
    uint32_t count = 0;

    for (uint32_t i = 0; i < shape->field_count; i++) {
        const struct sqlite_target_column *column =
            sqlite_target_find_column(&table->facts, shape->fields[i].name);
        if (column == NULL) {
            return error_set(error, ERROR_TARGET_SCHEMA, table->plan->name,
                             "the table has no column %s", shape->fields[i].name);
        }
        if (!column->generated) {
            columns[count++] = (struct writer_column){.field = i,
                                                      .affinity = column->affinity,
                                                      .row_key = column->row_key,
                                                      .column = column};
        }
    }
    if (count == 0) {
        return error_set(error, ERROR_TARGET_SCHEMA, table->plan->name,
                         "no column is to be filled");
    }
    insert->columns = insert->view.columns = columns;
    insert->view.column_count = count;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- conflicts with what is there */

static bool is_key(const struct writer_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->plan->key.count; i++) {
        if (sqlite_same_name(table->plan->key.names[i], name)) {
            return true;
        }
    }
    return false;
}

static bool is_filled(const struct writer_insert *insert, const struct sqlite_target_column *column)
{
    for (uint32_t i = 0; i < insert->view.column_count; i++) {
        if (insert->columns[i].column == column) {
            return true;
        }
    }
    return false;
}

static void append_assignments(const struct writer_table *table, const struct writer_insert *insert,
                               struct buffer *sql)
{
    const char *separator = " SET ";

    for (uint32_t i = 0; i < table->facts.column_count; i++) {
        const struct sqlite_target_column *column = &table->facts.columns[i];
        bool filled = is_filled(insert, column);
        bool cleared = !filled && target_table_clears(table->plan, column->name, strcasecmp);
        if (column->generated || is_key(table, column->name) ||
            (!filled && !cleared && table->existing != EXISTING_REPLACE)) {
            continue;
        }
        sqlite_append(sql, "%s%n = ", separator, column->name);
        if (filled) {
            sqlite_append(sql, "excluded.%n", column->name);
        } else {
            /* the default's text is the target's own, from its catalogue */
            buffer_format(sql, "(%s\n)",
                          column->default_text != NULL && !cleared ? column->default_text : "NULL");
        }
        separator = ", ";
    }
    if (strcmp(separator, " SET ") == 0) {
        /* nothing but the key: the record is there as it should be, and counts as written */
        sqlite_append(sql, "%s%n = excluded.%n", separator, table->plan->key.names[0],
                      table->plan->key.names[0]);
    }
}

static void append_conflict(const struct writer_table *table, const struct writer_insert *insert,
                            struct buffer *sql)
{
    if (table->existing == EXISTING_REFUSE || table->existing == EXISTING_APPEND) {
        return;
    }
    buffer_append_string(sql, " WHERE true ON CONFLICT (");
    for (uint32_t i = 0; i < table->plan->key.count; i++) {
        sqlite_append(sql, "%s%n", i == 0 ? "" : ", ", table->plan->key.names[i]);
    }
    buffer_append_string(sql, ") DO ");
    if (table->existing == EXISTING_SKIP) {
        buffer_append_string(sql, "NOTHING");
        return;
    }
    buffer_append_string(sql, "UPDATE");
    append_assignments(table, insert, sql);
}

static void append_column_names(const struct writer_insert *insert, bool with_row_key,
                                struct buffer *sql)
{
    const char *separator = " (";

    for (uint32_t i = 0; i < insert->view.column_count; i++) {
        if (with_row_key || !insert->columns[i].row_key) {
            sqlite_append(sql, "%s%n", separator, insert->columns[i].column->name);
            separator = ", ";
        }
    }
    separator = ") SELECT ";
    for (uint32_t i = 0; i < insert->view.column_count; i++) {
        if (with_row_key || !insert->columns[i].row_key) {
            buffer_format(sql, "%sc%u", separator, i);
            separator = ", ";
        }
    }
}

/* ABORT, whatever conflict clauses the table's own constraints have: IGNORE or REPLACE there would
 * lose records without a word. */
static enum status prepare_insert(struct writer *writer, struct writer_insert *insert,
                                  const char *view_name, bool with_row_key, sqlite3_stmt **out,
                                  struct error *error)
{
    const struct writer_table *table = &writer->tables[insert->table];
    struct buffer sql = {0};

    sqlite_append(&sql, "INSERT OR ABORT INTO main.%n", table->facts.name);
    append_column_names(insert, with_row_key, &sql);
    sqlite_append(&sql, " FROM %n", view_name);
    append_conflict(table, insert, &sql);

    enum status status =
        sqlite_target_prepare_buffer(writer->database, writer->connection, &sql, out, error);
    if (status != STATUS_OK) {
        error_recode(error, ERROR_TARGET_SCHEMA);
    }
    buffer_free(&sql);
    return status;
}

/*
 * Rows whose keys follow one on the other, behind the last one in the table, need no search for
 * their place: SQLite numbers them by itself, alike. A trigger would see no number, though, and
 * AUTOINCREMENT has a memory of its own.
 */
static enum status prepare_append(struct writer *writer, struct writer_insert *insert,
                                  const char *view_name, struct error *error)
{
    const struct writer_table *table = &writer->tables[insert->table];
    const struct writer_column *row_key = NULL;
    struct buffer sql = {0};
    int automatic = 1;

    for (uint32_t i = 0; i < insert->view.column_count; i++) {
        if (insert->columns[i].row_key) {
            row_key = &insert->columns[i];
        }
    }
    if (row_key == NULL || insert->view.column_count < 2 || table->facts.has_triggers ||
        table->existing != EXISTING_APPEND ||
        sqlite3_table_column_metadata(writer->connection, "main", table->facts.name,
                                      row_key->column->name, NULL, NULL, NULL, NULL,
                                      &automatic) != SQLITE_OK ||
        automatic != 0) {
        return STATUS_OK;
    }
    insert->row_key_field = row_key->field;
    sqlite_append(&sql, "SELECT max(%n) FROM main.%n", row_key->column->name, table->facts.name);
    enum status status = sqlite_target_prepare_buffer(writer->database, writer->connection, &sql,
                                                      &insert->last_key, error);
    buffer_free(&sql);
    return status == STATUS_OK
               ? prepare_insert(writer, insert, view_name, false, &insert->append, error)
               : status;
}

/* ---------------------------------------------------------------- keys that this run wrote */

const struct writer_column *writer_filled_column(const struct writer_insert *insert,
                                                 const char *name, uint32_t *position)
{
    for (*position = 0; *position < insert->view.column_count; (*position)++) {
        if (sqlite_same_name(insert->columns[*position].column->name, name)) {
            return &insert->columns[*position];
        }
    }
    return NULL;
}

static enum status make_key_table(struct writer *writer, const struct writer_insert *insert,
                                  const char *name, struct error *error)
{
    const struct writer_table *table = &writer->tables[insert->table];
    struct buffer sql = {0};
    enum status status;

    sqlite_append(&sql, "CREATE TABLE IF NOT EXISTS main.%n", name);
    for (uint32_t i = 0; i < table->plan->key.count; i++) {
        uint32_t position;
        const struct writer_column *key =
            writer_filled_column(insert, table->plan->key.names[i], &position);
        const char *collation = NULL;
        if (key == NULL) {
            buffer_free(&sql);
            return error_set(error, ERROR_TARGET_SCHEMA, table->plan->name,
                             "the key column %s is not filled", table->plan->key.names[i]);
        }
        sqlite3_table_column_metadata(writer->connection, "main", table->facts.name,
                                      key->column->name, NULL, &collation, NULL, NULL, NULL);
        buffer_format(&sql, i == 0 ? " (k%u %s COLLATE " : ", k%u %s COLLATE ", i,
                      sqlite_affinity_type(key->affinity));
        sqlite_append_name(&sql, collation != NULL ? collation : "BINARY");
    }
    for (uint32_t i = 0; i < table->plan->key.count; i++) {
        buffer_format(&sql, i == 0 ? ", PRIMARY KEY (k%u" : ", k%u", i);
    }
    buffer_append_string(&sql, ")) WITHOUT ROWID");
    status = sqlite_target_execute(writer->database, writer->connection, buffer_string(&sql),
                                   ERROR_TARGET_SCHEMA, error);
    buffer_free(&sql);
    return status;
}

/*
 * Where records may be there before the run, a second record of this run under one key would look
 * like one of them: so the run's own keys are kept beside the data, until the load is over.
 */
static enum status prepare_track(struct writer *writer, struct writer_insert *insert,
                                 const char *view_name, struct error *error)
{
    const struct writer_table *table = &writer->tables[insert->table];
    const char *name = arena_format(writer->arena, SQLITE_KEY_TABLE "%s_%s",
                                    writer->database->sql.run_id, table->facts.name);
    struct buffer sql = {0};
    enum status status = STATUS_FAILED;

    if (make_key_table(writer, insert, name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sqlite_append(&sql, "INSERT OR ABORT INTO main.%n", name);
    for (uint32_t i = 0; i < table->plan->key.count; i++) {
        uint32_t position;
        writer_filled_column(insert, table->plan->key.names[i], &position);
        buffer_format(&sql, i == 0 ? " SELECT c%u" : ", c%u", position);
    }
    sqlite_append(&sql, " FROM %n", view_name);
    status = sqlite_target_prepare_buffer(writer->database, writer->connection, &sql,
                                          &insert->track, error);
    buffer_free(&sql);
    return status;
}

/* A column without affinity keeps 1 beside 1.0, and the sign of zero, which SQLite takes for equal.
 */
static void append_same(const struct sqlite_target_column *column, uint32_t position,
                        struct buffer *sql)
{
    bool by_bytes = column->affinity == SQLITE_AFFINITY_NONE;
    sqlite_append(sql, "%s%n", by_bytes ? " AND transhume_hash(t." : " AND t.", column->name);
    if (by_bytes) {
        buffer_format(sql, ") = transhume_hash(v.c%u)", position);
    } else {
        buffer_format(sql, " IS v.c%u COLLATE BINARY", position);
    }
}

/* Asks whether the record under the view's key has the view's values. */
static enum status prepare_repeat(struct writer *writer, struct writer_insert *insert,
                                  const char *view_name, struct error *error)
{
    const struct writer_table *table = &writer->tables[insert->table];
    struct buffer sql = {0};

    sqlite_append(&sql, "SELECT 1 FROM %n AS v CROSS JOIN main.%n AS t WHERE true", view_name,
                  table->facts.name);
    for (uint32_t i = 0; i < table->plan->key.count; i++) {
        uint32_t position;
        const struct writer_column *key =
            writer_filled_column(insert, table->plan->key.names[i], &position);
        if (key != NULL) {
            sqlite_append(&sql, " AND t.%n = v.c%u", key->column->name, position);
        }
    }
    for (uint32_t i = 0; i < insert->view.column_count; i++) {
        append_same(insert->columns[i].column, i, &sql);
    }
    enum status status = sqlite_target_prepare_buffer(writer->database, writer->connection, &sql,
                                                      &insert->repeat, error);
    buffer_free(&sql);
    return status;
}

/* ---------------------------------------------------------------- one for all batches of a
 * shape */

static enum status insert_make(struct writer *writer, struct writer_insert *insert,
                               struct error *error)
{
    const struct writer_table *table = &writer->tables[insert->table];
    char view_name[64];

    if (map_columns(writer, insert, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (table->existing != EXISTING_REFUSE && table->existing != EXISTING_APPEND &&
        table->plan->key.count == 0) {
        error_set(error, ERROR_TARGET_SCHEMA, table->plan->name,
                  "without a key, records that are there can't be recognised");
        error_hint(error, "give the table a key in the plan, or say existing: append");
        return STATUS_FAILED;
    }
    insert->view.scratch = writer->scratch;
    insert->view.utf16 = writer->utf16;
    snprintf(view_name, sizeof view_name, VIEW_NAME "%u", writer->insert_count++);
    int result = writer_table_register(writer->connection, view_name, &insert->view);
    if (result != SQLITE_OK) {
        return sqlite_target_error(writer->database, writer->connection, result, ERROR_INTERNAL,
                                   "the batch can't be shown to SQLite", error);
    }
    if (prepare_insert(writer, insert, view_name, true, &insert->statement, error) != STATUS_OK ||
        prepare_append(writer, insert, view_name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (table->plan->distinct && table->plan->key.count > 0 &&
        prepare_repeat(writer, insert, view_name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (target_table_tracks(table->plan) &&
        prepare_track(writer, insert, view_name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return table->plan->keeps_undo && table->plan->key.count > 0
               ? writer_undo_prepare(writer, insert, view_name, error)
               : STATUS_OK;
}

void writer_insert_finalize(struct writer_insert *insert)
{
    sqlite3_finalize(insert->statement);
    sqlite3_finalize(insert->append);
    sqlite3_finalize(insert->last_key);
    sqlite3_finalize(insert->track);
    sqlite3_finalize(insert->repeat);
    sqlite3_finalize(insert->undo_before);
    sqlite3_finalize(insert->undo_after);
}

enum status writer_insert_get(struct writer *writer, uint32_t table, const struct shape *shape,
                              struct writer_insert **out, struct error *error)
{
    for (struct writer_insert *insert = writer->inserts; insert != NULL; insert = insert->next) {
        if (insert->table == table && insert->shape == shape) {
            *out = insert;
            return STATUS_OK;
        }
    }
    if (writer_describe(writer, table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct writer_insert *insert = arena_allocate_zeroed(writer->arena, 1, sizeof *insert);
    insert->table = table;
    insert->shape = shape;
    enum status status = insert_make(writer, insert, error);
    if (status != STATUS_OK) {
        writer_insert_finalize(insert);
        return status;
    }
    insert->next = writer->inserts;
    writer->inserts = insert;
    *out = insert;
    return STATUS_OK;
}
