/* Checks and evaluates SQLite expressions, one row at a time. */
#include "plan/words/expression.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "plan/words/expression_names.h"
#include "plan/words/expression_sandbox.h"
#include <ctype.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN_NAMES_MAX = 500, DIGITS_IN_DOUBLE = 15 };

struct expression_statement {
    struct expression_sandbox *sandbox;
    sqlite3_stmt *statement;
    const struct plan_expression *expression;
    struct buffer *texts; /* one a value: texts of values that SQLite has no kind for */
    struct arena *wholes; /* large values, read while they are looked at; NULL: none */
};

/* ---------------------------------------------------------------- checking */

struct names {
    const char *const *all;
    const char *const *called; /* for SQLite, pairwise */
    uint32_t count;
    uint32_t declared_count; /* the first of them; the others are open ones */
};

static enum status make_probe_table(struct expression_sandbox *sandbox, const char *const *called,
                                    uint32_t count, struct error *error)
{
    struct buffer sql = {0};
    buffer_append_string(&sql, "CREATE TABLE record(");
    for (uint32_t i = 0; i < count; i++) {
        if (called[i] != NULL) {
            buffer_append_string(&sql, i > 0 ? ", " : "");
            expression_append_quoted(&sql, called[i]);
        }
    }
    if (count == 0) {
        expression_append_quoted(&sql, "no column");
    }
    buffer_append_string(&sql, ")");
    enum status status = expression_sandbox_execute(sandbox, buffer_string(&sql), error);
    buffer_free(&sql);
    return status;
}

/* After a failed prepare. */
static enum status explain_failure(struct expression_sandbox *sandbox, struct error *error)
{
    const char *message = sqlite3_errmsg(sandbox->database);
    static const char no_column[] = "no such column: ";
    expression_sandbox_check_memory(sandbox);
    if (sandbox->refused[0] != '\0') {
        (void)error_set(error, ERROR_PLAN_INVALID, NULL, "%s", sandbox->refused);
        error_hint(error, "an expression sees its own record only, and functions that always give "
                          "the same result");
    } else if (strncmp(message, no_column, sizeof no_column - 1) == 0) {
        const char *name = message + sizeof no_column - 1;
        (void)error_set(error, ERROR_PLAN_INVALID, name, "there is no column '%s'", name);
    } else {
        (void)error_set(error, ERROR_PLAN_INVALID, NULL, "%s", message);
    }
    return STATUS_FAILED;
}

