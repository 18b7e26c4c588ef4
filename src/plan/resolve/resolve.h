/* The inside of resolving: builders that grow while the document is walked, turned into a plan at
 * the end. */
#ifndef TRANSHUME_PLAN_RESOLVE_RESOLVE_H
#define TRANSHUME_PLAN_RESOLVE_RESOLVE_H

#include "base/name_index.h"
#include "plan/mapping.h"
#include "plan/plan.h"
#include "plan/text/document_parts.h"
#include "plan/text/faults.h"
#include "plan/text/tree.h"
#include "plan/words/expression.h"
#include "plan/words/name_case.h"
#include "plan/words/scalar.h"

/* Pointers to zeroed items of an arena. */
struct plan_list {
    void **items;
    uint32_t count;
    uint32_t capacity;
};

/* One step of a path: from the table before it to `table`. */
struct path_step {
    const struct schema_table *table;
    struct column_list from_columns;
    struct column_list columns;
    bool many; /* down */
};
struct path {
    struct path_step *steps;
    uint32_t count;
    uint32_t down_count; /* steps up to the last one that goes down */
    const char *text;
};

/* A read_request while it grows. */
struct request_builder {
    const char *name;
    const char *table;
    const char *query;
    const struct schema_table *root;
    struct plan_list joins;   /* struct read_join */
    struct plan_list columns; /* struct read_column: without the key's */
    struct plan_list orders;  /* struct read_order */
    struct name_index names;  /* which of the columns a name was first asked for as */
};

struct child_builder {
    struct request_builder request;
    struct path path;               /* of the first that asked for it */
    const struct plan_list *orders; /* struct read_order, of the path's last table */
    int32_t last_join;              /* of `path` */
    uint32_t number;
    bool aggregate_only;
};

struct list_builder {
    struct mapping_list mapping;
    struct child_builder *child;
    struct entity_builder *entity;
    struct list_builder *outer;   /* whose items hold it; NULL: the records do */
    uint32_t depth;               /* 1: a list of records */
    struct path path;             /* from the root */
    struct plan_list fields;      /* struct mapping_field */
    struct plan_list star_except; /* const char * */
    struct scope *scope;
    const char *field_name;
    uint32_t when; /* of the field that embeds it */
    const struct plan_node *node;
    uint32_t number;
};

struct aggregate_builder {
    struct mapping_aggregate mapping;
    struct path path;
    const char *column; /* of the path's last table; NULL: count(*) */
    bool early;         /* has to be known before lists are built */
    struct value_type type;
};

struct stream_builder {
    uint32_t number;
    const char *name;
    struct request_builder request;
    struct stream_facts facts;
    struct column_list query_key;
    struct plan_list entities;    /* struct entity_builder *, see stream_entity */
    struct plan_list aggregates;  /* struct aggregate_builder */
    struct plan_list lists;       /* struct list_builder */
    struct plan_list children;    /* struct child_builder */
    struct plan_list expressions; /* struct plan_expression */
    struct plan_list templates;   /* struct plan_template */
    struct plan_list slots;       /* struct mapping_slot: of a document source */
    struct plan_list parts;       /* struct mapping_part */
    bool skip_unmatched;
    struct stream_mapping *mapping;
    const struct plan_since *since;
    uint32_t field_column_count; /* columns of the request that fields asked for: the first ones */
    bool has_pages;
};

/* The meaning of a name. */
struct scope_value {
    const char *name;
    struct value_reference reference;
    struct value_type type;
    bool not_null;
    const struct schema_column *column; /* NULL: made otherwise */
    bool is_root;                       /* a column of the entity's own table */
};

/* The list whose elements are an entity's rows. */
struct unnest_builder {
    struct plan_list steps;          /* const char * */
    struct plan_list names;          /* const char *: fields of the elements */
    struct plan_list levels;         /* struct mapping_level */
    const struct schema_table *root; /* what is known of the records; may be NULL */
    uint32_t column;                 /* of the request: the first step; MAPPING_NONE: documents */
    const char *text;
};

