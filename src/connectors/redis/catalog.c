/* Which tables there are: those that the database notes, and all other keys by prefix and type. */
#include "connectors/redis/source.h"

#include "base/name_index.h"
#include "base/text.h"
#include <stdlib.h>

enum { GROUPS_MAX = 10000, TYPES = REDIS_TYPE_OTHER + 1 };

static const char *const type_names[] = {"hash", "ReJSON-RL", "string", "list",
                                         "set",  "zset",      "stream", "other"};

const char *redis_type_name(enum redis_type type)
{
    return type_names[type];
}

static enum redis_type type_of(const struct resp_value *reply)
{
    for (int type = 0; type < REDIS_TYPE_OTHER; type++) {
        if (type != REDIS_TYPE_JSON && resp_is(reply, type_names[type])) {
            return (enum redis_type)type;
        }
    }
    return REDIS_TYPE_OTHER;
}

/* ---------------------------------------------------------------- groups of keys */

/* Keys with one prefix. */
struct group {
    const char *prefix; /* without the separator; "": keys that have none */
    uint64_t counts[TYPES];
};

struct grouping {
    struct redis_database *database;
    struct arena *arena;
    struct redis_lookup *lookup;
    const struct redis_note *notes;
    uint32_t note_count;
    const char *const *indexes;
    struct name_index index;
    struct group *groups;
    uint32_t count;
    uint32_t capacity;
};

static bool is_own(struct text key)
{
    static const char *const own[] = {"{" REDIS_OWN_PREFIX, REDIS_OWN_PREFIX, REDIS_NOTES};
    bool found = false;
    for (size_t at = 0; at < sizeof(own) / sizeof(*own); at++) {
        size_t length = strlen(own[at]);
        found = found || (key.length >= length && memcmp(key.data, own[at], length) == 0);
    }
    return found;
}

bool redis_is_index(const char *const *indexes, const char *key, size_t length)
{
    bool found = false;
    for (; indexes != NULL && *indexes != NULL && !found; indexes++) {
        size_t prefix = strlen(*indexes);
        found = length >= prefix && memcmp(key, *indexes, prefix) == 0;
    }
    return found;
}

static bool is_noted(const struct grouping *grouping, struct text prefix)
{
    bool found = false;
    for (uint32_t at = 0; at < grouping->note_count && !found; at++) {
        const char *table = grouping->notes[at].table;
        found = strlen(table) == prefix.length && memcmp(table, prefix.data, prefix.length) == 0;
    }
    return found;
}

size_t redis_name_length(const struct redis_database *self, const char *key, size_t length)
{
    const char *end = memchr(key, self->separator, length);
    size_t name = end != NULL ? (size_t)(end - key) : 0;
    for (size_t at = 0; at < name; at++) {
        if ((unsigned char)key[at] < ' ' || key[at] == 0x7f) {
            return 0;
        }
    }
    return text_is_utf8(key, name) ? name : 0;
}

static struct text prefix_of(const struct grouping *grouping, struct text key)
{
    return (struct text){key.data, redis_name_length(grouping->database, key.data, key.length)};
}

/* NULL: there are too many. */
static struct group *group_of(struct grouping *grouping, struct text prefix)
{
    uint32_t found = name_index_find(&grouping->index, prefix.data, prefix.length);
    if (found != NAME_INDEX_NONE) {
        return &grouping->groups[found];
    }
    if (grouping->count == GROUPS_MAX) {
        return NULL;
    }
    grouping->groups = arena_make_room(grouping->arena, grouping->groups, grouping->count,
                                       &grouping->capacity, sizeof(struct group));
    struct group *made = &grouping->groups[grouping->count];
    *made = (struct group){.prefix = arena_copy(grouping->arena, prefix.data, prefix.length)};
    (void)name_index_add(&grouping->index, made->prefix, prefix.length, grouping->count++);
    return made;
}

static enum status refuse_many(const struct grouping *grouping, struct error *error)
{
    error_set(error, ERROR_SOURCE_INVALID, grouping->database->keyed.uri->shown,
              "the keys have more than %d prefixes before '%c'", (int)GROUPS_MAX,
              grouping->database->separator);
    return error_hint(error, "?separator= says which character ends the name of a table in them");
}

static enum status ask_types(struct grouping *grouping, const struct resp_value *keys)
{
    for (uint32_t at = 0; at < keys->count; at++) {
        const struct text key = keys->items[at].text;
        struct buffer command = {0};
        if (is_own(key) || is_noted(grouping, prefix_of(grouping, key)) ||
            redis_is_index(grouping->indexes, key.data, key.length)) {
            continue;
        }
        redis_foreign_command(REDIS_TYPE_OTHER, key, &command);
        redis_lookup_add(grouping->lookup, key, &command);
    }
    return STATUS_OK;
}

