/* The program that the mapper runs: made once by resolving, read only afterwards, shared by
 * threads. */
#ifndef TRANSHUME_PLAN_MAPPING_H
#define TRANSHUME_PLAN_MAPPING_H

#include "model/batch.h"
#include "model/schema.h"
#include "model/value.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MAPPING_NONE = UINT32_MAX };

/* Where a value comes from while a record is made. */
enum value_origin {
    ORIGIN_COLUMN, /* cell `index` of the row: a column of the root, of a join, or of a child row */
    ORIGIN_TEMPLATE,  /* templates[index]: the text of a look-up */
    ORIGIN_AGGREGATE, /* result of aggregates[index] */
    ORIGIN_PAGE,      /* number of the page */
    ORIGIN_LIST,      /* the page's part of the list */
    ORIGIN_PART,      /* parts[index]: what a template read backwards finds in a text */
    ORIGIN_PARENT,    /* cell `index` of the record whose list is unnested */
    ORIGIN_LEVEL,     /* unnest->levels[index]: a field of a map on the way to the list */
    ORIGIN_ORDINAL,   /* number of the unnested row within its record, from 1 */
    ORIGIN_ELEMENT    /* the unnested element itself */
};
struct value_reference {
    enum value_origin origin;
    uint32_t index;
};

/* Literals and values in turn: part i is its literal, then its value (none in the last part). */
struct template_part {
    const char *literal;
    uint32_t literal_length;
    bool literal_plain; /* printable ASCII without " and \ */
    bool has_value;
    struct value_reference value;
    uint32_t pad; /* zero-padded to so many digits, 0: no */
    uint32_t line;
    uint32_t column;
    const char *name;
};
struct plan_template {
    struct template_part *parts;
    uint32_t count;
};

/* One value of a template that is read backwards. */
struct mapping_part {
    struct value_reference from; /* the text */
    const struct plan_template *template;
    uint32_t value;   /* which of the template's values */
    bool of_record;   /* `from` means the record's row, not that of an unnested element */
    const char *name; /* "SK as ORDER#{InvoiceDate}#{InvoiceId}": for messages */
};

/* The value that a field of a record has to have for the record to belong to an entity. */
struct mapping_match {
    const char *field;
    struct value_reference value;
    const struct plan_template *template; /* NULL: */
    struct cell constant;                 /* NULL also stands for a field that is not there */
};
/* Two values of the templates that have to be the same text. */
struct mapping_same {
    struct mapping_part left;
    struct mapping_part right;
};

/* A field of a map that is passed on the way to an unnested list. */
struct mapping_level {
    uint32_t step; /* the map in which steps[step] was looked up, >= 1 */
    const char *name;
};
/* The list of a record whose elements become rows. */
struct mapping_unnest {
    const char *const *steps; /* names, from the record down */
    uint32_t step_count;
    uint32_t column;          /* of the row, that is the first step; MAPPING_NONE: documents */
    const char *const *names; /* fields of an element, one a cell of the row made of it */
    uint32_t name_count;
    const struct mapping_level *levels;
    uint32_t level_count;
    const char *text; /* "LineItems": for messages */
};

enum expression_operator {
    EXPRESSION_GENERAL,
    EXPRESSION_LESS,
    EXPRESSION_LESS_EQUAL,
    EXPRESSION_GREATER,
    EXPRESSION_GREATER_EQUAL,
    EXPRESSION_EQUAL,
    EXPRESSION_NOT_EQUAL
};
/* An SQLite expression over named values. */
struct plan_expression {
    const char *text;
    const char *const *names;
    const struct value_reference *values; /* pairwise with names */
    uint32_t count;
    enum expression_operator simple; /* values[0] against `literal`, if that is all there is */
    int64_t literal;
};

enum field_kind {
    FIELD_VALUE, /* `value` */
    FIELD_CONST,
    FIELD_TEMPLATE,
    FIELD_SQL,
    FIELD_EMBED
};

/* The policy for null and missing values. */
enum null_policy {
    NULLS_OMIT, /* the field is missing */
    NULLS_KEEP, /* null stays null, missing stays missing */
    NULLS_FILL  /* missing becomes null: targets where every record has every column */
};

