/*
 * The type that a column gets in another engine that has no like of its own, or has another custom:
 * an array becomes a list, tinyint(1) a truth value, a length of time an interval. Each is chosen
 * so that all values of the column are held; `types: keep` in the plan chooses none.
 */
#include "connectors/contract/defaults.h"
#include "plan/resolve/answers.h"
#include "plan/resolve/resolve.h"
#include <string.h>

/* Larger tables are not read through to choose a type: custom decides, and what it does not fit is
 * rejected one by one. */
#define ASKED_BYTES_MAX (INT64_C(1) << 30)

/* A field that takes a column as it is. */
struct own_field {
    struct resolver *resolver;
    const struct schema_table *table;
    const struct schema_column *column;
    /* of the target, which decides where it is there, so that a run goes on as it began; NULL: it
     * is to be made */
    const struct schema_column *there;
    struct mapping_field *field;
};

/* Do all values of the column pass the test, as they are now? */
static enum plan_answer ask_source(const struct own_field *own, enum value_test test)
{
    struct resolver *resolver = own->resolver;
    const struct schema_table *table = own->table;
    const struct source_functions *source = resolver->source->connector->source;
    struct error error;
    bool holds = false;
    bool is_view = table->kind == SCHEMA_VIEW && own->column->type.untyped;
    if (source->holds == NULL || resolve_is_gone(resolver, table->name) ||
        (table->kind != SCHEMA_TABLE && !is_view) || table->size_bytes > ASKED_BYTES_MAX) {
        return PLAN_ANSWER_UNASKED;
    }
    if (source->holds(resolver->source, table->name, own->column->name, test, &holds, &error) !=
        STATUS_OK) {
        resolve_fatal(resolver, &error);
        return PLAN_ANSWER_UNASKED;
    }
    return holds ? PLAN_ANSWER_YES : PLAN_ANSWER_NO;
}

/* The same as they were when this was first asked: later values change no type. */
static enum plan_answer values_answer(const struct own_field *own, enum value_test test)
{
    struct resolver *resolver = own->resolver;
    struct plan_answers *answers = resolver->settings != NULL ? resolver->settings->answers : NULL;
    const char *table = own->table->name;
    const char *column = own->column->name;
    const struct plan_values_answer *known =
        answers != NULL ? plan_answers_find_values(answers, table, column, test) : NULL;
    if (known != NULL || resolve_stopped(resolver)) {
        return known != NULL ? known->answer : PLAN_ANSWER_UNASKED;
    }
    enum plan_answer answer = ask_source(own, test);
    if (answers != NULL && !resolve_stopped(resolver)) {
        plan_answers_add_values(answers, table, column, test, answer);
    }
    return answer;
}

static bool is_in_key(const struct own_field *own)
{
    return column_list_holds(own->table->primary_key, own->column->name);
}

/* Does the column belong to a foreign key, of its table or of one that refers to it? */
static bool is_in_reference(const struct own_field *own)
{
    const struct schema *schema = own->resolver->schema;
    const char *name = own->column->name;
    for (uint32_t i = 0; i < schema->table_count; i++) {
        const struct schema_table *table = &schema->tables[i];
        for (uint32_t k = 0; k < table->foreign_key_count; k++) {
            const struct schema_foreign_key *key = &table->foreign_keys[k];
            bool refers = strcmp(table->name, own->table->name) == 0;
            bool referred = strcmp(key->references, own->table->name) == 0;
            if ((refers && column_list_holds(key->columns, name)) ||
                (referred && column_list_holds(key->referenced_columns, name))) {
                return true;
            }
        }
    }
    return false;
}

/* Keys stay as they are, so that both ends of a foreign key are made of one type. */
static bool has_to_stay(const struct own_field *own)
{
    return is_in_key(own) || (own->there == NULL && is_in_reference(own));
}

/* A default that no truth value is. */
static bool has_other_default(const struct schema_column *column)
{
    const char *value = column->default_value;
    return column->default_kind == SCHEMA_DEFAULT_VALUE && value != NULL &&
           strcmp(value, "0") != 0 && strcmp(value, "1") != 0;
}

static void become(const struct own_field *own, struct value_type type)
{
    own->field->type = type;
    own->field->cast = true;
    own->field->fitted = own->there != NULL;
    own->field->direct = false;
}

