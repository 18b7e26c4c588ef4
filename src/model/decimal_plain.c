/* Plain decimal text taken apart. */
#include "model/decimal_plain.h"

#include <string.h>

const uint64_t decimal_powers[20] = {1u,
                                     10u,
                                     100u,
                                     1000u,
                                     10000u,
                                     100000u,
                                     1000000u,
                                     10000000u,
                                     100000000u,
                                     1000000000u,
                                     10000000000u,
                                     100000000000u,
                                     1000000000000u,
                                     10000000000000u,
                                     100000000000000u,
                                     1000000000000000u,
                                     10000000000000000u,
                                     100000000000000000u,
                                     1000000000000000000u,
                                     10000000000000000000u};

struct decimal_plain decimal_plain_of_text(const char *text, size_t length)
{
    struct decimal_plain plain = {.negative = length > 0 && text[0] == '-'};
    const char *end = text + length;
    text += plain.negative;
    if (text < end && (*text < '0' || *text > '9')) {
        plain.special = *text == 'N' ? 'N' : plain.negative ? '-' : '+';
        return plain;
    }
    const char *point = memchr(text, '.', (size_t)(end - text));
    const char *whole_end = point == NULL ? end : point;
    while (text < whole_end && *text == '0') {
        text++;
    }
    plain.whole = text;
    plain.whole_length = (size_t)(whole_end - text);
    plain.fraction = point == NULL ? end : point + 1;
    plain.fraction_length = (size_t)(end - plain.fraction);
    return plain;
}

int decimal_plain_is_zero(const struct decimal_plain *plain)
{
    if (plain->special != 0 || plain->whole_length > 0) {
        return 0;
    }
    for (size_t i = 0; i < plain->fraction_length; i++) {
        if (plain->fraction[i] != '0') {
            return 0;
        }
    }
    return 1;
}

int decimal_plain_compare(const struct decimal_plain *left, const struct decimal_plain *right)
{
    if (left->whole_length != right->whole_length) {
        return left->whole_length < right->whole_length ? -1 : 1;
    }
    int order = left->whole_length == 0 ? 0 : memcmp(left->whole, right->whole, left->whole_length);
    size_t longest = left->fraction_length > right->fraction_length ? left->fraction_length
                                                                    : right->fraction_length;
    for (size_t i = 0; i < longest && order == 0; i++) {
        char a = i < left->fraction_length ? left->fraction[i] : '0';
        char b = i < right->fraction_length ? right->fraction[i] : '0';
        order = a - b;
    }
    return order < 0 ? -1 : order > 0;
}
