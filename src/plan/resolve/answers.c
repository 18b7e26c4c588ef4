/* Answers of the databases by the questions they were given to. */
#include "plan/resolve/answers.h"

#include "base/buffer.h"
#include <string.h>

struct plan_answers *plan_answers_create(struct arena *arena)
{
    struct plan_answers *made = arena_allocate_zeroed(arena, 1, sizeof *made);
    made->arena = arena;
    made->index.arena = arena;
    return made;
}

/* ---------------------------------------------------------------- questions as texts */

/* Every part is followed by a NUL, so that no two questions are one text; of an absent one there is
 * a byte that no text begins with. */
static void append_part(struct buffer *question, const char *text)
{
    static const char absent[] = {'\1', '\0'};
    buffer_append(question, text != NULL ? text : absent, text != NULL ? strlen(text) + 1 : 2);
}

static void ask_values(struct buffer *question, const char *table, const char *column,
                       enum value_test test)
{
    buffer_format(question, "v%d ", (int)test);
    append_part(question, table);
    append_part(question, column);
}

static void ask_words(struct buffer *question, const char *type, const char *default_text,
                      const char *collation)
{
    buffer_append_byte(question, 'w');
    append_part(question, type);
    append_part(question, default_text);
    append_part(question, collation);
}

static void ask_query(struct buffer *question, const char *query)
{
    buffer_append_byte(question, 'q');
    append_part(question, query);
}

/* Frees the question. */
static uint32_t find_question(const struct plan_answers *answers, struct buffer *question)
{
    uint32_t at = name_index_find(&answers->index, question->data, question->length);
    buffer_free(question);
    return at;
}

/* False: it was answered before. Frees the question. */
static bool add_question(struct plan_answers *answers, struct buffer *question, uint32_t number)
{
    bool known =
        name_index_find(&answers->index, question->data, question->length) != NAME_INDEX_NONE;
    if (!known) {
        const char *copy = arena_copy(answers->arena, question->data, question->length);
        (void)name_index_add(&answers->index, copy, question->length, number);
        answers->has_grown = true;
    }
    buffer_free(question);
    return !known;
}

static const char *copy_text(const struct plan_answers *answers, const char *text)
{
    return text != NULL ? arena_copy_string(answers->arena, text) : NULL;
}

/* ---------------------------------------------------------------- finding */

const struct plan_values_answer *plan_answers_find_values(const struct plan_answers *answers,
                                                          const char *table, const char *column,
                                                          enum value_test test)
{
    struct buffer question = {0};
    ask_values(&question, table, column, test);
    uint32_t at = find_question(answers, &question);
    return at != NAME_INDEX_NONE ? &answers->values[at] : NULL;
}

const struct plan_words_answer *plan_answers_find_words(const struct plan_answers *answers,
                                                        const struct schema_column *column)
{
    struct buffer question = {0};
    ask_words(&question, column->type.native, column->default_text, column->collation);
    uint32_t at = find_question(answers, &question);
    return at != NAME_INDEX_NONE ? &answers->words[at] : NULL;
}

const struct plan_query_answer *plan_answers_find_query(const struct plan_answers *answers,
                                                        const char *query)
{
    struct buffer question = {0};
    ask_query(&question, query);
    uint32_t at = find_question(answers, &question);
    return at != NAME_INDEX_NONE ? &answers->queries[at] : NULL;
}

/* ---------------------------------------------------------------- adding */

enum { VALUES, WORDS, QUERIES };

void plan_answers_add_values(struct plan_answers *answers, const char *table, const char *column,
                             enum value_test test, enum plan_answer answer)
{
    struct buffer question = {0};
    ask_values(&question, table, column, test);
    if (!add_question(answers, &question, answers->value_count)) {
        return;
    }
    answers->values = arena_make_room(answers->arena, answers->values, answers->value_count,
                                      &answers->capacities[VALUES], sizeof *answers->values);
    answers->values[answers->value_count++] =
        (struct plan_values_answer){.table = copy_text(answers, table),
                                    .column = copy_text(answers, column),
                                    .test = test,
                                    .answer = answer};
}

void plan_answers_add_words(struct plan_answers *answers, const char *type,
                            const char *default_text, const char *collation,
                            struct column_words understood)
{
    struct buffer question = {0};
    ask_words(&question, type, default_text, collation);
    if (!add_question(answers, &question, answers->word_count)) {
        return;
    }
    answers->words = arena_make_room(answers->arena, answers->words, answers->word_count,
                                     &answers->capacities[WORDS], sizeof *answers->words);
    answers->words[answers->word_count++] =
        (struct plan_words_answer){.type = copy_text(answers, type),
                                   .default_text = copy_text(answers, default_text),
                                   .collation = copy_text(answers, collation),
                                   .understood = understood};
}

void plan_answers_add_query(struct plan_answers *answers, const char *query,
                            const struct schema_table *table)
{
    struct buffer question = {0};
    ask_query(&question, query);
    if (!add_question(answers, &question, answers->query_count)) {
        return;
    }
    answers->queries = arena_make_room(answers->arena, answers->queries, answers->query_count,
                                       &answers->capacities[QUERIES], sizeof *answers->queries);
    answers->queries[answers->query_count++] =
        (struct plan_query_answer){.query = copy_text(answers, query), .table = table};
}