/* An expression over no column gives each record the same, or the same failure. */
static enum status try_constant(struct expression_sandbox *sandbox, const char *text,
                                struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    enum status status = STATUS_OK;
    buffer_append_string(&sql, "SELECT (\n");
    buffer_append_string(&sql, text);
    buffer_append_string(&sql, "\n)");
    sandbox->operations = 0;
    if (sqlite3_prepare_v2(sandbox->database, buffer_string(&sql), -1, &statement, NULL) ==
        SQLITE_OK) {
        int result = sqlite3_step(statement);
        if (result != SQLITE_ROW && result != SQLITE_NOMEM) {
            status = error_set(error, ERROR_PLAN_INVALID, NULL, "%s",
                               result == SQLITE_INTERRUPT ? "it runs too long"
                                                          : sqlite3_errmsg(sandbox->database));
        }
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return status;
}

/* Without the parentheses that it is evaluated in, which `a) OR (b` would close and open. */
static enum status stands_alone(struct expression_sandbox *sandbox, const char *text,
                                struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    buffer_append_string(&sql, "SELECT\n");
    buffer_append_string(&sql, text);
    buffer_append_string(&sql, "\nFROM record");
    int result = sqlite3_prepare_v2(sandbox->database, buffer_string(&sql), -1, &statement, NULL);
    if (result != SQLITE_OK) {
        expression_sandbox_check_memory(sandbox);
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return result == SQLITE_OK
               ? STATUS_OK
               : error_set(error, ERROR_PLAN_INVALID, NULL, "its parentheses do not match");
}

static enum status prepare_probe(struct expression_sandbox *sandbox, const char *text,
                                 struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    const char *tail = NULL;
    enum status status = STATUS_OK;
    buffer_append_string(&sql, "SELECT (\n");
    buffer_append_string(&sql, text);
    buffer_append_string(&sql, "\n) FROM record");
    expression_sandbox_begin_check(sandbox);
    int result = sqlite3_prepare_v2(sandbox->database, buffer_string(&sql), -1, &statement, &tail);
    if (result != SQLITE_OK) {
        status = explain_failure(sandbox, error);
    } else if (*tail != '\0' || sqlite3_column_count(statement) != 1 || text[0] == '\0') {
        status = error_set(error, ERROR_PLAN_INVALID, NULL, "one expression was expected");
    } else if (stands_alone(sandbox, text, error) != STATUS_OK) {
        status = STATUS_FAILED;
    } else if (sqlite3_bind_parameter_count(statement) > 0) {
        status = error_set(error, ERROR_PLAN_INVALID, NULL, "parameters have no value here");
    } else if (expression_dates_fault(text) != NULL) {
        status = error_set(error, ERROR_PLAN_INVALID, NULL, "%s", expression_dates_fault(text));
        error_hint(error, "write the moment as a text: '2026-01-31 12:00:00'");
    } else if (sandbox->used_count == 0) {
        status = try_constant(sandbox, text, error);
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return status;
}

/* The name that is called so, NULL: none. */
static const char *find_called(const char *called, const struct names *names)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (names->called[i] != NULL && sqlite3_stricmp(called, names->called[i]) == 0) {
            return names->all[i];
        }
    }
    return NULL;
}

static enum status keep_used_names(struct expression_sandbox *sandbox, const struct names *names,
                                   struct arena *arena, const char *const **used,
                                   uint32_t *used_count, struct error *error)
{
    const char **kept = arena_allocate_zeroed(arena, sandbox->used_count + 1u, sizeof *kept);
    uint32_t count = 0;
    for (uint32_t i = 0; i < sandbox->used_count; i++) {
        const char *name = find_called(sandbox->used[i], names);
        if (name == NULL) {
            name = sandbox->used[i];
            return error_set(error, ERROR_PLAN_INVALID, name, "there is no column '%s'", name);
        }
        kept[count++] = arena_copy_string(arena, name);
    }
    *used = kept;
    *used_count = count;
    return STATUS_OK;
}

/* An open name that is written in two ways is two, of which the second is the error's object. */
static enum status spell(const char *text, struct names *names, struct arena *arena,
                         struct buffer *out, struct error *error)
{
    const char *other = NULL;
    names->called = expression_names_make(names->all, names->count, arena);
    enum status status = expression_names_put(text, names->all, names->called, names->count,
                                              names->declared_count, arena, &other, out, error);
    return status == STATUS_OK && other != NULL
               ? error_set(error, ERROR_PLAN_INVALID, other, "there is no column '%s'", other)
               : status;
}

static enum status check_once(struct expression_sandbox *sandbox, const char *text,
                              struct names *names, struct arena *arena, const char *const **used,
                              uint32_t *used_count, struct error *error)
{
    struct buffer spelled = {0};
    if (spell(text, names, arena, &spelled, error) != STATUS_OK ||
        make_probe_table(sandbox, names->called, names->count, error) != STATUS_OK) {
        buffer_free(&spelled);
        return STATUS_FAILED;
    }
    enum status status = prepare_probe(sandbox, buffer_string(&spelled), error);
    buffer_free(&spelled);
    if (status == STATUS_OK) {
        status = keep_used_names(sandbox, names, arena, used, used_count, error);
    }
    struct error drop_error;
    enum status dropped = expression_sandbox_execute(sandbox, "DROP TABLE record", &drop_error);
    if (dropped != STATUS_OK && status == STATUS_OK) {
        error_copy(error, &drop_error);
        status = dropped;
    }
    return status;
}

enum status expression_check(struct expression_sandbox *sandbox, const char *text,
                             const char *const *names, uint32_t name_count, bool open_names,
                             struct arena *arena, const char *const **used, uint32_t *used_count,
                             struct error *error)
{
    *used = NULL;
    *used_count = 0;
    struct names known_names = {.all = names, .count = name_count, .declared_count = name_count};
    if (!open_names) {
        return check_once(sandbox, text, &known_names, arena, used, used_count, error);
    }
    /* each unknown column becomes a known one, until none is left */
    const char **known = arena_allocate_zeroed(arena, name_count + OPEN_NAMES_MAX, sizeof *known);
    if (name_count > 0) {
        memcpy(known, names, name_count * sizeof *known);
    }
    known_names.all = known;
    for (uint32_t count = name_count;; count++) {
        struct error found;
        error_clear(&found);
        known_names.count = count;
        enum status status =
            check_once(sandbox, text, &known_names, arena, used, used_count, &found);
        if (status == STATUS_OK || found.object[0] == '\0' ||
            count == name_count + OPEN_NAMES_MAX) {
            error_copy(error, &found);
            return status;
        }
        known[count] = arena_copy_string(arena, found.object);
    }
}

/* ---------------------------------------------------------------- the simple form */

static const char *skip_blanks(const char *text)
{
    while (*text == ' ' || *text == '\t' || *text == '\n') {
        text++;
    }
    return text;
}

/* The end of a column's name in the text, NULL if it is none or not `name`. */
static const char *skip_name(const char *text, const char *name)
{
    char close = *text == '"' ? '"' : *text == '[' ? ']' : *text == '`' ? '`' : '\0';
    const char *start = close != '\0' ? text + 1 : text;
    const char *end = start;
    if (close != '\0') {
        end = strchr(start, close);
        if (end == NULL || end[1] == close) {
            return NULL;
        }
    } else {
        while (isalnum((unsigned char)*end) || *end == '_') {
            end++;
        }
    }
    size_t length = (size_t)(end - start);
    if (length == 0 || strlen(name) != length || sqlite3_strnicmp(start, name, (int)length) != 0) {
        return NULL;
    }
    return close != '\0' ? end + 1 : end;
}

static const struct {
    const char *text;
    enum expression_operator operator;
} operators[] = {{"<=", EXPRESSION_LESS_EQUAL}, {">=", EXPRESSION_GREATER_EQUAL},
                 {"==", EXPRESSION_EQUAL},      {"!=", EXPRESSION_NOT_EQUAL},
                 {"<>", EXPRESSION_NOT_EQUAL},  {"<", EXPRESSION_LESS},
                 {">", EXPRESSION_GREATER},     {"=", EXPRESSION_EQUAL}};

void expression_simplify(struct plan_expression *expression)
{
    expression->simple = EXPRESSION_GENERAL;
    if (expression->count != 1) {
        return;
    }
    const char *text = skip_name(skip_blanks(expression->text), expression->names[0]);
    if (text == NULL) {
        return;
    }
    text = skip_blanks(text);
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        size_t length = strlen(operators[i].text);
        if (strncmp(text, operators[i].text, length) != 0) {
            continue;
        }
        const char *number = skip_blanks(text + length);
        size_t digits = (*number == '-') + strspn(number + (*number == '-'), "0123456789");
        if (*skip_blanks(number + digits) == '\0' &&
            text_to_int64(number, digits, &expression->literal) == STATUS_OK) {
            expression->simple = operators[i].operator;
        }
        return;
    }
}

