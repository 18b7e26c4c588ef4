/* The plan of what was learnt: a table each, with its fields, and one more for each list of maps
 * that is to be one. */
#include "connectors/contract/defaults.h"
#include "plan/resolve/learn_parts.h"

#include "plan/propose/propose.h"
#include "plan/text/tree.h"
#include <inttypes.h>
#include <string.h>
#include <strings.h>

enum { NAMED_MAX = 40, KEYS_MAX = 2 };

const char learnt_plan_mark[] = "# what follows was learned from all records of the source\n";

struct writer {
    struct learnt_plan *plan;
    bool floats; /* the target keeps decimals as floats */
    const struct schema *there;
    struct name_index tables; /* names so far */
    uint32_t note_capacity;
};

static void learn_write_note(struct writer *writer, bool warning, const char *object,
                             const char *text)
{
    struct learnt_plan *plan = writer->plan;
    plan->notes = arena_make_room(plan->arena, plan->notes, plan->note_count,
                                  &writer->note_capacity, sizeof *plan->notes);
    plan->notes[plan->note_count++] =
        (struct plan_note){.level = warning ? PLAN_NOTE_WARNING : PLAN_NOTE_INFO,
                           .object = object,
                           .text = arena_copy_string(plan->arena, text)};
}

/* The name, made unlike all before it: no two differ in case only. */
static const char *free_name(struct writer *writer, struct name_index *names, const char *wanted)
{
    /* among a plan's fields * means all of them */
    wanted = strcmp(wanted, "*") == 0 ? "star" : wanted;
    const char *name = wanted;
    for (uint32_t again = 2; name_index_find(names, name, strlen(name)) != NAME_INDEX_NONE;) {
        name = arena_format(writer->plan->arena, "%s_%u", wanted, again++);
    }
    (void)name_index_add(names, name, strlen(name), names->count);
    return name;
}

/* ---------------------------------------------------------------- types */

static const uint32_t nested_kinds =
    1u << VALUE_LIST | 1u << VALUE_SET | 1u << VALUE_MAP | 1u << VALUE_JSON;

static bool is_mixed(const struct learnt_field *field)
{
    struct value_type type = learnt_type_decide(&field->type);
    return type.dynamic && field->type.kinds != 0 && (field->type.kinds & ~nested_kinds) != 0;
}

/* Has it numbers of which the target would keep but the first digits? */
static bool is_too_exact(const struct writer *writer, const struct learnt_field *field)
{
    enum value_kind kind = learnt_type_decide(&field->type).kind;
    return writer->floats && field->type.beyond_float &&
           (kind == VALUE_DECIMAL || kind == VALUE_UINT64);
}

/* The word for `cast`. */
static const char *type_word(struct writer *writer, const struct learnt_field *field)
{
    struct value_type type = learnt_type_decide(&field->type);
    if (field->type.kinds != 0 && (field->type.kinds & ~nested_kinds) == 0) {
        return "json";
    }
    if (is_too_exact(writer, field)) {
        return "text";
    }
    if (field->raw_bytes && (field->type.kinds & ~(1u << VALUE_TEXT | 1u << VALUE_BYTES)) == 0) {
        return "bytes";
    }
    if (type.kind == VALUE_DECIMAL && type.precision > 0) {
        return arena_format(writer->plan->arena, "decimal(%d,%d)", (int)type.precision,
                            (int)type.scale);
    }
    return type.kind == VALUE_TIMESTAMP && type.zoned ? "timestamp with time zone"
                                                      : value_kind_name(type.kind);
}

/* "text, int64": the kinds of its values. */
static const char *kinds_text(struct writer *writer, uint32_t kinds)
{
    const char *text = "";
    for (uint32_t kind = 0; kind < VALUE_KIND_COUNT; kind++) {
        if ((kinds & 1u << kind) != 0) {
            text = arena_format(writer->plan->arena, "%s%s%s", text, *text == '\0' ? "" : ", ",
                                value_kind_name((enum value_kind)kind));
        }
    }
    return text;
}

