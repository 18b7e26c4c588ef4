/* Indexes as the server describes them, and the body that makes one. */
#include "connectors/opensearch/opensearch.h"

#include "model/json_tree.h"
#include "model/json_writer.h"
#include "model/time_zone.h"
#include <stdlib.h>

#define NOTE "transhume" /* in the mapping's _meta */

/* ---------------------------------------------------------------- what can't be read */

/* Documents whose _source is left out, cut or made up again are not what was put in. */
const char *opensearch_find_lacking(const json_t *mapping, const json_t *settings)
{
    const json_t *source = json_object_get(mapping, "_source");
    const char *mode = json_string_value(json_object_get(source, "mode"));
    const json_t *own = json_object_get(json_object_get(settings, "mapping"), "source");
    const char *set = json_string_value(json_object_get(own, "mode"));
    const char *index = json_string_value(json_object_get(settings, "mode"));
    const char *closed = json_string_value(json_object_get(settings, "verified_before_close"));
    if (closed != NULL && strcmp(closed, "true") == 0) {
        return "it is closed; open it (POST INDEX/_open)";
    }
    if (json_is_false(json_object_get(source, "enabled"))) {
        return "its mapping keeps no _source, so that its documents can't be read";
    }
    if (json_array_size(json_object_get(source, "includes")) > 0 ||
        json_array_size(json_object_get(source, "excludes")) > 0) {
        return "its mapping leaves fields out of _source (includes, excludes)";
    }
    if ((mode != NULL && strcmp(mode, "stored") != 0) ||
        (set != NULL && strcmp(set, "stored") != 0) ||
        (index != NULL && strcmp(index, "standard") != 0)) {
        return "its _source is synthetic: documents do not come back as they were put in";
    }
    if (json_is_true(json_object_get(json_object_get(mapping, "_routing"), "required"))) {
        return "its documents need a routing of their own, which is not carried";
    }
    return NULL;
}

static const char *word_of(const json_t *property)
{
    const char *word = json_string_value(json_object_get(property, "type"));
    return word != NULL ? word : "object";
}

