/* Collections that are there: what they hold, whether they fit the plan, counting, emptying. */
#include "connectors/keyed/keys.h"
#include "connectors/mongodb/mongodb.h"

#include "base/text.h"

/* ---------------------------------------------------------------- looking */

static bool is_option_set(const bson_iter_t *options, const char *name)
{
    bson_iter_t at;
    return bson_iter_recurse(options, &at) && bson_iter_find(&at, name) && bson_iter_as_bool(&at);
}

static void read_uuid(const bson_iter_t *info, struct mongodb_facts *facts)
{
    bson_iter_t at;
    bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    if (bson_iter_recurse(info, &at) && bson_iter_find(&at, "uuid") &&
        BSON_ITER_HOLDS_BINARY(&at)) {
        bson_iter_binary(&at, &subtype, &length, &bytes);
        if (length == MONGODB_UUID_BYTES) {
            memcpy(facts->uuid, bytes, length);
            facts->has_uuid = true;
        }
    }
}

void mongodb_facts_read(const bson_t *document, struct mongodb_facts *facts)
{
    bson_iter_t at;
    const char *type = mongodb_text(document, "type");
    *facts = (struct mongodb_facts){.exists = true,
                                    .view = type != NULL && strcmp(type, "view") == 0,
                                    .time_series = type != NULL && strcmp(type, "timeseries") == 0};
    if (bson_iter_init_find(&at, document, "options") && BSON_ITER_HOLDS_DOCUMENT(&at)) {
        facts->capped = is_option_set(&at, "capped");
    }
    if (bson_iter_init_find(&at, document, "info") && BSON_ITER_HOLDS_DOCUMENT(&at)) {
        read_uuid(&at, facts);
    }
}

