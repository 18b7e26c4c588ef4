#include "engine/check/remedy.h"

#include "model/convert.h"
#include "model/time_text.h"
#include "model/time_zone.h"
#include "plan/propose/propose.h"
#include "plan/words/rule_text.h"
#include <string.h>

static bool is_time(enum value_kind kind)
{
    return kind == VALUE_TIMESTAMP || kind == VALUE_DATE || kind == VALUE_INTERVAL;
}

static const char *remedy_say(const struct remedy_case *of, const char *what)
{
    const char *rule = rule_text(of->session->plan, of->entity, of->field, what, of->scratch);
    return rule != NULL ? arena_format(of->scratch, "a plan can say %s", rule) : NULL;
}

/* The column that is to take it; NULL: its table is not there. */
static const struct schema_column *column_there(const struct remedy_case *of)
{
    const struct plan *plan = of->session->plan;
    const char *name = plan->tables[plan->entities[of->entity].table].target.name;
    const struct schema_table *table =
        of->session->there != NULL ? schema_find_table(of->session->there, name) : NULL;
    int at = table != NULL && of->field != NULL ? schema_find_column(table, of->field->name) : -1;
    return at >= 0 ? &table->columns[at] : NULL;
}

/* ---------------------------------------------------------------- moments that are counted */

/* The unit in which a number seems to count that is put where a moment should be, by its size: the
 * years from 1973 to 5138 in each unit, none of which overlap. NULL: it is no such number. */
static const char *epoch_of(const struct remedy_case *of)
{
    static const char *const units[] = {"epoch_s", "epoch_ms", "epoch_us", "epoch_ns"};
    const struct value_type number = {.kind = VALUE_FLOAT64};
    struct cell value = {0};
    struct error ignored;
    double least = 1e8;
    if (convert_value(of->value, &number, true, of->scratch, &value, &ignored) != STATUS_OK) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (value.f64 >= least && value.f64 < 1000 * least) {
            return units[i];
        }
        least *= 1000;
    }
    return NULL;
}

/* Is it a moment or a length of time, in words too? */
static bool holds_time(const struct cell *value)
{
    struct cell moment;
    return is_time((enum value_kind)value->kind) ||
           (value->kind == VALUE_TEXT &&
            time_parse_timestamp(value->text, value->length, &moment) == STATUS_OK);
}

static bool is_counted(const struct remedy_case *of)
{
    return of->field != NULL && of->field->type.epoch != EPOCH_NONE;
}

static const char *find_epoch(const struct remedy_case *of, enum value_kind kind)
{
    if (is_counted(of)) {
        return NULL;
    }
    enum value_kind from = (enum value_kind)of->value->kind;
    bool counts = is_time(kind) && (value_kind_is_number(from) || from == VALUE_TEXT);
    const char *unit = counts ? epoch_of(of) : NULL;
    if (unit != NULL) {
        return remedy_say(
            of, arena_format(of->scratch, "cast: %s, from: %s", value_kind_name(kind), unit));
    }
    if (value_kind_is_number(kind) && holds_time(of->value)) {
        const char *said = remedy_say(
            of, arena_format(of->scratch, "cast: %s, to: epoch_s", value_kind_name(kind)));
        return said != NULL ? arena_format(of->scratch, "%s, or epoch_ms, epoch_us, epoch_ns", said)
                            : NULL;
    }
    return NULL;
}

/* ---------------------------------------------------------------- values in place of null */

static bool is_missing(const struct cell *value)
{
    bool zero = (value->kind == VALUE_DATE || value->kind == VALUE_TIMESTAMP) &&
                (value->flags & CELL_SPECIAL) != 0 && value->i64 == CELL_ZERO_DATE;
    return value->kind == VALUE_NULL || value->kind == VALUE_MISSING || zero;
}

/* As YAML has it; NULL: nothing is as good as any other. */
static const char *plain_default(const struct value_type *type)
{
    switch (type->kind) {
    case VALUE_BOOL:
        return "false";
    case VALUE_TEXT:
        return "\"\"";
    case VALUE_DATE:
        return "\"1970-01-01\"";
    case VALUE_TIMESTAMP:
        return type->zoned ? "\"1970-01-01 00:00:00Z\"" : "\"1970-01-01 00:00:00\"";
    default:
        return value_kind_is_number(type->kind) ? "0" : NULL;
    }
}

