/* Resolving: from a document and two databases to the plan that the engine executes. */
#include "plan/resolve/resolve.h"
#include "plan/text/canonical_text.h"

/* ---------------------------------------------------------------- entities and streams */

static bool fields_are_identity(const struct entity_builder *entity)
{
    uint32_t count = entity->fields.count;
    if (entity->where != MAPPING_NONE || entity->when != MAPPING_NONE || entity->document_star ||
        entity->is_pages || count != entity->stream->field_column_count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct mapping_field *field = entity->fields.items[i];
        if (!field->direct || field->value.index != i) {
            return false;
        }
    }
    return true;
}

static bool key_needs_check(const struct entity_builder *entity)
{
    for (uint32_t i = 0; i < entity->fields.count; i++) {
        const struct mapping_field *field = entity->fields.items[i];
        if (field->is_key && (field->origin == NULL || !field->origin->not_null)) {
            return true;
        }
    }
    return false;
}

static bool drops_nulls(const struct entity_builder *entity)
{
    for (uint32_t i = 0; i < entity->fields.count; i++) {
        const struct mapping_field *field = entity->fields.items[i];
        if (field->nulls == NULLS_OMIT && (field->origin == NULL || !field->origin->not_null)) {
            return true;
        }
    }
    return false;
}

static bool all_direct(const struct entity_builder *entity)
{
    if (entity->where != MAPPING_NONE || entity->when != MAPPING_NONE || entity->document_star ||
        entity->distinct || entity->unnests) {
        return false;
    }
    for (uint32_t i = 0; i < entity->fields.count; i++) {
        if (!((const struct mapping_field *)entity->fields.items[i])->direct) {
            return false;
        }
    }
    return true;
}

static void make_mapping(struct resolver *resolver, struct entity_builder *entity)
{
    const struct stream_builder *stream = entity->stream;
    struct mapping *mapping = resolve_allocate(resolver, 1, sizeof *mapping);
    const char *const *const *except =
        resolve_array(resolver, &entity->star_except, sizeof(char *), &mapping->star_except_count);
    mapping->stream = stream->mapping;
    mapping->fields = resolve_array(resolver, &entity->fields, sizeof(struct mapping_field),
                                    &mapping->field_count);
    mapping->where = entity->where;
    mapping->when = entity->when;
    mapping->parent_where = entity->is_pages ? entity->parent->where : MAPPING_NONE;
    mapping->parent_when = entity->is_pages ? entity->parent->when : MAPPING_NONE;
    mapping->pages = entity->is_pages ? entity->pages->number : MAPPING_NONE;
    mapping->page_size = entity->page_size;
    const struct entity_builder *whose = entity->is_pages ? entity->parent : entity;
    mapping->matches = resolve_array(resolver, &whose->matches, sizeof(struct mapping_match),
                                     &mapping->match_count);
    mapping->sames =
        resolve_array(resolver, &whose->sames, sizeof(struct mapping_same), &mapping->same_count);
    mapping->unnest = unnest_make(resolver, entity->scope.unnest);
    mapping->distinct = entity->distinct;
    /* what the engine joins may come with more columns than the fields and the key */
    bool as_read = resolver->source_joins || stream->request.joins.count == 0;
    bool alone = as_read && stream->entities.count == 1 && stream->children.count == 0 &&
                 !entity->distinct && mapping->match_count == 0 && mapping->unnest == NULL;
    if (resolver->source_documents) {
        /* a document passes as it is when all its fields do and nothing is added */
        mapping->identity = alone && entity->document_star && entity->fields.count == 0 &&
                            entity->star_except.count == 0 && entity->where == MAPPING_NONE &&
                            entity->when == MAPPING_NONE && resolver->target_nested;
    } else {
        mapping->identity = alone && fields_are_identity(entity) && !key_needs_check(entity);
        mapping->identity_omits_nulls = mapping->identity && drops_nulls(entity);
    }
    mapping->all_direct = all_direct(entity);
    mapping->document_star = entity->document_star;
    mapping->star_except = (const char *const *)except;
    entity->mapping = mapping;
}