static const char *find_join(const json_t *properties)
{
    const char *name = NULL;
    const json_t *property = NULL;
    json_object_foreach((json_t *)(uintptr_t)properties, name, property)
    {
        if (strcmp(word_of(property), "join") == 0) {
            return "its documents have parents (a field of type join), which need a routing of "
                   "their own";
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- fields */

static void add_field(struct opensearch_index *index, struct arena *arena, uint32_t *capacity,
                      const char *name, const char *word, const struct value_type *type)
{
    index->fields =
        arena_make_room(arena, index->fields, index->field_count, capacity, sizeof(*index->fields));
    struct opensearch_field *field = &index->fields[index->field_count++];
    field->name = arena_copy_string(arena, name);
    field->word = arena_copy_string(arena, word);
    field->type = *type;
}

/* Does the format of a date hold numbers, and what do they count? By the server's default it does.
 */
static enum epoch_unit epoch_of(const json_t *property)
{
    const char *format = json_string_value(json_object_get(property, "format"));
    const char *millis = format != NULL ? strstr(format, "epoch_millis") : "";
    const char *second = format != NULL ? strstr(format, "epoch_second") : NULL;
    return millis != NULL && (second == NULL || millis < second) ? EPOCH_MILLISECONDS
           : second != NULL                                      ? EPOCH_SECONDS
                                                                 : EPOCH_NONE;
}

/* A date of an index that this program did not make is an instant, in whatever spelling: with Z,
 * with an offset, without any, which is UTC, or as a number. */
static struct value_type foreign_type(const json_t *property, struct arena *arena)
{
    struct value_type type = opensearch_type_of(word_of(property));
    struct error ignored;
    if (type.kind == VALUE_TIMESTAMP) {
        type.zoned = true;
        type.epoch = epoch_of(property);
        if (time_zone_make("UTC", arena, &type.zone, &ignored) != STATUS_OK) {
            type.zone = NULL;
        }
    }
    return type;
}

static void read_properties(struct opensearch_index *index, struct arena *arena,
                            const json_t *properties, uint32_t *capacity)
{
    const char *name = NULL;
    const json_t *property = NULL;
    json_object_foreach((json_t *)(uintptr_t)properties, name, property)
    {
        const struct value_type type = foreign_type(property, arena);
        if (strcmp(word_of(property), "alias") != 0) { /* no field of a document */
            add_field(index, arena, capacity, name, word_of(property), &type);
        }
    }
}

/* False: the note is none of ours. */
static bool read_noted(struct opensearch_index *index, struct arena *arena,
                       const json_t *properties, const json_t *columns)
{
    uint32_t capacity = 0;
    for (size_t at = 0; at < json_array_size(columns); at++) {
        const json_t *pair = json_array_get(columns, at);
        const char *name = json_string_value(json_array_get(pair, 0));
        const char *kind = json_string_value(json_array_get(pair, 1));
        struct value_type type;
        if (name == NULL || kind == NULL || !opensearch_note_read(kind, &type)) {
            return false;
        }
        add_field(index, arena, &capacity, name, word_of(json_object_get(properties, name)), &type);
    }
    return json_is_array(columns);
}

static bool read_key(struct opensearch_index *index, struct arena *arena, const json_t *key)
{
    size_t count = json_array_size(key);
    const char **names = arena_allocate_zeroed(arena, count + 1, sizeof(*names));
    for (size_t at = 0; at < count; at++) {
        const char *name = json_string_value(json_array_get(key, at));
        if (name == NULL) {
            return false;
        }
        names[at] = arena_copy_string(arena, name);
    }
    index->key = (struct column_list){names, (uint32_t)count};
    return count > 0;
}

static void index_columns(struct opensearch_index *index, struct arena *arena)
{
    struct value_type *types =
        arena_allocate_zeroed(arena, (size_t)index->field_count + 1, sizeof(*types));
    index->columns = (struct opensearch_columns){.names = {.arena = arena}, .types = types};
    for (uint32_t at = 0; at < index->field_count; at++) {
        const char *name = index->fields[at].name;
        types[at] = index->fields[at].type;
        (void)name_index_add(&index->columns.names, name, strlen(name), at);
        if (strcmp(name, OPENSEARCH_ID) == 0) {
            index->columns.id = &types[at];
        }
    }
    index->id_is_column = index->columns.id != NULL;
}

/* ---------------------------------------------------------------- an index */

static const char *text_of(struct arena *arena, const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? arena_copy_string(arena, text) : NULL;
}

static const char *dump(struct arena *arena, const json_t *tree)
{
    struct buffer text = {0};
    const char *made = NULL;
    if (tree != NULL && json_tree_append(tree, JSON_COMPACT, &text)) {
        made = arena_copy(arena, text.data, text.length);
    }
    buffer_free(&text);
    return made;
}

static void read_note(struct opensearch_index *index, struct arena *arena, const json_t *mapping)
{
    static const char *const id_names[] = {OPENSEARCH_ID};
    static const struct value_type id_type = {.kind = VALUE_TEXT};
    const json_t *properties = json_object_get(mapping, "properties");
    const json_t *note = json_object_get(json_object_get(mapping, "_meta"), NOTE);
    const char *table = text_of(arena, note, "table");
    if (table != NULL && read_key(index, arena, json_object_get(note, "key")) &&
        read_noted(index, arena, properties, json_object_get(note, "columns"))) {
        index->table = table;
        index->run = text_of(arena, note, "run");
        return;
    }
    uint32_t capacity = 0;
    index->fields = NULL;
    index->field_count = 0;
    index->key = (struct column_list){id_names, 1};
    add_field(index, arena, &capacity, OPENSEARCH_ID, OPENSEARCH_ID, &id_type);
    read_properties(index, arena, properties, &capacity);
}

static bool has_prefix(const struct opensearch_database *self, const char *name)
{
    size_t prefix = strlen(self->prefix);
    return name[0] != '.' && strncmp(name, self->prefix, prefix) == 0 && name[prefix] != '\0';
}

static struct column_list read_aliases(const json_t *aliases, struct arena *arena)
{
    const char **names =
        arena_allocate_zeroed(arena, json_object_size(aliases) + 1, sizeof(*names));
    struct column_list list = {.names = names};
    const char *name = NULL;
    const json_t *ignored = NULL;
    json_object_foreach((json_t *)(uintptr_t)aliases, name, ignored)
    {
        names[list.count++] = arena_copy_string(arena, name);
    }
    return list;
}

static void read_index(const struct opensearch_database *self, const char *name,
                       const json_t *described, struct arena *arena, struct opensearch_index *index)
{
    const json_t *mapping = json_object_get(described, "mappings");
    const json_t *settings = json_object_get(json_object_get(described, "settings"), "index");
    const char *shards = json_string_value(json_object_get(settings, "number_of_shards"));
    uint64_t count = 1;
    *index = (struct opensearch_index){.name = arena_copy_string(arena, name)};
    /* an alias may stand for an index without the prefix */
    index->table = has_prefix(self, name) ? index->name + strlen(self->prefix) : index->name;
    index->uuid = text_of(arena, settings, "uuid");
    index->refresh_interval = text_of(arena, settings, "refresh_interval");
    index->replicas = text_of(arena, settings, "number_of_replicas");
    index->lacking = opensearch_find_lacking(mapping, settings);
    if (index->lacking == NULL) {
        index->lacking = find_join(json_object_get(mapping, "properties"));
    }
    if (shards != NULL && text_to_uint64(shards, strlen(shards), &count) == STATUS_OK) {
        index->shards = (uint32_t)count;
    }
    index->shards = index->shards > 0 ? index->shards : 1;
    index->aliases = read_aliases(json_object_get(described, "aliases"), arena);
    index->mapping = dump(arena, mapping);
    index->analysis = dump(arena, json_object_get(settings, "analysis"));
    read_note(index, arena, mapping);
    index_columns(index, arena);
}

static int compare_indexes(const void *left, const void *right)
{
    return strcmp(((const struct opensearch_index *)left)->table,
                  ((const struct opensearch_index *)right)->table);
}

static bool ends_in(const char *name, const char *end)
{
    size_t length = strlen(name);
    size_t size = strlen(end);
    return length >= size && strcmp(name + length - size, end) == 0;
}

/* Hidden ones too, but for ledgers and histories: of this prefix and of others. */
static bool is_meant(const struct opensearch_database *self, const char *name,
                     const json_t *described)
{
    const json_t *settings = json_object_get(json_object_get(described, "settings"), "index");
    const char *hidden = json_string_value(json_object_get(settings, "hidden"));
    bool ledger_like = hidden != NULL && strcmp(hidden, "true") == 0 &&
                       (ends_in(name, OPENSEARCH_LEDGER) || ends_in(name, OPENSEARCH_HISTORY));
    return has_prefix(self, name) && !ledger_like && !opensearch_is_own(self, name);
}

struct found_indexes {
    struct opensearch_index *indexes;
    uint32_t count;
    uint32_t capacity;
};

static struct opensearch_index *add_index(const struct opensearch_database *self, const char *name,
                                          const json_t *described, struct arena *arena,
                                          struct found_indexes *found)
{
    found->indexes = arena_make_room(arena, found->indexes, found->count, &found->capacity,
                                     sizeof(*found->indexes));
    struct opensearch_index *index = &found->indexes[found->count++];
    read_index(self, name, described, arena, index);
    return index;
}

/* A data stream is told of by its name, once: its indexes have names of the server's own. */
static void add_stream(const struct opensearch_database *self, const char *stream,
                       const json_t *described, struct arena *arena, struct found_indexes *found)
{
    for (uint32_t at = 0; at < found->count; at++) {
        if (strcmp(found->indexes[at].name, stream) == 0) {
            return;
        }
    }
    struct opensearch_index *index = add_index(self, stream, described, arena, found);
    index->lacking = "it is a data stream, which is not carried; copy it into an index (_reindex)";
}

static void add_any(const struct opensearch_database *self, const json_t *root, struct arena *arena,
                    struct found_indexes *found)
{
    const char *name = NULL;
    const json_t *described = NULL;
    json_object_foreach((json_t *)(uintptr_t)root, name, described)
    {
        const char *stream = json_string_value(json_object_get(described, "data_stream"));
        if (stream != NULL && has_prefix(self, stream)) {
            add_stream(self, stream, described, arena, found);
        } else if (stream == NULL && is_meant(self, name, described)) {
            (void)add_index(self, name, described, arena, found);
        }
    }
}

static void add_named(const struct opensearch_database *self, const json_t *root,
                      struct arena *arena, struct found_indexes *found)
{
    const char *name = NULL;
    const json_t *described = NULL;
    json_object_foreach((json_t *)(uintptr_t)root, name, described)
    {
        struct opensearch_index *index = add_index(self, name, described, arena, found);
        if (json_is_string(json_object_get(described, "data_stream"))) {
            index->lacking = "it is a data stream, which is not written";
        }
    }
}

enum status opensearch_describe(struct opensearch_database *self, const char *table,
                                struct arena *arena, struct opensearch_index **indexes,
                                uint32_t *count, struct error *error)
{
    json_t *root = NULL;
    struct found_indexes found = {0};
    struct buffer pattern = {0};
    buffer_append_byte(&pattern, '/');
    opensearch_index_append(self, table != NULL ? table : "", &pattern);
    buffer_append_string(&pattern, table != NULL ? "" : "%2A?expand_wildcards=all");
    const struct opensearch_request request = {.operation = "GET INDEX",
                                               .object = table,
                                               .method = "GET",
                                               .path = buffer_string(&pattern),
                                               .repeatable = true};
    enum status status = opensearch_control_ask(self, &request, NULL, &root, error);
    if (table != NULL) {
        add_named(self, root, arena, &found);
    } else {
        add_any(self, root, arena, &found);
    }
    if (found.count > 1) {
        qsort(found.indexes, found.count, sizeof(*found.indexes), compare_indexes);
    }
    *indexes = found.indexes;
    *count = found.count;
    json_decref(root);
    buffer_free(&pattern);
    if (status == STATUS_OK && table != NULL && *count == 0) {
        return STATUS_END;
    }
    return status == STATUS_END && table == NULL ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- making one */

static void append_names(struct column_list names, struct buffer *out)
{
    buffer_append_byte(out, '[');
    for (uint32_t at = 0; at < names.count; at++) {
        if (at > 0) {
            buffer_append_byte(out, ',');
        }
        json_append_string(out, names.names[at], strlen(names.names[at]));
    }
    buffer_append_byte(out, ']');
}

static void append_columns(const struct target_table *table, struct buffer *out)
{
    buffer_append_byte(out, '[');
    for (uint32_t at = 0; at < table->column_count; at++) {
        struct buffer kind = {0};
        const struct schema_column *column = &table->columns[at];
        if (at > 0) {
            buffer_append_byte(out, ',');
        }
        opensearch_note_append(&column->type, &kind);
        buffer_append_byte(out, '[');
        json_append_string(out, column->name, strlen(column->name));
        buffer_append_byte(out, ',');
        json_append_string(out, kind.data, kind.length);
        buffer_append_byte(out, ']');
        buffer_free(&kind);
    }
    buffer_append_byte(out, ']');
}

static void append_note(const struct target_table *table, const char *run_id, struct buffer *out)
{
    buffer_append_string(out, "{\"table\":");
    json_append_string(out, table->name, strlen(table->name));
    buffer_append_string(out, ",\"run\":");
    json_append_string(out, run_id, strlen(run_id));
    buffer_append_string(out, ",\"key\":");
    append_names(table->key, out);
    buffer_append_string(out, ",\"columns\":");
    append_columns(table, out);
    buffer_append_byte(out, '}');
}

static void append_properties(const struct opensearch_database *self,
                              const struct target_table *table, struct buffer *out)
{
    bool any = false;
    for (uint32_t at = 0; at < table->column_count; at++) {
        const struct schema_column *column = &table->columns[at];
        if (strcmp(column->name, OPENSEARCH_ID) == 0) {
            continue;
        }
        if (any) {
            buffer_append_byte(out, ',');
        }
        any = true;
        json_append_string(out, column->name, strlen(column->name));
        buffer_append_byte(out, ':');
        opensearch_field_append(&self->dialect, &column->type,
                                column_list_holds(table->key, column->name), out);
    }
}

/* The mapping that a table of a search engine had, with the note put into it. False: there is none,
 * or it can't be read. */
static bool append_kept(const struct target_table *table, const char *run_id, json_t **kept,
                        struct buffer *out)
{
    json_error_t ignored;
    struct buffer note = {0};
    json_t *settings =
        table->same_engine != NULL && table->settings != NULL
            ? json_tree_load(table->settings, strlen(table->settings), JSON_ALLOW_NUL, &ignored)
            : NULL;
    json_t *mapping = json_object_get(settings, "mappings");
    *kept = settings;
    if (!json_is_object(mapping)) {
        return false;
    }
    append_note(table, run_id, &note);
    json_t *meta = json_object_get(mapping, "_meta");
    json_t *made = json_is_object(meta) ? json_incref(meta) : json_object();
    json_object_set_new(made, NOTE,
                        json_tree_load(note.data, note.length, JSON_ALLOW_NUL, &ignored));
    json_object_set_new(mapping, "_meta", made);
    buffer_free(&note);
    return json_tree_append(mapping, JSON_COMPACT, out) != 0;
}

static void append_settings(const struct opensearch_database *self,
                            const struct target_table *table, const json_t *kept,
                            struct buffer *out)
{
    enum { FIELDS_PLAIN = 400, FIELDS_EACH = 4 };
    const json_t *analysis = json_object_get(kept, "analysis");
    buffer_append_string(out, "{\"index\":{");
    const char *interval = json_string_value(json_object_get(kept, "refresh_interval"));
    if (self->suspends) {
        buffer_append_string(out, "\"refresh_interval\":\"-1\",\"number_of_replicas\":0,");
    } else if (self->replicas != NULL) {
        buffer_format(out, "\"number_of_replicas\":%s,", self->replicas);
    }
    if (!self->suspends && interval != NULL) {
        buffer_append_string(out, "\"refresh_interval\":");
        json_append_string(out, interval, strlen(interval));
        buffer_append_byte(out, ',');
    }
    if (self->shards != NULL) {
        buffer_format(out, "\"number_of_shards\":%s,", self->shards);
    } else if (json_is_integer(json_object_get(kept, "number_of_shards"))) {
        buffer_format(out, "\"number_of_shards\":%" JSON_INTEGER_FORMAT ",",
                      json_integer_value(json_object_get(kept, "number_of_shards")));
    }
    if (table->column_count > FIELDS_PLAIN) {
        buffer_format(out, "\"mapping.total_fields.limit\":%u,",
                      (unsigned)(table->column_count * FIELDS_EACH));
    }
    if (json_is_object(analysis)) {
        buffer_append_string(out, "\"analysis\":");
        (void)json_tree_append(analysis, JSON_COMPACT, out);
        buffer_append_byte(out, ',');
    }
    if (buffer_last(out) == ',') {
        out->length--;
    }
    buffer_append_string(out, "}}");
}

void opensearch_fields_append(const struct opensearch_database *self,
                              const struct target_table *table, const char *run_id,
                              struct buffer *out)
{
    buffer_append_byte(out, '{');
    if (run_id != NULL) {
        buffer_append_string(out, "\"_meta\":{\"" NOTE "\":");
        append_note(table, run_id, out);
        buffer_append_string(out, "},");
    }
    buffer_append_string(out, "\"properties\":{");
    append_properties(self, table, out);
    buffer_append_string(out, "}}");
}

void opensearch_create_append(const struct opensearch_database *self,
                              const struct target_table *table, const char *run_id,
                              struct buffer *out)
{
    json_t *kept = NULL;
    struct buffer mapping = {0};
    if (!append_kept(table, run_id, &kept, &mapping)) {
        buffer_append_string(&mapping, "{\"dynamic\":false,\"_meta\":{\"" NOTE "\":");
        append_note(table, run_id, &mapping);
        buffer_append_string(&mapping, "},\"properties\":{");
        append_properties(self, table, &mapping);
        buffer_append_string(&mapping, "}}");
    }
    buffer_append_string(out, "{\"settings\":");
    append_settings(self, table, kept, out);
    buffer_append_string(out, ",\"mappings\":");
    buffer_append_buffer(out, &mapping);
    buffer_append_byte(out, '}');
    json_decref(kept);
    buffer_free(&mapping);
}
