/* The proposal for tables made of documents: a table a kind of record, one more for each list in
 * it. */
#include "plan/propose/propose.h"
#include "plan/propose/propose_kinds.h"
#include <string.h>
#include <strings.h>

enum { COLUMNS_MAX = KIND_FIELDS_MAX + 64 };

/* Names that a table has so far: no two differ in case only. */
struct names {
    const char *items[COLUMNS_MAX];
    uint32_t count;
};

/* The text, made unlike all names before it. */
static const char *add_name(struct proposal *proposal, struct names *names, const char *wanted)
{
    /* among a plan's fields * means all of them */
    wanted = strcmp(wanted, "*") == 0 ? "star" : wanted;
    const char *name = wanted;
    for (uint32_t i = 0, again = 2; i < names->count; i++) {
        if (strcasecmp(names->items[i], name) == 0) {
            name = arena_format(proposal->arena, "%s_%u", wanted, again++);
            i = UINT32_MAX;
        }
    }
    if (names->count < COLUMNS_MAX) {
        names->items[names->count++] = name;
    }
    return name;
}

/* The kind that all values seen can become. */
static const char *cast_of(uint32_t kinds)
{
    const uint32_t whole = 1u << VALUE_INT64 | 1u << VALUE_UINT64;
    const uint32_t numbers =
        whole | 1u << VALUE_DECIMAL | 1u << VALUE_FLOAT32 | 1u << VALUE_FLOAT64;
    const uint32_t nested = 1u << VALUE_LIST | 1u << VALUE_SET | 1u << VALUE_MAP | 1u << VALUE_JSON;
    kinds &= ~(1u << VALUE_NULL | 1u << VALUE_MISSING);
    if (kinds == 0 || (kinds & nested) != 0) {
        return kinds == 0 ? "text" : "json";
    }
    return (kinds & ~whole) == 0                ? (kinds == 1u << VALUE_UINT64 ? "uint64" : "int64")
           : (kinds & ~numbers) == 0            ? "decimal"
           : (kinds & ~(1u << VALUE_BOOL)) == 0 ? "bool"
           : (kinds & ~(1u << VALUE_BYTES)) == 0 ? "bytes"
                                                 : "text";
}

static void column(struct proposal *proposal, const char *name, const char *from, const char *cast)
{
    buffer_append_string(proposal->out, "      ");
    propose_append_scalar(proposal->out, name);
    buffer_append_string(proposal->out, ": { column: ");
    propose_append_quoted(proposal->out, from);
    if (cast != NULL) {
        buffer_format(proposal->out, ", cast: %s", cast);
    }
    buffer_append_string(proposal->out, " }\n");
}

static bool has_list(const struct kind_field *field)
{
    const uint32_t lists = 1u << VALUE_LIST | 1u << VALUE_SET;
    const uint32_t nothing = 1u << VALUE_NULL | 1u << VALUE_MISSING;
    return (field->kinds & lists) != 0 && (field->kinds & ~(lists | nothing)) == 0;
}

/* All elements are maps, or none is: else the list stays JSON. */
static bool becomes_table(const struct kind_field *field)
{
    bool maps = (field->element_kinds & 1u << VALUE_MAP) != 0;
    return has_list(field) && (!maps || field->element_kinds == 1u << VALUE_MAP);
}

static void begin_table(struct proposal *proposal, const char *table, const char *source,
                        const struct kinds *kinds, const char *last_key)
{
    struct buffer *out = proposal->out;
    buffer_append_string(out, "  ");
    propose_append_scalar(out, table);
    buffer_append_string(out, ":\n");
    for (uint32_t k = 0; k < kinds->key_count; k++) {
        buffer_append_string(out, k == 0 ? "    key: [" : ", ");
        propose_append_quoted(out, kinds->key[k]);
    }
    if (kinds->key_count > 0 && last_key != NULL) {
        buffer_append_string(out, ", ");
        propose_append_quoted(out, last_key);
    }
    buffer_append_string(out, kinds->key_count > 0 ? "]\n    from: " : "    from: ");
    propose_append_quoted(out, source);
    buffer_append_byte(out, '\n');
}

/* `match: { EntityType: "Order", PK: "CUSTOMER#{PK_2}" }` */
static void propose_kinds_write_match(struct proposal *proposal, const struct kinds *kinds,
                                      const struct kind *kind)
{
    struct buffer *out = proposal->out;
    const char *before = "    match: { ";
    if (kinds->type_field != NULL) {
        struct buffer literal = {0};
        for (const char *at = kind->type; *at != '\0'; at++) {
            buffer_append_byte(&literal, *at);
            if (*at == '{' || *at == '}') {
                buffer_append_byte(&literal, *at);
            }
        }
        buffer_append_string(out, before);
        propose_append_quoted(out, kinds->type_field);
        buffer_append_string(out, ": ");
        propose_append_quoted(out, buffer_string(&literal));
        buffer_free(&literal);
        before = ", ";
    }
    for (uint32_t k = 0; k < kind->key_count; k++) {
        bool is_type =
            kinds->type_field != NULL && strcmp(kinds->type_field, kind->keys[k].field) == 0;
        if (kind->keys[k].pattern != NULL && !is_type && (kinds->count > 1 || kinds->type_field)) {
            buffer_append_string(out, before);
            propose_append_quoted(out, kind->keys[k].field);
            buffer_append_string(out, ": ");
            propose_append_quoted(out, kind->keys[k].pattern);
            before = ", ";
        }
    }
    buffer_append_string(out, before[0] == ',' ? " }\n" : "");
}

