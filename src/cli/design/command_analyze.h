/* transhume analyze: designs the target. */
#ifndef TRANSHUME_CLI_DESIGN_COMMAND_ANALYZE_H
#define TRANSHUME_CLI_DESIGN_COMMAND_ANALYZE_H

struct cli_call;

/* The exit status. */
int command_analyze(struct cli_call *call);

#endif
