/* Connections, statements and their results. */
#include "connectors/duckdb/duckdb_internal.h"
#include <string.h>

/* ---------------------------------------------------------------- failures */

/* "Out of Memory Error: could not allocate …" and what stands for it here. */
static enum error_code code_of(const char *why, enum open_mode mode, enum error_code otherwise)
{
    static const struct {
        const char *words;
        enum error_code source;
        enum error_code target;
    } kinds[] = {
        {"Out of Memory Error", ERROR_MEMORY, ERROR_MEMORY},
        {"No space left on device", ERROR_DISK_FULL, ERROR_DISK_FULL},
        {"Permission denied", ERROR_PERMISSION, ERROR_PERMISSION},
        {"not set lock", ERROR_SOURCE_LOCKED, ERROR_TARGET_LOCKED},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strstr(why, kinds[i].words) != NULL) {
            return mode == OPEN_SOURCE ? kinds[i].source : kinds[i].target;
        }
    }
    return otherwise;
}

/* Its first line says what is wrong; the statement follows. */
enum status duckdb_failure(struct duckdb_database *self, const char *why, enum error_code otherwise,
                           struct error *error)
{
    why = why != NULL && why[0] != '\0' ? why : "DuckDB does not say why";
    enum error_code code = code_of(why, self->mode, otherwise);
    error_set(error, code, self->sql.shown, "%.*s", (int)strcspn(why, "\n"), why);
    if (code == ERROR_MEMORY) {
        error_hint(error, "let DuckDB take more: duckdb:FILE?memory=4GiB");
    }
    return STATUS_FAILED;
}

/* ---------------------------------------------------------------- connections and statements */

static enum error_code failed_code(const struct duckdb_database *self)
{
    return self->mode == OPEN_SOURCE ? ERROR_SOURCE_READ : ERROR_TARGET_WRITE;
}

static enum status set_path(struct duckdb_database *self, struct duckdb_handle *connection,
                            struct error *error)
{
    struct buffer path = {0};
    struct buffer sql = {0};
    buffer_append_string(&path, "system.main");
    if (self->name != NULL) {
        duckdb_append(&path, ",%n.%n", self->name, self->sql.schema);
    }
    duckdb_append(&sql, "SET search_path = %q", buffer_string(&path));
    buffer_free(&path);
    return duckdb_run_buffer(self, connection, &sql, failed_code(self), NULL, error);
}

enum status duckdb_connect(struct duckdb_database *self, struct duckdb_handle **connection,
                           struct error *error)
{
    *connection = NULL;
    if (self->library->connect(duckdb_file_handle(self->file), connection) != DUCKDB_SUCCESS) {
        return duckdb_failure(self, "DuckDB gives no connection", failed_code(self), error);
    }
    enum status status = set_path(self, *connection, error);
    if (status != STATUS_OK) {
        duckdb_disconnect(self, connection);
    }
    return status;
}

enum status duckdb_find_name(struct duckdb_database *self, struct error *error)
{
    struct duckdb_table_of_cells found;
    enum status status = duckdb_read_all(self, self->control, duckdb_sql("SELECT " DUCKDB_HERE),
                                         failed_code(self), self->arena, &found, error);
    if (status == STATUS_OK && found.count == 1) {
        self->name = duckdb_text_of(found.cells, self->arena);
        status = set_path(self, self->control, error);
    }
    return status;
}

void duckdb_disconnect(struct duckdb_database *self, struct duckdb_handle **connection)
{
    if (*connection != NULL) {
        self->library->disconnect(connection);
    }
    *connection = NULL;
}

enum status duckdb_run(struct duckdb_database *self, struct duckdb_handle *connection,
                       const char *sql, enum error_code otherwise, uint64_t *changed,
                       struct error *error)
{
    const struct duckdb_library *library = self->library;
    struct duckdb_result result = {0};
    enum status status = STATUS_OK;
    if (library->query(connection, sql, &result) != DUCKDB_SUCCESS) {
        status = duckdb_failure(self, library->result_error(&result), otherwise, error);
    } else if (changed != NULL) {
        *changed = library->rows_changed(&result);
    }
    library->destroy_result(&result);
    return status;
}

enum status duckdb_run_buffer(struct duckdb_database *self, struct duckdb_handle *connection,
                              struct buffer *sql, enum error_code otherwise, uint64_t *changed,
                              struct error *error)
{
    enum status status =
        duckdb_run(self, connection, buffer_string(sql), otherwise, changed, error);
    buffer_free(sql);
    return status;
}

/* ---------------------------------------------------------------- results */

static enum status duckdb_query_start(struct duckdb_rows *rows, enum error_code otherwise,
                                      struct error *error)
{
    const struct duckdb_library *library = rows->database->library;
    struct duckdb_handle *pending = NULL;
    enum status status = STATUS_OK;
    if (library->pending_prepared_streaming(rows->statement, &pending) != DUCKDB_SUCCESS) {
        status = duckdb_failure(rows->database, library->pending_error(pending), otherwise, error);
    } else {
        rows->opened = true;
        if (library->execute_pending(pending, &rows->result) != DUCKDB_SUCCESS) {
            status = duckdb_failure(rows->database, library->result_error(&rows->result), otherwise,
                                    error);
        }
    }
    library->destroy_pending(&pending);
    return status;
}