static void resolve_own_tell(const struct own_field *own, const char *what, const char *why)
{
    own->field->reason = why;
    const char *native = own->column->type.native;
    resolve_note(own->resolver, false, own->table->name,
                 "%s (%s) becomes %s, %s; `types: keep` keeps it", own->column->name,
                 native == NULL      ? value_kind_name(own->column->type.kind)
                 : native[0] != '\0' ? native
                                     : "no type",
                 what, why);
}

/* ---------------------------------------------------------------- each kind */

static bool become_list(const struct own_field *own)
{
    const struct value_type *type = &own->field->type;
    if (type->kind != VALUE_TEXT || type->element == NULL) {
        return false;
    }
    become(own, (struct value_type){.kind = own->resolver->target_nested ? VALUE_LIST : VALUE_JSON,
                                    .element = type->element});
    own->field->reason = "since its values are arrays";
    return true;
}

static bool become_truth(const struct own_field *own)
{
    if (!own->field->type.truth || has_to_stay(own) ||
        (own->there == NULL && has_other_default(own->column))) {
        return false;
    }
    enum plan_answer answer = PLAN_ANSWER_YES;
    if (own->there != NULL ? own->there->type.kind != VALUE_BOOL
                           : (answer = values_answer(own, VALUES_TRUTH)) == PLAN_ANSWER_NO) {
        return false;
    }
    become(own, (struct value_type){.kind = VALUE_BOOL});
    if (own->there != NULL) {
        return true;
    }
    resolve_own_tell(own, "a truth value",
                     answer == PLAN_ANSWER_YES
                         ? "since all of its values are 0 or 1"
                         : "as is the custom; other values than 0 and 1 are rejected");
    return true;
}

/* A column whose numbers the source counts itself, or one that refers to such. */
static bool is_counted(const struct own_field *own)
{
    const struct schema_table *table = own->table;
    if (own->column->identity) {
        return true;
    }
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &table->foreign_keys[i];
        const struct schema_table *other =
            schema_find_table(own->resolver->schema, key->references);
        if (other == NULL || key->columns.count != 1 || key->referenced_columns.count != 1 ||
            strcmp(key->columns.names[0], own->column->name) != 0) {
            continue;
        }
        int at = schema_find_column(other, key->referenced_columns.names[0]);
        if (at >= 0 && other->columns[at].identity) {
            return true;
        }
    }
    return false;
}

static bool become_counter(const struct own_field *own)
{
    if (own->field->type.kind != VALUE_UINT64 || !is_counted(own) ||
        (own->there != NULL ? own->there->type.kind != VALUE_INT64
                            : values_answer(own, VALUES_INT64) == PLAN_ANSWER_NO)) {
        return false;
    }
    become(own, (struct value_type){.kind = VALUE_INT64});
    if (own->there != NULL) {
        return true;
    }
    resolve_own_tell(own, "a number with a sign", "so that it goes on counting");
    return true;
}

/* Does the target have a type for lengths of time? */
static bool has_intervals(const struct resolver *resolver)
{
    const struct connector *target = resolver->target->connector;
    for (uint32_t i = 0; i < target->type_count; i++) {
        const struct type_mapping *mapping = &target->types[i];
        if (mapping->kind == VALUE_INTERVAL && mapping->writing != NULL) {
            return strncmp(mapping->loss, "exact", strlen("exact")) == 0;
        }
    }
    return false;
}

static bool become_length(const struct own_field *own)
{
    if (own->field->type.kind != VALUE_TIME || !own->field->type.length) {
        return false;
    }
    if (own->there == NULL && values_answer(own, VALUES_WITHIN_DAY) == PLAN_ANSWER_YES) {
        return false;
    }
    bool interval =
        own->there != NULL ? own->there->type.kind == VALUE_INTERVAL : has_intervals(own->resolver);
    bool text = own->there != NULL ? own->there->type.kind == VALUE_TEXT : !interval;
    if (interval) {
        become(own, (struct value_type){.kind = VALUE_INTERVAL});
    } else if (text) {
        become(own, (struct value_type){.kind = VALUE_TEXT, .layout = TEXT_CLOCK});
    }
    if (own->there == NULL) {
        resolve_own_tell(own, interval ? "an interval" : "a text",
                         "since it is a length of time, not a time of the day");
    }
    return interval || text;
}

