/* The batch as a virtual table: INSERT … SELECT from it takes half the time of binding row by
 * row. */
#include "base/buffer.h"
#include "connectors/sqlite/writer_internal.h"
#include <limits.h>
#include <stdlib.h>

struct view_table {
    sqlite3_vtab base;
    struct writer_view *view;
};

struct view_cursor {
    sqlite3_vtab_cursor base;
    struct writer_view *view;
    const struct cell *row;
};

static int view_connect(sqlite3 *connection, void *context, int count, const char *const *arguments,
                        sqlite3_vtab **out, char **message)
{
    struct writer_view *view = context;
    struct buffer sql = {0};

    (void)count;
    (void)arguments;
    (void)message;
    /* Untyped columns: nothing is converted before the table's own columns do it. */
    buffer_append_string(&sql, "CREATE TABLE view(");
    for (uint32_t i = 0; i < view->column_count; i++) {
        buffer_format(&sql, i == 0 ? "c%u" : ", c%u", i);
    }
    buffer_append_string(&sql, ")");
    int result = sqlite3_declare_vtab(connection, buffer_string(&sql));
    buffer_free(&sql);
    if (result == SQLITE_OK) {
        /* a trigger of the target must not read it */
        result = sqlite3_vtab_config(connection, SQLITE_VTAB_DIRECTONLY);
    }
    if (result != SQLITE_OK) {
        return result;
    }
    struct view_table *table = memory_allocate_zeroed(1, sizeof *table);
    table->view = view;
    *out = &table->base;
    return SQLITE_OK;
}

static int view_disconnect(sqlite3_vtab *table)
{
    free(table);
    return SQLITE_OK;
}

static int view_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    info->estimatedCost = 1000;
    info->estimatedRows = 1000;
    return SQLITE_OK;
}

static int view_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    struct view_cursor *cursor = memory_allocate_zeroed(1, sizeof *cursor);
    cursor->view = ((struct view_table *)table)->view;
    *out = &cursor->base;
    return SQLITE_OK;
}

static int view_close(sqlite3_vtab_cursor *cursor)
{
    free(cursor);
    return SQLITE_OK;
}

static int view_filter(sqlite3_vtab_cursor *base, int index, const char *text, int count,
                       sqlite3_value **values)
{
    struct view_cursor *cursor = (struct view_cursor *)base;

    (void)index;
    (void)text;
    (void)count;
    (void)values;
    cursor->view->started = true;
    cursor->view->current = cursor->view->first;
    cursor->row = batch_row(cursor->view->batch, cursor->view->first);
    return SQLITE_OK;
}

static int view_next(sqlite3_vtab_cursor *base)
{
    struct view_cursor *cursor = (struct view_cursor *)base;
    cursor->view->current++;
    cursor->row += cursor->view->batch->width;
    return SQLITE_OK;
}

static int view_eof(sqlite3_vtab_cursor *base)
{
    const struct writer_view *view = ((struct view_cursor *)base)->view;
    return view->current >= view->end;
}

static bool may_be_number(const struct cell *cell)
{
    unsigned char first = cell->length > 0 ? (unsigned char)cell->text[0] : 'x';
    return first <= '9';
}

/* About: what a value takes as text or number is known once it is written. */
static uint64_t stored_bytes(const struct cell *cell)
{
    switch (cell->kind) {
    case VALUE_NULL:
    case VALUE_MISSING:
        return 0;
    case VALUE_LARGE:
        return cell->large->length;
    case VALUE_TEXT:
    case VALUE_BYTES:
    case VALUE_JSON:
    case VALUE_ESCAPE:
        return cell->length;
    default:
        return value_bytes(cell) + sizeof cell->i64;
    }
}

static int view_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number)
{
    struct view_cursor *cursor = (struct view_cursor *)base;
    const struct writer_column *column = &cursor->view->columns[number];
    const struct cell *cell = cursor->row + column->field;

    switch (cell->kind) {
    case VALUE_NULL:
        if (!column->row_key) {
            return SQLITE_OK;
        }
        break;
    case VALUE_INT64:
        if (column->affinity != SQLITE_AFFINITY_REAL) {
            cursor->view->bytes += sizeof cell->i64;
            sqlite3_result_int64(context, cell->i64);
            return SQLITE_OK;
        }
        break;
    case VALUE_FLOAT64:
        if (column->affinity != SQLITE_AFFINITY_TEXT && !column->row_key &&
            cell->f64 == cell->f64) {
            cursor->view->bytes += sizeof cell->f64;
            sqlite3_result_double(context, cell->f64);
            return SQLITE_OK;
        }
        break;
    case VALUE_TEXT:
        if (cell->length <= INT_MAX &&
            (column->affinity <= SQLITE_AFFINITY_TEXT || !may_be_number(cell))) {
            cursor->view->bytes += cell->length;
            sqlite3_result_text(context, cell->text, (int)cell->length, SQLITE_STATIC);
            return SQLITE_OK;
        }
        break;
    default:
        break;
    }
    cursor->view->bytes += stored_bytes(cell);
    return writer_value_give(cursor->view, column, cell, context);
}

static int view_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = ((struct view_cursor *)base)->view->current;
    return SQLITE_OK;
}

static const sqlite3_module view_module = {
    .iVersion = 1,
    .xConnect = view_connect, /* and no xCreate: it is a table by its own name alone */
    .xBestIndex = view_best_index,
    .xDisconnect = view_disconnect,
    .xOpen = view_open,
    .xClose = view_close,
    .xFilter = view_filter,
    .xNext = view_next,
    .xEof = view_eof,
    .xColumn = view_column,
    .xRowid = view_rowid,
};

int writer_table_register(sqlite3 *connection, const char *name, struct writer_view *view)
{
    return sqlite3_create_module_v2(connection, name, &view_module, view, NULL);
}
