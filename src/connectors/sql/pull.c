/* The express lane of SQL servers: what becomes of a pull whose source fails. */
#include "connectors/sql/pull.h"
#include "base/log.h"

enum status sql_leave_to_readers(const char *table, enum status status, struct error *error)
{
    if (status != STATUS_FAILED || error->code == ERROR_INTERRUPTED ||
        error->code == ERROR_MEMORY) {
        return status;
    }
    log_write(LOG_INFO, "%s: the source broke off while the target pulled: %s: %s", table,
              error->object, error->message);
    error_clear(error);
    return STATUS_AGAIN;
}
