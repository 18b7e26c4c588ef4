/* A span's rows, a query's, or those of some keys, as batches. */
#include "connectors/cassandra/reader.h"

#include "base/memory.h"
#include "connectors/cassandra/key.h"
#include "connectors/cassandra/look_up.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include "connectors/cassandra/query.h"
#include "connectors/cassandra/rows.h"
#include "connectors/cassandra/split.h"
#include <stdlib.h>
#include <string.h>

enum {
    LIFE_SIGN_MS = 1000, /* a batch without records tells the engine that we still wait */
    KEYS_AT_ONCE = 64
};

struct cursor {
    struct reader *reader;
    const struct read_request *request;
    struct arena *arena;
    struct cassandra_select select; /* of a table */
    struct cassandra_rows rows;
    struct cql_value *values; /* of one row */
    bool by_key;              /* its keys are looked up, or a query's rows sifted by them */
    struct keyed_wanted wanted;
    const uint32_t *wanted_parts; /* query: where in its rows the key's columns are */
    const char *key_text;         /* the SELECT by key; NULL: not by key */
    struct cassandra_scan *scan;
    struct cassandra_page page;
    bool has_page;
    size_t bytes; /* of the rows of the batch that is being filled */
};

/* ---------------------------------------------------------------- keys of a table */

static enum status encode_key(const void *context, const struct cell *key,
                              struct keyed_wanted *wanted, struct error *error)
{
    return cassandra_key_encode(context, key, &wanted->bytes, &wanted->token, error);
}

static enum status wanted_of_table(const struct read_request *request,
                                   const struct cassandra_table *table, struct keyed_wanted *wanted,
                                   struct error *error)
{
    const struct keyed_wanting wanting = {
        .key = table->key,
        .name = request->name,
        .refusal = "Cassandra finds rows by the whole key of their table only",
        .encode = encode_key,
        .context = table};
    return keyed_wanted_read(request, &wanting, wanted, error);
}

/* ---------------------------------------------------------------- keys of a query */

struct query_key {
    const struct cql_columns *columns;
    const uint32_t *parts;
    uint32_t part_count;
};

static enum status find_parts(const struct read_request *request, const struct cql_columns *columns,
                              uint32_t *parts, struct error *error)
{
    for (uint32_t part = 0; part < request->root_key.count; part++) {
        const char *name = request->root_key.names[part];
        size_t at = 0;
        while (at < columns->count &&
               (columns->list[at].name.length != strlen(name) ||
                memcmp(columns->list[at].name.data, name, strlen(name)) != 0)) {
            at++;
        }
        if (at == columns->count) {
            return error_set(error, ERROR_PLAN_INVALID, request->name, "the query has no column %s",
                             name);
        }
        parts[part] = (uint32_t)at;
    }
    return STATUS_OK;
}

static enum status encode_parts(const void *context, const struct cell *key,
                                struct keyed_wanted *wanted, struct error *error)
{
    const struct query_key *of = context;
    enum status status = STATUS_OK;
    for (uint32_t part = 0; part < of->part_count && status == STATUS_OK; part++) {
        const struct cql_column *column = &of->columns->list[of->parts[part]];
        status = cql_value_encode(column->type, &key[part], &wanted->bytes, error);
    }
    return status;
}

/* `*parts` (arena): where in the rows of the query the columns of the key are. */
static enum status wanted_of_query(const struct read_request *request,
                                   const struct cql_columns *columns, struct arena *arena,
                                   const uint32_t **parts, struct keyed_wanted *wanted,
                                   struct error *error)
{
    uint32_t width = request->root_key.count;
    uint32_t *places = arena_allocate_zeroed(arena, (size_t)width + 1, sizeof(*places));
    const struct query_key key = {columns, places, width};
    const struct keyed_wanting wanting = {.key = request->root_key,
                                          .name = request->name,
                                          .refusal = "a key has a column twice",
                                          .encode = encode_parts,
                                          .context = &key};
    *parts = places;
    return find_parts(request, columns, places, error) == STATUS_OK
               ? keyed_wanted_read(request, &wanting, wanted, error)
               : STATUS_FAILED;
}

/* Is a row of the query among them? */
static bool wanted_has(const struct keyed_wanted *wanted, const uint32_t *parts,
                       uint32_t part_count, const struct cql_value *row)
{
    struct buffer text = {0};
    for (uint32_t part = 0; part < part_count; part++) {
        const struct cql_value *value = &row[parts[part]];
        cql_write_value(&text, value->data, value->length);
    }
    bool has = keyed_wanted_has(wanted, (struct text){text.data, text.length});
    buffer_free(&text);
    return has;
}

