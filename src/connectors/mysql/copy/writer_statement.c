/* Statements of a chunk: run, and where one fails, judged and undone. */
#include "connectors/mysql/copy/writer_internal.h"
#include <stdio.h>

static const char undo[] = "ROLLBACK TO SAVEPOINT transhume_segment";
enum status writer_savepoint_undo(struct writer *writer, struct error *error)
{
    enum status status = mysql_run(writer->database, writer->connection, undo, SQL_SHORT,
                                   ERROR_TARGET_WRITE, NULL, error);
    return status == STATUS_OK ? STATUS_AGAIN : status;
}

/* A statement failed: for the sake of a record, or for good? */
enum status writer_judge_failure(struct writer *writer, struct refusal *refusal,
                                 struct error *error)
{
    unsigned number = mysql_errno(writer->connection);
    enum error_code code = ERROR_NONE;
    if (writer->stream.failed) {
        error_copy(error, &writer->stream.error);
        return STATUS_FAILED;
    }
    if (!mysql_is_of_record(number, mysql_error(writer->connection), &code)) {
        mysql_failure(writer->database, writer->connection, ERROR_TARGET_WRITE, error);
        if (writer->sending->form == MYSQL_IN_BULK && error->code == ERROR_TARGET_WRITE) {
            writer_bulk_give_up(writer, error); /* the other way has its own word on it */
        }
        return STATUS_FAILED;
    }
    *refusal = (struct refusal){.number = number, .code = code};
    snprintf(refusal->reason, sizeof refusal->reason, "%s", mysql_error(writer->connection));
    text_clean_line(refusal->reason);
    return writer_savepoint_undo(writer, error);
}

enum status writer_run_statement(struct writer *writer, struct buffer *sql, MYSQL_RES **result,
                                 struct refusal *refusal, struct error *error)
{
    enum status status = mysql_run_buffer(writer->database, writer->connection, sql, SQL_LONG,
                                          ERROR_TARGET_WRITE, result, error);
    return status == STATUS_OK ? STATUS_OK : writer_judge_failure(writer, refusal, error);
}
