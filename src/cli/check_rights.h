/* The statements of check --rights-for, for people and as JSON. */
#ifndef TRANSHUME_CLI_CHECK_RIGHTS_H
#define TRANSHUME_CLI_CHECK_RIGHTS_H

#include "cli/cli.h"

/* Nothing where they were not asked for. */
void cli_append_rights(const struct check_rights *rights, struct buffer *out);
/* ,"rights_for":{"source":[…],"target":[…]} */
void cli_append_rights_json(const struct check_rights *rights, struct buffer *out);

#endif
