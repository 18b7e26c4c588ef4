/*
 * The store: a table of its own, _transhume_ledger, of which each row is a key. Its partitions are
 * cut so that every scan reads one of them:
 *
 *   place (partition)   key (clustering)     version   text
 *   run/0b6c…           run/0b6c…/status     3         {"phase":"loading",…}
 *   scope               scope/Track          1         {"format":2,"run":"0b6c…"}
 *
 * Every write is a conditional one, and every read is serial, so that what a conditional write has
 * begun is settled before it is read. What puts an absent key or deletes any version is sent only
 * while the lease lasts, once this process has claimed a run.
 */
#include "connectors/cassandra/target.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/memory.h"
#include "connectors/cassandra/calls.h"
#include "connectors/common/lease.h"
#include "connectors/common/store_key.h"
#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES_MAX = 256 * 1024, PAGE_ROWS = 200 };

struct store {
    struct cassandra *cassandra;
    struct cql_session *session; /* NULL until it is needed */
    const char *name;            /* of its table */
    char *table;                 /* as CQL has it */
};

enum status cassandra_store_open_in(struct database *self, const char *name, struct store **store)
{
    struct store *made = memory_allocate_zeroed(1, sizeof(*made));
    struct buffer table = {0};
    made->cassandra = cassandra_of(self);
    made->name = name;
    cassandra_append_table(made->cassandra, name, &table);
    made->table = memory_copy_string(buffer_string(&table));
    buffer_free(&table);
    *store = made;
    return STATUS_OK;
}

static enum status store_open(struct database *self, struct store **store, struct error *error)
{
    (void)error;
    return cassandra_store_open_in(self, CASSANDRA_LEDGER, store);
}

static void store_close(struct store *store)
{
    if (store != NULL) {
        cql_session_close(store->session);
        free(store->table);
        free(store);
    }
}

/* ---------------------------------------------------------------- calls */

/* One statement with its values, and what is asked of it. */
struct call {
    struct store *store;
    struct buffer text;
    struct buffer values;
    uint16_t value_count;
    bool reads;
    bool leased; /* only while the lease lasts */
    struct cql_value page;
};

static void add_text(struct call *call, const char *text, size_t length)
{
    cql_write_value(&call->values, text, (int32_t)length);
    call->value_count++;
}

static void add_number(struct call *call, uint64_t number)
{
    cql_write_int(&call->values, 8);
    cql_write_long(&call->values, (int64_t)number);
    call->value_count++;
}

static void add_key(struct call *call, const char *key)
{
    add_text(call, key, store_key_place_length(key));
    add_text(call, key, strlen(key));
}

static void free_call(struct call *call)
{
    buffer_free(&call->text);
    buffer_free(&call->values);
}

