/*
 * Rows of the binary protocol as cells (COM_STMT_PREPARE, COM_STMT_EXECUTE and the binary resultset
 * row, in the servers' manuals). Whole numbers, doubles, dates and times come as such; all else is
 * the same bytes as in the text protocol, which go from the library's buffer straight to the
 * batch's.
 */
#include "connectors/mysql/source.h"
#include <string.h>

/* The kind of variable that a column is bound to. */
enum binding { AS_INTEGER, AS_DOUBLE, AS_MOMENT, AS_BYTES, AS_NONE };

struct bound {
    enum binding binding;
    enum enum_field_types field; /* as the server prepared it */
    my_bool null;
    my_bool cut;
    unsigned long length;
    union {
        long long integer;
        double number;
        MYSQL_TIME moment;
    };
};

struct mysql_rows {
    struct mysql_database *database;
    MYSQL *connection;
    MYSQL_STMT *statement;
    const struct mysql_request *compiled;
    struct bound *bound; /* one a column */
    MYSQL_BIND *binds;
    size_t bytes; /* of the row's values that are bytes */
};

/* ---------------------------------------------------------------- calls that may wait */

static enum status wait_for(struct mysql_rows *rows, int events, enum status status,
                            struct error *error)
{
    return mysql_wait_for(rows->database, rows->connection, events, status, error);
}

static enum status failure(const struct mysql_rows *rows, enum error_code otherwise,
                           struct error *error)
{
    return mysql_statement_failure(rows->database, rows->connection, rows->statement, otherwise,
                                   error);
}

/* An error in the statement is told by the text protocol, as for all statements. */
static enum status binary_prepare(struct mysql_rows *rows, bool *refused, struct error *error)
{
    const struct buffer *sql = &rows->compiled->select.sql;
    return mysql_statement_prepare(rows->database, rows->connection, rows->statement, sql->data,
                                   sql->length, refused, error);
}

static enum status binary_execute(struct mysql_rows *rows, enum error_code otherwise, bool *refused,
                                  struct error *error)
{
    int failed = 0;
    enum status status = STATUS_OK;
    int waits_for = mysql_stmt_execute_start(&failed, rows->statement);
    while (waits_for != 0) {
        status = wait_for(rows, waits_for, status, error);
        waits_for =
            mysql_stmt_execute_cont(&failed, rows->statement, waits_for & ~MYSQL_WAIT_TIMEOUT);
    }
    *refused = status == STATUS_OK && failed != 0 && mysql_statement_is_forgotten(rows->connection);
    return status == STATUS_OK && failed != 0 && !*refused ? failure(rows, otherwise, error)
                                                           : status;
}

/* ---------------------------------------------------------------- binding */

static bool is_integer(enum enum_field_types type)
{
    return type == MYSQL_TYPE_TINY || type == MYSQL_TYPE_SHORT || type == MYSQL_TYPE_INT24 ||
           type == MYSQL_TYPE_LONG || type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_YEAR;
}

static bool is_moment(enum enum_field_types type)
{
    return type == MYSQL_TYPE_DATE || type == MYSQL_TYPE_NEWDATE || type == MYSQL_TYPE_DATETIME ||
           type == MYSQL_TYPE_TIMESTAMP || type == MYSQL_TYPE_TIME;
}

static bool has_bytes(enum enum_field_types type)
{
    return type == MYSQL_TYPE_DECIMAL || type == MYSQL_TYPE_NEWDECIMAL ||
           type == MYSQL_TYPE_VARCHAR || type == MYSQL_TYPE_VAR_STRING ||
           type == MYSQL_TYPE_STRING || type == MYSQL_TYPE_ENUM || type == MYSQL_TYPE_SET ||
           type == MYSQL_TYPE_TINY_BLOB || type == MYSQL_TYPE_BLOB ||
           type == MYSQL_TYPE_MEDIUM_BLOB || type == MYSQL_TYPE_LONG_BLOB ||
           type == MYSQL_TYPE_JSON || type == MYSQL_TYPE_GEOMETRY;
}

/* AS_NONE: not what the column's format is made of. */
static enum binding binding_of(const struct mysql_type *type, const MYSQL_FIELD *field)
{
    bool is_unsigned = (field->flags & UNSIGNED_FLAG) != 0;
    bool fits_signed = field->type != MYSQL_TYPE_LONGLONG || !is_unsigned;
    switch (type->format) {
    case MYSQL_AS_INT:
    case MYSQL_AS_YEAR:
        return is_integer(field->type) && fits_signed ? AS_INTEGER : AS_NONE;
    case MYSQL_AS_UINT:
        return is_integer(field->type) && is_unsigned ? AS_INTEGER : AS_NONE;
    case MYSQL_AS_BIT: /* 64 of them, whichever way the server calls their number */
        return is_integer(field->type) ? AS_INTEGER : AS_NONE;
    case MYSQL_AS_FLOAT:
    case MYSQL_AS_DOUBLE: /* of float(7,4) the text alone is what was stored */
        return field->type == MYSQL_TYPE_DOUBLE && type->digits == 0 && !type->rounds ? AS_DOUBLE
                                                                                      : AS_NONE;
    case MYSQL_AS_DATE:
    case MYSQL_AS_DATETIME:
    case MYSQL_AS_TIMESTAMP:
    case MYSQL_AS_TIME:
        return is_moment(field->type) ? AS_MOMENT : AS_NONE;
    default:
        return has_bytes(field->type) ? AS_BYTES : AS_NONE;
    }
}

