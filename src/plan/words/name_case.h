/* Names in small letters, and names in snake case. */
#ifndef TRANSHUME_PLAN_WORDS_NAME_CASE_H
#define TRANSHUME_PLAN_WORDS_NAME_CASE_H

#include "base/buffer.h"

enum name_case {
    NAME_KEEP,  /* as it is */
    NAME_LOWER, /* "OrderLine" is "orderline" */
    NAME_SNAKE  /* "OrderLine" and "Order Line" are "order_line", "HTTPServer" is "http_server" */
};

/* "keep", "lower" or "snake"; anything else is NAME_KEEP. */
enum name_case name_case_of(const char *word);

/*
 * Appends `length` bytes of a name, UTF-8, by the rule; what is not UTF-8 is kept as it is. Letters
 * become small by Unicode's simple mapping, whatever the locale. In snake case a word begins with a
 * capital letter behind a small one or a digit, or with the last of several capitals before a small
 * letter; spaces, hyphens and other signs between words become one '_'. Dots and quotes are kept:
 * they are part of a name with a schema.
 */
void name_case_append(enum name_case rule, const char *name, size_t length, struct buffer *out);

#endif