/* Days that are none: 0000-00-00. */
static bool leave_zero_days(const struct own_field *own)
{
    struct mapping_field *field = own->field;
    bool day = field->type.kind == VALUE_DATE || field->type.kind == VALUE_TIMESTAMP;
    bool texts = connector_rules(own->resolver->target->connector)->text_times;
    bool needed = own->there != NULL && own->there->not_null && !field->has_default;
    if (!day || !field->type.zero_days || texts || needed || is_in_key(own) ||
        values_answer(own, VALUES_DAYS) != PLAN_ANSWER_NO) {
        return false;
    }
    field->zero_is_null = true;
    field->direct = false;
    resolve_note(own->resolver, false, own->table->name,
                 "%s (%s) has days 0000-00-00, which the target can't hold: they become %s; "
                 "`types: keep` rejects their records",
                 own->column->name, own->column->type.native,
                 field->has_default ? "the plan's default" : "NULL");
    return true;
}

/* Do all values pass, or is the column there of the kind that such values become? */
static bool are(const struct own_field *own, enum value_test test, enum value_kind kind)
{
    return own->there != NULL ? own->there->type.kind == kind
                              : values_answer(own, test) == PLAN_ANSWER_YES;
}

/* A text where numbers are floats, which do not keep all of its digits. */
static bool become_digits(const struct own_field *own)
{
    const struct value_type type = own->field->type;
    bool floats = connector_rules(own->resolver->target->connector)->float_decimals;
    enum { WHOLE_DIGITS = 18, FLOAT_DIGITS = 15 };
    bool wide =
        type.kind == VALUE_UINT64 ||
        (type.kind == VALUE_DECIMAL && !type.dynamic &&
         (type.precision <= 0 || type.precision > (type.scale == 0 ? WHOLE_DIGITS : FLOAT_DIGITS)));
    if (!floats || !wide) {
        return false;
    }
    if (own->there != NULL) {
        if (own->there->type.kind != VALUE_TEXT) {
            return false;
        }
    } else {
        enum plan_answer answer =
            values_answer(own, type.kind == VALUE_UINT64 ? VALUES_INT64 : VALUES_FLOAT);
        bool declared = type.kind == VALUE_DECIMAL && type.precision > 0;
        if (answer == PLAN_ANSWER_YES || (answer == PLAN_ANSWER_UNASKED && !declared)) {
            return false;
        }
        resolve_own_tell(own, "a text",
                         "which keeps all of its digits, as a number there would not");
    }
    become(own, (struct value_type){.kind = VALUE_TEXT});
    return true;
}

/* The type of the column there, or the one that it will have once it is made for values of that
 * type. */
static struct value_type made_as(const struct own_field *own, struct value_type type)
{
    const struct database *target = own->resolver->target;
    const struct catalog_functions *catalog = target->connector->catalog;
    if (own->there != NULL) {
        return own->there->type;
    }
    struct value_type made = type;
    if (catalog != NULL && catalog->made_type != NULL) {
        catalog->made_type(target, &type, own->resolver->arena, &made);
    }
    return made;
}

/* Does a column that the run makes for instants know that they are such? */
static bool makes_zoned(const struct own_field *own)
{
    struct own_field absent = *own;
    absent.there = NULL;
    return made_as(&absent, (struct value_type){.kind = VALUE_TIMESTAMP, .zoned = true}).zoned;
}

/* The zone of a value that names none: the plan's, or the one that the column's engine takes. */
static const struct time_zone *zone_of(const struct own_field *own)
{
    const struct time_zone *zone = own->resolver->plan->time_zone;
    return zone != NULL ? zone : own->there->type.zone;
}

static bool become_moment(const struct own_field *own)
{
    bool zoned = own->there != NULL && own->there->type.zoned;
    bool utc = !zoned && !makes_zoned(own);
    bool fits = own->there == NULL || (utc && own->there->type.kind == VALUE_TIMESTAMP);
    bool instants = fits && values_answer(own, VALUES_INSTANTS) == PLAN_ANSWER_YES;
    if (!instants && !are(own, VALUES_MOMENTS, VALUE_TIMESTAMP)) {
        return false;
    }
    become(own, (struct value_type){.kind = VALUE_TIMESTAMP,
                                    .zoned = zoned || (instants && !utc),
                                    .utc = instants && utc,
                                    .zone = zoned ? zone_of(own) : NULL});
    return true;
}

