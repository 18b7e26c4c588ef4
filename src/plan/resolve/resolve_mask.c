/*
 * `mask:` of a plan: columns of the source whose values the target is not to have. A rule is for
 * all columns that its pattern fits; what a foreign key leads from one to another is masked on both
 * sides alike, so that references hold. The mapper masks rows before anything is made of them.
 */
#include "base/text.h"
#include "model/mask.h"
#include "plan/resolve/resolve.h"
#include <string.h>

struct masked {
    const struct schema_table *table;
    const struct schema_column *column;
    struct mask *mask;
    const char *text; /* of the rule */
    const struct plan_node *node;
    struct plan_shuffle *shuffle; /* of MASK_SHUFFLE, once it is checked */
};

static const struct plan_node *mask_node(const struct resolver *resolver, const char *key)
{
    return resolver->document != NULL
               ? plan_node_get(plan_node_get(resolver->document->root, "mask"), key)
               : NULL;
}

static struct masked *resolve_mask_find(const struct resolver *resolver,
                                        const struct schema_table *table, const char *column)
{
    for (uint32_t i = 0; i < resolver->masks.count; i++) {
        struct masked *masked = resolver->masks.items[i];
        if (masked->table == table && strcmp(masked->column->name, column) == 0) {
            return masked;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- rules */

static bool has_key(struct resolver *resolver, struct mask *mask, const struct plan_node *node)
{
    const struct plan_node *key = mask_node(resolver, "key");
    if (key != NULL && key->length > 0) {
        mask_set_key(mask, key->text);
        return true;
    }
    if (mask_needs_key(mask)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node,
                   "say mask: { key: \"${NAME}\" } or \"${file:PATH}\"; who has it can find out "
                   "which values were masked",
                   "'%s' needs a key", node->text);
        return false;
    }
    return true;
}

static void resolve_mask_add(struct resolver *resolver, const struct schema_table *table,
                             const struct schema_column *column, const struct plan_node *node)
{
    struct error error = {0};
    struct mask *mask = resolve_allocate(resolver, 1, sizeof *mask);
    if (resolve_mask_find(resolver, table, column->name) != NULL) {
        return; /* the first rule that fits holds */
    }
    if (mask_parse(node->text, resolver->arena, mask, &error) != STATUS_OK) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, error.hint, "%s", error.message);
        return;
    }
    if (!has_key(resolver, mask, node)) {
        return;
    }
    const struct value_type *type = &column->type;
    bool limited = (type->kind == VALUE_TEXT || type->kind == VALUE_BYTES) && type->precision > 0;
    uint32_t bits = type->bits == 0 ? 64 : type->bits;
    mask->characters_max = limited ? (uint32_t)type->precision : 0;
    mask->highest = type->kind == VALUE_UINT64 ? UINT64_MAX : (UINT64_C(1) << (bits - 1)) - 1;
    struct masked *masked = resolve_add(resolver, &resolver->masks, sizeof *masked);
    *masked = (struct masked){table, column, mask, node->text, node, NULL};
}

/* TABLE.COLUMN, patterns; what fits nothing would leave a column as it is. */
static void apply_rule(struct resolver *resolver, const struct plan_node *pattern,
                       const struct plan_node *node)
{
    const struct schema *schema = resolver->schema;
    struct buffer name = {0};
    bool fits = false;
    uint32_t faults = resolver->faults.count;
    for (uint32_t t = 0; t < schema->table_count && resolver->faults.count == faults; t++) {
        const struct schema_table *table = &schema->tables[t];
        for (uint32_t c = 0; c < table->column_count && resolver->faults.count == faults; c++) {
            buffer_clear(&name);
            buffer_format(&name, "%s.%s", table->name, table->columns[c].name);
            if (text_matches(pattern->text, buffer_string(&name))) {
                fits = true;
                resolve_mask_add(resolver, table, &table->columns[c], node);
            }
        }
    }
    buffer_free(&name);
    if (!fits) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, pattern,
                   "write TABLE.COLUMN; * and ? stand for any characters",
                   "no column of the source is '%s', which is to be masked", pattern->text);
    }
}

