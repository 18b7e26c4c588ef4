/* Templates read backwards: `match` says which records are an entity's, `parse` takes one value out
 * of a text. */
#include "plan/resolve/resolve.h"
#include "plan/words/template.h"
#include "plan/words/template_read.h"
#include <string.h>

/* ---------------------------------------------------------------- templates */

/* One that can be read backwards, NULL after a fault. Its values keep the names that were written.
 */
static const struct plan_template *readable_template(struct resolver *resolver,
                                                     const struct plan_node *node)
{
    struct plan_template *template = resolve_allocate(resolver, 1, sizeof *template);
    uint32_t second;
    template_parse(node, resolver->arena, &resolver->faults, template);
    if (template->count == 0) {
        return NULL;
    }
    if (!template_is_readable(template, &second)) {
        plan_fault_at(&resolver->faults, ERROR_PLAN_INVALID, template->parts[second].line,
                      template->parts[second].column, "put a literal between them",
                      "nobody can tell where '{%s}' ends and '{%s}' begins",
                      template->parts[second - 1].name, template->parts[second].name);
        return NULL;
    }
    if (template_value_count(template) > TEMPLATE_READ_VALUES_MAX) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, NULL,
                   "a template of more than %d values is not read backwards",
                   TEMPLATE_READ_VALUES_MAX);
        return NULL;
    }
    return template;
}

static struct mapping_part make_part(struct resolver *resolver, const char *field,
                                     struct value_reference from,
                                     const struct plan_template *template, uint32_t value)
{
    struct buffer text = {0};
    buffer_append_string(&text, field);
    buffer_append_string(&text, " as ");
    template_print(template, &text);
    const char *name = arena_copy(resolver->arena, buffer_string(&text), text.length);
    buffer_free(&text);
    return (struct mapping_part){.from = from, .template = template, .value = value, .name = name};
}

static uint32_t add_part(struct resolver *resolver, struct stream_builder *stream,
                         struct mapping_part part)
{
    struct mapping_part *kept = resolve_add(resolver, &stream->parts, sizeof *kept);
    *kept = part;
    return stream->parts.count - 1;
}

/* ---------------------------------------------------------------- parse */

static bool find_taken(struct resolver *resolver, const struct plan_node *field,
                       const struct plan_template *template, uint32_t *value)
{
    const struct plan_node *parse = plan_node_get(field, "parse");
    const struct plan_node *take = plan_node_get(field, "take");
    uint32_t count = template_value_count(template);
    const char *names[TEMPLATE_READ_VALUES_MAX];
    char hint[320];
    for (uint32_t i = 0; i < count; i++) {
        names[i] = template->parts[i].name;
    }
    if (count == 0) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, parse,
                   "name what is to be taken: \"ORDER#{OrderId}\"", "there is no value in '%s'",
                   parse->text);
        return false;
    }
    if (take == NULL && count > 1) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, parse, "say take: beside it",
                   "which of the %u values of '%s' is meant?", count, parse->text);
        return false;
    }
    *value = 0;
    while (take != NULL && *value < count && strcmp(names[*value], take->text) != 0) {
        ++*value;
    }
    if (*value == count) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, take,
                   plan_nearest_hint(take->text, names, count, hint, sizeof hint),
                   "'%s' is no value of '%s'", take->text, parse->text);
        return false;
    }
    return true;
}

bool parse_resolve(struct resolver *resolver, const struct scope *scope,
                   const struct plan_node *field, struct scope_value *value)
{
    const struct plan_node *parse = plan_node_get(field, "parse");
    const struct plan_template *template = readable_template(resolver, parse);
    uint32_t taken = 0;
    if (template == NULL || !find_taken(resolver, field, template, &taken)) {
        return false;
    }
    bool maybe_text = value->type.dynamic || value->type.kind == VALUE_TEXT ||
                      value->type.kind == VALUE_MISSING || value->type.kind == VALUE_NULL;
    if (!maybe_text) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, parse, NULL,
                   "a template made a text, but '%s' is %s", value->name,
                   value_kind_name(value->type.kind));
        return false;
    }
    uint32_t index = add_part(resolver, scope->stream,
                              make_part(resolver, value->name, value->reference, template, taken));
    value->reference = (struct value_reference){ORIGIN_PART, index};
    value->type = (struct value_type){.kind = VALUE_TEXT};
    value->column = NULL;
    value->is_root = false;
    return true;
}