static void make_entities(struct resolver *resolver)
{
    struct plan *plan = resolver->plan;
    struct plan_entity *entities =
        resolve_allocate(resolver, resolver->entity_count + (size_t)1, sizeof *entities);
    uint32_t next = 0;
    for (uint32_t i = 0; i < resolver->tables.count; i++) {
        const struct table_builder *table = resolver->tables.items[i];
        for (uint32_t j = 0; j < table->entities.count; j++) {
            struct entity_builder *entity = table->entities.items[j];
            make_mapping(resolver, entity);
            if (resolve_stopped(resolver)) {
                return;
            }
            entities[next++] = (struct plan_entity){.number = entity->number,
                                                    .name = entity->name,
                                                    .table = table->number,
                                                    .stream = entity->stream->number,
                                                    .shape = entity->shape,
                                                    .mapping = entity->mapping,
                                                    .is_pages = entity->is_pages,
                                                    .from_text = entity->from_text};
        }
    }
    plan->entities = entities;
    plan->entity_count = next;
}

static void make_tables(struct resolver *resolver)
{
    struct plan *plan = resolver->plan;
    plan->tables =
        resolve_allocate(resolver, resolver->tables.count + (size_t)1, sizeof *plan->tables);
    for (uint32_t i = 0; i < resolver->tables.count; i++) {
        const struct table_builder *table = resolver->tables.items[i];
        struct plan_table *made = &plan->tables[i];
        uint32_t *entities =
            resolve_allocate(resolver, table->entities.count + (size_t)1, sizeof *entities);
        for (uint32_t j = 0; j < table->entities.count; j++) {
            entities[j] = ((const struct entity_builder *)table->entities.items[j])->number;
        }
        made->target = table->target;
        made->incremental = table->incremental;
        made->entities = entities;
        made->entity_count = table->entities.count;
        keys_prove(resolver, table, made);
        statics_prove(resolver, table, made);
        keys_find_promises(resolver, table, &made->target);
    }
    plan->table_count = resolver->tables.count;
}

static void mark_streams(struct resolver *resolver)
{
    const struct target_functions *target = resolver->target->connector->target;
    const struct express_functions *express = resolver->target->connector->express;
    bool accepts = resolver->source->connector == resolver->target->connector && target != NULL &&
                   express != NULL && express->accepts(resolver->target, resolver->source);
    for (uint32_t i = 0; i < resolver->streams.count; i++) {
        const struct stream_builder *stream = resolver->streams.items[i];
        /* made a moment ago, in this arena */
        struct plan_stream *made = (struct plan_stream *)&resolver->plan->streams[i];
        const struct entity_builder *entity = *(struct entity_builder **)stream->entities.items[0];
        made->identity = entity->mapping->identity && !entity->mapping->identity_omits_nulls &&
                         !made->masks_rows;
        made->request.partitions = made->identity && resolver->same_engine &&
                                   entity->table->there == NULL &&
                                   entity->table->target.key_shape.static_columns.count > 0;
        made->express = accepts && made->identity && entity->table->whole != NULL;
    }
}

/* ---------------------------------------------------------------- the whole */

static void resolve_tables(struct resolver *resolver)
{
    for (uint32_t i = 0; i < resolver->tables.count && !resolve_stopped(resolver); i++) {
        struct table_builder *table = resolver->tables.items[i];
        for (uint32_t j = 0; j < table->entities.count; j++) {
            if (((const struct entity_builder *)table->entities.items[j])->failed) {
                return;
            }
        }
        table_resolve(resolver, table);
    }
    for (uint32_t i = 0; i < resolver->tables.count && !resolve_stopped(resolver); i++) {
        references_resolve(resolver, resolver->tables.items[i]);
    }
    references_widen(resolver);
}