/* The names that a field, template or expression can use. */
struct scope {
    struct stream_builder *stream;
    struct request_builder *request;  /* where columns are added */
    int32_t join;                     /* whose columns are meant, -1: the root's */
    const struct schema_table *table; /* NULL: a document source without known columns */
    bool documents;
    struct plan_list values;       /* struct scope_value: look-ups, aggregates, $page, $list */
    const struct scope *outer;     /* pages: the parent's */
    struct unnest_builder *unnest; /* names mean an element's fields; NULL: the record's */
    struct list_builder *list;     /* names mean what its items are made of; NULL: records */
};

struct entity_builder {
    uint32_t number;
    const char *name;
    const struct plan_node *node; /* NULL in a plain copy */
    const struct plan_node *name_node;
    struct table_builder *table;
    struct stream_builder *stream;
    const struct schema_table *from; /* NULL: query without description */
    const char *from_text;
    struct scope scope;
    struct plan_list fields; /* struct mapping_field */
    uint32_t where;
    uint32_t when;
    enum null_policy nulls;
    bool is_pages;
    struct entity_builder *parent;
    struct list_builder *pages;
    uint32_t page_size;
    bool document_star;
    struct plan_list star_except;   /* const char * */
    struct plan_list matches;       /* struct mapping_match */
    struct plan_list sames;         /* struct mapping_same */
    const struct plan_since *since; /* NULL: all of its rows are read */
    bool unnests;
    bool distinct;
    struct shape *shape;
    struct mapping *mapping;
    bool failed; /* a fault was found that makes what follows meaningless */
};

struct table_builder {
    uint32_t number;
    const char *name;
    const struct plan_node *node; /* NULL in a plain copy */
    const struct plan_node *name_node;
    struct plan_list entities; /* struct entity_builder */
    struct target_table target;
    bool incremental;
    bool key_given;
    const struct schema_table *there; /* in the target already; NULL: it is to be made */
    const struct schema_table *whole; /* the one source table that it is a copy of; NULL: none */
};

/* The columns that tell the rows of a source table apart. */
struct table_key {
    const struct schema_table *table;
    struct column_list columns;
};

/* A foreign key that the plan tells. */
struct plan_relation {
    const struct schema_table *from;
    const struct schema_table *to;
    struct schema_foreign_key key;
};

struct resolver {
    struct arena *arena;
    struct plan *plan;
    const struct plan_document *document;
    struct database *source;
    struct database *target;
    const struct schema *schema;
    const struct plan_settings *settings;
    struct plan_faults faults;
    struct expression_sandbox *sandbox; /* made when it is first needed */
    struct plan_list tables;            /* struct table_builder */
    struct plan_list streams;           /* struct stream_builder */
    struct plan_list notes;             /* struct plan_note */
    struct plan_list relations;         /* struct plan_relation */
    struct plan_list type_rules;        /* struct type_rule, of resolve_types.c */
    struct plan_list wide_tables;       /* struct wide_table: large ones that were looked into */
    struct plan_list masks;             /* struct masked, of resolve_mask.c */
    struct plan_list hooks;             /* struct plan_hook */
    struct plan_list shuffles;          /* struct plan_shuffle */
    struct plan_list table_keys;        /* struct table_key: those that were asked for */
    /* that columns of the target may name: the plan's, then the source's */
    const struct schema_record_type *record_types;
    uint32_t record_type_count;
    uint32_t entity_count;
    struct {
        bool said;
        bool change; /* a plain copy: a table or a column has another name in the target */
        enum name_case letters;
        const char *prefix;
    } names;
    struct {
        const char *column; /* NULL: nothing is said for all tables */
        const struct plan_node *node;
        const struct plan_node *overlap;
        const struct plan_node *deletes;
        bool found; /* a table has the column */
    } since;
    bool source_documents;
    bool source_nested;
    bool source_joins;
    bool target_free;
    bool target_nested;
    bool target_sql;
    bool same_engine;
    bool same_words;    /* types of the source are named as those of the target */
    struct error fatal; /* of a database that was asked; code NONE: none */
};

void *resolve_allocate(struct resolver *resolver, size_t count, size_t size)
    __attribute__((returns_nonnull));
