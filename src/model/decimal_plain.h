/* For decimal*.c only: plain decimal text taken apart, and the powers of ten in 64 bits. */
#ifndef TRANSHUME_MODEL_DECIMAL_PLAIN_H
#define TRANSHUME_MODEL_DECIMAL_PLAIN_H

#include <stddef.h>
#include <stdint.h>

extern const uint64_t decimal_powers[20];

/* -?digits[.digits], or one of the words. */
struct decimal_plain {
    int negative;
    char special; /* as decimal_special */
    const char *whole;
    size_t whole_length; /* without leading zeros: 0 for numbers below one */
    const char *fraction;
    size_t fraction_length;
};

struct decimal_plain decimal_plain_of_text(const char *text, size_t length);
int decimal_plain_is_zero(const struct decimal_plain *plain);
/* By magnitude; neither is special. */
int decimal_plain_compare(const struct decimal_plain *left, const struct decimal_plain *right);

#endif
