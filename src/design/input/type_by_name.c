/* A column's type by the words of its name, where nothing else says it. */
#include "design/input/names.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 8, WORD_BYTES_MAX = 24 };

struct words {
    char word[WORDS_MAX][WORD_BYTES_MAX];
    uint32_t count; /* of a long name only the last ones are kept */
};

static bool begins_word(const char *name, const char *at)
{
    bool upper = isupper((unsigned char)*at) != 0;
    if (at == name || !isalnum((unsigned char)at[-1])) {
        return true;
    }
    /* "unitPrice" and "HTTPCode" */
    return upper && (islower((unsigned char)at[-1]) || isdigit((unsigned char)at[-1]) ||
                     islower((unsigned char)at[1]));
}

/* "InvoiceDate", "invoice_date" and "INVOICE-DATE" are "invoice" and "date". */
static void type_by_name_split(const char *name, struct words *words)
{
    size_t length = 0;
    words->count = 0;
    for (const char *at = name; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at)) {
            continue;
        }
        if (begins_word(name, at)) {
            if (words->count == WORDS_MAX) {
                memmove(words->word[0], words->word[1], (WORDS_MAX - 1) * sizeof words->word[0]);
                words->count--;
            }
            words->count++;
            length = 0;
        }
        char *word = words->word[words->count - 1];
        if (length + 1 < WORD_BYTES_MAX) {
            word[length++] = (char)tolower((unsigned char)*at);
        }
        word[length] = '\0';
    }
}

enum place { LAST, FIRST };

static const struct {
    enum place place;
    enum value_kind kind;
    const char *words;
} hints[] = {
    {FIRST, VALUE_BOOL, " is has can was "},
    {LAST, VALUE_UUID, " uuid guid "},
    {LAST, VALUE_INT64, " id "},
    {LAST, VALUE_TIMESTAMP, " at date time datetime timestamp created updated modified expires "},
    {LAST, VALUE_BOOL, " flag active enabled disabled visible verified "},
    {LAST, VALUE_DECIMAL,
     " price amount total subtotal balance cost fee tax discount salary freight credit debit "},
    {LAST, VALUE_INT64,
     " qty quantity count num age year month day size bytes length width height position rank "
     "version milliseconds seconds minutes hours days duration stock "},
    {FIRST, VALUE_INT64, " num "},
    {LAST, VALUE_FLOAT64, " lat lon lng latitude longitude score ratio percent weight "},
    {LAST, VALUE_JSON, " json jsonb metadata payload "},
    {LAST, VALUE_BYTES, " blob binary "},
};

static bool is_listed(const char *list, const char *word)
{
    char wanted[WORD_BYTES_MAX + 2];
    snprintf(wanted, sizeof wanted, " %.*s ", WORD_BYTES_MAX - 1, word);
    return strstr(list, wanted) != NULL;
}

struct value_type input_type_by_name(const char *column)
{
    struct words words;
    struct value_type type = {.kind = VALUE_TEXT};
    type_by_name_split(column, &words);
    for (size_t i = 0; words.count > 0 && i < sizeof hints / sizeof hints[0]; i++) {
        const char *word = words.word[hints[i].place == LAST ? words.count - 1 : 0];
        if (is_listed(hints[i].words, word) && (hints[i].place == LAST || words.count > 1)) {
            type.kind = hints[i].kind;
            break;
        }
    }
    return type;
}
