/* Records of the target by key: reading them back, and taking them out. */
#include "connectors/sqlite/source.h"
#include "connectors/sqlite/target_internal.h"
#include <limits.h>
#include <math.h>
#include <string.h>

/* One table's records found by some of its columns. */
struct finding {
    struct sqlite_database *database;
    const struct sqlite_target_table *facts;
    const struct target_table *table;
    uint32_t width; /* cells that name a record */
    bool fetching;  /* as the columns' own collations have it; REJECT: SQLite holds no such key */
    sqlite3_stmt *statement;
};

static struct finding finding_of(const struct sql_finding *base)
{
    return (struct finding){.database = sqlite_database_of(&base->database->base),
                            .facts = sqlite_facts_of(&base->facts),
                            .table = base->table,
                            .width = base->columns.count};
}

static const char *column_name(const struct finding *finding, uint32_t position)
{
    const struct target_table *table = finding->table;
    return table->key.count > 0 ? table->key.names[position] : table->columns[position].name;
}

/*
 * Equal byte for byte, whatever collation the column has, unless it is a fetch; the first
 * comparison is there for its index. In a column without affinity a number says by its class what
 * it is, too; for a unique key 1 and 1.0 are the same.
 */
static enum status append_condition(const struct finding *finding, struct buffer *sql,
                                    struct error *error)
{
    for (uint32_t i = 0; i < finding->width; i++) {
        const char *name = column_name(finding, i);
        const struct sqlite_target_column *column = sqlite_target_find_column(finding->facts, name);
        if (column == NULL) {
            return error_set(error, ERROR_TARGET_SCHEMA, finding->table->name,
                             "the table has no column %s", name);
        }
        sqlite_append(sql, "%s%n IS ?%u", i == 0 ? " WHERE " : " AND ", column->name, i + 1);
        if (!finding->fetching) {
            sqlite_append(sql, " AND %n IS ?%u COLLATE BINARY", column->name, i + 1);
        }
        if (column->affinity == SQLITE_AFFINITY_NONE && !finding->fetching) {
            sqlite_append(sql, " AND typeof(%n) = typeof(?%u)", column->name, i + 1);
        }
    }
    return STATUS_OK;
}

static enum status target_records_prepare(struct finding *finding, const char *before,
                                          const char *after, struct error *error)
{
    struct buffer sql = {0};
    sqlite_append(&sql, "%s%n", before, finding->facts->name);
    enum status status = append_condition(finding, &sql, error);
    buffer_append_string(&sql, after);
    if (status == STATUS_OK) {
        status = sqlite_target_prepare_buffer(finding->database, finding->database->control, &sql,
                                              &finding->statement, error);
    }
    buffer_free(&sql);
    return status;
}

static int bind_large(sqlite3_stmt *statement, int position, struct large_value *large,
                      struct error *error)
{
    char *bytes = large->length > INT_MAX ? NULL : sqlite3_malloc64(large->length + 1);
    if (bytes == NULL) {
        error_set(error, ERROR_MEMORY, NULL, "no memory for a value of %llu bytes",
                  (unsigned long long)large->length);
        return SQLITE_ABORT;
    }
    if (large->read(large, 0, bytes, large->length, error) != STATUS_OK) {
        sqlite3_free(bytes);
        return SQLITE_ABORT;
    }
    return large->kind == VALUE_TEXT
               ? sqlite3_bind_text64(statement, position, bytes, large->length, sqlite3_free,
                                     SQLITE_UTF8)
               : sqlite3_bind_blob64(statement, position, bytes, large->length, sqlite3_free);
}

/* A cell in normal form. */
static int bind_cell(sqlite3_stmt *statement, int position, const struct cell *cell,
                     struct error *error)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        return sqlite3_bind_null(statement, position);
    case VALUE_INT64:
        return sqlite3_bind_int64(statement, position, cell->i64);
    case VALUE_FLOAT64: /* SQLite takes NaN for NULL */
        return isnan(cell->f64) ? SQLITE_MISMATCH
                                : sqlite3_bind_double(statement, position, cell->f64);
    case VALUE_TEXT:
        return sqlite3_bind_text64(statement, position, cell->text, cell->length, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case VALUE_ESCAPE:
        if ((cell->flags & CELL_ESCAPED_TEXT) != 0) {
            return sqlite3_bind_text64(statement, position, cell->text, cell->length, SQLITE_STATIC,
                                       SQLITE_UTF8);
        }
        return SQLITE_MISMATCH;
    case VALUE_BYTES:
        return cell->length == 0 ? sqlite3_bind_zeroblob(statement, position, 0)
                                 : sqlite3_bind_blob64(statement, position, cell->bytes,
                                                       cell->length, SQLITE_STATIC);
    case VALUE_LARGE:
        return bind_large(statement, position, cell->large, error);
    default:
        return SQLITE_MISMATCH;
    }
}

