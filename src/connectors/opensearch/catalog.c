/* Which indexes there are, and what their documents are made of. */
#include "connectors/opensearch/source.h"

#include "model/json_tree.h"
#include "model/json_writer.h"
#include <stdlib.h>

/* ---------------------------------------------------------------- indexes */

/* A server without any index has nothing to copy; a prefix that none has is most likely wrong. */
static enum status refuse_none(const struct opensearch_database *self, struct error *error)
{
    if (self->keyed.mode != OPEN_SOURCE || self->prefix[0] == '\0') {
        return STATUS_OK;
    }
    error_set(error, ERROR_SOURCE_MISSING, self->keyed.uri->shown,
              "no index has a name that begins with %s", self->prefix);
    return error_hint(error, "what follows the host is a prefix for names of indexes");
}

enum status opensearch_source_get(struct opensearch_database *self,
                                  struct opensearch_source **source, struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&self->keyed.mutex);
    if (self->source == NULL) {
        struct arena *arena = arena_create(0);
        struct opensearch_source *made = arena_allocate_zeroed(arena, 1, sizeof(*made));
        made->arena = arena;
        status = opensearch_describe(self, NULL, arena, &made->indexes, &made->count, error);
        if (status == STATUS_OK && made->count == 0) {
            status = refuse_none(self, error);
        }
        if (status == STATUS_OK) {
            self->source = made;
        } else {
            opensearch_source_destroy(made);
        }
    }
    *source = self->source;
    pthread_mutex_unlock(&self->keyed.mutex);
    return status;
}

void opensearch_source_destroy(struct opensearch_source *source)
{
    if (source != NULL) {
        arena_destroy(source->arena);
    }
}