/* ---------------------------------------------------------------- references */

static uint32_t shorter(uint32_t one, uint32_t other)
{
    return one == 0 || (other != 0 && other < one) ? other : one;
}

/* A value that one side holds has to fit the other one as well. */
static bool share_bounds(struct mask *one, struct mask *other)
{
    uint32_t most = shorter(one->characters_max, other->characters_max);
    uint64_t highest = one->highest < other->highest ? one->highest : other->highest;
    bool changed = one->characters_max != most || other->characters_max != most ||
                   one->highest != highest || other->highest != highest;
    one->characters_max = other->characters_max = most;
    one->highest = other->highest = highest;
    return changed;
}

/* True: something changed. */
static bool agree(struct resolver *resolver, const struct schema_table *from, const char *column,
                  const struct schema_table *to, const char *referenced)
{
    int from_at = resolve_find_column(resolver, from, column);
    int to_at = resolve_find_column(resolver, to, referenced);
    if (from_at < 0 || to_at < 0) {
        return false;
    }
    struct masked *child = resolve_mask_find(resolver, from, from->columns[from_at].name);
    struct masked *parent = resolve_mask_find(resolver, to, to->columns[to_at].name);
    if (child == NULL && parent == NULL) {
        return false;
    }
    if (child != NULL && parent != NULL) {
        if (strcmp(child->text, parent->text) != 0) {
            plan_fault(&resolver->faults, ERROR_PLAN_INVALID, child->node,
                       "give both the same mask",
                       "%s.%s refers to %s.%s and is masked in another way", from->name, column,
                       to->name, referenced);
            return false;
        }
        return share_bounds(child->mask, parent->mask);
    }
    uint32_t before = resolver->masks.count;
    if (child != NULL) {
        resolve_mask_add(resolver, to, &to->columns[to_at], child->node);
    } else {
        resolve_mask_add(resolver, from, &from->columns[from_at], parent->node);
    }
    return resolver->masks.count > before;
}

static bool agree_by_key(struct resolver *resolver, const struct schema_table *from,
                         const struct schema_foreign_key *key)
{
    const struct schema_table *to = schema_find_table(resolver->schema, key->references);
    bool changed = false;
    if (to == NULL) {
        return false;
    }
    struct column_list referenced =
        key->referenced_columns.count > 0 ? key->referenced_columns : to->primary_key;
    for (uint32_t i = 0; i < key->columns.count && i < referenced.count; i++) {
        changed |= agree(resolver, from, key->columns.names[i], to, referenced.names[i]);
    }
    return changed;
}

static bool agree_once(struct resolver *resolver)
{
    bool changed = false;
    for (uint32_t t = 0; t < resolver->schema->table_count; t++) {
        const struct schema_table *table = &resolver->schema->tables[t];
        for (uint32_t i = 0; i < table->foreign_key_count; i++) {
            changed |= agree_by_key(resolver, table, &table->foreign_keys[i]);
        }
    }
    for (uint32_t i = 0; i < resolver->relations.count; i++) {
        const struct plan_relation *relation = resolver->relations.items[i];
        changed |= agree_by_key(resolver, relation->from, &relation->key);
    }
    return changed;
}

/* ---------------------------------------------------------------- checks */

/* Is it a part of what tells two records apart? */
static bool is_of_a_key(const struct masked *masked)
{
    const struct schema_table *table = masked->table;
    bool part = column_list_holds(table->primary_key, masked->column->name);
    for (uint32_t i = 0; i < table->index_count && !part; i++) {
        const struct schema_index *index = &table->indexes[i];
        part = index->unique && column_list_holds(index->columns, masked->column->name);
    }
    return part;
}

