/* When a silent server is asked again, and when it is given up. */
#include "connectors/sql/vigil.h"
#include "base/clock.h"

enum { AGAIN_MS = 250 };

void sql_vigil_begin(struct sql_vigil *vigil, int64_t timeout_ms)
{
    *vigil = (struct sql_vigil){.look_ms = clock_monotonic_ms() + timeout_ms};
}

bool sql_vigil_is_due(const struct sql_vigil *vigil)
{
    return clock_monotonic_ms() >= vigil->look_ms;
}

enum status sql_vigil_found(struct sql_vigil *vigil, enum sql_life life, int64_t timeout_ms,
                            const char *shown, struct error *error)
{
    vigil->doubts = life == SQL_WORKS ? 0 : vigil->doubts + 1;
    bool soon = life == SQL_IDLES || life == SQL_SILENT;
    vigil->look_ms = clock_monotonic_ms() + (soon ? AGAIN_MS : timeout_ms);
    if (vigil->doubts < 2) {
        return STATUS_OK;
    }
    error_set(error, ERROR_NETWORK, shown,
              life == SQL_SILENT  ? "the server does not answer any more"
              : life == SQL_READS ? "what was sent does not arrive at the server"
                                  : "the connection is dead: what was said over it is lost");
    if (life == SQL_READS) {
        error_hint(error, "if the link is that slow, --timeout gives it more time");
    }
    return STATUS_FAILED;
}
