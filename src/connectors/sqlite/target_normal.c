/* The value that a column of SQLite gives back: its affinity decides. writer_value.c refuses what
 * would be lost by it. */
#include "base/text.h"
#include "connectors/sql/normal.h"
#include "connectors/sqlite/target_internal.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/number_text.h"
#include <string.h>
#include <strings.h>

uint32_t sqlite_target_column_class(struct database *self, const struct schema_table *table,
                                    const struct schema_column *column)
{
    const char *declared = column->type.native != NULL ? column->type.native : "";
    (void)self;
    if (strcasecmp(declared, "ANY") == 0 && table->native_sql != NULL) {
        /* as it comes in a STRICT table, numeric in any other */
        const char *options = strrchr(table->native_sql, ')');
        if (options != NULL && strcasestr(options, "STRICT") != NULL) {
            return SQLITE_AFFINITY_NONE;
        }
    }
    return sqlite_affinity_of(declared);
}

static struct cell made_text(struct buffer *text, struct arena *arena)
{
    struct cell normal = cell_text(arena_copy(arena, text->data, text->length), text->length);
    buffer_free(text);
    return normal;
}

/* REAL keeps doubles; NUMERIC and INTEGER make a whole number of each double that is one. */
static struct cell number_of(enum sqlite_affinity affinity, double value)
{
    if (affinity == SQLITE_AFFINITY_NONE) {
        return cell_float64(value);
    }
    if (affinity == SQLITE_AFFINITY_REAL) {
        return cell_float64(value + 0.0); /* and -0.0 is 0.0 */
    }
    bool whole = value > -9223372036854775808.0 && value < 9223372036854775808.0 &&
                 value == (double)(int64_t)value;
    return whole ? cell_int64((int64_t)value) : cell_float64(value);
}

static struct cell whole_of(enum sqlite_affinity affinity, int64_t value)
{
    return affinity == SQLITE_AFFINITY_REAL ? cell_float64((double)value) : cell_int64(value);
}

bool sqlite_keeps_double(enum sqlite_affinity affinity, const struct cell *decimal)
{
    bool whole = decimal->aux == 0 &&
                 (affinity == SQLITE_AFFINITY_NUMERIC || affinity == SQLITE_AFFINITY_INTEGER);
    return (decimal->flags & CELL_SMALL) != 0 && (decimal->flags & CELL_FROM_FLOAT) != 0 && !whole;
}

static enum status decimal_in(enum sqlite_affinity affinity, const struct cell *cell,
                              struct arena *arena, struct cell *normal, struct error *error)
{
    struct buffer digits = {0};
    struct cell back;
    int64_t whole;

    if (affinity == SQLITE_AFFINITY_TEXT) {
        decimal_append(cell, &digits);
        *normal = made_text(&digits, arena);
        return STATUS_OK;
    }
    if (sqlite_keeps_double(affinity, cell)) {
        *normal = number_of(affinity, decimal_to_double(cell));
        return STATUS_OK;
    }
    if (decimal_to_int64(cell, &whole) == STATUS_OK) {
        *normal = whole_of(affinity, whole);
        return STATUS_OK;
    }
    double nearest = decimal_to_double(cell);
    if (decimal_from_double(nearest, arena, &back) == STATUS_OK &&
        decimal_compare(cell, &back) == 0) {
        *normal = number_of(affinity, nearest);
        return STATUS_OK;
    }
    return sqlite_target_normal_form(NULL, cell, arena, normal, error);
}

static struct cell digits_in(const struct cell *cell, struct arena *arena)
{
    struct buffer text = {0};
    char digits[NUMBER_TEXT_MAX];
    switch ((enum value_kind)cell->kind) {
    case VALUE_UINT64:
        buffer_append_uint64(&text, cell->u64);
        break;
    case VALUE_FLOAT32:
        buffer_append(&text, digits, number_from_float32((float)cell->f64, digits));
        break;
    case VALUE_FLOAT64:
        buffer_append(&text, digits, number_from_double(cell->f64, digits));
        break;
    default:
        buffer_format(&text, "%lld", (long long)cell->i64);
    }
    return made_text(&text, arena);
}

/* Only digits, signs, points and spaces may begin a number. */
static bool may_be_number(const struct cell *cell)
{
    return cell->length > 0 && (unsigned char)cell->text[0] <= '9';
}

/* A text that is a number as numbers are written becomes one; the writer refuses others that SQLite
 * would take for one. */
