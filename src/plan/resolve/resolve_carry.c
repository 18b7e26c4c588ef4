/*
 * Properties that a source table has besides its columns' types: counters, defaults, expressions,
 * checks, comments. The target's table gets what it has words for, of columns that are copied as
 * they are; all else is a note.
 */
#include "base/name_index.h"
#include "base/text.h"
#include "connectors/contract/defaults.h"
#include "model/convert.h"
#include "model/decimal.h"
#include "model/time_text.h"
#include "plan/resolve/answers.h"
#include "plan/resolve/resolve.h"
#include <math.h>
#include <string.h>

/* A column of the target and the one of the source that it is a copy of. */
struct carrying {
    struct resolver *resolver;
    const struct table_builder *table;
    struct name_index columns; /* of the table, by name */
    const struct entity_builder *entity;
    const struct schema_column *from;
    struct schema_column *column;
    bool alone; /* no other entity fills the table */
};

static void left_out(const struct carrying *carrying, const char *what, const char *words,
                     const char *why)
{
    char shown[200] = "";
    if (words != NULL) {
        size_t length = text_clip(words, strlen(words), sizeof shown / 2);
        text_printable(words, length, shown, sizeof shown);
    }
    resolve_note_left(carrying->resolver, what, 1, carrying->table->name,
                      "the %s of %s%s%s%s is not carried: %s", what, carrying->from->name,
                      words != NULL ? " (" : "", shown, words != NULL ? ")" : "", why);
}

/* ---------------------------------------------------------------- counters */

static bool is_counted(const struct schema_column *column)
{
    return column->identity || column->default_kind == SCHEMA_DEFAULT_COUNTER;
}

/* Within one engine the source counts no more columns of a table than the target can. */
static const char *place_left_behind(const struct carrying *carrying)
{
    const struct target_table *target = &carrying->table->target;
    const char *name = carrying->column->name;
    enum column_counting counting =
        connector_rules(carrying->resolver->target->connector)->counting;
    if (counting == COUNTING_ANY ||
        (target->key.count == 1 && strcmp(target->key.names[0], name) == 0)) {
        return NULL;
    }
    if (!carrying->resolver->same_engine || counting == COUNTING_KEY_ALONE) {
        return "there only a column that is the table's whole key counts";
    }
    return target_table_is_keyed(target, name)
               ? NULL
               : "in a table made by a plan only a column that the key or a unique index begins "
                 "with counts";
}

static const char *counter_left_behind(const struct carrying *carrying)
{
    const struct schema_column *column = carrying->column;
    enum value_kind kind = column->type.kind;
    bool whole = kind == VALUE_INT64 || (kind == VALUE_UINT64 && carrying->resolver->same_engine);
    if (!whole || column->type.dynamic) {
        return "there it is no whole number of up to 64 bits; a plan may say such a type for it";
    }
    return column->not_null ? place_left_behind(carrying) : "it may be NULL";
}

/* ---------------------------------------------------------------- defaults */

#define US_PER_DAY INT64_C(86400000000)

static const char another_type[] = "the column has another type there";

/* Years that every engine's days have. */
static bool is_plain_day(int64_t days)
{
    int64_t year = 0;
    int month = 0;
    int day = 0;
    time_civil_from_days(days, &year, &month, &day);
    return year >= 1 && year <= 9999;
}

/* Some servers refuse a default that they do not hold, and others the first record with it. */
static bool is_held_anywhere(const struct carrying *carrying, const struct cell *value)
{
    bool texts = connector_rules(carrying->resolver->target->connector)->text_times;
    bool special = (value->flags & CELL_SPECIAL) != 0;
    switch ((enum value_kind)value->kind) {
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return isfinite(value->f64);
    case VALUE_DECIMAL:
        return decimal_special(value) == 0;
    case VALUE_DATE:
        return texts || (!special && is_plain_day(value->i64));
    case VALUE_TIMESTAMP:
        return texts ||
               (!special && is_plain_day(value->i64 / US_PER_DAY - (value->i64 % US_PER_DAY < 0)));
    default:
        return true;
    }
}