void *resolve_add(struct resolver *resolver, struct plan_list *list, size_t size)
    __attribute__((returns_nonnull));
/* The list's items in one array, and how many they are. */
void *resolve_array(struct resolver *resolver, const struct plan_list *list, size_t item_size,
                    uint32_t *count) __attribute__((returns_nonnull));
const char *resolve_format(struct resolver *resolver, const char *format, ...) PRINTF_LIKE(2, 3);
void resolve_note(struct resolver *resolver, bool warning, const char *object, const char *format,
                  ...) PRINTF_LIKE(4, 5);
/* A warning that `count` objects of the kind `left` ("view", "check") are not carried. */
void resolve_note_left(struct resolver *resolver, const char *left, uint32_t count,
                       const char *object, const char *format, ...) PRINTF_LIKE(5, 6);
/* An error that is not the plan's. */
void resolve_fatal(struct resolver *resolver, const struct error *error);
static inline bool resolve_stopped(const struct resolver *resolver)
{
    return resolver->fatal.code != ERROR_NONE;
}
/* The node's value; false: its number is out of range, a fault. */
bool resolve_scalar(struct resolver *resolver, const struct plan_node *node, struct cell *cell);
/* The source has no table of that name, with the nearest one; `before`: what the fault begins with.
 */
void resolve_fault_no_table(struct resolver *resolver, const struct plan_node *node,
                            const char *before, const char *name);
/* resolve_patterns.c: true if include and exclude patterns let a source table through. */
bool resolve_table_wanted(const struct resolver *resolver, const char *name);
/* Faults for names in them, without * and ?, that no table of the source has. */
void patterns_check(struct resolver *resolver);
/* schema_find_column, which looks at a table of many columns once. */
int resolve_find_column(struct resolver *resolver, const struct schema_table *table,
                        const char *name);
/* The source table of that name; a fault with the nearest name if there is none. */
const struct schema_table *resolve_source_table(struct resolver *resolver,
                                                const struct plan_node *node, const char *name);
/* A text or a list of texts as a column_list. */
struct column_list resolve_names(struct resolver *resolver, const struct plan_node *node);

/* resolve_names.c */
/* Reads the rules: before any table is resolved. `copy`: all tables go by them, and two of one name
 * are a fault. */
void names_resolve(struct resolver *resolver, bool copy);
const char *names_of_table(struct resolver *resolver, const char *name);
const char *names_of_column(struct resolver *resolver, const char *name);
/* Two names of the source, of columns of `table` or ("") of tables, would become one. */
void names_fault_collision(struct resolver *resolver, const char *table, const char *first,
                           const char *second, const char *both);
/* Has the table or one of its columns another name in the target? */
bool names_touch(struct resolver *resolver, const struct schema_table *table);

/* resolve_mask.c */
/* Reads the rules: once relations are known, and before streams are finished. */
void masks_resolve(struct resolver *resolver);
/* resolve_hooks.c; behind make_tables */
void hooks_resolve(struct resolver *resolver);
/* The masks of a finished stream's columns. */
void masks_take(struct resolver *resolver, struct plan_stream *stream);
/* The rule that masks a column; NULL: none does. */
const struct plan_node *masks_rule_of(const struct resolver *resolver,
                                      const struct schema_table *table, const char *column);

/* resolve_since.c: of an entity; of a stream, once its entities are known; what becomes of records
 * that are there in a table that is fed so. */
void since_resolve(struct resolver *resolver, struct entity_builder *entity);
/* Settings of the plan or `--since` for all tables: taken before any of them is resolved, checked
 * when they are (a column that none has is a fault). */
void since_take_common(struct resolver *resolver);
void since_check_common(struct resolver *resolver);
void since_take(struct resolver *resolver, const struct stream_builder *stream,
                struct plan_stream *made);
enum existing_policy since_policy(struct resolver *resolver, struct table_builder *table,
                                  enum existing_policy policy);

/* resolve_relations.c: before anything follows a path */
void relations_resolve(struct resolver *resolver);
/* The column of that name, of documents any; a fault with the nearest name: NULL. */
const char *resolve_match_column(struct resolver *resolver, const struct schema_table *table,
                                 const struct plan_node *node, const char *name);