/* ---------------------------------------------------------------- match */

static void add_name(struct resolver *resolver, struct entity_builder *entity, const char *name,
                     struct mapping_part part)
{
    struct scope_value *value = resolve_add(resolver, &entity->scope.values, sizeof *value);
    value->name = entity->unnests ? resolve_format(resolver, "$parent.%s", name) : name;
    value->reference.origin = ORIGIN_PART;
    value->reference.index = add_part(resolver, entity->stream, part);
    value->type.kind = VALUE_TEXT;
    value->not_null = true;
}

/* A name that stands in two templates means one text. */
static bool joins_same(struct resolver *resolver, struct entity_builder *entity, const char *name,
                       struct mapping_part part)
{
    const char *known = entity->unnests ? resolve_format(resolver, "$parent.%s", name) : name;
    struct scope_value value;
    if (!scope_has_value(&entity->scope, known, &value)) {
        return false;
    }
    struct mapping_same *same = resolve_add(resolver, &entity->sames, sizeof *same);
    same->left = *(const struct mapping_part *)entity->stream->parts.items[value.reference.index];
    same->right = part;
    return true;
}

static void match_template(struct resolver *resolver, struct entity_builder *entity,
                           const char *field, const struct plan_node *node,
                           struct mapping_match *match)
{
    match->template = readable_template(resolver, node);
    if (match->template == NULL) {
        entity->failed = true;
        return;
    }
    for (uint32_t i = 0; i < template_value_count(match->template); i++) {
        const char *name = match->template->parts[i].name;
        struct mapping_part part = make_part(resolver, field, match->value, match->template, i);
        part.of_record = true;
        if (!joins_same(resolver, entity, name, part)) {
            add_name(resolver, entity, name, part);
        }
    }
}

static void match_field(struct resolver *resolver, struct entity_builder *entity,
                        const struct scope *root, const struct plan_node *key,
                        const struct plan_node *node)
{
    struct scope_value value;
    struct mapping_match *match = resolve_add(resolver, &entity->matches, sizeof *match);
    if (!scope_find(resolver, root, key->text, key, &value)) {
        entity->failed = true;
        return;
    }
    match->field = key->text;
    match->value = value.reference;
    if (!resolve_scalar(resolver, node, &match->constant)) {
        entity->failed = true;
    } else if (match->constant.kind == VALUE_TEXT) {
        match_template(resolver, entity, key->text, node, match);
    }
}

void match_resolve(struct resolver *resolver, struct entity_builder *entity)
{
    const struct plan_node *node = plan_node_get(entity->node, "match");
    if (node == NULL) {
        return;
    }
    if (!resolver->source_documents || entity->is_pages) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, "say it with where:",
                   "'match' tells the records of one table apart that have no fixed columns");
        entity->failed = true;
        return;
    }
    /* what the whole record has, whatever of it becomes rows */
    struct scope root = {.stream = entity->stream,
                         .request = &entity->stream->request,
                         .join = -1,
                         .table = entity->from,
                         .documents = true};
    for (uint32_t i = 0; i < node->count && !resolve_stopped(resolver); i++) {
        match_field(resolver, entity, &root, node->keys[i], node->items[i]);
    }
}

/* ---------------------------------------------------------------- kinds of records */

static const struct mapping_match *find_match(const struct entity_builder *entity,
                                              const char *field)
{
    for (uint32_t i = 0; i < entity->matches.count; i++) {
        const struct mapping_match *match = entity->matches.items[i];
        if (strcmp(match->field, field) == 0) {
            return match;
        }
    }
    return NULL;
}

static bool may_both_hold(const struct mapping_match *left, const struct mapping_match *right)
{
    if (left->template != NULL && right->template != NULL) {
        return template_overlaps(left->template, right->template);
    }
    /* of two constants: numbers by value */
    return left->template == NULL && right->template == NULL &&
           scalar_equals(&left->constant, &right->constant);
}