enum status opensearch_source_find(struct opensearch_database *self, const char *table,
                                   struct opensearch_index **index, struct error *error)
{
    struct opensearch_source *source = NULL;
    *index = NULL;
    if (opensearch_source_get(self, &source, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < source->count; at++) {
        *index = strcmp(source->indexes[at].table, table) == 0 ? &source->indexes[at] : *index;
    }
    if (*index == NULL) {
        error_set(error, ERROR_SOURCE_MISSING, table, "there is no such index");
        return error_hint(error, "look at the host, and at the prefix behind it");
    }
    if ((*index)->lacking != NULL) {
        error_set(error, ERROR_SOURCE_INVALID, table, "%s", (*index)->lacking);
        return error_hint(error, "leave it out: --exclude %s", table);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- describe */

static bool is_wanted(const struct opensearch_database *self, const char *name)
{
    bool wanted = self->keyed.catalog_tables == NULL;
    for (const char *const *at = self->keyed.catalog_tables; at != NULL && *at != NULL; at++) {
        wanted = wanted || strcmp(*at, name) == 0;
    }
    return wanted;
}

static struct column_list copy_key(struct arena *arena, struct column_list key)
{
    const char **names = arena_allocate_zeroed(arena, (size_t)key.count + 1, sizeof(*names));
    for (uint32_t at = 0; at < key.count; at++) {
        names[at] = arena_copy_string(arena, key.names[at]);
    }
    return (struct column_list){names, key.count};
}

static void describe_table(const struct opensearch_index *from, struct arena *arena,
                           struct schema_table *to)
{
    struct schema_column *columns =
        arena_allocate_zeroed(arena, (size_t)from->field_count + 1, sizeof(*columns));
    for (uint32_t at = 0; at < from->field_count; at++) {
        const struct opensearch_field *field = &from->fields[at];
        columns[at] = (struct schema_column){.name = arena_copy_string(arena, field->name),
                                             .type = field->type,
                                             .not_null = column_list_holds(from->key, field->name)};
        columns[at].type.native = arena_copy_string(arena, field->word);
    }
    *to = (struct schema_table){
        .kind = SCHEMA_TABLE,
        .name = arena_copy_string(arena, from->table),
        .columns = columns,
        .column_count = from->field_count,
        .primary_key = copy_key(arena, from->key),
        .primary_key_not_null = true,
        .native_sql = from->mapping != NULL ? arena_copy_string(arena, from->mapping) : NULL,
        .row_count = -1,
        .size_bytes = -1};
}

/* Aliases are names of the whole cluster, which two indexes can't share without meaning both. */
static void describe_aliases(const struct opensearch_database *self,
                             const struct opensearch_source *source, struct schema *made)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < source->count; at++) {
        count += source->indexes[at].aliases.count;
    }
    struct schema_object *objects =
        arena_allocate_zeroed(made->arena, count + (size_t)1, sizeof(*objects));
    made->objects = objects;
    for (uint32_t at = 0; at < source->count; at++) {
        const struct opensearch_index *index = &source->indexes[at];
        for (uint32_t i = 0; is_wanted(self, index->table) && i < index->aliases.count; i++) {
            objects[made->object_count++] = (struct schema_object){
                .kind = SCHEMA_OBJECT_OTHER,
                .stage = SCHEMA_AFTER_LOAD,
                .what = "alias",
                .name = arena_copy_string(made->arena, index->aliases.names[i]),
                .table = arena_copy_string(made->arena, index->table),
                .not_carried = "it is a name of the whole cluster; POST _aliases gives it to the "
                               "new index, or ?alias= to each of a run's"};
        }
    }
}

static enum status opensearch_catalog_describe(struct database *database, struct schema **schema,
                                               struct error *error)
{
    struct opensearch_database *self = opensearch_of(database);
    struct opensearch_source *source = NULL;
    if (self->keyed.mode == OPEN_TARGET) { /* a run makes indexes meanwhile */
        opensearch_source_destroy(self->source);
        self->source = NULL;
    }
    if (opensearch_source_get(self, &source, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    struct schema *made = arena_allocate_zeroed(arena, 1, sizeof(*made));
    struct schema_table *tables =
        arena_allocate_zeroed(arena, (size_t)source->count + 1, sizeof(*tables));
    *made = (struct schema){.arena = arena, .tables = tables};
    for (uint32_t at = 0; at < source->count; at++) {
        if (is_wanted(self, source->indexes[at].table)) {
            describe_table(&source->indexes[at], arena, &tables[made->table_count++]);
        }
    }
    describe_aliases(self, source, made);
    *schema = made;
    return STATUS_OK;
}

/* {"mappings":{…},"analysis":{…},"number_of_shards":2,"refresh_interval":"30s"}: what makes an
 * index that takes the same documents in the same way. */
static const char *settings_of(const struct opensearch_index *index, struct arena *arena)
{
    struct buffer text = {0};
    buffer_format(&text, "{\"mappings\":%s,\"analysis\":%s",
                  index->mapping != NULL ? index->mapping : "null",
                  index->analysis != NULL ? index->analysis : "null");
    if (index->shards > 1) {
        buffer_format(&text, ",\"number_of_shards\":%u", index->shards);
    }
    if (index->refresh_interval != NULL) {
        buffer_append_string(&text, ",\"refresh_interval\":");
        json_append_string(&text, index->refresh_interval, strlen(index->refresh_interval));
    }
    buffer_append_byte(&text, '}');
    const char *made = arena_copy_string(arena, buffer_string(&text));
    buffer_free(&text);
    return made;
}

static enum status settings(struct database *database, const char *const *tables, uint32_t count,
                            struct arena *arena, const char **texts, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        struct opensearch_index *index = NULL;
        status = opensearch_source_find(opensearch_of(database), tables[at], &index, error);
        if (status == STATUS_OK) {
            texts[at] = settings_of(index, arena);
        }
    }
    return status;
}

static void made_type(const struct database *database, const struct value_type *type,
                      struct arena *arena, struct value_type *made)
{
    const struct opensearch_database *self = (const struct opensearch_database *)database;
    struct buffer note = {0};
    const char *native = opensearch_field_word(&self->dialect, type, false);
    opensearch_note_append(type, &note);
    if (!opensearch_note_read(buffer_string(&note), made)) {
        *made = *type;
    }
    made->native = arena_copy_string(arena, native);
    buffer_free(&note);
}

const struct catalog_functions opensearch_catalog = {
    .columns_come = true,
    .describe = opensearch_catalog_describe,
    .native_type = opensearch_native_type,
    .native_names = opensearch_native_names,
    .made_type = made_type,
    .settings = settings,
};