static void bind_one(struct mysql_rows *rows, uint32_t i, const MYSQL_FIELD *field)
{
    struct bound *bound = &rows->bound[i];
    MYSQL_BIND *bind = &rows->binds[i];
    bound->field = field->type;
    bind->is_null = &bound->null;
    bind->error = &bound->cut;
    bind->length = &bound->length;
    switch (bound->binding) {
    case AS_INTEGER:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->is_unsigned = (field->flags & UNSIGNED_FLAG) != 0;
        bind->buffer = &bound->integer;
        bind->buffer_length = sizeof bound->integer;
        break;
    case AS_DOUBLE:
        bind->buffer_type = MYSQL_TYPE_DOUBLE;
        bind->buffer = &bound->number;
        bind->buffer_length = sizeof bound->number;
        break;
    case AS_MOMENT:
        bind->buffer_type = field->type;
        bind->buffer = &bound->moment;
        bind->buffer_length = sizeof bound->moment;
        break;
    default: /* of no room: its length is all that the row tells at first */
        bind->buffer_type = MYSQL_TYPE_BLOB;
        break;
    }
}

/* false: of some column the text is wanted. */
static bool bind_columns(struct mysql_rows *rows, struct arena *arena)
{
    uint32_t count = rows->compiled->select.column_count;
    MYSQL_RES *described = mysql_stmt_result_metadata(rows->statement);
    bool fits = described != NULL && mysql_num_fields(described) == count &&
                mysql_stmt_param_count(rows->statement) == 0;
    rows->bound = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *rows->bound);
    rows->binds = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *rows->binds);
    for (uint32_t i = 0; fits && i < count; i++) {
        const MYSQL_FIELD *field = mysql_fetch_field_direct(described, i);
        rows->bound[i].binding = binding_of(&rows->compiled->columns[i], field);
        fits = rows->bound[i].binding != AS_NONE;
        bind_one(rows, i, field);
    }
    mysql_free_result(described);
    return fits;
}

/* The answer's columns are those that were bound: the library would follow any other ones. */
static bool is_as_prepared(const struct mysql_rows *rows)
{
    uint32_t count = rows->compiled->select.column_count;
    MYSQL_RES *described = mysql_stmt_result_metadata(rows->statement);
    bool same = described != NULL && mysql_num_fields(described) == count &&
                mysql_stmt_field_count(rows->statement) == count;
    for (uint32_t i = 0; same && i < count; i++) {
        same = mysql_fetch_field_direct(described, i)->type == rows->bound[i].field;
    }
    mysql_free_result(described);
    return same;
}

/* ---------------------------------------------------------------- rows */