/* The driver asks for one name; a server that knows no filters tells of all. */
enum status mongodb_collection_tell(struct mongodb_database *self, const char *name, bson_t *told,
                                    struct error *error)
{
    bson_error_t why;
    bson_t options = BSON_INITIALIZER;
    bson_t filter;
    const bson_t *document = NULL;
    const bson_t *reply = NULL;
    enum status status = STATUS_END;
    (void)bson_append_document_begin(&options, "filter", -1, &filter);
    (void)bson_append_utf8(&filter, "name", -1, name, -1);
    (void)bson_append_document_end(&options, &filter);
    bson_init(told);
    pthread_mutex_lock(&self->keyed.control_mutex);
    mongoc_database_t *database = mongoc_client_get_database(self->control, self->name);
    mongoc_cursor_t *cursor = mongoc_database_find_collections_with_opts(database, &options);
    while (status == STATUS_END && mongoc_cursor_next(cursor, &document)) {
        const char *found = mongodb_text(document, "name");
        if (found != NULL && strcmp(found, name) == 0) {
            bson_destroy(told);
            bson_copy_to(document, told);
            status = STATUS_OK;
        }
    }
    if (status == STATUS_END && mongoc_cursor_error_document(cursor, &why, &reply)) {
        status = mongodb_failure(self, &why, reply, name, error);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_database_destroy(database);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    bson_destroy(&options);
    return status;
}

enum status mongodb_collection_look(struct mongodb_database *self, const char *name,
                                    struct mongodb_facts *facts, struct error *error)
{
    bson_t told;
    enum status status = mongodb_collection_tell(self, name, &told, error);
    *facts = (struct mongodb_facts){0};
    if (status == STATUS_OK) {
        mongodb_facts_read(&told, facts);
    }
    bson_destroy(&told);
    return status == STATUS_END ? STATUS_OK : status;
}

static enum status holds_any(struct mongodb_database *self, const char *name, bool *any,
                             struct error *error)
{
    struct buffer bytes = {0};
    bson_t view;
    bson_t reply;
    size_t command = mongodb_write_begin(&bytes);
    mongodb_write_text(&bytes, "find", name, strlen(name));
    mongodb_write_int32(&bytes, "limit", 1);
    mongodb_write_bool(&bytes, "singleBatch", true);
    mongodb_write_end(&bytes, command);
    mongodb_write_view(&bytes, &view);
    enum status status = mongodb_control(self, MONGODB_READ, &view, &reply, error);
    bson_iter_t list;
    *any = status == STATUS_OK && bson_iter_init(&list, &reply) &&
           bson_iter_find_descendant(&list, "cursor.firstBatch.0", &(bson_iter_t){0});
    bson_destroy(&reply);
    buffer_free(&bytes);
    return status;
}

enum status mongodb_inspect(struct database *database, const struct target_table *tables,
                            uint32_t table_count, bool *table_exists, bool *record_exists,
                            struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        record_exists[at] = false;
        struct mongodb_facts facts;
        status = mongodb_collection_look(self, tables[at].name, &facts, error);
        table_exists[at] = facts.exists;
        if (status == STATUS_OK && facts.exists) {
            status = holds_any(self, tables[at].name, &record_exists[at], error);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- checking */

static void check_name(const struct mongodb_database *self, const struct target_table *table,
                       struct buffer *out)
{
    size_t length = strlen(self->name) + 1 + strlen(table->name);
    if (strncmp(table->name, "system.", 7) == 0 ||
        strncmp(table->name, MONGODB_OWN_PREFIX, sizeof(MONGODB_OWN_PREFIX) - 1) == 0) {
        buffer_append_string(out, "names that begin with system. or " MONGODB_OWN_PREFIX
                                  " are the server's and the program's own\n");
    }
    if (table->name[0] == '\0' || table->name[0] == '.' || strchr(table->name, '$') != NULL) {
        buffer_append_string(
            out, "its name is empty, begins with a dot or has a $, which no collection can have\n");
    }
    if (length > MONGODB_NAME_BYTES_MAX) {
        buffer_format(out,
                      "its name is too long: with the database's it has %zu bytes, more than %d\n",
                      length, (int)MONGODB_NAME_BYTES_MAX);
    }
}

static void check_features(const struct target_table *table, struct buffer *out)
{
    if (table->key.count == 0) {
        buffer_append_string(out, "it has no key: each document has one, its _id\n");
    }
    if (table->key.count > KEYED_KEY_COLUMNS_MAX) {
        buffer_format(out, "its key has more than %d columns\n", (int)KEYED_KEY_COLUMNS_MAX);
    }
    if (table->ttl != NULL) {
        buffer_append_string(out,
                             "`ttl` is not for MongoDB: make a TTL index on a field of dates\n");
    }
    for (uint32_t at = 0; at < table->index_count; at++) {
        if (table->indexes[at].local || table->indexes[at].projection != NULL) {
            buffer_format(out, "the index \"%s\": `local` and `projection` are not for MongoDB\n",
                          table->indexes[at].name);
        }
    }
}

/* A field _id would stand in the place of the key. */
static void check_fields(const struct check_request *request, struct buffer *out)
{
    bool found = false;
    for (uint32_t at = 0; at < request->shape_count; at++) {
        const struct shape *shape = request->shapes[at];
        found = found || (shape != NULL && shape_field_find(shape, MONGODB_ID) >= 0);
    }
    if (found && !mongodb_key_is_id(request->table->key)) {
        buffer_append_string(out, "a field is named _id and is not the key: name it otherwise, or "
                                  "make it the key\n");
    }
}

/* `made`: of its source, if it is to be made as that is. */
static void check_kind(const struct mongodb_facts *facts, const struct mongodb_facts *made,
                       struct buffer *out)
{
    if (facts->view) {
        buffer_append_string(out, "it is a view, which takes no documents\n");
    }
    if (facts->time_series || (!facts->exists && made->time_series)) {
        buffer_append_string(out,
                             "it is a time series: its documents have no unique _id, so that a run "
                             "that is interrupted would leave some twice; name a field that is "
                             "unique as the key of a collection of another name\n");
    }
    if (facts->capped) {
        buffer_append_string(out,
                             "it is a capped collection, which deletes its oldest documents by "
                             "itself when it is full\n");
    }
}

enum status mongodb_check_table(struct database *database, const struct check_request *request,
                                struct buffer *out, struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    const struct target_table *table = request->table;
    struct mongodb_note note;
    struct mongodb_facts facts;
    struct mongodb_facts made;
    struct arena *arena = arena_create(0);
    check_name(self, table, out);
    check_features(table, out);
    check_fields(request, out);
    enum status status = STATUS_FAILED;
    if (mongodb_collection_look(self, table->name, &facts, error) == STATUS_OK &&
        mongodb_whole_facts(table, &made, error) == STATUS_OK) {
        check_kind(&facts, &made, out);
        status = mongodb_note_read(self, table->name, arena, &note, error);
    }
    if (status == STATUS_OK && mongodb_note_is_of(&note, &facts) &&
        !column_list_is_equal(note.key, table->key)) {
        buffer_append_string(out, "the collection is there with the key ");
        keyed_check_append_keys(note.key, table->key, out);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- counting */

/* {aggregate: NAME, pipeline: [{$group: {_id: null, n: {$sum: 1}}}], cursor: {}}: unlike `count`,
 * which answers from what the server remembers, it is exact. */
static void write_count(const char *name, struct buffer *bytes)
{
    size_t command = mongodb_write_begin(bytes);
    mongodb_write_text(bytes, "aggregate", name, strlen(name));
    size_t pipeline = mongodb_write_open(bytes, "pipeline", BSON_TYPE_ARRAY);
    size_t stage = mongodb_write_open(bytes, "0", BSON_TYPE_DOCUMENT);
    size_t group = mongodb_write_open(bytes, "$group", BSON_TYPE_DOCUMENT);
    mongodb_write_head(bytes, BSON_TYPE_NULL, MONGODB_ID, strlen(MONGODB_ID));
    size_t number = mongodb_write_open(bytes, "n", BSON_TYPE_DOCUMENT);
    mongodb_write_int32(bytes, "$sum", 1);
    mongodb_write_end(bytes, number);
    mongodb_write_end(bytes, group);
    mongodb_write_end(bytes, stage);
    mongodb_write_end(bytes, pipeline);
    size_t cursor = mongodb_write_open(bytes, "cursor", BSON_TYPE_DOCUMENT);
    mongodb_write_end(bytes, cursor);
    mongodb_write_end(bytes, command);
}

enum status mongodb_count(struct database *database, const struct target_table *table,
                          uint64_t *count, struct error *error)
{
    struct buffer bytes = {0};
    bson_t view;
    bson_t reply;
    bson_iter_t at;
    bson_iter_t number;
    *count = 0;
    write_count(table->name, &bytes);
    mongodb_write_view(&bytes, &view);
    enum status status =
        mongodb_control_long(mongodb_of(database), MONGODB_READ, &view, &reply, error);
    if (status == STATUS_OK && bson_iter_init(&at, &reply) &&
        bson_iter_find_descendant(&at, "cursor.firstBatch.0.n", &number)) {
        *count = BSON_ITER_HOLDS_DOUBLE(&number) ? (uint64_t)bson_iter_double(&number)
                                                 : (uint64_t)bson_iter_as_int64(&number);
    }
    bson_destroy(&reply);
    buffer_free(&bytes);
    return status;
}

/* ---------------------------------------------------------------- deleting */

enum status mongodb_empty_collection(struct database *database, const struct target_table *table,
                                     struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    struct buffer bytes = {0};
    bson_t view;
    size_t command = mongodb_write_begin(&bytes);
    mongodb_write_text(&bytes, "delete", table->name, strlen(table->name));
    size_t list = mongodb_write_open(&bytes, "deletes", BSON_TYPE_ARRAY);
    size_t item = mongodb_write_open(&bytes, "0", BSON_TYPE_DOCUMENT);
    size_t filter = mongodb_write_open(&bytes, "q", BSON_TYPE_DOCUMENT);
    mongodb_write_end(&bytes, filter);
    mongodb_write_int32(&bytes, "limit", 0);
    mongodb_write_end(&bytes, item);
    mongodb_write_end(&bytes, list);
    mongodb_write_concern(&bytes);
    mongodb_write_end(&bytes, command);
    mongodb_write_view(&bytes, &view);
    bson_t reply;
    enum status status = mongodb_control_long(self, MONGODB_WRITE, &view, &reply, error);
    status = status == STATUS_OK ? mongodb_write_outcome(self, &reply, table->name, error) : status;
    bson_destroy(&reply);
    buffer_free(&bytes);
    return status;
}

enum status mongodb_drop_collection(struct mongodb_database *self, const char *name,
                                    struct error *error)
{
    struct buffer bytes = {0};
    bson_t view;
    size_t command = mongodb_write_begin(&bytes);
    mongodb_write_text(&bytes, "drop", name, strlen(name));
    mongodb_write_concern(&bytes);
    mongodb_write_end(&bytes, command);
    mongodb_write_view(&bytes, &view);
    enum status status = mongodb_control(self, MONGODB_WRITE, &view, NULL, error);
    buffer_free(&bytes);
    bool absent = status == STATUS_FAILED && error->native_code == MONGODB_NO_COLLECTION;
    return absent ? STATUS_OK : status;
}