/* ---------------------------------------------------------------- the target's own tables */

static const struct schema_table *table_there(const struct writer *writer, const char *name)
{
    const struct schema_table *folded = NULL;
    for (uint32_t i = 0; writer->there != NULL && i < writer->there->table_count; i++) {
        const struct schema_table *table = &writer->there->tables[i];
        if (strcmp(table->name, name) == 0) {
            return table;
        }
        folded = strcasecmp(table->name, name) == 0 ? table : folded;
    }
    return folded;
}

static bool has_column(const struct schema_table *there, const char *name)
{
    for (uint32_t i = 0; there != NULL && i < there->column_count; i++) {
        if (strcasecmp(there->columns[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- one table */

/* A table of the plan while it is written. */
struct table_writer {
    struct writer *writer;
    const struct learnt_table *learnt;
    const struct schema_table *there;
    const char *name;
    struct name_index names;
    const char *columns; /* "id int64, name text": for the note */
    uint32_t column_count;
};

static struct table_writer learn_write_begin(struct writer *writer,
                                             const struct learnt_table *learnt, const char *name)
{
    struct table_writer table = {.writer = writer,
                                 .learnt = learnt,
                                 .name = name,
                                 .columns = "",
                                 .names = {.arena = writer->plan->arena, .folded = true}};
    table.there = table_there(writer, table.name);
    buffer_append_string(&writer->plan->yaml, "  ");
    propose_append_quoted(&writer->plan->yaml, table.name);
    buffer_append_string(&writer->plan->yaml, ":\n");
    return table;
}

/* `    key: ["PK", "SK", "Nr"]`; nothing where the source declares none. */
static void write_key(struct table_writer *table, const char *last)
{
    struct buffer *yaml = &table->writer->plan->yaml;
    struct column_list key = table->learnt->table->primary_key;
    for (uint32_t i = 0; i < key.count; i++) {
        buffer_append_string(yaml, i == 0 ? "    key: [" : ", ");
        propose_append_quoted(yaml, key.names[i]);
    }
    if (key.count > 0 && last != NULL) {
        buffer_append_string(yaml, ", ");
        propose_append_quoted(yaml, last);
    }
    buffer_append_string(yaml, key.count > 0 ? "]\n" : "");
}

static void write_from(struct table_writer *table)
{
    struct buffer *yaml = &table->writer->plan->yaml;
    buffer_append_string(yaml, "    from: ");
    propose_append_quoted(yaml, table->learnt->table->name);
    buffer_append_byte(yaml, '\n');
}

/* `cast` NULL: as it comes. A column that is in the target says itself what it holds. */
static void write_column(struct table_writer *table, const char *name, const char *from,
                         const char *cast)
{
    struct arena *arena = table->writer->plan->arena;
    struct buffer *yaml = &table->writer->plan->yaml;
    const char *told = cast == NULL ? "" : cast;
    cast = has_column(table->there, name) ? NULL : cast;
    buffer_append_string(yaml, "      ");
    propose_append_quoted(yaml, name);
    buffer_append_string(yaml, ": { column: ");
    propose_append_quoted(yaml, from);
    buffer_format(yaml, cast != NULL ? ", cast: \"%s\" }\n" : " }\n", cast);
    if (table->column_count++ < NAMED_MAX) {
        table->columns =
            arena_format(arena, "%s%s%s%s%s", table->columns, table->column_count > 1 ? ", " : "",
                         name, *told == '\0' ? "" : " ", told);
    }
}

static void write_field(struct table_writer *table, const char *name,
                        const struct learnt_field *field)
{
    struct writer *writer = table->writer;
    struct arena *arena = writer->plan->arena;
    const char *word = type_word(writer, field);
    write_column(table, name, field->name, word);
    if (is_mixed(field) && !has_column(table->there, name)) {
        learn_write_note(writer, true, table->name,
                         arena_format(arena,
                                      "'%s' holds values of several kinds (%s): its column is %s%s",
                                      field->name, kinds_text(writer, field->type.kinds), word,
                                      field->raw_bytes && strcmp(word, "text") == 0
                                          ? "; bytes that are no text will be rejects"
                                          : ""));
    }
    if (is_too_exact(writer, field) && !has_column(table->there, name)) {
        learn_write_note(
            writer, true, table->name,
            arena_format(arena,
                         "the numbers of '%s' have more digits than the target keeps of numbers: "
                         "its column is text",
                         field->name));
    }
    if (strcmp(name, field->name) != 0) {
        learn_write_note(
            writer, true, table->name,
            arena_format(arena, "the field '%s' goes into the column '%s': %s", field->name, name,
                         strcmp(field->name, "*") == 0
                             ? "* means all fields in a plan"
                             : "another one has its name, or one that differs in case only"));
    }
}

static void note_columns(struct table_writer *table)
{
    struct arena *arena = table->writer->plan->arena;
    const char *more = "";
    const char *records = "its only record";
    if (table->learnt->records != 1) {
        records = arena_format(arena, "all %" PRIu64 " records", table->learnt->records);
    }
    if (table->column_count > NAMED_MAX) {
        more = arena_format(arena, " and %u more", table->column_count - NAMED_MAX);
    }
    learn_write_note(
        table->writer, false, table->name,
        arena_format(arena, "its columns were learned from %s%s: %s%s", records,
                     table->there != NULL ? "; those in the target say what they hold" : "",
                     table->columns, more));
}

static bool is_key(const struct learnt_table *learnt, const char *name)
{
    for (uint32_t i = 0; i < learnt->table->primary_key.count; i++) {
        if (strcmp(learnt->table->primary_key.names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- lists of maps */

static bool may_refer(const struct learnt_table *learnt, const char *name)
{
    const struct learnt_field *field = learnt_field_find(&learnt->fields, name);
    return field != NULL && field->type.kinds != 0 && (field->type.kinds & nested_kinds) == 0;
}

/* The fields by which the rows of its lists refer to it: its key, else some that are called like
 * one. */
static struct column_list parent_names(struct writer *writer, const struct learnt_table *learnt)
{
    static const char *const usual[][KEYS_MAX] = {{"PK", "SK"},   {"pk", "sk"}, {"id", NULL},
                                                  {"_id", NULL},  {"Id", NULL}, {"ID", NULL},
                                                  {"uuid", NULL}, {"key", NULL}};
    struct column_list names = learnt->table->primary_key;
    const char **made = arena_allocate_zeroed(writer->plan->arena, KEYS_MAX, sizeof(*made));
    for (size_t u = 0; names.count == 0 && u < sizeof usual / sizeof *usual; u++) {
        uint32_t count = usual[u][1] == NULL ? 1 : KEYS_MAX;
        bool all = true;
        for (uint32_t i = 0; i < count; i++) {
            all = all && may_refer(learnt, usual[u][i]);
            made[i] = usual[u][i];
        }
        names = all ? (struct column_list){.names = made, .count = count} : names;
    }
    return names;
}

/* Names that mean something else where lists are taken apart. */
static bool has_special_names(const struct learnt_field *list)
{
    for (uint32_t i = 0; i < list->elements.count; i++) {
        const char *name = list->elements.fields[i]->name;
        if (strcmp(name, "$value") == 0 || strcmp(name, "$ordinal") == 0 ||
            strncmp(name, "$parent.", 8) == 0) {
            return true;
        }
    }
    return false;
}

static bool becomes_table(const struct learnt_table *learnt, const struct learnt_field *field,
                          struct column_list parent)
{
    const uint32_t lists = 1u << VALUE_LIST | 1u << VALUE_SET;
    return learnt->child_tables && parent.count > 0 && field->type.kinds != 0 &&
           (field->type.kinds & ~lists) == 0 && field->element_kinds == 1u << VALUE_MAP &&
           !has_special_names(field);
}

static void write_list_table(struct writer *writer, const struct learnt_table *learnt,
                             const struct learnt_field *list, const char *parent_table,
                             struct column_list parent)
{
    struct arena *arena = writer->plan->arena;
    struct table_writer table = learn_write_begin(
        writer, learnt,
        free_name(writer, &writer->tables, arena_format(arena, "%s_%s", parent_table, list->name)));
    for (uint32_t i = 0; i < parent.count; i++) {
        (void)free_name(writer, &table.names, parent.names[i]);
    }
    const char *number = free_name(writer, &table.names, "Nr");
    write_key(&table, number);
    write_from(&table);
    buffer_append_string(&writer->plan->yaml, "    unnest: [");
    propose_append_quoted(&writer->plan->yaml, list->name);
    buffer_append_string(&writer->plan->yaml, "]\n    fields:\n");
    for (uint32_t i = 0; i < parent.count; i++) {
        const struct learnt_field *field = learnt_field_find(&learnt->fields, parent.names[i]);
        write_column(&table, parent.names[i], arena_format(arena, "$parent.%s", parent.names[i]),
                     field == NULL ? "text" : type_word(writer, field));
    }
    write_column(&table, number, "$ordinal", NULL);
    for (uint32_t i = 0; i < list->elements.count; i++) {
        const struct learnt_field *field = list->elements.fields[i];
        write_field(&table, free_name(writer, &table.names, field->name), field);
    }
    note_columns(&table);
    if (learnt->table->primary_key.count == 0) {
        learn_write_note(
            writer, true, table.name,
            arena_format(
                arena, "its rows name their record by '%s'%s, which nothing says is its key",
                parent.names[0],
                parent.count > 1 ? arena_format(arena, " and '%s'", parent.names[1]) : ""));
    }
}

/* ---------------------------------------------------------------- the whole */

/* The columns that the source has: all but those that become tables. */
static void write_star(struct table_writer *table, struct column_list parent)
{
    struct buffer *yaml = &table->writer->plan->yaml;
    const struct learnt_fields *fields = &table->learnt->fields;
    buffer_append_string(yaml, "      \"*\": copy\n");
    for (uint32_t i = 0; i < fields->count; i++) {
        if (becomes_table(table->learnt, fields->fields[i], parent)) {
            buffer_append_string(yaml, "      ");
            propose_append_quoted(yaml, fields->fields[i]->name);
            buffer_append_string(yaml, ": { drop: true }\n");
        }
    }
}

/* A key without records has the type that the source declares. */
static const char *key_word(struct writer *writer, const struct learnt_table *learnt,
                            const struct learnt_field *field, const char *name)
{
    int column = schema_find_column(learnt->table, name);
    if (field != NULL) {
        return type_word(writer, field);
    }
    enum value_kind kind = column < 0 ? VALUE_TEXT : learnt->table->columns[column].type.kind;
    return kind == VALUE_MISSING || kind == VALUE_NULL ? "text" : value_kind_name(kind);
}

static void write_fields(struct table_writer *table, struct column_list parent)
{
    const struct learnt_table *learnt = table->learnt;
    struct column_list key = learnt->table->primary_key;
    for (uint32_t i = 0; i < key.count; i++) {
        (void)free_name(table->writer, &table->names, key.names[i]);
        const struct learnt_field *field = learnt_field_find(&learnt->fields, key.names[i]);
        write_column(table, key.names[i], key.names[i],
                     key_word(table->writer, learnt, field, key.names[i]));
    }
    for (uint32_t i = 0; i < learnt->fields.count; i++) {
        const struct learnt_field *field = learnt->fields.fields[i];
        if (!is_key(learnt, field->name) && !becomes_table(learnt, field, parent)) {
            write_field(table, free_name(table->writer, &table->names, field->name), field);
        }
    }
    note_columns(table);
}

static void note_lists(struct writer *writer, const struct learnt_table *learnt, const char *table,
                       struct column_list parent)
{
    struct arena *arena = writer->plan->arena;
    for (uint32_t i = 0; learnt->child_tables && i < learnt->fields.count; i++) {
        const struct learnt_field *field = learnt->fields.fields[i];
        if ((field->element_kinds & 1u << VALUE_MAP) != 0 &&
            !becomes_table(learnt, field, parent)) {
            learn_write_note(
                writer, true, table,
                arena_format(arena, "the lists in '%s' stay JSON: %s", field->name,
                             parent.count == 0 ? "the records have no key that its rows could name"
                             : has_special_names(field)
                                 ? "a field of their maps is called $value, $ordinal or $parent"
                                 : "not all values are lists of maps alone"));
        }
    }
}

static void write_table(struct writer *writer, const struct learnt_table *learnt, const char *name)
{
    struct column_list parent = parent_names(writer, learnt);
    struct table_writer table = learn_write_begin(writer, learnt, name);
    write_key(&table, NULL);
    write_from(&table);
    buffer_append_string(&writer->plan->yaml, "    fields:\n");
    if (learnt->documents) {
        write_fields(&table, parent);
    } else {
        write_star(&table, parent);
    }
    note_lists(writer, learnt, table.name, parent);
    for (uint32_t i = 0; i < learnt->fields.count; i++) {
        if (becomes_table(learnt, learnt->fields.fields[i], parent)) {
            write_list_table(writer, learnt, learnt->fields.fields[i], table.name, parent);
        }
    }
}

/* Nothing is known of a table without records but perhaps its key. */
static bool is_unknown(const struct learnt_table *learnt)
{
    return learnt->documents && learnt->fields.count == 0 && learnt->table->primary_key.count == 0;
}

enum status learnt_plan_make(struct learnt_table *const *tables, uint32_t count,
                             const struct database *source, const struct database *target,
                             const struct schema *there, struct learnt_plan *plan,
                             struct error *error)
{
    *plan = (struct learnt_plan){.arena = arena_create(0)};
    struct writer writer = {.plan = plan,
                            .floats = connector_rules(target->connector)->float_decimals,
                            .there = there,
                            .tables = {.arena = plan->arena, .folded = true}};
    bool any = false;
    buffer_append_string(&plan->yaml, learnt_plan_mark);
    if ((source->capabilities & CAPABILITY_UNITS) != 0) {
        learn_write_note(
            &writer, true, "source",
            "all records are read twice, for their columns and to copy them: that takes twice the "
            "read units; a plan that names the fields saves the first reading (`transhume init`)");
    }
    /* the source's own names come before those of lists */
    const char **names = arena_allocate_zeroed(plan->arena, count + 1u, sizeof(*names));
    for (uint32_t i = 0; i < count; i++) {
        names[i] = free_name(&writer, &writer.tables, tables[i]->table->name);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (is_unknown(tables[i])) {
            learn_write_note(&writer, true, tables[i]->table->name,
                             tables[i]->records == 0
                                 ? "it has no record: nothing says which columns it has, "
                                   "and it is left out"
                                 : "none of its records has a field: it is left out");
            continue;
        }
        buffer_append_string(&plan->yaml, any ? "" : "tables:\n");
        any = true;
        write_table(&writer, tables[i], names[i]);
    }
    buffer_append_string(&plan->yaml, any ? "" : "tables: {}\n");
    return plan->yaml.length > PLAN_TEXT_BYTES_MAX / 2
               ? error_set(error, ERROR_SOURCE_INVALID, "source",
                           "its tables have more different fields than a plan can name")
               : STATUS_OK;
}

void learnt_plan_free(struct learnt_plan *plan)
{
    buffer_free(&plan->yaml);
    arena_destroy(plan->arena);
    *plan = (struct learnt_plan){0};
}
