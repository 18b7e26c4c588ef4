/* Which collections there are, and which key each has. */
#include "connectors/mongodb/source.h"

#include <stdlib.h>

static const char *const id_names[] = {MONGODB_ID};

/* ---------------------------------------------------------------- listing */

static bool is_wanted(const struct mongodb_database *self, const char *name)
{
    bool wanted = self->keyed.catalog_tables == NULL;
    for (const char *const *at = self->keyed.catalog_tables; at != NULL && *at != NULL; at++) {
        wanted = wanted || strcmp(*at, name) == 0;
    }
    return wanted;
}

static bool is_own(const char *name)
{
    return strncmp(name, "system.", 7) == 0 ||
           strncmp(name, MONGODB_OWN_PREFIX, sizeof(MONGODB_OWN_PREFIX) - 1) == 0;
}

static int compare_collections(const void *left, const void *right)
{
    return strcmp(((const struct mongodb_collection *)left)->name,
                  ((const struct mongodb_collection *)right)->name);
}

static void add_collection(struct mongodb_database *self, const bson_t *facts, struct arena *arena,
                           struct mongodb_collection **list, uint32_t *count, uint32_t *capacity)
{
    const char *name = mongodb_text(facts, "name");
    if (name == NULL || is_own(name) || !is_wanted(self, name)) {
        return;
    }
    *list = arena_make_room(arena, *list, *count, capacity, sizeof(**list));
    struct mongodb_collection *made = &(*list)[(*count)++];
    *made = (struct mongodb_collection){.name = arena_copy_string(arena, name)};
    mongodb_facts_read(facts, &made->facts);
    made->key =
        made->facts.time_series ? (struct column_list){NULL, 0} : (struct column_list){id_names, 1};
}

static void take_note(struct mongodb_collection *list, uint32_t count,
                      const struct mongodb_note *note)
{
    for (uint32_t at = 0; at < count; at++) {
        if (strcmp(list[at].name, note->table) == 0 && !mongodb_key_is_id(note->key) &&
            !list[at].facts.time_series && mongodb_note_is_of(note, &list[at].facts)) {
            list[at].key = note->key;
            list[at].left_out = MONGODB_ID;
        }
    }
}

