/* Columns and statements of a check, for people and as JSON. */
#ifndef TRANSHUME_CLI_CHECK_DDL_H
#define TRANSHUME_CLI_CHECK_DDL_H

#include "cli/cli.h"

/* Nothing where they were not asked for. */
void cli_append_ddl(const struct check_ddl *ddl, bool color, struct buffer *out);
/* ,"columns":[…],"statements":[…] */
void cli_append_ddl_json(const struct check_ddl *ddl, struct buffer *out);

#endif