static enum status send_once(struct call *call, struct arena *arena, struct cql_reply *reply,
                             struct error *error)
{
    struct cassandra *cassandra = call->store->cassandra;
    struct cql_session *session = call->store->session;
    struct cql_statement statement = {.text = buffer_string(&call->text),
                                      .values = call->values.data,
                                      .values_length = call->values.length,
                                      .value_count = call->value_count};
    struct cql_call sent = {.statements = &statement,
                            .statement_count = 1,
                            .consistency = call->reads ? cassandra->settings.serial : CQL_QUORUM,
                            .serial_consistency = call->reads ? 0 : cassandra->settings.serial,
                            .timestamp_us = CQL_NO_TIMESTAMP,
                            .page_size = PAGE_ROWS,
                            .paging_state = call->page,
                            .deadline_ms = clock_boottime_ms() + cassandra->keyed.room.timeout_ms};
    *reply = (struct cql_reply){.failure = CQL_FAILURE_NONE};
    if (cql_session_prepare(session, statement.text, &statement.prepared, &reply->failure, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    return cql_session_query(session, &sent, arena, reply, error);
}

/* Is the ledger's table there? */
static enum status is_there(struct store *store, bool *there, struct error *error)
{
    const struct cassandra_table *table = NULL;
    struct arena *arena = arena_create(0);
    enum status status = cassandra_table_read(store->cassandra, store->name, arena, &table, error);
    *there = status == STATUS_OK;
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* STATUS_AGAIN: it is just being made or dropped. */
static enum status judge_invalid(struct store *store, struct error *error)
{
    struct error reason = *error;
    bool in_flux = cassandra_is_in_flux(CQL_FAILURE_INVALID, &reason);
    bool there = false;
    if (is_there(store, &there, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!there) {
        return STATUS_END;
    }
    if (in_flux) {
        error_copy(error, &reason);
        return STATUS_AGAIN;
    }
    error_set(error, ERROR_LEDGER_INVALID, store->name, "the table is there and is no ledger: %s",
              reason.message);
    return error_hint(error, "rename or drop the table");
}

static enum status store_connect(struct store *store, struct error *error)
{
    return store->session != NULL ? STATUS_OK
                                  : cassandra_connect(store->cassandra, &store->session, error);
}

/* Reads are tried again until patience ends; of writes those alone that surely did nothing.
 * STATUS_END: there is no ledger. */
static enum status store_send(struct call *call, struct arena *arena, struct cql_reply *reply,
                              struct error *error)
{
    struct cassandra *cassandra = call->store->cassandra;
    struct cassandra_patience patience;
    enum status status;
    cassandra_patience_begin(&patience, cassandra);
    do {
        reply->failure = CQL_FAILURE_NONE;
        status = store_connect(call->store, error);
        if (status == STATUS_OK && call->leased && cassandra->keyed.room.run_id != NULL) {
            status = lease_check(&cassandra->keyed.base, cassandra->keyed.room.timeout_ms, error);
        }
        status = status == STATUS_OK ? send_once(call, arena, reply, error) : status;
        if (status == STATUS_FAILED && call->store->session != NULL &&
            reply->failure == CQL_FAILURE_INVALID) {
            status = judge_invalid(call->store, error);
        }
    } while ((status == STATUS_AGAIN || (status == STATUS_FAILED && call->reads)) &&
             cassandra_patience_wait(&patience, false, error));
    return status == STATUS_AGAIN ? STATUS_FAILED : status;
}

/* The statement begins here; "$" stands for the ledger's table. */
static struct call store_begin(struct store *store, const char *text, bool reads)
{
    struct call call = {.store = store, .reads = reads, .page = {NULL, CQL_NULL}};
    const char *mark = strchr(text, '$');
    buffer_append(&call.text, text, (size_t)(mark - text));
    buffer_append_string(&call.text, store->table);
    buffer_append_string(&call.text, mark + 1);
    return call;
}

/* ---------------------------------------------------------------- the place */

static enum status store_create(struct store *store, struct error *error)
{
    struct cassandra *cassandra = store->cassandra;
    bool there = false;
    if (cassandra_make_keyspace(cassandra, error) != STATUS_OK ||
        is_there(store, &there, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (there) {
        return STATUS_OK; /* one that is none is told by what is first asked of it */
    }
    struct buffer text = {0};
    buffer_format(&text,
                  "CREATE TABLE IF NOT EXISTS %s (place text, key text, version bigint, text text, "
                  "PRIMARY KEY (place, key))",
                  store->table);
    enum status status = failpoint_hit("cassandra.before_ledger_table", error);
    if (status == STATUS_OK) {
        status = cassandra_define(cassandra, buffer_string(&text), error);
    }
    buffer_free(&text);
    return status == STATUS_OK ? failpoint_hit("cassandra.after_ledger_table", error) : status;
}

static enum status store_drop(struct store *store, struct error *error)
{
    struct buffer text = {0};
    bool there = false;
    enum status status = is_there(store, &there, error);
    if (status == STATUS_OK && there) {
        buffer_format(&text, "DROP TABLE IF EXISTS %s", store->table);
        status = cassandra_define(store->cassandra, buffer_string(&text), error);
    }
    buffer_free(&text);
    return status;
}

/* ---------------------------------------------------------------- reading */

static enum status check_columns(const struct cql_reply *reply, size_t count, struct error *error)
{
    return reply->response.kind == CQL_RESULT_ROWS && reply->response.rows.columns.count == count
               ? STATUS_OK
               : error_set(error, ERROR_NETWORK_ANSWER, CASSANDRA_LEDGER,
                           "a SELECT was answered with other columns");
}

/* version, text: two columns from `values`. */
static enum status read_value(const struct cql_value *values, struct arena *arena,
                              struct store_value *value, struct error *error)
{
    if (values[0].length != 8 || values[1].length < 0) {
        return error_set(error, ERROR_LEDGER_INVALID, CASSANDRA_LEDGER,
                         "a row of the ledger is damaged");
    }
    struct cql_reader number = cql_reader_of(values[0].data, 8);
    value->version = (uint64_t)cql_read_long(&number);
    value->length = (size_t)values[1].length;
    value->text = arena_copy(arena, values[1].data, value->length);
    return STATUS_OK;
}

static enum status store_get(struct store *store, const char *key, struct arena *arena,
                             struct store_value *value, struct error *error)
{
    struct call call =
        store_begin(store, "SELECT version, text FROM $ WHERE place = ? AND key = ?", true);
    struct arena *scratch = arena_create(0);
    struct cql_value values[2];
    struct cql_reply reply;
    add_key(&call, key);
    enum status status = store_send(&call, scratch, &reply, error);
    status = status == STATUS_OK ? check_columns(&reply, 2, error) : status;
    if (status == STATUS_OK) {
        status = cql_rows_next(&reply.response.rows, values);
        status = status == STATUS_OK ? read_value(values, arena, value, error) : status;
    }
    free_call(&call);
    arena_destroy(scratch);
    return status;
}

static enum status visit_rows(struct cql_rows *rows, store_visit *visit, void *context,
                              struct error *error)
{
    struct arena *arena = arena_create(0);
    struct cql_value values[3];
    struct store_value value;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && cql_rows_next(rows, values) == STATUS_OK) {
        arena_reset(arena);
        status = values[0].length < 0 ? error_set(error, ERROR_LEDGER_INVALID, CASSANDRA_LEDGER,
                                                  "a row of the ledger is damaged")
                                      : read_value(values + 1, arena, &value, error);
        if (status == STATUS_OK) {
            const char *key = arena_copy(arena, values[0].data, (size_t)values[0].length);
            status = visit(context, key, &value, error);
        }
    }
    arena_destroy(arena);
    return status;
}

/* The first text behind all that begin with the prefix, whose last letter is no 0x7f. */
static void add_end(struct call *call, const char *prefix)
{
    size_t length = strlen(prefix);
    struct buffer end = {0};
    buffer_append(&end, prefix, length);
    end.data[length - 1]++;
    add_text(call, end.data, length);
    buffer_free(&end);
}

static enum status store_scan(struct store *store, const char *prefix, store_visit *visit,
                              void *context, struct error *error)
{
    struct call call = store_begin(
        store, "SELECT key, version, text FROM $ WHERE place = ? AND key >= ? AND key < ?", true);
    struct arena *arena = arena_create(0);
    struct cql_reply reply;
    enum status status;
    bool more = false;
    add_text(&call, prefix, store_key_place_length(prefix));
    add_text(&call, prefix, strlen(prefix));
    add_end(&call, prefix);
    do {
        status = store_send(&call, arena, &reply, error);
        status = status == STATUS_OK ? check_columns(&reply, 3, error) : status;
        if (status == STATUS_OK) {
            struct text next = reply.response.rows.paging_state;
            more = next.data != NULL;
            call.page = (struct cql_value){(const uint8_t *)next.data, (int32_t)next.length};
            status = visit_rows(&reply.response.rows, visit, context, error);
        }
    } while (status == STATUS_OK && more);
    free_call(&call);
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---------------------------------------------------------------- writing */

/* The answer to a conditional write begins with [applied]. STATUS_AGAIN: the condition did not
 * hold. */
static enum status write_row(struct call *call, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct cql_reply reply;
    enum status status = store_send(call, arena, &reply, error);
    if (status == STATUS_END) {
        status = error_set(error, ERROR_LEDGER_INVALID, CASSANDRA_LEDGER, "the ledger is gone");
    }
    if (status == STATUS_OK) {
        struct cql_rows *rows = &reply.response.rows;
        struct cql_value *values =
            arena_allocate_zeroed(arena, rows->columns.count + 1, sizeof(*values));
        bool told = reply.response.kind == CQL_RESULT_ROWS && rows->columns.count > 0 &&
                    cql_rows_next(rows, values) == STATUS_OK && values[0].length == 1;
        status = !told                    ? error_set(error, ERROR_NETWORK_ANSWER, CASSANDRA_LEDGER,
                                                      "a conditional write was not answered as such")
                 : values[0].data[0] != 0 ? STATUS_OK
                                          : STATUS_AGAIN;
    }
    free_call(call);
    arena_destroy(arena);
    return status;
}

static enum status store_put_if(struct store *store, const char *key, const char *text,
                                size_t length, uint64_t expected, uint64_t *version,
                                struct error *error)
{
    struct call call;
    if (expected == STORE_ABSENT) {
        call = store_begin(
            store, "INSERT INTO $ (place, key, version, text) VALUES (?, ?, ?, ?) IF NOT EXISTS",
            false);
        add_key(&call, key);
        add_number(&call, 1);
        add_text(&call, text, length);
        call.leased = true;
    } else {
        call = store_begin(
            store, "UPDATE $ SET version = ?, text = ? WHERE place = ? AND key = ? IF version = ?",
            false);
        add_number(&call, expected + 1);
        add_text(&call, text, length);
        add_key(&call, key);
        add_number(&call, expected);
    }
    enum status status = write_row(&call, error);
    *version = status == STATUS_OK ? expected + 1 : 0;
    return status;
}

/* False: there is no such row. */
static enum status has_key(struct store *store, const char *key, bool *there, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct store_value value;
    enum status status = store_get(store, key, arena, &value, error);
    *there = status == STATUS_OK;
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status store_delete_if(struct store *store, const char *key, uint64_t expected,
                                   struct error *error)
{
    bool any = expected == STORE_ANY_VERSION;
    bool there = false;
    if (has_key(store, key, &there, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!there) {
        return STATUS_OK;
    }
    struct call call = store_begin(store,
                                   any ? "DELETE FROM $ WHERE place = ? AND key = ? IF EXISTS"
                                       : "DELETE FROM $ WHERE place = ? AND key = ? IF version = ?",
                                   false);
    add_key(&call, key);
    if (!any) {
        add_number(&call, expected);
    }
    call.leased = any;
    enum status status = write_row(&call, error);
    if (status == STATUS_AGAIN) { /* another version, or gone meanwhile */
        status = has_key(store, key, &there, error);
        status = status == STATUS_OK && there && !any ? STATUS_AGAIN : status;
    }
    return status;
}

const struct store_functions cassandra_store = {.value_bytes_max = VALUE_BYTES_MAX,
                                                .open = store_open,
                                                .close = store_close,
                                                .create = store_create,
                                                .drop = store_drop,
                                                .get = store_get,
                                                .put_if = store_put_if,
                                                .delete_if = store_delete_if,
                                                .scan = store_scan};