static enum status text_in(enum sqlite_affinity affinity, const struct cell *cell,
                           struct arena *arena, struct cell *normal, struct error *error)
{
    struct cell decimal;
    *normal = cell_text(cell->text, cell->length);
    if (affinity < SQLITE_AFFINITY_NUMERIC || !may_be_number(cell)) {
        return STATUS_OK;
    }
    enum status status = decimal_parse(cell->text, cell->length, arena, &decimal);
    if (status == STATUS_FAILED) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the normal form of a value");
    }
    return status == STATUS_END || decimal_special(&decimal) != 0
               ? STATUS_OK
               : decimal_in(affinity, &decimal, arena, normal, error);
}

enum status sqlite_target_normal_form_in_column(struct database *self, uint32_t column_class,
                                                const struct cell *cell, struct arena *arena,
                                                struct cell *normal, struct error *error)
{
    enum sqlite_affinity affinity = (enum sqlite_affinity)column_class;
    switch ((enum value_kind)cell->kind) {
    case VALUE_NULL:
        *normal = *cell;
        return STATUS_OK;
    case VALUE_BOOL:
    case VALUE_INT64:
        if (affinity != SQLITE_AFFINITY_TEXT) {
            *normal = whole_of(affinity, cell->i64);
            return STATUS_OK;
        }
        *normal = digits_in(cell, arena);
        return STATUS_OK;
    case VALUE_UINT64:
        if (affinity == SQLITE_AFFINITY_TEXT) {
            *normal = digits_in(cell, arena);
            return STATUS_OK;
        }
        if (cell->u64 <= INT64_MAX) {
            *normal = whole_of(affinity, cell->i64);
            return STATUS_OK;
        }
        break;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        if (affinity != SQLITE_AFFINITY_TEXT) {
            *normal = number_of(affinity, cell->f64);
            return STATUS_OK;
        }
        *normal = digits_in(cell, arena);
        return STATUS_OK;
    case VALUE_DECIMAL:
        return decimal_in(affinity, cell, arena, normal, error);
    case VALUE_TEXT:
    case VALUE_JSON:
        if (cell->length > SQL_LONG_BYTES) {
            break;
        }
        return text_in(affinity, cell, arena, normal, error);
    default:
        break;
    }
    return sqlite_target_normal_form(self, cell, arena, normal, error);
}

static struct cell normal_text(struct buffer *text, struct arena *arena)
{
    struct cell normal = cell_text(arena_copy(arena, text->data, text->length), text->length);
    buffer_free(text);
    return normal;
}

/* REAL and INTEGER hold one number: whole ones compare as whole numbers, -0.0 as 0. */
static struct cell normal_double(double value)
{
    if (value >= -9007199254740992.0 && value <= 9007199254740992.0 &&
        value == (double)(int64_t)value) {
        return cell_int64((int64_t)value);
    }
    return cell_float64(value);
}

static struct cell normal_decimal(const struct cell *cell, struct arena *arena)
{
    struct buffer text = {0};
    struct cell back;
    int64_t whole;

    if (decimal_to_int64(cell, &whole) == STATUS_OK) {
        return cell_int64(whole);
    }
    double nearest = decimal_to_double(cell);
    if (decimal_from_double(nearest, arena, &back) == STATUS_OK &&
        decimal_compare(cell, &back) == 0 && nearest == nearest) {
        return normal_double(nearest);
    }
    decimal_append_normal(cell, &text);
    return normal_text(&text, arena);
}

enum status sqlite_target_normal_form(struct database *database, const struct cell *cell,
                                      struct arena *arena, struct cell *normal, struct error *error)
{
    struct buffer text = {0};
    enum status status;

    (void)database;
    *normal = *cell;
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
        *normal = cell_null();
        return STATUS_OK;
    case VALUE_BOOL:
        *normal = cell_int64(cell->i64);
        return STATUS_OK;
    case VALUE_UINT64:
        if (cell->u64 <= INT64_MAX) {
            *normal = cell_int64((int64_t)cell->u64);
            return STATUS_OK;
        }
        buffer_append_uint64(&text, cell->u64);
        *normal = normal_text(&text, arena);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        *normal = normal_double(cell->f64);
        return STATUS_OK;
    case VALUE_DECIMAL:
        *normal = normal_decimal(cell, arena);
        return STATUS_OK;
    case VALUE_TEXT:
        normal->flags = 0;
        return STATUS_OK;
    case VALUE_DATE:
    case VALUE_TIME:
    case VALUE_TIMESTAMP:
    case VALUE_INTERVAL:
    case VALUE_UUID:
        status = convert_append_text(cell, false, &text, error);
        break;
    case VALUE_JSON:
        *normal = cell_text(cell->text, cell->length);
        return STATUS_OK;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        status = convert_append_json(cell, &text, error);
        break;
    default:
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        *normal = normal_text(&text, arena);
    }
    buffer_free(&text);
    return status;
}