/* The value as the column's own type has it; NULL: it has not, and why. */
static const char *value_text(const struct carrying *carrying, const char **why)
{
    struct resolver *resolver = carrying->resolver;
    const struct value_type *type = &carrying->column->type;
    const char *given = carrying->from->default_value;
    struct value_type to = *type;
    struct cell value = {0};
    struct buffer text = {0};
    struct error reason = {0};
    const char *made = NULL;
    enum status status;

    *why = another_type;
    switch (type->kind) {
    case VALUE_BYTES:
    case VALUE_ESCAPE:
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_MAP:
        return NULL; /* their texts are every engine's own */
    case VALUE_JSON:
        if (carrying->from->type.element != NULL) {
            break;
        }
        status = convert_read_json(given, strlen(given), resolver->arena, &value, &reason);
        return status == STATUS_OK ? given : NULL;
    default:
        break;
    }
    struct cell from = cell_text(given, strlen(given));
    to.element = to.kind == VALUE_JSON ? carrying->from->type.element : to.element;
    if (convert_value(&from, &to, false, resolver->arena, &value, &reason) != STATUS_OK) {
        return NULL;
    }
    if (!is_held_anywhere(carrying, &value)) {
        *why = "not every engine's column of its type holds such a value";
        return NULL;
    }
    if (convert_append_text(&value, false, &text, &reason) == STATUS_OK) {
        made = arena_copy_string(resolver->arena, buffer_string(&text));
    }
    buffer_free(&text);
    return made;
}

/* The clock's kinds: a moment in a column of dates is its day, a day is no moment. */
static enum schema_default_kind clock_kind(const struct carrying *carrying)
{
    enum schema_default_kind kind = carrying->from->default_kind;
    enum value_kind to = carrying->column->type.kind;
    if (to == VALUE_DATE) {
        return SCHEMA_DEFAULT_TODAY;
    }
    bool as_text = to == VALUE_TEXT && carrying->from->type.kind == VALUE_TEXT;
    bool fits = as_text || (to == VALUE_TIMESTAMP && kind == SCHEMA_DEFAULT_NOW);
    return fits ? kind : SCHEMA_DEFAULT_OWN;
}

/* A text that the clock writes stays one; in a column of moments or days it is that. */
static enum schema_default_kind clock_text_kind(const struct carrying *carrying)
{
    const char *format = carrying->from->default_value;
    bool day = strstr(format, "%Y") != NULL && strstr(format, "%m") != NULL &&
               strstr(format, "%d") != NULL;
    switch (carrying->column->type.kind) {
    case VALUE_TEXT:
        return SCHEMA_DEFAULT_CLOCK_TEXT;
    case VALUE_TIMESTAMP:
        return day ? SCHEMA_DEFAULT_NOW : SCHEMA_DEFAULT_OWN;
    case VALUE_DATE:
        return day ? SCHEMA_DEFAULT_TODAY : SCHEMA_DEFAULT_OWN;
    default:
        return SCHEMA_DEFAULT_OWN;
    }
}

static void carry_default(const struct carrying *carrying)
{
    static const char in_utc[] = "UTC"; /* as the clock's texts are */
    const struct schema_column *from = carrying->from;
    struct schema_column *column = carrying->column;
    enum schema_default_kind kind = from->default_kind;
    const char *why =
        kind == SCHEMA_DEFAULT_OWN ? "only its own engine understands it" : another_type;
    const char *value = NULL;
    if (kind == SCHEMA_DEFAULT_CLOCK_TEXT) {
        kind = clock_text_kind(carrying);
        value = kind == SCHEMA_DEFAULT_CLOCK_TEXT ? from->default_value : in_utc;
    } else if (kind == SCHEMA_DEFAULT_NOW || kind == SCHEMA_DEFAULT_TODAY) {
        kind = clock_kind(carrying);
        value = from->type.kind == VALUE_TEXT && column->type.kind != VALUE_TEXT ? in_utc : NULL;
    } else if (kind == SCHEMA_DEFAULT_VALUE && (value = value_text(carrying, &why)) == NULL) {
        kind = SCHEMA_DEFAULT_OWN;
    }
    if (!carrying->alone || kind == SCHEMA_DEFAULT_OWN) {
        left_out(carrying, "default", from->default_text,
                 carrying->alone ? why : "several entities fill the table");
        return;
    }
    column->default_kind = kind;
    column->default_value = value;
}

/* ---------------------------------------------------------------- within one engine */

