/* The labels of types that list their values, as databases write them: MySQL's "enum('x','y')", and
 * behind the blank of a PostgreSQL column's stamp "16400='x',16402='y'", numbered. */
#ifndef TRANSHUME_MODEL_LABELS_H
#define TRANSHUME_MODEL_LABELS_H

#include <stdbool.h>
#include <stddef.h>

/* One of them, with its quotes and what stands before it ("16400='x'"). */
struct label {
    const char *text;
    size_t length;
    size_t number_length; /* of what stands before the quotes */
};

/* The text of a type or stamp that lists labels; NULL: it lists none. */
const char *labels_of_type(const char *native);
const char *labels_of_stamp(const char *stamp);
/* The next one; false: there is none. */
bool labels_next(const char **at, struct label *label);
/* Is each of `some` among `all`? With `numbered` with its number. */
bool labels_hold(const char *all, const char *some, bool numbered);

#endif
