/* Tables of text for people: columns as wide as their widest cell, or fitted into a terminal. */
#ifndef TRANSHUME_OBSERVE_TABLE_H
#define TRANSHUME_OBSERVE_TABLE_H

#include "base/buffer.h"
#include <stdbool.h>
#include <stdint.h>

/* One thread. Cells fill rows from left to right; control characters in them are shown escaped. */
struct table;

/* `titles` is NULL-terminated, at most 16; a title that begins with '>' aligns its column right. */
struct table *table_create(const char *const *titles) __attribute__((returns_nonnull));
void table_destroy(struct table *table);
void table_add_text(struct table *table, const char *text);
void table_format(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);
/* 1234567 as "1,234,567"; a negative one as "?" */
void table_add_count(struct table *table, int64_t count);
void table_add_bytes(struct table *table, int64_t bytes);
/* A line between the rows so far and the next one. */
void table_rule(struct table *table);
/* No wider than that, as far as it goes: the cells of the widest columns that are not aligned right
 * are broken into lines. 0: as wide as the cells. */
void table_fit(struct table *table, uint32_t columns);
/* Title line bold when `color`. */
void table_append(struct table *table, bool color, struct buffer *out);

/* Columns that the text takes on a terminal; `text` is valid UTF-8. */
uint32_t table_text_width(const char *text);

#endif