/* Objects that a plain copy makes before its tables are not made by a plan. */
struct column_words carry_understood(struct resolver *resolver, const struct schema_column *column)
{
    const struct catalog_functions *catalog = resolver->target->connector->catalog;
    struct column_words understood = {true, true, true};
    struct error error = {0};
    struct plan_answers *answers = resolver->settings != NULL ? resolver->settings->answers : NULL;
    const struct plan_words_answer *known =
        answers != NULL ? plan_answers_find_words(answers, column) : NULL;
    if (!resolver->same_words || catalog == NULL || catalog->understands == NULL ||
        resolver->plan->same_engine_objects != NULL || resolve_stopped(resolver)) {
        return understood;
    }
    if (known != NULL) {
        return known->understood;
    }
    if (catalog->understands(resolver->target, column, &understood, &error) != STATUS_OK) {
        resolve_fatal(resolver, &error);
    } else if (answers != NULL) {
        plan_answers_add_words(answers, column->type.native, column->default_text,
                               column->collation, understood);
    }
    return understood;
}

/* True if the column keeps the default that it has in its own engine's words. */
static bool keeps_own_words(const struct carrying *carrying)
{
    static const char why[] =
        "the target has none of that name; make it there first, or move all by a plain copy";
    if (!carrying->resolver->same_engine) {
        return false;
    }
    struct column_words understood = carry_understood(carrying->resolver, carrying->from);
    if (!understood.type) {
        left_out(carrying, "type", carrying->from->type.native, why);
    }
    if (!understood.collation) {
        left_out(carrying, "collation", carrying->from->collation, why);
        carrying->column->collation = NULL;
    }
    return carrying->alone && understood.type && understood.default_text;
}

/* ---------------------------------------------------------------- columns */

static void leave_default(const struct carrying *carrying)
{
    static const char why[] = "the target's columns get none";
    const struct schema_column *from = carrying->from;
    carrying->column->identity = false;
    carrying->column->default_text = NULL;
    if (is_counted(from)) {
        left_out(carrying, "counter", NULL, why);
    } else if (from->default_kind != SCHEMA_DEFAULT_NONE) {
        left_out(carrying, "default", from->default_text, why);
    }
}

static void carry_column(const struct carrying *carrying)
{
    const struct schema_column *from = carrying->from;
    struct schema_column *column = carrying->column;
    if (from->generated != GENERATED_NO) {
        left_out(carrying, "expression", from->default_text, "its values are, as a plain column's");
        return;
    }
    if (from->extra != NULL) {
        left_out(carrying, "clause", from->extra, "only its own engine understands it");
    }
    if (!connector_rules(carrying->resolver->target->connector)->defaults) {
        leave_default(carrying);
        return;
    }
    bool own_words = keeps_own_words(carrying);
    column->default_text = own_words ? column->default_text : NULL;
    if (own_words ? from->identity : is_counted(from)) {
        const char *why = counter_left_behind(carrying);
        carrying->column->identity = why == NULL;
        if (why != NULL) {
            left_out(carrying, "counter", NULL, why);
        }
    } else if (!own_words && from->default_kind != SCHEMA_DEFAULT_NONE) {
        carry_default(carrying);
    }
}

static void index_columns(struct carrying *carrying)
{
    const struct target_table *target = &carrying->table->target;
    carrying->columns.arena = carrying->resolver->arena;
    for (uint32_t i = 0; i < target->column_count; i++) {
        const char *name = target->columns[i].name;
        (void)name_index_add(&carrying->columns, name, strlen(name), i);
    }
}

static struct schema_column *column_named(const struct carrying *carrying, const char *name)
{
    uint32_t number = name_index_find(&carrying->columns, name, strlen(name));
    return number != NAME_INDEX_NONE
               ? (struct schema_column *)&carrying->table->target.columns[number]
               : NULL;
}

static void carry_columns(struct carrying *carrying)
{
    const struct entity_builder *entity = carrying->entity;
    for (uint32_t i = 0; i < entity->fields.count; i++) {
        const struct mapping_field *field = entity->fields.items[i];
        carrying->from = field->origin;
        carrying->column = column_named(carrying, field->name);
        if (carrying->from != NULL && carrying->column != NULL) {
            carry_column(carrying);
        }
    }
}

/* ---------------------------------------------------------------- collations */

/* Between engines: in one line an entity, and not for --strict, since nearly each text of a MySQL
 * database has one. Tables that are there already have their own collations. */
