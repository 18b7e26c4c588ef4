/* Static columns: one value a partition, whichever of its records says it. */
#include "connectors/cassandra/target.h"

#include "connectors/cassandra/key.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include "connectors/keyed/claims.h"
#include <string.h>

/* The record's cell for a column; NULL: it says nothing of it. */
static const struct cell *field_of(const struct keyed_record *record, const char *name)
{
    static const struct cell nothing = {.kind = VALUE_NULL};
    if (record->shape == NULL) {
        const struct cell *value = value_field(record->cells, name);
        return value != NULL && value->kind != VALUE_MISSING ? value : &nothing;
    }
    int32_t field = shape_field_find(record->shape, name);
    return field < 0                                    ? NULL
           : record->cells[field].kind == VALUE_MISSING ? &nothing
                                                        : &record->cells[field];
}

static enum status append_claim(const struct cassandra_column *column, const struct cell *cell,
                                struct buffer *scratch, struct arena *arena, struct buffer *claims,
                                struct error *error)
{
    struct cell normal = cell_null();
    struct canonical_hash hash;
    if ((cell->kind != VALUE_NULL &&
         cassandra_normal_in(column->type, cell, arena, &normal, error) != STATUS_OK) ||
        canonical_hash_cells(&normal, 1, scratch, &hash, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_clear(scratch);
    value_print(&normal, KEYED_CLAIM_TEXT_MAX, scratch);
    bool adds_up = cassandra_is_shared_list(column) && normal.kind != VALUE_NULL;
    keyed_claims_add(claims, column->name, adds_up, &hash, scratch);
    return STATUS_OK;
}

/* The partition's key as bytes, and as a text. */
static enum status append_place(const struct cassandra_layout *layout,
                                const struct keyed_record *record, struct buffer *place,
                                struct buffer *shown, struct error *error)
{
    const struct cassandra_table *table = layout->table;
    for (uint32_t at = 0; at < table->partition_count; at++) {
        const struct cell *cell = NULL;
        for (uint32_t part = 0; part < layout->key_count; part++) {
            cell = layout->key[part] == (int32_t)at ? &record->key[part] : cell;
        }
        if (cassandra_key_encode_part(table, at, cell, place, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_format(shown, "%s%s = ", at > 0 ? ", " : "", table->columns[at].name);
        value_print(cell, KEYED_CLAIM_TEXT_MAX, shown);
    }
    return STATUS_OK;
}

enum status cassandra_append_claims(struct database *self, const struct keyed_record *record,
                                    struct buffer *place, struct buffer *claims,
                                    struct error *error)
{
    const struct cassandra_layout *layout = NULL;
    struct buffer scratch = {0};
    struct arena *arena = NULL;
    if (cassandra_layout_find(cassandra_of(self), record->table, &layout, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct cassandra_table *table = layout->table;
    enum status status = STATUS_OK;
    for (uint32_t at = table->key.count; at < table->column_count && status == STATUS_OK; at++) {
        const struct cell *cell = table->columns[at].part == CASSANDRA_STATIC
                                      ? field_of(record, table->columns[at].name)
                                      : NULL;
        if (cell == NULL) {
            continue;
        }
        if (arena == NULL) {
            arena = arena_create(1024);
            status = append_place(layout, record, place, &scratch, error);
            keyed_claims_begin(claims, &scratch);
        }
        status = status == STATUS_OK
                     ? append_claim(&table->columns[at], cell, &scratch, arena, claims, error)
                     : status;
    }
    buffer_free(&scratch);
    if (arena != NULL) {
        arena_destroy(arena);
    }
    return status;
}

/* ---------------------------------------------------------------- shared lists */

static bool has_shared_lists(const struct keyed_connection *connection, enum keyed_kind kind,
                             const struct keyed_record *record)
{
    const struct cassandra_layout *layout = connection->layouts[record->table - connection->tables];
    bool any = false;
    if (!layout->shares_lists || record->table->settles_claims || record->key == NULL ||
        (kind != KEYED_PUT && kind != KEYED_UPDATE)) {
        return false;
    }
    for (uint32_t at = layout->table->key.count; at < layout->table->column_count && !any; at++) {
        const struct cassandra_column *column = &layout->table->columns[at];
        any = cassandra_is_shared_list(column) && field_of(record, column->name) != NULL;
    }
    return any;
}

enum status cassandra_lists_begin(struct keyed_connection *connection, enum keyed_kind kind,
                                  const struct keyed_record *record, struct error *error)
{
    uint32_t number = (uint32_t)(record->table - connection->tables);
    struct buffer *place = &connection->place;
    struct buffer shown = {0};
    buffer_clear(place);
    connection->leaves_lists = false;
    if (!has_shared_lists(connection, kind, record)) {
        return STATUS_OK;
    }
    buffer_append(place, &number, sizeof(number));
    buffer_append(place, &record->attempt, sizeof(record->attempt));
    enum status status = append_place(connection->layouts[number], record, place, &shown, error);
    buffer_free(&shown);
    connection->leaves_lists = status == STATUS_OK && place->length == connection->lists.length &&
                               memcmp(place->data, connection->lists.data, place->length) == 0;
    return status;
}

void cassandra_lists_end(struct keyed_connection *connection, bool encoded)
{
    connection->leaves_lists = false;
    if (encoded && connection->place.length > 0) {
        buffer_clear(&connection->lists);
        buffer_append(&connection->lists, connection->place.data, connection->place.length);
    }
}

enum status cassandra_lists_keep(struct keyed_connection *connection,
                                 const struct keyed_request *request, struct error *error)
{
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct keyed_record record;
    return request->count == 1 && keyed_request_record(request, 0, key, &record) &&
                   has_shared_lists(connection, request->kind, &record)
               ? cassandra_write_statics(&connection->cassandra->keyed.base, request->kind, &record,
                                         error)
               : STATUS_OK;
}

/* ---------------------------------------------------------------- inserting */

/* Why a record can't have another static value than its partition. */
static void tell_difference(const struct cassandra_layout *layout,
                            const struct cassandra_column *column,
                            const struct keyed_record *record, const struct cell *own,
                            struct cql_value there, struct buffer *reason)
{
    struct buffer place = {0};
    struct buffer shown = {0};
    struct buffer claims = {0};
    struct keyed_claims read;
    struct keyed_claim claim;
    const char *place_text = "";
    uint8_t place_length = 0;
    struct cell found = cell_null();
    struct error ignored;
    struct arena *arena = arena_create(1024);
    const struct cell nothing = cell_null();
    (void)!cql_value_decode(column->type, there, arena, &found, &ignored);
    value_print(&found, KEYED_CLAIM_TEXT_MAX, &shown);
    if (append_place(layout, record, &place, reason, &ignored) == STATUS_OK) {
        keyed_claims_begin(&claims, reason);
    }
    own = own == NULL || own->kind == VALUE_MISSING ? &nothing : own;
    if (append_claim(column, own, reason, arena, &claims, &ignored) == STATUS_OK &&
        keyed_claims_read((const uint8_t *)claims.data, claims.length, &read, &place_text,
                          &place_length) &&
        keyed_claims_next(&read, &claim)) {
        keyed_claims_refuse(reason, &claim, (struct text){place_text, place_length},
                            (struct text){shown.data, shown.length}, "the rows that are there");
    }
    buffer_free(&place);
    buffer_free(&shown);
    buffer_free(&claims);
    arena_destroy(arena);
}

static enum status statics_refuse(struct keyed_connection *connection,
                                  const struct cassandra_statement *statement,
                                  const struct keyed_record *record, uint32_t at,
                                  struct cql_value there, struct keyed_answer *answer)
{
    struct buffer reason = {0};
    tell_difference(statement->layout, &statement->layout->table->columns[statement->places[at]],
                    record, cassandra_cell_of(statement, record, at), there, &reason);
    error_set(&connection->reason, ERROR_REJECT_CONSTRAINT, NULL, "%s", buffer_string(&reason));
    answer->reason = &connection->reason;
    answer->outcome = KEYED_REFUSED;
    buffer_free(&reason);
    return STATUS_OK;
}

/* `*any`: the record has a static value at all. UINT32_MAX: none of them differs. */
static uint32_t find_difference(const struct cassandra_statement *statement,
                                const struct keyed_record *record, const struct cql_value *values,
                                bool *any, struct arena *arena)
{
    uint32_t differs = UINT32_MAX;
    *any = false;
    for (uint32_t at = statement->key_count; at < statement->count; at++) {
        const struct cell *own = cassandra_cell_of(statement, record, at);
        const struct cassandra_column *column =
            &statement->layout->table->columns[statement->places[at]];
        *any = *any || (own != NULL && own->kind != VALUE_NULL && own->kind != VALUE_MISSING);
        if (differs == UINT32_MAX && values != NULL &&
            !cassandra_is_same(column->type, own, values[at], arena)) {
            differs = at;
        }
    }
    return differs;
}

enum status cassandra_judge_statics(struct keyed_connection *connection, struct cql_reply *reply,
                                    struct keyed_answer *answer, struct error *error)
{
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct keyed_record record;
    struct cql_rows *rows = &reply->response.rows;
    if (!keyed_request_record(answer->request, 0, key, &record)) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    struct cql_value *values =
        arena_allocate_zeroed(arena, rows->columns.count + 1u, sizeof(*values));
    bool there = cql_rows_next(rows, values) == STATUS_OK;
    enum status status = STATUS_OK;
    if (cassandra_part_of(answer->request) == CASSANDRA_LOOKS_FOR_ROW) {
        answer->outcome = KEYED_OCCUPIED;
        status = there ? STATUS_OK
                       : cassandra_go_on(connection, answer, CASSANDRA_LOOKS_FOR_STATICS, error);
    } else {
        const struct cassandra_statement *statement = cassandra_statement_of(
            connection, KEYED_LOOK, answer->request->table, record.shape, CASSANDRA_ALONE);
        bool any = false;
        uint32_t differs = find_difference(statement, &record, there ? values : NULL, &any, arena);
        status =
            differs != UINT32_MAX
                ? statics_refuse(connection, statement, &record, differs, values[differs], answer)
                : cassandra_go_on(connection, answer,
                                  there || !any ? CASSANDRA_INSERTS_ROW : CASSANDRA_SETS_STATICS,
                                  error);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- asking */

static void append_where(const struct cassandra *self, const struct cassandra_table *table,
                         struct buffer *text)
{
    buffer_append_string(text, " FROM ");
    cassandra_append_table(self, table->name, text);
    for (uint32_t at = 0; at < table->partition_count; at++) {
        const char *name = table->columns[at].name;
        buffer_append_string(text, at > 0 ? " AND " : " WHERE ");
        cql_name_append((struct text){name, strlen(name)}, text);
        buffer_append_string(text, " = ?");
    }
}

/* The first clustering column, which is null where there are static values alone, and all static
 * ones. */
static enum status read_partition(struct cassandra *self, const struct cassandra_table *table,
                                  const struct buffer *place, struct arena *arena,
                                  struct cql_value **values, struct error *error)
{
    struct buffer text = {0};
    struct cql_reply reply;
    buffer_append_string(&text, "SELECT ");
    for (uint32_t at = table->partition_count; at < table->column_count; at++) {
        const struct cassandra_column *column = &table->columns[at];
        if (at == table->partition_count || column->part == CASSANDRA_STATIC) {
            buffer_append_string(&text, at > table->partition_count ? ", " : "");
            cql_name_append((struct text){column->name, strlen(column->name)}, &text);
        }
    }
    append_where(self, table, &text);
    buffer_append_string(&text, " LIMIT 1");
    enum status status =
        cassandra_run_prepared(self, buffer_string(&text), place, (uint16_t)table->partition_count,
                               self->settings.read_consistency, true, arena, &reply, error);
    buffer_free(&text);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    *values = arena_allocate_zeroed(arena, reply.response.rows.columns.count + 1u,
                                    sizeof(struct cql_value));
    bool there = reply.response.rows.columns.count > 0 &&
                 cql_rows_next(&reply.response.rows, *values) == STATUS_OK &&
                 (*values)[0].length >= 0;
    *values = there ? *values : NULL;
    return STATUS_OK;
}

static enum status count_partition(struct cassandra *self, const struct cassandra_table *table,
                                   const struct buffer *place, struct arena *arena, uint64_t *count,
                                   struct error *error)
{
    struct buffer text = {0};
    struct cql_reply reply;
    struct cql_value value;
    buffer_append_string(&text, "SELECT count(*)");
    append_where(self, table, &text);
    enum status status =
        cassandra_run_prepared(self, buffer_string(&text), place, (uint16_t)table->partition_count,
                               self->settings.read_consistency, true, arena, &reply, error);
    buffer_free(&text);
    if (status == STATUS_OK && reply.response.rows.columns.count == 1 &&
        cql_rows_next(&reply.response.rows, &value) == STATUS_OK && value.length == 8) {
        struct cql_reader reader = cql_reader_of(value.data, 8);
        *count = (uint64_t)cql_read_long(&reader);
    }
    return status;
}

static void statics_compare(const struct cassandra_layout *layout,
                            const struct keyed_record *record, const struct cql_value *values,
                            struct arena *arena, const char **why)
{
    struct buffer reason = {0};
    uint32_t field = 1;
    for (uint32_t at = layout->table->key.count; at < layout->table->column_count; at++) {
        const struct cassandra_column *column = &layout->table->columns[at];
        if (column->part != CASSANDRA_STATIC) {
            continue;
        }
        const struct cell *own = value_field(record->cells, column->name);
        if (own != NULL && *why == NULL &&
            !cassandra_is_same(column->type, own, values[field], arena)) {
            tell_difference(layout, column, record, own, values[field], &reason);
            *why = arena_copy_string(arena, buffer_string(&reason));
        }
        field++;
    }
    buffer_free(&reason);
}

enum status cassandra_ask_place(struct database *database, const struct target_table *table,
                                const struct cell *fields, bool counts, struct arena *arena,
                                uint64_t *records, const char **why, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    const struct cassandra_layout *layout = NULL;
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    const struct keyed_record record = {.table = table, .cells = fields, .key = key};
    struct buffer place = {0};
    struct buffer shown = {0};
    struct cql_value *values = NULL;
    *records = 0;
    *why = NULL;
    if (cassandra_layout_find(self, table, &layout, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        keyed_find_key(table, NULL, fields, key)
            ? append_place(layout, &record, &place, &shown, error)
            : error_set(error, ERROR_INTERNAL, table->name, "a record without its key");
    if (status == STATUS_OK) {
        status = read_partition(self, layout->table, &place, arena, &values, error);
    }
    if (status == STATUS_OK && values != NULL) {
        *records = 1;
        statics_compare(layout, &record, values, arena, why);
        status = counts ? count_partition(self, layout->table, &place, arena, records, error)
                        : STATUS_OK;
    }
    buffer_free(&place);
    buffer_free(&shown);
    return status;
}