/* resolve_path.c */
bool path_resolve(struct resolver *resolver, const struct schema_table *start,
                  const struct plan_node *node, const struct plan_node *match, bool start_down,
                  struct path *path);
/* `first`, then `second`, which begins where that one ends and goes down. */
struct path path_join(struct resolver *resolver, const struct path *first,
                      const struct path *second);
bool path_equal(const struct path *left, const struct path *right);
/* Equal up to the last step that goes down. */
bool path_equal_down(const struct path *left, const struct path *right);

/* resolve_stream.c */
uint32_t request_column(struct resolver *resolver, struct request_builder *request, int32_t join,
                        const char *name, bool presence);
int32_t request_join(struct resolver *resolver, struct request_builder *request, int32_t from,
                     const struct path_step *step);
int32_t request_path(struct resolver *resolver, struct request_builder *request, int32_t from,
                     const struct path *path);
struct stream_builder *stream_find_table(struct resolver *resolver,
                                         const struct schema_table *table);
struct stream_builder *stream_add_query(struct resolver *resolver, const struct plan_node *query,
                                        const char *name, struct column_list key,
                                        struct schema_table **table);
void stream_add_entity(struct resolver *resolver, struct stream_builder *stream,
                       struct entity_builder *entity);
/* `after`: only one whose rows come after that child's will do; NULL: any. */
struct child_builder *stream_child(struct resolver *resolver, struct stream_builder *stream,
                                   const struct path *path, const struct plan_list *orders,
                                   bool aggregate_only, const struct child_builder *after);
/* The columns that tell the table's rows apart, as the source says; all of them if it has none. */
/* A table that the source has no more: it can't be asked about it (plan_settings.gone). */
bool resolve_is_gone(const struct resolver *resolver, const char *table);
struct column_list stream_table_key(struct resolver *resolver, const struct schema_table *table);
/* Assigns aggregates to children and makes the plan's streams with their mappings. */
void streams_finish(struct resolver *resolver);

/* resolve_scope.c */
/* Where a document's field is in the row that is made of it. */
uint32_t stream_document_slot(struct resolver *resolver, struct stream_builder *stream,
                              const char *name);
/* Finds a name; a column is added to what is read. A fault with the nearest name if `node` is not
 * NULL. */
bool scope_find(struct resolver *resolver, const struct scope *scope, const char *name,
                const struct plan_node *node, struct scope_value *value);
uint32_t scope_expression(struct resolver *resolver, struct scope *scope,
                          const struct plan_node *node);
bool scope_template(struct resolver *resolver, const struct scope *scope,
                    const struct plan_node *node, struct plan_template *template);
/* Adds what look-up and aggregate fields of `fields` (NULL: none) make to the scope's names. */
void scope_collect(struct resolver *resolver, struct scope *scope, const struct plan_node *fields,
                   bool aggregates_allowed);
bool scope_has_value(const struct scope *scope, const char *name, struct scope_value *value);

/* resolve_renumber.c: once fields and references are known, and before streams are finished */
void renumber_resolve(struct resolver *resolver);

/* resolve_aggregate.c */
bool aggregate_resolve(struct resolver *resolver, struct scope *scope,
                       const struct plan_node *field, struct scope_value *value);

/* resolve_fields.c */
void fields_resolve(struct resolver *resolver, struct entity_builder *entity);
void fields_copy_all(struct resolver *resolver, struct entity_builder *entity);

/* resolve_list.c */
/* `scope`: of the records or items that hold the list. */
void list_resolve(struct resolver *resolver, struct scope *scope, struct entity_builder *entity,
                  const struct plan_node *node, struct mapping_field *field);

/* resolve_star.c */
/* `target` NULL: items of a list. */
void star_resolve(struct resolver *resolver, const struct scope *scope,
                  const struct table_builder *target, const struct plan_node *fields,
                  enum null_policy nulls, struct plan_list *out, bool leave_generated);

/* resolve_field.c */
/* One field of an entity (entity not NULL) or of a list's items. */
void field_resolve(struct resolver *resolver, struct scope *scope, struct entity_builder *entity,
                   const struct plan_node *key, const struct plan_node *node,
                   enum null_policy nulls, struct plan_list *out);