static void check_key(struct resolver *resolver, const struct masked *masked)
{
    enum { KEEPS_APART = 32 };
    uint32_t most = masked->mask->characters_max;
    bool cut = masked->column->type.kind == VALUE_TEXT && most > 0 && most < KEEPS_APART;
    if (is_of_a_key(masked) && (masked->mask->kind != MASK_HASH || cut)) {
        plan_fault(
            &resolver->faults, ERROR_PLAN_INVALID, masked->node,
            cut && masked->mask->kind == MASK_HASH
                ? "a hash that keeps values apart takes 32 characters: leave the column as it "
                  "is, or the table out"
                : "use hash, which keeps values apart",
            "%s.%s belongs to a key, and by '%s' two of its values may become one",
            masked->table->name, masked->column->name, masked->text);
    }
}

static bool is_of_a_reference(const struct masked *masked)
{
    const struct schema_table *table = masked->table;
    bool part = false;
    for (uint32_t i = 0; i < table->foreign_key_count && !part; i++) {
        part = column_list_holds(table->foreign_keys[i].columns, masked->column->name);
    }
    return part;
}

/* Rows are told apart by the primary key, which none of the other masks has touched yet. */
static void check_shuffle(struct resolver *resolver, struct masked *masked)
{
    const struct schema_table *table = masked->table;
    const char *why =
        is_of_a_reference(masked) ? "it refers to another table, which would not agree"
        : table->primary_key.count == 0 || !table->primary_key_not_null
            ? "the table has no primary key that tells its rows apart"
        : table->primary_key.count > PLAN_SHUFFLE_KEY_MAX ? "its primary key has too many columns"
        : table->has_heirs ? "rows of other tables are read as its own"
                           : NULL;
    if (why != NULL) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, masked->node,
                   "use hash, fake or redact VALUE", "%s.%s can't be shuffled: %s", table->name,
                   masked->column->name, why);
        return;
    }
    masked->shuffle = resolve_add(resolver, &resolver->shuffles, sizeof *masked->shuffle);
    *masked->shuffle = (struct plan_shuffle){.table = table,
                                             .column = masked->column->name,
                                             .key = table->primary_key,
                                             .mask = masked->mask};
}

static void resolve_mask_check(struct resolver *resolver, struct masked *masked)
{
    const char *why = mask_fit(masked->mask, masked->column->type.kind, resolver->arena);
    if (why != NULL) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, masked->node, NULL, "%s.%s: %s",
                   masked->table->name, masked->column->name, why);
    } else {
        check_key(resolver, masked);
    }
    if (masked->mask->kind == MASK_SHUFFLE && resolver->faults.count == 0) {
        check_shuffle(resolver, masked);
    }
    if (masked->mask->kind == MASK_HASH && masked->column->loose != NULL) {
        resolve_note(resolver, true, masked->table->name,
                     "%s: the source takes texts for equal that hash makes different (%s)",
                     masked->column->name, masked->column->loose);
    }
}

void masks_resolve(struct resolver *resolver)
{
    const struct plan_node *columns = mask_node(resolver, "columns");
    if (columns == NULL) {
        return;
    }
    if (resolver->source_documents) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, columns,
                   "mask a copy of it in a database with columns",
                   "the records of this source are documents, whose fields can't be masked");
        return;
    }
    for (uint32_t i = 0; i < columns->count; i++) {
        apply_rule(resolver, columns->keys[i], columns->items[i]);
    }
    while (resolver->faults.count == 0 && agree_once(resolver)) {
    }
    if (resolver->plan->renumber_count > 0) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, columns,
                   "mask a copy of it, then merge that",
                   "new keys (renumber) can't be told of masked ones");
    }
    for (uint32_t i = 0; i < resolver->masks.count && resolver->faults.count == 0; i++) {
        resolve_mask_check(resolver, resolver->masks.items[i]);
    }
    resolver->plan->shuffles = (struct plan_shuffle *const *)resolver->shuffles.items;
    resolver->plan->shuffle_count = resolver->shuffles.count;
}

/* ---------------------------------------------------------------- streams */

/* A view may show what is masked under the name of its table. */
static void check_view(struct resolver *resolver, const struct schema_table *table)
{
    if (table != NULL && table->kind != SCHEMA_TABLE) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, mask_node(resolver, "columns"),
                   "read its tables", "'%s' is no table, and might show what is masked in one",
                   table->name);
    }
}

