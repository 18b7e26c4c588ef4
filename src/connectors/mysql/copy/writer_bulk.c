/*
 * Sending records as parameters of one prepared INSERT: COM_STMT_BULK_EXECUTE (MariaDB's manual),
 * which the server takes without a parser, a character set's look at each byte, or a second copy of
 * the numbers. The library would have the values in arrays of its own; here they are encoded where
 * they are sent from.
 */
#include "base/log.h"
#include "connectors/mysql/copy/writer_internal.h"
#include <endian.h>
#include <stdatomic.h>
#include <string.h>

enum {
    ID_BYTES = 4,
    FLAG_BYTES = 2,
    TYPE_BYTES = 2,
};

size_t writer_bulk_head_bytes(const struct writer_plan *plan)
{
    return ID_BYTES + FLAG_BYTES + TYPE_BYTES * (size_t)plan->column_count;
}

void writer_bulk_begin(struct segment *segment)
{
    size_t bytes = writer_bulk_head_bytes(segment->plan);
    buffer_clear(&segment->out);
    buffer_reserve(&segment->out, bytes);
    segment->out.length = bytes;
}

/* Anew if it was before. */
enum status writer_bulk_statement_prepare(struct writer *writer, const struct writer_plan *plan,
                                          bool *refused, struct error *error)
{
    struct buffer sql = {0};
    writer_plan_append_insert(writer, plan, &sql);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        buffer_append_string(&sql, i > 0 ? ", ?" : "(?");
    }
    buffer_append_byte(&sql, ')');
    *refused = false;
    if (plan->bulk->statement == NULL) {
        plan->bulk->statement = mysql_statement_create(writer->connection);
        writer->statement_count++;
    }
    MYSQL_STMT *statement = plan->bulk->statement;
    enum status status = mysql_statement_prepare(writer->database, writer->connection, statement,
                                                 sql.data, sql.length, refused, error);
    buffer_free(&sql);
    if (status == STATUS_OK && !*refused &&
        mysql_stmt_param_count(statement) != (unsigned long)plan->column_count) {
        *refused = true;
    }
    return status;
}

void writer_bulk_statement_close(struct writer *writer, struct writer_bulk *bulk)
{
    if (bulk != NULL && bulk->statement != NULL) {
        mysql_stmt_close(bulk->statement);
        bulk->statement = NULL;
        writer->statement_count--;
    }
}

void writer_bulk_give_up(struct writer *writer, struct error *error)
{
    if (atomic_exchange(&writer->database->takes_bulk, false)) {
        log_write(LOG_INFO, "%s: records do not go in bulk any more: %s",
                  writer->database->sql.shown, error->message);
    }
    error_recode(error, ERROR_NETWORK_ANSWER);
}

static void put_head(const struct writer_plan *plan, char *at)
{
    uint32_t id = htole32((uint32_t)plan->bulk->statement->stmt_id);
    uint16_t flags = htole16(STMT_BULK_FLAG_CLIENT_SEND_TYPES);
    memcpy(at, &id, ID_BYTES);
    memcpy(at + ID_BYTES, &flags, FLAG_BYTES);
    at += ID_BYTES + FLAG_BYTES;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        uint16_t type = htole16(mysql_bulk_type(plan->columns[i].column));
        memcpy(at + TYPE_BYTES * (size_t)i, &type, TYPE_BYTES);
    }
}

static enum status writer_bulk_execute(struct writer *writer, size_t from, size_t to,
                                       struct error *error)
{
    MYSQL *connection = writer->connection;
    const struct writer_plan *plan = writer->sending->plan;
    char *begin = writer->sending->out.data + from - writer_bulk_head_bytes(plan);
    put_head(plan, begin);
    size_t length = to - from + writer_bulk_head_bytes(plan);
    return connection->methods->db_command(connection, COM_STMT_BULK_EXECUTE, begin, length, 1,
                                           NULL) != 0
               ? mysql_failure(writer->database, connection, ERROR_NETWORK, error)
               : mysql_read_answer(writer->database, connection, SQL_LONG, ERROR_TARGET_WRITE,
                                   error);
}

enum status writer_bulk_send(struct writer *writer, size_t from, size_t to, struct error *error)
{
    struct error ignored = {0};
    bool refused = false;
    enum status status = writer_bulk_execute(writer, from, to, error);
    if (status == STATUS_OK || !mysql_is_alive(writer->connection) ||
        !mysql_statement_is_forgotten(writer->connection)) {
        return status;
    }
    if (writer_bulk_statement_prepare(writer, writer->sending->plan, &refused, &ignored) !=
            STATUS_OK ||
        refused) {
        return STATUS_FAILED;
    }
    error_clear(error);
    return writer_bulk_execute(writer, from, to, error);
}

void writer_bulk_close(struct writer *writer)
{
    for (struct writer_plan *plan = writer->plans; plan != NULL; plan = plan->next) {
        writer_bulk_statement_close(writer, plan->bulk);
    }
}