static enum status target_records_bind(struct finding *finding, const struct cell *cells,
                                       struct error *error)
{
    sqlite3_reset(finding->statement);
    for (uint32_t i = 0; i < finding->width; i++) {
        int result = bind_cell(finding->statement, (int)i + 1, &cells[i], error);
        if (result == SQLITE_ABORT) {
            return STATUS_FAILED; /* it says why */
        }
        if (result == SQLITE_MISMATCH) {
            return finding->fetching ? error_set(error, ERROR_REJECT_TYPE, finding->table->name,
                                                 "SQLite holds no such key")
                                     : error_set(error, ERROR_INTERNAL, finding->table->name,
                                                 "a key is not in SQLite's normal form");
        }
        if (result != SQLITE_OK) {
            return sqlite_target_error(finding->database, finding->database->control, result,
                                       ERROR_INTERNAL, "a key can't be handed to SQLite", error);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- delete */

/* Within the transaction: what keeps an image of a record, if the run has none of its key. */
static enum status prepare_keeping(struct finding *finding, struct arena *arena,
                                   struct error *error)
{
    struct sqlite_database *database = finding->database;
    const struct sqlite_target_table *facts = finding->facts;
    const char *name = sqlite_undo_name(arena, database->sql.run_id, facts->name);
    struct buffer sql = {0};
    enum status status =
        sqlite_undo_make(database, database->control, name, facts, finding->table, error);
    if (status == STATUS_OK) {
        sqlite_undo_append_keeping(facts, finding->table, name, 2, "", &sql);
        buffer_append_string(&sql, " FROM main.");
        status = target_records_prepare(finding, buffer_string(&sql), "", error);
    }
    buffer_free(&sql);
    return status;
}

const char *sqlite_target_rowid_name(const struct sqlite_target_table *facts)
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    for (size_t i = 0; !facts->without_rowid && i < sizeof names / sizeof names[0]; i++) {
        const struct sqlite_target_column *column = sqlite_target_find_column(facts, names[i]);
        if (column == NULL || column->row_key) {
            return names[i];
        }
    }
    return NULL;
}

/* The name that tells a row from all others, whatever the plan makes of the table. */
static enum status append_row_name(const struct sqlite_target_table *facts, struct buffer *sql,
                                   struct error *error)
{
    const char *name = sqlite_target_rowid_name(facts);
    if (name != NULL) {
        buffer_append_string(sql, name);
        return STATUS_OK;
    }
    if (!facts->without_rowid) {
        error_set(error, ERROR_NOT_REPAIRABLE, facts->name,
                  "the differences can't be repaired: it has no key, and its columns take all "
                  "names of SQLite's row number (rowid, _rowid_, oid)");
        error_hint(error, "nothing was changed in it; rename one of these columns");
        return STATUS_FAILED;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < facts->column_count; i++) {
        if (facts->columns[i].key_position > 0) {
            buffer_append_string(sql, count++ > 0 ? ", " : "");
            sqlite_append_name(sql, facts->columns[i].name);
        }
    }
    return STATUS_OK;
}

static enum status prepare_delete(struct finding *finding, struct error *error)
{
    struct buffer before = {0};
    struct buffer row = {0};
    bool keyless = finding->table->key.count == 0;
    enum status status = keyless ? append_row_name(finding->facts, &row, error) : STATUS_OK;
    buffer_append_string(&before, "DELETE FROM main.");
    if (keyless) {
        sqlite_append(&before, "%n WHERE (%b) = (SELECT %b FROM main.", finding->facts->name, &row,
                      &row);
    }
    if (status == STATUS_OK) {
        status = target_records_prepare(finding, buffer_string(&before), keyless ? " LIMIT 1)" : "",
                                        error);
    }
    buffer_free(&row);
    buffer_free(&before);
    return status;
}

static enum status target_records_step(struct finding *finding, const struct cell *key,
                                       uint64_t *changes, struct error *error)
{
    *changes = 0;
    if (target_records_bind(finding, key, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    int result = sqlite3_step(finding->statement);
    if (result != SQLITE_DONE) {
        return sqlite_target_error(finding->database, finding->database->control, result,
                                   ERROR_TARGET_WRITE, "a record can't be deleted", error);
    }
    *changes = (uint64_t)sqlite3_changes64(finding->database->control);
    return STATUS_OK;
}

/* A record that can't be kept, since NULL is in its key, stays. */
static enum status delete_one(struct finding *finding, struct finding *keeping,
                              const struct cell *key, uint64_t *deleted, struct error *error)
{
    uint64_t changes = 1;
    enum status status =
        keeping->statement != NULL ? target_records_step(keeping, key, &changes, error) : STATUS_OK;
    if (status == STATUS_OK && changes > 0) {
        status = target_records_step(finding, key, &changes, error);
        *deleted += changes;
    }
    return status;
}

enum status sqlite_delete_all(struct sql_finding *base, const struct cell *keys, uint32_t key_count)
{
    struct finding finding = finding_of(base);
    struct finding keeping = finding;
    enum status status =
        base->undo_name != NULL ? prepare_keeping(&keeping, base->arena, base->error) : STATUS_OK;
    status = status == STATUS_OK ? prepare_delete(&finding, base->error) : status;
    for (uint32_t i = 0; i < key_count && status == STATUS_OK; i++) {
        status = delete_one(&finding, &keeping, &keys[(size_t)i * finding.width], &base->deleted,
                            base->error);
    }
    sqlite3_finalize(finding.statement);
    sqlite3_finalize(keeping.statement);
    return status;
}

/* ---------------------------------------------------------------- fetch */

static enum status read_cell(sqlite3_stmt *row, int column, struct arena *arena, struct cell *cell)
{
    const void *bytes;
    size_t length;
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_INTEGER:
        *cell = cell_int64(sqlite3_column_int64(row, column));
        return STATUS_OK;
    case SQLITE_FLOAT:
        *cell = cell_float64(sqlite3_column_double(row, column));
        return STATUS_OK;
    case SQLITE_TEXT:
        bytes = sqlite3_column_text(row, column);
        return bytes == NULL
                   ? STATUS_FAILED
                   : cell_text_copy(bytes, (size_t)sqlite3_column_bytes(row, column), arena, cell);
    case SQLITE_BLOB:
        length = (size_t)sqlite3_column_bytes(row, column);
        bytes = length == 0 ? "" : arena_try_copy(arena, sqlite3_column_blob(row, column), length);
        *cell = cell_bytes(bytes, length);
        return bytes != NULL ? STATUS_OK : STATUS_FAILED;
    default:
        *cell = cell_null();
        return STATUS_OK;
    }
}

static enum status read_record(sqlite3_stmt *row, struct batch *batch)
{
    int count = sqlite3_column_count(row);
    struct cell *cell = batch_append(batch);
    struct cell *items = arena_allocate_zeroed(batch->arena, 2 * (size_t)count + 1, sizeof(*items));
    enum status status = STATUS_OK;
    for (int i = 0; i < count && status == STATUS_OK; i++) {
        const char *name = arena_copy_string(batch->arena, sqlite3_column_name(row, i));
        items[2 * i] = cell_text(name, strlen(name));
        status = read_cell(row, i, batch->arena, &items[2 * i + 1]);
    }
    if (status == STATUS_OK) {
        *cell = cell_items(VALUE_MAP, items, (size_t)count);
    }
    return status;
}

static enum status read_rows(struct sqlite_database *database, sqlite3_stmt *row, const char *table,
                             struct batch *batch, struct error *error)
{
    enum status status = STATUS_OK;
    int result = SQLITE_ROW;
    while (status == STATUS_OK && (result = sqlite3_step(row)) == SQLITE_ROW) {
        if (read_record(row, batch) != STATUS_OK) {
            status = error_set(error, ERROR_MEMORY, table, "no memory for its records");
        }
    }
    return status != STATUS_OK || result == SQLITE_DONE
               ? status
               : sqlite_target_error(database, database->control, result, ERROR_TARGET_INVALID,
                                     "a record can't be read", error);
}

enum status sqlite_read_records(struct sql_database *database, const struct sql_table *table,
                                const char *from, struct batch *batch, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(&database->base);
    struct buffer sql = {0};
    sqlite3_stmt *row = NULL;
    buffer_format(&sql, "SELECT * FROM %s", from);
    enum status status = sqlite_target_prepare_buffer(self, self->control, &sql, &row, error);
    status = status == STATUS_OK ? read_rows(self, row, table->schema->name, batch, error) : status;
    sqlite3_finalize(row);
    buffer_free(&sql);
    return status;
}

enum status sqlite_fetch_all(struct sql_finding *base, const struct cell *keys, uint32_t key_count)
{
    struct finding finding = finding_of(base);
    finding.fetching = true;
    enum status status = target_records_prepare(&finding, "SELECT * FROM main.", "", base->error);
    for (uint32_t i = 0; i < key_count && status == STATUS_OK; i++) {
        status = target_records_bind(&finding, &keys[(size_t)i * finding.width], base->error);
        status = status == STATUS_OK ? read_rows(finding.database, finding.statement,
                                                 finding.table->name, base->batch, base->error)
                                     : status;
    }
    sqlite3_finalize(finding.statement);
    return status;
}