/* Where the key's cells are; NULL, with a fault: the row does not bring it. */
static const uint32_t *find_key(struct resolver *resolver, const struct read_request *request,
                                uint32_t column, const struct masked *masked)
{
    const struct column_list key = masked->shuffle->key;
    uint32_t *at = resolve_allocate(resolver, key.count + 1u, sizeof *at);
    bool found = request->columns[column].join < 0;
    for (uint32_t i = 0; found && i < key.count; i++) {
        while (at[i] < request->column_count &&
               (request->columns[at[i]].join >= 0 || request->columns[at[i]].presence ||
                strcmp(request->columns[at[i]].name, key.names[i]) != 0)) {
            at[i]++;
        }
        found = at[i] < request->column_count;
    }
    if (!found) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, masked->node,
                   "leave it out there, or use hash, fake or redact VALUE",
                   "%s.%s is shuffled, and '%s' reads it as a part of another table's records",
                   masked->table->name, masked->column->name, request->name);
        return NULL;
    }
    return at;
}

static void add_mask(struct resolver *resolver, const struct read_request *request, uint32_t first,
                     uint32_t column, const struct masked *masked, struct plan_list *list)
{
    struct plan_mask *mask = resolve_add(resolver, list, sizeof *mask);
    *mask = (struct plan_mask){.column = column - first,
                               .mask = masked->mask,
                               .text = masked->text,
                               .shuffle = masked->shuffle};
    if (masked->shuffle != NULL) {
        mask->key = find_key(resolver, request, column, masked);
    }
}

static const struct plan_mask *resolve_mask_take(struct resolver *resolver,
                                                 const struct read_request *request, uint32_t first,
                                                 uint32_t *count)
{
    struct plan_list list = {0};
    check_view(resolver,
               request->table != NULL ? schema_find_table(resolver->schema, request->table) : NULL);
    for (uint32_t i = 0; i < request->join_count; i++) {
        check_view(resolver, schema_find_table(resolver->schema, request->joins[i].table));
    }
    /* shuffled ones first: they look at the key as it is */
    for (uint32_t turn = 0; turn < 2 * (request->column_count - first); turn++) {
        uint32_t i = first + turn % (request->column_count - first);
        bool shuffles = turn < request->column_count - first;
        const struct read_column *column = &request->columns[i];
        const char *name = column->join < 0 ? request->table : request->joins[column->join].table;
        const struct schema_table *table =
            name != NULL ? schema_find_table(resolver->schema, name) : NULL;
        const struct masked *masked = table != NULL && !column->presence
                                          ? resolve_mask_find(resolver, table, column->name)
                                          : NULL;
        if (masked != NULL && (masked->shuffle != NULL) == shuffles) {
            add_mask(resolver, request, first, i, masked, &list);
        }
    }
    return resolve_array(resolver, &list, sizeof(struct plan_mask), count);
}

void masks_take(struct resolver *resolver, struct plan_stream *stream)
{
    if (resolver->masks.count == 0) {
        return;
    }
    if (stream->request.query != NULL) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, mask_node(resolver, "columns"),
                   "read a table by from:",
                   "'%s' is a query, whose columns can't be masked: it might show what is masked "
                   "elsewhere",
                   stream->name);
        return;
    }
    resolver->plan->masks_values = true;
    const struct read_request *rows = stream->joined != NULL ? stream->joined : &stream->request;
    stream->masks = resolve_mask_take(resolver, rows, 0, &stream->mask_count);
    stream->masks_rows = stream->mask_count > 0;
    for (uint32_t i = 0; i < stream->child_count; i++) {
        struct plan_child *child = &stream->children[i];
        child->masks =
            resolve_mask_take(resolver, &child->request, child->root_key_count, &child->mask_count);
        stream->masks_rows = stream->masks_rows || child->mask_count > 0;
    }
}

const struct plan_node *masks_rule_of(const struct resolver *resolver,
                                      const struct schema_table *table, const char *column)
{
    const struct masked *masked = resolve_mask_find(resolver, table, column);
    return masked != NULL ? masked->node : NULL;
}
