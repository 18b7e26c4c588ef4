/* Reading: tables as documents or columns, cut by the hash of the key, without joins or a
 * snapshot. */
#include "connectors/contract/defaults.h"
#include "toy_internal.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- catalogue: TOY_TABLE entries hold {"columns": [{name, kind, …}], "key": [names]} */

struct describing {
    struct arena *arena;
    struct schema_table *tables;
    uint32_t count;
    uint32_t capacity;
};

static const char *text_field(struct arena *arena, const struct cell *map, const char *name)
{
    const struct cell *cell = value_field(map, name);
    return cell && cell->kind == VALUE_TEXT ? arena_copy(arena, cell->text, cell->length) : NULL;
}

static int64_t number_field(const struct cell *map, const char *name)
{
    const struct cell *cell = value_field(map, name);
    return cell && cell->kind == VALUE_INT64 ? cell->i64 : 0;
}

static enum status table_from_map(struct arena *arena, const char *name, const struct cell *map,
                                  struct schema_table *table, struct error *error)
{
    const struct cell *columns = value_field(map, "columns");
    const struct cell *key = value_field(map, "key");
    if (!columns || !key) {
        return error_set(error, ERROR_SOURCE_INVALID, name, "its definition is damaged");
    }
    struct schema_column *list = arena_allocate_zeroed(arena, columns->length + 1, sizeof *list);
    const char **key_names = arena_allocate_zeroed(arena, key->length + 1, sizeof *key_names);
    if (!list || !key_names) {
        return error_set(error, ERROR_MEMORY, name, "no memory for the schema");
    }
    for (uint32_t i = 0; i < columns->length; i++) {
        const struct cell *column = &columns->items[i];
        list[i].name = text_field(arena, column, "name");
        list[i].type = (struct value_type){
            .kind = (enum value_kind)number_field(column, "kind"),
            .precision = (int32_t)number_field(column, "precision"),
            .scale = (int32_t)number_field(column, "scale"),
            .zoned = number_field(column, "zoned") != 0,
            .dynamic = true,
            .native = "any",
        };
        list[i].not_null = number_field(column, "not_null") != 0;
    }
    for (uint32_t i = 0; i < key->length; i++) {
        key_names[i] = arena_copy(arena, key->items[i].text, key->items[i].length);
    }
    *table = (struct schema_table){
        .kind = SCHEMA_TABLE,
        .name = arena_copy_string(arena, name),
        .columns = list,
        .column_count = columns->length,
        .primary_key = {key_names, key->length},
        .primary_key_not_null = true,
        .row_count = -1,
        .size_bytes = -1,
    };
    return STATUS_OK;
}

static enum status describe_visit(void *context, const struct toy_entry *entry, struct error *error)
{
    struct describing *describing = context;
    struct cell map;
    size_t used;
    if (entry->kind != TOY_TABLE) {
        return STATUS_OK;
    }
    char *name = arena_copy(describing->arena, entry->table, entry->table_length);
    enum status status =
        toy_decode(entry->value, entry->value_length, describing->arena, &map, &used, error);
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t slot = 0;
    while (slot < describing->count && strcmp(describing->tables[slot].name, name) != 0) {
        slot++;
    }
    if (slot == describing->capacity) {
        return error_set(error, ERROR_SOURCE_INVALID, name, "more than %u tables",
                         describing->capacity);
    }
    describing->count += slot == describing->count;
    return table_from_map(describing->arena, name, &map, &describing->tables[slot], error);
}

static int compare_tables(const void *left, const void *right)
{
    return strcmp(((const struct schema_table *)left)->name,
                  ((const struct schema_table *)right)->name);
}

static enum status toy_describe(struct database *database, struct schema **schema,
                                struct error *error)
{
    struct toy_database *self = toy_of(database);
    struct arena *arena = arena_create(0);
    struct describing describing = {.arena = arena, .capacity = 4096};
    struct schema *made = arena ? arena_allocate_zeroed(arena, 1, sizeof *made) : NULL;
    describing.tables =
        made ? arena_allocate_zeroed(arena, describing.capacity, sizeof *describing.tables) : NULL;
    if (!describing.tables) {
        arena_destroy(arena);
        return error_set(error, ERROR_MEMORY, self->folder, "no memory for the schema");
    }
    enum status status = toy_log_walk(self, 0, describe_visit, &describing, NULL, error);
    for (uint32_t i = 0; status == STATUS_OK && i < describing.count; i++) {
        struct toy_index index;
        status = toy_index_load(self, describing.tables[i].name, &index, error);
        if (status == STATUS_OK) {
            describing.tables[i].row_count = (int64_t)index.count;
            toy_index_free(&index);
        }
    }
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return status;
    }
    qsort(describing.tables, describing.count, sizeof *describing.tables, compare_tables);
    *made = (struct schema){
        .arena = arena, .tables = describing.tables, .table_count = describing.count};
    *schema = made;
    return STATUS_OK;
}