/* Texts that SQLite's own words call days or moments. */
static bool become_time(const struct own_field *own)
{
    const struct value_type *type = &own->field->type;
    /* Is the default a call that makes a text of the clock, of whose form something may make use?
     */
    bool clock_text = own->column->default_kind == SCHEMA_DEFAULT_CLOCK_TEXT ||
                      (own->column->default_kind == SCHEMA_DEFAULT_NOW &&
                       strchr(own->column->default_text, '(') != NULL);
    if ((!type->dates && !type->moments) || clock_text || has_to_stay(own) ||
        own->column->generated != GENERATED_NO) {
        return false;
    }
    if (type->moments) {
        if (!become_moment(own)) {
            return false;
        }
    } else if (are(own, VALUES_DATES, VALUE_DATE)) {
        become(own, (struct value_type){.kind = VALUE_DATE});
    } else {
        return false;
    }
    if (own->there == NULL) {
        resolve_own_tell(own,
                         type->kind == VALUE_DATE ? "a date"
                         : type->zoned            ? "a timestamp with a time zone"
                         : type->utc              ? "a timestamp in UTC"
                                                  : "a timestamp",
                         "since all of its values are such");
    }
    return true;
}

/* Decimals whose precision and scale the source only declares. */
static bool become_decimal(const struct own_field *own)
{
    const struct value_type type = own->field->type;
    const struct value_type declared = {
        .kind = VALUE_DECIMAL, .precision = type.precision, .scale = type.scale};
    if (type.kind != VALUE_DECIMAL || !type.dynamic || type.precision <= 0 || has_to_stay(own) ||
        own->column->generated != GENERATED_NO) {
        return false;
    }
    const struct value_type made = made_as(own, declared);
    if (made.precision != type.precision || made.scale != type.scale ||
        !are(own, VALUES_DECLARED, VALUE_DECIMAL)) {
        return false;
    }
    become(own, declared);
    return true;
}

/* A column without a type becomes what all of its values are. If they are of several kinds, it
 * stays one of texts, which such targets make of each. */
static bool become_stored(const struct own_field *own)
{
    static const struct {
        enum value_test test;
        enum value_kind kind;
        const char *what;
    } kinds[] = {{VALUES_TEXTS, VALUE_TEXT, NULL}, /* or nothing but NULL */
                 {VALUES_WHOLE, VALUE_INT64, "a whole number"},
                 {VALUES_NUMBER, VALUE_FLOAT64, "a float"},
                 {VALUES_BYTES, VALUE_BYTES, "bytes"}};
    const struct database *target = own->resolver->target;
    const uint32_t asked = CAPABILITY_SQL_SCHEMA | CAPABILITY_FREE_FIELDS | CAPABILITY_MIXED_KINDS;
    bool columns = (target->capabilities & asked) == CAPABILITY_SQL_SCHEMA;
    if (!own->field->type.untyped || !columns || own->there != NULL || has_to_stay(own) ||
        own->column->generated != GENERATED_NO) {
        return false;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (values_answer(own, kinds[i].test) == PLAN_ANSWER_YES) {
            if (kinds[i].what != NULL) {
                become(own, (struct value_type){.kind = kinds[i].kind});
                resolve_own_tell(own, kinds[i].what, "since all of its values are such");
            }
            return true;
        }
    }
    resolve_note(
        own->resolver, false, own->table->name,
        "%s has no type, and holds values of several kinds: each becomes a text, so that 1 and "
        "'1' are the same",
        own->column->name);
    return true;
}

void own_apply(struct resolver *resolver, const struct schema_table *table,
               const struct schema_column *column, const struct table_builder *target,
               struct mapping_field *field)
{
    if (resolver->same_words || table == NULL || column == NULL || resolve_keeps_types(resolver)) {
        return;
    }
    const struct own_field own = {
        .resolver = resolver,
        .table = table,
        .column = column,
        .there = target != NULL ? there_column(resolver, target->name, field->name) : NULL,
        .field = field};
    bool engine = resolver->target->connector->target->names != NULL; /* no files */
    if (!become_list(&own) && !become_stored(&own) && engine) {
        (void)(become_truth(&own) || become_counter(&own) || become_length(&own) ||
               leave_zero_days(&own) || become_time(&own) || become_decimal(&own) ||
               become_digits(&own));
    }
}