struct plan_node;
struct plan_renumber;
struct mapping_field {
    const char *name;
    uint32_t name_length;
    bool name_plain; /* printable ASCII without " and \ */
    enum field_kind kind;
    bool direct; /* a FIELD_VALUE from a column with nothing to be done but the null policy */
    struct value_reference value;
    struct plan_template template;
    struct cell constant;
    uint32_t expression; /* FIELD_SQL */
    uint32_t when;       /* MAPPING_NONE: always */
    uint32_t list;       /* FIELD_EMBED */
    bool cast;
    bool fitted; /* cast to what a column that is there takes, not by the plan's word */
    bool allow_loss;
    bool merges;        /* by a rule of types two values of the source may become one */
    bool zero_is_null;  /* a day 0000-00-00 becomes null */
    bool empty_is_null; /* an empty text does */
    bool is_key;        /* null rejects the record */
    bool has_default;
    struct cell default_value;
    enum null_policy nulls;
    struct value_type type;             /* of the values made */
    const struct schema_column *origin; /* the source column taken as it is; NULL: made otherwise */
    const char *origin_name;            /* of a document's field taken as it is */
    const char
        *document_field; /* of a document's field that it is made of, cast or not; NULL: none */
    const struct plan_renumber *renumber; /* whose keys it holds; NULL: it is as the source's */
    const struct plan_node *type_rule;    /* the target's own type, by a rule; NULL: none */
    const char *reason; /* why its type is not that of the column it takes; NULL: nobody chose it */
};

enum aggregate_function {
    AGGREGATE_COUNT,
    AGGREGATE_COUNT_DISTINCT,
    AGGREGATE_SUM,
    AGGREGATE_MIN,
    AGGREGATE_MAX
};
struct mapping_aggregate {
    enum aggregate_function function;
    uint32_t child;
    uint32_t column; /* cell of the child row; MAPPING_NONE: count(*) */
    uint32_t
        presence; /* cell that says whether the path goes on to its end; MAPPING_NONE: it does */
    const char *text; /* "sum(Total) of Invoice": for messages */
};

/* A list of items made of a child's rows: of a record, or of the items of another list. */
struct mapping_list {
    uint32_t child;
    /* cells of the child row that tell which item of which row it becomes; none: the items hold no
     * lists */
    const uint32_t *key;
    uint32_t key_count;
    /* of a list within items: cells of its own child row that are the key of the item that holds
     * it, as many as the outer list's */
    const uint32_t *outer_key;
    uint32_t presence;
    uint32_t where;
    const struct mapping_field *fields;
    uint32_t field_count;
    /* cell of the child row that is a whole document: all of its fields but these names, then
     * `fields`; MAPPING_NONE: `fields` alone */
    uint32_t document;
    const char *const *star_except;
    uint32_t star_except_count;
    const char *text; /* "LineItems" */
};

/* Where a cell of the row made of a document comes from. */
struct mapping_slot {
    const char *name; /* the document's field of that name; NULL: */
    uint32_t cell;    /* a cell of the source's row behind the document: looked up for it */
};

/* Arrays that the entities of one stream share. Indexes in value references mean these. */
struct stream_mapping {
    const struct plan_expression *expressions;
    uint32_t expression_count;
    const struct plan_template *templates;
    uint32_t template_count;
    const struct mapping_aggregate *aggregates;
    uint32_t aggregate_count;
    const struct mapping_list *lists;
    uint32_t list_count;
    uint32_t child_count;
    bool documents;                   /* rows are MAP cells, with what was looked up behind: */
    const struct mapping_slot *slots; /* the row made of one */
    uint32_t slot_count;
    const struct mapping_part *parts;
    uint32_t part_count;
    const uint32_t *key_columns; /* cells of the row that are the source key */
    uint32_t key_count;
    bool skip_unmatched; /* a record that fits no entity's `matches` is left out, else rejected */
    bool target_nested;  /* lists and maps may be values, else they become JSON text */
};

/* One entity. */
struct mapping {
    const struct stream_mapping *stream;
    const struct mapping_field *fields;
    uint32_t field_count;
    uint32_t where;
    uint32_t when;
    uint32_t parent_where; /* pages: of the entity whose list is cut */
    uint32_t parent_when;
    uint32_t pages; /* the list that is cut, MAPPING_NONE: not pages */
    uint32_t page_size;
    const struct mapping_match *matches; /* a record belongs to it if all hold */
    uint32_t match_count;
    const struct mapping_same *sames;
    uint32_t same_count;
    const struct mapping_unnest *unnest; /* NULL: a record each, not a row an element */
    bool distinct;                       /* equal records under one key are one */
    bool identity;             /* fields are the row's cells in order: a batch passes as it is */
    bool identity_omits_nulls; /* but NULL becomes MISSING */
    bool all_direct;           /* every field is `direct`, there is no where nor when */
    bool document_star; /* all fields of the source document but these names, then `fields` */
    const char *const *star_except;
    uint32_t star_except_count;
};

/* The field of that name, or NULL. */
static inline const struct mapping_field *mapping_find_field(const struct mapping *mapping,
                                                             const char *name)
{
    for (uint32_t i = 0; i < mapping->field_count; i++) {
        if (strcmp(mapping->fields[i].name, name) == 0) {
            return &mapping->fields[i];
        }
    }
    return NULL;
}

#endif
