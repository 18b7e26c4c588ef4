/* Writing read_request.keys as a condition: an index of the key answers it. */
#include "connectors/sql/by_key.h"
#include <math.h>

struct by_key {
    const struct read_request *request;
    const struct sql_by_key_words *words;
    sql_append_root_column *append_column;
    void *context;
    struct buffer *sql;
    struct error *error;
};

static void append_bytes(const struct by_key *self, const struct cell *cell)
{
    static const char digits[] = "0123456789abcdef";
    buffer_append_string(self->sql, self->words->bytes_before);
    for (size_t i = 0; i < cell->length; i++) {
        unsigned char byte = ((const unsigned char *)cell->bytes)[i];
        buffer_append_byte(self->sql, digits[byte >> 4]);
        buffer_append_byte(self->sql, digits[byte & 15]);
    }
    buffer_append_string(self->sql, self->words->bytes_behind);
}

static bool is_number(const struct cell *cell)
{
    return cell->kind == VALUE_BOOL || cell->kind == VALUE_INT64 || cell->kind == VALUE_UINT64 ||
           cell->kind == VALUE_FLOAT32 || cell->kind == VALUE_FLOAT64 ||
           cell->kind == VALUE_DECIMAL;
}

/* Without an exponent SQLite and MySQL would take the digits of a float for an exact number. */
static void append_number(const struct by_key *self, const struct cell *cell,
                          const struct buffer *text)
{
    bool floats = cell->kind == VALUE_FLOAT32 || cell->kind == VALUE_FLOAT64;
    if (floats && isinf(cell->f64)) {
        buffer_append_string(self->sql, cell->f64 < 0 ? "-9e999" : "9e999");
        return;
    }
    buffer_append_buffer(self->sql, text);
    buffer_append_string(self->sql, floats ? "e0" : "");
}

static bool is_day(const struct cell *cell)
{
    return cell->kind == VALUE_DATE || cell->kind == VALUE_TIMESTAMP;
}

static enum status append_value(const struct by_key *self, const struct cell *cell)
{
    struct buffer text = {0};
    if (cell->kind == VALUE_BYTES) {
        append_bytes(self, cell);
        return STATUS_OK;
    }
    enum status status = sql_append_value_text(self->words->rules, cell, &text, self->error);
    if (status == STATUS_OK && is_number(cell) && !self->words->quotes_numbers) {
        append_number(self, cell, &text);
    } else if (status == STATUS_OK) {
        if (self->words->name_time != NULL && is_day(cell)) {
            self->words->name_time(&text);
        }
        self->words->append_text(self->sql, buffer_string(&text), text.length);
    }
    buffer_free(&text);
    return status;
}

static struct sql_compared compared_of(const struct by_key *self, const char *name)
{
    struct sql_compared compared = {.behind = ""};
    if (self->words->compared != NULL) {
        self->words->compared(self->words->comparing, name, &compared);
    }
    return compared;
}

