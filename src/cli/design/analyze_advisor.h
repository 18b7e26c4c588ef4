/* analyze --advisor: its options, its key, and what is told of it. */
#ifndef TRANSHUME_CLI_DESIGN_ANALYZE_ADVISOR_H
#define TRANSHUME_CLI_DESIGN_ANALYZE_ADVISOR_H

#include "cli/cli.h"
#include "design/design.h"

struct analyze_advisor {
    bool is_asked; /* --advisor was given */
    struct advisor_options options;
    struct advisor_result result;
    char *secret; /* of a key file; wiped by analyze_advisor_end */
    struct error no_key;
};

/* From the call's options and the environment. A missing key is no failure: the rest of the
 * analysis works without it. */
enum status analyze_advisor_begin(struct cli_call *call, struct analyze_advisor *advisor,
                                  struct error *error) MUST_USE;

/* Asks the model, if --advisor was given. STATUS_FAILED: interrupted; what else fails is told by
 * analyze_advisor_end. */
enum status analyze_advisor_ask(struct cli_call *call, struct analyze_advisor *advisor,
                                const struct graph *graph, const struct workload *workload,
                                struct error *error) MUST_USE;

/* For --show-prompt. */
void analyze_advisor_show(struct cli_call *call, const struct analyze_advisor *advisor,
                          const struct graph *graph, const struct workload *workload,
                          struct buffer *out);

/* Tells what failed, and forgets the key. The exit status: 1 if anything did. */
int analyze_advisor_end(struct cli_call *call, struct analyze_advisor *advisor);

#endif
