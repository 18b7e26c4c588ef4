/* jansson's verdict on a text. */
#ifndef TRANSHUME_UNIT_SUPPORT_JANSSON_H
#define TRANSHUME_UNIT_SUPPORT_JANSSON_H

#include <stddef.h>

/* CANNOT: the text may be JSON, but is beyond what jansson can hold (large numbers, NUL in a key).
 */
enum jansson_verdict { JANSSON_ACCEPTS, JANSSON_REFUSES, JANSSON_CANNOT };

/* Why it does not accept is put into `reason`. */
enum jansson_verdict jansson_judge(const char *text, size_t length, char *reason, size_t capacity);

#endif
