/* Indexes of a plan. */
#include "connectors/mongodb/mongodb.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include "base/text.h"
#include <stdlib.h>

static bool may_be_null(const struct target_table *table, const char *column)
{
    for (uint32_t at = 0; at < table->column_count; at++) {
        if (strcmp(table->columns[at].name, column) == 0) {
            return !table->columns[at].not_null;
        }
    }
    return true;
}

/* Only values that are there count in SQL's unique indexes: {COLUMN: {$type: [all but null]}}. */
static void write_filter(const struct target_table *table, const struct target_index *index,
                         struct buffer *bytes)
{
    static const int32_t types[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 18, 19};
    char digits[12];
    size_t filter = mongodb_write_open(bytes, "partialFilterExpression", BSON_TYPE_DOCUMENT);
    for (uint32_t at = 0; at < index->columns.count; at++) {
        if (may_be_null(table, index->columns.names[at])) {
            size_t field = mongodb_write_open(bytes, index->columns.names[at], BSON_TYPE_DOCUMENT);
            size_t list = mongodb_write_open(bytes, "$type", BSON_TYPE_ARRAY);
            for (uint32_t type = 0; type < sizeof(types) / sizeof(*types); type++) {
                (void)mongodb_write_index(type, digits);
                mongodb_write_int32(bytes, digits, types[type]);
            }
            mongodb_write_end(bytes, list);
            mongodb_write_end(bytes, field);
        }
    }
    mongodb_write_end(bytes, filter);
}

static bool has_nulls(const struct target_table *table, const struct target_index *index)
{
    bool found = false;
    for (uint32_t at = 0; at < index->columns.count; at++) {
        found = found || may_be_null(table, index->columns.names[at]);
    }
    return found;
}

/* {key: {A: 1, B: 1}, name: NAME, unique: true} */
static void write_index(const struct target_table *table, const struct target_index *index,
                        const char *digits, struct buffer *bytes)
{
    size_t whole = mongodb_write_open(bytes, digits, BSON_TYPE_DOCUMENT);
    size_t key = mongodb_write_open(bytes, "key", BSON_TYPE_DOCUMENT);
    for (uint32_t at = 0; at < index->columns.count; at++) {
        mongodb_write_int32(bytes, index->columns.names[at], 1);
    }
    mongodb_write_end(bytes, key);
    mongodb_write_text(bytes, "name", index->name, strlen(index->name));
    if (index->unique) {
        mongodb_write_bool(bytes, "unique", true);
    }
    if (index->unique && has_nulls(table, index)) {
        write_filter(table, index, bytes);
    }
    mongodb_write_end(bytes, whole);
}

static enum status make_index(struct mongodb_database *self, const struct target_table *table,
                              const struct target_index *index, struct error *error)
{
    struct buffer bytes = {0};
    bson_t view;
    enum status status = failpoint_hit("mongodb.before_index", error);
    if (status == STATUS_OK) {
        size_t command = mongodb_write_begin(&bytes);
        mongodb_write_text(&bytes, "createIndexes", table->name, strlen(table->name));
        size_t list = mongodb_write_open(&bytes, "indexes", BSON_TYPE_ARRAY);
        write_index(table, index, "0", &bytes);
        mongodb_write_end(&bytes, list);
        mongodb_write_concern(&bytes);
        mongodb_write_end(&bytes, command);
        mongodb_write_view(&bytes, &view);
        status = mongodb_control_long(self, MONGODB_WRITE, &view, NULL, error);
    }
    buffer_free(&bytes);
    return status == STATUS_FAILED ? error_context(error, "index %s: ", index->name) : status;
}

enum status mongodb_indexes_make(struct mongodb_database *self, const struct target_table *table,
                                 bool unique, struct error *error)
{
    enum status status = mongodb_whole_indexes(self, table, unique, error);
    for (uint32_t at = 0; at < table->index_count && status == STATUS_OK; at++) {
        if (table->indexes[at].unique == unique) {
            status = make_index(self, table, &table->indexes[at], error);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- of collections that are there */

/* Is it on these fields, ascending, and does it refuse duplicates if the plan's has to? */
static bool serves(const bson_t *facts, const struct target_index *index)
{
    bson_iter_t at;
    bson_iter_t field;
    uint32_t count = 0;
    if (index->unique && !(bson_iter_init_find(&at, facts, "unique") && bson_iter_as_bool(&at))) {
        return false;
    }
    if (!bson_iter_init_find(&at, facts, "key") || !BSON_ITER_HOLDS_DOCUMENT(&at) ||
        !bson_iter_recurse(&at, &field)) {
        return false;
    }
    while (bson_iter_next(&field)) {
        if (count == index->columns.count ||
            strcmp(bson_iter_key(&field), index->columns.names[count]) != 0 ||
            bson_iter_as_int64(&field) != 1) {
            return false;
        }
        count++;
    }
    return count == index->columns.count;
}

static enum status find_lacking(struct mongodb_database *self, const struct target_table *table,
                                bool *lacking, struct error *error)
{
    bson_error_t why;
    const bson_t *facts = NULL;
    const bson_t *reply = NULL;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&self->keyed.control_mutex);
    mongoc_collection_t *collection =
        mongoc_client_get_collection(self->control, self->name, table->name);
    mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(collection, NULL);
    while (mongoc_cursor_next(cursor, &facts)) {
        for (uint32_t at = 0; at < table->index_count; at++) {
            lacking[at] = lacking[at] && !serves(facts, &table->indexes[at]);
        }
    }
    if (mongoc_cursor_error_document(cursor, &why, &reply)) {
        status = mongodb_failure(self, &why, reply, table->name, error);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    return status;
}

void mongodb_index_tell_lacking(const char *table, const char *index, const char *head,
                                struct buffer *out)
{
    char shown[2][128];
    text_printable(table, strlen(table), shown[0], sizeof(shown[0]));
    text_printable(index, strlen(index), shown[1], sizeof(shown[1]));
    buffer_format(out, "%s%s: the index %s is not made, since the collection is there already\n",
                  head, shown[0], shown[1]);
}

enum status mongodb_indexes_tell_lacking(struct mongodb_database *self,
                                         const struct target_table *table, const char *head,
                                         struct buffer *out, struct error *error)
{
    enum status status = mongodb_whole_tell_lacking(self, table, head, out, error);
    if (status != STATUS_OK || table->index_count == 0) {
        return status;
    }
    bool *lacking = memory_allocate_zeroed(table->index_count, sizeof(*lacking));
    memset(lacking, true, table->index_count * sizeof(*lacking));
    status = find_lacking(self, table, lacking, error);
    for (uint32_t at = 0; at < table->index_count && status == STATUS_OK; at++) {
        if (lacking[at]) {
            mongodb_index_tell_lacking(table->name, table->indexes[at].name, head, out);
        }
    }
    free(lacking);
    return status;
}

enum status mongodb_tell_changed(struct database *database, const struct target_table *tables,
                                 uint32_t table_count, const struct schema *objects,
                                 struct buffer *out, struct error *error)
{
    struct mongodb_database *self = mongodb_of(database);
    enum status status = STATUS_OK;
    (void)objects;
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        struct mongodb_facts facts;
        status = mongodb_collection_look(self, tables[at].name, &facts, error);
        if (status == STATUS_OK && facts.exists) {
            status = mongodb_indexes_tell_lacking(self, &tables[at], "index\t", out, error);
        }
    }
    return status;
}
