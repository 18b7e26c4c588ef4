/*
 * The advisor: a language model that is asked for tables and for a written strategy. It is given
 * names, types, keys, relations and figures, and the queries with parameters in place of their
 * constants; never a value. Nothing that it says is believed: tables are checked against the graph,
 * and what is left of them competes with the other candidates by its cost.
 */
#ifndef TRANSHUME_DESIGN_ADVISOR_ADVISOR_H
#define TRANSHUME_DESIGN_ADVISOR_ADVISOR_H

#include "base/error.h"
#include "design/advisor/advisor_prompt.h"
#include "design/advisor/advisor_reply.h"

enum advisor_api {
    ADVISOR_GEMINI,
    ADVISOR_OPENAI /* or a server that speaks its protocol */
};

/* Texts are borrowed. */
struct advisor_options {
    enum advisor_api api;
    const char *model;
    const char *url;     /* base; NULL: the API's own */
    const char *key;     /* NULL: none is sent */
    const char *ca_file; /* PEM certificates to trust instead of the system's; NULL: those */
    int64_t pause_ms;    /* between the prompts */
    int64_t wait_ms_max; /* of tests: the longest that is really waited; 0: no bound */
};

struct advisor_result {
    bool has_tables; /* `reply` holds what is left of them */
    struct advisor_reply reply;
    const char *strategy; /* NULL: none came */
    struct error tables_error;
    struct error strategy_error; /* ERROR_NONE also where it was not asked for any more */
};

/* ERROR_BAD_VALUE, ERROR_USAGE: options that can't be meant. Nothing is sent. */
enum status advisor_check_options(const struct advisor_options *options, struct arena *arena,
                                  struct error *error) MUST_USE;

/* Sends both prompts, one after the other; waits and retries are logged. What fails is in `result`,
 * which lives in `arena`. A stop (signals_stop_level) is ERROR_INTERRUPTED. */
void advisor_consult(const struct advisor_options *options, const struct advisor_prompts *prompts,
                     const struct graph *graph, struct arena *arena, struct advisor_result *result);

/* Appends what advisor_consult would send, but for the key. */
void advisor_append_prompts(const struct advisor_options *options,
                            const struct advisor_prompts *prompts, struct buffer *out);

/* Writes into `folder`, which is made if it is not there: gemini_suggested_tables.json and
 * gemini_migration_suggestions.txt, "advisor_" with another model; `chosen` by family of the pool,
 * NULL: not known. */
enum status advisor_write(const struct advisor_options *options,
                          const struct advisor_result *result, const bool *chosen,
                          const char *folder, struct error *error) MUST_USE;

/* For a terminal: how many tables were suggested, how many of them the search chose, what was
 * dropped. */
void advisor_append_summary(const struct advisor_options *options,
                            const struct advisor_result *result, const bool *chosen,
                            struct buffer *out);

#endif