static enum status binary_begin(struct mysql_rows *rows, struct arena *arena,
                                enum error_code otherwise, bool *begun, struct error *error)
{
    bool refused = false;
    *begun = false;
    if (binary_prepare(rows, &refused, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (refused || !bind_columns(rows, arena)) {
        return STATUS_OK;
    }
    if (binary_execute(rows, otherwise, &refused, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *begun = !refused;
    if (refused) {
        return STATUS_OK;
    }
    /* MySQL finds the types of expressions anew when it executes them */
    return (is_as_prepared(rows) || (bind_columns(rows, arena) && is_as_prepared(rows))) &&
                   mysql_stmt_bind_result(rows->statement, rows->binds) == 0
               ? STATUS_OK
               : error_set(error, ERROR_SOURCE_READ, rows->database->sql.shown,
                           "the answer has other columns than the server told of");
}

enum status mysql_rows_open(struct mysql_database *self, MYSQL *connection,
                            const struct mysql_request *compiled, struct arena *arena,
                            enum error_code otherwise, struct mysql_rows **rows,
                            struct error *error)
{
    struct mysql_rows *opened = arena_allocate_zeroed(arena, 1, sizeof *opened);
    bool begun = false;
    *rows = NULL;
    if (compiled->sliced_count > 0) {
        return STATUS_OK; /* behind the columns stand texts for statements to come */
    }
    opened->statement = mysql_statement_create(connection);
    opened->database = self;
    opened->connection = connection;
    opened->compiled = compiled;
    enum status status = binary_begin(opened, arena, otherwise, &begun, error);
    if (status == STATUS_OK && begun) {
        *rows = opened;
    } else {
        mysql_rows_close(opened);
    }
    return status;
}

/* The library takes lengths as the server tells them: a value ends within its buffer. */
static bool is_within(const struct mysql_rows *rows, uint32_t column)
{
    const NET *net = &rows->connection->net;
    const unsigned char *from = rows->statement->bind[column].u.row_ptr;
    const unsigned char *end = net->buff + net->max_packet;
    return from != NULL && from >= net->buff && from < end &&
           rows->bound[column].length <= (size_t)(end - from);
}

enum status mysql_rows_next(struct mysql_rows *rows, size_t *bytes, struct error *error)
{
    int outcome = 0;
    enum status status = STATUS_OK;
    int waits_for = mysql_stmt_fetch_start(&outcome, rows->statement);
    while (waits_for != 0) {
        status = wait_for(rows, waits_for, status, error);
        waits_for =
            mysql_stmt_fetch_cont(&outcome, rows->statement, waits_for & ~MYSQL_WAIT_TIMEOUT);
    }
    if (status != STATUS_OK || outcome == MYSQL_NO_DATA) {
        return status == STATUS_OK ? STATUS_END : status;
    }
    if (outcome != 0 && outcome != MYSQL_DATA_TRUNCATED) {
        return failure(rows, ERROR_SOURCE_READ, error);
    }
    rows->bytes = 0;
    for (uint32_t i = 0; i < rows->compiled->select.column_count; i++) {
        if (rows->bound[i].binding == AS_BYTES && rows->bound[i].null == 0) {
            if (!is_within(rows, i)) {
                return error_set(error, ERROR_SOURCE_READ, rows->database->sql.shown,
                                 "the server sent a value that is longer than its row");
            }
            rows->bytes += rows->bound[i].length;
        }
    }
    *bytes = rows->bytes;
    return STATUS_OK;
}

static struct cell integer_cell(const struct mysql_type *type, const MYSQL_BIND *bind)
{
    const long long value = *(const long long *)bind->buffer;
    if (type->format == MYSQL_AS_UINT || type->format == MYSQL_AS_BIT) {
        return cell_uint64((uint64_t)value);
    }
    return type->type.kind == VALUE_BOOL ? cell_bool(value != 0) : cell_int64(value);
}

/* `*room` is where bytes go. */
static enum status decode_one(struct mysql_rows *rows, uint32_t i, char **room, struct arena *arena,
                              struct cell *cell, struct error *error)
{
    const struct mysql_type *type = &rows->compiled->columns[i];
    const struct bound *bound = &rows->bound[i];
    switch (bound->binding) {
    case AS_INTEGER:
        *cell = integer_cell(type, &rows->binds[i]);
        return STATUS_OK;
    case AS_DOUBLE:
        *cell =
            (struct cell){.kind = type->format == MYSQL_AS_FLOAT ? VALUE_FLOAT32 : VALUE_FLOAT64,
                          .f64 = bound->number};
        return STATUS_OK;
    case AS_MOMENT:
        mysql_decode_moment(type, &bound->moment, arena, cell);
        return STATUS_OK;
    default:
        break;
    }
    char *bytes = *room;
    my_bool null = 0;
    unsigned long length = bound->length;
    MYSQL_BIND into = {.buffer_type = MYSQL_TYPE_BLOB,
                       .buffer = bytes,
                       .buffer_length = bound->length,
                       .length = &length,
                       .is_null = &null};
    if (bound->length > 0 && mysql_stmt_fetch_column(rows->statement, &into, i, 0) != 0) {
        return failure(rows, ERROR_SOURCE_READ, error);
    }
    *room += bound->length;
    mysql_decode(type, bytes, bound->length, arena, cell);
    return STATUS_OK;
}

enum status mysql_rows_decode(struct mysql_rows *rows, struct arena *arena, struct cell *cells,
                              struct error *error)
{
    /* the library may end texts with a NUL */
    char *room = arena_try_allocate(arena, rows->bytes + 1);
    enum status status = room != NULL ? STATUS_OK
                                      : error_set(error, ERROR_MEMORY, rows->database->sql.shown,
                                                  "no memory for a row");
    for (uint32_t i = 0; status == STATUS_OK && i < rows->compiled->select.column_count; i++) {
        if (rows->bound[i].null != 0) {
            cells[i] = cell_null();
        } else {
            status = decode_one(rows, i, &room, arena, &cells[i], error);
        }
    }
    return status;
}

void mysql_rows_close(struct mysql_rows *rows)
{
    if (rows != NULL) {
        mysql_stmt_close(rows->statement);
    }
}