/* ---------------------------------------------------------------- evaluating */

enum status expression_prepare(struct expression_sandbox *sandbox,
                               const struct plan_expression *expression,
                               struct expression_statement **statement, struct error *error)
{
    struct buffer sql = {0};
    struct expression_statement *made = memory_allocate_zeroed(1, sizeof *made);
    made->sandbox = sandbox;
    made->expression = expression;
    made->texts = memory_allocate_zeroed(expression->count + 1u, sizeof *made->texts);
    *statement = NULL;
    struct arena *arena = arena_create(0);
    const char *const *called = expression_names_make(expression->names, expression->count, arena);
    buffer_append_string(&sql, "SELECT (\n");
    enum status status = expression_names_put(expression->text, expression->names, called,
                                              expression->count, 0, arena, NULL, &sql, error);
    if (status != STATUS_OK) {
        goto out;
    }
    buffer_append_string(&sql, "\n) FROM (SELECT ");
    for (uint32_t i = 0; i < expression->count; i++) {
        buffer_format(&sql, "%s?%u AS ", i > 0 ? ", " : "", (unsigned)i + 1);
        expression_append_quoted(&sql, called[i]);
    }
    buffer_append_string(&sql,
                         expression->count == 0 ? "0 AS \"no column\") AS record" : ") AS record");
    expression_sandbox_begin_check(sandbox);
    if (sqlite3_prepare_v3(sandbox->database, buffer_string(&sql), -1, SQLITE_PREPARE_PERSISTENT,
                           &made->statement, NULL) != SQLITE_OK) {
        status = explain_failure(sandbox, error);
        goto out;
    }
    *statement = made;
    made = NULL;
out:
    expression_finalize(made);
    arena_destroy(arena);
    buffer_free(&sql);
    return status;
}

void expression_finalize(struct expression_statement *statement)
{
    if (statement == NULL) {
        return;
    }
    sqlite3_finalize(statement->statement);
    for (uint32_t i = 0; i < statement->expression->count; i++) {
        buffer_free(&statement->texts[i]);
    }
    arena_destroy(statement->wholes);
    free(statement->texts);
    free(statement);
}