static void resolve_all(struct resolver *resolver)
{
    for (uint32_t i = 0; resolver->settings != NULL && i < resolver->settings->note_count; i++) {
        const struct plan_note *note = &resolver->settings->notes[i];
        resolve_note(resolver, note->level == PLAN_NOTE_WARNING,
                     arena_copy_string(resolver->arena, note->object), "%s", note->text);
    }
    udts_resolve(resolver);
    type_rules_resolve(resolver);
    patterns_check(resolver);
    bool copy =
        resolver->document == NULL || plan_node_get(resolver->document->root, "tables") == NULL;
    resolver->plan->plain = copy;
    names_resolve(resolver, copy);
    since_take_common(resolver);
    if (copy) {
        copy_resolve(resolver);
    } else {
        document_resolve(resolver);
    }
    if (!resolve_stopped(resolver)) {
        since_check_common(resolver);
        resolve_tables(resolver);
    }
    if (!resolve_stopped(resolver) && resolver->faults.count == 0) {
        renumber_resolve(resolver);
    }
    if (resolve_stopped(resolver) || resolver->faults.count > 0) {
        return;
    }
    masks_resolve(resolver);
    if (resolver->faults.count > 0) {
        return;
    }
    streams_finish(resolver);
    if (resolve_stopped(resolver) || resolver->faults.count > 0) {
        return;
    }
    make_entities(resolver);
    if (!resolve_stopped(resolver)) {
        make_tables(resolver);
        widened_note(resolver);
        type_rules_note_unused(resolver);
        mark_streams(resolver);
        hooks_resolve(resolver);
    }
}

static enum status resolve_finish(struct resolver *resolver, struct error *error)
{
    struct plan *plan = resolver->plan;
    if (resolver->fatal.code != ERROR_NONE) {
        return error_copy(error, &resolver->fatal);
    }
    if (plan_faults_result(&resolver->faults, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    plan->notes =
        resolve_array(resolver, &resolver->notes, sizeof(struct plan_note), &plan->note_count);
    canonical_text_make(plan, resolver->arena);
    return STATUS_OK;
}

static void init_resolver(struct resolver *resolver)
{
    uint32_t source = resolver->source->capabilities;
    uint32_t target = resolver->target->capabilities;
    resolver->source_documents =
        (source & CAPABILITY_FREE_FIELDS) != 0 && (source & CAPABILITY_SQL_SCHEMA) == 0;
    resolver->source_nested = (source & CAPABILITY_NESTED) != 0;
    resolver->source_joins = (source & CAPABILITY_JOINS) != 0;
    resolver->target_free = (target & CAPABILITY_FREE_FIELDS) != 0;
    resolver->target_nested = (target & CAPABILITY_NESTED) != 0;
    resolver->target_sql = (target & CAPABILITY_SQL_SCHEMA) != 0;
    resolver->same_engine = resolver->source->connector == resolver->target->connector;
    resolver->same_words =
        resolver->same_engine ||
        (resolver->source->words_of != NULL &&
         strcmp(resolver->source->words_of, resolver->target->connector->name) == 0);
}

enum status plan_resolve(const struct plan_document *document, struct database *source,
                         const struct schema *source_schema, struct database *target,
                         const struct plan_settings *settings, struct plan **plan,
                         struct buffer *faults, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct plan *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    *plan = NULL;
    made->arena = arena;
    made->document = document;
    made->source_schema = source_schema;
    made->time_zone = settings != NULL ? settings->time_zone : NULL;
    struct resolver resolver = {.arena = arena,
                                .plan = made,
                                .document = document,
                                .source = source,
                                .target = target,
                                .schema = source_schema,
                                .settings = settings};
    plan_faults_init(&resolver.faults, document != NULL ? document->name : "plain copy", faults);
    init_resolver(&resolver);
    resolve_all(&resolver);
    enum status status = resolve_finish(&resolver, error);
    expression_sandbox_destroy(resolver.sandbox);
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    *plan = made;
    return STATUS_OK;
}

void plan_destroy(struct plan *plan)
{
    if (plan != NULL) {
        arena_destroy(plan->arena);
    }
}