enum status mongodb_collections_list(struct mongodb_database *self, struct arena *arena,
                                     struct mongodb_collection **collections, uint32_t *count,
                                     struct error *error)
{
    bson_error_t why;
    uint32_t capacity = 0;
    uint32_t note_count = 0;
    struct mongodb_note *notes = NULL;
    const bson_t *facts = NULL;
    const bson_t *reply = NULL;
    enum status status = STATUS_OK;
    *collections = NULL;
    *count = 0;
    pthread_mutex_lock(&self->keyed.control_mutex);
    mongoc_database_t *database = mongoc_client_get_database(self->control, self->name);
    mongoc_cursor_t *cursor = mongoc_database_find_collections_with_opts(database, NULL);
    while (mongoc_cursor_next(cursor, &facts)) {
        add_collection(self, facts, arena, collections, count, &capacity);
    }
    if (mongoc_cursor_error_document(cursor, &why, &reply)) {
        status = mongodb_failure(self, &why, reply, self->name, error);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_database_destroy(database);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    status =
        status == STATUS_OK ? mongodb_notes_read(self, arena, &notes, &note_count, error) : status;
    for (uint32_t at = 0; at < note_count && status == STATUS_OK; at++) {
        take_note(*collections, *count, &notes[at]);
    }
    if (*count > 1) {
        qsort(*collections, *count, sizeof(**collections), compare_collections);
    }
    return status;
}

enum status mongodb_collection_find(struct mongodb_database *self, const char *name,
                                    struct arena *arena, struct mongodb_collection *collection,
                                    struct error *error)
{
    struct mongodb_note note;
    struct mongodb_facts facts;
    if (mongodb_collection_look(self, name, &facts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!facts.exists) {
        error_set(error, ERROR_SOURCE_MISSING, name, "there is no such collection in %s",
                  self->name);
        return error_hint(error, "look at the host and the name of the database");
    }
    *collection = (struct mongodb_collection){
        .name = name, .facts = facts, .key = {id_names, facts.time_series ? 0 : 1}};
    enum status status = mongodb_note_read(self, name, arena, &note, error);
    if (status == STATUS_OK) {
        take_note(collection, 1, &note);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- describe */

/* A document of one end of the collection. STATUS_END: it is empty. */
static enum status read_end(struct mongodb_database *self, const char *name, int32_t order,
                            struct arena *arena, struct cell *record, struct error *error)
{
    struct buffer options = {0};
    bson_t view;
    bson_t all = BSON_INITIALIZER;
    bson_error_t why;
    const bson_t *document = NULL;
    const bson_t *reply = NULL;
    enum status status = STATUS_END;
    size_t whole = mongodb_write_begin(&options);
    size_t sort = mongodb_write_open(&options, "sort", BSON_TYPE_DOCUMENT);
    mongodb_write_int32(&options, MONGODB_ID, order);
    mongodb_write_end(&options, sort);
    mongodb_write_int64(&options, "limit", 1);
    mongodb_write_end(&options, whole);
    mongodb_write_view(&options, &view);
    pthread_mutex_lock(&self->keyed.control_mutex);
    mongoc_collection_t *collection = mongoc_client_get_collection(self->control, self->name, name);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &all, &view, NULL);
    if (mongoc_cursor_next(cursor, &document)) {
        status = mongodb_read_document(bson_get_data(document), document->len, NULL, arena, record,
                                       error);
    } else if (mongoc_cursor_error_document(cursor, &why, &reply)) {
        status = mongodb_failure(self, &why, reply, name, error);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    buffer_free(&options);
    /* one that can't be read is for the copy to reject */
    return status == STATUS_FAILED && error->class == ERROR_CLASS_REJECT ? STATUS_END : status;
}

/* The type that both ends of the collection have under that name; others may occur. */
static struct value_type key_type(const struct cell *first, const struct cell *last,
                                  const char *name)
{
    const struct cell *low = value_field(first, name);
    const struct cell *high = value_field(last, name);
    bool known = low != NULL && high != NULL && low->kind == high->kind && low->kind < VALUE_LIST &&
                 low->kind > VALUE_NULL;
    return (struct value_type){.kind = known ? (enum value_kind)low->kind : VALUE_TEXT,
                               .zoned = known && low->kind == VALUE_TIMESTAMP,
                               .dynamic = true};
}

static enum status describe_collection(struct mongodb_database *self,
                                       const struct mongodb_collection *from, struct arena *arena,
                                       struct schema_table *to, struct error *error)
{
    struct cell first = cell_null();
    struct cell last = cell_null();
    struct arena *scratch = arena_create(0);
    uint32_t count = from->facts.view ? 0 : from->key.count;
    struct schema_column *columns =
        arena_allocate_zeroed(arena, (size_t)count + 1, sizeof(*columns));
    const struct schema *schema_known = self->keyed.base.known;
    const struct schema_table *known =
        schema_known != NULL ? schema_find_table(schema_known, from->name) : NULL;
    enum status status = count == 0 || known != NULL
                             ? STATUS_END
                             : read_end(self, from->name, 1, scratch, &first, error);
    status = status == STATUS_OK ? read_end(self, from->name, -1, scratch, &last, error) : status;
    for (uint32_t at = 0; at < count; at++) {
        columns[at] = (struct schema_column){.name = arena_copy_string(arena, from->key.names[at]),
                                             .type = key_type(&first, &last, from->key.names[at]),
                                             .not_null = true};
        int place = known != NULL ? schema_find_column(known, columns[at].name) : -1;
        columns[at].type = place >= 0 ? known->columns[place].type : columns[at].type;
    }
    const char **names = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof(*names));
    for (uint32_t at = 0; at < count; at++) {
        names[at] = columns[at].name;
    }
    *to = (struct schema_table){.kind = from->facts.view ? SCHEMA_VIEW : SCHEMA_TABLE,
                                .name = arena_copy_string(arena, from->name),
                                .columns = columns,
                                .column_count = count,
                                .primary_key = {names, count},
                                .primary_key_not_null = true,
                                .row_count = -1,
                                .size_bytes = -1};
    arena_destroy(scratch);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status mongodb_catalog_describe(struct database *database, struct schema **schema,
                                            struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    struct mongodb_collection *list = NULL;
    uint32_t count = 0;
    struct arena *scratch = arena_create(0);
    struct arena *arena = arena_create(0);
    enum status status = mongodb_collections_list(self, scratch, &list, &count, error);
    struct schema *made = arena_allocate_zeroed(arena, 1, sizeof(*made));
    struct schema_table *tables = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof(*tables));
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        status = describe_collection(self, &list[at], arena, &tables[at], error);
    }
    *made = (struct schema){.arena = arena, .tables = tables, .table_count = count};
    arena_destroy(scratch);
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status;
    }
    *schema = made;
    return STATUS_OK;
}

const struct catalog_functions mongodb_catalog = {.describe = mongodb_catalog_describe,
                                                  .settings = mongodb_settings};
