/* Help as text and as pages, all made from the tables of commands, options and error codes. */
#ifndef TRANSHUME_CLI_HELP_H
#define TRANSHUME_CLI_HELP_H

#include "base/buffer.h"
#include "base/error.h"
#include "cli/cli.h"

void help_append_overview(struct buffer *out);
void help_append_command(const struct cli_command *command, struct buffer *out);
/* The meaning of a code, its usual causes and what to do. */
void help_append_error(enum error_code code, struct buffer *out);
/* error_help.def; NULL for a code without an entry. */
const char *help_error_causes(enum error_code code);
const char *help_error_advice(enum error_code code);
/* ERROR_CODE_COUNT if there is none. */
enum error_code help_error_by_name(const char *name);

/* help_pages.c: docs/cli.md, docs/man/transhume.1, docs/troubleshooting.md */
void help_append_markdown(struct buffer *out);
void help_append_man(struct buffer *out);
void help_append_errors_page(struct buffer *out);
/* help_completion.c */
void help_append_bash(struct buffer *out);
void help_append_zsh(struct buffer *out);
void help_append_fish(struct buffer *out);

/* Shared: "--jobs N", "-j, --jobs N" */
void help_append_option_head(const struct cli_option *option, struct buffer *out);
/* "1..256; default 4; TRANSHUME_JOBS; plan: `jobs`": values, default, environment, name in a plan.
 */
void help_append_option_facts(const struct cli_option *option, struct buffer *out);

const char *help_group_title(enum cli_group group);

/* Exit statuses and their meanings, in order from 0. */
struct help_exit_status {
    int status;
    const char *meaning;
};
const struct help_exit_status *help_exit_statuses(uint32_t *count);

#endif