/* The type that `cast` in a field or a rule names, with `from` or `to` beside it; false: a fault
 * was said. */
bool cast_parse(struct resolver *resolver, const struct plan_node *beside, struct value_type *type);
/* The effect of a cast on all values of the field's type before it; false: a fault was said. */
bool cast_check(struct resolver *resolver, const struct plan_node *cast,
                const struct mapping_field *field, const struct value_type *to);

/* resolve_udts.c */
/* Reads the plan's types made of fields: before any column is resolved. */
void udts_resolve(struct resolver *resolver);
/* As scalar_native_type, with those types. */
bool udts_native_type(const struct resolver *resolver, const char *declared,
                      struct value_type *type);

/* A hint at what to write instead of one that it does not know; `hint` is room for it. */
const char *udts_type_hint(const struct resolver *resolver, const char *declared, char *hint,
                           size_t capacity);

/* resolve_types.c */
/* Reads the plan's rules: before any field is resolved. */
void type_rules_resolve(struct resolver *resolver);
/* Is there one for a column of the table? Then it is no whole copy. */
bool type_rules_touch(struct resolver *resolver, const struct schema_table *table);
/* The first rule that fits the column changes the field that takes it as it is, unless the type of
 * the target table's column is given. `table` and `column` NULL: there is no such column; `target`:
 * it is an item's field. */
void type_rules_apply(struct resolver *resolver, const struct schema_table *table,
                      const struct schema_column *column, const struct table_builder *target,
                      struct mapping_field *field);
/* Does the first rule that fits the column leave it out? */
bool type_rules_drop(struct resolver *resolver, const struct schema_table *table,
                     const struct schema_column *column);
void type_rules_note_unused(struct resolver *resolver);

/* resolve_own.c */
/* Changes a field that takes a column as it is to what another engine has for such. */
void own_apply(struct resolver *resolver, const struct schema_table *table,
               const struct schema_column *column, const struct table_builder *target,
               struct mapping_field *field);

/* resolve_match.c */
/* `match` of an entity: its conditions, and the names in its templates for the entity's scope. */
void match_resolve(struct resolver *resolver, struct entity_builder *entity);
/* No record may fit two entities, unless they take the same kind of record. */
void matches_check(struct resolver *resolver);
void unmatched_resolve(struct resolver *resolver);
/* `value`, a column, becomes what `parse` and `take` of the field make of its text. */
bool parse_resolve(struct resolver *resolver, const struct scope *scope,
                   const struct plan_node *field, struct scope_value *value);

/* resolve_unnest.c */
void unnest_resolve(struct resolver *resolver, struct entity_builder *entity);
/* A name in the scope of a list's elements: one of their fields, or $parent.X. False: there is no
 * such column. */
bool unnest_find(struct resolver *resolver, const struct scope *scope, const char *name,
                 struct scope_value *value);
const struct mapping_unnest *unnest_make(struct resolver *resolver,
                                         const struct unnest_builder *unnest);
/* After the table's key is known. */
void distinct_resolve(struct resolver *resolver, struct table_builder *table);

/* resolve_table.c */
void table_resolve(struct resolver *resolver, struct table_builder *table);
/* ---- resolve_key.c */

/* Sets key and key_shape of the table, given or the source's. */
void table_resolve_key(struct resolver *resolver, struct table_builder *table);
/* `{ partition: A, sort: B }`, `{ partition: [A, B], clustering: [{ C: desc }, D] }`, A or [A, B];
 * `shape` may be NULL. */
struct column_list table_key_parts(struct resolver *resolver, const struct plan_node *node,
                                   struct key_shape *shape);
/* Why a key or a unique index can't be carried to a column whose values table_fields_merge. */
extern const char table_values_merge[];
/* The node of the key's column `index`, for messages. */
const struct plan_node *table_key_node(const struct plan_node *key, uint32_t index);

/* ---- resolve_table.c */