static enum status reject(const struct expression_statement *statement, const char *reason,
                          struct error *error)
{
    return error_set(error, ERROR_REJECT_EXPRESSION, NULL, "the expression '%.200s' failed: %s",
                     statement->expression->text, reason);
}

/* SQLite takes NaN for NULL. */
static enum status bind_double(struct expression_statement *statement, int index, double value,
                               struct error *error)
{
    if (isnan(value)) {
        return reject(statement, "a number is NaN, SQLite would take it for NULL", error);
    }
    sqlite3_bind_double(statement->statement, index, value);
    return STATUS_OK;
}

static enum status bind_decimal(struct expression_statement *statement, int index,
                                const struct cell *value, struct error *error)
{
    int64_t digits = 0;
    int64_t exponent = 0;
    int64_t whole;
    bool finite = decimal_measure(value, &digits, &exponent) != 0;
    if (finite && decimal_to_int64(value, &whole) == STATUS_OK) {
        sqlite3_bind_int64(statement->statement, index, whole);
        return STATUS_OK;
    }
    if (finite && digits > DIGITS_IN_DOUBLE) {
        return reject(statement, "a decimal has more than 15 digits, SQLite would round it", error);
    }
    double nearest = decimal_to_double(value);
    if (finite && !isnormal(nearest)) {
        return reject(statement, "a decimal is beyond what SQLite's numbers can hold", error);
    }
    return bind_double(statement, index, nearest, error);
}

/* SQLite takes what is longer than its limit for NULL. */
static enum status bind_text(struct expression_statement *statement, int index,
                             enum value_kind kind, const void *bytes, size_t length,
                             struct error *error)
{
    struct error cause;
    if (length > CONVERT_LARGE_BYTES_MAX) {
        (void)convert_refuse_large(length, CONVERT_LARGE_BYTES_MAX, &cause);
        return reject(statement, cause.message, error);
    }
    bytes = length > 0 ? bytes : "";
    int result = kind == VALUE_BYTES ? sqlite3_bind_blob64(statement->statement, index, bytes,
                                                           length, SQLITE_STATIC)
                                     : sqlite3_bind_text64(statement->statement, index, bytes,
                                                           length, SQLITE_STATIC, SQLITE_UTF8);
    return result == SQLITE_OK ? STATUS_OK
                               : error_set(error, ERROR_MEMORY, NULL, "no memory for a value");
}

static enum status bind_large(struct expression_statement *statement, int index,
                              const struct cell *value, struct error *error)
{
    struct cell whole;
    struct error cause;
    if (statement->wholes == NULL) {
        statement->wholes = arena_create(0);
    }
    if (convert_read_large(value, CONVERT_LARGE_BYTES_MAX, statement->wholes, &whole, &cause) ==
        STATUS_OK) {
        return bind_text(statement, index, (enum value_kind)whole.kind, whole.bytes, whole.length,
                         error);
    }
    if (cause.class == ERROR_CLASS_REJECT) {
        return reject(statement, cause.message, error);
    }
    return error_copy(error, &cause);
}

static enum status bind_other(struct expression_statement *statement, int index,
                              const struct cell *value, struct error *error)
{
    struct buffer *text = &statement->texts[index - 1];
    buffer_clear(text);
    bool nested = value->kind == VALUE_LIST || value->kind == VALUE_SET || value->kind == VALUE_MAP;
    struct error cause;
    error_clear(&cause);
    enum status status = nested ? convert_append_json(value, text, &cause)
                                : convert_append_text(value, false, text, &cause);
    if (status != STATUS_OK) {
        return reject(statement, cause.message, error);
    }
    return bind_text(statement, index, VALUE_TEXT, buffer_string(text), text->length, error);
}

