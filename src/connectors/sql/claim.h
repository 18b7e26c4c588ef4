/* What a run that another attempt took over is told. */
#ifndef TRANSHUME_CONNECTORS_SQL_CLAIM_H
#define TRANSHUME_CONNECTORS_SQL_CLAIM_H

#include "base/error.h"

/* The guard of struct run_claim is gone: this attempt stops. STATUS_FAILED, ERROR_RUN_FENCED. */
enum status sql_run_fenced(const char *shown, struct error *error);

#endif