bool table_has_field(const struct table_builder *table, const char *name);
/* A fault: `what` names something that is no field of any entity. */
void table_fault_field(struct resolver *resolver, const struct table_builder *table,
                       const struct plan_node *node, const char *name, const char *what);
/* The fields that take these source columns as they are, if the table has one entity and all of
 * them. */
struct column_list table_fields_of(struct resolver *resolver, const struct table_builder *table,
                                   struct column_list columns);
/* Is what is unique in these source columns perhaps not unique in the fields that take them? */
bool table_fields_merge(const struct table_builder *table, struct column_list columns);
/* The table is a copy of that one: of its whole definition, unless that is another engine's or a
 * rule of types changes one of its columns. */
void table_take_whole(struct resolver *resolver, struct table_builder *table,
                      const struct schema_table *from);
struct mapping_field *entity_field(const struct entity_builder *entity, const char *name);
/* `types: keep`: columns keep their types as they are. */
bool resolve_keeps_types(const struct resolver *resolver);

/* resolve_columns.c */
/* The type that the plan gives the target's column; NULL: none. */
const struct plan_node *table_column_type(const struct table_builder *table, const char *name);
void columns_resolve(struct resolver *resolver, struct table_builder *table);
/* The one of two limits (digits, bits) that has room for the values of both; 0: none. */
int32_t type_size_of_both(int32_t one, int32_t other);

/* resolve_there.c */
/* The table of that name that is in the target, or the only one that differs from it in case alone;
 * NULL: none. */
const struct schema_table *there_find(const struct resolver *resolver, const char *name);
/* The column of it that a field of that name goes into; NULL: none. */
const struct schema_column *there_column(const struct resolver *resolver, const char *table,
                                         const char *field);
/* Columns that keep their names take on those of the target's, which may differ in case. */
void there_take_names(struct resolver *resolver, struct table_builder *table);
/* The key of the table that is there, if `key` is none of it and the plan fills its columns; else
 * `key`. */
struct column_list there_key(struct resolver *resolver, const struct table_builder *table,
                             struct column_list key);
/* Fields become what the target's columns hold where the target would take them for something else:
 * texts into JSON, what has no type yet, and what the plan allows to be cut. */
void there_fit(struct resolver *resolver, struct table_builder *table);

/* resolve_references.c */
/* After all tables have their columns, keys and indexes. */
void references_resolve(struct resolver *resolver, struct table_builder *table);
/* After all references: whole numbers on both ends of one get as many bits, since some databases
 * take no other reference. */
void references_widen(struct resolver *resolver);

/* resolve_carry.c */
/* The words of the column that a target of the source's own engine understands. */
struct column_words carry_understood(struct resolver *resolver, const struct schema_column *column);
/* After the table has its columns: counters, defaults and comments, and notes on what stays behind.
 */
void carry_resolve(struct resolver *resolver, struct table_builder *table);

/* resolve_entity.c */
struct table_builder *table_add(struct resolver *resolver, const char *name);
struct entity_builder *entity_add(struct resolver *resolver, struct table_builder *table,
                                  const char *name);
/* The root of an entity: its stream and its names. */
void entity_use_table(struct resolver *resolver, struct entity_builder *entity,
                      const struct schema_table *from);
/* Reads all tables and entities of the document. */
void document_resolve(struct resolver *resolver);

/* resolve_copy.c */
void copy_resolve(struct resolver *resolver);

/* resolve_widened.c */
/* Notes on fields whose values the target keeps in another form. */
void widened_note(struct resolver *resolver);

/* statics.c */
/* Sets statics_proven. */
void statics_prove(struct resolver *resolver, const struct table_builder *table,
                   struct plan_table *result);

/* keys.c */
/* The root's columns whose values can be read back from those fields. True: they tell its rows
 * apart. */
bool keys_read_back(struct resolver *resolver, const struct table_builder *table,
                    const struct entity_builder *entity, struct column_list fields,
                    struct column_list *columns);
void keys_prove(struct resolver *resolver, const struct table_builder *table,
                struct plan_table *result);
/* Sets key_promised, and `promised` of the indexes. */
void keys_find_promises(struct resolver *resolver, const struct table_builder *table,
                        struct target_table *target);

#endif
