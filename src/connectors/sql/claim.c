/* What a run that another attempt took over is told. */
#include "connectors/sql/claim.h"

enum status sql_run_fenced(const char *shown, struct error *error)
{
    error_set(error, ERROR_RUN_FENCED, shown, "another attempt took this run over");
    error_hint(error, "let that one finish; `transhume status` shows it");
    return STATUS_FAILED;
}