enum status duckdb_rows_open(struct duckdb_rows *rows, struct duckdb_database *self,
                             struct duckdb_handle *connection, const char *sql,
                             const struct store_value *parameter, enum error_code otherwise,
                             struct error *error)
{
    const struct duckdb_library *library = self->library;
    enum status status = STATUS_OK;
    *rows = (struct duckdb_rows){.database = self};
    if (library->prepare(connection, sql, &rows->statement) != DUCKDB_SUCCESS) {
        status = duckdb_failure(self, library->prepare_error(rows->statement), otherwise, error);
    } else if (parameter != NULL &&
               library->bind_varchar_length(rows->statement, 1, parameter->text,
                                            parameter->length) != DUCKDB_SUCCESS) {
        status = duckdb_failure(self, library->prepare_error(rows->statement), otherwise, error);
    }
    status = status == STATUS_OK ? duckdb_query_start(rows, otherwise, error) : status;
    if (status != STATUS_OK) {
        duckdb_rows_close(rows);
    }
    return status;
}

enum status duckdb_rows_next(struct duckdb_rows *rows, enum error_code otherwise,
                             struct error *error)
{
    const struct duckdb_library *library = rows->database->library;
    do {
        library->destroy_data_chunk(&rows->chunk);
        rows->chunk = library->fetch_chunk(rows->result);
        rows->count = rows->chunk != NULL ? library->data_chunk_get_size(rows->chunk) : 0;
        rows->at = 0;
    } while (rows->chunk != NULL && rows->count == 0);
    if (rows->chunk != NULL) {
        return STATUS_OK;
    }
    const char *why = library->result_error(&rows->result);
    return why != NULL && why[0] != '\0' ? duckdb_failure(rows->database, why, otherwise, error)
                                         : STATUS_END;
}

void duckdb_rows_close(struct duckdb_rows *rows)
{
    if (rows->database == NULL) {
        return;
    }
    const struct duckdb_library *library = rows->database->library;
    library->destroy_data_chunk(&rows->chunk);
    if (rows->opened) {
        library->destroy_result(&rows->result);
    }
    library->destroy_prepare(&rows->statement);
    *rows = (struct duckdb_rows){0};
}

/* ---------------------------------------------------------------- small results */

static enum status add_chunk(struct duckdb_rows *rows, const struct duckdb_form *forms,
                             struct arena *arena, struct duckdb_table_of_cells *table,
                             uint32_t *capacity, struct error *error)
{
    uint32_t width = table->width;
    uint32_t count = (uint32_t)rows->count;
    while (table->count + count > *capacity) {
        table->cells = arena_grow_list(arena, table->cells, table->count, capacity,
                                       width * sizeof *table->cells);
    }
    struct cell *cells = table->cells + (size_t)table->count * width;
    for (uint32_t i = 0; i < width; i++) {
        if (duckdb_read(rows->database->library, &forms[i],
                        rows->database->library->data_chunk_get_vector(rows->chunk, i), 0, count,
                        arena, cells + i, width, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    table->count += count;
    return STATUS_OK;
}

enum status duckdb_read_all(struct duckdb_database *self, struct duckdb_handle *connection,
                            struct buffer *sql, enum error_code otherwise, struct arena *arena,
                            struct duckdb_table_of_cells *table, struct error *error)
{
    struct duckdb_rows rows;
    uint32_t capacity = 0;
    *table = (struct duckdb_table_of_cells){0};
    enum status opened =
        duckdb_rows_open(&rows, self, connection, buffer_string(sql), NULL, otherwise, error);
    buffer_free(sql);
    if (opened != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct duckdb_form *forms = duckdb_forms_of(&rows, arena, &table->width);
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        status = duckdb_rows_next(&rows, otherwise, error);
        if (status == STATUS_OK) {
            status = add_chunk(&rows, forms, arena, table, &capacity, error);
        }
    }
    duckdb_rows_close(&rows);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status duckdb_ask_number(struct duckdb_database *self, struct duckdb_handle *connection,
                              struct buffer *sql, enum error_code otherwise, int64_t *number,
                              struct error *error)
{
    struct duckdb_table_of_cells found;
    struct arena *arena = arena_create(4096);
    enum status status = duckdb_read_all(self, connection, sql, otherwise, arena, &found, error);
    *number = 0;
    if (status == STATUS_OK && found.count > 0) {
        const struct cell *cell = found.cells;
        bool whole = cell->kind == VALUE_INT64 || cell->kind == VALUE_UINT64 ||
                     cell->kind == VALUE_BOOL ||
                     (cell->kind == VALUE_DECIMAL && (cell->flags & CELL_SMALL) != 0);
        *number = whole ? cell->i64 : 0;
    }
    arena_destroy(arena);
    return status;
}

const char *duckdb_text_of(const struct cell *cell, struct arena *arena)
{
    return cell->kind == VALUE_TEXT ? arena_copy(arena, cell->text, cell->length) : NULL;
}