static void note_collations(const struct carrying *carrying)
{
    const struct entity_builder *entity = carrying->entity;
    const struct schema_column *first = NULL;
    bool others = false;
    if (carrying->resolver->same_engine || carrying->table->there != NULL) {
        return;
    }
    for (uint32_t i = 0; i < entity->fields.count; i++) {
        const struct mapping_field *field = entity->fields.items[i];
        const struct schema_column *from = field->origin;
        const struct schema_column *column = column_named(carrying, field->name);
        if (from == NULL || column == NULL || from->loose == NULL ||
            from->type.kind != VALUE_TEXT) {
            continue;
        }
        others |= first != NULL;
        first = first != NULL ? first : from;
    }
    if (first != NULL) {
        resolve_note(carrying->resolver, false, carrying->table->name,
                     "texts of %s%s are compared by %s in the source, and by their bytes in a "
                     "table that the run makes: %s may be two there",
                     first->name, others ? " and others" : "",
                     first->collation != NULL ? first->collation : first->type.native,
                     first->loose);
    }
}

/* ---------------------------------------------------------------- checks and comments */

static void note_checks(const struct carrying *carrying)
{
    const struct schema_table *from = carrying->entity->from;
    for (uint32_t i = 0; i < from->check_count; i++) {
        const char *words = from->checks[i];
        bool plain = strncasecmp(words, "CHECK", 5) != 0;
        char shown[200];
        text_printable(words, text_clip(words, strlen(words), sizeof shown / 2), shown,
                       sizeof shown);
        resolve_note_left(carrying->resolver, "check", 1, carrying->table->name,
                          "the check %s%s%s of %s is not carried: it is in its own engine's words",
                          plain ? "(" : "", shown, plain ? ")" : "", from->name);
    }
}

/* As far as the target keeps them; the rest is told in one line. */
static const char *comment_kept(const struct carrying *carrying, const char *comment,
                                uint32_t *left)
{
    uint32_t most = carrying->resolver->target->limits.comment_bytes_max;
    if (comment == NULL || *comment == '\0') {
        return NULL;
    }
    bool kept = carrying->alone && strlen(comment) <= most;
    *left += !kept;
    return kept ? comment : NULL;
}

static void carry_comments(const struct carrying *carrying)
{
    const struct entity_builder *entity = carrying->entity;
    struct table_builder *table = carrying->entity->table;
    uint32_t left = 0;
    const char *comment = comment_kept(carrying, entity->from->comment, &left);
    table->target.comment = carrying->alone ? comment : NULL;
    for (uint32_t i = 0; i < entity->fields.count; i++) {
        const struct mapping_field *field = entity->fields.items[i];
        struct schema_column *column = column_named(carrying, field->name);
        if (field->origin != NULL && column != NULL) {
            column->comment = comment_kept(carrying, field->origin->comment, &left);
        }
    }
    if (left > 0) {
        resolve_note_left(carrying->resolver, "comment", left, table->name,
                          "%u of the comments of %s and its columns are not carried: %s",
                          (unsigned)left, entity->from->name,
                          !carrying->alone ? "several entities fill the table"
                          : carrying->resolver->target->limits.comment_bytes_max == 0
                              ? "the target keeps none"
                              : "the target keeps no longer ones");
    }
}

void carry_resolve(struct resolver *resolver, struct table_builder *table)
{
    struct carrying carrying = {
        .resolver = resolver, .table = table, .alone = table->entities.count == 1};
    const uint32_t makes_keys = CAPABILITY_SQL_SCHEMA | CAPABILITY_KEY_ENFORCED;
    uint32_t capabilities = resolver->target->capabilities;
    bool declares = connector_rules(resolver->target->connector)->defaults ||
                    (capabilities & makes_keys) == makes_keys;
    for (uint32_t i = 0; declares && i < table->entities.count; i++) {
        struct entity_builder *entity = table->entities.items[i];
        carrying.entity = entity;
        if (entity->from == NULL || entity->from->kind != SCHEMA_TABLE || entity->unnests) {
            continue;
        }
        if (carrying.columns.count == 0) {
            index_columns(&carrying);
        }
        carry_comments(&carrying);
        if (table->whole == NULL) {
            if (entity->from->details != NULL) {
                resolve_note_left(
                    resolver, "table option", 1, table->name,
                    "the table %s is carried without what only its own engine has: %s",
                    entity->from->name, entity->from->details);
            }
            carry_columns(&carrying);
            note_collations(&carrying);
            note_checks(&carrying);
        }
    }
}
