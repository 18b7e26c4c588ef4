/*
 * The settings and indexes that a copy from MongoDB to MongoDB carries of a collection besides its
 * documents, as the base64 of a document:
 *
 *   {options: {validator: …, collation: …, …}, indexes: [{key: …, name: …, unique: …}, …]}
 *
 * as listCollections and listIndexes tell it. The index on _id is not among them.
 */
#include "connectors/mongodb/mongodb.h"

#include "base/failpoint.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include <string.h>

/* ---------------------------------------------------------------- of a source */

static void append_options(const bson_t *facts, bson_t *out)
{
    bson_iter_t at;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    bson_t options;
    if (bson_iter_init_find(&at, facts, "options") && BSON_ITER_HOLDS_DOCUMENT(&at)) {
        bson_iter_document(&at, &length, &bytes);
        if (bson_init_static(&options, bytes, length)) {
            (void)bson_append_document(out, "options", -1, &options);
        }
    }
}

static enum status read_options(struct mongodb_database *self, const char *name, bson_t *out,
                                struct error *error)
{
    bson_t told;
    enum status status = mongodb_collection_tell(self, name, &told, error);
    if (status == STATUS_OK) {
        append_options(&told, out);
    }
    bson_destroy(&told);
    return status == STATUS_END ? STATUS_OK : status;
}

/* Members that the server adds by itself are left out. */
static void append_index(const bson_t *facts, uint32_t place, bson_t *list)
{
    bson_t index = BSON_INITIALIZER;
    char digits[12];
    (void)mongodb_write_index(place, digits);
    bson_copy_to_excluding_noinit(facts, &index, "v", "ns", "background", NULL);
    (void)bson_append_document(list, digits, -1, &index);
    bson_destroy(&index);
}

static enum status read_indexes(struct mongodb_database *self, const char *name, bson_t *out,
                                struct error *error)
{
    bson_error_t why;
    const bson_t *facts = NULL;
    const bson_t *reply = NULL;
    bson_t list;
    uint32_t count = 0;
    enum status status = STATUS_OK;
    (void)bson_append_array_begin(out, "indexes", -1, &list);
    pthread_mutex_lock(&self->keyed.control_mutex);
    mongoc_collection_t *collection = mongoc_client_get_collection(self->control, self->name, name);
    mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(collection, NULL);
    while (mongoc_cursor_next(cursor, &facts)) {
        const char *index = mongodb_text(facts, "name");
        if (index == NULL || strcmp(index, "_id_") != 0) {
            append_index(facts, count++, &list);
        }
    }
    if (mongoc_cursor_error_document(cursor, &why, &reply) && why.code != MONGODB_NO_COLLECTION) {
        status = mongodb_failure(self, &why, reply, name, error);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    (void)bson_append_array_end(out, &list);
    return status;
}

/* The bytes as a text: extended JSON, as libbson writes it, is not all that libbson reads. */
static const char *as_text(const bson_t *facts, struct arena *arena)
{
    struct buffer text = {0};
    json_append_base64_part(&text, bson_get_data(facts), facts->len);
    const char *copy = arena_copy_string(arena, buffer_string(&text));
    buffer_free(&text);
    return copy;
}

enum status mongodb_settings(struct database *database, const char *const *tables, uint32_t count,
                             struct arena *arena, const char **settings, struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        bson_t facts = BSON_INITIALIZER;
        status = read_options(self, tables[at], &facts, error);
        status = status == STATUS_OK ? read_indexes(self, tables[at], &facts, error) : status;
        if (status == STATUS_OK) {
            settings[at] = as_text(&facts, arena);
        }
        bson_destroy(&facts);
    }
    return status;
}

/* ---------------------------------------------------------------- of a target */

/* `*facts`: the caller's; NULL: nothing is carried. */
static enum status whole_parse(const struct target_table *table, bson_t **facts,
                               struct error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    *facts = NULL;
    if (table->same_engine == NULL || table->settings == NULL) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    if (json_decode_base64(table->settings, strlen(table->settings), arena, &bytes, &count,
                           error) == STATUS_OK) {
        *facts = bson_new_from_data(bytes, count);
    }
    arena_destroy(arena);
    return *facts != NULL ? STATUS_OK
                          : error_set(error, ERROR_SOURCE_READ, table->name,
                                      "the options and indexes that the source told of the "
                                      "collection are no document");
}

