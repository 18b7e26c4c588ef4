/* Large values into a row by slices: SQLite gets zeros of the right length first, then the
 * bytes. */
#include "connectors/sqlite/writer_internal.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SLICE_BYTES = 256 * 1024 };

/* CHECK, generated columns and triggers would see the zeros. */
static bool table_looks_inside(const struct sqlite_target_table *table)
{
    bool generated = false;
    for (uint32_t i = 0; i < table->column_count; i++) {
        generated = generated || table->columns[i].generated;
    }
    return table->has_triggers || table->without_rowid || generated || table->is_virtual ||
           table->sql == NULL || strcasestr(table->sql, "CHECK") != NULL;
}

/* A record is made in memory as far as its last value that takes bytes: zeros before that are
 * memory too. */
static bool all_after_are_empty(const struct writer_insert *insert,
                                const struct writer_table *table, const struct cell *cells,
                                uint32_t position)
{
    const struct sqlite_target_column *large = insert->columns[position].column;

    for (uint32_t i = 0; i < insert->view.column_count; i++) {
        const struct cell *cell = &cells[insert->columns[i].field];
        bool after = insert->columns[i].column > large;
        bool empty = cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING ||
                     cell->kind == VALUE_BOOL || insert->columns[i].row_key;
        if (after && !empty) {
            return false;
        }
    }
    for (const struct sqlite_target_column *column = large + 1;
         column < table->facts.columns + table->facts.column_count; column++) {
        if (column->default_text != NULL) {
            return false;
        }
    }
    return true;
}

static bool is_large_bytes(const struct cell *cell)
{
    return cell->kind == VALUE_LARGE && cell->large->kind == VALUE_BYTES;
}

bool writer_large_can_stream(const struct writer *writer, const struct writer_insert *insert,
                             const struct batch *batch, uint32_t row)
{
    const struct writer_table *table = &writer->tables[insert->table];
    const struct cell *cells = batch_row(batch, row);

    if (insert->undo_after != NULL || table->existing == EXISTING_UPSERT ||
        table->existing == EXISTING_REPLACE || table->has_index ||
        table_looks_inside(&table->facts)) {
        return false;
    }
    uint32_t found = 0;
    bool last = false;
    for (uint32_t i = 0; i < insert->view.column_count; i++) {
        if (is_large_bytes(&cells[insert->columns[i].field])) {
            found++;
            last = all_after_are_empty(insert, table, cells, i);
        }
    }
    return found == 1 && last;
}

static enum status copy_slices(struct writer *writer, sqlite3_blob *blob, struct large_value *large,
                               struct error *error)
{
    char *slice = memory_allocate(SLICE_BYTES);
    enum status status = STATUS_OK;

    for (uint64_t offset = 0; status == STATUS_OK && offset < large->length;
         offset += SLICE_BYTES) {
        size_t size =
            large->length - offset < SLICE_BYTES ? (size_t)(large->length - offset) : SLICE_BYTES;
        status = large->read(large, offset, slice, size, error);
        int result = SQLITE_OK;
        if (status == STATUS_OK) {
            result = sqlite3_blob_write(blob, slice, (int)size, (int)offset);
        }
        if (result != SQLITE_OK) {
            status =
                sqlite_target_error(writer->database, writer->connection, result,
                                    ERROR_TARGET_WRITE, "a large value can't be written", error);
        }
    }
    free(slice);
    return status;
}

enum status writer_large_fill(struct writer *writer, const struct writer_insert *insert,
                              const struct batch *batch, uint32_t row, struct error *error)
{
    const struct writer_table *table = &writer->tables[insert->table];
    const struct cell *cells = batch_row(batch, row);
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < insert->view.column_count; i++) {
        sqlite3_blob *blob = NULL;
        const struct cell *cell = &cells[insert->columns[i].field];
        if (!is_large_bytes(cell)) {
            continue;
        }
        int result = sqlite3_blob_open(writer->connection, "main", table->facts.name,
                                       insert->columns[i].column->name,
                                       sqlite3_last_insert_rowid(writer->connection), 1, &blob);
        if (result != SQLITE_OK) {
            status =
                sqlite_target_error(writer->database, writer->connection, result,
                                    ERROR_TARGET_WRITE, "a large value can't be written", error);
        } else {
            status = copy_slices(writer, blob, cell->large, error);
        }
        sqlite3_blob_close(blob);
    }
    return status;
}