/* "column = " */
static enum status append_compared(const struct by_key *self, const char *name,
                                   const char *operation)
{
    const struct sql_compared compared = compared_of(self, name);
    if (self->append_column(self->context, name) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (compared.space == NULL) {
        buffer_format(self->sql, " %s ", operation);
    } else {
        buffer_format(self->sql, "%s OPERATOR(%s.%s) ", compared.behind, compared.space, operation);
    }
    return STATUS_OK;
}

static bool is_null(const struct cell *cell)
{
    return cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING;
}

/* "column IN (", and what ends the list. */
static enum status append_list_head(const struct by_key *self, const struct sql_compared *compared)
{
    const char *name = self->request->root_key.names[0];
    if (compared->space != NULL) {
        enum status status = append_compared(self, name, "=");
        buffer_append_string(self->sql, "ANY (ARRAY[");
        return status;
    }
    enum status status = self->append_column(self->context, name);
    buffer_append_string(self->sql, " IN (");
    return status;
}

static void append_list_end(const struct by_key *self, const struct sql_compared *compared)
{
    if (compared->space != NULL) {
        buffer_format(self->sql, "]::%s[])", compared->list);
    } else {
        buffer_append_byte(self->sql, ')');
    }
}

/* "column IN (…)", which every planner answers by an index. */
static enum status append_list(const struct by_key *self, const struct sql_compared *compared)
{
    const struct read_request *request = self->request;
    bool nulls = false;
    bool begun = false;
    for (uint32_t i = 0; i < request->key_count; i++) {
        nulls = nulls || is_null(&request->keys[i]);
        if (is_null(&request->keys[i])) {
            continue;
        }
        if (!begun && append_list_head(self, compared) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_string(self->sql, begun ? ", " : "");
        if (append_value(self, &request->keys[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
        begun = true;
    }
    if (begun) {
        append_list_end(self, compared);
    }
    if (!nulls) {
        return STATUS_OK;
    }
    buffer_append_string(self->sql, begun ? " OR " : "");
    if (self->append_column(self->context, request->root_key.names[0]) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(self->sql, self->words->is_null);
    return STATUS_OK;
}

/* One comparison a column, so that NULL is found, too. */
static enum status append_key(const struct by_key *self, const struct cell *key)
{
    const struct column_list columns = self->request->root_key;
    for (uint32_t i = 0; i < columns.count; i++) {
        buffer_append_string(self->sql, i > 0 ? " AND " : "");
        bool null = is_null(&key[i]);
        enum status status = null ? self->append_column(self->context, columns.names[i])
                                  : append_compared(self, columns.names[i], "=");
        buffer_append_string(self->sql, null ? self->words->is_null : "");
        if (status != STATUS_OK || (!null && append_value(self, &key[i]) != STATUS_OK)) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* Joins the keys by OR in halves, since SQLite bounds the depth of an expression. */
static enum status append_range(const struct by_key *self, uint32_t first, uint32_t count)
{
    if (count == 1) {
        return append_key(self,
                          self->request->keys + (size_t)first * self->request->root_key.count);
    }
    buffer_append_byte(self->sql, '(');
    if (append_range(self, first, count / 2) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(self->sql, ") OR (");
    enum status status = append_range(self, first + count / 2, count - count / 2);
    buffer_append_byte(self->sql, ')');
    return status;
}

enum status sql_append_by_key(const struct read_request *request,
                              const struct sql_by_key_words *words,
                              sql_append_root_column *append_column, void *context,
                              struct buffer *sql, struct error *error)
{
    const struct by_key self = {.request = request,
                                .words = words,
                                .append_column = append_column,
                                .context = context,
                                .sql = sql,
                                .error = error};
    if (request->root_key.count == 0) {
        return error_set(error, ERROR_INTERNAL, request->name,
                         "rows without a key can't be read by it");
    }
    buffer_append_string(sql, request->key_count == 0 ? "(1 = 0" : "(");
    const struct sql_compared first = compared_of(&self, request->root_key.names[0]);
    bool listed = request->root_key.count == 1 && (first.space == NULL || first.list != NULL);
    if (listed && append_list(&self, &first) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!listed && request->key_count > 0 &&
        append_range(&self, 0, request->key_count) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_byte(sql, ')');
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what changed since */

enum status sql_append_since(const struct read_request *request,
                             const struct sql_by_key_words *words,
                             sql_append_root_column *append_column, void *context,
                             struct buffer *sql, struct error *error)
{
    const struct by_key self = {.request = request,
                                .words = words,
                                .append_column = append_column,
                                .context = context,
                                .sql = sql,
                                .error = error};
    buffer_append_byte(sql, '(');
    if (append_compared(&self, request->since, ">=") != STATUS_OK ||
        append_value(&self, request->since_bound) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (request->since_nulls) {
        buffer_append_string(sql, " OR ");
        if (append_column(context, request->since) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_string(sql, words->is_null);
    }
    buffer_append_byte(sql, ')');
    return STATUS_OK;
}

struct asking {
    struct sql_database *self;
    struct buffer *query;
};

static enum status append_own_column(void *context, const char *name)
{
    const struct asking *asking = context;
    asking->self->dialect->quoting->append_name(asking->query, name);
    return STATUS_OK;
}

enum status sql_append_own_since(struct sql_database *self, const struct sql_by_key_words *words,
                                 const struct read_request *request, struct buffer *sql,
                                 struct error *error)
{
    struct asking asking = {self, sql};
    return sql_append_since(request, words, append_own_column, &asking, sql, error);
}

/* An order has the type's own operators, whatever a function of the name max is. */
static void append_highest(const struct asking *asking, const struct read_request *request,
                           bool by_order)
{
    buffer_append_string(asking->query, by_order ? "SELECT " : "SELECT max(");
    asking->self->dialect->quoting->append_name(asking->query, request->since);
    buffer_append_string(asking->query, by_order ? " FROM " : ") FROM ");
    asking->self->dialect->quoting->append_table(asking->query, asking->self, request->table);
    if (by_order) {
        buffer_append_string(asking->query, " WHERE ");
        asking->self->dialect->quoting->append_name(asking->query, request->since);
        buffer_append_string(asking->query, " IS NOT NULL ORDER BY 1 DESC LIMIT 1");
    }
}

static void append_count(const struct asking *asking, const struct read_request *request)
{
    buffer_append_string(asking->query, "(SELECT count(*) FROM ");
    asking->self->dialect->quoting->append_table(asking->query, asking->self, request->table);
    buffer_append_string(asking->query, " WHERE ");
}

enum status sql_since_query(struct sql_database *self, const struct read_request *request,
                            const struct sql_by_key_words *words, struct buffer *query,
                            struct error *error)
{
    struct asking asking = {self, query};
    struct read_request bounded = *request;
    enum status status = STATUS_OK;
    bounded.since_nulls = false;
    buffer_append_string(query, "SELECT (");
    append_highest(&asking, request, words->compared != NULL);
    buffer_append_string(query, ") AS highest, ");
    if (request->since_bound != NULL) {
        append_count(&asking, request);
        status = sql_append_own_since(self, words, &bounded, query, error);
    }
    buffer_append_string(query, request->since_bound != NULL ? ") AS changed, " : "0 AS changed, ");
    if (request->since_nulls) {
        append_count(&asking, request);
        self->dialect->quoting->append_name(query, request->since);
        buffer_append_string(query, words->is_null);
    }
    buffer_append_string(query, request->since_nulls ? ") AS nulls" : "0 AS nulls");
    return status;
}