const struct catalog_functions toy_catalog = {.describe = toy_describe};

/* ---- source */

struct bounds {
    uint64_t first; /* token, inclusive */
    uint64_t last;
};

static enum status toy_snapshot(struct database *database, uint32_t reader_count,
                                struct arena *arena, const char **token, struct error *error)
{
    (void)database;
    (void)reader_count;
    *token = arena_copy_string(arena, "none");
    return *token ? STATUS_OK : error_set(error, ERROR_MEMORY, NULL, "no memory for a token");
}

static enum status toy_describe_stream(struct database *database,
                                       const struct read_request *request, struct arena *arena,
                                       struct stream_facts *facts, struct error *error)
{
    struct schema *schema;
    enum status status = toy_describe(database, &schema, error);
    if (status != STATUS_OK) {
        return status;
    }
    const struct schema_table *table =
        request->table ? schema_find_table(schema, request->table) : NULL;
    if (!table) {
        status = error_set(error, ERROR_PLAN_INVALID, request->name,
                           "the toy database has no such table");
    } else {
        const char **names =
            arena_allocate_zeroed(arena, table->primary_key.count + 1, sizeof *names);
        for (uint32_t i = 0; names && i < table->primary_key.count; i++) {
            names[i] = arena_copy_string(arena, table->primary_key.names[i]);
        }
        *facts = (struct stream_facts){
            .keyed = true,
            .key_unique = true,
            .row_count = table->row_count,
            .key = {names, table->primary_key.count},
        };
        status = names ? STATUS_OK : error_set(error, ERROR_MEMORY, NULL, "no memory for a stream");
    }
    arena_destroy(schema->arena);
    return status;
}

static enum status add_span(struct arena *arena, struct span *span, struct bounds bounds,
                            size_t rows, struct error *error)
{
    *span = (struct span){
        .printable =
            arena_format(arena, "token %016" PRIx64 "..%016" PRIx64, bounds.first, bounds.last),
        .bounds = (const uint8_t *)arena_copy(arena, &bounds, sizeof bounds),
        .bounds_length = sizeof bounds,
        .row_estimate = (int64_t)rows,
    };
    return span->printable && span->bounds
               ? STATUS_OK
               : error_set(error, ERROR_MEMORY, NULL, "no memory for spans");
}

static enum status toy_split(struct database *database, const struct read_request *request,
                             uint64_t rows_wanted, struct arena *arena, struct span **spans,
                             uint32_t *span_count, struct error *error)
{
    struct toy_index index;
    enum status status = toy_index_load(toy_of(database), request->table, &index, error);
    if (status != STATUS_OK) {
        return status;
    }
    size_t wanted = rows_wanted ? rows_wanted : 1;
    size_t capacity = index.count / wanted + 2;
    struct span *made = arena_allocate_zeroed(arena, capacity, sizeof *made);
    uint32_t count = 0;
    uint64_t first = 0;
    size_t begin = 0;
    status = made ? STATUS_OK : error_set(error, ERROR_MEMORY, NULL, "no memory for spans");
    for (size_t end = wanted; status == STATUS_OK && end < index.count; end += wanted) {
        while (end < index.count && index.records[end].token == index.records[end - 1].token) {
            end++;
        }
        if (end == index.count) {
            break;
        }
        struct bounds bounds = {first, index.records[end].token - 1};
        status = add_span(arena, &made[count++], bounds, end - begin, error);
        first = index.records[end].token;
        begin = end;
    }
    if (status == STATUS_OK) {
        status = add_span(arena, &made[count++], (struct bounds){first, UINT64_MAX},
                          index.count - begin, error);
    }
    toy_index_free(&index);
    *spans = made;
    *span_count = count;
    return status;
}

struct reader {
    struct toy_database *self;
};

struct cursor {
    struct toy_database *self;
    const struct read_request *request;
    struct toy_index index;
    size_t next;
    size_t end;
};

