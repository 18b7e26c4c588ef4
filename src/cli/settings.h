/*
 * --settings FILE and --profile NAME: the settings of migration scripts (`migrator_settings.yaml`),
 * as options of ours and as URI options of whichever connector knows them.
 *
 * A YAML or JSON map; keys in any case. What a flag or the environment says wins over the file, the
 * file over the profile (`medium` if none is named), and both over a plan.
 */
#ifndef TRANSHUME_CLI_SETTINGS_H
#define TRANSHUME_CLI_SETTINGS_H

#include "cli/cli.h"

/* Reads the file, if the call names one, into the call's values, arguments and parameters. Every
 * fault of the file is a line in `faults`. */
enum status settings_apply(struct cli_call *call, struct buffer *faults,
                           struct error *error) MUST_USE;

/* The tables of docs/migrator-settings.md: keys, then profiles. */
void settings_append_markdown(struct buffer *out);

#endif