static enum status group_page(void *context, struct redis_client *client, uint16_t node,
                              const struct resp_value *keys, struct error *error)
{
    struct grouping *grouping = context;
    struct arena *arena = arena_create(0);
    struct resp_value reply;
    struct text key;
    (void)client;
    (void)node;
    enum status status = ask_types(grouping, keys);
    while (status == STATUS_OK && (status = redis_lookup_next(grouping->lookup, arena, &reply, &key,
                                                              error)) == STATUS_OK) {
        struct group *group = group_of(grouping, prefix_of(grouping, key));
        status = group == NULL ? refuse_many(grouping, error) : STATUS_OK;
        if (status == STATUS_OK && !resp_is(&reply, "none")) { /* it has gone since */
            group->counts[type_of(&reply)]++;
        }
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- tables */

static bool is_wanted(const struct redis_database *self, const char *name)
{
    bool wanted = self->keyed.catalog_tables == NULL;
    for (const char *const *at = self->keyed.catalog_tables; at != NULL && *at != NULL; at++) {
        wanted = wanted || strcmp(*at, name) == 0;
    }
    return wanted;
}

static void add_table(struct redis_source *source, uint32_t *capacity,
                      const struct redis_table *table)
{
    source->tables = arena_make_room(source->arena, source->tables, source->table_count, capacity,
                                     sizeof(*source->tables));
    source->tables[source->table_count++] = *table;
}

static void add_noted(struct redis_database *self, struct redis_source *source, uint32_t *capacity,
                      const struct redis_note *note)
{
    struct buffer prefix = {0};
    redis_key_prefix(note->table, &prefix);
    const struct redis_table table = {
        .name = note->table,
        .prefix = arena_copy_string(source->arena, buffer_string(&prefix)),
        .type = note->form == REDIS_JSON ? REDIS_TYPE_JSON : REDIS_TYPE_HASH,
        .noted = true,
        .key = note->key,
        .columns = note->columns};
    if (is_wanted(self, note->table)) {
        add_table(source, capacity, &table);
    }
    buffer_free(&prefix);
}

static void add_group(struct redis_database *self, struct redis_source *source, uint32_t *capacity,
                      const struct group *group)
{
    static const char *const key_names[] = {REDIS_KEY_COLUMN};
    const char *base = group->prefix[0] != '\0' ? group->prefix : "_keys";
    uint32_t types = 0;
    for (int type = 0; type < TYPES; type++) {
        types += group->counts[type] > 0;
    }
    for (int type = 0; type < TYPES; type++) {
        if (group->counts[type] == 0) {
            continue;
        }
        const struct redis_table table = {
            .name = types > 1 ? arena_format(source->arena, "%s.%s", base, type_names[type]) : base,
            .prefix = group->prefix[0] == '\0'
                          ? ""
                          : arena_format(source->arena, "%s%c", group->prefix, self->separator),
            .type = (enum redis_type)type,
            .shared = types > 1 || group->prefix[0] == '\0',
            .indexes = source->indexes,
            .key = {key_names, 1}};
        if (is_wanted(self, table.name)) {
            add_table(source, capacity, &table);
        }
    }
}

static int compare_tables(const void *left, const void *right)
{
    return strcmp(((const struct redis_table *)left)->name,
                  ((const struct redis_table *)right)->name);
}

static void list_indexes(struct redis_source *source, const struct redis_note *notes,
                         uint32_t count)
{
    uint32_t found = 0;
    source->indexes =
        arena_allocate_zeroed(source->arena, (size_t)count + 1, sizeof(*source->indexes));
    for (uint32_t at = 0; at < count; at++) {
        if (notes[at].indexes.count > 0) {
            source->indexes[found++] =
                arena_format(source->arena, REDIS_INDEX_PREFIX "%s:", notes[at].table);
        }
    }
}

/* "hash users:" */
static const char *form_of(const struct redis_table *table, struct arena *arena)
{
    return table->noted ? NULL
                        : arena_format(arena, "%s %s", type_names[table->type], table->prefix);
}

/* The tables of a run that is gone on with are as it found them, whatever keys there are by now. */
static void add_known(struct redis_database *self, struct redis_source *source, uint32_t *capacity)
{
    static const char *const key_names[] = {REDIS_KEY_COLUMN};
    const struct schema *known = self->keyed.base.known;
    for (uint32_t at = 0; at < known->table_count; at++) {
        const char *form = known->tables[at].form;
        for (int type = 0; form != NULL && type < TYPES; type++) {
            size_t length = strlen(type_names[type]);
            if (strncmp(form, type_names[type], length) == 0 && form[length] == ' ' &&
                is_wanted(self, known->tables[at].name)) {
                const struct redis_table table = {.name = known->tables[at].name,
                                                  .prefix = form + length + 1,
                                                  .type = (enum redis_type)type,
                                                  .shared = true,
                                                  .indexes = source->indexes,
                                                  .key = {key_names, 1}};
                add_table(source, capacity, &table);
            }
        }
    }
}

/* All that is asked for is noted: no key need be looked at. */
static bool are_noted(const struct redis_database *self, const struct redis_source *source)
{
    uint32_t count = 0;
    while (self->keyed.catalog_tables != NULL && self->keyed.catalog_tables[count] != NULL) {
        count++;
    }
    return self->keyed.catalog_tables != NULL && count == source->table_count;
}

static enum status find_tables(struct redis_database *self, struct redis_source *source,
                               struct error *error)
{
    struct redis_note *notes = NULL;
    uint32_t capacity = 0;
    struct grouping grouping = {
        .database = self, .arena = source->arena, .index = {.arena = source->arena}};
    enum status status = redis_notes_read(self, source->arena, &notes, &grouping.note_count, error);
    grouping.notes = notes;
    list_indexes(source, notes, status == STATUS_OK ? grouping.note_count : 0);
    grouping.indexes = source->indexes;
    for (uint32_t at = 0; at < grouping.note_count && status == STATUS_OK; at++) {
        add_noted(self, source, &capacity, &notes[at]);
    }
    if (status == STATUS_OK && self->keyed.base.known != NULL) {
        add_known(self, source, &capacity);
    } else if (status == STATUS_OK && !are_noted(self, source)) {
        grouping.lookup = redis_lookup_create(self);
        status = redis_scan_pages(self, "", NULL, group_page, &grouping, error);
        redis_lookup_destroy(grouping.lookup);
    }
    for (uint32_t at = 0; at < grouping.count && status == STATUS_OK; at++) {
        add_group(self, source, &capacity, &grouping.groups[at]);
    }
    if (source->table_count > 1) {
        qsort(source->tables, source->table_count, sizeof(*source->tables), compare_tables);
    }
    return status;
}

enum status redis_source_get(struct redis_database *self, struct redis_source **source,
                             struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&self->keyed.mutex);
    if (self->source == NULL) {
        struct arena *arena = arena_create(0);
        struct redis_source *made = arena_allocate_zeroed(arena, 1, sizeof(*made));
        made->arena = arena;
        status = find_tables(self, made, error);
        if (status == STATUS_OK) {
            self->source = made;
        } else {
            redis_source_destroy(made);
        }
    }
    *source = self->source;
    pthread_mutex_unlock(&self->keyed.mutex);
    return status;
}

void redis_source_destroy(struct redis_source *source)
{
    if (source != NULL) {
        for (uint32_t at = 0; at < source->table_count; at++) {
            redis_key_list_destroy(source->tables[at].keys);
        }
        arena_destroy(source->arena);
    }
}

enum status redis_source_find(struct redis_database *self, const char *name,
                              struct redis_table **table, struct error *error)
{
    struct redis_source *source = NULL;
    *table = NULL;
    if (redis_source_get(self, &source, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < source->table_count; at++) {
        *table = strcmp(source->tables[at].name, name) == 0 ? &source->tables[at] : *table;
    }
    if (*table == NULL) {
        error_set(error, ERROR_SOURCE_MISSING, name, "there are no keys %s%c…", name,
                  self->separator);
        return error_hint(error, "look at the host and the number of the database");
    }
    if ((*table)->type == REDIS_TYPE_OTHER) {
        error_set(error, ERROR_SOURCE_INVALID, name,
                  "its keys are of a type that a module brings, and can't be read");
        return error_hint(error, "leave it out: --exclude %s", name);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- describe */

/* The type of a key's column is what the table's note says, and others may occur. */
static struct value_type key_type(const struct redis_table *table, const char *name)
{
    struct value_type type = {.kind = VALUE_TEXT, .dynamic = true};
    uint32_t at = name_index_find(&table->columns->names, name, strlen(name));
    if (at != NAME_INDEX_NONE && table->columns->kinds[at] < VALUE_LIST) {
        enum value_kind kind = table->columns->kinds[at];
        type.kind = kind == VALUE_DECIMAL ? VALUE_INT64 : kind; /* mostly whole, as others say it */
    }
    return type;
}

static void describe_table(const struct redis_table *from, struct arena *arena,
                           struct schema_table *to)
{
    static const struct value_type any = {.kind = VALUE_TEXT};
    struct schema_column *columns =
        arena_allocate_zeroed(arena, (size_t)from->key.count + 1, sizeof(*columns));
    for (uint32_t at = 0; at < from->key.count; at++) {
        columns[at] =
            (struct schema_column){.name = from->key.names[at], .type = any, .not_null = true};
        columns[at].type = from->noted ? key_type(from, from->key.names[at]) : any;
    }
    *to = (struct schema_table){.kind = SCHEMA_TABLE,
                                .name = from->name,
                                .columns = columns,
                                .column_count = from->key.count,
                                .primary_key = from->key,
                                .primary_key_not_null = true,
                                .form = form_of(from, arena),
                                .row_count = -1,
                                .size_bytes = -1};
}

static enum status redis_catalog_describe(struct database *database, struct schema **schema,
                                          struct error *error)
{
    struct redis_source *source = NULL;
    if (redis_source_get(redis_of(database), &source, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    struct schema *made = arena_allocate_zeroed(arena, 1, sizeof(*made));
    struct schema_table *tables =
        arena_allocate_zeroed(arena, (size_t)source->table_count + 1, sizeof(*tables));
    for (uint32_t at = 0; at < source->table_count; at++) {
        describe_table(&source->tables[at], arena, &tables[at]);
    }
    *made = (struct schema){.arena = arena, .tables = tables, .table_count = source->table_count};
    *schema = made;
    return STATUS_OK;
}

const struct catalog_functions redis_catalog = {.describe = redis_catalog_describe};