static enum status toy_reader_open(struct database *database, struct reader **reader,
                                   struct error *error)
{
    *reader = malloc(sizeof **reader);
    if (!*reader) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a reader");
    }
    (*reader)->self = toy_of(database);
    return STATUS_OK;
}

static void toy_reader_close(struct reader *reader)
{
    free(reader);
}

static void toy_cursor_close(struct cursor *cursor)
{
    if (cursor) {
        toy_index_free(&cursor->index);
        free(cursor);
    }
}

static enum status toy_cursor_open(struct reader *reader, const struct read_request *request,
                                   const struct span *span, struct cursor **cursor,
                                   struct error *error)
{
    if (request->join_count > 0 || !request->table) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, request->name,
                         "a toy source has no joins or queries");
    }
    struct cursor *made = calloc(1, sizeof *made);
    if (!made) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a cursor");
    }
    made->self = reader->self;
    made->request = request;
    enum status status = toy_index_load(reader->self, request->table, &made->index, error);
    if (status != STATUS_OK) {
        free(made);
        return status;
    }
    struct bounds bounds = {0, UINT64_MAX};
    if (span) {
        memcpy(&bounds, span->bounds, sizeof bounds);
    }
    while (made->next < made->index.count && made->index.records[made->next].token < bounds.first) {
        made->next++;
    }
    made->end = made->next;
    while (made->end < made->index.count && made->index.records[made->end].token <= bounds.last) {
        made->end++;
    }
    *cursor = made;
    return STATUS_OK;
}

/* The key of a record by which it is asked for. */
static bool is_wanted(const struct read_request *request, const struct cell *map)
{
    for (uint32_t k = 0; k < request->key_count; k++) {
        const struct cell *key = request->keys + (size_t)k * request->root_key.count;
        bool equal = true;
        for (uint32_t i = 0; i < request->root_key.count && equal; i++) {
            const struct cell *field = value_field(map, request->root_key.names[i]);
            equal = field != NULL && value_equal(field, &key[i]);
        }
        if (equal) {
            return true;
        }
    }
    return request->keys == NULL;
}

static enum status read_record(struct toy_database *self, uint64_t offset,
                               const struct read_request *request, struct batch *batch,
                               struct error *error)
{
    struct toy_entry entry;
    struct cell map;
    size_t used;
    enum status status = toy_log_read(self, offset, batch->arena, &entry, error);
    if (status == STATUS_OK) {
        status = toy_decode(entry.value, entry.value_length, batch->arena, &map, &used, error);
    }
    if (status != STATUS_OK || !is_wanted(request, &map)) {
        return status;
    }
    struct cell *row = batch_append(batch);
    if (!row) {
        return error_set(error, ERROR_MEMORY, request->table, "no memory for a batch");
    }
    if (request->column_count == 0) {
        row[0] = map;
    }
    for (uint32_t i = 0; i < request->column_count; i++) {
        const struct cell *field = value_field(&map, request->columns[i].name);
        row[i] = field ? *field : cell_missing();
    }
    return STATUS_OK;
}

static enum status toy_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                                   struct batch **batch, struct error *error)
{
    if (cursor->next == cursor->end) {
        return STATUS_END;
    }
    uint32_t width = cursor->request->column_count ? cursor->request->column_count : 1;
    rows_max = rows_max < cursor->self->page_rows ? rows_max : cursor->self->page_rows;
    struct batch *made = batch_create(NULL, width, rows_max);
    if (!made) {
        return error_set(error, ERROR_MEMORY, cursor->request->table, "no memory for a batch");
    }
    enum status status = STATUS_OK;
    while (status == STATUS_OK && cursor->next < cursor->end && made->row_count < rows_max &&
           (made->row_count == 0 || arena_bytes(made->arena) < bytes_max)) {
        status = read_record(cursor->self, cursor->index.records[cursor->next++].offset,
                             cursor->request, made, error);
    }
    if (status != STATUS_OK) {
        batch_destroy(made);
        return status;
    }
    *batch = made;
    return STATUS_OK;
}

const struct source_functions toy_source = {
    .snapshot = toy_snapshot,
    .describe_stream = toy_describe_stream,
    .split = toy_split,
    .prepare = source_prepares_nothing,
    .reader_open = toy_reader_open,
    .reader_close = toy_reader_close,
    .cursor_open = toy_cursor_open,
    .cursor_next = toy_cursor_next,
    .cursor_close = toy_cursor_close,
};