/* ---------------------------------------------------------------- opening */

static void make_room(struct cursor *cursor)
{
    cursor->values = arena_allocate_zeroed(cursor->arena, cursor->rows.columns->count + 1,
                                           sizeof(*cursor->values));
}

static enum status open_scan(struct cursor *cursor, const struct span *span, struct error *error)
{
    struct cql_range range;
    if (cassandra_span_read(span, &range, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *text =
        cassandra_select_range(&cursor->select, cursor->reader->cassandra, cursor->arena);
    if (cassandra_scan_open(&cursor->reader->scans, cursor->select.table->name, text, &range,
                            cursor->select.field_count, &cursor->scan, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    cassandra_scan_count(cursor->scan, cursor->request->counts);
    cursor->rows = cassandra_rows_of_table(cursor->request, &cursor->select,
                                           cassandra_scan_columns(cursor->scan), cursor->arena);
    make_room(cursor);
    return STATUS_OK;
}

static enum status open_by_key(struct cursor *cursor, struct error *error)
{
    const struct cassandra *self = cursor->reader->cassandra;
    cursor->key_text = cassandra_select_key(&cursor->select, self, cursor->arena);
    cursor->rows = cassandra_rows_of_table(cursor->request, &cursor->select, NULL, cursor->arena);
    return wanted_of_table(cursor->request, cursor->select.table, &cursor->wanted, error);
}

static enum status open_table(struct cursor *cursor, const struct span *span, struct error *error)
{
    struct cassandra *self = cursor->reader->cassandra;
    const struct cassandra_table *table = NULL;
    if (cassandra_schema_find(self, cursor->request->table, &table, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    cursor->select = cassandra_select_of(self, table, cursor->request, self->settings.keeps_times,
                                         cursor->arena);
    return cursor->by_key ? open_by_key(cursor, error) : open_scan(cursor, span, error);
}

static enum status open_query(struct cursor *cursor, struct error *error)
{
    const struct read_request *request = cursor->request;
    const char *text = NULL;
    if (cassandra_query_text(cursor->reader->cassandra, request->query, cursor->arena, &text,
                             error) != STATUS_OK ||
        cassandra_scan_open(&cursor->reader->scans, request->name, text, NULL, 0, &cursor->scan,
                            error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct cql_columns *columns = cassandra_scan_columns(cursor->scan);
    cassandra_scan_count(cursor->scan, request->counts);
    cursor->rows = cassandra_rows_of_query(request, columns, request->root_key, cursor->arena);
    make_room(cursor);
    return cursor->by_key ? wanted_of_query(request, columns, cursor->arena, &cursor->wanted_parts,
                                            &cursor->wanted, error)
                          : STATUS_OK;
}

enum status cassandra_cursor_open(struct reader *reader, const struct read_request *request,
                                  const struct span *span, struct cursor **cursor,
                                  struct error *error)
{
    struct cursor *made = memory_allocate_zeroed(1, sizeof(*made));
    *cursor = NULL;
    made->reader = reader;
    made->request = request;
    made->arena = arena_create(0);
    made->by_key = request->keys != NULL;
    enum status status =
        request->query != NULL ? open_query(made, error) : open_table(made, span, error);
    if (status != STATUS_OK) {
        cassandra_cursor_close(made);
        return status;
    }
    *cursor = made;
    return STATUS_OK;
}

void cassandra_cursor_close(struct cursor *cursor)
{
    if (cursor != NULL) {
        cassandra_scan_close(cursor->scan);
        cassandra_page_free(&cursor->page);
        keyed_wanted_free(&cursor->wanted);
        arena_destroy(cursor->arena);
        free(cursor);
    }
}

/* ---------------------------------------------------------------- rows of pages */

/* The bytes that the values point to are copied from the page into the batch. */
static enum status keep_values(struct cursor *cursor, const uint8_t *begin, size_t length,
                               struct batch *batch, struct error *error)
{
    const uint8_t *copy = (const uint8_t *)arena_try_copy(batch->arena, begin, length);
    if (copy == NULL) {
        return error_set(error, ERROR_MEMORY, cursor->rows.name, "no memory to read a row");
    }
    cursor->bytes += length + batch->width * sizeof(struct cell);
    for (size_t at = 0; at < cursor->rows.columns->count; at++) {
        struct cql_value *value = &cursor->values[at];
        value->data = value->data != NULL ? copy + (value->data - begin) : NULL;
    }
    return STATUS_OK;
}

/* STATUS_END: the page is at its end. */
static enum status add_row(struct cursor *cursor, struct batch *batch, struct error *error)
{
    struct cql_rows *rows = &cursor->page.rows;
    const uint8_t *begin = rows->content.at;
    if (cql_rows_next(rows, cursor->values) != STATUS_OK) {
        return rows->content.failed ? error_set(error, ERROR_NETWORK_ANSWER, cursor->rows.name,
                                                "a page of rows is cut short")
                                    : STATUS_END;
    }
    if (cursor->rows.table != NULL && rows->left == 0) {
        cassandra_scan_passed(cursor->scan, cassandra_rows_token(&cursor->rows, cursor->values));
    }
    if (cursor->by_key && !wanted_has(&cursor->wanted, cursor->wanted_parts,
                                      cursor->request->root_key.count, cursor->values)) {
        return STATUS_OK;
    }
    return keep_values(cursor, begin, (size_t)(rows->content.at - begin), batch, error) == STATUS_OK
               ? cassandra_rows_add(&cursor->rows, batch, cursor->values, error)
               : STATUS_FAILED;
}

static enum status add_next(struct cursor *cursor, struct batch *batch, struct error *error)
{
    if (!cursor->has_page) {
        enum status status = cassandra_scan_next(
            cursor->scan, keyed_batch_is_empty(batch) ? LIFE_SIGN_MS : 0, &cursor->page, error);
        cursor->has_page = status == STATUS_OK;
        return status;
    }
    enum status status = add_row(cursor, batch, error);
    if (status == STATUS_END) {
        cassandra_page_free(&cursor->page);
        cursor->has_page = false;
        return STATUS_OK;
    }
    return status;
}

/* ---------------------------------------------------------------- rows by key */

struct adding {
    struct cursor *cursor;
    struct batch *batch;
};

static enum status take_found(void *context, uint32_t key, const struct cql_columns *columns,
                              const struct cql_value *values, struct error *error)
{
    (void)key;
    const struct adding *adding = context;
    struct cursor *cursor = adding->cursor;
    cursor->rows.columns = columns;
    struct cql_value *kept =
        arena_allocate_zeroed(adding->batch->arena, columns->count + 1, sizeof(*kept));
    cursor->bytes += adding->batch->width * sizeof(struct cell);
    for (size_t at = 0; at < columns->count; at++) {
        cursor->bytes += values[at].length > 0 ? (size_t)values[at].length : 0;
        kept[at] = values[at];
        if (values[at].length > 0) {
            kept[at].data = (const uint8_t *)arena_try_copy(adding->batch->arena, values[at].data,
                                                            (size_t)values[at].length);
        }
        if (values[at].length > 0 && kept[at].data == NULL) {
            return error_set(error, ERROR_MEMORY, cursor->rows.name, "no memory to read a row");
        }
    }
    return cassandra_rows_add(&cursor->rows, adding->batch, kept, error);
}

static enum status add_by_key(struct cursor *cursor, struct batch *batch, struct error *error)
{
    struct cassandra *self = cursor->reader->cassandra;
    struct adding adding = {cursor, batch};
    uint32_t left = cursor->wanted.count - cursor->wanted.next;
    const struct cassandra_look_up look_up = {.cassandra = self,
                                              .session = cursor->reader->scans.session,
                                              .table = cursor->select.table,
                                              .text = cursor->key_text,
                                              .field_count = cursor->select.field_count,
                                              .consistency = self->settings.read_consistency,
                                              .keys = cursor->wanted.keys + cursor->wanted.next,
                                              .key_count =
                                                  left < KEYS_AT_ONCE ? left : KEYS_AT_ONCE,
                                              .counts = cursor->request->counts};
    if (left == 0) {
        return STATUS_END;
    }
    cursor->wanted.next += look_up.key_count;
    enum status status = cassandra_look_up(&look_up, take_found, &adding, error);
    return status == STATUS_OK ? STATUS_OK : error_recode(error, ERROR_SOURCE_READ);
}

/* ---------------------------------------------------------------- batches */

enum status cassandra_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                                  struct batch **batch, struct error *error)
{
    const struct keyed_filling filling = {
        .add_next = cursor->key_text != NULL ? add_by_key : add_next,
        .request = cursor->request,
        .bytes = &cursor->bytes,
        .envelopes = cursor->request->column_count == 0 ||
                     (cursor->select.table != NULL && cursor->select.times != NULL)};
    cursor->bytes = 0;
    return keyed_cursor_next(cursor, &filling, rows_max, bytes_max, batch, error);
}
