/*
 * Many changes as one statement: arrays of the values, a row of unnest each. Of several changes of
 * one kind to a record the last one goes: each sets the same columns, and nothing else was done to
 * the record between them.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "connectors/postgres/follow/apply.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    BATCH_ROWS_MAX = 512,
    BATCH_BYTES_MAX = 256 << 10,
    BATCH_COLUMNS_MAX = 256,
    KEY_SLOTS = 2048, /* a power of two */
    FEW_ROWS = 16,
    ARRAY_HEADER = 20,
    OID_TEXT = 25,
    OID_TEXT_ARRAY = 1009
};

enum batch_form { FORM_INSERT, FORM_UPDATE, FORM_REMOVE };

struct apply_batch {
    struct sql_apply_statement *statement;
    enum batch_form form;
    bool exact; /* each of its rows has to be there */
    struct apply_named named;
    const char *sql; /* NULL: there is none, the changes go alone */
    const Oid *types;
    struct buffer *columns; /* one a parameter: an array, without its header */
    bool *key;              /* a parameter each: it is part of what the record is found by */
    uint32_t *key_order;    /* those parameters, in the order of the table's key */
    uint32_t key_count;
    uint32_t rows;
    uint32_t dead_count;
    size_t bytes;
    struct buffer key_bytes; /* as the server gets them */
    struct batch_row {
        const struct record_change *change;
        size_t key_end; /* in key_bytes */
        uint32_t slot;
        bool dead; /* a later row is of the same record */
    } row[BATCH_ROWS_MAX];
    struct batch_slot {
        uint64_t hash; /* of a key; 0: free */
        uint32_t row;
    } slots[KEY_SLOTS];
};

static const struct apply_facts *facts_of(const struct apply_batch *batch)
{
    return batch->statement->table->facts;
}

static const struct apply_prepared *prepared_of(const struct apply_batch *batch)
{
    return batch->statement->prepared;
}

/* ---------------------------------------------------------------- texts */

static void append_value(struct buffer *sql, const struct apply_batch *batch, uint32_t parameter)
{
    const struct sql_apply_parameter *wanted = &batch->statement->parameters[parameter];
    bool text = prepared_of(batch)->columns[parameter]->type.format == POSTGRES_AS_CAST;
    buffer_format(sql, "v.c%u", parameter);
    if (text) {
        buffer_format(sql, "::%s", facts_of(batch)->arrays[wanted->column].type);
    }
}

/* "unnest($1, $2) AS v(c0, c1)" */
static void append_rows(struct buffer *sql, const struct apply_batch *batch)
{
    uint32_t count = batch->statement->parameter_count;
    buffer_append_string(sql, "unnest(");
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(sql, "%s$%u", i > 0 ? ", " : "", i + 1);
    }
    buffer_append_string(sql, ") AS v(");
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(sql, "%sc%u", i > 0 ? ", " : "", i);
    }
    buffer_append_byte(sql, ')');
}

static void append_match(struct buffer *sql, const struct apply_batch *batch)
{
    const char *separator = " WHERE ";
    for (uint32_t i = 0; i < batch->statement->parameter_count; i++) {
        if (batch->key[i]) {
            postgres_append(sql, "%st.%n", separator, prepared_of(batch)->columns[i]->name);
            postgres_append_operator(sql, prepared_of(batch)->columns[i], "=");
            append_value(sql, batch, i);
            separator = " AND ";
        }
        if (batch->key[i] && column_list_holds(batch->statement->table->plan->apart,
                                               prepared_of(batch)->columns[i]->name)) {
            const struct postgres_column *column = prepared_of(batch)->columns[i];
            const struct postgres_words text = postgres_cast_to_text(column);
            postgres_append(sql, " AND %st.%n%s COLLATE pg_catalog.\"C\" = %s", text.before,
                            column->name, text.behind, text.before);
            append_value(sql, batch, i);
            buffer_format(sql, "%s COLLATE pg_catalog.\"C\"", text.behind);
        }
    }
}