static bool is_alike(const struct mapping_match *left, const struct mapping_match *right)
{
    if (right == NULL || (left->template == NULL) != (right->template == NULL)) {
        return false;
    }
    return left->template != NULL ? template_is_alike(left->template, right->template)
                                  : scalar_equals(&left->constant, &right->constant);
}

static bool kinds_are_alike(const struct entity_builder *left, const struct entity_builder *right)
{
    bool alike = left->matches.count == right->matches.count;
    for (uint32_t i = 0; i < left->matches.count && alike; i++) {
        const struct mapping_match *match = left->matches.items[i];
        alike = is_alike(match, find_match(right, match->field));
    }
    return alike;
}

static bool kinds_are_disjoint(const struct entity_builder *left,
                               const struct entity_builder *right)
{
    for (uint32_t i = 0; i < left->matches.count; i++) {
        const struct mapping_match *match = left->matches.items[i];
        const struct mapping_match *other = find_match(right, match->field);
        if (other != NULL && !may_both_hold(match, other)) {
            return true;
        }
    }
    return false;
}

static void check_pair(struct resolver *resolver, const struct stream_builder *stream,
                       const struct entity_builder *first, const struct entity_builder *second)
{
    const struct plan_node *match = plan_node_get(second->node, "match");
    if ((first->matches.count == 0) != (second->matches.count == 0)) {
        const struct entity_builder *all = first->matches.count == 0 ? first : second;
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, all->name_node,
                   "give it a match: of its own",
                   "'%s' takes every record of %s, those that fit the match of '%s' too", all->name,
                   stream->name, all == first ? second->name : first->name);
    } else if (match != NULL && !kinds_are_alike(first, second) &&
               !kinds_are_disjoint(first, second)) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, match,
                   "name a field in both by which they differ: EntityType: …",
                   "a record of %s could fit both '%s' and '%s'", stream->name, first->name,
                   second->name);
    }
}

void matches_check(struct resolver *resolver)
{
    for (uint32_t s = 0; s < resolver->streams.count && resolver->source_documents; s++) {
        const struct stream_builder *stream = resolver->streams.items[s];
        for (uint32_t i = 1; i < stream->entities.count; i++) {
            const struct entity_builder *second =
                *(struct entity_builder **)stream->entities.items[i];
            for (uint32_t j = 0; j < i; j++) {
                const struct entity_builder *first =
                    *(struct entity_builder **)stream->entities.items[j];
                /* pages are of the records of the entity whose list they cut */
                bool pages = first->is_pages || second->is_pages;
                if (!first->failed && !second->failed && first->node != NULL && !pages) {
                    check_pair(resolver, stream, first, second);
                }
            }
        }
    }
}

/* ---------------------------------------------------------------- unmatched */

static bool says_skip(struct resolver *resolver, const struct plan_node *node)
{
    if (strcmp(node->text, "skip") != 0 && strcmp(node->text, "reject") != 0) {
        plan_fault(&resolver->faults, ERROR_PLAN_INVALID, node, "say reject or skip",
                   "'%s' is nothing that could become of a record", node->text);
    }
    return strcmp(node->text, "skip") == 0;
}

void unmatched_resolve(struct resolver *resolver)
{
    const struct plan_node *node = plan_node_get(resolver->document->root, "unmatched");
    if (node == NULL) {
        return;
    }
    for (uint32_t i = 0; i < resolver->streams.count && node->kind == PLAN_NODE_SCALAR; i++) {
        ((struct stream_builder *)resolver->streams.items[i])->skip_unmatched =
            says_skip(resolver, node);
    }
    for (uint32_t i = 0; node->kind == PLAN_NODE_MAP && i < node->count; i++) {
        const struct schema_table *table =
            resolve_source_table(resolver, node->keys[i], node->keys[i]->text);
        bool skip = says_skip(resolver, node->items[i]);
        for (uint32_t s = 0; table != NULL && s < resolver->streams.count; s++) {
            struct stream_builder *stream = resolver->streams.items[s];
            stream->skip_unmatched |= stream->request.root == table && skip;
        }
    }
}