static enum status bind_value(struct expression_statement *statement, int index,
                              const struct cell *value, struct error *error)
{
    sqlite3_stmt *prepared = statement->statement;
    switch (value->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        sqlite3_bind_null(prepared, index);
        return STATUS_OK;
    case VALUE_BOOL:
    case VALUE_INT64:
        sqlite3_bind_int64(prepared, index, value->i64);
        return STATUS_OK;
    case VALUE_UINT64:
        if (value->u64 > INT64_MAX) {
            return reject(statement, "a number is above 2^63 - 1", error);
        }
        sqlite3_bind_int64(prepared, index, (int64_t)value->u64);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return bind_double(statement, index, value->f64, error);
    case VALUE_DECIMAL:
        return bind_decimal(statement, index, value, error);
    case VALUE_TEXT:
    case VALUE_JSON:
    case VALUE_BYTES:
        return bind_text(statement, index, (enum value_kind)value->kind, value->bytes,
                         value->length, error);
    case VALUE_LARGE:
        return bind_large(statement, index, value, error);
    case VALUE_ESCAPE:
        if (value_escape_has_text(value)) {
            return bind_text(statement, index, VALUE_TEXT, value->bytes, value->length, error);
        }
        return reject(statement, "a value is not readable here", error);
    default:
        return bind_other(statement, index, value, error);
    }
}

static enum status expression_run(struct expression_statement *statement, const struct cell *values,
                                  struct error *error)
{
    sqlite3_reset(statement->statement);
    for (uint32_t i = 0; i < statement->expression->count; i++) {
        enum status status = bind_value(statement, (int)i + 1, &values[i], error);
        if (status != STATUS_OK) {
            return status;
        }
    }
    statement->sandbox->operations = 0;
    int result = sqlite3_step(statement->statement);
    if (result == SQLITE_ROW) {
        return STATUS_OK;
    }
    if (result == SQLITE_NOMEM) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a result");
    }
    return reject(statement,
                  result == SQLITE_DONE        ? "it gave no row"
                  : result == SQLITE_INTERRUPT ? "it ran too long"
                                               : sqlite3_errmsg(statement->sandbox->database),
                  error);
}

static void expression_finish(struct expression_statement *statement)
{
    sqlite3_reset(statement->statement);
    arena_destroy(statement->wholes);
    statement->wholes = NULL;
}

static enum status take_result(struct expression_statement *statement, struct arena *arena,
                               struct cell *result, struct error *error)
{
    sqlite3_stmt *prepared = statement->statement;
    size_t length;
    const char *copy;
    switch (sqlite3_column_type(prepared, 0)) {
    case SQLITE_INTEGER:
        *result = cell_int64(sqlite3_column_int64(prepared, 0));
        return STATUS_OK;
    case SQLITE_FLOAT:
        *result = cell_float64(sqlite3_column_double(prepared, 0));
        return STATUS_OK;
    case SQLITE_TEXT:
    case SQLITE_BLOB: {
        bool text = sqlite3_column_type(prepared, 0) == SQLITE_TEXT;
        const void *bytes = text ? (const void *)sqlite3_column_text(prepared, 0)
                                 : sqlite3_column_blob(prepared, 0);
        length = (size_t)sqlite3_column_bytes(prepared, 0);
        bool lost = bytes == NULL && (text || length > 0);
        copy = lost ? NULL : arena_try_copy(arena, bytes != NULL ? bytes : "", length);
        if (copy == NULL) {
            return error_set(error, ERROR_MEMORY, NULL, "no memory for a result");
        }
        if (text && !text_is_utf8(copy, length)) {
            return reject(statement, "its text is not valid UTF-8", error);
        }
        *result = text ? cell_text(copy, length) : cell_bytes(copy, length);
        return STATUS_OK;
    }
    default:
        *result = cell_null();
        return STATUS_OK;
    }
}

enum status expression_evaluate(struct expression_statement *statement, const struct cell *values,
                                struct arena *arena, struct cell *result, struct error *error)
{
    enum status status = expression_run(statement, values, error);
    status = status == STATUS_OK ? take_result(statement, arena, result, error) : status;
    expression_finish(statement);
    return status;
}

enum status expression_test(struct expression_statement *statement, const struct cell *values,
                            bool *result, struct error *error)
{
    const struct plan_expression *expression = statement->expression;
    if (expression->simple != EXPRESSION_GENERAL) {
        if (values[0].kind == VALUE_INT64) {
            *result = expression_compare(expression->simple, values[0].i64, expression->literal);
            return STATUS_OK;
        }
        if (values[0].kind == VALUE_NULL || values[0].kind == VALUE_MISSING) {
            *result = false;
            return STATUS_OK;
        }
    }
    enum status status = expression_run(statement, values, error);
    if (status == STATUS_OK) {
        int type = sqlite3_column_type(statement->statement, 0);
        *result = type == SQLITE_INTEGER ? sqlite3_column_int64(statement->statement, 0) != 0
                  : type == SQLITE_NULL  ? false
                                         : sqlite3_column_double(statement->statement, 0) != 0.0;
    }
    expression_finish(statement);
    return status;
}