static void append_insert(struct buffer *sql, const struct apply_batch *batch,
                          const struct postgres_database *self)
{
    uint32_t count = batch->statement->parameter_count;
    postgres_append(sql, "INSERT INTO %t (", &self->sql, batch->statement->table->name);
    for (uint32_t i = 0; i < count; i++) {
        postgres_append(sql, i > 0 ? ", %n" : "%n", prepared_of(batch)->columns[i]->name);
    }
    buffer_append_string(sql, ") OVERRIDING SYSTEM VALUE SELECT ");
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        append_value(sql, batch, i);
    }
    buffer_append_string(sql, " FROM ");
    append_rows(sql, batch);
    /* behind the parenthesis of the values */
    buffer_append_string(sql, batch->statement->sql + batch->statement->conflict_at + 1);
}

/* False: there is nothing to set. */
static bool append_update(struct buffer *sql, const struct apply_batch *batch,
                          const struct postgres_database *self)
{
    const char *separator = " SET ";
    postgres_append(sql, "UPDATE %t AS t", &self->sql, batch->statement->table->name);
    for (uint32_t i = 0; i < batch->statement->parameter_count; i++) {
        const struct postgres_column *column = prepared_of(batch)->columns[i];
        if (!batch->key[i] && !column->always_identity) {
            postgres_append(sql, "%s%n = ", separator, column->name);
            append_value(sql, batch, i);
            separator = ", ";
        }
    }
    buffer_append_string(sql, " FROM ");
    append_rows(sql, batch);
    append_match(sql, batch);
    return separator[0] == ',';
}

static void make_text(const struct postgres_database *self, struct apply_batch *batch)
{
    struct buffer sql = {0};
    bool made = true;
    if (batch->form == FORM_INSERT) {
        append_insert(&sql, batch, self);
    } else if (batch->form == FORM_UPDATE) {
        made = append_update(&sql, batch, self);
    } else {
        postgres_append(&sql, "DELETE FROM %t AS t USING ", &self->sql,
                        batch->statement->table->name);
        append_rows(&sql, batch);
        append_match(&sql, batch);
    }
    batch->sql = made ? sql_text(batch->statement->arena, &sql) : NULL;
    buffer_free(&sql);
}

/* ---------------------------------------------------------------- batches */

static void order_key(struct apply_batch *batch, struct arena *arena)
{
    const struct column_list *key = &batch->statement->table->plan->key;
    batch->key_order =
        arena_allocate_zeroed(arena, (size_t)key->count + 1, sizeof *batch->key_order);
    for (uint32_t part = 0; part < key->count; part++) {
        for (uint32_t i = 0; i < batch->statement->parameter_count; i++) {
            if (strcmp(prepared_of(batch)->columns[i]->name, key->names[part]) == 0) {
                batch->key_order[batch->key_count++] = i;
                break;
            }
        }
    }
}

static struct apply_batch *apply_batch_make(struct postgres_apply *apply,
                                            struct sql_apply_statement *statement,
                                            enum batch_form form, bool exact)
{
    struct arena *arena = statement->arena;
    uint32_t count = statement->parameter_count;
    struct apply_batch *batch = arena_allocate_zeroed(arena, 1, sizeof *batch);
    Oid *types = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *types);
    *batch =
        (struct apply_batch){.statement = statement, .form = form, .exact = exact, .types = types};
    batch->columns = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *batch->columns);
    batch->key = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *batch->key);
    bool known = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct postgres_column *column = prepared_of(batch)->columns[i];
        bool text = column->type.format == POSTGRES_AS_CAST;
        types[i] =
            text ? OID_TEXT_ARRAY : facts_of(batch)->arrays[statement->parameters[i].column].oid;
        known = known && types[i] != 0 &&
                facts_of(batch)->arrays[statement->parameters[i].column].type != NULL;
        batch->key[i] = column_list_holds(statement->table->plan->key, column->name);
    }
    order_key(batch, arena);
    if (known) {
        make_text(apply->self, batch);
    }
    return batch;
}

static const struct cell *cell_of(const struct sql_apply_parameter *parameter,
                                  const struct record_change *change)
{
    return parameter->of_key ? &change->key[parameter->at] : &change->after[parameter->at];
}

/* A value that a batch would hold once more. */
static bool has_large(const struct sql_apply_statement *statement,
                      const struct record_change *change)
{
    bool found = false;
    for (uint32_t i = 0; i < statement->parameter_count && !found; i++) {
        const struct cell *cell = cell_of(&statement->parameters[i], change);
        found = (cell->kind == VALUE_TEXT || cell->kind == VALUE_BYTES) &&
                cell->length >= ARENA_SHARED_BYTES;
    }
    return found;
}

