/* Answers that the databases gave while a plan was resolved, so that it can be resolved again to
 * the same mapping without asking them again. */
#ifndef TRANSHUME_PLAN_RESOLVE_ANSWERS_H
#define TRANSHUME_PLAN_RESOLVE_ANSWERS_H

#include "base/name_index.h"
#include "connectors/contract/connector.h"

/* The answer to a question about the values of a column (source_functions.holds). */
enum plan_answer { PLAN_ANSWER_NO, PLAN_ANSWER_YES, PLAN_ANSWER_UNASKED, PLAN_ANSWER_COUNT };

/* Do all values of the column pass the test? UNASKED: the table was too large to be read for it, or
 * the source does not tell. */
struct plan_values_answer {
    const char *table;
    const char *column;
    enum value_test test;
    enum plan_answer answer;
};

/* A column's own words, any of which may be NULL, and which of them the target understands
 * (catalog_functions.understands). */
struct plan_words_answer {
    const char *type;
    const char *default_text;
    const char *collation;
    struct column_words understood;
};

/* The result of a query in the source's language (catalog_functions.describe_query). */
struct plan_query_answer {
    const char *query;
    const struct schema_table *table;
};

/* All of it lives in `arena`. One thread at a time. */
struct plan_answers {
    struct arena *arena;
    struct plan_values_answer *values;
    uint32_t value_count;
    struct plan_words_answer *words;
    uint32_t word_count;
    struct plan_query_answer *queries;
    uint32_t query_count;
    uint32_t capacities[3];
    struct name_index index;
    bool has_grown; /* something was added since it was made, or since somebody set it to false */
};

struct plan_answers *plan_answers_create(struct arena *arena);

/* NULL: it was not asked. The pointer stands until something is added. */
const struct plan_values_answer *plan_answers_find_values(const struct plan_answers *answers,
                                                          const char *table, const char *column,
                                                          enum value_test test);
const struct plan_words_answer *plan_answers_find_words(const struct plan_answers *answers,
                                                        const struct schema_column *column);
const struct plan_query_answer *plan_answers_find_query(const struct plan_answers *answers,
                                                        const char *query);

/* Texts are copied; what was answered before to the same question stands. `table` is borrowed. */
void plan_answers_add_values(struct plan_answers *answers, const char *table, const char *column,
                             enum value_test test, enum plan_answer answer);
void plan_answers_add_words(struct plan_answers *answers, const char *type,
                            const char *default_text, const char *collation,
                            struct column_words understood);
void plan_answers_add_query(struct plan_answers *answers, const char *query,
                            const struct schema_table *table);

#endif