enum status mongodb_whole_facts(const struct target_table *table, struct mongodb_facts *facts,
                                struct error *error)
{
    bson_t *told = NULL;
    enum status status = whole_parse(table, &told, error);
    *facts = (struct mongodb_facts){0};
    if (told != NULL) {
        bson_iter_t at;
        bson_iter_t found;
        mongodb_facts_read(told, facts);
        facts->time_series = bson_iter_init(&at, told) &&
                             bson_iter_find_descendant(&at, "options.timeseries", &found);
    }
    bson_destroy(told);
    return status;
}

enum status mongodb_whole_options(const struct target_table *table, bson_t *command,
                                  struct error *error)
{
    bson_t *facts = NULL;
    enum status status = whole_parse(table, &facts, error);
    bson_iter_t at;
    bson_iter_t option;
    if (facts != NULL && bson_iter_init_find(&at, facts, "options") &&
        bson_iter_recurse(&at, &option)) {
        while (bson_iter_next(&option)) {
            (void)bson_append_iter(command, bson_iter_key(&option), -1, &option);
        }
    }
    bson_destroy(facts);
    return status;
}

static enum status make_index(struct mongodb_database *self, const struct target_table *table,
                              const bson_t *index, struct error *error)
{
    bson_t command = BSON_INITIALIZER;
    bson_t list;
    enum status status = failpoint_hit("mongodb.before_index", error);
    (void)bson_append_utf8(&command, "createIndexes", -1, table->name, -1);
    (void)bson_append_array_begin(&command, "indexes", -1, &list);
    (void)bson_append_document(&list, "0", -1, index);
    (void)bson_append_array_end(&command, &list);
    mongodb_append_concern(&command);
    if (status == STATUS_OK) {
        status = mongodb_control_long(self, MONGODB_WRITE, &command, NULL, error);
    }
    if (status == STATUS_FAILED) {
        const char *name = mongodb_text(index, "name");
        error_context(error, "index %s: ", name != NULL ? name : "without a name");
        error_hint(error, "drop it in the source, or write a plan that names the collection");
    }
    bson_destroy(&command);
    return status;
}

static bool is_unique(const bson_t *index)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, index, "unique") && bson_iter_as_bool(&at);
}

enum status mongodb_whole_indexes(struct mongodb_database *self, const struct target_table *table,
                                  bool unique, struct error *error)
{
    bson_t *facts = NULL;
    bson_iter_t list;
    bson_iter_t at;
    enum status status = whole_parse(table, &facts, error);
    if (facts == NULL || !bson_iter_init_find(&list, facts, "indexes") ||
        !bson_iter_recurse(&list, &at)) {
        bson_destroy(facts);
        return status;
    }
    while (status == STATUS_OK && bson_iter_next(&at)) {
        uint32_t length = 0;
        const uint8_t *bytes = NULL;
        bson_t index;
        if (BSON_ITER_HOLDS_DOCUMENT(&at)) {
            bson_iter_document(&at, &length, &bytes);
            if (bson_init_static(&index, bytes, length) && is_unique(&index) == unique) {
                status = make_index(self, table, &index, error);
            }
        }
    }
    bson_destroy(facts);
    return status;
}

/* ---------------------------------------------------------------- of collections that are there */

static bool next_index(bson_iter_t *list, bson_t *index)
{
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    while (bson_iter_next(list)) {
        if (BSON_ITER_HOLDS_DOCUMENT(list)) {
            bson_iter_document(list, &length, &bytes);
            return bson_init_static(index, bytes, length);
        }
    }
    return false;
}

static bool begin_indexes(const bson_t *facts, bson_iter_t *list)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, facts, "indexes") && bson_iter_recurse(&at, list);
}

static bool is_there(const bson_t *there, const bson_t *wanted)
{
    bson_iter_t list;
    bson_t index;
    bool found = false;
    for (bool more = begin_indexes(there, &list); more && !found;) {
        more = next_index(&list, &index);
        found = more && bson_equal(&index, wanted);
    }
    return found;
}

enum status mongodb_whole_tell_lacking(struct mongodb_database *self,
                                       const struct target_table *table, const char *head,
                                       struct buffer *out, struct error *error)
{
    bson_t *facts = NULL;
    bson_t there = BSON_INITIALIZER;
    bson_t index;
    bson_iter_t list;
    enum status status = whole_parse(table, &facts, error);
    if (facts != NULL && begin_indexes(facts, &list)) {
        status = read_indexes(self, table->name, &there, error);
        while (status == STATUS_OK && next_index(&list, &index)) {
            const char *name = mongodb_text(&index, "name");
            if (!is_there(&there, &index)) {
                mongodb_index_tell_lacking(table->name, name != NULL ? name : "", head, out);
            }
        }
    }
    bson_destroy(facts);
    bson_destroy(&there);
    return status;
}