/* A change of another form than its statement goes by the form's own. NULL: the change goes alone.
 */
static struct apply_batch *batch_of(struct postgres_apply *apply,
                                    struct sql_apply_statement *statement,
                                    const struct record_change *change)
{
    struct apply_prepared *prepared = statement->prepared;
    const struct apply_facts *facts = statement->table->facts;
    bool put = statement->kind == SQL_APPLY_PUT;
    bool other =
        put && change->operation == RECORD_UPDATE && !statement->table->plan->clears_others;
    enum batch_form form = statement->kind == SQL_APPLY_REMOVE ? FORM_REMOVE
                           : put && !other                     ? FORM_INSERT
                                                               : FORM_UPDATE;
    if (statement->table->plan->key.count == 0 || apply->singly ||
        (facts->triggers && !apply->silent) || statement->parameter_count > BATCH_COLUMNS_MAX ||
        statement->parameter_count == 0 ||
        (!put && statement->kind != SQL_APPLY_PATCH && statement->kind != SQL_APPLY_REMOVE) ||
        has_large(statement, change)) {
        return NULL;
    }
    if (prepared->batches[other] == NULL) {
        prepared->batches[other] =
            apply_batch_make(apply, statement, form, other || statement->finds);
    }
    return prepared->batches[other]->sql != NULL ? prepared->batches[other] : NULL;
}

static void empty(struct apply_batch *batch)
{
    for (uint32_t i = 0; i < batch->statement->parameter_count; i++) {
        if (batch->bytes > BATCH_BYTES_MAX) {
            buffer_free(&batch->columns[i]);
        }
        buffer_clear(&batch->columns[i]);
    }
    if (batch->rows > FEW_ROWS) {
        memset(batch->slots, 0, sizeof batch->slots);
    }
    for (uint32_t i = 0; i < batch->rows && batch->rows <= FEW_ROWS; i++) {
        memset(&batch->slots[batch->row[i].slot], 0, sizeof batch->slots[0]);
    }
    buffer_clear(&batch->key_bytes);
    batch->rows = 0;
    batch->dead_count = 0;
    batch->bytes = 0;
}

static void put_header(const struct apply_batch *batch, uint32_t parameter, uint8_t *header)
{
    const struct postgres_column *column = prepared_of(batch)->columns[parameter];
    uint32_t type = column->type.format == POSTGRES_AS_CAST ? OID_TEXT : column->type_oid;
    bytes_put_be(header, 1, 4);     /* dimensions */
    bytes_put_be(header + 4, 1, 4); /* there may be NULLs */
    bytes_put_be(header + 8, type, 4);
    bytes_put_be(header + 12, batch->rows - batch->dead_count, 4);
    bytes_put_be(header + 16, 1, 4); /* the first has the number 1 */
}

/* Takes the dead rows out of a column. */
static void compact(const struct apply_batch *batch, struct buffer *column)
{
    char *to = column->data + ARRAY_HEADER;
    const char *from = to;
    for (uint32_t i = 0; i < batch->rows; i++) {
        uint32_t size = (uint32_t)bytes_get_be((const uint8_t *)from, 4);
        size_t whole = 4 + (size == UINT32_MAX ? 0 : (size_t)size);
        if (!batch->row[i].dead) {
            memmove(to, from, whole);
            to += whole;
        }
        from += whole;
    }
    column->length = (size_t)(to - column->data);
}

