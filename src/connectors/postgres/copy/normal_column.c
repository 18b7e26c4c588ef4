/*
 * The normal form of a value in a column that is there: what the writer would make of it for that
 * type, with as much told apart as the type keeps. So a text column tells 1 from 1.0, numeric
 * without a scale 0.1 from 0.10, and json the blanks between its parts.
 */
#include "base/text.h"
#include "connectors/postgres/target.h"
#include "connectors/sql/normal.h"
#include "model/convert.h"
#include "model/decimal.h"
#include <math.h>
#include <string.h>

const struct sql_rules postgres_rules = {0};

/* The class of a column: its kind in the lowest byte, and what else counts. */
enum {
    CLASS_KIND = 0xff,
    CLASS_ZONED = 1 << 8,
    CLASS_PADDED = 1 << 9,    /* character(n): blanks at the end are none */
    CLASS_VERBATIM = 1 << 10, /* json keeps its text, jsonb does not */
    CLASS_SCALED = 1 << 11,   /* numeric that keeps each number's own scale */
    CLASS_ADDRESS = 1 << 12 /* inet: read back in small letters, a single address without a mask */
};

uint32_t postgres_column_class(struct database *self, const struct schema_table *table,
                               const struct schema_column *column)
{
    const struct value_type *type = &column->type;
    const char *words = column->base != NULL ? column->base : type->native;
    const char *native = words != NULL ? words : "";
    bool padded = type->kind == VALUE_TEXT &&
                  (strcmp(native, "character") == 0 || strncmp(native, "character(", 10) == 0 ||
                   strcmp(native, "bpchar") == 0);
    bool limited = type->precision > 0 || strchr(native, '(') != NULL; /* numeric(5,-3), too */
    (void)self;
    (void)table;
    return (uint32_t)type->kind | (type->zoned ? CLASS_ZONED : 0) | (padded ? CLASS_PADDED : 0) |
           (strcmp(native, "json") == 0 ? CLASS_VERBATIM : 0) |
           (type->kind == VALUE_DECIMAL && !limited ? CLASS_SCALED : 0) |
           (strcmp(native, "inet") == 0 ? CLASS_ADDRESS : 0);
}

/* Digits and scale as they are; whole numbers of all kinds are one. */
static void as_scaled(const struct cell *cell, struct arena *arena, struct cell *normal)
{
    int64_t whole = 0;
    *normal = *cell;
    if (cell->kind == VALUE_UINT64 && cell->u64 <= INT64_MAX) {
        *normal = cell_int64((int64_t)cell->u64);
    } else if (cell->kind == VALUE_UINT64) {
        char digits[24];
        (void)!decimal_parse(digits, text_from_uint64(cell->u64, digits), arena, normal);
    } else if (cell->kind == VALUE_DECIMAL && decimal_special(cell) == 0 &&
               decimal_scale(cell) == 0 && decimal_to_int64(cell, &whole) == STATUS_OK) {
        *normal = cell_int64(whole);
    }
}

static bool is_kind(const struct cell *cell, uint32_t class)
{
    enum value_kind kind = (enum value_kind)(class & CLASS_KIND);
    bool number =
        kind == VALUE_DECIMAL && (cell->kind == VALUE_INT64 || cell->kind == VALUE_UINT64);
    bool timed = kind == VALUE_TIME || kind == VALUE_TIMESTAMP;
    bool special = (cell->flags & CELL_SPECIAL) != 0;
    bool zoned = (cell->flags & CELL_ZONED) != 0;
    return number ||
           (cell->kind == kind && (!timed || special || zoned == ((class & CLASS_ZONED) != 0)));
}

static enum status as_own(struct database *self, const struct cell *cell, uint32_t class,
                          struct arena *arena, struct cell *normal, struct error *error)
{
    switch ((enum value_kind)cell->kind) {
    case VALUE_DECIMAL:
    case VALUE_INT64:
    case VALUE_UINT64:
        if ((class & CLASS_SCALED) == 0) {
            return postgres_normal_form(self, cell, arena, normal, error);
        }
        as_scaled(cell, arena, normal);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        *normal = cell_float64(isnan(cell->f64) ? (double)NAN : cell->f64);
        return STATUS_OK;
    default:
        *normal = *cell;
        return STATUS_OK;
    }
}

enum status postgres_normal_form_in_column(struct database *self, uint32_t class,
                                           const struct cell *cell, struct arena *arena,
                                           struct cell *normal, struct error *error)
{
    enum value_kind kind = (enum value_kind)(class & CLASS_KIND);
    struct value_type wanted = {
        .kind = kind, .zoned = (class & CLASS_ZONED) != 0, .zone = self->time_zone};
    struct cell made;

    switch ((enum value_kind)cell->kind) {
    case VALUE_NULL:
    case VALUE_MISSING:
        *normal = cell_null();
        return STATUS_OK;
    case VALUE_ESCAPE:
        *normal = *cell;
        return STATUS_OK;
    case VALUE_LARGE:
        if (kind == VALUE_JSON) {
            break;
        }
        return postgres_normal_form(self, cell, arena, normal, error);
    default:
        break;
    }
    if (kind == VALUE_TEXT) {
        enum status status = sql_text_in_column(&(struct sql_rules){0}, cell,
                                                (class & CLASS_PADDED) != 0, arena, normal, error);
        return status == STATUS_OK && (class & CLASS_ADDRESS) != 0
                   ? sql_address_in_column(normal, arena, error)
                   : status;
    }
    if (kind == VALUE_JSON) {
        return sql_json_in_column(cell,
                                  (class & CLASS_VERBATIM) != 0 ? SQL_JSON_BYTES : SQL_JSON_VALUES,
                                  arena, normal, error);
    }
    if (is_kind(cell, class)) {
        return as_own(self, cell, class, arena, normal, error);
    }
    return convert_value(cell, &wanted, false, arena, &made, error) == STATUS_OK
               ? as_own(self, &made, class, arena, normal, error)
               : STATUS_FAILED;
}

enum status postgres_normal_form(struct database *database, const struct cell *cell,
                                 struct arena *arena, struct cell *normal, struct error *error)
{
    (void)database;
    return sql_normal_form(&postgres_rules, cell, arena, normal, error);
}