/* The column's own, if it is a constant. */
static const char *own_default(const struct remedy_case *of, const struct schema_column *column)
{
    struct cell value;
    struct error ignored;
    if (column->default_kind != SCHEMA_DEFAULT_VALUE || column->default_value == NULL) {
        return NULL;
    }
    const struct cell text = cell_text(column->default_value, strlen(column->default_value));
    if (convert_value(&text, &column->type, false, of->scratch, &value, &ignored) != STATUS_OK) {
        return NULL;
    }
    if (value.kind == VALUE_BOOL) {
        return value.i64 != 0 ? "true" : "false";
    }
    if (value_kind_is_number((enum value_kind)value.kind)) {
        return column->default_value;
    }
    struct buffer quoted = {0};
    propose_append_quoted(&quoted, column->default_value);
    const char *copy = arena_copy_string(of->scratch, buffer_string(&quoted));
    buffer_free(&quoted);
    return copy;
}

/* `also`: "empty: null", or "". */
static const char *find_default(const struct remedy_case *of, const struct schema_column *column,
                                const char *also)
{
    const char *value = own_default(of, column);
    value = value != NULL ? value : plain_default(&column->type);
    return value != NULL ? remedy_say(of, arena_format(of->scratch, "%s%sdefault: %s", also,
                                                       *also != '\0' ? ", " : "", value))
                         : NULL;
}

/* ---------------------------------------------------------------- values that may be cut */

static bool takes(const struct remedy_case *of, const struct value_type *type, bool allow_loss,
                  struct cell *made)
{
    struct error ignored;
    return convert_value(of->value, type, allow_loss, of->scratch, made, &ignored) == STATUS_OK;
}

/* Is a zone all that it lacks? Then its message says how to name one. */
static bool lacks_zone(const struct remedy_case *of, const struct value_type *type)
{
    struct value_type zoned = is_counted(of) ? of->field->type : *type;
    struct error ignored;
    struct cell made;
    bool is_instant = zoned.kind == VALUE_TIMESTAMP && zoned.zoned;
    return (is_instant || is_counted(of)) && zoned.zone == NULL &&
           time_zone_make("UTC", of->scratch, &zoned.zone, &ignored) == STATUS_OK &&
           takes(of, &zoned, false, &made);
}

static const char *cast_name(const struct remedy_case *of, const struct value_type *type)
{
    return type->kind == VALUE_DECIMAL && type->precision > 0
               ? arena_format(of->scratch, "\"decimal(%d,%d)\"", (int)type->precision,
                              (int)type->scale)
               : value_kind_name(type->kind);
}

/* Does the table take the record with that value in the field? What it says of others does not
 * matter. */
static bool is_taken(const struct remedy_case *of, const struct cell *value)
{
    const struct trial_functions *trial = of->session->target->connector->trial;
    struct error error = {0};
    if (of->trial == NULL || of->shape == NULL) {
        return true;
    }
    uint32_t count = of->shape->field_count;
    struct cell *cells = arena_allocate_zeroed(of->scratch, count + 1u, sizeof(*cells));
    bool *passed = arena_allocate_zeroed(of->scratch, count + 1u, sizeof(*passed));
    for (uint32_t i = 0; i < count; i++) {
        bool changed = strcmp(of->shape->fields[i].name, of->field->name) == 0;
        cells[i] = changed ? *value : of->cells[i];
        passed[i] = !changed;
    }
    for (uint32_t i = 0; i < of->shape->key_field_count; i++) {
        passed[of->shape->key_fields[i]] = false; /* a record without its key is refused */
    }
    enum status status = trial->record(of->trial, of->shape, cells, passed, &error);
    return status != STATUS_FAILED || strcmp(error.object, of->field->name) != 0;
}

static const char *find_cut(const struct remedy_case *of, const struct value_type *type)
{
    struct cell made;
    if (of->field == NULL || of->field->allow_loss || lacks_zone(of, type) ||
        !takes(of, type, true, &made)) {
        return NULL;
    }
    if (!is_taken(of, &made)) {
        return NULL;
    }
    return remedy_say(of, arena_format(of->scratch, "cast: %s, lossy: allow", cast_name(of, type)));
}

const char *remedy_find(const struct remedy_case *of)
{
    const struct schema_column *column = column_there(of);
    const struct value_type *type = column != NULL      ? &column->type
                                    : of->field != NULL ? &of->field->type
                                                        : NULL;
    if (type == NULL) {
        return NULL;
    }
    if (is_missing(of->value)) {
        return column != NULL && column->not_null ? find_default(of, column, "") : NULL;
    }
    if (of->value->kind == VALUE_TEXT && of->value->length == 0) {
        return column != NULL && column->not_null ? find_default(of, column, "empty: null")
                                                  : remedy_say(of, "empty: null");
    }
    const char *found = find_epoch(of, type->kind);
    return found != NULL ? found : find_cut(of, type);
}
