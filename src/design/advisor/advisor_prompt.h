/* The advisor's questions: two prompts about one schema and its queries. */
#ifndef TRANSHUME_DESIGN_ADVISOR_ADVISOR_PROMPT_H
#define TRANSHUME_DESIGN_ADVISOR_ADVISOR_PROMPT_H

#include "design/workload/statement.h"

enum {
    ADVISOR_PROMPT_BYTES_MAX = 128 * 1024,
    ADVISOR_PROMPT_BYTES_MIN = 8 * 1024 /* room for the question and a few tables */
};

/* Texts are UTF-8, in the arena. */
struct advisor_prompts {
    const char *instruction; /* of the system, for both */
    const char *tables;      /* asks for tables as JSON (advisor_reply.h) */
    const char *strategy;    /* asks for a text */
    uint32_t entities;
    uint32_t entities_left_out; /* for want of room; the least important ones */
    uint32_t columns_left_out;  /* of those that are in */
    uint32_t queries;
    uint32_t queries_left_out; /* for want of room, or since they need an entity that is left out */
};

/* Neither prompt is longer than `bytes_max` (0: ADVISOR_PROMPT_BYTES_MAX). */
void advisor_prompts_make(const struct graph *graph, const struct workload *workload,
                          size_t bytes_max, struct arena *arena, struct advisor_prompts *prompts);

#endif