static enum status send_rows(struct postgres_apply *apply, struct apply_batch *batch,
                             struct error *error)
{
    uint32_t count = batch->statement->parameter_count;
    if (postgres_pipeline_enter(apply, error) != STATUS_OK ||
        postgres_pipeline_prepare(apply, &batch->named, batch->sql, (int)count, batch->types,
                                  error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (apply->failed) {
        return STATUS_OK; /* settle tells */
    }
    for (uint32_t i = 0; i < count; i++) {
        if (batch->dead_count > 0) {
            compact(batch, &batch->columns[i]);
        }
        put_header(batch, i, (uint8_t *)batch->columns[i].data);
        apply->values[i] = batch->columns[i].data;
        apply->lengths[i] = (int)batch->columns[i].length;
        apply->formats[i] = 1;
    }
    if (batch->exact) {
        postgres_pipeline_expect(apply, batch->rows - batch->dead_count, NULL);
    }
    return postgres_pipeline_sent(apply,
                                  PQsendQueryPrepared(apply->connection, batch->named.name,
                                                      (int)count, apply->values, apply->lengths,
                                                      apply->formats, 0),
                                  error);
}

static enum status flush_one(struct postgres_apply *apply, struct apply_batch *batch,
                             struct sql_apply_refused *refused, struct error *error)
{
    uint32_t at = 0;
    while (at < apply->open_count && apply->open[at] != batch) {
        at++;
    }
    if (at == apply->open_count) {
        return STATUS_OK;
    }
    memmove(&apply->open[at], &apply->open[at + 1],
            (apply->open_count - at - 1) * sizeof(apply->open[0]));
    apply->open_count--;
    enum status status =
        batch->rows - batch->dead_count == 1
            ? postgres_apply_one(apply, batch->statement, batch->row[batch->rows - 1].change,
                                 refused, error)
            : send_rows(apply, batch, error);
    empty(batch);
    return status;
}

enum status postgres_batch_flush(struct postgres_apply *apply, struct sql_apply_refused *refused,
                                 struct error *error)
{
    enum status status = STATUS_OK;
    while (apply->open_count > 0 && status == STATUS_OK) {
        status = flush_one(apply, apply->open[0], refused, error);
    }
    return status;
}

void postgres_batch_clear(struct postgres_apply *apply)
{
    for (uint32_t i = 0; i < apply->open_count; i++) {
        empty(apply->open[i]);
    }
    apply->open_count = 0;
}

void postgres_batch_free(struct postgres_apply *apply, struct apply_prepared *prepared)
{
    for (int which = 0; which < 2; which++) {
        struct apply_batch *batch = prepared->batches[which];
        for (uint32_t i = 0; batch != NULL && i < batch->statement->parameter_count; i++) {
            buffer_free(&batch->columns[i]);
        }
        if (batch != NULL) {
            buffer_free(&batch->key_bytes);
        }
        if (batch != NULL && batch->named.state == APPLY_NAMED_THERE) {
            buffer_format(&apply->dropped, "DEALLOCATE %s; ", batch->named.name);
        }
        prepared->batches[which] = NULL;
    }
}

/* ---------------------------------------------------------------- adding */

/* The slot of the hash, or the free one where it belongs. */
static uint32_t slot_of(const struct apply_batch *batch, uint64_t hash)
{
    uint32_t slot = (uint32_t)(hash % KEY_SLOTS);
    while (batch->slots[slot].hash != 0 && batch->slots[slot].hash != hash) {
        slot = (slot + 1) % KEY_SLOTS;
    }
    return slot;
}

static bool holds_key(const struct apply_batch *batch, uint64_t hash)
{
    return batch->slots[slot_of(batch, hash)].hash != 0;
}

/* Is that row of the key in `encoded`? */
static bool is_of_key(const struct apply_batch *batch, uint32_t row, const struct buffer *encoded)
{
    size_t begin = row > 0 ? batch->row[row - 1].key_end : 0;
    size_t length = batch->row[row].key_end - begin;
    return length == encoded->length &&
           memcmp(batch->key_bytes.data + begin, encoded->data, length) == 0;
}

/* Keeps the key of the row that was appended last, which is in `encoded`. */
static void keep_key(struct apply_batch *batch, const struct record_change *change, uint64_t hash,
                     const struct buffer *encoded)
{
    uint32_t slot = slot_of(batch, hash);
    if (batch->slots[slot].hash != 0) {
        batch->row[batch->slots[slot].row].dead = true;
        batch->dead_count++;
    }
    buffer_append_buffer(&batch->key_bytes, encoded);
    batch->slots[slot] = (struct batch_slot){hash, batch->rows};
    batch->row[batch->rows] =
        (struct batch_row){.change = change, .key_end = batch->key_bytes.length, .slot = slot};
    batch->rows++;
}

/* The hash of the key's values in the order of the table's key, as the server gets them. */
static enum status hash_key(struct postgres_apply *apply, const struct apply_batch *batch,
                            const struct record_change *change, uint64_t *hash, struct error *error)
{
    struct buffer *encoded = &apply->key;
    enum status status = STATUS_OK;
    buffer_clear(encoded);
    for (uint32_t part = 0; part < batch->key_count && status == STATUS_OK; part++) {
        uint32_t i = batch->key_order[part];
        status = postgres_encode(prepared_of(batch)->columns[i],
                                 cell_of(&batch->statement->parameters[i], change), apply->scratch,
                                 encoded, error);
        if (status != STATUS_OK) {
            status = postgres_apply_name_column(prepared_of(batch)->columns[i], error);
        }
    }
    *hash = XXH3_64bits(encoded->data, encoded->length) | 1;
    return status;
}

/* Flushes the batches that this change must not overtake, with `all` each one of its table. */
static enum status flush_before(struct postgres_apply *apply, const struct apply_batch *own,
                                const struct sql_apply_table *table, uint64_t hash, bool all,
                                struct sql_apply_refused *refused, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < apply->open_count && status == STATUS_OK;) {
        struct apply_batch *batch = apply->open[i];
        bool same_table = batch->statement->table->plan == table->plan;
        bool full =
            batch == own && (batch->rows >= BATCH_ROWS_MAX || batch->bytes >= BATCH_BYTES_MAX);
        /* triggers of foreign keys want the source's order */
        bool overtaken = !apply->silent && batch != own;
        bool holds = same_table && (all || holds_key(batch, hash));
        /* the last change to a record stands for those before, but not for another record that has
         * the same hash, nor where triggers see each of them */
        bool replaces = holds && batch == own && apply->silent &&
                        is_of_key(batch, batch->slots[slot_of(batch, hash)].row, &apply->key);
        if (full || overtaken || (holds && !replaces)) {
            status = flush_one(apply, batch, refused, error);
        } else {
            i++;
        }
    }
    return status;
}

/* All of the row's values, or none of them. */
static enum status append_row(struct postgres_apply *apply, struct apply_batch *batch,
                              const struct record_change *change, struct error *error)
{
    const struct sql_apply_statement *statement = batch->statement;
    enum status status = STATUS_OK;
    uint32_t done = 0;
    size_t lengths[BATCH_COLUMNS_MAX];
    for (; done < statement->parameter_count && status == STATUS_OK; done++) {
        static const char header[ARRAY_HEADER] = {0};
        struct buffer *column = &batch->columns[done];
        if (column->length == 0) {
            buffer_append(column, header, sizeof header);
        }
        lengths[done] = column->length;
        const struct cell *cell = cell_of(&statement->parameters[done], change);
        status = postgres_apply_check(prepared_of(batch)->columns[done], cell, error);
        status = status == STATUS_OK ? postgres_encode(prepared_of(batch)->columns[done], cell,
                                                       apply->scratch, column, error)
                                     : status;
        batch->bytes += column->length - lengths[done];
    }
    if (status != STATUS_OK) {
        status = postgres_apply_name_column(prepared_of(batch)->columns[done - 1], error);
    }
    while (status != STATUS_OK && done > 0) {
        done--;
        batch->columns[done].length = lengths[done];
    }
    return status;
}

enum status postgres_batch_add(struct postgres_apply *apply, struct sql_apply_statement *statement,
                               const struct record_change *change,
                               struct sql_apply_refused *refused, struct error *error)
{
    struct error problem = {0};
    uint64_t hash = 0;
    struct apply_batch *batch = batch_of(apply, statement, change);
    if (batch == NULL) {
        enum status sent = flush_before(apply, NULL, statement->table, 0, true, refused, error);
        return sent == STATUS_OK ? STATUS_END : sent;
    }
    if (hash_key(apply, batch, change, &hash, &problem) != STATUS_OK) {
        return postgres_apply_refuse(&problem, refused, error);
    }
    enum status status = flush_before(apply, batch, statement->table, hash, false, refused, error);
    if (status == STATUS_OK && batch->rows == 0 && apply->open_count == APPLY_OPEN_MAX) {
        status = flush_one(apply, apply->open[0], refused, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (append_row(apply, batch, change, &problem) != STATUS_OK) {
        return postgres_apply_refuse(&problem, refused, error);
    }
    arena_reset(apply->scratch);
    keep_key(batch, change, hash, &apply->key);
    if (batch->rows == 1) {
        apply->open[apply->open_count++] = batch;
    }
    return STATUS_OK;
}