/* Values of the key that no field has: columns of their own, where a match names them. */
static void key_parts(struct proposal *proposal, const struct kinds *kinds, const struct kind *kind,
                      struct names *names)
{
    for (uint32_t k = 0; k < kind->key_count && (kinds->count > 1 || kinds->type_field); k++) {
        const struct kind_key *key = &kind->keys[k];
        for (uint32_t i = 0; i < key->part_count && key->pattern != NULL; i++) {
            column(proposal, add_name(proposal, names, key->parts[i]), key->parts[i],
                   key->part_is_whole[i] ? "int64" : "text");
        }
    }
}

static void list_table(struct proposal *proposal, const struct kinds *kinds,
                       const struct kind *kind, const struct kind_field *list, const char *table,
                       const char *source)
{
    struct names names = {0};
    for (uint32_t k = 0; k < kinds->key_count; k++) {
        add_name(proposal, &names, kinds->key[k]);
    }
    const char *number = add_name(proposal, &names, "Nr");
    begin_table(proposal, table, source, kinds, number);
    propose_kinds_write_match(proposal, kinds, kind);
    buffer_append_string(proposal->out, "    unnest: [");
    propose_append_quoted(proposal->out, list->name);
    buffer_append_string(proposal->out, "]\n    fields:\n");
    for (uint32_t k = 0; k < kinds->key_count; k++) {
        uint32_t type = 0;
        for (uint32_t i = 0; i < kind->field_count; i++) {
            type = strcmp(kind->fields[i].name, kinds->key[k]) == 0 ? kind->fields[i].kinds : type;
        }
        column(proposal, kinds->key[k], arena_format(proposal->arena, "$parent.%s", kinds->key[k]),
               cast_of(type));
    }
    column(proposal, number, "$ordinal", NULL);
    for (uint32_t i = 0; i < list->element_count; i++) {
        column(proposal, add_name(proposal, &names, list->elements[i].name), list->elements[i].name,
               cast_of(list->elements[i].kinds));
    }
    if (list->element_count == 0) {
        column(proposal, add_name(proposal, &names, "Value"), "$value",
               cast_of(list->element_kinds));
    }
}

static void kind_tables(struct proposal *proposal, struct names *tables, const struct kinds *kinds,
                        const struct kind *kind, const char *source, uint32_t sampled)
{
    struct buffer *out = proposal->out;
    struct names names = {0};
    const char *table = add_name(proposal, tables, kind->name);
    buffer_format(out, "\n  # %u of the %u records sampled of ", kind->record_count, sampled);
    propose_append_comment(out, source);
    buffer_append_byte(out, '\n');
    begin_table(proposal, table, source, kinds, NULL);
    propose_kinds_write_match(proposal, kinds, kind);
    buffer_append_string(out, "    fields:\n");
    for (uint32_t k = 0; k < kinds->key_count; k++) {
        add_name(proposal, &names, kinds->key[k]);
    }
    for (uint32_t i = 0; i < kind->field_count; i++) {
        const struct kind_field *field = &kind->fields[i];
        bool is_key = false;
        for (uint32_t k = 0; k < kinds->key_count; k++) {
            is_key = is_key || strcmp(kinds->key[k], field->name) == 0;
        }
        if (!becomes_table(field)) {
            column(proposal, is_key ? field->name : add_name(proposal, &names, field->name),
                   field->name, cast_of(field->kinds));
        }
    }
    key_parts(proposal, kinds, kind, &names);
    for (uint32_t i = 0; i < kind->field_count; i++) {
        if (becomes_table(&kind->fields[i])) {
            const char *name = arena_format(proposal->arena, "%s_%s", table, kind->fields[i].name);
            list_table(proposal, kinds, kind, &kind->fields[i], add_name(proposal, tables, name),
                       source);
        }
    }
}

static void propose_kinds_write_explain(struct buffer *out)
{
    buffer_append_string(
        out,
        "# Assumed from a sample of each table's records: what kinds there are (told apart by a field "
        "that says it,\n# or by how keys begin), which fields they have, and what these hold. A value "
        "of another type will be a\n# reject, and so will a record of a kind that is not here; say "
        "unmatched: skip to leave such records out.\n# Lists are tables of their own; maps are JSON "
        "text. The key is the source's: a better one may be among the columns.\n");
}

enum status propose_write_kinds(struct proposal *proposal, struct database *source,
                                struct error *error)
{
    struct kind_sampler sampler = {0};
    struct names *tables = arena_allocate_zeroed(proposal->arena, 1, sizeof *tables);
    enum status status = kind_sampler_open(&sampler, source, proposal->arena, error);
    propose_kinds_write_explain(proposal->out);
    buffer_append_string(proposal->out, proposal->count ? "tables:\n" : "tables: {}\n");
    for (uint32_t i = 0; i < proposal->count && status == STATUS_OK; i++) {
        const struct schema_table *table = proposal->tables[i].table;
        struct kind_sample sample;
        struct kinds kinds;
        status = kind_sample_take(&sampler, table, &sample, error);
        if (status != STATUS_OK) {
            break;
        }
        if (sample.count == 0) {
            propose_write_unknown(proposal, table);
        } else {
            kinds_find(&sample, table, proposal->arena, &kinds);
            for (uint32_t k = 0; k < kinds.count; k++) {
                kind_tables(proposal, tables, &kinds, &kinds.kinds[k], table->name, sample.count);
            }
        }
        kind_sample_free(&sample);
    }
    kind_sampler_close(&sampler);
    return status;
}
